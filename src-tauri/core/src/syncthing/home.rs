//! The managed Syncthing's home: which device, which config. All of it is settled before the daemon
//! starts, because a daemon with a wrong identity or open interfaces cannot be undone. Knows files
//! and the program (`program.rs`); knows no running daemon.
//!
//! The home contains Syncthing's own files; `roam.lock`, held as long as a transport lives;
//! `roam-child.json`, how to reach the daemon (used to find the orphan of a crash); `last-good/`,
//! copies of key, certificate and config. Beside the home, `<home>.device` records the device ID
//! and the machine that it belongs to.

use super::child_error::ChildError;
use super::device_id;
#[cfg(unix)]
use super::door;
use super::program::{Binary, find_binary, run_briefly};
use super::rest::Rest;
use crate::held_lock::HeldLock;
use crate::session::DeviceId;
use crate::settings;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How to run (or reach) Syncthing.
#[derive(Clone, Debug)]
pub struct ChildConfig {
    /// Syncthing's own home, created if missing. Never shared with another device, never copied.
    pub home: PathBuf,
    /// The binary, if the user chose one.
    pub binary: Option<PathBuf>,
    pub network: settings::Network,
    pub device_name: String,
    /// Address and API key of the user's own Syncthing to use instead of a child.
    pub external: Option<(String, String)>,
}

/// Who this device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub device_id: DeviceId,
    pub cert_pem: String,
    pub key_pem: String,
}

/// Determines this device's identity, making keys the first time. Starts no daemon. A second call
/// changes nothing.
pub fn ensure_identity(config: &ChildConfig) -> Result<Identity, ChildError> {
    if let Some((address, key)) = &config.external {
        return external_identity(address, key);
    }
    make_home(&config.home)?;
    let record = Record::load(&config.home)?;
    if let Some(record) = &record {
        record.check_machine(&config.home)?;
        restore_keys(&config.home, &record.device_id)?;
    } else if !config.home.join("cert.pem").exists() || !config.home.join("key.pem").exists() {
        generate(&find_binary(config.binary.as_deref())?, &config.home)?;
    }
    let identity = read_identity(&config.home);
    if let Some(Record { device_id: was, .. }) = record {
        let is = identity
            .as_ref()
            .map_or("a device without keys".into(), |identity| {
                identity.device_id.to_string()
            });
        if is != was.as_str() {
            return Err(ChildError::DeviceIdChanged {
                was,
                is,
                home: config.home.clone(),
            });
        }
        return identity;
    }
    let identity = identity?;
    Record {
        device_id: identity.device_id.clone(),
        machine: machine(),
    }
    .save(&config.home)?;
    for name in ["cert.pem", "key.pem"] {
        keep_good(&config.home, name)?;
    }
    Ok(identity)
}

/// The keys of the user's own Syncthing: at the place it reports, or (1.19 reports none) at the
/// usual place.
fn external_identity(address: &str, key: &str) -> Result<Identity, ChildError> {
    let rest = Rest::new(address, key);
    let failed = |source| ChildError::External {
        address: address.to_owned(),
        source,
    };
    let status = rest.get("/rest/system/status").map_err(failed)?;
    let told = rest.get("/rest/system/paths").unwrap_or_default();
    let told = [&told["certFile"], &told["keyFile"]]
        .map(|path| PathBuf::from(path.as_str().unwrap_or_default()));
    let usual = usual_homes()
        .into_iter()
        .map(|dir| [dir.join("cert.pem"), dir.join("key.pem")]);
    std::iter::once(told)
        .chain(usual)
        .filter_map(|[cert, key]| identity_of(&cert, &key).ok())
        .find(|identity| status["myID"] == identity.device_id.as_str())
        .ok_or_else(|| ChildError::ExternalKeys {
            address: address.to_owned(),
        })
}

