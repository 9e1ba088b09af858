//! Steering records in other devices' lines: written in neutral form, restored before anything is
//! recorded, and held if a device sent nothing else. The adapter knows which words steer; the trie
//! knows who wrote a line.

use super::context::Context;
use super::record::{DocState, Neutral, SessionRecord};
use crate::merge::{Obstacle, Step, Verdict};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::chain::lines_of;
use crate::session::{ChainId, DocKind, DocName, Edge, Line, Reason, ToolId};
use crate::tools::{Content, FoundDoc, Patch, Steer, Steering};
use crate::vault::JournalError;
use crate::vault::journal_reader::JournalReader;
use crate::vault::journal_reader::Run;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// How much of a session is read to find the settings it was run with before.
const LOOKED_BACK: u64 = 8 << 20;
/// The most values that are reported by name.
const TOLD: usize = 8;

/// Whether this device's own tool wrote the lines. A branch that was taken over belongs to another
/// device until its own tool continues it elsewhere: the recording device need not be the author.
pub fn is_own(context: &Context, record: &SessionRecord, edge: &Edge) -> bool {
    if edge.source.relayed || record.is_branch(None) {
        return false;
    }
    let former = || {
        context
            .shared()
            .former
            .get(&edge.source.device)
            .is_some_and(|until| edge.at.wall <= *until)
    };
    edge.source.device == context.short || former()
}

/// The places where whole lines that begin at `at` are written differently; `cwd` is the session's
/// directory here.
pub fn neutral(
    context: &Context,
    tool: &ToolId,
    doc: &DocName,
    cwd: &Path,
    (mut at, lines): (u64, &[u8]),
) -> Vec<Neutral> {
    let Some(tool) = context.tools.get(tool) else {
        return Vec::new();
    };
    let edits = tool.about().steering.neutral;
    let mut found = Vec::new();
    for line in lines_of(lines) {
        let of_line = |edit: crate::tools::Edit| Neutral {
            at: at + edit.at as u64,
            recorded: edit.recorded,
            written: edit.written,
        };
        found.extend(edits(doc, line, cwd).into_iter().map(of_line));
        at += line.len() as u64;
    }
    found
}

/// Writes lines that begin at `at`, with the changes of `neutral` applied in their order. The lines
/// are copied only if changes overlap.
pub fn write_neutral(
    out: &mut dyn Write,
    (at, mut lines): (u64, &[u8]),
    neutral: &[Neutral],
) -> io::Result<()> {
    let end = |change: &Neutral| change.at + change.written.len() as u64;
    let mut ordered: Vec<&Neutral> = neutral.iter().collect();
    ordered.sort_by_key(|change| change.at);
    if ordered.windows(2).any(|two| two[1].at < end(two[0])) {
        return out.write_all(&written(lines, at, neutral));
    }
    let mut from = at;
    for change in ordered {
        let (before, rest) = lines.split_at((change.at - from) as usize);
        out.write_all(before)?;
        out.write_all(change.written.as_bytes())?;
        (lines, from) = (&rest[change.written.len()..], end(change));
    }
    out.write_all(lines)
}

/// The lines, which begin at `at`, with the changes of `neutral` applied.
pub fn written(lines: &[u8], at: u64, neutral: &[Neutral]) -> Vec<u8> {
    let mut lines = lines.to_vec();
    for change in neutral {
        let start = (change.at - at) as usize;
        lines[start..start + change.written.len()].copy_from_slice(change.written.as_bytes());
    }
    lines
}

/// Updates `neutral` of a log to what its file in the store holds. Changes that this device wrote
/// but did not save are found in the journals.
pub fn find_neutral(
    session: SessionMut<'_>,
    doc: &DocName,
    file: &Content,
) -> Result<(), JournalError> {
    let (context, key, record) = session.parts();
    let Some(state) = record
        .docs
        .get(doc)
        .filter(|state| state.kind == DocKind::Log)
    else {
        return Ok(());
    };
    let known: Vec<ChainId> = match &state.local {
        Some(local) => state
            .trie
            .path(local.tip)
            .unwrap_or_default()
            .iter()
            .map(|edge| edge.tip)
            .collect(),
        None => Vec::new(),
    };
    let foreign = |edge: &&Edge| !known.contains(&edge.tip) && !is_own(context, record, edge);
    let journal_reader = context.journal_reader(&key.tool, &record.journals, doc);
    let mut found = state.neutral.clone();
    for edge in state.trie.edges().iter().filter(foreign) {
        let mut at = state.trie.size(edge.after).1;
        each_steered(
            context,
            &key.tool,
            &journal_reader,
            edge,
            |lines, is_raw| {
                if !is_raw {
                    // The former changes depended on the former directory: what the file holds now
                    // decides.
                    found.extend(neutral(context, &key.tool, doc, Path::new(""), (at, lines)));
                }
                at += lines.len() as u64;
            },
        )?;
    }
    if found == state.neutral && state.local.is_some() {
        return Ok(());
    }
    found.retain(|change| is_there(file, change));
    found.sort();
    found.dedup();
    record.docs.get_mut(doc).expect("looked at above").neutral = found;
    Ok(())
}

