//! The bytes that arrive are the bytes that were written, whatever they are and in whatever order
//! they come.

use super::journals::segments;
use super::talk::{ONE, TWO, assert_carried, item, meta, turn};
use super::world::{Device, World, cases};
use proptest::collection::vec;
use proptest::prelude::*;
use session_roam_core::syncthing::Notice;
use std::path::PathBuf;

/// Pieces a tool may append: whole lines, several lines, half lines, odd ones. They are appended in
/// the order they come.
const PIECES: [&[u8]; 20] = [
    b"{\"type\":\"unheard-of\",\"payload\":{\"z\":1,\"a\":[null,{}],\"m\":\"x\"}}\n",
    b"{\"n\":12345678901234567890123,\"f\":1.0e400,\"neg\":-0}\n",
    b"{\"zeta\":1,\"alpha\":2,\"zeta\":3}\n",
    b"{\"type\":\"user\",\"message\":{\"role\":\"user\",\"content\":\"${HOME}/code and ${USER}\"}}\n",
    b"{\"crlf\":true}\r\n",
    b"\xef\xbb\xbf{\"bom\":true}\n",
    b"\xff\xfe invalid \xc3\x28 utf-8 \x00 with a nul\n",
    b"\n",
    b"\r\n",
    b"\n\n\n",
    b"not json at all\n",
    b"{\"torn\":\"",
    b"half\"}\n",
    b"{\"two\":1}\n{\"lines\":2}\n",
    b"{\"and\":\"a half\"}\n{\"ne",
    b"{\"path\":\"C:\\\\Users\\\\x\",\"C:\\\\Users\\\\x\\\\y\":1}\n",
    "{\"text\":\"Zoë schreibt 日本語 \\ud83d\\ude00 \u{2028}\"}\n".as_bytes(),
    b"same line\n",
    b"same line\n",
    b" ",
];

/// Contents of files that are rewritten whole. An emptied file is as good as deleted.
const CONTENTS: [&[u8]; 6] = [
    b"[]",
    b"[{\"content\":\"a\",\"status\":\"pending\"}]",
    b"\x00\x01\xfe\xff binary\x00",
    b" ",
    b"[]\n",
    b"{\"${HOME}\":1e999}",
];

/// Side docs, logs first; the names are as odd as file systems allow.
const LOGS: [&str; 2] = ["subagents/agent-1.jsonl", "subagents/über agent ☃ 2.jsonl"];
const SNAPSHOTS: [&str; 3] = [
    "tool-results/out 1.bin",
    "tool-results/Ergebnis – 日本.txt",
    "todos",
];

#[derive(Clone, Debug)]
enum Move {
    Append {
        log: usize,
        piece: usize,
    },
    Rewrite {
        snapshot: usize,
        content: usize,
    },
    /// The engine reconciles everything touched since.
    Look,
    /// Some of the files are delivered; their arrival is announced later.
    Carry {
        pick: u8,
    },
    /// Announces one of the arrivals not yet announced; half of the time it stays in the bag, to be
    /// announced again.
    Tell {
        which: usize,
        again: bool,
    },
    Restart {
        device: usize,
    },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (0..=LOGS.len(), 0..PIECES.len()).prop_map(|(log, piece)| Move::Append { log, piece }),
        3 => (0..SNAPSHOTS.len(), 0..CONTENTS.len()).prop_map(|(snapshot, content)| Move::Rewrite { snapshot, content }),
        4 => Just(Move::Look),
        4 => any::<u8>().prop_map(|pick| Move::Carry { pick }),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, again)| Move::Tell { which, again }),
        1 => (0..2usize).prop_map(|device| Move::Restart { device }),
    ];
    vec(one, 1..40)
}

struct Bench {
    world: World,
    here: PathBuf,
    bag: Vec<Notice>,
    touched: Vec<PathBuf>,
}

impl Bench {
    fn new() -> Self {
        let (mut world, here, _) = World::pair_of_devices();
        let path = world.devices[0].transcript(&here, ONE);
        world.devices[0].say(&path, turn(&here, ONE, "begin"));
        Self {
            world,
            here,
            bag: Vec::new(),
            touched: Vec::new(),
        }
    }

