//! The code that two devices exchange to find each other, with a one-time secret that proves who
//! has read it. Knows no network: the contents of a code are a claim until Syncthing's own
//! handshake has proved it.

use super::device_id::{self, DeviceIdError};
use super::proof::Bits;
use crate::session::DeviceId;
use std::fmt::Write as _;

const CODE: &str = "session-roam:1?";
const LINK: &str = "session-roam://pair?";
/// A code comes from a stranger's screen: more addresses or longer names than this are cut off.
pub const MAX_ADDRESSES: usize = 16;
const MAX_NAME: usize = 64;

/// The contents of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub id: DeviceId,
    /// Empty if only a device ID was given.
    pub name: String,
    /// `tcp://host:port` or `quic://host:port`.
    pub addresses: Vec<String>,
    /// The one-time secret. A link never has one: whoever opens it has not seen the other screen.
    pub key: Option<Bits>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("the code carries no device ID")]
    NoId,
    #[error("this code is of version {0}, which this session-roam does not know")]
    Version(String),
    #[error("the secret in the code is incomplete")]
    Key,
    #[error("{0:?} is not an address like tcp://192.168.1.4:22000")]
    Address(String),
    #[error(transparent)]
    Id(#[from] DeviceIdError),
}

/// `session-roam:1?id=…&name=…&addr=…&addr=…&key=…`
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
    if let Some(key) = &code.key {
        let _ = write!(text, "&key={key}");
    }
    text
}

/// Reads a code, a `session-roam://pair?…` link, or a plain Syncthing device ID. What a chat or a
/// shell put around it is left out.
pub fn parse(text: &str) -> Result<Code, CodeError> {
    let is_around = |sign: char| sign.is_whitespace() || "\"'`<>“”„‘’‚«»‹›".contains(sign);
    let text = text.trim_matches(is_around);
    if let Some(query) = text.strip_prefix(CODE) {
        return parse_query(query);
    }
    if let Some(query) = text.strip_prefix(LINK) {
        return Ok(Code {
            key: None,
            ..parse_query(query)?
        });
    }
    match text.strip_prefix("session-roam:") {
        Some(other) => Err(CodeError::Version(
            other.split('?').next().unwrap_or_default().into(),
        )),
        None => Ok(Code {
            id: device_id::parse(text)?,
            name: String::new(),
            addresses: Vec::new(),
            key: None,
        }),
    }
}

fn parse_query(query: &str) -> Result<Code, CodeError> {
    let (mut id, mut name, mut addresses, mut key) = (None, String::new(), Vec::new(), None);
    for (word, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = decode(value);
        match word {
            "id" => id = Some(device_id::parse(&value)?),
            "name" => {
                name = value
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(MAX_NAME)
                    .collect()
            }
            "key" => key = Some(Bits::parse(&value).ok_or(CodeError::Key)?),
            "addr" if addresses.len() < MAX_ADDRESSES => addresses.push(checked_address(value)?),
            // Later versions may add fields, which must not make the code unreadable here.
            _ => {}
        }
    }
    Ok(Code {
        id: id.ok_or(CodeError::NoId)?,
        name,
        addresses,
        key,
    })
}

fn checked_address(address: String) -> Result<String, CodeError> {
    if is_address(&address) {
        Ok(address)
    } else {
        Err(CodeError::Address(address))
    }
}

/// Whether this is a device address: `tcp://host:port` or `quic://host:port`.
pub fn is_address(address: &str) -> bool {
    let host_port = address
        .strip_prefix("tcp://")
        .or_else(|| address.strip_prefix("quic://"));
    host_port.is_some_and(|rest| {
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "22000"));
        !host.is_empty()
            && port.parse::<u16>().is_ok()
            && rest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-_:[]%".contains(c))
    })
}

