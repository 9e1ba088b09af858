//! The adapter on databases made by the tests: listing, stamps, the part of an export that syncs.

use super::writing::has_commit;
use super::*;
use crate::adapter::Stamp;
use rusqlite::Connection;
use serde_json::json;
use std::sync::Arc;

const ID: &str = "ses_df5d4dd33ffeO4lBHE5VP3WIhk";

/// A home with a database in OpenCode's format and a session of one turn.
fn home() -> (tempfile::TempDir, Machine) {
    let dir = tempfile::tempdir().expect("a directory");
    let machine = Machine::at(dir.path());
    let file = &databases(&machine)[0];
    fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
    change(
        &machine,
        "create table session (id text primary key, project_id text, parent_id text, directory text, title text,
             version text, time_updated integer);
         create table message (id text primary key, session_id text, time_created integer, time_updated integer, data text);
         create table part (id text primary key, message_id text, session_id text, time_updated integer, data text);
         create table credential (id text primary key, value text);
         insert into credential values ('c', 'planted-token');
         create index message_session on message (session_id, time_created, id);
         create index part_message on part (message_id, id);
         create index part_session on part (session_id);
         insert into session values ('ses_df5d4dd33ffeO4lBHE5VP3WIhk', 'c0ffee', null, '/home/ada/code/api', 'Hi', '1.18.33', 5);
         insert into message values ('msg_1', 'ses_df5d4dd33ffeO4lBHE5VP3WIhk', 1, 1, '{\"role\":\"user\",\"time\":{\"created\":1}}');
         insert into part values ('prt_1', 'msg_1', 'ses_df5d4dd33ffeO4lBHE5VP3WIhk', 1, '{\"type\":\"text\",\"text\":\"Hi\"}');",
    );
    (dir, machine)
}

/// The test acts as OpenCode.
fn change(machine: &Machine, statements: &str) {
    let connection = Connection::open(&databases(machine)[0]).expect("a database");
    connection.execute_batch(statements).expect("SQL");
}

fn listed(machine: &Machine) -> Listing {
    OpenCode::default().sessions(machine, Which::All)
}

fn stamp(machine: &Machine) -> Stamp {
    listed(machine).found[0].docs[0].stamp
}

#[test]
fn where_the_database_is_on_each_system() {
    let mut machine = Machine::at("/home/ada");
    let data = "/home/ada/.local/share/opencode/opencode.db";
    assert_eq!(
        databases_on(false, &machine),
        [PathBuf::from(data)],
        "Linux and macOS"
    );
    let local = "/home/ada/AppData/Local/opencode/data/opencode.db";
    assert_eq!(
        databases_on(true, &machine),
        [PathBuf::from(data), PathBuf::from(local)],
        "Windows"
    );
    machine.vars.insert("XDG_DATA_HOME".into(), "/data".into());
    assert_eq!(
        databases_on(false, &machine),
        [PathBuf::from("/data/opencode/opencode.db")]
    );
    machine.vars.insert("OPENCODE_DB".into(), "work.db".into());
    assert_eq!(
        databases_on(true, &machine),
        [PathBuf::from("/data/opencode/work.db")]
    );
    machine
        .vars
        .insert("OPENCODE_DB".into(), "/elsewhere/my.db".into());
    assert_eq!(
        databases_on(false, &machine),
        [PathBuf::from("/elsewhere/my.db")]
    );
    machine.vars.insert("OPENCODE_DB".into(), ":memory:".into());
    assert_eq!(databases_on(false, &machine), Vec::<PathBuf>::new());
}

#[test]
fn a_list_that_is_remembered_follows_every_change() {
    let (_dir, machine) = home();
    let tool = OpenCode::default();
    let stamps = || -> Vec<Stamp> {
        tool.sessions(&machine, Which::All)
            .found
            .iter()
            .map(|found| found.docs[0].stamp)
            .collect()
    };
    let first = stamps();
    assert_eq!(stamps(), first);
    // Through a connection that stays open, so that the change is only in the write-ahead log.
    let open = Connection::open(&databases(&machine)[0]).expect("a database");
    open.execute_batch("pragma journal_mode = wal; update session set title = 'Hello'")
        .expect("SQL");
    let second = stamps();
    assert_ne!(second, first);
    open.execute("insert into session select 'ses_2', project_id, null, directory, 'Two', version, 6 from session", [])
        .expect("SQL");
    assert_eq!(stamps().len(), 2);
    drop(open);
    fs::remove_file(&databases(&machine)[0]).expect("removed");
    assert_eq!(stamps(), []);
}

