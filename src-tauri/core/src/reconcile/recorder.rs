//! Records what is new in the tool's store in this device's journal: raw, in order, signed.

pub(super) mod pieces;

use self::pieces::*;
use super::absorb::{CollectedEntries, absorb};
use super::context::Context;
use super::ingest::collect_entries;
use super::observe::{
    LogSeen, end_of, gap_line, lines_after, observe_log, read_range, read_whole, tail_hash,
};
use super::origin::own_card;
use super::record::{DocState, LocalDoc, SessionRecord};
use crate::merge::fork_title;
use crate::projects::{Evidence, corrected};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::{
    ChainId, DocKind, DocName, Hlc, Lane, Line, Project, ProjectKey, Replaced, SessionId,
    SessionKey, ToolId,
};
use crate::tools::{Content, Facts, Found, FoundDoc, ReadSeek, Reading, Stamp};
use crate::vault::envelope::is_within_limits;
use crate::vault::journal::journal_key;
use crate::vault::journal_reader::middle;
use crate::vault::limits;
use crate::vault::piece;
use crate::vault::{Entry, ForkOf, Frame, Journal, JournalError, SessionCard, VaultPath, frame};
use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A log's lines are cut into frames of about this many bytes.
pub(super) const FRAME_BYTES: usize = 1 << 20;

/// The most bytes of one line or one snapshot: escaped, it may grow sixfold, and a frame must stay
/// below `limits::FRAME`.
pub(super) const MOST_BYTES: u64 = limits::CONTENT;

/// Larger content has a frame of its own.
const ALONE: usize = 16 << 20;

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("could not read {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The content does not fit into a frame that every device may unpack.
    #[error("{} is too large: {bytes} bytes in one piece", .path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    /// The doc changed between two reads; the next event starts another reconcile.
    #[error("{} changed while it was read", .0.display())]
    Moving(PathBuf),
}

/// What recording achieved.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Docs that were left out; the others are recorded.
    pub left_out: Vec<RecordError>,
    pub docs: Vec<(DocName, u64, u64)>,
    /// Segments written, as the lane's folder names them.
    pub announce: Vec<(Lane, String)>,
}

impl Recorded {
    pub(super) fn add(&mut self, more: Self) {
        self.left_out.extend(more.left_out);
        self.docs.extend(more.docs);
        self.announce.extend(more.announce);
    }
}

/// Records all docs found, as a session of this project. After an error, what was recorded so far stays recorded and is the base
/// of the next try.
pub fn record_session(
    session: SessionMut<'_>,
    found: &Found,
    (reading, project): (&Reading, Project),
    lane: Lane,
    deep: bool,
) -> Result<Recorded, RecordError> {
    let (context, key, record) = session.parts();
    if reading.facts.early && record.origin().is_none() {
        return Ok(Recorded::default());
    }
    record.session.get_or_insert_with(|| found.session.clone());
    record.part_of = reading.facts.part_of.clone();
    let Some(main) = found.docs.first() else {
        return Ok(Recorded::default());
    };
    let card = card(
        Session::new(context, key, record),
        (&reading.facts, project),
        (&main.name, main.stamp),
    );
    let mut recorder = Recorder::new(context, key, &found.session, lane, record, card);
    // Side docs first: whoever sees new lines of the main doc finds the docs that they mention.
    let order = (1..found.docs.len()).chain([0]);
    for at in order {
        let (doc, content) = (&found.docs[at], &reading.docs[at]);
        if reading.secret.contains(&doc.name) && !context.shared().carry_secret_copies {
            continue;
        }
        let recorded = match doc.kind {
            DocKind::Log => recorder.log(record, doc, content, deep),
            DocKind::Snapshot => recorder.snapshot(record, doc, content),
        };
        match recorded {
            Err(error @ RecordError::TooLarge { .. }) => recorder.done.left_out.push(error),
            recorded => recorded?,
        }
    }
    recorder.correct(record);
    recorder.finish(record)
}

