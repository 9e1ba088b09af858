//! A chat as one document, the same on every device.
//!
//! ```json
//! {"blobs":[
//! {"id":"9f86d081…","text":"{\"role\":\"user\",…}"},
//! {"id":"60303ae2…","base64":"CiBf…"}
//! ],
//! "chat":{"createdAtMs":1,"cwd":"/w","hasConversation":true,"schemaVersion":1,"title":"Hello"},
//! "meta":{"agentId":"…","createdAt":1,"latestRootBlobId":"60303ae2…","mode":"default","name":"Hello"}}
//! ```
//! - One blob a line, in the order in which the tool wrote them, so that a chat that goes on grows near its end. Blobs
//!   are text where they are text; nothing in them is ever changed, because their id is the hash of their bytes.
//! - A fork replaces the chat's id in the whole document. The text of a blob must not change with it, so the first dash
//!   of everything that looks like a UUID is written `\u002d` there.
//! - `meta` has the fields of the tool's record that are known here, without its key; `chat` those of `meta.json`.

use super::blobs::{self, BlobId, Root, hex_of, id_from_hex, id_of};
use crate::opener;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

/// Larger documents are neither written nor read, in bytes.
pub const MOST: u64 = opener::MOST;
/// A chat with more blobs is refused.
pub const MOST_BLOBS: usize = 200_000;

pub const EMPTY: &str = "New Agent";

/// The fields of the tool's record that are carried. The others are this device's: the key, a debugger's port.
const META: [&str; 10] = [
    "agentId",
    "approvalMode",
    "createdAt",
    "currentPlanUri",
    "isRunEverything",
    "lastUsedModel",
    "latestRootBlobId",
    "mode",
    "name",
    "subagentInfo",
];
/// Those that steer the tool or belong to this device. The store keeps its own.
pub const META_OF_DEVICE: [&str; 5] = [
    "approvalMode",
    "currentPlanUri",
    "isRunEverything",
    "lastUsedModel",
    "mode",
];
const CHAT: [&str; 7] = [
    "createdAtMs",
    "cwd",
    "hasConversation",
    "isSubagent",
    "schemaVersion",
    "title",
    "updatedAtMs",
];
const SUBAGENT: [&str; 4] = [
    "parentAgentId",
    "rootParentAgentId",
    "toolCallId",
    "typeName",
];

pub type Fields = BTreeMap<String, Value>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub id: BlobId,
    pub data: Vec<u8>,
}

/// A document whose blobs have the hashes that they claim, and whose fields are all known.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub blobs: Vec<Blob>,
    pub chat: Fields,
    pub meta: Fields,
}

#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error("the document is no chat of Cursor's command line: {0}")]
    Shape(String),
    #[error("the blob {0} has other bytes than its id says")]
    Hash(String),
    #[error("the blob {0} is not a blob")]
    Blob(String),
    #[error("the chat has the setting \"{0}\", which is not known here and may be a permission")]
    Field(String),
    #[error("\"{0}\" has a value that Cursor does not read")]
    Value(&'static str),
    #[error("{0} of the conversation is missing")]
    Missing(String),
    #[error("the chat has more than {MOST_BLOBS} blobs")]
    Many,
}

#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    blobs: Vec<Row<'a>>,
    #[serde(default)]
    chat: Fields,
    meta: Fields,
}

#[derive(Deserialize)]
pub struct Row<'a> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub base64: Option<Cow<'a, str>>,
}

impl Row<'_> {
    /// The blob; an error if its id is not its hash.
    fn blob(self) -> Result<Blob, DocumentError> {
        let id = id_from_hex(&self.id).ok_or_else(|| DocumentError::Blob(shown(&self.id)))?;
        let data = match (self.text, self.base64) {
            (Some(text), None) => Some(text.into_owned().into_bytes()),
            (None, Some(text)) => BASE64.decode(text.as_bytes()).ok(),
            _ => None,
        };
        let data = data.ok_or_else(|| DocumentError::Blob(hex_of(&id)))?;
        match id_of(&data) == id {
            true => Ok(Blob { id, data }),
            false => Err(DocumentError::Hash(hex_of(&id))),
        }
    }
}

