//! Entries as messages again: how an imported session of the open format is read.

use super::Item;
use crate::merge::transcript::{ParsedMessage, Piece, target_in};
use crate::session::Role;
use serde_json::Value;
use std::collections::HashMap;

/// Entries that were made from one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Group<'a> {
    pub entries: Vec<&'a Value>,
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// The entries from a root to the last one in the file: the conversation as it stands.
pub fn path(entries: &[Value]) -> Vec<&Value> {
    let by_id: HashMap<&str, &Value> = entries
        .iter()
        .filter_map(|entry| Some((text(entry, "id")?, entry)))
        .collect();
    let mut found = Vec::new();
    let mut next = entries.last();
    while let Some(entry) = next {
        found.push(entry);
        // A parent stands before its children, so this ends; the bound is for a damaged file.
        next = text(entry, "parent")
            .filter(|_| found.len() < entries.len())
            .and_then(|parent| by_id.get(parent).copied());
    }
    found.reverse();
    found
}

/// The entries of a path, those of one record together.
pub fn groups<'a>(path: &[&'a Value]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for entry in path {
        let belongs = groups.last().is_some_and(|group| {
            let before = group.entries[0];
            let is_change = |entry: &Value| {
                entry.get("item").and_then(|item| text(item, "type")) == Some("session-roam:change")
            };
            before.get("native").is_some()
                && before.get("native") == entry.get("native")
                && !is_change(before)
                && !is_change(entry)
        });
        match groups.last_mut() {
            Some(group) if belongs => group.entries.push(entry),
            _ => groups.push(Group {
                entries: vec![entry],
            }),
        }
    }
    groups
}

/// The message of a record `{"uuid", "timestamp", "items"}`.
pub fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let items = record.get("items")?.as_array()?;
    let mut pieces = Vec::new();
    items.iter().for_each(|item| push(item, &mut pieces));
    ParsedMessage::of(record, role(items), pieces)
}

/// Who speaks in items of one record.
fn role(items: &[Value]) -> Role {
    let is = |kind: &str| items.iter().any(|item| text(item, "type") == Some(kind));
    let by = |role: &str| items.iter().any(|item| text(item, "role") == Some(role));
    match () {
        () if is("session-roam:change") => Role::Steering,
        () if is("function_call") || is("reasoning") || by("assistant") => Role::Assistant,
        () if is("function_call_output") || by("tool") => Role::Tool,
        () if by("user") => Role::User,
        () => Role::System,
    }
}

fn push<'a>(item: &'a Value, pieces: &mut Vec<Piece<'a>>) {
    let kind = text(item, "type").unwrap_or("item");
    if !matches!(Item::parse(item), Ok(Some(_))) {
        // An item of another writer: shown as it stands.
        return pieces.push(Piece::new(kind, item.to_string()));
    }
    let body = |name: &str| text(item, name).unwrap_or_default();
    match kind {
        "message" => parts(item, "content").for_each(|piece| pieces.push(piece)),
        "function_call" => pieces.push(call(item)),
        "function_call_output" => push_output(item, pieces),
        "reasoning" => {
            let thoughts = parts(item, "summary").chain(parts(item, "content"));
            let words: Vec<_> = thoughts.map(|piece| piece.body).collect();
            pieces.push(Piece::new("thinking", words.join("\n\n")));
        }
        "session-roam:compaction" => pieces.push(Piece::new("compaction", body("text"))),
        "session-roam:change" => pieces.push(Piece::new("text", body("text"))),
        _ => pieces.push(Piece::new(body("kind"), body("text"))),
    }
}

fn call(item: &Value) -> Piece<'_> {
    let arguments = text(item, "arguments").unwrap_or_default();
    let input: Option<Value> = serde_json::from_str(arguments).ok();
    let found = input.as_ref().and_then(target_in);
    let target = text(item, "target").or(found.as_deref());
    Piece::call(text(item, "name").unwrap_or("tool"), arguments, target)
        .with_call_id(text(item, "call_id"))
}

fn push_output<'a>(item: &'a Value, pieces: &mut Vec<Piece<'a>>) {
    let (pictures, words): (Vec<_>, Vec<_>) = match text(item, "output") {
        Some(words) => (Vec::new(), vec![Piece::new("text", words)]),
        None => parts(item, "output").partition(|piece| piece.kind == "image"),
    };
    let words: Vec<_> = words.into_iter().map(|piece| piece.body).collect();
    pieces.push(Piece {
        is_error: item.get("is_error").and_then(Value::as_bool) == Some(true),
        ..Piece::new("tool_result", words.join("\n")).with_call_id(text(item, "call_id"))
    });
    pieces.extend(pictures);
}

/// The parts of a content as pieces.
fn parts<'a>(item: &'a Value, name: &str) -> impl Iterator<Item = Piece<'a>> {
    let parts = item.get(name).and_then(Value::as_array);
    parts.into_iter().flatten().map(|part| {
        let body = |name: &str| text(part, name);
        match body("type") {
            Some("input_image") => Piece::image_at(body("image_url").unwrap_or_default()),
            Some("input_file") => Piece::new(
                "file",
                body("filename").or(body("file_url")).unwrap_or_default(),
            ),
            _ => Piece::new("text", body("text").or(body("refusal")).unwrap_or_default()),
        }
    })
}
