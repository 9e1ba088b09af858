//! The events that report to the loop what workers did with uncommitted changes, and the values that
//! loop and workers share: code that was applied, files that stayed behind, refusals.

use crate::api::answer::{Answer, Reply};
use crate::api::types::{ApiError, CodeApplied, CodeLeftOut, CodeQuestion};
use crate::session::problem::with_causes;
use crate::session::{Hlc, ProblemCode, Remedy, SessionId, SessionKey, harmless_line};
use serde::{Deserialize, Serialize};
use session_roam_code::{CodeError, GitError, LeftOut, Undo};
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
    /// A checkout was looked at for the question whether its changes go along.
    LookedAt {
        key: SessionKey,
        took: Duration,
        question: Option<CodeQuestion>,
    },
    Applied {
        applied: Box<Applied>,
        done: CodeApplied,
        reply: Reply,
    },
    /// What a killed engine left was looked at.
    Recovered(Left),
    /// Old undo records were removed.
    Expired(Expired),
    /// A fork was written for a directory.
    Forked {
        dir: PathBuf,
        answer: Answer,
        reply: Reply,
    },
    Undone {
        applied: Box<Applied>,
        result: Result<TakenBack, ApiError>,
        reply: Reply,
    },
    /// What was recorded of some sessions was removed: paths in the lane's folder, and those of the
    /// sessions of which the loop knew how their last recording ended.
    Removed {
        paths: Vec<String>,
        keys: Vec<SessionKey>,
        answer: Answer,
        reply: Reply,
    },
}

/// How taking applied code back ended.
pub enum TakenBack {
    Done,
    /// Done; what was changed since is kept here.
    Kept(PathBuf),
    /// It is not possible any more, for this reason.
    Gone(ApiError),
}

/// Code of another device that was applied here and was not taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    pub key: SessionKey,
    pub session: SessionId,
    pub title: String,
    /// The name of the device that recorded it, and its short id.
    pub device: String,
    #[serde(default)]
    pub short: String,
    /// How many files it changed.
    #[serde(default)]
    pub files: u64,
    pub at: Hlc,
    pub snapshot: String,
    /// The checkout that was asked for, and the number of the undo record in it.
    pub root: PathBuf,
    pub number: u64,
    /// Where the code is: the checkout, or the worktree that was made.
    pub place: PathBuf,
    /// The session's directory before, if the session moves with the code.
    pub before: Option<PathBuf>,
    /// The new session for which it was applied, if a session was forked with the code of a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<SessionKey>,
    /// Code of this session that was applied before can no longer be taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_first_kept: bool,
    /// Taking it back needs nothing of the session's store; not so for what older versions applied.
    #[serde(default)]
    pub needs_no_store: bool,
}

impl Applied {
    /// Whether both are of one undo record.
    pub fn is(&self, other: &Self) -> bool {
        self.root == other.root && self.number == other.number && self.snapshot == other.snapshot
    }

    /// Whether it was applied for this session, or for a fork that became this one.
    pub fn is_of(&self, key: &SessionKey) -> bool {
        self.key == *key || self.fork.as_ref() == Some(key)
    }

    pub fn is_worktree(&self) -> bool {
        self.place != self.root
    }
}

/// What a killed engine left behind.
#[derive(Default)]
pub struct Left {
    /// Applied whole, and not known to the state.
    pub applied: Vec<Applied>,
    /// Taken back whole, and still in the state; with the place of what was in the way.
    pub undone: Vec<(Applied, Option<PathBuf>)>,
    /// Being applied, never known to the state, and taken back just now; the same.
    pub taken_back: Vec<(Applied, Option<PathBuf>)>,
}

/// What was recorded.
pub struct Recorded {
    /// Files that were written or removed, in the lane's folder; none if the state is the last one.
    pub paths: Vec<String>,
    pub left_out: Vec<CodeLeftOut>,
}

