//! The laws of merging, on bytes: three to five devices append, open without a message, crash in
//! the middle of a line, rewind, compact, truncate their own file, sync, receive entries twice and
//! forget; one device joins late.
//!
//! A device's knowledge is the set of entries it has seen; its state is the set of lines (a trie)
//! that follows from them. Merging is union. Files are projections of a set.

use super::{
    Decided, DocEnds, DocView, First, Firsts, Fork, Guards, SessionView, Settled, Step, Verdict,
    branches, fork_id, plan, settle, substitute, ways,
};
use crate::session::{
    Chain, ChainId, DocKind, DocName, Edge, Hlc, Lane, Line, LineSource, Millis, Replaced,
    SessionId, Source, Spot, Trie,
};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;

/// The session, whose id is in many of its lines.
const SESSION: &str = "11111111-1111-4111-8111-111111111111";

// ---- what devices do ----

#[derive(Clone, Debug)]
enum Act {
    /// Adds this many message lines; a line may be one that others have too.
    Append {
        lines: u8,
        common: bool,
    },
    /// The tool adds a record without a message.
    Open {
        note: u8,
    },
    /// The process crashes in the middle of a line.
    Tear,
    /// The user goes back and asks something else: the file gets a line that points further up.
    Rewind,
    Compact,
    /// The tool removes its own last lines.
    Cut {
        lines: u8,
    },
    /// Receives all that another device knows.
    Sync {
        with: Index,
    },
    /// Receives everything again.
    Again {
        with: Index,
    },
    /// Loses the memory of its own file and records it anew.
    Forget,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1..4u8, any::<bool>()).prop_map(|(lines, common)| Act::Append { lines, common }),
        3 => (0..2u8).prop_map(|note| Act::Open { note }),
        1 => Just(Act::Tear),
        1 => Just(Act::Rewind),
        1 => Just(Act::Compact),
        1 => (1..3u8).prop_map(|lines| Act::Cut { lines }),
        6 => any::<Index>().prop_map(|with| Act::Sync { with }),
        1 => any::<Index>().prop_map(|with| Act::Again { with }),
        1 => Just(Act::Forget),
    ]
}

/// Three to five devices and their acts in sequence. The last device joins late: it does nothing.
fn story() -> impl Strategy<Value = History> {
    let acts = prop::collection::vec((any::<Index>(), act()), 1..40);
    (3..=5usize, acts).prop_map(|(devices, acts)| {
        let mut history = History::new(devices);
        for (device, act) in acts {
            history.act(device.index(devices - 1), &act);
        }
        history
    })
}

/// The same without removed lines: every state of a file is then a path from the start.
fn story_of_appends() -> impl Strategy<Value = History> {
    story().prop_filter("nobody cuts", |history| {
        history.entries.iter().all(|entry| entry.replaces.is_none())
    })
}

// ---- what comes of it ----

/// One entry of a device's journal.
#[derive(Clone)]
struct Entry {
    author: usize,
    number: u64,
    after: ChainId,
    text: Vec<u8>,
    replaces: Option<ChainId>,
    at: Hlc,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, text) = (name(self.author), self.text.escape_ascii());
        write!(
            f,
            "{name}.{} after {:?} \"{text}\" replaces {:?}",
            self.number, self.after, self.replaces
        )
    }
}

#[derive(Clone, Default)]
struct Device {
    file: Vec<u8>,
    /// The whole lines that the device recorded.
    recorded: Vec<u8>,
    known: BTreeSet<usize>,
    numbers: u64,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "knows {:?}, holds \"{}\"",
            self.known,
            self.file.escape_ascii()
        )
    }
}

#[derive(Clone)]
struct History {
    entries: Vec<Entry>,
    devices: Vec<Device>,
    /// Every state in which a device recorded its file.
    held: BTreeSet<Vec<u8>>,
    words: usize,
}

impl History {
    fn new(devices: usize) -> Self {
        let mut history = Self {
            entries: Vec::new(),
            devices: vec![Device::default(); devices],
            held: BTreeSet::new(),
            words: 0,
        };
        history.write(0, "{\"first\":0}\n");
        history
    }

