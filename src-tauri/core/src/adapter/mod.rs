//! The contract between the engine and a tool's store: what a tool states about itself, what is found and read in its
//! store, what is written there and how a session is opened. Knows no tool.
//!
//! An adapter reads and writes. Merging is decided elsewhere, and an adapter never sees the vault
//! or Syncthing.

mod launch;
mod made;
mod mcp;
pub mod patched;
mod registry;
mod stamp;
mod watermark;

pub use self::launch::{App, Launch, Opens};
pub use self::made::Made;
pub use self::mcp::McpConfig;
pub use self::patched::PatchedBytes;
pub use self::registry::{Access, Entered, Entry, Registry};
pub use self::stamp::Stamp;
pub use self::watermark::{Mark, Watermark};
use crate::formats::fields::{OwnFields, with_own, with_those_of};
use crate::formats::running::{Apps, Running};
use crate::formats::steering::{Edit, Steer};
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{self, MessageReader};
use crate::opener;
use crate::session::{DocKind, DocName, ForkBase, Millis, Problem, ProblemCode, SessionId, ToolId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, Write};
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

crate::session::states::words! {
    /// The support for a tool's sessions; each level includes those before it.
    #[derive(Default)]
    Level {
        /// Sessions are listed, read and searched.
        #[default]
        See,
        /// Sessions sync and can be read on other devices.
        Carry,
        /// Sessions sync, open in the tool on other devices and can be continued there.
        Resume,
        /// Splits are handled.
        Merge,
    }
}

impl Level {
    /// What the level means, in a sentence: the same words in the window, in `roam tools` and in docs/tools.md.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::See => "Its sessions are listed, read and searched, on this device only.",
            Self::Carry => "Its sessions sync and can be read on your other devices.",
            Self::Resume => {
                "Its sessions sync, open in the tool on your other devices and can be continued there."
            }
            Self::Merge => {
                "Its sessions continue in the tool on every device. If two devices continue one at the same time, both \
                 versions are kept and can be resolved."
            }
        }
    }
}

/// The description of a tool.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    pub tool: ToolId,
    /// The vendor's spelling.
    pub name: String,
    pub level: Level,
    /// The reason for a level below *merge*, or other advice. Empty if there is none.
    pub reason: String,
    /// The tool versions in which the formats were seen, as text.
    pub versions: String,
    /// Names that never sync, at any depth, whatever another device claims.
    #[serde(skip)]
    pub denied: &'static [&'static str],
    /// Whether a line of a log is part of the conversation. The other lines are notes that the tool
    /// makes merely on being opened or closed. A doubtful line counts as conversation.
    #[serde(skip)]
    pub is_message: fn(&[u8]) -> bool,
    /// Reads the message in a record of the main doc for display; `merge::transcript::said` for the
    /// usual formats.
    #[serde(skip)]
    pub read_message: MessageReader,
    /// The records of a main doc whose lines or parts mean nothing on their own, such as a log of
    /// changes to a document. `None`: each line of a log is a record, and a snapshot is or contains
    /// a list of them.
    #[serde(skip)]
    pub records: Option<Records>,
    /// The fields of a doc that concern this device alone, such as file locations and the bound
    /// directory. The adapter writes this device's values there; the journals keep the first
    /// recorded values.
    #[serde(skip)]
    pub device_fields: fn(&DocName) -> &'static [&'static str],
    /// The outermost fields of a document that the adapter knows, if a later version of the tool may
    /// have others that steer it: those are recorded, and each device keeps its own
    /// ([`fields::with_own`](crate::formats::fields::with_own)). `None`: all fields are the same everywhere.
    #[serde(skip)]
    pub known_fields: fn(&DocName) -> Option<&'static [&'static str]>,
    /// The ways to join two branches of a log, besides keeping both as separate sessions.
    #[serde(skip)]
    pub joins: Joins,
    /// The settings in a session that steer the tool: permissions, approvals, model and programs.
    #[serde(skip)]
    pub steering: Steering,
    /// Docs stored beside those of other sessions, under a name taken from the records. `None`: the
    /// tool has no such docs.
    #[serde(skip)]
    pub shared: Option<SharedDocs>,
}

