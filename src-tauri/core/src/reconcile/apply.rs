//! Writes steps into the tool's store. The adapter re-checks each; only real writes move the base.

use super::context::Context;
use super::observe::{read_range, tail_hash};
use super::record::{LocalDoc, Neutral, ParentLink, SessionRecord};
use super::steering::{each_steered, is_own, neutral, restored, write_neutral};
use crate::merge::Step;
use crate::opener;
use crate::reconcile::session::Session;
use crate::session::{ChainId, DocKind, DocName, Edge, SessionId, SessionKey, ToolId};
use crate::tools::PatchedBytes;
use crate::tools::{Bytes, Change, Checkout, Content, DocWrite, Stamp, Which, WriteError};
use crate::vault::journal_reader::JournalReader;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

/// Lines of a path of edges, streamed from the journals.
struct Lines<'a> {
    journal_reader: JournalReader<'a>,
    edges: Vec<&'a Edge>,
}

/// Lines of a log as written here: steering records of other devices are in neutral form.
struct Neutrally<'a> {
    lines: Lines<'a>,
    /// Where the lines begin in the doc.
    start: u64,
    context: &'a Context,
    tool: &'a ToolId,
    doc: &'a DocName,
    record: &'a SessionRecord,
    cwd: &'a Path,
    /// The changes made, however often the lines are written.
    done: &'a RefCell<BTreeSet<Neutral>>,
}

impl Bytes for Neutrally<'_> {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut at = self.start;
        for edge in &self.lines.edges {
            if is_own(self.context, self.record, edge) {
                self.lines
                    .journal_reader
                    .write_lines(edge, out)
                    .map_err(io::Error::other)?;
                at += edge.bytes;
                continue;
            }
            let mut failed = Ok(());
            let read = each_steered(
                self.context,
                self.tool,
                &self.lines.journal_reader,
                edge,
                |lines, is_raw| {
                    let changes = match is_raw {
                        true => Vec::new(),
                        false => neutral(self.context, self.tool, self.doc, self.cwd, (at, lines)),
                    };
                    if failed.is_ok() {
                        failed = write_neutral(out, (at, lines), &changes);
                    }
                    at += lines.len() as u64;
                    self.done.borrow_mut().extend(changes);
                },
            );
            failed.and(read.map_err(io::Error::other))?;
        }
        Ok(())
    }
}

/// A snapshot's content, rebuilt from its generations.
struct Whole<'a>(Lines<'a>);

impl Bytes for Whole<'_> {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(
            &self
                .0
                .journal_reader
                .snapshot(&self.0.edges)
                .map_err(io::Error::other)?,
        )
    }
}

/// Writes the steps of one session as one checkout; returns doc, bytes and lines that were added.
pub fn apply(
    context: &Context,
    key: &SessionKey,
    session: &SessionId,
    record: &mut SessionRecord,
    place: &Path,
    steps: &[Step],
    rebound: Option<ParentLink>,
) -> Result<Vec<(DocName, u64, u64)>, WriteError> {
    let main = record.main().cloned();
    let mut ordered: Vec<&Step> = steps
        .iter()
        .filter(|step| Some(step.doc()) != main.as_ref())
        .collect();
    ordered.extend(
        steps
            .iter()
            .filter(|step| Some(step.doc()) == main.as_ref()),
    );
    let changed: Vec<RefCell<BTreeSet<Neutral>>> =
        ordered.iter().map(|_| RefCell::default()).collect();
    let seen: &SessionRecord = record;
    let sources: Vec<Box<dyn Bytes + '_>> = ordered
        .iter()
        .zip(&changed)
        .map(|(step, done)| source(context, &key.tool, seen, step, (place, done)))
        .collect();
    let patched: Vec<Option<PatchedBytes<'_>>> = ordered
        .iter()
        .zip(&sources)
        .map(|(step, bytes)| {
            let rebound = rebound
                .as_ref()
                .filter(|_| Some(step.doc()) == main.as_ref() && step.is_whole())?;
            let shown = rebound.now.as_str().as_bytes();
            Some(PatchedBytes {
                bytes: bytes.as_ref(),
                at: rebound.base.offset,
                shown,
            })
        })
        .collect();
    let docs = ordered
        .iter()
        .zip(&sources)
        .zip(&patched)
        .filter_map(|((step, bytes), patched)| {
            let bytes = patched
                .as_ref()
                .map_or(bytes.as_ref(), |patched| patched as &dyn Bytes);
            write_of(record, step, bytes)
        });
    let docs = docs.collect();
    let updated = record.latest().map(|card| card.updated).unwrap_or_default();
    let checkout = Checkout {
        session,
        cwd: place,
        updated,
        now: context.clock.now(),
        forgets: false,
        docs,
    };
    keep_remains(Session::new(context, key, record), steps)?;
    let mut near = record.near();
    near.sessions
        .splice(0..0, rebound.iter().map(|rebound| rebound.now.clone()));
    let written = context.write(&key.tool, &checkout, &near)?;
    drop(patched);
    drop(sources);
    let changed: BTreeMap<DocName, BTreeSet<Neutral>> = ordered
        .iter()
        .zip(changed)
        .map(|(step, changes)| (step.doc().clone(), changes.into_inner()))
        .collect();
    let mut done = Vec::new();
    if ordered
        .iter()
        .any(|step| Some(step.doc()) == main.as_ref() && step.is_whole())
    {
        record.rebound = rebound;
    }
    if steps.iter().any(|step| matches!(step, Step::Remove { .. })) {
        record.note_path();
    }
    for (name, path, stamp) in written.docs {
        let Some(step) = steps.iter().find(|step| *step.doc() == name) else {
            continue;
        };
        let changes = changed.get(&name).cloned().unwrap_or_default();
        done.extend(wrote(record, step, (&path, stamp), changes));
    }
    Ok(done)
}

