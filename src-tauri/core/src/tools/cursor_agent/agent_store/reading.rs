//! Reads a chat's database. Safe while Cursor runs: one read transaction, and nothing changes.
//!
//! The database is opened as `formats/sqlite.rs` does, so that its write-ahead log counts. Blobs are read one after the other, never
//! the whole database at once.

use super::blobs::{BlobId, id_from_hex, id_of};
use super::document::{Fields, MOST, MOST_BLOBS, Writer, carried_chat, carried_meta, root_in};
use crate::formats::sqlite::{self, DbError};
use crate::formats::state_db::plain;
use crate::opener;
use data_encoding::HEXLOWER_PERMISSIVE;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::Value;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

pub const SIDECAR: &str = "meta.json";
/// The newest `user_version` that is known.
const NEWEST: i64 = 1;
/// A record of the tool is some hundred bytes.
const LARGEST_META: i64 = 1 << 20;

/// The tables as Cursor makes them, without blanks (`@cursor/sdk` 1.1.0, 2026-11-29).
const TABLES: [(&str, &str); 2] = [
    ("blobs", "createtableblobs(idtextprimarykey,datablob)"),
    ("meta", "createtablemeta(keytextprimarykey,valuetext)"),
];

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Cursor made the database and nothing was said yet. Cursor deletes such a chat itself.
    #[error("{} has no conversation yet", .0.display())]
    NotBegun(PathBuf),
    #[error("{} is a symbolic link or no file; it is not opened", .0.display())]
    NoFile(PathBuf),
    #[error("{} is in use by another program", .0.display())]
    Busy(PathBuf),
    #[error("{} is damaged or no SQLite database", .0.display())]
    Damaged(PathBuf),
    #[error("{} is of a shape that is not known: {what}", .path.display())]
    Unknown { path: PathBuf, what: String },
    #[error("{} is larger than what can be synced ({MOST} bytes, {MOST_BLOBS} blobs)", .0.display())]
    Large(PathBuf),
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

/// A chat as read.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub document: Vec<u8>,
    /// What is wrong with the chat, in full sentences. It is readable all the same.
    pub problems: Vec<String>,
    /// Why this database must not be written: "it has the table `x`".
    pub read_only: Option<String>,
}

/// The errors of the database itself.
impl From<DbError> for StoreError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NoFile(path) => Self::NoFile(path),
            DbError::Busy(path) | DbError::Interrupted(path) => Self::Busy(path),
            DbError::Damaged(path) => Self::Damaged(path),
            DbError::Unknown { path, what } => Self::Unknown { path, what },
            DbError::Column { ref path, .. } => Self::Unknown {
                path: path.clone(),
                what: error.to_string(),
            },
            DbError::Sqlite { path, source } => Self::Sqlite { path, source },
            DbError::Io { path, source } => Self::Io { path, source },
            DbError::Absent(path) | DbError::Changed { path, .. } => Self::Io {
                path,
                source: io::ErrorKind::NotFound.into(),
            },
        }
    }
}

/// Reads the chat `id` from its database.
pub fn read(store: &Path, id: &str) -> Result<Read, StoreError> {
    let read = sqlite::read_consistent(store, || read_once(store, id));
    read.unwrap_or_else(|| Err(StoreError::Busy(store.into())))
}

