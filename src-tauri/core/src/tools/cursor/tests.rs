//! Cursor's adapter, on databases of the forms that it knows.

use super::document::{Bubble, Document, judge};
use super::*;
use rusqlite::Connection;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;

fn bubble(number: u32, kind: u8, text: &str) -> Value {
    json!({ "_v": 3, "bubbleId": format!("b{number}"), "text": text, "type": kind })
}

fn composer(updated: i64) -> Value {
    json!({ "_v": 17, "agentBackend": null, "approvalMode": null, "composerId": "c", "conversationState": "~",
        "createdAt": 1, "forceMode": null, "isAgentic": null, "isRunEverything": null, "lastUpdatedAt": updated,
        "modelConfig": null, "name": "n", "unifiedMode": "agent" })
}

fn content(bubbles: &[Value], updated: i64) -> Vec<u8> {
    json!({ "bubbles": bubbles, "composer": composer(updated) })
        .to_string()
        .into_bytes()
}

#[test]
fn of_two_contents_the_one_that_went_on_includes_the_other() {
    let [one, two, other] = [bubble(1, 1, "a"), bubble(2, 2, "b"), bubble(3, 2, "c")];
    let mut noted = one.clone();
    noted["contextPieces"] = json!([1]);
    let short = content(std::slice::from_ref(&one), 5);
    let rows = [
        ("equal", short.clone(), Judged::Same),
        (
            "later",
            content(std::slice::from_ref(&one), 6),
            Judged::Second,
        ),
        (
            "earlier",
            content(std::slice::from_ref(&one), 4),
            Judged::First,
        ),
        (
            "went on",
            content(&[one.clone(), two.clone()], 4),
            Judged::Second,
        ),
        (
            "went on, with a note that Cursor made",
            content(&[noted, two], 6),
            Judged::Second,
        ),
        (
            "another message",
            content(std::slice::from_ref(&other), 9),
            Judged::Both,
        ),
        ("none", content(&[], 9), Judged::First),
        ("no document", b"[]".to_vec(), Judged::Both),
    ];
    for (name, second, wanted) in rows {
        assert_eq!(judge(&short, &second), wanted, "{name}");
        let turned = match wanted {
            Judged::First => Judged::Second,
            Judged::Second => Judged::First,
            same => same,
        };
        assert_eq!(judge(&second, &short), turned, "{name}, turned");
    }
}

#[test]
fn only_what_this_adapter_records_is_a_document() {
    let good = content(&[bubble(1, 1, "a")], 5);
    let document = Document::parse(&good).expect("a document");
    assert_eq!(Document::parse(&document.render()), Some(document));
    let with = |change: fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(&good).expect("JSON");
        change(&mut value);
        value.to_string().into_bytes()
    };
    let bad = [
        with(|value| value["composer"]["queueItems"] = json!([{ "text": "sent by itself" }])),
        with(|value| value["composer"]["blobEncryptionKey"] = json!("k")),
        with(|value| value["bubbles"][0]["bubbleId"] = json!("b1:c2")),
        with(|value| value["bubbles"][0]["type"] = json!(3)),
        with(|value| {
            drop(
                value["bubbles"][0]
                    .as_object_mut()
                    .expect("object")
                    .remove("type"),
            )
        }),
        with(|value| value["bubbles"] = json!([bubble(1, 1, "a"), bubble(1, 1, "twice")])),
        with(|value| {
            value["bubbles"][0]["toolFormerData"] = json!({ "name": "x", "status": "pending" })
        }),
        with(|value| {
            drop(
                value["composer"]
                    .as_object_mut()
                    .expect("object")
                    .remove("conversationState"),
            )
        }),
    ];
    for bad in bad {
        assert_eq!(
            Document::parse(&bad),
            None,
            "{}",
            String::from_utf8_lossy(&bad)
        );
    }
    // What steers within a message is not taken over.
    let steers = with(|value| value["bubbles"][0]["mcpDescriptors"] = json!(["planted"]));
    let taken = Document::parse(&steers).expect("a document").render();
    assert!(!String::from_utf8_lossy(&taken).contains("planted"));
}