impl Document {
    /// Reads a document, which may come from anywhere, and checks every blob's hash.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let shape = |error: serde_json::Error| DocumentError::Shape(error.to_string());
        let parts: Parts<'_> = serde_json::from_slice(bytes).map_err(shape)?;
        if MOST_BLOBS < parts.blobs.len() {
            return Err(DocumentError::Many);
        }
        let blobs = parts.blobs.into_iter().map(Row::blob);
        let mut document = Self {
            blobs: blobs.collect::<Result<_, _>>()?,
            chat: parts.chat,
            meta: parts.meta,
        };
        let mut seen = HashSet::new();
        document.blobs.retain(|blob| seen.insert(blob.id));
        Ok(document)
    }

    /// What must hold before a store gets this document: Cursor reads every field, and the conversation is whole.
    pub fn check(&self) -> Result<(), DocumentError> {
        for (fields, known) in [(&self.meta, &META[..]), (&self.chat, &CHAT[..])] {
            let stranger = fields.keys().find(|name| !known.contains(&name.as_str()));
            if let Some(stranger) = stranger {
                return Err(DocumentError::Field(shown(stranger)));
            }
        }
        for (name, required, holds) in META_RULES {
            check_value(&self.meta, name, *required, *holds)?;
        }
        for (name, holds) in CHAT_RULES {
            check_value(&self.chat, name, false, *holds)?;
        }
        self.check_whole()
    }

    /// Cursor shows an empty chat where the root is missing, and ends a chat that lacks anything else.
    fn check_whole(&self) -> Result<(), DocumentError> {
        let by_id: BTreeMap<&BlobId, &[u8]> = self
            .blobs
            .iter()
            .map(|blob| (&blob.id, blob.data.as_slice()))
            .collect();
        let missing = |id: &BlobId| DocumentError::Missing(format!("the blob {}", hex_of(id)));
        let root = self
            .root_id()
            .ok_or_else(|| DocumentError::Missing("the end".into()))?;
        let data = by_id.get(&root).ok_or_else(|| missing(&root))?;
        let root = Root::parse(data)
            .ok_or_else(|| DocumentError::Shape("its root is not readable".into()))?;
        for id in root.messages.iter().chain(&root.turns) {
            by_id.get(id).ok_or_else(|| missing(id))?;
        }
        for turn in root.turns.iter().filter_map(|id| by_id.get(id)) {
            let parts = blobs::parts_of_turn(turn).unwrap_or_default();
            if let Some(absent) = parts.iter().find(|id| !by_id.contains_key(id)) {
                return Err(missing(absent));
            }
        }
        Ok(())
    }

    pub fn root_id(&self) -> Option<BlobId> {
        root_in(&self.meta)
    }

    /// The state at the end of the conversation, if it is here and readable.
    pub fn root(&self) -> Option<Root> {
        let id = self.root_id()?;
        Root::parse(&self.blobs.iter().find(|blob| blob.id == id)?.data)
    }

    #[cfg(test)]
    pub fn render(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.blobs
            .iter()
            .for_each(|blob| writer.push(&blob.id, &blob.data));
        writer.end(&self.chat, &self.meta)
    }
}

/// The id of the latest root in a record of the tool.
pub fn root_in(meta: &Fields) -> Option<BlobId> {
    id_from_hex(meta.get("latestRootBlobId")?.as_str()?)
}

type Rule = fn(&Value) -> bool;

/// Without these, Cursor's own reader refuses the whole store.
const META_RULES: &[(&str, bool, Rule)] = &[
    ("agentId", true, Value::is_string),
    ("name", true, Value::is_string),
    ("createdAt", true, is_time),
    ("subagentInfo", false, is_subagent),
];
const CHAT_RULES: &[(&str, Rule)] = &[
    ("schemaVersion", |value| *value == 1),
    ("title", Value::is_string),
    ("createdAtMs", is_time),
    ("updatedAtMs", is_time),
    ("hasConversation", Value::is_boolean),
    ("isSubagent", Value::is_boolean),
];

