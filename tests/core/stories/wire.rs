//! A transport that treats folders as Syncthing does, but only when the story says: an index with
//! versions, ignore patterns, receive-only replicas that are passed on, files put in place by a
//! rename. Knows nothing of sessions.

use super::world::Device;
use session_roam_core::session::{DeviceId, Lane, decent_name};
use session_roam_core::syncthing::{
    Asking, Notice, Peer, Transport, Wanted, WantedFolder, parse_folder_id,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The requests of one engine to its transport.
#[derive(Default)]
pub struct Wire {
    pub wanted: Wanted,
    announced: Vec<(Lane, String)>,
    reverts: Vec<String>,
    partings: Vec<DeviceId>,
    pub dismissed: Vec<DeviceId>,
    /// Own folders are to be scanned completely, as at every start.
    scan_all: bool,
    asking: Vec<Asking>,
    connected: BTreeSet<String>,
    /// The announced name; `None` until one was set.
    pub called: Option<String>,
    /// How devices are to be found and reached; `None` until that was changed.
    pub network: Option<session_roam_core::settings::Network>,
    /// Devices to greet again; `greeted` holds the name that each announced last.
    greet_again: BTreeMap<DeviceId, u64>,
    greeted: BTreeMap<DeviceId, String>,
}

impl Wire {
    pub fn started(&mut self) {
        self.scan_all = true;
        self.asking.clear();
        self.connected.clear();
        self.greeted.clear();
        self.partings.clear();
    }

    fn knows(&self, id: &DeviceId) -> bool {
        !self.wanted.paused && self.wanted.devices.iter().any(|device| device.id == *id)
    }

    fn folder(&self, id: &str) -> Option<&WantedFolder> {
        self.wanted.folders.iter().find(|folder| folder.id == id)
    }
}

pub struct Fake(pub Arc<Mutex<Wire>>);

impl Fake {
    fn wire(&self) -> std::sync::MutexGuard<'_, Wire> {
        self.0.lock().expect("one thread")
    }
}

impl Transport for Fake {
    fn announce(&self, lane: Lane, paths: Vec<String>) {
        self.wire()
            .announced
            .extend(paths.into_iter().map(|path| (lane, path)));
    }

    fn arrange(&self, wanted: Wanted) -> Option<u64> {
        for folder in &wanted.folders {
            fs::create_dir_all(folder.path.join(".stfolder")).expect("folder");
        }
        self.wire().wanted = wanted;
        None
    }

    fn set_announced_name(&self, name: String) {
        self.wire().called = Some(name);
    }

    fn set_network(&self, network: session_roam_core::settings::Network) {
        self.wire().network = Some(network);
    }

    fn reconnect_until_named(&self, devices: BTreeMap<DeviceId, u64>) {
        self.wire().greet_again = devices;
    }

    fn dismiss(&self, device: DeviceId) {
        self.wire().dismissed.push(device);
    }

    fn revert(&self, folder: String) {
        self.wire().reverts.push(folder);
    }

    fn wait_for_delivery(&self, device: DeviceId, _grace: Duration) {
        self.wire().partings.push(device);
    }

    fn resumed_from_sleep(&self) {}

    fn stop(&self) {}
}

/// A file as an index has it; deleted where there is no hash.
#[derive(Clone, Debug, PartialEq)]
struct Item {
    version: u64,
    hash: Option<blake3::Hash>,
}

type Index = BTreeMap<String, Item>;

/// Every device's index of every folder, by device number and folder id.
#[derive(Default)]
pub struct Ledger {
    indices: BTreeMap<(usize, String), Index>,
}

impl Ledger {
    /// A machine was copied with all that its Syncthing knew.
    pub fn copied(&mut self, from: usize, to: usize) {
        let known: Vec<(String, Index)> = self
            .indices
            .iter()
            .filter(|((at, _), _)| *at == from)
            .map(|((_, folder), index)| (folder.clone(), index.clone()))
            .collect();
        known
            .into_iter()
            .for_each(|(folder, index)| drop(self.indices.insert((to, folder), index)));
    }

