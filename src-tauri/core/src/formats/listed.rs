//! Results of listing a directory, kept until the directory changes. One session in a directory of
//! ten thousand is read without listing them all again. Knows no tool.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// By directory, with the time of its last change. A path as it is written: as one of names it would
/// be taken apart for each look.
type Kept<T> = HashMap<OsString, (SystemTime, Arc<T>)>;

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
        let changed = changed(dir);
        self.kept(dir, changed)
            .unwrap_or_else(|| self.listed(dir, changed, list))
    }

    /// As [`Listed::of`], but `None` for a directory whose listing would not be kept because it
    /// changed just now: whoever looks for one name does not list all of them each time.
    pub fn of_settled(&self, dir: &Path, list: impl FnOnce() -> (T, bool)) -> Option<Arc<T>> {
        let changed = changed(dir);
        #[allow(clippy::disallowed_methods)] // compared with file times
        let is_settled = || changed.is_some_and(|at| is_settled(at, SystemTime::now()));
        let list = || is_settled().then(|| self.listed(dir, changed, list));
        self.kept(dir, changed).or_else(list)
    }

    fn kept(&self, dir: &Path, changed: Option<SystemTime>) -> Option<Arc<T>> {
        let kept = self.lock();
        let (at, made) = kept.get(dir.as_os_str())?;
        (Some(*at) == changed).then(|| made.clone())
    }

    fn listed(
        &self,
        dir: &Path,
        changed: Option<SystemTime>,
        list: impl FnOnce() -> (T, bool),
    ) -> Arc<T> {
        #[allow(clippy::disallowed_methods)] // compared with file times
        let now = SystemTime::now();
        let (made, may_be_kept) = list();
        let made = Arc::new(made);
        let mut kept = self.lock();
        match changed.filter(|at| may_be_kept && is_settled(*at, now)) {
            Some(at) => {
                if MOST <= kept.len() {
                    kept.clear();
                }
                kept.insert(dir.as_os_str().to_owned(), (at, made.clone()));
            }
            None => drop(kept.remove(dir.as_os_str())),
        }
        made
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When names in the directory changed last.
fn changed(dir: &Path) -> Option<SystemTime> {
    std::fs::metadata(dir)
        .and_then(|facts| facts.modified())
        .ok()
}

fn is_settled(at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(at).is_ok_and(|age| SETTLED < age)
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

    #[test]
    fn a_directory_that_changed_just_now_is_not_listed_for_one_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        let listed = Listed::default();
        let look = || {
            let names = listed.of_settled(path, || (fs::read_dir(path).unwrap().count(), true));
            names.map(|names| *names)
        };
        let aged = |seconds: u64| {
            #[allow(clippy::disallowed_methods)] // compared with file times
            let then = SystemTime::now() - Duration::from_secs(seconds);
            File::open(path).unwrap().set_modified(then).unwrap();
        };
        assert_eq!(look(), None, "it was made just now");
        aged(60);
        assert_eq!((look(), look()), (Some(0), Some(0)));
        fs::write(path.join("a"), "").unwrap();
        assert_eq!(look(), None, "and is not what it was before");
        aged(50);
        assert_eq!(look(), Some(1));
        assert_eq!(*listed.of(path, || (9, true)), 1, "kept for both");
    }
}
