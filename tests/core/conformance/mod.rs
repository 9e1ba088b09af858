//! Runs every tool with every folder in `fixtures/tools/<tool>/`: its sessions are listed and read,
//! written into another home, bound to another directory, and read there again. A new adapter
//! brings fixtures, not harness.

pub mod cases;
mod damaged;
mod power;
mod styles;

use cases::{Case, cases, fill, plant_commit, stand_ins, tree};
use session_roam_core::formats::fields;
use session_roam_core::formats::vscode::{self, System};
use session_roam_core::session::{DocKind, DocName, Millis, SessionId};
use session_roam_core::tools::{
    self, Bytes, Change, Checkout, Content, DocWrite, Found, FoundDoc, Machine, Resumable, Running,
    Stamp, Touched, Which, WriteError, Written,
};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

struct Raw(Vec<u8>);

impl Bytes for Raw {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.0)
    }
}

/// A disk that is full after some bytes.
struct Full(Vec<u8>);

impl Bytes for Full {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.0)?;
        // More than any buffer, so that the half before it has really been written.
        out.write_all(&vec![b'x'; 3 << 20])?;
        Err(io::ErrorKind::StorageFull.into())
    }
}

struct Device {
    machine: Machine,
    apps: Arc<Mutex<Vec<Running>>>,
    cwd: PathBuf,
    _dir: tempfile::TempDir,
}

impl Device {
    /// A home with a name that is difficult for shells and slugs.
    fn other() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let home = dir.path().join("Zoë's home");
        let cwd = home.join("Projekte/my api (ü) 日本");
        fs::create_dir_all(&cwd).expect("cwd");
        let apps = Arc::new(Mutex::new(Vec::new()));
        let mut machine = Machine {
            apps: apps.clone(),
            ..Machine::at(home)
        };
        machine.vars.insert(
            "PATH".into(),
            stand_ins(dir.path()).to_string_lossy().into_owned(),
        );
        plant_commit(dir.path());
        Self {
            machine,
            apps,
            cwd,
            _dir: dir,
        }
    }

    fn other_for(case: &Case) -> Self {
        let device = Self::other();
        if case.there.is_dir() {
            fill(
                &case.there,
                &device.machine.home,
                &device.machine.home,
                &device.cwd,
            );
        }
        device
    }

    fn of(case: &Case) -> Self {
        let device = Self::other();
        fill(
            &case.home,
            &device.machine.home,
            &device.machine.home,
            &device.cwd,
        );
        device
    }
}

fn bytes_of(content: &Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    content
        .open()
        .expect("open")
        .read_to_end(&mut bytes)
        .expect("read");
    bytes
}

fn only_session(case: &Case, machine: &Machine) -> Found {
    let listing = case.tool.sessions(machine, Which::All);
    assert_eq!(listing.problems, [], "{}", case.name);
    assert_eq!(listing.found.len(), 1, "{}", case.name);
    let found = listing.found.into_iter().next().expect("one");
    let one = case
        .tool
        .sessions(machine, Which::One(&found.session))
        .found
        .into_iter()
        .next()
        .expect("found by id");
    // Docs to which only the session's records lead are found from now on.
    let again = case.tool.sessions(machine, Which::All).found;
    assert_eq!(
        again.iter().map(|found| &found.docs).collect::<Vec<_>>(),
        [&one.docs],
        "{}",
        case.name
    );
    one
}

/// A session in the form that is synced.
#[derive(Clone)]
struct Traveller {
    session: SessionId,
    docs: Vec<(DocName, DocKind, String, Vec<u8>)>,
    title: Option<String>,
}

fn pick_up(case: &Case, machine: &Machine) -> Traveller {
    let found = only_session(case, machine);
    let reading = case.tool.read(machine, &found).expect("read");
    assert_eq!(reading.docs.len(), found.docs.len());
    let docs = found.docs.iter().zip(&reading.docs);
    Traveller {
        docs: docs
            .map(|(doc, content)| {
                (
                    doc.name.clone(),
                    doc.kind,
                    doc.place.clone(),
                    bytes_of(content),
                )
            })
            .collect(),
        session: found.session,
        title: reading.facts.title,
    }
}

