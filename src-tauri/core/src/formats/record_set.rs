//! A store whose sessions are rows of another program's database. The databases, their tables and
//! the columns that list a session are declared once; from that follow what a changed path concerns,
//! the listing, a database of another form, and which database and rows a write concerns.
//!
//! A write is one short transaction. It happens only if the rows are still those that the plan saw,
//! and it is read back. Knows no tool.

use super::files;
use super::sqlite::{self, DbError, Kept};
use crate::adapter::{
    Change, Checkout, Found, FoundDoc, Listing, Root, Stamp, Touched, Which, WriteError, Written,
};
use crate::session::{DocKind, DocName, SessionId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A table of a known form.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    pub name: &'a str,
    /// The columns without which the form is not known.
    pub columns: &'a [&'a str],
    /// The columns that some versions of the tool have beside them. With any other column, a trigger
    /// or a computed column the table is read and not written. `None` for a table that is never
    /// written, where all of these may be.
    pub more: Option<&'a [&'a str]>,
}

/// The layout of a tool's store, in which a session is one document. `N` is the number of columns
/// that a listing reads.
pub struct RecordSet<'a, const N: usize> {
    /// The tool's name, for messages.
    pub name: &'a str,
    /// Where the database may be, whether it exists or not. Of a session that is in several of them,
    /// the first counts.
    pub databases: Vec<PathBuf>,
    /// The first table has a row for each session.
    pub tables: &'a [Table<'a>],
    /// The columns of the first table that a listing reads as text, the session's id first.
    pub listed: [&'a str; N],
    /// Whether a text is an id of a session. Rows with other ids are left out.
    pub is_session: fn(&str) -> bool,
    /// The stamp of a session: it changes with everything that syncs.
    pub stamp: fn(&Database, &[String; N]) -> rusqlite::Result<Stamp>,
    /// The name of the document.
    pub doc: &'a str,
    /// What the document's place begins with.
    pub place: &'a str,
}

/// A session as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<const N: usize> {
    pub session: SessionId,
    /// The texts in the listed columns. Empty where a value is no text or the table lacks the column.
    pub columns: [String; N],
    pub stamp: Stamp,
}

/// What a listing reads of a database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed<const N: usize> {
    rows: Vec<Row<N>>,
    /// Why the database is not written.
    unknown: Option<String>,
}

/// The listings of a store's databases that did not change since.
pub type KeptRows<const N: usize> = Kept<Listed<N>>;

/// A database whose tables are of a known form.
pub struct Database {
    pub connection: Connection,
    pub path: PathBuf,
    columns: BTreeMap<String, BTreeSet<String>>,
}

/// What a checkout demands of a store.
#[derive(Debug)]
pub struct Planned {
    /// The database that has the session; `None` for a session that is not here yet.
    pub database: Option<PathBuf>,
    /// The document's new content; `None` if the session is to be removed.
    pub content: Option<Vec<u8>>,
}

impl<'a, const N: usize> RecordSet<'a, N> {
    /// The directories of the databases.
    pub fn roots(&self) -> Vec<Root> {
        let dirs = self.databases.iter().filter_map(|file| file.parent());
        let dirs: BTreeSet<&Path> = dirs.collect();
        let root = |dir: &Path| Root {
            path: dir.into(),
            deep: false,
            store: true,
        };
        dirs.into_iter().map(root).collect()
    }

    /// A change of a database or its log concerns everything: nobody knows which row changed.
    pub fn touched(&self, path: &Path) -> Touched {
        match self.databases.iter().any(|file| is_of(file, path)) {
            true => Touched::Everything,
            false => Touched::Nothing,
        }
    }

    /// Lists the store. `live` names who has a session open.
    pub fn list(
        &self,
        which: Which<'_>,
        kept: &KeptRows<N>,
        open_in: &dyn Fn(&Row<N>) -> Option<String>,
    ) -> Listing {
        let mut listing = Listing::default();
        let only = match which {
            Which::ConflictCopies => return listing,
            Which::One(session) => Some(session),
            Which::All => None,
        };
        for database in &self.databases {
            let listed = || self.listed(database, only);
            let listed = match only {
                Some(_) => listed(),
                None => kept.of(database, listed),
            };
            match listed {
                Ok(listed) => {
                    let rows = listed.rows.into_iter();
                    let found = rows.map(|row| self.found(row, database, open_in));
                    listing.found.extend(found);
                    listing.unknown = listed.unknown.or(listing.unknown);
                }
                Err(error) => listing.unknown = Some(error.with_cause()),
            }
        }
        listing.keep_one_of_each();
        listing
    }

