//! The undo record: what a checkout was before a snapshot was applied, on disk before the first
//! change, in the checkout's git directory. Taking back is possible from every point: after a crash
//! it is finished, and finishing twice is finishing once.

use crate::checkout::{Checkout, CodeError, INDEX_LOCK, Result};
use crate::files::{
    HALF, Stamp, fingerprint, keep_file, make_dir, make_new, make_way, move_file, same_file,
    write_whole,
};
use crate::names::{ObjectId, RepoPath};
use crate::ours::{free_name, kept_directory, numbers, remove_if_empty, undo_directory};
use crate::record::Snapshot;
use crate::steps::{Step, Target};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const RECORD: &str = "record.json";
/// The snapshot that was applied: what its trees are called, so that nothing else is needed to take it back.
const APPLIED: &str = "applied.json";
const VERSION: u32 = 1;

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
    /// What each step found in its place when the state was recorded; empty while nothing is applied.
    seen: Vec<Option<Stamp>>,
    /// Held by whoever changes something.
    _turn: Option<Turn>,
}

/// While it is held, no other process of ours changes this checkout or takes back what it finds there. It
/// ends with the process, however that ends.
pub(crate) struct Turn {
    git_dir: Option<fs::File>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread is about to start has the directory open.
        let _ = self.git_dir.as_ref().map(fs::File::unlock);
    }
}

