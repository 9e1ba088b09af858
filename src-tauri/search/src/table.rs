//! What filters ask of sessions, in memory: some hundred bytes each. Hiding a session takes effect at
//! once, before its messages are out of the index.

use crate::Session;
use crate::schema::{DESCRIPTIONS, Fields, LONGEST_NAME, beginning, of_who};
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::error::DataCorruption;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Searcher, SegmentReader, TERMINATED, TantivyError, Term};

#[derive(Default)]
pub struct Table {
    /// By session number. A number without a session has a row without texts.
    rows: Vec<Row>,
    /// The numbers of all sessions, also of hidden ones, in the order of their keys.
    by_key: Vec<u32>,
    texts: Texts,
    words: Words,
}

/// A session; texts are elsewhere, since many small ones cost twice their bytes.
#[derive(Clone, Copy, Default)]
struct Row {
    updated: i64,
    /// Where [`KEY`], [`ID`] and [`TITLE`] begin in the texts.
    at: [u32; 3],
    len: [u16; 3],
    is_split: bool,
    is_shown: bool,
    /// Numbers of words: [`TOOL`], [`PROJECT`] and [`DEVICES`], the latter one a line.
    words: [u32; 3],
}

const KEY: usize = 0;
const ID: usize = 1;
const TITLE: usize = 2;
const TOOL: usize = 0;
const PROJECT: usize = 1;
const DEVICES: usize = 2;

/// A session as it is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known<'a> {
    pub key: &'a str,
    pub id: &'a str,
    pub title: &'a str,
    pub tool: &'a str,
    pub project: &'a str,
    /// One a line.
    pub devices: &'a str,
    pub updated: i64,
    pub split: bool,
}

impl Table {
    /// Reads all descriptions of an index.
    pub fn load(searcher: &Searcher, fields: &Fields) -> tantivy::Result<Self> {
        let mut table = Self::default();
        for segment in searcher.segment_readers() {
            table.load_segment(segment, fields)?;
        }
        let mut by_key: Vec<u32> = (0..table.next())
            .filter(|sid| table.rows[*sid as usize].is_shown)
            .collect();
        by_key.sort_unstable_by_key(|sid| table.key(*sid));
        by_key.shrink_to_fit();
        table.by_key = by_key;
        table.rows.shrink_to_fit();
        table.texts.all.shrink_to_fit();
        Ok(table)
    }

    fn load_segment(&mut self, segment: &SegmentReader, fields: &Fields) -> tantivy::Result<()> {
        let described = described(segment, fields)?;
        let columns = segment.fast_fields();
        let (at, split) = (columns.i64("at")?, columns.u64("split")?);
        for (doc, sid) in &described {
            *self.row_mut(*sid) = Row {
                updated: at.first(*doc).unwrap_or(0),
                is_split: split.first(*doc) == Some(1),
                is_shown: true,
                ..Row::default()
            };
        }
        for (which, column) in ["name", "id", "title"].into_iter().enumerate() {
            each_text(segment, column, &described, |text, sids| {
                let (at, len) = self.texts.add(text);
                for (_, sid) in sids {
                    let row = &mut self.rows[*sid as usize];
                    (row.at[which], row.len[which]) = (at, len);
                }
            })?;
        }
        for (which, column) in ["tool", "project", "devices"].into_iter().enumerate() {
            each_text(segment, column, &described, |text, sids| {
                let word = self.words.number(text);
                for (_, sid) in sids {
                    self.rows[*sid as usize].words[which] = word;
                }
            })?;
        }
        Ok(())
    }

    fn row_mut(&mut self, sid: u32) -> &mut Row {
        let at = sid as usize;
        if self.rows.len() <= at {
            self.rows.resize(at + 1, Row::default());
        }
        &mut self.rows[at]
    }

    pub fn put(&mut self, sid: u32, session: &Session) {
        let words = [&session.tool, &session.project, &session.devices.join("\n")];
        let words = words.map(|word| self.words.number(word));
        let mut row = *self.row_mut(sid);
        let id = beginning(&session.id, LONGEST_NAME);
        let title = beginning(&session.title, LONGEST_NAME);
        for (which, text) in [session.key.as_str(), id, title].into_iter().enumerate() {
            if self.texts.get(row.at[which], row.len[which]) != text {
                self.texts.unused += usize::from(row.len[which]);
                (row.at[which], row.len[which]) = self.texts.add(text);
            }
        }
        self.rows[sid as usize] = Row {
            updated: session.updated,
            is_split: session.split,
            is_shown: true,
            words,
            ..row
        };
        match self.place(&session.key) {
            Ok(at) => self.by_key[at] = sid,
            Err(at) => self.by_key.insert(at, sid),
        }
        self.drop_unused();
    }

