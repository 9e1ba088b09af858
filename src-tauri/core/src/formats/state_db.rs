//! `state.vscdb`: the SQLite database in which VS Code and the editors derived from it keep small
//! values by key. One value is read while the editor runs, and changed in one short transaction
//! when the editor does not run.
//!
//! Values are read by key only, because the file may have tens of gigabytes. The file is opened as
//! a normal SQLite database, so that its write-ahead log counts; a copy of the file, or an
//! immutable open, would lack that log. A value keeps its storage class: the editor treats a BLOB
//! as bytes and does not find the JSON in it.

pub use super::sqlite::DbError as StateDbError;
pub(crate) use super::sqlite::{error_of, open};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use std::path::Path;

/// The only table, as every editor of the family creates it (VS Code's `storage.ts`; Cursor and
/// Windsurf, seen 2026-11-23).
const TABLE: &str = "createtableitemtable(keytextuniqueonconflictreplace,valueblob)";

/// A value as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    Text(String),
    Blob(Vec<u8>),
}

impl Stored {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Blob(bytes) => bytes,
        }
    }

    /// Another text with the storage class of this value.
    pub fn with_text(&self, text: String) -> Self {
        match self {
            Self::Text(_) => Self::Text(text),
            Self::Blob(_) => Self::Blob(text.into_bytes()),
        }
    }
}

/// The value of `key`. Safe while the editor runs: locks last only as long as the read, and nothing
/// changes.
pub fn get(path: &Path, key: &str) -> Result<Option<Stored>, StateDbError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    check_shape(&connection, path)?;
    value(&connection, path, key)
}

/// Replaces `old` with `new` if `old` is still there; otherwise nothing changes. `None` means no
/// value. The caller keeps `old` if it may be needed again. The editor must not run, or it would
/// overwrite the new value with its own.
pub fn put(
    path: &Path,
    key: &str,
    old: Option<&Stored>,
    new: Option<&Stored>,
) -> Result<(), StateDbError> {
    let sqlite = |source| error_of(path, source);
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let change = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sqlite)?;
    check_shape(&change, path)?;
    if value(&change, path, key)?.as_ref() != old {
        return Err(StateDbError::Changed {
            path: path.into(),
            key: key.into(),
        });
    }
    match new {
        None => change.execute("DELETE FROM ItemTable WHERE key = ?1", [key]),
        // The bound value determines the storage class.
        Some(Stored::Text(text)) => change.execute(
            "INSERT OR REPLACE INTO ItemTable (key, value) VALUES (?1, ?2)",
            [key, text],
        ),
        Some(Stored::Blob(bytes)) => change.execute(
            "INSERT OR REPLACE INTO ItemTable (key, value) VALUES (?1, ?2)",
            (key, bytes),
        ),
    }
    .map_err(sqlite)?;
    change.commit().map_err(sqlite)?;
    match value(&connection, path, key)?.as_ref() == new {
        true => Ok(()),
        false => Err(StateDbError::Changed {
            path: path.into(),
            key: key.into(),
        }),
    }
}

/// A table in another form, or with triggers, cannot be changed safely.
pub(crate) fn check_shape(connection: &Connection, path: &Path) -> Result<(), StateDbError> {
    let unknown = |what: String| {
        Err(StateDbError::Unknown {
            path: path.into(),
            what,
        })
    };
    let read = |sql: &str| {
        let table = connection
            .query_row(sql, [], |row| row.get::<_, Option<String>>(0))
            .optional();
        table.map_err(|error| error_of(path, error))
    };
    match read("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'ItemTable'")?
        .flatten()
    {
        None => return unknown("it has no table ItemTable".into()),
        Some(made) if plain(&made) != TABLE => {
            return unknown(format!("ItemTable is made as \"{made}\""));
        }
        Some(_) => {}
    }
    match read("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ItemTable'")?
    {
        Some(_) => unknown("ItemTable has a trigger".into()),
        None => Ok(()),
    }
}

/// A statement without spaces and quotation marks, in lower case.
pub(crate) fn plain(sql: &str) -> String {
    let marks = |c: &char| !c.is_whitespace() && !matches!(c, '"' | '`' | '[' | ']');
    sql.chars()
        .filter(marks)
        .collect::<String>()
        .to_ascii_lowercase()
}