#[allow(clippy::disallowed_methods)] // where another program keeps its home
fn usual_homes() -> Vec<PathBuf> {
    let below = |variable: &str, rest: &str| {
        std::env::var_os(variable).map(|dir| PathBuf::from(dir).join(rest))
    };
    [
        below("XDG_STATE_HOME", "syncthing"),
        below("XDG_CONFIG_HOME", "syncthing"),
        below("HOME", ".local/state/syncthing"),
        below("HOME", ".config/syncthing"),
        below("HOME", "Library/Application Support/Syncthing"),
        below("LOCALAPPDATA", "Syncthing"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(super) fn read_identity(home: &Path) -> Result<Identity, ChildError> {
    identity_of(&home.join("cert.pem"), &home.join("key.pem"))
}

fn identity_of(cert: &Path, key: &Path) -> Result<Identity, ChildError> {
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|source| ChildError::Io {
            path: path.to_owned(),
            source,
        })
    };
    let (cert_pem, key_pem) = (read(cert)?, read(key)?);
    let device_id = device_id::from_cert_pem(&cert_pem).map_err(|error| ChildError::Io {
        path: cert.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    })?;
    Ok(Identity {
        device_id,
        cert_pem,
        key_pem,
    })
}

fn generate(binary: &Binary, home: &Path) -> Result<(), ChildError> {
    let mut arguments: Vec<OsString> = vec!["generate".into()];
    // 1.x would make a default folder and probe ports; 2.x does not know these flags (facts seen
    // 2026-11-23).
    if binary.version.major < 2 {
        arguments.extend(["--no-default-folder".into(), "--skip-port-probing".into()]);
    } else {
        arguments.push("--no-port-probing".into());
    }
    let mut place = OsString::from("--home=");
    place.push(home);
    arguments.push(place);
    match run_briefly(&binary.path, &arguments)? {
        (true, _) => Ok(()),
        (false, text) => Err(ChildError::Generate {
            home: home.to_owned(),
            text: text.trim().to_owned(),
        }),
    }
}

/// A daemon that finds its key broken makes a new one and is another device from then on, so ours
/// is restored first. A different but intact certificate is left alone: somebody put it there, so
/// the user must decide.
fn restore_keys(home: &Path, known: &DeviceId) -> Result<(), ChildError> {
    let good = home.join("last-good");
    let Ok(kept) = read_identity(&good) else {
        return Ok(());
    };
    let here = fs::read_to_string(home.join("cert.pem"))
        .ok()
        .and_then(|pem| device_id::from_cert_pem(&pem).ok());
    let whole = here.as_ref() == Some(known)
        && fs::read_to_string(home.join("key.pem")).is_ok_and(|key| key == kept.key_pem);
    let foreign = here.is_some_and(|here| here != *known);
    if whole || foreign || kept.device_id != *known {
        return Ok(());
    }
    write_private(&home.join("cert.pem"), kept.cert_pem.as_bytes())?;
    write_private(&home.join("key.pem"), kept.key_pem.as_bytes())
}

/// The device in the home and the machine it runs on; kept beside the home, so that a copy of the
/// home alone is detected.
#[derive(Serialize, Deserialize)]
struct Record {
    device_id: DeviceId,
    machine: Option<String>,
}

pub fn record_path(home: &Path) -> PathBuf {
    let mut name = home.file_name().unwrap_or_default().to_owned();
    name.push(".device");
    home.with_file_name(name)
}

/// The device named in the note beside the home.
pub(super) fn known_device(home: &Path) -> Result<Option<DeviceId>, ChildError> {
    Ok(Record::load(home)?.map(|record| record.device_id))
}

impl Record {
    fn load(home: &Path) -> Result<Option<Self>, ChildError> {
        let path = record_path(home);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| ChildError::Io {
                    path,
                    source: io::Error::new(io::ErrorKind::InvalidData, error),
                }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ChildError::Io { path, source }),
        }
    }

    fn save(&self, home: &Path) -> Result<(), ChildError> {
        write_private(
            &record_path(home),
            &serde_json::to_vec_pretty(self).expect("plain strings"),
        )
    }

    fn check_machine(&self, home: &Path) -> Result<(), ChildError> {
        match (&self.machine, machine()) {
            (Some(then), Some(now)) if *then != now => Err(ChildError::HomeCloned {
                home: home.to_owned(),
                record: record_path(home),
            }),
            _ => Ok(()),
        }
    }
}

