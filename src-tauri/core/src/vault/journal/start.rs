//! A segment's file, read from its start only as far as the next frame needs.

use crate::opener;
use crate::vault::large::Freed;
use crate::vault::{envelope, frame, limits};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};

/// The bytes of a segment from its start, read only as far as the next frame needs.
pub(super) struct Start {
    pub file: File,
    pub read: Vec<u8>,
    ended: bool,
    /// Bytes behind a frame that was freed were dropped.
    pub has_rest: bool,
}

impl Start {
    /// Enough for a whole segment of this program's, except a large frame at its end.
    const USUAL: u64 = limits::SEGMENT + (1 << 20);

    pub fn new(file: File) -> Self {
        Self {
            file,
            read: Vec::new(),
            ended: false,
            has_rest: false,
        }
    }

    pub fn read_to(&mut self, len: u64) -> io::Result<()> {
        let (there, len) = (self.read.len() as u64, len.min(limits::SEGMENT_FILE));
        if there < len && !self.ended {
            let len = self.file.metadata()?.len().clamp(there, len) - there;
            // If the file grows at this moment, the next call reads the rest.
            self.read
                .reserve_exact(usize::try_from(len).map_err(io::Error::other)?);
            let read = (&self.file).take(len).read_to_end(&mut self.read)? as u64;
            self.ended = read < len || self.file.metadata()?.len() == there + read;
        }
        Ok(())
    }

    /// Reads enough bytes to make the frame at `offset` whole, if the file has them.
    pub fn read_frame(&mut self, offset: usize) -> io::Result<()> {
        self.read_to(Self::USUAL)?;
        if !self.ended && frame::frame_len(&self.read[offset..]).is_none() {
            self.read_to(offset as u64 + frame::needed(&self.read[offset..]))?;
        }
        Ok(())
    }

    /// Takes the frame out. What is behind it is dropped.
    pub fn free(&mut self, offset: usize, len: usize) -> Freed {
        self.has_rest = offset + len < self.read.len() || !self.ended;
        self.ended = true;
        Freed::take(&mut self.read, offset, len)
    }

    /// The first `len` bytes, read again if they were freed: still those with this hash.
    pub fn accepted(&self, len: usize, check: &blake3::Hash) -> io::Result<Cow<'_, [u8]>> {
        if let Some(bytes) = self.read.get(..len) {
            return Ok(Cow::Borrowed(bytes));
        }
        let bytes = opener::start_of(&mut self.file.try_clone()?, len as u64)?;
        if bytes.len() == len && blake3::hash(&bytes) == *check {
            Ok(Cow::Owned(bytes))
        } else {
            Err(io::Error::other("it was changed while it was read"))
        }
    }

    pub fn is_large(&self) -> io::Result<bool> {
        Ok(limits::READ_ALONE < self.file.metadata()?.len())
    }

    /// Whether the frame at `offset` claims a large unpacked size, or none.
    pub fn has_large_frame(&self, offset: usize) -> bool {
        offset < self.read.len() && envelope::is_large(&self.read[offset..])
    }

    /// Whether more bytes may make a frame at `offset` whole.
    pub fn has_more(&self, offset: usize) -> bool {
        let unread = !self.ended && (self.read.len() as u64) < limits::SEGMENT_FILE;
        unread && offset < self.read.len()
    }
}
