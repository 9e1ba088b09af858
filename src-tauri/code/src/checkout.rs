//! A checkout of the user's, as far as it is read: where its parts are, and which of its settings
//! say how files become objects. Reads only. Knows no snapshot.

use crate::files::{self, Stamp};
use crate::git::{self, Bounds, Git, GitError, Input};
use crate::names::{ObjectId, RepoPath, folded, path_bytes};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why nothing was done, in words for the user. Nothing was changed, but where a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The state of the repository does not allow it; a full sentence.
    #[error("{0}")]
    Refused(String),
    /// Applied code cannot be taken back, because files were changed since; a full sentence that names
    /// them. [`undo_setting_aside`](crate::undo_setting_aside) can.
    #[error("{0}")]
    ChangedSince(String),
    /// Another program is writing, which ends soon; a full sentence. Trying again helps.
    #[error("{0}")]
    Busy(String),
    /// A change was begun and is taken back in part; trying again goes on with it. A full sentence.
    #[error("{0}")]
    HalfDone(String),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("could not access {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl CodeError {
    pub(crate) fn refused(words: impl Into<String>) -> Self {
        Self::Refused(words.into())
    }

    /// What it is when steps that were done could not all be taken back.
    pub(crate) fn half_done(self) -> Self {
        if matches!(self, Self::HalfDone(_)) {
            return self;
        }
        let mut words = self.to_string();
        let mut cause = std::error::Error::source(&self);
        while let Some(error) = cause {
            words = format!("{words}: {error}");
            cause = error.source();
        }
        let words = words.trim_end_matches('.');
        Self::HalfDone(format!("It is taken back in part: {words}."))
    }

    pub(crate) fn index_is_locked(checkout: &Checkout) -> Self {
        Self::Busy(format!(
            "Another git is writing the index in {}: try again when it has ended. If none is running, remove {}.",
            checkout.root.display(),
            checkout.git_dir.join(INDEX_LOCK).display()
        ))
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, CodeError>;

/// The settings that say how files become objects and the reverse. No other setting of the user is
/// ever in effect: none that names a program is among them.
const KEPT: [&str; 13] = [
    "core.autocrlf",
    "core.eol",
    "core.filemode",
    "core.symlinks",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.trustctime",
    "core.checkstat",
    "core.longpaths",
    "core.checkroundtripencoding",
    "core.sparsecheckout",
    "core.sparsecheckoutcone",
    "core.bare",
];

/// A working tree and its repository.
#[derive(Clone, Debug)]
pub struct Checkout {
    pub(crate) git: Git,
    /// The top directory of the working tree.
    pub(crate) root: PathBuf,
    /// Where `HEAD` and the index are: `.git`, or a directory below `.git/worktrees`.
    pub(crate) git_dir: PathBuf,
    /// Where refs and `info` are.
    pub(crate) common_dir: PathBuf,
    pub(crate) objects: PathBuf,
    pub(crate) index: PathBuf,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) excludes_file: Option<PathBuf>,
    pub(crate) attributes_file: Option<PathBuf>,
    /// Where `core.hooksPath` has hooks, if that is in the working tree.
    hooks: Option<RepoPath>,
    /// Its refs are no files: those of a cherry-pick or revert, too.
    pub(crate) has_reftable: bool,
    pub(crate) format: Format,
}

/// The hash that names objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Sha1,
    Sha256,
}

impl Format {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    pub fn raw_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    pub fn null(self) -> ObjectId {
        ObjectId::from_raw(&[0; 32][..self.raw_len()])
    }
}

/// Where `HEAD` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `None` before the first commit.
    pub commit: Option<ObjectId>,
    /// `refs/heads/…`; `None` if no branch is checked out.
    pub branch: Option<String>,
}

/// Whether the index is locked by the caller.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    Free,
    Held,
}

/// While this file exists, no `git` writes the index.
pub(crate) const INDEX_LOCK: &str = "index.lock";

/// Looking at a repository reads a few small files.
const LOOK: Duration = Duration::from_secs(10);

