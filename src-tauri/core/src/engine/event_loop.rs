//! The loop's state and its one entrance, `handle(event)`. Slow work runs beside the loop and comes
//! back as an event.

use super::apps::Apps;
use super::code::CodeAlong;
use super::devices::PeerState;
use super::event::Event;
use super::forget::Forgetting;
use super::list::Lists;
use super::pausing;
use super::placing::Placing;
use super::prints::Prints;
use super::queue::{Queue, ReconcileRequest};
use super::reconciled::MOST_GATHERED;
use super::retries::Retries;
use super::searching::Searching;
use super::several::Remembered;
use super::stores::{Listings, Occasion};
use crate::api::answer::Reply;
use crate::api::types::{ApiError, SyncthingState, SyncthingStatus, TakenIn};
use crate::engine::Engine;
use crate::engine::Import;
use crate::engine::Parts;
use crate::merge::{ChoiceId, fork_id};
use crate::reconcile::Job;
use crate::reconcile::forks::{Parent, is_taken_over};
use crate::reconcile::record::{Dependent, Dependents, SessionRecord};
use crate::reconcile::resolve::{Decision, has_to_follow};
use crate::reconcile::split::BranchLayout;
use crate::session::{
    Lane, Problem, ProblemCode, Reason, Remedy, SessionId, SessionKey, SessionState, ToolId,
};
use crate::state::StateError;
use crate::syncthing::Notice;
use crate::syncthing::proof::Secrets;
use crate::views::indexing::SearchEvent;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// After this much work, memory is returned without waiting for a poll.
const MUCH_WORK: usize = 100;

/// The input of the current event that a panic would lose.
pub(super) enum InHand {
    /// What a start found.
    Start,
    /// A listing of the tool's store.
    Listing(ToolId),
}

impl InHand {
    fn of(event: &Event) -> Option<Self> {
        match event {
            Event::VaultWalked(walk) if walk.is_start() => Some(Self::Start),
            Event::Listed(listed) => Some(Self::Listing(listed.tool.clone())),
            _ => None,
        }
    }
}

/// Whether the results of the first import stay gathered: during an import these events come between
/// any two results. Nothing that they lead to reads the state by another connection, unless it
/// commits first ([`Engine::walk_vault`]).
fn keeps_gathered(event: &Event) -> bool {
    match event {
        Event::Reconciled(_) | Event::Touched(_) | Event::Listed(_) | Event::Answered => true,
        Event::Transport(notice) => matches!(
            notice,
            Notice::Arrived { .. } | Notice::Incoming { .. } | Notice::Peers(_)
        ),
        Event::Search(event) => matches!(**event, SearchEvent::Indexed(_)),
        _ => false,
    }
}

impl Engine {
    pub fn new(parts: Parts) -> Self {
        let Parts {
            home,
            settings,
            name,
            context,
            card,
            state,
            transport,
            jobs,
            registry,
        } = parts;
        let apps = Apps::at(&home, &context.machine.data);
        let pause = pausing::kept(&state);
        context.change().paused = pause.is_some();
        Self {
            apps,
            code: CodeAlong::default(),
            home,
            settings,
            name,
            context,
            card,
            state,
            transport,
            jobs,
            registry,
            peer_state: PeerState::default(),
            lists: Lists::default(),
            forgetting: Forgetting::default(),
            queue: Queue::default(),
            in_hand: None,
            is_awake: false,
            is_starting: false,
            seen: Prints::default(),
            is_seen_checked: false,
            gathered: Vec::new(),
            retries: Retries::default(),
            open_sessions: BTreeMap::new(),
            vanished: BTreeMap::new(),
            known_stores: Remembered::new(),
            dead_stores: BTreeMap::new(),
            missing_paths: HashMap::new(),
            syncthing: SyncthingStatus {
                state: SyncthingState::Starting,
                ..SyncthingStatus::default()
            },
            incoming: 0,
            problems: BTreeMap::new(),
            twins: HashMap::new(),
            held: BTreeMap::new(),
            import: Import::default(),
            n_worked: 0,
            cycle_ms: 0.0,
            listings: Listings::default(),
            placing: Placing::default(),
            published: None,
            withdrawal: None,
            published_at: None,
            taking_in: None,
            importing: None,
            leaving: BTreeSet::new(),
            counting: BTreeMap::new(),
            secrets: Secrets::default(),
            comparisons: Vec::new(),
            announced_name: None,
            replies: HashMap::new(),
            next_reply: 0,
            parents_by_session: HashMap::new(),
            searching: Searching::default(),
            paused_until: pause.and_then(|pause| pause.until),
            is_stopping: false,
        }
    }