/// Calls `each` with the lines of an edge, in order. A record in pieces is passed piece by piece,
/// as raw bytes, if nothing in it can steer; otherwise as a line, and then it is held whole, one at
/// a time.
pub fn each_steered(
    context: &Context,
    tool: &ToolId,
    journal_reader: &JournalReader<'_>,
    edge: &Edge,
    mut each: impl FnMut(&[u8], bool),
) -> Result<(), JournalError> {
    static ONE: Mutex<()> = Mutex::new(());
    // No steering word is longer: a word across two pieces is found in their overlap.
    const OVERLAP: usize = 4 << 10;
    let concerns = context
        .tools
        .get(tool)
        .map_or((|_| true) as fn(&[u8]) -> bool, |tool| {
            tool.about().steering.concerns
        });
    let mut steers = BTreeSet::new();
    let (mut record, mut before) = (0, Vec::new());
    // A record that is not worth a second reading is held whole and handled like any other.
    let is_long = context.sizes.whole < edge.bytes;
    if is_long {
        journal_reader.runs(edge, |run| {
            if let Run::Piece(_, piece) = run {
                if piece.n == 0 {
                    (record, before) = (record + 1, Vec::new());
                }
                let joint = [&before[..], &piece.bytes[..OVERLAP.min(piece.bytes.len())]].concat();
                if concerns(&joint) || concerns(&piece.bytes) {
                    steers.insert(record);
                }
                before = piece.bytes[piece.bytes.len().saturating_sub(OVERLAP)..].to_vec();
            }
            Ok(())
        })?;
    }
    let _one = (!steers.is_empty()).then(|| ONE.lock().unwrap_or_else(PoisonError::into_inner));
    let (mut record, mut whole) = (0, Vec::new());
    journal_reader.runs(edge, |run| {
        match run {
            Run::Lines(_, lines) => each(&lines, false),
            Run::Piece(_, piece) => {
                record += usize::from(piece.n == 0);
                if is_long && !steers.contains(&record) {
                    each(&piece.bytes, true);
                    return Ok(());
                }
                whole.extend_from_slice(&piece.bytes);
                if piece.n + 1 == piece.of {
                    each(&whole, false);
                    whole = Vec::new();
                }
            }
        }
        Ok(())
    })
}

fn is_there(file: &Content, change: &Neutral) -> bool {
    let Ok(mut file) = file.open() else {
        return false;
    };
    let mut there = vec![0; change.written.len()];
    let read = file
        .seek(std::io::SeekFrom::Start(change.at))
        .and_then(|_| file.read_exact(&mut there));
    read.is_ok() && there == change.written.as_bytes()
}

/// The doc's content as it is recorded.
pub fn restored(content: Content, state: &DocState, more: Option<Patch>) -> Content {
    let patch = |change: &Neutral| Patch {
        offset: change.at,
        shown: change.recorded.clone().into_bytes(),
        there: change.written.clone().into_bytes(),
    };
    let patches: Vec<Patch> = state.neutral.iter().map(patch).chain(more).collect();
    match content {
        content if patches.is_empty() => content,
        Content::Patched(path, _) => Content::Patched(path, patches),
        content => content.patched(patches),
    }
}

