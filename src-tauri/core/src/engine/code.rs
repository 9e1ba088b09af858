//! Uncommitted changes that go along with sessions: which projects want that, when a checkout is
//! recorded, and what was applied here. Recording, verifying and applying run beside the loop, in
//! `recording` and `offering`; git is known to the crate `session-roam-code` alone.

mod asking;
mod budget;
pub mod event;
mod expiry;
mod following;
mod offering;
mod recorded;
mod recording;
mod restart;
mod stated;

use super::Engine;
use super::event::Event;
use super::queue::ReconcileRequest;
use super::resuming::{directory, no_place};
use crate::api::answer::{Answer, Reply, Work, done, settings_error, value};
use crate::api::types::{ApiError, CodeDiff, CodeLeftOut, CodeQuestion, Forked};
use crate::reconcile::excluded::is_excluded_by_card;
use crate::reconcile::record::SessionRecord;
use crate::session::{
    ChainId, HistoryKind, Lane, Millis, ProblemCode, ProjectKey, SessionId, SessionKey, ToolId,
};
use crate::settings::Code;
use crate::state::{Happening, StateError};
use crate::vault::snapshot_file::objects_dir;
use crate::vault::{Owner, snapshot_file};
use asking::Aside;
pub(in crate::engine) use asking::repository;
use budget::Budget;
use event::{Applied, CodeEvent, Expired, Left, Recorded, TakenBack, refused};
use following::Followed;
use offering::{Asked, Done as AppliedHere};
use recorded::Meant;
use recording::Wanted;
use serde::Deserialize;
use session_roam_code::CodeError;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A tool that has added nothing for this long has probably ended its turn.
const QUIET: Duration = Duration::from_secs(2);
/// The state's note of what was applied here.
const NOTE: &str = "code applied";
/// The state's note of the checkouts in which undo records may be.
const ROOTS: &str = "code undo roots";

/// What the loop knows of recorded and applied code.
#[derive(Default)]
pub struct CodeAlong {
    /// Sessions with new lines of this device, and when the last of them came.
    due: BTreeMap<SessionKey, Millis>,
    /// Sessions whose checkouts are recorded again, although no line comes.
    followed: BTreeMap<SessionKey, Followed>,
    /// An event will look at `due`.
    is_waiting: bool,
    /// The session that is being recorded: one at a time.
    recording: Option<SessionKey>,
    budget: Budget,
    /// How the last recording of each session ended, since the start.
    ended: BTreeMap<SessionKey, Ended>,
    /// The question that was asked last, until it is answered, and the session that led to it.
    question: Option<(SessionKey, CodeQuestion)>,
    /// Sessions whose recorded states the user removed while one more was being recorded.
    unwanted: BTreeSet<SessionKey>,
    /// Held while a checkout is changed: one at a time.
    changes: Arc<Mutex<()>>,
}

/// How a recording ended.
struct Ended {
    left_out: Vec<CodeLeftOut>,
    refused: Option<String>,
}

/// Finds what a request needs that only the disk knows.
type Asking = Box<dyn FnOnce() -> Result<Asked, ApiError> + Send>;

impl Engine {
    // ---- the switches ----

    /// Whether a project's changes go along from this device.
    fn is_code_on(&self, project: &ProjectKey) -> bool {
        is_code_on(&self.settings.code, project)
    }

