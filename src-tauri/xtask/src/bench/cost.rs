//! The cost of the engine and its Syncthing while nothing happens: CPU time and memory as counted
//! by the kernel.

use super::{Row, Verdict};
use crate::device::{Device, Interrupt};
use anyhow::{Context, Result};
use std::fs;
use std::time::{Duration, Instant};

/// Longer than any delayed work of the engine after the last change.
const SETTLE: Duration = Duration::from_secs(60);
const WATCH: Duration = Duration::from_secs(30);

/// `None` if the system has no /proc.
pub struct Cost(Option<Measured>);

struct Measured {
    /// Share of one core, in percent.
    engine_cpu: f64,
    child_cpu: f64,
    engine_pss: u64,
    child_pss: u64,
    /// How often a thread of the process was woken, per second.
    engine_wakeups: f64,
    child_wakeups: f64,
}

/// Ticks and wakeups of a process so far.
type Counted = (u64, u64);
/// A figure: its value, unit and budget.
type Figure = (f64, &'static str, Option<f64>);

/// Measures all devices at the same time: they would be idle together.
pub fn measure(devices: &[&Device], interrupt: &Interrupt) -> Result<Vec<Cost>> {
    if !cfg!(target_os = "linux") {
        return Ok(devices.iter().map(|_| Cost(None)).collect());
    }
    println!(
        "idle: {} s of quiet, then {} s watched",
        SETTLE.as_secs(),
        WATCH.as_secs()
    );
    let pids = devices
        .iter()
        .map(|device| device.pids())
        .collect::<Result<Vec<_>>>()?;
    rest(SETTLE, interrupt)?;
    let both = |(engine, child): &(u32, u32)| {
        let of = |pid: u32| Ok::<_, anyhow::Error>((ticks(pid)?, wakeups(pid)?));
        Ok((of(*engine)?, of(*child)?))
    };
    let before = pids.iter().map(both).collect::<Result<Vec<_>>>()?;
    rest(WATCH, interrupt)?;
    let share =
        |from: u64, to: u64| 100.0 * (to - from) as f64 / ticks_per_second() / WATCH.as_secs_f64();
    let a_second = |from: u64, to: u64| to.saturating_sub(from) as f64 / WATCH.as_secs_f64();
    let cost = |(pids, (engine, child)): (&(u32, u32), &(Counted, Counted))| {
        let after = both(pids)?;
        Ok(Cost(Some(Measured {
            engine_cpu: share(engine.0, after.0.0),
            child_cpu: share(child.0, after.1.0),
            engine_pss: pss(pids.0)?,
            child_pss: pss(pids.1)?,
            engine_wakeups: a_second(engine.1, after.0.1),
            child_wakeups: a_second(child.1, after.1.1),
        })))
    };
    pids.iter().zip(&before).map(cost).collect()
}

impl Cost {
    /// The figures of a device that is alone, with their names.
    pub fn alone(&self) -> Vec<(&'static str, f64, &'static str, Option<f64>)> {
        let Self(Some(cost)) = self else {
            return Vec::new();
        };
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        vec![
            (
                "idle CPU of one core, the engine",
                cost.engine_cpu,
                "%",
                None,
            ),
            ("idle CPU of one core, Syncthing", cost.child_cpu, "%", None),
            (
                "wakeups of the engine",
                cost.engine_wakeups,
                "a second",
                None,
            ),
            ("wakeups of Syncthing", cost.child_wakeups, "a second", None),
            (
                "memory (PSS) of the engine at rest",
                megabytes(cost.engine_pss),
                "MB",
                Some(60.0),
            ),
            (
                "memory (PSS) of Syncthing at rest",
                megabytes(cost.child_pss),
                "MB",
                None,
            ),
        ]
    }

    /// Idle CPU of engine and Syncthing, and memory of the engine.
    pub fn whole(&self) -> Vec<Figure> {
        let Self(Some(cost)) = self else {
            return Vec::new();
        };
        vec![
            (cost.engine_cpu + cost.child_cpu, "%", Some(0.1)),
            (cost.engine_pss as f64 / 1e6, "MB", Some(60.0)),
        ]
    }

    pub fn rows(&self, when: &str) -> Vec<Row> {
        let Self(Some(cost)) = self else {
            return Vec::new();
        };
        let both = cost.engine_cpu + cost.child_cpu;
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        vec![
            Row {
                promise: format!("idle CPU of one core, {when}, engine and Syncthing"),
                budget: "< 0.2 %".into(),
                measured: format!(
                    "{both:.2} % (engine {:.2}, Syncthing {:.2})",
                    cost.engine_cpu, cost.child_cpu
                ),
                beside: String::new(),
                verdict: Verdict::of(both < 0.2),
            },
            Row {
                promise: format!("memory (PSS) of the engine, {when}"),
                budget: "< 40 MB".into(),
                measured: format!("{:.1} MB", megabytes(cost.engine_pss)),
                beside: format!("its Syncthing {:.1} MB", megabytes(cost.child_pss)),
                verdict: Verdict::of(cost.engine_pss < 40_000_000),
            },
        ]
    }
}

fn rest(time: Duration, interrupt: &Interrupt) -> Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        interrupt.check()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// User and system time of a process so far, in seconds; `None` if the system has no /proc.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    ticks(pid)
        .ok()
        .map(|ticks| ticks as f64 / ticks_per_second())
}

/// User and system time of a process, in clock ticks.
fn ticks(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("could not read {path}"))?;
    ticks_in(&text).with_context(|| format!("{path} has another form"))
}

/// Fields 14 and 15; the second field, the name, may contain spaces and closing brackets itself.
fn ticks_in(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// How often the kernel has switched to a thread of the process that had waited.
fn wakeups(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/task");
    let mut sum = 0;
    for task in fs::read_dir(&path).with_context(|| format!("could not read {path}"))? {
        // Threads come and go.
        let text = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += line.and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(sum)
}

fn pss(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("could not read {path}"))?;
    let kilobytes = text.lines().find_map(|line| {
        line.strip_prefix("Pss:")?
            .split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    });
    Ok(kilobytes.with_context(|| format!("{path} says no Pss"))? * 1024)
}

#[cfg(unix)]
fn ticks_per_second() -> f64 {
    // SAFETY: sysconf(3) takes a number and returns one.
    (unsafe { libc::sysconf(libc::_SC_CLK_TCK) }) as f64
}

#[cfg(not(unix))]
fn ticks_per_second() -> f64 {
    100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "4242 (a) b) S 1 2 3 4 5 6 7 8 9 10 700 41 0 0 20 0 1 0 5 0 0";
        assert_eq!(ticks_in(stat), Some(741));
    }
}