    /// Hides a session. It keeps its number, which its messages on disk have.
    pub fn hide(&mut self, key: &str) {
        if let Some(sid) = self.sid(key) {
            self.rows[sid as usize].is_shown = false;
        }
    }

    pub fn is_hidden(&self, key: &str) -> bool {
        let sid = self.sid(key);
        sid.is_some_and(|sid| !self.rows[sid as usize].is_shown)
    }

    /// Forgets a session of which nothing is on disk. Its number is not given again.
    pub fn remove(&mut self, key: &str) {
        if let Ok(at) = self.place(key) {
            let sid = self.by_key.remove(at);
            let row = std::mem::take(&mut self.rows[sid as usize]);
            self.texts.unused += row.len.iter().map(|len| usize::from(*len)).sum::<usize>();
            self.drop_unused();
        }
    }

    /// Copies the texts that are in use when as many are not.
    fn drop_unused(&mut self) {
        const LITTLE: usize = 64 << 10;
        if self.texts.unused < LITTLE.max(self.texts.all.len() / 2) {
            return;
        }
        let mut texts = Texts::default();
        for row in &mut self.rows {
            for which in [KEY, ID, TITLE] {
                let text = self.texts.get(row.at[which], row.len[which]);
                (row.at[which], row.len[which]) = texts.add(text);
            }
        }
        self.texts = texts;
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.by_key.binary_search_by_key(&key, |sid| self.key(*sid))
    }

    fn key(&self, sid: u32) -> &str {
        let row = &self.rows[sid as usize];
        self.texts.get(row.at[KEY], row.len[KEY])
    }

    pub fn sid(&self, key: &str) -> Option<u32> {
        self.place(key).ok().map(|at| self.by_key[at])
    }

    /// A session that is not hidden.
    pub fn row(&self, sid: u32) -> Option<Known<'_>> {
        let row = self.rows.get(sid as usize).filter(|row| row.is_shown)?;
        let text = |which: usize| self.texts.get(row.at[which], row.len[which]);
        let word = |which: usize| self.words.text(row.words[which]);
        Some(Known {
            key: text(KEY),
            id: text(ID),
            title: text(TITLE),
            tool: word(TOOL),
            project: word(PROJECT),
            devices: word(DEVICES),
            updated: row.updated,
            split: row.is_split,
        })
    }

    pub fn rows(&self) -> impl Iterator<Item = (u32, Known<'_>)> {
        (0..self.next()).filter_map(|sid| Some((sid, self.row(sid)?)))
    }

    /// Also of hidden sessions.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.by_key.iter().map(|sid| self.key(*sid))
    }

    /// The number after the last one ever given.
    pub fn next(&self) -> u32 {
        self.rows.len() as u32
    }

    pub fn len(&self) -> usize {
        self.rows.iter().filter(|row| row.is_shown).count()
    }
}

/// Texts one after the other.
#[derive(Default)]
struct Texts {
    all: String,
    /// How many bytes no row has any more.
    unused: usize,
}

impl Texts {
    /// Where a text is. One of more than 64 KiB is cut, and one after 4 GiB is empty.
    fn add(&mut self, text: &str) -> (u32, u16) {
        let text = beginning(text, usize::from(u16::MAX));
        let Ok(at) = u32::try_from(self.all.len()) else {
            return (0, 0);
        };
        self.all.push_str(text);
        (at, text.len() as u16)
    }

    fn get(&self, at: u32, len: u16) -> &str {
        let at = at as usize;
        self.all.get(at..at + usize::from(len)).unwrap_or_default()
    }
}

/// Words that many sessions have, each once.
#[derive(Default)]
struct Words {
    all: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Words {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let (word, number): (Arc<str>, _) = (text.into(), self.all.len() as u32);
        self.all.push(word.clone());
        self.numbers.insert(word, number);
        number
    }

    fn text(&self, number: u32) -> &str {
        self.all.get(number as usize).map_or("", |word| &**word)
    }
}

