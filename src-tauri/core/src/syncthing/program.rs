//! Which Syncthing is run: finds it, reads its version, refuses a missing or too old one. Knows
//! programs; knows neither homes nor daemons.

use super::child_error::{ChildError, OLDEST};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The name of the daemon shipped beside `roam`, so that it is never taken for the user's own.
const SIDECAR: &str = "session-roam-syncthing";

/// A Syncthing binary with a known version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    pub path: PathBuf,
    pub version: Version,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    /// In Syncthing's own form, like `v1.29.5`.
    pub text: String,
}

impl Version {
    /// Finds `v1.29.5` in the output of a version command or of the REST interface.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let mut numbers = word.strip_prefix('v')?.split(['.', '-', '+']);
            let major = numbers.next()?.parse().ok()?;
            let minor = numbers.next()?.parse().ok()?;
            Some(Self {
                major,
                minor,
                text: word.to_owned(),
            })
        })
    }
}

/// The user's choice, else the one beside this program, else `syncthing` on PATH. It must identify
/// itself as Syncthing.
pub fn find_binary(chosen: Option<&Path>) -> Result<Binary, ChildError> {
    let path = match chosen {
        Some(path) if path.is_file() => path.to_owned(),
        Some(path) => return Err(ChildError::NoSuchBinary(path.to_owned())),
        None => found().ok_or(ChildError::Missing)?,
    };
    let version = ask_version(&path)?;
    if (version.major, version.minor) < OLDEST {
        return Err(ChildError::TooOld {
            path,
            version: version.text,
        });
    }
    Ok(Binary { path, version })
}

#[allow(clippy::disallowed_methods)] // searched where the shell would search
fn found() -> Option<PathBuf> {
    let us = std::env::current_exe().ok();
    // We may run through a link: on macOS the path is the link's, and the shipped files lie beside
    // the program itself.
    let whole = us.as_deref().and_then(|us| us.canonicalize().ok());
    let path = std::env::var_os("PATH").unwrap_or_default();
    candidates(
        [us, whole].into_iter().flatten(),
        std::env::split_paths(&path),
    )
    .find(|file| file.is_file())
}

/// Where a Syncthing may be, in order of preference: the shipped one is the one that was tested.
fn candidates(
    us: impl Iterator<Item = PathBuf>,
    path: impl Iterator<Item = PathBuf>,
) -> impl Iterator<Item = PathBuf> {
    let named = |name| format!("{name}{}", std::env::consts::EXE_SUFFIX);
    us.map(move |us| us.with_file_name(named(SIDECAR)))
        .chain(path.map(move |dir| dir.join(named("syncthing"))))
}

/// 1.x knows `--version`, 2.x the sub-command `version`.
fn ask_version(path: &Path) -> Result<Version, ChildError> {
    let mut said = String::new();
    for argument in ["--version", "version"] {
        let text = run_briefly(path, &[argument.into()])?.1;
        if let Some(version) =
            Version::parse(&text).filter(|_| text.to_lowercase().contains("syncthing"))
        {
            return Ok(version);
        }
        said = text;
    }
    Err(ChildError::NotSyncthing {
        path: path.to_owned(),
        text: said.lines().next().unwrap_or("nothing").to_owned(),
    })
}

/// Runs the binary briefly; returns whether it succeeded, and its output. A wrong binary may never
/// end, so it gets 20 s.
pub(super) fn run_briefly(
    path: &Path,
    arguments: &[OsString],
) -> Result<(bool, String), ChildError> {
    let failed = |source| ChildError::Run {
        path: path.to_owned(),
        source,
    };
    let (mut reader, writer) = io::pipe().map_err(failed)?;
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null());
    command
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer);
    without_syncthing_variables(&mut command);
    quietly(&mut command);
    let mut child = command.spawn().map_err(failed)?;
    drop(command); // It holds the writing ends: else the reader would never see the end.
    let printed = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = io::Read::read_to_end(&mut io::Read::take(&mut reader, 64 * 1024), &mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let end = Instant::now() + Duration::from_secs(20);
    let good = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status.success(),
            None if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(io::ErrorKind::TimedOut.into()));
            }
        }
    };
    Ok((good, printed.join().unwrap_or_default()))
}

/// Syncthing reads most settings from the environment too; those of the user's own Syncthing must
/// not affect ours.
pub fn without_syncthing_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| {
            name.starts_with("ST") && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        }) {
            command.env_remove(name);
        }
    }
}

/// Prevents a flashing console window on Windows.
#[cfg(windows)]
pub fn quietly(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW};
    command.creation_flags(CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP);
}

#[cfg(not(windows))]
pub fn quietly(_command: &mut Command) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_is_printed() {
        let version =
            Version::parse("syncthing v1.19.2-ds1 \"Fermium Flea\" (go1.19.8 linux-amd64)")
                .expect("1.19");
        assert_eq!((version.major, version.minor), (1, 19));
        assert_eq!(
            Version::parse("syncthing v2.1.3 \"Hafnium\"").map(|version| version.major),
            Some(2)
        );
        assert_eq!(Version::parse("cat (GNU coreutils) 9.1"), None);
    }

    #[test]
    fn a_wrong_binary_is_explained() {
        use crate::syncthing::SyncthingState;
        let home = tempfile::tempdir().expect("tempdir");
        let absent = find_binary(Some(&home.path().join("none"))).expect_err("absent");
        assert_eq!(
            (absent.state(), absent.problem().code.as_str()),
            (SyncthingState::Missing, "syncthing_missing")
        );
        let wrong = find_binary(Some(&std::env::current_exe().expect("test binary")))
            .expect_err("not syncthing");
        assert_eq!(wrong.problem().code.as_str(), "syncthing_wrong_binary");
    }

    #[test]
    fn the_one_that_came_with_us_goes_before_the_systems() {
        let dir = tempfile::tempdir().expect("tempdir");
        let (ours, systems) = (dir.path().join("app"), dir.path().join("bin"));
        let found = || {
            let us = std::iter::once(ours.join("session-roam"));
            candidates(us, [dir.path().join("none"), systems.clone()].into_iter())
                .find(|file| file.is_file())
        };
        let put = |dir: &Path, name: &str| {
            std::fs::create_dir_all(dir).expect("directory");
            let file = dir.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
            std::fs::write(&file, "").expect("file");
            file
        };
        assert_eq!(found(), None);
        put(&ours, "syncthing"); // anybody's Syncthing
        let of_system = put(&systems, "syncthing");
        assert_eq!(found(), Some(of_system));
        let of_ours = put(&ours, SIDECAR);
        assert_eq!(found(), Some(of_ours));
    }
}
