//! Another program's SQLite database, opened as a guest: never created, never through a link, with
//! its write-ahead log, and with locks that last only as long as one read or one short transaction.
//!
//! A copy of the file, or an immutable open, would lack what is only in the log yet. Whether a
//! table is the one that is known is decided by its columns, before anything is written. Knows no
//! tool.

use super::vscode::{self, System};
use crate::adapter::Stamp;
use crate::opener;
use crate::session::problem::with_causes;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, ToSql};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A running program holds its write lock for milliseconds.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("{} is not there yet", .0.display())]
    Absent(PathBuf),
    #[error("{} is a symbolic link or no file; it is not opened", .0.display())]
    NoFile(PathBuf),
    #[error("{} is in use by another program", .0.display())]
    Busy(PathBuf),
    #[error("{} cannot be read: it is damaged or no SQLite database", .0.display())]
    Damaged(PathBuf),
    /// The last writer was interrupted. The next program with write access repairs the database.
    #[error("{} was left in the middle of a write, which its editor puts right at its next start", .0.display())]
    Interrupted(PathBuf),
    #[error("{} is of a shape that is not known: {what}", .path.display())]
    Unknown { path: PathBuf, what: String },
    /// `has` is "no" for a column that is missing, and "a" for one that is not known.
    #[error("the table `{table}` of {} has {has} column `{column}`", .path.display())]
    Column {
        path: PathBuf,
        table: String,
        has: &'static str,
        column: String,
    },
    #[error("the value of \"{key}\" in {} changed meanwhile", .path.display())]
    Changed { path: PathBuf, key: String },
    #[error("{} could not be used", .path.display())]
    Sqlite {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("{} could not be looked at", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl DbError {
    /// The error with its cause, without a full stop.
    pub fn with_cause(&self) -> String {
        let text = with_causes(self);
        text.trim_end_matches('.').to_owned()
    }
}

/// Opens an existing database. A database in WAL mode is read with its log, also while another
/// process has it open.
pub fn open(path: &Path, access: OpenFlags) -> Result<Connection, DbError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(DbError::NoFile(path.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DbError::Absent(path.into()));
        }
        Err(source) => {
            return Err(DbError::Io {
                path: path.into(),
                source,
            });
        }
    }
    // Never created: a program would adopt an empty database of ours as its own.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match at_rest(path).filter(|_| access == OpenFlags::SQLITE_OPEN_READ_ONLY) {
        Some(uri) => Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
            .or_else(|_| Connection::open_with_flags(path, flags)),
        None => Connection::open_with_flags(path, flags),
    }
    .map_err(|error| error_of(path, error))?;
    connection
        .busy_timeout(PATIENCE)
        .map_err(|error| error_of(path, error))?;
    Ok(connection)
}

/// The address of a database in WAL mode that nobody has open, which is whole without its log: read
/// in any other way, it would get an empty log and an index of the log beside it, from a reader. A
/// program that opens the database during such a read begins a log and leaves the file alone until
/// the log is full or the program ends; the next reading sees what was written.
fn at_rest(path: &Path) -> Option<String> {
    /// The byte of the header that tells which journal readers need, and its value for a log.
    const READ_VERSION: (usize, u8) = (19, 2);
    if beside(path, "-wal").exists() {
        return None;
    }
    let mut header = [0; 20];
    opener::file(path).ok()?.read_exact(&mut header).ok()?;
    let uri = vscode::uri_of(path.to_str()?, System::HERE);
    (header[READ_VERSION.0] == READ_VERSION.1).then(|| format!("{uri}?immutable=1"))
}

/// The result of `read`, which opens the database and reads it, repeated while somebody writes: a
/// database that nobody had open is read without a lock, and may be opened and written meanwhile.
/// `None` if it never came to rest.
pub fn read_consistent<T>(path: &Path, read: impl Fn() -> T) -> Option<T> {
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        let [file, log] = version(path);
        let read = read();
        // With a log, SQLite itself saw to one state of the database.
        if log.is_some() || version(path) == [file, log] {
            return Some(read);
        }
    }
    None
}

/// The error of a query, in words of the file.
pub fn error_of(path: &Path, error: rusqlite::Error) -> DbError {
    const READONLY_ROLLBACK: i32 = 776;
    let path = path.to_path_buf();
    match error.sqlite_error() {
        Some(failed) if failed.extended_code == READONLY_ROLLBACK => DbError::Interrupted(path),
        Some(failed) => match failed.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => DbError::Busy(path),
            ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => DbError::Damaged(path),
            _ => DbError::Sqlite {
                path,
                source: error,
            },
        },
        None => DbError::Sqlite {
            path,
            source: error,
        },
    }
}

