//! The user's other devices: which are paired, which devices those know, and the resulting folders.

use crate::merge::DeviceList;
use crate::merge::device_list::Approved;
use crate::session::{DeviceId, Hlc, Lane, Millis};
use crate::syncthing::pairing::{MAX_ADDRESSES, is_address};
use crate::syncthing::proof::Bits;
use crate::syncthing::{
    Asking, Nearby, Peer, Wanted, WantedDevice, WantedFolder, device_id, folder_id,
};
use crate::vault::Vault;
use crate::vault::presence::{self, Known, Presence};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

/// `devices.json`: what only the user knows. Everything else about devices comes from their own
/// cards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceRegistry {
    pub paired: Vec<Paired>,
    /// Devices that the user left, which no other device may bring back by proposing them.
    pub parted: Vec<DeviceId>,
    /// Names the user gave to devices, by id.
    pub names: BTreeMap<String, String>,
    /// This device's earlier identities.
    pub former: Vec<Former>,
    /// How often this device gave up its name to another one: at most once per other device.
    #[serde(skip_serializing_if = "is_zero")]
    pub yielded: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// An identity that this device had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Former {
    pub id: DeviceId,
    /// Anything written under it later is another machine's.
    pub until: Millis,
}

/// A pairing under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub begun: Millis,
    #[serde(flatten)]
    pub step: Step,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// The device's code was entered here: what this device announces, and the answer it expects.
    Asking { proof: Bits, answer: Bits },
    /// The device knew this device's code and the user let it in: what this device announces.
    Answering { answer: Bits },
    /// Digits are compared. `commitment` and `theirs` are the other device's; `spoiled` is its
    /// commitment of an earlier attempt.
    Comparing {
        nonce: Bits,
        commitment: Option<String>,
        theirs: Option<Bits>,
        spoiled: Option<String>,
    },
    /// The attempt failed; a new one needs the user.
    Ended { spoiled: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    pub id: DeviceId,
    pub name: String,
    pub addresses: Vec<String>,
    /// Both users agreed and both devices proved it: folders are shared with the device. In older
    /// files: it was connected once, which needed both users' consent too.
    pub confirmed: bool,
    /// The stamp of its last presence when the user paired it: a goodbye up to then belongs to an
    /// earlier pairing.
    #[serde(default)]
    pub since: Hlc,
    /// A pairing that is under way or has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// The user chose, before the pairing is complete, to approve here whatever that device
    /// approves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follow: bool,
}

impl Paired {
    /// Whether Syncthing knows the device at all: without `confirmed` for greetings only, no folder
    /// is shared.
    pub fn is_wanted(&self) -> bool {
        self.confirmed || self.is_attempted()
    }

    /// Whether a pairing with the device is under way.
    pub fn is_attempted(&self) -> bool {
        self.attempt.as_ref().is_some_and(Attempt::is_open)
    }
}

impl DeviceRegistry {
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
        // Without this a power cut may leave the new name on an empty file: all pairings would be
        // gone.
        file.sync_all()?;
        drop(file);
        std::fs::rename(next, home.join("devices.json"))
    }

    /// This device stops being `former`. It still knows the other devices; they must approve the
    /// new identity.
    pub fn leave_identity(&mut self, former: Former, name: &str) {
        self.names
            .insert(former.id.to_string(), format!("{name} (formerly)"));
        self.former.retain(|known| known.id != former.id);
        self.former.push(former);
        for paired in &mut self.paired {
            paired.confirmed = false;
            paired.attempt = None;
        }
    }

    /// Former identities by short id, without the present one, even if leaving that was begun and
    /// failed.
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

    /// Devices whose pairing is complete on this side.
    pub fn complete(&self) -> impl Iterator<Item = &Paired> {
        self.paired.iter().filter(|paired| paired.confirmed)
    }

    pub fn find(&self, text: &str) -> Option<&Paired> {
        let lower = text.to_lowercase();
        let by_name = self.paired.iter().find(|paired| {
            paired.name.to_lowercase() == lower
                || self
                    .names
                    .get(paired.id.as_str())
                    .is_some_and(|name| name.to_lowercase() == lower)
        });
        by_name.or_else(|| self.paired.iter().find(|paired| starts(&paired.id, text)))
    }
}

