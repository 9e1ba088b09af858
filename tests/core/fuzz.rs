//! Feeds every reader of foreign bytes with valid inputs that are damaged at random: no reader
//! panics, takes more than a moment or returns more than its limits. The mutator is our own, with a
//! seed: known inputs and no coverage, so that it runs on stable Rust. About a second for each
//! reader here; `cargo xtask fuzz TARGET --seconds N` runs longer, in release.
//!
//! A new reader is one more `#[test]` that calls `fuzz`.

use crate::conformance::cases;
use crate::stories::world::quick_dir;
use session_roam_core::adapter::Records;
use session_roam_core::merge::snapshots;
use session_roam_core::merge::transcript::{self, said_in};
use session_roam_core::session::chain::lines_of;
use session_roam_core::session::{
    Chain, ChainId, DocKind, DocName, Hlc, Lane, ProjectKey, SessionId, SessionKey, ToolId,
    device_id::device_id_of_cert, records,
};
use session_roam_core::syncthing::pairing;
use session_roam_core::tools::{self, About, Content, FoundDoc, Machine, Which};
use session_roam_core::vault::card::Card;
use session_roam_core::vault::envelope::Sealed;
use session_roam_core::vault::frame::{self, Head};
use session_roam_core::vault::keys::DeviceKey;
use session_roam_core::vault::presence::{self, Presence};
use session_roam_core::vault::{Entry, Journal, Owner, Vault, VaultPath};
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const SEGMENT: &[u8] = include_bytes!("../fixtures/journal/0001.jsonl.zst");
const DEVICE_FILE: &[u8] = include_bytes!("../fixtures/journal/device.json");

/// A small generator: the same seed gives the same run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit.max(1)
    }
}

/// The most effective damage: lengths, extreme numbers, JSON's own marks.
const WORDS: [&[u8]; 18] = [
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\n",
    b"\\",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"[[[[[[[[",
    b"}",
    b"null",
    b"-1",
    b"18446744073709551616",
    b"1e999",
    b"../",
    b"\xc3\x28",
    b"\x28\xb5\x2f\xfd",
];

fn mutated(seed: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len() + 1);
        let end = (at + chance.below(64)).min(bytes.len());
        match chance.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => bytes[at] = chance.next() as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece.repeat(1 + chance.below(20)));
            }
            5 => {
                let from = chance.below(other.len() + 1);
                let piece = other[from..(from + chance.below(256)).min(other.len())].to_vec();
                bytes.splice(at..end, piece);
            }
            _ => drop(bytes.splice(at..end, WORDS[chance.below(WORDS.len())].iter().copied())),
        }
    }
    bytes.truncate(1 << 20);
    bytes
}

/// A setting of `cargo xtask fuzz`.
#[allow(clippy::disallowed_methods)] // the caller says how long to run, and what
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<u64> {
    setting(name).and_then(|text| text.parse().ok())
}

/// Feeds `read` with the seeds themselves and with damaged ones, for the requested time.
fn fuzz(target: &str, seeds: &[Vec<u8>], read: impl FnMut(&[u8])) {
    fuzz_for_a_share(1, target, seeds, read);
}

/// Like [`fuzz`], when the requested time is for `shares` calls.
fn fuzz_for_a_share(shares: u32, target: &str, seeds: &[Vec<u8>], mut read: impl FnMut(&[u8])) {
    let time = number("FUZZ_SECONDS").map_or(Duration::from_millis(800), |seconds| {
        Duration::from_secs(seconds) / shares
    });
    let seed = number("FUZZ_SEED").unwrap_or(0x5EED_0F11);
    let mut chance = Chance(seed | 1);
    let began = Instant::now();
    seeds.iter().for_each(|seed| read(seed));
    let (mut runs, mut slowest) = (0u64, Duration::ZERO);
    while began.elapsed() < time {
        let (one, other) = (
            &seeds[chance.below(seeds.len())],
            &seeds[chance.below(seeds.len())],
        );
        let input = mutated(one, other, &mut chance);
        let at = Instant::now();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&input)));
        slowest = slowest.max(at.elapsed());
        if let Err(panic) = done {
            let file = std::env::temp_dir().join(format!("fuzz-{target}-{runs}"));
            let _ = fs::write(&file, &input);
            eprintln!(
                "{target}: input {runs} of seed {seed} is in {}",
                file.display()
            );
            std::panic::resume_unwind(panic);
        }
        runs += 1;
    }
    println!(
        "{target}: {runs} inputs in {:?}, the slowest {slowest:?}",
        began.elapsed()
    );
}

