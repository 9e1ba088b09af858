//! Search as the loop sees it: which sessions the index must read next, what left it, and questions.
//! One batch at a time runs beside the loop; what just arrived goes before what was there.

use super::Engine;
use super::event::Event;
use crate::api::answer::{Work, value};
use crate::api::types::{ApiError, Indexing, Marked, Search, SearchHit, SearchSnippet};
use crate::reconcile::record::SessionRecord;
use crate::session::problem::with_causes;
use crate::session::{Millis, Problem, ProblemCode, Remedy, Role, SessionKey};
use crate::state::{Row, State, StateError};
use crate::views::indexing::{
    Indexed, OpenedIndex, SearchEvent, ToIndex, index_sessions, open_index, print_of,
};
use crate::views::search_text::SHOWN;
use crate::views::transcript::authors::Parent;
use session_roam_search::{FindError, Index, IndexError, Question};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The state's note of the index that belongs to it.
const NOTE: &str = "search";
/// What one batch reads at most: sessions, and bytes as a list shows them.
const FRESH: (usize, u64) = (16, 8 << 20);
const BACKLOG: (usize, u64) = (64, 48 << 20);
/// When more bytes than this are on their way, sessions come in numbers.
const FLOOD: u64 = 1 << 20;
/// When nothing came for so long, the writer gives its memory back.
const REST: Duration = Duration::from_secs(10);
/// A session that cannot be read is tried again at the next poll, and then after twice as many polls
/// each time, up to this: about an hour.
const LONGEST_PAUSE: u32 = 128;
const MOST_HITS: u64 = 200;
const USUAL_HITS: u64 = 20;

/// What the index has of a session that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing.
    First,
    /// How it was before.
    Again,
}

#[derive(Default)]
pub struct Searching {
    index: Option<Arc<Index>>,
    /// What just changed, and what the index never read, newest last.
    fresh: BTreeSet<SessionKey>,
    backlog: VecDeque<SessionKey>,
    /// What arrived in numbers, for the first time.
    arrived: BTreeSet<SessionKey>,
    /// What was veiled and has not been reconciled since; and all that was veiled since the batch at
    /// work began, which may have read it before.
    veiled: BTreeSet<SessionKey>,
    veiled_in_batch: BTreeSet<SessionKey>,
    gone: BTreeSet<String>,
    /// What could not be read, and of these what is tried again now.
    unreadable: BTreeMap<SessionKey, Unreadable>,
    tried_again: BTreeSet<SessionKey>,
    /// What has to be hidden, and what left, while the index is being opened.
    veiled_meanwhile: BTreeSet<String>,
    gone_meanwhile: BTreeSet<String>,
    /// How many sessions the backlog had at its largest.
    total: usize,
    at_work: bool,
    hurry: Arc<AtomicBool>,
    /// No backlog was begun since the last poll.
    was_polled: bool,
    /// The index failed; it is opened again at the next poll.
    failed: bool,
    /// Batches so far, and how many of them the last look for quiet saw.
    batches: u64,
    quiet_at: Option<u64>,
}

/// Why a session could not be read, and after how many polls it is tried again.
struct Unreadable {
    why: String,
    pause: u32,
    left: u32,
}

impl Searching {
    fn note_unreadable(&mut self, key: SessionKey, why: String) {
        let before = self.unreadable.get(&key).map_or(0, |one| one.pause);
        let pause = (2 * before).clamp(1, LONGEST_PAUSE);
        let left = pause;
        self.unreadable.insert(key, Unreadable { why, pause, left });
    }

    /// Queues what is to be tried again at this poll.
    fn try_again(&mut self) {
        for (key, one) in &mut self.unreadable {
            one.left = one.left.saturating_sub(1);
            if one.left == 0 {
                self.tried_again.insert(key.clone());
            }
        }
    }

    fn forget(&mut self, key: &SessionKey) {
        self.fresh.remove(key);
        self.arrived.remove(key);
        self.unreadable.remove(key);
        self.tried_again.remove(key);
    }

    /// How many sessions wait that are in no hurry.
    fn waiting(&self) -> usize {
        self.arrived.len() + self.backlog.len()
    }

