//! The repository's system requirements: installed where possible (Debian and its derivatives),
//! else listed exactly. Installs nothing that exists already.

use crate::proc;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A system requirement.
#[derive(Clone, Copy)]
pub struct Need {
    /// Debian's package.
    pub package: &'static str,
    pub there: fn() -> bool,
    pub why: &'static str,
    pub elsewhere: &'static str,
}

const TO_RUN: &[Need] = &[Need {
    package: "syncthing",
    there: || proc::find("syncthing").is_some(),
    why: "carries the sessions between your devices",
    elsewhere: "Syncthing 1.19 or newer on PATH (macOS: brew install syncthing; Windows: winget install Syncthing.Syncthing)",
}];

/// Requirements for building the tray app. Other systems include them: macOS its WebKit, Windows
/// its WebView2.
const TO_BUILD_APP: &[Need] = &[Need {
    package: "libwebkit2gtk-4.1-dev",
    there: || has_library("webkit2gtk-4.1"),
    why: "the tray app's window",
    elsewhere: "WebKitGTK 4.1 with its development files",
}];

/// Requirements for the tests of the app and of its window.
const TO_TEST_APP: &[Need] = &[
    Need {
        package: "xvfb",
        there: || proc::find("Xvfb").is_some(),
        why: "a display of the tests' own",
        elsewhere: "Xvfb (Linux only)",
    },
    Need {
        package: "dbus",
        there: || proc::find("dbus-daemon").is_some(),
        why: "a session bus of the tests' own",
        elsewhere: "dbus-daemon (Linux only)",
    },
    Need {
        package: "dunst",
        there: || proc::find("dunst").is_some(),
        why: "a real notification daemon",
        elsewhere: "dunst (Linux only)",
    },
    Need {
        package: "webkit2gtk-driver",
        there: || proc::find("WebKitWebDriver").is_some(),
        why: "clicks and types in the tray app's window",
        elsewhere: "WebKitWebDriver (Linux only)",
    },
    Need {
        package: "x11-utils",
        there: || proc::find("xwininfo").is_some(),
        why: "says which windows are open",
        elsewhere: "xwininfo (Linux only)",
    },
    Need {
        package: "imagemagick",
        there: || proc::find("import").is_some(),
        why: "takes the pictures that the tests keep",
        elsewhere: "ImageMagick's import (Linux only)",
    },
    Need {
        package: "chromium",
        there: || {
            ["chromium", "chromium-browser", "google-chrome"]
                .iter()
                .any(|name| proc::find(name).is_some())
        },
        why: "shows every view and state of the window to its tests",
        elsewhere: "Chromium, or `npx playwright install chromium` in ui/",
    },
];

const GIT: Need = Need {
    package: "git",
    there: || proc::find("git").is_some(),
    why: "makes the projects of the tests",
    elsewhere: "git",
};

const TO_TEST: &[Need] = &[
    GIT,
    Need {
        package: "python3",
        there: || proc::find("python3").is_some(),
        why: "runs the tests of the client for Python",
        elsewhere: "Python 3",
    },
    Need {
        package: "perl",
        there: || proc::find("perl").is_some(),
        why: "runs the app of docs/api.md",
        elsewhere: "Perl",
    },
    Need {
        package: "iproute2",
        there: || proc::find("ip").is_some(),
        why: "brings up loopback in the tests' own network",
        elsewhere: "iproute2 (Linux only)",
    },
    Need {
        package: "util-linux",
        there: || proc::find("unshare").is_some(),
        why: "gives the tests a network of their own",
        elsewhere: "util-linux (Linux only)",
    },
    Need {
        package: "procps",
        there: || proc::find("kill").is_some(),
        why: "ends programs in the tests, gently and as a crash would",
        elsewhere: "procps (Linux only)",
    },
    Need {
        package: "ca-certificates",
        there: || Path::new("/etc/ssl/certs/ca-certificates.crt").exists(),
        why: "npm checks whom it talks to",
        elsewhere: "the system's certificates",
    },
    Need {
        package: "debian-archive-keyring",
        there: || Path::new(KEYRING).exists(),
        why: "vouches for the second Syncthing that the tests use",
        elsewhere: "(Debian only)",
    },
];

