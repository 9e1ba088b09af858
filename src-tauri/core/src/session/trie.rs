//! A doc's history as a path-compressed trie of raw lines (or of a snapshot's generations): an edge
//! is a run of lines that one device recorded in sequence. Merging is insertion, and insertion in
//! any order gives the same set.
//!
//! The trie knows where lines are, not their content. The few questions about content go to
//! [`LineSource`].

use super::chain::lines_of;
use super::{ChainId, Hlc, Lane};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// In place of a device: the user took these lines out with a revocation.
const TAKEN_OUT: &str = "-";

/// Where an entry lies in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spot {
    pub segment: u32,
    /// Byte offset of the frame in its segment.
    pub offset: u64,
    /// Line of the entry in the frame.
    pub line: u32,
}

/// The stretch of a device's journal that holds an edge's lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The author's short id.
    pub device: String,
    pub lane: Lane,
    /// The first entry; further ones of the same doc follow in the journal.
    pub spot: Spot,
    /// The first entry's number among this doc's entries in this journal; `end` is one past the
    /// last.
    pub first: u64,
    pub end: u64,
    /// Lines of the first entry that belong to the edge above.
    pub skip: u64,
    /// The author relays lines of another device; its own tool did not write them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relayed: bool,
}

/// A run of lines from one node of the trie to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    pub after: ChainId,
    pub tip: ChainId,
    pub lines: u64,
    pub bytes: u64,
    /// How many lines are messages; the rest is what a tool notes when a session is merely opened.
    #[serde(alias = "said")]
    pub message_lines: u64,
    pub source: Source,
    /// When the last line was recorded.
    pub at: Hlc,
}

/// Edges are joined up to this many lines: a reader of an edge holds all its lines in memory.
const JOINED_LINES: u64 = 1 << 18;
/// Limit of lines kept for a run whose beginning is missing. The lines of a longer run are read
/// again when the beginning has arrived.
const ORPHAN_LINES: usize = 1 << 12;

/// What the trie must know about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub tip: ChainId,
    /// Bytes of the run up to the end of this line.
    pub end: u64,
    /// The line is part of the conversation.
    pub is_message: bool,
}

impl Line {
    /// The whole lines of a run of a log that begins after `after`.
    pub fn chained(after: ChainId, bytes: &[u8], is_message: fn(&[u8]) -> bool) -> Vec<Self> {
        let (mut tip, mut end) = (after, 0);
        let whole = lines_of(bytes).filter(|line| line.ends_with(b"\n"));
        whole
            .map(|line| {
                tip = tip.then(line);
                end += line.len() as u64;
                Self {
                    tip,
                    end,
                    is_message: is_message(line),
                }
            })
            .collect()
    }
}

/// Reads the lines of an edge from the journal on demand.
pub trait LineSource {
    type Error;
    /// Each line of the edge; the last one ends in `edge.tip`.
    fn tips(&self, edge: &Edge) -> Result<Vec<Line>, Self::Error>;
    /// Whether the content of an edge, after the node it continues, matches its ids. Otherwise the
    /// edge is left out.
    fn admits(&self, _trie: &Trie, _edge: &Edge) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// A doc's trie and its authors' statements about rewrites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trie {
    start: ChainId,
    edges: Vec<Edge>,
    /// Runs whose beginning has not arrived yet.
    orphans: Vec<Orphan>,
    /// Tips that their author rewrote or shortened: device, old tip, new tip.
    replaced: Vec<Replaced>,
    /// Statements about rewrites that the user took out with a revocation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    uncounted: Vec<Replaced>,
    /// Lines that must stay nodes: where branches begin and end.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pins: BTreeSet<ChainId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Orphan {
    edge: Edge,
    tips: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Replaced {
    pub device: String,
    pub old: ChainId,
    pub new: ChainId,
    /// When it was recorded.
    pub at: Hlc,
}

impl Trie {
    pub fn new(start: ChainId) -> Self {
        Self {
            start,
            edges: Vec::new(),
            orphans: Vec::new(),
            replaced: Vec::new(),
            uncounted: Vec::new(),
            pins: BTreeSet::new(),
        }
    }