/// The doc's content without what stays on this device. Lines that were recorded with it stay.
pub fn without_private(
    session: Session<'_>,
    doc: &FoundDoc,
    content: Content,
    mut private: Vec<Patch>,
) -> Result<Content, JournalError> {
    let (context, key, record) = session.parts();
    let state = record
        .docs
        .get(&doc.name)
        .filter(|_| doc.kind == DocKind::Log);
    let last = private.iter().map(|patch| patch.offset).max();
    if let (Some(state), Some(last)) = (state, last) {
        let lines = lines_through(&content, last).unwrap_or_default();
        let start = state.trie.start();
        let lines = Line::chained(start, &lines, |_| true);
        let journal_reader = context.journal_reader(&key.tool, &record.journals, &doc.name);
        let (known, _) = state.trie.walk(start, &lines, &journal_reader)?;
        let end = lines[..known].last().map_or(0, |line| line.end);
        private.retain(|patch| end <= patch.offset);
    }
    Ok(content.patched(private))
}

/// The lines of a log through the one with this place.
fn lines_through(content: &Content, place: u64) -> io::Result<Vec<u8>> {
    let mut reader = io::BufReader::new(content.open()?);
    let mut lines = Vec::new();
    reader.by_ref().take(place).read_to_end(&mut lines)?;
    reader.read_until(b'\n', &mut lines)?;
    Ok(lines)
}

/// Removes the steps that would give the tool another device's copies of files to restore, if that
/// is not safe; returns why. `cwd` is the session's directory here.
pub fn withhold(
    session: SessionMut<'_>,
    steps: &mut Vec<Step>,
    (cwd, target): (&Path, Option<ChainId>),
) -> Result<Option<String>, JournalError> {
    let (context, key, record) = session.parts();
    let Some(restores) = context
        .tools
        .get(&key.tool)
        .and_then(|tool| tool.about().steering.restores)
    else {
        return Ok(None);
    };
    let seen: &SessionRecord = record;
    let is_foreign = |step: &Step| match step {
        Step::Create { doc, to } | Step::Append { doc, to, .. } | Step::Replace { doc, to, .. } => {
            let last = seen.docs[doc]
                .trie
                .path(*to)
                .and_then(|path| path.last().copied());
            (restores.is_one)(doc) && last.is_some_and(|edge| !is_own(context, seen, edge))
        }
        Step::Remove { .. } => false,
    };
    if !steps.iter().any(is_foreign) {
        return Ok(None);
    }
    let Some((name, to)) = seen.main().cloned().zip(target) else {
        return Ok(None);
    };
    let main = &seen.docs[&name];
    // Lines are only added: what was refused stays refused.
    let known = seen
        .withheld
        .clone()
        .filter(|(at, _)| main.trie.is_ancestor(*at, to))
        .map(|(_, why)| why);
    let why = match known {
        Some(why) => Some(why),
        None => {
            let refused = |lines: &[u8]| (restores.refused)(lines, cwd);
            refused_in(Session::new(context, key, seen), (&name, to), refused)?
        }
    };
    if why.is_some() {
        let kept = steps
            .iter()
            .filter(|step| !is_foreign(step))
            .cloned()
            .collect();
        *steps = kept;
    }
    record.withheld = why.clone().map(|why| (to, why));
    Ok(why)
}

/// Why copies of files that a doc names may not be restored. A log is examined entry by entry; what
/// another device's record in pieces names is not known, so nothing is restored then.
fn refused_in(
    session: Session<'_>,
    (name, to): (&DocName, ChainId),
    refused: impl Fn(&[u8]) -> Option<String>,
) -> Result<Option<String>, JournalError> {
    let (context, key, record) = session.parts();
    let state = &record.docs[name];
    let path = state.trie.path(to).unwrap_or_default();
    let journal_reader = context.journal_reader(&key.tool, &record.journals, name);
    if state.kind == DocKind::Snapshot {
        return Ok(refused(&journal_reader.content(state.kind, &path)?));
    }
    let mut why = None;
    for edge in path {
        let own = is_own(context, record, edge);
        journal_reader.runs(edge, |run| {
            why = why.take().or_else(|| match run {
                Run::Lines(_, lines) => refused(&lines),
                Run::Piece(_, piece) if !own => Some(format!(
                    "a record of {} MB, which is too large to be examined",
                    piece.size / 1_000_000
                )),
                Run::Piece(..) => None,
            });
            Ok(())
        })?;
    }
    Ok(why)
}

