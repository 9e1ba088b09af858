//! What was said, in words a person reads, from the raw lines of any tool that writes JSON. Tolerant, for showing
//! only: no merge depends on it.

use serde_json::Value;

/// A message among a log's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `user`, `assistant`, `tool`, `system`.
    pub role: &'static str,
    pub text: String,
    /// As the tool wrote it.
    pub at: Option<String>,
    /// The record's own id, if it has one.
    pub id: Option<String>,
    /// What the message is made of: `text`, `thinking`, `tool_use`, `tool_result`, `image`, …, with sizes in bytes.
    pub parts: Vec<(String, u64)>,
}

/// The message in a record; `None` for everything that is no message.
pub fn said(record: &Value) -> Option<Said> {
    let text_at = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
    // The message itself, or wrapped as `message` or `payload`.
    let inner = record.get("message").or_else(|| record.get("payload")).unwrap_or(record);
    let content = inner.get("content")?;
    let parts = parts_of(content);
    let answers = parts.iter().any(|(kind, _)| kind == "tool_result");
    let role = match inner.get("role").and_then(Value::as_str)? {
        _ if answers => "tool",
        "user" | "human" => "user",
        "assistant" | "model" => "assistant",
        "tool" | "function" => "tool",
        _ => "system",
    };
    let text = text_of(content);
    (!text.is_empty()).then(|| Said { role, text, at: text_at("timestamp"), id: text_at("uuid"), parts })
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

fn parts_of(content: &Value) -> Vec<(String, u64)> {
    match content {
        Value::String(text) => vec![("text".into(), text.len() as u64)],
        Value::Array(parts) => parts
            .iter()
            .map(|part| {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or("text");
                (kind.to_owned(), part_text(part).len() as u64)
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The messages of a log, or of a snapshot that is one list of them.
pub fn messages(bytes: &[u8]) -> Vec<Said> {
    if let Ok(Value::Array(items)) = serde_json::from_slice::<Value>(bytes) {
        return items.iter().filter_map(said).collect();
    }
    bytes.split(|byte| *byte == b'\n').filter_map(|line| said(&serde_json::from_slice::<Value>(line).ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_two_shapes_are_read_and_the_rest_is_passed_over() {
        let log = concat!(
            r#"{"type":"user","uuid":"u1","timestamp":"T","message":{"role":"user","content":"hello"}}"#,
            "\n",
            "not json\n",
            r#"{"type":"last-prompt","lastPrompt":"hello"}"#,
            "\n",
            r#"{"type":"user","message":{"role":"user","content":[{"type":"tool_result","content":"42"}]}}"#,
            "\n",
            r#"{"type":"response_item","payload":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}}"#,
            "\n",
        );
        let found = messages(log.as_bytes());
        let short: Vec<(&str, &str)> = found.iter().map(|said| (said.role, said.text.as_str())).collect();
        assert_eq!(short, [("user", "hello"), ("tool", "42"), ("assistant", "hi")]);
        assert_eq!((found[0].id.as_deref(), found[0].at.as_deref()), (Some("u1"), Some("T")));
    }
}