fn write(
    case: &Case,
    device: &Device,
    session: &SessionId,
    docs: Vec<DocWrite<'_>>,
) -> Result<Written, WriteError> {
    let now = Millis::parse("2026-11-23T12:00:00Z").expect("time");
    let updated = Millis::parse("2026-11-23T10:20:00Z").expect("time");
    case.tool.write(
        &device.machine,
        &Checkout {
            session,
            cwd: &device.cwd,
            updated,
            now,
            forgets: false,
            docs,
        },
    )
}

fn put_down(case: &Case, device: &Device, traveller: &Traveller) -> Result<Written, WriteError> {
    let raw: Vec<Raw> = traveller
        .docs
        .iter()
        .map(|doc| Raw(doc.3.clone()))
        .collect();
    let creates = traveller.docs.iter().zip(&raw).rev();
    let docs = creates
        .map(|(doc, raw)| DocWrite {
            name: &doc.0,
            place: &doc.2,
            change: Change::Create(raw),
        })
        .collect();
    write(case, device, &traveller.session, docs)
}

/// What the engine would record of a doc whose file has these bytes, if the author's bytes are in
/// the journals.
fn recorded(case: &Case, doc: &DocName, bytes: &[u8], authors: &[u8]) -> Vec<u8> {
    let own_fields = case.tool.about().own_fields(doc);
    own_fields.as_recorded(bytes, authors)
}

fn content_of(case: &Case, machine: &Machine, found: &Found) -> Vec<u8> {
    bytes_of(&case.tool.read(machine, found).expect("read").docs[0])
}

fn main_write<'a>(found: &'a Found, change: Change<'a>) -> Vec<DocWrite<'a>> {
    vec![DocWrite {
        name: &found.docs[0].name,
        place: &found.docs[0].place,
        change,
    }]
}

/// Files of a store that belong to no session: they stay, and they are never synced.
fn plant_bystanders(home: &Path) {
    let names = [
        "auth.json",
        "config.toml",
        ".credentials.json",
        "state_5.sqlite",
        "history.jsonl",
    ];
    for store in [".claude", ".codex", ".x", ".y"] {
        fs::create_dir_all(home.join(store)).expect("dir");
        for name in names {
            fs::write(home.join(store).join(name), "secret").expect("write");
        }
    }
}

#[test]
fn what_the_records_say_is_read() {
    for case in cases() {
        let device = Device::of(&case);
        let found = only_session(&case, &device.machine);
        let facts = case.tool.read(&device.machine, &found).expect("read").facts;
        let text = |key: &str| case.expect[key].as_str().map(str::to_owned);
        assert_eq!(
            found.docs.len() as u64,
            case.expect["docs"].as_u64().expect("docs"),
            "{}: {:?}",
            case.name,
            found.docs
        );
        let home = vscode::path_of(
            &vscode::uri_of(&device.machine.home.to_string_lossy(), System::HERE),
            System::HERE,
        );
        let cwd = text("cwd").map(|cwd| match cwd.strip_prefix("{home}") {
            Some(below) => format!(
                "{}{}",
                home.expect("a path"),
                below.replace('/', std::path::MAIN_SEPARATOR_STR)
            ),
            None => cwd,
        });
        assert_eq!(
            (facts.cwd.map(spelling), facts.title, facts.version),
            (cwd.map(spelling), text("title"), text("version")),
            "{}",
            case.name
        );
        if let Some(updated) = text("updated") {
            assert_eq!(
                facts.updated.map(Millis::rfc3339),
                Some(updated),
                "{}",
                case.name
            );
        }
        let requires: Vec<SessionId> =
            serde_json::from_value(case.expect["requires"].clone()).unwrap_or_default();
        assert_eq!(facts.requires, requires, "{}", case.name);
        // Where several sessions are in one file, a change of the file may belong to any of them.
        for doc in found.docs.iter().filter(|doc| is_a_file(doc)) {
            assert_eq!(
                case.tool.touched(&device.machine, &doc.path).for_session(),
                Some(&found.session),
                "{}",
                doc.path.display()
            );
        }
    }
}

