//! Everything known of one session: its journals, its docs' tries, and what the store here held
//! last.

use super::bases::Rebound;
use super::origin::{Origin, Roots, accepted_first};
use super::split::BranchLayout;
use crate::merge::{Chosen, Firsts, Verdict, fork_id};
use crate::session::{
    ChainId, DocKind, DocName, Hlc, Reason, SessionId, SessionKey, SessionState, SplitState, Trie,
};
use crate::state::Row;
use crate::tools::Stamp;
use crate::vault::{Journal, SessionCard};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const SEE_SPLITS: &str = "See both with `roam splits`.";
const PUT_AWAY: &str = "It was put away when its split was decided; the vault keeps it.";

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
    /// The user allowed another device's rewrite.
    #[serde(default)]
    pub released: bool,
    /// The directory of this device that the session was written for.
    #[serde(default, alias = "bound")]
    pub checkout_dir: Option<PathBuf>,
    /// The directory that the session left for its project's, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<MovedFrom>,
    /// Where the user wants the session on this device, though its project is elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Pinned>,
    /// The user's decisions, made on any device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Chosen>,
    /// What its file in the store refers to instead of the recorded session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebound: Option<Rebound>,
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
    pub taken_back: Vec<TakenBack>,
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
}

/// Lines that their author withdrew: the doc ended in `old` and now goes to `new`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
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
    pub at: String,
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

    /// The card of the device on which the session began; it determines the project.
    pub fn origin(&self) -> Option<&SessionCard> {
        self.cards.get(self.began_on()?).map(|said| &said.card)
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
                let first = mains.filter_map(|state| accepted_first(self, state)).next();
                first.or_else(|| self.cards.keys().next().map(String::as_str))
            })
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
            .filter_map(|said| said.card.fork.as_ref());
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

    /// Treats docs deleted from the store as never present: they may be written there again.
    pub fn forget_deletion(&mut self) {
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

    pub fn row(&self, key: &SessionKey, verdict: &Verdict, layout: &BranchLayout) -> Row {
        let latest = self.latest();
        let (mut state, mut reason, mut why, mut hint) = words(verdict, self.is_here());
        let open = layout
            .settled
            .split
            .as_ref()
            .filter(|split| split.is_open());
        if let (Some(split), SessionState::Here | SessionState::Elsewhere) = (open, state) {
            (state, reason) = (SessionState::Split, Some(Reason::Split));
            (why, hint) = (split.reason.clone(), SEE_SPLITS.into());
        }
        if let ((1.., here), None, SessionState::Here | SessionState::Elsewhere) =
            (self.left_out(), reason, state)
        {
            let on = if here {
                "in this device's store"
            } else {
                "on the device that wrote it"
            };
            (reason, why) = (
                Some(Reason::LeftOut),
                format!("A record of more than 1 GB is {on} only."),
            );
            hint = "Everything before and after it is on every device.".into();
        }
        let last = self
            .docs
            .values()
            .map(|doc| doc.said.wall)
            .max()
            .unwrap_or_default();
        Row {
            session: self
                .session
                .as_ref()
                .map_or_else(|| key.hash.clone(), |session| session.to_string()),
            project: self
                .origin()
                .map(|card| card.project.key.to_string())
                .unwrap_or_default(),
            title: latest
                .and_then(|card| card.title.clone())
                .unwrap_or_else(|| "Untitled".into()),
            updated: latest.map_or(last, |card| card.updated),
            bytes: self.bytes(),
            state,
            reason,
            why,
            hint,
            split: match open {
                Some(split) => SplitState::Open(split.tier()),
                None if layout.settled.split.is_some()
                    || !self.choices.is_empty()
                    || !self.taken_back.is_empty() =>
                {
                    SplitState::Decided
                }
                None => SplitState::None,
            },
            needs: self
                .origin()
                .and_then(|card| card.base.as_ref())
                .map_or_else(Vec::new, |base| {
                    let now = self
                        .rebound
                        .as_ref()
                        .map_or(&base.session, |rebound| &rebound.now);
                    vec![base.session.to_string(), now.to_string()]
                }),
            devices: self.devices().into_iter().map(str::to_owned).collect(),
            path: self
                .main_doc()
                .and_then(|doc| doc.local.as_ref())
                .filter(|local| local.there)
                .map(|local| local.path.clone()),
        }
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
                .live_tips()
                .into_iter()
                .map(|tip| self.trie.size(tip).1)
                .max()
                .unwrap_or(0),
        }
    }
}

/// State, reason, and both in words: why, and what to do.
type Standing = (SessionState, Option<Reason>, String, String);

fn words(verdict: &Verdict, here: bool) -> Standing {
    let elsewhere = |reason, why: &str, hint: &str| {
        (
            SessionState::Elsewhere,
            Some(reason),
            why.to_owned(),
            hint.to_owned(),
        )
    };
    match verdict {
        Verdict::Here | Verdict::Checkout(_) => {
            let state = if here {
                SessionState::Here
            } else {
                SessionState::Elsewhere
            };
            (state, None, String::new(), String::new())
        }
        Verdict::Elsewhere { why } => elsewhere(
            Reason::DeletedHere,
            why,
            "Bring it back with `roam restore`.",
        ),
        Verdict::Arriving => elsewhere(Reason::Arriving, "Parts of it are still on their way.", ""),
        Verdict::Waiting {
            code, why, hint, ..
        } => (
            SessionState::Waiting,
            Some(*code),
            why.clone(),
            hint.clone(),
        ),
        Verdict::Ask(split) => (
            SessionState::Split,
            Some(Reason::Split),
            split.reason.clone(),
            SEE_SPLITS.into(),
        ),
        Verdict::Away => elsewhere(
            Reason::PutAway,
            PUT_AWAY,
            "Take that back with `roam undo`.",
        ),
        Verdict::Held {
            code, why, hint, ..
        } => (SessionState::Held, Some(*code), why.clone(), hint.clone()),
    }
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
