//! One write to a journal: JSON lines, chained to the previous frame and signed. The bytes around
//! the lines are in `envelope`. docs/journal-format.md describes the format for readers; this file
//! is its only writer and parser.

use super::envelope::{self, Opened, Outline, Sealed};
pub use super::envelope::{frame_len, needed, next_batch};
pub use super::head::{FrameError, FrameHash, Head, VERSION};
use super::head::{kind, parse_head};
use super::json_text;
use super::large::{self, LargeEntry, Lines};
use super::limits;
use super::piece::Piece;
use crate::merge::{Choice, Statement, Title};
use crate::parallel;
use crate::session::chain::lines_of;
use crate::session::{
    ChainId, DeviceId, DocName, ForkBase, Lane, Millis, Project, SessionId, ToolId,
};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

/// A session's description by its author's device. Written first, and again after every change.
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
    /// The session for which this one works as a sub-agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<SessionId>,
    /// The doc that makes the session; the other docs depend on it.
    pub main: DocName,
    /// The file that its own file refers to, if the tool keeps the beginning in another session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<ForkBase>,
    /// The branch of another session that this one began as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<ForkOf>,
}

/// The origin of a fork: a branch of its parent session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkOf {
    pub session: SessionId,
    /// The first line that only the fork has, as in the parent; `head` in the journal.
    #[serde(rename = "head")]
    pub first_line: ChainId,
    /// The name of the device that wrote that line, at that time.
    pub from: String,
}

impl SessionCard {
    /// The card with texts shortened for display; `None` if a path, an id or a list is too long.
    pub fn bounded(mut self) -> Option<Self> {
        let project = &self.project;
        let paths = [
            Some(project.key.as_str()),
            self.cwd.as_deref(),
            Some(self.main.as_str()),
            project.at.as_deref(),
        ];
        let fork = self.fork.as_ref().map(|fork| fork.session.as_str());
        let base = self.base.as_ref().map(|base| base.session.as_str());
        let root = project.root_commit.as_deref();
        let ids = self
            .requires
            .iter()
            .map(SessionId::as_str)
            .chain(fork)
            .chain(base)
            .chain(self.part_of.as_ref().map(SessionId::as_str))
            .chain(root);
        let ids = ids.chain(self.version.as_deref());
        let paths = paths.into_iter().flatten().chain(project.branch.as_deref());
        let remotes = project.remotes.iter().chain(&project.formerly);
        let paths = paths.chain(remotes.map(String::as_str));
        let fits = { paths }.all(|path| path.len() <= limits::PATH)
            && project.remotes.len() <= limits::NAMED
            && project.formerly.len() <= limits::NAMED
            && ids.clone().all(|id| id.len() <= limits::ID)
            && self.requires.len() <= limits::NAMED;
        self.title = self.title.as_deref().map(limits::shown);
        self.project.names.truncate(limits::NAMED);
        self.project
            .names
            .iter_mut()
            .for_each(|name| *name = limits::shown(name));
        if let Some(fork) = &mut self.fork {
            fork.from = limits::shown(&fork.from);
        }
        fits.then_some(self)
    }
}

impl Entry {
    /// Since which version of the set of entry kinds this one is read; 0 for the first. A new kind
    /// raises `journal::READS`, and journals read before are looked through once.
    pub fn read_since(&self) -> u32 {
        match self {
            Self::Piece(_) => 1,
            // An entry with an action or a statement that a version does not know is unknown to it.
            Self::Title(_) | Self::Choice(_) | Self::Device(_) => 2,
            Self::About(_) | Self::Lines { .. } | Self::Whole { .. } | Self::Unknown(_) => 0,
        }
    }