    /// The next session of the backlog. Once it is empty, its places are no longer needed.
    fn next_of_backlog(&mut self) -> Option<SessionKey> {
        let next = self.backlog.pop_back();
        if self.backlog.is_empty() {
            self.backlog.shrink_to_fit();
        }
        next
    }
}

impl Engine {
    /// Opens the index, beside the loop.
    pub(super) fn open_search(&mut self) -> Result<(), StateError> {
        let dir = self.home.join("search");
        if !self.settings.search.on {
            // What is forgotten from now on would stay in an index that nobody keeps.
            if dir.exists() {
                self.jobs
                    .spawn(Box::new(move || drop(std::fs::remove_dir_all(dir))));
            }
            return Ok(());
        }
        if self.searching.at_work {
            return Ok(());
        }
        self.commit_gathered();
        // Until it is opened, each poll tries it again.
        self.searching.failed = true;
        let name: Option<String> = self.state.note(NOTE)?;
        let name = match name {
            Some(name) => name,
            None => self.name_index()?,
        };
        self.searching.failed = false;
        self.searching.at_work = true;
        // All that is not read is found again, but for what changes from now on.
        self.searching.backlog.clear();
        self.searching.arrived.clear();
        let state = self.state.path().to_owned();
        self.jobs.spawn_for_event(Box::new(move || {
            let work = AssertUnwindSafe(|| open_index(&dir, &name, &state));
            let opened = catch_unwind(work).unwrap_or(Err(IndexError::Damaged));
            Event::Search(Box::new(SearchEvent::Opened(opened)))
        }));
        Ok(())
    }

    /// An index under another name than the state's is of other sessions, and is emptied.
    fn name_index(&self) -> Result<String, StateError> {
        let stamp = self.context.tick();
        let name = format!("{}-{}-{}", self.context.short, stamp.wall.0, stamp.count);
        self.state.put_note(NOTE, &name)?;
        Ok(name)
    }

    pub(super) fn search_event(&mut self, event: SearchEvent) -> Result<(), StateError> {
        match event {
            SearchEvent::Opened(Ok(opened)) => return self.search_opened(opened),
            SearchEvent::Opened(Err(error)) | SearchEvent::Rested(Some(error)) => {
                self.search_failed(&error);
            }
            SearchEvent::Indexed(indexed) => return self.indexed(indexed),
            SearchEvent::Quiet => self.rest_search(),
            SearchEvent::Rested(None) => {
                self.searching.at_work = false;
                // What the writer had.
                self.freed_much();
            }
        }
        Ok(())
    }

    /// Takes over an index that was opened and compared beside the loop.
    fn search_opened(&mut self, opened: OpenedIndex) -> Result<(), StateError> {
        self.freed_much();
        let (index, searching) = (opened.index, &mut self.searching);
        searching.at_work = false;
        // Tried again at the next poll, unless everything goes well.
        searching.failed = true;
        let compared = opened.compared?;
        if opened.is_empty {
            self.state.unsearch_all()?;
        }
        let gone = std::mem::take(&mut searching.gone_meanwhile);
        let veiled = std::mem::take(&mut searching.veiled_meanwhile);
        veiled.iter().chain(&gone).for_each(|key| index.hide(key));
        searching.gone.extend(compared.gone);
        searching.gone.extend(gone);
        let imported = std::mem::replace(&mut searching.backlog, compared.backlog);
        for key in imported.into_iter().rev() {
            searching.backlog.push_front(key);
        }
        searching.total = searching.backlog.len();
        searching.index = Some(index);
        searching.failed = false;
        self.set_problem("search", None);
        Ok(())
    }

    fn search_failed(&mut self, error: &IndexError) {
        let searching = &mut self.searching;
        (searching.index, searching.at_work, searching.failed) = (None, false, true);
        if matches!(error, IndexError::Damaged) {
            // Under a new name it is made anew.
            let _ = self.name_index();
        }
        let hint = "Free up disk space. The index is rebuilt if it stays unusable.";
        let problem = Problem::new(ProblemCode::SearchIndex, with_causes(error), hint);
        self.set_problem("search", Some(problem));
    }

