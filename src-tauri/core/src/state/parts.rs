//! Which sessions are parts of others, and so in no list themselves: the sub-agents of a session, where
//! a tool keeps them as sessions.

use super::{Row, State, StateError, statements};
use crate::session::SessionKey;
use rusqlite::OptionalExtension;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The parts as they were last read: a status asks for them all the time.
#[derive(Default)]
pub(super) struct Known {
    last: RefCell<Option<Read>>,
    changes: Cell<u64>,
}

struct Read {
    /// The numbers of all sessions, of those without a description, and of changes: the parts are
    /// others only if one of them is.
    when: [u64; 3],
    parts: Arc<BTreeSet<String>>,
}

impl Known {
    /// A session became a part, ceased to be one, or was erased.
    pub fn note_change(&self) {
        self.changes.set(self.changes.get() + 1);
    }
}

impl State {
    /// Stores of which session this one is a part, if it is one.
    pub fn put_part(&self, key: &SessionKey, whole: Option<&SessionKey>) -> Result<(), StateError> {
        let (key, whole) = (key.to_string(), whole.map(SessionKey::to_string));
        let put = || -> rusqlite::Result<()> {
            let mut query = self.db.prepare_cached(statements::PART)?;
            let known: Option<String> = query.query_row([&key], |row| row.get(0)).optional()?;
            if whole == known {
                return Ok(());
            }
            self.parts.note_change();
            match whole {
                Some(whole) => self
                    .db
                    .prepare_cached(statements::PUT_PART)?
                    .execute([key, whole])?,
                None => self
                    .db
                    .prepare_cached(statements::FORGET_PART)?
                    .execute([key])?,
            };
            Ok(())
        };
        put().map_err(|source| self.error(source))
    }

    /// The keys of the sessions that are parts of others in the lists, and so are in none themselves.
    pub fn parts(&self) -> Result<Arc<BTreeSet<String>>, StateError> {
        let when = [self.count()?, self.nameless()?, self.parts.changes.get()];
        if let Some(last) = &*self.parts.last.borrow()
            && last.when == when
        {
            return Ok(last.parts.clone());
        }
        let parts = Arc::new(self.read_parts()?);
        let read = Read {
            when,
            parts: parts.clone(),
        };
        *self.parts.last.borrow_mut() = Some(read);
        Ok(parts)
    }

    fn read_parts(&self) -> Result<BTreeSet<String>, StateError> {
        const DEEPEST: usize = 16;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let wholes: BTreeMap<String, String> = self
            .db
            .prepare_cached(statements::PARTS)
            .and_then(|mut query| query.query_map([], read)?.collect())
            .map_err(|source| self.error(source))?;
        // Parts of each other would be in no list at all.
        let ends = |key: &&String| {
            let mut above = std::iter::successors(Some(*key), |key| wholes.get(*key));
            above.nth(DEEPEST).is_none()
        };
        Ok(wholes.keys().filter(ends).cloned().collect())
    }

    /// The sessions that are parts of this one, oldest first.
    pub fn parts_of(&self, whole: &SessionKey) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::PARTS_OF, [whole.to_string()])
    }
}
