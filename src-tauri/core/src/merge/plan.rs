//! `plan` decides; `reconcile::apply` carries it out. A plan can be printed, counted, tested and shown
//! (`roam plan`).

use super::settle::{Settled, Split};
use crate::session::{ChainId, DocKind, DocName, Reason, Trie};
use std::path::PathBuf;

/// A session as the plan sees it.
pub struct SessionView<'a> {
    pub docs: Vec<DocView<'a>>,
    pub settled: &'a Settled,
    pub guards: Guards,
}

/// Circumstances outside the docs that forbid or delay writing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guards {
    /// The program that has the session open here.
    pub open_in: Option<String>,
    /// The project's directory on this device. Means nothing while the main doc is here.
    pub place: Option<PathBuf>,
    /// Another device names a directory of this device, over which it has no say.
    pub place_refused: bool,
    /// The session lies in another project's directory, or its own directory has appeared: it is
    /// removed from the old place and written again in the right one.
    pub misplaced: bool,
    /// The project's name for the user.
    pub project: String,
    /// The project's key, as commands take it.
    pub project_key: String,
    pub excluded: bool,
    pub tool_on: bool,
    /// The user paused writing.
    pub paused: bool,
    /// The tool's store lost many sessions at once.
    pub tool_held: bool,
    /// The part of the tool's store that is too little known to write there.
    pub unknown: Option<String>,
    /// The user saw that another device rewrote this session, and agreed.
    pub rewrite_released: bool,
    /// Titles of sessions that must be on this device first and are missing.
    pub missing_parents: Vec<String>,
}

pub struct DocView<'a> {
    pub name: &'a DocName,
    pub kind: DocKind,
    /// The doc that makes the session; the other docs depend on it.
    pub main: bool,
    pub trie: &'a Trie,
    /// The tip in the tool's store, already recorded.
    pub local: Option<ChainId>,
    /// The tip in the store at the last scan, even if the file is gone now.
    pub base: Option<ChainId>,
    /// The doc in the store must be rewritten, though its lines are the same.
    pub stale: bool,
    /// The content that counts lacks messages of another device than the one that left them out,
    /// though it is a later generation of the one in the store.
    pub drops_messages_of_others: bool,
    /// Ends that are kept whatever is written under the session's own id: branches, and ends that
    /// the user put away.
    pub kept: Vec<ChainId>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Create the doc.
    Create { doc: DocName, to: ChainId },
    /// Append lines to the doc.
    Append {
        doc: DocName,
        from: ChainId,
        to: ChainId,
    },
    /// Rewrite the doc.
    Replace {
        doc: DocName,
        from: ChainId,
        to: ChainId,
    },
    /// Remove the doc from the store: the user put the session away, and the vault has all of it.
    Remove { doc: DocName, from: ChainId },
}

impl Step {
    /// Turns an append into a rewrite of the whole doc.
    pub fn make_whole(&mut self) {
        if let Self::Append { doc, from, to } = self {
            *self = Self::Replace {
                doc: doc.clone(),
                from: *from,
                to: *to,
            };
        }
    }

    /// Whether the step writes the whole doc.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Replace { .. })
    }

    pub fn doc(&self) -> &DocName {
        match self {
            Self::Create { doc, .. }
            | Self::Append { doc, .. }
            | Self::Replace { doc, .. }
            | Self::Remove { doc, .. } => doc,
        }
    }
}

/// Why steps are not carried out now.
#[derive(Clone, Debug, PartialEq)]
pub struct Obstacle {
    pub reason: Reason,
    pub why: String,
    pub hint: String,
    pub steps: Vec<Step>,
}

/// The state of a session and what to do about it now.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The store and the journals are equal.
    Here,
    /// The store has no part of the session and stays that way: the session was deleted here.
    Elsewhere {
        why: String,
    },
    Checkout(Vec<Step>),
    /// The steps can run as soon as the reason is gone.
    Waiting(Obstacle),
    /// The session is split in a way that only the user can decide; nothing is written until then.
    Ask(Split),
    /// The user put the session away: it is in the vault and in no store.
    Away,
    /// The user decides whether the steps run.
    Held(Obstacle),
    /// Parts of the session have not arrived yet.
    Arriving,
}