    /// A session of a database, as a listing has it.
    pub fn found(
        &self,
        row: Row<N>,
        database: &Path,
        open_in: &dyn Fn(&Row<N>) -> Option<String>,
    ) -> Found {
        let doc = FoundDoc {
            name: DocName::new(self.doc),
            kind: DocKind::Snapshot,
            place: self.place_of(&row.session),
            path: database.into(),
            stamp: row.stamp,
        };
        Found {
            open_in: open_in(&row),
            session: row.session,
            docs: vec![doc],
        }
    }

    fn place_of(&self, session: &SessionId) -> String {
        format!("{}/{session}/{}", self.place, self.doc)
    }

    fn listed(&self, path: &Path, only: Option<&SessionId>) -> Result<Listed<N>, DbError> {
        let listed = self.see(path, |database| {
            let form = database.check_written(self.tables).err();
            let mut unknown = form.map(|error| error.with_cause());
            let rows = self.each_row(database, only, |id, error| {
                let error = database.error_of(error).with_cause();
                unknown = Some(format!("the rows of {id} are not read: {error}"));
            })?;
            Ok(Listed { rows, unknown })
        });
        listed.map(Option::unwrap_or_default)
    }

    /// The row of a session.
    pub fn row(&self, path: &Path, session: &SessionId) -> Result<Option<Row<N>>, DbError> {
        let rows = self.see(path, |database| self.rows_in(database, Some(session)));
        rows.map(|rows| rows.unwrap_or_default().pop())
    }

    /// The rows in a database that is open. Rows with other ids than those of sessions are left out.
    pub fn rows_in(
        &self,
        database: &Database,
        only: Option<&SessionId>,
    ) -> rusqlite::Result<Vec<Row<N>>> {
        let mut odd = None;
        let rows = self.each_row(database, only, |_, error| odd = Some(error))?;
        odd.map_or(Ok(rows), Err)
    }

    /// The same without the sessions of which a value is of a type that is not known, which are
    /// passed to `odd`.
    fn each_row(
        &self,
        database: &Database,
        only: Option<&SessionId>,
        mut odd: impl FnMut(&str, rusqlite::Error),
    ) -> rusqlite::Result<Vec<Row<N>>> {
        let [table, ..] = self.tables else {
            return Ok(Vec::new());
        };
        let columns = self
            .listed
            .map(|name| match database.has(table.name, name) {
                true => name,
                false => "NULL",
            });
        let mut sql = format!("SELECT {} FROM {}", columns.join(", "), table.name);
        if only.is_some() {
            sql.push_str(&format!(" WHERE {} = ?1", columns[0]));
        }
        let mut query = database.connection.prepare_cached(&sql)?;
        let mut rows = query.query(rusqlite::params_from_iter(only.map(SessionId::as_str)))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let mut words: [String; N] = std::array::from_fn(|_| String::new());
            for (at, word) in words.iter_mut().enumerate() {
                if let ValueRef::Text(text) = row.get_ref(at)? {
                    *word = String::from_utf8_lossy(text).into_owned();
                }
            }
            if (self.is_session)(&words[0]) {
                let stamp = match (self.stamp)(database, &words) {
                    Err(error) if is_of_a_value(&error) => {
                        odd(&words[0], error);
                        continue;
                    }
                    stamp => stamp?,
                };
                let session = SessionId::new(words[0].as_str());
                found.push(Row {
                    session,
                    columns: words,
                    stamp,
                });
            }
        }
        Ok(found)
    }

    /// The result of `read` on one state of the database, whatever is written meanwhile. `None` if
    /// there is no database, or if it has no tables yet.
    pub fn see<T>(
        &self,
        path: &Path,
        read: impl Fn(&Database) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, DbError> {
        let once = || {
            let Some(database) = self.open(path)? else {
                return Ok(None);
            };
            let state = database.connection.unchecked_transaction();
            let seen = state.and_then(|_state| read(&database));
            seen.map(Some).map_err(|error| database.error_of(error))
        };
        sqlite::read_consistent(path, once).unwrap_or_else(|| Err(DbError::Busy(path.into())))
    }

    /// The first of the databases that can be opened.
    pub fn first(&self) -> Option<PathBuf> {
        let access = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let mut here = self.databases.iter();
        here.find(|path| sqlite::open(path, access).is_ok())
            .cloned()
    }

    /// Opens one of the databases to be read; `None` as with [`RecordSet::see`].
    pub fn open(&self, path: &Path) -> Result<Option<Database>, DbError> {
        Database::open(path, self.tables)
    }

    /// Opens one of the databases to be written; `None` as with [`RecordSet::see`].
    pub fn open_to_write(&self, path: &Path) -> Result<Option<Database>, DbError> {
        Database::open_to_write(path, self.tables)
    }

    /// Checks what a checkout demands, before anything is opened for writing.
    pub fn plan(&self, checkout: &Checkout<'_>) -> Result<Planned, WriteError> {
        let (name, session) = (self.name, checkout.session);
        let refused = |why: String| Err(WriteError::Refused(why));
        let [doc] = &checkout.docs[..] else {
            return refused(format!("a session of {name} is one document"));
        };
        let is_known = doc.name.as_str() == self.doc
            && doc.place == self.place_of(session)
            && (self.is_session)(session.as_str());
        if !is_known {
            return refused(format!("\"{}\" is no session of {name}", doc.name));
        }
        if let Change::Append { .. } = doc.change {
            return refused(format!("a session of {name} is written whole"));
        }
        match doc.change.path() {
            Some(path) if !self.databases.iter().any(|known| known == path) => {
                return Err(WriteError::Changed(path.into()));
            }
            Some(_) => {}
            None => {
                for path in &self.databases {
                    if self.row(path, session)?.is_some() {
                        return Err(WriteError::Changed(path.clone()));
                    }
                }
            }
        }
        Ok(Planned {
            database: doc.change.path().map(Path::to_path_buf),
            content: doc.change.content()?,
        })
    }
}

