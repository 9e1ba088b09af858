//! The queue of sessions to reconcile: present changes before history, each session once at a time.

use super::resolve::Decision;
use super::split::ForkPlan;
use crate::session::{Lane, SessionId, SessionKey, ToolId};
use crate::tools::ConflictCopy;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;

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

#[derive(Debug, Default)]
pub struct Queue {
    urgent: VecDeque<SessionKey>,
    import: VecDeque<SessionKey>,
    requests: HashMap<SessionKey, ReconcileRequest>,
    running: HashSet<SessionKey>,
    running_imports: HashSet<SessionKey>,
}

impl Queue {
    /// The most workers at once, with at most [`Queue::IMPORTS`] for the first import: some wait
    /// for the disk while others pack, and one worker is always free for present changes.
    pub const WORKERS: usize = 4;
    const IMPORTS: usize = 3;

    pub fn add(&mut self, key: SessionKey, request: ReconcileRequest) {
        match self.requests.get_mut(&key) {
            Some(known) => {
                if known.import && !request.import {
                    self.import.retain(|queued| *queued != key);
                    self.urgent.push_back(key);
                }
                known.session = request.session.or(known.session.take());
                known.dirs.extend(request.dirs);
                known.deep |= request.deep;
                known.released |= request.released;
                known.restored |= request.restored;
                known.vanished |= request.vanished;
                known.pin = request.pin.or(known.pin.take());
                known.parent = request.parent.or(known.parent.take());
                known.decisions.extend(request.decisions);
                known.take_in = request.take_in.or(known.take_in.take());
                known.import &= request.import;
            }
            None => {
                if request.import {
                    self.import.push_back(key.clone())
                } else {
                    self.urgent.push_back(key.clone())
                }
                self.requests.insert(key, request);
            }
        }
    }

    /// The next session to reconcile, if a worker is free for it. The sessions of some tools wait.
    pub fn take(
        &mut self,
        waits: impl Fn(&ToolId) -> bool,
    ) -> Option<(SessionKey, ReconcileRequest)> {
        if self.running.len() >= Self::WORKERS {
            return None;
        }
        let ready = |queue: &VecDeque<SessionKey>, running: &HashSet<SessionKey>| {
            let mut queue = queue.iter();
            queue.position(|key| !running.contains(key) && !waits(&key.tool))
        };
        let key = match ready(&self.urgent, &self.running) {
            Some(at) => self.urgent.remove(at)?,
            None if self.running_imports.len() < Self::IMPORTS => {
                let at = ready(&self.import, &self.running)?;
                self.import.remove(at)?
            }
            None => return None,
        };
        let request = self.requests.remove(&key)?;
        self.running.insert(key.clone());
        if request.import {
            self.running_imports.insert(key.clone());
        }
        Some((key, request))
    }

    /// Returns whether the session was part of the first import.
    pub fn done(&mut self, key: &SessionKey) -> bool {
        self.running.remove(key);
        self.running_imports.remove(key)
    }

    pub fn len(&self) -> usize {
        self.requests.len() + self.running.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn importing(&self) -> bool {
        !self.import.is_empty() || !self.running_imports.is_empty()
    }
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
        let taken = queue.take(is_slow).map(|(key, _)| key);
        assert_eq!(taken, Some(key("quick", "a")));
        assert_eq!(queue.take(is_slow), None);
        let nobody = |_: &ToolId| false;
        assert_eq!(
            queue.take(nobody).map(|(key, _)| key),
            Some(key("slow", "b"))
        );
        assert_eq!(
            queue.take(nobody).map(|(key, _)| key),
            Some(key("slow", "a"))
        );
    }
}
