//! Single files on disk: kept, moved and compared so that each is there as a whole or as it was. Knows no
//! repository.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The beginning of the name of a copy that is not whole yet.
pub(crate) const HALF: &str = ".session-roam-";

/// What tells that a file is another one now, or was written, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: (u64, u64),
    len: u64,
    modified: Option<std::time::SystemTime>,
}

impl Stamp {
    /// `None` if nothing is there.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = path.symlink_metadata().ok()?;
        Some(Self {
            file: identity(&metadata),
            len: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_metadata: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}

/// The path without links, as `git` takes it and names it.
pub(crate) fn real(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).map(without_verbatim)
}

/// Windows reports a path without links as `\\?\C:\…`, which `git` does not take.
fn without_verbatim(path: PathBuf) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_prefix(r"\\?\")) {
        Some(rest) => match rest.strip_prefix(r"UNC\") {
            Some(share) => format!(r"\\{share}").into(),
            None => rest.into(),
        },
        None => path,
    }
}

pub(crate) fn make_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    file.write_all(text.as_bytes())
}

/// Writes a file so that it is there as a whole or as it was.
pub(crate) fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_directory(path)
}

/// What is renamed later is on disk later.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    fs::File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Moves a file or link over whatever file is there.
pub(crate) fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    if fs::rename(from, to).is_ok() {
        return Ok(());
    }
    copy_file(from, to)?;
    fs::remove_file(from)
}

/// Gives a file a second name, so that it stays the same file; copies it where that is impossible.
pub(crate) fn keep_file(path: &Path, kept: &Path) -> io::Result<()> {
    match fs::hard_link(path, kept) {
        Ok(()) => Ok(()),
        Err(_) => copy_file(path, kept),
    }
}

/// Copies a file with its permissions and time, or a link; the copy is there as a whole or not.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let beside = to.with_file_name(format!("{HALF}{name}"));
    let metadata = from.symlink_metadata()?;
    let _ = fs::remove_file(&beside);
    if metadata.is_symlink() {
        make_link(&fs::read_link(from)?, &beside)?;
    } else {
        fs::copy(from, &beside)?;
        let file = fs::File::options().append(true).open(&beside)?;
        file.set_modified(metadata.modified()?)?;
    }
    fs::rename(&beside, to)
}

#[cfg(unix)]
fn make_link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn make_link(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// What a file is: the hash of its content, or where a link leads.
pub(crate) fn fingerprint(path: &Path) -> io::Result<String> {
    let metadata = path.symlink_metadata()?;
    let mut hasher = blake3::Hasher::new();
    if metadata.is_symlink() {
        hasher.update(b"link\0");
        hasher.update(&crate::names::path_bytes(&fs::read_link(path)?));
    } else {
        hasher.update(if is_executable(&metadata) { b"x" } else { b"-" });
        hasher.update_reader(fs::File::open(path)?)?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &fs::Metadata) -> bool {
    false
}

#[cfg(unix)]
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| path.symlink_metadata().map(|it| identity(&it));
    match (id(one), id(other)) {
        (Ok(one_id), Ok(other_id)) if one_id == other_id => true,
        _ => same_content(one, other),
    }
}

#[cfg(not(unix))]
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    same_content(one, other)
}

fn same_content(one: &Path, other: &Path) -> bool {
    match (fingerprint(one), fingerprint(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

pub(crate) fn make_dir(path: &Path, permissions: u32) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => set_permissions(path, permissions),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn set_permissions(path: &Path, permissions: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(permissions))
}

#[cfg(not(unix))]
fn set_permissions(_path: &Path, _permissions: u32) -> io::Result<()> {
    Ok(())
}

/// Makes the directory of a place that gets its file back: the user may have removed it.
pub(crate) fn make_way(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verbatim_path_becomes_one_that_git_takes() {
        for (path, plain) in [
            (r"\\?\C:\code", r"C:\code"),
            (r"\\?\UNC\server\code", r"\\server\code"),
            (r"C:\code", r"C:\code"),
            ("/home/x", "/home/x"),
        ] {
            assert_eq!(without_verbatim(path.into()), PathBuf::from(plain));
        }
    }
}
