//! The engine's memory between starts, in one SQLite file. The list of sessions can be rebuilt from
//! the vault and the tools' stores, so a lost or broken file never costs a session. What the user
//! decided on this device, such as deletions, is in this file only.

mod history;
mod older;
mod opening;
mod packed;
mod parts;
mod rows;
mod searched;
mod seen;
mod statements;

pub use history::Happening;
pub use packed::{Packed, pack};
pub use rows::{Row, StateCount};
pub use seen::Seen;

use crate::session::{DocName, Reason, SessionKey, ToolId};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("could not use {}", .path.display())]
    Sqlite {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    /// The file was kept: another start, with space for example, finds everything in it.
    #[error("could not open {}, which was kept", .path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("could not set aside {}", .path.display())]
    SetAside {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl StateError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Open { source, .. } => opening::remedy(source),
            Self::Sqlite { .. } | Self::SetAside { .. } => {
                "Free up disk space or fix its permissions."
            }
        }
    }
}

pub struct State {
    path: PathBuf,
    db: Connection,
    /// A transaction is open that [`State::commit`] ends.
    gathers: Cell<bool>,
    /// Nothing was erased since the file was rewritten: only its log may still hold erased data.
    rewritten: Cell<bool>,
    parts: parts::Known,
    /// How many rows and records were read.
    n_read: Cell<u64>,
}

/// How long emptying the log waits for those who read it.
const LOG_WAIT: Duration = Duration::from_millis(50);
const BUSY_WAIT: Duration = Duration::from_secs(5);

impl State {
    fn of(path: PathBuf, db: Connection) -> Self {
        Self {
            path,
            db,
            gathers: Cell::new(false),
            rewritten: Cell::new(false),
            parts: parts::Known::default(),
            n_read: Cell::new(0),
        }
    }

    /// How many rows and records of sessions this connection has read: the measure of what an event
    /// costs.
    pub fn n_read(&self) -> u64 {
        self.n_read.get()
    }

    fn count_read(&self, n: usize) {
        self.n_read.set(self.n_read.get() + n as u64);
    }

