//! Files in another program's store. Every write here is a guest write: only below the store's own
//! directory, only if the file still matches the plan's stamp, whole or not at all, and never
//! through a symbolic link.
//!
//! Knows neither sessions nor tools.

use crate::adapter::{Bytes, Change, Stamp, WriteError, Written};
use crate::opener;
use crate::session::{DocName, Millis};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Whether a file name belongs to no tool's records: locks, partial files, copies left by
/// replication.
pub fn is_foreign_name(name: &str) -> bool {
    const PARTS: [&str; 4] = [".sync-conflict-", ".orphaned-", ".tmp.", "~syncthing~"];
    const ENDS: [&str; 6] = [".conflict", ".lock", ".part", ".swp", ".tmp", "~"];
    const STARTS: [&str; 3] = [".roam-", ".syncthing.", ".#"];
    name == ".DS_Store"
        || PARTS.iter().any(|part| name.contains(part))
        || ENDS.iter().any(|end| name.ends_with(end))
        || STARTS.iter().any(|start| name.starts_with(start))
}

/// A path below `root` from a `/`-separated text made on another device. Only plain names are
/// accepted: no `..`, no drive, and on Windows no name with another meaning there.
pub fn below(root: &Path, relative: &str) -> Result<PathBuf, WriteError> {
    if !is_plain(relative) {
        return Err(WriteError::Refused(format!(
            "\"{relative}\" is not a path that may be written"
        )));
    }
    Ok(relative
        .split('/')
        .fold(root.to_path_buf(), |path, name| path.join(name)))
}

/// Whether files of this system may have the names in a `/`-separated text.
pub fn is_plain(relative: &str) -> bool {
    relative
        .split('/')
        .all(|name| is_plain_name(name) && (!cfg!(windows) || is_plain_on_windows(name)))
}

fn is_plain_name(name: &str) -> bool {
    let one_component = Path::new(name)
        .components()
        .eq([Component::Normal(name.as_ref())]);
    one_component && name.len() <= 255 && !name.chars().any(|c| c.is_control() || "/\\".contains(c))
}

fn is_plain_on_windows(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let stem = name.split('.').next().unwrap_or(name).to_ascii_uppercase();
    let numbered = stem.len() == 4 && (stem.starts_with("COM") || stem.starts_with("LPT"));
    !name.chars().any(|c| "<>:\"|?*".contains(c))
        && !name.ends_with(['.', ' '])
        && !numbered
        && !DEVICES.contains(&stem.as_str())
}

/// Whether two names that differ in capitals are one name on the disk of this directory.
pub fn ignores_case(dir: &Path) -> bool {
    let Some(name) = dir.file_name().map(|name| name.to_string_lossy()) else {
        return cfg!(windows);
    };
    let turned = name.chars().map(|c| match c.is_ascii_lowercase() {
        true => c.to_ascii_uppercase(),
        false => c.to_ascii_lowercase(),
    });
    let turned: String = turned.collect();
    let real = |dir: &Path| fs::canonicalize(dir).ok();
    turned != *name && real(dir).is_some() && real(&dir.with_file_name(turned)) == real(dir)
}

/// The names from `root` to `path`. `path` may be reported as watched, or with links resolved (as
/// macOS does).
pub fn names_below(root: &Path, path: &Path) -> Option<Vec<String>> {
    let relative = match path.strip_prefix(root) {
        Ok(relative) => relative.to_path_buf(),
        Err(_) => path.strip_prefix(real_of(root)?).ok()?.to_path_buf(),
    };
    Some(
        relative
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect(),
    )
}

