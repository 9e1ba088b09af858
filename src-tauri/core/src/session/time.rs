//! Times as values. The clock is read at the edge; here times are only compared and combined.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// RFC 3339 in UTC with milliseconds, like `2026-11-23T10:00:00.000Z`.
    pub fn rfc3339(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(stamp) => stamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            Err(_) => "1970-01-01T00:00:00.000Z".into(),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|stamp| Self(stamp.as_millisecond()))
    }

    pub fn from_system(time: std::time::SystemTime) -> Self {
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => Self(since.as_millis() as i64),
            Err(before) => Self(-(before.duration().as_millis() as i64)),
        }
    }
}

/// A hybrid logical clock: wall time that never runs backwards among devices that have read each
/// other. It orders what is shown and never decides what is kept.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Hlc {
    pub wall: Millis,
    pub count: u32,
}

impl Hlc {
    /// The next stamp after `self`, given the wall clock.
    pub fn tick(self, now: Millis) -> Self {
        if self.wall < now {
            return Self {
                wall: now,
                count: 0,
            };
        }
        // Another device may have used up the count; the next millisecond has a count of its own.
        match self.count.checked_add(1) {
            Some(count) => Self {
                wall: self.wall,
                count,
            },
            None => Self {
                wall: Millis(self.wall.0.saturating_add(1)),
                count: 0,
            },
        }
    }

    /// Advances to another device's stamp, unless that stamp is more than a day ahead of the local
    /// clock: a device whose clock is years off must not drag all others along.
    pub fn saw(self, other: Self, now: Millis) -> Self {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        if other.wall.0 <= now.0.saturating_add(DAY) {
            self.max(other)
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_does_not_turn_the_order_round() {
        let first = Hlc::default().tick(Millis(5_000));
        assert!(first < first.tick(Millis(1_000)));
    }

    #[test]
    fn a_used_up_count_does_not_turn_the_order_round() {
        let last = Hlc {
            wall: Millis(5_000),
            count: u32::MAX,
        };
        assert!(last < last.tick(Millis(1_000)));
    }

    #[test]
    fn a_device_from_the_far_future_is_not_believed() {
        let far = Hlc {
            wall: Millis(i64::MAX / 2),
            count: 0,
        };
        assert_eq!(Hlc::default().saw(far, Millis(1_000)), Hlc::default());
    }

    #[test]
    fn rfc3339_there_and_back() {
        let time = Millis(1_763_892_000_123);
        assert_eq!(Millis::parse(&time.rfc3339()), Some(time));
    }
}
