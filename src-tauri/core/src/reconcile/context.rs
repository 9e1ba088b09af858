//! The data that a reconcile needs besides the session: shared by the loop and its workers, changed
//! by the loop only.

use super::compared::Compared;
use super::holders::Holders;
use super::record::{Pinned, SessionRecord};
use super::withdrawals::Seen;
use crate::merge::device_list::Heads;
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{self, MessageReader};
use crate::projects::{self, Identifier, NoPlace, Places};
use crate::session::{
    ChainId, DeviceId, DocKind, DocName, Hlc, Millis, Project, ProjectKey, SessionKey, ToolId,
};
use crate::tools::stores::{Everywhere, Near, Whereabouts};
use crate::tools::{
    Checkout, Joins, Machine, OwnFields, Records, Steer, Tool, WriteError, Written,
};
use crate::vault::journal_reader::JournalReader;
use crate::vault::keys::DeviceKey;
use crate::vault::limits;
use crate::vault::message_index::Index;
use crate::vault::{Journal, Owner, SessionCard, Vault};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

/// The one place that reads the wall clock.
pub trait Clock: Send + Sync {
    fn now(&self) -> Millis;

    /// A clock that nobody sets.
    fn steady(&self) -> Instant {
        Instant::now()
    }
}

pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the clock of the product
    fn now(&self) -> Millis {
        Millis::from_system(std::time::SystemTime::now())
    }
}

pub struct Context {
    pub vault: Vault,
    pub device: DeviceId,
    pub short: String,
    pub key: DeviceKey,
    pub machine: Machine,
    pub tools: BTreeMap<ToolId, Arc<dyn Tool>>,
    /// The stores of the tools that may have several.
    pub stores: BTreeMap<ToolId, Arc<Everywhere>>,
    pub clock: Arc<dyn Clock>,
    pub sizes: Sizes,
    hlc: Mutex<Hlc>,
    pub identifier: Identifier,
    shared: RwLock<Shared>,
    compared: Mutex<Option<Arc<Compared>>>,
    refusals: Mutex<HashMap<[ChainId; 2], Refusals>>,
    judged: Mutex<HashMap<[ChainId; 2], Judged>>,
    transcripts: Mutex<Vec<Arc<Index>>>,
    /// When a comparison or a transcript was last shown, in milliseconds.
    shown_at: AtomicI64,
    withdrawals: Mutex<Seen>,
    holders: Mutex<Holders>,
}

/// The size limits of records on this device, and of what the loop does at once. Tests use other
/// values than the default.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// A larger record is recorded in pieces.
    pub whole: u64,
    pub piece: u64,
    /// A larger record does not sync: a line that states its size takes its place.
    pub record: u64,
    /// A larger snapshot does not sync.
    pub snapshot: u64,
    /// How many sessions one event takes over: some milliseconds of the loop.
    pub slice: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        // Quoted, a piece stays below 1 MiB: a version that does not know pieces skips them and
        // refuses larger content.
        Self {
            whole: limits::CONTENT,
            piece: 500_000,
            record: limits::RECORD,
            snapshot: limits::CONTENT,
            slice: 500,
        }
    }
}

/// Why two branches cannot be put one behind the other, and why one session cannot hold both;
/// `None` where that is possible.
pub type Refusals = [Option<String>; 2];

/// More splits than anybody opens in a day.
const MOST_REMEMBERED: usize = 256;

/// The present state of the user's decisions and the other devices' cards.
#[derive(Default)]
pub struct Shared {
    /// Devices whose card was verified, this one included, by short id.
    pub owners: BTreeMap<String, Owner>,
    pub names: BTreeMap<String, String>,
    /// By short id of revoked devices: how many frames of each journal are accepted, 0 for unlisted
    /// ones.
    pub limits: BTreeMap<String, Heads>,
    /// By short id of devices revoked since a time: how many frames of each journal count, 0 for
    /// unlisted ones.
    pub cuts: BTreeMap<String, Heads>,
    /// Former identities of this device, by short id, and until when their writes are its own.
    pub former: BTreeMap<String, Millis>,
    pub places: Arc<Places>,
    pub excluded: BTreeSet<ProjectKey>,
    pub tools_off: BTreeSet<ToolId>,
    /// Tools whose store lost many sessions at once.
    pub tools_held: BTreeSet<ToolId>,
    /// Sessions whose main doc is in a store here.
    pub here: BTreeSet<SessionKey>,
    pub paused: bool,
    /// In how many sessions at once another device may withdraw its own lines without a question.
    pub max_rewritten: usize,
    /// The user wants copies of files with secrets to sync, too.
    pub carry_secret_copies: bool,
}

