//! The engine's memory between starts, in one SQLite file. The list of sessions can be rebuilt from
//! the vault and the tools' stores, so a lost or broken file never costs a session. What the user
//! decided on this device, such as deletions, is in this file only.

mod older;
mod opening;
mod packed;
mod parts;
mod searched;
mod seen;
mod statements;

pub use packed::{Packed, pack};
pub use seen::Seen;

use crate::session::{
    DocName, HistoryKind, Millis, Reason, SessionKey, SessionState, SplitState, ToolId,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::ops::ControlFlow;
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

/// So many of the newest happenings are kept, and all of so many milliseconds.
const HISTORY_KEPT: u32 = 20_000;
const HISTORY_KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// The most happenings that are removed at once.
const HISTORY_AT_ONCE: i64 = 500;

/// How long emptying the log waits for those who read it.
const LOG_WAIT: Duration = Duration::from_millis(50);
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// The columns of a session that lists and filters need without reading its record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub session: String,
    pub project: String,
    pub title: String,
    pub updated: Millis,
    pub bytes: u64,
    pub state: SessionState,
    pub reason: Option<Reason>,
    pub why: String,
    pub hint: String,
    pub split: SplitState,
    /// The session that holds this one's beginning: as recorded, as its file here states, and as it
    /// should state; empty if the session stands alone.
    pub needs: Vec<String>,
    /// Short ids of the devices that have a journal of the session.
    pub devices: Vec<String>,
    pub path: Option<PathBuf>,
}

impl Row {
    /// Whether there is nothing of the session but a file here without a complete record.
    pub fn is_unfinished(&self) -> bool {
        self.reason == Some(Reason::Arriving) && self.path.is_some() && self.devices.is_empty()
    }
}

