//! A session as it is read: its messages and their parts.

use super::session_row::SessionRow;
use crate::merge::transcript::{Part, Tokens};
use crate::session::Role;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `roam show`: a session with its docs and its messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Shown {
    #[serde(flatten)]
    pub row: SessionRow,
    pub cwd: Option<PathBuf>,
    pub docs: Vec<ShownDoc>,
    /// The number of all messages; `messages` may be a page that starts at message `from`.
    #[serde(default)]
    pub total: u64,
    #[serde(default)]
    pub from: u64,
    /// Whether a new session can continue from one of the messages (`Fork`).
    #[serde(default)]
    pub forks: bool,
    /// The title that the tool gave the session, if the user gave it another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub own_title: Option<String>,
    /// The sub-agents of the session that are sessions of their own, oldest first; they are not in the
    /// list of sessions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(optional, as = "Option<Vec<SessionRow>>"))]
    pub parts: Vec<SessionRow>,
    pub messages: Vec<Message>,
}

/// A page of the transcript of a sub-agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct DocPage {
    /// The number of all its messages; 0 if the session has no such doc.
    pub total: u64,
    pub from: u64,
    /// Long bodies are truncated.
    pub messages: Vec<Message>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ShownDoc {
    pub doc: String,
    pub kind: String,
    pub bytes: u64,
    pub lines: u64,
    /// The chain id of its tip: equal on two devices means equal bytes.
    pub tip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub path: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Message {
    pub role: Role,
    pub text: String,
    pub at: Option<String>,
    pub device: Option<String>,
    /// The model that answered, and the tokens of the answer, if the tool writes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub tokens: Option<Tokens>,
    /// The parts of the message.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// A file that a session speaks of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct FilePlace {
    /// The whole path on this device.
    pub path: PathBuf,
}

/// One whole part of a message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct PartBody {
    pub kind: String,
    pub bytes: u64,
    /// Empty for a picture.
    pub text: String,
    /// For a picture: its media type, and its bytes in base64 if the picture can be displayed.
    pub media: Option<String>,
    pub data: Option<String>,
    /// False if the part is too long to be returned, or a picture that cannot be displayed safely.
    pub whole: bool,
}

/// Where a session has a text, whatever the case of its letters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Occurrences {
    /// The number of all occurrences.
    pub total: u64,
    /// In the order of the messages, the first 10,000.
    pub places: Vec<OccurrencePlace>,
}

/// A part of a message that has the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct OccurrencePlace {
    /// The numbers in `show`.
    pub message: u64,
    pub part: u64,
    /// How often.
    pub n: u64,
}
