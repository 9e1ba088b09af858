//! Two machines with one identity: a copied virtual machine, a home restored from a backup, a
//! conflict copy in the vault. Whatever both wrote is ingested on every device; the equivocation is
//! reported, and a new identity repairs it.

use super::journals::{own_journals, recorded_lines, segments};
use super::talk::{ONE, TWO, assert_carried, turn};
use super::world::{Device, World, copy_tree, tree};
use session_roam_core::api::{Request, Status};
use session_roam_core::session::{Lane, Problem, ProblemCode, Remedy};
use session_roam_core::syncthing::Notice;
use session_roam_core::vault::Entry;
use session_roam_core::vault::frame::{self, Head};
use session_roam_core::vault::keys::DeviceKey;
use std::fs;
use std::path::{Path, PathBuf};

/// The turns that are in no journal on the device.
fn missing<'t>(device: &Device, cwd: &Path, texts: &[&'t str]) -> Vec<&'t str> {
    let lines = recorded_lines(device, ONE);
    texts
        .iter()
        .filter(|text| !lines.contains_key(turn(cwd, ONE, text).as_bytes()))
        .copied()
        .collect()
}

/// What a device's user can do about a clone that it reports.
fn offered(device: &mut Device) -> Vec<Remedy> {
    let status: Status = device.ask(Request::Status);
    let cloned = |problem: &&Problem| problem.code == ProblemCode::DeviceCloned;
    let told = status.problems.iter().find(cloned).expect("reported");
    told.actions.clone()
}

/// Desk and lap with a session on both; then the desk is copied, and the copy meets nobody yet.
fn copied_desk() -> (World, PathBuf, PathBuf) {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "before"));
    world.deliver();
    let copy = world.copy_device(0, "copy");
    // The same path on both machines: the user is the same.
    let slug = world.devices[copy].slug_dir(&here);
    (world, here, slug.join(format!("{ONE}.jsonl")))
}

#[test]
fn what_a_cloned_device_and_its_copy_write_is_taken_in_on_every_device() {
    let (mut world, here, at_copy) = copied_desk();
    let at_desk = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&at_desk, turn(&here, ONE, "at the desk"));
    world.deliver();
    world.part(0, 1);
    for text in ["at the copy", "and there again", "and once more"] {
        world.devices[2].say(&at_copy, turn(&here, ONE, text));
        // Its Syncthing scans: the copy's versions get ahead of the desk's, or nobody would accept
        // them.
        world.deliver();
    }
    world.meet(1, 2);
    let all = [
        "before",
        "at the desk",
        "at the copy",
        "and there again",
        "and once more",
    ];
    assert_eq!(
        missing(&world.devices[1], &here, &all),
        [""; 0],
        "the third device has both"
    );
    assert!(
        world.devices[1].has_problem("device_cloned"),
        "{:?}",
        world.devices[1].problems()
    );
    assert_eq!(
        offered(&mut world.devices[1]),
        [],
        "it is another device's identity that two machines have"
    );
    assert!(
        !world.devices[1].has_problem("journal_changed"),
        "nothing is to be fetched again"
    );
    assert_eq!(
        missing(&world.devices[2], &here, &all),
        [""; 0],
        "the copy has what the desk wrote"
    );
    world.part(1, 2);
    world.meet(0, 1);
    assert_eq!(
        missing(&world.devices[0], &here, &all),
        [""; 0],
        "and the other way round"
    );

    // Both continue like this, and come to rest; nothing is recorded twice.
    let frames = recorded_lines(&world.devices[1], ONE).into_values().max();
    for device in 0..3 {
        world.devices[device].poll();
    }
    world.meet(1, 2);
    assert_eq!(
        recorded_lines(&world.devices[1], ONE).into_values().max(),
        frames
    );
    world.devices[1].start();
    assert!(
        world.devices[1].has_problem("device_cloned"),
        "it is told after a restart, too"
    );
}

#[test]
fn a_home_put_back_from_a_backup_loses_nothing_that_came_after_the_backup() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "before"));
    world.deliver();
    let backup = world.devices[0].roam.with_extension("backup");
    copy_tree(&world.devices[0].roam, &backup);
    world.devices[0].say(&path, turn(&here, ONE, "after the backup"));
    world.deliver();
    world.devices[0].stop();
    fs::remove_dir_all(&world.devices[0].roam).expect("the disk is gone");
    copy_tree(&backup, &world.devices[0].roam);
    // The tool's store is of the day of the backup as well.
    fs::write(&path, turn(&here, ONE, "before")).expect("write");
    world.devices[0].start();
    for text in ["anew", "and on", "and on again"] {
        world.devices[0].say(&path, turn(&here, ONE, text));
    }
    world.deliver();
    for device in &world.devices[..2] {
        let all = [
            "before",
            "after the backup",
            "anew",
            "and on",
            "and on again",
        ];
        assert_eq!(missing(device, &here, &all), [""; 0], "{}", device.name);
    }
    assert!(world.devices[1].has_problem("device_cloned"));
}

