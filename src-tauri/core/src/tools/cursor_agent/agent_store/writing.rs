//! Writes a chat as a guest. Nothing is ever deleted: blobs are added, and the record gets a new end.
//!
//! - A new chat is made beside the others and appears whole, by renaming its directory.
//! - An existing one changes in one short transaction, if the store is still the one that was read. Its rows are brought
//!   into the document's order, as Cursor's own `INSERT OR REPLACE` would, so that the store reads as the document.
//! - This device's key, mode, approvals and model stay. A new chat gets the default ones, and Cursor makes its key.

use super::blobs::{BlobId, hex_of, id_from_hex};
use super::document::{Document, Fields, META_OF_DEVICE, object};
use super::paths::{self, stamp};
use super::reading::{self, SIDECAR, StoreError, check_shape, error_of, meta_of, open};
use crate::adapter::{Stamp, WriteError};
use crate::formats::files;
use crate::session::problem::with_causes;
use data_encoding::HEXLOWER;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The names of a chat's files; a directory with others is not removed.
const FILES: [&str; 5] = [
    paths::STORE,
    "store.db-wal",
    "store.db-shm",
    SIDECAR,
    "prompt_history.json",
];

/// Where a chat goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The directory `chats`.
    pub root: &'a Path,
    pub id: &'a str,
    /// The chat's directory here.
    pub cwd: &'a Path,
    /// The chat's database and its stamp as read; `None` for a chat that is not here yet.
    pub was: Option<(&'a Path, Stamp)>,
}

/// Writes the document. The caller has checked that no Cursor has the chat open. Returns the database and its stamp.
pub fn write(target: &Target<'_>, document: &[u8]) -> Result<(PathBuf, Stamp), WriteError> {
    let document = Document::parse(document)
        .and_then(|document| document.check().map(|()| document))
        .map_err(|error| WriteError::Refused(error.to_string()))?;
    if document.meta.get("agentId").and_then(Value::as_str) != Some(target.id)
        || !paths::is_id(target.id)
    {
        let id = target.id.chars().take(80).collect::<String>();
        return Err(WriteError::Refused(format!(
            "the document is another chat than {id}"
        )));
    }
    let store = match target.was {
        None => create(target, &document)?,
        Some((store, was)) => {
            let dir = store.parent().and_then(Path::file_name);
            if dir.is_none_or(|name| name != target.id) {
                return Err(WriteError::Changed(store.into()));
            }
            update(store, was, &document)?;
            store.to_path_buf()
        }
    };
    let now = stamp(&store).map_err(|source| io_error(&store, source))?;
    Ok((store, now))
}

fn io_error(path: &Path, source: io::Error) -> WriteError {
    let path = path.to_path_buf();
    WriteError::Io { path, source }
}

fn refused(error: StoreError) -> WriteError {
    match error {
        StoreError::Io { path, source } => WriteError::Io { path, source },
        StoreError::Busy(path) => WriteError::Changed(path),
        other => WriteError::Refused(with_causes(&other).trim_end_matches('.').to_owned()),
    }
}

// ---- a new chat ----

fn create(target: &Target<'_>, document: &Document) -> Result<PathBuf, WriteError> {
    if let Some(there) = paths::find(target.root, target.id) {
        return Err(WriteError::Changed(there.store));
    }
    let at = |source| io_error(target.root, source);
    files::make_private_dirs(target.root).map_err(at)?;
    let bucket = target.root.join(paths::bucket_for(target.root, target.cwd));
    let made = tempfile::Builder::new()
        .prefix(".roam-")
        .tempdir_in(target.root)
        .map_err(at)?;
    let chat = made.path().join("chat");
    files::make_private_dirs(&chat).map_err(at)?;
    fill(&chat.join(paths::STORE), document).map_err(refused)?;
    write_sidecar(&chat, sidecar(Fields::new(), document, Some(target.cwd)))
        .map_err(|source| io_error(&chat, source))?;
    files::make_private_dirs(&bucket).map_err(at)?;
    if !files::is_own_dir(target.root, &bucket) {
        return Err(WriteError::Refused(format!(
            "{} is not a directory of Cursor's",
            bucket.display()
        )));
    }
    let home = bucket.join(target.id);
    if home.symlink_metadata().is_ok() {
        return Err(WriteError::Changed(home));
    }
    fs::rename(&chat, &home).map_err(|source| io_error(&home, source))?;
    Ok(home.join(paths::STORE))
}

/// Makes the database as Cursor makes it.
fn fill(store: &Path, document: &Document) -> Result<(), StoreError> {
    let sql = |source| error_of(store, source);
    let mut connection = Connection::open(store).map_err(sql)?;
    let tables = "PRAGMA user_version = 1;
         CREATE TABLE blobs (id TEXT PRIMARY KEY, data BLOB);
         CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);";
    let change = connection.transaction().map_err(sql)?;
    change.execute_batch(tables).map_err(sql)?;
    put_blobs(&change, store, document)?;
    let record = record(Fields::new(), document);
    let insert = "INSERT INTO meta (key, value) VALUES ('0', ?1)";
    change.execute(insert, [record]).map_err(sql)?;
    change.commit().map_err(sql)?;
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(sql)?;
    connection.close().map_err(|(_, source)| sql(source))
}

// ---- a chat that is here ----