/// Whether the doc is a file of its own.
fn is_a_file(doc: &FoundDoc) -> bool {
    Stamp::of(&doc.path).is_ok_and(|stamp| stamp == doc.stamp)
}

/// Windows treats `C:` and `c:` as the same.
fn spelling(path: String) -> String {
    if cfg!(windows) {
        path.to_lowercase()
    } else {
        path
    }
}

trait ForSession {
    fn for_session(&self) -> Option<&SessionId>;
}

impl ForSession for Touched {
    fn for_session(&self) -> Option<&SessionId> {
        match self {
            Self::Session(session) => Some(session),
            _ => None,
        }
    }
}

#[test]
fn a_session_is_the_same_in_another_home() {
    for case in cases() {
        let (here, there) = (Device::of(&case), Device::other_for(&case));
        plant_bystanders(&there.machine.home);
        let mut before = case.tree(&there.machine.home);
        let traveller = pick_up(&case, &here.machine);
        let written = put_down(&case, &there, &traveller)
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));

        let arrived = pick_up(&case, &there.machine);
        assert_eq!(arrived.session, traveller.session);
        assert_eq!(arrived.title, traveller.title, "{}", case.name);
        let authors: BTreeMap<_, _> = traveller.docs.iter().map(|doc| (&doc.0, &doc.3)).collect();
        let back = arrived.docs.iter().map(|doc| {
            (
                doc.0.clone(),
                (
                    doc.1,
                    authors
                        .get(&doc.0)
                        .map(|bytes| recorded(&case, &doc.0, &doc.3, bytes)),
                ),
            )
        });
        let sent = traveller
            .docs
            .iter()
            .map(|doc| (doc.0.clone(), (doc.1, Some(doc.3.clone()))));
        assert!(
            back.collect::<BTreeMap<_, _>>() == sent.collect::<BTreeMap<_, _>>(),
            "{}: bytes differ",
            case.name
        );
        // Fields that belong to a device have the values of the device they are on.
        for (doc, _, _, bytes) in &arrived.docs {
            for field in (case.tool.about().device_fields)(doc) {
                let text = fields::text(bytes, field);
                let own = text.as_ref().map(Path::new).is_none_or(|path| {
                    !path.is_absolute() || path.starts_with(&there.machine.home)
                });
                assert!(own, "{}: {field} of {doc} is {text:?}", case.name);
            }
        }

        let found = only_session(&case, &there.machine);
        let stamps: BTreeMap<_, _> = found
            .docs
            .iter()
            .map(|doc| (doc.path.clone(), doc.stamp))
            .collect();
        let said: BTreeMap<_, _> = written
            .docs
            .iter()
            .map(|doc| (doc.1.clone(), doc.2))
            .collect();
        assert_eq!(
            said, stamps,
            "{}: what was written is what is there",
            case.name
        );

        // A database that holds the session is there before it.
        let mut after = case.tree(&there.machine.home);
        for tree in [&mut before, &mut after] {
            said.keys().for_each(|path| drop(tree.remove(path)));
        }
        assert_eq!(after, before, "{}: other files", case.name);
    }
}

#[test]
fn there_is_never_a_second_copy() {
    for case in cases() {
        let (here, there) = (Device::of(&case), Device::other_for(&case));
        let traveller = pick_up(&case, &here.machine);
        put_down(&case, &there, &traveller).expect("first");
        let before = case.tree(&there.machine.home);
        let elsewhere = there.machine.home.join("another place");
        fs::create_dir_all(&elsewhere).expect("dir");
        let moved = Device {
            cwd: elsewhere,
            machine: there.machine.clone(),
            apps: there.apps.clone(),
            _dir: tempfile::tempdir().expect("dir"),
        };
        assert!(
            matches!(
                put_down(&case, &moved, &traveller),
                Err(WriteError::Changed(_))
            ),
            "{}",
            case.name
        );
        assert_eq!(case.tree(&there.machine.home), before, "{}", case.name);
    }
}

