//! What looking at a session needs besides the session: shared by the loop and its workers, changed by the loop only.

use super::compare::Compared;
use super::record::SessionRecord;
use super::shared_docs::Holders;
use super::taken_back::Seen;
use super::transcript::Index;
use crate::merge::device_list::Heads;
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{self, Reader};
use crate::projects::{Identifier, NoPlace, Places};
use crate::session::{
    ChainId, DeviceId, DocKind, DocName, Hlc, Millis, ProjectKey, SessionKey, ToolId,
};
use crate::tools::stores::{Everywhere, Whereabouts};
use crate::tools::{Joins, Machine, Records, Steer, Tool};
use crate::vault::journal::JournalReader;
use crate::vault::keys::DeviceKey;
use crate::vault::limits;
use crate::vault::{Journal, Owner, SessionCard, Vault};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The one place that reads the wall clock.
pub trait Clock: Send + Sync {
    fn now(&self) -> Millis;
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
    /// The stores of those of the tools that may have several.
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
    taken_back: Mutex<Seen>,
    holders: Mutex<Holders>,
}

/// How large a record may be, as far as this device records it. Others than the usual are for tests.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// A larger one is recorded in pieces.
    pub whole: u64,
    pub piece: u64,
    /// A larger one is not carried: a line that says so stands in its place.
    pub record: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        // Quoted it stays below 1 MiB: a version that does not know pieces passes over them, and refuses what is larger.
        Self {
            whole: limits::CONTENT,
            piece: 500_000,
            record: limits::RECORD,
        }
    }
}

/// Why two branches cannot be put one behind the other, and why one session cannot hold both; `None` where they can.
pub type Refusals = [Option<String>; 2];

/// More splits than anybody looks at in a day.
const MOST_REMEMBERED: usize = 256;

/// What the user's decisions and the other devices' cards say at the moment.
#[derive(Default)]
pub struct Shared {
    /// Devices whose card was verified, this one included, by short id.
    pub owners: BTreeMap<String, Owner>,
    pub names: BTreeMap<String, String>,
    /// Of revoked devices, by short id: so many frames of each journal are accepted, and none of others.
    pub limits: BTreeMap<String, Heads>,
    /// Of devices revoked since a time, by short id: so many frames of each journal count, and none of others.
    pub cuts: BTreeMap<String, Heads>,
    /// Who this device was before, by short id, and until when what it wrote is its own.
    pub former: BTreeMap<String, Millis>,
    pub places: Arc<Places>,
    pub excluded: BTreeSet<ProjectKey>,
    pub tools_off: BTreeSet<ToolId>,
    /// Tools whose store lost many sessions at once.
    pub tools_held: BTreeSet<ToolId>,
    /// Sessions whose main doc is in a store here.
    pub here: HashSet<SessionKey>,
    pub paused: bool,
    /// In so many sessions at once another device may take its own words back without a question.
    pub max_rewritten: usize,
    /// The user wants copies of files with secrets to be carried, too.
    pub carry_secret_copies: bool,
}