/// Lines of JSON in one of the usual shapes, of which each may be a message, and nothing beyond them.
impl Default for About {
    fn default() -> Self {
        Self {
            tool: ToolId::new(""),
            name: String::new(),
            level: Level::See,
            reason: String::new(),
            versions: String::new(),
            denied: &[],
            is_message: |_| true,
            read_message: transcript::read_message,
            records: None,
            device_fields: no_device_fields,
            known_fields: |_| None,
            joins: Joins::default(),
            steering: Steering::NONE,
            shared: None,
        }
    }
}

impl About {
    /// The fields of a doc in which each device has its own values.
    pub fn own_fields(&self, doc: &DocName) -> OwnFields {
        OwnFields {
            named: (self.device_fields)(doc),
            known: (self.known_fields)(doc),
        }
    }
}

/// Docs whose place is shared: every session whose records contain the name refers to them. On a
/// device only one session owns such a doc, and another device's records give no right to the doc
/// (`reconcile/shared_docs.rs`).
#[derive(Clone, Copy, Debug)]
pub struct SharedDocs {
    pub is_one: fn(&DocName) -> bool,
    /// Whether a line of the main doc names the doc.
    pub names: fn(&DocName, &[u8]) -> bool,
}

/// The settings in a session that steer its tool. They are recorded and synced like everything
/// else, but never applied where another device wrote them. In a log, such a setting is renamed in
/// the store ([`Steering::neutral`]) and restored on reading; in a document it is one of
/// [`About::device_fields`].
#[derive(Clone, Copy)]
pub struct Steering {
    /// The settings in a line of a log or in the content of a document. A line in its neutral form
    /// sets nothing.
    pub sets: fn(&DocName, &[u8]) -> Vec<Steer>,
    /// Whether a setting grants no right that the tool does not already have by default. If another
    /// device changes only such settings, its lines are accepted without a question.
    pub usual: fn(&Steer) -> bool,
    /// The edits to a log line for the store of a device that did not write the line; `cwd` is the
    /// session's directory there. The length stays the same, because forks and databases refer to
    /// offsets in a file. Without a directory, everything that may be renamed is renamed.
    pub neutral: fn(&DocName, &[u8], cwd: &Path) -> Vec<Edit>,
    /// Whether a part of a line may steer, whatever surrounds that part: a cheap test before a very
    /// long line is read whole. False positives are allowed, false negatives are not.
    pub concerns: fn(&[u8]) -> bool,
    /// The docs that the tool may write into the user's files, and why those of another device are
    /// not written, given the main doc's content and the session's directory here. `None`: the tool
    /// has no such docs.
    pub restores: Option<Restores>,
    /// Text for docs/tools.md: which parts of a session are recorded but not applied, and what
    /// cannot be known.
    pub words: &'static str,
}

/// Docs that a tool copies over the user's files.
#[derive(Clone, Copy)]
pub struct Restores {
    pub is_one: fn(&DocName) -> bool,
    pub refused: fn(main: &[u8], cwd: &Path) -> Option<String>,
}

impl Steering {
    /// Nothing in a session steers.
    pub const NONE: Self = Self {
        sets: |_, _| Vec::new(),
        usual: |_| false,
        neutral: |_, _, _| Vec::new(),
        concerns: |_| false,
        restores: None,
        words: "",
    };
}

impl Default for Steering {
    fn default() -> Self {
        Self::NONE
    }
}

impl std::fmt::Debug for Steering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words)
    }
}