    /// A new Syncthing knows nothing.
    pub fn forget(&mut self, of: usize) {
        self.indices.retain(|(at, _), _| *at != of);
    }

    /// Announces connected and asking devices to all; returns whether anything was new.
    pub fn knock(&mut self, devices: &mut [Device], reach: &BTreeSet<(usize, usize)>) -> bool {
        let mut news = false;
        for at in 0..devices.len() {
            if !devices[at].is_running() {
                continue;
            }
            let (mut peers, mut asking) = (Vec::new(), Vec::new());
            for other in 0..devices.len() {
                let in_reach =
                    reach.contains(&(at.min(other), at.max(other))) && devices[other].is_running();
                let announced = locked(&devices[other])
                    .called
                    .clone()
                    .unwrap_or_else(|| devices[other].name.clone());
                let known = locked(&devices[at]).knows(&devices[other].id);
                let knows_us = other != at && locked(&devices[other]).knows(&devices[at].id);
                if known {
                    peers.push(Peer {
                        id: devices[other].id.clone(),
                        connected: in_reach && knows_us,
                        last_seen: None,
                        address: None,
                        percent_synced: 0.0,
                        need_bytes: 0,
                        reach: None,
                        version: None,
                    });
                } else if in_reach && knows_us {
                    asking.push(Asking {
                        id: devices[other].id.clone(),
                        name: decent_name(&announced),
                        announced,
                        address: "127.0.0.1:22000".into(),
                    });
                }
            }
            let connected: BTreeSet<String> = peers
                .iter()
                .filter(|peer| peer.connected)
                .map(|peer| peer.id.to_string())
                .collect();
            let (new_peers, new_asking) = {
                let mut wire = locked(&devices[at]);
                let news = (wire.connected != connected, wire.asking != asking);
                (wire.connected, wire.asking) = (connected, asking.clone());
                news
            };
            if new_peers {
                devices[at].notice(Notice::Peers(peers));
            }
            if new_asking {
                devices[at].notice(Notice::Asking(asking));
            }
            news |= new_peers || new_asking;
        }
        news | self.greet(devices, reach)
    }

    /// Both ends of a connection read each other's name: when the connection begins, and when one
    /// of them greets again.
    fn greet(&mut self, devices: &mut [Device], reach: &BTreeSet<(usize, usize)>) -> bool {
        let mut news = false;
        for (one, other) in reach.iter().copied() {
            let ids = [devices[one].id.clone(), devices[other].id.clone()];
            let is_up = locked(&devices[one]).connected.contains(ids[1].as_str())
                && locked(&devices[other]).connected.contains(ids[0].as_str());
            if !is_up {
                locked(&devices[one]).greeted.remove(&ids[1]);
                locked(&devices[other]).greeted.remove(&ids[0]);
                continue;
            }
            let names = [one, other].map(|at| {
                locked(&devices[at])
                    .called
                    .clone()
                    .unwrap_or_else(|| devices[at].name.clone())
            });
            let heard = |at: usize, by: usize| {
                locked(&devices[[one, other][at]])
                    .greeted
                    .get(&ids[by])
                    .cloned()
            };
            let fresh = [
                heard(0, 1).as_ref() != Some(&names[1]),
                heard(1, 0).as_ref() != Some(&names[0]),
            ];
            let first = heard(0, 1).is_none() || heard(1, 0).is_none();
            let again = locked(&devices[one]).greet_again.contains_key(&ids[1])
                || locked(&devices[other]).greet_again.contains_key(&ids[0]);
            if !(first || again && (fresh[0] || fresh[1])) {
                continue;
            }
            for (at, by) in [(0, 1), (1, 0)] {
                let device = [one, other][at];
                locked(&devices[device])
                    .greeted
                    .insert(ids[by].clone(), names[by].clone());
                devices[device].notice(Notice::Greeted {
                    device: ids[by].clone(),
                    announced: names[by].clone(),
                });
            }
            news = true;
        }
        news
    }