fn read_once(store: &Path, id: &str) -> Result<Read, StoreError> {
    let connection = open(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = |source| error_of(store, source);
    // One state of the database, whatever is written meanwhile.
    let snapshot = connection.unchecked_transaction().map_err(sql)?;
    let shape = check_shape(&snapshot, store)?;
    let mut problems = Vec::new();
    let mut meta = meta_of(&snapshot, store)?.map_or_else(Fields::new, |(_, fields)| fields);
    let (writer, seen) = blobs_of(&snapshot, store, &mut problems)?;
    if seen.is_empty() && root_in(&meta).is_none() {
        return Err(StoreError::NotBegun(store.into()));
    }
    match root_in(&meta) {
        Some(root) if seen.contains(&root) => {}
        _ => problems.push(format!(
            "The end of the conversation in {} is missing.",
            store.display()
        )),
    }
    // The directory's name is the id with which a chat is resumed.
    meta.insert("agentId".into(), Value::from(id));
    let (chat, is_known) = sidecar(store);
    let read_only = shape.or_else(|| {
        let why = "its meta.json has another version";
        (!is_known).then(|| why.to_owned())
    });
    let meta = carried_meta(meta);
    Ok(Read {
        document: writer.end(&carried_chat(chat, &meta), &meta),
        problems,
        read_only,
    })
}

fn blobs_of(
    connection: &Connection,
    store: &Path,
    problems: &mut Vec<String>,
) -> Result<(Writer, HashSet<BlobId>), StoreError> {
    let sql = |source| error_of(store, source);
    let large = || StoreError::Large(store.into());
    // Lengths are in the rows' heads: this reads no content.
    let sizes = "SELECT count(*), coalesce(sum(length(data)), 0) FROM blobs";
    let (count, bytes): (i64, i64) = connection
        .query_row(sizes, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(sql)?;
    if MOST_BLOBS as i64 <= count || MOST as i64 <= bytes {
        return Err(large());
    }
    let (mut writer, mut seen, mut wrong) = (Writer::default(), HashSet::new(), Vec::new());
    let mut query = connection
        .prepare("SELECT id, data FROM blobs ORDER BY rowid")
        .map_err(sql)?;
    let mut rows = query.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let name = bytes_of(row.get_ref(0).map_err(sql)?);
        let name = String::from_utf8_lossy(name.unwrap_or_default());
        let data = bytes_of(row.get_ref(1).map_err(sql)?);
        match (id_from_hex(&name), data) {
            (Some(id), Some(data)) if id_of(data) == id => {
                writer.push(&id, data);
                seen.insert(id);
            }
            _ => wrong.push(name.chars().take(64).collect::<String>()),
        }
        if MOST < writer.len() {
            return Err(large());
        }
    }
    if let Some(first) = wrong.first() {
        problems.push(format!(
            "{} blobs in {} are not what their ids say and do not sync: {first}.",
            wrong.len(),
            store.display()
        ));
    }
    Ok((writer, seen))
}

fn bytes_of(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

/// The tool's record as it is stored, and its fields. Today it is the hexadecimal digits of JSON, earlier it was JSON.
pub fn meta_of(
    connection: &Connection,
    store: &Path,
) -> Result<Option<(String, Fields)>, StoreError> {
    let query = "SELECT value FROM meta WHERE key = '0' AND length(value) < ?1";
    let stored: Option<String> = connection
        .query_row(query, [LARGEST_META], |row| row.get(0))
        .optional()
        .map_err(|source| error_of(store, source))?;
    let Some(stored) = stored else {
        return Ok(None);
    };
    let json = HEXLOWER_PERMISSIVE
        .decode(stored.trim().as_bytes())
        .unwrap_or_else(|_| stored.as_bytes().to_vec());
    match serde_json::from_slice(&json) {
        Ok(fields) => Ok(Some((stored, fields))),
        Err(error) => Err(StoreError::Unknown {
            path: store.into(),
            what: format!("its record is not readable ({error})"),
        }),
    }
}

/// The fields of `meta.json`, and whether its version is known. A file that is missing or broken has none.
pub fn sidecar(store: &Path) -> (Fields, bool) {
    let file = store.with_file_name(SIDECAR);
    let bytes = opener::read(&file, opener::SMALL).unwrap_or_default();
    let fields: Fields = serde_json::from_slice(&bytes).unwrap_or_default();
    let is_known = fields
        .get("schemaVersion")
        .is_none_or(|version| *version == 1);
    (fields, is_known)
}

pub fn open(store: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let connection = sqlite::open(store, access)?;
    // No function runs that a damaged or made-up schema names.
    for (name, value) in [("trusted_schema", false), ("cell_size_check", true)] {
        let set = connection.pragma_update(None, name, value);
        set.map_err(|source| error_of(store, source))?;
    }
    Ok(connection)
}

/// An error for a database that cannot be read. Otherwise the reason why it must not be written, if there is one.
pub fn check_shape(connection: &Connection, store: &Path) -> Result<Option<String>, StoreError> {
    let sql = |source| error_of(store, source);
    let unknown = |what: String| {
        let path = store.into();
        StoreError::Unknown { path, what }
    };
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(sql)?;
    let query = "SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT GLOB 'sqlite_*' LIMIT 100";
    let mut query = connection.prepare(query).map_err(sql)?;
    let objects: Vec<(String, String, String)> = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .map_err(sql)?;
    if objects.is_empty() {
        return Err(StoreError::NotBegun(store.into()));
    }
    for (table, made) in TABLES {
        let found = objects
            .iter()
            .find(|(kind, name, _)| kind == "table" && name == table);
        match found {
            None => return Err(unknown(format!("it has no table `{table}`"))),
            Some((.., sql)) if plain(sql) != made => {
                return Err(unknown(format!("`{table}` is made as \"{sql}\"")));
            }
            Some(_) => {}
        }
    }
    let is_ours = |name: &str| TABLES.iter().any(|(table, _)| *table == name);
    let stranger = objects.iter().find(|(_, name, _)| !is_ours(name));
    let (kind, name) = match stranger {
        Some((kind, name, _)) => (kind.as_str(), name.as_str()),
        None if NEWEST < version => return Ok(Some(format!("it has the version {version}"))),
        None => return Ok(None),
    };
    Ok(Some(format!("it has the {kind} `{name}`")))
}

pub fn error_of(store: &Path, error: rusqlite::Error) -> StoreError {
    sqlite::error_of(store, error).into()
}
