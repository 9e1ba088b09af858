//! A session for reading: which of its lines are messages and where they lie in the journals.
//! Bodies stay there; a page of them is read on request, and the last few docs read are
//! remembered.

pub mod authors;
mod walk;

pub use walk::{Source, Walked};

use crate::api::answer::{no_part, unreadable};
use crate::api::types::{ApiError, Message, OccurrencePlace, Occurrences, PartBody};
use crate::merge::transcript::{
    MessageReader, ParsedMessage, Part, Piece, Tokens, beginning, read_in, said_in,
};
use crate::parallel;
use crate::reconcile::context::Context;
use crate::reconcile::record::{DocState, SessionRecord};
use crate::session::chain::lines_of;
use crate::session::{ChainId, DocName, Edge, Role, SessionKey, records};
use crate::tools::{Records, Steer};
use crate::vault::message_index::{At, Index, Notes, Place};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// How much of a part comes with its page; the rest is read on request.
const TEXT: usize = 8 << 10;
const FOLDED: usize = 2 << 10;
/// No part is returned beyond these sizes, whatever a transcript holds.
const MOST_TEXT: usize = 4 << 20;
const MOST_IMAGE: usize = 16 << 20;
const REMEMBERED: usize = 6;
/// Beyond these, nothing more is sought, and places are only counted.
const MOST_SOUGHT: usize = 1 << 10;
const MOST_PLACES: usize = 10_000;
/// Pictures that a window can show without running anything in them.
pub(super) const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// Which part of a session's history is read.
pub struct Reading<'a> {
    pub context: &'a Context,
    pub key: &'a SessionKey,
    pub record: &'a SessionRecord,
    pub doc: &'a DocName,
    pub state: &'a DocState,
    pub tip: ChainId,
    pub path: Vec<&'a Edge>,
}

/// What is shown: a message, or the change by a steering record, in words.
pub enum Shown<'a, 'b> {
    Message(&'b ParsedMessage<'a>),
    Changed(&'b str),
}

impl Reading<'_> {
    pub(crate) fn reader(&self) -> MessageReader {
        self.context.message_reader(&self.key.tool)
    }

    /// Returns the known index, or reads everything once. Later pages use the index of the first
    /// page, even if the session grew meanwhile: `first` marks the first page.
    pub fn index(&self, first: bool) -> Result<Arc<Index>, ApiError> {
        let mut known = self.context.transcripts();
        let is_it = |index: &Arc<Index>| {
            index.key == *self.key && index.doc == *self.doc && (index.tip == self.tip || !first)
        };
        if let Some(at) = known.iter().position(is_it) {
            let index = known.remove(at);
            known.insert(0, index.clone());
            return Ok(index);
        }
        let index = Arc::new(self.read_all()?);
        known.retain(|other| other.key != index.key || other.doc != index.doc);
        known.insert(0, index.clone());
        known.truncate(REMEMBERED);
        Ok(index)
    }

    fn read_all(&self) -> Result<Index, ApiError> {
        let (reader, journal_reader) = (
            self.reader(),
            self.context
                .journal_reader(&self.key.tool, &self.record.journals, self.doc),
        );
        let mut index = Index {
            key: self.key.clone(),
            doc: self.doc.clone(),
            tip: self.tip,
            places: Vec::new(),
            messages: Vec::new(),
            changes: Vec::new(),
            authors: Vec::new(),
            notes: Notes::default(),
        };
        if let Some(records) = self.records() {
            index.authors = authors::of_generations(self, records)?;
            let at = |number| At {
                place: 0,
                from: number,
                len: 0,
                change: None,
            };
            index.messages = (0..index.authors.len() as u32).map(at).collect();
            return Ok(index);
        }
        let (sets, mut changes) = (self.context.sets(&self.key.tool), Changes::default());
        for edge in &self.path {
            let read = journal_reader.pieces(edge, |piece, bytes| {
                let place = index.places.len() as u32;
                let lines: Vec<&[u8]> = lines_of(bytes).collect();
                let read = |line: &&[u8]| (read_at(line, reader), sets(self.doc, line));
                let mut from = 0;
                for (line, (found, sets)) in
                    lines
                        .iter()
                        .zip(parallel::map(&lines, |line| line.len(), read))
                {
                    let len = line.len() as u32;
                    if let Some(words) = changes.by(&edge.source.device, sets) {
                        let change = Some(index.changes.len() as u32);
                        index.messages.push(At {
                            place,
                            from,
                            len,
                            change,
                        });
                        index.changes.push(words);
                    }
                    let at = |range: Range<u32>| At {
                        place,
                        from: from + range.start,
                        len: range.len() as u32,
                        change: None,
                    };
                    for found in found {
                        let row = index.messages.len() as u32;
                        match found {
                            FoundAt::Message { range, is_answer } => {
                                index.messages.push(at(range));
                                if is_answer {
                                    index.notes.answered(row);
                                }
                            }
                            FoundAt::Note(model, tokens) => index.notes.add(row, model, tokens),
                        }
                    }
                    from += len;
                }
                index.places.push(Place {
                    piece,
                    device: edge.source.device.clone(),
                });
                Ok(())
            });
            read.map_err(|error| unreadable(&error))?;
        }
        Ok(index)
    }

