//! `cargo xtask run`: from a fresh checkout to a running engine. Knows nothing of what the engine does.

use crate::{proc, setup};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

pub fn run(args: &[&str]) -> Result<()> {
    setup::to_run()?;
    let roam = build_roam()?;
    println!("$ roam run {}", args.join(" "));
    become_program(Command::new(roam).arg("run").args(args))
}

/// Builds `roam` as users get it. The release profile, because an unoptimised engine hashes and parses ten times slower
/// and would miss every promise; most of the build is dependencies, which are built once.
pub fn build_roam() -> Result<PathBuf> {
    proc::run(proc::cargo().args(["build", "--release", "--locked", "--package", "session-roam-cli"]))?;
    Ok(proc::target_dir()?.join("release").join(format!("roam{}", std::env::consts::EXE_SUFFIX)))
}

#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    // In our place, so that signals and the exit code are the engine's own.
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1));
}
