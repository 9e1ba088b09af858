//! What the worker receives: orders of the engine, and events that Syncthing reports.

use super::Wanted;
use crate::session::DeviceId;
use crate::settings;
use std::collections::BTreeMap;
use std::time::Duration;

pub enum Order {
    /// A run of Syncthing began.
    Up,
    /// Events may have been missed.
    Resync,
    Event(Event),
    Arrange(Arrangement),
    /// Entries in config.xml that are not ours.
    Foreign(Vec<String>),
    /// How devices are found and reached from the next run on.
    Network(settings::Network),
    /// This device has a new name.
    Called(String),
    /// These devices must receive the name again.
    GreetAgain(BTreeMap<DeviceId, u64>),
    Dismiss(DeviceId),
    Revert(String),
    Part {
        device: DeviceId,
        grace: Duration,
    },
    LookAround,
    Woke,
}

/// What the engine wants, numbered.
#[derive(Clone)]
pub struct Arrangement {
    pub n: u64,
    pub wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A file of a folder arrived, changed or was deleted.
    Finished {
        folder: String,
        path: String,
    },
    State {
        folder: String,
        to: String,
        error: String,
    },
    Connected {
        device: DeviceId,
        /// The name that the device announces.
        announced: String,
    },
    Disconnected(DeviceId),
    Asking,
    Completion {
        folder: String,
        device: DeviceId,
        global_bytes: u64,
        need_bytes: u64,
    },
    FolderErrors {
        folder: String,
        errors: Vec<String>,
    },
    /// A file was changed on this device.
    LocalChange {
        folder: String,
    },
    Listen,
    /// The config was changed, by us or by somebody else.
    Config,
    /// A device announced itself on the same network.
    Heard,
}
