//! The promises of Cline's adapter beyond those that `tests/core/conformance/mod.rs` asks of every tool.

use super::*;
use serde_json::json;
use std::sync::Arc;

const ID: &str = "1795467108680_7jsyp";
const TASK: &str = "1758540123456";
const AUTHORS: &str = "/home/bob/.cline/data/sessions/1795467108680_7jsyp/1795467108680_7jsyp";

fn manifest() -> Value {
    json!({
        "version": 1, "session_id": ID, "source": "cli", "pid": 4712, "started_at": "2026-11-23T20:51:48.686Z",
        "status": "idle", "cwd": "/home/bob/api", "workspace_root": "/home/bob/api",
        "prompt": "<user_input mode=\"act\">Say hello</user_input>",
        "messages_path": format!("{AUTHORS}.messages.json"),
        "compaction_path": format!("{AUTHORS}.compaction.json"),
    })
}

fn conversation(texts: &[&str], time: &str) -> Vec<u8> {
    let message =
        |text: &&str| json!({"role": "user", "content": [{"type": "text", "text": text}]});
    let messages: Vec<Value> = texts.iter().map(message).collect();
    json!({"version": 1, "updated_at": time, "messages": messages, "system_prompt": time})
        .to_string()
        .into_bytes()
}

/// The doc that a file of a session's directory is.
fn doc_in_session(id: &str, file: &str) -> Option<String> {
    let machine = Machine::at("/home/u");
    let (doc, _) = session_store(&machine).doc(&format!("{id}/{file}"))?;
    Some(doc.to_string())
}

