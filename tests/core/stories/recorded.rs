//! What a real engine tells of splits, waits, holds and mistakes, recorded for the window's fake: it cannot be nicer than
//! the truth. `cargo xtask docs` writes the recording; without that this test fails when the texts have changed.

use super::code::{PROJECT, Pair};
use super::faults::many_sessions;
use super::splits::{Parted, linked_parting, three_ways};
use super::talk::{ONE, TWO, turn};
use super::world::World;
use serde_json::{Map, Value, json};
use session_roam_core::api::{ApiError, Diff, Done, HistoryRow, Request};
use std::path::Path;

const FILE: &str = "../../ui/src/backend/fake/recorded.json";
const CHOICES: [&str; 5] = ["keep-both", "keep-left", "keep-right", "stitch", "branches"];

/// A split that can be decided so. Which decisions are possible depends on the tool's format.
fn split_for(choice: &str) -> (Parted, &'static str) {
    match choice {
        "stitch" => (Parted::codex().met(), TWO),
        "branches" => (linked_parting(), ONE),
        _ => (Parted::claude().met(), ONE),
    }
}

/// What is offered, each decision's answer, and that of undoing it.
fn decided() -> (Value, Value, Value) {
    let (mut offered, mut resolved, mut undone) = (Vec::new(), Map::new(), Map::new());
    for choice in CHOICES {
        let (mut parted, session) = split_for(choice);
        let choices = parted.split(0).choices.into_iter();
        offered.extend(choices.filter(|offered| offered.id.as_str() == choice));
        let mut done = parted.resolve(0, session, choice).expect("decided");
        assert_eq!(done.actions.len(), 1, "it can be undone");
        done.actions.clear();
        resolved.insert(choice.into(), json!(done));
        let done: Done = parted.world.devices[0].ask(Request::Undo { session: None });
        undone.insert(choice.into(), json!(done));
    }
    assert!(offered.iter().all(|choice| choice.enabled), "{offered:#?}");
    (json!(offered), Value::from(resolved), Value::from(undone))
}

/// The same for two versions beside the session's own.
fn decided_beside() -> Value {
    let mut resolved = Map::new();
    let mut offered = Vec::new();
    for choice in ["keep-both", "keep-left", "keep-right"] {
        let mut world = three_ways();
        let device = &mut world.devices[0];
        let row = device.splits().remove(0);
        let branch = |name: &str| {
            let mut branches = row.branches.iter();
            let one = branches.find(|one| one.device == name).expect("a branch");
            Some(one.branch.clone())
        };
        let diff: Diff = device.ask(Request::Diff {
            session: ONE.into(),
            branch: branch("box"),
            beside: branch("lap"),
            from: 0,
            rows: 0,
            choices: true,
            bodies: false,
        });
        let mut done: Done = device.ask(Request::Resolve {
            session: ONE.into(),
            choice: choice.into(),
            branch: branch("box"),
            beside: branch("lap"),
            active: None,
        });
        done.actions.clear();
        resolved.insert(choice.into(), json!(done));
        offered = diff.choices;
    }
    json!({ "choices": offered, "resolved": resolved })
}

fn waiting() -> Map<String, Value> {
    let mut found = Map::new();
    let switch = |tool: &str, on| Request::ToolSwitch {
        tool: tool.into(),
        on,
    };
    let exclude = |key: &str, excluded| Request::ProjectExclude {
        key: key.into(),
        excluded,
    };
    let requests = [
        switch("claude-code", false),
        switch("claude-code", true),
        exclude("git:github.com/acme/api", true),
        exclude("git:github.com/acme/api", false),
        Request::Pause { until: None },
    ];
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    for request in requests {
        let _: Value = world.devices[1].ask(request);
        world.devices[0].say(&path, turn(&here, ONE, "more"));
        world.deliver();
        note(&mut found, &mut world);
    }
    // A project that is on desk alone.
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let there = world.devices[0].project("web", "git@github.com:acme/web.git");
    let path = world.devices[0].transcript(&there, ONE);
    world.devices[0].say(&path, turn(&there, ONE, "hello"));
    world.deliver();
    note(&mut found, &mut world);
    found
}

fn note(found: &mut Map<String, Value>, world: &mut World) {
    for row in world.devices[1].status().waiting {
        let code = row.code.expect("a reason").to_string();
        let told = json!({ "why": row.why, "hint": row.hint, "actions": row.actions });
        found.insert(code, told);
    }
}

fn held() -> Value {
    let (mut world, _) = many_sessions();
    let root = world.devices[1].claude();
    std::fs::remove_dir_all(&root).expect("rm -rf");
    world.devices[1].poll();
    let held = json!(world.devices[1].status().held);
    let _: Done = world.devices[1].ask(Request::Restore {
        session: "tool:claude-code".into(),
    });
    world.devices[1].settle();
    world.deliver();
    assert!(world.devices[1].status().held.is_empty());
    assert_eq!(
        world.devices[0].stores().len(),
        world.devices[1].stores().len(),
        "the sessions are back"
    );
    held
}