/// The next Cursor may put anything into a message.
#[test]
fn credentials_and_rights_in_a_message_stay_at_any_depth() {
    let mut odd = bubble(1, 2, "Done");
    odd["authToken"] = json!("planted");
    odd["requestHeaders"] = json!({ "x": "planted" });
    odd["blobEncryptionKey"] = json!("planted");
    odd["autoRunMode"] = json!("planted");
    odd["toolFormerData"] = json!({
        "name": "x", "status": "completed",
        "additionalData": [{ "api_key": "planted", "APIKey": ["planted"], "cookie": "planted", "sandboxPolicy": true }],
    });
    let kept = json!({
        "tokenCount": { "inputTokens": 3 }, "nextToken": 7, "authorName": "ada", "keyboard": "us", "key": "a",
        "file:///home/ada/sandbox/token": { "x": 1 },
    });
    odd["context"] = kept.clone();
    let text = odd.to_string().replace("\"cookie\"", "\"c\\u006fokie\"");
    let bubble = Bubble::of(&text).expect("a bubble");
    let read: Value = serde_json::from_str(&bubble.text).expect("JSON");
    assert!(
        !bubble.text.contains("planted") && !bubble.text.contains("sandboxPolicy"),
        "{}",
        bubble.text
    );
    assert_eq!(read["context"], kept);
    assert_eq!(read["toolFormerData"]["status"], json!("completed"));
    assert_eq!(Bubble::of(&bubble.text), Some(bubble));

    let hidden = text.replace(
        "\"additionalData\":[{",
        "\"additionalData\":[{\"\\ud800\":0,",
    );
    let bubble = Bubble::of(&hidden).expect("a bubble");
    assert!(!bubble.text.contains("planted"), "{}", bubble.text);
}

/// A row that another device continued lost what this device's Cursor had in it.
#[test]
fn what_of_a_row_never_syncs_stays_in_it() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut row = bubble(1, 2, "Done");
        row["toolFormerData"] = json!({ "name": "fetch", "status": "completed", "server": { "url": "u" },
            "calls": [{ "n": 1 }, { "n": 2 }] });
        change(&mut row);
        row
    };
    let here = with(&|row| {
        row["authToken"] = json!("own");
        row["autoRunMode"] = json!("granted");
        row["checkpointId"] = json!("own");
        let call = &mut row["toolFormerData"];
        call["api_key"] = json!("own");
        call["sandboxPolicy"] = json!("granted");
        call["server"]["headers"] = json!({ "x": "own" });
        call["server"]["permissions"] = json!(["own"]);
        call["calls"][0]["cookie"] = json!("own");
        call["calls"][1]["cookie"] = json!("of another call");
    });
    let arrived = with(&|row| {
        row["text"] = json!("Done, and more");
        row["authToken"] = json!("theirs");
        row["toolFormerData"]["calls"] = json!([{ "n": 1 }, { "n": 3 }, { "n": 2 }]);
    });
    let arrived = Bubble::of(&arrived.to_string()).expect("a bubble");
    let row = arrived.over(&here.to_string()).expect("a row");
    assert_eq!(
        Bubble::of(&row),
        Some(arrived.clone()),
        "what syncs is as it arrived"
    );
    let row: Value = serde_json::from_str(&row).expect("JSON");
    assert_eq!([&row["authToken"], &row["checkpointId"]], ["own", "own"]);
    let call = &row["toolFormerData"];
    assert_eq!(
        [&call["api_key"], &call["server"]["headers"]["x"]],
        ["own", "own"]
    );
    let unchanged = &call["server"]["permissions"];
    assert_eq!(unchanged, &json!(["own"]), "it was granted to the same");
    let calls = json!([{ "n": 1, "cookie": "own" }, { "n": 3 }, { "n": 2 }]);
    assert_eq!(call["calls"], calls);
    let text = row.to_string();
    assert!(!text.contains("granted"), "to what it was before: {text}");
    assert_eq!(arrived.over("no bubble"), None);
    assert_eq!(arrived.over(&bubble(2, 2, "x").to_string()), None);
}

#[test]
fn a_call_that_waits_is_left_out_at_the_end_and_counts_as_cancelled_before() {
    let open = |number: u32| {
        let mut open = bubble(number, 2, "");
        open["toolFormerData"] = json!({ "name": "run_terminal_cmd", "status": "pending", "params": "{\"command\":\"rm\"}" });
        Bubble::of(&open.to_string()).expect("a bubble")
    };
    let said = Bubble::of(&bubble(2, 1, "go on").to_string()).expect("a bubble");
    let document = Document::of(&BTreeMap::new(), vec![open(1), said.clone(), open(3)]);
    assert_eq!(document.bubbles.len(), 2);
    assert!(document.bubbles[0].text.contains("\"cancelled\"") && !document.bubbles[0].is_open());
    assert_eq!(document.bubbles[1], said);
}

