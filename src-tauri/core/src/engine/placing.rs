//! Where projects are on this device: learnt from sessions, checked on the disk, searched for.
//! Sessions that lie in another directory than their project's are reconciled, so that they move.
//! The disk is checked beside the loop: a mount that does not answer blocks nothing else.

use super::Engine;
use super::event::Event;
use super::places_seen::{Checked, Rest, Searched};
use super::queue::ReconcileRequest;
use crate::projects::places::{Lesson, News, is_repository};
use crate::projects::{Places, outline};
use crate::session::{DeviceId, Millis, Project, ProjectKey, Reason};
use crate::state::StateError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The least time between two searches.
const AGAIN_MS: i64 = 5_000;
/// A project that was not found is searched for again after this time, then after twice as long, up
/// to [`MOST_MS`].
const FIRST_MS: i64 = 30_000;
const MOST_MS: i64 = 60 * 60_000;

/// What is known of the projects' directories, and what is under way.
#[derive(Default)]
pub struct Placing {
    searching: bool,
    searched_at: Option<Millis>,
    /// The outline that the last search saw first.
    outline: Option<u64>,
    pauses: Pauses,
    /// The disk is being checked.
    checking: bool,
    /// The disk is to be checked again, for everything or only for what sessions wait for.
    check_again: Option<bool>,
    /// Directories from which sessions must move, as of the last check.
    misplaced: BTreeSet<(ProjectKey, PathBuf)>,
    /// Outdated projects of sessions that began here, as of the last check.
    outdated: BTreeSet<ProjectKey>,
    /// The number of work trees known then.
    n_trees: usize,
    /// Directories that sessions were written for and that are gone: their projects were searched
    /// for.
    gone_dirs: BTreeSet<PathBuf>,
    /// Projects of sessions that began here in a directory that is gone: part of the next search.
    sought: Vec<Project>,
    /// Projects whose sessions wait for a checkout, as far as they were asked for since the start.
    homeless: BTreeMap<ProjectKey, Project>,
    /// There are more of them, or sought ones: they are asked for when no session waits for a
    /// reconcile, at the latest at the next poll. Each of very many sessions that arrive may have a
    /// project of its own.
    has_more: bool,
    /// Where a session was seen last changed since the places were saved.
    is_unsaved: bool,
}

impl Placing {
    /// A check or a search may have ended without a result: the next poll begins both again.
    pub(super) fn give_up(&mut self) {
        (self.checking, self.searching) = (false, false);
    }
}

/// Until when projects without a directory are not searched for.
#[derive(Default)]
struct Pauses(BTreeMap<ProjectKey, (Millis, i64)>);

impl Pauses {
    fn is_due(&self, project: &ProjectKey, now: Millis) -> bool {
        // A clock that was set back ends a pause.
        self.0
            .get(project)
            .is_none_or(|(until, pause)| until.0 <= now.0 || now.0 + pause < until.0)
    }

    fn looked_for(&mut self, project: &ProjectKey, is_found: bool, now: Millis) {
        if is_found {
            self.0.remove(project);
            return;
        }
        let (until, pause) = self.0.entry(project.clone()).or_insert((now, FIRST_MS / 2));
        *pause = (*pause * 2).min(MOST_MS);
        *until = Millis(now.0 + *pause);
    }
}

fn check(
    places: &Places,
    (home, device): (&Path, &DeviceId),
    homeless: &[Project],
    all: bool,
) -> Checked {
    let is_found = |project: &&Project| places.find_for_other(home, device, project).is_ok();
    let gone = |(project, dir): (&Project, &PathBuf)| {
        (
            project.clone(),
            dir.clone(),
            places.find(home, device, project).is_some(),
        )
    };
    let rest = || Rest {
        misplaced: places.misgiven(home, device),
        outdated: places.outdated(home),
        n_trees: places.work_trees().len(),
        gone: places.vanished().map(gone).collect(),
    };
    Checked {
        found: homeless
            .iter()
            .filter(is_found)
            .map(|project| project.key.clone())
            .collect(),
        rest: all.then(rest),
    }
}

