//! What this device recorded of checkouts, as the user sees and removes it. The sessions are read
//! beside the loop: there may be very many.

use super::asking::repository;
use super::event::CodeEvent;
use super::recording::Place;
use super::{Ended, own_dir, recording};
use crate::api::answer::{Reply, Work, value};
use crate::api::types::{ApiError, CodeLeftOut, CodeRow, CodeSession, CodeStatus};
use crate::engine::Engine;
use crate::engine::event::Event;
use crate::reconcile::context::Context;
use crate::reconcile::record::SessionRecord;
use crate::session::SessionKey;
use crate::state::{Row, State, StateError};
use crate::vault::Owner;
use crate::vault::snapshot_file::{self, objects_dir};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Of which sessions something is meant.
#[derive(Clone)]
pub(super) enum Meant {
    All,
    /// The key of a repository.
    Project(String),
    One(SessionKey),
}

impl Meant {
    fn has(&self, key: &SessionKey, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Project(project) => repository(&row.project) == project,
            Self::One(one) => one == key,
        }
    }

    fn sessions(&self, state: &State) -> Result<Vec<(SessionKey, Row)>, StateError> {
        if let Self::One(key) = self {
            let row = state.row(key)?;
            return Ok(row.map(|row| (key.clone(), row)).into_iter().collect());
        }
        let mut rows = state.rows(None)?;
        rows.retain(|(key, row)| self.has(key, row));
        Ok(rows)
    }
}

/// How the last recording of each session ended: what was left out, and why nothing was recorded.
type Outcomes = BTreeMap<SessionKey, (Vec<CodeLeftOut>, Option<String>)>;

impl Engine {
    /// Reads beside the loop what is recorded of each project that is switched on.
    pub(in crate::engine) fn code_status(&self) -> Work {
        let (context, on) = (self.context.clone(), self.settings.code.on);
        let path = self.state.path().to_owned();
        let projects = self.settings.code.projects.clone();
        let outcome = |(key, ended): (&SessionKey, &Ended)| {
            let how = (ended.left_out.clone(), ended.refused.clone());
            (key.clone(), how)
        };
        let mut outcomes: Outcomes = self.code.ended.iter().map(outcome).collect();
        Box::new(move || {
            let state = State::beside(&path)?;
            let owner = context.shared().owners.get(&context.short).cloned();
            let mut rows: BTreeMap<String, CodeRow> = BTreeMap::new();
            for project in projects {
                let row = CodeRow {
                    project: project.clone(),
                    sessions: Vec::new(),
                    bytes: 0,
                };
                rows.insert(project, row);
            }
            for (key, row) in Meant::All.sessions(&state)? {
                let Some(of_project) = rows.get_mut(repository(&row.project)) else {
                    continue;
                };
                let record: SessionRecord = state.record(&key)?.unwrap_or_default();
                let Some(dir) = own_dir(&context.short, &record) else {
                    continue;
                };
                let outcome = outcomes.remove(&key).unwrap_or_default();
                let (bytes, session) = recorded(&context, owner.as_ref(), (row, &dir), outcome);
                of_project.bytes += bytes;
                of_project.sessions.extend(session);
            }
            let mut projects: Vec<CodeRow> = rows.into_values().collect();
            for row in &mut projects {
                row.sessions.sort_by(|one, other| other.at.cmp(&one.at));
            }
            value(CodeStatus { on, projects })
        })
    }

    /// Removes what this device recorded of a project's sessions, or of all, everywhere: its own files
    /// from its folder, which the other devices follow, and its objects unless an undo needs them.
    pub(in crate::engine) fn forget_recorded(&mut self, said: Option<&str>, reply: Reply) {
        match self.meant_by(said) {
            Ok(meant) => self.remove_recorded(meant, reply),
            Err(error) => reply(Err(error)),
        }
    }

    fn meant_by(&self, said: Option<&str>) -> Result<Meant, ApiError> {
        Ok(match said {
            None => Meant::All,
            Some(said) if self.settings.code.asked.iter().any(|known| known == said) => {
                Meant::Project(said.to_owned())
            }
            Some(said) => {
                let key = self.meant_project(said, None)?;
                Meant::Project(repository(key.as_str()).to_owned())
            }
        })
    }

    pub(super) fn remove_recorded(&mut self, meant: Meant, reply: Reply) {
        // Few sessions wait for a recording or had one since the start.
        let known = self.code.due.keys().chain(self.code.ended.keys());
        let known = known.chain(self.code.followed.keys());
        let known: BTreeSet<SessionKey> = known.chain(&self.code.recording).cloned().collect();
        let is_meant = |key: &SessionKey| match self.state.row(key) {
            Ok(Some(row)) => meant.has(key, &row),
            Ok(None) | Err(_) => matches!(meant, Meant::All),
        };
        let keys: Vec<SessionKey> = known.into_iter().filter(is_meant).collect();
        for key in &keys {
            self.code.due.remove(key);
            self.code.followed.remove(key);
            // What is being recorded now may be written after this.
            if self.code.recording.as_ref() == Some(key) {
                self.code.unwanted.insert(key.clone());
            }
        }
        let removal = Removal {
            context: self.context.clone(),
            home: self.home.clone(),
            state: self.state.path().to_owned(),
            needed: self.needed_stores(),
            meant,
        };
        self.jobs.spawn_for_event(Box::new(move || {
            let (paths, answer) = match removal.places() {
                Ok(places) => recording::remove_recorded(&removal.context, &removal.home, places),
                Err(error) => (Vec::new(), Err(error.into())),
            };
            Event::Code(Box::new(CodeEvent::Removed {
                paths,
                keys,
                answer,
                reply,
            }))
        }));
    }
}

/// What is recorded of one session: its bytes, and its line, if there is anything to say.
fn recorded(
    context: &Context,
    owner: Option<&Owner>,
    (row, dir): (Row, &str),
    (left_out, refused): (Vec<CodeLeftOut>, Option<String>),
) -> (u64, Option<CodeSession>) {
    let files = snapshot_file::list(&context.vault, dir).unwrap_or_default();
    let bytes = files.iter().map(|(_, len)| len).sum();
    let described = files
        .last()
        .zip(owner)
        .and_then(|(last, owner)| snapshot_file::describe(&context.vault, owner, dir, last.0).ok());
    let is_known = described.is_some() || refused.is_some();
    let at = described.map(|described| described.at.wall.rfc3339());
    let session = CodeSession {
        session: row.session,
        title: row.title,
        at: at.unwrap_or_default(),
        refused,
        left_out,
    };
    (bytes, is_known.then_some(session))
}

/// What has to be removed.
struct Removal {
    context: Arc<Context>,
    home: PathBuf,
    state: PathBuf,
    /// Sessions whose objects an undo needs.
    needed: BTreeSet<SessionKey>,
    meant: Meant,
}

impl Removal {
    /// Of each session the directory of this device's files, and its objects.
    fn places(&self) -> Result<Vec<Place>, StateError> {
        let state = State::beside(&self.state)?;
        let mut places = Vec::new();
        for (key, _) in self.meant.sessions(&state)? {
            let record: Option<SessionRecord> = state.record(&key)?;
            let dir = record.and_then(|record| own_dir(&self.context.short, &record));
            let store = (!self.needed.contains(&key)).then(|| objects_dir(&self.home, &key));
            places.push((dir, store));
        }
        Ok(places)
    }
}
