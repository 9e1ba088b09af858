//! The branch layout of a split session: the questions of `merge::settle` answered from the
//! journals.

use super::context::Context;
use super::record::{Dependent, Dependents, DocState};
use crate::merge::snapshots::{Judged, is_json, judge};
use crate::merge::{
    ChoiceId, Decided, DocEnds, First, Firsts, Fork, Settled, branches, divide, first_line_after,
    fork_id, fork_targets, left_over, settle, substituted, ways,
};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::{
    ChainId, DocKind, DocName, Edge, Line, LineSource, SessionId, SessionKey, decent_name,
};
use crate::tools::Judge;
use crate::vault::journal_reader::JournalReader;
use crate::vault::piece::Piece;
use crate::vault::{Entry, JournalError};
use std::collections::{BTreeMap, BTreeSet};

/// The branches of a session, and its forks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BranchLayout {
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
    /// The doc that split.
    pub doc: DocName,
    pub first_line: ChainId,
    pub fork_point: ChainId,
    /// The name of the device that the branch is from.
    pub from: String,
    pub targets: BTreeMap<DocName, ChainId>,
    /// The fork's names for docs that two sessions cannot have under one name.
    pub names: BTreeMap<DocName, DocName>,
}

impl ForkPlan {
    /// The fork's name for a doc of the parent.
    pub fn name(&self, doc: &DocName) -> DocName {
        let named = self.names.get(doc).cloned();
        named.unwrap_or_else(|| DocName::new(substituted(doc.as_str(), &self.of, &self.session)))
    }

    fn is_new(&self, known: &[Self]) -> bool {
        known.iter().all(|plan| plan.first_line != self.first_line)
    }
}

/// The branches found in a doc.
struct Found {
    tips: Vec<ChainId>,
    opaque: bool,
}

/// Determines the branch layout. Reads journals only if a doc has several branches for the first
/// time.
pub fn branch_layout(
    session: SessionMut<'_>,
    dependents: &Dependents,
) -> Result<BranchLayout, JournalError> {
    let (context, key, record) = session.parts();
    let names: Vec<DocName> = record.docs.keys().cloned().collect();
    let mut found = BTreeMap::new();
    for name in names {
        let tips = find(SessionMut::new(context, key, record), &name)?;
        found.insert(name, tips);
    }
    let main = record.main().cloned();
    let apart = context.joins(&key.tool).unasked;
    let mut docs: Vec<DocEnds<'_>> = record
        .docs
        .iter()
        .filter_map(|(name, state)| {
            let Found { tips, opaque } = found.remove(name)?;
            let decided = Decided::of(&record.choices, name);
            let (trie, firsts, kind) = (&state.trie, &state.firsts, state.kind);
            Some(DocEnds {
                name,
                kind,
                main: Some(name) == main.as_ref(),
                trie,
                tips,
                firsts,
                decided,
                opaque,
                apart,
            })
        })
        .collect();
    let mut settled = settle(&docs);
    // A session leaves the stores as a whole when a decision about another session puts away the
    // branch that it is. Any other decision to that effect lacks a branch that has not arrived yet,
    // or is malicious.
    let now = main
        .as_ref()
        .and_then(|main| Decided::of(&record.choices, main).now);
    let follows = now.is_some_and(|now| now.choice.follows.is_some());
    if settled.away && (dependents.needed || !follows || !record.is_branch(None)) {
        docs.iter_mut()
            .for_each(|doc| doc.decided = Decided::default());
        settled = settle(&docs);
    }
    let decided = now.map(|now| now.id.clone());
    let ask = settled.split.as_ref().is_some_and(|split| split.ask);
    let mut wanted: Vec<(DocName, Fork)> = Vec::new();
    if let Some(split) = settled.split.as_ref().filter(|split| !split.ask) {
        wanted.extend(
            split
                .divided
                .forks
                .iter()
                .map(|fork| (split.doc.clone(), fork.clone())),
        );
    }
    if let (Some(main), false) = (&main, ask) {
        wanted.extend(
            needed(
                Session::new(context, key, record),
                main,
                &settled,
                &dependents.children,
            )?
            .map(|fork| (main.clone(), fork)),
        );
    }
    let mut forks: Vec<ForkPlan> = Vec::new();
    let session = Session::new(context, key, record);
    for (doc, fork) in wanted {
        forks.extend(fork_plan(session, &docs, &doc, &fork).filter(|plan| plan.is_new(&forks)));
    }
    if !ask && !settled.away {
        let sessions: Vec<_> = forks.iter().map(|plan| &plan.targets).collect();
        for (doc, fork) in left_over(&docs, &[&sessions[..], &[&settled.targets]].concat()) {
            // A fork of another doc may have this branch, too.
            let has = |plan: &ForkPlan| plan.targets.get(&doc) == Some(&fork.tip);
            if !forks.iter().any(has) {
                forks.extend(
                    fork_plan(session, &docs, &doc, &fork).filter(|plan| plan.is_new(&forks)),
                );
            }
        }
    }
    let is_empty = main
        .as_ref()
        .and_then(|main| record.docs.get(main))
        .is_some_and(|state| {
            // All of it was written by a device that is revoked since an earlier time.
            state.trie.has_excluded_tips() && state.trie.heads() == [state.trie.start()]
        });
    if is_empty {
        let settled = Settled {
            away: true,
            ..Settled::default()
        };
        return Ok(BranchLayout {
            settled,
            forks: Vec::new(),
            decided,
        });
    }
    Ok(BranchLayout {
        settled,
        forks,
        decided,
    })
}