/// All records in the content of a doc.
pub type Records = fn(&[u8]) -> Vec<serde_json::Value>;
/// The lines of a session in the open format, from the content of its main doc.
pub type OpenLines = fn(&[u8]) -> Option<Vec<u8>>;

/// For [`About::device_fields`] of a tool whose content is the same on every device. Other tools
/// return names of outermost fields of a document, or JSON pointers.
pub fn no_device_fields(_: &DocName) -> &'static [&'static str] {
    &[]
}

/// The joins that a tool's format allows on a split: pure functions over contents. `stitch` and
/// `branches` return lines to be added, never lines that replace others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Joins {
    /// Makes the line that names a session in the tool's own list, from the session's id and the
    /// title. `None`: the tool has no such line.
    pub title: Option<fn(&SessionId, &str) -> Vec<u8>>,
    /// The session's title according to the lines of the main doc.
    pub named: Option<Named>,
    /// Whether a line belongs to the message before it, though it is no message: a log may hold each
    /// message twice. `None`: no line does.
    pub trails: Option<fn(&[u8]) -> bool>,
    /// The name of a doc in a fork, if the doc's name, and so its place, is not specific to its
    /// session. `None` for all other docs.
    pub in_fork: Option<fn(&str) -> Option<String>>,
    /// How a session whose main doc is a document begins anew with its first messages. `None`: only
    /// a log of lines does.
    pub beginning: Option<Beginning>,
    /// The lines to add after `common` and `first` so that the model sees the turns of both,
    /// `second` after `first`.
    pub stitch: Option<Join>,
    /// Every line of a log is an entry of its own, so `stitch` is applied to each log without a
    /// question, whatever the branches are.
    pub unasked: bool,
    /// The lines to add after `common` and `first` so that one session holds both branches and
    /// continues at the end of `second`.
    pub branches: Option<Join>,
    /// Decides which of two contents of a doc includes the other. `None`: of two JSON documents the
    /// one whose lists begin with those of the other, field by field
    /// ([`crate::merge::snapshots::judge`]); logs are compared by their lines alone.
    pub judge: Option<Judge>,
    /// A content of the main doc that includes both of two contents beyond doubt. The result must
    /// not depend on their order. The user is not asked. Without a function or a result, the two
    /// contents become two sessions.
    pub union: Option<Union>,
}

/// How the beginning of a document becomes a session of its own. Pure functions over contents.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    /// The main docs that have a beginning.
    pub docs: &'static [&'static str],
    /// The main doc with the first records that [`About::records`] reads, at least as many as
    /// given; more if they cannot be parted. `None` if the content is damaged or unknown.
    pub cut: fn(&[u8], usize) -> Option<Vec<u8>>,
    /// Whether a doc beside the main one is still true beside a beginning.
    pub keeps: fn(&DocName) -> bool,
    /// A doc with the title, if that doc has the session's title.
    pub titled: fn(&DocName, &[u8], &str) -> Option<Vec<u8>>,
    /// The ids in a beginning that the tool's store can hold only once, beside the session's own.
    pub ids: fn(&[u8]) -> Vec<String>,
}

/// How two contents of a doc relate to each other.
pub type Judge = fn(&DocName, &[u8], &[u8]) -> Judged;

/// One content that includes both of two contents.
pub type Union = fn(&[u8], &[u8]) -> Option<Vec<u8>>;

/// The title in the lines of a main doc.
pub type Named = fn(&mut dyn ReadSeek) -> Option<String>;

