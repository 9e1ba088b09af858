//! Requests and answers about the user's preferences, as config.toml keeps them, and about the space in use.

use serde::{Deserialize, Serialize};

/// How the tray app behaves. `roam` itself uses none of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Preferences {
    pub notifications: NotificationKinds,
    /// The name of the terminal in which sessions are resumed; empty for the system's choice.
    pub terminal: String,
    /// The name of the editor in which files are opened; empty for the system's text editor.
    #[serde(default)]
    pub editor: String,
}

/// The kinds of notifications that are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct NotificationKinds {
    /// A device asks to pair.
    pub pairing: bool,
    /// A session has two versions.
    pub versions: bool,
    /// Something is held until the user decides.
    pub held: bool,
    /// A session waits for something that the user can do.
    pub waiting: bool,
    /// Sessions of other devices are ready.
    pub arrived: bool,
}

/// Preferences to change. What is left out stays as config.toml has it: the user may have changed it there meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(default)]
pub struct PreferencesChange {
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub notifications: NotificationsChange,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub terminal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub editor: Option<String>,
}

/// The kinds of notifications to switch on or off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(default)]
pub struct NotificationsChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairing: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived: Option<bool>,
}

/// How this device finds and reaches others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Network {
    /// Announces this device on the local network.
    pub local_discovery: bool,
    /// Announces this device to Syncthing's public discovery servers.
    pub global_discovery: bool,
    /// Uses Syncthing's public relays where no direct connection is possible.
    pub relays: bool,
}

/// The bytes that the vault takes on this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Space {
    /// The journals of each device, the largest first.
    pub devices: Vec<DeviceSpace>,
    pub total: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct DeviceSpace {
    /// The name of the device.
    pub device: String,
    pub bytes: u64,
}
