//! The messages of an imported transcript: how they are shown, and how two files of one conversation are joined.

use super::parse::Parsed;
use super::short_hash;
use crate::formats::jsonl::title_of;
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{ParsedMessage, Piece};
use crate::session::{Millis, Role};
use crate::tools::imported::members::{self, Members};
use crate::tools::imported::{self, Compared, Conversation};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The id of what stands before the first speaker. Exports state there when they were made, so of two files of one
/// conversation the later one's counts.
const PREAMBLE: &str = "preamble";

/// The messages as they are kept. An id is made of what is said, by whom, and how often before.
pub(super) fn listed(parsed: &Parsed) -> Vec<Value> {
    let mut seen: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut listed = Vec::with_capacity(parsed.messages.len());
    for (at, message) in parsed.messages.iter().enumerate() {
        let role = message.role.as_str();
        let n_before = seen.entry((role, &message.text)).or_default();
        let id = match at == 0 && parsed.has_preamble {
            true => PREAMBLE.to_owned(),
            false => short_hash(&format!("{role}\0{}\0{n_before}", message.text), 16),
        };
        *n_before += 1;
        listed.push(json!({
            "id": id,
            "role": role,
            "speaker": message.speaker,
            "time": message.time.map(Millis::rfc3339),
            "text": message.text,
        }));
    }
    listed
}

fn messages(conversation: &Value) -> &[Value] {
    let messages = conversation.get("messages").and_then(Value::as_array);
    messages.map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// The title and the time of the last change.
pub(super) fn facts(conversation: &Members) -> (Option<String>, Option<Millis>) {
    let prompt = || {
        let messages = conversation.list("messages")?;
        let is_prompt = |message: &RawValue| {
            members::text(message, "role").is_some_and(|role| role == Role::User.as_str())
        };
        members::text(messages.iter().find(|message| is_prompt(message))?, "text")
    };
    let title = conversation
        .text("title")
        .filter(|title| !title.trim().is_empty())
        .or_else(prompt)
        .or_else(|| conversation.text("name"));
    (title.as_deref().and_then(title_of), updated(conversation))
}

fn updated(conversation: &Members) -> Option<Millis> {
    Millis::parse(&conversation.text("updated")?)
}

/// One record for each message.
pub(super) fn records(content: &[u8]) -> Vec<Value> {
    imported::message_records(content, messages, ["id", "time"], read_message)
}

pub(super) fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let message = record.get("message")?;
    let role = match text(message, "role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => Role::System,
    };
    let body = text(message, "text").filter(|body| !body.is_empty())?;
    ParsedMessage::of(record, role, vec![Piece::new("text", body)])
}

// ---- two files of one conversation ----

const COMPARED: Compared = Compared {
    ids: |conversation| Some(ids(conversation)),
    age: |conversation| updated(conversation).unwrap_or_default(),
};

fn id(message: &RawValue) -> Option<String> {
    members::text(message, "id")
}

fn ids(conversation: &Members) -> BTreeSet<String> {
    let messages = conversation.list("messages").unwrap_or_default();
    messages.iter().filter_map(|message| id(message)).collect()
}

pub(super) fn judge(first: &[u8], second: &[u8]) -> Judged {
    COMPARED.judge(first, second)
}

/// Whether a kept conversation may be the one whose second message has this [`turn_id`]: its own second
/// message has the same one, or it has no second message.
pub(super) fn may_follow(content: &[u8], second: &str) -> bool {
    let turns = || {
        let conversation = Members::of(&Conversation::parse(content)?.conversation)?;
        let messages = conversation.list("messages")?;
        let turn = |message: &RawValue| {
            let [role, text] = ["role", "text"].map(|name| members::text(message, name));
            Some((role?, text?))
        };
        Some(
            messages
                .iter()
                .filter_map(|message| turn(message))
                .collect::<Vec<_>>(),
        )
    };
    let turns = turns().unwrap_or_default();
    let turns = turns
        .iter()
        .map(|(role, text)| (role.as_str(), text.as_str()));
    let [_, next] = opening(turns);
    next.is_none_or(|(role, text)| turn_id(role, text) == second)
}

/// How a conversation begins: the first message of the user, and the one that follows. What the system states is no
/// part of it. Where the user says nothing, it begins with the first message.
pub(super) fn opening<'a>(
    turns: impl Iterator<Item = (&'a str, &'a str)>,
) -> [Option<(&'a str, &'a str)>; 2] {
    let turns: Vec<_> = turns
        .filter(|(role, _)| *role != Role::System.as_str())
        .collect();
    let first = turns
        .iter()
        .position(|(role, _)| *role == Role::User.as_str());
    let mut turns = turns.into_iter().skip(first.unwrap_or(0));
    [turns.next(), turns.next()]
}

/// Identifies a message by its role and text. Conversations with the same first message are distinguished
/// by that of their second one.
pub(super) fn turn_id(role: &str, text: &str) -> String {
    short_hash(&format!("{role}\0{text}"), 16)
}

/// Whether both contents have the same messages, whatever else differs.
pub(super) fn has_same(first: &[u8], second: &[u8]) -> bool {
    let first = COMPARED.ids_in(first);
    first.is_some() && first == COMPARED.ids_in(second)
}

/// A conversation with the messages of both. What only the earlier one has comes after the message that it follows there.
pub(super) fn joined(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    COMPARED.joined(first, second, added)
}

fn added(later: &Members, earlier: &Members) -> Option<Members> {
    let known = ids(later);
    let mut following: BTreeMap<Option<String>, Vec<Box<RawValue>>> = BTreeMap::new();
    let mut last = None;
    for message in earlier.list("messages").unwrap_or_default() {
        let id = id(&message)?;
        match known.contains(&id) {
            true => last = Some(id),
            false => following.entry(last.clone()).or_default().push(message),
        }
    }
    let mut changed = Members::default();
    if following.is_empty() {
        return Some(changed);
    }
    let mut joined = following.remove(&None).unwrap_or_default();
    for message in later.list("messages")? {
        let after = following.remove(&id(&message));
        joined.push(message);
        joined.extend(after.into_iter().flatten());
    }
    changed.set("messages", &joined)?;
    Some(changed)
}
