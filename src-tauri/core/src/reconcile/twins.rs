//! Two files with one session's id in a tool's store: what only one of them holds is recorded as a
//! branch before the user is advised to move one away. The lines are republished, like those of a
//! conflict copy: the session's own file is the other one.

use super::context::Context;
use super::record::{DocState, SessionRecord};
use super::recorder::{Recorded, Recorder};
use super::takein::{TakeInError, bytes_of, is_generation, read, record_log};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::{DocKind, Lane, SessionKey};
use crate::tools::{ConflictCopy, Facts, Stamp, Tool, Twin};
use std::path::PathBuf;

/// Records what the journals lack of another main doc, once for each state of it. The session
/// already has a journal.
pub fn record_twin(
    context: &Context,
    tool: &dyn Tool,
    (key, record): (&SessionKey, &mut SessionRecord),
    twin: &Twin,
    excluded: impl Fn(&SessionRecord, &Facts) -> bool,
    lane: Lane,
) -> Result<Recorded, TakeInError> {
    if is_recorded(record, twin) {
        return Ok(Recorded::default());
    }
    let doc = &twin.doc;
    let conflict_copy = ConflictCopy {
        session: twin.session.clone(),
        doc: doc.name.clone(),
        kind: doc.kind,
        main: true,
        at: doc.at.clone(),
        path: doc.path.clone(),
        stamp: doc.stamp,
        live: None,
    };
    let (facts, content) = read(context, tool, &conflict_copy).map_err(TakeInError::Read)?;
    if excluded(record, &facts) {
        return Err(TakeInError::Excluded);
    }
    if Stamp::of(&doc.path).is_ok_and(|now| now != doc.stamp) {
        return Err(TakeInError::Moving);
    }
    let recorded = match doc.kind {
        DocKind::Log => record_log(
            SessionMut::new(context, key, record),
            (&conflict_copy, None),
            &content,
            lane,
        )?,
        DocKind::Snapshot => {
            let bytes = bytes_of(&content).map_err(TakeInError::Read)?;
            let known = is_generation(Session::new(context, key, record), &conflict_copy, &bytes)?;
            match known {
                true => Recorded::default(),
                false => generation(
                    SessionMut::new(context, key, record),
                    &conflict_copy,
                    &bytes,
                    lane,
                )?,
            }
        }
    };
    record.twins.retain(|(path, _)| *path != doc.path);
    record.twins.push((doc.path.clone(), doc.stamp));
    Ok(recorded)
}

/// Whether the journals have all of the twin.
fn is_recorded(record: &SessionRecord, twin: &Twin) -> bool {
    record
        .twins
        .iter()
        .any(|known: &(PathBuf, Stamp)| *known == (twin.doc.path.clone(), twin.doc.stamp))
}

fn generation(
    session: SessionMut<'_>,
    conflict_copy: &ConflictCopy,
    bytes: &[u8],
    lane: Lane,
) -> Result<Recorded, TakeInError> {
    let (context, key, record) = session.parts();
    let card = record
        .cards
        .get(&context.short)
        .map(|said| said.card.clone())
        .or_else(|| record.latest().cloned());
    let (Some(session), Some(card)) = (record.session.clone(), card) else {
        return Err(TakeInError::NoSession);
    };
    let start = match record.docs.get(&conflict_copy.doc) {
        Some(state) if state.kind == DocKind::Snapshot => state.trie.start(),
        Some(_) => return Err(TakeInError::OtherContent),
        None => DocState::new(DocKind::Snapshot, conflict_copy.at.clone())
            .trie
            .start(),
    };
    let mut recorder = Recorder::new(context, key, &session, lane, record, card);
    recorder.generation_of(record, (&conflict_copy.doc, ""), start, bytes)?;
    Ok(recorder.finish(record)?)
}
