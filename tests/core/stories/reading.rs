//! Read-only answers: transcripts page by page and part by part, remarks before a session is
//! continued, connected devices.

use super::splits::Parted;
use super::talk::{ONE, TWO, item, meta, turn};
use super::world::{Device, World};
use serde_json::{Value, json};
use session_roam_core::api::{
    Action, ApiError, Devices, Diff, DiffCommon, DiffRow, DocPage, Done, FilePlace, HistoryRow,
    Message, Msg, OccurrencePlace, Occurrences, PartBody, Request, Resume, SessionFilter,
    SessionRow, Shown, Side, SplitRow, UndoKind, Undoable,
};
use session_roam_core::session::DeviceId;
use session_roam_core::syncthing::device_id::from_cert_der;
use session_roam_core::syncthing::{Nearby, Notice};
use std::path::Path;
use std::process::Command;

/// A comparison of two large versions stayed in memory until the next one.
#[test]
fn what_is_kept_for_the_next_page_is_dropped_when_nobody_asks_for_one() {
    let mut parted = Parted::claude().met();
    let desk = &mut parted.world.devices[0];
    let diff = || Request::Diff {
        session: ONE.into(),
        branch: None,
        beside: None,
        from: 0,
        rows: 100,
        choices: false,
        bodies: false,
    };
    let first: Diff = desk.ask(diff());
    let _: Shown = desk.ask(page(ONE, 0, 10));
    let kept = |desk: &Device| {
        let context = desk.context();
        let compared = context.compared().is_some();
        [compared, !context.transcripts().is_empty()]
    };
    for (minutes, is_kept) in [(4, true), (4, true), (6, false)] {
        // To look is to ask.
        desk.set_clock(desk.clock_now() + minutes * 60_000);
        desk.poll();
        assert_eq!(kept(desk), [is_kept; 2]);
    }
    let again: Diff = desk.ask(diff());
    assert_eq!(again.rows.len(), first.rows.len());
}

/// A sub-agent's transcript is a doc of the session, named by the answer to the call that ran it.
#[test]
fn the_transcript_of_a_sub_agent_is_read_by_the_name_in_its_call() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let agent = |id: &str| {
        path.with_extension("")
            .join(format!("subagents/agent-{id}.jsonl"))
    };
    world.devices[0].say(&path, turn(&here, ONE, "first"));
    world.devices[0].say(&agent("a1b2"), turn(&here, ONE, "look for it"));
    let call =
        json!([{ "type": "tool_use", "id": "t1", "name": "Task", "input": { "prompt": "look" } }]);
    world.devices[0].say(&path, record("assistant", &call));
    for id in ["a1b2", "none", "../../../etc/passwd"] {
        let content = json!([{ "type": "tool_result", "tool_use_id": "t1", "content": "found" }]);
        let record = json!({ "type": "user", "sessionId": ONE, "toolUseResult": { "agentId": id },
            "message": { "role": "user", "content": content } });
        world.devices[0].say(&path, format!("{record}\n"));
    }
    world.deliver();
    for device in &mut world.devices {
        let shown: Shown = device.ask(page(ONE, 0, 10));
        let docs: Vec<_> = shown.messages[2..]
            .iter()
            .map(|message| message.parts[0].doc.as_deref())
            .collect();
        let doc = "subagents/agent-a1b2.jsonl";
        assert_eq!(docs, [Some(doc), None, None], "on {}", device.name);
        let page: DocPage = device.ask(Request::ShowDoc {
            session: ONE.into(),
            doc: doc.into(),
            from: 0,
            rows: 10,
        });
        assert_eq!(
            (page.total, page.messages[0].text.as_str()),
            (1, "look for it")
        );
        let part: PartBody = device.ask(Request::ShowDocPart {
            session: ONE.into(),
            doc: doc.into(),
            message: 0,
            part: 0,
        });
        assert_eq!(part.text, "look for it");
        let none: DocPage = device.ask(Request::ShowDoc {
            session: ONE.into(),
            doc: "../transcript.jsonl".into(),
            from: 0,
            rows: 10,
        });
        assert_eq!(none, DocPage::default());
    }
}