    fn act(&mut self, device: usize, act: &Act) {
        self.words += 1;
        let word = self.words;
        match act {
            Act::Append {
                lines,
                common: false,
            } => {
                let said =
                    |line| format!("{{\"said\":\"{word}.{line}\",\"session\":\"{SESSION}\"}}\n");
                (0..*lines).for_each(|line| self.write(device, &said(line)));
            }
            Act::Append {
                lines,
                common: true,
            } => (0..*lines).for_each(|_| self.write(device, "{\"said\":\"ok\"}\n")),
            Act::Open { note } => self.write(device, &format!("_mode {note}\n")),
            Act::Tear => self.write(device, &format!("{{\"torn\":\"{word}")),
            Act::Rewind => self.write(
                device,
                &format!("{{\"said\":\"{word}\",\"above\":\"elsewhere\"}}\n"),
            ),
            Act::Compact => self.write(device, &format!("{{\"compact_boundary\":{word}}}\n")),
            Act::Cut { lines } => self.cut(device, usize::from(*lines)),
            Act::Sync { with } | Act::Again { with } => {
                self.sync(device, with.index(self.devices.len() - 1))
            }
            Act::Forget => {
                self.devices[device].recorded.clear();
                self.record(device);
            }
        }
    }

    /// After a half line, a tool starts a new one.
    fn write(&mut self, device: usize, text: &str) {
        let file = &mut self.devices[device].file;
        if file.last().is_some_and(|byte| *byte != b'\n') {
            file.push(b'\n');
        }
        file.extend_from_slice(text.as_bytes());
        self.record(device);
    }

    fn cut(&mut self, device: usize, lines: usize) {
        let file = &mut self.devices[device].file;
        let whole: Vec<&[u8]> = whole(file).split_inclusive(|byte| *byte == b'\n').collect();
        if lines + 1 < whole.len() {
            *file = whole[..whole.len() - lines].concat();
            self.record(device);
        }
    }

    /// Records new lines of the file in the device's journal.
    fn record(&mut self, device: usize) {
        let Device {
            file,
            recorded,
            numbers,
            known,
        } = &mut self.devices[device];
        let now = whole(file).to_vec();
        if now == *recorded {
            return;
        }
        let goes_on = now.starts_with(recorded);
        let (after, text) = match goes_on {
            true => (tip_of(recorded), now[recorded.len()..].to_vec()),
            false => (tip_of(&now), Vec::new()),
        };
        known.insert(self.entries.len());
        self.entries.push(Entry {
            author: device,
            number: *numbers,
            after,
            text,
            replaces: (!goes_on).then(|| tip_of(recorded)),
            at: Hlc {
                wall: Millis(1_000),
                count: self.entries.len() as u32,
            },
        });
        *numbers += 1;
        *recorded = now.clone();
        self.held.insert(now);
    }

    /// Receives what the other device knows; extends the file if there is only one branch.
    fn sync(&mut self, device: usize, with: usize) {
        let theirs = self.devices[with].known.clone();
        self.devices[device].known.extend(theirs);
        let trie = self.union(self.devices[device].known.iter().copied());
        let file = &self.devices[device].file;
        if let [only] = branches(&trie)[..] {
            let bytes = self.bytes(&trie, only);
            if bytes.starts_with(file) {
                (self.devices[device].file, self.devices[device].recorded) = (bytes.clone(), bytes);
            }
        }
    }

    // ---- sets ----

    fn all(&self) -> Vec<usize> {
        (0..self.entries.len()).collect()
    }

    /// The trie of these entries, inserted in this order.
    fn union(&self, entries: impl IntoIterator<Item = usize>) -> Trie {
        let mut trie = Trie::new(ChainId::log_start());
        for entry in entries {
            self.insert(&mut trie, &self.entries[entry]);
        }
        let Ok(()) = trie.add_replaced_nodes(self);
        trie
    }

