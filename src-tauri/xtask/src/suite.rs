//! `cargo xtask test`: everything that must be true of a commit, one section after the other, all of them even when one
//! fails, with a summary at the end. Knows no single test.

use crate::setup::{self, ForTests};
use crate::{proc, tidy};
use anyhow::{Context, Result, bail};
use std::process::Command;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Everything,
    /// Without real Syncthings and real tools.
    Quick,
}

pub fn run(extent: Extent) -> Result<()> {
    let mut report = Report::default();
    let mut ready = ForTests::default();
    if extent == Extent::Everything {
        heading("Setup");
        ready = setup::to_test()?;
    }
    report.section("Formatting", || proc::run(proc::cargo().args(["fmt", "--all", "--", "--check"])));
    report.section("Lints", || {
        let words = ["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "--deny", "warnings"];
        proc::run(proc::cargo().args(words))
    });
    report.section("Rules of the repository", tidy::run);
    // Programs and tests at once, as the tests themselves ask for them: nothing is built twice for other features.
    report.section("Build", || proc::run(proc::cargo().args(["build", "--locked", "--workspace", "--all-targets"])));
    report.section("Tests", || proc::run(real(&mut tests(), extent)));
    if let Some(binary) = &ready.newer_syncthing {
        report.section("Tests that drive Syncthing, again with 1.29", || {
            let mut command = tests();
            command.args(syncthing_targets()?).env("SESSION_ROAM_TEST_SYNCTHING", binary);
            proc::run(real(&mut command, extent))
        });
    }
    report.close(&ready.missing)
}

fn tests() -> Command {
    let mut command = proc::cargo();
    command.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
    command
}

/// With the tests switched on that use real Syncthings and real tools.
fn real(command: &mut Command, extent: Extent) -> &mut Command {
    if extent == Extent::Everything && cfg!(target_os = "linux") {
        command.env("SESSION_ROAM_REAL", "1");
    }
    command
}

/// `--test NAME` for every test target whose name begins with `syncthing`.
fn syncthing_targets() -> Result<Vec<String>> {
    let metadata = proc::metadata()?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let targets = packages.iter().filter_map(|package| package["targets"].as_array()).flatten();
    let names: Vec<String> = targets
        .filter(|target| target["kind"][0] == "test")
        .filter_map(|target| target["name"].as_str())
        .filter(|name| name.starts_with("syncthing"))
        .flat_map(|name| ["--test".to_owned(), name.to_owned()])
        .collect();
    match names.is_empty() {
        true => bail!("no test target's name begins with `syncthing`: nothing drives a real one"),
        false => Ok(names),
    }
}

fn heading(name: &str) {
    println!("\n== {name} {}", "=".repeat(100usize.saturating_sub(name.len())));
}

#[derive(Default)]
struct Report {
    sections: Vec<(&'static str, Result<()>, Duration)>,
}

impl Report {
    fn section(&mut self, name: &'static str, act: impl FnOnce() -> Result<()>) {
        heading(name);
        let start = Instant::now();
        let outcome = act();
        if let Err(error) = &outcome {
            println!("FAILED: {error:#}");
        }
        self.sections.push((name, outcome, start.elapsed()));
    }

    fn close(self, missing: &[String]) -> Result<()> {
        heading("Summary");
        for (name, outcome, took) in &self.sections {
            let word = if outcome.is_ok() { "ok    " } else { "FAILED" };
            println!("{word}  {:6.1} s  {name}", took.as_secs_f64());
        }
        for missing in missing {
            println!("LEFT OUT          {missing}");
        }
        let failed: Vec<_> =
            self.sections.iter().filter(|(_, outcome, _)| outcome.is_err()).map(|(name, ..)| *name).collect();
        match failed.is_empty() {
            true => Ok(()),
            false => bail!("not passed: {}", failed.join(", ")),
        }
    }
}
