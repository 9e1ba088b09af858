//! Decides what to do about a session, given the content of the tool's store on this device and of
//! the journals. Pure: takes values, returns values, and cannot fail.

pub mod choice;
pub mod device_list;
pub mod diff;
pub mod divide;
pub mod fork;
pub mod plan;
pub mod prefix;
pub mod settle;
pub mod snapshots;
pub mod title;
pub mod transcript;

pub use choice::{Action, Choice, ChoiceId, Chosen, Decided, Made, consequence};
pub use device_list::{Claims, DeviceList, Left, Receipt, Stated, Statement, Statements};
pub use divide::{Divided, First, Firsts, Fork, first_line_after, ways};
pub use fork::{fork_id, fork_title, renew, substitute, substituted};
pub use plan::{DocView, Guards, Obstacle, SessionView, Step, Verdict, branches, plan};
pub use settle::{DocEnds, Settled, Split, fork_targets, left_over, settle};
pub use title::{Title, Titled, Titles};

#[cfg(test)]
mod laws;
#[cfg(test)]
mod plan_rules;
