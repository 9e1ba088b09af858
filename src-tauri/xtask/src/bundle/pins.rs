//! The pinned Syncthing release: the checksums of its archives, and how their table is made.
//! Checksums come from the list signed by Syncthing's project, never from the archive to be
//! verified.

use crate::proc;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TABLE: &str = include_str!("syncthing-pins.txt");
const TABLE_PATH: &str = "src-tauri/xtask/src/bundle/syncthing-pins.txt";
const RELEASES: &str = "https://github.com/syncthing/syncthing/releases/download";
/// From Syncthing's page on release signing (seen 2026-11-23): the key, and its fingerprint.
const KEY: &str = "https://syncthing.net/release-key.gpg";
const FINGERPRINT: &str = "FBA2E162F2F44657B38F0309E5665F9BD5970C47";
/// The systems for which installers are made.
const SYSTEMS: &[&str] = &[
    "linux-amd64",
    "linux-arm64",
    "macos-amd64",
    "macos-arm64",
    "windows-amd64",
    "windows-arm64",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    pub version: String,
    /// SHA-256 by the archive's name.
    sums: BTreeMap<String, String>,
}

impl Pins {
    pub fn committed() -> Result<Self> {
        Self::parse(TABLE)
    }

    fn parse(text: &str) -> Result<Self> {
        let version = text
            .lines()
            .find_map(|line| line.strip_prefix("version "))
            .context("the table of pins names no version")?;
        Ok(Self {
            version: version.to_owned(),
            sums: sums(text),
        })
    }

    /// The checksums in a release's own list for the archives used in installers.
    fn of_list(version: &str, list: &str) -> Result<Self> {
        let all = sums(list);
        let wanted = |name: &String| {
            SYSTEMS
                .iter()
                .any(|system| name.starts_with(&format!("syncthing-{system}-v{version}.")))
        };
        let sums: BTreeMap<_, _> = all.into_iter().filter(|(name, _)| wanted(name)).collect();
        match sums.len() == SYSTEMS.len() {
            true => Ok(Self {
                version: version.to_owned(),
                sums,
            }),
            false => bail!(
                "the list of {version} has {} of the {} archives",
                sums.len(),
                SYSTEMS.len()
            ),
        }
    }

    fn render(&self) -> String {
        let mut text = format!(
            "# The official Syncthing release that installers carry: SHA-256 of each archive, as sha256sum writes it.\n\
             # Written by `cargo xtask pin-syncthing {}` from the release's own list, whose signature was checked.\n\
             version {}\n",
            self.version, self.version
        );
        for (name, sum) in &self.sums {
            text.push_str(&format!("{sum}  {name}\n"));
        }
        text
    }

    /// The archive's file, downloaded if missing; its checksum is verified in any case.
    pub fn fetch(&self, archive: &str, into: &Path) -> Result<PathBuf> {
        let Some(wanted) = self.sums.get(archive) else {
            bail!(
                "no sum is pinned for {archive}; `cargo xtask pin-syncthing {}` writes the table",
                self.version
            )
        };
        let file = into.join(archive);
        if !file.is_file() {
            download(&format!("{RELEASES}/v{}/{archive}", self.version), &file)?;
        }
        match sha256(&file)? {
            is if is == *wanted => Ok(file),
            is => {
                fs::remove_file(&file)
                    .with_context(|| format!("could not remove {}", file.display()))?;
                bail!(
                    "{archive} is not the one that was pinned: its SHA-256 is {is}, it must be {wanted}. It was removed."
                )
            }
        }
    }
}

