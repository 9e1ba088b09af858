//! What every answer is made of: its JSON, the work that makes it beside the loop, and errors as answers.

use crate::api::types::{ApiError, Done};
use crate::session::problem::with_causes;
use crate::session::{ProblemCode, Reason, Remedy};
use crate::state::{Row, StateError};
use serde_json::Value;

pub type Answer = Result<Value, ApiError>;

/// Delivers the answer to whoever sent the request.
pub type Reply = Box<dyn FnOnce(Result<serde_json::Value, ApiError>) + Send>;

pub type Work = Box<dyn FnOnce() -> Answer + Send>;

pub fn value<T: serde::Serialize>(answer: T) -> Answer {
    serde_json::to_value(answer).map_err(|error| {
        ApiError::new(
            ProblemCode::Internal,
            error.to_string(),
            "Please report it with the log file.",
        )
        .offer(Remedy::OpenLogs)
    })
}

pub fn done(message: impl Into<String>) -> Answer {
    value(Done::new(message))
}

/// Whether a session is listed and counted: one that begins to arrive has no project yet.
pub fn is_listed(row: &Row) -> bool {
    row.reason != Some(Reason::Arriving) || !row.project.is_empty()
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        Self::new(
            ProblemCode::StateUnwritable,
            with_causes(&error),
            error.hint(),
        )
    }
}

pub fn settings_error(error: crate::settings::SettingsError) -> ApiError {
    ApiError::new(
        ProblemCode::Settings,
        with_causes(&error),
        "Fix config.toml and try again.",
    )
    .offer(Remedy::OpenSettings)
}

pub fn unreadable(error: &dyn std::error::Error) -> ApiError {
    ApiError::new(
        ProblemCode::Unreadable,
        with_causes(error),
        "Check the disk and the permissions of the vault folder.",
    )
}

pub fn no_part(message: u64, part: u64) -> ApiError {
    let text = format!("There is no part {part} in message {message}.");
    ApiError::new(
        ProblemCode::NoPart,
        text,
        "Messages and parts are numbered from 0.",
    )
}