    pub(super) fn switch_code(&mut self, said: Option<&str>, on: bool) -> Answer {
        let Some(said) = said else {
            self.settings = crate::settings::change(&self.home, |document| {
                document["code"]["on"] = toml_edit::value(on)
            })
            .map_err(settings_error)?;
            return done(if on {
                "Uncommitted changes of the chosen projects go along with their sessions."
            } else {
                "This device records no uncommitted changes."
            });
        };
        let projects = self.settings.code.projects.clone();
        let is_known = projects.iter().any(|known| known == said);
        let key = match is_known {
            true => said.to_owned(),
            // The changes of a repository go along as a whole.
            false => match self.meant_project(said, None) {
                Ok(key) => repository(key.as_str()).to_owned(),
                // Decided before the first session of the project.
                Err(error) => by_url(said).filter(|_| on).ok_or(error)?,
            },
        };
        let mut keys: Vec<String> = projects.into_iter().filter(|known| *known != key).collect();
        if on {
            keys.push(key.clone());
        }
        let mut asked = self.settings.code.asked.clone();
        if !asked.contains(&key) {
            asked.push(key.clone());
        }
        let list =
            |keys: &[String]| -> toml_edit::Array { keys.iter().map(String::as_str).collect() };
        let (projects, asked) = (list(&keys), list(&asked));
        self.settings = crate::settings::change(&self.home, |document| {
            document["code"]["projects"] = toml_edit::value(projects);
            document["code"]["asked"] = toml_edit::value(asked);
            if on {
                document["code"]["on"] = toml_edit::value(true);
            }
        })
        .map_err(settings_error)?;
        let was_asked = self.code_decided(&key, on);
        let is_begun = on && (self.record_recent(&key)? || was_asked);
        done(if on {
            let begins = match is_begun {
                true => "",
                false => " Recording begins with the next message of a session.",
            };
            format!(
                "Uncommitted changes of {key} go along with its sessions. Files that are ignored, large or look like \
                 secrets stay here.{begins}"
            )
        } else {
            format!("Uncommitted changes of {key} stay on this device.")
        })
    }

    // ---- recording ----

    /// A session has new lines of this device.
    pub(super) fn code_is_due(&mut self, key: &SessionKey, record: &SessionRecord) {
        let goes_along = self.goes_along(record);
        if !goes_along && !self.may_ask(record) {
            return;
        }
        if goes_along {
            self.follow_code(key);
        }
        self.code.due.insert(key.clone(), self.context.clock.now());
        self.wait_for_code();
    }

    fn goes_along(&self, record: &SessionRecord) -> bool {
        let card = record.origin();
        record.is_here()
            && card.is_some_and(|card| self.is_code_on(&card.project.key))
            && !is_excluded_by_card(&self.context, record)
    }

    fn wait_for_code(&mut self) {
        if !self.code.is_waiting && !self.code.due.is_empty() {
            self.code.is_waiting = true;
            self.jobs
                .after(QUIET, Event::Code(Box::new(CodeEvent::Due)));
        }
    }

    /// Begins to record the session that has been at rest for the longest time.
    pub(super) fn record_due_code(&mut self) {
        if self.code.recording.is_some() {
            return;
        }
        let now = self.context.clock.now();
        let is_ready = |key: &SessionKey, since: &Millis| {
            // A clock that was set back makes nobody wait.
            let is_quiet = QUIET.as_millis() as i64 <= now.0.saturating_sub(since.0);
            (is_quiet || now < *since) && self.code.budget.allows(key, now)
        };
        let ready = self.code.due.iter();
        let ready = ready.filter(|(key, since)| is_ready(key, since));
        let Some(key) = ready
            .min_by_key(|(_, since)| **since)
            .map(|it| it.0.clone())
        else {
            return;
        };
        self.code.due.remove(&key);
        // Also when nothing of it goes along any more.
        self.code_was_due(&key);
        let work = self.recording_of(&key).or_else(|| self.looking_at(&key));
        if let Some(work) = work {
            self.code.recording = Some(key);
            self.jobs.spawn_for_event(work);
        }
    }

    fn recording_of(&self, key: &SessionKey) -> Option<Aside> {
        let wanted = self.wanted_code(key)?;
        let key = key.clone();
        Some(Box::new(move || {
            let begun = Instant::now();
            let record = || wanted().and_then(|wanted| recording::record_code(&wanted));
            // Nothing else would be recorded before the next start.
            let result = catch_unwind(AssertUnwindSafe(record)).unwrap_or_else(|_| {
                Err(CodeError::Refused(
                    "Recording failed inside session-roam.".into(),
                ))
            });
            Event::Code(Box::new(CodeEvent::Recorded {
                key,
                took: begun.elapsed(),
                result,
            }))
        }))
    }

