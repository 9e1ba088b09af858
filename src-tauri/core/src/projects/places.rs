//! Where projects are on this device: learnt from sessions, set by the user, found below folders.
//!
//! A place is a hint. Before a place is returned, the disk is checked for the project, so a stale
//! or foreign `Places` file does no harm.

use super::checkout::{self, Checkout};
use super::paths::{self, Style};
use super::remote;
use super::{Identifier, Project, has_part, is_same_name, split_sub, with_sub};
use crate::session::{DeviceId, ProjectKey, composed};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// All known places; stored as JSON in the engine's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Places {
    /// Directories that the user set for projects.
    mapped: BTreeMap<ProjectKey, PathBuf>,
    /// Work trees by the key of their repository, without the directory inside.
    pub(super) learnt: BTreeMap<String, Vec<Place>>,
    /// Keys of directories without a repository in which a session of this device began.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    own: BTreeSet<ProjectKey>,
    /// Projects of sessions from other devices, and the directories those sessions were written to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    given: BTreeMap<ProjectKey, Given>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Given {
    project: Project,
    dirs: BTreeSet<PathBuf>,
}

impl Given {
    /// Whether the project is recognised by other signs now.
    fn is_outdated(&self, project: &Project) -> bool {
        let signs = |project: &Project| (project.root_commit.clone(), project.remotes.clone());
        // Sessions that began under the present name have no former one.
        let is_renamed = !project.formerly.is_empty() && self.project.formerly != project.formerly;
        is_renamed || signs(&self.project) != signs(project)
    }
}

/// The place in which a session ran, as seen at its scan.
#[derive(Clone, Debug)]
pub struct Lesson {
    pub project: Project,
    checkout: Option<Checkout>,
    /// The directory is gone, and no other one is known for the project.
    pub is_lost: bool,
}

/// What is new in a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Nothing,
    /// Another known place than before is the one where a session was seen last.
    Order,
    /// A place, or a sign by which one is recognised.
    Place,
}

impl Lesson {
    /// Whether a project that has no directory here may have one after this lesson. Reads no disk.
    pub fn may_place(&self, home: &Path, project: &Project) -> bool {
        let taught = split_sub(&self.project.key).0;
        let inside = project.key.as_str().strip_prefix("home:");
        let inside = inside.zip(self.checkout.as_ref());
        self.project.key == project.key
            || is_related(project, taught, self.project.root_commit.as_deref())
            || inside
                .is_some_and(|(rest, checkout)| home.join(rest).starts_with(&checkout.work_tree))
    }

    /// The keys by which the session's checkout was known, if it is the project's now.
    pub fn formerly(&self, places: &Places) -> Vec<ProjectKey> {
        let (repository, sub) = split_sub(&self.project.key);
        let Some(checkout) = &self.checkout else {
            return Vec::new();
        };
        let first = checkout.remotes.first().map(String::as_str);
        match first.is_some() && repository.strip_prefix("git:") == first {
            true => places.known_as(checkout, sub),
            false => Vec::new(),
        }
    }
}

/// Why a project of another device has no directory here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    Missing,
    /// The key names a directory of this device, over which another device has no say.
    Refused,
}

/// How a directory is recognised as a project's; greater is surer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// The same path below home, and no remote.
    Path,
    /// The same oldest commit, and no remote.
    Root,
    /// Its first remote is a former one of the author's checkout.
    Former,
    /// Its first remote is one of the author's other remotes: a fork, or what that was forked from.
    Related,
    /// Another remote than its first is the project's.
    SecondRemote,
    /// Its first remote is the project's.
    Remote,
    /// The user set the directory.
    Mapped,
}

struct Found {
    mark: Mark,
    dir: PathBuf,
    /// Number of directories below the work tree.
    depth: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) work_tree: PathBuf,
    #[serde(default)]
    linked: bool,
    /// Greatest where a session of the repository was seen last; 0 for a place that was only found
    /// by searching. A counter needs no clock, and a second session in the same place changes
    /// nothing that must be saved.
    #[serde(default)]
    seen: u64,
    #[serde(default)]
    pub(super) root_commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    born: Option<u64>,
    /// The remotes when a session was last seen in it; empty if nobody asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remotes: Vec<String>,
}

/// Places of one repository beyond this number are forgotten, those not seen for longest first.
const MAX_PLACES: usize = 32;
/// Maximum number of remembered directories without a repository.
const MAX_OWN: usize = 4096;

