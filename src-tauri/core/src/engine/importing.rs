//! One import of conversations, under way or ended. It runs on a thread of its own and shares two values with the
//! loop: how far it is, and how it ended.

use crate::api::types::{ApiError, ConversationImport};
use crate::session::problem::with_causes;
use crate::session::{ProblemCode, SessionId, SessionKey, ToolId, harmless_line};
use crate::tools::imported::progress::{Imported, Progress};
use crate::tools::imported::reading;
use crate::vault::Vault;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

type Ended = Arc<Mutex<Option<Result<Imported, ApiError>>>>;

/// An import of conversations and, once it has ended, its result.
pub struct Importing {
    /// The name of the first file or directory, and how many others there are.
    name: String,
    others: u64,
    progress: Arc<Progress>,
    ended: Ended,
}

impl Importing {
    /// An import of files and directories into session-roam's directory `data`, and the work that does it.
    pub fn new(paths: Vec<PathBuf>, data: PathBuf) -> (Self, impl FnOnce() + Send + 'static) {
        let first = paths.first().and_then(|path| path.file_name());
        let importing = Self {
            name: harmless_line(&first.unwrap_or_default().to_string_lossy()),
            others: paths.len().saturating_sub(1) as u64,
            progress: Arc::default(),
            ended: Arc::default(),
        };
        let (progress, ended) = (importing.progress.clone(), importing.ended.clone());
        let work = move || {
            let done = catch_unwind(AssertUnwindSafe(|| import(&paths, &data, &progress)));
            let done = done.unwrap_or_else(|_| {
                let message = "The import failed because of an internal error.";
                let hint =
                    "What was read before stays imported. Please report it with the log file.";
                Err(ApiError::new(ProblemCode::Internal, message, hint))
            });
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        };
        (importing, work)
    }

    pub fn is_running(&self) -> bool {
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }

    pub fn cancel(&self) {
        self.progress.cancel();
    }

    pub fn shown(&self) -> ConversationImport {
        let ended = self
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let (done, failed) = match ended {
            None => (None, None),
            Some(Ok(done)) => (Some(done), None),
            Some(Err(error)) => (None, Some(error)),
        };
        let seen = self.progress.seen();
        ConversationImport {
            name: self.name.clone(),
            others: self.others,
            conversations: seen.conversations,
            bytes: seen.bytes.min(seen.total),
            total: seen.total,
            done,
            failed,
        }
    }
}

fn import(paths: &[PathBuf], data: &Path, progress: &Progress) -> Result<Imported, ApiError> {
    let vault = Vault::at(data);
    let is_here = |tool: &ToolId, session: &SessionId| vault.holds(&SessionKey::new(tool, session));
    reading::import(paths, data, progress, &is_here)
        .map_err(|error| ApiError::new(error.code(), with_causes(&error), error.hint()))
}
