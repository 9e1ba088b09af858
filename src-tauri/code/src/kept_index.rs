//! The index that is kept between recordings of a checkout, with git's own cache of untracked files: the
//! search for them reads only directories that changed. Knows nothing of snapshots.
//!
//! It is a copy of the user's index in a directory of ours, and counts for that index to the byte, for one
//! version of git, one checkout and its settings, and for one hour. It is hashed before it is used, so that
//! a torn one counts as none. Its time is one before git began to look: what is changed later, a directory or
//! a file, is newer than that or has another time of change (ctime), and is looked at again. Git may compare
//! these times to the second. So one case is missed for that hour: within the second in which git looked, a
//! directory is changed both before and after it, and gets the same old time of modification back both times
//! (as `rsync -a` and `cp -a` set it).

use crate::checkout::{Checkout, CodeError, Result};
use crate::git::Git;
use crate::names::RepoPath;
use crate::record::is_attributes;
use crate::scratch::{Scratch, Sees, copy_if_there};
use crate::status::{Cache, Status};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The first version of git whose cache serves a status of all untracked files.
const CACHES_ALL: (u32, u32) = (2, 37);
/// A cache that is wrong for a reason that nobody thought of is wrong for no longer than this.
const COUNTS_FOR: Duration = Duration::from_secs(3600);
/// More than any file system rounds times, and than its clock is behind that of programs.
const MARGIN: Duration = Duration::from_secs(2);
/// The name of the part of an index that has the cache.
const CACHE: &[u8] = b"UNTR";
/// The names in the scratch directory.
const INDEX: &str = "index";
const COPY: &str = "kept.index";

/// The status of the checkout, from its index named `index` in the scratch directory. What `git` would say
/// without a cache, but for one note: that a directory without files has become a repository.
pub(crate) fn read_status(scratch: &Scratch) -> Result<Status> {
    let without = || Status::read(scratch, INDEX, Cache::None);
    let dir = scratch.store.kept_index_dir();
    let Some(dir) = dir.filter(|_| may_keep(scratch)) else {
        return without();
    };
    // Nothing that fails here is a reason not to record.
    let Ok(kept) = Kept::of(scratch, dir) else {
        return without();
    };
    if !kept.is_handed_out(scratch) {
        return kept.made(scratch).or_else(|_| without());
    }
    match Status::read(scratch, COPY, Cache::Read) {
        Ok(status) if !is_contradicted(scratch.checkout, &status) => Ok(status),
        Ok(_) | Err(_) => {
            let _ = fs::remove_file(&kept.label);
            without()
        }
    }
}

/// Whether the cache can be trusted: git looks at times of directories, to the second.
fn may_keep(scratch: &Scratch) -> bool {
    let checkout = scratch.checkout;
    let setting = |name: &str| {
        let found = checkout.settings.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.to_lowercase())
    };
    let compares_all = setting("core.trustctime").is_none_or(|value| value == "true")
        && setting("core.checkstat").is_none_or(|value| value == "default");
    let is_whole = !checkout.is_set("core.sparsecheckout") && !scratch.has_shared_index();
    let knows = |git: &Git| CACHES_ALL <= git.version();
    knows(&checkout.git) && compares_all && is_whole && keeps_times(&checkout.root)
}