/// A directory with its links resolved, as of the last seconds: each file event is compared with
/// the directories of all tools, which hardly ever change, and most of which are not there.
fn real_of(root: &Path) -> Option<PathBuf> {
    type Known = HashMap<OsString, (Instant, Option<PathBuf>)>;
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    const MOST: usize = 1024;
    const FRESH: Duration = Duration::from_secs(5);
    /// A tool that was just installed is noticed soon.
    const FRESH_MISSING: Duration = Duration::from_secs(1);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, real)) = known().get_or_insert_default().get(root.as_os_str())
        && at.elapsed() < if real.is_some() { FRESH } else { FRESH_MISSING }
    {
        return real.clone();
    }
    // Not under the lock: a disk may not answer.
    let real = fs::canonicalize(root).ok();
    let mut known = known();
    let known = known.get_or_insert_default();
    if MOST <= known.len() {
        known.clear();
    }
    known.insert(root.as_os_str().to_owned(), (Instant::now(), real.clone()));
    real
}

/// The names of a directory's entries of some kinds, in a fixed order.
pub fn names_in(dir: &Path, wanted: impl Fn(&fs::FileType) -> bool) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.file_type().is_ok_and(|kind| wanted(&kind)));
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// One file of a session to be written.
pub struct GuestWrite<'a> {
    pub name: &'a DocName,
    /// The store's directory, which the path must not leave.
    pub root: &'a Path,
    pub path: PathBuf,
    pub change: &'a Change<'a>,
}

