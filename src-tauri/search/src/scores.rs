//! Scores of messages, and what is gathered of them by session. Knows no question.

use crate::Role;
use crate::table::Known;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::schema::Field;
use tantivy::{DocAddress, DocSet, SegmentReader, TERMINATED};

/// Messages remembered for each session.
const KEPT: usize = 6;
/// After this many days, half of the preference for recent work is gone.
const HALF_LIFE_DAYS: f32 = 45.0;
const RECENT: f32 = 0.35;
const MOST_CANDIDATES: u32 = 15_000;

/// The messages of one session that match.
#[derive(Clone, Copy, Default)]
pub struct Gathered {
    pub sid: u32,
    pub covered: u32,
    pub title: f32,
    pub best: [(f32, u32, u32, u32); KEPT],
}

impl Gathered {
    pub fn add(&mut self, score: f32, mask: u32, at: DocAddress) {
        self.covered |= mask;
        let last = KEPT - 1;
        if self.best[last].0 < score {
            self.best[last] = (score, mask, at.segment_ord, at.doc_id);
            let mut idx = last;
            while 0 < idx && self.best[idx - 1].0 < self.best[idx].0 {
                self.best.swap(idx - 1, idx);
                idx -= 1;
            }
        }
    }

    pub fn score(&self, row: &Known<'_>, now: i64) -> f32 {
        let [best, second, third, ..] = self.best;
        let score = best.0 + 0.3 * second.0 + 0.1 * third.0 + self.title;
        let days = (now - row.updated).max(0) as f32 / 86_400.0;
        score * (1.0 + RECENT * (-days / HALF_LIFE_DAYS).exp2())
    }
}

/// In the place of a session's number among the gathered: not met yet, and not wanted.
const NEW: u32 = u32::MAX;
const UNFIT: u32 = u32::MAX - 1;

pub fn weight_of(role: u64) -> f32 {
    match role {
        role if role == Role::User as u64 => 1.6,
        role if role == Role::Assistant as u64 => 1.0,
        _ => 0.55,
    }
}

/// The sessions met so far, found by their numbers.
pub struct Sessions {
    slots: Vec<u32>,
    pub found: Vec<Gathered>,
}

impl Sessions {
    pub fn new(n: u32) -> Self {
        Self {
            slots: vec![NEW; n as usize],
            found: Vec::new(),
        }
    }

    /// What is gathered of a session, if it is wanted; that is asked once.
    pub fn of(&mut self, sid: u32, is_wanted: impl FnOnce() -> bool) -> Option<&mut Gathered> {
        let slot = self.slots.get_mut(sid as usize)?;
        if *slot == NEW {
            *slot = match is_wanted() {
                false => UNFIT,
                true => {
                    self.found.push(Gathered {
                        sid,
                        ..Gathered::default()
                    });
                    self.found.len() as u32 - 1
                }
            };
        }
        self.found.get_mut(*slot as usize)
    }
}

/// The scores of one segment's messages so far.
pub struct Scores {
    pub all: Vec<Score>,
    pub touched: Vec<u32>,
    /// How many more messages may be looked at for words in a row.
    pub candidates_left: u32,
}

impl Default for Scores {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            touched: Vec::new(),
            candidates_left: MOST_CANDIDATES,
        }
    }
}

#[derive(Clone, Copy, Default)]
pub struct Score {
    pub score: f32,
    pub mask: u32,
}

impl Scores {
    pub fn begin(&mut self, docs: u32) {
        let docs = docs as usize;
        if self.all.len() < docs {
            self.all.resize(docs, Score::default());
        }
    }

    /// A word counts once for a message, by its best form, which comes first; in a file's name it
    /// counts again.
    pub fn add(&mut self, doc: u32, score: f32, bit: u32, again: bool) {
        let one = &mut self.all[doc as usize];
        if one.mask == 0 {
            self.touched.push(doc);
        }
        if one.mask & bit == 0 || again {
            one.mask |= bit;
            one.score += score;
        }
    }

    /// Adds a word to messages that have another one.
    pub fn add_where_touched(
        &mut self,
        postings: &mut SegmentPostings,
        bit: u32,
        score: impl Fn(u32, u32) -> f32,
    ) {
        if !self.touched.is_sorted() {
            self.touched.sort_unstable();
        }
        let mut at = postings.doc();
        for doc in &self.touched {
            if at < *doc {
                at = postings.seek(*doc);
            }
            if at == TERMINATED {
                return;
            }
            let one = &mut self.all[*doc as usize];
            if at == *doc && one.mask & bit == 0 {
                one.mask |= bit;
                one.score += score(*doc, postings.term_freq());
            }
        }
    }
}

/// How much a word's number in a message counts, by the message's length (BM25).
pub struct Norms {
    reader: FieldNormReader,
    by_id: [f32; 256],
}

impl Norms {
    pub fn of(segment: &SegmentReader, field: Field, tokens: u64) -> tantivy::Result<Self> {
        const B: f32 = 0.6;
        let average = (tokens as f32 / segment.max_doc().max(1) as f32).max(1.0);
        let by_id = std::array::from_fn(|id| {
            let length = FieldNormReader::id_to_fieldnorm(id as u8) as f32;
            1.2 * (1.0 - B + B * length / average)
        });
        let reader = segment.get_fieldnorms_reader(field)?;
        Ok(Self { reader, by_id })
    }

    pub fn saturated(&self, doc: u32, count: u32) -> f32 {
        let (count, norm) = (
            count as f32,
            self.by_id[self.reader.fieldnorm_id(doc) as usize],
        );
        count * 2.2 / (count + norm)
    }
}
