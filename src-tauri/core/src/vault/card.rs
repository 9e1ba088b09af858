//! A device's card: its Syncthing key vouches, once, for the key that signs its frames.
//!
//! The device ID is the fingerprint of the certificate inside the card, so a card proves itself to
//! anyone who knows the ID; nothing is trusted on first use. Knows no files: the vault places
//! cards.

use super::keys::DeviceKey;
use crate::session::device_id::device_id_of_cert;
use crate::session::{DeviceId, Millis};
use data_encoding::BASE64;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use p384::ecdsa::signature::Verifier;
use serde::{Deserialize, Serialize};
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, DecodePem, Encode};

/// The fields of a card. All may come from another device: trust them only after [`Card::verify`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Version of the card's form: 1.
    pub v: u32,
    pub device: DeviceId,
    /// The Syncthing certificate, DER in base64.
    pub cert_der: String,
    /// The Ed25519 public key in base64.
    pub key: String,
    pub made: Millis,
    /// The Syncthing key's signature over the device, the key and the time, in base64: ECDSA P-384
    /// with SHA-384 (DER) or Ed25519.
    pub signature: String,
}

#[derive(Debug, thiserror::Error)]
pub enum CardError {
    #[error("the card has form {0}; this version knows form 1")]
    Version(u32),
    #[error("the card's {0} is not valid")]
    Field(&'static str),
    #[error("the Syncthing certificate is not valid: {0}")]
    Certificate(x509_cert::der::Error),
    #[error("the Syncthing key is neither ECDSA P-384 nor Ed25519")]
    KeyKind,
    #[error("the Syncthing private key is not valid or does not belong to the certificate")]
    PrivateKey,
    #[error("the card is of device {found}, expected was {expected}")]
    OtherDevice { expected: DeviceId, found: DeviceId },
    #[error("the card of device {0} is not signed by it")]
    Signature(DeviceId),
}

/// A Syncthing certificate takes about 550 bytes; no genuine one exceeds this limit.
const MAX_CERT: usize = 16 * 1024;
const ID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

impl Card {
    /// Makes this device's card. Fails if the private key does not belong to the certificate.
    ///
    /// Syncthing 1.x writes a SEC1 `EC PRIVATE KEY` (seen with 1.19.2, 2026-11-23), 2.x a PKCS 8
    /// `PRIVATE KEY` with Ed25519. The certificate tells which one to expect.
    pub fn make(
        cert_pem: &str,
        syncthing_key_pem: &str,
        key: &DeviceKey,
        now: Millis,
    ) -> Result<Self, CardError> {
        let certificate = Certificate::from_pem(cert_pem).map_err(CardError::Certificate)?;
        let der = certificate.to_der().map_err(CardError::Certificate)?;
        let mut card = Self {
            v: 1,
            device: device_id_of_cert(&der),
            cert_der: BASE64.encode(&der),
            key: BASE64.encode(&key.public()),
            made: now,
            signature: String::new(),
        };
        let public = SyncthingPublic::of(&certificate)?;
        card.signature =
            BASE64.encode(&public.sign(syncthing_key_pem, &card.signed_bytes(&key.public()))?);
        // Also shows that the certificate's bytes survived parsing and encoding.
        card.verify(&card.device)?;
        Ok(card)
    }

    /// The key that this card vouches for, if the card really belongs to `expected`.
    pub fn verify(&self, expected: &DeviceId) -> Result<[u8; 32], CardError> {
        if self.v != 1 {
            return Err(CardError::Version(self.v));
        }
        if MAX_CERT < self.cert_der.len() {
            return Err(CardError::Field("certificate"));
        }
        let der = decode(&self.cert_der, "certificate")?;
        let found = device_id_of_cert(&der);
        if found != *expected || self.device != *expected {
            return Err(CardError::OtherDevice {
                expected: expected.clone(),
                found,
            });
        }
        let key: [u8; 32] = decode(&self.key, "key")?
            .try_into()
            .map_err(|_| CardError::Field("key"))?;
        VerifyingKey::from_bytes(&key).map_err(|_| CardError::Field("key"))?;
        let signature = decode(&self.signature, "signature")?;
        let certificate = Certificate::from_der(&der).map_err(CardError::Certificate)?;
        match SyncthingPublic::of(&certificate)?.vouches(&self.signed_bytes(&key), &signature) {
            true => Ok(key),
            false => Err(CardError::Signature(expected.clone())),
        }
    }

