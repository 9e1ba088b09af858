//! Where the objects of snapshots are kept on this device: a directory of ours, one for each
//! project, outside of the user's repository.

use crate::checkout::{CodeError, Result};
use crate::names::ObjectId;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The objects of snapshots. A snapshot needs those of the repository, too, on which it was made.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    kept_index: Option<PathBuf>,
}

/// The name of the list of commits without secrets.
const SEARCHED: &str = "searched";
/// The name of the list of verified snapshots, and what they were verified by: another number when more is
/// looked at.
const VERIFIED: &str = "verified";
const VERIFIED_BY: &str = "rules 1";
/// What a process that ended in its work left behind is removed after this time.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

impl Store {
    /// Opens or makes the store in `dir`, readable by this user only.
    pub fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(CodeError::io(dir))?;
        private(dir).map_err(CodeError::io(dir))?;
        // Symbolic links in the path of a git directory confuse nobody but git.
        let dir = crate::files::real(dir).map_err(CodeError::io(dir))?;
        let store = Self {
            dir,
            kept_index: None,
        };
        for name in ["objects/pack", "objects/info", "tmp"] {
            let path = store.dir.join(name);
            fs::create_dir_all(&path).map_err(CodeError::io(&path))?;
        }
        store.sweep();
        Ok(store)
    }

    /// Recordings with this store keep an index in `dir` for the next one, which several stores may share:
    /// it saves most of the search for untracked files. Whoever decides what may be overwritten does
    /// without it. The directory may be removed at any time.
    pub fn keeping_index_in(self, dir: &Path) -> Self {
        Self {
            kept_index: Some(dir.to_owned()),
            ..self
        }
    }

    pub(crate) fn kept_index_dir(&self) -> Option<&Path> {
        self.kept_index.as_deref()
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.dir.join("objects")
    }

    pub(crate) fn temporary(&self, prefix: &str) -> Result<tempfile::TempDir> {
        let tmp = self.dir.join("tmp");
        let made = tempfile::Builder::new().prefix(prefix).tempdir_in(&tmp);
        made.map_err(CodeError::io(&tmp))
    }

    /// Commits that were searched for secrets with these rules against this base, with all that they are
    /// made on above it: none was found.
    pub(crate) fn searched(&self, rules: &str) -> Vec<ObjectId> {
        self.listed(SEARCHED, rules)
    }

    pub(crate) fn note_searched(&self, rules: &str, commits: &[ObjectId]) -> Result<()> {
        const MOST: usize = 64;
        self.note(SEARCHED, rules, commits, MOST)
    }

    /// Snapshots of other devices that were verified here. One that is missing is verified again.
    pub(crate) fn verified(&self) -> Vec<ObjectId> {
        self.listed(VERIFIED, VERIFIED_BY)
    }

    pub(crate) fn note_verified(&self, snapshot: &ObjectId) -> Result<()> {
        const MOST: usize = 2048;
        self.note(VERIFIED, VERIFIED_BY, std::slice::from_ref(snapshot), MOST)
    }

    /// The ids in a file, if its first line is this one.
    fn listed(&self, name: &str, first: &str) -> Vec<ObjectId> {
        let text = fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        let mut lines = text.lines();
        match lines.next() == Some(first) {
            true => lines.filter_map(ObjectId::parse).collect(),
            false => Vec::new(),
        }
    }

    /// Adds ids to a file, of which the latest stay.
    fn note(&self, name: &str, first: &str, ids: &[ObjectId], most: usize) -> Result<()> {
        let mut all = self.listed(name, first);
        all.retain(|known| !ids.contains(known));
        all.extend_from_slice(ids);
        let surplus = all.len().saturating_sub(most);
        let lines: String = all[surplus..].iter().map(|id| format!("{id}\n")).collect();
        let (path, next) = (self.dir.join(name), self.dir.join(format!("{name}.new")));
        fs::write(&next, format!("{first}\n{lines}"))
            .and_then(|()| fs::rename(&next, &path))
            .map_err(CodeError::io(&path))
    }

    /// Removes scratch directories of processes that were killed.
    fn sweep(&self) {
        let entries = fs::read_dir(self.dir.join("tmp")).into_iter().flatten();
        for entry in entries.flatten() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.map(|modified| modified.elapsed().unwrap_or_default());
            if age.is_ok_and(|age| LEFT_BEHIND < age) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Moves objects from another object directory here, packs last in the order in which `git`
    /// may see them: an index without its pack would be an error, a pack without its index is not.
    pub(crate) fn take_objects(&self, from: &Path, is_kept: impl Fn(&str) -> bool) -> Result<()> {
        let into = self.objects();
        for entry in list(from)? {
            let name = file_name(&entry);
            if name.len() != 2 {
                continue;
            }
            for object in list(&entry)? {
                let rest = file_name(&object);
                if is_kept(&format!("{name}{rest}")) {
                    place(&object, &into.join(&name).join(&rest))?;
                }
            }
        }
        move_packs(&from.join("pack"), &into.join("pack"))
    }
}

/// Moves packs, each with its index last.
pub(crate) fn move_packs(from: &Path, into: &Path) -> Result<()> {
    let mut packs = list(from)?;
    packs.sort_by_key(|path| path.extension().is_some_and(|extension| extension == "idx"));
    for file in packs {
        let name = file_name(&file);
        if name.starts_with("pack-") && !name.ends_with(".keep") {
            place(&file, &into.join(&name))?;
        }
    }
    Ok(())
}

/// Moves a file whose name says what is in it.
fn place(from: &Path, to: &Path) -> Result<()> {
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir).map_err(CodeError::io(dir))?;
    }
    if to.symlink_metadata().is_ok() {
        return Ok(());
    }
    if fs::rename(from, to).is_ok() {
        return Ok(());
    }
    // Another file system.
    let name = format!("tmp_{}", file_name(to));
    let beside = to.with_file_name(name);
    fs::copy(from, &beside)
        .and_then(|_| fs::rename(&beside, to))
        .map_err(CodeError::io(to))
}

fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).map_err(CodeError::io(dir))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(unix)]
pub(crate) fn private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
pub(crate) fn private(_dir: &Path) -> std::io::Result<()> {
    Ok(())
}
