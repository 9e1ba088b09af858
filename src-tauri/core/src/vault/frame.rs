//! One write to a journal: a zstd frame of JSON lines, chained to the frame before it and signed.
//! docs/journal-format.md describes it for readers; this file is its only writer and parser.

use crate::merge::{Choice, Statement};
use crate::parallel;
use crate::session::chain::lines_of;
use crate::session::{Base, ChainId, DeviceId, DocName, Hlc, Lane, Millis, Project, SessionId, ToolId};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Read;

/// The format's version; a reader refuses what is newer and says so.
pub const VERSION: u32 = 1;

/// A frame never unpacks to more than this: a small file must not fill the memory.
pub const MAX_FRAME: u64 = 1 << 30;

/// So many frames, or so many bytes in them, are read at once: on several cores, their signatures checked together.
const BATCH_FRAMES: usize = 256;
const BATCH_BYTES: usize = 8 << 20;

/// The first line of each frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub v: u32,
    pub device: DeviceId,
    pub lane: Lane,
    pub tool: ToolId,
    pub session: SessionId,
    /// The frame's number in this journal, from 0.
    pub n: u64,
    /// The hash of the frame before it; of the first one, [`genesis`].
    pub prev: FrameHash,
    pub at: Hlc,
    /// The device's name when it wrote this; a fork's title says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

/// BLAKE3 of a frame's lines without the seal, as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameHash(pub String);

/// What a session is, as its author's device knows it. Written first and again whenever it changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionCard {
    pub project: Project,
    /// The author's directory.
    pub cwd: Option<String>,
    pub title: Option<String>,
    pub updated: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<SessionId>,
    /// The doc that makes the session; the others belong to it.
    pub main: DocName,
    /// What its file refers to, where the tool keeps the beginning in another session's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// It began as a branch of another session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<ForkOf>,
}

/// What a fork was before it was a session of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkOf {
    pub session: SessionId,
    /// The first line that is the fork's alone, in the parent.
    pub head: ChainId,
    /// The device that wrote it, by its name then.
    pub from: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    About(SessionCard),
    /// What the user decided about a split.
    Choice(Choice),
    /// A statement of the device list.
    Device(Statement),
    /// Whole lines of a log.
    Lines {
        doc: DocName,
        at: String,
        after: ChainId,
        tip: ChainId,
        replaces: Option<ChainId>,
        bytes: Vec<u8>,
    },
    /// A generation of a snapshot: `head` bytes of the one before, then `bytes`, then `tail` bytes of the one before.
    Whole {
        doc: DocName,
        at: String,
        after: ChainId,
        tip: ChainId,
        head: u64,
        tail: u64,
        bytes: Vec<u8>,
    },
    /// Of a later version; kept in the journal, ignored here.
    Unknown(String),
}

/// A line as it is written.
#[derive(Serialize)]
#[serde(tag = "k", rename_all = "lowercase")]
enum Line<'a> {
    Head(&'a Head),
    About(&'a SessionCard),
    Choice(&'a Choice),
    Device(&'a Statement),
    Lines {
        doc: &'a DocName,
        at: &'a str,
        after: ChainId,
        tip: ChainId,
        #[serde(skip_serializing_if = "Option::is_none")]
        replaces: Option<ChainId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        base64: Option<String>,
    },
    Whole {
        doc: &'a DocName,
        at: &'a str,
        after: ChainId,
        tip: ChainId,
        head: u64,
        tail: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        base64: Option<String>,
    },
    Seal {
        hash: &'a FrameHash,
        sig: String,
    },
}

/// A line of lines or of a snapshot as it is read: its text stays as it stands in the journal.
#[derive(Deserialize)]
struct Run<'a> {
    #[serde(borrow)]
    k: Cow<'a, str>,
    doc: DocName,
    at: String,
    after: ChainId,
    tip: ChainId,
    replaces: Option<ChainId>,
    #[serde(default)]
    head: u64,
    #[serde(default)]
    tail: u64,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    base64: Option<String>,
}

/// What kind of line it is; of the first one, also its version.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    k: Cow<'a, str>,
    #[serde(default)]
    v: u32,
}

#[derive(Deserialize)]
struct Seal {
    hash: FrameHash,
    sig: String,
}

/// A frame read and found whole; its signature is checked by [`Frame::is_signed_by`].
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub head: Head,
    pub entries: Vec<Entry>,
    pub hash: FrameHash,
    signature: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("it is not a zstd frame of JSON lines")]
    Shape,
    #[error("its hash does not match its content")]
    Hash,
    #[error("it was written by a newer session-roam (format {0})")]
    Newer(u32),
    #[error("it unpacks to more than a gibibyte")]
    TooLarge,
}

