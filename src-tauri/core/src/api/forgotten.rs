//! What is answered about sessions that are forgotten: plain types, like those in types.rs.

use super::types::SessionRow;
use serde::{Deserialize, Serialize};

/// What forgetting a session would mean.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForgetPreview {
    /// The session first, then the versions of it that became sessions of their own: all go together.
    pub sessions: Vec<SessionRow>,
    /// The devices that are to remove it.
    pub devices: Vec<String>,
    /// Devices that may have it and will not hear of it: revoked, or not paired any more.
    pub cannot_be_told: Vec<String>,
    /// Minutes in which `undo` takes it back.
    pub minutes: u64,
}

/// A forgotten session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForgottenRow {
    /// `<tool>/<hash>`: all that is kept of its name.
    pub key: String,
    pub tool: String,
    /// Its id and title, on the device that forgets it and only until it cannot be taken back any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The devices that forgot it.
    pub by: Vec<String>,
    pub at: String,
    /// Until when `undo` takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<String>,
    /// It is held here by the guard, and nothing of it was removed.
    pub held: bool,
    pub receipts: Vec<ReceiptRow>,
}

/// What one device did about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReceiptRow {
    pub device: String,
    /// `removed`, `in_store` (in the tool's store still), `removing` (this device is at it), `waiting` (it has not heard
    /// of it), `held` (a guard asks its user first), `cannot_be_told`.
    pub state: String,
    /// Why, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}
