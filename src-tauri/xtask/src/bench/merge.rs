//! `cargo xtask bench merge`: the cost of merging and comparing, measured inside the core (its
//! benchmark `merge`), beside simpler work on the same bytes in the same run.

use super::{Row, Verdict, machine, of_core, write_section, writes};
use crate::proc;
use anyhow::{Context, Result};
use serde_json::Value;

const FASTER_THAN: f64 = 300.0; // MB/s, for union and projection
const FIRST_PAGE: f64 = 300.0; // ms
const PAGE: f64 = 20.0; // ms

/// One result of the benchmark; `cpu` is the same by CPU time.
struct Figure {
    what: String,
    value: f64,
    cpu: f64,
    unit: String,
}

pub fn run(args: &[&str]) -> Result<()> {
    let write = writes(args)?;
    let load = machine::load();
    let figures = of_core("merge", figure)?;
    let rows: Vec<Row> = figures.iter().map(|figure| row(figure, &figures)).collect();
    write_section(
        "Merging and comparing",
        "merge",
        &rows,
        &proc::target_dir()?,
        load,
        NOTES,
        write,
    )
}

const NOTES: &str = "\
A session is what three devices recorded of it: one began it, two others went on from the same point. Union reads all \
of their journals, as they arrive: unzip, hash, signatures, chain, insert; its bytes are those of the lines, each once. \
Projection makes the bytes of the session's file and of both its forks. “Imported” journals have frames of 1 MiB, those \
“written live” of 6 KB. “Side by side” is what the engine does when many sessions arrive: each is read by one of its \
workers; otherwise one session is read after the other. Memory is allocated as in the engine. The sides of a diff have 20,000 messages each way; a page has 100 rows, and is timed from the \
session's record in the state to the answer as JSON. Frames, lines and the two sides of a diff are read on several \
cores, here on two. By CPU time a figure hardly depends on what else the machine does; the verdict goes by the clock.\n";

fn figure(line: &str) -> Result<Figure> {
    let value: Value = serde_json::from_str(line)
        .with_context(|| format!("not what the benchmark says: {line}"))?;
    let number = |name: &str| {
        value[name]
            .as_f64()
            .with_context(|| format!("no {name} in {line}"))
    };
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Ok(Figure {
        what: text("what"),
        value: number("value")?,
        cpu: number("cpu")?,
        unit: text("unit"),
    })
}

fn row(figure: &Figure, all: &[Figure]) -> Row {
    let Figure {
        what,
        value,
        cpu,
        unit,
    } = figure;
    let (budget, kept) = match budget(what) {
        Some(Budget::AtLeast(speed)) => (format!("≥ {speed:.0} {unit}"), Some(speed <= *value)),
        Some(Budget::Below(time)) => (format!("< {time:.0} {unit}"), Some(*value < time)),
        None => ("–".into(), None),
    };
    let digits = if *value < 10.0 { 1 } else { 0 };
    Row {
        promise: what.clone(),
        budget,
        measured: format!("{value:.digits$} {unit} (by CPU time {cpu:.digits$})"),
        beside: if kept.is_some() && unit == "MB/s" {
            besides(*value, all)
        } else {
            String::new()
        },
        verdict: kept.map_or(Verdict::None, Verdict::of),
    }
}

enum Budget {
    AtLeast(f64),
    Below(f64),
}

fn budget(what: &str) -> Option<Budget> {
    if what.starts_with("union") || what.starts_with("projection") {
        Some(Budget::AtLeast(FASTER_THAN))
    } else if what.ends_with("first page") {
        Some(Budget::Below(FIRST_PAGE))
    } else if what.ends_with("pages") || what.ends_with("first page again") {
        Some(Budget::Below(PAGE))
    } else {
        None
    }
}

/// The simpler work on the same kind of bytes, and the ratio of the speeds.
fn besides(value: f64, all: &[Figure]) -> String {
    let plain = all
        .iter()
        .filter_map(|figure| Some((figure.what.strip_prefix("beside: ")?, figure.value)));
    plain
        .map(|(what, speed)| format!("{what} {speed:.0} MB/s: {:.2} times", value / speed))
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_budget_is_said() {
        let figure = |what: &str, value: f64, unit: &str| Figure {
            what: what.into(),
            value,
            cpu: value,
            unit: unit.into(),
        };
        let all = [
            figure("beside: copying", 600.0, "MB/s"),
            figure("union, x", 150.0, "MB/s"),
            figure("diff: first page", 299.0, "ms"),
        ];
        let rows: Vec<Row> = all.iter().map(|figure| row(figure, &all)).collect();
        let verdicts: Vec<&str> = rows.iter().map(|row| row.verdict.words()).collect();
        assert_eq!(verdicts, ["–", "**MISSED**", "kept"]);
        assert_eq!(rows[1].beside, "copying 600 MB/s: 0.25 times");
    }
}
