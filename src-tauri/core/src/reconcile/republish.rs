//! Lines that are not from this device's store and still belong in its journal, so that every
//! device gets them: lines that another machine signed beside a journal, lines of a former identity
//! of this device, lines of a conflict copy.
//!
//! Such an entry names no place (`at` is empty): this device vouches that the lines exist, not for
//! where they lie.

use super::context::Context;
use super::record::SessionRecord;
use super::recorder::{RecordError, Recorded, Recorder};
use crate::reconcile::session::SessionMut;
use crate::session::{Lane, Line, SessionKey};
use crate::vault::piece::Piece;
use crate::vault::{Entry, EquivocatedFrames, Frame, Journal, SessionCard};
use std::ops::ControlFlow;

/// Records the frames found beside a journal in the own one, each frame once. Both sides are
/// republished: the machine that wrote one side does not get the other, since it takes that folder
/// for its own.
pub fn republish(
    session: SessionMut<'_>,
    equivocated: &EquivocatedFrames,
    own: bool,
    lane: Lane,
) -> Result<Recorded, RecordError> {
    let (context, key, record) = session.parts();
    let is_new = |frame: &&Frame| !record.republished.contains(&frame.hash.0);
    if !equivocated.frames.iter().any(|frame| is_new(&frame)) {
        // Nobody writes beside the journal any more: the other machine is now a device of its own
        // and gets the journal itself.
        return Ok(Recorded::default());
    }
    let mut all = Recorded::default();
    if let Some((journal, first)) = equivocated.rivals.as_ref().filter(|_| !own) {
        let session = SessionMut::new(context, key, record);
        republish_rivals(session, journal, *first, lane, &mut all)?;
    }
    let frames: Vec<&Frame> = equivocated.frames.iter().collect();
    let session = SessionMut::new(context, key, record);
    all.add(republish_frames(session, &frames, lane)?);
    Ok(all)
}

