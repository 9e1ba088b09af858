//! The device's own signing key: created once, kept in `<home>/keys/device.key`, signs every frame.
//! Knows neither what is signed nor who vouches for the key (see `card`).

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An Ed25519 key pair. Prints only its public half.
#[derive(Clone, Debug)]
pub struct DeviceKey(SigningKey);

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("could not read the device key {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not write the device key {}", .path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Never replaced silently: this device's earlier signatures would no longer be its own.
    #[error("the device key {} is damaged: {reason}", .path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

impl DeviceKey {
    /// Loads the key of this home and creates it first if there is none. Two processes that create
    /// one at the same moment end with the same key. A crash leaves either no key or a whole one.
    pub fn load_or_create(home: &Path) -> Result<Self, KeyError> {
        let path = home.join("keys").join("device.key");
        match Self::load(&path) {
            Err(KeyError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::create(&path)
            }
            other => other,
        }
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Makes a key from 32 secret bytes.
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    fn load(path: &Path) -> Result<Self, KeyError> {
        let text = std::fs::read_to_string(path).map_err(|source| KeyError::Read {
            path: path.into(),
            source,
        })?;
        let key = SigningKey::from_pkcs8_pem(&text).map_err(|error| KeyError::Damaged {
            path: path.into(),
            reason: error.to_string(),
        })?;
        // A copied or restored home may have lost its file modes.
        keep_private(path, 0o600).map_err(|source| KeyError::Write {
            path: path.into(),
            source,
        })?;
        Ok(Self(key))
    }

    fn create(path: &Path) -> Result<Self, KeyError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(KeyError::Random)?;
        let key = Self::from_secret(&secret);
        let pem = key
            .0
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|error| KeyError::Damaged {
                path: path.into(),
                reason: error.to_string(),
            })?;
        match write_new(path, pem.as_bytes()) {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
            Err(source) => Err(KeyError::Write {
                path: path.into(),
                source,
            }),
        }
    }
}

/// Whether the holder of `public` made `signature` over `message`. Strict: weak keys and
/// non-canonical encodings are refused, so that all devices give the same answer.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    match VerifyingKey::from_bytes(public) {
        Ok(key) => key
            .verify_strict(message, &Signature::from_bytes(signature))
            .is_ok(),
        Err(_) => false,
    }
}

/// Writes a new file, whole or not at all, readable by the user alone.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(dir)?;
    keep_private(dir, 0o700)?;
    // `tempfile` creates with mode 0600; on Windows the user's profile directory keeps others out.
    let mut file = tempfile::Builder::new()
        .prefix(".device-key-")
        .tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_dir(dir)
}

#[cfg(unix)]
fn keep_private(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if std::fs::metadata(path)?.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_private(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_start_finds_the_same_key() {
        let home = tempfile::tempdir().unwrap();
        let first = DeviceKey::load_or_create(home.path()).unwrap();
        let second = DeviceKey::load_or_create(home.path()).unwrap();
        assert_eq!(first.public(), second.public());
        let names: Vec<_> = std::fs::read_dir(home.path().join("keys"))
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, ["device.key"]);
    }

    #[test]
    fn two_that_create_at_once_agree() {
        let home = tempfile::tempdir().unwrap();
        let publics: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| DeviceKey::load_or_create(home.path()).unwrap().public()))
                .collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        });
        assert!(publics.iter().all(|public| *public == publics[0]));
    }

    #[test]
    fn a_damaged_key_is_told_and_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("keys/device.key");
        std::fs::create_dir(home.path().join("keys")).unwrap();
        std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\nAAAA\n").unwrap();
        assert!(matches!(
            DeviceKey::load_or_create(home.path()),
            Err(KeyError::Damaged { .. })
        ));
        assert_eq!(
            std::fs::read(&path).unwrap(),
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n"
        );
    }

    #[test]
    fn a_signature_is_for_its_message_and_key_alone() {
        let (mine, other) = (
            DeviceKey::from_secret(&[1; 32]),
            DeviceKey::from_secret(&[2; 32]),
        );
        let signature = mine.sign(b"frame");
        assert!(verify(&mine.public(), b"frame", &signature));
        assert!(!verify(&mine.public(), b"frames", &signature));
        assert!(!verify(&other.public(), b"frame", &signature));
    }

    #[test]
    fn a_weak_key_vouches_for_nothing() {
        // A lax check accepts the neutral point as key and as R with S = 0 for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!verify(&neutral, b"anything", &signature));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        DeviceKey::load_or_create(home.path()).unwrap();
        let mode = |name: &str| {
            std::fs::metadata(home.path().join(name))
                .unwrap()
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!((mode("keys"), mode("keys/device.key")), (0o700, 0o600));
        std::fs::set_permissions(
            home.path().join("keys/device.key"),
            std::fs::Permissions::from_mode(0o644),
        )
        .unwrap();
        DeviceKey::load_or_create(home.path()).unwrap();
        assert_eq!(mode("keys/device.key"), 0o600);
    }
}
