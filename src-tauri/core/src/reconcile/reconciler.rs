//! Reconciles one session: reads the journals, reads the store, records, decides, writes. A
//! reconcile runs beside the loop on a copy of the session's record and returns the effects: what
//! it really achieved.

use super::apply::{apply, make_way, put_back};
use super::away;
use super::bases::{holder, rebound_in};
use super::context::Context;
use super::excluded::{Now, is_excluded};
use super::forks::{self, Parent};
use super::ingest::{ingest, leave_out_large};
use super::prints::{fingerprint, vault_print};
use super::record::{Dependent, Dependents, DocState, MovedFrom, ParentLink, SessionRecord};
use super::recorder::{RecordError, Recorded, project_of, record_generation, record_session};
use super::republish::{republish, republish_own};
use super::resolve::{self, Decision};
use super::shared_docs::{claim, shared_docs};
use super::split::{BranchLayout, branch_layout, keeps_all_messages, united};
use super::steering::{find_neutral, held, restored, without_private};
use super::takein::TakeInError;
use super::withdrawn::{self, Loss};
use crate::api::types::{ApiError, Done, Side, TakenIn};
use crate::merge::{
    Action, Choice, Decided, DocView, Guards, Obstacle, SessionView, Step, Titles, Verdict, plan,
};
use crate::opener;
use crate::projects::places::{Lesson, is_repository};
use crate::projects::{NoPlace, corrected};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::problem::with_causes;
use crate::session::{
    DocKind, DocName, HistoryKind, Lane, Problem, ProblemCode, Project, Reason, Remedy, SessionId,
    SessionKey, SessionState, SplitState,
};
use crate::state::{Happening, Packed, Row, Seen, pack};
use crate::timing::Stage;
use crate::tools::{ConflictCopy, Found, Reading, Tool, Which, WriteError};
use crate::vault::{EquivocatedFrames, JournalError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

mod registries;
mod row;
mod special;
mod store;
mod writing;

const JOURNAL_HINT: &str = "Check the disk and the permissions of the vault folder.";

/// A session to reconcile, with everything that the worker needs.
#[derive(Clone, Debug)]
pub struct Job {
    pub key: SessionKey,
    pub session: Option<SessionId>,
    pub record: SessionRecord,
    /// Journal directories that may be new: device, lane, directory.
    pub dirs: Vec<(String, Lane, String)>,
    /// The lane in which new lines are recorded.
    pub lane: Lane,
    /// Compare everything, not only the end.
    pub deep: bool,
    /// Decide only; write nothing into the tool's store.
    pub dry: bool,
    /// The session it is a branch of, if there is a branch to take over.
    pub parent: Option<Parent>,
    /// The user's decisions, with the numbers of those who wait for an answer.
    pub decisions: Vec<(u64, Decision)>,
    /// The forks that branches of the session became.
    pub family: BTreeMap<SessionId, SessionRecord>,
    /// The session that holds this session's beginning, as far as it is known here.
    pub base: Option<(SessionKey, SessionRecord)>,
    /// Sessions whose beginning lies in this one.
    pub dependents: Dependents,
    /// Conflict copies to import.
    pub take_in: Option<Vec<ConflictCopy>>,
    /// The directory of this device in which the user wants the session.
    pub pin: Option<PathBuf>,
}

/// What a reconcile achieved.
#[derive(Debug)]
pub struct Effects {
    pub key: SessionKey,
    /// The session's id as the job had it: also of one of which nothing could be recorded.
    pub session: Option<SessionId>,
    pub record: SessionRecord,
    /// The record as the state keeps it.
    pub packed: Packed,
    pub row: Row,
    pub verdict: Verdict,
    pub layout: BranchLayout,
    /// Answers to decisions.
    pub answers: Vec<(u64, Result<Done, ApiError>)>,
    pub announce: Vec<(Lane, String)>,
    pub happenings: Vec<Happening>,
    pub problems: Vec<Problem>,
    /// Folders to be restored from their owner.
    pub tampered: Vec<(String, Lane)>,
    /// Devices whose key a second machine uses.
    pub cloned: BTreeSet<String>,
    /// A directory of a project, learnt from the tool's own records.
    pub learned: Option<Lesson>,
    /// The directory of this device that the session was written for.
    pub placed: Option<(Project, PathBuf)>,
    /// The directory in which the user wants the session, as the job said.
    pub pin: Option<PathBuf>,
    /// Docs that no other session of this device has, though they lie where others' do.
    pub holds: Vec<DocName>,
    pub open_in: Option<String>,
    /// The session's files as they were found, if the next start needs to compare nothing else.
    pub seen: Option<Seen>,
    /// Something changed meanwhile; reconcile again soon.
    pub again: bool,
    /// The result for the conflict copies.
    pub taken: Option<TakenIn>,
}

impl Effects {
    /// Whether nothing about the session is left for a later start to try or to report.
    fn is_complete(&self) -> bool {
        let row = &self.row;
        self.problems.is_empty()
            && !self.again
            && row.state == SessionState::Here
            && row.reason.is_none()
            && row.split == SplitState::None
            && self.layout.forks.is_empty()
            && self.tampered.is_empty()
            && self.cloned.is_empty()
            && self.record.is_compared()
    }
}

pub fn reconcile(context: &Context, job: Job) -> Effects {
    // While this runs, input read from other devices is marked: it may be what ends the engine.
    let _work = context.vault.quarantine.work();
    let _timed = Stage::Reconcile.begin();
    let mut reconciler = Reconciler::new(context, job);
    reconciler.run();
    reconciler.finish()
}

struct Reconciler<'a> {
    context: &'a Context,
    job: Job,
    found: Option<Found>,
    /// The fingerprint of what the store held before anything of it was read.
    store_print: Option<u64>,
    verdict: Verdict,
    layout: BranchLayout,
    /// The session that holds the beginning of this one here.
    holder: Option<SessionId>,
    /// The store's file was read and recorded, and has no complete record yet.
    is_unfinished: bool,
    /// The unknown part of the store's shape.
    unknown: Option<String>,
    /// The session is in a store that is not read now: the reason, why, and what to do.
    away: Option<(Reason, String, String)>,
    answers: Vec<(u64, Result<Done, ApiError>)>,
    announce: Vec<(Lane, String)>,
    happenings: Vec<Happening>,
    problems: Vec<Problem>,
    tampered: Vec<(String, Lane)>,
    cloned: BTreeSet<String>,
    learned: Option<(Project, PathBuf)>,
    /// The directory the session was written for.
    placed: Option<(Project, PathBuf)>,
    holds: Vec<DocName>,
    moved: bool,
    again: bool,
    taken: Option<TakenIn>,
    /// The device whose own lines this reconcile withdraws.
    author: Option<String>,
    /// Why another tool does not list the session yet.
    unlisted: Option<String>,
}

