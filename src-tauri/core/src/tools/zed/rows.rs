//! A thread's row in `threads.db`. It is asked for by id; a listing reads no content.

use super::sidebar::{self, Line};
use super::{N_COLUMNS, NAME, thread};
use crate::adapter::{Stamp, WriteError};
use crate::formats::fields;
use crate::formats::record_set::{self, Database, NewRows, Table};
use crate::formats::sqlite::{DbError, insert, update};
use crate::session::{Millis, SessionId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use std::path::PathBuf;

/// The columns that the table always had, and those added since.
pub(super) const THREADS: Table<'_> = Table {
    name: "threads",
    columns: &["id", "summary", "updated_at", "data_type", "data"],
    more: Some(&ADDED),
};
const ADDED: [&str; 4] = [
    "parent_id",
    "folder_paths",
    "folder_paths_order",
    "created_at",
];

/// The columns that a listing reads: all but the data.
pub(super) const LISTED: [&str; N_COLUMNS] = [
    "id",
    "summary",
    "updated_at",
    "data_type",
    "parent_id",
    "folder_paths",
    "folder_paths_order",
    "created_at",
];

/// A row with more packed bytes is not read.
const LARGEST: i64 = 128 << 20;

pub(super) type Row = record_set::Row<N_COLUMNS>;
pub(super) type RecordSet<'a> = record_set::RecordSet<'a, N_COLUMNS>;

/// Changes with everything that syncs: Zed sets the time of a thread with each message.
pub(super) fn stamp(database: &Database, words: &[String; N_COLUMNS]) -> rusqlite::Result<Stamp> {
    let sql = "SELECT coalesce(length(data), 0) FROM threads WHERE id = ?1";
    let mut query = database.connection.prepare_cached(sql)?;
    let len: i64 = query.query_row([&words[0]], |row| row.get(0))?;
    let facts = format!("{words:?}{len}");
    let updated = Millis::parse(&words[2]).unwrap_or_default();
    let len = u64::try_from(len).unwrap_or(0);
    Ok(Stamp::made(len, updated, facts.as_bytes()))
}

/// The directories of a thread, in the order in which Zed shows them.
pub(super) fn folders(row: &Row) -> Vec<String> {
    let [.., paths, order, _] = &row.columns;
    // One a line and sorted; `order` has the place of each, separated by commas.
    let places = order.split(',').map(|place| place.trim().parse::<usize>());
    let places = places.map(Result::ok).chain(std::iter::repeat(None));
    let mut paths: Vec<_> = places.zip(paths.lines()).collect();
    paths.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
    let paths = paths.into_iter().map(|(_, path)| path.to_owned());
    paths.filter(|path| !path.is_empty()).collect()
}

/// The JSON of a thread.
pub(super) fn json(database: &Database, session: &SessionId) -> Result<Vec<u8>, String> {
    let sql = "SELECT data_type, data FROM threads WHERE id = ?1 AND length(data) <= ?2";
    let unpacked = |row: &rusqlite::Row<'_>| {
        let kind: String = row.get(0)?;
        Ok(match row.get_ref(1)? {
            ValueRef::Blob(data) | ValueRef::Text(data) => thread::unpacked(&kind, data),
            _ => Err("its data is neither text nor bytes".into()),
        })
    };
    let key = params![session.as_str(), LARGEST];
    let read = database.connection.query_row(sql, key, unpacked).optional();
    match read {
        Ok(Some(json)) => json,
        Ok(None) => Err(format!("it is not there, or larger than {LARGEST} bytes")),
        Err(error) => Err(database.error_of(error).to_string()),
    }
}

/// A thread's row as it is to be.
pub(super) struct NewThread<'a> {
    pub set: &'a RecordSet<'a>,
    pub database: &'a Database,
    /// The databases with the sidebars.
    pub sidebars: &'a [PathBuf],
    pub session: &'a SessionId,
    /// The thread's document; `None` to delete the row.
    pub document: Option<&'a [u8]>,
    pub cwd: &'a str,
}

/// The JSON that was stored, and the transactions of the sidebars, which are still open.
pub(super) struct Left {
    json: Option<Vec<u8>>,
    lines: Vec<Connection>,
}

