//! Remembers in which directories sessions were found, so that one session is found again without
//! a walk through the whole store.

use super::SessionAt;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The directories of the main docs in each store. What is remembered may be out of date and is
/// checked on disk. Two ids with one hash cost a look into a directory more.
#[derive(Debug, Default)]
pub struct KnownDirs(Mutex<HashMap<PathBuf, OfStore>>);

#[derive(Debug, Default)]
struct OfStore {
    /// Below the store's directory, `/`-separated.
    dirs: Vec<String>,
    idx_of: HashMap<String, u32>,
    /// The hash of a session's id, and the index of a directory.
    sessions: BTreeSet<(u64, u32)>,
}

impl KnownDirs {
    /// Remembers these main docs only.
    pub(super) fn replace(&self, root: &Path, found: &[SessionAt]) {
        let mut store = OfStore::default();
        found.iter().for_each(|at| store.add(at));
        self.lock().insert(root.to_path_buf(), store);
    }

    /// Remembers further main docs.
    pub(super) fn add(&self, root: &Path, found: &[SessionAt]) {
        if found.is_empty() {
            return;
        }
        let mut stores = self.lock();
        let store = stores.entry(root.to_path_buf()).or_default();
        found.iter().for_each(|at| store.add(at));
    }

    /// The directories in which main docs of the session were found.
    pub(super) fn of(&self, root: &Path, session: &str) -> Vec<String> {
        let stores = self.lock();
        let Some(store) = stores.get(root) else {
            return Vec::new();
        };
        let hash = hash_of(session);
        let known = store.sessions.range((hash, 0)..=(hash, u32::MAX));
        let dir = |(_, idx): &(u64, u32)| store.dirs.get(usize::try_from(*idx).ok()?).cloned();
        known.filter_map(dir).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, OfStore>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OfStore {
    fn add(&mut self, at: &SessionAt) {
        let dir = at.place.rsplit_once('/').map_or("", |(dir, _)| dir);
        let idx = match self.idx_of.get(dir) {
            Some(idx) => *idx,
            None => {
                let Ok(idx) = u32::try_from(self.dirs.len()) else {
                    return;
                };
                self.dirs.push(dir.to_owned());
                self.idx_of.insert(dir.to_owned(), idx);
                idx
            }
        };
        self.sessions.insert((hash_of(&at.session), idx));
    }
}

fn hash_of(session: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    session.hash(&mut hasher);
    hasher.finish()
}