/// Writes the files in order, calling `still_free` before each. After an error the files already
/// written are put back, also if a program meanwhile wrote into one that was replaced or removed.
pub fn write_docs(
    writes: &[GuestWrite<'_>],
    mtime: Millis,
    still_free: &dyn Fn() -> Result<(), WriteError>,
) -> Result<Written, WriteError> {
    for write in writes {
        check_before(write.root, &write.path, write.change)?;
    }
    let mut done: Vec<Undo> = Vec::new();
    let mut docs = Vec::new();
    for write in writes {
        let result = still_free()
            .and_then(|()| write_with_undo(write.root, &write.path, write.change, mtime));
        match result {
            Ok((stamp, undo)) => {
                done.push(undo);
                docs.push((write.name.clone(), write.path.clone(), stamp));
            }
            Err(error) => {
                done.into_iter().rev().for_each(Undo::put_back);
                return Err(error);
            }
        }
    }
    discard_undo(done)?;
    Ok(Written {
        docs,
        ..Written::default()
    })
}

/// Keeps `bytes` beside a file that is about to change, in `<stem>-<day>.json`, once a day: what was
/// there before the first change counts. The latest `most` files are kept.
pub fn keep_of_the_day(
    root: &Path,
    stem: &Path,
    bytes: &[u8],
    most: usize,
    now: Millis,
) -> Result<(), WriteError> {
    let start = format!(
        "{}-",
        stem.file_name().unwrap_or_default().to_string_lossy()
    );
    let path = stem.with_file_name(format!("{start}{}.json", &now.rfc3339()[..10]));
    if path.exists() {
        return Ok(());
    }
    write_as_guest(root, &path, &Change::Create(&bytes.to_vec()), now)?;
    let dir = stem.parent().unwrap_or(root);
    let mut kept = names_in(dir, |kind| kind.is_file());
    kept.retain(|name| name.starts_with(&start));
    kept.sort();
    let too_many = kept.len().saturating_sub(most);
    for name in &kept[..too_many] {
        drop(fs::remove_file(dir.join(name)));
    }
    Ok(())
}

/// Writes one file as a guest and returns its new stamp. The file's modification time becomes
/// `mtime`, but never moves backwards.
pub fn write_as_guest(
    root: &Path,
    path: &Path,
    change: &Change<'_>,
    mtime: Millis,
) -> Result<Stamp, WriteError> {
    let (stamp, undo) = write_with_undo(root, path, change, mtime)?;
    discard_undo(vec![undo])?;
    Ok(stamp)
}

/// Gives up what could put the files back. If a program that had a former file open wrote to it, no
/// journal has that text: then all files are put back.
fn discard_undo(done: Vec<Undo>) -> Result<(), WriteError> {
    if let Some(path) = done.iter().find_map(Undo::written_to) {
        let path = path.to_path_buf();
        done.into_iter().rev().for_each(Undo::put_back);
        return Err(WriteError::Changed(path));
    }
    done.into_iter().for_each(Undo::forget);
    Ok(())
}

fn write_with_undo(
    root: &Path,
    path: &Path,
    change: &Change<'_>,
    mtime: Millis,
) -> Result<(Stamp, Undo), WriteError> {
    check_before(root, path, change)?;
    match change {
        Change::Create(bytes) => create(root, path, *bytes, mtime),
        Change::Append {
            was, from, bytes, ..
        } => append(path, *was, *from, *bytes, mtime),
        Change::Replace { was, bytes, .. } => replace(path, *was, *bytes, mtime),
        Change::Remove { was, .. } => remove(path, *was),
    }
}

/// How to put one file back, as long as nobody else has touched the file since.
enum Undo {
    Remove {
        path: PathBuf,
        now: Stamp,
    },
    CutBack {
        path: PathBuf,
        now: Stamp,
        was: Stamp,
    },
    MoveBack {
        path: PathBuf,
        now: Stamp,
        kept: Option<PathBuf>,
        was: Stamp,
    },
    Return {
        path: PathBuf,
        kept: PathBuf,
        was: Stamp,
    },
}

impl Undo {
    fn put_back(self) {
        // Best effort: the next scan of the store finds and reports a file that was not put back.
        match self {
            Self::Remove { path, now } if is_still(&path, now) => drop(fs::remove_file(path)),
            Self::CutBack { path, now, was } if is_still(&path, now) => drop(cut_back(&path, was)),
            Self::MoveBack {
                path,
                now,
                kept: Some(kept),
                ..
            } if is_still(&path, now) => drop(fs::rename(kept, path)),
            Self::Return { path, kept, .. } => {
                drop(link_new(&kept, &path).and_then(|()| fs::remove_file(&kept)))
            }
            other => other.forget(),
        }
    }

    /// The path of the file, if somebody has written to the former file since.
    fn written_to(&self) -> Option<&Path> {
        let (Self::MoveBack {
            path,
            kept: Some(kept),
            was,
            ..
        }
        | Self::Return { path, kept, was }) = self
        else {
            return None;
        };
        let is_written = |now: Stamp| (now.len, now.mtime_ns) != (was.len, was.mtime_ns);
        Stamp::of(kept).is_ok_and(is_written).then_some(path)
    }

    fn forget(self) {
        if let Self::MoveBack {
            kept: Some(kept), ..
        }
        | Self::Return { kept, .. } = self
        {
            drop(fs::remove_file(kept));
        }
    }
}

fn is_still(path: &Path, was: Stamp) -> bool {
    Stamp::of(path).is_ok_and(|now| now == was)
}

fn check_before(root: &Path, path: &Path, change: &Change<'_>) -> Result<(), WriteError> {
    check_inside(root, path)?;
    match change {
        Change::Create(_) => match fs::symlink_metadata(path) {
            // The file may be a beginning of the content to write; `create` finds out.
            Ok(metadata) if metadata.is_file() => Ok(()),
            Ok(_) => Err(WriteError::Changed(path.to_path_buf())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(WriteError::Io {
                path: path.to_path_buf(),
                source,
            }),
        },
        Change::Append { was, .. } | Change::Replace { was, .. } | Change::Remove { was, .. } => {
            check_unchanged(path, *was)
        }
    }
}

fn check_unchanged(path: &Path, was: Stamp) -> Result<(), WriteError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_symlink() => Err(WriteError::Refused(format!(
            "{} is a symbolic link; links are not written through",
            path.display()
        ))),
        Ok(metadata) if metadata.is_file() && Stamp::of_metadata(&metadata) == was => Ok(()),
        Ok(_) => Err(WriteError::Changed(path.to_path_buf())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(WriteError::Changed(path.to_path_buf()))
        }
        Err(source) => Err(WriteError::Io {
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// Refuses a path that leaves `root`, by its names or through a link on the way.
fn check_inside(root: &Path, path: &Path) -> Result<(), WriteError> {
    let outside = || {
        WriteError::Refused(format!(
            "{} is not inside {}",
            path.display(),
            root.display()
        ))
    };
    let relative = path.strip_prefix(root).map_err(|_| outside())?;
    let plain = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !plain || relative.as_os_str().is_empty() {
        return Err(outside());
    }
    let (Ok(real_root), Some(nearest)) = (fs::canonicalize(root), nearest_existing(path)) else {
        // The store does not exist yet, so it contains no link.
        return Ok(());
    };
    let real = fs::canonicalize(&nearest).map_err(|source| WriteError::Io {
        path: nearest.clone(),
        source,
    })?;
    if real.starts_with(&real_root) || is_below_own_link(root, &nearest, &real) {
        Ok(())
    } else {
        Err(outside())
    }
}

/// Whether the first link between `root` and `path` is followed, and `real`, the resolved path, is
/// below that link's target.
fn is_below_own_link(root: &Path, path: &Path, real: &Path) -> bool {
    let above = path
        .ancestors()
        .take_while(|above| above.starts_with(root) && *above != root);
    let link = above
        .filter(|above| fs::symlink_metadata(above).is_ok_and(|metadata| metadata.is_symlink()))
        .last();
    link.filter(|link| is_own_dir(root, link))
        .is_some_and(|link| fs::canonicalize(link).is_ok_and(|target| real.starts_with(target)))
}

/// Whether a path below a store is a directory whose files belong to the store: a directory, or a
/// link to a directory that belongs to this user and lies in no store. Only the user can have made
/// such a link, because files of other devices are written as plain files. Links are not followed
/// where the system does not report a directory's owner.
pub fn is_own_dir(root: &Path, path: &Path) -> bool {
    is_dir_or_link(path, || followed(root, path).is_some())
}

/// Whether a path is a directory, or a link of which `leads` says that it leads to one.
pub fn is_dir_or_link(path: &Path, leads: impl FnOnce() -> bool) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|metadata| metadata.is_dir() || (metadata.is_symlink() && leads()))
}

/// Whether a path is a directory, or a link to one that is apart from the store. For a directory
/// that a layout names itself: only the user can have put a link there, so its target may belong to
/// anybody, as that of a mounted disk does.
pub fn is_dir_or_leads_out(root: &Path, path: &Path) -> bool {
    is_dir_or_link(path, || target_apart(root, path).is_some())
}

/// The directory that a link below a store leads to, if it is neither in the store nor around it.
fn target_apart(root: &Path, link: &Path) -> Option<PathBuf> {
    let target = fs::canonicalize(link).ok()?;
    let (root, parent) = (
        fs::canonicalize(root).ok()?,
        fs::canonicalize(link.parent()?).ok()?,
    );
    let apart =
        !target.starts_with(&root) && !root.starts_with(&target) && !parent.starts_with(&target);
    (apart && target.is_dir()).then_some(target)
}

/// The target of a link below a store, if the link is followed.
pub fn followed(root: &Path, link: &Path) -> Option<PathBuf> {
    target_apart(root, link).filter(|target| fs::metadata(target).is_ok_and(|it| is_users(&it)))
}

#[cfg(unix)]
fn is_users(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    // SAFETY: geteuid(2) has no preconditions and cannot fail.
    metadata.is_dir() && metadata.uid() == unsafe { libc::geteuid() }
}

#[cfg(not(unix))]
fn is_users(_metadata: &Metadata) -> bool {
    false
}

/// The deepest existing directory above `path`. `path` may itself be a link, checked elsewhere.
fn nearest_existing(path: &Path) -> Option<PathBuf> {
    path.ancestors()
        .skip(1)
        .find(|above| fs::symlink_metadata(above).is_ok())
        .map(Path::to_path_buf)
}

fn create(
    root: &Path,
    path: &Path,
    bytes: &dyn Bytes,
    mtime: Millis,
) -> Result<(Stamp, Undo), WriteError> {
    let parent = path.parent().unwrap_or(root);
    let io_error = |source| WriteError::Io {
        path: path.to_path_buf(),
        source,
    };
    make_private_dirs(parent).map_err(io_error)?;
    let temp = Temp::write(parent, bytes, mtime).map_err(io_error)?;
    match link_new(&temp.path, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return go_on_from(path, temp);
        }
        Err(error) => return Err(io_error(error)),
    }
    let len = temp.len;
    drop(temp);
    let now = stamp_after(path, len).map_err(io_error)?;
    Ok((
        now,
        Undo::Remove {
            path: path.to_path_buf(),
            now,
        },
    ))
}

/// An existing file is replaced only if it is a beginning of the new content. The user deleted a
/// session, not the files beside it.
fn go_on_from(path: &Path, temp: Temp) -> Result<(Stamp, Undo), WriteError> {
    let io_error = |source| WriteError::Io {
        path: path.to_path_buf(),
        source,
    };
    let was = Stamp::of(path).map_err(io_error)?;
    if !is_start_of(
        opener::file(path).map_err(io_error)?,
        opener::file(&temp.path).map_err(io_error)?,
    )
    .map_err(io_error)?
    {
        return Err(WriteError::Changed(path.to_path_buf()));
    }
    put_over(path, was, &temp)
}

/// Whether `whole` begins with all of `start`. Compared in pieces, since a log may have any size.
fn is_start_of(start: File, whole: File) -> io::Result<bool> {
    let (mut start, mut whole) = (io::BufReader::new(start), io::BufReader::new(whole));
    loop {
        let (one, other) = (start.fill_buf()?, whole.fill_buf()?);
        let both = one.len().min(other.len());
        if one.is_empty() || one[..both] != other[..both] || both == 0 {
            return Ok(one.is_empty());
        }
        start.consume(both);
        whole.consume(both);
    }
}

/// Gives the file at `temp` the name `path`, which must be free.
fn link_new(temp: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temp, path) {
        Err(error)
            if error.kind() != io::ErrorKind::AlreadyExists
                && error.kind() != io::ErrorKind::StorageFull =>
        {
            // A file system without hard links (FAT, some network drives): a rename, with the
            // smallest possible gap between the check and the rename.
            match fs::symlink_metadata(path) {
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
                Err(_) => fs::rename(temp, path),
            }
        }
        other => other,
    }
}