    /// Whether the names in the entry are within their limits.
    pub fn is_named_within_bounds(&self) -> bool {
        match self {
            Self::Lines { doc, at, .. } | Self::Whole { doc, at, .. } => {
                doc.as_str().len() <= limits::PATH && at.len() <= limits::PATH
            }
            Self::Piece(Piece { doc, at, .. }) => {
                doc.as_str().len() <= limits::PATH && at.len() <= limits::PATH
            }
            Self::About(_)
            | Self::Choice(_)
            | Self::Device(_)
            | Self::Title(_)
            | Self::Unknown(_) => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    About(SessionCard),
    /// The user's decision about a split.
    Choice(Choice),
    /// A statement of the device list.
    Device(Statement),
    /// The title that the user gave the session.
    Title(Title),
    /// Whole lines of a log.
    Lines {
        doc: DocName,
        at: String,
        after: ChainId,
        tip: ChainId,
        replaces: Option<ChainId>,
        bytes: Vec<u8>,
    },
    /// A generation of a snapshot: `head` bytes of the previous one, then `bytes`, then `tail`
    /// bytes of the previous one.
    Whole {
        doc: DocName,
        at: String,
        after: ChainId,
        tip: ChainId,
        head: u64,
        tail: u64,
        bytes: Vec<u8>,
    },
    /// A piece of one line of a log.
    Piece(Piece),
    /// An entry of a later version; kept in the journal, ignored here.
    Unknown(String),
}

/// A line entry for writing.
#[derive(Serialize)]
#[serde(tag = "k", rename_all = "lowercase")]
enum Line<'a> {
    Head(&'a Head),
    About(&'a SessionCard),
    Choice(&'a Choice),
    Device(&'a Statement),
    Title(&'a Title),
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
}

/// A piece of a line for writing.
#[derive(Serialize)]
struct PieceLine<'a> {
    k: &'static str,
    doc: &'a DocName,
    at: &'a str,
    after: ChainId,
    tip: ChainId,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<ChainId>,
    n: u32,
    of: u32,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// A lines or snapshot entry for reading: its text stays as it is in the journal.
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
    n: Option<u32>,
    of: Option<u32>,
    size: Option<u64>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    base64: Option<&'a RawValue>,
}

/// A frame that was read and is whole. Its signature is checked before, by
/// [`Sealed::is_signed_by`].
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub head: Head,
    pub entries: Vec<Entry>,
    pub hash: FrameHash,
}

/// The start of a journal's chain of frames: bound to the journal's place, so that no journal can
/// pass as another.
pub fn genesis(device: &DeviceId, lane: Lane, tool: &ToolId, session: &SessionId) -> FrameHash {
    let text = format!("{device}\n{}\n{tool}\n{session}", lane.as_str());
    FrameHash(
        blake3::Hash::from_bytes(blake3::derive_key(
            "session-roam v1 journal",
            text.as_bytes(),
        ))
        .to_hex()
        .to_string(),
    )
}

/// Text for UTF-8 bytes, otherwise base64: a journal stays readable with `zstdcat | jq`.
fn pack(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(BASE64.encode(bytes))),
    }
}

/// The bytes of an entry: `text` as it is in the journal, with quotes and escapes, or base64.
fn unpack(text: Option<&RawValue>, base64: Option<&RawValue>) -> Option<Vec<u8>> {
    match (text, base64) {
        (Some(text), None) => unescape(text.get()),
        (None, Some(base64)) => BASE64.decode(quoted(base64)?.as_bytes()).ok(),
        _ => None,
    }
}

/// A JSON string without its quotes.
fn quoted(text: &RawValue) -> Option<&str> {
    text.get().strip_prefix('"')?.strip_suffix('"')
}

/// The content of a JSON string with its quotes.
fn unescape(quoted: &str) -> Option<Vec<u8>> {
    let text = quoted.strip_prefix('"')?.as_bytes();
    let (content, len) = json_text::unescape(text)?;
    (len == text.len()).then_some(content)
}

/// Renders a frame; returns its bytes on disk and its hash.
pub fn render(
    head: &Head,
    entries: &[Entry],
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> (Vec<u8>, FrameHash) {
    let mut lines =
        Vec::with_capacity(1024 + entries.iter().map(Entry::size).sum::<usize>() * 9 / 8);
    push_line(&mut lines, &Line::Head(head));
    for entry in entries {
        match entry {
            Entry::About(about) => push_line(&mut lines, &Line::About(about)),
            Entry::Choice(choice) => push_line(&mut lines, &Line::Choice(choice)),
            Entry::Device(statement) => push_line(&mut lines, &Line::Device(statement)),
            Entry::Title(title) => push_line(&mut lines, &Line::Title(title)),
            Entry::Lines {
                doc,
                at,
                after,
                tip,
                replaces,
                bytes,
            } => {
                let (text, base64) = pack(bytes);
                let (after, tip, replaces) = (*after, *tip, *replaces);
                push_line(
                    &mut lines,
                    &Line::Lines {
                        doc,
                        at,
                        after,
                        tip,
                        replaces,
                        text,
                        base64,
                    },
                );
            }
            Entry::Whole {
                doc,
                at,
                after,
                tip,
                head,
                tail,
                bytes,
            } => {
                let (text, base64) = pack(bytes);
                let (after, tip, head, tail) = (*after, *tip, *head, *tail);
                push_line(
                    &mut lines,
                    &Line::Whole {
                        doc,
                        at,
                        after,
                        tip,
                        head,
                        tail,
                        text,
                        base64,
                    },
                );
            }
            Entry::Piece(Piece {
                doc,
                at,
                after,
                tip,
                replaces,
                n,
                of,
                size,
                bytes,
            }) => {
                let (text, base64) = pack(bytes);
                let (after, tip, replaces, n, of, size) = (*after, *tip, *replaces, *n, *of, *size);
                let line = PieceLine {
                    k: "piece",
                    doc,
                    at,
                    after,
                    tip,
                    replaces,
                    n,
                    of,
                    size,
                    text,
                    base64,
                };
                serde_json::to_writer(&mut lines, &line)
                    .expect("plain data serialises into memory");
                lines.push(b'\n');
            }
            Entry::Unknown(line) => {
                lines.extend_from_slice(line.as_bytes());
                lines.push(b'\n');
            }
        }
    }
    envelope::seal(head, lines, sign)
}

fn push_line(out: &mut Vec<u8>, line: &Line<'_>) {
    serde_json::to_writer(&mut *out, line).expect("plain data serialises into memory");
    out.push(b'\n');
}

impl Entry {
    fn size(&self) -> usize {
        match self {
            Self::Lines { bytes, .. } | Self::Whole { bytes, .. } => bytes.len() + 256,
            Self::Piece(piece) => piece.bytes.len() + 256,
            Self::About(_) | Self::Choice(_) => 1024,
            Self::Title(title) => 512 + title.over.len() * 64,
            Self::Device(Statement::Revoke { heads, .. } | Statement::Heads { heads, .. }) => {
                512 + heads.len() * 256
            }
            Self::Device(_) => 512,
            Self::Unknown(line) => line.len(),
        }
    }
}

/// Unpacks and parses one whole frame that was accepted before, whoever signed it.
pub fn parse(bytes: &[u8]) -> Result<Frame, FrameError> {
    Sealed::read(bytes)?.parse()
}

/// Parses whole frames of a segment whose bytes were just compared with their hash, on several
/// cores.
pub fn parse_accepted(frames: &[&[u8]]) -> Vec<Result<Frame, FrameError>> {
    let parse = |bytes: &&[u8]| Sealed::accepted(bytes)?.parse();
    parallel::map(frames, |bytes| bytes.len(), parse)
}

/// Unpacks and parses frames that are vouched for, on several cores, and applies `then` to each.
pub fn parse_sealed<T: Send>(
    frames: Vec<Sealed<'_>>,
    then: impl Fn(Frame) -> T + Sync,
) -> Vec<Result<T, FrameError>> {
    let frames: Vec<_> = frames
        .into_iter()
        .map(|frame| (frame.size(), Mutex::new(Some(frame))))
        .collect();
    let work = |(_, cell): &(usize, Mutex<Option<Sealed<'_>>>)| {
        let frame = cell.lock().unwrap_or_else(PoisonError::into_inner).take();
        frame.ok_or(FrameError::Shape)?.parse().map(&then)
    };
    parallel::map(&frames, |(size, _)| *size, work)
}

impl Sealed<'_> {
    /// Unpacks and parses the frame. Only for a frame whose owner signed it or one that follows it.
    pub fn parse(self) -> Result<Frame, FrameError> {
        if let Some(outline) = self.outline() {
            return outline.parse(self.packed());
        }
        let Opened {
            n,
            prev,
            hash,
            version,
            lines,
        } = self.open()?;
        if limits::ENTRIES
            < memchr::memchr_iter(b'\n', &lines)
                .take(limits::ENTRIES + 2)
                .count()
                .saturating_sub(1)
        {
            return Err(FrameError::TooLarge);
        }
        let (head, first) = head_of(&lines, (version, n, &prev))?;
        let entries = parse_entries(lines, first)?;
        within_limits(Frame {
            head,
            entries,
            hash,
        })
    }
}

impl Outline {
    /// Unpacks and parses the frame as it is read from `packed`, its zstd frame. Only for a frame
    /// whose owner signed it or one that follows it.
    pub(super) fn parse(self, packed: impl Read) -> Result<Frame, FrameError> {
        let Lines { mut small, large } = large::read(packed, self.unpacked)?;
        if self.version == 1 {
            small.truncate(envelope::seal_at(&small)?);
        }
        let (number, large) = large.ok_or(FrameError::Shape)?;
        let count = memchr::memchr_iter(b'\n', &small).count();
        if limits::OTHERS < small.len() || limits::ENTRIES < count || number == 0 {
            return Err(FrameError::TooLarge);
        }
        let (head, first) = head_of(&small, (self.version, self.n, &self.prev))?;
        let mut entries = lines_of(&small[first..])
            .map(parse_entry)
            .collect::<Result<Vec<_>, _>>()?;
        if entries.len() < number - 1 {
            // Behind the seal.
            return Err(FrameError::Shape);
        }
        entries.insert(number - 1, entry_of(large)?);
        within_limits(Frame {
            head,
            entries,
            hash: self.hash,
        })
    }
}

/// The entry of which only the content is large.
pub(super) fn entry_of(large: LargeEntry) -> Result<Entry, FrameError> {
    let LargeEntry { line, content } = large;
    // No other kind of entry is this large.
    let run: Run<'_> = serde_json::from_slice(&line).map_err(|_| FrameError::TooLarge)?;
    let mut entry = run.entry().ok_or(FrameError::TooLarge)??;
    match &mut entry {
        Entry::Lines { bytes, .. } | Entry::Whole { bytes, .. } => *bytes = content,
        Entry::Piece(piece) => piece.bytes = content,
        _ => return Err(FrameError::TooLarge),
    }
    Ok(entry)
}

/// The head of a frame that claims to be this one, and where its entries begin.
fn head_of(
    lines: &[u8],
    (version, n, prev): (u32, u64, &FrameHash),
) -> Result<(Head, usize), FrameError> {
    let first = memchr::memchr(b'\n', lines).ok_or(FrameError::Shape)? + 1;
    let head = parse_head(&lines[..first.min(limits::HEAD)])?;
    if (head.v, head.n, &head.prev) != (version, n, prev) {
        return Err(FrameError::Shape);
    }
    Ok((head, first))
}

/// Refuses a frame whose lines of logs are too many, alone or beside their bytes: each needs an id.
fn within_limits(frame: Frame) -> Result<Frame, FrameError> {
    let (mut bytes, mut lines) = (0, 0);
    for entry in &frame.entries {
        if let Entry::Lines { bytes: text, .. } = entry {
            bytes += text.len();
            lines += memchr::memchr_iter(b'\n', text).count();
        }
    }
    if limits::LINES < lines
        || limits::LINES_AND_IDS < bytes + lines * size_of::<crate::session::Line>()
    {
        return Err(FrameError::TooLarge);
    }
    Ok(frame)
}

/// The entries from `from` on.
fn parse_entries(lines: Vec<u8>, from: usize) -> Result<Vec<Entry>, FrameError> {
    let largest = lines_of(&lines[from..]).map(<[u8]>::len).max().unwrap_or(0);
    if limits::OTHERS < lines.len() - largest {
        return Err(FrameError::TooLarge);
    }
    lines_of(&lines[from..]).map(parse_entry).collect()
}

pub(super) fn parse_entry(line: &[u8]) -> Result<Entry, FrameError> {
    // Nearly all lines, and nearly all bytes, are of these kinds.
    if let Some(entry) = written_run(line) {
        return Ok(entry);
    }
    parse_any(line)
}

/// A run whose text is the last member, as this program writes it: its text is read in one pass.
/// `None` for every other line, also for one that is refused.
fn written_run(line: &[u8]) -> Option<Entry> {
    let (at, _) = json_text::content_at(line).filter(|(_, is_text)| *is_text)?;
    let (content, len) = json_text::unescape(&line[at..])?;
    if !matches!(&line[at + len..], b"}\n" | b"}") {
        return None;
    }
    entry_of(LargeEntry {
        line: [&line[..at], b"\"}"].concat(),
        content,
    })
    .ok()
}

/// An entry in any order of members.
fn parse_any(line: &[u8]) -> Result<Entry, FrameError> {
    if let Ok(run) = serde_json::from_slice::<Run<'_>>(line)
        && let Some(entry) = run.entry()
    {
        return entry;
    }
    match &*kind(line)?.k {
        "about" => serde_json::from_slice(line)
            .map(Entry::About)
            .map_err(|_| FrameError::Shape),
        "lines" | "whole" | "head" | "seal" => Err(FrameError::Shape),
        // An unknown kind of decision is left to newer versions; the conversation is still read.
        "choice" if let Ok(choice) = serde_json::from_slice(line) => Ok(Entry::Choice(choice)),
        "device" if let Ok(statement) = serde_json::from_slice(line) => {
            Ok(Entry::Device(statement))
        }
        "title" if let Ok(title) = serde_json::from_slice(line) => Ok(Entry::Title(title)),
        _ => {
            let text =
                String::from_utf8(line.trim_ascii_end().to_vec()).map_err(|_| FrameError::Shape)?;
            Ok(Entry::Unknown(text))
        }
    }
}

impl Run<'_> {
    /// `None` if the line is of another kind.
    fn entry(self) -> Option<Result<Entry, FrameError>> {
        let Self {
            k,
            doc,
            at,
            after,
            tip,
            replaces,
            head,
            tail,
            n,
            of,
            size,
            text,
            base64,
        } = self;
        let bytes = || unpack(text, base64).ok_or(FrameError::Shape);
        match &*k {
            "lines" => Some(bytes().map(|bytes| Entry::Lines {
                doc,
                at,
                after,
                tip,
                replaces,
                bytes,
            })),
            "whole" => Some(bytes().map(|bytes| Entry::Whole {
                doc,
                at,
                after,
                tip,
                head,
                tail,
                bytes,
            })),
            "piece" => {
                let ((n, of), size) = n.zip(of).zip(size)?;
                let whole = |bytes| {
                    Entry::Piece(Piece {
                        doc,
                        at,
                        after,
                        tip,
                        replaces,
                        n,
                        of,
                        size,
                        bytes,
                    })
                };
                Some(bytes().map(whole))
            }
            _ => None,
        }
    }
}

impl Frame {
    /// A frame as its author just rendered it.
    pub fn own(head: Head, entries: Vec<Entry>, hash: FrameHash) -> Self {
        Self {
            head,
            entries,
            hash,
        }
    }

    /// Approximate size in memory, in bytes.
    pub fn size(&self) -> usize {
        self.entries.iter().map(Entry::size).sum()
    }
}

#[cfg(test)]
mod tests;
