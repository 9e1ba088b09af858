//! A tool that shows another tool's sessions, but only those in a registry of its own. Its entries
//! never sync: each device makes them from the session itself. Knows no tool.

use super::{Machine, WriteError};
use crate::session::{Millis, SessionId, ToolId};
use std::path::Path;

/// Whether a registry may be written now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The tool is not installed here.
    Absent,
    Open,
    /// Why not yet, as one or more sentences.
    Waits(String),
}

/// A session to be entered into a registry.
pub struct Entry<'a> {
    pub session: &'a SessionId,
    /// The main doc in the store here.
    pub main: &'a Path,
    /// The session's directory here; the directory exists.
    pub cwd: &'a Path,
    pub title: Option<&'a str>,
    pub updated: Millis,
    pub now: Millis,
    /// The directory in the entry that was made here before.
    pub made_for: Option<&'a Path>,
}

/// How a session stands in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The tool is not installed here.
    Absent,
    /// Nothing in the session's records says that the tool ran it.
    NotIts,
    /// The entry names [`Entry::cwd`].
    Made,
    /// The entry is the tool's or the user's: one exists, was changed, or was removed. It is never
    /// made again.
    Settled,
    /// As in [`Access::Waits`].
    Waits(String),
}

/// Methods may be called from any thread, several at once.
pub trait Registry: Send + Sync {
    /// The tool whose sessions are listed.
    fn lists(&self) -> ToolId;

    /// The cost does not depend on the number of entries.
    fn access(&self, machine: &Machine) -> Access;

    fn n_entries(&self, machine: &Machine) -> u64;

    /// Enters a session, or has its entry follow the session to another directory. The cost does
    /// not depend on the number of entries, unless the tool itself has changed them. May be called
    /// again after a crash at any point.
    fn enter(&self, machine: &Machine, entry: &Entry<'_>) -> Result<Entered, WriteError>;

    /// Removes the entries of the session that `is_it` picks, which left the store.
    fn remove(
        &self,
        machine: &Machine,
        is_it: &dyn Fn(&SessionId) -> bool,
    ) -> Result<(), WriteError>;
}