#[test]
fn the_database_and_its_log_are_looked_at_and_nothing_else() {
    let machine = Machine::at("/home/ada");
    let touched = |name: &str| {
        OpenCode::default().touched(
            &machine,
            &Path::new("/home/ada/.local/share/opencode").join(name),
        )
    };
    for name in ["", "opencode.db", "opencode.db-wal"] {
        assert_eq!(touched(name), Touched::Everything, "{name}");
    }
    for name in [
        "opencode.db-shm",
        "auth.json",
        "log/opencode.log",
        "snapshot/x/HEAD",
        "../other",
    ] {
        assert_eq!(touched(name), Touched::Nothing, "{name}");
    }
}

#[test]
fn listing_leaves_the_database_as_it_is_and_says_that_the_program_is_missing() {
    let (_dir, machine) = home();
    let before = fs::read(&databases(&machine)[0]).expect("the database");
    let listing = listed(&machine);
    let codes: Vec<_> = listing
        .problems
        .iter()
        .map(|problem| problem.code.as_str())
        .collect();
    assert_eq!(
        (codes, listing.unknown),
        (vec!["tool_program_missing"], None)
    );
    let found = &listing.found[0];
    assert_eq!(
        (
            found.session.as_str(),
            found.docs.len(),
            found.open_in.as_deref()
        ),
        (ID, 1, None)
    );
    assert_eq!(
        fs::read(&databases(&machine)[0]).expect("the database"),
        before
    );
    assert!(OpenCode::default().read(&machine, found).is_err());
    assert_eq!(listed(&Machine::at("/nobody")).found.len(), 0);
}

#[test]
fn a_stamp_changes_with_what_travels_and_not_while_an_answer_is_written() {
    let (_dir, machine) = home();
    let mut known = vec![stamp(&machine)];
    let same = [
        "update session set time_updated = 6, version = '2'",
        "insert into message values ('msg_2', 'ses_df5d4dd33ffeO4lBHE5VP3WIhk', 2, 2, '{\"role\":\"assistant\",\"time\":{\"created\":2}}')",
        "insert into part values ('prt_2', 'msg_2', 'ses_df5d4dd33ffeO4lBHE5VP3WIhk', 2, '{}')",
        "update part set time_updated = 3 where id = 'prt_2'",
        "insert into message values ('msg_x', 'ses_other', 9, 9, '{}')",
    ];
    for statement in same {
        change(&machine, statement);
        assert_eq!(stamp(&machine), known[0], "{statement}");
    }
    let new = [
        "update message set data = '{\"role\":\"assistant\",\"time\":{\"created\":2,\"completed\":4}}', time_updated = 4 where id = 'msg_2'",
        "update part set time_updated = 5 where id = 'prt_2'",
        "update session set title = 'Ho'",
        "insert into part values ('prt_3', 'msg_1', 'ses_df5d4dd33ffeO4lBHE5VP3WIhk', 1, 'no JSON')",
        "insert into message values ('msg_3', 'ses_df5d4dd33ffeO4lBHE5VP3WIhk', 3, 3, 'no JSON')",
        "delete from message where id = 'msg_1'",
    ];
    for statement in new {
        change(&machine, statement);
        assert!(!known.contains(&stamp(&machine)), "{statement}");
        known.push(stamp(&machine));
    }
    assert!(
        known
            .iter()
            .all(|stamp| Stamp::of(&databases(&machine)[0]).ok() != Some(*stamp))
    );
}

#[test]
fn counting_reads_indexes_and_not_the_rows() {
    let (_dir, machine) = home();
    let store = store(&machine)
        .open(&databases(&machine)[0])
        .expect("opens")
        .expect("is there");
    for query in [
        "select count(*) from message where session_id = ?1",
        "select count(*) from part where session_id = ?1",
    ] {
        let explained = format!("explain query plan {query}");
        let plan: String = store
            .connection
            .query_row(&explained, [ID], |row| row.get(3))
            .expect("a plan");
        assert!(plan.contains("USING COVERING INDEX"), "{plan}");
    }
}