    fn records(&self) -> Option<Records> {
        self.context.records(&self.key.tool, self.state.kind)
    }

    pub(super) fn of_all(
        &self,
        records: Records,
        mut each: impl FnMut(&ParsedMessage<'_>),
    ) -> Result<(), ApiError> {
        let journal_reader =
            self.context
                .journal_reader(&self.key.tool, &self.record.journals, self.doc);
        let bytes = journal_reader
            .content(self.state.kind, &self.path)
            .map_err(|error| unreadable(&error))?;
        let reader = self.reader();
        records(&bytes)
            .iter()
            .filter_map(|record| said_in(record, reader))
            .for_each(|said| each(&said));
        Ok(())
    }

    /// Calls `each` for messages `from` to `from + n`, with the short id of the recording device
    /// and the message's number, not counting steering records.
    pub fn each(
        &self,
        index: &Index,
        from: u64,
        n: u64,
        mut each: impl FnMut(Shown<'_, '_>, Option<&str>, usize),
    ) -> Result<(), ApiError> {
        let (from, n) = (
            usize::try_from(from).unwrap_or(usize::MAX),
            usize::try_from(n).unwrap_or(usize::MAX),
        );
        if let Some(records) = self.records() {
            let mut at = 0;
            return self.of_all(records, |said| {
                if from <= at && at - from < n {
                    each(
                        Shown::Message(said),
                        index.authors.get(at).and_then(Option::as_deref),
                        at,
                    );
                }
                at += 1;
            });
        }
        let journal_reader =
            self.context
                .journal_reader(&self.key.tool, &self.record.journals, self.doc);
        let mut last: Option<(u32, Vec<u8>)> = None;
        let mut number = index
            .messages
            .iter()
            .take(from)
            .filter(|at| at.change.is_none())
            .count();
        for at in index.messages.iter().skip(from).take(n) {
            let place = &index.places[at.place as usize];
            if let Some(words) = at
                .change
                .and_then(|change| index.changes.get(change as usize))
            {
                each(Shown::Changed(words), Some(&place.device), number);
                continue;
            }
            number += 1;
            if last.as_ref().is_none_or(|(number, _)| *number != at.place) {
                last = Some((
                    at.place,
                    journal_reader
                        .piece(&place.piece)
                        .map_err(|error| unreadable(&error))?,
                ));
            }
            let bytes = last.as_ref().map_or(&[][..], |(_, bytes)| bytes);
            let bytes = bytes
                .get(at.from as usize..(at.from + at.len) as usize)
                .unwrap_or_default();
            let record = records::records(bytes).into_iter().next();
            if let Some(said) = record
                .as_ref()
                .and_then(|record| said_in(&record.value, self.reader()))
            {
                each(Shown::Message(&said), Some(&place.device), number - 1);
            }
        }
        Ok(())
    }

    /// A page of messages, long bodies cut.
    pub fn page(
        &self,
        index: &Index,
        from: u64,
        n: u64,
        names: &Names,
    ) -> Result<Vec<Message>, ApiError> {
        let mut found = Vec::new();
        self.each(index, from, n, |shown, device, number| {
            let device = names.of(&shown, device, number);
            let mut message = match shown {
                Shown::Message(said) => message(said, device),
                Shown::Changed(words) => changed(words, device),
            };
            message.text.truncate(beginning(&message.text, TEXT).len());
            for part in &mut message.parts {
                part.doc = part.doc.take().filter(|doc| self.has_doc(doc));
            }
            let row = from.saturating_add(found.len() as u64);
            complete(&mut message, &index.notes, row as u32);
            found.push(message);
        })?;
        Ok(found)
    }

    /// Whether the session has this doc: records may name any.
    fn has_doc(&self, doc: &str) -> bool {
        self.record.docs.contains_key(&DocName::new(doc))
    }

    /// All messages, whole.
    pub fn all(&self, names: &Names) -> Result<Vec<Message>, ApiError> {
        let mut found = Vec::new();
        self.walk(|walked| {
            let device = names.of(&walked.shown, walked.device, walked.number);
            let mut message = match walked.shown {
                Shown::Message(said) => message(said, device),
                Shown::Changed(words) => changed(words, device),
            };
            for part in &mut message.parts {
                part.doc = part.doc.take().filter(|doc| self.has_doc(doc));
            }
            found.push(message);
            Ok(())
        })?;
        Ok(found)
    }

    /// One part of one message, whole.
    pub fn part(&self, index: &Index, message: u64, part: u64) -> Result<PartBody, ApiError> {
        let mut found = None;
        self.each(index, message, 1, |shown, _, _| {
            found = match shown {
                Shown::Message(said) => body_of(said, part),
                Shown::Changed(words) => body_of(&steering(words), part),
            };
        })?;
        found.ok_or_else(|| no_part(message, part))
    }

    /// Where a text occurs, in every part as far as a part is returned.
    pub fn find(&self, index: &Index, text: &str) -> Result<Occurrences, ApiError> {
        let (sought, mut found, mut message) = (Sought::of(text), Occurrences::default(), 0);
        self.each(index, 0, u64::MAX, |shown, _, _| {
            let changed;
            let said = match shown {
                Shown::Message(said) => said,
                Shown::Changed(words) => {
                    changed = steering(words);
                    &changed
                }
            };
            for (part, piece) in said.pieces.iter().enumerate() {
                let n = sought.count(piece);
                found.total += n;
                if 0 < n && found.places.len() < MOST_PLACES {
                    let part = part as u64;
                    found.places.push(OccurrencePlace { message, part, n });
                }
            }
            message += 1;
        })?;
        Ok(found)
    }
}

/// A text to find, in small letters, and as it stands in the JSON of a call.
struct Sought {
    plain: String,
    in_json: String,
}

impl Sought {
    fn of(text: &str) -> Self {
        let plain = beginning(text, MOST_SOUGHT).to_lowercase();
        let quoted = Value::String(plain.clone()).to_string();
        Self {
            in_json: quoted[1..quoted.len() - 1].to_owned(),
            plain,
        }
    }