/// Decides. The docs' local tips are recorded already, so each is in its trie.
pub fn plan(view: &SessionView<'_>) -> Verdict {
    // Without the main doc, which has not arrived, a tool would not find the side docs.
    if !view.docs.iter().any(|doc| doc.main && !doc.trie.is_empty()) {
        return Verdict::Arriving;
    }
    if view.settled.away {
        return put_away(view);
    }
    if view.guards.misplaced {
        return guard(view, removals(view));
    }
    if let Some(split) = view.settled.split.as_ref().filter(|split| split.ask) {
        return Verdict::Ask(split.clone());
    }
    let targets: Vec<(&DocView<'_>, ChainId)> = view
        .docs
        .iter()
        .filter_map(|doc| Some((doc, *view.settled.targets.get(doc.name)?)))
        .collect();
    if targets.len() < view.docs.iter().filter(|doc| !doc.trie.is_empty()).count() {
        return Verdict::Held(Obstacle {
            reason: Reason::Rewritten,
            why: "Devices rewrote this session back and forth, so it is unclear which version \
                  counts."
                .into(),
            hint: String::new(),
            steps: Vec::new(),
        });
    }
    let gone = targets
        .iter()
        .find(|(doc, _)| doc.main && doc.local.is_none());
    // The session was deleted here since the last scan. It is restored only if another device
    // continued the conversation. Changes to side docs restore nothing, for no tool would find
    // them.
    if gone.is_some_and(|(doc, to)| doc.base == Some(*to)) {
        return Verdict::Elsewhere {
            why: "It was deleted from this device's store; the vault keeps it.".into(),
        };
    }
    let steps: Vec<Step> = targets
        .iter()
        .filter_map(|(doc, to)| step(doc, *to, gone.is_some()))
        .collect();
    if steps.is_empty() {
        return Verdict::Here;
    }
    guard(view, steps)
}

/// Removes all docs from the store; the journals have them too.
fn removals(view: &SessionView<'_>) -> Vec<Step> {
    let there = |doc: &DocView<'_>| {
        doc.local.map(|from| Step::Remove {
            doc: doc.name.clone(),
            from,
        })
    };
    view.docs.iter().filter_map(there).collect()
}

fn put_away(view: &SessionView<'_>) -> Verdict {
    let steps = removals(view);
    if steps.is_empty() {
        Verdict::Away
    } else {
        guard(view, steps)
    }
}

/// The heads with different conversations. A tail without messages, left by merely opening the
/// session, is no branch beside one that continues (the tail stays in the journals). Among several
/// such tails, the one with the greatest chain id counts, on every device.
pub fn branches(trie: &Trie) -> Vec<ChainId> {
    let tips = trie.heads();
    let outdone = |tip: ChainId| {
        tips.iter().any(|other| {
            let meet = trie.meet(tip, *other);
            let (own, theirs) = (
                trie.messages_between(meet, tip),
                trie.messages_between(meet, *other),
            );
            tip != *other && own == 0 && (theirs > 0 || tip < *other)
        })
    };
    tips.iter().copied().filter(|tip| !outdone(*tip)).collect()
}

/// The step that brings the doc to `to`; `None` if none is needed, or if the doc was deleted here
/// and nobody continued it. `revived`: the session is created or restored as a whole, with its
/// deleted parts.
fn step(doc: &DocView<'_>, to: ChainId, revived: bool) -> Option<Step> {
    let name = doc.name.clone();
    match doc.local {
        Some(tip) if tip == to && !doc.stale => None,
        Some(tip) if !doc.stale && doc.kind == DocKind::Log && doc.trie.is_ancestor(tip, to) => {
            Some(Step::Append {
                doc: name,
                from: tip,
                to,
            })
        }
        Some(tip) => Some(Step::Replace {
            doc: name,
            from: tip,
            to,
        }),
        // A part of the session was deleted too.
        None if doc.base == Some(to) && !revived => None,
        None => Some(Step::Create { doc: name, to }),
    }
}