#[test]
fn a_store_of_another_make_is_said_to_be_one() {
    let (_dir, machine) = home();
    change(&machine, "alter table part rename column data to content");
    let listing = listed(&machine);
    let file = databases(&machine)[0].display().to_string();
    assert_eq!(
        listing.unknown,
        Some(format!("the table `part` of {file} has no column `data`"))
    );
    assert_eq!(listing.found.len(), 0);
    fs::write(
        &databases(&machine)[0],
        "no database, but long enough to be taken for one".repeat(100),
    )
    .expect("written");
    assert!(
        listed(&machine)
            .unknown
            .is_some_and(|why| why.contains("cannot be read"))
    );
}

#[test]
fn a_store_that_opencode_is_making_has_no_sessions_and_is_not_of_another_make() {
    let dir = tempfile::tempdir().expect("a directory");
    let machine = Machine::at(dir.path());
    fs::create_dir_all(databases(&machine)[0].parent().expect("a directory")).expect("a directory");
    for statements in [
        "pragma user_version = 1",
        "create table migration (id text primary key)",
    ] {
        change(&machine, statements);
        let listing = listed(&machine);
        assert_eq!(
            (listing.found.len(), listing.unknown),
            (0, None),
            "after {statements}"
        );
    }
    change(&machine, "create table session (id text primary key)");
    assert!(listed(&machine).unknown.is_some(), "then it has tables");
}

/// One such row hid every session of the store.
#[test]
fn values_of_other_types_hide_no_session() {
    let (_dir, machine) = home();
    let odd = format!(
        "insert into message values (null, '{ID}', 7, 'soon', x'00ff'), (x'00ff', '{ID}', 8, null, null),
             ('msg_8', null, 9, 9, '{{}}');
         insert into part values (null, null, '{ID}', 'soon', null), ('prt_8', 'msg_1', x'00ff', null, '{{}}');
         insert into session values (null, 'p', null, '/', 't', 'v', 1), (x'00ff', 'p', null, null, 't', 'v', 'soon');"
    );
    change(&machine, &odd);
    let listing = listed(&machine);
    let ids: Vec<&str> = listing
        .found
        .iter()
        .map(|found| found.session.as_str())
        .collect();
    assert_eq!((ids, listing.unknown), (vec![ID], None));
    let set = store(&machine);
    let read = |database: &Database| {
        rows::home(database, ID)?;
        rows::changed_since(database, (1, "msg_1"))?;
        rows::last_message(database)?;
        rows::content(database, ID)
    };
    set.see(&databases(&machine)[0], read).expect("read");
}

#[test]
fn ids_that_a_program_would_take_for_something_else_are_none() {
    let (_dir, machine) = home();
    change(
        &machine,
        "insert into session values ('--help', 'p', null, '/', 't', 'v', 1), ('ses_a/../b', 'p', null, '/', 't', 'v', 1)",
    );
    assert_eq!(listed(&machine).found.len(), 1);
}

#[test]
fn who_has_a_session_open() {
    let of = |args: &[&str]| Running {
        pid: 7,
        exe: "/opt/opencode".into(),
        cwd: Some("/home/ada/code".into()),
        args: args.iter().map(|word| (*word).to_owned()).collect(),
        ..Running::default()
    };
    let open_in = |running: Running| {
        let machine = Machine {
            apps: Arc::new(vec![running]),
            ..Machine::at("/home/ada")
        };
        Openers::now(&machine).of(ID, Path::new("/home/ada/code/api"))
    };
    let said = "OpenCode is open in /home/ada/code/api (process 7)".to_owned();
    assert_eq!(open_in(of(&["opencode", "api"])), Some(said.clone()));
    assert_eq!(open_in(of(&["opencode", "-s", ID])), Some(said.clone()));
    assert_eq!(
        open_in(Running {
            cwd: Some("/home/ada/code/api".into()),
            ..of(&["opencode"])
        }),
        Some(said)
    );
    assert_eq!(open_in(of(&["opencode"])), None, "another directory");
    assert_eq!(
        open_in(of(&["opencode", "export", ID])),
        None,
        "it ends soon"
    );
    assert_eq!(
        open_in(Running {
            exe: "/usr/bin/vim".into(),
            ..of(&["vim", "api"])
        }),
        None
    );
}