    /// Starts the engine: loads the state and reads the vault, the stores and the network afresh.
    pub fn wake(&mut self) {
        self.begin_quarantine();
        self.is_starting = true;
        self.await_first_listings();
        self.guarded(Self::try_wake);
        self.pump();
    }

    /// If the engine is not awake afterwards, nothing is reconciled or listed until a poll has tried
    /// it again. Any other error leaves out nothing that a start must find.
    pub(super) fn try_wake(&mut self) -> Result<(), StateError> {
        self.remember_here()?;
        self.remember_passing()?;
        self.remember_stores()?;
        let once = self.once()?;
        self.remember_presence();
        let clones = self.remember_clones();
        let restored = self.restore_own_list();
        self.open_lists();
        self.open_forgetting();
        let search = self.open_search();
        self.read_presences();
        self.end_old_attempts();
        self.announce_attempts();
        self.publish_presence();
        self.arrange();
        let seen = self.check_seen();
        self.resume_code();
        self.look_at_start(once, restored);
        self.is_awake = true;
        clones.and(search).and(seen)
    }

    /// Returns whether the loop continues.
    pub fn handle(&mut self, event: Event) -> bool {
        self.in_hand = InHand::of(&event);
        let is_poll = matches!(event, Event::Poll);
        let keeps_gathered = keeps_gathered(&event);
        if !keeps_gathered {
            // An answer is read beside the loop: by another connection.
            self.commit_gathered();
        }
        match event {
            Event::Touched(paths) => self.guarded(|engine| engine.touched(paths)),
            Event::ScanAll => self.list_all(Occasion::Change),
            Event::AppDeletes(deletion) => self.delete_for_app(*deletion),
            Event::Poll => self.guarded(Self::poll),
            Event::Retry => self.retry_soon_again(),
            Event::Watch(problem) => self.set_problem("watch", problem),
            Event::Transport(notice) => self.guarded(|engine| engine.transport_notice(notice)),
            Event::Reconciled(effects) => self.guarded(|engine| engine.reconciled(*effects)),
            Event::Erased(erasure) => self.guarded(|engine| engine.erased(*erasure)),
            Event::Searched(searched) => self.guarded(|engine| engine.searched(*searched)),
            Event::PlacesChecked(checked) => self.guarded(|engine| engine.checked(*checked)),
            Event::DirectorySeen(seen, reply) => reply(self.map(&seen)),
            Event::CopiesFound(found) => self.copies_found(found),
            Event::FramesCounted(counted, reply) => reply(self.put_out(*counted)),
            Event::WorkPanicked => self.work_panicked(),
            Event::Answered => self.n_worked += 1,
            Event::Refused(error, reply) => reply(Err(error)),
            Event::Listed(listed) => self.guarded(|engine| engine.listed(listed)),
            Event::VaultWalked(walk) => self.guarded(|engine| engine.vault_walked(*walk)),
            Event::StoresFound(found) => self.guarded(|engine| engine.stores_found(found)),
            Event::Code(event) => self.guarded(|engine| engine.code_event(*event)),
            Event::Search(event) => self.guarded(|engine| engine.search_event(*event)),
            Event::Panicked(key, request) => self.panicked(&key, *request),
            Event::Request(request, reply) => self.answer(request, reply),
            Event::Stop => self.is_stopping = true,
        }
        if !keeps_gathered || MOST_GATHERED <= self.gathered.len() || !self.queue.importing() {
            self.commit_gathered();
        }
        self.guarded(Self::find_more_places);
        self.pump();
        self.guarded(Self::pump_search);
        self.give_back_memory(is_poll);
        self.in_hand = None;
        !self.is_stopping
    }

