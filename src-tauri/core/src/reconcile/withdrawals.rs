//! Sessions in which other devices withdrew their own lines, and how many of them at once.

use crate::session::{Millis, SessionKey};
use std::collections::BTreeMap;

/// How long a change waits before it is followed: many at once are an accident or an attack, and
/// none of them is followed.
const SETTLED: i64 = 5_000;

/// Changes within this time count as made at once.
const AT_ONCE: i64 = 60_000;

/// The sessions in which other devices withdrew lines, as seen since the engine started.
#[derive(Debug, Default)]
pub struct Seen(BTreeMap<SessionKey, Change>);

#[derive(Debug)]
struct Change {
    /// The device that withdrew lines, by short id.
    device: String,
    since: Millis,
    followed: bool,
}

/// What to do about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Follow,
    Wait,
    /// The device changes more sessions at once than the user allows without a question.
    Hold,
}

impl Seen {
    pub fn answer(&mut self, key: &SessionKey, device: &str, now: Millis, most: usize) -> Answer {
        self.0.retain(|_, change| {
            !change.followed || now.0.saturating_sub(change.since.0) <= AT_ONCE
        });
        let change = self.0.entry(key.clone()).or_insert_with(|| Change {
            device: device.to_owned(),
            since: now,
            followed: false,
        });
        if change.followed || change.device != device {
            *change = Change {
                device: device.to_owned(),
                since: now,
                followed: false,
            };
        }
        // A clock that was set back restarts the wait.
        change.since = change.since.min(now);
        let waited = now.0.saturating_sub(change.since.0);
        match self
            .0
            .values()
            .filter(|change| change.device == device)
            .count()
        {
            many if most < many => Answer::Hold,
            _ if waited < SETTLED => Answer::Wait,
            _ => Answer::Follow,
        }
    }

    pub fn followed(&mut self, key: &SessionKey, now: Millis) {
        if let Some(change) = self.0.get_mut(key) {
            (change.followed, change.since) = (true, now);
        }
    }

    /// Drops a change of this session that was not followed: there is nothing to follow any more.
    pub fn settled(&mut self, key: &SessionKey) {
        if self.0.get(key).is_some_and(|change| !change.followed) {
            self.0.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{SessionId, ToolId};

    fn key(number: usize) -> SessionKey {
        SessionKey::new(&ToolId::new("x"), &SessionId::new(format!("s{number}")))
    }

    #[test]
    fn one_change_is_followed_soon_and_many_at_once_never() {
        let mut seen = Seen::default();
        assert_eq!(seen.answer(&key(0), "desk", Millis(0), 2), Answer::Wait);
        assert_eq!(
            seen.answer(&key(0), "desk", Millis(SETTLED), 2),
            Answer::Follow
        );
        seen.followed(&key(0), Millis(SETTLED));
        // Another device's changes are counted separately.
        assert_eq!(
            seen.answer(&key(9), "tab", Millis(SETTLED), 2),
            Answer::Wait
        );
        for (number, wanted) in [(1, Answer::Wait), (2, Answer::Hold), (3, Answer::Hold)] {
            assert_eq!(
                seen.answer(&key(number), "desk", Millis(SETTLED), 2),
                wanted
            );
        }
        // A change that waited is held, too, and stays held.
        for later in [SETTLED * 2, AT_ONCE * 100] {
            assert_eq!(seen.answer(&key(1), "desk", Millis(later), 2), Answer::Hold);
        }
        seen.settled(&key(2));
        assert_eq!(
            seen.answer(&key(3), "desk", Millis(AT_ONCE * 100), 2),
            Answer::Follow
        );
    }
}