#[test]
fn the_directory_is_that_of_the_workspace_whoever_names_it() {
    let dir = tempfile::tempdir().expect("dir");
    let machine = Machine::at(dir.path());
    let stored = user_dir(&machine)
        .join("workspaceStorage")
        .join("0a1b2c3d4e5f60718293a4b5c6d7e8f9");
    fs::create_dir_all(&stored).expect("dir");
    fs::write(
        stored.join("workspace.json"),
        r#"{"folder":"file:///home/ada/by-id"}"#,
    )
    .expect("write");
    let rows = [
        (
            json!({ "id": "x", "uri": { "external": "file:///home/ada/code/a%20b", "fsPath": "/other", "scheme": "file" } }),
            Some("/home/ada/code/a b"),
        ),
        (
            json!({ "id": "x", "uri": { "fsPath": "/Users/ada/code", "path": "/Users/ada/code" } }),
            Some("/Users/ada/code"),
        ),
        (
            json!({ "id": "x", "configPath": { "external": "file:///home/ada/several.code-workspace" } }),
            Some("/home/ada"),
        ),
        (
            json!({ "id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9" }),
            Some("/home/ada/by-id"),
        ),
        (json!({ "id": "ffffffffffffffffffffffffffffffff" }), None),
        (json!({ "id": "../../../../../../etc/aaaaaaaaaaa" }), None),
        (
            json!({ "id": "x", "uri": { "external": "vscode-remote://wsl%2Bubuntu/home/ada", "fsPath": "/home/ada", "scheme": "vscode-remote" } }),
            None,
        ),
        (
            json!({ "id": "x", "uri": { "fsPath": "code", "scheme": "file" } }),
            None,
        ),
        (json!({ "id": "empty-window" }), dir.path().to_str()),
        (json!({ "id": "1788427200000" }), dir.path().to_str()),
        (json!("nothing"), None),
    ];
    for (identifier, wanted) in rows {
        let found = directories_of(&machine, &identifier);
        let wanted: Vec<&Path> = wanted.iter().map(Path::new).collect();
        #[cfg(unix)]
        assert_eq!(found, wanted, "{identifier}");
        drop((found, wanted));
    }
}

#[test]
fn a_database_of_a_form_that_is_not_known_is_told_in_words() {
    let table = "CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);";
    let rows = "CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);";
    let wanted = [
        (table.to_owned(), "it has no table cursorDiskKV"),
        (
            format!("{table} CREATE TABLE cursorDiskKV (key TEXT, value BLOB);"),
            "cursorDiskKV is made as",
        ),
        (
            format!(
                "{table} {rows} CREATE TRIGGER t AFTER INSERT ON cursorDiskKV BEGIN SELECT 1; END;"
            ),
            "cursorDiskKV has a trigger",
        ),
        (
            format!(
                "{table} {rows} CREATE TABLE composerHeaders (composerId TEXT PRIMARY KEY, value TEXT);"
            ),
            "composerHeaders lacks a column",
        ),
    ];
    for (sql, words) in wanted {
        let dir = tempfile::tempdir().expect("dir");
        let machine = Machine::at(dir.path());
        let path = database(&user_dir(&machine));
        fs::create_dir_all(path.parent().expect("dir")).expect("dir");
        Connection::open(&path)
            .and_then(|database| database.execute_batch(&sql))
            .expect("database");
        let listing = Cursor::default().sessions(&machine, Which::All);
        let unknown = listing.unknown.expect("told");
        assert!(unknown.contains(words), "{unknown}");
    }
    let dir = tempfile::tempdir().expect("dir");
    let machine = Machine::at(dir.path());
    let path = database(&user_dir(&machine));
    fs::create_dir_all(path.parent().expect("dir")).expect("dir");
    fs::write(&path, "no database at all, ".repeat(500)).expect("write");
    let listing = Cursor::default().sessions(&machine, Which::All);
    assert!(
        listing
            .unknown
            .expect("told")
            .ends_with("is damaged or no SQLite database")
    );
    assert_eq!(
        fs::read(&path).expect("read").len(),
        10_000,
        "it is left alone"
    );
}

