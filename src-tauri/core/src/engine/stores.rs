//! The tools' stores: which sessions changed, vanished, or are open.

use super::Engine;
use super::event::Event;
use super::listed::{Extent, ListRequest, ListedSession, ListedStore};
use super::queue::ReconcileRequest;
use crate::api::types::Held;
use crate::api::types::HoldReason;
use crate::reconcile::record::{LocalDoc, SessionRecord};
use crate::session::{Lane, ProblemCode, Reason, SessionKey, SessionState, ToolId};
use crate::state::{StateCount, StateError};
use crate::tools::{Listing, Root, Tool, Touched, Twin, Watermark};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Reasons that may be gone when the store is listed again.
const RETRIED_AFTER_LISTING: [Reason; 5] = [
    Reason::Unwritable,
    Reason::JustWritten,
    Reason::TakenBack,
    Reason::Live,
    Reason::UnknownShape,
];

/// A poll skips a large store: one poll for every 1,000 sessions. Polls are there for events that
/// were lost, and their cost must not grow with the store.
const SESSIONS_PER_SKIPPED_POLL: usize = 1000;
/// The most polls that are skipped, a quarter of an hour.
const MOST_LEFT_OUT: usize = 30;

/// The listings that run beside the loop, at most one of each tool.
#[derive(Default)]
pub(super) struct Listings {
    running: BTreeMap<ToolId, Running>,
    scan: Option<Scan>,
    /// How many polls do not list the tool's store.
    left_out: BTreeMap<ToolId, LeftOut>,
    n_polls: u64,
    /// How far the last listing read the tool's store.
    watermarks: BTreeMap<ToolId, Watermark>,
    /// The directories to watch for each tool, as its last listing found them.
    roots: BTreeMap<ToolId, Vec<Root>>,
    /// Whether the last whole listing of each tool met something that could not be read.
    unknown: BTreeMap<ToolId, bool>,
    /// The directories to watch have changed.
    has_other_roots: bool,
    /// Sessions with journals that an older version read are being reconciled.
    pub(super) is_reading_again: bool,
}

/// The polls that leave out a store between two listings, and those still to come.
struct LeftOut {
    polls: usize,
    left: usize,
}

impl Listings {
    fn plan_polls(&mut self, tool: &ToolId, n_sessions: usize) {
        let polls = (n_sessions / SESSIONS_PER_SKIPPED_POLL).min(MOST_LEFT_OUT);
        let left_out = LeftOut { polls, left: polls };
        self.left_out.insert(tool.clone(), left_out);
    }

    fn is_much(&self, tool: &ToolId) -> bool {
        self.left_out.get(tool).is_some_and(|out| 0 < out.polls)
    }

    /// Whether this poll lists the tool's store.
    fn is_due(&mut self, tool: &ToolId) -> bool {
        match self.left_out.get_mut(tool).filter(|out| 0 < out.left) {
            None => true,
            Some(out) => {
                out.left -= 1;
                false
            }
        }
    }

    /// Whether it takes a moment to list this much of the tool's store.
    fn is_little(&self, tool: &ToolId, extent: &Extent) -> bool {
        let is_small = self.left_out.get(tool).is_some_and(|out| out.polls == 0);
        is_small || *extent == Extent::default()
    }

    /// Gives up a listing that a poll began together with others, if there is one: a store that does
    /// not answer keeps only itself waiting. Returns how much of the store it was to list.
    fn give_up_together(&mut self, tool: &ToolId) -> Option<Extent> {
        let running = self.running.get(tool);
        running.filter(|running| running.poll.is_some())?;
        self.running.remove(tool)?.extent
    }

    /// Whether the tool's store is known not to be read whole.
    pub(super) fn is_unknown(&self, tool: &ToolId) -> bool {
        self.unknown.get(tool) == Some(&true)
    }

