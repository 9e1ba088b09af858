//! Forgetting sessions: who asked, until when that can be undone, what is carried out here and what
//! is held, and the receipts. `erase.rs` removes a session; `merge::device_list` folds the devices'
//! statements.

mod answers;

use super::Engine;
use super::event::Event;
use super::listed::ListedSession;
use super::queue::ReconcileRequest;
use crate::api::answer::{Answer, value};
use crate::api::types::{ApiError, ForgetPreview, ForgottenRow, Held, HoldReason, ReceiptRow};
use crate::merge::{Left, Receipt, Statement};
use crate::reconcile::away::away;
use crate::reconcile::erase::{Erase, Erasure, StoreListings, erase};
use crate::reconcile::record::SessionRecord;
use crate::session::{
    DeviceId, HistoryKind, Hlc, Millis, Problem, ProblemCode, Remedy, SessionId, SessionKey,
};
use crate::state::{Happening, Row, StateError};
use crate::tools::FoundDoc;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The name that releases the held sessions, and their topic.
pub const HELD: &str = "forgotten";

/// The state's note of which sessions other devices had forgotten here.
const NOTE: &str = "forgotten for others";

/// The state's file is rewritten for all receipts together. If that takes longer than this, the next
/// ones wait so many times as long: sessions that are forgotten one by one then take a small part of
/// the loop's time, however large the file is.
const SHORT_SCRUB: Duration = Duration::from_millis(100);
const SCRUB_REST: u32 = 50;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Sessions that were forgotten here and can still be restored: `forgetting.json`. It is a file of
/// its own because it holds the user's decision, which must survive a lost state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Asked(Vec<AskedOnce>);

/// The sessions forgotten with one answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AskedOnce {
    at: Millis,
    /// From then on it is stated, and cannot be undone.
    due: Millis,
    /// When the count to `due` restarted because the clock was set back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anew: Option<Millis>,
    /// When it was asked for, or when the engine started after that.
    #[serde(skip)]
    since: Option<Instant>,
    sessions: Vec<AskedSession>,
}

impl AskedOnce {
    /// How long it can be undone at least, whatever the clock is set to.
    const LEAST: Duration = Duration::from_secs(10 * 60);

    /// How much of that time is left.
    fn rest(&self, steady: Instant) -> Duration {
        let began = self.anew.unwrap_or(self.at);
        let whole = self.due.0.saturating_sub(began.0).max(0).unsigned_abs();
        let passed = self
            .since
            .map(|since| steady.saturating_duration_since(since));
        let least = Duration::from_millis(whole).min(Self::LEAST);
        passed.map_or(least, |passed| least.saturating_sub(passed))
    }

    fn is_due(&self, now: Millis, steady: Instant) -> bool {
        self.due <= now && self.rest(steady).is_zero()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AskedSession {
    key: SessionKey,
    session: String,
    title: String,
}

/// The name that a damaged `forgetting.json` gets.
const BROKEN: &str = "forgetting.json.broken";

impl Asked {
    /// A damaged file is put aside, so that the next one does not overwrite it.
    fn load(home: &Path) -> io::Result<Self> {
        let path = home.join("forgetting.json");
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            read => read?,
        };
        match serde_json::from_slice(&bytes) {
            Ok(asked) => Ok(asked),
            Err(_) => std::fs::rename(path, home.join(BROKEN)).map(|()| Self::default()),
        }
    }

    /// Removes the file if there are no sessions: it holds titles.
    fn save(&self, home: &Path) -> io::Result<()> {
        let (path, next) = (
            home.join("forgetting.json"),
            home.join("forgetting.json.next"),
        );
        if self.0.is_empty() {
            return match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let mut file = std::fs::File::create(&next)?;
        file.write_all(&serde_json::to_vec_pretty(self).map_err(io::Error::other)?)?;
        file.sync_all()?;
        drop(file);
        std::fs::rename(next, path)
    }
}

/// What this device let others forget: the sessions in progress, and when each of the last day
/// began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Let {
    sessions: BTreeSet<SessionKey>,
    began: Vec<Millis>,
}

#[derive(Debug, Default)]
pub struct Forgetting {
    /// The saved data was read; nothing is decided before.
    open: bool,
    asked: Asked,
    /// Its sessions.
    asked_keys: BTreeSet<SessionKey>,
    /// `forgetting.json` could not be read: it is tried again, and not overwritten before.
    unread: bool,
    /// Sessions whose removal is due here or done. They are never read, recorded or written again.
    pub(in crate::engine) gone: BTreeSet<SessionKey>,
    /// Those of them that this device has not stated to be out of its store.
    unfinished: BTreeSet<SessionKey>,
    /// Sessions that the guard keeps, although another device forgot them.
    pub(super) held: BTreeSet<SessionKey>,
    let_through: Let,
    /// Why a session is still in its store, in words for this device's user.
    left: BTreeMap<SessionKey, String>,
    /// Receipts that are not written yet: why each session is in its store still.
    receipts: BTreeMap<SessionKey, Option<Left>>,
    pub(super) at_work: BTreeSet<SessionKey>,
    /// Sessions whose removal was scheduled; it may be done.
    scheduled: BTreeSet<SessionKey>,
    /// What the removals know of the stores.
    listings: Arc<StoreListings>,
    /// When the state was last rewritten for receipts, and how long that took.
    scrubbed: Option<(Instant, Duration)>,
    /// Syncthing does not yet ignore the sessions that are gone.
    to_leave_out: bool,
}

impl Forgetting {
    /// Whether the session is removed here, or about to be.
    pub fn is_gone(&self, key: &SessionKey) -> bool {
        self.gone.contains(key)
    }

