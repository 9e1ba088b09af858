//! Taking back applied code although files were changed since. What the user has at these places now is
//! kept first, under its own name in the git directory, so that nothing is lost.

use crate::changed::changed_places;
use crate::checkout::{Checkout, CodeError, Lock, Result};
use crate::files::keep_file;
use crate::ours::{free_name, kept_directory};
use crate::record::{Limits, record_locked};
use crate::steps::Target;
use crate::store::Store;
use crate::undo::{Undo, applied_before, applied_state, changed_since};
use crate::undoing::{OnStep, Phase, Undoing};
use std::fs;
use std::path::PathBuf;

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
        Ok(kept) => return Ok(kept),
        Err(CodeError::ChangedSince(_)) => {}
        Err(other) => return Err(other),
    }
    let mut undoing = applied_before(checkout, undo)?;
    if let Some(worktree) = &undo.worktree {
        on_step("remove the record");
        undoing.discard()?;
        return Ok(Some(worktree.clone()));
    }
    let applied = applied_state(&undoing, store)?;
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
    on_step("begin to undo");
    undoing.enter(Phase::Undoing)?;
    undoing.finish(on_step)
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