impl<'a> Reconciler<'a> {
    fn new(context: &'a Context, job: Job) -> Self {
        Self {
            context,
            job,
            found: None,
            store_print: None,
            verdict: Verdict::Arriving,
            layout: BranchLayout::default(),
            holder: None,
            is_unfinished: false,
            unknown: None,
            away: None,
            answers: Vec::new(),
            announce: Vec::new(),
            happenings: Vec::new(),
            problems: Vec::new(),
            tampered: Vec::new(),
            cloned: BTreeSet::new(),
            learned: None,
            placed: None,
            holds: Vec::new(),
            moved: false,
            again: false,
            taken: None,
            author: None,
            unlisted: None,
        }
    }

    fn run(&mut self) {
        self.record_and_write();
        if !self.job.dry && !self.again {
            self.register();
        }
    }

    fn record_and_write(&mut self) {
        let decisions = self.job.record.choices.len();
        let titles = self.job.record.titles.clone();
        let pinned = self.job.record.pinned.clone();
        self.note_pin();
        if let Err(error) = self.read_journals() {
            self.problem(ProblemCode::JournalUnreadable, &error, JOURNAL_HINT);
            return;
        }
        self.materialize_fork();
        let tool = self.context.tools.get(&self.job.key.tool).cloned();
        let on = !self.context.shared().tools_off.contains(&self.job.key.tool);
        if let (Some(tool), true, Some(session)) = (
            &tool,
            on,
            self.job
                .session
                .clone()
                .or_else(|| self.job.record.session.clone()),
        ) {
            let _timed = Stage::Recorded.begin();
            self.read_store(tool.as_ref(), &session);
        }
        if let (Some(tool), Some(conflict_copies)) = (&tool, self.job.take_in.take()) {
            self.import_copies(tool.as_ref(), &conflict_copies);
        }
        let decided = Stage::Decided.begin();
        if let Err(error) = self.decide_layout() {
            if !self.leave_out_large(&error) {
                self.problem(ProblemCode::JournalUnreadable, &error, JOURNAL_HINT);
            }
            return;
        }
        if let Err(error) = self.unite(on) {
            self.not_recorded(&error);
        }
        self.note_decisions(decisions);
        self.note_titles(&titles);
        if pinned != self.job.record.pinned {
            // Saved before the session leaves its place: whoever starts after an end in between must
            // know where it belongs.
            self.again = true;
        }
        self.plan(on);
        self.wait_until_quiet();
        drop(decided);
        if self.job.dry || self.again {
            return;
        }
        if let Verdict::Checkout(_) = self.verdict {
            self.write();
        }
        // The session left another project's directory: decide again as if it had just arrived.
        if std::mem::take(&mut self.moved) {
            self.plan(on);
            if let Verdict::Checkout(_) = self.verdict {
                self.write();
            }
        }
    }

