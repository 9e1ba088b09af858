//! A session in a list of sessions: a plain type, like those in types.rs.

use crate::session::SessionState;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct SessionRow {
    pub session: String,
    pub tool: String,
    pub project: String,
    pub title: String,
    /// RFC 3339.
    pub updated: String,
    pub bytes: u64,
    /// Names of the devices that added to the session.
    pub devices: Vec<String>,
    pub state: SessionState,
    /// The main doc in this device's store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub path: Option<PathBuf>,
    /// Why the session is not `here`, or which part does not sync, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub why: Option<String>,
}
