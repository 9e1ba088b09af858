//! Importing conversations on request: at most one import at a time, beside the loop. The status shows how far it is
//! and, until the user has seen it, what it did.

use super::*;
use crate::engine::importing::Importing;
use crate::session::ProblemCode;

impl Engine {
    pub(super) fn import(&mut self, paths: Vec<PathBuf>) -> Result<Value, ApiError> {
        if self.importing.as_ref().is_some_and(Importing::is_running) {
            return Err(ApiError::new(
                ProblemCode::ImportRunning,
                "Another import is already running.",
                "Wait until it ends, or cancel it.",
            ));
        }
        // The engine runs in a directory of its own.
        if paths.is_empty() || paths.iter().any(|path| !path.is_absolute()) {
            return Err(ApiError::new(
                ProblemCode::BadPath,
                "An import needs the whole paths of its files.",
                "Name the export's zip, or a directory.",
            ));
        }
        let (importing, work) = Importing::new(paths, self.context.machine.data.clone());
        self.importing = Some(importing);
        self.jobs.spawn(Box::new(work));
        done("The conversations are being imported.")
    }

    pub(super) fn cancel_import(&mut self) -> Result<Value, ApiError> {
        if let Some(importing) = &self.importing {
            importing.cancel();
        }
        done("The import ends. What was imported stays.")
    }

    /// The user has seen how the import ended. One that runs stays.
    pub(super) fn dismiss_import(&mut self) -> Result<Value, ApiError> {
        self.importing.take_if(|importing| !importing.is_running());
        done("Done.")
    }
}
