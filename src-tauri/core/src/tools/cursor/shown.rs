//! How a bubble is shown: a prompt, an answer, a thought, or a call of a tool with its result.

use super::document::Document;
use crate::merge::transcript::{self, ParsedMessage, Piece, target_in};
use crate::session::{Role, records};
use serde_json::Value;

/// The bubbles of a document, one record each.
pub(super) fn bubbles(content: &[u8]) -> Vec<Value> {
    if let Some(document) = Document::parse(content) {
        let bubbles = document.bubbles.iter();
        return bubbles
            .map(|bubble| records::value(bubble.text.as_bytes()))
            .collect();
    }
    let (whole, damage) = records::document(content);
    let list = whole.get("bubbles").and_then(Value::as_array);
    // The kind is at the end of a bubble, so a part of one has none.
    let bubble = |bubble: &Value| match bubble.get("type") {
        Some(_) => bubble.clone(),
        None => records::unreadable(bubble.to_string().len() as u64),
    };
    let mut found: Vec<Value> = list.into_iter().flatten().map(bubble).collect();
    found.extend(damage.and_then(|damage| transcript::missing(damage, found.is_empty())));
    found
}

/// The text of a prompt.
pub(super) fn prompt(bubble: &Value) -> Option<&str> {
    let is_prompt = bubble.get("type").and_then(Value::as_u64) == Some(1);
    let text = bubble.get("text")?.as_str()?;
    (is_prompt && !text.trim().is_empty()).then_some(text)
}

pub(super) fn read_message(bubble: &Value) -> Option<ParsedMessage<'_>> {
    let role = match bubble.get("type")?.as_u64()? {
        1 => Role::User,
        _ => Role::Assistant,
    };
    let mut pieces: Vec<Piece<'_>> = thoughts(bubble)
        .map(|thought| Piece::new("thinking", thought))
        .collect();
    let text = bubble.get("text").and_then(Value::as_str);
    pieces.extend(
        text.filter(|text| !text.is_empty())
            .map(|text| Piece::new("text", text)),
    );
    pieces.extend(bubble.get("toolFormerData").map(called).unwrap_or_default());
    let images = bubble
        .get("images")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    pieces.extend(images.filter_map(address).map(Piece::image_at));
    let message = ParsedMessage::of(bubble, role, pieces)?;
    let text = |name: &str| bubble.get(name).and_then(Value::as_str);
    Some(ParsedMessage {
        at: text("createdAt"),
        id: text("bubbleId"),
        ..message
    })
}

/// `thinking` as a text or an object, or `allThinkingBlocks`.
fn thoughts(bubble: &Value) -> impl Iterator<Item = &str> {
    let all = bubble.get("allThinkingBlocks").and_then(Value::as_array);
    let all = bubble
        .get("thinking")
        .into_iter()
        .chain(all.into_iter().flatten());
    all.filter_map(|thought| {
        let inside = || {
            thought
                .get("text")
                .or_else(|| thought.get("thinking"))?
                .as_str()
        };
        thought
            .as_str()
            .or_else(inside)
            .filter(|text| !text.is_empty())
    })
}

/// A call: arguments and result are JSON in strings.
fn called(call: &Value) -> Vec<Piece<'_>> {
    let text = |name: &str| {
        call.get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let input = text("params")
        .or_else(|| text("rawArgs"))
        .unwrap_or_default();
    let parsed: Option<Value> = serde_json::from_str(input).ok();
    let target = parsed.as_ref().and_then(|input| {
        const NAMES: [&str; 5] = [
            "relativeWorkspacePath",
            "targetFile",
            "effectiveUri",
            "command",
            "query",
        ];
        let named = NAMES
            .iter()
            .find_map(|name| input.get(*name)?.as_str().map(str::to_owned));
        named.or_else(|| target_in(input).map(Into::into))
    });
    let mut pieces = vec![
        Piece::call(text("name").unwrap_or("tool"), input, target.as_deref())
            .with_call_id(text("toolCallId")),
    ];
    let failed = matches!(text("status"), Some("error" | "cancelled"));
    pieces.extend(text("result").map(|result| Piece {
        is_error: failed,
        ..Piece::new("tool_result", result).with_call_id(text("toolCallId"))
    }));
    pieces
}

/// The picture itself, or its address.
fn address(image: &Value) -> Option<&str> {
    image.as_str().or_else(|| image.get("url")?.as_str())
}
