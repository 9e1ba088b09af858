//! The entries by which a repository knows its worktrees, as far as one of ours is removed. Those of others
//! are never touched, not even where their directory is not there now: their index and `HEAD` are in them.

use crate::checkout::{Checkout, CodeError, Result};
use crate::git::{self, Bounds, Input};
use crate::names::RepoPath;
use std::fs;
use std::path::{Path, PathBuf};

/// Removes a worktree with all that is in it, and the repository's entry of it, as far as they are there.
pub(crate) fn remove(checkout: &Checkout, path: &Path) -> Result<()> {
    let mut command = checkout.git.in_repository(&checkout.root);
    command.args(["worktree", "remove", "--force", "--force"]);
    command.arg(path);
    // Fails where the worktree was not registered yet, or is damaged.
    let _ = git::run(command, Input::Nothing, Bounds::default());
    if path.symlink_metadata().is_ok() {
        fs::remove_dir_all(path).map_err(CodeError::io(path))?;
    }
    if let Some(entry) = entry_of(checkout, path) {
        fs::remove_dir_all(&entry).map_err(CodeError::io(&entry))?;
        // As git does it: without worktrees the directory goes.
        let _ = fs::remove_dir(entries(checkout));
    }
    Ok(())
}

/// The repository's entry of the worktree at this path.
pub(crate) fn entry_of(checkout: &Checkout, path: &Path) -> Option<PathBuf> {
    let wanted = place(&path.join(".git"))?;
    let listed = fs::read_dir(entries(checkout)).ok()?.flatten();
    let mut listed = listed.map(|entry| entry.path());
    listed.find(|entry| dot_git_of(entry).is_some_and(|it| it == wanted))
}

fn entries(checkout: &Checkout) -> PathBuf {
    checkout.common_dir.join("worktrees")
}

/// Which `.git` an entry names. Newer versions of git can write it relative to the entry.
fn dot_git_of(entry: &Path) -> Option<PathBuf> {
    let text = fs::read(entry.join("gitdir")).ok()?;
    place(&RepoPath::new(text.trim_ascii_end()).below(entry)?)
}

/// The path of a worktree's `.git` without links and `..`; the worktree itself may be gone.
fn place(dot_git: &Path) -> Option<PathBuf> {
    let worktree = dot_git.parent()?;
    let parent = crate::files::real(worktree.parent()?).ok()?;
    Some(parent.join(worktree.file_name()?))
}