// ---- frames and journals ----

fn head(version: u32, tool: &str, session: &str) -> (Head, DeviceKey, Owner, String) {
    let (key, device) = (DeviceKey::from_secret(&[7; 32]), device_id_of_cert(b"desk"));
    let (tool, session) = (ToolId::new(tool), SessionId::new(session));
    let dir = VaultPath::journal_dir(
        &device.short(),
        Lane::Priority,
        &SessionKey::new(&tool, &session),
        &ProjectKey::new("p"),
    );
    let journal = Journal::new(&device.short(), Lane::Priority, dir.clone());
    let head = Head {
        v: version,
        ..journal.next_head(&device, "desk", &tool, &session, Hlc::default())
    };
    let owner = Owner {
        device,
        key: key.public(),
    };
    (head, key, owner, dir)
}

fn segment(version: u32) -> Vec<u8> {
    let (mut head, key, ..) = head(version, "x", "s");
    let mut all = Vec::new();
    for (n, text) in ["{\"a\":1}\n", "\u{1}\"\\ \u{1F980}\n", "\n\n"]
        .into_iter()
        .enumerate()
    {
        let (mut chain, bytes) = (Chain::start(), text.as_bytes().to_vec());
        chain.feed(&bytes);
        let (doc, after) = (DocName::new("main"), ChainId::log_start());
        let whole = Entry::Whole {
            doc: DocName::new("todo"),
            at: "todo".into(),
            after: ChainId::snapshot_start(),
            tip: chain.tip,
            head: 3,
            tail: 4,
            bytes: vec![0xff, n as u8],
        };
        let lines = Entry::Lines {
            doc,
            at: "main".into(),
            after,
            tip: chain.tip,
            replaces: None,
            bytes,
        };
        let (bytes, hash) =
            frame::render(&head, &[lines, whole], |message| key.sign(message).to_vec());
        all.extend(bytes);
        (head.n, head.prev) = (head.n + 1, hash);
    }
    all
}

#[test]
fn frames() {
    fuzz(
        "frames",
        &[segment(1), segment(2), SEGMENT.to_vec()],
        |bytes| {
            let (pieces, _) = frame::next_batch(bytes, usize::MAX);
            for piece in pieces {
                if let Ok(sealed) = Sealed::read(piece) {
                    let _ = sealed.is_signed_by(&[7; 32]);
                    let _ = sealed.parse();
                }
            }
        },
    );
}

/// What a hostile owner may sign: the lines themselves are damaged.
#[test]
fn signed_lines() {
    let unpacked = |segment: &[u8]| {
        let len = frame::frame_len(segment).expect("whole").expect("a frame");
        zstd::decode_all(&segment[..len]).expect("zstd")
    };
    fuzz(
        "signed_lines",
        &[unpacked(&segment(2)), unpacked(SEGMENT)],
        |lines| {
            let packed = zstd::bulk::compress(lines, 1).expect("compressed");
            let mut bytes = 0x184D_2A5Bu32.to_le_bytes().to_vec();
            bytes.extend(148u32.to_le_bytes());
            bytes.extend(b"SRJ\x02");
            bytes.extend((packed.len() as u32).to_le_bytes());
            bytes.extend((lines.len() as u32).to_le_bytes());
            bytes.extend(0u64.to_le_bytes());
            let (head, ..) = head(2, "x", "s");
            bytes.extend(
                data_encoding::HEXLOWER
                    .decode(head.prev.0.as_bytes())
                    .expect("hexadecimal"),
            );
            let mut hasher = blake3::Hasher::new_derive_key("session-roam v2 frame");
            let hash = *hasher
                .update(&bytes[8..])
                .update(&packed)
                .finalize()
                .as_bytes();
            bytes.extend(hash);
            bytes.extend([0; 64]);
            bytes.extend(packed);
            let _ = Sealed::read(&bytes).expect("the envelope is right").parse();
        },
    );
}

