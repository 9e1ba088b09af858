//! `cargo xtask bench scale`: what grows with the number of sessions. For each size one device
//! imports, rests, answers and starts again, a second one joins, and plain Syncthing transfers the
//! same files. [`growth`] is the short form for every commit: CPU time of the engine alone.

use super::history::{files_below, is_settled, megabytes};
use super::latency::{self, Times};
use super::{Row, Verdict, baseline, cost};
use crate::corpus::{self, Dice, Made, Session, Size};
use crate::device::{self, Device, Interrupt};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(3600);
const EVERY: Duration = Duration::from_millis(200);
/// How often a command is run.
const ASKED: usize = 11;

/// What to measure.
pub struct Plan {
    pub sessions: Vec<usize>,
    /// The mean size of a session.
    pub kilobytes: u64,
    /// The engine alone: no second device and no plain Syncthing.
    pub alone: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            sessions: vec![1_000, 10_000, 50_000],
            kilobytes: 60,
            alone: false,
        }
    }
}

impl Plan {
    pub fn parse(words: &[&str]) -> Result<Self> {
        let mut plan = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a number"))
            };
            match *word {
                "--alone" => plan.alone = true,
                "--kb" => plan.kilobytes = number()?.parse()?,
                "--sessions" => {
                    let sizes = number()?.split(',').map(str::parse);
                    plan.sessions = sizes.collect::<Result<_, _>>()?;
                }
                _ => bail!("there is no option {word}"),
            }
        }
        Ok(plan)
    }

    fn size(&self, sessions: usize) -> Size {
        Size {
            sessions,
            megabytes: (sessions as u64 * self.kilobytes).div_ceil(1000),
            ..Size::default()
        }
    }
}

/// One figure of one size.
struct Figure {
    what: &'static str,
    value: f64,
    unit: &'static str,
    /// What it may be at most, at every size.
    most: Option<f64>,
    growth: Growth,
}

/// What a figure is compared by.
#[derive(Clone, Copy, PartialEq)]
enum Growth {
    /// The cost of a session: the same at every size.
    PerSession,
    /// The figure itself: the same at every size.
    Whole,
}

impl Figure {
    fn cost(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            what,
            value,
            unit,
            most: None,
            growth: Growth::PerSession,
        }
    }

    fn constant(what: &'static str, value: f64, unit: &'static str, most: Option<f64>) -> Self {
        Self {
            what,
            value,
            unit,
            most,
            growth: Growth::Whole,
        }
    }
}

pub fn measure(roam: &Path, place: &Path, plan: &Plan, interrupt: &Interrupt) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    for sessions in &plan.sessions {
        let home = place.join(sessions.to_string());
        let size = plan.size(*sessions);
        all.push((*sessions, one(roam, &home, &size, plan.alone, interrupt)?));
        fs::remove_dir_all(&home)
            .with_context(|| format!("could not remove {}", home.display()))?;
    }
    Ok(rows(&all))
}

fn rows(all: &[(usize, Vec<Figure>)]) -> Vec<Row> {
    let Some((_, first)) = all.first() else {
        return Vec::new();
    };
    let row = |(at, figure): (usize, &Figure)| {
        let of_each: Vec<(usize, &Figure)> = all
            .iter()
            .filter_map(|(sessions, figures)| Some((*sessions, figures.get(at)?)))
            .collect();
        let text = |(sessions, figure): &(usize, &Figure)| {
            format!(
                "{sessions}: {:.*} {}",
                digits(figure.value),
                figure.value,
                figure.unit
            )
        };
        let is_kept = |most: f64| of_each.iter().all(|(_, figure)| figure.value < most);
        Row {
            promise: figure.what.into(),
            budget: figure
                .most
                .map_or_else(|| "–".into(), |most| format!("< {most} {}", figure.unit)),
            measured: of_each.iter().map(text).collect::<Vec<_>>().join(" · "),
            beside: grown(&of_each),
            verdict: figure
                .most
                .map_or(Verdict::None, |most| Verdict::of(is_kept(most))),
        }
    };
    first.iter().enumerate().map(row).collect()
}

