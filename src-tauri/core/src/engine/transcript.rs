//! A session's messages as a person reads them, from the raw lines of any tool that writes JSON: tolerant, and never
//! used for merging.

use crate::api::types::Message;
use serde_json::Value;

/// The messages among the lines of a log or in a snapshot.
pub fn messages(bytes: &[u8]) -> Vec<Message> {
    if let Ok(Value::Array(items)) = serde_json::from_slice::<Value>(bytes) {
        return items.iter().filter_map(message).collect();
    }
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| message(&serde_json::from_slice::<Value>(line).ok()?))
        .collect()
}

fn message(record: &Value) -> Option<Message> {
    let at = record.get("timestamp").and_then(Value::as_str).map(str::to_owned);
    // The message itself, or wrapped as `message` or `payload`.
    let inner = record.get("message").or_else(|| record.get("payload")).unwrap_or(record);
    let role = inner.get("role").and_then(Value::as_str)?;
    let role = match role {
        "user" | "human" => "user",
        "assistant" | "model" => "assistant",
        "tool" | "function" => "tool",
        _ => "system",
    };
    let text = text_of(inner.get("content")?);
    let is_result = inner
        .get("content")
        .and_then(Value::as_array)
        .is_some_and(|parts| parts.iter().any(|part| part.get("type").and_then(Value::as_str) == Some("tool_result")));
    (!text.is_empty()).then(|| Message { role: if is_result { "tool" } else { role }.into(), text, at, device: None })
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().map(part_text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn part_text(part: &Value) -> String {
    let field = |name: &str| part.get(name).and_then(Value::as_str);
    match field("type") {
        Some("tool_use") => format!("[{}]", field("name").unwrap_or("tool")),
        Some("tool_result") => part.get("content").map(text_of).unwrap_or_default(),
        Some("image") => "[image]".into(),
        _ => field("text").or_else(|| field("thinking")).unwrap_or_default().to_owned(),
    }
}
