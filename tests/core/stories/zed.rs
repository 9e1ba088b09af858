//! Threads of Zed: rows of a database that a running Zed owns, each with a line in the sidebar.

use super::world::World;
use crate::conformance::cases::packed;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use session_roam_core::formats::vscode::System;
use session_roam_core::tools::Running;
use std::fs;
use std::path::{Path, PathBuf};

const ID: &str = "6f1c0b2e-1a2b-4c3d-8e4f-0123456789ab";
const TOKEN: &str = "planted-token";

const THREADS: &str = "CREATE TABLE threads (id TEXT PRIMARY KEY, summary TEXT NOT NULL, updated_at TEXT NOT NULL, \
     data_type TEXT NOT NULL, data BLOB NOT NULL); ALTER TABLE threads ADD COLUMN parent_id TEXT; \
     ALTER TABLE threads ADD COLUMN folder_paths TEXT; ALTER TABLE threads ADD COLUMN folder_paths_order TEXT; \
     ALTER TABLE threads ADD COLUMN created_at TEXT;";

const SIDEBAR: &str = "PRAGMA journal_mode = WAL; CREATE TABLE sidebar_threads (thread_id BLOB PRIMARY KEY, session_id TEXT, \
     agent_id TEXT, title TEXT NOT NULL, updated_at TEXT NOT NULL, created_at TEXT, folder_paths TEXT, \
     folder_paths_order TEXT, archived INTEGER DEFAULT 0, main_worktree_paths TEXT, main_worktree_paths_order TEXT, \
     remote_connection TEXT) STRICT; ALTER TABLE sidebar_threads ADD COLUMN interacted_at TEXT; \
     ALTER TABLE sidebar_threads ADD COLUMN title_override TEXT;";

fn data(home: &Path) -> PathBuf {
    home.join(match System::HERE {
        System::Linux => ".local/share/zed",
        System::Mac => "Library/Application Support/Zed",
        System::Windows => "AppData/Local/Zed",
    })
}

struct Story {
    world: World,
    cwds: [PathBuf; 2],
}

impl Story {
    /// Two devices on which Zed was used; the first has a thread, which has arrived on the other.
    fn new() -> Self {
        let (mut world, here, there) = World::pair_of_devices();
        for device in &mut world.devices {
            let data = data(&device.home);
            for (place, sql) in [
                ("threads/threads.db", THREADS),
                ("db/0-stable/db.sqlite", SIDEBAR),
            ] {
                let path = data.join(place);
                fs::create_dir_all(path.parent().expect("dir")).expect("dir");
                open(&path).execute_batch(sql).expect("tables");
            }
        }
        let mut story = Self {
            world,
            cwds: [here, there],
        };
        story.write(0, ID, &thread(&["hello"]), true);
        story.world.deliver();
        story
    }

    fn threads(&self, at: usize) -> PathBuf {
        data(&self.world.devices[at].home).join("threads/threads.db")
    }

    fn sidebar(&self, at: usize) -> Connection {
        open(&data(&self.world.devices[at].home).join("db/0-stable/db.sqlite"))
    }

    /// Zed saves a thread; a new one gets a line in the sidebar.
    fn write(&mut self, at: usize, id: &str, thread: &Value, is_new: bool) {
        let cwd = self.cwds[at].to_str().expect("text").to_owned();
        let (title, updated) = (thread["title"].as_str(), thread["updated_at"].as_str());
        let json = thread.to_string().replace('\'', "''");
        let save = packed(&format!(
            "INSERT INTO threads (id, folder_paths, folder_paths_order, summary, updated_at, data_type, data, created_at) \
             VALUES (?1, ?2, '0', ?3, ?4, 'zstd', packed'{json}', ?4) ON CONFLICT(id) DO UPDATE SET \
             summary = excluded.summary, updated_at = excluded.updated_at, data = excluded.data"
        ));
        let path = self.threads(at);
        open(&path)
            .execute(&save, params![id, cwd, title, updated])
            .expect("saved");
        if is_new {
            let line = "INSERT INTO sidebar_threads (thread_id, session_id, title, updated_at, folder_paths, folder_paths_order) \
                        VALUES (randomblob(16), ?1, ?2, ?3, ?4, '0')";
            self.sidebar(at)
                .execute(line, params![id, title, updated, cwd])
                .expect("line");
        }
        self.world.devices[at].touch(&path);
    }

    fn thread(&self, at: usize, id: &str) -> Option<Value> {
        let read = open(&self.threads(at)).query_row(
            "SELECT data FROM threads WHERE id = ?1 AND data_type = 'zstd' AND typeof(data) = 'blob'",
            [id],
            |row| row.get::<_, Vec<u8>>(0),
        );
        let json = zstd::decode_all(&read.optional().expect("read")?[..]).expect("zstd");
        Some(serde_json::from_slice(&json).expect("JSON"))
    }

