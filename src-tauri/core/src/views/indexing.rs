//! Reads what is new of a session into the search index: beside the loop, each line once. What the
//! index has of a session is noted in the index itself, so that both are never of different times.

use super::export::end_of;
use super::search_text::{Item, add_message, device_of};
use super::transcript::authors::{self, Parent};
use super::transcript::{Before, Changes, Reading};
use crate::merge::diff::fingerprint;
use crate::merge::transcript::said_in;
use crate::reconcile::context::Context;
use crate::reconcile::record::{DocState, SessionRecord};
use crate::session::chain::lines_of;
use crate::session::problem::with_causes;
use crate::session::{ChainId, DocName, Edge, Lane, SessionKey, Source, SplitState, Spot, records};
use crate::state::{Row, State, StateError};
use crate::tools::Records;
use crate::vault::journal_reader::Run;
use serde::{Deserialize, Serialize};
use session_roam_search::{Batch, Index, IndexError, Opened, Session};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The beginning of a record in pieces that is searched.
const PIECE: usize = 256 << 10;

/// A session whose words are to be in the index as they are now.
pub struct ToIndex {
    pub key: SessionKey,
    pub record: SessionRecord,
    /// Where decisions joined branches: the sessions of their own that branches had become.
    pub forks: Vec<(SessionKey, SessionRecord)>,
    /// The session whose branch this one is: its journals show who wrote the first messages.
    pub parent: Parent,
    pub row: Row,
    pub print: String,
}

/// What came of work on the index.
pub enum SearchEvent {
    Opened(Result<OpenedIndex, IndexError>),
    Indexed(Indexed),
    /// Nothing may have come for a while.
    Quiet,
    Rested(Option<IndexError>),
}

/// An index, compared with the sessions that the state knows.
pub struct OpenedIndex {
    pub index: Arc<Index>,
    /// Nothing is in it, whatever the state noted.
    pub is_empty: bool,
    pub compared: Result<ComparedIndex, StateError>,
}

pub struct ComparedIndex {
    /// Sessions that are in the index and in no list. They are hidden.
    pub gone: Vec<String>,
    /// The sessions that must be read, newest last. They are hidden.
    pub backlog: VecDeque<SessionKey>,
}

/// Opens the index named `name` in `dir` and compares it with the state in the file `state`, as of
/// the last commit.
pub fn open_index(dir: &Path, name: &str, state: &Path) -> Result<OpenedIndex, IndexError> {
    let (index, opened) = Index::open(dir, name)?;
    // Emptied, and never filled: the engine may have ended in between.
    let is_empty = opened == Opened::Empty || index.keys().is_empty();
    Ok(OpenedIndex {
        compared: State::beside(state).and_then(|state| compare(&index, is_empty, &state)),
        index: Arc::new(index),
        is_empty,
    })
}

fn compare(index: &Index, is_empty: bool, state: &State) -> Result<ComparedIndex, StateError> {
    if is_empty {
        let backlog = state.keys_by_age()?.into();
        return Ok(ComparedIndex {
            gone: Vec::new(),
            backlog,
        });
    }
    let known = state.keys()?;
    let in_index = index.keys().into_iter();
    let gone: Vec<String> = in_index.filter(|key| !known.contains(key)).collect();
    gone.iter().for_each(|key| index.hide(key));
    let mut backlog = state.unsearched()?;
    backlog.reverse();
    // What changed since it was read may be what was taken out with a revocation.
    let changed = backlog.iter();
    changed.for_each(|key| index.hide(&key.to_string()));
    Ok(ComparedIndex {
        gone,
        backlog: backlog.into(),
    })
}

/// What a batch achieved.
#[derive(Default)]
pub struct Indexed {
    /// Sessions that are in the index as their print states.
    pub done: Vec<(SessionKey, String)>,
    /// Sessions that were not begun, since others became more urgent.
    pub left: Vec<SessionKey>,
    /// Sessions whose journals could not be read, and why.
    pub unreadable: Vec<(SessionKey, String)>,
    pub removed: Vec<String>,
    pub error: Option<IndexError>,
}