    /// Notes where the user wants the session. One that began here lies where it began.
    fn note_pin(&mut self) {
        let Some(dir) = self.job.pin.clone() else {
            return;
        };
        let (context, record) = (self.context, &mut self.job.record);
        if record.checkout_dir.is_none() && context.began(record) {
            let began_in = record.origin().and_then(|card| card.cwd.as_ref());
            record.checkout_dir = began_in.map(PathBuf::from);
        }
        context.pin_with_code(record, dir);
    }

    fn read_journals(&mut self) -> Result<(), JournalError> {
        let ingested = ingest(self.context, &mut self.job.record, &self.job.dirs)?;
        for (device, doc, bytes, lines) in ingested.arrived {
            self.happened(HistoryKind::Arrived, &device, &doc, bytes, lines);
        }
        self.problems.extend(ingested.problems);
        self.tampered = ingested.tampered;
        self.announce.extend(ingested.found_again);
        if !self.job.dry && !self.is_excluded() {
            match republish_own(SessionMut::new(
                self.context,
                &self.job.key,
                &mut self.job.record,
            )) {
                Ok(recorded) => self.recorded(HistoryKind::Recorded, recorded),
                Err(error) => self.not_recorded(&error),
            }
            for (device, equivocated) in ingested.equivocated {
                self.republish(device, &equivocated);
            }
        }
        Ok(())
    }

    /// Republishes lines signed beside a journal in the own one, where every device reads them.
    fn republish(&mut self, device: String, equivocated: &EquivocatedFrames) {
        let known = self.job.record.republished.len();
        let own = device == self.context.short;
        match republish(
            SessionMut::new(self.context, &self.job.key, &mut self.job.record),
            equivocated,
            own,
            self.job.lane,
        ) {
            Ok(recorded) => {
                self.recorded(HistoryKind::Recorded, recorded);
                if known < self.job.record.republished.len() {
                    self.cloned.insert(device);
                }
            }
            Err(error) => self.not_recorded(&error),
        }
    }

    /// Goes on without a state that an earlier version recorded though it is too large to be read.
    fn leave_out_large(&mut self, error: &JournalError) -> bool {
        let JournalError::TooLarge { doc } = error else {
            return false;
        };
        let Job { key, record, .. } = &mut self.job;
        if leave_out_large(self.context, record, &key.tool, doc).is_err() {
            return false;
        }
        self.problem(
            ProblemCode::TooLarge,
            error,
            "It was left out; the session syncs again as soon as it is small enough.",
        );
        self.again = true;
        true
    }

    fn is_excluded(&self) -> bool {
        is_excluded(self.context, &self.job.record, None)
    }

    /// Takes over the parent's lines for this session.
    fn materialize_fork(&mut self) {
        let Some(parent) = self.job.parent.take().filter(|_| !self.job.dry) else {
            return;
        };
        let off = self.context.shared().tools_off.contains(&self.job.key.tool);
        if off || is_excluded(self.context, &parent.record, None) {
            return;
        }
        match forks::materialize_fork(
            SessionMut::new(self.context, &self.job.key, &mut self.job.record),
            &parent,
        ) {
            Ok(recorded) => self.recorded(HistoryKind::Forked, recorded),
            Err(error) => self.not_recorded(&error),
        }
    }

