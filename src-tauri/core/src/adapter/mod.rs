//! The contract between the engine and a tool's store: what a tool states about itself, what is found and read in its
//! store, what is written there and how a session is opened. Knows no tool.
//!
//! An adapter reads and writes. Merging is decided elsewhere, and an adapter never sees the vault
//! or Syncthing.

mod about;
mod change;
mod found;
mod launch;
mod made;
mod mcp;
pub mod patched;
mod registry;
mod stamp;
mod watermark;

pub use self::about::{
    About, Beginning, Join, Joins, Judge, Level, Named, OpenLines, Records, Restores, SharedDocs,
    Sides, Steering, Union, no_device_fields,
};
pub use self::change::{Bytes, Change, Checkout, DocWrite, WriteError, Written, path_in_json};
pub use self::found::{
    ConflictCopy, Content, Facts, Found, FoundDoc, Listing, Patch, ReadSeek, Reading, Repository,
    Twin, unknown_format,
};
pub use self::launch::{App, Launch, Opens};
pub use self::made::Made;
pub use self::mcp::McpConfig;
pub use self::patched::PatchedBytes;
pub use self::registry::{Access, Entered, Entry, Registry};
pub use self::stamp::Stamp;
pub use self::watermark::{Mark, Watermark};
use crate::formats::running::{Apps, Running};
use crate::session::{DocName, SessionId};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where tools live on this machine. The environment is a value, so tests can have several homes.
#[derive(Clone, Debug)]
pub struct Machine {
    pub home: PathBuf,
    /// Where session-roam keeps its own data; imported conversations lie there.
    pub data: PathBuf,
    pub vars: BTreeMap<String, String>,
    /// Reports the running programs. A machine made for a test runs none.
    pub apps: Arc<dyn Apps>,
}

impl Machine {
    /// A machine on which no program runs.
    pub fn at(home: impl Into<PathBuf>) -> Self {
        let home = home.into();
        Self {
            data: home.join(".session-roam"),
            home,
            vars: BTreeMap::new(),
            apps: Arc::new(Vec::new()),
        }
    }

    /// A variable of the environment; an empty one counts as not set.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Names a tool's program that runs: "Zed is running (process 4711)".
    pub fn running(&self, tool: &str, is_one: impl Fn(&Running) -> bool) -> Option<String> {
        let running = self.apps.running();
        let found = running.iter().find(|running| is_one(running))?;
        Some(format!("{tool} is running (process {})", found.pid))
    }
}

/// A directory to watch. `deep` includes everything below the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    pub path: PathBuf,
    pub deep: bool,
    /// False for directories that only show which sessions are live. Sizes and the check whether
    /// the tool is there ignore them.
    pub store: bool,
}

/// The part of a store that a changed path concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    Session(SessionId),
    /// A sign of life of the tool: ask for [`Tool::open_sessions`].
    OpenSessions,
    /// A change that may concern any session, such as a new directory or a write into a database
    /// of all sessions: ask for [`Tool::changes`].
    Everything,
    Nothing,
}

/// The part of a store to list.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// By stat alone. Docs found only through a session's records ([`SharedDocs`]) are listed if
    /// that session was listed as `One` before.
    All,
    One(&'a SessionId),
    /// No sessions, only the conflict copies that another sync tool left among them.
    ConflictCopies,
}

/// The input of `resume`.
pub struct Resumable<'a> {
    pub session: &'a SessionId,
    pub cwd: &'a Path,
}

/// A tool's store. Methods may be called from any thread, several at once.
pub trait Tool: Send + Sync {
    fn about(&self) -> About;

    /// Whether its sessions come here by an import alone: no program on a device keeps them.
    fn is_imported(&self) -> bool {
        false
    }

    /// How the content of a main doc that is a session in the open format becomes its lines. Such a
    /// session is exported as it came; the open format of all others is generated.
    fn open_format(&self) -> Option<OpenLines> {
        None
    }

    /// The directories of the store, whether they exist yet or not.
    fn roots(&self, machine: &Machine) -> Vec<Root>;

    /// The part of the store that a changed path concerns. May judge by the path alone.
    fn touched(&self, machine: &Machine, path: &Path) -> Touched;

    /// Lists sessions by name and stat, and which are live. Broken parts are problems, not errors.
    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing;

    /// Lists the sessions that changed since the listing with this watermark, at a cost that does not
    /// depend on the number of sessions. `None`: the store has to be listed whole, because the
    /// adapter cannot tell, or because something changed that concerns all of its sessions.
    ///
    /// Sessions that are gone need not be noticed: a whole listing finds them, and everything else
    /// that this one missed.
    fn changes(&self, _machine: &Machine, _since: &Watermark) -> Option<Listing> {
        None
    }

    /// Finds the sessions that are open here, and no others, at a cost that depends on their number
    /// alone. `None`: a listing is necessary.
    fn open_sessions(&self, _machine: &Machine) -> Option<Vec<Found>> {
        None
    }

    /// Reads the facts and opens the docs. An error means that nothing at all could be read.
    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading>;

    /// Writes as a guest: checks liveness and every doc's stamp again, leaves other files alone,
    /// and keeps one copy of an id. After an error before the main doc is written, the session is
    /// as before.
    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError>;

    /// Why parts of a session that is not in the store any more may still be there, in a sentence;
    /// `None` if nothing is left of it. Asked when such a session is forgotten.
    fn remains(
        &self,
        _machine: &Machine,
        _session: &SessionId,
    ) -> Result<Option<String>, WriteError> {
        Ok(None)
    }

    /// What opens the session in the tool.
    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch;

    /// Whether a main doc may have this name, which comes from another device and may be a lie.
    fn is_main(&self, _doc: &DocName) -> bool {
        true
    }

    /// The variable that moves the store; `None` if there is none.
    fn moved(&self) -> Option<Moved> {
        None
    }

    /// How the tool takes in a server of the Model Context Protocol, for all its projects; `None` if
    /// that is not known.
    fn mcp_config(&self) -> Option<McpConfig> {
        None
    }

    /// The list of another tool's sessions that this tool keeps; `None` if it keeps none. Such a
    /// tool has no sessions of its own.
    fn registry(&self) -> Option<&dyn Registry> {
        None
    }
}

/// The variable that moves a tool's store.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    pub var: &'static str,
    /// The directory used without the variable, below the home directory and `/`-separated.
    pub usual: &'static str,
    /// Names of which a store contains at least one.
    pub marks: &'static [&'static str],
}

impl Moved {
    /// The directory used without the variable, in this home.
    pub fn usual_in(&self, home: &Path) -> PathBuf {
        self.usual
            .split('/')
            .fold(home.to_path_buf(), |path, name| path.join(name))
    }

    /// Whether the directory contains one of the store's marks.
    pub fn is_store(&self, dir: &Path) -> bool {
        self.marks.iter().any(|mark| dir.join(mark).exists())
    }
}