/// The session that a branch becomes; `None` as long as the id of its own session is not known.
fn fork_plan(
    session: Session<'_>,
    docs: &[DocEnds<'_>],
    doc: &DocName,
    fork: &Fork,
) -> Option<ForkPlan> {
    let (context, key, record) = session.parts();
    let in_fork = context.joins(&key.tool).in_fork;
    let renamed = |name: &DocName| Some((name.clone(), DocName::new(in_fork?(name.as_str())?)));
    let of = record.session.clone()?;
    Some(ForkPlan {
        session: fork_id(&of, fork.first_line),
        of,
        doc: doc.clone(),
        first_line: fork.first_line,
        fork_point: fork.fork_point,
        from: author(&record.docs[doc], fork.first_line),
        targets: fork_targets(docs, doc, fork),
        names: record.docs.keys().filter_map(renamed).collect(),
    })
}

/// Branches that hold the beginning of other sessions.
fn needed(
    session: Session<'_>,
    main: &DocName,
    settled: &Settled,
    children: &[Dependent],
) -> Result<impl Iterator<Item = Fork>, JournalError> {
    let Session { record, .. } = session;
    let mut found = Vec::new();
    let forks = settled
        .split
        .iter()
        .filter(|split| split.doc == *main)
        .flat_map(|split| &split.divided.forks);
    let forks: Vec<ChainId> = forks.map(|fork| fork.tip).collect();
    let has_fork = |child: &&Dependent| {
        forks
            .iter()
            .any(|end| child.lies_on(&record.docs[main], *end))
    };
    if let Some(target) = settled.targets.get(main) {
        for (fork_point, tip) in children
            .iter()
            .filter(|child| !has_fork(child))
            .filter_map(|child| child.fork_point(&record.docs[main], *target))
        {
            let first_line = first_line(session, main, fork_point, tip)?;
            found.extend(first_line.map(|first_line| Fork {
                first_line,
                fork_point,
                tip,
                open: false,
            }));
        }
    }
    Ok(found.into_iter())
}

/// The first line on the path from `node` to `tip`.
pub fn first_line(
    session: Session<'_>,
    doc: &DocName,
    node: ChainId,
    tip: ChainId,
) -> Result<Option<ChainId>, JournalError> {
    let (context, key, record) = session.parts();
    let Some(edge) = record.docs[doc].trie.first_edge(node, tip) else {
        return Ok(None);
    };
    first_of(
        edge,
        &context.journal_reader(&key.tool, &record.journals, doc),
    )
    .map(Some)
}

/// The first line of an edge; an edge of one line need not be read.
fn first_of(edge: &Edge, journal_reader: &JournalReader<'_>) -> Result<ChainId, JournalError> {
    match edge.lines {
        1 => Ok(edge.tip),
        _ => Ok(journal_reader
            .tips(edge)?
            .first()
            .map_or(edge.tip, |line| line.tip)),
    }
}

/// The name of the device that recorded a line first.
pub fn author(state: &DocState, line: ChainId) -> String {
    let first = state.firsts.get(&line);
    let name = first.map(|first| {
        if first.name.is_empty() {
            first.device.chars().take(7).collect()
        } else {
            decent_name(&first.name)
        }
    });
    name.unwrap_or_else(|| "another device".into())
}

/// The branches of a doc, after pinning and looking up everything needed to divide them.
fn find(session: SessionMut<'_>, name: &DocName) -> Result<Found, JournalError> {
    let (context, key, record) = session.parts();
    let Some(mut state) = record.docs.remove(name) else {
        return Ok(Found {
            tips: Vec::new(),
            opaque: false,
        });
    };
    let found = find_in(Session::new(context, key, record), name, &mut state);
    record.docs.insert(name.clone(), state);
    found
}

fn find_in(
    session: Session<'_>,
    name: &DocName,
    state: &mut DocState,
) -> Result<Found, JournalError> {
    let (context, key, record) = session.parts();
    let journal_reader = context.journal_reader(&key.tool, &record.journals, name);
    let mut pins: BTreeSet<ChainId> = BTreeSet::new();
    for choice in record
        .choices
        .iter()
        .map(|chosen| &chosen.choice)
        .filter(|choice| choice.doc == *name)
    {
        pins.extend(choice.trunk);
        pins.extend(&choice.away);
        pins.extend(choice.made.iter().flat_map(|made| [made.from, made.tip]));
    }
    // The fork's own lines begin where this device's image of the parent's branch ends.
    pins.extend(record.image.get(name).map(|imaged| imaged.tip));
    for pin in &pins {
        state.trie.pin(*pin, &journal_reader)?;
    }
    let (mut tips, mut opaque) = (branches(&state.trie), false);
    if 1 < tips.len()
        && (state.kind == DocKind::Snapshot || context.joins(&key.tool).judge.is_some())
    {
        (tips, opaque) = compare_contents(context, key, (name, state), &journal_reader, tips)?;
    }
    let decided = Decided::of(&record.choices, name);
    let heads = divide::ends(&state.trie, &tips, &decided).heads;
    let mut wanted: BTreeSet<ChainId> = BTreeSet::new();
    // Includes branches that were put away: they determine who wrote the others.
    let mut ends: Vec<ChainId> = tips.iter().chain(&heads).copied().collect();
    ends.sort();
    ends.dedup();
    if 1 < ends.len() {
        for (node, tip) in ways(&state.trie, &ends) {
            let Some(edge) = state.trie.first_edge(node, tip).cloned() else {
                continue;
            };
            let first = first_of(&edge, &journal_reader)?;
            state.trie.pin(first, &journal_reader)?;
            wanted.extend(first_line_after(&state.trie, node, tip));
        }
        pins.extend(&wanted);
        // The author of a doc's end matters for side docs only, and finding it means reading all
        // journals.
        let is_main = record.origin().is_some_and(|card| card.main == *name);
        wanted.extend(heads.iter().filter(|_| !is_main && 1 < heads.len()));
        pins.extend(&ends);
    }
    state.trie.unpin_all_but(&pins);
    let unknown: BTreeSet<ChainId> = wanted
        .iter()
        .filter(|line| !state.firsts.contains_key(line))
        .copied()
        .collect();
    if !unknown.is_empty() {
        let firsts = find_firsts(session, name, &unknown)?;
        state.firsts.extend(firsts);
    }
    Ok(Found { tips, opaque })
}

/// Finds who recorded these lines first; reads all journals.
fn find_firsts(
    session: Session<'_>,
    name: &DocName,
    wanted: &BTreeSet<ChainId>,
) -> Result<Firsts, JournalError> {
    let (context, key, record) = session.parts();
    let journal_reader = context.journal_reader(&key.tool, &record.journals, name);
    let mut firsts = Firsts::new();
    for journal in record.journals.values() {
        journal_reader.scan(journal, |head, entry| {
            let mut note = |line: ChainId| {
                if wanted.contains(&line) {
                    let first = First {
                        at: head.at,
                        device: journal.device.clone(),
                        name: head.by.clone(),
                    };
                    let known = firsts.entry(line).or_insert_with(|| first.clone());
                    *known = first.min(known.clone());
                }
            };
            match entry {
                Entry::Lines {
                    doc, after, bytes, ..
                } if doc == name => {
                    Line::chained(*after, bytes, |_| true)
                        .iter()
                        .for_each(|line| note(line.tip));
                }
                Entry::Whole { doc, tip, .. } | Entry::Piece(Piece { doc, tip, .. })
                    if doc == name =>
                {
                    note(*tip)
                }
                _ => {}
            }
        })?;
    }
    Ok(firsts)
}

/// The branches whose contents differ: a branch that another one continues, part by part, is
/// dropped. Also returns whether some branches cannot be compared in this way.
fn compare_contents(
    context: &Context,
    key: &SessionKey,
    (name, state): (&DocName, &DocState),
    journal_reader: &JournalReader<'_>,
    tips: Vec<ChainId>,
) -> Result<(Vec<ChainId>, bool), JournalError> {
    let mut told: Vec<(ChainId, Vec<u8>)> = Vec::new();
    for tip in tips {
        told.push((
            tip,
            journal_reader.content(state.kind, &state.trie.path(tip).unwrap_or_default())?,
        ));
    }
    let judge = judge_of(context, key);
    let mut left = Vec::new();
    for (tip, content) in &told {
        let mut outdone = false;
        for (other, theirs) in told.iter().filter(|(other, _)| other != tip) {
            let judged = context.judged([*tip, *other], || {
                Ok::<_, JournalError>(judge(name, content, theirs))
            })?;
            outdone |= judged == Judged::Second || (judged == Judged::Same && tip > other);
        }
        left.extend((!outdone).then_some((*tip, content)));
    }
    let opaque = 1 < left.len()
        && state.kind == DocKind::Snapshot
        && left.iter().any(|(_, content)| !is_json(content));
    Ok((left.into_iter().map(|(tip, _)| tip).collect(), opaque))
}

/// The function that compares two contents of a tool's docs.
fn judge_of(context: &Context, key: &SessionKey) -> Judge {
    context
        .joins(&key.tool)
        .judge
        .unwrap_or(|_, first, second| judge(first, second))
}

/// Whether the content at `new` holds everything that the one at `old` does, so that writing `new`
/// loses nothing.
pub fn keeps_all_messages(
    session: Session<'_>,
    name: &DocName,
    (new, old): (ChainId, ChainId),
) -> Result<bool, JournalError> {
    let judged = judged(session, name, (new, old))?;
    Ok(matches!(judged, Judged::First | Judged::Same))
}

/// How the contents at two ends of a doc relate.
pub(super) fn judged(
    session: Session<'_>,
    name: &DocName,
    (first, second): (ChainId, ChainId),
) -> Result<Judged, JournalError> {
    let (context, key, record) = session.parts();
    let Some(state) = record.docs.get(name) else {
        return Ok(Judged::Both);
    };
    let journal_reader = context.journal_reader(&key.tool, &record.journals, name);
    let content =
        |tip| journal_reader.content(state.kind, &state.trie.path(tip).unwrap_or_default());
    context.judged([first, second], || {
        let judge = judge_of(context, key);
        Ok(judge(name, &content(first)?, &content(second)?))
    })
}

/// The content into which a tool's format unites a main doc's branches without doubt, and the end
/// that it follows: the same on every device with the same branches. `None` if the format cannot.
pub fn united(
    session: Session<'_>,
    layout: &BranchLayout,
) -> Result<Option<(DocName, ChainId, Vec<u8>)>, JournalError> {
    let (context, key, record) = session.parts();
    let (Some(unite), Some(split)) = (context.joins(&key.tool).union, &layout.settled.split) else {
        return Ok(None);
    };
    let Some(state) = record
        .docs
        .get(&split.doc)
        .filter(|_| record.main() == Some(&split.doc))
    else {
        return Ok(None);
    };
    let divided = &split.divided;
    let ends: BTreeSet<ChainId> = divided
        .forks
        .iter()
        .map(|fork| fork.tip)
        .chain([divided.trunk])
        .collect();
    let journal_reader = context.journal_reader(&key.tool, &record.journals, &split.doc);
    let mut contents = Vec::new();
    for end in &ends {
        contents
            .push(journal_reader.content(state.kind, &state.trie.path(*end).unwrap_or_default())?);
    }
    let (Some(first), Some(after)) = (contents.first().cloned(), ends.first()) else {
        return Ok(None);
    };
    let united = contents[1..]
        .iter()
        .try_fold(first, |united, content| unite(&united, content))
        // Larger than what can be recorded, it stays in two sessions.
        .filter(|united| united.len() as u64 <= context.sizes.snapshot);
    let judge = judge_of(context, key);
    let keeps_all_messages = |united: &Vec<u8>| {
        contents.iter().all(|content| {
            matches!(
                judge(&split.doc, united, content),
                Judged::First | Judged::Same
            )
        })
    };
    Ok(united
        .filter(keeps_all_messages)
        .map(|united| (split.doc.clone(), *after, united)))
}
