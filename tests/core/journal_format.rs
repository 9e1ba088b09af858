//! Compares docs/journal-format.md with a journal and a `device.json` that a real engine wrote
//! (tests/fixtures/journal): the page shows what the file holds, its rules for hashes and
//! signatures give the file's own values, and whatever it says must be refused is refused.
//! Everything about bytes is computed here again, from the page alone.

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use session_roam_core::session::{Lane, SessionId, SessionKey, ToolId};
use session_roam_core::vault::presence::{self, Presence};
use session_roam_core::vault::{Entry, Fault, Frame, Journal, Owner, Vault};
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/journal-format.md");
const SEGMENT: &[u8] = include_bytes!("../fixtures/journal/0001.jsonl.zst");
const DEVICE: &str = "HSN4HCWCH4BDG4";
const DIR: &str =
    "HSN4HCWCH4BDG4/live/claude-code/4pl5zzmkwdpkxh3srjyodxuudp/anc7wjgs52i5nrmcgif52qy5mk";
const SESSION: &str = "6f1d2c3b-8a4e-4f6a-9b7c-0d1e2f3a4b5c";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/journal")
}

/// The lines of each frame, unpacked.
fn frames(segment: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = segment;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let len = zstd::zstd_safe::find_frame_compressed_size(rest).expect("a whole frame");
        frames.push(zstd::decode_all(&rest[..len]).expect("zstd"));
        rest = &rest[len..];
    }
    frames
}

fn json(line: &[u8]) -> Value {
    serde_json::from_slice(line).expect("JSON")
}

fn lines(frame: &[u8]) -> Vec<&[u8]> {
    frame.split_inclusive(|byte| *byte == b'\n').collect()
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("{value} has no {field}"))
}

/// The seal's `hash` and `sig` for these lines, as the page says, with this test's own key.
fn sealed(body: &[u8]) -> Vec<u8> {
    use ed25519_dalek::Signer;
    let hash = blake3::hash(body).to_hex().to_string();
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let sig = BASE64.encode(
        &key.sign(format!("session-roam v1 frame\n{hash}").as_bytes())
            .to_bytes(),
    );
    let seal = serde_json::json!({"k": "seal", "hash": hash, "sig": sig});
    zstd::encode_all(
        [body, seal.to_string().as_bytes(), b"\n"]
            .concat()
            .as_slice(),
        3,
    )
    .expect("zstd")
}

/// The example's frames after `change`, sealed again with this test's key.
fn resealed(change: impl Fn(usize, String) -> String) -> Vec<u8> {
    let mut prev: Option<String> = None;
    let mut segment = Vec::new();
    for (at, frame) in frames(SEGMENT).iter().enumerate() {
        let body: Vec<&[u8]> = lines(frame);
        let mut text = String::from_utf8(body[..body.len() - 1].concat()).expect("UTF-8");
        if let Some(prev) = &prev {
            let old = json(body[0])["prev"].as_str().expect("prev").to_owned();
            text = text.replacen(&old, prev, 1);
        }
        let text = change(at, text);
        prev = Some(blake3::hash(text.as_bytes()).to_hex().to_string());
        segment.extend(sealed(text.as_bytes()));
    }
    segment
}

struct Reader {
    // Removed when the test ends.
    _home: tempfile::TempDir,
    vault: Vault,
    owner: Owner,
    journal: Journal,
}

impl Reader {
    fn new(segment: &[u8], owner: Owner) -> Self {
        Self::at(DIR, Lane::Priority, segment, owner)
    }

    fn at(dir: &str, lane: Lane, segment: &[u8], owner: Owner) -> Self {
        let home = tempfile::tempdir().expect("home");
        let vault = Vault::at(home.path());
        let reader = Self {
            vault,
            owner,
            journal: Journal::new(DEVICE, lane, dir.into()),
            _home: home,
        };
        reader.put(1, segment);
        reader
    }

    fn put(&self, number: u32, bytes: &[u8]) {
        let path = self
            .vault
            .file(&format!("{}/{number:04}.jsonl.zst", self.journal.dir));
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        // As Syncthing does: a new file replaces the old one.
        let next = path.with_extension("tmp");
        fs::write(&next, bytes).expect("written");
        fs::rename(next, path).expect("renamed");
    }

