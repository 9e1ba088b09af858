//! Sessions in the open format: what every fixture of every tool becomes, what vouches for it, and
//! how such a file comes back.

use super::fixtures::Story;
use super::splits::Parted;
use super::talk::{ONE, turn};
use super::world::{Device, World, tree};
use crate::conformance::cases::cases;
use data_encoding::BASE64;
use serde_json::{Value, json};
use session_roam_core::api::{ExportFormat, Exported, Request, Shown};
use session_roam_core::open;
use session_roam_core::session::{SessionId, SessionKey, ToolId};
use session_roam_core::tools::imported::progress::{ImportError, Imported, Progress};
use session_roam_core::tools::imported::reading;
use session_roam_core::vault::envelope::{Sealed, frame_len};
use session_roam_core::vault::{Entry, frame};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

pub fn exported(device: &mut Device, session: &str, format: ExportFormat) -> String {
    let export = Request::Export {
        session: session.into(),
        format,
        dir: None,
    };
    device.ask::<Exported>(export).text.expect("a text")
}

fn open_of(device: &mut Device, session: &str) -> String {
    exported(device, session, ExportFormat::Open)
}

fn entries(text: &str) -> Vec<Value> {
    open::read(text.as_bytes()).expect("a right file").entries
}

fn ids(text: &str) -> Vec<String> {
    let id = |entry: Value| entry["id"].as_str().expect("an id").to_owned();
    entries(text).into_iter().map(id).collect()
}

fn try_import(device: &mut Device, text: &str) -> Result<Imported, ImportError> {
    let file = device.home.join("session.open.jsonl");
    fs::write(&file, text).expect("written");
    let vault = device.vault();
    let is_here = |tool: &ToolId, session: &SessionId| vault.holds(&SessionKey::new(tool, session));
    let data = device.machine().data;
    reading::import(&[file], &data, &Progress::default(), &is_here)
}

fn import(device: &mut Device, text: &str) -> Imported {
    let done = try_import(device, text).expect("imported");
    device.poll();
    done
}

/// The sessions that came by an import of the open format.
fn brought_in(device: &mut Device) -> BTreeSet<String> {
    let rows = device.sessions().into_iter();
    rows.filter(|row| row.tool == "open-format")
        .map(|row| row.session)
        .collect()
}

/// Role and text of a message, and the kind and length of each part.
type Said = (String, String, Vec<(String, u64)>);

fn shown(device: &mut Device, session: &str) -> Vec<Said> {
    let shown: Shown = device.ask(Request::show(session));
    let messages = shown.messages.into_iter();
    messages
        .map(|message| {
            let parts = message.parts.into_iter();
            let parts = parts.map(|part| (part.kind, part.bytes)).collect();
            (message.role.to_string(), message.text, parts)
        })
        .collect()
}

#[test]
fn every_tools_session_goes_out_and_comes_back_as_the_same_entries() {
    for case in cases() {
        let mut guest = World::devices(["guest"]);
        let mut story = Story::begin(case);
        let name = story.case.name.clone();
        let session = story.session.clone();
        let [here, there] = [0, 1].map(|at| open_of(&mut story.world.devices[at], &session));
        if here.lines().count() == 1 {
            let read = shown(&mut story.world.devices[0], &session);
            assert!(read.is_empty(), "{name}: nothing of it can be read");
            continue;
        }
        assert_eq!(ids(&here), ids(&there), "{name}: the same on every device");
        let messages = shown(&mut story.world.devices[0], &session);
        let done = import(&mut guest.devices[0], &here);
        assert_eq!(
            (done.new.len(), done.n_left_out),
            (1, 0),
            "{name}: {done:?}"
        );
        let new = brought_in(&mut guest.devices[0]).pop_first();
        let new = &new.expect("a session");
        let back = open_of(&mut guest.devices[0], new);
        assert_eq!(entries(&back), entries(&here), "{name}");
        assert_eq!(
            back.lines().next().map(value),
            here.lines().next().map(value),
            "{name}: its header"
        );
        let read = shown(&mut guest.devices[0], new);
        let texts = |all: &[(String, String, _)]| -> Vec<String> {
            all.iter().map(|(_, text, _)| text.clone()).collect()
        };
        assert_eq!(texts(&read), texts(&messages), "{name}: it reads the same");
        let again = import(&mut guest.devices[0], &here);
        assert_eq!(again.known.len(), 1, "{name}: {again:?}");
    }
}