/// The descriptions of a segment and the numbers of their sessions.
fn described(segment: &SegmentReader, fields: &Fields) -> tantivy::Result<Vec<(DocId, u32)>> {
    let mut found = Vec::new();
    let term = Term::from_field_text(fields.key, DESCRIPTIONS);
    let index = segment.inverted_index(fields.key)?;
    let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else {
        return Ok(found);
    };
    let who = segment.fast_fields().u64("who")?;
    let mut doc = postings.doc();
    while doc != TERMINATED {
        if let (false, Some(who)) = (segment.is_deleted(doc), who.first(doc)) {
            found.push((doc, of_who(who).0));
        }
        doc = postings.advance();
    }
    Ok(found)
}

/// Calls `found` with each text of a column and the sessions that have it. Each block of the
/// column's dictionary is unpacked once, not for each session.
fn each_text(
    segment: &SegmentReader,
    column: &str,
    described: &[(DocId, u32)],
    mut found: impl FnMut(&str, &[(u64, u32)]),
) -> tantivy::Result<()> {
    let Some(column) = segment.fast_fields().str(column)? else {
        return Ok(());
    };
    let numbered = described.iter();
    let mut numbered: Vec<(u64, u32)> = numbered
        .filter_map(|(doc, sid)| Some((column.term_ords(*doc).next()?, *sid)))
        .collect();
    numbered.sort_unstable();
    let is_same = |one: &(u64, u32), other: &(u64, u32)| one.0 == other.0;
    let ords = numbered.chunk_by(is_same).map(|group| group[0].0);
    let ords: Vec<u64> = ords.collect();
    let mut groups = numbered.chunk_by(is_same);
    let are_all = column.dictionary().sorted_ords_to_term_cb(&ords, |text| {
        if let (Some(group), Ok(text)) = (groups.next(), std::str::from_utf8(text)) {
            found(text, group);
        }
    })?;
    match are_all {
        true => Ok(()),
        false => {
            let what = DataCorruption::comment_only("a column ends before its last text");
            Err(TantivyError::DataCorruption(what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: usize, title: &str) -> Session {
        Session {
            key: format!("claude-code/{number:026}"),
            id: format!("{number:036}"),
            tool: "claude-code".into(),
            project: format!("git.example/acme/shop{}", number % 10),
            title: title.into(),
            updated: number as i64,
            split: number.is_multiple_of(7),
            devices: vec!["desk".into(), "lap".into()],
            note: String::new(),
        }
    }

    fn bytes(table: &Table) -> usize {
        table.rows.len() * size_of::<Row>() + table.by_key.len() * 4 + table.texts.all.len()
    }

    #[test]
    fn a_session_takes_little_more_than_its_texts() {
        assert!(size_of::<Row>() <= 40, "{}", size_of::<Row>());
        let mut table = Table::default();
        for number in 0..1_000 {
            table.put(
                number as u32,
                &session(number, "Retry a failed payment once"),
            );
        }
        assert!(bytes(&table) < 1_000 * 150, "{}", bytes(&table));
        assert_eq!(table.words.all.len(), 1 + 10 + 1);
    }

    #[test]
    fn titles_that_change_take_no_more_and_are_those_of_their_sessions() {
        let mut table = Table::default();
        for round in 0..200 {
            for number in (0..50).rev() {
                let title = format!("round {round} of {number}: {}", "x".repeat(200));
                table.put(number as u32, &session(number, &title));
            }
        }
        assert!(bytes(&table) < 200_000, "{}", bytes(&table));
        table.hide(&session(3, "").key);
        table.remove(&session(4, "").key);
        assert_eq!(
            (table.len(), table.next(), table.keys().count()),
            (48, 50, 49)
        );
        assert_eq!(table.sid(&session(3, "").key), Some(3));
        assert_eq!(table.sid(&session(4, "").key), None);
        assert!(table.keys().is_sorted());
        for (sid, known) in table.rows() {
            let expected = session(sid as usize, "");
            assert!(known.title.starts_with(&format!("round 199 of {sid}: ")));
            assert_eq!((known.key, known.id), (&*expected.key, &*expected.id));
            assert_eq!(
                (known.project, known.devices),
                (&*expected.project, "desk\nlap")
            );
            assert_eq!(
                (known.updated, known.split),
                (expected.updated, expected.split)
            );
        }
    }
}
