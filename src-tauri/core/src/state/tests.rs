//! The state database: stored data, queries without scanning, and damaged files.

use super::history::{HISTORY_AT_ONCE, HISTORY_KEPT};
use super::rows::list;
use super::*;
use crate::session::{Millis, SessionId, SessionState, SplitState};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// The query plan of each statement.
#[test]
fn no_statement_reads_a_whole_table_without_a_reason() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(dir.path()).expect("open");
    let plan = |sql: &str| -> Vec<String> {
        let mut query = state
            .db
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .expect("a statement of SQLite");
        let params = vec![rusqlite::types::Null; query.parameter_count()];
        let rows = query
            .query_map(rusqlite::params_from_iter(params), |row| row.get(3))
            .expect("a plan");
        rows.collect::<Result<_, _>>().expect("a plan")
    };
    for (name, sql, why) in statements::ALL {
        let plan = plan(sql);
        let reads_all = plan
            .iter()
            .any(|step| step.starts_with("SCAN") && step != "SCAN CONSTANT ROW");
        assert_eq!(reads_all, why.is_some(), "{name}: {plan:?}");
    }
    assert!(
        plan("SELECT key FROM sessions WHERE instr(needs, 'x') > 0")[0].starts_with("SCAN"),
        "it can be told"
    );
    // Every statement in use is in that list.
    let source = include_str!("mod.rs")
        .split("mod tests {")
        .next()
        .expect("the code above");
    for word in ["SELECT ", "INSERT ", "DELETE ", "UPDATE "] {
        assert!(
            !source.contains(word),
            "a statement with {word} stands beside the list"
        );
    }
}

#[test]
fn the_pages_of_the_state_that_were_read_are_freed() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(dir.path()).expect("open");
    for number in 0..500 {
        let name = format!("note {number}");
        state.put_note(&name, &"x".repeat(4000)).expect("put");
    }
    let cached = || {
        let (mut now, mut most) = (0, 0);
        // SAFETY: the handle is that of an open connection, and both pointers are valid.
        let answer = unsafe {
            let (db, what) = (state.db.handle(), rusqlite::ffi::SQLITE_DBSTATUS_CACHE_USED);
            rusqlite::ffi::sqlite3_db_status(db, what, &raw mut now, &raw mut most, 0)
        };
        assert_eq!(answer, rusqlite::ffi::SQLITE_OK);
        now
    };
    let before = cached();
    assert!(1 << 20 < before, "{before}");
    state.shrink_memory();
    assert!(cached() < before / 4, "{before} to {}", cached());
}

/// Field, "cost per session": found by the id kept in a row, not by reading every row.
#[test]
fn sessions_are_found_by_what_they_need_and_counted_without_reading_them() {
    let dir = tempfile::tempdir().expect("tempdir");
    let key = |session: &str| SessionKey::new(&ToolId::new("x"), &SessionId::new(session));
    let put = |state: &State, session: &str, needs: &str, split: &str| {
        let row = Row {
            session: session.into(),
            needs: list(needs, '\n'),
            split: SplitState::parse(split),
            ..Row::default()
        };
        state.put(&key(session), &row, &pack(&1)).expect("put");
    };
    let needing = |state: &State, session: &str| {
        let found = state.needing(session).expect("needing");
        found
            .into_iter()
            .map(|(_, row)| row.session)
            .collect::<Vec<_>>()
    };
    let (state, _) = State::open(dir.path()).expect("open");
    put(&state, "a", "base\n\nother", "");
    put(&state, "b", "other\nother\nother", "B");
    put(&state, "c", "", "-");
    assert_eq!(needing(&state, "other"), ["a", "b"]);
    assert_eq!(needing(&state, "base"), ["a"]);
    assert_eq!(
        (needing(&state, "bas"), needing(&state, "")),
        (vec![], vec![]),
        "by the whole id"
    );
    put(&state, "a", "other", "");
    assert_eq!(
        (needing(&state, "base"), needing(&state, "other").len()),
        (vec![], 2)
    );
    assert_eq!(
        (
            state.count().expect("count"),
            state.open_splits().expect("splits")
        ),
        (3, 1)
    );
    state.hide(&key("b")).expect("hide");
    assert_eq!(
        (needing(&state, "other"), state.count().expect("count")),
        (vec!["a".to_owned()], 2)
    );
    state.show(&key("b")).expect("show");
    state.show(&key("b")).expect("twice is once");
    assert_eq!(
        (
            needing(&state, "other").len(),
            state.count().expect("count")
        ),
        (2, 3)
    );
    state.erase(&key("b")).expect("erase");
    assert_eq!(
        (needing(&state, "other"), state.count().expect("count")),
        (vec!["a".to_owned()], 2)
    );
}

