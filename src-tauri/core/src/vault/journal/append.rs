//! Appending to the own journal: a frame is there whole, with its safety copy, or not at all.

use super::{Fault, Journal, JournalError, SEGMENT_BYTES, Segment};
use crate::opener;
use crate::timing::Stage;
use crate::vault::Vault;
use crate::vault::frame::Frame;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

impl Journal {
    /// Appends a frame to the own journal and syncs it to disk; returns the segment's number and
    /// the offset. On an error the journal stays as before: nothing of the frame is left, or a torn
    /// part that nobody reads, after which the next one starts a new segment.
    pub fn append(
        &mut self,
        vault: &Vault,
        bytes: &[u8],
        frame: &Frame,
    ) -> Result<(u32, u64), JournalError> {
        let _timed = Stage::Appended.begin();
        if let Some(Fault::Newer { version }) = self.fault {
            return Err(JournalError::Newer {
                dir: self.dir.clone(),
                version,
            });
        }
        let number = match self.segments.last() {
            Some(last) if last.bytes < SEGMENT_BYTES && self.is_whole(vault, last)? => last.number,
            last => self.first_free(vault, last.map_or(1, |last| last.number + 1)),
        };
        let relative = self.relative(number);
        let path = vault.file(&relative);
        let io = |source| JournalError::Io {
            path: path.clone(),
            source,
        };
        let offset = self
            .segments
            .iter()
            .find(|segment| segment.number == number)
            .map_or(0, |segment| segment.bytes);
        let mut file = self.write(vault, &relative, offset, bytes)?;
        let kept = match offset {
            0 => Ok(Cow::Borrowed(bytes)),
            _ => opener::start_of(&mut file, offset + bytes.len() as u64).map(Cow::Owned),
        };
        let kept = kept.and_then(|all| {
            let keeping = || Ok(Cow::Borrowed(&*all));
            vault.kept.keep(&file, &path, &relative, keeping)?;
            Ok(all)
        });
        let all = kept.map_err(|source| {
            cut_back(&file, &path, offset);
            io(source)
        })?;
        self.accept(number, all.len(), &blake3::hash(&all), frame);
        Ok((number, offset))
    }

    /// Whether the last segment ends where this device stopped writing. Otherwise a new segment is
    /// started: after a crash left a torn tail, or after the file was shortened or lost. Reading
    /// reports such a loss; new entries must not wait for it.
    fn is_whole(&self, vault: &Vault, last: &Segment) -> Result<bool, JournalError> {
        let relative = self.relative(last.number);
        let path = vault.file(&relative);
        match vault.open(&relative).and_then(|file| file.metadata()) {
            Ok(meta) => Ok(meta.len() == last.bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match vault.kept.put_back(&relative, &path) {
                    Ok(()) => Ok(true),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                    Err(source) => Err(JournalError::Io { path, source }),
                }
            }
            Err(error) if opener::refusal(&error).is_some() => Ok(false),
            Err(source) => Err(JournalError::Io { path, source }),
        }
    }

    /// The first number without a file. Unknown segments may exist (a torn first write, a lost
    /// state) and must not be written to.
    fn first_free(&self, vault: &Vault, from: u32) -> u32 {
        let is_free = |number: &u32| !opener::is_there(&vault.file(&self.relative(*number)));
        (from..u32::MAX).find(is_free).unwrap_or(u32::MAX)
    }

    fn write(
        &self,
        vault: &Vault,
        relative: &str,
        offset: u64,
        bytes: &[u8],
    ) -> Result<File, JournalError> {
        let path = vault.file(relative);
        let io = |source| JournalError::Io {
            path: path.clone(),
            source,
        };
        // The folder may be deleted at this very moment. A segment that existed must not be created
        // again without its first part.
        let mut file = match vault.append(relative, offset == 0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && offset == 0 => {
                std::fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(io)?;
                vault.append(relative, true)
            }
            file => file,
        }
        .map_err(io)?;
        if file.metadata().map_err(io)?.len() != offset {
            return Err(JournalError::NotOurs { path });
        }
        let written = file.write_all(bytes).and_then(|()| file.sync_data());
        if let Err(source) = written {
            cut_back(&file, &path, offset);
            return Err(io(source));
        }
        Ok(file)
    }
}

/// Takes a frame out of a segment again that was to be written behind `offset`. A full disk must not
/// leave half of it for the peers, nor a missing safety copy a whole one: the writer was told that
/// nothing is recorded. If that fails too, readers skip torn frames.
pub(super) fn cut_back(file: &File, path: &Path, offset: u64) {
    let _ = file.set_len(offset);
    if offset == 0 {
        let _ = std::fs::remove_file(path);
    }
}