fn value(line: &str) -> Value {
    serde_json::from_str(line).expect("JSON")
}

/// Every frame of a vault by its hash: the hashes of the lines in it.
fn frames(device: &Device) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for (path, bytes) in tree(&device.roam.join("vault")) {
        if !path.to_string_lossy().ends_with(".jsonl.zst") {
            continue;
        }
        let mut rest = bytes.as_slice();
        while let Some(Ok(len)) = frame_len(rest) {
            let hash = Sealed::read(&rest[..len]).expect("an envelope").hash;
            let lines: BTreeSet<String> = frame::parse(&rest[..len])
                .expect("a frame")
                .entries
                .into_iter()
                .filter_map(|entry| match entry {
                    Entry::Lines { bytes, .. } => Some(bytes),
                    _ => None,
                })
                .flat_map(|bytes| {
                    let lines = bytes.split(|byte| *byte == b'\n');
                    lines.map(open::hash_of_bytes).collect::<Vec<_>>()
                })
                .collect();
            found.insert(hash.0, lines);
            rest = &rest[len..];
        }
    }
    found
}

#[test]
fn an_entry_names_its_record_its_device_and_the_signed_frame_that_holds_it() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "by the desk"));
    world.deliver();
    let placed = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&placed, turn(&there, ONE, "by the lap"));
    world.deliver();
    let shorts = [0, 1].map(|at| world.devices[at].short());
    for at in 0..2 {
        let text = open_of(&mut world.devices[at], ONE);
        let header = value(text.lines().next().expect("a header"));
        assert_eq!(header["tool"], "claude-code");
        let frames = frames(&world.devices[at]);
        let entries = entries(&text);
        let devices: Vec<&str> = entries
            .iter()
            .map(|entry| entry["device"].as_str().expect("a device"))
            .collect();
        assert_eq!(devices, shorts.each_ref().map(String::as_str));
        for entry in &entries {
            let (seal, native) = (&entry["seal"], &entry["native"]);
            let hash = seal["hash"].as_str().expect("a hash");
            let record = native["hash"].as_str().expect("a hash");
            assert!(frames[hash].contains(record), "{entry}");
            assert_eq!(seal["device"], entry["device"]);
            let devices = header["devices"].as_array().expect("devices").iter();
            let mut devices = devices.filter(|device| device["id"] == seal["device"]);
            let key = devices.next().expect("named")["key"]
                .as_str()
                .expect("a key");
            assert_eq!(BASE64.decode(key.as_bytes()).expect("base64").len(), 32);
        }
    }
}

#[test]
fn both_branches_of_a_split_are_in_the_tree_and_share_their_beginning() {
    let mut parted = Parted::claude().met();
    let text = open_of(&mut parted.world.devices[0], ONE);
    let entries = entries(&text);
    let parents: Vec<&Value> = entries.iter().map(|entry| &entry["parent"]).collect();
    let roots = parents.iter().filter(|parent| parent.is_null()).count();
    assert_eq!(roots, 1, "{text}");
    let children = |id: &Value| parents.iter().filter(|parent| **parent == id).count();
    let forks = entries
        .iter()
        .filter(|entry| children(&entry["id"]) == 2)
        .count();
    assert_eq!(forks, 1, "{text}");
    // Shown is the branch of this device.
    let last = entries.last().expect("entries").to_string();
    let shown: Shown = parted.world.devices[0].ask(Request::show(ONE));
    let words = &shown.messages.last().expect("messages").text;
    assert!(last.contains(words.as_str()), "{last}");
}

