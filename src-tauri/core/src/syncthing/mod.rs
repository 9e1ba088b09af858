//! The transport: what the engine asks of it, what it reports, and the managed Syncthing child that does it.
//! Knows folders, files and devices; knows nothing of sessions.

mod arrange;
mod asking;
mod child;
mod config_file;
pub mod device_id;
mod door;
mod events;
mod home;
mod link;
mod nearby;
pub mod pairing;
mod program;
pub mod proof;
mod renew;
mod rest;
#[cfg(unix)]
mod rest_socket;
mod scan;
mod settings;
mod supervisor;
mod transport;
mod worker;

pub use arrange::leave_out;
pub use home::{ChildConfig, ChildError, Identity, ensure_identity};
pub use nearby::Nearby;
pub use program::{Binary, Version, find_binary};
pub use renew::{present_identity, set_identity_aside};
pub use transport::SyncthingTransport;

use crate::session::{DeviceId, Lane, Problem};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What must be true of the network of folders. Arranging the same twice changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub devices: Vec<WantedDevice>,
    pub folders: Vec<WantedFolder>,
    pub paused: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedDevice {
    pub id: DeviceId,
    pub name: String,
    /// Syncthing addresses, like `tcp://192.168.1.4:22000`; `dynamic` is added when discovery is on.
    pub addresses: Vec<String>,
}

/// One lane of one device: send-only at its owner, receive-only elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedFolder {
    /// `roam-live-<short>` or `roam-bulk-<short>`.
    pub id: String,
    pub path: PathBuf,
    pub own: bool,
    pub shared_with: Vec<DeviceId>,
    /// Syncthing ignore patterns, in order.
    pub ignores: Vec<String>,
}

pub fn folder_id(lane: Lane, short: &str) -> String {
    format!("roam-{}-{short}", lane.as_str())
}

/// The lane and the owner's short id of one of our folder ids.
pub fn parse_folder_id(id: &str) -> Option<(Lane, &str)> {
    let (lane, short) = id.strip_prefix("roam-")?.split_once('-')?;
    let lane = Lane::BOTH
        .into_iter()
        .find(|known| known.as_str() == lane)?;
    Some((lane, short))
}

/// What the engine may ask. No call blocks; what comes of it arrives as a [`Notice`].
pub trait Transport: Send {
    /// Files below the own folder of `lane` changed (relative, `/`-separated): send them on at once.
    fn announce(&self, lane: Lane, paths: Vec<String>);
    /// Makes the devices and folders as wanted.
    fn arrange(&self, wanted: Wanted);
    /// From now on this device introduces itself by `name`. A transport that tells nobody names has nothing to do.
    fn called(&self, _name: String) {}
    /// Greets these devices again until it is called without them: each shall hear the name that this one is called by
    /// now. A number that changed means something new to hear. A transport that always tells the latest has nothing to do.
    fn greet_again(&self, _devices: std::collections::BTreeMap<DeviceId, u64>) {}
    /// Forgets that a device asked.
    fn dismiss(&self, device: DeviceId);
    /// Brings back what its owner has, in a folder that was changed here.
    fn revert(&self, folder: String);
    /// Waits until `device` has all of our `live` folder, `grace` at most, then reports [`Notice::Parted`].
    fn part(&self, device: DeviceId, grace: std::time::Duration);
    /// Somebody wants to know who is on the same network. A transport that hears nobody has nothing to do.
    fn look_around(&self) {}
    /// The machine woke up or changed networks.
    fn woke(&self);
    /// Ends the transport in an orderly way; returns when it is done (a few seconds at most).
    fn stop(&self);
}

#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Up {
        version: String,
        /// The program that runs; `None` for a Syncthing of the user's own.
        program: Option<PathBuf>,
        pid: u32,
        addresses: Vec<String>,
    },
    /// Not running: `state` is `starting`, `restarting`, `missing`, `failed` or `stopped`.
    Down {
        state: &'static str,
        problem: Option<Problem>,
    },
    /// Files of a device's folder arrived or vanished (relative to the folder); an empty list means "look at all".
    Arrived {
        owner: String,
        lane: Lane,
        paths: Vec<String>,
    },
    Peers(Vec<Peer>),
    Asking(Vec<Asking>),
    /// Devices that announce themselves on the same network and are not arranged.
    Nearby(Vec<Nearby>),
    /// Bytes we still need in all folders.
    Incoming {
        bytes: u64,
    },
    /// Somebody other than its owner changed a folder here; it wants `revert`.
    Tampered {
        folder: String,
        paths: Vec<String>,
    },
    /// A folder's path or marker is gone.
    FolderLost {
        folder: String,
        message: String,
    },
    /// A trouble began or, with `None`, ended. One per `topic`.
    Trouble {
        topic: String,
        problem: Option<Problem>,
    },
    Parted {
        device: DeviceId,
    },
    /// A device of ours connected and announced this name, byte for byte as it came: see [`announced_name`].
    Greeted {
        device: DeviceId,
        announced: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    pub id: DeviceId,
    pub connected: bool,
    /// RFC 3339.
    pub last_seen: Option<String>,
    pub address: Option<String>,
    /// Share of our two folders it has, 0 to 100, and what it still needs.
    pub in_step: f64,
    pub need_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    pub id: DeviceId,
    /// Fit to be shown.
    pub name: String,
    /// The name as the device announced it, only cut: see [`announced_name`].
    pub announced: String,
    pub address: String,
}

/// Bytes of an announced name that are kept. A name may carry more than what is shown of it.
pub const MAX_ANNOUNCED: usize = 512;

/// What another device announced as its name, cut to [`MAX_ANNOUNCED`] bytes. It is not fit to be shown.
pub fn announced_name(text: &str) -> String {
    let end = (0..=MAX_ANNOUNCED.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].to_owned()
}
