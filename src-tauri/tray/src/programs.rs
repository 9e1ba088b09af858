//! The two programs of the tray app: `session-roam`, which runs all day, and the one for its windows. They lie side by side.

use crate::log;
use session_roam_core::daemon::home;
use session_roam_core::settings;
use std::path::{Path, PathBuf};

/// The first argument of a start without a window.
pub const HIDDEN: &str = "--hidden";

const TRAY: &str = "session-roam";
const WINDOW: &str = "session-roam-window";

pub fn tray() -> std::io::Result<PathBuf> {
    beside(TRAY)
}

pub fn window() -> std::io::Result<PathBuf> {
    beside(WINDOW)
}

fn beside(name: &str) -> std::io::Result<PathBuf> {
    Ok(in_directory_of(&std::env::current_exe()?, name))
}

/// The directory stays the same when a package is updated while its program runs, of which Linux adds a word to the name.
fn in_directory_of(program: &Path, name: &str) -> PathBuf {
    program.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The home of session-roam, as an absolute path.
pub fn home() -> Result<PathBuf, String> {
    home::home(home::Os::here(), |name| std::env::var_os(name))
        .and_then(|home| std::path::absolute(home).ok())
        .ok_or_else(|| {
            "This user's home directory is not known. Set SESSION_ROAM_HOME to one of your directories.".into()
        })
}

/// Whether the window may open this path: the home, its logs or its settings, whatever the settings say.
pub fn is_ours_to_open(home: &Path, path: &Path) -> bool {
    [home, &log::dir(home), &settings::file(home)].contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_broken_config_file_it_and_the_logs_are_still_opened() {
        let home = tempfile::tempdir().expect("home");
        let home = home.path();
        std::fs::write(settings::file(home), "no = toml = at all").expect("write");
        assert!(settings::load(home).is_err());
        for path in ["", "logs", "config.toml"] {
            assert!(is_ours_to_open(home, &home.join(path)), "{path}");
        }
        assert!(!is_ours_to_open(home, &home.join("vault")));
    }

    #[test]
    fn the_other_program_is_beside_this_one_even_if_this_one_was_replaced() {
        let wanted = format!("session-roam-window{}", std::env::consts::EXE_SUFFIX);
        for running in ["session-roam", "session-roam (deleted)"] {
            let program = Path::new("opt").join("roam").join(running);
            assert_eq!(
                in_directory_of(&program, WINDOW),
                Path::new("opt").join("roam").join(&wanted)
            );
        }
    }
}