impl Places {
    /// What a session of this device that ran in `cwd`, in `project`, teaches about places. Reads
    /// disk.
    pub fn lesson(
        &self,
        identifier: &Identifier,
        (home, device): (&Path, &DeviceId),
        project: Project,
        cwd: &Path,
    ) -> Lesson {
        let checkout = is_repository(&project.key)
            .then(|| identifier.around(cwd))
            .flatten()
            .map(|(found, _)| found);
        let is_lost = is_repository(&project.key)
            && !cwd.is_dir()
            && self.find(home, device, &project).is_none();
        Lesson {
            project,
            checkout,
            is_lost,
        }
    }

    /// What [`Places::learn`] would change. Does not read the disk.
    pub fn news(&self, lesson: &Lesson) -> News {
        let key = &lesson.project.key;
        if !is_repository(key) {
            return match self.own.contains(key) || MAX_OWN <= self.own.len() {
                true => News::Nothing,
                false => News::Place,
            };
        }
        let repository = split_sub(key).0;
        let before = self.learnt.get(repository).map_or(&[][..], Vec::as_slice);
        let mut taught = Self::default();
        taught.learnt.insert(repository.to_owned(), before.to_vec());
        taught.learn(lesson);
        let after = &taught.learnt[repository];
        let is_alike = |(one, other): (&Place, &Place)| {
            let seen = other.seen;
            (0 < one.seen) == (0 < seen)
                && Place {
                    seen,
                    ..one.clone()
                } == *other
        };
        if before == after {
            return News::Nothing;
        }
        match before.len() == after.len() && before.iter().zip(after).all(is_alike) {
            true => News::Order,
            false => News::Place,
        }
    }

    /// Remembers where a session of this device ran. Must be called in the order of the sessions'
    /// activity. Does not read the disk.
    pub fn learn(&mut self, lesson: &Lesson) {
        let Lesson {
            project, checkout, ..
        } = lesson;
        if !is_repository(&project.key) {
            if self.own.len() < MAX_OWN {
                self.own.insert(project.key.clone());
            }
            return;
        }
        let Some(checkout) = checkout else { return };
        let repository = split_sub(&project.key).0.to_owned();
        let is_it = match repository.strip_prefix("git:") {
            Some(remote) => checkout.remotes.iter().any(|known| known == remote),
            None => checkout.remotes.is_empty(),
        };
        if is_it && !checkout.bare {
            let places = self.learnt.get(&repository).into_iter().flatten();
            let last = places
                .max_by_key(|place| place.seen)
                .filter(|place| 0 < place.seen);
            let seen = match last {
                Some(place) if place.work_tree == checkout.work_tree => place.seen,
                other => other.map_or(0, |place| place.seen) + 1,
            };
            self.remember(repository, checkout, seen, project.root_commit.clone());
        }
    }

    /// Adopts the result of a search that began with `before` and ended with `found`. Places learnt
    /// meanwhile are kept.
    pub fn adopt(&mut self, before: &Self, found: &Self) {
        let none = Vec::new();
        for (repository, places) in &found.learnt {
            let known = before.learnt.get(repository).unwrap_or(&none);
            for place in places.iter().filter(|place| !known.contains(place)) {
                let own = self.learnt.entry(repository.clone()).or_default();
                match own
                    .iter_mut()
                    .find(|other| other.work_tree == place.work_tree)
                {
                    Some(other) => {
                        *other = Place {
                            seen: other.seen.max(place.seen),
                            ..place.clone()
                        }
                    }
                    None => own.push(place.clone()),
                }
            }
            let is_dropped = |place: &Place| known.contains(place) && !places.contains(place);
            self.learnt
                .entry(repository.clone())
                .or_default()
                .retain(|place| {
                    !is_dropped(place)
                        || places
                            .iter()
                            .any(|other| other.work_tree == place.work_tree)
                });
        }
    }

    /// Sets the directory that the user chose for a project. Valid as long as it exists.
    pub fn map(&mut self, key: &ProjectKey, dir: PathBuf) {
        self.mapped.insert(key.clone(), dir);
    }

    /// Removes the user's setting.
    pub fn unmap(&mut self, key: &ProjectKey) {
        self.mapped.remove(key);
    }