#[test]
fn a_session_that_is_on_the_device_itself_is_not_imported_a_second_time() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.deliver();
    let text = open_of(&mut world.devices[0], ONE);
    for device in &mut world.devices {
        let done = import(device, &text);
        assert_eq!((done.new.len(), done.n_left_out), (0, 1), "{done:?}");
        let why = &done.left_out[0].why;
        assert!(why.contains(ONE), "{why}");
        assert_eq!(device.sessions().len(), 1);
    }
}

#[test]
fn a_newer_file_adds_and_an_older_one_changes_nothing() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    let older = open_of(&mut world.devices[0], ONE);
    world.devices[0].say(&path, turn(&here, ONE, "two"));
    let newer = open_of(&mut world.devices[0], ONE);
    let mut guest = World::devices(["guest"]);
    let guest = &mut guest.devices[0];
    assert_eq!(import(guest, &older).new["open-format"], 1);
    assert_eq!(import(guest, &newer).grown["open-format"], 1);
    assert_eq!(import(guest, &older).known["open-format"], 1);
    let [id] = &brought_in(guest).into_iter().collect::<Vec<_>>()[..] else {
        panic!("one session");
    };
    assert_eq!(entries(&open_of(guest, id)), entries(&newer));
    let texts: Vec<String> = shown(guest, id)
        .into_iter()
        .map(|(_, text, _)| text)
        .collect();
    assert_eq!(texts, ["one", "two"]);
}

#[test]
fn a_file_that_was_changed_anywhere_is_refused_with_the_line_and_the_reason() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    for words in ["one", "two", "three"] {
        world.devices[0].say(&path, turn(&here, ONE, words));
    }
    let good = open_of(&mut world.devices[0], ONE);
    let lines: Vec<&str> = good.lines().collect();
    let edited = |at: usize, edit: &dyn Fn(&mut Value)| {
        let mut line = value(lines[at]);
        edit(&mut line);
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        lines[at] = line.to_string();
        lines.join("\n") + "\n"
    };
    let without = |at: usize| {
        let kept = lines.iter().enumerate().filter(|(line, _)| *line != at);
        kept.map(|(_, line)| format!("{line}\n"))
            .collect::<String>()
    };
    let wrong = [
        (
            edited(2, &|line| {
                line["item"]["content"][0]["text"] = json!("else")
            }),
            3,
            "hash of its content",
        ),
        (
            edited(1, &|line| line["native"]["record"] = json!(7)),
            2,
            "hash of its content",
        ),
        (
            edited(2, &|line| line["seal"]["hash"] = json!("00")),
            3,
            "signature is not that of",
        ),
        (
            edited(0, &|line| line["devices"][0]["key"] = json!("AAAA")),
            1,
            "the key of",
        ),
        (without(2), 3, "a line is missing"),
        (format!("{good}{}\n", lines[1]), 5, "twice"),
        (good[..good.len() - 20].to_owned(), 4, "cut off"),
        (format!("{}\n", lines[0]), 1, "no entry"),
    ];
    let mut guest = World::devices(["guest"]);
    for (text, line, why) in wrong {
        let error = try_import(&mut guest.devices[0], &text).expect_err(why);
        let told = error.to_string();
        assert!(
            told.contains(&format!("line {line}: ")) && told.contains(why),
            "{told}"
        );
        assert_eq!(error.code().as_str(), "import_unreadable");
        assert!(error.hint().contains("Nothing of the file was imported"));
    }
    let newer = edited(0, &|line| line["format"] = json!("session-roam-open/9"));
    let large = format!("{good}{}", " ".repeat(64 << 20));
    for (text, why, hint) in [
        (
            newer,
            "newer version of the open format",
            "Update session-roam",
        ),
        (large, "is larger than 64 MiB", "export its own records"),
    ] {
        let error = try_import(&mut guest.devices[0], &text).expect_err(why);
        let told = error.to_string();
        assert!(told.contains(why) && !told.contains("line"), "{told}");
        assert!(error.hint().contains(hint), "{told}");
    }
    assert!(brought_in(&mut guest.devices[0]).is_empty());
    assert_eq!(import(&mut guest.devices[0], &good).new["open-format"], 1);
}
