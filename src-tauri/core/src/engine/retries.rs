//! Sessions that are reconciled again although nothing happens to their files: what the last
//! reconcile could not do, and what changed too often or was not compared whole.

use super::Engine;
use super::event::Event;
use super::queue::ReconcileRequest;
use crate::session::{Lane, Problem, ProblemCode, Reason, SessionId, SessionKey, ToolId};
use crate::state::StateError;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// Reasons that pass without the user: such a session is reconciled again after a while.
pub(super) const PASSING: [Reason; 3] =
    [Reason::Unwritable, Reason::JustWritten, Reason::TakenBack];

/// A session of which something was left undone is tried again after this time.
const SOON: Duration = Duration::from_secs(4);
/// What may never pass is tried again after twice as long each time, up to this.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Polls come this often; what is tried again more often than that is tried at each of them.
const POLL: Duration = Duration::from_secs(30);

/// How what a reconcile left undone passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passing {
    WithinSeconds,
    /// With the disk, the permissions or the tool, or never.
    Perhaps,
}

/// How long a session is not tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pause {
    /// The session's id: no record has it until something of the session is recorded.
    session: Option<SessionId>,
    length: Duration,
    until: Instant,
}

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
    /// Sessions of which the last reconcile left something undone that passes without the user.
    passing: HashMap<SessionKey, Pause>,
    /// One session of a tool at a time, of those that wait for it to be closed: it is tried for all
    /// of them.
    tried_for_all: BTreeSet<SessionKey>,
    /// The last such session of each tool, as the state has its key.
    last_tried: BTreeMap<ToolId, String>,
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

    /// A reconcile ended: with everything done, or with something undone that passes.
    pub(super) fn note_ended(
        &mut self,
        key: &SessionKey,
        session: Option<&SessionId>,
        passing: Option<Passing>,
        now: Instant,
    ) {
        self.panics.remove(key);
        let before = self.passing.remove(key);
        let before = before.map_or(Duration::ZERO, |pause| pause.length);
        let length = match passing {
            None => return,
            Some(Passing::WithinSeconds) => SOON,
            Some(Passing::Perhaps) => (2 * before).clamp(SOON, LONGEST),
        };
        let pause = Pause {
            session: session.cloned(),
            length,
            until: now + length,
        };
        self.passing.insert(key.clone(), pause);
    }

    /// Something happened to a session: what was left undone may be possible now.
    pub(super) fn end_pause(&mut self, key: &SessionKey) {
        self.passing.remove(key);
    }

    /// The sessions whose pause is over, those that wait longest first. They are not due again until
    /// their reconcile ends.
    fn take_passed(
        &mut self,
        now: Instant,
        is_poll: bool,
        most: usize,
    ) -> Vec<(SessionKey, Option<SessionId>)> {
        let is_over = |pause: &Pause| pause.until <= now || is_poll && pause.length < POLL;
        let over = self.passing.iter_mut();
        let mut over: Vec<(&SessionKey, &mut Pause)> =
            over.filter(|(_, pause)| is_over(pause)).collect();
        over.sort_by_key(|(_, pause)| pause.until);
        let over = over.into_iter().take(most);
        let take = |(key, pause): (&SessionKey, &mut Pause)| {
            pause.until = now + LONGEST;
            (key.clone(), pause.session.clone())
        };
        over.map(take).collect()
    }

    /// Whether a pause ends before the next poll.
    fn is_soon_over(&self, now: Instant) -> bool {
        self.passing.values().any(|pause| pause.until < now + POLL)
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
        unsaved.filter(|key| !is_given_up(key)).cloned().collect()
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
        self.passing.remove(key);
        self.tried_for_all.remove(key);
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
    /// Loads which sessions an earlier run left undone.
    pub(super) fn remember_passing(&mut self) -> Result<(), StateError> {
        let now = self.context.clock.steady();
        for reason in PASSING {
            for (key, _) in self.state.with_reason(reason)? {
                let pause = Pause {
                    session: None,
                    length: Duration::ZERO,
                    until: now,
                };
                self.retries.passing.entry(key).or_insert(pause);
            }
        }
        Ok(())
    }

    /// Schedules what must not wait for anything to happen, whichever device it is from.
    pub(super) fn retry_due(&mut self, is_poll: bool) {
        for key in self.retries.due() {
            let request = self.retries.take_postponed(&key).unwrap_or_default();
            self.schedule(key, request);
        }
        let (now, most) = (self.context.clock.steady(), self.context.sizes.slice);
        for (key, session) in self.retries.take_passed(now, is_poll, most) {
            self.schedule_again(key, session);
        }
        if self.retries.is_soon_over(now) {
            self.retry_later();
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
        if self.retries.begin_wait() {
            self.jobs.after(SOON, Event::Retry);
        }
    }

    pub(super) fn retry_soon_again(&mut self) {
        self.retries.end_wait();
        self.retry_due(false);
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
            self.set_problem(
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
        let waiting = self.state.of_tool_with_reason(tool, reason);
        for (key, _) in waiting.unwrap_or_default() {
            self.schedule(key, ReconcileRequest::default());
        }
    }

    /// Tries one of the sessions that wait until their tool is closed, in turn. Those that are open
    /// themselves are reconciled when they are closed.
    pub(super) fn try_closed(&mut self, tool: &ToolId) -> Result<(), StateError> {
        let last = self.retries.last_tried.remove(tool).unwrap_or_default();
        let mut next = self
            .state
            .next_of_tool_with_reason(tool, Reason::Live, &last)?;
        if next.is_none() && !last.is_empty() {
            next = self
                .state
                .next_of_tool_with_reason(tool, Reason::Live, "")?;
        }
        let Some((key, _)) = next else {
            return Ok(());
        };
        self.retries
            .last_tried
            .insert(tool.clone(), key.to_string());
        if !self.open_sessions.contains_key(&key) {
            self.retries.tried_for_all.insert(key.clone());
            self.schedule_again(key, None);
        }
        Ok(())
    }

    /// A session was reconciled. If it no longer waits for its tool to be closed, the others do not
    /// have to either.
    pub(super) fn note_tried(&mut self, key: &SessionKey, reason: Option<Reason>) {
        if !self.retries.tried_for_all.remove(key) || reason == Some(Reason::Live) {
            return;
        }
        let waiting = self.state.of_tool_with_reason(&key.tool, Reason::Live);
        for (other, _) in waiting.unwrap_or_default() {
            if !self.open_sessions.contains_key(&other) {
                self.schedule(other, ReconcileRequest::default());
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
        let dirs = BTreeSet::from([("d".to_owned(), Lane::Priority, "x".to_owned())]);
        retries.add_unsaved(one.clone(), dirs.clone());
        let now = Instant::now();
        retries.note_ended(&two, None, Some(Passing::Perhaps), now);
        assert_eq!(retries.due(), BTreeSet::from([one.clone()]));
        assert_eq!(retries.take_unsaved(&one), dirs);
        assert_eq!(retries.take_unsaved(&one), BTreeSet::new(), "only once");
        assert_eq!(retries.due(), BTreeSet::new());
        let passed = retries.take_passed(now + SOON, false, 9);
        assert_eq!(passed, [(two.clone(), None)]);
        retries.note_ended(&two, None, Some(Passing::Perhaps), now);
        retries.forget(&two);
        assert_eq!(retries.take_passed(now + LONGEST, true, 9), []);
    }

    /// A session that a tool always refuses, or that never fits on the disk, was tried again every
    /// few seconds for ever.
    #[test]
    fn what_never_passes_is_tried_ever_more_seldom() {
        let tries = |passing: Passing, change: Option<u32>| {
            let (mut retries, one, mut tries) = (Retries::default(), key("one"), 0);
            let mut now = Instant::now();
            retries.note_ended(&one, None, Some(passing), now);
            for n in 0..900 {
                now += SOON;
                if change == Some(n) {
                    retries.end_pause(&one);
                    retries.note_ended(&one, None, Some(passing), now);
                }
                for (due, _) in retries.take_passed(now, false, 9) {
                    tries += 1;
                    retries.note_ended(&due, None, Some(passing), now);
                }
            }
            tries
        };
        // In an hour.
        assert_eq!(tries(Passing::WithinSeconds, None), 900);
        let seldom = tries(Passing::Perhaps, None);
        assert!((8..=12).contains(&seldom), "{seldom}");
        let after_change = tries(Passing::Perhaps, Some(600));
        assert!(seldom < after_change && after_change <= 2 * seldom);
    }

    #[test]
    fn a_poll_tries_what_is_tried_often_and_a_slice_at_a_time() {
        let (mut retries, now) = (Retries::default(), Instant::now());
        for id in ["a", "b", "c"] {
            retries.note_ended(&key(id), None, Some(Passing::Perhaps), now);
        }
        assert_eq!(retries.take_passed(now, false, 2), []);
        assert_eq!(retries.take_passed(now, true, 2).len(), 2);
        assert_eq!(retries.take_passed(now + SOON, false, 2).len(), 1);
        assert!(!retries.is_soon_over(now + SOON), "all are being tried");
        for id in ["b", "c"] {
            retries.forget(&key(id));
        }
        let mut later = now;
        for _ in 0..4 {
            retries.note_ended(&key("a"), None, Some(Passing::Perhaps), later);
            later += LONGEST;
        }
        assert_eq!(retries.take_passed(later - LONGEST, true, 2), []);
    }

    #[test]
    fn a_panic_is_tried_again_once_and_what_arrived_is_not_forgotten() {
        let mut retries = Retries::default();
        let one = key("one");
        let request = ReconcileRequest {
            dirs: BTreeSet::from([("d".to_owned(), Lane::Priority, "x".to_owned())]),
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
        retries.note_ended(&one, None, None, Instant::now());
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
