//! The memory of a whole engine that gets the largest input of each kind from another device: its
//! process is measured by the system, zstd and SQLite included. Linux only, where a process can
//! reset its own peak.

use super::*;
use session_roam_core::vault::piece::Piece;
use session_roam_core::vault::{limits, presence};
use std::process::Command;

/// Bytes of the whole process, of which an engine at rest may have 40 MB (docs/benchmarks.md). This
/// test program, which has more, may grow by the rest.
const MOST: u64 = 200_000_000;
const AT_REST: u64 = 40_000_000;
const NAME: &str = "stories::hostile::memory::an_engine_that_reads_the_largest_input_of_each_kind_stays_below_200_megabytes";
/// What a process of this test does, and in which directory.
const STEP: &str = "SESSION_ROAM_TEST_STEP";
const DIR: &str = "SESSION_ROAM_TEST_DIR";
const READ: &str = "read";

type Plant = fn(&mut World);

/// Each kind of input, at its limit.
const KINDS: &[(&str, Plant)] = &[
    ("nothing", |_| ()),
    ("a log of one long line of quotes", |world| {
        let line = said(&"\\\"".repeat(39 << 20));
        plant_log(world, line.into_bytes());
    }),
    ("a log of one long line of noise", |world| {
        plant_log(world, noise(78 << 20));
    }),
    ("a log of as many lines as may be", |world| {
        plant_log(world, vec![b'\n'; limits::LINES]);
    }),
    ("a log of as many long lines as may be", |world| {
        let line = said(&"x".repeat(60)).into_bytes();
        let lines =
            limits::LINES_AND_IDS / (line.len() + size_of::<session_roam_core::session::Line>());
        plant_log(world, line.repeat(lines));
    }),
    ("a log of one line of many values", |world| {
        let line = said("x").replace("\"x\"", &format!("[{}0]", "0,".repeat(64 << 20)));
        plant_log(world, line.into_bytes());
    }),
    ("a snapshot of the largest size", |world| {
        plant_snapshots(world, &[vec![b'x'; limits::CONTENT as usize]]);
    }),
    (
        "two generations of the largest size that share little",
        |world| {
            let mut other = vec![b'y'; limits::CONTENT as usize];
            other[0] = b'x';
            plant_snapshots(world, &[vec![b'x'; limits::CONTENT as usize], other]);
        },
    ),
    (
        "two generations of the largest size that share most",
        |world| {
            let mut other = vec![b'x'; limits::CONTENT as usize];
            other[limits::CONTENT as usize / 2] = b'y';
            plant_snapshots(world, &[vec![b'x'; limits::CONTENT as usize], other]);
        },
    ),
    ("a device list of other entries", |world| {
        let line = [vec![b'x'; 60 << 20], vec![b'\n']].concat();
        let key = SessionKey::new(&ToolId::new("session-roam"), &SessionId::new("devices"));
        let (short, project) = (world.devices[0].short(), ProjectKey::new("session-roam"));
        let dir = VaultPath::journal_dir(&short, Lane::Priority, &key, &project);
        let first = world.devices[1].vault().file(&dir).join("0001.jsonl.zst");
        let (bytes, mut at, mut last) = (fs::read(first).expect("a list"), 0, None);
        while let Some(Ok(len)) = frame::frame_len(&bytes[at..]) {
            last = frame::parse(&bytes[at..at + len]).ok();
            at += len;
        }
        let last = last.expect("a frame");
        let mut head = last.head;
        (head.n, head.prev, head.at.count) = (head.n + 1, last.hash, head.at.count + 1);
        write_journal(world, &dir, (2, head), vec![vec![log(line)]; 5]);
    }),
    ("a journal beside which there are other frames", |world| {
        let line = [vec![b'x'; 60 << 20], vec![b'\n']].concat();
        let dir = plant(world, vec![vec![log(line)]; 5]);
        let copy = "0001.jsonl.sync-conflict-20261123-101500-ABCDEFG.zst";
        fs::copy(dir.join("0001.jsonl.zst"), dir.join(copy)).expect("copy");
    }),
    ("a record in pieces", |world| plant_pieces(world, 300 << 20)),
    ("a device file of as many values as may be", |world| {
        let (desk, lap) = (&world.devices[0], &world.devices[1]);
        let lane = lap.vault().lane_dir(&desk.short(), Lane::Priority);
        let (mut presence, _) = presence::read(&lane, &desk.short()).expect("its own");
        presence.at.count += 1;
        presence.addresses = vec![String::new(); 700_000];
        presence.heard = (0..30_000).map(|n| (n.to_string(), 1)).collect();
        let key = DeviceKey::load_or_create(&desk.roam).expect("key");
        presence::write(&lane, &presence, &key).expect("written");
        let size = fs::metadata(lane.join(presence::FILE))
            .expect("there")
            .len();
        assert!(
            (limits::PRESENCE - (1 << 20)..limits::PRESENCE).contains(&size),
            "{size}"
        );
    }),
];

