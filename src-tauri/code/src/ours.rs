//! Our directory in a checkout's git directory: undo records, files that an undo took out of the way, and the
//! list of untracked files that applied code put into the checkout. Knows no snapshot.

use crate::checkout::{Checkout, CodeError, Result};
use crate::names::RepoPath;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name of our directory in a git directory.
const OURS: &str = "session-roam";
/// The list in an undo record, or for a worktree that we made in its own git directory.
const UNTRACKED: &str = "untracked";

/// Where the undo records are, each in a directory that is named by its number.
pub(crate) fn undo_directory(checkout: &Checkout) -> PathBuf {
    checkout.git_dir.join(OURS).join("undo")
}

/// Where files of the user's are kept that an undo took out of the way.
pub(crate) fn kept_directory(checkout: &Checkout) -> PathBuf {
    checkout.git_dir.join(OURS).join("kept")
}

/// The numbers of the undo records, from the first to the latest.
pub(crate) fn numbers(checkout: &Checkout) -> Result<Vec<u64>> {
    let dir = undo_directory(checkout);
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CodeError::io(&dir)(error)),
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<u64> = names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect();
    numbers.sort();
    Ok(numbers)
}

pub(crate) fn remove_if_empty(checkout: &Checkout) {
    let _ = fs::remove_dir(undo_directory(checkout));
    let _ = fs::remove_dir(checkout.git_dir.join(OURS));
}

/// A name that nothing in the directory has, which begins with `name`.
pub(crate) fn free_name(dir: &Path, name: &str) -> String {
    let mut names = (1..).map(|again| match again {
        1 => name.to_owned(),
        again => format!("{name}-{again}"),
    });
    let is_free = |name: &String| dir.join(name).symlink_metadata().is_err();
    names.find(is_free).expect("the numbers do not end")
}

/// Notes the untracked files of a state that is applied in place; the note goes with the undo record.
pub(crate) fn note_untracked(record: &Path, paths: &[u8]) -> Result<()> {
    let file = record.join(UNTRACKED);
    fs::write(&file, paths).map_err(CodeError::io(&file))
}

/// The same for a worktree that was made for the state; the note goes with the worktree.
pub(crate) fn note_untracked_in(worktree: &Checkout, paths: &[u8]) -> Result<()> {
    let dir = worktree.git_dir.join(OURS);
    fs::create_dir_all(&dir).map_err(CodeError::io(&dir))?;
    note_untracked(&dir, paths)
}

/// The untracked files of the state that was applied here last. No status names those that only this device
/// ignores.
pub(crate) fn placed_untracked(checkout: &Checkout) -> Result<Vec<RepoPath>> {
    let undo = undo_directory(checkout);
    let records = numbers(checkout)?.into_iter().rev();
    let records = records.map(|number| undo.join(number.to_string()));
    let own = checkout.git_dir.join(OURS);
    for dir in records.chain([own]) {
        let file = dir.join(UNTRACKED);
        match fs::read(&file) {
            Ok(list) => {
                let paths = list.split(|byte| *byte == 0);
                let paths = paths.filter(|path| !path.is_empty());
                return Ok(paths.map(RepoPath::new).collect());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(CodeError::io(&file)(error)),
        }
    }
    Ok(Vec::new())
}
