//! Field 14: no size stops a session. A record larger than a frame syncs in pieces; one that is too
//! large to sync leaves a line in its place, and everything after it syncs. Tested with small
//! limits: the law is the same.

use super::journals::{journals, recorded_lines, segments};
use super::splits::Parted;
use super::talk::{ONE, TWO, assert_carried, assert_quiet, item, meta, turn};
use super::world::{Device, World};
use session_roam_core::api::{Doctor, Request, Shown};
use session_roam_core::reconcile::Sizes;
use session_roam_core::vault::Entry;
use session_roam_core::vault::frame::{self, Head};
use session_roam_core::vault::keys::DeviceKey;
use session_roam_core::vault::piece::Piece;
use std::fs;
use std::path::PathBuf;

const SMALL: Sizes = Sizes {
    whole: 4_000,
    piece: 1_000,
    record: 200_000,
};

fn small(world: &mut World) {
    for device in &mut world.devices {
        device.stop();
        device.sizes = SMALL;
        device.start();
    }
}

fn pair() -> (World, PathBuf, PathBuf) {
    let (mut world, here, there) = World::pair_of_devices();
    small(&mut world);
    world.deliver();
    (world, here, there)
}

/// Letters of two, three and four bytes, so that a piece cannot end just anywhere.
fn long(bytes: usize) -> String {
    "aü日🦀".chars().cycle().take(bytes / 10 * 4).collect()
}

fn text_of(device: &Device, session: &str) -> String {
    fs::read_to_string(device.place_of(session).expect("placed")).expect("doc")
}

fn pieces(device: &Device) -> usize {
    let frames = journals(device)
        .into_iter()
        .flat_map(|journal| journal.frames);
    frames
        .flat_map(|frame| frame.entries)
        .filter(|entry| matches!(entry, Entry::Piece(_)))
        .count()
}

#[test]
fn a_record_larger_than_a_frame_travels_in_pieces_and_what_follows_it_too() {
    let (mut world, here, there) = pair();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.devices[0].say(&path, turn(&here, ONE, &long(90_000)));
    assert!(pieces(&world.devices[0]) > 50);
    world.devices[0].say(&path, turn(&here, ONE, "three"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
    // And back, with another long record.
    let at_lap = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(
        &at_lap,
        turn(&there, ONE, &long(50_000)) + &turn(&there, ONE, "five"),
    );
    world.deliver();
    assert_carried(&world.devices[1], &world.devices[0], ONE);
    assert_quiet(&mut world, ONE);
    // The whole file at once, on a device that starts with nothing but the vault.
    for device in &mut world.devices {
        device.stop();
        fs::remove_file(device.roam.join("state.sqlite")).expect("lost");
        device.start();
    }
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
    // The beginning of the record is shown.
    for device in &mut world.devices {
        let shown: Shown = device.ask(Request::show(ONE));
        assert_eq!(shown.messages.len(), 5);
        assert!(shown.messages[1].text.starts_with("aü日🦀aü") && shown.messages[4].text == "five");
    }
}

#[test]
fn a_first_import_with_long_records_travels() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].rollout(TWO);
    world.devices[0].stop();
    world.devices[0].append(
        &path,
        (meta(&here, TWO) + &item(&long(30_000)) + &item("two") + &item(&long(9_000))).as_bytes(),
    );
    small(&mut world);
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], TWO);
    assert_quiet(&mut world, TWO);
}

#[test]
fn what_steers_in_a_long_record_of_another_device_has_no_effect() {
    // Also where the other device split records that this one would read whole.
    for sizes in [SMALL, Sizes::default()] {
        what_steers_has_no_effect(sizes);
    }
}

fn what_steers_has_no_effect(sizes: Sizes) {
    let (mut world, here, _) = pair();
    world.devices[1].sizes = sizes;
    world.devices[1].start();
    let path = world.devices[0].transcript(&here, ONE);
    let steers = format!(
        "{{\"pad\":\"{}\",\"type\":\"permission-mode\",\"permissionMode\":\"acceptEdits\"}}\n",
        long(50_000)
    );
    world.devices[0].say(
        &path,
        turn(&here, ONE, "one") + &steers + &turn(&here, ONE, "two"),
    );
    world.deliver();
    let there = text_of(&world.devices[1], ONE);
    assert_eq!(there.len(), text_of(&world.devices[0], ONE).len());
    assert!(
        there.contains("~ermission-mode") && !there.contains("\"permission-mode\""),
        "it is neutral there"
    );
    assert_quiet(&mut world, ONE);
    // The recorded line is the one that its author wrote.
    world.devices[1].poll();
    world.deliver();
    assert!(text_of(&world.devices[0], ONE).contains("\"permission-mode\""));
    assert_quiet(&mut world, ONE);
}