/// What determines a session's part of the index; `None` for a session that is in no list
/// or of which no line counts.
pub fn print_of(record: &SessionRecord, row: &Row) -> Option<String> {
    if !crate::api::answer::is_listed(row) {
        return None;
    }
    let (name, state) = record.docs.get_key_value(record.main()?)?;
    let mut tips = state.trie.heads();
    tips.sort();
    let shown = end_of(record, name, state).map(|(tip, _)| tip);
    if tips.iter().all(|tip| *tip == state.trie.start()) {
        // Nothing of it counts any more: its device was revoked.
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    for tip in tips.iter().chain(&shown) {
        hasher.update(tip.to_hex().as_bytes());
    }
    for text in [name.as_str(), &row.session, &row.title, &row.project] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.update(row.devices.join(",").as_bytes());
    hasher.update(row.split.as_str().as_bytes());
    hasher.update(&row.updated.0.to_le_bytes());
    Some(hasher.finalize().to_hex()[..32].to_owned())
}

/// Brings sessions up to date in one commit. Ends early when `hurry` is set: others are waiting.
pub fn index_sessions(
    context: &Context,
    index: &Index,
    (gone, mut sessions): (Vec<String>, Vec<ToIndex>),
    hurry: &AtomicBool,
) -> Indexed {
    let mut indexed = Indexed::default();
    loop {
        match index_batch(context, index, (&gone, &sessions), hurry) {
            // The batch was undone, with what it had added of these, and is made anew without them.
            Ok(Batched::Unreadable(unreadable)) => {
                sessions.retain(|one| unreadable.iter().all(|(key, _)| *key != one.key));
                indexed.unreadable.extend(unreadable);
            }
            Ok(Batched::Committed(n_done)) => {
                let left = sessions.split_off(n_done);
                indexed.left = left.into_iter().map(|one| one.key).collect();
                indexed.done = { sessions.into_iter() }
                    .map(|one| (one.key, one.print))
                    .collect();
                indexed.removed = gone;
                return indexed;
            }
            Err(error) => {
                indexed.error = Some(error);
                return indexed;
            }
        }
    }
}

enum Batched {
    /// The first sessions, so many of them, are in the index.
    Committed(usize),
    /// Nothing is, since journals of these could not be read, and why.
    Unreadable(Vec<(SessionKey, String)>),
}

fn index_batch(
    context: &Context,
    index: &Index,
    (gone, sessions): (&[String], &[ToIndex]),
    hurry: &AtomicBool,
) -> Result<Batched, IndexError> {
    let mut batch = index.batch()?;
    gone.iter().for_each(|key| batch.remove_session(key));
    let (mut n_done, mut unreadable) = (0, Vec::new());
    for one in sessions {
        if hurry.load(Ordering::Relaxed) && 0 < n_done {
            break;
        }
        // What this batch removes is still in the state that notes are read from.
        let is_new = gone.contains(&one.key.to_string());
        match index_one(context, (index, is_new), &mut batch, one) {
            Ok(()) => n_done += 1,
            Err(Fault::Index(error)) => return Err(error),
            Err(Fault::Journal(why)) => unreadable.push((one.key.clone(), why)),
        }
    }
    if !unreadable.is_empty() {
        return Ok(Batched::Unreadable(unreadable));
    }
    batch.commit()?;
    Ok(Batched::Committed(n_done))
}

enum Fault {
    Index(IndexError),
    Journal(String),
}

impl From<IndexError> for Fault {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

fn unreadable(error: &dyn std::error::Error) -> Fault {
    Fault::Journal(with_causes(error))
}

/// What the index has of a session.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    doc: String,
    /// Of a log.
    runs: Vec<RunNote>,
    /// Of a document: how many messages of which print.
    whole: Option<(usize, String)>,
    /// Of a branch: how many of its first messages have the authors that its parent names.
    #[serde(default)]
    taken_over: Option<u64>,
}

/// How far an edge is in the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RunNote {
    after: ChainId,
    tip: ChainId,
    device: String,
    lane: Lane,
    first: u64,
    skip: u64,
    lines: u64,
    /// It is part of what `roam show` shows.
    shown: bool,
    /// The number of the next message.
    next: u64,
    changes: Changes,
    /// The entry with the last line, its number, and how many of its lines are read.
    last: Option<(Spot, u64, u64)>,
}

