//! Arranges Syncthing's devices and folders as wanted. How they should look is computed by pure
//! functions; applying compares first and changes only what differs, so a second call changes
//! nothing. Touches only folders whose id is one of ours, and never a folder's files.

use super::arranged::{ArrangeError, Arranged, Made};
use super::link::Up;
use super::names::{device_name, folder_name};
use super::proof;
use super::rest::{with_escapes, with_query};
use super::settings;
use super::{Wanted, WantedDevice, WantedFolder, parse_folder_id};
use crate::session::DeviceId;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const MARKER: &str = ".stfolder";
/// Never replicated: our half-written files, and files that desktops leave behind (which may go
/// with their directory).
const IGNORED_FIRST: [&str; 1] = ["*.sr-tmp"];
const DEBRIS: [&str; 3] = ["(?d).DS_Store", "(?d)desktop.ini", "(?d)Thumbs.db"];

/// Where and for whom the folders are arranged.
pub struct Place<'a> {
    pub home: &'a Path,
    /// This device's name.
    pub name: &'a str,
    /// Discovery is on: devices may be found at addresses not listed.
    pub discovery: bool,
    /// The Syncthing is the user's own: only entries that we made may be removed or paused.
    pub external: bool,
}

/// `settled` is what was arranged last in this run: an unwanted change since then was made by
/// somebody else.
pub fn apply(
    up: &Up,
    wanted: &Wanted,
    settled: Option<&Wanted>,
    place: &Place,
) -> Result<Arranged, ArrangeError> {
    let before = Made::load(place.home);
    let mut made = Made {
        wanted: Some(wanted.clone()),
        ..before.clone()
    };
    // Saved first, so that after a crash half way nothing of ours looks foreign.
    Made::keep_wanted(place.home, wanted)?;
    let mut arranged = Arranged::default();
    let config = up.rest.get("/rest/config")?;
    if let Some(first) = &up.config {
        settings::restore(up, first, &config, &mut arranged)?;
    }
    let task = Task {
        up,
        wanted,
        settled,
        place,
    };
    arrange_devices(&task, &config, &before, &mut made, &mut arranged)?;
    let have = by_id(&config["folders"], "id");
    for (id, now) in &have {
        let path = now["path"].as_str().unwrap_or_default();
        let ours = parse_folder_id(id).is_some();
        if !place.external && !before.has_folder(id, path) && !made.has_folder(id, path) {
            arranged.foreign.insert(folder_name(id, path));
        }
        if (ours || !place.external) && !wanted.folders.iter().any(|folder| folder.id == *id) {
            up.rest.delete(&with_id("/rest/config/folders/", id))?;
            arranged.changed = true;
        }
    }
    for folder in &wanted.folders {
        arrange_folder(
            &task,
            folder,
            have.get(&folder.id).copied(),
            &mut made,
            &mut arranged,
        )?;
    }
    made.folders
        .retain(|id, _| wanted.folders.iter().any(|folder| folder.id == *id));
    if made != Made::load(place.home) {
        made.save(place.home)?;
    }
    Ok(arranged)
}

/// The input of one arranging.
#[derive(Clone, Copy)]
struct Task<'a> {
    up: &'a Up,
    wanted: &'a Wanted,
    settled: Option<&'a Wanted>,
    place: &'a Place<'a>,
}

fn arrange_devices(
    task: &Task,
    config: &Value,
    before: &Made,
    made: &mut Made,
    arranged: &mut Arranged,
) -> Result<(), ArrangeError> {
    let Task {
        up,
        wanted,
        settled,
        place,
    } = *task;
    let have = by_id(&config["devices"], "deviceID");
    remove_devices(task, &have, before, made, arranged)?;
    let called = have
        .get(up.own.as_str())
        .map(|own| own["name"].as_str().unwrap_or_default());
    let name = called.map(|called| own_name(called, place));
    if let Some(name) = name.filter(|name| called.is_some_and(|called| called != name)) {
        up.rest.patch(
            &format!("/rest/config/devices/{}", up.own),
            &json!({ "name": name }),
        )?;
        arranged.changed = true;
    }
    for device in wanted.devices.iter().filter(|device| device.id != up.own) {
        let body = device_body(device, wanted.paused && !place.external, place.discovery);
        match have.get(device.id.as_str()) {
            None => {
                up.rest.post("/rest/config/devices", Some(&body))?;
                made.devices.insert(device.id.clone());
                arranged.new_devices.push(device.id.clone());
                arranged.changed = true;
            }
            // Devices that the user set up in a Syncthing of their own stay as they are.
            Some(_) if place.external && !made.devices.contains(&device.id) => {}
            Some(now) => {
                let change = difference(now, &body);
                if !change.is_empty() {
                    let same = settled.is_some_and(|then| then.devices.contains(device));
                    if !place.external {
                        arranged.report(
                            &format!("device {}", device.id.short()),
                            &change,
                            same.then_some("addresses"),
                        );
                    }
                    up.rest.patch(
                        &format!("/rest/config/devices/{}", device.id),
                        &Value::Object(change),
                    )?;
                    arranged.changed = true;
                }
                if !place.external {
                    made.devices.insert(device.id.clone());
                }
            }
        }
    }
    Ok(())
}

