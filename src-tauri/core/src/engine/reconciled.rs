//! What a reconcile achieved, taken over by the loop: answered, sent, remembered, and followed by
//! what it makes necessary elsewhere.

use super::Engine;
use super::queue::ReconcileRequest;
use super::retries::{JournalDir, Passing};
use crate::api::answer::value;
use crate::reconcile::Effects;
use crate::reconcile::record::SessionRecord;
use crate::session::{Lane, Problem, ProblemCode, Reason, SessionId};
use crate::state::{State, StateError};
use crate::timing::Stage;
use std::collections::BTreeSet;

/// The most results of the first import that are saved as one.
pub(super) const MOST_GATHERED: usize = 128;
/// Problems that leave a session unreconciled: it is tried again.
const UNFINISHED: [ProblemCode; 3] = [
    ProblemCode::JournalUnreadable,
    ProblemCode::SessionUnreadable,
    ProblemCode::NotRecorded,
];

impl Engine {
    /// Applies the effects that a worker really achieved.
    pub(super) fn reconciled(&mut self, mut effects: Effects) -> Result<(), StateError> {
        let key = effects.key.clone();
        let imported = self.queue.done(&key);
        if self.forgetting.hides(&key)
            || self.goes_with_forgotten(&key, &effects.record, &effects.row)
        {
            // Forgotten during the reconcile: the effects are dropped, and what was written is
            // removed.
            self.schedule(key, ReconcileRequest::default());
            return Ok(());
        }
        self.answer_and_send(&mut effects);
        self.note_problems(&mut effects);
        self.missing_paths.remove(&key);
        self.n_worked += 1;
        self.remember(&effects, imported)?;
        for (device, lane) in &effects.tampered {
            self.transport
                .revert(crate::syncthing::folder_id(*lane, device));
        }
        self.schedule_related(&effects)?;
        self.note_effects(&mut effects)?;
        if imported {
            self.import.done += 1;
            self.import.bytes += effects.row.bytes;
            self.end_import();
        }
        if !effects.again {
            self.retries.rested(&key);
            return Ok(());
        }
        let request = ReconcileRequest {
            session: effects.record.session,
            import: imported,
            // Where the session belongs was saved; it moves now.
            pin: effects.pin,
            ..ReconcileRequest::default()
        };
        self.reconcile_again(key, request);
        Ok(())
    }

    /// Answers those who wait, and sends what is in the journal, even if the state cannot be saved.
    fn answer_and_send(&mut self, effects: &mut Effects) {
        for (number, answer) in std::mem::take(&mut effects.answers) {
            if let Some((_, reply)) = self.replies.remove(&number) {
                reply(answer.and_then(value));
            }
        }
        if let Some(taken) = effects.taken.take() {
            self.copies_imported(&effects.key, taken);
        }
        let announce = &effects.announce;
        if announce.iter().any(|(lane, _)| *lane == Lane::Priority) {
            self.code_is_due(&effects.key, &effects.record);
        }
        for lane in Lane::ALL {
            let paths: BTreeSet<String> = announce
                .iter()
                .filter(|(at, _)| *at == lane)
                .map(|(_, path)| path.clone())
                .collect();
            if !paths.is_empty() {
                self.transport.announce(lane, paths.into_iter().collect());
            }
        }
    }

    /// Reports the session's problems, and notes whether it must be tried again.
    fn note_problems(&mut self, effects: &mut Effects) {
        let problems = std::mem::take(&mut effects.problems);
        let blocks = |problem: &Problem| UNFINISHED.contains(&problem.code);
        let unfinished = problems.iter().any(blocks);
        let passing = match effects.row.reason {
            _ if unfinished => Some(Passing::Perhaps),
            Some(Reason::JustWritten | Reason::TakenBack) => Some(Passing::WithinSeconds),
            Some(Reason::Unwritable) => Some(Passing::Perhaps),
            // The store as a whole can be read: this passes with the session.
            Some(Reason::UnknownShape) if !self.listings.is_unknown(&effects.key.tool) => {
                Some(Passing::Perhaps)
            }
            _ => None,
        };
        let now = self.context.clock.steady();
        let session = effects.session.as_ref();
        self.retries.note_ended(&effects.key, session, passing, now);
        if passing.is_some() {
            self.retry_later();
        }
        self.note_tried(&effects.key, effects.row.reason);
        self.set_session_problems(&effects.key, problems);
    }

