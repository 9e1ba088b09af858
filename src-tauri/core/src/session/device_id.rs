//! Computes the device ID of a Syncthing certificate: pure arithmetic over its DER bytes. Knows
//! nothing of files, keys or Syncthing's configuration.

use super::DeviceId;
use sha2::{Digest, Sha256};

/// The digits of a device ID, by value.
pub const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The ID of the device whose Syncthing certificate has these DER bytes, in canonical form.
///
/// SHA-256, base32, four groups of thirteen with a check character each, shown as eight groups of
/// seven. Syncthing 1.19.2 prints the same for its own `cert.pem` (seen 2026-11-23; a test compares
/// them).
pub fn device_id_of_cert(der: &[u8]) -> DeviceId {
    canonical(&data_encoding::BASE32_NOPAD.encode(&Sha256::digest(der)))
}

/// The canonical form of 52 digits of `A–Z2–7`: with check characters, as eight groups of seven.
pub fn canonical(digits: &str) -> DeviceId {
    let mut checked = String::with_capacity(56);
    for group in digits.as_bytes().chunks(13) {
        checked.extend(group.iter().map(|byte| char::from(*byte)));
        checked.push(check_character(group));
    }
    let groups: Vec<&str> = (0..checked.len())
        .step_by(7)
        .map(|at| &checked[at..at + 7])
        .collect();
    DeviceId::new(groups.join("-"))
}

/// Syncthing's variant of Luhn's check over `A–Z2–7`: the factor alternates 1, 2 from the left.
pub fn check_character(group: &[u8]) -> char {
    let mut sum = 0;
    for (at, byte) in group.iter().enumerate() {
        let value = ALPHABET.iter().position(|known| known == byte).unwrap_or(0);
        let addend = value * (1 + at % 2);
        sum += addend / 32 + addend % 32;
    }
    char::from(ALPHABET[(32 - sum % 32) % 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_gives_the_id_syncthing_prints() {
        let der = include_bytes!("../vault/testdata/syncthing-1.19-cert.der");
        let printed = include_str!("../vault/testdata/syncthing-1.19-id.txt").trim();
        assert_eq!(device_id_of_cert(der).as_str(), printed);
    }

    #[test]
    fn another_certificate_is_another_device() {
        assert_ne!(device_id_of_cert(b"one"), device_id_of_cert(b"two"));
    }
}
