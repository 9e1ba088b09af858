//! A session as it is read: which of its lines are messages and where they lie in the journals. Bodies stay there; a
//! page of them is read when it is asked for, and the last two sessions that were read are remembered.

use super::context::Context;
use super::export::unreadable;
use super::record::{DocState, SessionRecord};
use crate::api::types::{ApiError, Message, PartBody};
use crate::merge::transcript::{Piece, Reader, Said, beginning, messages};
use crate::parallel;
use crate::session::chain::lines_of;
use crate::session::{ChainId, DocName, Edge, SessionKey};
use crate::tools::Records;
use crate::vault::journal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So much of a part comes with its page; the rest when it is asked for.
const TEXT: usize = 8 << 10;
const FOLDED: usize = 2 << 10;
/// No part is handed out beyond these, whatever a transcript holds.
const MOST_TEXT: usize = 4 << 20;
const MOST_IMAGE: usize = 16 << 20;
const REMEMBERED: usize = 2;
/// Pictures that a window can show without running anything in them.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

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

/// The messages on the way to a tip.
pub struct Index {
    key: SessionKey,
    doc: DocName,
    tip: ChainId,
    places: Vec<Place>,
    messages: Vec<At>,
}

/// Lines that follow each other in a journal.
struct Place {
    piece: journal::Piece,
    /// The short id of whoever recorded them.
    device: String,
}

/// Where one message is.
#[derive(Clone, Copy)]
struct At {
    place: u32,
    from: u32,
    len: u32,
}

impl Index {
    pub fn total(&self) -> u64 {
        self.messages.len() as u64
    }
}