    fn author(&mut self) -> &mut Device {
        &mut self.world.devices[0]
    }

    fn log(&self, log: usize) -> PathBuf {
        let author = &self.world.devices[0];
        match LOGS.get(log) {
            Some(name) => author.slug_dir(&self.here).join(ONE).join(name),
            None => author.transcript(&self.here, ONE),
        }
    }

    fn snapshot(&self, snapshot: usize) -> PathBuf {
        let author = &self.world.devices[0];
        match SNAPSHOTS[snapshot] {
            "todos" => author
                .claude()
                .join(format!("todos/{ONE}-agent-{ONE}.json")),
            name => author.slug_dir(&self.here).join(ONE).join(name),
        }
    }

    fn make(&mut self, step: Move) {
        match step {
            Move::Append { log, piece } => {
                let path = self.log(log);
                self.author().append(&path, PIECES[piece]);
                self.touched.push(path);
            }
            Move::Rewrite { snapshot, content } => {
                let path = self.snapshot(snapshot);
                std::fs::create_dir_all(path.parent().expect("parent")).expect("dir");
                std::fs::write(&path, CONTENTS[content]).expect("write");
                self.touched.push(path);
            }
            Move::Look => {
                for path in std::mem::take(&mut self.touched) {
                    self.author().touch(&path);
                }
            }
            Move::Carry { pick } => {
                let number = std::cell::Cell::new(0u8);
                let choose = |_: &str| {
                    number.set((number.get() + 1) % 8);
                    pick >> number.get() & 1 == 1
                };
                let notices = self.world.ledger.carry(&self.world.devices, 0, 1, choose);
                self.bag.extend(notices);
            }
            Move::Tell { which, again } if !self.bag.is_empty() => {
                let at = which % self.bag.len();
                let notice = if again {
                    self.bag[at].clone()
                } else {
                    self.bag.remove(at)
                };
                self.world.devices[1].notice(notice);
            }
            Move::Tell { .. } => {}
            Move::Restart { device } => self.world.devices[device].start(),
        }
    }

    fn finish(&mut self) {
        self.make(Move::Look);
        self.world.devices[0].poll();
        for notice in std::mem::take(&mut self.bag).into_iter().rev() {
            self.world.devices[1].notice(notice);
        }
        self.world.deliver();
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn r1_r16_whatever_is_written_arrives_as_it_was_in_any_order(moves in moves()) {
        let mut bench = Bench::new();
        moves.into_iter().for_each(|step| bench.make(step));
        let before = bench.world.devices[0].stores();
        bench.finish();
        assert_carried(&bench.world.devices[0], &bench.world.devices[1], ONE);
        prop_assert_eq!(bench.world.devices[0].stores(), before, "the author's own files are not touched");
        prop_assert_eq!(bench.world.devices[1].state_of(ONE), "here");
        prop_assert_eq!(bench.world.devices[1].status().problems, []);
    }

    #[test]
    fn r2_what_went_there_and_back_in_any_order_is_the_same_on_both(hops in vec((0..2usize, 0..PIECES.len(), any::<bool>()), 1..20)) {
        let (mut world, here, _) = World::pair_of_devices();
        let path = world.devices[0].transcript(&here, ONE);
        world.devices[0].say(&path, turn(&here, ONE, "begin"));
        world.deliver();
        for (speaker, piece, restart) in hops {
            let file = world.devices[speaker].place_of(ONE).expect("placed");
            // A half line is finished before the other device writes; two halves at once are a
            // story of splits.
            let mut line = PIECES[piece].to_vec();
            if !line.ends_with(b"\n") {
                line.push(b'\n');
            }
            world.devices[speaker].say(&file, line);
            if restart {
                world.devices[1 - speaker].start();
            }
            world.deliver();
            assert_carried(&world.devices[speaker], &world.devices[1 - speaker], ONE);
        }
    }
}

#[test]
fn r16_a_literal_home_variable_survives() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let line = turn(
        &here,
        ONE,
        "put ${HOME}/x and $HOME and ~/x and %USERPROFILE% into the script",
    );
    world.devices[0].say(&path, &line);
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    assert_eq!(std::fs::read(there).expect("doc"), line.as_bytes());
}

