//! Decides which branch of a split doc keeps the session's id and which branches become sessions of
//! their own.
//!
//! The trunk is the branch that was recorded first, unless the user decided otherwise: at every
//! fork point the branch whose first line was recorded first continues. The answer therefore
//! depends only on the set of lines and stamps.

use super::choice::Decided;
use crate::session::{ChainId, Hlc, Trie};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who recorded a line first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct First {
    pub at: Hlc,
    /// The short id.
    pub device: String,
    /// The device's name when it recorded the line.
    pub name: String,
}

pub type Firsts = BTreeMap<ChainId, First>;

/// The ends that count after the user's decisions are applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ends {
    pub heads: Vec<ChainId>,
    pub away: Vec<ChainId>,
}

/// A branch beside the trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Its first line.
    pub first_line: ChainId,
    /// The last node that the branch shares with the others.
    pub fork_point: ChainId,
    pub tip: ChainId,
    /// The user has not decided about this branch.
    pub open: bool,
}

/// How a doc's branches are divided.
#[derive(Clone, Debug, PartialEq)]
pub struct Divided {
    pub trunk: ChainId,
    /// The node where the first of the forks leaves the trunk.
    pub fork_point: ChainId,
    /// Ordered by first recording.
    pub forks: Vec<Fork>,
}

/// Removes the ends that the user put away and the lines written for undone decisions. `tips` are
/// the branches with conversation of their own ([`super::branches`]).
pub fn ends(trie: &Trie, tips: &[ChainId], decided: &Decided<'_>) -> Ends {
    // Opening a session to look at it adds no message.
    let is_still = |tip: ChainId, end: ChainId| {
        tip == end || (trie.is_ancestor(end, tip) && trie.messages_between(end, tip) == 0)
    };
    let mut heads: Vec<ChainId> = tips.to_vec();
    loop {
        let back = heads.iter().enumerate().find_map(|(at, tip)| {
            // Only ever upwards: whatever lines another device claims to have made, the loop ends,
            // and at an existing line.
            let goes_up = |from: ChainId| from != *tip && trie.is_ancestor(from, *tip);
            let made = decided
                .undone_lines
                .iter()
                .find(|made| is_still(*tip, made.tip) && goes_up(made.from))?;
            Some((at, made.from))
        });
        let Some((at, from)) = back else { break };
        heads.remove(at);
        if !heads.iter().any(|other| trie.is_ancestor(from, *other)) {
            heads.push(from);
        }
    }
    let put_away = decided
        .choice()
        .map(|choice| choice.away.as_slice())
        .unwrap_or_default();
    let (away, mut heads): (Vec<_>, Vec<_>) = heads
        .into_iter()
        .partition(|tip| put_away.iter().any(|end| is_still(*tip, *end)));
    heads.sort();
    Ends { heads, away }
}

/// The branches at every fork point: the node above the branch and one of its ends. [`divide`]
/// needs their first lines.
pub fn ways(trie: &Trie, heads: &[ChainId]) -> Vec<(ChainId, ChainId)> {
    let mut found = Vec::new();
    let mut groups = vec![heads.to_vec()];
    while let Some(group) = groups.pop() {
        let Some((node, parts)) = part(trie, &group) else {
            continue;
        };
        found.extend(parts.iter().map(|part| (node, part[0])));
        groups.extend(parts);
    }
    found
}

/// The node where several ends diverge, and the ends grouped by branch; `None` for a single end.
fn part(trie: &Trie, group: &[ChainId]) -> Option<(ChainId, Vec<Vec<ChainId>>)> {
    if group.len() < 2 {
        return None;
    }
    let node = group[1..]
        .iter()
        .fold(group[0], |node, tip| trie.meet(node, *tip));
    let mut parts: Vec<Vec<ChainId>> = Vec::new();
    for tip in group {
        match parts
            .iter_mut()
            .find(|part| trie.meet(part[0], *tip) != node)
        {
            Some(part) => part.push(*tip),
            None => parts.push(vec![*tip]),
        }
    }
    Some((node, parts))
}

/// The first line from `node` towards `tip`, if that line is a node of its own.
pub fn first_line_after(trie: &Trie, node: ChainId, tip: ChainId) -> Option<ChainId> {
    trie.first_edge(node, tip)
        .filter(|edge| edge.lines == 1)
        .map(|edge| edge.tip)
}

/// Ends that are not divided yet.
struct Group {
    ends: Vec<ChainId>,
    /// First line and fork point of the fork these ends belong to; `None` for the trunk.
    fork: Option<(ChainId, ChainId)>,
}

/// Divides the ends among the session and its forks; `None` if there are no ends. An unknown first
/// line counts as recorded last. Branches that were put away take part, so that no other branch
/// gets their name.
pub fn divide(trie: &Trie, ends: &Ends, firsts: &Firsts, decided: &Decided<'_>) -> Option<Divided> {
    let mut divided = Divided {
        trunk: *ends.heads.first()?,
        fork_point: trie.start(),
        forks: Vec::new(),
    };
    let lives = |part: &[ChainId]| part.iter().any(|end| ends.heads.contains(end));
    let choice = decided.choice();
    let wanted = choice.and_then(|choice| choice.trunk);
    let seen = choice
        .map(|choice| choice.seen.as_slice())
        .unwrap_or_default();
    let mut groups = vec![Group {
        ends: ends.heads.iter().chain(&ends.away).copied().collect(),
        fork: None,
    }];
    let mut first_parting = None;
    while let Some(Group { ends, fork }) = groups.pop() {
        let Some((node, mut parts)) = part(trie, &ends) else {
            match fork {
                None => divided.trunk = ends[0],
                Some((first_line, fork_point)) => divided.forks.push(Fork {
                    first_line,
                    fork_point,
                    tip: ends[0],
                    open: !seen.contains(&first_line),
                }),
            }
            continue;
        };
        if fork.is_none() {
            parts.retain(|part| lives(part));
            if 1 < parts.len() {
                first_parting.get_or_insert(node);
            }
        }
        let first_line = |part: &[ChainId]| first_line_after(trie, node, part[0]);
        parts.sort_by_key(|part| {
            let holds_wanted =
                wanted.is_some_and(|wanted| part.iter().any(|tip| trie.is_ancestor(wanted, *tip)));
            let first = first_line(part)
                .and_then(|first_line| firsts.get(&first_line))
                .map(|first| first.at);
            (
                fork.is_some() || !holds_wanted,
                first.is_none(),
                first,
                first_line(part),
            )
        });
        groups.extend(parts.into_iter().enumerate().map(|(at, ends)| {
            let fork = if at == 0 {
                fork
            } else {
                Some((first_line(&ends).unwrap_or(ends[0]), node))
            };
            Group { ends, fork }
        }));
        groups.retain(|group| lives(&group.ends));
    }
    divided.fork_point = first_parting.unwrap_or(divided.trunk);
    let first = |fork: &Fork| {
        (
            firsts.get(&fork.first_line).map(|first| first.at),
            fork.first_line,
        )
    };
    divided.forks.sort_by_key(first);
    Some(divided)
}
