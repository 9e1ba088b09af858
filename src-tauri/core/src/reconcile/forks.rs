//! Takes a branch of another session over as a session of its own: the parent's docs with the id
//! substituted, recorded as usual. Every device produces the same bytes, so any of them may be
//! first.

use super::context::Context;
use super::record::{Imaged, SessionRecord};
use super::recorder::{RecordError, Recorded, Recorder};
use super::split::ForkPlan;
use crate::merge::{fork_title, substitute, substituted};
use crate::reconcile::session::SessionMut;
use crate::session::chain::lines_of;
use crate::session::{ChainId, DocKind, DocName, Lane, SessionKey, Trie};
use crate::vault::{ForkOf, SessionCard};

/// What a fork's reconcile needs from its parent.
#[derive(Clone, Debug)]
pub struct Parent {
    pub key: SessionKey,
    pub record: SessionRecord,
    pub plan: ForkPlan,
}

/// Whether a fork already has everything that its parent has for it.
pub fn is_taken_over(fork: &SessionRecord, plan: &ForkPlan) -> bool {
    plan.targets.iter().all(|(doc, to)| {
        let name = plan.name(doc);
        fork.image.get(&name).is_some_and(|imaged| imaged.of == *to)
    })
}

/// Records what is new of the branch.
pub fn take_over(session: SessionMut<'_>, parent: &Parent) -> Result<Recorded, RecordError> {
    let (context, key, record) = session.parts();
    let plan = &parent.plan;
    record.session.get_or_insert_with(|| plan.session.clone());
    let Some(origin) = parent.record.origin() else {
        return Ok(Recorded::default());
    };
    let common = common(context, parent)?;
    let joins = context.joins(&key.tool);
    // A title that changes with time would make every device write another line.
    let named = joins.named.and_then(|named| named(&common));
    let lasting = named.is_some();
    let title = fork_title(
        named
            .or_else(|| origin.title.clone())
            .as_deref()
            .unwrap_or("Untitled"),
        &plan.from,
    );
    let own = parent
        .record
        .cards
        .get(&context.short)
        .map(|said| &said.card);
    let card = SessionCard {
        project: origin.project.clone(),
        // The directory of another device means nothing on this one.
        cwd: own.and_then(|card| card.cwd.clone()),
        title: Some(title.clone()),
        updated: parent
            .record
            .latest()
            .map(|card| card.updated)
            .unwrap_or_default(),
        version: origin.version.clone(),
        requires: origin.requires.clone(),
        main: plan.name(&origin.main),
        base: origin.base.clone(),
        fork: Some(ForkOf {
            session: plan.of.clone(),
            first_line: plan.first_line,
            from: plan.from.clone(),
        }),
    };
    let main = origin.main.clone();
    let title_line = joins
        .title
        .filter(|_| lasting && plan.doc == main)
        .map(|line| line(&plan.session, &title));
    let mut recorder = Recorder::new(context, key, &plan.session, Lane::Live, record, card);
    let beside = plan.targets.iter().filter(|(doc, _)| **doc != main);
    for (doc, to) in beside.chain(plan.targets.get_key_value(&main)) {
        let title = title_line.as_deref().filter(|_| *doc == main);
        take_doc(context, &mut recorder, record, parent, doc, *to, title)?;
    }
    Ok(recorder.done)
}

/// What the branch has in common with the trunk.
fn common(context: &Context, parent: &Parent) -> Result<Vec<u8>, RecordError> {
    let Some(state) = parent.record.docs.get(&parent.plan.doc) else {
        return Ok(Vec::new());
    };
    let journal_reader =
        context.journal_reader(&parent.key.tool, &parent.record.journals, &parent.plan.doc);
    Ok(journal_reader.content(
        state.kind,
        &state.trie.path(parent.plan.fork_point).unwrap_or_default(),
    )?)
}

