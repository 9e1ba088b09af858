//! Where this device's session-roam lives: config.toml, state, vault and the Syncthing home. A pure
//! function of the given variables; does not check whether the directory exists.

use std::ffi::OsString;
use std::path::PathBuf;

/// The directory's name on every system.
const NAME: &str = "session-roam";

/// The systems that differ in where a program keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Os {
    /// Linux and the other free Unixes: the XDG base directories.
    Xdg,
    MacOs,
    Windows,
}

impl Os {
    pub fn here() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Xdg
        }
    }
}

/// Returns the home: `SESSION_ROAM_HOME`, else the system's place for data. `None` if the variables
/// do not determine it (no `HOME`, for instance). An empty variable counts as unset.
pub fn home(os: Os, var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let var = |name: &str| var(name).filter(|value| !value.is_empty());
    if let Some(chosen) = var("SESSION_ROAM_HOME") {
        return Some(PathBuf::from(chosen));
    }
    let data = match os {
        Os::Xdg => match var("XDG_DATA_HOME").filter(is_rooted) {
            Some(data) => PathBuf::from(data),
            None => PathBuf::from(var("HOME")?).join(".local").join("share"),
        },
        Os::MacOs => PathBuf::from(var("HOME")?)
            .join("Library")
            .join("Application Support"),
        Os::Windows => match var("LOCALAPPDATA") {
            Some(data) => PathBuf::from(data),
            None => PathBuf::from(var("USERPROFILE")?)
                .join("AppData")
                .join("Local"),
        },
    };
    Some(data.join(NAME))
}

/// The XDG base directory specification (0.8) says that relative paths are ignored.
fn is_rooted(path: &OsString) -> bool {
    path.as_encoded_bytes().starts_with(b"/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn home_with(os: Os, vars: &[(&str, &str)]) -> Option<PathBuf> {
        home(os, |name| {
            vars.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_variable_wins_everywhere() {
        for os in [Os::Xdg, Os::MacOs, Os::Windows] {
            let vars = [
                ("SESSION_ROAM_HOME", "/srv/roam"),
                ("HOME", "/home/mia"),
                ("LOCALAPPDATA", "C:\\x"),
            ];
            assert_eq!(home_with(os, &vars), Some("/srv/roam".into()));
        }
    }

    #[test]
    fn linux_follows_xdg_and_ignores_a_relative_one() {
        let vars = [("HOME", "/home/mia"), ("XDG_DATA_HOME", "/data")];
        assert_eq!(home_with(Os::Xdg, &vars), Some("/data/session-roam".into()));
        let expected = Path::new("/home/mia")
            .join(".local")
            .join("share")
            .join("session-roam");
        for unusable in ["", "data"] {
            let vars = [("HOME", "/home/mia"), ("XDG_DATA_HOME", unusable)];
            assert_eq!(home_with(Os::Xdg, &vars), Some(expected.clone()));
        }
    }

    #[test]
    fn macos_uses_application_support() {
        let vars = [("HOME", "/Users/mia"), ("XDG_DATA_HOME", "/data")];
        let expected = Path::new("/Users/mia")
            .join("Library")
            .join("Application Support")
            .join("session-roam");
        assert_eq!(home_with(Os::MacOs, &vars), Some(expected));
    }

    #[test]
    fn windows_uses_local_app_data_and_finds_it_from_the_profile() {
        let local = [
            ("LOCALAPPDATA", "C:\\Users\\mia\\AppData\\Local"),
            ("HOME", "/home/mia"),
        ];
        assert_eq!(
            home_with(Os::Windows, &local),
            Some(Path::new("C:\\Users\\mia\\AppData\\Local").join("session-roam"))
        );
        let profile = [("USERPROFILE", "C:\\Users\\mia")];
        let expected = Path::new("C:\\Users\\mia")
            .join("AppData")
            .join("Local")
            .join("session-roam");
        assert_eq!(home_with(Os::Windows, &profile), Some(expected));
    }

    #[test]
    fn without_any_variable_there_is_no_guess() {
        for os in [Os::Xdg, Os::MacOs, Os::Windows] {
            assert_eq!(home_with(os, &[]), None);
        }
    }
}
