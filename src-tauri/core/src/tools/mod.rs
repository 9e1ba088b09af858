//! The contract between the engine and a tool's store: seven methods, what a main doc may be called, and which
//! variable moves the store. Each tool is one folder in this one; nothing outside that folder says the tool's name.
//!
//! An adapter reads and writes; it decides nothing about merging, and it never sees the vault or Syncthing.

pub mod claude_code;
pub mod cline;
pub mod codex;
pub mod copilot_chat;
pub mod custom;
pub mod opencode;
pub mod other_system;
pub mod seek;
pub mod stores;

pub use crate::formats::patched::PatchedBytes;

pub use crate::formats::fields::with_those_of;
pub use crate::formats::files::{followed, is_foreign_name};
pub use crate::formats::running::{Apps, Running, SystemApps};
pub use crate::formats::steering::{Edit, Steer};

use crate::merge::snapshots::Judged;
use crate::merge::transcript::Reader;
use crate::opener;
use crate::session::{Base, DocKind, DocName, Millis, Problem, SessionId, ToolId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names without a dot in front that a tool obeys in a checkout, in small letters.
const OBEYED: [&str; 2] = opencode::OBEYED;

/// Where tools live on this machine: the environment as a value, so that tests and several homes are possible.
#[derive(Clone, Debug)]
pub struct Machine {
    pub home: PathBuf,
    pub vars: BTreeMap<String, String>,
    /// Which programs run; nothing runs on a machine made for a test.
    pub apps: Arc<dyn Apps>,
}

impl Machine {
    /// A machine on which nothing runs.
    pub fn at(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            vars: BTreeMap::new(),
            apps: Arc::new(Vec::new()),
        }
    }

    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// What the product does for a tool's sessions; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Listed, read, searched.
    See,
    /// Travels, is readable elsewhere.
    Carry,
    /// Opens and goes on in the tool.
    Resume,
    /// Splits are handled.
    Merge,
}

/// A tool's card.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    pub tool: ToolId,
    /// As the vendor writes it.
    pub name: String,
    pub level: Level,
    /// Why the level is below *merge*, or what to know; empty when there is nothing to say.
    pub reason: String,
    /// Versions the shapes were seen with, in words.
    pub versions: String,
    /// Names that never roam, at any depth, whatever another device says.
    #[serde(skip)]
    pub denied: &'static [&'static str],
    /// Whether a line of a log is part of the conversation. Lines that are not are what the tool notes by merely
    /// being opened or closed; when in doubt a line is.
    #[serde(skip)]
    pub is_message: fn(&[u8]) -> bool,
    /// The message in a record of the main doc, for showing it; `merge::transcript::said` where it is of the usual shapes.
    #[serde(skip)]
    pub said: Reader,
    /// The records of a main doc whose lines, or whose parts, say nothing each for itself: a log of changes to a
    /// document. `None`: each line of a log is a record, and a snapshot is a list of them or has one.
    #[serde(skip)]
    pub records: Option<Records>,
    /// Which fields of a doc are this device's own business: where its files lie, which directory it is bound to. The
    /// adapter writes its own values there; in the journals stays what was there first.
    #[serde(skip)]
    pub device_fields: fn(&DocName) -> &'static [&'static str],
    /// What may be made of two branches of a log, beyond keeping both as sessions of their own.
    #[serde(skip)]
    pub joins: Joins,
    /// What in a session steers the tool: what it may do, what it asks before, which model and programs it uses.
    #[serde(skip)]
    pub steering: Steering,
    /// Docs that lie where those of other sessions do, under a name that the records give. `None`: the tool has none.
    #[serde(skip)]
    pub shared: Option<SharedDocs>,
}

/// Docs whose place is not the session's alone: any session whose records have the name leads to them. A device lets one
/// session have such a doc, and another device's records give no right to it (`engine/shared_docs.rs`).
#[derive(Clone, Copy, Debug)]
pub struct SharedDocs {
    pub is_one: fn(&DocName) -> bool,
    /// Whether a line of the main doc names the doc.
    pub names: fn(&DocName, &[u8]) -> bool,
}

