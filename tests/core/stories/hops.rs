//! A session syncs back and forth, and through third devices.

use super::journals::{journals, own_frames, recorded_lines};
use super::talk::{ONE, THREE, TWO, assert_carried, assert_quiet, id, is_held, item, meta, turn};
use super::world::{Device, World};
use session_roam_core::api::{Devices, Done, Request};
use session_roam_core::syncthing::Notice;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

#[test]
fn a_session_is_where_its_project_is_on_the_other_device() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.deliver();
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&there, ONE))
    );
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn twenty_hops_leave_two_equal_sessions_and_no_echo() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let mut lines = BTreeSet::new();
    for hop in 0..20 {
        let (speaker, listener) = (hop % 2, 1 - hop % 2);
        let at = world.devices[speaker]
            .place_of(ONE)
            .unwrap_or_else(|| path.clone());
        let line = turn(&here, ONE, &format!("hop {hop}"));
        let frames = own_frames(&world.devices[speaker]);
        let frames_there = own_frames(&world.devices[listener]);
        world.devices[speaker].say(&at, &line);
        world.deliver();
        assert_eq!(
            own_frames(&world.devices[speaker]),
            frames + 1,
            "hop {hop}: one append, one frame"
        );
        assert_eq!(
            own_frames(&world.devices[listener]),
            frames_there,
            "hop {hop}: the listener records nothing"
        );
        assert_carried(&world.devices[speaker], &world.devices[listener], ONE);
        // Events of the watch about the engine's own writing change nothing either.
        let written = world.devices[listener].place_of(ONE).expect("placed");
        world.devices[listener].touch(&written);
        world.devices[listener].poll();
        world.deliver();
        assert_eq!(
            own_frames(&world.devices[listener]),
            frames_there,
            "hop {hop}: its own writing is not recorded"
        );
        lines.insert(line.into_bytes());
    }
    let recorded = recorded_lines(&world.devices[0], ONE);
    assert_eq!(recorded.keys().cloned().collect::<BTreeSet<_>>(), lines);
    assert!(
        recorded.values().all(|times| *times == 1),
        "no line is recorded twice"
    );
    assert_quiet(&mut world, ONE);
    assert_eq!(
        world.devices[0].status().splits + world.devices[1].status().splits,
        0
    );
}

#[test]
fn a_rollout_goes_there_and_back() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].rollout(TWO);
    world.devices[0].say(&path, meta(&here, TWO) + &item("one"));
    world.deliver();
    let there = world.devices[1].place_of(TWO).expect("placed");
    world.devices[1].say(&there, item("two"));
    world.deliver();
    world.devices[0].say(&path, item("three"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], TWO);
    assert_eq!(
        world.devices[0]
            .docs(TWO)
            .values()
            .next()
            .map(|doc| doc.split(|b| *b == b'\n').count()),
        Some(5)
    );
    assert_quiet(&mut world, TWO);
}

/// Desk and lap never meet; the box between them knows both. They approve each other.
fn chain() -> (World, [PathBuf; 3]) {
    let (mut world, places) = strangers();
    world.introduce(0, 2);
    (world, places)
}

/// Desk and lap know nothing of each other; the box between them knows both.
fn strangers() -> (World, [PathBuf; 3]) {
    let mut world = World::devices(["desk", "box", "lap"]);
    world.pair(0, 1);
    world.pair(1, 2);
    world.part(0, 2);
    let places = [0, 1, 2]
        .map(|at| world.devices[at].project(&format!("api-{at}"), "git@github.com:acme/api.git"));
    (world, places)
}