#[test]
fn which_directories_are_checkouts_with_a_commit() {
    let dir = tempfile::tempdir().expect("a directory");
    let repository = dir.path().join("api");
    fs::create_dir_all(repository.join(".git/refs/heads")).expect("a directory");
    fs::create_dir_all(repository.join("src/deep")).expect("a directory");
    let set = |name: &str, text: &str| {
        fs::write(repository.join(".git").join(name), text).expect("written")
    };
    assert!(!has_commit(dir.path()) && !has_commit(&repository));
    set("HEAD", "ref: refs/heads/main\n");
    assert!(!has_commit(&repository), "no commit yet");
    set(
        "refs/heads/main",
        "c01199a62a2582ccc1ee894291e5dd5dc3bce730\n",
    );
    assert!(has_commit(&repository) && has_commit(&repository.join("src/deep")));
    fs::remove_file(repository.join(".git/refs/heads/main")).expect("removed");
    set(
        "packed-refs",
        "# pack-refs\nc01199a62a2582ccc1ee894291e5dd5dc3bce730 refs/heads/main\n",
    );
    assert!(has_commit(&repository), "packed");
    let tree = dir.path().join("tree");
    fs::create_dir_all(repository.join(".git/worktrees/tree")).expect("a directory");
    fs::create_dir_all(&tree).expect("a directory");
    set(
        "worktrees/tree/HEAD",
        "c01199a62a2582ccc1ee894291e5dd5dc3bce730\n",
    );
    set("worktrees/tree/commondir", "../..\n");
    fs::write(tree.join(".git"), "gitdir: ../api/.git/worktrees/tree\n").expect("written");
    assert!(has_commit(&tree), "a worktree");
}

fn exported_session() -> Session {
    let message = |id: &str, role: &str, time: Value, parts: Value| json!({ "info": { "id": id, "sessionID": ID, "role": role, "time": time, "summary": { "diffs": [] } }, "parts": parts });
    let call = json!({ "id": "prt_2", "type": "tool", "tool": "read", "state": {
        "status": "completed", "input": { "filePath": "/a/parser.rs" }, "output": "fn parse() {}" } });
    let export = json!({
        "info": { "id": ID, "projectID": "c0ffee", "directory": "/home/ada/code/api", "path": "", "title": "Hi\nthere",
            "version": "1.18.33", "parentID": "ses_1", "share": { "url": "https://opncd.ai/s/planted-token" },
            "revert": { "messageID": "msg_1" }, "cost": 1, "tokens": {}, "time": { "created": 1, "updated": 99 } },
        "messages": [
            message("msg_1", "user", json!({ "created": 1 }), json!([{ "id": "prt_1", "type": "text", "text": "Look" },
                { "id": "prt_9", "type": "file", "mime": "image/png", "url": "data:image/png;base64,AAAA" }])),
            message("msg_2", "assistant", json!({ "created": 2, "completed": 3 }), json!([
                { "id": "prt_0", "type": "step-start" }, { "id": "prt_1a", "type": "reasoning", "text": "Hm" }, call])),
            message("msg_3", "assistant", json!({ "created": 4 }), json!([{ "id": "prt_3", "type": "text", "text": "The" }])),
        ],
    });
    exported(export.to_string().as_bytes()).expect("a session")
}

#[test]
fn what_of_an_export_travels() {
    let session = exported_session();
    let info: Value = serde_json::from_str(&session.info).expect("JSON");
    let names: Vec<&String> = info.as_object().expect("an object").keys().collect();
    assert_eq!(
        names,
        [
            "agent",
            "directory",
            "id",
            "model",
            "parentID",
            "path",
            "permission",
            "projectID",
            "time",
            "title",
            "version"
        ]
    );
    assert_eq!(info["time"], json!({ "created": 1 }));
    assert_eq!(
        session.messages.len(),
        2,
        "an answer that is being written waits"
    );
    let text = String::from_utf8(session.render()).expect("text");
    assert!(
        !text.contains("planted-token") && !text.contains("summary"),
        "{text}"
    );
    let facts = facts(&session);
    assert_eq!(
        (facts.title.as_deref(), facts.updated),
        (Some("Hi"), Some(Millis(3)))
    );
    assert_eq!(
        (facts.cwd.as_deref(), facts.requires),
        (Some("/home/ada/code/api"), vec![SessionId::new("ses_1")])
    );
}

