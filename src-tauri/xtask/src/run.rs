//! `cargo xtask run`: from a fresh checkout to the running product: the tray app if there is a
//! display, else the headless engine. Knows nothing of their purpose.

use crate::{proc, setup};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

pub fn run(args: &[&str]) -> Result<()> {
    setup::to_run()?;
    match args {
        ["--headless", args @ ..] => run_roam(args),
        args if setup::has_display() => run_app(args),
        args => {
            println!("There is no display: this starts the engine alone.");
            run_roam(args)
        }
    }
}

fn run_app(args: &[&str]) -> Result<()> {
    setup::to_build_app()
        .context("`cargo xtask run --headless` needs none of it and starts the engine alone")?;
    setup::build_window()?;
    // `roam` too: the window shows its commands, and scripts use it.
    build_roam()?;
    proc::run(proc::cargo().args([
        "build",
        "--release",
        "--locked",
        "--package",
        "session-roam",
    ]))?;
    let app = proc::target_dir()?
        .join("release")
        .join(format!("session-roam{}", std::env::consts::EXE_SUFFIX));
    println!("$ session-roam {}", args.join(" "));
    become_program(Command::new(app).args(args))
}

fn run_roam(args: &[&str]) -> Result<()> {
    let roam = build_roam()?;
    println!("$ roam run {}", args.join(" "));
    become_program(Command::new(roam).arg("run").args(args))
}

/// Builds `roam` as users get it. The release profile, because an unoptimised engine hashes and
/// parses ten times slower and would miss every budget; most of the build is dependencies, which
/// are built once.
pub fn build_roam() -> Result<PathBuf> {
    proc::run(proc::cargo().args([
        "build",
        "--release",
        "--locked",
        "--package",
        "session-roam-cli",
    ]))?;
    Ok(proc::target_dir()?
        .join("release")
        .join(format!("roam{}", std::env::consts::EXE_SUFFIX)))
}

#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    // Replaces our process, so that signals and the exit code are the engine's own.
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1));
}
