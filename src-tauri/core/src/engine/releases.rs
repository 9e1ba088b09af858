//! Sessions held or deleted here that continue at the user's request.

use super::Engine;
use super::answers::HELD;
use super::queue::ReconcileRequest;
use crate::api::answer::{Answer, done};
use crate::api::types::{ApiError, SessionRow};
use crate::session::{ProblemCode, Reason, Remedy, SessionKey, ToolId};
use crate::state::{Row, StateError};
use std::cmp::Reverse;

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
                    ProblemCode::NotHeld,
                    format!("Nothing that is called “{what}” is held."),
                    "",
                )
                .offer(Remedy::OpenStatus));
            }
            self.release_tool(&ToolId::new(tool));
            return done("The deletion is accepted. The sessions stay in the vault.");
        }
        let chosen = self.held_rows(what)?;
        if chosen.is_empty() {
            return Err(ApiError::new(
                ProblemCode::NotHeld,
                format!("Nothing that is called “{what}” is held."),
                "",
            )
            .offer(Remedy::OpenStatus));
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

    /// The sessions that are held for a reason, or the held one with an id.
    fn held_rows(&self, what: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let id = what.strip_prefix("session:").unwrap_or(what);
        let mut rows = Vec::new();
        for (reason, by) in HELD {
            let mut held = self.state.with_reason(reason)?;
            held.retain(|(_, row)| by.as_str() == what || row.session == id);
            rows.extend(held);
        }
        rows.sort_by_key(|(_, row)| Reverse(row.updated));
        Ok(rows)
    }

    /// The sessions that a hold is about, before the user releases it: those that a tool lost at once, that other
    /// devices want to forget, or that other devices rewrote.
    pub(super) fn held_sessions(&self, what: &str) -> Result<Vec<SessionRow>, ApiError> {
        if !what.contains(':') && what != super::forget::HELD {
            let held = self.held_rows(what)?;
            let rows = held.iter().map(|(key, row)| self.session_row(key, row));
            return Ok(rows.collect());
        }
        let tool = what.strip_prefix("tool:").map(ToolId::new);
        let keys = match tool {
            Some(tool) => self.vanished.get(&tool),
            None => Some(&self.forgetting.held).filter(|_| what == super::forget::HELD),
        };
        let rows = keys.into_iter().flatten().filter_map(|key| {
            let row = self.state.row(key).transpose()?;
            Some(row.map(|row| self.session_row(key, &row)))
        });
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    }

    /// Restores a session that was deleted from this device's store, or all that a held tool lost.
    pub(super) fn restore(&mut self, text: &str) -> Answer {
        if let Some(tool) = text
            .strip_prefix("tool:")
            .filter(|_| self.held.contains_key(text))
        {
            let n = self.restore_tool(&ToolId::new(tool));
            return done(match n {
                1 => "1 session is restored on this device.".into(),
                n => format!("{n} sessions are restored on this device."),
            });
        }
        let (key, row, record) = self.find(text)?;
        if record.is_here() {
            return Err(ApiError::new(
                ProblemCode::IsHere,
                format!("“{}” is already in this device's store.", row.title),
                "",
            )
            .offer(Remedy::ResumeSession {
                session: row.session.clone(),
            }));
        }
        if row.reason == Some(Reason::PutAway) {
            let mut error = ApiError::new(
                ProblemCode::PutAway,
                format!("“{}”: {}", row.title, row.why),
                row.hint.clone(),
            );
            error.actions = super::remedies::of_row(&key, &row);
            return Err(error);
        }
        self.schedule(
            key,
            ReconcileRequest {
                restored: true,
                ..ReconcileRequest::default()
            },
        );
        done(format!("“{}” is restored on this device.", row.title))
    }
}