    fn count(&self, piece: &Piece<'_>) -> u64 {
        if piece.kind == "image" || self.plain.is_empty() {
            return 0;
        }
        let body = beginning(&piece.body, MOST_TEXT).to_lowercase();
        let sought = match piece.kind {
            "tool_use" if body.starts_with(['{', '[']) => &self.in_json,
            _ => &self.plain,
        };
        body.matches(sought.as_str()).count() as u64
    }
}

/// Who wrote what, in words.
#[derive(Default)]
pub struct Names {
    pub names: BTreeMap<String, String>,
    /// The device that noticed a split recorded the branch of another session: that other session
    /// shows who wrote the first messages.
    pub before: Before,
    /// Who first wrote the messages that a decision copied, by their print: see [`authors::copied`].
    pub copied: HashMap<String, String>,
}

/// What is known of a session's first messages besides its own journals.
#[derive(Default)]
pub enum Before {
    /// The session is not a branch: the recording device wrote each message.
    #[default]
    Nothing,
    /// The session is a branch, and these devices, by short id, wrote its first messages.
    Written(Vec<Option<String>>),
    /// The session is a branch, and its parent is not here.
    Unknown,
}

impl Names {
    pub(super) fn of(
        &self,
        shown: &Shown<'_, '_>,
        device: Option<&str>,
        number: usize,
    ) -> Option<String> {
        let author = self.author(shown, device, number)?;
        self.names.get(&author).cloned()
    }