fn digits(value: f64) -> usize {
    match value {
        value if value < 1.0 => 3,
        value if value < 20.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    }
}

/// The last size against the first.
fn grown(of_each: &[(usize, &Figure)]) -> String {
    let ([(few, first), .., (many, last)], growth) = (of_each, of_each[0].1.growth) else {
        return String::new();
    };
    let ratio = last.value / first.value;
    match growth {
        Growth::PerSession => {
            format!(
                "a session costs {:.2} times as much",
                ratio * *few as f64 / *many as f64
            )
        }
        Growth::Whole => format!("{ratio:.2} times"),
    }
}

fn one(
    roam: &Path,
    place: &Path,
    size: &Size,
    alone: bool,
    interrupt: &Interrupt,
) -> Result<Vec<Figure>> {
    let home = place.join("desk");
    let mut desk = Device::prepare(roam, home, "desk", "code", interrupt)?;
    let made = corpus::write(&desk.home, size)?;
    let megabytes = megabytes(made.bytes);
    println!("\n== {} sessions, {megabytes:.0} MB", made.sessions);
    let mut figures = Vec::new();
    let mut add = |figure: Figure| {
        println!("{}: {:.3} {}", figure.what, figure.value, figure.unit);
        figures.push(figure);
    };
    let import = until_settled(&mut desk, &made)?;
    add(Figure::cost("first import", import.took, "s"));
    add(Figure::cost(
        "first import, CPU time of the engine",
        import.cpu,
        "s",
    ));
    add(Figure::constant(
        "first import, rate",
        megabytes / import.took,
        "MB/s",
        None,
    ));
    let indexed = until_indexed(&mut desk)?;
    add(Figure::cost(
        "then until all of it can be searched",
        indexed.took,
        "s",
    ));
    add(Figure::cost(
        "then until all of it can be searched, CPU time of the engine",
        indexed.cpu - import.cpu,
        "s",
    ));
    desk.stop();
    let restart = until_settled(&mut desk, &made)?;
    add(Figure::cost(
        "started again until everything is looked at",
        restart.took,
        "s",
    ));
    add(Figure::cost(
        "started again, CPU time of the engine",
        restart.cpu,
        "s",
    ));
    for (what, most, words) in [
        (
            "`roam status`, the whole command",
            Some(20.0),
            &["status"][..],
        ),
        (
            "`roam sessions --limit 50`",
            Some(20.0),
            &["sessions", "--limit", "50"],
        ),
        ("`roam doctor`", None, &["doctor"]),
    ] {
        let took = median(roam, &desk, words)?;
        add(Figure::constant(what, 1e3 * took.as_secs_f64(), "ms", most));
    }
    desk.wait_ready()?;
    let rest = cost::measure(&[&desk], interrupt)?.remove(0);
    for (what, value, unit, most) in rest.alone() {
        add(Figure::constant(what, value, unit, most));
    }
    if !alone {
        for figure in joined(roam, place, &mut desk, &made, interrupt)? {
            add(figure);
        }
        desk.stop();
        let store = corpus::store(&desk.home);
        let plain = baseline::transfer(&place.join("plain"), &store, interrupt)?;
        add(Figure::cost(
            "beside: plain Syncthing, the same files",
            plain.took,
            "s",
        ));
        add(Figure::cost(
            "beside: plain Syncthing, CPU time of both",
            plain.cpu,
            "s",
        ));
    }
    Ok(figures)
}

