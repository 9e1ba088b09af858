//! A thread's row in `threads.db`. It is asked for by id; a listing reads no content.

use super::sidebar::{self, Line};
use super::{NAME, thread};
use crate::adapter::{Stamp, Which, WriteError};
use crate::formats::sqlite::{DbError, columns, insert, open, told, update};
use crate::formats::{fields, jsonl};
use crate::session::{Millis, SessionId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, ToSql, params};
use std::path::{Path, PathBuf};

/// The columns of the table `threads`: those it always had, and those added since. With any other
/// column, the table is not written.
const THREADS: [&str; 5] = ["id", "summary", "updated_at", "data_type", "data"];
const ADDED: [&str; 4] = [
    "parent_id",
    "folder_paths",
    "folder_paths_order",
    "created_at",
];

/// A row with more packed bytes is not read.
const LARGEST: i64 = 128 << 20;

/// A thread as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    pub session: SessionId,
    pub title: String,
    pub updated: Option<Millis>,
    /// In the order in which Zed shows them.
    pub folders: Vec<String>,
    pub stamp: Stamp,
}

pub(super) struct Threads {
    connection: Connection,
    path: PathBuf,
    added: Vec<&'static str>,
}

impl Threads {
    /// `None` without a database, or without its table yet.
    pub fn open(path: &Path, access: OpenFlags) -> Result<Option<Self>, DbError> {
        let connection = match open(path, access) {
            Err(DbError::Absent(_)) => return Ok(None),
            opened => opened?,
        };
        let names = columns(&connection, path, "threads")?;
        if names.is_empty() {
            return Ok(None);
        }
        let unknown = |what: String| {
            let path = path.into();
            Err(DbError::Unknown { path, what })
        };
        if let Some(missing) = THREADS.iter().find(|name| !names.contains(**name)) {
            return unknown(format!("the table `threads` has no column `{missing}`"));
        }
        let is_known = |name: &String| THREADS.iter().chain(&ADDED).any(|known| known == name);
        if let Some(new) = names.iter().find(|name| !is_known(name)) {
            return unknown(format!("the table `threads` has a column `{new}`"));
        }
        let added = ADDED.into_iter().filter(|name| names.contains(*name));
        Ok(Some(Self {
            added: added.collect(),
            connection,
            path: path.into(),
        }))
    }

    pub fn listed(&self, which: Which<'_>) -> Result<Vec<Listed>, DbError> {
        self.rows(which).map_err(|error| told(&self.path, error))
    }

    fn rows(&self, which: Which<'_>) -> rusqlite::Result<Vec<Listed>> {
        let only = match which {
            Which::One(session) => Some(session.as_str()),
            _ => None,
        };
        let added = ADDED.map(|name| match self.added.contains(&name) {
            true => name,
            false => "NULL",
        });
        let sql = format!(
            "SELECT id, summary, updated_at, data_type, length(data), {} FROM threads{}",
            added.join(", "),
            if only.is_some() { " WHERE id = ?1" } else { "" }
        );
        let mut query = self.connection.prepare(&sql)?;
        let mut rows = query.query(rusqlite::params_from_iter(only))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let text = |at: usize| match row.get_ref(at)? {
                ValueRef::Text(text) => Ok(String::from_utf8_lossy(text).into_owned()),
                _ => Ok::<_, rusqlite::Error>(String::new()),
            };
            let id = text(0)?;
            // Other ids name no thread; they could not be carried as file names either.
            if !jsonl::is_uuid(&id) {
                continue;
            }
            let len: i64 = row.get::<_, Option<i64>>(4)?.unwrap_or(0);
            let words = [0, 1, 2, 3, 5, 6, 7, 8].map(text);
            let words = words.into_iter().collect::<rusqlite::Result<Vec<_>>>()?;
            found.push(Listed {
                updated: Millis::parse(&words[2]),
                folders: in_order(&words[5], &words[6]),
                stamp: stamp(&words, len),
                title: words[1].clone(),
                session: SessionId::new(id),
            });
        }
        Ok(found)
    }

    /// The JSON of a thread.
    pub fn json(&self, session: &SessionId) -> Result<Vec<u8>, String> {
        let sql = "SELECT data_type, data FROM threads WHERE id = ?1 AND length(data) <= ?2";
        let read = self
            .connection
            .query_row(sql, params![session.as_str(), LARGEST], |row| {
                let kind: String = row.get(0)?;
                Ok(match row.get_ref(1)? {
                    ValueRef::Blob(data) | ValueRef::Text(data) => thread::unpacked(&kind, data),
                    _ => Err("its data is neither text nor bytes".into()),
                })
            })
            .optional();
        match read {
            Ok(Some(json)) => json,
            Ok(None) => Err(format!("it is not there, or larger than {LARGEST} bytes")),
            Err(error) => Err(told(&self.path, error).to_string()),
        }
    }
}

