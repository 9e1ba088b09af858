//! What the disk says about where projects are, asked beside the loop.

use crate::projects::Places;
use crate::session::{Project, ProjectKey};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// The result of a search for checkouts.
pub struct Searched {
    pub(super) before: Arc<Places>,
    pub(super) found: Places,
    pub(super) outline: u64,
    /// The projects that were searched for, and whether each has a directory now.
    pub(super) asked: Vec<(ProjectKey, bool)>,
}

/// What the disk shows of the projects' directories.
pub struct Checked {
    /// Of the projects that sessions wait for, those that have a directory now.
    pub(super) found: BTreeSet<ProjectKey>,
    /// The result for all others, if they were checked, too.
    pub(super) rest: Option<Rest>,
}

pub(super) struct Rest {
    pub(super) misplaced: BTreeSet<(ProjectKey, PathBuf)>,
    pub(super) outdated: BTreeSet<ProjectKey>,
    pub(super) n_trees: usize,
    /// Directories that are gone, with their projects, and whether another directory is known for
    /// each.
    pub(super) gone: Vec<(Project, PathBuf, bool)>,
}
