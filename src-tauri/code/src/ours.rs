//! Our directory in a checkout's git directory: undo records, files that an undo took out of the way, and the
//! note of what applied code put into the checkout. Knows no snapshot.

use crate::checkout::{Checkout, CodeError, Result};
use crate::names::{ObjectId, RepoPath};
use crate::objects::{Entry, Mode};
use crate::record::joined;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name of our directory in a git directory.
const OURS: &str = "session-roam";
/// The list in an undo record, or for a worktree that we made in its own git directory.
const UNTRACKED: &str = "untracked";
/// What else is noted of the state, beside that list.
const PLACED: &str = "placed.json";

/// Where the undo records are, each in a directory that is named by its number.
pub(crate) fn undo_directory(checkout: &Checkout) -> PathBuf {
    checkout.git_dir.join(OURS).join("undo")
}

/// Where files of the user's are kept that an undo took out of the way.
pub(crate) fn kept_directory(checkout: &Checkout) -> PathBuf {
    checkout.git_dir.join(OURS).join("kept")
}

/// The numbers of the undo records, from the first to the latest.
pub(crate) fn numbers(checkout: &Checkout) -> Result<Vec<u64>> {
    let dir = undo_directory(checkout);
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CodeError::io(&dir)(error)),
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<u64> = names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect();
    numbers.sort();
    Ok(numbers)
}

pub(crate) fn remove_if_empty(checkout: &Checkout) {
    let _ = fs::remove_dir(undo_directory(checkout));
    let _ = fs::remove_dir(checkout.git_dir.join(OURS));
}

/// A name that nothing in the directory has, which begins with `name`.
pub(crate) fn free_name(dir: &Path, name: &str) -> String {
    let mut names = (1..).map(|again| match again {
        1 => name.to_owned(),
        again => format!("{name}-{again}"),
    });
    let is_free = |name: &String| dir.join(name).symlink_metadata().is_err();
    names.find(is_free).expect("the numbers do not end")
}

/// What the state that was applied last put into a checkout, where no index says it.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    /// Its untracked files. No status names those that only this device ignores.
    pub untracked: BTreeSet<RepoPath>,
    /// The files that are not as the index has them: their kind and permission, which this disk may not
    /// hold, and their content.
    pub entries: BTreeMap<RepoPath, Entry>,
    /// Untracked files of this device that it ignored before and that the state's rules no longer ignore.
    pub own: BTreeSet<RepoPath>,
    /// The commit that was checked out. With another one, `own` counts for nothing.
    pub head: Option<ObjectId>,
}

/// All of it but the untracked files, which older versions noted as well.
#[derive(Default, Serialize, Deserialize)]
struct Note {
    entries: Vec<(RepoPath, String, ObjectId)>,
    own: BTreeSet<RepoPath>,
    head: Option<ObjectId>,
}

impl Placed {
    /// Notes a state that is applied in place, in its undo record; the note goes with that.
    pub fn note(&self, record: &Path) -> Result<()> {
        let entries = self.entries.iter();
        let entries = entries.map(|(path, entry)| {
            let mode = entry.mode.as_str().to_owned();
            (path.clone(), mode, entry.id.clone())
        });
        let note = Note {
            entries: entries.collect(),
            own: self.own.clone(),
            head: self.head.clone(),
        };
        let text = serde_json::to_vec(&note).expect("strings and lists only");
        for (name, text) in [(PLACED, text), (UNTRACKED, joined(self.untracked.iter()))] {
            let file = record.join(name);
            fs::write(&file, text).map_err(CodeError::io(&file))?;
        }
        Ok(())
    }

    /// The same for a worktree that was made for the state; the note goes with the worktree.
    pub fn note_in(&self, worktree: &Checkout) -> Result<()> {
        let dir = worktree.git_dir.join(OURS);
        fs::create_dir_all(&dir).map_err(CodeError::io(&dir))?;
        self.note(&dir)
    }

    /// Of the state that was applied here last.
    pub fn last(checkout: &Checkout) -> Result<Self> {
        let undo = undo_directory(checkout);
        let records = numbers(checkout)?.into_iter().rev();
        let records = records.map(|number| undo.join(number.to_string()));
        let own = checkout.git_dir.join(OURS);
        for dir in records.chain([own]) {
            if let Some(list) = read_if_there(&dir.join(UNTRACKED))? {
                let note = read_if_there(&dir.join(PLACED))?;
                return Ok(Self::read(&list, note.as_deref()));
            }
        }
        Ok(Self::default())
    }

    fn read(untracked: &[u8], note: Option<&[u8]>) -> Self {
        let note: Option<Note> = note.and_then(|text| serde_json::from_slice(text).ok());
        let note = note.unwrap_or_default();
        let paths = untracked.split(|byte| *byte == 0);
        let paths = paths.filter(|path| !path.is_empty());
        let entries = note.entries.into_iter().filter_map(|(path, mode, id)| {
            let mode = Mode::parse(mode.as_bytes())?;
            Some((path, Entry { mode, id }))
        });
        Self {
            untracked: paths.map(RepoPath::new).collect(),
            entries: entries.collect(),
            own: note.own,
            head: note.head,
        }
    }
}

fn read_if_there(file: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CodeError::io(file)(error)),
    }
}
