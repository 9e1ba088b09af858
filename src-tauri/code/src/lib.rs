//! The state of a checkout, as it goes from one device to another: recorded as git objects without
//! touching the user's repository, packed, verified in a quarantine, compared, applied and undone.
//! It knows no session, journal, device or tool. See `docs/code-along.md`.

mod apply;
mod aside;
mod changed;
mod checkout;
mod commits;
mod compare;
mod files;
mod git;
mod kept_index;
mod measure;
mod names;
mod obeyed;
mod objects;
mod ours;
mod own;
mod pack;
mod record;
mod scratch;
mod secrets;
mod state;
mod status;
mod steps;
mod store;
mod survey;
mod undo;
mod undoing;
mod verify;
mod worktree;

pub use apply::{apply, apply_with};
pub use aside::{undo_setting_aside, undo_setting_aside_with};
pub use checkout::{Checkout, CodeError, Head};
pub use commits::record_for;
pub use compare::{ChangeKind, Comparison, FileChange, Plan, compare, diff_text};
pub use git::{Git, GitError};
pub use measure::PackLimits;
pub use names::{ObjectId, RepoPath};
pub use obeyed::is_obeyed_name;
pub use objects::Mode;
pub use pack::{Have, Packed, pack, pack_or_without_history};
pub use record::{Limits, Snapshot, parents, record, recorded};
pub use secrets::{is_secret_name, rules_version};
pub use state::{LeftOut, Manifest, Operation, OperationKind, PackSummary, Reason, Side, State};
pub use store::Store;
pub use survey::{Survey, survey};
pub use undo::{Recovered, Undo, expire, recover, undo, undo_with, undos};
pub use undoing::OnStep;
pub use verify::{Received, is_verified, receive};
