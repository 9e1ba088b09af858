//! Something wrong that is reported while the engine continues.

use serde::{Deserialize, Serialize};

/// A problem in the user's words. Scripts and the window match on `code`; the texts may change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Problem {
    /// Stable, like `journal_changed`.
    pub code: String,
    /// A full sentence: what is wrong and where.
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
