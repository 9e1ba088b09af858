//! What to do about a session, given what is in the tool's store here and what the journals say. Pure: values in,
//! values out, and it cannot fail.

pub mod diff;
pub mod plan;
pub mod transcript;

pub use plan::{DocView, Guards, LocalTip, SessionView, Step, Verdict, branches, plan};

#[cfg(test)]
mod laws;
#[cfg(test)]
mod plan_rules;
