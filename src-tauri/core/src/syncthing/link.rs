//! Whether and how Syncthing can be reached right now, shared by the transport's threads. Knows
//! nothing of processes and nothing of the requests sent over the link.

use super::Notice;
use super::rest::Rest;
use crate::session::DeviceId;
use serde_json::Value;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A period in which Syncthing ran.
pub struct Up {
    pub rest: Rest,
    pub own: DeviceId,
    /// The config of the run's first moment; `None` if the config is the user's own.
    pub config: Option<Value>,
    /// Grows with every start.
    pub generation: u64,
}

pub struct Link {
    state: Mutex<State>,
    changed: Condvar,
    notify: Box<dyn Fn(Notice) + Send + Sync>,
}

#[derive(Default)]
struct State {
    up: Option<Arc<Up>>,
    generation: u64,
    ended: bool,
}

impl Link {
    pub fn new(notify: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            notify: Box::new(notify),
        }
    }

    /// Notifies the engine, unless the transport has ended.
    pub fn tell(&self, notice: Notice) {
        if !self.has_ended() {
            (self.notify)(notice);
        }
    }

    pub fn connect(&self, rest: Rest, own: DeviceId, config: Option<Value>) {
        let mut state = self.lock();
        state.generation += 1;
        state.up = Some(Arc::new(Up {
            rest,
            own,
            config,
            generation: state.generation,
        }));
        self.changed.notify_all();
    }

    pub fn disconnect(&self) {
        self.lock().up = None;
    }

    pub fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.up = None;
        self.changed.notify_all();
    }

    pub fn has_ended(&self) -> bool {
        self.lock().ended
    }

    pub fn up(&self) -> Option<Arc<Up>> {
        self.lock().up.clone()
    }

    pub fn is_current(&self, up: &Up) -> bool {
        self.lock()
            .up
            .as_ref()
            .is_some_and(|now| now.generation == up.generation)
    }

    /// Waits until Syncthing is up; `None` when the transport has ended.
    pub fn wait_up(&self) -> Option<Arc<Up>> {
        let mut state = self.lock();
        while !state.ended && state.up.is_none() {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.up.clone()
    }

    /// Sleeps, but no longer than until the transport ends.
    pub fn sleep(&self, time: Duration) {
        let state = self.lock();
        let _ = self
            .changed
            .wait_timeout_while(state, time, |state| !state.ended);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