    /// Brings the files that `to` lacks from `from`, as far as `pick` allows; returns the notices
    /// for `to`.
    pub fn carry(
        &mut self,
        devices: &[Device],
        from: usize,
        to: usize,
        pick: impl Fn(&str) -> bool,
    ) -> Vec<Notice> {
        self.scan(&devices[from], from);
        self.revert(&devices[to], to);
        let (sender, receiver) = (locked(&devices[from]), locked(&devices[to]));
        let running = devices[from].is_running() && devices[to].is_running();
        if !running || !sender.knows(&devices[to].id) || !receiver.knows(&devices[from].id) {
            return Vec::new();
        }
        let mut notices = Vec::new();
        for folder in &receiver.wanted.folders {
            let shared =
                |folder: &WantedFolder, with: &Device| folder.shared_with.contains(&with.id);
            let Some(source) = sender.folder(&folder.id) else {
                continue;
            };
            if folder.own || !shared(source, &devices[to]) || !shared(folder, &devices[from]) {
                continue;
            }
            let paths = self.pull(source, folder, (from, to), &pick);
            if let (Some((lane, owner)), false) = (parse_folder_id(&folder.id), paths.is_empty()) {
                notices.push(Notice::Arrived {
                    owner: owner.into(),
                    lane,
                    paths,
                });
            }
        }
        notices
    }

    fn pull(
        &mut self,
        source: &WantedFolder,
        target: &WantedFolder,
        (from, to): (usize, usize),
        pick: &impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let theirs = self
            .indices
            .get(&(from, source.id.clone()))
            .cloned()
            .unwrap_or_default();
        let ours = self.indices.entry((to, target.id.clone())).or_default();
        let mut paths = Vec::new();
        for (path, item) in theirs {
            let ignored = ignores(source, &path) || ignores(target, &path);
            let known = ours.get(&path).map_or(0, |known| known.version);
            if ignored || item.version <= known || !pick(&path) {
                continue;
            }
            match item.hash {
                None => drop(fs::remove_file(target.path.join(&path))),
                Some(hash) => {
                    // A file that differs from the index cannot be served: its blocks do not
                    // verify.
                    let Some(bytes) = bytes_of(&source.path.join(&path)) else {
                        continue;
                    };
                    if blake3::hash(&bytes) != hash {
                        continue;
                    }
                    put_in_place(&target.path.join(&path), &bytes);
                }
            }
            ours.insert(path.clone(), item);
            paths.push(path);
        }
        paths
    }

    /// Enters the engine's announced paths into the index of its own folders.
    fn scan(&mut self, device: &Device, at: usize) {
        let (announced, scan_all, folders) = {
            let mut wire = locked(device);
            let own: Vec<WantedFolder> = wire
                .wanted
                .folders
                .iter()
                .filter(|folder| folder.own)
                .cloned()
                .collect();
            (
                std::mem::take(&mut wire.announced),
                std::mem::take(&mut wire.scan_all),
                own,
            )
        };
        for folder in folders
            .iter()
            .filter(|folder| folder.path.join(".stfolder").is_dir())
        {
            let index = self.indices.entry((at, folder.id.clone())).or_default();
            let lane = parse_folder_id(&folder.id).map(|(lane, _)| lane);
            let mut paths: BTreeSet<String> = announced
                .iter()
                .filter(|(of, _)| Some(*of) == lane)
                .map(|(_, path)| path.clone())
                .collect();
            if scan_all || paths.contains("") {
                paths.extend(index.keys().cloned());
                paths.extend(files_below(&folder.path, &folder.path));
            }
            for path in paths.into_iter().filter(|path| !path.is_empty()) {
                let hash = bytes_of(&folder.path.join(&path)).map(|bytes| blake3::hash(&bytes));
                let known = index.get(&path).cloned().unwrap_or(Item {
                    version: 0,
                    hash: None,
                });
                if known.hash != hash {
                    index.insert(
                        path,
                        Item {
                            version: known.version + 1,
                            hash,
                        },
                    );
                }
            }
        }
    }

