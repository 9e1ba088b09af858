//! Antigravity's adapter: what is read in bytes from elsewhere, and where nothing is written.

use super::*;
use crate::adapter::Change;
use crate::formats::running::Running;
use crate::merge::transcript::said_in;
use crate::session::{Millis, SessionId};
use rusqlite::Connection;
use std::fs;
use std::sync::Arc;

const ID: &str = "7b1d5c3e-2f4a-4b6c-8d7e-9f0a1b2c3d4e";
const STEPS: &str = "CREATE TABLE steps (idx integer, step_type integer, step_payload blob, PRIMARY KEY (idx)); \
     CREATE TABLE trajectory_metadata_blob (id text, data blob);";

fn bytes_of(sql: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("x.db");
    let made = Connection::open(&path).expect("database");
    made.execute_batch(sql).expect(sql);
    drop(made);
    fs::read(path).expect("bytes")
}

fn shown(content: &[u8]) -> Vec<String> {
    let records = steps::records(content);
    let said = records
        .iter()
        .filter_map(|record| said_in(record, steps::read_message));
    said.map(|said| said.text()).collect()
}

fn write(machine: &Machine, change: Change<'_>) -> Result<Written, WriteError> {
    let (session, name) = (SessionId::new(ID), DocName::new(MAIN));
    let doc = super::super::DocWrite {
        name: &name,
        place: &format!("antigravity-ide/conversations/{ID}.db"),
        change,
    };
    let checkout = Checkout {
        session: &session,
        cwd: &machine.home,
        updated: Millis(0),
        now: Millis(0),
        forgets: false,
        docs: vec![doc],
    };
    Antigravity.write(machine, &checkout)
}

#[test]
fn prompts_answers_and_calls_are_shown_and_what_is_broken_is_not() {
    // 19{2 "hi"}, 20{1 "ok", 7{2 "ls", 3 "{}"}}, one that ends too early, an endless number
    let content = bytes_of(&format!(
        "{STEPS} INSERT INTO steps VALUES (0, 14, x'9a010412026869'), (1, 15, x'a2010e0a026f6b3a0812026c731a027b7d'), \
         (2, 14, x'9a017f12'), (3, 14, x'ffffffffffffffffffffffff'), (4, 8, x'9a010412026e6f'), (5, 14, NULL);"
    ));
    assert_eq!(shown(&content), ["hi", "ok\n[ls]"]);
}

#[test]
fn bytes_from_elsewhere_run_nothing() {
    let endless = "CREATE VIEW steps AS WITH RECURSIVE n(idx) AS (SELECT 0 UNION ALL SELECT idx + 1 FROM n) \
         SELECT idx, 14 AS step_type, x'' AS step_payload FROM n;";
    let computed = "CREATE TABLE steps (idx integer, step_type integer, step_payload blob AS (zeroblob(1000000000)));";
    for sql in [endless, computed, "CREATE TABLE other (a);"] {
        let content = bytes_of(sql);
        assert!(Conversation::of(&content).is_none(), "{sql}");
        assert!(
            shown(&content)[0]
                .starts_with("A database of Antigravity in which nothing can be read")
        );
        let home = tempfile::tempdir().expect("dir");
        let refused = write(&Machine::at(home.path()), Change::Create(&content));
        assert!(
            matches!(refused, Err(WriteError::Refused(_))),
            "{sql}: {refused:?}"
        );
    }
    for cut in [0, 10, 16, 19, 20, 100, 4096, 5000] {
        let content = bytes_of(STEPS);
        drop(steps::records(&content[..cut.min(content.len())]));
    }
    assert!(shown(b"\x01\x02")[0].starts_with("Encrypted by Antigravity: 2 bytes"));
}

#[test]
fn a_database_is_not_put_where_a_log_lies_or_an_older_form_is() {
    let home = tempfile::tempdir().expect("dir");
    let machine = Machine::at(home.path());
    let dir = home.path().join(".gemini/antigravity-ide/conversations");
    fs::create_dir_all(&dir).expect("dir");
    let (content, log) = (bytes_of(STEPS), dir.join(format!("{ID}.db-wal")));
    fs::write(&log, "pages").expect("log");
    let refused = write(&machine, Change::Create(&content)).expect_err("refused");
    assert!(
        refused.to_string().contains("-wal has changes of its own"),
        "{refused}"
    );
    fs::remove_file(log).expect("remove");
    let older = dir.join(format!("{ID}.pb"));
    fs::write(&older, "sealed").expect("older");
    let was = Stamp::of(&older).expect("stamp");
    let refused = write(
        &machine,
        Change::Replace {
            path: &older,
            was,
            bytes: &content,
        },
    )
    .expect_err("refused");
    assert!(
        refused.to_string().ends_with("it is here in another form"),
        "{refused}"
    );
    fs::remove_file(older).expect("remove");
    let written = write(&machine, Change::Create(&content)).expect("written");
    assert_eq!(written.docs[0].1, dir.join(format!("{ID}.db")));
}

