//! What a tool states about itself: how far it is supported, what its records mean, what steers it,
//! and how two branches of its sessions are joined.

use super::found::ReadSeek;
use crate::formats::fields::OwnFields;
use crate::formats::steering::{Edit, Steer};
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{self, MessageReader};
use crate::session::{DocName, SessionId, ToolId};
use serde::{Deserialize, Serialize};
use std::path::Path;

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
