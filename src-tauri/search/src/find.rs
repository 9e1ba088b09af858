//! Answers a question: scores messages word by word, gathers them by session, and takes the best.
//! The cost grows with the number of messages that have a word, not with that of sessions.

use crate::columns::{Columns, fits, fits_devices, named, text_at, unknown};
use crate::index::{Index, IndexError, text_of};
use crate::lookup::{Looked, Words, look, look_again};
use crate::query::{Filter, Query, QueryError, Word};
use crate::schema::TITLE;
use crate::scores::{Gathered, Score, Scores, Sessions, weight_of};
use crate::snippet::Matcher;
use crate::table::Known;
use crate::terms::Typos;
use crate::{Found, Hit, Question, Role, Session, Snippet};
use jiff::Zoned;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tantivy::schema::Value;
use tantivy::{DocAddress, Searcher};

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

/// How many messages are shown of the first few sessions; of the others, one.
const SNIPPETS: usize = 3;
const WITH_MORE: usize = 6;
/// What a further word in the same message adds.
const TOGETHER: f32 = 0.4;
const TITLE_WEIGHT: f32 = 1.5;

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
        let as_typed = query.filter.clone();
        let devices = &mut query.filter.devices;
        for values in [&mut devices.any, &mut devices.none] {
            *values = values
                .iter()
                .flat_map(|value| named(value, question.names))
                .collect();
        }
        query.filter.only = question.only.map(<[String]>::to_vec);
        let ask = || {
            let asked = Asked {
                index: self,
                searcher: self.searcher()?,
                query,
                now: &question.now,
            };
            asked.answer(question.limit)
        };
        // A file that was cut short by others shows only when it is read.
        let answer = catch_unwind(AssertUnwindSafe(ask));
        let mut found = answer.unwrap_or(Err(IndexError::Damaged.into()))?;
        if found.total == 0 && question.only.is_none() {
            let unknown = unknown(&as_typed, question.names, &self.table());
            found.notices.extend(unknown);
        }
        Ok(found)
    }
}