    /// Whether the session was forgotten on this device and can still be restored.
    fn is_asked(&self, key: &SessionKey) -> bool {
        self.asked_keys.contains(key)
    }

    /// Takes over what is in `asked`.
    fn note_asked(&mut self) {
        let sessions = self.asked.0.iter().flat_map(|asked| &asked.sessions);
        self.asked_keys = sessions.map(|asked| asked.key.clone()).collect();
    }

    /// Whether the session is neither shown nor reconciled.
    pub fn hides(&self, key: &SessionKey) -> bool {
        self.is_gone(key) || self.is_asked(key)
    }

    /// What Syncthing ignores in other devices' folders, relative to the folder.
    pub fn left_out(&self) -> impl Iterator<Item = String> + '_ {
        self.gone
            .iter()
            .map(|key| format!("{}/*/{}", key.tool, key.hash))
    }
}

fn file_error(error: &io::Error) -> ApiError {
    let message = format!("forgetting.json could not be read or written: {error}.");
    ApiError::new(
        ProblemCode::ForgettingUnwritable,
        message,
        "Free up disk space or fix its permissions.",
    )
}

fn broken() -> Problem {
    Problem::new(
        ProblemCode::ForgettingUnwritable,
        "forgetting.json was damaged. What it asked to forget is shown and synced again.",
        format!("Forget those sessions again, then remove {BROKEN} from session-roam's home."),
    )
}

impl Engine {
    // ---- what is to be forgotten ----

    /// Runs at the start, after reading the own list: no forgotten session may be restored, read or
    /// shown.
    pub(super) fn open_forgetting(&mut self) {
        self.load_asked();
        self.forgetting.open = true;
        self.forgetting.let_through = self.state.note(NOTE).ok().flatten().unwrap_or_default();
        self.forget_stated();
        self.forget_due();
    }

    /// Reads what was asked for and hides those sessions.
    fn load_asked(&mut self) {
        let loaded = Asked::load(&self.home);
        self.forgetting.unread = loaded.is_err();
        if self.home.join(BROKEN).exists() {
            self.set_problem("forgetting broken", Some(broken()));
        }
        match loaded {
            Ok(asked) => self.forgetting.asked = asked,
            Err(error) => return self.forget_trouble(Some(file_error(&error))),
        }
        self.forgetting.note_asked();
        let since = Some(self.context.clock.steady());
        let mut keys = Vec::new();
        for asked in &mut self.forgetting.asked.0 {
            asked.since = since;
            keys.extend(asked.sessions.iter().map(|asked| asked.key.clone()));
        }
        keys.iter().for_each(|key| self.hide(key));
    }

    /// Saves what was asked for.
    fn save_asked(&mut self) -> Result<(), ApiError> {
        self.forgetting.note_asked();
        if self.forgetting.unread {
            let error = io::Error::other("it holds earlier requests");
            return Err(file_error(&error));
        }
        let saved = self.forgetting.asked.save(&self.home);
        saved.map_err(|error| file_error(&error))
    }