    /// Saves record, row and history in one transaction, and schedules the search index. Many
    /// results of the first import are saved as one: nobody waits for them.
    fn remember(&mut self, effects: &Effects, imported: bool) -> Result<(), StateError> {
        let _timed = Stage::Saved.begin();
        // What is not part of the import is saved at once and by itself.
        if !imported {
            self.commit_gathered();
        }
        let key = &effects.key;
        let print = self.print_for_search(&effects.record, &effects.row);
        let seen = effects.seen.filter(|_| self.is_seen_checked);
        let mut news = None;
        let remember = |state: &State| {
            state.put(key, &effects.row, &effects.packed)?;
            state.put_part(key, effects.record.whole(key).as_ref())?;
            let card = effects.record.origin();
            let required = card.into_iter().flat_map(|card| &card.requires);
            state.put_required(key, required.map(SessionId::as_str))?;
            news = Self::unsearch_changed(state, key, print.as_ref())?;
            Self::note_seen(state, key, seen, self.seen.get(key))?;
            effects
                .holds
                .iter()
                .try_for_each(|doc| state.put_holder(key, doc))?;
            effects
                .happenings
                .iter()
                .try_for_each(|happening| state.add_history(happening))?;
            put_segments(state, &effects.record)
        };
        let remembered = match imported {
            true => self.state.gather(remember),
            false => self.state.together(remember),
        };
        if let Err(error) = remembered {
            self.seen.remove(key);
            let dirs = journal_dirs(&effects.record);
            self.retries.add_unsaved(key.clone(), dirs);
            if effects.pin.is_some() {
                let pin = effects.pin.clone();
                self.postpone(
                    key.clone(),
                    ReconcileRequest {
                        pin,
                        ..ReconcileRequest::default()
                    },
                );
            }
            return Err(error);
        }
        match imported {
            true => self
                .gathered
                .push((key.clone(), journal_dirs(&effects.record))),
            false => self.set_problem("state", None),
        }
        match (print, news) {
            (Some(_), Some(news)) => self.search_follows(key, news, imported),
            (None, _) => self.search_drops(key)?,
            (Some(_), None) => {}
        }
        Ok(())
    }

    /// Saves the gathered results of the first import. Those that cannot be saved are read again.
    pub(super) fn commit_gathered(&mut self) {
        let gathered = std::mem::take(&mut self.gathered);
        match self.state.commit() {
            Ok(()) if gathered.is_empty() => {}
            Ok(()) => self.set_problem("state", None),
            Err(error) => {
                for (key, dirs) in gathered {
                    self.seen.remove(&key);
                    self.retries.add_unsaved(key, dirs);
                }
                self.unwritable(&error);
            }
        }
    }

    /// Schedules the sessions that depend on this one.
    fn schedule_related(&mut self, effects: &Effects) -> Result<(), StateError> {
        let (key, record) = (&effects.key, &effects.record);
        self.state_more(record);
        self.schedule_forks(key, record, &effects.layout)?;
        self.schedule_dependents(key, record, &effects.row.needs)
    }

    /// Takes over what the reconcile learnt about this device and its projects.
    fn note_effects(&mut self, effects: &mut Effects) -> Result<(), StateError> {
        let key = &effects.key;
        for device in &effects.cloned {
            self.noticed_clone(device);
        }
        let session = effects.record.session.as_ref();
        self.note_here(key, session, effects.record.is_here());
        self.retries
            .note_compared(key, effects.record.is_compared());
        self.note_open(key, effects.open_in.take());
        if effects.row.reason == Some(Reason::NoPlace)
            && let Some(card) = effects.record.origin()
        {
            self.note_homeless(&card.project);
        }
        if let Some(lesson) = &effects.learned {
            self.learn(lesson)?;
        }
        if let Some((project, place)) = &effects.placed {
            self.placed(project, place)?;
        }
        Ok(())
    }
}

/// How much of each journal the record stands for.
fn put_segments(state: &State, record: &SessionRecord) -> Result<(), StateError> {
    record.journals.values().try_for_each(|journal| {
        journal.segments.iter().try_for_each(|segment| {
            let name = crate::vault::segment_name(segment.number);
            state.put_segment(&format!("{}/{name}", journal.dir), segment.bytes)
        })
    })
}

fn journal_dirs(record: &SessionRecord) -> BTreeSet<JournalDir> {
    let journals = record.journals.values();
    journals
        .map(|journal| (journal.device.clone(), journal.lane, journal.dir.clone()))
        .collect()
}
