//! The only way to open files that somebody else may have placed: everything below the vault and
//! everything in the stores of tools. Symbolic links, FIFOs, devices and directories are refused,
//! opening never blocks, and reading stops at a limit. Knows neither journals nor tools.
//!
//! `cargo xtask tidy` refuses the raw calls (`std::fs::read`, `File::open`, …) for such files.

use std::ffi::OsString;
use std::fs::File;
#[cfg(windows)]
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek};
use std::path::{Component, Path};
use std::time::Duration;

/// Limit for files that are read whole: those of a tool's store, of git or of an editor.
pub const MOST: u64 = 128 << 20;
/// Limit for small files of a known form: a lock, a list of processes, a git ref.
pub const SMALL: u64 = 1 << 20;

/// Why an existing path was not opened or not read to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is a symbolic link")]
    Link,
    #[error("it is not a regular file")]
    Kind,
    #[error("it is larger than {}", size(.0))]
    Large(u64),
    #[error("it is not a plain path")]
    Path,
}

fn size(bytes: &u64) -> String {
    let mib = 1 << 20;
    match (bytes / mib, bytes % mib) {
        (whole @ 1.., 0) => format!("{whole} MiB"),
        _ => format!("{bytes} bytes"),
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::new(io::ErrorKind::InvalidInput, refused)
    }
}

/// The refusal inside an error of this module; `None` for the system's own errors.
pub fn refusal(error: &io::Error) -> Option<Refused> {
    error.get_ref()?.downcast_ref().copied()
}

/// Opens a regular file for reading. Refuses a link as the last component.
pub fn file(path: &Path) -> io::Result<File> {
    regular(system::open(path, Links::Refuse)?)
}

/// Opens a regular file for reading and follows links: for files of the user that are no sessions,
/// such as git's.
pub fn file_behind_links(path: &Path) -> io::Result<File> {
    regular(system::open(path, Links::Follow)?)
}

/// Opens a regular file below the trusted `root`. No directory on the way may be a link.
pub fn file_below(root: &Path, relative: &str) -> io::Result<File> {
    let (dirs, name) = parts(relative)?;
    regular(system::open_below(root, &dirs, name)?)
}

/// Opens a regular file below `root` for reading, writing at its end and shortening. With `new`,
/// creates the file and refuses an existing one.
pub fn append_below(root: &Path, relative: &str, new: bool) -> io::Result<File> {
    let (dirs, name) = parts(relative)?;
    regular(system::append_below(root, &dirs, name, new)?)
}

/// Reads a regular file of at most `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    all_of(&file(path)?, most)
}

/// Reads text of at most `most` bytes.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

/// Reads text of at most `most` bytes and follows links.
pub fn read_text_behind_links(path: &Path, most: u64) -> io::Result<String> {
    text(all_of(&file_behind_links(path)?, most)?)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads the rest of an open file, if the rest is at most `most` bytes. The limit also holds for a
/// file that grows meanwhile.
pub fn all_of(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let len = file.metadata()?.len();
    if most < len {
        return Err(Refused::Large(most).into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).map_err(io::Error::other)?);
    file.take(most + 1).read_to_end(&mut bytes)?;
    if most < bytes.len() as u64 {
        Err(Refused::Large(most).into())
    } else {
        Ok(bytes)
    }
}

/// Reads the first `len` bytes of an open file; fewer if the file is shorter.
pub fn start_of(file: &mut File, len: u64) -> io::Result<Vec<u8>> {
    let there = file.metadata()?.len().min(len);
    let mut bytes = Vec::with_capacity(usize::try_from(there).map_err(io::Error::other)?);
    file.rewind()?;
    file.take(there).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A name in a directory and the kind of its entry. Links are not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: OsString,
    pub kind: Kind,
    /// The size of a regular file in bytes; 0 for everything else.
    pub len: u64,
    /// Times and inode of a regular file as one number, for comparison only: a file that was written
    /// or exchanged has another one. 0 for everything else.
    pub mark: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Dir,
    File,
    /// A link, a FIFO, a socket or a device.
    Other,
}

/// Lists at most `most` names in a directory below `root`, sorted. A link on the way is an error.
pub fn list_below(root: &Path, relative: &str, most: usize) -> io::Result<Vec<Listed>> {
    let dirs = match relative {
        "" => Vec::new(),
        relative => {
            let (mut dirs, name) = parts(relative)?;
            dirs.push(name);
            dirs
        }
    };
    let mut listed = system::list(root, &dirs, most)?;
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(listed)
}

/// Puts a file into the place of another one that Syncthing may be reading, in one step. Windows
/// refuses that while a program has the other one open, which Syncthing has for milliseconds.
pub fn replace(from: &Path, to: &Path) -> io::Result<()> {
    const TRIES: usize = 10;
    for _ in 1..TRIES {
        match std::fs::rename(from, to) {
            Err(error) if system::is_in_use(&error) => {
                std::thread::sleep(Duration::from_millis(10))
            }
            done => return done,
        }
    }
    std::fs::rename(from, to)
}

/// Whether anything exists at a path, even a dangling link.
pub fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Whether two open files are the same file. False if the file system does not say.
pub fn is_same(one: &File, other: &File) -> bool {
    let identities = system::identity(one).ok().zip(system::identity(other).ok());
    identities.is_some_and(|(one, other)| one == other)
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(Refused::Kind.into())
    }
}