pub(super) fn refused(error: &CodeError) -> ApiError {
    let text = with_causes(error);
    // A refusal is a sentence with its full stop already.
    let text = match text.strip_suffix("..") {
        Some(sentence) => format!("{sentence}."),
        None => text,
    };
    let text = match is_full(error) {
        true => format!("The disk is full: {text}"),
        false => text,
    };
    let hint = match error {
        CodeError::HalfDone(_) => "The next undo goes on with the rest.",
        // Git does not say why a file could not be written.
        CodeError::Git(GitError::Failed { said, .. }) if said.contains("unable to write file") => {
            "Nothing was changed. There may be no space left on the disk."
        }
        _ => "Nothing was changed.",
    };
    ApiError::new(ProblemCode::CodeRefused, text, hint)
}

/// Whether the same can succeed later although the user changes nothing in the checkout.
pub(super) fn may_succeed_later(error: &CodeError) -> bool {
    match error {
        CodeError::Busy(_) | CodeError::HalfDone(_) | CodeError::Git(_) | CodeError::Io { .. } => {
            true
        }
        CodeError::Refused(_) | CodeError::ChangedSince(_) => false,
    }
}

/// Git says it in words of its own.
fn is_full(error: &CodeError) -> bool {
    match error {
        CodeError::Io { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
        CodeError::Git(GitError::Failed { said, .. }) => said.contains("No space left on device"),
        CodeError::Git(GitError::Io(source)) => source.kind() == std::io::ErrorKind::StorageFull,
        _ => false,
    }
}

/// What stayed behind, in words.
pub(super) fn left_out(files: &[LeftOut]) -> Vec<CodeLeftOut> {
    let files = files.iter().take(MOST_LEFT_OUT);
    let row = |file: &LeftOut| CodeLeftOut {
        path: harmless_line(&file.path.to_string()),
        why: file.reason.to_string(),
    };
    files.map(row).collect()
}

/// No retry helps; the user must do something in the checkout first.
pub(super) fn no_code(message: String) -> ApiError {
    ApiError::new(ProblemCode::NoCode, message, "").offer(Remedy::OpenSessions)
}

/// What became of the records of undos whose time ended.
#[derive(Default)]
pub struct Expired {
    /// Can no longer be taken back.
    pub gone: Vec<Applied>,
    /// Checkouts that have records, or could not be looked at.
    pub roots: Vec<PathBuf>,
}

/// Whether an undo record is the one of what was applied: numbers are given again.
pub fn is_record_of(undo: &Undo, applied: &Applied) -> bool {
    undo.number == applied.number && undo.snapshot.as_str() == applied.snapshot
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::session::{Millis, ToolId};
    use std::io::{Error, ErrorKind};

    /// Code that was applied in place at a time in milliseconds.
    pub fn applied(session: &str, root: &str, number: u64, at: i64) -> Applied {
        let session = SessionId::new(session);
        let (wall, count) = (Millis(at), 0);
        Applied {
            key: SessionKey::new(&ToolId::new("custom"), &session),
            session,
            title: String::new(),
            device: "lap".into(),
            short: "LAPTOPX".into(),
            files: 1,
            at: Hlc { wall, count },
            snapshot: "0".repeat(40),
            root: root.into(),
            number,
            place: root.into(),
            before: None,
            fork: None,
            is_first_kept: false,
            needs_no_store: true,
        }
    }

    #[test]
    fn a_full_disk_and_a_half_of_an_undo_are_said_in_words() {
        let failed = |said: &str| {
            refused(&CodeError::Git(GitError::Failed {
                command: "checkout-index".into(),
                said: said.into(),
            }))
        };
        let full = refused(&CodeError::Io {
            path: "/a".into(),
            source: Error::from(ErrorKind::StorageFull),
        });
        assert!(
            full.message.starts_with("The disk is full: "),
            "{}",
            full.message
        );
        let full = failed("error: unable to write a: No space left on device");
        assert!(
            full.message.starts_with("The disk is full: "),
            "{}",
            full.message
        );
        assert!(
            failed("error: unable to write file a")
                .hint
                .contains("no space")
        );
        assert_eq!(failed("fatal").hint, "Nothing was changed.");
        let half = refused(&CodeError::HalfDone("It is taken back in part.".into()));
        assert!(!half.hint.contains("Nothing was changed"), "{}", half.hint);
    }
}