/// F8: the tool's format decides which doc makes a session, not another device.
#[test]
fn a_main_doc_is_told_by_its_name() {
    for case in cases() {
        let found = only_session(&case, &Device::of(&case).machine);
        assert!(case.tool.is_main(&found.docs[0].name), "{}", case.name);
        for side in &found.docs[1..] {
            assert!(
                !case.tool.is_main(&side.name),
                "{}: {}",
                case.name,
                side.name
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn an_append_keeps_the_file_and_what_was_in_it() {
    use std::os::unix::fs::MetadataExt;
    for case in cases() {
        let (here, there) = (Device::of(&case), Device::other_for(&case));
        put_down(&case, &there, &pick_up(&case, &here.machine)).expect("create");
        let found = only_session(&case, &there.machine);
        let main = &found.docs[0];
        if main.kind != DocKind::Log {
            continue;
        }
        let before = fs::read(&main.path).expect("read");
        let inode = fs::metadata(&main.path).expect("metadata").ino();
        let from = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        // The rest of a torn line, as the author's device has it.
        let more = [
            &before[from..],
            &case.text("/append/0", "}\n"),
            &case.text("/append/1", "{\"type\":\"more\"}\n"),
        ]
        .concat();
        let right = Raw(more.clone());
        let append = |bytes| Change::Append {
            path: &main.path,
            was: main.stamp,
            from: from as u64,
            bytes,
        };

        let mut wrong = more.clone();
        wrong[0] ^= 1;
        let wrong = Raw(wrong);
        if from < before.len() {
            let refused = write(
                &case,
                &there,
                &found.session,
                main_write(&found, append(&wrong)),
            );
            assert!(matches!(refused, Err(WriteError::Torn(_))), "{}", case.name);
            assert_eq!(fs::read(&main.path).expect("read"), before, "{}", case.name);
        }
        write(
            &case,
            &there,
            &found.session,
            main_write(&found, append(&right)),
        )
        .expect("append");
        assert_eq!(
            fs::read(&main.path).expect("read"),
            [&before[..from], &more].concat(),
            "{}",
            case.name
        );
        assert_eq!(
            fs::metadata(&main.path).expect("metadata").ino(),
            inode,
            "{}",
            case.name
        );
        let again = write(
            &case,
            &there,
            &found.session,
            main_write(&found, append(&right)),
        );
        assert!(
            matches!(again, Err(WriteError::Changed(_))),
            "{}",
            case.name
        );
    }
}

#[test]
fn a_full_disk_leaves_the_file_whole() {
    for case in cases() {
        let (here, there) = (Device::of(&case), Device::other_for(&case));
        put_down(&case, &there, &pick_up(&case, &here.machine)).expect("create");
        let before = case.tree(&there.machine.home);
        let found = only_session(&case, &there.machine);
        let main = &found.docs[0];
        let full = Full(content_of(&case, &there.machine, &found));
        let append = Change::Append {
            path: &main.path,
            was: main.stamp,
            from: 0,
            bytes: &full,
        };
        let replace = Change::Replace {
            path: &main.path,
            was: main.stamp,
            bytes: &full,
        };
        // Nothing is appended to a document.
        let changes = if main.kind == DocKind::Log {
            vec![append, replace]
        } else {
            vec![replace]
        };
        for change in changes {
            let change = with_stamp(change, only_session(&case, &there.machine).docs[0].stamp);
            let failed = write(&case, &there, &found.session, main_write(&found, change));
            assert!(
                matches!(failed, Err(WriteError::Io { .. })),
                "{}: {failed:?}",
                case.name
            );
            assert_eq!(case.tree(&there.machine.home), before, "{}", case.name);
        }
    }
}

fn with_stamp(change: Change<'_>, was: Stamp) -> Change<'_> {
    match change {
        Change::Append {
            path, from, bytes, ..
        } => Change::Append {
            path,
            was,
            from,
            bytes,
        },
        Change::Replace { path, bytes, .. } => Change::Replace { path, was, bytes },
        create => create,
    }
}

#[test]
fn a_file_that_moved_on_is_left_alone() {
    for case in cases() {
        let device = Device::of(&case);
        let found = only_session(&case, &device.machine);
        let (main, content) = (&found.docs[0], content_of(&case, &device.machine, &found));
        case.move_on(main);
        let before = case.tree(&device.machine.home);
        let bytes = Raw(case.another(main, &content));
        let was = main.stamp;
        let append = Change::Append {
            path: &main.path,
            was,
            from: was.len,
            bytes: &bytes,
        };
        let replace = Change::Replace {
            path: &main.path,
            was,
            bytes: &bytes,
        };
        let changes = if main.kind == DocKind::Log {
            vec![append, replace]
        } else {
            vec![replace]
        };
        for change in changes {
            let refused = write(&case, &device, &found.session, main_write(&found, change));
            assert!(
                matches!(refused, Err(WriteError::Changed(_))),
                "{}",
                case.name
            );
        }
        assert_eq!(case.tree(&device.machine.home), before, "{}", case.name);
    }
}

#[test]
fn a_replaced_doc_is_whole_and_alone() {
    for case in cases() {
        let (here, there) = (Device::of(&case), Device::other_for(&case));
        put_down(&case, &there, &pick_up(&case, &here.machine)).expect("create");
        let found = only_session(&case, &there.machine);
        let main = &found.docs[0];
        if !is_a_file(main) {
            continue;
        }
        let mut wanted = case.tree(&there.machine.home);
        let new = case.another(main, &content_of(&case, &there.machine, &found));
        wanted.insert(main.path.clone(), new.clone());
        let bytes = Raw(new);
        let change = Change::Replace {
            path: &main.path,
            was: main.stamp,
            bytes: &bytes,
        };
        write(&case, &there, &found.session, main_write(&found, change)).expect("replace");
        assert_eq!(
            case.tree(&there.machine.home),
            wanted,
            "{}: no halves and no old content stay",
            case.name
        );
    }
}

#[test]
fn an_error_on_the_main_doc_takes_the_side_docs_back() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "claude-code/everything")
        .expect("case");
    let (here, there) = (Device::of(&case), Device::other_for(&case));
    let traveller = pick_up(&case, &here.machine);
    let raw: Vec<Raw> = traveller
        .docs
        .iter()
        .map(|doc| Raw(doc.3.clone()))
        .collect();
    let full = Full(Vec::new());
    let docs = traveller
        .docs
        .iter()
        .zip(&raw)
        .enumerate()
        .map(|(i, (doc, raw))| {
            let bytes: &dyn Bytes = if i == 0 { &full } else { raw };
            DocWrite {
                name: &doc.0,
                place: &doc.2,
                change: Change::Create(bytes),
            }
        });
    let failed = write(&case, &there, &traveller.session, docs.collect());
    assert!(matches!(failed, Err(WriteError::Io { .. })));
    assert_eq!(case.tree(&there.machine.home), BTreeMap::new());
}

#[cfg(unix)]
#[test]
fn links_are_neither_read_nor_written_through() {
    for case in cases() {
        let device = Device::of(&case);
        let found = only_session(&case, &device.machine);
        let main = &found.docs[0];
        let target = device.machine.home.join("elsewhere");
        fs::rename(&main.path, &target).expect("rename");
        std::os::unix::fs::symlink(&target, &main.path).expect("link");
        assert!(
            case.tool
                .sessions(&device.machine, Which::All)
                .found
                .is_empty(),
            "{}",
            case.name
        );
        let before = fs::read(&target).expect("read");
        let bytes = Raw(b"x".to_vec());
        let refused = write(
            &case,
            &device,
            &found.session,
            main_write(
                &found,
                Change::Replace {
                    path: &main.path,
                    was: main.stamp,
                    bytes: &bytes,
                },
            ),
        );
        assert!(refused.is_err(), "{}", case.name);
        assert_eq!(fs::read(&target).expect("read"), before, "{}", case.name);
    }
}

#[cfg(unix)]
#[test]
fn a_linked_directory_leads_to_one_of_the_users_own_and_nowhere_else() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "claude-code/everything")
        .expect("case");
    let linked_to = |target: &str| {
        let (here, there) = (Device::of(&case), Device::other_for(&case));
        let projects = there.machine.home.join(".claude/projects");
        let target = there.machine.home.join(target);
        for dir in [&projects, &target] {
            fs::create_dir_all(dir).expect("dir");
        }
        let real = fs::canonicalize(&there.cwd).expect("cwd");
        std::os::unix::fs::symlink(
            &target,
            projects.join(tools::claude_code::slug(&real.to_string_lossy())),
        )
        .expect("link");
        let written = put_down(&case, &there, &pick_up(&case, &here.machine));
        (written, there, target)
    };
    let (written, _there, target) = linked_to("outside");
    assert!(written.is_ok(), "{written:?}");
    assert!(tree(&target).keys().any(|path| {
        path.extension()
            .is_some_and(|extension| extension == "jsonl")
    }));
    // Around the store.
    for target in [".claude", "."] {
        let (refused, ..) = linked_to(target);
        assert!(
            matches!(refused, Err(WriteError::Refused(_))),
            "{target}: {refused:?}"
        );
    }
}

/// Makes the session look open in the tool, for as long as the returned value lives.
fn open_in_tool(case: &Case, device: &Device, session: &SessionId) -> Option<fs::File> {
    let machine = &device.machine;
    if let Some(words) = case.expect["program"].as_array() {
        let words = words.iter().map(|word| {
            word.as_str()
                .expect("a word")
                .replace("{session}", session.as_str())
        });
        let words: Vec<String> = words.collect();
        let program = Running {
            pid: 4711,
            exe: (&words[0]).into(),
            args: words,
            ..Running::default()
        };
        device.apps.lock().expect("apps").push(program);
        return fs::File::open(&case.home).ok();
    }
    match case.tool.about().tool.as_str() {
        "claude-code" => {
            let dir = machine.home.join(".claude/sessions");
            fs::create_dir_all(&dir).expect("dir");
            let text = format!(
                r#"{{"pid":{},"sessionId":"{session}","status":"idle"}}"#,
                std::process::id()
            );
            fs::write(dir.join(format!("{}.json", std::process::id())), text).expect("write");
            Some(fs::File::open(&dir).expect("open"))
        }
        "codex" => {
            let dir = machine.home.join(".codex/thread-writer-locks");
            fs::create_dir_all(&dir).expect("dir");
            let file = fs::File::create(dir.join(format!("{session}.lock"))).expect("lock file");
            file.lock().expect("lock");
            Some(file)
        }
        _ => None,
    }
}

#[test]
fn a_live_session_is_seen_and_not_written() {
    let mut n_tools = 0;
    for case in cases() {
        let device = Device::of(&case);
        let found = only_session(&case, &device.machine);
        assert_eq!(found.open_in, None, "{}", case.name);
        let Some(opened) = open_in_tool(&case, &device, &found.session) else {
            continue;
        };
        n_tools += 1;
        let live = only_session(&case, &device.machine)
            .open_in
            .unwrap_or_default();
        assert!(
            live.contains(&case.tool.about().name),
            "{}: {live}",
            case.name
        );
        let before = case.tree(&device.machine.home);
        let main = &found.docs[0];
        let bytes = Raw(case.another(main, &content_of(&case, &device.machine, &found)));
        let change = match main.kind {
            DocKind::Log => Change::Append {
                path: &main.path,
                was: main.stamp,
                from: main.stamp.len,
                bytes: &bytes,
            },
            DocKind::Snapshot => Change::Replace {
                path: &main.path,
                was: main.stamp,
                bytes: &bytes,
            },
        };
        let refused = write(&case, &device, &found.session, main_write(&found, change));
        assert!(matches!(refused, Err(WriteError::Open(_))), "{}", case.name);
        assert_eq!(case.tree(&device.machine.home), before, "{}", case.name);
        drop(opened);
    }
    assert!(n_tools >= 9);
}

#[test]
fn a_dead_process_or_another_of_its_number_holds_nothing() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "claude-code/everything")
        .expect("case");
    let device = Device::of(&case);
    let found = only_session(&case, &device.machine);
    let dir = device.machine.home.join(".claude/sessions");
    fs::create_dir_all(&dir).expect("dir");
    let id = &found.session;
    fs::write(
        dir.join("1.json"),
        format!(r#"{{"pid":4294967000,"sessionId":"{id}"}}"#),
    )
    .expect("write");
    fs::write(dir.join("2.json"), "half written {").expect("write");
    if cfg!(target_os = "linux") {
        let text = format!(
            r#"{{"pid":{},"procStart":"1","sessionId":"{id}"}}"#,
            std::process::id()
        );
        fs::write(dir.join("3.json"), text).expect("write");
    }
    assert_eq!(only_session(&case, &device.machine).open_in, None);
}