/// A panic of one worker must not affect the others: a value behind a lock is replaced whole, never
/// half.
fn unpoisoned<T>(guard: Result<T, PoisonError<T>>) -> T {
    guard.unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub fn new(
        vault: Vault,
        device: DeviceId,
        key: DeviceKey,
        machine: Machine,
        tools: Vec<Arc<dyn Tool>>,
        clock: Arc<dyn Clock>,
        shared: Shared,
    ) -> Self {
        let mut tools: BTreeMap<ToolId, Arc<dyn Tool>> = tools
            .into_iter()
            .map(|tool| (tool.about().tool, tool))
            .collect();
        let everywhere =
            |tool: &Arc<dyn Tool>| Some(Everywhere::new(tool.clone(), tool.moved()?, &machine));
        let stores: BTreeMap<ToolId, Arc<Everywhere>> = tools
            .iter()
            .filter_map(|(id, tool)| Some((id.clone(), Arc::new(everywhere(tool)?))))
            .collect();
        tools.extend(
            stores
                .iter()
                .map(|(id, stores)| (id.clone(), stores.clone() as Arc<dyn Tool>)),
        );
        let short = device.short();
        Self {
            vault,
            short,
            device,
            key,
            machine,
            tools,
            stores,
            clock,
            sizes: Sizes::default(),
            hlc: Mutex::default(),
            identifier: Identifier::default(),
            shared: RwLock::new(shared),
            compared: Mutex::default(),
            refusals: Mutex::default(),
            judged: Mutex::default(),
            transcripts: Mutex::default(),
            shown_at: AtomicI64::default(),
            withdrawals: Mutex::default(),
            holders: Mutex::default(),
        }
    }

    pub fn shared(&self) -> RwLockReadGuard<'_, Shared> {
        unpoisoned(self.shared.read())
    }

    pub fn change(&self) -> RwLockWriteGuard<'_, Shared> {
        unpoisoned(self.shared.write())
    }

    /// The comparison that was shown last.
    pub fn compared(&self) -> MutexGuard<'_, Option<Arc<Compared>>> {
        self.note_shown();
        unpoisoned(self.compared.lock())
    }

    /// Why two branches, given by their ends, cannot be joined. `work` reads both branches whole,
    /// once: the ends determine the content.
    pub fn refusals<E>(
        &self,
        ends: [ChainId; 2],
        work: impl FnOnce() -> Result<Refusals, E>,
    ) -> Result<Refusals, E> {
        if let Some(known) = unpoisoned(self.refusals.lock()).get(&ends) {
            return Ok(known.clone());
        }
        let found = work()?;
        let mut all = unpoisoned(self.refusals.lock());
        if MOST_REMEMBERED <= all.len() {
            all.clear();
        }
        all.insert(ends, found.clone());
        Ok(found)
    }

    /// Indexes of the messages of the sessions that were read last.
    pub fn transcripts(&self) -> MutexGuard<'_, Vec<Arc<Index>>> {
        self.note_shown();
        unpoisoned(self.transcripts.lock())
    }

    fn note_shown(&self) {
        let now = self.clock.now().0;
        self.shown_at.store(now, Ordering::Relaxed);
    }

    /// Drops what is kept for the next page of a comparison or a transcript if nobody has asked for
    /// one for a while: it is as large as what it shows, and made again when somebody asks. Returns
    /// whether there was anything. What is at work now stays, and is not waited for.
    pub fn drop_unshown(&self) -> bool {
        const A_WHILE_MS: i64 = 5 * 60 * 1000;
        let since = self.shown_at.load(Ordering::Relaxed);
        if self.clock.now().0.abs_diff(since) < A_WHILE_MS.unsigned_abs() {
            return false;
        }
        let compared = self.compared.try_lock().ok().and_then(|mut it| it.take());
        let transcripts = self
            .transcripts
            .try_lock()
            .map(|mut it| std::mem::take(&mut *it));
        compared.is_some() || transcripts.is_ok_and(|them| !them.is_empty())
    }

    /// The withdrawals by other devices that this device has seen.
    pub fn withdrawals(&self) -> MutexGuard<'_, Seen> {
        unpoisoned(self.withdrawals.lock())
    }

    /// The sessions that have docs in places which many sessions share. A reconcile claims such a
    /// doc at once.
    pub fn holders(&self) -> MutexGuard<'_, Holders> {
        unpoisoned(self.holders.lock())
    }

    /// The directories of projects as now known. Query them without holding a lock: the answers
    /// come from the disk.
    pub fn places(&self) -> Arc<Places> {
        self.shared().places.clone()
    }

    /// The function that finds the message in a record of a tool's log.
    pub fn message_reader(&self, tool: &ToolId) -> MessageReader {
        self.tools
            .get(tool)
            .map_or(transcript::read_message, |tool| tool.about().read_message)
    }

    /// The function that finds the tool's settings in a line of a doc.
    pub fn sets(&self, tool: &ToolId) -> fn(&DocName, &[u8]) -> Vec<Steer> {
        self.tools
            .get(tool)
            .map_or(|_, _| Vec::new(), |tool| tool.about().steering.sets)
    }

    /// Distinguishes messages in a tool's logs from mere notes; all lines of an unknown tool count.
    pub fn is_message(&self, tool: &ToolId) -> fn(&[u8]) -> bool {
        self.tools
            .get(tool)
            .map_or(|_| true, |tool| tool.about().is_message)
    }

    /// The records of a doc whose lines or parts mean nothing alone: such a doc is always read
    /// whole.
    pub fn records(&self, tool: &ToolId, kind: DocKind) -> Option<Records> {
        let own = self.tools.get(tool).and_then(|tool| tool.about().records);
        own.or((kind == DocKind::Snapshot).then_some(transcript::records))
    }

    /// The fields of a doc that belong to this device only.
    pub fn own_fields(&self, tool: &ToolId, doc: &DocName) -> OwnFields {
        let none = OwnFields {
            named: &[],
            known: None,
        };
        let tool = self.tools.get(tool);
        tool.map_or(none, |tool| tool.about().own_fields(doc))
    }

    /// How two contents relate, by their ends. `work` reads both contents whole, once.
    pub fn judged<E>(
        &self,
        ends: [ChainId; 2],
        work: impl FnOnce() -> Result<Judged, E>,
    ) -> Result<Judged, E> {
        if let Some(known) = unpoisoned(self.judged.lock()).get(&ends) {
            return Ok(*known);
        }
        let found = work()?;
        let mut all = unpoisoned(self.judged.lock());
        if MOST_REMEMBERED <= all.len() {
            all.clear();
        }
        all.insert(ends, found);
        Ok(found)
    }

    /// How two branches of a tool's logs may be joined.
    pub fn joins(&self, tool: &ToolId) -> Joins {
        self.tools
            .get(tool)
            .map_or_else(Joins::default, |tool| tool.about().joins)
    }

    /// Reads a doc's lines back from a session's journals.
    pub fn journal_reader<'a>(
        &'a self,
        tool: &ToolId,
        journals: &'a BTreeMap<String, Journal>,
        doc: &'a DocName,
    ) -> JournalReader<'a> {
        JournalReader::new(&self.vault, journals, doc, self.is_message(tool))
    }

    /// The next stamp of this device.
    pub fn tick(&self) -> Hlc {
        let mut hlc = unpoisoned(self.hlc.lock());
        *hlc = hlc.tick(self.clock.now());
        *hlc
    }

    pub fn saw(&self, other: Hlc) {
        let mut hlc = unpoisoned(self.hlc.lock());
        *hlc = hlc.saw(other, self.clock.now());
    }

    /// Continues from an earlier stamp of this device, however far that is from the present time.
    pub fn go_on_from(&self, own: Hlc) {
        let mut hlc = unpoisoned(self.hlc.lock());
        *hlc = own.max(*hlc);
    }

    /// Whether the session began here, under whichever identity: this device recorded its first
    /// line from its own store. A branch of another session does not count, whoever recorded the
    /// branch: its first lines may be another device's.
    pub fn began(&self, record: &SessionRecord) -> bool {
        self.is_own(record) && record.origin().is_some_and(|card| card.fork.is_none())
    }

    /// Whether the beginning of a session with this main doc can be a session: in a log every line
    /// is a record, and of documents the tool's adapter knows it.
    pub fn forks(&self, tool: &ToolId, main: &DocName, kind: DocKind) -> bool {
        let Some(about) = self.tools.get(tool).map(|tool| tool.about()) else {
            return false;
        };
        match about.joins.beginning {
            Some(beginning) => beginning.docs.contains(&main.as_str()),
            None => kind == DocKind::Log && about.records.is_none(),
        }
    }

    /// Whether this device's own card defines the session.
    fn is_own(&self, record: &SessionRecord) -> bool {
        match &record.origin {
            Some(origin) => origin.here,
            None => record.cards.keys().all(|device| *device == self.short),
        }
    }

    /// The directory of this device that a session is for. A project name from another device finds
    /// only directories that this device already knows.
    pub fn place(&self, record: &SessionRecord) -> Result<PathBuf, NoPlace> {
        let card = record.origin().ok_or(NoPlace::Missing)?;
        let (home, places) = (&self.machine.home, self.places());
        if let Some(dir) = pinned(&places, card, record) {
            return Ok(dir);
        }
        // A branch has the project of the session it left, whoever recorded the branch.
        let is_own =
            self.is_own(record) && (card.fork.is_none() || places.began_in(&card.project.key));
        match is_own {
            true => places
                .find(home, &self.device, &card.project)
                .ok_or(NoPlace::Missing),
            false => places.find_for_other(home, &self.device, &card.project),
        }
    }

    /// Notes where the user wants a session, until the user maps its project to another directory.
    pub fn pin(&self, record: &mut SessionRecord, dir: PathBuf) {
        let card = record.origin();
        let mapped = card.and_then(|card| self.places().mapped_for(&card.project));
        record.pinned = Some(Pinned {
            dir,
            mapped,
            with_code: false,
        });
    }

    /// The same for a session that moves with its code.
    pub fn pin_with_code(&self, record: &mut SessionRecord, dir: PathBuf) {
        self.pin(record, dir);
        record
            .pinned
            .iter_mut()
            .for_each(|pinned| pinned.with_code = true);
    }

    /// Whether a session is where its code is, or moves there.
    pub fn is_with_code(&self, record: &SessionRecord) -> bool {
        let is_it = |pinned: &Pinned| pinned.with_code;
        let card = record.origin();
        record.pinned.as_ref().is_some_and(is_it)
            && card.is_some_and(|card| pinned(&self.places(), card, record).is_some())
    }

    /// Where a file lies among a tool's stores.
    pub fn whereabouts(&self, tool: &ToolId, path: &Path) -> Whereabouts {
        self.stores
            .get(tool)
            .map_or(Whereabouts::Used, |stores| stores.whereabouts(path))
    }

    /// Writes a session into its tool's store; one that is in none goes where what it belongs to is.
    pub fn write(
        &self,
        tool: &ToolId,
        checkout: &Checkout<'_>,
        near: &Near,
    ) -> Result<Written, WriteError> {
        match (self.stores.get(tool), self.tools.get(tool)) {
            (Some(stores), _) => stores.write_near(&self.machine, checkout, near),
            (None, Some(tool)) => tool.write(&self.machine, checkout),
            (None, None) => Ok(Written::default()),
        }
    }

    /// Whether the directory that the session was written for is not its project's, or no longer
    /// the best.
    pub fn is_misplaced(&self, record: &SessionRecord) -> bool {
        let (Some(card), Some(dir)) = (record.origin(), record.checkout_dir.as_ref()) else {
            return false;
        };
        if let Some(pinned) = pinned(&self.places(), card, record) {
            return pinned != *dir;
        }
        self.places()
            .is_misplaced(&self.machine.home, &self.device, &card.project, dir)
    }

    pub fn hlc(&self) -> Hlc {
        *unpoisoned(self.hlc.lock())
    }
}

