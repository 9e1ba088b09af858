//! A session as one document of messages made of parts, each with its own id, so that two contents
//! can be united beyond doubt. Pure; for tools that export sessions in this form. Knows no tool by
//! name.
//!
//! ```json
//! {"messages":[
//! {"info":{"id":"m1","role":"user","time":{"created":1}},"parts":[{"id":"p1","type":"text",…}]}
//! ],
//! "info":{"id":"s1","title":"Hello"}}
//! ```
//! One message a line, and the facts about the whole session at the end, so that a session that is
//! continued changes only at its end. Keys are sorted, because the tool writes them in another
//! order after an import. The values are as the tool wrote them.

use crate::formats::ordered::{fields_of, in_order};
use crate::merge::snapshots::Judged;
use crate::session::records;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// One row of the tool's store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The row with sorted keys.
    pub text: String,
    rank: Rank,
}

/// Ranks two states of one row by age: the tool only finishes rows, and empties old results of
/// tools to save space. Between states of equal rank the content decides, so that all devices
/// choose alike.
type Rank = (u8, bool);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub info: Row,
    pub parts: BTreeMap<String, Row>,
}

/// A message's place in the session, in the tool's display order.
pub type Place = (i64, String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The facts about the whole session.
    pub info: String,
    pub messages: BTreeMap<Place, Message>,
}

impl Row {
    /// Reads an object as the tool writes it; also returns its id.
    pub fn read(value: &RawValue) -> Option<(String, Self)> {
        let text = in_order(value);
        // A tool accepts content that our parser refuses, such as half a surrogate pair in a
        // truncated text.
        let parsed = records::value(text.as_bytes());
        let id = parsed.get("id")?.as_str()?.to_owned();
        Some((
            id,
            Self {
                rank: rank(&parsed),
                text,
            },
        ))
    }

    fn fullness(&self) -> (Rank, usize, &str) {
        (self.rank, self.text.len(), &self.text)
    }

    pub fn is_finished(&self) -> bool {
        self.rank.0 == FINISHED
    }

    /// The part of a finished row that is conversation, without the bookkeeping.
    fn words(&self) -> Option<Map<String, Value>> {
        let Value::Object(mut fields) = records::value(self.text.as_bytes()) else {
            return None;
        };
        for bookkeeping in ["metadata", "time", "snapshot", "cost", "tokens", "reason"] {
            fields.remove(bookkeeping);
        }
        if let Some(Value::Object(state)) = fields.get_mut("state") {
            for bookkeeping in ["metadata", "time", "title"] {
                state.remove(bookkeeping);
            }
        }
        Some(fields)
    }

    /// Whether one id has two finished contents, neither a later state of the other.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.text != other.text
            && self.is_finished()
            && other.is_finished()
            && self.words() != other.words()
    }
}

const FINISHED: u8 = 2;

fn rank(row: &Value) -> Rank {
    let text = |pointer: &str| row.pointer(pointer).and_then(Value::as_str);
    let is_there = |pointer: &str| row.pointer(pointer).is_some_and(|value| !value.is_null());
    let begun = is_there("/time/start") || text("/role") == Some("assistant");
    let ended = is_there("/time/end") || is_there("/time/completed") || is_there("/error");
    let done = match text("/state/status") {
        Some("pending") => 0,
        Some("running") => 1,
        None if begun && !ended => 1,
        _ => FINISHED,
    };
    (done, is_there("/state/time/compacted"))
}

impl Message {
    pub fn read(info: &RawValue, parts: &[&RawValue]) -> Option<(Place, Self)> {
        let (id, info) = Row::read(info)?;
        let created = created(&info.text)?;
        let parts = parts
            .iter()
            .map(|part| Row::read(part))
            .collect::<Option<_>>()?;
        Some(((created, id), Self { info, parts }))
    }

    /// Whether the tool still writes the message. Only the tool's own answers are ever marked so.
    pub fn is_unfinished(&self) -> bool {
        !self.info.is_finished()
    }
}

fn created(info: &str) -> Option<i64> {
    let info = records::value(info.as_bytes());
    let created = info.get("time")?.get("created")?;
    created
        .as_i64()
        .or_else(|| created.as_f64().map(|created| created as i64))
}

