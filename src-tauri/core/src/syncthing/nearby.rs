//! Devices on the same network, found by Syncthing's local discovery. Announcements prove nothing:
//! the list is for selection only, and pairing compares digits as always.

use super::device_id;
use super::pairing::{MAX_ADDRESSES, is_address};
use crate::session::DeviceId;
use serde_json::Value;

/// An office may contain more, but a longer list helps nobody.
const MOST: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearby {
    pub id: DeviceId,
    pub addresses: Vec<String>,
}

/// Reads the answer of `/rest/system/discovery`: `{"<device id>": {"addresses":
/// ["tcp://192.168.1.4:22000"]}}`, the same with 1.19.2 and 1.29.5 (2026-11-23). The answer also
/// lists addresses looked up for known devices.
pub fn parse(said: &Value, known: impl Fn(&DeviceId) -> bool) -> Vec<Nearby> {
    let mut found: Vec<Nearby> = said
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(id, entry)| {
            let id = device_id::parse(id).ok().filter(|id| !known(id))?;
            let addresses = entry["addresses"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            let mut addresses: Vec<String> = addresses
                .filter(|address| is_dialled(address))
                .map(str::to_owned)
                .collect();
            addresses.sort();
            addresses.dedup();
            addresses.truncate(MAX_ADDRESSES);
            Some(Nearby { id, addresses })
        })
        .collect();
    found.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
    found.truncate(MOST);
    found
}

/// Announcements contain placeholders with port 0 (1.19.2, 2026-11-23).
fn is_dialled(address: &str) -> bool {
    is_address(address) && !address.ends_with(":0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_devices_and_what_is_no_device_are_left_out() {
        let [one, other] = [b"one", b"two"].map(|seed| device_id::from_cert_der(seed));
        let said = json!({
            one.as_str(): { "addresses": ["tcp://192.168.1.4:22000", "tcp://192.168.1.4:0", "relay://x", "tcp://192.168.1.4:22000", 7] },
            other.as_str(): { "addresses": null },
            "../../x": { "addresses": [] },
        });
        let found = parse(&said, |id| *id == other);
        assert_eq!(
            found,
            [Nearby {
                id: one,
                addresses: vec!["tcp://192.168.1.4:22000".into()]
            }]
        );
        assert_eq!(parse(&said, |_| false).len(), 2);
        assert_eq!(parse(&json!([]), |_| false), []);
    }
}