/// First of all: nothing that fails later lets a device receive that may not any longer.
fn remove_devices(
    task: &Task,
    have: &BTreeMap<String, &Value>,
    before: &Made,
    made: &mut Made,
    arranged: &mut Arranged,
) -> Result<(), ArrangeError> {
    let Task {
        up, wanted, place, ..
    } = *task;
    for id in have.keys().filter(|id| id.as_str() != up.own.as_str()) {
        let text = id;
        let id = DeviceId::new(id.as_str());
        if !place.external && !before.has_device(&id) && !made.has_device(&id) {
            arranged.foreign.insert(device_name(text));
        }
        let removable = !place.external || made.devices.contains(&id);
        if removable && !wanted.devices.iter().any(|device| device.id == id) {
            up.rest.delete(&with_id("/rest/config/devices/", text))?;
            arranged.changed = true;
        }
    }
    made.devices
        .retain(|id| wanted.devices.iter().any(|device| device.id == *id));
    Ok(())
}

/// The name to set for this device. A Syncthing of the user's own keeps its name; only the tokens
/// after the name are ours.
fn own_name(called: &str, place: &Place) -> String {
    if !place.external {
        return place.name.to_owned();
    }
    let carried = &place.name[proof::plain_name(place.name).len()..];
    format!("{}{carried}", proof::plain_name(called))
}

