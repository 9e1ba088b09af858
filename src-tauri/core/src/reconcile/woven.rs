//! The text of a fork, made from its parent's as it is read: with the fork's id, and with a title
//! line at places that depend on the text alone. No more than a line is held.

use crate::merge::substitute;
use crate::session::SessionId;
use std::io::{self, Write};

/// Replaces each id in what is written through it.
pub struct WithId<'a> {
    out: &'a mut dyn Write,
    from: &'a SessionId,
    to: &'a SessionId,
    /// What may be the beginning of an id.
    held: Vec<u8>,
}

impl<'a> WithId<'a> {
    pub fn new(out: &'a mut dyn Write, from: &'a SessionId, to: &'a SessionId) -> Self {
        let held = Vec::new();
        Self {
            out,
            from,
            to,
            held,
        }
    }

    /// Writes what is held.
    pub fn finish(self) -> io::Result<()> {
        self.out.write_all(&self.held)
    }
}

impl Write for WithId<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        let id = self.from.as_str().as_bytes();
        let last = memchr::memmem::find_iter(&self.held, id).last();
        let beginning = self.held.len().saturating_sub(id.len().saturating_sub(1));
        let end = last.map_or(0, |at| at + id.len()).max(beginning);
        substitute(&mut self.held[..end], self.from, self.to);
        self.out.write_all(&self.held[..end])?;
        self.held.drain(..end);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Puts a title into a branch: before its first message, and again at intervals, because a tool may
/// search for it near the end only (Claude Code 2.1.330 within 64 KB, 2026-11-23).
pub struct WithTitle<'a> {
    out: &'a mut dyn Write,
    title: &'a [u8],
    is_message: fn(&[u8]) -> bool,
    /// A longer line is recorded in pieces, and is a message.
    whole: u64,
    /// Where the present line begins in the branch, and how much of it was written.
    at: u64,
    written: u64,
    /// A message was written.
    spoken: bool,
    /// The present line, as long as no message was written.
    held: Vec<u8>,
}

impl<'a> WithTitle<'a> {
    const AGAIN: u64 = 48 << 10;

    /// `begins` is where the text begins in the branch: the places depend on nothing else, so the
    /// branch may grow in any steps. A line of more than `whole` bytes is a message.
    pub fn new(
        out: &'a mut dyn Write,
        begins: u64,
        title: &'a [u8],
        (is_message, whole): (fn(&[u8]) -> bool, u64),
    ) -> Self {
        Self {
            out,
            title,
            is_message,
            whole,
            at: begins,
            written: 0,
            spoken: 0 < begins,
            held: Vec::new(),
        }
    }

    /// Writes a last line without an end.
    pub fn finish(self) -> io::Result<()> {
        self.out.write_all(&self.held)
    }

    fn put(&mut self, part: &[u8]) -> io::Result<()> {
        let is_end = part.ends_with(b"\n");
        if !self.spoken {
            self.held.extend_from_slice(part);
            let is_long = self.whole < self.held.len() as u64;
            if !is_end && !is_long {
                return Ok(());
            }
            self.spoken = is_long || (self.is_message)(&self.held);
            if self.spoken {
                self.out.write_all(self.title)?;
            }
            let held = std::mem::take(&mut self.held);
            self.write_part(&held, is_end)
        } else {
            self.write_part(part, is_end)
        }
    }

    fn write_part(&mut self, part: &[u8], is_end: bool) -> io::Result<()> {
        self.out.write_all(part)?;
        self.written += part.len() as u64;
        if is_end {
            let next = self.at + std::mem::take(&mut self.written);
            // After the line that crosses the mark: before a line longer than a tool reads, it would
            // not be found.
            if self.spoken && self.at / Self::AGAIN != next / Self::AGAIN {
                self.out.write_all(self.title)?;
            }
            self.at = next;
        }
        Ok(())
    }
}

impl Write for WithTitle<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.put(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TITLE: &[u8] = b"title\n";

    fn is_message(line: &[u8]) -> bool {
        !line.starts_with(b"_")
    }

    /// The text in parts of this size, with titles.
    fn woven(text: &[u8], begins: u64, part: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut titled = WithTitle::new(&mut out, begins, TITLE, (is_message, 1 << 20));
        for part in text.chunks(part) {
            titled.write_all(part).expect("memory");
        }
        titled.finish().expect("memory");
        out
    }

    proptest! {
        #[test]
        fn the_title_stands_in_the_same_places_however_the_branch_grew(
            lines in prop::collection::vec((any::<bool>(), 1..40_000usize), 1..12),
            cut in any::<prop::sample::Index>(),
            part in 1..100_000usize,
        ) {
            let line = |(noted, len): &(bool, usize)| format!("{}{}\n", if *noted { "_" } else { "x" }, "y".repeat(*len)).into_bytes();
            let mut lines: Vec<Vec<u8>> = lines.iter().map(line).collect();
            // A fork begins as soon as there is a message.
            lines.insert(0, b"x\n".to_vec());
            let cut = 1 + cut.index(lines.len());
            let (first, second) = (lines[..cut].concat(), lines[cut..].concat());
            let whole = woven(&lines.concat(), 0, usize::MAX);
            let mut grown = woven(&first, 0, part);
            grown.extend(woven(&second, first.len() as u64, part));
            prop_assert_eq!(&whole, &grown);
            let text = String::from_utf8_lossy(&whole).replace("title\n", "");
            prop_assert_eq!(text.into_bytes(), lines.concat(), "nothing else is changed");
        }

        #[test]
        fn each_id_is_replaced_wherever_the_parts_end(
            words in prop::collection::vec(prop_oneof!["aab", "aa", "b", "xyz\n"], 0..20),
            part in 1..9usize,
        ) {
            let (from, to) = (SessionId::new("aab"), SessionId::new("123"));
            let text = words.concat().into_bytes();
            let mut wanted = text.clone();
            substitute(&mut wanted, &from, &to);
            let mut out = Vec::new();
            let mut with_id = WithId::new(&mut out, &from, &to);
            for part in text.chunks(part) {
                with_id.write_all(part).expect("memory");
            }
            with_id.finish().expect("memory");
            prop_assert_eq!(out, wanted);
        }
    }

    #[test]
    fn the_title_comes_before_the_first_words_and_again() {
        let long = format!("x{}\n", "y".repeat(50_000));
        let tail = format!("_noted\nx\n{long}x\n");
        let woven = String::from_utf8(woven(tail.as_bytes(), 0, 1000)).expect("text");
        assert_eq!(woven, format!("_noted\ntitle\nx\n{long}title\nx\n"));
    }
}
