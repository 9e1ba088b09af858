//! Decides which end of each doc belongs in the tool's store under the session's own id, and which
//! branches become sessions beside it. Pure: takes tries, stamps and decisions, returns ends, with
//! the reason in words.

use super::choice::Decided;
use super::divide::{Divided, Ends, Firsts, Fork, divide, ends, first_line_after};
use crate::session::{ChainId, DocKind, DocName, Tier, Trie};
use std::collections::BTreeMap;

/// A doc with its branches.
pub struct DocEnds<'a> {
    pub name: &'a DocName,
    pub kind: DocKind,
    pub main: bool,
    pub trie: &'a Trie,
    /// The ends with conversation of their own.
    pub tips: Vec<ChainId>,
    pub firsts: &'a Firsts,
    pub decided: Decided<'a>,
    /// A snapshot whose contents cannot be compared part by part.
    pub opaque: bool,
    /// Its lines are entries of their own, whose branches are joined without regard to other docs.
    pub apart: bool,
}

/// The state of a split session.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    pub doc: DocName,
    /// Nothing is written until the user chooses.
    pub ask: bool,
    pub reason: String,
    pub divided: Divided,
}

impl Split {
    /// Whether the user has something to decide.
    pub fn is_open(&self) -> bool {
        self.ask || self.divided.forks.iter().any(|fork| fork.open)
    }

