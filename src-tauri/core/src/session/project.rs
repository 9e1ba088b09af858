//! A codebase as its author's device knows it.

use super::ProjectKey;
use serde::{Deserialize, Serialize};

/// Travels in the journal; `projects` makes it and finds its place on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub key: ProjectKey,
    /// What people call it: the directory's name, the repository's.
    #[serde(default)]
    pub names: Vec<String>,
    /// The first commit of its history: recognises forks and renamed remotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_commit: Option<String>,
}