#[test]
fn an_erased_session_leaves_no_byte_in_the_file() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(dir.path()).expect("open");
    let key = SessionKey::new(&ToolId::new("x"), &SessionId::new("s"));
    for title in ["plum one", "plum two"] {
        let row = Row {
            session: "s".into(),
            title: title.into(),
            ..Row::default()
        };
        state.put(&key, &row, &pack(&title)).expect("put");
    }
    let happening = Happening {
        key: key.to_string(),
        session: "plum".into(),
        ..Happening::default()
    };
    state.add_history(&happening).expect("history");
    for aside in ["broken", "broken-wal", "broken.2", "broken.12-shm"] {
        std::fs::write(dir.path().join(format!("state.sqlite.{aside}")), "plum").expect("write");
    }
    let others = ["state.sqlite.broken.mine", "state.sqlite.brokenly"];
    for other in others {
        std::fs::write(dir.path().join(other), "a user's").expect("write");
    }
    state.hide(&key).expect("hide");
    assert_eq!(
        (
            state.count().expect("count"),
            state.history(None, 9).expect("history").len()
        ),
        (0, 0)
    );
    state.show(&key).expect("show");
    state.show(&key).expect("twice is once");
    assert_eq!(
        state.row(&key).expect("row").map(|row| row.title),
        Some("plum two".into())
    );
    assert_eq!(state.history(None, 9).expect("history").len(), 1);
    state.hide(&key).expect("hide");
    state.erase(&key).expect("erase");
    let records = "SELECT count(*) FROM records";
    let left: i64 = state
        .db
        .query_row(records, [], |row| row.get(0))
        .expect("count");
    assert_eq!(left, 0, "a packed record would not be found by its words");
    state.scrub().expect("scrub");
    assert!(others.iter().all(|other| dir.path().join(other).exists()));
    for entry in std::fs::read_dir(dir.path()).expect("dir").flatten() {
        let bytes = std::fs::read(entry.path()).expect("read");
        assert!(
            !bytes.windows(4).any(|word| word == b"plum"),
            "{:?}",
            entry.path()
        );
    }
}

#[test]
fn the_state_of_the_version_before_is_taken_along() {
    let dir = tempfile::tempdir().expect("tempdir");
    let db = Connection::open(dir.path().join("state.sqlite")).expect("open");
    db.execute_batch(
        "CREATE TABLE sessions (
             key TEXT PRIMARY KEY, tool TEXT NOT NULL, session TEXT NOT NULL, project TEXT NOT NULL, title TEXT NOT NULL,
             updated INTEGER NOT NULL, bytes INTEGER NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL, why TEXT NOT NULL,
             hint TEXT NOT NULL, devices TEXT NOT NULL, path TEXT, record TEXT NOT NULL) WITHOUT ROWID;
         INSERT INTO sessions VALUES ('x/k','x','s','p','t',5,7,'elsewhere','deleted_here','w','h','A,B',NULL,'1');
         PRAGMA user_version = 1;",
    )
    .expect("the tables of before");
    drop(db);
    let (state, fresh) = State::open(dir.path()).expect("open");
    assert!(!fresh);
    let rows = state.rows(None).expect("rows");
    let [(key, row)] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    assert_eq!(
        (row.session.as_str(), row.reason, row.devices.join(",")),
        ("s", Some(Reason::DeletedHere), "A,B".into())
    );
    assert_eq!((row.split, row.needs.len()), (SplitState::None, 0));
    state.put(key, row, &pack(&2)).expect("put");
    assert_eq!(state.record::<i32>(key).expect("record"), Some(2));
}