pub(crate) fn value(
    connection: &Connection,
    path: &Path,
    key: &str,
) -> Result<Option<Stored>, StateDbError> {
    let sql = "SELECT value FROM ItemTable WHERE key = ?1";
    let read = connection.query_row(sql, [key], |row| {
        Ok(match row.get_ref(0)? {
            ValueRef::Text(text) => String::from_utf8(text.to_vec()).ok().map(Stored::Text),
            ValueRef::Blob(bytes) => Some(Stored::Blob(bytes.to_vec())),
            _ => None,
        })
    });
    match read.optional().map_err(|error| error_of(path, error))? {
        None => Ok(None),
        Some(Some(stored)) => Ok(Some(stored)),
        Some(None) => {
            let what = format!("the value of \"{key}\" is neither text nor bytes");
            Err(StateDbError::Unknown {
                path: path.into(),
                what,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sqlite::held::{Held, hold};
    use std::fs;
    use std::path::PathBuf;

    const KEY: &str = "chat.ChatSessionStore.index";

    fn made(dir: &Path) -> PathBuf {
        let path = dir.join("state.vscdb");
        Connection::open(&path)
            .and_then(|connection| {
                connection.execute_batch(
                    "CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
                     INSERT INTO ItemTable VALUES ('text', '{\"a\":1}'), ('blob', x'00ff'), ('null', NULL), ('number', 1);",
                )
            })
            .expect("database");
        path
    }

    fn text(text: &str) -> Stored {
        Stored::Text(text.into())
    }

    #[test]
    fn a_value_keeps_its_class_and_the_others_stay() {
        let dir = tempfile::tempdir().expect("dir");
        let path = made(dir.path());
        assert_eq!(get(&path, "text").expect("read"), Some(text("{\"a\":1}")));
        assert_eq!(
            get(&path, "blob").expect("read"),
            Some(Stored::Blob(vec![0, 255]))
        );
        assert_eq!(get(&path, KEY).expect("read"), None);
        put(&path, KEY, None, Some(&text("1"))).expect("made");
        put(&path, KEY, Some(&text("1")), Some(&text("2"))).expect("changed");
        let blob = Stored::Blob(vec![0, 255]);
        put(
            &path,
            "blob",
            Some(&blob),
            Some(&blob.with_text("ä".into())),
        )
        .expect("changed");
        let connection = Connection::open(&path).expect("open");
        let class = |key: &str| {
            connection.query_row(
                "SELECT typeof(value) FROM ItemTable WHERE key = ?1",
                [key],
                |row| row.get::<_, String>(0),
            )
        };
        assert_eq!(
            (class(KEY), class("blob"), class("null")),
            (Ok("text".into()), Ok("blob".into()), Ok("null".into()))
        );
        put(&path, KEY, Some(&text("2")), None).expect("deleted");
        assert_eq!(get(&path, KEY).expect("read"), None);
        assert_eq!(get(&path, "text").expect("read"), Some(text("{\"a\":1}")));
    }

    #[test]
    fn what_changed_meanwhile_is_not_written_over() {
        let dir = tempfile::tempdir().expect("dir");
        let path = made(dir.path());
        for old in [
            None,
            Some(text("other")),
            Some(Stored::Blob(b"{\"a\":1}".to_vec())),
        ] {
            let refused = put(&path, "text", old.as_ref(), Some(&text("new")));
            assert!(
                matches!(refused, Err(StateDbError::Changed { .. })),
                "{refused:?}"
            );
        }
        assert_eq!(get(&path, "text").expect("read"), Some(text("{\"a\":1}")));
    }

    #[test]
    fn what_is_not_as_it_should_be_is_said_in_words() {
        let dir = tempfile::tempdir().expect("dir");
        let words = |path: &Path, key: &str| get(path, key).expect_err("refused").to_string();
        let path = dir.path().join("state.vscdb");
        assert!(words(&path, KEY).ends_with("is not there yet"));
        assert!(!path.exists(), "it is not made by looking");
        fs::write(&path, "no database at all, ".repeat(100)).expect("write");
        assert!(words(&path, KEY).ends_with("is damaged or no SQLite database"));
        let refused = put(&path, KEY, None, Some(&text("1")));
        assert!(
            matches!(refused, Err(StateDbError::Damaged(_))),
            "{refused:?}"
        );
        fs::remove_file(&path).expect("remove");
        made(dir.path());
        assert!(words(&path, "number").contains("neither text nor bytes"));
        let batch = |sql: &str| {
            Connection::open(&path)
                .and_then(|connection| connection.execute_batch(sql))
                .expect(sql)
        };
        batch("CREATE TRIGGER t AFTER INSERT ON ItemTable BEGIN SELECT 1; END;");
        assert!(words(&path, KEY).ends_with("ItemTable has a trigger"));
        batch("DROP TRIGGER t; ALTER TABLE ItemTable ADD COLUMN at INTEGER;");
        assert!(words(&path, KEY).contains("ItemTable is made as"));
        batch("DROP TABLE ItemTable;");
        assert!(words(&path, KEY).ends_with("it has no table ItemTable"));
        fs::remove_file(&path).expect("remove");
        fs::create_dir(&path).expect("dir");
        assert!(words(&path, KEY).ends_with("it is not opened"));
    }

    #[test]
    fn a_database_that_somebody_writes_to_is_busy_and_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("dir");
        let path = made(dir.path());
        let other = Connection::open(&path).expect("open");
        other.execute_batch("BEGIN EXCLUSIVE").expect("lock");
        assert!(matches!(get(&path, "text"), Err(StateDbError::Busy(_))));
        let refused = put(&path, "text", Some(&text("{\"a\":1}")), Some(&text("new")));
        assert!(matches!(refused, Err(StateDbError::Busy(_))), "{refused:?}");
        other.execute_batch("ROLLBACK").expect("unlock");
        assert_eq!(get(&path, "text").expect("read"), Some(text("{\"a\":1}")));
    }

    /// Another process that has the index only in its log.
    fn holder(path: &Path) -> Held {
        let sql = format!("INSERT INTO ItemTable VALUES ('{KEY}', 'only in the log')");
        hold(path, &sql)
    }

    #[test]
    fn what_is_only_in_the_write_ahead_log_is_read_while_its_writer_runs_and_after_it_died() {
        let dir = tempfile::tempdir().expect("dir");
        let path = made(dir.path());
        let holder = holder(&path);
        let wanted = Some(text("only in the log"));
        assert_eq!(get(&path, KEY).expect("read"), wanted);
        let copy = dir.path().join("copy.vscdb");
        fs::copy(&path, &copy).expect("copy");
        assert_eq!(
            get(&copy, KEY).ok().flatten(),
            None,
            "the main file alone does not have it"
        );
        holder.end();
        assert!(
            path.with_file_name("state.vscdb-wal").exists(),
            "its log is still there"
        );
        assert_eq!(get(&path, KEY).expect("read"), wanted);
        put(&path, KEY, wanted.as_ref(), Some(&text("new"))).expect("changed");
        assert_eq!(get(&path, KEY).expect("read"), Some(text("new")));
    }

    #[test]
    fn a_write_that_was_interrupted_is_told_on_reading_and_undone_on_writing() {
        let dir = tempfile::tempdir().expect("dir");
        let path = made(dir.path());
        let journal = dir.path().join("state.vscdb-journal");
        // A crash during a write: the main file is half new, the journal has the old content.
        let writer = Connection::open(&path).expect("open");
        writer
            .execute_batch(
                "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE;
                 UPDATE ItemTable SET value = 'half' WHERE key = 'text';
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                 INSERT INTO ItemTable SELECT 'x' || i, hex(randomblob(200)) FROM n;",
            )
            .expect("half a write");
        let crashed = dir.path().join("crashed");
        fs::create_dir(&crashed).expect("dir");
        let there = crashed.join("state.vscdb");
        fs::copy(&path, &there).expect("copy");
        fs::copy(&journal, crashed.join("state.vscdb-journal")).expect("copy");
        drop(writer);
        assert!(
            matches!(get(&there, "text"), Err(StateDbError::Interrupted(_))),
            "{:?}",
            get(&there, "text")
        );
        let was = text("{\"a\":1}");
        put(&there, "text", Some(&was), Some(&text("new"))).expect("changed");
        assert_eq!(get(&there, "text").expect("read"), Some(text("new")));
    }
}