/// Saves an unfinished last line beside the vault, since no journal has it, before its file is
/// rewritten or leaves the store.
fn keep_remains(session: Session<'_>, steps: &[Step]) -> Result<(), WriteError> {
    let (context, key, record) = session.parts();
    for step in steps
        .iter()
        .filter(|step| matches!(step, Step::Replace { .. } | Step::Remove { .. }))
    {
        let state = &record.docs[step.doc()];
        let Some(local) = state
            .local
            .as_ref()
            .filter(|local| state.kind == DocKind::Log && local.bytes < local.stamp.len)
        else {
            continue;
        };
        keep(
            context,
            key,
            step.doc().as_str(),
            &local.path,
            local.bytes..local.stamp.len,
        )?;
    }
    Ok(())
}

/// Saves some bytes of a file beside the vault.
fn keep(
    context: &Context,
    key: &SessionKey,
    name: &str,
    path: &Path,
    bytes: Range<u64>,
) -> Result<(), WriteError> {
    let (now, name) = (context.clock.now().0, name.replace('/', "_"));
    let to = context
        .vault
        .remains()
        .join(format!("{}/{}.{now}.{name}", key.tool, key.hash));
    let io_error = |source| WriteError::Io {
        path: to.clone(),
        source,
    };
    let mut file = Content::File(path.to_path_buf()).open().map_err(io_error)?;
    let kept = read_range(file.as_mut(), bytes.start, bytes.end)
        .map_err(|_| WriteError::Changed(path.into()))?;
    std::fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(io_error)?;
    let mut out = std::fs::File::create(&to).map_err(io_error)?;
    out.write_all(&kept)
        .and_then(|()| out.sync_data())
        .map_err(io_error)
}

/// Notes that earlier writes were reverted after another doc failed: each file is as before, with
/// another change time.
pub fn put_back(record: &mut SessionRecord, steps: &[Step]) {
    for step in steps {
        let Some(local) = record
            .docs
            .get_mut(step.doc())
            .and_then(|state| state.local.as_mut())
        else {
            continue;
        };
        let same = |now: &Stamp| {
            let was = local.stamp;
            (now.len, now.mtime_ns, now.inode) == (was.len, was.mtime_ns, was.inode)
        };
        if let Some(now) = Stamp::of(&local.path).ok().filter(same) {
            local.stamp = now;
        }
    }
}

/// Moves a side file beside the vault that was left when somebody deleted its session. Such a file
/// is never scanned, its content is perhaps in no journal, and it must not block the returning
/// session. `path` is where the adapter found something unexpected. Returns whether it was such a
/// file.
pub fn make_way(
    context: &Context,
    key: &SessionKey,
    session: &SessionId,
    path: &Path,
) -> Result<bool, WriteError> {
    let Some(tool) = context.tools.get(&key.tool) else {
        return Ok(false);
    };
    let Ok(was) = Stamp::of(path) else {
        return Ok(false);
    };
    // Files that several sessions share never block one of them.
    let id = session.as_str();
    let own = id.get(..8).unwrap_or(id);
    if !path.to_string_lossy().contains(own) {
        return Ok(false);
    }
    if !tool
        .sessions(&context.machine, Which::One(session))
        .found
        .is_empty()
    {
        return Ok(false);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    keep(context, key, &name, path, 0..was.len)?;
    let io_error = |source| WriteError::Io {
        path: path.into(),
        source,
    };
    match Stamp::of(path).map_err(io_error)? == was {
        true => std::fs::remove_file(path).map(|()| true).map_err(io_error),
        false => Ok(false),
    }
}

fn source<'a>(
    context: &'a Context,
    tool: &'a ToolId,
    record: &'a SessionRecord,
    step: &'a Step,
    (cwd, done): (&'a Path, &'a RefCell<BTreeSet<Neutral>>),
) -> Box<dyn Bytes + 'a> {
    let state = &record.docs[step.doc()];
    let (from, to) = ends(step, state.trie.start());
    let edges = match state.kind {
        DocKind::Log => state.trie.path_between(from, to),
        DocKind::Snapshot => state.trie.path(to),
    };
    let lines = Lines {
        journal_reader: context.journal_reader(tool, &record.journals, step.doc()),
        edges: edges.unwrap_or_default(),
    };
    match state.kind {
        DocKind::Log => {
            // If a gap line stands for a larger line of this device, the file is longer than what
            // is recorded.
            let local = state
                .local
                .as_ref()
                .filter(|local| local.tip == from && matches!(step, Step::Append { .. }));
            let (start, doc) = (
                local.map_or(state.trie.size(from).1, |local| local.bytes),
                step.doc(),
            );
            Box::new(Neutrally {
                lines,
                start,
                context,
                tool,
                doc,
                record,
                cwd,
                done,
            })
        }
        DocKind::Snapshot => Box::new(Whole(lines)),
    }
}

