//! A desk and a laptop of one user: where most stories with real tools begin. A tool puts its program
//! and its settings on both; the mock is the model of every tool.

use crate::device::{Device, link_roam, pair};
use crate::files::files_below;
use crate::mock::Mock;
use crate::tools::{Client, Tool, link_binaries};
use std::any::Any;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// A desk and a laptop with clones of one repository at different places, the mock that their tools
/// talk to, and the directory of all their files.
pub struct World {
    // Dropped in this order: the engines, what the tools left running, the mock, the directory.
    pub desk: Device,
    pub laptop: Device,
    left_running: Box<dyn Any>,
    pub mock: Mock,
    _root: TempDir,
}

impl World {
    /// Two devices with Claude Code and Codex; session-roam does not run yet.
    pub fn unpaired() -> Self {
        Self::unpaired_with(&Client::NEWEST)
    }

    /// The same with tools of these versions on both.
    pub fn unpaired_with(clients: &[Client]) -> Self {
        Self::with_tools(|bin| link_binaries(bin, clients), settle)
    }

    /// Two devices with Claude Code and Codex whose engines run and are paired.
    pub fn paired() -> Self {
        Self::paired_with(&Client::NEWEST)
    }

    /// The same with tools of these versions on both.
    pub fn paired_with(clients: &[Client]) -> Self {
        Self::unpaired_with(clients).met()
    }

    /// Two devices whose session-roam does not run yet. `link` puts the tools' programs into the
    /// directory for PATH that both share; `settle` writes the settings of a user who has used the
    /// tools before, with the mock at this port as the model.
    pub fn with_tools(link: impl FnOnce(&Path), settle: impl Fn(&mut Device, u16)) -> Self {
        let root = tempfile::Builder::new()
            .prefix("roam-real-")
            .tempdir()
            .expect("a directory");
        let dir = root.path().canonicalize().expect("a directory");
        link_roam(&dir.join("bin"));
        link(&dir.join("bin"));
        let mock = Mock::start(&dir);
        let mut desk = Device::new(&dir, "desk", "home-a", "code/api");
        let mut laptop = Device::new(&dir, "laptop", "home-b", "Arbeit mit Ümlaut/api checkout");
        desk.init_repository("https://git.example.com/acme/api.git");
        laptop.clone_repository(&desk, "git@git.example.com:acme/api.git");
        for device in [&mut desk, &mut laptop] {
            settle(device, mock.port);
        }
        Self {
            desk,
            laptop,
            left_running: Box::new(()),
            mock,
            _root: root,
        }
    }

    /// Drops `guard` after the engines have ended and before the mock and the directory go.
    pub fn ending_with(mut self, guard: impl Any) -> Self {
        self.left_running = Box::new(guard);
        self
    }

    /// Starts both engines for the first time and pairs them.
    pub fn meet(&mut self) {
        self.desk.start();
        self.laptop.start();
        pair(&self.desk, &self.laptop);
    }

    /// The same for a new world.
    pub fn met(mut self) -> Self {
        self.meet();
        self
    }

    pub fn both(&self) -> [&Device; 2] {
        [&self.desk, &self.laptop]
    }

    /// Stops both engines; each must exit cleanly.
    pub fn stop(&mut self) {
        self.desk.stop();
        self.laptop.stop();
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

/// The user of this device has used Claude Code and Codex before.
fn settle(device: &mut Device, mock_port: u16) {
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
    for tool in Tool::ALL {
        tool.settle(device, mock_port);
    }
}