fn hash_of(facts: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    facts.hash(&mut hasher);
    hasher.finish()
}

/// Splits a relative path of plain names into its directories and its last name.
fn parts(relative: &str) -> io::Result<(Vec<&str>, &str)> {
    let plain = |name: &&str| {
        let mut parts = Path::new(name).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == *name)
    };
    let mut names: Vec<&str> = relative.split('/').collect();
    if !names.iter().all(plain) {
        return Err(Refused::Path.into());
    }
    let name = names.pop().ok_or(Refused::Path)?;
    Ok((names, name))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    Refuse,
    Follow,
}

#[cfg(unix)]
mod system {
    use super::*;
    use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};
    use rustix::io::Errno;
    use std::ffi::OsStr;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::ffi::OsStrExt;

    // NONBLOCK opens a FIFO without a writer at once; a later check refuses it as no regular file.
    const READ: OFlags = OFlags::RDONLY
        .union(OFlags::CLOEXEC)
        .union(OFlags::NONBLOCK)
        .union(OFlags::NOCTTY);

    fn refused(error: Errno) -> io::Error {
        // The errors of various systems for a link under NOFOLLOW and for a socket or device
        // without a driver.
        match error {
            Errno::LOOP | Errno::MLINK => Refused::Link.into(),
            Errno::NXIO => Refused::Kind.into(),
            error => error.into(),
        }
    }

    /// The device and the inode.
    /// Nothing that is open keeps a file from being replaced.
    pub fn is_in_use(_: &io::Error) -> bool {
        false
    }

    pub fn identity(file: &File) -> io::Result<(u64, u64)> {
        use std::os::unix::fs::MetadataExt;
        file.metadata()
            .map(|metadata| (metadata.dev(), metadata.ino()))
    }

    pub fn open(path: &Path, links: Links) -> io::Result<File> {
        let flags = if links == Links::Refuse {
            READ | OFlags::NOFOLLOW
        } else {
            READ
        };
        openat(CWD, path, flags, Mode::empty())
            .map(File::from)
            .map_err(refused)
    }

    /// Opens the directory itself, so that no directory on the way can be exchanged for a link.
    /// Uses one call where the system can.
    pub fn walk(root: &Path, dirs: &[&str]) -> io::Result<OwnedFd> {
        let root = open_root(root)?;
        if dirs.is_empty() {
            return Ok(root);
        }
        match at_once(&root, dirs) {
            // The kernel is older than 5.6, or a sandbox does not know the call.
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => step_by_step(root, dirs),
            opened => opened.map_err(refused_dir),
        }
    }

    #[cfg(test)]
    pub fn walk_slowly(root: &Path, dirs: &[&str]) -> io::Result<OwnedFd> {
        step_by_step(open_root(root)?, dirs)
    }

    fn open_root(root: &Path) -> io::Result<OwnedFd> {
        Ok(openat(
            CWD,
            root,
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY,
            Mode::empty(),
        )?)
    }

    #[cfg(target_os = "linux")]
    fn at_once(root: &OwnedFd, dirs: &[&str]) -> Result<OwnedFd, Errno> {
        use rustix::fs::{ResolveFlags, openat2};
        openat2(
            root.as_fd(),
            dirs.join("/"),
            READ | OFlags::DIRECTORY,
            Mode::empty(),
            ResolveFlags::NO_SYMLINKS,
        )
    }

    #[cfg(not(target_os = "linux"))]
    fn at_once(_root: &OwnedFd, _dirs: &[&str]) -> Result<OwnedFd, Errno> {
        Err(Errno::NOSYS)
    }

    fn step_by_step(root: OwnedFd, dirs: &[&str]) -> io::Result<OwnedFd> {
        let mut at = root;
        for dir in dirs {
            let flags = READ | OFlags::NOFOLLOW | OFlags::DIRECTORY;
            at = openat(at.as_fd(), *dir, flags, Mode::empty()).map_err(refused_dir)?;
        }
        Ok(at)
    }

    /// Linux reports NOTDIR for a link when a directory is asked for.
    fn refused_dir(error: Errno) -> io::Error {
        match error {
            Errno::NOTDIR => Refused::Link.into(),
            error => refused(error),
        }
    }

    pub fn open_below(root: &Path, dirs: &[&str], name: &str) -> io::Result<File> {
        let dir = walk(root, dirs)?;
        openat(dir.as_fd(), name, READ | OFlags::NOFOLLOW, Mode::empty())
            .map(File::from)
            .map_err(refused)
    }

    pub fn append_below(root: &Path, dirs: &[&str], name: &str, new: bool) -> io::Result<File> {
        let dir = walk(root, dirs)?;
        let mut flags =
            OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        if new {
            flags |= OFlags::CREATE | OFlags::EXCL;
        }
        openat(dir.as_fd(), name, flags, Mode::from_raw_mode(0o666))
            .map(File::from)
            .map_err(refused)
    }

    /// Lists the directory that was opened, even if its path leads elsewhere by now.
    pub fn list(root: &Path, dirs: &[&str], most: usize) -> io::Result<Vec<Listed>> {
        let dir = walk(root, dirs)?;
        let mut listed = Vec::new();
        let named = Dir::read_from(&dir)?
            .flatten()
            .filter(|entry| ![c".", c".."].contains(&entry.file_name()));
        for entry in named.take(most) {
            let stat = || statat(dir.as_fd(), entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
            // Some file systems leave the kind out of the listing.
            let kind = match entry.file_type() {
                FileType::Unknown => stat().map_or(FileType::Unknown, |stat| {
                    FileType::from_raw_mode(stat.st_mode)
                }),
                kind => kind,
            };
            let (kind, (len, mark)) = match kind {
                FileType::Directory => (Kind::Dir, (0, 0)),
                FileType::RegularFile => (Kind::File, stat().map_or((0, 0), size_and_mark)),
                _ => (Kind::Other, (0, 0)),
            };
            listed.push(Listed {
                name: OsStr::from_bytes(entry.file_name().to_bytes()).into(),
                kind,
                len,
                mark,
            });
        }
        Ok(listed)
    }

    #[allow(clippy::useless_conversion)] // the fields' types differ from system to system
    fn size_and_mark(stat: rustix::fs::Stat) -> (u64, u64) {
        let times = [
            i128::from(stat.st_mtime),
            i128::from(stat.st_mtime_nsec),
            i128::from(stat.st_ctime),
            i128::from(stat.st_ctime_nsec),
            i128::from(stat.st_ino),
        ];
        (stat.st_size as u64, hash_of(&times))
    }
}

