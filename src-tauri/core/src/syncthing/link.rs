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
    /// The last arrangement that lets somebody receive less, until Syncthing has it.
    withdrawal: Option<u64>,
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
        self.wait_for_up(|_| true)
    }

    fn wait_for_up(&self, is_ready: impl Fn(&State) -> bool) -> Option<Arc<Up>> {
        let mut state = self.lock();
        while !state.ended && (state.up.is_none() || !is_ready(&state)) {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.up.clone()
    }

    /// Nothing more is sent until [`Link::arranged`] is told of this arrangement or a later one.
    pub fn withdraw(&self, arrangement: u64) {
        self.lock().withdrawal = Some(arrangement);
    }

    /// Syncthing has the arrangement with this number, and thereby all before it.
    pub fn arranged(&self, arrangement: u64) {
        let mut state = self.lock();
        if state.withdrawal.is_some_and(|last| last <= arrangement) {
            state.withdrawal = None;
            self.changed.notify_all();
            drop(state);
            self.tell(Notice::Withdrawn { arrangement });
        }
    }

    pub fn is_withdrawing(&self) -> bool {
        self.lock().withdrawal.is_some()
    }

    /// Waits until Syncthing is up and sends to nobody who may no longer receive; `None` when the
    /// transport has ended.
    pub fn wait_to_send(&self) -> Option<Arc<Up>> {
        self.wait_for_up(|state| state.withdrawal.is_none())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_withdrawal_lasts_until_it_or_a_later_arrangement_is_there() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let teller = Arc::clone(&told);
        let link = Link::new(move |notice| {
            teller
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(notice);
        });
        link.withdraw(2);
        link.arranged(1);
        assert!(link.is_withdrawing(), "this one was ordered before");
        link.withdraw(4);
        link.arranged(3);
        assert!(link.is_withdrawing(), "the last one counts");
        link.arranged(5);
        assert!(!link.is_withdrawing());
        link.arranged(6);
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*told, [Notice::Withdrawn { arrangement: 5 }]);
    }
}
