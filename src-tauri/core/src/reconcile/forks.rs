//! Takes a branch of another session over as a session of its own: the parent's docs with the id
//! substituted, recorded as usual. Every device produces the same bytes, so any of them may be
//! first.

use super::context::Context;
use super::record::{DocState, Imaged, SessionRecord};
use super::recorder::{RecordError, Recorded, Recorder};
use super::split::ForkPlan;
use super::woven::{WithId, WithTitle};
use crate::merge::{fork_title, substituted};
use crate::reconcile::session::SessionMut;
use crate::session::{ChainId, DocKind, DocName, Lane, SessionKey, Trie};
use crate::vault::journal_reader::JournalReader;
use crate::vault::spool::Spool;
use crate::vault::{ForkOf, JournalError, SessionCard};
use std::fs::File;
use std::io::{self, Write};

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
pub fn materialize_fork(session: SessionMut<'_>, parent: &Parent) -> Result<Recorded, RecordError> {
    let (context, key, record) = session.parts();
    let plan = &parent.plan;
    record.session.get_or_insert_with(|| plan.session.clone());
    let Some(origin) = parent.record.origin() else {
        return Ok(Recorded::default());
    };
    let joins = context.joins(&key.tool);
    // A title that changes with time would make every device write another line.
    let named = match joins.named {
        Some(named) => named(&mut common(context, parent)?),
        None => None,
    };
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
        part_of: origin.part_of.clone(),
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
    let mut recorder = Recorder::new(context, key, &plan.session, Lane::Priority, record, card);
    let beside = plan.targets.iter().filter(|(doc, _)| **doc != main);
    for (doc, to) in beside.chain(plan.targets.get_key_value(&main)) {
        let title = title_line.as_deref().filter(|_| *doc == main);
        match record_doc(context, &mut recorder, record, parent, (doc, *to, title)) {
            Err(error @ RecordError::TooLarge { .. }) => recorder.done.left_out.push(error),
            taken => taken?,
        }
    }
    Ok(recorder.done)
}

/// What the branch has in common with the trunk.
fn common(context: &Context, parent: &Parent) -> Result<File, RecordError> {
    let plan = &parent.plan;
    let source = Source::of(context, parent, &plan.doc);
    source.spooled(|out| match &source.state {
        Some(state) => source.write(state.trie.start(), plan.fork_point, out),
        None => Ok(()),
    })
}

/// A doc of the parent, to be read with the fork's id.
struct Source<'a> {
    context: &'a Context,
    plan: &'a ForkPlan,
    state: Option<&'a DocState>,
    journal_reader: JournalReader<'a>,
    is_message: fn(&[u8]) -> bool,
}

impl<'a> Source<'a> {
    fn of(context: &'a Context, parent: &'a Parent, doc: &'a DocName) -> Self {
        let (tool, record) = (&parent.key.tool, &parent.record);
        Self {
            context,
            plan: &parent.plan,
            state: record.docs.get(doc),
            journal_reader: context.journal_reader(tool, &record.journals, doc),
            is_message: context.is_message(tool),
        }
    }

    /// Writes what is between two nodes of a log; of a snapshot, all of it at `to`.
    fn write(&self, from: ChainId, to: ChainId, out: &mut dyn Write) -> Result<(), JournalError> {
        let Some(state) = self.state else {
            return Ok(());
        };
        let way = way(&state.trie, state.kind, from, to);
        match state.kind {
            DocKind::Snapshot => {
                let content = self.journal_reader.snapshot(&way)?;
                out.write_all(&content).map_err(|source| self.io(source))
            }
            DocKind::Log => way
                .into_iter()
                .try_for_each(|edge| self.journal_reader.write_lines(edge, out)),
        }
    }

    /// The same with the fork's id.
    fn write_forked(
        &self,
        from: ChainId,
        to: ChainId,
        out: &mut dyn Write,
    ) -> Result<(), JournalError> {
        let mut with_id = WithId::new(out, &self.plan.of, &self.plan.session);
        self.write(from, to, &mut with_id)?;
        with_id.finish().map_err(|source| self.io(source))
    }

    /// The branch's lines with the fork's id, and with the title, if there is one. `begins` is where
    /// they begin in the branch.
    fn write_titled(
        &self,
        (from, to): (ChainId, ChainId),
        (title, begins): (Option<&[u8]>, u64),
        out: &mut dyn Write,
    ) -> Result<(), JournalError> {
        let Some(title) = title else {
            return self.write_forked(from, to, out);
        };
        let messages = (self.is_message, self.context.sizes.whole);
        let mut with_title = WithTitle::new(out, begins, title, messages);
        self.write_forked(from, to, &mut with_title)?;
        with_title.finish().map_err(|source| self.io(source))
    }

    /// What is written, in a file: it may be of any size.
    fn spooled(
        &self,
        write: impl FnOnce(&mut Spool) -> Result<(), JournalError>,
    ) -> Result<File, RecordError> {
        let io = |source| RecordError::from(self.io(source));
        let mut spool = Spool::in_vault(&self.context.vault).map_err(io)?;
        write(&mut spool)?;
        spool.read().map_err(io)
    }

    fn io(&self, source: io::Error) -> JournalError {
        JournalError::Io {
            path: self.context.vault.root().to_owned(),
            source,
        }
    }
}

fn record_doc(
    context: &Context,
    recorder: &mut Recorder<'_>,
    record: &mut SessionRecord,
    parent: &Parent,
    (doc, to, title): (&DocName, ChainId, Option<&[u8]>),
) -> Result<(), RecordError> {
    let source = Source::of(context, parent, doc);
    let Some(state) = source.state else {
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
    let start = state.trie.start();
    let tip = match (state.kind, known) {
        (DocKind::Snapshot, known) => {
            let after = known.map_or(start, |known| known.tip);
            let mut content = Vec::new();
            source.write_forked(start, to, &mut content)?;
            recorder.generation_of(record, (&name, &at), after, &content)?
        }
        (DocKind::Log, Some(known)) if state.trie.is_ancestor(known.of, to) => {
            let size = |tip: ChainId| state.trie.size(tip).1;
            let begins = size(known.of).saturating_sub(size(plan.fork_point));
            let mut text =
                source.spooled(|out| source.write_titled((known.of, to), (title, begins), out))?;
            recorder.text(record, (&name, &at), known.tip, &mut text)?
        }
        (DocKind::Log, _) => {
            let fork_point = if *doc == plan.doc {
                plan.fork_point
            } else {
                start
            };
            let mut text = source.spooled(|out| {
                source.write_forked(start, fork_point, out)?;
                source.write_titled((fork_point, to), (title, 0), out)
            })?;
            recorder.text(record, (&name, &at), start, &mut text)?
        }
    };
    record.image.insert(name, Imaged { of: to, tip });
    Ok(())
}

/// The edges that hold the wanted content: of a snapshot always all of them.
fn way(trie: &Trie, kind: DocKind, from: ChainId, to: ChainId) -> Vec<&crate::session::Edge> {
    match kind {
        DocKind::Snapshot => trie.path(to).unwrap_or_default(),
        DocKind::Log => trie.path_between(from, to).unwrap_or_default(),
    }
}