fn arrange_folder(
    task: &Task,
    folder: &WantedFolder,
    have: Option<&Value>,
    made: &mut Made,
    arranged: &mut Arranged,
) -> Result<(), ArrangeError> {
    let Task {
        up,
        wanted,
        settled,
        place,
    } = *task;
    let known = made.folders.get(&folder.id) == Some(&folder.path);
    match missing(&folder.path) {
        // A known folder is gone. Creating it anew would look like a deletion of all its files.
        Some(message) if known => {
            arranged.lost.push((folder.id.clone(), message));
            return Ok(());
        }
        Some(_) => make_folder(&folder.path)?,
        None => {}
    }
    let body = folder_body(folder, wanted, &up.own, wanted.paused && place.external);
    let lines = ignore_lines(&folder.ignores);
    match have {
        None => {
            // Written before Syncthing knows the folder, so that no ignored file arrives first.
            let path = folder.path.join(".stignore");
            fs::write(&path, lines.join("\n") + "\n")
                .map_err(|source| ArrangeError::Folder { path, source })?;
            up.rest.post("/rest/config/folders", Some(&body))?;
            arranged.new_folders.push(folder.id.clone());
            arranged.changed = true;
        }
        Some(now) => {
            let mut change = difference(now, &body);
            let encrypted = |device: &Value| {
                device["encryptionPassword"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            };
            if now["devices"]
                .as_array()
                .into_iter()
                .flatten()
                .any(encrypted)
            {
                change.insert("devices".into(), body["devices"].clone());
            }
            if !change.is_empty() {
                let then = settled.filter(|then| then.folders.contains(folder));
                let same = then.is_some_and(|then| {
                    folder_body(folder, then, &up.own, false)["devices"] == body["devices"]
                });
                if !place.external {
                    arranged.report(&folder.id, &change, same.then_some("devices"));
                }
                up.rest.patch(
                    &format!("/rest/config/folders/{}", folder.id),
                    &Value::Object(change),
                )?;
                arranged.changed = true;
            }
            arrange_ignores(up, folder, &lines)?;
        }
    }
    made.folders.insert(folder.id.clone(), folder.path.clone());
    Ok(())
}

/// Writes a folder's ignore patterns before anything else happens to it: Syncthing reads this file
/// before each scan and each pull (1.19.2 and 1.29.5). A missing folder gets its file when the
/// folder is created.
pub fn leave_out(folder: &WantedFolder) -> std::io::Result<()> {
    let path = folder.path.join(".stignore");
    let lines = ignore_lines(&folder.ignores);
    let is_so = |text: String| text.lines().eq(lines.iter().map(String::as_str));
    if !folder.path.is_dir() || fs::read_to_string(&path).is_ok_and(is_so) {
        return Ok(());
    }
    let next = folder.path.join(".stignore.sr-tmp");
    fs::write(&next, lines.join("\n") + "\n")?;
    fs::rename(next, path)
}

fn arrange_ignores(up: &Up, folder: &WantedFolder, lines: &[String]) -> Result<(), ArrangeError> {
    let now = fs::read_to_string(folder.path.join(".stignore")).unwrap_or_default();
    if now.lines().eq(lines.iter().map(String::as_str)) {
        return Ok(());
    }
    let path = with_query("/rest/db/ignores", [("folder", folder.id.as_str())]);
    Ok(up.rest.post(&path, Some(&json!({ "ignore": lines })))?)
}

/// Names the part of a folder that is missing.
pub fn missing(path: &Path) -> Option<String> {
    if !path.is_dir() {
        return Some(format!("{} is gone.", path.display()));
    }
    // A file of that name counts: Syncthing only checks whether it exists.
    (!path.join(MARKER).exists()).then(|| format!("{} is gone.", path.join(MARKER).display()))
}

fn make_folder(path: &Path) -> Result<(), ArrangeError> {
    fs::create_dir_all(path.join(MARKER)).map_err(|source| ArrangeError::Folder {
        path: path.to_owned(),
        source,
    })
}

fn ignore_lines(wanted: &[String]) -> Vec<String> {
    let debris = DEBRIS.iter().map(ToString::to_string);
    IGNORED_FIRST
        .iter()
        .map(ToString::to_string)
        .chain(wanted.iter().cloned())
        .chain(debris)
        .collect()
}

pub(super) fn device_body(device: &WantedDevice, paused: bool, discovery: bool) -> Value {
    let mut addresses = device.addresses.clone();
    if (discovery || addresses.is_empty()) && !addresses.iter().any(|address| address == "dynamic")
    {
        addresses.push("dynamic".into());
    }
    json!({
        "deviceID": device.id, "name": device.name, "addresses": addresses, "paused": paused,
        "introducer": false, "autoAcceptFolders": false, "untrusted": false, "allowedNetworks": [], "remoteGUIPort": 0,
    })
}

pub(super) fn folder_body(
    folder: &WantedFolder,
    wanted: &Wanted,
    own: &DeviceId,
    paused: bool,
) -> Value {
    let known = |id: &&DeviceId| wanted.devices.iter().any(|device| device.id == **id);
    let sharers: BTreeSet<&DeviceId> = folder
        .shared_with
        .iter()
        .filter(known)
        .chain([own])
        .collect();
    let devices: Vec<Value> = sharers
        .into_iter()
        .map(|id| json!({ "deviceID": id }))
        .collect();
    json!({
        "id": folder.id, "label": folder.id, "path": folder.path.to_string_lossy(), "paused": paused, "devices": devices,
        "type": if folder.own { "sendonly" } else { "receiveonly" },
        // We announce changes in our own folder; in another device's folder only unwanted changes
        // matter.
        "fsWatcherEnabled": !folder.own, "fsWatcherDelayS": 10, "rescanIntervalS": if folder.own { 3600 } else { 86400 },
        // 2.x waits a second before a pull and restarts the wait with each update: steady updates
        // would never arrive.
        "pullerDelayS": 0, "pullerPauseS": 5,
        "maxConflicts": -1, "ignorePerms": true, "order": "newestFirst", "markerName": MARKER,
        // Otherwise Syncthing lists the whole directory before each file that it looks at or puts in place, in
        // case the file system keeps the name with other capitals: the cost of a file then grows with the number
        // of sessions in its project. Names that session-roam makes never differ in capitals alone.
        "caseSensitiveFS": cfg!(target_os = "linux"),
        // A device that sends too much leaves free space on the disk for everything else.
        "minDiskFree": { "value": 1.0, "unit": "%" },
        // An external versioner would run a command.
        "versioning": { "type": "" },
    })
}

/// The wanted fields that differ. Fields that this version does not have are left out.
fn difference(now: &Value, want: &Value) -> Map<String, Value> {
    let want = want.as_object().into_iter().flatten();
    want.filter(|(name, value)| {
        !now[name.as_str()].is_null() && differs(&now[name.as_str()], value)
    })
    .map(|(name, value)| (name.clone(), value.clone()))
    .collect()
}

fn differs(now: &Value, want: &Value) -> bool {
    match (now, want) {
        (Value::Number(now), Value::Number(want)) => now.as_f64() != want.as_f64(),
        (Value::Array(now), Value::Array(want)) => members(now) != members(want),
        (Value::Object(now), Value::Object(want)) => want
            .iter()
            .any(|(name, value)| now.get(name).is_none_or(|now| differs(now, value))),
        (now, want) => now != want,
    }
}

/// The members of a list, ignoring the order; of a folder's devices only their ids.
fn members(list: &[Value]) -> BTreeSet<&str> {
    list.iter()
        .filter_map(|item| item.as_str().or_else(|| item["deviceID"].as_str()))
        .collect()
}

fn by_id<'a>(list: &'a Value, id: &str) -> BTreeMap<String, &'a Value> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|item| Some((item[id].as_str()?.to_owned(), item)))
        .collect()
}

