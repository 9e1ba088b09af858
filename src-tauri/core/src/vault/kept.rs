//! The safety copy: a hard link to each accepted segment. It costs nothing while the vault is as it was; when a
//! folder is deleted, or a peer rewrites what we hold, the accepted bytes are still here.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Kept {
    root: PathBuf,
}

impl Kept {
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn file(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the kept file of `relative` the very file `accepted`; a second call with the same file does nothing.
    pub fn keep(&self, accepted: &Path, relative: &str) -> io::Result<()> {
        let kept = self.file(relative);
        if same_file(accepted, &kept) {
            return Ok(());
        }
        // Accepted bytes only ever grow; whatever comes, the safety copy does not get shorter.
        let len = |path: &Path| std::fs::metadata(path).map(|meta| meta.len());
        if len(&kept).is_ok_and(|known| len(accepted).is_ok_and(|new| new < known)) {
            return Err(io::Error::other("it is shorter than the copy that was accepted before"));
        }
        if let Some(parent) = kept.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let next = kept.with_extension("next");
        match std::fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if std::fs::hard_link(accepted, &next).is_err() {
            // A file system without hard links: a copy costs space, but keeps the promise.
            std::fs::copy(accepted, &next)?;
        }
        std::fs::rename(&next, &kept)
    }

    /// Puts a kept file back where it was lost; says whether there was one.
    pub fn restore(&self, relative: &str, lost: &Path) -> io::Result<bool> {
        let kept = self.file(relative);
        if !kept.exists() {
            return Ok(false);
        }
        if let Some(parent) = lost.parent() {
            std::fs::create_dir_all(parent)?;
        }
        if std::fs::hard_link(&kept, lost).is_err() {
            std::fs::copy(&kept, lost)?;
        }
        Ok(true)
    }
}

#[cfg(unix)]
fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (std::fs::metadata(one), std::fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Without inodes we link again: always right, a little slower.
#[cfg(not(unix))]
fn same_file(_one: &Path, _other: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safety_copy_outlives_a_deletion_and_never_gets_shorter() {
        let home = tempfile::tempdir().expect("tempdir");
        let (kept, file) = (Kept::at(home.path().join("kept")), home.path().join("0001"));
        std::fs::write(&file, b"all of it").expect("write");
        kept.keep(&file, "a/0001").expect("keep");
        std::fs::remove_file(&file).expect("remove");
        std::fs::write(&file, b"less").expect("write");
        assert!(kept.keep(&file, "a/0001").is_err());
        std::fs::remove_file(&file).expect("remove");
        assert!(kept.restore("a/0001", &file).expect("restore"));
        assert_eq!(std::fs::read(&file).expect("read"), b"all of it");
    }
}
