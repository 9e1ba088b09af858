//! Devices that ask to pair, as recorded by Syncthing, made safe to display and limited in number.
//! Anybody in reach can ask as often as they like, under any name and any id.

use super::{Asking, announced_name, device_id};
use crate::session::{DeviceId, decent_name};
use serde_json::Value;
use std::net::SocketAddr;

/// The newest requests, up to this number, are kept.
pub const MOST: usize = 32;

/// Reads the answer of `/rest/cluster/pending/devices`: `{"<device id>": {"time", "name",
/// "address"}}`. Returns the kept requests by id, and the ids of the others, which Syncthing must
/// forget.
pub fn parse(pending: &Value, known: impl Fn(&DeviceId) -> bool) -> (Vec<Asking>, Vec<String>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<(String, &String, &Value)> = pending
        .as_object()
        .into_iter()
        .flatten()
        .map(|(id, data)| (text(&data["time"]), id, data))
        .collect();
    all.sort_by(|(one, ..), (other, ..)| other.cmp(one));
    let (mut asking, mut others) = (Vec::new(), Vec::new());
    for (_, id, data) in all {
        match device_id::parse(id) {
            Ok(id) if known(&id) => {}
            Ok(device) if asking.len() < MOST => {
                let name = data["name"].as_str().unwrap_or_default();
                let address = data["address"].as_str().unwrap_or_default();
                asking.push(Asking {
                    id: device,
                    name: decent_name(name),
                    announced: announced_name(name),
                    address: address
                        .parse::<SocketAddr>()
                        .map(|address| address.to_string())
                        .unwrap_or_default(),
                });
            }
            _ => others.push(id.clone()),
        }
    }
    asking.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
    (asking, others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn knock(seed: usize, name: &str, address: &str) -> (String, Value) {
        let id = device_id::from_cert_der(&seed.to_le_bytes()).to_string();
        (
            id,
            json!({ "time": format!("2026-11-28T10:{:02}:{:02}Z", seed / 60, seed % 60), "name": name, "address": address }),
        )
    }

    /// F10: a stranger who asks 400 times takes 32 places, the newest, and Syncthing must forget
    /// the rest.
    #[test]
    fn four_hundred_knocks_are_thirty_two_entries() {
        let pending: Value = (0..400)
            .map(|seed| knock(seed, "x", "192.0.2.1:1"))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let (asking, others) = parse(&pending, |_| false);
        assert_eq!((asking.len(), others.len()), (MOST, 400 - MOST));
        let newest = knock(399, "", "").0;
        assert!(
            asking.iter().any(|asking| asking.id.as_str() == newest) && !others.contains(&newest)
        );
    }

    /// F10: a stranger's name reverses no text and fills no screen; pairing still gets the whole
    /// name.
    #[test]
    fn a_strangers_name_and_address_are_fit_to_be_shown() {
        let name = format!(
            "\u{202e}lap\u{200e}\u{61c}\u{200b}\u{2066}top\n\u{1b}[2J{}",
            "x".repeat(2000)
        );
        let pending = Value::Object(
            [knock(1, &name, "192.0.2.1:1"), knock(2, "", "\u{202e}evil")]
                .into_iter()
                .collect(),
        );
        let (asking, _) = parse(&pending, |_| false);
        let named = asking
            .iter()
            .find(|asking| !asking.announced.is_empty())
            .expect("the first");
        let turns = [
            '\u{202e}', '\u{200e}', '\u{61c}', '\u{2066}', '\u{1b}', '\n',
        ];
        assert!(
            !named.name.contains(turns) && named.name.chars().count() <= 64,
            "{:?}",
            named.name
        );
        assert_eq!(named.announced, name[..512]);
        let mut addresses: Vec<&str> = asking
            .iter()
            .map(|asking| asking.address.as_str())
            .collect();
        addresses.sort_unstable();
        assert_eq!(addresses, ["", "192.0.2.1:1"]);
    }

    #[test]
    fn known_devices_do_not_knock_and_nonsense_is_forgotten() {
        let (id, data) = knock(1, "desk", "");
        let pending = Value::Object(
            [(id.clone(), data), ("../../x".into(), json!({}))]
                .into_iter()
                .collect(),
        );
        assert_eq!(
            parse(&pending, |known| known.as_str() == id),
            (vec![], vec!["../../x".to_owned()])
        );
        assert_eq!(parse(&json!([]), |_| false), (vec![], vec![]));
    }
}