fn replace(
    path: &Path,
    was: Stamp,
    bytes: &dyn Bytes,
    mtime: Millis,
) -> Result<(Stamp, Undo), WriteError> {
    let io_error = |source| WriteError::Io {
        path: path.to_path_buf(),
        source,
    };
    let parent = path.parent().unwrap_or(path);
    let temp = Temp::write(parent, bytes, mtime).map_err(io_error)?;
    put_over(path, was, &temp)
}

/// Replaces the file at `path` with the new file, if the old one still matches `was`. The old
/// file's permissions stay, and its time does not go back.
fn put_over(path: &Path, was: Stamp, temp: &Temp) -> Result<(Stamp, Undo), WriteError> {
    let io_error = |source| WriteError::Io {
        path: path.to_path_buf(),
        source,
    };
    check_unchanged(path, was)?;
    let new = Stamp::of(&temp.path).map_err(io_error)?;
    if new.mtime_ns < was.mtime_ns {
        let time = system_time(later(Millis(0), was));
        let file = File::options().write(true).open(&temp.path);
        file.and_then(|file| file.set_times(fs::FileTimes::new().set_modified(time)))
            .map_err(io_error)?;
    }
    if let Ok(metadata) = fs::metadata(path) {
        drop(fs::set_permissions(&temp.path, metadata.permissions()));
    }
    // A second name keeps the old content until the whole session is written. The link changes only
    // the change time, and the stamp was checked before.
    let kept = temp_path(path.parent().unwrap_or(path));
    let kept = fs::hard_link(path, &kept).is_ok().then_some(kept);
    if let Err(source) = fs::rename(&temp.path, path) {
        kept.map(fs::remove_file);
        return Err(io_error(source));
    }
    let now = stamp_after(path, temp.len).map_err(io_error)?;
    Ok((
        now,
        Undo::MoveBack {
            path: path.to_path_buf(),
            now,
            kept,
            was,
        },
    ))
}

