//! A device with a long history: importing it, scanning it without changes, restarting with it,
//! syncing it to a second device, and the cost afterwards.

use super::latency::{self, Times};
use super::{Row, Verdict, cost};
use crate::corpus::{self, Dice, Made, Session, Size};
use crate::device::{self, Device, Interrupt};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(900);
const EVERY: Duration = Duration::from_millis(50);

pub fn measure(roam: &Path, place: &Path, interrupt: &Interrupt) -> Result<Vec<Row>> {
    println!("\n== First import");
    let mut desk = Device::prepare(roam, place.join("desk"), "desk", "code", interrupt)?;
    let made = corpus::write(&desk.home, &Size::default())?;
    println!(
        "{} sessions, {:.1} MB",
        made.sessions,
        made.bytes as f64 / 1e6
    );
    let mut rows = import_rows(&mut desk, &made)?;
    rows.push(cycle_row(&mut desk)?);
    rows.push(restart_row(&mut desk, &made)?);
    let mut laptop = Device::prepare(roam, place.join("laptop"), "laptop", "src", interrupt)?;
    rows.extend(join_rows(&mut desk, &mut laptop, &made, interrupt)?);
    let names = ["the device that has it", "the device that got it"];
    for (name, cost) in names
        .iter()
        .zip(cost::measure(&[&desk, &laptop], interrupt)?)
    {
        rows.extend(cost.rows(&format!("with that corpus, paired and connected, {name}")));
    }
    Ok(rows)
}

fn import_rows(desk: &mut Device, made: &Made) -> Result<Vec<Row>> {
    let start = Instant::now();
    desk.spawn()?;
    let import = desk.wait_as_long_as(
        PATIENCE,
        EVERY,
        "the first import is done",
        &["status"],
        is_settled(made),
    )? - start;
    let (engine, child) = desk.pids()?;
    let cpu =
        |pid| cost::cpu_seconds(pid).map_or_else(|| "?".into(), |seconds| format!("{seconds:.1}"));
    let beside = format!(
        "CPU time until then: engine {} s, Syncthing {} s",
        cpu(engine),
        cpu(child)
    );
    let vault = settled_vault(&desk.roam_home().join("vault"))?;
    println!(
        "imported in {:.1} s, vault {:.1} MB",
        import.as_secs_f64(),
        megabytes(vault)
    );
    let share = 100.0 * vault as f64 / made.bytes as f64;
    Ok(vec![
        Row {
            promise: format!(
                "first import of {} sessions, {:.0} MB (generated), from the start of `roam run`",
                made.sessions,
                megabytes(made.bytes)
            ),
            budget: "< 10 s".into(),
            measured: format!(
                "{:.1} s ({:.0} MB/s)",
                import.as_secs_f64(),
                megabytes(made.bytes) / import.as_secs_f64()
            ),
            beside,
            verdict: Verdict::of(import < Duration::from_secs(10)),
        },
        Row {
            promise: "vault against the sessions in it".into(),
            budget: "≤ 25 %".into(),
            measured: format!("{share:.1} % ({:.1} MB)", megabytes(vault)),
            beside: String::new(),
            verdict: Verdict::of(share <= 25.0),
        },
    ])
}

/// All sessions are known, and the engine is idle.
pub fn is_settled(made: &Made) -> impl Fn(&Value) -> Option<Instant> {
    let wanted = made.sessions as u64;
    move |status: &Value| {
        let moving = &status["moving"];
        let all = status["sessions"]
            .as_u64()
            .is_some_and(|sessions| wanted <= sessions);
        (all && moving["import_done"] == moving["import_total"]
            && moving["queued"] == 0
            && status["engine"] == "running")
            .then(Instant::now)
    }
}

/// The vault's size after an import; an error if there is none, or if the vault keeps growing,
/// because then the measured time is not the import's.
fn settled_vault(vault: &Path) -> Result<u64> {
    let at_once = files_below(vault)?.1;
    std::thread::sleep(Duration::from_secs(3));
    let later = files_below(vault)?.1;
    if at_once == 0 || at_once + at_once / 100 < later {
        bail!(
            "the engine said that the import was done, yet its vault went from {at_once} to {later} bytes afterwards"
        );
    }
    Ok(later)
}

/// The engine reports how long its last full scan without changes took.
fn cycle_row(desk: &mut Device) -> Result<Row> {
    let asked = desk.wait_as_long_as(
        Duration::from_secs(180),
        Duration::from_secs(1),
        "a look at everything",
        &["status"],
        |status| status["cycle_ms"].as_u64().filter(|ms| 0 < *ms),
    );
    let (measured, verdict) = match asked {
        Ok(ms) => (format!("{ms} ms"), Verdict::of(ms < 300)),
        Err(error) => (format!("not measured: {error}"), Verdict::None),
    };
    Ok(Row {
        promise: "a look at all of it when nothing changed".into(),
        budget: "< 300 ms".into(),
        measured,
        beside: String::new(),
        verdict,
    })
}

