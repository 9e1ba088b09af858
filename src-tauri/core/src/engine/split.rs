//! How a session that went two ways stands: the questions of `merge::settle` answered from the journals.

use super::context::Context;
use super::ingest::chain;
use super::record::{DocState, SessionRecord};
use crate::merge::snapshots::{Judged, is_json, judge};
use crate::merge::{
    ChoiceId, Decided, DocEnds, First, Firsts, Settled, branches, divide, fork_id, fork_targets, head, settle,
    substituted, ways,
};
use crate::session::{ChainId, DocKind, DocName, SessionId, SessionKey, Tips};
use crate::vault::journal::Shelf;
use crate::vault::{Entry, JournalError};
use std::collections::{BTreeMap, BTreeSet};

/// How a session stands, and what it has beside itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stand {
    pub settled: Settled,
    /// Branches that are, or become, sessions of their own.
    pub forks: Vec<ForkPlan>,
    /// The decision that counts.
    pub decided: Option<ChoiceId>,
}

/// A branch that is a session of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct ForkPlan {
    pub of: SessionId,
    pub session: SessionId,
    /// The doc that went two ways.
    pub doc: DocName,
    pub head: ChainId,
    pub leaves: ChainId,
    /// The device it is from, by name.
    pub from: String,
    pub targets: BTreeMap<DocName, ChainId>,
    /// What the fork calls docs that two sessions cannot have under one name.
    pub names: BTreeMap<DocName, DocName>,
}

impl ForkPlan {
    /// What a doc of the parent is called in the fork.
    pub fn name(&self, doc: &DocName) -> DocName {
        let named = self.names.get(doc).cloned();
        named.unwrap_or_else(|| DocName::new(substituted(doc.as_str(), &self.of, &self.session)))
    }
}

/// What was found out about a doc's branches.
struct Found {
    tips: Vec<ChainId>,
    opaque: bool,
}

/// Works out how the session stands. Reads journals only where a doc has several branches for the first time.
pub fn stand(context: &Context, key: &SessionKey, record: &mut SessionRecord) -> Result<Stand, JournalError> {
    let names: Vec<DocName> = record.docs.keys().cloned().collect();
    let mut found = BTreeMap::new();
    for name in names {
        let tips = find(context, key, record, &name)?;
        found.insert(name, tips);
    }
    let main = record.main().cloned();
    let docs: Vec<DocEnds<'_>> = record
        .docs
        .iter()
        .filter_map(|(name, state)| {
            let Found { tips, opaque } = found.remove(name)?;
            let decided = Decided::of(&record.choices, name);
            let (trie, firsts, kind) = (&state.trie, &state.firsts, state.kind);
            Some(DocEnds { name, kind, main: Some(name) == main.as_ref(), trie, tips, firsts, decided, opaque })
        })
        .collect();
    let settled = settle(&docs);
    let decided = main.as_ref().and_then(|main| Decided::of(&record.choices, main).now).map(|now| now.id.clone());
    let in_fork = context.joins(&key.tool).in_fork;
    let renamed = |name: &DocName| Some((name.clone(), DocName::new(in_fork?(name.as_str())?)));
    let forks = match (&settled.split, &record.session) {
        (Some(split), Some(session)) if !split.ask => split
            .divided
            .forks
            .iter()
            .map(|fork| ForkPlan {
                of: session.clone(),
                session: fork_id(session, fork.head),
                doc: split.doc.clone(),
                head: fork.head,
                leaves: fork.leaves,
                from: author(&record.docs[&split.doc], fork.head),
                targets: fork_targets(&docs, split, fork),
                names: record.docs.keys().filter_map(renamed).collect(),
            })
            .collect(),
        _ => Vec::new(),
    };
    Ok(Stand { settled, forks, decided })
}

/// The name of the device that recorded a line first.
pub fn author(state: &DocState, line: ChainId) -> String {
    let first = state.firsts.get(&line);
    let name = first
        .map(|first| if first.name.is_empty() { first.device.chars().take(7).collect() } else { first.name.clone() });
    name.unwrap_or_else(|| "another device".into())
}

/// The branches of a doc, with everything pinned and looked up that dividing them needs.
fn find(
    context: &Context,
    key: &SessionKey,
    record: &mut SessionRecord,
    name: &DocName,
) -> Result<Found, JournalError> {
    let Some(mut state) = record.docs.remove(name) else { return Ok(Found { tips: Vec::new(), opaque: false }) };
    let found = find_in(context, key, record, name, &mut state);
    record.docs.insert(name.clone(), state);
    found
}

