//! The answers about uncommitted changes that go along with sessions.

use crate::session::states::words;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which projects' changes go along, and how far that is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct CodeStatus {
    /// The switch of this device: without it nothing is recorded, whatever the projects say.
    pub on: bool,
    /// The projects that are switched on.
    pub projects: Vec<CodeRow>,
}

/// A project with uncommitted changes about which the user has not decided yet. `CodeSwitch` with
/// this project, on or off, is the answer; it is asked once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct CodeQuestion {
    pub project: String,
    /// How many files have changes that would go along now, and their bytes.
    pub files: u64,
    pub bytes: u64,
}

/// A project whose changes go along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct CodeRow {
    pub project: String,
    /// The sessions with recorded states, the latest first.
    pub sessions: Vec<CodeSession>,
    /// The space of these states in this device's folder.
    pub bytes: u64,
}

/// The last recorded state of a session's checkout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct CodeSession {
    pub session: String,
    pub title: String,
    /// When it was recorded, RFC 3339.
    pub at: String,
    /// Why the checkout was not recorded the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub refused: Option<String>,
    /// What stayed behind; 200 at most.
    pub left_out: Vec<CodeLeftOut>,
}

/// A file that stayed behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct CodeLeftOut {
    /// Bytes that cannot be shown are written `%XX`.
    pub path: String,
    /// In words that continue the path.
    pub why: String,
}

words! {
    /// What applying another device's code would mean here.
    #[derive(Default)]
    CodeState {
        /// No device recorded code for this session, or not for this moment.
        #[default]
        None,
        /// It has not arrived whole.
        Arriving,
        /// The checkout is in that state.
        Same,
        /// The checkout takes the state on.
        InPlace,
        /// A worktree beside the checkout gets the state.
        Worktree,
        /// Commits are missing here that a remote has.
        NeedsCommits,
        /// It cannot be applied.
        Refused,
    }
}

words! {
    /// How a file differs.
    CodeChange {
        Added,
        Changed,
        Deleted,
        /// Its permission alone.
        Permission,
        /// A file becomes a link or a submodule, or the reverse.
        Kind,
    }
}

/// The code of another device beside the checkout here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct CodeOffer {
    pub state: CodeState,
    /// What `CodeApply` wants to be named.
    pub snapshot: String,
    /// The name of the device that recorded it.
    pub device: String,
    /// When, RFC 3339.
    pub at: String,
    /// Whether that device wrote the session's last lines, too.
    pub is_last: bool,
    /// How many messages of the session came after it; that device recorded nothing new since.
    #[serde(default)]
    pub since: u64,
    /// The commit and the branch that were checked out there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub branch: Option<String>,
    /// The checkout, or the worktree that would be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub dir: Option<PathBuf>,
    /// Why it is not applied in the checkout itself, or not at all; a sentence.
    pub why: String,
    /// The files that would change; 500 at most.
    pub files: Vec<CodeFile>,
    pub n_files: u64,
    /// Commits that come along because this repository lacks them. What they changed is among the files.
    #[serde(default)]
    pub commits: u64,
    /// What stayed on that device; 200 at most.
    pub left_out: Vec<CodeLeftOut>,
}

/// A file that is not here what it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct CodeFile {
    /// What `CodeDiff` wants to be named. Bytes that cannot be shown are written `%XX`.
    pub path: String,
    /// The path for display: nothing in it hides or changes the reading direction.
    #[serde(default)]
    pub shown: String,
    pub change: CodeChange,
    /// Programs may obey it without being asked: a setting, a hook, a build script.
    pub obeyed: bool,
}

/// The difference of one file as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct CodeDiff {
    /// As `git diff` prints it.
    pub text: String,
    /// Whether there is more.
    pub cut: bool,
}

/// Code that was applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct CodeApplied {
    /// The session's directory with the code.
    pub dir: PathBuf,
    /// Whether it is a worktree that was made for it.
    pub worktree: bool,
    /// How many files changed.
    pub files: u64,
    pub message: String,
}
