//! Removes from sessions what a revoked device wrote since a given time (`roam revoke --since`):
//! lines, statements about rewrites, its card, its decisions and titles. All of it stays in the
//! vault. Lines that others recorded as well or continued from stay in the sessions, too. Knows
//! nothing of stores.

use super::context::Context;
use super::origin;
use super::record::{Cut, DeviceCard, SessionRecord};
use crate::merge::{ChoiceId, Chosen, Titled, title};
use crate::session::{ChainId, DocName, Hlc, Line, Replaced, ToolId};
use crate::vault::piece::Piece;
use crate::vault::{Entry, Frame, Journal, JournalError};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;

/// Makes the record agree with what now counts of each journal.
pub fn apply_cut(
    context: &Context,
    tool: &ToolId,
    record: &mut SessionRecord,
) -> Result<(), JournalError> {
    let cut = cut_of(context, record);
    let was = record.cut.as_ref();
    let is_marked = || {
        record
            .docs
            .values()
            .any(|state| state.trie.has_excluded_tips())
    };
    if cut.as_ref() == was && (was.is_some() || !is_marked()) {
        return Ok(());
    }
    let devices = [cut.as_ref(), was].into_iter().flatten();
    let devices: BTreeSet<String> = devices.flat_map(|cut| cut.devices.clone()).collect();
    let scan = Scan::of(context, record);
    let found = scan.read(&devices).and_then(|(mut beyond, said)| {
        scan.spare(&mut beyond)?;
        Ok((beyond, said))
    });
    // While a journal cannot be read, nobody knows what to spare: the removal waits for it, and the
    // session is recorded meanwhile.
    let Ok((mut beyond, mut said)) = found else {
        record.cut.iter_mut().for_each(|cut| cut.print = 0);
        return Ok(());
    };
    for device in &devices {
        if let Some(said) = said.remove(device) {
            said.put(record, device);
        }
    }
    let SessionRecord { journals, docs, .. } = record;
    for (name, state) in docs {
        let beyond = beyond.remove(name).unwrap_or_default();
        let journal_reader = context.journal_reader(tool, journals, name);
        let (runs, rewrites) = (beyond.runs(), &beyond.rewrites);
        state.trie.exclude(runs, rewrites, &journal_reader)?;
    }
    record.cut = cut;
    origin::find_origin(context, tool, record)
}

/// How many frames of the journal count, if its device is revoked since an earlier time.
fn counted(context: &Context, journal: &Journal) -> Option<u64> {
    let shared = context.shared();
    let cut = shared.cuts.get(&journal.device)?;
    Some(cut.get(below_device(&journal.dir)).copied().unwrap_or(0))
}

/// The devices of which not every accepted frame counts. This device's own frames change nothing:
/// it records no line that it knows.
fn cut_of(context: &Context, record: &SessionRecord) -> Option<Cut> {
    let (mut hasher, mut devices) = (DefaultHasher::new(), BTreeSet::new());
    for (key, journal) in &record.journals {
        // What others add changes nothing, but for lines that are taken out ([`Cut::print`]).
        if let Some(counted) = counted(context, journal).filter(|_| journal.device != context.short)
        {
            (key, journal.frames, counted).hash(&mut hasher);
            if counted < journal.frames {
                devices.insert(journal.device.clone());
            }
        }
    }
    let print = hasher.finish();
    (!devices.is_empty()).then_some(Cut { print, devices })
}

/// What does not count of a doc.
#[derive(Default)]
struct Beyond {
    /// Where each entry ends and begins.
    entries: HashMap<ChainId, ChainId>,
    rewrites: BTreeSet<Replaced>,
    /// Lines of the entries that another device recorded as well, each the last one in its entry.
    spared: HashSet<ChainId>,
}

