//! What an import reports: how far it is, what it did, why it could not begin. Its conversations are read
//! elsewhere.

use crate::session::ProblemCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The names in an archive or a directory that are looked at.
pub const MOST_NAMES: usize = 200_000;

/// How far an import is, read from any thread, and the wish that it end.
#[derive(Debug, Default)]
pub struct Progress {
    conversations: AtomicU64,
    bytes: AtomicU64,
    total: AtomicU64,
    is_cancelled: AtomicBool,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Conversations read so far.
    pub conversations: u64,
    /// Bytes read so far, unpacked, and how many there are.
    pub bytes: u64,
    pub total: u64,
}

impl Progress {
    pub fn seen(&self) -> Seen {
        Seen {
            conversations: self.conversations.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
        }
    }

    /// Ends the import after the conversation that is being read. What was imported stays.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn next(&self) {
        self.conversations.fetch_add(1, Ordering::Relaxed);
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Imported {
    /// How many conversations are new, by the tool's id.
    pub new: BTreeMap<String, u64>,
    /// How many got more messages.
    pub grown: BTreeMap<String, u64>,
    /// How many were there already.
    pub known: BTreeMap<String, u64>,
    /// What was left out; a long list has its beginning only.
    pub left_out: Vec<NotImported>,
    pub n_left_out: u64,
    /// The user ended it before all was read.
    pub is_cancelled: bool,
}

/// A conversation or a file that was not imported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct NotImported {
    pub name: String,
    pub why: String,
}

/// Why an import ended. What was read before stays imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{} cannot be read", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is no zip archive that can be read", .path.display())]
    Zip {
        path: PathBuf,
        #[source]
        source: zip::result::ZipError,
    },
    #[error("{} has neither conversations.json nor transcripts in Markdown", .0.display())]
    NoConversations(PathBuf),
    #[error("{what} cannot be read as a list of conversations: {why}")]
    Shape { what: String, why: String },
    #[error("{} is neither an export nor a text (.md, .txt)", .0.display())]
    NoText(PathBuf),
    #[error("{} is no session in the open format: line {line}: {why}", .path.display())]
    OpenFormat {
        path: PathBuf,
        line: usize,
        why: String,
    },
    #[error("{} is of a newer version of the open format ({format})", .path.display())]
    NewerOpenFormat { path: PathBuf, format: String },
    #[error("{} is larger than {} MiB", .path.display(), .most >> 20)]
    TooLarge { path: PathBuf, most: u64 },
    #[error("another import runs already")]
    Running,
    #[error("{} cannot be written", .path.display())]
    Data {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl ImportError {
    pub fn code(&self) -> ProblemCode {
        match self {
            Self::Running => ProblemCode::ImportRunning,
            Self::Data { .. } => ProblemCode::HomeUnusable,
            _ => ProblemCode::ImportUnreadable,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Running => "Wait until it ends, or cancel it.",
            Self::Data { .. } => "Free up disk space or fix the permissions, then import it again.",
            Self::Zip { .. } | Self::Shape { .. } => {
                "Download the export again. What was already imported stays."
            }
            Self::OpenFormat { .. } => {
                "Nothing of the file was imported. Get the file again, or export the session again where it is."
            }
            Self::NewerOpenFormat { .. } => {
                "Nothing of the file was imported. Update session-roam, then import it again."
            }
            Self::TooLarge { .. } => {
                "Nothing of the file was imported. Read the session where it is, or export its own records there \
                 (native) instead."
            }
            Self::Io { .. } | Self::NoConversations(_) | Self::NoText(_) => {
                "Give the zip as it was downloaded, its conversations.json, a Markdown transcript, or a directory \
                 with them."
            }
        }
    }
}
