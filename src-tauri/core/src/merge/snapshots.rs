//! Compares two contents of a snapshot: does one contain all of the other? Pure, and knows no tool.
//!
//! A document that a tool rewrites each turn grows by elements of a list. If the elements of one
//! side begin with all those of the other, the longer side continues the shorter one. A person
//! decides everything else.

use serde::Deserialize;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// Values nested deeper are equal only if their bytes are.
const DEEPEST: u8 = 100;

/// How two contents relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Both have the same content.
    Same,
    /// The first contains all of the second.
    First,
    /// The second contains all of the first.
    Second,
    /// Each has content that the other lacks.
    Both,
}

impl Judged {
    /// Of two contents with the same messages, the greater one counts.
    pub fn greater(order: Ordering) -> Self {
        match order {
            Ordering::Equal => Self::Same,
            Ordering::Greater => Self::First,
            Ordering::Less => Self::Second,
        }
    }

    /// Compares the lengths of two lists that begin alike.
    pub fn longer(first: usize, second: usize) -> Self {
        Self::greater(first.cmp(&second))
    }

    /// Combines the results of two parts of a document.
    pub fn together(self, other: Self) -> Self {
        match (self, other) {
            (Self::Same, judged) | (judged, Self::Same) => judged,
            (one, other) if one == other => one,
            _ => Self::Both,
        }
    }
}

/// Compares two contents, as JSON where both are JSON.
///
/// Numbers are compared as written, so that rounding makes none equal; objects are compared
/// regardless of key order. An object with a duplicate key equals nothing but its own bytes,
/// because readers differ in which of the two values they take.
pub fn judge(first: &[u8], second: &[u8]) -> Judged {
    if first == second {
        return Judged::Same;
    }
    match (parse(first), parse(second)) {
        (Some(first), Some(second)) => judge_values(first, second),
        _ => Judged::Both,
    }
}

pub fn is_json(bytes: &[u8]) -> bool {
    parse(bytes).is_some()
}

/// Whether bytes are JSON values one after the other, and nothing else.
pub fn are_json(bytes: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    values.next().is_some_and(|first| first.is_ok()) && values.all(|value| value.is_ok())
}

/// Whether bytes are JSON whose end is missing, or zeros, as a file that was never written whole.
pub fn is_torn_json(bytes: &[u8]) -> bool {
    let values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    let mut failed = values.filter_map(Result::err);
    failed.next().is_some_and(|error| error.is_eof()) || bytes.iter().all(|byte| *byte == 0)
}

fn parse(bytes: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(bytes).ok()
}

fn judge_values(first: &RawValue, second: &RawValue) -> Judged {
    if let (Some(first), Some(second)) = (elements(first), elements(second)) {
        return judge_lists(&first, &second);
    }
    let (Some(ours), Some(theirs)) = (fields(first), fields(second)) else {
        return if equal(first, second) {
            Judged::Same
        } else {
            Judged::Both
        };
    };
    if !ours.keys().eq(theirs.keys()) {
        return Judged::Both;
    }
    let judged =
        ours.values()
            .zip(theirs.values())
            .map(|(ours, theirs)| match equal(ours, theirs) {
                true => Judged::Same,
                false => match (elements(ours), elements(theirs)) {
                    (Some(ours), Some(theirs)) => judge_lists(&ours, &theirs),
                    _ => Judged::Both,
                },
            });
    judged.fold(Judged::Same, Judged::together)
}

fn judge_lists(first: &[&RawValue], second: &[&RawValue]) -> Judged {
    let begins_alike = first
        .iter()
        .zip(second)
        .all(|(first, second)| equal(first, second));
    if begins_alike {
        Judged::longer(first.len(), second.len())
    } else {
        Judged::Both
    }
}

fn equal(one: &RawValue, other: &RawValue) -> bool {
    equal_to(one, other, DEEPEST)
}