impl Checkout {
    /// Opens the checkout that contains `dir`.
    pub fn open(git: &Git, dir: &Path) -> Result<Self> {
        let asked = [
            "rev-parse",
            "--path-format=absolute",
            "--show-toplevel",
            "--absolute-git-dir",
            "--git-common-dir",
            "--git-path",
            "objects",
            "--git-path",
            "index",
            "--show-object-format",
        ];
        let text = look(git, dir, &asked).map_err(|error| in_words(error, dir))?;
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let [root, git_dir, common_dir, objects, index, format, b""] = lines.as_slice() else {
            return Err(CodeError::refused(
                "The path of this checkout has a line break.",
            ));
        };
        let path = |bytes: &[u8]| {
            RepoPath::new(bytes)
                .below(Path::new(""))
                .ok_or_else(|| CodeError::refused("The path of this checkout is not valid."))
        };
        let mut checkout = Self {
            git: git.clone(),
            root: path(root)?,
            git_dir: path(git_dir)?,
            common_dir: path(common_dir)?,
            objects: path(objects)?,
            index: path(index)?,
            settings: Vec::new(),
            excludes_file: None,
            attributes_file: None,
            hooks: None,
            has_reftable: false,
            format: match *format {
                b"sha256" => Format::Sha256,
                _ => Format::Sha1,
            },
        };
        if !names(&checkout.root, &checkout.git_dir) {
            return Err(CodeError::refused(format!(
                "{} is not the checkout of {}.",
                checkout.root.display(),
                checkout.git_dir.display()
            )));
        }
        checkout.read_settings()?;
        Ok(checkout)
    }

    /// The top directory of the working tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The top of the checkout that this one is a submodule of, as often as that is so.
    pub(crate) fn outermost(&self) -> PathBuf {
        let mut outermost = self.root.clone();
        let asked = ["rev-parse", "--show-superproject-working-tree"];
        while let Ok(text) = look(&self.git, &outermost, &asked) {
            let text = text.strip_suffix(b"\n").unwrap_or(&text);
            let above = RepoPath::new(text).below(Path::new(""));
            match above.filter(|above| !text.is_empty() && outermost.starts_with(above)) {
                Some(above) if above != outermost => outermost = above,
                Some(_) | None => break,
            }
        }
        outermost
    }

    fn read_settings(&mut self) -> Result<()> {
        let text = look(&self.git, &self.root, &["config", "--null", "--list"])?;
        let (mut excludes, mut attributes, mut hooks) = (false, false, Vec::new());
        for entry in text.split(|byte| *byte == 0) {
            let entry = String::from_utf8_lossy(entry);
            let (name, value) = entry.split_once('\n').unwrap_or((&entry, "true"));
            match name {
                "core.excludesfile" => excludes = true,
                "core.attributesfile" => attributes = true,
                "core.hookspath" => hooks.push(value.to_owned()),
                "extensions.refstorage" => self.has_reftable = value != "files",
                "core.bare" => {}
                name if KEPT.contains(&name) => {
                    self.settings.retain(|(kept, _)| kept != name);
                    self.settings.push((name.to_owned(), value.to_owned()));
                }
                _ => {}
            }
        }
        self.excludes_file = self.settings_file(excludes, "core.excludesFile", "ignore")?;
        self.attributes_file =
            self.settings_file(attributes, "core.attributesFile", "attributes")?;
        // The last one is ours, for this command.
        hooks.pop();
        self.hooks = hooks.last().and_then(|dir| self.inside(dir));
        Ok(())
    }

    /// A directory that a setting names, if it is in the working tree.
    fn inside(&self, named: &str) -> Option<RepoPath> {
        let dir = match named.strip_prefix("~/") {
            Some(below) => home()?.join(below),
            None => self.root.join(named),
        };
        let dir = files::real(&dir).unwrap_or(dir);
        let dir = dir.strip_prefix(&self.root).ok()?;
        Some(RepoPath::new(path_bytes(dir)))
    }

    /// A file that a setting names, or the one that `git` reads without that setting.
    fn settings_file(&self, is_set: bool, setting: &str, usual: &str) -> Result<Option<PathBuf>> {
        if is_set {
            let asked = ["config", "--null", "--type=path", "--get", setting];
            let mut path = look(&self.git, &self.root, &asked)?;
            path.pop();
            let path = RepoPath::new(path).below(&self.root);
            return Ok(path.filter(|path| !path.as_os_str().is_empty()));
        }
        // The environment of this process is where `git` looks, too.
        let configuration = std::env::var_os("XDG_CONFIG_HOME").filter(|it| !it.is_empty());
        let usual_dir = || home().map(|home| home.join(".config"));
        let dir = configuration.map(PathBuf::from).or_else(usual_dir);
        Ok(dir.map(|dir| dir.join("git").join(usual)))
    }

    /// Whether `git` runs this file as a hook, or a program beside the hooks.
    pub(crate) fn is_hook(&self, path: &RepoPath) -> bool {
        let Some(dir) = &self.hooks else {
            return false;
        };
        let parents = path.parents();
        match self.ignores_case() {
            _ if dir.as_bytes().is_empty() => true,
            true => parents.iter().any(|parent| folded(parent) == folded(dir)),
            false => parents.contains(dir),
        }
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.has_value(name, &["true", "yes", "on", "1"])
    }

