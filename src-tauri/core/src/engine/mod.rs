//! One loop owns the state. Looking at a session reads, records, decides and writes, beside the loop.

pub mod answers;
pub mod apply;
pub mod bases;
pub mod compare;
pub mod context;
pub mod devices;
pub mod doctor;
pub mod event;
pub mod export;
pub mod foreign;
pub mod forks;
pub mod heart;
pub mod ingest;
pub mod look;
pub mod network;
pub mod observe;
pub mod pairing;
pub mod queue;
pub mod record;
pub mod recorder;
pub mod resolve;
pub mod resuming;
pub mod set_aside;
pub mod split;
pub mod stores;
pub mod takein;
pub mod transcript;

pub use context::{Clock, Context, Shared, SystemClock};
pub use look::{Job, Outcome, look};
pub use record::SessionRecord;
