//! Puts entries that were read from journals into the tries of their docs, in any order of arrival.

use super::context::Context;
use super::origin;
use super::record::{DeviceCard, DocState, Root, SessionRecord};
use crate::merge::{Chosen, First, Titled, title};
use crate::session::{
    ChainId, DocKind, DocName, Edge, Hlc, Lane, Line, LineSource, Replaced, Source, ToolId, Trie,
};
use crate::vault::journal_reader::{Generation, JournalReader};
use crate::vault::{JournalError, SessionCard, limits};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// An entry from a frame, its lines chained, ready to be put into its trie.
pub struct Arrival {
    pub(super) doc: DocName,
    pub(super) kind: DocKind,
    pub(super) place: String,
    pub(super) edge: Edge,
    pub(super) tips: Vec<Line>,
    pub(super) replaces: Option<ChainId>,
    /// The author's name at the time of writing.
    pub(super) by: String,
    /// The entry is one record that came in pieces.
    pub(super) in_pieces: bool,
    /// Gap lines: each stands for a line that is too large to sync.
    pub(super) gaps: Vec<ChainId>,
}

/// Entries of a journal that are not in the tries yet.
#[derive(Default)]
pub struct CollectedEntries {
    pub(super) arrivals: Vec<Arrival>,
    /// With the short id of the device whose card it is.
    pub(super) cards: Vec<(Hlc, String, SessionCard)>,
    pub(super) choices: Vec<Chosen>,
    /// Titles that the user gave, with the short id of the device.
    pub(super) titles: Vec<(String, Titled)>,
    /// Entries whose content does not match their ids.
    pub(super) bad: u64,
    /// Lines of the arrivals.
    pub(super) lines: usize,
}

/// Puts entries into their tries; all their journals must be in the record again. Returns how many
/// were left out because their content does not match their ids, by their author's short id.
pub fn absorb(
    context: &Context,
    record: &mut SessionRecord,
    tool: &ToolId,
    taken: CollectedEntries,
) -> Result<BTreeMap<String, u64>, JournalError> {
    let is_message = context.is_message(tool);
    for (at, device, card) in taken.cards {
        let said = record.cards.entry(device).or_insert_with(|| DeviceCard {
            at,
            card: card.clone(),
        });
        // The two lanes of a device are read one after the other, whichever was written first.
        if said.at <= at {
            (said.at, said.card) = (at, card);
        }
    }
    for chosen in taken.choices {
        if !record.choices.iter().any(|known| known.id == chosen.id) {
            record.choices.push(chosen);
        }
    }
    for (device, titled) in taken.titles {
        title::insert_if_newer(&mut record.titles, device, titled);
    }
    let fresh = Fresh::of(&taken.arrivals);
    let mut runs = runs(&taken.arrivals);
    // A device that continues a session stamps later than the line it continues from: in this order
    // hardly any run waits for its beginning. The result is the same in any order.
    runs.sort_by_key(|run| run[0].edge.at);
    let generations = Generations::default();
    runs.iter()
        .try_for_each(|run| absorb_run(context, record, is_message, run, (&fresh, &generations)))?;
    origin::find_origin(context, tool, record)?;
    Ok(generations.refused.into_inner())
}

/// Groups entries that follow each other in a journal and in their doc: entries that are already
/// known are then read once per group, not once each.
fn runs(arrivals: &[Arrival]) -> Vec<Vec<&Arrival>> {
    let mut runs: Vec<Vec<&Arrival>> = Vec::new();
    // The last run of each doc in each journal, and its lines.
    let mut last: HashMap<(&DocName, &str, Lane), (usize, usize)> = HashMap::new();
    for arrival in arrivals {
        let (source, edge) = (&arrival.edge.source, &arrival.edge);
        let key = (&arrival.doc, source.device.as_str(), source.lane);
        let goes_on = |run: &Vec<&Arrival>, n_lines: usize| {
            let before = run[run.len() - 1];
            // An entry that replaces another is handled from its own end.
            let plain = run[0].replaces.is_none()
                && arrival.replaces.is_none()
                && arrival.kind == DocKind::Log;
            // An entry in pieces is compared with its own id.
            let plain = plain && !run[0].in_pieces && !arrival.in_pieces;
            // The lines of a group are held twice.
            let plain = plain && n_lines < limits::ASIDE_LINES;
            let follows = before.edge.tip == edge.after && before.edge.source.end == source.first;
            plain && follows && before.place == arrival.place
        };
        let n_lines = arrival.tips.len();
        match last.get_mut(&key) {
            Some((at, lines)) if goes_on(&runs[*at], *lines) => {
                runs[*at].push(arrival);
                *lines += n_lines;
            }
            _ => {
                last.insert(key, (runs.len(), n_lines));
                runs.push(vec![arrival]);
            }
        }
    }
    runs
}