/// What in a session steers its tool. It is recorded and carried like everything else, and never applied where another
/// device wrote it: in a log it is renamed in the store ([`Steering::neutral`]) and put back on reading, in a document it
/// is one of [`About::device_fields`].
#[derive(Clone, Copy)]
pub struct Steering {
    /// What a line of a log, or the content of a document, sets. A line that is written in its neutral form sets nothing.
    pub sets: fn(&DocName, &[u8]) -> Vec<Steer>,
    /// Whether that gives no right which the tool would not have unasked: where another device changes no more than that, its
    /// lines are taken over without a question.
    pub usual: fn(&Steer) -> bool,
    /// How a line of a log is written in the store of a device that did not write it, with the session in `cwd` there.
    /// The length stays, because forks and databases refer to a place in a file by its offset. Without a directory
    /// everything that may be renamed is.
    pub neutral: fn(&DocName, &[u8], cwd: &Path) -> Vec<Edit>,
    /// Whether something in a part of a line may steer, whatever stands around that part: a cheap look, before a very long line is
    /// read whole. May say yes for nothing, never no for something.
    pub concerns: fn(&[u8]) -> bool,
    /// Which docs the tool may write into files of the user's, and when it may: given the main doc's content and the
    /// session's directory here, why another device's are not written. `None`: the tool has no such docs.
    pub restores: Option<Restores>,
    /// In words, for docs/tools.md: what of a session is recorded and not applied; and what cannot be known.
    pub words: &'static str,
}

/// Docs that a tool copies over the user's files.
#[derive(Clone, Copy)]
pub struct Restores {
    pub is_one: fn(&DocName) -> bool,
    pub refused: fn(main: &[u8], cwd: &Path) -> Option<String>,
}

impl Default for Steering {
    fn default() -> Self {
        Self {
            sets: |_, _| Vec::new(),
            usual: |_| false,
            neutral: |_, _, _| Vec::new(),
            concerns: |_| false,
            restores: None,
            words: "",
        }
    }
}

impl std::fmt::Debug for Steering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words)
    }
}

/// All records in the content of a doc.
pub type Records = fn(&[u8]) -> Vec<serde_json::Value>;

/// For [`About::device_fields`] of a tool whose content is the same everywhere; otherwise names of a document's outermost
/// fields, or JSON pointers.
pub fn no_device_fields(_: &DocName) -> &'static [&'static str] {
    &[]
}

/// What a tool's format allows on a split: pure functions over contents. `stitch` and `branches` give lines to be added,
/// never lines that replace others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Joins {
    /// A line that names a session, for the tool's own list; the session's id and the title. `None`: the tool knows
    /// no such line.
    pub title: Option<fn(&SessionId, &str) -> Vec<u8>>,
    /// The title that the main doc's lines give the session.
    pub named: Option<Named>,
    /// What a fork calls a doc whose name, and so its place, is not of its session alone; `None` for all others.
    pub in_fork: Option<fn(&str) -> Option<String>>,
    /// What to add behind `common` and `first` so that the model sees the turns of both, `second` after `first`.
    pub stitch: Option<Join>,
    /// What to add behind `common` and `first` so that one session holds both branches and goes on at the end of
    /// `second`.
    pub branches: Option<Join>,
    /// Which of two contents of a doc says all that the other one says. `None`: of JSON documents the one whose lists
    /// begin with those of the other, field by field ([`crate::merge::snapshots::judge`]); logs are told by their lines
    /// alone.
    pub judge: Option<Judge>,
    /// A content of the main doc that says all that two of them say, without doubt; it must come out the same whichever
    /// of them comes first. It is made without asking; `None`, or none for these two, makes two sessions of them.
    pub union: Option<Union>,
}

/// What two contents of a doc are to each other.
pub type Judge = fn(&DocName, &[u8], &[u8]) -> Judged;

/// One content that says all that two say.
pub type Union = fn(&[u8], &[u8]) -> Option<Vec<u8>>;

/// The title in the lines of a main doc.
pub type Named = fn(&[u8]) -> Option<String>;

/// Joins two branches, or says in words why it would not be sound.
pub type Join = fn(&Sides<'_>) -> Result<Vec<u8>, String>;

/// Two branches of a log, as whole raw lines.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// What both begin with.
    pub common: &'a [u8],
    pub first: &'a [u8],
    pub second: &'a [u8],
}

