//! The messages of an exported conversation: how they are shown, and how two exports are joined.

use crate::formats::jsonl::title_of;
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{ParsedMessage, Piece, pieces_of};
use crate::session::{Millis, Role};
use crate::tools::imported::members::{self, Members};
use crate::tools::imported::{self, Compared};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn messages(conversation: &Value) -> &[Value] {
    let messages = conversation.get("chat_messages").and_then(Value::as_array);
    messages.map_or(&[], Vec::as_slice)
}

/// The title and the time of the last change.
pub(super) fn facts(conversation: &Members) -> (Option<String>, Option<Millis>) {
    let named = conversation.text("name");
    let title = named.filter(|name| !name.trim().is_empty()).or_else(|| {
        let messages = conversation.list("chat_messages")?;
        members::text(messages.first()?, "text")
    });
    (title.as_deref().and_then(title_of), updated(conversation))
}

fn updated(conversation: &Members) -> Option<Millis> {
    Millis::parse(&conversation.text("updated_at")?)
}

/// One record for each message.
pub(super) fn records(content: &[u8]) -> Vec<Value> {
    imported::message_records(content, messages, ["uuid", "created_at"], read_message)
}

pub(super) fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let message = record.get("message")?;
    let role = match message.get("sender")?.as_str()? {
        "human" => Role::User,
        "assistant" => Role::Assistant,
        _ => Role::System,
    };
    let mut pieces = message.get("content").map(pieces_of).unwrap_or_default();
    if pieces.is_empty() {
        let text = message.get("text").and_then(Value::as_str);
        let text = text.filter(|text| !text.is_empty());
        pieces.extend(text.map(|text| Piece::new("text", text)));
    }
    for list in ["attachments", "files"] {
        let attached = message.get(list).and_then(Value::as_array);
        for one in attached.into_iter().flatten() {
            let text = |name: &str| one.get(name).and_then(Value::as_str);
            let text = text("extracted_content")
                .filter(|text| !text.is_empty())
                .or(text("file_name"));
            pieces.extend(text.map(|text| Piece::new("file", text)));
        }
    }
    ParsedMessage::of(record, role, pieces)
}

// ---- two exports of one conversation ----

const COMPARED: Compared = Compared {
    ids: |conversation| {
        let messages = conversation.list("chat_messages").unwrap_or_default();
        Some(
            dated(messages)
                .into_iter()
                .map(|message| message.id)
                .collect(),
        )
    },
    age: |conversation| updated(conversation).unwrap_or_default(),
};

/// A message as it is joined with those of another export.
struct Dated {
    /// The message's own, or made of what it says and how often that was said before.
    id: String,
    /// Its own, or that of the message before it: it keeps its place.
    at: Millis,
    message: Box<RawValue>,
}

fn dated(messages: Vec<Box<RawValue>>) -> Vec<Dated> {
    let mut n_before: BTreeMap<String, u32> = BTreeMap::new();
    let mut at = Millis::default();
    let dated = |message: Box<RawValue>| {
        let value = members::value(&message);
        let own = value.get("uuid").and_then(Value::as_str).map(str::to_owned);
        let id = own.unwrap_or_else(|| {
            let fields = ["sender", "created_at", "text", "content"];
            let said = json!(fields.map(|name| value.get(name))).to_string();
            let n = n_before.entry(said.clone()).or_default();
            *n += 1;
            format!("{said}{n}")
        });
        let created = value.get("created_at").and_then(Value::as_str);
        at = created.and_then(Millis::parse).unwrap_or(at);
        Dated { id, at, message }
    };
    messages.into_iter().map(dated).collect()
}

pub(super) fn judge(first: &[u8], second: &[u8]) -> Judged {
    COMPARED.judge(first, second)
}

/// A conversation with the messages of both, in the order of their times. The later export's form
/// of a message counts.
pub(super) fn joined(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    COMPARED.joined(first, second, added)
}

fn added(later: &Members, earlier: &Members) -> Option<Members> {
    let mut all = dated(later.list("chat_messages")?);
    let known: BTreeSet<&str> = all.iter().map(|message| message.id.as_str()).collect();
    let mut new = dated(earlier.list("chat_messages").unwrap_or_default());
    new.retain(|message| !known.contains(message.id.as_str()));
    let mut changed = Members::default();
    if !new.is_empty() {
        all.extend(new);
        // Stable: messages of the same time stay in their order.
        all.sort_by_key(|message| message.at);
        let all: Vec<_> = all.into_iter().map(|message| message.message).collect();
        changed.set("chat_messages", &all)?;
    }
    Some(changed)
}