#[test]
fn journals() {
    let home = quick_dir();
    let (_, _, owner, dir) = head(2, "x", "s");
    let vault = Vault::at(home.path());
    let path = vault.file(&format!("{dir}/0001.jsonl.zst"));
    fs::create_dir_all(path.parent().expect("parent")).expect("dir");
    let good = segment(2);
    fuzz("journals", &[good.clone(), segment(1)], |bytes| {
        fs::write(&path, bytes).expect("written");
        let mut journal = Journal::new(&owner.device.short(), Lane::Priority, dir.clone());
        journal
            .read_new(&vault, &owner, &mut None, |_| (), |_, _, (), _, _| ())
            .expect("read");
        assert_eq!(
            journal.accepted(&vault).expect("served").len() as u64,
            journal.frames
        );
        let _ = fs::remove_dir_all(vault.kept.root());
    });
}

// ---- what devices say of themselves ----

#[test]
fn device_files() {
    let dir = quick_dir();
    fuzz("device_files", &[DEVICE_FILE.to_vec()], |bytes| {
        fs::write(dir.path().join(presence::FILE), bytes).expect("written");
        let _ = presence::read(dir.path(), "HSN4HCWCH4BDG4");
    });
}

fn body() -> serde_json::Value {
    let file: serde_json::Value = serde_json::from_slice(DEVICE_FILE).expect("JSON");
    serde_json::from_str(file["body"].as_str().expect("a body")).expect("JSON")
}

#[test]
fn presences() {
    fuzz("hellos", &[body().to_string().into_bytes()], |bytes| {
        drop(serde_json::from_slice::<Presence>(bytes))
    });
}

#[test]
fn cards() {
    fuzz(
        "cards",
        &[body()["card"].to_string().into_bytes()],
        |bytes| {
            if let Ok(card) = serde_json::from_slice::<Card>(bytes) {
                let _ = card.verify(&card.device);
            }
        },
    );
}

#[test]
fn pairing_codes() {
    let device = device_id_of_cert(b"desk");
    let codes = [
        format!("session-roam://pair?id={device}&name=desk"),
        device.to_string(),
    ];
    let codes: Vec<Vec<u8>> = codes.into_iter().map(String::into_bytes).collect();
    fuzz("pairing_codes", &codes, |bytes| {
        drop(pairing::parse(&String::from_utf8_lossy(bytes)))
    });
}

// ---- the tools' stores ----

