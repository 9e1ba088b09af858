//! Where projects lie on this device: learnt from sessions, said by the user, found below folders.
//!
//! A place is a hint. Before it is given out the disk is asked whether it still is that project, so a stale or foreign
//! `Places` file leads nowhere wrong.

use super::checkout::{self, Checkout};
use super::paths::{self, Style};
use super::{Project, split_sub};
use crate::session::{DeviceId, ProjectKey};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// All known places; travels as JSON into the engine's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Places {
    /// Where the user said a project is.
    mapped: BTreeMap<ProjectKey, PathBuf>,
    /// Work trees by the key of their repository, without the directory inside.
    learnt: BTreeMap<String, Vec<Place>>,
    /// Directories that are no repository and in which a session of this device began, by key.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    own: BTreeSet<ProjectKey>,
}

/// Why a project of another device has no directory here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    Missing,
    /// The key names a directory of this device that another device has no say in.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    work_tree: PathBuf,
    #[serde(default)]
    linked: bool,
    /// Greatest where a session of the repository was seen last, 0 where none was: found by searching. A count needs
    /// no clock, and a second session in the same place changes nothing that would have to be saved.
    #[serde(default)]
    seen: u64,
    #[serde(default)]
    root_commit: Option<String>,
}

/// More places of one repository than this are forgotten, those seen least lately first.
const MAX_PLACES: usize = 32;
/// Directories without a repository that are remembered.
const MAX_OWN: usize = 4096;
const MAX_DEPTH: usize = 5;
/// How far below a checkout others are looked for: submodules and repositories of repositories.
const DEPTH_INSIDE: usize = 2;
const MAX_ENTRIES: usize = 100_000;
/// Root commits asked of Git in one search.
const MAX_ROOTS: usize = 200;

impl Places {
    /// Remembers that a session of this device ran in `cwd`, which is `project`; call it in the order of their activity.
    pub fn learn(&mut self, project: &Project, cwd: &Path) {
        if !is_repository(&project.key) {
            if self.own.len() < MAX_OWN {
                self.own.insert(project.key.clone());
            }
            return;
        }
        let Some((checkout, _sub)) = checkout::around(cwd) else { return };
        let repository = split_sub(&project.key).0.to_owned();
        let is_it = match repository.strip_prefix("git:") {
            Some(remote) => checkout.remotes.iter().any(|known| known == remote),
            None => true,
        };
        if is_it {
            let places = self.learnt.get(&repository).into_iter().flatten();
            let last = places.max_by_key(|place| place.seen).filter(|place| 0 < place.seen);
            let seen = match last {
                Some(place) if place.work_tree == checkout.work_tree => place.seen,
                other => other.map_or(0, |place| place.seen) + 1,
            };
            self.remember(repository, &checkout, seen, project.root_commit.clone());
        }
    }

    /// The user says where a project is. It holds as long as the directory exists.
    pub fn map(&mut self, key: &ProjectKey, dir: PathBuf) {
        self.mapped.insert(key.clone(), dir);
    }

    /// The user takes it back.
    pub fn unmap(&mut self, key: &ProjectKey) {
        self.mapped.remove(key);
    }

    /// The directory of this device for a session that began on another one. Its key is that device's word: it finds
    /// known checkouts, and directories in which sessions of this device began or which the user named, and nothing
    /// else. No key leads to a hidden directory or, by a link, out of a checkout.
    pub fn find_for_other(&self, home: &Path, device: &DeviceId, project: &Project) -> Result<PathBuf, NoPlace> {
        if let Some(dir) = self.mapped_dir(&project.key) {
            return Ok(dir);
        }
        let text = project.key.as_str();
        if let Some(rest) = text.strip_prefix("device:") {
            let own = rest.split(':').next() == Some(&device.short());
            return Err(if own { NoPlace::Refused } else { NoPlace::Missing });
        }
        if let Some(rest) = text.strip_prefix("home:") {
            let dir = inside(home, rest).ok_or(match paths::stays_below(rest) {
                true => NoPlace::Missing,
                false => NoPlace::Refused,
            })?;
            // Home itself is no name that its author chose: sessions that belong to no directory have it.
            let known = rest.is_empty() || self.own.contains(&project.key) || self.is_in_checkout(home, &dir);
            return if known { Ok(dir) } else { Err(NoPlace::Refused) };
        }
        let (repository, sub) = split_sub(&project.key);
        if sub.split('/').any(|part| part.starts_with('.')) {
            return Err(NoPlace::Refused);
        }
        let found = self.same_remote(repository, sub).or_else(|| self.same_root(root_of(project)?, sub));
        let dir = found.ok_or(NoPlace::Missing)?;
        // A link inside of the checkout may lead anywhere.
        let depth = sub.split('/').filter(|part| !part.is_empty()).count();
        let work_tree = dir.ancestors().nth(depth);
        let (real, within) = (dir.canonicalize(), work_tree.and_then(|work_tree| work_tree.canonicalize().ok()));
        match (real, within) {
            (Ok(real), Some(within)) if real.starts_with(&within) => Ok(dir),
            _ => Err(NoPlace::Refused),
        }
    }

