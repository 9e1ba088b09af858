//! `cargo xtask bench chats`: the cost of a large chat and a state database of several gigabytes,
//! measured inside the core (its benchmark `chats`), beside simpler work in the same run.

use super::{Row, Verdict, machine, of_core, write_section, writes};
use crate::proc;
use anyhow::{Context, Result};
use serde_json::Value;

/// One result of the benchmark: milliseconds, megabytes.
struct Figure {
    what: String,
    ms: f64,
    memory: f64,
}

pub fn run(args: &[&str]) -> Result<()> {
    let write = writes(args)?;
    let load = machine::load();
    let figures = of_core("chats", figure)?;
    write_section(
        "Chats in VS Code",
        "chats",
        &rows(&figures),
        &proc::target_dir()?,
        load,
        NOTES,
        write,
    )
}

const NOTES: &str = "\
The chat is a log of changes of 760 requests; “continued” is a line behind it from another device, the whole checked \
before, and its entry in the list. The database holds values of 1 MiB; one of 67 bytes is read, or changed and read back, \
with the connection opened for it. Memory is what the process grew by at the worst moment (Linux).\n";

fn figure(line: &str) -> Result<Figure> {
    let value: Value = serde_json::from_str(line)
        .with_context(|| format!("not what the benchmark says: {line}"))?;
    let number = |name: &str| {
        value[name]
            .as_f64()
            .with_context(|| format!("no {name} in {line}"))
    };
    let what = value["what"].as_str().unwrap_or_default().to_owned();
    Ok(Figure {
        what,
        ms: number("ms")?,
        memory: number("memory")?,
    })
}

fn rows(figures: &[Figure]) -> Vec<Row> {
    let row = |figure: &Figure| Row {
        promise: figure.what.clone(),
        budget: "–".into(),
        measured: format!("{:.2} ms, {:.1} MB of memory", figure.ms, figure.memory),
        beside: beside(figure, figures),
        verdict: Verdict::None,
    };
    figures
        .iter()
        .filter(|figure| !figure.what.starts_with("beside: "))
        .map(row)
        .collect()
}

/// The simpler work on the same input, and the ratio of the times.
fn beside(figure: &Figure, all: &[Figure]) -> String {
    let thing = |what: &str| what.split([':', ' ']).take(3).collect::<Vec<_>>().join(" ");
    let plain = all
        .iter()
        .filter_map(|figure| Some((figure.what.strip_prefix("beside: ")?, figure.ms)));
    let same = plain.filter(|(what, _)| {
        thing(what) == thing(&figure.what)
            || what.starts_with("a look") && figure.what.starts_with("one value of")
    });
    same.map(|(what, ms)| format!("{what} {ms:.2} ms: {:.2} times its time", figure.ms / ms))
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_stands_beside_the_plainer_work_on_the_same() {
        let figure = |what: &str, ms: f64| Figure {
            what: what.into(),
            ms,
            memory: 1.0,
        };
        let all = [
            figure("beside: a chat of 76 MB, each line parsed as JSON", 200.0),
            figure("a chat of 76 MB: replayed", 300.0),
            figure("beside: one value of a state database of 12 kB", 0.1),
            figure("one value of a state database of 4.3 GB", 0.2),
            figure("beside: a look through the keys of 4.3 GB", 100.0),
        ];
        let rows = rows(&all);
        assert_eq!(rows.len(), 2);
        assert_eq!(
            rows[0].beside,
            "a chat of 76 MB, each line parsed as JSON 200.00 ms: 1.50 times its time"
        );
        assert!(
            rows[1].beside.contains("12 kB 0.10 ms: 2.00 times")
                && rows[1].beside.contains("0.00 times")
        );
        assert_eq!(rows[0].measured, "300.00 ms, 1.0 MB of memory");
    }
}
