//! Faults: the engine dies between two steps, its state is lost, a store is emptied, a disk
//! refuses, a clock is wrong. Afterwards nothing is lost, nothing is recorded twice, and the fault
//! was reported.

use super::journals::{own_frames, recorded_lines, segments};
use super::splits::{Parted, said_everywhere, three_ways};
use super::talk::{ONE, TWO, assert_carried, assert_quiet, id, meta, turn};
use super::world::{DAY, Device, START, World};
use session_roam_core::api::{Doctor, Done, Request, SessionRow};
use session_roam_core::engine::event::Event;
use session_roam_core::session::Lane;
use session_roam_core::syncthing::{Notice, folder_id};
use std::fs;
use std::path::{Path, PathBuf};

fn forget(device: &mut Device) {
    device.stop();
    for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
        drop(fs::remove_file(device.roam.join(name)));
    }
}

/// Every line of the session's main doc is in the journals exactly once.
fn assert_recorded_once(device: &Device, session: &str, lines: &[String]) {
    let recorded = recorded_lines(device, session);
    let counts: Vec<usize> = lines
        .iter()
        .map(|line| recorded.get(line.as_bytes()).copied().unwrap_or_default())
        .collect();
    assert_eq!(
        counts,
        vec![1; lines.len()],
        "each line once on {}",
        device.name
    );
    assert_eq!(recorded.len(), lines.len(), "and no others");
}

// ---- the engine dies ----

#[test]
fn dying_before_a_line_is_recorded_loses_nothing() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let lines = [turn(&here, ONE, "one"), turn(&here, ONE, "two")];
    world.devices[0].say(&path, &lines[0]);
    world.devices[0].append(&path, lines[1].as_bytes());
    world.devices[0].tell(Event::Touched(vec![path]));
    world.devices[0].stop();
    world.devices[0].start();
    world.deliver();
    assert_recorded_once(&world.devices[0], ONE, &lines);
    assert_eq!(own_frames(&world.devices[0]), 2);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

#[test]
fn dying_between_the_journal_and_the_state_records_nothing_twice() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let mut lines = Vec::new();
    for number in 0..4 {
        lines.push(turn(&here, ONE, &format!("{number}")));
        world.devices[0].append(&path, lines[number].as_bytes());
        world.devices[0].tell(Event::Touched(vec![path.clone()]));
        world.devices[0].look_and_die();
        assert_eq!(
            own_frames(&world.devices[0]),
            number + 1,
            "the frame was written before the end"
        );
        world.devices[0].start();
        assert_eq!(
            own_frames(&world.devices[0]),
            number + 1,
            "and is not written again"
        );
    }
    world.deliver();
    assert_recorded_once(&world.devices[0], ONE, &lines);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn dying_in_the_middle_of_a_frame_leaves_a_torn_one_that_nobody_reads() {
    for forgetful in [false, true] {
        let (mut world, here, _) = World::pair_of_devices();
        let path = world.devices[0].transcript(&here, ONE);
        let mut lines = vec![turn(&here, ONE, "one"), turn(&here, ONE, "two")];
        world.devices[0].say(&path, &lines[0]);
        world.deliver();
        world.devices[0].say(&path, &lines[1]);
        world.devices[0].stop();
        // Only half of the second frame reached the disk; the state does not know the frame, or
        // knows nothing at all.
        let segment = segments(&world.devices[0], &world.devices[0])
            .pop()
            .expect("a segment");
        let bytes = fs::read(&segment).expect("segment");
        let replica = segments(&world.devices[1], &world.devices[0])
            .pop()
            .expect("a replica");
        let first = fs::read(&replica).expect("segment").len();
        fs::write(&segment, &bytes[..first + (bytes.len() - first) / 2]).expect("tear");
        forget(&mut world.devices[0]);
        world.devices[0].start();
        if forgetful {
            forget(&mut world.devices[0]);
            world.devices[0].start();
        }
        lines.push(turn(&here, ONE, "three"));
        world.devices[0].say(&path, &lines[2]);
        world.deliver();
        assert_recorded_once(&world.devices[0], ONE, &lines);
        assert_recorded_once(&world.devices[1], ONE, &lines);
        assert_carried(&world.devices[0], &world.devices[1], ONE);
        assert_quiet(&mut world, ONE);
    }
}

