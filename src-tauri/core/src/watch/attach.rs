//! Decides which directories are watched: the roots that exist, and the nearest existing parent of
//! each other root until that root appears. Works on real paths (as macOS reports them) and returns
//! paths as the roots were given.

use super::Watcher;
use crate::adapter::Root;
use crate::session::{Problem, ProblemCode};
use notify::{ErrorKind, RecursiveMode};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub struct Attachments {
    watcher: notify::Result<Watcher>,
    roots: Vec<Root>,
    /// Existing roots with their real paths.
    present: Vec<(Root, PathBuf)>,
    /// For each missing root, the path whose appearance is the next step towards it.
    awaited: Vec<PathBuf>,
    /// The requested watches, by real path.
    watched: BTreeMap<PathBuf, Watched>,
}

struct Watched {
    deep: bool,
    file: FileId,
    /// The problem of a failed watch, and when to try again.
    failed: Option<(Instant, Problem)>,
}

/// The result of `apply`.
pub struct Outcome {
    /// Roots, as given, whose watch is new.
    pub attached: Vec<PathBuf>,
    pub problem: Option<(&'static str, Problem)>,
}

/// A failed watch is tried again after this long.
const RETRY: Duration = Duration::from_secs(60);
/// Parents may appear while the watches are set up; the setup is repeated at most this often.
const MAX_ROUNDS: usize = 16;
const LIMIT: ProblemCode = ProblemCode::WatchLimit;
const FAILED: ProblemCode = ProblemCode::WatchFailed;

impl Attachments {
    pub fn new(watcher: notify::Result<Watcher>) -> Self {
        Self {
            watcher,
            roots: Vec::new(),
            present: Vec::new(),
            awaited: Vec::new(),
            watched: BTreeMap::new(),
        }
    }

    pub fn set_roots(&mut self, roots: Vec<Root>) {
        self.roots = roots;
        for watched in self.watched.values_mut() {
            watched.failed = watched
                .failed
                .take()
                .map(|(_, problem)| (Instant::now(), problem));
        }
    }

    /// Adds missing watches and removes superfluous ones. Repeats until nothing new appears between
    /// resolving and watching.
    pub fn apply(&mut self, now: Instant) -> Outcome {
        let mut attached = Vec::new();
        for _round in 0..MAX_ROUNDS {
            let wanted = self.resolve();
            let changed =
                self.unwatch_others(&wanted) | self.watch_missing(&wanted, now, &mut attached);
            if !changed {
                break;
            }
        }
        Outcome {
            attached,
            problem: self.problem(),
        }
    }

    /// Detects changes without an event: directories replaced by others of the same name.
    pub fn check(&mut self) {
        let exchanged: Vec<PathBuf> = self
            .watched
            .iter()
            .filter(|(path, watched)| FileId::of(path) != watched.file)
            .map(|(path, _)| path.clone())
            .collect();
        exchanged.iter().for_each(|path| self.unwatch(path));
    }

    /// Whether this event requires a new setup of the watches.
    pub fn is_structural(&mut self, path: &Path, vanishes: bool) -> bool {
        if vanishes && self.watched.contains_key(path) {
            // A directory of the same name may exist again; the watch was on the one that vanished.
            self.unwatch(path);
            return true;
        }
        self.awaited.iter().any(|awaited| awaited == path)
    }

    /// The path in the form in which its root was given; `None` if it belongs to no root.
    pub fn as_given(&self, path: &Path) -> Option<PathBuf> {
        let holds = |root: &Root, real: &Path| match root.deep {
            true => path.starts_with(real),
            false => path == real || path.parent() == Some(real),
        };
        let nearest = self
            .present
            .iter()
            .filter(|(root, real)| holds(root, real))
            .max_by_key(|(_, real)| real.as_os_str().len())?;
        let below = path.strip_prefix(&nearest.1).ok()?;
        Some(if below.as_os_str().is_empty() {
            nearest.0.path.clone()
        } else {
            nearest.0.path.join(below)
        })
    }

    /// Notes that a watch failed later, on a directory that appeared.
    pub fn failed(&mut self, error: &notify::Error) {
        let Some(problem) = problem_of(error, error.paths.first().map(PathBuf::as_path)) else {
            return;
        };
        let inside = |path: &Path| {
            error.paths.is_empty() || error.paths.iter().any(|failed| failed.starts_with(path))
        };
        for (_, watched) in self
            .watched
            .iter_mut()
            .filter(|(path, watched)| watched.deep && inside(path))
        {
            watched.failed = Some((Instant::now() + RETRY, problem.clone()));
        }
    }

    /// Finds out which roots exist and what to watch: the real path, and whether deep. A path below
    /// a deep watch needs no watch of its own.
    fn resolve(&mut self) -> BTreeMap<PathBuf, bool> {
        let mut wanted: BTreeMap<PathBuf, bool> = BTreeMap::new();
        self.present.clear();
        self.awaited.clear();
        for root in &self.roots {
            if let Ok(real) = root.path.canonicalize() {
                *wanted.entry(real.clone()).or_default() |= root.deep;
                self.present.push((root.clone(), real));
            } else if let Some((parent, next)) = nearest_parent(&root.path) {
                self.awaited.push(next);
                wanted.entry(parent).or_default();
            }
        }
        let deep: Vec<PathBuf> = wanted
            .iter()
            .filter(|(_, deep)| **deep)
            .map(|(path, _)| path.clone())
            .collect();
        wanted.retain(|path, _| {
            !deep
                .iter()
                .any(|above| above != path && path.starts_with(above))
        });
        wanted
    }

