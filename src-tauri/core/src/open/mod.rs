//! The open format: one session as JSON lines, a header and a tree of entries that hold items in the
//! vocabulary of Open Responses. A generated view: the tool's own records stay the truth. Knows
//! neither tools, journals nor files; docs/open-format.md describes the format for others.

mod canonical;
mod items;
mod messages;
mod reading;

pub use canonical::{canonical, hash_of_bytes, hash_of_value, named};
pub use items::Calls;
pub use messages::{Group, groups, path, read_message};
pub use reading::{OpenError, OpenSession, is_header, newer_format, read};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The format and its version, in the header.
pub const FORMAT: &str = "session-roam-open/1";
/// What the versions of this format have in common.
pub const FAMILY: &str = "session-roam-open/";
/// The vocabulary of the items.
pub const PAYLOAD: &str = "openresponses/2026-04-24";

/// A line of a file: the header first, then entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    Session(Header),
    Item(Entry),
}

/// The first line of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Header {
    /// `session-roam-open/1`.
    pub format: String,
    /// The vocabulary of the items: `openresponses/2026-04-24`.
    pub payload: String,
    /// The session's id in the tool.
    pub id: String,
    /// The id of the tool whose session it is.
    pub tool: String,
    /// The tool's name and the version that wrote last.
    pub harness: Harness,
    pub title: String,
    pub project: String,
    /// Time of the last activity, RFC 3339.
    pub updated_at: String,
    /// The devices that the entries name.
    pub devices: Vec<Device>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Harness {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A device that wrote or signed something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Device {
    /// Its short id.
    pub id: String,
    pub name: String,
    /// Its Ed25519 key, 32 bytes in base64; absent if the exporting device does not know it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// One item and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entry {
    /// `sha256:` and the hash of the entry without `id`, `device` and `seal`.
    pub id: String,
    /// The id of the entry before it; `null` where a conversation begins.
    pub parent: Option<String>,
    /// When the tool says it happened, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<String>,
    pub item: Item,
    pub native: Native,
    /// The short id of the device that wrote the record, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
}

/// The tool's own record that an entry was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Native {
    /// The doc that holds it.
    pub doc: String,
    /// Its number, from 0: the line of a log, the record of a document.
    pub record: u64,
    /// `sha256:` and the hash of the record: of its bytes in a log, of its canonical JSON in a
    /// document.
    pub hash: String,
    /// The record's own id, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The frame of a journal that holds the record, and its owner's signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Seal {
    /// The short id of the device that signed: the one that recorded.
    pub device: String,
    /// The journal format's version.
    pub version: u32,
    /// `live` or `bulk`, and the frame's number in that journal.
    pub lane: String,
    pub frame: u64,
    /// The frame's hash, hexadecimal.
    pub hash: String,
    /// Ed25519 in base64 over `session-roam v<version> frame`, a line end and the hash.
    pub signature: String,
}

impl Seal {
    /// The text that the device signed.
    pub fn message(&self) -> String {
        format!("session-roam v{} frame\n{}", self.version, self.hash)
    }
}

/// What an entry holds. The first four are items of Open Responses; the others are extensions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Item {
    Message {
        role: Speaker,
        content: Vec<Content>,
    },
    FunctionCall {
        call_id: String,
        name: String,
        /// The input as the tool wrote it; mostly JSON.
        arguments: String,
        /// An extension: what the call is about, in one line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
    },
    FunctionCallOutput {
        call_id: String,
        output: Output,
        /// An extension: the call failed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
    Reasoning {
        summary: Vec<Thought>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        content: Vec<Thought>,
    },
    /// The conversation so far, as the tool summarised it.
    #[serde(rename = "session-roam:compaction")]
    Compaction { text: String },
    /// A record changed what the tool may do.
    #[serde(rename = "session-roam:change")]
    Change { text: String },
    /// A part of a message of another kind; `kind` is the tool's own name for it.
    #[serde(rename = "session-roam:part")]
    Part {
        role: Speaker,
        kind: String,
        text: String,
    },
}

/// The `type` of the items above.
pub const ITEM_TYPES: [&str; 7] = [
    "message",
    "function_call",
    "function_call_output",
    "reasoning",
    "session-roam:compaction",
    "session-roam:change",
    "session-roam:part",
];

impl Item {
    /// An item of a file: `None` if its type is of another writer, an error if its shape is wrong.
    pub fn parse(value: &Value) -> Result<Option<Self>, String> {
        match value.get("type").and_then(Value::as_str) {
            Some(kind) if ITEM_TYPES.contains(&kind) => Self::deserialize(value)
                .map(Some)
                .map_err(|error| error.to_string()),
            Some(_) => Ok(None),
            None => Err("it has no type".into()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    User,
    Assistant,
    System,
    Developer,
    /// An extension, of `session-roam:part` only.
    Tool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    InputText {
        text: String,
    },
    OutputText {
        text: String,
    },
    Refusal {
        refusal: String,
    },
    InputImage {
        /// A `data:` address with the picture, or an address as the tool has it.
        image_url: String,
    },
    InputFile {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file_url: Option<String>,
    },
}

/// The answer to a call: text, or text and pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Output {
    Text(String),
    Parts(Vec<Content>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Thought {
    SummaryText { text: String },
    ReasoningText { text: String },
}

/// An entry without what does not belong to its content: what its id is the hash of.
fn content_of(entry: &Value) -> Value {
    let mut content = entry.clone();
    if let Some(fields) = content.as_object_mut() {
        ["id", "device", "seal"].iter().for_each(|name| {
            fields.shift_remove(*name);
        });
    }
    content
}

/// The id that an entry must have; `None` if its content has no canonical form.
pub fn id_of(entry: &Value) -> Option<String> {
    Some(hash_of_bytes(canonical(&content_of(entry))?.as_bytes()))
}

impl Entry {
    /// Gives the entry its id.
    pub fn sealed_with_id(mut self) -> Self {
        let value = serde_json::to_value(Line::Item(self.clone())).unwrap_or_default();
        // The view's own entries have texts and whole numbers only.
        self.id = id_of(&value).unwrap_or_default();
        self
    }
}

#[cfg(test)]
mod tests;
