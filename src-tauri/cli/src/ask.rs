//! Requests to the engine: one connection for all requests of a command, and answers that are
//! passed on unchanged.

use crate::out::Output;
use serde::de::DeserializeOwned;
use serde_json::Value;
use session_roam_core::api::socket::Client;
use session_roam_core::api::{ApiError, Done, Request};
use session_roam_core::session::ProblemCode;
use std::path::{Path, PathBuf};

/// The engine of a home; connects at the first request.
pub struct Engine {
    home: PathBuf,
    client: Option<Client>,
}

impl Engine {
    pub fn at(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            client: None,
        }
    }

    pub fn ask(&mut self, request: &Request) -> Result<Answer, ApiError> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(Client::connect(&self.home)?),
        };
        client.ask(request).map(Answer)
    }

    /// Sends a request whose answer only confirms that it is done.
    pub fn done(&mut self, request: &Request) -> Result<Output, ApiError> {
        self.ask(request)?.show(done)
    }
}

/// That something is done, with what the user can do next.
pub fn done(done: Done) -> String {
    format!("{}\n", crate::remedy::advice(&done.message, &done.actions))
}

/// The engine's answer. With `--json` it is printed unchanged, including fields this `roam` does
/// not know.
pub struct Answer(Value);

impl Answer {
    pub fn of(value: &impl serde::Serialize) -> Self {
        Self(serde_json::to_value(value).expect("the answers' types have text keys only"))
    }

    pub fn as_type<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        T::deserialize(&self.0).map_err(|error| {
            ApiError::new(
                ProblemCode::BadAnswer,
                format!(
                    "session-roam gave an answer that this program does not understand: {error}."
                ),
                "The two programs may be of different versions: restart session-roam.",
            )
        })
    }

    pub fn show<T: DeserializeOwned>(
        self,
        render: impl FnOnce(T) -> String,
    ) -> Result<Output, ApiError> {
        let text = render(self.as_type()?);
        Ok(Output::Text { json: self.0, text })
    }

    pub fn into_json(self) -> Value {
        self.0
    }
}