    fn wanted_code(
        &self,
        key: &SessionKey,
    ) -> Option<impl FnOnce() -> Result<Wanted, CodeError> + Send + use<>> {
        let record: SessionRecord = self.state.record(key).ok()??;
        // It may have been switched off meanwhile.
        if !self.goes_along(&record) {
            return None;
        }
        let (session, tip) = (record.session.clone()?, main_tip(&record)?);
        let files = own_dir(&self.context.short, &record)?;
        let (key, context) = (key.clone(), self.context.clone());
        let (home, store) = (self.home.clone(), objects_dir(&self.home, &key));
        let (applied, is_needed) = self.applied_places(&key);
        let others = self.other_owners();
        Some(move || {
            let dir = directory(&context, &record);
            let dir = dir.ok_or_else(|| CodeError::Refused("It has no directory here.".into()))?;
            Ok(Wanted {
                context,
                key,
                session,
                dir,
                files,
                home,
                tip,
                store,
                applied,
                is_needed,
                others,
            })
        })
    }

    /// The approved devices by short id; one that never stated its key has none.
    fn other_owners(&self) -> BTreeMap<String, Option<Owner>> {
        let shared = self.context.shared();
        let others = self.lists.now.approved.keys().map(|id| id.short());
        let others = others.filter(|short| *short != self.context.short);
        let owner = |short: &String| shared.owners.get(short).cloned();
        others.map(|short| (short.clone(), owner(&short))).collect()
    }

    /// Which snapshots were applied where, and whether taking one of them back needs the session's store.
    fn applied_places(&self, key: &SessionKey) -> (Vec<(PathBuf, String)>, bool) {
        let applied = self.applied_code();
        let is_needed = applied
            .iter()
            .any(|it| it.key == *key && !it.needs_no_store);
        let places = applied.into_iter().map(|it| (it.place, it.snapshot));
        (places.collect(), is_needed)
    }

    pub(super) fn code_event(&mut self, event: CodeEvent) -> Result<(), StateError> {
        match event {
            CodeEvent::Due => self.code.is_waiting = false,
            CodeEvent::Recorded { key, took, result } => self.code_recorded(key, took, result),
            CodeEvent::LookedAt {
                key,
                took,
                question,
            } => {
                self.code_spent(&key, took);
                self.code.unwanted.remove(&key);
                self.code.question = question.map(|question| (key, question));
            }
            CodeEvent::Applied {
                applied,
                done,
                reply,
            } => {
                let noted = self.code_applied(*applied, done.dir.clone());
                reply(value(done));
                noted?;
            }
            CodeEvent::Recovered(left) => {
                self.code_recovered(left)?;
                self.expire_undos();
            }
            CodeEvent::Expired(done) => self.undos_expired(done)?,
            CodeEvent::Forked { dir, answer, reply } => {
                let forked = answer.as_ref().ok().and_then(|forked| {
                    let forked = Forked::deserialize(forked).ok()?;
                    let tool = ToolId::new(forked.tool);
                    Some((tool, SessionId::new(forked.session)))
                });
                let mut noted = Ok(());
                if let Some((tool, session)) = forked {
                    noted = self.note_fork(&dir, SessionKey::new(&tool, &session));
                    let request = ReconcileRequest {
                        session: Some(session.clone()),
                        pin: Some(dir),
                        ..ReconcileRequest::default()
                    };
                    self.schedule(SessionKey::new(&tool, &session), request);
                }
                reply(answer);
                noted?;
            }
            CodeEvent::Undone {
                applied,
                result,
                reply,
            } => self.code_undone(*applied, result, reply)?,
            CodeEvent::Removed {
                paths,
                keys,
                answer,
                reply,
            } => {
                keys.iter()
                    .for_each(|key| drop(self.code.ended.remove(key)));
                self.transport.announce(Lane::Code, paths);
                reply(answer);
            }
        }
        self.record_due_code();
        self.wait_for_code();
        Ok(())
    }