    fn said(&self, at: usize, id: &str) -> Vec<String> {
        let thread = self.thread(at, id).unwrap_or_default();
        let messages = thread["messages"].as_array().cloned().unwrap_or_default();
        let text = |message: &Value| {
            message
                .pointer("/User/content/0/Text")?
                .as_str()
                .map(str::to_owned)
        };
        messages.iter().filter_map(text).collect()
    }

    fn ids(&self, at: usize) -> Vec<String> {
        let connection = open(&self.threads(at));
        let mut query = connection
            .prepare("SELECT id FROM threads ORDER BY id")
            .expect("query");
        let rows = query.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<Result<_, _>>().expect("ids")
    }

    fn folder(&self, at: usize, id: &str) -> String {
        let sql = "SELECT folder_paths FROM threads WHERE id = ?1";
        open(&self.threads(at))
            .query_row(sql, [id], |row| row.get(0))
            .expect("a folder")
    }

    /// The titles and directories of a thread in a sidebar.
    fn lines(&self, at: usize, id: &str) -> Vec<(String, String)> {
        let connection = self.sidebar(at);
        let sql = "SELECT title, folder_paths FROM sidebar_threads WHERE session_id = ?1 AND typeof(thread_id) = 'blob'";
        let mut query = connection.prepare(sql).expect("query");
        let rows = query
            .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("rows");
        rows.collect::<Result<_, _>>().expect("lines")
    }

    fn zed(&mut self, at: usize, runs: bool) {
        let zed = Running {
            pid: 4711,
            exe: "/home/ada/.local/zed.app/libexec/zed-editor".into(),
            ..Running::default()
        };
        *self.world.devices[at].apps.lock().expect("apps") =
            if runs { vec![zed] } else { Vec::new() };
        self.world.devices[at].poll();
    }

    fn is_in_a_vault(&self, word: &str) -> bool {
        self.world.devices.iter().any(|device| {
            let journals = super::world::tree(device.vault().root());
            let unpacked = journals
                .values()
                .filter_map(|bytes| zstd::decode_all(&bytes[..]).ok());
            let all = journals
                .values()
                .cloned()
                .chain(unpacked.collect::<Vec<_>>());
            all.into_iter().any(|bytes| {
                bytes
                    .windows(word.len())
                    .any(|part| part == word.as_bytes())
            })
        })
    }
}

fn open(path: &Path) -> Connection {
    Connection::open(path).expect("database")
}

/// A thread as Zed saves it, with what must not leave its device.
fn thread(prompts: &[&str]) -> Value {
    let messages: Vec<Value> = prompts
        .iter()
        .flat_map(|prompt| {
            [
                json!({ "User": { "id": format!("u-{prompt}"), "content": [{ "Text": prompt }] } }),
                json!({ "Agent": { "content": [{ "Text": format!("answer to {prompt}") }], "tool_results": {}, "reasoning_details": null } }),
            ]
        })
        .collect();
    json!({
        "title": "The parser's test", "messages": messages, "updated_at": format!("2026-10-03T09:{:02}:00Z", prompts.len()),
        "detailed_summary": null, "version": "0.3.0", "profile": "write", "model": { "provider": "p", "model": "m" },
        "speed": null, "thinking_enabled": true, "thinking_effort": null, "subagent_context": null,
        "sandbox_grants": { "write_paths": ["/"], "unsandboxed": true },
        "sandboxed_terminal_temp_dir": format!("/tmp/{TOKEN}"), "draft_prompt": [{ "type": "text", "text": TOKEN }],
        "initial_project_snapshot": { "worktree_snapshots": [{ "worktree_path": "/w", "git_state": {
            "remote_url": format!("https://u:{TOKEN}@github.com/acme/api.git"), "diff": TOKEN } }], "timestamp": "2026-10-03T09:00:00Z" },
        "a_later_field": TOKEN,
    })
}

