//! The tools' stores: which sessions changed, vanished, or are open.

use super::Engine;
use super::event::Event;
use super::listed::{Extent, ListRequest, ListedStore};
use super::queue::ReconcileRequest;
use crate::api::types::Held;
use crate::api::types::HoldReason;
use crate::opener::{Kind, Listed};
use crate::projects::places::is_repository;
use crate::session::{
    Lane, Problem, ProblemCode, ProjectKey, Reason, SessionKey, SessionState, ToolId,
};
use crate::state::StateError;
use crate::tools::{Listing, Root, Tool, Touched, Twin, Watermark};
use crate::vault::READS;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What may have passed when a store is listed again.
const WAITING: [Reason; 5] = [
    Reason::Unwritable,
    Reason::JustWritten,
    Reason::TakenBack,
    Reason::Live,
    Reason::UnknownShape,
];

/// A poll lists a large store less often: so many sessions are one poll that is left out. The poll
/// is there for events that were lost, and its cost must not grow with the store.
const A_POLL_EACH: usize = 1000;
/// The most polls that are left out, a quarter of an hour.
const MOST_LEFT_OUT: usize = 30;

/// The listings that run beside the loop, at most one of each tool.
#[derive(Default)]
pub(super) struct Listings {
    running: BTreeMap<ToolId, Running>,
    scan: Option<Scan>,
    /// How many polls do not list the tool's store.
    left_out: BTreeMap<ToolId, usize>,
    /// How far the last listing read the tool's store.
    watermarks: BTreeMap<ToolId, Watermark>,
    /// Sessions with journals that an older version read are being reconciled.
    is_reading_again: bool,
}

/// The note of the set of entry kinds with which all journals were read.
const KINDS_READ: &str = "entry kinds";

impl Listings {
    fn take_note(&mut self, tool: &ToolId, n_sessions: usize) {
        let polls = (n_sessions / A_POLL_EACH).min(MOST_LEFT_OUT);
        self.left_out.insert(tool.clone(), polls);
    }

    fn is_much(&self, tool: &ToolId) -> bool {
        self.left_out.get(tool).is_some_and(|polls| 0 < *polls)
    }

