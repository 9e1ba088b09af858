//! Field 14: no size stops a session. A record larger than a frame syncs in pieces; one that is too
//! large to sync leaves a line in its place, and everything after it syncs. Tested with small
//! limits: the law is the same.

use super::journals::{journals, recorded_lines, segments};
use super::splits::Parted;
use super::talk::{ONE, TWO, assert_carried, assert_quiet, item, meta, turn};
use super::world::{Device, World};
#[cfg(target_os = "linux")]
use session_roam_core::api::{Diff, ExportFormat, Exported, Search};
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
    snapshot: 128 << 20,
    slice: 500,
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

/// A record of 60 MB with limits a thirtieth of the real ones: what stays in bounds here does so
/// with a record of a gigabyte. The peak of the process's memory is measured, so this runs in a
/// process of its own.
#[cfg(target_os = "linux")]
#[test]
#[allow(clippy::disallowed_methods)] // the test's own program and settings
fn a_long_record_is_never_held_in_memory() {
    const CHILD: &str = "SESSION_ROAM_TEST_MEMORY";
    let name = "stories::sizes::a_long_record_is_never_held_in_memory";
    if std::env::var_os(CHILD).is_some() {
        return long_record_in_bounds();
    }
    let mut child = std::process::Command::new(std::env::current_exe().expect("a test's program"));
    let output = child
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the test starts");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"));
}

#[cfg(target_os = "linux")]
fn long_record_in_bounds() {
    const RECORD: u64 = 60 << 20;
    /// A piece as JSON, packed, parsed and in the cache of segments, on several threads.
    const MOST: u64 = 40 << 20;
    let (mut world, here, there) = World::roomy_pair_of_devices();
    for device in &mut world.devices {
        device.stop();
        device.sizes = Sizes {
            whole: 4 << 20,
            ..Sizes::default()
        };
        device.searches();
    }
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.deliver();
    let mut stage = Stage::new(MOST);
    write_long(&path, &here, RECORD);
    world.devices[0].touch(&path);
    stage.ends("recorded");
    world.deliver();
    stage.ends("delivered and written");
    let at_lap = world.devices[1].place_of(ONE).expect("placed");
    assert_eq!(hash_of(&path), hash_of(&at_lap));
    world.devices[1].say(&at_lap, turn(&there, ONE, "three"));
    world.deliver();
    assert_eq!(hash_of(&path), hash_of(&at_lap));
    stage.ends("continued there");
    for device in &mut world.devices {
        let shown: Shown = device.ask(Request::show(ONE));
        assert_eq!(shown.messages.len(), 3);
        stage.ends("shown");
        let words = "three ".into();
        let found: Search = device.ask(Request::Search {
            words,
            limit: None,
            devices: None,
        });
        assert_eq!(found.hits.len(), 1);
        stage.ends("searched");
        for format in [
            ExportFormat::Markdown,
            ExportFormat::Html,
            ExportFormat::Json,
            ExportFormat::Open,
            ExportFormat::Native,
        ] {
            let dir = device.home.join("exported");
            let _: Exported = device.ask(Request::Export {
                session: ONE.into(),
                format,
                dir: Some(dir),
            });
            stage.ends(&format!("exported as {format:?}"));
        }
        device.stop();
        fs::remove_file(device.roam.join("state.sqlite")).expect("lost");
        device.start();
        stage.ends("all read again");
    }
    world.deliver();
    stage.ends("met again");
    world.part(0, 1);
    for (device, path, cwd) in [(0, &path, &here), (1, &at_lap, &there)] {
        write_long(path, cwd, RECORD / 2);
        world.devices[device].say(path, turn(cwd, ONE, &format!("at {device}")));
    }
    stage.ends("recorded apart");
    world.meet(0, 1);
    world.deliver();
    stage.ends("a branch became a session of its own");
    let diff: Diff = world.devices[0].ask(Request::Diff {
        session: ONE.into(),
        branch: None,
        beside: None,
        from: 0,
        rows: 100,
        choices: false,
        bodies: true,
    });
    assert_eq!(diff.right.messages, 2);
    stage.ends("compared");
}

/// Appends a turn of this size, which is never in memory here either.
#[cfg(target_os = "linux")]
fn write_long(path: &std::path::Path, cwd: &std::path::Path, bytes: u64) {
    use std::io::Write;
    let line = turn(cwd, ONE, "HERE");
    let (before, after) = line.split_once("HERE").expect("its text");
    let file = fs::File::options().append(true).open(path).expect("open");
    let mut out = std::io::BufWriter::new(file);
    out.write_all(before.as_bytes()).expect("write");
    for n in 0..bytes / 16 {
        write!(out, "{:015x} ", n * 0x9e37_79b9).expect("write");
    }
    out.write_all(after.as_bytes()).expect("write");
}

#[cfg(target_os = "linux")]
fn hash_of(path: &std::path::Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut file = fs::File::open(path).expect("open");
    std::io::copy(&mut file, &mut hasher).expect("read");
    hasher.finalize()
}

/// The peak of this process's memory since the last stage ended.
#[cfg(target_os = "linux")]
struct Stage {
    most: u64,
    before: u64,
}

#[cfg(target_os = "linux")]
impl Stage {
    fn new(most: u64) -> Self {
        let mut stage = Self { most, before: 0 };
        stage.begins();
        stage
    }

    fn begins(&mut self) {
        // 5 resets the peak: proc(5).
        fs::write("/proc/self/clear_refs", "5").expect("the peak can be reset");
        self.before = Self::bytes("VmRSS:");
    }

    fn bytes(name: &str) -> u64 {
        let status = fs::read_to_string("/proc/self/status").expect("status");
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.expect("a number").parse::<u64>().expect("kB") << 10
    }

    fn ends(&mut self, what: &str) {
        let grown = Self::bytes("VmHWM:").saturating_sub(self.before);
        println!("{what}: {} MB more", grown >> 20);
        assert!(grown < self.most, "{what} took {grown} bytes");
        self.begins();
    }
}