/// The reverse of `doc_in_session`.
fn file_of_session(id: &str, doc: &str) -> Option<String> {
    let machine = Machine::at("/home/u");
    let store = session_store(&machine);
    let at = store.in_group(&SessionId::new(id), "");
    let (_, path) = store.place(&at, &DocName::new(doc)).ok()?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

struct Store {
    dir: tempfile::TempDir,
    machine: Machine,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        Self {
            machine: Machine::at(dir.path().join("home")),
            dir,
        }
    }

    fn write(
        &self,
        session: &str,
        docs: &[(&str, &str, Change<'_>)],
    ) -> Result<Written, WriteError> {
        let (session, cwd) = (SessionId::new(session), self.dir.path().join("my api"));
        let names: Vec<DocName> = docs.iter().map(|doc| DocName::new(doc.0)).collect();
        let docs = docs.iter().zip(&names).map(|((_, at, change), name)| {
            let change = match change {
                Change::Create(bytes) => Change::Create(*bytes),
                Change::Replace { path, was, bytes }
                | Change::Append {
                    path, was, bytes, ..
                } => Change::Replace {
                    path,
                    was: *was,
                    bytes: *bytes,
                },
                Change::Remove { path, was } => Change::Remove { path, was: *was },
            };
            DocWrite {
                name,
                place: at,
                change,
            }
        });
        let docs = docs.collect();
        let checkout = Checkout {
            session: &session,
            cwd: &cwd,
            updated: Millis(1),
            now: Millis(2),
            forgets: false,
            docs,
        };
        Cline.write(&self.machine, &checkout)
    }

    fn create(&self, session: &str, docs: &[(&str, &[u8])]) -> Result<Written, WriteError> {
        let wholes: Vec<Vec<u8>> = docs.iter().map(|(_, bytes)| bytes.to_vec()).collect();
        let docs: Vec<_> = docs
            .iter()
            .zip(&wholes)
            .map(|((name, _), whole)| (*name, "x", Change::Create(whole)))
            .collect();
        self.write(session, &docs)
    }

    fn manifest_path(&self) -> PathBuf {
        let dir = sessions_dir(&self.machine).join(ID);
        dir.join(format!("{ID}.json"))
    }

    /// Writes a manifest of another device over the one here, and returns what is here afterwards.
    fn replace_manifest(&self, theirs: &Vec<u8>) -> String {
        let path = self.manifest_path();
        let change = Change::Replace {
            path: &path,
            was: Stamp::of(&path).expect("a file"),
            bytes: theirs,
        };
        self.write(ID, &[(MANIFEST, "x", change)]).expect("written");
        fs::read_to_string(&path).expect("manifest")
    }

    fn found(&self, session: &str) -> Found {
        let listing = Cline.sessions(&self.machine, Which::One(&SessionId::new(session)));
        listing.found.into_iter().next().expect("the session")
    }
}

#[test]
fn a_manifest_is_written_with_this_devices_paths_or_not_at_all() {
    let store = Store::new();
    let messages = conversation(&["hello"], "T");
    let text = manifest().to_string();
    store
        .create(ID, &[(MANIFEST, text.as_bytes()), (MESSAGES, &messages)])
        .expect("written");
    let dir = sessions_dir(&store.machine).join(ID);
    let wrote = fs::read_to_string(dir.join(format!("{ID}.json"))).expect("manifest");
    let home = store.machine.home.to_string_lossy();
    let here = text.replace("/home/bob/.cline", &format!("{home}/.cline"));
    let checkout = serde_json::to_string(&format!(
        "{}/my api",
        store.machine.home.parent().expect("a directory").display()
    ));
    assert_eq!(
        wrote,
        here.replace("\"/home/bob/api\"", &checkout.expect("JSON"))
    );

    let odd = |change: &dyn Fn(&mut Value)| {
        let mut odd = manifest();
        change(&mut odd);
        odd.to_string().into_bytes()
    };
    let none = |name: &'static str| {
        move |odd: &mut Value| drop(odd.as_object_mut().expect("object").remove(name))
    };
    let set = |name: &'static str, value: Value| move |odd: &mut Value| odd[name] = value.clone();
    let odd_ones = [
        odd(&none("messages_path")),
        odd(&set("messages_path", json!(null))),
        odd(&set("messages_path", json!(["/home/bob/x"]))),
        odd(&set("messages_path", json!(" "))),
        odd(&set("compaction_path", json!({"a": 1}))),
        odd(&set("version", json!(2))),
        odd(&set("session_id", json!("another"))),
        odd(&none("status")),
        format!(
            "{}}}",
            text.trim_end_matches('}').to_owned() + r#","messages_path":"/home/bob/y""#
        )
        .into_bytes(),
        b"[]".to_vec(),
        b"half {".to_vec(),
        // Cline reads these, and a parser that is stricter about them found no field in them.
        [
            &text.as_bytes()[..1],
            b"\"team_name\":\"\xff\",",
            &text.as_bytes()[1..],
        ]
        .concat(),
        format!("{{\"\\ud800\":0,{}", &text[1..]).into_bytes(),
    ];
    for odd in odd_ones {
        let store = Store::new();
        let refused = store.create(ID, &[(MANIFEST, &odd), (MESSAGES, &messages)]);
        assert!(
            matches!(refused, Err(WriteError::Refused(_))),
            "{}",
            String::from_utf8_lossy(&odd)
        );
        assert!(!store.machine.home.exists());
    }
}

/// One new field of a later version kept its sessions out of every other device's Cline.
#[test]
fn fields_that_only_a_later_cline_knows_stay_on_their_device() {
    let store = Store::new();
    let with = |name: &str, value: &str| {
        let mut manifest = manifest();
        manifest[name] = json!(value);
        manifest.to_string().into_bytes()
    };
    let (theirs, messages) = (
        with("auto_approve", "theirs"),
        conversation(&["hello"], "T"),
    );
    store
        .create(ID, &[(MANIFEST, &theirs), (MESSAGES, &messages)])
        .expect("written");
    let path = store.manifest_path();
    let written = fs::read_to_string(&path).expect("manifest");
    assert!(!written.contains("auto_approve"), "{written}");
    let own_fields = Cline.about().own_fields(&DocName::new(MANIFEST));
    let recorded = own_fields.as_recorded(written.as_bytes(), &theirs);
    assert_eq!(recorded, theirs, "it is recorded");

    let ours = json!({"auto_approve": "ours", "next": 1}).to_string();
    let ours = [&written[..written.len() - 1], ",", &ours[1..]].concat();
    fs::write(&path, &ours).expect("write");
    let written = store.replace_manifest(&theirs);
    assert!(written.contains("\"auto_approve\":\"ours\""), "{written}");
    assert!(written.contains("\"next\":1") && !written.contains("theirs"));
}

/// Tools, subagents and teams: another device does not widen what a session may do here.
#[test]
fn what_a_session_may_do_is_this_devices_choice() {
    let store = Store::new();
    let path = store.manifest_path();
    let with = |able: bool| {
        let mut manifest = manifest();
        for name in [
            "enable_tools",
            "enable_spawn",
            "enable_teams",
            "interactive",
        ] {
            manifest[name] = json!(able);
        }
        manifest.to_string().into_bytes()
    };
    let (theirs, messages) = (with(true), conversation(&["hello"], "T"));
    store
        .create(ID, &[(MANIFEST, &theirs), (MESSAGES, &messages)])
        .expect("written");
    let written = fs::read_to_string(&path).expect("manifest");
    let off = ["enable_tools", "enable_spawn", "enable_teams"].map(|name| (name, "false"));
    let ours = fields::with(written.as_bytes(), &off).expect("fields");
    fs::write(&path, &ours).expect("write");
    let own_fields = Cline.about().own_fields(&DocName::new(MANIFEST));
    let recorded = own_fields.as_recorded(&ours, &theirs);
    assert_eq!(recorded, theirs, "it does not travel");
    let written = store.replace_manifest(&theirs);
    for name in ["enable_tools", "enable_spawn", "enable_teams"] {
        assert!(written.contains(&format!("\"{name}\":false")), "{written}");
    }
}

/// A restored checkpoint resets the work tree to the commit that it names.
#[test]
fn checkpoints_are_those_of_this_device_or_none() {
    let store = Store::new();
    let with = |checkpoint: &str| {
        let mut manifest = manifest();
        let latest = json!({"ref": checkpoint, "runCount": 1, "kind": "commit"});
        manifest["metadata"] = json!({"checkpoint": {"latest": latest, "history": [latest]}});
        manifest.to_string().into_bytes()
    };
    let written = || {
        let dir = sessions_dir(&store.machine).join(ID);
        fs::read_to_string(dir.join(format!("{ID}.json"))).expect("manifest")
    };
    let (theirs, messages) = (with("theirs"), conversation(&["hello"], "T"));
    store
        .create(ID, &[(MANIFEST, &theirs), (MESSAGES, &messages)])
        .expect("written");
    assert!(written().contains("\"checkpoint\":null"), "{}", written());

    let path = store.manifest_path();
    fs::write(&path, with("ours")).expect("write");
    let was = Stamp::of(&path).expect("a file");
    let bytes: &dyn super::super::Bytes = &theirs;
    let change = Change::Replace {
        path: &path,
        was,
        bytes,
    };
    store
        .write(ID, &[(MANIFEST, "x", change)])
        .expect("written");
    assert!(
        written().contains("\"ours\"") && !written().contains("theirs"),
        "{}",
        written()
    );
}

#[test]
fn what_cline_would_open_as_an_empty_chat_is_refused() {
    let store = Store::new();
    let text = manifest().to_string();
    for odd in [
        &b"[]"[..],
        b"{}",
        br#"{"version":1,"messages":{}}"#,
        br#"{"version":2,"messages":[]}"#,
        b"{\"ver",
    ] {
        let refused = store.create(ID, &[(MANIFEST, text.as_bytes()), (MESSAGES, odd)]);
        assert!(matches!(refused, Err(WriteError::Refused(_))));
    }
    let alone = store.create(ID, &[(MESSAGES, &conversation(&["a"], "T"))]);
    assert!(
        matches!(&alone, Err(WriteError::Refused(why)) if why.contains("manifest")),
        "{alone:?}"
    );
}

#[test]
fn an_odd_session_is_told_and_carried() {
    let store = Store::new();
    let dir = sessions_dir(&store.machine).join(ID);
    fs::create_dir_all(&dir).expect("dir");
    fs::write(dir.join(format!("{ID}.messages.json")), b"[]").expect("write");
    fs::write(dir.join(format!("{ID}.json")), br#"{"version":9}"#).expect("write");
    let reading = Cline.read(&store.machine, &store.found(ID)).expect("read");
    let codes: Vec<_> = reading
        .problems
        .iter()
        .map(|problem| problem.code.as_str())
        .collect();
    assert_eq!((codes, reading.docs.len()), (vec!["unknown_shape"; 2], 2));
}

#[test]
fn a_session_is_open_in_the_process_that_says_so() {
    let mut store = Store::new();
    let mut of_status = |status: &str| {
        let dir = sessions_dir(&store.machine).join(ID);
        fs::create_dir_all(&dir).expect("dir");
        fs::write(
            dir.join(format!("{ID}.messages.json")),
            conversation(&[], "T"),
        )
        .expect("write");
        let mut said = manifest();
        said["status"] = json!(status);
        fs::write(dir.join(format!("{ID}.json")), said.to_string()).expect("write");
        let mut is_open = |pid: u32, exe: &str, args: &[&str]| {
            let args = args.iter().map(|arg| (*arg).to_owned()).collect();
            store.machine.apps = Arc::new(vec![Running {
                pid,
                exe: exe.into(),
                cwd: None,
                args,
                ..Running::default()
            }]);
            store.found(ID).open_in.is_some()
        };
        [
            is_open(1, "/opt/bin/cline", &["cline", "--id", ID]),
            is_open(1, "/opt/bin/cline", &["cline", &format!("--id={ID}")]),
            is_open(1, "/opt/bin/cline", &["cline"]),
            is_open(4712, "/opt/bin/cline", &["cline", "--cline-hub-daemon"]),
            is_open(4712, "/usr/share/code/code", &["code"]),
            is_open(1, "/opt/bin/cline", &["cline", "--cline-hub-daemon"]),
            is_open(1, "/opt/bin/cline", &["cline", "--id", "another"]),
            is_open(1, "/usr/share/code/code", &["code"]),
            is_open(4712, "/usr/bin/sh", &["sh"]),
        ]
    };
    assert_eq!(
        of_status("idle"),
        [true, true, true, true, true, false, false, false, false]
    );
    assert_eq!(of_status("running"), of_status("a word of a later version"));
    for end in ["completed", "failed", "cancelled"] {
        assert_eq!(
            of_status(end),
            [true, true, false, false, false, false, false, false, false],
            "{end}"
        );
    }
}

#[test]
fn conversations_are_compared_by_their_messages() {
    let (doc, manifest) = (DocName::new(MESSAGES), DocName::new(MANIFEST));
    let (one, two) = (conversation(&["a"], "T1"), conversation(&["a", "b"], "T2"));
    assert_eq!(judge(&doc, &one, &two), Judged::Second);
    assert_eq!(judge(&doc, &two, &one), Judged::First);
    assert_eq!(judge(&doc, &one, &conversation(&["a"], "T3")), Judged::Same);
    assert_eq!(
        judge(&doc, &two, &conversation(&["a", "c"], "T2")),
        Judged::Both
    );
    assert_eq!(judge(&manifest, &one, &two), Judged::Both);
    assert_eq!(judge(&doc, b"{}", &one), Judged::Both);
    assert_eq!(
        judge(&DocName::new(API_HISTORY), b"[1]", b"[1, 2]"),
        Judged::Second
    );
    assert_eq!(
        (
            records(&two).len(),
            records(b"[{},{}]").len(),
            records(b"half").len()
        ),
        (2, 2, 1)
    );
}

#[test]
fn messages_are_shown_without_what_is_around_them() {
    let show = |record: Value| {
        read_message(&record).map(|said| {
            (
                said.role.as_str(),
                said.pieces[0].part(99).kind,
                said.pieces[0].is_error,
                said.text(),
            )
        })
    };
    let found =
        |role, kind: &str, error, text: &str| Some((role, kind.to_owned(), error, text.to_owned()));
    let text = |text: &str| json!({"id": "m", "role": "user", "content": [{"type": "text", "text": text}]});
    assert_eq!(
        show(text("<user_input mode=\"act\">Say <b></user_input>")),
        found("user", "text", false, "Say <b>")
    );
    assert_eq!(
        show(text("<task>\nDo it\n</task>")),
        found("user", "text", false, "Do it")
    );
    assert_eq!(show(text("<environment_details>\n…")), None);
    let summary = json!({"role": "user", "content": [{"type": "text", "text": "So far"}],
        "metadata": {"kind": "compaction_summary"}});
    assert_eq!(show(summary), found("user", "compaction", false, "So far"));
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "name": "run_commands",
        "input": {"commands": ["cargo test", "ls"]}}]});
    assert_eq!(
        show(call),
        found("assistant", "tool_use", false, "[run_commands] cargo test")
    );
    let reading = json!({"role": "assistant", "content": [{"type": "tool_use", "name": "read_files",
        "input": {"files": [{"path": "/a/b.rs"}]}}]});
    assert_eq!(
        show(reading),
        found("assistant", "tool_use", false, "[read_files] /a/b.rs")
    );
    let answer = json!({"role": "user", "content": [{"type": "tool_result", "content": [
        {"query": "ls", "result": "a\n", "success": true},
        {"query": "x", "result": "", "error": "no x", "success": false}]}]});
    assert_eq!(
        show(answer),
        found("tool", "tool_result", true, "a\n\nno x")
    );
    let plain =
        json!({"role": "user", "content": [{"type": "tool_result", "content": "{\"text\":1}"}]});
    assert_eq!(
        show(plain),
        found("tool", "tool_result", false, "{\"text\":1}")
    );
    let record = text("x");
    assert_eq!(read_message(&record).and_then(|said| said.id), Some("m"));
}