impl Session {
    /// Parses an export, or the output of [`Session::render`].
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let whole = fields_of(text)?;
        let info = in_order(whole.get("info")?);
        let listed: Vec<BTreeMap<String, &RawValue>> =
            serde_json::from_str(whole.get("messages")?.get()).ok()?;
        let (mut messages, mut ids) = (BTreeMap::new(), BTreeSet::new());
        for message in listed {
            let parts: Vec<&RawValue> = serde_json::from_str(message.get("parts")?.get()).ok()?;
            let (place, message) = Message::read(message.get("info")?, &parts)?;
            // A duplicate id would turn one message into two.
            ids.insert(place.1.clone()).then_some(())?;
            messages.insert(place, message);
        }
        Some(Self { info, messages })
    }

    pub fn render(&self) -> Vec<u8> {
        let mut out = String::from("{\"messages\":[");
        for (n, message) in self.messages.values().enumerate() {
            out.push_str(if n == 0 { "\n" } else { ",\n" });
            out.push_str(&format!("{{\"info\":{},\"parts\":[", message.info.text));
            let parts: Vec<&str> = message
                .parts
                .values()
                .map(|part| part.text.as_str())
                .collect();
            out.push_str(&parts.join(","));
            out.push_str("]}");
        }
        out.push_str(&format!("\n],\n\"info\":{}}}\n", self.info));
        out.into_bytes()
    }

    fn last(&self) -> Option<i64> {
        self.messages.keys().next_back().map(|place| place.0)
    }

    /// By id, because a place includes the message's time, which could differ.
    fn by_id(&self) -> BTreeMap<&str, &Message> {
        self.messages
            .iter()
            .map(|(place, message)| (place.1.as_str(), message))
            .collect()
    }
}

/// The content with its first `n` messages.
pub fn cut(content: &[u8], n: usize) -> Option<Vec<u8>> {
    let mut session = Session::parse(content)?;
    session.messages = session.messages.into_iter().take(n).collect();
    Some(session.render())
}

/// The ids of all messages and parts.
pub fn ids(content: &[u8]) -> Vec<String> {
    let messages = Session::parse(content).map(|session| session.messages);
    let ids = |(place, message): (Place, Message)| {
        std::iter::once(place.1).chain(message.parts.into_keys())
    };
    messages.into_iter().flatten().flat_map(ids).collect()
}

/// A session without the states of one device's working tree, which journals of older versions have.
fn shared(content: &[u8]) -> Option<Session> {
    let mut session = Session::parse(content)?;
    let mut messages = session.messages.values_mut();
    messages.try_for_each(super::leave_states_out)?;
    Some(session)
}

/// Which of two contents includes the other.
pub fn judge(first: &[u8], second: &[u8]) -> Judged {
    if first == second {
        return Judged::Same;
    }
    let (Some(first), Some(second)) = (shared(first), shared(second)) else {
        return Judged::Both;
    };
    let (ours, theirs) = (first.by_id(), second.by_id());
    let (mut more, mut less) = (false, false);
    for (id, our) in &ours {
        let Some(their) = theirs.get(id) else {
            more = true;
            continue;
        };
        let rows = our
            .parts
            .iter()
            .filter_map(|(id, part)| Some((part, their.parts.get(id)?)));
        for (our, their) in rows {
            more |= our.contradicts(their) || our.fullness() > their.fullness();
            less |= our.contradicts(their) || our.fullness() < their.fullness();
        }
        more |= our.info.fullness() > their.info.fullness();
        less |= our.info.fullness() < their.info.fullness();
        more |= our.parts.keys().any(|id| !their.parts.contains_key(id));
        less |= their.parts.keys().any(|id| !our.parts.contains_key(id));
    }
    less |= theirs.keys().any(|id| !ours.contains_key(id));
    match (more, less) {
        (true, true) => Judged::Both,
        (true, false) => Judged::First,
        (false, true) => Judged::Second,
        // The conversation is the same, so any choice is right that is the same on all devices.
        (false, false) => Judged::greater(first.info.cmp(&second.info)),
    }
}

/// A content that includes both; `None` if one id has two finished contents.
pub fn union(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    let (first, second) = (shared(first)?, shared(second)?);
    let info = (first.last(), &first.info)
        .max((second.last(), &second.info))
        .1
        .clone();
    let mut messages: BTreeMap<String, Message> = BTreeMap::new();
    for (place, message) in first.messages.into_iter().chain(second.messages) {
        let united = match messages.remove(&place.1) {
            Some(known) => unite(known, message)?,
            None => message,
        };
        messages.insert(place.1, united);
    }
    let placed = messages
        .into_iter()
        .map(|(id, message)| Some(((created(&message.info.text)?, id), message)));
    Some(
        Session {
            info,
            messages: placed.collect::<Option<_>>()?,
        }
        .render(),
    )
}

fn unite(one: Message, other: Message) -> Option<Message> {
    let mut parts = one.parts;
    for (id, part) in other.parts {
        let united = match parts.remove(&id) {
            Some(known) if known.contradicts(&part) => return None,
            Some(known) => later(known, part),
            None => part,
        };
        parts.insert(id, united);
    }
    Some(Message {
        info: later(one.info, other.info),
        parts,
    })
}

