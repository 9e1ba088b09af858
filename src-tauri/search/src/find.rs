//! Answers a question: scores messages word by word, gathers them by session, and takes the best.
//! The cost grows with the number of messages that have a word, not with that of sessions.

use crate::index::{Index, IndexError, text_of};
use crate::query::{Filter, Query, QueryError, Word};
use crate::schema::{TITLE, of_who};
use crate::snippet::Matcher;
use crate::table::Row;
use crate::terms::{Form, Typos, fields_of, forms};
use crate::{Found, Hit, Question, Role, Session, Snippet};
use jiff::Zoned;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tantivy::columnar::{ColumnValues, StrColumn};
use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{EnableScoring, PhrasePrefixQuery, PhraseQuery, Query as _, Weight};
use tantivy::schema::{Field, IndexRecordOption, Value};
use tantivy::{DocAddress, DocSet, Searcher, SegmentReader, TERMINATED, Term};

#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl From<tantivy::TantivyError> for FindError {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::Index(error.into())
    }
}

/// Messages remembered for each session.
const KEPT: usize = 6;
/// How many messages are shown of the first few sessions; of the others, one.
const SNIPPETS: usize = 3;
const WITH_MORE: usize = 6;
/// After this many days, half of the preference for recent work is gone.
const HALF_LIFE_DAYS: f32 = 45.0;
const RECENT: f32 = 0.35;
/// What a further word in the same message adds.
const TOGETHER: f32 = 0.4;
/// A word of more messages than this, and than one in so many, is common.
const COMMON: u64 = 20_000;
const COMMON_SHARE: u64 = 25;
const TITLE_WEIGHT: f32 = 1.5;
const FILE_WEIGHT: f32 = 0.7;

/// A word, ready to be looked up.
struct Looked {
    forms: Vec<Form>,
    /// For a word of several parts.
    weights: Vec<(Field, Box<dyn Weight>)>,
    idf: f32,
    bit: u32,
    file: bool,
    /// So many messages have it that it does not decide which sessions are found.
    is_common: bool,
}

/// The messages of one session that match.
#[derive(Clone, Copy, Default)]
struct Gathered {
    sid: u32,
    covered: u32,
    title: f32,
    best: [(f32, u32, u32, u32); KEPT],
}

impl Gathered {
    fn add(&mut self, score: f32, mask: u32, at: DocAddress) {
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

    fn score(&self, row: &Row, now: i64) -> f32 {
        let [best, second, third, ..] = self.best;
        let score = best.0 + 0.3 * second.0 + 0.1 * third.0 + self.title;
        let days = (now - row.updated).max(0) as f32 / 86_400.0;
        score * (1.0 + RECENT * (-days / HALF_LIFE_DAYS).exp2())
    }
}

/// In the place of a session's number among the gathered: not met yet, and not wanted.
const NEW: u32 = u32::MAX;
const UNFIT: u32 = u32::MAX - 1;

struct Asked<'a> {
    index: &'a Index,
    searcher: Searcher,
    query: Query,
    now: &'a Zoned,
}

impl Index {
    /// Answers a question with at most `limit` sessions. Reads a state of the index as it was after
    /// some commit; what was hidden or removed since is left out.
    pub fn find(&self, question: &Question<'_>) -> Result<Found, FindError> {
        let mut query = Query::parse(question.text, &question.now)?;
        let devices = &mut query.filter.devices;
        for values in [&mut devices.any, &mut devices.none] {
            *values = values
                .iter()
                .flat_map(|value| named(value, question.names))
                .collect();
        }
        let asked = Asked {
            index: self,
            searcher: self.searcher(),
            query,
            now: &question.now,
        };
        // A file that was cut short by others shows only when it is read.
        let answer = catch_unwind(AssertUnwindSafe(|| asked.answer(question.limit)));
        answer.unwrap_or(Err(IndexError::Damaged.into()))
    }
}

