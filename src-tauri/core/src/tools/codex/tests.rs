//! Names, places and compressed rollouts, as Codex makes them.

use super::records::is_item;
use super::*;

#[test]
fn items_are_told_apart_and_events_are_not_said_twice() {
    let read = |payload: &str| {
        let record: Value = serde_json::from_str(&format!(
            "{{\"type\":\"response_item\",\"timestamp\":\"T\",\"payload\":{payload}}}"
        ))
        .expect("a record");
        read_message(&record).map(|said| {
            (
                said.role.as_str(),
                said.pieces[0].part(9).kind,
                said.pieces[0].is_error,
                said.text(),
            )
        })
    };
    let found =
        |role, kind: &str, text: &str| Some((role, kind.to_owned(), false, text.to_owned()));
    let shell = r#"{"type":"function_call","name":"shell","arguments":"{\"command\":[\"bash\",\"-lc\",\"cargo test\"]}"}"#;
    assert_eq!(
        read(shell),
        found("assistant", "tool_use", "[shell] cargo test")
    );
    let patch = r#"{"type":"custom_tool_call","name":"apply_patch","input":"*** Begin Patch\n*** Update File: src/a.rs\n"}"#;
    assert_eq!(
        read(patch),
        found("assistant", "tool_use", "[apply_patch] src/a.rs")
    );
    let search = r#"{"type":"web_search_call","action":{"type":"search","query":"tries"}}"#;
    assert_eq!(
        read(search),
        found("assistant", "tool_use", "[web_search] tries")
    );
    assert_eq!(
        read(r#"{"type":"function_call_output","output":"ok"}"#),
        found("tool", "tool_result", "ok")
    );
    let failed = r#"{"type":"function_call_output","output":"{\"output\":\"no\",\"metadata\":{\"exit_code\":1}}"}"#;
    assert_eq!(
        read(failed),
        Some(("tool", "tool_result".into(), true, "no".into()))
    );
    let refused = r#"{"type":"function_call_output","output":{"content":"no","success":false}}"#;
    assert_eq!(
        read(refused),
        Some(("tool", "tool_result".into(), true, "no".into()))
    );
    let list =
        r#"{"type":"custom_tool_call_output","output":[{"type":"input_text","text":"see"}]}"#;
    assert_eq!(read(list), found("tool", "tool_result", "see"));
    let thought = r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"x"}"#;
    assert_eq!(read(thought), found("assistant", "thinking", "Hm."));
    assert_eq!(
        read(r#"{"type":"reasoning","summary":[],"encrypted_content":"x"}"#),
        None
    );
    let words = r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}"#;
    assert_eq!(read(words), found("user", "text", "hi"));
    let whole = |text: &str| {
        let record: Value = serde_json::from_str(text).expect("a record");
        read_message(&record).map(|said| said.text())
    };
    assert_eq!(whole(words).as_deref(), Some("hi"));
    assert_eq!(
        whole(r#"{"type":"compacted","payload":{"message":"So far"}}"#).as_deref(),
        Some("So far")
    );
    assert_eq!(
        whole(
            r#"{"type":"event_msg","payload":{"type":"user_message","message":"hi","role":"user","content":"hi"}}"#
        ),
        None
    );
}

#[test]
fn the_repository_is_what_the_thread_was_taken_up_in() {
    let meta = serde_json::json!({ "git": { "branch": "main", "commit_hash": "abc", "repository_url": "x" } });
    let found = Repository {
        url: Some("x".into()),
        branch: Some("main".into()),
        commit: Some("abc".into()),
    };
    assert_eq!(repository(&meta), Some(found));
    assert_eq!(repository(&serde_json::json!({ "git": {} })), None);
}

const ID: &str = "01a2081f-3cf6-7ca3-8ffb-7affa0609d47";

#[test]
fn only_rollouts_are_rollouts() {
    let name = format!("rollout-2026-11-23T11-16-34-{ID}.jsonl");
    assert_eq!(
        Rollout::parse(&name).map(|rollout| rollout.in_sessions()),
        Some(format!("sessions/2026/11/23/{name}"))
    );
    assert!(Rollout::parse(&format!("{name}.zst")).is_some());
    let odd = [
        format!("rollout-2026-11-23T11-16-34-{ID}.sync-conflict-20261123-111111-ABCDEFG.jsonl"),
        format!("rollout-2026-13-23T11-16-34-{ID}.jsonl"),
        format!("rollout-2026-11-23T11-16-34-{ID}_2.jsonl"),
        format!("rollout-2026-11-23T11-16-34-{ID}(1).jsonl"),
        format!(".rollout-2026-11-23T11-16-34-{ID}.jsonl.tmp"),
        format!("rollout-ä026-11-23T11-16-3-{ID}.jsonl"),
    ];
    assert_eq!(odd.iter().find(|name| Rollout::parse(name).is_some()), None);
}

#[test]
fn a_place_from_elsewhere_is_checked() {
    let session = SessionId::new(ID);
    let name = format!("rollout-2026-11-23T11-16-34-{ID}.jsonl");
    for dir in [
        "sessions/2026/11/23",
        "sessions/2026/11/24",
        "archived_sessions",
    ] {
        assert_eq!(
            checked_place(&format!("{dir}/{name}"), &session),
            Some(format!("{dir}/{name}"))
        );
    }
    for dir in [
        "..",
        "sessions/../../11",
        "sessions",
        "/sessions/2026/11/23",
        "sessions/2026/11/23/x",
        "sessions/2026/99/23",
        "skills",
    ] {
        assert_eq!(
            checked_place(&format!("{dir}/{name}"), &session),
            None,
            "{dir}"
        );
    }
    assert_eq!(
        checked_place(
            &format!("archived_sessions/{name}"),
            &SessionId::new("other")
        ),
        None
    );
    for denied in DENIED {
        assert_eq!(checked_place(denied, &session), None, "{denied}");
        assert_eq!(
            checked_place(&format!("{denied}/{name}"), &session),
            None,
            "{denied}"
        );
    }
}

#[test]
fn without_a_place_the_first_record_says_when() {
    let session = SessionId::new(ID);
    let checkout = Checkout {
        session: &session,
        cwd: Path::new("/x"),
        updated: Millis(0),
        now: Millis(0),
        forgets: false,
        docs: Vec::new(),
    };
    let meta =
        br#"{"type":"session_meta","payload":{"id":"x","timestamp":"2026-11-23T10:00:01.5Z"}}"#;
    let wanted = format!("sessions/2026/11/23/rollout-2026-11-23T10-00-01-{ID}.jsonl");
    assert_eq!(place(&checkout, "../../etc/passwd", &Text(meta)), wanted);
}

struct Text(&'static [u8]);

impl crate::tools::Bytes for Text {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.0)
    }
}

