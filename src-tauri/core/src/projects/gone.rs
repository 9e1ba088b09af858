//! Finds the repository that a missing directory was a worktree of. Reads the traces that git left,
//! within bounds, and runs nothing.

use super::checkout::{self, Checkout};
use crate::opener;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Maximum number of directories examined beside a missing one.
const MOST_BESIDE: usize = 500;
const MOST_WORKTREES: usize = 500;

/// A work tree of the repository that `gone` was a worktree of: one that still lists `gone`, else
/// the only one with the branch of `gone` whose name `gone` begins with. Examines `known` work
/// trees and those beside `gone`.
pub fn repository_of(
    gone: &Path,
    branch: Option<&str>,
    known: &BTreeSet<PathBuf>,
) -> Option<PathBuf> {
    let parent = gone.ancestors().skip(1).find(|dir| dir.is_dir())?;
    let beside = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .take(MOST_BESIDE)
        .map(|entry| entry.path());
    let mut trees: BTreeSet<PathBuf> = beside.filter(|dir| dir.join(".git").exists()).collect();
    trees.extend(known.iter().cloned());
    let is_listed = |tree: &&PathBuf| {
        let checkout = checkout::read_checkout(tree);
        checkout.is_some_and(|checkout| within_worktree(&checkout, gone).is_some())
    };
    if let Some(tree) = trees.iter().find(is_listed) {
        return Some(tree.clone());
    }
    let branch =
        branch.filter(|branch| !["main", "master", "develop", "trunk"].contains(branch))?;
    let vanished = gone.strip_prefix(parent).ok()?;
    let mut alike = trees
        .iter()
        .filter(|tree| begins_with_name(vanished, tree) && has_branch(tree, branch));
    match (alike.next(), alike.next()) {
        (Some(tree), None) => Some(tree.clone()),
        _ => None,
    }
}

/// The path of `gone` within the worktree that it is or was in, if git still lists that as one of
/// the repository. The listed path may be relative to its list entry (`worktree.useRelativePaths`,
/// Git 2.48); then it contains no links.
pub fn within_worktree(checkout: &Checkout, gone: &Path) -> Option<PathBuf> {
    let real = without_links(gone);
    let within = |dir: &Path| {
        let as_written = gone.strip_prefix(dir).ok();
        let rest = as_written.or_else(|| real.as_ref()?.strip_prefix(dir).ok());
        rest.map(Path::to_owned)
    };
    let listed = std::fs::read_dir(checkout.common_dir.join("worktrees"))
        .into_iter()
        .flatten()
        .flatten();
    listed.take(MOST_WORKTREES).find_map(|entry| {
        let text = small(&entry.path().join("gitdir")).unwrap_or_default();
        let path = Path::new(text.trim());
        let path = if path.is_absolute() {
            Some(path.to_owned())
        } else {
            resolved(&entry.path(), path)
        };
        path.as_deref().and_then(Path::parent).and_then(within)
    })
}

/// Resolves a relative path from `base` as text, because the target is gone from the disk.
fn resolved(base: &Path, path: &Path) -> Option<PathBuf> {
    let mut dir = base.to_owned();
    for part in path.components() {
        match part {
            Component::Normal(name) => dir.push(name),
            Component::ParentDir => dir.pop().then_some(())?,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    // An empty path names nothing.
    (path.components().next().is_some()).then_some(dir)
}

/// The path with the links of its existing part resolved.
fn without_links(gone: &Path) -> Option<PathBuf> {
    let left = gone.ancestors().find(|dir| dir.is_dir())?;
    let real = checkout::without_verbatim(left.canonicalize().ok()?);
    Some(real.join(gone.strip_prefix(left).ok()?))
}

/// Whether a name begins like the tree's: `api-fix` begins with `api`; so does `api/fix`.
fn begins_with_name(vanished: &Path, tree: &Path) -> bool {
    let Some(name) = tree
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
    else {
        return false;
    };
    vanished.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part.strip_prefix(name.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_', '.']))
    })
}

/// Whether the repository has, or had, a branch that is not checked out in `tree` itself.
fn has_branch(tree: &Path, branch: &str) -> bool {
    let Some(checkout) =
        checkout::read_checkout(tree).filter(|_| super::paths::stays_below(branch))
    else {
        return false;
    };
    let dir = &checkout.common_dir;
    let loose = dir.join("refs/heads").join(branch).is_file()
        || dir.join("logs/refs/heads").join(branch).is_file();
    let packed = || small(&dir.join("packed-refs")).unwrap_or_default();
    let is_it = |line: &str| {
        line.strip_suffix(branch)
            .is_some_and(|start| start.ends_with(" refs/heads/"))
    };
    checkout::head_branch(tree).as_deref() != Some(branch) && (loose || packed().lines().any(is_it))
}

fn small(path: &Path) -> Option<String> {
    let bytes = opener::start_of(&mut opener::file_behind_links(path).ok()?, opener::SMALL).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projects::checkout::testing::*;

    #[test]
    fn a_worktree_that_is_listed_by_a_relative_path_tells_its_repository() {
        let home = tempfile::tempdir().unwrap();
        let repo = repository(&home.path().join("code/api"), None);
        let listed = repo.join(".git/worktrees/fix");
        std::fs::create_dir_all(&listed).unwrap();
        let (gone, other) = (
            home.path().join("trees/fix/web"),
            home.path().join("trees/other"),
        );
        let known = BTreeSet::from([repo.clone()]);
        let of = |dir: &Path| repository_of(dir, None, &known);
        for (text, is_it) in [
            ("../../../../../trees/fix/.git\n", true),
            (".././../../../../trees/fix/.git", true),
            ("../../../../trees/fix/.git", false),
            ("trees/fix/.git", false),
            (
                "../../../../../../../../../../../../../../../../trees/fix/.git",
                false,
            ),
            ("", false),
        ] {
            std::fs::write(listed.join("gitdir"), text).unwrap();
            assert_eq!(of(&gone), is_it.then(|| repo.clone()), "{text}");
            assert_eq!(of(&other), None);
        }
        std::fs::write(
            listed.join("gitdir"),
            home.path().join("trees/fix/.git").to_str().unwrap(),
        )
        .unwrap();
        assert_eq!(of(&gone), Some(repo.clone()));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(home.path(), home.path().join("link")).unwrap();
            assert_eq!(of(&home.path().join("link/trees/fix")), Some(repo));
        }
    }
}