fn find_in(
    context: &Context,
    key: &SessionKey,
    record: &SessionRecord,
    name: &DocName,
    state: &mut DocState,
) -> Result<Found, JournalError> {
    let shelf = context.shelf(&key.tool, &record.journals, name);
    let mut pins: BTreeSet<ChainId> = BTreeSet::new();
    for choice in record.choices.iter().map(|chosen| &chosen.choice).filter(|choice| choice.doc == *name) {
        pins.extend(choice.trunk);
        pins.extend(&choice.away);
        pins.extend(choice.made.iter().flat_map(|made| [made.from, made.tip]));
    }
    for pin in &pins {
        state.trie.pin(*pin, &shelf)?;
    }
    let (mut tips, mut opaque) = (branches(&state.trie), false);
    if state.kind == DocKind::Snapshot && 1 < tips.len() {
        (tips, opaque) = compare_snapshots(state, &shelf, tips)?;
    }
    let decided = Decided::of(&record.choices, name);
    let live = divide::ends(&state.trie, &tips, &decided).live;
    let mut wanted: BTreeSet<ChainId> = BTreeSet::new();
    if 1 < live.len() {
        for (node, tip) in ways(&state.trie, &live) {
            let Some(edge) = state.trie.first_edge(node, tip).cloned() else { continue };
            let first = shelf.tips(&edge)?.first().map_or(edge.tip, |line| line.tip);
            state.trie.pin(first, &shelf)?;
            wanted.extend(head(&state.trie, node, tip));
        }
        pins.extend(&wanted);
        wanted.extend(&live);
        pins.extend(&live);
    }
    state.trie.unpin_all_but(&pins);
    let unknown: BTreeSet<ChainId> = wanted.iter().filter(|line| !state.firsts.contains_key(line)).copied().collect();
    if !unknown.is_empty() {
        let firsts = find_firsts(context, key, record, name, &unknown)?;
        state.firsts.extend(firsts);
    }
    Ok(Found { tips, opaque })
}

/// Who recorded these lines first: all journals are read.
fn find_firsts(
    context: &Context,
    key: &SessionKey,
    record: &SessionRecord,
    name: &DocName,
    wanted: &BTreeSet<ChainId>,
) -> Result<Firsts, JournalError> {
    let shelf = context.shelf(&key.tool, &record.journals, name);
    let mut firsts = Firsts::new();
    for journal in record.journals.values() {
        shelf.scan(journal, |head, entry| {
            let mut note = |line: ChainId| {
                if wanted.contains(&line) {
                    let first = First { at: head.at, device: journal.device.clone(), name: head.by.clone() };
                    let known = firsts.entry(line).or_insert_with(|| first.clone());
                    *known = first.min(known.clone());
                }
            };
            match entry {
                Entry::Lines { doc, after, bytes, .. } if doc == name => {
                    chain(*after, bytes, |_| true).iter().for_each(|line| note(line.tip));
                }
                Entry::Whole { doc, tip, .. } if doc == name => note(*tip),
                _ => {}
            }
        })?;
    }
    Ok(firsts)
}

/// Branches of a snapshot that tell different things: one that another goes on from, part by part, is none. Says
/// whether some cannot be compared so.
fn compare_snapshots(
    state: &DocState,
    shelf: &Shelf<'_>,
    tips: Vec<ChainId>,
) -> Result<(Vec<ChainId>, bool), JournalError> {
    let mut told: Vec<(ChainId, Vec<u8>)> = Vec::new();
    for tip in tips {
        told.push((tip, shelf.snapshot(&state.trie.path(tip).unwrap_or_default())?));
    }
    let outdone = |(tip, content): &(ChainId, Vec<u8>)| {
        told.iter().any(|(other, theirs)| match judge(content, theirs) {
            Judged::Same => tip > other,
            Judged::Second => true,
            Judged::First | Judged::Both => false,
        })
    };
    let left: Vec<_> = told.iter().filter(|told| !outdone(told)).collect();
    let opaque = 1 < left.len() && left.iter().any(|(_, content)| !is_json(content));
    Ok((left.into_iter().map(|(tip, _)| *tip).collect(), opaque))
}