    /// To be called after a panic in [`Engine::handle`]: begins again what the event was to take over.
    /// Returns whether the loop continues.
    pub fn after_panic(&mut self) -> bool {
        let message = "An internal error interrupted session-roam; it continues.";
        self.internal_error("loop", message);
        match self.in_hand.take() {
            Some(InHand::Start) => self.give_up_start(),
            Some(InHand::Listing(tool)) => self.give_up_listing(&tool),
            None => {}
        }
        self.pump();
        !self.is_stopping
    }

    /// The allocator keeps the memory of what was done; an idle engine should be small. After much
    /// work memory is returned at once, after any work with the next poll.
    fn give_back_memory(&mut self, is_poll: bool) {
        let least = if is_poll { 1 } else { MUCH_WORK };
        if self.n_worked < least || !self.queue.is_empty() {
            return;
        }
        self.n_worked = 0;
        // Its pages are read again when they are asked for.
        self.state.shrink_memory();
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: malloc_trim(3) may be called at any time from any thread; it frees only unused
        // memory.
        unsafe {
            libc::malloc_trim(0);
        }
    }

    /// To be called where what took much memory ends, and not where it begins: this event's end
    /// returns the memory to the system.
    pub(super) fn freed_much(&mut self) {
        self.n_worked += MUCH_WORK;
    }