/// Republishes the accepted frames from number `first` on, a few megabytes at a time.
fn republish_rivals(
    session: SessionMut<'_>,
    journal: &Journal,
    first: u64,
    lane: Lane,
    all: &mut Recorded,
) -> Result<(), RecordError> {
    const AT_ONCE: usize = 32 << 20;
    let (context, key, record) = session.parts();
    let mut failed = None;
    let (mut frames, mut size) = (Vec::new(), 0);
    let mut flush = |frames: &mut Vec<Frame>| {
        let session = SessionMut::new(context, key, record);
        let batch: Vec<&Frame> = frames.iter().collect();
        let recorded = republish_frames(session, &batch, lane);
        frames.clear();
        recorded.map(|recorded| all.add(recorded))
    };
    journal.each_accepted(&context.vault, |frame| {
        if frame.head.n < first {
            return ControlFlow::Continue(());
        }
        size += frame.size();
        frames.push(frame);
        if size < AT_ONCE {
            return ControlFlow::Continue(());
        }
        size = 0;
        match flush(&mut frames) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    match failed {
        Some(error) => Err(error),
        None => flush(&mut frames),
    }
}

/// Republishes those of the frames that were not republished before.
fn republish_frames(
    session: SessionMut<'_>,
    frames: &[&Frame],
    lane: Lane,
) -> Result<Recorded, RecordError> {
    let (context, key, record) = session.parts();
    let is_new = |frame: &&&Frame| !record.republished.contains(&frame.hash.0);
    let frames: Vec<&Frame> = frames.iter().filter(is_new).copied().collect();
    let Some(device) = frames.first().map(|frame| frame.head.device.short()) else {
        return Ok(Recorded::default());
    };
    let entries = || frames.iter().flat_map(|frame| &frame.entries);
    let said = entries().find_map(|entry| match entry {
        Entry::About(card) => Some(card.clone()),
        _ => None,
    });
    let passed_on = entries()
        .filter_map(foreign)
        .filter(|entry| !is_passed_on(record, &device, entry))
        .collect();
    let session = SessionMut::new(context, key, record);
    let recorded = record_entries(session, passed_on, said, lane)?;
    let hashes = frames.into_iter().map(|frame| frame.hash.0.clone());
    record.republished.extend(hashes);
    Ok(recorded)
}

/// Republishes what this device wrote under a former identity, once for each of its journals:
/// Syncthing does not send on another device's folder that only this device has. The result equals
/// lines written under the present identity.
pub fn republish_own(session: SessionMut<'_>) -> Result<Recorded, RecordError> {
    let (context, key, record) = session.parts();
    let former = context.shared().former.clone();
    let mut all = Recorded::default();
    for (name, journal) in record.journals.clone() {
        let Some(until) = former
            .get(&journal.device)
            .filter(|_| !record.republished.contains(&name))
        else {
            continue;
        };
        let mut frames = journal.accepted(&context.vault)?;
        frames.retain(|frame| frame.head.at.wall <= *until);
        let entries = frames.into_iter().flat_map(|frame| frame.entries);
        let entries = entries
            .filter(|entry| {
                matches!(
                    entry,
                    Entry::Lines { .. } | Entry::Whole { .. } | Entry::Piece(_)
                )
            })
            .collect();
        let tips: Vec<_> = record
            .docs
            .iter()
            .map(|(doc, state)| (doc.clone(), state.own_tip))
            .collect();
        let card = record
            .cards
            .get(&journal.device)
            .map(|device_card| device_card.card.clone());
        let recorded = record_entries(
            SessionMut::new(context, key, record),
            entries,
            card,
            journal.lane,
        )?;
        for (doc, tip) in tips {
            record.docs.get_mut(&doc).expect("no doc goes away").own_tip = tip;
        }
        record.republished.insert(name);
        all.add(recorded);
    }
    Ok(all)
}

/// Whether another device republished the entry first.
fn is_passed_on(record: &SessionRecord, device: &str, entry: &Entry) -> bool {
    let (Entry::Lines { doc, tip, .. }
    | Entry::Whole { doc, tip, .. }
    | Entry::Piece(Piece { doc, tip, .. })) = entry
    else {
        return false;
    };
    let path = record.docs.get(doc).and_then(|state| state.trie.path(*tip));
    path.and_then(|path| path.last().map(|edge| edge.source.device != device))
        .unwrap_or(false)
}

/// The entry as this device records it. Another device's withdrawal is not repeated: in doubt both
/// versions are kept.
fn foreign(entry: &Entry) -> Option<Entry> {
    let mut entry = entry.clone();
    match &mut entry {
        Entry::Lines { bytes, .. } if bytes.is_empty() => return None,
        Entry::Lines { at, replaces, .. } => (*at, *replaces) = (String::new(), None),
        Entry::Whole { at, .. } => at.clear(),
        Entry::Piece(Piece { at, replaces, .. }) => (*at, *replaces) = (String::new(), None),
        // A decision is named by its frame: republished it would be another decision.
        Entry::About(_)
        | Entry::Choice(_)
        | Entry::Device(_)
        | Entry::Title(_)
        | Entry::Unknown(_) => return None,
    }
    Some(entry)
}

/// Appends entries to the own journal and adds them to the tries; nothing about this device's store
/// changes. If this device has no card of the session yet, it records `card`, or the latest one;
/// without any card there is no place for a journal.
pub fn record_entries(
    session: SessionMut<'_>,
    entries: Vec<Entry>,
    card: Option<SessionCard>,
    lane: Lane,
) -> Result<Recorded, RecordError> {
    let (context, key, record) = session.parts();
    let Some(mut recorder) = recorder(context, key, record, (card, lane)) else {
        return Ok(Recorded::default());
    };
    for entry in entries {
        let tips = match &entry {
            Entry::Lines { after, bytes, .. } => {
                Line::chained(*after, bytes, context.is_message(&key.tool))
            }
            Entry::Whole { tip, bytes, .. } => vec![Line {
                tip: *tip,
                end: bytes.len() as u64,
                is_message: true,
            }],
            Entry::Piece(_)
            | Entry::About(_)
            | Entry::Choice(_)
            | Entry::Device(_)
            | Entry::Title(_)
            | Entry::Unknown(_) => Vec::new(),
        };
        recorder.push(record, entry, tips)?;
    }
    recorder.finish(record)
}

/// Records in this device's journal of a session, in the project the session began in, whichever
/// device continues it. Without any card there is no place for a journal.
pub(super) fn recorder<'a>(
    context: &'a Context,
    key: &'a SessionKey,
    record: &SessionRecord,
    (card, lane): (Option<SessionCard>, Lane),
) -> Option<Recorder<'a>> {
    let own = { record.cards.get(&context.short) }.map(|device_card| device_card.card.clone());
    let card = own.or(card).or_else(|| record.latest().cloned())?;
    let project = record
        .origin()
        .map_or_else(|| card.project.clone(), |origin| origin.project.clone());
    let card = SessionCard { project, ..card };
    let session = record.session.as_ref()?;
    Some(Recorder::new(context, key, session, lane, record, card))
}