/// How many sessions of a tool are in one state for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateCount {
    pub reason: Option<Reason>,
    pub tool: ToolId,
    pub sessions: u64,
}

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

    /// All sessions, newest first, of one tool or of all.
    pub fn rows(&self, tool: Option<&str>) -> Result<Vec<(SessionKey, Row)>, StateError> {
        match tool {
            Some(tool) => self.select(statements::ROWS_OF_TOOL, [tool]),
            None => self.select(statements::ROWS, []),
        }
    }

    /// Calls `each` with one session after the other, newest first, until it breaks off: from the
    /// beginning, or those that come after a session of this time and key.
    pub fn each_from(
        &self,
        after: Option<(Millis, &SessionKey)>,
        mut each: impl FnMut(SessionKey, Row) -> ControlFlow<()>,
    ) -> Result<(), StateError> {
        let (updated, key) = match after {
            Some((updated, key)) => (updated.0, key.to_string()),
            None => (i64::MAX, String::new()),
        };
        let mut read = || -> rusqlite::Result<()> {
            let mut query = self.db.prepare_cached(statements::PAGE)?;
            let mut rows = query.query(params![updated, key])?;
            while let Some(row) = rows.next()? {
                let (key, row) = read_row(row)?;
                self.count_read(1);
                if each(key, row).is_break() {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|source| self.error(source))
    }

    /// The newest sessions to which another device than `own` added.
    pub fn newest_of_others(
        &self,
        own: &str,
        limit: u32,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let mut found = Vec::new();
        // There are few distinct lists of devices, however many sessions there are.
        for devices in self.each_text(statements::NEXT_DEVICES, |last| params_of([last]))? {
            if devices != own {
                found.extend(self.select(statements::NEWEST_OF_DEVICES, params![devices, limit])?);
            }
        }
        found.sort_by(|(key, row), (other_key, other)| {
            other
                .updated
                .cmp(&row.updated)
                .then_with(|| key.to_string().cmp(&other_key.to_string()))
        });
        found.truncate(limit as usize);
        Ok(found)
    }

    /// The sessions of which a device has a journal. The cost depends on the result.
    pub fn of_device(&self, short: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let mut found = Vec::new();
        for devices in self.each_text(statements::NEXT_DEVICES, |last| params_of([last]))? {
            if list(&devices, ',').iter().any(|device| device == short) {
                found.extend(self.select(statements::NEWEST_OF_DEVICES, params![devices, -1])?);
            }
        }
        Ok(found)
    }

    /// The sessions whose id starts with `prefix`.
    pub fn find(&self, prefix: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(
            statements::STARTING,
            [prefix, &format!("{prefix}{}", char::MAX)],
        )
    }

    /// The newest sessions in this state for this reason; none that are simply here.
    pub fn newest_with(
        &self,
        state: SessionState,
        reason: Option<Reason>,
        limit: u32,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let code = reason.map_or("", Reason::as_str);
        self.select(
            statements::WITH_STATE_AND_CODE,
            params![state.as_str(), code, limit],
        )
    }

    /// How many sessions are in this state, by reason and tool. Nothing is counted: the numbers are
    /// kept with every change.
    pub fn counts(&self, state: SessionState) -> Result<Vec<StateCount>, StateError> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
        let named: Vec<(String, i64)> = self
            .db
            .prepare_cached(statements::COUNTS_BY_STATE)
            .and_then(|mut query| {
                let (from, to) = (format!("{state}/"), format!("{state}0"));
                query.query_map([from, to], read)?.collect()
            })
            .map_err(|source| self.error(source))?;
        let count = |(name, n): (String, i64)| {
            let mut parts = name.splitn(3, '/').skip(1);
            Some(StateCount {
                reason: parts.next()?.parse().ok(),
                tool: ToolId::new(parts.next()?),
                sessions: n.unsigned_abs(),
            })
        };
        Ok(named.into_iter().filter_map(count).collect())
    }

    /// The split sessions, decided or not.
    pub fn with_split(&self) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::WITH_SPLIT, [])
    }

    /// Number of splits that the user has not decided.
    pub fn open_splits(&self) -> Result<u64, StateError> {
        self.number(statements::OPEN_SPLITS, [SplitState::Decided.as_str()])
    }

    /// The sessions whose beginning is in this one.
    pub fn needing(&self, session: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::NEEDING, [session])
    }

    /// The sessions that open only as long as this one is there: their beginning is in it, or their
    /// tool shows them with it.
    pub fn depending(&self, session: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::DEPENDING, [session])
    }

    /// The sessions of a tool with this reason. The cost depends on the number of results only.
    pub fn of_tool_with_reason(
        &self,
        tool: &ToolId,
        reason: Reason,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let params = [reason.as_str(), tool.as_str()];
        self.select(statements::WITH_CODE_OF_TOOL, params)
    }

    /// The session of a tool with this reason that comes after another one, in the order of the keys.
    pub fn next_of_tool_with_reason(
        &self,
        tool: &ToolId,
        reason: Reason,
        after: &str,
    ) -> Result<Option<(SessionKey, Row)>, StateError> {
        let params = [reason.as_str(), tool.as_str(), after];
        let found = self.select(statements::NEXT_WITH_CODE_OF_TOOL, params)?;
        Ok(found.into_iter().next())
    }

    /// The sessions of a project with this reason. The cost depends on the number of results only.
    pub fn of_project_with_reason(
        &self,
        project: &str,
        reason: Reason,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::IN_PROJECT, [reason.as_str(), project])
    }

    /// The sessions with this reason. The cost depends on the number of results only.
    pub fn with_reason(&self, reason: Reason) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::WITH_CODE, [reason.as_str()])
    }

    /// The sessions of a project and of directories inside it that do not wait for anything
    /// outside. The cost depends on the result.
    pub fn settled_in_project(&self, project: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let (from, to) = (format!("{project}#"), format!("{project}$"));
        let mut found = Vec::new();
        for code in ["", Reason::Split.as_str(), Reason::Rewritten.as_str()] {
            found.extend(self.select(statements::IN_PROJECT, [code, project])?);
            found.extend(self.select(
                statements::BELOW_PROJECT,
                [code, from.as_str(), to.as_str()],
            )?);
        }
        Ok(found)
    }

    /// One session of each project that has sessions with this reason.
    pub fn one_of_each_project(
        &self,
        reason: Reason,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let (code, mut found) = (reason.as_str(), Vec::new());
        for project in self.each_text(statements::NEXT_PROJECT, |last| params_of([code, last]))? {
            found.extend(self.select(statements::ONE_OF_PROJECT, [code, project.as_str()])?);
        }
        Ok(found)
    }

    /// Whether any session is of this project. The cost depends on the number of reasons only.
    pub fn has_project(&self, project: &str) -> Result<bool, StateError> {
        let mut codes = self.each_text(statements::NEXT_CODE, |last| params_of([last]))?;
        codes.push(String::new());
        for code in codes {
            let found = self.select(statements::ONE_OF_PROJECT, [code.as_str(), project])?;
            if !found.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn row(&self, key: &SessionKey) -> Result<Option<Row>, StateError> {
        Ok(self
            .select(statements::ROW, [key.to_string()])?
            .pop()
            .map(|(_, row)| row))
    }

    /// How many sessions are known.
    pub fn count(&self) -> Result<u64, StateError> {
        self.number(statements::COUNT, [])
    }

    /// Number of sessions that have begun to arrive without a description yet; they are in no list.
    pub fn nameless(&self) -> Result<u64, StateError> {
        self.number(statements::NAMELESS, [])
    }

    fn number(&self, sql: &str, params: impl rusqlite::Params) -> Result<u64, StateError> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row(params, |row| row.get::<_, i64>(0)))
            .map(i64::unsigned_abs)
            .map_err(|source| self.error(source))
    }

    /// All distinct texts that are not empty, from an index: the statement returns the next one.
    fn each_text(
        &self,
        sql: &str,
        params: impl Fn(&str) -> Vec<String>,
    ) -> Result<Vec<String>, StateError> {
        let mut found: Vec<String> = Vec::new();
        loop {
            let params = params(found.last().map_or("", String::as_str));
            let next = self.db.prepare_cached(sql).and_then(|mut query| {
                query
                    .query_row(rusqlite::params_from_iter(params), |row| row.get(0))
                    .optional()
            });
            match next.map_err(|source| self.error(source))? {
                Some(text) => found.push(text),
                None => return Ok(found),
            }
        }
    }

    fn select(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let found: rusqlite::Result<Vec<_>> = self
            .db
            .prepare_cached(sql)
            .and_then(|mut query| query.query_map(params, read_row)?.collect());
        self.count_read(found.as_ref().map_or(0, Vec::len));
        found.map_err(|source| self.error(source))
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

fn params_of<const N: usize>(params: [&str; N]) -> Vec<String> {
    params.map(str::to_owned).into()
}

fn hash_of(key: &str) -> String {
    key.rsplit('/').next().unwrap_or_default().to_owned()
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(SessionKey, Row)> {
    let key: String = row.get(0)?;
    let key = SessionKey {
        tool: ToolId::new(row.get::<_, String>(1)?),
        hash: hash_of(&key),
    };
    let found = Row {
        session: row.get(2)?,
        project: row.get(3)?,
        title: row.get(4)?,
        updated: Millis(row.get(5)?),
        bytes: row.get::<_, i64>(6)? as u64,
        // What another version wrote and this one does not know is reconciled anew.
        state: row.get::<_, String>(7)?.parse().unwrap_or_default(),
        reason: row.get::<_, String>(8)?.parse().ok(),
        why: row.get(9)?,
        hint: row.get(10)?,
        split: SplitState::parse(&row.get::<_, String>(11)?),
        needs: list(&row.get::<_, String>(12)?, '\n'),
        devices: list(&row.get::<_, String>(13)?, ','),
        path: row.get::<_, Option<String>>(14)?.map(PathBuf::from),
    };
    Ok((key, found))
}

/// A list as a column keeps it.
fn list(text: &str, between: char) -> Vec<String> {
    let parts = text.split(between).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
