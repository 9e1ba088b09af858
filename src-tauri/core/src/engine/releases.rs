//! Sessions held or deleted here that continue at the user's request.

use super::Engine;
use super::answer::{Answer, done};
use super::answers::held_by;
use super::queue::ReconcileRequest;
use crate::api::types::ApiError;
use crate::session::{Reason, SessionKey, ToolId};
use crate::state::Row;

impl Engine {
    pub(super) fn release(&mut self, what: &str) -> Answer {
        if what == super::forget::HELD {
            return self.release_forgotten();
        }
        if let Some(name) = what.strip_prefix(super::set_aside::PREFIX) {
            return self.release_journal(name);
        }
        if let Some(tool) = what.strip_prefix("tool:") {
            if !self.held.contains_key(what) {
                return Err(ApiError::new(
                    "not_held",
                    format!("{what} is not held."),
                    "See `roam status`.",
                ));
            }
            self.release_tool(&ToolId::new(tool));
            return done("The sessions are gone from this device's store and stay in the vault.");
        }
        let rows = self.state.rows(None)?.into_iter();
        let id = what.strip_prefix("session:").unwrap_or(what);
        let chosen: Vec<(SessionKey, Row)> = rows
            .filter(|(_, row)| {
                held_by(row).is_some_and(|by| by.as_str() == what || row.session == id)
            })
            .collect();
        if chosen.is_empty() {
            return Err(ApiError::new(
                "not_held",
                format!("{what} is not held."),
                "See `roam status`.",
            ));
        }
        for (key, _) in &chosen {
            self.schedule(
                key.clone(),
                ReconcileRequest {
                    released: true,
                    ..ReconcileRequest::default()
                },
            );
        }
        let which = match chosen.as_slice() {
            [(_, row)] => format!("“{}” takes", row.title),
            _ => format!("{} sessions take", chosen.len()),
        };
        done(format!(
            "{which} the other device's version. What was here stays in the vault."
        ))
    }

    /// Restores a session that was deleted from this device's store.
    pub(super) fn restore(&mut self, text: &str) -> Answer {
        let (key, row, record) = self.find(text)?;
        if record.is_here() {
            return Err(ApiError::new(
                "is_here",
                format!("“{}” is in this device's store.", row.title),
                "Go on with it: `roam resume`.",
            ));
        }
        if row.reason == Some(Reason::PutAway) {
            return Err(ApiError::new(
                "put_away",
                format!("“{}”: {}", row.title, row.why),
                row.hint,
            ));
        }
        self.schedule(
            key,
            ReconcileRequest {
                restored: true,
                ..ReconcileRequest::default()
            },
        );
        done(format!(
            "“{}” is put back into this device's store.",
            row.title
        ))
    }
}
