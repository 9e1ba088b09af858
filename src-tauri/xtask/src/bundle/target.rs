//! The target system of a build: a Rust triple, and other projects' names for the same system.

use anyhow::{Context, Result, bail};
use std::process::Command;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub triple: String,
    /// The target is this machine, so its programs can be run.
    pub is_here: bool,
}

impl Target {
    pub fn here() -> Result<Self> {
        let text = crate::proc::output(Command::new("rustc").arg("-vV"))?;
        let triple = text
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("rustc -vV names no host")?;
        Ok(Self {
            triple: triple.to_owned(),
            is_here: true,
        })
    }

    pub fn named(triple: &str) -> Result<Self> {
        let here = Self::here()?;
        match triple == here.triple {
            true => Ok(here),
            false => Ok(Self {
                triple: triple.to_owned(),
                is_here: false,
            }),
        }
    }

    pub fn is_windows(&self) -> bool {
        self.triple.contains("windows")
    }

    pub fn is_linux(&self) -> bool {
        self.triple.contains("linux")
    }

    pub fn exe_suffix(&self) -> &'static str {
        if self.is_windows() { ".exe" } else { "" }
    }

    /// The archive in which Syncthing's project publishes its program for this system.
    pub fn syncthing_archive(&self, version: &str) -> Result<String> {
        let arch = match self.triple.split('-').next() {
            Some("x86_64") => "amd64",
            Some("aarch64") => "arm64",
            _ => bail!("no Syncthing is pinned for {}", self.triple),
        };
        let (system, form) = match () {
            () if self.is_windows() => ("windows", "zip"),
            () if self.triple.contains("apple") => ("macos", "zip"),
            () if self.is_linux() => ("linux", "tar.gz"),
            () => bail!("no Syncthing is pinned for {}", self.triple),
        };
        Ok(format!("syncthing-{system}-{arch}-v{version}.{form}"))
    }

    /// The package formats for this system.
    pub fn formats(&self) -> &'static str {
        match () {
            () if self.is_windows() => "nsis,msi",
            () if self.is_linux() => "deb,rpm",
            () => "app,dmg",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_has_its_archive_and_its_packages() {
        let of = |triple: &str| Target {
            triple: triple.into(),
            is_here: false,
        };
        let linux = of("aarch64-unknown-linux-gnu");
        assert_eq!(
            linux.syncthing_archive("2.1.3").unwrap(),
            "syncthing-linux-arm64-v2.1.3.tar.gz"
        );
        assert_eq!((linux.formats(), linux.exe_suffix()), ("deb,rpm", ""));
        let windows = of("x86_64-pc-windows-msvc");
        assert_eq!(
            windows.syncthing_archive("2.1.3").unwrap(),
            "syncthing-windows-amd64-v2.1.3.zip"
        );
        assert_eq!(
            (windows.formats(), windows.exe_suffix()),
            ("nsis,msi", ".exe")
        );
        let mac = of("x86_64-apple-darwin");
        assert_eq!(
            mac.syncthing_archive("2.1.3").unwrap(),
            "syncthing-macos-amd64-v2.1.3.zip"
        );
        assert!(
            of("riscv64gc-unknown-linux-gnu")
                .syncthing_archive("2.1.3")
                .is_err(),
            "said, never guessed"
        );
    }
}
