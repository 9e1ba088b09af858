//! Logs of sub-agents that devices continued while disconnected: each branch is in some session.

use super::splits::{Docs, words};
use super::talk::{ONE, turn};
use super::world::{Device, World};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