fn ends(step: &Step, start: ChainId) -> (ChainId, ChainId) {
    match step {
        Step::Create { to, .. } | Step::Replace { to, .. } => (start, *to),
        Step::Append { from, to, .. } => (*from, *to),
        Step::Remove { .. } => (start, start),
    }
}

fn write_of<'a>(
    record: &'a SessionRecord,
    step: &'a Step,
    bytes: &'a dyn Bytes,
) -> Option<DocWrite<'a>> {
    let state = &record.docs[step.doc()];
    let change = match (step, &state.local) {
        (Step::Create { .. }, _) => Change::Create(bytes),
        (Step::Append { .. }, Some(local)) => Change::Append {
            path: &local.path,
            was: local.stamp,
            from: local.bytes,
            bytes,
        },
        (Step::Replace { .. }, Some(local)) => Change::Replace {
            path: &local.path,
            was: local.stamp,
            bytes,
        },
        (Step::Remove { .. }, Some(local)) => Change::Remove {
            path: &local.path,
            was: local.stamp,
        },
        _ => return None,
    };
    Some(DocWrite {
        name: step.doc(),
        place: &state.at,
        change,
    })
}

/// Moves the base forward to what was written; a file that cannot be read back is reconciled at the
/// next event.
fn wrote(
    record: &mut SessionRecord,
    step: &Step,
    (path, stamp): (&Path, Stamp),
    changes: BTreeSet<Neutral>,
) -> Option<(DocName, u64, u64)> {
    let rebound = record
        .rebound
        .as_ref()
        .filter(|_| record.main() == Some(step.doc()))
        .map(ParentLink::patch);
    let state = record.docs.get_mut(step.doc())?;
    if step.is_whole() {
        state.neutral.clear();
    }
    state.neutral.extend(changes);
    let content = restored(Content::File(path.to_path_buf()), state, rebound);
    if let Step::Remove { .. } = step {
        // As if it had never been there: undoing the decision restores it.
        state.local = None;
        return Some((step.doc().clone(), 0, 0));
    }
    let (from, to) = ends(step, state.trie.start());
    let (mut lines, mut bytes) = state.trie.size(to);
    let (lines_before, bytes_before) = state.trie.size(from);
    let appended = state
        .local
        .as_ref()
        .filter(|_| matches!(step, Step::Append { .. }));
    let gaps = appended.map_or(0, |local| local.gaps);
    if let Some(local) = appended {
        bytes = local.bytes + bytes.saturating_sub(bytes_before);
    }
    let added = bytes.saturating_sub(appended.map_or(bytes_before, |local| local.bytes));
    let is_file = Stamp::of(path).is_ok_and(|now| now == stamp);
    if appended.is_some() && state.kind == DocKind::Log && !is_file {
        // The tool wrote meanwhile, perhaps before these lines: only what was read last is known.
        return None;
    }
    let tail = match state.kind {
        DocKind::Log => content
            .open()
            .and_then(|mut file| tail_hash(file.as_mut(), bytes))
            .ok()?,
        // The tool's version of the content is read when it changes.
        DocKind::Snapshot if !is_file => {
            (lines, bytes) = (1, stamp.len);
            String::new()
        }
        DocKind::Snapshot => {
            let (mut file, mut hasher) = (opener::file(path).ok()?, blake3::Hasher::new());
            hasher.update_reader(&mut file).ok()?;
            (lines, bytes) = (1, hasher.count());
            hasher.finalize().to_hex().to_string()
        }
    };
    let at = state.at.clone();
    state.local = Some(LocalDoc {
        path: path.to_path_buf(),
        place: at,
        stamp,
        tip: to,
        bytes,
        lines,
        tail,
        there: true,
        compared: true,
        ours: true,
        gaps,
    });
    Some((
        step.doc().clone(),
        added,
        lines.saturating_sub(lines_before),
    ))
}
