//! Everything known of one session: its journals, its docs' tries, and what the store here held
//! last.

use crate::merge::{Chosen, Firsts, Titles, fork_id, title};
use crate::session::{
    ChainId, DocKind, DocName, ForkBase, Hlc, SessionId, SessionKey, ToolId, Trie,
};
use crate::tools::stores::Near;
use crate::tools::{Patch, Stamp};
use crate::vault::{Journal, SessionCard};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    pub session: Option<SessionId>,
    /// By `<device>/<lane>`.
    pub journals: BTreeMap<String, Journal>,
    pub docs: BTreeMap<DocName, DocState>,
    /// Each device's card of the session, by short id.
    pub cards: BTreeMap<String, DeviceCard>,
    /// Where the session began; `None` in a record of an older version that was not reconciled
    /// since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The session for which this one works as a sub-agent, as its file in this device's store says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<SessionId>,
    /// The user allowed another device's rewrite.
    #[serde(default)]
    pub released: bool,
    /// The directory of this device that the session was written for.
    #[serde(default, alias = "bound")]
    pub checkout_dir: Option<PathBuf>,
    /// Where the main doc was before it left the store here: of several stores, it returns to that
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_at: Option<PathBuf>,
    /// The directory that the session left for its project's, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<MovedFrom>,
    /// Where the user wants the session on this device, though its project is elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Pinned>,
    /// The user's decisions, made on any device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Chosen>,
    /// The titles that the user gave the session, each device's latest one.
    #[serde(default, skip_serializing_if = "Titles::is_empty")]
    pub titles: Titles,
    /// What its file in the store refers to instead of the recorded session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebound: Option<ParentLink>,
    /// If this session is a branch of another one: how far this device took that branch over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub image: BTreeMap<DocName, Imaged>,
    /// Up to which line of the main doc, and why, copies of files from other devices are not
    /// written here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<(ChainId, String)>,
    /// Frames that other devices signed beside their journals and whose lines this device
    /// republished.
    #[serde(
        default,
        alias = "passed_on",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    pub republished: BTreeSet<String>,
    /// Further files with the session's id, as they were when they were recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub twins: Vec<(PathBuf, Stamp)>,
    /// Withdrawals by other devices that this device followed, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "taken_back")]
    pub withdrawals: Vec<Withdrawal>,
    /// What is taken out of the session, though it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// How the session stands in the registries of other tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registered: BTreeMap<ToolId, Registered>,
}

/// Which devices' later frames are taken out of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// A hash of how many frames of each journal of these devices were accepted and count; 0 after
    /// another device recorded lines that were known already, as it may spare them.
    pub print: u64,
    /// By short id.
    pub devices: BTreeSet<String>,
}

/// How a session stands in a registry, as last found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registered {
    /// The records up to this line do not say that the tool ran the session.
    NotAt(ChainId),
    /// This device made the entry, for this directory.
    Made(PathBuf),
    /// The tool or the user decides about the entry.
    Settled,
}

/// A move within this device, which `roam undo` reverses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedFrom {
    pub dir: PathBuf,
    pub at: Hlc,
}

/// A move that the user reversed. It holds until the user maps the session's project to another
/// directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    pub dir: PathBuf,
    /// The directory that the user had mapped the project to at that time.
    pub mapped: Option<PathBuf>,
    /// The session moved with code that was applied or taken back, which has an undo of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_code: bool,
}

/// Lines that their author withdrew: the doc ended in `old` and now goes to `new`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    pub doc: DocName,
    pub old: ChainId,
    pub new: ChainId,
    /// When this device followed.
    pub at: Hlc,
}

/// Bytes of a log that are written as others of the same length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neutral {
    /// The offset in the doc.
    pub at: u64,
    pub recorded: String,
    pub written: String,
}