#[cfg(windows)]
mod system {
    use super::*;
    use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
    use std::path::PathBuf;

    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x0400;

    /// The volume and the file's id on it, which are the same for all its hard links.
    /// Another program has the file open: sharing violation, or access denied where it does not
    /// let others delete.
    pub fn is_in_use(error: &io::Error) -> bool {
        matches!(error.raw_os_error(), Some(5 | 32))
    }

    pub fn identity(file: &File) -> io::Result<(u64, [u8; 16])> {
        use std::os::windows::io::AsRawHandle;
        use windows_sys::Win32::Storage::FileSystem::{
            FILE_ID_INFO, FileIdInfo, GetFileInformationByHandleEx,
        };
        let mut info = FILE_ID_INFO::default();
        // SAFETY: the handle is open, and `info` has the type and size that are asked for.
        let answer = unsafe {
            GetFileInformationByHandleEx(
                file.as_raw_handle(),
                FileIdInfo,
                (&raw mut info).cast(),
                std::mem::size_of_val(&info) as u32,
            )
        };
        match answer {
            0 => Err(io::Error::last_os_error()),
            _ => Ok((info.VolumeSerialNumber, info.FileId.Identifier)),
        }
    }

    fn is_link(metadata: &Metadata) -> bool {
        metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0
    }