    /// Tries again what failed.
    pub(super) fn poll_search(&mut self) -> Result<(), StateError> {
        self.searching.was_polled = true;
        self.searching.try_again();
        self.report_unreadable();
        if let Some(index) = &self.searching.index
            && !self.searching.at_work
            && index.unmap_if_unused()
        {
            self.n_worked += 1;
        }
        match self.searching.failed {
            true => self.open_search(),
            false => Ok(()),
        }
    }

    fn indexed(&mut self, indexed: Indexed) -> Result<(), StateError> {
        let searching = &mut self.searching;
        searching.at_work = false;
        searching.batches += 1;
        searching.backlog.extend(indexed.left);
        for key in &indexed.removed {
            searching.gone.remove(key);
        }
        if let Some(error) = &indexed.error {
            self.search_failed(error);
            return Ok(());
        }
        for (key, _) in &indexed.done {
            searching.unreadable.remove(key);
        }
        for (key, why) in indexed.unreadable {
            searching.note_unreadable(key, why);
        }
        self.report_unreadable();
        // Read before it was veiled, for instance since its device was revoked meanwhile.
        let searching = &mut self.searching;
        let veiled = std::mem::take(&mut searching.veiled_in_batch);
        let (old, done): (Vec<_>, Vec<_>) =
            { indexed.done.into_iter() }.partition(|(key, _)| veiled.contains(key));
        for (key, _) in old {
            if let Some(index) = &searching.index {
                index.hide(&key.to_string());
            }
            searching.fresh.insert(key);
        }
        let mut changed = Vec::new();
        self.state.together(|state| {
            for (key, print) in &done {
                match state.row(key)?.is_some() {
                    true => state.put_searched(key, print)?,
                    false => changed.push(key.to_string()),
                }
            }
            Ok(())
        })?;
        // Forgotten while it was read.
        for key in changed {
            self.search_forgets_key(key);
        }
        if self.searching.quiet_at.is_none() {
            self.searching.quiet_at = Some(self.searching.batches);
            let quiet = Event::Search(Box::new(SearchEvent::Quiet));
            self.jobs.after(REST, quiet);
        }
        Ok(())
    }

    fn report_unreadable(&mut self) {
        let first = self.searching.unreadable.iter().next();
        let problem = first.map(|(key, one)| {
            let why = &one.why;
            let message = format!("The words of session {key} cannot be searched: {why}.");
            let hint = "It is tried again after a while, and when it changes.";
            Problem::new(ProblemCode::NotSearched, message, hint)
        });
        self.set_problem("unsearched", problem);
    }

    fn rest_search(&mut self) {
        let seen = self.searching.quiet_at.take();
        if seen != Some(self.searching.batches) || self.searching.at_work {
            if !self.searching.failed {
                self.searching.quiet_at = Some(self.searching.batches);
                let quiet = Event::Search(Box::new(SearchEvent::Quiet));
                self.jobs.after(REST, quiet);
            }
            return;
        }
        if let Some(index) = self.searching.index.clone() {
            self.searching.at_work = true;
            self.jobs.spawn_for_event(Box::new(move || {
                let rested = catch_unwind(AssertUnwindSafe(|| index.rest()));
                let error = rested.unwrap_or(Err(IndexError::Damaged)).err();
                Event::Search(Box::new(SearchEvent::Rested(error)))
            }));
        }
    }

    /// Notes that a session changed; called within the transaction that stores the change.
    pub(super) fn unsearch_changed(
        state: &State,
        key: &SessionKey,
        print: Option<&String>,
    ) -> Result<Option<News>, StateError> {
        let known = state.searched(key)?;
        let is_new = print.is_some_and(|print| known.as_ref() != Some(print));
        Ok(match (is_new, known) {
            (false, _) => None,
            (true, None) => Some(News::First),
            (true, Some(_)) => {
                state.unsearch(key)?;
                Some(News::Again)
            }
        })
    }

    pub(super) fn print_for_search(&self, record: &SessionRecord, row: &Row) -> Option<String> {
        let is_on = self.settings.search.on;
        is_on.then(|| print_of(record, row)).flatten()
    }