/// The file systems of Linux of which it is known that a directory has a new time when a name is added
/// to it or removed. Git's own test makes directories in the working tree, and takes six seconds.
#[cfg(target_os = "linux")]
fn keeps_times(root: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    const EXT: i64 = 0xef53;
    const XFS: i64 = 0x5846_5342;
    const BTRFS: i64 = 0x9123_683e;
    const F2FS: i64 = 0xf2f5_2010;
    const TMPFS: i64 = 0x0102_1994;
    let Ok(path) = std::ffi::CString::new(root.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: zeros are a valid `statfs`, which the call fills; the path ends with a zero.
    let kind = unsafe {
        let mut found: libc::statfs = std::mem::zeroed();
        (libc::statfs(path.as_ptr(), &mut found) == 0).then_some(found.f_type as i64)
    };
    kind.is_some_and(|kind| [EXT, XFS, BTRFS, F2FS, TMPFS].contains(&kind))
}

#[cfg(not(target_os = "linux"))]
fn keeps_times(_root: &Path) -> bool {
    false
}

/// Git's cache does not see that a directory with files becomes a repository, or is one no longer. And what
/// was found equal under other attributes counts for none.
fn is_contradicted(checkout: &Checkout, status: &Status) -> bool {
    if status.paths().any(is_attributes) {
        return true;
    }
    let is_repository = |dir: &RepoPath| {
        let dir = dir.below(&checkout.root);
        dir.is_some_and(|dir| dir.join(".git").symlink_metadata().is_ok())
    };
    let dirs: BTreeSet<RepoPath> = status
        .untracked
        .iter()
        .flat_map(RepoPath::parents)
        .collect();
    dirs.iter().any(is_repository) || !status.repositories.iter().all(is_repository)
}

/// The kept index of one checkout.
struct Kept {
    /// What it counts for.
    key: String,
    index: PathBuf,
    /// Names what the index counts for, and its hash.
    label: PathBuf,
}

impl Kept {
    fn of(scratch: &Scratch, dir: &Path) -> Result<Self> {
        let checkout = scratch.checkout;
        let root = crate::names::path_bytes(&checkout.root);
        let name = blake3::hash(&root).to_hex();
        let mut hasher = blake3::Hasher::new();
        let own =
            [INDEX, "config", "info/exclude", "info/attributes"].map(|name| scratch.path(name));
        for path in own.iter().chain(&checkout.attributes_file) {
            match hash(path) {
                Ok(hash) => hasher.update(hash.as_bytes()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => hasher.update(b"none"),
                Err(error) => return Err(CodeError::io(path)(error)),
            };
        }
        hasher.update(checkout.git.said().as_bytes());
        hasher.update(b"\0");
        hasher.update(&root);
        Ok(Self {
            key: hasher.finalize().to_hex().to_string(),
            index: dir.join(format!("{name}.index")),
            label: dir.join(format!("{name}.label")),
        })
    }

    /// Whether there is one for this index: it is in the scratch directory then, and nobody changes it.
    fn is_handed_out(&self, scratch: &Scratch) -> bool {
        let label = fs::read_to_string(&self.label).unwrap_or_default();
        let Some((key, hash_of_index)) = label.trim_end().split_once(' ') else {
            return false;
        };
        let age = self.label.metadata().and_then(|it| it.modified());
        // One from the future is of a clock that was set back.
        let age = age.ok().and_then(|made| made.elapsed().ok());
        let copy = scratch.path(COPY);
        key == self.key
            && age.is_some_and(|age| age < COUNTS_FOR)
            && fs::hard_link(&self.index, &copy).is_ok()
            && hash(&copy).is_ok_and(|hash| hash.to_hex().as_str() == hash_of_index)
    }

    /// Reads the status and keeps the index that git writes while it does.
    fn made(&self, scratch: &Scratch) -> Result<Status> {
        let copy = scratch.path(COPY);
        if !copy_if_there(&scratch.path(INDEX), &copy)? {
            return Status::read(scratch, INDEX, Cache::None);
        }
        without_own_cache(scratch, &copy)?;
        let begun = SystemTime::now();
        let status = Status::read(scratch, COPY, Cache::Written)?;
        // Git does not say that it could not write the index.
        let is_written = has_cache(&copy).unwrap_or(false);
        if is_written && !is_contradicted(scratch.checkout, &status) {
            // Without it, the next recording reads all of it again.
            let _ = self.keep(&copy, begun);
        }
        Ok(status)
    }

    fn keep(&self, copy: &Path, begun: SystemTime) -> io::Result<()> {
        let dir = self.index.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(dir)?;
        crate::store::private(dir)?;
        remove_old(dir)?;
        let file = fs::File::options().append(true).open(copy)?;
        file.set_modified(begun - MARGIN)?;
        let label = format!("{} {}\n", self.key, hash(copy)?.to_hex());
        // In between, the old label does not fit the new index.
        place(dir, &self.index, |file| {
            io::copy(&mut fs::File::open(copy)?, file)?;
            file.set_modified(begun - MARGIN)
        })?;
        place(dir, &self.label, |file| file.write_all(label.as_bytes()))
    }
}

/// The cache that the user's git keeps is as old as their index.
fn without_own_cache(scratch: &Scratch, copy: &Path) -> Result<()> {
    if has_cache(copy).map_err(CodeError::io(copy))? {
        let command = scratch.command_in(Sees::Nothing, &scratch.checkout.root, COPY);
        scratch.run(command, &["update-index", "--no-untracked-cache"], b"")?;
    }
    Ok(())
}

fn has_cache(index: &Path) -> io::Result<bool> {
    let bytes = fs::read(index)?;
    Ok(bytes.windows(CACHE.len()).any(|name| name == CACHE))
}

/// Writes a file beside and gives it its name when it is whole.
fn place(
    dir: &Path,
    path: &Path,
    write: impl FnOnce(&mut fs::File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    write(file.as_file_mut())?;
    file.persist(path)?;
    Ok(())
}

/// Those of other checkouts that do not count any more.
fn remove_old(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| COUNTS_FOR + MARGIN < age) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn hash(path: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path)?)?;
    Ok(hasher.finalize())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::git::{Bounds, Input, run};
    use crate::store::Store;

    /// How many files are kept after a status for which the scratch directory was prepared.
    fn n_kept(prepare: impl Fn(&Scratch)) -> usize {
        let dir = tempfile::tempdir().expect("a directory");
        let (root, kept) = (dir.path().join("a"), dir.path().join("kept"));
        fs::create_dir(&root).expect("makes");
        fs::write(root.join("a.txt"), "staged").expect("writes");
        let git = Git::find().expect("git");
        for args in [&["init", "--quiet"][..], &["add", "a.txt"]] {
            let mut command = git.closed();
            command.current_dir(&root).args(args);
            run(command, Input::Nothing, Bounds::default()).expect("runs");
        }
        fs::write(root.join("new.txt"), "untracked").expect("writes");
        let checkout = Checkout::open(&git, &root).expect("opens");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let store = store.keeping_index_in(&kept);
        let scratch = Scratch::new(&checkout, &store, None).expect("makes");
        assert!(scratch.copy_index(INDEX).expect("copies"));
        prepare(&scratch);
        let status = read_status(&scratch).expect("reads");
        let paths: Vec<String> = status.paths().map(RepoPath::to_string).collect();
        assert_eq!(paths, ["new.txt", "a.txt"]);
        fs::read_dir(kept).map_or(0, Iterator::count)
    }

    #[test]
    fn an_index_that_git_could_not_write_is_not_kept() {
        let lock = format!("{COPY}.lock");
        assert_eq!(
            n_kept(|scratch| scratch.write(&lock, b"").expect("writes")),
            0
        );
        assert_eq!(n_kept(|_| ()), 2, "an index and its label");
    }

    #[test]
    fn a_copy_that_fails_does_not_hinder_a_recording() {
        let in_the_way = |scratch: &Scratch| fs::create_dir(scratch.path(COPY)).expect("makes");
        assert_eq!(n_kept(in_the_way), 0);
    }
}