/// The tables of version 3, which kept a session's record in its row. Version 2 lacked the last four
/// statements.
const TABLES_3: &[&str] = &[
    "CREATE TABLE sessions (
        key TEXT PRIMARY KEY, tool TEXT NOT NULL, session TEXT NOT NULL, project TEXT NOT NULL, title TEXT NOT NULL,
        updated INTEGER NOT NULL, bytes INTEGER NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL, why TEXT NOT NULL,
        hint TEXT NOT NULL, split TEXT NOT NULL, needs TEXT NOT NULL, devices TEXT NOT NULL, path TEXT,
        record TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX by_standing ON sessions (state, code, updated DESC, key);
    CREATE INDEX newest ON sessions (updated DESC, key);
    CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE hidden AS SELECT * FROM sessions WHERE 0;
    CREATE INDEX hidden_by_key ON hidden (key);",
    "CREATE TABLE needs (session TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (session, key)) WITHOUT ROWID;",
    "CREATE TABLE counts (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counts VALUES ('sessions', 0), ('by state', 1);",
    "CREATE TRIGGER one_more AFTER INSERT ON sessions
        BEGIN UPDATE counts SET n = n + 1 WHERE name = 'sessions'; END;",
    "CREATE TRIGGER counted_in AFTER INSERT ON sessions
        BEGIN INSERT INTO counts VALUES (new.state || '/' || new.code || '/' || new.tool, 1)
            ON CONFLICT (name) DO UPDATE SET n = n + 1; END;",
];

#[test]
fn the_state_of_earlier_versions_is_taken_along_whole() {
    for (version, tables) in [(2, &TABLES_3[..1]), (3, TABLES_3)] {
        let dir = tempfile::tempdir().expect("tempdir");
        let db = Connection::open(dir.path().join("state.sqlite")).expect("open");
        db.execute_batch(&tables.concat()).expect("the tables");
        let long = "plum ".repeat(2_000);
        let insert = |table: &str, key: &str, needs: &str| {
            let sql = format!(
                "INSERT INTO {table} VALUES ('t/{key}','t','{key}','p','T',5,7,'waiting','no_place','w','h','-','{needs}','A,B','/f','\"{long}{key}\"')"
            );
            db.execute_batch(&sql).expect("a row");
        };
        insert("sessions", "a", "base\nother");
        insert("sessions", "b", "");
        insert("hidden", "c", "");
        if version == 3 {
            db.execute_batch("INSERT INTO needs VALUES ('base','t/a'), ('other','t/a')")
                .expect("needs");
        }
        db.execute_batch(&format!(
            "INSERT INTO notes VALUES ('n','7'); PRAGMA user_version = {version};"
        ))
        .expect("notes");
        drop(db);

        let (state, fresh) = State::open(dir.path()).expect("open");
        assert!(!fresh, "version {version}");
        let key = |hash: &str| SessionKey {
            tool: ToolId::new("t"),
            hash: hash.into(),
        };
        let record = |hash: &str| state.record::<String>(&key(hash)).expect("record");
        assert_eq!(record("a"), Some(format!("{long}a")));
        assert_eq!((record("b"), record("c")), (Some(format!("{long}b")), None));
        let row = state.row(&key("a")).expect("row").expect("a row");
        assert_eq!(
            (row.reason, row.needs.len(), row.updated, row.path),
            (Some(Reason::NoPlace), 2, Millis(5), Some("/f".into()))
        );
        assert_eq!(state.needing("base").expect("needing").len(), 1);
        assert_eq!(state.count().expect("count"), 2);
        let counts = state.counts(SessionState::Waiting).expect("counts");
        assert_eq!(counts.iter().map(|one| one.sessions).sum::<u64>(), 2);
        assert_eq!(state.note::<u8>("n").expect("note"), Some(7));
        state.show(&key("c")).expect("show");
        assert_eq!(record("c"), Some(format!("{long}c")));
        state
            .put(&key("a"), &row_of("a"), &pack(&"new"))
            .expect("put");
        assert_eq!(record("a").as_deref(), Some("new"));
        drop(state);
        let (state, fresh) = State::open(dir.path()).expect("open again");
        assert_eq!((fresh, state.count().expect("count")), (false, 3));
    }
}

