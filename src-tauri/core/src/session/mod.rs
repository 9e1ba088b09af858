//! The words of the product as types and pure functions: ids, chains of lines, projects, problems.
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
pub mod states;
pub mod time;
pub mod trie;

pub use chain::{Chain, ChainId, LongLine};
pub use copies::copied_from;
pub use harmless::{harmless, harmless_json, harmless_line};
pub use ids::{DeviceId, DocName, ProjectKey, SessionId, SessionKey, ToolId};
pub use problem::Problem;
pub use project::Project;
pub use states::{HistoryKind, Reason, SessionState, SplitState, Tier};
pub use time::{Hlc, Millis};
pub use trie::{Edge, Line, LineSource, Replaced, Source, Spot, Trie};

use serde::{Deserialize, Serialize};

/// Characters of a device's name.
pub const NAME_LENGTH: usize = 64;

/// A device's name as it may be shown and written into a title: one line without control characters, not too long.
/// Names come from config files and from other devices, so that nothing else has looked at them.
pub fn decent_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let name: String = harmless_line(&plain).chars().take(NAME_LENGTH).collect();
    name.trim_end().to_owned()
}

/// A session that holds no history of its own up to a point, but refers to another one's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    pub session: SessionId,
    /// Where in the main doc that session's id stands: a byte offset.
    pub at: u64,
    /// How many bytes of the other's main doc belong to it.
    pub end: u64,
}

/// How a doc changes in its tool's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocKind {
    /// Lines that are only ever appended.
    Log,
    /// A file that is rewritten whole.
    Snapshot,
}

/// Which of a device's two folders: `live` for what happens now, `bulk` for the first import, so that history never
/// stands before live data in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    Live,
    Bulk,
}

impl Lane {
    pub const BOTH: [Self; 2] = [Self::Live, Self::Bulk];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Bulk => "bulk",
        }
    }
}
