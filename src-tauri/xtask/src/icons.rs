//! `cargo xtask icons`: renders the tray's icons from their one drawing, icons/tray/glyph.svg, as
//! small PNG files. These are kept in the repository, so building the app needs no drawing program.
//! Needs rsvg-convert (Debian: librsvg2-bin).

use crate::proc;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::process::Command;

const STATES: [&str; 5] = ["idle", "moving", "attention", "paused", "off"];
/// Panel, the glyph's colour on it, and the colour of the rim.
const PANELS: [(&str, &str, &str); 2] = [
    ("dark", "#f4f5f7", "#101418"),
    ("light", "#1d232b", "#ffffff"),
];
/// Twice the size in a panel at 100 %.
const PIXELS: &str = "48";

pub fn run() -> Result<()> {
    let dir = proc::root().join("icons/tray");
    let drawing = fs::read_to_string(dir.join("glyph.svg")).context("icons/tray/glyph.svg")?;
    let scratch = tempfile::tempdir()?;
    for state in STATES {
        for (panel, ink, rim) in PANELS {
            let svg = scratch.path().join("icon.svg");
            fs::write(
                &svg,
                only(&drawing, state)?
                    .replace("INK", ink)
                    .replace("RIM", rim),
            )?;
            let png = dir.join(format!("{state}-{panel}.png"));
            proc::run(
                Command::new("rsvg-convert")
                    .args(["-w", PIXELS, "-h", PIXELS, "-o"])
                    .arg(png)
                    .arg(svg),
            )?;
        }
    }
    Ok(())
}

/// The drawing without the groups of the other states, each of which is one line.
fn only(drawing: &str, state: &str) -> Result<String> {
    let group = |name: &str| format!("<g id=\"{name}\"");
    let others: Vec<String> = STATES
        .iter()
        .filter(|other| **other != state)
        .map(|other| group(other))
        .collect();
    let text: String = drawing
        .lines()
        .filter(|line| !others.iter().any(|other| line.contains(other)))
        .collect();
    ensure!(
        state == "idle" || text.contains(&group(state)),
        "the drawing has no group {state}"
    );
    Ok(text)
}