    /// Notes in the history what was recorded, and announces its segments.
    fn recorded(&mut self, kind: HistoryKind, recorded: Recorded) {
        for (doc, bytes, lines) in recorded.docs {
            let device = self.context.short.clone();
            self.happened(kind, &device, &doc, bytes, lines);
        }
        for error in &recorded.left_out {
            self.problem(
                ProblemCode::TooLarge,
                error,
                "This part stays on this device; the rest of the session syncs.",
            );
        }
        self.announce.extend(recorded.announce);
    }

    /// Notes what was decided since the reconcile began, on whatever device.
    fn note_decisions(&mut self, known: usize) {
        let new: Vec<_> = self
            .job
            .record
            .choices
            .iter()
            .skip(known)
            .cloned()
            .collect();
        for chosen in new
            .into_iter()
            .filter(|chosen| chosen.choice.follows.is_none())
        {
            self.happened(
                chosen.choice.action.into(),
                &chosen.id.device,
                &chosen.choice.doc,
                0,
                0,
            );
        }
    }

    /// Notes the titles that users gave since the reconcile began.
    fn note_titles(&mut self, known: &Titles) {
        let Some(main) = self.job.record.main().cloned() else {
            return;
        };
        let titles = &self.job.record.titles;
        let new = titles
            .iter()
            .filter(|(device, titled)| known.get(*device) != Some(*titled));
        let devices: Vec<String> = new.map(|(device, _)| device.clone()).collect();
        for device in devices {
            self.happened(HistoryKind::Renamed, &device, &main, 0, 0);
        }
    }

    /// The branch layout of the record as it is now.
    fn lay_out(&mut self) -> Result<(), JournalError> {
        self.layout = branch_layout(
            SessionMut::new(self.context, &self.job.key, &mut self.job.record),
            &self.job.dependents,
        )?;
        Ok(())
    }

    /// Determines the branch layout; what the user just decided already counts.
    fn decide_layout(&mut self) -> Result<(), JournalError> {
        self.find_holder()?;
        self.lay_out()?;
        for (number, decision) in std::mem::take(&mut self.job.decisions) {
            if matches!(decision, resolve::Decision::Rename { .. }) && self.is_excluded() {
                self.answers.push((number, Err(stays_here())));
                continue;
            }
            let Job {
                key,
                record,
                family,
                ..
            } = &mut self.job;
            match resolve::decide(
                SessionMut::new(self.context, key, record),
                &self.layout,
                family,
                &decision,
            ) {
                Ok((done, recorded)) => {
                    self.recorded(HistoryKind::Recorded, recorded);
                    self.answers.push((number, Ok(done)));
                }
                Err(error) => self.answers.push((number, Err(error))),
            }
            self.lay_out()?;
        }
        Ok(())
    }

    /// Joins branches again that the tool's format can unite without doubt. Every device that has
    /// both branches gets the same result.
    fn unite(&mut self, on: bool) -> Result<(), RecordError> {
        let Job {
            key,
            record,
            dry,
            lane,
            ..
        } = &mut self.job;
        if *dry || !on || is_excluded(self.context, record, None) {
            return Ok(());
        }
        if self.context.joins(&key.tool).unasked {
            return self.stitch_unasked();
        }
        let Some((doc, after, content)) =
            united(Session::new(self.context, key, record), &self.layout)?
        else {
            return Ok(());
        };
        let recorded = record_generation(
            SessionMut::new(self.context, key, record),
            (&doc, after),
            &content,
            *lane,
        )?;
        self.recorded(HistoryKind::United, recorded);
        Ok(self.lay_out()?)
    }

