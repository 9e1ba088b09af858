//! Taking back applied code although files were changed since. What the user has at these places now is
//! kept first, under its own name in the git directory, so that nothing is lost.

use crate::checkout::{Checkout, CodeError, Lock, Result};
use crate::names::RepoPath;
use crate::ours::{free_name, kept_directory};
use crate::record::{Limits, record_locked};
use crate::steps::{Step, Target};
use crate::store::Store;
use crate::undo::{
    OnStep, Phase, Undo, Undoing, applied_before, applied_state, changed_since, keep_file, same_file,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// As [`undo`](crate::undo()), but files that were changed since are no obstacle: they are kept in the
/// directory that is returned, each at its path. A worktree that was changed stays as it is, and is
/// returned. `Ok(None)` if nothing was changed.
///
/// Refuses if another commit is checked out since, or a merge was begun.
pub fn undo_setting_aside(
    checkout: &Checkout,
    store: &Store,
    undo: &Undo,
    limits: &Limits,
) -> Result<Option<PathBuf>> {
    undo_setting_aside_with(checkout, store, undo, limits, &mut |_| ())
}

/// [`undo_setting_aside`], with a call before each change.
pub fn undo_setting_aside_with(
    checkout: &Checkout,
    store: &Store,
    undo: &Undo,
    limits: &Limits,
    on_step: OnStep,
) -> Result<Option<PathBuf>> {
    match crate::undo::undo_with(checkout, store, undo, limits, on_step) {
        Ok(()) => return Ok(None),
        Err(CodeError::ChangedSince(_)) => {}
        Err(other) => return Err(other),
    }
    let mut undoing = applied_before(checkout, undo)?;
    if let Some(worktree) = &undo.worktree {
        on_step("remove the record");
        undoing.discard()?;
        return Ok(Some(worktree.clone()));
    }
    let applied = applied_state(checkout, store, &undoing.record.snapshot)?;
    on_step("lock");
    undoing.lock()?;
    let mut keep = || {
        let current = record_locked(checkout, store, limits, Lock::Held)?;
        if let refused @ CodeError::Refused(_) = changed_since(checkout, store, &applied, &current)?
        {
            return Err(refused);
        }
        let mut changed = changed_places(&undoing)?;
        if current.index != applied.index || current.stages != applied.stages {
            let index = Target::GitDir("index".into());
            changed.insert(undoing.target(&index), index);
        }
        keep(&mut undoing, changed.into_values(), on_step)
    };
    if let Err(error) = keep() {
        undoing.unlock()?;
        return Err(error);
    }
    let kept = undoing.kept_dir();
    on_step("begin to undo");
    undoing.enter(Phase::Undoing)?;
    undoing.finish(on_step)?;
    Ok(kept)
}

type Places = BTreeMap<PathBuf, Target>;

/// Where the steps would have to take something away that they did not put there.
fn changed_places(undoing: &Undoing) -> Result<Places> {
    let mut changed = Places::new();
    let mut seen = BTreeSet::new();
    let later = taken_later(undoing);
    for (number, step) in undoing.record.steps.iter().enumerate() {
        let (Step::RemoveFile(target)
        | Step::RemoveDir(target, _)
        | Step::MakeDir(target)
        | Step::PlaceFile(target)
        | Step::ReplaceFile(target)) = step;
        if let Target::WorkTree(path) = target {
            check_way(undoing.checkout, path, &mut seen)?;
        }
        let place = undoing.target(target);
        let Ok(metadata) = place.symlink_metadata() else {
            continue;
        };
        let is_removal = matches!(step, Step::RemoveFile(_) | Step::RemoveDir(..));
        if is_removal && later.get(&place) == Some(&metadata.is_dir()) {
            if metadata.is_dir() {
                refuse_others(&place, &later)?;
            }
            continue;
        }
        let is_old = || same_file(&undoing.old(number), &place);
        let is_ours = match step {
            Step::MakeDir(_) => continue,
            Step::RemoveDir(..) => metadata.is_dir(),
            Step::RemoveFile(_) => undoing.old(number).symlink_metadata().is_err() || is_old(),
            Step::PlaceFile(_) => !metadata.is_dir() && undoing.is_as_placed(number, &place),
            Step::ReplaceFile(_) => {
                !metadata.is_dir() && (undoing.is_as_placed(number, &place) || is_old())
            }
        };
        if is_ours {
            continue;
        }
        if metadata.is_dir() || matches!(step, Step::RemoveDir(..)) {
            return Err(in_the_way(&place));
        }
        changed.insert(place, target.clone());
    }
    Ok(changed)
}

/// A directory that took a file's place has to go: refused if something of the user's is in it.
fn refuse_others(dir: &Path, placed: &BTreeMap<PathBuf, bool>) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(CodeError::io(dir))? {
        let path = entry.map_err(CodeError::io(dir))?.path();
        match placed.get(&path) {
            None => return Err(in_the_way(&path)),
            Some(true) => refuse_others(&path, placed)?,
            Some(false) => {}
        }
    }
    Ok(())
}

/// The places that a later step filled again: with a directory, or else with a file.
fn taken_later(undoing: &Undoing) -> BTreeMap<PathBuf, bool> {
    let steps = undoing.record.steps.iter();
    let taken = steps.filter_map(|step| match step {
        Step::MakeDir(target) => Some((undoing.target(target), true)),
        Step::PlaceFile(target) => Some((undoing.target(target), false)),
        Step::RemoveFile(_) | Step::RemoveDir(..) | Step::ReplaceFile(_) => None,
    });
    taken.collect()
}

/// Every directory above a place is a directory and no link: nothing outside of the checkout is reached.
fn check_way(checkout: &Checkout, path: &RepoPath, seen: &mut BTreeSet<PathBuf>) -> Result<()> {
    let file = path.below(&checkout.root);
    let file = file.ok_or_else(|| CodeError::refused("A name is not valid on this system."))?;
    let above = file.ancestors().skip(1);
    for dir in above.take_while(|dir| *dir != checkout.root) {
        if !seen.insert(dir.to_owned()) {
            break;
        }
        match dir.symlink_metadata() {
            Ok(metadata) if !metadata.is_dir() => return Err(in_the_way(dir)),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

fn in_the_way(path: &Path) -> CodeError {
    CodeError::refused(format!(
        "{} is in the way: move it elsewhere first.",
        path.display()
    ))
}

/// Keeps what the places have now. The record names the directory afterwards, not yet on disk.
fn keep(
    undoing: &mut Undoing,
    places: impl Iterator<Item = Target>,
    on_step: OnStep,
) -> Result<()> {
    let all = kept_directory(undoing.checkout);
    let name = free_name(&all, &undoing.record.number.to_string());
    let dir = all.join(&name);
    for target in places {
        on_step("keep a changed file");
        let (from, to) = (
            undoing.target(&target),
            target.path(&dir, &dir.join(".git")),
        );
        let parent = to.parent().unwrap_or(&dir);
        fs::create_dir_all(parent)
            .and_then(|()| keep_file(&from, &to))
            .map_err(CodeError::io(&from))?;
        undoing.record.kept = Some(name.clone());
    }
    Ok(())
}