/// Requirements for compiling VS Code's modules, beside those of the other tests.
const TO_TEST_EDITORS: &[Need] = &[
    Need {
        package: "g++",
        there: || proc::find("g++").is_some(),
        why: "compiles VS Code's own modules",
        elsewhere: "g++",
    },
    Need {
        package: "make",
        there: || proc::find("make").is_some(),
        why: "compiles VS Code's own modules",
        elsewhere: "make",
    },
    Need {
        package: "python3",
        there: || proc::find("python3").is_some(),
        why: "prepares the compiling of VS Code's own modules",
        elsewhere: "Python 3",
    },
];

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const OLDEST_NODE: u32 = 20;

/// What the tests of `cargo xtask test` may use beyond the system's own packages.
#[derive(Debug, Default)]
pub struct ForTests {
    /// A second, newer Syncthing.
    pub newer_syncthing: Option<PathBuf>,
    /// Missing requirements as text, printed once more at the end.
    pub missing: Vec<String>,
}

pub fn to_run() -> Result<()> {
    install(TO_RUN)
}

/// Requirements of the tests that run no third-party programs: Git for their repositories, and the
/// build requirements of the tray app.
pub fn to_test_quickly() -> Result<()> {
    install(&[GIT])?;
    to_build_app()
}

/// Requirements for building the tray app, and the window that is built into it.
pub fn to_build_app() -> Result<()> {
    if cfg!(target_os = "linux") {
        install(TO_BUILD_APP)?;
    }
    check_node("the window is built with it")
}

/// A display and a bus of one's own, and programs that inspect them.
pub fn to_test_app() -> Result<()> {
    install(TO_TEST_APP)
}

/// Requirements of the tests with a real VS Code.
pub fn to_test_editors() -> Result<()> {
    let others = TO_TEST
        .iter()
        .filter(|need| need.package != "debian-archive-keyring");
    let needs: Vec<&Need> = TO_RUN
        .iter()
        .chain(others)
        .chain(TO_TEST_EDITORS)
        .chain(TO_TEST_APP.iter().filter(|need| need.package == "chromium"))
        .collect();
    install(&needs)?;
    check_node("npm comes with it")
}

/// Whether there is a display. Other systems than Linux always have one.
pub fn has_display() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

fn has_library(name: &str) -> bool {
    proc::succeeds(Command::new("pkg-config").args(["--exists", name]))
}

/// Everything for `cargo xtask test`. Requirements that only add coverage may be missing; the
/// answer lists them.
pub fn to_test() -> Result<ForTests> {
    if !cfg!(target_os = "linux") {
        install(TO_RUN)?;
        to_build_app()?;
        return Ok(ForTests {
            missing: vec!["the tests with real Syncthings and real tools: they need Linux's network namespaces".into()],
            ..ForTests::default()
        });
    }
    install(&[TO_RUN, TO_TEST, TO_BUILD_APP, TO_TEST_APP].concat())?;
    to_build_app()?;
    let mut ready = ForTests::default();
    match newer_syncthing() {
        Ok(binary) => ready.newer_syncthing = Some(binary),
        Err(error) => ready
            .missing
            .push(format!("the pass with Syncthing 1.29: {error:#}")),
    }
    if !clients()? {
        ready
            .missing
            .push("the tests with real tools: tests/real/package.json is not there".into());
    }
    for missing in &ready.missing {
        println!("\n*** LEFT OUT: {missing}\n");
    }
    Ok(ready)
}

pub fn install<N: std::borrow::Borrow<Need>>(needs: &[N]) -> Result<()> {
    let missing: Vec<&Need> = needs
        .iter()
        .map(N::borrow)
        .filter(|need| !(need.there)())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("Missing on this system:");
    for need in &missing {
        println!("  {:24} {}", need.package, need.why);
    }
    if !is_debian() || proc::find("apt-get").is_none() {
        let list: Vec<_> = missing
            .iter()
            .map(|need| format!("  {}", need.elsewhere))
            .collect();
        bail!(
            "please install this, then run the same command again:\n{}",
            list.join("\n")
        );
    }
    let packages: Vec<_> = missing.iter().map(|need| need.package).collect();
    apt_install(&packages)?;
    match missing.iter().find(|need| !(need.there)()) {
        Some(need) => bail!(
            "the package {} was installed, yet what it brings is not found",
            need.package
        ),
        None => Ok(()),
    }
}

fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")))
        .any(|value| {
            value
                .trim_matches('"')
                .split(' ')
                .any(|word| word == "debian" || word == "ubuntu")
        })
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let Some(prefix) = root_prefix() else {
        bail!(
            "installing needs root. Run this, then the same command again:\n  apt-get install {}",
            packages.join(" ")
        );
    };
    let apt = |args: &[&str]| {
        let mut words =
            prefix
                .iter()
                .copied()
                .chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        let mut command = Command::new(words.next().expect("a chain of at least three words"));
        command.args(words).args(args);
        command
    };
    proc::run_with_retry(|| apt(&["update", "-q"]))?;
    let mut args = vec!["install", "-y", "-q", "--no-install-recommends"];
    args.extend(packages);
    proc::run_with_retry(|| apt(&args))
}

/// The words that run a command as root, if possible.
fn root_prefix() -> Option<&'static [&'static str]> {
    let is_root = proc::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    match () {
        () if is_root => Some(&[]),
        () if proc::succeeds(Command::new("sudo").args(["-n", "true"])) => Some(&["sudo", "-n"]),
        () if proc::find("sudo").is_some() && std::io::stdin().is_terminal() => Some(&["sudo"]),
        () => None,
    }
}

/// Debian's next release has Syncthing 1.29: unpacked beside the build, not installed, verified
/// with Debian's keys.
fn newer_syncthing() -> Result<PathBuf> {
    let home = proc::target_dir()?.join("syncthing-1.29");
    let binary = home.join("usr/bin/syncthing");
    if says_its_version(&binary) {
        return Ok(binary);
    }
    if proc::find("apt-get").is_none() || !Path::new(KEYRING).exists() {
        bail!("it is taken from a Debian mirror, and this system has no apt-get or no Debian keys");
    }
    println!(
        "Fetching Syncthing 1.29 from Debian's suite trixie (unpacked to {}, not installed)",
        home.display()
    );
    let apt = prepare_apt(&home)?;
    proc::run_with_retry(|| apt_aside(&apt, &["update", "-q"]))?;
    proc::run_with_retry(|| apt_aside(&apt, &["download", "-q", "syncthing"]))?;
    let package = fs::read_dir(&apt)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get brought no package")?;
    proc::run(Command::new("dpkg").arg("-x").arg(&package).arg(&home))?;
    if !says_its_version(&binary) {
        bail!(
            "it was unpacked, but {} does not start here",
            binary.display()
        );
    }
    Ok(binary)
}

fn says_its_version(binary: &Path) -> bool {
    let home = std::env::temp_dir();
    proc::output(Command::new(binary).arg("--version").env("HOME", home))
        .is_ok_and(|text| text.contains("syncthing v1.29"))
}

/// A package list and state of our own, so that the system's apt stays unchanged.
fn prepare_apt(home: &Path) -> Result<PathBuf> {
    let apt = home.join("apt");
    if apt.exists() {
        fs::remove_dir_all(&apt).with_context(|| format!("could not empty {}", apt.display()))?;
    }
    for dir in ["lists/partial", "cache/archives/partial", "parts"] {
        fs::create_dir_all(apt.join(dir))
            .with_context(|| format!("could not make {}", apt.display()))?;
    }
    fs::write(apt.join("status"), "")?;
    fs::write(
        apt.join("sources.list"),
        format!(
            "deb [signed-by={KEYRING}] {} trixie main\n",
            debian_mirror()
        ),
    )?;
    Ok(apt)
}

fn apt_aside(apt: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    let settings = [
        ("Dir::Etc::sourcelist", "sources.list"),
        ("Dir::Etc::sourceparts", "parts"),
        ("Dir::State", ""),
        ("Dir::State::lists", "lists"),
        ("Dir::State::status", "status"),
        ("Dir::Cache", "cache"),
    ];
    for (name, place) in settings {
        command
            .arg("-o")
            .arg(format!("{name}={}", apt.join(place).display()));
    }
    // The list is in the user's own directory, which apt's helper account may be unable to read.
    command
        .args(["-o", "APT::Sandbox::User=root"])
        .args(args)
        .current_dir(apt);
    command
}

/// The Debian mirror that this system uses, else Debian's own.
pub fn debian_mirror() -> String {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    files.extend(
        fs::read_dir("/etc/apt/sources.list.d")
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path())),
    );
    files.sort();
    let texts = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    texts
        .filter_map(|text| mirror_in(&text))
        .next()
        .unwrap_or_else(|| "http://deb.debian.org/debian".into())
}

