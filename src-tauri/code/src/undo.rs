//! The undo record: what a checkout was before a snapshot was applied, on disk before the first
//! change, in the checkout's git directory. Taking back is possible from every point: after a crash
//! it is finished, and finishing twice is finishing once.

use crate::checkout::{Checkout, CodeError, INDEX_LOCK, Lock, Result};
use crate::compare::differences;
use crate::git::GitError;
use crate::names::{ObjectId, RepoPath};
use crate::objects::Mode;
use crate::ours::{free_name, kept_directory, numbers, remove_if_empty, undo_directory};
use crate::record::{Limits, Snapshot, record, record_locked};
use crate::scratch::{Scratch, Sees};
use crate::steps::{Step, Target};
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const RECORD: &str = "record.json";
const VERSION: u32 = 1;
/// The beginning of the name of a copy that is not whole yet.
const HALF: &str = ".session-roam-";

/// A snapshot that was applied and can be taken back, in the checkout that [`apply`](crate::apply) was
/// called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// Grows with each: the latest is taken back first.
    pub number: u64,
    pub snapshot: ObjectId,
    /// The worktree that was made; `None` if the checkout itself was changed.
    pub worktree: Option<PathBuf>,
}

/// Called with the name of what comes next, before each change on disk.
pub type OnStep<'a> = &'a mut dyn FnMut(&str);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub version: u32,
    pub number: u64,
    pub snapshot: ObjectId,
    pub phase: Phase,
    pub steps: Vec<Step>,
    /// The BLAKE3 hash of the prepared file of each step that places one; empty for others, and for
    /// the index, which nobody else writes while it is locked.
    pub prepared: Vec<String>,
    pub worktree: Option<RepoPath>,
    /// The directory below `kept` with files that were changed since and are taken back nonetheless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Nothing was changed yet.
    Preparing,
    /// From here on steps may have been done.
    Applying,
    Applied,
    Undoing,
}

/// The directory of one undo record.
pub(crate) struct Undoing<'a> {
    pub checkout: &'a Checkout,
    pub dir: PathBuf,
    pub record: Record,
    /// Held by whoever changes something.
    _turn: Option<Turn>,
}

/// While it is held, no other process of ours changes this checkout or takes back what it finds there. It
/// ends with the process, however that ends.
struct Turn {
    git_dir: Option<fs::File>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread is about to start has the directory open.
        let _ = self.git_dir.as_ref().map(fs::File::unlock);
    }
}

impl Turn {
    fn take(checkout: &Checkout) -> Result<Self> {
        // A lock on the directory itself: no file of ours is needed, and none stays. Not every system can.
        let git_dir = fs::File::open(&checkout.git_dir).ok();
        let tried = git_dir.as_ref().map(fs::File::try_lock);
        match tried {
            Some(Err(fs::TryLockError::WouldBlock)) => Err(CodeError::refused(format!(
                "Another program of session-roam is changing {} (try again).",
                checkout.root.display()
            ))),
            Some(_) | None => Ok(Self { git_dir }),
        }
    }
}

impl<'a> Undoing<'a> {
    /// Makes a new record.
    pub fn begin(checkout: &'a Checkout, snapshot: &ObjectId) -> Result<Self> {
        let turn = Some(Turn::take(checkout)?);
        let number = numbers(checkout)?.last().map_or(1, |last| last + 1);
        let dir = undo_directory(checkout).join(number.to_string());
        let undoing = Self {
            checkout,
            record: Record {
                version: VERSION,
                number,
                snapshot: snapshot.clone(),
                phase: Phase::Preparing,
                steps: Vec::new(),
                prepared: Vec::new(),
                worktree: None,
                kept: None,
            },
            dir,
            _turn: turn,
        };
        for name in ["old", "new", "stage"] {
            let path = undoing.dir.join(name);
            fs::create_dir_all(&path).map_err(CodeError::io(&path))?;
        }
        undoing.save()?;
        Ok(undoing)
    }

