//! Opens the file at a start, and sets aside what cannot be used.

use super::{State, StateError, older, statements};
use rusqlite::{Connection, ErrorCode, ffi};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Raised when the tables change. Older files are moved into the current tables; the file of a newer
/// version is set aside and rebuilt.
const SCHEMA: i64 = 5;
/// From this version on a session's record is in a table of its own.
const MOVED: i64 = 4;

/// The database and what SQLite keeps beside it.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

impl State {
    /// Opens the state; `true` means that it is empty. An older file is brought up to date. A damaged
    /// file and one of a newer version are set aside. Any other error, such as a full disk, is
    /// returned and keeps the file: it holds decisions that are nowhere else.
    pub fn open(home: &Path) -> Result<(Self, bool), StateError> {
        Self::open_by(home, |path| Connection::open(path))
    }

    pub(super) fn open_by(
        home: &Path,
        connect: impl Fn(&Path) -> rusqlite::Result<Connection>,
    ) -> Result<(Self, bool), StateError> {
        let path = home.join("state.sqlite");
        let fresh = !path.exists();
        let open = || connect(&path).and_then(prepare);
        match open() {
            Ok(db) => Ok((Self::of(path, db), fresh)),
            Err(error) if is_useless(&error) => {
                set_aside(&path)?;
                match open() {
                    Ok(db) => Ok((Self::of(path, db), true)),
                    Err(source) => Err(StateError::Sqlite { path, source }),
                }
            }
            Err(source) => Err(StateError::Open { path, source }),
        }
    }
}

fn prepare(db: Connection) -> rusqlite::Result<Connection> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    // The file can be rebuilt, so its last commits need not survive a power cut.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "cache_size", -4096)?;
    db.set_prepared_statement_cache_capacity(64);
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if !(0..=SCHEMA).contains(&version) {
        return Err(useless(format!("it has version {version}")));
    }
    let is_moved = (1..MOVED).contains(&version);
    let transaction = db.unchecked_transaction()?;
    if is_moved {
        older::move_sessions(&db, version)?;
    }
    db.execute_batch(statements::TABLES)?;
    if is_moved {
        older::find_needs(&db)?;
    }
    if (1..SCHEMA).contains(&version) {
        older::find_required(&db)?;
    }
    // A current file is opened without a write, which a full disk would refuse.
    if version != SCHEMA {
        db.pragma_update(None, "user_version", SCHEMA)?;
    }
    transaction.commit()?;
    if is_moved {
        // What the moved records took is returned; on a full disk it is used again later.
        let _ = db.execute_batch("VACUUM");
    }
    let check: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" {
        return Err(useless(check));
    }
    // The pages that each session of an import changes are written to the file once for many.
    db.pragma_update(None, "wal_autocheckpoint", 4000)?;
    Ok(db)
}

fn useless(why: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(why))
}

/// Whether the file itself is at fault, and not the disk, its permissions, the memory or another
/// program.
fn is_useless(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
}

/// What the user can do about a state that could not be opened.
pub(super) fn remedy(source: &rusqlite::Error) -> &'static str {
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "Free up disk space, then start session-roam again.",
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "Fix the permissions of the file and its directory, then start session-roam again."
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "Close the program that uses the file, then start session-roam again."
        }
        Some(ErrorCode::OutOfMemory) => "Close some programs, then start session-roam again.",
        Some(ErrorCode::SystemIoFailure) => {
            "Free up disk space and check the disk, then start session-roam again. If the disk is \
             damaged there, move the file away: the list of sessions is then rebuilt, but sessions \
             deleted on this device only come back."
        }
        _ => {
            "Start session-roam again. If that does not help, move the file away: the list of \
             sessions is then rebuilt, but sessions deleted on this device only come back."
        }
    }
}

/// Renames the file to the first name of a copy that is free, so that each copy is kept.
fn set_aside(path: &Path) -> Result<(), StateError> {
    let is_free = |to: &PathBuf| {
        SUFFIXES
            .iter()
            .all(|suffix| with(to, suffix).symlink_metadata().is_err())
    };
    let mut to = with(path, ".broken");
    let mut number = 1u64;
    while !is_free(&to) {
        number += 1;
        to = with(path, &format!(".broken.{number}"));
    }
    for suffix in SUFFIXES {
        let from = with(path, suffix);
        if from.exists() {
            std::fs::rename(&from, with(&to, suffix))
                .map_err(|source| StateError::SetAside { path: from, source })?;
        }
    }
    Ok(())
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Deletes the copies that were set aside.
pub(super) fn remove_set_aside(path: &Path) -> Result<(), StateError> {
    let failed = |path: &Path, source| StateError::SetAside {
        path: path.to_owned(),
        source,
    };
    let (Some(home), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(());
    };
    let first = format!("{}.broken", name.to_string_lossy());
    let entries = std::fs::read_dir(home).map_err(|source| failed(home, source))?;
    for entry in entries {
        let copy = entry.map_err(|source| failed(home, source))?.path();
        let name = copy.file_name().unwrap_or_default().to_string_lossy();
        if !is_copy(&name, &first) {
            continue;
        }
        match std::fs::remove_file(&copy) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(failed(&copy, source));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether [`set_aside`] gives this name: the first one, or one with a number.
fn is_copy(name: &str, first: &str) -> bool {
    name.strip_prefix(first).is_some_and(|rest| {
        SUFFIXES.iter().any(|suffix| {
            rest.strip_suffix(suffix).is_some_and(|rest| {
                let number = rest.strip_prefix('.');
                rest.is_empty() || number.is_some_and(|number| number.parse::<u64>().is_ok())
            })
        })
    })
}