fn row_of(session: &str) -> Row {
    Row {
        session: session.into(),
        ..Row::default()
    }
}

#[test]
fn a_file_without_a_complete_record_is_not_here() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(dir.path()).expect("open");
    let tool = ToolId::new("some-tool");
    let put = |session: &str, reason: Option<Reason>, devices: &[&str]| {
        let row = Row {
            reason,
            devices: devices.iter().map(|short| (*short).to_owned()).collect(),
            path: Some(format!("/store/{session}").into()),
            ..row_of(session)
        };
        let key = SessionKey::new(&tool, &SessionId::new(session));
        state.put(&key, &row, &pack(&"record")).expect("put");
        (row.is_unfinished(), key)
    };
    let (_, here) = put("here", None, &["AAAAAAA"]);
    let (_, other) = put("arriving", Some(Reason::Arriving), &["AAAAAAA"]);
    let (is_unfinished, _) = put("unfinished", Some(Reason::Arriving), &[]);
    assert!(is_unfinished);
    let found: BTreeSet<SessionKey> = state.here().expect("read").into_iter().collect();
    assert_eq!(found, [here, other].into());
}

#[test]
fn a_record_is_not_written_again_unless_it_changed_and_goes_with_its_session() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(dir.path()).expect("open");
    let key = |session: &str| SessionKey::new(&ToolId::new("t"), &SessionId::new(session));
    let put = |session: &str, record: &str| {
        let before = state.db.total_changes();
        let put = state.put(&key(session), &row_of(session), &pack(&record));
        put.expect("put");
        state.db.total_changes() - before
    };
    let records = || -> i64 {
        let count = "SELECT count(*) FROM records";
        state
            .db
            .query_row(count, [], |row| row.get(0))
            .expect("count")
    };
    assert!(0 < put("a", "one") && 0 < put("b", "one"));
    assert_eq!((put("a", "one"), put("a", "two")), (0, 1), "its row stays");
    assert_eq!(records(), 2);
    state.hide(&key("a")).expect("hide");
    assert_eq!(
        state.hidden_record::<String>(&key("a")).expect("hidden"),
        Some("two".into())
    );
    // The hidden one counts when a session is both.
    put("a", "three");
    assert_eq!(records(), 3);
    state.show(&key("a")).expect("show");
    assert_eq!(
        state.record::<String>(&key("a")).expect("shown"),
        Some("two".into())
    );
    assert_eq!(records(), 2);
    state.erase(&key("a")).expect("erase");
    state.hide(&key("b")).expect("hide");
    state.erase(&key("b")).expect("erase");
    assert_eq!(records(), 0);
}

#[test]
fn a_broken_file_is_set_aside_and_said_so() {
    let home = tempfile::tempdir().expect("tempdir");
    std::fs::write(
        home.path().join("state.sqlite"),
        b"this is no database, it only looks long enough to be one",
    )
    .expect("write");
    let (state, fresh) = State::open(home.path()).expect("open");
    assert!(fresh && home.path().join("state.sqlite.broken").exists());
    let key = SessionKey::new(&ToolId::new("t"), &SessionId::new("abc"));
    state
        .put(
            &key,
            &Row {
                session: "abc".into(),
                ..Row::default()
            },
            &pack(&1),
        )
        .expect("put");
    assert_eq!(state.record::<i32>(&key).expect("record"), Some(1));
    assert_eq!(state.find("ab").expect("find").len(), 1);
}

/// The names of the files in a home.
fn names(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home).expect("dir").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn every_broken_file_is_kept() {
    let home = tempfile::tempdir().expect("tempdir");
    let file = home.path().join("state.sqlite");
    for text in [
        "the first is no database",
        "the second is no database, either",
    ] {
        std::fs::write(&file, text).expect("write");
        assert!(State::open(home.path()).expect("open").1);
    }
    let kept =
        |name: &str| std::fs::read_to_string(home.path().join(name)).expect("it was set aside");
    assert_eq!(kept("state.sqlite.broken"), "the first is no database");
    assert_eq!(
        kept("state.sqlite.broken.2"),
        "the second is no database, either"
    );

    let newer = Connection::open(&file).expect("open");
    newer
        .execute_batch("PRAGMA user_version = 99")
        .expect("newer");
    drop(newer);
    assert!(
        State::open(home.path()).expect("open").1,
        "of a newer version"
    );
    assert!(names(home.path()).contains(&"state.sqlite.broken.3".to_owned()));
}

