//! Sessions that are reconciled again although nothing happens to their files: what the last
//! reconcile could not do, and what changed too often or was not compared whole.

use super::Engine;
use super::event::Event;
use super::queue::ReconcileRequest;
use crate::session::{Lane, Problem, ProblemCode, Reason, SessionKey, ToolId};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

/// Reasons that pass without the user: such a session is reconciled again after a while.
pub(super) const PASSING: [Reason; 3] =
    [Reason::Unwritable, Reason::JustWritten, Reason::TakenBack];

/// A device, a lane of its vault and the directory of a session in it.
pub(super) type JournalDir = (String, Lane, String);

#[derive(Default)]
pub(super) struct Retries {
    /// Journals of sessions whose record could not be saved: the next reconcile reads them again.
    unsaved: HashMap<SessionKey, BTreeSet<JournalDir>>,
    /// What was wanted of sessions that the state could not be asked about, or on which a worker
    /// panicked.
    postponed: HashMap<SessionKey, ReconcileRequest>,
    /// How often in a row a worker panicked on a session.
    panics: HashMap<SessionKey, u8>,
    /// Sessions that the last reconcile could not read or record.
    unfinished: BTreeSet<SessionKey>,
    /// How often in a row a session changed while it was reconciled.
    restless: HashMap<SessionKey, u8>,
    /// Sessions with logs of which only the end was compared since their last change.
    uncompared: BTreeSet<SessionKey>,
    /// A retry is scheduled.
    waiting: bool,
}

impl Retries {
    /// The journals that the session's next reconcile must read again.
    pub(super) fn take_unsaved(&mut self, key: &SessionKey) -> BTreeSet<JournalDir> {
        self.unsaved.remove(key).unwrap_or_default()
    }

    pub(super) fn add_unsaved(&mut self, key: SessionKey, dirs: BTreeSet<JournalDir>) {
        self.unsaved.insert(key, dirs);
    }

    /// A worker panicked. The session is tried once more by itself, and then only when something
    /// happens to it: the panic may repeat for ever.
    pub(super) fn note_panicked(&mut self, key: &SessionKey) {
        let times = self.panics.entry(key.clone()).or_default();
        *times = times.saturating_add(1);
    }

    pub(super) fn take_postponed(&mut self, key: &SessionKey) -> Option<ReconcileRequest> {
        self.postponed.remove(key)
    }

    pub(super) fn note_finished(&mut self, key: &SessionKey, finished: bool) {
        self.panics.remove(key);
        note(&mut self.unfinished, key, !finished);
    }

    pub(super) fn note_compared(&mut self, key: &SessionKey, compared: bool) {
        note(&mut self.uncompared, key, !compared);
    }

    pub(super) fn uncompared(&self) -> Vec<SessionKey> {
        self.uncompared.iter().cloned().collect()
    }

    /// How often in a row, this time included, the session changed while it was reconciled.
    pub(super) fn changed_again(&mut self, key: &SessionKey) -> u8 {
        let times = self.restless.entry(key.clone()).or_default();
        *times = times.saturating_add(1);
        *times
    }

    pub(super) fn rested(&mut self, key: &SessionKey) {
        self.restless.remove(key);
    }

    /// The sessions to be tried again at the next occasion.
    pub(super) fn due(&self) -> BTreeSet<SessionKey> {
        let is_given_up = |key: &&SessionKey| self.panics.get(*key).is_some_and(|times| 1 < *times);
        let unsaved = self.unsaved.keys().chain(self.postponed.keys());
        let due = unsaved.chain(&self.unfinished);
        due.filter(|key| !is_given_up(key)).cloned().collect()
    }

    /// Whether a retry must be scheduled: none is yet.
    pub(super) fn begin_wait(&mut self) -> bool {
        !std::mem::replace(&mut self.waiting, true)
    }

    pub(super) fn end_wait(&mut self) {
        self.waiting = false;
    }

    /// Drops all that is pending for a session.
    pub(super) fn forget(&mut self, key: &SessionKey) {
        self.unsaved.remove(key);
        self.postponed.remove(key);
        self.panics.remove(key);
        self.unfinished.remove(key);
        self.restless.remove(key);
        self.uncompared.remove(key);
    }
}

fn note(set: &mut BTreeSet<SessionKey>, key: &SessionKey, member: bool) {
    if member {
        set.insert(key.clone());
    } else {
        set.remove(key);
    }
}

impl Engine {
    /// Schedules what must not wait for anything to happen, whichever device it is from.
    pub(super) fn retry_due(&mut self) {
        for key in self.retries.due() {
            let request = self.retries.take_postponed(&key).unwrap_or_default();
            self.schedule(key, request);
        }
    }