    /// What no line counts of any more leaves the index, also one that is opened later.
    pub(super) fn search_drops(&mut self, key: &SessionKey) -> Result<(), StateError> {
        let index = self.searching.index.as_ref();
        if index.is_none_or(|index| index.has(&key.to_string())) {
            self.search_forgets(key);
            self.state.unsearch(key)?;
        }
        Ok(())
    }

    /// Queues a session that changed. One of the first import, or of many that arrive for the first
    /// time, comes after those at work now.
    pub(super) fn search_follows(&mut self, key: &SessionKey, news: News, imported: bool) {
        let is_one_of_many = news == News::First && self.is_flooded();
        let searching = &mut self.searching;
        let was_veiled = searching.veiled.remove(key);
        if imported {
            searching.backlog.push_front(key.clone());
        } else if is_one_of_many && !was_veiled {
            searching.arrived.insert(key.clone());
        } else {
            searching.arrived.remove(key);
            searching.fresh.insert(key.clone());
            searching.hurry.store(true, Ordering::Relaxed);
        }
        searching.total = searching.total.max(searching.waiting());
    }

    /// Whether many sessions come from other devices, as when this device has just joined them.
    fn is_flooded(&self) -> bool {
        FLOOD < self.incoming || BACKLOG.0 < self.queue.len()
    }

    /// From now on no question finds the session.
    pub(super) fn search_forgets(&mut self, key: &SessionKey) {
        self.searching.forget(key);
        self.report_unreadable();
        self.search_forgets_key(key.to_string());
    }

    fn search_forgets_key(&mut self, key: String) {
        let Some(index) = &self.searching.index else {
            // An index that is being opened may have it, and one that is opened later is compared.
            if self.searching.at_work {
                self.searching.gone_meanwhile.insert(key);
            }
            return;
        };
        index.hide(&key);
        self.searching.hurry.store(true, Ordering::Relaxed);
        self.searching.gone.insert(key);
    }

    /// Until it was reconciled and read again, no question finds the session.
    pub(super) fn search_veils(&mut self, keys: &[SessionKey]) -> Result<(), StateError> {
        for key in keys {
            self.searching.veiled.insert(key.clone());
            if self.searching.at_work {
                self.searching.veiled_in_batch.insert(key.clone());
            }
            match &self.searching.index {
                Some(index) => index.hide(&key.to_string()),
                None if self.searching.at_work => {
                    self.searching.veiled_meanwhile.insert(key.to_string());
                }
                None => {}
            }
        }
        let unsearch = |state: &State| keys.iter().try_for_each(|key| state.unsearch(key));
        self.state.together(unsearch)
    }

    /// Starts the next batch.
    pub(super) fn pump_search(&mut self) -> Result<(), StateError> {
        let is_flooded = self.is_flooded();
        let searching = &mut self.searching;
        let Some(index) = searching.index.clone().filter(|_| !searching.at_work) else {
            return Ok(());
        };
        // A few sessions each time would make the index of many small parts, which are joined again
        // and again. What is on its way may also never come.
        let are_enough =
            !is_flooded || BACKLOG.0 <= searching.arrived.len() || searching.was_polled;
        searching.hurry.store(false, Ordering::Relaxed);
        let gone: Vec<String> = searching.gone.iter().cloned().collect();
        let mut sessions = self.next_to_index(FRESH, |searching| searching.fresh.pop_first())?;
        if sessions.is_empty() && are_enough {
            sessions = self.next_to_index(BACKLOG, |searching| searching.arrived.pop_first())?;
            self.searching.was_polled &= sessions.is_empty();
        }
        if sessions.is_empty() && self.queue.is_empty() {
            // Each alone: what fails makes a batch anew.
            sessions =
                self.next_to_index((1, u64::MAX), |searching| searching.tried_again.pop_first())?;
        }
        if sessions.is_empty() && self.queue.is_empty() {
            sessions = self.next_to_index(BACKLOG, Searching::next_of_backlog)?;
        }
        if gone.is_empty() && sessions.is_empty() {
            return Ok(());
        }
        self.searching.at_work = true;
        self.searching.veiled_in_batch.clear();
        let (context, hurry) = (self.context.clone(), self.searching.hurry.clone());
        self.jobs.spawn_for_event(Box::new(move || {
            let keys: Vec<SessionKey> = sessions.iter().map(|one| one.key.clone()).collect();
            let work =
                AssertUnwindSafe(|| index_sessions(&context, &index, (gone, sessions), &hurry));
            let indexed = catch_unwind(work).unwrap_or_else(|_| panicked(keys));
            Event::Search(Box::new(SearchEvent::Indexed(indexed)))
        }));
        Ok(())
    }