    fn insert(&self, trie: &mut Trie, entry: &Entry) {
        let tips = lines_from(entry.after, &entry.text);
        let tip = tips.last().map_or(entry.after, |line| line.tip);
        let edge = Edge {
            after: entry.after,
            tip,
            lines: tips.len() as u64,
            bytes: entry.text.len() as u64,
            message_lines: tips.iter().filter(|line| line.is_message).count() as u64,
            source: Source {
                device: name(entry.author),
                lane: Lane::Priority,
                spot: Spot {
                    segment: 0,
                    offset: entry.number,
                    line: 0,
                },
                first: entry.number,
                end: entry.number + 1,
                skip: 0,
                relayed: false,
            },
            at: entry.at,
        };
        let Ok(()) = trie.insert(edge, &tips, None, self);
        if let Some(old) = entry.replaces {
            let Ok(()) = trie.replace(
                Replaced {
                    device: name(entry.author),
                    old,
                    new: tip,
                    at: entry.at,
                },
                self,
            );
        }
    }

    /// The content of a set, independent of its history.
    fn set(&self, trie: &Trie) -> Set {
        let lines = trie
            .edges()
            .iter()
            .flat_map(|edge| self.lines(edge))
            .map(|(line, _)| line.tip);
        Set {
            lines: lines.collect(),
            tips: trie.heads(),
            branches: branches(trie),
            orphans: trie.orphans(),
        }
    }

    fn lines(&self, edge: &Edge) -> Vec<(Line, Vec<u8>)> {
        let author = |entry: &&Entry| name(entry.author) == edge.source.device;
        let ours = (edge.source.first..edge.source.end).filter_map(|number| {
            self.entries
                .iter()
                .filter(author)
                .find(|entry| entry.number == number)
        });
        let text: Vec<u8> = ours.flat_map(|entry| entry.text.clone()).collect();
        let lines = text
            .split_inclusive(|byte| *byte == b'\n')
            .skip(edge.source.skip as usize);
        let lines: Vec<Vec<u8>> = lines
            .take(edge.lines as usize)
            .map(<[u8]>::to_vec)
            .collect();
        let tips = lines_from(edge.after, &lines.concat());
        assert_eq!(
            tips.last().map(|line| line.tip),
            Some(edge.tip),
            "an edge's source says what the edge says"
        );
        tips.into_iter().zip(lines).collect()
    }

    // ---- files ----

    fn bytes(&self, trie: &Trie, tip: ChainId) -> Vec<u8> {
        let path = trie.path(tip).expect("a tip is a node");
        path.into_iter()
            .flat_map(|edge| self.lines(edge))
            .flat_map(|(_, line)| line)
            .collect()
    }

    /// The end of the session's own file, and the branches that become files of their own.
    fn project(&self, trie: &mut Trie) -> Settled {
        let tips = branches(trie);
        for (node, tip) in ways(trie, &tips) {
            let edge = trie
                .first_edge(node, tip)
                .expect("a branch has a beginning")
                .clone();
            let first = self.lines(&edge)[0].0.tip;
            let Ok(_) = trie.pin(first, self);
        }
        let (name, firsts) = (DocName::new("log"), self.firsts());
        let kind = DocKind::Log;
        let decided = Decided::default();
        settle(&[DocEnds {
            name: &name,
            kind,
            main: true,
            trie,
            tips,
            firsts: &firsts,
            decided,
            opaque: false,
            apart: false,
        }])
    }

    fn firsts(&self) -> Firsts {
        let mut firsts = Firsts::new();
        for entry in &self.entries {
            let first = First {
                at: entry.at,
                device: name(entry.author),
                name: String::new(),
            };
            for line in lines_from(entry.after, &entry.text) {
                let known = firsts.entry(line.tip).or_insert_with(|| first.clone());
                *known = first.clone().min(known.clone());
            }
        }
        firsts
    }

    /// The file that a branch becomes, under an id of its own.
    fn fork(&self, trie: &Trie, fork: &Fork) -> (SessionId, Vec<u8>) {
        let (of, mut bytes) = (SessionId::new(SESSION), self.bytes(trie, fork.tip));
        let id = fork_id(&of, fork.first_line);
        substitute(&mut bytes, &of, &id);
        (id, bytes)
    }