impl Engine {
    /// Remembers for which directory a session was written.
    pub(super) fn placed(&mut self, project: &Project, dir: &Path) -> Result<(), StateError> {
        if !self.context.places().is_gift(project, dir) {
            return Ok(());
        }
        self.change_places(|places| places.give(project, dir));
        self.save_places()
    }

    fn change_places<T>(&self, change: impl FnOnce(&mut Places) -> T) -> T {
        change(Arc::make_mut(&mut self.context.change().places))
    }

    fn save_places(&mut self) -> Result<(), StateError> {
        self.state.put_note("places", &*self.context.places())?;
        self.placing.is_unsaved = false;
        Ok(())
    }

    pub(super) fn learn(&mut self, lesson: &Lesson) -> Result<(), StateError> {
        if lesson.is_lost {
            self.seek(&lesson.project);
        }
        self.exclude_renamed(lesson);
        let news = self.context.places().news(lesson);
        if news == News::Nothing {
            return Ok(());
        }
        self.change_places(|places| places.learn(lesson));
        if news == News::Order {
            self.placing.is_unsaved = true;
            return Ok(());
        }
        let _ = self.save_places();
        self.retry_placed(lesson)
    }

    /// Saves at a poll where sessions were seen last: between two work trees that may change with
    /// every message.
    pub(super) fn save_order_of_places(&mut self) -> Result<(), StateError> {
        match self.placing.is_unsaved {
            true => self.save_places(),
            false => Ok(()),
        }
    }

    /// Reconciles the sessions that wait for a place and may have one after a lesson.
    fn retry_placed(&mut self, lesson: &Lesson) -> Result<(), StateError> {
        for reason in [Reason::NoPlace, Reason::PlaceRefused] {
            let waiting = match is_repository(&lesson.project.key) {
                true => self.projects_with(reason)?,
                false => vec![lesson.project.clone()],
            };
            let home = self.context.machine.home.clone();
            let waiting = waiting.iter();
            for project in waiting.filter(|project| lesson.may_place(&home, project)) {
                self.retry_project(&project.key, reason)?;
            }
        }
        Ok(())
    }

    fn retry_project(&mut self, project: &ProjectKey, reason: Reason) -> Result<(), StateError> {
        let waiting = self
            .state
            .of_project_with_reason(project.as_str(), reason)?;
        for (key, _) in waiting {
            self.schedule(key, ReconcileRequest::default());
        }
        Ok(())
    }

    /// A session waits for a place of this project.
    pub(super) fn note_homeless(&mut self, project: &Project) {
        if !self.placing.homeless.contains_key(&project.key) {
            let (key, project) = (project.key.clone(), project.clone());
            self.placing.homeless.insert(key, project);
            self.placing.has_more = true;
        }
    }

    /// Asks for the places of projects that were not asked for yet.
    pub(super) fn find_more_places(&mut self) -> Result<(), StateError> {
        match self.placing.has_more && self.queue.is_empty() {
            true => self.find_places(),
            false => Ok(()),
        }
    }

    /// Sets a project's directory for the user. All projects without one are searched for again.
    pub(super) fn place(&mut self, key: &ProjectKey, dir: PathBuf) -> Result<(), StateError> {
        self.change_places(|places| places.map(key, dir));
        self.placing.pauses = Pauses::default();
        self.save_places()
    }

    /// Checks all places on the disk: reconciles the sessions of directories that became another
    /// project's or have a surer alternative, and those that wait for a place.
    pub(super) fn check_places(&mut self) -> Result<(), StateError> {
        let homeless = self.homeless()?;
        self.check(homeless, true);
        Ok(())
    }

    fn check(&mut self, homeless: Vec<Project>, all: bool) {
        if self.placing.checking {
            self.placing.check_again = Some(all || self.placing.check_again == Some(true));
            return;
        }
        self.placing.checking = true;
        let (home, device) = (
            self.context.machine.home.clone(),
            self.context.device.clone(),
        );
        let places = self.context.places();
        self.jobs.spawn_for_event(Box::new(move || {
            Event::PlacesChecked(Box::new(check(&places, (&home, &device), &homeless, all)))
        }));
    }