/// Its first pages are those of a good database.
#[test]
fn a_file_with_damaged_pages_is_set_aside() {
    let home = tempfile::tempdir().expect("tempdir");
    let file = home.path().join("state.sqlite");
    older_file(home.path());
    drop(State::open(home.path()).expect("open"));
    let mut bytes = std::fs::read(&file).expect("read");
    bytes[4096 * 4..].fill(0x5a);
    std::fs::write(&file, &bytes).expect("damage");
    assert!(State::open(home.path()).expect("open").1);
    assert!(names(home.path()).contains(&"state.sqlite.broken".to_owned()));
}

/// A file of version 3, in the journal mode in which it was kept.
fn older_file(home: &Path) {
    let db = Connection::open(home.join("state.sqlite")).expect("open");
    db.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    db.execute_batch(&TABLES_3.concat()).expect("the tables");
    for key in 0..50u32 {
        // Little of this can be packed.
        let digits =
            (0..1_000u32).map(|at| format!("{:08x}", (at + key).wrapping_pow(3) ^ (at << 20)));
        let record = format!("\"{}\"", digits.collect::<String>());
        let table = if key == 7 { "hidden" } else { "sessions" };
        let sql = format!(
            "INSERT INTO {table} VALUES (?1,'t','s','p','T',5,7,'elsewhere','deleted_here','w','h','-','','A','/f',?2)"
        );
        db.execute(&sql, params![format!("t/{key}"), record])
            .expect("a row");
    }
    db.execute_batch("INSERT INTO notes VALUES ('n','7'); PRAGMA user_version = 3;")
        .expect("a note");
}

#[test]
fn an_update_without_space_leaves_the_file_as_it_was() {
    let home = tempfile::tempdir().expect("tempdir");
    let file = home.path().join("state.sqlite");
    older_file(home.path());
    let before = std::fs::read(&file).expect("read");
    let mut refused = 0;
    // Space for nothing more, for some of the records, and at last for all of them.
    for more in (0..).step_by(5) {
        let opened = State::open_by(home.path(), |path| {
            let db = Connection::open(path)?;
            let pages: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            db.pragma_update(None, "max_page_count", pages + more)?;
            Ok(db)
        });
        let Err(error) = opened else { break };
        refused += 1;
        let told = crate::session::problem::with_causes(&error);
        assert!(
            told.contains("state.sqlite, which was kept") && told.contains("full"),
            "{told}"
        );
        assert!(error.hint().starts_with("Free up disk space"));
        assert_eq!(names(home.path()), ["state.sqlite"]);
        assert!(
            before == std::fs::read(&file).expect("read"),
            "{more} pages"
        );
    }
    assert!(refused > 1);

    let (state, fresh) = State::open(home.path()).expect("open");
    assert_eq!((fresh, state.count().expect("count")), (false, 49));
    let deleted = state.with_reason(Reason::DeletedHere).expect("deleted");
    assert_eq!(deleted.len(), 49);
    let hidden = SessionKey {
        tool: ToolId::new("t"),
        hash: "7".into(),
    };
    assert!(
        state
            .hidden_record::<String>(&hidden)
            .expect("hidden")
            .is_some()
    );
    assert_eq!(state.note::<u8>("n").expect("note"), Some(7));
}