#[test]
fn a_third_device_gets_through_the_second_what_the_first_wrote_and_answers() {
    let (mut world, places) = chain();
    let path = world.devices[0].transcript(&places[0], ONE);
    world.devices[0].say(&path, turn(&places[0], ONE, "from desk"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[2], ONE);
    let there = world.devices[2].place_of(ONE).expect("placed");
    assert_eq!(there, world.devices[2].transcript(&places[2], ONE));
    world.devices[2].say(&there, turn(&places[2], ONE, "from lap"));
    world.deliver();
    assert_carried(&world.devices[2], &world.devices[0], ONE);
    assert_carried(&world.devices[2], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn the_first_device_may_be_off_while_its_session_goes_on_to_the_third() {
    let (mut world, places) = chain();
    world.part(1, 2);
    let path = world.devices[0].transcript(&places[0], ONE);
    world.devices[0].say(&path, turn(&places[0], ONE, "from desk"));
    world.deliver();
    world.devices[0].stop();
    world.part(0, 1);
    world.meet(1, 2);
    assert_carried(&world.devices[0], &world.devices[2], ONE);
    // The same in the other direction.
    let there = world.devices[2].place_of(ONE).expect("placed");
    world.devices[2].say(&there, turn(&places[2], ONE, "from lap"));
    world.deliver();
    world.devices[2].stop();
    world.part(1, 2);
    world.devices[0].start();
    world.meet(0, 1);
    assert_carried(&world.devices[2], &world.devices[0], ONE);
}

#[test]
fn side_docs_that_arrive_before_the_session_itself_wait_for_it() {
    let (mut world, places) = chain();
    let path = world.devices[0].transcript(&places[0], ONE);
    world.part(1, 2);
    world.devices[0].say(&path, turn(&places[0], ONE, "begin"));
    world.deliver();
    let log = world.devices[1]
        .slug_dir(&places[1])
        .join(ONE)
        .join("subagents/agent-1.jsonl");
    world.devices[1].say(&log, turn(&places[1], ONE, "of a subagent"));
    // Of both journals, the one with only the side doc is announced first.
    world.reach.insert((1, 2));
    let second = world.devices[1].short();
    let mut notices = world.ledger.carry(&world.devices, 1, 2, |_| true);
    notices
        .sort_by_key(|notice| !matches!(notice, Notice::Arrived { owner, .. } if *owner == second));
    for notice in notices {
        let is_second = matches!(&notice, Notice::Arrived { owner, .. } if *owner == second);
        world.devices[2].notice(notice);
        if is_second {
            assert_eq!(
                world.devices[2].stores(),
                BTreeMap::new(),
                "nothing is written without the transcript"
            );
        }
    }
    world.deliver();
    assert_carried(&world.devices[1], &world.devices[2], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn a_device_paired_with_two_strangers_proposes_each_to_the_other() {
    let (mut world, _) = strangers();
    let proposed = |devices: Devices| -> Vec<(String, String)> {
        devices
            .proposed
            .into_iter()
            .map(|device| (device.name, device.by))
            .collect()
    };
    let told = world.devices[0].ask(Request::Devices);
    assert_eq!(proposed(told), [("lap".into(), "box".into())]);
    let told = world.devices[2].ask(Request::Devices);
    assert_eq!(proposed(told), [("desk".into(), "box".into())]);
    assert!(
        world.devices[0]
            .ask::<Devices>(Request::Devices)
            .paired
            .iter()
            .all(|device| device.name == "box")
    );
}

#[test]
fn a_tool_that_is_off_does_not_arrive() {
    let (mut world, places) = chain();
    let _: Done = world.devices[2].ask(Request::ToolSwitch {
        tool: "codex".into(),
        on: false,
    });
    world.deliver();
    let (claude, codex) = (
        world.devices[0].transcript(&places[0], ONE),
        world.devices[0].rollout(TWO),
    );
    world.devices[0].say(&claude, turn(&places[0], ONE, "wanted"));
    world.devices[0].say(&codex, meta(&places[0], TWO) + &item("unwanted"));
    world.deliver();
    assert_eq!(
        (
            world.devices[1].state_of(ONE).as_str(),
            world.devices[1].state_of(TWO).as_str()
        ),
        ("here", "here")
    );
    assert_eq!(
        (
            world.devices[2].state_of(ONE).as_str(),
            world.devices[2].state_of(TWO).as_str()
        ),
        ("here", "none")
    );
    let tools: BTreeSet<String> = journals(&world.devices[2])
        .iter()
        .map(|journal| journal.frames[0].head.tool.to_string())
        .collect();
    assert_eq!(
        tools,
        BTreeSet::from(["claude-code".into()]),
        "nothing of it is even in the replica"
    );
    // Switched on again, the session arrives, although nobody writes anything.
    let _: Done = world.devices[2].ask(Request::ToolSwitch {
        tool: "codex".into(),
        on: true,
    });
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[2], TWO);
}

#[test]
fn an_excluded_project_never_leaves() {
    let (mut world, places) = chain();
    let secret = world.devices[0].project("secret", "git@github.com:acme/secret.git");
    let there = world.devices[1].project("secret", "git@github.com:acme/secret.git");
    let _: Done = world.devices[0].ask(Request::ProjectExclude {
        key: "git:github.com/acme/secret".into(),
        excluded: true,
    });
    let path = world.devices[0].transcript(&secret, THREE);
    world.devices[0].say(&path, turn(&secret, THREE, "the launch code is 0000"));
    let side = world.devices[0]
        .slug_dir(&secret)
        .join(THREE)
        .join("subagents/agent-1.jsonl");
    world.devices[0].say(
        &side,
        turn(&secret, THREE, "the launch code is 0000, says the agent"),
    );
    let open = world.devices[0].transcript(&places[0], ONE);
    world.devices[0].say(&open, turn(&places[0], ONE, "harmless"));
    world.devices[0].poll();
    world.deliver();
    world.devices[0].start();
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[2], ONE);
    assert_eq!(world.devices[1].place_of(THREE), None);
    assert!(!world.devices[1].slug_dir(&there).exists());
    for device in &world.devices {
        for journal in journals(device) {
            assert_ne!(journal.session(), THREE);
            for (doc, bytes) in journal.additions() {
                assert!(
                    !String::from_utf8_lossy(bytes).contains("launch code"),
                    "{doc} on {}",
                    device.name
                );
            }
        }
        let vault = super::world::tree(device.vault().root());
        assert!(
            vault.iter().all(|(_, bytes)| !contains(bytes, b"secret")),
            "not even its name is on {}",
            device.name
        );
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn both_went_on_while_apart_and_no_line_is_lost() {
    let (mut world, places) = chain();
    let path = world.devices[0].transcript(&places[0], ONE);
    world.devices[0].say(&path, turn(&places[0], ONE, "common"));
    world.deliver();
    world.part(0, 1);
    world.part(1, 2);
    let mut lines: Vec<String> = vec![turn(&places[0], ONE, "common")];
    let mut before = Vec::new();
    for at in [0, 2] {
        let file = world.devices[at].place_of(ONE).expect("placed");
        for number in 0..3 {
            let line = turn(&places[at], ONE, &format!("{at} says {number}"));
            world.devices[at].say(&file, &line);
            lines.push(line);
        }
        before.push((at, file.clone(), std::fs::read(&file).expect("file")));
    }
    world.meet(0, 1);
    world.meet(1, 2);
    for device in &mut world.devices {
        let recorded = recorded_lines(device, ONE);
        for line in &lines {
            assert!(
                recorded.contains_key(line.as_bytes()),
                "{} lost {line}",
                device.name
            );
        }
        let splits = device.splits();
        assert!(
            splits
                .iter()
                .any(|split| split.session == ONE && split.branches.len() == 2),
            "{}",
            device.name
        );
    }
    for (at, file, bytes) in before {
        assert!(
            is_held(&mut world.devices[at], ONE, &bytes),
            "{} on {at} was overwritten",
            file.display()
        );
    }
    assert_eq!(
        first_branches(&mut world),
        1,
        "every device lists the same split"
    );
}

/// The number of different branch lists that the devices show for their split.
fn first_branches(world: &mut World) -> usize {
    let lists = world.devices.iter_mut().map(|device| {
        let splits = device.splits();
        let branches = splits
            .iter()
            .filter(|split| split.session == ONE)
            .flat_map(|split| &split.branches);
        branches
            .map(|branch| (branch.branch.clone(), branch.records))
            .collect::<BTreeSet<_>>()
    });
    lists.collect::<BTreeSet<_>>().len()
}

#[test]
fn many_sessions_that_were_there_before_all_arrive() {
    let mut world = World::asleep(["desk", "lap"]);
    let (here, there) = (
        world.devices[0].project("api", "git@github.com:acme/api.git"),
        world.devices[1].project("api", "git@github.com:acme/api.git"),
    );
    for number in 0..40 {
        let path = world.devices[0].transcript(&here, &id(number));
        world.devices[0].append(&path, turn(&here, &id(number), "from before").as_bytes());
    }
    world.devices.iter_mut().for_each(Device::start);
    world.pair(0, 1);
    for number in 0..40 {
        assert_eq!(
            world.devices[1].place_of(&id(number)).as_deref(),
            Some(world.devices[1].transcript(&there, &id(number))).as_deref()
        );
    }
    let lanes: BTreeSet<&str> = journals(&world.devices[1])
        .iter()
        .map(|journal| journal.lane.as_str())
        .collect();
    assert_eq!(
        lanes,
        BTreeSet::from(["bulk"]),
        "history does not stand before what is live"
    );
}
