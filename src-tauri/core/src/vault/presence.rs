//! `device.json` in a device's live folder: its identity, the devices it knows, the sessions open
//! on it now. Signed, because other devices relay the file.

use super::card::Card;
use super::keys::{DeviceKey, verify};
use super::limits::{self, shown};
use crate::opener;
use crate::session::{DeviceId, Hlc};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

pub const FILE: &str = "device.json";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    pub v: u32,
    pub card: Card,
    pub name: String,
    pub at: Hlc,
    /// The addresses of its Syncthing. Devices that were only proposed cannot learn them otherwise.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Devices that this one approves. Others relay its folders to these devices only.
    pub paired: Vec<Known>,
    /// Written by versions that relayed folders of unpaired devices; always empty now.
    pub carried: Vec<Known>,
    /// Sessions open on this device.
    pub live: Vec<Open>,
    /// Devices that this one is about to leave.
    pub goodbye: Vec<DeviceId>,
    /// How many frames of each device's list this one has read, by short id. Shows whether a
    /// revocation has arrived.
    #[serde(default)]
    pub heard: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub id: DeviceId,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    pub tool: String,
    pub session: String,
    pub title: String,
    pub project: String,
}

#[derive(Serialize, Deserialize)]
struct Signed {
    body: String,
    sig: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    #[error("it could not be read")]
    Io(#[from] io::Error),
    #[error("it is not what a device writes")]
    Shape(#[from] serde_json::Error),
    #[error("it is not signed by the device it names")]
    Signature,
    #[error("its card is not the device's: {0}")]
    Card(#[from] super::card::CardError),
    #[error("it names another device than its folder")]
    Folder,
}

fn message(body: &str) -> Vec<u8> {
    [b"session-roam v1 hello\n", body.as_bytes()].concat()
}

/// Writes the file by temp file and rename: a reader sees the old version or the new one.
pub fn write(lane_dir: &Path, presence: &Presence, key: &DeviceKey) -> io::Result<()> {
    let body = serde_json::to_string(presence).map_err(io::Error::other)?;
    let sig = BASE64.encode(&key.sign(&message(&body)));
    std::fs::create_dir_all(lane_dir)?;
    let next = lane_dir.join("device.json.sr-tmp");
    std::fs::write(
        &next,
        serde_json::to_vec(&Signed { body, sig }).map_err(io::Error::other)?,
    )?;
    std::fs::rename(next, lane_dir.join(FILE))
}

/// Reads and verifies the file of the device that owns the folder; also returns its frame key.
pub fn read(lane_dir: &Path, short: &str) -> Result<(Presence, [u8; 32]), PresenceError> {
    let (root, name) = (
        lane_dir.ancestors().nth(2).unwrap_or(lane_dir),
        lane_dir.join(FILE),
    );
    // The device's folder and its lane are names in the vault, like every name below them.
    let below: Vec<_> = name
        .strip_prefix(root)
        .unwrap_or(&name)
        .iter()
        .map(|part| part.to_string_lossy())
        .collect();
    let file = opener::file_below(root, &below.join("/"))?;
    let signed: Signed = serde_json::from_slice(&opener::all_of(&file, limits::PRESENCE)?)?;
    let mut presence: Presence = serde_json::from_str(&signed.body)?;
    if presence.card.device.short() != short {
        return Err(PresenceError::Folder);
    }
    let key = presence.card.verify(&presence.card.device)?;
    let signature = BASE64
        .decode(signed.sig.as_bytes())
        .ok()
        .and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
    match signature {
        Some(signature) if verify(&key, &message(&signed.body), &signature) => {
            bound(&mut presence);
            Ok((presence, key))
        }
        _ => Err(PresenceError::Signature),
    }
}

/// Shortens all fields to their limits.
fn bound(presence: &mut Presence) {
    presence.name = shown(&presence.name);
    presence.addresses.truncate(limits::KNOWN);
    presence.goodbye.truncate(limits::KNOWN);
    for known in [&mut presence.paired, &mut presence.carried] {
        known.truncate(limits::KNOWN);
        known.retain(|known| known.id.as_str().len() <= limits::ID);
        known
            .iter_mut()
            .for_each(|known| known.name = shown(&known.name));
    }
    presence.live.truncate(limits::KNOWN);
    presence
        .live
        .retain(|open| open.tool.len().max(open.session.len()) <= limits::ID);
    for open in &mut presence.live {
        (open.title, open.project) = (shown(&open.title), shown(&open.project));
    }
}
