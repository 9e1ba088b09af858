//! `config.toml`: the user's settings. The first version is written complete with comments; later
//! changes are made in place, so that the user's own comments stay.

use crate::tools::custom;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Everything in config.toml. Every field has a default.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// This device's name as other devices see it; the host name when empty.
    pub name: String,
    pub network: Network,
    pub syncthing: Syncthing,
    /// Settings by tool id.
    pub tools: BTreeMap<String, ToolSettings>,
    pub projects: Projects,
    pub guard: Guard,
    pub code: Code,
    pub search: Search,
    pub apps: Apps,
    pub notifications: Notifications,
    pub programs: Programs,
    /// Tools defined by the user.
    pub custom: Vec<custom::Definition>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    pub global_discovery: bool,
    pub local_discovery: bool,
    pub relays: bool,
    /// Addresses to listen on, like `tcp://127.0.0.1:22101`; `default` is Syncthing's own set.
    pub listen: Vec<String>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            global_discovery: false,
            local_discovery: true,
            relays: false,
            listen: vec!["default".into()],
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Syncthing {
    /// The Syncthing binary; when empty, searched for beside `roam`, then on PATH.
    pub binary: Option<PathBuf>,
    /// A Syncthing of the user's own to use instead of a child: its REST address and API key.
    pub address: Option<String>,
    pub api_key: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolSettings {
    pub on: bool,
    /// More directories that are stores of the tool, beside those found automatically.
    pub stores: Vec<PathBuf>,
    /// Stores that are not used.
    pub off: Vec<PathBuf>,
}

impl Default for ToolSettings {
    fn default() -> Self {
        Self {
            on: true,
            stores: Vec::new(),
            off: Vec::new(),
        }
    }
}

/// Where people usually keep code. The template lists the same folders.
const USUAL_FOLDERS: [&str; 10] = [
    "~/code",
    "~/src",
    "~/work",
    "~/dev",
    "~/projects",
    "~/git",
    "~/repos",
    "~/Developer",
    "~/Documents/GitHub",
    "~/source/repos",
];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Projects {
    /// Folders searched for checkouts; an empty list for none.
    pub search: Vec<PathBuf>,
    /// Keys of projects whose sessions never leave this device.
    pub exclude: Vec<String>,
    /// Directories by project key, where the user chose one.
    pub map: BTreeMap<String, PathBuf>,
}

impl Default for Projects {
    fn default() -> Self {
        Self {
            search: USUAL_FOLDERS.map(PathBuf::from).to_vec(),
            exclude: Vec::new(),
            map: BTreeMap::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guard {
    /// If more sessions of one tool vanish at once, hold and ask.
    pub max_vanished: usize,
    /// If another device rewrites or shortens more sessions at once, hold and ask.
    pub max_rewritten: usize,
    /// Also sync the copies that tools keep of files whose names suggest secrets.
    pub carry_secret_copies: bool,
    /// Minutes in which `roam undo` can undo a forget. Other devices get the forget only
    /// afterwards.
    pub forget_after: u64,
    /// If other devices forget more sessions in a day, hold and ask.
    pub max_forgotten: usize,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            max_vanished: 10,
            max_rewritten: 5,
            carry_secret_copies: false,
            forget_after: 10,
            max_forgotten: 10,
        }
    }
}

/// Uncommitted changes that go along with sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Code {
    /// Whether this device records any.
    pub on: bool,
    /// Keys of the projects whose changes go along.
    pub projects: Vec<String>,
    /// Keys of the projects about which the user has decided: nothing is asked about them again.
    pub asked: Vec<String>,
}

impl Default for Code {
    fn default() -> Self {
        Self {
            on: true,
            projects: Vec::new(),
            asked: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    /// Keep an index of the sessions' words in this home, for `roam search`.
    pub on: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self { on: true }
    }
}

/// What each app that the user allowed may keep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Apps {
    pub max_mb: u64,
    pub max_sessions: u64,
    pub max_entry_mb: u64,
}

impl Default for Apps {
    fn default() -> Self {
        Self {
            max_mb: 2048,
            max_sessions: 20_000,
            max_entry_mb: 8,
        }
    }
}

/// The kinds of notifications that the tray app shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notifications {
    /// A device asks to pair.
    pub pairing: bool,
    /// A session has two versions.
    pub versions: bool,
    /// Something is held until the user decides.
    pub held: bool,
    /// A session waits for something that the user can do.
    pub waiting: bool,
    /// Sessions of other devices are ready.
    pub arrived: bool,
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            pairing: true,
            versions: true,
            held: true,
            waiting: true,
            arrived: true,
        }
    }
}

/// Programs that the tray app starts, by name; the system's choice when empty.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Programs {
    pub terminal: String,
    pub editor: String,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("could not read {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not write {}", .path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is not valid: {message}", .path.display())]
    Parse { path: PathBuf, message: String },
}

/// The config.toml of a new home.
const TEMPLATE: &str = r#"# session-roam: what you decide. Changes take effect when `roam run` (or the tray app) starts again.

# This device's name as others see it. Empty: the host name.
name = ""

[network]
# Announce this device to Syncthing's public discovery servers, so that devices find each other across networks.
global_discovery = false
# Find devices on the same network.
local_discovery = true
# Let Syncthing's public relays pass on encrypted data where no direct connection is possible.
relays = false
# Addresses to listen on. "default" is Syncthing's own set; "tcp://127.0.0.1:22101" keeps it on this machine.
listen = ["default"]

