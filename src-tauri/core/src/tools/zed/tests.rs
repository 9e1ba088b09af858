//! Zed's adapter: where its databases are, what is read, what is written and what is left alone.

use super::*;
use crate::adapter::Change;
use crate::formats::running::Running;
use crate::merge::snapshots::Judged;
use crate::merge::transcript::said_in;
use crate::session::{Millis, Role, SessionId};
use rusqlite::{Connection, params};
use serde_json::json;
use std::fs;
use std::sync::Arc;

const ID: &str = "6f1c0b2e-1a2b-4c3d-8e4f-0123456789ab";
const PARENT: &str = "0a1b2c3d-4e5f-4a6b-9c7d-8e9f0a1b2c3d";
const THREADS: &str = "CREATE TABLE threads (id TEXT PRIMARY KEY, summary TEXT NOT NULL, updated_at TEXT NOT NULL, \
     data_type TEXT NOT NULL, data BLOB NOT NULL);";
const ADDED: &str = "ALTER TABLE threads ADD COLUMN parent_id TEXT; ALTER TABLE threads ADD COLUMN folder_paths TEXT; \
     ALTER TABLE threads ADD COLUMN folder_paths_order TEXT; ALTER TABLE threads ADD COLUMN created_at TEXT;";
const SIDEBAR: &str = "CREATE TABLE sidebar_threads (session_id TEXT PRIMARY KEY, agent_id TEXT, title TEXT NOT NULL, \
     updated_at TEXT NOT NULL, created_at TEXT, folder_paths TEXT, folder_paths_order TEXT) STRICT;";

/// A home in which a Zed was used.
struct Used {
    machine: Machine,
    cwd: PathBuf,
    _dir: tempfile::TempDir,
}

impl Used {
    fn with(threads: &str, sidebar: &str) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let machine = Machine::at(dir.path().join("home"));
        let this = Self {
            machine,
            cwd: dir.path().join("work"),
            _dir: dir,
        };
        for (path, sql) in [(this.database(), threads), (this.sidebar(), sidebar)] {
            fs::create_dir_all(path.parent().expect("dir")).expect("dir");
            Connection::open(path)
                .and_then(|made| made.execute_batch(sql))
                .expect(sql);
        }
        this
    }

    fn database(&self) -> PathBuf {
        databases(&self.machine).remove(0)
    }

    fn sidebar(&self) -> PathBuf {
        sidebars(&self.database()).remove(0)
    }

    fn sql(&self, sql: &str) {
        let database = Connection::open(self.database()).expect("database");
        database.execute_batch(sql).expect(sql);
    }

    fn add(&self, json: &Value, folders: &str, order: &str) {
        let row = "INSERT INTO threads (id, summary, updated_at, data_type, data, folder_paths, folder_paths_order) \
                   VALUES (?1, ?2, '2026-10-03T09:00:00+00:00', 'json', ?3, ?4, ?5)";
        let title = json["title"].as_str();
        let data = json.to_string().into_bytes();
        let database = Connection::open(self.database()).expect("database");
        database
            .execute(row, params![ID, title, data, folders, order])
            .expect("row");
    }

    fn found(&self) -> Found {
        let mut listing = Zed::default().sessions(&self.machine, Which::All);
        assert_eq!(listing.unknown, None);
        listing.found.pop().expect("a thread")
    }

    fn read(&self) -> (Facts, Value) {
        let reading = Zed::default()
            .read(&self.machine, &self.found())
            .expect("read");
        let Content::Bytes(bytes) = &reading.docs[0] else {
            panic!("bytes");
        };
        (reading.facts, serde_json::from_slice(bytes).expect("JSON"))
    }

    fn write(&self, change: Change<'_>) -> Result<Written, WriteError> {
        let (session, name) = (SessionId::new(ID), DocName::new(MAIN));
        let doc = super::super::DocWrite {
            name: &name,
            place: &format!("threads/{ID}/{MAIN}"),
            change,
        };
        let checkout = Checkout {
            session: &session,
            cwd: &self.cwd,
            updated: Millis(0),
            now: Millis(0),
            forgets: false,
            docs: vec![doc],
        };
        Zed::default().write(&self.machine, &checkout)
    }

    fn create(&self, json: &Value) -> Result<Written, WriteError> {
        self.write(Change::Create(&json.to_string().into_bytes()))
    }

    fn count(&self, database: &Path, sql: &str) -> i64 {
        let database = Connection::open(database).expect("database");
        database.query_row(sql, [], |row| row.get(0)).expect(sql)
    }
}

