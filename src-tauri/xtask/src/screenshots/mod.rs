//! `cargo xtask screenshots`: pictures of every view in `target/screenshots`, for people to look
//! at: the page with its fake backend in Chromium, which can show every state, and on Linux the
//! real app with made-up sessions of two devices. With `readme`, the README's pictures are written
//! to `docs/pictures`.

use crate::{proc, setup};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    named.or_else(|| {
        ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find_map(proc::find)
    })
}

pub fn run(args: &[&str]) -> Result<()> {
    let dir = proc::target_dir()?.join("screenshots");
    fs::create_dir_all(&dir).with_context(|| format!("could not make {}", dir.display()))?;
    match args {
        [] => pages(&dir).and_then(|()| app()),
        ["pages"] => pages(&dir),
        ["app"] => app(),
        ["readme"] => app().and_then(|()| to_readme(&dir.join("app"))),
        _ => bail!("usage: cargo xtask screenshots [pages|app|readme]"),
    }
}

/// The pictures in the README, each in light and dark.
const SHOWN: [&str; 2] = ["overview", "split"];

fn to_readme(from: &Path) -> Result<()> {
    let to = proc::root().join("docs/pictures");
    fs::create_dir_all(&to).with_context(|| format!("could not make {}", to.display()))?;
    for view in SHOWN {
        for theme in ["light", "dark"] {
            let name = format!("{view}-{theme}.png");
            fs::copy(from.join(&name), to.join(&name))
                .with_context(|| format!("could not copy {name}"))?;
        }
    }
    Ok(())
}

fn needs() -> Result<()> {
    setup::to_build_app()?;
    if cfg!(target_os = "linux") {
        setup::to_test_app()?;
    }
    setup::build_window() // brings the page's build tools
}

fn pages(dir: &Path) -> Result<()> {
    needs()?;
    proc::run(&mut setup::npm(
        &proc::root().join("ui"),
        &["run", "build:fake"],
    )?)?;
    let script = proc::root().join("src-tauri/xtask/src/screenshots/pages.mjs");
    let mut command = Command::new("node");
    command
        .arg(script)
        .arg(proc::root().join("ui"))
        .arg(dir.join("pages"));
    if let Some(chromium) = chromium() {
        command.env("CHROMIUM", chromium);
    }
    proc::run(&mut command)
}

/// The real app, driven by a test (`tests/app/pictures.rs`), which can start, fill and click it.
#[cfg(target_os = "linux")]
fn app() -> Result<()> {
    needs()?;
    let mut command = proc::cargo();
    command.args([
        "test",
        "--locked",
        "--package",
        "session-roam",
        "--test",
        "app",
        "pictures::",
        "--",
        "--nocapture",
    ]);
    proc::run(&mut command)
}

#[cfg(not(target_os = "linux"))]
fn app() -> Result<()> {
    println!(
        "LEFT OUT: pictures of the app itself. They need Xvfb and WebKitWebDriver, which are Linux's."
    );
    Ok(())
}
