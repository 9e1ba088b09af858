//! What a snapshot says beside its trees, and the manifest with which it goes to another device.
//! Both are JSON with a fixed order of fields, so that equal states have equal ids.

use crate::names::{ObjectId, RepoPath};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The format of this version. Others are refused.
pub const VERSION: u32 = 1;

/// What is in a snapshot beside trees and files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub version: u32,
    /// The commit that is checked out; `None` before the first.
    pub head: Option<ObjectId>,
    /// `refs/heads/…`; `None` if no branch is checked out.
    pub branch: Option<String>,
    /// The operation that a conflict or a commit will end.
    pub operation: Option<Operation>,
    /// Paths announced with `git add --intent-to-add`.
    pub intents: Vec<RepoPath>,
    /// What stayed behind.
    pub left_out: Vec<LeftOut>,
}

/// An operation of `git` that waits for a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub kind: OperationKind,
    /// The commits that are merged, picked or reverted.
    pub commits: Vec<ObjectId>,
    /// The prepared message.
    pub message: String,
    /// The content of `MERGE_MODE`.
    pub mode: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    Merge,
    CherryPick,
    Revert,
}

impl OperationKind {
    pub(crate) const ALL: [Self; 3] = [Self::Merge, Self::CherryPick, Self::Revert];

    /// The file in the git directory that names the commits.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Merge => "MERGE_HEAD",
            Self::CherryPick => "CHERRY_PICK_HEAD",
            Self::Revert => "REVERT_HEAD",
        }
    }
}

/// A file that is not in the snapshot as it is on the device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    pub path: RepoPath,
    pub side: Side,
    pub reason: Reason,
}

/// Which version of a file is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Index,
    WorkingTree,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Larger than one file may be.
    TooLarge,
    /// The files together are larger than allowed; the largest stay behind.
    TotalTooLarge,
    /// Its name is one of files that hold credentials.
    SecretName,
    /// Its content has something that this rule takes for a secret.
    SecretContent(String),
    /// A filter (Git LFS, git-crypt) makes its content, and filters are programs.
    Filter,
    /// It would put files under a filter.
    FilterRule,
    /// A link that leads out of the checkout.
    LeadsOut,
    /// A submodule at another commit than the index says.
    MovedSubmodule,
    /// A repository of its own.
    Repository,
    /// It could not be read, or changed while it was read.
    Unreadable,
    /// A path that is not safe on every system.
    UnsafePath,
    /// Commits that would have to go along changed it, and it must not leave for this reason.
    InCommit(Box<Reason>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("is too large"),
            Self::TotalTooLarge => f.write_str("would make the snapshot too large"),
            Self::SecretName => f.write_str("has the name of a file with credentials"),
            Self::SecretContent(rule) => {
                write!(f, "has something that looks like a secret ({rule})")
            }
            Self::Filter => f.write_str("is made by a filter such as Git LFS"),
            Self::FilterRule => f.write_str("puts files under a filter"),
            Self::LeadsOut => f.write_str("is a link that leads out of the checkout"),
            Self::MovedSubmodule => f.write_str("is a submodule at another commit"),
            Self::Repository => f.write_str("is a repository of its own"),
            Self::Unreadable => f.write_str("could not be read"),
            Self::UnsafePath => f.write_str("has a path that is not safe on every system"),
            Self::InCommit(reason) => {
                write!(f, "is in commits that stay behind, because it {reason}")
            }
        }
    }
}

/// What goes to another device with a pack. Everything in it is checked against the pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub version: u32,
    /// `sha1` or `sha256`.
    pub object_format: String,
    pub snapshot: ObjectId,
    pub working_tree: ObjectId,
    pub index: ObjectId,
    /// The trees of the three sides of a conflict; empty without one.
    pub stages: Vec<ObjectId>,
    pub state: State,
    /// The commits that the receiver must have.
    pub against_commits: Vec<ObjectId>,
    /// The snapshots that the receiver must have.
    pub against_snapshots: Vec<ObjectId>,
    pub pack: PackSummary,
}

/// What is known of a pack before it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackSummary {
    pub bytes: u64,
    pub objects: u64,
    /// The length of every chunk but the last.
    pub chunk_bytes: u64,
    /// The BLAKE3 hash of each chunk.
    pub chunks: Vec<String>,
}

impl Manifest {
    /// The manifest as JSON in one line.
    pub fn render(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and lists only")
    }

    /// The longest manifest that is read.
    pub const LONGEST: usize = 8 << 20;

    /// `None` if it is no manifest of this version.
    pub fn parse(text: &str) -> Option<Self> {
        if Self::LONGEST < text.len() {
            return None;
        }
        let manifest: Self = serde_json::from_str(text).ok()?;
        let fits = manifest.version == VERSION && manifest.state.version == VERSION;
        fits.then_some(manifest)
    }
}
