//! The Syncthing in a package: the pinned official release, or this machine's own for a package
//! that is not distributed. Never without its licence.

use super::pins::Pins;
use super::target::Target;
use crate::proc;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the program to include.
const VARIABLE: &str = "SESSION_ROAM_SYNCTHING_BIN";
/// Debian's copy of Syncthing's licence.
const DEBIANS_LICENCE: &str = "/usr/share/common-licenses/MPL-2.0";

pub struct Syncthing {
    pub program: PathBuf,
    pub licence: PathBuf,
    /// Like `v2.1.3`.
    pub version: String,
    pub from: String,
}

impl Syncthing {
    /// Downloads the official release into `cache` and verifies it.
    pub fn pinned(target: &Target, cache: &Path) -> Result<Self> {
        let pins = Pins::committed()?;
        let name = target.syncthing_archive(&pins.version)?;
        fs::create_dir_all(cache).with_context(|| format!("could not make {}", cache.display()))?;
        let archive = pins.fetch(&name, cache)?;
        let dir = cache.join("unpacked");
        empty(&dir)?;
        proc::run(
            Command::new(tar())
                .arg("-xf")
                .arg(&archive)
                .arg("-C")
                .arg(&dir),
        )?;
        let inside = dir.join(name.trim_end_matches(".tar.gz").trim_end_matches(".zip"));
        let program = inside.join(format!("syncthing{}", target.exe_suffix()));
        let licence = inside.join("LICENSE.txt");
        for file in [&program, &licence] {
            if !file.is_file() {
                bail!(
                    "{name} does not hold {}",
                    file.strip_prefix(&dir).unwrap_or(file).display()
                );
            }
        }
        Ok(Self {
            program,
            licence,
            version: format!("v{}", pins.version),
            from: format!("the official archive {name}"),
        })
    }

    /// The program named by the variable, else this machine's own.
    pub fn of_this_machine(target: &Target) -> Result<Self> {
        if !target.is_here {
            bail!(
                "a Syncthing of this machine does not run on {}: bundle with --pinned",
                target.triple
            );
        }
        let chosen = std::env::var_os(VARIABLE)
            .map(PathBuf::from)
            .or_else(|| proc::find("syncthing"));
        let Some(program) = chosen.filter(|program| program.is_file()) else {
            bail!(
                "there is no Syncthing to put into the package: install it, name one in {VARIABLE}, or use --pinned"
            )
        };
        let beside = ["LICENSE.txt", "LICENSE"].map(|name| program.with_file_name(name));
        let Some(licence) = beside
            .into_iter()
            .chain([DEBIANS_LICENCE.into()])
            .find(|file| file.is_file())
        else {
            bail!(
                "the licence of {} was not found, and without it Syncthing may not be handed on",
                program.display()
            )
        };
        let version = version(&program)?;
        Ok(Self {
            from: format!("{}, as this machine has it", program.display()),
            program,
            licence,
            version,
        })
    }

    /// The notice that the licence requires for whoever receives the program.
    pub fn about(&self) -> String {
        // Debian's own builds report `v1.19.2-ds1`; the source is that of the release.
        let release = self.version.split('-').next().unwrap_or(&self.version);
        format!(
            "session-roam-syncthing is Syncthing {}, a program of its own, unchanged.\n\
             From: {}\n\
             Licence: Mozilla Public License 2.0, in LICENSE.txt beside this file.\n\
             Source: https://github.com/syncthing/syncthing/tree/{release}\n",
            self.version, self.from
        )
    }
}

/// 1.x knows `--version`, 2.x the sub-command `version`.
fn version(program: &Path) -> Result<String> {
    let texts =
        ["--version", "version"].map(|argument| proc::output(Command::new(program).arg(argument)));
    let text = texts
        .into_iter()
        .flatten()
        .find(|text| text.starts_with("syncthing v"));
    let word = text
        .as_deref()
        .and_then(|text| text.split_whitespace().nth(1));
    Ok(word
        .with_context(|| format!("{} does not say that it is Syncthing", program.display()))?
        .to_owned())
}

pub fn empty(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("could not empty {}", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))
}

/// The tar of Windows reads zip, like the one of macOS; the tar that Git brings to Windows does
/// not.
fn tar() -> PathBuf {
    match std::env::var_os("SystemRoot") {
        Some(root) if cfg!(windows) => Path::new(&root).join("System32").join("tar.exe"),
        _ => "tar".into(),
    }
}