fn take_doc(
    context: &Context,
    recorder: &mut Recorder<'_>,
    record: &mut SessionRecord,
    parent: &Parent,
    doc: &DocName,
    to: ChainId,
    title: Option<&[u8]>,
) -> Result<(), RecordError> {
    let Some(state) = parent.record.docs.get(doc) else {
        return Ok(());
    };
    let plan = &parent.plan;
    let name = plan.name(doc);
    let at = substituted(&state.at, &plan.of, &plan.session);
    let known = record.image.get(&name).copied();
    // The parent may have continued since the plan was made; its next reconcile has the new target.
    let is_gone = state.trie.path(to).is_none()
        || state.trie.path(plan.fork_point).is_none() && *doc == plan.doc;
    if is_gone || known.is_some_and(|known| known.of == to) {
        return Ok(());
    }
    let journal_reader = context.journal_reader(&parent.key.tool, &parent.record.journals, doc);
    let read = |from: ChainId, to: ChainId| -> Result<Vec<u8>, RecordError> {
        let mut bytes =
            journal_reader.content(state.kind, &way(&state.trie, state.kind, from, to))?;
        substitute(&mut bytes, &plan.of, &plan.session);
        Ok(bytes)
    };
    let start = state.trie.start();
    let weave = |tail: &[u8], begins: u64| match title {
        Some(title) => weave(tail, begins, title, context.is_message(&parent.key.tool)),
        None => tail.to_vec(),
    };
    let tip = match (state.kind, known) {
        (DocKind::Snapshot, known) => {
            let after = known.map_or(start, |known| known.tip);
            recorder.generation_of(record, (&name, &at), after, &read(start, to)?)?
        }
        (DocKind::Log, Some(known)) if state.trie.is_ancestor(known.of, to) => {
            let begins = state
                .trie
                .size(known.of)
                .1
                .saturating_sub(state.trie.size(plan.fork_point).1);
            recorder.text(
                record,
                (&name, &at),
                known.tip,
                &weave(&read(known.of, to)?, begins),
            )?
        }
        (DocKind::Log, _) => {
            let fork_point = if *doc == plan.doc {
                plan.fork_point
            } else {
                start
            };
            let mut text = read(start, fork_point)?;
            text.extend(weave(&read(fork_point, to)?, 0));
            recorder.text(record, (&name, &at), start, &text)?
        }
    };
    record.image.insert(name, Imaged { of: to, tip });
    Ok(())
}

/// Puts the title into a branch: before its first message, and again at intervals, because a tool
/// may search for it near the end only (Claude Code 2.1.330 within 64 KB, 2026-11-23). `begins` is
/// where `tail` begins in the branch: the places depend on nothing else, so the branch may grow in
/// any steps.
fn weave(tail: &[u8], begins: u64, title: &[u8], is_message: fn(&[u8]) -> bool) -> Vec<u8> {
    const AGAIN: u64 = 48 << 10;
    let (mut woven, mut at, mut spoken) = (
        Vec::with_capacity(tail.len() + title.len()),
        begins,
        0 < begins,
    );
    for line in lines_of(tail) {
        let next = at + line.len() as u64;
        if !spoken && is_message(line) {
            woven.extend_from_slice(title);
            spoken = true;
        }
        woven.extend_from_slice(line);
        // After the line that crosses the mark: before a line longer than a tool reads, it would
        // not be found.
        if spoken && at / AGAIN != next / AGAIN {
            woven.extend_from_slice(title);
        }
        at = next;
    }
    woven
}

/// The edges that hold the wanted content: of a snapshot always all of them.
fn way(trie: &Trie, kind: DocKind, from: ChainId, to: ChainId) -> Vec<&crate::session::Edge> {
    match kind {
        DocKind::Snapshot => trie.path(to).unwrap_or_default(),
        DocKind::Log => trie.path_between(from, to).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_message(line: &[u8]) -> bool {
        !line.starts_with(b"_")
    }

    proptest! {
        #[test]
        fn the_title_stands_in_the_same_places_however_the_branch_grew(
            lines in prop::collection::vec((any::<bool>(), 1..40_000usize), 1..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let line = |(noted, len): &(bool, usize)| format!("{}{}\n", if *noted { "_" } else { "x" }, "y".repeat(*len)).into_bytes();
            let mut lines: Vec<Vec<u8>> = lines.iter().map(line).collect();
            // A fork begins as soon as there is a message.
            lines.insert(0, b"x\n".to_vec());
            let cut = 1 + cut.index(lines.len());
            let (first, second) = (lines[..cut].concat(), lines[cut..].concat());
            let whole = weave(&lines.concat(), 0, b"title\n", is_message);
            let mut grown = weave(&first, 0, b"title\n", is_message);
            grown.extend(weave(&second, first.len() as u64, b"title\n", is_message));
            prop_assert_eq!(&whole, &grown);
            let text = String::from_utf8_lossy(&whole).replace("title\n", "");
            prop_assert_eq!(text.into_bytes(), lines.concat(), "nothing else is changed");
        }
    }

    #[test]
    fn the_title_comes_before_the_first_words_and_again() {
        let long = format!("x{}\n", "y".repeat(50_000));
        let tail = format!("_noted\nx\n{long}x\n");
        let woven =
            String::from_utf8(weave(tail.as_bytes(), 0, b"title\n", is_message)).expect("text");
        assert_eq!(woven, format!("_noted\ntitle\nx\n{long}title\nx\n"));
    }
}