    /// The letter of the rule that applies.
    pub fn tier(&self) -> Tier {
        if self.ask { Tier::C } else { Tier::B }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// The end of each doc that belongs to the session; none if the devices withdrew every end.
    pub targets: BTreeMap<DocName, ChainId>,
    pub split: Option<Split>,
    /// The user put the whole session away.
    pub away: bool,
}

pub fn settle(docs: &[DocEnds<'_>]) -> Settled {
    let found: Vec<(&DocEnds<'_>, Ends)> = docs
        .iter()
        .map(|doc| (doc, ends(doc.trie, &doc.tips, &doc.decided)))
        .collect();
    let put_away = |(doc, ends): &(&DocEnds<'_>, Ends)| {
        doc.main && ends.heads.is_empty() && !ends.away.is_empty()
    };
    if found.iter().any(put_away) {
        return Settled {
            away: true,
            ..Settled::default()
        };
    }
    // If the conversation itself diverged, the other docs follow its branches.
    let beside_parts = docs.iter().all(|doc| !doc.main || doc.tips.len() < 2);
    let may_part =
        |doc: &DocEnds<'_>| doc.main || ((beside_parts || doc.apart) && doc.kind == DocKind::Log);
    let parted = |(doc, ends): &&(&DocEnds<'_>, Ends)| 1 < ends.heads.len() && may_part(doc);
    let split = found.iter().filter(parted).max_by_key(|(doc, _)| doc.main);
    let split = split.and_then(|(doc, ends)| split_of(doc, ends));
    let trunk = split
        .as_ref()
        .map(|split| (&split.doc, split.divided.trunk));
    let parted = found.iter().find(|(doc, _)| {
        split
            .as_ref()
            .map_or(doc.main, |split| *doc.name == split.doc)
    });
    let author = parted.and_then(|(doc, ends)| {
        let trunk = split
            .as_ref()
            .map(|split| split.divided.trunk)
            .or(ends.heads.first().copied())?;
        author_of(doc, trunk)
    });
    let targets = found.iter().filter_map(|(doc, ends)| {
        let to = match trunk {
            Some((name, trunk)) if name == doc.name => Some(trunk),
            _ => beside(doc, &ends.heads, author),
        };
        Some((doc.name.clone(), to?))
    });
    Settled {
        targets: targets.collect(),
        split,
        away: false,
    }
}

/// The ends of all docs that belong to a fork.
pub fn fork_targets(
    docs: &[DocEnds<'_>],
    parted: &DocName,
    fork: &Fork,
) -> BTreeMap<DocName, ChainId> {
    let firsts = docs
        .iter()
        .find(|doc| doc.name == parted)
        .map(|doc| doc.firsts);
    let author = firsts
        .and_then(|firsts| firsts.get(&fork.first_line))
        .map(|first| first.device.as_str());
    let target = |doc: &DocEnds<'_>| {
        let to = if doc.name == parted {
            Some(fork.tip)
        } else if doc.main && 1 < doc.tips.len() && !doc.apart {
            trunk_of(doc)
        } else {
            let heads = ends(doc.trie, &doc.tips, &doc.decided).heads;
            beside(doc, &heads, author)
        };
        Some((doc.name.clone(), to?))
    };
    docs.iter().filter_map(target).collect()
}

/// Branches of docs beside the conversation that are in none of its sessions, although the user put
/// none of them away: the conversation diverged, and the device that began the branch has no branch
/// of the conversation. Each becomes a fork, so that every line can be read in some session.
/// `sessions`: the ends that belong to the session and to each of its forks.
pub fn left_over(
    docs: &[DocEnds<'_>],
    sessions: &[&BTreeMap<DocName, ChainId>],
) -> Vec<(DocName, Fork)> {
    let main = docs.iter().find(|doc| doc.main);
    let beside = docs
        .iter()
        .filter(|doc| !doc.main && !doc.apart && doc.kind == DocKind::Log);
    let of_doc = |doc: &DocEnds<'_>| {
        let is_left = |fork: &Fork| {
            let is_end = |targets: &&BTreeMap<_, _>| targets.get(doc.name) == Some(&fork.tip);
            !sessions.iter().any(is_end) && !main.is_some_and(|main| left_with(main, doc, fork.tip))
        };
        let left = each_branch(doc).into_iter().filter(is_left);
        left.map(|fork| (doc.name.clone(), fork))
            .collect::<Vec<_>>()
    };
    beside.flat_map(of_doc).collect()
}

/// All branches of a doc, the trunk included.
fn each_branch(doc: &DocEnds<'_>) -> Vec<Fork> {
    let ends = ends(doc.trie, &doc.tips, &doc.decided);
    let Some(divided) = divide(doc.trie, &ends, doc.firsts, &doc.decided) else {
        return Vec::new();
    };
    let first_line = first_line_after(doc.trie, divided.fork_point, divided.trunk);
    let trunk = first_line.map(|first_line| Fork {
        first_line,
        fork_point: divided.fork_point,
        tip: divided.trunk,
        open: false,
    });
    divided.forks.into_iter().chain(trunk).collect()
}

/// Whether this branch belonged to one of the conversation when the user put some of those away or
/// joined them: it stays with them. What its device writes after it heard of the decision has a
/// later stamp, and is left over again.
fn left_with(main: &DocEnds<'_>, doc: &DocEnds<'_>, tip: ChainId) -> bool {
    let (Some(first), Some(decision)) = (doc.firsts.get(&tip), main.decided.now) else {
        return false;
    };
    first.at < decision.id.at
        && !decision.choice.away.is_empty()
        && main.tips.iter().any(|end| began(main, *end, &first.device))
}

/// Whether the device began a branch that leads to this end.
fn began(doc: &DocEnds<'_>, end: ChainId, device: &str) -> bool {
    let others = doc.tips.iter().filter(|tip| **tip != end);
    let mut first_lines =
        others.filter_map(|tip| first_line_after(doc.trie, doc.trie.meet(end, *tip), end));
    first_lines.any(|line| {
        doc.firsts
            .get(&line)
            .is_some_and(|first| first.device == device)
    })
}

/// The branch that was recorded first, whatever the user decided: a fork that has it does not change
/// over to another branch.
fn trunk_of(doc: &DocEnds<'_>) -> Option<ChainId> {
    let ends = Ends {
        heads: doc.tips.clone(),
        away: Vec::new(),
    };
    divide(doc.trie, &ends, doc.firsts, &Decided::default()).map(|divided| divided.trunk)
}

fn split_of(doc: &DocEnds<'_>, ends: &Ends) -> Option<Split> {
    let divided = divide(doc.trie, ends, doc.firsts, &doc.decided)?;
    let doubt = if !doc.main {
        None
    } else if doc.opaque {
        Some(
            "Two devices changed the same file of this session, and it cannot be compared part by part.",
        )
    } else if divided.fork_point == doc.trie.start() && is_of_one(doc, &divided) {
        Some("One device has two sessions of the same id that have nothing in common.")
    } else if divided.fork_point == doc.trie.start() {
        Some("Two devices have sessions of the same id that have nothing in common.")
    } else if is_rewritten(doc.trie, &ends.heads) {
        Some("One device rewrote this session while another one continued it.")
    } else {
        None
    };
    // A decision counts only for the branches that the user knew of.
    let chosen = divided.forks.iter().all(|fork| !fork.open);
    let reason = doubt.unwrap_or(match doc.kind {
        DocKind::Log if is_of_one(doc, &divided) => "One device continued it in two versions.",
        DocKind::Log => "Two devices continued from the same point.",
        DocKind::Snapshot => "Two devices changed the same session, each in its own way.",
    });
    Some(Split {
        doc: doc.name.clone(),
        ask: doubt.is_some() && !chosen,
        reason: reason.into(),
        divided,
    })
}

/// Whether one device began all branches: it had two files of the session, or a part of its store
/// put back.
fn is_of_one(doc: &DocEnds<'_>, divided: &Divided) -> bool {
    let began = |line: &ChainId| doc.firsts.get(line).map(|first| first.device.as_str());
    let trunk = author_of(doc, divided.trunk);
    let mut forks = divided.forks.iter();
    trunk.is_some() && forks.all(|fork| began(&fork.first_line) == trunk)
}

/// Whether one device continued lines that their author withdrew.
fn is_rewritten(trie: &Trie, heads: &[ChainId]) -> bool {
    trie.replaced().iter().any(|replaced| {
        let continued = heads
            .iter()
            .filter(|tip| trie.is_ancestor(replaced.old, **tip));
        let took_back = |tip: ChainId| {
            trie.is_ancestor(replaced.new, tip)
                && !trie.is_ancestor(replaced.new, replaced.old)
                && tip != replaced.old
        };
        continued.count() > 0
            && heads
                .iter()
                .any(|tip| took_back(*tip) && !trie.is_ancestor(replaced.old, *tip))
    })
}

/// The device that began the branch of `trunk`, if others diverged from it, put away or not.
fn author_of<'a>(doc: &DocEnds<'a>, trunk: ChainId) -> Option<&'a str> {
    let others = doc
        .tips
        .iter()
        .filter(|tip| !doc.trie.is_ancestor(trunk, **tip));
    let fork_point = others
        .map(|tip| doc.trie.meet(trunk, *tip))
        .min_by_key(|node| doc.trie.size(*node).0)?;
    let first_line = first_line_after(doc.trie, fork_point, trunk)?;
    doc.firsts
        .get(&first_line)
        .map(|first| first.device.as_str())
}

/// The end of a doc beside the diverged one: by the same device, else the last one recorded.
fn beside(doc: &DocEnds<'_>, heads: &[ChainId], author: Option<&str>) -> Option<ChainId> {
    heads.iter().copied().max_by_key(|tip| {
        let first = doc.firsts.get(tip);
        (
            first.is_some_and(|first| Some(first.device.as_str()) == author),
            first.map(|first| first.at),
            *tip,
        )
    })
}