/// Holds a tail of other devices that has no messages and grants the session a right: it stays in
/// the journals until the user releases it, and is not applied then either. Usual settings, or
/// those that the device ran the session with before, are what a tool notes when it opens a
/// session: they arrive neutral, without a question, and the transcript shows them.
pub fn held(session: Session<'_>, verdict: &Verdict) -> Option<Verdict> {
    let Session {
        context, record, ..
    } = session;
    let Verdict::Checkout(steps) = verdict else {
        return None;
    };
    let main = record.main()?;
    let Step::Append { doc, from, to } = steps.iter().find(|step| step.doc() == main)? else {
        return None;
    };
    if record.released || 0 < record.docs[doc].trie.messages_between(*from, *to) {
        return None;
    }
    let changes = changed(session, doc, (*from, *to)).unwrap_or_default();
    let (_, device) = changes.first()?;
    let name = context.shared().name_of(device);
    let told = changes
        .iter()
        .take(TOLD)
        .map(|(steer, _)| format!("{} = {}", steer.name, steer.value));
    let what: Vec<String> = told.collect();
    Some(Verdict::Held(Obstacle {
        reason: Reason::Steered,
        why: format!(
            "{name} changed only what the tool may do in this session: {}.",
            what.join(", ")
        ),
        hint: "None of it is applied on this device. You can continue as before, or accept the \
               lines without applying them."
            .into(),
        steps: steps.clone(),
    }))
}

/// The settings in other devices' lines between two nodes, each with its device: those that are
/// more than usual, and differ from the session's last setting and that device's last one.
fn changed(
    session: Session<'_>,
    doc: &DocName,
    (from, to): (ChainId, ChainId),
) -> Result<Vec<(Steer, String)>, JournalError> {
    let (context, key, record) = session.parts();
    let Some(tool) = context.tools.get(&key.tool) else {
        return Ok(Vec::new());
    };
    let Steering { sets, usual, .. } = tool.about().steering;
    let state = &record.docs[doc];
    let journal_reader = context.journal_reader(&key.tool, &record.journals, doc);
    let of_edge = |edge: &Edge| -> Result<Vec<Steer>, JournalError> {
        let mut found = Vec::new();
        journal_reader.pieces(edge, |_, lines| {
            found.extend(lines_of(lines).flat_map(|line| sets(doc, line)));
            Ok(())
        })?;
        Ok(found)
    };
    // Each value counts alone: a later or second value in a line hides nothing.
    let mut new: BTreeMap<Steer, String> = BTreeMap::new();
    for edge in state.trie.path_between(from, to).unwrap_or_default() {
        if is_own(context, record, edge) {
            continue;
        }
        let sets = of_edge(edge)?.into_iter().filter(|steer| !usual(steer));
        new.extend(sets.map(|steer| (steer, edge.source.device.clone())));
    }
    let (mut last, mut read) = (BTreeMap::new(), 0);
    for edge in state.trie.path(from).unwrap_or_default().into_iter().rev() {
        let by = &edge.source.device;
        if new
            .iter()
            .all(|(steer, device)| last.contains_key(&(steer.name.clone(), Some(device.clone()))))
            || LOOKED_BACK < read
        {
            break;
        }
        let in_edge: BTreeMap<String, String> = of_edge(edge)?
            .into_iter()
            .map(|steer| (steer.name, steer.value))
            .collect();
        for (name, value) in in_edge {
            for whose in [None, Some(by.clone())] {
                last.entry((name.clone(), whose))
                    .or_insert_with(|| value.clone());
            }
        }
        read += edge.bytes;
    }
    let is_new = |(steer, device): &(Steer, String)| {
        let mut before = [None, Some(device.clone())]
            .into_iter()
            .map(|whose| last.get(&(steer.name.clone(), whose)));
        before.all(|value| value != Some(&steer.value))
    };
    Ok(new.into_iter().filter(is_new).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_without_a_copy_is_the_same(changes in prop::collection::vec((0u64..40, "[a-z]{0,6}"), 0..6)) {
            let lines: Vec<u8> = (0..50).map(|n| b'A' + n % 26).collect();
            let neutral: Vec<Neutral> = changes
                .into_iter()
                .map(|(at, written)| Neutral { at: at + 7, recorded: written.to_uppercase(), written })
                .collect();
            let mut out = Vec::new();
            write_neutral(&mut out, (7, &lines), &neutral).expect("memory takes everything");
            prop_assert_eq!(out, written(&lines, 7, &neutral));
        }
    }
}
