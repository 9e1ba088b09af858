//! The other devices: their connections and progress, and reconnecting to deliver announcements.

use super::{LOOK_PAUSE, Worker, number};
use crate::session::{DeviceId, Lane, harmless_line};
use crate::syncthing::link::Up;
use crate::syncthing::rest::{RestError, with_query};
use crate::syncthing::{Notice, Peer, Reach, folder_id};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest pause between two connections while a pairing waits for a name, which is read once
/// per connection.
const GREET_PAUSE: Duration = Duration::from_secs(5);
const NEWCOMER_PATIENCE: Duration = Duration::from_secs(120);

/// Characters of a version that are kept: another device chooses them.
const MAX_VERSION: usize = 32;

/// A device that was just added and has not connected yet.
pub(super) struct Newcomer {
    pub(super) added: Instant,
    pub(super) next: Instant,
    pub(super) pause: Duration,
}

/// A device to reconnect to until it has received this device's announcement.
pub(super) struct Greeting {
    /// Changes with the announcement.
    number: u64,
    pub(super) next: Instant,
    pause: Duration,
}

impl Worker {
    /// Fetches how much of our own folders each connected device has. Later changes arrive as
    /// events.
    pub(super) fn ask_completion(&mut self, up: &Up) {
        let Some(wanted) = self.wanted.clone() else {
            return;
        };
        for device in &wanted.devices {
            for folder in wanted
                .folders
                .iter()
                .filter(|folder| folder.own && folder.shared_with.contains(&device.id))
            {
                let path = with_query(
                    "/rest/db/completion",
                    [
                        ("device", device.id.as_str()),
                        ("folder", folder.id.as_str()),
                    ],
                );
                if let Ok(said) = up.rest.get(&path) {
                    let number = |name: &str| said[name].as_u64().unwrap_or_default();
                    self.completion.insert(
                        (device.id.clone(), folder.id.clone()),
                        (number("globalBytes"), number("needBytes")),
                    );
                }
            }
        }
    }

    pub(super) fn ask_peers(&mut self, up: &Up) {
        let Some(wanted) = self.wanted.clone() else {
            return;
        };
        let (Ok(connections), Ok(stats)) = (
            up.rest.get("/rest/system/connections"),
            up.rest.get("/rest/stats/device"),
        ) else {
            return;
        };
        let own = up.own.short();
        let peers: Vec<Peer> = wanted
            .devices
            .iter()
            .filter(|device| device.id != up.own)
            .map(|device| {
                let connection = &connections["connections"][device.id.as_str()];
                let seen = stats[device.id.as_str()]["lastSeen"]
                    .as_str()
                    .filter(|seen| !is_never(seen));
                let ours = Lane::WITH_JOURNALS.map(|lane| {
                    self.completion
                        .get(&(device.id.clone(), folder_id(lane, &own)))
                        .copied()
                        .unwrap_or_default()
                });
                let (global, need_bytes) = ours
                    .iter()
                    .fold((0, 0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1));
                let connected = is_connected(connection, self.online.contains(&device.id));
                Peer {
                    id: device.id.clone(),
                    connected,
                    reach: reach(connection).filter(|_| connected),
                    version: connection["clientVersion"]
                        .as_str()
                        .map(harmless_line)
                        .filter(|version| connected && !version.is_empty())
                        .map(|version| version.chars().take(MAX_VERSION).collect()),
                    last_seen: seen.map(str::to_owned),
                    address: connection["address"]
                        .as_str()
                        .filter(|address| !address.is_empty())
                        .map(str::to_owned),
                    percent_synced: if global == 0 {
                        100.0
                    } else {
                        100.0 * (1.0 - need_bytes.min(global) as f64 / global as f64)
                    },
                    need_bytes,
                }
            })
            .collect();
        let unclear = |peer: &Peer| {
            !peer.connected && connections["connections"][peer.id.as_str()]["connected"] == true
        };
        if peers.iter().any(unclear) {
            self.peers_due = Some(Instant::now() + LOOK_PAUSE);
        }
        self.newcomers
            .retain(|id, _| !peers.iter().any(|peer| peer.id == *id && peer.connected));
        if peers != self.peers {
            self.peers.clone_from(&peers);
            self.link.tell(Notice::Peers(peers));
        }
    }

    /// If a first dial was refused (the other side had not accepted yet), 1.19 repeats it only
    /// after 20 to 60 s; pausing and resuming the device dials at once. The intervals grow for two
    /// minutes, then Syncthing's own schedule takes over.
    pub(super) fn redial_newcomers(&mut self, up: &Up) {
        let now = Instant::now();
        self.newcomers
            .retain(|_, newcomer| now < newcomer.added + NEWCOMER_PATIENCE);
        let due: Vec<DeviceId> = self
            .newcomers
            .iter()
            .filter(|(_, newcomer)| newcomer.next <= now)
            .map(|(id, _)| id.clone())
            .collect();
        if due.is_empty() {
            return;
        }
        self.ask_peers(up);
        for id in due {
            if let Some(newcomer) = self.newcomers.get_mut(&id) {
                newcomer.pause *= 2;
                newcomer.next = now + newcomer.pause;
                let _ = redial(up, &id);
            }
        }
    }

