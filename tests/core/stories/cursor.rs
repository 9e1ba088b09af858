//! Conversations of Cursor: rows of one large database that Cursor itself holds while it runs.

use super::forget::pass_grace;
use super::world::World;
use data_encoding::{BASE64, HEXLOWER};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use session_roam_core::api::{Done, ForgottenRow, Request};
use session_roam_core::tools::Running;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;

const ID: &str = "5b1f0c2a-6d34-4c1e-9b0a-3a6f1c2d4e60";
const WORKSPACES: [&str; 2] = [
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "f9e8d7c6b5a493827160f5e4d3c2b1a0",
];
const TABLES: &str = "PRAGMA journal_mode = WAL; PRAGMA user_version = 1;
    CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
    CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
    CREATE TABLE composerHeaders (composerId TEXT PRIMARY KEY, workspaceId TEXT, createdAt INTEGER, lastUpdatedAt INTEGER,
        isArchived INTEGER, isSubagent INTEGER, recency INTEGER, checkpointAt INTEGER, value TEXT);
    INSERT INTO ItemTable VALUES ('cursorAuth/accessToken', 'token-of-a-device'),
        ('composer.composerHeaders.version', '1-1'), ('composer.composerHeaders', '{\"allComposers\":[]}'),
        ('glass.localAgentProjects.v1', '[]'), ('glass.localAgentProjectMembership.v1', '{}');";

struct Story {
    world: World,
    cwds: [PathBuf; 2],
}

impl Story {
    /// Two devices on which Cursor knows the project's directory, and a conversation on the first.
    fn new() -> Self {
        let (world, here, there) = World::pair_of_devices();
        let mut story = Self {
            world,
            cwds: [here, there],
        };
        for (at, workspace) in WORKSPACES.into_iter().enumerate() {
            let user = story.user(at);
            let workspace = user.join("workspaceStorage").join(workspace);
            fs::create_dir_all(&workspace).expect("dir");
            fs::create_dir_all(user.join("globalStorage")).expect("dir");
            let folder = json!({ "folder": format!("file://{}", story.cwds[at].display()) });
            fs::write(workspace.join("workspace.json"), folder.to_string()).expect("write");
            fs::write(workspace.join("state.vscdb"), "").expect("write");
            story.database(at).execute_batch(TABLES).expect("tables");
        }
        story.say(0, 1, "hello");
        story.world.deliver();
        story
    }

    fn user(&self, at: usize) -> PathBuf {
        self.world.devices[at].home.join(".config/Cursor/User")
    }

    fn file(&self, at: usize) -> PathBuf {
        self.user(at).join("globalStorage/state.vscdb")
    }

    fn database(&self, at: usize) -> Connection {
        Connection::open(self.file(at)).expect("database")
    }

