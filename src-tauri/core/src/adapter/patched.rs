//! A file read with some of its bytes restored: the id of another session that has a different id
//! here, and steering settings in another device's lines.

use crate::adapter::{Bytes, Patch};
use crate::opener;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The file as a reader sees it: where it has the bytes of a patch, those are shown replaced.
pub struct Patched {
    file: File,
    pos: u64,
    /// Sorted by place.
    patches: Vec<Patch>,
}

impl Patched {
    /// Opens a regular file at its start. The patches may be in any order.
    pub fn open(path: &Path, mut patches: Vec<Patch>) -> io::Result<Self> {
        patches.sort_by_key(|patch| patch.offset);
        Ok(Self {
            file: opener::file(path)?,
            pos: 0,
            patches,
        })
    }

    /// Whether the bytes of a patch that lies only partly in the read window are in the file. The
    /// file position is restored.
    fn is_there(&mut self, patch: usize, back: u64) -> io::Result<bool> {
        let patch = &self.patches[patch];
        let mut there = Vec::new();
        self.file.seek(SeekFrom::Start(patch.offset))?;
        (&self.file)
            .take(patch.there.len() as u64)
            .read_to_end(&mut there)?;
        self.file.seek(SeekFrom::Start(back))?;
        Ok(there == patch.there)
    }
}

impl Read for Patched {
    /// A patch whose bytes are not there is left out.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let (start, end) = (self.pos, self.pos + read as u64);
        let first = self
            .patches
            .partition_point(|patch| patch.offset + patch.shown.len() as u64 <= start);
        for at in first..self.patches.len() {
            let patch = &self.patches[at];
            if end <= patch.offset {
                break;
            }
            let patch_end = patch.offset + patch.there.len() as u64;
            let fits = match start <= patch.offset && patch_end <= end {
                true => {
                    buffer[(patch.offset - start) as usize..(patch_end - start) as usize]
                        == *patch.there
                }
                false => self.is_there(at, end)?,
            };
            let patch = &self.patches[at];
            if fits && patch.shown.len() == patch.there.len() {
                overlay(&mut buffer[..read], start, patch.offset, &patch.shown);
            }
        }
        self.pos = end;
        Ok(read)
    }
}

impl Seek for Patched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.pos = self.file.seek(to)?;
        Ok(self.pos)
    }
}

/// Puts `bytes`, which begin at `at`, over their part of `window`, which begins at `from`.
fn overlay(window: &mut [u8], from: u64, at: u64, bytes: &[u8]) {
    for (offset, byte) in bytes.iter().enumerate() {
        let place = (at + offset as u64)
            .checked_sub(from)
            .and_then(|place| usize::try_from(place).ok());
        if let Some(place) = place.filter(|place| *place < window.len()) {
            window[place] = *byte;
        }
    }
}

/// Bytes to be written, some of them replaced.
pub struct PatchedBytes<'a> {
    pub bytes: &'a dyn Bytes,
    pub at: u64,
    pub shown: &'a [u8],
}

impl Bytes for PatchedBytes<'_> {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        self.bytes.write_to(&mut Patching {
            out,
            pos: 0,
            at: self.at,
            shown: self.shown,
        })
    }
}

struct Patching<'a> {
    out: &'a mut dyn Write,
    pos: u64,
    at: u64,
    shown: &'a [u8],
}

impl Write for Patching<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = self.at + self.shown.len() as u64;
        if end <= self.pos || self.pos + bytes.len() as u64 <= self.at {
            self.out.write_all(bytes)?;
        } else {
            let mut copy = bytes.to_vec();
            overlay(&mut copy, self.pos, self.at, self.shown);
            self.out.write_all(&copy)?;
        }
        self.pos += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_with_other_bytes_is_read_back_as_it_was() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("file");
        let whole = b"0123456789 parent-a 0123456789 parent-a";
        struct Slowly(&'static [u8]);
        impl Bytes for Slowly {
            fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
                self.0.chunks(3).try_for_each(|chunk| out.write_all(chunk))
            }
        }
        let mut file = File::create(&path).expect("create");
        PatchedBytes {
            bytes: &Slowly(whole),
            at: 11,
            shown: b"parent-b",
        }
        .write_to(&mut file)
        .expect("write");
        assert_eq!(
            std::fs::read(&path).expect("read"),
            b"0123456789 parent-b 0123456789 parent-a"
        );
        let patch = Patch {
            offset: 11,
            shown: b"parent-a".to_vec(),
            there: b"parent-b".to_vec(),
        };
        let mut back = Vec::new();
        let mut patched = Patched::open(&path, vec![patch.clone()]).expect("open");
        patched.seek(SeekFrom::Start(13)).expect("seek");
        patched.read_to_end(&mut back).expect("read");
        assert_eq!(back, &whole[13..]);
        // However small the pieces of a read are.
        for size in 1..whole.len() {
            let mut patched = Patched::open(&path, vec![patch.clone()]).expect("open");
            let (mut read, mut piece) = (Vec::new(), vec![0; size]);
            while let Ok(n @ 1..) = patched.read(&mut piece) {
                read.extend_from_slice(&piece[..n]);
            }
            assert_eq!(read, whole);
        }
        // A file with other bytes there is shown as it is.
        std::fs::write(&path, b"0123456789 parent-c").expect("write");
        back.clear();
        Patched::open(&path, vec![patch])
            .expect("open")
            .read_to_end(&mut back)
            .expect("read");
        assert_eq!(back, b"0123456789 parent-c");
    }
}
