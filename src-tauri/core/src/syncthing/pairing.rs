//! The code two devices exchange to find each other, and the six digits both show.
//! Knows no network: what is in a code is a claim until Syncthing's own handshake has proved it.

use super::device_id::{self, DeviceIdError};
use crate::session::DeviceId;
use std::fmt::Write as _;

const CODE: &str = "session-roam:1?";
const LINK: &str = "session-roam://pair?";
/// A code comes from a stranger's screen: more addresses or longer names than this are cut off.
pub const MAX_ADDRESSES: usize = 16;
const MAX_NAME: usize = 64;

/// What a code says about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub id: DeviceId,
    /// Empty where only a device ID was given.
    pub name: String,
    /// `tcp://host:port` or `quic://host:port`.
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("the code carries no device ID")]
    NoId,
    #[error("this code is of version {0}, which this session-roam does not know")]
    Version(String),
    #[error("{0:?} is not an address like tcp://192.168.1.4:22000")]
    Address(String),
    #[error(transparent)]
    Id(#[from] DeviceIdError),
}

/// `session-roam:1?id=…&name=…&addr=…&addr=…`
pub fn render(code: &Code) -> String {
    let mut text = format!("{CODE}id={}", code.id);
    if !code.name.is_empty() {
        text.push_str("&name=");
        encode_into(&mut text, &code.name);
    }
    for address in &code.addresses {
        text.push_str("&addr=");
        encode_into(&mut text, address);
    }
    text
}

/// Reads a code, a `session-roam://pair?…` link, or a plain Syncthing device ID.
pub fn parse(text: &str) -> Result<Code, CodeError> {
    let text = text.trim();
    if let Some(query) = text.strip_prefix(CODE).or_else(|| text.strip_prefix(LINK)) {
        return parse_query(query);
    }
    match text.strip_prefix("session-roam:") {
        Some(other) => Err(CodeError::Version(other.split('?').next().unwrap_or_default().into())),
        None => Ok(Code { id: device_id::parse(text)?, name: String::new(), addresses: Vec::new() }),
    }
}

/// Six digits that are equal on both screens exactly when both mean the same two devices.
pub fn digits(a: &DeviceId, b: &DeviceId) -> String {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let hash = blake3::derive_key("session-roam v1 pairing digits", format!("{first}\n{second}").as_bytes());
    let mut head = [0; 8];
    head.copy_from_slice(&hash[..8]);
    format!("{:06}", u64::from_be_bytes(head) % 1_000_000)
}

fn parse_query(query: &str) -> Result<Code, CodeError> {
    let (mut id, mut name, mut addresses) = (None, String::new(), Vec::new());
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = decode(value);
        match key {
            "id" => id = Some(device_id::parse(&value)?),
            "name" => name = value.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect(),
            "addr" if addresses.len() < MAX_ADDRESSES => addresses.push(checked_address(value)?),
            // Later versions may say more; what they add must not make the code unreadable here.
            _ => {}
        }
    }
    Ok(Code { id: id.ok_or(CodeError::NoId)?, name, addresses })
}

fn checked_address(address: String) -> Result<String, CodeError> {
    if is_address(&address) { Ok(address) } else { Err(CodeError::Address(address)) }
}

/// Whether it is an address of a device: `tcp://host:port` or `quic://host:port`.
pub fn is_address(address: &str) -> bool {
    let host_port = address.strip_prefix("tcp://").or_else(|| address.strip_prefix("quic://"));
    host_port.is_some_and(|rest| {
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "22000"));
        !host.is_empty()
            && port.parse::<u16>().is_ok()
            && rest.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]%".contains(c))
    })
}

/// Percent-encodes all but RFC 3986's unreserved characters and `:` and `/`, which a query may hold as they are.
fn encode_into(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

/// Undoes percent-encoding; a `%` without two hex digits stays what it is, invalid UTF-8 becomes replacement characters.
fn decode(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.filter(|_| bytes[at] == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn device(seed: u64) -> DeviceId {
        device_id::from_cert_der(&seed.to_be_bytes())
    }

    #[test]
    fn a_code_is_written_as_documented() {
        let code = Code { id: device(1), name: "my desk".into(), addresses: vec!["tcp://192.168.1.4:22000".into()] };
        assert_eq!(
            render(&code),
            format!("session-roam:1?id={}&name=my%20desk&addr=tcp://192.168.1.4:22000", device(1))
        );
    }

    #[test]
    fn a_link_and_a_plain_device_id_work_too() {
        let plain = parse(&format!("  {}\n", device(1).as_str().to_lowercase())).expect("plain id");
        assert_eq!(plain, Code { id: device(1), name: String::new(), addresses: vec![] });
        let link = parse(&format!("session-roam://pair?id={}&name=desk&colour=blue", device(1))).expect("link");
        assert_eq!((link.id, link.name.as_str()), (device(1), "desk"));
    }

    #[test]
    fn a_code_that_cannot_be_used_says_why() {
        assert_eq!(parse("session-roam:1?name=desk"), Err(CodeError::NoId));
        assert_eq!(parse("session-roam:7?id=x"), Err(CodeError::Version("7".into())));
        let bad = format!("session-roam:1?id={}&addr=http://evil/", device(1));
        assert_eq!(parse(&bad), Err(CodeError::Address("http://evil/".into())));
        assert!(matches!(parse("session-roam:1?id=ABC"), Err(CodeError::Id(DeviceIdError::Length(3)))));
    }

    proptest! {
        #[test]
        fn a_code_reads_back(seed in any::<u64>(), name in "[^\\p{Cc}]{0,40}", ports in proptest::collection::vec(any::<u16>(), 0..5)) {
            let addresses = ports.iter().map(|port| format!("tcp://[fe80::1%25eth0]:{port}")).collect();
            let code = Code { id: device(seed), name, addresses };
            prop_assert_eq!(parse(&render(&code)), Ok(code));
        }

        #[test]
        fn digits_are_six_and_the_same_on_both_sides(a in any::<u64>(), b in any::<u64>()) {
            let digits_here = digits(&device(a), &device(b));
            prop_assert_eq!(&digits_here, &digits(&device(b), &device(a)));
            prop_assert!(digits_here.len() == 6 && digits_here.bytes().all(|byte| byte.is_ascii_digit()));
        }

        #[test]
        fn nothing_makes_it_panic(text in any::<String>()) {
            let _ = parse(&text);
            let _ = parse(&format!("session-roam:1?{text}"));
        }
    }
}
