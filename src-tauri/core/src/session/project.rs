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
    /// The first commit of its history: recognises a repository that has no remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_commit: Option<String>,
    /// All remotes of its author's checkout, where there are others beside that of the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remotes: Vec<String>,
    /// Its author's work tree: the path below home, else the whole path, `/`-separated. Chooses among several places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The branch that was checked out there. Chooses among several places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

impl Project {
    /// A project of which nothing but its key is known.
    pub fn new(key: ProjectKey) -> Self {
        Self {
            key,
            names: Vec::new(),
            root_commit: None,
            remotes: Vec::new(),
            at: None,
            branch: None,
        }
    }
}