    /// Notes code that was applied. `dir` is the session's directory with it.
    fn code_applied(&mut self, applied: Applied, dir: PathBuf) -> Result<(), StateError> {
        let mut all = self.applied_code();
        all.push(applied.clone());
        let moves = |before: &PathBuf| applied.is_worktree() || *before != dir;
        if applied.before.as_ref().is_some_and(moves) {
            self.pin_later(&applied.key, dir);
        }
        self.state.put_note(NOTE, &all)?;
        let mut roots = self.code_roots();
        if roots.insert(applied.root.clone()) {
            self.state.put_note(ROOTS, &roots)?;
        }
        self.code_happened(HistoryKind::CodeApplied, &applied, None)?;
        restart::note_done(&objects_dir(&self.home, &applied.key));
        self.expire_undos();
        Ok(())
    }

    /// Where undo records may be, also of sessions that were forgotten since.
    fn code_roots(&self) -> BTreeSet<PathBuf> {
        let noted: Option<BTreeSet<PathBuf>> = self.state.note(ROOTS).ok().flatten();
        let mut roots = noted.unwrap_or_default();
        roots.extend(self.applied_code().into_iter().map(|applied| applied.root));
        roots
    }

    /// Removes undo records that are too old, or too many, beside the loop.
    fn expire_undos(&self) {
        let (all, roots) = (self.applied_code(), self.code_roots());
        if roots.is_empty() {
            return;
        }
        let expired = expiry::expired(&all, self.context.clock.now());
        let changes = self.code.changes.clone();
        self.jobs.spawn_for_event(Box::new(move || {
            let _turn = changes
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            let roots: Vec<PathBuf> = roots.into_iter().collect();
            let kept = roots.clone();
            let remove = || expiry::remove(&all, expired, roots);
            let done = catch_unwind(AssertUnwindSafe(remove)).unwrap_or_else(|_| Expired {
                roots: kept,
                ..Expired::default()
            });
            Event::Code(Box::new(CodeEvent::Expired(done)))
        }));
    }

    fn undos_expired(&mut self, done: Expired) -> Result<(), StateError> {
        let mut all = self.applied_code();
        if !done.gone.is_empty() {
            expiry::note_gone(&mut all, &done.gone);
            self.state.put_note(NOTE, &all)?;
        }
        let mut roots: BTreeSet<PathBuf> = done.roots.into_iter().collect();
        roots.extend(all.into_iter().map(|applied| applied.root));
        self.state.put_note(ROOTS, &roots)
    }

    /// Notes what was found at the start, unless a request came first that applied or undid the same.
    fn code_recovered(&mut self, left: Left) -> Result<(), StateError> {
        for applied in left.applied {
            if !self.applied_code().iter().any(|known| known.is(&applied)) {
                let stays = applied.before.clone().filter(|_| !applied.is_worktree());
                let dir = stays.unwrap_or_else(|| applied.place.clone());
                self.code_applied(applied, dir)?;
            }
        }
        for (back, kept) in left.taken_back {
            self.code_happened(HistoryKind::CodeUndone, &back, kept)?;
            restart::note_done(&objects_dir(&self.home, &back.key));
        }
        for (undone, kept) in left.undone {
            if self.applied_code().iter().any(|known| known.is(&undone)) {
                let back = kept.map_or(TakenBack::Done, TakenBack::Kept);
                self.code_undone(undone, Ok(back), Box::new(drop))?;
            }
        }
        Ok(())
    }