    /// Adds the other branches to a log whose lines are entries of their own. Every device that has
    /// the same branches adds the same lines. What the user decided stays.
    fn stitch_unasked(&mut self) -> Result<(), RecordError> {
        const MOST: usize = 32;
        for _ in 0..MOST {
            let Some(split) = self
                .layout
                .settled
                .split
                .as_ref()
                .filter(|split| split.is_open())
            else {
                return Ok(());
            };
            let decided = Decided::of(&self.job.record.choices, &split.doc);
            let is_users = |choice: &Choice| choice.action != Action::Stitch;
            if !decided.undone_lines.is_empty() || decided.choice().is_some_and(is_users) {
                return Ok(());
            }
            let mut forks = split.divided.forks.iter();
            let Some(fork) = forks.find(|fork| fork.open) else {
                return Ok(());
            };
            let decision = Decision::Choose {
                action: Action::Stitch,
                branch: Some(fork.tip.to_hex()),
                beside: None,
                active: Side::Left,
            };
            let Job {
                key,
                record,
                family,
                ..
            } = &mut self.job;
            let decided = resolve::decide(
                SessionMut::new(self.context, key, record),
                &self.layout,
                family,
                &decision,
            );
            // Without it, the branch becomes a session of its own.
            let Ok((_, recorded)) = decided else {
                return Ok(());
            };
            self.recorded(HistoryKind::United, recorded);
            self.lay_out()?;
        }
        Ok(())
    }

    fn plan(&mut self, on: bool) {
        if self.layout.settled.away {
            // What is gone was taken out with the version, perhaps by an engine that ended before it
            // could save that. Undoing the decision brings it back.
            self.job.record.forget_deletion();
        }
        let mut guards = self.guards(on);
        self.verdict = self.planned(guards.clone());
        if let Verdict::Held(obstacle) = &self.verdict
            && obstacle.reason == Reason::Rewritten
            && (self.loses_nothing(&obstacle.steps) || self.is_taken_out(&obstacle.steps))
        {
            guards.rewrite_released = true;
            self.verdict = self.planned(guards);
        } else {
            self.follow_withdrawal(guards);
        }
        if let Some((reason, why, hint)) = self.away.clone() {
            self.verdict = Verdict::Waiting(Obstacle {
                reason,
                why,
                hint,
                steps: Vec::new(),
            });
        }
        if let Some(held) = held(
            Session::new(self.context, &self.job.key, &self.job.record),
            &self.verdict,
        ) {
            self.verdict = held;
        }
        self.spare_gaps();
        if let Err(error) = self.withhold() {
            self.problem(ProblemCode::JournalUnreadable, &error, JOURNAL_HINT);
            self.again = true;
        }
        // What the user released is settled without a write; a later rewrite needs a new consent.
        if self.verdict == Verdict::Here {
            self.job.record.released = false;
        }
    }

    /// The directory of the session, now or in future. A session stays where it was put; if the
    /// main doc is already here, the rest is written beside it, wherever that is.
    fn place(&self) -> PathBuf {
        let dir = self
            .job
            .record
            .checkout_dir
            .clone()
            .filter(|dir| dir.is_dir());
        dir.or_else(|| self.context.place(&self.job.record).ok())
            .unwrap_or_else(|| self.context.machine.home.clone())
    }

    /// A revocation by the user took out the lines that would be removed.
    fn is_taken_out(&self, steps: &[Step]) -> bool {
        steps.iter().all(|step| match step {
            Step::Replace { doc, from, .. } => self
                .job
                .record
                .docs
                .get(doc)
                .is_some_and(|state| state.trie.is_excluded_tip(*from)),
            Step::Create { .. } | Step::Append { .. } => true,
            Step::Remove { .. } => false,
        })
    }

    /// Another device rewrote the docs, and all their former content is still there.
    fn loses_nothing(&self, steps: &[Step]) -> bool {
        let Job { key, record, .. } = &self.job;
        let keeps = |step: &Step| match step {
            Step::Replace { doc, from, to } => {
                keeps_all_messages(Session::new(self.context, key, record), doc, (*to, *from))
                    .unwrap_or(false)
            }
            Step::Create { .. } | Step::Append { .. } => true,
            Step::Remove { .. } => false,
        };
        self.context.joins(&key.tool).judge.is_some()
            && !steps.is_empty()
            && steps.iter().all(keeps)
    }

