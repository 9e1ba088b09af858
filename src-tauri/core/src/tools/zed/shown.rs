//! How a message of a thread is shown: `{"User": …}` and `{"Agent": …}`, or the older
//! `{"role": …, "segments": …}`.

use crate::merge::transcript::{ParsedMessage, Piece, pieces_of, target_in};
use crate::session::Role;
use serde_json::Value;

pub(super) fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let (role, mut pieces) = if let Some(user) = record.get("User") {
        (Role::User, content(user))
    } else if let Some(agent) = record.get("Agent") {
        let mut pieces = content(agent);
        let results = agent.get("tool_results").and_then(Value::as_object);
        pieces.extend(
            results
                .into_iter()
                .flatten()
                .map(|(_, result)| answer(result)),
        );
        (Role::Assistant, pieces)
    } else if let Some(summary) = record.get("Compaction") {
        let text = summary.get("Summary").and_then(Value::as_str);
        let piece = Piece::new("compaction", text.unwrap_or_default());
        (Role::Assistant, vec![piece])
    } else {
        older(record)?
    };
    pieces.retain(|piece| !piece.body.is_empty() || piece.kind != "text");
    let message = ParsedMessage::of(record, role, pieces)?;
    let id = record.get("User").and_then(|user| user.get("id")?.as_str());
    Some(ParsedMessage { id, ..message })
}

fn content(message: &Value) -> Vec<Piece<'_>> {
    let parts = message.get("content").and_then(Value::as_array);
    parts.into_iter().flatten().filter_map(part).collect()
}

fn part(part: &Value) -> Option<Piece<'_>> {
    let (kind, value) = part.as_object()?.iter().next()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    Some(match kind.as_str() {
        "Text" => Piece::new("text", value.as_str()?),
        "Thinking" => Piece::new("thinking", text("text")?),
        "Image" => Piece {
            media: Some("image/png"),
            ..Piece::new("image", text("source")?)
        },
        "Mention" => Piece::new("file", first_text(value.get("uri")?)?),
        "ToolUse" => call(value),
        _ => return None,
    })
}

/// The address in a mention: a text, or a kind with its fields.
fn first_text(uri: &Value) -> Option<&str> {
    match uri {
        Value::String(text) => Some(text),
        Value::Object(fields) => fields.values().find_map(|value| match value {
            Value::Object(inner) => inner.values().find_map(Value::as_str),
            value => value.as_str(),
        }),
        _ => None,
    }
}

fn call(call: &Value) -> Piece<'_> {
    let name = call.get("name").and_then(Value::as_str).unwrap_or("tool");
    // Since 2026 with its kind: {"type": "json", "value": {…}}.
    let input = call
        .get("input")
        .map(|input| input.get("value").unwrap_or(input));
    let target = input.and_then(target_in);
    let text = input.map(Value::to_string).unwrap_or_default();
    Piece::call(name, text, target.as_deref()).with_call_id(call.get("id").and_then(Value::as_str))
}

fn answer(result: &Value) -> Piece<'_> {
    let part = |part: &Value| match part.get("Text").unwrap_or(part) {
        Value::String(text) => text.clone(),
        _ => String::from("[image]"),
    };
    // One value until 2026, a list since then.
    let text = match result.get("content") {
        Some(Value::Array(parts)) => parts.iter().map(part).collect::<Vec<_>>().join("\n"),
        Some(one) => part(one),
        None => String::new(),
    };
    Piece {
        call_id: result.get("tool_use_id").and_then(Value::as_str),
        is_error: result.get("is_error").and_then(Value::as_bool) == Some(true),
        ..Piece::new("tool_result", text)
    }
}

fn older(record: &Value) -> Option<(Role, Vec<Piece<'_>>)> {
    let role = match record.get("role")?.as_str()? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => Role::System,
    };
    let list = |name: &str| {
        record
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let mut pieces: Vec<Piece<'_>> = record.get("text").map(pieces_of).unwrap_or_default();
    pieces.extend(list("segments").filter_map(|segment| {
        let text = segment.get("text")?.as_str()?;
        let is_thought = segment.get("type").and_then(Value::as_str) == Some("thinking");
        Some(Piece::new(
            if is_thought { "thinking" } else { "text" },
            text,
        ))
    }));
    pieces.extend(list("tool_uses").map(call));
    pieces.extend(list("tool_results").map(answer));
    Some((role, pieces))
}