    /// The directory of this device for a session from another one. The key comes from that device,
    /// so it finds only known checkouts, directories in which sessions of this device began, and
    /// directories that the user named. No key leads to a hidden directory or, through a link, out
    /// of a checkout.
    ///
    /// In this order: the user's setting; a checkout whose first remote is the key's; a fork with the
    /// key's as another remote; one whose first remote is another one of the author's; one whose first
    /// remote was that of the author's checkout; one without any remote and with the same oldest
    /// commit. A contradicting remote overrules the oldest commit,
    /// and so does another name: what was made from a template keeps that as a remote, too.
    pub fn find_for_other(
        &self,
        home: &Path,
        device: &DeviceId,
        project: &Project,
    ) -> Result<PathBuf, NoPlace> {
        self.marked_for_other(home, device, project)
            .map(|(_, dir)| dir)
    }

    fn marked_for_other(
        &self,
        home: &Path,
        device: &DeviceId,
        project: &Project,
    ) -> Result<(Mark, PathBuf), NoPlace> {
        if let Some(dir) = self.mapped_for(project) {
            return Ok((Mark::Mapped, dir));
        }
        let text = project.key.as_str();
        if let Some(rest) = text.strip_prefix("device:") {
            let own = rest.split(':').next() == Some(&device.short());
            return Err(if own {
                NoPlace::Refused
            } else {
                NoPlace::Missing
            });
        }
        if let Some(rest) = text.strip_prefix("home:") {
            let dir = inside(home, rest).ok_or(match paths::stays_below(rest) {
                true => NoPlace::Missing,
                false => NoPlace::Refused,
            })?;
            // Home itself is not a name that the author chose: sessions without a directory have
            // this key.
            let known = rest.is_empty()
                || self.own.contains(&project.key)
                || self.is_in_checkout(home, &dir);
            // A directory with a remote is a repository, but the author's directory is none.
            return if known && !has_remote(home, &dir) {
                Ok((Mark::Path, dir))
            } else {
                Err(NoPlace::Refused)
            };
        }
        if split_sub(&project.key)
            .1
            .split('/')
            .any(|part| part.starts_with('.'))
        {
            return Err(NoPlace::Refused);
        }
        let Found {
            mark, dir, depth, ..
        } = self.best_checkout(home, project).ok_or(NoPlace::Missing)?;
        // A link inside the checkout may lead anywhere.
        let work_tree = dir.ancestors().nth(depth);
        let (real, within) = (
            dir.canonicalize(),
            work_tree.and_then(|work_tree| work_tree.canonicalize().ok()),
        );
        match (real, within) {
            (Ok(real), Some(within)) if real.starts_with(&within) => Ok((mark, dir)),
            _ => Err(NoPlace::Refused),
        }
    }

    /// Whether a session that was written to `dir` must leave it: `dir` belongs to another
    /// repository, or another place is more surely the project's. Without such evidence the session
    /// stays: a key that is only a path says nothing about repositories. A session in a missing
    /// directory moves to the project's present place, if there is one.
    pub fn is_misplaced(
        &self,
        home: &Path,
        device: &DeviceId,
        project: &Project,
        dir: &Path,
    ) -> bool {
        let best = self.marked_for_other(home, device, project);
        if !dir.is_dir() {
            return best.is_ok_and(|(_, best)| best != dir);
        }
        match (self.mark(home, project, dir), best) {
            (Some(mark), Ok((best, _))) => mark < best,
            (Some(_), Err(_)) => false,
            (None, Ok((_, best))) => best != dir,
            (None, Err(_)) => is_repository(&project.key) && has_remote(home, dir),
        }
    }

    /// Whether the checkout around `dir` was known as that repository: its remote was changed, and
    /// it is not another repository in the same place. Where the file system has no creation times,
    /// the oldest commit shows that.
    pub fn was(&self, repository: &str, dir: &Path) -> bool {
        let Some((checkout, _)) = checkout::around(dir) else {
            return false;
        };
        let known = self.learnt.get(repository).into_iter().flatten();
        let mut known = known.filter(|place| place.is_called(repository) && place.is_of(&checkout));
        let is_same = |place: &Place| match (place.born, checkout.born) {
            (Some(_), Some(_)) => true,
            _ => {
                place.root_commit.is_some() && place.root_commit == checkout::root_commit(&checkout)
            }
        };
        known.any(is_same)
    }

