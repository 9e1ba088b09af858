//! Reads the lines of a large frame as they are unpacked: neither all of its lines nor, if they are
//! many, all of its stored bytes are in memory beside the content that they hold. Knows how lines
//! are divided into entries, and leaves the small ones to `frame`.

use super::head::FrameError;
use super::json_text::{content_at, escape};
use super::limits;
use data_encoding::BASE64;
use std::io::{self, Read};

/// Stored bytes beyond this size are freed while they are unpacked. No frame follows a larger one
/// in its segment.
const FREED: usize = 4 << 20;
const CHUNK: usize = 1 << 20;

/// Whether the stored bytes of a frame of this stored size are freed.
pub(super) fn is_freed(stored: usize) -> bool {
    const { assert!((limits::SEGMENT as usize) < FREED) };
    FREED < stored
}

/// Bytes that are freed as they are read.
pub(super) struct Freed {
    /// The first chunk is the last one here.
    chunks: Vec<Vec<u8>>,
    at: usize,
}

impl Freed {
    /// Takes `len` bytes from `offset` on out of `bytes`, and drops all behind them.
    pub(super) fn take(bytes: &mut Vec<u8>, offset: usize, len: usize) -> Self {
        bytes.truncate(offset + len);
        let mut chunks = Vec::with_capacity(len / CHUNK + 1);
        while offset < bytes.len() {
            // The first one may be larger: a header never lies in two of them.
            let from = match bytes.len() - offset {
                left if left <= 2 * CHUNK => offset,
                _ => bytes.len() - CHUNK,
            };
            chunks.push(bytes.split_off(from));
            bytes.shrink_to_fit();
        }
        Self { chunks, at: 0 }
    }

    /// The bytes of a frame that is small as it is stored.
    pub(super) fn copied(stored: &[u8]) -> Self {
        Self {
            chunks: vec![stored.to_vec()],
            at: 0,
        }
    }

    /// Skips the header of a frame.
    pub(super) fn skip(&mut self, len: usize) {
        // It lies in the first chunk.
        self.at += len;
    }
}

impl Read for Freed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(chunk) = self.chunks.last() {
            let rest = chunk.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                self.chunks.pop();
                self.at = 0;
                continue;
            }
            let len = rest.len().min(out.len());
            out[..len].copy_from_slice(&rest[..len]);
            self.at += len;
            return Ok(len);
        }
        Ok(0)
    }
}

/// The lines of a frame: all small ones as they are, and the large entry with the number of its
/// line.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) small: Vec<u8>,
    pub(super) large: Option<(usize, LargeEntry)>,
}

/// A large entry: its line with the content left out, and the content.
pub(super) struct LargeEntry {
    pub(super) line: Vec<u8>,
    pub(super) content: Vec<u8>,
}

/// Unpacks one zstd frame of exactly `len` bytes and divides its lines.
pub(super) fn read(packed: impl Read, len: usize) -> Result<Lines, FrameError> {
    let mut decoder = zstd::stream::read::Decoder::new(packed)
        .map_err(|_| FrameError::Shape)?
        .single_frame();
    decoder
        .window_log_max(limits::WINDOW_LOG)
        .map_err(|_| FrameError::Shape)?;
    let mut reader = Reader {
        lines: Lines::default(),
        line: 0,
        number: 0,
        open: None,
        left: len,
    };
    let mut chunk = vec![0; 128 << 10];
    loop {
        let read = decoder.read(&mut chunk).map_err(|_| FrameError::Shape)?;
        if read == 0 {
            break;
        }
        reader.left = reader.left.checked_sub(read).ok_or(FrameError::Shape)?;
        reader.feed(&chunk[..read])?;
    }
    match reader {
        Reader {
            left: 0,
            open: None,
            lines,
            ..
        } => Ok(lines),
        _ => Err(FrameError::Shape),
    }
}

struct Reader {
    lines: Lines,
    /// Where the present line begins in the small ones, and its number.
    line: usize,
    number: usize,
    open: Option<Large>,
    /// Bytes that are still to come.
    left: usize,
}

impl Reader {
    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            if let Some(mut large) = self.open.take() {
                match large.feed(bytes)? {
                    None => {
                        self.open = Some(large);
                        return Ok(());
                    }
                    Some(rest) => {
                        self.lines.large = Some((self.number, large.entry()?));
                        self.number += 1;
                        bytes = rest;
                        continue;
                    }
                }
            }
            let end = memchr::memchr(b'\n', bytes);
            let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            self.lines.small.extend_from_slice(part);
            bytes = rest;
            if end.is_some() {
                (self.line, self.number) = (self.lines.small.len(), self.number + 1);
            }
            let others = if end.is_some() { self.line } else { 0 };
            if limits::OTHERS + limits::SEAL < others || limits::ENTRIES + 2 < self.number {
                return Err(FrameError::TooLarge);
            }
            if limits::OTHERS < self.lines.small.len() - self.line {
                if self.lines.large.is_some() {
                    return Err(FrameError::TooLarge);
                }
                let start = self.lines.small.split_off(self.line);
                self.lines.small.shrink_to_fit();
                self.open = Some(Large::begin(start, self.left)?);
            }
        }
        Ok(())
    }
}

