//! What can be read in a conversation's bytes: the prompts, answers and calls among the steps of a
//! database. The bytes may come from anywhere: they are read in memory, from plain tables only.
//!
//! Step 14 is a prompt (field 19, in it field 2), step 15 an answer (field 20: 1 the text, 7 calls:
//! 2 name, 3 arguments). From public descriptions, October 2026.

use crate::formats::{protobuf, sqlite};
use crate::merge::transcript::{ParsedMessage, Piece};
use crate::session::Role;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;

/// How an SQLite database begins.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// More steps are not shown.
const MOST: i64 = 100_000;
/// The instructions of SQLite after which a reading ends, in portions. Pages that refer to each
/// other in a circle would make one that never ends.
const PORTION: i32 = 100_000;
const PORTIONS: u32 = 500;

#[derive(Debug, Default)]
pub(super) struct Conversation {
    messages: Vec<Value>,
    /// The addresses of the directories in which it began.
    pub workspaces: Vec<String>,
}

impl Conversation {
    /// `None` if the bytes are no database with steps.
    pub fn of(content: &[u8]) -> Option<Self> {
        let bytes = content.strip_prefix(MAGIC).and(Some(content))?;
        let mut bytes = bytes.to_vec();
        // A database in memory has no log: the header's mark for one is taken away.
        bytes.get_mut(18..20)?.fill(1);
        let mut database = Connection::open_in_memory().ok()?;
        database
            .deserialize_read_exact("main", &bytes[..], bytes.len(), true)
            .ok()?;
        let mut portions = 0;
        let is_too_much = move || {
            portions += 1;
            PORTIONS < portions
        };
        database.progress_handler(PORTION, Some(is_too_much));
        Self::read(&database, content.len()).ok().flatten()
    }

    /// Reads steps of no more bytes than the database itself has.
    fn read(database: &Connection, most: usize) -> rusqlite::Result<Option<Self>> {
        let has = |table: &str, wanted: &[&str]| {
            let names = sqlite::columns(database, Path::new(""), table).unwrap_or_default();
            wanted.iter().all(|name| names.contains(*name))
        };
        if !has("steps", &["idx", "step_type", "step_payload"]) {
            return Ok(None);
        }
        let (mut found, mut n_bytes) = (Self::default(), 0);
        let sql = "SELECT step_type, step_payload FROM steps WHERE step_type IN (14, 15) ORDER BY idx LIMIT ?1";
        let mut query = database.prepare(sql)?;
        let mut rows = query.query([MOST])?;
        while let Some(row) = rows.next()? {
            let kind: i64 = row.get(0)?;
            let payload = row.get_ref(1)?.as_bytes_or_null()?.unwrap_or_default();
            n_bytes += payload.len();
            if most < n_bytes {
                break;
            }
            found.messages.extend(message(kind, payload));
        }
        if has("trajectory_metadata_blob", &["data"]) {
            let sql = "SELECT data FROM trajectory_metadata_blob LIMIT 8";
            let mut query = database.prepare(sql)?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let blob = row.get_ref(0)?.as_bytes_or_null()?.unwrap_or_default();
                addresses(blob, 4, &mut found.workspaces);
            }
        }
        Ok(Some(found))
    }

    /// The first prompt.
    pub fn prompt(&self) -> Option<&str> {
        let mut prompts = self
            .messages
            .iter()
            .filter(|message| message["role"] == "user");
        prompts.next()?["text"].as_str()
    }
}

fn message(kind: i64, payload: &[u8]) -> Option<Value> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if kind == 14 {
        let prompt = field(field(payload, 19)?, 2)?;
        return Some(json!({ "role": "user", "text": text(prompt) }));
    }
    let answer = field(payload, 20)?;
    let calls = fields(answer).filter(|(number, _)| *number == 7);
    let calls = calls.map(|(_, call)| {
        let part = |number| field(call, number).map(text).unwrap_or_default();
        json!({ "name": part(2), "input": part(3) })
    });
    let words = field(answer, 1).map(text).unwrap_or_default();
    Some(json!({ "role": "assistant", "text": words, "calls": calls.collect::<Vec<_>>() }))
}

/// All that can be shown of a conversation. Two different ones that cannot be read are never the
/// same record.
pub(super) fn records(content: &[u8]) -> Vec<Value> {
    let messages = Conversation::of(content).map(|found| found.messages);
    if let Some(messages) = messages.filter(|messages| !messages.is_empty()) {
        return messages;
    }
    let hash = blake3::hash(content).to_hex();
    let (bytes, hash) = (content.len(), &hash[..8]);
    let text = match content.starts_with(MAGIC) {
        true => format!(
            "A database of Antigravity in which nothing can be read: {bytes} bytes ({hash})."
        ),
        false => format!(
            "Encrypted by Antigravity: {bytes} bytes ({hash}). They sync, and only Antigravity can show them."
        ),
    };
    vec![json!({ "role": "system", "text": text })]
}

pub(super) fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let role = match text("role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => Role::System,
    };
    let words = text("text").filter(|words| !words.is_empty());
    let words = words.map(|words| Piece::new("text", words));
    let calls = record.get("calls").and_then(Value::as_array);
    let calls = calls.into_iter().flatten().map(|call| {
        let part = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default();
        Piece::call(part("name"), part("input"), None)
    });
    ParsedMessage::of(record, role, words.into_iter().chain(calls).collect())
}

/// Addresses of directories anywhere in a message.
fn addresses(message: &[u8], depth: u8, found: &mut Vec<String>) {
    for (_, inside) in fields(message) {
        match std::str::from_utf8(inside) {
            Ok(text) if text.starts_with("file:///") => found.push(text.to_owned()),
            _ if 0 < depth && found.len() < 8 => addresses(inside, depth - 1, found),
            _ => {}
        }
    }
}

fn field(message: &[u8], number: u64) -> Option<&[u8]> {
    fields(message)
        .find(|(found, _)| *found == number)
        .map(|(_, inside)| inside)
}

/// The texts, bytes and messages in a message, up to the first field that is not well formed.
fn fields(message: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    protobuf::leading(message).filter_map(|field| Some((field.number, field.bytes()?)))
}
