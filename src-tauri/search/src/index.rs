//! The index on disk: opened, emptied when it cannot be used, written to in batches.

use crate::lookup::Limits;
use crate::schema::{self, Fields, VERSION, message_key, session_key};
use crate::table::Table;
use crate::{Message, Session};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use tantivy::directory::MmapDirectory;
use tantivy::index::SegmentId;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::schema::Value;
use tantivy::{
    DocAddress, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, Term,
};

/// The memory in which new messages are collected; one thread at work, none at rest.
const WRITER_BYTES: usize = 30 << 20;
/// Larger segments are not joined with others: so what must leave the disk is at most in a few of
/// them, each written anew in seconds.
const LARGE_SEGMENT: usize = 150_000;
const ABOUT: &str = "about";
/// After so many batches, the files of earlier ones are forgotten.
const BATCHES_REMEMBERED: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("could not use the search index in {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the search index could not be read or written")]
    Index(#[from] tantivy::TantivyError),
    #[error("the search index is damaged")]
    Damaged,
}

/// Whether an index is as it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    AsItWas,
    /// There was none, or none that could be used: all sessions must be added.
    Empty,
}

pub struct Index {
    dir: PathBuf,
    files: MmapDirectory,
    pub(crate) fields: Fields,
    pub(crate) limits: Limits,
    index: tantivy::Index,
    /// There while questions are asked: its mapped files count as memory of this process.
    reader: Mutex<Option<IndexReader>>,
    /// Something was read since the last look.
    was_read: AtomicBool,
    table: RwLock<Table>,
    writer: Mutex<Option<IndexWriter>>,
    n_batches: AtomicUsize,
}

fn unpoisoned<T>(guard: Result<T, PoisonError<T>>) -> T {
    guard.unwrap_or_else(PoisonError::into_inner)
}

impl Index {
    /// Opens the index in `dir`, a directory of its own. An index that is damaged, of another
    /// version or not named `name` is removed, and an empty one takes its place.
    pub fn open(dir: &Path, name: &str) -> Result<(Self, Opened), IndexError> {
        let about = format!("{VERSION} {name}\n");
        let known = fs::read_to_string(dir.join(ABOUT)).unwrap_or_default();
        if known == about
            && let Ok(Ok(index)) = catch_unwind(|| Self::open_there(dir))
        {
            return Ok((index, Opened::AsItWas));
        }
        let io = |source| IndexError::Io {
            path: dir.to_path_buf(),
            source,
        };
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        make_private(dir).map_err(io)?;
        let index = tantivy::Index::builder()
            .schema(schema::fields().schema)
            .settings(schema::settings())
            .create_in_dir(dir)?;
        drop(index);
        let index = Self::open_there(dir)?;
        fs::write(dir.join(ABOUT), about).map_err(io)?;
        Ok((index, Opened::Empty))
    }