    /// The signed bytes: a name of this use, which no other signature of the Syncthing key has,
    /// then each field after its length.
    fn signed_bytes(&self, key: &[u8; 32]) -> Vec<u8> {
        let made = self.made.0.to_le_bytes();
        let fields: [&[u8]; 4] = [
            b"session-roam v1 device card",
            self.device.as_str().as_bytes(),
            key,
            &made,
        ];
        let mut bytes = Vec::new();
        for field in fields {
            bytes.extend_from_slice(&(field.len() as u64).to_le_bytes());
            bytes.extend_from_slice(field);
        }
        bytes
    }
}

/// The public key inside a Syncthing certificate.
enum SyncthingPublic {
    P384(p384::ecdsa::VerifyingKey),
    Ed25519(VerifyingKey),
}

impl SyncthingPublic {
    fn of(certificate: &Certificate) -> Result<Self, CardError> {
        let info = certificate.tbs_certificate().subject_public_key_info();
        let bits = info
            .subject_public_key
            .as_bytes()
            .ok_or(CardError::KeyKind)?;
        if info.algorithm.oid == ID_ED25519 {
            let bytes = bits.try_into().map_err(|_| CardError::KeyKind)?;
            return VerifyingKey::from_bytes(bytes)
                .map(Self::Ed25519)
                .map_err(|_| CardError::KeyKind);
        }
        let curve = info
            .algorithm
            .parameters
            .as_ref()
            .and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        if info.algorithm.oid != ID_EC || curve != Some(SECP384R1) {
            return Err(CardError::KeyKind);
        }
        p384::ecdsa::VerifyingKey::from_sec1_bytes(bits)
            .map(Self::P384)
            .map_err(|_| CardError::KeyKind)
    }

