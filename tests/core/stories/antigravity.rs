//! Conversations of Antigravity: a database each, carried whole with what is only in its log.

use super::world::World;
use rusqlite::Connection;
use session_roam_core::api::Request;
use session_roam_core::api::types::{Done, Shown};
use session_roam_core::tools::Running;
use std::fs;
use std::path::{Path, PathBuf};

const ID: &str = "7b1d5c3e-2f4a-4b6c-8d7e-9f0a1b2c3d4e";
const TABLES: &str = "PRAGMA journal_mode = WAL; CREATE TABLE trajectory_meta (trajectory_id text, cascade_id text); \
     CREATE TABLE steps (idx integer, step_type integer, status integer, permissions blob, step_payload blob, PRIMARY KEY (idx)); \
     CREATE TABLE trajectory_metadata_blob (id text, data blob, PRIMARY KEY (id));";

fn database(home: &Path) -> PathBuf {
    let dir = home.join(".gemini/antigravity-cli/conversations");
    fs::create_dir_all(&dir).expect("dir");
    dir.join(format!("{ID}.db"))
}

/// A field of protobuf; everything here is short.
fn field(number: u8, inside: &[u8]) -> Vec<u8> {
    let key = u32::from(number) << 3 | 2;
    let mut bytes = match key {
        0..128 => vec![key as u8],
        key => vec![key as u8 | 0x80, (key >> 7) as u8],
    };
    bytes.push(u8::try_from(inside.len()).expect("short"));
    bytes.extend(inside);
    bytes
}

fn say(database: &Connection, prompt: &str) {
    let n: i64 = database
        .query_row("SELECT count(*) FROM steps", [], |row| row.get(0))
        .expect("count");
    let payload = field(19, &field(2, prompt.as_bytes()));
    let step = "INSERT INTO steps (idx, step_type, status, step_payload) VALUES (?1, 14, 3, ?2)";
    database.execute(step, (n, payload)).expect("step");
}

fn prompts(path: &Path) -> Vec<String> {
    let database = Connection::open(path).expect("database");
    let mut query = database
        .prepare("SELECT step_payload FROM steps ORDER BY idx")
        .expect("query");
    let rows = query
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .expect("rows");
    rows.map(|row| String::from_utf8_lossy(&row.expect("row")[5..]).into_owned())
        .collect()
}

struct Story {
    world: World,
    paths: [PathBuf; 2],
}

impl Story {
    fn new() -> Self {
        let (mut world, here, _) = World::pair_of_devices();
        let paths = [0, 1].map(|at| database(&world.devices[at].home));
        let own = Connection::open(&paths[0]).expect("database");
        own.execute_batch(TABLES).expect("tables");
        let uri = format!("file://{}", here.to_str().expect("text").replace('\\', "/"));
        let blob = field(1, &field(1, uri.as_bytes()));
        own.execute(
            "INSERT INTO trajectory_metadata_blob VALUES ('main', ?1)",
            [blob],
        )
        .expect("blob");
        say(&own, "hello");
        drop(own);
        world.devices[0].touch(&paths[0]);
        world.deliver();
        Self { world, paths }
    }

    fn continued(&mut self, at: usize, prompt: &str) {
        say(
            &Connection::open(&self.paths[at]).expect("database"),
            prompt,
        );
        let path = self.paths[at].clone();
        self.world.devices[at].touch(&path);
    }

    fn antigravity(&mut self, at: usize, runs: bool) {
        let agy = Running {
            pid: 4711,
            exe: "/home/ada/.local/bin/agy".into(),
            ..Running::default()
        };
        *self.world.devices[at].apps.lock().expect("apps") =
            if runs { vec![agy] } else { Vec::new() };
        self.world.devices[at].poll();
    }
}