    fn next_to_index(
        &mut self,
        (most, most_bytes): (usize, u64),
        mut next: impl FnMut(&mut Searching) -> Option<SessionKey>,
    ) -> Result<Vec<ToIndex>, StateError> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        while found.len() < most && bytes < most_bytes {
            let Some(key) = next(&mut self.searching) else {
                break;
            };
            match self.to_index(&key)? {
                Some(one) => {
                    bytes += one.row.bytes;
                    found.push(one);
                }
                None => drop(self.searching.unreadable.remove(&key)),
            }
        }
        Ok(found)
    }

    /// A session as it is now, unless the index has it so or nothing of it is to be found.
    fn to_index(&self, key: &SessionKey) -> Result<Option<ToIndex>, StateError> {
        let (Some(row), Some(record)) = (self.state.row(key)?, self.state.record(key)?) else {
            return Ok(None);
        };
        let Some(print) = print_of(&record, &row) else {
            return Ok(None);
        };
        // The backlog may name what came as a change, too.
        let is_known = self.state.searched(key)?.as_ref() == Some(&print);
        if is_known {
            return Ok(None);
        }
        Ok(Some(ToIndex {
            key: key.clone(),
            forks: self.joined_forks(key, &record)?,
            parent: Parent::of((key, &record), |parent| self.state.record(parent))?,
            record,
            row,
            print,
        }))
    }

    // ---- questions ----

    pub(super) fn search_words(
        &self,
        words: String,
        limit: Option<u64>,
        devices: Option<Vec<String>>,
    ) -> Result<Work, ApiError> {
        let index = self
            .searching
            .index
            .clone()
            .ok_or_else(|| self.no_index())?;
        let limit = limit.unwrap_or(USUAL_HITS).min(MOST_HITS) as usize;
        let context = self.context.clone();
        let waiting = self.searching.waiting();
        let left = self.searching.fresh.len() + waiting;
        let total = self.searching.total.max(left) as u64;
        let indexing = (0 < waiting).then_some(Indexing {
            done: total - left as u64,
            total,
        });
        Ok(Box::new(move || {
            let names: Vec<(String, String)> = {
                let shared = context.shared();
                let names = shared.names.iter();
                names
                    .map(|(short, name)| (name.clone(), short.clone()))
                    .collect()
            };
            let only = devices.map(|devices| shorts_of(&devices, &names));
            let question = Question {
                text: &words,
                limit,
                now: zoned(context.clock.now()),
                names: &names,
                only: only.as_deref(),
            };
            let found = index.find(&question);
            let found = found.map_err(|error| not_found(error, &words))?;
            let shared = context.shared();
            let name_of = |short: &str| shared.name_of(short);
            value(Search {
                hits: found
                    .hits
                    .into_iter()
                    .map(|hit| search_hit(hit, &name_of))
                    .collect(),
                total: found.total as u64,
                notices: found.notices,
                indexing,
            })
        }))
    }

    fn no_index(&self) -> ApiError {
        if !self.settings.search.on {
            let hint = "Set “on = true” below [search] in config.toml and restart session-roam.";
            return ApiError::new(
                ProblemCode::SearchOff,
                "Search is switched off on this device.",
                hint,
            )
            .offer(Remedy::OpenSettings);
        }
        let hint = "Try again in a moment.";
        ApiError::new(
            ProblemCode::SearchNotReady,
            "The search index is not ready yet.",
            hint,
        )
        .offer(Remedy::Retry)
        .offer(Remedy::OpenStatus)
    }
}

/// The devices of these names.
fn shorts_of(wanted: &[String], names: &[(String, String)]) -> Vec<String> {
    let is_wanted = |name: &str| {
        let name = name.to_lowercase();
        wanted.iter().any(|wanted| wanted.to_lowercase() == name)
    };
    let named = names.iter().filter(|(name, _)| is_wanted(name));
    named.map(|(_, short)| short.clone()).collect()
}