/// Records a generation that was made from others of the same session.
pub fn record_generation(
    session: SessionMut<'_>,
    (doc, after): (&DocName, ChainId),
    content: &[u8],
    lane: Lane,
) -> Result<Recorded, RecordError> {
    let (context, key, record) = session.parts();
    let said = record.cards.get(&context.short).map(|said| &said.card);
    let (Some(session), Some(card)) = (record.session.clone(), said.or(record.origin()).cloned())
    else {
        return Ok(Recorded::default());
    };
    let at = record
        .docs
        .get(doc)
        .map(|state| state.at.clone())
        .unwrap_or_default();
    let mut recorder = Recorder::new(context, key, &session, lane, record, card);
    recorder.generation_of(record, (doc, &at), after, content)?;
    recorder.finish(record)
}

/// The project that a session belongs to, according to the records and the disk.
fn identified(context: &Context, facts: &Facts) -> Option<Project> {
    let repository = facts.repository.as_ref();
    let evidence = Evidence {
        cwd: Path::new(facts.cwd.as_ref()?),
        also: &facts.also,
        url: repository.and_then(|said| said.url.as_deref()),
        branch: repository.and_then(|said| said.branch.as_deref()),
        commit: repository.and_then(|said| said.commit.as_deref()),
        updated: facts.updated,
    };
    let known = match evidence.cwd.is_dir() {
        true => Default::default(),
        false => context.places().work_trees(),
    };
    Some(context.identifier.identify_session(
        &context.machine.home,
        &context.device,
        evidence,
        &known,
    ))
}

/// The project of a session. A session that began here keeps the project it was first seen in until
/// there is better evidence; any other session has its origin's project.
pub(super) fn project_of(session: Session<'_>, facts: &Facts) -> Project {
    let (context, _, record) = session.parts();
    let identified = || identified(context, facts);
    // What this device found out itself stays on its card, also while another device's counts.
    match (own_card(context, record), record.origin()) {
        (Some(own), _) => {
            let cwd = Path::new(facts.cwd.as_deref().unwrap_or_default());
            let known = |repository: &str| context.places().was(repository, cwd);
            let home = &context.machine.home;
            identified().map_or_else(
                || own.project.clone(),
                |now| corrected(&own.project, now, home, known),
            )
        }
        (None, Some(origin)) => origin.project.clone(),
        (None, None) => identified().unwrap_or_else(|| Project {
            names: vec!["No directory".into()],
            ..Project::new(ProjectKey::new(format!("device:{}:", context.short)))
        }),
    }
}

/// This device's card of the session.
pub(super) fn card(
    session: Session<'_>,
    (facts, project): (&Facts, Project),
    (main, stamp): (&DocName, Stamp),
) -> SessionCard {
    let (context, key, record) = session.parts();
    let fork = record.origin().and_then(|origin| origin.fork.clone());
    SessionCard {
        project,
        cwd: facts.cwd.clone(),
        // A title does not disappear because a file is being written.
        title: others_name(context, record, facts)
            .or_else(|| title(context, key, fork.as_ref(), facts))
            .or_else(|| record.latest().and_then(|card| card.title.clone()))
            .as_deref()
            .map(limits::shown),
        updated: facts
            .updated
            .unwrap_or(crate::session::Millis(stamp.mtime_ns / 1_000_000)),
        version: facts.version.clone(),
        requires: facts.requires.clone(),
        part_of: facts.part_of.clone(),
        base: facts.base.clone(),
        main: main.clone(),
        fork,
    }
}

/// The title that another device gave last, if the tool here has only a prompt.
fn others_name(context: &Context, record: &SessionRecord, facts: &Facts) -> Option<String> {
    let others = record.cards.iter().max_by_key(|(_, said)| said.at);
    let (device, said) = others.filter(|_| facts.prompted)?;
    said.card.title.clone().filter(|_| *device != context.short)
}