#[test]
fn what_must_not_roam_is_not_listed() {
    for case in cases() {
        let device = Device::of(&case);
        let found = only_session(&case, &device.machine);
        let main = &found.docs[0].path;
        // Beside the session, and inside the directory that a session of Claude Code has.
        let inside = main.with_extension("");
        let beside = main.parent().expect("parent").to_path_buf();
        let foreign = [
            "x.sync-conflict-20261123-101112-ABCDEFG.jsonl",
            ".roam-1-2.tmp",
            "x.lock",
            "x.conflict",
            ".syncthing.x.jsonl.tmp",
        ];
        for dir in [inside, beside] {
            fs::create_dir_all(&dir).expect("dir");
            for name in case.tool.about().denied.iter().chain(&foreign) {
                // Where it is a directory, a file in it.
                let path = dir.join(name);
                let file = if path.is_dir() { path.join("x") } else { path };
                fs::write(file, "secret").expect("write");
            }
        }
        let name = main.file_name().expect("name").to_string_lossy();
        let (stem, ending) = name.split_once('.').expect("ending");
        let conflict = format!("{stem}.sync-conflict-20261123-101112-ABCDEFG.{ending}");
        fs::copy(main, main.with_file_name(conflict)).expect("copy");
        let docs = only_session(&case, &device.machine).docs;
        assert_eq!(docs, found.docs, "{}", case.name);
    }
}

