//! The desk and the laptop of the tests with real tools: the tools set up on both, and the mock
//! that they talk to.

use crate::device::{Device, link_roam, pair};
use crate::files::files_below;
use crate::mock::Mock;
use crate::tools::{Client, Tool, link_binaries};
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// A desk and a laptop, the mock that both talk to, and the directory of all their files.
pub struct World {
    // Dropped in this order: the engines before the mock, the directory last.
    pub desk: Device,
    pub laptop: Device,
    pub mock: Mock,
    _root: TempDir,
}

impl World {
    /// Two devices whose tools are ready; session-roam does not run yet.
    pub fn new() -> Self {
        Self::with(&Client::NEWEST)
    }

    /// The same with tools of these versions on both.
    pub fn with(clients: &[Client]) -> Self {
        let root = tempfile::Builder::new()
            .prefix("roam-real-")
            .tempdir()
            .expect("a directory");
        let dir = root.path().canonicalize().expect("a directory");
        link_binaries(&dir.join("bin"), clients);
        link_roam(&dir.join("bin"));
        let mock = Mock::start(&dir);
        let desk = settled(Device::new(&dir, "desk", "home-a", "code/api"), mock.port);
        let laptop = settled(
            Device::new(&dir, "laptop", "home-b", "Arbeit mit Ümlaut/api checkout"),
            mock.port,
        );
        desk.init_repository("https://git.example.com/acme/api.git");
        laptop.clone_repository(&desk, "git@git.example.com:acme/api.git");
        Self {
            desk,
            laptop,
            mock,
            _root: root,
        }
    }

    /// Two devices whose engines run and are paired.
    pub fn paired() -> Self {
        Self::paired_with(&Client::NEWEST)
    }

    pub fn paired_with(clients: &[Client]) -> Self {
        let mut world = Self::with(clients);
        world.meet();
        world
    }

    /// Starts both engines for the first time and pairs them.
    pub fn meet(&mut self) {
        self.desk.start();
        self.laptop.start();
        pair(&self.desk, &self.laptop);
    }
}

/// The same user in the same checkout with a copy of a tool's sessions and settings: resuming there
/// leaves no mark on the device. Databases are not copied: Codex keeps absolute paths in them, and
/// would write into the original (seen with 0.169.0, 2026-11-23).
pub fn twin(device: &Device) -> Device {
    static TWINS: AtomicU32 = AtomicU32::new(1);
    let name = format!(
        "{}-twin-{}",
        device.name,
        TWINS.fetch_add(1, Ordering::Relaxed)
    );
    let checkout = device.checkout.to_str().expect("checkouts are UTF-8");
    let mut twin = Device::new(device.scratch(), &name, &name, checkout);
    twin.variables = device.variables.clone();
    let taken = [
        ".claude.json",
        ".claude/settings.json",
        ".claude/projects",
        ".codex/config.toml",
        ".codex/auth.json",
    ];
    for part in taken.iter().chain(&[".codex/sessions"]) {
        let (from, to) = (device.home.join(part), twin.home.join(part));
        let files = if from.is_file() {
            vec![from.clone()]
        } else {
            files_below(&from)
        };
        for file in files {
            let below = file.strip_prefix(&from).expect("it was found there");
            let place = if below.as_os_str().is_empty() {
                to.clone()
            } else {
                to.join(below)
            };
            fs::create_dir_all(place.parent().expect("a file is in a directory"))
                .expect("a directory");
            fs::copy(&file, place).expect("a copy");
        }
    }
    twin
}

/// A device whose user has used the tools before.
fn settled(mut device: Device, mock_port: u16) -> Device {
    let secret = device.secret();
    for (name, value) in [
        (
            "ANTHROPIC_BASE_URL",
            format!("http://127.0.0.1:{mock_port}"),
        ),
        ("ANTHROPIC_API_KEY", secret.clone()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        ("MOCK_KEY", secret),
    ] {
        device.variables.insert(name.to_owned(), value);
    }
    Tool::ALL
        .iter()
        .for_each(|tool| tool.settle(&device, mock_port));
    device
}
