//! A start costs what changed while the engine was off, not what there is; and whatever changed is
//! found.

use super::faults::state_sql;
use super::journals::{recorded_lines, segments};
use super::talk::{id, turn};
use super::world::{Device, World};
use session_roam_core::engine::event::Event;
use session_roam_core::session::{SessionId, SessionKey, ToolId};
use session_roam_core::state::{State, pack};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const N: usize = 12;

/// A pair of devices with sessions in both stores, after a quiet restart.
fn at_rest() -> (World, PathBuf) {
    let (mut world, here, _) = World::pair_of_devices();
    for n in 0..N {
        let path = world.devices[0].transcript(&here, &id(n));
        world.devices[0].say(&path, turn(&here, &id(n), "hello"));
    }
    world.deliver();
    for device in &mut world.devices {
        // The engine's own writing is looked at once more.
        device.poll();
        device.start();
    }
    world.deliver();
    (world, here)
}

/// Ends the engine, lets `meanwhile` change something, starts again, and returns which sessions
/// were reconciled.
fn after(device: &mut Device, meanwhile: impl FnOnce(&mut Device)) -> BTreeSet<SessionKey> {
    device.stop();
    meanwhile(device);
    device.start();
    device.reconciled.iter().cloned().collect()
}

fn keys(sessions: &[usize]) -> BTreeSet<SessionKey> {
    let key = |n: &usize| SessionKey::new(&ToolId::new("claude-code"), &SessionId::new(id(*n)));
    sessions.iter().map(key).collect()
}

fn file_of(device: &Device, here: &Path, n: usize) -> PathBuf {
    device
        .place_of(&id(n))
        .unwrap_or_else(|| device.transcript(here, &id(n)))
}

#[test]
fn a_start_reconciles_nothing_if_nothing_changed() {
    let (mut world, _) = at_rest();
    for device in &mut world.devices {
        assert_eq!(after(device, |_| {}), BTreeSet::new());
        assert_eq!(device.status().sessions, N as u64);
        device.poll();
        assert_eq!(device.reconciled, Vec::new(), "a poll finds nothing either");
    }
}

#[test]
fn a_start_reconciles_what_changed_in_the_store_and_in_the_vault() {
    let (mut world, here) = at_rest();
    let line = turn(&here, &id(3), "while it was off");
    let path = file_of(&world.devices[0], &here, 3);
    let found = after(&mut world.devices[0], |device| {
        device.append(&path, line.as_bytes());
    });
    assert_eq!(found, keys(&[3]));
    assert!(recorded_lines(&world.devices[0], &id(3)).contains_key(line.as_bytes()));
    // A segment of another device's that was exchanged for one of the same size.
    let [desk, laptop] = &mut world.devices[..] else {
        panic!("two devices")
    };
    let segment = segments(laptop, desk)
        .into_iter()
        .next()
        .expect("a segment");
    let before = laptop.stores();
    let found = after(laptop, |_| {
        let mut bytes = fs::read(&segment).expect("segment");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::remove_file(&segment).expect("removed");
        fs::write(&segment, bytes).expect("exchanged");
    });
    assert!(!found.is_empty());
    assert!(
        laptop.has_problem("journal_changed"),
        "{:?}",
        laptop.problems()
    );
    assert_eq!(laptop.stores(), before);
}

/// The loop knew of the change and a worker did not, or had not told.
#[test]
fn a_kill_between_the_listing_and_the_reconcile_loses_nothing() {
    for is_reconciled in [false, true] {
        let (mut world, here) = at_rest();
        let device = &mut world.devices[0];
        let line = turn(&here, &id(5), "just before the kill");
        let path = file_of(device, &here, 5);
        device.append(&path, line.as_bytes());
        // The directory was touched, so the whole store is listed.
        let listed = device.list_ahead(path.parent().expect("a directory"));
        device.tell(listed);
        match is_reconciled {
            true => device.look_and_die(),
            false => device.stop(),
        }
        assert_eq!(after(device, |_| {}), keys(&[5]));
        assert!(recorded_lines(device, &id(5)).contains_key(line.as_bytes()));
    }
}

