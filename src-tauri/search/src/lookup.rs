//! Words of a question in the index: which terms they are, and in which messages.

use crate::query::Word;
use crate::schema::Fields;
use crate::scores::{Norms, Scores};
use crate::terms::{Form, Typos, beginning_with, fields_of, forms};
use std::collections::BinaryHeap;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{EnableScoring, Query as _, TermQuery, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, Searcher, SegmentReader, TERMINATED, Term};

const FILE_WEIGHT: f32 = 0.7;
/// A word of more messages than [`Limits::common`], and than one in so many, is common.
const COMMON_SHARE: u64 = 25;

/// When the work on a word is cut.
#[derive(Clone, Copy)]
pub struct Limits {
    pub common: u64,
    /// Of a word that decides alone and is in more messages than this, only the best are looked at.
    pub very_common: u64,
    /// So many of each field and segment.
    pub best: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            common: 20_000,
            very_common: 100_000,
            best: 400,
        }
    }
}

/// Where words are looked up.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    pub searcher: &'a Searcher,
    pub fields: &'a Fields,
    pub limits: Limits,
    /// Sessions are chosen by more than the words that they have: the best messages with a word may
    /// all be of others.
    pub is_filtered: bool,
}

/// A word, ready to be looked up.
pub struct Looked {
    pub forms: Vec<Form>,
    pub bit: u32,
    /// So many messages have it that it does not decide which sessions are found.
    pub is_common: bool,
    idf: f32,
    file: bool,
    /// For a word of several parts: its terms in a row, by field.
    rows: Vec<(Field, Vec<Term>)>,
    /// For a word that is very common: the best messages of each field, and how many.
    best: Vec<Box<dyn Weight>>,
    n_best: usize,
}

pub fn look(index: Words<'_>, words: &[Word], typos: Typos) -> tantivy::Result<Vec<Looked>> {
    let words_looked = words.iter().enumerate();
    let mut looked = words_looked
        .map(|(idx, word)| look_up(index, idx, word, typos))
        .collect::<Result<Vec<_>, _>>()?;
    mark_common(index, words, &mut looked)?;
    Ok(looked)
}

/// Looks some words up again with typing errors forgiven.
pub fn look_again(
    index: Words<'_>,
    words: &[Word],
    mut looked: Vec<Looked>,
    which: &[usize],
) -> tantivy::Result<Vec<Looked>> {
    for idx in which {
        looked[*idx] = look_up(index, *idx, &words[*idx], Typos::Forgiven)?;
    }
    mark_common(index, words, &mut looked)?;
    Ok(looked)
}

/// Words that very many messages have are only looked for beside a rarer one; alone, by the
/// messages that have most of it.
fn mark_common(index: Words<'_>, words: &[Word], looked: &mut [Looked]) -> tantivy::Result<()> {
    let (searcher, fields, limits) = (index.searcher, index.fields, index.limits);
    let limit = limits.common.max(searcher.num_docs() / COMMON_SHARE);
    let decides = |idx: usize| !words[idx].not && !words[idx].file;
    let size = |one: &Looked| match one.is_one_term() {
        true => one.docs(),
        false => 0,
    };
    let positive = (0..looked.len()).filter(|idx| decides(*idx));
    let Some(rarest) = positive.min_by_key(|idx| size(&looked[*idx])) else {
        return Ok(());
    };
    for (idx, one) in looked.iter_mut().enumerate() {
        one.is_common = idx != rarest && decides(idx) && limit <= size(one);
    }
    let one = &mut looked[rarest];
    if !index.is_filtered && limits.very_common.max(limit) <= size(one) {
        one.n_best = limits.best;
        one.forms.truncate(1);
        for field in [fields.text, fields.output] {
            let term = Term::from_field_text(field, &one.forms[0].text);
            let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
            one.best
                .push(query.weight(EnableScoring::enabled_from_searcher(searcher))?);
        }
    }
    Ok(())
}

