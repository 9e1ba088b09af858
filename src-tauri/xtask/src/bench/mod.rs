//! `cargo xtask bench roam`: measures the promised figures and prints them beside the budget, and
//! beside plain Syncthing measured in the same run. A missed budget is reported plainly, but is not
//! a failure.

mod baseline;
pub mod chats;
pub mod code;
mod cost;
mod history;
mod latency;
mod machine;
pub mod merge;
pub mod packages;
mod scale;
pub mod search;

use crate::device::Interrupt;
use crate::{proc, run, setup};
use anyhow::{Context, Result, bail};
use latency::{SIZES, Times};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A line of the table.
struct Row {
    promise: String,
    budget: String,
    measured: String,
    beside: String,
    verdict: Verdict,
}

enum Verdict {
    Kept,
    Missed,
    /// No budget, or not measured here.
    None,
}

#[derive(Default)]
struct Options {
    write: bool,
    no_corpus: bool,
    no_latency: bool,
}

/// The tray app's cost, as printed by its own benchmark.
pub fn app() -> Result<()> {
    app_figures(&[])
}

/// Its memory while it runs without a window and sessions are written, for two hours unless stated otherwise.
pub fn hidden(args: &[&str]) -> Result<()> {
    let minutes = match args {
        [] => "120",
        [minutes] if minutes.parse::<u64>().is_ok() => minutes,
        _ => bail!("usage: cargo xtask bench hidden [MINUTES]"),
    };
    app_figures(&["--", "hidden", minutes])
}

fn app_figures(args: &[&str]) -> Result<()> {
    setup::to_test()?;
    setup::build_window()?;
    let mut command = proc::cargo();
    command.args(["bench", "--locked", "--quiet", "--package", "session-roam"]);
    proc::run(command.args(["--bench", "app_figures"]).args(args))
}

pub fn run(args: &[&str]) -> Result<()> {
    let options = parse(args)?;
    setup::to_run()?;
    let roam = run::build_roam()?;
    let interrupt = Interrupt::watch()?;
    let place = tempfile::Builder::new()
        .prefix("rb")
        .tempdir_in(bench_dir()?)
        .context("could not make a directory")?;
    let load = machine::load();
    let mut rows = Vec::new();
    if !options.no_latency {
        rows.extend(latency_rows(&roam, place.path(), &interrupt)?);
    }
    if !options.no_corpus {
        rows.extend(history::measure(&roam, place.path(), &interrupt)?);
    }
    write_section(
        "From device to device",
        "roam",
        &rows,
        place.path(),
        load,
        NOTES,
        options.write,
    )
}

const NOTES: &str = "\
Both devices run on this one machine and share its cores; files are in the page cache, as they are just after a tool
wrote them. Latency is taken from just before the write on A until B's file has its length, looked at each
millisecond; afterwards both files are compared byte by byte. Sessions are made up (`cargo xtask corpus`).
";

/// What grows with the number of sessions: `--sessions 1000,10000` and `--kb N` for other sizes,
/// `--alone` for the engine alone, `--write` for the page.
pub fn scale(args: &[&str]) -> Result<()> {
    let (write, rest): (Vec<&str>, Vec<&str>) = args.iter().partition(|arg| **arg == "--write");
    let plan = scale::Plan::parse(&rest)?;
    setup::to_run()?;
    let roam = run::build_roam()?;
    let interrupt = Interrupt::watch()?;
    let place = tempfile::Builder::new()
        .prefix("rb")
        .tempdir_in(bench_dir()?)
        .context("could not make a directory")?;
    let load = machine::load();
    let rows = scale::measure(&roam, place.path(), &plan, &interrupt)?;
    let notes = format!(
        "A session has {} KB in the middle of all. {SCALE_NOTES}",
        plan.kilobytes
    );
    write_section(
        "By the number of sessions",
        "scale",
        &rows,
        place.path(),
        load,
        &notes,
        !write.is_empty(),
    )
}

/// The short form of [`scale`], with the engine that the tests use.
pub fn growth() -> Result<()> {
    let roam = proc::target_dir()?
        .join("debug")
        .join(format!("roam{}", std::env::consts::EXE_SUFFIX));
    let place = tempfile::Builder::new()
        .prefix("rb")
        .tempdir_in(bench_dir()?)
        .context("could not make a directory")?;
    scale::growth(&roam, place.path(), &Interrupt::watch()?)
}

const SCALE_NOTES: &str = "\
One size after the other on this machine; the devices of a size share its cores. CPU time is that of the engines, without their
Syncthings, from the start of `roam run` or, when a device joins, from the pairing. The times of commands are medians of 11, the
start of the process included. Plain Syncthing transfers the same files from one folder to another.
";

/// Prints a table; with `write` it replaces the section of that title in docs/benchmarks.md.
fn write_section(
    title: &str,
    command: &str,
    rows: &[Row],
    place: &Path,
    load: Option<f64>,
    notes: &str,
    write: bool,
) -> Result<()> {
    let section = section(title, command, rows, place, load, notes);
    println!("\n{section}");
    if write {
        let path = proc::root().join("docs/benchmarks.md");
        let page = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, with_section(&page, title, &section))
            .with_context(|| format!("could not write {}", path.display()))?;
        println!("Written to docs/benchmarks.md.");
    }
    Ok(())
}