#[test]
fn r7_a_torn_tail_waits_for_its_end_and_is_taken_once() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let (first, second) = (turn(&here, ONE, "one"), turn(&here, ONE, "two"));
    let (half, rest) = second.split_at(20);
    world.devices[0].say(&path, format!("{first}{half}"));
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    assert_eq!(std::fs::read_to_string(&there).expect("doc"), first);
    world.devices[0].say(&path, rest);
    world.deliver();
    assert_eq!(
        std::fs::read_to_string(&there).expect("doc"),
        format!("{first}{second}")
    );
}

#[test]
fn a_snapshot_that_returns_to_an_old_content_arrives_as_that() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "begin"));
    let todos = world.devices[0]
        .claude()
        .join(format!("todos/{ONE}-agent-{ONE}.json"));
    for content in ["[]", "[1]", "[]", "[1]", "[2]", "[]"] {
        world.devices[0].put(&todos, content);
        world.deliver();
        assert_carried(&world.devices[0], &world.devices[1], ONE);
    }
    // Changed on the other device, the value comes back, and goes out again.
    let there = world.devices[1]
        .claude()
        .join(format!("todos/{ONE}-agent-{ONE}.json"));
    for (device, path, content) in [(1, &there, "[1]"), (0, &todos, "[]"), (1, &there, "[2]")] {
        world.devices[device].put(path, content);
        world.deliver();
        assert_carried(&world.devices[device], &world.devices[1 - device], ONE);
    }
}

#[test]
fn r6_a_session_of_a_hundred_megabytes_has_no_cap() {
    let (mut world, here, _) = World::roomy_pair_of_devices();
    let path = world.devices[0].rollout(TWO);
    world.devices[0].append(&path, meta(&here, TWO).as_bytes());
    // A few lines of many megabytes, as a pasted file makes them, and many small ones.
    let big = item(&format!("NUMBER {}", noise(1 << 20).repeat(4)));
    for number in 0..24 {
        world.devices[0].append(
            &path,
            big.replacen("NUMBER", &number.to_string(), 1).as_bytes(),
        );
        let small: String = (0..250)
            .map(|line| item(&format!("{number}.{line}")))
            .collect();
        world.devices[0].append(&path, small.as_bytes());
    }
    assert!(100_000_000 < std::fs::metadata(&path).expect("stat").len());
    world.devices[0].touch(&path);
    // The newest segments first.
    let mut names: Vec<String> = segments(&world.devices[0], &world.devices[0])
        .iter()
        .map(|path| {
            path.file_name()
                .expect("name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert!(names.len() > 10, "{} segments", names.len());
    names.reverse();
    for group in names.chunks(4) {
        let pick = |path: &str| group.iter().any(|name| path.ends_with(name.as_str()));
        let notices = world.ledger.carry(&world.devices, 0, 1, pick);
        notices
            .into_iter()
            .for_each(|notice| world.devices[1].notice(notice));
    }
    world.deliver();
    let there = world.devices[1].place_of(TWO).expect("placed");
    assert!(std::fs::read(&path).expect("here") == std::fs::read(&there).expect("there"));
    // One more line is one more frame, not the whole session again.
    world.devices[0].say(&path, item("one more"));
    world.deliver();
    assert!(std::fs::read(&path).expect("here") == std::fs::read(&there).expect("there"));
    assert!(segments(&world.devices[0], &world.devices[0]).len() <= names.len() + 1);
}

/// Text that does not compress to nothing.
fn noise(len: usize) -> String {
    let mut text = String::with_capacity(len);
    let mut hash = blake3::hash(b"noise");
    while text.len() < len {
        text.push_str(&hash.to_hex());
        hash = blake3::hash(hash.as_bytes());
    }
    text
}
