//! The user's other devices: whom we are paired with, whom they know, and what follows for the folders.

use crate::session::{DeviceId, Hlc, Lane, Millis};
use crate::syncthing::{Asking, Peer, Wanted, WantedDevice, WantedFolder, folder_id};
use crate::vault::Vault;
use crate::vault::hello::{Hello, Known};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// `devices.json`: what only the user knows. Everything else about devices comes from their own cards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Book {
    pub paired: Vec<Paired>,
    /// Devices we left, which nobody shall bring back by passing them on.
    pub parted: Vec<DeviceId>,
    /// Names the user gave to devices, by id.
    pub names: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    pub id: DeviceId,
    pub name: String,
    pub addresses: Vec<String>,
    /// It answered: it was connected at least once.
    pub confirmed: bool,
    /// The last it had said of itself when the user paired it: a goodbye up to then belongs to an earlier pairing.
    #[serde(default)]
    pub since: Hlc,
}

impl Book {
    pub fn load(home: &Path) -> io::Result<Self> {
        match std::fs::read(home.join("devices.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    pub fn save(&self, home: &Path) -> io::Result<()> {
        let next = home.join("devices.json.next");
        std::fs::write(&next, serde_json::to_vec_pretty(self).map_err(io::Error::other)?)?;
        std::fs::rename(next, home.join("devices.json"))
    }

    pub fn is_paired(&self, id: &DeviceId) -> bool {
        self.paired.iter().any(|paired| paired.id == *id)
    }

    pub fn find(&self, text: &str) -> Option<&Paired> {
        let lower = text.to_lowercase();
        let by_name = self.paired.iter().find(|paired| {
            paired.name.to_lowercase() == lower
                || self.names.get(paired.id.as_str()).is_some_and(|name| name.to_lowercase() == lower)
        });
        by_name.or_else(|| self.paired.iter().find(|paired| starts(&paired.id, text)))
    }
}

/// A device id may be given by its start, in any case, with or without dashes; four characters at least.
pub fn starts(id: &DeviceId, text: &str) -> bool {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
    let start = plain(text);
    start.len() >= 4 && plain(id.as_str()).starts_with(&start)
}

/// What the network says at the moment.
#[derive(Debug, Default)]
pub struct Neighbours {
    pub peers: Vec<Peer>,
    pub asking: Vec<Asking>,
    /// What each device says of itself, by short id.
    pub hellos: BTreeMap<String, Hello>,
    /// When that came, by this device's clock: theirs may be wrong.
    pub heard: BTreeMap<String, Millis>,
}

impl Neighbours {
    /// Whether what the device `short` says is of any concern: we are paired, or somebody we are paired with knows it.
    pub fn concerns(&self, book: &Book, own: &DeviceId, short: &str) -> bool {
        book.paired.iter().any(|paired| paired.id.short() == short)
            || self.strangers(book, own).any(|(known, _)| known.id.short() == short)
    }

    /// Devices that paired ones know and we are not paired with, with the one that knows each.
    pub fn strangers<'a>(&'a self, book: &'a Book, own: &'a DeviceId) -> impl Iterator<Item = (&'a Known, &'a Paired)> {
        let known = book.paired.iter().filter_map(|paired| Some((paired, self.hellos.get(&paired.id.short())?)));
        let mut seen = std::collections::BTreeSet::new();
        known
            .flat_map(|(paired, hello)| hello.paired.iter().chain(&hello.carried).map(move |known| (known, paired)))
            .filter(move |(known, _)| {
                known.id != *own && !book.is_paired(&known.id) && !book.parted.contains(&known.id)
            })
            .filter(move |(known, _)| seen.insert(known.id.clone()))
    }
}

/// The devices and folders that follow from whom we are paired with. A paired device passes on the folders of those
/// it knows, so that two devices which never meet exchange through a third.
pub fn wanted(
    vault: &Vault,
    own: &DeviceId,
    book: &Book,
    neighbours: &Neighbours,
    tools_off: &[String],
    paused: bool,
) -> Wanted {
    let devices = book.paired.iter().map(|paired| WantedDevice {
        id: paired.id.clone(),
        name: paired.name.clone(),
        addresses: paired.addresses.clone(),
    });
    let everybody: Vec<DeviceId> = book.paired.iter().map(|paired| paired.id.clone()).collect();
    let others = everybody.iter().cloned().chain(neighbours.strangers(book, own).map(|(known, _)| known.id.clone()));
    let ignores: Vec<String> = tools_off.iter().map(|tool| format!("/{tool}")).collect();
    let mut folders = Vec::new();
    for owner in std::iter::once(own.clone()).chain(others) {
        for lane in Lane::BOTH {
            folders.push(WantedFolder {
                id: folder_id(lane, &owner.short()),
                path: vault.lane_dir(&owner.short(), lane),
                own: owner == *own,
                shared_with: everybody.clone(),
                ignores: if owner == *own { Vec::new() } else { ignores.clone() },
            });
        }
    }
    Wanted { devices: devices.collect(), folders, paused }
}