impl Asked<'_> {
    fn answer(mut self, limit: usize) -> Result<Found, FindError> {
        let mut notices = std::mem::take(&mut self.query.notices);
        let wanted: u32 = mask_of(&self.query.words, false);
        if wanted == 0 {
            return self.newest(limit, notices);
        }
        let mut looked = self.look(Typos::No)?;
        let missing: Vec<usize> = (0..looked.len())
            .filter(|idx| !self.query.words[*idx].not && looked[*idx].is_nowhere())
            .collect();
        if !missing.is_empty() {
            looked = self.look_again(looked, &missing)?;
        }
        let mut found = self.gather(&looked)?;
        let decisive = |looked: &[Looked]| {
            let common = looked.iter().filter(|one| one.is_common);
            wanted & !common.fold(0, |mask, one| mask | one.bit)
        };
        let mut best = self.ranked(&found, decisive(&looked));
        if best.is_empty() && missing.is_empty() {
            let again = self.look(Typos::Forgiven)?;
            let more = self.gather(&again)?;
            best = self.ranked(&more, decisive(&again));
            if !best.is_empty() {
                (looked, found) = (again, more);
            }
        }
        if best.is_empty() && !found.is_empty() {
            let most = found.iter().map(|one| (one.covered & wanted).count_ones());
            let most = most.max().unwrap_or(0);
            if 0 < most {
                best = self.ranked_with(&found, |covered| (covered & wanted).count_ones() == most);
                notices.push("No session has all of these words; these have most of them.".into());
            }
        }
        self.notice_typos(&looked, &mut notices);
        let matcher = Matcher::new(&self.query.words, looked.iter().map(|one| &one.forms));
        let total = best.len();
        best.truncate(limit);
        let most = |rank: usize| if rank < WITH_MORE { SNIPPETS } else { 1 };
        let hits = best
            .into_iter()
            .enumerate()
            .filter_map(|(rank, (score, one))| {
                self.hit(score, &one, (&matcher, most(rank))).transpose()
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Found {
            hits,
            total,
            notices,
        })
    }

    fn notice_typos(&self, looked: &[Looked], notices: &mut Vec<String>) {
        for (word, looked) in self.query.words.iter().zip(looked) {
            if let ([typed], Some(form)) = (word.parts.as_slice(), looked.forms.first())
                && form.weight <= 0.6
                && !word.prefix
                && !word.not
            {
                notices.push(format!(
                    "Nothing has “{typed}”; this is what has “{}”.",
                    form.text
                ));
            }
        }
    }

    /// Sessions by their descriptions alone, the latest first.
    fn newest(&self, limit: usize, notices: Vec<String>) -> Result<Found, FindError> {
        let filter = &self.query.filter;
        if *filter == Filter::default() {
            return Ok(Found {
                notices,
                ..Found::default()
            });
        }
        let mut sessions: Vec<(i64, u32)> = {
            let table = self.index.table();
            let in_time = |row: &Row| {
                filter.after.is_none_or(|after| after <= row.updated)
                    && filter.before.is_none_or(|before| row.updated < before)
            };
            let fits = |row: &Row| in_time(row) && fits(filter, row) && fits_devices(filter, row);
            let rows = table.rows().filter(|(_, row)| fits(row));
            rows.map(|(sid, row)| (row.updated, sid)).collect()
        };
        sessions.sort_unstable_by(|one, other| other.cmp(one));
        let total = sessions.len();
        let none = Matcher::new(&[], std::iter::empty());
        let hits = sessions.iter().take(limit).filter_map(|(_, sid)| {
            let one = Gathered {
                sid: *sid,
                ..Gathered::default()
            };
            self.hit(0.0, &one, (&none, 0)).transpose()
        });
        Ok(Found {
            hits: hits.collect::<Result<Vec<_>, _>>()?,
            total,
            notices,
        })
    }

    fn look(&self, typos: Typos) -> Result<Vec<Looked>, FindError> {
        let words = self.query.words.iter().enumerate();
        let looked = words.map(|(idx, word)| self.look_up(idx, word, typos));
        let mut looked = looked.collect::<Result<Vec<_>, _>>()?;
        self.mark_common(&mut looked);
        Ok(looked)
    }

    /// Words that very many messages have are only looked for beside a rarer one.
    fn mark_common(&self, looked: &mut [Looked]) {
        let limit = COMMON.max(self.searcher.num_docs() / COMMON_SHARE);
        let is_rare = |idx: usize, one: &Looked| {
            !self.query.words[idx].not && (!one.weights.is_empty() || one.docs() < limit)
        };
        if !looked.iter().enumerate().any(|(idx, one)| is_rare(idx, one)) {
            return;
        }
        for (idx, one) in looked.iter_mut().enumerate() {
            let word = &self.query.words[idx];
            one.is_common = limit <= one.docs() && one.weights.is_empty() && !word.not && !word.file;
        }
    }

    fn look_again(&self, mut looked: Vec<Looked>, which: &[usize]) -> Result<Vec<Looked>, FindError> {
        for idx in which {
            looked[*idx] = self.look_up(*idx, &self.query.words[*idx], Typos::Forgiven)?;
        }
        self.mark_common(&mut looked);
        Ok(looked)
    }

    fn look_up(&self, idx: usize, word: &Word, typos: Typos) -> Result<Looked, FindError> {
        let fields = &self.index.fields;
        let mut looked = Looked {
            forms: Vec::new(),
            weights: Vec::new(),
            idf: 0.0,
            bit: 1 << idx,
            file: word.file,
            is_common: false,
        };
        if let [_] = word.parts.as_slice() {
            looked.forms = forms(&self.searcher, fields, word, typos)?;
        } else {
            if let Some(whole) = &word.whole {
                let whole = Word {
                    parts: vec![whole.clone()],
                    whole: None,
                    exact: true,
                    ..word.clone()
                };
                looked.forms = forms(&self.searcher, fields, &whole, Typos::No)?;
            }
            for field in fields_of(fields, word) {
                looked.weights.push((field, self.phrase(field, word)?));
            }
        }
        let docs = looked.docs();
        let all = self.searcher.num_docs().max(1) as f32;
        let docs = (docs as f32).min(all);
        looked.idf = (1.0 + (all - docs + 0.5) / (docs + 0.5)).ln();
        Ok(looked)
    }

    fn phrase(&self, field: Field, word: &Word) -> tantivy::Result<Box<dyn Weight>> {
        let terms = word.parts.iter();
        let terms: Vec<Term> = terms
            .map(|part| Term::from_field_text(field, part))
            .collect();
        let scoring = EnableScoring::enabled_from_searcher(&self.searcher);
        match word.prefix {
            true => {
                let mut query = PhrasePrefixQuery::new(terms);
                query.set_max_expansions(50);
                query.weight(scoring)
            }
            false => PhraseQuery::new(terms).weight(scoring),
        }
    }

    /// The sessions that fit the filter and have any of the words.
    fn gather(&self, looked: &[Looked]) -> Result<Vec<Gathered>, FindError> {
        let filter = &self.query.filter;
        let unwanted = mask_of(&self.query.words, true);
        let table = self.index.table();
        let mut sessions = Sessions::new(table.next());
        let mut scores = Scores::default();
        let only_messages =
            !filter.roles.is_empty() || !filter.devices.is_empty() || filter.has_times();
        let mut order: Vec<&Looked> = looked.iter().collect();
        order.sort_by_key(|one| one.is_common);
        for (ord, segment) in self.searcher.segment_readers().iter().enumerate() {
            scores.begin(segment.max_doc());
            for one in &order {
                self.score(segment, one, &mut scores)?;
            }
            let columns = Columns::of(segment, filter)?;
            let alive = segment.alive_bitset();
            for doc in scores.touched.drain(..) {
                let Score { score, mask } = std::mem::take(&mut scores.all[doc as usize]);
                if alive.is_some_and(|alive| alive.is_deleted(doc)) {
                    continue;
                }
                let (sid, role) = columns.who(doc);
                let is_title = role == TITLE;
                let fits_message = match is_title {
                    true => !only_messages,
                    false => !only_messages || columns.fits(doc, role, filter),
                };
                if !fits_message {
                    continue;
                }
                let is_wanted = || table.row(sid).is_some_and(|row| fits(filter, row));
                let Some(gathered) = sessions.of(sid, is_wanted) else {
                    continue;
                };
                let together = 1.0 + TOGETHER * (mask.count_ones().max(1) - 1) as f32;
                match is_title {
                    true => {
                        gathered.covered |= mask;
                        gathered.title = score * together * TITLE_WEIGHT;
                    }
                    false => gathered.add(
                        score * together * weight_of(role),
                        mask,
                        DocAddress::new(ord as u32, doc),
                    ),
                }
            }
        }
        let mut found = sessions.found;
        found.retain(|one| one.covered & unwanted == 0);
        Ok(found)
    }

    fn score(
        &self,
        segment: &SegmentReader,
        looked: &Looked,
        scores: &mut Scores,
    ) -> tantivy::Result<()> {
        let fields = &self.index.fields;
        let lookups: &[Field] = match looked.file {
            true => &[fields.file],
            false => &[fields.text, fields.output, fields.file],
        };
        for field in lookups.iter().filter(|_| !looked.forms.is_empty()) {
            let index = segment.inverted_index(*field)?;
            let norms = Norms::of(segment, *field, index.total_num_tokens())?;
            let of_field = if *field == fields.file { FILE_WEIGHT } else { 1.0 };
            for form in &looked.forms {
                let term = Term::from_field_text(*field, &form.text);
                let Some(mut postings) = index.read_postings(&term, IndexRecordOption::WithFreqs)?
                else {
                    continue;
                };
                let (weight, again) = (looked.idf * form.weight * of_field, *field == fields.file);
                if looked.is_common {
                    scores.add_where_touched(&mut postings, looked.bit, |doc, count| {
                        weight * norms.saturated(doc, count)
                    });
                    continue;
                }
                let mut doc = postings.doc();
                while doc != TERMINATED {
                    let score = weight * norms.saturated(doc, postings.term_freq());
                    scores.add(doc, score, looked.bit, again);
                    doc = postings.advance();
                }
            }
        }
        for (_, weight) in &looked.weights {
            let mut scorer = weight.scorer(segment, 1.0)?;
            let mut doc = scorer.doc();
            while doc != TERMINATED {
                scores.add(doc, scorer.score(), looked.bit, false);
                doc = scorer.advance();
            }
        }
        Ok(())
    }

    fn ranked(&self, found: &[Gathered], wanted: u32) -> Vec<(f32, Gathered)> {
        self.ranked_with(found, |covered| covered & wanted == wanted)
    }

    fn ranked_with(
        &self,
        found: &[Gathered],
        is_wanted: impl Fn(u32) -> bool,
    ) -> Vec<(f32, Gathered)> {
        let table = self.index.table();
        let now = self.now.timestamp().as_second();
        let scored = found.iter().filter(|one| is_wanted(one.covered));
        let mut best: Vec<(f32, Gathered)> = scored
            .filter_map(|one| Some((one.score(table.row(one.sid)?, now), *one)))
            .collect();
        let newest = |one: &Gathered| table.row(one.sid).map(|row| row.updated);
        best.sort_by(|(score, one), (other_score, other)| {
            other_score
                .total_cmp(score)
                .then_with(|| newest(other).cmp(&newest(one)))
                .then_with(|| one.sid.cmp(&other.sid))
        });
        best
    }

    /// A session as it is shown; `None` if it was removed meanwhile.
    fn hit(
        &self,
        score: f32,
        gathered: &Gathered,
        (matcher, most): (&Matcher, usize),
    ) -> Result<Option<Hit>, FindError> {
        let Some(row) = self.index.table().row(gathered.sid).cloned() else {
            return Ok(None);
        };
        let (title, title_marks) = matcher.line(&row.title, usize::MAX);
        let mut snippets = Vec::new();
        for at in chosen(gathered, most) {
            snippets.push(self.snippet(at, matcher)?);
        }
        Ok(Some(Hit {
            session: session_of(&row, title),
            title_marks,
            snippets,
            score,
        }))
    }

    fn snippet(&self, at: DocAddress, matcher: &Matcher) -> Result<Snippet, FindError> {
        const WIDTH: usize = 200;
        let fields = &self.index.fields;
        let doc: tantivy::TantivyDocument = self.searcher.doc(at)?;
        let segment = self.searcher.segment_reader(at.segment_ord);
        let columns = Columns::of(segment, &self.query.filter)?;
        let device = segment.fast_fields().str("device")?;
        let (text, marks) = matcher.line(&text_of(&doc, fields.kept), WIDTH);
        let place = doc.get_first(fields.place).and_then(|value| value.as_bytes());
        let number = |idx: usize| {
            let bytes = place.and_then(|place| place.get(idx * 8..idx * 8 + 8));
            bytes
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u64::from_le_bytes)
        };
        let role = columns.who(at.doc_id).1 as usize;
        Ok(Snippet {
            run: number(0),
            number: number(1),
            role: Role::ALL.get(role).copied().unwrap_or(Role::Tool),
            device: crate::table::text_at(&device, at.doc_id),
            at: columns.at(at.doc_id),
            text,
            marks,
        })
    }
}