/// Whether an error concerns one value and not the database.
fn is_of_a_value(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(
        error,
        Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::FromSqlConversionFailure(..)
            | Error::Utf8Error(..)
    )
}

/// Whether a path is a database, its log or its directory.
fn is_of(database: &Path, path: &Path) -> bool {
    let Some(names) = database
        .parent()
        .and_then(|dir| files::names_below(dir, path))
    else {
        return false;
    };
    let name = database.file_name().unwrap_or_default().to_string_lossy();
    match &names[..] {
        [] => true,
        [only] => *only == name || only.strip_suffix("-wal") == Some(&name),
        _ => false,
    }
}

impl Database {
    /// Opens a database that has these tables, to be read. `None` if the file is missing, or if the
    /// program has created it without tables so far, except perhaps a table of its migrations.
    pub fn open(path: &Path, tables: &[Table<'_>]) -> Result<Option<Self>, DbError> {
        Self::opened(path, OpenFlags::SQLITE_OPEN_READ_ONLY, tables)
    }

    /// The same to be written: an error if one of the tables is not of a form in which that is
    /// safe.
    pub fn open_to_write(path: &Path, tables: &[Table<'_>]) -> Result<Option<Self>, DbError> {
        let opened = Self::opened(path, OpenFlags::SQLITE_OPEN_READ_WRITE, tables)?;
        opened
            .map(|database| database.check_written(tables).map(|()| database))
            .transpose()
    }

    fn opened(
        path: &Path,
        access: OpenFlags,
        tables: &[Table<'_>],
    ) -> Result<Option<Self>, DbError> {
        let connection = match sqlite::open(path, access) {
            Err(DbError::Absent(_)) => return Ok(None),
            opened => opened?,
        };
        let begun = "SELECT count(*) FROM sqlite_master \
                     WHERE name NOT LIKE '%migration%' AND name NOT GLOB 'sqlite_*'";
        let begun = connection.query_row(begun, [], |row| row.get::<_, i64>(0));
        if begun.map_err(|error| sqlite::error_of(path, error))? == 0 {
            return Ok(None);
        }
        let mut columns = BTreeMap::new();
        for table in tables {
            columns.insert(table.name.into(), table.columns_in(&connection, path)?);
        }
        Ok(Some(Self {
            connection,
            path: path.into(),
            columns,
        }))
    }

    /// An error if one of the tables cannot be written as it is.
    fn check_written(&self, tables: &[Table<'_>]) -> Result<(), DbError> {
        let check = |table: &Table<'_>| table.check_written(&self.connection, &self.path);
        tables.iter().try_for_each(check)
    }

    pub fn has(&self, table: &str, column: &str) -> bool {
        let columns = self.columns.get(table);
        columns.is_some_and(|columns| columns.contains(column))
    }

    /// The error of a query.
    pub fn error_of(&self, error: rusqlite::Error) -> DbError {
        sqlite::error_of(&self.path, error)
    }
}

impl Table<'_> {
    /// The columns of the table in a database, if it has those without which nothing can be read.
    fn columns_in(
        &self,
        connection: &Connection,
        path: &Path,
    ) -> Result<BTreeSet<String>, DbError> {
        let names = match self.more {
            Some(_) => sqlite::stored_columns(connection, path, self.name)?,
            None => sqlite::column_names(connection, self.name)
                .map_err(|error| sqlite::error_of(path, error))?,
        };
        match self.columns.iter().find(|name| !names.contains(**name)) {
            Some(missing) => Err(self.has(path, "no", missing)),
            None => Ok(names),
        }
    }

    /// An error if the table is not of a form in which it can be written.
    fn check_written(&self, connection: &Connection, path: &Path) -> Result<(), DbError> {
        let Some(more) = self.more else {
            return Ok(());
        };
        let names = sqlite::columns(connection, path, self.name)?;
        let is_known = |name: &str| self.columns.contains(&name) || more.contains(&name);
        match names.iter().find(|name| !is_known(name)) {
            Some(new) => Err(self.has(path, "a", new)),
            None => Ok(()),
        }
    }

    fn has(&self, path: &Path, has: &'static str, column: &str) -> DbError {
        DbError::Column {
            path: path.into(),
            table: self.name.into(),
            has,
            column: column.into(),
        }
    }
}

/// The error of a write.
impl From<DbError> for WriteError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Changed { path, .. } => Self::Changed(path),
            DbError::Io { path, source } => Self::Io { path, source },
            // Whoever holds it has the sessions open, and will let go.
            DbError::Busy(_) => Self::Open(error.to_string()),
            error => Self::Refused(error.with_cause()),
        }
    }
}