    /// `None` if the record was never written whole: then nothing was changed.
    fn read(checkout: &'a Checkout, number: u64) -> Result<Option<Self>> {
        let dir = undo_directory(checkout).join(number.to_string());
        let path = dir.join(RECORD);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CodeError::io(&path)(error)),
        };
        let record: Option<Record> = serde_json::from_slice(&text).ok();
        match record.filter(|record| record.version == VERSION && record.number == number) {
            Some(record) => Ok(Some(Self {
                checkout,
                dir,
                record,
                _turn: None,
            })),
            None => Err(CodeError::refused(format!(
                "{} is not an undo record of this version.",
                path.display()
            ))),
        }
    }

    /// Writes the record as a whole, to the disk.
    pub fn save(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.record).expect("strings, numbers and lists only");
        let path = self.dir.join(RECORD);
        write_whole(&path, &text).map_err(CodeError::io(&path))
    }

    pub fn enter(&mut self, phase: Phase) -> Result<()> {
        self.record.phase = phase;
        self.save()
    }

    fn mark(&self) -> String {
        format!("session-roam {}\n", self.record.number)
    }

    /// Keeps every other `git` from writing the index.
    pub fn lock(&self) -> Result<()> {
        let path = self.checkout.git_dir.join(INDEX_LOCK);
        // Marked before it has its name: no crash leaves a lock that nobody knows.
        let marked = self.dir.join("lock");
        fs::write(&marked, self.mark()).map_err(CodeError::io(&marked))?;
        let made = fs::hard_link(&marked, &path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Err(error),
            _ => make_new(&path, &self.mark()),
        });
        match made {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(CodeError::refused(
                format!("Another git is writing the index ({}).", path.display()),
            )),
            Err(error) => Err(CodeError::io(&path)(error)),
        }
    }

    /// Removes the lock if it is the one of this record.
    pub fn unlock(&self) -> Result<()> {
        let path = self.checkout.git_dir.join(INDEX_LOCK);
        match fs::read(&path) {
            Ok(text) if text == self.mark().as_bytes() => {
                fs::remove_file(&path).map_err(CodeError::io(&path))
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(CodeError::io(&path)(error)),
        }
    }

    pub fn target(&self, target: &Target) -> PathBuf {
        target.path(&self.checkout.root, &self.checkout.git_dir)
    }

    /// Where files that were changed since are kept, if any are.
    pub fn kept_dir(&self) -> Option<PathBuf> {
        let name = self.record.kept.as_ref()?;
        Some(kept_directory(self.checkout).join(name))
    }

    /// Whether what a place has now was kept.
    fn is_kept(&self, target: &Target) -> bool {
        let kept = self.kept_dir();
        let kept = kept.map(|dir| target.path(&dir, &dir.join(".git")));
        kept.is_some_and(|kept| same_file(&kept, &self.target(target)))
    }

    pub fn old(&self, number: usize) -> PathBuf {
        self.dir.join("old").join(number.to_string())
    }

    pub fn new_file(&self, number: usize) -> PathBuf {
        self.dir.join("new").join(number.to_string())
    }

    /// Does one step.
    pub fn apply_step(&self, number: usize, on_step: OnStep) -> Result<()> {
        match &self.record.steps[number] {
            Step::RemoveFile(target) => {
                on_step("remove a file");
                let path = self.target(target);
                move_file(&path, &self.old(number)).map_err(CodeError::io(&path))
            }
            Step::RemoveDir(target, _) => {
                on_step("remove a directory");
                let path = self.target(target);
                fs::remove_dir(&path).map_err(CodeError::io(&path))
            }
            Step::MakeDir(target) => {
                on_step("make a directory");
                let path = self.target(target);
                fs::create_dir(&path).map_err(CodeError::io(&path))
            }
            Step::PlaceFile(target) => {
                on_step("place a file");
                let path = self.target(target);
                // Since the steps were decided something may have been put there.
                if path.symlink_metadata().is_ok() {
                    return Err(CodeError::refused(format!(
                        "{} is in the way.",
                        path.display()
                    )));
                }
                move_file(&self.new_file(number), &path).map_err(CodeError::io(&path))
            }
            Step::ReplaceFile(target) => {
                let path = self.target(target);
                on_step("keep a file");
                keep_file(&path, &self.old(number)).map_err(CodeError::io(&path))?;
                on_step("replace a file");
                move_file(&self.new_file(number), &path).map_err(CodeError::io(&path))
            }
        }
    }

    /// Takes all steps back, from the last to the first, whichever of them were done.
    pub fn roll_back(&self, on_step: OnStep) -> Result<()> {
        for number in (0..self.record.steps.len()).rev() {
            on_step("take a step back");
            self.take_back(number)?;
        }
        Ok(())
    }

    fn take_back(&self, number: usize) -> Result<()> {
        let old = self.old(number);
        let has_old = old.symlink_metadata().is_ok();
        match &self.record.steps[number] {
            Step::RemoveFile(target) => {
                let path = self.target(target);
                match (has_old, path.symlink_metadata().is_ok()) {
                    (false, _) => Ok(()),
                    (true, false) => {
                        make_way(&path)?;
                        move_file(&old, &path).map_err(CodeError::io(&path))
                    }
                    // On a system without links the file is copied first and removed then.
                    (true, true) if same_file(&old, &path) => {
                        fs::remove_file(&old).map_err(CodeError::io(&old))
                    }
                    (true, true) if self.is_kept(target) => {
                        move_file(&old, &path).map_err(CodeError::io(&path))
                    }
                    (true, true) => Err(self.in_the_way(&path, &old)),
                }
            }
            Step::RemoveDir(target, permissions) => {
                let path = self.target(target);
                make_way(&path)?;
                make_dir(&path, *permissions).map_err(CodeError::io(&path))
            }
            Step::MakeDir(target) => {
                let path = self.target(target);
                // With something in it, it stays: that is nobody's but the user's.
                let _ = fs::remove_dir(&path);
                Ok(())
            }
            Step::PlaceFile(target) => {
                let path = self.target(target);
                let is_there = path.symlink_metadata().is_ok();
                let was_placed = self.new_file(number).symlink_metadata().is_err();
                let is_free = || self.is_as_placed(number, &path) || self.is_kept(target);
                match is_there && was_placed && is_free() {
                    true => fs::remove_file(&path).map_err(CodeError::io(&path)),
                    false => Ok(()),
                }
            }
            Step::ReplaceFile(_) if !has_old => Ok(()),
            Step::ReplaceFile(target) => {
                let path = self.target(target);
                let is_there = path.symlink_metadata().is_ok();
                let is_free = same_file(&old, &path)
                    || self.is_as_placed(number, &path)
                    || self.is_kept(target);
                if is_there && !is_free {
                    return Err(self.in_the_way(&path, &old));
                }
                make_way(&path)?;
                move_file(&old, &path).map_err(CodeError::io(&path))?;
                // Two names of one file: moving one over the other does nothing.
                match old.symlink_metadata() {
                    Ok(_) => fs::remove_file(&old).map_err(CodeError::io(&old)),
                    Err(_) => Ok(()),
                }
            }
        }
    }

    pub fn is_as_placed(&self, number: usize, path: &Path) -> bool {
        let prepared = self.record.prepared.get(number).map(String::as_str);
        match prepared {
            None | Some("") => true,
            Some(hash) => fingerprint(path).is_ok_and(|it| it == hash),
        }
    }

    fn in_the_way(&self, path: &Path, old: &Path) -> CodeError {
        CodeError::refused(format!(
            "{} was changed meanwhile (what it was before is {}).",
            path.display(),
            old.display()
        ))
    }

    /// Removes the record, first of all what says that there is something to undo.
    pub fn discard(self) -> Result<()> {
        let record = self.dir.join(RECORD);
        fs::remove_file(&record).map_err(CodeError::io(&record))?;
        put_away(self.checkout, self.record.number)
    }

    /// Whether a worktree that had been applied whole was about to go, and is there.
    fn is_removal_of_worktree(&self) -> bool {
        let worktree = self.record.worktree.as_ref();
        let place = worktree.and_then(|path| path.below(Path::new("")));
        self.record.phase == Phase::Undoing && place.is_some_and(|it| it.symlink_metadata().is_ok())
    }

    pub fn finish(self, on_step: OnStep) -> Result<()> {
        match (&self.record.worktree, self.record.phase) {
            // At most an empty directory was made; one that is not empty is not ours.
            (Some(path), Phase::Preparing) => {
                let path = path.below(Path::new(""));
                let _ = path.map(fs::remove_dir);
            }
            (None, Phase::Preparing) => {}
            (Some(path), _) => {
                on_step("remove the worktree");
                let path = path.below(Path::new(""));
                let invalid = || CodeError::refused("The path of the worktree is not valid.");
                crate::worktree::remove(self.checkout, &path.ok_or_else(invalid)?)?;
            }
            (None, _) => self.roll_back(on_step)?,
        }
        on_step("unlock");
        self.unlock()?;
        on_step("remove the record");
        self.discard()
    }
}