/// Codex writes the model before the answers, and the tokens after each.
#[test]
fn model_and_tokens_in_records_of_their_own_belong_to_the_answers_beside_them() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].rollout(TWO);
    let answer = |text: &str| item(text).replace("\"user\"", "\"assistant\"");
    let model = |name: &str| {
        let record = json!({ "timestamp": "2026-11-23T09:00:01.000Z", "type": "turn_context",
            "payload": { "turn_id": "t", "model": name } });
        format!("{record}\n")
    };
    let count = |input: u64, output: u64| {
        let usage =
            json!({ "input_tokens": input, "cached_input_tokens": 5, "output_tokens": output });
        let info = json!({ "last_token_usage": usage, "total_token_usage": usage });
        let record = json!({ "timestamp": "2026-11-23T09:00:02.000Z", "type": "event_msg",
            "payload": { "type": "token_count", "info": info } });
        format!("{record}\n")
    };
    let lines = [
        meta(&here, TWO),
        model("gpt-one"),
        item("first"),
        answer("an answer"),
        count(100, 7),
        model("gpt-two"),
        item("second"),
        answer("another"),
        count(200, 9),
        count(210, 11),
    ];
    world.devices[0].say(&path, lines.concat());
    world.deliver();
    for device in &mut world.devices {
        let shown: Shown = device.ask(page(TWO, 0, 10));
        let found: Vec<_> = shown
            .messages
            .iter()
            .map(|message| {
                let tokens = message.tokens.map(|tokens| (tokens.input, tokens.output));
                (message.model.as_deref(), tokens)
            })
            .collect();
        let expected = [
            (None, None),
            (Some("gpt-one"), Some((100, 7))),
            (None, None),
            (Some("gpt-two"), Some((210, 11))),
        ];
        assert_eq!(found, expected, "on {}", device.name);
        let later: Shown = device.ask(page(TWO, 3, 1));
        assert_eq!(later.messages[0].model.as_deref(), Some("gpt-two"));
    }
}

#[test]
fn a_file_of_a_session_is_found_in_the_checkout_of_each_device() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "first"));
    world.deliver();
    std::fs::write(there.join("main.rs"), "fn main() {}").expect("a file");
    let mut place = |device: usize, path: String| {
        let request = Request::FilePlace {
            session: ONE.into(),
            path,
        };
        let answer = world.devices[device].try_ask(request)?;
        let place: FilePlace = serde_json::from_value(answer).expect("a place");
        Ok::<_, ApiError>(place.path)
    };
    // As the other device wrote it, and as this one would.
    for dir in [&here, &there] {
        let named = dir.join("main.rs").to_string_lossy().into_owned();
        assert_eq!(place(1, named).expect("there"), there.join("main.rs"));
    }
    assert_eq!(code(place(0, "main.rs".into())), "not_opened");
    for outside in ["/etc/passwd", "../api/main.rs", "a/../../x"] {
        assert_eq!(code(place(1, outside.into())), "not_ours", "{outside}");
    }
}

/// A record of Claude Code with this content.
fn record(role: &str, content: &Value) -> String {
    let record =
        json!({ "type": role, "sessionId": ONE, "message": { "role": role, "content": content } });
    format!("{record}\n")
}

fn page(session: &str, from: u64, rows: u64) -> Request {
    Request::Show {
        session: session.into(),
        from,
        rows: Some(rows),
    }
}

fn kinds(message: &Message) -> Vec<&str> {
    message
        .parts
        .iter()
        .map(|part| part.kind.as_str())
        .collect()
}

fn code<T: std::fmt::Debug>(answer: Result<T, ApiError>) -> String {
    answer.expect_err("refused").code.to_string()
}

