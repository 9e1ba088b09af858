//! The answers about devices: this one, the paired ones, pairing requests, and pairing.

use crate::session::states::words;
use serde::{Deserialize, Serialize};

words! {
    /// How far the pairing with a listed device is.
    #[derive(Default)]
    PairedState {
        #[default]
        Paired,
        /// The pairing is complete on this side; the other device has not confirmed it yet.
        Confirming,
        /// The other device's user must say yes.
        Asked,
        /// Digits are compared.
        Comparing,
        /// Nothing came of it.
        Ended,
    }
}

words! {
    /// How a connected device is reached.
    Route {
        /// On the same network.
        Lan,
        Internet,
        /// Through a relay, which passes encrypted bytes on.
        Relay,
    }
}

words! {
    /// What asking for a pairing led to.
    PairingState {
        /// The other device's user must say yes.
        Asked,
        /// Both users must confirm the digits.
        Comparing,
        /// Approved here; sessions sync as soon as the other device approves this one, too.
        Approved,
        Paired,
        AlreadyPaired,
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Device {
    pub id: String,
    pub name: String,
    /// `session-roam:1?id=…&name=…&addr=…&key=…`, with a secret that is valid for one pairing.
    pub code: String,
    /// RFC 3339: the code's expiry. A new code is shown before that.
    #[serde(default)]
    pub code_until: String,
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Devices {
    pub paired: Vec<PairedDevice>,
    pub asking: Vec<AskingDevice>,
    pub proposed: Vec<ProposedDevice>,
    /// The number of pairing requests that are not listed, since the list is limited.
    #[serde(default)]
    pub more_asking: u64,
    /// Devices on the same network that run Syncthing and are in none of the other lists.
    /// Announcements prove nothing: the digits must be the same on both screens before a device is
    /// paired.
    #[serde(default)]
    pub nearby: Vec<NearbyDevice>,
    /// Why no devices can be discovered there, if so.
    #[serde(default)]
    pub nearby_off: Option<String>,
    /// What the device list records of the devices approved here.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// Revoked devices.
    #[serde(default)]
    pub revoked: Vec<RevokedDevice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Approval {
    pub id: String,
    /// Approvals given on that device apply here, too.
    pub follow: bool,
    /// The device that forwarded the approval; `null` if it was given here.
    pub via: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct RevokedDevice {
    pub id: String,
    pub name: String,
    /// Names of the devices that revoked this one.
    pub by: Vec<String>,
    /// RFC 3339.
    pub at: String,
    /// Later writes of the device are taken out; `null` if none are.
    pub since: Option<String>,
    /// Names of the devices that have not received the revocation yet, and of this device as long as
    /// its Syncthing may still send to the revoked one.
    pub not_heard: Vec<String>,
}

/// The answer to `revoke`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct RevokeAnswer {
    pub id: String,
    pub name: String,
    /// False if only a preview was requested.
    pub done: bool,
    /// Journals of the device that are here; their accepted part stays.
    pub journals: u64,
    /// Sessions from which something is taken out.
    pub cut: u64,
    /// Names of the devices that have not received the revocation: until then they still sync with
    /// the device.
    pub not_heard: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct NearbyDevice {
    pub id: String,
    /// The device's earlier name here; Syncthing does not report names.
    pub name: Option<String>,
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct PairedDevice {
    pub id: String,
    pub name: String,
    pub connected: bool,
    /// RFC 3339, `null` if never.
    pub last_seen: Option<String>,
    pub addresses: Vec<String>,
    /// Six digits while both screens show them for comparison, until both devices have confirmed;
    /// empty otherwise.
    pub digits: String,
    /// The pairing is complete on this side: nothing is shared before that.
    pub confirmed: bool,
    #[serde(default)]
    pub state: PairedState,
    /// The share of this device's data that the other device has, 0 to 100.
    pub in_step: f64,
    /// Bytes of this device's data that the other device does not have yet.
    #[serde(default)]
    pub outstanding: u64,
    /// `null` while it is not connected, or if its Syncthing does not report it.
    #[serde(default)]
    pub route: Option<Route>,
    /// The version of its Syncthing, while it is connected.
    #[serde(default)]
    pub version: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct AskingDevice {
    pub id: String,
    /// Chosen by the device itself.
    pub name: String,
    pub address: String,
    /// The device has proved that this device's code was entered on it.
    #[serde(default)]
    pub has_code: bool,
    /// The device asks to compare digits.
    #[serde(default)]
    pub compares: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ProposedDevice {
    pub id: String,
    pub name: String,
    /// The paired device that knows this device.
    pub by: String,
}

/// The contents of a pairing code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Code {
    pub id: String,
    pub name: String,
    /// The code carries a secret, which proves the two devices to each other. Without a secret,
    /// digits are compared.
    pub proves: bool,
    /// The other device has proved to know this device's code: pairing lets the other device in.
    pub has_code: bool,
    pub paired: bool,
}

/// The answer to `pair` and `accept`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Pairing {
    pub id: String,
    pub name: String,
    pub digits: String,
    pub state: PairingState,
}