impl Reading<'_> {
    fn reader(&self) -> Reader {
        self.context.said(&self.key.tool)
    }

    /// What is known already, or what is found by reading all of it once. Who reads on wants what he began with, even
    /// if the session grew meanwhile: `first` says that he begins.
    pub fn index(&self, first: bool) -> Result<Arc<Index>, ApiError> {
        let mut known = self.context.transcripts();
        let is_it =
            |index: &Arc<Index>| index.key == *self.key && index.doc == *self.doc && (index.tip == self.tip || !first);
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
        let (reader, shelf) = (self.reader(), self.context.shelf(&self.key.tool, &self.record.journals, self.doc));
        let mut index = Index {
            key: self.key.clone(),
            doc: self.doc.clone(),
            tip: self.tip,
            places: Vec::new(),
            messages: Vec::new(),
        };
        if let Some(records) = self.records() {
            let mut number = 0;
            self.of_all(records, |_| {
                index.messages.push(At { place: 0, from: number, len: 0 });
                number += 1;
            })?;
            return Ok(index);
        }
        for edge in &self.path {
            let read = shelf.pieces(edge, |piece, bytes| {
                let place = index.places.len() as u32;
                let lines: Vec<&[u8]> = lines_of(bytes).collect();
                let says = |line: &&[u8]| parsed(line).as_ref().and_then(reader).is_some();
                let mut from = 0;
                for (line, says) in lines.iter().zip(parallel::map(&lines, |line| line.len(), says)) {
                    let len = line.len() as u32;
                    if says {
                        index.messages.push(At { place, from, len });
                    }
                    from += len;
                }
                index.places.push(Place { piece, device: edge.source.device.clone() });
                Ok(())
            });
            read.map_err(|error| unreadable(&error))?;
        }
        Ok(index)
    }

    fn records(&self) -> Option<Records> {
        self.context.records(&self.key.tool, self.state.kind)
    }

    fn of_all(&self, records: Records, mut each: impl FnMut(&Said<'_>)) -> Result<(), ApiError> {
        let shelf = self.context.shelf(&self.key.tool, &self.record.journals, self.doc);
        let bytes = shelf.content(self.state.kind, &self.path).map_err(|error| unreadable(&error))?;
        records(&bytes).iter().filter_map(self.reader()).for_each(|said| each(&said));
        Ok(())
    }

    /// Messages `from` to `from + n`, each handed to `each` with the short id of the device that recorded it.
    pub fn each(
        &self,
        index: &Index,
        from: u64,
        n: u64,
        mut each: impl FnMut(&Said<'_>, Option<&str>),
    ) -> Result<(), ApiError> {
        let (from, n) = (usize::try_from(from).unwrap_or(usize::MAX), usize::try_from(n).unwrap_or(usize::MAX));
        if let Some(records) = self.records() {
            let mut at = 0;
            return self.of_all(records, |said| {
                if from <= at && at - from < n {
                    each(said, None);
                }
                at += 1;
            });
        }
        let shelf = self.context.shelf(&self.key.tool, &self.record.journals, self.doc);
        let mut last: Option<(u32, Vec<u8>)> = None;
        for at in index.messages.iter().skip(from).take(n) {
            let place = &index.places[at.place as usize];
            if last.as_ref().is_none_or(|(number, _)| *number != at.place) {
                last = Some((at.place, shelf.piece(&place.piece).map_err(|error| unreadable(&error))?));
            }
            let bytes = last.as_ref().map_or(&[][..], |(_, bytes)| bytes);
            let line = bytes.get(at.from as usize..(at.from + at.len) as usize).and_then(parsed);
            if let Some(said) = line.as_ref().and_then(self.reader()) {
                each(&said, Some(&place.device));
            }
        }
        Ok(())
    }

    /// A page of them, long bodies cut.
    pub fn page(&self, index: &Index, from: u64, n: u64, names: &Names) -> Result<Vec<Message>, ApiError> {
        let mut found = Vec::new();
        self.each(index, from, n, |said, device| {
            let mut message = message(said, names.of(device));
            message.text.truncate(beginning(&message.text, TEXT).len());
            found.push(message);
        })?;
        Ok(found)
    }

    /// All of them, whole.
    pub fn all(&self, names: &Names) -> Result<Vec<Message>, ApiError> {
        let mut found = Vec::new();
        if let Some(records) = self.records() {
            self.of_all(records, |said| found.push(message(said, names.of(None))))?;
            return Ok(found);
        }
        let (reader, shelf) = (self.reader(), self.context.shelf(&self.key.tool, &self.record.journals, self.doc));
        for edge in &self.path {
            let read = shelf.pieces(edge, |_, bytes| {
                messages(bytes, reader, |said| found.push(message(said, names.of(Some(&edge.source.device)))));
                Ok(())
            });
            read.map_err(|error| unreadable(&error))?;
        }
        Ok(found)
    }

    /// One part of one message, whole.
    pub fn part(&self, index: &Index, message: u64, part: u64) -> Result<PartBody, ApiError> {
        let mut found = None;
        self.each(index, message, 1, |said, _| found = body_of(said, part))?;
        found.ok_or_else(|| no_part(message, part))
    }
}

/// Who wrote what, in words.
#[derive(Default)]
pub struct Names {
    pub names: BTreeMap<String, String>,
    /// A branch of another session was recorded by whoever noticed the split: that says nothing about its author.
    pub told: bool,
}

impl Names {
    fn of(&self, device: Option<&str>) -> Option<String> {
        match device.filter(|_| self.told) {
            // Where one device is the only one, it is the author of every message.
            None if self.names.len() == 1 => self.names.values().next().cloned(),
            device => self.names.get(device?).cloned(),
        }
    }
}

fn parsed(line: &[u8]) -> Option<Value> {
    serde_json::from_slice(line).ok()
}

pub fn message(said: &Said<'_>, device: Option<String>) -> Message {
    let most = |piece: &Piece<'_>| if piece.kind == "text" { TEXT } else { FOLDED };
    Message {
        role: said.role.into(),
        text: said.text(),
        at: said.at.map(str::to_owned),
        device,
        parts: said.pieces.iter().map(|piece| piece.part(most(piece))).collect(),
    }
}

/// The whole of a part, as far as it is handed out at all.
pub fn body_of(said: &Said<'_>, part: u64) -> Option<PartBody> {
    let piece = said.pieces.get(usize::try_from(part).ok()?)?;
    let mut body = PartBody { kind: piece.kind.into(), bytes: piece.bytes(), ..PartBody::default() };
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

pub fn no_part(message: u64, part: u64) -> ApiError {
    let text = format!("There is no part {part} in message {message}.");
    ApiError::new("no_part", text, "Messages and their parts count from 0.")
}