/// A thread without a prompt at its start had the title of whatever prompt was at its end.
#[test]
fn a_title_is_from_the_start_of_a_thread_and_stays() {
    let prompt = |text: &str, image: &str| {
        let content = serde_json::json!([
            { "type": "input_text", "text": text },
            { "type": "input_image", "image_url": image },
        ]);
        serde_json::json!({ "type": "response_item",
            "payload": { "type": "message", "role": "user", "content": content } })
        .to_string()
    };
    let long = "x".repeat(usize::try_from(HEAD).expect("a length") + 9);
    let filler =
        serde_json::json!({ "type": "event_msg", "payload": { "text": long } }).to_string();
    let rows = [
        (
            vec![prompt("first", ""), prompt("second", "")],
            Some("first"),
        ),
        (vec![filler.clone(), prompt("at the end", "")], None),
        (
            vec![prompt("with a picture", &long), prompt("at the end", "")],
            Some("with a picture"),
        ),
    ];
    for (lines, wanted) in rows {
        let rollout = lines.join("\n") + "\n";
        let found = named(&mut std::io::Cursor::new(rollout));
        assert_eq!(found.as_deref(), wanted);
    }
}

#[test]
fn a_title_is_what_the_user_typed_however_the_prompt_is_wrapped() {
    let ide = "# Context from my IDE setup:\n\n## Open tabs:\n- a.rs: src/a.rs\n";
    let rows: [(&[&str], Option<&str>); 9] = [
        (&["fix it\nnow"], Some("fix it")),
        (
            &["<image name=[Image #1]>", "</image>", "fix it"],
            Some("fix it"),
        ),
        (
            &[&format!("{ide}\n## My request for Codex:\nfix it\n")],
            Some("fix it"),
        ),
        (
            &[&format!("{ide}\n## My request:\nfix it\n")],
            Some("fix it"),
        ),
        (
            &[
                "# Files mentioned by the user:\n\n## a.png: /a.png\n\n## My request for Codex:\nfix it",
            ],
            Some("fix it"),
        ),
        (&[ide], None),
        (&["# AGENTS.md instructions for /a\n<INSTRUCTIONS>"], None),
        (&["<environment_context>", ""], None),
        (&["# A plan\nDo it.\n"], Some("# A plan")),
    ];
    for (texts, wanted) in rows {
        let parts: Vec<Value> = texts
            .iter()
            .map(|text| serde_json::json!({ "type": "input_text", "text": text }))
            .collect();
        let line = serde_json::json!({ "type": "response_item",
            "payload": { "type": "message", "role": "user", "content": parts } });
        let mut rollout = std::io::Cursor::new(format!("{line}\n"));
        assert_eq!(named(&mut rollout).as_deref(), wanted, "{texts:?}");
    }
}

#[test]
fn the_open_threads_are_found_without_a_listing() {
    let home = tempfile::tempdir().expect("dir");
    let machine = Machine::at(home.path());
    let codex = Codex::default();
    assert_eq!(
        codex.open_sessions(&machine).map(|open| open.len()),
        Some(0)
    );
    let base = base(&machine);
    let other = ID.replace("01a2", "01a3");
    for id in [ID, &other] {
        let file = base.join(format!(
            "sessions/2026/11/23/rollout-2026-11-23T11-16-34-{id}.jsonl"
        ));
        fs::create_dir_all(file.parent().expect("parent")).expect("dir");
        fs::write(file, "{}\n").expect("rollout");
        let lock = lock_path(&base, &SessionId::new(id));
        fs::create_dir_all(lock.parent().expect("parent")).expect("dir");
        fs::write(lock, "").expect("lock");
    }
    let writer = File::open(lock_path(&base, &SessionId::new(ID))).expect("lock");
    writer.lock().expect("locked");
    let open = codex.open_sessions(&machine).expect("open");
    let ids: Vec<&str> = open.iter().map(|found| found.session.as_str()).collect();
    assert_eq!(ids, [ID]);
    assert!(open[0].open_in.is_some());
}

/// The beginning of a line gives the same answer as the whole line, parsed.
#[test]
fn an_item_is_told_by_its_beginning() {
    let item = br#"{"timestamp":"T","type":"response_item","payload":{"type":"message"}}"#;
    assert!(is_item(item) && is_message(item));
    // A line that is cut off may be a message.
    assert!(is_item(&item[..50]) && is_message(&item[..50]));
    let count = br#"{"timestamp":"T","type":"event_msg","payload":{"type":"token_count"}}"#;
    let quoted =
        br#"{"timestamp":"\",\"type\":\"response_item\"","type":"session_meta","payload":{}}"#;
    for noted in [&count[..], &quoted[..]] {
        assert!(!is_item(noted) && !is_message(noted));
    }
}