fn update(store: &Path, was: Stamp, document: &Document) -> Result<(), WriteError> {
    let mut connection = open(store, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(refused)?;
    let sql = |source| refused(error_of(store, source));
    let change = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sql)?;
    // From here on nobody else writes.
    if let Some(what) = check_shape(&change, store).map_err(refused)? {
        return Err(WriteError::Refused(format!(
            "{} is of a shape that is not known: {what}",
            store.display()
        )));
    }
    let (own, is_known) = reading::sidecar(store);
    if !is_known {
        return Err(WriteError::Refused(format!(
            "the {SIDECAR} beside {} has another version",
            store.display()
        )));
    }
    if !stamp(store).is_ok_and(|now| now == was) {
        return Err(WriteError::Changed(store.into()));
    }
    let old = meta_of(&change, store).map_err(refused)?;
    put_blobs(&change, store, document).map_err(refused)?;
    put_record(&change, old, document).map_err(sql)?;
    change.commit().map_err(sql)?;
    connection.close().map_err(|(_, source)| sql(source))?;
    let dir = store.parent().unwrap_or(store);
    write_sidecar(dir, sidecar(own, document, None)).map_err(|source| io_error(dir, source))
}

/// Replaces the record, if it is still the one that was read.
fn put_record(
    change: &Transaction<'_>,
    old: Option<(String, Fields)>,
    document: &Document,
) -> rusqlite::Result<()> {
    let replaced = match old {
        Some((stored, fields)) => change.execute(
            "UPDATE meta SET value = ?1 WHERE key = '0' AND value = ?2",
            [record(fields, document), stored],
        )?,
        None => change.execute(
            "INSERT INTO meta (key, value) VALUES ('0', ?1)",
            [record(Fields::new(), document)],
        )?,
    };
    match replaced {
        1 => Ok(()),
        _ => Err(rusqlite::Error::StatementChangedRows(replaced)),
    }
}

/// Adds the blobs that are missing. From the first one that is missing or out of order, all are set again.
fn put_blobs(
    change: &Transaction<'_>,
    store: &Path,
    document: &Document,
) -> Result<(), StoreError> {
    let sql = |source| error_of(store, source);
    let there = rows(change).map_err(sql)?;
    let mut insert = change
        .prepare("INSERT OR REPLACE INTO blobs (id, data) VALUES (?1, ?2)")
        .map_err(sql)?;
    let mut last = Some(i64::MIN);
    for blob in &document.blobs {
        let place = there.get(&blob.id);
        if place.is_some_and(|(_, len)| *len != blob.data.len() as i64) {
            let what = format!(
                "the blob {} has other bytes than its id says",
                hex_of(&blob.id)
            );
            let path = store.into();
            return Err(StoreError::Unknown { path, what });
        }
        match place.filter(|(row, _)| last.is_some_and(|last| last < *row)) {
            Some((row, _)) => last = Some(*row),
            None => {
                insert
                    .execute(params![hex_of(&blob.id), blob.data])
                    .map_err(sql)?;
                last = None;
            }
        }
    }
    Ok(())
}

/// The place and length of each blob.
fn rows(change: &Transaction<'_>) -> rusqlite::Result<HashMap<BlobId, (i64, i64)>> {
    let query = "SELECT id, rowid, coalesce(length(data), -1) FROM blobs WHERE typeof(id) = 'text'";
    let mut query = change.prepare(query)?;
    let rows = query.query_map([], |row| {
        let id = row.get_ref(0)?.as_str().ok().and_then(id_from_hex);
        Ok((id, (row.get(1)?, row.get(2)?)))
    })?;
    rows.filter_map(|row| row.map(|(id, place)| Some((id?, place))).transpose())
        .collect()
}

/// The record as it is stored. Fields of this device come from `own`, as do those that are not known here.
fn record(own: Fields, document: &Document) -> String {
    let mut fields = Fields::from([
        ("isRunEverything".to_owned(), Value::from(false)),
        ("mode".to_owned(), Value::from("default")),
    ]);
    fields.extend(own);
    let carried = document
        .meta
        .iter()
        .filter(|(name, _)| !META_OF_DEVICE.contains(&name.as_str()));
    fields.extend(carried.map(|(name, value)| (name.clone(), value.clone())));
    HEXLOWER.encode(object(&fields).as_bytes())
}

/// `meta.json` with this device's directory.
fn sidecar(own: Fields, document: &Document, cwd: Option<&Path>) -> Fields {
    let here = own.get("cwd").cloned();
    let mut fields = own;
    fields.extend(document.chat.clone());
    fields.remove("cwd");
    fields.extend(here.map(|cwd| ("cwd".to_owned(), cwd)));
    fields.extend(cwd.map(|cwd| ("cwd".to_owned(), Value::from(paths::physical(cwd)))));
    fields
}

fn write_sidecar(dir: &Path, fields: Fields) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".roam-").tempfile_in(dir)?;
    file.write_all(object(&fields).as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(dir.join(SIDECAR))?;
    Ok(())
}

// ---- putting a chat away ----

/// Removes a chat that is still as it was read, with its directory.
pub fn remove(root: &Path, store: &Path, was: Stamp) -> Result<(), WriteError> {
    let changed = || WriteError::Changed(store.into());
    let dir = store.parent().ok_or_else(changed)?;
    if !stamp(store).is_ok_and(|now| now == was) {
        return Err(changed());
    }
    let stranger = files::names_in(dir, |_| true)
        .into_iter()
        .find(|name| !FILES.contains(&name.as_str()));
    if let Some(stranger) = stranger {
        return Err(WriteError::Refused(format!(
            "{} also has {stranger}, which is not known here",
            dir.display()
        )));
    }
    let at = |source| io_error(dir, source);
    // In one step, so that Cursor never sees half a chat.
    let away = tempfile::Builder::new()
        .prefix(".roam-")
        .tempdir_in(root)
        .map_err(at)?;
    fs::rename(dir, away.path().join("chat")).map_err(at)
}

#[cfg(test)]
mod tests;
