//! F2, F3: steering records are recorded and carried, and never applied where another device wrote
//! them. Every tool has a case `power` with all its steering records; `expect.json` names what was
//! planted in it (`power`), which copies of files are not given to the tool (`withheld`) or do not
//! leave their device (`secret`), and what else of the store is never recorded (`left`).

use super::cases::{Case, cases, tree};
use super::{Device, Raw, Traveller, bytes_of, only_session, pick_up, recorded, write};
use serde_json::Value;
use session_roam_core::formats::fields;
use session_roam_core::formats::steering::edited;
use session_roam_core::session::{DocKind, DocName};
use session_roam_core::tools::{self, Change, DocWrite, WriteError, Written};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn power_cases() -> Vec<Case> {
    cases()
        .into_iter()
        .filter(|case| {
            case.name
                .split('/')
                .nth(1)
                .is_some_and(|name| name.starts_with("power"))
        })
        .collect()
}

fn words(case: &Case, name: &str) -> Vec<String> {
    let words = case.expect[name].as_array().into_iter().flatten();
    words
        .map(|word| word.as_str().expect("text").to_owned())
        .collect()
}

/// A doc as the engine writes it when another device recorded it.
fn neutral(case: &Case, (doc, kind): (&DocName, DocKind), bytes: &[u8], cwd: &Path) -> Vec<u8> {
    let form = case.tool.about().steering.neutral;
    match kind {
        DocKind::Log => bytes
            .split_inclusive(|byte| *byte == b'\n')
            .flat_map(|line| edited(line, &form(doc, line, cwd)))
            .collect(),
        DocKind::Snapshot => bytes.to_vec(),
    }
}

fn sets(case: &Case, (doc, kind): (&DocName, DocKind), bytes: &[u8]) -> Vec<tools::Steer> {
    let sets = case.tool.about().steering.sets;
    match kind {
        DocKind::Log => bytes
            .split_inclusive(|byte| *byte == b'\n')
            .flat_map(|line| sets(doc, line))
            .collect(),
        DocKind::Snapshot => sets(doc, bytes),
    }
}

/// What is synced: everything except what does not leave its device.
fn sent(case: &Case, here: &Device) -> Traveller {
    let found = only_session(case, &here.machine);
    let secret = case.tool.read(&here.machine, &found).expect("read").secret;
    assert_eq!(
        names(&secret),
        words(case, "secret"),
        "{}: what stays at home",
        case.name
    );
    let mut traveller = pick_up(case, &here.machine);
    traveller.docs.retain(|doc| !secret.contains(&doc.0));
    traveller
}

fn names(docs: &[DocName]) -> Vec<String> {
    docs.iter().map(ToString::to_string).collect()
}

fn arrive(case: &Case, there: &Device, traveller: &Traveller) {
    try_arrive(case, there, traveller).unwrap_or_else(|error| panic!("{}: {error}", case.name));
}

/// Writes as the engine does: in neutral form, and without copies that the tool could be made to
/// write elsewhere.
fn try_arrive(case: &Case, there: &Device, traveller: &Traveller) -> Result<Written, WriteError> {
    let about = case.tool.about();
    let main = &traveller.docs[0];
    let withheld = about
        .steering
        .restores
        .filter(|restores| (restores.refused)(&main.3, &there.cwd).is_some());
    let is_withheld =
        |doc: &&(DocName, DocKind, String, Vec<u8>)| withheld.is_some_and(|it| (it.is_one)(&doc.0));
    let left: Vec<DocName> = traveller
        .docs
        .iter()
        .filter(is_withheld)
        .map(|doc| doc.0.clone())
        .collect();
    assert_eq!(
        names(&left),
        words(case, "withheld"),
        "{}: what the tool is not given",
        case.name
    );
    let docs: Vec<_> = traveller
        .docs
        .iter()
        .filter(|doc| !is_withheld(doc))
        .collect();
    let raw: Vec<Raw> = docs
        .iter()
        .map(|doc| Raw(neutral(case, (&doc.0, doc.1), &doc.3, &there.cwd)))
        .collect();
    let writes = docs.iter().zip(&raw).rev();
    let writes = writes
        .map(|(doc, raw)| DocWrite {
            name: &doc.0,
            place: &doc.2,
            change: Change::Create(raw),
        })
        .collect();
    write(case, there, &traveller.session, writes)
}

