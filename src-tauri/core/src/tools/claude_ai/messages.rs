//! The messages of an exported conversation: how they are shown, and how two exports are joined.

use crate::formats::jsonl::title_of;
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{ParsedMessage, Piece, pieces_of};
use crate::session::{Millis, Role};
use crate::tools::imported::members::{self, Members};
use crate::tools::imported::{self, Compared};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

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
    imported::message_records(content, messages, ["uuid", "created_at"], said)
}

pub(super) fn said(record: &Value) -> Option<ParsedMessage<'_>> {
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
        Some(messages.iter().filter_map(|message| id(message)).collect())
    },
    age: |conversation| updated(conversation).unwrap_or_default(),
};

fn id(message: &RawValue) -> Option<String> {
    members::text(message, "uuid")
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
    let mut all = later.list("chat_messages")?;
    let known: BTreeSet<String> = all.iter().filter_map(|message| id(message)).collect();
    let is_new = |message: &Box<RawValue>| id(message).is_some_and(|id| !known.contains(&id));
    let old = earlier.list("chat_messages").unwrap_or_default();
    let new: Vec<Box<RawValue>> = old.into_iter().filter(is_new).collect();
    let mut changed = Members::default();
    if !new.is_empty() {
        all.extend(new);
        let time = |message: &Box<RawValue>| Millis::parse(&members::text(message, "created_at")?);
        // Stable: messages of the same time stay in their order.
        all.sort_by_cached_key(|message| time(message).unwrap_or_default());
        changed.set("chat_messages", &all)?;
    }
    Some(changed)
}