    /// Whether a session of this device began in that directory, which is no repository.
    pub fn began_in(&self, key: &ProjectKey) -> bool {
        self.own.contains(key)
    }

    /// Whether it is a known checkout or lies inside of one, nowhere hidden. Home itself may be a checkout: what lies in
    /// it is everything.
    fn is_in_checkout(&self, home: &Path, dir: &Path) -> bool {
        let trees = self.learnt.values().flatten().map(|place| &place.work_tree).filter(|tree| tree.as_path() != home);
        let plain = |rest: &Path| rest.components().all(|part| !part.as_os_str().to_string_lossy().starts_with('.'));
        let inside = |tree: &PathBuf| {
            let real = dir.canonicalize().ok().zip(tree.canonicalize().ok());
            dir.strip_prefix(tree).is_ok_and(plain) && real.is_some_and(|(dir, tree)| dir.starts_with(tree))
        };
        trees.into_iter().any(inside)
    }

    /// The directory of this device that is the project's, if there is one at this moment. For sessions that began here.
    ///
    /// In this order: what the user said; a checkout of the same remote; one with the same oldest commit (a fork, a
    /// renamed remote). Of several: one whose first remote it is, a main work tree, where a session was seen last,
    /// the shortest path.
    pub fn find(&self, home: &Path, device: &DeviceId, project: &Project) -> Option<PathBuf> {
        if let Some(dir) = self.mapped_dir(&project.key) {
            return Some(dir);
        }
        let text = project.key.as_str();
        if let Some(rest) = text.strip_prefix("home:") {
            return inside(home, rest);
        }
        if let Some(rest) = text.strip_prefix("device:") {
            let (owner, path) = rest.split_once(':')?;
            // An empty path is the root directory, see `paths::portable`.
            let dir = PathBuf::from(if path.is_empty() { "/" } else { path });
            return (owner == device.short() && dir.is_absolute() && dir.is_dir()).then_some(dir);
        }
        let (repository, sub) = split_sub(&project.key);
        self.same_remote(repository, sub).or_else(|| self.same_root(root_of(project)?, sub))
    }

    /// All directories known for a key that exist, the best first.
    pub fn of(&self, key: &ProjectKey) -> Vec<PathBuf> {
        let (repository, sub) = split_sub(key);
        let mut places: Vec<&Place> = self.learnt.get(repository).into_iter().flatten().collect();
        places.sort_by_key(|place| place.rank());
        let learnt = places.into_iter().filter_map(|place| inside(&place.work_tree, sub));
        let mut dirs: Vec<PathBuf> = Vec::new();
        for dir in self.mapped_dir(key).into_iter().chain(learnt) {
            if !dirs.contains(&dir) {
                dirs.push(dir);
            }
        }
        dirs
    }