fn index_one(
    context: &Context,
    (index, is_new): (&Index, bool),
    batch: &mut Batch<'_>,
    one: &ToIndex,
) -> Result<(), Fault> {
    let key = one.key.to_string();
    let Some((doc, state)) = one
        .record
        .main()
        .and_then(|main| one.record.docs.get_key_value(main))
    else {
        return Ok(());
    };
    let note = if is_new { None } else { index.note(&key)? };
    let known: Option<Note> = note.and_then(|note| serde_json::from_str(&note).ok());
    let known = known.filter(|note: &Note| note.doc == doc.as_str());
    let copied = authors::copied(context, (&one.key, &one.record), &one.forks);
    let mut indexer = Indexer {
        context,
        key: &key,
        one,
        doc,
        state,
        copied,
        taken_over: known.as_ref().and_then(|note| note.taken_over),
        before: OnceCell::new(),
        batch,
    };
    let mut note = match context.records(&one.key.tool, state.kind) {
        Some(records) => indexer.document(records, known)?,
        None => indexer.log(known)?,
    };
    note.taken_over = indexer.n_taken_over();
    let row = &one.row;
    batch.set_session(&Session {
        key,
        id: row.session.clone(),
        tool: one.key.tool.to_string(),
        project: row.project.clone(),
        title: row.title.clone(),
        updated: row.updated.0.div_euclid(1000),
        split: matches!(row.split, SplitState::Open(_)),
        devices: row.devices.clone(),
        note: serde_json::to_string(&note).expect("a note is plain data"),
    })?;
    Ok(())
}

struct Indexer<'a, 'b> {
    context: &'a Context,
    key: &'a str,
    one: &'a ToIndex,
    doc: &'a DocName,
    state: &'a DocState,
    /// Who first wrote the messages that a decision copied, by their print.
    copied: HashMap<String, String>,
    /// How many of the first messages a parent's journals name the authors of, if that is known.
    taken_over: Option<u64>,
    /// These authors; read when a message of them is added.
    before: OnceCell<Before>,
    batch: &'a mut Batch<'b>,
}

