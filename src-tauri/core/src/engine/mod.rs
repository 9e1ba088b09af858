//! One loop owns the state: it schedules reconciles, answers requests and looks after devices. What
//! takes long is done beside it (`reconcile/`, `views/`) and comes back as an event.

pub mod admitting;
pub mod answers;
pub mod approval;
pub mod apps;
pub mod attempts;
mod code;
pub mod devices;
pub mod event;
pub mod event_loop;
pub mod forget;
mod fork_at;
mod import_copies;
pub mod importing;
pub mod list;
pub mod listed;
mod mapping;
mod names;
pub mod network;
pub mod pairing;
mod pausing;
mod placed_file;
pub mod places_seen;
pub mod placing;
mod preferences;
mod prints;
pub mod queue;
mod reconciled;
pub mod releases;
mod remedies;
pub mod resuming;
mod retries;
pub mod searching;
mod seen;
pub mod set_aside;
pub mod several;
mod start;
pub mod stores;
pub mod vault_walk;
pub mod walked;

use crate::api::answer::Reply;
use crate::api::types::{Held, SyncthingStatus, TakenIn};
use crate::reconcile::Context;
use crate::session::{Millis, Problem, SessionKey, ToolId};
use crate::settings::Settings;
use crate::state::State;
use crate::syncthing::Transport;
use crate::syncthing::proof::Secrets;
use crate::vault::card::Card;
use apps::Apps;
use code::CodeAlong;
use devices::{DeviceRegistry, PeerState};
use event::Jobs;
use event_loop::InHand;
use forget::Forgetting;
use importing::Importing;
use list::Lists;
use placing::Placing;
use prints::Prints;
use queue::Queue;
use retries::{JournalDir, Retries};
use searching::Searching;
use several::Remembered;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use stores::Listings;

/// The state that the loop owns. `event_loop.rs` has its one entrance; each other file with an `impl Engine` has what the
/// loop does about one subject.
pub struct Engine {
    home: PathBuf,
    settings: Settings,
    name: String,
    context: Arc<Context>,
    card: Card,
    state: State,
    transport: Box<dyn Transport>,
    jobs: Box<dyn Jobs>,
    registry: DeviceRegistry,
    peer_state: PeerState,
    lists: Lists,
    forgetting: Forgetting,
    queue: Queue,
    /// What the event that is being handled takes over: a panic would lose it.
    in_hand: Option<InHand>,
    /// What the state holds is loaded, and a start looks, or looked, for what changed meanwhile.
    is_awake: bool,
    /// What changed while the engine was off is being looked for: nothing is reconciled before.
    is_starting: bool,
    /// The fingerprint of each session's files at its last complete reconcile.
    seen: Prints,
    /// The state's numbers of complete sessions were found under the present conditions.
    is_seen_checked: bool,
    /// Sessions of the first import whose record is in the state and not committed yet, with their
    /// journals.
    gathered: Vec<(SessionKey, BTreeSet<JournalDir>)>,
    retries: Retries,
    /// Sessions open on this device.
    open_sessions: BTreeMap<SessionKey, String>,
    vanished: BTreeMap<ToolId, BTreeSet<SessionKey>>,
    /// The stores of tools that may have several, as last found.
    known_stores: Remembered,
    /// Stores that are gone and hold sessions, as of the last time that places for stores ran out.
    dead_stores: BTreeMap<ToolId, Vec<PathBuf>>,
    /// The former paths of sessions that are missing from the stores.
    missing_paths: HashMap<SessionKey, Option<PathBuf>>,
    syncthing: SyncthingStatus,
    incoming: u64,
    /// Problems by topic, at most one per topic.
    problems: BTreeMap<String, Problem>,
    /// Second files of sessions, as they were when their session was last scheduled.
    twins: HashMap<PathBuf, crate::tools::Stamp>,
    held: BTreeMap<String, Held>,
    import: Import,
    /// Reconciles and long answers that ended since memory was last returned to the system.
    n_worked: usize,
    /// Milliseconds of the last full scan that found no change, including all its parts.
    cycle_ms: f64,
    listings: Listings,
    /// Where to search for projects, and what is known of their directories.
    placing: Placing,
    published: Option<crate::vault::presence::Presence>,
    /// The last arrangement that withdrew access from a device, until the transport confirms it.
    withdrawal: Option<u64>,
    published_at: Option<Instant>,
    /// Conflict copies are being imported; the answer waits for all their sessions.
    taking_in: Option<TakingIn>,
    /// The last import of conversations, until the user has seen how it ended.
    importing: Option<Importing>,
    /// The store for apps.
    apps: Apps,
    /// States of checkouts that are recorded and applied.
    code: CodeAlong,
    leaving: BTreeSet<crate::session::DeviceId>,
    /// What was accepted, by short id, of devices whose frames are counted beside the loop.
    counting: BTreeMap<String, crate::merge::device_list::Heads>,
    /// The secrets of codes that this device showed.
    secrets: Secrets,
    /// When the last comparisons of digits began.
    comparisons: Vec<Millis>,
    /// The name under which this device is announced.
    announced_name: Option<String>,
    /// Who waits for a decision to be carried out, by number.
    replies: HashMap<u64, (SessionKey, Reply)>,
    next_reply: u64,
    /// For each session whose beginning is in others, those sessions, as last seen.
    parents_by_session: HashMap<SessionKey, Vec<String>>,
    searching: Searching,
    /// When a pause ends by itself.
    paused_until: Option<Millis>,
    is_stopping: bool,
}

/// Conflict copies that are being imported.
pub struct TakingIn {
    /// `None` while the stores are being listed.
    pub waiting: Option<BTreeSet<SessionKey>>,
    pub done: TakenIn,
    pub reply: Reply,
}

/// The progress of the first import.
#[derive(Debug, Default)]
pub struct Import {
    pub done: u64,
    pub total: u64,
    pub bytes: u64,
}

pub struct Parts {
    pub home: PathBuf,
    pub settings: Settings,
    pub name: String,
    pub context: Arc<Context>,
    pub card: Card,
    pub state: State,
    pub transport: Box<dyn Transport>,
    pub jobs: Box<dyn Jobs>,
    pub registry: DeviceRegistry,
}
