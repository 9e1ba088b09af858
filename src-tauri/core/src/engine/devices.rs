//! The user's other devices: whom we are paired with, whom they know, and what follows for the folders.

use super::attempts::Attempt;
use crate::session::{DeviceId, Hlc, Lane, Millis};
use crate::syncthing::pairing::{MAX_ADDRESSES, is_address};
use crate::syncthing::{Asking, Nearby, Peer, Wanted, WantedDevice, WantedFolder, device_id, folder_id};
use crate::vault::Vault;
use crate::vault::hello::{Hello, Known};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Write};
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
    /// Who this device was before it got a new identity.
    pub former: Vec<Former>,
}

/// An identity that this device had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Former {
    pub id: DeviceId,
    /// What was written under it later is another machine's.
    pub until: Millis,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    pub id: DeviceId,
    pub name: String,
    pub addresses: Vec<String>,
    /// Both users said yes and both devices proved it: folders are shared with it. In files of before: it was connected
    /// once, which took a yes on both sides too.
    pub confirmed: bool,
    /// The last it had said of itself when the user paired it: a goodbye up to then belongs to an earlier pairing.
    #[serde(default)]
    pub since: Hlc,
    /// A pairing that is under way or came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
}

impl Paired {
    /// Whether Syncthing knows the device at all: without `confirmed` for greetings only, no folder is shared.
    pub fn is_wanted(&self) -> bool {
        self.confirmed || self.attempt.as_ref().is_some_and(Attempt::is_open)
    }
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
        let mut file = std::fs::File::create(&next)?;
        file.write_all(&serde_json::to_vec_pretty(self).map_err(io::Error::other)?)?;
        // Without this a power cut may leave the new name on an empty file: all pairings would be gone.
        file.sync_all()?;
        drop(file);
        std::fs::rename(next, home.join("devices.json"))
    }

    /// This device stops being `former`. The others stay known to it; they must say yes to the new one.
    pub fn leave_identity(&mut self, former: Former, name: &str) {
        self.names.insert(former.id.to_string(), format!("{name} (formerly)"));
        self.former.retain(|known| known.id != former.id);
        self.former.push(former);
        for paired in &mut self.paired {
            paired.confirmed = false;
            paired.attempt = None;
        }
    }

    /// Former identities by short id; the present one is none, even if leaving it was begun and did not come about.
    pub fn former_of(&self, present: &DeviceId) -> BTreeMap<String, Millis> {
        self.former
            .iter()
            .filter(|former| former.id != *present)
            .map(|former| (former.id.short(), former.until))
            .collect()
    }

    pub fn is_paired(&self, id: &DeviceId) -> bool {
        self.paired.iter().any(|paired| paired.id == *id)
    }

    /// Those whose pairing is complete on this side.
    pub fn complete(&self) -> impl Iterator<Item = &Paired> {
        self.paired.iter().filter(|paired| paired.confirmed)
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

/// So many devices are believed to be known to one.
const MAX_KNOWN: usize = 64;

/// What the network says at the moment.
#[derive(Debug, Default)]
pub struct Neighbours {
    pub peers: Vec<Peer>,
    pub asking: Vec<Asking>,
    /// Others that ask, of whom nothing is kept but how many there are.
    pub more_asking: u64,
    /// What a device in the book announced when it connected last.
    pub greeted: BTreeMap<DeviceId, String>,
    pub nearby: Vec<Nearby>,
    /// What each device says of itself, by short id.
    pub hellos: BTreeMap<String, Hello>,
    /// When that came, by this device's clock: theirs may be wrong.
    pub heard: BTreeMap<String, Millis>,
}

impl Neighbours {
    /// Whether what the device `short` says is of any concern: we are paired, or somebody we are paired with knows it.
    pub fn concerns(&self, book: &Book, own: &DeviceId, short: &str) -> bool {
        book.complete().any(|paired| paired.id.short() == short)
            || self.strangers(book, own).any(|(known, _)| known.id.short() == short)
    }

    /// Devices that paired ones know and we are not paired with, with the one that knows each.
    ///
    /// What another device says becomes directories and folders here: only real device IDs are taken, none that shares
    /// its short name with this device or a paired one, and no more of each device than a person owns.
    pub fn strangers<'a>(&'a self, book: &'a Book, own: &'a DeviceId) -> impl Iterator<Item = (&'a Known, &'a Paired)> {
        let known = book.complete().filter_map(|paired| Some((paired, self.hellos.get(&paired.id.short())?)));
        let mut seen = std::collections::BTreeSet::new();
        known
            .flat_map(|(paired, hello)| {
                let known = hello.paired.iter().chain(&hello.carried).take(MAX_KNOWN);
                known.map(move |known| (known, paired))
            })
            .filter(|(known, _)| device_id::parse(known.id.as_str()).is_ok_and(|id| id == known.id))
            .filter(move |(known, _)| {
                let short = known.id.short();
                let taken = own.short() == short || book.paired.iter().any(|paired| paired.id.short() == short);
                !taken && !book.parted.contains(&known.id)
            })
            .filter(move |(known, _)| seen.insert(known.id.short()))
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
    let devices = book.paired.iter().filter(|paired| paired.is_wanted()).map(|paired| WantedDevice {
        id: paired.id.clone(),
        name: paired.name.clone(),
        addresses: addresses(paired, neighbours),
    });
    // Nothing goes to or comes from a device before both users said yes.
    let everybody: Vec<DeviceId> = book.complete().map(|paired| paired.id.clone()).collect();
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

/// What the user gave, and what the device says of itself: it may have moved since, or was met through another one.
fn addresses(paired: &Paired, neighbours: &Neighbours) -> Vec<String> {
    let said = neighbours.hellos.get(&paired.id.short()).map_or(&[][..], |hello| &hello.addresses);
    let known = paired.addresses.iter().chain(said.iter().filter(|address| is_address(address)).take(MAX_ADDRESSES));
    let mut seen = std::collections::BTreeSet::new();
    known.filter(|address| seen.insert(*address)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Hlc;
    use crate::syncthing::device_id::from_cert_der;
    use crate::vault::card::Card;

    /// What we would make of a paired device that says it knows these.
    fn folders(own: &DeviceId, known: Vec<DeviceId>) -> Vec<WantedFolder> {
        let friend = from_cert_der(b"friend");
        let card = Card {
            v: 1,
            device: friend.clone(),
            cert_der: String::new(),
            key: String::new(),
            made: crate::session::Millis(0),
            signature: String::new(),
        };
        let paired = known.into_iter().map(|id| Known { id, name: "x".into() }).collect();
        let hello = Hello {
            v: 1,
            card,
            name: "friend".into(),
            at: Hlc::default(),
            paired,
            carried: vec![],
            live: vec![],
            addresses: vec![],
            goodbye: vec![],
        };
        let neighbours = Neighbours { hellos: [(friend.short(), hello)].into(), ..Neighbours::default() };
        let paired = Paired {
            id: friend,
            name: "friend".into(),
            addresses: vec![],
            confirmed: true,
            since: Hlc::default(),
            attempt: None,
        };
        let book = Book { paired: vec![paired], ..Book::default() };
        wanted(&Vault::at(Path::new("/roam")), own, &book, &neighbours, &[], false).folders
    }

    #[test]
    fn a_stranger_gets_folders_in_the_vault() {
        let own = from_cert_der(b"own");
        assert_eq!(folders(&own, vec![from_cert_der(b"stranger")]).len(), 6);
    }

    #[test]
    fn names_that_are_no_device_ids_make_no_folders() {
        let own = from_cert_der(b"own");
        let hostile = ["../../../../x", "/home/ada/.ssh", "", "a/b", "..", "AAAAAAA"].map(DeviceId::new).to_vec();
        assert_eq!(folders(&own, hostile), folders(&own, vec![]));
    }

    #[test]
    fn nobody_takes_over_the_folders_of_this_device_or_of_a_paired_one() {
        let own = from_cert_der(b"own");
        for id in [&own, &from_cert_der(b"friend")] {
            let digest: String = id.as_str().chars().filter(|c| *c != '-').collect();
            // The first group with its check character stays, the others are somebody else's.
            let other: String = from_cert_der(b"other").as_str().chars().filter(|c| *c != '-').collect();
            let forged = device_id::parse(&format!("{}{}", &digest[..14], &other[14..])).expect("a valid id");
            assert_eq!((forged.short(), forged != *id), (id.short(), true));
            assert_eq!(folders(&own, vec![forged]), folders(&own, vec![]));
        }
    }

    #[test]
    fn a_roster_without_end_makes_folders_with_one() {
        let own = from_cert_der(b"own");
        let many = (0..1000u32).map(|n| from_cert_der(&n.to_le_bytes())).collect();
        assert!(folders(&own, many).len() <= 4 + 2 * MAX_KNOWN);
    }
}