/// A second device that joins, and appends between the two afterwards.
fn joined(
    roam: &Path,
    place: &Path,
    desk: &mut Device,
    made: &Made,
    interrupt: &Interrupt,
) -> Result<Vec<Figure>> {
    let home = place.join("laptop");
    let mut laptop = Device::prepare(roam, home, "laptop", "src", interrupt)?;
    let others = corpus::make_other_checkouts(&made.projects, &laptop.home.join("src"))?;
    laptop.spawn()?;
    laptop.wait_ready()?;
    let engines = [desk.engine_pid()?, laptop.engine_pid()?];
    let cpu = || {
        engines
            .map(|pid| cost::cpu_seconds(pid).unwrap_or(f64::NAN))
            .iter()
            .sum::<f64>()
    };
    device::pair(desk, &mut laptop)?;
    let (start, before) = (Instant::now(), cpu());
    let stores = [corpus::store(&desk.home), corpus::store(&laptop.home)];
    let wanted = files_below(&stores[0])?;
    interrupt.until(
        "the second device has everything",
        PATIENCE,
        Duration::from_millis(500),
        || (files_below(&stores[1]).ok()? == wanted).then_some(()),
    )?;
    let (took, cpu) = (start.elapsed().as_secs_f64(), cpu() - before);
    let mut figures = vec![
        Figure::cost("a second device joins, until it has everything", took, "s"),
        Figure::cost("a second device joins, CPU time of both engines", cpu, "s"),
        Figure::constant(
            "a second device joins, rate",
            megabytes(made.bytes) / took,
            "MB/s",
            None,
        ),
    ];
    settle(&mut laptop)?;
    until_indexed(&mut laptop)?;
    let mut session = Session::new(&made.projects[0], 1_795_000_000_000, 77);
    let pair: (PathBuf, PathBuf) = (
        session.path(&desk.home),
        session.path_for(&laptop.home, &others[0]),
    );
    fs::write(&pair.0, session.said("user", "A session that begins now."))
        .with_context(|| format!("could not write {}", pair.0.display()))?;
    latency::wait_equal(&pair, interrupt)?;
    let times: Times = latency::appends(&mut session, &pair, &mut Dice::new(31), interrupt)?;
    let ms = |percent: usize| 1e3 * times.percentile(percent).as_secs_f64();
    figures.push(Figure::constant(
        "append → other device, p50",
        ms(50),
        "ms",
        Some(25.0),
    ));
    figures.push(Figure::constant(
        "append → other device, p95",
        ms(95),
        "ms",
        Some(60.0),
    ));
    let costs = cost::measure(&[desk, &laptop], interrupt)?;
    for (cost, names) in costs.iter().zip([
        [
            "paired: idle CPU of engine and Syncthing, the device that has it",
            "paired: memory (PSS) of the engine, the device that has it",
        ],
        [
            "paired: idle CPU of engine and Syncthing, the device that got it",
            "paired: memory (PSS) of the engine, the device that got it",
        ],
    ]) {
        for (what, (value, unit, most)) in names.into_iter().zip(cost.whole()) {
            figures.push(Figure::constant(what, value, unit, most));
        }
    }
    Ok(figures)
}

struct Run {
    took: f64,
    /// CPU seconds of the engine.
    cpu: f64,
}

/// From the start of the engine until it knows all sessions and is idle.
fn until_settled(desk: &mut Device, made: &Made) -> Result<Run> {
    let start = Instant::now();
    desk.spawn()?;
    let settled = desk.wait_as_long_as(
        PATIENCE,
        EVERY,
        "the engine is done",
        &["status"],
        is_settled(made),
    )?;
    Ok(Run {
        took: (settled - start).as_secs_f64(),
        cpu: cost::cpu_seconds(desk.engine_pid()?).unwrap_or(f64::NAN),
    })
}

/// Until the index for search has every session.
fn until_indexed(device: &mut Device) -> Result<Run> {
    let start = Instant::now();
    let done = device.wait_as_long_as(
        PATIENCE,
        EVERY,
        "the index is done",
        &["search", "session"],
        |answer| answer["indexing"].is_null().then(Instant::now),
    )?;
    Ok(Run {
        took: (done - start).as_secs_f64(),
        cpu: cost::cpu_seconds(device.engine_pid()?).unwrap_or(f64::NAN),
    })
}

