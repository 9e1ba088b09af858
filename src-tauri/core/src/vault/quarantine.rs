//! Journals and device files that ended the engine. A line in a small marker file names the foreign
//! bytes being processed while they are not accepted yet. A line left behind by a crash, a kill or a
//! panic counts as a failure of the named file. After two failures in a row, the file is not read
//! until the user releases it. Knows names only, not what is wrong with the files.
//!
//! Each work has a marker file for itself, which the next one uses again: nothing is created and
//! removed for what arrives.

use crate::opener::{self, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// After this many failures in a row, a name is set aside.
const MOST: u32 = 2;

#[derive(Clone, Debug)]
pub struct Quarantine(Arc<Places>);

#[derive(Debug)]
struct Places {
    /// Marker files, with a line for each name that is being processed.
    reading: PathBuf,
    /// Failures by name, as JSON.
    list: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// This device, whose journals are never foreign. Only the engine sets it; else nothing is
    /// marked.
    own: Option<String>,
    failures: BTreeMap<String, u32>,
    working: BTreeMap<u64, Working>,
    next: u64,
    /// Empty marker files that no work uses now.
    free: Vec<File>,
    /// How many marker files were made.
    n_markers: u32,
}

#[derive(Debug)]
struct Working {
    thread: ThreadId,
    names: BTreeSet<String>,
    marker: Option<File>,
}

/// Work on foreign bytes. Names marked during the work did no harm once it ends, unless by a panic.
#[derive(Debug)]
pub struct Work {
    quarantine: Quarantine,
    number: u64,
}

impl Quarantine {
    pub fn at(home: &Path) -> Self {
        let (reading, list) = (home.join("reading"), home.join("quarantine.json"));
        Self(Arc::new(Places {
            reading,
            list,
            state: Mutex::default(),
        }))
    }

    /// Counts the markers of the previous run, and from now on marks files of devices other than
    /// `own`.
    pub fn start(&self, own: &str) -> io::Result<()> {
        let mut state = self.state();
        state.failures = match opener::read(&self.0.list, opener::SMALL) {
            // An unreadable list must not prevent the start; harmful files are counted again.
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(_) => BTreeMap::new(),
        };
        std::fs::create_dir_all(&self.0.reading)?;
        for left in opener::list_below(&self.0.reading, "", 10_000)?
            .iter()
            .filter(|left| left.kind == Kind::File)
        {
            let path = self.0.reading.join(&left.name);
            // An earlier version wrote a file for each name, without the end of a line.
            let left = opener::read_text(&path, opener::SMALL).unwrap_or_default();
            for name in left.lines() {
                *state.failures.entry(name.to_owned()).or_default() += 1;
            }
            std::fs::remove_file(path)?;
        }
        state.own = Some(own.to_owned());
        self.write(&state)
    }

    /// Whether a name is set aside.
    pub fn holds(&self, name: &str) -> bool {
        self.state()
            .failures
            .get(name)
            .is_some_and(|failures| MOST <= *failures)
    }

    /// All names that are set aside.
    pub fn held(&self) -> Vec<String> {
        let state = self.state();
        state
            .failures
            .iter()
            .filter(|(_, failures)| MOST <= **failures)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Forgets the failures of a name; returns whether there were any.
    pub fn release(&self, name: &str) -> io::Result<bool> {
        let mut state = self.state();
        let known = state.failures.remove(name).is_some();
        self.write(&state).map(|()| known)
    }

    /// Begins work on this thread.
    pub fn work(&self) -> Work {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.working.insert(
            number,
            Working {
                thread: thread::current().id(),
                names: BTreeSet::new(),
                marker: None,
            },
        );
        Work {
            quarantine: self.clone(),
            number,
        }
    }

    /// Marks a name before bytes of another device that were never accepted are read. The marker is
    /// not synced to disk: it must survive this process, not the machine.
    pub fn mark(&self, device: &str, name: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.own.as_ref().is_none_or(|own| own == device) {
            return Ok(());
        }
        let here = thread::current().id();
        let State {
            working,
            free,
            n_markers,
            ..
        } = &mut *state;
        let working = working.values_mut();
        let Some(working) = { working }.rfind(|working| working.thread == here) else {
            return Ok(());
        };
        if working.names.contains(name) {
            return Ok(());
        }
        let marker = match (working.marker.take(), free.pop()) {
            (Some(marker), unused) => {
                free.extend(unused);
                marker
            }
            (None, Some(marker)) => marker,
            (None, None) => {
                *n_markers += 1;
                let path = self.0.reading.join(n_markers.to_string());
                // Not to append: on Windows such a file could not be emptied.
                let mut options = File::options();
                options.write(true).create(true).truncate(true).open(path)?
            }
        };
        // At once: a line in two parts could be left behind as half a name.
        let written = working
            .marker
            .insert(marker)
            .write_all(format!("{name}\n").as_bytes());
        working.names.insert(name.to_owned());
        written
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, state: &State) -> io::Result<()> {
        if state.failures.is_empty() {
            return match std::fs::remove_file(&self.0.list) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let next = self.0.list.with_extension("next");
        std::fs::write(
            &next,
            serde_json::to_vec(&state.failures).map_err(io::Error::other)?,
        )?;
        std::fs::rename(next, &self.0.list)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut state = self.quarantine.state();
        let Some(Working { names, marker, .. }) = state.working.remove(&self.number) else {
            return;
        };
        // Lines that cannot be removed count at the next start and are cleared by the next reading
        // after it; nobody adds to them.
        let empty = |mut marker: File| {
            let emptied = marker.set_len(0).and_then(|()| marker.rewind());
            emptied.is_ok().then_some(marker)
        };
        let emptied = marker.and_then(empty);
        state.free.extend(emptied);
        let mut changed = false;
        for name in names {
            match thread::panicking() {
                true => {
                    *state.failures.entry(name.clone()).or_default() += 1;
                    changed = true;
                }
                false => changed |= state.failures.remove(&name).is_some(),
            }
        }
        if changed {
            let _ = self.quarantine.write(&state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(home: &Path) -> Quarantine {
        let quarantine = Quarantine::at(home);
        quarantine.start("OWN").expect("started");
        quarantine
    }

    /// A run that ended while reading `name`.
    fn crash(home: &Path, name: &str) {
        let quarantine = begun(home);
        let work = quarantine.work();
        quarantine.mark("OTHER", name).expect("marked");
        std::mem::forget(work);
    }

    /// F9: a journal that ended the engine at each start.
    #[test]
    fn what_ended_the_engine_twice_is_set_aside_until_it_is_released() {
        let home = tempfile::tempdir().expect("home");
        crash(home.path(), "OTHER/live/x");
        assert!(
            !begun(home.path()).holds("OTHER/live/x"),
            "once may be anything"
        );
        crash(home.path(), "OTHER/live/x");
        let quarantine = begun(home.path());
        assert!(quarantine.holds("OTHER/live/x"));
        assert_eq!(
            begun(home.path()).held(),
            ["OTHER/live/x"],
            "the next start knows it, too"
        );
        assert!(quarantine.release("OTHER/live/x").expect("released"));
        assert!(!begun(home.path()).holds("OTHER/live/x"));
    }

    #[test]
    fn a_reading_that_went_well_clears_what_was_counted() {
        let home = tempfile::tempdir().expect("home");
        crash(home.path(), "OTHER/live/x");
        let quarantine = begun(home.path());
        let work = quarantine.work();
        quarantine.mark("OTHER", "OTHER/live/x").expect("marked");
        quarantine.mark("OWN", "OWN/live/x").expect("not marked");
        drop(work);
        crash(home.path(), "OTHER/live/x");
        assert!(begun(home.path()).held().is_empty());
    }

    #[test]
    fn works_at_once_have_a_marker_each_and_one_after_the_other_the_same() {
        let home = tempfile::tempdir().expect("home");
        let quarantine = begun(home.path());
        let markers = || {
            let listed = opener::list_below(&home.path().join("reading"), "", 100);
            let listed = listed.expect("listed").into_iter();
            listed.map(|one| one.len).collect::<Vec<u64>>()
        };
        for name in ["OTHER/live/x", "OTHER/live/y"] {
            let work = quarantine.work();
            for _ in 0..2 {
                quarantine.mark("OTHER", name).expect("marked");
            }
            assert_eq!(markers(), [13]);
            drop(work);
            assert_eq!(markers(), [0], "one file, which stays");
        }
        let both = std::sync::Barrier::new(2);
        thread::scope(|scope| {
            for names in [["a", "b"], ["b", "c"]] {
                let (quarantine, both) = (&quarantine, &both);
                scope.spawn(move || {
                    let work = quarantine.work();
                    for name in names {
                        quarantine.mark("OTHER", name).expect("marked");
                    }
                    both.wait();
                    // The engine ends here.
                    std::mem::forget(work);
                });
            }
        });
        assert_eq!(markers(), [4, 4]);
        assert_eq!(begun(home.path()).held(), ["b"]);
        crash(home.path(), "a");
        assert_eq!(begun(home.path()).held(), ["a", "b"]);
        assert_eq!(markers(), [0; 0]);
    }

    #[test]
    fn a_panic_counts_and_so_does_the_next() {
        let home = tempfile::tempdir().expect("home");
        let quarantine = begun(home.path());
        for failures in 1..=2 {
            let other = quarantine.clone();
            let panicked = thread::spawn(move || {
                let _work = other.work();
                other.mark("OTHER", "OTHER/live/x").expect("marked");
                panic!("on purpose");
            });
            assert!(panicked.join().is_err());
            assert_eq!(quarantine.holds("OTHER/live/x"), failures == 2);
        }
    }
}
