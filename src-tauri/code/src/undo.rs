//! Takes applied snapshots back, refuses where that would take something of the user's along, and finishes
//! what a process that was killed had begun.

use crate::changed::changed_places;
use crate::checkout::{Checkout, CodeError, Lock, Result};
use crate::compare::differences;
use crate::git::GitError;
use crate::names::{ObjectId, RepoPath};
use crate::objects::{Mode, Reader};
use crate::ours::{numbers, remove_if_empty, undo_directory};
use crate::record::{Limits, Snapshot, record, record_locked};
use crate::scratch::{Scratch, Sees};
use crate::steps::Target;
use crate::store::Store;
use crate::undoing::{OnStep, Phase, Turn, Undoing, put_away};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// What [`recover`] finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The snapshots that were taken back, those not of which nothing had been applied yet.
    pub snapshots: Vec<ObjectId>,
    /// Where files are that were in the way.
    pub kept: Vec<PathBuf>,
}

/// Takes back what a process that ended in its work had begun; call it before anything else is done
/// with a checkout, when no other process of ours works in it. A worktree that was about to be removed
/// stays, and can be taken back again.
pub fn recover(checkout: &Checkout) -> Result<Recovered> {
    let mut recovered = Recovered::default();
    let _turn = Turn::acquire(checkout)?;
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
                let snapshot = undoing.record.snapshot.clone();
                let was_begun = undoing.record.phase != Phase::Preparing;
                recovered.kept.extend(undoing.finish(&mut |_| ())?);
                recovered.snapshots.extend(was_begun.then_some(snapshot));
            }
            None => put_away(checkout, number)?,
        }
    }
    Ok(recovered)
}

/// Ends the time in which applied snapshots can be taken back: removes the records that `is_expired` names,
/// with the files of before in them. What was applied stays. `is_expired` gets the age of the record, by
/// the clock. Returns how many went.
pub fn expire(checkout: &Checkout, is_expired: &dyn Fn(&Undo, Duration) -> bool) -> Result<usize> {
    let _turn = Turn::acquire(checkout)?;
    let dir = undo_directory(checkout);
    // What a process left that ended here: its number may be given again.
    remove_expired(&dir)?;
    let mut n_expired = 0;
    for undo in undos(checkout)? {
        let record = dir.join(undo.number.to_string());
        if is_expired(&undo, age(&record)) {
            // A record is there as a whole or not.
            let to = record.with_extension(EXPIRED);
            fs::rename(&record, &to).map_err(CodeError::io(&record))?;
            n_expired += 1;
        }
    }
    remove_expired(&dir)?;
    remove_if_empty(checkout);
    Ok(n_expired)
}

/// The ending of the name of a record that is being removed.
const EXPIRED: &str = "expired";

fn remove_expired(dir: &Path) -> Result<()> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    for path in paths.filter(|path| path.extension().is_some_and(|it| it == EXPIRED)) {
        fs::remove_dir_all(&path).map_err(CodeError::io(&path))?;
    }
    Ok(())
}