/// The page with one section replaced, or added at its end.
fn with_section(page: &str, title: &str, section: &str) -> String {
    const TOP: &str =
        "# Benchmarks\n\nEach table is made by the command above it; do not edit by hand.\n";
    let others = page
        .split("\n## ")
        .skip(1)
        .map(|rest| format!("## {}\n", rest.trim_end()));
    let mut sections: Vec<String> = others.collect();
    let own = format!("## {title}\n");
    match sections.iter_mut().find(|known| known.starts_with(&own)) {
        Some(known) => *known = section.to_owned(),
        None => sections.push(section.to_owned()),
    }
    format!("{TOP}\n{}", sections.join("\n"))
}

/// Plain Syncthing alone: the base of the ratios.
pub fn baseline_alone() -> Result<()> {
    setup::to_run()?;
    let place = tempfile::Builder::new()
        .prefix("rb")
        .tempdir_in(bench_dir()?)
        .context("could not make a directory")?;
    let plain = baseline::measure(place.path(), &Interrupt::watch()?)?;
    for ((size, _), times) in SIZES.iter().zip(&plain) {
        println!(
            "{size}: p50 {:.1} s, n = {}",
            times.percentile(50).as_secs_f64(),
            times.count()
        );
    }
    println!("{}", machine::describe(place.path()));
    Ok(())
}

fn parse(args: &[&str]) -> Result<Options> {
    let mut options = Options::default();
    for arg in args {
        match *arg {
            "--write" => options.write = true,
            "--no-corpus" => options.no_corpus = true,
            "--no-latency" => options.no_latency = true,
            _ => bail!("there is no option {arg}"),
        }
    }
    Ok(options)
}

/// On the disk of the build: the temporary directory may be memory, unlike any user's home.
fn bench_dir() -> Result<std::path::PathBuf> {
    let dir = proc::target_dir()?.join("bench");
    fs::create_dir_all(&dir).with_context(|| format!("could not make {}", dir.display()))?;
    Ok(dir)
}

fn latency_rows(roam: &Path, place: &Path, interrupt: &Interrupt) -> Result<Vec<Row>> {
    println!("\n== Plain Syncthing with its default watcher");
    let plain = baseline::measure(&place.join("plain"), interrupt)?;
    println!("\n== session-roam");
    let ours = latency::measure(roam, &place.join("pair"), interrupt)?;
    let both = SIZES.iter().zip(ours.iter().zip(&plain));
    Ok(both
        .map(|(size, (ours, plain))| latency_row(size.0, ours, plain))
        .collect())
}

fn latency_row(size: &str, ours: &Times, plain: &Times) -> Row {
    let (p50, p95) = (ours.percentile(50), ours.percentile(95));
    let ratio = plain.percentile(50).as_secs_f64() / p50.as_secs_f64();
    Row {
        promise: format!(
            "append on A → bytes in B's tool store, {size} session, n = {}",
            ours.count()
        ),
        budget: "p50 < 100 ms, p95 < 300 ms".into(),
        measured: format!("p50 {} ms, p95 {} ms", p50.as_millis(), p95.as_millis()),
        beside: format!(
            "plain Syncthing p50 {:.1} s (n = {}): {ratio:.0} times",
            plain.percentile(50).as_secs_f64(),
            plain.count()
        ),
        verdict: Verdict::of(p50 < Duration::from_millis(100) && p95 < Duration::from_millis(300)),
    }
}

impl Verdict {
    fn of(kept: bool) -> Self {
        if kept { Self::Kept } else { Self::Missed }
    }

    fn words(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Missed => "**MISSED**",
            Self::None => "–",
        }
    }
}

fn section(
    title: &str,
    command: &str,
    rows: &[Row],
    place: &Path,
    load: Option<f64>,
    notes: &str,
) -> String {
    let mut page = format!("## {title}\n\n`cargo xtask bench {command} --write`\n\n");
    page += &format!("{}\n\n", machine::describe(place));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if let Some(load) = load.filter(|load| cores as f64 / 2.0 < *load) {
        page += &format!(
            "**The machine was busy with other work** (load {load:.1} on {cores} cores when this began): times by the clock, \
             budgets missed below among them, are longer than on a quiet one; CPU times, shares and sizes are not.\n\n"
        );
    }
    page += "| what | budget | measured | beside it, in the same run | |\n|---|---|---|---|---|\n";
    for Row {
        promise,
        budget,
        measured,
        beside,
        verdict,
    } in rows
    {
        page += &format!(
            "| {promise} | {budget} | {measured} | {beside} | {} |\n",
            verdict.words()
        );
    }
    page + "\n" + notes
}

/// Whether to write the page, too.
fn writes(args: &[&str]) -> Result<bool> {
    match args {
        [] => Ok(false),
        ["--write"] => Ok(true),
        _ => bail!("there is no option {}", args.join(" ")),
    }
}

/// The output of a benchmark of the core: one JSON object a line.
fn of_core<F>(bench: &str, figure: impl Fn(&str) -> Result<F>) -> Result<Vec<F>> {
    let mut command = proc::cargo();
    command.args([
        "bench",
        "--quiet",
        "-p",
        "session-roam-core",
        "--bench",
        bench,
    ]);
    let text = proc::output(&mut command)?;
    text.lines()
        .filter(|line| line.starts_with('{'))
        .map(figure)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::with_section;

    #[test]
    fn a_table_takes_its_own_place_and_leaves_the_others() {
        let page = with_section("", "One", "## One\n\n1\n");
        let page = with_section(&page, "Two", "## Two\n\n2\n");
        let again = with_section(&page, "One", "## One\n\n3\n");
        assert_eq!(again, page.replace("1\n", "3\n"));
        assert!(again.ends_with("## One\n\n3\n\n## Two\n\n2\n"), "{again}");
    }
}