/// A doc may have thousands of places but only a dozen different word pairs: each place is stored
/// as its distance from the previous one and the number of its pair.
mod compact {
    use super::Neutral;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Default, Serialize, Deserialize)]
    struct Compact {
        words: Vec<(String, String)>,
        /// Distance, number of the word pair, and so on.
        places: Vec<u64>,
    }

    pub fn serialize<S: Serializer>(all: &[Neutral], serializer: S) -> Result<S::Ok, S::Error> {
        let (mut compact, mut before) = (Compact::default(), 0);
        let mut all: Vec<&Neutral> = all.iter().collect();
        all.sort();
        for Neutral {
            at,
            recorded,
            written,
        } in all
        {
            let is_known = |words: &(String, String)| words.0 == *recorded && words.1 == *written;
            let known = compact.words.iter().position(is_known).unwrap_or_else(|| {
                compact.words.push((recorded.clone(), written.clone()));
                compact.words.len() - 1
            });
            compact.places.extend([at - before, known as u64]);
            before = *at;
        }
        compact.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Neutral>, D::Error> {
        let compact = Compact::deserialize(deserializer)?;
        let (mut all, mut at) = (Vec::new(), 0);
        for place in compact.places.chunks_exact(2) {
            at += place[0];
            let words = usize::try_from(place[1])
                .ok()
                .and_then(|number| compact.words.get(number));
            let (recorded, written) = words
                .ok_or_else(|| serde::de::Error::custom("no such words"))?
                .clone();
            all.push(Neutral {
                at,
                recorded,
                written,
            });
        }
        Ok(all)
    }
}