    /// The keys by which the checkout around a directory is or was known, with the directory inside.
    /// What it was made from is none of them.
    pub fn known_as(&self, checkout: &Checkout, sub: &str) -> Vec<ProjectKey> {
        let known = self.learnt.iter().filter(|(repository, places)| {
            let is_it = |place: &Place| place.is_of(checkout) && place.is_called(repository);
            places.iter().any(is_it)
        });
        known
            .map(|(repository, _)| with_sub(repository, sub))
            .collect()
    }

    /// The keys by which the known checkouts of a project are or were known, too. Reads no disk.
    pub fn other_names(&self, key: &ProjectKey) -> Vec<ProjectKey> {
        let (own, sub) = split_sub(key);
        let places = self.learnt.get(own).into_iter().flatten();
        let places: Vec<&Place> = places.filter(|place| place.is_called(own)).collect();
        let others = self.learnt.iter().filter(|(known, others)| {
            let is_one = |other: &Place| {
                other.is_called(known) && places.iter().any(|place| place.is_same(other))
            };
            known.as_str() != own && others.iter().any(is_one)
        });
        others.map(|(known, _)| with_sub(known, sub)).collect()
    }

    /// The repositories in whose checkouts a session of this device was seen, with all remotes of
    /// those. Reads no disk.
    pub fn repositories(&self) -> impl Iterator<Item = Project> {
        let all = self.learnt.iter();
        let all = all.flat_map(|(key, places)| places.iter().map(move |place| (key, place)));
        all.filter(|(_, place)| 0 < place.seen)
            .map(|(key, place)| Project {
                remotes: place.remotes.clone(),
                ..Project::new(ProjectKey::new(key))
            })
    }

    /// All known work trees.
    pub fn work_trees(&self) -> BTreeSet<PathBuf> {
        self.learnt
            .values()
            .flatten()
            .map(|place| place.work_tree.clone())
            .collect()
    }

    /// Projects of this device's sessions that are no longer what they were recognised as: the
    /// checkout is gone or has other remotes, the directory is gone or became a checkout.
    pub fn outdated(&self, home: &Path) -> BTreeSet<ProjectKey> {
        let is_it = |repository: &str, place: &Place| match (
            checkout::read_checkout(&place.work_tree),
            repository.strip_prefix("git:"),
        ) {
            (None, _) => false,
            (Some(checkout), Some(remote)) => {
                let is_same = place.remotes.is_empty() || place.remotes == checkout.remotes;
                is_same && checkout.remotes.iter().any(|known| known == remote)
            }
            (Some(checkout), None) => checkout.remotes.is_empty(),
        };
        let repositories = self.learnt.iter().filter(|(repository, places)| {
            places
                .iter()
                .any(|place| 0 < place.seen && !is_it(repository, place))
        });
        let plain = self.own.iter().filter(|key| {
            let below = key.as_str().strip_prefix("home:");
            below.is_some_and(|rest| inside(home, rest).is_none_or(|dir| dir.join(".git").exists()))
        });
        repositories
            .map(|(repository, _)| ProjectKey::new(repository))
            .chain(plain.cloned())
            .collect()
    }

    /// Remembers that a session was written to `dir`.
    pub fn give(&mut self, project: &Project, dir: &Path) {
        let given = self.given.entry(project.key.clone());
        let given = given.or_insert_with(|| Given {
            project: project.clone(),
            dirs: BTreeSet::new(),
        });
        if given.is_outdated(project) {
            given.project = project.clone();
        }
        given.dirs.insert(dir.to_owned());
    }

    /// Whether [`Places::give`] would change anything.
    pub fn is_gift(&self, project: &Project, dir: &Path) -> bool {
        let given = self.given.get(&project.key);
        given.is_none_or(|given| given.is_outdated(project) || !given.dirs.contains(dir))
    }

    /// Whether it is known that sessions of a project were written to `dir`.
    pub fn is_given(&self, project: &ProjectKey, dir: &Path) -> bool {
        let given = self.given.get(project);
        given.is_some_and(|given| given.dirs.contains(dir))
    }

    /// Forgets a directory after the sessions written to it have left.
    pub fn forget_given(&mut self, project: &ProjectKey, dir: &Path) {
        if let Some(given) = self.given.get_mut(project) {
            given.dirs.remove(dir);
            if given.dirs.is_empty() {
                self.given.remove(project);
            }
        }
    }