/// Removes the directory of a record that is gone. Files of the user's in it, which only a loss of power
/// leaves there, go to those that are kept.
fn put_away(checkout: &Checkout, number: u64) -> Result<()> {
    let dir = undo_directory(checkout).join(number.to_string());
    let old = fs::read_dir(dir.join("old")).into_iter().flatten();
    let is_half = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(HALF);
    let mut files = old.flatten().filter(|entry| !is_half(&entry.file_name()));
    match files.next() {
        None => fs::remove_dir_all(&dir).map_err(CodeError::io(&dir))?,
        Some(_) => {
            let all = kept_directory(checkout);
            let kept = all.join(free_name(&all, &format!("undo-{number}")));
            fs::create_dir_all(&all)
                .and_then(|()| fs::rename(&dir, &kept))
                .map_err(CodeError::io(&kept))?;
        }
    }
    remove_if_empty(checkout);
    Ok(())
}

/// What can be taken back in this checkout, the latest first.
pub fn undos(checkout: &Checkout) -> Result<Vec<Undo>> {
    let mut undos = Vec::new();
    for number in numbers(checkout)?.into_iter().rev() {
        let Some(undoing) = Undoing::read(checkout, number)? else {
            continue;
        };
        if undoing.record.phase == Phase::Applied {
            let worktree = undoing.record.worktree.as_ref();
            undos.push(Undo {
                number,
                snapshot: undoing.record.snapshot.clone(),
                worktree: worktree.and_then(|path| path.below(Path::new(""))),
            });
        }
    }
    Ok(undos)
}