/// Checks that a session's rows are those that the plan saw: `here` is their stamp now, `None`
/// without rows.
pub fn check_as_seen(
    checkout: &Checkout<'_>,
    here: Option<Stamp>,
    database: &Path,
) -> Result<(), WriteError> {
    let is_as_seen = |change: &Change<'_>| match change {
        Change::Create(_) => here.is_none(),
        Change::Append { was, .. } | Change::Replace { was, .. } | Change::Remove { was, .. } => {
            here == Some(*was)
        }
    };
    match checkout.docs.iter().all(|doc| is_as_seen(&doc.change)) {
        true => Ok(()),
        false => Err(WriteError::Changed(database.into())),
    }
}

/// The rows of a session, to be written through a connection that is open.
pub trait NewRows {
    /// What is left to do once the rows are written.
    type Left;

    /// The stamp of the session's rows as they are now; `None` without rows.
    fn stamp(&self) -> Result<Option<Stamp>, WriteError>;

    /// Changes the rows, within the transaction.
    fn change(&self) -> Result<Self::Left, WriteError>;

    /// Reads the rows again, after the transaction, and compares them with those that were written.
    fn check_arrived(&self, left: Self::Left) -> Result<(), WriteError>;
}

/// Writes the rows of a session in one transaction, if they are still those that the plan saw. After
/// an error before `check_arrived` nothing has changed. `still_free` says whether the program still
/// does not run.
pub fn write<R: NewRows>(
    (connection, path): (&Connection, &Path),
    checkout: &Checkout<'_>,
    rows: &R,
    still_free: &dyn Fn() -> Result<(), WriteError>,
) -> Result<Written, WriteError> {
    let sql = |error| WriteError::from(sqlite::error_of(path, error));
    // Dropped without a commit, the transaction takes everything back.
    let change = Transaction::new_unchecked(connection, TransactionBehavior::Immediate);
    let change = change.map_err(sql)?;
    check_as_seen(checkout, rows.stamp()?, path)?;
    let left = rows.change()?;
    still_free()?;
    change.commit().map_err(sql)?;
    rows.check_arrived(left)?;
    let stamp = rows.stamp()?.unwrap_or_default();
    let docs = checkout.docs.iter();
    let docs = docs.map(|doc| (doc.name.clone(), path.into(), stamp));
    Ok(Written {
        docs: docs.collect(),
        ..Written::default()
    })
}

#[cfg(test)]
mod tests;