#[test]
fn places_follow_the_variables_and_the_system() {
    let mut machine = Machine::at("/home/u");
    assert_eq!(
        sessions_dir(&machine),
        Path::new("/home/u/.cline/data/sessions")
    );
    let mut with = |name: &str, value: &str| {
        machine.vars.insert(name.into(), value.into());
        sessions_dir(&machine)
    };
    assert_eq!(with("CLINE_DIR", "/c"), Path::new("/c/data/sessions"));
    assert_eq!(with("CLINE_DATA_DIR", "/d"), Path::new("/d/sessions"));
    assert_eq!(with("CLINE_SESSION_DATA_DIR", "/s"), Path::new("/s"));
    let on = |system| {
        let dirs = task_stores_on(system, &Machine::at("/home/u")).into_iter();
        dirs.map(|store| store.dir.to_string_lossy().replace('\\', "/"))
            .collect::<Vec<_>>()
    };
    let wanted = |configs: &str| {
        ["Code", "Code - Insiders", "VSCodium"].map(|editor| {
            format!("/home/u/{configs}/{editor}/User/globalStorage/saoudrizwan.claude-dev")
        })
    };
    assert_eq!(on(System::Linux), wanted(".config"));
    assert_eq!(on(System::Mac), wanted("Library/Application Support"));
    assert_eq!(on(System::Windows), wanted("AppData/Roaming"));
}