    pub fn open(path: &Path, links: Links) -> io::Result<File> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true);
        if links == Links::Refuse {
            options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
        }
        let file = options.open(path)?;
        if links == Links::Refuse && is_link(&file.metadata()?) {
            Err(Refused::Link.into())
        } else {
            Ok(file)
        }
    }

    pub fn open_below(root: &Path, dirs: &[&str], name: &str) -> io::Result<File> {
        open(&check_dirs(root, dirs)?.join(name), Links::Refuse)
    }

    pub fn append_below(root: &Path, dirs: &[&str], name: &str, new: bool) -> io::Result<File> {
        let dir = check_dirs(root, dirs)?;
        let mut options = std::fs::OpenOptions::new();
        options
            .read(true)
            .write(true) // what is opened to append cannot be shortened
            .create_new(new)
            .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
        let mut file = options.open(dir.join(name))?;
        if is_link(&file.metadata()?) {
            return Err(Refused::Link.into());
        }
        file.seek(io::SeekFrom::End(0))?;
        Ok(file)
    }

    pub fn list(root: &Path, dirs: &[&str], most: usize) -> io::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        #[allow(clippy::disallowed_methods)]
        // `check_dirs` has found that every component below the root is a directory.
        for entry in std::fs::read_dir(check_dirs(root, dirs)?)?
            .flatten()
            .take(most)
        {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let kind = match () {
                () if kind.is_dir() => Kind::Dir,
                () if kind.is_file() => Kind::File,
                () => Kind::Other,
            };
            let (len, mark) = match kind {
                Kind::File => entry.metadata().map_or((0, 0), |metadata| {
                    let times = [metadata.creation_time(), metadata.last_write_time()];
                    (metadata.len(), hash_of(&times))
                }),
                Kind::Dir | Kind::Other => (0, 0),
            };
            listed.push(Listed {
                name: entry.file_name(),
                kind,
                len,
                mark,
            });
        }
        Ok(listed)
    }

    fn check_dirs(root: &Path, dirs: &[&str]) -> io::Result<PathBuf> {
        let mut path = root.to_path_buf();
        for dir in dirs {
            path.push(dir);
            #[allow(clippy::disallowed_methods)] // reads the entry itself, not its target
            let metadata = std::fs::symlink_metadata(&path)?;
            if is_link(&metadata) {
                return Err(Refused::Link.into());
            }
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn refused<T: std::fmt::Debug>(result: io::Result<T>) -> Refused {
        refusal(&result.expect_err("refused")).expect("a refusal")
    }

    #[test]
    fn what_is_opened_to_append_is_written_at_its_end_and_can_be_shortened() {
        let dir = tempfile::tempdir().expect("dir");
        let open = |new| append_below(dir.path(), "a", new).expect("open");
        open(true).write_all(b"one").expect("write");
        let mut file = open(false);
        file.write_all(b", two").expect("write");
        assert_eq!(start_of(&mut file, 99).expect("read"), b"one, two");
        file.set_len(3).expect("shortened");
        assert_eq!(read(&dir.path().join("a"), 99).expect("read"), b"one");
    }

    #[test]
    fn a_file_is_the_same_under_all_its_names() {
        let dir = tempfile::tempdir().expect("dir");
        let [one, two, other] = ["one", "two", "other"].map(|name| dir.path().join(name));
        std::fs::write(&one, "same").expect("file");
        std::fs::write(&other, "same").expect("file");
        std::fs::hard_link(&one, &two).expect("link");
        let open = |path| file(path).expect("open");
        assert!(is_same(&open(&one), &open(&two)));
        assert!(!is_same(&open(&one), &open(&other)));
    }

    #[test]
    fn a_plain_file_is_read_up_to_its_limit() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::create_dir_all(dir.path().join("a/b")).expect("dirs");
        std::fs::write(dir.path().join("a/b/c"), b"four").expect("file");
        assert_eq!(read(&dir.path().join("a/b/c"), 4).expect("read"), b"four");
        assert_eq!(
            refused(read(&dir.path().join("a/b/c"), 3)),
            Refused::Large(3)
        );
        assert_eq!(
            all_of(&file_below(dir.path(), "a/b/c").expect("open"), 4).expect("read"),
            b"four"
        );
        assert_eq!(refused(file(&dir.path().join("a"))), Refused::Kind);
        for path in ["", "a//c", "../c", "a/../a/b/c", "/etc/passwd", "."] {
            assert_eq!(
                refused(file_below(dir.path(), path)),
                Refused::Path,
                "{path}"
            );
        }
        let listed = list_below(dir.path(), "a", 10).expect("listed");
        assert_eq!(
            listed,
            [Listed {
                name: "b".into(),
                kind: Kind::Dir,
                len: 0,
                mark: 0
            }]
        );
        let listed = list_below(dir.path(), "a/b", 10).expect("listed");
        let mark = listed[0].mark;
        assert_eq!(
            listed,
            [Listed {
                name: "c".into(),
                kind: Kind::File,
                len: 4,
                mark
            }]
        );
        std::fs::write(dir.path().join("a/b/new"), "four").expect("write");
        std::fs::rename(dir.path().join("a/b/new"), dir.path().join("a/b/c")).expect("rename");
        let exchanged = list_below(dir.path(), "a/b", 10).expect("listed");
        assert!(exchanged[0].len == 4 && exchanged[0].mark != mark);
        assert_eq!(
            file_below(dir.path(), "a/x").expect_err("none").kind(),
            io::ErrorKind::NotFound
        );
    }

    /// The single call and the step-by-step way refuse the same paths.
    #[cfg(unix)]
    #[test]
    fn both_ways_into_a_directory_refuse_the_same() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::create_dir_all(dir.path().join("a/b")).expect("dirs");
        std::fs::write(dir.path().join("a/file"), b"x").expect("file");
        std::os::unix::fs::symlink("b", dir.path().join("a/link")).expect("link");
        std::os::unix::fs::symlink("a", dir.path().join("start")).expect("link");
        for dirs in [
            &["a"][..],
            &["a", "b"],
            &["a", "link"],
            &["start", "b"],
            &["a", "file"],
            &["a", "none"],
            &["a", "file", "x"],
        ] {
            let (at_once, stepwise) = (
                system::walk(dir.path(), dirs),
                system::walk_slowly(dir.path(), dirs),
            );
            let said = |way: io::Result<std::os::fd::OwnedFd>| {
                way.map(drop)
                    .map_err(|error| (refusal(&error), error.kind()))
            };
            assert_eq!(said(at_once), said(stepwise), "{dirs:?}");
        }
    }

    /// F9: a link to `/dev/zero` and a FIFO are neither read nor waited for.
    #[cfg(unix)]
    #[test]
    fn links_fifos_and_devices_are_refused_and_nothing_blocks() {
        let dir = tempfile::tempdir().expect("dir");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("real")).expect("dir");
        std::fs::write(at("real/file"), b"x").expect("file");
        std::os::unix::fs::symlink("/dev/zero", at("zero")).expect("link");
        std::os::unix::fs::symlink(at("real"), at("dir")).expect("link");
        std::os::unix::fs::symlink(at("real/file"), at("link")).expect("link");
        let fifo =
            std::ffi::CString::new(at("fifo").as_os_str().as_encoded_bytes()).expect("a path");
        // SAFETY: the path is a C string that lives as long as the call.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
        assert_eq!(refused(file(&at("zero"))), Refused::Link);
        assert_eq!(refused(file_behind_links(&at("zero"))), Refused::Kind);
        assert_eq!(refused(file(&at("fifo"))), Refused::Kind);
        assert_eq!(refused(file_below(dir.path(), "fifo")), Refused::Kind);
        assert_eq!(refused(file_below(dir.path(), "link")), Refused::Link);
        assert_eq!(refused(file_below(dir.path(), "dir/file")), Refused::Link);
        assert_eq!(refused(list_below(dir.path(), "dir", 10)), Refused::Link);
        assert_eq!(
            refused(list_below(dir.path(), "real/file", 10)),
            Refused::Link,
            "no directory either"
        );
        std::fs::create_dir_all(at("real/deep")).expect("dir");
        std::os::unix::fs::symlink(".", at("real/itself")).expect("link");
        assert_eq!(
            refused(file_below(dir.path(), "real/itself/file")),
            Refused::Link
        );
        assert_eq!(
            refused(list_below(dir.path(), "dir/deep", 10)),
            Refused::Link
        );
        assert_eq!(read_text_behind_links(&at("link"), 4).expect("read"), "x");
        let other = list_below(dir.path(), "", 10).expect("listed");
        assert_eq!(
            other
                .iter()
                .filter(|listed| listed.kind == Kind::Other)
                .count(),
            4
        );
    }
}
