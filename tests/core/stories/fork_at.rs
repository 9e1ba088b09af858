//! A new session that continues another one from any of its messages.

use super::fixtures::Story;
use super::talk::{ONE, linked};
use super::world::World;
use crate::conformance::cases::cases;
use session_roam_core::api::{Forked, Request, Shown};
use session_roam_core::session::ProblemCode;
use std::collections::BTreeSet;

/// A text that all messages have, and none of the settings.
fn texts(shown: &Shown) -> Vec<String> {
    let messages = shown
        .messages
        .iter()
        .filter(|message| message.role.as_str() != "steering");
    messages
        .map(|message| format!("{} {}", message.role.as_str(), message.text))
        .collect()
}

fn rows(shown: &Shown) -> u64 {
    shown.messages.len() as u64
}

#[test]
fn a_session_continues_from_every_message_of_every_fixture_on_the_other_device() {
    let mut tools = BTreeSet::new();
    for case in cases() {
        let (name, tool) = (case.name.clone(), case.tool.about());
        let mut story = Story::begin(case);
        let session = story.session.clone();
        let device = &mut story.world.devices[1];
        if device.row(&session).is_none_or(|row| row.path.is_none()) {
            continue; // its program is what writes it
        }
        let parent: Shown = device.ask(Request::show(&session));
        let (before, problems) = (device.docs(&session), device.problems());
        for at in 0..rows(&parent) {
            let asked = device.try_ask(Request::Fork {
                session: session.clone(),
                at,
                dir: None,
            });
            let forked: Forked = match asked {
                Err(error)
                    if error.code == ProblemCode::NotForkable
                        || error.code == ProblemCode::NoBoundary =>
                {
                    continue;
                }
                Err(error) => panic!("{name}: {at}: {error:?}"),
                Ok(answer) => serde_json::from_value(answer).expect("an answer"),
            };
            tools.insert(tool.tool.to_string());
            device.poll();
            let child: Shown = device.ask(Request::show(&forked.session));
            let wanted = &texts(&parent)[..forked.messages as usize];
            assert_eq!(texts(&child), wanted, "{name}: {at}");
            assert!(
                forked.total == texts(&parent).len() as u64 && forked.session != session,
                "{name}: {at}"
            );
        }
        // A database holds the new sessions, too.
        if tool.tool.as_str() != "opencode" {
            assert_eq!(device.docs(&session), before, "{name}: the original");
        }
        let after: Shown = device.ask(Request::show(&session));
        assert_eq!(texts(&after), texts(&parent), "{name}: the original");
        assert_eq!(device.problems(), problems, "{name}");
        story.world.deliver();
        let [here, there] = [0, 1].map(|at| {
            let rows = story.world.devices[at].sessions();
            rows.into_iter()
                .map(|row| row.session)
                .collect::<BTreeSet<_>>()
        });
        assert_eq!(here, there, "{name}: the new ones sync as any other");
    }
    let wanted = [
        "claude-code",
        "cline",
        "codex",
        "copilot-chat",
        "kiro",
        "opencode",
    ]
    .map(str::to_owned);
    assert!(wanted.iter().all(|tool| tools.contains(tool)), "{tools:?}");
}

#[test]
fn a_branch_of_a_split_continues_and_a_second_time_makes_another_session() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, linked(&here, ONE, "", "a", "common"));
    world.deliver();
    world.part(0, 1);
    world.devices[0].say(&path, linked(&here, ONE, "a", "b", "from desk"));
    let path = world.devices[1].transcript(&there, ONE);
    world.devices[1].say(&path, linked(&there, ONE, "a", "c", "from lap"));
    world.meet(0, 1);
    world.deliver();
    let device = &mut world.devices[1];
    let mut made = BTreeSet::new();
    for row in device.sessions() {
        let last = rows(&device.ask(Request::show(&row.session))) - 1;
        for _ in 0..2 {
            device.set_clock(device.clock_now() + 1);
            let forked: Forked = device.ask(Request::Fork {
                session: row.session.clone(),
                at: last,
                dir: None,
            });
            device.poll();
            let shown: Shown = device.ask(Request::show(&forked.session));
            assert_eq!(texts(&shown).len(), 4);
            assert!(
                shown.row.title.contains(&format!("(from message {last})")),
                "{}",
                shown.row.title
            );
            made.insert(forked.session);
        }
    }
    assert_eq!(made.len(), 4);
}

#[test]
fn what_cannot_be_continued_is_told_in_words() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, linked(&here, ONE, "", "a", "hello"));
    let device = &mut world.devices[0];
    let mut code = |session: &str, at| {
        let refused = device.try_ask(Request::Fork {
            session: session.into(),
            at,
            dir: None,
        });
        refused.expect_err("refused").code.as_str()
    };
    assert_eq!(code(ONE, 2), "unknown_message");
    assert_eq!(code(ONE, u64::MAX), "unknown_message");
    assert_eq!(code("9999", 0), "unknown_session");
    assert_eq!(device.sessions().len(), 1, "nothing was written");
}

/// All lines of the new session count as this device's, on the other devices as well.
#[test]
fn what_another_device_lets_an_agent_do_is_neutral_in_the_new_session() {
    let (mut world, here, _) = World::pair_of_devices();
    let steers = "{\"type\":\"permission-mode\",\"permissionMode\":\"bypassPermissions\"}\n";
    let path = world.devices[0].transcript(&here, ONE);
    let agent = path.with_extension("").join("subagents/agent-1.jsonl");
    let lines = linked(&here, ONE, "", "agent", "look around");
    world.devices[0].say(&agent, format!("{lines}{steers}"));
    let lines = linked(&here, ONE, "", "a", "hello");
    let more = linked(&here, ONE, "a", "b", "go on");
    world.devices[0].say(&path, format!("{lines}{steers}{more}"));
    world.deliver();

    let device = &mut world.devices[1];
    let parent: Shown = device.ask(Request::show(ONE));
    let forked: Forked = device.ask(Request::Fork {
        session: ONE.into(),
        at: rows(&parent) - 1,
        dir: None,
    });
    device.poll();
    let docs = device.docs(&forked.session);
    assert_eq!(docs.len(), 2, "{:?}", docs.keys());
    for (name, bytes) in docs {
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("answer to"), "{name}: {text}");
        assert!(!text.contains("\"permission-mode\""), "{name}: {text}");
    }
}