#[test]
fn dying_between_the_store_and_the_state_writes_nothing_twice() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    for number in 0..4 {
        world.devices[0].say(&path, turn(&here, ONE, &format!("{number}")));
        let notices = world.ledger.carry(&world.devices, 0, 1, |_| true);
        notices
            .into_iter()
            .for_each(|notice| world.devices[1].tell(Event::Transport(notice)));
        world.devices[1].look_and_die();
        world.devices[1].start();
        assert_carried(&world.devices[0], &world.devices[1], ONE);
    }
    world.deliver();
    assert_eq!(
        own_frames(&world.devices[1]),
        0,
        "what it wrote itself is nothing of its own"
    );
    assert_quiet(&mut world, ONE);
}

#[test]
fn a_version_that_a_killed_engine_had_put_away_comes_back_with_undo() {
    let mut parted = Parted::claude().met();
    let fork = parted.fork();
    parted.world.part(0, 1);
    let lap = &mut parted.world.devices[1];
    let path = lap.place_of(&fork).expect("it is here");
    let keep_left = Request::Resolve {
        session: ONE.into(),
        choice: "keep-left".into(),
        branch: None,
        beside: None,
        active: None,
    };
    lap.tell(Event::Request(keep_left, Box::new(|_| {})));
    lap.die_once_gone(&path);
    lap.start();
    assert_eq!(lap.place_of(&fork), None);
    parted.undo(1);
    parted.world.meet(0, 1);
    assert_eq!(parted.on_both(&fork), "common, from lap");
    assert_eq!(parted.on_both(ONE), "common, from desk");
}

#[test]
fn an_older_state_from_a_backup_is_caught_up_with() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let (mut lines, mut backups) = (Vec::new(), Vec::new());
    for number in 0..4 {
        let line = turn(&here, ONE, &format!("{number}"));
        let speaker = number % 2;
        let file = world.devices[speaker]
            .place_of(ONE)
            .unwrap_or_else(|| path.clone());
        world.devices[speaker].say(&file, &line);
        lines.push(line);
        world.deliver();
        world.devices[0].stop();
        backups.push(fs::read(world.devices[0].roam.join("state.sqlite")).expect("state"));
        world.devices[0].start();
        world.deliver();
    }
    for backup in backups {
        forget(&mut world.devices[0]);
        fs::write(world.devices[0].roam.join("state.sqlite"), backup).expect("restore");
        world.devices[0].start();
        world.deliver();
        assert_eq!(own_frames(&world.devices[0]), 2);
        assert_recorded_once(&world.devices[0], ONE, &lines);
        assert_quiet(&mut world, ONE);
        let line = turn(&here, ONE, &format!("after {}", lines.len()));
        let there = world.devices[1].place_of(ONE).expect("placed");
        world.devices[1].say(&there, &line);
        lines.push(line);
        world.deliver();
        assert_carried(&world.devices[1], &world.devices[0], ONE);
    }
}

#[test]
fn a_lost_state_is_rebuilt_from_the_vault() {
    for broken in [false, true] {
        let (mut world, here, _) = World::pair_of_devices();
        let (first, second) = (
            world.devices[0].transcript(&here, ONE),
            world.devices[0].rollout(TWO),
        );
        world.devices[0].say(&first, turn(&here, ONE, "one"));
        world.devices[0].say(&second, meta(&here, TWO));
        world.deliver();
        let there = world.devices[1].place_of(ONE).expect("placed");
        world.devices[1].say(&there, turn(&here, ONE, "two"));
        world.deliver();
        let frames: Vec<usize> = world.devices.iter().map(own_frames).collect();
        let stores: Vec<_> = world.devices.iter().map(Device::stores).collect();
        for device in &mut world.devices {
            let before = device.sessions();
            forget(device);
            if broken {
                fs::write(
                    device.roam.join("state.sqlite"),
                    b"no database, but something all the same",
                )
                .expect("break");
            }
            device.start();
            assert_eq!(
                device.sessions(),
                before,
                "{} lists what it listed",
                device.name
            );
        }
        world.deliver();
        assert_eq!(
            world.devices.iter().map(own_frames).collect::<Vec<_>>(),
            frames
        );
        assert_eq!(
            world.devices.iter().map(Device::stores).collect::<Vec<_>>(),
            stores
        );
        world.devices[0].say(&first, turn(&here, ONE, "three"));
        world.deliver();
        assert_carried(&world.devices[0], &world.devices[1], ONE);
        assert_quiet(&mut world, TWO);
    }
}