    /// Something that a listing found was not scheduled: the next poll lists the whole store.
    fn note_incomplete(&mut self, tool: &ToolId) {
        self.left_out.remove(tool);
        self.watermarks.remove(tool);
    }

    /// The listings of the engine's start that are not there yet.
    pub(super) fn n_first(&self) -> usize {
        let firsts = self.running.values();
        firsts
            .filter(|running| running.occasion == Occasion::Start)
            .count()
    }

    /// Whether the tool's sessions must wait: a store that was emptied while the engine was off
    /// must be noticed before anything is written there.
    pub(super) fn is_first(&self, tool: &ToolId) -> bool {
        let running = self.running.get(tool);
        running.is_some_and(|running| running.occasion == Occasion::Start)
    }
}

struct Running {
    occasion: Occasion,
    /// Set if the store may have changed since this listing began.
    again: Option<(Occasion, Extent)>,
    /// Sessions that came into the store since this listing began: it may not have them.
    arrived_meanwhile: BTreeSet<SessionKey>,
    /// The poll that lists the store together with others, and how much of it.
    poll: Option<u64>,
    extent: Option<Extent>,
}

impl Running {
    fn on(occasion: Occasion) -> Self {
        Self {
            occasion,
            again: None,
            arrived_meanwhile: BTreeSet::new(),
            poll: None,
            extent: None,
        }
    }
}

/// Why a store is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Occasion {
    Change,
    /// Sessions that wait for something in the store are retried after the listing.
    Poll,
    /// The engine has just started.
    Start,
}

/// A scan of everything whose duration is being measured.
struct Scan {
    left: BTreeSet<ToolId>,
    took: Duration,
}

/// The note of the state that the tool's sessions are imported.
pub(super) fn imported_note(tool: &ToolId) -> String {
    format!("imported {tool}")
}

impl Engine {
    /// The directories to watch, as the last listings found them, if others are to be watched since
    /// the last call.
    pub fn changed_roots(&mut self) -> Option<Vec<Root>> {
        if !std::mem::take(&mut self.listings.has_other_roots) {
            return None;
        }
        let shared = self.context.shared();
        let roots = self.listings.roots.iter();
        let on = roots.filter(|(tool, _)| !shared.tools_off.contains(*tool));
        Some(on.flat_map(|(_, roots)| roots.clone()).collect())
    }

    /// A tool was switched on or off.
    pub(super) fn watch_others(&mut self) {
        self.listings.has_other_roots = true;
    }

    pub(super) fn on_tools(&self) -> Vec<(ToolId, Arc<dyn Tool>)> {
        let off = self.context.shared().tools_off.clone();
        self.context
            .tools
            .iter()
            .filter(|(id, _)| !off.contains(*id))
            .map(|(id, tool)| (id.clone(), tool.clone()))
            .collect()
    }

    pub(super) fn touched(&mut self, paths: Vec<PathBuf>) -> Result<(), StateError> {
        let mut list: BTreeMap<ToolId, Extent> = BTreeMap::new();
        let tools = self.on_tools();
        for path in paths {
            for (id, tool) in &tools {
                match tool.touched(&self.context.machine, &path) {
                    Touched::Session(session) if path.exists() => {
                        self.schedule_session(id, &session);
                    }
                    // A session that is gone goes through a whole listing, where a mass deletion is
                    // noticed.
                    Touched::Session(session) => {
                        list.entry(id.clone()).or_default().missing.insert(session);
                    }
                    Touched::OpenSessions => list.entry(id.clone()).or_default().open = true,
                    Touched::Everything => list.entry(id.clone()).or_default().changes = true,
                    Touched::Nothing => {}
                }
            }
        }
        for (tool, extent) in list {
            self.list_part(&tool, Occasion::Change, extent);
        }
        Ok(())
    }

    pub(super) fn list_all(&mut self, occasion: Occasion) {
        for (tool, _) in self.on_tools() {
            self.list(&tool, occasion);
        }
    }