    /// Finishes what an engine that was killed had begun.
    pub(super) fn resume_code(&mut self) {
        let (known, home) = (self.applied_code(), self.home.clone());
        let changes = self.code.changes.clone();
        let stores = home.join("code");
        if !self.code_roots().is_empty() || stores.is_dir() {
            self.jobs.spawn_for_event(Box::new(move || {
                let _turn = changes
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner());
                // Without an answer nobody waits; the next start looks again.
                let looked = catch_unwind(AssertUnwindSafe(|| restart::look(&known, &stores)));
                Event::Code(Box::new(CodeEvent::Recovered(looked.unwrap_or_default())))
            }));
        }
    }

    /// Records the checkouts of the last session of each project, as far as they go along.
    pub(super) fn record_last(&mut self, last: Vec<SessionKey>) -> Result<(), StateError> {
        for key in last {
            let record: Option<SessionRecord> = self.state.record(&key)?;
            if record.is_some_and(|record| self.goes_along(&record)) {
                self.code.due.insert(key, self.context.clock.now());
                self.wait_for_code();
            }
        }
        Ok(())
    }

    /// Files of another device's recorded states arrived or were removed. Objects of sessions of which
    /// no states are left are removed here as well, unless an undo needs them.
    pub(super) fn code_arrived(&mut self) {
        let mut needed = self.needed_stores();
        needed.extend(self.code.recording.clone());
        let (context, home) = (self.context.clone(), self.home.clone());
        self.jobs.spawn(Box::new(move || {
            recording::sweep_stores(&context, &home, &needed);
        }));
    }

    /// The sessions of whose stores an undo needs objects.
    fn needed_stores(&self) -> BTreeSet<SessionKey> {
        let applied = self.applied_code().into_iter();
        let needed = applied.filter(|it| !it.needs_no_store);
        needed.map(|it| it.key).collect()
    }

    fn code_undone(
        &mut self,
        applied: Applied,
        result: Result<TakenBack, ApiError>,
        reply: Reply,
    ) -> Result<(), StateError> {
        let is_done = matches!(result, Ok(TakenBack::Done | TakenBack::Kept(_)));
        let mut all = self.applied_code();
        if result.is_ok() {
            all.retain(|known| !known.is(&applied));
        }
        let before = applied.before.clone().filter(|_| is_done);
        if let Some(before) = before.filter(|_| self.is_moved_by(&applied)) {
            self.pin_later(&applied.key, before);
        }
        if let Some(fork) = applied
            .fork
            .clone()
            .filter(|_| is_done && applied.is_worktree())
        {
            self.pin_later(&fork, applied.root.clone());
        }
        let mut noted = self.state.put_note(NOTE, &all);
        if is_done {
            let kept = match &result {
                Ok(TakenBack::Kept(kept)) => Some(kept.clone()),
                Ok(TakenBack::Done | TakenBack::Gone(_)) | Err(_) => None,
            };
            let happened = self.code_happened(HistoryKind::CodeUndone, &applied, kept);
            noted = noted.and(happened);
            restart::undoing_done(&objects_dir(&self.home, &applied.key));
        }
        let (root, place) = (applied.root.display(), applied.place.display());
        let done = |words: String| {
            done(match applied.is_first_kept {
                true => format!("{words} {}", expiry::older_are_gone()),
                false => words,
            })
        };
        reply(result.and_then(|back| match (back, applied.is_worktree()) {
            (TakenBack::Gone(error), _) => Err(error),
            (TakenBack::Done, true) => done(format!("Undone. {place} is removed.")),
            (TakenBack::Done, false) => done(format!("Undone. {root} is as it was before.")),
            (TakenBack::Kept(kept), true) => done(format!(
                "Undone. {} stays with its changes; the session goes back to {root}.",
                kept.display()
            )),
            (TakenBack::Kept(kept), false) => done(format!(
                "Undone. {root} is as it was before. What was changed since is in {}.",
                kept.display()
            )),
        }));
        noted
    }

    /// Whether the session was moved with the code: into a worktree, or a directory that came with it.
    fn is_moved_by(&self, applied: &Applied) -> bool {
        let record: Option<SessionRecord> = self.state.record(&applied.key).ok().flatten();
        let pinned = record.and_then(|record| record.pinned);
        applied.is_worktree() || pinned.is_some_and(|pinned| !pinned.dir.is_dir())
    }

    /// `kept`: where something is that was in the way of taking it back.
    fn code_happened(
        &self,
        kind: HistoryKind,
        applied: &Applied,
        kept: Option<PathBuf>,
    ) -> Result<(), StateError> {
        self.state.add_history(&Happening {
            doc: kept.unwrap_or_default().display().to_string(),
            at: self.context.clock.now(),
            device: applied.short.clone(),
            kind,
            key: applied.key.to_string(),
            session: applied.session.to_string(),
            tool: applied.key.tool.to_string(),
            lines: applied.files,
            ..Happening::default()
        })
    }

    fn code_recorded(
        &mut self,
        key: SessionKey,
        took: Duration,
        result: Result<Recorded, CodeError>,
    ) {
        self.code_spent(&key, took);
        self.code_was_due(&key);
        let ended = match result {
            Ok(recorded) => {
                if self.code.unwanted.remove(&key) {
                    self.remove_recorded(Meant::One(key), Box::new(drop));
                    return;
                }
                if self.forgetting.hides(&key) {
                    // It was removed meanwhile, and is removed once more.
                    self.schedule(key, ReconcileRequest::default());
                    return;
                }
                self.transport.announce(Lane::Code, recorded.paths);
                Ended {
                    left_out: recorded.left_out,
                    refused: None,
                }
            }
            Err(error) => {
                self.code.unwanted.remove(&key);
                Ended {
                    left_out: Vec::new(),
                    refused: Some(refused(&error).message),
                }
            }
        };
        self.code.ended.insert(key, ended);
    }

    /// A checkout was recorded or looked at, which took this time.
    fn code_spent(&mut self, key: &SessionKey, took: Duration) {
        self.code.recording = None;
        let now = self.context.clock.now();
        self.code.budget.spend(key, took, now);
    }

    // ---- offering and applying ----

    /// The rest is asked of the disk, beside the loop.
    fn asked_code(&self, text: &str) -> Result<Asking, ApiError> {
        let (key, row, record) = self.find(text)?;
        let shared = self.context.shared();
        let is_believed = |short: &str| {
            short == self.context.short
                || self.lists.now.approved.keys().any(|id| id.short() == short)
        };
        let owners = shared.owners.iter();
        let owners: BTreeMap<String, Owner> = owners
            .filter(|(short, _)| is_believed(short))
            .map(|(short, owner)| (short.clone(), owner.clone()))
            .collect();
        drop(shared);
        let (context, store) = (self.context.clone(), objects_dir(&self.home, &key));
        let (applied, is_needed) = self.applied_places(&key);
        Ok(Box::new(move || {
            let Some(dir) = directory(&context, &record) else {
                return Err(no_place(&row));
            };
            Ok(Asked {
                context,
                key,
                title: row.title,
                record,
                dir,
                store,
                owners,
                applied,
                is_needed,
            })
        }))
    }

    pub(super) fn code_offer(&self, text: &str, at: Option<u64>) -> Result<Work, ApiError> {
        let asked = self.asked_code(text)?;
        Ok(Box::new(move || value(asked()?.offer(at)?)))
    }

    pub(super) fn code_diff(
        &self,
        text: &str,
        snapshot: String,
        path: String,
    ) -> Result<Work, ApiError> {
        let asked = self.asked_code(text)?;
        Ok(Box::new(move || {
            let (text, cut) = asked()?.diff(&snapshot, &path)?;
            value(CodeDiff { text, cut })
        }))
    }

    pub(super) fn apply_code(&mut self, text: &str, snapshot: String, stay: bool, reply: Reply) {
        let asked = match self.asked_code(text) {
            Ok(asked) => asked,
            Err(error) => return reply(Err(error)),
        };
        let changes = self.code.changes.clone();
        // Whether something changed is known afterwards only: nothing to do is an answer, too.
        self.jobs.spawn_for_event(Box::new(move || {
            let _turn = changes
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            let apply = || asked().and_then(|asked| asked.apply(&snapshot, stay));
            let event = match answered(apply) {
                Ok(AppliedHere::Changed { applied, done }) => CodeEvent::Applied {
                    applied,
                    done,
                    reply,
                },
                Ok(AppliedHere::Nothing(done)) => {
                    reply(value(done));
                    CodeEvent::Due
                }
                Err(error) => {
                    reply(Err(error));
                    CodeEvent::Due
                }
            };
            Event::Code(Box::new(event))
        }));
    }

    fn applied_code(&self) -> Vec<Applied> {
        self.state.note(NOTE).ok().flatten().unwrap_or_default()
    }

    /// Applied code that an undo would take back: of a session, or if nothing was decided since.
    pub(super) fn code_to_undo(&self, text: Option<&str>) -> Option<Applied> {
        let all = self.applied_code();
        let Some(text) = text else {
            // A checkout on a disk that is away can be named.
            let there = all.into_iter().filter(|applied| applied.root.is_dir());
            let last = there.max_by_key(|applied| applied.at)?;
            let decided = self.last_decision().ok()?.map(|(id, _)| id.at);
            let cut = self.last_cut().map(|(at, _)| at);
            let forgot = self.last_forgotten();
            let is_last = decided.max(cut).is_none_or(|at| at < last.at)
                && forgot.is_none_or(|at| at <= last.at.wall);
            return is_last.then_some(last);
        };
        let (key, _, record) = self.find(text).ok()?;
        let choices = record.choices.iter().map(|chosen| chosen.id.at);
        let decided = choices
            .chain(record.withdrawals.iter().map(|back| back.at))
            .max();
        let of_session = all.into_iter().filter(|applied| applied.is_of(&key));
        let last = of_session.max_by_key(|applied| applied.at)?;
        // Of a checkout that is away nothing can be taken back now; what was decided can.
        let is_next = decided.is_none_or(|at| at < last.at && last.root.is_dir());
        is_next.then_some(last)
    }

    pub(super) fn undo_code(&mut self, applied: Applied, reply: Reply) {
        self.undo_applied(applied, false, reply);
    }

    /// Takes the code back that was applied for a session last, whatever was decided since.
    pub(super) fn undo_code_aside(&mut self, text: &str, reply: Reply) {
        let key = match self.find(text) {
            Ok((key, ..)) => key,
            Err(error) => return reply(Err(error)),
        };
        let all = self.applied_code().into_iter();
        let of_session = all.filter(|applied| applied.is_of(&key));
        match of_session.max_by_key(|applied| applied.at) {
            Some(last) => self.undo_applied(last, true, reply),
            None => reply(Err(ApiError::new(
                ProblemCode::NothingToUndo,
                "No code was applied for this session.",
                "",
            ))),
        }
    }

    fn undo_applied(&mut self, applied: Applied, aside: bool, reply: Reply) {
        let (changes, home) = (self.code.changes.clone(), self.home.clone());
        let later = self.applied_later(&applied);
        self.jobs.spawn_for_event(Box::new(move || {
            let _turn = changes
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            let undo = || offering::undo(&home, &applied, later.as_ref(), aside);
            let result = answered(undo);
            Event::Code(Box::new(CodeEvent::Undone {
                applied: Box::new(applied),
                result,
                reply,
            }))
        }));
    }

    /// Forks a session into a directory that has the code of that moment, and keeps the new session
    /// there: its records name the other one's.
    pub(super) fn fork_in(&mut self, text: &str, at: u64, dir: PathBuf, reply: Reply) {
        let work = match self.fork_at(text, at, Some(dir.clone())) {
            Ok(work) => work,
            Err(error) => return reply(Err(error)),
        };
        self.jobs.spawn_for_event(Box::new(move || {
            let answer = answered(work);
            Event::Code(Box::new(CodeEvent::Forked { dir, answer, reply }))
        }));
    }

    /// Code that was applied for a fork can be taken back by the new session's id as well.
    fn note_fork(&self, dir: &Path, fork: SessionKey) -> Result<(), StateError> {
        let mut all = self.applied_code();
        let is_for_it = |applied: &&mut Applied| {
            applied.before.is_none() && applied.fork.is_none() && dir.starts_with(&applied.place)
        };
        let last = all
            .iter_mut()
            .filter(is_for_it)
            .max_by_key(|applied| applied.at);
        let Some(last) = last else { return Ok(()) };
        last.fork = Some(fork);
        self.state.put_note(NOTE, &all)
    }

    /// What was applied in the same checkout after this, in place.
    fn applied_later(&self, applied: &Applied) -> Option<Applied> {
        let is_later = |other: &Applied| {
            other.root == applied.root && applied.number < other.number && !other.is_worktree()
        };
        let all = self.applied_code().into_iter();
        let later = all.filter(|other| !applied.is_worktree() && is_later(other));
        later.max_by_key(|other| other.number)
    }

    /// The session's next reconcile moves it.
    fn pin_later(&mut self, key: &SessionKey, dir: PathBuf) {
        let pin = Some(dir);
        self.schedule(
            key.clone(),
            ReconcileRequest {
                pin,
                ..ReconcileRequest::default()
            },
        );
    }

    /// A forgotten session's code cannot be taken back any more.
    pub(super) fn forget_code(&mut self, key: &SessionKey) -> Result<(), StateError> {
        let mut all = self.applied_code();
        let before = all.len();
        all.retain(|applied| applied.key != *key);
        self.code.due.remove(key);
        self.code.followed.remove(key);
        self.code.ended.remove(key);
        self.code.budget.forget(key);
        match all.len() < before {
            true => self.state.put_note(NOTE, &all),
            false => Ok(()),
        }
    }
}

