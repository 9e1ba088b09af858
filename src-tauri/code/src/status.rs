//! What `git status` says of a checkout: what is staged, changed, untracked and in conflict.

use crate::checkout::{CodeError, Result};
use crate::git::{self, Bounds, GitError, Input};
use crate::names::{ObjectId, RepoPath};
use crate::objects::{Entry, Mode};
use crate::scratch::{Scratch, Sees};
use std::collections::BTreeMap;
use std::time::Duration;

/// The differences of a checkout from its last commit.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// Paths whose entry in the index is not that of the commit: both.
    pub staged: BTreeMap<RepoPath, (Option<Entry>, Option<Entry>)>,
    /// Paths whose file is not what the index says, with what it says.
    pub changed: BTreeMap<RepoPath, Option<Entry>>,
    /// Files that the index does not know and no rule ignores.
    pub untracked: Vec<RepoPath>,
    /// Paths in conflict: up to three entries.
    pub conflicts: BTreeMap<RepoPath, [Option<Entry>; 3]>,
    /// Paths that `git add --intent-to-add` announced.
    pub intents: Vec<RepoPath>,
    /// Directories that are repositories of their own and that the index does not know.
    pub repositories: Vec<RepoPath>,
    /// Submodules that are at another commit than the index says.
    pub moved_submodules: Vec<RepoPath>,
}

const NAME: &str = "status";

/// Whether git uses its cache of untracked files, which is part of the index that it is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    /// Not even one that the user's own index has.
    None,
    Read,
    /// The index is written, with a cache and with the times of files that were looked at.
    Written,
}

impl Status {
    /// Reads the status with a copy of the user's index, named `index` in the scratch directory.
    pub fn read(scratch: &Scratch, index: &str, cache: Cache) -> Result<Self> {
        let mut command = scratch.command_in(Sees::All, &scratch.checkout.root, index);
        if cache != Cache::None {
            command.args(["-c", "core.untrackedCache=true"]);
        }
        if cache == Cache::Written {
            command.env("GIT_OPTIONAL_LOCKS", "1");
        }
        command.args([
            NAME,
            "--porcelain=v2",
            "-z",
            "--no-renames",
            "--untracked-files=all",
            "--ignore-submodules=dirty",
        ]);
        let bounds = Bounds {
            bytes: 128 << 20,
            time: Duration::from_secs(300),
        };
        let text = git::run(command, Input::Nothing, bounds)?;
        Self::parse(&text).ok_or_else(|| CodeError::Git(GitError::Unexpected(NAME.into())))
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut status = Self::default();
        for line in text
            .split(|byte| *byte == 0)
            .filter(|line| !line.is_empty())
        {
            match line.first()? {
                b'1' => status.ordinary(line)?,
                b'u' => status.conflict(line)?,
                b'?' => {
                    let path = line.get(2..)?;
                    match path.strip_suffix(b"/") {
                        Some(dir) => status.repositories.push(RepoPath::new(dir)),
                        None => status.untracked.push(RepoPath::new(path)),
                    }
                }
                b'#' => {}
                _ => return None,
            }
        }
        Some(status)
    }

    fn ordinary(&mut self, line: &[u8]) -> Option<()> {
        let mut words = line.splitn(9, |byte| *byte == b' ');
        let (_, xy, _, in_head, in_index, _) = (
            words.next()?,
            words.next()?,
            words.next()?,
            words.next()?,
            words.next()?,
            words.next()?,
        );
        let (head_id, index_id, path) = (words.next()?, words.next()?, words.next()?);
        let path = RepoPath::new(path);
        let head = entry(in_head, head_id)?;
        let mut index = entry(in_index, index_id)?;
        let [x, y] = *xy else { return None };
        // In the column of the working tree only an announced file is new. One that is gone again
        // looks changed in neither column, or deleted in both.
        let is_intent =
            y == b'A' || x == b'.' && head.is_none() || x == b'D' && (y != b'.' || index.is_some());
        if is_intent {
            self.intents.push(path.clone());
            index = None;
        }
        if x != b'.' {
            self.staged.insert(path.clone(), (head, index.clone()));
        }
        if y != b'.' {
            let is_submodule = index.as_ref().is_some_and(|it| it.mode == Mode::Submodule);
            match is_submodule {
                true => self.moved_submodules.push(path),
                false => drop(self.changed.insert(path, index)),
            }
        }
        Some(())
    }

    fn conflict(&mut self, line: &[u8]) -> Option<()> {
        let words: Vec<&[u8]> = line.splitn(11, |byte| *byte == b' ').collect();
        let [_, _, _, mode1, mode2, mode3, _, id1, id2, id3, path] = *words.as_slice() else {
            return None;
        };
        let stages = [entry(mode1, id1)?, entry(mode2, id2)?, entry(mode3, id3)?];
        self.conflicts.insert(RepoPath::new(path), stages);
        Some(())
    }
}

/// `Some(None)` for a path that is not there, `None` for a line that makes no sense.
fn entry(mode: &[u8], id: &[u8]) -> Option<Option<Entry>> {
    if mode == b"000000" {
        return Some(None);
    }
    let id = ObjectId::parse_bytes(id)?;
    Some(Some(Entry {
        mode: Mode::parse(mode)?,
        id,
    }))
}
