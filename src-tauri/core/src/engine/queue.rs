//! The queue of sessions to reconcile: present changes before history, each session once at a time.

use crate::reconcile::Job;
use crate::reconcile::resolve::Decision;
use crate::reconcile::split::ForkPlan;
use crate::session::{Lane, SessionId, SessionKey, ToolId};
use crate::timing::{self, Stage};
use crate::tools::ConflictCopy;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

/// Why and how a session is to be reconciled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReconcileRequest {
    pub session: Option<SessionId>,
    pub dirs: BTreeSet<(String, Lane, String)>,
    pub deep: bool,
    /// Part of the first import: recorded in `bulk`, after everything urgent.
    pub import: bool,
    /// The user has seen another device's rewrite of the session and accepts it.
    pub released: bool,
    /// The user wants the session back in the tool's store, though it was deleted there.
    pub restored: bool,
    /// The same for a session that vanished with many others, which nobody has noted as deleted.
    pub vanished: bool,
    /// The directory of this device in which the user wants the session.
    pub pin: Option<PathBuf>,
    /// The session it is a branch of, and which branch.
    pub parent: Option<(SessionKey, ForkPlan)>,
    /// The user's decisions, with the numbers of those who wait for an answer.
    pub decisions: Vec<(u64, Decision)>,
    /// Conflict copies that the user wants to import; `None` for any other request.
    pub take_in: Option<Vec<ConflictCopy>>,
}

impl ReconcileRequest {
    /// The same request again.
    pub fn again(job: &Job) -> Self {
        Self {
            session: job.session.clone(),
            dirs: job.dirs.iter().cloned().collect(),
            deep: job.deep,
            import: job.lane == Lane::Bulk,
            pin: job.pin.clone(),
            ..Self::default()
        }
    }

    /// Adds what a later request for the same session wants.
    pub fn include(&mut self, later: Self) {
        self.session = later.session.or(self.session.take());
        self.dirs.extend(later.dirs);
        self.deep |= later.deep;
        self.released |= later.released;
        self.restored |= later.restored;
        self.vanished |= later.vanished;
        self.pin = later.pin.or(self.pin.take());
        self.parent = later.parent.or(self.parent.take());
        self.decisions.extend(later.decisions);
        self.take_in = later.take_in.or(self.take_in.take());
        self.import &= later.import;
    }
}

#[derive(Debug, Default)]
pub struct Queue {
    urgent: Lineup,
    import: Lineup,
    requests: HashMap<SessionKey, Queued>,
    running: HashSet<SessionKey>,
    /// Sessions whose directory is about to be another one.
    moving: HashSet<SessionKey>,
    running_imports: HashSet<SessionKey>,
    /// How many of the requests are part of the first import.
    n_imports: usize,
    /// The number of the next session to be added.
    next: u64,
}

/// Sessions by tool, each with the number under which it was added. A number that is no longer the
/// session's is skipped: taking a session out of the middle would cost a walk through the others.
type Lineup = BTreeMap<ToolId, VecDeque<(u64, SessionKey)>>;

#[derive(Debug)]
struct Queued {
    number: u64,
    request: ReconcileRequest,
    /// When it was added.
    since: Instant,
}

impl Queue {
    /// The most workers at once, with at most [`Queue::IMPORTS`] for the first import: some wait
    /// for the disk while others pack, and one worker is always free for present changes.
    pub const WORKERS: usize = 4;
    const IMPORTS: usize = 3;

    /// The cost does not depend on how many sessions wait.
    pub fn add(&mut self, key: SessionKey, request: ReconcileRequest) {
        if request.pin.is_some() {
            self.moving.insert(key.clone());
        }
        match self.requests.get_mut(&key) {
            Some(Queued {
                number,
                request: known,
                ..
            }) => {
                if known.import && !request.import {
                    *number = self.next;
                    self.next += 1;
                    self.n_imports -= 1;
                    line_up(&mut self.urgent, *number, key);
                }
                known.include(request);
            }
            None => {
                let number = self.next;
                self.next += 1;
                let lineup = match request.import {
                    true => &mut self.import,
                    false => &mut self.urgent,
                };
                line_up(lineup, number, key.clone());
                self.n_imports += usize::from(request.import);
                let queued = Queued {
                    number,
                    request,
                    since: Instant::now(),
                };
                self.requests.insert(key, queued);
            }
        }
    }

    /// The next session to reconcile, if a worker is free for it. The sessions of some tools wait.
    pub fn pop(
        &mut self,
        waits: impl Fn(&ToolId) -> bool,
    ) -> Option<(SessionKey, ReconcileRequest)> {
        if self.running.len() >= Self::WORKERS {
            return None;
        }
        let (requests, running) = (&self.requests, &self.running);
        let key = match first(&mut self.urgent, requests, running, &waits) {
            Some(key) => key,
            None if self.running_imports.len() < Self::IMPORTS => {
                first(&mut self.import, requests, running, &waits)?
            }
            None => return None,
        };
        let Queued { request, since, .. } = self.requests.remove(&key)?;
        self.give_back();
        timing::record(Stage::Queued, since.elapsed());
        self.running.insert(key.clone());
        if request.import {
            self.n_imports -= 1;
            self.running_imports.insert(key.clone());
        }
        Some((key, request))
    }

    /// After very many sessions were waiting, their places are no longer needed.
    fn give_back(&mut self) {
        const USUAL: usize = 1000;
        if self.requests.is_empty() && USUAL < self.requests.capacity() {
            self.requests = HashMap::new();
            self.urgent.clear();
            self.import.clear();
        }
    }