#[test]
fn a_start_under_other_settings_reconciles_everything() {
    let (mut world, _) = at_rest();
    let device = &mut world.devices[0];
    let all = keys(&(0..N).collect::<Vec<_>>());
    let found = after(device, |device| {
        session_roam_core::settings::change(&device.roam, |document| {
            document["guard"]["max_rewritten"] = toml_edit::value(7);
        })
        .expect("settings");
    });
    assert_eq!(found, all);
    assert_eq!(after(device, |_| {}), BTreeSet::new());
}

/// A large store is listed by every few polls; an event is not delayed by that.
#[test]
fn a_poll_lists_a_store_that_is_small_and_an_event_any_store() {
    let (mut world, here) = at_rest();
    let device = &mut world.devices[0];
    let (one, two) = (
        turn(&here, &id(1), "unnoticed"),
        turn(&here, &id(1), "noticed"),
    );
    let path = file_of(device, &here, 1);
    device.append(&path, one.as_bytes());
    device.handle(Event::Poll);
    assert!(recorded_lines(device, &id(1)).contains_key(one.as_bytes()));
    device.say(&path, &two);
    assert!(recorded_lines(device, &id(1)).contains_key(two.as_bytes()));
}

/// The listings that wait to be done, each work's by itself. All other work is done.
fn listings(device: &mut Device) -> Vec<Vec<Event>> {
    let mut found = Vec::new();
    while let Some(events) = device.work_beside() {
        match events.iter().any(|event| matches!(event, Event::Listed(_))) {
            true => found.push(events),
            false => events.into_iter().for_each(|event| device.tell(event)),
        }
    }
    found
}

/// A poll listed each tool's store on a thread of its own.
#[test]
fn a_poll_lists_small_stores_in_one_work_and_one_that_hangs_keeps_no_other_waiting() {
    let (mut world, here) = at_rest();
    let device = &mut world.devices[0];
    device.tell(Event::Poll);
    let mut together = listings(device);
    assert_eq!(together.len(), 1);
    let late = together.pop().expect("one work");
    assert!(1 < late.len());
    let line = turn(&here, &id(1), "since that poll");
    let path = file_of(device, &here, 1);
    device.append(&path, line.as_bytes());
    device.tell(Event::Poll);
    let alone = listings(device);
    assert_eq!(alone.len(), late.len());
    for event in alone.into_iter().flatten() {
        device.tell(event);
    }
    device.settle();
    assert!(recorded_lines(device, &id(1)).contains_key(line.as_bytes()));
    // What was found before that says nothing any more.
    device.reconciled.clear();
    late.into_iter().for_each(|event| device.tell(event));
    device.settle();
    assert_eq!(device.reconciled, []);
    device.tell(Event::Poll);
    assert_eq!(listings(device).len(), 1);
}

/// Ends the engine, lets `meanwhile` change something, and starts again. Returns the most sessions
/// that one event had reconciled, and which were reconciled in all.
fn most_at_once(
    device: &mut Device,
    slice: usize,
    meanwhile: impl FnOnce(&mut Device),
) -> (u64, BTreeSet<SessionKey>) {
    device.stop();
    meanwhile(device);
    device.sizes.slice = slice;
    device.begin();
    let (mut most, mut before) = (0, device.queued());
    while device.work() {
        let now = device.queued();
        most = most.max(now.saturating_sub(before));
        before = now;
    }
    (most, device.reconciled.iter().cloned().collect())
}