/// Changes with everything that syncs: Zed sets the time of a thread with each message.
fn stamp(words: &[String], len: i64) -> Stamp {
    let hash = blake3::hash(format!("{words:?}{len}").as_bytes());
    let first: [u8; 8] = std::array::from_fn(|at| hash.as_bytes()[at]);
    let updated = Millis::parse(&words[2]).unwrap_or_default();
    Stamp {
        len: u64::try_from(len).unwrap_or(0),
        mtime_ns: updated.0.saturating_mul(1_000_000),
        ctime_ns: i64::from_le_bytes(first),
        inode: 0,
    }
}

/// Directories, one a line and sorted; `order` has the place of each, separated by commas.
fn in_order(paths: &str, order: &str) -> Vec<String> {
    let places = order.split(',').map(|place| place.trim().parse::<usize>());
    let places = places.map(Result::ok).chain(std::iter::repeat(None));
    let mut paths: Vec<_> = places.zip(paths.lines()).collect();
    paths.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
    let paths = paths.into_iter().map(|(_, path)| path.to_owned());
    paths.filter(|path| !path.is_empty()).collect()
}

/// What is to be written of a thread.
pub(super) struct NewRow<'a> {
    pub session: &'a SessionId,
    /// The row that is expected there; `None` if none is.
    pub was: Option<Stamp>,
    /// The thread's document; `None` to delete the row.
    pub document: Option<&'a [u8]>,
    pub cwd: &'a str,
}

impl NewRow<'_> {
    /// Writes the row, and its lines in the sidebars, if the row is still the expected one. Returns
    /// the row's new stamp. Nothing of the sidebars stays if the row is not written.
    pub fn write(
        &self,
        path: &Path,
        sidebars: &[PathBuf],
        still_free: &dyn Fn() -> Result<(), WriteError>,
    ) -> Result<Stamp, WriteError> {
        let threads = Threads::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(refused)?;
        let threads = threads.ok_or_else(|| WriteError::Changed(path.into()))?;
        let run = |sql| {
            let done = threads.connection.execute_batch(sql);
            done.map_err(|error| refused(told(path, error)))
        };
        // Dropped without a commit, the connection takes everything back.
        run("BEGIN IMMEDIATE")?;
        let listed = || threads.listed(Which::One(self.session)).map_err(refused);
        let here = listed()?.pop();
        if here.as_ref().map(|row| row.stamp) != self.was {
            return Err(WriteError::Changed(path.into()));
        }
        let new = self.json(&threads, here.is_some())?;
        let changed = self.change(&threads, here.as_ref(), new.as_deref());
        changed.map_err(|error| refused(told(path, error)))?;
        let lines = self.lines(sidebars, new.as_deref()).map_err(refused)?;
        still_free()?;
        run("COMMIT")?;
        // A sidebar that fails now lacks the line, which loses nothing.
        for line in lines {
            drop(line.execute_batch("COMMIT"));
        }
        match (listed()?.pop(), &new) {
            (None, None) => Ok(Stamp::default()),
            (Some(row), Some(new)) if threads.json(self.session).as_ref() == Ok(new) => {
                Ok(row.stamp)
            }
            _ => Err(WriteError::Changed(path.into())),
        }
    }

    /// The JSON to store, with the fields that only this device has.
    fn json(&self, threads: &Threads, is_here: bool) -> Result<Option<Vec<u8>>, WriteError> {
        let own = || is_here.then(|| threads.json(self.session)).transpose();
        let new = |document| thread::stored(document, own()?.as_deref());
        self.document.map(new).transpose().map_err(|why| {
            let session = self.session;
            WriteError::Refused(format!("{NAME}'s thread {session} is not written: {why}"))
        })
    }

    fn change(
        &self,
        threads: &Threads,
        here: Option<&Listed>,
        new: Option<&[u8]>,
    ) -> rusqlite::Result<usize> {
        let (connection, id) = (&threads.connection, self.session.as_str());
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
        if here.is_none_or(|here| here.folders.iter().all(|dir| dir != self.cwd)) {
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
        row.retain(|(name, _)| !ADDED.contains(name) || threads.added.contains(name));
        match here {
            None => insert(connection, "threads", &row),
            Some(_) => update(connection, "threads", ("id", &id), &row),
        }
    }

    /// The thread's lines in the sidebars, in transactions that are still open. A sub-agent's
    /// thread has none.
    fn lines(&self, sidebars: &[PathBuf], new: Option<&[u8]>) -> Result<Vec<Connection>, DbError> {
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
        sidebars.iter().filter_map(put).collect()
    }
}

/// The time as Zed writes it into a column.
fn updated(json: &[u8]) -> String {
    let at = fields::text(json, "updated_at").unwrap_or_default();
    at.strip_suffix('Z')
        .map(|at| format!("{at}+00:00"))
        .unwrap_or(at)
}

fn refused(error: DbError) -> WriteError {
    match error {
        // Whoever holds it has Zed's threads open, and will let go.
        DbError::Busy(_) => WriteError::Live(error.to_string()),
        DbError::Sqlite { ref source, .. } => WriteError::Refused(format!("{error}: {source}")),
        error => WriteError::Refused(error.to_string()),
    }
}