/// `cline --id -y` would begin another session, with every tool approved.
#[test]
fn an_id_is_no_option_of_a_command() {
    let store = Store::new();
    for id in ["--yolo", "-y"] {
        let mut theirs = manifest();
        theirs["session_id"] = json!(id);
        let (theirs, messages) = (theirs.to_string(), conversation(&["hello"], "T"));
        let docs = [(MANIFEST, theirs.as_bytes()), (MESSAGES, &messages)];
        let written = store.create(id, &docs);
        assert!(matches!(written, Err(WriteError::Refused(_))), "{id}");
        let dir = sessions_dir(&store.machine).join(id);
        assert!(!dir.exists(), "{id}");
        fs::create_dir_all(&dir).expect("dir");
        fs::write(dir.join(format!("{id}.messages.json")), messages).expect("write");
        for which in [Which::One(&SessionId::new(id)), Which::All] {
            let listing = Cline.sessions(&store.machine, which);
            assert_eq!(listing.found.len(), 0, "{id}");
        }
    }
}

#[test]
fn only_a_sessions_files_are_its_docs() {
    let table = [
        (format!("{ID}.json"), Some(MANIFEST)),
        (format!("{ID}.messages.json"), Some(MESSAGES)),
        (format!("{ID}.compaction.json"), Some(COMPACTION)),
        (
            "agent_1_a.messages.json".into(),
            Some("agents/agent_1_a.messages.json"),
        ),
        ("providers.json".into(), None),
        ("settings.messages.json".into(), None),
        (format!("{ID}.x.messages.json"), None),
        (
            format!("{ID}.messages.sync-conflict-20261123-101112-ABCDEFG.json"),
            None,
        ),
    ];
    for (file, doc) in table {
        assert_eq!(doc_in_session(ID, &file).as_deref(), doc, "{file}");
        if let Some(doc) = doc {
            assert_eq!(file_of_session(ID, doc), Some(file));
        }
    }
    for odd in [
        "agents/../x.messages.json",
        "agents/x.json",
        "x.json",
        "agents/",
        &format!("agents/{ID}.messages.json"),
    ] {
        assert_eq!(file_of_session(ID, odd), None, "{odd}");
    }
}