/// Takes back what a process that ended in its work had begun; call it before anything else is done
/// with a checkout, when no other process of ours works in it. Says how many were taken back. A worktree
/// that was about to be removed stays, and can be taken back again.
pub fn recover(checkout: &Checkout) -> Result<usize> {
    let mut n_recovered = 0;
    let _turn = Turn::take(checkout)?;
    for number in numbers(checkout)?.into_iter().rev() {
        match Undoing::read(checkout, number)? {
            Some(undoing) if undoing.record.phase == Phase::Applied => {
                undoing.unlock()?;
            }
            // Somebody may have worked in it since it was looked at: the next undo looks again.
            Some(mut undoing) if undoing.is_removal_of_worktree() => {
                undoing.enter(Phase::Applied)?;
            }
            Some(undoing) => {
                undoing.finish(&mut |_| ())?;
                n_recovered += 1;
            }
            None => put_away(checkout, number)?,
        }
    }
    Ok(n_recovered)
}

/// Takes the latest applied snapshot back: index, files, permissions and links are what they were.
/// Refuses if anything was changed since.
pub fn undo(checkout: &Checkout, store: &Store, undo: &Undo, limits: &Limits) -> Result<()> {
    undo_with(checkout, store, undo, limits, &mut |_| ())
}

/// [`undo`], with a call before each change.
pub fn undo_with(
    checkout: &Checkout,
    store: &Store,
    undo: &Undo,
    limits: &Limits,
    on_step: OnStep,
) -> Result<()> {
    let mut undoing = applied_before(checkout, undo)?;
    let applied = applied_state(checkout, store, &undoing.record.snapshot)?;
    match &undo.worktree {
        Some(path) => refuse_changed_worktree(checkout, store, path, &applied, limits)?,
        None => {
            on_step("lock");
            undoing.lock()?;
            let current = record_locked(checkout, store, limits, Lock::Held);
            let refused = match current {
                Ok(current) if current.is_state_of(&applied) => None,
                Ok(current) => Some(changed_since(checkout, store, &applied, &current)?),
                Err(error) => Some(error),
            };
            if let Some(refused) = refused {
                undoing.unlock()?;
                return Err(refused);
            }
        }
    }
    on_step("begin to undo");
    undoing.enter(Phase::Undoing)?;
    undoing.finish(on_step)
}

/// The record of what was applied and can be taken back now.
pub(crate) fn applied_before<'c>(checkout: &'c Checkout, undo: &Undo) -> Result<Undoing<'c>> {
    let is_latest = |other: &Undo| other.worktree.is_some() || other.number <= undo.number;
    if undo.worktree.is_none() && !undos(checkout)?.iter().all(is_latest) {
        return Err(CodeError::refused(
            "Another snapshot was applied since (take that back first).",
        ));
    }
    let gone = || CodeError::refused("This was taken back already.");
    let turn = Some(Turn::take(checkout)?);
    let undoing = Undoing::read(checkout, undo.number)?;
    // A number is given again when all records are gone, whoever removed them.
    let is_it = |undoing: &Undoing| undoing.record.snapshot == undo.snapshot;
    let undoing = undoing.filter(is_it).ok_or_else(gone)?;
    match undoing.record.phase {
        Phase::Applied => Ok(Undoing {
            _turn: turn,
            ..undoing
        }),
        _ => Err(CodeError::refused(
            "Applying was not finished (it is taken back when the checkout is opened next).",
        )),
    }
}