fn session_of(row: &Row, title: String) -> Session {
    Session {
        key: row.key.to_string(),
        id: row.id.to_string(),
        tool: row.tool.to_string(),
        project: row.project.to_string(),
        title,
        updated: row.updated,
        split: row.split,
        devices: row.devices.lines().map(str::to_owned).collect(),
        note: String::new(),
    }
}

/// The messages to show: first the best one, then those with words that are not shown yet.
fn chosen(gathered: &Gathered, most: usize) -> Vec<DocAddress> {
    let mut left: Vec<_> = gathered.best.iter().filter(|one| 0.0 < one.0).collect();
    let (mut shown, mut found) = (0, Vec::new());
    while found.len() < most && !left.is_empty() {
        let adds = left.iter().position(|one| one.1 & !shown != 0);
        let one = left.remove(adds.unwrap_or(0));
        shown |= one.1;
        found.push(DocAddress::new(one.2, one.3));
    }
    found
}

fn mask_of(words: &[Word], not: bool) -> u32 {
    let numbered = words.iter().enumerate();
    numbered
        .filter(|(_, word)| word.not == not)
        .fold(0, |mask, (idx, _)| mask | 1 << idx)
}

impl Looked {
    fn docs(&self) -> u64 {
        self.forms.iter().map(|form| form.docs).sum()
    }