#[test]
fn a_record_that_is_too_large_leaves_a_gap_and_everything_after_it_travels() {
    let (mut world, here, there) = pair();
    let path = world.devices[0].transcript(&here, ONE);
    let huge = turn(&here, ONE, &long(300_000));
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.devices[0].say(&path, &huge);
    world.devices[0].say(&path, turn(&here, ONE, "three"));
    world.deliver();
    let at_lap = world.devices[1].place_of(ONE).expect("placed");
    let carried = text_of(&world.devices[1], ONE);
    assert!(
        carried.starts_with(&turn(&here, ONE, "one"))
            && carried.ends_with(&turn(&here, ONE, "three"))
    );
    assert!(carried.contains("session-roam-gap") && carried.contains(&huge.len().to_string()));
    // The session syncs in both directions, and the author keeps its record.
    world.devices[1].say(&at_lap, turn(&there, ONE, "four"));
    world.deliver();
    assert!(
        text_of(&world.devices[0], ONE)
            == turn(&here, ONE, "one")
                + &huge
                + &turn(&here, ONE, "three")
                + &turn(&there, ONE, "four")
    );
    world.devices[0].say(&path, turn(&here, ONE, "five"));
    world.deliver();
    assert!(text_of(&world.devices[1], ONE).ends_with(&turn(&here, ONE, "five")));
    let lines = recorded_lines(&world.devices[1], ONE);
    assert!(
        lines.values().all(|times| *times == 1) && lines.len() == 5,
        "{}",
        lines.len()
    );
    for (at, device) in world.devices.iter_mut().enumerate() {
        assert!(
            device.has_problem("record_left_out"),
            "{at}: {:?}",
            device.problems()
        );
        let row = device.row(ONE).expect("a row");
        assert_eq!(row.state.as_str(), "here");
        assert!(
            row.why
                .as_deref()
                .is_some_and(|why| why.contains("A record of more than 1 GB")),
            "{:?}",
            row.why
        );
        let doctor: Doctor = device.ask(Request::Doctor);
        assert!(format!("{doctor:?}").contains("record_left_out"));
        let shown: Shown = device.ask(Request::show(ONE));
        assert_eq!(shown.messages.len(), 5);
        assert!(
            shown.messages[1].text.contains("too large to sync"),
            "{:?}",
            shown.messages[1].text
        );
    }
    // A restart and a lost state change nothing.
    world.devices[0].stop();
    fs::remove_file(world.devices[0].roam.join("state.sqlite")).expect("lost");
    world.devices[0].start();
    world.deliver();
    assert!(text_of(&world.devices[0], ONE).contains(&long(300_000)));
    assert_eq!(world.devices[0].state_of(ONE), "here");
}

/// A record that is in no journal is not overwritten, whoever rewrites the session.
#[test]
fn a_file_that_alone_has_a_record_is_not_written_anew() {
    let (mut world, here, _) = pair();
    let path = world.devices[0].transcript(&here, ONE);
    let huge = turn(&here, ONE, &long(300_000));
    world.devices[0].say(&path, turn(&here, ONE, "one") + &huge);
    world.deliver();
    let at_lap = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].put(
        &at_lap,
        turn(&here, ONE, "one") + &turn(&here, ONE, "another"),
    );
    world.deliver();
    let now = world.devices[0].clock_now();
    world.devices[0].set_clock(now + 60_000);
    world.devices[0].poll();
    assert!(text_of(&world.devices[0], ONE).contains(&huge));
}

#[test]
fn branches_with_long_records_become_sessions_of_their_own() {
    let mut parted = Parted::claude();
    parted.world.part(0, 1);
    small(&mut parted.world);
    for device in [0, 1] {
        parted.say(device, ONE, &format!("{device} {}", long(20_000)));
    }
    let mut parted = parted.met();
    let fork = parted.fork();
    for session in [ONE, &fork] {
        assert_carried(&parted.world.devices[0], &parted.world.devices[1], session);
        assert!(text_of(&parted.world.devices[0], session).contains(&long(20_000)));
    }
}

