//! `device.json` in a device's live folder: its identity, the devices it knows, the sessions open
//! on it now. Signed, because other devices relay the file.

use super::card::Card;
use super::keys::{DeviceKey, verify};
use super::limits::{self, shown};
use crate::opener;
use crate::session::{DeviceId, Hlc};
use data_encoding::BASE64;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::path::Path;

pub const FILE: &str = "device.json";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    pub v: u32,
    pub card: Card,
    pub name: String,
    pub at: Hlc,
    /// The addresses of its Syncthing. Devices that were only proposed cannot learn them otherwise.
    #[serde(default, deserialize_with = "few")]
    pub addresses: Vec<String>,
    /// Devices that this one approves. Others relay its folders to these devices only.
    #[serde(deserialize_with = "few")]
    pub paired: Vec<Known>,
    /// Written by versions that relayed folders of unpaired devices; always empty now.
    #[serde(deserialize_with = "few")]
    pub carried: Vec<Known>,
    /// Sessions open on this device.
    #[serde(deserialize_with = "few")]
    pub live: Vec<Open>,
    /// Devices that this one is about to leave.
    #[serde(deserialize_with = "few")]
    pub goodbye: Vec<DeviceId>,
    /// How many frames of each device's list this one has read, by short id. Shows whether a
    /// revocation has arrived.
    #[serde(default, deserialize_with = "few_by_name")]
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
    opener::replace(&next, &lane_dir.join(FILE))
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

/// The first entries of a list, as many as a device may have; the others are never held.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(list: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut found = Vec::new();
            while found.len() < limits::KNOWN {
                match list.next_element()? {
                    Some(entry) => found.push(entry),
                    None => return Ok(found),
                }
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(found)
        }
    }
    list.deserialize_seq(Few(PhantomData))
}

/// The same of a list by name.
fn few_by_name<'de, D: Deserializer<'de>>(list: D) -> Result<BTreeMap<String, u64>, D::Error> {
    struct Few;
    impl<'de> Visitor<'de> for Few {
        type Value = BTreeMap<String, u64>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("numbers by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut found = BTreeMap::new();
            while found.len() < limits::KNOWN {
                match list.next_entry()? {
                    Some((name, number)) => drop(found.insert(name, number)),
                    None => return Ok(found),
                }
            }
            while list.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(found)
        }
    }
    list.deserialize_map(Few)
}

/// Shortens all fields to their limits.
fn bound(presence: &mut Presence) {
    presence.name = shown(&presence.name);
    for known in [&mut presence.paired, &mut presence.carried] {
        known.retain(|known| known.id.as_str().len() <= limits::ID);
        known
            .iter_mut()
            .for_each(|known| known.name = shown(&known.name));
    }
    presence.heard.retain(|short, _| short.len() <= limits::ID);
    presence
        .live
        .retain(|open| open.tool.len().max(open.session.len()) <= limits::ID);
    for open in &mut presence.live {
        (open.title, open.project) = (shown(&open.title), shown(&open.project));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_a_long_list_the_beginning_is_read_and_nothing_else_held() {
        let many = 3 * limits::KNOWN;
        let known = json!({ "id": "A", "name": "a" });
        let open = json!({ "tool": "t", "session": "s", "title": "", "project": "" });
        let heard: BTreeMap<String, u64> = (0..many).map(|n| (format!("{n:04}"), 1)).collect();
        let file = json!({
            "v": 1, "name": "desk", "at": { "wall": 1, "count": 0 },
            "card": { "v": 1, "device": "A", "cert_der": "", "key": "", "made": 1, "signature": "" },
            "addresses": vec!["tcp://x"; many], "paired": vec![&known; many], "carried": [],
            "live": vec![&open; many], "goodbye": vec!["A"; many], "heard": heard,
        });
        let read: Presence = serde_json::from_value(file).expect("a presence");
        let lens = [read.addresses.len(), read.paired.len(), read.live.len()];
        assert_eq!(lens, [limits::KNOWN; 3]);
        assert_eq!([read.goodbye.len(), read.heard.len()], [limits::KNOWN; 2]);
        assert!(read.carried.is_empty());
    }
}