/// A doc of a fork, as far as it was taken over from its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imaged {
    /// The end in the parent's trie.
    pub of: ChainId,
    /// The same end in the fork's trie.
    pub tip: ChainId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceCard {
    /// The time of the device's latest card.
    pub at: Hlc,
    pub card: SessionCard,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocState {
    pub kind: DocKind,
    /// Where its latest author has the doc, below the tool's root.
    pub at: String,
    pub said: Hlc,
    pub trie: Trie,
    /// What the store held at the last scan or write.
    pub local: Option<LocalDoc>,
    /// The end of what this device recorded last.
    pub own_tip: Option<ChainId>,
    /// Steering records from other devices that the store here holds in neutral form, in order of
    /// place.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "compact")]
    pub neutral: Vec<Neutral>,
    /// Gap lines: each stands for a line that is too large to sync.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub gaps: BTreeSet<ChainId>,
    /// Who first recorded the first lines of branches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub firsts: Firsts,
    /// Who recorded a line that the doc begins with; `None` if the journals must be searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<Roots>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalDoc {
    pub path: PathBuf,
    #[serde(rename = "at")]
    pub place: String,
    pub stamp: Stamp,
    pub tip: ChainId,
    /// The bytes of whole lines (for a snapshot: of its content).
    pub bytes: u64,
    pub lines: u64,
    /// BLAKE3 of the last 64 KiB before `bytes`: distinguishes an append from a rewrite cheaply.
    pub tail: String,
    /// The file existed at the last scan.
    pub there: bool,
    /// All of it was compared since its last change.
    #[serde(default)]
    pub compared: bool,
    /// The content is as this device wrote it.
    #[serde(default)]
    pub ours: bool,
    /// The number of lines that are in no journal because they are too large to sync.
    #[serde(default)]
    pub gaps: u64,
}

impl SessionRecord {
    /// The latest card of any device.
    pub fn latest(&self) -> Option<&SessionCard> {
        self.cards
            .values()
            .max_by_key(|said| said.at)
            .map(|said| &said.card)
    }

    /// The session's title: the one that the user gave it, or else the tool's own.
    pub fn title(&self) -> Option<&str> {
        title::given(&self.titles).or_else(|| self.own_title())
    }

    /// The title that the tool gave the session.
    pub fn own_title(&self) -> Option<&str> {
        self.latest().and_then(|card| card.title.as_deref())
    }

    /// The card of the device on which the session began; it determines the project.
    pub fn origin(&self) -> Option<&SessionCard> {
        self.cards.get(self.began_on()?).map(|said| &said.card)
    }

    /// The session for which this one works as a sub-agent: as its file here says or, without one, as
    /// the device on which it began says.
    pub fn whole(&self, key: &SessionKey) -> Option<SessionKey> {
        let said = || self.origin()?.part_of.as_ref();
        let whole = self.part_of.as_ref().or_else(said)?;
        Some(SessionKey::new(&key.tool, whole)).filter(|whole| whole != key)
    }

    /// The device on which the session began, by short id.
    pub fn began_on(&self) -> Option<&str> {
        let settled = self.origin.as_ref().map(|origin| origin.device.as_str());
        settled
            .filter(|device| self.cards.contains_key(*device))
            .or_else(|| {
                let mains = self
                    .cards
                    .values()
                    .filter_map(|said| self.docs.get(&said.card.main));
                let first = mains.filter_map(|state| self.accepted_first(state)).next();
                first.or_else(|| self.cards.keys().next().map(String::as_str))
            })
    }

    /// The device whose lines the doc begins with here, for a record without a settled origin: the
    /// lines accepted first keep their place in the trie.
    pub fn accepted_first<'a>(&'a self, state: &'a DocState) -> Option<&'a str> {
        let start = state.trie.start();
        let mut first = state.trie.edges().iter().filter(|edge| edge.after == start);
        first
            .find(|edge| self.cards.contains_key(&edge.source.device))
            .map(|edge| edge.source.device.as_str())
    }

    /// The doc that makes the session; `None` as long as it has not arrived.
    pub fn main(&self) -> Option<&DocName> {
        match self.origin() {
            Some(card) => Some(&card.main).filter(|main| self.docs.contains_key(main)),
            None => self.docs.keys().next(),
        }
    }

    /// Whether the session began as a branch of another one: of `parent`, if given. Its own id
    /// proves that, whatever a card claims.
    pub fn is_branch(&self, parent: Option<&SessionId>) -> bool {
        let forks = self
            .cards
            .values()
            .filter_map(|device_card| device_card.card.fork.as_ref());
        let mut forks = forks.filter(|fork| parent.is_none_or(|parent| fork.session == *parent));
        forks.any(|fork| self.session.as_ref() == Some(&fork_id(&fork.session, fork.first_line)))
    }

    pub fn main_doc(&self) -> Option<&DocState> {
        self.docs.get(self.main()?)
    }

    pub fn is_here(&self) -> bool {
        self.main_doc()
            .and_then(|doc| doc.local.as_ref())
            .is_some_and(|local| local.there)
    }

    /// Notes where the main doc is, before that is forgotten.
    pub fn note_path(&mut self) {
        let local = self.main_doc().and_then(|doc| doc.local.as_ref());
        if let Some(path) = local.map(|local| local.path.clone()) {
            self.was_at = Some(path);
        }
    }

    /// What the session belongs to in a store, if it is in none.
    pub fn near(&self) -> Near {
        let local = self.main_doc().and_then(|doc| doc.local.as_ref());
        let card = self.origin();
        let base = card.and_then(|card| card.base.as_ref());
        let fork = card.and_then(|card| card.fork.as_ref());
        let ids = base.map(|base| &base.session).into_iter();
        let ids = ids.chain(card.iter().flat_map(|card| &card.requires));
        Near {
            path: local
                .map(|local| local.path.clone())
                .or_else(|| self.was_at.clone()),
            sessions: ids.chain(fork.map(|fork| &fork.session)).cloned().collect(),
        }
    }

    /// Treats all docs as never present in the store: what is missing there is written again.
    pub fn forget_store(&mut self) {
        self.note_path();
        self.docs.values_mut().for_each(|state| state.local = None);
    }

    /// Treats docs deleted from the store as never present: they may be written there again.
    pub fn forget_deletion(&mut self) {
        self.note_path();
        for state in self.docs.values_mut() {
            state.local = state.local.take().filter(|local| local.there);
        }
    }

    /// Whether all of each log in the store here was compared since it last changed.
    pub fn is_compared(&self) -> bool {
        self.docs.values().all(|doc| {
            doc.local
                .as_ref()
                .is_none_or(|local| !local.there || local.compared)
        })
    }

    /// How many records are too large to sync, and whether they are in the store here.
    pub fn left_out(&self) -> (usize, bool) {
        let here = self
            .docs
            .values()
            .filter_map(|state| state.local.as_ref())
            .any(|local| 0 < local.gaps);
        (self.docs.values().map(|state| state.gaps.len()).sum(), here)
    }

    /// Short ids of the devices that added to the session.
    pub fn devices(&self) -> BTreeSet<&str> {
        self.journals
            .values()
            .filter(|journal| journal.frames > 0)
            .map(|journal| journal.device.as_str())
            .collect()
    }

    pub fn bytes(&self) -> u64 {
        self.docs.values().map(DocState::bytes).sum()
    }
}

impl DocState {
    pub fn new(kind: DocKind, at: String) -> Self {
        let start = match kind {
            DocKind::Log => ChainId::log_start(),
            DocKind::Snapshot => ChainId::snapshot_start(),
        };
        Self {
            kind,
            at,
            said: Hlc::default(),
            trie: Trie::new(start),
            local: None,
            own_tip: None,
            neutral: Vec::new(),
            gaps: BTreeSet::new(),
            firsts: Firsts::new(),
            roots: Some(Roots::new()),
        }
    }

    /// Bytes of the longest live branch; for a snapshot here, its size.
    pub fn bytes(&self) -> u64 {
        match (self.kind, &self.local) {
            (DocKind::Snapshot, Some(local)) => local.bytes,
            _ => self
                .trie
                .heads()
                .into_iter()
                .map(|tip| self.trie.size(tip).1)
                .max()
                .unwrap_or(0),
        }
    }
}

/// What the file in the store refers to instead of the recorded session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentLink {
    pub base: ForkBase,
    pub now: SessionId,
}