fn equal_to(one: &RawValue, other: &RawValue, depth: u8) -> bool {
    if one.get() == other.get() {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let equal = |(one, other): (&&RawValue, &&RawValue)| equal_to(one, other, depth);
    match one.get().as_bytes().first() {
        Some(b'[') => match (elements(one), elements(other)) {
            (Some(one), Some(other)) => {
                one.len() == other.len() && one.iter().zip(&other).all(equal)
            }
            _ => false,
        },
        Some(b'{') => match (fields(one), fields(other)) {
            (Some(one), Some(other)) => {
                one.keys().eq(other.keys()) && one.values().zip(other.values()).all(equal)
            }
            _ => false,
        },
        // A text can be written in several ways. A number counts as written, so its bytes decide.
        Some(b'"') => matches!((text(one), text(other)), (Some(one), Some(other)) if one == other),
        _ => false,
    }
}

fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The fields of an object; `None` also for a duplicate key.
fn fields(value: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str::<Fields<'_>>(value.get())
        .ok()
        .map(|fields| fields.0)
}

struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unique;
        impl<'de> Visitor<'de> for Unique {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with each key once")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if fields.insert(key, value).is_some() {
                        return Err(de::Error::custom("a key is there twice"));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_two_contents_of_a_snapshot_are_to_each_other() {
        use Judged::{Both, First, Same, Second};
        let rows = [
            ("equal_bytes", "opaque", "opaque", Same),
            ("bytes_of_no_known_form", "opaque", "opaque and more", Both),
            ("one_is_no_json", "[1]", "[1", Both),
            (
                "spaces_and_the_order_of_keys_say_nothing",
                r#"{"a":1,"b":[2]}"#,
                "{ \"b\": [2], \"a\": 1 }",
                Same,
            ),
            (
                "texts_are_equal_however_they_are_escaped",
                r#"["\u00e4\/"]"#,
                "[\"ä/\"]",
                Same,
            ),
            ("a_list_went_on", "[1,2]", "[1,2,3]", Second),
            ("a_list_went_on_here", "[1, 2, {\"a\":[]}]", "[1,2]", First),
            ("an_element_differs", "[1,2]", "[1,3,4]", Both),
            ("from_nothing", "[]", "[1]", Second),
            (
                "a_list_inside_went_on",
                r#"{"v":1,"messages":["a"]}"#,
                r#"{"messages":["a","b"],"v":1}"#,
                Second,
            ),
            (
                "two_lists_went_on_together",
                r#"{"a":[1,2],"b":[1,2]}"#,
                r#"{"a":[1],"b":[1]}"#,
                First,
            ),
            (
                "two_lists_went_on_apart",
                r#"{"a":[1,2],"b":[1]}"#,
                r#"{"a":[1],"b":[1,2]}"#,
                Both,
            ),
            (
                "something_else_differs_too",
                r#"{"v":1,"a":[1]}"#,
                r#"{"v":2,"a":[1,2]}"#,
                Both,
            ),
            (
                "a_field_is_missing",
                r#"{"a":[1]}"#,
                r#"{"a":[1],"b":[]}"#,
                Both,
            ),
            (
                "a_list_deeper_down",
                r#"{"a":{"b":[1]}}"#,
                r#"{"a":{"b":[1,2]}}"#,
                Both,
            ),
            (
                "big_numbers_do_not_round",
                "[9007199254740993]",
                "[9007199254740992]",
                Both,
            ),
            (
                "big_numbers_as_elements",
                "[9007199254740993]",
                "[9007199254740992,1]",
                Both,
            ),
            ("a_number_counts_as_written", "[1.0]", "[1]", Both),
            ("a_number_is_not_its_text", "[1]", "[\"1\"]", Both),
            ("null_is_not_false", "null", "false", Both),
            ("a_key_twice", r#"{"a":1,"a":2}"#, r#"{"a":2}"#, Both),
            (
                "a_key_twice_deeper_down",
                r#"[{"a":1,"a":2}]"#,
                r#"[{"a":2},1]"#,
                Both,
            ),
            ("a_list_is_not_an_object", "[]", "{}", Both),
        ];
        for (rule, first, second, wanted) in rows {
            assert_eq!(judge(first.as_bytes(), second.as_bytes()), wanted, "{rule}");
            assert_eq!(
                judge(second.as_bytes(), first.as_bytes()),
                turned(wanted),
                "{rule}, the other way round"
            );
        }
    }

    #[test]
    fn nesting_without_end_is_compared_by_its_bytes() {
        let deep = |inside: &str| {
            format!("{}{inside}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes()
        };
        assert!(is_json(&deep("")));
        assert_eq!(
            judge(&deep(""), &[&deep("")[..], b" "].concat()),
            Judged::Same
        );
        assert_eq!(judge(&deep("1,2"), &deep("1, 2")), Judged::Both);
    }

    #[test]
    fn what_is_json() {
        assert!(is_json(b" {\"a\": 1e999} "));
        assert!(!is_json(b"{} {}") && !is_json(b"") && !is_json(b"\xff"));
    }

    fn turned(judged: Judged) -> Judged {
        match judged {
            Judged::First => Judged::Second,
            Judged::Second => Judged::First,
            same => same,
        }
    }

    proptest! {
        #[test]
        fn a_list_cut_anywhere_is_held_by_the_whole(elements in prop::collection::vec(any::<(i64, String)>(), 0..12), cut in any::<prop::sample::Index>()) {
            let cut = cut.index(elements.len() + 1);
            let whole = serde_json::to_vec(&elements).expect("JSON");
            let part = serde_json::to_vec_pretty(&elements[..cut]).expect("JSON");
            let wanted = if cut == elements.len() { Judged::Same } else { Judged::First };
            prop_assert_eq!(judge(&whole, &part), wanted);
            prop_assert_eq!(judge(&part, &whole), turned(wanted));
        }
    }
}
