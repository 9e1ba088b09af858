//! Where Claude Desktop keeps its data, and whether it runs.

use super::NAME;
use crate::adapter::Machine;
use crate::formats::running::Running;
use crate::formats::vscode::System;
use std::fs;
use std::path::{Path, PathBuf};

/// With a sign-in to claude.ai, and with a company's own gateway.
const FOLDERS: [&str; 2] = ["Claude", "Claude-3p"];
/// The package of the Microsoft Store, whose writes Windows redirects (kenn-io/agentsview,
/// `cowork_paths.go`, 2026-08).
const STORE_PACKAGE: &str = "Packages/Claude_pzs8sxrjxfjjc/LocalCache";

/// The possible data directories.
pub(super) fn roots(system: System, machine: &Machine) -> Vec<PathBuf> {
    let parents = match system {
        System::Linux => vec![
            machine
                .var("XDG_CONFIG_HOME")
                .map_or_else(|| machine.home.join(".config"), PathBuf::from),
        ],
        System::Mac => vec![machine.home.join("Library/Application Support")],
        System::Windows => {
            let data = |name: &str, usual: &str| {
                machine
                    .var(name)
                    .map_or_else(|| machine.home.join("AppData").join(usual), PathBuf::from)
            };
            let (roaming, local) = (data("APPDATA", "Roaming"), data("LOCALAPPDATA", "Local"));
            let package = local.join(STORE_PACKAGE);
            vec![
                roaming,
                package.join("Roaming"),
                local.clone(),
                package.join("Local"),
            ]
        }
    };
    let below = |parent: PathBuf| FOLDERS.map(|folder| parent.join(folder));
    parents.into_iter().flat_map(below).collect()
}

/// The running Claude Desktop, in words: it reads its registry at its start, and writes what it
/// has in memory when it quits.
pub(super) fn runs(machine: &Machine, roots: &[PathBuf]) -> Option<String> {
    let pid = machine
        .apps
        .running()
        .iter()
        .find(|running| is_it(running))
        .map(|running| running.pid);
    match pid.or_else(|| roots.iter().find_map(|root| lock_holder(root))) {
        Some(pid) => Some(format!("{NAME} is running (process {pid})")),
        None => roots
            .iter()
            .any(|root| is_held(root))
            .then(|| format!("{NAME} is running")),
    }
}

/// Whether a process is the app. The programs of Claude Code have the same names, so the place
/// decides; the Claude Code that the app itself starts may count.
fn is_it(running: &Running) -> bool {
    let exe = running
        .exe
        .to_string_lossy()
        .replace('\\', "/")
        .to_lowercase();
    let name = running.name();
    let is_bundled = exe.contains("/claude.app/contents/");
    let is_installed = name == "claude"
        && (exe.contains("/anthropicclaude/") || exe.contains("/windowsapps/claude_"));
    let is_its_electron = name == "electron"
        && running.args.iter().take(8).any(|arg| {
            let mut parts = arg.split(['/', '\\']);
            parts.any(|part| part.eq_ignore_ascii_case("claude-desktop"))
        });
    name == "claude-desktop" || is_bundled || is_installed || is_its_electron
}

/// The process that holds the lock of Chromium's data directory, a link to `<host>-<pid>`. It is
/// there however the app was packaged.
fn lock_holder(root: &Path) -> Option<u32> {
    let target = fs::read_link(root.join("SingletonLock")).ok()?;
    let pid = target.to_str()?.rsplit('-').next()?.parse().ok()?;
    crate::formats::process::is_alive(pid).then_some(pid)
}

/// On Windows the running app denies others its lock file.
fn is_held(root: &Path) -> bool {
    let opened = fs::OpenOptions::new()
        .write(true)
        .open(root.join("lockfile"));
    cfg!(windows) && opened.is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(system: System, vars: &[(&str, &str)]) -> Vec<String> {
        let mut machine = Machine::at("/h");
        machine.vars = vars
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        let roots = roots(system, &machine).into_iter();
        roots
            .map(|root| root.to_string_lossy().replace('\\', "/"))
            .collect()
    }

    #[test]
    fn the_data_is_where_each_system_keeps_it() {
        assert_eq!(
            shown(System::Linux, &[]),
            ["/h/.config/Claude", "/h/.config/Claude-3p"]
        );
        assert_eq!(
            shown(System::Linux, &[("XDG_CONFIG_HOME", "/c")])[0],
            "/c/Claude"
        );
        assert_eq!(
            shown(System::Mac, &[])[0],
            "/h/Library/Application Support/Claude"
        );
        let windows = shown(
            System::Windows,
            &[("APPDATA", "/r"), ("LOCALAPPDATA", "/l")],
        );
        for expected in [
            "/r/Claude",
            "/l/Claude-3p",
            "/l/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude",
        ] {
            assert!(windows.iter().any(|root| root == expected), "{expected}");
        }
        assert_eq!(shown(System::Windows, &[])[0], "/h/AppData/Roaming/Claude");
    }

    #[test]
    fn the_app_is_told_from_claude_code() {
        let is = |exe: &str, args: &[&str]| {
            is_it(&Running {
                exe: exe.into(),
                args: args.iter().map(|arg| (*arg).into()).collect(),
                ..Running::default()
            })
        };
        for exe in [
            "/Applications/Claude.app/Contents/MacOS/Claude",
            "/usr/lib/claude-desktop/claude-desktop",
            "C:\\Users\\mia\\AppData\\Local\\AnthropicClaude\\app-1.2\\claude.exe",
            "C:\\Program Files\\WindowsApps\\Claude_2.1_x64__pzs8sxrjxfjjc\\app\\Claude.exe",
        ] {
            // On this system a `\` does not part names, so the name is not the last part.
            let exe = match cfg!(windows) {
                true => exe.to_owned(),
                false => exe.replace('\\', "/"),
            };
            assert!(is(&exe, &[]), "{exe}");
        }
        assert!(is(
            "/usr/lib/electron/electron",
            &["electron", "/usr/lib/claude-desktop/app.asar"]
        ));
        for exe in [
            "/home/mia/.local/bin/claude",
            "C:/Users/mia/.local/bin/claude.exe",
            "/usr/bin/code",
        ] {
            assert!(!is(exe, &["claude"]), "{exe}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_holder_of_the_lock_is_the_app_however_it_was_packaged() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::at(dir.path());
        let roots = [dir.path().to_path_buf()];
        let hold = |pid: u32| {
            let lock = dir.path().join("SingletonLock");
            let _ = fs::remove_file(&lock);
            std::os::unix::fs::symlink(format!("my-host-{pid}"), lock).unwrap();
        };
        assert_eq!(runs(&machine, &roots), None);
        hold(u32::MAX - 1);
        assert_eq!(runs(&machine, &roots), None, "a crash left it");
        hold(std::process::id());
        let running = runs(&machine, &roots).expect("it runs");
        assert!(running.ends_with(&format!("(process {})", std::process::id())));
    }
}