/// Foreign ids may contain any character.
fn with_id(path: &str, id: &str) -> String {
    with_escapes(path, id, b"-._~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syncthing::device_id::from_cert_der;

    fn wanted_folder(own: bool, shared_with: Vec<DeviceId>) -> WantedFolder {
        WantedFolder {
            id: "roam-live-A".into(),
            path: "/v".into(),
            own,
            shared_with,
            ignores: vec!["/cursor".into()],
        }
    }

    #[test]
    fn only_what_differs_is_changed() {
        let own = from_cert_der(b"own");
        let mut body = folder_body(
            &wanted_folder(true, vec![]),
            &Wanted::default(),
            &own,
            false,
        );
        let want = body.clone();
        body["devices"] = json!([{"deviceID": own, "introducedBy": "", "encryptionPassword": ""}]);
        body["fsWatcherDelayS"] = json!(10.0);
        body["minDiskFree"] = json!({ "value": 1, "unit": "%" });
        body.as_object_mut().expect("object").remove("pullerDelayS");
        assert_eq!(
            difference(&body, &want),
            Map::new(),
            "a 1.x that knows no pullerDelayS is as wanted"
        );
        body["order"] = json!("random");
        assert_eq!(
            Value::Object(difference(&body, &want)),
            json!({"order": "newestFirst"})
        );
        body["order"] = want["order"].clone();
        body["minDiskFree"] = json!({ "value": 0, "unit": "" });
        assert_eq!(
            Value::Object(difference(&body, &want)),
            json!({"minDiskFree": {"value": 1.0, "unit": "%"}})
        );
    }

    #[test]
    fn a_folder_is_shared_with_known_devices_only() {
        let (own, known, unknown) = (
            from_cert_der(b"own"),
            from_cert_der(b"known"),
            from_cert_der(b"unknown"),
        );
        let wanted = Wanted {
            devices: vec![WantedDevice {
                id: known.clone(),
                name: String::new(),
                addresses: vec![],
            }],
            ..Default::default()
        };
        let body = folder_body(
            &wanted_folder(false, vec![known.clone(), unknown]),
            &wanted,
            &own,
            false,
        );
        assert_eq!(
            members(body["devices"].as_array().expect("devices")),
            BTreeSet::from([own.as_str(), known.as_str()])
        );
        assert_eq!(body["type"], "receiveonly");
    }

    #[test]
    fn without_discovery_only_the_given_addresses_are_dialled() {
        let device = WantedDevice {
            id: from_cert_der(b"x"),
            name: "lap".into(),
            addresses: vec!["tcp://127.0.0.1:1".into()],
        };
        assert_eq!(
            device_body(&device, false, false)["addresses"],
            json!(["tcp://127.0.0.1:1"])
        );
        assert_eq!(
            device_body(&device, false, true)["addresses"],
            json!(["tcp://127.0.0.1:1", "dynamic"])
        );
    }

    #[test]
    fn our_own_ignores_come_first() {
        assert_eq!(
            ignore_lines(&["!/cursor".into()]),
            [
                "*.sr-tmp",
                "!/cursor",
                "(?d).DS_Store",
                "(?d)desktop.ini",
                "(?d)Thumbs.db"
            ]
        );
    }
}
