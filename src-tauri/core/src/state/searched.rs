//! Which sessions are in the search index as they are now: a print of what is in it, by session.

use super::{State, StateError, statements};
use crate::session::{SessionKey, ToolId};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;

impl State {
    /// The print of what the index has of a session; `None` if the session must be read.
    pub fn searched(&self, key: &SessionKey) -> Result<Option<String>, StateError> {
        self.db
            .prepare_cached(statements::SEARCHED)
            .and_then(|mut query| {
                query
                    .query_row([key.to_string()], |row| row.get(0))
                    .optional()
            })
            .map_err(|source| self.error(source))
    }

    pub fn put_searched(&self, key: &SessionKey, print: &str) -> Result<(), StateError> {
        self.db
            .prepare_cached(statements::PUT_SEARCHED)
            .and_then(|mut query| query.execute(params![key.to_string(), print]))
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    /// The index must read a session again.
    pub fn unsearch(&self, key: &SessionKey) -> Result<(), StateError> {
        self.run_each(key, &[statements::UNSEARCH])
    }

    /// The index is empty.
    pub fn unsearch_all(&self) -> Result<(), StateError> {
        self.db
            .execute(statements::UNSEARCH_ALL, [])
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    /// The sessions that the index must read, newest first.
    pub fn unsearched(&self) -> Result<Vec<SessionKey>, StateError> {
        self.keys_by(statements::UNSEARCHED)
    }

    /// All sessions that are in lists, newest last.
    pub fn keys_by_age(&self) -> Result<Vec<SessionKey>, StateError> {
        self.keys_by(statements::KEYS_BY_AGE)
    }

    /// All sessions that are in lists, as keys in text.
    pub fn keys(&self) -> Result<BTreeSet<String>, StateError> {
        let keys = self.keys_by(statements::KEYS)?;
        Ok(keys.iter().map(SessionKey::to_string).collect())
    }

    /// The sessions whose main doc is in a store here.
    pub fn here(&self) -> Result<Vec<SessionKey>, StateError> {
        self.keys_by(statements::HERE)
    }

    fn keys_by(&self, sql: &str) -> Result<Vec<SessionKey>, StateError> {
        let texts: Vec<(String, String)> = self
            .db
            .prepare_cached(sql)
            .and_then(|mut query| {
                query
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .map_err(|source| self.error(source))?;
        let keys = texts.into_iter().filter_map(|(key, tool)| {
            let hash = key.strip_prefix(&tool)?.strip_prefix('/')?.to_owned();
            Some(SessionKey {
                tool: ToolId::new(tool),
                hash,
            })
        });
        Ok(keys.collect())
    }
}