fn remove(path: &Path, was: Stamp) -> Result<(Stamp, Undo), WriteError> {
    let io_error = |source| WriteError::Io {
        path: path.to_path_buf(),
        source,
    };
    check_unchanged(path, was)?;
    // The tool no longer sees the file, which is deleted once the whole session is removed.
    let kept = temp_path(path.parent().unwrap_or(path));
    fs::rename(path, &kept).map_err(io_error)?;
    Ok((
        Stamp::default(),
        Undo::Return {
            path: path.to_path_buf(),
            kept,
            was,
        },
    ))
}

fn append(
    path: &Path,
    was: Stamp,
    from: u64,
    bytes: &dyn Bytes,
    mtime: Millis,
) -> Result<(Stamp, Undo), WriteError> {
    let io_error = |source| WriteError::Io {
        path: path.to_path_buf(),
        source,
    };
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .open(path)
        .map_err(io_error)?;
    let torn = torn_tail(&mut file, was, from).map_err(io_error)?;
    let opened = file.metadata().map_err(io_error)?;
    if Stamp::of_metadata(&opened) != was {
        return Err(WriteError::Changed(path.to_path_buf()));
    }
    let mut out = Remainder {
        expected: &torn,
        matched: 0,
        written: 0,
        differs: false,
        out: &file,
    };
    let wrote = {
        let mut buffered = io::BufWriter::with_capacity(1 << 20, &mut out);
        let wrote = bytes
            .write_to(&mut buffered)
            .and_then(|()| buffered.flush());
        drop(buffered.into_parts());
        wrote
    };
    if out.differs || (wrote.is_ok() && out.matched < torn.len()) {
        return Err(WriteError::Torn(path.to_path_buf()));
    }
    let written = out.written;
    let synced = wrote
        .and_then(|()| {
            file.set_times(fs::FileTimes::new().set_modified(system_time(later(mtime, was))))
        })
        .and_then(|()| file.sync_data());
    if let Err(source) = synced {
        // Our partial line must not stay. If the length is not what we wrote, another program wrote
        // too, and none of its bytes are cut.
        if file
            .metadata()
            .is_ok_and(|metadata| metadata.len() == was.len + written)
        {
            drop(cut_back(path, was));
        }
        return Err(io_error(source));
    }
    let now = stamp_after(path, was.len + written).map_err(io_error)?;
    Ok((
        now,
        Undo::CutBack {
            path: path.to_path_buf(),
            now,
            was,
        },
    ))
}