/// A device id may be given by its start, in any case, with or without dashes; four characters at
/// least.
pub fn starts(id: &DeviceId, text: &str) -> bool {
    let plain = |text: &str| {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_uppercase()
    };
    let start = plain(text);
    start.len() >= 4 && plain(id.as_str()).starts_with(&start)
}

/// The most devices that are believed to be known to one device.
const MAX_KNOWN: usize = 64;

/// The present state of the network.
#[derive(Debug, Default)]
pub struct PeerState {
    pub peers: Vec<Peer>,
    pub asking: Vec<Asking>,
    /// The number of other devices that ask; nothing else of them is kept.
    pub more_asking: u64,
    /// What a device in the registry announced at its last connection.
    pub greeted: BTreeMap<DeviceId, String>,
    pub nearby: Vec<Nearby>,
    /// Each device's own presence, by short id.
    pub presences: BTreeMap<String, Presence>,
    /// When each presence came, by this device's clock: the other devices' clocks may be wrong.
    pub heard: BTreeMap<String, Millis>,
}

/// Everything that determines which devices this one deals with.
pub struct Circle<'a> {
    pub own: &'a DeviceId,
    pub registry: &'a DeviceRegistry,
    pub list: &'a DeviceList,
    pub peer_state: &'a PeerState,
    /// Devices that this device's goodbye has not reached yet.
    pub leaving: &'a BTreeSet<DeviceId>,
}

impl<'a> Circle<'a> {
    /// The approved devices. Each has a short name of its own, different from this device's: it
    /// names directories and folders. Devices that the user approved here precede those from a
    /// followed device.
    pub fn approved(&self) -> Vec<(&'a DeviceId, &'a Approved)> {
        let mut seen = BTreeSet::from([self.own.short()]);
        let mut all: Vec<_> = self.list.approved.iter().collect();
        all.sort_by_key(|(_, approved)| approved.via.is_some());
        all.into_iter()
            .filter(|(id, _)| seen.insert(id.short()))
            .collect()
    }

    /// The device of this short name whose journals are read: an approved one, or a former one, as
    /// far as its journals were accepted.
    pub fn member(&self, short: &str) -> Option<&'a DeviceId> {
        let approved = self.approved().into_iter().map(|(id, _)| id);
        approved
            .chain(self.list.revoked.keys())
            .chain(self.list.stopped.keys())
            .find(|id| id.short() == short)
    }

    /// Devices that approved ones approve and this one does not, each with the device that knows
    /// it: proposals, nothing more.
    ///
    /// These names come from other devices. So only real device IDs are accepted, none with the
    /// short name of this device or a known one, and no more from each device than a person owns.
    pub fn strangers(&self) -> impl Iterator<Item = (&'a Known, &'a Paired)> + use<'a> {
        let (own, registry, list, peer_state) =
            (self.own, self.registry, self.list, self.peer_state);
        let known = registry
            .paired
            .iter()
            .filter(move |paired| list.approved.contains_key(&paired.id));
        let known = known.filter_map(move |paired| {
            Some((paired, peer_state.presences.get(&paired.id.short())?))
        });
        let mut seen = BTreeSet::new();
        known
            .flat_map(|(paired, presence)| {
                let known = presence.paired.iter().take(MAX_KNOWN);
                known.map(move |known| (known, paired))
            })
            .filter(|(known, _)| device_id::parse(known.id.as_str()).is_ok_and(|id| id == known.id))
            .filter(move |(known, _)| {
                let short = known.id.short();
                let is = |id: &DeviceId| id.short() == short;
                let taken = is(own) || list.approved.keys().chain(list.revoked.keys()).any(is);
                !taken
                    && !list.unapproved.contains(&known.id)
                    && !registry.parted.contains(&known.id)
            })
            .filter(move |(known, _)| seen.insert(known.id.short()))
    }

    /// The device's presence, if it is here.
    fn presence(&self, of: &DeviceId) -> Option<&'a Presence> {
        self.peer_state
            .presences
            .get(&of.short())
            .filter(|presence| presence.card.device == *of)
    }

    /// The parts of a device's folder that are not fetched: tools that are off and forgotten
    /// sessions. Without a presence, everything but the presence, which alone says who may get the
    /// rest.
    fn ignores(&self, owner: &DeviceId, left_out: &[String]) -> Vec<String> {
        match self.presence(owner) {
            _ if owner == self.own => Vec::new(),
            Some(_) => left_out.iter().map(|below| format!("/{below}")).collect(),
            None => vec![format!("!/{}", presence::FILE), "*".into()],
        }
    }

    /// Who gets the folders of `owner` from this device: approved devices only, and for another
    /// device's folder only those that the owner approves in its last signed presence. An owner's
    /// unpairing therefore holds for every carrier of its folders that learns of it. Until the
    /// first presence is here, nothing else of the owner is ([`Self::ignores`]), and any device may
    /// send that presence.
    fn shared_with(&self, owner: &DeviceId, approved: &[(&DeviceId, &Approved)]) -> Vec<DeviceId> {
        let presence = self.presence(owner);
        let owner_approves = |id: &DeviceId| {
            *id == *owner
                || presence
                    .is_none_or(|presence| presence.paired.iter().any(|known| known.id == *id))
        };
        let with = approved
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| owner == self.own || owner_approves(id));
        with.cloned().collect()
    }
}

