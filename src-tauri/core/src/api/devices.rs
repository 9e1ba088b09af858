//! The answers about devices: this one, the paired ones, those that ask, and pairing with them.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub id: String,
    pub name: String,
    /// `session-roam:1?id=…&name=…&addr=…&key=…`: with a secret that is good for one pairing.
    pub code: String,
    /// RFC 3339: until when the code can be used. Another is shown before that.
    #[serde(default)]
    pub code_until: String,
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Devices {
    pub paired: Vec<PairedDevice>,
    pub asking: Vec<AskingDevice>,
    pub proposed: Vec<ProposedDevice>,
    /// Others that ask and are not listed: nobody reads a list without end.
    #[serde(default)]
    pub more_asking: u64,
    /// Devices on the same network that run Syncthing and are in none of the other lists. What is heard there proves
    /// nothing: the digits must be the same on both screens before one of them is paired.
    #[serde(default)]
    pub nearby: Vec<NearbyDevice>,
    /// Why nobody can be heard there, where that is so.
    #[serde(default)]
    pub nearby_off: Option<String>,
    /// What the device list says of the devices that are approved here.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// Devices that were put out.
    #[serde(default)]
    pub revoked: Vec<RevokedDevice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    pub id: String,
    /// What is approved on that device is approved here, too.
    pub follow: bool,
    /// The device with which the approval came; `null` if it was given here.
    pub via: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RevokedDevice {
    pub id: String,
    pub name: String,
    /// Names of the devices that revoked it.
    pub by: Vec<String>,
    /// RFC 3339.
    pub at: String,
    /// What it wrote later is taken out; `null` if nothing is.
    pub since: Option<String>,
    /// Names of the devices that have not heard of it yet.
    pub not_heard: Vec<String>,
}

/// The answer to `revoke`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RevokeAnswer {
    pub id: String,
    pub name: String,
    /// False if it was only asked what it would mean.
    pub done: bool,
    /// Journals of the device that are here; what was accepted of them stays.
    pub journals: u64,
    /// Sessions of which something is taken out.
    pub cut: u64,
    /// Names of the devices that have not heard of it yet: until then they still sync with the device.
    pub not_heard: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearbyDevice {
    pub id: String,
    /// A name that was given to it here before; Syncthing tells none.
    pub name: Option<String>,
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedDevice {
    pub id: String,
    pub name: String,
    pub connected: bool,
    /// RFC 3339, `null` when never.
    pub last_seen: Option<String>,
    pub addresses: Vec<String>,
    /// Six digits while they are compared and both screens show them; empty otherwise.
    pub digits: String,
    /// The pairing is complete on this side: before that nothing is shared.
    pub confirmed: bool,
    /// `paired`, `asked` (its user must say yes), `comparing` (digits are compared), `ended` (nothing came of it).
    #[serde(default)]
    pub state: String,
    /// The share of this device's data the other one has, 0 to 100.
    pub in_step: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskingDevice {
    pub id: String,
    /// It chose the name itself.
    pub name: String,
    pub address: String,
    /// It has proved that this device's code was entered on it.
    #[serde(default)]
    pub has_code: bool,
    /// It asks to compare digits.
    #[serde(default)]
    pub compares: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProposedDevice {
    pub id: String,
    pub name: String,
    /// The paired device that knows it.
    pub by: String,
}

/// What a pairing code says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Code {
    pub id: String,
    pub name: String,
    /// It carries a secret, which proves the two devices to each other. Without one, digits are compared.
    pub proves: bool,
    /// That device has proved to know this device's code: pairing lets it in.
    pub has_code: bool,
    pub paired: bool,
}

/// The answer to `pair` and `accept`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pairing {
    pub id: String,
    pub name: String,
    pub digits: String,
    /// `asked` (the other side must say yes), `comparing` (both must confirm the digits), `paired`, `already_paired`.
    pub state: String,
}