    /// Projects with directories that sessions were written to and must leave, see
    /// [`Places::is_misplaced`].
    pub fn misgiven(&self, home: &Path, device: &DeviceId) -> BTreeSet<(ProjectKey, PathBuf)> {
        let all = self
            .given
            .iter()
            .flat_map(|(key, given)| given.dirs.iter().map(move |dir| (key, given, dir)));
        let wrong =
            all.filter(|(_, given, dir)| self.is_misplaced(home, device, &given.project, dir));
        wrong
            .map(|(key, _, dir)| (key.clone(), dir.clone()))
            .collect()
    }

    /// Projects with directories that sessions were written to and that are gone.
    pub fn vanished(&self) -> impl Iterator<Item = (&Project, &PathBuf)> {
        let all = self
            .given
            .values()
            .flat_map(|given| given.dirs.iter().map(|dir| (&given.project, dir)));
        all.filter(|(_, dir)| !dir.is_dir())
    }

    /// How `dir` is recognised as the project's; `None` if there is no evidence.
    fn mark(&self, home: &Path, project: &Project, dir: &Path) -> Option<Mark> {
        if self.mapped_for(project).is_some_and(|mapped| mapped == dir) {
            return Some(Mark::Mapped);
        }
        if let Some(rest) = project.key.as_str().strip_prefix("home:") {
            return (inside(home, rest)? == dir && !has_remote(home, dir)).then_some(Mark::Path);
        }
        let (checkout, _) = checkout::around(dir)?;
        let is_same = |place: &&Place| place.born.is_none() || place.born == checkout.born;
        let known = self
            .learnt
            .values()
            .flatten()
            .filter(|place| place.work_tree == checkout.work_tree)
            .filter(is_same);
        let root = known
            .filter_map(|place| place.root_commit.as_deref())
            .next();
        mark_of(project, &checkout, root)
    }

    /// Whether any directory was ever known for a project. Reads no disk.
    pub fn is_known(&self, key: &ProjectKey) -> bool {
        self.learnt.contains_key(split_sub(key).0) || self.own.contains(key)
    }

    /// Whether a session of this device began in that directory without a repository.
    pub fn began_in(&self, key: &ProjectKey) -> bool {
        self.own.contains(key)
    }

    /// Whether `dir` is a known checkout or lies inside one and is not hidden. Home itself does not
    /// count as a checkout: everything lies inside it.
    fn is_in_checkout(&self, home: &Path, dir: &Path) -> bool {
        let trees = self
            .learnt
            .values()
            .flatten()
            .map(|place| &place.work_tree)
            .filter(|tree| tree.as_path() != home);
        let plain = |rest: &Path| {
            rest.components()
                .all(|part| !part.as_os_str().to_string_lossy().starts_with('.'))
        };
        let inside = |tree: &PathBuf| {
            let real = dir.canonicalize().ok().zip(tree.canonicalize().ok());
            dir.strip_prefix(tree).is_ok_and(plain)
                && real.is_some_and(|(dir, tree)| dir.starts_with(tree))
        };
        trees.into_iter().any(inside)
    }

    /// The project's directory on this device, if there is one now. For sessions that began here.
    ///
    /// Of several checkouts, the one most similar to the author's wins: the directory inside
    /// exists, its name and those above it, its branch; then a main work tree, where a session was
    /// seen last, the shortest path.
    pub fn find(&self, home: &Path, device: &DeviceId, project: &Project) -> Option<PathBuf> {
        if let Some(dir) = self.mapped_for(project) {
            return Some(dir);
        }
        let text = project.key.as_str();
        if let Some(rest) = text.strip_prefix("home:") {
            return inside(home, rest);
        }
        if let Some(rest) = text.strip_prefix("device:") {
            let (owner, path) = rest.split_once(':')?;
            // An empty path is the root directory, see `paths::portable`.
            let dir = on_disk(Path::new(if path.is_empty() { "/" } else { path }));
            return (owner == device.short() && dir.is_absolute() && dir.is_dir()).then_some(dir);
        }
        self.best_checkout(home, project).map(|found| found.dir)
    }

    /// All existing directories known for a key, the best first.
    pub fn of(&self, key: &ProjectKey) -> Vec<PathBuf> {
        let (repository, sub) = split_sub(key);
        let mut places: Vec<&Place> = self.learnt.get(repository).into_iter().flatten().collect();
        places.sort_by_key(|place| place.rank());
        let learnt = places
            .into_iter()
            .filter_map(|place| inside(&place.work_tree, sub));
        let mut dirs: Vec<PathBuf> = Vec::new();
        for dir in self.mapped_dir(key).into_iter().chain(learnt) {
            if !dirs.contains(&dir) {
                dirs.push(dir);
            }
        }
        dirs
    }

