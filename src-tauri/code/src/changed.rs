//! What the places of applied steps have now, looked at without git: whether taking the steps back would take
//! something away that they did not put there.

use crate::checkout::{CodeError, Result};
use crate::files::same_file;
use crate::names::{RepoPath, folded_name};
use crate::steps::{Step, Target};
use crate::undoing::Undoing;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) type Places = BTreeMap<PathBuf, Target>;

/// Where the steps would have to take something away that they did not put there.
pub(crate) fn changed_places(undoing: &Undoing) -> Result<Places> {
    let mut changed = Places::new();
    let mut seen = BTreeSet::new();
    let later = taken_later(undoing);
    for (number, step) in undoing.record.steps.iter().enumerate() {
        let target = step.target();
        if let Target::WorkTree(path) = target
            && !is_reached(undoing, path, &later, &mut seen)?
        {
            continue;
        }
        let place = undoing.target(target);
        let Ok(metadata) = place.symlink_metadata() else {
            continue;
        };
        let is_removal = matches!(step, Step::RemoveFile(_) | Step::RemoveDir(..));
        if is_removal && later.get(&name_of(undoing, &place)) == Some(&metadata.is_dir()) {
            if metadata.is_dir() {
                refuse_others(undoing, &place, &later)?;
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
fn refuse_others(undoing: &Undoing, dir: &Path, placed: &BTreeMap<PathBuf, bool>) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(CodeError::io(dir))? {
        let path = entry.map_err(CodeError::io(dir))?.path();
        match placed.get(&name_of(undoing, &path)) {
            None => return Err(in_the_way(&path)),
            Some(true) => refuse_others(undoing, &path, placed)?,
            Some(false) => {}
        }
    }
    Ok(())
}

/// The places that a later step filled again: with a directory, or else with a file.
fn taken_later(undoing: &Undoing) -> BTreeMap<PathBuf, bool> {
    let steps = undoing.record.steps.iter();
    let taken = steps.filter_map(|step| match step {
        Step::MakeDir(target) => Some((target, true)),
        Step::PlaceFile(target) => Some((target, false)),
        Step::RemoveFile(_) | Step::RemoveDir(..) | Step::ReplaceFile(_) => None,
    });
    let named = taken.map(|(target, is_dir)| (name_of(undoing, &undoing.target(target)), is_dir));
    named.collect()
}

/// Equal for two names of one file on this system.
fn name_of(undoing: &Undoing, place: &Path) -> PathBuf {
    match undoing.checkout.ignores_case() {
        true => folded_name(&place.to_string_lossy()).into(),
        false => place.to_owned(),
    }
}

/// Whether every directory above a place is a directory and no link, so that nothing outside of the checkout
/// is reached. It is not where a later step put a file or a link in the place of one of them.
fn is_reached(
    undoing: &Undoing,
    path: &RepoPath,
    later: &BTreeMap<PathBuf, bool>,
    seen: &mut BTreeSet<PathBuf>,
) -> Result<bool> {
    let root = &undoing.checkout.root;
    for dir in path.parents() {
        let dir = dir.below(root);
        let dir = dir.ok_or_else(|| CodeError::refused("A name is not valid on this system."))?;
        if seen.contains(&dir) {
            continue;
        }
        match dir.symlink_metadata() {
            Ok(metadata) if !metadata.is_dir() => {
                return match later.get(&name_of(undoing, &dir)) {
                    Some(false) => Ok(false),
                    Some(true) | None => Err(in_the_way(&dir)),
                };
            }
            Ok(_) | Err(_) => drop(seen.insert(dir)),
        }
    }
    Ok(true)
}

fn in_the_way(path: &Path) -> CodeError {
    CodeError::refused(format!(
        "{} is in the way: move it elsewhere first.",
        path.display()
    ))
}