    fn read(&mut self) -> Vec<Frame> {
        let mut seen = Vec::new();
        let mut session = None;
        self.journal
            .read_new(
                &self.vault,
                &self.owner,
                &mut session,
                |_| (),
                |_, frame, (), _, _| seen.push(frame.clone()),
            )
            .expect("readable");
        seen
    }
}

fn author() -> Owner {
    let (presence, key) = presence::read(&fixtures(), DEVICE).expect("the documented device.json");
    Owner {
        device: presence.card.device,
        key,
    }
}

/// The author of the frames that `resealed` makes.
fn test_author() -> Owner {
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32])
        .verifying_key()
        .to_bytes();
    Owner { key, ..author() }
}

#[test]
fn the_page_shows_what_the_file_holds() {
    let block = PAGE
        .split("<!-- example")
        .nth(1)
        .and_then(|rest| rest.split("```").nth(1))
        .expect("the example");
    let shown: Vec<&str> = block.trim().lines().collect();
    let held = zstd::decode_all(SEGMENT).expect("zstd");
    let held: Vec<&str> = std::str::from_utf8(&held).expect("UTF-8").lines().collect();
    assert_eq!(shown.len(), held.len());
    for (shown, held) in shown.iter().zip(&held) {
        let mut rest = *held;
        for (at, piece) in shown.split('…').enumerate() {
            let found = rest
                .find(piece)
                .unwrap_or_else(|| panic!("the page shows {piece:?}, the file has {held}"));
            assert!(at > 0 || found == 0, "{shown} begins otherwise than {held}");
            rest = &rest[found + piece.len()..];
        }
        assert!(
            rest.is_empty() || shown.ends_with('…'),
            "{held} goes on behind {shown}"
        );
    }
}

#[test]
fn the_page_names_every_field() {
    for line in frames(SEGMENT).iter().flat_map(|frame| lines(frame)) {
        for field in json(line)
            .as_object()
            .expect("an object")
            .keys()
            .filter(|field| *field != "k")
        {
            assert!(
                PAGE.contains(&format!("`{field}`")),
                "the page does not name {field}"
            );
        }
    }
    let body: Value = json(
        text(
            &json(&fs::read(fixtures().join("device.json")).unwrap()),
            "body",
        )
        .as_bytes(),
    );
    for object in [&body, &body["card"]] {
        for field in object.as_object().expect("an object").keys() {
            assert!(
                PAGE.contains(&format!("`{field}`")),
                "the page does not name {field}"
            );
        }
    }
}

#[test]
fn names_follow_from_what_they_name() {
    let name = |kind: &str, text: &str| {
        let hash = blake3::derive_key(&format!("session-roam v1 name {kind}"), text.as_bytes());
        BASE32_NOPAD.encode(&hash).to_lowercase()[..26].to_owned()
    };
    let project = name("project", "git:git.example/acme/parser");
    let session = name("session", &format!("claude-code\n{SESSION}"));
    assert_eq!(
        DIR,
        format!("{DEVICE}/live/claude-code/{project}/{session}")
    );
    let key = SessionKey::new(&ToolId::new("claude-code"), &SessionId::new(SESSION));
    assert_eq!(key.hash, session);
}

#[test]
fn hashes_and_signatures_are_what_the_page_says() {
    let owner = author();
    let key = VerifyingKey::from_bytes(&owner.key).expect("a key");
    let genesis = format!("{}\nlive\nclaude-code\n{SESSION}", owner.device);
    let mut prev = HEXLOWER.encode(&blake3::derive_key(
        "session-roam v1 journal",
        genesis.as_bytes(),
    ));
    for (number, frame) in frames(SEGMENT).iter().enumerate() {
        let lines = lines(frame);
        let (seal, body) = lines.split_last().expect("lines");
        let (head, seal) = (json(body[0]), json(seal));
        assert_eq!(
            (head["n"].as_u64(), text(&head, "prev")),
            (Some(number as u64), prev.as_str())
        );
        prev = blake3::hash(&body.concat()).to_hex().to_string();
        assert_eq!(text(&seal, "hash"), prev);
        let sig = BASE64
            .decode(text(&seal, "sig").as_bytes())
            .expect("base64");
        let message = format!("session-roam v1 frame\n{prev}");
        key.verify_strict(
            message.as_bytes(),
            &Signature::from_slice(&sig).expect("64 bytes"),
        )
        .expect("signed");
    }
}

