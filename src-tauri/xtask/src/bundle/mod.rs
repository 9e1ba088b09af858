//! `cargo xtask bundle`: complete installable packages. They are put together by the bundler of
//! Tauri's project (`src-tauri/packaging/`); files unknown to the bundler are prepared here, below
//! `src-tauri/binaries/`.

mod c_library;
pub mod manifest;
mod needs;
mod notices;
pub mod pins;
mod sidecar;
mod signing;
mod target;

use crate::{proc, setup};
use anyhow::{Context, Result, bail};
use serde_json::json;
use sidecar::{Syncthing, empty};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use target::Target;

const USAGE: &str = "usage: cargo xtask bundle [--pinned] [--target TRIPLE] [--formats deb,rpm,…]";

struct Wish {
    target: Target,
    formats: String,
    /// The pinned official Syncthing instead of this machine's own.
    pinned: bool,
}

impl Wish {
    fn parse(args: &[&str]) -> Result<Self> {
        let mut wish = Self {
            target: Target::here()?,
            formats: String::new(),
            pinned: false,
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            match *word {
                "--pinned" => wish.pinned = true,
                "--target" => wish.target = Target::named(words.next().context(USAGE)?)?,
                "--formats" => (*words.next().context(USAGE)?).clone_into(&mut wish.formats),
                _ => bail!(USAGE),
            }
        }
        if wish.formats.is_empty() {
            wish.target.formats().clone_into(&mut wish.formats);
        }
        Ok(wish)
    }
}

pub fn run(args: &[&str]) -> Result<()> {
    let wish = Wish::parse(args)?;
    needs::install()?;
    let syncthing = match wish.pinned {
        true => Syncthing::pinned(&wish.target, &dir()?.join("syncthing"))?,
        false => Syncthing::of_this_machine(&wish.target)?,
    };
    println!(
        "The packages carry Syncthing {}: {}",
        syncthing.version, syncthing.from
    );
    setup::build_window()?;
    let roam = build_roam(&wish.target)?;
    lay_ready(&wish.target, &syncthing, &roam)?;
    let made = build(&wish)?;
    let packages = collect(&made)?;
    for package in &packages {
        let bytes = fs::metadata(dir()?.join(package))
            .with_context(|| format!("{package} vanished"))?
            .len();
        println!(
            "{:8.1} MB  {}",
            bytes as f64 / 1e6,
            dir()?.join(package).display()
        );
    }
    Ok(())
}

/// The output directory of the packages.
pub fn dir() -> Result<PathBuf> {
    Ok(proc::target_dir()?.join("bundle"))
}

fn build_roam(target: &Target) -> Result<PathBuf> {
    let mut command = proc::cargo();
    command.args([
        "build",
        "--release",
        "--locked",
        "--package",
        "session-roam-cli",
    ]);
    if !target.is_here {
        command.args(["--target", &target.triple]);
    }
    proc::run(&mut command)?;
    Ok(release_dir(target)?.join(format!("roam{}", target.exe_suffix())))
}

fn release_dir(target: &Target) -> Result<PathBuf> {
    let dir = proc::target_dir()?;
    Ok(if target.is_here {
        dir
    } else {
        dir.join(&target.triple)
    }
    .join("release"))
}

/// All files that src-tauri/packaging/bundle.conf.json names and cargo does not build.
fn lay_ready(target: &Target, syncthing: &Syncthing, roam: &Path) -> Result<()> {
    let place = proc::root().join("src-tauri/binaries");
    empty(&place)?;
    for (program, name) in [
        (syncthing.program.as_path(), "session-roam-syncthing"),
        (roam, "roam"),
    ] {
        // The bundler requires the triple in the name and omits it in the package.
        let to = place.join(format!("{name}-{}{}", target.triple, target.exe_suffix()));
        fs::copy(program, &to).with_context(|| format!("could not copy {}", program.display()))?;
        make_executable(&to)?;
    }
    if target.is_linux() {
        completions(roam, &place.join("completions"))?;
    }
    let doc = place.join("doc");
    let root = proc::root();
    let read = |name: &str| {
        fs::read_to_string(root.join(name)).with_context(|| format!("could not read {name}"))
    };
    write(
        &doc.join("copyright"),
        &[
            read("LICENSE")?,
            read("LICENSE-MIT")?,
            read("LICENSE-APACHE")?,
        ]
        .join("\n"),
    )?;
    write(&doc.join("THIRD-PARTY.txt"), &notices::notices(target)?)?;
    write(&doc.join("syncthing/ABOUT.txt"), &syncthing.about())?;
    fs::copy(&syncthing.licence, doc.join("syncthing/LICENSE.txt"))
        .with_context(|| format!("could not copy {}", syncthing.licence.display()))?;
    Ok(())
}

fn completions(roam: &Path, place: &Path) -> Result<()> {
    for shell in ["bash", "fish", "zsh"] {
        let script = proc::output(Command::new(roam).args(["completions", shell]))?;
        write(&place.join(format!("roam.{shell}")), &script)?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    let dir = file.parent().context("a file lies in a directory")?;
    fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))?;
    fs::write(file, text).with_context(|| format!("could not write {}", file.display()))
}