    /// Opens the file once more, for reading only. Lists are read with such a connection beside the
    /// loop; what the loop committed before is in them.
    pub fn beside(path: &Path) -> Result<Self, StateError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags);
        let path = path.to_owned();
        match db.and_then(|db| {
            db.busy_timeout(BUSY_WAIT)?;
            Ok(db)
        }) {
            Ok(db) => Ok(Self::of(path, db)),
            Err(source) => Err(StateError::Sqlite { path, source }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, source: rusqlite::Error) -> StateError {
        StateError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }

    /// A session's record, if this version can read it.
    pub fn record<T: DeserializeOwned>(&self, key: &SessionKey) -> Result<Option<T>, StateError> {
        self.read_record(statements::RECORD, key)
    }

    /// The record of a hidden session.
    pub fn hidden_record<T: DeserializeOwned>(
        &self,
        key: &SessionKey,
    ) -> Result<Option<T>, StateError> {
        self.read_record(statements::HIDDEN_RECORD, key)
    }

    fn read_record<T: DeserializeOwned>(
        &self,
        sql: &str,
        key: &SessionKey,
    ) -> Result<Option<T>, StateError> {
        let read = |row: &rusqlite::Row<'_>| Ok(packed::unpack(row.get_ref(0)?.as_blob()?));
        self.count_read(1);
        self.db
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row([key.to_string()], read).optional())
            .map(Option::flatten)
            .map_err(|source| self.error(source))
    }

    /// Stores a session's row, and its record as packed by [`pack`].
    pub fn put(&self, key: &SessionKey, row: &Row, record: &Packed) -> Result<(), StateError> {
        let text = key.to_string();
        self.put_record(&text, record)
            .and_then(|record| self.put_row(key, &text, row, record))
            .and_then(|()| self.put_needs(&text, row))
            .map_err(|source| self.error(source))
    }

    /// Stores a record, unless it is unchanged, and returns its number.
    fn put_record(&self, key: &str, record: &Packed) -> rusqlite::Result<i64> {
        let known: Option<i64> = self
            .db
            .prepare_cached(statements::RECORD_OF)?
            .query_row([key], |row| row.get(0))
            .optional()?;
        match known {
            Some(id) => {
                let mut query = self.db.prepare_cached(statements::PUT_RECORD)?;
                query.execute(params![id, record.bytes()])?;
                Ok(id)
            }
            None => {
                let mut query = self.db.prepare_cached(statements::ADD_RECORD)?;
                query.insert([record.bytes()])
            }
        }
    }

    fn put_row(
        &self,
        key: &SessionKey,
        text: &str,
        row: &Row,
        record: i64,
    ) -> rusqlite::Result<()> {
        let mut query = self.db.prepare_cached(statements::PUT)?;
        let path = row
            .path
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned());
        query.execute(params![
            text,
            key.tool.as_str(),
            row.session,
            row.project,
            row.title,
            row.updated.0,
            row.bytes as i64,
            row.state.as_str(),
            row.reason.map_or("", Reason::as_str),
            row.why,
            row.hint,
            row.split.as_str(),
            row.needs.join("\n"),
            row.devices.join(","),
            path,
            record
        ])?;
        Ok(())
    }

    /// Stores which sessions hold this one's beginning, so that it can be found from those.
    fn put_needs(&self, key: &str, row: &Row) -> rusqlite::Result<()> {
        let statements = [
            statements::NEEDED_BY,
            statements::FORGET_NEEDS,
            statements::PUT_NEED,
        ];
        self.put_links(key, row.needs.iter().map(String::as_str), statements)
    }

    /// Stores which sessions must be there before this one is, so that it can be found from those.
    pub fn put_required<'a>(
        &self,
        key: &SessionKey,
        required: impl Iterator<Item = &'a str>,
    ) -> Result<(), StateError> {
        let statements = [
            statements::REQUIRED_BY,
            statements::FORGET_REQUIRED,
            statements::PUT_REQUIRED,
        ];
        self.put_links(&key.to_string(), required, statements)
            .map_err(|source| self.error(source))
    }

    /// Stores to which sessions this one is linked, unless that is known.
    fn put_links<'a>(
        &self,
        key: &str,
        linked: impl Iterator<Item = &'a str>,
        [known, forget, put]: [&str; 3],
    ) -> rusqlite::Result<()> {
        let mut linked: Vec<&str> = linked.collect();
        linked.sort_unstable();
        linked.dedup();
        let known: Vec<String> = self
            .db
            .prepare_cached(known)?
            .query_map([key], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if known == linked {
            return Ok(());
        }
        self.db.prepare_cached(forget)?.execute([key])?;
        for session in linked {
            self.db
                .prepare_cached(put)?
                .execute(params![session, key])?;
        }
        Ok(())
    }

    /// Sizes of all segments at the last reading.
    pub fn segments(&self) -> Result<std::collections::HashMap<String, u64>, StateError> {
        self.db
            .prepare_cached(statements::SEGMENTS)
            .and_then(|mut query| {
                query
                    .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?
                    .collect()
            })
            .map_err(|source| self.error(source))
    }

    pub fn put_segment(&self, path: &str, bytes: u64) -> Result<(), StateError> {
        self.db
            .prepare_cached(statements::PUT_SEGMENT)
            .and_then(|mut query| query.execute(params![path, bytes as i64]))
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    pub fn note<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let text: Option<String> = self
            .db
            .query_row(statements::NOTE, [name], |row| row.get(0))
            .optional()
            .map_err(|source| self.error(source))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    pub fn put_note<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StateError> {
        let value = serde_json::to_string(value).expect("a note is plain data");
        self.db
            .execute(statements::PUT_NOTE, params![name, value])
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    /// Every accepted statement of the device lists with its author, each author's in order. `None` if
    /// there is one that this version cannot read.
    pub fn stated<T: DeserializeOwned>(&self) -> Result<Option<Vec<(String, T)>>, StateError> {
        let read = |row: &rusqlite::Row<'_>| {
            let text: String = row.get(1)?;
            Ok((row.get(0)?, serde_json::from_str(&text).ok()))
        };
        let all: Vec<(String, Option<T>)> = self
            .db
            .prepare_cached(statements::STATED)
            .and_then(|mut query| query.query_map([], read)?.collect())
            .map_err(|source| self.error(source))?;
        let known = { all.into_iter() }.map(|(author, stated)| Some((author, stated?)));
        Ok(known.collect())
    }

    /// Adds a statement of a device's list at its place: the frame, and the entry in the frame.
    pub fn add_stated<T: Serialize>(
        &self,
        author: &str,
        (frame, entry): (u64, u32),
        stated: &T,
    ) -> Result<(), StateError> {
        let text = serde_json::to_string(stated).expect("a statement is plain data");
        self.db
            .prepare_cached(statements::ADD_STATED)
            .and_then(|mut query| query.execute(params![author, frame as i64, entry, text]))
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    /// Removes all statements of a device's list.
    pub fn forget_stated(&self, author: &str) -> Result<(), StateError> {
        self.db
            .execute(statements::FORGET_STATED, [author])
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    /// The sessions that hold docs which are shared by many sessions.
    pub fn holders(&self) -> Result<Vec<(SessionKey, DocName)>, StateError> {
        let read = |row: &rusqlite::Row<'_>| {
            let (tool, doc, key): (String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((
                SessionKey {
                    tool: ToolId::new(tool),
                    hash: hash_of(&key),
                },
                DocName::new(doc),
            ))
        };
        self.db
            .prepare_cached(statements::HOLDERS)
            .and_then(|mut query| query.query_map([], read)?.collect())
            .map_err(|source| self.error(source))
    }

    pub fn put_holder(&self, key: &SessionKey, doc: &DocName) -> Result<(), StateError> {
        self.db
            .prepare_cached(statements::PUT_HOLDER)
            .and_then(|mut query| {
                query.execute([key.tool.as_str(), doc.as_str(), &key.to_string()])
            })
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    pub fn forget_holders(&self, key: &SessionKey) -> Result<(), StateError> {
        self.run_each(key, &[statements::FORGET_HOLDERS])
    }

    /// Removes a session from every list; [`Self::show`] undoes that.
    pub fn hide(&self, key: &SessionKey) -> Result<(), StateError> {
        self.together(|state| {
            state.run_each(
                key,
                &[
                    statements::CLEAR_HIDDEN,
                    statements::INTO_HIDDEN,
                    statements::ERASE_SESSION,
                    statements::UNSEARCH,
                    statements::UNSEE,
                ],
            )
        })
    }

    pub fn show(&self, key: &SessionKey) -> Result<(), StateError> {
        self.together(|state| {
            state.run_each(
                key,
                &[
                    statements::CLEAR_SHOWN,
                    statements::INTO_SHOWN,
                    statements::ERASE_HIDDEN,
                ],
            )
        })
    }

    /// The row of a hidden session, as it was in the lists.
    pub fn hidden(&self, key: &SessionKey) -> Result<Option<Row>, StateError> {
        Ok(self
            .select(statements::HIDDEN, [key.to_string()])?
            .pop()
            .map(|(_, row)| row))
    }

    /// Removes everything about a session. Its bytes may remain in unused pages until
    /// [`Self::scrub`].
    pub fn erase(&self, key: &SessionKey) -> Result<(), StateError> {
        let of_session = [
            statements::ERASE_SESSION,
            statements::ERASE_HIDDEN,
            statements::ERASE_HISTORY,
            statements::FORGET_NEEDS,
            statements::FORGET_PART,
            statements::FORGET_REQUIRED,
            statements::UNSEARCH,
            statements::UNSEE,
        ];
        self.rewritten.set(false);
        self.parts.note_change();
        self.together(|state| {
            state.run_each(key, &of_session)?;
            let segments = state
                .db
                .execute(statements::ERASE_SEGMENTS, [format!("/{}/", key.hash)]);
            segments.map(|_| ()).map_err(|source| state.error(source))
        })
    }

    fn run_each(&self, key: &SessionKey, statements: &[&str]) -> Result<(), StateError> {
        let text = key.to_string();
        let run = |sql: &&str| self.db.prepare_cached(sql)?.execute([&text]).map(|_| ());
        statements
            .iter()
            .try_for_each(run)
            .map_err(|source| self.error(source))
    }

    /// Rewrites the file: no erased data remains in it, in its log or in a copy that was set aside.
    /// If somebody still reads the log, the next call only empties that. `secure_delete` in place of
    /// rewriting is not enough: SQLite leaves copies of rows that moved within a page, and old
    /// versions of them, in the page's unallocated space (1 of 70 erased records, measured).
    pub fn scrub(&self) -> Result<(), StateError> {
        if !self.rewritten.get() {
            let rewritten = self.db.execute_batch("VACUUM");
            rewritten.map_err(|source| self.error(source))?;
            self.rewritten.set(true);
        }
        self.empty_log().map_err(|source| self.error(source))?;
        opening::remove_set_aside(&self.path)
    }

    fn empty_log(&self) -> rusqlite::Result<()> {
        self.db.busy_timeout(LOG_WAIT)?;
        // Returns a row, which a batch does not accept: 1 if somebody still reads the log.
        let emptied = self
            .db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        self.db.busy_timeout(BUSY_WAIT)?;
        match emptied? {
            false => Ok(()),
            true => Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                Some("it is being read".into()),
            )),
        }
    }

    /// Frees the pages that were read and are not needed now.
    pub fn shrink_memory(&self) {
        // Without it more memory is held, and nothing else.
        let _ = self.db.execute_batch("PRAGMA shrink_memory");
    }

    /// Runs several writes as one, which the next [`State::commit`] saves together with others.
    /// Until then only this connection sees them, and the end of the process loses them.
    pub fn gather<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        if !self.gathers.get() {
            // What a savepoint may have to take back is little, and not worth a file.
            self.execute("PRAGMA temp_store = MEMORY")?;
            self.execute("BEGIN")?;
            self.gathers.set(true);
        }
        self.execute("SAVEPOINT one")?;
        let done = work(self);
        if done.is_err() {
            self.execute("ROLLBACK TO one")?;
        }
        self.execute("RELEASE one")?;
        done
    }

    /// Saves what was gathered; after an error nothing of it is there.
    pub fn commit(&self) -> Result<(), StateError> {
        if !self.gathers.replace(false) {
            return Ok(());
        }
        let saved = self.execute("COMMIT").inspect_err(|_| {
            // SQLite may have taken the transaction back already.
            let _ = self.execute("ROLLBACK");
        });
        let _ = self.execute("PRAGMA temp_store = DEFAULT");
        saved
    }

    fn execute(&self, statement: &str) -> Result<(), StateError> {
        self.db
            .prepare_cached(statement)
            .and_then(|mut query| query.execute([]).map(|_| ()))
            .map_err(|source| self.error(source))
    }

    /// Runs several writes as one.
    pub fn together<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        if self.gathers.get() {
            return self.gather(work);
        }
        let transaction = self
            .db
            .unchecked_transaction()
            .map_err(|source| self.error(source))?;
        let done = work(self)?;
        transaction.commit().map_err(|source| self.error(source))?;
        Ok(done)
    }
}

fn hash_of(key: &str) -> String {
    key.rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