/// What is no longer as it was applied, in words.
pub(crate) fn changed_since(
    checkout: &Checkout,
    store: &Store,
    applied: &Snapshot,
    current: &Snapshot,
) -> Result<CodeError> {
    const MOST: usize = 3;
    let root = checkout.root.display();
    if current.state.head != applied.state.head {
        return Ok(CodeError::refused(format!(
            "Another commit is checked out in {root} since the code was applied."
        )));
    }
    if current.state.operation != applied.state.operation {
        return Ok(CodeError::refused(format!(
            "A merge was begun or ended in {root} since the code was applied."
        )));
    }
    let scratch = Scratch::new(checkout, store, None)?;
    let mut paths: BTreeSet<RepoPath> = BTreeSet::new();
    for (from, to) in [
        (&applied.working_tree, &current.working_tree),
        (&applied.index, &current.index),
    ] {
        paths.extend(differences(&scratch, from, to)?.into_keys());
    }
    let left_out = current.state.left_out.iter();
    paths.extend(left_out.map(|left_out| left_out.path.clone()));
    let named: Vec<String> = paths.iter().take(MOST).map(RepoPath::to_string).collect();
    let others = paths.len() - named.len();
    let files = match (named.len(), others) {
        (0, _) => "The index".to_owned(),
        (_, 0) => named.join(", "),
        (_, others) => format!("{} and {others} more", named.join(", ")),
    };
    Ok(CodeError::ChangedSince(format!(
        "Changed in {root} since the code was applied: {files}."
    )))
}

pub(crate) fn applied_state(checkout: &Checkout, store: &Store, id: &ObjectId) -> Result<Snapshot> {
    let scratch = Scratch::new(checkout, store, None)?;
    let mut reader = crate::objects::Reader::start(&scratch)?;
    if reader.read(id, 0)?.is_none() {
        return Err(CodeError::refused(format!(
            "What was applied in {} is not in session-roam's store any more. The files of before are in {}.",
            checkout.root.display(),
            undo_directory(checkout).display()
        )));
    }
    crate::record::read_snapshot(&mut reader, id, checkout)
}

fn refuse_changed_worktree(
    checkout: &Checkout,
    store: &Store,
    path: &Path,
    applied: &Snapshot,
    limits: &Limits,
) -> Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let worktree = match Checkout::open(&checkout.git, path) {
        Ok(worktree) if worktree.common_dir == checkout.common_dir => worktree,
        Ok(_) | Err(CodeError::Git(GitError::Failed { .. })) => {
            return Err(CodeError::ChangedSince(format!(
                "{} is no longer the worktree that was made.",
                path.display()
            )));
        }
        Err(error) => return Err(error),
    };
    let current = record(&worktree, store, limits)?;
    match current.is_state_of(applied) && current.state.left_out.is_empty() {
        true => refuse_unrecorded(&worktree, store, applied),
        // Whatever changed, the worktree may stay.
        false => Err(match changed_since(&worktree, store, applied, &current)? {
            CodeError::Refused(words) => CodeError::ChangedSince(words),
            other => other,
        }),
    }
}

