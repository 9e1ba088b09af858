//! Two files with one session's id in a tool's store: what only one of them holds is recorded as a
//! branch before the user is advised to move one away. The lines are republished, like those of a
//! conflict copy: the session's own file is the other one.

use super::context::Context;
use super::record::{DocState, SessionRecord};
use super::recorder::{RecordError, Recorded, Recorder};
use super::steering::without_private;
use super::takein::{TakeInError, bytes_of, is_generation, record_log};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::{DocKind, Lane, SessionKey};
use crate::tools::{ConflictCopy, Content, Facts, Found, FoundDoc, Stamp, Tool, Twin};
use std::path::PathBuf;

/// Records what the journals lack of another main doc and of the docs beside it, once for each state
/// of them. The session already has a journal. Side docs come first, as in
/// [`record_session`](super::recorder::record_session).
pub fn record_twin(
    context: &Context,
    tool: &dyn Tool,
    (key, record): (&SessionKey, &mut SessionRecord),
    twin: &Twin,
    excluded: impl Fn(&SessionRecord, &Facts) -> bool,
    lane: Lane,
) -> Result<Recorded, TakeInError> {
    if twin.docs.iter().all(|doc| is_recorded(record, doc)) {
        return Ok(Recorded::default());
    }
    let found = Found {
        session: twin.session.clone(),
        docs: twin.docs.clone(),
        open_in: None,
    };
    let reading = tool
        .read(&context.machine, &found)
        .map_err(TakeInError::Read)?;
    if excluded(record, &reading.facts) {
        return Err(TakeInError::Excluded);
    }
    let mut recorded = Recorded::default();
    for (at, (doc, content)) in twin.docs.iter().zip(&reading.docs).enumerate().rev() {
        let is_kept_here =
            reading.secret.contains(&doc.name) && !context.shared().carry_secret_copies;
        if is_kept_here || is_recorded(record, doc) {
            continue;
        }
        // What has no file of its own has another stamp than the file that it is in.
        let is_file = at == 0 || !matches!(content, Content::Bytes(_));
        if is_file && Stamp::of(&doc.path).is_ok_and(|now| now != doc.stamp) {
            return Err(TakeInError::Moving);
        }
        let private = reading.private.get(&doc.name).cloned().unwrap_or_default();
        let session = Session::new(context, key, record);
        let content = without_private(session, doc, content.clone(), private);
        let content = content.map_err(RecordError::from)?;
        let copy = ConflictCopy {
            session: twin.session.clone(),
            doc: doc.name.clone(),
            kind: doc.kind,
            main: at == 0,
            place: doc.place.clone(),
            path: doc.path.clone(),
            stamp: doc.stamp,
            open_in: None,
        };
        let session = SessionMut::new(context, key, record);
        recorded.add(match doc.kind {
            DocKind::Log => record_log(session, (&copy, None), &content, lane)?,
            DocKind::Snapshot => record_snapshot(session, &copy, &content, lane)?,
        });
        record.twins.retain(|(path, _)| *path != doc.path);
        record.twins.push((doc.path.clone(), doc.stamp));
    }
    Ok(recorded)
}

/// Whether the journals have all of the doc.
fn is_recorded(record: &SessionRecord, doc: &FoundDoc) -> bool {
    record
        .twins
        .iter()
        .any(|known: &(PathBuf, Stamp)| *known == (doc.path.clone(), doc.stamp))
}

fn record_snapshot(
    session: SessionMut<'_>,
    copy: &ConflictCopy,
    content: &Content,
    lane: Lane,
) -> Result<Recorded, TakeInError> {
    let (context, key, record) = session.parts();
    let bytes = bytes_of(content).map_err(TakeInError::Read)?;
    // An emptied file is no content.
    if bytes.is_empty() || is_generation(Session::new(context, key, record), copy, &bytes)? {
        return Ok(Recorded::default());
    }
    let card = record
        .cards
        .get(&context.short)
        .map(|device_card| device_card.card.clone())
        .or_else(|| record.latest().cloned());
    let (Some(session), Some(card)) = (record.session.clone(), card) else {
        return Err(TakeInError::NoSession);
    };
    let (start, here) = match record.docs.get(&copy.doc) {
        Some(state) if state.kind == DocKind::Snapshot => (state.trie.start(), state.local.clone()),
        Some(_) => return Err(TakeInError::OtherContent),
        None => {
            let new = DocState::new(DocKind::Snapshot, copy.place.clone());
            (new.trie.start(), None)
        }
    };
    let mut recorder = Recorder::new(context, key, &session, lane, record, card);
    let beside = here.filter(|here| !copy.main && here.there);
    let Some(here) = beside else {
        recorder.generation_of(record, (&copy.doc, ""), start, &bytes)?;
        return Ok(recorder.finish(record)?);
    };
    // Nobody is asked about a doc beside the conversation: the one of the session's own file counts,
    // and is recorded once more behind the other.
    let own = {
        let state = &record.docs[&copy.doc];
        let path = state.trie.path(here.tip).unwrap_or_default();
        let journal_reader = context.journal_reader(&key.tool, &record.journals, &copy.doc);
        journal_reader.snapshot(&path)?
    };
    let other = recorder.generation_of(record, (&copy.doc, ""), here.tip, &bytes)?;
    let tip = recorder.generation_of(record, (&copy.doc, ""), other, &own)?;
    if let Some(local) = { record.docs.get_mut(&copy.doc) }.and_then(|state| state.local.as_mut()) {
        local.tip = tip;
    }
    Ok(recorder.finish(record)?)
}