#[test]
fn chain_ids_are_what_the_page_says() {
    let start = |kind: &str| blake3::derive_key(&format!("session-roam v1 chain {kind}"), b"");
    let next = |id: [u8; 32], bytes: &[u8]| -> [u8; 32] {
        *blake3::hash(&[&id[..], &(bytes.len() as u64).to_le_bytes(), bytes].concat()).as_bytes()
    };
    let (mut log, mut snapshot) = (start("log"), start("snapshot"));
    for start in [log, snapshot] {
        assert!(
            PAGE.contains(&HEXLOWER.encode(&start)),
            "the page says where chains start"
        );
    }
    let mut content = Vec::new();
    for entry in frames(SEGMENT)
        .iter()
        .flat_map(|frame| lines(frame))
        .map(json)
    {
        let id = match text(&entry, "k") {
            "lines" => {
                assert_eq!(text(&entry, "after"), HEXLOWER.encode(&log));
                log = lines(text(&entry, "text").as_bytes())
                    .into_iter()
                    .fold(log, next);
                log
            }
            "whole" => {
                assert_eq!(text(&entry, "after"), HEXLOWER.encode(&snapshot));
                let cut = |field| {
                    usize::try_from(entry[field].as_u64().expect("a number")).expect("small")
                };
                let tail = content.len() - cut("tail");
                content = [
                    &content[..cut("head")],
                    text(&entry, "text").as_bytes(),
                    &content[tail..],
                ]
                .concat();
                snapshot = next(snapshot, &content);
                snapshot
            }
            _ => continue,
        };
        assert_eq!(text(&entry, "tip"), HEXLOWER.encode(&id));
    }
    assert_eq!(
        content,
        br#"[{"content":"Add a test","status":"completed"}]"#
    );
}

#[test]
fn a_reader_accepts_the_example() {
    let mut reader = Reader::new(SEGMENT, author());
    let seen = reader.read();
    assert_eq!((seen.len(), &reader.journal.fault), (4, &None));
    let entries = seen.iter().flat_map(|frame| &frame.entries);
    let about = entries.clone().filter(
        |entry| matches!(entry, Entry::About(card) if card.main.as_str() == "transcript.jsonl"),
    );
    assert_eq!(about.count(), 1);
    let bytes: Vec<u8> = entries
        .filter_map(|entry| match entry {
            Entry::Lines { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        })
        .flatten()
        .copied()
        .collect();
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 2);
    assert!(
        reader.read().is_empty(),
        "what is accepted is not read again"
    );
}

#[test]
fn a_torn_frame_waits_and_a_later_segment_gives_it_up() {
    let all = frames(SEGMENT).len();
    let first = zstd::zstd_safe::find_frame_compressed_size(SEGMENT).expect("a whole frame");
    let mut reader = Reader::new(&SEGMENT[..SEGMENT.len() - 1], author());
    assert_eq!(
        (reader.read().len(), &reader.journal.fault),
        (all - 1, &None)
    );
    reader.put(1, SEGMENT);
    assert_eq!((reader.read().len(), &reader.journal.fault), (1, &None));

    let mut reader = Reader::new(
        &[&SEGMENT[..first], &SEGMENT[first..first + 9]].concat(),
        author(),
    );
    reader.put(2, &SEGMENT[first..]);
    assert_eq!((reader.read().len(), &reader.journal.fault), (all, &None));
}

#[test]
fn a_frame_that_is_not_the_owners_is_quarantined_and_those_before_it_stay() {
    let first = zstd::zstd_safe::find_frame_compressed_size(SEGMENT).expect("a whole frame");
    let second = first
        + zstd::zstd_safe::find_frame_compressed_size(&SEGMENT[first..]).expect("a whole frame");
    let forged = |segment: &[u8], owner: Owner, accepted: usize| {
        let mut reader = Reader::new(segment, owner);
        assert_eq!(reader.read().len(), accepted);
        assert!(
            matches!(reader.journal.fault, Some(Fault::Forged { .. })),
            "{:?}",
            reader.journal.fault
        );
    };
    // Signed by another key; not a frame; the second frame twice; the first one twice.
    forged(SEGMENT, test_author(), 0);
    forged(
        &[&SEGMENT[..first], &b"{\"k\":\"head\"}\n"[..]].concat(),
        author(),
        1,
    );
    forged(
        &[&SEGMENT[..second], &SEGMENT[first..second]].concat(),
        author(),
        2,
    );
    forged(
        &[&SEGMENT[..first], &SEGMENT[..first]].concat(),
        author(),
        1,
    );
    // Validly signed, but of another session; validly signed, but after another frame.
    forged(
        &resealed(|_, text| text.replace("6f1d2c3b-8a4e", "00000000-8a4e")),
        test_author(),
        0,
    );
    forged(
        &resealed(|at, text| {
            if at == 2 {
                text.replacen("\"n\":2", "\"n\":1", 1)
            } else {
                text
            }
        }),
        test_author(),
        2,
    );
}

