//! A store that Cursor's own code made (`tests/lab/cursor`), and stores that nobody should have made.

use super::blobs::id_of;
use super::document::Blob;
use super::*;
use crate::adapter::{Machine, WriteError};
use crate::formats::vscode::System;
use crate::merge::transcript::ParsedMessage;
use crate::session::{Millis, Role, SessionId};
use rusqlite::Connection;
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const TWO_TURNS: &str = include_str!("../../../../../../tests/lab/cursor/two-turns.sql");
pub(super) const ID: &str = "7d4e9a10-5c3b-4f2a-9e61-0b8c7d6e5f40";

/// A directory `chats` and a project.
pub(super) struct Place {
    pub(super) dir: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        fs::create_dir_all(dir.path().join("code/api")).expect("project");
        Self { dir }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.dir.path().join("chats")
    }

    pub(super) fn cwd(&self) -> PathBuf {
        self.dir.path().join("code/api")
    }

    /// The chat of the golden store, made by this SQL on top of it.
    pub(super) fn chat(&self, more: &str) -> Chat {
        self.made(&format!("{TWO_TURNS}{more}"))
    }

    pub(super) fn made(&self, sql: &str) -> Chat {
        let dir = self
            .root()
            .join(bucket_for(&self.root(), &self.cwd()))
            .join(ID);
        fs::create_dir_all(&dir).expect("dir");
        batch(&dir.join(STORE), sql);
        let card = json!({ "schemaVersion": 1, "createdAtMs": 5, "updatedAtMs": 7, "hasConversation": true,
            "title": "Notes", "cwd": self.cwd(), "later": "kept" });
        fs::write(dir.join(SIDECAR), card.to_string()).expect("card");
        find(&self.root(), ID).expect("a chat")
    }

    pub(super) fn write(&self, id: &str, document: &[u8]) -> Result<Chat, WriteError> {
        let (root, cwd) = (self.root(), self.cwd());
        let there = find(&root, id);
        let was = there
            .as_ref()
            .map(|chat| (chat.store.as_path(), chat.stamp));
        let root = root.as_path();
        let (store, stamp) = write(
            &Target {
                root,
                id,
                cwd: &cwd,
                was,
            },
            document,
        )?;
        let now = find(root, id).expect("the written chat");
        assert_eq!((&now.store, now.stamp), (&store, stamp));
        Ok(now)
    }
}

pub(super) fn batch(store: &Path, sql: &str) {
    Connection::open(store)
        .and_then(|connection| connection.execute_batch(sql))
        .expect(sql);
}

pub(super) fn document_of(chat: &Chat) -> Vec<u8> {
    let read = read(&chat.store, ID).expect("readable");
    assert_eq!((read.problems, read.read_only), (Vec::new(), None));
    read.document
}

/// A document with other fields or blobs.
pub(super) fn changed(document: &[u8], change: impl FnOnce(&mut Document)) -> Vec<u8> {
    let mut document = Document::parse(document).expect("a document");
    change(&mut document);
    document.render()
}

pub(super) fn golden() -> Vec<u8> {
    document_of(&Place::new().chat(""))
}

pub(super) fn blob(data: &[u8]) -> Blob {
    Blob {
        id: id_of(data),
        data: data.to_vec(),
    }
}