    /// Looks for checkouts below `roots` and beside places that vanished; says how many of `wanted` have a place now
    /// and had none before. Remembers every checkout it meets. May take seconds: not for the engine's loop.
    pub fn search(&mut self, home: &Path, device: &DeviceId, roots: &[PathBuf], wanted: &[Project]) -> usize {
        let missing: Vec<&Project> =
            wanted.iter().filter(|project| self.find_for_other(home, device, project).is_err()).collect();
        if !missing.iter().any(|project| is_repository(&project.key)) {
            return 0;
        }
        let mut starts: Vec<(PathBuf, usize)> = roots.iter().map(|root| (expand(home, root), MAX_DEPTH)).collect();
        starts.extend(self.beside_vanished(&missing).into_iter().map(|dir| (dir, 2)));
        let found = walk(home, starts);
        for checkout in &found {
            for remote in &checkout.remotes {
                self.remember(format!("git:{remote}"), checkout, 0, None);
            }
        }
        let still: Vec<&Project> =
            missing.iter().copied().filter(|project| self.find_for_other(home, device, project).is_err()).collect();
        self.search_roots(&found, &still);
        missing.iter().filter(|project| self.find_for_other(home, device, project).is_ok()).count()
    }

    /// Asks checkouts for their oldest commit, as long as somebody is missing that is known by one.
    fn search_roots(&mut self, found: &[Checkout], missing: &[&Project]) {
        let commits: BTreeSet<&str> = missing.iter().filter_map(|project| root_of(project)).collect();
        if commits.is_empty() {
            return;
        }
        for checkout in found.iter().take(MAX_ROOTS) {
            let Some(commit) = checkout::root_commit(checkout).filter(|commit| commits.contains(commit.as_str()))
            else {
                continue;
            };
            self.remember(format!("root:{commit}"), checkout, 0, Some(commit));
        }
    }

    /// Parents of work trees that are gone and were a missing project's: a checkout that was renamed or moved is mostly
    /// near.
    fn beside_vanished(&self, missing: &[&Project]) -> BTreeSet<PathBuf> {
        let is_missing = |repository: &str, place: &Place| {
            let root = place.root_commit.as_deref();
            missing
                .iter()
                .any(|project| split_sub(&project.key).0 == repository || root.is_some() && root_of(project) == root)
        };
        let places =
            self.learnt.iter().flat_map(|(repository, places)| places.iter().map(move |place| (repository, place)));
        let gone = places.filter(|(repository, place)| !place.work_tree.is_dir() && is_missing(repository, place));
        gone.map(|(_, place)| place)
            .filter_map(|place| place.work_tree.ancestors().skip(1).find(|dir| dir.is_dir()))
            .filter(|dir| dir.parent().is_some())
            .map(Path::to_owned)
            .collect()
    }

    fn mapped_dir(&self, key: &ProjectKey) -> Option<PathBuf> {
        let whole = self.mapped.get(key).filter(|dir| dir.is_dir()).cloned();
        whole.or_else(|| {
            let (repository, sub) = split_sub(key);
            inside(self.mapped.get(&ProjectKey::new(repository))?, sub)
        })
    }

    fn same_remote(&self, repository: &str, sub: &str) -> Option<PathBuf> {
        let places = self.learnt.get(repository)?.iter();
        let remote = repository.strip_prefix("git:");
        let live = places.filter_map(|place| {
            let checkout = checkout::at(&place.work_tree)?;
            let position = match remote {
                Some(remote) => checkout.remotes.iter().position(|known| known == remote)?,
                None => 0,
            };
            let dir = inside(&place.work_tree, sub)?;
            Some(((0 < position, Place { linked: checkout.linked, ..place.clone() }.rank()), dir))
        });
        live.min().map(|(_, dir)| dir)
    }

    fn same_root(&self, commit: &str, sub: &str) -> Option<PathBuf> {
        let places =
            self.learnt.iter().flat_map(|(repository, places)| places.iter().map(move |place| (repository, place)));
        let related = places.filter(|(repository, place)| {
            place.root_commit.as_deref() == Some(commit) || repository.strip_prefix("root:") == Some(commit)
        });
        let live = related.filter_map(|(repository, place)| {
            let checkout = checkout::at(&place.work_tree)?;
            // A place learnt by its remote whose remote changed is another repository now.
            let is_it = repository
                .strip_prefix("git:")
                .is_none_or(|remote| checkout.remotes.iter().any(|known| known == remote));
            let dir = inside(&place.work_tree, sub)?;
            is_it.then(|| (Place { linked: checkout.linked, ..place.clone() }.rank(), dir))
        });
        live.min().map(|(_, dir)| dir)
    }