fn thread(words: &str) -> Value {
    json!({
        "title": "A thread", "updated_at": "2026-10-03T09:00:00Z", "version": "0.3.0",
        "messages": [{ "User": { "id": "u", "content": [{ "Text": words }] } }],
    })
}

#[test]
fn the_data_directory_is_found_on_every_system() {
    let mut machine = Machine::at("/home/ada");
    let usual = |system, machine: &Machine| {
        let [usual, flatpak] =
            data_dirs(system, machine).map(|dir| dir.to_string_lossy().replace('\\', "/"));
        assert_eq!(flatpak, "/home/ada/.var/app/dev.zed.Zed/data/zed");
        usual
    };
    assert_eq!(usual(System::Linux, &machine), "/home/ada/.local/share/zed");
    assert_eq!(
        usual(System::Mac, &machine),
        "/home/ada/Library/Application Support/Zed"
    );
    assert_eq!(
        usual(System::Windows, &machine),
        "/home/ada/AppData/Local/Zed"
    );
    let root = if cfg!(windows) { "C:/data" } else { "/data" };
    for name in ["XDG_DATA_HOME", "LOCALAPPDATA"] {
        machine.vars.insert(name.into(), root.into());
    }
    assert_eq!(usual(System::Linux, &machine), format!("{root}/zed"));
    assert_eq!(usual(System::Windows, &machine), format!("{root}/Zed"));
    machine
        .vars
        .insert("XDG_DATA_HOME".into(), "relative".into());
    assert_eq!(usual(System::Linux, &machine), "/home/ada/.local/share/zed");
}

#[test]
fn a_zed_that_runs_is_told_from_the_daemon_of_zfs() {
    let is_open = |exe: &str| {
        let mut machine = Machine::at("/home/ada");
        let running = Running {
            exe: exe.into(),
            ..Running::default()
        };
        machine.apps = Arc::new(vec![running]);
        opener_of(&machine).is_some()
    };
    for exe in [
        "/home/ada/.local/zed.app/libexec/zed-editor",
        "/home/ada/.local/zed-preview.app/libexec/zed-editor (deleted)",
        "/usr/bin/zeditor",
        "/nix/store/x-zed-editor/libexec/.zed-editor-wrapped",
        "/Applications/Zed Preview.app/Contents/MacOS/zed",
        "Zed.exe",
    ] {
        assert!(is_open(exe), "{exe}");
    }
    for exe in [
        "/usr/sbin/zed",
        "/nix/store/x-zfs-user-2.3/bin/zed",
        "/usr/bin/zedtool",
        "",
        "/opt/x/zed-remote-server",
    ] {
        assert!(!is_open(exe), "{exe}");
    }
}

#[test]
fn the_directories_of_a_thread_are_in_zeds_order_however_they_are_written() {
    for (folders, order, wanted) in [
        (
            "/home/ada/api\n/home/ada/web",
            "1,0",
            &["/home/ada/web", "/home/ada/api"][..],
        ),
        ("/Users/ada/api", "0", &["/Users/ada/api"]),
        (
            "C:\\Users\\ada\\api\nD:\\web",
            "0,1",
            &["C:\\Users\\ada\\api", "D:\\web"],
        ),
        (
            "\\\\wsl.localhost\\Debian\\home\\ada",
            "",
            &["\\\\wsl.localhost\\Debian\\home\\ada"],
        ),
        ("/a\n/b\n/c", "x,1", &["/b", "/a", "/c"]),
        ("", "", &[]),
    ] {
        let used = Used::with(&format!("{THREADS}{ADDED}"), SIDEBAR);
        used.add(&thread("hello"), folders, order);
        let facts = used.read().0;
        let dirs: Vec<String> = facts.cwd.into_iter().chain(facts.also).collect();
        assert_eq!(dirs, wanted, "{folders}");
    }
}

#[test]
fn a_thread_on_another_machine_has_no_directory_here() {
    let used = Used::with(&format!("{THREADS}{ADDED}"), SIDEBAR);
    let mut json = thread("hello");
    json["initial_project_snapshot"] = json!({ "worktree_snapshots": [{ "worktree_path": "/srv/api", "git_state": { "current_branch": "main" } }] });
    used.add(&json, "/srv/api", "0");
    assert_eq!(used.read().0.cwd.as_deref(), Some("/srv/api"));
    let remote = "ALTER TABLE sidebar_threads ADD COLUMN remote_connection TEXT; INSERT INTO sidebar_threads (session_id, title, \
         updated_at, remote_connection) VALUES ('6f1c0b2e-1a2b-4c3d-8e4f-0123456789ab', 't', '', '{\"Ssh\":{}}')";
    Connection::open(used.sidebar())
        .and_then(|open| open.execute_batch(remote))
        .expect("sidebar");
    let facts = used.read().0;
    assert_eq!((facts.cwd, facts.also), (None, Vec::new()));
}