/// Joins two branches, or explains why a join would be unsound.
pub type Join = fn(&Sides<'_>) -> Result<Vec<u8>, String>;

/// Two branches of a log, as whole raw lines.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// The lines with which both begin.
    pub common: &'a [u8],
    pub first: &'a [u8],
    pub second: &'a [u8],
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

/// The sessions found in a store, by stat alone.
#[derive(Debug, Default)]
pub struct Listing {
    pub found: Vec<Found>,
    pub problems: Vec<Problem>,
    pub conflict_copies: Vec<ConflictCopy>,
    /// Further main docs with the id of a found session, in another place of the store. Each may
    /// hold messages of its own; a problem `duplicate_session` names both.
    pub twins: Vec<Twin>,
    /// Why the store is not read whole: its format is not known ("the table `session` has no column
    /// `id`"), or it cannot be read now. Everything readable is listed, nothing counts as gone, and
    /// nothing is written until the store is read whole.
    pub unknown: Option<String>,
    /// How far the store was read, for [`Tool::changes`]; `None` if the adapter has no such thing.
    pub watermark: Option<Watermark>,
}

impl Listing {
    /// The listings of two parts of a store. A session that is in both is that of the first.
    pub fn and_of(mut self, other: Self) -> Self {
        let is_new = |found: &Found| self.found.iter().all(|one| one.session != found.session);
        let new: Vec<Found> = other.found.into_iter().filter(is_new).collect();
        self.found.extend(new);
        self.problems.extend(other.problems);
        self.conflict_copies.extend(other.conflict_copies);
        self.twins.extend(other.twins);
        self.unknown = self.unknown.or(other.unknown);
        self
    }

    /// Keeps one of several sessions with an id, for stores in which only a copy made by hand has
    /// the id of another.
    pub fn keep_one_of_each(&mut self) {
        self.found
            .sort_by(|one, other| one.session.cmp(&other.session));
        self.found
            .dedup_by(|one, other| one.session == other.session);
    }

    /// Changes the places of all docs.
    pub fn map_places(&mut self, of: impl Fn(&str) -> String) {
        let found = self.found.iter_mut().flat_map(|found| &mut found.docs);
        let twins = self.twins.iter_mut().flat_map(|twin| &mut twin.docs);
        let docs = found.chain(twins).map(|doc| &mut doc.place);
        let copies = self.conflict_copies.iter_mut().map(|copy| &mut copy.place);
        docs.chain(copies).for_each(|at| *at = of(at));
    }
}

/// Another file that claims to be a session's main doc, with the docs that lie beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    pub session: SessionId,
    /// The main doc comes first.
    pub docs: Vec<FoundDoc>,
}

/// A conflict copy of a session's doc. It is not a doc: only a person or `roam doctor --take-in`
/// reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictCopy {
    pub session: SessionId,
    /// The doc of which this is a copy.
    pub doc: DocName,
    pub kind: DocKind,
    /// Whether that doc is the main doc of the session.
    pub main: bool,
    /// The place of that doc below the tool's root, whether the doc exists or not.
    pub place: String,
    pub path: PathBuf,
    pub stamp: Stamp,
    /// Set if the session is open here; worded as in [`Found::open_in`].
    pub open_in: Option<String>,
}

/// A session as a listing finds it: its docs by name and stat, nothing of their content.
#[derive(Clone, Debug)]
pub struct Found {
    pub session: SessionId,
    /// The main doc comes first.
    pub docs: Vec<FoundDoc>,
    /// Set if the session is open here: "Claude Code has it open (process 4711)".
    pub open_in: Option<String>,
}

impl Found {
    /// The main doc; an error if the adapter named none.
    pub fn main(&self) -> io::Result<&FoundDoc> {
        let main = self.docs.first();
        main.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The doc of this name.
    pub fn doc(&self, name: &str) -> Option<&FoundDoc> {
        self.docs.iter().find(|doc| doc.name.as_str() == name)
    }
}

/// A doc as a listing finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDoc {
    pub name: DocName,
    pub kind: DocKind,
    /// The doc's place below the tool's root, `/`-separated: a hint for placing the doc elsewhere.
    pub place: String,
    /// The doc's file. For rows of a database, the file that contains them.
    pub path: PathBuf,
    /// The stamp of the file, if the doc's content is the file's. For any other doc, a value that
    /// changes with the doc and must differ from the stamp of `path`.
    pub stamp: Stamp,
}

