//! All messages of a session in order, each with the native record it was read from and with what
//! vouches for that record.

use super::{Changes, Reading, Shown, authors};
use crate::api::answer::unreadable;
use crate::api::types::ApiError;
use crate::merge::transcript::said_in;
use crate::open;
use crate::session::chain::lines_of;
use crate::session::{Edge, records};
use crate::tools::Records;
use crate::vault::Seal;
use crate::vault::journal_reader::Run;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// How much of a record stored in pieces is read for display.
const SHOWN: usize = 256 << 10;

/// A message, or the change by a steering record.
pub struct Walked<'w, 'a> {
    pub shown: Shown<'a, 'w>,
    /// The message's number, not counting steering records.
    pub number: usize,
    /// The short id of the recording device, if it is known.
    pub device: Option<&'w str>,
    /// The record's number in its doc, from 0.
    pub record: u64,
    pub source: Source<'w>,
    /// The edge whose journal holds the record, and the frame's seal.
    pub sealed: Option<(&'w Edge, &'w Seal)>,
}

/// A native record, for its hash.
#[derive(Clone, Copy)]
pub enum Source<'w> {
    Bytes(&'w [u8]),
    Value(&'w Value),
    /// Of a record that is not held in memory.
    Hash(&'w str),
}

impl Source<'_> {
    pub fn hash(&self) -> String {
        match self {
            Self::Bytes(bytes) => open::hash_of_bytes(bytes),
            Self::Value(value) => open::hash_of_value(&records::unmarked((*value).clone())),
            Self::Hash(hash) => (*hash).to_owned(),
        }
    }
}

type Each<'e> = dyn FnMut(&Walked<'_, '_>) -> Result<(), ApiError> + 'e;

impl Reading<'_> {
    /// Calls `each` with every message and every change, in order.
    pub fn walk(
        &self,
        mut each: impl FnMut(&Walked<'_, '_>) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        match self.records() {
            Some(records) => self.walk_document(records, &mut each),
            None => self.walk_log(&mut each),
        }
    }

    fn walk_document(&self, records: Records, each: &mut Each<'_>) -> Result<(), ApiError> {
        let authors = authors::edges_of_generations(self, records)?;
        let journal_reader =
            self.context
                .journal_reader(&self.key.tool, &self.record.journals, self.doc);
        let bytes = journal_reader
            .content(self.state.kind, &self.path)
            .map_err(|error| unreadable(&error))?;
        let mut seals: BTreeMap<usize, Option<Seal>> = BTreeMap::new();
        let mut number = 0;
        for (record, value) in records(&bytes).iter().enumerate() {
            let Some(said) = said_in(value, self.reader()) else {
                continue;
            };
            let at = authors.get(number).copied().flatten();
            if let Some(at) = at.filter(|at| !seals.contains_key(at)) {
                let seal = journal_reader.last_seal(self.state.kind, self.path[at]);
                seals.insert(at, seal.map_err(|error| unreadable(&error))?);
            }
            let sealed = at.and_then(|at| Some((self.path[at], seals.get(&at)?.as_ref()?)));
            each(&Walked {
                shown: Shown::Message(&said),
                number,
                device: at.map(|at| self.path[at].source.device.as_str()),
                record: record as u64,
                source: Source::Value(value),
                sealed,
            })?;
            number += 1;
        }
        Ok(())
    }

    fn walk_log(&self, each: &mut Each<'_>) -> Result<(), ApiError> {
        let mut log = Log {
            reading: self,
            changes: Changes::default(),
            number: 0,
            line: 0,
            long: None,
            each,
        };
        let journal_reader =
            self.context
                .journal_reader(&self.key.tool, &self.record.journals, self.doc);
        for edge in &self.path {
            // What `each` answers goes beside the reader's own errors.
            let mut ended = Ok(());
            let read = journal_reader.sealed_runs(edge, |run, seal| {
                if ended.is_ok() {
                    ended = log.run(edge, run, seal);
                }
                Ok(())
            });
            ended?;
            read.map_err(|error| unreadable(&error))?;
        }
        Ok(())
    }
}

/// A log, as far as it has been walked.
struct Log<'l, 'r> {
    reading: &'l Reading<'r>,
    changes: Changes,
    number: usize,
    line: u64,
    /// A record in pieces: its beginning, and the hash so far.
    long: Option<(Vec<u8>, Sha256)>,
    each: &'l mut Each<'l>,
}

impl Log<'_, '_> {
    fn run(&mut self, edge: &Edge, run: Run, seal: &Seal) -> Result<(), ApiError> {
        let piece = match run {
            Run::Lines(_, bytes) => {
                return lines_of(&bytes).try_for_each(|line| self.line(edge, line, None, seal));
            }
            Run::Piece(_, piece) => piece,
        };
        if piece.n == 0 {
            let mut beginning = piece.bytes[..SHOWN.min(piece.bytes.len())].to_vec();
            beginning.push(b'\n');
            self.long = Some((beginning, Sha256::new()));
        }
        let is_last = piece.n + 1 == piece.of;
        let mut bytes = piece.bytes.as_slice();
        if is_last {
            bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        }
        if let Some((_, hasher)) = &mut self.long {
            hasher.update(bytes);
        }
        match self.long.take() {
            Some((beginning, hasher)) if is_last => {
                let hash = open::named(&hasher.finalize());
                self.line(edge, &beginning, Some(&hash), seal)
            }
            long => {
                self.long = long;
                Ok(())
            }
        }
    }

    fn line(
        &mut self,
        edge: &Edge,
        line: &[u8],
        hash: Option<&str>,
        seal: &Seal,
    ) -> Result<(), ApiError> {
        let device = edge.source.device.as_str();
        let (reading, record) = (self.reading, self.line);
        self.line += 1;
        let sets = reading.context.sets(&reading.key.tool)(reading.doc, line);
        let sealed = Some((edge, seal));
        if let Some(words) = self.changes.by(device, sets) {
            (self.each)(&Walked {
                shown: Shown::Changed(&words),
                number: self.number,
                device: Some(device),
                record,
                source: hash.map_or(Source::Bytes(line.trim_ascii()), Source::Hash),
                sealed,
            })?;
        }
        for found in records::records(line) {
            if let Some(said) = said_in(&found.value, reading.reader()) {
                let bytes = &line[found.range.clone()];
                (self.each)(&Walked {
                    shown: Shown::Message(&said),
                    number: self.number,
                    device: Some(device),
                    record,
                    source: hash.map_or(Source::Bytes(bytes), Source::Hash),
                    sealed,
                })?;
                self.number += 1;
            }
        }
        Ok(())
    }
}
