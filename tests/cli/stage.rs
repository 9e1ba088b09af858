//! A home with an engine that gives canned answers and remembers the requests.

use serde_json::Value;
use session_roam_core::api::socket::{self, Server};
use session_roam_core::api::{ApiError, Request};
use std::sync::{Arc, Mutex};

pub struct Stage {
    pub home: tempfile::TempDir,
    asked: Arc<Mutex<Vec<Request>>>,
    server: Option<Server>,
}

impl Stage {
    pub fn without_engine() -> Self {
        Self {
            home: tempfile::tempdir().expect("a home"),
            asked: Arc::default(),
            server: None,
        }
    }

    pub fn with(
        answer: impl Fn(&Request) -> Result<Value, ApiError> + Send + Sync + 'static,
    ) -> Self {
        let mut stage = Self::without_engine();
        stage.start(answer);
        stage
    }

    /// Starts the engine.
    pub fn start(
        &mut self,
        answer: impl Fn(&Request) -> Result<Value, ApiError> + Send + Sync + 'static,
    ) {
        let asked = self.asked.clone();
        let handler = Arc::new(move |request: Request| {
            let answer = answer(&request);
            asked.lock().expect("asked").push(request);
            answer
        });
        self.server = Some(socket::serve(self.home.path(), handler).expect("a socket"));
    }

    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().expect("asked").clone()
    }
}