/// A directory to watch. `deep` watches everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    pub path: PathBuf,
    pub deep: bool,
    /// False for directories that only say what is live; sizes and "is the tool there?" ignore them.
    pub store: bool,
}

/// What a changed path concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    Session(SessionId),
    /// A sign of life of the tool: look again at which sessions are live.
    Liveness,
    /// Something structural (a directory appeared): look at everything.
    Everything,
    Nothing,
}

/// What to list.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// By stat alone. Docs that only a session's records lead to ([`SharedDocs`]) are listed when that session was listed as
    /// `One` before.
    All,
    One(&'a SessionId),
    /// No sessions, but the copies that another way of syncing left among them.
    ConflictCopies,
}

/// The sessions found in a store, by stat alone.
#[derive(Debug, Default)]
pub struct Listing {
    pub found: Vec<Found>,
    pub problems: Vec<Problem>,
    pub conflict_copies: Vec<ConflictCopy>,
    /// Further main docs of sessions that are found, in another place of the store: two files with one id. Each may hold
    /// words of its own; a problem `duplicate_session` names both.
    pub twins: Vec<Twin>,
    /// The store is of a shape that the adapter does not know, in words: "the table `session` has no column `id`". What
    /// can be read is listed; nothing is written until the adapter knows it.
    pub unknown: Option<String>,
}

/// Another file that claims to be a session's main doc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    pub session: SessionId,
    pub doc: FoundDoc,
}

/// A conflict copy of a session's doc. It is no doc: nothing reads it but a person, or `roam doctor --take-in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictCopy {
    pub session: SessionId,
    /// The doc it is a copy of.
    pub doc: DocName,
    pub kind: DocKind,
    /// It is a copy of the doc that makes the session.
    pub main: bool,
    /// Where that doc lies below the tool's root, whether it is there or not.
    pub at: String,
    pub path: PathBuf,
    pub stamp: Stamp,
    /// The session is open here, said as in [`Found::live`].
    pub live: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Found {
    pub session: SessionId,
    /// The main doc first.
    pub docs: Vec<FoundDoc>,
    /// Somebody has the session open here, said as "Claude Code has it open (process 4711)".
    pub live: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDoc {
    pub name: DocName,
    pub kind: DocKind,
    /// Where it lies below the tool's root, `/`-separated: a hint for placing it elsewhere.
    pub at: String,
    /// Its file; of a doc that is none (rows of a database) the file it is in.
    pub path: PathBuf,
    /// That of its file, and then its content is the file's. Of a doc that is no file of its own whatever changes when
    /// it does, which must not be the stamp of `path`.
    pub stamp: Stamp,
}

/// What `stat` says of a file: equal stamps mean "not touched". The change time and the inode notice a rewrite that
/// kept size and modification time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub len: u64,
    pub mtime_ns: i64,
    /// Unix change time; 0 where the system has none.
    pub ctime_ns: i64,
    /// Inode or file index; 0 where the system has none.
    pub inode: u64,
}

impl Stamp {
    /// That of the file itself; a symbolic link, a directory or a device is an error.
    pub fn of(path: &Path) -> io::Result<Self> {
        crate::formats::files::stamp(path)
    }
}

/// What the tool's own records say about a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The directory it belongs to on this device (the author's cwd).
    pub cwd: Option<String>,
    /// Other directories that the records name, the likelier first: where `cwd` is gone, one of them may tell the
    /// repository.
    #[serde(default)]
    pub also: Vec<String>,
    pub title: Option<String>,
    /// Last activity.
    pub updated: Option<Millis>,
    /// The tool's version that wrote last.
    pub version: Option<String>,
    /// Sessions that must be in the store for this one to open (a fork's parent).
    pub requires: Vec<SessionId>,
    /// What it is based on, where its file says so by id and offset.
    #[serde(default)]
    pub base: Option<Base>,
    /// What they say of the repository that it was last gone on with in.
    #[serde(default)]
    pub repository: Option<Repository>,
    /// The records do not name the directory yet and soon will. Until then nobody knows which project this is, and so
    /// not whether it may leave the device.
    #[serde(default)]
    pub early: bool,
}

/// What a tool notes about the repository in which a session runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its remote, as the tool noted it.
    #[serde(default)]
    pub url: Option<String>,
    pub branch: Option<String>,
    /// The whole hash.
    pub commit: Option<String>,
}