/// The facts about a session in the tool's own records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The session's directory on this device (the author's cwd).
    pub cwd: Option<String>,
    /// Other directories named in the records, the likelier first. If `cwd` is gone, one of them
    /// may identify the repository.
    #[serde(default)]
    pub also: Vec<String>,
    pub title: Option<String>,
    /// The title is a prompt, because the tool has no name of the session on this device. It does not
    /// take the place of another device's.
    #[serde(default)]
    pub prompted: bool,
    /// Last activity.
    pub updated: Option<Millis>,
    /// The version of the tool that wrote last.
    pub version: Option<String>,
    /// Sessions of the same tool that must be in the store before this one can open (a fork's
    /// parent). A tool that lists another tool's sessions is a [`Registry`] and has none of its own.
    pub requires: Vec<SessionId>,
    /// The session for which this one works as a sub-agent, if the tool keeps its log as a session
    /// that opens alone. It is listed and forgotten with that session.
    #[serde(default)]
    pub part_of: Option<SessionId>,
    /// The base of the session, if its file names the base by id and offset.
    #[serde(default)]
    pub base: Option<ForkBase>,
    /// The repository in which the session was last continued, according to the records.
    #[serde(default)]
    pub repository: Option<Repository>,
    /// The records do not name the directory yet, but soon will. Until then the project is unknown,
    /// and so is whether the session may leave the device.
    #[serde(default)]
    pub early: bool,
}

/// A tool's notes about the repository in which a session runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// The repository's remote, as noted by the tool.
    #[serde(default)]
    pub url: Option<String>,
    pub branch: Option<String>,
    /// The full hash.
    pub commit: Option<String>,
}

/// A doc's bytes, read in ranges.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// The location of a doc's bytes.
#[derive(Clone, Debug)]
pub enum Content {
    File(PathBuf),
    /// Made in memory, by an export for instance.
    Bytes(Made),
    /// A file in which some bytes are replaced by others of the same length.
    Patched(PathBuf, Vec<Patch>),
}

/// Bytes at a fixed place that differ between the tool's file and the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    pub offset: u64,
    /// The bytes that a reader sees.
    pub shown: Vec<u8>,
    /// The bytes in the file. If the file has others there, nothing is replaced.
    pub there: Vec<u8>,
}

impl Content {
    /// The content with these patches as well. Those whose bytes are not there are left out.
    pub fn patched(self, patches: Vec<Patch>) -> Self {
        match self {
            content if patches.is_empty() => content,
            Self::File(path) => Self::Patched(path, patches),
            Self::Patched(path, former) => {
                Self::Patched(path, former.into_iter().chain(patches).collect())
            }
            Self::Bytes(bytes) => {
                let mut bytes = bytes.into_vec();
                for patch in patches {
                    let start = usize::try_from(patch.offset).unwrap_or(usize::MAX);
                    let place = start
                        .checked_add(patch.there.len())
                        .and_then(|end| bytes.get_mut(start..end));
                    if let Some(place) = place.filter(|place| **place == *patch.there) {
                        place.copy_from_slice(&patch.shown);
                    }
                }
                Self::Bytes(bytes.into())
            }
        }
    }

    /// Opens the bytes for reading; links are not followed.
    pub fn open(&self) -> io::Result<Box<dyn ReadSeek>> {
        match self {
            Self::File(path) => Ok(Box::new(opener::file(path)?)),
            Self::Bytes(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone()))),
            Self::Patched(path, patches) => {
                Ok(Box::new(patched::Patched::open(path, patches.clone())?))
            }
        }
    }
}

