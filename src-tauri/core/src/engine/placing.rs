//! Sessions that lie in another directory than their project's: noticed, and looked at again, so that they move.

use super::heart::Engine;
use super::queue::Want;
use crate::projects::places::is_repository;
use crate::session::{Project, ProjectKey};
use crate::state::StateError;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

impl Engine {
    /// Remembers for which directory a session was written.
    pub(super) fn placed(&mut self, project: &Project, dir: &Path) -> Result<(), StateError> {
        if !self.context.change().places.give(project, dir) {
            return Ok(());
        }
        let places = self.context.shared().places.clone();
        self.state.put_note("places", &places)
    }

    /// Looks at the sessions of directories that became another project's, or for which a surer one was found.
    pub(super) fn check_places(&mut self) -> Result<(), StateError> {
        let wrong: BTreeSet<(ProjectKey, PathBuf)> = {
            let shared = self.context.shared();
            shared.places.misgiven(&self.context.machine.home, &self.context.device)
        };
        for (project, _) in wrong.difference(&self.misplaced).cloned().collect::<Vec<_>>() {
            self.want_project(&project)?;
        }
        self.misplaced = wrong;
        let outdated = self.context.shared().places.outdated(&self.context.machine.home);
        let trees = self.context.shared().places.work_trees().len();
        if trees != self.n_trees {
            // What was learnt may tell what a vanished directory was.
            self.n_trees = trees;
            self.outdated.clear();
        }
        for project in outdated.difference(&self.outdated).cloned().collect::<Vec<_>>() {
            self.want_project(&project)?;
        }
        self.outdated = outdated;
        // A checkout that was moved is somewhere else since it left: it is looked for once.
        let gone: Vec<(Project, PathBuf)> =
            self.context.shared().places.vanished().map(|(project, dir)| (project.clone(), dir.clone())).collect();
        for (project, dir) in gone {
            if self.gone_dirs.insert(dir.clone()) {
                self.seek(&project, &dir)?;
            }
        }
        self.gone_dirs.retain(|dir| !dir.is_dir());
        Ok(())
    }

    /// Looks for the repository of sessions of this device whose directory is gone, if its place is not known. At once: the
    /// session may be resumed in the next moment, and until the place is known it opens above where its directory was.
    pub(super) fn seek(&mut self, project: &Project, cwd: &Path) -> Result<(), StateError> {
        if !is_repository(&project.key) || cwd.is_dir() || self.sought.contains(project) {
            return Ok(());
        }
        let known = self.context.shared().places.find(&self.context.machine.home, &self.context.device, project);
        if known.is_none() {
            self.sought.push(project.clone());
            self.find_places()?;
        }
        Ok(())
    }

    /// Looks at the sessions of a project that are in a store here.
    pub(super) fn want_project(&mut self, project: &ProjectKey) -> Result<(), StateError> {
        for (key, _) in self.state.settled_in_project(project.as_str())? {
            self.want(key, Want::default());
        }
        Ok(())
    }

    /// Looks once at each session that an older version put into a directory by weaker signs.
    pub(super) fn want_placed(&mut self) -> Result<(), StateError> {
        const NOTE: &str = "placed by remote";
        if self.state.note::<bool>(NOTE)?.is_some() {
            return Ok(());
        }
        for (key, row) in self.state.rows(None)? {
            if row.path.is_some() && row.devices != self.context.short {
                self.want(key, Want::default());
            }
        }
        self.state.put_note(NOTE, &true)
    }
}