/// Where the user wants a session, unless the user has mapped its project since or the directory is
/// gone.
fn pinned(places: &Places, card: &SessionCard, record: &SessionRecord) -> Option<PathBuf> {
    let pinned = record.pinned.as_ref()?;
    let holds = pinned.dir.is_dir() && pinned.mapped == places.mapped_for(&card.project);
    holds.then(|| pinned.dir.clone())
}

/// Whether an excluded key is a project's or that of something around it, by its key, its former
/// remotes or the further ones with its name. Those may be a fork's, so the project stays here. One of
/// another name is what it was made from, which excludes nothing. The home directory and the root of
/// the disk are around everything: they count alone.
pub fn is_covered(project: &Project, excluded: &ProjectKey) -> bool {
    let excluded = excluded.as_str();
    let covers = |name: &str| {
        name.strip_prefix(excluded).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(['#', '/']) && !excluded.ends_with(':')
        })
    };
    let key = project.key.as_str();
    let inside = key.find('#').map_or("", |at| &key[at..]);
    let mut remotes = projects::other_remotes(project);
    covers(key) || remotes.any(|remote| covers(&format!("git:{remote}{inside}")))
}

impl Shared {
    /// How many frames of a journal are accepted, if its owner was revoked.
    pub fn limit(&self, journal: &Journal) -> Option<u64> {
        let heads = self.limits.get(&journal.device)?;
        let below = journal.dir.split_once('/').map_or("", |(_, below)| below);
        Some(heads.get(below).copied().unwrap_or(0))
    }

