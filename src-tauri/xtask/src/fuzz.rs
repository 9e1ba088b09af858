//! `cargo xtask fuzz`: runs the readers of tests/core/fuzz.rs for the requested time, in release. Knows
//! the test by name only.

use crate::proc;
use anyhow::{Context, Result, bail};

pub fn run(args: &[&str]) -> Result<()> {
    let (mut target, mut seconds, mut seed, mut tool) = ("", "60", "1592659729", None);
    let mut rest = args.iter();
    while let Some(name) = rest.next() {
        if !name.starts_with("--") {
            target = name;
            continue;
        }
        let value = rest
            .next()
            .with_context(|| format!("{name} wants a value"))?;
        if *name == "--tool" {
            tool = Some(value);
            continue;
        }
        value
            .parse::<u64>()
            .with_context(|| format!("{name} wants a number, not {value}"))?;
        match *name {
            "--seconds" => seconds = value,
            "--seed" => seed = value,
            _ => bail!("fuzz knows --seconds, --seed and --tool, not {name}"),
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
    let target = format!("fuzz::{target}");
    let test = [&target, "--", "--nocapture", "--test-threads=1"];
    proc::run(
        proc::cargo()
            .args(words)
            .args(test)
            .env("FUZZ_SECONDS", seconds)
            .env("FUZZ_SEED", seed)
            .envs(tool.map(|tool| ("FUZZ_TOOL", tool))),
    )
}
