//! Lines that another device wrote and withdrew: it shortened or changed the tail of a log that it
//! had written alone. Such a change is followed without a question. This file finds the author of
//! the lines, and generations of a snapshot that leave out what others wrote; the plan decides what
//! to do.

use super::record::{SessionRecord, Withdrawal};
use super::recorder::{RecordError, Recorder};
use super::split::judged;
use crate::merge::Step;
use crate::merge::snapshots::{Judged, are_json, is_torn_json};
use crate::reconcile::session::Session;
use crate::session::{ChainId, DocKind, DocName, Edge, Line, LineSource};
use crate::vault::{Entry, JournalError};
use std::collections::BTreeSet;

/// The device, by short id, whose own tail these steps withdraw and nothing else; `None` if any
/// other device has a part in it.
pub fn author(session: Session<'_>, steps: &[Step]) -> Result<Option<String>, JournalError> {
    let mut author: Option<String> = None;
    for step in steps {
        let (doc, from, to) = match step {
            Step::Create { .. } | Step::Append { .. } => continue,
            Step::Replace { doc, from, to } => (doc, *from, *to),
            Step::Remove { .. } => return Ok(None),
        };
        let device = author_of(session, doc, (from, to))?;
        let (Some(device), true) = (&device, author.is_none() || author == device) else {
            return Ok(None);
        };
        author = Some(device.clone());
    }
    Ok(author)
}

/// How the content of a snapshot shows that something was taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It lacks messages.
    Messages,
    /// It was cut off. What else its content means is not known.
    End,
}