    fn planned(&self, guards: Guards) -> Verdict {
        let main = self.job.record.main().cloned();
        let taken_back = |name: &DocName| Decided::of(&self.job.record.choices, name).undone_lines;
        let anothers: Vec<&DocName> = {
            let (holders, docs) = (self.context.holders(), self.job.record.docs.keys());
            docs.filter(|doc| holders.is_anothers(&self.job.key, doc))
                .collect()
        };
        let nameless = self.nameless();
        let docs = self
            .job
            .record
            .docs
            .iter()
            .filter(|(name, _)| !anothers.contains(name) && !nameless.contains(name));
        let docs = docs.map(|(name, state)| DocView {
            name,
            kind: state.kind,
            main: Some(name) == main.as_ref(),
            trie: &state.trie,
            local: state
                .local
                .as_ref()
                .filter(|local| local.there)
                .map(|local| local.tip),
            base: state.local.as_ref().map(|local| local.tip),
            stale: Some(name) == main.as_ref() && self.is_stale(),
            drops_messages_of_others: self.takes_back(name, state, Some(name) == main.as_ref()),
            kept: state
                .trie
                .heads()
                .into_iter()
                .chain(taken_back(name).iter().map(|made| made.tip))
                .collect(),
        });
        plan(&SessionView {
            docs: docs.collect(),
            settled: &self.layout.settled,
            guards,
        })
    }

    /// Whether what counts of a snapshot lacks messages that others than the device that left them
    /// out had recorded. Where contents cannot be compared by their messages, whether it is cut off.
    fn takes_back(&self, name: &DocName, state: &DocState, is_main: bool) -> bool {
        let Job { key, record, .. } = &self.job;
        let target = self.layout.settled.targets.get(name);
        let here = state.local.as_ref().filter(|local| local.there);
        let (Some(to), Some(from)) = (target, here.map(|local| local.tip)) else {
            return false;
        };
        let loss = match is_main && self.context.joins(&key.tool).judge.is_some() {
            true => Loss::Messages,
            false => Loss::End,
        };
        let session = Session::new(self.context, key, record);
        state.kind == DocKind::Snapshot
            && from != *to
            && withdrawn::takes_back(session, name, (from, *to), loss).unwrap_or(true)
    }

    fn guards(&self, on: bool) -> Guards {
        let record = &self.job.record;
        let origin = record.origin();
        // A session that is here stays where it is, so the disk need not be asked for a directory.
        let place = (!record.is_here()).then(|| self.context.place(record));
        // Before the lock is taken: a holder that asks for the lock again waits forever for a
        // writer in between.
        let misplaced = record.is_here() && self.context.is_misplaced(record);
        let excluded = self.is_excluded();
        let shared = self.context.shared();
        let parents = origin.map(|card| card.requires.clone()).unwrap_or_default();
        let base = origin
            .and_then(|card| card.base.as_ref())
            .map(|base| &base.session);
        let held_by = |parent: SessionId| match &self.holder {
            Some(holder) if Some(&parent) == base => holder.clone(),
            _ => parent,
        };
        let missing = parents.into_iter().map(held_by).filter(|parent| {
            !shared
                .here
                .contains(&SessionKey::new(&self.job.key.tool, parent))
        });
        Guards {
            open_in: self.found.as_ref().and_then(|found| found.open_in.clone()),
            place_refused: place == Some(Err(NoPlace::Refused)),
            misplaced,
            place: place.and_then(Result::ok),
            project: origin
                .map(|card| {
                    card.project
                        .names
                        .first()
                        .cloned()
                        .unwrap_or_else(|| card.project.key.to_string())
                })
                .unwrap_or_default(),
            project_key: origin
                .map(|card| card.project.key.to_string())
                .unwrap_or_default(),
            excluded,
            tool_on: on,
            paused: shared.paused,
            tool_held: shared.tools_held.contains(&self.job.key.tool),
            unknown: self.unknown.clone(),
            rewrite_released: record.released,
            missing_parents: missing.map(|parent| parent.to_string()).collect(),
        }
    }

    /// The author's card may have named another project since the session was written here: its
    /// directory is watched under that one, too.
    fn note_place(&mut self) {
        let record = &self.job.record;
        let (Some(card), Some(dir)) = (record.origin(), &record.checkout_dir) else {
            return;
        };
        let is_pinned = record
            .pinned
            .as_ref()
            .is_some_and(|pinned| pinned.dir == *dir);
        if self.job.dry || self.placed.is_some() || is_pinned || !record.is_here() {
            return;
        }
        if !self.context.places().is_given(&card.project.key, dir) && dir.is_dir() {
            self.placed = Some((card.project.clone(), dir.clone()));
        }
    }