#[test]
fn a_thread_arrives_in_this_checkout_and_in_the_sidebar_is_continued_and_comes_back() {
    let mut story = Story::new();
    let [here, there] = story
        .cwds
        .clone()
        .map(|cwd| cwd.to_str().expect("text").to_owned());
    let arrived = story.thread(1, ID).expect("it arrived");
    assert_eq!(story.said(1, ID), ["hello"]);
    assert_eq!(story.folder(1, ID), there);
    assert_eq!(
        story.lines(1, ID),
        [("The parser's test".to_owned(), there)]
    );
    for (name, value) in [
        ("profile", json!(null)),
        ("model", json!(null)),
        ("sandbox_grants", json!({})),
        ("thinking_enabled", json!(false)),
    ] {
        assert_eq!(arrived[name], value, "{name} is not the author's");
    }
    for name in [
        "sandboxed_terminal_temp_dir",
        "draft_prompt",
        "initial_project_snapshot",
        "a_later_field",
    ] {
        assert_eq!(arrived.get(name), None, "{name} stays at home");
    }

    let mut more = thread(&["hello", "more"]);
    more["profile"] = json!("ask");
    story.write(1, ID, &more, false);
    story.world.deliver();
    assert_eq!(story.said(0, ID), ["hello", "more"]);
    let back = story.thread(0, ID).expect("it is here");
    assert_eq!(
        (&back["profile"], &back["sandbox_grants"]["unsandboxed"]),
        (&json!("write"), &json!(true))
    );
    assert_eq!(
        back["a_later_field"], TOKEN,
        "what is this device's own stays"
    );
    assert_eq!(story.folder(0, ID), here);
    assert_eq!(story.lines(0, ID).len(), 1);
    assert!(story.is_in_a_vault("hello"));
    assert!(!story.is_in_a_vault(TOKEN), "no token is in a vault");
}

#[test]
fn a_thread_waits_until_zed_has_quit() {
    let mut story = Story::new();
    story.zed(1, true);
    story.write(0, ID, &thread(&["hello", "more"]), false);
    story.world.deliver();
    assert_eq!(story.said(1, ID), ["hello"]);
    assert_eq!(
        story.world.devices[1].waits_for(ID).as_deref(),
        Some("live")
    );
    story.zed(1, false);
    story.world.deliver();
    assert_eq!(story.said(1, ID), ["hello", "more"]);
}

#[test]
fn what_both_continued_becomes_a_thread_of_its_own_in_the_list_too() {
    let mut story = Story::new();
    story.world.part(0, 1);
    story.write(0, ID, &thread(&["hello", "on desk"]), false);
    story.write(1, ID, &thread(&["hello", "on lap"]), false);
    story.world.meet(0, 1);
    assert_eq!((story.ids(0).len(), story.ids(0)), (2, story.ids(1)));
    for at in [0, 1] {
        let mut all: Vec<_> = story.ids(at).iter().map(|id| story.said(at, id)).collect();
        all.sort();
        assert_eq!(all, [["hello", "on desk"], ["hello", "on lap"]], "on {at}");
        for id in story.ids(at) {
            assert_eq!(story.lines(at, &id).len(), 1, "{id} on {at}");
            assert_eq!(
                story.folder(at, &id),
                story.cwds[at].to_str().expect("text")
            );
        }
    }
    assert_eq!(story.world.devices[0].splits().len(), 1);
}

#[test]
fn a_thread_that_one_continued_while_the_other_named_it_stays_one() {
    let mut story = Story::new();
    story.world.part(0, 1);
    story.write(0, ID, &thread(&["hello", "more"]), false);
    let mut named = thread(&["hello"]);
    (named["title"], named["updated_at"]) = (json!("Another name"), json!("2026-10-03T09:30:00Z"));
    story.write(1, ID, &named, false);
    story.world.meet(0, 1);
    for at in [0, 1] {
        assert_eq!(story.ids(at), [ID]);
        assert_eq!(story.said(at, ID), ["hello", "more"]);
    }
}

#[test]
fn a_database_that_is_damaged_or_of_another_form_is_left_alone_and_reported() {
    let mut story = Story::new();
    let path = story.threads(1);
    open(&path)
        .execute_batch("ALTER TABLE threads ADD COLUMN powers TEXT")
        .expect("sql");
    let unknown = fs::read(&path).expect("read");
    story.world.devices[1].touch(&path);
    story.write(0, ID, &thread(&["hello", "more"]), false);
    story.world.deliver();
    assert_eq!(fs::read(&path).expect("read"), unknown);
    assert_eq!(
        story.world.devices[1].waits_for(ID).as_deref(),
        Some("unknown_shape")
    );

    let damaged = "no database at all, ".repeat(100);
    fs::write(&path, &damaged).expect("write");
    story.world.devices[1].touch(&path);
    story.world.deliver();
    assert_eq!(fs::read_to_string(&path).expect("read"), damaged);
    assert_eq!(
        story.world.devices[1].waits_for(ID).as_deref(),
        Some("unknown_shape")
    );
    assert!(
        story.world.devices[1].status().held.is_empty(),
        "what cannot be read is not gone"
    );
}