    pub(super) fn checked(&mut self, checked: Checked) -> Result<(), StateError> {
        self.placing.checking = false;
        self.place_found(&checked.found)?;
        if let Some(rest) = checked.rest {
            self.move_from(rest)?;
        }
        match self.placing.check_again.take() {
            Some(true) => self.check_places(),
            Some(false) => self.find_places(),
            None => Ok(()),
        }
    }

    fn move_from(&mut self, rest: Rest) -> Result<(), StateError> {
        let Rest {
            misplaced,
            outdated,
            n_trees,
            gone,
        } = rest;
        for (project, _) in misplaced
            .difference(&self.placing.misplaced)
            .cloned()
            .collect::<Vec<_>>()
        {
            self.schedule_project(&project)?;
        }
        self.forget_left(&misplaced, &gone)?;
        self.placing.misplaced = misplaced;
        if n_trees != self.placing.n_trees {
            // Newly known work trees may identify a directory that vanished.
            self.placing.n_trees = n_trees;
            self.placing.outdated.clear();
        }
        for project in outdated
            .difference(&self.placing.outdated)
            .cloned()
            .collect::<Vec<_>>()
        {
            self.schedule_project(&project)?;
        }
        self.placing.outdated = outdated;
        // A directory that is gone may be a checkout that moved: it is searched for once.
        let dirs = gone.iter().map(|(_, dir, _)| dir.clone()).collect();
        let before = std::mem::replace(&mut self.placing.gone_dirs, dirs);
        for (project, _, _) in gone
            .iter()
            .filter(|(_, dir, is_known)| !is_known && !before.contains(dir))
        {
            self.seek(project);
        }
        Ok(())
    }

    /// A directory that is gone, and whose sessions were reconciled because their project is
    /// elsewhere, is not checked again: a session that could not leave yet reports that at its next
    /// reconcile.
    fn forget_left(
        &mut self,
        misplaced: &BTreeSet<(ProjectKey, PathBuf)>,
        gone: &[(Project, PathBuf, bool)],
    ) -> Result<(), StateError> {
        let all = gone
            .iter()
            .map(|(project, dir, _)| (project.key.clone(), dir.clone()));
        let is_left = |one: &(ProjectKey, PathBuf)| {
            misplaced.contains(one) && self.placing.misplaced.contains(one)
        };
        let left: Vec<_> = all.filter(is_left).collect();
        if left.is_empty() {
            return Ok(());
        }
        self.change_places(|places| {
            left.iter()
                .for_each(|(project, dir)| places.forget_given(project, dir))
        });
        self.save_places()
    }

    /// Searches for a repository whose sessions' directory is gone. At once: the session may be
    /// resumed any moment, and until the place is known it opens above its former directory.
    fn seek(&mut self, project: &Project) {
        if is_repository(&project.key) && !self.placing.sought.contains(project) {
            self.placing.sought.push(project.clone());
            self.placing.has_more = true;
        }
    }

    /// Searches for checkouts of projects whose sessions wait for one: in known places, then in all
    /// likely ones.
    pub(super) fn find_places(&mut self) -> Result<(), StateError> {
        let homeless = self.homeless()?;
        if !homeless.is_empty() {
            self.check(homeless.clone(), false);
        }
        self.search(homeless);
        Ok(())
    }

    /// Combines [`Self::find_places`] and [`Self::check_places`], with one query to the state and
    /// one to the disk.
    pub(super) fn find_and_check_places(&mut self) -> Result<(), StateError> {
        let homeless = self.homeless()?;
        self.check(homeless.clone(), true);
        self.search(homeless);
        Ok(())
    }