/// After an undo OpenCode deletes the files that a `patch` names and that its state of the working
/// tree does not have: all of them, if the state is another device's.
#[test]
fn nothing_that_an_undo_restores_travels_or_is_imported() {
    let patch =
        json!({ "id": "prt_4", "type": "patch", "hash": "beef", "files": ["/home/ada/.bashrc"] });
    let state = json!({ "id": "prt_5", "type": "snapshot", "snapshot": "--output=/home/ada/x" });
    let begun = json!({ "id": "prt_6", "type": "step-start", "snapshot": "--output=/home/ada/x" });
    let said = json!({ "id": "prt_7", "type": "text", "text": "Done" });
    let info =
        json!({ "id": "msg_1", "role": "assistant", "time": { "created": 1, "completed": 2 } });
    let whole = json!({
        "info": { "id": ID, "time": { "created": 1 } },
        "messages": [{ "info": info, "parts": [patch, state, begun, said] }],
    });
    // An escaped letter is the same letter.
    let document = whole.to_string().replace("\"patch\"", "\"\\u0070atch\"");
    let exported = exported(document.as_bytes()).expect("a session");
    let imported = writing::readable(document.as_bytes()).expect("a session");
    for session in [exported, imported] {
        let text = String::from_utf8(session.render()).expect("text");
        assert!(
            !text.contains("/home/ada") && text.contains("step-start") && text.contains("Done"),
            "{text}"
        );
    }
}

/// With a `revert`, OpenCode deletes all later messages at the next prompt.
#[test]
fn an_import_sets_what_is_known_and_nothing_that_steers() {
    let info = json!({
        "id": ID, "slug": "neon-squid", "title": "Hi", "version": "1.18.33", "parentID": "ses_1", "metadata": {},
        "time": { "created": 1, "updated": 9, "archived": 3 }, "agent": "deployer", "model": {}, "permission": [],
        "revert": { "messageID": "msg_1" }, "share": { "url": "https://opncd.ai/s/x" }, "workspaceID": "wrk_1", "x": 1,
    });
    let imported = writing::imported(&info.to_string(), Millis(7)).expect("a session");
    let imported: Value = serde_json::from_str(&imported).expect("JSON");
    let wanted = json!({
        "id": ID, "slug": "neon-squid", "title": "Hi", "version": "1.18.33", "parentID": "ses_1", "metadata": {},
        "time": { "created": 1, "updated": 7 },
    });
    assert_eq!(imported, wanted);
    assert_eq!(writing::imported("{\"\\ud800\":0}", Millis(7)), None);
}

#[test]
fn what_was_said() {
    let records = records(&exported_session().render());
    let said: Vec<ParsedMessage<'_>> = records.iter().filter_map(read_message).collect();
    let kinds: Vec<Vec<&str>> = said
        .iter()
        .map(|said| said.pieces.iter().map(|piece| piece.kind).collect())
        .collect();
    assert_eq!(
        kinds,
        [
            vec!["text", "image"],
            vec!["thinking", "tool_use", "tool_result"]
        ]
    );
    assert_eq!(
        (said[0].role.as_str(), said[0].at, said[0].id),
        ("user", Some("1970-01-01T00:00:00.001Z"), Some("msg_1"))
    );
    assert_eq!(said[1].text(), "Hm\n[read] /a/parser.rs\nfn parse() {}");
}