fn check_value(
    fields: &Fields,
    name: &'static str,
    required: bool,
    holds: Rule,
) -> Result<(), DocumentError> {
    match fields.get(name) {
        None if required => Err(DocumentError::Value(name)),
        Some(value) if !holds(value) => Err(DocumentError::Value(name)),
        _ => Ok(()),
    }
}

fn is_time(value: &Value) -> bool {
    value.as_i64().is_some_and(|at| 0 <= at)
}

fn is_subagent(value: &Value) -> bool {
    let holds = |name: &&str| {
        value
            .get(name)
            .is_some_and(|text| text.as_str() != Some(""))
    };
    let strings = |fields: &serde_json::Map<String, Value>| fields.values().all(Value::is_string);
    SUBAGENT.iter().all(holds)
        && value
            .as_object()
            .is_some_and(|fields| fields.len() == SUBAGENT.len() && strings(fields))
}

/// The fields of the tool's record that are carried. One of this device's that is missing is `null`,
/// so that the document has the same fields everywhere.
pub fn carried_meta(meta: Fields) -> Fields {
    let known = |(name, _): &(String, Value)| META.contains(&name.as_str());
    let mut meta: Fields = meta.into_iter().filter(known).collect();
    for name in META_OF_DEVICE {
        meta.entry(name.into()).or_insert(Value::Null);
    }
    meta
}

/// The fields of `meta.json` that are carried; one that is missing gets those that every chat has.
pub fn carried_chat(chat: Fields, meta: &Fields) -> Fields {
    let known = |(name, _): &(String, Value)| CHAT.contains(&name.as_str());
    let mut chat: Fields = chat.into_iter().filter(known).collect();
    let created = meta.get("createdAt").cloned().unwrap_or(Value::from(0));
    chat.entry("createdAtMs".into()).or_insert(created);
    chat.entry("hasConversation".into())
        .or_insert(Value::from(true));
    chat.entry("schemaVersion".into()).or_insert(Value::from(1));
    chat
}

/// Writes a document blob by blob.
#[derive(Debug)]
pub struct Writer {
    out: Vec<u8>,
    is_first: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            out: b"{\"blobs\":[\n".to_vec(),
            is_first: true,
        }
    }
}

impl Writer {
    pub fn len(&self) -> u64 {
        self.out.len() as u64
    }

    pub fn push(&mut self, id: &BlobId, data: &[u8]) {
        if !self.is_first {
            self.out.extend_from_slice(b",\n");
        }
        self.is_first = false;
        let (name, body) = match text_of(data) {
            Some(text) => ("text", with_hidden_ids(&Value::from(text).to_string())),
            None => ("base64", format!("\"{}\"", BASE64.encode(data))),
        };
        let row = format!("{{\"id\":\"{}\",\"{name}\":{body}}}", hex_of(id));
        self.out.extend_from_slice(row.as_bytes());
    }

    pub fn end(mut self, chat: &Fields, meta: &Fields) -> Vec<u8> {
        let end = format!(
            "\n],\n\"chat\":{},\n\"meta\":{}}}\n",
            object(chat),
            object(meta)
        );
        self.out.extend_from_slice(end.as_bytes());
        self.out
    }
}

/// A blob that reads as text, so that its lines compress well and can be searched.
fn text_of(data: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(data).ok()?;
    let is_text = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    text.chars().all(is_text).then_some(text)
}

const UUID: usize = 36;
const DASH: usize = 8;

/// A JSON string in which nothing reads as a UUID any more, and that means the same.
fn with_hidden_ids(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut out = String::with_capacity(json.len());
    let mut from = 0;
    for at in memchr::memchr_iter(b'-', bytes) {
        let start = at.checked_sub(DASH);
        let is_id = start
            .and_then(|start| bytes.get(start..start + UUID))
            .is_some_and(is_uuid);
        if is_id && from <= at {
            out.push_str(&json[from..at]);
            out.push_str("\\u002d");
            from = at + 1;
        }
    }
    out.push_str(&json[from..]);
    out
}

fn is_uuid(text: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.iter().enumerate().all(fits)
}

/// JSON with sorted names at every level, whatever features `serde_json` was built with.
pub fn object(fields: &Fields) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), sorted(value)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn sorted(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter();
            object(
                &fields
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            )
        }
        other => other.to_string(),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
