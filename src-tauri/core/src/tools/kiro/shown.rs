//! How a record of Kiro is shown: what `payload.type` and `operationType` say.

use crate::formats::jsonl;
use crate::merge::transcript::{ParsedMessage, Piece, target_in};
use crate::session::Role;
use serde_json::Value;

/// Records that Kiro writes around a turn, or for itself.
const NOTES: [&str; 6] = [
    "interaction_resolved",
    "pending_interaction",
    "steering_inclusion",
    "turn_end",
    "turn_start",
    "usage_summary",
];

/// Whether a line is part of the conversation. A doubtful line is.
pub(super) fn is_message(line: &[u8]) -> bool {
    let record: Option<Value> = serde_json::from_slice(line).ok();
    let kind = record
        .as_ref()
        .and_then(|record| record.pointer("/payload/type")?.as_str());
    !kind.is_some_and(|kind| NOTES.contains(&kind))
}

/// The text of a prompt.
pub(super) fn prompt(record: &Value) -> Option<&str> {
    let payload = record.get("payload")?;
    let is_prompt = payload.get("type")?.as_str()? == "user";
    let text = payload.get("content")?.as_str().filter(|_| is_prompt)?;
    (!text.trim().is_empty()).then_some(text)
}

pub(super) fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let payload = record.get("payload")?;
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    let content = |kind| {
        let content = text("content").filter(|content| !content.is_empty());
        content.map(|content| Piece::new(kind, content))
    };
    let (role, mut pieces): (Role, Vec<Piece<'_>>) = match text("type")? {
        "user" => (Role::User, content("text").into_iter().collect()),
        "assistant" => {
            let kind = match text("operationType") {
                Some("Reasoning") => "thinking",
                Some("Summary") => "compaction",
                _ => "text",
            };
            (Role::Assistant, content(kind).into_iter().collect())
        }
        "tool_call" => (Role::Assistant, vec![call(payload)]),
        "sub_agent_start" => {
            let name = text("subAgentName").unwrap_or("agent");
            let prompt = text("prompt").unwrap_or_default();
            (
                Role::Assistant,
                vec![Piece::call(name, prompt, Some(prompt))],
            )
        }
        "tool_result" => (Role::Tool, vec![result(payload, "content")]),
        "sub_agent_complete" => (Role::Tool, vec![result(payload, "response")]),
        _ => return None,
    };
    for (list, kind) in [("images", "image"), ("documents", "file")] {
        let attached = payload.get(list).and_then(Value::as_array);
        let attached = attached.into_iter().flatten();
        pieces.extend(attached.filter_map(|attached| attachment(attached, kind)));
    }
    let message = ParsedMessage::of(record, role, pieces)?;
    Some(ParsedMessage {
        id: record.get("id").and_then(Value::as_str),
        ..message
    })
}

fn call(payload: &Value) -> Piece<'_> {
    let name = payload.get("toolName").and_then(Value::as_str);
    let args = payload.get("args");
    let target = args.and_then(target_in);
    Piece::call(
        name.unwrap_or("tool"),
        args.map(Value::to_string).unwrap_or_default(),
        target.as_deref(),
    )
    .with_call_id(payload.get("toolCallId").and_then(Value::as_str))
}

fn result<'a>(payload: &'a Value, field: &str) -> Piece<'a> {
    let is = |name: &str| payload.get(name).and_then(Value::as_bool);
    let failed = is("isError") == Some(true) || is("success") == Some(false);
    let piece = match payload.get(field) {
        Some(Value::String(text)) => Piece::new("tool_result", text.as_str()),
        Some(other) => Piece::new(
            "tool_result",
            jsonl::text_of(other).map_or_else(|| other.to_string(), str::to_owned),
        ),
        None => Piece::new("tool_result", ""),
    };
    Piece {
        is_error: failed,
        ..piece.with_call_id(payload.get("toolCallId").and_then(Value::as_str))
    }
}

/// A picture or document that was attached: an address, or an object that names one.
fn attachment<'a>(attached: &'a Value, kind: &'a str) -> Option<Piece<'a>> {
    let names: &[&str] = match kind {
        "image" => &["data", "image_url", "url", "id"],
        _ => &["displayName", "name", "id", "file_url"],
    };
    let named = |name: &&str| attached.get(*name).and_then(Value::as_str);
    let text = attached.as_str().or_else(|| names.iter().find_map(named))?;
    Some(match kind {
        "image" => Piece::image_at(text),
        _ => Piece::new(kind, text),
    })
}