#[test]
fn a_transcript_is_read_page_by_page_and_its_bodies_when_they_are_wanted() {
    let (mut world, here, _) = World::pair_of_devices();
    let device = &mut world.devices[0];
    let path = device.transcript(&here, ONE);
    device.say(&path, turn(&here, ONE, "first"));
    let long = "ü".repeat(20_000);
    let call = json!([{ "type": "thinking", "thinking": "Hm." },
        { "type": "tool_use", "name": "Read", "input": { "file_path": "src/a.rs" } }]);
    let answer = json!([{ "type": "tool_result", "is_error": true, "content": [{ "type": "text", "text": long },
        { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "QUJD" } },
        { "type": "image", "source": { "type": "base64", "media_type": "image/svg+xml", "data": "QUJD" } }] }]);
    device.say(&path, "{\"type\":\"mode\",\"mode\":\"normal\"}\n");
    device.say(&path, record("assistant", &call));
    device.say(&path, record("user", &answer));
    let shown: Shown = device.ask(page(ONE, 1, 2));
    assert_eq!((shown.total, shown.from, shown.messages.len()), (3, 1, 2));
    assert_eq!(kinds(&shown.messages[0]), ["thinking", "tool_use"]);
    assert_eq!(
        shown.messages[0].parts[1].target.as_deref(),
        Some("src/a.rs")
    );
    let answered = &shown.messages[1];
    assert_eq!(
        (answered.role.as_str(), kinds(answered)),
        ("tool", vec!["tool_result", "image", "image"])
    );
    assert_eq!(
        (
            answered.parts[0].bytes,
            answered.parts[0].text.len(),
            answered.parts[0].is_error
        ),
        (40_000, 2048, true)
    );
    assert!(answered.text.len() <= 8192);
    let mut part = |message, part| {
        device.try_ask(Request::ShowPart {
            session: ONE.into(),
            message,
            part,
        })
    };
    let body = |value: Value| serde_json::from_value::<PartBody>(value).expect("a body");
    let whole = body(part(2, 0).expect("there"));
    assert!(whole.text == long && whole.whole);
    let picture = body(part(2, 1).expect("there"));
    assert_eq!(
        (picture.data.as_deref(), picture.bytes, picture.whole),
        (Some("QUJD"), 3, true)
    );
    // A drawing may contain scripts.
    let drawing = body(part(2, 2).expect("there"));
    assert_eq!((drawing.data, drawing.whole), (None, false));
    assert_eq!(
        (code(part(2, 3)), code(part(3, 0))),
        ("no_part".into(), "no_part".into())
    );
    // A text is found in parts that no page has whole, whatever its case, and in a call's JSON.
    let mut find = |text: &str| -> Occurrences {
        device.ask(Request::Find {
            session: ONE.into(),
            text: text.into(),
        })
    };
    let found = find(&"Ü".repeat(400));
    let place = |message, part, n| OccurrencePlace { message, part, n };
    assert_eq!((found.total, found.places), (50, vec![place(2, 0, 50)]));
    assert_eq!(find("\"FILE_path\":").places, Vec::<OccurrencePlace>::new());
    assert_eq!(find("SRC/a.rs").places, [place(1, 1, 1)]);
    assert_eq!((find("").total, find("QUJD").total), (0, 0));
    // Without paging, the whole transcript is there.
    let all: Shown = device.ask(Request::show(ONE));
    assert_eq!(
        (
            all.total,
            all.messages.len(),
            all.messages[2].text.matches('ü').count()
        ),
        (3, 3, 20_000)
    );
}

#[test]
fn a_list_may_be_cut_to_the_latest() {
    let (mut world, here, _) = World::pair_of_devices();
    for (n, session) in [ONE, TWO].into_iter().enumerate() {
        let path = world.devices[0].transcript(&here, session);
        let line = turn(&here, session, "go").replace("09:00:00", &format!("09:00:0{n}"));
        world.devices[0].say(&path, line);
    }
    let mut ask = |limit| {
        let filter = SessionFilter {
            limit,
            ..SessionFilter::default()
        };
        let rows: Vec<SessionRow> = world.devices[0].ask(Request::Sessions { filter });
        rows.into_iter().map(|row| row.session).collect::<Vec<_>>()
    };
    assert_eq!(
        (ask(None), ask(Some(1)), ask(Some(0))),
        (vec![TWO.into(), ONE.into()], vec![TWO.into()], vec![])
    );
}

#[test]
fn who_pages_through_a_session_that_grows_sees_what_he_began_with() {
    let (mut world, here, _) = World::pair_of_devices();
    let device = &mut world.devices[0];
    let path = device.transcript(&here, ONE);
    (0..5).for_each(|n| device.say(&path, turn(&here, ONE, &format!("word {n}"))));
    let first: Shown = device.ask(page(ONE, 0, 2));
    device.say(&path, turn(&here, ONE, "meanwhile"));
    let second: Shown = device.ask(page(ONE, 2, 10));
    assert_eq!(
        (first.total, second.total, second.messages.len()),
        (5, 5, 3)
    );
    let again: Shown = device.ask(page(ONE, 0, 2));
    assert_eq!(again.total, 6);
    let beyond: Shown = device.ask(page(ONE, u64::MAX, u64::MAX));
    assert!(beyond.messages.is_empty());
}