fn later(one: Row, other: Row) -> Row {
    if one.fullness() < other.fullness() {
        other
    } else {
        one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn export(messages: &[Value]) -> Vec<u8> {
        let messages: Vec<Value> = messages.to_vec();
        let whole = json!({ "info": { "id": "s", "title": "Grüße" }, "messages": messages });
        Session::parse(whole.to_string().as_bytes())
            .expect("an export")
            .render()
    }

    fn user(id: &str, at: i64, text: &str) -> Value {
        let part = json!({ "id": format!("p{id}"), "type": "text", "text": text });
        json!({ "info": { "id": id, "role": "user", "time": { "created": at } }, "parts": [part] })
    }

    fn call(status: &str, more: &Value) -> Value {
        let mut state = json!({ "status": status, "input": { "command": "ls" } });
        let fields = state.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let part = json!({ "id": "p1", "type": "tool", "tool": "bash", "state": state });
        json!({ "info": { "id": "m1", "role": "assistant", "time": { "created": 2, "completed": 3 } }, "parts": [part] })
    }

    #[test]
    fn an_export_is_arranged_and_its_values_stay_as_they_are() {
        let export = br#"{ "info": {"z": 1.50, "id":"s", "a": [ {"y":"\ud800", "b":12345678901234567890} ]},
            "messages": [
                {"parts": [{"text":"\u00e4","id":"p2"},{"id":"p1"}], "info": {"time":{"created":7},"id":"m2"}},
                {"parts": [], "info": {"id":"m1","time":{"created":7}}} ], "todos": [] }"#;
        let wanted = concat!(
            "{\"messages\":[\n",
            r#"{"info":{"id":"m1","time":{"created":7}},"parts":[]},"#,
            "\n",
            r#"{"info":{"id":"m2","time":{"created":7}},"parts":[{"id":"p1"},{"id":"p2","text":"\u00e4"}]}"#,
            "\n],\n",
            r#""info":{"a":[{"b":12345678901234567890,"y":"\ud800"}],"id":"s","z":1.50}}"#,
            "\n",
        );
        let rendered = Session::parse(export).expect("an export").render();
        assert_eq!(String::from_utf8(rendered.clone()).expect("text"), wanted);
        assert_eq!(
            Session::parse(&rendered).expect("its own").render(),
            rendered
        );
    }

    /// Field 12: one text with half a surrogate pair made the whole session unreadable.
    #[test]
    fn a_message_with_a_lone_surrogate_is_a_message() {
        let export = br#"{"info":{"id":"s"},"messages":[
            {"info":{"id":"m1","role":"user","time":{"created":7}},"parts":[{"id":"p1","type":"text","text":"\ud83d"}]}]}"#;
        let session = Session::parse(export).expect("an export");
        assert_eq!(session.messages.len(), 1);
        assert_eq!(Session::parse(&session.render()).expect("its own"), session);
        assert_eq!(judge(&session.render(), &session.render()), Judged::Same);
    }

    #[test]
    fn a_session_that_goes_on_changes_its_end() {
        let before = export(&[user("1", 1, "a"), user("2", 2, "b")]);
        let after = export(&[user("1", 1, "a"), user("2", 2, "b"), user("3", 3, "c")]);
        let alike = before
            .iter()
            .zip(&after)
            .take_while(|(one, other)| one == other)
            .count();
        assert!(alike > before.len() - 50, "{alike} of {}", before.len());
    }

    #[test]
    fn what_is_no_export_is_none() {
        for odd in [
            &b""[..],
            b"[]",
            b"{}",
            br#"{"info":{},"messages":[{}]}"#,
            br#"{"info":{},"messages":[{"info":{"id":"m"},"parts":[]}]}"#,
        ] {
            assert_eq!(Session::parse(odd), None);
            assert_eq!(judge(odd, b"x"), Judged::Both);
            assert_eq!(union(odd, odd), None);
        }
    }

    #[test]
    fn what_two_contents_are_to_each_other() {
        use Judged::{Both, First, Same};
        let [a, b, c] = [user("1", 1, "a"), user("2", 2, "b"), user("3", 3, "c")];
        let none = json!({});
        let done = call("completed", &json!({ "output": "x" }));
        let rows = [
            ("equal", vec![a.clone()], vec![a.clone()], Same),
            (
                "went_on",
                vec![a.clone(), b.clone()],
                vec![a.clone()],
                First,
            ),
            (
                "went_on_apart",
                vec![a.clone(), b.clone()],
                vec![a.clone(), c.clone()],
                Both,
            ),
            (
                "a_message_in_the_middle",
                vec![a.clone(), b, c.clone()],
                vec![a.clone(), c],
                First,
            ),
            (
                "one_id_with_two_words",
                vec![a],
                vec![user("1", 1, "other")],
                Both,
            ),
            (
                "a_call_went_on",
                vec![call("running", &none)],
                vec![call("pending", &none)],
                First,
            ),
            (
                "a_call_ended",
                vec![done.clone()],
                vec![call("running", &json!({ "metadata": "a long one" }))],
                First,
            ),
            (
                "another_result",
                vec![done.clone()],
                vec![call("completed", &json!({ "output": "y" }))],
                Both,
            ),
            (
                "bookkeeping",
                vec![call("completed", &json!({ "output": "x", "title": "t" }))],
                vec![done.clone()],
                First,
            ),
            (
                "emptied",
                vec![call(
                    "completed",
                    &json!({ "output": "x", "time": { "compacted": 9 } }),
                )],
                vec![done],
                First,
            ),
        ];
        for (rule, first, second, wanted) in rows {
            assert_eq!(judge(&export(&first), &export(&second)), wanted, "{rule}");
            let turned = if wanted == First {
                Judged::Second
            } else {
                wanted
            };
            assert_eq!(
                judge(&export(&second), &export(&first)),
                turned,
                "{rule}, the other way round"
            );
        }
    }

    #[test]
    fn both_sides_are_in_the_union_in_the_order_of_their_times() {
        let first = export(&[user("1", 1, "a"), user("4", 4, "d"), user("5", 5, "e")]);
        let second = export(&[user("1", 1, "a"), user("2", 4, "b")]);
        let wanted = export(&[
            user("1", 1, "a"),
            user("2", 4, "b"),
            user("4", 4, "d"),
            user("5", 5, "e"),
        ]);
        assert_eq!(union(&first, &second), Some(wanted));
        let other = export(&[user("1", 1, "another")]);
        assert_eq!(union(&first, &other), None);
    }

    #[test]
    fn an_answer_is_unfinished_until_it_says_so() {
        let unfinished = |info: Value| {
            let whole = json!({ "info": {}, "messages": [{ "info": info, "parts": [] }] });
            let session = Session::parse(whole.to_string().as_bytes()).expect("an export");
            session.messages.values().all(Message::is_unfinished)
        };
        assert!(unfinished(
            json!({ "id": "m", "role": "assistant", "time": { "created": 1 } })
        ));
        assert!(!unfinished(
            json!({ "id": "m", "role": "assistant", "time": { "created": 1, "completed": 2 } })
        ));
        assert!(!unfinished(
            json!({ "id": "m", "role": "assistant", "error": {}, "time": { "created": 1 } })
        ));
        assert!(!unfinished(
            json!({ "id": "m", "role": "user", "time": { "created": 1 } })
        ));
    }

    /// Any part of a history to which several devices added, with calls in different states.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        let messages = prop::collection::btree_map(0..12_i64, (0..4_usize, 0..2_i64), 0..8);
        messages.prop_map(|messages| {
            let states = ["pending", "running", "completed", "completed"];
            let all = messages.into_iter().map(|(id, (state, later))| {
                let time = if state == 3 { json!({ "compacted": 1 }) } else { json!({ "start": 1 }) };
                let state = json!({ "status": states[state], "time": time, "output": "x".repeat(state.min(2)) });
                let part = json!({ "id": format!("p{id}"), "type": "tool", "state": state });
                json!({ "info": { "id": format!("m{id}"), "time": { "created": id / 2 + later } }, "parts": [part] })
            });
            export(&all.collect::<Vec<_>>())
        })
    }

    proptest! {
        #[test]
        fn union_has_no_order_and_loses_nothing(a in content(), b in content(), c in content()) {
            let unite = |one: &[u8], other: &[u8]| union(one, other).expect("nothing contradicts");
            prop_assert_eq!(unite(&a, &b), unite(&b, &a));
            prop_assert_eq!(unite(&a, &unite(&b, &c)), unite(&unite(&a, &b), &c));
            prop_assert_eq!(unite(&a, &a), a.clone());
            let both = unite(&a, &b);
            prop_assert_eq!(unite(&both, &a), both.clone());
            for side in [&a, &b] {
                prop_assert!(matches!(judge(&both, side), Judged::First | Judged::Same));
                let whole = Session::parse(&both).expect("its own");
                for (id, message) in Session::parse(side).expect("its own").by_id() {
                    let known = whole.by_id()[id].clone();
                    prop_assert!(message.parts.keys().all(|id| known.parts.contains_key(id)));
                }
            }
        }

        #[test]
        fn one_judges_as_the_other_turned_round(a in content(), b in content()) {
            let turned = match judge(&b, &a) {
                Judged::First => Judged::Second,
                Judged::Second => Judged::First,
                same => same,
            };
            prop_assert_eq!(judge(&a, &b), turned);
        }
    }
}
