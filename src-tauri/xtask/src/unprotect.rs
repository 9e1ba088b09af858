//! `cargo xtask unprotect`: shows that the tests of docs/security.md fail without what they test. In
//! a copy of the repository every protection gets a switch; each test then runs with its protection
//! switched off, and must fail. Knows the product only as the lines in `removals.rs`.

use self::removals::{REMOVALS, Removal};
use crate::proc;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod removals;

/// The variable that names the protection to switch off. Only the copy reads it.
const OFF: &str = "SESSION_ROAM_UNPROTECTED";
/// A test that hangs without its protection has failed.
const LONGEST: Duration = Duration::from_secs(180);

pub fn run(args: &[&str]) -> Result<()> {
    let chosen: Vec<&Removal> = REMOVALS
        .iter()
        .filter(|removal| args.is_empty() || args.contains(&removal.finding()))
        .collect();
    if chosen.is_empty() {
        bail!("no finding is called {}", args.join(" "));
    }
    let copy = proc::target_dir()?.join("unprotect");
    for name in tracked()? {
        copy_file(&name, &copy)?;
    }
    let programs = build(&copy)?;
    let mut silent = Vec::new();
    println!("| finding | taken out | fails then |\n|---|---|---|");
    for removal in chosen {
        for test in removal.tests {
            let (with, without) = (
                outcome(&programs, test, "")?,
                outcome(&programs, test, removal.what)?,
            );
            let name = test.rsplit([' ', ':']).next().unwrap_or(test);
            println!(
                "| {} | {} | `{name}`: {without:?} |",
                removal.finding(),
                removal.what
            );
            if with != Outcome::Passed || without == Outcome::Passed {
                silent.push(format!("{test}: {with:?}; without: {without:?}"));
            }
        }
    }
    if silent.is_empty() {
        return Ok(());
    }
    bail!("these tests show nothing:\n{}", silent.join("\n"))
}

/// What the copy's core gets.
const SWITCH: &str = r#"
extern crate self as session_roam_core;

/// Whether a protection is switched off.
#[allow(clippy::disallowed_methods)]
pub fn unprotected(what: &str) -> bool {
    std::env::var("SESSION_ROAM_UNPROTECTED").is_ok_and(|off| off == what)
}
"#;

fn tracked() -> Result<Vec<String>> {
    let listed = proc::output(Command::new("git").current_dir(proc::root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ]))?;
    let names = listed.split('\0').filter(|name| !name.is_empty());
    Ok(names.map(str::to_owned).collect())
}

/// Copies a file with its switches. One that did not change stays: cargo compiles what is newer.
fn copy_file(name: &str, copy: &Path) -> Result<()> {
    // A file that was deleted and not committed yet is listed.
    let Ok(mut bytes) = fs::read(proc::root().join(name)) else {
        return Ok(());
    };
    let to = copy.join(name);
    if let Ok(text) = std::str::from_utf8(&bytes) {
        bytes = switched(name, text)?.into_bytes();
    }
    if fs::read(&to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::create_dir_all(to.parent().context("a name in a directory")?)?;
    fs::write(&to, bytes).with_context(|| format!("could not write {}", to.display()))
}

/// The file's text, with a switch in each protection.
fn switched(name: &str, text: &str) -> Result<String> {
    let mut text = text.to_owned();
    for removal in REMOVALS {
        for (file, line, instead) in removal.edits {
            if *file != name {
                continue;
            }
            if text.matches(line).count() != 1 {
                bail!("{name} does not have this line once: {line}");
            }
            let off = format!("::session_roam_core::unprotected({:?})", removal.what);
            text = text.replace(line, &instead.replace("OFF", &off));
        }
    }
    if name == "src-tauri/core/src/lib.rs" {
        text.push_str(SWITCH);
    }
    Ok(text)
}

/// The copy's test programs, each with the directory it runs in, by target.
type Programs = BTreeMap<String, (PathBuf, PathBuf)>;

fn build(copy: &Path) -> Result<Programs> {
    let mut cargo = proc::cargo();
    cargo
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .args([
            "test",
            "--locked",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ])
        .args(["--package", "session-roam-core", "--lib"]);
    let tests = REMOVALS.iter().flat_map(|removal| removal.tests);
    let targets: BTreeSet<&str> = tests
        .filter_map(|test| Some(test.split_once(' ')?.0))
        .collect();
    for target in targets.into_iter().filter(|target| *target != "lib") {
        if ["cli", "tray"].contains(&target) {
            cargo.args(["--package", &format!("session-roam-{target}")]);
        }
        cargo.args(["--test", target]);
    }
    let mut programs = Programs::new();
    for line in proc::output(&mut cargo)?.lines() {
        let message: Value = serde_json::from_str(line)?;
        let (text, target) = (
            |at: &str| message.pointer(at).and_then(Value::as_str),
            "/target",
        );
        let is_test = message.pointer("/profile/test") == Some(&Value::Bool(true));
        if let (true, Some(program), Some(manifest)) =
            (is_test, text("/executable"), text("/manifest_path"))
        {
            let is_lib = message.pointer(&format!("{target}/kind/0")) == Some(&"lib".into());
            let name = text(&format!("{target}/name")).unwrap_or_default();
            let is_core = manifest.ends_with("core/Cargo.toml");
            let name = if is_lib && is_core { "lib" } else { name };
            let dir = Path::new(manifest).with_file_name("");
            programs.insert(name.into(), (program.into(), dir));
        }
    }
    Ok(programs)
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    /// It did not end, and was ended.
    Hung,
}

/// Runs one test of the copy, named by its target and its path, without the protection `off`.
fn outcome(programs: &Programs, test: &str, off: &str) -> Result<Outcome> {
    let (target, name) = test.split_once(' ').context("a target and a name")?;
    let (program, dir) = programs
        .get(target)
        .with_context(|| format!("there is no test program {target}"))?;
    let mut child = Command::new(program)
        .current_dir(dir)
        .args(["--exact", name])
        .env(OFF, off)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let began = Instant::now();
    while child.try_wait()?.is_none() {
        if LONGEST < began.elapsed() {
            child.kill()?;
            child.wait()?;
            return Ok(Outcome::Hung);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = String::from_utf8_lossy(&child.wait_with_output()?.stdout).into_owned();
    if said.contains("running 0 tests") {
        bail!("{target} has no test {name}");
    }
    Ok(if said.contains("1 passed") {
        Outcome::Passed
    } else {
        Outcome::Failed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protection_and_every_test_is_where_the_list_says() {
        let mut files: Vec<&str> = Vec::new();
        for (file, ..) in REMOVALS.iter().flat_map(|removal| removal.edits) {
            files.push(file);
            let text = fs::read_to_string(proc::root().join(file)).expect(file);
            switched(file, &text).expect("switched");
        }
        assert!(files.len() > 20);
        let names: BTreeSet<&str> = REMOVALS.iter().map(|removal| removal.what).collect();
        assert_eq!(
            names.len(),
            REMOVALS.len(),
            "each is switched off by its own name"
        );
    }
}