    fn sign(&self, private_pem: &str, message: &[u8]) -> Result<Vec<u8>, CardError> {
        match self {
            Self::P384(public) => {
                let secret = p384::SecretKey::from_sec1_pem(private_pem).or_else(|_| {
                    p384::SecretKey::from_pkcs8_pem(private_pem).map_err(|_| CardError::PrivateKey)
                })?;
                let key = p384::ecdsa::SigningKey::from(secret);
                if key.verifying_key() != public {
                    return Err(CardError::PrivateKey);
                }
                let signature: p384::ecdsa::Signature = key.sign(message);
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::Ed25519(public) => {
                let key =
                    SigningKey::from_pkcs8_pem(private_pem).map_err(|_| CardError::PrivateKey)?;
                if key.verifying_key() != *public {
                    return Err(CardError::PrivateKey);
                }
                Ok(key.sign(message).to_bytes().to_vec())
            }
        }
    }

    fn vouches(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

fn decode(text: &str, field: &'static str) -> Result<Vec<u8>, CardError> {
    BASE64
        .decode(text.as_bytes())
        .map_err(|_| CardError::Field(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Certificates and keys as written by Syncthing 1.19.2, and of the other kinds by OpenSSL 3.
    const KINDS: [(&str, &str, &str); 3] = [
        (
            "P-384, SEC1 key of Syncthing 1.x",
            include_str!("testdata/syncthing-1.19-cert.pem"),
            include_str!("testdata/syncthing-1.19-key.pem"),
        ),
        (
            "P-384, PKCS 8 key",
            include_str!("testdata/p384-cert.pem"),
            include_str!("testdata/p384-pkcs8-key.pem"),
        ),
        (
            "Ed25519 as of Syncthing 2.x",
            include_str!("testdata/ed25519-cert.pem"),
            include_str!("testdata/ed25519-key.pem"),
        ),
    ];

    fn card(kind: usize) -> Card {
        Card::make(
            KINDS[kind].1,
            KINDS[kind].2,
            &DeviceKey::from_secret(&[7; 32]),
            Millis(1_795_000_000_000),
        )
        .unwrap()
    }

    #[test]
    fn every_kind_of_syncthing_key_vouches() {
        for (at, (kind, ..)) in KINDS.iter().enumerate() {
            let card = card(at);
            let travelled: Card =
                serde_json::from_str(&serde_json::to_string(&card).unwrap()).unwrap();
            let key = travelled
                .verify(&card.device)
                .unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert_eq!(key, DeviceKey::from_secret(&[7; 32]).public(), "{kind}");
        }
    }

    #[test]
    fn the_device_is_the_one_syncthing_names() {
        assert_eq!(
            card(0).device.as_str(),
            include_str!("testdata/syncthing-1.19-id.txt").trim()
        );
    }

    #[test]
    fn a_changed_card_is_refused() {
        for at in 0..KINDS.len() {
            let whole = card(at);
            let device = whole.device.clone();
            let other_key = BASE64.encode(&DeviceKey::from_secret(&[8; 32]).public());
            let changed = [
                Card {
                    key: other_key,
                    ..whole.clone()
                },
                Card {
                    made: Millis(whole.made.0 + 1),
                    ..whole.clone()
                },
                Card {
                    signature: card((at + 1) % KINDS.len()).signature,
                    ..whole.clone()
                },
                Card {
                    signature: String::new(),
                    ..whole.clone()
                },
            ];
            for card in changed {
                assert!(
                    matches!(card.verify(&device), Err(CardError::Signature(_))),
                    "{card:?}"
                );
            }
            assert!(matches!(
                Card {
                    v: 2,
                    ..whole.clone()
                }
                .verify(&device),
                Err(CardError::Version(2))
            ));
            assert!(matches!(
                Card {
                    key: "AAAA".into(),
                    ..whole
                }
                .verify(&device),
                Err(CardError::Field("key"))
            ));
        }
    }

    #[test]
    fn the_card_of_another_device_is_refused() {
        let (mine, other) = (card(0), card(1));
        assert!(matches!(
            other.verify(&mine.device),
            Err(CardError::OtherDevice { .. })
        ));
        let renamed = Card {
            device: mine.device.clone(),
            ..other.clone()
        };
        assert!(matches!(
            renamed.verify(&mine.device),
            Err(CardError::OtherDevice { .. })
        ));
        assert!(matches!(
            renamed.verify(&other.device),
            Err(CardError::OtherDevice { .. })
        ));
        let foreign_cert = Card {
            cert_der: other.cert_der,
            ..mine.clone()
        };
        assert!(matches!(
            foreign_cert.verify(&mine.device),
            Err(CardError::OtherDevice { .. })
        ));
    }

    #[test]
    fn a_key_that_is_not_the_certificates_makes_no_card() {
        let key = DeviceKey::from_secret(&[7; 32]);
        for (cert, private) in [(0, 1), (1, 0), (0, 2), (2, 0)] {
            let made = Card::make(KINDS[cert].1, KINDS[private].2, &key, Millis(0));
            assert!(matches!(made, Err(CardError::PrivateKey)), "{made:?}");
        }
    }

    #[test]
    fn another_kind_of_key_is_named() {
        let made = Card::make(
            include_str!("testdata/rsa-cert.pem"),
            "",
            &DeviceKey::from_secret(&[7; 32]),
            Millis(0),
        );
        assert!(matches!(made, Err(CardError::KeyKind)));
    }

    #[test]
    fn a_fresh_key_of_the_installed_syncthing_vouches() {
        let home = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("syncthing")
            .args([
                "generate",
                "--no-default-folder",
                "--skip-port-probing",
                "--home",
            ])
            .arg(home.path())
            .env("HOME", home.path())
            .output();
        // 2.x has no --skip-port-probing and is covered by the committed vectors. Without Syncthing
        // there is nothing to run.
        let Some(output) = made.ok().filter(|output| output.status.success()) else {
            return;
        };
        let read = |name| std::fs::read_to_string(home.path().join(name)).unwrap();
        let card = Card::make(
            &read("cert.pem"),
            &read("key.pem"),
            &DeviceKey::from_secret(&[7; 32]),
            Millis(0),
        )
        .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(card.device.as_str()), "{said}");
    }
}