/// The entry whose content is most of the frame.
struct Large {
    /// The line up to its content, and that content empty.
    head: Vec<u8>,
    is_text: bool,
    /// Bytes of the content that are not decoded yet; behind it, the rest of the line.
    held: Vec<u8>,
    content: Vec<u8>,
    is_ended: bool,
}

impl Large {
    /// `start` is the beginning of the line; `left` more bytes belong to the frame.
    fn begin(mut start: Vec<u8>, left: usize) -> Result<Self, FrameError> {
        let (at, is_text) = content_at(&start).ok_or(FrameError::TooLarge)?;
        let held = start.split_off(at);
        start.extend_from_slice(b"\"}");
        let raw = held.len() + left;
        let most = if is_text { raw } else { raw / 4 * 3 }.min(limits::ENTRY);
        let mut large = Self {
            head: start,
            is_text,
            held,
            content: Vec::with_capacity(most),
            is_ended: false,
        };
        match large.decode()? {
            // Its content is not what makes it large.
            true => Err(FrameError::TooLarge),
            false => {
                large.held.shrink_to_fit();
                Ok(large)
            }
        }
    }

    /// Takes further bytes of the frame; returns those behind the line, once its end is there.
    fn feed<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, FrameError> {
        if self.is_ended {
            return self.end(bytes);
        }
        self.held.extend_from_slice(bytes);
        if !self.decode()? {
            return Ok(None);
        }
        // What was held before was part of an escape or of a group: the rest is all of `bytes`.
        let from = bytes.len().checked_sub(self.held.len());
        self.held.clear();
        self.end(&bytes[from.ok_or(FrameError::Shape)?..])
    }

    /// Behind the content comes the end of the object and of the line.
    fn end<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, FrameError> {
        let end = memchr::memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        if limits::SEAL < self.held.len() + part.len() {
            return Err(FrameError::TooLarge);
        }
        self.held.extend_from_slice(part);
        match end {
            None => Ok(None),
            Some(end) if self.held.trim_ascii() == b"}" => Ok(Some(&bytes[end + 1..])),
            Some(_) => Err(FrameError::TooLarge),
        }
    }

    /// Decodes what is held as far as possible; returns whether the content has ended. Then `held`
    /// is what follows the closing quote.
    fn decode(&mut self) -> Result<bool, FrameError> {
        let done = if self.is_text {
            self.unescape()?
        } else {
            self.decode_base64()?
        };
        self.held.drain(..done);
        Ok(self.is_ended)
    }

    fn push(content: &mut Vec<u8>, more: &[u8]) -> Result<(), FrameError> {
        if limits::ENTRY < content.len() + more.len() {
            return Err(FrameError::TooLarge);
        }
        content.extend_from_slice(more);
        Ok(())
    }

    fn unescape(&mut self) -> Result<usize, FrameError> {
        let (held, mut at) = (&self.held, 0);
        loop {
            let rest = &held[at..];
            let end = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            let plain = &rest[..end];
            if plain.iter().any(|byte| *byte < b' ') {
                return Err(FrameError::Shape);
            }
            Self::push(&mut self.content, plain)?;
            at += end;
            match held.get(at) {
                Some(b'"') => {
                    self.is_ended = true;
                    return Ok(at + 1);
                }
                Some(_) if is_whole(&held[at..]) => {
                    let (len, letter) = escape(&held[at..]).ok_or(FrameError::Shape)?;
                    let mut utf8 = [0; 4];
                    let utf8 = letter.encode_utf8(&mut utf8);
                    Self::push(&mut self.content, utf8.as_bytes())?;
                    at += len;
                }
                _ => return Ok(at),
            }
        }
    }

    fn decode_base64(&mut self) -> Result<usize, FrameError> {
        let end = memchr::memchr(b'"', &self.held);
        // Whole groups of four.
        let len = end.unwrap_or(self.held.len() / 4 * 4);
        let part = &self.held[..len];
        let decoded = BASE64.decode(part).map_err(|_| FrameError::Shape)?;
        Self::push(&mut self.content, &decoded)?;
        self.is_ended = end.is_some();
        Ok(len + usize::from(self.is_ended))
    }

    fn entry(mut self) -> Result<LargeEntry, FrameError> {
        if self.is_text && std::str::from_utf8(&self.content).is_err() {
            return Err(FrameError::Shape);
        }
        self.content.shrink_to_fit();
        Ok(LargeEntry {
            line: self.head,
            content: self.content,
        })
    }
}

/// Whether the escape at the start of `text` is there to its end. The first half of a pair of
/// surrogates needs the other one.
fn is_whole(text: &[u8]) -> bool {
    let is_first = |digits: &[u8]| {
        matches!(digits[0], b'd' | b'D')
            && matches!(digits[1], b'8' | b'9' | b'a'..=b'b' | b'A'..=b'B')
    };
    match text.get(1) {
        None => false,
        Some(b'u') => text
            .get(2..6)
            .is_some_and(|digits| !is_first(digits) || 12 <= text.len()),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests;
