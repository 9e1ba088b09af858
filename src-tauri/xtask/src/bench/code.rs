//! `cargo xtask bench code`: what it costs to record a large checkout, measured inside the crate for it
//! (its benchmark `figures`), beside `git status` and `git bundle` in the same run; and how long lines of a
//! conversation take from device to device while that checkout is recorded.

use super::latency::{self, Times};
use super::{Row, Verdict, bench_dir, machine, write_section, writes};
use crate::corpus::{Dice, Session};
use crate::device::{self, Device, Interrupt};
use crate::{proc, run as roam, setup};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const FILES: &str = "100000";
const MEGABYTES: &str = "2000";
/// How many sessions in the large checkout are recorded, one after the other.
const RECORDED: u64 = 20;
/// Lines of the conversation without a recording.
const ALONE: usize = 60;
/// A recording begins two seconds after the last line.
const ABOUT_TO_RECORD: Duration = Duration::from_millis(1950);

pub fn run(args: &[&str]) -> Result<()> {
    let write = writes(args)?;
    setup::to_run()?;
    let roam = roam::build_roam()?;
    let interrupt = Interrupt::watch()?;
    let place = tempfile::Builder::new()
        .prefix("rb")
        .tempdir_in(bench_dir()?)
        .context("could not make a directory")?;
    let load = machine::load();
    let checkout = place.path().join("a/work/large");
    fs::create_dir_all(checkout.with_file_name("")).context("could not make a directory")?;
    let mut command = proc::cargo();
    command.args(["bench", "--locked", "--quiet"]);
    command.args(["--package", "session-roam-code", "--bench", "figures", "--"]);
    command.arg(place.path()).arg(&checkout);
    let text = proc::output(command.args([FILES, MEGABYTES]))?;
    let mut rows = rows(&figures(&text))?;
    let (alone, beside) = conversation(&roam, place.path(), &checkout, &interrupt)?;
    rows.push(latency_row(&alone, &beside));
    let title = "Uncommitted changes of a large checkout";
    write_section(title, "code", &rows, place.path(), load, NOTES, write)
}

const NOTES: &str = "\
100,000 files of 2 GB in 5,100 directories, in the page cache. A turn rewrites three files; its figures are medians of nine turns, \
from finding `git` until the state is recorded, and those of `git status` are of the same turns. CPU time is that of the process and of \
every `git` that it starts. After a turn that stages a file as well, the index is not the kept one: medians of five. Recording rests a \
hundred times as long as it took, so that it takes at most a hundredth of the time. The pack has the changes of all turns; a bundle has \
the same as a commit. Lines of a conversation in another project, of 1 KB, go from device to device on this machine: each of the lines \
beside a recording was written from just before that checkout was recorded, for 20 sessions in it, until its file was written. \
Each line follows the one before within 50 ms of its arrival, and so takes longer than single lines do (\"From device to device\").\n";

/// How long lines take without a recording, and while the checkout is recorded.
fn conversation(
    roam: &Path,
    place: &Path,
    checkout: &Path,
    interrupt: &Interrupt,
) -> Result<(Times, Times)> {
    let ([mut desk, mut laptop], [here, there]) = latency::two_devices(roam, place, interrupt)?;
    let mut dice = Dice::new(13);
    let mut talk = Session::new(&here, 1_795_000_000_000, 1);
    let mut others: Vec<Session> = (0..RECORDED)
        .map(|seed| Session::new(checkout, 1_795_000_000_000, 100 + seed))
        .collect();
    for session in others.iter_mut().chain([&mut talk]) {
        append(&session.path(&desk.home), &session.said("user", "begin"))?;
    }
    desk.spawn()?;
    laptop.spawn()?;
    desk.wait_ready()?;
    laptop.wait_ready()?;
    device::pair(&mut desk, &mut laptop)?;
    desk.ask(&["code", "off", "git:git.example/acme/parser"])?;
    desk.ask(&["code", "on", "git:git.example/acme/large"])?;
    let pair = (talk.path(&desk.home), talk.path_for(&laptop.home, &there));
    latency::wait_equal(&pair, interrupt)?;
    std::thread::sleep(Duration::from_secs(5));
    let mut one = |dice: &mut Dice| {
        std::thread::sleep(Duration::from_millis(10 + dice.below(40)));
        let text = talk.said("user", &"a line of talk ".repeat(40));
        let times = latency::append_and_wait(&text, std::slice::from_ref(&pair), interrupt)?;
        Ok::<_, anyhow::Error>(times[0])
    };
    let alone = (0..ALONE).map(|_| one(&mut dice)).collect::<Result<_>>()?;
    let mut beside = Vec::new();
    for session in &mut others {
        let before = n_recorded(&desk);
        append(&session.path(&desk.home), &session.said("user", "go on"))?;
        let start = Instant::now();
        std::thread::sleep(ABOUT_TO_RECORD);
        while n_recorded(&desk) == before {
            if Duration::from_secs(60) < start.elapsed() {
                bail!("the large checkout was not recorded");
            }
            beside.push(one(&mut dice)?);
        }
    }
    latency::same_bytes(&pair)?;
    Ok((Times::new(alone), Times::new(beside)))
}