/// The devices and folders that follow from this device's approvals: no other device has a folder
/// or an entry here. The intended recipients of a revoked device's folders keep them, so that all
/// accept the same.
pub fn wanted(vault: &Vault, circle: &Circle<'_>, left_out: &[String], paused: bool) -> Wanted {
    let (own, approved) = (circle.own, circle.approved());
    let leaving = circle
        .registry
        .paired
        .iter()
        .filter(|paired| circle.leaving.contains(&paired.id));
    let leaving: Vec<&Paired> = leaving
        .filter(|paired| {
            !circle.list.approved.contains_key(&paired.id)
                && !circle.list.revoked.contains_key(&paired.id)
        })
        .collect();
    let entry = |id: &DeviceId, name: &str| {
        let paired = circle
            .registry
            .paired
            .iter()
            .find(|paired| paired.id == *id);
        WantedDevice {
            id: id.clone(),
            name: paired.map_or(name, |paired| &paired.name).to_owned(),
            addresses: addresses(id, paired, circle.peer_state),
        }
    };
    let mut devices: Vec<WantedDevice> = approved
        .iter()
        .map(|(id, approved)| entry(id, &approved.name))
        .collect();
    devices.extend(leaving.iter().map(|paired| entry(&paired.id, &paired.name)));
    // A pairing under way needs greetings only: an entry and no folder.
    let is_met = |paired: &&Paired| {
        let id = &paired.id;
        paired.is_attempted()
            && !circle.list.approved.contains_key(id)
            && !circle.list.revoked.contains_key(id)
    };
    let met = circle
        .registry
        .paired
        .iter()
        .filter(is_met)
        .filter(|paired| !circle.leaving.contains(&paired.id));
    devices.extend(met.map(|paired| entry(&paired.id, &paired.name)));
    let mut folders = Vec::new();
    let mut add = |owner: &DeviceId, lane: Lane, shared_with: Vec<DeviceId>| {
        folders.push(WantedFolder {
            id: folder_id(lane, &owner.short()),
            path: vault.lane_dir(&owner.short(), lane),
            own: owner == own,
            shared_with,
            ignores: circle.ignores(owner, left_out),
        });
    };
    for owner in std::iter::once(own).chain(approved.iter().map(|(id, _)| *id)) {
        for lane in Lane::ALL {
            let mut with = circle.shared_with(owner, &approved);
            if owner == own && lane == Lane::Priority {
                // The goodbye is in this folder.
                with.extend(leaving.iter().map(|paired| paired.id.clone()));
            }
            add(owner, lane, with);
        }
    }
    let is_free = |id: &&DeviceId| {
        **id != *own
            && approved
                .iter()
                .all(|(known, _)| known.short() != id.short())
    };
    for revoked in circle.list.revoked.keys().filter(is_free) {
        let with = circle.shared_with(revoked, &approved);
        for lane in Lane::ALL.into_iter().filter(|_| !with.is_empty()) {
            add(revoked, lane, with.clone());
        }
    }
    Wanted {
        devices,
        folders,
        paused,
    }
}

