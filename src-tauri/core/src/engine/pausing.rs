//! A pause: nothing is sent, received or written until the user continues or its time is over, also
//! after a new start. What the user does meanwhile is recorded.

use super::Engine;
use crate::api::ApiError;
use crate::api::answer::{Answer, done};
use crate::session::{Millis, ProblemCode, Reason};
use crate::state::State;
use serde::{Deserialize, Serialize};

/// The state's note of a pause.
const NOTE: &str = "pause";

/// A pause as it is kept.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Pause {
    /// When it ends by itself.
    pub until: Option<Millis>,
}

/// The pause that was going on when the engine ended.
pub(super) fn kept(state: &State) -> Option<Pause> {
    state.note::<Option<Pause>>(NOTE).ok().flatten().flatten()
}

impl Engine {
    pub(super) fn pause(&mut self, until: Option<&str>) -> Answer {
        let until = match until.map(|until| (until, Millis::parse(until))) {
            None => None,
            Some((_, Some(end))) if self.context.clock.now() < end => Some(end),
            Some((until, _)) => {
                return Err(ApiError::new(
                    ProblemCode::BadTime,
                    format!(
                        "A pause cannot end at “{}”.",
                        crate::session::harmless_line(until)
                    ),
                    "Give a time in the future as RFC 3339, for instance 2026-11-23T18:00:00Z.",
                ));
            }
        };
        self.set_pause(Some(Pause { until }));
        done("Syncing is paused. Your changes are still recorded.")
    }

    pub(super) fn go_on(&mut self) -> Answer {
        self.set_pause(None);
        self.retry_everywhere(&[Reason::Paused]);
        done("Syncing continues.")
    }

    /// Ends a pause whose time is over.
    pub(super) fn end_pause(&mut self) {
        if self
            .paused_until
            .is_some_and(|end| end <= self.context.clock.now())
        {
            let _done = self.go_on();
        }
    }

    fn set_pause(&mut self, pause: Option<Pause>) {
        self.context.change().paused = pause.is_some();
        self.paused_until = pause.and_then(|pause| pause.until);
        self.guarded(|engine| engine.state.put_note(NOTE, &pause));
        self.arrange();
    }
}