    /// Whether this poll lists the tool's store.
    fn is_due(&mut self, tool: &ToolId) -> bool {
        match self.left_out.get_mut(tool) {
            None | Some(0) => true,
            Some(polls) => {
                *polls -= 1;
                false
            }
        }
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

impl Engine {
    /// The directories to watch.
    pub fn roots(&self) -> Vec<Root> {
        self.on_tools()
            .iter()
            .flat_map(|(_, tool)| tool.roots(&self.context.machine))
            .collect()
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
        for path in paths {
            for (id, tool) in self.on_tools() {
                match tool.touched(&self.context.machine, &path) {
                    Touched::Session(session) if path.exists() => {
                        self.schedule_session(&id, &session);
                    }
                    // A session that is gone goes through a whole listing, where a mass deletion is
                    // noticed.
                    Touched::Session(session) => {
                        list.entry(id).or_default().missing.insert(session);
                    }
                    Touched::Liveness => list.entry(id).or_default().open = true,
                    Touched::Everything => list.entry(id).or_default().changes = true,
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
    fn list_part(&mut self, tool: &ToolId, occasion: Occasion, extent: Extent) {
        let Some(adapter) = self.context.tools.get(tool).cloned() else {
            return;
        };
        if let Some(running) = self.listings.running.get_mut(tool) {
            let (known, of) = running
                .again
                .get_or_insert_with(|| (occasion, Extent::default()));
            *known = (*known).max(occasion);
            of.include(extent);
            return;
        }
        let running = Running {
            occasion,
            again: None,
        };
        self.listings.running.insert(tool.clone(), running);
        let since = self.listings.watermarks.get(tool).cloned();
        let (context, tool) = (self.context.clone(), tool.clone());
        self.jobs.spawn_for_event(Box::new(move || {
            let request = ListRequest {
                tool,
                extent,
                since,
            };
            let listed = ListedStore::of(request, &*adapter, &context);
            Event::Listed(Box::new(listed))
        }));
    }

    /// A listing has finished: schedules the sessions that changed.
    pub(super) fn listed(&mut self, listed: ListedStore) -> Result<(), StateError> {
        let begun = Instant::now();
        let Some(running) = self.listings.running.remove(&listed.tool) else {
            return Ok(());
        };
        let (tool, took, before) = (listed.tool.clone(), listed.took, self.queue.len());
        if let Some(of) = &listed.enters {
            self.retry(of, Reason::Unlisted);
        }
        let topic = format!("listing {tool}");
        let done = if listed.listing.is_none() {
            let message =
                format!("Listing the store of {tool} failed in a way that should not happen.");
            let hint = "Nothing was changed. Please report it with the log file.";
            self.trouble(
                &topic,
                Some(Problem::new(ProblemCode::Internal, message, hint)),
            );
            Ok(())
        } else if self.context.shared().tools_off.contains(&tool) {
            Ok(())
        } else {
            self.trouble(&topic, None);
            self.take_listing(listed, running.occasion == Occasion::Start)
        };
        if running.occasion == Occasion::Poll {
            WAITING.iter().for_each(|reason| self.retry(&tool, *reason));
        }
        if let Some((occasion, extent)) = running.again {
            self.list_part(&tool, occasion, extent);
        }
        self.scan_continued(&tool, took + begun.elapsed(), self.queue.len() == before);
        done
    }

    fn take_listing(&mut self, mut listed: ListedStore, start: bool) -> Result<(), StateError> {
        let mut listing = listed.listing.take().unwrap_or_default();
        let tool = listed.tool.clone();
        // Until all of it is scheduled there is no mark: after an error the whole store is listed.
        let watermark = listing.watermark.take();
        if watermark.is_some() || listed.is_whole {
            self.listings.watermarks.remove(&tool);
        }
        self.schedule_twins(&tool, &listing.twins);
        let import = self
            .state
            .note::<bool>(&format!("imported {tool}"))?
            .is_none();
        let found: HashSet<&SessionKey> = listed.prints.iter().map(|(key, _)| key).collect();
        if listed.is_whole {
            self.take_store(&listed, &listing, &found)?;
        }
        // The sessions of a store are always scheduled in the same order: that of the listing, and for
        // a first import that of the state's keys, so that rows are added side by side.
        let mut sessions: Vec<_> = listing.found.iter().zip(&listed.prints).collect();
        if import {
            sessions.sort_by(|(_, (one, _)), (_, (other, _))| one.cmp(other));
        }
        for (found, (key, print)) in sessions {
            if self.is_forgotten_in_store(key, found, *print) {
                continue;
            }
            self.note_live(key, found.live.clone());
            if self.seen.get(key) == Some(print) {
                continue;
            }
            self.seen.insert(key.clone(), *print);
            if import && start {
                self.import.total += 1;
            }
            self.schedule(
                key.clone(),
                ReconcileRequest {
                    session: Some(found.session.clone()),
                    import,
                    ..ReconcileRequest::default()
                },
            );
        }
        if import && start && found.is_empty() {
            self.state.put_note(&format!("imported {tool}"), &true)?;
        }
        if listed.has_open {
            let open = self.live.keys().filter(|key| key.tool == tool);
            let gone = open.filter(|key| !found.contains(key)).cloned();
            let gone: Vec<SessionKey> = gone.collect();
            gone.iter().for_each(|key| self.note_live(key, None));
        }
        if let Some(watermark) = watermark {
            self.listings.watermarks.insert(tool, watermark);
        }
        Ok(())
    }

    /// What a whole listing says about the store itself.
    fn take_store(
        &mut self,
        listed: &ListedStore,
        listing: &Listing,
        found: &HashSet<&SessionKey>,
    ) -> Result<(), StateError> {
        let tool = &listed.tool;
        // A session's second file is reported by the reconcile that recorded it.
        let mut problems = listing.problems.iter();
        let reported = problems.find(|problem| problem.code != ProblemCode::DuplicateSession);
        self.trouble(&format!("store {tool}"), reported.cloned());
        self.listings.take_note(tool, listed.prints.len());
        if self.listings.is_much(tool) {
            // What such a listing took is returned to the system, too.
            self.n_worked += listed.prints.len();
        }
        // If the store cannot be read, nobody knows what is gone.
        match self.context.tools.get(tool).cloned() {
            Some(adapter) if listing.unknown.is_none() => {
                self.guard_vanished(adapter.as_ref(), found, listed)
            }
            _ => Ok(()),
        }
    }

    /// Schedules sessions whose second file changed; nothing else notices that.
    fn schedule_twins(&mut self, tool: &ToolId, twins: &[Twin]) {
        for Twin { session, doc } in twins {
            if self.twins.get(&doc.path) != Some(&doc.stamp) {
                self.twins.insert(doc.path.clone(), doc.stamp);
                self.schedule_session(tool, session);
            }
        }
    }

    /// Many sessions gone at once is no decision of a person: hold, ask, spread nothing.
    fn guard_vanished(
        &mut self,
        adapter: &dyn Tool,
        found: &HashSet<&SessionKey>,
        listed: &ListedStore,
    ) -> Result<(), StateError> {
        let tool = &listed.tool;
        // Sessions that were written or removed here while the store was being listed have not
        // vanished.
        let vanished: BTreeSet<SessionKey> = {
            let now = &self.context.shared().here;
            let missing = listed.here.iter().filter(|key| !found.contains(key));
            missing.filter(|key| now.contains(*key)).cloned().collect()
        };
        let vanished = self.really_vanished(tool, vanished)?;
        let store_gone = !listed.here.is_empty() && !listed.has_roots;
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

    pub(super) fn note_live(&mut self, key: &SessionKey, live: Option<String>) {
        let before = self.live.contains_key(key);
        match live {
            Some(text) => {
                self.live.insert(key.clone(), text);
            }
            None => {
                self.live.remove(key);
            }
        }
        let now = self.live.contains_key(key);
        if before != now {
            self.publish_presence();
        }
        if before && !now {
            // It was closed: steps that waited for that can continue.
            self.schedule(key.clone(), ReconcileRequest::default());
        }
    }

    pub(super) fn poll(&mut self) -> Result<(), StateError> {
        let (begun, before) = (Instant::now(), self.queue.len());
        self.probe_state()?;
        self.end_pause();
        self.end_old_attempts();
        self.retry_due();
        self.retry_forgotten()?;
        self.poll_search()?;
        self.note_kinds_read()?;
        self.record_due_code();
        let all = self.list_due()?;
        self.seek_stores();
        self.refresh_presence();
        self.find_and_check_places()?;
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
        let mut all = true;
        for (tool, _) in self.on_tools() {
            let is_due = self.listings.is_due(&tool);
            let mut waits = waits.iter().filter(|count| count.tool == tool);
            let is_pending = self.live.keys().any(|key| key.tool == tool)
                || waits.any(|count| count.reason.is_some_and(|reason| WAITING.contains(&reason)));
            match is_due {
                true => self.list(&tool, Occasion::Poll),
                false => {
                    all = false;
                    if is_pending {
                        let extent = Extent {
                            open: true,
                            changes: self.listings.watermarks.contains_key(&tool),
                            ..Extent::default()
                        };
                        self.list_part(&tool, Occasion::Poll, extent);
                    }
                }
            }
        }
        Ok(all)
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

    /// Compares whole logs of which only the end was compared, once they are quiet.
    fn compare_quiet(&mut self) -> Result<(), StateError> {
        const QUIET_MS: i64 = 60_000;
        let now = self.context.clock.now();
        for key in self.retries.uncompared() {
            let row = self.state.row(&key)?;
            if row.is_some_and(|row| {
                row.state == SessionState::Here && QUIET_MS <= now.0.saturating_sub(row.updated.0)
            }) {
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
    /// vanished.
    pub(super) fn remember_here(&mut self) -> Result<(), StateError> {
        let (rows, holders) = (self.state.rows(None)?, self.state.holders()?);
        holders
            .iter()
            .for_each(|(key, doc)| self.context.holders().claim(key, doc));
        let mut shared = self.context.change();
        shared.here = rows
            .into_iter()
            .filter(|(_, row)| row.path.is_some())
            .map(|(key, _)| key)
            .collect();
        Ok(())
    }

    /// Reconciles once each session of which an older version did not find the origin or its
    /// directory.
    pub(super) fn schedule_origins(&mut self) -> Result<(), StateError> {
        const NOTE: &str = "origins";
        if self.state.note::<bool>(NOTE)?.is_some() {
            return Ok(());
        }
        for (key, row) in self.state.rows(None)? {
            if 1 < row.devices.len() || !is_repository(&ProjectKey::new(row.project)) {
                self.schedule(key, ReconcileRequest::default());
            }
        }
        self.state.put_note(NOTE, &true)
    }

    /// Reconciles each session with journals that were read by a version that knew fewer kinds of
    /// entries, once: what cannot be read then is looked at again when its session is reconciled.
    pub(super) fn schedule_outdated(&mut self) -> Result<(), StateError> {
        /// The part of a session's record that is needed here.
        #[derive(Deserialize)]
        struct Record {
            journals: BTreeMap<String, Known>,
        }
        #[derive(Deserialize)]
        struct Known {
            #[serde(default)]
            reads: u32,
        }
        if self.state.note::<u32>(KINDS_READ)? == Some(READS) {
            return Ok(());
        }
        for (key, _) in self.state.rows(None)? {
            let record = self.state.record::<Record>(&key)?;
            let mut journals = record.iter().flat_map(|record| record.journals.values());
            if journals.any(|journal| journal.reads < READS) {
                self.schedule(key, ReconcileRequest::default());
            }
        }
        self.listings.is_reading_again = true;
        Ok(())
    }

    /// Notes that all of them were reconciled. After a crash before that the next start schedules
    /// them again.
    fn note_kinds_read(&mut self) -> Result<(), StateError> {
        if self.listings.is_reading_again && self.queue.is_empty() {
            self.state.put_note(KINDS_READ, &READS)?;
            self.listings.is_reading_again = false;
        }
        Ok(())
    }

    /// Schedules every journal whose size differs from when it was last read.
    pub(super) fn walk_vault(&mut self) -> Result<(), StateError> {
        let known = self.state.segments()?;
        for device in self.dirs_in("") {
            for lane in Lane::BOTH {
                self.walk_lane(&device, lane, &known);
            }
        }
        Ok(())
    }

    /// The directories in a directory below the vault. Links are skipped.
    pub(super) fn dirs_in(&self, dir: &str) -> Vec<String> {
        let listed = self.context.vault.list(dir).unwrap_or_default().into_iter();
        listed
            .filter(|listed| listed.kind == Kind::Dir)
            .filter_map(|listed| listed.name.into_string().ok())
            .collect()
    }

    /// The directories of a lane that may hold a journal: three levels below its root.
    pub(super) fn journal_dirs(&self, device: &str, lane: Lane) -> Vec<String> {
        let mut dirs = vec![format!("{device}/{}", lane.as_str())];
        for _ in 0..3 {
            let below = |dir: String| {
                self.dirs_in(&dir)
                    .into_iter()
                    .map(move |name| format!("{dir}/{name}"))
            };
            dirs = dirs.into_iter().flat_map(below).collect();
        }
        dirs
    }

    pub(super) fn walk_lane(&mut self, device: &str, lane: Lane, known: &HashMap<String, u64>) {
        if !self.is_read(device) {
            return;
        }
        for dir in self.journal_dirs(device, lane) {
            // Anything else in the place of a segment is scheduled, too: opening it refuses it.
            let listed = self.context.vault.list(&dir).unwrap_or_default();
            for Listed {
                name, kind, len, ..
            } in listed
            {
                let Ok(name) = name.into_string() else {
                    continue;
                };
                let in_lane = dir.splitn(3, '/').nth(2).unwrap_or_default();
                let in_lane = format!("{in_lane}/{name}");
                if let Some(copy) = crate::vault::VaultPath::parse_copy(device, lane, &in_lane) {
                    self.schedule_journal(copy);
                    continue;
                }
                let Some(path) = crate::vault::VaultPath::parse(device, lane, &in_lane) else {
                    continue;
                };
                let size = (kind == Kind::File).then_some(len);
                if size != known.get(&format!("{}/{name}", path.dir())).copied() {
                    self.schedule_journal(path);
                }
            }
        }
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

    /// Restores what was deleted from this device's own folders: the kept copy has every accepted
    /// byte.
    pub(super) fn restore_own(&mut self) {
        let short = self.context.short.clone();
        let own = self.context.vault.kept.file(&short);
        let (mut lost, mut restored) = (0, 0);
        let mut dirs = vec![own.clone()];
        while let Some(dir) = dirs.pop() {
            for (name, is_dir) in names_in(&dir) {
                let path = dir.join(&name);
                if is_dir {
                    dirs.push(path);
                    continue;
                }
                let relative = path
                    .strip_prefix(self.context.vault.kept.root())
                    .map(|path| path.to_string_lossy().replace('\\', "/"));
                let Ok(relative) = relative else { continue };
                let there = self.context.vault.file(&relative);
                if name.ends_with(".jsonl.zst") && !there.exists() {
                    lost += 1;
                    restored += u32::from(
                        self.context
                            .vault
                            .kept
                            .restore(&relative, &there)
                            .unwrap_or(false),
                    );
                }
            }
        }
        if lost > 0 {
            let message = format!(
                "{lost} files of this device's vault folder were gone; {restored} were put back from the safety copy."
            );
            self.trouble(
                "vault",
                Some(Problem::new(
                    ProblemCode::VaultRestored,
                    message,
                    "Nothing needs to be done. Do not change files in the vault folder.",
                )),
            );
        }
    }
}

/// The names in one of this device's own directories, each with whether it is a directory.
fn names_in(dir: &Path) -> Vec<(String, bool)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let named = |entry: std::fs::DirEntry| {
        Some((
            entry.file_name().into_string().ok()?,
            entry.file_type().ok()?.is_dir(),
        ))
    };
    entries.filter_map(named).collect()
}
