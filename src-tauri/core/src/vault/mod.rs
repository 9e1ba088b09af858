//! The vault: one folder tree per device and lane, with journals that only their owner appends to.
//! Knows files, frames and signatures; knows nothing of Syncthing or of tools' stores.

pub mod card;
pub mod envelope;
pub mod equivocation;
pub mod erase;
pub mod frame;
pub mod head;
pub mod journal;
pub mod journal_reader;
mod json_text;
pub mod kept;
pub mod keys;
mod large;
pub mod limits;
pub mod message_index;
pub mod piece;
pub mod presence;
pub mod quarantine;
pub mod snapshot_file;
pub mod spool;

pub use envelope::Seal;
pub use equivocation::EquivocatedFrames;
pub use erase::Erased;
pub use frame::{Entry, ForkOf, Frame, FrameHash, Head, SessionCard};
pub use journal::{Fault, Journal, JournalError, Owner, READS, Segment, Skipped};
pub use kept::{Kept, kept_frames};
pub use quarantine::Quarantine;

use crate::opener::{self, Listed};
use crate::session::{Lane, ProjectKey, SessionKey, ToolId};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A path below the vault: `<device>/<lane>/<tool>/<project>/<session>/<NNNN>.jsonl.zst`, always
/// with `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultPath {
    pub device: String,
    pub lane: Lane,
    pub key: SessionKey,
    pub project: String,
    pub segment: u32,
}

/// The places of the vault and of its safety copy.
#[derive(Clone, Debug)]
pub struct Vault {
    root: PathBuf,
    remains: PathBuf,
    pub kept: Kept,
    pub quarantine: Quarantine,
    /// Locked while a large frame is read ([`limits::READ_ALONE`]).
    large: Arc<Mutex<()>>,
}

impl Vault {
    pub fn at(home: &Path) -> Self {
        Self {
            root: home.join("vault"),
            remains: home.join("remains"),
            kept: Kept::at(home.join("kept")),
            quarantine: Quarantine::at(home),
            large: Arc::default(),
        }
    }

    /// Waits until no other large frame is being read.
    fn large_turn(&self) -> MutexGuard<'_, ()> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Unfinished last lines of files that were rewritten. Kept beside the vault, for they belong
    /// to no journal.
    pub fn remains(&self) -> &Path {
        &self.remains
    }

    /// The folder that Syncthing replicates for a device and lane.
    pub fn lane_dir(&self, device: &str, lane: Lane) -> PathBuf {
        self.root.join(device).join(lane.as_str())
    }

    pub fn file(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Opens a file below the vault as untrusted, whichever device wrote it.
    pub fn open(&self, relative: &str) -> io::Result<File> {
        opener::file_below(&self.root, relative)
    }

    /// Opens one of this device's own files below the vault for reading and appending.
    fn append(&self, relative: &str, new: bool) -> io::Result<File> {
        opener::append_below(&self.root, relative, new)
    }

    /// Lists a directory below the vault, up to a limit; empty if there is none.
    pub fn list(&self, relative: &str) -> io::Result<Vec<Listed>> {
        match opener::list_below(&self.root, relative, limits::NAMES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        }
    }
}

impl VaultPath {
    /// A journal's directory below the vault.
    pub fn journal_dir(device: &str, lane: Lane, key: &SessionKey, project: &ProjectKey) -> String {
        format!(
            "{device}/{}/{}/{}/{}",
            lane.as_str(),
            key.tool,
            project.hash(),
            key.hash
        )
    }

    /// Parses a path as a lane folder reports it; `None` if the path is no segment.
    pub fn parse(device: &str, lane: Lane, in_lane: &str) -> Option<Self> {
        let parts: Vec<&str> = in_lane.split(['/', '\\']).collect();
        let [tool, project, session, file] = parts[..] else {
            return None;
        };
        let number = file.strip_suffix(".jsonl.zst")?;
        if number.len() < 4
            || !number.bytes().all(|byte| byte.is_ascii_digit())
            || ![device, tool, project, session].into_iter().all(plain)
        {
            return None;
        }
        Some(Self {
            device: device.into(),
            lane,
            key: SessionKey {
                tool: ToolId::new(tool),
                hash: session.into(),
            },
            project: project.into(),
            segment: number.parse().ok()?,
        })
    }

    /// The device and the session of a directory below the vault, `<device>/<lane>/<tool>/<project>/<session>`.
    pub fn parse_dir(dir: &str) -> Option<(&str, SessionKey)> {
        let parts: Vec<&str> = dir.split('/').collect();
        let [device, _, tool, _, session] = parts[..] else {
            return None;
        };
        let key = SessionKey {
            tool: ToolId::new(tool),
            hash: session.into(),
        };
        Some((device, key))
    }

    /// Whether a key from another device can be a journal's: both parts are plain directory names.
    pub fn is_key(key: &SessionKey) -> bool {
        plain(key.tool.as_str()) && plain(&key.hash)
    }

    pub fn dir(&self) -> String {
        format!(
            "{}/{}/{}/{}/{}",
            self.device,
            self.lane.as_str(),
            self.key.tool,
            self.project,
            self.key.hash
        )
    }

    /// The path of a segment within its lane's folder.
    pub fn in_lane(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.key.tool,
            self.project,
            self.key.hash,
            segment_name(self.segment)
        )
    }
}

fn plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

pub fn segment_name(number: u32) -> String {
    format!("{number:04}.jsonl.zst")
}
