//! The engine of this home. One runs per home: the tray app starts it, or uses one that runs
//! already (a `roam run` in a terminal or a service). Both are asked over the control socket, so
//! there is one way to ask.

use serde_json::Value;
use session_roam_core::api::host::{self, StopHandle};
use session_roam_core::api::{ApiError, Request, socket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub struct Engine {
    home: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    /// Takes a moment; requests wait.
    Starting,
    Ours(StopHandle),
    /// Belongs to another program and outlives us.
    Theirs,
    Failed(ApiError),
    Ended,
}

impl Engine {
    pub fn start(home: PathBuf) -> Arc<Self> {
        let engine = Arc::new(Self {
            home,
            state: Mutex::new(State::Ended),
            changed: Condvar::new(),
        });
        engine.start_again();
        engine
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Starts the engine if none runs. Returns at once; the engine starts, runs and ends on a
    /// thread of its own.
    pub fn start_again(self: &Arc<Self>) {
        let mut state = self.lock();
        if matches!(*state, State::Starting | State::Ours(_)) {
            return;
        }
        *state = State::Starting;
        drop(state);
        let engine = self.clone();
        std::thread::spawn(move || engine.run());
    }

    fn run(&self) {
        let ended = match host::start(&self.home) {
            Ok(host) => {
                self.set(State::Ours(host.stop_handle()));
                match host.wait() {
                    Ok(()) => State::Ended,
                    Err(error) => State::Failed(error),
                }
            }
            Err(error) if error.code == "already_running" => State::Theirs,
            Err(error) => State::Failed(error),
        };
        self.set(ended);
    }

    pub fn ask(&self, request: &Request) -> Result<Value, ApiError> {
        match &*self.settled() {
            State::Failed(error) => return Err(error.clone()),
            State::Starting | State::Ours(_) | State::Theirs | State::Ended => {}
        }
        socket::call(&self.home, request)
    }

    /// The answer as a typed value; the window gets the raw answer.
    pub fn know<T: serde::de::DeserializeOwned>(&self, request: &Request) -> Result<T, ApiError> {
        serde_json::from_value(self.ask(request)?).map_err(|error| {
            let hint = "Is the engine that runs of the same version as this app?";
            ApiError::new(
                "internal",
                format!("The engine's answer is not understood: {error}."),
                hint,
            )
        })
    }

    /// Stops our own engine in good order and waits until it has ended.
    pub fn stop(&self) {
        if let State::Ours(handle) = &*self.settled() {
            handle.stop();
        }
        let mut state = self.lock();
        while matches!(*state, State::Ours(_)) {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// For settings that are read at the start. False if the engine is not ours to restart.
    pub fn restart(self: &Arc<Self>) -> bool {
        let ours = !matches!(*self.settled(), State::Theirs);
        if ours {
            self.stop();
            self.start_again();
        }
        ours
    }

    /// The state, once the start is over.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while matches!(*state, State::Starting) {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    fn set(&self, state: State) {
        *self.lock() = state;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