    /// Whether a setting that is true by default is false.
    pub(crate) fn is_off(&self, name: &str) -> bool {
        self.has_value(name, &["false", "no", "off", "0", ""])
    }

    fn has_value(&self, name: &str, values: &[&str]) -> bool {
        let value = self.settings.iter().find(|(setting, _)| setting == name);
        value.is_some_and(|(_, value)| values.contains(&value.to_lowercase().as_str()))
    }

    /// Whether another `git` writes the index, or one left its lock behind when it ended.
    pub(crate) fn is_locked(&self) -> bool {
        self.git_dir.join(INDEX_LOCK).symlink_metadata().is_ok()
    }

    /// Gives another `git` a second to end.
    pub(crate) fn wait_for_lock(&self) {
        const PAUSE: Duration = Duration::from_millis(50);
        const PAUSES: usize = 20;
        let mut pauses = 0..PAUSES;
        while self.is_locked() && pauses.next().is_some() {
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether two names that differ only in case name one file here. The setting says what the disk was
    /// on which the repository was made; it may have been copied to another one since.
    pub(crate) fn ignores_case(&self) -> bool {
        cfg!(any(windows, target_os = "macos"))
            || self.is_set("core.ignorecase")
            || self.root.join(".GIT").symlink_metadata().is_ok()
    }

    /// The same in the directory of a path: on Linux each directory can be of this kind. One that does not
    /// exist will be as the one around it, and of an empty one nothing is known.
    pub(crate) fn ignores_case_at(&self, path: &RepoPath) -> bool {
        let parents = path.parents();
        let dirs = parents.iter().rev().map(|dir| dir.below(&self.root));
        let there = dirs.flatten().find(|dir| dir.is_dir());
        self.ignores_case() || there.is_some_and(|dir| takes_other_case(&dir))
    }

    /// Where `HEAD` is now.
    pub fn head(&self) -> Result<Head> {
        let commit = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
        let branch = ["symbolic-ref", "--quiet", "HEAD"];
        let line = |answer: std::result::Result<Vec<u8>, GitError>| match answer {
            Ok(text) => Ok(Some(String::from_utf8_lossy(&text).trim().to_owned())),
            Err(GitError::Failed { said, .. }) if said.is_empty() => Ok(None),
            Err(error) => Err(error),
        };
        let commit = line(look(&self.git, &self.root, &commit))?;
        Ok(Head {
            commit: commit.as_deref().and_then(ObjectId::parse),
            branch: line(look(&self.git, &self.root, &branch))?,
        })
    }

    /// The nearest commits below `commits`, themselves included, that some remote has, as far as this
    /// repository knows. Who fetches from that remote has them.
    pub fn published(&self, commits: &[ObjectId]) -> Result<Vec<ObjectId>> {
        self.nearest(commits, &["--remotes"])
    }

    /// The nearest commits below `commits`, themselves included, that somebody has who has `known`. Commits
    /// of these that are not here say nothing.
    pub fn had_with(&self, known: &[ObjectId], commits: &[ObjectId]) -> Result<Vec<ObjectId>> {
        let known: Vec<&str> = known.iter().map(ObjectId::as_str).collect();
        self.nearest(commits, &known)
    }

    fn nearest(&self, commits: &[ObjectId], had: &[&str]) -> Result<Vec<ObjectId>> {
        let mut published = BTreeSet::new();
        for commit in commits {
            let bounds = Bounds {
                bytes: 64 << 20,
                time: LOOK,
            };
            let mut command = self.git.in_repository(&self.root);
            command.args(["rev-list", "--ignore-missing", "--boundary"]);
            command.args([commit.as_str(), "--not"]).args(had);
            let text = git::run(command, Input::Nothing, bounds)?;
            let text = String::from_utf8_lossy(&text);
            if text.is_empty() {
                published.insert(commit.clone());
            }
            let boundary = text.lines().filter_map(|line| line.strip_prefix('-'));
            published.extend(boundary.filter_map(ObjectId::parse));
        }
        Ok(published.into_iter().collect())
    }

    /// Refuses what cannot go along: a series of commits that is being applied, another `git` that
    /// is writing.
    pub(crate) fn refuse_unfinished(&self, lock: Lock) -> Result<()> {
        if lock == Lock::Free && self.is_locked() {
            return Err(CodeError::index_is_locked(self));
        }
        const SERIES: [(&str, &str); 3] = [
            ("rebase-merge", "A rebase is in progress"),
            (
                "rebase-apply",
                "A rebase or a series of patches is in progress",
            ),
            (
                "sequencer",
                "A series of cherry-picks or reverts is in progress",
            ),
        ];
        for (name, words) in SERIES {
            if self.git_dir.join(name).symlink_metadata().is_ok() {
                let root = self.root.display();
                return Err(CodeError::refused(format!(
                    "{words} in {root} (finish it first)."
                )));
            }
        }
        let picks = ["CHERRY_PICK_HEAD", "REVERT_HEAD"];
        let is_there = |name: &&str| {
            let asked = ["rev-parse", "--verify", "--quiet", name];
            look(&self.git, &self.root, &asked).is_ok()
        };
        match self.has_reftable && picks.iter().any(is_there) {
            true => Err(CodeError::refused(format!(
                "A cherry-pick or a revert is in progress in {} (finish it first: this repository keeps its refs \
                 in a table).",
                self.root.display()
            ))),
            false => Ok(()),
        }
    }
}

/// Git has a long advice for a repository of another user.
fn in_words(error: GitError, dir: &Path) -> CodeError {
    match &error {
        GitError::Failed { said, .. } if said.contains("dubious ownership") => {
            let dir = dir.display();
            CodeError::refused(format!(
                "{dir} belongs to another user, and git does not work in it. If you trust it: git config --global \
                 --add safe.directory {dir}"
            ))
        }
        _ => error.into(),
    }
}

/// Where `git` looks for the user's files. Windows has the second variable only.
fn home() -> Option<PathBuf> {
    let home = ["HOME", "USERPROFILE"]
        .into_iter()
        .find_map(std::env::var_os);
    home.map(PathBuf::from)
}

/// Whether a working tree names the git directory, as its `.git` or in a file of that name. Otherwise only
/// the git directory names the working tree, and a directory of committed files can look like one that
/// names any directory.
fn names(root: &Path, git_dir: &Path) -> bool {
    let dot_git = root.join(".git");
    let named = match dot_git.is_file() {
        true => named_in(&dot_git).and_then(|path| path.below(root)),
        false => Some(dot_git),
    };
    let place = |path: &Path| files::real(path).ok();
    let named = named.and_then(|path| place(&path));
    named.is_some() && named == place(git_dir)
}

/// Whether a file in a directory is found by its name in the other letter case.
fn takes_other_case(dir: &Path) -> bool {
    let other = |letter: char| match letter.is_ascii_lowercase() {
        true => letter.to_ascii_uppercase(),
        false => letter.to_ascii_lowercase(),
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let swapped: String = name.chars().map(other).collect();
        (swapped != name).then(|| (dir.join(name), dir.join(swapped)))
    });
    names.next().is_some_and(|(name, swapped)| {
        let stamp = Stamp::of(&name);
        stamp.is_some() && stamp == Stamp::of(&swapped)
    })
}

fn named_in(file: &Path) -> Option<RepoPath> {
    let text = fs::read(file).ok()?;
    let path = text.strip_prefix(b"gitdir: ")?;
    let end = path.iter().rposition(|byte| !b"\r\n".contains(byte))?;
    Some(RepoPath::new(&path[..=end]))
}

pub(crate) fn look(git: &Git, dir: &Path, args: &[&str]) -> std::result::Result<Vec<u8>, GitError> {
    let mut command = git.in_repository(dir);
    command.args(args);
    git::run(command, Input::Nothing, Bounds::within(LOOK))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the setting that keeps newer versions of `git` from it.
    #[test]
    fn committed_files_are_no_git_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        let (root, other) = (dir.path().join("a"), dir.path().join("other"));
        let inner = root.join("x");
        for dir in [&root.join(".git"), &inner, &other.join(".git")] {
            fs::create_dir_all(dir).expect("makes");
        }
        assert!(names(&root, &root.join(".git")));
        for working_tree in [root.as_path(), &other, &inner, dir.path()] {
            assert!(!names(working_tree, &inner), "{}", working_tree.display());
        }
        for named in [
            "gitdir: ../.git/modules/x\n",
            "gitdir: ../.git/modules/x\r\n",
        ] {
            fs::create_dir_all(root.join(".git/modules/x")).expect("makes");
            fs::write(inner.join(".git"), named).expect("writes");
            assert!(names(&inner, &root.join(".git/modules/x")));
            assert!(!names(&inner, &root.join(".git")));
        }
    }
}