impl Asked<'_> {
    fn answer(mut self, limit: usize) -> Result<Found, FindError> {
        let mut notices = std::mem::take(&mut self.query.notices);
        let wanted: u32 = mask_of(&self.query.words, false);
        if wanted == 0 {
            return self.newest(limit, notices);
        }
        let mut looked = look(self.words(), &self.query.words, Typos::No)?;
        let missing: Vec<usize> = (0..looked.len())
            .filter(|idx| !self.query.words[*idx].not && looked[*idx].is_nowhere())
            .collect();
        if !missing.is_empty() {
            looked = look_again(self.words(), &self.query.words, looked, &missing)?;
        }
        let (mut found, scores_were_cut) = self.gather(&looked)?;
        let decisive = |looked: &[Looked]| {
            let common = looked.iter().filter(|one| one.is_common);
            wanted & !common.fold(0, |mask, one| mask | one.bit)
        };
        let mut best = self.ranked(&found, decisive(&looked));
        if best.is_empty() && missing.is_empty() {
            let again = look(self.words(), &self.query.words, Typos::Forgiven)?;
            let (more, _) = self.gather(&again)?;
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
        if scores_were_cut {
            let notice = "The words in a row are very common; not all messages were looked at.";
            notices.push(notice.into());
        }
        self.notice_cut(&looked, &mut notices);
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

    fn words(&self) -> Words<'_> {
        let is_filtered =
            self.query.filter != Filter::default() || self.query.words.iter().any(|word| word.not);
        Words {
            searcher: &self.searcher,
            fields: &self.index.fields,
            limits: self.index.limits,
            is_filtered,
        }
    }

    fn notice_cut(&self, looked: &[Looked], notices: &mut Vec<String>) {
        let cut = looked.iter().filter(|one| one.is_cut());
        let texts = cut
            .filter_map(|one| one.forms.first())
            .map(|form| &form.text);
        notices.extend(texts.map(|text| {
            format!("Very many messages have “{text}”; only those with most of it were looked at.")
        }));
    }

    fn notice_typos(&self, looked: &[Looked], notices: &mut Vec<String>) {
        // A similar word may come from a device that the question may not read.
        let are_told = self.query.filter.only.is_none();
        for (word, looked) in self.query.words.iter().zip(looked).filter(|_| are_told) {
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

    /// Sessions by their descriptions, without those that have unwanted words, the latest first.
    fn newest(&self, limit: usize, notices: Vec<String>) -> Result<Found, FindError> {
        let filter = &self.query.filter;
        if *filter == Filter::default() && self.query.words.is_empty() {
            return Ok(Found {
                notices,
                ..Found::default()
            });
        }
        let unwanted = self.unwanted()?;
        let mut sessions: Vec<(i64, u32)> = {
            let table = self.index.table();
            let in_time = |row: &Known<'_>| {
                filter.after.is_none_or(|after| after <= row.updated)
                    && filter.before.is_none_or(|before| row.updated < before)
            };
            let fits =
                |row: &Known<'_>| in_time(row) && fits(filter, row) && fits_devices(filter, row);
            let rows = { table.rows() }.filter(|(sid, row)| !unwanted.contains(sid) && fits(row));
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

    /// The sessions that have words of a question of unwanted words alone.
    fn unwanted(&self) -> Result<HashSet<u32>, FindError> {
        if self.query.words.is_empty() {
            return Ok(HashSet::new());
        }
        let looked = look(self.words(), &self.query.words, Typos::No)?;
        let (found, _) = self.met(&looked)?;
        let found = found.iter().filter(|one| one.covered != 0);
        Ok(found.map(|one| one.sid).collect())
    }

    /// The sessions that fit the filter, have any of the words and none of the unwanted ones, and
    /// whether the work was cut.
    fn gather(&self, looked: &[Looked]) -> Result<(Vec<Gathered>, bool), FindError> {
        let unwanted = mask_of(&self.query.words, true);
        let (mut found, was_cut) = self.met(looked)?;
        found.retain(|one| one.covered & unwanted == 0);
        Ok((found, was_cut))
    }

    /// The sessions that fit the filter and have any of the words, wanted or not. Which messages are
    /// wanted does not matter for unwanted words: all of a session's count.
    fn met(&self, looked: &[Looked]) -> Result<(Vec<Gathered>, bool), FindError> {
        let filter = &self.query.filter;
        let unwanted = mask_of(&self.query.words, true);
        let table = self.index.table();
        let mut sessions = Sessions::new(table.next());
        let mut scores = Scores::default();
        let only_messages = filter.has_roles() || filter.has_devices() || filter.has_times();
        let mut order: Vec<&Looked> = looked.iter().collect();
        order.sort_by_key(|one| one.is_common);
        for (ord, segment) in self.searcher.segment_readers().iter().enumerate() {
            scores.begin(segment.max_doc());
            for one in &order {
                one.score(segment, &self.index.fields, &mut scores)?;
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
                let is_wanted = || table.row(sid).is_some_and(|row| fits(filter, &row));
                let Some(gathered) = sessions.of(sid, is_wanted) else {
                    continue;
                };
                if filter.only.is_some() && (is_title || !columns.is_allowed(doc)) {
                    continue;
                }
                if only_messages && (is_title || !columns.fits(doc, role, filter)) {
                    gathered.covered |= mask & unwanted;
                    continue;
                }
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
        Ok((sessions.found, scores.candidates_left == 0))
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
            .filter_map(|one| Some((one.score(&table.row(one.sid)?, now), *one)))
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
        let (session, title_marks) = {
            let table = self.index.table();
            let Some(known) = table.row(gathered.sid) else {
                return Ok(None);
            };
            let (title, marks) = matcher.line(known.title, usize::MAX);
            (session_of(&known, title), marks)
        };
        let mut snippets = Vec::new();
        for at in chosen(gathered, most) {
            snippets.push(self.snippet(at, matcher)?);
        }
        Ok(Some(Hit {
            session,
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
        let place = doc
            .get_first(fields.place)
            .and_then(|value| value.as_bytes());
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
            device: text_at(&device, at.doc_id),
            at: columns.time_of(at.doc_id),
            text,
            marks,
        })
    }
}

fn session_of(row: &Known<'_>, title: String) -> Session {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;
    use crate::lookup::Limits;

    /// Sessions of one message each, with the project, the text and the role.
    fn index(dir: &std::path::Path, sessions: &[(&str, &str, Role)]) -> Index {
        let (mut index, _) = Index::open(dir, "one").expect("opens");
        let mut batch = index.batch().expect("a batch");
        for (number, (project, text, role)) in sessions.iter().enumerate() {
            let session = Session {
                key: format!("k{number:02}"),
                project: (*project).into(),
                ..Session::default()
            };
            batch.set_session(&session).expect("added");
            let message = Message {
                text,
                role: Some(*role),
                ..Message::default()
            };
            batch.add(&session.key, &message).expect("added");
        }
        batch.commit().expect("committed");
        index.limits = Limits {
            common: 2,
            very_common: 5,
            best: 3,
        };
        index
    }

    fn found(index: &Index, text: &str) -> Found {
        let question = Question {
            text,
            limit: 20,
            now: "2026-11-29T12:00:00Z[UTC]".parse().expect("a time"),
            names: &[],
            only: None,
        };
        index.find(&question).expect("understood")
    }

    #[test]
    fn beside_a_filter_every_message_with_a_very_common_word_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut sessions = vec![("shop", "error", Role::Assistant); 20];
        // Longer than the others, so none of the best.
        sessions[7] = ("small", "an error among many other words of it", Role::User);
        let index = index(dir.path(), &sessions);
        for (words, total) in [
            ("error project:small", 1),
            ("error role:user", 1),
            ("error -role:assistant", 1),
            ("error -project:shop", 1),
            ("error -words", 19),
            ("error project:shop", 19),
        ] {
            let found = found(&index, words);
            assert_eq!((found.total, found.notices.len()), (total, 0), "{words}");
        }
        let found = found(&index, "error ");
        assert_eq!(found.total, 3);
        assert!(found.notices[0].contains("Very many messages have “error”"));
    }

    #[test]
    fn removed_messages_are_none_of_the_best_with_a_very_common_word() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut index = index(dir.path(), &[("shop", "error", Role::User); 20]);
        index.limits.best = 15;
        let mut batch = index.batch().expect("a batch");
        for number in 0..10 {
            batch.remove_messages(&format!("k{number:02}"));
        }
        batch.commit().expect("committed");
        assert_eq!(found(&index, "error ").total, 10);
    }
}