    /// States what can no longer be undone.
    pub(super) fn forget_due(&mut self) {
        if self.forgetting.unread {
            self.load_asked();
        }
        let (now, steady) = (self.context.clock.now(), self.context.clock.steady());
        self.count_anew(now);
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.forgetting.asked.0)
            .into_iter()
            .partition(|asked| asked.is_due(now, steady));
        // A statement cannot be undone: a crash before or after the next step makes no difference.
        let keys = due
            .iter()
            .flat_map(|asked| &asked.sessions)
            .map(|asked| asked.key.clone());
        let is_new = |key: &SessionKey| {
            let known = self.lists.now.forgotten.get(key);
            !known.is_some_and(|known| known.by.contains_key(&self.context.device))
        };
        let statements = keys
            .filter(is_new)
            .map(|session| Statement::Forget { session })
            .collect();
        self.forgetting.asked.0 = due.iter().cloned().chain(later.iter().cloned()).collect();
        if due.is_empty() {
            return;
        }
        let stated = self.declare(statements).and_then(|()| {
            self.forgetting.asked.0 = later;
            self.save_asked()
        });
        self.forget_trouble(stated.err());
    }

    /// Restarts the count if the clock was set back to before the request; otherwise the delay
    /// would grow.
    fn count_anew(&mut self, now: Millis) {
        let asked = self.forgetting.asked.0.iter_mut();
        let mut ahead = asked
            .filter(|asked| now < asked.anew.unwrap_or(asked.at))
            .peekable();
        if ahead.peek().is_none() {
            return;
        }
        for asked in ahead {
            let began = asked.anew.replace(now).unwrap_or(asked.at);
            asked.due = Millis(now.0.saturating_add(asked.due.0.saturating_sub(began.0)));
        }
        let saved = self.save_asked();
        self.forget_trouble(saved.err());
    }

    fn forget_trouble(&mut self, error: Option<ApiError>) {
        let problem = error.map(Problem::from);
        self.set_problem("forgetting", problem);
    }

    /// Compares what the lists state with what is carried out here; runs whenever a list changed.
    /// Only sessions about which something was stated, and held ones, are looked at.
    pub(super) fn forget_stated(&mut self) {
        if !self.forgetting.open {
            return;
        }
        let mut keys = std::mem::take(&mut self.lists.changed);
        keys.extend(self.forgetting.held.iter().cloned());
        let (mut gone, mut doubtful) = (BTreeSet::new(), Vec::new());
        for key in &keys {
            let Some(forgotten) = self.lists.now.forgotten.get(key) else {
                continue;
            };
            let own = &self.context.device;
            let ours = forgotten.by.contains_key(own) || forgotten.receipts.contains_key(own);
            if ours
                || self.forgetting.is_gone(key)
                || self.forgetting.let_through.sessions.contains(key)
            {
                gone.insert(key.clone());
            } else {
                doubtful.push(key.clone());
            }
        }
        // A session here may open only with this one in the store; its user is asked first.
        let (needed, doubtful): (Vec<_>, Vec<_>) = doubtful
            .into_iter()
            .partition(|key| self.is_needed_here(key));
        let many = self.guard_forgotten(&doubtful);
        gone.extend(doubtful.into_iter().filter(|key| !many.contains(key)));
        self.note_held(many, &needed);
        let new: Vec<SessionKey> = gone.difference(&self.forgetting.gone).cloned().collect();
        self.forgetting.gone.extend(gone);
        for key in keys.intersection(&self.forgetting.gone) {
            match is_to_be_removed(self.carried_out(key)) {
                true => drop(self.forgetting.unfinished.insert(key.clone())),
                false => drop(self.forgetting.unfinished.remove(key)),
            }
        }
        if new.is_empty() {
            return;
        }
        new.iter().for_each(|key| self.hide(key));
        self.forgetting.to_leave_out = true;
        self.forgetting.listings = Arc::default();
        // At the start this is published with everything else.
        if self.published.is_some() {
            self.publish_presence();
        }
        for key in new {
            if is_to_be_removed(self.carried_out(&key)) {
                self.schedule_removal(key, None);
            }
        }
    }

    /// How this device carried out the removal, as it stated or is about to state.
    fn carried_out(&self, key: &SessionKey) -> Option<Option<Left>> {
        let about_to_state = self.forgetting.receipts.get(key).copied();
        about_to_state.or_else(|| {
            let forgotten = self.lists.now.forgotten.get(key)?;
            let receipt = forgotten.receipts.get(&self.context.device)?;
            Some(receipt.left)
        })
    }

    fn schedule_removal(&mut self, key: SessionKey, session: Option<SessionId>) {
        if !self.is_removing() {
            self.forgetting.listings = Arc::default();
        }
        self.forgetting.scheduled.insert(key.clone());
        let request = ReconcileRequest {
            session,
            ..ReconcileRequest::default()
        };
        self.schedule(key, request);
    }

    /// Whether forgotten sessions are being removed, or wait for that.
    fn is_removing(&mut self) -> bool {
        let scheduled = &mut self.forgetting.scheduled;
        while let Some(first) = scheduled.first()
            && !self.queue.is_waiting(first)
        {
            scheduled.pop_first();
        }
        let is_due =
            |key: &SessionKey| self.queue.is_waiting(key) && !self.listings.is_first(&key.tool);
        self.forgetting.scheduled.iter().any(is_due) || !self.forgetting.at_work.is_empty()
    }

    /// Another device may be stolen: if it wants to forget more than a few sessions a day, all are
    /// held.
    fn guard_forgotten(&mut self, doubtful: &[SessionKey]) -> BTreeSet<SessionKey> {
        let now = self.context.clock.now();
        let let_through = &mut self.forgetting.let_through;
        let before = let_through.clone();
        let_through
            .began
            .retain(|at| now.0.saturating_sub(at.0) < DAY_MS);
        let (began, context) = (let_through.began.len(), self.context.clone());
        let is_known = |key: &&SessionKey| {
            self.state.row(key).ok().flatten().is_some() || self.forgetting.is_asked(key)
        };
        let unknown = doubtful.iter().filter(|key| !is_known(key));
        let held = context.vault.held(&unknown.cloned().collect());
        let is_here = |key: &SessionKey| is_known(&key) || held.contains(key);
        // Forgetting a session that is not here loses nothing. Versions and sub-agents of a session
        // go with it, and count as one with it.
        let here: Vec<&SessionKey> = doubtful.iter().filter(|key| is_here(key)).collect();
        let others: BTreeSet<&SessionKey> = doubtful.iter().collect();
        let count = here
            .iter()
            .filter(|key| !self.goes_with(key, &others))
            .count();
        if count > 0 && began + count > self.settings.guard.max_forgotten {
            return here.into_iter().cloned().collect();
        }
        let let_through = &mut self.forgetting.let_through;
        let_through.began.extend(std::iter::repeat_n(now, count));
        let_through.sessions.extend(here.into_iter().cloned());
        self.remember_let(&before);
        BTreeSet::new()
    }

    /// If this is not saved, the user answers a question twice.
    fn remember_let(&mut self, before: &Let) {
        if self.forgetting.let_through != *before {
            let _ = self.state.put_note(NOTE, &self.forgetting.let_through);
        }
    }

    fn goes_with(&self, key: &SessionKey, others: &BTreeSet<&SessionKey>) -> bool {
        let record: SessionRecord = self.state.record(key).ok().flatten().unwrap_or_default();
        // Only the file here proves of which session this is a sub-agent.
        let whole = record.part_of.as_ref();
        let whole = whole.map(|whole| SessionKey::new(&key.tool, whole));
        let wholes = [parent_of(&record, key), whole];
        wholes.iter().flatten().any(|whole| others.contains(whole))
    }

    fn is_needed_here(&self, key: &SessionKey) -> bool {
        let row = self.state.row(key).ok().flatten();
        let needing = row
            .and_then(|row| self.state.needing(&row.session).ok())
            .unwrap_or_default();
        needing.iter().any(|(child, _)| {
            child.tool == key.tool && !self.lists.now.forgotten.contains_key(child)
        })
    }

    fn note_held(&mut self, mut held: BTreeSet<SessionKey>, needed: &[SessionKey]) {
        let many = held.len();
        held.extend(needed.iter().cloned());
        if held.is_empty() {
            self.held.remove(HELD);
        } else {
            let by = held
                .iter()
                .filter_map(|key| self.lists.now.forgotten.get(key))
                .flat_map(|known| known.by.keys());
            let names: BTreeSet<String> = by
                .map(|id| self.context.shared().name_of(&id.short()))
                .collect();
            let names: Vec<String> = names.into_iter().collect();
            let sessions = if held.len() == 1 {
                "1 session".into()
            } else {
                format!("{} sessions", held.len())
            };
            let names = names.join(", ");
            let (code, why, hint) = match many {
                0 => (
                    HoldReason::Needed,
                    "Other sessions on this device need them to open.",
                    "Forget those sessions, too, or accept that they no longer open.",
                ),
                _ => (
                    HoldReason::MassForget,
                    "That is more than another device may do without your confirmation here.",
                    "If it was not you, revoke that device: someone else may have it.",
                ),
            };
            let message = format!(
                "{sessions} were forgotten on {names}. Nothing was removed here yet. {why}"
            );
            self.held.insert(
                HELD.into(),
                Held {
                    what: HELD.into(),
                    code,
                    message,
                    hint: hint.into(),
                    actions: super::remedies::of_hold(code, HELD, None),
                },
            );
        }
        self.forgetting.held = held;
    }

    /// The user has seen what another device wants to forget.
    pub(super) fn release_forgotten(&mut self) -> Answer {
        let held = std::mem::take(&mut self.forgetting.held);
        if held.is_empty() {
            return Err(
                ApiError::new(ProblemCode::NotHeld, format!("{HELD} is not held."), "")
                    .offer(Remedy::OpenStatus),
            );
        }
        let before = self.forgetting.let_through.clone();
        self.forgetting
            .let_through
            .sessions
            .extend(held.iter().cloned());
        self.remember_let(&before);
        self.lists.changed.extend(held.iter().cloned());
        self.forget_stated();
        crate::api::answer::done(match held.len() {
            1 => "1 session is removed from this device.".into(),
            n => format!("{n} sessions are removed from this device."),
        })
    }

    /// Removes a session from everything that is shown or reconciled.
    fn hide(&mut self, key: &SessionKey) {
        if let Err(error) = self.state.hide(key) {
            self.set_problem("state", Some(ApiError::from(error).into()));
        }
        self.search_forgets(key);
        self.context.change().here.remove(key);
        self.open_sessions.remove(key);
        self.seen.remove(key);
        for vanished in self.vanished.values_mut() {
            vanished.remove(key);
        }
        self.drop_session(key);
        let (topic, panicked) = (format!("session {key} "), format!("panicked {key}"));
        self.problems
            .retain(|known, _| !known.starts_with(&topic) && *known != panicked);
        *self.context.compared() = None;
        self.context.transcripts().clear();
    }

    /// Has Syncthing ignore the forgotten sessions in other devices' folders.
    fn leave_out(&mut self) {
        for folder in self
            .arrange()
            .folders
            .into_iter()
            .filter(|folder| !folder.own)
        {
            if let Err(error) = crate::syncthing::leave_out(&folder) {
                let message = format!(
                    "{} could not be written: {error}.",
                    folder.path.join(".stignore").display()
                );
                let hint = "Make room or repair the permissions of the vault folder.";
                self.set_problem(
                    "forgetting",
                    Some(Problem::new(ProblemCode::VaultUnwritable, message, hint)),
                );
            }
        }
    }

    // ---- carrying it out ----

    /// Starts the removal of a session instead of a reconcile; returns whether the session is
    /// forgotten.
    pub(super) fn erases(&mut self, key: &SessionKey, request: &ReconcileRequest) -> bool {
        if !self.forgetting.hides(key) {
            return false;
        }
        self.copies_imported(key, Default::default());
        self.refuse_waiting(key, &forgotten_error());
        if !self.forgetting.is_gone(key) {
            self.queue.done(key);
            return true;
        }
        // Before any removal: Syncthing neither fetches again nor misses what it ignores.
        if std::mem::take(&mut self.forgetting.to_leave_out) {
            self.leave_out();
        }
        let own = self.carried_out(key);
        let hidden = self.state.hidden(key).ok().flatten();
        let record: SessionRecord = { self.state.hidden_record(key) }
            .ok()
            .flatten()
            .unwrap_or_default();
        let main = record.main_doc().and_then(|doc| doc.local.as_ref());
        let session = request
            .session
            .clone()
            .or(hidden.map(|row| SessionId::new(row.session)));
        let job = Erase {
            key: key.clone(),
            session: session.filter(|session| !session.as_str().is_empty()),
            shared: self.shared_docs_of(key, &record),
            main: main.map(|local| local.path.clone()),
            away: away(&self.context, &key.tool, &record).map(|(_, why, _)| why),
            from_store: is_to_be_removed(own),
            home: self.home.clone(),
            listings: self.forgetting.listings.clone(),
        };
        self.forgetting.at_work.insert(key.clone());
        let context = self.context.clone();
        self.jobs.spawn_for_event(Box::new(move || {
            let erased =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| erase(&context, &job)));
            erased.map_or_else(
                |_| Event::Panicked(job.key, Box::default()),
                |erasure| Event::Erased(Box::new(erasure)),
            )
        }));
        true
    }

    /// The docs that only a forgotten session has, as they were last seen.
    fn shared_docs_of(&self, key: &SessionKey, record: &SessionRecord) -> Vec<FoundDoc> {
        let holders = self.context.holders();
        let own = record
            .docs
            .clone()
            .into_iter()
            .filter(|(doc, _)| holders.of(key, doc) == Some(key));
        let seen = own.filter_map(|(name, state)| Some((name, state.kind, state.local?)));
        seen.map(|(name, kind, local)| FoundDoc {
            name,
            kind,
            place: local.place,
            path: local.path,
            stamp: local.stamp,
        })
        .collect()
    }

    pub(super) fn erased(&mut self, erasure: Erasure) -> Result<(), StateError> {
        let Erasure {
            key,
            announce,
            any,
            left,
            error,
        } = erasure;
        self.queue.done(&key);
        self.forgetting.at_work.remove(&key);
        self.forget_code(&key)?;
        for (lane, path) in announce {
            self.transport.announce(lane, vec![path]);
        }
        let topic = format!("forget {key}");
        if let Some(error) = error {
            let message = format!(
                "A forgotten session of {} could not be removed: {error}.",
                key.tool
            );
            let hint = "Mend the permissions of session-roam's home; it is tried again.";
            self.set_problem(
                &topic,
                Some(Problem::new(ProblemCode::NotForgotten, message, hint)),
            );
            return self.give_receipts();
        }
        self.set_problem(&topic, None);
        let own = self.carried_out(&key);
        // The store is not asked again about parts that nobody can tell apart.
        let parts = own.flatten().filter(|left| !left.is_in_store());
        let now = left.as_ref().map(|(left, _)| *left).or(parts);
        let is_news = own != Some(now);
        match (&left, parts) {
            (Some((_, why)), _) => drop(self.forgetting.left.insert(key.clone(), why.clone())),
            (None, None) => drop(self.forgetting.left.remove(&key)),
            (None, Some(_)) => {}
        }
        if any && is_news {
            self.happened(HistoryKind::Removed, &key)?;
        }
        // Where it lies in a store that cannot be read is still needed.
        if now != Some(Left::Failed) {
            self.state.erase(&key)?;
        }
        if now.is_none_or(|left| !left.is_in_store()) {
            self.state.forget_holders(&key)?;
            self.context.holders().forget(&key);
        }
        if is_news {
            self.forgetting.receipts.insert(key, now);
        }
        self.give_receipts()
    }

    /// Adds to the history without any word of the session; views of lists then reload them.
    fn happened(&self, kind: HistoryKind, key: &SessionKey) -> Result<(), StateError> {
        let (device, tool) = (self.context.short.clone(), key.tool.to_string());
        let at = self.context.clock.now();
        self.state.add_history(&Happening {
            at,
            device,
            kind,
            tool,
            ..Happening::default()
        })
    }

    /// Writes receipts for everything removed, in one frame, when nothing is left to do.
    fn give_receipts(&mut self) -> Result<(), StateError> {
        if self.forgetting.receipts.is_empty() || self.is_removing() {
            return Ok(());
        }
        let began = self.context.clock.steady();
        let rests = |(ended, took): (Instant, Duration)| {
            let rest = took.saturating_sub(SHORT_SCRUB) * SCRUB_REST;
            began.saturating_duration_since(ended) < rest
        };
        if self.forgetting.scrubbed.is_some_and(rests) {
            return Ok(());
        }
        // The receipt states that nothing of it is left here: not even in the state's unused pages.
        self.state.scrub()?;
        let ended = self.context.clock.steady();
        self.forgetting.scrubbed = Some((ended, ended.saturating_duration_since(began)));
        let receipts = self.forgetting.receipts.clone();
        let statements = { receipts.iter() }.map(|(session, left)| Statement::Forgotten {
            session: session.clone(),
            left: *left,
        });
        let stated = self.declare(statements.collect());
        if stated.is_ok() {
            let before = self.forgetting.let_through.clone();
            for receipt in receipts.keys() {
                self.forgetting.receipts.remove(receipt);
                self.forgetting.let_through.sessions.remove(receipt);
            }
            self.remember_let(&before);
        }
        self.forget_trouble(stated.err());
        Ok(())
    }

    /// Tries again what could not be removed.
    pub(super) fn retry_forgotten(&mut self) -> Result<(), StateError> {
        self.forget_due();
        // A tool that refused will refuse again; its store is read when the session changes there.
        let unfinished = |key: &&SessionKey| {
            let left = self.carried_out(key);
            is_to_be_removed(left)
                && left != Some(Some(Left::Tool))
                && !self.forgetting.at_work.contains(*key)
        };
        let again: Vec<SessionKey> = self
            .forgetting
            .unfinished
            .iter()
            .filter(unfinished)
            .cloned()
            .collect();
        again
            .into_iter()
            .for_each(|key| self.schedule_removal(key, None));
        self.give_receipts()
    }

    /// Removes a forgotten session from a tool's store, once; returns whether the session is
    /// forgotten.
    pub(super) fn is_forgotten_in_store(&mut self, found: &ListedSession) -> bool {
        let key = &found.key;
        if !self.forgetting.hides(key) {
            return false;
        }
        let is_left = is_to_be_removed(self.carried_out(key));
        if self.forgetting.is_gone(key)
            && is_left
            && self.seen.insert(key, found.print) != Some(found.print)
        {
            self.schedule_removal(key.clone(), Some(found.session.clone()));
        }
        true
    }

    /// A reconcile found that the session is a version of a forgotten one: it holds the same
    /// messages, and is forgotten, too.
    pub(super) fn goes_with_forgotten(
        &mut self,
        key: &SessionKey,
        record: &SessionRecord,
        row: &Row,
    ) -> bool {
        let Some(parent) = parent_of(record, key).filter(|parent| self.forgetting.hides(parent))
        else {
            return false;
        };
        if self.forgetting.is_gone(&parent) {
            let stated = self.declare(vec![Statement::Forget {
                session: key.clone(),
            }]);
            self.forget_trouble(stated.err());
            return true;
        }
        let asked = self.forgetting.asked.0.iter_mut();
        let mut with = asked.filter(|asked| asked.sessions.iter().any(|asked| asked.key == parent));
        if let Some(asked) = with.next() {
            let (session, title) = (row.session.clone(), row.title.clone());
            asked.sessions.push(AskedSession {
                key: key.clone(),
                session,
                title,
            });
        }
        let saved = self.save_asked();
        self.forget_trouble(saved.err());
        self.hide(key);
        true
    }
}