#[test]
fn a_database_that_is_in_use_is_not_one_without_conversations() {
    let dir = tempfile::tempdir().expect("dir");
    let machine = Machine::at(dir.path());
    let path = database(&user_dir(&machine));
    fs::create_dir_all(path.parent().expect("dir")).expect("dir");
    let other = Connection::open(&path).expect("database");
    let lock = "CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB); BEGIN EXCLUSIVE;";
    other.execute_batch(lock).expect("locked");
    let listing = Cursor::default().sessions(&machine, Which::All);
    let unknown = listing.unknown.expect("told");
    assert!(unknown.ends_with("is in use by another program"));
}

#[test]
fn messages_within_the_conversations_own_row_are_reported() {
    let dir = tempfile::tempdir().expect("dir");
    let machine = Machine::at(dir.path());
    let path = database(&user_dir(&machine));
    fs::create_dir_all(path.parent().expect("dir")).expect("dir");
    let sql = "CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
        CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
        INSERT INTO cursorDiskKV VALUES
            ('composerData:11111111-2222-4333-8444-555555555555', '{\"conversation\":[{\"type\":1,\"text\":\"old\"}]}'),
            ('composerData:22222222-2222-4333-8444-555555555555', '{\"conversation\":[]}'),
            ('composerData:33333333-2222-4333-8444-555555555555', 'no JSON'),
            ('composerData:empty-state-draft', '{}');";
    Connection::open(&path)
        .and_then(|database| database.execute_batch(sql))
        .expect("database");
    let listing = Cursor::default().sessions(&machine, Which::All);
    assert_eq!((listing.unknown, listing.found.len()), (None, 0));
    assert!(
        listing.problems[0]
            .message
            .starts_with("1 of Cursor's conversations"),
        "{:?}",
        listing.problems
    );
}

/// A database with so many conversations of ten messages each.
fn with_conversations(machine: &Machine, count: u32) -> Connection {
    let path = database(&user_dir(machine));
    fs::create_dir_all(path.parent().expect("dir")).expect("dir");
    let connection = Connection::open(&path).expect("database");
    let sql = format!(
        "CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
         CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
         WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < {count})
         INSERT INTO cursorDiskKV SELECT printf('composerData:%08x-2222-4333-8444-555555555555', n), '{{}}' FROM c;
         WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < {count}),
             b(m) AS (VALUES (1) UNION ALL SELECT m + 1 FROM b WHERE m < 10)
         INSERT INTO cursorDiskKV
             SELECT printf('bubbleId:%08x-2222-4333-8444-555555555555:b%d', n, m), '{{}}' FROM c, b;"
    );
    connection.execute_batch(&sql).expect("rows");
    connection
}

fn conversation(number: u32) -> String {
    format!("{number:08x}-2222-4333-8444-555555555555")
}

fn say(connection: &Connection, number: u32, bubble: u32) {
    let key = format!("bubbleId:{}:b{bubble}", conversation(number));
    let done = connection.execute("INSERT INTO cursorDiskKV VALUES (?1, '{\"a\":1}')", [key]);
    done.expect("a row");
}

/// After each write into the log of the database, all conversations were read.
#[test]
fn a_write_costs_the_same_whatever_the_number_of_conversations() {
    let steps = |count: u32| {
        let dir = tempfile::tempdir().expect("dir");
        let machine = Machine::at(dir.path());
        let connection = with_conversations(&machine, count);
        let path = database(&user_dir(&machine));
        let store = Store::open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("store");
        let (row, key) = store.last_row().expect("rows").expect("a row");
        say(&connection, 7, 3);
        say(&connection, 7, 11);
        let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counter = counted.clone();
        let count_steps = move || {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            false
        };
        store.connection.progress_handler(1, Some(count_steps));
        let changed = store.changed_since((row, &key)).expect("rows");
        let changed = changed.expect("an answer");
        let ids: Vec<&str> = changed.iter().map(|listed| listed.id.as_str()).collect();
        let last_written = conversation(count);
        assert_eq!(ids, [conversation(7), last_written]);
        counted.load(std::sync::atomic::Ordering::Relaxed)
    };
    let (few, many) = (steps(10), steps(2000));
    assert!(0 < few && many < few + few / 10, "{few} and {many} steps");
}