/// A panic of one worker must not take the others along: what a lock guards is replaced whole, never half.
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
            taken_back: Mutex::default(),
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
        unpoisoned(self.compared.lock())
    }

    /// Why two branches, by their ends, cannot be joined. `work` reads both of them whole, once: their ends say what is
    /// in them.
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

    /// Where the messages of the sessions lie that were read last.
    pub fn transcripts(&self) -> MutexGuard<'_, Vec<Arc<Index>>> {
        unpoisoned(self.transcripts.lock())
    }

    /// What other devices took back of their own words.
    pub fn taken_back(&self) -> MutexGuard<'_, Seen> {
        unpoisoned(self.taken_back.lock())
    }

    /// The sessions that have docs in places which many sessions share. A look claims such a doc at once.
    pub fn holders(&self) -> MutexGuard<'_, Holders> {
        unpoisoned(self.holders.lock())
    }

    /// Where projects lie, as it is known now. To be asked without a lock: the answers come from the disk.
    pub fn places(&self) -> Arc<Places> {
        self.shared().places.clone()
    }

    /// Finds the message in a record of a tool's log.
    pub fn said(&self, tool: &ToolId) -> Reader {
        self.tools
            .get(tool)
            .map_or(transcript::said, |tool| tool.about().said)
    }

    /// What a line of a tool's doc sets of how the tool works.
    pub fn sets(&self, tool: &ToolId) -> fn(&DocName, &[u8]) -> Vec<Steer> {
        self.tools
            .get(tool)
            .map_or(|_, _| Vec::new(), |tool| tool.about().steering.sets)
    }

    /// Tells the conversation in a tool's logs from what is only noted; all of an unknown tool's lines count.
    pub fn is_message(&self, tool: &ToolId) -> fn(&[u8]) -> bool {
        self.tools
            .get(tool)
            .map_or(|_| true, |tool| tool.about().is_message)
    }

    /// The records of a doc whose lines or parts say nothing each for itself: all of it is read, whatever is wanted.
    pub fn records(&self, tool: &ToolId, kind: DocKind) -> Option<Records> {
        let own = self.tools.get(tool).and_then(|tool| tool.about().records);
        own.or((kind == DocKind::Snapshot).then_some(transcript::records))
    }

    /// The fields of a doc that are this device's own business.
    pub fn device_fields(&self, tool: &ToolId, doc: &DocName) -> &'static [&'static str] {
        self.tools
            .get(tool)
            .map_or(&[], |tool| (tool.about().device_fields)(doc))
    }

    /// What two contents are to each other, by the ends that have them. `work` reads both of them whole, once.
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

    /// What may be made of two branches of a tool's logs.
    pub fn joins(&self, tool: &ToolId) -> Joins {
        self.tools
            .get(tool)
            .map_or_else(Joins::default, |tool| tool.about().joins)
    }

    /// A doc's lines, read back from a session's journals.
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

    /// Takes this device's own earlier stamp, however far it lies from what the clock says now.
    pub fn go_on_from(&self, own: Hlc) {
        let mut hlc = unpoisoned(self.hlc.lock());
        *hlc = own.max(*hlc);
    }

    /// Whether the session began here, under whichever identity: this device recorded its first line from its own store.
    /// A branch of another session is no such session, whoever recorded it: what it begins with may be another's.
    pub fn began(&self, record: &SessionRecord) -> bool {
        self.is_own(record) && record.origin().is_some_and(|card| card.fork.is_none())
    }

    /// Whether this device's own card says what the session is.
    fn is_own(&self, record: &SessionRecord) -> bool {
        match &record.origin {
            Some(origin) => origin.here,
            None => record.cards.keys().all(|device| *device == self.short),
        }
    }

    /// The directory of this device that a session is for. What another device calls its project finds no more than what
    /// this device knows already.
    pub fn place(&self, record: &SessionRecord) -> Result<PathBuf, NoPlace> {
        let card = record.origin().ok_or(NoPlace::Missing)?;
        let (home, places) = (&self.machine.home, self.places());
        if let Some(dir) = pinned(&places, card, record) {
            return Ok(dir);
        }
        // A branch has the project of the session it left, whoever recorded it.
        let is_own =
            self.is_own(record) && (card.fork.is_none() || places.began_in(&card.project.key));
        match is_own {
            true => places
                .find(home, &self.device, &card.project)
                .ok_or(NoPlace::Missing),
            false => places.find_for_other(home, &self.device, &card.project),
        }
    }

    /// Where a file lies among a tool's stores.
    pub fn whereabouts(&self, tool: &ToolId, path: &Path) -> Whereabouts {
        self.stores
            .get(tool)
            .map_or(Whereabouts::Used, |stores| stores.whereabouts(path))
    }

    /// Whether the directory that the session was written for is not its project's, or no longer the best.
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

/// Where the user wants a session, unless the user has mapped its project since or the directory is gone.
fn pinned(places: &Places, card: &SessionCard, record: &SessionRecord) -> Option<PathBuf> {
    let pinned = record.pinned.as_ref()?;
    let holds = pinned.dir.is_dir() && pinned.mapped == places.mapped_dir(&card.project.key);
    holds.then(|| pinned.dir.clone())
}

impl Shared {
    /// How many frames of a journal are accepted, if its owner was revoked.
    pub fn limit(&self, journal: &Journal) -> Option<u64> {
        let heads = self.limits.get(&journal.device)?;
        let below = journal.dir.split_once('/').map_or("", |(_, below)| below);
        Some(heads.get(below).copied().unwrap_or(0))
    }

    /// A device's name; the short id when it never said one.
    pub fn name_of(&self, short: &str) -> String {
        self.names
            .get(short)
            .cloned()
            .unwrap_or_else(|| short.chars().take(7).collect())
    }

    /// A project is excluded by its own key or by its repository's.
    pub fn is_excluded(&self, key: &ProjectKey) -> bool {
        let repository = key.as_str().split('#').next().unwrap_or_default();
        self.excluded.contains(key) || self.excluded.contains(&ProjectKey::new(repository))
    }
}