    /// Lists a tool's store by stat, beside the loop.
    pub(super) fn list(&mut self, tool: &ToolId, occasion: Occasion) {
        self.list_part(tool, occasion, Extent::all());
    }

    /// Lists a part of a tool's store, or all of it if the adapter knows no parts. A request during
    /// a listing leads to one more listing after it.
    fn list_part(&mut self, tool: &ToolId, mut occasion: Occasion, mut extent: Extent) {
        let Some(adapter) = self.context.tools.get(tool).cloned() else {
            return;
        };
        // Its result would come only after those of the stores beside it.
        if let Some(shared) = self.listings.give_up_together(tool) {
            extent.include(shared);
            occasion = occasion.max(Occasion::Poll);
        }
        if let Some(running) = self.listings.running.get_mut(tool) {
            let (known, of) = running
                .again
                .get_or_insert_with(|| (occasion, Extent::default()));
            *known = (*known).max(occasion);
            of.include(extent);
            return;
        }
        self.listings
            .running
            .insert(tool.clone(), Running::on(occasion));
        self.begin_listing(tool, adapter, extent);
    }

    /// Has the stores listed after what a start must find first.
    pub(super) fn await_first_listings(&mut self) {
        for (tool, _) in self.on_tools() {
            self.listings
                .running
                .insert(tool, Running::on(Occasion::Start));
        }
    }

    pub(super) fn begin_first_listings(&mut self) {
        let waiting: Vec<ToolId> = self.listings.running.keys().cloned().collect();
        for tool in waiting
            .into_iter()
            .filter(|tool| self.listings.is_first(tool))
        {
            if let Some(adapter) = self.context.tools.get(&tool).cloned() {
                self.begin_listing(&tool, adapter, Extent::all());
            }
        }
    }

    fn begin_listing(&self, tool: &ToolId, adapter: Arc<dyn Tool>, extent: Extent) {
        let request = self.list_request(tool, extent, None);
        let context = self.context.clone();
        self.jobs.spawn_for_event(Box::new(move || {
            let listed = ListedStore::of(request, &*adapter, &context);
            Event::Listed(Box::new(listed))
        }));
    }

    fn list_request(&self, tool: &ToolId, extent: Extent, poll: Option<u64>) -> ListRequest {
        let open = self.open_sessions.keys().filter(|key| key.tool == *tool);
        ListRequest {
            tool: tool.clone(),
            sorted: extent != Extent::default() && self.is_importing(tool).unwrap_or_default(),
            extent,
            since: self.listings.watermarks.get(tool).cloned(),
            open: open.cloned().collect(),
            poll,
        }
    }

    /// Lists these stores one after the other: a thread for each of them would cost more than the
    /// listing.
    fn list_together(&mut self, stores: Vec<(ListRequest, Arc<dyn Tool>)>) {
        if stores.is_empty() {
            return;
        }
        for (request, _) in &stores {
            let running = Running {
                poll: request.poll,
                extent: Some(request.extent.clone()),
                ..Running::on(Occasion::Poll)
            };
            self.listings.running.insert(request.tool.clone(), running);
        }
        let context = self.context.clone();
        self.jobs.spawn_for_events(Box::new(move || {
            let listed = stores
                .into_iter()
                .map(|(request, adapter)| ListedStore::of(request, &*adapter, &context));
            listed
                .map(|listed| Event::Listed(Box::new(listed)))
                .collect()
        }));
    }

    fn is_importing(&self, tool: &ToolId) -> Result<bool, StateError> {
        let imported = self.state.note::<bool>(&imported_note(tool))?;
        Ok(imported.is_none())
    }

    /// Notes that a session came into its store.
    pub(super) fn came(&mut self, key: &SessionKey) {
        if let Some(running) = self.listings.running.get_mut(&key.tool) {
            running.arrived_meanwhile.insert(key.clone());
        }
    }