    /// A device's name; the short id of a device that never announced a name.
    pub fn name_of(&self, short: &str) -> String {
        self.names
            .get(short)
            .cloned()
            .unwrap_or_else(|| short.chars().take(7).collect())
    }

    pub fn is_excluded(&self, project: &Project) -> bool {
        self.exclusion(project).is_some()
    }

    /// What the user excluded that a project is or is a part of: see [`is_covered`].
    pub fn exclusion(&self, project: &Project) -> Option<&ProjectKey> {
        let mut excluded = self.excluded.iter();
        excluded.find(|excluded| is_covered(project, excluded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_excluded_covers_what_is_inside_and_every_name_of_it() {
        let project = |key: &str, remotes: &[&str]| Project {
            remotes: remotes.iter().map(|remote| (*remote).to_owned()).collect(),
            ..Project::new(ProjectKey::new(key))
        };
        let fork = ["h/me/api", "h/acme/api"];
        let child = ["h/me/shop", "h/acme/starter"];
        let rows: [(&str, &str, &[&str], bool); 20] = [
            ("git:h/acme/starter", "git:h/me/shop", &child, false),
            ("git:h/acme", "git:h/me/shop", &child, false),
            ("git:h/me/shop", "git:h/me/shop", &child, true),
            (
                "git:h/me/shop",
                "git:h/acme/starter",
                &["h/acme/starter", "h/me/shop"],
                false,
            ),
            ("git:h/acme/api", "git:h/acme/api", &[], true),
            ("git:h/acme/api", "git:h/acme/api#web", &[], true),
            ("git:h/acme/api", "git:h/acme/api-2", &[], false),
            ("git:h/acme/api", "git:h/me/api", &fork, true),
            ("git:h/me/api", "git:h/acme/api", &fork, true),
            ("git:h/acme/api#web", "git:h/me/api#web/src", &fork, true),
            ("git:h/acme/api#web", "git:h/me/api#website", &fork, false),
            ("git:h/acme/api#web/src", "git:h/acme/api#web", &[], false),
            ("git:h/acme/api#web", "git:h/acme/api", &[], false),
            ("git:h/acme", "git:h/acme/api", &[], true),
            ("root:ab", "root:abc", &[], false),
            ("home:work", "home:work/x", &[], true),
            ("home:work", "home:workshop", &[], false),
            ("home:", "home:work", &[], false),
            ("home:", "home:", &[], true),
            ("device:X:", "device:X:/srv", &[], false),
        ];
        for (excluded, key, remotes, is_excluded) in rows {
            let shared = Shared {
                excluded: BTreeSet::from([ProjectKey::new(excluded)]),
                ..Shared::default()
            };
            let found = shared.is_excluded(&project(key, remotes));
            assert_eq!(found, is_excluded, "{key} of {excluded}");
        }
        let renamed = Project {
            formerly: vec!["h/acme/api".into()],
            ..Project::new(ProjectKey::new("git:h/me/store#web/src"))
        };
        let is_covered = |excluded: &str| is_covered(&renamed, &ProjectKey::new(excluded));
        assert!(is_covered("git:h/acme/api#web") && !is_covered("git:h/acme/api#src"));
    }
}