    /// Returns whether the session was part of the first import.
    pub fn done(&mut self, key: &SessionKey) -> bool {
        self.running.remove(key);
        let queued = self.requests.get(key);
        if queued.is_none_or(|queued| queued.request.pin.is_none()) {
            self.moving.remove(key);
        }
        self.running_imports.remove(key)
    }

    /// Whether the session was asked to be in another directory, and may not be there yet.
    pub fn is_moving(&self, key: &SessionKey) -> bool {
        self.moving.contains(key)
    }

    /// Whether the session waits for a worker.
    pub fn is_waiting(&self, key: &SessionKey) -> bool {
        self.requests.contains_key(key)
    }

    pub fn len(&self) -> usize {
        self.requests.len() + self.running.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn importing(&self) -> bool {
        0 < self.n_imports || !self.running_imports.is_empty()
    }
}

fn line_up(lineup: &mut Lineup, number: u64, key: SessionKey) {
    match lineup.get_mut(&key.tool) {
        Some(lined) => lined.push_back((number, key)),
        None => {
            lineup.insert(key.tool.clone(), [(number, key)].into());
        }
    }
}

fn is_valid(requests: &HashMap<SessionKey, Queued>, number: u64, key: &SessionKey) -> bool {
    requests
        .get(key)
        .is_some_and(|queued| queued.number == number)
}

/// Takes out the session that waits longest, of those that do not have to wait longer.
fn first(
    lineup: &mut Lineup,
    requests: &HashMap<SessionKey, Queued>,
    running: &HashSet<SessionKey>,
    waits: impl Fn(&ToolId) -> bool,
) -> Option<SessionKey> {
    let mut found: Option<(u64, ToolId, usize)> = None;
    for (tool, lined) in lineup.iter_mut().filter(|(tool, _)| !waits(tool)) {
        while let Some((number, key)) = lined.front()
            && !is_valid(requests, *number, key)
        {
            lined.pop_front();
        }
        // Skips the sessions that workers reconcile now; there are no more of them than workers.
        let at = lined
            .iter()
            .position(|(number, key)| is_valid(requests, *number, key) && !running.contains(key));
        if let Some(at) = at
            && found
                .as_ref()
                .is_none_or(|(number, ..)| lined[at].0 < *number)
        {
            found = Some((lined[at].0, tool.clone(), at));
        }
    }
    let (_, tool, at) = found?;
    let (_, key) = lineup.get_mut(&tool)?.remove(at)?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sessions_of_a_tool_whose_store_is_not_listed_yet_wait_and_no_others() {
        let mut queue = Queue::default();
        let key = |tool: &str, session: &str| {
            SessionKey::new(&ToolId::new(tool), &SessionId::new(session))
        };
        for (tool, import) in [("slow", false), ("slow", true), ("quick", true)] {
            let request = ReconcileRequest {
                import,
                ..ReconcileRequest::default()
            };
            queue.add(key(tool, if import { "a" } else { "b" }), request);
        }
        let is_slow = |tool: &ToolId| tool.as_str() == "slow";
        let taken = queue.pop(is_slow).map(|(key, _)| key);
        assert_eq!(taken, Some(key("quick", "a")));
        assert_eq!(queue.pop(is_slow), None);
        let nobody = |_: &ToolId| false;
        assert_eq!(
            queue.pop(nobody).map(|(key, _)| key),
            Some(key("slow", "b"))
        );
        assert_eq!(
            queue.pop(nobody).map(|(key, _)| key),
            Some(key("slow", "a"))
        );
    }

    #[test]
    fn a_session_of_the_import_that_changes_comes_first_and_once() {
        let mut queue = Queue::default();
        let key = |session: &str| SessionKey::new(&ToolId::new("x"), &SessionId::new(session));
        let of = |import: bool| ReconcileRequest {
            import,
            ..ReconcileRequest::default()
        };
        for session in ["a", "b", "c"] {
            queue.add(key(session), of(true));
        }
        queue.add(key("c"), of(false));
        queue.add(key("d"), of(false));
        assert_eq!((queue.len(), queue.importing()), (4, true));
        let nobody = |_: &ToolId| false;
        let mut order = Vec::new();
        while let Some((key, request)) = queue.pop(nobody) {
            order.push((key.clone(), request.import));
            queue.done(&key);
        }
        let expected = [("c", false), ("d", false), ("a", true), ("b", true)];
        assert_eq!(
            order,
            expected.map(|(session, import)| (key(session), import))
        );
        assert!(queue.is_empty() && !queue.importing());
    }

    #[test]
    fn a_session_that_is_reconciled_now_waits_for_its_turn_and_others_do_not() {
        let mut queue = Queue::default();
        let key = |session: &str| SessionKey::new(&ToolId::new("x"), &SessionId::new(session));
        let nobody = |_: &ToolId| false;
        for session in ["a", "a", "b"] {
            queue.add(key(session), ReconcileRequest::default());
        }
        assert_eq!(queue.pop(nobody).map(|(key, _)| key), Some(key("a")));
        queue.add(key("a"), ReconcileRequest::default());
        assert_eq!(queue.pop(nobody).map(|(key, _)| key), Some(key("b")));
        assert_eq!(queue.pop(nobody), None);
        queue.done(&key("a"));
        assert_eq!(queue.pop(nobody).map(|(key, _)| key), Some(key("a")));
    }
}