/// Percent-encodes all but RFC 3986's unreserved characters and `:` and `/`, which are legal in a
/// query.
fn encode_into(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

/// Undoes percent-encoding; a `%` without two hex digits is kept, invalid UTF-8 becomes replacement
/// characters.
fn decode(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match hex
            .filter(|_| bytes[at] == b'%')
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        {
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
        let code = Code {
            id: device(1),
            name: "my desk".into(),
            addresses: vec!["tcp://192.168.1.4:22000".into()],
            key: None,
        };
        let text = format!(
            "session-roam:1?id={}&name=my%20desk&addr=tcp://192.168.1.4:22000",
            device(1)
        );
        assert_eq!(render(&code), text);
        let key = Bits::parse("MFRGGZDFMZTWQ2LKNNWG23TPOA");
        assert_eq!(
            render(&Code { key, ..code }),
            format!("{text}&key=MFRGGZDFMZTWQ2LKNNWG23TPOA")
        );
    }

    #[test]
    fn a_link_and_a_plain_device_id_work_too() {
        let plain = parse(&format!("  {}\n", device(1).as_str().to_lowercase())).expect("plain id");
        assert_eq!(
            plain,
            Code {
                id: device(1),
                name: String::new(),
                addresses: vec![],
                key: None
            }
        );
        let link = parse(&format!(
            "session-roam://pair?id={}&name=desk&colour=blue",
            device(1)
        ))
        .expect("link");
        assert_eq!((link.id, link.name.as_str()), (device(1), "desk"));
    }

    /// F6: a link may come from anywhere, so its contents prove nothing.
    #[test]
    fn signs_around_a_code_are_left_out() {
        let code = render(&Code {
            id: device(1),
            name: "Ann's desk".into(),
            addresses: vec!["tcp://192.168.1.4:22000".into()],
            key: Bits::parse("MFRGGZDFMZTWQ2LKNNWG23TPOA"),
        });
        let right = parse(&code).expect("a code");
        for (before, after) in [
            ("\"", "\""),
            ("'", "'"),
            ("`", "`"),
            ("<", ">"),
            ("“", "”"),
            ("```\n", "\n```"),
        ] {
            let quoted = format!("{before}{code}{after}");
            assert_eq!(parse(&quoted).as_ref(), Ok(&right), "{quoted}");
        }
        assert_eq!(
            parse(&format!("`{}`", device(1))).expect("an id").id,
            device(1)
        );
    }

    #[test]
    fn a_link_carries_no_secret() {
        let query = format!("id={}&key=MFRGGZDFMZTWQ2LKNNWG23TPOA", device(1));
        assert_eq!(
            parse(&format!("session-roam://pair?{query}"))
                .expect("a link")
                .key,
            None
        );
        assert!(
            parse(&format!("session-roam:1?{query}"))
                .expect("a code")
                .key
                .is_some()
        );
    }

    #[test]
    fn a_code_that_cannot_be_used_says_why() {
        assert_eq!(parse("session-roam:1?name=desk"), Err(CodeError::NoId));
        assert_eq!(
            parse("session-roam:7?id=x"),
            Err(CodeError::Version("7".into()))
        );
        let bad = format!("session-roam:1?id={}&addr=http://evil/", device(1));
        assert_eq!(parse(&bad), Err(CodeError::Address("http://evil/".into())));
        assert_eq!(
            parse(&format!("session-roam:1?id={}&key=MFRGG", device(1))),
            Err(CodeError::Key)
        );
        assert!(matches!(
            parse("session-roam:1?id=ABC"),
            Err(CodeError::Id(DeviceIdError::Length(3)))
        ));
    }

    proptest! {
        #[test]
        fn a_code_reads_back(seed in any::<u64>(), name in "[^\\p{Cc}]{0,40}", ports in proptest::collection::vec(any::<u16>(), 0..5), with_key in any::<bool>()) {
            let addresses = ports.iter().map(|port| format!("tcp://[fe80::1%25eth0]:{port}")).collect();
            let key = with_key.then(|| Bits::random().expect("random"));
            let code = Code { id: device(seed), name, addresses, key };
            prop_assert_eq!(parse(&render(&code)), Ok(code));
        }

        #[test]
        fn nothing_makes_it_panic(text in any::<String>()) {
            let _ = parse(&text);
            let _ = parse(&format!("session-roam:1?{text}"));
        }
    }
}