/// Where a journal's chain of frames starts: bound to its place, so that a journal cannot be passed off as another.
pub fn genesis(device: &DeviceId, lane: Lane, tool: &ToolId, session: &SessionId) -> FrameHash {
    let text = format!("{device}\n{}\n{tool}\n{session}", lane.as_str());
    FrameHash(
        blake3::Hash::from_bytes(blake3::derive_key("session-roam v1 journal", text.as_bytes())).to_hex().to_string(),
    )
}

fn signed_message(hash: &FrameHash) -> Vec<u8> {
    format!("session-roam v1 frame\n{}", hash.0).into_bytes()
}

/// Text where the bytes are UTF-8, base64 where not: a journal stays readable with `zstdcat | jq`.
fn pack(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(BASE64.encode(bytes))),
    }
}

/// The bytes of an entry: `text` as it stands in the journal, with its quotes and escapes, or base64.
fn unpack(text: Option<&RawValue>, base64: Option<String>) -> Option<Vec<u8>> {
    match (text, base64) {
        (Some(text), None) => unescape(text.get()),
        (None, Some(base64)) => BASE64.decode(base64.as_bytes()).ok(),
        _ => None,
    }
}

/// What a JSON string says. A transcript in a journal is JSON within JSON, an escape every few bytes; this is most of
/// what reading a journal costs, so the escapes that our writer writes are undone here, any other by the library.
fn unescape(quoted: &str) -> Option<Vec<u8>> {
    let mut rest = quoted.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let plain = match rest.get(at + 1)? {
            same @ (b'"' | b'\\' | b'/') => *same,
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            _ => return serde_json::from_str::<String>(quoted).ok().map(String::into_bytes),
        };
        out.push(plain);
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// Renders a frame; gives its bytes on disk and its hash.
pub fn render(head: &Head, entries: &[Entry], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> (Vec<u8>, FrameHash) {
    let mut lines = Vec::with_capacity(1024 + entries.iter().map(Entry::size).sum::<usize>() * 9 / 8);
    push_line(&mut lines, &Line::Head(head));
    for entry in entries {
        match entry {
            Entry::About(about) => push_line(&mut lines, &Line::About(about)),
            Entry::Choice(choice) => push_line(&mut lines, &Line::Choice(choice)),
            Entry::Device(statement) => push_line(&mut lines, &Line::Device(statement)),
            Entry::Lines { doc, at, after, tip, replaces, bytes } => {
                let (text, base64) = pack(bytes);
                let (after, tip, replaces) = (*after, *tip, *replaces);
                push_line(&mut lines, &Line::Lines { doc, at, after, tip, replaces, text, base64 });
            }
            Entry::Whole { doc, at, after, tip, head, tail, bytes } => {
                let (text, base64) = pack(bytes);
                let (after, tip, head, tail) = (*after, *tip, *head, *tail);
                push_line(&mut lines, &Line::Whole { doc, at, after, tip, head, tail, text, base64 });
            }
            Entry::Unknown(line) => {
                lines.extend_from_slice(line.as_bytes());
                lines.push(b'\n');
            }
        }
    }
    let hash = FrameHash(blake3::hash(&lines).to_hex().to_string());
    let sig = BASE64.encode(&sign(&signed_message(&hash)));
    push_line(&mut lines, &Line::Seal { hash: &hash, sig });
    (compress(&lines), hash)
}

fn push_line(out: &mut Vec<u8>, line: &Line<'_>) {
    serde_json::to_writer(&mut *out, line).expect("plain data serialises into memory");
    out.push(b'\n');
}

fn compress(lines: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(lines, 3).expect("memory to memory, any input compresses")
}

impl Entry {
    fn size(&self) -> usize {
        match self {
            Self::Lines { bytes, .. } | Self::Whole { bytes, .. } => bytes.len() + 256,
            Self::About(_) | Self::Choice(_) => 1024,
            Self::Device(Statement::Revoke { heads, .. } | Statement::Heads { heads, .. }) => 512 + heads.len() * 256,
            Self::Device(_) => 512,
            Self::Unknown(line) => line.len(),
        }
    }
}

/// Finds the first frame in `bytes`: its length on disk. `None` means that it is torn (not yet all there).
pub fn frame_len(bytes: &[u8]) -> Option<Result<usize, FrameError>> {
    const MAGIC: [u8; 4] = 0xFD2F_B528u32.to_le_bytes();
    if bytes.len() < 4 {
        return None;
    }
    if bytes[..4] != MAGIC {
        return Some(Err(FrameError::Shape));
    }
    zstd::zstd_safe::find_frame_compressed_size(bytes).ok().map(Ok)
}

/// Unpacks and parses one whole frame.
pub fn parse(bytes: &[u8]) -> Result<Frame, FrameError> {
    let lines = unzip(bytes)?;
    let seal_at =
        lines[..lines.len().saturating_sub(1)].iter().rposition(|byte| *byte == b'\n').ok_or(FrameError::Shape)? + 1;
    let (body, seal) = lines.split_at(seal_at);
    if kind(seal)?.k != "seal" {
        return Err(FrameError::Shape);
    }
    let Seal { hash, sig } = serde_json::from_slice(seal).map_err(|_| FrameError::Shape)?;
    if blake3::hash(body).to_hex().as_str() != hash.0 {
        return Err(FrameError::Hash);
    }
    let mut texts = lines_of(body);
    let head = parse_head(texts.next().ok_or(FrameError::Shape)?)?;
    let entries = texts.map(parse_entry).collect::<Result<_, _>>()?;
    let signature = BASE64.decode(sig.as_bytes()).map_err(|_| FrameError::Shape)?;
    Ok(Frame { head, entries, hash, signature })
}

/// Parses whole frames on several cores, and does with each what `then` does.
pub fn parse_all<T: Send>(frames: &[&[u8]], then: impl Fn(Frame) -> T + Sync) -> Vec<Result<T, FrameError>> {
    parallel::map(frames, |bytes| bytes.len(), |bytes| parse(bytes).map(&then))
}

/// As much of `bytes` as it unpacks to, if it says so, and no more than can be believed.
fn unpacked(bytes: &[u8]) -> Option<usize> {
    // The claim of a small file is not believed beyond what zstd could make of it in earnest.
    let most = (bytes.len() as u64).saturating_mul(64).min(MAX_FRAME);
    zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten().filter(|size| *size <= most).map(|size| size as usize)
}

/// The whole frames that `bytes` begins with, as many as are read at once: no more than `most`, nor than about
/// `BATCH_BYTES` when unpacked. With them what follows, if they end at something that is no whole frame.
pub fn next_batch(bytes: &[u8], most: usize) -> (Vec<&[u8]>, Option<Option<FrameError>>) {
    let (mut frames, mut size, mut rest) = (Vec::new(), 0, bytes);
    while !rest.is_empty() && frames.len() < most.min(BATCH_FRAMES) && size < BATCH_BYTES {
        match frame_len(rest) {
            None => return (frames, Some(None)),
            Some(Err(error)) => return (frames, Some(Some(error))),
            Some(Ok(len)) => {
                let (frame, after) = rest.split_at(len);
                size += unpacked(frame).unwrap_or(len);
                frames.push(frame);
                rest = after;
            }
        }
    }
    (frames, None)
}

fn kind(line: &[u8]) -> Result<Kind<'_>, FrameError> {
    serde_json::from_slice(line).map_err(|_| FrameError::Shape)
}

fn parse_head(line: &[u8]) -> Result<Head, FrameError> {
    let kind = kind(line)?;
    if kind.v > VERSION {
        return Err(FrameError::Newer(kind.v));
    }
    let head = serde_json::from_slice(line).map_err(|_| FrameError::Shape);
    if kind.k == "head" { head } else { Err(FrameError::Shape) }
}

fn parse_entry(line: &[u8]) -> Result<Entry, FrameError> {
    // Nearly every line, and nearly all bytes, are of these two kinds.
    if let Ok(run) = serde_json::from_slice::<Run<'_>>(line)
        && let Some(entry) = run.entry()
    {
        return entry;
    }
    match &*kind(line)?.k {
        "about" => serde_json::from_slice(line).map(Entry::About).map_err(|_| FrameError::Shape),
        "lines" | "whole" | "head" | "seal" => Err(FrameError::Shape),
        // A decision of a kind that is not known here is for those who know it; what was said is read on.
        "choice" if let Ok(choice) = serde_json::from_slice(line) => Ok(Entry::Choice(choice)),
        "device" if let Ok(statement) = serde_json::from_slice(line) => Ok(Entry::Device(statement)),
        _ => {
            let text = String::from_utf8(line.trim_ascii_end().to_vec()).map_err(|_| FrameError::Shape)?;
            Ok(Entry::Unknown(text))
        }
    }
}

impl Run<'_> {
    /// `None` if it is of another kind.
    fn entry(self) -> Option<Result<Entry, FrameError>> {
        let Self { k, doc, at, after, tip, replaces, head, tail, text, base64 } = self;
        let bytes = || unpack(text, base64).ok_or(FrameError::Shape);
        match &*k {
            "lines" => Some(bytes().map(|bytes| Entry::Lines { doc, at, after, tip, replaces, bytes })),
            "whole" => Some(bytes().map(|bytes| Entry::Whole { doc, at, after, tip, head, tail, bytes })),
            _ => None,
        }
    }
}

