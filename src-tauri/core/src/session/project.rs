//! A codebase as known on the device of the session's author.

use super::ProjectKey;
use serde::{Deserialize, Serialize};

/// Recorded in the journal. `projects` creates it and finds its place on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub key: ProjectKey,
    /// The name people use: the directory's or the repository's.
    #[serde(default)]
    pub names: Vec<String>,
    /// The first commit of the history, which recognises a repository without a remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_commit: Option<String>,
    /// All remotes of the author's checkout, if there are others beside the one in the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remotes: Vec<String>,
    /// If the author's checkout has no remote that means the same on every device: the repository's name
    /// in another one, such as a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_remote: Option<String>,
    /// First remotes that the author's checkout had before the one in the key, while the session was
    /// in it; the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<String>,
    /// The author's work tree: the path below home, else the whole path, `/`-separated. Helps to
    /// choose among several places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The branch that was checked out there. Helps to choose among several places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

impl Project {
    /// A project of which only the key is known.
    pub fn new(key: ProjectKey) -> Self {
        Self {
            key,
            names: Vec::new(),
            root_commit: None,
            remotes: Vec::new(),
            local_remote: None,
            formerly: Vec::new(),
            at: None,
            branch: None,
        }
    }
}