fn refused() -> Map<String, Value> {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    let desk = &mut world.devices[0];
    let own: session_roam_core::api::Device = desk.ask(Request::Device);
    let requests = [
        Request::show("nope"),
        Request::Undo { session: None },
        Request::Undo {
            session: Some(ONE.into()),
        },
        Request::Pair {
            code: "nonsense".into(),
        },
        Request::Pair { code: own.code },
        Request::Dismiss { id: "nope".into() },
        Request::Approve { id: "nope".into() },
        Request::Release {
            what: "nope".into(),
        },
        Request::Restore {
            session: ONE.into(),
        },
        Request::Resolve {
            session: ONE.into(),
            choice: "keep-both".into(),
            branch: None,
            beside: None,
            active: None,
        },
    ];
    let errors = requests.map(|request| -> ApiError {
        let named = format!("{request:?}");
        desk.try_ask(request).expect_err(&named)
    });
    errors
        .into_iter()
        .map(|error| (error.code.to_string(), json!(error)))
        .collect()
}

/// The question about uncommitted changes with its answers, and what follows on the other device.
fn code() -> Value {
    let mut pair = Pair::undecided();
    pair.desk_changes();
    let question = pair.device(0).status().code_question;
    let mut switched = |on| -> Done {
        let project = Some(PROJECT.to_owned());
        pair.device(0).ask(Request::CodeSwitch { project, on })
    };
    let (off, on) = (switched(false), switched(true));
    pair.say(0, "c", "more");
    pair.rest();
    pair.apply(1);
    let session = Some(ONE.to_owned());
    let rows: Vec<HistoryRow> = pair.device(1).ask(Request::History { session });
    let mut applied = rows.into_iter().find(|row| row.what.counts_files());
    // As it is in the fake's list of sessions, at a time of its own.
    if let Some(row) = &mut applied {
        row.at = String::new();
    }
    std::fs::write(pair.lap.join("session.rs"), "fn mine() {}\n").expect("writes");
    let undo = Request::Undo { session: None };
    let mut blocked = pair.device(1).try_ask(undo).expect_err("is refused");
    let lap = pair.lap.display().to_string();
    blocked.message = blocked.message.replace(&lap, "/home/mara/code/api");
    let project = Some(PROJECT.to_owned());
    let forgotten: Done = pair.device(0).ask(Request::CodeForget { project });
    json!({
        "question": question,
        "on": on,
        "off": off,
        "applied": applied,
        "blocked": blocked,
        "forgotten": forgotten,
    })
}

#[test]
fn what_the_fake_tells_is_what_the_engine_tells() {
    let (choices, resolved, undone) = decided();
    let recorded = json!({
        "choices": choices,
        "resolved": resolved,
        "undone": undone,
        "beside": decided_beside(),
        "waiting": waiting(),
        "held": held(),
        "refused": refused(),
        "code": code(),
    });
    assert_plain("", &recorded);
    let text = serde_json::to_string_pretty(&recorded).expect("JSON") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    #[allow(clippy::disallowed_methods)] // `cargo xtask docs` says so
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == written.replace("\r\n", "\n"),
        "{FILE} is not what the engine tells: run `cargo xtask docs`"
    );
}

/// Nothing that the window shows names a command, or a side.
fn assert_plain(name: &str, value: &Value) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| assert_plain(name, value)),
        Value::Array(values) => values.iter().for_each(|value| assert_plain(name, value)),
        Value::String(text) if ["message", "hint", "why", "consequence"].contains(&name) => {
            let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
            let named = words
                .filter(|word| ["left", "right", "roam"].contains(word))
                .count();
            assert!(named == 0 && !text.contains('`'), "{name}: {text}");
        }
        _ => {}
    }
}

/// The same for every text of the engine, whether a story reaches it or not.
#[test]
fn no_text_of_the_engine_names_a_command() {
    let mut checked = 0;
    let mut dirs = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            match path.extension() {
                _ if path.is_dir() => dirs.push(path),
                // The settings file explains itself to those who edit it; an app shows its user the engine's text
                // and nothing else.
                Some(rs)
                    if rs == "rs"
                        && !path.ends_with("settings.rs")
                        && !path.ends_with("engine/apps.rs") =>
                {
                    let text = std::fs::read_to_string(&path).expect("source");
                    let code = text
                        .lines()
                        .filter(|line| !line.trim_start().starts_with("//"));
                    for line in code {
                        let is_command = line.contains("`roam ") || line.contains(": roam ");
                        assert!(!is_command, "{}: {line}", path.display());
                    }
                    checked += 1;
                }
                _ => {}
            }
        }
    }
    assert!(300 < checked, "{checked} files");
}