    /// A listing has finished: schedules the sessions that changed, a slice of them with each event.
    pub(super) fn listed(&mut self, mut listed: Box<ListedStore>) -> Result<(), StateError> {
        let (begun, before) = (Instant::now(), self.queue.len());
        let tool = listed.tool.clone();
        let running = self.listings.running.get(&tool);
        // One that was given up found what has been listed again since.
        let Some(running) = running.filter(|running| running.poll == listed.poll) else {
            return Ok(());
        };
        let is_start = running.occasion == Occasion::Start;
        let mut done = Ok(());
        if !listed.is_begun {
            listed.is_begun = true;
            done = self.accept_listing(&mut listed);
        }
        if done.is_err() || self.context.shared().tools_off.contains(&tool) {
            listed.sessions.clear();
        }
        let done = done.and_then(|()| self.schedule_next_sessions(&mut listed, is_start));
        listed.took += begun.elapsed();
        listed.is_quiet &= self.queue.len() == before;
        if done.is_ok() && !listed.sessions.is_empty() {
            self.continue_with(Event::Listed(listed));
            return Ok(());
        }
        self.end_listing(*listed, done.is_ok());
        done
    }

    /// Accepts everything of a listing except its sessions.
    fn accept_listing(&mut self, listed: &mut ListedStore) -> Result<(), StateError> {
        let tool = listed.tool.clone();
        if let Some(of) = &listed.enters {
            self.retry(of, Reason::Unlisted);
        }
        let topic = format!("listing {tool}");
        let roots = std::mem::take(&mut listed.roots);
        // An adapter that panicked may have said nothing of them.
        let are_said = listed.listing.is_some() || !roots.is_empty();
        if are_said && self.listings.roots.get(&tool) != Some(&roots) {
            self.listings.roots.insert(tool.clone(), roots);
            self.listings.has_other_roots = true;
        }
        let Some(listing) = listed.listing.take() else {
            let message =
                format!("Listing the store of {tool} failed because of an internal error.");
            self.internal_error(&topic, message);
            return Ok(());
        };
        if self.context.shared().tools_off.contains(&tool) {
            return Ok(());
        }
        self.set_problem(&topic, None);
        // Until all of it is scheduled there is no mark: after an error the whole store is listed.
        if listing.watermark.is_some() || listed.is_whole {
            self.listings.watermarks.remove(&tool);
        }
        self.schedule_twins(&tool, &listing.twins);
        if listed.is_whole {
            self.check_store(listed, &listing)?;
        }
        listed.listing = Some(listing);
        Ok(())
    }

    /// Schedules those of the next sessions that changed.
    fn schedule_next_sessions(
        &mut self,
        listed: &mut ListedStore,
        is_start: bool,
    ) -> Result<(), StateError> {
        let is_needed = is_start || !listed.sessions.is_empty();
        let import = is_needed && self.is_importing(&listed.tool)?;
        let n = listed.sessions.len().min(self.context.sizes.slice);
        for found in listed.sessions.drain(..n) {
            if self.is_forgotten_in_store(&found) {
                continue;
            }
            let ListedSession {
                key,
                session,
                print,
                open_in,
            } = found;
            self.note_open(&key, open_in);
            if self.seen.insert(&key, print) == Some(print) {
                continue;
            }
            if import && is_start {
                self.import.total += 1;
            }
            let request = ReconcileRequest {
                session: Some(session),
                import,
                ..ReconcileRequest::default()
            };
            self.schedule(key, request);
        }
        if import && is_start && listed.n_sessions == 0 && listed.listing.is_some() {
            self.state.put_note(&imported_note(&listed.tool), &true)?;
        }
        Ok(())
    }