#[test]
fn every_message_says_on_which_device_it_was_said() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "on desk"));
    world.deliver();
    let path = world.devices[1].place_of(ONE).expect("there");
    world.devices[1].say(&path, turn(&there, ONE, "on lap"));
    world.deliver();
    let names = world
        .devices
        .iter()
        .map(|device| device.name.clone())
        .collect::<Vec<_>>();
    for device in &mut world.devices {
        let shown: Shown = device.ask(page(ONE, 0, 10));
        let said: Vec<_> = shown
            .messages
            .iter()
            .map(|said| said.device.clone().unwrap_or_default())
            .collect();
        assert_eq!(said, names);
    }
}

#[test]
fn calls_of_codex_are_read_by_its_adapter() {
    let (mut world, here, _) = World::pair_of_devices();
    let device = &mut world.devices[0];
    let path = device.rollout(TWO);
    let call = json!({ "type": "function_call", "name": "shell", "arguments": "{\"command\":[\"bash\",\"-lc\",\"ls\"]}" });
    let call = json!({ "type": "response_item", "payload": call });
    device.say(&path, format!("{}{}{call}\n", meta(&here, TWO), item("go")));
    let shown: Shown = device.ask(page(TWO, 0, 10));
    assert_eq!(
        shown
            .messages
            .iter()
            .map(|said| said.text.as_str())
            .collect::<Vec<_>>(),
        ["go", "[shell] ls"]
    );
}

#[test]
fn two_versions_stand_side_by_side_turn_by_turn_and_a_decision_can_be_undone_by_name() {
    let mut parted = Parted::claude();
    let answer = |parted: &mut Parted, device: usize, content: &serde_json::Value| {
        let device = &mut parted.world.devices[device];
        let path = device.place_of(ONE).expect("there");
        device.say(&path, record("assistant", content));
    };
    let long = "It orders writes already. ".repeat(20);
    let edit = json!({ "file_path": "src/a.rs", "old_string": "a", "new_string": "b" });
    answer(&mut parted, 0, &json!("The lock is short."));
    answer(
        &mut parted,
        0,
        &json!([{ "type": "tool_use", "name": "Edit", "input": edit }]),
    );
    parted.say(0, ONE, "and once more");
    answer(&mut parted, 1, &json!(long));
    let mut parted = parted.met();
    let names: Vec<String> = parted
        .world
        .devices
        .iter()
        .map(|device| device.name.clone())
        .collect();
    let device = &mut parted.world.devices[1];
    let mut ask = |bodies| -> Diff {
        device.ask(Request::Diff {
            session: ONE.into(),
            branch: None,
            beside: None,
            from: 0,
            rows: 10,
            choices: false,
            bodies,
        })
    };
    let diff = ask(true);
    let places: Vec<_> = diff
        .rows
        .iter()
        .map(|row| (row.turn, row.left.is_some(), row.right.is_some(), row.alone))
        .collect();
    assert_eq!(
        places,
        [
            (1, true, true, false),
            (1, true, true, false),
            (1, true, false, false),
            (2, true, false, true),
        ]
    );
    assert_eq!((diff.left.turns, diff.right.turns), (2, 1));
    let parts = |row: usize, side: fn(&DiffRow) -> &Option<Msg>| {
        let message = side(&diff.rows[row]).as_ref().expect("there");
        message.pieces[0].text.clone()
    };
    assert_eq!(parts(1, |row| &row.right), long, "whole, not its beginning");
    assert_eq!(parts(2, |row| &row.left), edit.to_string());
    let brief = ask(false);
    assert!(
        brief.rows[1]
            .right
            .as_ref()
            .is_some_and(|right| right.pieces.is_empty())
    );

    let undoable = |device: &mut Device, session: Option<&str>| -> Option<Undoable> {
        device.ask(Request::Undoable {
            session: session.map(str::to_owned),
        })
    };
    assert_eq!(undoable(device, None), None, "nothing was decided");
    assert_eq!(undoable(device, Some(ONE)), None);
    let _: Done = device.ask(Request::Resolve {
        session: ONE.into(),
        choice: "keep-right".into(),
        branch: None,
        beside: None,
        active: None,
    });
    parted.world.deliver();
    for (device, session) in [(0, None), (1, None), (1, Some(ONE))] {
        let found = undoable(&mut parted.world.devices[device], session).expect("decided");
        assert_eq!(
            (found.kind, found.session.as_str()),
            (UndoKind::Choice, ONE)
        );
        let right = names[1].as_str();
        assert_eq!(found.choice, Some(Action::KeepRight));
        assert_eq!(
            found.device.as_deref(),
            Some(right),
            "whose version was kept"
        );
    }
    let device = &mut parted.world.devices[0];
    let _: Done = device.ask(Request::Undo { session: None });
    parted.world.deliver();
    for device in &mut parted.world.devices {
        assert_eq!(undoable(device, None), None);
    }
}

