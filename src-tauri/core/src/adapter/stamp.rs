//! The stamp of a file: whether it was touched, without reading it.

use crate::session::Millis;
use serde::{Deserialize, Serialize};
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
#[cfg(not(unix))]
use std::time::SystemTime;

/// The result of `stat` on a file. Equal stamps mean "not touched". The change time and the inode
/// reveal a rewrite that kept size and modification time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub len: u64,
    pub mtime_ns: i64,
    /// Unix change time; 0 where the system has none.
    pub ctime_ns: i64,
    /// Inode or file index; 0 where the system has none.
    pub inode: u64,
}

impl Stamp {
    /// The stamp of the file itself. A symbolic link, a directory or a device is an error.
    pub fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        match metadata.is_file() {
            true => Ok(Self::of_metadata(&metadata)),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            )),
        }
    }

    /// The stamp of content that has no file of its own, such as a row. It changes whenever `facts`
    /// changes, which is text or bytes that change with the content, and is never that of a file.
    pub fn made(len: u64, modified: Millis, facts: &[u8]) -> Self {
        let hash = blake3::hash(facts);
        let first: [u8; 8] = std::array::from_fn(|at| hash.as_bytes()[at]);
        Self {
            len,
            mtime_ns: modified.0.saturating_mul(1_000_000),
            ctime_ns: i64::from_le_bytes(first),
            inode: 0,
        }
    }

    /// When the content was changed last, according to the file system or the tool.
    pub fn modified(&self) -> Millis {
        Millis(self.mtime_ns / 1_000_000)
    }

    /// The stamp of a file with this metadata.
    #[cfg(unix)]
    pub fn of_metadata(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            len: metadata.len(),
            mtime_ns: metadata
                .mtime()
                .saturating_mul(1_000_000_000)
                .saturating_add(metadata.mtime_nsec()),
            ctime_ns: metadata
                .ctime()
                .saturating_mul(1_000_000_000)
                .saturating_add(metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// The stamp of a file with this metadata. Without inodes, size and time have to do.
    #[cfg(not(unix))]
    pub fn of_metadata(metadata: &Metadata) -> Self {
        let since = |time: SystemTime| match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i64,
            Err(before) => -(before.duration().as_nanos() as i64),
        };
        Self {
            len: metadata.len(),
            mtime_ns: metadata.modified().map(since).unwrap_or(0),
            ctime_ns: 0,
            inode: 0,
        }
    }
}
