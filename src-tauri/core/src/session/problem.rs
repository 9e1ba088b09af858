//! Something wrong that is told while life goes on.

use serde::{Deserialize, Serialize};

/// A problem in the user's words. `code` is what scripts and the window match on; the texts may change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, like `journal_changed`.
    pub code: String,
    /// What is wrong and where, a full sentence.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl Problem {
    pub fn new(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            hint: hint.into(),
        }
    }
}
