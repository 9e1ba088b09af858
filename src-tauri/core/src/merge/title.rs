//! Titles that the user gives to sessions: journal entries that every device folds to the same
//! title. Pure; knows nothing of tools, which keep their own titles.

use crate::session::{Hlc, harmless_line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most characters of a title, and of a device's short id.
const LONGEST: usize = 200;
const DEVICE: usize = 64;
/// The most devices that a title replaces the titles of.
const DEVICES: usize = 256;

/// One device's latest word on a session's title.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title {
    /// The title; empty for the tool's own.
    pub title: String,
    /// The titles that the user saw and replaced: each device's latest one, by short id and time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub over: BTreeMap<String, Hlc>,
}

/// A title and when its device gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Titled {
    pub at: Hlc,
    pub title: Title,
}

/// Each device's latest title of a session, by short id.
pub type Titles = BTreeMap<String, Titled>;

impl Title {
    /// A title that replaces all those that are known.
    pub fn new(text: &str, known: &Titles) -> Self {
        Self {
            title: clean(text),
            over: known
                .iter()
                .map(|(device, titled)| (device.clone(), titled.at))
                .collect(),
        }
    }

    /// A title from a journal, safe to show; `None` if it names more devices than there can be.
    pub fn bounded(&self) -> Option<Self> {
        let is_short = |device: &String| device.len() <= DEVICE;
        let fits = self.over.len() <= DEVICES && self.over.keys().all(is_short);
        fits.then(|| Self {
            title: clean(&self.title),
            over: self.over.clone(),
        })
    }
}

/// The title on one line, without anything hidden, and short.
fn clean(text: &str) -> String {
    let beginning: String = text.chars().take(2 * LONGEST).collect();
    let line = harmless_line(&beginning);
    line.chars().take(LONGEST).collect::<String>().trim().into()
}

/// Takes a device's title in; an older one than the known one changes nothing.
pub fn insert_if_newer(titles: &mut Titles, device: String, titled: Titled) {
    let is_known = titles
        .get(&device)
        .is_some_and(|known| titled.at <= known.at);
    if !is_known {
        titles.insert(device, titled);
    }
}

/// The title that the user gave last, on whatever device; `None` for the tool's own.
///
/// A title that was seen and replaced no longer counts, so a clock that is days ahead does not
/// decide. Of titles given without knowledge of each other, the later one counts.
pub fn given(titles: &Titles) -> Option<&str> {
    let saw = |one: &Titled, device: &String, other: &Titled| {
        one.title.over.get(device).is_some_and(|at| other.at <= *at)
    };
    let is_replaced = |(device, titled): &(&String, &Titled)| {
        // Two that claim to have seen each other prove nothing.
        titles
            .iter()
            .any(|(by, one)| saw(one, device, titled) && !saw(titled, by, one))
    };
    titles
        .iter()
        .filter(|one| !is_replaced(one))
        .max_by_key(|(device, titled)| (titled.at, *device))
        .map(|(_, titled)| titled.title.title.as_str())
        .filter(|title| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Millis;

    /// A device renames, given what it knows.
    fn rename(known: &Titles, at: i64, text: &str) -> Titled {
        let at = Hlc {
            wall: Millis(at),
            count: 0,
        };
        Titled {
            at,
            title: Title::new(text, known),
        }
    }

    fn all<const N: usize>(titles: [(&str, &Titled); N]) -> Titles {
        let mut found = Titles::new();
        for (device, titled) in titles {
            insert_if_newer(&mut found, device.into(), titled.clone());
        }
        found
    }

    #[test]
    fn the_last_title_counts_in_whatever_order_titles_arrive() {
        let first = rename(&Titles::new(), 1, "one");
        let second = rename(&all([("A", &first)]), 2, "two");
        assert_eq!(given(&all([("A", &first), ("B", &second)])), Some("two"));
        assert_eq!(given(&all([("B", &second), ("A", &first)])), Some("two"));
        let back = rename(&all([("A", &first), ("B", &second)]), 3, "");
        assert_eq!(given(&all([("A", &back), ("B", &second)])), None);
        // An older one of the same device, read again.
        let again = all([("A", &back), ("B", &second), ("A", &first)]);
        assert_eq!(given(&again), None);
    }

    #[test]
    fn a_title_from_a_clock_that_is_days_ahead_can_be_replaced() {
        let ahead = rename(&Titles::new(), 1_000_000, "ahead");
        let mut titles = all([("A", &ahead)]);
        for (at, text) in [(5, "five"), (6, "six")] {
            let next = rename(&titles, at, text);
            insert_if_newer(&mut titles, "B".into(), next);
            assert_eq!(given(&titles), Some(text));
        }
    }

    #[test]
    fn titles_given_at_once_are_the_same_everywhere() {
        let one = rename(&Titles::new(), 7, "one");
        let other = rename(&Titles::new(), 7, "other");
        assert_eq!(given(&all([("A", &one), ("B", &other)])), Some("other"));
        assert_eq!(given(&all([("B", &other), ("A", &one)])), Some("other"));
    }

    #[test]
    fn a_device_that_claims_to_have_seen_the_future_gains_nothing() {
        let last = Hlc {
            wall: Millis(i64::MAX),
            count: u32::MAX,
        };
        let mut hostile = rename(&Titles::new(), 3, "hostile");
        hostile.title.over.insert("A".into(), last);
        let ours = rename(&all([("B", &hostile)]), 4, "ours");
        assert_eq!(given(&all([("A", &ours), ("B", &hostile)])), Some("ours"));
    }

    #[test]
    fn a_title_is_one_line_and_short_and_hides_nothing() {
        let long = format!("a\u{202e}b\nc {}", "x".repeat(1 << 20));
        let title = Title::new(&long, &Titles::new()).title;
        assert!(title.starts_with("a\u{fffd}b c x"), "{}", &title[..20]);
        assert_eq!(title.chars().count(), LONGEST);
        let many = Title {
            title: String::new(),
            over: (0..=DEVICES)
                .map(|n| (n.to_string(), Hlc::default()))
                .collect(),
        };
        assert_eq!(many.bounded(), None);
    }
}