#[test]
fn what_both_have_in_common_and_the_parts_of_a_row_can_be_read_in_the_comparison() {
    let mut parted = Parted::claude();
    let call =
        json!([{ "type": "tool_use", "name": "Bash", "input": { "command": "cargo test" } }]);
    let device = &mut parted.world.devices[0];
    let path = device.place_of(ONE).expect("there");
    device.say(&path, record("assistant", &call));
    let mut parted = parted.met();
    let device = &mut parted.world.devices[1];
    let common: DiffCommon = device.ask(Request::DiffCommon {
        session: ONE.into(),
        branch: None,
        beside: None,
        from: 0,
        rows: 10,
    });
    let said: Vec<&str> = common
        .messages
        .iter()
        .map(|said| said.text.as_str())
        .collect();
    assert_eq!((common.total, said), (1, vec!["common"]));
    let body: PartBody = device.ask(Request::DiffCommonPart {
        session: ONE.into(),
        branch: None,
        beside: None,
        message: 0,
        part: 0,
    });
    assert_eq!(body.text, "common");
    let diff: Diff = device.ask(Request::Diff {
        session: ONE.into(),
        branch: None,
        beside: None,
        from: 0,
        rows: 10,
        choices: false,
        bodies: false,
    });
    let row = diff.rows.iter().find(|row| {
        row.left
            .as_ref()
            .is_some_and(|left| !left.pieces.is_empty())
    });
    let row = row.expect("the call is a row");
    let piece = &row.left.as_ref().expect("left").pieces[0];
    assert_eq!(
        (piece.name.as_deref(), piece.target.as_deref()),
        (Some("Bash"), Some("cargo test"))
    );
    let mut part = |side| {
        device.try_ask(Request::DiffPart {
            session: ONE.into(),
            branch: None,
            beside: None,
            row: row.i,
            side,
            part: 0,
        })
    };
    let body: PartBody = serde_json::from_value(part(Side::Left).expect("there")).expect("a body");
    assert_eq!(body.text, "{\"command\":\"cargo test\"}");
    assert_eq!(code(part(Side::Right)), "no_part");
}

#[test]
fn words_about_a_choice_are_for_whoever_chooses_wherever_he_does() {
    let mut parted = Parted::claude().met();
    let split: SplitRow = parted.split(0);
    assert_eq!(
        split
            .choices
            .iter()
            .filter(|choice| choice.consequence.contains("--"))
            .count(),
        0
    );
}

#[test]
fn the_history_says_of_which_session() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "Fix the race"));
    let history: Vec<HistoryRow> = world.devices[0].ask(Request::History { session: None });
    assert!(
        !history.is_empty() && history.iter().all(|row| row.title == "Fix the race"),
        "{history:?}"
    );
}

