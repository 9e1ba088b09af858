//! The messages of an exported conversation: how they are shown, and how two exports are joined.

use crate::formats::jsonl::title_of;
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{ParsedMessage, Piece, pieces_of};
use crate::session::{Millis, Role};
use crate::tools::imported::{self, Compared};
use serde_json::Value;
use std::collections::BTreeSet;

fn messages(conversation: &Value) -> &[Value] {
    let messages = conversation.get("chat_messages").and_then(Value::as_array);
    messages.map_or(&[], Vec::as_slice)
}

fn time(value: &Value, name: &str) -> Option<Millis> {
    Millis::parse(value.get(name)?.as_str()?)
}

/// The title and the time of the last change.
pub(super) fn facts(conversation: &Value) -> (Option<String>, Option<Millis>) {
    let named = conversation.get("name").and_then(Value::as_str);
    let title = named.filter(|name| !name.trim().is_empty()).or_else(|| {
        let first = messages(conversation).first()?;
        first.get("text")?.as_str()
    });
    (title.and_then(title_of), time(conversation, "updated_at"))
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
    ids: |conversation| Some(ids(conversation)),
    age: |conversation| time(conversation, "updated_at").unwrap_or_default(),
};

fn ids(conversation: &Value) -> BTreeSet<String> {
    let id = |message: &Value| message.get("uuid").map(Value::to_string);
    messages(conversation).iter().filter_map(id).collect()
}

pub(super) fn judge(first: &[u8], second: &[u8]) -> Judged {
    COMPARED.judge(first, second)
}

/// A conversation with the messages of both, in the order of their times. The later export's form
/// of a message counts.
pub(super) fn joined(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    COMPARED.joined(first, second, add)
}

fn add(later: &mut Value, earlier: &Value) -> Option<()> {
    let known = ids(later);
    let all = later.get_mut("chat_messages")?.as_array_mut()?;
    let is_new = |message: &&Value| {
        let id = message.get("uuid").map(Value::to_string);
        id.is_some_and(|id| !known.contains(&id))
    };
    all.extend(messages(earlier).iter().filter(is_new).cloned());
    // Stable: messages of the same time stay in their order.
    all.sort_by_key(|message| time(message, "created_at").unwrap_or_default());
    Some(())
}
