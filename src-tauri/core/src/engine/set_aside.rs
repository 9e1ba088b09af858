//! Journals and device files that ended the engine twice: reported, and read again at the user's
//! request. `vault/quarantine.rs` knows which files they are.

use super::Engine;
use super::vault_walk::{Lanes, Since};
use crate::api::answer::{Answer, done};
use crate::api::types::ApiError;
use crate::session::{Problem, ProblemCode, Remedy};
use crate::vault::presence;

/// The prefix of such a file's name in `roam release`.
pub(super) const PREFIX: &str = "journal:";

impl Engine {
    /// Counts the marks that the previous run left.
    pub(super) fn begin_quarantine(&mut self) {
        let begun = self.context.vault.quarantine.start(&self.context.short);
        let problem = begun.err().map(|error| {
            Problem::new(
                ProblemCode::QuarantineUnwritable,
                format!("session-roam cannot note what it is reading: {error}."),
                "Free up disk space or fix its permissions.",
            )
        });
        self.set_problem("quarantine", problem);
        self.report_quarantine();
    }

    pub(super) fn report_quarantine(&mut self) {
        let held = self.context.vault.quarantine.held();
        self.problems.retain(|topic, _| {
            topic
                .strip_prefix(PREFIX)
                .is_none_or(|name| held.iter().any(|held| held == name))
        });
        for name in held {
            let device = self
                .context
                .shared()
                .name_of(name.split('/').next().unwrap_or_default());
            let what = if name.ends_with(presence::FILE) {
                "The device file"
            } else {
                "A journal"
            };
            let problem = Problem::new(
                ProblemCode::JournalSetAside,
                format!("{what} of {device} crashed session-roam twice and is no longer read."),
                "Please report it with the log file.",
            )
            .offer(Remedy::ReadJournal {
                what: format!("{PREFIX}{name}"),
            })
            .offer(Remedy::OpenLogs);
            self.set_problem(&format!("{PREFIX}{name}"), Some(problem));
        }
    }

    /// Reads one of the files again.
    pub(super) fn release_journal(&mut self, name: &str) -> Answer {
        let released = self
            .context
            .vault
            .quarantine
            .release(name)
            .map_err(|error| {
                ApiError::new(
                    ProblemCode::QuarantineUnwritable,
                    format!("It could not be released: {error}."),
                    "Free up disk space.",
                )
            })?;
        if !released {
            return Err(ApiError::new(
                ProblemCode::NotHeld,
                format!("{PREFIX}{name} is not held."),
                "",
            )
            .offer(Remedy::OpenStatus));
        }
        self.report_quarantine();
        self.read_presences();
        self.walk_vault(Lanes::All, Since::LastRead);
        done("It is read again.")
    }
}
