//! Everything that can happen to the engine, on one screen.

use super::erase::Erasure;
use super::placing::{Checked, Searched};
use super::reconcile::Effects;
use super::reconcile::Job;
use crate::api::types::{ApiError, Request};
use crate::session::{Problem, ToolId};
use crate::syncthing::Notice;
use crate::tools::seek::Sought;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Events say "look here"; they carry no truth. A lost, doubled or self-made one does no harm.
pub enum Event {
    /// Files of tools' stores changed.
    Touched(Vec<PathBuf>),
    /// File events were lost: look at every store.
    ScanAll,
    /// Time has passed.
    Poll,
    /// What could not be read or written a moment ago may be possible now.
    Retry,
    /// Watching has a problem, or is over it.
    Watch(Option<Problem>),
    Transport(Notice),
    /// A worker is done.
    Reconciled(Box<Effects>),
    /// A forgotten session was removed from this device, as far as that was possible.
    Erased(Box<Erasure>),
    /// The search for checkouts is over.
    Searched(Box<Searched>),
    /// The disk was asked where projects are.
    PlacesChecked(Box<Checked>),
    /// The search for stores is over: what was found, by tool.
    StoresFound(BTreeMap<ToolId, Vec<Sought>>),
    /// A worker panicked on this session; nothing of it was kept.
    Panicked(crate::session::SessionKey),
    Request(Request, Reply),
    Stop,
}

/// Takes the answer to wherever the question came from.
pub type Reply = Box<dyn FnOnce(Result<serde_json::Value, ApiError>) + Send>;

/// Runs reconciles: on threads in the product, one after the other in tests.
pub trait Jobs: Send {
    fn start(&self, job: Job);
    /// Work that only reads and answers by itself.
    fn spawn(&self, work: Box<dyn FnOnce() + Send>);
    /// An event after a while.
    fn after(&self, after: std::time::Duration, event: Event);
    /// Work whose result is an event.
    fn spawn_for_event(&self, work: Box<dyn FnOnce() -> Event + Send>);
}