    fn problem(&mut self, code: ProblemCode, error: &dyn std::error::Error, hint: &str) {
        let record = &self.job.record;
        let id = || {
            let session = record.session.as_ref().or(self.job.session.as_ref());
            let id = session.map_or(self.job.key.hash.as_str(), |id| id.as_str());
            format!("Session {id}")
        };
        let name = record.title().map_or_else(id, |title| format!("“{title}”"));
        self.problems.push(Problem::new(
            code,
            format!("{name}: {}", with_causes(error)),
            hint,
        ));
    }

    /// Reports that something could not be recorded; the next reconcile tries again.
    fn not_recorded(&mut self, error: &dyn std::error::Error) {
        let hint = "Free up disk space or fix the permissions; session-roam will try again.";
        self.problem(ProblemCode::NotRecorded, error, hint);
    }

    fn happened(&mut self, kind: HistoryKind, device: &str, doc: &DocName, bytes: u64, lines: u64) {
        self.happenings.push(Happening {
            at: self.context.clock.now(),
            device: device.to_owned(),
            kind,
            key: self.job.key.to_string(),
            session: self
                .job
                .record
                .session
                .as_ref()
                .map(|id| id.to_string())
                .unwrap_or_default(),
            tool: self.job.key.tool.to_string(),
            doc: doc.to_string(),
            bytes,
            lines,
            ..Happening::default()
        });
    }

    fn finish(mut self) -> Effects {
        let (home, device) = (&self.context.machine.home, &self.context.device);
        let learned = self.learned.take();
        let identifier = &self.context.identifier;
        let learned = learned.map(|(project, cwd)| {
            self.context
                .places()
                .lesson(identifier, (home, device), project, &cwd)
        });
        self.report_gaps();
        self.report_nameless();
        self.note_place();
        let hint = "Nothing was changed.";
        let failed = || {
            Err(ApiError::new(
                ProblemCode::NotRecorded,
                "The session could not be read.",
                hint,
            )
            .offer(Remedy::OpenStatus))
        };
        self.answers.extend(
            self.job
                .decisions
                .iter()
                .map(|(number, _)| (*number, failed())),
        );
        let mut row = row::row(&self.job.record, &self.job.key, &self.verdict, &self.layout);
        if let (Some(why), SessionState::Here, None) = (self.unlisted, row.state, row.reason) {
            (row.reason, row.why) = (Some(Reason::Unlisted), why);
            row.hint = "It opens in its own tool meanwhile.".into();
        }
        let is_unfinished = self.is_unfinished && self.problems.is_empty();
        if let (Verdict::Arriving, true, Some(found)) = (&self.verdict, is_unfinished, &self.found)
        {
            row::unfinished(&mut row, found);
        }
        if let (false, Some(holder)) = (row.needs.is_empty(), &self.holder) {
            // Needed before the file can name it: the holder must not leave the store meanwhile.
            row.needs.push(holder.to_string());
        }
        // The requester waits for an answer, even if the reconcile ended before the copies.
        let untouched = self.job.take_in.map(|conflict_copies| {
            let left = conflict_copies.iter().map(|conflict_copy| {
                TakeInError::NoJournals.row(&self.job.key.tool, conflict_copy)
            });
            TakenIn {
                left: left.collect(),
                ..TakenIn::default()
            }
        });
        let mut effects = Effects {
            seen: None,
            open_in: self.found.and_then(|found| found.open_in),
            session: self.job.session,
            key: self.job.key,
            packed: pack(&self.job.record),
            record: self.job.record,
            row,
            verdict: self.verdict,
            layout: self.layout,
            answers: self.answers,
            announce: self.announce,
            happenings: self.happenings,
            problems: self.problems,
            tampered: self.tampered,
            cloned: self.cloned,
            learned,
            placed: self.placed,
            pin: self.job.pin,
            holds: self.holds,
            again: self.again,
            taken: self.taken.or(untouched),
        };
        effects.seen = self
            .store_print
            .filter(|_| effects.is_complete())
            .and_then(|store| {
                let vault = vault_print(self.context, &effects.record)?;
                Some(Seen { store, vault })
            });
        effects
    }
}

fn stays_here() -> ApiError {
    ApiError::new(
        ProblemCode::NotCarried,
        "This session's project does not sync from this device, and a title syncs with its session.",
        "Include the project, then rename the session.",
    )
}
