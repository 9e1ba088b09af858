//! Where each message of a transcript lies in the journals, kept between two pages of it.

use crate::merge::transcript::Tokens;
use crate::session::{ChainId, DocName, SessionKey};
use crate::vault::journal_reader;
use std::collections::BTreeMap;

/// The messages on the path to a tip.
pub struct Index {
    pub(crate) key: SessionKey,
    pub(crate) doc: DocName,
    pub(crate) tip: ChainId,
    pub(crate) places: Vec<Place>,
    pub(crate) messages: Vec<At>,
    /// The changes by steering records, in words; `messages` refers to them by number.
    pub(crate) changes: Vec<String>,
    /// The author of each message, if places do not show it.
    pub(crate) authors: Vec<Option<String>>,
    /// What records beside the messages say about them.
    pub(crate) notes: Notes,
}

/// Models and tokens that a tool writes into records of their own, by row.
#[derive(Default)]
pub(crate) struct Notes {
    /// The model from a row on, in order.
    models: Vec<(u32, String)>,
    tokens: BTreeMap<u32, Tokens>,
    /// The last row that is an answer.
    answer: Option<u32>,
}

impl Notes {
    /// Row `row` is an answer of the model.
    pub(crate) fn answered(&mut self, row: u32) {
        self.answer = Some(row);
    }

    /// A note before row `row`.
    pub(crate) fn add(&mut self, row: u32, model: Option<String>, tokens: Option<Tokens>) {
        if let Some(model) = model
            && self.models.last().is_none_or(|(_, last)| *last != model)
        {
            self.models.push((row, model));
        }
        self.tokens.extend(self.answer.zip(tokens));
    }

    /// The model that wrote the answer in a row, by the last note before it.
    pub(crate) fn model(&self, row: u32) -> Option<&str> {
        let known = self.models.partition_point(|(from, _)| *from <= row);
        let (_, model) = self.models.get(known.checked_sub(1)?)?;
        Some(model)
    }

    /// The tokens of the answer in a row, by the last note about it.
    pub(crate) fn tokens(&self, row: u32) -> Option<Tokens> {
        self.tokens.get(&row).copied()
    }
}

/// Lines that follow each other in a journal.
pub(crate) struct Place {
    pub(crate) piece: journal_reader::Place,
    /// The short id of the device that recorded the lines.
    pub(crate) device: String,
}

/// Where one message is.
#[derive(Clone, Copy)]
pub(crate) struct At {
    pub(crate) place: u32,
    pub(crate) from: u32,
    pub(crate) len: u32,
    /// Set for a steering record with a new setting, which is shown instead of a message.
    pub(crate) change: Option<u32>,
}

impl Index {
    pub fn total(&self) -> u64 {
        self.messages.len() as u64
    }

    /// The number of messages up to and including a row; `None` if there is no such row.
    pub(crate) fn messages_until(&self, row: usize) -> Option<usize> {
        let rows = self.messages.get(..=row)?;
        Some(rows.iter().filter(|at| at.change.is_none()).count())
    }

    /// The author of each message, by short id; steering records are left out.
    pub fn authors(&self) -> Vec<Option<String>> {
        let place = |at: &At| {
            self.places
                .get(at.place as usize)
                .map(|place| place.device.clone())
        };
        match self.authors.is_empty() {
            true => self
                .messages
                .iter()
                .filter(|at| at.change.is_none())
                .map(place)
                .collect(),
            false => self.authors.clone(),
        }
    }
}