/// A worktree goes with all that is in it: what no snapshot has, ignored files, the content of
/// submodules and files at which `git` does not look, is the user's.
fn refuse_unrecorded(worktree: &Checkout, store: &Store, applied: &Snapshot) -> Result<()> {
    const MOST: usize = 3;
    let scratch = Scratch::new(worktree, store, None)?;
    scratch.copy_index("index")?;
    let mut found = ignored_files(&scratch)?;
    let unwatched = unwatched_files(&scratch)?;
    let most = crate::measure::PackLimits::default().entries;
    for (path, entry) in crate::verify::files_of(&scratch, &applied.working_tree, most)? {
        let dir = path
            .below(&worktree.root)
            .filter(|_| entry.mode == Mode::Submodule);
        let has_content = |dir: PathBuf| fs::read_dir(dir).is_ok_and(|it| 0 < it.count());
        match dir.is_some_and(has_content) {
            true => drop(found.insert(path)),
            // It is as it was applied, whoever ignores it.
            false => drop(found.remove(&path)),
        }
    }
    found.extend(unwatched);
    if found.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = found.iter().take(MOST).map(RepoPath::to_string).collect();
    let others = match found.len() - named.len() {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    Err(CodeError::ChangedSince(format!(
        "{} would go too, and no other device has: {}{others}.",
        worktree.root.display(),
        named.join(", ")
    )))
}

/// Ignored files, each of them: `git` names no directory of them that is inside an untracked one. An
/// ignored repository is named as a directory.
fn ignored_files(scratch: &Scratch) -> Result<BTreeSet<RepoPath>> {
    let git = scratch.command_in(Sees::All, &scratch.checkout.root, "index");
    let args = "ls-files -z --others --ignored --exclude-standard";
    let args: Vec<&str> = args.split(' ').collect();
    let list = scratch.run(git, &args, b"")?;
    let paths = list.split(|byte| *byte == 0);
    let paths = paths.filter(|path| !path.is_empty());
    Ok(paths.map(RepoPath::new).collect())
}

/// Files that `git` takes as unchanged without a look, because the user marked them so
/// (`git update-index --skip-worktree` or `--assume-unchanged`).
fn unwatched_files(scratch: &Scratch) -> Result<BTreeSet<RepoPath>> {
    let root = &scratch.checkout.root;
    let git = scratch.command_in(Sees::All, root, "index");
    let list = scratch.run(git, &["ls-files", "-v", "-z"], b"")?;
    let marked = list.split(|byte| *byte == 0).filter_map(|line| match line {
        [mark, b' ', path @ ..] if *mark == b'S' || mark.is_ascii_lowercase() => Some(path),
        _ => None,
    });
    let is_there = |path: &RepoPath| {
        let file = path.below(root);
        file.is_some_and(|file| file.symlink_metadata().is_ok())
    };
    Ok(marked.map(RepoPath::new).filter(is_there).collect())
}

fn make_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    file.write_all(text.as_bytes())
}

/// Writes a file so that it is there as a whole or as it was.
fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_directory(path)
}

/// What is renamed later is on disk later.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    fs::File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Moves a file or link over whatever file is there.
pub(crate) fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    if fs::rename(from, to).is_ok() {
        return Ok(());
    }
    copy_file(from, to)?;
    fs::remove_file(from)
}

/// Gives a file a second name, so that it stays the same file; copies it where that is impossible.
pub(crate) fn keep_file(path: &Path, kept: &Path) -> io::Result<()> {
    match fs::hard_link(path, kept) {
        Ok(()) => Ok(()),
        Err(_) => copy_file(path, kept),
    }
}

/// Copies a file with its permissions and time, or a link; the copy is there as a whole or not.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let beside = to.with_file_name(format!("{HALF}{name}"));
    let metadata = from.symlink_metadata()?;
    let _ = fs::remove_file(&beside);
    if metadata.is_symlink() {
        make_link(&fs::read_link(from)?, &beside)?;
    } else {
        fs::copy(from, &beside)?;
        let file = fs::File::options().append(true).open(&beside)?;
        file.set_modified(metadata.modified()?)?;
    }
    fs::rename(&beside, to)
}

#[cfg(unix)]
fn make_link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn make_link(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// What a file is: the hash of its content, or where a link leads.
pub(crate) fn fingerprint(path: &Path) -> io::Result<String> {
    let metadata = path.symlink_metadata()?;
    let mut hasher = blake3::Hasher::new();
    if metadata.is_symlink() {
        hasher.update(b"link\0");
        hasher.update(&crate::names::path_bytes(&fs::read_link(path)?));
    } else {
        hasher.update(if is_executable(&metadata) { b"x" } else { b"-" });
        hasher.update_reader(fs::File::open(path)?)?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &fs::Metadata) -> bool {
    false
}

#[cfg(unix)]
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| path.symlink_metadata().map(|it| (it.dev(), it.ino()));
    match (id(one), id(other)) {
        (Ok(one_id), Ok(other_id)) if one_id == other_id => true,
        _ => same_content(one, other),
    }
}

#[cfg(not(unix))]
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    same_content(one, other)
}

fn same_content(one: &Path, other: &Path) -> bool {
    match (fingerprint(one), fingerprint(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn make_dir(path: &Path, permissions: u32) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => set_permissions(path, permissions),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn set_permissions(path: &Path, permissions: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(permissions))
}

#[cfg(not(unix))]
fn set_permissions(_path: &Path, _permissions: u32) -> io::Result<()> {
    Ok(())
}

/// Makes the directory of a place that gets its file back: the user may have removed it.
fn make_way(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(CodeError::io(parent))
}
