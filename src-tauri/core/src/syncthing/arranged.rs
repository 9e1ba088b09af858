//! What was arranged in Syncthing, and what an arranging changed.

use super::Wanted;
use super::child_error::ChildError;
use super::home;
use super::names::setting_name;
use super::rest::RestError;
use crate::session::DeviceId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Fields of our devices and folders that never change: a change is suspicious.
const NEVER_CHANGED: [&str; 9] = [
    "introducer",
    "autoAcceptFolders",
    "untrusted",
    "allowedNetworks",
    "remoteGUIPort",
    "path",
    "type",
    "versioning",
    "markerName",
];

/// The devices and folders that we made, so that vanished ones are noticed and foreign ones left
/// alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    pub folders: BTreeMap<String, PathBuf>,
    pub devices: BTreeSet<DeviceId>,
    /// What was arranged last, or is about to be. config.xml is written from this value.
    pub wanted: Option<Wanted>,
}

impl Made {
    fn path(home: &Path) -> PathBuf {
        home.join("roam-made.json")
    }

    pub fn load(home: &Path) -> Self {
        fs::read(Self::path(home))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Saves what is about to be arranged.
    pub(super) fn keep_wanted(home: &Path, wanted: &Wanted) -> Result<(), ChildError> {
        let before = Self::load(home);
        if before.wanted.as_ref() == Some(wanted) {
            return Ok(());
        }
        let made = Self {
            wanted: Some(wanted.clone()),
            ..before
        };
        made.save(home)
    }

    pub fn has_device(&self, id: &DeviceId) -> bool {
        self.devices.contains(id)
            || self
                .wanted
                .iter()
                .flat_map(|wanted| &wanted.devices)
                .any(|device| device.id == *id)
    }

    pub(super) fn has_folder(&self, id: &str, path: &str) -> bool {
        let wanted = self.wanted.iter().flat_map(|wanted| &wanted.folders);
        self.folders
            .get(id)
            .is_some_and(|known| known == Path::new(path))
            || wanted
                .into_iter()
                .any(|folder| folder.id == id && folder.path == Path::new(path))
    }

    pub(super) fn save(&self, home: &Path) -> Result<(), ChildError> {
        home::write_private(
            &Self::path(home),
            &serde_json::to_vec(self).expect("plain strings"),
        )
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ArrangeError {
    #[error(transparent)]
    Rest(#[from] RestError),
    #[error(transparent)]
    Home(#[from] ChildError),
    #[error("could not make {}", .path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// What an arranging changed.
#[derive(Debug, Default, PartialEq)]
pub struct Arranged {
    pub new_devices: Vec<DeviceId>,
    pub new_folders: Vec<String>,
    /// Each folder, and what is missing of it.
    pub lost: Vec<(String, String)>,
    /// Foreign entries that were removed, safe to display.
    pub foreign: BTreeSet<String>,
    /// A change was requested.
    pub changed: bool,
    /// Settings of the REST interface itself were changed back, which takes effect at the next
    /// start only.
    pub restart: bool,
}

impl Arranged {
    /// Reports those fields of a reverted change that only a stranger can have changed.
    pub(super) fn report(&mut self, what: &str, change: &Map<String, Value>, too: Option<&str>) {
        let names = change.keys().map(String::as_str);
        let foreign = names.filter(|name| NEVER_CHANGED.contains(name) || too == Some(*name));
        self.foreign
            .extend(foreign.map(|name| setting_name(what, name)));
    }
}
