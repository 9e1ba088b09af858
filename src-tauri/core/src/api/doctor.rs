//! What `roam doctor` finds and measured, and what becomes of conflict copies.

use crate::session::states::words;
use crate::timing::Figures;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

words! {
    /// Why something in a tool's store is not carried.
    #[derive(Default)]
    LeftOutReason {
        /// A link that is not followed.
        #[default]
        Link,
        /// A name that is not one of the tool's.
        Name,
        /// Not a regular file.
        Kind,
        /// Deeper than any tool keeps a session.
        TooDeep,
        Unreadable,
        /// A conflict copy of another way of syncing.
        Copy,
        /// A placeholder of a cloud's file that is not on this device.
        NotDownloaded,
        /// The last line of a log, without its end for a minute or more.
        Unfinished,
    }
}

/// A path in a tool's store that does not sync.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct LeftOut {
    pub tool: String,
    pub path: PathBuf,
    pub code: LeftOutReason,
    pub why: String,
}

/// A conflict copy in a tool's store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct CopyRow {
    pub tool: String,
    pub session: String,
    pub path: PathBuf,
    pub lines: u64,
    /// Lines that the session's own file does not have.
    pub new: u64,
    /// The session is open, by whom; the copy is not ingested meanwhile.
    pub open: Option<String>,
}

/// The result for the conflict copies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct TakenIn {
    pub taken: Vec<TakenRow>,
    pub left: Vec<LeftRow>,
}

/// An ingested copy: its lines are in the vault, and the copy was moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct TakenRow {
    pub tool: String,
    pub session: String,
    /// The old and the new path.
    pub path: PathBuf,
    pub to: PathBuf,
    /// Lines that were in no journal before.
    pub lines: u64,
}

/// A copy that stays in place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct LeftRow {
    pub tool: String,
    pub session: String,
    pub path: PathBuf,
    pub why: String,
}

/// How long the stages of the latest changes took on this device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Timing {
    /// The stages that changes passed since the engine started, in the order of their way.
    pub stages: Vec<StageTimes>,
}

/// Percentiles of the latest 512 passes of a stage, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct StageTimes {
    pub stage: String,
    /// What the time includes.
    pub meaning: String,
    /// How often the stage was passed since the engine started.
    pub count: u64,
    pub p50: u64,
    pub p95: u64,
    pub max: u64,
}

impl Timing {
    pub fn of(figures: &[Figures]) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let of = |figures: &Figures| StageTimes {
            stage: figures.stage.name().to_owned(),
            meaning: figures.stage.meaning().to_owned(),
            count: figures.count,
            p50: micros(figures.p50),
            p95: micros(figures.p95),
            max: micros(figures.max),
        };
        Self {
            stages: figures.iter().map(of).collect(),
        }
    }
}