fn files_below(dir: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type().expect("a kind") {
            kind if kind.is_dir() => found.extend(files_below(&entry.path())),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

/// A fixture's store in a home of its own, and what it holds.
struct Store {
    machine: Machine,
    cwd: PathBuf,
    files: Vec<PathBuf>,
    dir: tempfile::TempDir,
}

impl Store {
    fn of(case: &cases::Case) -> Self {
        let dir = quick_dir();
        let (home, cwd) = (dir.path().join("home"), dir.path().join("work"));
        fs::create_dir_all(&cwd).expect("dir");
        cases::fill(&case.home, &home, &home, &cwd);
        Self {
            machine: Machine::at(home.clone()),
            cwd,
            files: files_below(&home),
            dir,
        }
    }

    /// The docs of its sessions as they sync.
    fn docs(&self, case: &cases::Case) -> Vec<(FoundDoc, Vec<u8>)> {
        let mut machine = self.machine.clone();
        let programs = cases::stand_ins(self.dir.path());
        machine
            .vars
            .insert("PATH".into(), programs.to_string_lossy().into_owned());
        let found = case.tool.sessions(&machine, Which::All).found;
        let docs = found.into_iter().flat_map(|found| {
            let reading = case.tool.read(&machine, &found).expect("read");
            found.docs.into_iter().zip(reading.docs)
        });
        let read = |(doc, content): (FoundDoc, Content)| {
            let (mut bytes, mut file) = (Vec::new(), content.open().expect("open"));
            file.read_to_end(&mut bytes).expect("read");
            (doc, bytes)
        };
        docs.map(read).collect()
    }
}

/// The files of a store are damaged one after the other; the adapter lists and reads what it can.
fn on_disk(case: &cases::Case, share: u32) {
    let store = Store::of(case);
    let seeds = store.files.iter().map(|file| fs::read(file).expect("file"));
    let seeds: Vec<Vec<u8>> = seeds.collect();
    let (mut chance, mut before) = (Chance(77), None::<usize>);
    let name = format!("adapter {} on disk", case.name);
    fuzz_for_a_share(share, &name, &seeds, |bytes| {
        let at = chance.below(seeds.len());
        if let Some(before) = before.replace(at).filter(|before| *before != at) {
            fs::write(&store.files[before], &seeds[before]).expect("as it was");
        }
        fs::write(&store.files[at], bytes).expect("written");
        let listing = case.tool.sessions(&store.machine, Which::All);
        for found in listing.found.iter().take(20) {
            let Ok(reading) = case.tool.read(&store.machine, found) else {
                continue;
            };
            for doc in &reading.docs {
                if let Ok(file) = doc.open() {
                    let _ = file.take(1 << 20).read_to_end(&mut Vec::new());
                }
            }
        }
    });
}

/// The docs of a session are damaged, as another device may send them: they are shown, compared and
/// joined, and what steers in them is found.
fn in_memory(case: &cases::Case, share: u32) {
    let store = Store::of(case);
    let docs = store.docs(case);
    let seeds: Vec<Vec<u8>> = docs.iter().map(|(_, bytes)| bytes.clone()).collect();
    let (about, mut chance) = (case.tool.about(), Chance(78));
    let name = format!("adapter {} in memory", case.name);
    fuzz_for_a_share(share, &name, &seeds, |bytes| {
        let (doc, whole) = &docs[chance.below(docs.len())];
        show(&about, doc.kind, bytes);
        for line in lines_of(bytes).take(100) {
            let _ = (about.steering.sets)(&doc.name, line);
            let _ = (about.steering.neutral)(&doc.name, line, &store.cwd);
            let _ = (about.is_message)(line);
        }
        let _ = (about.steering.sets)(&doc.name, bytes);
        let names = (about.device_fields)(&doc.name);
        let _ = tools::with_those_of(whole, names, bytes);
        let _ = tools::with_those_of(bytes, names, whole);
        let judged = about.joins.judge.map_or_else(
            || snapshots::judge(bytes, whole),
            |judge| judge(&doc.name, bytes, whole),
        );
        let _ = (judged, about.joins.union.map(|union| union(bytes, whole)));
        let named = about.joins.named;
        let _ = named.map(|named| named(&mut std::io::Cursor::new(bytes.to_vec())));
        let _ = about.joins.beginning.map(|begins| (begins.cut)(bytes, 1));
    });
}

fn show(about: &About, kind: DocKind, bytes: &[u8]) {
    let whole = (kind == DocKind::Snapshot).then_some(transcript::records as Records);
    let shown = match about.records.or(whole) {
        Some(records) => records(bytes),
        None => {
            let records = lines_of(bytes).flat_map(records::records);
            records.map(|record| record.value).collect()
        }
    };
    for record in &shown {
        let _ = said_in(record, about.read_message).map(|said| said.text());
    }
}

/// The time is a tool's: its fixtures share it, on disk and in memory.
#[test]
fn adapters() {
    let only = setting("FUZZ_TOOL");
    let tool = |case: &cases::Case| case.tool.about().tool.to_string();
    let mut cases = cases::cases();
    cases.retain(|case| only.as_ref().is_none_or(|only| tool(case) == *only));
    for case in &cases {
        let fixtures = cases.iter().filter(|other| tool(other) == tool(case));
        let shares = 2 * u32::try_from(fixtures.count()).expect("few");
        on_disk(case, shares);
        in_memory(case, shares);
    }
}