    /// Searches for checkouts of these projects and of the sought ones, unless a search is under
    /// way or was just begun.
    fn search(&mut self, mut wanted: Vec<Project>) {
        wanted.extend(self.placing.sought.iter().cloned());
        wanted.retain(|project| is_repository(&project.key));
        let now = self.context.clock.now();
        let is_soon = self
            .placing
            .searched_at
            .is_some_and(|at| at.0 <= now.0 && now.0 < at.0 + AGAIN_MS);
        if wanted.is_empty() || self.placing.searching || is_soon {
            return;
        }
        self.placing.searching = true;
        self.placing.searched_at = Some(now);
        let sought = std::mem::take(&mut self.placing.sought);
        let pauses = &mut self.placing.pauses;
        pauses
            .0
            .retain(|key, _| wanted.iter().any(|project| project.key == *key));
        let is_due =
            |project: &Project| sought.contains(project) || pauses.is_due(&project.key, now);
        let due: Vec<Project> = wanted
            .iter()
            .filter(|project| is_due(project))
            .cloned()
            .collect();
        let (home, device) = (
            self.context.machine.home.clone(),
            self.context.device.clone(),
        );
        let (roots, before, last) = (
            self.settings.projects.search.clone(),
            self.context.places(),
            self.placing.outline,
        );
        self.jobs.spawn_for_event(Box::new(move || {
            let outline = outline(&home, &roots, &wanted);
            let asked = if last == Some(outline) { due } else { wanted };
            let mut found = (*before).clone();
            if !asked.is_empty() {
                found.search(&home, &device, &roots, &asked);
            }
            let is_found =
                |project: &Project| found.find_for_other(&home, &device, project).is_ok();
            let asked = asked
                .iter()
                .map(|project| (project.key.clone(), is_found(project)))
                .collect();
            Event::Searched(Box::new(Searched {
                before,
                found,
                outline,
                asked,
            }))
        }));
    }

    /// Applies what a search found; what was learnt meanwhile stays.
    pub(super) fn searched(&mut self, searched: Searched) -> Result<(), StateError> {
        let Searched {
            before,
            found,
            outline,
            asked,
        } = searched;
        self.placing.searching = false;
        self.placing.outline = Some(outline);
        let now = self.context.clock.now();
        asked
            .iter()
            .for_each(|(key, is_found)| self.placing.pauses.looked_for(key, *is_found, now));
        if *before == found {
            return Ok(());
        }
        self.change_places(|places| places.adopt(&before, &found));
        self.save_places()?;
        self.check_places()
    }

    /// Projects whose sessions wait for a checkout.
    fn homeless(&mut self) -> Result<Vec<Project>, StateError> {
        let wanted = self.projects_with(Reason::NoPlace)?;
        let known = wanted.iter();
        let known = known.map(|project| (project.key.clone(), project.clone()));
        self.placing.homeless = known.collect();
        self.placing.has_more = false;
        Ok(wanted)
    }

    /// Projects that have sessions with this reason.
    fn projects_with(&self, reason: Reason) -> Result<Vec<Project>, StateError> {
        let mut wanted: Vec<Project> = Vec::new();
        for (key, _) in self.state.one_of_each_project(reason)? {
            let record: Option<crate::reconcile::SessionRecord> = self.state.record(&key)?;
            wanted.extend(
                record
                    .as_ref()
                    .and_then(|record| record.origin())
                    .map(|card| card.project.clone()),
            );
        }
        Ok(wanted)
    }

    fn place_found(&mut self, found: &BTreeSet<ProjectKey>) -> Result<(), StateError> {
        let mut found = found.iter();
        found.try_for_each(|project| self.retry_project(project, Reason::NoPlace))
    }

    /// Reconciles the sessions of a project that are in a store here.
    pub(super) fn schedule_project(&mut self, project: &ProjectKey) -> Result<(), StateError> {
        for (key, _) in self.state.settled_in_project(project.as_str())? {
            self.schedule(key, ReconcileRequest::default());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nowhere_is_looked_for_ever_more_seldom() {
        let (mut pauses, project) = (Pauses::default(), ProjectKey::new("git:h.example/acme/api"));
        let minutes = |n: i64| Millis(n * 60_000);
        assert!(pauses.is_due(&project, minutes(0)));
        let (mut times, day) = (0, 24 * 60 * 2);
        for now in (0..day).map(|half| Millis(half * 30_000)) {
            if pauses.is_due(&project, now) {
                times += 1;
                pauses.looked_for(&project, false, now);
            }
        }
        assert!((24..35).contains(&times), "{times} times in a day");
        assert!(!pauses.is_due(&project, Millis(day * 30_000)));
        assert!(
            pauses.is_due(&project, minutes(0)),
            "the clock was set back"
        );
        pauses.looked_for(&project, true, minutes(0));
        assert!(pauses.is_due(&project, minutes(1)));
    }
}