#[test]
fn a_table_of_another_form_is_read_only_and_named() {
    for (sql, words) in [
        (
            "ALTER TABLE threads ADD COLUMN powers TEXT",
            "has a column `powers`",
        ),
        (
            "ALTER TABLE threads RENAME COLUMN data TO body",
            "has no column `data`",
        ),
        (
            "CREATE TRIGGER x AFTER INSERT ON threads BEGIN SELECT 1; END",
            "a trigger on the table threads",
        ),
        (
            "DROP TABLE threads; CREATE VIEW threads AS SELECT 1 AS id",
            "something else for the table threads",
        ),
    ] {
        let used = Used::with(THREADS, SIDEBAR);
        used.sql(sql);
        let unknown = Zed::default().sessions(&used.machine, Which::All).unknown;
        assert!(
            unknown.as_ref().is_some_and(|why| why.contains(words)),
            "{sql}: {unknown:?}"
        );
        let refused = used.create(&thread("hello"));
        assert!(
            matches!(refused, Err(WriteError::Refused(_))),
            "{sql}: {refused:?}"
        );
    }
}

/// One column of a later Zed ended all reading, and all recording.
#[test]
fn a_thread_of_a_later_zed_is_listed_and_read() {
    for later in [
        "ALTER TABLE threads ADD COLUMN powers TEXT",
        "CREATE TRIGGER x AFTER INSERT ON threads BEGIN SELECT 1; END",
        "ALTER TABLE threads ADD COLUMN powers TEXT AS (summary)",
    ] {
        let used = Used::with(&format!("{THREADS}{ADDED}"), SIDEBAR);
        used.add(&thread("hello"), "/home/ada/api", "0");
        used.sql(later);
        let zed = Zed::default();
        // The second listing is the one that was kept.
        for _ in 0..2 {
            let listing = zed.sessions(&used.machine, Which::All);
            assert!(listing.unknown.is_some(), "{later}");
            let reading = zed.read(&used.machine, &listing.found[0]).expect("read");
            assert_eq!(reading.facts.cwd.as_deref(), Some("/home/ada/api"));
        }
    }
}

#[test]
fn a_sidebar_of_a_later_zed_says_which_threads_are_on_another_machine() {
    let sidebar = format!(
        "{SIDEBAR} ALTER TABLE sidebar_threads ADD COLUMN remote_connection TEXT;
         ALTER TABLE sidebar_threads ADD COLUMN powers TEXT;
         INSERT INTO sidebar_threads (session_id, title, updated_at, remote_connection)
             VALUES ('{ID}', 'A thread', '2026-10-03T09:00:00+00:00', '{{}}');"
    );
    let used = Used::with(&format!("{THREADS}{ADDED}"), &sidebar);
    used.add(&thread("hello"), "/home/ada/api", "0");
    assert_eq!(used.read().0.cwd, None);
}

#[test]
fn what_is_only_in_a_log_that_another_holds_open_is_listed_and_read() {
    let used = Used::with(
        &format!("PRAGMA journal_mode = WAL; {THREADS}{ADDED}"),
        SIDEBAR,
    );
    let held = Connection::open(used.database()).expect("database");
    held.execute_batch("PRAGMA wal_autocheckpoint = 0; BEGIN; COMMIT")
        .expect("pragma");
    let zed = Zed::default();
    assert_eq!(zed.sessions(&used.machine, Which::All).found.len(), 0);
    used.add(&thread("only in the log"), "/w", "0");
    assert_eq!(
        zed.sessions(&used.machine, Which::All).found.len(),
        1,
        "the last listing is not taken for this one"
    );
    assert_eq!(
        used.read().1["messages"][0]["User"]["content"][0]["Text"],
        "only in the log"
    );
}

#[test]
fn a_database_in_use_or_a_missing_one_is_not_written() {
    let used = Used::with(THREADS, SIDEBAR);
    for path in [used.database(), used.sidebar()] {
        let other = Connection::open(path).expect("open");
        other.execute_batch("BEGIN EXCLUSIVE").expect("lock");
        let refused = used.create(&thread("hello"));
        assert!(matches!(refused, Err(WriteError::Open(_))), "{refused:?}");
    }
    assert_eq!(
        used.count(&used.database(), "SELECT count(*) FROM threads"),
        0
    );
    fs::remove_file(used.database()).expect("remove");
    let refused = used
        .create(&thread("hello"))
        .expect_err("refused")
        .to_string();
    assert!(refused.contains("open its agent once"), "{refused}");
    assert!(!used.database().exists(), "it is not made");
}

