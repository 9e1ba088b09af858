//! How long an append on one device takes to arrive in the other's tool store.

use crate::corpus::{self, Dice, Session, Vocabulary};
use crate::device::{self, Device, Interrupt};
use anyhow::{Context, Result, bail};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Session sizes, which must make no difference.
pub const SIZES: [(&str, u64); 4] = [
    ("10 KB", 10_000),
    ("1 MB", 1_000_000),
    ("20 MB", 20_000_000),
    ("100 MB", 100_000_000),
];
const N: usize = 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// Durations of one series, sorted.
pub struct Times(Vec<Duration>);

impl Times {
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest value that is not exceeded by `percent` of all.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0[rank - 1]
    }
}

/// Two devices that are not started, each with a checkout of one repository.
pub(super) fn two_devices(
    roam: &Path,
    place: &Path,
    interrupt: &Interrupt,
) -> Result<([Device; 2], [PathBuf; 2])> {
    let desk = Device::prepare(roam, place.join("a"), "desk", "work", interrupt)?;
    let laptop = Device::prepare(roam, place.join("b"), "laptop", "src", interrupt)?;
    let projects = [
        desk.home.join("work/parser"),
        laptop.home.join("src/mine/parser"),
    ];
    for project in &projects {
        corpus::make_checkout(project, "https://git.example/acme/parser.git")?;
    }
    Ok(([desk, laptop], projects))
}

/// One series per size.
pub fn measure(roam: &Path, place: &Path, interrupt: &Interrupt) -> Result<Vec<Times>> {
    let ([mut desk, mut laptop], [here, there]) = two_devices(roam, place, interrupt)?;
    let vocabulary = Vocabulary::new(&mut Dice::new(11));
    let mut sessions: Vec<Session> = (0..SIZES.len() as u64)
        .map(|seed| Session::new(&here, 1_795_000_000_000, seed))
        .collect();
    for (session, (_, bytes)) in sessions.iter_mut().zip(SIZES) {
        session.write(&desk.home, bytes, &vocabulary)?;
    }
    desk.spawn()?;
    laptop.spawn()?;
    desk.wait_ready()?;
    laptop.wait_ready()?;
    device::pair(&mut desk, &mut laptop)?;
    let mut series = Vec::new();
    let mut dice = Dice::new(12);
    for (session, (name, _)) in sessions.iter_mut().zip(SIZES) {
        let pair = (
            session.path(&desk.home),
            session.path_for(&laptop.home, &there),
        );
        wait_equal(&pair, interrupt).with_context(|| format!("the {name} session"))?;
        std::thread::sleep(Duration::from_secs(2));
        let times = appends(session, &pair, &mut dice, interrupt)?;
        println!(
            "{name}: p50 {} ms, p95 {} ms",
            times.percentile(50).as_millis(),
            times.percentile(95).as_millis()
        );
        series.push(times);
    }
    for (name, device) in [("recorded", &desk), ("received", &laptop)] {
        println!("\nThe stages on the device that {name}, in ms:");
        print_stages(device)?;
    }
    Ok(series)
}

/// Where the time went, by the engine's own account.
fn print_stages(device: &Device) -> Result<()> {
    let timing = device.ask(&["doctor", "--timing"])?;
    for stage in timing["stages"].as_array().into_iter().flatten() {
        let ms = |name: &str| stage[name].as_f64().unwrap_or_default() / 1000.0;
        let (p50, p95) = (ms("p50"), ms("p95"));
        let name = stage["stage"].as_str().unwrap_or_default();
        println!(
            "  {name:10} {} times, p50 {p50:.2}, p95 {p95:.2}",
            stage["count"]
        );
    }
    Ok(())
}

pub fn appends(
    session: &mut Session,
    pair: &(PathBuf, PathBuf),
    dice: &mut Dice,
    interrupt: &Interrupt,
) -> Result<Times> {
    let times = (0..N)
        .map(|_| one(session, pair, dice, interrupt))
        .collect::<Result<Vec<_>>>()?;
    same_bytes(pair)?;
    Ok(Times::new(times))
}

/// Waits for a random moment, appends one record of about 1 KB on A, and waits for it on B.
pub fn one(
    session: &mut Session,
    pair: &(PathBuf, PathBuf),
    dice: &mut Dice,
    interrupt: &Interrupt,
) -> Result<Duration> {
    std::thread::sleep(Duration::from_millis(200 + dice.below(500)));
    append_and_wait(
        &session.said("user", &"a line of talk ".repeat(40)),
        std::slice::from_ref(pair),
        interrupt,
    )
    .map(|times| times[0])
}

/// Appends the same text to every first file, and records when each second file has it.
pub fn append_and_wait(
    text: &str,
    pairs: &[(PathBuf, PathBuf)],
    interrupt: &Interrupt,
) -> Result<Vec<Duration>> {
    let mut wanted = Vec::new();
    let start = Instant::now();
    for (from, _) in pairs {
        let mut file = OpenOptions::new()
            .append(true)
            .open(from)
            .with_context(|| format!("could not open {}", from.display()))?;
        file.write_all(text.as_bytes())
            .with_context(|| format!("could not write {}", from.display()))?;
        wanted.push(file.metadata()?.len());
    }
    let mut times = vec![None; pairs.len()];
    interrupt.until(
        "the append arrives",
        PATIENCE,
        Duration::from_millis(1),
        || {
            for (idx, (_, to)) in pairs.iter().enumerate() {
                if times[idx].is_none() && length(to) >= wanted[idx] {
                    times[idx] = Some(start.elapsed());
                }
            }
            times.iter().all(Option::is_some).then_some(())
        },
    )?;
    Ok(times.into_iter().flatten().collect())
}

pub fn wait_equal((from, to): &(PathBuf, PathBuf), interrupt: &Interrupt) -> Result<()> {
    interrupt.until(
        "the session arrives",
        PATIENCE * 3,
        Duration::from_millis(50),
        || (length(from) == length(to)).then_some(()),
    )
}

pub fn same_bytes((from, to): &(PathBuf, PathBuf)) -> Result<()> {
    match fs::read(from)? == fs::read(to)? {
        true => Ok(()),
        false => bail!("{} and {} differ", from.display(), to.display()),
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let times = Times::new((1..=20).rev().map(Duration::from_millis).collect());
        assert_eq!(times.percentile(50), Duration::from_millis(10));
        assert_eq!(times.percentile(95), Duration::from_millis(19));
        assert_eq!(
            Times::new(vec![Duration::from_millis(7)]).percentile(95),
            Duration::from_millis(7)
        );
    }
}