#[cfg(unix)]
fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("could not set the mode of {}", file.display()))
}

#[cfg(not(unix))]
fn make_executable(_file: &Path) -> Result<()> {
    Ok(())
}

/// Runs the bundler; returns its output directory.
fn build(wish: &Wish) -> Result<PathBuf> {
    let release = release_dir(&wish.target)?;
    let made = release.join("bundle");
    empty(&made)?; // of an earlier run, perhaps of another version
    // The page is built already, and a hook of the configuration would build it again.
    let mut settings =
        vec![json!({ "build": { "beforeBuildCommand": null, "beforeBundleCommand": null } })];
    let signing = signing::signing(&wish.target, |name| std::env::var(name).ok());
    settings.extend(signing.settings);
    proc::run(bundler(wish, "build", &settings).args([
        "--no-bundle",
        "--",
        "--locked",
        "--package",
        "session-roam",
    ]))?;
    if wish.target.is_linux() {
        let programs = [
            "session-roam",
            "session-roam-window",
            "session-roam-syncthing",
            "roam",
        ]
        .map(|name| release.join(name));
        settings.extend(c_library::requirement(&wish.target, &programs)?);
    }
    proc::run(bundler(wish, "bundle", &settings).args(["--bundles", &wish.formats]))?;
    for said in signing.said {
        println!("{said}");
    }
    Ok(made)
}

fn bundler(wish: &Wish, word: &str, settings: &[serde_json::Value]) -> Command {
    let mut command = Command::new("node");
    command.current_dir(proc::root()).args([
        "ui/node_modules/@tauri-apps/cli/tauri.js",
        word,
        "--ci",
    ]);
    command.args(["--config", "src-tauri/packaging/bundle.conf.json"]);
    if !wish.target.is_here {
        command.args(["--target", &wish.target.triple]);
    }
    if wish.target.is_windows() {
        command.args(["--config", "src-tauri/packaging/windows.conf.json"]);
    }
    for setting in settings {
        command.arg("--config").arg(setting.to_string());
    }
    command
}

/// Copies packages and signatures to one place. An app for macOS gets the processor into its name,
/// like the others.
fn collect(made: &Path) -> Result<Vec<String>> {
    let to = dir()?;
    fs::create_dir_all(&to).with_context(|| format!("could not make {}", to.display()))?;
    for old in manifest::packages(&to).unwrap_or_default() {
        fs::remove_file(to.join(&old)).with_context(|| format!("could not remove {old}"))?;
    }
    for kind in fs::read_dir(made)
        .with_context(|| format!("could not read {}", made.display()))?
        .flatten()
    {
        for file in fs::read_dir(kind.path())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
        {
            let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if file.is_file() && is_wanted(name) {
                let name = with_processor(name, made);
                fs::copy(&file, to.join(&name))
                    .with_context(|| format!("could not copy {}", file.display()))?;
            }
        }
    }
    let packages = manifest::packages(&to)?;
    manifest::write_sums(&to, &packages)?;
    Ok(packages)
}

fn is_wanted(name: &str) -> bool {
    let package = name.trim_end_matches(".sig");
    [
        ".deb",
        ".rpm",
        ".AppImage",
        ".dmg",
        ".app.tar.gz",
        "-setup.exe",
        ".msi",
    ]
    .iter()
    .any(|end| package.ends_with(end))
}

/// `session-roam.app.tar.gz` contains neither version nor processor.
fn with_processor(name: &str, made: &Path) -> String {
    let Some(rest) = name.strip_prefix("session-roam.app") else {
        return name.to_owned();
    };
    let processor = if made.to_string_lossy().contains("x86_64-apple") {
        "x64"
    } else {
        "aarch64"
    };
    format!(
        "session-roam_{}_{processor}.app{rest}",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_their_signatures_are_taken_and_nothing_else() {
        assert!(
            is_wanted("session-roam_0.1.0_amd64.deb")
                && is_wanted("session-roam_0.1.0_amd64.AppImage.sig")
        );
        assert!(
            !is_wanted("control.tar.gz")
                && !is_wanted("session-roam.exe")
                && !is_wanted("debian-binary")
        );
    }

    #[test]
    fn an_app_for_macos_says_which_it_is() {
        let made = Path::new("target/x86_64-apple-darwin/release/bundle");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            with_processor("session-roam.app.tar.gz.sig", made),
            format!("session-roam_{version}_x64.app.tar.gz.sig")
        );
        assert_eq!(
            with_processor("session-roam_0.1.0_amd64.deb", made),
            "session-roam_0.1.0_amd64.deb"
        );
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        let wish = Wish::parse(&["--pinned", "--target", "x86_64-pc-windows-msvc"]).unwrap();
        assert_eq!((wish.pinned, wish.formats.as_str()), (true, "nsis,msi"));
        assert!(Wish::parse(&["--target"]).is_err() && Wish::parse(&["deb"]).is_err());
    }
}
