//! The C library version that the programs require: the packages declare it, so that a system that
//! is too old refuses them at once instead of starting a program that cannot run.

use super::target::Target;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

const MARK: &[u8] = b"GLIBC_2.";

/// The settings that declare the requirement for Debian and for rpm. `None` if no program has one.
pub fn requirement(target: &Target, programs: &[PathBuf]) -> Result<Option<Value>> {
    let mut newest = None;
    for program in programs {
        let bytes =
            fs::read(program).with_context(|| format!("could not read {}", program.display()))?;
        newest = newest.max(newest_in(&bytes));
    }
    let rpm =
        |minor| match target.triple.starts_with("x86_64") || target.triple.starts_with("aarch64") {
            true => format!("libc.so.6(GLIBC_2.{minor})(64bit)"),
            false => format!("libc.so.6(GLIBC_2.{minor})"),
        };
    Ok(newest.map(|minor| {
        json!({ "bundle": { "linux": {
            "deb": { "depends": [format!("libc6 (>= 2.{minor})")] },
            "rpm": { "depends": [rpm(minor)] },
        } } })
    }))
}

/// Version names appear in a program as plain text.
fn newest_in(program: &[u8]) -> Option<u32> {
    let places = program
        .windows(MARK.len())
        .enumerate()
        .filter(|(_, window)| *window == MARK);
    let minors = places.filter_map(|(at, _)| {
        let digits: String = program[at + MARK.len()..]
            .iter()
            .map(|byte| char::from(*byte))
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().ok()
    });
    minors.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_any_program_asks_for_is_needed() {
        assert_eq!(
            newest_in(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0"),
            Some(34)
        );
        assert_eq!(newest_in(b"a program without one GLIBC_2."), None);
        let dir = tempfile::tempdir().unwrap();
        let programs = [("one", "GLIBC_2.17\0"), ("two", "GLIBC_2.36\0")].map(|(name, text)| {
            fs::write(dir.path().join(name), text).unwrap();
            dir.path().join(name)
        });
        let target = Target {
            triple: "x86_64-unknown-linux-gnu".into(),
            is_here: true,
        };
        let linux = requirement(&target, &programs).unwrap().unwrap()["bundle"]["linux"].clone();
        assert_eq!(linux["deb"]["depends"][0], "libc6 (>= 2.36)");
        assert_eq!(linux["rpm"]["depends"][0], "libc.so.6(GLIBC_2.36)(64bit)");
    }
}