    fn value(&self, at: usize, table: &str, key: &str) -> Option<Value> {
        let sql = format!("select value from {table} where key = ?1");
        let text: Option<Option<String>> = self
            .database(at)
            .query_row(&sql, [key], |row| row.get(0))
            .optional()
            .expect("row");
        text.flatten()
            .map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn composer(&self, at: usize, id: &str) -> Option<Value> {
        self.value(at, "cursorDiskKV", &format!("composerData:{id}"))
    }

    /// The ids of all conversations with messages.
    fn conversations(&self, at: usize) -> Vec<String> {
        let database = self.database(at);
        let sql = "select key from cursorDiskKV where key like 'composerData:%' and value is not null order by key";
        let mut keys = database.prepare(sql).expect("sql");
        let keys = keys
            .query_map([], |row| row.get::<_, String>(0))
            .expect("rows");
        keys.map(|key| key.expect("key")["composerData:".len()..].to_owned())
            .collect()
    }

    /// The texts of a conversation in the order in which Cursor shows them.
    fn texts(&self, at: usize, id: &str) -> Vec<String> {
        let composer = self.composer(at, id).unwrap_or_default();
        let heads = composer["fullConversationHeadersOnly"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let text = |head: &Value| {
            let key = format!("bubbleId:{id}:{}", head["bubbleId"].as_str().expect("id"));
            let bubble = self
                .value(at, "cursorDiskKV", &key)
                .expect("a row for each head");
            assert_eq!(
                (&bubble["bubbleId"], &bubble["type"]),
                (&head["bubbleId"], &head["type"])
            );
            bubble["text"].as_str().expect("text").to_owned()
        };
        heads.iter().map(text).collect()
    }

    /// Adds a prompt and an answer as Cursor does.
    fn say(&mut self, at: usize, minute: i64, words: &str) {
        self.say_in(at, ID, minute, words);
    }

    fn say_in(&mut self, at: usize, id: &str, minute: i64, words: &str) {
        let database = self.database(at);
        let put = |key: String, value: &Value| {
            let sql = "insert into cursorDiskKV values (?1, ?2)";
            database
                .execute(sql, params![key, value.to_string()])
                .expect("row");
        };
        let path = self.cwds[at].to_string_lossy().into_owned();
        let identifier = json!({ "id": WORKSPACES[at], "uri": { "$mid": 1, "fsPath": path, "external": format!("file://{path}"), "path": path, "scheme": "file" } });
        let mut composer = self.composer(at, id).unwrap_or_else(|| {
            json!({ "_v": 17, "composerId": id, "name": "The parser", "createdAt": 1_788_427_200_000_i64,
                "fullConversationHeadersOnly": [], "unifiedMode": "agent", "conversationState": "~",
                "blobEncryptionKey": "key-of-a-device", "text": "draft-of-a-device", "workspaceIdentifier": identifier })
        });
        for (kind, text) in [(1, words.to_owned()), (2, format!("answer to {words}"))] {
            let bubble = format!("{minute:04}{at:04}-0000-4000-8000-00000000000{kind}");
            put(
                format!("bubbleId:{id}:{bubble}"),
                &json!({ "_v": 3, "type": kind, "bubbleId": bubble, "text": text }),
            );
            let heads = composer["fullConversationHeadersOnly"]
                .as_array_mut()
                .expect("list");
            heads.push(json!({ "bubbleId": bubble, "type": kind }));
        }
        let updated = 1_788_427_200_000_i64 + minute * 60_000;
        composer["lastUpdatedAt"] = json!(updated);
        put(format!("composerData:{id}"), &composer);
        let head = json!({ "type": "head", "composerId": id, "name": "The parser", "createdAt": 1_788_427_200_000_i64,
            "lastUpdatedAt": updated, "workspaceIdentifier": identifier });
        let sql = "insert or replace into composerHeaders (composerId, workspaceId, createdAt, lastUpdatedAt, isArchived, isSubagent, recency, checkpointAt, value) values (?1, ?2, 1788427200000, ?3, 0, 0, ?3, ?3, ?4)";
        database
            .execute(sql, params![id, WORKSPACES[at], updated, head.to_string()])
            .expect("head");
        drop(database);
        let file = self.file(at);
        self.world.devices[at].touch(&file);
        self.world.devices[at].settle();
    }

    /// The agent's state of a conversation: a blob for each prompt.
    fn remember(&mut self, at: usize, id: &str, prompts: &[&str]) {
        let mut state = Vec::new();
        for prompt in prompts {
            let text = json!({ "role": "user", "content": prompt }).to_string();
            let blob: [u8; 32] = Sha256::digest(&text).into();
            let key = format!("agentKv:blob:{}", HEXLOWER.encode(&blob));
            self.put(at, &key, &text);
            state.extend([0x0a, 32]);
            state.extend(blob);
        }
        let mut composer = self.composer(at, id).expect("there");
        composer["conversationState"] = json!(format!("~{}", BASE64.encode(&state)));
        self.put(at, &format!("composerData:{id}"), &composer.to_string());
        let file = self.file(at);
        self.world.devices[at].touch(&file);
        self.world.devices[at].settle();
    }

    /// The same with a turn that names a state before it, which Cursor can return to.
    fn remember_earlier(&mut self, at: usize, earlier: &str) {
        let database = self.database(at);
        let blob = |bytes: &[u8]| {
            let id: [u8; 32] = Sha256::digest(bytes).into();
            let key = format!("agentKv:blob:{}", HEXLOWER.encode(&id));
            let sql = "insert into cursorDiskKV values (?1, ?2)";
            database.execute(sql, params![key, bytes]).expect("row");
            id
        };
        let earlier = blob(earlier.as_bytes());
        let turn = blob(&[&[0x52, 32][..], &earlier[..]].concat());
        let state = BASE64.encode(&[&[0x42, 32][..], &turn[..]].concat());
        let mut composer = self.composer(at, ID).expect("there");
        composer["conversationState"] = json!(format!("~{state}"));
        self.put(at, &format!("composerData:{ID}"), &composer.to_string());
        let file = self.file(at);
        self.world.devices[at].touch(&file);
        self.world.devices[at].settle();
    }

    /// Forgets the conversation, and returns what the receipt of each device says.
    fn forget(&mut self) -> [(String, String); 2] {
        let session = ID.into();
        let _: Value = self.world.devices[0].ask(Request::Forget { session });
        pass_grace(&mut self.world.devices[0]);
        self.world.deliver();
        [0, 1].map(|at| {
            let rows: Vec<ForgottenRow> = self.world.devices[at].ask(Request::Forgotten);
            let own = rows[0].receipts[0].clone();
            (own.state.to_string(), own.why.unwrap_or_default())
        })
    }

    fn put(&self, at: usize, key: &str, value: &str) {
        let sql = "insert into cursorDiskKV values (?1, ?2)";
        let database = self.database(at);
        database.execute(sql, [key, value]).expect("row");
    }

    /// The number of rows with these words.
    fn holding(&self, at: usize, words: &str) -> i64 {
        let sql = "select count(*) from cursorDiskKV where instr(cast(value as text), ?1)";
        let database = self.database(at);
        database
            .query_row(sql, [words], |row| row.get(0))
            .expect("a number")
    }

    fn cursor(&mut self, at: usize, runs: bool) {
        let cursor = Running {
            pid: 4711,
            exe: "/usr/share/cursor/cursor".into(),
            ..Running::default()
        };
        *self.world.devices[at].apps.lock().expect("apps") =
            if runs { vec![cursor] } else { Vec::new() };
        self.world.devices[at].poll();
    }

    fn head(&self, at: usize, id: &str) -> Value {
        let sql = "select value from composerHeaders where composerId = ?1";
        let text: String = self
            .database(at)
            .query_row(sql, [id], |row| row.get(0))
            .expect("a head");
        serde_json::from_str(&text).expect("JSON")
    }
}

const ONE: [&str; 2] = ["hello", "answer to hello"];
const TWO: [&str; 4] = ["hello", "answer to hello", "more", "answer to more"];

#[test]
fn a_conversation_is_in_every_list_of_the_other_device_is_continued_and_comes_back() {
    let mut story = Story::new();
    assert_eq!(story.texts(1, ID), ONE);
    let there = story.cwds[1].to_string_lossy().into_owned();
    let composer = story.composer(1, ID).expect("there");
    assert_eq!(composer["workspaceIdentifier"]["uri"]["fsPath"], there);
    assert_eq!(composer["workspaceIdentifier"]["id"], WORKSPACES[1]);
    assert_eq!(
        (&composer["text"], &composer["blobEncryptionKey"]),
        (&json!(""), &Value::Null)
    );
    let head = story.head(1, ID);
    assert_eq!(
        (&head["type"], &head["name"]),
        (&json!("head"), &json!("The parser"))
    );
    assert!(head["createdAt"].is_number() && head["isDraft"] == false);
    assert_eq!(head["workspaceIdentifier"]["id"], WORKSPACES[1]);
    let item = |key| story.value(1, "ItemTable", key).expect(key);
    assert_eq!(
        item("composer.composerHeaders")["allComposers"][0]["composerId"],
        ID
    );
    let project = &item("glass.localAgentProjects.v1")[0];
    assert_eq!(project["workspace"]["uri"]["fsPath"], there);
    assert_eq!(
        item("glass.localAgentProjectMembership.v1")[ID],
        project["id"]
    );
    assert_ne!(
        item("composer.composerHeaders.version"),
        "1-1",
        "Cursor sees that the table changed"
    );
    assert_eq!(item("cursorAuth/accessToken"), "token-of-a-device");

    story.say(1, 2, "more");
    story.world.deliver();
    assert_eq!(story.texts(0, ID), TWO);
    let composer = story.composer(0, ID).expect("there");
    assert_eq!(
        composer["blobEncryptionKey"], "key-of-a-device",
        "each device keeps its own"
    );
    assert_eq!(composer["text"], "draft-of-a-device");
    assert_eq!(composer["workspaceIdentifier"]["id"], WORKSPACES[0]);
    assert_eq!(story.head(0, ID)["lastUpdatedAt"], 1_788_427_320_000_i64);
    for at in 0..2 {
        assert_eq!(story.world.devices[at].state_of(ID), "here");
        assert_eq!(story.world.devices[at].splits().len(), 0);
    }
}

#[test]
fn a_conversation_waits_until_cursor_has_quit() {
    let mut story = Story::new();
    story.cursor(1, true);
    story.say(0, 2, "more");
    story.world.deliver();
    assert_eq!(story.texts(1, ID), ONE);
    assert_eq!(
        story.world.devices[1].waits_for(ID).as_deref(),
        Some("live")
    );
    // Cursor writes while it runs.
    story
        .database(1)
        .execute(
            "insert into ItemTable values ('composer.composerHeaders.version', '2-1')",
            [],
        )
        .expect("row");
    story.cursor(1, false);
    story.world.deliver();
    assert_eq!(story.texts(1, ID), TWO);
}

#[test]
fn a_conversation_of_a_directory_that_cursor_never_opened_waits_for_that() {
    let mut story = Story::new();
    let workspace = story.user(1).join("workspaceStorage").join(WORKSPACES[1]);
    let away = story.user(1).join("away");
    fs::rename(&workspace, &away).expect("rename");
    let other = "6c2f0c2a-6d34-4c1e-9b0a-3a6f1c2d4e61";
    story.say_in(0, other, 3, "in a new one");
    story.world.deliver();
    assert_eq!(story.conversations(1), [ID]);
    assert_eq!(
        story.world.devices[1].waits_for(other).as_deref(),
        Some("unwritable")
    );
    fs::rename(&away, &workspace).expect("rename");
    story.world.devices[1].poll();
    story.world.deliver();
    assert_eq!(
        story.texts(1, other),
        ["in a new one", "answer to in a new one"]
    );
}

#[test]
fn a_conversation_that_both_continued_becomes_two() {
    let mut story = Story::new();
    story.world.part(0, 1);
    story.say(0, 2, "here");
    story.say(1, 3, "there");
    story.world.meet(0, 1);
    story.world.deliver();
    for at in 0..2 {
        let all = story.conversations(at);
        assert_eq!(all.len(), 2, "device {at}: {all:?}");
        let mut last: Vec<String> = all
            .iter()
            .map(|id| story.texts(at, id)[2].clone())
            .collect();
        last.sort();
        assert_eq!(last, ["here", "there"]);
        for id in &all {
            assert_eq!(
                story.composer(at, id).expect("there")["composerId"],
                id.as_str()
            );
            assert_eq!(story.head(at, id)["composerId"], id.as_str());
        }
    }
}

#[test]
fn what_cursor_stores_beside_a_conversation_never_leaves() {
    let story = Story::new();
    for device in &story.world.devices {
        for (path, bytes) in super::world::tree(&device.home.join(".session-roam")) {
            let bytes = zstd_or_plain(&bytes);
            for word in ["token-of-a-device", "key-of-a-device", "draft-of-a-device"] {
                let found = bytes
                    .windows(word.len())
                    .any(|window| window == word.as_bytes());
                assert!(!found, "{word} in {}", path.display());
            }
        }
    }
}

/// Journals of small frames are stored as they are or compressed; both are searched.
fn zstd_or_plain(bytes: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_vec();
    let magic = 0xFD2F_B528_u32.to_le_bytes();
    let starts: Vec<usize> = (0..bytes.len().saturating_sub(4))
        .filter(|at| bytes[*at..at + 4] == magic)
        .collect();
    for at in starts {
        use std::io::Read;
        let mut out = Vec::new();
        if let Ok(mut decoder) = zstd::Decoder::new(&bytes[at..]) {
            drop(decoder.by_ref().take(8 << 20).read_to_end(&mut out));
        }
        all.extend(out);
    }
    all
}

#[test]
fn a_conversation_that_is_deleted_in_cursor_stays_on_the_other_device() {
    let mut story = Story::new();
    let gone = format!("update cursorDiskKV set value = null where key = 'composerData:{ID}'");
    story.database(0).execute(&gone, []).expect("deleted");
    let file = story.file(0);
    story.world.devices[0].touch(&file);
    story.world.devices[0].settle();
    story.world.deliver();
    assert_eq!(story.texts(1, ID), ONE);
    assert!(
        story.composer(0, ID).is_none(),
        "it does not come back by itself"
    );
}

#[test]
fn a_forgotten_conversation_takes_its_own_blobs_along_and_leaves_those_of_others() {
    let mut story = Story::new();
    let other = "6c2f0c2a-6d34-4c1e-9b0a-3a6f1c2d4e61";
    story.say_in(0, other, 3, "another one");
    story.remember(0, other, &["the system's rules", "what stays"]);
    story.remember(0, ID, &["the system's rules", "a plum-tree"]);
    story.put(
        0,
        &format!("messageRequestContext:{ID}:1"),
        "of a plum-tree",
    );
    let list = json!({ "allComposers": [
        { "composerId": ID, "name": "plum-tree" }, { "composerId": other, "name": "another" },
    ] });
    let workspace = story.user(0).join("workspaceStorage").join(WORKSPACES[0]);
    let workspace = Connection::open(workspace.join("state.vscdb")).expect("database");
    let table = "CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)";
    workspace.execute(table, []).expect("table");
    let entry = "insert into ItemTable values ('composer.composerData', ?1)";
    workspace.execute(entry, [list.to_string()]).expect("row");
    story.world.deliver();
    assert_eq!(story.holding(1, "plum-tree"), 1);
    let session = ID.into();
    let _: Value = story.world.devices[0].ask(Request::Forget { session });
    pass_grace(&mut story.world.devices[0]);
    story.world.deliver();
    for at in 0..2 {
        assert!(story.composer(at, ID).is_none(), "{at}");
        assert_eq!(story.holding(at, "plum-tree"), 0, "{at}");
        for words in ["the system's rules", "what stays"] {
            assert_eq!(story.holding(at, words), 1, "{words} on {at}");
        }
        assert_eq!(story.texts(at, other).len(), 2);
    }
    let sql = "select value from ItemTable where key = 'composer.composerData'";
    let list: String = workspace
        .query_row(sql, [], |row| row.get(0))
        .expect("a list");
    assert!(
        !list.contains("plum-tree") && list.contains("another"),
        "{list}"
    );
}

/// A removal of whatever kind took along the states to which Cursor can return, which do not sync.
#[test]
fn a_conversation_that_moves_keeps_its_earlier_states_until_it_is_forgotten() {
    let mut story = Story::new();
    story.remember_earlier(0, "a plum-tree in a file");
    story.world.deliver();
    assert_eq!(story.holding(1, "plum-tree"), 0, "it does not sync");
    // The same state on the device to which the conversation came.
    story.remember_earlier(1, "a plum-tree in a file");
    let new = story.world.devices[1].home.join("new");
    fs::create_dir_all(&new).expect("dir");
    let workspace = story
        .user(1)
        .join("workspaceStorage/00112233445566778899aabbccddeeff");
    fs::create_dir_all(&workspace).expect("dir");
    let folder = json!({ "folder": format!("file://{}", new.display()) });
    fs::write(workspace.join("workspace.json"), folder.to_string()).expect("write");
    let _: Done = story.world.devices[1].ask(Request::ProjectMap {
        key: "acme/api".into(),
        dir: new.clone(),
    });
    story.world.devices[1].poll();
    let composer = story.composer(1, ID).expect("it moved");
    let path = &composer["workspaceIdentifier"]["uri"]["fsPath"];
    assert_eq!(*path, *new.to_string_lossy());
    assert_eq!(story.holding(1, "plum-tree"), 1);
    let removed = ("removed".to_owned(), String::new());
    assert_eq!(story.forget(), [removed.clone(), removed]);
    assert_eq!(
        [story.holding(0, "plum-tree"), story.holding(1, "plum-tree")],
        [0, 0]
    );
}

/// Such a call is in no journal, and a write took it out of the list.
#[test]
fn a_call_that_did_not_end_stays_in_the_list_when_another_device_continues() {
    let mut story = Story::new();
    let call = json!({ "_v": 3, "type": 2, "bubbleId": "call", "text": "a call",
        "toolFormerData": { "name": "run_terminal_cmd", "status": "pending" } });
    story.put(1, &format!("bubbleId:{ID}:call"), &call.to_string());
    let mut composer = story.composer(1, ID).expect("there");
    let heads = composer["fullConversationHeadersOnly"].as_array_mut();
    heads
        .expect("list")
        .push(json!({ "bubbleId": "call", "type": 2 }));
    story.put(1, &format!("composerData:{ID}"), &composer.to_string());
    let file = story.file(1);
    story.world.devices[1].touch(&file);
    story.world.devices[1].settle();
    story.say(0, 2, "more");
    story.world.deliver();
    assert_eq!(story.texts(1, ID), [&TWO[..], &["a call"]].concat());
    assert_eq!(story.world.devices[1].state_of(ID), "here");
    assert_eq!(story.texts(0, ID), TWO);
}

/// The state of a device that lost a part of it replaced the good one of every other device.
#[test]
fn a_state_that_lost_a_part_takes_none_from_another_device_and_is_made_whole() {
    let mut story = Story::new();
    story.remember(0, ID, &["the system's rules", "a plum-tree"]);
    story.world.deliver();
    let good = story.composer(1, ID).expect("there")["conversationState"].clone();
    assert_ne!(good, "~");
    let gone = "delete from cursorDiskKV where instr(cast(value as text), 'plum-tree')";
    assert_eq!(story.database(0).execute(gone, []).expect("deleted"), 1);
    // Nothing was said, and Cursor wrote the row again.
    let mut composer = story.composer(0, ID).expect("there");
    composer["lastUpdatedAt"] = json!(1_788_427_999_000_i64);
    story.put(0, &format!("composerData:{ID}"), &composer.to_string());
    let file = story.file(0);
    story.world.devices[0].touch(&file);
    story.world.devices[0].settle();
    assert!(story.world.devices[0].has_problem("session_damaged"));
    story.world.deliver();
    let kept = |story: &Story| story.composer(1, ID).expect("there")["conversationState"].clone();
    assert_eq!(kept(&story), good);
    assert_eq!(story.holding(1, "plum-tree"), 1);
    // What continues it there is written with the whole state.
    story.say(1, 2, "more");
    story.world.deliver();
    assert_eq!(story.holding(0, "plum-tree"), 1);
    assert_eq!(
        story.composer(0, ID).expect("there")["conversationState"],
        good
    );
    assert_eq!(story.texts(0, ID), TWO);
}

#[test]
fn a_receipt_says_where_nobody_can_tell_whose_the_blobs_are() {
    let mut story = Story::new();
    story.remember(0, ID, &["a plum-tree"]);
    story.world.deliver();
    // One that cannot be read may name the same.
    story.put(1, "composerData:odd", "{ half a row");
    let [(state, _), (odd, why)] = story.forget();
    assert_eq!((state.as_str(), odd.as_str()), ("removed", "in_store"));
    assert!(why.contains("does not say whose the rest is"), "{why}");
    assert!(story.composer(1, ID).is_none() && story.holding(1, "hello") == 0);
    assert_eq!(story.holding(1, "plum-tree"), 1, "nobody knows whose it is");
    for _ in 0..2 {
        story.world.devices[1].start();
        story.world.devices[1].poll();
        let rows: Vec<ForgottenRow> = story.world.devices[1].ask(Request::Forgotten);
        assert_eq!(rows[0].receipts[0].state.to_string(), "in_store");
    }
}

/// Cursor leaves the blobs of what is deleted in it, and nothing names them any more.
#[test]
fn a_receipt_says_that_cursor_may_have_left_parts_of_what_was_deleted_in_it() {
    let mut story = Story::new();
    let gone = format!("update cursorDiskKV set value = null where key = 'composerData:{ID}'");
    story.database(1).execute(&gone, []).expect("deleted");
    let file = story.file(1);
    story.world.devices[1].touch(&file);
    story.world.devices[1].settle();
    let [(state, _), (deleted, why)] = story.forget();
    assert_eq!((state.as_str(), deleted.as_str()), ("removed", "in_store"));
    assert!(why.contains("state.vscdb"), "{why}");
}

#[test]
fn tables_of_a_later_version_are_read_and_not_written() {
    let mut story = Story::new();
    story
        .database(1)
        .execute("alter table composerHeaders add column next INTEGER", [])
        .expect("column");
    story.cursor(1, false);
    story.say(0, 2, "more");
    story.world.deliver();
    assert_eq!(story.texts(1, ID), ONE);
    let tools: Value = story.world.devices[1].ask(Request::Tools);
    let text = tools.to_string();
    assert!(text.contains("composerHeaders has a column next"), "{text}");
    story.say(1, 3, "read all the same");
    story.world.deliver();
    let rows = story.world.devices[0].sessions();
    assert!(!rows.is_empty());
}

/// Cursor shows the list under `composer.composerHeaders` as long as the table has no row: the first
/// one hid all conversations in that list.
#[test]
fn a_table_that_is_empty_stays_empty_beside_a_list() {
    let mut story = Story::new();
    let database = story.database(1);
    database
        .execute("delete from composerHeaders", [])
        .expect("empty");
    let list =
        json!({ "allComposers": [{ "composerId": "x", "type": "head", "name": "another" }] });
    let put = "insert into ItemTable values ('composer.composerHeaders', ?1)";
    database.execute(put, [list.to_string()]).expect("a list");
    let n_rows = || {
        let sql = "select count(*) from composerHeaders";
        database
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .expect("a number")
    };
    story.say(0, 2, "more");
    story.world.deliver();
    assert_eq!((story.texts(1, ID).len(), n_rows()), (4, 0));
    let list = story
        .value(1, "ItemTable", "composer.composerHeaders")
        .expect("a list");
    let listed = list["allComposers"].as_array().expect("a list").iter();
    let listed: Vec<&str> = listed
        .filter_map(|head| head["composerId"].as_str())
        .collect();
    assert_eq!(listed, [ID, "x"]);
}

#[test]
fn a_damaged_list_is_left_alone() {
    let mut story = Story::new();
    let broken = "{\"allComposers\":[";
    story
        .database(1)
        .execute(
            "insert into ItemTable values ('composer.composerHeaders', ?1)",
            [broken],
        )
        .expect("row");
    story.say(0, 2, "more");
    story.world.deliver();
    assert_eq!(story.texts(1, ID), ONE, "nothing is half written");
    let left = story
        .value(1, "ItemTable", "composer.composerHeaders")
        .expect("there");
    assert_eq!(left, broken);
    assert_eq!(
        story.world.devices[1].waits_for(ID).as_deref(),
        Some("unwritable")
    );
}

#[test]
fn a_row_that_is_only_in_the_log_of_a_running_cursor_is_read() {
    let mut story = Story::new();
    let holder = story.database(0);
    holder
        .execute_batch("pragma wal_autocheckpoint = 0; begin; select 1 from ItemTable; commit;")
        .expect("held");
    story.say(0, 2, "more");
    story.world.deliver();
    assert_eq!(story.texts(1, ID), TWO);
    drop(holder);
}
