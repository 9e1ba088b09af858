//! The terms of the product as types and pure functions: ids, chains of lines, projects, problems.
//! Touches no disk, clock, environment or network.

pub mod chain;
pub mod copies;
pub mod device_id;
pub mod gap;
pub mod harmless;
pub mod ids;
pub mod problem;
pub mod project;
pub mod records;
pub mod remedy;
pub mod states;
pub mod time;
pub mod trie;

pub use chain::{Chain, ChainId, LongLine};
pub use copies::copied_from;
pub use harmless::{harmless, harmless_json, harmless_line, visible};
pub use ids::{DeviceId, DocName, ProjectKey, SessionId, SessionKey, ToolId, composed};
pub use problem::{Problem, ProblemCode};
pub use project::Project;
pub use remedy::Remedy;
pub use states::{HistoryKind, Reason, Role, SessionState, SplitState, Tier};
pub use time::{Hlc, Millis};
pub use trie::{Edge, Line, LineSource, Replaced, Source, Spot, Trie};

use serde::{Deserialize, Serialize};

/// Maximum length of a device's name in characters.
pub const NAME_LENGTH: usize = 64;

/// A device's name as it may be shown and written into a title: a single line of limited length
/// without control characters. Names come unchecked from config files and from other devices.
pub fn decent_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let name: String = harmless_line(&plain).chars().take(NAME_LENGTH).collect();
    name.trim_end().to_owned()
}

/// The part of another session's file that a session refers to as its own beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkBase {
    pub session: SessionId,
    /// Byte offset in the main doc at which that session's id stands.
    #[serde(rename = "at")]
    pub offset: u64,
    /// How many bytes of the other session's main doc belong to this one.
    pub end: u64,
}

/// How a tool changes a doc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocKind {
    /// Lines that are only ever appended.
    Log,
    /// A file that is rewritten whole.
    Snapshot,
}

/// One of a device's folders: `live` for current changes, `bulk` for the first import, so that
/// history never delays live data in the queue, and `code` for states of checkouts, so that they
/// delay neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Named `live` on disk.
    #[serde(rename = "live")]
    Priority,
    Bulk,
    Code,
}

impl Lane {
    /// The lanes with journals.
    pub const WITH_JOURNALS: [Self; 2] = [Self::Priority, Self::Bulk];
    pub const ALL: [Self; 3] = [Self::Priority, Self::Bulk, Self::Code];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "live",
            Self::Bulk => "bulk",
            Self::Code => "code",
        }
    }
}