    /// Forgets changes in replicas that are to be as their owner has them, so that these files are
    /// fetched again.
    fn revert(&mut self, device: &Device, at: usize) {
        let reverts = std::mem::take(&mut locked(device).reverts);
        for id in reverts {
            let Some(folder) = locked(device).folder(&id).cloned() else {
                continue;
            };
            let Some(index) = self.indices.get_mut(&(at, id)) else {
                continue;
            };
            for path in files_below(&folder.path, &folder.path) {
                if !index.contains_key(&path) {
                    drop(fs::remove_file(folder.path.join(&path)));
                }
            }
            index.retain(|path, item| {
                bytes_of(&folder.path.join(path)).map(|bytes| blake3::hash(&bytes)) == item.hash
            });
        }
    }

    /// Notifies devices that want to leave that the other one has everything; returns whether any
    /// was notified.
    pub fn farewell(&mut self, devices: &mut [Device], reach: &BTreeSet<(usize, usize)>) -> bool {
        let mut told = false;
        for at in 0..devices.len() {
            self.scan(&devices[at], at);
            let leaving = locked(&devices[at]).partings.clone();
            for id in leaving {
                let Some(other) = devices.iter().position(|device| device.id == id) else {
                    continue;
                };
                let in_reach = reach.contains(&(at.min(other), at.max(other)));
                if in_reach && self.in_step(&devices[at], at, other) {
                    self.part(&mut devices[at], &id);
                    told = true;
                }
            }
        }
        told
    }

    /// The grace period is over: the engine is notified whether the other device was reached or
    /// not.
    pub fn part(&mut self, device: &mut Device, id: &DeviceId) {
        locked(device).partings.retain(|parting| parting != id);
        device.notice(Notice::Delivered { device: id.clone() });
    }

    fn in_step(&self, device: &Device, at: usize, other: usize) -> bool {
        let live = format!("roam-live-{}", device.short());
        self.indices.get(&(at, live.clone())) == self.indices.get(&(other, live))
    }
}

pub fn locked(device: &Device) -> std::sync::MutexGuard<'_, Wire> {
    device.wire.lock().expect("one thread")
}

/// Our patterns name a directory from the top, `/tool` or `/tool/*/session` (a star is one name);
/// or a file that is not ignored, with everything else ignored.
fn ignores(folder: &WantedFolder, path: &str) -> bool {
    let taken = |pattern: &String| pattern.strip_prefix("!/") == Some(path);
    if folder.ignores.iter().any(taken) {
        return false;
    }
    if folder.ignores.iter().any(|pattern| pattern == "*") {
        return true;
    }
    let below = |pattern: &str| {
        let (wanted, names): (Vec<&str>, Vec<&str>) =
            (pattern.split('/').collect(), path.split('/').collect());
        wanted.len() <= names.len()
            && wanted
                .iter()
                .zip(&names)
                .all(|(wanted, name)| *wanted == "*" || wanted == name)
    };
    folder
        .ignores
        .iter()
        .any(|pattern| pattern.strip_prefix('/').is_some_and(below))
}

fn files_below(root: &Path, dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (
            entry.path(),
            entry.file_name().to_string_lossy().into_owned(),
        );
        if name.starts_with(".st") || name.starts_with(".syncthing.") || name.ends_with(".sr-tmp") {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files_below(root, &path));
        } else if let Ok(relative) = path.strip_prefix(root) {
            found.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
    found
}

/// The content of a regular file. Devices and FIFOs are not synced, and a link's target is not
/// read.
fn bytes_of(path: &Path) -> Option<Vec<u8>> {
    fs::symlink_metadata(path)
        .ok()
        .filter(fs::Metadata::is_file)?;
    fs::read(path).ok()
}

/// As Syncthing does: a temporary file beside it, then a rename over the old one.
fn put_in_place(path: &Path, bytes: &[u8]) {
    let (dir, name) = (
        path.parent().expect("parent"),
        path.file_name().expect("name").to_string_lossy(),
    );
    fs::create_dir_all(dir).expect("dir");
    let temp = dir.join(format!(".syncthing.{name}.tmp"));
    fs::write(&temp, bytes).expect("write");
    fs::rename(&temp, path).expect("rename");
}