#[test]
fn it_is_resumed_by_its_id_with_the_program_that_is_here() {
    let (dir, machine) = home();
    let session = SessionId::new(ID);
    let resume = |machine: &Machine| {
        OpenCode::default()
            .resume(
                machine,
                &Resumable {
                    session: &session,
                    cwd: dir.path(),
                },
            )
            .argv()
    };
    assert_eq!(resume(&machine), ["opencode", "-s", ID]);
    let name = if cfg!(windows) {
        "opencode.exe"
    } else {
        "opencode"
    };
    let program = dir.path().join(".opencode/bin").join(name);
    fs::create_dir_all(program.parent().expect("a directory")).expect("a directory");
    fs::write(&program, "").expect("written");
    #[cfg(unix)]
    fs::set_permissions(
        &program,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("a program");
    assert_eq!(resume(&machine)[0], program.to_string_lossy());
    let mut machine = machine;
    machine.vars.insert(
        "PATH".into(),
        program
            .parent()
            .expect("a directory")
            .to_string_lossy()
            .into_owned(),
    );
    assert_eq!(resume(&machine)[0], "opencode");
}

/// After each write of OpenCode all sessions were read.
#[test]
fn a_write_costs_the_same_whatever_the_number_of_sessions() {
    let steps = |count: u32| {
        let (_dir, machine) = home();
        let numbers = format!(
            "with recursive c(n) as (values (1) union all select n + 1 from c where n < {count})"
        );
        change(
            &machine,
            &format!(
                "{numbers} insert into session select 'ses_n' || n, 'c0ffee', null, '/x', 'T', '1', 5 from c;
                 {numbers} insert into message select 'msg_n' || n || 'm' || m.k, 'ses_n' || n, m.k, m.k,
                     '{{\"role\":\"user\"}}' from c, (with recursive k(k) as (values (1) union all select k + 1 from k \
                     where k < 10) select k from k) m order by n, m.k;"
            ),
        );
        let set = store(&machine);
        let seen = set.see(&set.databases[0], |database| {
            let (row, id) = rows::last_message(database)?.expect("messages");
            let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
            let counter = counted.clone();
            let count_steps = move || {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                false
            };
            database.connection.progress_handler(1, Some(count_steps));
            let ids = rows::changed_since(database, (row, &id))?.expect("an answer");
            for id in &ids {
                set.rows_in(database, Some(&SessionId::new(id.as_str())))?;
            }
            Ok((
                ids.len(),
                counted.load(std::sync::atomic::Ordering::Relaxed),
            ))
        });
        seen.expect("rows").expect("a database")
    };
    let ((few_ids, few), (many_ids, many)) = (steps(20), steps(2000));
    assert_eq!(few_ids, many_ids);
    assert!(0 < few && many < few + few / 10, "{few} and {many} steps");
}

#[test]
fn changes_are_the_sessions_that_go_on() {
    let (_dir, mut machine) = home();
    let tool = OpenCode::default();
    let ids = |listing: &Listing| -> Vec<String> {
        let ids = listing.found.iter().map(|found| found.session.to_string());
        ids.collect()
    };
    for n in 0..70 {
        change(
            &machine,
            &format!(
                "insert into session values ('ses_{n}', 'c0ffee', null, '/x', 'T', '1', 5);
                 insert into message values ('msg_n{n}', 'ses_{n}', 1, 1, '{{\"role\":\"user\"}}');"
            ),
        );
    }
    let all = tool.sessions(&machine, Which::All);
    let since = all.watermark.clone().expect("a watermark");
    // The first session goes on: a message that is not complete yet, and is completed in its row.
    change(
        &machine,
        &format!(
            "insert into message values ('msg_2', '{ID}', 2, 2, '{{\"role\":\"assistant\",\"time\":{{}}}}')"
        ),
    );
    let begun = tool.changes(&machine, &since).expect("changes");
    assert!(ids(&begun).contains(&ID.to_owned()) && ids(&begun).len() < 70);
    let stamp = |listing: &Listing| {
        let mut found = listing.found.iter();
        let of = found.find(|found| found.session.as_str() == ID);
        of.expect("listed").docs[0].stamp
    };
    let since = begun.watermark.clone().expect("a watermark");
    change(
        &machine,
        "update message set data = '{\"role\":\"assistant\",\"time\":{\"completed\":3}}' where id = 'msg_2'",
    );
    let done = tool.changes(&machine, &since).expect("changes");
    assert_ne!(stamp(&done), stamp(&begun));
    assert_eq!(stamp(&done), stamp(&tool.sessions(&machine, Which::All)));
    // The last message is gone, and another has its number.
    change(
        &machine,
        &format!(
            "delete from message where id = 'msg_2'; insert into message values ('msg_3', '{ID}', 4, 4, '{{}}')"
        ),
    );
    assert!(tool.changes(&machine, &since).is_none());
    // OpenCode was started.
    let since = tool
        .sessions(&machine, Which::All)
        .watermark
        .expect("a watermark");
    assert!(tool.changes(&machine, &since).is_some());
    machine.apps = Arc::new(vec![Running {
        pid: 7,
        exe: "/usr/bin/opencode".into(),
        ..Running::default()
    }]);
    assert!(tool.changes(&machine, &since).is_none());
}
