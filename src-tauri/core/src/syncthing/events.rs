//! Syncthing's event stream: one long poll. Each relevant event is parsed into one of a few kinds.
//! Arrivals go to the engine directly, everything else to the worker.
//!
//! One subscription that names `LocalChangeDetected` makes the second stream `/rest/events/disk`
//! needless, and with it a second poll. Event ids count per subscription: a gap means that
//! Syncthing's buffer of 1000 overflowed.

use super::link::{Link, Up};
use super::orders::{Event, Order};
use super::rest::with_query;
use super::{Notice, announced_name, parse_folder_id};
use crate::session::DeviceId;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

const MASK: &str = "ItemFinished,StateChanged,DeviceConnected,DeviceDisconnected,PendingDevicesChanged,DeviceRejected,FolderCompletion,FolderErrors,LocalChangeDetected,ListenAddressesChanged,DeviceDiscovered,ConfigSaved";
const OPEN: Duration = Duration::from_secs(60);

/// Parses one event; `None` if it is irrelevant here.
pub fn parse(event: &Value) -> Option<Event> {
    let data = &event["data"];
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let ours = |name: &str| {
        data[name]
            .as_str()
            .filter(|id| parse_folder_id(id).is_some())
            .map(str::to_owned)
    };
    Some(match event["type"].as_str()? {
        "ItemFinished" if data["error"].is_null() && data["type"] != "dir" => Event::Finished {
            folder: ours("folder")?,
            path: text("item").replace('\\', "/"),
        },
        "StateChanged" => Event::State {
            folder: ours("folder")?,
            to: text("to"),
            error: text("error"),
        },
        "DeviceConnected" => Event::Connected {
            device: DeviceId::new(data["id"].as_str()?),
            announced: announced_name(data["deviceName"].as_str().unwrap_or_default()),
        },
        "DeviceDisconnected" => Event::Disconnected(DeviceId::new(data["id"].as_str()?)),
        "PendingDevicesChanged" | "DeviceRejected" => Event::Asking,
        "FolderCompletion" => Event::Completion {
            folder: ours("folder")?,
            device: DeviceId::new(data["device"].as_str()?),
            global_bytes: data["globalBytes"].as_u64().unwrap_or_default(),
            need_bytes: data["needBytes"].as_u64().unwrap_or_default(),
        },
        "FolderErrors" => Event::FolderErrors {
            folder: ours("folder")?,
            errors: error_texts(&data["errors"]),
        },
        // 1.x has sent `folder` since 1.0 and kept the old `folderID` beside it.
        "LocalChangeDetected" => Event::LocalChange {
            folder: ours("folder").or_else(|| ours("folderID"))?,
        },
        "ListenAddressesChanged" => Event::Listen,
        "DeviceDiscovered" => Event::Heard,
        "ConfigSaved" => Event::Config,
        _ => return None,
    })
}

fn error_texts(errors: &Value) -> Vec<String> {
    let errors = errors.as_array().map(Vec::as_slice).unwrap_or_default();
    errors
        .iter()
        .map(|error| {
            format!(
                "{}: {}",
                error["path"].as_str().unwrap_or_default(),
                error["error"].as_str().unwrap_or_default()
            )
        })
        .collect()
}

/// Runs as long as the transport.
pub fn run(link: &Arc<Link>, orders: &Sender<Order>, lost: &dyn Fn()) {
    while let Some(up) = link.wait_up() {
        follow(&up, link, orders, lost);
    }
}

/// Follows one run of Syncthing to its end.
fn follow(up: &Up, link: &Link, orders: &Sender<Order>, lost: &dyn Fn()) {
    let mut last: Option<u64> = None;
    while link.is_current(up) {
        // The first request opens the subscription and must not wait: earlier changes are found by
        // a full scan.
        let open = if last.is_some() { OPEN } else { Duration::ZERO };
        let (since, timeout) = (last.unwrap_or(0).to_string(), open.as_secs().to_string());
        let path = with_query(
            "/rest/events",
            [
                ("since", since.as_str()),
                ("timeout", &timeout),
                ("events", MASK),
            ],
        );
        let Ok(Value::Array(events)) = up.rest.get_long(&path, open) else {
            if link.is_current(up) {
                lost();
                link.sleep(Duration::from_millis(500));
            }
            continue;
        };
        let first = events.first().and_then(|event| event["id"].as_u64());
        let gap = match (last, first) {
            (None, _) => true,
            (Some(last), Some(first)) => first != last + 1,
            (Some(_), None) => false,
        };
        last = Some(
            events
                .last()
                .and_then(|event| event["id"].as_u64())
                .unwrap_or(last.unwrap_or(0)),
        );
        hand_on(&events, up, link, orders);
        if gap {
            look_at_all(up, link);
            let _ = orders.send(Order::Resync);
        }
    }
}

fn hand_on(events: &[Value], up: &Up, link: &Link, orders: &Sender<Order>) {
    let own = up.own.short();
    let mut arrived: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events.iter().filter_map(parse) {
        match event {
            Event::Finished { folder, path } => arrived.entry(folder).or_default().push(path),
            other => {
                let _ = orders.send(Order::Event(other));
            }
        }
    }
    for (folder, mut paths) in arrived {
        paths.sort();
        paths.dedup();
        if let Some((lane, owner)) = parse_folder_id(&folder).filter(|(_, owner)| *owner != own) {
            link.tell(Notice::Arrived {
                owner: owner.to_owned(),
                lane,
                paths,
            });
        }
    }
}

/// Makes the engine scan every foreign folder.
fn look_at_all(up: &Up, link: &Link) {
    let Ok(Value::Array(folders)) = up.rest.get("/rest/config/folders") else {
        return;
    };
    let own = up.own.short();
    for (lane, owner) in folders
        .iter()
        .filter_map(|folder| parse_folder_id(folder["id"].as_str()?))
    {
        if owner != own {
            link.tell(Notice::Arrived {
                owner: owner.to_owned(),
                lane,
                paths: Vec::new(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_read_into_their_kinds() {
        let event = |kind: &str, data: Value| parse(&json!({"id": 1, "type": kind, "data": data}));
        assert_eq!(
            event(
                "ItemFinished",
                json!({"folder": "roam-live-A", "item": "a\\b", "error": null, "action": "update"})
            ),
            Some(Event::Finished {
                folder: "roam-live-A".into(),
                path: "a/b".into()
            })
        );
        assert_eq!(
            event(
                "ItemFinished",
                json!({"folder": "roam-live-A", "item": "a", "error": "no space"})
            ),
            None
        );
        assert_eq!(
            event(
                "ItemFinished",
                json!({"folder": "photos", "item": "a", "error": null})
            ),
            None,
            "not our folder"
        );
        assert_eq!(
            event(
                "LocalChangeDetected",
                json!({"folderID": "roam-bulk-B", "path": "x"})
            ),
            Some(Event::LocalChange {
                folder: "roam-bulk-B".into()
            })
        );
        assert_eq!(
            event(
                "FolderErrors",
                json!({"folder": "roam-live-A", "errors": [{"path": "a", "error": "no space"}]})
            ),
            Some(Event::FolderErrors {
                folder: "roam-live-A".into(),
                errors: vec!["a: no space".into()]
            })
        );
        assert_eq!(event("Whatever", json!({})), None);
        assert_eq!(parse(&json!("nonsense")), None);
    }
}