fn unzip(bytes: &[u8]) -> Result<Vec<u8>, FrameError> {
    // What we write says how large it is, and unpacking it in one go is faster.
    if let Some(size) = unpacked(bytes) {
        // Setting one up costs more than unpacking a small frame.
        thread_local!(static UNZIP: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) });
        return UNZIP.with_borrow_mut(|unzip| {
            let unzip = match unzip {
                Some(unzip) => unzip,
                None => unzip.insert(zstd::bulk::Decompressor::new().map_err(|_| FrameError::Shape)?),
            };
            unzip.decompress(bytes, size).map_err(|_| FrameError::Shape)
        });
    }
    let decoder = zstd::stream::Decoder::new(bytes).map_err(|_| FrameError::Shape)?.single_frame();
    let mut lines = Vec::new();
    decoder.take(MAX_FRAME + 1).read_to_end(&mut lines).map_err(|_| FrameError::Shape)?;
    if lines.len() as u64 > MAX_FRAME { Err(FrameError::TooLarge) } else { Ok(lines) }
}

impl Frame {
    /// A frame as its author just rendered it.
    pub fn own(head: Head, entries: Vec<Entry>, hash: FrameHash) -> Self {
        Self { head, entries, hash, signature: Vec::new() }
    }

    /// About as many bytes as it takes in memory.
    pub fn size(&self) -> usize {
        self.entries.iter().map(Entry::size).sum()
    }

