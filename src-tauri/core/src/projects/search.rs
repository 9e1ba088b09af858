//! Searches the disk for checkouts, within bounds. A part of [`Places`]; the engine's loop does not
//! wait for it.

use super::checkout::{self, Checkout};
use super::likely::{at_likely, likely, work_trees};
use super::paths::Style;
use super::places::{Place, Places, expand, is_repository, root_of};
use super::{Project, split_sub};
use crate::session::DeviceId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

const MAX_DEPTH: usize = 5;
/// How far below a checkout others are searched: submodules and repositories of repositories.
const DEPTH_INSIDE: usize = 2;
const MAX_ENTRIES: usize = 100_000;
/// How many root commits one search asks `git` for.
const MAX_ROOTS: usize = 200;

impl Places {
    /// Searches for checkouts below `roots`, beside places that vanished and in likely directories.
    /// Returns how many of `wanted` have gained a place. Remembers every checkout it meets. May take seconds: not for
    /// the engine's loop.
    pub fn search(
        &mut self,
        home: &Path,
        device: &DeviceId,
        roots: &[PathBuf],
        wanted: &[Project],
    ) -> usize {
        let missing: Vec<&Project> = wanted
            .iter()
            .filter(|project| self.find_for_other(home, device, project).is_err())
            .collect();
        if !missing.iter().any(|project| is_repository(&project.key)) {
            return 0;
        }
        let mut starts: Vec<(PathBuf, usize)> = roots
            .iter()
            .map(|root| (expand(home, root), MAX_DEPTH))
            .collect();
        starts.extend(
            self.beside_vanished(&missing)
                .into_iter()
                .map(|dir| (dir, 2)),
        );
        let mut found = walk(home, starts);
        let likely = missing.iter().flat_map(|project| at_likely(home, project));
        add(&mut found, likely);
        let known = self.work_trees();
        let known = known
            .iter()
            .filter_map(|tree| checkout::read_checkout(tree));
        let all: Vec<Checkout> = known.chain(found.iter().cloned()).collect();
        let named = all.iter().flat_map(|checkout| work_trees(home, checkout));
        add(
            &mut found,
            named.filter_map(|tree| checkout::read_checkout(&tree)),
        );
        found.retain(|checkout| !checkout.bare);
        for checkout in &found {
            for remote in &checkout.remotes {
                self.remember(format!("git:{remote}"), checkout, 0, None);
            }
        }
        let still: Vec<&Project> = missing
            .iter()
            .copied()
            .filter(|project| self.find_for_other(home, device, project).is_err())
            .collect();
        self.search_roots(&found, &still);
        self.forget_gone();
        missing
            .iter()
            .filter(|project| self.find_for_other(home, device, project).is_ok())
            .count()
    }

    /// Asks checkouts for their oldest commit while a project known by one is missing.
    fn search_roots(&mut self, found: &[Checkout], missing: &[&Project]) {
        let commits: BTreeSet<&str> = missing
            .iter()
            .filter_map(|project| root_of(project))
            .collect();
        if commits.is_empty() {
            return;
        }
        // If there is a remote, the oldest commit identifies nothing.
        let without_remote = found.iter().filter(|checkout| checkout.remotes.is_empty());
        for checkout in without_remote.take(MAX_ROOTS) {
            let Some(commit) =
                checkout::root_commit(checkout).filter(|commit| commits.contains(commit.as_str()))
            else {
                continue;
            };
            self.remember(format!("root:{commit}"), checkout, 0, Some(commit));
        }
    }

    /// Parents of missing work trees that belonged to a missing project: a renamed or moved
    /// checkout is mostly near.
    fn beside_vanished(&self, missing: &[&Project]) -> BTreeSet<PathBuf> {
        let is_missing = |repository: &str, place: &Place| {
            let root = place.root_commit.as_deref();
            missing.iter().any(|project| {
                split_sub(&project.key).0 == repository
                    || root.is_some() && root_of(project) == root
            })
        };
        let places = self
            .learnt
            .iter()
            .flat_map(|(repository, places)| places.iter().map(move |place| (repository, place)));
        let gone = places.filter(|(repository, place)| {
            !place.work_tree.is_dir() && is_missing(repository, place)
        });
        gone.map(|(_, place)| place)
            .filter_map(|place| place.work_tree.ancestors().skip(1).find(|dir| dir.is_dir()))
            .filter(|dir| dir.parent().is_some())
            .map(Path::to_owned)
            .collect()
    }
}

/// Adds checkouts that are not known yet.
fn add(found: &mut Vec<Checkout>, more: impl Iterator<Item = Checkout>) {
    let mut known: BTreeSet<PathBuf> = found.iter().map(|one| one.work_tree.clone()).collect();
    found.extend(more.filter(|one| known.insert(one.work_tree.clone())));
}

