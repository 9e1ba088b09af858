//! Everything that can happen to the engine, on one screen.

use super::code::event::CodeEvent;
use super::listed::ListedStore;
use super::places_seen::{Checked, Searched};
use super::queue::ReconcileRequest;
use super::walked::Walk;
use crate::api::answer::Reply;
use crate::api::types::{ApiError, Request};
use crate::merge::device_list::Heads;
use crate::reconcile::erase::Erasure;
use crate::reconcile::{Effects, Job};
use crate::session::{DeviceId, Millis, Problem, SessionKey, ToolId};
use crate::syncthing::Notice;
use crate::tools::ConflictCopy;
use crate::tools::seek::Sought;
use crate::views::indexing::SearchEvent;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Events say "look here"; they carry no truth. A lost, doubled or self-made event does no harm.
pub enum Event {
    /// Files in the tools' stores changed.
    Touched(Vec<PathBuf>),
    /// File events were lost: scan every store.
    ScanAll,
    /// The time for a poll has come.
    Poll,
    /// A read or write that failed a moment ago may succeed now.
    Retry,
    /// Watching has a problem, or the problem is over.
    Watch(Option<Problem>),
    Transport(Notice),
    /// A worker has finished.
    Reconciled(Box<Effects>),
    /// A forgotten session was removed from this device, as far as possible.
    Erased(Box<Erasure>),
    /// The search for checkouts has finished.
    Searched(Box<Searched>),
    /// The disk was checked for the projects' directories.
    PlacesChecked(Box<Checked>),
    /// A tool's store was listed.
    Listed(Box<ListedStore>),
    /// The vault was walked, or is taken over further.
    VaultWalked(Box<Walk>),
    /// The search for stores has finished: the stores found, by tool.
    StoresFound(BTreeMap<ToolId, Vec<Sought>>),
    /// An app deletes sessions.
    AppDeletes(Box<Deletion>),
    /// A state of a checkout is due, was recorded, applied or taken back.
    Code(Box<CodeEvent>),
    /// The disk was asked about a directory that the user gives a project.
    DirectorySeen(Box<DirectorySeen>, Reply),
    /// The stores were listed for conflict copies.
    CopiesFound(Vec<(ToolId, ConflictCopy)>),
    /// The frames of a device that the user puts out were counted.
    FramesCounted(Box<FramesCounted>, Reply),
    /// Work beside the loop panicked before it came to a result.
    WorkPanicked,
    /// A long answer was given.
    Answered,
    /// Work for an answer failed.
    Refused(ApiError, Reply),
    /// Work on the search index has ended.
    Search(Box<SearchEvent>),
    /// A worker panicked on this session; no result was kept. With what was wanted of it.
    Panicked(SessionKey, Box<ReconcileRequest>),
    Request(Request, Reply),
    Stop,
}

/// The events that work beside the loop comes to. Also a panic is one: the loop must not wait for ever
/// for a result.
pub fn events_of(work: Box<dyn FnOnce() -> Vec<Event> + Send>) -> Vec<Event> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| vec![Event::WorkPanicked])
}

/// Runs reconciles: on threads in the product, one after another in tests.
pub trait Jobs: Send {
    fn start(&self, job: Job);
    /// Runs work that only reads and delivers its own answer.
    fn spawn(&self, work: Box<dyn FnOnce() + Send>);
    /// Sends an event after a delay.
    fn after(&self, after: std::time::Duration, event: Event);
    /// Runs work whose results are events, all of them sent at its end ([`events_of`]).
    fn spawn_for_events(&self, work: Box<dyn FnOnce() -> Vec<Event> + Send>);
    /// Runs work whose result is an event.
    fn spawn_for_event(&self, work: Box<dyn FnOnce() -> Event + Send>) {
        self.spawn_for_events(Box::new(move || vec![work()]));
    }
}

/// A directory that the user gives a project, as it is on the disk.
pub struct DirectorySeen {
    /// The project as the user called it.
    pub(super) said: String,
    pub(super) dir: PathBuf,
    pub(super) is_there: bool,
    /// The key of the repository that it is a checkout of, if it has a remote.
    pub(super) remote: Option<String>,
    /// It is in a checkout that has the directory inside of which the user's text names.
    pub(super) has_inside: bool,
}

/// A device that the user puts out, with what this device accepted of its journals.
pub struct FramesCounted {
    pub(super) device: DeviceId,
    pub(super) name: String,
    pub(super) heads: Heads,
    pub(super) how: PutOut,
}

pub enum PutOut {
    /// Here only.
    Unpair,
    /// Everywhere.
    Revoke(Revocation),
}

pub struct Revocation {
    pub(super) since: Option<Millis>,
    /// Only what it would mean is answered.
    pub(super) dry: bool,
    /// How many frames of each journal count, if not all of them.
    pub(super) cut: Heads,
}

/// A deletion that an app wants: the loop hears of the sessions before they are gone.
pub struct Deletion {
    /// The session's id; `None` for a part of one.
    pub(super) id: Option<String>,
    pub(super) work: Box<dyn FnOnce() -> Event + Send>,
}