/// A doc's bytes, read in ranges.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// Where a doc's bytes are.
#[derive(Clone, Debug)]
pub enum Content {
    File(PathBuf),
    /// Made on the spot, by an export for instance.
    Bytes(Arc<[u8]>),
    /// A file in which some bytes stand in the place of others of the same length.
    Patched(PathBuf, Vec<Patch>),
}

/// Bytes at a fixed place that differ between what the tool has and what is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    pub at: u64,
    /// What is read there.
    pub shown: Vec<u8>,
    /// What is there in the file; if it is something else, nothing is changed.
    pub there: Vec<u8>,
}

impl Content {
    pub fn open(&self) -> io::Result<Box<dyn ReadSeek>> {
        match self {
            Self::File(path) => Ok(Box::new(opener::file(path)?)),
            Self::Bytes(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone()))),
            Self::Patched(path, patches) => Ok(Box::new(crate::formats::patched::Patched::open(
                path,
                patches.clone(),
            )?)),
        }
    }
}

/// A session read: what it says, and the bytes of each doc of `Found::docs`, in that order.
#[derive(Debug)]
pub struct Reading {
    pub facts: Facts,
    pub docs: Vec<Content>,
    /// Docs that hold copies of files with secrets: they stay on this device unless the user wants them carried.
    pub secret: Vec<DocName>,
    pub problems: Vec<Problem>,
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

/// A session to be brought into this device's store.
pub struct Checkout<'a> {
    pub session: &'a SessionId,
    /// The directory the session is bound to here; it exists.
    pub cwd: &'a Path,
    /// Last activity of the session: files never get an older modification time than the tool's sweep allows.
    pub updated: Millis,
    pub now: Millis,
    /// In the order to write: side docs first, the main doc last.
    pub docs: Vec<DocWrite<'a>>,
}

pub struct DocWrite<'a> {
    pub name: &'a DocName,
    /// The author's place of it, from `FoundDoc::at`.
    pub at: &'a str,
    pub change: Change<'a>,
}

pub enum Change<'a> {
    /// There must be no such doc in the store.
    Create(&'a dyn Bytes),
    /// The doc is at `path` and still what `was` says; `bytes` go to offset `was.len` (a torn last line behind
    /// `from` is cut only if it is a prefix of the bytes).
    Append {
        path: &'a Path,
        was: Stamp,
        from: u64,
        bytes: &'a dyn Bytes,
    },
    /// The doc is at `path` and still what `was` says; all of it becomes `bytes`.
    Replace {
        path: &'a Path,
        was: Stamp,
        bytes: &'a dyn Bytes,
    },
    /// The doc is at `path` and still what `was` says; it leaves the store. The user put the session away.
    Remove { path: &'a Path, was: Stamp },
}

impl Change<'_> {
    /// Where the doc is now; `None` for one that is still to be made.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Create(_) => None,
            Self::Append { path, .. } | Self::Replace { path, .. } | Self::Remove { path, .. } => {
                Some(path)
            }
        }
    }
}

