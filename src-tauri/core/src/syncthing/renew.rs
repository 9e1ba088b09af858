//! A new identity: the old keys and everything that their Syncthing knew are set aside, never
//! deleted. Nothing may run on the home meanwhile. The engine decides about the old device's
//! journals.

use super::child_error::ChildError;
use super::home::{self, ChildConfig};
use super::supervisor::end_orphan;
use crate::session::DeviceId;
use std::fs;
use std::io;
use std::path::Path;

/// This device's identity up to now, as far as its home records it.
pub fn present_identity(config: &ChildConfig) -> Result<Option<DeviceId>, ChildError> {
    match home::known_device(&config.home)? {
        Some(known) => Ok(Some(known)),
        None if config.home.join("cert.pem").exists() => {
            Ok(Some(home::read_identity(&config.home)?.device_id))
        }
        None => Ok(None),
    }
}

/// Moves Syncthing's home and the note beside it into `to`. The next start, or
/// [`super::ensure_identity`], makes new keys. A crash half way leaves either the old device or
/// none.
pub fn set_identity_aside(
    config: &ChildConfig,
    was: &DeviceId,
    to: &Path,
) -> Result<(), ChildError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| ChildError::Io { path, source }
    };
    if config.home.exists() {
        let lock = home::lock_home(&config.home)?;
        end_orphan(config, was);
        // Windows cannot move a directory that contains an open file.
        drop(lock);
    }
    fs::create_dir_all(to).map_err(failed(to))?;
    let record = home::record_path(&config.home);
    for path in [&record, &config.home] {
        match fs::rename(path, to.join(path.file_name().unwrap_or_default())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