/// A new process has no stamps in memory: it reads its state for each session.
fn restart_row(desk: &mut Device, made: &Made) -> Result<Row> {
    desk.stop();
    let start = Instant::now();
    desk.spawn()?;
    let took = desk.wait_as_long_as(
        PATIENCE,
        EVERY,
        "the restarted engine is done",
        &["status"],
        is_settled(made),
    )? - start;
    println!("restarted in {:.1} s", took.as_secs_f64());
    Ok(Row {
        promise: "the engine started again with all of it, until it has looked at everything"
            .into(),
        budget: "–".into(),
        measured: format!("{:.1} s", took.as_secs_f64()),
        beside: String::new(),
        verdict: Verdict::None,
    })
}

/// A second device receives everything, while somebody works on the first.
fn join_rows(
    desk: &mut Device,
    laptop: &mut Device,
    made: &Made,
    interrupt: &Interrupt,
) -> Result<Vec<Row>> {
    println!("\n== A second device joins");
    let others = corpus::make_other_checkouts(&made.projects, &laptop.home.join("src"))?;
    laptop.spawn()?;
    laptop.wait_ready()?;
    desk.wait_ready()?;
    let mut session = Session::new(&made.projects[0], 1_795_000_000_000, 77);
    let pair = (
        session.path(&desk.home),
        session.path_for(&laptop.home, &others[0]),
    );
    device::pair(desk, laptop)?;
    let start = Instant::now();
    fs::write(
        &pair.0,
        session.said(
            "user",
            "A session that begins while the other device is still busy.",
        ),
    )
    .with_context(|| format!("could not write {}", pair.0.display()))?;
    latency::wait_equal(&pair, interrupt)?;
    println!(
        "a new session was there after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    let (mut dice, mut during) = (Dice::new(31), Vec::new());
    let (from, to) = (corpus::store(&desk.home), corpus::store(&laptop.home));
    let is_done = || Ok::<_, anyhow::Error>(files_below(&from)? == files_below(&to)?);
    while !is_done()? {
        if PATIENCE < start.elapsed() {
            bail!(
                "after {} s the second device has {:?} of {:?}",
                PATIENCE.as_secs(),
                files_below(&to)?,
                files_below(&from)?
            );
        }
        during.push(latency::one(&mut session, &pair, &mut dice, interrupt)?);
    }
    let took = start.elapsed();
    println!(
        "{:.1} MB arrived in {:.1} s",
        megabytes(files_below(&to)?.1),
        took.as_secs_f64()
    );
    let mut rows = vec![Row {
        promise: "all of it from A's vault into the tool store of a B that just joined".into(),
        budget: "–".into(),
        measured: format!(
            "{:.1} s ({:.0} MB/s)",
            took.as_secs_f64(),
            megabytes(made.bytes) / took.as_secs_f64()
        ),
        beside: String::new(),
        verdict: Verdict::None,
    }];
    if !during.is_empty() {
        rows.push(live_row(
            "append on A → bytes in B's tool store while that went on",
            Times::new(during),
            (1000, 1000),
        ));
    }
    std::thread::sleep(Duration::from_secs(2));
    let after = latency::appends(&mut session, &pair, &mut dice, interrupt)?;
    rows.push(live_row(
        "append on A → bytes in B's tool store, both with that corpus",
        after,
        (100, 300),
    ));
    Ok(rows)
}

fn live_row(promise: &str, times: Times, (p50_ms, p95_ms): (u128, u128)) -> Row {
    let (p50, p95) = (
        times.percentile(50).as_millis(),
        times.percentile(95).as_millis(),
    );
    println!(
        "{promise}: p50 {p50} ms, p95 {p95} ms, at most {} ms",
        times.percentile(100).as_millis()
    );
    Row {
        promise: format!("{promise}, n = {}", times.count()),
        budget: format!("p50 < {p50_ms} ms, p95 < {p95_ms} ms"),
        measured: format!(
            "p50 {p50} ms, p95 {p95} ms, at most {} ms",
            times.percentile(100).as_millis()
        ),
        beside: String::new(),
        verdict: Verdict::of(p50 < p50_ms && p95 < p95_ms),
    }
}

/// The number of files, and their bytes.
pub fn files_below(dir: &Path) -> Result<(usize, u64)> {
    let (mut n_files, mut bytes) = (0, 0);
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((0, 0)),
        Err(error) => {
            return Err(error).with_context(|| format!("could not read {}", dir.display()));
        }
    };
    for entry in entries {
        // Files come and go while they are counted.
        let Ok(entry) = entry else { continue };
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let (below, size) = if metadata.is_dir() {
            files_below(&entry.path())?
        } else {
            (1, metadata.len())
        };
        n_files += below;
        bytes += size;
    }
    Ok((n_files, bytes))
}

pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
