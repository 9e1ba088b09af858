//! Conversations of Windsurf: encrypted files that are carried whole, and a plan beside them.

use super::world::World;
use session_roam_core::api::Request;
use session_roam_core::api::types::{Done, Shown};
use session_roam_core::tools::Running;
use std::fs;
use std::path::PathBuf;

const ID: &str = "4b1f6a2e-0d3c-4f7a-9a61-2c8e5b7d9f10";
/// No text in any encoding.
const BLOB: [u8; 6] = [0, 0xff, b'{', b'\n', 0xfe, 0];

fn file(world: &World, at: usize) -> PathBuf {
    let dir = world.devices[at].home.join(".codeium/windsurf/cascade");
    dir.join(format!("{ID}.pb"))
}

fn blob(number: u8) -> Vec<u8> {
    [&BLOB[..], &[number]].concat()
}

fn arrived() -> World {
    let (mut world, ..) = World::pair_of_devices();
    let plan = format!(".codeium/windsurf/brain/{ID}/plan.md");
    let plans = [0, 1].map(|at| world.devices[at].home.join(&plan));
    world.devices[0].put(&plans[0], "# Passkeys\n");
    let path = file(&world, 0);
    world.devices[0].put(&path, blob(1));
    world.deliver();
    assert_eq!(fs::read(&plans[1]).expect("the plan"), b"# Passkeys\n");
    world
}

#[test]
fn a_conversation_arrives_whole_and_comes_back() {
    let mut world = arrived();
    assert_eq!(fs::read(file(&world, 1)).expect("it arrived"), blob(1));
    assert_eq!(world.devices[1].row(ID).expect("listed").title, "Passkeys");
    let path = file(&world, 1);
    world.devices[1].put(&path, blob(2));
    world.deliver();
    assert_eq!(fs::read(file(&world, 0)).expect("it is there"), blob(2));
    let show: Shown = world.devices[0].ask(Request::Show {
        session: ID.into(),
        from: 0,
        rows: None,
    });
    let [message] = &show.messages[..] else {
        panic!("{:?}", show.messages);
    };
    let text = format!("{message:?}");
    assert!(text.contains("Encrypted by Windsurf: 7 bytes"), "{text}");
}

#[test]
fn nothing_is_written_while_windsurf_runs() {
    let mut world = arrived();
    let windsurf = Running {
        pid: 4711,
        exe: "/opt/Windsurf/resources/bin/language_server_linux_x64".into(),
        ..Running::default()
    };
    world.devices[1].apps.lock().expect("apps").push(windsurf);
    let path = file(&world, 0);
    world.devices[0].put(&path, blob(2));
    world.deliver();
    assert_eq!(fs::read(file(&world, 1)).expect("as before"), blob(1));
    assert_eq!(world.devices[1].waits_for(ID).as_deref(), Some("live"));
    world.devices[1].apps.lock().expect("apps").clear();
    world.devices[1].poll();
    world.deliver();
    assert_eq!(fs::read(file(&world, 1)).expect("written"), blob(2));
}

/// `~/.codeium/cascade`, as an early release had it.
#[test]
fn conversations_of_the_early_release_stay_where_each_device_has_them() {
    let (mut world, ..) = World::pair_of_devices();
    let dir = |world: &World, at: usize| world.devices[at].home.join(".codeium");
    let name = format!("cascade/{ID}.pb");
    let path = dir(&world, 0).join(&name);
    world.devices[0].put(&path, blob(1));
    world.deliver();
    // This device has none of them; it gets the usual one.
    assert_eq!(fs::read(file(&world, 1)).expect("it arrived"), blob(1));
    assert!(!dir(&world, 1).join("cascade").exists());
    let path = file(&world, 1);
    world.devices[1].put(&path, blob(2));
    world.deliver();
    let early = dir(&world, 0).join(&name);
    assert_eq!(fs::read(&early).expect("it is there"), blob(2));
    assert!(!dir(&world, 0).join("windsurf").exists());
    let other = ID.replace("4b1f", "5c2e");
    let path = path.with_file_name(format!("{other}.pb"));
    world.devices[1].put(&path, blob(3));
    world.deliver();
    let early = early.with_file_name(format!("{other}.pb"));
    assert_eq!(fs::read(early).expect("beside the other"), blob(3));
}

#[test]
fn of_two_that_went_on_each_stays_where_it_is_until_the_user_decides() {
    let mut world = arrived();
    for (at, number) in [(0, 2), (1, 3)] {
        let path = file(&world, at);
        world.devices[at].put(&path, blob(number));
    }
    world.deliver();
    for (at, number) in [(0, 2), (1, 3)] {
        assert_eq!(fs::read(file(&world, at)).expect("its own"), blob(number));
        assert_eq!(world.devices[at].splits().len(), 1);
    }
    let _: Done = world.devices[0].ask(Request::Resolve {
        session: ID.into(),
        choice: "keep-left".into(),
        branch: None,
        beside: None,
        active: None,
    });
    world.deliver();
    let kept = [0, 1].map(|at| fs::read(file(&world, at)).expect("kept"));
    assert_eq!(kept[0], kept[1]);
    assert!(kept[0] == blob(2) || kept[0] == blob(3));
}
