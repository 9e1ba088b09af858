//! Which directory each session was written for, in a file beside the state. Nothing else says it:
//! without it, a session in the store of a directory that became another repository would stay
//! there once the state is lost. Knows nothing of why a session is where it is.

use super::Engine;
use crate::opener;
use crate::reconcile::record::SessionRecord;
use crate::session::{SessionKey, ToolId};
use crate::state::{State, StateError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "placed.jsonl";
/// The most bytes of it that are read.
const LONGEST: u64 = 64 << 20;

/// A line of the file; of two about one session the later one counts.
#[derive(Serialize, Deserialize)]
struct Written {
    tool: ToolId,
    /// The hash of the session's id, as in the vault.
    session: String,
    /// `None` if it left its directory.
    dir: Option<PathBuf>,
}

/// What the file says, kept only if the state knows nothing.
#[derive(Default)]
pub struct Placements {
    lost: BTreeMap<SessionKey, PathBuf>,
}

impl Engine {
    /// Reads the file if the state was lost, and writes it if a version without it ran before.
    pub(super) fn open_placements(&mut self) -> Result<(), StateError> {
        let path = self.home.join(FILE);
        if self.state.count()? == 0 {
            self.placements.lost = read(&path);
        } else if !path.exists() {
            let known = known(&self.state)?;
            // A file that cannot be written now is written with the next start.
            drop(write(&path, &known));
        }
        Ok(())
    }

    /// Completes the record of a session that the state does not know.
    pub(super) fn recall_placement(&self, key: &SessionKey, record: &mut SessionRecord) {
        if record.session.is_none() && record.journals.is_empty() {
            record.checkout_dir = self.placements.lost.get(key).cloned();
        }
    }

    /// Notes that a session was written for a directory or left it.
    pub(super) fn note_placement(&self, key: &SessionKey, dir: Option<&Path>) {
        let written = Written {
            tool: key.tool.clone(),
            session: key.hash.clone(),
            dir: dir.map(Path::to_owned),
        };
        // Only a lost state would miss the line.
        drop(append(&self.home.join(FILE), &written));
    }

    /// Removes a forgotten session from the file.
    pub(super) fn forget_placement(&mut self, key: &SessionKey) {
        let path = self.home.join(FILE);
        let mut known = read(&path);
        if known.remove(key).is_some() || self.placements.lost.remove(key).is_some() {
            drop(write(&path, &known));
        }
    }
}

/// The directories as the state has them.
fn known(state: &State) -> Result<BTreeMap<SessionKey, PathBuf>, StateError> {
    #[derive(Deserialize)]
    struct Record {
        #[serde(default, alias = "bound")]
        checkout_dir: Option<PathBuf>,
    }
    let mut known = BTreeMap::new();
    for (key, _) in state.rows(None)? {
        let record = state.record::<Record>(&key)?;
        let dir = record.and_then(|record| record.checkout_dir);
        known.extend(dir.map(|dir| (key, dir)));
    }
    Ok(known)
}

fn read(path: &Path) -> BTreeMap<SessionKey, PathBuf> {
    let bytes = opener::read(path, LONGEST).unwrap_or_default();
    let mut known = BTreeMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        // A line that was torn in a crash is left out.
        if let Ok(Written { tool, session, dir }) = serde_json::from_slice(line) {
            let key = SessionKey {
                tool,
                hash: session,
            };
            match dir {
                Some(dir) => drop(known.insert(key, dir)),
                None => drop(known.remove(&key)),
            }
        }
    }
    known
}

fn write(path: &Path, known: &BTreeMap<SessionKey, PathBuf>) -> io::Result<()> {
    let mut bytes = Vec::new();
    for (key, dir) in known {
        let written = Written {
            tool: key.tool.clone(),
            session: key.hash.clone(),
            dir: Some(dir.clone()),
        };
        serde_json::to_writer(&mut bytes, &written)?;
        bytes.push(b'\n');
    }
    let next = path.with_extension("next");
    fs::write(&next, bytes)?;
    fs::rename(next, path)
}

fn append(path: &Path, written: &Written) -> io::Result<()> {
    let line = serde_json::to_string(written)?;
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    // A line of its own, whatever is left of one before it.
    file.write_all(format!("\n{line}\n").as_bytes())
}
