//! What was complete at the last reconcile of each session: a number for its files in the store and
//! one for its journals. A session without an entry is reconciled at the next start.

use super::{State, StateError, hash_of, statements};
use crate::session::{SessionKey, ToolId};
use rusqlite::params;

/// A session's files in the store and in the vault, as a reconcile that completed found them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub store: u64,
    pub vault: u64,
}

impl State {
    pub fn put_seen(&self, key: &SessionKey, seen: Seen) -> Result<(), StateError> {
        let (store, vault) = (seen.store.cast_signed(), seen.vault.cast_signed());
        self.db
            .prepare_cached(statements::PUT_SEEN)
            .and_then(|mut query| query.execute(params![key.to_string(), store, vault]))
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    /// The next start reconciles the session.
    pub fn unsee(&self, key: &SessionKey) -> Result<(), StateError> {
        self.db
            .prepare_cached(statements::UNSEE)
            .and_then(|mut query| query.execute([key.to_string()]))
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    /// The next start reconciles every session.
    pub fn unsee_all(&self) -> Result<(), StateError> {
        self.db
            .execute(statements::UNSEE_ALL, [])
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    pub fn seen(&self) -> Result<Vec<(SessionKey, Seen)>, StateError> {
        let read = |row: &rusqlite::Row<'_>| {
            let (key, store, vault): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let tool = key.split('/').next().unwrap_or_default();
            let key = SessionKey {
                tool: ToolId::new(tool),
                hash: hash_of(&key),
            };
            let (store, vault) = (store.cast_unsigned(), vault.cast_unsigned());
            Ok((key, Seen { store, vault }))
        };
        self.db
            .prepare_cached(statements::SEEN)
            .and_then(|mut query| query.query_map([], read)?.collect())
            .map_err(|source| self.error(source))
    }
}