/// A run as one edge, with its lines.
fn joined<'a>(run: &[&'a Arrival]) -> (Edge, Cow<'a, [Line]>) {
    let mut edge = run[0].edge.clone();
    if let [arrival] = run {
        return (edge, Cow::Borrowed(&arrival.tips));
    }
    let mut tips = run[0].tips.clone();
    for arrival in &run[1..] {
        let more = &arrival.edge;
        tips.extend(arrival.tips.iter().map(|line| Line {
            end: line.end + edge.bytes,
            ..*line
        }));
        (edge.tip, edge.at, edge.source.end) = (more.tip, edge.at.max(more.at), more.source.end);
        edge.lines += more.lines;
        edge.bytes += more.bytes;
        edge.message_lines += more.message_lines;
    }
    (edge, Cow::Owned(tips))
}

fn n_lines_in(trie: &Trie) -> u64 {
    trie.edges().iter().map(|edge| edge.lines).sum()
}

fn absorb_run(
    context: &Context,
    record: &mut SessionRecord,
    is_message: fn(&[u8]) -> bool,
    run: &[&Arrival],
    (fresh, generations): (&Fresh<'_>, &Generations),
) -> Result<(), JournalError> {
    let (arrival, (edge, tips)) = (run[0], joined(run));
    let device = edge.source.device.clone();
    if limits::DOCS <= record.docs.len() && !record.docs.contains_key(&arrival.doc) {
        return Ok(());
    }
    let state = record
        .docs
        .entry(arrival.doc.clone())
        .or_insert_with(|| DocState::new(arrival.kind, arrival.place.clone()));
    if state.kind != arrival.kind {
        return Ok(());
    }
    // Republished lines lie in no store of the device that republished them.
    let republished = arrival.place.is_empty();
    if state.said <= edge.at || state.at.is_empty() {
        state.said = state.said.max(edge.at);
        state.at = if republished {
            std::mem::take(&mut state.at)
        } else {
            arrival.place.clone()
        };
    }
    if let Some(roots) = &mut state.roots
        && edge.after == state.trie.start()
        && arrival.replaces.is_none()
        && !tips.is_empty()
    {
        origin::note(
            roots,
            &device,
            Root {
                stored: !republished,
                at: arrival.edge.at,
            },
        );
    }
    state
        .gaps
        .extend(run.iter().flat_map(|arrival| &arrival.gaps));
    if !state.firsts.is_empty() {
        for arrival in run {
            let first = || First {
                at: arrival.edge.at,
                device: device.clone(),
                name: arrival.by.clone(),
            };
            for line in &arrival.tips {
                state
                    .firsts
                    .entry(line.tip)
                    .and_modify(|known| *known = first().min(known.clone()));
            }
        }
    }
    let journal_reader =
        JournalReader::new(&context.vault, &record.journals, &arrival.doc, is_message);
    let lines = Lines {
        fresh,
        doc: &arrival.doc,
        journal_reader,
        generations,
        kind: arrival.kind,
        own: &context.short,
    };
    let keep = state.local.as_ref().map(|local| local.tip);
    let (tip, at, n_lines) = (edge.tip, edge.at, edge.lines);
    let cut = record.cut.as_mut().filter(|_| !republished);
    let before = cut.as_ref().map(|_| n_lines_in(&state.trie));
    state.trie.insert(edge, &tips, keep, &lines)?;
    if let (Some(cut), Some(before)) = (cut, before)
        && n_lines_in(&state.trie) < before + n_lines
    {
        cut.print = 0;
    }
    if let Some(old) = arrival.replaces {
        state.trie.replace(
            Replaced {
                device: device.clone(),
                old,
                new: tip,
                at,
            },
            &lines,
        )?;
    }
    state.trie.add_replaced_nodes(&lines)?;
    if device == context.short && !republished {
        state.own_tip = Some(tip);
    }
    if state.trie.is_empty() && state.trie.orphans() == 0 && state.local.is_none() {
        // The doc's only entry was left out.
        record.docs.remove(&arrival.doc);
    }
    Ok(())
}

/// What is known of snapshots while entries are added.
#[derive(Default)]
struct Generations {
    /// The last admitted generation, if it is small: usually the next one continues from it.
    last: RefCell<Option<(DocName, ChainId, Vec<u8>)>>,
    /// Generations that do not match their ids, by their author's short id.
    refused: RefCell<BTreeMap<String, u64>>,
}

impl Generations {
    /// A larger content is rebuilt when it is needed.
    const KEPT: usize = 8 << 20;
}

/// The entries just read, by doc, device, lane and entry number, so that the lines of none are read
/// a second time.
struct Fresh<'a>(HashMap<(&'a DocName, &'a str, Lane, u64), &'a Arrival>);