    /// Every path from the start to an end, withdrawn or not.
    fn ways(&self, trie: &Trie) -> Vec<Vec<u8>> {
        let tips = trie.edges().iter().map(|edge| edge.tip);
        let ends = tips.filter(|tip| !trie.edges().iter().any(|edge| edge.after == *tip));
        ends.map(|tip| self.bytes(trie, tip)).collect()
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("entries", &self.entries)
            .field("devices", &self.devices)
            .finish()
    }
}

impl LineSource for History {
    type Error = Infallible;

    fn tips(&self, edge: &Edge) -> Result<Vec<Line>, Infallible> {
        let mut end = 0;
        let line = |(line, bytes): (Line, Vec<u8>)| {
            end += bytes.len() as u64;
            Line { end, ..line }
        };
        Ok(self.lines(edge).into_iter().map(line).collect())
    }
}

/// Everything observable about a set of lines.
#[derive(Clone, Debug, PartialEq)]
struct Set {
    lines: BTreeSet<ChainId>,
    tips: Vec<ChainId>,
    branches: Vec<ChainId>,
    orphans: usize,
}

impl History {
    /// An end that one device withdrew is where another one went back to.
    fn returns_to_what_another_withdrew(&self) -> bool {
        let withdrawals = || self.entries.iter().filter(|entry| entry.replaces.is_some());
        withdrawals().any(|back| {
            withdrawals().any(|one| {
                let lines = lines_from(back.after, &back.text);
                let new = lines.last().map_or(back.after, |line| line.tip);
                one.author != back.author && one.replaces == Some(new)
            })
        })
    }
}

fn name(author: usize) -> String {
    format!("D{author}")
}

fn whole(file: &[u8]) -> &[u8] {
    &file[..file
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1)]
}

fn tip_of(bytes: &[u8]) -> ChainId {
    let mut chain = Chain::start();
    chain.feed(bytes);
    chain.tip
}

fn lines_from(after: ChainId, text: &[u8]) -> Vec<Line> {
    let (mut chain, mut lines) = (Chain::from(after), Vec::new());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        chain.feed(line);
        lines.push(Line {
            tip: chain.tip,
            end: chain.bytes,
            is_message: !line.starts_with(b"_"),
        });
    }
    lines
}

fn multiset<'a>(lines: impl Iterator<Item = &'a [u8]>) -> BTreeMap<&'a [u8], usize> {
    let mut counted = BTreeMap::new();
    lines.for_each(|line| *counted.entry(line).or_insert(0) += 1);
    counted
}

fn shuffled(mut entries: Vec<usize>, mut seed: u64) -> Vec<usize> {
    for at in (1..entries.len()).rev() {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        entries.swap(at, (seed >> 33) as usize % (at + 1));
    }
    entries
}

/// The file without trailing records that are no messages.
fn said_part(file: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    let end = lines
        .iter()
        .rposition(|line| !line.starts_with(b"_"))
        .map_or(0, |at| at + 1);
    lines[..end].concat()
}