    fn remember(&mut self, repository: String, checkout: &Checkout, seen: u64, root_commit: Option<String>) {
        let places = self.learnt.entry(repository).or_default();
        match places.iter_mut().find(|place| place.work_tree == checkout.work_tree) {
            Some(place) => {
                place.linked = checkout.linked;
                place.seen = place.seen.max(seen);
                place.root_commit = root_commit.or(place.root_commit.take());
            }
            None => {
                places.push(Place { work_tree: checkout.work_tree.clone(), linked: checkout.linked, seen, root_commit })
            }
        }
        if MAX_PLACES < places.len() {
            places.sort_by_key(|place| (!place.work_tree.is_dir(), Reverse(place.seen)));
            places.truncate(MAX_PLACES);
        }
    }
}

impl Place {
    /// Less is better.
    fn rank(&self) -> (bool, Reverse<u64>, usize, PathBuf) {
        (self.linked, Reverse(self.seen), self.work_tree.as_os_str().len(), self.work_tree.clone())
    }
}

/// Whether looking through the disk may find the project: one known by its path is there or is not.
pub fn is_repository(key: &ProjectKey) -> bool {
    key.as_str().starts_with("git:") || key.as_str().starts_with("root:")
}

/// A directory below another one. The way down comes from another device: it must not climb.
fn inside(dir: &Path, rest: &str) -> Option<PathBuf> {
    if !paths::stays_below(rest) {
        return None;
    }
    let dir =
        if rest.is_empty() { dir.to_owned() } else { rest.split('/').fold(dir.to_owned(), |dir, part| dir.join(part)) };
    dir.is_dir().then_some(dir)
}

/// The oldest commit a project is known by.
fn root_of(project: &Project) -> Option<&str> {
    project.root_commit.as_deref().or_else(|| split_sub(&project.key).0.strip_prefix("root:"))
}

/// `~/code` as the user writes it in config.toml.
pub fn expand(home: &Path, dir: &Path) -> PathBuf {
    dir.strip_prefix("~").map_or_else(|_| dir.to_owned(), |rest| home.join(rest))
}

/// All checkouts below the starts, nearest first, names in order. Follows no link.
fn walk(home: &Path, starts: Vec<(PathBuf, usize)>) -> Vec<Checkout> {
    let mut queue: VecDeque<(PathBuf, usize, bool)> =
        starts.into_iter().map(|(dir, depth)| (dir, depth, false)).collect();
    let mut visited: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut found: Vec<Checkout> = Vec::new();
    let mut n_entries = 0;
    while let Some((dir, mut depth, mut in_checkout)) = queue.pop_front() {
        match visited.get(&dir) {
            Some(seen) if depth <= *seen => continue,
            _ => visited.insert(dir.clone(), depth),
        };
        if let Some(checkout) = checkout::at(&dir) {
            if !found.contains(&checkout) {
                found.push(checkout);
            }
            depth = depth.min(DEPTH_INSIDE);
            in_checkout = true;
        }
        if depth == 0 || MAX_ENTRIES <= n_entries {
            continue;
        }
        for name in directories(&dir, MAX_ENTRIES - n_entries, &mut n_entries) {
            if !is_passed_over(&name, &dir, home, in_checkout) {
                queue.push_back((dir.join(name), depth - 1, in_checkout));
            }
        }
    }
    found
}

/// The names of the directories in `dir`, links left out, in order.
fn directories(dir: &Path, limit: usize, n_entries: &mut usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten().take(limit) {
        *n_entries += 1;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.extend(entry.file_name().into_string());
        }
    }
    names
}

/// Directories nobody keeps checkouts in. What builds leave behind is passed over inside a checkout only: outside,
/// `build`, `dist`, `target` and `worktrees` are names like any other.
fn is_passed_over(name: &str, dir: &Path, home: &Path, in_checkout: bool) -> bool {
    const MADE: [&str; 7] = ["target", "build", "dist", "out", "venv", "vendor", "Pods"];
    let has_own_repository = || dir.join(name).join(".git").exists();
    let is_system = dir == home
        && match Style::HERE {
            Style::Mac => name == "Library",
            Style::Windows => name.eq_ignore_ascii_case("AppData"),
            Style::Unix => false,
        };
    let never = name.starts_with('.') || name == "node_modules" || name == "__pycache__" || is_system;
    never || in_checkout && MADE.contains(&name) && !has_own_repository()
}