#[test]
fn a_thread_is_written_without_what_another_device_may_not_decide() {
    let used = Used::with(&format!("{THREADS}{ADDED}"), SIDEBAR);
    let mut json = thread("hello");
    for (name, value) in [
        ("sandbox_grants", json!({ "unsandboxed": true })),
        ("sandboxed_terminal_temp_dir", json!("/home/ada")),
        ("profile", json!("write")),
        ("a_later_field", json!(true)),
    ] {
        json[name] = value;
    }
    used.create(&json).expect("written");
    let stored = threads(&used.machine).open(&used.database());
    let stored = stored.expect("open").expect("a table");
    let stored = rows::json(&stored, &SessionId::new(ID));
    let stored: Value = serde_json::from_slice(&stored.expect("json")).expect("JSON");
    assert_eq!(
        (
            &stored["sandbox_grants"],
            &stored["profile"],
            &stored["messages"]
        ),
        (&json!({}), &Value::Null, &json["messages"])
    );
    for name in ["sandboxed_terminal_temp_dir", "a_later_field"] {
        assert_eq!(stored.get(name), None, "{name}");
    }
    // Written again, this device's own values stay, and so do its directories.
    used.sql("UPDATE threads SET folder_paths = folder_paths || char(10) || '/zz', folder_paths_order = '1,0', data_type = 'json', \
              data = CAST(json_set('{}', '$.title', 'A thread', '$.messages', json('[]'), '$.updated_at', '2026-10-03T09:00:00Z', \
              '$.version', '0.3.0', '$.profile', 'ask', '$.a_later_field', 1) AS BLOB)");
    let (path, was) = (used.database(), used.found().docs[0].stamp);
    let bytes = json.to_string().into_bytes();
    used.write(Change::Replace {
        path: &path,
        was,
        bytes: &bytes,
    })
    .expect("replaced");
    let (facts, document) = used.read();
    assert_eq!(document["profile"], "ask");
    assert_eq!(facts.cwd.as_deref(), Some("/zz"));
    let twice = used.write(Change::Replace {
        path: &path,
        was,
        bytes: &bytes,
    });
    assert!(matches!(twice, Err(WriteError::Changed(_))), "{twice:?}");
}

#[test]
fn what_is_no_thread_is_refused_in_words() {
    let used = Used::with(THREADS, SIDEBAR);
    for (field, value, words) in [
        ("version", json!("0.4.0"), "it is of version 0.4.0"),
        ("messages", json!({}), "it has no list of messages"),
        ("updated_at", json!("yesterday"), "it has no time"),
        ("title", json!(1), "it has no title"),
    ] {
        let mut json = thread("hello");
        json[field] = value;
        let refused = used.create(&json).expect_err("refused").to_string();
        assert!(refused.ends_with(words), "{refused}");
    }
    let refused = used
        .write(Change::Create(&b"[1]".to_vec()))
        .expect_err("refused")
        .to_string();
    assert!(refused.contains("it is no JSON object"), "{refused}");
    assert_eq!(
        used.count(&used.database(), "SELECT count(*) FROM threads"),
        0
    );
}

#[test]
fn a_sidebar_of_another_form_is_left_alone_and_the_thread_is_written() {
    for sql in [
        "ALTER TABLE sidebar_threads ADD COLUMN powers TEXT",
        "ALTER TABLE sidebar_threads RENAME COLUMN title TO name",
        "DROP TABLE sidebar_threads",
    ] {
        let used = Used::with(THREADS, &format!("{SIDEBAR}{sql}"));
        let before = fs::read(used.sidebar()).expect("read");
        used.create(&thread("hello")).expect("written");
        assert_eq!(fs::read(used.sidebar()).expect("read"), before, "{sql}");
    }
    let used = Used::with(THREADS, SIDEBAR);
    fs::write(used.sidebar(), "no database at all, ".repeat(100)).expect("write");
    used.create(&thread("hello")).expect("written");
}