#[test]
fn only_a_file_that_is_at_fault_itself_is_set_aside() {
    use rusqlite::ffi;
    for (code, is_at_fault) in [
        (ffi::SQLITE_FULL, false),
        (ffi::SQLITE_IOERR_READ, false),
        (ffi::SQLITE_IOERR_SHMSIZE, false),
        (ffi::SQLITE_NOMEM, false),
        (ffi::SQLITE_BUSY, false),
        (ffi::SQLITE_LOCKED, false),
        (ffi::SQLITE_CANTOPEN, false),
        (ffi::SQLITE_READONLY_DBMOVED, false),
        (ffi::SQLITE_PERM, false),
        (ffi::SQLITE_ERROR, false),
        (ffi::SQLITE_NOTADB, true),
        (ffi::SQLITE_CORRUPT, true),
        (ffi::SQLITE_CORRUPT_INDEX, true),
    ] {
        let home = tempfile::tempdir().expect("tempdir");
        older_file(home.path());
        let before = std::fs::read(home.path().join("state.sqlite")).expect("read");
        let opened = State::open_by(home.path(), |_| {
            Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
        });
        let error = opened.err().expect("an error");
        assert_eq!(matches!(error, StateError::Open { .. }), !is_at_fault);
        let kept = ["state.sqlite", "state.sqlite.broken"][usize::from(is_at_fault)];
        assert_eq!(names(home.path()), [kept], "code {code}");
        assert!(before == std::fs::read(home.path().join(kept)).expect("read"));
    }
}

#[test]
fn the_newest_sessions_of_others_are_found_and_happenings_counted() {
    let home = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(home.path()).expect("open");
    for (at, devices) in ["OWN", "OTHER", "OWN,OTHER", "", "OTHER"]
        .into_iter()
        .enumerate()
    {
        let session = format!("s{at}");
        let key = SessionKey::new(&ToolId::new("t"), &SessionId::new(&session));
        let (updated, devices) = (Millis(at as i64), list(devices, ','));
        state
            .put(
                &key,
                &Row {
                    session,
                    updated,
                    devices,
                    ..Row::default()
                },
                &pack(&1),
            )
            .expect("put");
    }
    let newest = |limit| {
        let found = state.newest_of_others("OWN", limit).expect("newest");
        found
            .into_iter()
            .map(|(_, row)| row.session)
            .collect::<Vec<_>>()
    };
    assert_eq!(newest(9), ["s4", "s2", "s1"]);
    assert_eq!(newest(1), ["s4"]);
    assert_eq!(state.happenings().expect("none"), 0);
    for _ in 0..3 {
        state
            .add_history(&Happening {
                at: Millis(1),
                ..Happening::default()
            })
            .expect("happened");
    }
    assert_eq!(state.happenings().expect("three"), 3);
}

#[test]
fn sessions_that_wait_are_found_by_code_state_and_project() {
    let home = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(home.path()).expect("open");
    let put = |session: &str, project: &str, reason: Option<Reason>| {
        let key = SessionKey::new(&ToolId::new("t"), &SessionId::new(session));
        let state_of = |_| SessionState::Waiting;
        let row = Row {
            session: session.into(),
            project: project.into(),
            state: reason.map_or(SessionState::Here, state_of),
            reason,
            ..Row::default()
        };
        state.put(&key, &row, &pack(&1)).expect("put");
    };
    put("a", "api", Some(Reason::NoPlace));
    put("b", "api", Some(Reason::NoPlace));
    put("c", "web", Some(Reason::NoPlace));
    put("d", "web", None);
    let projects = |found: Vec<(SessionKey, Row)>| {
        found
            .into_iter()
            .map(|(_, row)| row.project)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        projects(
            state
                .one_of_each_project(Reason::NoPlace)
                .expect("one of each")
        ),
        ["api", "web"]
    );
    assert_eq!(
        state.with_reason(Reason::NoPlace).expect("with code").len(),
        3
    );
    assert_eq!(
        state
            .newest_with(SessionState::Waiting, Some(Reason::NoPlace), 9)
            .expect("with state")
            .len(),
        3
    );
    put("c", "web", None);
    assert_eq!(
        projects(
            state
                .one_of_each_project(Reason::NoPlace)
                .expect("one of each")
        ),
        ["api"]
    );
    assert_eq!(state.count().expect("count"), 4);
}