fn look_up(
    Words {
        searcher, fields, ..
    }: Words<'_>,
    idx: usize,
    word: &Word,
    typos: Typos,
) -> tantivy::Result<Looked> {
    let mut looked = Looked {
        forms: Vec::new(),
        bit: 1 << idx,
        is_common: false,
        idf: 0.0,
        file: word.file,
        rows: Vec::new(),
        best: Vec::new(),
        n_best: 0,
    };
    // What is not wanted is the word itself: a session is not left out for a similar one.
    let typos = if word.not { Typos::No } else { typos };
    let all = searcher.num_docs().max(1) as f32;
    let idf = |docs: u64| {
        let docs = (docs as f32).min(all);
        (1.0 + (all - docs + 0.5) / (docs + 0.5)).ln()
    };
    if let [_] = word.parts.as_slice() {
        looked.forms = forms(searcher, fields, word, typos)?;
        looked.idf = idf(looked.docs());
        return Ok(looked);
    }
    let undivided = match word.undivided.as_slice() {
        [one] => Some(one),
        _ => None,
    };
    if let Some(whole) = word.whole.as_ref().or(undivided) {
        let whole = Word {
            parts: vec![whole.clone()],
            whole: None,
            exact: true,
            ..word.clone()
        };
        looked.forms = forms(searcher, fields, &whole, Typos::No)?;
    }
    for row in word.rows().filter(|row| 1 < row.len()) {
        for field in fields_of(fields, word) {
            looked.add_rows(searcher, field, (row, word), idf)?;
        }
    }
    Ok(looked)
}

impl Looked {
    /// Adds the terms of a word in a row; several rows, where the last term is the beginning of others.
    fn add_rows(
        &mut self,
        searcher: &Searcher,
        field: Field,
        (row, word): (&[String], &Word),
        idf: impl Fn(u64) -> f32,
    ) -> tantivy::Result<()> {
        let Some((last, first)) = row.split_last() else {
            return Ok(());
        };
        let term = |text: &String| Term::from_field_text(field, text);
        let first: Vec<Term> = first.iter().map(term).collect();
        let mut rarest = u64::MAX;
        for term in &first {
            rarest = rarest.min(searcher.doc_freq(term)?);
        }
        let lasts = match word.prefix {
            // If another term of the row does not occur, no message has the row.
            true if 0 < rarest => beginning_with(searcher, &[field], last, word.asks_prefix)?,
            _ => vec![(last.clone(), searcher.doc_freq(&term(last))?)],
        };
        // A row is at least as rare as its rarest part.
        let docs = lasts.iter().map(|(_, docs)| docs).sum();
        self.idf = self.idf.max(idf(rarest.min(docs)));
        for (last, _) in &lasts {
            let row = first.iter().cloned().chain([term(last)]).collect();
            self.rows.push((field, row));
        }
        Ok(())
    }

    fn docs(&self) -> u64 {
        self.forms.iter().map(|form| form.docs).sum()
    }

