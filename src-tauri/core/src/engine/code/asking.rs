//! The question about a project's uncommitted changes: asked once, one project at a time, and only
//! where changes exist and could go along. Any answer is remembered in config.toml.

use super::event::CodeEvent;
use super::following::FOLLOWED_MS;
use crate::api::types::CodeQuestion;
use crate::engine::Engine;
use crate::engine::event::Event;
use crate::engine::resuming::directory;
use crate::reconcile::excluded::is_excluded_by_card;
use crate::reconcile::record::SessionRecord;
use crate::session::{Millis, SessionKey};
use crate::state::StateError;
use session_roam_code::{Checkout, CodeError, Git, Limits, Store, survey};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

/// Work beside the loop that ends with an event.
pub type Aside = Box<dyn FnOnce() -> Event + Send>;

impl Engine {
    /// Whether a session's checkout may be looked at for the question: its project is a repository,
    /// another device is paired, and the user has neither decided nor been asked about another one.
    pub(super) fn may_ask(&self, record: &SessionRecord) -> bool {
        let Some(card) = record.origin() else {
            return false;
        };
        let project = &card.project.key;
        self.code.question.is_none()
            && record.is_here()
            && !is_excluded_by_card(&self.context, record)
            && self.is_undecided(repository(project.as_str()))
    }

    fn is_undecided(&self, project: &str) -> bool {
        let code = &self.settings.code;
        let is_known = |keys: &[String]| keys.iter().any(|known| known == project);
        let is_repository = project.starts_with("git:") || project.starts_with("root:");
        let n_others = self.lists.now.approved.len();
        is_repository
            && code.on
            && 0 < n_others
            && !is_known(&code.projects)
            && !is_known(&code.asked)
    }

    /// The question that is open.
    pub(in crate::engine) fn code_question(&self) -> Option<CodeQuestion> {
        let (_, question) = self.code.question.as_ref()?;
        let is_open = self.is_undecided(&question.project);
        is_open.then(|| question.clone())
    }

    /// Counts the uncommitted changes of a session's checkout, beside the loop.
    pub(super) fn looking_at(&self, key: &SessionKey) -> Option<Aside> {
        let record: SessionRecord = self.state.record(key).ok()??;
        if !self.may_ask(&record) {
            return None;
        }
        let project = record.origin()?.project.key.as_str();
        let project = repository(project).to_owned();
        let (key, context, home) = (key.clone(), self.context.clone(), self.home.clone());
        Some(Box::new(move || {
            let begun = Instant::now();
            let look = || {
                let dir = directory(&context, &record)?;
                looked_at(&dir, &home, project).ok().flatten()
            };
            let question = catch_unwind(AssertUnwindSafe(look)).ok().flatten();
            let took = begun.elapsed();
            Event::Code(Box::new(CodeEvent::LookedAt {
                key,
                took,
                question,
            }))
        }))
    }

    /// The user decided about a project, or it is not asked about for another reason.
    /// Returns whether it was the one that was asked about.
    pub(super) fn code_decided(&mut self, project: &str, on: bool) -> bool {
        let is_it = |(_, question): &mut (SessionKey, CodeQuestion)| question.project == project;
        let asked = self.code.question.take_if(is_it);
        let was_asked = asked.is_some();
        if let Some((key, _)) = asked.filter(|_| on) {
            self.record_now(key);
        }
        was_asked
    }

    /// Has the checkouts recorded of a project's sessions that the user just worked in, on this device:
    /// their changes go along at once, not after the next turn. Returns whether any is recorded now.
    pub(super) fn record_recent(&mut self, project: &str) -> Result<bool, StateError> {
        let now = self.context.clock.now();
        let mut is_begun = false;
        for (key, row) in self.state.rows(None)? {
            if repository(&row.project) != project {
                continue;
            }
            let record: Option<SessionRecord> = self.state.record(&key)?;
            let is_used = |record: &SessionRecord| {
                let line = own_last_line(record, &self.context.short);
                let is_recent =
                    line.is_some_and(|line| now.0.saturating_sub(line.0) <= FOLLOWED_MS);
                is_recent || line.is_some() && self.open_sessions.contains_key(&key)
            };
            if record.is_some_and(|record| is_used(&record) && self.goes_along(&record)) {
                self.follow_code(&key);
                self.record_now(key);
                is_begun = true;
            }
        }
        Ok(is_begun)
    }

    fn record_now(&mut self, key: SessionKey) {
        self.code.budget.forget(&key);
        self.code.due.insert(key, self.context.clock.now());
        self.wait_for_code();
    }
}

/// When the session's last line was recorded, if it is of this device.
fn own_last_line(record: &SessionRecord, short: &str) -> Option<Millis> {
    let state = record.main_doc()?;
    let path = state.trie.path(state.local.as_ref()?.tip)?;
    let last = path.last().filter(|edge| edge.source.device == short)?;
    Some(last.at.wall)
}

/// `None` without changes. An error where nothing could be recorded: no git, one that is too old, a
/// bare repository, a rebase in progress.
fn looked_at(dir: &Path, home: &Path, project: String) -> Result<Option<CodeQuestion>, CodeError> {
    let checkout = Checkout::open(&Git::find()?, dir)?;
    let io = |source| CodeError::Io {
        path: home.to_owned(),
        source,
    };
    // Nothing of a project is kept before the answer.
    let passing = tempfile::tempdir_in(home).map_err(io)?;
    let store = Store::open(passing.path())?;
    let found = survey(&checkout, &store, &Limits::default())?;
    Ok((0 < found.files).then_some(CodeQuestion {
        project,
        files: found.files,
        bytes: found.bytes,
    }))
}

/// The key of a project's repository: changes go along for a repository as a whole.
pub(in crate::engine) fn repository(project: &str) -> &str {
    project.split('#').next().unwrap_or_default()
}
