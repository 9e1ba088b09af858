//! The transport: what the engine asks of it, what it reports, and the managed Syncthing child
//! behind it. Knows folders, files and devices; knows nothing of sessions.

mod arrange;
mod arranged;
mod asking;
mod child;
mod child_error;
mod config_file;
pub mod device_id;
mod door;
mod events;
mod home;
mod link;
mod names;
mod nearby;
mod orders;
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
pub use child_error::ChildError;
pub use home::{ChildConfig, Identity, ensure_identity};
pub use nearby::Nearby;
pub use program::{Binary, Version, find_binary};
pub use renew::{present_identity, set_identity_aside};
pub use transport::SyncthingTransport;

use crate::session::{DeviceId, Lane, Problem};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

crate::session::states::words! {
    /// Whether Syncthing runs.
    #[derive(Default)]
    SyncthingState {
        Starting,
        Running,
        /// Syncthing ended and is started again.
        Restarting,
        /// No program to run was found.
        Missing,
        Failed,
        #[default]
        Stopped,
    }
}

/// The devices and folders that must exist. Arranging the same value twice changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub devices: Vec<WantedDevice>,
    pub folders: Vec<WantedFolder>,
    pub paused: bool,
}

impl Wanted {
    /// Whether somebody who received something by `before` shall no longer.
    pub fn withdraws_from(&self, before: &Self) -> bool {
        let receives = |wanted: &Self, id: &str, device: &DeviceId| {
            let mut folders = wanted.folders.iter().filter(|folder| folder.id == id);
            folders.any(|folder| folder.shared_with.contains(device))
        };
        let mut folders = before.folders.iter();
        self.paused && !before.paused
            || folders.any(|folder| {
                { folder.shared_with.iter() }.any(|device| !receives(self, &folder.id, device))
            })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedDevice {
    pub id: DeviceId,
    pub name: String,
    /// Syncthing addresses, like `tcp://192.168.1.4:22000`. With discovery on, `dynamic` is added.
    pub addresses: Vec<String>,
}

/// One lane of one device: send-only at its owner, receive-only elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedFolder {
    /// `roam-live-<short>`, `roam-bulk-<short>` or `roam-code-<short>`.
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

/// Splits one of our folder ids into the lane and the owner's short id.
pub fn parse_folder_id(id: &str) -> Option<(Lane, &str)> {
    let (lane, short) = id.strip_prefix("roam-")?.split_once('-')?;
    let lane = Lane::ALL.into_iter().find(|known| known.as_str() == lane)?;
    Some((lane, short))
}

/// What the engine may ask for. No call blocks; results arrive as [`Notice`]s.
pub trait Transport: Send {
    /// Syncs changed files at once. `paths` are relative to the own folder of `lane` and
    /// `/`-separated.
    fn announce(&self, lane: Lane, paths: Vec<String>);
    /// Sets up the devices and folders as wanted. If somebody shall no longer receive, nothing new
    /// of this device is sent until that is so; returns the number that [`Notice::Withdrawn`] will
    /// then name.
    fn arrange(&self, wanted: Wanted) -> Option<u64>;
    /// Sets the name under which this device introduces itself. Does nothing where a transport does
    /// not announce names.
    fn set_announced_name(&self, _name: String) {}
    /// Sets how devices are found and reached. Does nothing where a transport has no such settings.
    fn set_network(&self, _network: crate::settings::Network) {}
    /// Reconnects to these devices until each has received this device's current name; the next
    /// call replaces the list. A changed number means a new announcement. Does nothing where a
    /// transport always announces the latest name.
    fn reconnect_until_named(&self, _devices: std::collections::BTreeMap<DeviceId, u64>) {}
    /// Removes a device's pairing request.
    fn dismiss(&self, device: DeviceId);
    /// Restores the owner's files in a folder that was changed here.
    fn revert(&self, folder: String);
    /// Waits at most `grace` until `device` has our whole `live` folder, then reports
    /// [`Notice::Delivered`].
    fn wait_for_delivery(&self, device: DeviceId, grace: std::time::Duration);
    /// Reports the devices on the same network. Does nothing where a transport cannot discover
    /// them.
    fn list_nearby(&self) {}
    /// The machine woke up or changed networks.
    fn resumed_from_sleep(&self);
    /// Stops the transport in an orderly way; returns when it has stopped (a few seconds at most).
    fn stop(&self);
}

#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Up {
        version: String,
        /// The program that runs; `None` if the Syncthing is the user's own.
        program: Option<PathBuf>,
        pid: u32,
        addresses: Vec<String>,
    },
    /// Not running.
    Down {
        state: SyncthingState,
        problem: Option<Problem>,
    },
    /// Files of a device's folder arrived or vanished (relative paths); an empty list means "all".
    Arrived {
        owner: String,
        lane: Lane,
        paths: Vec<String>,
    },
    Peers(Vec<Peer>),
    Asking(Vec<Asking>),
    /// Unpaired devices that announce themselves on the same network.
    Nearby(Vec<Nearby>),
    /// Bytes that this device still needs in all folders.
    Incoming {
        bytes: u64,
    },
    /// A folder was changed here by somebody other than its owner and needs `revert`.
    Tampered {
        folder: String,
        paths: Vec<String>,
    },
    /// A folder's path or marker is gone.
    FolderLost {
        folder: String,
        message: String,
    },
    /// A problem began or, with `None`, ended. At most one per `topic`.
    Trouble {
        topic: String,
        problem: Option<Problem>,
    },
    Delivered {
        device: DeviceId,
    },
    /// Whoever shall no longer receive by this arrangement, or by one before it, does not.
    Withdrawn {
        arrangement: u64,
    },
    /// A paired device connected and announced this name, byte for byte: see [`announced_name`].
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
    /// The share of our journals that the device has, 0 to 100, and the bytes it still needs.
    pub percent_synced: f64,
    pub need_bytes: u64,
    pub reach: Option<Reach>,
    /// The version of its Syncthing, made safe to display.
    pub version: Option<String>,
}

