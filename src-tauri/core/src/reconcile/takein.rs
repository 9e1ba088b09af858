//! Conflict copies that another sync tool left in a tool's store: their content, and importing
//! them. A copy's lines become a branch of its session, and only then does the copy move out of the
//! store, into a directory of the user's.

use super::context::Context;
use super::excluded::Now;
use super::observe::{LogSeen, lines_after};
use super::record::SessionRecord;
use super::recorder::{RecordError, Recorded, card, project_of};
use super::republish::recorder;
use super::steering::without_private;
use crate::api::types::{CopyRow, LeftRow, TakenRow};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::problem::with_causes;
use crate::session::{ChainId, DocKind, DocName, Lane, Project, SessionKey, ToolId};
use crate::tools::{ConflictCopy, Content, Facts, Found, FoundDoc, ReadSeek, Reading, Tool, Which};
use crate::vault::{JournalError, SessionCard, limits};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Why a copy stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum TakeInError {
    #[error("{0}")]
    Open(String),
    #[error("its project is excluded on this device")]
    Excluded,
    #[error("its records do not say which directory it belongs to")]
    NoDirectory,
    #[error("the session it belongs to is not here")]
    NoSession,
    #[error("its format has no lines, and its content differs from every known version")]
    OtherContent,
    #[error("it changed while it was read")]
    Moving,
    #[error("the session's journals could not be read")]
    NoJournals,
    #[error("one of its records has more than 1 GB")]
    TooLarge,
    #[error("what was recorded of it reads differently")]
    ReadsDifferently,
    #[error("it could not be read")]
    Read(#[source] io::Error),
    #[error("it could not be moved to {}", .to.display())]
    Move {
        to: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<JournalError> for TakeInError {
    fn from(error: JournalError) -> Self {
        Self::Record(error.into())
    }
}

impl TakeInError {
    pub fn row(&self, tool: &ToolId, conflict_copy: &ConflictCopy) -> LeftRow {
        LeftRow {
            tool: tool.to_string(),
            session: conflict_copy.session.to_string(),
            path: conflict_copy.path.clone(),
            why: with_causes(self),
        }
    }
}

/// All copies in the stores of these tools.
pub fn conflict_copies<'t>(
    context: &Context,
    tools: impl IntoIterator<Item = &'t dyn Tool>,
) -> Vec<(ToolId, ConflictCopy)> {
    let listed = |tool: &dyn Tool| {
        let id = tool.about().tool;
        tool.sessions(&context.machine, Which::ConflictCopies)
            .conflict_copies
            .into_iter()
            .map(move |conflict_copy| (id.clone(), conflict_copy))
    };
    tools
        .into_iter()
        .flat_map(|tool| listed(tool).collect::<Vec<_>>())
        .collect()
}

/// What a copy is, and how much of it the original doc lacks.
pub fn describe(context: &Context, tool: &dyn Tool, conflict_copy: &ConflictCopy) -> CopyRow {
    let lines = |content: io::Result<Content>| {
        let counts = content.and_then(|content| line_counts(&mut *content.open()?));
        counts.unwrap_or_default()
    };
    let copy = read_all(context, tool, conflict_copy);
    let copy = lines(copy.and_then(|(_, reading)| first_doc(&reading)));
    let listing = tool.sessions(&context.machine, Which::One(&conflict_copy.session));
    let original = listing.found.iter().find_map(|found| {
        let at = found
            .docs
            .iter()
            .position(|doc| doc.name == conflict_copy.doc)?;
        let reading = tool.read(&context.machine, found).ok()?;
        reading.docs.into_iter().nth(at)
    });
    let original = lines(original.ok_or(io::ErrorKind::NotFound.into()));
    let lacks = |(line, count): (&blake3::Hash, &u64)| {
        count.saturating_sub(original.get(line).copied().unwrap_or(0))
    };
    CopyRow {
        tool: tool.about().tool.to_string(),
        session: conflict_copy.session.to_string(),
        path: conflict_copy.path.clone(),
        lines: copy.values().sum(),
        new: copy.iter().map(lacks).sum(),
        open: conflict_copy.open_in.clone(),
    }
}

/// Records the copy's content, reads it back, and moves the copy away. On an error the copy stays;
/// what was recorded by then stays recorded, which is harmless: the tries never hold the same lines
/// twice.
pub fn import_copy(
    context: &Context,
    tool: &dyn Tool,
    (key, record): (&SessionKey, &mut SessionRecord),
    conflict_copy: &ConflictCopy,
    excluded: impl Fn(&SessionRecord, Now<'_>) -> bool,
    lane: Lane,
) -> Result<(Recorded, TakenRow), TakeInError> {
    if let Some(open_in) = &conflict_copy.open_in {
        return Err(TakeInError::Open(open_in.clone()));
    }
    let (facts, content) = read(Session::new(context, key, record), tool, conflict_copy)?;
    let is_still = || {
        let now = tool
            .sessions(&context.machine, Which::ConflictCopies)
            .conflict_copies;
        now.iter().any(|now| {
            (&now.path, now.stamp) == (&conflict_copy.path, conflict_copy.stamp)
                && now.open_in.is_none()
        })
    };
    if !is_still() {
        return Err(TakeInError::Moving);
    }
    let project = project_of(Session::new(context, key, record), &facts);
    let now = Now {
        project: &project,
        cwd: facts.cwd.as_deref(),
    };
    if excluded(record, now) {
        return Err(TakeInError::Excluded);
    }
    let recorded = match conflict_copy.kind {
        DocKind::Log => {
            let card = new_card(
                Session::new(context, key, record),
                (&facts, project),
                conflict_copy,
            )?;
            record_log(
                SessionMut::new(context, key, record),
                (conflict_copy, card),
                &content,
                lane,
            )?
        }
        DocKind::Snapshot
            if is_generation(
                Session::new(context, key, record),
                conflict_copy,
                &bytes_of(&content).map_err(TakeInError::Read)?,
            )? =>
        {
            Recorded::default()
        }
        DocKind::Snapshot => return Err(TakeInError::OtherContent),
    };
    if !is_still() {
        return Err(TakeInError::Moving);
    }
    let to = move_away(context, &key.tool, conflict_copy)?;
    let lines = recorded.docs.iter().map(|(_, _, lines)| lines).sum();
    let (tool, session) = (key.tool.to_string(), conflict_copy.session.to_string());
    Ok((
        recorded,
        TakenRow {
            tool,
            session,
            path: conflict_copy.path.clone(),
            to,
            lines,
        },
    ))
}

/// What a copy holds, as it is recorded.
pub(super) fn read(
    session: Session<'_>,
    tool: &dyn Tool,
    conflict_copy: &ConflictCopy,
) -> Result<(Facts, Content), TakeInError> {
    let read = read_all(session.context, tool, conflict_copy);
    let (doc, mut reading) = read.map_err(TakeInError::Read)?;
    let content = first_doc(&reading).map_err(TakeInError::Read)?;
    let private = reading.private.remove(&doc.name).unwrap_or_default();
    let content = without_private(session, &doc, content, private).map_err(RecordError::from)?;
    Ok((reading.facts, content))
}

fn read_all(
    context: &Context,
    tool: &dyn Tool,
    conflict_copy: &ConflictCopy,
) -> io::Result<(FoundDoc, Reading)> {
    let doc = FoundDoc {
        name: conflict_copy.doc.clone(),
        kind: conflict_copy.kind,
        place: conflict_copy.place.clone(),
        path: conflict_copy.path.clone(),
        stamp: conflict_copy.stamp,
    };
    let found = Found {
        session: conflict_copy.session.clone(),
        docs: vec![doc.clone()],
        open_in: None,
    };
    Ok((doc, tool.read(&context.machine, &found)?))
}

fn first_doc(reading: &Reading) -> io::Result<Content> {
    let content = reading.docs.first().cloned();
    content.ok_or(io::ErrorKind::NotFound.into())
}

/// How often each line occurs, by its hash.
fn line_counts(text: &mut dyn ReadSeek) -> io::Result<HashMap<blake3::Hash, u64>> {
    let (mut counts, mut hasher) = (HashMap::new(), blake3::Hasher::new());
    let mut chunk = vec![0; 256 << 10];
    loop {
        let read = text.read(&mut chunk)?;
        for part in chunk[..read].split_inclusive(|byte| *byte == b'\n') {
            hasher.update(part);
            if part.ends_with(b"\n") {
                *counts.entry(hasher.finalize()).or_default() += 1;
                hasher.reset();
            }
        }
        if read == 0 {
            if 0 < hasher.count() {
                *counts.entry(hasher.finalize()).or_default() += 1;
            }
            return Ok(counts);
        }
    }
}

/// The content of a snapshot.
pub(super) fn bytes_of(content: &Content) -> io::Result<Vec<u8>> {
    const MOST: u64 = limits::CONTENT;
    let mut bytes = Vec::new();
    content.open()?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        Err(io::ErrorKind::FileTooLarge.into())
    } else {
        Ok(bytes)
    }
}

/// This device's card of a session without any card; the copy of its main doc has the facts.
fn new_card(
    session: Session<'_>,
    (facts, project): (&Facts, Project),
    conflict_copy: &ConflictCopy,
) -> Result<Option<SessionCard>, TakeInError> {
    let Session { record, .. } = session;
    match (record.origin().is_some(), conflict_copy.main, facts.early) {
        (true, ..) => Ok(None),
        (_, false, _) => Err(TakeInError::NoSession),
        (_, _, true) => Err(TakeInError::NoDirectory),
        _ => Ok(Some(card(
            session,
            (facts, project),
            (&conflict_copy.doc, conflict_copy.stamp),
        ))),
    }
}

/// Appends the lines that no journal has, where they leave the trie; then all of the copy's whole
/// lines are in the journals. A half last line, which no tool would read, stays in the copy.
pub(super) fn record_log(
    session: SessionMut<'_>,
    (conflict_copy, card): (&ConflictCopy, Option<SessionCard>),
    content: &Content,
    lane: Lane,
) -> Result<Recorded, TakeInError> {
    let (context, key, record) = session.parts();
    let doc = &conflict_copy.doc;
    let mut text = content.open().map_err(TakeInError::Read)?;
    let lines =
        lines_after(&mut *text, ChainId::log_start(), &context.sizes).map_err(TakeInError::Read)?;
    if lines.tips.is_empty() {
        return Ok(Recorded::default());
    }
    if 0 < lines.gaps {
        return Err(TakeInError::TooLarge);
    }
    let known = record.docs.get(doc);
    if known.is_some_and(|state| state.kind != DocKind::Log) {
        return Err(TakeInError::OtherContent);
    }
    let is_new = known.is_none_or(|state| state.trie.is_empty());
    let at = if is_new {
        conflict_copy.place.clone()
    } else {
        String::new()
    };
    let before = record.clone();
    record
        .session
        .get_or_insert_with(|| conflict_copy.session.clone());
    let Some(mut recorder) = recorder(context, key, record, (card, lane)) else {
        return Ok(Recorded::default());
    };
    recorder
        .text_of(record, (doc, &at), &mut *text, &lines)
        .inspect_err(|_| *record = before)?;
    let recorded = recorder.finish(record)?;
    match reads_the_same(
        SessionMut::new(context, key, record),
        doc,
        &mut *text,
        &lines,
    )? {
        true => Ok(recorded),
        false => Err(TakeInError::ReadsDifferently),
    }
}

/// Whether the journals on disk return these lines.
fn reads_the_same(
    session: SessionMut<'_>,
    doc: &DocName,
    text: &mut dyn ReadSeek,
    lines: &LogSeen,
) -> Result<bool, TakeInError> {
    let (context, key, record) = session.parts();
    let Some(mut state) = record.docs.remove(doc) else {
        return Ok(false);
    };
    let journal_reader = context.journal_reader(&key.tool, &record.journals, doc);
    text.rewind().map_err(TakeInError::Read)?;
    let mut compared = Compared {
        text,
        left: lines.bytes(),
        is_same: true,
    };
    let read = state
        .trie
        .ensure_node(lines.tip(), &journal_reader)
        .and_then(|_| {
            let mut path = state.trie.path(lines.tip()).unwrap_or_default().into_iter();
            path.try_for_each(|edge| journal_reader.write_lines(edge, &mut compared))
        });
    let is_same = compared.is_same && compared.left == 0;
    record.docs.insert(doc.clone(), state);
    read?;
    Ok(is_same)
}

/// Compares what is written with a text.
struct Compared<'a> {
    text: &'a mut dyn ReadSeek,
    /// Bytes of the text that are not compared yet.
    left: u64,
    is_same: bool,
}

impl Write for Compared<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut there = vec![0; bytes.len()];
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.text.read_exact(&mut there)?;
                self.left = left;
                self.is_same &= there == bytes;
            }
            None => self.is_same = false,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn is_generation(
    session: Session<'_>,
    conflict_copy: &ConflictCopy,
    bytes: &[u8],
) -> Result<bool, TakeInError> {
    let (context, key, record) = session.parts();
    let Some(state) = record
        .docs
        .get(&conflict_copy.doc)
        .filter(|state| state.kind == DocKind::Snapshot)
    else {
        return Ok(false);
    };
    let journal_reader = context.journal_reader(&key.tool, &record.journals, &conflict_copy.doc);
    for edge in state.trie.edges() {
        if let Some(path) = state.trie.path(edge.tip)
            && journal_reader.snapshot(&path)? == bytes
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The directory of a session's imported conflict copies, in session-roam's home.
pub fn taken_in(home: &Path, key: &SessionKey) -> PathBuf {
    let dir = home.join("taken-in").join(key.tool.as_str());
    dir.join(key.hash.as_str())
}

/// Moves the copy below [`taken_in`], to the place that it had in the store. Files already there are
/// not overwritten.
fn move_away(
    context: &Context,
    tool: &ToolId,
    conflict_copy: &ConflictCopy,
) -> Result<PathBuf, TakeInError> {
    let key = SessionKey::new(tool, &conflict_copy.session);
    let mut to = taken_in(&context.vault.root().with_file_name(""), &key);
    if let Some((dir, _)) = conflict_copy.place.rsplit_once('/') {
        to.extend(dir.split('/'));
    }
    let name = conflict_copy.path.file_name().unwrap_or_default();
    let moved = std::fs::create_dir_all(&to).and_then(|()| free_name(&to, Path::new(name)));
    let to = moved.map_err(|source| TakeInError::Move {
        to: to.clone(),
        source,
    })?;
    let renamed = std::fs::rename(&conflict_copy.path, &to).or_else(|_| {
        // Another file system: the original is removed only when the copy is safely there.
        std::fs::copy(&conflict_copy.path, &to)?;
        // Windows syncs only what was opened for writing.
        std::fs::File::options()
            .append(true)
            .open(&to)?
            .sync_all()?;
        std::fs::remove_file(&conflict_copy.path)
    });
    renamed.map_err(|source| TakeInError::Move {
        to: to.clone(),
        source,
    })?;
    Ok(to)
}

fn free_name(dir: &Path, name: &Path) -> io::Result<PathBuf> {
    let numbered = |number: u32| match number {
        0 => dir.join(name),
        _ => dir.join(format!("{}.{number}", name.display())),
    };
    let free = (0..10_000)
        .map(numbered)
        .find(|path| std::fs::symlink_metadata(path).is_err());
    free.ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}