#[test]
fn a_thread_put_away_leaves_no_line_and_a_sub_agents_thread_never_has_one() {
    let used = Used::with(&format!("{THREADS}{ADDED}"), SIDEBAR);
    let lines = || used.count(&used.sidebar(), "SELECT count(*) FROM sidebar_threads");
    let rows = || used.count(&used.database(), "SELECT count(*) FROM threads");
    used.create(&thread("hello")).expect("written");
    assert_eq!((rows(), lines()), (1, 1));
    let (path, was) = (used.database(), used.found().docs[0].stamp);
    used.write(Change::Remove { path: &path, was })
        .expect("put away");
    assert_eq!((rows(), lines()), (0, 0));
    let mut sub = thread("hello");
    sub["subagent_context"] = json!({ "parent_thread_id": PARENT, "depth": 1 });
    used.create(&sub).expect("written");
    let parents = format!("SELECT count(*) FROM threads WHERE parent_id = '{PARENT}'");
    assert_eq!((used.count(&used.database(), &parents), lines()), (1, 0));
    assert_eq!(used.read().0.requires, [SessionId::new(PARENT)]);
}

#[test]
fn a_thread_includes_another_whose_messages_it_begins_with() {
    let thread = |words: &[&str], title: &str, minute: u32| {
        let mut json = thread("");
        json["messages"] = words
            .iter()
            .map(|words| json!({ "User": { "content": [{ "Text": words }] } }))
            .collect();
        json["title"] = json!(title);
        json["updated_at"] = json!(format!("2026-10-03T09:{minute:02}:00Z"));
        json.to_string().into_bytes()
    };
    let one = thread(&["a"], "t", 1);
    for (rule, other, wanted) in [
        ("the same", thread(&["a"], "t", 1), Judged::Same),
        (
            "longer, and named anew",
            thread(&["a", "b"], "u", 0),
            Judged::Second,
        ),
        ("shorter", thread(&[], "t", 2), Judged::First),
        ("another message", thread(&["b"], "t", 2), Judged::Both),
        ("a later title", thread(&["a"], "u", 2), Judged::Second),
    ] {
        assert_eq!(thread::judge(&one, &other), wanted, "{rule}");
    }
}

#[test]
fn data_of_any_size_and_kind_is_bounded() {
    let zeros = zstd::encode_all(&vec![b' '; 4096][..], 3).expect("zstd");
    assert!(thread::unpacked("zstd", &zeros).is_ok_and(|json| json.len() == 4096));
    assert!(
        thread::unpacked_to(4095, "zstd", &zeros)
            .is_err_and(|why| why.contains("larger than 4095"))
    );
    assert!(
        thread::unpacked("zstd", b"no zstd").is_err_and(|why| why.contains("cannot be unpacked"))
    );
    assert!(thread::unpacked("gzip", b"").is_err_and(|why| why.contains("“gzip”")));
}

#[test]
fn messages_of_every_form_are_shown() {
    let rows = [
        (
            json!({ "User": { "id": "u", "content": [{ "Text": "hello" }, { "Mention": { "uri": { "File": { "abs_path": "/w/a.rs" } } } }, { "Image": { "source": "AAAA" } }] } }),
            Role::User,
            "hello\n/w/a.rs\n[image]",
        ),
        (
            json!({ "Agent": { "content": [{ "Thinking": { "text": "hm" } }, { "ToolUse": { "name": "terminal", "input": { "type": "json", "value": { "command": "ls" } } } }],
            "tool_results": { "t": { "is_error": true, "content": [{ "Text": "none" }] } } } }),
            Role::Assistant,
            "hm\n[terminal] ls\nnone",
        ),
        (
            json!({ "Agent": { "content": [{ "ToolUse": { "name": "ls", "input": { "path": "/w" } } }], "tool_results": { "t": { "content": { "Text": "a" } } } } }),
            Role::Assistant,
            "[ls] /w\na",
        ),
        (
            json!({ "Compaction": { "Summary": "so far" } }),
            Role::Assistant,
            "so far",
        ),
        (
            json!({ "role": "user", "text": "the oldest" }),
            Role::User,
            "the oldest",
        ),
        (
            json!({ "role": "assistant", "segments": [{ "type": "thinking", "text": "hm" }, { "type": "text", "text": "yes" }],
            "tool_uses": [{ "name": "ls", "input": {} }], "tool_results": [{ "content": "a.rs" }] }),
            Role::Assistant,
            "hm\nyes\n[ls]\na.rs",
        ),
    ];
    for (record, role, text) in rows {
        let said = said_in(&record, shown::read_message).unwrap_or_else(|| panic!("{record}"));
        assert_eq!((said.role, said.text().as_str()), (role, text), "{record}");
    }
    assert!(said_in(&json!("Resume"), shown::read_message).is_none());
}