impl<'a> Change<'a> {
    /// The document that is written, with what the file there says in these fields, or else these values (as JSON);
    /// `None` if nothing is written.
    pub fn with_own(
        &self,
        names: &[&str],
        neutral: &[&str],
    ) -> Result<Option<Vec<u8>>, WriteError> {
        let (there, new) = match self {
            Self::Create(new) => (None, *new),
            Self::Replace { path, bytes, .. } => (Some(*path), *bytes),
            Self::Append { .. } | Self::Remove { .. } => return Ok(None),
        };
        let mut bytes = Vec::new();
        let path = there.map(Path::to_path_buf).unwrap_or_default();
        new.write_to(&mut bytes)
            .map_err(|source| WriteError::Io { path, source })?;
        let values: Vec<_> = names.iter().copied().zip(neutral.iter().copied()).collect();
        let bytes = crate::formats::fields::with(&bytes, &values);
        let there = there.and_then(|path| opener::read(path, opener::MOST).ok());
        Ok(Some(there.map_or_else(
            || bytes.clone(),
            |there| with_those_of(&bytes, names, &there),
        )))
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

/// What was really written.
#[derive(Clone, Debug)]
pub struct Written {
    /// The stamp of a doc that was taken out is that of no file.
    pub docs: Vec<(DocName, PathBuf, Stamp)>,
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The session is open here; the text says by what.
    #[error("{0}")]
    Live(String),
    /// The store is no longer what the plan saw; look again.
    #[error("{} changed while it was being written", .0.display())]
    Changed(PathBuf),
    /// The doc ends in a line that was never finished, and what follows is not the rest of it.
    #[error("{} ends in an unfinished line that is not the beginning of what follows", .0.display())]
    Torn(PathBuf),
    /// The store does not take it, and looking again will not help.
    #[error("{0}")]
    Refused(String),
    #[error("could not write {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// What `resume` needs to know.
pub struct Resumable<'a> {
    pub session: &'a SessionId,
    pub cwd: &'a Path,
}

/// How to start a tool on a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    pub argv: Vec<String>,
    pub cwd: PathBuf,
    /// Variables to set.
    pub env: BTreeMap<String, String>,
    /// Variables to remove: those that would make the tool believe that it runs inside another one.
    #[serde(default)]
    pub unset: Vec<String>,
    /// Commands of the tool that must succeed first, each with its arguments.
    #[serde(default)]
    pub before: Vec<Vec<String>>,
}

/// A tool's store. Methods may be called from any thread, several at once.
pub trait Tool: Send + Sync {
    fn about(&self) -> About;

    /// The directories of its store, whether they exist yet or not.
    fn roots(&self, machine: &Machine) -> Vec<Root>;

    /// What a changed path concerns; may look at the path alone.
    fn touched(&self, machine: &Machine, path: &Path) -> Touched;

    /// Lists sessions by name and stat, and says which are live. Broken parts are problems, not errors.
    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing;

    /// Reads what the records say and opens the docs. An error means that nothing at all could be read.
    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading>;

    /// Writes as a guest: re-checks liveness and every doc's stamp, leaves other files alone, keeps one copy of an
    /// id. On an error before the main doc is written the session is as it was.
    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError>;

    /// The command that goes on with the session.
    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch;

    /// Whether a session's main doc may be called so. Another device says which doc that is, and may lie.
    fn is_main(&self, _doc: &DocName) -> bool {
        true
    }

    /// The variable that moves its store; `None` where there is none.
    fn moved(&self) -> Option<stores::Moved> {
        None
    }
}

/// The variables that move tools' stores, as they are set in this environment.
pub fn store_variables(var: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let moved = all(&[]).into_iter().filter_map(|tool| tool.moved());
    moved
        .filter_map(|moved| Some((moved.var.to_owned(), var(moved.var)?)))
        .collect()
}

/// The tools that are known, then those the user defined. A wrong definition is left out; `custom::CustomTool::new`
/// says what is wrong with it.
pub fn all(custom: &[custom::Definition]) -> Vec<Arc<dyn Tool>> {
    let mut tools: Vec<Arc<dyn Tool>> = vec![
        Arc::new(claude_code::ClaudeCode::default()),
        Arc::new(codex::Codex),
        Arc::new(cline::Cline),
        Arc::new(opencode::OpenCode::default()),
        Arc::new(copilot_chat::CopilotChat),
    ];
    for definition in custom {
        let taken = tools
            .iter()
            .any(|tool| tool.about().tool.as_str() == definition.id);
        match custom::CustomTool::new(definition.clone()) {
            Ok(tool) if !taken => tools.push(Arc::new(tool)),
            _ => {}
        }
    }
    tools
}

/// What is wrong with the user's definitions, to be told.
pub fn definition_problems(custom: &[custom::Definition]) -> Vec<Problem> {
    let hint = "Correct the [[custom]] section in config.toml.";
    let known = all(&[]);
    let mut seen: Vec<String> = known
        .iter()
        .map(|tool| tool.about().tool.as_str().to_owned())
        .collect();
    let mut problems = Vec::new();
    for definition in custom {
        if seen.contains(&definition.id) {
            let message = format!(
                "The id \"{}\" of a custom tool is taken already.",
                definition.id
            );
            problems.push(Problem::new("custom_tool", message, hint));
        } else if let Err(error) = custom::CustomTool::new(definition.clone()) {
            problems.push(Problem::new("custom_tool", format!("{error}."), hint));
        }
        seen.push(definition.id.clone());
    }
    problems
}