    /// Keeps what was wanted of a session for the next try. Decisions of somebody who was answered
    /// are dropped.
    pub(super) fn postpone(&mut self, key: SessionKey, mut request: ReconcileRequest) {
        request.decisions.retain(|(number, _)| *number == 0);
        request.take_in = None;
        match self.retries.postponed.entry(key) {
            Entry::Occupied(mut before) => before.get_mut().include(request),
            Entry::Vacant(free) => drop(free.insert(request)),
        }
        self.retry_later();
    }

    /// A full disk or a locked file may recover in seconds: retries well before the next poll.
    pub(super) fn retry_later(&mut self) {
        const SOON: std::time::Duration = std::time::Duration::from_secs(4);
        if self.retries.begin_wait() {
            self.jobs.after(SOON, Event::Retry);
        }
    }

    pub(super) fn retry_soon_again(&mut self) {
        self.retries.end_wait();
        self.retry_due();
        self.retry_everywhere(&PASSING);
    }

    /// Something changed during the reconcile. A file that never comes to rest waits for the next
    /// event or poll.
    pub(super) fn reconcile_again(&mut self, key: SessionKey, request: ReconcileRequest) {
        const AT_ONCE: u8 = 3;
        self.seen.remove(&key);
        let times = self.retries.changed_again(&key);
        if times > AT_ONCE {
            let message = format!(
                "The files of session {key} change all the time, or something else is where they belong."
            );
            let hint = "It is tried again. If this stays, look into the tool's store.";
            self.trouble(
                &format!("session {key} restless"),
                Some(Problem::new(ProblemCode::NotAtRest, message, hint)),
            );
        }
        if times <= AT_ONCE {
            self.schedule(key, request);
        }
    }

    /// Reconciles again the sessions of a tool that wait for this reason.
    pub(super) fn retry(&mut self, tool: &ToolId, reason: Reason) {
        for (key, _) in self.state.with_reason(reason).unwrap_or_default() {
            if key.tool == *tool {
                self.schedule(key, ReconcileRequest::default());
            }
        }
    }

    pub(super) fn retry_everywhere(&mut self, reasons: &[Reason]) {
        for reason in reasons {
            for (key, _) in self.state.with_reason(*reason).unwrap_or_default() {
                self.schedule(key, ReconcileRequest::default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionId;

    fn key(id: &str) -> SessionKey {
        SessionKey::new(&ToolId::new("x"), &SessionId::new(id))
    }

    #[test]
    fn a_session_is_due_until_it_was_saved_and_finished() {
        let mut retries = Retries::default();
        let (one, two) = (key("one"), key("two"));
        let dirs = BTreeSet::from([("d".to_owned(), Lane::Live, "x".to_owned())]);
        retries.add_unsaved(one.clone(), dirs.clone());
        retries.note_finished(&one, false);
        retries.note_finished(&two, false);
        assert_eq!(retries.due(), BTreeSet::from([one.clone(), two.clone()]));
        assert_eq!(retries.take_unsaved(&one), dirs);
        assert_eq!(retries.take_unsaved(&one), BTreeSet::new(), "only once");
        retries.note_finished(&one, true);
        assert_eq!(retries.due(), BTreeSet::from([two.clone()]));
        retries.forget(&two);
        assert_eq!(retries.due(), BTreeSet::new());
    }

    #[test]
    fn a_panic_is_tried_again_once_and_what_arrived_is_not_forgotten() {
        let mut retries = Retries::default();
        let one = key("one");
        let request = ReconcileRequest {
            dirs: BTreeSet::from([("d".to_owned(), Lane::Live, "x".to_owned())]),
            ..ReconcileRequest::default()
        };
        let panics = |retries: &mut Retries| {
            retries.note_panicked(&one);
            retries.postponed.insert(one.clone(), request.clone());
        };
        panics(&mut retries);
        assert_eq!(retries.due(), BTreeSet::from([one.clone()]));
        assert_eq!(retries.take_postponed(&one), Some(request.clone()));
        panics(&mut retries);
        assert_eq!(retries.due(), BTreeSet::new());
        let later = retries.take_postponed(&one);
        assert_eq!(later, Some(request.clone()), "when something happens");
        retries.note_finished(&one, true);
        panics(&mut retries);
        assert_eq!(retries.due(), BTreeSet::from([one.clone()]));
    }

    #[test]
    fn only_changes_in_a_row_count() {
        let mut retries = Retries::default();
        let one = key("one");
        assert_eq!(
            [retries.changed_again(&one), retries.changed_again(&one)],
            [1, 2]
        );
        retries.rested(&one);
        assert_eq!(retries.changed_again(&one), 1);
    }

    #[test]
    fn one_retry_waits_at_a_time() {
        let mut retries = Retries::default();
        assert!(retries.begin_wait());
        assert!(!retries.begin_wait());
        retries.end_wait();
        assert!(retries.begin_wait());
    }
}