/// The bytes after `from`: the beginning of a line that was never finished here.
fn torn_tail(file: &mut File, was: Stamp, from: u64) -> io::Result<Vec<u8>> {
    let mut torn = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.take(was.len.saturating_sub(from))
        .read_to_end(&mut torn)?;
    Ok(torn)
}

/// Passes on the bytes after `expected`. Refuses bytes that do not begin with `expected` before
/// anything is written.
struct Remainder<'a> {
    expected: &'a [u8],
    matched: usize,
    written: u64,
    differs: bool,
    out: &'a File,
}

impl Write for Remainder<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = &self.expected[self.matched..];
        let n = left.len().min(bytes.len());
        if left[..n] != bytes[..n] {
            self.differs = true;
            return Err(io::Error::other("the unfinished last line differs"));
        }
        if n > 0 {
            self.matched += n;
            return Ok(n);
        }
        let n = self.out.write(bytes)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn cut_back(path: &Path, was: Stamp) -> io::Result<()> {
    // A separate handle, because on Windows a handle opened for appending may not shorten a file.
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(was.len)?;
    file.set_times(fs::FileTimes::new().set_modified(system_time(Millis(was.mtime_ns / 1_000_000))))
}

/// A file beside its target, deleted unless it is given another name.
struct Temp {
    path: PathBuf,
    len: u64,
}

