//! `cargo xtask test`: every check for a commit, one section after the other, all of them even if
//! one fails, with a summary at the end. Knows no single test.

use crate::setup::{self, ForTests};
use crate::{bench, proc, tidy};
use anyhow::{Context, Result, bail};
use serde_json::Value;
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
    heading("Setup");
    let ready = match extent {
        Extent::Everything => setup::to_test()?,
        Extent::Quick => setup::to_test_quickly().map(|()| ForTests::default())?,
    };
    // First: the tray app embeds the window and cannot be compiled without it.
    report.section("Window", window);
    report.section("Formatting", || {
        proc::run(proc::cargo().args(["fmt", "--all", "--", "--check"]))
    });
    report.section("Lints", || {
        let words = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ];
        proc::run(proc::cargo().args(words))
    });
    report.section("Rules of the repository", tidy::run);
    // Programs and tests at once, as the tests themselves request them: nothing is built twice for
    // different features.
    report.section("Build", || {
        proc::run(proc::cargo().args(["build", "--locked", "--workspace", "--all-targets"]))
    });
    report.section("Tests", || match extent {
        // Only on Linux are the requirements of the real programs installed.
        Extent::Everything if cfg!(target_os = "linux") => {
            proc::run_and_quote(tests().args(["--", "--skip", OLDER]))
        }
        Extent::Everything | Extent::Quick => proc::run_and_quote(
            tests()
                .args(["--lib", "--bins"])
                .args(targets(|it| !it.real)?),
        ),
    });
    if extent == Extent::Everything && cfg!(target_os = "linux") {
        report.section("Growth with the number of sessions", bench::growth);
        report.section("Clients of the store for apps", clients);
        report.section("Every view and state of the window in a browser", || {
            proc::run_and_quote(&mut setup::npm(&proc::root().join("ui"), &["run", "e2e"])?)
        });
    }
    if let Some(binary) = &ready.newer_syncthing {
        report.section("Tests that drive Syncthing, again with 1.29", || {
            let names = targets(|it| it.name.starts_with("syncthing") || it.name == "app")?;
            proc::run_and_quote(
                tests()
                    .args(names)
                    .env("SESSION_ROAM_TEST_SYNCTHING", binary),
            )
        });
    }
    report.close(&ready.missing)
}

/// Builds the window and checks its types, its formatting and its pure parts.
fn window() -> Result<()> {
    setup::build_window()?;
    let ui = proc::root().join("ui");
    for words in [["run", "check"], ["run", "test"]] {
        proc::run(&mut setup::npm(&ui, &words)?)?;
    }
    Ok(())
}

/// Builds the clients, and runs their tests against the engine that was just built.
fn clients() -> Result<()> {
    let clients = proc::root().join("clients");
    let roam = proc::target_dir()?.join("debug/roam");
    let typescript = clients.join("typescript");
    setup::npm_ci_once(&typescript)?;
    proc::run(setup::npm(&typescript, &["test"])?.env("ROAM", &roam))?;
    let mut python = Command::new("python3");
    python.args(["-B", "-W", "error", "-m", "unittest"]);
    proc::run(
        python
            .current_dir(clients.join("python"))
            .env("ROAM", &roam),
    )
}

/// Pages generated from the code are written by the tests that check them.
pub fn write_docs() -> Result<()> {
    let test = [
        "test",
        "--locked",
        "--quiet",
        "--package",
        "session-roam-core",
    ];
    for made in [
        ["--test", "core", "tools_page::"].as_slice(),
        &["--lib", "api::bindings"],
        &["--lib", "open::tests::the_schema"],
        &["--test", "core", "stories::losses::"],
        &["--test", "core", "stories::recorded::"],
    ] {
        proc::run(proc::cargo().args(test).args(made).env("UPDATE_DOCS", "1"))?;
    }
    Ok(())
}

/// In the names of tests with older versions of the real tools.
const OLDER: &str = "::older::";

/// The tests that [`run`] leaves out: they are slow, and seldom fail alone.
pub fn older() -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("the tests with real tools need Linux's network namespaces");
    }
    setup::to_test()?;
    let target = ["--package=session-roam-cli", "--test=real", "--", OLDER];
    proc::run(tests_of(&["test", "--locked"]).args(target))
}

/// More tests at once than there are processors: those with real programs mostly wait, and use a
/// third of two processors when two of them run.
fn tests() -> Command {
    tests_of(&["test", "--locked", "--workspace", "--no-fail-fast"])
}

fn tests_of(words: &[&str]) -> Command {
    let processors = std::thread::available_parallelism().map_or(2, |count| count.get());
    let at_once = (processors + processors.div_ceil(2)).to_string();
    let mut command = proc::cargo();
    command.args(words).env("RUST_TEST_THREADS", at_once);
    command
}

/// A file below tests/.
struct Target {
    name: String,
    /// The target runs third-party programs: `[package.metadata.real]` of its package lists it.
    real: bool,
}

/// `--test NAME` for each test target that `wanted` accepts.
fn targets(wanted: impl Fn(&Target) -> bool) -> Result<Vec<String>> {
    let metadata = proc::metadata()?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata names no packages")?;
    let all = packages
        .iter()
        .map(targets_of)
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten();
    let names: Vec<String> = all
        .filter(wanted)
        .flat_map(|target| ["--test".to_owned(), target.name])
        .collect();
    match names.is_empty() {
        true => bail!("none of the test targets is meant"),
        false => Ok(names),
    }
}

fn targets_of(package: &Value) -> Result<Vec<Target>> {
    let tests = package["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|target| target["kind"][0] == "test");
    let names: Vec<&str> = tests.filter_map(|target| target["name"].as_str()).collect();
    let real: Vec<&str> = package["metadata"]["real"]["tests"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if let Some(stranger) = real.iter().find(|name| !names.contains(name)) {
        bail!(
            "[package.metadata.real] of {} names `{stranger}`, which is no test target",
            package["name"]
        );
    }
    Ok(names
        .into_iter()
        .map(|name| Target {
            name: name.to_owned(),
            real: real.contains(&name),
        })
        .collect())
}

fn heading(name: &str) {
    println!(
        "\n== {name} {}",
        "=".repeat(100usize.saturating_sub(name.len()))
    );
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
        if outcome.is_err() {
            println!("FAILED: {name}. What it said is repeated at the end.");
        }
        self.sections.push((name, outcome, start.elapsed()));
    }

    fn close(self, missing: &[String]) -> Result<()> {
        // Again at the end: a log of an hour is cut in its middle by many viewers.
        for (name, outcome, _) in &self.sections {
            if let Err(error) = outcome {
                heading(&format!("FAILED: {name}"));
                println!("{error:#}");
            }
        }
        heading("Summary");
        for (name, outcome, took) in &self.sections {
            let word = if outcome.is_ok() { "ok    " } else { "FAILED" };
            println!("{word}  {:6.1} s  {name}", took.as_secs_f64());
        }
        for missing in missing {
            println!("LEFT OUT          {missing}");
        }
        let failed: Vec<_> = self
            .sections
            .iter()
            .filter(|(_, outcome, _)| outcome.is_err())
            .map(|(name, ..)| *name)
            .collect();
        match failed.is_empty() {
            true => Ok(()),
            false => bail!("not passed: {}", failed.join(", ")),
        }
    }
}