#[test]
fn changes_are_those_since_the_listing_or_everything_is_listed() {
    let dir = tempfile::tempdir().expect("dir");
    let mut machine = Machine::at(dir.path());
    let connection = with_conversations(&machine, 20);
    let cursor = Cursor::default();
    let listed = |listing: Option<Listing>| {
        listing.map(|listing| {
            let ids = listing.found.iter().map(|found| found.session.to_string());
            (
                ids.collect::<Vec<_>>(),
                listing.watermark.expect("a watermark"),
            )
        })
    };
    let (_, since) = listed(Some(cursor.sessions(&machine, Which::All))).expect("all");
    say(&connection, 7, 1);
    let (ids, since) = listed(cursor.changes(&machine, &since)).expect("changes");
    assert!(ids.contains(&conversation(7)) && ids.len() <= 2, "{ids:?}");
    // The last row is written again, and keeps its number.
    say(&connection, 7, 1);
    let (ids, since) = listed(cursor.changes(&machine, &since)).expect("changes");
    assert_eq!(ids, [conversation(7)]);
    let all = cursor.sessions(&machine, Which::All).found;
    let of_all = all.iter().find(|found| found.session.as_str() == ids[0]);
    let changes = cursor.changes(&machine, &since).expect("changes").found;
    assert_eq!(changes[0].docs, of_all.expect("listed").docs);

    // Its rows were numbered anew, as a compaction may do.
    let sql = "CREATE TABLE x AS SELECT key, value FROM cursorDiskKV ORDER BY key DESC;
        DELETE FROM cursorDiskKV; INSERT INTO cursorDiskKV SELECT key, value FROM x; DROP TABLE x;";
    connection.execute_batch(sql).expect("new numbers");
    assert!(cursor.changes(&machine, &since).is_none());
    let (_, since) = listed(Some(cursor.sessions(&machine, Which::All))).expect("all");
    assert!(cursor.changes(&machine, &since).is_some());
    // Rows at the end are gone, and others have their numbers.
    let sql = "DELETE FROM cursorDiskKV WHERE rowid > (SELECT max(rowid) - 3 FROM cursorDiskKV)";
    connection.execute_batch(sql).expect("delete");
    assert!(cursor.changes(&machine, &since).is_none());
    say(&connection, 3, 40);
    say(&connection, 4, 40);
    say(&connection, 5, 40);
    assert!(cursor.changes(&machine, &since).is_none());
    let (_, since) = listed(Some(cursor.sessions(&machine, Which::All))).expect("all");
    // All conversations are open now.
    machine.apps = Arc::new(vec![crate::tools::Running {
        pid: 7,
        exe: "/usr/share/cursor/cursor".into(),
        ..crate::tools::Running::default()
    }]);
    assert!(opener_of(&machine).is_some());
    assert!(cursor.changes(&machine, &since).is_none());
}

/// The databases of Cursor 2, with one directory that was opened.
struct Cursor2 {
    _dir: tempfile::TempDir,
    machine: Machine,
    cwd: PathBuf,
    list: PathBuf,
}

impl Cursor2 {
    const LIST: &str = r#"{"allComposers":[]}"#;

    fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let machine = Machine::at(dir.path());
        with_conversations(&machine, 1);
        let list = user_dir(&machine).join("workspaceStorage/f9e8/state.vscdb");
        fs::create_dir_all(list.parent().expect("dir")).expect("dir");
        let sql = format!(
            "CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
             INSERT INTO ItemTable VALUES ('composer.composerData', '{}');",
            Self::LIST
        );
        let database = Connection::open(&list).expect("database");
        database.execute_batch(&sql).expect("a list");
        Self {
            cwd: dir.path().join("api"),
            _dir: dir,
            machine,
            list,
        }
    }

    fn listed(&self) -> String {
        let list = state_db::get(&self.list, index::OLD_LIST).expect("readable");
        String::from_utf8(list.expect("a list").bytes().to_vec()).expect("text")
    }

    fn is_here(&self) -> bool {
        let listing = Cursor::default().sessions(&self.machine, Which::All);
        let mut found = listing.found.iter();
        found.any(|found| found.session.as_str() == conversation(9))
    }

    /// Writes a conversation; `before_commit` is asked whether Cursor does not run.
    fn write(&self, before_commit: &dyn Fn() -> Result<(), WriteError>) -> Result<(), WriteError> {
        let mut document: Value =
            serde_json::from_slice(&content(&[bubble(1, 1, "a")], 5)).expect("JSON");
        document["composer"]["composerId"] = json!(conversation(9));
        let bytes = document.to_string().into_bytes();
        let asked = std::cell::Cell::new(0);
        let still_free = || {
            asked.set(asked.get() + 1);
            if asked.get() == 2 {
                before_commit()
            } else {
                Ok(())
            }
        };
        let (user, name) = (user_dir(&self.machine), DocName::new(MAIN));
        let target = Target {
            user: &user,
            workspace: Some(Workspace {
                id: "f9e8",
                cwd: &self.cwd,
            }),
            workspace_db: Some(&self.list),
        };
        let session = SessionId::new(conversation(9));
        let checkout = Checkout {
            session: &session,
            cwd: &self.cwd,
            updated: Millis(1),
            now: Millis(1_790_000_000_000),
            forgets: false,
            docs: vec![crate::adapter::DocWrite {
                name: &name,
                place: "",
                change: crate::adapter::Change::Create(&bytes),
            }],
        };
        writing::write(&checkout, &target, &still_free).map(drop)
    }
}