    /// The directory that the user set for a project, if it exists.
    pub fn mapped_dir(&self, key: &ProjectKey) -> Option<PathBuf> {
        let whole = self.mapped.get(key).filter(|dir| dir.is_dir()).cloned();
        whole.or_else(|| {
            let (repository, sub) = split_sub(key);
            inside(self.mapped.get(&ProjectKey::new(repository))?, sub)
        })
    }

    /// The directory that the user set for a project, by its key or a former one, the latest first.
    /// A former remote that the author keeps may be another repository's.
    pub fn mapped_for(&self, project: &Project) -> Option<PathBuf> {
        let (_, sub) = split_sub(&project.key);
        let former = project.formerly.iter().rev();
        let former = former.filter(|remote| !project.remotes.contains(remote));
        let mut former = former.map(|remote| with_sub(&format!("git:{remote}"), sub));
        self.mapped_dir(&project.key)
            .or_else(|| former.find_map(|key| self.mapped_dir(&key)))
    }

    /// The checkout that is most surely the project's and most similar to the author's.
    fn best_checkout(&self, home: &Path, project: &Project) -> Option<Found> {
        let (_, sub) = split_sub(&project.key);
        let places = self
            .learnt
            .iter()
            .flat_map(|(known, places)| places.iter().map(move |place| (known, place)));
        let live = places
            .filter(|(known, place)| is_related(project, known, place.root_commit.as_deref()))
            .filter_map(|(known, place)| {
                let checkout = checkout::read_checkout(&place.work_tree)?;
                // Another repository may have been created in the same place.
                let is_same = place.born.is_none() || place.born == checkout.born;
                let root_commit = place
                    .root_commit
                    .as_deref()
                    .or(known.strip_prefix("root:"))
                    .filter(|_| is_same);
                let mark = mark_of(project, &checkout, root_commit)?;
                let (dir, depth, missing) = deepest(&place.work_tree, sub)?;
                let other_branch = project.branch.is_some()
                    && checkout::head_branch(&place.work_tree) != project.branch;
                let likeness = (
                    missing,
                    Reverse(likeness(home, project, &place.work_tree)),
                    other_branch,
                );
                let rank = (
                    Reverse(mark),
                    likeness,
                    Place {
                        linked: checkout.linked,
                        ..place.clone()
                    }
                    .rank(),
                );
                Some((rank, Found { mark, dir, depth }))
            });
        live.min_by(|one, two| one.0.cmp(&two.0))
            .map(|(_, found)| found)
    }

    pub(super) fn remember(
        &mut self,
        repository: String,
        checkout: &Checkout,
        seen: u64,
        root_commit: Option<String>,
    ) {
        let places = self.learnt.entry(repository.clone()).or_default();
        match places
            .iter_mut()
            .find(|place| place.work_tree == checkout.work_tree)
        {
            // Another repository in the same place: no session of this one was seen in it.
            Some(place) if !place.is_of(checkout) && !is_first(checkout, &repository) => {
                *place = Place::new(checkout, seen, root_commit);
            }
            Some(place) => {
                place.linked = checkout.linked;
                place.seen = place.seen.max(seen);
                place.root_commit = root_commit.or(place.root_commit.take());
                place.born = checkout.born;
                // A search does not reconcile what it finds changed.
                if 0 < seen {
                    place.remotes.clone_from(&checkout.remotes);
                }
            }
            None => places.push(Place::new(checkout, seen, root_commit)),
        }
        // A search finds out which places are gone; nobody waits for the disk here.
        if 2 * MAX_PLACES < places.len() {
            places.sort_by_key(|place| Reverse(place.seen));
            places.truncate(2 * MAX_PLACES);
        }
    }

    /// Forgets places beyond the maximum per repository, missing ones first. Reads the disk.
    pub(super) fn forget_gone(&mut self) {
        for places in self
            .learnt
            .values_mut()
            .filter(|places| MAX_PLACES < places.len())
        {
            places.sort_by_key(|place| (!place.work_tree.is_dir(), Reverse(place.seen)));
            places.truncate(MAX_PLACES);
        }
    }
}

