//! Plan files are in one directory for all sessions: each belongs to at most one session, and
//! another device that knows a plan's name neither reads nor replaces it.

use super::forget::holding;
use super::talk::{ONE, TWO, turn};
use super::world::{Device, World};
use session_roam_core::api::{Done, ForgottenRow, Request};
use session_roam_core::session::{SessionId, SessionKey, ToolId};
use std::fs;
use std::path::{Path, PathBuf};

const PLAN: &str = "calm-wise-otter.md";

/// A turn of a session that has a plan.
fn planned(cwd: &Path, session: &str, text: &str) -> String {
    turn(cwd, session, text).replacen('{', "{\"slug\":\"calm-wise-otter\",", 1)
}

fn plan_of(device: &Device) -> PathBuf {
    device.claude().join("plans").join(PLAN)
}

fn read(device: &Device) -> Option<String> {
    fs::read_to_string(plan_of(device)).ok()
}

/// Every device whose home contains the words.
fn homes_with(world: &World, words: &str) -> Vec<String> {
    let in_home = |device: &&Device| {
        holding(device, words)
            .iter()
            .any(|path| path.starts_with(&device.roam))
    };
    world
        .devices
        .iter()
        .filter(in_home)
        .map(|device| device.name.clone())
        .collect()
}

#[test]
fn a_plan_travels_with_its_session_and_comes_back_changed() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let plan = plan_of(&world.devices[0]);
    world.devices[0].put(&plan, "First plum.\n");
    world.devices[0].say(&path, planned(&here, ONE, "plan it"));
    world.deliver();
    assert_eq!(read(&world.devices[1]).as_deref(), Some("First plum.\n"));
    let (plan, path) = (
        plan_of(&world.devices[1]),
        world.devices[1].transcript(&there, ONE),
    );
    world.devices[1].put(&plan, "Second plum.\n");
    world.devices[1].say(&path, planned(&there, ONE, "go on"));
    world.deliver();
    assert_eq!(read(&world.devices[0]).as_deref(), Some("Second plum.\n"));
    world.devices[0].stop();
    world.devices[0].start();
    let plan = plan_of(&world.devices[0]);
    world.devices[0].put(&plan, "Third plum.\n");
    world.deliver();
    assert_eq!(
        read(&world.devices[1]).as_deref(),
        Some("Third plum.\n"),
        "its session is known after a restart"
    );
}

#[test]
fn a_plan_that_is_begun_on_another_device_travels_back() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.deliver();
    let (plan, path) = (
        plan_of(&world.devices[1]),
        world.devices[1].transcript(&there, ONE),
    );
    world.devices[1].put(&plan, "Plum.\n");
    world.devices[1].say(&path, planned(&there, ONE, "plan it"));
    world.deliver();
    assert_eq!(read(&world.devices[0]).as_deref(), Some("Plum.\n"));
}

#[test]
fn another_device_that_names_a_plan_gets_nothing_of_it() {
    for is_swept in [false, true] {
        let (mut world, here, there) = World::pair_of_devices();
        world.part(0, 1);
        let (plan, own) = (
            plan_of(&world.devices[0]),
            world.devices[0].transcript(&here, ONE),
        );
        world.devices[0].put(&plan, "Secret plum.\n");
        if is_swept {
            // The tool removed the session long ago, and nobody knows whose the plan was.
            assert!(!own.exists());
        } else {
            // The project is excluded here; only the plan's name is known elsewhere.
            let _: Done = world.devices[0].ask(Request::ProjectExclude {
                key: "git:github.com/acme/api".into(),
                excluded: true,
            });
            world.devices[0].say(&own, planned(&here, ONE, "plan it"));
            let home = world.devices[0].project("web", "git@github.com:acme/web.git");
            assert!(home.is_dir());
        }
        world.meet(0, 1);
        let there = if is_swept {
            there
        } else {
            world.devices[1].project("web", "git@github.com:acme/web.git")
        };
        let (theirs, path) = (
            plan_of(&world.devices[1]),
            world.devices[1].transcript(&there, TWO),
        );
        world.devices[1].put(&theirs, "Their plum.\n");
        world.devices[1].say(&path, planned(&there, TWO, "what is in it?"));
        world.deliver();
        assert_eq!(world.devices[0].state_of(TWO), "here");
        world.devices[1].put(&theirs, "Their other plum.\n");
        world.deliver();
        // The user continues the session on this device: the tool writes the plan's name into its
        // own records again.
        let at = world.devices[0].place_of(TWO).expect("placed");
        world.devices[0].say(&at, planned(&here, TWO, "go on"));
        world.devices[0].poll();
        world.deliver();
        world.devices[0].stop();
        world.devices[0].start();
        world.devices[0].poll();
        world.deliver();
        assert_eq!(
            read(&world.devices[0]).as_deref(),
            Some("Secret plum.\n"),
            "swept {is_swept}"
        );
        assert_eq!(
            homes_with(&world, "Secret plum"),
            Vec::<String>::new(),
            "swept {is_swept}"
        );
        let restless = world.devices[0].problems();
        assert!(restless.is_empty(), "{restless:?}");
    }
}

#[test]
fn of_two_sessions_that_name_one_plan_the_first_one_has_it() {
    let (mut world, here, _) = World::pair_of_devices();
    let plan = plan_of(&world.devices[0]);
    world.devices[0].put(&plan, "Plum.\n");
    for session in [ONE, TWO] {
        let path = world.devices[0].transcript(&here, session);
        world.devices[0].say(&path, planned(&here, session, "plan it"));
    }
    world.devices[0].put(&plan, "Riper plum.\n");
    world.devices[0].poll();
    world.deliver();
    assert_eq!(read(&world.devices[1]).as_deref(), Some("Riper plum.\n"));
    let key =
        |session: &str| SessionKey::new(&ToolId::new("claude-code"), &SessionId::new(session)).hash;
    let holds = holding(&world.devices[0], "Plum.");
    let journals = |session| {
        holds
            .iter()
            .any(|path| path.to_string_lossy().contains(&key(session)))
    };
    assert!(journals(ONE) && !journals(TWO), "{holds:?}");
}

#[test]
fn a_forgotten_session_takes_its_own_plan_with_it_and_no_other() {
    let (mut world, here, there) = World::pair_of_devices();
    let (plan, path) = (
        plan_of(&world.devices[0]),
        world.devices[0].transcript(&here, ONE),
    );
    world.devices[0].put(&plan, "Plum.\n");
    world.devices[0].say(&path, planned(&here, ONE, "plan it"));
    world.deliver();
    // A session of the other device names the plan, too, but means that device's own plan, which is
    // not here.
    let path = world.devices[1].transcript(&there, TWO);
    world.devices[1].say(&path, planned(&there, TWO, "mine, too"));
    world.deliver();
    for (session, left) in [(TWO, true), (ONE, false)] {
        let _: Vec<ForgottenRow> = world.devices[0].ask(Request::Forget {
            session: session.into(),
        });
        let now = world.devices[0].clock_now();
        world.devices[0].set_clock(now + 11 * 60_000);
        world.devices[0].poll();
        world.deliver();
        for device in &world.devices {
            assert_eq!(device.place_of(session), None);
            assert_eq!(
                read(device).is_some(),
                left,
                "{} after {session}",
                device.name
            );
        }
    }
    assert_eq!(homes_with(&world, "Plum"), Vec::<String>::new());
}