fn settle(device: &mut Device) -> Result<()> {
    device.wait_as_long_as(
        PATIENCE,
        EVERY,
        "the engine is idle",
        &["status"],
        |status| (status["moving"]["queued"] == 0).then_some(()),
    )
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
        times.push(start.elapsed());
        // `doctor` reports what it found with its exit code.
        anyhow::ensure!(
            !output.stdout.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    times.sort();
    Ok(times[ASKED / 2])
}

/// The most that a session may cost among many, against its cost among few.
const MOST_GROWTH: f64 = 1.3;

/// Checks that a session among 2,000 costs about as much as one among 200: importing it, and
/// starting again with it. By CPU time of the engine, so that a busy machine does no harm; a check
/// that fails is repeated, because noise passes and growth does not.
pub fn growth(roam: &Path, place: &Path, interrupt: &Interrupt) -> Result<()> {
    const TRIES: usize = 3;
    let [few, many] = [200, 2_000].map(|sessions| {
        Plan {
            kilobytes: 20,
            ..Plan::default()
        }
        .size(sessions)
    });
    let mut found = String::new();
    for attempt in 1..=TRIES {
        let home = |name: &str| place.join(format!("{attempt}-{name}"));
        // What an engine without sessions needs is no cost of a session.
        let none = Size {
            sessions: 0,
            megabytes: 0,
            ..Size::default()
        };
        let empty = cpu_of(roam, &home("none"), &none, interrupt)?;
        let mut runs = Vec::new();
        for n in 0..3 {
            runs.push(cpu_of(roam, &home(&format!("few-{n}")), &few, interrupt)?);
        }
        let large = cpu_of(roam, &home("many"), &many, interrupt)?;
        let ratio = |cost: fn(&[f64; 2]) -> f64| {
            let mut small: Vec<f64> = runs.iter().map(cost).collect();
            small.sort_by(f64::total_cmp);
            let of_one =
                |all: f64, size: &Size| (all - cost(&empty)).max(0.01) / size.sessions as f64;
            of_one(cost(&large), &many) / of_one(small[1], &few)
        };
        let (import, restart) = (ratio(|run| run[0]), ratio(|run| run[1]));
        found = format!(
            "a session among 2,000 costs {import:.2} times as much CPU time as one among 200 to import, \
             and {restart:.2} times to start with"
        );
        println!("{found}");
        if import <= MOST_GROWTH && restart <= MOST_GROWTH {
            return Ok(());
        }
    }
    bail!("{found}: more than {MOST_GROWTH}, {TRIES} times")
}

/// CPU seconds of the engine for importing, and for starting again.
fn cpu_of(roam: &Path, home: &Path, size: &Size, interrupt: &Interrupt) -> Result<[f64; 2]> {
    let mut desk = Device::prepare(roam, home.to_owned(), "desk", "code", interrupt)?;
    let made = corpus::write(&desk.home, size)?;
    let import = until_settled(&mut desk, &made)?;
    desk.stop();
    let restart = until_settled(&mut desk, &made)?;
    drop(desk);
    fs::remove_dir_all(home).with_context(|| format!("could not remove {}", home.display()))?;
    Ok([import.cpu, restart.cpu])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_that_of_a_session_or_of_the_whole() {
        let figures = |scale: f64| {
            vec![
                Figure::cost("import", 2.0 * scale, "s"),
                Figure::constant("status", 3.0, "ms", Some(20.0)),
                Figure::constant("memory", 30.0 * scale, "MB", Some(60.0)),
            ]
        };
        let rows = rows(&[(200, figures(1.0)), (2_000, figures(15.0))]);
        assert_eq!(rows[0].beside, "a session costs 1.50 times as much");
        assert_eq!(rows[0].measured, "200: 2.00 s · 2000: 30.0 s");
        assert_eq!(
            (rows[1].beside.as_str(), rows[1].verdict.words()),
            ("1.00 times", "kept")
        );
        assert_eq!(
            (rows[2].beside.as_str(), rows[2].verdict.words()),
            ("15.00 times", "**MISSED**")
        );
    }

    #[test]
    fn a_plan_names_its_sizes() {
        let plan = Plan::parse(&["--sessions", "200,2000", "--alone"]).expect("a plan");
        assert_eq!((plan.sessions, plan.alone), (vec![200, 2_000], true));
        assert!(Plan::parse(&["--sessions", "many"]).is_err());
        assert!(Plan::parse(&["--mb", "1"]).is_err());
    }
}