/// The address of a Debian archive in a list of either format of apt.
fn mirror_in(sources: &str) -> Option<String> {
    let lines = sources
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"));
    lines
        .flat_map(str::split_whitespace)
        .map(|word| word.trim_end_matches('/'))
        .find(|word| word.contains("://") && word.ends_with("/debian"))
        .map(str::to_owned)
}

/// The real tools, as pinned by tests/real/package-lock.json, in `real-clients` beside the build,
/// where their tests expect them. False if the repository pins none.
fn clients() -> Result<bool> {
    let wanted = proc::root().join("tests/real");
    let Ok(lock) = fs::read(wanted.join("package-lock.json")) else {
        return Ok(false);
    };
    check_node("the tests run the real tools")?;
    let dir = proc::target_dir()?.join("real-clients");
    let installed = dir.join("installed.json");
    if fs::read(&installed).is_ok_and(|text| text == lock) {
        return Ok(true);
    }
    println!("Installing the real tools into {}", dir.display());
    fs::create_dir_all(&dir).with_context(|| format!("could not make {}", dir.display()))?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(wanted.join(file), dir.join(file))
            .with_context(|| format!("could not copy tests/real/{file}"))?;
    }
    npm_ci(&dir)?;
    // Last, so that an unfinished install is repeated.
    fs::write(&installed, lock)
        .with_context(|| format!("could not write {}", installed.display()))?;
    Ok(true)
}

/// npm in a directory with a package.json.
pub fn npm(dir: &Path, words: &[&str]) -> Result<Command> {
    let name = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|place| place.join(name))
        .find(|file| file.is_file());
    let mut command = Command::new(found.context("npm is missing; it comes with Node")?);
    command.args(words).current_dir(dir);
    Ok(command)
}

/// Installs the packages in a directory's lock file.
pub fn npm_ci(dir: &Path) -> Result<()> {
    npm(dir, &[])?; // installed already
    proc::run_with_retry(|| {
        npm(dir, &["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).expect("seen just now")
    })
}

/// The same, unless these packages are installed already.
pub fn npm_ci_once(dir: &Path) -> Result<()> {
    let lock = dir.join("package-lock.json");
    let lock = fs::read(&lock).with_context(|| lock.display().to_string())?;
    let installed = dir.join("node_modules/.installed-lock.json");
    if fs::read(&installed).ok().as_ref() != Some(&lock) {
        npm_ci(dir)?;
        // Last, so that an unfinished install is repeated.
        fs::write(&installed, lock).with_context(|| installed.display().to_string())?;
    }
    Ok(())
}

/// Builds the window for the tray app: ui/dist. Cargo needs it before it builds the app.
pub fn build_window() -> Result<()> {
    let ui = proc::root().join("ui");
    npm_ci_once(&ui)?;
    proc::run(&mut npm(&ui, &["run", "build"])?)
}

fn check_node(why: &str) -> Result<()> {
    let hint =
        format!("install Node {OLDEST_NODE} or newer (with npm), then run the same command again");
    let Ok(version) = proc::output(Command::new("node").arg("--version")) else {
        bail!("Node is missing: {why}. Please {hint}");
    };
    let major = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|word| word.parse::<u32>().ok());
    match major {
        Some(major) if OLDEST_NODE <= major => Ok(()),
        _ => bail!("Node {} is too old. Please {hint}", version.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_found_in_both_forms_of_list() {
        let old = "# deb http://old.example/debian sid main\ndeb [arch=amd64] http://mirror.example/debian/ bookworm main\n";
        let new = "Types: deb\n# http://snapshot.example/debian\nURIs: https://mirror.example/pub/debian\nSuites: bookworm\n";
        assert_eq!(
            mirror_in(old).as_deref(),
            Some("http://mirror.example/debian")
        );
        assert_eq!(
            mirror_in(new).as_deref(),
            Some("https://mirror.example/pub/debian")
        );
    }

    #[test]
    fn a_list_without_a_debian_archive_names_none() {
        assert_eq!(
            mirror_in(
                "deb http://mirror.example/ubuntu noble main\nURIs: http://mirror.example/debian-security\n"
            ),
            None
        );
    }
}
