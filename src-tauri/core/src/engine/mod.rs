//! One loop owns the state. Looking at a session reads, records, decides and writes, beside the loop.

pub mod admitting;
pub mod answers;
pub mod apply;
pub mod approval;
pub mod bases;
pub mod compare;
pub mod context;
pub mod devices;
pub mod doctor;
pub mod erase;
pub mod event;
pub mod export;
pub mod foreign;
pub mod forget;
pub mod forks;
pub mod heart;
pub mod ingest;
pub mod list;
pub mod look;
pub mod network;
pub mod observe;
pub mod origin;
pub mod pairing;
pub mod queue;
pub mod record;
pub mod recorder;
pub mod resolve;
pub mod resuming;
pub mod split;
mod steering;
pub mod stores;
pub mod takein;
pub mod transcript;

pub use context::{Clock, Context, Shared, SystemClock};
pub use look::{Job, Outcome, look};
pub use record::SessionRecord;
