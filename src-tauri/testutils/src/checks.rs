//! The recurring checks of fault tests: the session arrived, nothing is lost, the problem was
//! reported.

use crate::device::{Device, PATIENCE, link_roam, pair, rows};
use crate::files::files_below;
use crate::isolation::{run_within, wait_for};
use crate::transcripts::Session;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A directory that holds the devices of one test.
pub struct Place {
    dir: TempDir,
}

impl Place {
    /// A place without devices.
    pub fn empty() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("roam-faults-")
            .tempdir()
            .expect("a directory");
        link_roam(&dir.path().join("bin"));
        Self { dir }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().expect("a directory")
    }

    /// A device with a checkout of the project.
    pub fn device(&self, name: &str) -> Device {
        self.device_at(name, &format!("code of {name}/api"))
    }

    pub fn device_at(&self, name: &str, checkout: &str) -> Device {
        let device = Device::new(&self.path(), name, &format!("home-{name}"), checkout);
        device.init_repository("https://git.example.com/acme/api.git");
        device
    }

    /// A device that runs and has no checkout.
    pub fn running(&self, name: &str) -> Device {
        let home = format!("home-{name}");
        let mut device = Device::new(&self.path(), name, &home, "code/api");
        device.start();
        device
    }

    /// Two devices with checkouts that run and are paired.
    pub fn pair(&self) -> (Device, Device) {
        let (mut desk, mut laptop) = (self.device("desk"), self.device("laptop"));
        desk.start();
        laptop.start();
        pair(&desk, &laptop);
        (desk, laptop)
    }

    /// A file system of its own at `path`, which can be full without filling anything else.
    pub fn small_disk(&self, path: &Path, megabytes: u32) -> Disk {
        fs::create_dir_all(path).expect("a directory to mount on");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(path);
        let ended = run_within(Duration::from_secs(10), mount, self.dir.path());
        assert!(ended.status.success(), "mount: {}", ended.told());
        Disk {
            path: path.to_owned(),
        }
    }
}

pub struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Takes all free space.
    pub fn fill(&self) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.ballast())
            .expect("a file");
        for size in [1 << 16, 1 << 12, 1] {
            while std::io::Write::write(&mut file, &vec![7; size]).is_ok_and(|written| written > 0)
            {
            }
        }
    }

    pub fn empty(&self) {
        fs::remove_file(self.ballast()).expect("the ballast is there");
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: an engine of a failed test may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// Waits until `file` holds exactly these bytes.
pub fn holds(file: &Path, bytes: &[u8]) {
    wait_for(
        &format!("{} to hold {} bytes", file.display(), bytes.len()),
        PATIENCE,
        || match fs::read(file) {
            Ok(found) if found == bytes => Ok(()),
            Ok(found) => Err(format!("{} bytes are there", found.len())),
            Err(error) => Err(error.to_string()),
        },
    );
}

/// Waits until the session on `device` is the same as where it began.
pub fn arrives(session: &Session, device: &Device) {
    holds(&session.on(device), &session.bytes());
}

/// Waits until the journals on `device` give back every byte.
pub fn is_in_journals(bytes: &[u8], session: &Session, device: &Device) {
    wait_for(
        &format!("the journals of {} to hold {}", device.name, session.id),
        PATIENCE,
        || device.has_recorded(&session.id, bytes),
    );
}

/// Everything is where it belongs: in both journals, and in the other device's store.
pub fn is_safe(session: &Session, on: [&Device; 2]) {
    arrives(session, on[0]);
    arrives(session, on[1]);
    on.iter()
        .for_each(|device| is_in_journals(&session.bytes(), session, device));
}

/// Waits until the status has `code`, with what to do about it.
pub fn is_told(device: &Device, code: &str) -> Value {
    wait_for(&format!("{} to tell {code}", device.name), PATIENCE, || {
        let status = device.try_roam(&["status"])?;
        let item = said(&status, code).ok_or_else(|| status.to_string())?;
        let text = |name: &str| item[name].as_str().is_some_and(|text| text.ends_with('.'));
        assert!(
            text("message") || text("why"),
            "{code} says what happened: {item}"
        );
        assert!(text("hint"), "{code} says what to do: {item}");
        Ok(item)
    })
}

/// Waits until the status no longer has `code`.
pub fn is_over(device: &Device, code: &str) {
    wait_for(
        &format!("{code} on {} to be over", device.name),
        PATIENCE,
        || {
            let status = device.try_roam(&["status"])?;
            match said(&status, code) {
                Some(item) => Err(item.to_string()),
                None => Ok(()),
            }
        },
    );
}

pub fn says(device: &Device, code: &str) -> bool {
    said(&device.roam(&["status"]), code).is_some()
}

fn said(status: &Value, code: &str) -> Option<Value> {
    let lists = ["problems", "held", "waiting"];
    lists
        .iter()
        .flat_map(|list| rows(&status[list]))
        .find(|item| item["code"] == code)
        .cloned()
}

/// Runs a command of `roam` that must fail with this code and state what to do.
pub fn is_refused(device: &Device, arguments: &[&str], code: &str) {
    let ended = device.end_of_roam(arguments);
    assert_eq!(
        ended.status.code(),
        Some(1),
        "roam {arguments:?} on {}: {}",
        device.name,
        ended.told()
    );
    let answer: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|_| panic!("not JSON: {}", ended.told()));
    assert_eq!(answer["error"]["code"], code, "{answer}");
    let says = |part: &str| {
        let text = answer["error"][part].as_str();
        text.is_some_and(|text| text.ends_with('.'))
    };
    let can_act = answer["error"]["actions"]
        .as_array()
        .is_some_and(|actions| !actions.is_empty());
    assert!(says("message") && (says("hint") || can_act), "{answer}");
    for part in ["message", "hint"] {
        assert!(
            answer["error"][part]
                .as_str()
                .is_some_and(|text| text.is_empty() || text.ends_with('.')),
            "{answer}"
        );
    }
}

/// Syncthing processes that work in the home of this device.
pub fn syncthings_of(device: &Device) -> Vec<u64> {
    let home = device.roam_home.join("syncthing").display().to_string();
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    let is_one = |pid: &u64| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(&home)
    };
    pids.filter(is_one).collect()
}

/// The vault's files with their content.
pub fn vault(device: &Device, owner: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = device.roam_home.join("vault").join(owner);
    let mut files: Vec<_> = files_below(&dir)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "zst"))
        .filter_map(|file| {
            Some((
                file.strip_prefix(&dir).ok()?.to_owned(),
                fs::read(&file).ok()?,
            ))
        })
        .collect();
    files.sort();
    files
}

/// The name of a device's folders.
pub fn short(device: &Device) -> String {
    let id = device.roam(&["device"])["id"]
        .as_str()
        .expect("a device has an id")
        .to_owned();
    id.chars()
        .filter(|letter| *letter != '-')
        .take(14)
        .collect()
}
