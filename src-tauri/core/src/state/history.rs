//! The history: what happened to the sessions, bounded in length and age.

use super::{State, StateError, statements};
use crate::session::{HistoryKind, Millis};
use rusqlite::{OptionalExtension, params};

/// So many of the newest happenings are kept, and all of so many milliseconds.
pub(super) const HISTORY_KEPT: u32 = 20_000;
const HISTORY_KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// The most happenings that are removed at once.
pub(super) const HISTORY_AT_ONCE: i64 = 500;

/// One line of the history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Happening {
    pub at: Millis,
    pub device: String,
    pub kind: HistoryKind,
    pub key: String,
    pub session: String,
    /// The session's current title; not stored.
    pub title: String,
    pub tool: String,
    pub doc: String,
    pub bytes: u64,
    /// Files, where the kind counts files.
    pub lines: u64,
}

impl State {
    pub fn add_history(&self, happening: &Happening) -> Result<(), StateError> {
        self.db
            .prepare_cached(statements::ADD_HISTORY)
            .and_then(|mut query| {
                let h = happening;
                query.execute(params![
                    h.at.0,
                    h.device,
                    h.kind.as_str(),
                    h.key,
                    h.session,
                    h.tool,
                    h.doc,
                    h.bytes as i64,
                    h.lines as i64
                ])
            })
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    /// Removes some of the oldest happenings, if there are very many and they are old. Returns how many.
    pub fn trim_history(&self, now: Millis) -> Result<usize, StateError> {
        if self.number(statements::HISTORY_SPAN, [])? <= u64::from(HISTORY_KEPT) {
            return Ok(0);
        }
        let trim = || -> rusqlite::Result<usize> {
            let newest: Option<i64> = self
                .db
                .prepare_cached(statements::NEWEST_HISTORY)?
                .query_row([HISTORY_KEPT], |row| row.get(0))
                .optional()?;
            let Some(newest) = newest else {
                return Ok(0);
            };
            let before = newest
                .saturating_add(1)
                .min(now.0.saturating_sub(HISTORY_KEPT_MS));
            let mut query = self.db.prepare_cached(statements::TRIM_HISTORY)?;
            query.execute([before, HISTORY_AT_ONCE])
        };
        trim().map_err(|source| self.error(source))
    }

    /// Number of happenings so far. It never decreases.
    pub fn happenings(&self) -> Result<u64, StateError> {
        self.number(statements::HAPPENINGS, [])
    }

    /// The newest `limit` happenings, of one session or of all, newest first.
    pub fn history(&self, key: Option<&str>, limit: u32) -> Result<Vec<Happening>, StateError> {
        let read = |row: &rusqlite::Row<'_>| {
            // What another version noted and this one does not know is not shown.
            let Ok(kind) = row.get::<_, String>(2)?.parse() else {
                return Ok(None);
            };
            Ok(Some(Happening {
                at: Millis(row.get(0)?),
                device: row.get(1)?,
                kind,
                key: row.get(3)?,
                session: row.get(4)?,
                tool: row.get(5)?,
                doc: row.get(6)?,
                bytes: row.get::<_, i64>(7)? as u64,
                lines: row.get::<_, i64>(8)? as u64,
                title: row.get::<_, Option<String>>(9)?.unwrap_or_default(),
            }))
        };
        let found: rusqlite::Result<Vec<Option<Happening>>> = match key {
            Some(key) => self
                .db
                .prepare_cached(statements::HISTORY_OF)
                .and_then(|mut query| query.query_map(params![key, limit], read)?.collect()),
            None => self
                .db
                .prepare_cached(statements::HISTORY)
                .and_then(|mut query| query.query_map([limit], read)?.collect()),
        };
        let found = found.map_err(|source| self.error(source))?;
        Ok(found.into_iter().flatten().collect())
    }
}