impl Turn {
    pub fn acquire(checkout: &Checkout) -> Result<Self> {
        // A lock on the directory itself: no file of ours is needed, and none stays. Not every system can.
        let git_dir = fs::File::open(&checkout.git_dir).ok();
        let tried = git_dir.as_ref().map(fs::File::try_lock);
        match tried {
            Some(Err(fs::TryLockError::WouldBlock)) => Err(CodeError::Busy(format!(
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
        let turn = Some(Turn::acquire(checkout)?);
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
            seen: Vec::new(),
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
    pub fn read(checkout: &'a Checkout, number: u64) -> Result<Option<Self>> {
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
                seen: Vec::new(),
                _turn: None,
            })),
            None => Err(CodeError::refused(format!(
                "{} is not an undo record of this version.",
                path.display()
            ))),
        }
    }

    /// While it is held, nobody else changes anything.
    pub fn holding(self, turn: Turn) -> Self {
        Self {
            _turn: Some(turn),
            ..self
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

    /// Everything is in its place.
    pub fn enter_applied(&mut self, applied: &Snapshot) -> Result<()> {
        let text = serde_json::to_vec(applied).expect("strings and lists only");
        let path = self.dir.join(APPLIED);
        write_whole(&path, &text).map_err(CodeError::io(&path))?;
        self.enter(Phase::Applied)
    }

    /// The snapshot that was applied; `None` in records of older versions.
    pub fn applied(&self) -> Option<Snapshot> {
        let text = fs::read(self.dir.join(APPLIED)).ok()?;
        let applied: Snapshot = serde_json::from_slice(&text).ok()?;
        Some(applied).filter(|applied| applied.id == self.record.snapshot)
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
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(CodeError::index_is_locked(self.checkout))
            }
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

    /// Notes what the places of the steps hold. What is written to one of them later is not replaced.
    pub fn look_at_places(&mut self) {
        let steps = self.record.steps.iter();
        let places = steps.map(|step| Stamp::of(&self.target(step.target())));
        self.seen = places.collect();
    }

    fn refuse_changed(&self, number: usize, path: &Path) -> Result<()> {
        match self.seen.get(number) {
            Some(seen) if *seen != Stamp::of(path) => Err(CodeError::refused(format!(
                "{} was changed meanwhile.",
                path.display()
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Does one step.
    pub fn apply_step(&self, number: usize, on_step: OnStep) -> Result<()> {
        let step = &self.record.steps[number];
        let path = self.target(step.target());
        match step {
            Step::RemoveFile(_) => {
                on_step("remove a file");
                self.refuse_changed(number, &path)?;
                move_file(&path, &self.old(number)).map_err(CodeError::io(&path))
            }
            Step::RemoveDir(..) => {
                on_step("remove a directory");
                fs::remove_dir(&path).map_err(CodeError::io(&path))
            }
            Step::MakeDir(_) => {
                on_step("make a directory");
                fs::create_dir(&path).map_err(CodeError::io(&path))
            }
            Step::PlaceFile(_) => {
                on_step("place a file");
                // Since the steps were decided something may have been put there.
                if path.symlink_metadata().is_ok() {
                    return Err(CodeError::refused(format!(
                        "{} is in the way.",
                        path.display()
                    )));
                }
                move_file(&self.new_file(number), &path).map_err(CodeError::io(&path))
            }
            Step::ReplaceFile(_) => {
                on_step("keep a file");
                self.refuse_changed(number, &path)?;
                keep_file(&path, &self.old(number)).map_err(CodeError::io(&path))?;
                on_step("replace a file");
                move_file(&self.new_file(number), &path).map_err(CodeError::io(&path))
            }
        }
    }

    /// Takes all steps back, from the last to the first, whichever of them were done. What is in the way is
    /// kept. A step that cannot be taken back hinders no other; the first error is returned.
    pub fn roll_back(&mut self, on_step: OnStep) -> Result<()> {
        let mut result = Ok(());
        for number in (0..self.record.steps.len()).rev() {
            on_step("take a step back");
            result = result.and(self.revert_step(number));
        }
        result
    }

    fn revert_step(&mut self, number: usize) -> Result<()> {
        let step = self.record.steps[number].clone();
        let target = step.target();
        let (old, path) = (self.old(number), self.target(target));
        let has_old = old.symlink_metadata().is_ok();
        let there = path.symlink_metadata().ok();
        let io = |done: io::Result<()>| done.map_err(CodeError::io(&path));
        match &step {
            Step::RemoveDir(_, permissions) => {
                if there.is_some_and(|it| !it.is_dir()) {
                    self.keep_away(target)?;
                }
                io(make_way(&path).and_then(|()| make_dir(&path, *permissions)))
            }
            Step::MakeDir(_) => {
                // With something in it, it stays: that is nobody's but the user's.
                let _ = fs::remove_dir(&path);
                Ok(())
            }
            Step::PlaceFile(_) => {
                let was_placed = self.new_file(number).symlink_metadata().is_err();
                let is_free = || self.is_as_placed(number, &path) || self.is_kept(target);
                // Back at its first place, or a file in its stead: a step that was taken back is not taken
                // back again, when somebody has put a file there since.
                match there.is_some_and(|it| !it.is_dir()) && was_placed {
                    true if is_free() => io(move_file(&path, &self.new_file(number))),
                    true => {
                        self.keep_away(target)?;
                        let taken = self.new_file(number);
                        fs::write(&taken, b"").map_err(CodeError::io(&taken))
                    }
                    false => Ok(()),
                }
            }
            Step::RemoveFile(_) | Step::ReplaceFile(_) if !has_old => Ok(()),
            Step::RemoveFile(_) => {
                // On a system without links the file is copied first and removed then.
                if there.is_some() && same_file(&old, &path) {
                    return fs::remove_file(&old).map_err(CodeError::io(&old));
                }
                if there.is_some() && !self.is_kept(target) {
                    self.keep_away(target)?;
                }
                io(make_way(&path).and_then(|()| move_file(&old, &path)))
            }
            Step::ReplaceFile(_) => {
                let is_free = same_file(&old, &path)
                    || self.is_as_placed(number, &path)
                    || self.is_kept(target);
                if there.is_some() && !is_free {
                    self.keep_away(target)?;
                }
                io(make_way(&path).and_then(|()| move_file(&old, &path)))?;
                // Two names of one file: moving one over the other does nothing.
                match old.symlink_metadata() {
                    Ok(_) => fs::remove_file(&old).map_err(CodeError::io(&old)),
                    Err(_) => Ok(()),
                }
            }
        }
    }

    /// Moves what a place has now to the files that are kept: nobody looked at it.
    fn keep_away(&mut self, target: &Target) -> Result<()> {
        let all = kept_directory(self.checkout);
        let number = self.record.number.to_string();
        let name = self.record.kept.take();
        let name = name.unwrap_or_else(|| free_name(&all, &number));
        let dir = all.join(&name);
        self.record.kept = Some(name);
        // Whoever goes on after a crash knows where it is.
        self.save()?;
        let (from, mut to) = (self.target(target), target.path(&dir, &dir.join(".git")));
        let parent = to.parent().unwrap_or(&dir).to_owned();
        if to.symlink_metadata().is_ok() {
            let name = to.file_name().unwrap_or_default().to_string_lossy();
            to = parent.join(free_name(&parent, &name));
        }
        fs::create_dir_all(&parent)
            .and_then(|()| move_file(&from, &to))
            .map_err(CodeError::io(&from))
    }

    pub fn is_as_placed(&self, number: usize, path: &Path) -> bool {
        let prepared = self.record.prepared.get(number).map(String::as_str);
        match prepared {
            None | Some("") => true,
            Some(hash) => fingerprint(path).is_ok_and(|it| it == hash),
        }
    }

    /// Removes the record, first of all what says that there is something to undo.
    pub fn discard(self) -> Result<()> {
        let record = self.dir.join(RECORD);
        fs::remove_file(&record).map_err(CodeError::io(&record))?;
        put_away(self.checkout, self.record.number)
    }

    /// Whether a worktree that had been applied whole was about to go, and is there.
    pub fn is_removal_of_worktree(&self) -> bool {
        let worktree = self.record.worktree.as_ref();
        let place = worktree.and_then(|path| path.below(Path::new("")));
        self.record.phase == Phase::Undoing && place.is_some_and(|it| it.symlink_metadata().is_ok())
    }

    /// Takes everything back and removes the record. What fails halfway leaves the record, with which it can
    /// be finished. Returns where something is kept that was in the way. The
    /// index is not locked afterwards, whatever failed.
    pub fn finish(mut self, on_step: OnStep) -> Result<Option<PathBuf>> {
        let worktree = self.record.worktree.clone();
        let done = match (worktree, self.record.phase) {
            // At most an empty directory was made; one that is not empty is not ours.
            (Some(path), Phase::Preparing) => {
                let path = path.below(Path::new(""));
                let _ = path.map(fs::remove_dir);
                Ok(())
            }
            (None, Phase::Preparing) => Ok(()),
            (Some(path), _) => {
                on_step("remove the worktree");
                let path = path.below(Path::new(""));
                let invalid = || CodeError::refused("The path of the worktree is not valid.");
                let path = path.ok_or_else(invalid);
                path.and_then(|path| crate::worktree::remove(self.checkout, &path))
            }
            (None, _) => self.roll_back(on_step),
        };
        on_step("unlock");
        self.unlock()?;
        done.map_err(CodeError::half_done)?;
        let kept = self.kept_dir();
        on_step("remove the record");
        self.discard()?;
        Ok(kept)
    }
}

/// The snapshots that were applied in this checkout and can be taken back.
pub(crate) fn applied_here(checkout: &Checkout) -> Result<Vec<Snapshot>> {
    let mut applied = Vec::new();
    for number in numbers(checkout)? {
        let undoing = Undoing::read(checkout, number)?;
        let is_applied =
            |it: &Undoing| it.record.phase == Phase::Applied && it.record.worktree.is_none();
        applied.extend(undoing.filter(is_applied).and_then(|it| it.applied()));
    }
    Ok(applied)
}

/// Removes the directory of a record that is gone. Files of the user's in it, which only a loss of power
/// leaves there, go to those that are kept.
pub(crate) fn put_away(checkout: &Checkout, number: u64) -> Result<()> {
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