/// A session as read: its facts, and the bytes of each doc of `Found::docs`, in that order.
#[derive(Debug, Default)]
pub struct Reading {
    pub facts: Facts,
    pub docs: Vec<Content>,
    /// Docs that hold copies of files with secrets. They stay on this device unless the user wants
    /// them synced.
    pub secret: Vec<DocName>,
    /// By doc, the bytes that stay on this device, and what is recorded in their place. Lines of a log
    /// that were recorded with them stay as they are: other devices have them.
    pub private: BTreeMap<DocName, Vec<Patch>>,
    pub problems: Vec<Problem>,
}

impl Reading {
    /// A session whose docs are files.
    pub fn of_files(found: &Found, facts: Facts) -> Self {
        let content = |doc: &FoundDoc| Content::File(doc.path.clone());
        Self {
            facts,
            docs: found.docs.iter().map(content).collect(),
            ..Self::default()
        }
    }
}

/// Reports a session that is read as far as possible, and not written.
pub fn unknown_format(tool: &str, session: &SessionId, why: &str) -> Problem {
    Problem::new(
        ProblemCode::UnknownShape,
        format!(
            "{tool}'s session {session} has an unknown format: {why}. It syncs, but is not written into the tool."
        ),
        format!("Please report it with the version of {tool}."),
    )
}

/// Bytes to be written, of any size.
pub trait Bytes {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()>;
}

impl Bytes for [u8] {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self)
    }
}

impl Bytes for Vec<u8> {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self)
    }
}

/// A session to be checked out into this device's store.
pub struct Checkout<'a> {
    pub session: &'a SessionId,
    /// The session's directory here; the directory exists.
    pub cwd: &'a Path,
    /// Last activity of the session. Files never get a modification time older than the tool's
    /// clean-up allows.
    pub updated: Millis,
    pub now: Millis,
    /// What is removed is forgotten: nothing of it may stay. A session that is removed otherwise moves
    /// or was put away, and comes back.
    pub forgets: bool,
    /// In writing order: side docs first, the main doc last.
    pub docs: Vec<DocWrite<'a>>,
}

/// What is to be done to one doc.
pub struct DocWrite<'a> {
    pub name: &'a DocName,
    /// The doc's place on the author's device, from `FoundDoc::place`.
    pub place: &'a str,
    pub change: Change<'a>,
}

/// A change of one doc, with what the plan saw there: if the doc is another one now, nothing is written.
pub enum Change<'a> {
    /// The doc must not exist in the store.
    Create(&'a dyn Bytes),
    /// The doc is at `path` and still matches `was`; `bytes` go to offset `was.len`. A torn last
    /// line after `from` is cut only if the bytes begin with it.
    Append {
        path: &'a Path,
        was: Stamp,
        from: u64,
        bytes: &'a dyn Bytes,
    },
    /// The doc is at `path` and still matches `was`; its whole content becomes `bytes`.
    Replace {
        path: &'a Path,
        was: Stamp,
        bytes: &'a dyn Bytes,
    },
    /// The doc is at `path` and still matches `was`; the doc is removed from the store, because the
    /// user put the session away.
    Remove { path: &'a Path, was: Stamp },
}

impl Change<'_> {
    /// The doc's present path; `None` for a doc that is yet to be created.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Create(_) => None,
            Self::Append { path, .. } | Self::Replace { path, .. } | Self::Remove { path, .. } => {
                Some(path)
            }
        }
    }
}

impl Change<'_> {
    /// The whole content that a doc gets; `None` if lines are appended or the doc is removed.
    pub fn content(&self) -> Result<Option<Vec<u8>>, WriteError> {
        let bytes = match self {
            Self::Create(bytes) | Self::Replace { bytes, .. } => *bytes,
            Self::Append { .. } | Self::Remove { .. } => return Ok(None),
        };
        let mut content = Vec::new();
        let path = || self.path().map(Path::to_path_buf).unwrap_or_default();
        let written = bytes.write_to(&mut content);
        written.map_err(|source| WriteError::Io {
            path: path(),
            source,
        })?;
        Ok(Some(content))
    }
}

