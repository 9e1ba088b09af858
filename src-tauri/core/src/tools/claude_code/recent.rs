//! What is remembered of the transcripts that were read last. A store may hold a hundred thousand,
//! of which a few are being written.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More than any user writes at the same time.
const MOST: usize = 64;

/// By transcript, the one put last at the end.
type Held<T> = VecDeque<(PathBuf, T)>;

pub(super) struct Recent<T>(Mutex<Held<T>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Recent<T> {
    /// Takes out what is remembered of a transcript.
    pub(super) fn take(&self, path: &Path) -> Option<T> {
        let mut held = self.held();
        let at = held.iter().position(|(known, _)| known == path)?;
        held.remove(at).map(|(_, value)| value)
    }

    /// Remembers it, and forgets the transcript that was put longest ago if there are too many.
    pub(super) fn put(&self, path: &Path, value: T) {
        let mut held = self.held();
        // Two threads may have read the same one.
        held.retain(|(known, _)| known != path);
        if MOST <= held.len() {
            held.pop_front();
        }
        held.push_back((path.to_owned(), value));
    }

    fn held(&self) -> MutexGuard<'_, Held<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_transcripts_read_last_are_remembered() {
        let (recent, path) = (Recent::default(), |n: usize| {
            PathBuf::from(format!("{n}.jsonl"))
        });
        for n in 0..MOST {
            recent.put(&path(n), n);
        }
        assert_eq!(recent.take(&path(0)), Some(0));
        assert_eq!(recent.take(&path(0)), None);
        recent.put(&path(0), 7);
        recent.put(&path(MOST), MOST);
        assert_eq!(recent.held().len(), MOST);
        assert_eq!(
            (recent.take(&path(1)), recent.take(&path(0))),
            (None, Some(7))
        );
        recent.put(&path(2), 9);
        assert_eq!(
            (recent.take(&path(2)), recent.take(&path(2))),
            (Some(9), None)
        );
    }
}