/// Runs work whose reply somebody waits for: a panic is an answer, too.
fn answered<T>(work: impl FnOnce() -> Result<T, ApiError>) -> Result<T, ApiError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let message = "It failed inside session-roam.";
        let hint = "Try it again; what was begun is taken back at the next start.";
        Err(ApiError::new(ProblemCode::Internal, message, hint))
    })
}

/// The directory of this device's files for a session; `None` without a journal of its own.
fn own_dir(short: &str, record: &SessionRecord) -> Option<String> {
    let mut journals = record.journals.values();
    let journal = journals.find(|journal| journal.device == short)?;
    snapshot_file::dir_beside(&journal.dir)
}

/// Whether a project's changes go along from this device.
pub(super) fn is_code_on(code: &Code, project: &ProjectKey) -> bool {
    let repository = repository(project.as_str());
    let is_it = |known: &String| known == project.as_str() || known == repository;
    code.on && code.projects.iter().any(is_it)
}

/// The project that the URL of a repository names, whether a session of it is known or not.
fn by_url(said: &str) -> Option<String> {
    let is_url = said.contains("://") || said.contains('@') && said.contains(':');
    let remote = is_url.then(|| crate::projects::meant(said)).flatten()?;
    Some(format!("git:{remote}"))
}

/// The end of the main doc in the store here.
fn main_tip(record: &SessionRecord) -> Option<ChainId> {
    Some(record.main_doc()?.local.as_ref()?.tip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_work_that_is_waited_for_is_answered() {
        let error = answered::<()>(|| panic!("in a test")).expect_err("is answered");
        assert_eq!(error.code, ProblemCode::Internal);
        assert_eq!(answered(|| Ok(1)).expect("is answered"), 1);
    }
}
