//! Files published beside the packages: `SHA256SUMS`, and `latest.json`, from which an installed
//! app learns of a newer version. Knows names of files only.

use super::pins::sha256;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// `cargo xtask manifest DIR VERSION URL`: URL is where the files of DIR will be found.
pub fn run(args: &[&str]) -> Result<()> {
    let [dir, version, url] = args else {
        bail!("usage: cargo xtask manifest DIR VERSION URL")
    };
    let (dir, version) = (Path::new(dir), version.trim_start_matches('v'));
    let names = packages(dir)?;
    for name in &names {
        if !name.contains(version) {
            bail!("{name} is not of version {version}");
        }
    }
    write_sums(dir, &names)?;
    let read = |name: &str| fs::read_to_string(dir.join(format!("{name}.sig"))).ok();
    match latest(&names, version, url, read) {
        Some(latest) => {
            fs::write(dir.join("latest.json"), format!("{latest:#}\n"))
                .context("could not write latest.json")?;
            println!(
                "latest.json names {} packages.",
                latest["platforms"].as_object().map_or(0, Map::len)
            );
        }
        None => println!("NO latest.json: none of the packages is signed for updates."),
    }
    Ok(())
}

/// The names of a directory's packages, sorted.
pub fn packages(dir: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(dir).with_context(|| format!("could not read {}", dir.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| kind(name).is_some())
        .collect();
    names.sort();
    match names.is_empty() {
        true => bail!("there are no packages in {}", dir.display()),
        false => Ok(names),
    }
}

pub fn write_sums(dir: &Path, names: &[String]) -> Result<()> {
    let lines = names
        .iter()
        .map(|name| Ok(format!("{}  {name}\n", sha256(&dir.join(name))?)));
    let text = lines.collect::<Result<String>>()?;
    fs::write(dir.join("SHA256SUMS"), text).context("could not write SHA256SUMS")
}

/// A package by the end of its name: system, the updater's name for its kind, and whether it is the
/// system's usual one. An AppImage, an NSIS installer and an app can replace themselves; a `.dmg`
/// is for people, the app inside is the same.
const KINDS: &[(&str, &str, &str, bool)] = &[
    (".AppImage", "linux", "appimage", true),
    (".deb", "linux", "deb", false),
    (".rpm", "linux", "rpm", false),
    (".app.tar.gz", "darwin", "app", true),
    (".dmg", "darwin", "", false),
    ("-setup.exe", "windows", "nsis", true),
    (".msi", "windows", "msi", false),
];
/// The processor in a package's name, and the updater's name for it.
const PROCESSORS: &[(&str, &str)] = &[
    ("x86_64", "x86_64"),
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("aarch64", "aarch64"),
    ("arm64", "aarch64"),
];

fn kind(name: &str) -> Option<&'static (&'static str, &'static str, &'static str, bool)> {
    KINDS.iter().find(|(end, ..)| name.ends_with(end))
}

/// The updater looks for `linux-x86_64-deb` first, then for `linux-x86_64` (its version 2.14.1,
/// read 2026-11-23).
fn keys(name: &str) -> Vec<String> {
    let Some((end, system, installer, is_usual)) = kind(name) else {
        return Vec::new();
    };
    let stem = name.trim_end_matches(end);
    let Some((_, processor)) = PROCESSORS.iter().find(|(word, _)| stem.contains(word)) else {
        return Vec::new();
    };
    let whole = (!installer.is_empty()).then(|| format!("{system}-{processor}-{installer}"));
    whole
        .into_iter()
        .chain(is_usual.then(|| format!("{system}-{processor}")))
        .collect()
}

/// `None` if no package has a signature: every app refuses an unsigned update anyway.
fn latest(
    names: &[String],
    version: &str,
    url: &str,
    signature: impl Fn(&str) -> Option<String>,
) -> Option<Value> {
    let mut platforms = Map::new();
    for name in names {
        let Some(signature) = signature(name) else {
            continue;
        };
        for key in keys(name) {
            let address = format!("{}/{name}", url.trim_end_matches('/'));
            platforms.insert(
                key,
                json!({ "signature": signature.trim(), "url": address }),
            );
        }
    }
    (!platforms.is_empty()).then(|| json!({ "version": version, "platforms": platforms }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &[
        "session-roam-0.1.0-1.x86_64.rpm",
        "session-roam_0.1.0_aarch64.app.tar.gz",
        "session-roam_0.1.0_aarch64.dmg",
        "session-roam_0.1.0_amd64.AppImage",
        "session-roam_0.1.0_amd64.deb",
        "session-roam_0.1.0_x64-setup.exe",
        "session-roam_0.1.0_x64_en-US.msi",
    ];

    fn names() -> Vec<String> {
        NAMES.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_signed_package_is_found_by_the_app_that_came_from_one_like_it() {
        let manifest = latest(
            &names(),
            "0.1.0",
            "https://example.invalid/v0.1.0/",
            |name| Some(format!("sig of {name}\n")),
        )
        .unwrap();
        let platforms = manifest["platforms"].as_object().unwrap();
        let mut got: Vec<_> = platforms
            .iter()
            .map(|(key, it)| (key.as_str(), it["url"].as_str().unwrap()))
            .collect();
        let at = |name| format!("https://example.invalid/v0.1.0/{name}");
        let mut wanted = [
            ("linux-x86_64-rpm", at(NAMES[0])),
            ("darwin-aarch64-app", at(NAMES[1])),
            ("darwin-aarch64", at(NAMES[1])),
            ("linux-x86_64-appimage", at(NAMES[3])),
            ("linux-x86_64", at(NAMES[3])),
            ("linux-x86_64-deb", at(NAMES[4])),
            ("windows-x86_64-nsis", at(NAMES[5])),
            ("windows-x86_64", at(NAMES[5])),
            ("windows-x86_64-msi", at(NAMES[6])),
        ];
        wanted.sort();
        got.sort();
        assert_eq!(
            got,
            wanted.each_ref().map(|(key, url)| (*key, url.as_str()))
        );
        assert_eq!(
            platforms["linux-x86_64-deb"]["signature"],
            format!("sig of {}", NAMES[4])
        );
        assert_eq!(manifest["version"], "0.1.0");
    }

    #[test]
    fn what_nobody_signed_is_offered_to_nobody() {
        assert_eq!(
            latest(&names(), "0.1.0", "https://example.invalid", |_| None),
            None
        );
        let one = latest(&names(), "0.1.0", "u", |name| {
            name.ends_with(".deb").then(|| "s".into())
        })
        .unwrap();
        assert_eq!(
            one["platforms"]
                .as_object()
                .unwrap()
                .keys()
                .collect::<Vec<_>>(),
            ["linux-x86_64-deb"]
        );
    }

    #[test]
    fn the_sums_are_as_sha256sum_checks_them() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a_0.1.0_amd64.deb", "a_0.1.0_amd64.deb.sig", "latest.json"] {
            fs::write(dir.path().join(name), "abc").unwrap();
        }
        let names = packages(dir.path()).unwrap();
        assert_eq!(
            names,
            ["a_0.1.0_amd64.deb"],
            "signatures and lists are no packages"
        );
        write_sums(dir.path(), &names).unwrap();
        let sums = fs::read_to_string(dir.path().join("SHA256SUMS")).unwrap();
        assert_eq!(
            sums,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a_0.1.0_amd64.deb\n"
        );
        let dir = dir.path().to_str().unwrap();
        assert!(
            run(&[dir, "0.2.0", "u"]).is_err(),
            "packages of another version"
        );
    }
}