/// A hash of the operating system's id of this machine; `None` if there is no id.
fn machine() -> Option<String> {
    let id = machine_id()?;
    let hash = blake3::derive_key("session-roam v1 machine", id.trim().as_bytes());
    Some(data_encoding::HEXLOWER.encode(&hash[..16]))
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn machine_id() -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .into_iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find(|id| !id.trim().is_empty())
}

#[cfg(target_vendor = "apple")]
fn machine_id() -> Option<String> {
    let mut id = [0u8; 16];
    let wait = libc::timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    // SAFETY: gethostuuid writes 16 bytes to the first argument and reads the second; both live
    // through the call.
    let answer = unsafe { libc::gethostuuid(id.as_mut_ptr(), &wait) };
    (answer == 0).then(|| data_encoding::HEXLOWER.encode(&id))
}

#[cfg(windows)]
fn machine_id() -> Option<String> {
    use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RegGetValueW};
    let wide = |text: &str| text.encode_utf16().chain([0]).collect::<Vec<u16>>();
    let (key, value) = (
        wide("SOFTWARE\\Microsoft\\Cryptography"),
        wide("MachineGuid"),
    );
    let mut buffer = [0u16; 128];
    let mut n_bytes = std::mem::size_of_val(&buffer) as u32;
    // SAFETY: both names end in zero; `n_bytes` is the buffer's size and is updated to the written
    // length.
    let answer = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            value.as_ptr(),
            RRF_RT_REG_SZ,
            std::ptr::null_mut(),
            buffer.as_mut_ptr().cast(),
            &mut n_bytes,
        )
    };
    (answer == 0).then(|| {
        String::from_utf16_lossy(&buffer[..n_bytes as usize / 2])
            .trim_end_matches('\0')
            .to_owned()
    })
}

pub fn make_home(home: &Path) -> Result<(), ChildError> {
    let failed = |source| ChildError::Io {
        path: home.to_owned(),
        source,
    };
    fs::create_dir_all(home).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(home, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        // Some file systems have no modes, and another user's directory admits its owner.
        if !door::is_private(&home.canonicalize().map_err(failed)?).map_err(failed)? {
            return Err(ChildError::NotPrivate(home.to_owned()));
        }
    }
    Ok(())
}

/// Held as long as a transport lives; the operating system releases it when we die.
pub fn lock_home(home: &Path) -> Result<HeldLock, ChildError> {
    let path = home.join("roam.lock");
    HeldLock::try_hold(&path).map_err(|error| match error {
        fs::TryLockError::WouldBlock => ChildError::InUse {
            home: home.to_owned(),
        },
        fs::TryLockError::Error(source) => ChildError::Io { path, source },
    })
}

/// How to reach the daemon of this home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    pub pid: u32,
    pub address: String,
    pub key: String,
}

impl Reach {
    pub fn load(home: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(home.join("roam-child.json")).ok()?).ok()
    }

    pub fn save(&self, home: &Path) -> Result<(), ChildError> {
        write_private(
            &home.join("roam-child.json"),
            &serde_json::to_vec(self).expect("plain strings"),
        )
    }

    pub fn forget(home: &Path) {
        let _ = fs::remove_file(home.join("roam-child.json"));
    }
}