#[test]
fn a_token_beside_a_session_is_in_none_of_its_docs() {
    const TOKEN: &[u8] = b"planted-token";
    let has = |bytes: &[u8]| bytes.windows(TOKEN.len()).any(|window| window == TOKEN);
    let mut n_planted = 0;
    for case in cases() {
        let device = Device::of(&case);
        n_planted += usize::from(tree(&device.machine.home).values().any(|bytes| has(bytes)));
        for doc in pick_up(&case, &device.machine).docs {
            assert!(!has(&doc.3), "{}: {}", case.name, doc.0);
        }
    }
    assert!(n_planted > 0, "no fixture has a token");
}

#[test]
fn a_conflict_copy_is_told_from_a_session_and_says_whose_it_is() {
    for case in cases() {
        let device = Device::of(&case);
        let found = only_session(&case, &device.machine);
        let conflict_copies = || case.tool.sessions(&device.machine, Which::ConflictCopies);
        assert_eq!(conflict_copies().conflict_copies, [], "{}", case.name);
        for doc in found.docs.iter().filter(|doc| doc.kind == DocKind::Log) {
            // As Syncthing names it: the extension stays at the end.
            let (stem, ending) = (
                doc.path.file_stem().expect("stem"),
                doc.path.extension().expect("ending"),
            );
            let name = format!(
                "{}.sync-conflict-20261123-101112-ABCDEFG.{}",
                stem.to_string_lossy(),
                ending.to_string_lossy()
            );
            let copy = doc.path.with_file_name(name);
            fs::copy(&doc.path, &copy).expect("copy");
            let listing = conflict_copies();
            let [conflict_copy] = &listing.conflict_copies[..] else {
                panic!("{}: {:?} of {:?}", case.name, listing.conflict_copies, doc)
            };
            assert_eq!(
                (
                    &conflict_copy.session,
                    &conflict_copy.doc,
                    &conflict_copy.path
                ),
                (&found.session, &doc.name, &copy),
                "{}",
                case.name
            );
            assert_eq!(
                (&conflict_copy.place, conflict_copy.kind),
                (&doc.place, doc.kind),
                "{}",
                case.name
            );
            assert_eq!(
                conflict_copy.main,
                doc.name == found.docs[0].name,
                "{}",
                case.name
            );
            assert!(listing.found.is_empty(), "{}", case.name);
            assert_eq!(
                only_session(&case, &device.machine).docs,
                found.docs,
                "{}",
                case.name
            );
            fs::remove_file(&copy).expect("remove");
        }
    }
}