    /// A listing is taken over, as far as that was possible.
    fn end_listing(&mut self, listed: ListedStore, is_done: bool) {
        let tool = listed.tool;
        let Some(running) = self.listings.running.remove(&tool) else {
            return;
        };
        if listed.is_whole && self.listings.is_much(&tool) {
            // What such a listing took is free by now, and returned to the system, too.
            self.freed_much();
        }
        if !is_done {
            self.listings.note_incomplete(&tool);
        }
        if let Some(listing) = listed.listing.filter(|_| is_done) {
            listed
                .closed
                .iter()
                .for_each(|key| self.note_open(key, None));
            if let Some(watermark) = listing.watermark {
                self.listings.watermarks.insert(tool.clone(), watermark);
            }
        }
        if running.occasion == Occasion::Poll {
            self.guarded(|engine| engine.try_closed(&tool));
        }
        if let Some((occasion, extent)) = running.again {
            self.list_part(&tool, occasion, extent);
        }
        self.scan_continued(&tool, listed.took, listed.is_quiet);
    }

    /// A panic interrupted the taking over of a listing.
    pub(super) fn give_up_listing(&mut self, tool: &ToolId) {
        self.listings.note_incomplete(tool);
        self.listings.scan = None;
        let running = self.listings.running.remove(tool);
        if let Some((occasion, extent)) = running.and_then(|running| running.again) {
            self.list_part(tool, occasion, extent);
        }
    }

    /// What a whole listing says about the store itself.
    fn check_store(
        &mut self,
        listed: &mut ListedStore,
        listing: &Listing,
    ) -> Result<(), StateError> {
        let tool = &listed.tool.clone();
        // A session's second file is reported by the reconcile that recorded it.
        let mut problems = listing.problems.iter();
        let reported = problems.find(|problem| problem.code != ProblemCode::DuplicateSession);
        self.set_problem(&format!("store {tool}"), reported.cloned());
        self.listings.plan_polls(tool, listed.n_sessions);
        let is_unknown = listing.unknown.is_some();
        let before = self.listings.unknown.insert(tool.clone(), is_unknown);
        if !is_unknown && before != Some(false) {
            self.retry(tool, Reason::UnknownShape);
        }
        // If the store cannot be read, nobody knows what is gone.
        match self.context.tools.get(tool).cloned() {
            Some(adapter) if listing.unknown.is_none() => {
                self.guard_vanished(adapter.as_ref(), listed)
            }
            _ => Ok(()),
        }
    }

    /// Schedules sessions whose second file changed; nothing else notices that.
    fn schedule_twins(&mut self, tool: &ToolId, twins: &[Twin]) {
        for Twin { session, docs } in twins {
            let mut is_news = false;
            for doc in docs {
                let known = self.twins.insert(doc.path.clone(), doc.stamp);
                is_news |= known != Some(doc.stamp);
            }
            if is_news {
                self.schedule_session(tool, session);
            }
        }
    }

    /// Many sessions gone at once is no decision of a person: hold, ask, spread nothing.
    fn guard_vanished(
        &mut self,
        adapter: &dyn Tool,
        listed: &mut ListedStore,
    ) -> Result<(), StateError> {
        let tool = &listed.tool;
        // Sessions that were written or removed here while the store was being listed have not
        // vanished.
        let mut vanished = std::mem::take(&mut listed.missing);
        {
            let running = self.listings.running.get(tool);
            let shared = self.context.shared();
            vanished.retain(|key| {
                let has_come =
                    running.is_some_and(|running| running.arrived_meanwhile.contains(key));
                shared.here.contains(key) && !has_come
            });
        }
        let vanished = self.really_vanished(tool, vanished)?;
        let store_gone = listed.had_sessions && !listed.has_roots;
        let too_many = vanished.len() > self.settings.guard.max_vanished
            || (store_gone && !vanished.is_empty());
        let what = format!("tool:{tool}");
        if too_many {
            let name = adapter.about().name;
            self.context.change().tools_held.insert(tool.clone());
            self.held.insert(what.clone(), Held {
                what: what.clone(),
                code: HoldReason::ToolEmptied,
                message: format!("{} sessions vanished from {name}'s store at once. Nothing was deleted on other devices, and nothing is written into the store.", vanished.len()), hint: "If the store comes back, everything continues.".into(), actions: super::remedies::of_hold(HoldReason::ToolEmptied, &what, Some(tool)),
            });
            self.vanished.insert(tool.clone(), vanished);
            return Ok(());
        }
        if self.held.remove(&what).is_some() {
            self.context.change().tools_held.remove(tool);
            self.vanished.remove(tool);
            self.retry(tool, Reason::ToolEmptied);
        }
        for key in vanished {
            self.seen.remove(&key);
            self.schedule(key, ReconcileRequest::default());
        }
        Ok(())
    }

