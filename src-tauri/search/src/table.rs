//! What filters ask of sessions, in memory: some hundred bytes each. Removing a session takes effect
//! at once, before its messages are out of the index.

use crate::Session;
use crate::schema::{DESCRIPTIONS, Fields, LONGEST_NAME, beginning, of_who};
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::columnar::StrColumn;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, Searcher, SegmentReader, TERMINATED, Term};

#[derive(Default)]
pub struct Table {
    rows: Vec<Option<Row>>,
    by_key: HashMap<Arc<str>, u32>,
    words: HashMap<Arc<str>, ()>,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub key: Arc<str>,
    pub tool: Arc<str>,
    pub project: Arc<str>,
    pub id: Box<str>,
    pub title: Box<str>,
    /// One a line.
    pub devices: Arc<str>,
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
        Ok(table)
    }

    fn load_segment(&mut self, segment: &SegmentReader, fields: &Fields) -> tantivy::Result<()> {
        let term = Term::from_field_text(fields.key, DESCRIPTIONS);
        let index = segment.inverted_index(fields.key)?;
        let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else {
            return Ok(());
        };
        let columns = segment.fast_fields();
        let (who, at) = (columns.u64("who")?, columns.i64("at")?);
        let split = columns.u64("split")?;
        let texts = |name: &str| columns.str(name);
        let (name, id, tool, project, title, devices) = (
            texts("name")?,
            texts("id")?,
            texts("tool")?,
            texts("project")?,
            texts("title")?,
            texts("devices")?,
        );
        let mut doc = postings.doc();
        while doc != TERMINATED {
            if let (false, Some(who)) = (segment.is_deleted(doc), who.first(doc)) {
                let row = Row {
                    key: text_at(&name, doc).into(),
                    tool: self.interned(&text_at(&tool, doc)),
                    project: self.interned(&text_at(&project, doc)),
                    id: text_at(&id, doc).into(),
                    title: text_at(&title, doc).into(),
                    devices: self.interned(&text_at(&devices, doc)),
                    updated: at.first(doc).unwrap_or(0),
                    split: split.first(doc) == Some(1),
                };
                self.put_row(of_who(who).0, row);
            }
            doc = postings.advance();
        }
        Ok(())
    }

    fn interned(&mut self, text: &str) -> Arc<str> {
        if let Some((known, ())) = self.words.get_key_value(text) {
            return known.clone();
        }
        let word: Arc<str> = text.into();
        self.words.insert(word.clone(), ());
        word
    }

    fn put_row(&mut self, sid: u32, row: Row) {
        let at = sid as usize;
        if self.rows.len() <= at {
            self.rows.resize(at + 1, None);
        }
        self.by_key.insert(row.key.clone(), sid);
        self.rows[at] = Some(row);
    }

    pub fn put(&mut self, sid: u32, session: &Session) {
        let row = Row {
            key: session.key.as_str().into(),
            tool: self.interned(&session.tool),
            project: self.interned(&session.project),
            id: beginning(&session.id, LONGEST_NAME).into(),
            title: beginning(&session.title, LONGEST_NAME).into(),
            devices: self.interned(&session.devices.join("\n")),
            updated: session.updated,
            split: session.split,
        };
        self.put_row(sid, row);
    }

    /// Hides a session. It keeps its number, which its messages on disk have.
    pub fn hide(&mut self, key: &str) {
        if let Some(sid) = self.by_key.get(key) {
            self.rows[*sid as usize] = None;
        }
    }

    pub fn sid(&self, key: &str) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    pub fn row(&self, sid: u32) -> Option<&Row> {
        self.rows.get(sid as usize)?.as_ref()
    }

    pub fn rows(&self) -> impl Iterator<Item = (u32, &Row)> {
        let numbered = self.rows.iter().enumerate();
        numbered.filter_map(|(sid, row)| Some((sid as u32, row.as_ref()?)))
    }

    /// Also of hidden sessions.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.by_key.keys().map(|key| &**key)
    }

    /// The number after the last one ever given.
    pub fn next(&self) -> u32 {
        self.rows.len() as u32
    }

    pub fn len(&self) -> usize {
        self.rows.iter().flatten().count()
    }
}

pub fn text_at(column: &Option<StrColumn>, doc: u32) -> String {
    let mut text = String::new();
    if let Some(column) = column
        && let Some(ord) = column.term_ords(doc).next()
    {
        // A column that cannot be read gives an empty text; the index is checked when it is opened.
        let _ = column.ord_to_str(ord, &mut text);
    }
    text
}