/// A conflict copy of the desk's first segment in the lap's vault, with a turn of its own, named as
/// Syncthing names it.
fn conflict_copy(
    world: &World,
    owner: usize,
    at: usize,
    here: &Path,
    text: &str,
    name: &str,
) -> PathBuf {
    let file = segments(&world.devices[at], &world.devices[owner])
        .into_iter()
        .next()
        .expect("a segment");
    let bytes = fs::read(&file).expect("segment");
    let len = frame::frame_len(&bytes).expect("whole").expect("a frame");
    let first = frame::parse(&bytes[..len]).expect("a frame");
    let Some(Entry::Lines {
        doc,
        at: place,
        tip,
        ..
    }) = first.entries.last().cloned()
    else {
        panic!("lines")
    };
    let line = turn(here, ONE, text).into_bytes();
    let entry = Entry::Lines {
        doc,
        at: place,
        after: tip,
        tip: tip.then(&line),
        replaces: None,
        bytes: line,
    };
    let key = DeviceKey::load_or_create(&world.devices[owner].roam).expect("key");
    let head = Head {
        n: 1,
        prev: first.hash.clone(),
        ..first.head.clone()
    };
    let (other, _) = frame::render(&head, &[entry], |message| key.sign(message).to_vec());
    let copy = file.with_file_name(name);
    fs::write(&copy, [&bytes[..len], &other].concat()).expect("write");
    copy
}

const COPIES: [&str; 2] = [
    "0001.jsonl.sync-conflict-20261123-101500-ABCDEFG.zst",
    "0001.sync-conflict-20261123-101500-ABCDEFG.jsonl.zst",
];

#[test]
fn a_conflict_copy_in_the_vault_is_read_as_one_more_journal() {
    for name in COPIES {
        for arrives in [true, false] {
            let (mut world, here, _) = World::pair_of_devices();
            let path = world.devices[0].transcript(&here, ONE);
            for text in ["first", "second"] {
                world.devices[0].say(&path, turn(&here, ONE, text));
                world.deliver();
            }
            let copy = conflict_copy(&world, 0, 1, &here, "only in the copy", name);
            let (owner, bytes) = (world.devices[0].short(), fs::read(&copy).expect("copy"));
            if arrives {
                let root = world.devices[1].vault().lane_dir(&owner, Lane::Priority);
                let in_lane = copy
                    .strip_prefix(root)
                    .expect("below")
                    .to_string_lossy()
                    .replace('\\', "/");
                world.devices[1].notice(Notice::Arrived {
                    owner,
                    lane: Lane::Priority,
                    paths: vec![in_lane],
                });
            } else {
                world.devices[1].start();
            }
            assert!(
                world.devices[1].has_problem("device_cloned"),
                "{name}: {:?}",
                world.devices[1].problems()
            );
            world.deliver();
            for device in &world.devices {
                let lost = missing(device, &here, &["first", "second", "only in the copy"]);
                assert_eq!(lost, [""; 0], "{name} on {}", device.name);
            }
            assert_eq!(
                fs::read(&copy).expect("copy"),
                bytes,
                "nobody writes into it"
            );
            let kept = tree(world.devices[1].vault().kept.root());
            let has = |bytes: &Vec<u8>| {
                bytes
                    .windows(4)
                    .any(|four| four == [0x28, 0xb5, 0x2f, 0xfd])
            };
            assert!(kept.iter().any(|(path, bytes)| {
                path.extension().is_some_and(|end| end == "frames") && has(bytes)
            }));
            // The journal itself continues as before, and nothing is recorded a second time.
            let (before, other) = (
                recorded_lines(&world.devices[0], ONE),
                world.devices[0].transcript(&here, TWO),
            );
            world.devices[0].say(&other, turn(&here, TWO, "and on"));
            world.devices[1].start();
            world.deliver();
            assert_carried(&world.devices[0], &world.devices[1], TWO);
            assert_eq!(recorded_lines(&world.devices[0], ONE), before);
        }
    }
}

#[test]
fn a_conflict_copy_in_the_own_folder_is_read_and_never_written_into() {
    for name in COPIES {
        let (mut world, here, _) = World::pair_of_devices();
        let path = world.devices[0].transcript(&here, ONE);
        world.devices[0].say(&path, turn(&here, ONE, "first"));
        world.deliver();
        let copy = conflict_copy(&world, 0, 0, &here, "only in the copy", name);
        let bytes = fs::read(&copy).expect("copy");
        world.devices[0].start();
        world.devices[0].say(&path, turn(&here, ONE, "second"));
        world.deliver();
        for device in &world.devices {
            assert_eq!(
                missing(device, &here, &["first", "second", "only in the copy"]),
                [""; 0],
                "{}",
                device.name
            );
        }
        assert_eq!(offered(&mut world.devices[0]), [Remedy::NewIdentity]);
        assert_eq!(fs::read(&copy).expect("copy"), bytes);
    }
}

