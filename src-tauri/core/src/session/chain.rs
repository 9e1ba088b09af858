//! Chain ids: `c_0 = H(format tag)`, `c_i = H(c_{i-1} ‖ len ‖ line_i)`. Equal ids mean equal bytes
//! from the start.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::cell::RefCell;
use std::fmt;

/// The hash of a doc's bytes up to and including one line (or one generation of a snapshot).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainId([u8; 32]);

impl ChainId {
    /// The start of every log: the chain id before the first line.
    pub fn log_start() -> Self {
        Self(blake3::derive_key("session-roam v1 chain log", b""))
    }

    /// The start of every snapshot: the generation before the first.
    pub fn snapshot_start() -> Self {
        Self(blake3::derive_key("session-roam v1 chain snapshot", b""))
    }

    /// The id after one more line (raw, with its `\n`) or one more generation (its whole content).
    pub fn then(self, line: &[u8]) -> Self {
        // In one piece, the parts of a longer line are hashed at the same time.
        const COPIED: usize = 16 << 10;
        thread_local!(static PIECE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        if line.len() <= COPIED {
            return PIECE.with_borrow_mut(|piece| {
                piece.clear();
                piece.extend_from_slice(&self.0);
                piece.extend_from_slice(&(line.len() as u64).to_le_bytes());
                piece.extend_from_slice(line);
                Self(*blake3::hash(piece).as_bytes())
            });
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(&(line.len() as u64).to_le_bytes());
        hasher.update(line);
        Self(*hasher.finalize().as_bytes())
    }

    /// Begins the id after one more line of `bytes` bytes that arrives in pieces.
    pub fn long(self, bytes: u64) -> LongLine {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(&bytes.to_le_bytes());
        LongLine {
            hasher,
            left: bytes,
        }
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn to_hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    pub fn from_hex(text: &str) -> Option<Self> {
        let mut id = [0; 32];
        if text.len() != 2 * id.len() {
            return None;
        }
        let decoded = data_encoding::HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut id);
        decoded.is_ok().then_some(Self(id))
    }
}

/// A line that is never held in memory whole.
pub struct LongLine {
    hasher: blake3::Hasher,
    left: u64,
}

impl LongLine {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.left = self.left.wrapping_sub(bytes.len() as u64);
    }

    /// The id; `None` if the number of bytes differs from the one announced.
    pub fn end(self) -> Option<ChainId> {
        (self.left == 0).then(|| ChainId(*self.hasher.finalize().as_bytes()))
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainId({})", &self.to_hex()[..12])
    }
}

impl Serialize for ChainId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for ChainId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl de::Visitor<'_> for Digits {
            type Value = ChainId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 hexadecimal digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ChainId, E> {
                ChainId::from_hex(text)
                    .ok_or_else(|| E::custom("a chain id is 64 hexadecimal digits"))
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

/// The lines of `bytes`, each with its line end; an unfinished last line is the last piece.
pub fn lines_of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

/// Walks along a log: takes bytes in pieces of any size and counts whole lines only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub tip: ChainId,
    pub lines: u64,
    /// Bytes in whole lines so far.
    pub bytes: u64,
    partial: Vec<u8>,
}

impl Chain {
    pub fn start() -> Self {
        Self::from(ChainId::log_start())
    }

    /// Continues at `tip`, counting lines and bytes from zero.
    pub fn from(tip: ChainId) -> Self {
        Self {
            tip,
            lines: 0,
            bytes: 0,
            partial: Vec::new(),
        }
    }

    /// Takes more bytes; calls `at_line` with each new tip.
    pub fn feed_each(&mut self, bytes: &[u8], mut at_line: impl FnMut(&Self)) {
        for piece in lines_of(bytes) {
            if !piece.ends_with(b"\n") {
                self.partial.extend_from_slice(piece);
                return;
            }
            if self.partial.is_empty() {
                self.tip = self.tip.then(piece);
                self.bytes += piece.len() as u64;
            } else {
                self.partial.extend_from_slice(piece);
                self.tip = self.tip.then(&self.partial);
                self.bytes += self.partial.len() as u64;
                self.partial.clear();
            }
            self.lines += 1;
            at_line(self);
        }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.feed_each(bytes, |_| ());
    }

    /// Accepts a line that was read elsewhere; `tip` is the id after it. Drops the partial line.
    pub fn pass(&mut self, tip: ChainId, bytes: u64) {
        self.tip = tip;
        self.bytes += bytes;
        self.lines += 1;
        self.partial.clear();
    }

    /// Bytes after the last line end: a torn or growing last line.
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_matter_and_a_partial_line_waits() {
        let text = b"{\"a\":1}\r\n\n\xff\xfe torn\nlast";
        let mut whole = Chain::start();
        whole.feed(text);
        let mut pieces = Chain::start();
        text.chunks(3).for_each(|piece| pieces.feed(piece));
        assert_eq!(whole, pieces);
        assert_eq!((whole.lines, whole.partial()), (3, &b"last"[..]));
    }

    #[test]
    fn a_long_line_has_the_id_of_any_other() {
        let line = vec![b'x'; 100_000];
        let mut long = ChainId::log_start().long(line.len() as u64);
        line.chunks(777).for_each(|piece| long.feed(piece));
        assert_eq!(long.end(), Some(ChainId::log_start().then(&line)));
        let mut short = ChainId::log_start().long(2);
        short.feed(b"x");
        assert_eq!(short.end(), None);
    }

    #[test]
    fn line_borders_are_part_of_the_id() {
        let (mut one, mut two) = (Chain::start(), Chain::start());
        one.feed(b"ab\nc\n");
        two.feed(b"a\nbc\n");
        assert_ne!(one.tip, two.tip);
    }

    #[test]
    fn hex_there_and_back() {
        let id = ChainId::log_start();
        assert_eq!(ChainId::from_hex(&id.to_hex()), Some(id));
        assert_eq!(ChainId::from_hex("12"), None);
    }
}