/// How a connected device is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    SameNetwork,
    Internet,
    Relay,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    pub id: DeviceId,
    /// Safe to display.
    pub name: String,
    /// The name as the device announced it, only truncated: see [`announced_name`].
    pub announced: String,
    pub address: String,
}

/// Bytes kept of an announced name. A name may carry more than its displayed part.
pub const MAX_ANNOUNCED: usize = 512;

/// Cuts the name that another device announced to [`MAX_ANNOUNCED`] bytes. The result is not safe
/// to display.
pub fn announced_name(text: &str) -> String {
    let end = (0..=MAX_ANNOUNCED.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_receives_less_is_withdrawn_from() {
        let [b, c] = ["B", "C"].map(DeviceId::new);
        let wanted = |shared_with: &[&DeviceId], paused| Wanted {
            devices: Vec::new(),
            folders: vec![WantedFolder {
                id: "roam-live-A".into(),
                path: PathBuf::new(),
                own: true,
                shared_with: shared_with.iter().copied().cloned().collect(),
                ignores: Vec::new(),
            }],
            paused,
        };
        let withdraws = |before: &Wanted, after: &Wanted| Wanted::withdraws_from(after, before);
        let (one, both) = (wanted(&[&b], false), wanted(&[&b, &c], false));
        assert!(withdraws(&both, &one));
        assert!(withdraws(&both, &Wanted::default()), "with its folder");
        assert!(withdraws(&one, &wanted(&[&b], true)), "a pause");
        assert!(!withdraws(&one, &both) && !withdraws(&both, &both));
        assert!(!withdraws(&Wanted::default(), &one));
        assert!(!withdraws(&wanted(&[&b], true), &one), "the end of a pause");
    }
}