/// A status is asked for all the time: the numbers must be there without counting.
#[test]
fn sessions_are_counted_by_state_reason_and_tool_as_they_change() {
    let home = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(home.path()).expect("open");
    let key = |session: &str| SessionKey::new(&ToolId::new("t"), &SessionId::new(session));
    let put = |session: &str, stands: SessionState, reason: Option<Reason>| {
        let row = Row {
            session: session.into(),
            state: stands,
            reason,
            ..Row::default()
        };
        state.put(&key(session), &row, &pack(&1)).expect("put");
    };
    let waiting = |state: &State| {
        let counts = state.counts(SessionState::Waiting).expect("counts");
        let counts = counts
            .into_iter()
            .map(|count| (count.reason, count.sessions));
        counts.collect::<Vec<_>>()
    };
    put("a", SessionState::Waiting, Some(Reason::NoPlace));
    put("b", SessionState::Waiting, Some(Reason::NoPlace));
    put("c", SessionState::Waiting, Some(Reason::Live));
    put("d", SessionState::Here, None);
    let (no_place, live) = (Some(Reason::NoPlace), Some(Reason::Live));
    assert_eq!(waiting(&state), [(live, 1), (no_place, 2)]);
    put("b", SessionState::Waiting, live);
    put("b", SessionState::Waiting, live);
    assert_eq!(waiting(&state), [(live, 2), (no_place, 1)]);
    put("a", SessionState::Here, None);
    assert_eq!(waiting(&state), [(live, 2)]);
    state.hide(&key("c")).expect("hide");
    assert_eq!(waiting(&state), [(live, 1)]);
    state.show(&key("c")).expect("show");
    state.erase(&key("b")).expect("erase");
    assert_eq!(waiting(&state), [(live, 1)]);
    let newest = state
        .newest_with(SessionState::Waiting, live, 9)
        .expect("newest");
    assert_eq!(newest.len(), 1);

    // A file of a version that did not count.
    let drop_counts =
        "DROP TRIGGER counted_in; DROP TRIGGER counted_out; DROP TRIGGER counted_over;
        DELETE FROM counts WHERE name <> 'sessions';";
    state.db.execute_batch(drop_counts).expect("as before");
    drop(state);
    let (state, _) = State::open(home.path()).expect("open");
    assert_eq!(waiting(&state), [(live, 1)]);
    assert_eq!(state.count().expect("count"), 3);
}