#[test]
fn a_journal_in_another_place_is_refused() {
    for (dir, lane) in [
        (DIR.replace("/live/", "/bulk/"), Lane::Bulk),
        (DIR.replace("anc7", "bnc7"), Lane::Priority),
    ] {
        let mut reader = Reader::at(&dir, lane, SEGMENT, author());
        assert_eq!(reader.read().len(), 0);
        assert!(
            matches!(reader.journal.fault, Some(Fault::Forged { .. })),
            "{:?}",
            reader.journal.fault
        );
    }
}

#[test]
fn a_frame_whose_forerunner_is_missing_waits() {
    let first = zstd::zstd_safe::find_frame_compressed_size(SEGMENT).expect("a whole frame");
    let mut reader = Reader::new(&SEGMENT[first..], author());
    assert_eq!((reader.read().len(), &reader.journal.fault), (0, &None));
    reader.put(1, SEGMENT);
    assert_eq!(reader.read().len(), 4);
}

#[test]
fn accepted_bytes_that_change_are_noticed_and_kept() {
    let mut reader = Reader::new(SEGMENT, author());
    assert_eq!(reader.read().len(), 4);
    let first = zstd::zstd_safe::find_frame_compressed_size(SEGMENT).expect("a whole frame");
    for changed in [&SEGMENT[..first], b""] {
        reader.put(1, changed);
        assert!(reader.read().is_empty());
        assert!(
            matches!(reader.journal.fault, Some(Fault::Changed { segment: 1 })),
            "{:?}",
            reader.journal.fault
        );
        let kept = reader.vault.kept.file(&format!("{DIR}/0001.jsonl.zst"));
        assert_eq!(fs::read(kept).expect("kept"), SEGMENT);
    }
    reader.put(1, SEGMENT);
    assert!(reader.read().is_empty());
    assert_eq!(reader.journal.fault, None, "the owner's version is back");
}

#[test]
fn a_newer_version_waits_and_unknown_fields_and_entries_do_not_matter() {
    let mut newer = Reader::new(
        &resealed(|at, text| {
            if at == 3 {
                text.replacen("\"v\":1", "\"v\":3", 1)
            } else {
                text
            }
        }),
        test_author(),
    );
    assert_eq!(newer.read().len(), 3);
    assert_eq!(newer.journal.fault, Some(Fault::Newer { version: 3 }));

    let more = resealed(|_, text| {
        text.replacen("\"v\":1", "\"v\":1,\"mood\":\"calm\"", 1) + "{\"k\":\"poem\",\"of\":[1,2]}\n"
    });
    let mut reader = Reader::new(&more, test_author());
    let seen = reader.read();
    assert_eq!((seen.len(), &reader.journal.fault), (4, &None));
    assert!(seen.iter().all(|frame| {
        frame
            .entries
            .iter()
            .any(|entry| matches!(entry, Entry::Unknown(_)))
    }));
}

#[test]
fn a_changed_device_file_is_refused() {
    let whole = fs::read_to_string(fixtures().join("device.json")).expect("the fixture");
    let dir = tempfile::tempdir().expect("a directory");
    let read = |text: &str| {
        fs::write(dir.path().join(presence::FILE), text).expect("written");
        presence::read(dir.path(), DEVICE).map(|(presence, _): (Presence, _)| presence.name)
    };
    assert_eq!(read(&whole).expect("accepted"), "desk");
    assert!(
        read(&whole.replace("\\\"desk\\\"", "\\\"disk\\\"")).is_err(),
        "another name"
    );
    assert!(
        read(&whole.replace("HSN4HCW-CH4BDG4", "ISN4HCW-CH4BDG4")).is_err(),
        "another device"
    );
    assert!(
        presence::read(&fixtures(), "V7WAGSW6ZPFIZT").is_err(),
        "another folder"
    );
}