#[test]
fn a_name_from_elsewhere_leads_nowhere() {
    for case in cases() {
        let (here, there) = (Device::of(&case), Device::other_for(&case));
        let traveller = pick_up(&case, &here.machine);
        let (bytes, before) = (Raw(b"x".to_vec()), tree(&there.machine.home));
        for odd in [
            "../../escaped",
            "/tmp/escaped",
            ".credentials.json",
            "a/../../escaped",
            "beside/todos/../../settings.json",
        ] {
            let name = DocName::new(odd);
            let docs = vec![DocWrite {
                name: &name,
                place: odd,
                change: Change::Create(&bytes),
            }];
            assert!(
                matches!(
                    write(&case, &there, &traveller.session, docs),
                    Err(WriteError::Refused(_))
                ),
                "{}: {odd}",
                case.name
            );
        }
        let id = SessionId::new("../../escaped");
        let docs = vec![DocWrite {
            name: &traveller.docs[0].0,
            place: "../../escaped",
            change: Change::Create(&bytes),
        }];
        assert!(
            matches!(write(&case, &there, &id, docs), Err(WriteError::Refused(_))),
            "{}",
            case.name
        );
        assert_eq!(tree(&there.machine.home), before, "{}", case.name);
    }
}

#[test]
fn two_copies_are_told_and_the_longer_counts() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "claude-code/everything")
        .expect("case");
    let device = Device::of(&case);
    let found = only_session(&case, &device.machine);
    let other = device.machine.home.join(".claude/projects/-elsewhere");
    fs::create_dir_all(&other).expect("dir");
    let longer = other.join(found.docs[0].path.file_name().expect("name"));
    fs::write(
        &longer,
        [
            fs::read(&found.docs[0].path).expect("read"),
            b"{}\n".to_vec(),
        ]
        .concat(),
    )
    .expect("write");
    let listing = case.tool.sessions(&device.machine, Which::All);
    assert_eq!(
        listing
            .problems
            .iter()
            .map(|problem| problem.code.as_str())
            .collect::<Vec<_>>(),
        ["duplicate_session"]
    );
    assert_eq!(listing.found[0].docs[0].path, longer);
}

#[test]
fn the_command_opens_that_session_in_that_directory() {
    for case in cases() {
        let device = Device::of(&case);
        let session = only_session(&case, &device.machine).session;
        let launch = case.tool.resume(
            &device.machine,
            &Resumable {
                session: &session,
                cwd: &device.cwd,
            },
        );
        assert_eq!(launch.cwd, device.cwd, "{}", case.name);
        // A session that is continued in an app: its directory is opened there.
        if let Some(argv) = case.expect["argv"].as_array() {
            let cwd = device.cwd.to_string_lossy();
            let words = argv
                .iter()
                .map(|word| word.as_str().expect("a word").replace("{cwd}", &cwd));
            let opens = launch.opens.argv(false);
            assert_eq!(opens, words.collect::<Vec<_>>(), "{}", case.name);
            continue;
        }
        let can = case.tool.about().level >= tools::Level::Resume;
        assert_eq!(
            launch.argv().iter().any(|word| word == session.as_str()),
            can,
            "{}",
            case.name
        );
    }
}