    pub fn start(&self) -> ChainId {
        self.start
    }

    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    pub fn orphans(&self) -> usize {
        self.orphans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    fn is_node(&self, id: ChainId) -> bool {
        id == self.start || self.edges.iter().any(|edge| edge.tip == id)
    }

    /// Adds a run. `tips` has an id and a running byte count for each line. Known lines are not
    /// added again; a run whose beginning is missing waits for it. `keep` is a node that must stay
    /// one (where this device's file ends), so that continuing there needs no reading.
    pub fn insert<T: LineSource>(
        &mut self,
        edge: Edge,
        tips: &[Line],
        keep: Option<ChainId>,
        read: &T,
    ) -> Result<(), T::Error> {
        if tips.is_empty() {
            return Ok(());
        }
        if !self.place(edge.clone(), tips, read)? {
            if !self
                .orphans
                .iter()
                .any(|orphan| orphan.edge.tip == edge.tip && orphan.edge.after == edge.after)
            {
                let tips = if tips.len() <= ORPHAN_LINES {
                    tips.to_vec()
                } else {
                    Vec::new()
                };
                self.orphans.push(Orphan { edge, tips });
            }
            return Ok(());
        }
        self.adopt_orphans(read)?;
        self.join(keep);
        Ok(())
    }

    fn adopt_orphans<T: LineSource>(&mut self, read: &T) -> Result<(), T::Error> {
        loop {
            let waiting = std::mem::take(&mut self.orphans);
            let before = waiting.len();
            for orphan in waiting {
                if !self.make_node(orphan.edge.after, read)? {
                    self.orphans.push(orphan);
                    continue;
                }
                let again = if orphan.tips.is_empty() {
                    read.tips(&orphan.edge)?
                } else {
                    Vec::new()
                };
                let tips = if orphan.tips.is_empty() {
                    &again
                } else {
                    &orphan.tips
                };
                self.place(orphan.edge, tips, read)?;
            }
            if self.orphans.len() == before {
                return Ok(());
            }
        }
    }

    /// Attaches a run and returns whether that was possible.
    fn place<T: LineSource>(
        &mut self,
        edge: Edge,
        tips: &[Line],
        read: &T,
    ) -> Result<bool, T::Error> {
        if !self.make_node(edge.after, read)? {
            return Ok(false);
        }
        let (matched, node) = self.walk(edge.after, tips, read)?;
        if matched == tips.len() {
            self.make_node(node, read)?;
            return Ok(true);
        }
        self.make_node(node, read)?;
        let skipped_bytes = if matched == 0 {
            0
        } else {
            tips[matched - 1].end
        };
        let mut rest = edge;
        rest.after = node;
        rest.lines = (tips.len() - matched) as u64;
        rest.bytes -= skipped_bytes;
        rest.message_lines = n_messages(&tips[matched..]);
        rest.source.skip += matched as u64;
        if read.admits(self, &rest)? {
            self.edges.push(rest);
        }
        Ok(true)
    }

    /// Follows `tips` from node `from`. Returns how many lines are known and the id of the last
    /// one.
    pub fn walk<T: LineSource>(
        &self,
        from: ChainId,
        tips: &[Line],
        read: &T,
    ) -> Result<(usize, ChainId), T::Error> {
        let (mut matched, mut node) = (0usize, from);
        'edges: loop {
            for edge in self.edges.iter().filter(|edge| edge.after == node) {
                let there = usize::try_from(edge.lines).unwrap_or(usize::MAX);
                let whole = matched
                    .checked_add(there)
                    .and_then(|end| tips.get(end - 1))
                    .is_some_and(|line| line.tip == edge.tip);
                if whole {
                    matched += there;
                    node = edge.tip;
                    continue 'edges;
                }
            }
            break;
        }
        if matched == tips.len() {
            return Ok((matched, node));
        }
        for edge in self.edges.iter().filter(|edge| edge.after == node) {
            let common = read
                .tips(edge)?
                .iter()
                .zip(&tips[matched..])
                .take_while(|(ours, theirs)| ours.tip == theirs.tip)
                .count();
            if common > 0 {
                return Ok((matched + common, tips[matched + common - 1].tip));
            }
        }
        Ok((matched, node))
    }