/// Whether a checkout's first remote is a repository's.
fn is_first(checkout: &Checkout, repository: &str) -> bool {
    let first = checkout.remotes.first().map(String::as_str);
    first.is_some() && repository.strip_prefix("git:") == first
}

impl Place {
    fn new(checkout: &Checkout, seen: u64, root_commit: Option<String>) -> Self {
        Self {
            work_tree: checkout.work_tree.clone(),
            linked: checkout.linked,
            seen,
            root_commit,
            born: checkout.born,
            remotes: checkout.remotes.clone(),
        }
    }

    /// Whether the repository is the place's own: a session of it was seen here, its remote is the
    /// first one, or that of a fork. In doubt it is. What a search found as a further remote of
    /// another name is what this one was made from.
    fn is_called(&self, repository: &str) -> bool {
        let (Some(remote), Some(first)) = (repository.strip_prefix("git:"), self.remotes.first())
        else {
            return true;
        };
        let key = ProjectKey::new(repository);
        0 < self.seen || first == remote || is_same_name(&key, first)
    }

    /// Whether the place is this checkout, wherever that was moved to. Where the file system has no
    /// creation times, whether it is in the same directory.
    fn is_of(&self, checkout: &Checkout) -> bool {
        match (self.born, checkout.born) {
            (Some(born), Some(now)) => born == now,
            _ => self.work_tree == checkout.work_tree,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self.born, other.born) {
            (Some(born), Some(now)) => born == now,
            _ => self.work_tree == other.work_tree,
        }
    }

    /// Smaller is better.
    fn rank(&self) -> (bool, Reverse<u64>, usize, PathBuf) {
        (
            self.linked,
            Reverse(self.seen),
            self.work_tree.as_os_str().len(),
            self.work_tree.clone(),
        )
    }
}

/// Whether a disk search may find the project. A project known by its path needs no search.
pub fn is_repository(key: &ProjectKey) -> bool {
    key.as_str().starts_with("git:") || key.as_str().starts_with("root:")
}

/// Whether a place of a repository may be the project's: it is the same one, one of its other or
/// former remotes, or has the same oldest commit.
fn is_related(project: &Project, known: &str, root_commit: Option<&str>) -> bool {
    let mut others = project.remotes.iter().chain(&project.formerly);
    let is_other = known
        .strip_prefix("git:")
        .is_some_and(|remote| others.any(|one| one == remote));
    let has_root = root_of(project)
        .is_some_and(|root| root_commit == Some(root) || known.strip_prefix("root:") == Some(root));
    known == split_sub(&project.key).0 || is_other || has_root
}

/// How a checkout is recognised as a project's. Weaker signs count only without a contradicting
/// remote or name. A former remote counts if the author's checkout has it no longer: the repository
/// was renamed. If the author keeps it as a further one, the checkout is a fork under a new name or
/// was made from a starter; see [`is_same_dir`].
fn mark_of(project: &Project, checkout: &Checkout, root_commit: Option<&str>) -> Option<Mark> {
    let own = split_sub(&project.key).0.strip_prefix("git:");
    let first = checkout.remotes.first();
    let is_alike = first.is_some_and(|first| is_same_name(&project.key, first));
    let is_among = |remotes: &[String]| first.is_some_and(|first| remotes.contains(first));
    match own {
        _ if checkout.bare => None,
        Some(own) if first.is_some_and(|first| first == own) => Some(Mark::Remote),
        Some(own) if is_alike && checkout.remotes.iter().any(|remote| remote == own) => {
            Some(Mark::SecondRemote)
        }
        Some(_) if is_alike && is_among(&project.remotes) => Some(Mark::Related),
        Some(_) if is_among(&project.formerly) => {
            let is_kept = is_among(&project.remotes);
            (!is_kept || is_same_dir(project, checkout)).then_some(Mark::Former)
        }
        _ if first.is_some() => None,
        _ => (root_commit.is_some()
            && root_commit == root_of(project)
            && is_same_local(project, checkout))
        .then_some(Mark::Root),
    }
}

/// Whether a checkout whose only remotes are paths, or addresses of this machine, may be the project's by
/// its oldest commit: what was made from one starter shares that. Of such a remote only the
/// repository's name means the same elsewhere.
fn is_same_local(project: &Project, checkout: &Checkout) -> bool {
    let Some(here) = &checkout.local_remote else {
        return true;
    };
    let named = |text: &str| remote::repository_in(text);
    let own = split_sub(&project.key).0.strip_prefix("git:");
    let author = project
        .local_remote
        .clone()
        .or_else(|| named(own.or(project.at.as_deref())?));
    author.is_some_and(|author| author == *here)
}

