//! Checkouts that are recorded again although their sessions have no new lines: what the user edits by hand
//! after the last one is part of the work. A recording of an equal state writes nothing.

use crate::engine::Engine;
use crate::session::{Millis, SessionKey};

/// How long after its last line a session is followed while no tool has it open.
pub(super) const FOLLOWED_MS: i64 = 30 * 60 * 1000;
/// How much time lies between two recordings: at least this, and this part of the time since the last line.
const AGAIN_MS: i64 = 60 * 1000;
const PART: i64 = 10;

/// A session whose changes go along.
pub(super) struct Followed {
    line: Millis,
    recorded: Millis,
}

impl Engine {
    /// A session whose changes go along has new lines of this device.
    pub(super) fn follow_code(&mut self, key: &SessionKey) {
        let now = self.context.clock.now();
        let followed = Followed {
            line: now,
            recorded: now,
        };
        self.code.followed.insert(key.clone(), followed);
    }

    /// Its checkout was recorded, or could not be.
    pub(super) fn code_was_due(&mut self, key: &SessionKey) {
        let now = self.context.clock.now();
        if let Some(followed) = self.code.followed.get_mut(key) {
            followed.recorded = now;
        }
    }

    /// Has the checkouts recorded in which the user may have gone on.
    pub(in crate::engine) fn record_followed_code(&mut self) {
        let (now, live) = (self.context.clock.now(), &self.open_sessions);
        let since = |then: Millis| now.0.saturating_sub(then.0);
        self.code
            .followed
            .retain(|key, it| live.contains_key(key) || since(it.line) <= FOLLOWED_MS);
        for (key, followed) in &self.code.followed {
            let pause = AGAIN_MS.max(since(followed.line) / PART);
            let may_spend = self.code.budget.is_paid_off(key, now);
            if pause <= since(followed.recorded) && may_spend {
                let due = self.code.due.entry(key.clone());
                due.or_insert(followed.line);
            }
        }
    }

    /// The tool was closed: nobody but the user goes on in the checkout.
    pub(in crate::engine) fn code_tool_closed(&mut self, key: &SessionKey) {
        if let Some(followed) = self.code.followed.get(key) {
            self.code.due.entry(key.clone()).or_insert(followed.line);
            self.wait_for_code();
        }
    }
}