fn git(dir: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
    git.env("GIT_CONFIG_GLOBAL", nowhere)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE");
    git.args(["-c", "user.name=x", "-c", "user.email=x@example.com", "-C"])
        .arg(dir)
        .args(args);
    let output = git.output().expect("git is needed for this test");
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The remarks before the session is continued, by code.
fn remarks(world: &mut World, device: usize, session: &str) -> Vec<(String, String)> {
    let resume: Resume = world.devices[device].ask(Request::Resume {
        session: session.into(),
    });
    assert_eq!(resume.notes.len(), resume.remarks.len());
    resume
        .remarks
        .into_iter()
        .map(|remark| (remark.code.to_string(), remark.message))
        .collect()
}

#[test]
fn before_going_on_it_is_said_how_the_checkout_here_differs() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let on = |branch: &str| {
        turn(&here, ONE, "go").replace(
            "{\"type\"",
            &format!("{{\"gitBranch\":\"{branch}\",\"type\""),
        )
    };
    world.devices[0].say(&path, on("fix/login"));
    world.deliver();
    git(&there, &["commit", "-q", "--allow-empty", "-m", "first"]);
    let branch = "The session was on branch fix/login, this checkout is on main.";
    assert_eq!(
        remarks(&mut world, 1, ONE),
        [("branch".into(), branch.into())]
    );
    for name in ["a", "b", "c"] {
        std::fs::write(there.join(name), "1").expect("file");
    }
    git(&there, &["checkout", "-q", "-b", "fix/login"]);
    let changed = "This checkout has 3 changed files.";
    assert_eq!(
        remarks(&mut world, 1, ONE),
        [("changed".into(), changed.into())]
    );
    // A user who continues in the same place knows of these changes.
    git(&here, &["commit", "-q", "--allow-empty", "-m", "first"]);
    std::fs::write(here.join("a"), "1").expect("file");
    git(&here, &["checkout", "-q", "-b", "fix/login"]);
    assert_eq!(remarks(&mut world, 0, ONE), []);
    git(&there, &["checkout", "-q", "--detach"]);
    let detached = remarks(&mut world, 1, ONE).remove(0);
    assert!(
        detached.0 == "branch" && detached.1.contains("is on no branch, at commit"),
        "{detached:?}"
    );
}

#[test]
fn a_commit_that_is_not_here_is_said_before_going_on() {
    let (mut world, here, there) = World::pair_of_devices();
    let known = {
        git(&there, &["commit", "-q", "--allow-empty", "-m", "first"]);
        git(&there, &["rev-parse", "HEAD"])
    };
    for (session, commit, expected) in [
        (
            TWO,
            "0123456789012345678901234567890123456789",
            "commit_missing",
        ),
        (super::talk::THREE, known.as_str(), ""),
    ] {
        let path = world.devices[0].rollout(session);
        let git =
            format!("\"git\":{{\"branch\":\"main\",\"commit_hash\":\"{commit}\"}},\"cli_version\"");
        let meta = meta(&here, session).replace("\"cli_version\"", &git);
        world.devices[0].say(&path, meta + &item("go"));
        world.deliver();
        let found = remarks(&mut world, 1, session);
        assert_eq!(
            found
                .iter()
                .map(|(code, _)| code.as_str())
                .collect::<String>(),
            expected,
            "{found:?}"
        );
        assert!(
            expected.is_empty()
                || found[0]
                    .1
                    .contains("commit 0123456, which is not here yet: fetch first"),
            "{found:?}"
        );
    }
}

#[test]
fn devices_on_the_same_network_are_listed_until_they_are_known() {
    let (mut world, ..) = World::pair_of_devices();
    let lap = world.devices[1].id.clone();
    let stranger = from_cert_der(b"stranger");
    let near = |id: &DeviceId| Nearby {
        id: id.clone(),
        addresses: vec!["tcp://192.168.1.9:22000".into()],
    };
    let device = &mut world.devices[0];
    let found: Devices = device.ask(Request::Devices);
    assert!(
        found
            .nearby_off
            .is_some_and(|why| why.contains("does not run"))
    );
    device.notice(Notice::Up {
        version: "v1.29.5".into(),
        pid: 1,
        addresses: vec![],
        program: None,
    });
    device.notice(Notice::Nearby(vec![near(&stranger), near(&lap)]));
    let found: Devices = device.ask(Request::Devices);
    assert_eq!(
        found
            .nearby
            .iter()
            .map(|near| near.id.as_str())
            .collect::<Vec<_>>(),
        [stranger.as_str()]
    );
    assert_eq!(found.nearby_off, None);
    let _: Value = device.ask(Request::Pair {
        code: stranger.to_string(),
    });
    let found: Devices = device.ask(Request::Devices);
    assert_eq!(found.nearby, []);
    session_roam_core::settings::change(&device.roam, |document| {
        document["network"]["local_discovery"] = toml_edit::value(false);
    })
    .expect("settings");
    device.start();
    device.notice(Notice::Nearby(vec![near(&from_cert_der(b"other"))]));
    let found: Devices = device.ask(Request::Devices);
    assert!(
        found.nearby.is_empty()
            && found
                .nearby_off
                .is_some_and(|why| why.contains("switched off"))
    );
}