#[test]
fn a_list_is_read_in_pages_by_a_second_connection_while_the_first_writes() {
    let home = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(home.path()).expect("open");
    for at in 0..10 {
        let session = format!("s{at}");
        let key = SessionKey::new(&ToolId::new("t"), &SessionId::new(&session));
        // Two sessions of each time: their keys decide.
        let row = Row {
            session,
            updated: Millis(at / 2),
            ..Row::default()
        };
        state.put(&key, &row, &pack(&1)).expect("put");
    }
    let expected: Vec<SessionKey> = state
        .rows(None)
        .expect("rows")
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    let beside = State::beside(state.path()).expect("beside");
    let (mut found, mut after): (Vec<SessionKey>, Option<(Millis, SessionKey)>) =
        Default::default();
    loop {
        let mut page = Vec::new();
        let from = after.as_ref().map(|(updated, key)| (*updated, key));
        beside
            .each_from(from, |key, row| {
                page.push((row.updated, key));
                match page.len() {
                    3 => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            })
            .expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        found.extend(page.into_iter().map(|(_, key)| key));
    }
    assert_eq!(found, expected);
    assert!(beside.put_note("x", &1).is_err(), "it only reads");
    state.put_note("x", &1).expect("the first one writes");
    assert_eq!(beside.note::<u32>("x").expect("committed"), Some(1));
}

#[test]
fn what_was_complete_is_known_again_and_forgotten_with_its_session() {
    let home = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(home.path()).expect("open");
    let key = |session: &str| SessionKey::new(&ToolId::new("t"), &SessionId::new(session));
    let seen = |store: u64| Seen {
        store,
        vault: !store,
    };
    for (at, session) in ["a", "b", "c"].into_iter().enumerate() {
        let row = Row {
            session: session.into(),
            ..Row::default()
        };
        state.put(&key(session), &row, &pack(&1)).expect("put");
        state
            .put_seen(&key(session), seen(at as u64))
            .expect("seen");
    }
    state.put_seen(&key("a"), seen(u64::MAX)).expect("seen");
    state.unsee(&key("b")).expect("unsee");
    assert_eq!(state.seen().expect("seen").len(), 2);
    state.hide(&key("c")).expect("hide");
    assert_eq!(state.seen().expect("seen"), [(key("a"), seen(u64::MAX))]);
    state.unsee_all().expect("all");
    assert_eq!(state.seen().expect("seen"), []);
}

#[test]
fn old_happenings_go_and_their_number_never_becomes_smaller() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let home = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(home.path()).expect("open");
    let add = |n: i64, at: i64| {
        let happening = |n: i64| Happening {
            at: Millis(at + n),
            key: format!("t/{n}"),
            ..Happening::default()
        };
        let all = |state: &State| (0..n).try_for_each(|n| state.add_history(&happening(n)));
        state.together(all).expect("added");
    };
    let rows = || -> i64 {
        let count = "SELECT count(*) FROM history";
        state
            .db
            .query_row(count, [], |row| row.get(0))
            .expect("count")
    };
    let (bound, now) = (i64::from(HISTORY_KEPT), Millis(1000 * DAY));
    add(bound, 0);
    assert_eq!(state.trim_history(now).expect("trim"), 0, "they are few");
    add(bound / 2, now.0 - 89 * DAY);
    let before = state.happenings().expect("number");
    assert_eq!(before, bound.unsigned_abs() * 3 / 2);
    let mut polls = 0;
    while 0 < state.trim_history(now).expect("trim") {
        polls += 1;
        assert!(state.happenings().expect("number") == before);
    }
    assert_eq!((rows(), polls), (bound, bound / 2 / HISTORY_AT_ONCE));
    add(bound, now.0 - 80 * DAY);
    while 0 < state.trim_history(now).expect("trim") {}
    assert_eq!(rows(), bound * 3 / 2, "none of them is old");
    state.scrub().expect("scrub");
    let after = state.happenings().expect("number");
    assert_eq!(after, before + bound.unsigned_abs());
    drop(state);
    let (state, _) = State::open(home.path()).expect("open");
    assert_eq!(state.happenings().expect("number"), after);
}

/// The receipt for a forgotten session states that nothing is left in any file.
#[test]
fn a_list_that_is_being_read_does_not_keep_erased_data_unnoticed() {
    let home = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(home.path()).expect("open");
    state.db.busy_timeout(Duration::ZERO).expect("no waiting");
    let key = SessionKey::new(&ToolId::new("t"), &SessionId::new("s"));
    state.put(&key, &Row::default(), &pack(&1)).expect("put");
    let beside = State::beside(state.path()).expect("beside");
    let mut scrubbed = None;
    beside
        .each_from(None, |_, _| {
            state.erase(&key).expect("erase");
            scrubbed = Some(state.scrub());
            ControlFlow::Break(())
        })
        .expect("read");
    assert!(
        scrubbed.expect("a row").is_err(),
        "not everything is gone yet"
    );
    state.scrub().expect("nobody reads it any more");
}

#[test]
fn what_is_gathered_is_saved_as_one_and_a_failure_takes_back_its_own_part_only() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (state, _) = State::open(dir.path()).expect("open");
    let beside = State::beside(state.path()).expect("open");
    let note = |state: &State| state.note::<u8>("n").expect("read");
    state
        .gather(|state| state.put_note("n", &1))
        .expect("gathered");
    let failed = state.gather(|state| {
        state.put_note("n", &2)?;
        Err::<(), _>(state.error(rusqlite::Error::InvalidQuery))
    });
    assert!(failed.is_err());
    assert_eq!((note(&state), note(&beside)), (Some(1), None));
    // Whatever else is written meanwhile is part of it.
    state
        .together(|state| state.put_note("m", &3))
        .expect("written");
    state.commit().expect("saved");
    assert_eq!(
        (note(&beside), beside.note("m").expect("read")),
        (Some(1), Some(3))
    );
    state.commit().expect("nothing to save");
    state
        .gather(|state| state.put_note("n", &4))
        .expect("gathered");
    drop(state);
    assert_eq!(note(&beside), Some(1), "the process ended before");
}