/// Writes a file that only the user can read, completely or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), ChildError> {
    let next = path.with_extension("new");
    let write = || {
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&next)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        fs::rename(&next, path)
    };
    write().map_err(|source| ChildError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Keeps a copy of one of the home's files in case it breaks.
pub fn keep_good(home: &Path, name: &str) -> Result<(), ChildError> {
    let (from, good) = (home.join(name), home.join("last-good"));
    let bytes = fs::read(&from).map_err(|source| ChildError::Io { path: from, source })?;
    make_home(&good)?;
    if fs::read(good.join(name)).is_ok_and(|kept| kept == bytes) {
        return Ok(());
    }
    write_private(&good.join(name), &bytes)
}

/// A config that Syncthing refused is kept beside its replacement.
pub fn set_config_aside(home: &Path) -> Result<(), ChildError> {
    let (config, broken) = (home.join("config.xml"), home.join("config.xml.broken"));
    match fs::rename(&config, &broken) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ChildError::Io {
            path: config,
            source,
        }),
        _ => Ok(()),
    }
}

/// Moves a database that cannot be opened aside; Syncthing rebuilds it from the files and the
/// peers.
pub fn set_database_aside(home: &Path) -> Result<(), ChildError> {
    for name in ["index-v2", "index-v0.14.0.db"] {
        let (here, aside) = (home.join(name), home.join(format!("{name}.broken")));
        if !here.exists() {
            continue;
        }
        let _ = fs::remove_dir_all(&aside);
        fs::rename(&here, &aside).map_err(|source| ChildError::Io { path: here, source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(home: &Path) -> ChildConfig {
        ChildConfig {
            home: home.to_owned(),
            binary: None,
            network: settings::Network {
                local_discovery: false,
                listen: vec!["tcp://127.0.0.1:22101".into()],
                ..Default::default()
            },
            device_name: "Tom & \"Jerry\"".into(),
            external: None,
        }
    }

    #[test]
    fn a_home_from_another_machine_is_noticed() {
        let parent = tempfile::tempdir().expect("tempdir");
        let home = parent.path().join("syncthing");
        let record = Record {
            device_id: device_id::from_cert_der(b"x"),
            machine: Some("another".into()),
        };
        record.save(&home).expect("save");
        if machine().is_some() {
            assert_eq!(
                ensure_identity(&config(&home))
                    .expect_err("cloned")
                    .problem()
                    .code
                    .as_str(),
                "home_cloned"
            );
        }
    }

    #[test]
    fn lost_keys_stop_everything_unless_kept_ones_bring_them_back() {
        let parent = tempfile::tempdir().expect("tempdir");
        let home = parent.path().join("syncthing");
        make_home(&home).expect("home");
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            data_encoding::BASE64.encode(b"a certificate")
        );
        fs::write(home.join("cert.pem"), &pem).expect("cert");
        fs::write(home.join("key.pem"), "the key").expect("key");
        let first = ensure_identity(&config(&home)).expect("first");
        fs::write(home.join("key.pem"), "").expect("break the key");
        assert_eq!(ensure_identity(&config(&home)).expect("restored"), first);
        fs::remove_file(home.join("cert.pem")).expect("lose the certificate");
        assert_eq!(ensure_identity(&config(&home)).expect("restored"), first);
        let other = pem.replace(
            &data_encoding::BASE64.encode(b"a certificate"),
            &data_encoding::BASE64.encode(b"another"),
        );
        fs::write(home.join("cert.pem"), other).expect("another device");
        assert_eq!(
            ensure_identity(&config(&home))
                .expect_err("changed")
                .problem()
                .code
                .as_str(),
            "device_id_changed"
        );
        fs::remove_dir_all(&home).expect("lose the home");
        assert_eq!(
            ensure_identity(&config(&home))
                .expect_err("lost")
                .problem()
                .code
                .as_str(),
            "device_id_changed"
        );
    }

    #[test]
    fn a_home_has_one_user_at_a_time() {
        let home = tempfile::tempdir().expect("tempdir");
        let _held = lock_home(home.path()).expect("first");
        assert_eq!(
            lock_home(home.path())
                .expect_err("second")
                .problem()
                .code
                .as_str(),
            "home_in_use"
        );
    }
}