    fn open_there(dir: &Path) -> Result<Self, IndexError> {
        let files = MmapDirectory::open(dir).map_err(tantivy::TantivyError::from)?;
        let index = tantivy::Index::open(files.clone())?;
        schema::register(&index);
        let fields = schema::fields();
        if index.schema() != fields.schema {
            return Err(IndexError::Damaged);
        }
        let table = Table::load(&new_reader(&index)?.searcher(), &fields)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            files,
            fields,
            limits: Limits::default(),
            index,
            reader: Mutex::new(None),
            was_read: AtomicBool::new(false),
            table: RwLock::new(table),
            writer: Mutex::new(None),
            n_batches: AtomicUsize::new(0),
        })
    }

    /// What is added together. Batches follow each other: a second one waits.
    pub fn batch(&self) -> Result<Batch<'_>, IndexError> {
        let mut writer = unpoisoned(self.writer.lock());
        if writer.is_none() {
            *writer = Some(self.new_writer()?);
        }
        Ok(Batch {
            index: self,
            writer,
            changes: HashMap::new(),
            next: self.table().next(),
            removed: BTreeSet::new(),
            to_purge: BTreeSet::new(),
            is_done: false,
        })
    }

    fn new_writer(&self) -> Result<IndexWriter, IndexError> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .memory_budget_per_thread(WRITER_BYTES)
            .num_merge_threads(1)
            .build();
        let writer = self.index.writer_with_options(options)?;
        let mut policy = LogMergePolicy::default();
        policy.set_max_docs_before_merge(LARGE_SEGMENT);
        policy.set_min_num_segments(6);
        policy.set_del_docs_ratio_before_merge(0.3);
        writer.set_merge_policy(Box::new(policy));
        Ok(writer)
    }

    /// Ends the writer's threads and gives its memory back, after what they were joining. The next
    /// question maps the files again, which takes milliseconds.
    pub fn rest(&self) -> Result<(), IndexError> {
        let writer = unpoisoned(self.writer.lock()).take();
        if let Some(writer) = writer {
            writer.wait_merging_threads()?;
        }
        drop(unpoisoned(self.reader.lock()).take());
        self.forget_removed_files();
        Ok(())
    }

    /// Unmaps the files unless something was read since the last call; returns whether it did.
    pub fn unmap_if_unused(&self) -> bool {
        let is_used = self.was_read.swap(false, Ordering::Relaxed);
        !is_used && unpoisoned(self.reader.lock()).take().is_some()
    }

    /// tantivy 0.27 remembers the path of each file that it ever mapped, some ten for each batch,
    /// until it is asked for them: two batches a second are 20 MB in half an hour.
    fn forget_removed_files(&self) {
        self.files.get_cache_info();
    }

    /// What the caller noted about a session.
    pub fn note(&self, key: &str) -> Result<Option<String>, IndexError> {
        if self.table().sid(key).is_none() {
            // A new session, of which a first import has very many.
            return Ok(None);
        }
        let searcher = self.searcher()?;
        let Some(at) = self.first_with(&searcher, &session_key(key))? else {
            return Ok(None);
        };
        let doc: TantivyDocument = searcher.doc(at)?;
        Ok(Some(text_of(&doc, self.fields.note)))
    }

    /// The first document that is named so.
    fn first_with(&self, searcher: &Searcher, name: &str) -> tantivy::Result<Option<DocAddress>> {
        let term = Term::from_field_text(self.fields.key, name);
        for (ord, segment) in searcher.segment_readers().iter().enumerate() {
            let postings = segment
                .inverted_index(self.fields.key)?
                .read_postings(&term, tantivy::schema::IndexRecordOption::Basic)?;
            let Some(mut postings) = postings else {
                continue;
            };
            use tantivy::DocSet;
            let mut doc = postings.doc();
            while doc != tantivy::TERMINATED {
                if !segment.is_deleted(doc) {
                    return Ok(Some(DocAddress::new(ord as u32, doc)));
                }
                doc = postings.advance();
            }
        }
        Ok(None)
    }

    /// The segments in which removed documents have one of these names.
    fn removed_but_there(&self, names: &BTreeSet<String>) -> Result<Vec<SegmentId>, IndexError> {
        let mut found = Vec::new();
        for segment in new_reader(&self.index)?.searcher().segment_readers() {
            if segment.num_deleted_docs() == 0 {
                continue;
            }
            let known = segment.inverted_index(self.fields.key)?;
            let mut holds = false;
            for name in names {
                let term = Term::from_field_text(self.fields.key, name);
                holds = holds || 0 < known.doc_freq(&term).map_err(tantivy::TantivyError::from)?;
            }
            if holds {
                found.push(segment.segment_id());
            }
        }
        Ok(found)
    }

    /// Whether anything of a session may be on disk, also if it is hidden.
    pub fn has(&self, key: &str) -> bool {
        let is_there = |name: &str| self.first_with(&self.searcher()?, name);
        let names = [session_key(key), message_key(key)];
        names.iter().any(|name| !matches!(is_there(name), Ok(None)))
    }

    /// Hides a session from all questions from now on, until it is added again.
    pub fn hide(&self, key: &str) {
        unpoisoned(self.table.write()).hide(key);
    }

    /// How many sessions can be found.
    pub fn sessions(&self) -> usize {
        self.table().len()
    }

    /// The keys of all sessions that are or were on disk since the index was opened.
    pub fn keys(&self) -> Vec<String> {
        self.table().keys().map(str::to_owned).collect()
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        files
            .filter_map(|entry| entry.metadata().ok())
            .map(|meta| meta.len())
            .sum()
    }

    pub(crate) fn searcher(&self) -> tantivy::Result<Searcher> {
        self.was_read.store(true, Ordering::Relaxed);
        let mut reader = unpoisoned(self.reader.lock());
        if let Some(reader) = reader.as_ref() {
            return Ok(reader.searcher());
        }
        Ok(reader.insert(new_reader(&self.index)?).searcher())
    }

    /// Questions asked from now on see the last commit.
    fn reload(&self) -> tantivy::Result<()> {
        let reader = unpoisoned(self.reader.lock());
        reader.as_ref().map_or(Ok(()), IndexReader::reload)
    }

    pub(crate) fn table(&self) -> RwLockReadGuard<'_, Table> {
        unpoisoned(self.table.read())
    }
}

fn new_reader(index: &tantivy::Index) -> tantivy::Result<IndexReader> {
    let builder = index.reader_builder();
    builder
        .reload_policy(ReloadPolicy::Manual)
        .doc_store_cache_num_blocks(1)
        .try_into()
}

/// Changes that become durable and visible together. Dropped without a commit, they are undone.
pub struct Batch<'a> {
    index: &'a Index,
    writer: MutexGuard<'a, Option<IndexWriter>>,
    changes: HashMap<String, Change>,
    next: u32,
    removed: BTreeSet<String>,
    /// The names of the removed documents that must leave the disk.
    to_purge: BTreeSet<String>,
    is_done: bool,
}

struct Change {
    sid: u32,
    session: Option<Session>,
}