fn age(path: &Path) -> Duration {
    let modified = path.symlink_metadata().and_then(|it| it.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    age.unwrap_or_default()
}

/// Takes the latest applied snapshot back: index, files, permissions and links are what they were.
/// Refuses if anything was changed since. What is changed while it runs is kept, and it says where.
pub fn undo(
    checkout: &Checkout,
    store: &Store,
    undo: &Undo,
    limits: &Limits,
) -> Result<Option<PathBuf>> {
    undo_with(checkout, store, undo, limits, &mut |_| ())
}

/// [`undo`], with a call before each change.
pub fn undo_with(
    checkout: &Checkout,
    store: &Store,
    undo: &Undo,
    limits: &Limits,
    on_step: OnStep,
) -> Result<Option<PathBuf>> {
    let mut undoing = applied_before(checkout, undo)?;
    let applied = applied_state(&undoing, store)?;
    match &undo.worktree {
        Some(path) => refuse_changed_worktree(checkout, store, path, &applied, limits)?,
        None => {
            on_step("lock");
            undoing.lock()?;
            if let Err(refused) = refuse_changed(&undoing, store, &applied, limits) {
                undoing.unlock()?;
                return Err(refused);
            }
        }
    }
    on_step("begin to undo");
    undoing.enter(Phase::Undoing)?;
    undoing.finish(on_step)
}

/// The index is locked by the caller.
fn refuse_changed(
    undoing: &Undoing,
    store: &Store,
    applied: &Snapshot,
    limits: &Limits,
) -> Result<()> {
    let checkout = undoing.checkout;
    let current = record_locked(checkout, store, limits, Lock::Held)?;
    if !current.is_state_of(applied) {
        return Err(changed_since(checkout, store, applied, &current)?);
    }
    // Other bytes that are the same to git: line endings, a permission that is not compared, a file that is
    // ignored or marked as unchanged.
    let changed = changed_places(undoing)?;
    if changed.is_empty() {
        return Ok(());
    }
    let name = |target: &Target| match target {
        Target::WorkTree(path) => path.to_string(),
        Target::GitDir(name) => format!(".git/{name}"),
    };
    Err(changed_files(checkout, changed.values().map(name)))
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
    let turn = Turn::acquire(checkout)?;
    let undoing = Undoing::read(checkout, undo.number)?;
    // A number is given again when all records are gone, whoever removed them.
    let is_it = |undoing: &Undoing| undoing.record.snapshot == undo.snapshot;
    let undoing = undoing.filter(is_it).ok_or_else(gone)?;
    match undoing.record.phase {
        Phase::Applied => Ok(undoing.holding(turn)),
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
    let root = checkout.root.display();
    if current.state.head != applied.state.head {
        let before = applied.state.head.as_ref().map(ObjectId::as_str);
        let before = before
            .and_then(|before| before.get(..7))
            .unwrap_or("no commit");
        return Ok(CodeError::refused(format!(
            "Another commit is checked out in {root} since the code was applied ({before} was)."
        )));
    }
    if current.state.operation != applied.state.operation {
        return Ok(CodeError::refused(format!(
            "A merge was begun or ended in {root} since the code was applied."
        )));
    }
    let scratch = Scratch::new(checkout, store, None)?;
    let mut reader = Reader::start(&scratch)?;
    for tree in [&applied.working_tree, &applied.index] {
        if *tree != checkout.format.empty_tree() && reader.read(tree, 0)?.is_none() {
            // The store was emptied since: what the files were is known, and not what they are called.
            return Ok(CodeError::ChangedSince(format!(
                "Files were changed in {root} since the code was applied."
            )));
        }
    }
    let mut paths: BTreeSet<RepoPath> = BTreeSet::new();
    for (from, to) in [
        (&applied.working_tree, &current.working_tree),
        (&applied.index, &current.index),
    ] {
        paths.extend(differences(&scratch, from, to)?.into_keys());
    }
    let left_out = current.state.left_out.iter();
    paths.extend(left_out.map(|left_out| left_out.path.clone()));
    Ok(changed_files(
        checkout,
        paths.iter().map(RepoPath::to_string),
    ))
}

/// Names the first of the files that were changed; none of them means the index.
fn changed_files(checkout: &Checkout, names: impl Iterator<Item = String>) -> CodeError {
    const MOST: usize = 3;
    let names: Vec<String> = names.collect();
    let named = &names[..names.len().min(MOST)];
    let files = match (named.len(), names.len() - named.len()) {
        (0, _) => "The index".to_owned(),
        (_, 0) => named.join(", "),
        (_, others) => format!("{} and {others} more", named.join(", ")),
    };
    CodeError::ChangedSince(format!(
        "Changed in {} since the code was applied: {files}.",
        checkout.root.display()
    ))
}

pub(crate) fn applied_state(undoing: &Undoing, store: &Store) -> Result<Snapshot> {
    if let Some(applied) = undoing.applied() {
        return Ok(applied);
    }
    let (checkout, id) = (undoing.checkout, &undoing.record.snapshot);
    let scratch = Scratch::new(checkout, store, None)?;
    let mut reader = Reader::start(&scratch)?;
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