/// Whether a session that was removed so far is still to be removed from the store.
fn is_to_be_removed(left: Option<Option<Left>>) -> bool {
    left.is_none_or(|left| left.is_some_and(Left::is_in_store))
}

fn left_words(left: Left) -> String {
    match left {
        Left::Open => "It is open in the tool there; it is removed when it is closed.",
        Left::Tool => "It is in the tool's own list still; delete it there.",
        Left::Failed => "The tool's store could not be read or written there; it is tried again.",
        Left::Parts => "Its messages are removed; the tool does not say whose the rest is.",
        Left::Other => "It is in the tool's store there still.",
    }
    .into()
}

pub(super) fn forgotten_error() -> ApiError {
    ApiError::new(ProblemCode::Forgotten, "This session is forgotten.", "")
        .offer(Remedy::OpenForgotten)
}

/// The session that this one is a version of. This one's own id proves that.
fn parent_of(record: &SessionRecord, key: &SessionKey) -> Option<SessionKey> {
    let forks = record
        .cards
        .values()
        .filter_map(|device_card| device_card.card.fork.as_ref());
    let mut proven = forks.filter(|fork| record.is_branch(Some(&fork.session)));
    proven
        .next()
        .map(|fork| SessionKey::new(&key.tool, &fork.session))
}