pub(super) fn refusal(result: Result<Chat, WriteError>) -> String {
    match result {
        Err(WriteError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chat_reads_as_it_was_said() {
    let document = golden();
    let records = records(&document);
    let messages: Vec<ParsedMessage<'_>> = records.iter().filter_map(read_message).collect();
    let words: Vec<(Role, String)> = messages.iter().map(|it| (it.role, it.text())).collect();
    let expected = [
        (Role::System, "You are a made-up assistant."),
        (
            Role::System,
            "<user_info>\nWorkspace Path: /work/api\n</user_info>",
        ),
        (Role::User, "Where are the notes?"),
        (
            Role::Assistant,
            "Let me look (1).\n[Read] /work/api/notes.md",
        ),
        (Role::Tool, "note 1"),
        (Role::Assistant, "In notes.md, line 1 — “note 1”."),
        (Role::User, "And the others?"),
        (
            Role::Assistant,
            "Let me look (2).\n[Read] /work/api/notes.md",
        ),
        (Role::Tool, "note 2"),
        (Role::Assistant, "There are no others."),
    ];
    assert_eq!(words, expected.map(|(role, text)| (role, text.to_owned())));
    let times: Vec<_> = messages.iter().filter_map(|message| message.at).collect();
    assert_eq!(
        times,
        [Millis(1_790_000_060_000), Millis(1_790_000_120_000)].map(Millis::rfc3339)
    );
    // A document that lost its end still shows what it has.
    let torn = super::records(&document[..document.len() - 900]);
    assert!(10 <= torn.iter().filter_map(read_message).count());
}

#[test]
fn the_facts_and_settings_of_a_chat_are_known_and_its_key_is_not_carried() {
    let place = Place::new();
    let bytes = document_of(&place.chat(""));
    let text = String::from_utf8(bytes.clone()).expect("text");
    assert!(!text.contains("blobEncryptionKey") && !text.contains("later"));
    let document = Document::parse(&bytes).expect("a document");
    assert_eq!(document.render(), bytes);
    document.check().expect("whole");
    let facts = super::facts(&document, |_| false);
    assert_eq!(facts.title.as_deref(), Some("Notes"));
    assert_eq!(facts.updated, Some(Millis(7)));
    assert_eq!(facts.cwd, place.cwd().to_str().map(str::to_owned));
    let names = steers(&bytes)
        .into_iter()
        .map(|steer| (steer.name, steer.value));
    let expected = [
        ("approvalMode", "unrestricted"),
        ("isRunEverything", "true"),
        ("lastUsedModel", "made-up-model"),
    ];
    assert!(names.eq(expected.map(|(name, value)| (name.into(), value.into()))));
    // Without `meta.json`, the conversation names its directory.
    let bare = changed(&bytes, |document| document.chat.clear());
    let bare = Document::parse(&bare).expect("a document");
    let facts = super::facts(&bare, |path| path == "/work/api");
    assert_eq!(facts.title.as_deref(), Some("Where are the notes?"));
    assert_eq!(facts.cwd.is_some(), cfg!(unix));
    let subagent = json!({ "parentAgentId": "p", "rootParentAgentId": "r", "toolCallId": "t", "typeName": "n" });
    let child = changed(&bytes, |document| {
        document.meta.insert("subagentInfo".into(), subagent);
    });
    let child = Document::parse(&child).expect("a document");
    child.check().expect("known");
    assert_eq!(
        super::facts(&child, |_| false).requires,
        [SessionId::new("p")]
    );
}

#[test]
fn a_store_of_another_shape_is_read_as_far_as_it_is_known_and_not_written() {
    let rows = [
        (
            "CREATE TABLE permissions (x);",
            "it has the table `permissions`",
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON blobs BEGIN SELECT 1; END;",
            "it has the trigger `t`",
        ),
        ("PRAGMA user_version = 2;", "it has the version 2"),
    ];
    for (more, why) in rows {
        let place = Place::new();
        let chat = place.chat(more);
        let found = read(&chat.store, ID).expect("readable");
        assert_eq!(found.read_only.as_deref(), Some(why));
        let told = refusal(place.write(ID, &found.document));
        assert!(told.ends_with(why), "{told}");
    }
    let rows = [
        (
            "ALTER TABLE blobs ADD COLUMN kind TEXT;",
            "`blobs` is made as",
        ),
        (
            "ALTER TABLE meta RENAME TO record;",
            "it has no table `meta`",
        ),
        (
            "UPDATE meta SET value = 'zz';",
            "its record is not readable",
        ),
    ];
    for (more, why) in rows {
        let place = Place::new();
        let chat = place.chat(more);
        let told = read(&chat.store, ID).expect_err("unknown").to_string();
        assert!(
            told.contains("a shape that is not known") && told.contains(why),
            "{told}"
        );
        assert!(refusal(place.write(ID, &golden())).contains(why));
    }
    let place = Place::new();
    let chat = place.chat("");
    fs::write(chat.store.with_file_name(SIDECAR), "{\"schemaVersion\":2}").expect("card");
    let why = read(&chat.store, ID).expect("readable").read_only;
    assert_eq!(why.as_deref(), Some("its meta.json has another version"));
    assert!(refusal(place.write(ID, &golden())).contains("another version"));
}

#[test]
fn a_record_of_an_older_cursor_is_plain_json() {
    let place = Place::new();
    let golden = Document::parse(&golden()).expect("a document");
    let record = super::document::object(&golden.meta);
    let chat = place.chat(&format!("UPDATE meta SET value = '{record}';"));
    let now = Document::parse(&document_of(&chat)).expect("a document");
    assert_eq!(now.meta, golden.meta);
}

#[test]
fn damaged_and_empty_stores_are_told_and_left_as_they_are() {
    let place = Place::new();
    let chat = place.made("");
    assert!(matches!(
        read(&chat.store, ID),
        Err(StoreError::NotBegun(_))
    ));
    let tables = "CREATE TABLE blobs (id TEXT PRIMARY KEY, data BLOB); CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);";
    let chat = place.made(tables);
    assert!(matches!(
        read(&chat.store, ID),
        Err(StoreError::NotBegun(_))
    ));
    for content in ["no database at all, ".repeat(300).into_bytes(), cut_short()] {
        fs::write(&chat.store, &content).expect("write");
        let chat = find(&place.root(), ID).expect("a chat");
        assert!(
            matches!(read(&chat.store, ID), Err(StoreError::Damaged(_))),
            "{:?}",
            read(&chat.store, ID)
        );
        assert!(refusal(place.write(ID, &golden())).contains("damaged"));
        assert!(
            fs::read(&chat.store).expect("read") == content,
            "it is as it was"
        );
    }
}

/// A database of which the second half is lost.
fn cut_short() -> Vec<u8> {
    let place = Place::new();
    let filled = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        INSERT INTO blobs SELECT 'x' || i, randomblob(300) FROM n;";
    let chat = place.chat(filled);
    let bytes = fs::read(&chat.store).expect("read");
    bytes[..8192].to_vec()
}

#[test]
fn a_blob_that_is_not_what_its_id_says_does_not_sync() {
    let place = Place::new();
    let chat = place.chat(
        "UPDATE blobs SET data = X'00' WHERE rowid = 9; INSERT INTO blobs VALUES (NULL, NULL);",
    );
    let found = read(&chat.store, ID).expect("readable");
    assert!(
        found.problems[0].starts_with("2 blobs in "),
        "{:?}",
        found.problems
    );
    let document = Document::parse(&found.document).expect("the others are right");
    assert!(document.check().is_err());
    // The right one is not put over it: what is there may be all that is left.
    assert!(refusal(place.write(ID, &golden())).contains("other bytes than its id"));
    let lost = Place::new();
    let chat = lost.chat("DELETE FROM blobs WHERE rowid = 21;");
    let found = read(&chat.store, ID).expect("readable");
    assert!(found.problems[0].contains("The end of the conversation"));
}

#[test]
#[allow(clippy::disallowed_methods)] // a test is a shell of its own
fn another_process_has_a_chat_open() {
    let Ok(path) = std::env::var("SESSION_ROAM_HOLDS_CHAT") else {
        return;
    };
    batch(Path::new(&path), "PRAGMA journal_mode = WAL;");
    let connection = Connection::open(path).expect("open");
    let moved = "PRAGMA wal_autocheckpoint = 0; INSERT INTO blobs SELECT id, data FROM away; DROP TABLE away;";
    connection.execute_batch(moved).expect("write");
    println!("holding");
    std::io::stdin()
        .read_line(&mut String::new())
        .expect("told to end");
    // Simulates a crash: nothing is moved into the main file.
    std::process::exit(0);
}

#[test]
fn what_a_running_cursor_has_only_in_its_log_is_read() {
    let place = Place::new();
    let chat = place.chat("CREATE TABLE away AS SELECT * FROM blobs WHERE rowid > 5; DELETE FROM blobs WHERE rowid > 5;");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "--nocapture",
            "tools::cursor_agent::agent_store::tests::another_process_has_a_chat_open",
        ])
        .env("SESSION_ROAM_HOLDS_CHAT", &chat.store)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("another process");
    let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(said.any(|line| line.expect("line") == "holding"));
    let held = find(&place.root(), ID).expect("a chat");
    assert_ne!(held.stamp, chat.stamp, "the log is part of the stamp");
    let blobs = |chat: &Chat| {
        Document::parse(&document_of(chat))
            .expect("a document")
            .blobs
    };
    let golden = Document::parse(&golden()).expect("a document").blobs;
    assert_eq!(blobs(&held), golden);
    assert_eq!(
        find(&place.root(), ID).expect("a chat").stamp,
        held.stamp,
        "reading is no change"
    );
    drop(child.stdin.take());
    child.wait().expect("ended");
    // After a crash the log is all there is.
    assert_eq!(blobs(&find(&place.root(), ID).expect("a chat")), golden);
    place.write(ID, &super::tests::golden()).expect("written");
    assert_eq!(blobs(&find(&place.root(), ID).expect("a chat")), golden);
}

#[test]
fn directories_of_projects_are_named_as_cursor_names_them() {
    // From Python's hashlib.
    let rows = [
        (System::Linux, "/home/ada/code/api", HOME_API),
        (System::Linux, "/home/ada/./code//x/../api/", HOME_API),
        (System::Mac, "/home/ada/code/api/", HOME_API),
        (System::Linux, "/..", "6666cd76f96956469e7be39d750cc7d9"),
        (System::Windows, "C:\\Src\\Api", SRC_API),
        (System::Windows, "C:/Src/x/..\\Api\\", SRC_API),
        (System::Windows, "\\\\srv\\share\\api", SHARE_API),
        (System::Windows, "//srv/share/api/", SHARE_API),
    ];
    for (system, path, bucket) in rows {
        assert_eq!(bucket_of(path, system), bucket, "{path}");
    }
    assert_ne!(bucket_of("c:\\Src\\Api", System::Windows), SRC_API);
    let mut machine = Machine::at("/home/ada");
    assert_eq!(chats_dir(&machine), Path::new("/home/ada/.cursor/chats"));
    machine.vars.insert("XDG_CONFIG_HOME".into(), "/xdg".into());
    assert_eq!(chats_dir(&machine), Path::new("/xdg/cursor/chats"));
    machine
        .vars
        .insert("CURSOR_CONFIG_DIR".into(), " /c ".into());
    assert_eq!(chats_dir(&machine), Path::new("/c/chats"));
    machine
        .vars
        .insert("CURSOR_CONFIG_DIR".into(), "relative".into());
    assert_eq!(chats_dir(&machine), Path::new("/xdg/cursor/chats"));
}

const HOME_API: &str = "07b36a699df425e01e8f65bcca6bb5d2";
const SRC_API: &str = "626ed219bd604c8fc2b002ab8813a62c";
const SHARE_API: &str = "91eaa7e746870a41b64154bdda2c634f";

#[test]
#[cfg(unix)]
fn links_are_neither_listed_nor_opened() {
    use std::os::unix::fs::symlink;
    let (place, away) = (Place::new(), Place::new());
    let chat = away.chat("");
    let bucket = place.root().join(&chat.bucket);
    fs::create_dir_all(bucket.join("linked")).expect("dir");
    symlink(&chat.store, bucket.join("linked").join(STORE)).expect("link");
    symlink(chat.store.parent().expect("dir"), bucket.join("dir")).expect("link");
    fs::create_dir_all(place.root().join("not-a-bucket").join(ID)).expect("dir");
    fs::write(place.root().join("not-a-bucket").join(ID).join(STORE), "x").expect("file");
    assert_eq!(list(&place.root()), []);
    assert_eq!(find(&place.root(), "linked"), None);
    let id_at = |path: &Path| chat_of(&away.root(), path);
    assert_eq!(
        id_at(&chat.store.with_file_name("store.db-wal")).as_deref(),
        Some(ID)
    );
    assert_eq!(id_at(&away.root().join(".roam-x/chat/store.db")), None);
    let linked = read(&bucket.join("linked").join(STORE), ID);
    assert!(matches!(linked, Err(StoreError::NoFile(_))), "{linked:?}");
    // The physical path names the directory, as the working directory of a process does.
    symlink(place.cwd(), place.dir.path().join("short")).expect("link");
    let short = bucket_for(&place.root(), &place.dir.path().join("short"));
    assert_eq!(short, bucket_for(&place.root(), &place.cwd()));
    assert!(is_bucket_of(&short, &place.cwd()));
}

#[test]
fn a_chat_is_open_if_a_cursor_agent_runs_in_its_directory_or_with_its_id() {
    let place = Place::new();
    let process = |exe: &str, args: &[&str], cwd: Option<PathBuf>| Running {
        pid: 7,
        exe: exe.into(),
        cwd,
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        ..Running::default()
    };
    const NODE: &str = "/home/ada/.local/share/cursor-agent/versions/2026.09.26/node";
    let (here, away) = (Some(place.cwd()), Some(PathBuf::from("/elsewhere")));
    let index = "/home/ada/.local/share/cursor-agent/versions/2026.09.26/index.js";
    let cwd = place.cwd();
    let physical_cwd = physical(&cwd);
    let rows = [
        (process(NODE, &["node"], here.clone()), true),
        (process(NODE, &["node"], away.clone()), false),
        (process(NODE, &["node"], None), true),
        (
            process(
                "/usr/bin/node",
                &["node", "--use-system-ca", index, "--resume", ID],
                away.clone(),
            ),
            true,
        ),
        (
            process(
                "/usr/bin/node",
                &["/home/ada/.local/bin/cursor-agent", index],
                here.clone(),
            ),
            true,
        ),
        (
            process(
                "C:\\x\\cursor-agent\\versions\\1\\node.exe",
                &["node"],
                here.clone(),
            ),
            true,
        ),
        (
            process(
                NODE,
                &["node", index, "--workspace", &physical_cwd],
                away.clone(),
            ),
            true,
        ),
        (
            process(
                "/usr/bin/vim",
                &["vim", "/src/cursor-agent/x"],
                here.clone(),
            ),
            false,
        ),
        (
            process(
                "/usr/bin/node",
                &["node", "server.js", "cursor-agent"],
                here.clone(),
            ),
            false,
        ),
    ];
    for (process, is_open) in rows {
        let told = opener(std::slice::from_ref(&process), ID, Some(&cwd));
        assert_eq!(told.is_some(), is_open, "{process:?}");
    }
    let anywhere = opener(&[process(NODE, &["node"], away)], ID, None);
    assert_eq!(
        anywhere.as_deref(),
        Some("Cursor's command line has it open (process 7)")
    );
}

/// Whatever is broken in a document or a database is an error or a problem, never a panic.
#[test]
fn damage_anywhere_is_told() {
    let place = Place::new();
    let chat = place.chat("");
    let (document, database) = (document_of(&chat), fs::read(&chat.store).expect("read"));
    let mut seed = 7u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).expect("31 bits") % below
    };
    for round in 0..300 {
        let (mut text, mut bytes) = (document.clone(), database.clone());
        for _ in 0..=round % 4 {
            let at = next(text.len());
            text[at] = u8::try_from(next(256)).expect("a byte");
            let at = next(bytes.len());
            bytes[at] = u8::try_from(next(256)).expect("a byte");
        }
        text.truncate(text.len() - next(2) * next(200));
        super::records(&text)
            .iter()
            .filter_map(read_message)
            .for_each(drop);
        steers(&text);
        judge(&text, &document);
        let whole = Document::parse(&text).and_then(|parsed| parsed.check().map(|()| parsed));
        if let Ok(parsed) = whole {
            super::facts(&parsed, |_| true);
        }
        fs::write(&chat.store, &bytes).expect("write");
        if let Ok(found) = read(&chat.store, ID) {
            // What is read is right: every blob is what its id says.
            Document::parse(&found.document).expect("a document");
        }
        drop(place.write(ID, &document));
        for log in ["store.db-wal", "store.db-shm", "store.db-journal"] {
            drop(fs::remove_file(chat.store.with_file_name(log)));
        }
    }
}
