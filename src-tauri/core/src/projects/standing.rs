//! The standing of a checkout: its branch, its commit, its number of changes, and whether it has a
//! certain commit. Asks `git` without running any program of the repository, within a limit. If
//! `git` gives no answer, the branch alone is read from disk.

use super::checkout;
use super::git::{self, output_within};
use std::path::Path;
use std::time::Duration;

/// For a large work tree on a slow disk: no answer is better than a waiting user.
const STATUS: Duration = Duration::from_secs(3);
const COMMIT: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// `None` for a detached head.
    pub branch: Option<String>,
    /// The full hash; `None` before the first commit, or if only the branch is known.
    pub commit: Option<String>,
    /// Number of files that differ from the last commit, including new ones; `None` if unknown.
    pub changed: Option<u64>,
}

/// Where a commit is, relative to the checked-out one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// The checked-out commit, or one of its ancestors.
    Below,
    /// In the repository, on another branch or ahead.
    Beside,
    Missing,
}

/// The standing of the checkout around `dir`; `None` outside any checkout.
pub fn standing(dir: &Path) -> Option<Standing> {
    let (found, _) = checkout::around(dir)?;
    let said = git::command_without_filters(&found.work_tree).and_then(|mut git| {
        git.args([
            "status",
            "--porcelain=v2",
            "--branch",
            "--untracked-files=normal",
            "--ignore-submodules=all",
        ]);
        output_within(git, STATUS).map(|text| parse_status(&text))
    });
    said.or_else(|| {
        Some(Standing {
            branch: checkout::head_branch(&found.work_tree),
            ..Standing::default()
        })
    })
}

/// Where the commit is; `None` if `commit` is no hash, or if `git` gives no answer.
pub fn whereabouts(dir: &Path, commit: &str) -> Option<Commit> {
    // The text comes from a transcript: only a hash is passed to a command.
    let is_hash =
        (7..=64).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (found, _) = checkout::around(dir).filter(|_| is_hash)?;
    let ask = |args: &[&str]| {
        let mut git = git::command(&found.work_tree);
        git.args(args);
        output_within(git, COMMIT)
    };
    if ask(&[
        "rev-parse",
        "--verify",
        "--quiet",
        &format!("{commit}^{{commit}}"),
    ])
    .is_none()
    {
        // The commit is missing only if the repository answers at all.
        return ask(&["rev-parse", "--git-dir"]).map(|_| Commit::Missing);
    }
    let below = ask(&["rev-list", "--max-count=1", commit, "^HEAD"])?;
    Some(if below.trim().is_empty() {
        Commit::Below
    } else {
        Commit::Beside
    })
}

fn parse_status(text: &str) -> Standing {
    let mut found = Standing {
        changed: Some(0),
        ..Standing::default()
    };
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(header) => match header.split_once(' ') {
                Some(("branch.head", name)) if name != "(detached)" => {
                    found.branch = Some(name.to_owned())
                }
                Some(("branch.oid", hash)) if hash != "(initial)" => {
                    found.commit = Some(hash.to_owned())
                }
                _ => {}
            },
            None => found.changed = found.changed.map(|n| n + 1),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::checkout::testing::*;
    use super::*;

    #[test]
    fn a_checkout_says_its_branch_commit_and_changes() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(standing(dir.path()), None);
        let repo = repository(&dir.path().join("repo"), None);
        let new = standing(&repo).expect("a checkout");
        assert_eq!(
            (new.branch.as_deref(), new.commit, new.changed),
            (Some("main"), None, Some(0))
        );
        std::fs::write(repo.join("a"), "1").unwrap();
        git(&repo, &["add", "a"]);
        let first = commit(&repo, "first");
        std::fs::write(repo.join("a"), "2").unwrap();
        std::fs::write(repo.join("b"), "2").unwrap();
        std::fs::create_dir(repo.join("sub")).unwrap();
        let found = standing(&repo.join("sub")).expect("a checkout");
        assert_eq!(
            found,
            Standing {
                branch: Some("main".into()),
                commit: Some(first.clone()),
                changed: Some(2)
            }
        );
        git(&repo, &["checkout", "-q", "--detach"]);
        assert_eq!(standing(&repo).expect("a checkout").branch, None);
    }

    #[test]
    fn a_commit_is_below_beside_or_missing() {
        let dir = tempfile::tempdir().unwrap();
        let repo = repository(&dir.path().join("repo"), None);
        let first = commit(&repo, "first");
        git(&repo, &["checkout", "-q", "-b", "other"]);
        let other = commit(&repo, "other");
        git(&repo, &["checkout", "-q", "main"]);
        let second = commit(&repo, "second");
        let at = |hash: &str| whereabouts(&repo, hash);
        assert_eq!(
            (at(&first), at(&second[..8])),
            (Some(Commit::Below), Some(Commit::Below))
        );
        assert_eq!(at(&other), Some(Commit::Beside));
        assert_eq!(at(&"0123456789".repeat(4)), Some(Commit::Missing));
        for hostile in ["--upload-pack=x", "HEAD", "", "main", "abc"] {
            assert_eq!(at(hostile), None, "{hostile}");
        }
        assert_eq!(whereabouts(dir.path(), &first), None);
    }
}