impl NewRows for NewThread<'_> {
    type Left = Left;

    fn stamp(&self) -> Result<Option<Stamp>, WriteError> {
        Ok(self.here()?.map(|row| row.stamp))
    }

    fn change(&self) -> Result<Left, WriteError> {
        let here = self.here()?;
        let json = self.json(here.is_some())?;
        let changed = self.put(here.as_ref(), json.as_deref());
        changed.map_err(|error| self.database.error_of(error))?;
        let lines = self.lines(json.as_deref())?;
        Ok(Left { json, lines })
    }

    fn check_arrived(&self, left: Left) -> Result<(), WriteError> {
        // A sidebar that fails now lacks the line, which loses nothing.
        for line in left.lines {
            drop(line.execute_batch("COMMIT"));
        }
        let has_arrived = match left.json {
            Some(new) => json(self.database, self.session) == Ok(new),
            None => self.here()?.is_none(),
        };
        match has_arrived {
            true => Ok(()),
            false => Err(WriteError::Changed(self.database.path.clone())),
        }
    }
}

impl NewThread<'_> {
    fn here(&self) -> Result<Option<Row>, DbError> {
        let rows = self.set.rows_in(self.database, Some(self.session));
        let rows = rows.map_err(|error| self.database.error_of(error));
        rows.map(|mut rows| rows.pop())
    }

    /// The JSON to store, with the fields that only this device has.
    fn json(&self, is_here: bool) -> Result<Option<Vec<u8>>, WriteError> {
        let own = || is_here.then(|| json(self.database, self.session));
        let new = |document| thread::stored(document, own().transpose()?.as_deref());
        let new = self.document.map(new).transpose();
        new.map_err(|why| WriteError::not_written(NAME, self.session, &why))
    }

    fn put(&self, here: Option<&Row>, new: Option<&[u8]>) -> rusqlite::Result<usize> {
        let (connection, id) = (&self.database.connection, self.session.as_str());
        let Some(json) = new else {
            return connection.execute("DELETE FROM threads WHERE id = ?1", [id]);
        };
        let packed = zstd::encode_all(json, 3)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let (title, updated) = (thread::title(json), updated(json));
        let parent = thread::parent(json).map(|parent| parent.to_string());
        // The storage classes are those that Zed itself binds: texts, and the data as bytes.
        let mut row: Vec<(&str, &dyn ToSql)> = vec![
            ("summary", &title),
            ("updated_at", &updated),
            ("data_type", &"zstd"),
            ("data", &packed),
        ];
        // A thread that this device has in several directories keeps them.
        if here.is_none_or(|here| folders(here).iter().all(|dir| dir != self.cwd)) {
            row.extend([
                ("folder_paths", &self.cwd as _),
                ("folder_paths_order", &"0" as _),
            ]);
        }
        if here.is_none() {
            row.extend([
                ("id", &id as _),
                ("parent_id", &parent as _),
                ("created_at", &updated as _),
            ]);
        }
        row.retain(|(name, _)| self.database.has("threads", name));
        match here {
            None => insert(connection, "threads", &row),
            Some(_) => update(connection, "threads", ("id", &id), &row),
        }
    }

    /// The thread's lines in the sidebars. A sub-agent's thread has none.
    fn lines(&self, new: Option<&[u8]>) -> Result<Vec<Connection>, DbError> {
        if new.is_some_and(|json| thread::parent(json).is_some()) {
            return Ok(Vec::new());
        }
        let line = |json| Line {
            session: self.session.as_str(),
            title: thread::title(json).unwrap_or_default(),
            updated: updated(json),
            cwd: self.cwd,
        };
        let line = new.map(line);
        let put = |path: &PathBuf| sidebar::put(path, self.session, line.as_ref()).transpose();
        self.sidebars.iter().filter_map(put).collect()
    }
}

/// The time as Zed writes it into a column.
fn updated(json: &[u8]) -> String {
    let at = fields::text(json, "updated_at").unwrap_or_default();
    at.strip_suffix('Z')
        .map(|at| format!("{at}+00:00"))
        .unwrap_or(at)
}