impl<'a> Indexer<'a, '_> {
    /// The device that wrote a message, by short id, given the one that recorded it. `None` if nobody
    /// knows: the parent of a branch is not here.
    fn author<'d>(&'d self, number: u64, recorded: &'d str) -> Option<&'d str> {
        if self.taken_over.is_some_and(|n| n <= number) {
            return Some(recorded);
        }
        let before = || self.one.parent.before(self.context);
        match self.before.get_or_init(before) {
            Before::Nothing => Some(recorded),
            Before::Unknown => None,
            Before::Written(authors) => usize::try_from(number)
                .ok()
                .and_then(|number| authors.get(number))
                .map_or(Some(recorded), Option::as_deref),
        }
    }

    /// `None` if it was not asked for, or is not known.
    fn n_taken_over(&self) -> Option<u64> {
        match self.before.get() {
            Some(Before::Nothing) => Some(0),
            Some(Before::Written(authors)) => Some(authors.len() as u64),
            Some(Before::Unknown) | None => self.taken_over,
        }
    }

    // ---- logs ----

    fn log(&mut self, known: Option<Note>) -> Result<Note, Fault> {
        let edges = self.edges();
        let mut runs = known
            .and_then(|note| continued(note.runs, &edges))
            .unwrap_or_default();
        if runs.is_empty() {
            self.batch.remove_messages(self.key);
        }
        let mut after: Vec<RunNote> = Vec::new();
        for (edge, shown) in edges {
            let at = runs.iter().position(|run| run.begins(edge));
            let run = match at {
                Some(at) => runs.swap_remove(at),
                None => RunNote::new(edge, shown, after.iter().find(|run| run.tip == edge.after)),
            };
            after.push(self.read(edge, run)?);
        }
        Ok(Note {
            doc: self.doc.to_string(),
            runs: after,
            ..Note::default()
        })
    }

    /// All edges with lines that count, each after the one above it, and whether they are shown.
    fn edges(&self) -> Vec<(&'a Edge, bool)> {
        let state: &'a DocState = self.state;
        let trie = &state.trie;
        let shown = end_of(&self.one.record, self.doc, state);
        let (shown_tip, shown) = shown.map_or((None, Vec::new()), |(tip, path)| (Some(tip), path));
        let shown_tips: HashSet<ChainId> = shown.iter().map(|edge| edge.tip).collect();
        let mut met = HashSet::new();
        let mut edges = Vec::new();
        let others = trie
            .heads()
            .into_iter()
            .filter(|tip| Some(*tip) != shown_tip);
        let paths = std::iter::once(shown).chain(others.filter_map(|tip| trie.path(tip)));
        for edge in paths.flatten() {
            if met.insert(edge.tip) {
                edges.push((edge, shown_tips.contains(&edge.tip)));
            }
        }
        edges
    }

    /// Adds the lines of an edge that are not in the index.
    fn read(&mut self, edge: &Edge, mut run: RunNote) -> Result<RunNote, Fault> {
        if run.lines == edge.lines {
            return Ok(run);
        }
        let rest = run.rest_of(edge);
        let tool = &self.one.key.tool;
        let (reader, sets) = (self.context.message_reader(tool), self.context.sets(tool));
        let journals = self
            .context
            .journal_reader(tool, &self.one.record.journals, self.doc);
        let mut skipped = rest.source.skip;
        let mut failed = None;
        let read = journals.runs(&rest, |part| {
            let (place, bytes) = match part {
                Run::Lines(place, bytes) => (place, bytes),
                Run::Piece(place, piece) if piece.n == 0 => {
                    let shown = &piece.bytes[..PIECE.min(piece.bytes.len())];
                    (place, [shown, b"\n"].concat())
                }
                Run::Piece(place, _) => {
                    let (spot, entry) = place.entry();
                    run.last = Some((spot, entry, 0));
                    return Ok(());
                }
            };
            let mut lines = 0;
            for line in lines_of(&bytes) {
                lines += 1;
                if run
                    .changes
                    .by(&edge.source.device, sets(self.doc, line))
                    .is_some()
                {
                    run.next += 1;
                }
                for record in records::records(line) {
                    let Some(said) = said_in(&record.value, reader) else {
                        continue;
                    };
                    let first = match self.copied.is_empty() {
                        true => None,
                        false => self.copied.get(&authors::print(&said)),
                    };
                    let author = self.author(run.next, first.unwrap_or(&edge.source.device));
                    let author = author.unwrap_or_default().to_owned();
                    let item = Item {
                        number: run.next,
                        shown: run.shown,
                        device: device_of(&author),
                        at: edge.at.wall,
                    };
                    run.next += 1;
                    let added = add_message(self.batch, self.key, &said, &item);
                    failed = failed.take().or(added.err());
                }
            }
            run.lines += lines;
            let (spot, entry) = place.entry();
            run.last = Some((spot, entry, std::mem::take(&mut skipped) + lines));
            Ok(())
        });
        read.map_err(|error| unreadable(&error))?;
        run.tip = edge.tip;
        run.lines = edge.lines;
        failed.map_or(Ok(run), |error| Err(error.into()))
    }

    // ---- documents ----

    /// A document is read whole: only what its new generation adds at its end goes into the index,
    /// if the rest stayed the same.
    fn document(&mut self, records: Records, known: Option<Note>) -> Result<Note, Fault> {
        let (one, state): (&'a ToIndex, &'a DocState) = (self.one, self.state);
        let (tool, shown) = (&one.key.tool, end_of(&one.record, self.doc, state));
        let reader = self.context.message_reader(tool);
        let shown_tip = shown.as_ref().map(|(tip, _)| *tip);
        let mut prints = Vec::new();
        if let Some((tip, path)) = shown {
            let reading = self.reading(tip, path);
            let last = reading.path.last().map(|edge| edge.source.device.clone());
            let all = reading.path.iter().map(|edge| &edge.source.device);
            let is_one = all.collect::<HashSet<_>>().len() < 2;
            let wall = reading
                .path
                .last()
                .map(|edge| edge.at.wall)
                .unwrap_or_default();
            let content = self.content(&reading.path)?;
            let values = records(&content);
            let messages: Vec<_> = values
                .iter()
                .filter_map(|value| said_in(value, reader))
                .collect();
            prints = messages.iter().map(fingerprint).collect();
            let from = known_beginning(known.as_ref(), &prints);
            if from == 0 {
                self.batch.remove_messages(self.key);
            }
            let authors = match is_one || 0 < from {
                true => Vec::new(),
                false => authors::of_generations(&reading, records).unwrap_or_default(),
            };
            for (number, said) in messages.iter().enumerate().skip(from) {
                let author = authors.get(number).cloned().unwrap_or_else(|| last.clone());
                let author = author.unwrap_or_default();
                let author = self
                    .author(number as u64, &author)
                    .unwrap_or_default()
                    .to_owned();
                let item = Item {
                    number: number as u64,
                    shown: true,
                    device: device_of(&author),
                    at: wall,
                };
                add_message(self.batch, self.key, said, &item)?;
            }
        } else {
            self.batch.remove_messages(self.key);
        }
        let others = self.other_messages(records, shown_tip, &prints)?;
        let whole = (!others).then(|| (prints.len(), print_of_all(&prints)));
        Ok(Note {
            doc: self.doc.to_string(),
            whole,
            ..Note::default()
        })
    }

    /// Adds what only branches have that are not shown; returns whether there are such branches.
    fn other_messages(
        &mut self,
        records: Records,
        shown: Option<ChainId>,
        prints: &[String],
    ) -> Result<bool, Fault> {
        let reader = self.context.message_reader(&self.one.key.tool);
        let mut met: HashSet<String> = prints.iter().cloned().collect();
        let tips = self.state.trie.heads();
        let others: Vec<ChainId> = tips.into_iter().filter(|tip| Some(*tip) != shown).collect();
        for tip in &others {
            let Some(path) = self.state.trie.path(*tip) else {
                continue;
            };
            let Some(end) = path.last().copied() else {
                continue;
            };
            let content = self.content(&path)?;
            for (number, value) in records(&content).iter().enumerate() {
                let Some(said) = said_in(value, reader) else {
                    continue;
                };
                if met.insert(fingerprint(&said)) {
                    let item = Item {
                        number: number as u64,
                        shown: false,
                        device: device_of(&end.source.device),
                        at: end.at.wall,
                    };
                    add_message(self.batch, self.key, &said, &item)?;
                }
            }
        }
        Ok(!others.is_empty())
    }

    fn reading(&self, tip: ChainId, path: Vec<&'a Edge>) -> Reading<'a> {
        let one: &'a ToIndex = self.one;
        Reading {
            context: self.context,
            key: &one.key,
            record: &one.record,
            doc: self.doc,
            state: self.state,
            tip,
            path,
        }
    }

    fn content(&self, path: &[&Edge]) -> Result<Vec<u8>, Fault> {
        let journals = &self.one.record.journals;
        let reader = self
            .context
            .journal_reader(&self.one.key.tool, journals, self.doc);
        reader
            .content(self.state.kind, path)
            .map_err(|error| unreadable(&error))
    }
}