#[test]
fn the_list_of_cursor_2_names_what_is_there_and_is_kept_as_it_was() {
    let cursor = Cursor2::new();
    let starts = || Err(WriteError::Open("it starts".into()));
    cursor.write(&starts).expect_err("Cursor runs");
    assert_eq!(
        cursor.listed(),
        Cursor2::LIST,
        "nothing is there to be listed"
    );
    assert!(!cursor.is_here());
    cursor.write(&|| Ok(())).expect("written");
    assert!(cursor.listed().contains(&conversation(9)) && cursor.is_here());
    let dir = cursor.list.parent().expect("dir");
    let mut files = fs::read_dir(dir).expect("dir").flatten();
    let kept = files.find(|file| {
        file.file_name()
            .to_string_lossy()
            .starts_with(".roam-cursor")
    });
    let kept = fs::read(kept.expect("a copy").path()).expect("read");
    let kept: Value = serde_json::from_slice(&kept).expect("JSON");
    assert_eq!(kept[index::OLD_LIST], Cursor2::LIST);
}

#[test]
fn what_cannot_be_listed_is_taken_back() {
    let cursor = Cursor2::new();
    let other = r#"{"allComposers":[],"selectedComposerIds":["x"]}"#;
    let changes = || {
        let database = Connection::open(&cursor.list).expect("database");
        let done = database.execute("UPDATE ItemTable SET value = ?1", [other]);
        done.map(drop).expect("changed");
        Ok(())
    };
    cursor.write(&changes).expect_err("the list is another one");
    assert_eq!(cursor.listed(), other);
    assert!(!cursor.is_here(), "so that it is tried again");
    cursor.write(&|| Ok(())).expect("written");
    assert!(cursor.listed().contains(&conversation(9)) && cursor.is_here());
}

/// A database with one conversation, whose list names these bubbles.
struct One {
    _dir: tempfile::TempDir,
    machine: Machine,
    database: Connection,
}

impl One {
    fn new(heads: &str) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let machine = Machine::at(dir.path());
        let database = with_conversations(&machine, 1);
        database
            .execute("DELETE FROM cursorDiskKV", [])
            .expect("empty");
        let one = Self {
            _dir: dir,
            machine,
            database,
        };
        let composer = format!(r#"{{"_v":17,"fullConversationHeadersOnly":{heads}}}"#);
        one.put(
            &format!("composerData:{}", conversation(1)),
            Some(&composer),
        );
        one
    }

    fn put(&self, key: &str, value: Option<&str>) {
        let sql = "INSERT INTO cursorDiskKV VALUES (?1, ?2)";
        let row = rusqlite::params![key, value];
        self.database.execute(sql, row).expect("a row");
    }

    fn put_bubble(&self, number: u32, value: Option<&str>) {
        self.put(&format!("bubbleId:{}:b{number}", conversation(1)), value);
    }

    fn found(&self) -> Option<Found> {
        let listing = Cursor::default().sessions(&self.machine, Which::All);
        listing.found.into_iter().next()
    }

    fn read(&self) -> io::Result<Reading> {
        Cursor::default().read(&self.machine, &self.found().expect("listed"))
    }