/// Whether a work tree has the name of the author's: a fork under a new name stays where it is, and
/// what is made from a starter gets a directory of its own.
fn is_same_dir(project: &Project, checkout: &Checkout) -> bool {
    let author = project.at.as_deref().and_then(|at| at.rsplit('/').next());
    let here = checkout
        .work_tree
        .file_name()
        .map(|name| name.to_string_lossy());
    author
        .zip(here)
        .is_some_and(|(author, here)| author.eq_ignore_ascii_case(&here))
}

/// Whether a directory is a part of a repository with a remote.
fn has_remote(home: &Path, dir: &Path) -> bool {
    checkout::around(dir).is_some_and(|(checkout, _)| {
        let has_any = !checkout.remotes.is_empty() || checkout.local_remote.is_some();
        has_any && has_part(&checkout, home, dir)
    })
}

/// The directory inside a work tree, or its deepest existing parent; its depth, and the number of
/// missing levels. Does not enter another repository inside. `sub` comes from another device and
/// must not climb.
fn deepest(work_tree: &Path, sub: &str) -> Option<(PathBuf, usize, usize)> {
    if !paths::stays_below(sub) {
        return None;
    }
    let parts: Vec<&str> = sub.split('/').filter(|part| !part.is_empty()).collect();
    let mut dir = work_tree.to_owned();
    for (depth, part) in parts.iter().enumerate() {
        let next = entry(&dir, part);
        if !next.is_dir() || next.join(".git").exists() {
            return Some((dir, depth, parts.len() - depth));
        }
        dir = next;
    }
    dir.is_dir().then_some((dir, parts.len(), 0))
}

/// How many trailing names a work tree shares with the author's, plus one if the whole path below
/// home is the same; then how many of them are written the same: where capitals make two
/// directories, the author's own is the more similar one.
fn likeness(home: &Path, project: &Project, work_tree: &Path) -> (usize, usize) {
    let Some(at) = &project.at else {
        let name = work_tree
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        return (
            usize::from(name.is_some_and(|name| project.names.contains(&name))),
            0,
        );
    };
    let style = Style::HERE;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let here = paths::below(style, &text(home), &text(work_tree));
    let here = here.unwrap_or_else(|| paths::portable(style, &text(work_tree)));
    let names = || here.rsplit('/').zip(at.rsplit('/'));
    let same = names()
        .take_while(|(one, two)| one.eq_ignore_ascii_case(two))
        .count();
    let exact = names().take_while(|(one, two)| one == two).count();
    (same + usize::from(here.eq_ignore_ascii_case(at)), exact)
}

/// A directory below another one. `rest` comes from another device and must not climb.
pub(super) fn inside(dir: &Path, rest: &str) -> Option<PathBuf> {
    if !paths::stays_below(rest) {
        return None;
    }
    let dir = if rest.is_empty() {
        dir.to_owned()
    } else {
        rest.split('/')
            .fold(dir.to_owned(), |dir, part| entry(&dir, part))
    };
    dir.is_dir().then_some(dir)
}

/// The entry of a directory with this name, however the disk composes its letters.
fn entry(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    if name.is_ascii() || path.exists() {
        return path;
    }
    let wanted = composed(name.to_owned());
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let found = names.find(|name| composed(name.clone()) == wanted);
    found.map_or(path, |name| dir.join(name))
}

fn on_disk(path: &Path) -> PathBuf {
    let parts = path.components();
    parts.fold(PathBuf::new(), |dir, part| match part {
        Component::Normal(name) => entry(&dir, &name.to_string_lossy()),
        other => dir.join(other),
    })
}

/// The oldest commit of a project, if it is known.
pub(super) fn root_of(project: &Project) -> Option<&str> {
    project
        .root_commit
        .as_deref()
        .or_else(|| split_sub(&project.key).0.strip_prefix("root:"))
}

/// Expands `~/code` as the user writes it in config.toml.
pub fn expand(home: &Path, dir: &Path) -> PathBuf {
    dir.strip_prefix("~")
        .map_or_else(|_| dir.to_owned(), |rest| home.join(rest))
}

#[cfg(test)]
mod tests;