    /// Splits the edge that contains `id`. Returns whether `id` is a node now.
    fn make_node<T: LineSource>(&mut self, id: ChainId, read: &T) -> Result<bool, T::Error> {
        if self.is_node(id) {
            return Ok(true);
        }
        for at in 0..self.edges.len() {
            if self.edges[at].lines < 2 {
                continue;
            }
            let tips = read.tips(&self.edges[at])?;
            if let Some(position) = tips.iter().position(|line| line.tip == id) {
                let (lines, bytes, above) = (
                    position as u64 + 1,
                    tips[position].end,
                    n_messages(&tips[..=position]),
                );
                let mut lower = self.edges[at].clone();
                lower.after = id;
                lower.lines -= lines;
                lower.bytes -= bytes;
                lower.message_lines -= above;
                lower.source.skip += lines;
                let upper = &mut self.edges[at];
                upper.tip = id;
                upper.lines = lines;
                upper.bytes = bytes;
                upper.message_lines = above;
                self.edges.push(lower);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Joins edges that follow each other in one journal and meet at a node that is not needed.
    fn join(&mut self, keep: Option<ChainId>) {
        loop {
            let pair = self.edges.iter().enumerate().find_map(|(lower_at, lower)| {
                let node = lower.after;
                let needed = Some(node) == keep
                    || self.pins.contains(&node)
                    || self
                        .replaced
                        .iter()
                        .any(|replaced| replaced.old == node || replaced.new == node);
                if needed || self.edges.iter().filter(|edge| edge.after == node).count() != 1 {
                    return None;
                }
                let upper_at = self.edges.iter().position(|upper| upper.tip == node)?;
                let upper = &self.edges[upper_at];
                let follows = upper.source.device == lower.source.device
                    && upper.source.lane == lower.source.lane
                    && upper.source.relayed == lower.source.relayed
                    && upper.source.end == lower.source.first
                    && lower.source.skip == 0
                    && upper.lines + lower.lines <= JOINED_LINES;
                follows.then_some((upper_at, lower_at))
            });
            let Some((upper_at, lower_at)) = pair else {
                return;
            };
            let lower = self.edges[lower_at].clone();
            let upper = &mut self.edges[upper_at];
            upper.tip = lower.tip;
            upper.lines += lower.lines;
            upper.bytes += lower.bytes;
            upper.message_lines += lower.message_lines;
            upper.source.end = lower.source.end;
            upper.at = upper.at.max(lower.at);
            self.edges.swap_remove(lower_at);
        }
    }

    /// Makes nodes of tips that were replaced before they arrived.
    pub fn add_replaced_nodes<T: LineSource>(&mut self, read: &T) -> Result<(), T::Error> {
        for replaced in self.replaced.clone() {
            self.make_node(replaced.new, read)?;
            self.make_node(replaced.old, read)?;
        }
        Ok(())
    }

    /// Notes that an author rewrote its doc: `old` is no longer its branch, `new` is.
    pub fn replace<T: LineSource>(&mut self, replaced: Replaced, read: &T) -> Result<(), T::Error> {
        self.make_node(replaced.new, read)?;
        self.make_node(replaced.old, read)?;
        if !self.replaced.contains(&replaced) && !self.uncounted.contains(&replaced) {
            self.replaced.push(replaced);
        }
        Ok(())
    }

    /// Takes out runs of lines and statements about rewrites, and brings back those taken out
    /// earlier. Lines that continue a run stay.
    pub fn exclude<T: LineSource>(
        &mut self,
        runs: Vec<(ChainId, ChainId)>,
        rewrites: &BTreeSet<Replaced>,
        read: &T,
    ) -> Result<(), T::Error> {
        self.replaced
            .retain(|replaced| replaced.device != TAKEN_OUT);
        for replaced in std::mem::take(&mut self.uncounted) {
            self.replace(replaced, read)?;
        }
        let all = std::mem::take(&mut self.replaced).into_iter();
        (self.uncounted, self.replaced) = all.partition(|replaced| rewrites.contains(replaced));
        for (new, old) in runs {
            self.replace(
                Replaced {
                    device: TAKEN_OUT.into(),
                    old,
                    new,
                    at: Hlc::default(),
                },
                read,
            )?;
        }
        Ok(())
    }

    /// Whether lines that were taken out end here.
    pub fn is_excluded_tip(&self, tip: ChainId) -> bool {
        self.replaced
            .iter()
            .any(|replaced| replaced.device == TAKEN_OUT && replaced.old == tip)
    }

    pub fn has_excluded_tips(&self) -> bool {
        let mut runs = self.replaced.iter();
        !self.uncounted.is_empty() || runs.any(|replaced| replaced.device == TAKEN_OUT)
    }

    pub fn replaced(&self) -> &[Replaced] {
        &self.replaced
    }

    /// Tips that an author abandoned and nobody returned to. A device that has one in a store again
    /// reverts the withdrawal. The stamps decide which of the two came later: right whenever one
    /// device had heard of the other, and the same on every device in any case.
    fn withdrawn(&self) -> BTreeSet<ChainId> {
        let mut in_order: Vec<&Replaced> = self.replaced.iter().collect();
        in_order.sort_by_key(|replaced| (replaced.at, replaced.old, replaced.new));
        let mut by_device: BTreeMap<&str, BTreeSet<ChainId>> = BTreeMap::new();
        for replaced in in_order {
            by_device
                .entry(&replaced.device)
                .or_default()
                .insert(replaced.old);
            // No device brings back lines that the user took out with a revocation.
            let is_taken_out = |device: &str| device == TAKEN_OUT;
            let others = by_device
                .iter_mut()
                .filter(|(device, _)| is_taken_out(device) == is_taken_out(&replaced.device));
            for (_, withdrawn) in others {
                withdrawn.remove(&replaced.new);
            }
        }
        by_device.into_values().flatten().collect()
    }

    /// Whether `device` abandoned `id` and did not return to it.
    pub fn has_withdrawn(&self, device: &str, id: ChainId) -> bool {
        let last = self.replaced.iter().filter(|replaced| {
            replaced.device == device && (replaced.old == id || replaced.new == id)
        });
        last.max_by_key(|replaced| replaced.at)
            .is_some_and(|replaced| replaced.old == id)
    }

    /// The ends that count: leaves that nobody replaced, and the new ends of shortened docs.
    pub fn heads(&self) -> Vec<ChainId> {
        let withdrawn = self.withdrawn();
        let dead = |id: ChainId| withdrawn.contains(&id);
        let leaves = self.edges.iter().map(|edge| edge.tip);
        let leaves = leaves.filter(|tip| !self.edges.iter().any(|edge| edge.after == *tip));
        let shortened = self
            .replaced
            .iter()
            .map(|replaced| replaced.new)
            .filter(|new| self.is_node(*new));
        let ends: Vec<ChainId> = leaves.chain(shortened).filter(|tip| !dead(*tip)).collect();
        // The new end of a shortened doc does not count once a line continues it, whatever the
        // order of arrival.
        let goes_on = |tip: ChainId| {
            ends.iter()
                .any(|end| *end != tip && self.is_ancestor(tip, *end))
        };
        let mut tips: Vec<ChainId> = ends.iter().copied().filter(|tip| !goes_on(*tip)).collect();
        tips.sort();
        tips.dedup();
        tips
    }

    /// The edges from the start to node `tip`; `None` if `tip` is no node.
    pub fn path(&self, tip: ChainId) -> Option<Vec<&Edge>> {
        let mut path = Vec::new();
        let mut node = tip;
        while node != self.start {
            let edge = self.edges.iter().find(|edge| edge.tip == node)?;
            path.push(edge);
            node = edge.after;
        }
        path.reverse();
        Some(path)
    }

    /// The edges from node `from` down to node `tip`; `None` if `from` is not above `tip`.
    pub fn path_between(&self, from: ChainId, tip: ChainId) -> Option<Vec<&Edge>> {
        let path = self.path(tip)?;
        if from == self.start {
            return Some(path);
        }
        let at = path.iter().position(|edge| edge.tip == from)?;
        Some(path[at + 1..].to_vec())
    }

    /// Whether node `upper` is `lower` or lies above it.
    pub fn is_ancestor(&self, upper: ChainId, lower: ChainId) -> bool {
        upper == lower || self.path_between(upper, lower).is_some()
    }

    /// Makes `id` a permanent node. Returns whether `id` is in the trie.
    pub fn pin<T: LineSource>(&mut self, id: ChainId, read: &T) -> Result<bool, T::Error> {
        let there = self.make_node(id, read)?;
        if there && id != self.start {
            self.pins.insert(id);
        }
        Ok(there)
    }

    /// Unpins all nodes that are not wanted. Their edges are joined at the next insertion.
    pub fn unpin_all_but(&mut self, wanted: &BTreeSet<ChainId>) {
        self.pins.retain(|pin| wanted.contains(pin));
    }

    /// The first edge on the way from node `from` to node `tip`.
    pub fn first_edge(&self, from: ChainId, tip: ChainId) -> Option<&Edge> {
        self.path_between(from, tip)?.first().copied()
    }

    /// Makes `id` a node if it lies anywhere in the trie.
    pub fn ensure_node<T: LineSource>(&mut self, id: ChainId, read: &T) -> Result<bool, T::Error> {
        self.make_node(id, read)
    }

    /// The lowest node that lies above both, or is one of them.
    pub fn meet(&self, one: ChainId, other: ChainId) -> ChainId {
        let nodes = |tip| {
            self.path(tip)
                .unwrap_or_default()
                .into_iter()
                .map(|edge| edge.tip)
                .collect::<Vec<_>>()
        };
        let common = nodes(one)
            .into_iter()
            .zip(nodes(other))
            .take_while(|(one, other)| one == other)
            .last();
        common.map_or(self.start, |(node, _)| node)
    }

    /// Number of message lines between node `from` and node `tip` below it.
    pub fn messages_between(&self, from: ChainId, tip: ChainId) -> u64 {
        self.path_between(from, tip)
            .unwrap_or_default()
            .into_iter()
            .map(|edge| edge.message_lines)
            .sum()
    }

    /// Lines and bytes from the start to node `tip`.
    pub fn size(&self, tip: ChainId) -> (u64, u64) {
        self.path(tip).map_or((0, 0), |path| {
            path.iter().fold((0, 0), |(lines, bytes), edge| {
                (lines + edge.lines, bytes + edge.bytes)
            })
        })
    }
}

fn n_messages(lines: &[Line]) -> u64 {
    lines.iter().filter(|line| line.is_message).count() as u64
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::session::{Chain, Millis};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::convert::Infallible;

    /// Journals in memory: the content of each (device, entry).
    #[derive(Default, Clone)]
    pub struct Journals(BTreeMap<(String, u64), (ChainId, Vec<u8>)>);

    impl LineSource for Journals {
        type Error = Infallible;
        fn tips(&self, edge: &Edge) -> Result<Vec<Line>, Infallible> {
            let mut lines: Vec<Vec<u8>> = Vec::new();
            for entry in edge.source.first..edge.source.end {
                lines.extend(
                    self.0[&(edge.source.device.clone(), entry)]
                        .1
                        .split_inclusive(|byte| *byte == b'\n')
                        .map(<[u8]>::to_vec),
                );
            }
            let mut chain = Chain::from(edge.after);
            let mut tips = Vec::new();
            for line in lines
                .iter()
                .skip(edge.source.skip as usize)
                .take(edge.lines as usize)
            {
                chain.feed(line);
                tips.push(Line {
                    tip: chain.tip,
                    end: chain.bytes,
                    is_message: is_message(line),
                });
            }
            assert_eq!(
                chain.tip, edge.tip,
                "an edge's source says something else than the edge"
            );
            Ok(tips)
        }
    }

    /// Lines with an odd number are no messages.
    fn is_message(line: &[u8]) -> bool {
        line.len() > 2 && line[line.len() - 3].is_multiple_of(2)
    }

    #[derive(Clone, Debug)]
    struct Write {
        device: String,
        number: u64,
        after: ChainId,
        text: Vec<u8>,
    }

    fn insert(trie: &mut Trie, journals: &Journals, write: &Write) {
        let mut chain = Chain::from(write.after);
        let mut tips = Vec::new();
        for line in write.text.split_inclusive(|byte| *byte == b'\n') {
            chain.feed(line);
            tips.push(Line {
                tip: chain.tip,
                end: chain.bytes,
                is_message: is_message(line),
            });
        }
        let edge = Edge {
            after: write.after,
            tip: chain.tip,
            lines: chain.lines,
            bytes: chain.bytes,
            message_lines: n_messages(&tips),
            source: Source {
                device: write.device.clone(),
                lane: Lane::Priority,
                spot: Spot {
                    segment: 0,
                    offset: write.number,
                    line: 0,
                },
                first: write.number,
                end: write.number + 1,
                skip: 0,
                relayed: false,
            },
            at: Hlc {
                wall: Millis(0),
                count: 0,
            },
        };
        let Ok(()) = trie.insert(edge, &tips, None, journals);
    }

    /// Devices that append, copy each other and record their files, as text scripts of small
    /// numbers.
    fn script() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
        prop::collection::vec((0..3usize, 0..4u8, 0..3u8), 1..24)
    }

    /// Plays a script; returns all writes, the journals and every file ever held.
    fn play(script: &[(usize, u8, u8)]) -> (Vec<Write>, Journals, BTreeSet<Vec<u8>>) {
        let (mut writes, mut journals, mut files) =
            (Vec::new(), Journals::default(), BTreeSet::new());
        let mut held = vec![Vec::<u8>::new(); 3];
        let mut recorded = [0usize; 3];
        let mut numbers = [0u64; 3];
        for (device, act, what) in script {
            match act {
                0 | 1 => (0..=*what).for_each(|line| {
                    held[*device]
                        .extend_from_slice(format!("{{\"n\":{}}}\n", line * 3 + what).as_bytes())
                }),
                2 => {
                    let other = held[(*device + 1) % 3].clone();
                    if other.starts_with(&held[*device]) {
                        held[*device] = other;
                    }
                }
                _ => {
                    // A device that lost its state records everything again from the start.
                    recorded[*device] = 0;
                }
            }
            let bytes = held[*device].clone();
            files.insert(bytes.clone());
            if recorded[*device] < bytes.len() {
                let mut above = Chain::start();
                above.feed(&bytes[..recorded[*device]]);
                let write = Write {
                    device: format!("D{device}"),
                    number: numbers[*device],
                    after: above.tip,
                    text: bytes[recorded[*device]..].to_vec(),
                };
                journals.0.insert(
                    (write.device.clone(), write.number),
                    (write.after, write.text.clone()),
                );
                numbers[*device] += 1;
                recorded[*device] = bytes.len();
                writes.push(write);
            }
        }
        (writes, journals, files)
    }

    fn lines_of(trie: &Trie, journals: &Journals) -> BTreeSet<ChainId> {
        trie.edges()
            .iter()
            .flat_map(|edge| {
                journals
                    .tips(edge)
                    .into_iter()
                    .flatten()
                    .map(|line| line.tip)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter_and_no_line_is_lost(script in script(), seed in any::<u64>()) {
            let (writes, journals, files) = play(&script);
            let mut straight = Trie::new(ChainId::log_start());
            writes.iter().for_each(|write| insert(&mut straight, &journals, write));

            let mut shuffled = writes.clone();
            let mut state = seed | 1;
            for at in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(at, (state >> 33) as usize % (at + 1));
            }
            let mut other = Trie::new(ChainId::log_start());
            shuffled.iter().chain(&writes).for_each(|write| insert(&mut other, &journals, write));

            prop_assert_eq!(lines_of(&straight, &journals), lines_of(&other, &journals));
            prop_assert_eq!(straight.heads(), other.heads());
            prop_assert_eq!((straight.orphans(), other.orphans()), (0, 0));
            for file in files {
                let mut chain = Chain::start();
                let mut ids = Vec::new();
                chain.feed_each(&file, |chain| ids.push(chain.tip));
                let all = lines_of(&straight, &journals);
                prop_assert!(ids.iter().all(|id| all.contains(id)));
            }
        }

        #[test]
        fn every_line_is_in_one_edge_only(script in script()) {
            let (writes, journals, _) = play(&script);
            let mut trie = Trie::new(ChainId::log_start());
            writes.iter().for_each(|write| insert(&mut trie, &journals, write));
            let total: u64 = trie.edges().iter().map(|edge| edge.lines).sum();
            for edge in trie.edges() {
                prop_assert_eq!(edge.message_lines, n_messages(&journals.tips(edge).unwrap_or_default()));
            }
            prop_assert_eq!(total as usize, lines_of(&trie, &journals).len());
        }
    }

    #[test]
    fn a_long_session_of_one_device_is_one_edge() {
        let script: Vec<_> = (0..20).map(|_| (0usize, 0u8, 1u8)).collect();
        let (writes, journals, _) = play(&script);
        let mut trie = Trie::new(ChainId::log_start());
        writes
            .iter()
            .for_each(|write| insert(&mut trie, &journals, write));
        assert_eq!((writes.len(), trie.edges().len()), (20, 1));
    }
}