/// How many messages at the beginning are in the index.
fn known_beginning(known: Option<&Note>, prints: &[String]) -> usize {
    let whole = known.and_then(|note| note.whole.as_ref());
    let same = whole.filter(|(n, print)| {
        prints
            .get(..*n)
            .is_some_and(|first| print_of_all(first) == *print)
    });
    same.map_or(0, |(n, _)| *n)
}

fn print_of_all(prints: &[String]) -> String {
    blake3::hash(prints.concat().as_bytes()).to_hex()[..32].to_owned()
}

/// The known runs if each is the beginning of one of the edges, or several in a row are; `None` if
/// anything in the index counts no more, or is shown otherwise now.
fn continued(mut known: Vec<RunNote>, edges: &[(&Edge, bool)]) -> Option<Vec<RunNote>> {
    let mut runs = Vec::new();
    for (edge, shown) in edges {
        let Some(at) = known.iter().position(|run| run.begins(edge)) else {
            continue;
        };
        let mut run = known.swap_remove(at);
        // Edges that follow each other in one journal are joined when nothing needs their node.
        while let Some(at) = known
            .iter()
            .position(|next| run.lines < edge.lines && next.follows(&run))
        {
            let next = known.swap_remove(at);
            run.lines += next.lines;
            (run.tip, run.next, run.changes, run.last) =
                (next.tip, next.next, next.changes, next.last);
        }
        if edge.lines < run.lines || run.shown != *shown {
            return None;
        }
        runs.push(run);
    }
    known.is_empty().then_some(runs)
}

impl RunNote {
    fn new(edge: &Edge, shown: bool, above: Option<&Self>) -> Self {
        let source = &edge.source;
        Self {
            after: edge.after,
            tip: edge.after,
            device: source.device.clone(),
            lane: source.lane,
            first: source.first,
            skip: source.skip,
            lines: 0,
            shown,
            next: above.map_or(0, |run| run.next),
            changes: above.map(|run| run.changes.clone()).unwrap_or_default(),
            last: None,
        }
    }

    fn begins(&self, edge: &Edge) -> bool {
        let source = &edge.source;
        self.after == edge.after
            && self.device == source.device
            && self.lane == source.lane
            && self.first == source.first
            && self.skip == source.skip
    }

    fn follows(&self, upper: &Self) -> bool {
        self.after == upper.tip
            && self.device == upper.device
            && self.lane == upper.lane
            && self.shown == upper.shown
    }

    /// The part of an edge that is not read yet, as an edge of its own.
    fn rest_of(&self, edge: &Edge) -> Edge {
        match self.last {
            None => edge.clone(),
            Some((spot, first, skip)) => Edge {
                after: self.tip,
                lines: edge.lines - self.lines,
                source: Source {
                    spot,
                    first,
                    skip,
                    ..edge.source.clone()
                },
                ..edge.clone()
            },
        }
    }
}