/// F9: whatever a paired device sends, within the limits of each kind.
#[test]
fn an_engine_that_reads_the_largest_input_of_each_kind_stays_below_200_megabytes() {
    #[allow(clippy::disallowed_methods)] // this test runs itself
    if let (Ok(step), Ok(dir)) = (std::env::var(STEP), std::env::var(DIR)) {
        return match KINDS.iter().find(|(kind, _)| *kind == step) {
            Some((_, plant)) => prepare(Path::new(&dir), *plant),
            None => read(Path::new(&dir)),
        };
    }
    let (mut missed, mut at_rest) = (Vec::new(), None);
    for some in KINDS.chunks(3) {
        let peaks = std::thread::scope(|scope| {
            let children: Vec<_> = some
                .iter()
                .map(|(kind, _)| scope.spawn(move || peak_of(kind)))
                .collect();
            children
                .into_iter()
                .map(|child| child.join().expect("measured"))
                .collect::<Vec<_>>()
        });
        for ((kind, _), peak) in some.iter().zip(peaks) {
            println!("{kind}: {} MB", peak / 1_000_000);
            let grown = peak.saturating_sub(*at_rest.get_or_insert(peak));
            if MOST - AT_REST < grown {
                missed.push((*kind, peak));
            }
        }
    }
    assert_eq!(missed, []);
}

/// The largest resident set, in bytes, of a process that only reads what another one prepared.
fn peak_of(kind: &str) -> u64 {
    let dir = tempfile::tempdir().expect("dir");
    let run = |step: &str| {
        #[allow(clippy::disallowed_methods)] // a process of its own for each peak
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", NAME, "--nocapture"])
            .envs([(STEP, step), (DIR, &dir.path().to_string_lossy())])
            .output()
            .expect("run");
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&child.stderr).into_owned();
        assert!(child.status.success(), "{kind}: {said}\n{stderr}");
        said
    };
    run(kind);
    let said = run(READ);
    let peak = said
        .lines()
        .find_map(|line| line.split_once("peak ")?.1.parse().ok());
    peak.expect("a figure")
}

/// Two paired devices with a small session, and what the desk sends next.
fn prepare(dir: &Path, plant: Plant) {
    let mut world = World::asleep_at(dir, &["desk", "lap"]);
    world.devices.iter_mut().for_each(Device::start);
    world.pair(0, 1);
    let here = world.devices[0].project("api", "git@github.com:acme/api.git");
    world.devices[1].project("work/acme api", "https://github.com/acme/api");
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.deliver();
    world.devices.iter_mut().for_each(Device::stop);
    plant(&mut world);
}

/// The lap's engine starts, reads, and writes what it read into the tool's store; then once more,
/// with what it remembers.
fn read(dir: &Path) {
    session_roam_core::memory::hold_little();
    let mut world = World::asleep_at(dir, &["desk", "lap"]);
    let lap = &mut world.devices[1];
    lap.start();
    lap.poll();
    assert_eq!(lap.problems(), Vec::<String>::new());
    for row in lap.sessions() {
        assert_eq!(row.state.to_string(), "here", "{row:?}");
    }
    lap.start();
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    println!("peak {}", peak.expect("a figure") * 1024);
}

/// A record of Claude Code with this as its text.
fn said(text: &str) -> String {
    format!("{{\"type\":\"user\",\"message\":{{\"content\":\"{text}\"}}}}\n")
}

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes.iter_mut().for_each(|byte| {
        if *byte == b'\n' {
            *byte = 0xff;
        }
    });
    bytes.push(b'\n');
    bytes
}

fn plant_log(world: &mut World, bytes: Vec<u8>) {
    plant(world, vec![vec![log(bytes)]]);
}

