//! One session: what is in the tool's store and in the journals is read and recorded, what to do is
//! decided, and the store is written. Runs beside the loop, on what `Context` shares. `reconciler.rs`
//! has the order of the steps; each other file has one step or what the steps work on.

pub mod absorb;
pub mod apply;
pub mod away;
pub mod bases;
pub mod choices;
pub mod compared;
pub mod context;
pub mod cut;
pub mod erase;
pub mod excluded;
pub mod forks;
pub mod holders;
pub mod ingest;
pub mod observe;
pub mod origin;
pub mod prints;
pub mod reconciler;
pub mod record;
pub mod recorder;
pub mod republish;
pub mod resolve;
pub mod session;
pub mod shared_docs;
pub mod split;
pub mod steering;
pub mod takein;
pub mod twins;
pub mod withdrawals;
pub mod withdrawn;
pub mod woven;

pub use context::{Clock, Context, Shared, Sizes, SystemClock};
pub use reconciler::{Effects, Job, reconcile};
pub use record::SessionRecord;