    /// Reports a failing state file as a problem; what was not saved is found again later. Only a
    /// successful write clears the problem, not work that had nothing to write.
    pub(super) fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<(), StateError>) {
        if let Err(error) = work(self) {
            self.unwritable(&error);
        }
    }

    pub(super) fn unwritable(&mut self, error: &StateError) {
        let hint = "Free up disk space or fix its permissions; session-roam then catches up.";
        self.set_problem(
            "state",
            Some(Problem::new(
                ProblemCode::StateUnwritable,
                crate::session::problem::with_causes(error),
                hint,
            )),
        );
    }

    pub(super) fn internal_error(&mut self, topic: &str, message: impl Into<String>) {
        let hint = "Nothing was changed. Please report it with the log file.";
        let problem = Problem::new(ProblemCode::Internal, message, hint);
        self.set_problem(topic, Some(problem.offer(Remedy::OpenLogs)));
    }

    /// Tests whether the state can be written again.
    pub(super) fn probe_state(&mut self) -> Result<(), StateError> {
        if self.problems.contains_key("state") {
            self.state.put_note("probed", &self.context.clock.now())?;
            self.set_problem("state", None);
        }
        Ok(())
    }

    pub(super) fn set_problem(&mut self, topic: &str, problem: Option<Problem>) {
        match problem {
            Some(problem) => {
                self.problems.insert(topic.to_owned(), problem);
            }
            None => {
                self.problems.remove(topic);
            }
        }
    }

    /// Has the session's next reconcile carry out a decision; the requester is answered then.
    pub(super) fn decide(&mut self, key: SessionKey, decision: Decision, reply: Reply) {
        self.next_reply += 1;
        self.replies.insert(self.next_reply, (key.clone(), reply));
        self.schedule(
            key,
            ReconcileRequest {
                decisions: vec![(self.next_reply, decision)],
                ..ReconcileRequest::default()
            },
        );
    }

    /// Answers everyone who waits for a decision about this session: it was not carried out.
    pub(super) fn refuse_waiting(&mut self, key: &SessionKey, error: &ApiError) {
        let waiting: Vec<u64> = self
            .replies
            .iter()
            .filter(|(_, (about, _))| about == key)
            .map(|(number, _)| *number)
            .collect();
        for number in waiting {
            if let Some((_, reply)) = self.replies.remove(&number) {
                reply(Err(error.clone()));
            }
        }
    }

    /// Some work beside the loop came to no result. What can be waited for is begun again.
    fn work_panicked(&mut self) {
        let message = "Some work failed because of an internal error; it is tried again.";
        self.internal_error("work", message);
        self.placing.give_up();
        self.give_up_copies();
    }

    fn panicked(&mut self, key: &SessionKey, request: ReconcileRequest) {
        self.queue.done(key);
        self.forgetting.at_work.remove(key);
        self.retries.note_panicked(key);
        self.postpone(key.clone(), request);
        let hint = "Nothing was changed. Please report it with the log file.";
        self.refuse_waiting(
            key,
            &ApiError::new(
                ProblemCode::Internal,
                "The session could not be reconciled.",
                hint,
            ),
        );
        self.copies_imported(key, TakenIn::default());
        let message = format!(
            "Session {key} could not be processed because of an internal error; it is unchanged."
        );
        self.set_problem(
            &format!("panicked {key}"),
            Some(
                Problem::new(
                    ProblemCode::Internal,
                    message,
                    "Please report it with the log file.",
                )
                .offer(Remedy::OpenLogs),
            ),
        );
        self.report_quarantine();
    }

    /// Has a session reconciled to which something happened, or may have happened.
    pub(super) fn schedule(&mut self, key: SessionKey, request: ReconcileRequest) {
        self.retries.end_pause(&key);
        self.add_to_queue(key, request);
    }

    /// Has a session reconciled although nothing happened to it.
    pub(super) fn schedule_again(&mut self, key: SessionKey, session: Option<SessionId>) {
        let request = ReconcileRequest {
            session,
            ..ReconcileRequest::default()
        };
        self.add_to_queue(key, request);
    }

    fn add_to_queue(&mut self, key: SessionKey, mut request: ReconcileRequest) {
        request.dirs.extend(self.retries.take_unsaved(&key));
        if let Some(mut postponed) = self.retries.take_postponed(&key) {
            postponed.include(request);
            request = postponed;
        }
        self.queue.add(key, request);
    }

    pub(super) fn schedule_session(&mut self, tool: &ToolId, session: &SessionId) {
        self.schedule(
            SessionKey::new(tool, session),
            ReconcileRequest {
                session: Some(session.clone()),
                ..ReconcileRequest::default()
            },
        );
    }

    /// Hands sessions to free workers.
    fn pump(&mut self) {
        if self.is_starting {
            return;
        }
        while let Some((key, mut request)) = self.queue.pop(|tool| self.listings.is_first(tool)) {
            if self.erases(&key, &request) {
                continue;
            }
            match self.job(&key, &mut request, false) {
                Ok(job) => self.jobs.start(job),
                Err(error) => {
                    self.queue.done(&key);
                    self.copies_imported(&key, TakenIn::default());
                    self.unwritable(&error);
                    self.refuse_waiting(&key, &error.into());
                    self.postpone(key, request);
                }
            }
        }
    }

    /// After an error the request is as before.
    pub(super) fn job(
        &self,
        key: &SessionKey,
        request: &mut ReconcileRequest,
        dry: bool,
    ) -> Result<Job, StateError> {
        let mut record: SessionRecord = self.state.record(key)?.unwrap_or_default();
        record.released |= request.released;
        if request.restored {
            record.forget_deletion();
        }
        if request.vanished {
            record.forget_store();
        }
        let parent = match &request.parent {
            Some((parent, plan)) => self.state.record(parent)?.map(|record| Parent {
                key: parent.clone(),
                record,
                plan: plan.clone(),
            }),
            None => None,
        };
        let family = if request.decisions.is_empty() {
            BTreeMap::new()
        } else {
            self.family(&key.tool, &record)?
        };
        let base = record.origin().and_then(|card| card.base.as_ref());
        let base = base.map(|base| SessionKey::new(&key.tool, &base.session));
        let base = match base {
            Some(base) => Some((base.clone(), self.state.record(&base)?.unwrap_or_default())),
            None => None,
        };
        let dependents = match request.session.as_ref().or(record.session.as_ref()) {
            Some(session) => self.dependents(&key.tool, session)?,
            None => Dependents::default(),
        };
        let lane = if request.import {
            Lane::Bulk
        } else {
            Lane::Priority
        };
        let request = std::mem::take(request);
        Ok(Job {
            key: key.clone(),
            session: request.session.or(record.session.clone()),
            record,
            dirs: request.dirs.into_iter().collect(),
            lane,
            deep: request.deep,
            dry,
            parent,
            decisions: request.decisions,
            family,
            base,
            dependents,
            take_in: request.take_in,
            pin: request.pin,
        })
    }

    fn dependents(&self, tool: &ToolId, session: &SessionId) -> Result<Dependents, StateError> {
        let mut dependents = Dependents::default();
        for (key, row) in self
            .state
            .needing(session.as_str())?
            .into_iter()
            .filter(|(key, _)| key.tool == *tool)
        {
            let wanted_here = row.path.is_some() || row.state == SessionState::Waiting;
            dependents.needed |= wanted_here
                && row
                    .needs
                    .iter()
                    .skip(1)
                    .any(|needed| *needed == session.as_str());
            let record: SessionRecord = self.state.record(&key)?.unwrap_or_default();
            dependents
                .children
                .extend(Dependent::of(&record).filter(|child| child.base.session == *session));
        }
        Ok(dependents)
    }

    /// The beginning of a session may now lie in another one: both are reconciled until they agree.
    pub(super) fn schedule_dependents(
        &mut self,
        key: &SessionKey,
        record: &SessionRecord,
        needs: &[String],
    ) -> Result<(), StateError> {
        // Nearly all sessions stand alone, and take no memory here.
        let before = match needs.is_empty() {
            true => self.parents_by_session.remove(key),
            false => self.parents_by_session.insert(key.clone(), needs.to_vec()),
        };
        let before = before.unwrap_or_default();
        if before != needs {
            for session in before.iter().chain(needs) {
                self.schedule_session(&key.tool, &SessionId::new(session.as_str()));
            }
            self.schedule(key.clone(), ReconcileRequest::default());
        }
        let was_split =
            !record.choices.is_empty() || record.docs.values().any(|doc| !doc.firsts.is_empty());
        if let Some(session) = record.session.as_ref().filter(|_| was_split) {
            for (child, _) in self.state.needing(session.as_str())? {
                self.schedule(child, ReconcileRequest::default());
            }
        }
        Ok(())
    }

    /// The forks that branches of this session became.
    pub(super) fn family(
        &self,
        tool: &ToolId,
        record: &SessionRecord,
    ) -> Result<BTreeMap<SessionId, SessionRecord>, StateError> {
        let mut family = BTreeMap::new();
        let Some(session) = &record.session else {
            return Ok(family);
        };
        for first_line in record.docs.values().flat_map(|doc| doc.firsts.keys()) {
            let fork = fork_id(session, *first_line);
            if let Some(found) = self.state.record(&SessionKey::new(tool, &fork))? {
                family.insert(fork, found);
            }
        }
        Ok(family)
    }

    /// Schedules the forks of a split session: branches to take over, decisions to follow.
    pub(super) fn schedule_forks(
        &mut self,
        key: &SessionKey,
        record: &SessionRecord,
        layout: &BranchLayout,
    ) -> Result<(), StateError> {
        for plan in &layout.forks {
            let fork = SessionKey::new(&key.tool, &plan.session);
            let known: SessionRecord = self.state.record(&fork)?.unwrap_or_default();
            if !is_taken_over(&known, plan) {
                let parent = Some((key.clone(), plan.clone()));
                self.schedule(
                    fork,
                    ReconcileRequest {
                        session: Some(plan.session.clone()),
                        parent,
                        ..ReconcileRequest::default()
                    },
                );
            }
        }
        // The device that made or undid the decision carries it out, so that no device puts away
        // what its user has not seen.
        let own = self.context.short.clone();
        let undone_here = |id: &ChoiceId| {
            record
                .choices
                .iter()
                .any(|undo| undo.choice.undoes.as_ref() == Some(id) && undo.id.device == own)
        };
        let Some(parent) = &record.session else {
            return Ok(());
        };
        let undid = record
            .choices
            .iter()
            .any(|chosen| chosen.choice.undoes.is_some() && chosen.id.device == own);
        for chosen in &record.choices {
            let away = layout.decided.as_ref() == Some(&chosen.id);
            let decided_here = layout
                .decided
                .as_ref()
                .is_some_and(|decided| decided.device == own);
            let ours = chosen.id.device == own
                || if away {
                    undid
                } else {
                    decided_here || undone_here(&chosen.id)
                };
            if !ours {
                continue;
            }
            for session in &chosen.choice.forks {
                let fork = SessionKey::new(&key.tool, session);
                // Only true branches of this session: the list may come from another device.
                let known = self.state.record::<SessionRecord>(&fork)?;
                let Some(known) = known.filter(|known| known.is_branch(Some(parent))) else {
                    continue;
                };
                if has_to_follow(&known, &chosen.id, away) {
                    let follow = Decision::Follow {
                        id: chosen.id.clone(),
                        choice: Box::new(chosen.choice.clone()),
                        away,
                    };
                    let decisions = vec![(0, follow)];
                    self.schedule(
                        fork,
                        ReconcileRequest {
                            decisions,
                            ..ReconcileRequest::default()
                        },
                    );
                }
            }
        }
        Ok(())
    }

    /// Replaces a session's problems with the present ones.
    pub(super) fn set_session_problems(&mut self, key: &SessionKey, problems: Vec<Problem>) {
        let topic = format!("session {key} ");
        let known = self.problems.range(topic.clone()..);
        let known = known
            .map(|(known, _)| known)
            .take_while(|known| known.starts_with(&topic));
        let gone: Vec<String> = known.cloned().collect();
        for known in gone {
            self.problems.remove(&known);
        }
        for problem in problems {
            self.set_problem(&format!("{topic}{}", problem.code), Some(problem));
        }
    }

    pub(super) fn end_import(&mut self) {
        if self.queue.importing() {
            return;
        }
        let tools: Vec<ToolId> = self.context.tools.keys().cloned().collect();
        for tool in tools {
            let _ = self
                .state
                .put_note(&super::stores::imported_note(&tool), &true);
        }
    }

    /// Notes that a session came or went; those that require it may be waiting.
    pub(super) fn note_here(&mut self, key: &SessionKey, session: Option<&SessionId>, here: bool) {
        let changed = {
            let mut shared = self.context.change();
            if here {
                shared.here.insert(key.clone())
            } else {
                shared.here.remove(key)
            }
        };
        if changed && here {
            self.came(key);
            if let Some(session) = session {
                self.guarded(|engine| engine.retry_depending(&key.tool, session));
            }
        }
    }

    /// Reconciles the sessions that wait for this one.
    fn retry_depending(&mut self, tool: &ToolId, session: &SessionId) -> Result<(), StateError> {
        for (key, row) in self.state.depending(session.as_str())? {
            if key.tool == *tool && row.reason == Some(Reason::Parent) {
                self.schedule(key, ReconcileRequest::default());
            }
        }
        Ok(())
    }

    /// Drops all pending work on a session.
    pub(super) fn drop_session(&mut self, key: &SessionKey) {
        self.retries.forget(key);
        self.missing_paths.remove(key);
        self.parents_by_session.remove(key);
    }

    /// How many rows and records of sessions the loop has read from the state.
    pub fn n_read(&self) -> u64 {
        self.state.n_read()
    }

    /// Ends in good order: workers finish what is running, and the next start finds the results.
    pub fn end(&mut self) {
        self.open_sessions.clear();
        if let Some(importing) = &self.importing {
            importing.cancel();
        }
        self.publish_presence();
        self.transport.stop();
    }
}