fn guard(view: &SessionView<'_>, steps: Vec<Step>) -> Verdict {
    let guards = &view.guards;
    let wait = |reason, why: String, hint: &str, steps| {
        Verdict::Waiting(Obstacle {
            reason,
            why,
            hint: hint.into(),
            steps,
        })
    };
    let rewrites = view.docs.iter().any(|doc| {
        steps
            .iter()
            .any(|step| step.doc() == doc.name && rewrites(doc, step))
    });
    let main_here = view.docs.iter().any(|doc| doc.main && doc.local.is_some());
    if !guards.tool_on {
        return wait(
            Reason::ToolOff,
            "This tool is switched off on this device.".into(),
            "",
            steps,
        );
    }
    if guards.excluded {
        return wait(
            Reason::Excluded,
            format!("The project {} is excluded on this device.", guards.project),
            "",
            steps,
        );
    }
    if guards.paused {
        return wait(Reason::Paused, "Syncing is paused.".into(), "", steps);
    }
    if guards.tool_held {
        return Verdict::Held(Obstacle {
            reason: Reason::ToolEmptied,
            why: "Many sessions vanished from this tool's store at once.".into(),
            hint: "Check the store first.".into(),
            steps,
        });
    }
    if let Some(unknown) = &guards.unknown {
        return wait(
            Reason::UnknownShape,
            format!("The tool's store is not read whole: {unknown}."),
            "Nothing is written there until all of it can be read. If this stays, update session-roam.",
            steps,
        );
    }
    if rewrites && !guards.rewrite_released {
        return Verdict::Held(Obstacle {
            reason: Reason::Rewritten,
            why: "Another device rewrote or shortened this session.".into(),
            hint: "This device's version stays in the journals in any case.".into(),
            steps,
        });
    }
    if guards.place_refused && !main_here {
        return wait(
            Reason::PlaceRefused,
            format!(
                "Another device says that it belongs in {}, where no session of this device began.",
                directory(&guards.project_key).unwrap_or_else(|| guards.project.clone())
            ),
            "Choose its folder.",
            steps,
        );
    }
    if guards.place.is_none() && !main_here {
        let (why, hint) = no_place(&guards.project, &guards.project_key);
        return wait(Reason::NoPlace, why, hint, steps);
    }
    if let Some(parent) = guards.missing_parents.first() {
        return wait(
            Reason::Parent,
            format!("It continues “{parent}”, which is not here yet."),
            "It continues once that has arrived: connect the device that has it.",
            steps,
        );
    }
    if let Some(open_in) = &guards.open_in {
        return wait(
            Reason::Live,
            open_in.clone(),
            "It continues when the session is closed.",
            steps,
        );
    }
    Verdict::Checkout(steps)
}

/// Why a session has no directory here, and what to do: only a project with a remote can be cloned.
fn no_place(project: &str, key: &str) -> (String, &'static str) {
    match key.split_once(':') {
        Some(("root", _)) => (
            format!(
                "There is no copy of the repository {project} on this device that could be recognised: \
                 it has no remote that means the same on every device."
            ),
            "Copy it here, or choose a folder for its sessions.",
        ),
        Some(("home", _)) => (
            format!(
                "There is no directory {} on this device.",
                directory(key).unwrap_or_default()
            ),
            "Choose a folder for its sessions.",
        ),
        Some(("device", _)) => (
            format!(
                "It began in {} on another device.",
                directory(key).unwrap_or_default()
            ),
            "Choose a folder for its sessions on this device.",
        ),
        _ => (
            format!("There is no checkout of {project} on this device yet."),
            "Clone it, or choose its folder.",
        ),
    }
}

/// The directory that a project's key names, if the project is known by its path.
fn directory(key: &str) -> Option<String> {
    match key.split_once(':')? {
        ("home", rest) => Some(format!("~/{rest}")),
        ("device", rest) => match rest.split_once(':').map_or(rest, |(_, path)| path) {
            // The root directory, see `paths::portable`.
            "" => Some("/".into()),
            path => Some(path.to_owned()),
        },
        _ => None,
    }
}

/// Whether another device would remove or change messages. (The next generation of a snapshot is no
/// rewrite unless it takes back what others wrote, and neither is the loss of records that a tool
/// added by being opened.)
fn rewrites(doc: &DocView<'_>, step: &Step) -> bool {
    let loses = |from: ChainId, to: ChainId| match doc.kind {
        DocKind::Log => doc.trie.messages_between(doc.trie.meet(from, to), from) > 0,
        DocKind::Snapshot => !doc.trie.is_ancestor(from, to),
    };
    if doc.drops_messages_of_others && matches!(step, Step::Replace { .. }) {
        return true;
    }
    match step {
        // A kept branch loses nothing when another one takes the session's id.
        Step::Replace { from, to, .. } => {
            loses(*from, *to) && doc.kept.iter().all(|end| loses(*from, *end))
        }
        Step::Create { .. } | Step::Append { .. } | Step::Remove { .. } => false,
    }
}