#[test]
fn a_conversation_in_both_forms_is_the_database() {
    let home = tempfile::tempdir().expect("dir");
    let machine = Machine::at(home.path());
    let dir = home.path().join(".gemini/antigravity/conversations");
    fs::create_dir_all(&dir).expect("dir");
    fs::write(dir.join(format!("{ID}.pb")), "sealed").expect("older");
    let path = |which| {
        Antigravity.sessions(&machine, which).found[0].docs[0]
            .path
            .clone()
    };
    assert!(path(Which::All).ends_with(format!("{ID}.pb")));
    fs::write(dir.join(format!("{ID}.db")), bytes_of(STEPS)).expect("database");
    let session = SessionId::new(ID);
    for which in [Which::All, Which::One(&session)] {
        assert_eq!(Antigravity.sessions(&machine, which).found.len(), 1);
        assert!(path(which).ends_with(format!("{ID}.db")));
    }
    let log = dir.join(format!("{ID}.db-wal"));
    assert_eq!(
        Antigravity.touched(&machine, &log),
        Touched::Session(session)
    );
}

#[test]
fn the_directory_is_the_first_address_of_this_system() {
    let blob = |uri: &str| {
        let inner: Vec<u8> = [&[0x0a, uri.len() as u8][..], uri.as_bytes()].concat();
        let outer = [&[0x0a, inner.len() as u8][..], &inner].concat();
        let hex: String = outer.iter().map(|byte| format!("{byte:02x}")).collect();
        let content = bytes_of(&format!(
            "{STEPS} INSERT INTO trajectory_metadata_blob VALUES ('main', x'{hex}')"
        ));
        Conversation::of(&content)
            .expect("a conversation")
            .workspaces
    };
    for uri in [
        "file:///home/ada/my%20api",
        "file:///c%3A/Users/ada/api",
        "file:///Users/ada/api",
    ] {
        assert_eq!(blob(uri), [uri]);
    }
    assert_eq!(
        blob("vscode-remote://ssh-remote%2Bbox/home/ada"),
        Vec::<String>::new()
    );
    assert_eq!(
        blob("file://wsl.localhost/Debian/home/ada"),
        Vec::<String>::new()
    );
}

#[test]
fn an_antigravity_that_runs_is_known_by_its_program() {
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
        "/home/ada/.local/bin/agy",
        "/usr/share/antigravity/antigravity",
        "/Applications/Antigravity.app/Contents/MacOS/Electron",
        "/opt/Antigravity IDE/resources/bin/language_server_linux_x64",
        "agy.exe",
    ] {
        assert!(is_open(exe), "{exe}");
    }
    assert!(!is_open("/usr/bin/code") && !is_open("/usr/bin/gemini"));
}

/// Pages that refer to one page many times over, on twenty levels: more rows than could ever be
/// read, in a small file.
#[test]
fn a_circle_of_pages_ends() {
    const PAGE: usize = 512;
    let rows = "INSERT INTO steps SELECT value, 1, zeroblob(40) FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]');";
    let mut content = bytes_of(&format!("PRAGMA page_size = {PAGE}; {STEPS} {rows}"));
    let root = {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("x.db");
        fs::write(&path, &content).expect("write");
        let sql = "SELECT rootpage FROM sqlite_master WHERE name = 'steps'";
        let root = Connection::open(path)
            .expect("open")
            .query_row(sql, [], |row| row.get::<_, usize>(0));
        root.expect("a page")
    };
    let pages = content.len() / PAGE;
    // With rows in it: an empty one would be found out.
    let is_leaf = |page: &usize| {
        let page = &content[(page - 1) * PAGE..];
        page[0] == 13 && page[4] != 0
    };
    let leaf = (2..=pages)
        .find(|page| *page != root && is_leaf(page))
        .expect("a leaf");
    // Each level's page has forty children, all of them the next level's page; the last, the leaf.
    for level in 0..18_usize {
        let (at, child) = match level {
            0 => ((root - 1) * PAGE, pages + 1),
            17 => ((pages + level - 1) * PAGE, leaf),
            _ => ((pages + level - 1) * PAGE, pages + level + 1),
        };
        content.resize(content.len().max(at + PAGE), 0);
        let page = &mut content[at..at + PAGE];
        page.fill(0);
        let (child, cells) = (u32::try_from(child).expect("small").to_be_bytes(), 40_usize);
        let place = PAGE - cells * 5;
        page[0] = 5;
        page[3..5].copy_from_slice(&u16::try_from(cells).expect("small").to_be_bytes());
        page[5..7].copy_from_slice(&u16::try_from(place).expect("small").to_be_bytes());
        page[8..12].copy_from_slice(&child);
        for cell in 0..cells {
            let begin = place + cell * 5;
            page[12 + cell * 2..14 + cell * 2]
                .copy_from_slice(&u16::try_from(begin).expect("small").to_be_bytes());
            page[begin..begin + 4].copy_from_slice(&child);
            page[begin + 4] = u8::try_from(cell).expect("small");
        }
    }
    let pages = u32::try_from(content.len() / PAGE).expect("small");
    content[28..32].copy_from_slice(&pages.to_be_bytes());
    assert!(shown(&content)[0].contains("nothing can be read"));
}