    /// The short id of the device that wrote a message, given the device that recorded it.
    pub(super) fn author(
        &self,
        shown: &Shown<'_, '_>,
        device: Option<&str>,
        number: usize,
    ) -> Option<String> {
        let device = match shown {
            Shown::Message(said) if !self.copied.is_empty() => {
                let first = self.copied.get(&authors::print(said));
                first.map(String::as_str).or(device)
            }
            _ => device,
        };
        let author = match &self.before {
            Before::Nothing => device,
            Before::Written(authors) => authors.get(number).map_or(device, Option::as_deref),
            Before::Unknown => None,
        };
        match author {
            // If there is only one device, it is the author of every message.
            None if self.names.len() == 1 => self.names.keys().next().cloned(),
            device => device.map(str::to_owned),
        }
    }
}

/// The latest values of steering records, to tell changes from repetitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Changes {
    /// Who wrote the session's first line.
    first: Option<String>,
    last: BTreeMap<String, String>,
}

impl Changes {
    /// After a history that `first` began and whose last values were `last`.
    pub(super) fn after(first: &str, last: BTreeMap<String, String>) -> Self {
        Self {
            first: Some(first.to_owned()),
            last,
        }
    }

    /// The change by a record of `device`, in words. A setting by the first device at the start is
    /// no change; the first setting by another device is.
    pub(super) fn by(&mut self, device: &str, sets: Vec<Steer>) -> Option<String> {
        let first = self.first.get_or_insert_with(|| device.to_owned());
        let is_first = first == device;
        let mut told = Vec::new();
        for Steer { name, value } in sets {
            let words = format!("{} → {}", name.replace('_', " "), value.trim_matches('"'));
            match self.last.insert(name, value.clone()) {
                Some(before) if before != value => told.push(words),
                None if !is_first => told.push(words),
                _ => {}
            }
        }
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// Completes an answer that does not have its model or tokens itself.
fn complete(message: &mut Message, notes: &Notes, row: u32) {
    if message.role == Role::Assistant {
        let model = message.model.take();
        message.model = model.or_else(|| notes.model(row).map(str::to_owned));
        message.tokens = message.tokens.or_else(|| notes.tokens(row));
    }
}

/// A change, shown among the messages without being one.
fn changed(words: &str, device: Option<String>) -> Message {
    message(&steering(words), device)
}

pub(super) fn steering(words: &str) -> ParsedMessage<'_> {
    ParsedMessage {
        role: Role::Steering,
        at: None,
        id: None,
        pieces: vec![Piece::new("text", words)],
        model: None,
        tokens: None,
    }
}

/// What a line holds.
enum FoundAt {
    Message { range: Range<u32>, is_answer: bool },
    Note(Option<String>, Option<Tokens>),
}

/// The messages and notes in a line, in order.
fn read_at(line: &[u8], reader: MessageReader) -> Vec<FoundAt> {
    let read = |record: records::Record| {
        let range = record.range.start as u32..record.range.end as u32;
        let said = read_in(&record.value, reader)?;
        Some(match said.is_note() {
            true => FoundAt::Note(said.model.map(str::to_owned), said.tokens),
            false => FoundAt::Message {
                range,
                is_answer: said.role == Role::Assistant,
            },
        })
    };
    records::records(line)
        .into_iter()
        .filter_map(read)
        .collect()
}

pub fn message(said: &ParsedMessage<'_>, device: Option<String>) -> Message {
    Message {
        role: said.role,
        text: said.text(),
        at: said.at.map(str::to_owned),
        device,
        model: said.model.map(str::to_owned),
        tokens: said.tokens,
        parts: parts(said),
    }
}

/// The beginnings of a message's parts.
pub fn parts(said: &ParsedMessage<'_>) -> Vec<Part> {
    let most = |piece: &Piece<'_>| if piece.kind == "text" { TEXT } else { FOLDED };
    let pieces = said.pieces.iter();
    pieces.map(|piece| piece.part(most(piece))).collect()
}

/// The whole of a part, up to the size limits.
pub fn body_of(said: &ParsedMessage<'_>, part: u64) -> Option<PartBody> {
    let piece = said.pieces.get(usize::try_from(part).ok()?)?;
    let mut body = PartBody {
        kind: piece.kind.into(),
        bytes: piece.bytes(),
        ..PartBody::default()
    };
    match piece.media {
        Some(media) => {
            let shown = PICTURES.contains(&media) && piece.body.len() <= MOST_IMAGE;
            body.media = Some(media.into());
            body.data = shown.then(|| piece.body.clone().into_owned());
            body.whole = shown;
        }
        None => {
            let text = beginning(&piece.body, MOST_TEXT);
            body.whole = text.len() == piece.body.len();
            body.text = text.into();
        }
    }
    Some(body)
}