    fn is_one_term(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether only the messages with most of the word are looked at.
    pub fn is_cut(&self) -> bool {
        !self.best.is_empty()
    }

    pub fn is_nowhere(&self) -> bool {
        self.forms.is_empty() && self.is_one_term()
    }

    /// Adds the word to the scores of one segment's messages.
    pub fn score(
        &self,
        segment: &SegmentReader,
        fields: &Fields,
        scores: &mut Scores,
    ) -> tantivy::Result<()> {
        if !self.best.is_empty() {
            return self.score_best(segment, scores);
        }
        let lookups: &[Field] = match self.file {
            true => &[fields.file],
            false => &[fields.text, fields.output, fields.file],
        };
        for field in lookups.iter().filter(|_| !self.forms.is_empty()) {
            let index = segment.inverted_index(*field)?;
            let norms = Norms::of(segment, *field, index.total_num_tokens())?;
            let again = *field == fields.file;
            let of_field = if again { FILE_WEIGHT } else { 1.0 };
            for form in &self.forms {
                let term = Term::from_field_text(*field, &form.text);
                let postings = index.read_postings(&term, IndexRecordOption::WithFreqs)?;
                let Some(mut postings) = postings else {
                    continue;
                };
                let weight = self.idf * form.weight * of_field;
                if self.is_common {
                    scores.add_where_touched(&mut postings, self.bit, |doc, count| {
                        weight * norms.saturated(doc, count)
                    });
                    continue;
                }
                let mut doc = postings.doc();
                while doc != TERMINATED {
                    let score = weight * norms.saturated(doc, postings.term_freq());
                    scores.add(doc, score, self.bit, again);
                    doc = postings.advance();
                }
            }
        }
        for (field, terms) in &self.rows {
            self.score_row(segment, *field, terms, scores)?;
        }
        Ok(())
    }

    /// The messages with most of a very common word.
    fn score_best(&self, segment: &SegmentReader, scores: &mut Scores) -> tantivy::Result<()> {
        let alive = segment.alive_bitset();
        for weight in &self.best {
            // The least of the best is on top.
            let mut best: BinaryHeap<(std::cmp::Reverse<u32>, u32)> = BinaryHeap::new();
            weight.for_each_pruning(f32::MIN, segment, &mut |doc, score| {
                // Scores are positive, and as bits in the same order.
                if alive.is_none_or(|alive| alive.is_alive(doc)) {
                    best.push((std::cmp::Reverse(score.max(0.0).to_bits()), doc));
                }
                if self.n_best < best.len() {
                    best.pop();
                }
                if best.len() < self.n_best {
                    return f32::MIN;
                }
                let least = best.peek().map_or(0, |(score, _)| score.0);
                f32::from_bits(least)
            })?;
            for (score, doc) in best {
                scores.add(doc, f32::from_bits(score.0), self.bit, false);
            }
        }
        Ok(())
    }

    /// Messages with the terms in a row.
    fn score_row(
        &self,
        segment: &SegmentReader,
        field: Field,
        terms: &[Term],
        scores: &mut Scores,
    ) -> tantivy::Result<()> {
        let index = segment.inverted_index(field)?;
        let mut all: Vec<SegmentPostings> = Vec::new();
        for term in terms {
            match index.read_postings(term, IndexRecordOption::WithFreqsAndPositions)? {
                Some(postings) => all.push(postings),
                None => return Ok(()),
            }
        }
        let norms = Norms::of(segment, field, index.total_num_tokens())?;
        let rarest = (0..all.len()).min_by_key(|idx| all[*idx].doc_freq());
        let rarest = rarest.unwrap_or(0);
        let mut places = [Vec::new(), Vec::new(), Vec::new()];
        let mut doc = all[rarest].doc();
        while doc != TERMINATED && 0 < scores.candidates_left {
            let further = all.iter_mut().map(|postings| match postings.doc() < doc {
                true => postings.seek(doc),
                false => postings.doc(),
            });
            let furthest = further.max().unwrap_or(TERMINATED);
            if doc < furthest {
                doc = match furthest {
                    TERMINATED => TERMINATED,
                    _ => all[rarest].seek(furthest),
                };
                continue;
            }
            scores.candidates_left -= 1;
            let count = rows_in(&mut all, &mut places);
            if 0 < count {
                let score = self.idf * norms.saturated(doc, count) * terms.len() as f32 / 2.0;
                scores.add(doc, score, self.bit, false);
            }
            doc = all[rarest].advance();
        }
        Ok(())
    }
}

/// How often the terms are in a row in the message where all of them are. A whole identifier is in
/// the places of all its parts, and the next term is after any of them; so a word that is said twice
/// counts as one, too.
fn rows_in(all: &mut [SegmentPostings], [here, next, reached]: &mut [Vec<u32>; 3]) -> u32 {
    let Some((first, rest)) = all.split_first_mut() else {
        return 0;
    };
    first.positions(here);
    for postings in rest {
        postings.positions(next);
        let is_after = |place: &&u32| {
            let before = place.checked_sub(1);
            before.is_some_and(|before| here.binary_search(&before).is_ok())
        };
        reached.clear();
        reached.extend(next.iter().filter(is_after));
        if reached.is_empty() {
            return 0;
        }
        let mut last = None;
        next.retain(|place| {
            let follows = last.is_some_and(|last: u32| last + 1 == *place);
            let is_kept = follows || reached.binary_search(place).is_ok();
            last = if is_kept { Some(*place) } else { last };
            is_kept
        });
        std::mem::swap(here, next);
    }
    reached.len() as u32
}