fn append(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let io = || format!("could not write {}", path.display());
    fs::create_dir_all(path.with_file_name("")).with_context(io)?;
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(io)?;
    file.write_all(text.as_bytes()).with_context(io)
}

/// How many states of checkouts the device has written.
fn n_recorded(device: &Device) -> usize {
    let mut dirs: Vec<PathBuf> = vec![device.roam_home().join("vault")];
    let mut found = 0;
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => dirs.push(entry.path()),
                false if entry.file_name().to_string_lossy().ends_with(".code.zst") => found += 1,
                false => {}
            }
        }
    }
    found
}

fn latency_row(alone: &Times, beside: &Times) -> Row {
    let [p50, p95] = [50, 95].map(|percent| beside.percentile(percent).as_millis());
    let without = [50, 95].map(|percent| alone.percentile(percent).as_millis());
    Row {
        promise: format!(
            "a line of a conversation while it is recorded, n = {}",
            beside.count()
        ),
        budget: "p50 at most 1.1 times as long as without a recording".into(),
        measured: format!("p50 {p50} ms, p95 {p95} ms"),
        beside: format!(
            "without a recording p50 {} ms, p95 {} ms (n = {})",
            without[0],
            without[1],
            alone.count()
        ),
        verdict: Verdict::of(10 * p50 <= 11 * without[0]),
    }
}

/// The benchmark prints one `name value` a line.
fn figures(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter_map(|(name, value)| Some((name, value.trim().parse().ok()?)))
        .collect()
}

fn rows(figures: &BTreeMap<&str, f64>) -> Result<Vec<Row>> {
    let figure = |name: &str| {
        figures
            .get(name)
            .copied()
            .with_context(|| format!("the benchmark says no {name}"))
    };
    let (turn, cpu, status) = (
        figure("turn_snapshot_ms")?,
        figure("turn_cpu_ms")?,
        figure("git_status_ms")?,
    );
    let (pack, bundle) = (figure("pack_bytes")?, figure("bundle_bytes")?);
    let ms = |promise: &str, value: f64| Row {
        promise: promise.into(),
        budget: "–".into(),
        measured: format!("{value:.0} ms"),
        beside: String::new(),
        verdict: Verdict::None,
    };
    Ok(vec![
        Row {
            budget: "< 300 ms".into(),
            measured: format!("{turn:.0} ms (CPU {cpu:.0} ms)"),
            beside: format!(
                "git status {status:.0} ms: {:.2} times its time",
                turn / status
            ),
            verdict: Verdict::of(turn < 300.0),
            ..ms("recorded after a turn that rewrote three files", turn)
        },
        ms(
            "the same, and one of them was staged",
            figure("staged_snapshot_ms")?,
        ),
        ms("recorded for the first time", figure("first_snapshot_ms")?),
        Row {
            budget: "1.2 times a bundle".into(),
            measured: format!("{pack:.0} bytes in {:.0} ms", figure("pack_ms")?),
            beside: format!(
                "git bundle {bundle:.0} bytes: {:.2} times its size",
                pack / bundle
            ),
            verdict: Verdict::of(pack < 1.2 * bundle),
            ..ms("packed against the commit, 27 files of nine turns", pack)
        },
        ms("verified on the other device", figure("receive_ms")?),
        ms("compared with the checkout there", figure("compare_ms")?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_stand_beside_those_of_git() {
        let text = "first_snapshot_ms 456\ngit_status_ms 400\nturn_snapshot_ms 200\nstaged_snapshot_ms 300\nturn_cpu_ms 150\npack_ms 60\n\
                    pack_bytes 1300\nbundle_bytes 1000\nreceive_ms 600\ncompare_ms 400\n";
        let rows = rows(&figures(text)).expect("all figures");
        assert_eq!(rows[0].measured, "200 ms (CPU 150 ms)");
        assert_eq!(rows[0].beside, "git status 400 ms: 0.50 times its time");
        assert!(matches!(rows[0].verdict, Verdict::Kept));
        assert!(matches!(rows[3].verdict, Verdict::Missed));
        assert!(super::rows(&BTreeMap::new()).is_err());
    }
}
