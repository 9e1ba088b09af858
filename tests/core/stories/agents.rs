//! Sub-agents: each branch of their logs that devices continued while disconnected is in some session;
//! where they have threads of their own, these go with the thread that started them.

use super::forget::{holding, pass_grace};
use super::search::hits;
use super::splits::{Docs, words};
use super::talk::{ONE, THREE, TWO, item, meta, turn};
use super::world::{Device, World};
use session_roam_core::api::{ForgetPreview, ForgottenRow, ProjectRow, Request, Shown};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The first line of a thread that works for another one, with what says so.
fn sub_meta(cwd: &Path, session: &str, fields: &str) -> String {
    meta(cwd, session).replacen("\"payload\":{", &format!("\"payload\":{{{fields},"), 1)
}

fn guardian(parent: &str) -> String {
    format!(
        "\"source\":{{\"subagent\":{{\"other\":\"guardian\"}}}},\"thread_source\":\"subagent\",\"parent_thread_id\":\"{parent}\""
    )
}

fn spawned(parent: &str) -> String {
    let spawn = format!("{{\"parent_thread_id\":\"{parent}\",\"depth\":1}}");
    format!("\"source\":{{\"subagent\":{{\"thread_spawn\":{spawn}}}}}")
}

fn listed(device: &mut Device) -> Vec<String> {
    let rows = device.sessions().into_iter();
    rows.map(|row| row.session).collect()
}

/// A guardian's thread repeats what was said in the thread that it watches, and was left everywhere
/// when that one was forgotten.
#[test]
fn a_sub_agents_thread_is_shown_and_forgotten_with_the_thread_that_started_it() {
    for fields in [guardian, spawned] {
        let (mut world, here, _) = World::pair_of_devices();
        world.devices.iter_mut().for_each(Device::searches);
        let threads = [
            (ONE, [meta(&here, ONE), item("Look at it")].concat()),
            (
                TWO,
                [sub_meta(&here, TWO, &fields(ONE)), item("a plum-tree")].concat(),
            ),
            (
                THREE,
                [sub_meta(&here, THREE, &fields(TWO)), item("plum-tree's")].concat(),
            ),
        ];
        for (session, lines) in &threads {
            let rollout = world.devices[0].rollout(session);
            world.devices[0].say(&rollout, lines);
        }
        world.deliver();
        for device in &mut world.devices {
            assert_eq!(listed(device), [ONE], "on {}", device.name);
            assert_eq!(device.status().sessions, 1);
            let projects: Vec<ProjectRow> = device.ask(Request::Projects);
            assert_eq!(projects.iter().map(|row| row.sessions).sum::<u64>(), 1);
            let shown: Shown = device.ask(Request::Show {
                session: ONE.into(),
                from: 0,
                rows: None,
            });
            let parts: Vec<&str> = shown.parts.iter().map(|row| row.session.as_str()).collect();
            assert_eq!(parts, [TWO]);
            let mut found = hits(device, "plum-tree");
            found.sort();
            assert_eq!(found, [TWO, THREE], "on {}", device.name);
            assert!(device.place_of(THREE).is_some(), "on {}", device.name);
        }

        let desk = &mut world.devices[0];
        let session = ONE.to_owned();
        let preview: ForgetPreview = desk.ask(Request::ForgetPreview { session });
        assert_eq!(preview.sessions.len(), 3);
        let session = ONE.to_owned();
        let _: Vec<ForgottenRow> = desk.ask(Request::Forget { session });
        pass_grace(desk);
        world.deliver();
        for device in &mut world.devices {
            let left = holding(device, "plum-tree");
            assert_eq!(left, Vec::<PathBuf>::new(), "on {}", device.name);
            assert_eq!(listed(device), [""; 0], "on {}", device.name);
        }
    }
}

/// Where the thread that started it is not known, a sub-agent's thread is the only way to its words.
/// Two that name each other are not lost either.
#[test]
fn a_sub_agents_thread_is_listed_as_long_as_no_listed_thread_shows_it() {
    let (mut world, here, _) = World::pair_of_devices();
    for (session, parent) in [(ONE, TWO), (TWO, ONE), (THREE, THREE)] {
        let lines = [sub_meta(&here, session, &guardian(parent)), item("alone")].concat();
        let rollout = world.devices[0].rollout(session);
        world.devices[0].say(&rollout, lines);
        world.deliver();
    }
    for device in &mut world.devices {
        let mut listed = listed(device);
        listed.sort();
        assert_eq!(listed, [ONE, TWO, THREE], "on {}", device.name);
    }
}

/// A third device had only an agent go on, whose log another device continued as well: neither
/// branch of the conversation is that device's.
#[test]
fn what_only_an_agent_of_a_third_device_wrote_is_a_session_of_its_own() {
    let mut world = World::devices(["desk", "lap", "box"]);
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        world.pair(one, other);
    }
    let places: Vec<PathBuf> = (0..3)
        .map(|at| world.devices[at].project("api", "git@github.com:acme/api.git"))
        .collect();
    let main = world.devices[0].transcript(&places[0], ONE);
    world.devices[0].say(&main, turn(&places[0], ONE, "common"));
    let agent = main.with_extension("").join("subagents/agent-1.jsonl");
    world.devices[0].say(&agent, turn(&places[0], ONE, "the agent begins"));
    world.deliver();
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        world.part(one, other);
    }
    let now = world.devices[0].clock_now();
    let said = [
        (0, "from desk", false),
        (1, "from lap", false),
        (2, "box's agent", true),
        (1, "lap's agent", true),
    ];
    for (second, (at, text, by_agent)) in (1..).zip(said) {
        let device = &mut world.devices[at];
        device.set_clock(now + second * 1000);
        let main = device.place_of(ONE).expect("there");
        let agent = main.with_extension("").join("subagents/agent-1.jsonl");
        let path = if by_agent { agent } else { main };
        device.say(&path, turn(&places[at], ONE, text));
    }
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        world.meet(one, other);
    }
    let stores = |device: &mut Device| -> BTreeMap<String, Docs> {
        let sessions = device.sessions().into_iter().map(|row| row.session);
        sessions
            .map(|session| (session.clone(), device.docs(&session)))
            .collect()
    };
    let all = stores(&mut world.devices[0]);
    let with = |text: &str| {
        let has = |docs: &Docs| words(&docs["subagents/agent-1.jsonl"]).contains(text);
        all.values().filter(|docs| has(docs)).count()
    };
    assert_eq!(with("the agent begins"), 3, "two branches and one");
    assert_eq!(with("lap's agent"), 2);
    assert_eq!(with("box's agent"), 1);
    let names: Vec<&String> = all.keys().collect();
    for device in &mut world.devices {
        let here = stores(device);
        assert_eq!(here.keys().collect::<Vec<_>>(), names, "{}", device.name);
        assert_eq!(device.problems(), [""; 0], "{}", device.name);
    }
}