    /// The user confirms it: the sessions are gone here, and stay in the vault.
    pub(super) fn release_tool(&mut self, tool: &ToolId) {
        self.held.remove(&format!("tool:{tool}"));
        self.context.change().tools_held.remove(tool);
        for key in self.vanished.remove(tool).unwrap_or_default() {
            self.context.change().here.remove(&key);
            self.seen.remove(&key);
            self.schedule(key, ReconcileRequest::default());
        }
        self.retry(tool, Reason::ToolEmptied);
    }

    /// The user wants the sessions back that vanished at once: they are written into the store again.
    /// Returns how many.
    pub(super) fn restore_tool(&mut self, tool: &ToolId) -> usize {
        self.held.remove(&format!("tool:{tool}"));
        self.context.change().tools_held.remove(tool);
        let vanished = self.vanished.remove(tool).unwrap_or_default();
        for key in &vanished {
            self.context.change().here.remove(key);
            self.seen.remove(key);
            self.schedule(
                key.clone(),
                ReconcileRequest {
                    vanished: true,
                    ..ReconcileRequest::default()
                },
            );
        }
        self.retry(tool, Reason::ToolEmptied);
        vanished.len()
    }

    pub(super) fn note_open(&mut self, key: &SessionKey, open_in: Option<String>) {
        let before = self.open_sessions.contains_key(key);
        match open_in {
            Some(text) => {
                self.open_sessions.insert(key.clone(), text);
            }
            None => {
                self.open_sessions.remove(key);
            }
        }
        let now = self.open_sessions.contains_key(key);
        if before != now {
            self.publish_presence();
        }
        if before && !now {
            // It was closed: steps that waited for that can continue.
            self.schedule(key.clone(), ReconcileRequest::default());
            self.code_tool_closed(key);
        }
    }

    pub(super) fn poll(&mut self) -> Result<(), StateError> {
        let (begun, before) = (Instant::now(), self.queue.len());
        if !self.is_awake {
            self.try_wake()?;
            return self.probe_state();
        }
        self.probe_state()?;
        if !self.is_seen_checked {
            self.check_seen()?;
        }
        if self.context.drop_unshown() {
            self.n_worked += 1;
        }
        self.end_pause();
        self.end_old_attempts();
        self.retry_due(true);
        self.retry_forgotten()?;
        self.state.trim_history(self.context.clock.now())?;
        self.poll_search()?;
        self.note_kinds_read()?;
        self.record_followed_code();
        self.record_due_code();
        let all = self.list_due()?;
        self.seek_stores();
        self.refresh_presence();
        self.find_and_check_places()?;
        self.save_order_of_places()?;
        self.compare_quiet()?;
        self.listings.scan = (all && self.queue.len() == before).then(|| Scan {
            left: self.listings.running.keys().cloned().collect(),
            took: begun.elapsed(),
        });
        Ok(())
    }