#[test]
fn a_task_joins_the_list_of_the_editor_that_has_cline() {
    let store = Store::new();
    let stores = task_stores(&store.machine);
    let codium = &stores[2];
    fs::create_dir_all(codium.dir.join("state")).expect("dir");
    fs::write(codium.list_path(), r#"[{"id":"1","task":"Other"}]"#).expect("write");
    let row =
        format!(r#"{{"id":"{TASK}","task":"Do","cwdOnTaskInitialization":"C:\\api","ts":5}}"#);
    let docs: [(&str, &[u8]); 2] = [(ROW, row.as_bytes()), (API_HISTORY, b"[]")];
    store.create(TASK, &docs).expect("written");
    let list = fs::read_to_string(codium.list_path()).expect("list");
    let cwd = Value::from(store.dir.path().join("my api").to_string_lossy()).to_string();
    assert_eq!(
        list,
        format!(
            r#"[{{"id":"1","task":"Other"}},{}]"#,
            row.replace(r#""C:\\api""#, &cwd)
        )
    );
    let found = store.found(TASK);
    let reading = Cline.read(&store.machine, &found).expect("read");
    assert_eq!(
        (reading.facts.title.as_deref(), reading.facts.updated),
        (Some("Do"), Some(Millis(5)))
    );

    // Later changes are not overwritten, and a removed task leaves no row behind.
    let at = found
        .docs
        .iter()
        .position(|doc| doc.name.as_str() == ROW)
        .expect("a row");
    let (path, was) = (&found.docs[at].path, found.docs[at].stamp);
    let stale = Stamp { len: 0, ..was };
    let changed = store.write(TASK, &[(ROW, "x", Change::Remove { path, was: stale })]);
    assert!(
        matches!(changed, Err(WriteError::Changed(_))),
        "{changed:?}"
    );
    let main = &found.docs[0];
    let removes = [
        (ROW, "x", Change::Remove { path, was }),
        (
            API_HISTORY,
            "x",
            Change::Remove {
                path: &main.path,
                was: main.stamp,
            },
        ),
    ];
    store.write(TASK, &removes).expect("removed");
    assert_eq!(
        fs::read_to_string(path).expect("list"),
        r#"[{"id":"1","task":"Other"}]"#
    );
    assert!(!codium.task_dir(TASK).exists());
}

/// The file is named after the task, as the extension looks for it: in a fork by another name.
#[test]
fn what_is_to_be_done_in_a_task_is_found_under_the_tasks_own_id() {
    let (store, other) = (Store::new(), "1758540123999");
    let list = b"- [ ] Say what this project is\n";
    for id in [TASK, other] {
        let row = format!(r#"{{"id":"{id}","task":"Do"}}"#);
        let docs: [(&str, &[u8]); 3] = [
            ("focus-chain.md", list),
            (ROW, row.as_bytes()),
            (API_HISTORY, b"[]"),
        ];
        store.create(id, &docs).expect("written");
        let found = store.found(id);
        let path = &found.doc("focus-chain.md").expect("the list").path;
        let name = format!("focus_chain_taskid_{id}.md");
        assert!(path.ends_with(format!("tasks/{id}/{name}")), "{path:?}");
        assert_eq!(fs::read(path).expect("the list"), list);
    }
}

#[test]
fn a_list_that_is_none_is_left_alone_and_told() {
    let store = Store::new();
    let code = &task_stores(&store.machine)[0];
    fs::create_dir_all(code.dir.join("state")).expect("dir");
    fs::create_dir_all(code.task_dir(TASK)).expect("dir");
    fs::write(code.list_path(), "[{\"id\":\"1\"},").expect("write");
    fs::write(code.task_dir(TASK).join(API_HISTORY), "[]").expect("write");
    let listing = Cline.sessions(&store.machine, Which::All);
    assert_eq!((listing.found.len(), listing.problems.len()), (1, 1));
    let other = "1758540123457";
    let row = format!(r#"{{"id":"{other}"}}"#);
    let refused = store.create(other, &[(ROW, row.as_bytes()), (API_HISTORY, b"[]")]);
    assert!(
        matches!(&refused, Err(WriteError::Refused(why)) if why.contains(LIST)),
        "{refused:?}"
    );
    assert_eq!(
        fs::read_to_string(code.list_path()).expect("list"),
        "[{\"id\":\"1\"},"
    );
}

#[test]
fn an_id_in_both_layouts_is_one_session() {
    let store = Store::new();
    let mut said = manifest();
    said["session_id"] = json!(TASK);
    let dir = sessions_dir(&store.machine).join(TASK);
    fs::create_dir_all(&dir).expect("dir");
    fs::write(
        dir.join(format!("{TASK}.messages.json")),
        conversation(&[], "T"),
    )
    .expect("write");
    let task = task_stores(&store.machine)[0].task_dir(TASK);
    fs::create_dir_all(&task).expect("dir");
    fs::write(task.join(API_HISTORY), "[]").expect("write");
    let listing = Cline.sessions(&store.machine, Which::All);
    let codes: Vec<_> = listing
        .problems
        .iter()
        .map(|problem| problem.code.as_str())
        .collect();
    assert_eq!((listing.found.len(), codes), (1, vec!["duplicate_session"]));
    assert_eq!(listing.found[0].docs[0].name.as_str(), MESSAGES);
}