// ---- a store is emptied ----

const MANY: usize = 12;

pub fn many_sessions() -> (World, PathBuf) {
    let (mut world, here, _) = World::pair_of_devices();
    for number in 0..MANY {
        let path = world.devices[0].transcript(&here, &id(number));
        world.devices[0].say(&path, turn(&here, &id(number), "hello"));
    }
    world.deliver();
    assert_eq!(world.devices[1].stores().len(), MANY);
    (world, here)
}

fn held(device: &mut Device) -> Vec<String> {
    device
        .status()
        .held
        .into_iter()
        .map(|held| held.code.to_string())
        .collect()
}

#[test]
fn an_emptied_store_is_held_told_not_spread_and_comes_back_by_itself() {
    for (what, running) in [
        ("projects", true),
        ("projects", false),
        ("", true),
        ("", false),
    ] {
        let (mut world, here) = many_sessions();
        let (before, frames) = (world.devices[0].stores(), own_frames(&world.devices[0]));
        let root = world.devices[1].claude().join(what);
        let aside = world.devices[1].home.join("aside");
        if !running {
            world.devices[1].stop();
        }
        fs::rename(&root, &aside).expect("rename");
        match running {
            true => world.devices[1].touch(&root),
            false => world.devices[1].start(),
        }
        world.deliver();
        assert_eq!(
            held(&mut world.devices[1]),
            ["tool_emptied"],
            "{what} {running}"
        );
        assert_eq!(world.devices[0].stores(), before, "nothing spreads");
        assert_eq!(held(&mut world.devices[0]), [""; 0]);
        // Meanwhile nothing is written into the empty store.
        let path = world.devices[0].transcript(&here, &id(0));
        world.devices[0].say(&path, turn(&here, &id(0), "more"));
        world.deliver();
        assert_eq!(world.devices[1].stores().len(), 0);

        fs::rename(&aside, &root).expect("back");
        world.devices[1].poll();
        world.deliver();
        assert_eq!(
            held(&mut world.devices[1]),
            [""; 0],
            "it comes back by itself"
        );
        assert_carried(&world.devices[0], &world.devices[1], &id(0));
        assert_eq!(own_frames(&world.devices[0]), frames + 1);
        assert_eq!(own_frames(&world.devices[1]), 0);
    }
}

#[test]
fn sessions_written_while_their_store_is_listed_have_not_vanished() {
    let (mut world, here, _) = World::pair_of_devices();
    let root = world.devices[1].claude();
    let listed = world.devices[1].list_ahead(&root);
    for number in 0..MANY {
        let path = world.devices[0].transcript(&here, &id(number));
        world.devices[0].say(&path, turn(&here, &id(number), "hello"));
    }
    world.deliver();
    assert_eq!(world.devices[1].stores().len(), MANY);
    world.devices[1].handle(listed);
    assert_eq!(held(&mut world.devices[1]), [""; 0]);
    // A listing that was requested meanwhile follows, and sees what happens next.
    fs::remove_dir_all(&root).expect("rm -rf");
    world.devices[1].touch(&root);
    assert_eq!(held(&mut world.devices[1]), ["tool_emptied"]);
}

#[test]
fn an_emptied_store_is_filled_again_when_the_user_asks_for_it() {
    let (mut world, here) = many_sessions();
    let before = world.devices[1].stores();
    fs::remove_dir_all(world.devices[1].claude()).expect("rm -rf");
    world.devices[1].poll();
    assert_eq!(held(&mut world.devices[1]), ["tool_emptied"]);
    let what = || "tool:claude-code".to_owned();
    let rows: Vec<SessionRow> = world.devices[1].ask(Request::Vanished { what: what() });
    assert_eq!(rows.len(), MANY);
    let _: Done = world.devices[1].ask(Request::Restore { session: what() });
    world.deliver();
    assert_eq!(held(&mut world.devices[1]), [""; 0]);
    assert_eq!(
        world.devices[1].stores(),
        before,
        "all is back, byte for byte"
    );
    let rows: Vec<SessionRow> = world.devices[1].ask(Request::Vanished { what: what() });
    assert_eq!(rows, [], "nothing is missing any more");
    // And they continue as before, on both devices.
    let path = world.devices[0].transcript(&here, &id(0));
    world.devices[0].say(&path, turn(&here, &id(0), "more"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], &id(0));
    assert_eq!(
        own_frames(&world.devices[1]),
        0,
        "nothing was recorded for it"
    );
}

