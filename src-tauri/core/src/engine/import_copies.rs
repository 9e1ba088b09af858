//! Importing the conflict copies of all stores: a reconcile of each session that has some, and one
//! answer after the last of them.

use super::queue::ReconcileRequest;
use super::{Engine, TakingIn};
use crate::api::answer::{Reply, value};
use crate::api::types::{ApiError, TakenIn};
use crate::reconcile::takein::conflict_copies;
use crate::session::{ProblemCode, Remedy, SessionKey};
use crate::tools::ConflictCopy;
use std::collections::BTreeMap;

impl Engine {
    /// Reconciles each session that has conflict copies; the answer comes after the last reconcile.
    pub(super) fn import_copies(&mut self, reply: Reply) {
        if self.taking_in.is_some() {
            return reply(Err(ApiError::new(
                ProblemCode::TakingIn,
                "Conflict copies are already being imported.",
                "Wait until it ends.",
            )
            .offer(Remedy::OpenDiagnostics)));
        }
        let mut by_session: BTreeMap<SessionKey, Vec<ConflictCopy>> = BTreeMap::new();
        for (tool, conflict_copy) in conflict_copies(
            &self.context,
            self.on_tools().iter().map(|(_, tool)| tool.as_ref()),
        ) {
            by_session
                .entry(SessionKey::new(&tool, &conflict_copy.session))
                .or_default()
                .push(conflict_copy);
        }
        let waiting = by_session.keys().cloned().collect();
        self.taking_in = Some(TakingIn {
            waiting,
            done: TakenIn::default(),
            reply,
        });
        for (key, conflict_copies) in by_session {
            let session = conflict_copies
                .first()
                .map(|conflict_copy| conflict_copy.session.clone());
            self.schedule(
                key,
                ReconcileRequest {
                    session,
                    take_in: Some(conflict_copies),
                    ..ReconcileRequest::default()
                },
            );
        }
        self.end_taking_in();
    }

    /// Collects the result for the copies of one session.
    pub(super) fn copies_imported(&mut self, key: &SessionKey, taken: TakenIn) {
        let Some(taking) = self
            .taking_in
            .as_mut()
            .filter(|taking| taking.waiting.contains(key))
        else {
            return;
        };
        taking.waiting.remove(key);
        taking.done.taken.extend(taken.taken);
        taking.done.left.extend(taken.left);
        self.end_taking_in();
    }

    fn end_taking_in(&mut self) {
        if let Some(taking) = self.taking_in.take_if(|taking| taking.waiting.is_empty()) {
            (taking.reply)(value(taking.done));
        }
    }
}