[syncthing]
# The Syncthing binary. Without this line: the one shipped beside `roam`, then `syncthing` on PATH.
# binary = "/usr/bin/syncthing"

# One section a tool. A tool is on unless it says otherwise; what is off is neither sent nor received here. A tool may have
# several stores; `roam tools` lists those that were found. `stores` names more, `off` those that are not used.
# [tools.codex]
# on = false
# stores = ["~/codex-of-a-client"]
# off = ["~/.codex-trial"]

[projects]
# Folders below which your checkouts are. A session whose project is found there is placed by itself. Those that do not
# exist do no harm.
search = ["~/code", "~/src", "~/work", "~/dev", "~/projects", "~/git", "~/repos", "~/Developer", "~/Documents/GitHub", "~/source/repos"]
# Projects whose sessions never leave this device: keys as `roam projects` shows them.
exclude = []

# Where a project is on this device, if it is not found by itself.
[projects.map]

[guard]
# Hold and ask when more than this many sessions of one tool vanish at once.
max_vanished = 10
# Hold and ask when another device rewrites or shortens more than this many sessions at once.
max_rewritten = 5
# Carry the copies that a tool keeps of files like .env, private keys and .npmrc, so that it can go back to them elsewhere.
carry_secret_copies = false
# Minutes in which `roam undo` takes back a `roam forget`. Only then the session is removed, here and everywhere.
forget_after = 10
# Hold and ask when other devices want more than this many sessions forgotten here within a day.
max_forgotten = 10

[code]
# Uncommitted changes of these projects go along with their sessions: keys as `roam projects` shows them.
projects = []
# Record them on this device at all, and ask about projects.
on = true
# Projects about which you decided: you are not asked about them again.
asked = []

[search]
# Keep an index of the words of all sessions in this home, for `roam search`. It is never sent anywhere.
on = true

# What each app that you allowed with `roam apps` may keep on this device: in all, sessions, and one entry of a session.
[apps]
max_mb = 2048
max_sessions = 20000
max_entry_mb = 8

# Which notifications the tray app shows.
[notifications]
# A device asks to pair.
pairing = true
# A session has two versions.
versions = true
# Something is held until you decide.
held = true
# A session waits for something that you can do.
waiting = true
# Sessions of other devices are ready.
arrived = true

# Programs that the tray app starts, by name, like "kitty". Empty: the system's choice.
[programs]
terminal = ""
editor = ""
"#;

/// Where the settings of a home are.
pub fn file(home: &Path) -> PathBuf {
    home.join("config.toml")
}

/// Reads config.toml. Writes the commented template first if there is none.
pub fn load(home: &Path) -> Result<Settings, SettingsError> {
    let path = file(home);
    if !path.exists() {
        std::fs::write(&path, TEMPLATE).map_err(|source| SettingsError::Write {
            path: path.clone(),
            source,
        })?;
    }
    let text = std::fs::read_to_string(&path).map_err(|source| SettingsError::Read {
        path: path.clone(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| SettingsError::Parse {
        path,
        message: error.to_string(),
    })
}

/// Sets one of the switches of `[network]`, which are read when the engine starts.
pub fn switch_network(home: &Path, name: &str, on: bool) -> Result<Settings, SettingsError> {
    change(home, |document| {
        document["network"][name] = toml_edit::value(on)
    })
}

/// Sets the Syncthing binary, which is read when the engine starts.
pub fn use_syncthing(home: &Path, binary: &Path) -> Result<Settings, SettingsError> {
    change(home, |document| {
        document["syncthing"]["binary"] = toml_edit::value(binary.to_string_lossy().as_ref())
    })
}

/// Changes config.toml in place. Comments and everything `edit` leaves alone are kept.
pub fn change(
    home: &Path,
    edit: impl FnOnce(&mut toml_edit::DocumentMut),
) -> Result<Settings, SettingsError> {
    load(home)?;
    let path = home.join("config.toml");
    let text = std::fs::read_to_string(&path).map_err(|source| SettingsError::Read {
        path: path.clone(),
        source,
    })?;
    let mut document: toml_edit::DocumentMut =
        text.parse()
            .map_err(|error: toml_edit::TomlError| SettingsError::Parse {
                path: path.clone(),
                message: error.to_string(),
            })?;
    edit(&mut document);
    let next = path.with_extension("toml.new");
    std::fs::write(&next, document.to_string())
        .and_then(|()| std::fs::rename(&next, &path))
        .map_err(|source| SettingsError::Write { path, source })?;
    load(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_complete_and_says_the_defaults() {
        let template = toml::from_str::<Settings>(TEMPLATE).expect("template");
        assert_eq!(template, Settings::default());
    }

    #[test]
    fn a_change_keeps_the_comments() {
        let home = tempfile::tempdir().expect("tempdir");
        let settings = change(home.path(), |document| {
            document["tools"]["codex"]["on"] = toml_edit::value(false);
        })
        .expect("change");
        assert!(!settings.tools["codex"].on);
        let text = std::fs::read_to_string(home.path().join("config.toml")).expect("text");
        assert!(text.contains("# Find devices on the same network."));
    }
}