/// `cargo xtask pin-syncthing VERSION` writes the table; `--check` compares the table with the
/// signed list instead.
pub fn run(args: &[&str]) -> Result<()> {
    match args {
        ["--check"] => {
            let committed = Pins::committed()?;
            let signed = signed_pins(&committed.version)?;
            if signed != committed {
                bail!(
                    "{TABLE_PATH} differs from the list that Syncthing's project signed:\n{}",
                    signed.render()
                );
            }
            println!(
                "{TABLE_PATH} says what the signed list of Syncthing {} says.",
                committed.version
            );
            Ok(())
        }
        [version] if !version.starts_with('-') => {
            let pins = signed_pins(version.trim_start_matches('v'))?;
            let table = proc::root().join(TABLE_PATH);
            fs::write(&table, pins.render())
                .with_context(|| format!("could not write {}", table.display()))?;
            println!(
                "{TABLE_PATH} has Syncthing {} now. Test with that one before you commit it.",
                pins.version
            );
            Ok(())
        }
        _ => bail!("usage: cargo xtask pin-syncthing VERSION, or --check"),
    }
}

fn signed_pins(version: &str) -> Result<Pins> {
    let place = tempfile::tempdir().context("could not make a temporary directory")?;
    let (list, key) = (
        place.path().join("sha256sum.txt.asc"),
        place.path().join("release-key.gpg"),
    );
    download(&format!("{RELEASES}/v{version}/sha256sum.txt.asc"), &list)?;
    download(KEY, &key)?;
    Pins::of_list(version, &signed_text(&list, &key, FINGERPRINT)?)
}

/// The signed text of a clear-signed file, if the key with that fingerprint signed it. Text outside
/// the marks is unsigned and left out.
fn signed_text(file: &Path, keyring: &Path, fingerprint: &str) -> Result<String> {
    let Some(gpgv) = proc::find("gpgv") else {
        bail!("gpgv is missing: without it nobody knows whose list this is")
    };
    let text = file.with_extension("text");
    let mut command = Command::new(gpgv);
    command
        .args(["--status-fd", "1", "--keyring"])
        .arg(keyring)
        .arg("--output")
        .arg(&text)
        .arg(file);
    // The exit code is ignored: the list is signed twice, and the older key may be missing from
    // every keyring.
    let said = proc::captured(&mut command)?;
    if !is_signed(&String::from_utf8_lossy(&said.stdout), fingerprint) {
        bail!(
            "{} is not signed by {fingerprint}: {}",
            file.display(),
            String::from_utf8_lossy(&said.stderr).trim()
        );
    }
    fs::read_to_string(&text).with_context(|| format!("gpgv wrote no {}", text.display()))
}

/// `VALIDSIG` ends with the primary key's fingerprint; the one before may be a sub-key's.
fn is_signed(status: &str, fingerprint: &str) -> bool {
    let lines = status
        .lines()
        .filter_map(|line| line.strip_prefix("[GNUPG:] "));
    let bad = lines.clone().any(|line| line.starts_with("BADSIG"));
    let good = lines
        .filter_map(|line| line.strip_prefix("VALIDSIG "))
        .any(|line| line.split(' ').next_back() == Some(fingerprint));
    good && !bad
}

/// Lines in the format of sha256sum; other lines are skipped.
fn sums(text: &str) -> BTreeMap<String, String> {
    let pairs = text
        .lines()
        .filter_map(|line| line.trim_end().split_once("  "));
    let is_sum = |sum: &str| sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    pairs
        .filter(|(sum, _)| is_sum(sum))
        .map(|(sum, name)| (name.to_owned(), sum.to_lowercase()))
        .collect()
}

