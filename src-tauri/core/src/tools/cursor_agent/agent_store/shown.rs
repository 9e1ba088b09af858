//! What a chat says: the messages in the order of the conversation, for display, and the facts.

use super::blobs::{self, BlobId, Root};
use super::document::{Document, EMPTY, Fields, META_OF_DEVICE};
use crate::adapter::Facts;
use crate::formats::steering::Steer;
use crate::formats::vscode::{System, path_of};
use crate::merge::transcript::{self, ParsedMessage, Piece, target_in};
use crate::session::{Millis, Role, SessionId, records};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Longer values of settings are cut.
const SHOWN: usize = 120;

/// One record a message, in the order in which the model sees them: `{uuid, timestamp, message}`.
pub fn records(content: &[u8]) -> Vec<Value> {
    match Document::parse(content) {
        Ok(document) => messages(&document),
        Err(_) => damaged_records(content),
    }
}

fn messages(document: &Document) -> Vec<Value> {
    let blobs: HashMap<&BlobId, &[u8]> = document
        .blobs
        .iter()
        .map(|blob| (&blob.id, blob.data.as_slice()))
        .collect();
    let root = document.root().unwrap_or_default();
    let prompts = prompts(&root, &blobs);
    if root.messages.is_empty() {
        return turns(&root, &blobs);
    }
    let record = |id: &BlobId| {
        let message = blobs.get(id).map(|data| records::value(data))?;
        message
            .is_object()
            .then(|| json!({ "uuid": blobs::hex_of(id), "message": message }))
    };
    let mut found: Vec<Value> = root.messages.iter().filter_map(record).collect();
    // The messages have no times, the turns have: the prompts of both are the same ones, unless Cursor summed up.
    let typed = |record: &&mut Value| asked(&record["message"]).is_some();
    if found.iter_mut().filter(|record| typed(record)).count() == prompts.len() {
        let in_order = found.iter_mut().filter(typed).zip(prompts);
        in_order.for_each(|(record, at)| {
            if let Some(at) = at {
                record["timestamp"] = at.rfc3339().into();
            }
        });
    }
    found
}

/// The time of each prompt.
fn prompts(root: &Root, blobs: &HashMap<&BlobId, &[u8]>) -> Vec<Option<Millis>> {
    let turns = root.turns.iter().filter_map(|turn| blobs.get(turn));
    turns
        .map(|turn| {
            let first = *blobs::parts_of_turn(turn)?.first()?;
            blobs::prompt(blobs.get(&first)?)?.at.map(Millis)
        })
        .collect()
}

/// The prompts and answers of a chat that has only turns.
fn turns(root: &Root, blobs: &HashMap<&BlobId, &[u8]>) -> Vec<Value> {
    let mut found = Vec::new();
    for parts in root.turns.iter().filter_map(|turn| blobs.get(turn)) {
        for (idx, id) in blobs::parts_of_turn(parts)
            .into_iter()
            .flatten()
            .enumerate()
        {
            let Some(data) = blobs.get(&id) else { continue };
            let said = match idx {
                0 => blobs::prompt(data).map(|prompt| ("user", prompt.text)),
                _ => blobs::answer(data).map(|text| ("assistant", text)),
            };
            found.extend(said.map(|(role, content)| {
                json!({ "uuid": blobs::hex_of(&id), "message": { "role": role, "content": content } })
            }));
        }
    }
    found
}

/// The messages of a document that is no longer whole, in the order in which they were stored.
fn damaged_records(content: &[u8]) -> Vec<Value> {
    let (whole, damage) = records::document(content);
    let rows = whole.get("blobs").and_then(Value::as_array);
    let record = |row: &Value| {
        let message = records::value(row.get("text")?.as_str()?.as_bytes());
        message.get("role")?;
        Some(json!({ "uuid": row.get("id"), "message": message }))
    };
    let mut found: Vec<Value> = rows.into_iter().flatten().filter_map(record).collect();
    found.extend(damage.and_then(|damage| transcript::missing(damage, found.is_empty())));
    found
}

/// The message in a record.
pub fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let message = record.get("message")?;
    let content = message.get("content")?;
    let mut pieces = Vec::new();
    match content {
        Value::String(text) => pieces.extend(words(text)),
        Value::Array(parts) => pieces.extend(parts.iter().filter_map(piece)),
        _ => {}
    }
    let role = match message.get("role").and_then(Value::as_str)? {
        // What Cursor says about the machine comes in the user's name.
        "user" if asked(message).is_none() && is_preamble(content) => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => Role::System,
    };
    ParsedMessage::of(record, role, pieces)
}