/// Whether a generation between these two of a snapshot lacks what another device than its author
/// had recorded before it. Its own last content, which nobody continued from, a device may change: so
/// it does while an answer grows.
pub fn takes_back(
    session: Session<'_>,
    doc: &DocName,
    (from, to): (ChainId, ChainId),
    loss: Loss,
) -> Result<bool, JournalError> {
    let Some(state) = session.record.docs.get(doc) else {
        return Ok(false);
    };
    let trie = &state.trie;
    let news = trie.path_between(from, to).unwrap_or_default();
    // The last generation of each stretch that one device recorded.
    let mut ends: Vec<(&Edge, bool)> = Vec::new();
    for edge in trie.path(to).unwrap_or_default() {
        let is_new = news.contains(&edge);
        if ends
            .last()
            .is_some_and(|(last, _)| is_by_the_same(last, edge))
        {
            ends.pop();
        }
        ends.push((edge, is_new));
    }
    for pair in ends.windows(2) {
        let [(before, _), (after, is_new)] = pair else {
            continue;
        };
        let ends = (after.tip, before.tip);
        let is_lost = |loss| match loss {
            Loss::Messages => Ok::<_, JournalError>(!keeps_messages(session, doc, ends)?),
            Loss::End => is_cut_off(session, doc, ends),
        };
        if *is_new && is_lost(loss)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_by_the_same(one: &Edge, other: &Edge) -> bool {
    one.source.device == other.source.device && one.source.relayed == other.source.relayed
}

/// Whether the messages at `new` include all those at `old`.
fn keeps_messages(
    session: Session<'_>,
    doc: &DocName,
    (new, old): (ChainId, ChainId),
) -> Result<bool, JournalError> {
    match judged(session, doc, (new, old))? {
        Judged::First | Judged::Same => Ok(true),
        Judged::Both => Ok(false),
        // Of the same messages, the one with the earlier time or title may count for less.
        Judged::Second => Ok(n_records(session, doc, new)? == n_records(session, doc, old)?),
    }
}

fn n_records(session: Session<'_>, doc: &DocName, tip: ChainId) -> Result<usize, JournalError> {
    let (context, key, record) = session.parts();
    let content = content(session, doc, tip)?;
    let records = context.records(&key.tool, record.docs[doc].kind);
    Ok(records.map_or(0, |records| records(&content).len()))
}

/// Whether the content at `new` is half of what its tool was writing: the JSON that it was is broken,
/// or it is only a beginning of that at `old`. A text from which whole lines were taken is an edit.
fn is_cut_off(
    session: Session<'_>,
    doc: &DocName,
    (new, old): (ChainId, ChainId),
) -> Result<bool, JournalError> {
    let (new, old) = (content(session, doc, new)?, content(session, doc, old)?);
    let is_beginning = new.len() < old.len() && old.starts_with(&new);
    let is_whole = new.ends_with(b"\n") || are_json(&new);
    Ok(is_beginning && !is_whole || are_json(&old) && is_torn_json(&new))
}

fn content(session: Session<'_>, doc: &DocName, tip: ChainId) -> Result<Vec<u8>, JournalError> {
    let (context, key, record) = session.parts();
    let state = &record.docs[doc];
    let path = state.trie.path(tip).unwrap_or_default();
    { context.journal_reader(&key.tool, &record.journals, doc) }.content(state.kind, &path)
}

fn author_of(
    session: Session<'_>,
    doc: &DocName,
    (from, to): (ChainId, ChainId),
) -> Result<Option<String>, JournalError> {
    let Session {
        context, record, ..
    } = session;
    let Some(state) = record
        .docs
        .get(doc)
        .filter(|state| state.kind == DocKind::Log)
    else {
        return Ok(None);
    };
    let trie = &state.trie;
    let kept = trie.meet(from, to);
    if kept == trie.start() {
        // No line is left: that is another session with the same name, not a tail.
        return Ok(None);
    }
    let lost = trie.path_between(kept, from).unwrap_or_default();
    let Some(device) = lost.first().map(|edge| edge.source.device.clone()) else {
        return Ok(None);
    };
    let is_its = |edge: &Edge| edge.source.device == device && !edge.source.relayed;
    let nodes: BTreeSet<ChainId> = lost.iter().map(|edge| edge.tip).collect();
    let took_back = trie.replaced().iter().any(|replaced| {
        replaced.device == device
            && trie.is_ancestor(from, replaced.old)
            && !trie.is_ancestor(from, replaced.new)
    });
    // Another device continued, or began a branch in the middle.
    let goes_on = trie
        .edges()
        .iter()
        .any(|edge| nodes.contains(&edge.after) && !is_its(edge));
    if device == context.short || !lost.iter().all(|edge| is_its(edge)) || !took_back || goes_on {
        return Ok(None);
    }
    match is_in_others(session, doc, &device, &lost)? {
        true => Ok(None),
        false => Ok(Some(device)),
    }
}

/// Whether another device's journal also has one of the lines: then that device may have written
/// it, whichever was read first. A former identity of the author is another device: two machines
/// had that key, so the lines may be the other one's.
fn is_in_others(
    session: Session<'_>,
    doc: &DocName,
    device: &str,
    lost: &[&Edge],
) -> Result<bool, JournalError> {
    let (context, key, record) = session.parts();
    let journal_reader = context.journal_reader(&key.tool, &record.journals, doc);
    let mut lines: BTreeSet<ChainId> = BTreeSet::new();
    for edge in lost {
        lines.extend(journal_reader.tips(edge)?.into_iter().map(|line| line.tip));
    }
    let mut found = false;
    for journal in record
        .journals
        .values()
        .filter(|journal| journal.device != device)
    {
        journal_reader.scan(journal, |_, entry| match entry {
            Entry::Lines {
                doc: of,
                after,
                bytes,
                ..
            } if of == doc => {
                found |= Line::chained(*after, bytes, |_| true)
                    .iter()
                    .any(|line| lines.contains(&line.tip));
            }
            Entry::Piece(piece) if piece.doc == *doc => found |= lines.contains(&piece.tip),
            _ => {}
        })?;
    }
    Ok(found)
}

/// Undoes following another device's change: this device records that its doc holds the lines
/// again.
pub(super) fn put_back(
    record: &mut SessionRecord,
    recorder: &mut Recorder<'_>,
    back: &Withdrawal,
) -> Result<(), RecordError> {
    let at = record
        .docs
        .get(&back.doc)
        .map(|state| state.at.clone())
        .unwrap_or_default();
    let entry = Entry::Lines {
        doc: back.doc.clone(),
        at,
        after: back.old,
        tip: back.old,
        replaces: Some(back.new),
        bytes: Vec::new(),
    };
    recorder.push(record, entry, Vec::new())?;
    recorder.flush(record)?;
    record.withdrawals.retain(|known| known != back);
    // The user has seen what this replaces.
    record.released = true;
    Ok(())
}
