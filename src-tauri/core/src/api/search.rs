//! The answer to `search`.

use crate::session::Role;
use serde::{Deserialize, Serialize};

/// The sessions that fit best, best first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Search {
    pub hits: Vec<SearchHit>,
    /// How many sessions fit; `hits` has at most as many as requested.
    pub total: u64,
    /// How the words were understood where that may surprise, in sentences.
    pub notices: Vec<String>,
    /// Present while the index is still being made: some sessions cannot be found yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub indexing: Option<Indexing>,
}

/// How far the index is, in sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Indexing {
    pub done: u64,
    pub total: u64,
}

/// One session, however many devices have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct SearchHit {
    pub session: String,
    pub tool: String,
    pub project: String,
    pub title: String,
    /// The title in pieces.
    pub marked_title: Vec<Marked>,
    /// RFC 3339.
    pub updated: String,
    /// Names of the devices that added to the session.
    pub devices: Vec<String>,
    /// The session has two versions about which nobody has decided.
    pub split: bool,
    /// The messages that fit best; none if only the title or the filters fit.
    pub snippets: Vec<SearchSnippet>,
}

/// A line of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct SearchSnippet {
    /// The message's number in `show`.
    pub message: u64,
    /// The message is in a version that `show` does not show; `diff` does.
    pub other_version: bool,
    /// `user`, `assistant`, or `tool` for calls, outputs and everything else.
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub device: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub at: Option<String>,
    /// The line in pieces.
    pub text: Vec<Marked>,
}

/// A piece of a text; `hit` if it is what was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Marked {
    pub text: String,
    pub hit: bool,
}