impl Beyond {
    /// The runs to be taken out: where each begins and ends.
    fn runs(&self) -> Vec<(ChainId, ChainId)> {
        // Where the first of the consecutive entries begins, behind what is spared.
        let begin = |tip: ChainId| {
            let mut node = tip;
            for _ in 0..=self.entries.len() {
                match self.entries.get(&node) {
                    Some(after) if *after != node && !self.spared.contains(&node) => node = *after,
                    _ => break,
                }
            }
            node
        };
        let tips = self.entries.keys().map(|tip| (begin(*tip), *tip));
        let mut runs: Vec<(ChainId, ChainId)> = tips.filter(|(begin, tip)| begin != tip).collect();
        runs.sort();
        runs
    }
}

/// What a device said of the session in frames that count.
#[derive(Default)]
struct CountedEntries {
    card: Option<DeviceCard>,
    /// The first card, whether it counts or not: without any card there is no session.
    first: Option<DeviceCard>,
    choices: Vec<Chosen>,
    titled: Option<Titled>,
}

impl CountedEntries {
    fn add(&mut self, device: &str, (at, counts): (Hlc, bool), entry: &Entry) {
        match entry {
            Entry::About(card) => {
                let Some(card) = card.clone().bounded() else {
                    return;
                };
                let card = DeviceCard { at, card };
                if self.first.as_ref().is_none_or(|first| at < first.at) {
                    self.first = Some(card.clone());
                }
                if counts && self.card.as_ref().is_none_or(|known| known.at <= at) {
                    self.card = Some(card);
                }
            }
            Entry::Choice(choice) if counts => {
                let device = device.to_owned();
                let (id, choice) = (ChoiceId { at, device }, choice.clone());
                self.choices.push(Chosen { id, choice });
            }
            Entry::Title(title) if counts => {
                let known = self.titled.as_ref().is_some_and(|known| at <= known.at);
                if let Some(title) = title.bounded().filter(|_| !known) {
                    self.titled = Some(Titled { at, title });
                }
            }
            _ => {}
        }
    }

    fn put(self, record: &mut SessionRecord, device: &str) {
        let is_of = |chosen: &Chosen| chosen.id.device == device;
        let gone = |chosen: &Chosen| is_of(chosen) && !self.choices.contains(chosen);
        record.choices.retain(|chosen| !gone(chosen));
        for chosen in self.choices {
            if !record.choices.contains(&chosen) {
                record.choices.push(chosen);
            }
        }
        record.titles.remove(device);
        if let Some(titled) = self.titled {
            title::insert_if_newer(&mut record.titles, device.to_owned(), titled);
        }
        record.cards.remove(device);
        let first = self.first.filter(|_| record.cards.is_empty());
        if let Some(card) = self.card.or(first) {
            record.cards.insert(device.to_owned(), card);
        }
    }
}

type Docs = BTreeMap<DocName, Beyond>;

/// The session's journals, each with the number of its frames that count.
struct Scan<'a> {
    context: &'a Context,
    journals: Vec<(&'a Journal, u64)>,
}

impl<'a> Scan<'a> {
    fn of(context: &'a Context, record: &'a SessionRecord) -> Self {
        let with_count =
            |journal: &'a Journal| (journal, counted(context, journal).unwrap_or(u64::MAX));
        Self {
            context,
            journals: record.journals.values().map(with_count).collect(),
        }
    }

    fn each(
        &self,
        wanted: impl Fn(&Journal, u64) -> bool,
        mut each: impl FnMut(&Journal, Frame, bool),
    ) -> Result<(), JournalError> {
        for (journal, counted) in &self.journals {
            if wanted(journal, *counted) {
                journal.each_accepted(&self.context.vault, |frame| {
                    let counts = frame.head.n < *counted;
                    each(journal, frame, counts);
                    ControlFlow::Continue(())
                })?;
            }
        }
        Ok(())
    }

