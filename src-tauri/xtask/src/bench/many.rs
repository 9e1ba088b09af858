//! `cargo xtask bench many`: the cost of a session among very many. Two devices, one with the usual
//! corpus and one with 20,000 sessions, import their sessions and restart; a cost that grows with
//! the number of sessions shows.

use super::history::{is_settled, megabytes};
use super::{Row, Verdict, cost};
use crate::corpus::{self, Made, Size};
use crate::device::{Device, Interrupt};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(1800);
const EVERY: Duration = Duration::from_millis(100);
/// How often `roam status` is run.
const ASKED: usize = 21;

struct Measured {
    made: Made,
    import: Duration,
    /// CPU seconds of the engine during the import.
    cpu: f64,
    restart: Duration,
    restart_cpu: f64,
    status: Duration,
    list: Duration,
}

impl Measured {
    fn cpu_per_megabyte(&self) -> f64 {
        1e3 * self.cpu / megabytes(self.made.bytes)
    }

    fn named(&self) -> String {
        format!(
            "{} sessions, {:.0} MB",
            self.made.sessions,
            megabytes(self.made.bytes)
        )
    }
}

pub fn measure(
    roam: &Path,
    place: &Path,
    sizes: [Size; 2],
    interrupt: &Interrupt,
) -> Result<Vec<Row>> {
    let [few, many] = sizes;
    let few = one(roam, &place.join("few"), &few, interrupt)?;
    let many = one(roam, &place.join("many"), &many, interrupt)?;
    let ratio = many.cpu_per_megabyte() / few.cpu_per_megabyte();
    let beside = |what: String| format!("{}: {what}", few.named());
    let row = |promise: &str, budget: &str, measured: String, beside: String, verdict| Row {
        promise: format!("{promise}, {}", many.named()),
        budget: budget.into(),
        measured,
        beside,
        verdict,
    };
    let (restart, status) = (Duration::from_secs(10), Duration::from_millis(20));
    Ok(vec![
        row(
            "CPU time of the import per MB",
            "at most 1.5 times that of few",
            format!("{:.1} ms, {ratio:.2} times", many.cpu_per_megabyte()),
            beside(format!("{:.1} ms", few.cpu_per_megabyte())),
            Verdict::of(ratio <= 1.5),
        ),
        row(
            "first import, from the start of `roam run`",
            "–",
            format!("{:.1} s", many.import.as_secs_f64()),
            beside(format!("{:.1} s", few.import.as_secs_f64())),
            Verdict::None,
        ),
        row(
            "started again, until the engine has looked at everything",
            "< 10 s",
            format!(
                "{:.1} s (CPU time {:.1} s)",
                many.restart.as_secs_f64(),
                many.restart_cpu
            ),
            beside(format!(
                "{:.1} s (CPU time {:.1} s)",
                few.restart.as_secs_f64(),
                few.restart_cpu
            )),
            Verdict::of(many.restart < restart),
        ),
        row(
            "`roam status`, the whole command",
            "< 20 ms",
            format!("{:.1} ms", 1e3 * many.status.as_secs_f64()),
            beside(format!("{:.1} ms", 1e3 * few.status.as_secs_f64())),
            Verdict::of(many.status < status),
        ),
        row(
            "`roam sessions --limit 50`, the whole command",
            "–",
            format!("{:.1} ms", 1e3 * many.list.as_secs_f64()),
            beside(format!("{:.1} ms", 1e3 * few.list.as_secs_f64())),
            Verdict::None,
        ),
    ])
}

fn one(roam: &Path, home: &Path, size: &Size, interrupt: &Interrupt) -> Result<Measured> {
    let mut desk = Device::prepare(roam, home.to_owned(), "desk", "code", interrupt)?;
    let made = corpus::write(&desk.home, size)?;
    println!(
        "\n== {} sessions, {:.0} MB",
        made.sessions,
        megabytes(made.bytes)
    );
    let (import, cpu) = until_settled(&mut desk, &made)?;
    println!(
        "imported in {:.1} s, CPU time {cpu:.1} s",
        import.as_secs_f64()
    );
    let status = median(roam, &desk, &["status"])?;
    let list = median(roam, &desk, &["sessions", "--limit", "50"])?;
    println!(
        "status {:.1} ms, sessions {:.1} ms",
        1e3 * status.as_secs_f64(),
        1e3 * list.as_secs_f64()
    );
    desk.stop();
    let (restart, restart_cpu) = until_settled(&mut desk, &made)?;
    println!(
        "started again in {:.1} s, CPU time {restart_cpu:.1} s",
        restart.as_secs_f64()
    );
    drop(desk);
    fs::remove_dir_all(home).with_context(|| format!("could not remove {}", home.display()))?;
    Ok(Measured {
        made,
        import,
        cpu,
        restart,
        restart_cpu,
        status,
        list,
    })
}

/// From the start of the engine until it knows all sessions and is idle; with its CPU time.
fn until_settled(desk: &mut Device, made: &Made) -> Result<(Duration, f64)> {
    let start = Instant::now();
    desk.spawn()?;
    let settled = desk.wait_as_long_as(
        PATIENCE,
        EVERY,
        "the engine is done",
        &["status"],
        is_settled(made),
    )?;
    Ok((
        settled - start,
        cost::cpu_seconds(desk.engine_pid()?).unwrap_or(f64::NAN),
    ))
}

fn median(roam: &Path, desk: &Device, words: &[&str]) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..ASKED {
        let start = Instant::now();
        let mut command = Command::new(roam);
        command
            .args(words)
            .arg("--json")
            .env("SESSION_ROAM_HOME", desk.roam_home());
        let output = command
            .output()
            .with_context(|| format!("could not run {}", roam.display()))?;
        anyhow::ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[ASKED / 2])
}
