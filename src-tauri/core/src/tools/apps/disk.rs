//! Writing the files of the store so that what was answered survives a crash: one batch at a time,
//! whole or not at all. Knows neither apps nor entries.

use crate::adapter::Stamp;
use crate::formats::files;
use crate::opener;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

const BATCH: &str = ".batch";
const LOCK: &str = ".lock";

/// The last batch of several entries: if the file ended between these places when the engine ended,
/// half of a batch is there that nobody was told of.
#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    file: String,
    from: u64,
    to: u64,
}

/// Takes the lock of an app, whose directory it makes if there is none.
pub fn lock(dir: &Path) -> io::Result<File> {
    files::make_private_dirs(dir)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

/// Notes that the session is gone from this device: the next one of that name gets another id.
pub fn mark_deleted(dir: &Path, id: &str) -> io::Result<()> {
    let mark = dir.join(format!("{id}.deleted"));
    if mark.exists() {
        return Ok(());
    }
    File::create(&mark)?.sync_all()?;
    sync_dir(dir)
}

/// Removes a last line without an end: its batch was never answered.
pub fn cut_torn(path: &Path) -> io::Result<()> {
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(checked_file(path)?)?;
    let len = file.metadata()?.len();
    let end = end_of_lines(&mut file, len)?;
    match end < len {
        true => {
            file.set_len(end)?;
            file.sync_data()
        }
        false => Ok(()),
    }
}

/// Adds whole lines, all or none, at the end of a file that ends with one.
pub fn add(dir: &Path, path: &Path, lines: &[u8]) -> io::Result<()> {
    let is_batch = 1 < memchr::memchr_iter(b'\n', lines).count();
    // Not for appending: on Windows such a handle cannot be cut back. The lock keeps others out.
    let mut file = File::options().write(true).open(checked_file(path)?)?;
    let from = file.seek(SeekFrom::End(0))?;
    if is_batch {
        let file = path.strip_prefix(dir).unwrap_or(path);
        let file = file.to_string_lossy().replace('\\', "/");
        note_batch(
            dir,
            Some(&Batch {
                file,
                from,
                to: from + lines.len() as u64,
            }),
        )?;
    }
    let written = file.write_all(lines).and_then(|()| file.sync_data());
    if let Err(error) = written {
        // A full disk: nothing of the batch stays.
        drop(file.set_len(from).and_then(|()| file.sync_data()));
        return Err(error);
    }
    match is_batch {
        true => note_batch(dir, None),
        false => Ok(()),
    }
}

/// The file, if it is one and no link.
fn checked_file(path: &Path) -> io::Result<&Path> {
    opener::file(path).map(|_| path)
}

/// Where the last whole line ends.
fn end_of_lines(file: &mut File, len: u64) -> io::Result<u64> {
    const STEP: u64 = 64 * 1024;
    let mut end = len;
    while 0 < end {
        let start = end.saturating_sub(STEP);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        Read::by_ref(file)
            .take(end - start)
            .read_to_end(&mut bytes)?;
        if let Some(at) = memchr::memrchr(b'\n', &bytes) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Creates a file with its whole content; an existing one is not replaced.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    files::make_private_dirs(dir)?;
    files::unnamed(dir, bytes)?
        .persist_noclobber(path)
        .map_err(|error| error.error)?;
    sync_dir(dir)?;
    dir.parent().map_or(Ok(()), sync_dir)
}

/// Whether there was a file to remove.
pub fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Notes the batch that is being written. Its end needs no sync: a batch whose end is on the disk is
/// whole.
fn note_batch(dir: &Path, batch: Option<&Batch>) -> io::Result<()> {
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .open(dir.join(BATCH))?;
    match batch {
        Some(batch) => {
            file.write_all(&serde_json::to_vec(batch)?)?;
            file.sync_data()
        }
        None => Ok(()),
    }
}

/// Takes half of a batch out that was being written when the engine ended.
pub fn recover(dir: &Path) -> io::Result<()> {
    let Ok(bytes) = opener::read(&dir.join(BATCH), opener::SMALL) else {
        return Ok(());
    };
    let Ok(batch) = serde_json::from_slice::<Batch>(&bytes) else {
        return Ok(());
    };
    let Ok(path) = files::below(dir, &batch.file) else {
        return Ok(());
    };
    let len = Stamp::of(&path).map_or(0, |stamp| stamp.len);
    if batch.from < len && len < batch.to {
        let file = File::options().write(true).open(checked_file(&path)?)?;
        file.set_len(batch.from)?;
        file.sync_data()?;
    }
    note_batch(dir, None)
}

#[cfg(unix)]
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Windows keeps names in a journal of its own.
#[cfg(not(unix))]
pub fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}