/// A hash of what a search would see first: the names of the directories in the roots and one level
/// below, and which of the likely directories of the wanted projects exist. Cloning or moving a
/// checkout there changes it. Reads the disk.
pub fn outline(home: &Path, roots: &[PathBuf], wanted: &[Project]) -> u64 {
    const MOST: usize = 5000;
    let (mut hasher, mut n_entries) = (DefaultHasher::new(), 0);
    for dir in wanted.iter().flat_map(|project| likely(home, project)) {
        if dir.join(".git").exists() {
            dir.hash(&mut hasher);
        }
    }
    for root in roots.iter().map(|root| expand(home, root)) {
        for name in directories(&root, MOST - n_entries.min(MOST), &mut n_entries).0 {
            let dir = root.join(&name);
            let is_plain = !is_passed_over(&name, &root, home, false) && !dir.join(".git").exists();
            let below = if is_plain {
                directories(&dir, MOST - n_entries.min(MOST), &mut n_entries).0
            } else {
                BTreeSet::new()
            };
            (dir, below).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// All checkouts below the starts, nearest first, names in order. A link to a checkout counts as that
/// checkout, unless it lies in one itself, where whoever commits may have put it. No link is followed
/// further: it may lead to other people's files, or in circles.
fn walk(home: &Path, starts: Vec<(PathBuf, usize)>) -> Vec<Checkout> {
    let mut queue: VecDeque<(PathBuf, usize, bool)> = starts
        .into_iter()
        .map(|(dir, depth)| (dir, depth, false))
        .collect();
    let mut visited: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut found: Vec<Checkout> = Vec::new();
    let mut n_entries = 0;
    while let Some((dir, mut depth, mut in_checkout)) = queue.pop_front() {
        match visited.get(&dir) {
            Some(seen) if depth <= *seen => continue,
            _ => visited.insert(dir.clone(), depth),
        };
        if let Some(checkout) = checkout::read_checkout(&dir) {
            if !found.contains(&checkout) {
                found.push(checkout);
            }
            depth = depth.min(DEPTH_INSIDE);
            in_checkout = true;
        }
        if depth == 0 || MAX_ENTRIES <= n_entries {
            continue;
        }
        let (names, links) = directories(&dir, MAX_ENTRIES - n_entries, &mut n_entries);
        let links = links.into_iter().filter(|_| !in_checkout);
        let linked = links.filter_map(|name| own_directory(home, &dir.join(name)));
        add(
            &mut found,
            linked.filter_map(|dir| checkout::read_checkout(&dir)),
        );
        for name in names {
            if !is_passed_over(&name, &dir, home, in_checkout) {
                queue.push_back((dir.join(name), depth - 1, in_checkout));
            }
        }
    }
    found
}

/// The names of the directories in `dir` and of the links, each in order.
fn directories(
    dir: &Path,
    limit: usize,
    n_entries: &mut usize,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut names, mut links) = (BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .take(limit)
    {
        *n_entries += 1;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => names.extend(entry.file_name().into_string()),
            Ok(kind) if kind.is_symlink() => links.extend(entry.file_name().into_string()),
            _ => {}
        }
    }
    (names, links)
}

/// The directory that a link leads to, if it belongs to whom the home directory belongs to.
fn own_directory(home: &Path, link: &Path) -> Option<PathBuf> {
    let real = link.canonicalize().ok().filter(|real| real.is_dir())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let owner = |dir: &Path| Some(dir.metadata().ok()?.uid());
        if owner(&real) != owner(home) {
            return None;
        }
    }
    #[cfg(not(unix))]
    let _ = home;
    Some(checkout::without_verbatim(real))
}

/// Directories in which nobody keeps checkouts. Build output is skipped inside a checkout only:
/// outside, `build`, `dist`, `target` and `worktrees` are ordinary names.
fn is_passed_over(name: &str, dir: &Path, home: &Path, in_checkout: bool) -> bool {
    const MADE: [&str; 7] = ["target", "build", "dist", "out", "venv", "vendor", "Pods"];
    let has_own_repository = || dir.join(name).join(".git").exists();
    let is_system = dir == home
        && match Style::HERE {
            Style::Mac => name == "Library",
            Style::Windows => name.eq_ignore_ascii_case("AppData"),
            Style::Unix => false,
        };
    let never =
        name.starts_with('.') || name == "node_modules" || name == "__pycache__" || is_system;
    never || in_checkout && MADE.contains(&name) && !has_own_repository()
}