#[test]
fn a_conversation_arrives_is_shown_is_continued_and_comes_back() {
    let mut story = Story::new();
    assert_eq!(prompts(&story.paths[1]), ["hello"]);
    assert_eq!(
        story.world.devices[1].row(ID).expect("listed").title,
        "hello"
    );
    story.continued(1, "more");
    story.world.deliver();
    assert_eq!(prompts(&story.paths[0]), ["hello", "more"]);
    let show: Shown = story.world.devices[0].ask(Request::Show {
        session: ID.into(),
        from: 0,
        rows: None,
    });
    let shown: Vec<String> = show
        .messages
        .iter()
        .map(|message| format!("{message:?}"))
        .collect();
    assert!(shown.len() == 2 && shown[1].contains("more"), "{shown:?}");
}

#[test]
fn what_is_only_in_the_log_is_carried_while_antigravity_has_the_database_open() {
    let mut story = Story::new();
    story.antigravity(0, true);
    let own = Connection::open(&story.paths[0]).expect("database");
    own.execute_batch("PRAGMA wal_autocheckpoint = 0")
        .expect("pragma");
    let before = fs::read(&story.paths[0]).expect("file");
    say(&own, "only in the log");
    assert_eq!(fs::read(&story.paths[0]).expect("file"), before);
    let path = story.paths[0].clone();
    story.world.devices[0].touch(&path.with_extension("db-wal"));
    story.world.deliver();
    assert_eq!(prompts(&story.paths[1]), ["hello", "only in the log"]);
    // Put into the file, it is the same and no news.
    let journals = super::world::tree(story.world.devices[0].vault().root());
    drop(own);
    story.antigravity(0, false);
    story.world.devices[0].touch(&path);
    story.world.deliver();
    let after = super::world::tree(story.world.devices[0].vault().root());
    let frames = |tree: &std::collections::BTreeMap<PathBuf, Vec<u8>>| {
        let journals = tree
            .iter()
            .filter(|(path, _)| path.extension().is_some_and(|end| end == "zst"));
        journals.map(|(_, bytes)| bytes.len()).sum::<usize>()
    };
    assert_eq!(frames(&after), frames(&journals));
}

#[test]
fn nothing_is_written_while_antigravity_runs_or_where_a_log_lies() {
    let mut story = Story::new();
    story.antigravity(1, true);
    story.continued(0, "more");
    story.world.deliver();
    assert_eq!(prompts(&story.paths[1]), ["hello"]);
    assert_eq!(
        story.world.devices[1].waits_for(ID).as_deref(),
        Some("live")
    );
    // Antigravity ends without putting its log into the database.
    let log = story.paths[1].with_extension("db-wal");
    fs::write(&log, "pages").expect("log");
    let before = fs::read(&story.paths[1]).expect("file");
    story.antigravity(1, false);
    story.world.deliver();
    assert_eq!(
        fs::read(&story.paths[1]).expect("file"),
        before,
        "the log belongs to this one"
    );
    fs::remove_file(&log).expect("remove");
    story.world.devices[1].touch(&story.paths[1].clone());
    story.world.devices[1].poll();
    story.world.deliver();
    assert_eq!(prompts(&story.paths[1]), ["hello", "more"]);
}

#[test]
fn of_two_that_went_on_each_stays_where_it_is_until_the_user_decides() {
    let mut story = Story::new();
    story.world.part(0, 1);
    story.continued(0, "on desk");
    story.continued(1, "on lap");
    story.world.meet(0, 1);
    assert_eq!(prompts(&story.paths[0]), ["hello", "on desk"]);
    assert_eq!(prompts(&story.paths[1]), ["hello", "on lap"]);
    assert_eq!(story.world.devices[0].splits().len(), 1);
    let _: Done = story.world.devices[0].ask(Request::Resolve {
        session: ID.into(),
        choice: "keep-left".into(),
        branch: None,
        beside: None,
        active: None,
    });
    story.world.deliver();
    let kept = [0, 1].map(|at| prompts(&story.paths[at]));
    assert_eq!(kept[0], kept[1]);
}