/// Where the tool has no line for a fork's title, only the card holds the title.
fn title(
    context: &Context,
    key: &SessionKey,
    fork: Option<&ForkOf>,
    facts: &Facts,
) -> Option<String> {
    let title = facts.title.clone()?;
    match fork {
        Some(fork) if context.joins(&key.tool).title.is_none() => {
            Some(fork_title(&title, &fork.from))
        }
        _ => Some(title),
    }
}

/// How many lines the journals already have, and the chain id where those lines end.
pub(super) type Known = (usize, ChainId);

pub(super) struct Recorder<'a> {
    context: &'a Context,
    session: SessionId,
    key: &'a SessionKey,
    lane: Lane,
    batch: Vec<Entry>,
    tips: Vec<Vec<Line>>,
    size: usize,
    card: Option<SessionCard>,
    dir: String,
    pub(super) done: Recorded,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        context: &'a Context,
        key: &'a SessionKey,
        session: &SessionId,
        lane: Lane,
        record: &SessionRecord,
        card: SessionCard,
    ) -> Self {
        let dir = VaultPath::journal_dir(&context.short, lane, key, &card.project.key);
        let said = record.cards.get(&context.short).map(|said| &said.card);
        // Every frame's head has the time of the last message; a new time alone is no reason for a
        // new card.
        let news = said.is_none_or(|said| {
            SessionCard {
                updated: card.updated,
                ..said.clone()
            } != card
        });
        Self {
            context,
            session: session.clone(),
            key,
            lane,
            batch: Vec::new(),
            tips: Vec::new(),
            size: 0,
            card: Some(card).filter(|_| news),
            dir,
            done: Recorded::default(),
        }
    }

    /// Records at once to which project and session this one belongs, whether there is anything else
    /// to record or not.
    fn correct(&mut self, record: &SessionRecord) {
        let said = record.cards.get(&self.context.short);
        let belongs = |card: &SessionCard| (card.project.clone(), card.part_of.clone());
        if self
            .card
            .as_ref()
            .is_some_and(|card| said.is_some_and(|said| belongs(&said.card) != belongs(card)))
        {
            self.batch.splice(0..0, self.card.take().map(Entry::About));
        }
    }

    /// Writes the rest and returns what was recorded.
    pub(super) fn finish(mut self, record: &mut SessionRecord) -> Result<Recorded, RecordError> {
        self.flush(record)?;
        Ok(self.done)
    }

    pub(super) fn push(
        &mut self,
        record: &mut SessionRecord,
        entry: Entry,
        tips: Vec<Line>,
    ) -> Result<(), RecordError> {
        if let (Entry::Lines { doc, bytes, .. } | Entry::Whole { doc, bytes, .. }, lines) =
            (&entry, tips.len() as u64)
        {
            if ALONE < bytes.len() {
                // If no frame can hold this entry, no other entry is left out with it.
                self.flush(record)?;
            }
            self.size += bytes.len();
            self.done
                .docs
                .push((doc.clone(), bytes.len() as u64, lines));
        }
        if let Entry::Piece(piece) = &entry {
            self.size += piece.bytes.len();
            let lines = u64::from(piece.n + 1 == piece.of);
            self.done
                .docs
                .push((piece.doc.clone(), piece.bytes.len() as u64, lines));
        }
        if matches!(entry, Entry::Lines { .. }) {
            self.tips.push(tips);
        }
        self.batch.push(entry);
        if self.size >= FRAME_BYTES {
            self.flush(record)
        } else {
            Ok(())
        }
    }

    /// Writes the batch as one frame and adds its lines to the tries.
    pub(super) fn flush(&mut self, record: &mut SessionRecord) -> Result<(), RecordError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        if let Some(card) = self.card.take() {
            self.batch.insert(0, Entry::About(card));
        }
        let (context, journal_key) = (self.context, journal_key(&self.context.short, self.lane));
        let mut journal = record
            .journals
            .remove(&journal_key)
            .unwrap_or_else(|| Journal::new(&context.short, self.lane, self.dir.clone()));
        let (name, at) = (context.shared().name_of(&context.short), self.stamp(record));
        let (tool, session) = (&self.key.tool, &self.session);
        let head = journal.next_head(&context.device, &name, tool, session, at);
        let (bytes, hash) = frame::render(&head, &self.batch, |message| {
            context.key.sign(message).to_vec()
        });
        if !is_within_limits(&bytes) {
            record.journals.insert(journal_key, journal);
            return Err(self.leave_out());
        }
        let written = Frame::own(head, std::mem::take(&mut self.batch), hash);
        let appended = journal.append(&context.vault, &bytes, &written);
        let mut taken = CollectedEntries::default();
        if let Ok((segment, offset)) = &appended {
            collect_entries(
                &mut journal,
                &written,
                (*segment, *offset),
                std::mem::take(&mut self.tips),
                &mut taken,
            );
            self.done
                .announce
                .push((self.lane, journal.in_lane(*segment)));
        }
        record.journals.insert(journal_key, journal);
        appended?;
        self.size = 0;
        absorb(context, record, &self.key.tool, taken)?;
        Ok(())
    }

    /// The stamp of the batch. The last stamp decides which of two statements about a rewrite counts
    /// (`Trie::withdrawn`), so a new one comes after all that are known about the same ends, even
    /// those of a clock that is years ahead.
    fn stamp(&self, record: &SessionRecord) -> Hlc {
        let rewrites = self.batch.iter().filter_map(|entry| match entry {
            Entry::Lines {
                doc, tip, replaces, ..
            } => Some((doc, *tip, (*replaces)?)),
            Entry::Piece(piece) => Some((&piece.doc, piece.tip, piece.replaces?)),
            _ => None,
        });
        let known = rewrites.flat_map(|(doc, new, old)| {
            let replaced = record.docs.get(doc).map(|state| state.trie.replaced());
            let same = move |known: &&Replaced| {
                [known.old, known.new]
                    .iter()
                    .any(|end| [old, new].contains(end))
            };
            replaced.into_iter().flatten().filter(same)
        });
        let last = known.map(|known| known.at).max().unwrap_or_default();
        let now = self.context.tick();
        now.max(last.tick(now.wall))
    }

    /// Drops a batch that no frame can hold; its card goes with the next batch.
    fn leave_out(&mut self) -> RecordError {
        let (mut doc, mut size) = (PathBuf::new(), 0);
        for entry in std::mem::take(&mut self.batch) {
            match entry {
                Entry::About(card) => self.card = Some(card),
                Entry::Lines {
                    doc: name, bytes, ..
                }
                | Entry::Whole {
                    doc: name, bytes, ..
                } => {
                    (doc, size) = (name.as_str().into(), bytes.len() as u64);
                    self.done.docs.pop();
                }
                Entry::Piece(piece) => {
                    (doc, size) = (piece.doc.as_str().into(), piece.size);
                    self.done.docs.pop();
                }
                Entry::Choice(_) | Entry::Device(_) | Entry::Title(_) | Entry::Unknown(_) => {}
            }
        }
        self.tips.clear();
        self.size = 0;
        RecordError::TooLarge {
            path: doc,
            bytes: size,
        }
    }

    /// Records lines that are in no store here: they follow `after`, and lines that the journals
    /// already have are left out. Returns the chain id where the lines end.
    pub(super) fn text(
        &mut self,
        record: &mut SessionRecord,
        (doc, at): (&DocName, &str),
        after: ChainId,
        text: &mut dyn ReadSeek,
    ) -> Result<ChainId, RecordError> {
        let lines = lines_after(text, after, &self.context.sizes).map_err(|source| {
            let path = doc.as_str().into();
            RecordError::Read { path, source }
        })?;
        self.text_of(record, (doc, at), text, &lines)?;
        Ok(lines.tip())
    }

    /// The same of lines that were read.
    pub(super) fn text_of(
        &mut self,
        record: &mut SessionRecord,
        (doc, at): (&DocName, &str),
        text: &mut dyn ReadSeek,
        lines: &LogSeen,
    ) -> Result<(), RecordError> {
        self.flush(record)?;
        let doc = FoundDoc {
            name: doc.clone(),
            kind: DocKind::Log,
            place: at.to_owned(),
            path: doc.as_str().into(),
            stamp: Stamp::default(),
        };
        let known = self.locate(record, (&doc.name, doc.kind, at), lines.start, &lines.tips)?;
        self.lines(record, &doc, text, lines, known, None)?;
        self.flush(record)
    }

    /// Records a generation of a snapshot that is in no store here, if it is new. Returns its chain
    /// id.
    pub(super) fn generation_of(
        &mut self,
        record: &mut SessionRecord,
        (doc, at): (&DocName, &str),
        after: ChainId,
        content: &[u8],
    ) -> Result<ChainId, RecordError> {
        let tip = after.then(content);
        let state = record
            .docs
            .entry(doc.clone())
            .or_insert_with(|| DocState::new(DocKind::Snapshot, at.to_owned()));
        let Some(path) = state.trie.path(after) else {
            return Ok(after);
        };
        if state.trie.path(tip).is_some() {
            return Ok(tip);
        }
        let old = self
            .context
            .journal_reader(&self.key.tool, &record.journals, doc)
            .snapshot(&path)?;
        let tip = self.whole(record, (doc, at), after, (&old, content))?;
        self.flush(record)?;
        Ok(tip)
    }

    /// Adds a generation of a snapshot as what changed since `old`, the content at `after`. Returns
    /// its chain id. No device could ever read content above the limit, however small the change.
    fn whole(
        &mut self,
        record: &mut SessionRecord,
        (doc, at): (&DocName, &str),
        after: ChainId,
        (old, content): (&[u8], &[u8]),
    ) -> Result<ChainId, RecordError> {
        let size = content.len() as u64;
        if self.context.sizes.snapshot < size {
            return Err(RecordError::TooLarge {
                path: if at.is_empty() { doc.as_str() } else { at }.into(),
                bytes: size,
            });
        }
        let tip = after.then(content);
        let (head, tail, changed) = middle(old, content);
        let entry = Entry::Whole {
            doc: doc.clone(),
            at: at.to_owned(),
            after,
            tip,
            head,
            tail,
            bytes: changed.to_vec(),
        };
        let line = Line {
            tip,
            end: changed.len() as u64,
            is_message: true,
        };
        self.push(record, entry, vec![line])?;
        Ok(tip)
    }

    fn log(
        &mut self,
        record: &mut SessionRecord,
        doc: &FoundDoc,
        content: &Content,
        deep: bool,
    ) -> Result<(), RecordError> {
        let base = record
            .docs
            .get(&doc.name)
            .and_then(|state| state.local.clone());
        if base.as_ref().is_some_and(|base| {
            base.there && base.stamp == doc.stamp && base.path == doc.path && !deep
        }) {
            return Ok(());
        }
        let read = |source| RecordError::Read {
            path: doc.path.clone(),
            source,
        };
        let mut file = content.open().map_err(read)?;
        let seen = observe_log(
            file.as_mut(),
            (doc.stamp, end_of(content, doc.stamp)),
            base.as_ref(),
            deep,
            &self.context.sizes,
        )
        .map_err(read)?;
        if let (0, Some(known)) = (seen.lines(), state_of(record, doc).local.as_mut())
            && 0 < known.lines
        {
            // Emptied: as good as deleted, which other devices need not know. A tool that rewrites
            // its file passes through this state, too.
            known.there = false;
            return Ok(());
        }
        let (matched, node) = self.locate(
            record,
            (&doc.name, doc.kind, &doc.place),
            seen.start,
            &seen.tips,
        )?;
        let twin = record.twins.iter().any(|(path, _)| *path == doc.path);
        let own = self.context.short.clone();
        let state = state_of(record, doc);
        let all_known = matched == seen.tips.len();
        let came_back = all_known && state.trie.has_withdrawn(&own, seen.tip());
        let known = base
            .as_ref()
            .map(|base| base.tip)
            .or(state.own_tip)
            .filter(|known| *known != state.trie.start());
        // Two files with one id: the recorded file still exists beside this one, or this one was
        // the second file. Nothing was rewritten.
        let is_twin = base
            .as_ref()
            .is_some_and(|base| base.path != doc.path && (twin || Stamp::of(&base.path).is_ok()));
        let known = known.filter(|_| !is_twin);
        let replaces = known.filter(|known| {
            // Content that the journals know, and that is not a prefix of the former content, was
            // checked out here by an engine that died before it could save that.
            let is_checkout = all_known && !came_back && !state.trie.is_ancestor(seen.tip(), *known);
            (seen.rewritten && !is_checkout)
                || (came_back && *known != seen.tip())
                // Not if the journals know all of it: it may have been checked out here before the
                // state was lost.
                || (base.is_none() && matched < seen.tips.len() && !seen.tips.iter().any(|line| line.tip == *known))
        });
        self.lines(record, doc, file.as_mut(), &seen, (matched, node), replaces)?;
        let local = LocalDoc {
            path: doc.path.clone(),
            place: doc.place.clone(),
            stamp: doc.stamp,
            tip: seen.tip(),
            bytes: seen.bytes(),
            lines: seen.lines(),
            tail: tail_hash(file.as_mut(), seen.bytes()).map_err(read)?,
            there: true,
            compared: seen.compared,
            ours: false,
            gaps: seen.gaps
                + base
                    .as_ref()
                    .filter(|base| base.tip == seen.start)
                    .map_or(0, |base| base.gaps),
        };
        self.flush(record)?;
        settle(self.context, &self.key.tool, record, doc, local)
    }

    /// How many of the seen lines the journals already have, and the chain id where these end.
    fn locate(
        &self,
        record: &mut SessionRecord,
        (doc, kind, at): (&DocName, DocKind, &str),
        start: ChainId,
        lines: &[Line],
    ) -> Result<Known, RecordError> {
        let journal_reader = self
            .context
            .journal_reader(&self.key.tool, &record.journals, doc);
        let state = record
            .docs
            .entry(doc.clone())
            .or_insert_with(|| DocState::new(kind, at.to_owned()));
        state.trie.ensure_node(start, &journal_reader)?;
        let (matched, node) = state.trie.walk(start, lines, &journal_reader)?;
        state.trie.ensure_node(node, &journal_reader)?;
        Ok((matched, node))
    }

    /// Records the lines behind those that the journals already have.
    fn lines(
        &mut self,
        record: &mut SessionRecord,
        doc: &FoundDoc,
        file: &mut dyn ReadSeek,
        seen: &LogSeen,
        (mut at, mut after): Known,
        mut replaces: Option<ChainId>,
    ) -> Result<(), RecordError> {
        let entry = |after, tip, replaces, bytes| Entry::Lines {
            doc: doc.name.clone(),
            at: doc.place.clone(),
            after,
            tip,
            replaces,
            bytes,
        };
        while at < seen.tips.len() {
            let from = at.checked_sub(1).map_or(0, |before| seen.tips[before].end);
            let line = seen.tips[at];
            if self.context.sizes.whole < line.end - from {
                let range = seen.start_bytes + from..seen.start_bytes + line.end;
                self.long_line(record, doc, file, range, (after, line.tip), replaces.take())?;
                (after, at) = (line.tip, at + 1);
                continue;
            }
            let room = FRAME_BYTES.saturating_sub(self.size) as u64;
            let Piece {
                lines: fit,
                tip,
                from,
                to,
            } = next_piece(&seen.tips, at, room, self.context.sizes.whole).map_err(|bytes| {
                RecordError::TooLarge {
                    path: doc.path.clone(),
                    bytes,
                }
            })?;
            let bytes = read_range(file, seen.start_bytes + from, seen.start_bytes + to)
                .map_err(|_| RecordError::Moving(doc.path.clone()))?;
            let tips = Line::chained(after, &bytes, self.context.is_message(&self.key.tool));
            if tips.len() != fit || tips.last().map(|line| line.tip) != Some(tip) {
                return Err(RecordError::Moving(doc.path.clone()));
            }
            self.push(record, entry(after, tip, replaces.take(), bytes), tips)?;
            (after, at) = (tip, at + fit);
        }
        match replaces {
            // Shortened to lines that the journals already have: no line is new, but the old end no
            // longer holds.
            Some(old) if old != after => self.push(
                record,
                entry(after, after, Some(old), Vec::new()),
                Vec::new(),
            ),
            _ => Ok(()),
        }
    }

    /// Records a line that is larger than a frame may be: in pieces, or, if it is too large to
    /// sync, as a gap line.
    fn long_line(
        &mut self,
        record: &mut SessionRecord,
        doc: &FoundDoc,
        file: &mut dyn ReadSeek,
        range: Range<u64>,
        (after, tip): (ChainId, ChainId),
        replaces: Option<ChainId>,
    ) -> Result<(), RecordError> {
        let moving = || RecordError::Moving(doc.path.clone());
        let (name, at, size) = (doc.name.clone(), doc.place.clone(), range.end - range.start);
        if self.context.sizes.record < size {
            let bytes = gap_line(file, range).map_err(|_| moving())?;
            let lines = Line::chained(after, &bytes, self.context.is_message(&self.key.tool));
            if lines.last().map(|line| line.tip) != Some(tip) {
                return Err(moving());
            }
            return self.push(
                record,
                Entry::Lines {
                    doc: name,
                    at,
                    after,
                    tip,
                    replaces,
                    bytes,
                },
                lines,
            );
        }
        let head = piece::Piece {
            doc: name,
            at,
            after,
            tip,
            replaces,
            n: 0,
            of: 0,
            size,
            bytes: Vec::new(),
        };
        let most = self.context.sizes.piece;
        let read = |part: Range<u64>| {
            read_range(file, range.start + part.start, range.start + part.end).map_err(|_| moving())
        };
        let mut whole = after.long(size);
        in_pieces(&head, most, read, |piece| {
            whole.feed(&piece.bytes);
            self.push(record, Entry::Piece(piece), Vec::new())
        })?;
        // The line changed meanwhile: the recorded pieces form no line, on any device.
        if whole.end() == Some(tip) {
            Ok(())
        } else {
            Err(moving())
        }
    }

    fn snapshot(
        &mut self,
        record: &mut SessionRecord,
        doc: &FoundDoc,
        content: &Content,
    ) -> Result<(), RecordError> {
        let base = record
            .docs
            .get(&doc.name)
            .and_then(|state| state.local.clone());
        if base
            .as_ref()
            .is_some_and(|base| base.there && base.stamp == doc.stamp && base.path == doc.path)
        {
            return Ok(());
        }
        // A stamp does not tell the size of content that is made from rows.
        let size = end_of(content, doc.stamp);
        if self.context.sizes.snapshot < size {
            let path = match content {
                Content::Bytes(_) => PathBuf::from(&doc.place),
                Content::File(_) | Content::Patched(..) => doc.path.clone(),
            };
            return Err(RecordError::TooLarge { path, bytes: size });
        }
        let bytes = read_whole(content, doc.stamp).map_err(|source| RecordError::Read {
            path: doc.path.clone(),
            source,
        })?;
        let tail = blake3::hash(&bytes).to_hex().to_string();
        let local = |tip| LocalDoc {
            path: doc.path.clone(),
            place: doc.place.clone(),
            stamp: doc.stamp,
            tip,
            bytes: bytes.len() as u64,
            lines: 1,
            tail: tail.clone(),
            there: true,
            compared: true,
            ours: false,
            gaps: 0,
        };
        if let Some(base) = base.filter(|base| base.tail == tail) {
            return settle(self.context, &self.key.tool, record, doc, local(base.tip));
        }
        let tip = match self.generation(record, doc, &bytes)? {
            Generation::Known(tip) => tip,
            Generation::New { .. }
                if bytes.is_empty() && !state_of(record, doc).trie.is_empty() =>
            {
                // Emptied: as good as deleted, see `log`.
                if let Some(known) = state_of(record, doc).local.as_mut() {
                    known.there = false;
                }
                return Ok(());
            }
            Generation::New {
                after,
                old,
                content,
            } => self.whole(record, (&doc.name, &doc.place), after, (&old, &content))?,
        };
        self.flush(record)?;
        settle(self.context, &self.key.tool, record, doc, local(tip))
    }

    /// The generation with exactly this content, if the journals have it in a possible place;
    /// otherwise the one before it. Fields that belong to this device only count as recorded.
    fn generation(
        &self,
        record: &mut SessionRecord,
        doc: &FoundDoc,
        bytes: &[u8],
    ) -> Result<Generation, RecordError> {
        let state = state_of(record, doc).clone();
        let journal_reader =
            self.context
                .journal_reader(&self.key.tool, &record.journals, &doc.name);
        let own_fields = self.context.own_fields(&self.key.tool, &doc.name);
        let content_at = |tip: ChainId| -> Result<Vec<u8>, RecordError> {
            Ok(state
                .trie
                .path(tip)
                .map_or_else(|| Ok(Vec::new()), |path| journal_reader.snapshot(&path))?)
        };
        let as_in = |old: &[u8]| match own_fields.is_empty() {
            true => Cow::Borrowed(bytes),
            false => Cow::Owned(own_fields.as_recorded(bytes, old)),
        };
        let after = state
            .local
            .as_ref()
            .map(|local| local.tip)
            .or(state.own_tip)
            .filter(|tip| state.trie.path(*tip).is_some())
            .unwrap_or(state.trie.start());
        let old = if own_fields.is_empty() {
            Vec::new()
        } else {
            content_at(after)?
        };
        let next = after.then(&as_in(&old));
        if state.trie.path(next).is_some() {
            return Ok(Generation::Known(next));
        }
        let mut others = None;
        for tip in state.trie.heads() {
            let content = content_at(tip)?;
            if content == *as_in(&content) {
                return Ok(Generation::Known(tip));
            }
            others.get_or_insert(content);
        }
        let old = content_at(after)?;
        // This engine sees the store for the first time; other devices have recorded the session.
        let like = others.filter(|_| old.is_empty());
        let content = as_in(like.as_deref().unwrap_or(&old)).into_owned();
        Ok(Generation::New {
            after,
            old,
            content,
        })
    }
}

/// How a snapshot's content relates to the journals.
enum Generation {
    Known(ChainId),
    New {
        after: ChainId,
        old: Vec<u8>,
        content: Vec<u8>,
    },
}

fn state_of<'r>(record: &'r mut SessionRecord, doc: &FoundDoc) -> &'r mut DocState {
    record
        .docs
        .entry(doc.name.clone())
        .or_insert_with(|| DocState::new(doc.kind, doc.place.clone()))
}

fn settle(
    context: &Context,
    tool: &ToolId,
    record: &mut SessionRecord,
    doc: &FoundDoc,
    local: LocalDoc,
) -> Result<(), RecordError> {
    let journal_reader = context.journal_reader(tool, &record.journals, &doc.name);
    let Some(state) = record.docs.get_mut(&doc.name) else {
        return Ok(());
    };
    let settled = state.trie.ensure_node(local.tip, &journal_reader);
    state.local = Some(local);
    settled?;
    Ok(())
}
