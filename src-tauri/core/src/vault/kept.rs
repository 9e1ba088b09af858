//! The safety copy: a hard link to each accepted segment. The copy takes no space while the vault
//! is unchanged. When a folder is deleted or a peer rewrites its files, the accepted bytes are
//! still here.

use super::envelope::Sealed;
use super::frame::{self, FrameHash};
use super::{Journal, Vault, limits};
use crate::opener::{self, Listed};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
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

    /// Keeps the file that was opened as `file` from `path`, and that begins with the `accepted`
    /// bytes (asked for if the file at the path is another one), as the safety copy of `relative`. A second call with the same file does nothing.
    ///
    /// The file at `path` may be exchanged at any moment. Linux links the open file itself.
    /// Elsewhere the link is made first, and its target is compared with the file that was read. If
    /// they differ, the bytes themselves are written, never those at the path.
    pub fn keep<'a>(
        &self,
        file: &File,
        path: &Path,
        relative: &str,
        accepted: impl FnOnce() -> io::Result<Cow<'a, [u8]>>,
    ) -> io::Result<()> {
        let kept = self.file(relative);
        if let Ok(known) = self.open(relative) {
            if opener::is_same(&known, file) {
                return Ok(());
            }
            // Accepted bytes only ever grow, a file does not: its owner cuts off what was torn. The
            // copy is never replaced by fewer accepted bytes.
            if file.metadata()?.len() < known.metadata()?.len() {
                let accepted = accepted()?;
                return match begins_with(&kept, &accepted)? {
                    true => Ok(()),
                    false => self.repair(relative, &accepted),
                };
            }
        }
        if let Some(parent) = kept.parent() {
            std::fs::create_dir_all(parent)?;
        }
        // Fails if there is an earlier copy.
        if link_opened(file, &kept) {
            return Ok(());
        }
        let next = kept.with_extension("next");
        remove(&next)?;
        if !link_opened(file, &next) && !is_link_to(path, &next, file) {
            let accepted = accepted()?;
            if !begins_with(&next, &accepted)? {
                remove(&next)?;
                write(&next, &accepted)?;
            }
        }
        std::fs::rename(&next, &kept)
    }

    /// Replaces a damaged safety copy with verified bytes.
    pub fn repair(&self, relative: &str, accepted: &[u8]) -> io::Result<()> {
        let kept = self.file(relative);
        let next = kept.with_extension("next");
        remove(&next)?;
        write(&next, accepted)?;
        std::fs::rename(&next, &kept)
    }

    pub fn open(&self, relative: &str) -> io::Result<File> {
        opener::file_below(&self.root, relative)
    }

    /// Lists a directory of safety copies; empty if there is none.
    pub fn list(&self, relative: &str) -> io::Result<Vec<Listed>> {
        match opener::list_below(&self.root, relative, limits::NAMES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// Whether the file at `path` is only the beginning of its safety copy: it was shortened, or an
    /// earlier one took its place.
    pub fn is_more_than(&self, relative: &str, path: &Path) -> io::Result<bool> {
        let (kept, mut there) = (self.open(relative)?, opener::file(path)?);
        let (known, now) = (kept.metadata()?, there.metadata()?);
        if opener::is_same(&kept, &there) || known.len() <= now.len() {
            return Ok(false);
        }
        let start = opener::start_of(&mut there, now.len())?;
        begins_with(&self.file(relative), &start)
    }

    /// Puts the safety copy in the place of a file that is not whole any more, or gone.
    pub fn put_back(&self, relative: &str, path: &Path) -> io::Result<()> {
        let kept = self.file(relative);
        let back = kept.with_extension("back");
        remove(&back)?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        if std::fs::hard_link(&kept, &back).is_err() {
            let mut file = self.open(relative)?;
            write(&back, &opener::start_of(&mut file, limits::SEGMENT_FILE)?)?;
        }
        opener::replace(&back, path)
    }
}

/// Makes `to` another name of an open file, whatever lies at its path by now. Returns whether that
/// was possible: `to` did not exist, and the system has /proc.
#[cfg(target_os = "linux")]
fn link_opened(file: &File, to: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd;
    let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(CWD, opened, CWD, to, AtFlags::SYMLINK_FOLLOW).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn link_opened(_file: &File, _to: &Path) -> bool {
    false
}

/// Links `next` to the file at `path`. Returns whether that is the verified file.
fn is_link_to(path: &Path, next: &Path, verified: &File) -> bool {
    // Impossible if the file system has no hard links, or the file is gone.
    std::fs::hard_link(path, next).is_ok()
        && opener::file(next).is_ok_and(|linked| opener::is_same(&linked, verified))
}

/// Whether the file is there and begins with these bytes.
fn begins_with(next: &Path, accepted: &[u8]) -> io::Result<bool> {
    match opener::file(next) {
        Ok(mut linked) => Ok(opener::start_of(&mut linked, accepted.len() as u64)? == accepted),
        Err(_) => Ok(false),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Counts the frames of each of a device's journals in the safety copies, by the directory below
/// the device's. `known` returns the remembered journal: if it covers all bytes of the copies, they
/// are not read.
pub fn kept_frames<'a>(
    vault: &Vault,
    device: &str,
    known: impl Fn(&str) -> Option<&'a Journal>,
) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let names = |dir: &str| {
        let listed = vault.kept.list(dir).unwrap_or_default();
        listed
            .into_iter()
            .filter_map(|listed| listed.name.into_string().ok())
            .collect::<Vec<_>>()
    };
    let mut dirs = vec![device.to_owned()];
    for _ in 0..4 {
        let below = |dir: &String| {
            names(dir)
                .into_iter()
                .map(|name| format!("{dir}/{name}"))
                .collect::<Vec<_>>()
        };
        dirs = dirs.iter().flat_map(below).collect();
    }
    for dir in dirs {
        let mut segments = names(&dir);
        segments.retain(|name| name.ends_with(".jsonl.zst"));
        segments.sort();
        let files = || {
            segments
                .iter()
                .filter_map(|name| vault.kept.open(&format!("{dir}/{name}")).ok())
        };
        let bytes: u64 = files()
            .filter_map(|file| file.metadata().ok())
            .map(|meta| meta.len())
            .sum();
        let count = |chain, file: File| {
            follow(
                &opener::all_of(&file, limits::SEGMENT_FILE).unwrap_or_default(),
                chain,
            )
        };
        let frames = match known(&dir).filter(|journal| journal.bytes() == bytes) {
            Some(journal) => journal.frames,
            None => files().fold((0, None), count).0,
        };
        if let Some((_, below)) = dir.split_once('/') {
            found.insert(below.to_owned(), frames);
        }
    }
    found
}

/// Continues to count consecutive frames, without unpacking any.
fn follow(
    mut bytes: &[u8],
    (mut frames, mut last): (u64, Option<FrameHash>),
) -> (u64, Option<FrameHash>) {
    while let Some(Ok(len)) = frame::frame_len(bytes) {
        let Ok(sealed) = Sealed::read(&bytes[..len]) else {
            break;
        };
        if sealed.n == frames && last.as_ref().is_none_or(|last| *last == sealed.prev) {
            (frames, last) = (frames + 1, Some(sealed.hash));
        }
        bytes = &bytes[len..];
    }
    (frames, last)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(kept: &Kept, file: &Path) -> io::Result<()> {
        let opened = opener::file(file)?;
        kept.keep(&opened, file, "a/0001", || {
            Ok(Cow::Owned(opener::all_of(&opened, 100)?))
        })
    }

    #[test]
    fn the_safety_copy_outlives_a_deletion_and_never_gets_shorter() {
        let home = tempfile::tempdir().expect("tempdir");
        let (kept, file) = (Kept::at(home.path().join("kept")), home.path().join("0001"));
        std::fs::write(&file, b"all of it").expect("write");
        keep(&kept, &file).expect("keep");
        assert!(keep(&kept, &file).is_ok(), "twice is once");
        std::fs::remove_file(&file).expect("remove");
        std::fs::write(&file, b"all").expect("write");
        keep(&kept, &file).expect("what is accepted is in the copy");
        std::fs::remove_file(&file).expect("remove");
        kept.put_back("a/0001", &file).expect("put back");
        assert_eq!(std::fs::read(&file).expect("read"), b"all of it");
    }

    /// The copy was longer by a torn frame, which its owner cut off and continued otherwise.
    #[test]
    fn a_file_that_is_shorter_and_holds_other_accepted_bytes_becomes_the_copy() {
        let home = tempfile::tempdir().expect("tempdir");
        let (kept, file) = (Kept::at(home.path().join("kept")), home.path().join("0001"));
        std::fs::write(&file, b"accepted, torn").expect("write");
        keep(&kept, &file).expect("keep");
        std::fs::remove_file(&file).expect("remove");
        std::fs::write(&file, b"accepted.").expect("write");
        keep(&kept, &file).expect("keep");
        let copy = || std::fs::read(kept.file("a/0001")).expect("read");
        assert_eq!(copy(), b"accepted.");
        assert!(!kept.is_more_than("a/0001", &file).expect("compared"));
        std::fs::write(&file, b"acc").expect("write");
        assert!(kept.is_more_than("a/0001", &file).expect("compared"));
        kept.put_back("a/0001", &file).expect("put back");
        assert_eq!(std::fs::read(&file).expect("read"), copy());
        assert!(!kept.is_more_than("a/0001", &file).expect("compared"));
    }

    /// F7: between reading a file and linking to it, another file took its place.
    #[test]
    fn what_is_kept_is_what_was_read_and_not_what_lies_at_the_path() {
        let home = tempfile::tempdir().expect("tempdir");
        let (kept, file) = (Kept::at(home.path().join("kept")), home.path().join("0001"));
        std::fs::write(&file, b"verified").expect("write");
        let opened = opener::file(&file).expect("open");
        for forged in [&b"forged, and longer"[..], b"forged!!"] {
            std::fs::write(home.path().join("other"), forged).expect("write");
            std::fs::rename(home.path().join("other"), &file).expect("rename");
            kept.keep(&opened, &file, "a/0001", || Ok(Cow::Borrowed(b"verified")))
                .expect("keep");
            assert_eq!(
                std::fs::read(kept.file("a/0001")).expect("read"),
                b"verified"
            );
            std::fs::remove_file(kept.file("a/0001")).expect("remove");
        }
        // The file that was read is still there, under another name.
        #[cfg(target_os = "linux")]
        {
            std::fs::write(&file, b"verified").expect("write");
            let opened = opener::file(&file).expect("open");
            std::fs::rename(&file, home.path().join("moved")).expect("rename");
            std::fs::write(&file, b"forged!!").expect("write");
            let never = || -> io::Result<Cow<'_, [u8]>> { panic!("its bytes are not needed") };
            kept.keep(&opened, &file, "b/0001", never).expect("keep");
            assert_eq!(
                std::fs::read(kept.file("b/0001")).expect("read"),
                b"verified"
            );
        }
        // The same for a link that leads elsewhere and for a missing file.
        #[cfg(unix)]
        {
            std::fs::remove_file(&file).expect("remove");
            std::os::unix::fs::symlink("/dev/zero", &file).expect("link");
            kept.keep(&opened, &file, "a/0001", || Ok(Cow::Borrowed(b"verified")))
                .expect("keep");
            assert_eq!(
                std::fs::read(kept.file("a/0001")).expect("read"),
                b"verified"
            );
        }
    }
}