    /// The texts of the messages as they sync.
    fn texts(&self) -> io::Result<Vec<String>> {
        let mut content = String::new();
        let main = self.read()?.docs.swap_remove(0);
        io::Read::read_to_string(&mut main.open()?, &mut content)?;
        let content: Value = serde_json::from_str(&content).expect("JSON");
        let bubbles = content["bubbles"].as_array().expect("a list");
        let text = |bubble: &Value| bubble["text"].as_str().expect("a text").to_owned();
        Ok(bubbles.iter().map(text).collect())
    }
}

const THREE: &str = r#"[{"bubbleId":"b1"},{"bubbleId":"b2","later":{}},{"bubbleId":"b3"}]"#;

/// What could not be read was left out, and every other device left it out, too.
#[test]
fn a_conversation_of_which_a_message_cannot_be_read_is_not_read() {
    let [first, second, third] = [1, 2, 3].map(|n| bubble(n, 2, &n.to_string()).to_string());
    let whole = |heads: &str| {
        let one = One::new(heads);
        for (at, text) in [&first, &second, &third].into_iter().enumerate() {
            one.put_bubble(at as u32 + 1, Some(text));
        }
        one
    };
    assert_eq!(whole(THREE).texts().expect("read"), ["1", "2", "3"]);
    for heads in ["null", "{}", r#"[{"bubbleId":"b1"},{"id":"b2"}]"#, "[1]"] {
        let error = whole(heads).texts().expect_err(heads);
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{heads}");
    }
    let later = bubble(2, 3, "of a kind that is not known").to_string();
    let other = bubble(7, 2, "under the id of another").to_string();
    for odd in [None, Some("{"), Some("{}"), Some(&later), Some(&other)] {
        for number in [2, 3] {
            let one = whole(THREE);
            one.put_bubble(number, odd);
            let error = one.texts().expect_err("one cannot be read");
            assert_eq!(
                error.kind(),
                io::ErrorKind::InvalidData,
                "{number}: {odd:?}"
            );
        }
    }
}

/// Cursor writes the list and each message by itself.
#[test]
fn messages_that_are_not_written_yet_are_left_out_at_the_end_and_missed_before() {
    let [first, second, third] = [1, 2, 3].map(|n| bubble(n, 2, &n.to_string()).to_string());
    let one = One::new(THREE);
    one.put_bubble(1, Some(&first));
    assert_eq!(one.texts().expect("read"), ["1"]);
    one.put_bubble(3, Some(&third));
    one.texts().expect_err("one in between is missing");
    one.put_bubble(2, Some(&second));
    assert_eq!(one.texts().expect("read"), ["1", "2", "3"]);
}

/// They arrived as chats of their own in the list of every other device.
#[test]
fn conversations_of_sub_agents_are_left_out() {
    let dir = tempfile::tempdir().expect("dir");
    let machine = Machine::at(dir.path());
    let database = with_conversations(&machine, 5);
    let parts = [
        (2, r#"{"subagentInfo":{"parentComposerId":"x"}}"#),
        (3, r#"{"subagentInfo":null,"text":"\"subagentInfo\""}"#),
        (4, r#"{"subagentInfo":{"parentComposerId":"x"}"#),
    ];
    for (number, text) in parts {
        let key = format!("composerData:{}", conversation(number));
        let put = "INSERT INTO cursorDiskKV VALUES (?1, ?2)";
        database.execute(put, [&key, text]).expect("a row");
    }
    let listed = |which| {
        let found = Cursor::default()
            .sessions(&machine, which)
            .found
            .into_iter();
        found
            .map(|found| found.session.to_string())
            .collect::<Vec<_>>()
    };
    let all = [1, 3, 4, 5].map(conversation);
    assert_eq!(listed(Which::All), all);
    let table = "CREATE TABLE composerHeaders (composerId TEXT PRIMARY KEY, workspaceId TEXT, createdAt INTEGER,
        lastUpdatedAt INTEGER, isArchived INTEGER, isSubagent INTEGER, recency INTEGER, checkpointAt INTEGER, value TEXT)";
    database.execute(table, []).expect("a table");
    for (number, is_sub_agent) in [(1, Some(1)), (2, Some(0)), (3, None)] {
        let put = "INSERT INTO composerHeaders (composerId, isSubagent) VALUES (?1, ?2)";
        let row = rusqlite::params![conversation(number), is_sub_agent];
        database.execute(put, row).expect("a row");
    }
    assert_eq!(listed(Which::All), [2, 3, 4, 5].map(conversation));
    assert_eq!(
        listed(Which::One(&SessionId::new(conversation(1)))),
        [] as [String; 0]
    );
}