fn assert_nothing_is_in(home: &Path, planted: &[String], case: &Case) {
    for (path, bytes) in tree(home) {
        if let Some(word) = planted.iter().find(|word| contains(&bytes, word)) {
            panic!("{}: {word} is in {}", case.name, path.display());
        }
    }
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes
        .windows(word.len())
        .any(|window| window == word.as_bytes())
}

#[test]
fn every_tool_shows_what_steers_it() {
    let cases = power_cases();
    let with: BTreeSet<String> = cases
        .iter()
        .map(|case| case.name.split('/').next().unwrap_or_default().into())
        .collect();
    // A tool that only lists another tool's sessions has none.
    let tools = tools::all(&[]).into_iter();
    let mut wanted: BTreeSet<String> = tools
        .filter(|tool| tool.registry().is_none())
        .map(|tool| tool.about().tool.to_string())
        .collect();
    wanted.insert("custom".into());
    assert_eq!(
        with, wanted,
        "a tool without a case `power` may carry anything"
    );
    for case in &cases {
        assert!(
            !case.tool.about().steering.words.is_empty(),
            "{}: it says what is not applied",
            case.name
        );
        let knows = case.expect["power"]
            .as_array()
            .is_some_and(|planted| !planted.is_empty());
        // Bytes that only the tool can read may hide what steers it; the tool's page says so.
        let is_without = case.expect["no_steering"] == true || case.expect["opaque"] == true;
        assert!(
            knows || is_without || case.name.starts_with("custom/"),
            "{}: something is planted",
            case.name
        );
    }
}

#[test]
fn what_steers_is_recorded_and_never_applied_elsewhere() {
    for case in power_cases() {
        let (here, there) = (Device::of(&case), Device::other_for(&case));
        let authors = content(&here.machine.home);
        let traveller = sent(&case, &here);
        let planted = words(&case, "power");
        for word in &planted {
            let recorded = traveller.docs.iter().any(|doc| contains(&doc.3, word));
            assert!(recorded, "{}: {word} is recorded", case.name);
        }
        for word in words(&case, "left") {
            let is_planted = authors.values().any(|bytes| contains(bytes, &word));
            let recorded = traveller.docs.iter().any(|doc| contains(&doc.3, &word));
            assert!(is_planted && !recorded, "{}: {word} stays", case.name);
        }
        arrive(&case, &there, &traveller);

        assert_nothing_is_in(&there.machine.home, &planted, &case);
        let found = only_session(&case, &there.machine);
        let reading = case.tool.read(&there.machine, &found).expect("read");
        let arrived: BTreeMap<DocName, Vec<u8>> = found
            .docs
            .iter()
            .zip(&reading.docs)
            .map(|(doc, content)| (doc.name.clone(), bytes_of(content)))
            .collect();
        // A value that is bound like a path is not shown: it is the same everywhere.
        let knows = !planted.is_empty() && case.expect["shows"] != false;
        let shows = traveller
            .docs
            .iter()
            .any(|doc| !sets(&case, (&doc.0, doc.1), &doc.3).is_empty());
        assert_eq!(shows, knows, "{}: it is shown", case.name);
        for (doc, kind, _, bytes) in &traveller.docs {
            let Some(there_bytes) = arrived.get(doc) else {
                continue;
            };
            assert_eq!(
                sets(&case, (doc, *kind), there_bytes),
                [],
                "{}: {doc} sets nothing",
                case.name
            );
            // Recorded again, the doc is what its author wrote.
            let again = match kind {
                DocKind::Snapshot => recorded(&case, doc, there_bytes, bytes),
                DocKind::Log => restored(&case, doc, there_bytes, bytes),
            };
            assert_eq!(
                again.escape_ascii().to_string(),
                bytes.escape_ascii().to_string(),
                "{}: {doc}",
                case.name
            );
        }
        assert_eq!(
            content(&here.machine.home),
            authors,
            "{}: the author's own store",
            case.name
        );
    }
}