/// The stamps of a database and of its write-ahead log. Equal stamps mean equal content.
pub type Version = [Option<Stamp>; 2];

pub fn version(database: &Path) -> Version {
    [
        Stamp::of(database).ok(),
        Stamp::of(&beside(database, "-wal")).ok(),
    ]
}

/// What was read in each database, kept until the database changes.
#[derive(Debug)]
pub struct Kept<T>(Mutex<BTreeMap<PathBuf, (Version, T)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Kept<T> {
    /// The result of `read`, or the kept one of a database that did not change since.
    pub fn of<E>(&self, path: &Path, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let (now, kept) = (version(path), || {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        });
        if let Some((_, known)) = kept().get(path).filter(|(then, _)| *then == now) {
            return Ok(known.clone());
        }
        let read = read()?;
        // A database that was written meanwhile has no version.
        match now == version(path) {
            true => drop(kept().insert(path.into(), (now, read.clone()))),
            false => drop(kept().remove(path)),
        }
        Ok(read)
    }
}

/// A file that SQLite keeps beside a database: `x.db-wal` for `x.db`.
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    name.into()
}

fn unknown(path: &Path, what: &str, table: &str) -> DbError {
    DbError::Unknown {
        path: path.into(),
        what: format!("{what} {table}"),
    }
}

/// The columns of an ordinary table; none if there is no such table. A view, a virtual table, a
/// computed column or a trigger runs what somebody else wrote, so with one of them the table is
/// unknown.
pub fn columns(
    connection: &Connection,
    path: &Path,
    table: &str,
) -> Result<BTreeSet<String>, DbError> {
    let (stored, computed) = columns_of(connection, path, table)?;
    let triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?1";
    let triggers = connection.query_row(triggers, [table], |row| row.get::<_, i64>(0));
    if 0 < triggers.map_err(|error| error_of(path, error))? {
        return Err(unknown(path, "it has a trigger on the table", table));
    }
    match computed.is_empty() {
        true => Ok(stored),
        false => Err(unknown(
            path,
            "it has a computed column in the table",
            table,
        )),
    }
}

/// The columns of an ordinary table whose values are stored; none if there is no such table.
/// Reading them runs nothing that somebody else wrote.
pub fn stored_columns(
    connection: &Connection,
    path: &Path,
    table: &str,
) -> Result<BTreeSet<String>, DbError> {
    columns_of(connection, path, table).map(|(stored, _)| stored)
}