    fn is_nowhere(&self) -> bool {
        self.forms.is_empty() && self.weights.is_empty()
    }
}

fn weight_of(role: u64) -> f32 {
    match role {
        role if role == Role::User as u64 => 1.6,
        role if role == Role::Assistant as u64 => 1.0,
        _ => 0.55,
    }
}

/// The sessions met so far, found by their numbers.
struct Sessions {
    slots: Vec<u32>,
    found: Vec<Gathered>,
}

impl Sessions {
    fn new(n: u32) -> Self {
        Self {
            slots: vec![NEW; n as usize],
            found: Vec::new(),
        }
    }

    /// What is gathered of a session, if it is wanted; that is asked once.
    fn of(&mut self, sid: u32, is_wanted: impl FnOnce() -> bool) -> Option<&mut Gathered> {
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
#[derive(Default)]
struct Scores {
    all: Vec<Score>,
    touched: Vec<u32>,
}

#[derive(Clone, Copy, Default)]
struct Score {
    score: f32,
    mask: u32,
}

impl Scores {
    fn begin(&mut self, docs: u32) {
        let docs = docs as usize;
        if self.all.len() < docs {
            self.all.resize(docs, Score::default());
        }
    }

    /// A word counts once for a message, by its best form, which comes first; in a file's name it
    /// counts again.
    fn add(&mut self, doc: u32, score: f32, bit: u32, again: bool) {
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
    fn add_where_touched(
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
struct Norms {
    reader: FieldNormReader,
    by_id: [f32; 256],
}

impl Norms {
    fn of(segment: &SegmentReader, field: Field, tokens: u64) -> tantivy::Result<Self> {
        const B: f32 = 0.6;
        let average = (tokens as f32 / segment.max_doc().max(1) as f32).max(1.0);
        let by_id = std::array::from_fn(|id| {
            let length = FieldNormReader::id_to_fieldnorm(id as u8) as f32;
            1.2 * (1.0 - B + B * length / average)
        });
        let reader = segment.get_fieldnorms_reader(field)?;
        Ok(Self { reader, by_id })
    }

    fn saturated(&self, doc: u32, count: u32) -> f32 {
        let (count, norm) = (
            count as f32,
            self.by_id[self.reader.fieldnorm_id(doc) as usize],
        );
        count * 2.2 / (count + norm)
    }
}

struct Columns {
    who: Arc<dyn ColumnValues<u64>>,
    at: tantivy::columnar::Column<i64>,
    /// The numbers of the wanted and the unwanted devices in this segment.
    devices: Option<(StrColumn, Vec<bool>)>,
}

impl Columns {
    fn of(segment: &SegmentReader, filter: &Filter) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        let devices = match filter.devices.is_empty() {
            true => None,
            false => columns.str("device")?,
        };
        let devices = devices.map(|column| {
            let names = (0..column.num_terms() as u64).map(|ord| {
                let mut name = String::new();
                // An unreadable name is no device's.
                let _ = column.ord_to_str(ord, &mut name);
                filter.devices.fits(|value| is_like(&name, value))
            });
            let fits = names.collect();
            (column, fits)
        });
        Ok(Self {
            who: columns.u64("who")?.first_or_default_col(u64::MAX),
            at: columns.i64("at")?,
            devices,
        })
    }

    fn who(&self, doc: u32) -> (u32, u64) {
        of_who(self.who.get_val(doc))
    }

    fn at(&self, doc: u32) -> i64 {
        self.at.first(doc).unwrap_or(0)
    }

    fn fits(&self, doc: u32, role: u64, filter: &Filter) -> bool {
        let is_role = filter.roles.is_empty()
            || filter.roles.iter().any(|wanted| *wanted as u64 == role);
        let is_in_time = !filter.has_times() || {
            let at = self.at(doc);
            filter.after.is_none_or(|after| after <= at)
                && filter.before.is_none_or(|before| at < before && at != 0)
        };
        let is_device = |(column, fits): &(StrColumn, Vec<bool>)| {
            let ord = column.term_ords(doc).next();
            ord.is_some_and(|ord| fits.get(ord as usize).copied().unwrap_or(false))
        };
        is_role && is_in_time && self.devices.as_ref().is_none_or(is_device)
    }
}

impl Filter {
    fn has_times(&self) -> bool {
        self.after.is_some() || self.before.is_some()
    }
}

/// The devices that a value of `device:` means; the value itself if it is no name.
fn named(value: &str, names: &[(String, String)]) -> Vec<String> {
    let meant = names.iter().filter(|(name, _)| is_like(name, value));
    let mut devices: Vec<String> = meant.map(|(_, device)| device.to_lowercase()).collect();
    if devices.is_empty() {
        devices.push(value.to_owned());
    }
    devices
}

/// Whether a session fits, its devices and times aside.
fn fits(filter: &Filter, row: &Row) -> bool {
    filter.tools.fits(|value| is_like(&row.tool, value))
        && filter.projects.fits(|value| is_like(&row.project, value))
        && filter.split.is_none_or(|split| split == row.split)
}

fn fits_devices(filter: &Filter, row: &Row) -> bool {
    let is = |value: &str| row.devices.lines().any(|name| is_like(name, value));
    filter.devices.fits(is)
}

/// Whether a name has a lower-case text in it; spaces and dashes do not matter.
fn is_like(name: &str, wanted: &str) -> bool {
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(|letter| !matches!(letter, ' ' | '-' | '_'));
        letters.flat_map(char::to_lowercase).collect()
    };
    plain(name).contains(&plain(wanted))
}
