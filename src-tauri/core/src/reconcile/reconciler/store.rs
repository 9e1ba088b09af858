//! What the tool's store holds of the session, and which part of it is new.

use super::*;
use crate::reconcile::session::{Session, SessionMut};
use crate::session::ProblemCode;

impl Reconciler<'_> {
    pub(super) fn read_store(&mut self, tool: &dyn Tool, session: &SessionId) {
        let listing = tool.sessions(&self.context.machine, Which::One(session));
        let (advice, problems) = listing
            .problems
            .into_iter()
            .partition(|problem| problem.code == ProblemCode::DuplicateSession);
        self.problems.extend::<Vec<Problem>>(problems);
        self.unknown = listing.unknown;
        self.found = listing
            .found
            .into_iter()
            .find(|found| found.session == *session);
        let Some(found) = self.find_in_store() else {
            return;
        };
        // A plan only shows the steps: it writes no journal either.
        if self.job.dry {
            return;
        }
        if !self.changed(&found) && !self.job.deep && !self.is_outdated() {
            self.learned = self.own_directory();
        } else if !self.read_found(tool, &found) {
            return;
        }
        self.record_twins(tool, &listing.twins, advice);
    }

    /// Notes which parts of the session the store has; `None` if there is nothing to read.
    fn find_in_store(&mut self) -> Option<Found> {
        self.store_print = self.found.as_ref().map(fingerprint);
        if let Some(found) = &mut self.found {
            match claim(
                Session::new(self.context, &self.job.key, &self.job.record),
                found,
            ) {
                Ok(holds) => self.holds = holds,
                Err(error) => {
                    self.problem(ProblemCode::JournalUnreadable, &error, JOURNAL_HINT);
                    return None;
                }
            }
        } else {
            self.away = away::away(self.context, &self.job.key.tool, &self.job.record);
        }
        if self.away.is_some() {
            return None;
        }
        // A session that cannot be read is not gone.
        if self.found.is_some() || self.unknown.is_none() {
            self.note_missing();
        }
        self.found.clone()
    }

    /// Reads the session and records what is new. Returns whether its twins are to be recorded, too.
    fn read_found(&mut self, tool: &dyn Tool, found: &Found) -> bool {
        let reading = match tool.read(&self.context.machine, found) {
            Ok(reading) => self.as_recorded(found, reading),
            Err(error) => {
                let hint =
                    "Check the permissions of the tool's store; session-roam will try again.";
                self.problem(ProblemCode::SessionUnreadable, &error, hint);
                return false;
            }
        };
        let reading = match reading {
            Ok(reading) => reading,
            Err(error) => {
                self.problem(ProblemCode::JournalUnreadable, &error, JOURNAL_HINT);
                return false;
            }
        };
        self.problems.extend(reading.problems.clone());
        let project = project_of(
            Session::new(self.context, &self.job.key, &self.job.record),
            &reading.facts,
        );
        let now = Now {
            project: &project,
            cwd: reading.facts.cwd.as_deref(),
        };
        if is_excluded(self.context, &self.job.record, Some(now)) {
            self.problems.clear();
            self.is_unfinished = self.job.record.journals.is_empty();
            // What the directory is now is remembered: it stays excluded if its remote is changed.
            let record = &self.job.record;
            let is_own = record.origin().is_none() || self.context.began(record);
            let cwd = reading.facts.cwd.filter(|_| is_own);
            self.learned = cwd.map(|cwd| (project, PathBuf::from(cwd)));
            return false;
        }
        self.record_found(found, &reading, project)
    }

    /// Records what is new in the reading. Returns whether the session's twins are to be recorded,
    /// too.
    fn record_found(&mut self, found: &Found, reading: &Reading, project: Project) -> bool {
        let before = self
            .job
            .record
            .origin()
            .map(|card| card.project.key.clone());
        let recorded = record_session(
            SessionMut::new(self.context, &self.job.key, &mut self.job.record),
            found,
            (reading, project),
            self.job.lane,
            self.job.deep,
        );
        match recorded {
            Ok(recorded) => {
                self.recorded(HistoryKind::Recorded, recorded);
                self.is_unfinished = self.job.record.journals.is_empty();
                if let (Some(before), Some(card)) = (before, self.job.record.origin())
                    && before != card.project.key
                {
                    let (device, main) = (self.context.short.clone(), card.main.clone());
                    self.happened(HistoryKind::Recognised, &device, &main, 0, 0);
                }
                // The directory in a session of another device means nothing on this one.
                let began_here = self.context.began(&self.job.record);
                if let (true, Some(card), Some(cwd)) =
                    (began_here, self.job.record.origin(), &reading.facts.cwd)
                    && card.fork.is_none()
                {
                    self.learned = Some((card.project.clone(), PathBuf::from(cwd)));
                }
            }
            Err(RecordError::Moving(_)) => self.again = true,
            Err(RecordError::Journal(error)) if self.leave_out_large(&error) => return false,
            Err(error) => {
                let hint = "Free up disk space or fix the permissions; the session stays in the \
                            tool's store, and session-roam will try again.";
                self.problem(ProblemCode::NotRecorded, &error, hint);
            }
        }
        true
    }

    /// The directory in which this session began is gone, or is a different project now.
    pub(super) fn is_outdated(&self) -> bool {
        let Some(card) = self
            .job
            .record
            .origin()
            .filter(|_| self.context.began(&self.job.record))
        else {
            return false;
        };
        let Some(cwd) = card.cwd.as_ref().map(Path::new) else {
            return false;
        };
        let (home, device) = (&self.context.machine.home, &self.context.device);
        let now = || self.context.identifier.identify(home, device, cwd);
        match cwd.is_dir() {
            true => {
                let known = |repository: &str| self.context.places().was(repository, cwd);
                corrected(&card.project, now(), home, known) != card.project
            }
            false => {
                !card.project.key.as_str().starts_with("git:")
                    || card.project.key.as_str().contains("#.")
            }
        }
    }

    /// A directory without a repository in which this session began, if that is not known yet.
    pub(super) fn own_directory(&self) -> Option<(Project, PathBuf)> {
        let card = self
            .job
            .record
            .origin()
            .filter(|_| self.context.began(&self.job.record))?;
        let is_news = !is_repository(&card.project.key)
            && !self.context.shared().places.began_in(&card.project.key);
        is_news
            .then(|| Some((card.project.clone(), PathBuf::from(card.cwd.as_ref()?))))
            .flatten()
    }

    /// Undoes, in the reading, this device's changes that let the tool find the session's
    /// beginning.
    pub(super) fn as_recorded(
        &mut self,
        found: &Found,
        mut reading: Reading,
    ) -> Result<Reading, JournalError> {
        let rebound = self.rebound(found, &mut reading);
        let mut private = std::mem::take(&mut reading.private);
        for (at, (doc, content)) in found.docs.iter().zip(&mut reading.docs).enumerate() {
            find_neutral(
                SessionMut::new(self.context, &self.job.key, &mut self.job.record),
                &doc.name,
                content,
            )?;
            let patch = rebound.as_ref().filter(|_| at == 0).map(ParentLink::patch);
            if let Some(state) = self.job.record.docs.get(&doc.name) {
                *content = restored(content.clone(), state, patch);
            }
            if let Some(patches) = private.remove(&doc.name) {
                let session = Session::new(self.context, &self.job.key, &self.job.record);
                *content = without_private(session, doc, content.clone(), patches)?;
            }
        }
        self.job.record.rebound = rebound;
        Ok(reading)
    }

    pub(super) fn rebound(&self, found: &Found, reading: &mut Reading) -> Option<ParentLink> {
        let base = self
            .job
            .record
            .origin()
            .and_then(|card| card.base.clone())?;
        let main = found.docs.first()?;
        let file = opener::file(&main.path);
        let rebound = file.ok().and_then(|mut file| rebound_in(&base, &mut file));
        if let Some(rebound) = &rebound {
            reading
                .facts
                .requires
                .iter_mut()
                .filter(|id| **id == rebound.now)
                .for_each(|id| *id = base.session.clone());
            reading.facts.base = Some(base);
        }
        rebound
    }

    /// Determines which session holds the beginning of this one here.
    pub(super) fn find_holder(&mut self) -> Result<(), JournalError> {
        if let (Some((key, parent)), Some(child)) =
            (&self.job.base, Dependent::of(&self.job.record))
        {
            self.holder = holder(self.context, key, parent, &child)?;
        }
        Ok(())
    }

    /// The file refers to another session than the one that holds its beginning.
    pub(super) fn is_stale(&self) -> bool {
        let Some(base) = self.job.record.origin().and_then(|card| card.base.as_ref()) else {
            return false;
        };
        let now = self
            .job
            .record
            .rebound
            .as_ref()
            .map_or(&base.session, |rebound| &rebound.now);
        self.holder.as_ref().is_some_and(|holder| holder != now)
    }

    /// A doc that is not found is not deleted: it is only absent. A session that has just gone from a
    /// place it had to leave was not deleted either: this device had begun to move it, and ended
    /// before it was written to the other place or before that was saved.
    pub(super) fn note_missing(&mut self) {
        let was_here = self.job.record.is_here();
        let found: Vec<&DocName> = self
            .found
            .iter()
            .flat_map(|found| &found.docs)
            .map(|doc| &doc.name)
            .collect();
        for (name, state) in &mut self.job.record.docs {
            if let Some(local) = &mut state.local {
                local.there = found.contains(&name);
            }
        }
        let has_gone = was_here && !self.job.record.is_here();
        if has_gone && self.context.is_misplaced(&self.job.record) {
            self.job.record.forget_store();
            self.leave_place();
        }
    }

    pub(super) fn changed(&self, found: &Found) -> bool {
        found.docs.iter().any(|doc| {
            let local = self
                .job
                .record
                .docs
                .get(&doc.name)
                .and_then(|state| state.local.as_ref());
            local.is_none_or(|local| {
                !local.there || local.stamp != doc.stamp || local.path != doc.path
            })
        })
    }
}
