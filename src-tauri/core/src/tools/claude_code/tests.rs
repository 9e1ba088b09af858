//! Names and directories of the store, as Claude Code makes them.

use super::records::NOTED;
use super::*;

#[test]
fn a_compaction_is_marked_and_what_the_tool_slips_in_is_not_the_users() {
    let kinds = |text: &str| {
        let record: Value = serde_json::from_str(text).expect("a record");
        read_message(&record).map(|said| {
            (
                said.role.as_str(),
                said.pieces[0].kind.to_owned(),
                said.text(),
            )
        })
    };
    let found = |role, kind: &str, text: &str| Some((role, kind.to_owned(), text.to_owned()));
    let boundary = r#"{"type":"system","subtype":"compact_boundary","content":"Conversation compacted","uuid":"u"}"#;
    assert_eq!(
        kinds(boundary),
        found("system", "compaction", "Conversation compacted")
    );
    let summary = r#"{"type":"user","isCompactSummary":true,"message":{"role":"user","content":"So far: …"}}"#;
    assert_eq!(kinds(summary), found("system", "compaction", "So far: …"));
    let meta = r#"{"type":"user","isMeta":true,"message":{"role":"user","content":"Caveat"}}"#;
    assert_eq!(kinds(meta), found("system", "text", "Caveat"));
    assert_eq!(
        kinds(r#"{"type":"system","subtype":"turn_duration","durationMs":4}"#),
        None
    );
}

#[test]
fn a_title_is_what_the_user_typed_beside_what_an_editor_adds() {
    let block = |text: &str| serde_json::json!({ "type": "text", "text": text });
    let opened = block("<ide_opened_file>The user opened /a.rs in the IDE.</ide_opened_file>");
    let image = serde_json::json!({ "type": "image", "source": {} });
    let rows = [
        (vec![block("fix it")], Some("fix it")),
        (vec![opened.clone(), block("fix it")], Some("fix it")),
        (vec![image, block(""), block("fix it")], Some("fix it")),
        (vec![opened], None),
    ];
    for (content, wanted) in rows {
        let line = serde_json::json!({ "type": "user", "message": { "content": content } });
        let mut transcript = io::Cursor::new(format!("{line}\n"));
        assert_eq!(named(&mut transcript).as_deref(), wanted, "{line}");
    }
}

#[test]
fn the_last_branch_that_is_one_counts() {
    let branch = |last: &str| {
        let log = format!(
            "{{\"gitBranch\":\"main\"}}\n{{\"gitBranch\":\"{last}\"}}\n{{\"type\":\"mode\"}}\n"
        );
        let ends = jsonl::read_ends(&mut io::Cursor::new(log), HEAD, TAIL).expect("in memory");
        repository(&ends).and_then(|found| found.branch)
    };
    assert_eq!(branch("fix/login").as_deref(), Some("fix/login"));
    assert_eq!(branch("HEAD"), None);
}

/// A record of a kind that only this list lacked made a split of two devices that opened a session.
#[test]
fn what_steers_or_notes_is_no_conversation_and_what_holds_words_is() {
    let line = |kind: &str| format!("{{\"type\":\"{kind}\",\"sessionId\":\"s\"}}\n");
    let steers = steering::MARKS.kinds.iter().flat_map(|(_, kinds)| *kinds);
    for kind in steers.chain(NOTED) {
        assert!(!is_message(line(kind).as_bytes()), "{kind}");
    }
    for kind in [
        "user",
        "content-replacement",
        "fork-context-ref",
        "of-a-later-version",
    ] {
        assert!(is_message(line(kind).as_bytes()), "{kind}");
    }
}

/// A parser that is more lenient than ours would find the other device's permission mode.
#[test]
fn an_agents_card_that_cannot_be_read_is_not_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let machine = Machine::at(dir.path().join("h"));
    let session = SessionId::new("11111111-2222-4333-8444-555555555555");
    let name = DocName::new("subagents/agent-a1.meta.json");
    for card in [
        &b"{\"description\":\"\xff\",\"permissionMode\":\"bypassPermissions\"}"[..],
        b"{\"\\ud800\":0,\"permissionMode\":\"bypassPermissions\"}",
    ] {
        let card = card.to_vec();
        let docs = vec![super::super::DocWrite {
            name: &name,
            place: "x",
            change: Change::Create(&card),
        }];
        let checkout = Checkout {
            session: &session,
            cwd: dir.path(),
            updated: Millis(1),
            now: Millis(2),
            forgets: false,
            docs,
        };
        let refused = ClaudeCode::default().write(&machine, &checkout);
        assert!(
            matches!(refused, Err(WriteError::Refused(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn another_devices_card_brings_no_directory_and_nothing_that_is_not_known() {
    let dir = tempfile::tempdir().expect("a directory");
    let machine = Machine::at(dir.path().join("h"));
    let session = SessionId::new("11111111-2222-4333-8444-555555555555");
    let name = DocName::new("subagents/agent-a1.meta.json");
    let theirs =
        &b"{\"agentType\":\"Explore\",\"worktreePath\":\"/etc\",\"runsAs\":\"root\",\"spawnDepth\":1}".to_vec();
    let checkout = Checkout {
        session: &session,
        cwd: dir.path(),
        updated: Millis(1),
        now: Millis(2),
        forgets: false,
        docs: vec![super::super::DocWrite {
            name: &name,
            place: "x",
            change: Change::Create(theirs),
        }],
    };
    let written = ClaudeCode::default().write(&machine, &checkout);
    let card = fs::read(&written.expect("written").docs[0].1).expect("a card");
    let wanted = "{\"agentType\":\"Explore\",\"worktreePath\":null,\"spawnDepth\":1}";
    assert_eq!(String::from_utf8_lossy(&card), wanted);
    let own_fields = ClaudeCode::default().about().own_fields(&name);
    assert_eq!(&own_fields.as_recorded(&card, theirs), theirs);
}

#[test]
fn slugs_are_those_the_tool_makes() {
    assert_eq!(slug("/home/ada/my api"), "-home-ada-my-api");
    assert_eq!(slug(r"C:\Users\x"), "C--Users-x");
    assert_eq!(slug("/a/${HOME}/b"), "-a---HOME--b");
    assert_eq!(slug("/a/é😀_."), "-a------");
    assert_eq!(slug("/a/e\u{301}"), slug("/a/\u{e9}"), "one letter");
}

#[test]
fn two_directories_may_share_a_slug() {
    assert_eq!(slug("/a/b-c"), slug("/a-b/c"));
}

#[test]
fn a_long_slug_ends_in_the_tools_hash() {
    // 2.1.330 was seen to create directories by this rule, 2026-11-23.
    let made = slug(&format!(
        "/home/ada/d{}/e{}",
        "x".repeat(120),
        "y".repeat(120)
    ));
    assert_eq!(made.len(), 200 + "-i3b5vc".len());
    assert!(made.ends_with("-i3b5vc"), "{made}");
}

#[test]
fn old_sessions_are_kept_from_the_sweep() {
    let day = 24 * 60 * 60 * 1000;
    assert_eq!(safe_from_sweep(Millis(0), Millis(19 * day)), Millis(0));
    assert_eq!(
        safe_from_sweep(Millis(0), Millis(21 * day)),
        Millis(21 * day)
    );
}

#[test]
fn only_plain_places_are_taken() {
    let machine = Machine::at("/h");
    let store = Store::of(&machine);
    let tool = ClaudeCode::default();
    let files = tool.files(&store);
    let session = SessionId::new("11111111-2222-4333-8444-555555555555");
    let home = Home {
        at: files.in_group(&session, "-x"),
        is_here: false,
    };
    let place = |name: &str| place(&files, &store, &home, &DocName::new(name));
    for name in [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "beside/todos/../x.json",
        "beside/x",
        "beside/uploads/../x",
        "beside/uploads/",
        "beside/image-cache/a/../../x",
        "a//b",
        "",
        "C:\\x",
        "x/new\nline",
    ] {
        assert!(matches!(place(name), Err(WriteError::Refused(_))), "{name}");
    }
    for name in ["C:/x", "x/nul.txt"] {
        let is_refused = matches!(place(name), Err(WriteError::Refused(_)));
        assert_eq!(is_refused, cfg!(windows), "{name}");
    }
    for name in DENIED {
        for name in [
            name.to_owned(),
            format!("subagents/{name}"),
            format!("beside/tasks/{name}/x"),
            format!("beside/uploads/{name}"),
        ] {
            assert!(
                matches!(place(&name), Err(WriteError::Refused(_))),
                "{name}"
            );
        }
    }
    assert!(place("subagents/worktrees/build/dist/agent-1.jsonl").is_ok());
}