fn log(bytes: Vec<u8>) -> Entry {
    let mut chain = Chain::start();
    chain.feed(&bytes);
    Entry::Lines {
        doc: DocName::new("transcript.jsonl"),
        at: "projects/-x/s.jsonl".into(),
        after: ChainId::log_start(),
        tip: chain.tip,
        replaces: None,
        bytes,
    }
}

fn plant_snapshots(world: &mut World, contents: &[Vec<u8>]) {
    let docs = line_entry("transcript.jsonl", "projects/-x/s.jsonl");
    let (mut after, mut before): (_, &[u8]) = (ChainId::snapshot_start(), &[]);
    let mut frames = vec![vec![docs]];
    for content in contents {
        let (head, tail, bytes) = session_roam_core::vault::journal_reader::middle(before, content);
        let tip = after.then(content);
        frames.push(vec![Entry::Whole {
            doc: DocName::new("beside/todos/agent.json"),
            at: "todos/agent.json".into(),
            after,
            tip,
            head,
            tail,
            bytes: bytes.to_vec(),
        }]);
        (after, before) = (tip, content);
    }
    plant(world, frames);
}

fn plant_pieces(world: &mut World, size: usize) {
    let line = said(&"x".repeat(size)).into_bytes();
    let after = ChainId::log_start();
    let mut long = after.long(line.len() as u64);
    long.feed(&line);
    let tip = long.end().expect("fed");
    let of = line.len().div_ceil(limits::PIECE as usize) as u32;
    let frames = line
        .chunks(limits::PIECE as usize)
        .enumerate()
        .map(|(n, bytes)| {
            vec![Entry::Piece(Piece {
                doc: DocName::new("transcript.jsonl"),
                at: "projects/-x/s.jsonl".into(),
                after,
                tip,
                replaces: None,
                n: n as u32,
                of,
                size: line.len() as u64,
                bytes: bytes.to_vec(),
            })]
        });
    plant(world, frames.collect());
}

/// Puts a journal of these frames into the lap's replica, behind the card of its session; returns
/// its directory.
fn plant(world: &mut World, frames: Vec<Vec<Entry>>) -> PathBuf {
    let desk = &world.devices[0];
    let (tool, session) = (ToolId::new("claude-code"), SessionId::new(id(90)));
    let project = Project {
        names: vec!["api".into()],
        ..Project::new(ProjectKey::new("git:github.com/acme/api"))
    };
    let key = SessionKey::new(&tool, &session);
    let dir = VaultPath::journal_dir(&desk.short(), Lane::Priority, &key, &project.key);
    let card = SessionCard {
        project,
        cwd: Some("/x".into()),
        title: None,
        updated: Millis(crate::stories::world::START),
        version: None,
        requires: Vec::new(),
        part_of: None,
        main: DocName::new("transcript.jsonl"),
        base: None,
        fork: None,
    };
    let head = Head {
        v: frame::VERSION,
        device: desk.id.clone(),
        lane: Lane::Priority,
        prev: frame::genesis(&desk.id, Lane::Priority, &tool, &session),
        tool,
        session,
        n: 0,
        at: Hlc {
            wall: Millis(crate::stories::world::START),
            count: 7,
        },
        by: String::new(),
    };
    let frames = std::iter::once(vec![Entry::About(card)]).chain(frames);
    write_journal(world, &dir, (1, head), frames.collect());
    world.devices[1].vault().file(&dir)
}

/// Writes frames signed by the desk, from a segment and a head on.
fn write_journal(
    world: &World,
    dir: &str,
    (mut number, mut head): (u32, Head),
    frames: Vec<Vec<Entry>>,
) {
    let key = DeviceKey::load_or_create(&world.devices[0].roam).expect("key");
    let dir = world.devices[1].vault().file(dir);
    fs::create_dir_all(&dir).expect("dir");
    let mut segment = Vec::new();
    for entries in frames {
        let (bytes, hash) = frame::render(&head, &entries, |message| key.sign(message).to_vec());
        if limits::SEGMENT <= segment.len() as u64 {
            fs::write(dir.join(format!("{number:04}.jsonl.zst")), &segment).expect("write");
            (segment, number) = (Vec::new(), number + 1);
        }
        segment.extend(bytes);
        (head.n, head.prev, head.at.count) = (head.n + 1, hash, head.at.count + 1);
    }
    fs::write(dir.join(format!("{number:04}.jsonl.zst")), segment).expect("write");
}
