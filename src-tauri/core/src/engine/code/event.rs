//! The events that report to the loop what workers did with uncommitted changes, and the values that
//! loop and workers share: code that was applied, files that stayed behind, refusals.

use crate::api::answer::{Answer, Reply};
use crate::api::types::{ApiError, CodeApplied, CodeLeftOut};
use crate::session::problem::with_causes;
use crate::session::{Hlc, ProblemCode, Remedy, SessionId, SessionKey};
use serde::{Deserialize, Serialize};
use session_roam_code::{CodeError, LeftOut};
use std::path::PathBuf;
use std::time::Duration;

/// The most files that stayed behind and are named.
const MOST_LEFT_OUT: usize = 200;

pub enum CodeEvent {
    /// Some session may be at rest now.
    Due,
    Recorded {
        key: SessionKey,
        took: Duration,
        result: Result<Recorded, CodeError>,
    },
    Applied {
        applied: Box<Applied>,
        done: CodeApplied,
        reply: Reply,
    },
    /// A fork was written for a directory.
    Forked {
        dir: PathBuf,
        answer: Answer,
        reply: Reply,
    },
    Undone {
        applied: Box<Applied>,
        /// Why it is not possible any more, if it is not.
        result: Result<Option<ApiError>, ApiError>,
        reply: Reply,
    },
}

/// Code of another device that was applied here and was not taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    pub key: SessionKey,
    pub session: SessionId,
    pub title: String,
    /// The name of the device that recorded it.
    pub device: String,
    pub at: Hlc,
    pub snapshot: String,
    /// The checkout that was asked for, and the number of the undo record in it.
    pub root: PathBuf,
    pub number: u64,
    /// Where the code is: the checkout, or the worktree that was made.
    pub place: PathBuf,
    /// The session's directory before, if the session moves with the code.
    pub before: Option<PathBuf>,
}

impl Applied {
    pub fn is_worktree(&self) -> bool {
        self.place != self.root
    }
}

/// What was recorded.
pub struct Recorded {
    /// Files that were written or removed, in the lane's folder; none if the state is the last one.
    pub paths: Vec<String>,
    pub left_out: Vec<CodeLeftOut>,
}

pub(super) fn refused(error: &CodeError) -> ApiError {
    let text = with_causes(error);
    let end = if text.ends_with('.') { "" } else { "." };
    ApiError::new(
        ProblemCode::CodeRefused,
        format!("{text}{end}"),
        "Nothing was changed.",
    )
}

/// What stayed behind, in words.
pub(super) fn left_out(files: &[LeftOut]) -> Vec<CodeLeftOut> {
    let files = files.iter().take(MOST_LEFT_OUT);
    let row = |file: &LeftOut| CodeLeftOut {
        path: file.path.to_string(),
        why: file.reason.to_string(),
    };
    files.map(row).collect()
}

/// No retry helps; the user must do something in the checkout first.
pub(super) fn no_code(message: String) -> ApiError {
    ApiError::new(ProblemCode::NoCode, message, "").offer(Remedy::OpenSessions)
}
