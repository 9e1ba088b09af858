//! `cargo xtask bench code`: what it costs to record a large checkout, measured inside the crate for it
//! (its benchmark `figures`), beside `git status` and `git bundle` in the same run.

use super::{Row, Verdict, bench_dir, machine, write_section, writes};
use crate::proc;
use anyhow::{Context, Result};
use std::collections::BTreeMap;

const FILES: &str = "100000";
const MEGABYTES: &str = "2000";

pub fn run(args: &[&str]) -> Result<()> {
    let write = writes(args)?;
    let load = machine::load();
    let place = tempfile::Builder::new()
        .prefix("code")
        .tempdir_in(bench_dir()?)
        .context("could not make a directory")?;
    let mut command = proc::cargo();
    command.args(["bench", "--quiet", "--package", "session-roam-code"]);
    command.args(["--bench", "figures", "--"]);
    command.arg(place.path()).args([FILES, MEGABYTES]);
    let text = proc::output(&mut command)?;
    let rows = rows(&figures(&text))?;
    let title = "Uncommitted changes of a large checkout";
    write_section(title, "code", &rows, place.path(), load, NOTES, write)
}

const NOTES: &str = "\
100,000 files of 2 GB in 5,100 directories, in the page cache. A turn rewrites three files; the figures of nine turns are medians. CPU \
time is that of the process and of every `git` that it starts. Recording rests a hundred times as long as it took, so that it takes at \
most a hundredth of the time. The pack has the changes of all turns; a bundle has the same as a commit.\n";

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
            ..ms("recorded after a turn", turn)
        },
        ms("recorded for the first time", figure("first_snapshot_ms")?),
        Row {
            budget: "1.2 times a bundle".into(),
            measured: format!("{pack:.0} bytes in {:.0} ms", figure("pack_ms")?),
            beside: format!(
                "git bundle {bundle:.0} bytes: {:.2} times its size",
                pack / bundle
            ),
            verdict: Verdict::of(pack < 1.2 * bundle),
            ..ms("packed against the commit", pack)
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
        let text = "first_snapshot_ms 456\ngit_status_ms 400\nturn_snapshot_ms 200\nturn_cpu_ms 150\npack_ms 60\n\
                    pack_bytes 1300\nbundle_bytes 1000\nreceive_ms 600\ncompare_ms 400\n";
        let rows = rows(&figures(text)).expect("all figures");
        assert_eq!(rows[0].measured, "200 ms (CPU 150 ms)");
        assert_eq!(rows[0].beside, "git status 400 ms: 0.50 times its time");
        assert!(matches!(rows[0].verdict, Verdict::Kept));
        assert!(matches!(rows[2].verdict, Verdict::Missed));
        assert!(super::rows(&BTreeMap::new()).is_err());
    }
}