/// The loop answers nobody meanwhile.
#[test]
fn the_loop_takes_over_what_a_start_found_in_slices() {
    let (mut world, _) = at_rest();
    let all = keys(&(0..N).collect::<Vec<_>>());
    // Everything in the store counts as changed.
    let reset = |device: &mut Device| {
        session_roam_core::settings::change(&device.roam, |document| {
            document["guard"]["max_rewritten"] = toml_edit::value(7);
        })
        .expect("settings");
    };
    let [desk, laptop] = &mut world.devices[..] else {
        panic!("two devices")
    };
    let (most, found) = most_at_once(desk, 4, reset);
    assert_eq!((most, &found), (4, &all));
    // Everything in the vault counts as changed.
    let forget = |device: &mut Device| {
        fs::remove_file(device.roam.join("state.sqlite")).expect("the state");
    };
    let (most, found) = most_at_once(laptop, 5, forget);
    assert!((1..=5).contains(&most), "{most}");
    assert_eq!(found, all);
    assert_eq!(laptop.status().sessions, N as u64);
    assert_eq!(after(laptop, |_| {}), BTreeSet::new());
}

/// Sessions that an older version left for one more look, however many, do not keep the loop busy.
#[test]
fn the_loop_takes_over_what_an_update_looks_at_in_slices() {
    let (mut world, _) = at_rest();
    let all = keys(&(0..N).collect::<Vec<_>>());
    let laptop = &mut world.devices[1];
    let found = most_at_once(laptop, 3, |device| {
        let (state, _) = State::open(&device.roam).expect("state");
        state.put_note("entry kinds", &1).expect("note");
        // As an older version wrote them, they have no number.
        for key in &all {
            let mut record: serde_json::Value = state.record(key).expect("read").expect("known");
            for journal in record["journals"]
                .as_object_mut()
                .expect("journals")
                .values_mut()
            {
                journal.as_object_mut().expect("a journal").remove("reads");
            }
            let row = state.row(key).expect("read").expect("known");
            state.put(key, &row, &pack(&record)).expect("saved");
        }
    });
    assert_eq!(found, (3, all));
    laptop.poll();
    assert_eq!(after(laptop, |_| {}), BTreeSet::new());
}

/// On a full disk the numbers of complete sessions cannot be dropped.
#[test]
fn a_start_that_cannot_write_its_state_looks_for_everything_and_trusts_no_number() {
    let (mut world, here) = at_rest();
    let all = keys(&(0..N).collect::<Vec<_>>());
    let device = &mut world.devices[0];
    let line = turn(&here, &id(3), "while it was off");
    let path = file_of(device, &here, 3);
    let found = after(device, |device| {
        device.append(&path, line.as_bytes());
        session_roam_core::settings::change(&device.roam, |document| {
            document["guard"]["max_rewritten"] = toml_edit::value(7);
        })
        .expect("settings");
        let full = "CREATE TRIGGER full BEFORE DELETE ON seen BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
        state_sql(device, full);
    });
    assert!(device.has_problem("state_unwritable"));
    assert_eq!(found, all);
    assert!(recorded_lines(device, &id(3)).contains_key(line.as_bytes()));
    state_sql(device, "DROP TRIGGER full");
    device.poll();
    assert!(!device.has_problem("state_unwritable"));
    // No number is of the settings before.
    after(device, |_| {});
    assert_eq!(after(device, |_| {}), BTreeSet::new());
}

#[test]
fn a_start_that_failed_is_made_up_for_by_a_poll() {
    let (mut world, here) = at_rest();
    let device = &mut world.devices[0];
    let line = turn(&here, &id(3), "while it was off");
    let path = file_of(device, &here, 3);
    let found = after(device, |device| {
        device.append(&path, line.as_bytes());
        let full = "CREATE TRIGGER full BEFORE INSERT ON notes BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
        state_sql(device, "DELETE FROM notes WHERE name = 'stores'");
        state_sql(device, full);
    });
    assert!(device.has_problem("state_unwritable"));
    device.touch(&path);
    device.poll();
    assert_eq!(found, BTreeSet::new());
    assert_eq!(device.reconciled, [], "nothing is reconciled before");
    state_sql(device, "DROP TRIGGER full");
    device.poll();
    assert!(!device.has_problem("state_unwritable"));
    assert_eq!(
        device.reconciled.iter().cloned().collect::<BTreeSet<_>>(),
        keys(&[3])
    );
    assert!(recorded_lines(device, &id(3)).contains_key(line.as_bytes()));
}
