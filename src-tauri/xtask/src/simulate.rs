//! `cargo xtask simulate`: the simulation of tests/core/stories/simulation with many seeds, in release,
//! which takes a fraction of the time per seed. Knows the test by name only.

use crate::proc;
use anyhow::{Context, Result, bail};

/// As many as fit into a night.
const SEEDS: &str = "10000";

pub fn run(args: &[&str]) -> Result<()> {
    let (mut seeds, mut from) = (SEEDS, "0");
    let mut rest = args.iter();
    while let Some(name) = rest.next() {
        let value = rest
            .next()
            .with_context(|| format!("{name} wants a number"))?;
        value
            .parse::<u64>()
            .with_context(|| format!("{name} wants a number, not {value}"))?;
        match *name {
            "--seeds" => seeds = value,
            "--from" => from = value,
            _ => bail!("simulate knows --seeds and --from, not {name}"),
        }
    }
    let words = [
        "test",
        "--locked",
        "--release",
        "--package",
        "session-roam-core",
        "--test",
        "core",
    ];
    let test = ["stories::simulation::r1_r2_r15", "--", "--nocapture"];
    proc::run(
        proc::cargo()
            .args(words)
            .args(test)
            .env("SIM_SEEDS", seeds)
            .env("SIM_FROM", from),
    )
}