/// The addresses that the user gave and those that the device announces: the device may have moved
/// since, or may be known through another one.
fn addresses(id: &DeviceId, paired: Option<&Paired>, peer_state: &PeerState) -> Vec<String> {
    let given = paired.map_or(&[][..], |paired| &paired.addresses);
    let said = peer_state
        .presences
        .get(&id.short())
        .map_or(&[][..], |presence| &presence.addresses);
    let known = given.iter().chain(
        said.iter()
            .filter(|address| is_address(address))
            .take(MAX_ADDRESSES),
    );
    let mut seen = BTreeSet::new();
    known
        .filter(|address| seen.insert(*address))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::{Stated, Statement};
    use crate::session::Hlc;
    use crate::syncthing::device_id::from_cert_der;
    use crate::vault::card::Card;

    fn presence(of: &DeviceId, known: &[DeviceId]) -> Presence {
        let card = Card {
            v: 1,
            device: of.clone(),
            cert_der: String::new(),
            key: String::new(),
            made: crate::session::Millis(0),
            signature: String::new(),
        };
        Presence {
            v: 1,
            card,
            name: "friend".into(),
            at: Hlc::default(),
            paired: known
                .iter()
                .map(|id| Known {
                    id: id.clone(),
                    name: "x".into(),
                })
                .collect(),
            carried: vec![],
            live: vec![],
            addresses: vec![],
            goodbye: vec![],
            heard: BTreeMap::new(),
        }
    }

    struct Desk {
        own: DeviceId,
        registry: DeviceRegistry,
        list: DeviceList,
        peer_state: PeerState,
    }

    impl Desk {
        /// Approves these devices, each with the devices that it announces as approved.
        fn approving(approved: &[(&DeviceId, &[DeviceId])]) -> Self {
            let own = from_cert_der(b"own");
            let stated = approved.iter().map(|(id, _)| Stated {
                frame: 0,
                entry: 0,
                at: Hlc::default(),
                statement: Statement::Approve {
                    device: (*id).clone(),
                    name: "friend".into(),
                    over: BTreeMap::new(),
                },
            });
            let list = DeviceList::of(&own, &[(own.clone(), stated.collect())].into(), "list");
            let paired = approved.iter().map(|(id, _)| Paired {
                id: (*id).clone(),
                name: "friend".into(),
                addresses: vec![],
                confirmed: true,
                since: Hlc::default(),
                attempt: None,
                follow: false,
            });
            let presences = approved
                .iter()
                .map(|(id, known)| (id.short(), presence(id, known)));
            Self {
                registry: DeviceRegistry {
                    paired: paired.collect(),
                    ..DeviceRegistry::default()
                },
                peer_state: PeerState {
                    presences: presences.collect(),
                    ..PeerState::default()
                },
                own,
                list,
            }
        }

        fn circle<'a>(&'a self, leaving: &'a BTreeSet<DeviceId>) -> Circle<'a> {
            Circle {
                own: &self.own,
                registry: &self.registry,
                list: &self.list,
                peer_state: &self.peer_state,
                leaving,
            }
        }

        fn wanted(&self) -> Wanted {
            wanted(
                &Vault::at(Path::new("/roam")),
                &self.circle(&BTreeSet::new()),
                &[],
                false,
            )
        }

        fn proposed(&self) -> usize {
            self.circle(&BTreeSet::new()).strangers().count()
        }

        /// With whom the live folder of a device is shared; `None` if there is none.
        fn shared(&self, owner: &DeviceId) -> Option<Vec<DeviceId>> {
            let id = folder_id(Lane::Priority, &owner.short());
            self.wanted()
                .folders
                .into_iter()
                .find(|folder| folder.id == id)
                .map(|folder| folder.shared_with)
        }
    }

    /// F5: a device known to a paired one is proposed, and has neither a folder nor an entry.
    #[test]
    fn a_stranger_is_proposed_and_nothing_more() {
        let (friend, stranger) = (from_cert_der(b"friend"), from_cert_der(b"stranger"));
        let desk = Desk::approving(&[(&friend, std::slice::from_ref(&stranger))]);
        assert_eq!(desk.proposed(), 1);
        assert_eq!(desk.shared(&stranger), None);
        assert_eq!(desk.wanted().devices.len(), 1);
        assert_eq!(desk.wanted().folders.len(), 6);
    }

    /// F4: a carrier shares an owner's folders only with the devices that the owner approves.
    #[test]
    fn an_owners_folder_goes_to_those_it_approves() {
        let [one, two, three] = [b"one".as_slice(), b"two", b"three"].map(from_cert_der);
        let desk = Desk::approving(&[
            (&one, std::slice::from_ref(&two)),
            (&two, &[]),
            (&three, &[one.clone(), two.clone()]),
        ]);
        let sorted = |mut ids: Vec<DeviceId>| {
            ids.sort();
            ids
        };
        let shared = |owner: &DeviceId| desk.shared(owner).map(sorted);
        assert_eq!(shared(&one), Some(sorted(vec![one.clone(), two.clone()])));
        assert_eq!(shared(&two), Some(vec![two.clone()]));
        assert_eq!(
            shared(&three),
            Some(sorted(vec![one.clone(), two.clone(), three.clone()]))
        );
        assert_eq!(shared(&desk.own), Some(sorted(vec![one, two, three])));
    }

    #[test]
    fn names_that_are_no_device_ids_are_not_proposed() {
        let hostile = [
            "../../../../x",
            "/home/ada/.ssh",
            "",
            "a/b",
            "..",
            "AAAAAAA",
        ]
        .map(DeviceId::new);
        assert_eq!(
            Desk::approving(&[(&from_cert_der(b"friend"), &hostile)]).proposed(),
            0
        );
    }

    /// An id with the short form of another one.
    fn forged(id: &DeviceId) -> DeviceId {
        let digest: String = id.as_str().chars().filter(|c| *c != '-').collect();
        // The first group and its check character stay; the other groups come from another device.
        let other: String = from_cert_der(b"other")
            .as_str()
            .chars()
            .filter(|c| *c != '-')
            .collect();
        let forged =
            device_id::parse(&format!("{}{}", &digest[..14], &other[14..])).expect("a valid id");
        assert_eq!((forged.short(), forged != *id), (id.short(), true));
        forged
    }

    #[test]
    fn nobody_takes_over_the_folders_of_this_device_or_of_a_paired_one() {
        let (own, friend) = (from_cert_der(b"own"), from_cert_der(b"friend"));
        for id in [&own, &friend] {
            assert_eq!(Desk::approving(&[(&friend, &[forged(id)])]).proposed(), 0);
            let desk = Desk::approving(&[(&friend, &[]), (&forged(id), &[])]);
            assert_eq!(desk.wanted().folders.len(), 6, "one of the two at most");
        }
    }

    #[test]
    fn a_roster_without_end_has_an_end() {
        let many: Vec<DeviceId> = (0..1000u32)
            .map(|n| from_cert_der(&n.to_le_bytes()))
            .collect();
        let desk = Desk::approving(&[(&from_cert_der(b"friend"), &many)]);
        assert_eq!(
            (desk.proposed(), desk.wanted().folders.len()),
            (MAX_KNOWN, 6)
        );
    }
}