    /// What does not count of these devices' lines, and what they said otherwise that counts.
    fn read(
        &self,
        devices: &BTreeSet<String>,
    ) -> Result<(Docs, BTreeMap<String, CountedEntries>), JournalError> {
        let (mut beyond, mut said) = (Docs::new(), BTreeMap::<String, CountedEntries>::new());
        let wanted = |journal: &Journal, _| devices.contains(&journal.device);
        self.each(wanted, |journal, frame, counts| {
            let (device, at) = (&journal.device, frame.head.at);
            let of_device = said.entry(device.clone()).or_default();
            for entry in &frame.entries {
                of_device.add(device, (at, counts), entry);
                let Some(part) = Part::of(entry).filter(|_| !counts) else {
                    continue;
                };
                let doc = beyond.entry(part.doc.clone()).or_default();
                doc.entries.insert(part.tip, part.after);
                doc.rewrites.extend(part.replaces.map(|old| Replaced {
                    device: device.clone(),
                    old,
                    new: part.tip,
                    at,
                }));
            }
        })?;
        Ok((beyond, said))
    }

    /// Spares the lines that another device recorded from a store of its own: of each entry the
    /// last one at which an entry of either device ends. Where two devices part within an entry,
    /// the other one's branch ends elsewhere and counts by itself.
    fn spare(&self, beyond: &mut Docs) -> Result<(), JournalError> {
        if beyond.is_empty() {
            return Ok(());
        }
        let mut ends: HashMap<DocName, HashSet<ChainId>> = HashMap::new();
        self.each(
            |_, counted| 0 < counted,
            |_, frame, counts| {
                for part in frame.entries.iter().filter_map(Part::of).filter(|_| counts) {
                    if let Some(doc) = beyond.get_mut(part.doc).filter(|_| !part.relayed) {
                        ends.entry(part.doc.clone()).or_default().insert(part.tip);
                        let known = part.lines().filter(|line| doc.entries.contains_key(line));
                        doc.spared.extend(known);
                    }
                }
            },
        )?;
        let wanted = |journal: &Journal, counted| counted < journal.frames && !ends.is_empty();
        self.each(wanted, |_, frame, counts| {
            for part in frame
                .entries
                .iter()
                .filter_map(Part::of)
                .filter(|_| !counts)
            {
                let (Some(doc), Some(ends)) = (beyond.get_mut(part.doc), ends.get(part.doc)) else {
                    continue;
                };
                if let Some(line) = part.lines().filter(|line| ends.contains(line)).last() {
                    doc.spared.insert(line);
                    if line != part.tip {
                        doc.entries.insert(part.tip, line);
                    }
                }
            }
        })
    }
}

/// An entry of a doc.
struct Part<'a> {
    doc: &'a DocName,
    after: ChainId,
    tip: ChainId,
    replaces: Option<ChainId>,
    relayed: bool,
    /// The lines of a log; empty for whatever is one line.
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    fn of(entry: &'a Entry) -> Option<Self> {
        let (doc, at, after, tip, replaces, bytes): (_, _, _, _, _, &[u8]) = match entry {
            Entry::Lines {
                doc,
                at,
                after,
                tip,
                replaces,
                bytes,
            } => (doc, at, after, tip, *replaces, bytes),
            Entry::Whole {
                doc,
                at,
                after,
                tip,
                ..
            } => (doc, at, after, tip, None, &[]),
            Entry::Piece(Piece {
                doc,
                at,
                after,
                tip,
                replaces,
                ..
            }) => (doc, at, after, tip, *replaces, &[]),
            _ => return None,
        };
        Some(Self {
            doc,
            after: *after,
            tip: *tip,
            replaces,
            relayed: at.is_empty(),
            bytes,
        })
    }

    /// The ids of its lines.
    fn lines(&self) -> impl Iterator<Item = ChainId> {
        let lines = Line::chained(self.after, self.bytes, |_| false);
        let whole = self.bytes.is_empty().then_some(self.tip);
        lines.into_iter().map(|line| line.tip).chain(whole)
    }
}

/// A journal's directory as heads name it.
pub fn below_device(dir: &str) -> &str {
    dir.split_once('/').map_or(dir, |(_, below)| below)
}