pub fn sha256(file: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut reader =
        fs::File::open(file).with_context(|| format!("could not open {}", file.display()))?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match std::io::Read::read(&mut reader, &mut piece)
            .with_context(|| format!("could not read {}", file.display()))?
        {
            0 => break,
            n => hash.update(&piece[..n]),
        }
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Downloads to a temporary name, then renames: half a download is never taken for a whole one.
fn download(address: &str, to: &Path) -> Result<()> {
    let part = to.with_extension("part");
    proc::run_with_retry(|| {
        let mut command = Command::new("curl");
        command.args([
            "--fail",
            "--silent",
            "--show-error",
            "--location",
            "--proto",
            "=https",
            "--max-time",
            "600",
        ]);
        command.arg("--output").arg(&part).arg(address);
        command
    })?;
    fs::rename(&part, to).with_context(|| format!("could not write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_table_has_every_system_and_reads_back() {
        let pins = Pins::committed().unwrap();
        assert_eq!(pins.sums.len(), SYSTEMS.len());
        assert_eq!(
            Pins::of_list(&pins.version, TABLE).unwrap(),
            pins,
            "every name is of that version"
        );
        assert_eq!(Pins::parse(&pins.render()).unwrap(), pins);
    }

    #[test]
    fn an_archive_that_is_not_the_pinned_one_is_refused_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("syncthing-linux-amd64-v9.tar.gz");
        fs::write(&archive, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let pinned = |sum: &str| Pins {
            version: "9".into(),
            sums: [("syncthing-linux-amd64-v9.tar.gz".to_owned(), sum.to_owned())].into(),
        };
        assert_eq!(
            pinned(abc)
                .fetch("syncthing-linux-amd64-v9.tar.gz", dir.path())
                .unwrap(),
            archive
        );
        assert!(
            pinned(&abc.replace('b', "c"))
                .fetch("syncthing-linux-amd64-v9.tar.gz", dir.path())
                .is_err()
        );
        assert!(!archive.exists());
        assert!(
            pinned(abc)
                .fetch("syncthing-plan9-amd64-v9.tar.gz", dir.path())
                .is_err(),
            "no pin, no download"
        );
    }

    #[test]
    fn a_list_that_lacks_a_system_is_no_pin() {
        let list = TABLE
            .lines()
            .filter(|line| !line.contains("macos-arm64"))
            .collect::<Vec<_>>()
            .join("\n");
        assert!(Pins::of_list("2.1.3", &list).is_err());
        assert!(
            Pins::of_list("2.1.4", TABLE).is_err(),
            "sums of another version"
        );
    }

    #[test]
    fn only_a_good_signature_of_the_right_key_counts() {
        let line = |word: &str, key: &str| {
            format!("[GNUPG:] {word} SUB 2026-08-04 1785800000 0 4 0 1 8 01 {key}\n")
        };
        let good = line("VALIDSIG", FINGERPRINT);
        assert!(is_signed(&good, FINGERPRINT));
        assert!(
            is_signed(
                &format!("[GNUPG:] ERRSIG 1 2 3\n[GNUPG:] NO_PUBKEY 1\n{good}"),
                FINGERPRINT
            ),
            "an older key too"
        );
        assert!(!is_signed(
            &line("VALIDSIG", "37C84554E7E0A261E4F76E1ED26E6ED000654A3E"),
            FINGERPRINT
        ));
        assert!(!is_signed(
            &format!("{good}[GNUPG:] BADSIG {FINGERPRINT} x\n"),
            FINGERPRINT
        ));
        assert!(
            !is_signed(&format!("VALIDSIG {FINGERPRINT}"), FINGERPRINT),
            "what the file itself says is no status"
        );
    }

    /// With the real gpgv, on a list signed by a throw-away key.
    #[cfg(target_os = "linux")]
    #[test]
    fn only_what_was_signed_is_read() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let key = fixtures.join("throw-away-key.gpg");
        let fingerprint = fs::read_to_string(fixtures.join("throw-away-key.fingerprint")).unwrap();
        let list = fs::read_to_string(fixtures.join("signed-list.asc")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("list.asc");
        let read = |list: &str| {
            fs::write(&file, list).unwrap();
            let _ = fs::remove_file(file.with_extension("text"));
            signed_text(&file, &key, fingerprint.trim()).map(|text| sums(&text))
        };
        let names = |list: &str| read(list).unwrap().into_keys().collect::<Vec<_>>();
        assert_eq!(names(&list), ["one.tar.gz", "two.zip"]);
        let before = format!("{}  three.zip\n{list}", "0".repeat(64));
        assert_eq!(
            names(&before),
            ["one.tar.gz", "two.zip"],
            "a line before the marks is nobody's word"
        );
        assert!(read(&list.replace("two.zip", "six.zip")).is_err());
        assert!(
            signed_text(&file, &key, FINGERPRINT).is_err(),
            "another key's list"
        );
    }
}