/// Parsers differ in what they read: a document that only the tool can read must not bring along what
/// steers it.
#[test]
fn a_document_that_is_hard_to_read_brings_nothing_that_steers() {
    let mut n_odd = 0;
    for case in power_cases() {
        let sent = sent(&case, &Device::of(&case));
        let is_object = |doc: &(DocName, DocKind, String, Vec<u8>)| {
            doc.1 == DocKind::Snapshot && doc.3.first() == Some(&b'{')
        };
        let members = [&b"\"planted\":\"\xff\","[..], b"\"\\ud800\":0,"];
        for at in (0..sent.docs.len()).filter(|at| is_object(&sent.docs[*at])) {
            for member in members {
                let (mut odd, there) = (sent.clone(), Device::other_for(&case));
                odd.docs[at].3.splice(1..1, member.iter().copied());
                if try_arrive(&case, &there, &odd).is_ok() {
                    assert_nothing_is_in(&there.machine.home, &words(&case, "power"), &case);
                }
                n_odd += 1;
            }
        }
    }
    assert!(16 <= n_odd, "{n_odd} documents");
}

/// A field that is this device's is planted in some case, so that a new one is not forgotten there.
#[test]
fn every_field_of_this_device_is_planted() {
    let mut fields_of: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    for case in power_cases() {
        let about = case.tool.about();
        let of_tool = fields_of.entry(about.tool.to_string()).or_default();
        for (doc, kind, _, bytes) in pick_up(&case, &Device::of(&case).machine).docs {
            let names = match kind {
                DocKind::Snapshot => (about.device_fields)(&doc),
                DocKind::Log => &[],
            };
            for name in names {
                let value = fields::get(&bytes, name).filter(|value| *value != "null");
                *of_tool.entry((*name).to_owned()).or_default() |= value.is_some();
            }
        }
    }
    let missing: Vec<_> = fields_of
        .iter()
        .flat_map(|(tool, fields)| fields.iter().map(move |field| (tool, field)))
        .filter(|(_, (_, is_planted))| !**is_planted)
        .map(|(tool, (name, _))| format!("{tool}: {name}"))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// All files but those that SQLite puts beside a database that is read.
fn content(home: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut files = tree(home);
    files.retain(|path, bytes| {
        let name = path.to_string_lossy();
        !(name.ends_with("-shm") || name.ends_with("-wal") && bytes.is_empty())
    });
    files
}

/// The engine finds its renames without remembering them: everything that may be renamed, where it
/// is.
fn restored(case: &Case, doc: &DocName, there: &[u8], authors: &[u8]) -> Vec<u8> {
    let form = case.tool.about().steering.neutral;
    let (mut bytes, mut at) = (there.to_vec(), 0);
    for line in authors.split_inclusive(|byte| *byte == b'\n') {
        for edit in form(doc, line, Path::new("")) {
            let place = at + edit.at..at + edit.at + edit.written.len();
            if bytes.get(place.clone()) == Some(edit.written.as_bytes()) {
                bytes[place].copy_from_slice(edit.recorded.as_bytes());
            }
        }
        at += line.len();
    }
    bytes
}

/// The length of a line stays the same however it is read: forks and databases refer to offsets in
/// a file.
#[test]
fn a_neutral_line_is_as_long_as_it_was() {
    for case in cases() {
        let device = Device::of(&case);
        for (doc, kind, _, bytes) in pick_up(&case, &device.machine).docs {
            let there = neutral(&case, (&doc, kind), &bytes, &device.cwd);
            assert_eq!(there.len(), bytes.len(), "{}: {doc}", case.name);
            let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(lines(&there), lines(&bytes), "{}: {doc}", case.name);
            assert_eq!(
                neutral(&case, (&doc, kind), &there, &device.cwd),
                there,
                "{}: {doc} is neutral",
                case.name
            );
            let is_json = |line: &&[u8]| serde_json::from_slice::<Value>(line).is_ok();
            let parsed = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').filter(is_json).count();
            assert_eq!(
                parsed(&there),
                parsed(&bytes),
                "{}: {doc} is JSON as before",
                case.name
            );
        }
    }
}