#[test]
fn a_conflict_copy_that_its_owner_did_not_sign_adds_nothing() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "first"));
    world.deliver();
    let copy = conflict_copy(&world, 0, 1, &here, "forged", COPIES[0]);
    let bytes = fs::read(&copy).expect("copy");
    let len = frame::frame_len(&bytes).expect("whole").expect("a frame");
    let mut forged = frame::parse(&bytes[len..]).expect("a frame");
    let stranger = DeviceKey::from_secret(&[99; 32]);
    forged.head.n = 1;
    let (other, _) = frame::render(&forged.head, &forged.entries, |message| {
        stranger.sign(message).to_vec()
    });
    fs::write(&copy, [&bytes[..len], &other].concat()).expect("write");
    let before = world.devices[1].stores();
    world.devices[1].start();
    world.deliver();
    assert_eq!(missing(&world.devices[1], &here, &["forged"]), ["forged"]);
    assert_eq!(world.devices[1].stores(), before);
}

#[test]
fn a_new_identity_carries_on_all_that_was_written_under_the_old_one() {
    let mut world = World::devices(["desk", "lap"]);
    let remote = "git@github.com:acme/api.git";
    let (here, _) = (
        world.devices[0].project("api", remote),
        world.devices[1].project("api", remote),
    );
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(
        &path,
        turn(&here, ONE, "first") + &turn(&here, ONE, "withdrawn"),
    );
    // Records that the tool took back stay taken back.
    world.devices[0].put(
        &path,
        turn(&here, ONE, "first") + &turn(&here, ONE, "instead"),
    );
    let old = world.devices[0].id.clone();
    let before = recorded_lines(&world.devices[0], ONE);
    world.renew(0, 70);
    assert_ne!(world.devices[0].id, old);
    assert_eq!(world.devices[0].state_of(ONE), "here");
    world.devices[0].say(&path, turn(&here, ONE, "and on"));
    world.pair(0, 1);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_eq!(
        world.devices[1].state_of(ONE),
        "here",
        "nothing that was taken back is a split now"
    );
    let there = recorded_lines(&world.devices[1], ONE);
    assert!(
        before.keys().all(|line| there.contains_key(line)),
        "no line is lost"
    );
    assert!(
        there.values().all(|count| *count == 1),
        "and none is said twice"
    );

    // From there on both directions sync, and another start repeats nothing.
    let place = world.devices[1].place_of(ONE).expect("here");
    world.devices[1].say(&place, turn(&here, ONE, "from the lap"));
    world.deliver();
    let all = recorded_lines(&world.devices[0], ONE);
    for _ in 0..2 {
        world.devices[0].start();
        world.deliver();
    }
    assert_eq!(recorded_lines(&world.devices[0], ONE), all);
    assert_carried(&world.devices[1], &world.devices[0], ONE);
    let resume: session_roam_core::api::Resume = world.devices[0].ask(Request::Resume {
        session: ONE.into(),
    });
    assert_eq!(resume.cwd, here);
}

#[test]
fn a_new_identity_for_the_copy_heals_a_cloned_device() {
    let (mut world, here, at_copy) = copied_desk();
    let at_desk = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&at_desk, turn(&here, ONE, "at the desk"));
    world.deliver();
    world.devices[2].say(&at_copy, turn(&here, ONE, "at the copy"));
    world.renew(2, 71);
    world.reach.extend([(1, 2), (0, 2)]);
    world.pair(2, 1);
    world.pair(2, 0);
    let all = ["before", "at the desk", "at the copy"];
    for device in &world.devices {
        assert_eq!(missing(device, &here, &all), [""; 0], "{}", device.name);
    }
    // From now on they are three ordinary devices.
    let other = world.devices[2]
        .slug_dir(&here)
        .join(format!("{TWO}.jsonl"));
    world.devices[2].say(&other, turn(&here, TWO, "a session of the copy"));
    world.deliver();
    for at in [0, 1] {
        assert_eq!(world.devices[at].state_of(TWO), "here");
        assert!(
            !world.devices[at].has_problem("journal_changed"),
            "{:?}",
            world.devices[at].problems()
        );
    }
    let frames = recorded_lines(&world.devices[1], ONE);
    world.devices[0].say(&at_desk, turn(&here, ONE, "the desk goes on"));
    world.deliver();
    for device in &world.devices {
        assert_eq!(
            missing(device, &here, &["the desk goes on"]),
            [""; 0],
            "{}",
            device.name
        );
    }
    let after = recorded_lines(&world.devices[1], ONE);
    assert!(frames.iter().all(|(line, count)| after[line] == *count));
    let own = own_journals(&world.devices[1]);
    let mut said = own.iter().flat_map(|journal| journal.additions());
    let line = turn(&here, ONE, "the desk goes on");
    assert!(
        said.all(|(_, bytes)| bytes != line.as_bytes()),
        "the third device passes on nothing any more"
    );
}