    fn unwatch_others(&mut self, wanted: &BTreeMap<PathBuf, bool>) -> bool {
        let others: Vec<PathBuf> = self
            .watched
            .iter()
            .filter(|(path, watched)| wanted.get(*path) != Some(&watched.deep))
            .map(|(path, _)| path.clone())
            .collect();
        others.iter().for_each(|path| self.unwatch(path));
        !others.is_empty()
    }

    fn watch_missing(
        &mut self,
        wanted: &BTreeMap<PathBuf, bool>,
        now: Instant,
        attached: &mut Vec<PathBuf>,
    ) -> bool {
        let mut changed = false;
        for (path, deep) in wanted {
            let is_due = |watched: &Watched| {
                watched
                    .failed
                    .as_ref()
                    .is_some_and(|(again, _)| *again <= now)
            };
            if self
                .watched
                .get(path)
                .is_some_and(|watched| !is_due(watched))
            {
                continue;
            }
            let file = FileId::of(path);
            let failed = self
                .watch(path, *deep)
                .map(|problem| (now + RETRY, problem));
            self.watched.insert(
                path.clone(),
                Watched {
                    deep: *deep,
                    file,
                    failed,
                },
            );
            let roots = self.present.iter().filter(|(_, real)| {
                if *deep {
                    real.starts_with(path)
                } else {
                    real == path
                }
            });
            attached.extend(roots.map(|(root, _)| root.path.clone()));
            changed = true;
        }
        changed
    }

    fn watch(&mut self, path: &Path, deep: bool) -> Option<Problem> {
        let mode = if deep {
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        let watcher = match &mut self.watcher {
            Ok(watcher) => watcher,
            Err(error) => return problem_of(error, Some(path)),
        };
        // A directory that vanishes during the tree walk ends the walk (notify 8.2, read
        // 2026-11-23), so the walk is repeated.
        let mut result = watcher.watch(path, mode);
        for _attempt in 0..3 {
            if matches!(&result, Err(error) if is_gone(error)) && path.exists() {
                result = watcher.watch(path, mode);
            }
        }
        problem_of(&result.err()?, Some(path))
    }

    fn unwatch(&mut self, path: &Path) {
        self.watched.remove(path);
        if let Ok(watcher) = &mut self.watcher {
            // The watch may be gone already, together with its directory.
            let _ = watcher.unwatch(path);
        }
    }

    fn problem(&self) -> Option<(&'static str, Problem)> {
        let problems = self
            .watched
            .values()
            .filter_map(|watched| watched.failed.as_ref())
            .map(|(_, problem)| problem);
        let worst = problems.max_by_key(|problem| problem.code == LIMIT)?;
        Some((worst.code.as_str(), worst.clone()))
    }
}

/// The nearest existing directory above `path`, and the entry in it that leads to `path`.
fn nearest_parent(path: &Path) -> Option<(PathBuf, PathBuf)> {
    path.ancestors()
        .zip(path.ancestors().skip(1))
        .find_map(|(child, parent)| {
            let real = parent.canonicalize().ok().filter(|real| real.is_dir())?;
            let next = real.join(child.file_name()?);
            Some((real, next))
        })
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(source) => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// The problem to report for an error. `None` for errors that pass: a missing path is watched again
/// when it appears.
fn problem_of(error: &notify::Error, path: Option<&Path>) -> Option<Problem> {
    if is_gone(error) {
        return None;
    }
    let place = path.map_or_else(String::new, |path| format!(" {}", path.display()));
    if is_limit(error) {
        return Some(Problem::new(
            LIMIT,
            format!(
                "The system's limit of file watches is reached, so not everything below{place} can be watched; session-roam checks it every few seconds instead."
            ),
            "Raise it with sysctl: fs.inotify.max_user_watches=524288 and fs.inotify.max_user_instances=1024; write the same into /etc/sysctl.d/ to keep it.",
        ));
    }
    Some(Problem::new(
        FAILED,
        format!("Could not watch{place}: {error}."),
        "Check that you may read this directory and all below it; until then session-roam checks it every few seconds.",
    ))
}

/// ENOSPC: no more watches. EMFILE: no more inotify instances (or open files).
fn is_limit(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::MaxFilesWatch => true,
        #[cfg(unix)]
        ErrorKind::Io(source) => matches!(source.raw_os_error(), Some(libc::ENOSPC | libc::EMFILE)),
        _ => false,
    }
}

/// Identifies the directory that a path leads to, not only its name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileId(Option<(u64, u64)>);

impl FileId {
    #[cfg(unix)]
    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(
            std::fs::metadata(path)
                .ok()
                .map(|stat| (stat.dev(), stat.ino())),
        )
    }

    /// Only whether the path exists: a watched directory cannot be replaced while a handle is open.
    #[cfg(not(unix))]
    fn of(path: &Path) -> Self {
        Self(path.exists().then_some((0, 0)))
    }
}
