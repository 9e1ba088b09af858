//! How often a session's checkout may be recorded: recording takes at most a hundredth of the time
//! on average. After a while without any, several recordings in a row are free, so that the last
//! state before the user leaves is recorded although the one before was recorded just now.

use crate::session::{Millis, SessionKey};
use std::collections::BTreeMap;
use std::time::Duration;

/// Recording takes at most this part of the time.
const PART: i64 = 100;
/// What may be spent at once: the part of an hour.
const FREE: Duration = Duration::from_secs(36);
/// However long a recording took, it is the turn again after this time.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// The time that recording took, by session.
#[derive(Debug, Default)]
pub struct Budget(BTreeMap<SessionKey, Spent>);

/// What is not paid off yet, in milliseconds, and when that was so.
#[derive(Debug)]
struct Spent {
    millis: i64,
    at: Millis,
}

impl Spent {
    fn left(&self, now: Millis) -> i64 {
        // A clock that was set back makes nobody wait.
        let is_before = now < self.at;
        let paid = now.0.saturating_sub(self.at.0) / PART;
        if is_before {
            0
        } else {
            self.millis.saturating_sub(paid).max(0)
        }
    }
}

impl Budget {
    pub fn spend(&mut self, key: &SessionKey, took: Duration, now: Millis) {
        self.0.retain(|_, spent| 0 < spent.left(now));
        let before = self.0.get(key).map_or(0, |spent| spent.left(now));
        let took = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let most = millis(FREE) + millis(LONGEST_REST) / PART;
        let spent = Spent {
            millis: before.saturating_add(took).min(most),
            at: now,
        };
        self.0.insert(key.clone(), spent);
    }

    /// Whether the session's checkout may be recorded now.
    pub fn allows(&self, key: &SessionKey, now: Millis) -> bool {
        self.0
            .get(key)
            .is_none_or(|spent| spent.left(now) <= millis(FREE))
    }

    /// Whether recording without a new line leaves the free time to the end of the next turn.
    pub fn is_paid_off(&self, key: &SessionKey, now: Millis) -> bool {
        self.0.get(key).is_none_or(|spent| spent.left(now) == 0)
    }

    pub fn forget(&mut self, key: &SessionKey) {
        self.0.remove(key);
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{SessionId, ToolId};

    fn key() -> SessionKey {
        SessionKey::new(&ToolId::new("claude-code"), &SessionId::new("a"))
    }

    const SECOND: i64 = 1000;

    /// Records whenever it may for two hours; returns how often, and the longest time in between.
    fn recorded(took: Duration) -> (i64, i64) {
        let (mut budget, mut count, mut longest, mut last) = (Budget::default(), 0, 0, 0);
        for now in (0..7200).map(|second| second * SECOND) {
            if budget.allows(&key(), Millis(now)) {
                budget.spend(&key(), took, Millis(now));
                (count, longest, last) = (count + 1, longest.max(now - last), now);
            }
        }
        (count, longest)
    }

    #[test]
    fn a_turn_right_after_another_is_recorded() {
        let mut budget = Budget::default();
        for n in 0..10 {
            assert!(budget.allows(&key(), Millis(n)), "recording {n}");
            budget.spend(&key(), Duration::from_secs(3), Millis(n));
        }
        assert!(!budget.is_paid_off(&key(), Millis(10)));
        assert!(budget.is_paid_off(&key(), Millis(3010 * SECOND)));
    }

    #[test]
    fn recording_takes_a_hundredth_of_the_time_on_average() {
        for (seconds, most) in [(1, 36 + 72 + 1), (3, 12 + 24 + 1)] {
            let (count, _) = recorded(Duration::from_secs(seconds));
            assert!(count <= most, "{count} recordings of {seconds} s");
            assert!(most / 2 < count, "{count} recordings of {seconds} s");
        }
    }

    #[test]
    fn however_long_it_takes_it_is_the_turn_again() {
        let (count, longest) = recorded(Duration::from_secs(3600));
        assert!(20 < count, "{count}");
        assert!(longest <= millis(LONGEST_REST) + SECOND, "{longest} ms");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_wait() {
        let mut budget = Budget::default();
        let ahead = Millis(1_000_000_000);
        budget.spend(&key(), Duration::from_secs(3600), ahead);
        assert!(!budget.allows(&key(), ahead));
        assert!(budget.allows(&key(), Millis(0)));
        budget.forget(&key());
        assert!(budget.allows(&key(), ahead));
    }
}
