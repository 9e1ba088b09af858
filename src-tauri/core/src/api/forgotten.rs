//! The answers about forgotten sessions: plain types, like those in types.rs.

use super::session_row::SessionRow;
use crate::session::states::words;
use serde::{Deserialize, Serialize};

words! {
    /// What became of a forgotten session on a device.
    #[derive(Default)]
    ReceiptState {
        /// The device has not heard of it.
        #[default]
        Waiting,
        Removed,
        /// The session is in the tool's store still.
        InStore,
        /// This device is removing it.
        Removing,
        /// A guard asks the device's user first.
        Held,
        CannotBeTold,
    }
}

/// The effect of forgetting a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ForgetPreview {
    /// The session first, then its versions that became sessions of their own: all are forgotten
    /// together.
    pub sessions: Vec<SessionRow>,
    /// The devices that will remove the session.
    pub devices: Vec<String>,
    /// Devices that may have the session and cannot be notified: revoked, or no longer paired.
    pub cannot_be_told: Vec<String>,
    /// Minutes during which `undo` restores the session.
    pub minutes: u64,
}

/// A forgotten session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ForgottenRow {
    /// `<tool>/<hash>`: the only name that is kept.
    pub key: String,
    pub tool: String,
    /// Its id and title, on the device that forgets it and only as long as `undo` is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub title: Option<String>,
    /// The devices that forgot the session.
    pub by: Vec<String>,
    pub at: String,
    /// The deadline for `undo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub undo_until: Option<String>,
    /// The guard holds the session here, and nothing was removed.
    pub held: bool,
    pub receipts: Vec<ReceiptRow>,
}

/// The result on one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ReceiptRow {
    pub device: String,
    pub state: ReceiptState,
    /// The reason, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub why: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub at: Option<String>,
}