#[test]
fn an_emptied_store_that_was_meant_is_let_go_and_the_vault_keeps_all() {
    let (mut world, here) = many_sessions();
    let before = world.devices[0].stores();
    fs::remove_dir_all(world.devices[1].claude()).expect("rm -rf");
    world.devices[1].poll();
    assert_eq!(held(&mut world.devices[1]), ["tool_emptied"]);
    let _: Done = world.devices[1].ask(Request::Release {
        what: "tool:claude-code".into(),
    });
    world.deliver();
    for device in [0, 1] {
        world.devices[device].poll();
        world.deliver();
        assert_eq!(held(&mut world.devices[device]), [""; 0]);
        assert_eq!(world.devices[device].sessions().len(), MANY);
    }
    assert_eq!(
        world.devices[1].stores().len(),
        0,
        "what was thrown away does not come back by itself"
    );
    assert_eq!(world.devices[0].stores(), before);
    // But a session that is continued elsewhere is written.
    let path = world.devices[0].transcript(&here, &id(3));
    world.devices[0].say(&path, turn(&here, &id(3), "more"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], &id(3));
    assert_eq!(world.devices[1].stores().len(), 1);
}

/// What was never recorded, because its project is excluded, was not here either.
#[test]
fn files_that_were_never_recorded_do_not_vanish_from_a_store() {
    let (mut world, here, _) = World::pair_of_devices();
    let device = &mut world.devices[0];
    let _: Done = device.ask(Request::ProjectExclude {
        key: "git:github.com/acme/api".into(),
        excluded: true,
    });
    for number in 0..MANY {
        let path = device.transcript(&here, &id(number));
        device.say(&path, turn(&here, &id(number), "hello"));
    }
    assert!(device.sessions().iter().all(|row| row.path.is_none()));
    device.stop();
    fs::remove_dir_all(device.claude().join("projects")).expect("cleaned up");
    device.start();
    assert_eq!(held(device), [""; 0]);
}

// ---- a disk refuses ----