/// The columns of an ordinary table that are stored, and those that are computed.
fn columns_of(
    connection: &Connection,
    path: &Path,
    table: &str,
) -> Result<(BTreeSet<String>, BTreeSet<String>), DbError> {
    let sqlite = |error| error_of(path, error);
    // Only what is stored as a table has pages of its own.
    let made: Option<(String, i64)> = connection
        .query_row(
            "SELECT type, rootpage FROM sqlite_master WHERE name = ?1",
            [table],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .map_err(sqlite)?;
    match made {
        None => return Ok(Default::default()),
        Some((kind, page)) if kind != "table" || page <= 0 => {
            return Err(unknown(path, "it has something else for the table", table));
        }
        Some(_) => {}
    }
    let names = "SELECT name, hidden FROM pragma_table_xinfo(?1)";
    let names = connection.prepare(names).and_then(|mut query| {
        let rows = query.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<Vec<(String, i64)>>>()
    });
    let names = names.map_err(sqlite)?.into_iter();
    let (stored, computed): (Vec<_>, Vec<_>) = names.partition(|(_, hidden)| *hidden == 0);
    let [stored, computed] =
        [stored, computed].map(|names| names.into_iter().map(|(name, _)| name));
    Ok((stored.collect(), computed.collect()))
}

/// The columns of a table, whatever kind of table it is. For tables that are only read.
pub fn column_names(connection: &Connection, table: &str) -> rusqlite::Result<BTreeSet<String>> {
    let mut query = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    query.query_map([table], |row| row.get(0))?.collect()
}

/// The values of a row by column. The columns' names are the caller's own, never data.
pub type Values<'a> = [(&'a str, &'a dyn ToSql)];

/// Inserts a row. A value keeps the storage class that it is bound with.
pub fn insert(connection: &Connection, table: &str, row: &Values<'_>) -> rusqlite::Result<usize> {
    let names: Vec<&str> = row.iter().map(|(name, _)| *name).collect();
    let marks = vec!["?"; row.len()].join(", ");
    let sql = format!(
        "INSERT INTO {table} ({}) VALUES ({marks})",
        names.join(", ")
    );
    let values: Vec<&dyn ToSql> = row.iter().map(|(_, value)| *value).collect();
    connection.execute(&sql, &values[..])
}

/// Changes these columns of the rows in which the column `key` has this value. Returns how many
/// there are.
pub fn update(
    connection: &Connection,
    table: &str,
    key: (&str, &dyn ToSql),
    row: &Values<'_>,
) -> rusqlite::Result<usize> {
    let sets: Vec<String> = row.iter().map(|(name, _)| format!("{name} = ?")).collect();
    let sql = format!("UPDATE {table} SET {} WHERE {} = ?", sets.join(", "), key.0);
    let values = row.iter().map(|(_, value)| *value).chain([key.1]);
    connection.execute(&sql, &values.collect::<Vec<_>>()[..])
}

#[cfg(test)]
pub mod held;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_table_has_columns() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("x.db");
        let connection = Connection::open(&path).expect("database");
        let ask = |sql: &str| {
            connection.execute_batch(sql).expect(sql);
            let asked = columns(&connection, &path, "t");
            asked.map_err(|error| error.to_string().split(": ").last().map(str::to_owned))
        };
        let says = |words: &str| Err(Some(words.to_owned()));
        assert_eq!(ask("SELECT 1"), Ok(BTreeSet::new()));
        let plain: BTreeSet<String> = ["a", "b"].map(str::to_owned).into();
        assert_eq!(
            ask("CREATE TABLE t (b TEXT, a BLOB) STRICT"),
            Ok(plain.clone())
        );
        assert_eq!(
            ask("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END"),
            says("it has a trigger on the table t")
        );
        assert_eq!(ask("DROP TRIGGER x"), Ok(plain));
        assert_eq!(
            ask("ALTER TABLE t ADD COLUMN c TEXT AS (a || b)"),
            says("it has a computed column in the table t")
        );
        assert_eq!(
            ask("DROP TABLE t; CREATE VIEW t AS SELECT 1 AS a"),
            says("it has something else for the table t")
        );
        assert_eq!(
            ask("DROP VIEW t; CREATE VIRTUAL TABLE t USING rtree(a, b, c)"),
            says("it has something else for the table t")
        );
    }

    #[test]
    fn a_version_changes_with_the_log_alone() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("x.db");
        let connection = Connection::open(&path).expect("database");
        let batch = |sql: &str| connection.execute_batch(sql).expect(sql);
        batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a); PRAGMA wal_checkpoint");
        let [main, log] = version(&path);
        batch("INSERT INTO t VALUES (1)");
        let [main_now, log_now] = version(&path);
        assert_eq!((main, log == log_now), (main_now, false));
        let read = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("open");
        let rows = read.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
        assert_eq!(rows, Ok(1));
    }

    #[test]
    fn a_database_at_rest_is_read_and_nothing_appears_beside_it() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("Zoë's 100% #1?.db");
        let batch = |sql: &str| {
            let connection = Connection::open(&path).expect("database");
            connection.execute_batch(sql).expect(sql);
        };
        batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
        let rows = || {
            let read = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("open");
            read.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))
        };
        assert_eq!(rows(), Ok(1));
        assert_eq!(fs::read_dir(dir.path()).expect("dir").count(), 1);
        batch("INSERT INTO t VALUES (2)");
        assert_eq!(rows(), Ok(2));
        let held = Connection::open(&path).expect("database");
        held.execute_batch("INSERT INTO t VALUES (3)")
            .expect("insert");
        assert_eq!(rows(), Ok(3), "with the log of a program that has it open");
    }

    #[test]
    fn what_was_read_while_the_database_was_written_is_read_again() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("x.db");
        fs::write(&path, "0").expect("write");
        let times = std::cell::Cell::new(0);
        let read = |until: u32| {
            times.set(times.get() + 1);
            let was = fs::read_to_string(&path).expect("read");
            if times.get() < until {
                fs::write(&path, format!("{was}{}", times.get())).expect("write");
            }
            was
        };
        assert_eq!(read_consistent(&path, || read(3)).as_deref(), Some("012"));
        assert_eq!(times.get(), 3);
        assert_eq!(read_consistent(&path, || read(u32::MAX)), None);
        let before = times.get();
        fs::write(beside(&path, "-wal"), "log").expect("write");
        assert!(read_consistent(&path, || read(u32::MAX)).is_some() && times.get() == before + 1);
    }
}