impl<'a> Change<'a> {
    /// The document to write. The fields named as `own` take their values from the file there, or
    /// else the given `neutral` values (as JSON); of the fields that are not known, those of the file
    /// there are written and no others. `None` if no document is written. Refused if its fields
    /// cannot be read.
    pub fn with_own(
        &self,
        own: OwnFields,
        neutral: &[&str],
    ) -> Result<Option<Vec<u8>>, WriteError> {
        let Some(bytes) = self.content()? else {
            return Ok(None);
        };
        let refused = || {
            let why = "One of its documents cannot be read, and may set what only this device sets";
            WriteError::Refused(why.into())
        };
        let named = own.named.iter().copied();
        let values: Vec<_> = named.zip(neutral.iter().copied()).collect();
        let bytes = crate::formats::fields::with(&bytes, &values).ok_or_else(refused)?;
        let there = self
            .path()
            .and_then(|path| opener::read(path, opener::MOST).ok());
        let bytes = match own.known {
            Some(known) if bytes.trim_ascii_start().starts_with(b"{") => {
                let there = there.as_deref().unwrap_or_default();
                with_own(&bytes, there, |name| !known.contains(&name)).ok_or_else(refused)?
            }
            _ => bytes,
        };
        Ok(Some(match there {
            Some(there) => with_those_of(&bytes, own.named, &there),
            None => bytes,
        }))
    }

    /// The same change with other bytes.
    pub fn of(&self, bytes: Option<&'a Vec<u8>>) -> Change<'a> {
        match (self, bytes) {
            (Self::Create(_), Some(bytes)) => Change::Create(bytes),
            (Self::Replace { path, was, .. }, Some(bytes)) => Change::Replace {
                path,
                was: *was,
                bytes,
            },
            (Self::Create(bytes), None) => Change::Create(*bytes),
            (Self::Replace { path, was, bytes }, None) => Change::Replace {
                path,
                was: *was,
                bytes: *bytes,
            },
            (
                Self::Append {
                    path,
                    was,
                    from,
                    bytes,
                },
                _,
            ) => Change::Append {
                path,
                was: *was,
                from: *from,
                bytes: *bytes,
            },
            (Self::Remove { path, was }, _) => Change::Remove { path, was: *was },
        }
    }
}

/// The changes that were really made.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// For a removed doc, a stamp that no file has.
    pub docs: Vec<(DocName, PathBuf, Stamp)>,
    /// Why parts of a forgotten session may still be in the store, in a sentence.
    pub remains: Option<String>,
}

/// Why a session was not written. Nothing of it was changed, unless the main doc was already written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The session is open here; the text names the program.
    #[error("{0}")]
    Open(String),
    /// The store changed after the plan was made; scan again.
    #[error("{} changed while it was being written", .0.display())]
    Changed(PathBuf),
    /// The doc ends in an unfinished line, and the bytes to append do not begin with that line.
    #[error("{} ends in an unfinished line that is not the beginning of what follows", .0.display())]
    Torn(PathBuf),
    /// The store's directory does not exist: its disk may be absent.
    #[error("it belongs in {}, which was not found", .0.display())]
    Gone(PathBuf),
    /// The store rejects the write, and another scan will not help.
    #[error("{0}")]
    Refused(String),
    #[error("could not write {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl WriteError {
    /// A session in a form that must not get into the store.
    pub fn not_written(tool: &str, session: &SessionId, why: &str) -> Self {
        Self::Refused(format!("{tool}'s session {session} is not written: {why}"))
    }
}

/// A path as a JSON string for this tool.
pub fn path_in_json(path: &Path, tool: &str) -> Result<String, WriteError> {
    let text = path
        .to_str()
        .map(|text| serde_json::Value::from(text).to_string());
    text.ok_or_else(|| {
        let why = format!(
            "{} is not valid Unicode, which {tool} requires",
            path.display()
        );
        WriteError::Refused(why)
    })
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
