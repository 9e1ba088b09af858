//! `cargo xtask test --lab NAME`: an adapter against the storage code of a vendor. That code is installed for the lab
//! alone and is no part of the repository; results and dates are in docs/tools.md.

use crate::proc;
use anyhow::{Result, bail};
use std::process::Command;

pub fn run(name: &str) -> Result<()> {
    match name {
        "cursor" => cursor(),
        other => bail!("there is no lab \"{other}\"; there is: cursor"),
    }
}

/// Needs python3 and, once, PyPI. About 180 MB are kept in the build directory.
fn cursor() -> Result<()> {
    let example = [
        "--package",
        "session-roam-core",
        "--example",
        "cursor-store",
    ];
    proc::run(proc::cargo().args(["build", "--locked"]).args(example))?;
    let target = proc::target_dir()?;
    let program = target.join("debug/examples/cursor-store");
    let script = proc::root().join("tests/lab/cursor/lab.py");
    let mut lab = Command::new("python3");
    proc::run(lab.arg(script).arg(program).arg(target.join("lab/cursor")))
}