impl Batch<'_> {
    fn writer(&self) -> &IndexWriter {
        self.writer.as_ref().expect("made with the batch")
    }

    /// Describes a session; an earlier description is replaced.
    pub fn set_session(&mut self, session: &Session) -> Result<(), IndexError> {
        let sid = self.sid(&session.key);
        self.delete(&session_key(&session.key));
        self.writer()
            .add_document(self.index.fields.session(sid, session))?;
        let change = self.changes.get_mut(&session.key);
        change.expect("numbered above").session = Some(session.clone());
        Ok(())
    }

    /// Adds a message of a session that is described in this batch or was before. What is added of
    /// any other is left out of the commit: its number is free, and another session will get it.
    pub fn add(&mut self, key: &str, message: &Message<'_>) -> Result<(), IndexError> {
        let sid = self.sid(key);
        self.writer()
            .add_document(self.index.fields.message(key, sid, message))?;
        Ok(())
    }

    /// Removes a session's messages, for all of them to be added anew. If the session is hidden, none
    /// of the removed ones is left on disk after the commit.
    pub fn remove_messages(&mut self, key: &str) {
        if self.index.table().is_hidden(key) {
            self.to_purge.insert(message_key(key));
        }
        self.delete(&message_key(key));
    }

    /// Removes a session. After the commit nothing of it is left on disk.
    pub fn remove_session(&mut self, key: &str) {
        for name in [message_key(key), session_key(key)] {
            self.delete(&name);
            self.to_purge.insert(name);
        }
        self.index.hide(key);
        self.changes.remove(key);
        self.removed.insert(key.to_owned());
    }

    fn delete(&self, term: &str) {
        let term = Term::from_field_text(self.index.fields.key, term);
        self.writer().delete_term(term);
    }

    fn sid(&mut self, key: &str) -> u32 {
        if let Some(change) = self.changes.get(key) {
            return change.sid;
        }
        let sid = self.index.table().sid(key).unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.changes
            .insert(key.to_owned(), Change { sid, session: None });
        sid
    }

    /// Makes the changes durable and visible to questions asked from now on.
    pub fn commit(mut self) -> Result<(), IndexError> {
        self.is_done = true;
        let result = self.try_commit();
        if result.is_err() {
            // A writer that failed takes no more; the next batch makes a new one.
            *self.writer = None;
        }
        result
    }

    fn try_commit(&mut self) -> Result<(), IndexError> {
        for key in self.undescribed() {
            self.delete(&message_key(&key));
        }
        let writer = self.writer.as_mut().expect("made with the batch");
        writer.commit()?;
        if !self.to_purge.is_empty() {
            self.purge()?;
        }
        self.index.reload()?;
        let n_batches = self.index.n_batches.fetch_add(1, Ordering::Relaxed);
        if n_batches.is_multiple_of(BATCHES_REMEMBERED) {
            self.index.forget_removed_files();
        }
        let mut table = unpoisoned(self.index.table.write());
        for key in &self.removed {
            table.remove(key);
        }
        for change in std::mem::take(&mut self.changes).into_values() {
            if let Some(session) = change.session {
                table.put(change.sid, &session);
            }
        }
        Ok(())
    }

    /// Writes every segment that holds what must leave the disk anew, without it. Other segments with
    /// removed documents, such as earlier descriptions of sessions, stay as they are.
    fn purge(&mut self) -> Result<(), IndexError> {
        loop {
            let holding = self.index.removed_but_there(&self.to_purge)?;
            if holding.is_empty() {
                break;
            }
            let writer = self.writer.as_mut().expect("made with the batch");
            let mut is_joined = false;
            for segment in holding {
                match writer.merge(&[segment]).wait() {
                    Ok(_) => {}
                    // It is being joined with others right now.
                    Err(tantivy::TantivyError::InvalidArgument(_)) => is_joined = true,
                    Err(error) => return Err(error.into()),
                }
            }
            // What was joined from before the commit still holds it, and is looked at again.
            if is_joined && let Some(writer) = self.writer.take() {
                writer.wait_merging_threads()?;
                *self.writer = Some(self.index.new_writer()?);
            }
        }
        self.index.reload()?;
        let writer = self.writer.as_mut().expect("made with the batch");
        writer.garbage_collect_files().wait()?;
        Ok(())
    }

    /// Sessions of which nothing but messages would be on disk.
    fn undescribed(&self) -> Vec<String> {
        let table = self.index.table();
        let is_known = |key: &String| table.sid(key).is_some() && !self.removed.contains(key);
        let changes = self.changes.iter();
        changes
            .filter(|(key, change)| change.session.is_none() && !is_known(key))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if !self.is_done
            && let Some(writer) = self.writer.as_mut()
            && catch_unwind(AssertUnwindSafe(|| writer.rollback())).is_ok_and(|done| done.is_err())
        {
            *self.writer = None;
        }
    }
}

pub(crate) fn text_of(doc: &TantivyDocument, field: tantivy::schema::Field) -> String {
    let text = doc.get_first(field).and_then(|value| value.as_str());
    text.unwrap_or_default().to_owned()
}

fn make_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(dir)
}