impl Temp {
    fn write(dir: &Path, bytes: &dyn Bytes, mtime: Millis) -> io::Result<Self> {
        remove_stale(dir);
        let path = temp_path(dir);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        let mut temp = Self { path, len: 0 };
        let mut out = io::BufWriter::with_capacity(1 << 20, &file);
        bytes.write_to(&mut out)?;
        out.flush()?;
        drop(out);
        file.set_times(fs::FileTimes::new().set_modified(system_time(mtime)))?;
        file.sync_all()?;
        temp.len = file.metadata()?.len();
        Ok(temp)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Already gone if it was renamed.
        drop(fs::remove_file(&self.path));
    }
}

fn temp_path(dir: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    dir.join(format!(
        ".roam-{}-{}.tmp",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ))
}

/// Removes partial files left by a crash, an hour after it. A directory is searched once: one that
/// is clean gets no such file but from this process, which removes its own.
fn remove_stale(dir: &Path) {
    static CLEAN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    const AN_HOUR: Duration = Duration::from_secs(60 * 60);
    /// The limit of remembered directories.
    const MOST: usize = 4096;
    let clean = || CLEAN.lock().unwrap_or_else(PoisonError::into_inner);
    if clean().contains(dir) {
        return;
    }
    let is_partial = |name: &String| name.starts_with(".roam-") && name.ends_with(".tmp");
    let mut partial = names_in(dir, fs::FileType::is_file);
    partial.retain(is_partial);
    let is_stale = |path: &Path| {
        let changed = changed_at(&fs::symlink_metadata(path).ok()?)?;
        Some(AN_HOUR < changed.elapsed().ok()?)
    };
    let removed = partial.iter().filter(|name| {
        let path = dir.join(name);
        is_stale(&path) == Some(true) && fs::remove_file(path).is_ok()
    });
    if removed.count() == partial.len() {
        let mut clean = clean();
        if MOST <= clean.len() {
            clean.clear();
        }
        clean.insert(dir.to_owned());
    }
}

/// A file with this content in `dir`, on the disk before it gets its name (`persist`).
pub fn unnamed(dir: &Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let mut new = tempfile::Builder::new()
        .prefix(".roam-")
        .suffix(".tmp")
        .tempfile_in(dir)?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    Ok(new)
}

/// The time at which anybody last touched a file. The modification time may be that of a session of
/// last year.
#[cfg(unix)]
fn changed_at(metadata: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(metadata.ctime()).ok()?))
}

#[cfg(not(unix))]
fn changed_at(metadata: &Metadata) -> Option<SystemTime> {
    metadata.created().ok()
}

/// Makes a directory, and those above it, for this user alone.
pub fn make_private_dirs(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// The stamp of our write. If another program wrote more meanwhile, the stamp covers our part only.
/// It then differs from the file, and the next scan sees the other part.
fn stamp_after(path: &Path, len: u64) -> io::Result<Stamp> {
    let now = Stamp::of(path)?;
    if now.len == len {
        Ok(now)
    } else {
        Ok(Stamp {
            len,
            ..Stamp::default()
        })
    }
}

fn later(mtime: Millis, was: Stamp) -> Millis {
    mtime.max(Millis(was.mtime_ns.div_euclid(1_000_000)))
}

fn system_time(time: Millis) -> SystemTime {
    // A time from another device that this system cannot represent becomes the epoch.
    let since = Duration::from_millis(u64::try_from(time.0).unwrap_or(0));
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
