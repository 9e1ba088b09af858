//! Repositories for tests: made with the `git` program, without the configuration of whoever runs
//! the tests, and compared to the byte.

#![allow(dead_code)] // each test program uses a part of it

pub mod two;

use session_roam_code::{Checkout, Git, Store};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Repo {
    pub root: PathBuf,
}

impl Repo {
    pub fn new(root: PathBuf) -> Self {
        fs::create_dir_all(&root).expect("a directory");
        let repo = Self { root };
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    /// A repository with some files in one commit.
    pub fn with_files(root: PathBuf, files: &[(&str, &str)]) -> Self {
        let repo = Self::new(root);
        for (path, text) in files {
            repo.write(path, text);
        }
        repo.commit("first");
        repo
    }

    /// The same commits in another place.
    pub fn cloned(&self, root: PathBuf) -> Self {
        let from = self.root.to_str().expect("a plain path");
        let to = root.to_str().expect("a plain path");
        self.git(&["clone", "--quiet", "--no-local", from, to]);
        Self { root }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.root).args(args);
        let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", nowhere),
            ("GIT_AUTHOR_NAME", "A"),
            ("GIT_AUTHOR_EMAIL", "a@example.org"),
            ("GIT_COMMITTER_NAME", "A"),
            ("GIT_COMMITTER_EMAIL", "a@example.org"),
            ("GIT_AUTHOR_DATE", "2026-11-01T00:00:00Z"),
            ("GIT_COMMITTER_DATE", "2026-11-01T00:00:00Z"),
            ("GIT_ALLOW_PROTOCOL", "file"),
            ("LC_ALL", "C"),
        ] {
            command.env(name, value);
        }
        command
    }

    pub fn try_git(&self, args: &[&str]) -> (bool, Vec<u8>) {
        let output = self.command(args).output().expect("git runs");
        (output.status.success(), output.stdout)
    }

    pub fn git(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("git runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let file = self.root.join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        fs::write(file, text).expect("writes");
    }

    pub fn read(&self, path: &str) -> String {
        let bytes =
            fs::read(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// What the user sees: status, index with stages, announced files.
    pub fn seen(&self) -> (String, String) {
        let status = ["status", "--porcelain=v2", "--untracked-files=all", "-z"];
        let status = self.git(&[&["--no-optional-locks"], &status[..]].concat());
        let index = self.git(&["ls-files", "--stage", "-z"]);
        (status.replace('\0', "\n"), index.replace('\0', "\n"))
    }

    pub fn checkout(&self) -> Checkout {
        Checkout::open(&Git::find().expect("git"), &self.root).expect("opens")
    }
}

pub fn store(dir: &Path, name: &str) -> Store {
    Store::open(&dir.join(name)).expect("a store")
}

/// Every file below a directory: kind, permissions, time of change, content. With `.git`.
pub fn everything(root: &Path) -> BTreeMap<PathBuf, String> {
    collect(root, root, Times::Compared)
}

/// The same without times, and without what git may leave behind in its object directory and what
/// is looked at through git itself.
pub fn contents(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = collect(root, root, Times::Ignored);
    all.retain(|path, _| !path.starts_with(".git/objects"));
    all
}

#[derive(Clone, Copy, PartialEq)]
enum Times {
    Compared,
    Ignored,
}

fn collect(root: &Path, dir: &Path, times: Times) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        let metadata = path.symlink_metadata().expect("metadata");
        let time = match times {
            Times::Compared => format!("{:?}", metadata.modified().expect("a time")),
            Times::Ignored => String::new(),
        };
        let what = match () {
            () if metadata.is_symlink() => {
                format!("-> {:?}", fs::read_link(&path).expect("a link"))
            }
            () if metadata.is_dir() => "directory".to_owned(),
            () => blake3::hash(&fs::read(&path).unwrap_or_default()).to_string(),
        };
        let name = path.strip_prefix(root).expect("below").to_owned();
        let is_dir = metadata.is_dir();
        all.insert(name, format!("{what} {} {time}", permissions(&metadata)));
        if is_dir {
            all.extend(collect(root, &path, times));
        }
    }
    all
}

#[cfg(unix)]
fn permissions(metadata: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    match metadata.is_symlink() {
        true => 0,
        false => metadata.permissions().mode(),
    }
}

#[cfg(not(unix))]
fn permissions(_metadata: &fs::Metadata) -> u32 {
    0
}

pub fn assert_same<V: PartialEq + std::fmt::Debug>(
    before: &BTreeMap<PathBuf, V>,
    after: &BTreeMap<PathBuf, V>,
    what: &str,
) {
    let names = before.keys().chain(after.keys());
    let differing = names.filter(|name| before.get(*name) != after.get(*name));
    let lines: Vec<String> = differing
        .map(|name| format!("{name:?}: {:?} / {:?}", before.get(name), after.get(name)))
        .collect();
    assert!(lines.is_empty(), "{what}:\n{}", lines.join("\n"));
}
