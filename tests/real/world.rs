//! The desk and the laptop of the tests with real tools: the tools settled on both, and the mock they talk to.

use crate::device::{Device, link_roam, pair};
use crate::mock::Mock;
use crate::tools::{Tool, link_binaries};
use tempfile::TempDir;

/// A desk and a laptop, the mock both talk to, and the directory all of it is in.
pub struct World {
    // Dropped in this order: the engines before the mock, the directory last.
    pub desk: Device,
    pub laptop: Device,
    pub mock: Mock,
    _root: TempDir,
}

impl World {
    /// Two devices whose tools are ready, with nothing of session-roam running.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("roam-real-").tempdir().expect("a directory");
        let dir = root.path().canonicalize().expect("a directory");
        link_binaries(&dir.join("bin"));
        link_roam(&dir.join("bin"));
        let mock = Mock::start(&dir);
        let desk = settled(Device::new(&dir, "desk", "home-a", "code/api"), mock.port);
        let laptop = settled(Device::new(&dir, "laptop", "home-b", "Arbeit mit Ümlaut/api checkout"), mock.port);
        desk.init_repository("https://git.example.com/acme/api.git");
        laptop.clone_repository(&desk, "git@git.example.com:acme/api.git");
        Self { desk, laptop, mock, _root: root }
    }

    /// Two devices whose engines run and are paired.
    pub fn paired() -> Self {
        let mut world = Self::new();
        world.desk.start();
        world.laptop.start();
        pair(&world.desk, &world.laptop);
        world
    }
}

/// A device whose user has used the tools before.
fn settled(mut device: Device, mock_port: u16) -> Device {
    let secret = device.secret();
    for (name, value) in [
        ("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{mock_port}")),
        ("ANTHROPIC_API_KEY", secret.clone()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        ("MOCK_KEY", secret),
    ] {
        device.variables.insert(name.to_owned(), value);
    }
    Tool::ALL.iter().for_each(|tool| tool.settle(&device, mock_port));
    device
}