/// Half of the pieces arrive, the engine restarts, and the rest arrives.
#[test]
fn a_record_of_which_some_pieces_are_missing_is_waited_for() {
    let (mut world, here, _) = pair();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.deliver();
    world.part(0, 1);
    world.devices[0].say(
        &path,
        turn(&here, ONE, &long(90_000)) + &turn(&here, ONE, "three"),
    );
    let before = text_of(&world.devices[1], ONE);
    for from in segments(&world.devices[0], &world.devices[0]) {
        let below = from
            .strip_prefix(world.devices[0].vault().root())
            .expect("in the vault")
            .to_path_buf();
        let bytes = fs::read(&from).expect("segment");
        fs::write(
            world.devices[1].vault().root().join(below),
            &bytes[..bytes.len() / 2],
        )
        .expect("half of it");
    }
    for _ in 0..2 {
        world.devices[1].poll();
        assert_eq!(
            text_of(&world.devices[1], ONE),
            before,
            "nothing of a record is written before all of it is there"
        );
        world.devices[1].start();
    }
    world.meet(0, 1);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

/// Pieces that their owner signed and that are not what they claim are left out; nothing is written
/// and nothing held.
#[test]
fn pieces_that_do_not_give_the_record_they_claim_are_refused() {
    let line = [&b"x".repeat(5_000)[..], b"\n"].concat();
    type Change = fn(&mut Vec<Piece>);
    let cases: [(&str, Change); 5] = [
        ("other bytes", |pieces| pieces[1].bytes[0] ^= 1),
        ("a piece too few", |pieces| drop(pieces.remove(1))),
        ("a piece twice", |pieces| {
            pieces.insert(1, pieces[1].clone())
        }),
        ("another size", |pieces| {
            pieces.iter_mut().for_each(|piece| piece.size -= 1)
        }),
        ("more than any record has", |pieces| {
            pieces.iter_mut().for_each(|piece| piece.size = u64::MAX)
        }),
    ];
    for (what, change) in cases {
        let (mut world, here, _) = pair();
        let path = world.devices[0].transcript(&here, ONE);
        world.devices[0].say(&path, turn(&here, ONE, "one"));
        world.deliver();
        let before = world.devices[1].stores();
        let own = journals(&world.devices[1])
            .into_iter()
            .find(|journal| journal.session() == ONE)
            .expect("a journal");
        let last = own.frames.last().expect("a frame").clone();
        let Some(Entry::Lines {
            doc,
            at,
            tip: after,
            ..
        }) = last.entries.last().cloned()
        else {
            panic!("lines")
        };
        let piece = |n: u32, bytes: &[u8]| {
            let (doc, at, size) = (doc.clone(), at.clone(), line.len() as u64);
            Piece {
                doc,
                at,
                after,
                tip: after.then(&line),
                replaces: None,
                n,
                of: 3,
                size,
                bytes: bytes.to_vec(),
            }
        };
        let mut pieces = vec![
            piece(0, &line[..2_000]),
            piece(1, &line[2_000..4_000]),
            piece(2, &line[4_000..]),
        ];
        change(&mut pieces);
        let key = DeviceKey::load_or_create(&world.devices[0].roam).expect("key");
        let head = Head {
            n: last.head.n + 1,
            prev: last.hash.clone(),
            ..last.head.clone()
        };
        let entries: Vec<Entry> = pieces.into_iter().map(Entry::Piece).collect();
        let (frame, _) = frame::render(&head, &entries, |message| key.sign(message).to_vec());
        let file = segments(&world.devices[1], &world.devices[0])
            .pop()
            .expect("a segment");
        let bytes = [fs::read(&file).expect("segment"), frame].concat();
        fs::write(file.with_extension("new"), bytes)
            .and_then(|()| fs::rename(file.with_extension("new"), &file))
            .expect("write");
        world.devices[1].poll();
        assert!(
            world.devices[1].has_problem("entry_refused"),
            "{what}: {:?}",
            world.devices[1].problems()
        );
        assert!(world.devices[1].stores() == before, "{what}");
        assert_eq!(world.devices[1].state_of(ONE), "here", "{what}");
    }
}

/// A version that does not know pieces skips unknown entries of up to 1 MiB, and treats larger ones
/// as damage.
#[test]
fn no_piece_is_larger_than_what_an_older_version_passes_over() {
    let (mut world, here, _) = World::pair_of_devices();
    for device in &mut world.devices {
        device.stop();
        device.sizes = Sizes {
            whole: 4_000,
            ..Sizes::default()
        };
        device.start();
    }
    let path = world.devices[0].transcript(&here, ONE);
    // The text that grows most when quoted.
    world.devices[0].say(
        &path,
        turn(&here, ONE, "one") + &turn(&here, ONE, &"\"\\".repeat(700_000)),
    );
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert!(pieces(&world.devices[0]) > 5);
    for segment in segments(&world.devices[0], &world.devices[0]) {
        let lines = zstd::decode_all(&fs::read(segment).expect("segment")[..]).expect("zstd");
        assert!(
            lines
                .split(|byte| *byte == b'\n')
                .all(|line| line.len() < 1 << 20)
        );
    }
}
