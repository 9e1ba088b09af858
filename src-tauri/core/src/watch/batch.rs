//! Collects touched paths until it is time to report them: a burst of events becomes one.

use super::{Pace, WatchEvent};
use crate::timing::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

#[derive(Debug, Default)]
pub struct Batch {
    paths: BTreeSet<PathBuf>,
    /// The touched paths that may be new directories.
    fresh: BTreeSet<PathBuf>,
    all: bool,
    /// When the first and the last event came.
    span: Option<(Instant, Instant)>,
    /// When the last event of the batch before came.
    before: Option<Instant>,
    timed: Option<tracing::Span>,
    /// New directories to be listed once more, with their first listing.
    again: Option<(Instant, BTreeMap<PathBuf, Listing>)>,
}

/// The entries below a directory: length and modification time by path. `None` if too many.
type Listing = Option<BTreeMap<PathBuf, (u64, Option<SystemTime>)>>;

/// Beyond this number of paths, everything is scanned instead.
const MAX_PATHS: usize = 4096;
/// Files may appear unseen between the creation of a directory and its watch, which is added only
/// after the creation was reported (notify 8.2, read 2026-11-23). After this delay the watch
/// exists.
const SECOND_LOOK: Duration = Duration::from_millis(250);

impl Batch {
    pub fn touch(&mut self, path: PathBuf, may_be_new_directory: bool, now: Instant) {
        if may_be_new_directory {
            self.fresh.insert(path.clone());
        }
        self.paths.insert(path);
        self.all |= MAX_PATHS < self.paths.len();
        self.mark(now);
    }

    pub fn everything(&mut self, now: Instant) {
        self.all = true;
        self.mark(now);
    }

    /// When `take` has something to report.
    pub fn due(&self, pace: &Pace) -> Option<Instant> {
        let told = self.span.map(|(first, last)| {
            let rested = self.before.is_none_or(|before| before + pace.rest <= first);
            let window = if rested {
                pace.first_window
            } else {
                pace.window
            };
            (last + window).min(first + pace.ceiling)
        });
        let again = self.again.as_ref().map(|(due, _)| *due);
        told.into_iter().chain(again).min()
    }

    /// The changes collected so far.
    pub fn take(&mut self, now: Instant) -> Option<WatchEvent> {
        self.look_again(now);
        for dir in std::mem::take(&mut self.fresh) {
            if std::fs::symlink_metadata(&dir).is_ok_and(|kind| kind.is_dir()) {
                self.list(dir, now);
            }
        }
        self.before = self.span.take().map(|(_, last)| last).or(self.before);
        self.timed = None;
        let paths = std::mem::take(&mut self.paths);
        if std::mem::take(&mut self.all) {
            return Some(WatchEvent::ScanAll);
        }
        (!paths.is_empty()).then(|| WatchEvent::Touched(paths.into_iter().collect()))
    }

    fn list(&mut self, dir: PathBuf, now: Instant) {
        let listing = list(&dir);
        match &listing {
            Some(found) => self.paths.extend(found.keys().cloned()),
            None => self.all = true,
        }
        let (_due, again) = self
            .again
            .get_or_insert_with(|| (now + SECOND_LOOK, BTreeMap::new()));
        again.insert(dir, listing);
    }

    /// Lists recently created directories once more and adds differences that were not reported.
    fn look_again(&mut self, now: Instant) {
        let Some((_, dirs)) = self.again.take_if(|(due, _)| *due <= now) else {
            return;
        };
        for (dir, before) in dirs {
            match (before, list(&dir)) {
                (Some(before), Some(after)) => {
                    self.paths.extend(
                        after
                            .into_iter()
                            .filter(|(path, stat)| before.get(path) != Some(stat))
                            .map(|(path, _)| path),
                    );
                }
                _ => self.all = true,
            }
        }
    }

    fn mark(&mut self, now: Instant) {
        self.span = Some(self.span.map_or((now, now), |(first, _)| (first, now)));
        self.timed.get_or_insert_with(|| Stage::Gathered.begin());
    }
}

fn list(dir: &Path) -> Listing {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        // A directory that has vanished meanwhile causes an event of its own.
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if MAX_PATHS <= found.len() {
                return None;
            }
            // The entry's own metadata: links are not followed.
            let Ok(stat) = entry.metadata() else { continue };
            if stat.is_dir() {
                waiting.push(entry.path());
            }
            // A directory's own times change with each entry, and each entry is listed itself.
            found.insert(
                entry.path(),
                if stat.is_dir() {
                    (0, None)
                } else {
                    (stat.len(), stat.modified().ok())
                },
            );
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_waits_for_the_window_and_many_for_the_ceiling() {
        let (pace, start) = (Pace::default(), Instant::now());
        let mut batch = Batch::default();
        assert_eq!(batch.due(&pace), None);
        batch.touch("a".into(), false, start);
        assert_eq!(batch.due(&pace), Some(start + pace.first_window));
        for ms in (10..100).step_by(10) {
            batch.touch("b".into(), false, start + Duration::from_millis(ms));
        }
        assert_eq!(batch.due(&pace), Some(start + pace.ceiling));
        assert_eq!(
            batch.take(start),
            Some(WatchEvent::Touched(vec!["a".into(), "b".into()]))
        );
        assert_eq!((batch.due(&pace), batch.take(start)), (None, None));
    }

    #[test]
    fn only_the_first_event_after_a_rest_waits_for_the_short_window() {
        let (pace, mut batch) = (Pace::default(), Batch::default());
        let mut now = Instant::now();
        let mut waits = |rest: Duration| {
            now += rest;
            batch.touch("a".into(), false, now);
            let due = batch.due(&pace);
            batch.take(now);
            due.map(|due| due - now)
        };
        assert_eq!(waits(Duration::ZERO), Some(pace.first_window));
        assert_eq!(waits(pace.rest / 2), Some(pace.window));
        assert_eq!(waits(pace.rest / 2), Some(pace.window));
        assert_eq!(waits(pace.rest), Some(pace.first_window));
    }

    #[test]
    fn too_many_paths_become_a_look_at_all() {
        let now = Instant::now();
        let mut batch = Batch::default();
        (0..=MAX_PATHS).for_each(|at| batch.touch(PathBuf::from(at.to_string()), false, now));
        assert_eq!(batch.take(now), Some(WatchEvent::ScanAll));
        assert_eq!(batch.take(now), None);
    }

    #[test]
    fn a_new_directory_is_listed_and_looked_at_once_more() {
        let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir(path("deep")).unwrap();
        std::fs::write(path("deep/early"), "1").unwrap();
        let mut batch = Batch::default();
        batch.touch(dir.path().to_owned(), true, now);
        assert_eq!(
            batch.take(now),
            Some(WatchEvent::Touched(vec![
                dir.path().to_owned(),
                path("deep"),
                path("deep/early")
            ]))
        );
        std::fs::write(path("deep/late"), "1").unwrap();
        assert_eq!(batch.take(now), None);
        let due = batch.due(&Pace::default()).expect("a second look is due");
        assert_eq!(
            batch.take(due),
            Some(WatchEvent::Touched(vec![path("deep/late")]))
        );
        assert_eq!(batch.due(&Pace::default()), None);
    }
}