    /// Lists the stores that are due, and of the others what changed and what is open where something
    /// may have passed: a session is open or waits. Returns whether all stores are listed.
    fn list_due(&mut self) -> Result<bool, StateError> {
        let waits = self.state.counts(SessionState::Waiting)?;
        self.listings.n_polls += 1;
        let (poll, mut all, mut together) = (self.listings.n_polls, true, Vec::new());
        for (tool, adapter) in self.on_tools() {
            let is_late = self.listings.give_up_together(&tool).is_some();
            let is_due = self.listings.is_due(&tool);
            all &= is_due;
            let extent = match is_due {
                true => Extent::all(),
                false => self.extent_between(&tool, &waits),
            };
            let is_running = self.listings.running.contains_key(&tool);
            match is_late || is_running || !self.listings.is_little(&tool, &extent) {
                true => self.list_part(&tool, Occasion::Poll, extent),
                false => together.push((self.list_request(&tool, extent, Some(poll)), adapter)),
            }
        }
        self.list_together(together);
        Ok(all)
    }

    /// The part of a store that a skipped poll lists.
    fn extent_between(&self, tool: &ToolId, waits: &[StateCount]) -> Extent {
        let mut waits = waits.iter().filter(|count| count.tool == *tool);
        let is_pending = self.open_sessions.keys().any(|key| key.tool == *tool)
            || waits.any(|count| {
                count
                    .reason
                    .is_some_and(|reason| RETRIED_AFTER_LISTING.contains(&reason))
            });
        // Nothing may have passed: only the directories to watch are asked for.
        Extent {
            open: is_pending,
            changes: is_pending && self.listings.watermarks.contains_key(tool),
            ..Extent::default()
        }
    }

    /// A part of the scan that the last poll began has ended. A scan that finds a change is not
    /// measured.
    fn scan_continued(&mut self, tool: &ToolId, took: Duration, quiet: bool) {
        let Some(scan) = &mut self.listings.scan else {
            return;
        };
        if scan.left.remove(tool) {
            scan.took += took;
        }
        if !quiet {
            self.listings.scan = None;
        } else if scan.left.is_empty() {
            self.cycle_ms = scan.took.as_secs_f64() * 1000.0;
            self.listings.scan = None;
        }
    }

    /// Compares whole logs of which only the end was compared, once nobody has written to them for a
    /// while. By the files' times: those of the records may be of another device's clock.
    fn compare_quiet(&mut self) -> Result<(), StateError> {
        const QUIET_MS: u64 = 60_000;
        let now = self.context.clock.now();
        for key in self.retries.uncompared() {
            let Some(record) = self.state.record::<SessionRecord>(&key)? else {
                continue;
            };
            let local = record.docs.values().filter_map(|doc| doc.local.as_ref());
            let mut logs = local.filter(|local| local.there && !local.compared);
            let is_quiet = |local: &LocalDoc| {
                let written = local.stamp.modified();
                QUIET_MS <= now.0.abs_diff(written.0)
            };
            if record.is_here() && logs.all(is_quiet) {
                self.schedule(
                    key,
                    ReconcileRequest {
                        deep: true,
                        ..ReconcileRequest::default()
                    },
                );
            }
        }
        Ok(())
    }

    /// Loads which sessions are in the stores and which docs each holds; those missing now have
    /// vanished. Nothing is reconciled or listed without that.
    pub(super) fn remember_here(&mut self) -> Result<(), StateError> {
        let (here, holders) = (self.state.here()?, self.state.holders()?);
        holders
            .iter()
            .for_each(|(key, doc)| self.context.holders().claim(key, doc));
        self.context.change().here = here.into_iter().collect();
        Ok(())
    }

    pub(super) fn schedule_journal(&mut self, path: crate::vault::VaultPath) {
        if super::list::is_list(&path.key) {
            return self.read_list(&path.device);
        }
        let dirs = [(path.device.clone(), path.lane, path.dir())].into();
        self.schedule(
            path.key,
            ReconcileRequest {
                dirs,
                import: path.lane == Lane::Bulk,
                ..ReconcileRequest::default()
            },
        );
    }
}