fn piece(part: &Value) -> Option<Piece<'_>> {
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    match text("type")? {
        "text" => text("text").and_then(words),
        "reasoning" => text("text")
            .filter(|text| !text.is_empty())
            .map(|text| Piece::new("thinking", text)),
        "tool-call" => {
            let args = part.get("args").or_else(|| part.get("input"));
            let target = args.and_then(target_in);
            let call = Piece::call(
                text("toolName").unwrap_or("tool"),
                args.map(Value::to_string).unwrap_or_default(),
                target.as_deref(),
            );
            Some(call.with_call_id(text("toolCallId")))
        }
        "tool-result" => Some(result(part)),
        "image" => text("image").or_else(|| text("data")).map(Piece::image_at),
        "file" => text("filename").map(|name| Piece::new("file", name)),
        _ => None,
    }
}

fn result(part: &Value) -> Piece<'_> {
    let piece = match part.get("result").or_else(|| part.get("output")) {
        Some(Value::String(text)) => Piece::new("tool_result", text.as_str()),
        Some(other) => Piece::new("tool_result", other.to_string()),
        None => Piece::new("tool_result", ""),
    };
    Piece {
        call_id: part.get("toolCallId").and_then(Value::as_str),
        is_error: part.get("isError").and_then(Value::as_bool) == Some(true),
        ..piece
    }
}

/// A text without the marks that Cursor puts around what the user typed.
fn words(text: &str) -> Option<Piece<'_>> {
    let text = query_in(text).unwrap_or(text);
    (!text.is_empty()).then(|| Piece::new("text", text))
}

const QUERY: [&str; 2] = ["<user_query>", "</user_query>"];

fn query_in(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(QUERY[0])?;
    Some(rest.rsplit_once(QUERY[1])?.0.trim_matches('\n'))
}

/// What the user typed, in a message.
fn asked(message: &Value) -> Option<&str> {
    if message.get("role")?.as_str()? != "user" {
        return None;
    }
    match message.get("content")? {
        Value::String(text) => query_in(text),
        Value::Array(parts) => parts
            .iter()
            .find_map(|part| query_in(part.get("text")?.as_str()?)),
        _ => None,
    }
}

fn is_preamble(content: &Value) -> bool {
    let begins = |text: &str| text.trim_start().starts_with("<user_info>");
    match content {
        Value::String(text) => begins(text),
        Value::Array(parts) => parts
            .iter()
            .any(|part| part.get("text").and_then(Value::as_str).is_some_and(begins)),
        _ => false,
    }
}

/// The facts about a chat. `is_home` tells whether the chat lies where those of a directory lie.
pub fn facts(document: &Document, is_home: impl Fn(&str) -> bool) -> Facts {
    let time = |fields: &Fields, name: &str| fields.get(name).and_then(Value::as_i64);
    let text = |name: &str| document.chat.get(name).and_then(Value::as_str);
    let uris = document.root().unwrap_or_default().workspaces;
    let mut named = uris.iter().filter_map(|uri| path_of(uri, System::HERE));
    let cwd = text("cwd").filter(|cwd| !cwd.is_empty()).map(str::to_owned);
    let parent = document.meta.get("subagentInfo");
    let parent = parent.and_then(|info| info.get("parentAgentId")?.as_str());
    Facts {
        cwd: cwd.or_else(|| named.find(|path| is_home(path))),
        title: title(document),
        updated: time(&document.chat, "updatedAtMs")
            .or_else(|| time(&document.meta, "createdAt"))
            .map(Millis),
        requires: parent.map(SessionId::new).into_iter().collect(),
        ..Facts::default()
    }
}

/// The title: the user's, else Cursor's; `None` for a chat that has none yet.
fn title(document: &Document) -> Option<String> {
    let text = |fields: &Fields, name: &str| {
        let text = fields.get(name)?.as_str()?.trim();
        (!text.is_empty() && text != EMPTY).then(|| text.to_owned())
    };
    text(&document.chat, "title").or_else(|| text(&document.meta, "name"))
}

/// The settings in a chat: those of the record, and those in the state at its end, which is part of the conversation
/// and cannot be left out.
pub fn steers(content: &[u8]) -> Vec<Steer> {
    let Ok(document) = Document::parse(content) else {
        return Vec::new();
    };
    let steer = |name: &str, value: &str| Steer {
        name: name.into(),
        value: value.chars().take(SHOWN).collect(),
    };
    let in_record = META_OF_DEVICE.iter().filter_map(|name| {
        let value = document.meta.get(*name)?;
        let is_set = !matches!(value, Value::Null | Value::Bool(false)) && *value != "default";
        is_set.then(|| match value.as_str() {
            Some(text) => steer(name, text),
            None => steer(name, &value.to_string()),
        })
    });
    let mut found: Vec<Steer> = in_record.collect();
    let root = document.root().unwrap_or_default();
    if 1 < root.mode {
        found.push(steer("mode of the conversation", &root.mode.to_string()));
    }
    if 0 < root.pending_calls {
        let calls = root.pending_calls.to_string();
        found.push(steer("calls without an answer", &calls));
    }
    found.extend(root.goal.map(|goal| steer("goal", &goal)));
    found.extend(root.custom_mode.map(|mode| steer("custom mode", &mode)));
    found
}
