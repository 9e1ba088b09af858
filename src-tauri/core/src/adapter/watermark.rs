//! How far a listing read a store, so that a later one reads only what came after. Knows no tool.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// By file of the store, what its adapter needs to know. Kept in memory, never on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watermark(BTreeMap<PathBuf, Mark>);

/// How far a file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The numbers of the last rows read, one for each table.
    pub rows: Vec<i64>,
    /// Whatever else must still be so for `rows` to mean the same.
    pub unless: Vec<String>,
}

impl Watermark {
    /// The watermark of a store of one file.
    pub fn of(file: &Path, mark: Mark) -> Self {
        Self([(file.to_path_buf(), mark)].into())
    }

    /// `None`: the file was not listed.
    pub fn mark(&self, file: &Path) -> Option<&Mark> {
        self.0.get(file)
    }

    /// Takes over the marks of another store of the same tool.
    pub fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}