impl ParentLink {
    /// A patch that shows the recorded reference.
    pub fn patch(&self) -> Patch {
        let (shown, there) = (self.base.session.as_str().into(), self.now.as_str().into());
        Patch {
            offset: self.base.offset,
            shown,
            there,
        }
    }
}

/// A session based on another one: how much of that one, and the device where the session began.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependent {
    pub base: ForkBase,
    pub device: String,
}

/// The sessions whose beginning lies in this one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependents {
    /// Sessions that began on this one, on whatever branch.
    pub children: Vec<Dependent>,
    /// A session in the store here refers to this one's file: the file stays, whatever was decided.
    pub needed: bool,
}

/// The devices, by short id, that recorded a first line of a doc.
pub type Roots = BTreeMap<String, Root>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The line lay in the device's own store; otherwise the device republished it.
    pub stored: bool,
    /// The device's own time of that. It only identifies what this device recorded under a former
    /// identity.
    pub at: Hlc,
}

/// Where a session began, as far as the journals here show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The device's short id.
    pub device: String,
    /// This device itself recorded it from its own store.
    pub here: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neutral_is_remembered_in_few_words() {
        let one = |at: u64, name: &str| Neutral {
            at,
            recorded: name.into(),
            written: format!("~{}", &name[1..]),
        };
        let mut state = DocState::new(DocKind::Log, "x.jsonl".into());
        state.neutral = (0..1000)
            .map(|at| one(at * 512 + 7, if at % 2 == 0 { "mode" } else { "policy" }))
            .collect();
        let text = serde_json::to_string(&state).expect("JSON");
        assert!(text.len() < 8 * 1000, "{} bytes", text.len());
        assert_eq!(
            serde_json::from_str::<DocState>(&text).expect("JSON"),
            state
        );
        state.neutral.clear();
        let text = serde_json::to_string(&state).expect("JSON");
        assert_eq!(
            serde_json::from_str::<DocState>(&text).expect("JSON"),
            state
        );
    }
}
