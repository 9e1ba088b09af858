//! Results of listing a directory, kept until the directory changes. One session in a directory of
//! ten thousand is read without listing them all again. Knows no tool.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// By directory, with the time of its last change.
type Kept<T> = HashMap<PathBuf, (SystemTime, Arc<T>)>;

#[derive(Debug)]
pub struct Listed<T> {
    kept: Mutex<Kept<T>>,
}

/// A directory that changed within this time before the listing may change again without a new
/// time: the resolution of file times is up to two seconds (FAT).
const SETTLED: Duration = Duration::from_secs(5);
/// The limit of remembered directories.
const MOST: usize = 4096;

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
        }
    }
}

impl<T> Listed<T> {
    /// The result of `list` for the directory, or the kept one if the directory has not changed
    /// since. `list` also returns whether the result may be kept: not if it depends on more than
    /// the names in the directory.
    pub fn of(&self, dir: &Path, list: impl FnOnce() -> (T, bool)) -> Arc<T> {
        let changed = std::fs::metadata(dir)
            .and_then(|facts| facts.modified())
            .ok();
        if let Some((at, made)) = self.lock().get(dir)
            && Some(*at) == changed
        {
            return made.clone();
        }
        #[allow(clippy::disallowed_methods)] // compared with file times
        let now = SystemTime::now();
        let (made, may_be_kept) = list();
        let made = Arc::new(made);
        let is_settled = |at: SystemTime| now.duration_since(at).is_ok_and(|age| SETTLED < age);
        let mut kept = self.lock();
        match changed.filter(|at| may_be_kept && is_settled(*at)) {
            Some(at) => {
                if MOST <= kept.len() {
                    kept.clear();
                }
                kept.insert(dir.to_owned(), (at, made.clone()));
            }
            None => drop(kept.remove(dir)),
        }
        made
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn a_directory_is_listed_again_when_it_changed_and_never_trusted_too_soon() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        let (listed, mut times) = (Listed::default(), 0);
        let mut look = |keep: bool| {
            let names = listed.of(path, || {
                times += 1;
                (fs::read_dir(path).unwrap().count(), keep)
            });
            (*names, times)
        };
        let aged = |seconds: u64| {
            #[allow(clippy::disallowed_methods)] // compared with file times
            let then = SystemTime::now() - Duration::from_secs(seconds);
            File::open(path).unwrap().set_modified(then).unwrap();
        };
        assert_eq!(
            (look(true), look(true)),
            ((0, 1), (0, 2)),
            "it was made just now"
        );
        aged(60);
        assert_eq!((look(true), look(true)), ((0, 3), (0, 3)));
        fs::write(path.join("a"), "").unwrap();
        assert_eq!((look(true), look(true)), ((1, 4), (1, 5)));
        aged(50);
        assert_eq!(
            (look(false), look(true), look(true)),
            ((1, 6), (1, 7), (1, 7))
        );
        fs::remove_file(path.join("a")).unwrap();
        assert_eq!(look(true), (0, 8));
        let gone = listed.of(&path.join("none"), || (9, true));
        assert_eq!(*gone, 9);
    }
}