impl<'a> Fresh<'a> {
    fn of(arrivals: &'a [Arrival]) -> Self {
        let run = |arrival: &'a Arrival| {
            let source = &arrival.edge.source;
            (
                (
                    &arrival.doc,
                    source.device.as_str(),
                    source.lane,
                    source.first,
                ),
                arrival,
            )
        };
        Self(arrivals.iter().map(run).collect())
    }

    fn entry(&self, doc: &DocName, source: &Source, number: u64) -> Option<&'a Arrival> {
        let key = (doc, source.device.as_str(), source.lane, number);
        self.0.get(&key).copied()
    }

    /// Whether the edge holds lines that were chained from their bytes, not a record in pieces.
    fn is_chained(&self, doc: &DocName, edge: &Edge) -> bool {
        let first = self.entry(doc, &edge.source, edge.source.first);
        first.is_some_and(|first| !first.in_pieces)
    }

    /// The lines of an edge, if all of its entries are fresh.
    fn tips(&self, doc: &DocName, edge: &Edge) -> Option<Vec<Line>> {
        let (source, mut total) = (&edge.source, 0);
        let mut skip = source.skip;
        let mut found: Vec<Line> = Vec::new();
        for number in source.first..source.end {
            let mut before = 0;
            for line in &self.entry(doc, source, number)?.tips {
                let bytes = line.end - before;
                before = line.end;
                if skip > 0 {
                    skip -= 1;
                } else if (found.len() as u64) < edge.lines {
                    total += bytes;
                    found.push(Line {
                        end: total,
                        ..*line
                    });
                }
            }
        }
        (found.last()?.tip == edge.tip && found.len() as u64 == edge.lines).then_some(found)
    }
}

/// The lines of edges: fresh ones from memory, the others from the journals.
struct Lines<'a> {
    fresh: &'a Fresh<'a>,
    doc: &'a DocName,
    journal_reader: JournalReader<'a>,
    generations: &'a Generations,
    kind: DocKind,
    own: &'a str,
}

impl LineSource for Lines<'_> {
    type Error = JournalError;

    fn tips(&self, edge: &Edge) -> Result<Vec<Line>, JournalError> {
        self.fresh
            .tips(self.doc, edge)
            .map_or_else(|| self.journal_reader.tips(edge), Ok)
    }

    /// Refuses a generation that does not fit the one before or has a wrong id: such a generation
    /// would end every reading of the doc.
    fn admits(&self, trie: &Trie, edge: &Edge) -> Result<bool, JournalError> {
        // This device computed the ids of its own records from the content.
        if edge.source.device == self.own && !edge.source.relayed {
            return Ok(true);
        }
        if self.kind == DocKind::Log {
            // Ids of lines are always computed from the lines; a line in pieces is read here and
            // not kept.
            let is_sound = edge.source.end - edge.source.first < 2
                || self.fresh.is_chained(self.doc, edge)
                || self.journal_reader.is_sound(edge)?;
            if !is_sound {
                *self
                    .generations
                    .refused
                    .borrow_mut()
                    .entry(edge.source.device.clone())
                    .or_default() += 1;
            }
            return Ok(is_sound);
        }
        let found =
            self.journal_reader
                .generation(edge, || match self.generations.last.take() {
                    Some((doc, tip, content)) if doc == *self.doc && tip == edge.after => {
                        Ok(content)
                    }
                    _ => self
                        .journal_reader
                        .snapshot(&trie.path(edge.after).unwrap_or_default()),
                })?;
        let content = match found {
            Generation::Small(content) => Some(content),
            Generation::Large => None,
            Generation::Refused => {
                *self
                    .generations
                    .refused
                    .borrow_mut()
                    .entry(edge.source.device.clone())
                    .or_default() += 1;
                return Ok(false);
            }
        };
        let content = content.filter(|content| content.len() <= Generations::KEPT);
        let last = content.map(|content| (self.doc.clone(), edge.tip, content));
        self.generations.last.replace(last);
        Ok(true)
    }
}