    pub fn is_signed_by(&self, key: &[u8; 32]) -> bool {
        match <&[u8; 64]>::try_from(self.signature.as_slice()) {
            Ok(signature) => super::keys::verify(key, &signed_message(&self.hash), signature),
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_read_as_the_library_reads_it(text in any::<String>(), lines in r#"[ab"\\\\/\n\t\r\u{8}\u{c}\u{1b}ü🦀]{0,40}"#) {
            for text in [text, lines] {
                let written = serde_json::to_string(&text).expect("text");
                prop_assert_eq!(unescape(&written), Some(text.into_bytes()));
            }
        }

        #[test]
        fn what_is_no_text_is_not_read_as_one(inner in r#"[ab\\\\nu0d8c"]{0,12}"#) {
            let quoted = format!("\"{inner}\"");
            let known = serde_json::from_str::<String>(&quoted).ok().map(String::into_bytes);
            if let Ok(raw) = serde_json::from_str::<&RawValue>(&quoted) {
                prop_assert_eq!(unescape(raw.get()), known);
            } else {
                prop_assert_eq!(known, None);
            }
        }
    }

    #[test]
    fn a_decision_of_a_later_kind_is_no_damage() {
        let later = parse_entry(br#"{"k":"choice","action":"interleave","doc":"main"}"#);
        assert!(matches!(later, Ok(Entry::Unknown(_))));
        let damaged = parse_entry(br#"{"k":"lines","doc":"main"}"#);
        assert!(matches!(damaged, Err(FrameError::Shape)));
    }
}