    pub(super) fn greet_again(&mut self, devices: BTreeMap<DeviceId, u64>) {
        self.greetings.retain(|id, _| devices.contains_key(id));
        let (now, own) = (Instant::now(), self.link.up().map(|up| up.own.clone()));
        for (id, number) in devices {
            let same = self
                .greetings
                .get(&id)
                .is_some_and(|greeting| greeting.number == number);
            if !same {
                let pause = own
                    .as_ref()
                    .map_or(Duration::from_secs(1), |own| first_pause(own, &id));
                self.greetings.insert(
                    id,
                    Greeting {
                        number,
                        next: now + pause,
                        pause,
                    },
                );
            }
        }
    }

    /// A device's name is read once per connection, so a new announcement needs a new connection.
    pub(super) fn redial_for_greetings(&mut self, up: &Up) {
        let now = Instant::now();
        if self.wanted.as_ref().is_none_or(|wanted| wanted.paused) || self.arrange_due.is_some() {
            return;
        }
        for (id, greeting) in self
            .greetings
            .iter_mut()
            .filter(|(_, greeting)| greeting.next <= now)
        {
            greeting.pause = (greeting.pause * 2).min(GREET_PAUSE);
            greeting.next = now + greeting.pause;
            // May fail before the device is arranged; a later attempt reaches it.
            let _ = redial(up, id);
        }
    }

    /// After sleep or a change of networks, dead connections are not detected at once.
    pub(super) fn redial_all(&mut self) {
        let Some(up) = self.link.up() else { return };
        if self.wanted.as_ref().is_some_and(|wanted| wanted.paused) {
            return;
        }
        let wanted = self.wanted.iter().flat_map(|wanted| &wanted.devices);
        for device in wanted.filter(|device| device.id != up.own) {
            let _ = redial(&up, &device.id);
        }
        self.peers_due = Some(Instant::now() + LOOK_PAUSE);
    }

    pub(super) fn part(&self, device: DeviceId, grace: Duration) {
        let link = Arc::clone(&self.link);
        std::thread::spawn(move || {
            let end = Instant::now() + grace;
            // What Syncthing has not scanned yet the other device does not lack in its eyes.
            let mut is_scanned = false;
            let mut is_done = |up: &Up| {
                let left = end.saturating_duration_since(Instant::now());
                let scan = || up.rest.scan_within(&own_live(up), &[], left);
                is_scanned = is_scanned || (!link.is_withdrawing() && scan().is_ok());
                is_scanned && has_all(up, &device)
            };
            while Instant::now() < end
                && !link.has_ended()
                && !link.up().is_some_and(|up| is_done(&up))
            {
                link.sleep(Duration::from_millis(100));
            }
            link.tell(Notice::Delivered { device });
        });
    }
}

/// If both sides paused and resumed each other at the same moment, they would keep missing each
/// other.
pub(super) fn first_pause(own: &DeviceId, other: &DeviceId) -> Duration {
    Duration::from_millis(if own < other { 400 } else { 800 })
}

fn redial(up: &Up, device: &DeviceId) -> Result<(), RestError> {
    let path = format!("/rest/config/devices/{device}");
    up.rest.patch(&path, &json!({ "paused": true }))?;
    up.rest.patch(&path, &json!({ "paused": false }))
}

fn own_live(up: &Up) -> String {
    folder_id(Lane::Priority, &up.own.short())
}

fn has_all(up: &Up, device: &DeviceId) -> bool {
    let folder = own_live(up);
    let path = with_query(
        "/rest/db/completion",
        [("device", device.as_str()), ("folder", folder.as_str())],
    );
    let connected =
        |connections: Value| is_connected(&connections["connections"][device.as_str()], false);
    up.rest.get("/rest/system/connections").is_ok_and(connected)
        && up.rest.get(&path).is_ok_and(|said| {
            0 == number(&said, "needItems") + number(&said, "needDeletes")
                && said["completion"].as_f64() == Some(100.0)
        })
}

/// A peer that has not accepted us counts as connected for a moment, since the year 1 (1.29 and
/// 2.x). A peer that has accepted does so too, right after its connect event.
fn is_connected(connection: &Value, came: bool) -> bool {
    let since_year_one = connection["startedAt"]
        .as_str()
        .is_some_and(|started| started.starts_with("0001"));
    connection["connected"].as_bool() == Some(true) && (came || !since_year_one)
}

/// Syncthing reports the kind of the connection, and since 1.24 whether it is on the same network.
fn reach(connection: &Value) -> Option<Reach> {
    if connection["type"].as_str()?.starts_with("relay") {
        return Some(Reach::Relay);
    }
    connection["isLocal"].as_bool().map(|local| match local {
        true => Reach::SameNetwork,
        false => Reach::Internet,
    })
}

fn is_never(seen: &str) -> bool {
    seen.starts_with("0001") || seen.starts_with("1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_since_the_year_one_is_none() {
        assert!(!is_connected(
            &json!({"connected": true, "startedAt": "0001-01-01T00:00:00Z"}),
            false
        ));
        assert!(is_connected(
            &json!({"connected": true, "startedAt": "2026-11-23T10:00:00Z"}),
            false
        ));
        assert!(
            is_connected(&json!({"connected": true}), false),
            "1.19 does not say since when"
        );
        assert!(!is_connected(&Value::Null, true));
    }
}