#[cfg(test)]
mod tests {
    use super::super::checkout::testing::*;
    use super::super::identify;
    use super::*;

    struct Desk {
        dir: tempfile::TempDir,
        places: Places,
    }

    impl Desk {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap(), places: Places::default() }
        }
        fn home(&self) -> &Path {
            self.dir.path()
        }
        fn repository(&self, at: &str, origin: &str) -> PathBuf {
            repository(&self.home().join(at), Some(origin))
        }
        fn learn(&mut self, dir: &Path) -> Project {
            let project = identify(self.home(), &device(), dir);
            self.places.learn(&project, dir);
            project
        }
        fn find(&self, project: &Project) -> Option<PathBuf> {
            self.places.find(self.home(), &device(), project)
        }
        fn search(&mut self, roots: &[&str], wanted: &[Project]) -> usize {
            let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
            let home = self.home().to_owned();
            self.places.search(&home, &device(), &roots, wanted)
        }
    }

    fn device() -> DeviceId {
        crate::session::device_id::device_id_of_cert(b"desk")
    }

    fn project(key: &str) -> Project {
        Project { key: ProjectKey::new(key), names: vec![], root_commit: None }
    }

    #[test]
    fn a_session_of_another_device_finds_the_checkout_here() {
        let mut desk = Desk::new();
        let api = desk.repository("work/api", "git@github.com:acme/api.git");
        std::fs::create_dir(api.join("web")).unwrap();
        desk.learn(&api);
        assert_eq!(desk.find(&project("git:github.com/acme/api")), Some(api.clone()));
        assert_eq!(desk.find(&project("git:github.com/acme/api#web")), Some(api.join("web")));
        assert_eq!(desk.find(&project("git:github.com/acme/api#ios")), None);
        assert_eq!(desk.find(&project("git:github.com/acme-api/x")), None);
        let saved = serde_json::to_string(&desk.places).unwrap();
        assert_eq!(serde_json::from_str::<Places>(&saved).unwrap(), desk.places);
    }

    #[test]
    fn similar_names_are_different_projects() {
        let mut desk = Desk::new();
        let one = desk.repository("one", "git@h.example:a/b-c.git");
        let two = desk.repository("two", "git@h.example:a-b/c.git");
        desk.learn(&one);
        desk.learn(&two);
        assert_eq!(desk.find(&project("git:h.example/a/b-c")), Some(one));
        assert_eq!(desk.find(&project("git:h.example/a-b/c")), Some(two));
    }

    #[test]
    fn a_place_that_became_another_project_is_not_given_out() {
        let mut desk = Desk::new();
        let api = desk.repository("api", "https://h.example/acme/api");
        let was = desk.learn(&api);
        git(&api, &["remote", "set-url", "origin", "https://h.example/acme/other"]);
        assert_eq!(desk.find(&was), None);
        std::fs::remove_dir_all(api.join(".git")).unwrap();
        assert_eq!(desk.find(&was), None);
    }

    #[test]
    fn of_several_places_the_choice_is_always_the_same() {
        let mut desk = Desk::new();
        let url = "https://h.example/acme/api";
        let long = desk.repository("code/acme/api", url);
        commit(&long, "first");
        let short = desk.repository("api", url);
        git(&long, &["worktree", "add", "-q", "../../../t"]);
        let tree = desk.home().join("t");
        let key = project("git:h.example/acme/api");
        desk.learn(&tree);
        assert_eq!(desk.find(&key), Some(tree.clone()), "a worktree, if there is nothing else");
        desk.learn(&short);
        desk.learn(&long);
        desk.learn(&tree);
        assert_eq!(desk.find(&key), Some(long.clone()), "the main work tree a session was seen in last");
        assert_eq!(desk.places.of(&key.key), [long, short.clone(), tree.clone()]);
        desk.learn(&short);
        assert_eq!(desk.find(&key), Some(short.clone()));
        let before = desk.places.clone();
        desk.learn(&short);
        assert_eq!(desk.places, before, "nothing new, nothing to save");
        desk.places.map(&key.key, tree.clone());
        assert_eq!(desk.find(&key), Some(tree), "what the user said comes first");
        desk.places.unmap(&key.key);
        assert_eq!(desk.find(&key), Some(short));

        let mut searched = Desk::new();
        for at in ["code/b", "code/a", "code/long"] {
            searched.repository(at, url);
        }
        assert_eq!(searched.search(&["~/code"], std::slice::from_ref(&key)), 1);
        assert_eq!(searched.find(&key), Some(searched.home().join("code/a")));
    }

    #[test]
    fn a_fork_is_recognised_by_its_oldest_commit() {
        let mut desk = Desk::new();
        let fork = desk.repository("api", "https://h.example/me/api");
        let root = commit(&fork, "first");
        commit(&fork, "second");
        let wanted = Project { root_commit: Some(root), ..project("git:h.example/acme/api") };
        assert_eq!(desk.find(&wanted), None);
        desk.learn(&fork);
        assert_eq!(desk.find(&wanted), Some(fork.clone()));
        let mut searched = Places::default();
        assert_eq!(
            searched.search(desk.home(), &device(), &[desk.home().to_owned()], std::slice::from_ref(&wanted)),
            1
        );
        assert_eq!(searched.find(desk.home(), &device(), &wanted), Some(fork));
    }

    #[test]
    fn a_second_remote_is_enough_to_be_recognised() {
        let mut desk = Desk::new();
        let fork = desk.repository("api", "https://h.example/me/api");
        git(&fork, &["remote", "add", "upstream", "https://h.example/acme/api"]);
        let wanted = project("git:h.example/acme/api");
        assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 1);
        assert_eq!(desk.find(&wanted), Some(fork));
    }

    #[test]
    fn a_project_without_remote_is_found_by_its_oldest_commit() {
        let mut desk = Desk::new();
        let repo = repository(&desk.home().join("x/notes"), None);
        let root = commit(&repo, "first");
        let wanted = project(&format!("root:{root}"));
        assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 1);
        assert_eq!(desk.find(&wanted), Some(repo));
    }

    #[test]
    fn a_renamed_or_moved_checkout_is_found_again() {
        let mut desk = Desk::new();
        let api = desk.repository("code/api", "https://h.example/acme/api");
        let wanted = desk.learn(&api);
        let renamed = desk.home().join("code/api-2026");
        std::fs::rename(&api, &renamed).unwrap();
        assert_eq!(desk.find(&wanted), None);
        assert_eq!(desk.search(&[], std::slice::from_ref(&wanted)), 1);
        assert_eq!(desk.find(&wanted), Some(renamed.clone()));
        let moved = desk.home().join("code/acme/api");
        std::fs::create_dir(desk.home().join("code/acme")).unwrap();
        std::fs::rename(&renamed, &moved).unwrap();
        assert_eq!(desk.search(&[], std::slice::from_ref(&wanted)), 1);
        assert_eq!(desk.find(&wanted), Some(moved));
        assert_eq!(desk.search(&[], std::slice::from_ref(&wanted)), 0, "nothing is missing any more");
    }

    #[test]
    fn folders_called_build_dist_or_worktrees_are_not_lost() {
        let mut desk = Desk::new();
        let mut wanted = Vec::new();
        for name in ["build", "dist", "worktrees", "target", "my-build/dist/x", "vendor", "code/build"] {
            let url = format!("https://h.example/acme/{}", name.replace('/', "-"));
            desk.repository(&format!("all/{name}"), &url);
            wanted.push(identify(desk.home(), &device(), &desk.home().join("all").join(name)));
        }
        assert_eq!(desk.search(&["~/all"], &wanted), wanted.len());
    }

    #[test]
    fn a_search_has_bounds() {
        let mut desk = Desk::new();
        let far = ["a/b/c/d/e/too-deep", ".hidden/x", "node_modules/x", "repo/target/x/y"];
        desk.repository("repo", "https://h.example/acme/repo");
        for at in far {
            desk.repository(at, "https://h.example/acme/api");
        }
        let wanted = project("git:h.example/acme/api");
        assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 0);
        desk.repository("a/b/c/d/e", "https://h.example/acme/api");
        assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_search_follows_no_links() {
        let (mut desk, outside) = (Desk::new(), tempfile::tempdir().unwrap());
        repository(&outside.path().join("api"), Some("https://h.example/acme/api"));
        std::os::unix::fs::symlink(outside.path(), desk.home().join("link")).unwrap();
        std::os::unix::fs::symlink(desk.home(), desk.home().join("loop")).unwrap();
        assert_eq!(desk.search(&["~"], &[project("git:h.example/acme/api")]), 0);
    }

    #[test]
    fn paths_below_home_are_there_if_they_exist_and_never_outside() {
        let desk = Desk::new();
        std::fs::create_dir_all(desk.home().join("notes/ideas")).unwrap();
        assert_eq!(desk.find(&project("home:notes/ideas")), Some(desk.home().join("notes/ideas")));
        assert_eq!(desk.find(&project("home:")), Some(desk.home().to_owned()));
        for key in ["home:none", "home:../..", "home:/", "home:notes/../..", "git:x/..#..", "nonsense"] {
            assert_eq!(desk.find(&project(key)), None, "{key}");
        }
        let here = identify(Path::new("/nobody"), &device(), desk.home());
        assert_eq!(desk.find(&here), Some(desk.home().to_owned()));
        let elsewhere = project(&here.key.as_str().replace(&device().short(), "AAAAAAAAAAAAAA"));
        assert_eq!(desk.find(&elsewhere), None);
    }

    #[test]
    fn a_mapped_repository_maps_the_directories_inside() {
        let mut desk = Desk::new();
        let dir = desk.home().join("anywhere");
        std::fs::create_dir_all(dir.join("web")).unwrap();
        desk.places.map(&ProjectKey::new("git:h.example/acme/api"), dir.clone());
        assert_eq!(desk.find(&project("git:h.example/acme/api#web")), Some(dir.join("web")));
        assert_eq!(desk.find(&project("git:h.example/acme/api#../x")), None);
    }

    /// F8: a peer's key named any directory below home, and any at all of the device it was read on.
    #[test]
    fn another_devices_key_finds_what_is_known_and_nothing_else() {
        let mut desk = Desk::new();
        let api = desk.repository("code/api", "https://h.example/acme/api");
        for dir in [".ssh", "private", "notes", "code/api/web", "code/api/.git/hooks", "code/api/.cache", "mapped"] {
            std::fs::create_dir_all(desk.home().join(dir)).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("/", api.join("root")).unwrap();
        desk.learn(&api);
        desk.places.learn(&project("home:notes"), &desk.home().join("notes"));
        desk.places.map(&ProjectKey::new("home:mapped"), desk.home().join("mapped"));
        let find = |key: &str| desk.places.find_for_other(desk.home(), &device(), &project(key));
        let here = |at: &str| Ok(desk.home().join(at));
        let found = [
            ("home:notes", "notes"),
            ("home:mapped", "mapped"),
            ("home:code/api", "code/api"),
            ("home:code/api/web", "code/api/web"),
            ("git:h.example/acme/api", "code/api"),
            ("git:h.example/acme/api#web", "code/api/web"),
        ];
        for (key, at) in found {
            assert_eq!(find(key), here(at), "{key}");
        }
        let own = device().short();
        let refused =
            ["home:.ssh", "home:private", "home:code", "home:code/api/.git", "home:code/api/.cache", "home:../x"];
        for key in refused.map(str::to_owned).into_iter().chain([
            format!("device:{own}:/etc"),
            format!("device:{own}:"),
            "git:h.example/acme/api#.git/hooks".into(),
        ]) {
            assert_eq!(find(&key), Err(NoPlace::Refused), "{key}");
        }
        for key in ["home:none", "device:AAAAAAAAAAAAAA:/etc", "git:h.example/acme/none", "nonsense"] {
            assert_eq!(find(key), Err(NoPlace::Missing), "{key}");
        }
        #[cfg(unix)]
        assert_eq!(find("git:h.example/acme/api#root/etc"), Err(NoPlace::Refused));
    }
}