fn panicked(keys: Vec<SessionKey>) -> Indexed {
    let why = "reading them failed because of an internal error";
    let unreadable = keys.into_iter().map(|key| (key, why.to_owned()));
    Indexed {
        unreadable: unreadable.collect(),
        ..Indexed::default()
    }
}

fn not_found(error: FindError, words: &str) -> ApiError {
    match error {
        FindError::Query(error) => {
            let before = words.get(..error.at).unwrap_or_default().chars().count();
            let hint = format!("It is at character {} of the search.", before + 1);
            ApiError::new(ProblemCode::BadSearch, error.message, hint)
        }
        FindError::Index(error) => ApiError::new(
            ProblemCode::SearchIndex,
            with_causes(&error),
            "The index is rebuilt if it stays unusable.",
        )
        .offer(Remedy::Retry),
    }
}

fn zoned(now: Millis) -> jiff::Zoned {
    let at = jiff::Timestamp::from_millisecond(now.0).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::system())
}

fn search_hit(hit: session_roam_search::Hit, name_of: &dyn Fn(&str) -> String) -> SearchHit {
    let session = hit.session;
    let snippets = hit.snippets.into_iter().map(|snippet| SearchSnippet {
        message: snippet.number,
        other_version: snippet.run != SHOWN,
        role: match snippet.role {
            session_roam_search::Role::User => Role::User,
            session_roam_search::Role::Assistant => Role::Assistant,
            session_roam_search::Role::Tool => Role::Tool,
        },
        device: (!snippet.device.is_empty()).then(|| name_of(&snippet.device)),
        at: (0 < snippet.at).then(|| Millis(snippet.at * 1000).rfc3339()),
        text: marked(&snippet.text, &snippet.marks),
    });
    SearchHit {
        session: session.id,
        tool: session.tool,
        project: session.project,
        marked_title: marked(&session.title, &hit.title_marks),
        title: session.title,
        updated: Millis(session.updated * 1000).rfc3339(),
        devices: session.devices.iter().map(|short| name_of(short)).collect(),
        split: session.split,
        snippets: snippets.collect(),
    }
}

/// A text in pieces, matches apart from what is between them.
fn marked(text: &str, marks: &[Range<usize>]) -> Vec<Marked> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut push = |range: Range<usize>, hit: bool| {
        let text = text.get(range).unwrap_or_default().to_owned();
        if !text.is_empty() {
            pieces.push(Marked { text, hit });
        }
    };
    for mark in marks {
        push(at..mark.start, false);
        push(mark.clone(), true);
        at = mark.end;
    }
    push(at..text.len(), false);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{SessionId, ToolId};

    #[test]
    fn the_places_of_a_backlog_that_was_read_are_given_back() {
        let key =
            |number: u32| SessionKey::new(&ToolId::new("x"), &SessionId::new(number.to_string()));
        let mut searching = Searching {
            backlog: (0..1000).map(key).collect(),
            ..Searching::default()
        };
        let read = std::iter::from_fn(|| searching.next_of_backlog());
        let newest_first: Vec<SessionKey> = (0..1000).rev().map(key).collect();
        assert_eq!(read.collect::<Vec<_>>(), newest_first);
        assert_eq!(searching.backlog.capacity(), 0);
    }

    #[test]
    fn what_cannot_be_read_is_tried_again_ever_more_seldom_until_it_can_be() {
        let mut searching = Searching::default();
        let key = SessionKey {
            tool: ToolId::new("x"),
            hash: "a".into(),
        };
        searching.note_unreadable(key.clone(), "lost".into());
        let mut tried = Vec::new();
        for poll in 1..600 {
            searching.try_again();
            if searching.tried_again.pop_first().is_some() {
                tried.push(poll);
                searching.note_unreadable(key.clone(), "lost".into());
            }
        }
        assert_eq!(tried, [1, 3, 7, 15, 31, 63, 127, 255, 383, 511]);
        searching.forget(&key);
        searching.try_again();
        assert!(searching.tried_again.is_empty());
    }
}
