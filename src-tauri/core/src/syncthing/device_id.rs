//! Syncthing device IDs: the fingerprint of a certificate, in the forms that people type or paste.
//! Knows the format only, not whether such a device exists.
//!
//! SHA-256 of the DER certificate in base32 (52 characters), cut into four groups of 13, each with
//! a Luhn mod 32 check character, shown as eight groups of seven. Recomputed from cert.pem and
//! equal to `myID` of 1.19.2, 1.29.5 and 2.1.3, 2026-11-23.

use crate::session::DeviceId;
use crate::session::device_id::{ALPHABET, canonical, check_character, device_id_of_cert};
use data_encoding::BASE64;

const GROUP: usize = 13;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceIdError {
    #[error("a device ID has 56 letters and digits, this has {0}")]
    Length(usize),
    #[error("{0:?} does not occur in device IDs")]
    Character(char),
    #[error("the device ID has a typing error in or near {near}")]
    CheckDigit { near: String },
    #[error("this is not a certificate")]
    Certificate,
}

/// The device ID of a certificate in the form of Syncthing's cert.pem.
pub fn from_cert_pem(pem: &str) -> Result<DeviceId, DeviceIdError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let (_, rest) = pem.split_once(BEGIN).ok_or(DeviceIdError::Certificate)?;
    let (body, _) = rest
        .split_once("-----END CERTIFICATE-----")
        .ok_or(DeviceIdError::Certificate)?;
    let packed: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let der = BASE64
        .decode(packed.as_bytes())
        .map_err(|_| DeviceIdError::Certificate)?;
    if der.is_empty() {
        return Err(DeviceIdError::Certificate);
    }
    Ok(from_cert_der(&der))
}

pub fn from_cert_der(der: &[u8]) -> DeviceId {
    device_id_of_cert(der)
}

/// Reads a device ID as people write it: any case, with or without dashes, spaces and check
/// characters, `0`, `1` and `8` for `O`, `I` and `B`.
pub fn parse(text: &str) -> Result<DeviceId, DeviceIdError> {
    let mut plain = String::with_capacity(56);
    for c in text.chars().filter(|c| *c != '-' && !c.is_whitespace()) {
        plain.push(known_character(c)?);
    }
    match plain.len() {
        52 => Ok(canonical(&plain)),
        56 => unchecked(&plain).map(|digest| canonical(&digest)),
        n_characters => Err(DeviceIdError::Length(n_characters)),
    }
}

fn known_character(c: char) -> Result<char, DeviceIdError> {
    let upper = match c.to_ascii_uppercase() {
        '0' => 'O',
        '1' => 'I',
        '8' => 'B',
        other => other,
    };
    match u8::try_from(upper) {
        Ok(byte) if ALPHABET.contains(&byte) => Ok(upper),
        _ => Err(DeviceIdError::Character(c)),
    }
}

/// Returns the 52 characters without the four check characters, which must be right.
fn unchecked(plain: &str) -> Result<String, DeviceIdError> {
    let mut digest = String::with_capacity(52);
    for start in (0..56).step_by(GROUP + 1) {
        let group = &plain[start..start + GROUP];
        if char::from(plain.as_bytes()[start + GROUP]) != check_character(group.as_bytes()) {
            return Err(DeviceIdError::CheckDigit {
                near: format!(
                    "{}-{}",
                    &plain[start..start + 7],
                    &plain[start + 7..start + 14]
                ),
            });
        }
        digest.push_str(group);
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_known_id_is_read_however_it_is_written() {
        // From Syncthing's public documentation.
        let known = "P56IOI7-MZJNU2Y-IQGDREY-DM2MGTI-MGL3BXN-PQ6W5BM-TBBZ4TJ-XZWICQ2";
        for written in [
            known.to_string(),
            known.to_lowercase(),
            known.replace('-', ""),
            known.replace('-', " "),
            known.replace('O', "0").replace('I', "1").replace('B', "8"),
        ] {
            assert_eq!(parse(&written).expect(&written).as_str(), known);
        }
        let without_checks: String = known
            .replace('-', "")
            .chars()
            .enumerate()
            .filter(|(at, _)| at % 14 != 13)
            .map(|(_, c)| c)
            .collect();
        assert_eq!(parse(&without_checks).expect("52").as_str(), known);
    }

    #[test]
    fn a_typing_error_is_named() {
        let error = parse("P56IOI7-MZJNU2Z-IQGDREY-DM2MGTI-MGL3BXN-PQ6W5BM-TBBZ4TJ-XZWICQ2")
            .expect_err("wrong check");
        assert_eq!(
            error,
            DeviceIdError::CheckDigit {
                near: "P56IOI7-MZJNU2Z".into()
            }
        );
        assert_eq!(parse("desk"), Err(DeviceIdError::Length(4)));
        assert_eq!(parse("päärchen"), Err(DeviceIdError::Character('ä')));
    }

    #[test]
    fn what_is_no_certificate_has_no_id() {
        for pem in [
            "",
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----",
        ] {
            assert_eq!(from_cert_pem(pem), Err(DeviceIdError::Certificate));
        }
    }

    proptest! {
        #[test]
        fn every_certificate_has_an_id_that_reads_back(der in proptest::collection::vec(any::<u8>(), 1..200)) {
            let id = from_cert_der(&der);
            let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64.encode(&der));
            prop_assert_eq!(from_cert_pem(&pem), Ok(id.clone()));
            prop_assert_eq!(parse(id.as_str()), Ok(id));
        }

        #[test]
        fn one_wrong_character_never_passes(der in any::<[u8; 8]>(), at in 0usize..56, other in 0usize..32) {
            let id = from_cert_der(&der).as_str().replace('-', "");
            let mut wrong = id.clone().into_bytes();
            prop_assume!(wrong[at] != ALPHABET[other]);
            wrong[at] = ALPHABET[other];
            let wrong = String::from_utf8(wrong).expect("ascii");
            let refused = matches!(parse(&wrong), Err(DeviceIdError::CheckDigit { .. }));
            prop_assert!(refused);
        }

        #[test]
        fn nothing_makes_it_panic(text in any::<String>()) {
            let _ = parse(&text);
            let _ = from_cert_pem(&text);
        }
    }
}