#[test]
fn a_store_that_cannot_be_written_waits_and_goes_on_when_it_can() {
    let (mut world, here, _) = World::pair_of_devices();
    // A file in the place of the store's directory: refused even for root.
    fs::write(world.devices[1].claude(), "in the way").expect("write");
    let (path, other) = (
        world.devices[0].transcript(&here, ONE),
        world.devices[0].rollout(TWO),
    );
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.devices[0].say(&other, meta(&here, TWO));
    world.deliver();
    assert_eq!(
        world.devices[1].waits_for(ONE).as_deref(),
        Some("unwritable")
    );
    assert_carried(&world.devices[0], &world.devices[1], TWO);
    fs::remove_file(world.devices[1].claude()).expect("out of the way");
    world.devices[1].poll();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn a_vault_that_cannot_be_written_is_told_and_made_up_for() {
    let (mut world, here, _) = World::pair_of_devices();
    let tool_dir = world.devices[0]
        .vault()
        .lane_dir(&world.devices[0].short(), Lane::Priority)
        .join("claude-code");
    fs::write(&tool_dir, "in the way").expect("write");
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    assert!(world.devices[0].has_problem("not_recorded"));
    let doctor: Doctor = world.devices[0].ask(Request::Doctor);
    let listed: Vec<String> = (doctor.not_carried.into_iter())
        .map(|waiting| waiting.session)
        .collect();
    assert_eq!(listed, [ONE], "with those that do not sync");
    fs::remove_file(&tool_dir).expect("out of the way");
    world.devices[0].say(&path, turn(&here, ONE, "two"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn what_could_not_be_recorded_is_tried_again_by_itself() {
    let (mut world, here, _) = World::pair_of_devices();
    let tool_dir = world.devices[0]
        .vault()
        .lane_dir(&world.devices[0].short(), Lane::Priority)
        .join("claude-code");
    fs::write(&tool_dir, "in the way").expect("write");
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.devices[0].poll();
    fs::remove_file(&tool_dir).expect("out of the way");
    world.devices[0].poll();
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn a_state_that_cannot_be_written_keeps_nothing_from_the_others_and_is_made_up_for() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let lines = ["one", "two", "three"].map(|text| turn(&here, ONE, text));
    world.devices[0].say(&path, &lines[0]);
    world.deliver();
    let full = "CREATE TRIGGER full BEFORE INSERT ON sessions BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    state_sql(&world.devices[0], full);
    world.devices[0].say(&path, &lines[1]);
    assert!(world.devices[0].has_problem("state_unwritable"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    world.devices[0].poll();
    state_sql(&world.devices[0], "DROP TRIGGER full");
    world.devices[0].poll();
    assert_eq!(
        world.devices[0].row(ONE).map(|row| row.bytes),
        Some(fs::metadata(&path).expect("stat").len())
    );
    world.devices[0].say(&path, &lines[2]);
    world.deliver();
    assert_recorded_once(&world.devices[1], ONE, &lines);
    assert_quiet(&mut world, ONE);
}

#[test]
fn a_state_that_cannot_be_written_makes_no_echo_of_what_arrives() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let full = "CREATE TRIGGER full BEFORE INSERT ON sessions BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    state_sql(&world.devices[1], full);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.deliver();
    for file in world.devices[1].stores().into_keys() {
        world.devices[1].touch(&file);
    }
    world.devices[1].poll();
    assert!(world.devices[1].has_problem("state_unwritable"));
    state_sql(&world.devices[1], "DROP TRIGGER full");
    world.devices[1].poll();
    world.devices[1].poll();
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_eq!(
        own_frames(&world.devices[1]),
        0,
        "another's lines are not recorded as one's own"
    );
    assert_quiet(&mut world, ONE);
}

/// Every notice that something arrived saved the results so far, one by one.
#[test]
fn what_a_join_brings_is_saved_as_one_while_more_arrives() {
    let (mut world, here, _) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    desk.stop();
    state_sql(desk, "DELETE FROM notes WHERE name LIKE 'imported %'");
    let sessions: Vec<String> = (0..6).map(id).collect();
    for session in &sessions {
        let path = desk.transcript(&here, session);
        desk.append(&path, turn(&here, session, "history").as_bytes());
    }
    desk.start();
    let notices = world.ledger.carry(&world.devices, 0, 1, |_| true);
    let lap = &mut world.devices[1];
    for notice in notices {
        lap.tell(Event::Transport(notice));
    }
    let saved = |lap: &Device| -> u32 {
        let db = rusqlite::Connection::open(lap.roam.join("state.sqlite")).expect("open");
        let count = db.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0));
        count.expect("count")
    };
    let mut seen = std::collections::BTreeSet::new();
    while lap.work() {
        seen.insert(saved(lap));
        lap.tell(Event::Transport(Notice::Incoming { bytes: 1 }));
        lap.tell(Event::Transport(Notice::Arrived {
            owner: lap.short(),
            lane: Lane::Bulk,
            paths: vec!["nothing of interest".into()],
        }));
        seen.insert(saved(lap));
    }
    // What becomes known of the places is saved at once, and with it what came before.
    assert!(seen.len() <= 3, "one by one: {seen:?}");
    world.deliver();
    for session in &sessions {
        assert_carried(&world.devices[0], &world.devices[1], session);
    }
}

/// What had arrived was dropped, and the problem went away by itself.
#[test]
fn what_arrives_while_the_state_cannot_be_read_is_made_up_for() {
    let (mut world, here, there) = World::pair_of_devices();
    let (path, own) = (
        world.devices[0].transcript(&here, ONE),
        world.devices[1].transcript(&there, &id(0)),
    );
    state_sql(&world.devices[1], "ALTER TABLE records RENAME TO gone");
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.deliver();
    let lap = &mut world.devices[1];
    lap.append(&own, turn(&there, &id(0), "found by a poll").as_bytes());
    lap.poll();
    assert_eq!(lap.place_of(ONE), None);
    assert!(lap.has_problem("state_unwritable"));
    state_sql(lap, "ALTER TABLE gone RENAME TO records");
    lap.poll();
    lap.poll();
    assert!(!lap.has_problem("state_unwritable"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_carried(&world.devices[1], &world.devices[0], &id(0));
}

/// The journal's directory and the file's lines were dropped with the panic.
#[test]
fn what_a_worker_panicked_on_is_tried_again_by_itself() {
    let (mut world, here, there) = World::pair_of_devices();
    let (path, own) = (
        world.devices[0].transcript(&here, ONE),
        world.devices[1].transcript(&there, &id(0)),
    );
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    for notice in world.ledger.carry(&world.devices, 0, 1, |_| true) {
        world.devices[1].tell(Event::Transport(notice));
    }
    let lap = &mut world.devices[1];
    lap.panic_at_work();
    lap.append(&own, turn(&there, &id(0), "said here").as_bytes());
    lap.tell(Event::Touched(vec![own]));
    lap.panic_at_work();
    assert!(lap.has_problem("internal"));
    lap.poll();
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_carried(&world.devices[1], &world.devices[0], &id(0));
}

pub fn state_sql(device: &Device, sql: &str) {
    let db = rusqlite::Connection::open(device.roam.join("state.sqlite")).expect("open");
    db.execute_batch(sql).expect("sql");
}

#[test]
fn the_own_vault_folder_deleted_while_running_is_put_back() {
    for whole in [false, true] {
        let (mut world, here, _) = World::pair_of_devices();
        let path = world.devices[0].transcript(&here, ONE);
        let lines = ["one", "two"].map(|text| turn(&here, ONE, text));
        world.devices[0].say(&path, &lines[0]);
        world.deliver();
        let before = super::world::tree(
            &world.devices[1]
                .vault()
                .lane_dir(&world.devices[0].short(), Lane::Priority),
        );
        let (vault, short) = (world.devices[0].vault(), world.devices[0].short());
        let gone = if whole {
            vault.root().to_path_buf()
        } else {
            vault.lane_dir(&short, Lane::Priority)
        };
        fs::remove_dir_all(&gone).expect("rm -rf");
        let folder = folder_id(Lane::Priority, &short);
        world.devices[0].notice(Notice::FolderLost {
            folder,
            message: "folder path missing".into(),
        });
        assert!(world.devices[0].has_problem("vault_lost"));
        world.deliver();
        let after = super::world::tree(&world.devices[1].vault().lane_dir(&short, Lane::Priority));
        assert_eq!(
            before.keys().collect::<Vec<_>>(),
            after.keys().collect::<Vec<_>>(),
            "no deletion spreads"
        );
        world.devices[0].say(&path, &lines[1]);
        world.deliver();
        assert_recorded_once(&world.devices[0], ONE, &lines);
        assert_carried(&world.devices[0], &world.devices[1], ONE);
    }
}

#[test]
fn a_vault_deleted_while_the_engine_was_off_is_put_back_at_the_start() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let lines = ["one", "two"].map(|text| turn(&here, ONE, text));
    world.devices[0].say(&path, &lines[0]);
    world.deliver();
    world.devices[0].stop();
    fs::remove_dir_all(world.devices[0].vault().root()).expect("rm -rf");
    world.devices[0].start();
    assert!(world.devices[0].has_problem("vault_restored"));
    world.deliver();
    world.devices[0].say(&path, &lines[1]);
    world.deliver();
    assert_recorded_once(&world.devices[0], ONE, &lines);
    assert_recorded_once(&world.devices[1], ONE, &lines);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

/// A vault that a backup brought back, and a segment that fsck cut: a device that was paired later
/// read the session up to there and nothing that followed, and nobody was told.
#[test]
fn an_own_segment_that_became_shorter_is_whole_again_before_another_device_reads_it() {
    for (cut, running) in [(0, false), (1, false), (1, true)] {
        let mut world = World::devices(["desk", "lap"]);
        let here = world.devices[0].project("api", "git@github.com:acme/api.git");
        world.devices[1].project("work/api", "https://github.com/acme/api");
        let desk = &mut world.devices[0];
        let path = desk.transcript(&here, ONE);
        // More than a segment holds, and more than packing takes away.
        let mut noise = vec![0; 5 << 18];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let large = data_encoding::BASE64.encode(&noise);
        let texts = ["one", large.as_str(), "three", "four"];
        let mut ends = Vec::new();
        for text in texts {
            desk.say(&path, turn(&here, ONE, text));
            let segment = segments(desk, desk).pop().expect("a segment");
            ends.push((fs::metadata(&segment).expect("stat").len(), segment));
        }
        assert_ne!(ends[1].1, ends[2].1, "two segments");
        if !running {
            desk.stop();
        }
        // Another file takes the place of the segment: with its first frame only.
        let (len, segment) = &ends[2 * cut];
        let bytes = fs::read(segment).expect("segment");
        assert!((*len as usize) < bytes.len());
        fs::remove_file(segment).expect("remove");
        fs::write(segment, &bytes[..*len as usize]).expect("an earlier file");
        if !running {
            desk.start();
            assert!(desk.has_problem("vault_restored"));
        }
        desk.say(&path, turn(&here, ONE, "five"));
        assert!(!desk.has_problem("own_journal_changed"));
        assert_eq!(fs::read(segment).expect("segment")[..bytes.len()], bytes);
        world.pair(0, 1);
        assert_carried(&world.devices[0], &world.devices[1], ONE);
    }
}

// ---- a clock is wrong ----

const HOUR: i64 = 60 * 60 * 1000;

#[test]
fn a_wrong_clock_loses_nothing_and_splits_nothing() {
    for off in [HOUR, -HOUR, 366 * DAY, -366 * DAY] {
        let (mut world, here, _) = World::pair_of_devices();
        world.devices[1].set_clock(START + off);
        let path = world.devices[0].transcript(&here, ONE);
        let mut lines = Vec::new();
        for hop in 0..6usize {
            let speaker = hop % 2;
            let file = world.devices[speaker]
                .place_of(ONE)
                .unwrap_or_else(|| path.clone());
            lines.push(turn(&here, ONE, &format!("hop {hop}")));
            world.devices[speaker].say(&file, &lines[hop]);
            world.deliver();
            assert_carried(&world.devices[speaker], &world.devices[1 - speaker], ONE);
            if hop == 3 {
                // The clock is set right, and the engine restarts.
                world.devices[1].set_clock(START + HOUR / 60);
                world.devices[1].start();
                world.deliver();
            }
        }
        assert_recorded_once(&world.devices[0], ONE, &lines);
        assert_quiet(&mut world, ONE);
    }
}

#[test]
fn a_device_whose_clock_was_set_back_is_still_heard() {
    let (mut world, _, _) = World::pair_of_devices();
    world.devices[1].set_clock(START + 366 * DAY);
    world.devices[1].start();
    let _: Done = world.devices[1].ask(Request::Rename {
        id: None,
        name: "from the future".into(),
    });
    world.deliver();
    world.devices[1].set_clock(START);
    world.devices[1].start();
    let _: Done = world.devices[1].ask(Request::Rename {
        id: None,
        name: "back again".into(),
    });
    world.deliver();
    let devices: session_roam_core::api::Devices = world.devices[0].ask(Request::Devices);
    assert_eq!(devices.paired[0].name, "back again");
}

#[test]
fn what_is_open_on_a_device_with_a_wrong_clock_is_shown_and_soon_forgotten() {
    for off in [HOUR, -HOUR, 366 * DAY, -366 * DAY] {
        let (mut world, here, _) = World::pair_of_devices();
        let path = world.devices[0].transcript(&here, ONE);
        world.devices[0].say(&path, turn(&here, ONE, "hello"));
        world.deliver();
        world.devices[1].set_clock(START + off);
        open(&mut world.devices[1], ONE);
        world.deliver();
        assert_eq!(world.devices[0].status().live.len(), 1, "{off} ms off");
        world.devices[1].stop();
        world.devices[0].set_clock(START + 5 * 60 * 1000);
        assert_eq!(
            world.devices[0].status().live,
            [],
            "whoever is silent is believed to have closed it"
        );
    }
}

/// The lap, whose clock is a year ahead, decides twice; then desk decides once.
#[test]
fn one_decision_overrules_all_those_of_a_clock_that_is_ahead() {
    let mut world = three_ways();
    world.devices[1].set_clock(START + 366 * DAY);
    let mut decide = |at: usize, choice: &str, branch: &str| {
        let request = Request::Resolve {
            session: ONE.into(),
            choice: choice.into(),
            branch: Some(branch.into()),
            beside: None,
            active: None,
        };
        let _: Done = world.devices[at].ask(request);
        world.devices[at].settle();
        world.deliver();
        said_everywhere(&world)
    };
    decide(1, "keep-both", "lap");
    assert_eq!(decide(1, "keep-both", "box").len(), 3);
    let texts = ["common, from 1", "common, from 2"].map(String::from);
    assert_eq!(decide(0, "keep-right", "box"), texts.into());
}

/// This process has the session open, in the form that the tool would show it.
fn open(device: &mut Device, session: &str) {
    let sign: PathBuf = device
        .claude()
        .join(format!("sessions/{}.json", std::process::id()));
    let said = format!(
        "{{\"pid\":{},\"sessionId\":\"{session}\"}}",
        std::process::id()
    );
    device.put(Path::new(&sign), said);
}