fn plan_for(trie: &Trie, settled: &Settled, local: ChainId) -> Verdict {
    let name = DocName::new("log");
    let guards = Guards {
        place: Some("/x".into()),
        tool_on: true,
        ..Guards::default()
    };
    let (kind, kept, base) = (DocKind::Log, trie.heads(), Some(local));
    let local = Some(local);
    let doc = DocView {
        name: &name,
        kind,
        main: true,
        trie,
        local,
        base,
        stale: false,
        drops_messages_of_others: false,
        kept,
    };
    plan(&SessionView {
        docs: vec![doc],
        settled,
        guards,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// The order in which journals are read does not matter.
    #[test]
    fn l1_union_is_commutative(history in story(), one in any::<Index>(), other in any::<Index>()) {
        let n = history.devices.len();
        let (one, other) = (&history.devices[one.index(n)].known, &history.devices[other.index(n)].known);
        let there = history.union(one.iter().chain(other).copied());
        let back = history.union(other.iter().chain(one).copied());
        prop_assert_eq!(history.set(&there), history.set(&back));
    }

    /// The order in which devices meet does not matter: any order of all entries, in any grouping.
    #[test]
    fn l2_union_is_associative(history in story(), turn in any::<Index>(), seed in any::<u64>()) {
        let straight = history.set(&history.union(history.all()));
        let mut groups: Vec<Vec<usize>> =
            history.devices.iter().map(|device| device.known.iter().copied().collect()).collect();
        let n = groups.len();
        groups.rotate_left(turn.index(n));
        prop_assert_eq!(&history.set(&history.union(groups.concat())), &straight);
        prop_assert_eq!(&history.set(&history.union(shuffled(history.all(), seed))), &straight);
        prop_assert_eq!(straight.orphans, 0);
    }

    /// Receiving twice is the same as receiving once.
    #[test]
    fn l3_union_is_idempotent(history in story(), seed in any::<u64>()) {
        let once = history.union(history.all());
        let twice = history.union(history.all().into_iter().chain(shuffled(history.all(), seed)));
        prop_assert_eq!(history.set(&once), history.set(&twice));
    }

    /// A device that knows everything learns nothing from one that knows a part; the other learns
    /// the rest.
    #[test]
    fn l4_a_part_is_absorbed(history in story(), device in any::<Index>()) {
        let part = &history.devices[device.index(history.devices.len())].known;
        let all = history.set(&history.union(history.all()));
        let absorbed = history.union(history.all().into_iter().chain(part.iter().copied()));
        prop_assert_eq!(&history.set(&absorbed), &all);
        let caught_up = history.union(part.iter().copied().chain(history.all()));
        prop_assert_eq!(&history.set(&caught_up), &all);
        let known = history.set(&history.union(part.iter().copied())).lines;
        prop_assert!(known.is_subset(&all.lines), "a union takes no line away");
    }

    /// A device that is behind gets exactly the missing bytes, at the end of its file.
    #[test]
    fn l5_fast_forward_is_exact(history in story_of_appends(), device in any::<Index>(), behind in any::<Index>()) {
        let device = &history.devices[device.index(history.devices.len())];
        let trie = history.union(device.known.iter().copied());
        for tip in branches(&trie) {
            let bytes = history.bytes(&trie, tip);
            let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').map(|at| at + 1).collect();
            let end = ends[behind.index(ends.len())];
            let (mut trie, local) = (trie.clone(), tip_of(&bytes[..end]));
            let Ok(found) = trie.ensure_node(local, &history);
            prop_assert!(found);
            let missing: Vec<u8> = trie
                .path_between(local, tip).expect("it lies above")
                .into_iter().flat_map(|edge| history.lines(edge)).flat_map(|(_, line)| line).collect();
            prop_assert_eq!([&bytes[..end], &missing].concat(), bytes);
            if branches(&trie).len() == 1 && local != tip {
                let step = Step::Append { doc: DocName::new("log"), from: local, to: tip };
                let settled = history.project(&mut trie);
                prop_assert_eq!(plan_for(&trie, &settled, local), Verdict::Checkout(vec![step]));
            }
        }
    }

    /// The union holds every line of every file ever held, and at least as often.
    #[test]
    fn l6_every_line_of_every_file_is_in_the_union(history in story(), seed in any::<u64>()) {
        let trie = history.union(shuffled(history.all(), seed));
        let lines: Vec<Vec<u8>> =
            trie.edges().iter().flat_map(|edge| history.lines(edge)).map(|(_, line)| line).collect();
        let in_union = multiset(lines.iter().map(Vec::as_slice));
        for file in &history.held {
            for (line, times) in multiset(file.split_inclusive(|byte| *byte == b'\n')) {
                let known = in_union.get(line).copied().unwrap_or(0);
                prop_assert!(times <= known, "{} of {times} times {}", known, line.escape_ascii());
            }
        }
    }

    /// Every file ever held is the beginning of a path through the union, in order and without
    /// gaps. Its messages are the beginning of the session's own file, or of a fork's with the id
    /// put back.
    #[test]
    fn l7_every_file_is_the_beginning_of_a_way(history in story(), seed in any::<u64>()) {
        let mut trie = history.union(shuffled(history.all(), seed));
        let ways = history.ways(&trie);
        for file in &history.held {
            prop_assert!(ways.iter().any(|way| way.starts_with(file)), "{}", file.escape_ascii());
        }
        prop_assume!(history.entries.iter().all(|entry| entry.replaces.is_none()));
        let settled = history.project(&mut trie);
        let mut files: Vec<Vec<u8>> = settled.targets.values().map(|tip| history.bytes(&trie, *tip)).collect();
        for fork in settled.split.iter().flat_map(|split| &split.divided.forks) {
            let (id, mut bytes) = history.fork(&trie, fork);
            substitute(&mut bytes, &id, &SessionId::new(SESSION));
            files.push(bytes);
        }
        for file in &history.held {
            let said = said_part(file);
            prop_assert!(files.iter().any(|file| file.starts_with(&said)), "{}", said.escape_ascii());
        }
    }

    /// After a merge, one more line at the end of a branch adds one line to that branch, nothing
    /// else.
    #[test]
    fn l8_appending_after_a_merge_goes_on_where_it_was(mut history in story(), pick in any::<Index>()) {
        let before = history.union(history.all());
        let tips = branches(&before);
        prop_assume!(!tips.is_empty());
        let tip = tips[pick.index(tips.len())];
        let bytes = history.bytes(&before, tip);
        let last = history.devices.len() - 1;
        (history.devices[last].file, history.devices[last].recorded) = (bytes.clone(), bytes.clone());
        history.write(last, "{\"said\":\"after the merge\"}\n");
        let after = history.union(history.all());
        let new = tip_of(&history.devices[last].file);
        let (mut was, is) = (history.set(&before), history.set(&after));
        was.lines.insert(new);
        prop_assert_eq!(&is.lines, &was.lines);
        prop_assert_eq!(history.bytes(&after, new), [&bytes[..], b"{\"said\":\"after the merge\"}\n"].concat());
        let others: BTreeSet<_> = tips.into_iter().filter(|other| *other != tip).chain([new]).collect();
        prop_assert_eq!(is.branches.into_iter().collect::<BTreeSet<_>>(), others);
    }

    /// Names and clocks of devices do not affect what is known and which branches exist; names do
    /// not affect what becomes of the branches. One case is up to the clocks: a device withdrew an
    /// end and another one returned to that same end; whichever came later counts
    /// (`Trie::withdrawn`).
    #[test]
    fn l10_no_name_and_no_clock_enters(history in story(), seed in any::<u64>(), skew in prop::array::uniform5(-100_000..100_000i64)) {
        let names = shuffled((0..history.devices.len()).collect(), seed);
        let mut other = history.clone();
        other.entries.iter_mut().for_each(|entry| entry.author = names[entry.author]);
        let projected = |history: &History| history.project(&mut history.union(history.all()));
        prop_assert_eq!(projected(&history), projected(&other));
        prop_assume!(!history.returns_to_what_another_withdrew());
        for (entry, author) in other.entries.iter_mut().zip(history.entries.iter().map(|entry| entry.author)) {
            entry.at.wall.0 += skew[author];
        }
        let one = history.set(&history.union(history.all()));
        prop_assert_eq!(one, other.set(&other.union(shuffled(other.all(), seed))));
    }

    /// Doubtful merges are not made: a step removes messages from a file here only if another file
    /// has them, and nothing that the user must decide is written.
    #[test]
    fn l11_a_refusal_leaves_both_as_they_are(history in story(), device in any::<Index>()) {
        let device = &history.devices[device.index(history.devices.len())];
        let mut trie = history.union(history.all());
        let local = tip_of(&device.recorded);
        let Ok(found) = trie.ensure_node(local, &history);
        prop_assert!(found, "what is recorded lies in the trie");
        let before = history.set(&trie);
        let settled = history.project(&mut trie);
        let verdict = plan_for(&trie, &settled, local);
        prop_assert_eq!(history.set(&trie), before);
        let asks = settled.split.as_ref().is_some_and(|split| split.ask);
        prop_assert_eq!(asks, matches!(verdict, Verdict::Ask(_)));
        if let Verdict::Checkout(steps) = &verdict {
            let forks = settled.split.iter().flat_map(|split| &split.divided.forks).map(|fork| fork.tip);
            let ends: Vec<ChainId> = settled.targets.values().copied().chain(forks).collect();
            let removes = steps.iter().any(|step| matches!(step, Step::Remove { .. }));
            prop_assert!(!removes, "nobody put anything away");
            let lost = ends.iter().map(|end| trie.messages_between(trie.meet(local, *end), local)).min();
            prop_assert_eq!(lost, Some(0), "{:?} takes words out", steps);
        }
        let ways = history.ways(&trie);
        let ends = settled.split.iter().flat_map(|split| split.divided.forks.iter().map(|fork| fork.tip));
        for end in ends {
            let bytes = history.bytes(&trie, end);
            prop_assert!(ways.iter().any(|way| way.starts_with(&bytes)), "each side is there, byte for byte");
        }
    }

    /// A fork is its branch with another id: with the id put back, the bytes are the branch's.
    /// Every device makes the same forks, and a fork keeps its id while its branch grows.
    #[test]
    fn l12_a_fork_is_undone_by_putting_the_old_id_back(mut history in story(), seed in any::<u64>()) {
        let mut trie = history.union(history.all());
        let settled = history.project(&mut trie);
        let forks: Vec<Fork> = settled.split.iter().flat_map(|split| split.divided.forks.clone()).collect();
        let made: Vec<(SessionId, Vec<u8>)> = forks.iter().map(|fork| history.fork(&trie, fork)).collect();
        let ids: BTreeSet<&SessionId> = made.iter().map(|(id, _)| id).collect();
        prop_assert_eq!(ids.len(), forks.len(), "each branch has an id of its own");
        for (fork, (id, bytes)) in forks.iter().zip(&made) {
            prop_assert_eq!((id.as_str().len(), &id.as_str()[14..15]), (SESSION.len(), "4"));
            let mut back = bytes.clone();
            substitute(&mut back, id, &SessionId::new(SESSION));
            prop_assert_eq!(back, history.bytes(&trie, fork.tip));
        }
        let mut other = history.union(shuffled(history.all(), seed));
        prop_assert_eq!(&history.project(&mut other), &settled);
        if let (Some(fork), Some((id, _))) = (forks.first(), made.first()) {
            let (bytes, last) = (history.bytes(&trie, fork.tip), history.devices.len() - 1);
            (history.devices[last].file, history.devices[last].recorded) = (bytes.clone(), bytes);
            history.write(last, "{\"said\":\"goes on\"}\n");
            let mut grown = history.union(history.all());
            let settled = history.project(&mut grown);
            let forks = settled.split.iter().flat_map(|split| &split.divided.forks);
            prop_assert!(forks.map(|fork| history.fork(&grown, fork).0).any(|grown| grown == *id));
        }
    }

    /// Lines that are recorded later take the id from no branch: as entries arrive in the order in
    /// which they were made, the session's own file keeps its messages, unless a branch that had
    /// only notes before gets its first message.
    #[test]
    fn l13_what_is_recorded_later_takes_no_id(history in story_of_appends()) {
        let log = DocName::new("log");
        let (mut before, mut known) = (None, BTreeSet::new());
        for n in 1..=history.entries.len() {
            let mut trie = history.union(0..n);
            let now = history.project(&mut trie).targets.get(&log).copied();
            if let (Some(was), Some(now)) = (before, now) {
                let Ok(_) = trie.ensure_node(was, &history);
                let meet = trie.meet(was, now);
                let first = trie.first_edge(meet, now).map(|edge| history.lines(edge)[0].0.tip);
                let is_left = 0 < trie.messages_between(meet, was);
                prop_assert!(!is_left || first.is_some_and(|first| known.contains(&first)));
            }
            before = now.or(before);
            known = history.set(&trie).lines;
        }
    }
}
