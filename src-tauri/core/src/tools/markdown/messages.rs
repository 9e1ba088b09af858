//! The messages of an imported transcript: how they are shown, and how two files of one conversation are joined.

use super::parse::Message;
use super::short_hash;
use crate::formats::jsonl::title_of;
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{ParsedMessage, Piece};
use crate::session::{Millis, Role};
use crate::tools::imported::{self, Compared, Conversation};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The messages as they are kept. An id is made of what is said, by whom, and how often before.
pub(super) fn listed(messages: &[Message]) -> Vec<Value> {
    let mut seen: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut listed = Vec::with_capacity(messages.len());
    for message in messages {
        let role = message.role.as_str();
        let n_before = seen.entry((role, &message.text)).or_default();
        let id = short_hash(&format!("{role}\0{}\0{n_before}", message.text), 16);
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
pub(super) fn facts(conversation: &Value) -> (Option<String>, Option<Millis>) {
    let prompt = messages(conversation)
        .iter()
        .find(|message| text(message, "role") == Some(Role::User.as_str()));
    let title = text(conversation, "title")
        .filter(|title| !title.trim().is_empty())
        .or_else(|| text(prompt?, "text"))
        .or_else(|| text(conversation, "name"));
    let updated = text(conversation, "updated").and_then(Millis::parse);
    (title.and_then(title_of), updated)
}

/// One record for each message.
pub(super) fn records(content: &[u8]) -> Vec<Value> {
    imported::message_records(content, messages, ["id", "time"], said)
}

pub(super) fn said(record: &Value) -> Option<ParsedMessage<'_>> {
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
    age: |conversation| {
        let updated = text(conversation, "updated").and_then(Millis::parse);
        updated.unwrap_or_default()
    },
};

fn ids(conversation: &Value) -> BTreeSet<String> {
    let ids = messages(conversation).iter();
    ids.filter_map(|message| text(message, "id").map(str::to_owned))
        .collect()
}

pub(super) fn judge(first: &[u8], second: &[u8]) -> Judged {
    COMPARED.judge(first, second)
}

/// Whether both contents have the same messages, whatever else differs.
pub(super) fn has_same(first: &[u8], second: &[u8]) -> bool {
    let ids = |content| Some(ids(&Conversation::parse(content)?.value()));
    ids(first).is_some_and(|first| Some(first) == ids(second))
}

/// A conversation with the messages of both. What only the earlier one has comes after the message that it follows there.
pub(super) fn joined(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    COMPARED.joined(first, second, add)
}

fn add(later: &mut Value, earlier: &Value) -> Option<()> {
    let known = ids(later);
    let mut following: BTreeMap<Option<String>, Vec<Value>> = BTreeMap::new();
    let mut last = None;
    for message in messages(earlier) {
        let id = text(message, "id")?;
        match known.contains(id) {
            true => last = Some(id.to_owned()),
            false => following
                .entry(last.clone())
                .or_default()
                .push(message.clone()),
        }
    }
    let all = later.get_mut("messages")?.as_array_mut()?;
    let mut joined = following.remove(&None).unwrap_or_default();
    for message in std::mem::take(all) {
        let id = text(&message, "id").map(str::to_owned);
        let after = id.and_then(|id| following.remove(&Some(id)));
        joined.push(message);
        joined.extend(after.into_iter().flatten());
    }
    *all = joined;
    Some(())
}
