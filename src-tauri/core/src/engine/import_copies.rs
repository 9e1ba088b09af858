//! Importing the conflict copies of all stores: a reconcile of each session that has some, and one
//! answer after the last of them.

use super::event::Event;
use super::queue::ReconcileRequest;
use super::{Engine, TakingIn};
use crate::api::answer::{Reply, value};
use crate::api::types::{ApiError, TakenIn};
use crate::reconcile::takein::conflict_copies;
use crate::session::{ProblemCode, Remedy, SessionKey, ToolId};
use crate::tools::ConflictCopy;
use std::collections::{BTreeMap, BTreeSet};

impl Engine {
    /// Lists the stores beside the loop, and reconciles each session that has conflict copies; the
    /// answer comes after the last reconcile.
    pub(super) fn import_copies(&mut self, reply: Reply) {
        if self.taking_in.is_some() {
            return reply(Err(ApiError::new(
                ProblemCode::TakingIn,
                "Conflict copies are already being imported.",
                "Wait until it ends.",
            )
            .offer(Remedy::OpenDiagnostics)));
        }
        self.taking_in = Some(TakingIn {
            waiting: None,
            done: TakenIn::default(),
            reply,
        });
        let (context, tools) = (self.context.clone(), self.on_tools());
        self.jobs.spawn_for_event(Box::new(move || {
            let tools = tools.iter().map(|(_, tool)| tool.as_ref());
            Event::CopiesFound(conflict_copies(&context, tools))
        }));
    }

    /// The stores were listed.
    pub(super) fn copies_found(&mut self, found: Vec<(ToolId, ConflictCopy)>) {
        let listing = |taking: &&mut TakingIn| taking.waiting.is_none();
        let Some(taking) = self.taking_in.as_mut().filter(listing) else {
            return;
        };
        let mut by_session: BTreeMap<SessionKey, Vec<ConflictCopy>> = BTreeMap::new();
        for (tool, conflict_copy) in found {
            by_session
                .entry(SessionKey::new(&tool, &conflict_copy.session))
                .or_default()
                .push(conflict_copy);
        }
        taking.waiting = Some(by_session.keys().cloned().collect());
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
        let Some(taking) = &mut self.taking_in else {
            return;
        };
        let waiting = taking.waiting.as_mut();
        if !waiting.is_some_and(|waiting| waiting.remove(key)) {
            return;
        }
        taking.done.taken.extend(taken.taken);
        taking.done.left.extend(taken.left);
        self.end_taking_in();
    }

    fn end_taking_in(&mut self) {
        let is_over =
            |taking: &mut TakingIn| taking.waiting.as_ref().is_some_and(BTreeSet::is_empty);
        if let Some(taking) = self.taking_in.take_if(is_over) {
            (taking.reply)(value(taking.done));
        }
    }

    /// Work beside the loop came to no result: the listing, perhaps.
    pub(super) fn give_up_copies(&mut self) {
        let listing = |taking: &mut TakingIn| taking.waiting.is_none();
        if let Some(taking) = self.taking_in.take_if(listing) {
            (taking.reply)(Err(ApiError::new(
                ProblemCode::Internal,
                "The stores could not be listed.",
                "Nothing was changed. Please report it with the log file.",
            )));
        }
    }
}
