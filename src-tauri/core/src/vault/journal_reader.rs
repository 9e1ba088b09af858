//! Reads the content of a session's journals back: an edge's lines, the bytes at one place, a
//! snapshot's content. Reads accepted bytes only; knows nothing of accepting.

use super::Vault;
use super::envelope::{self, Seal, Sealed};
use super::frame::{self, Entry, Head};
use super::journal::{Journal, JournalError, Segment, journal_key, read_batch};
use super::limits;
use super::piece::Piece;
use crate::session::chain::lines_of;
use crate::session::{Chain, ChainId, DocKind, DocName, Edge, Line, LineSource, LongLine, Spot};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Reads edges' lines back from the journals. Caches the last segment: edges follow each other.
pub struct JournalReader<'a> {
    vault: &'a Vault,
    journals: &'a BTreeMap<String, Journal>,
    doc: &'a DocName,
    /// Which lines are part of the conversation.
    is_message: fn(&[u8]) -> bool,
    last: RefCell<Option<(String, Vec<u8>)>>,
}

/// Lines of one entry of a log.
#[derive(Clone, Debug)]
pub struct Place {
    journal: String,
    spot: Spot,
    /// The entry's number among this doc's entries in its journal.
    entry: u64,
    /// Where the lines begin in the entry's bytes.
    start: usize,
    pub len: usize,
}

impl Place {
    /// Where the entry is, and its number: an edge that begins there can be read without what is
    /// before it.
    pub fn entry(&self) -> (Spot, u64) {
        (self.spot, self.entry)
    }
}

/// Where the seal of an entry's frame is.
enum Vouched<'a> {
    /// In the frame.
    By(&'a [u8]),
    /// Read before, for the bytes of a large frame are freed while it is unpacked.
    Sealed(&'a Seal),
}

/// What is met on the way along an edge.
#[allow(clippy::large_enum_variant)] // passed on at once, never stored
enum Met<'a> {
    /// A large frame comes next: what is not needed meanwhile can go.
    LargeFrame,
    Entry(Entry, Spot, Vouched<'a>),
}

/// The content of one entry of a log.
pub enum Run {
    Lines(Place, Vec<u8>),
    Piece(Place, Piece),
}

impl<'a> JournalReader<'a> {
    pub fn new(
        vault: &'a Vault,
        journals: &'a BTreeMap<String, Journal>,
        doc: &'a DocName,
        is_message: fn(&[u8]) -> bool,
    ) -> Self {
        Self {
            vault,
            journals,
            doc,
            is_message,
            last: RefCell::new(None),
        }
    }

    /// Calls `each` with every entry of the edge, in order.
    fn entries(
        &self,
        edge: &Edge,
        mut each: impl FnMut(Entry, Spot) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.met(edge, |met| match met {
            Met::LargeFrame => Ok(()),
            Met::Entry(entry, spot, _) => each(entry, spot),
        })
    }

    /// The same, with what vouches for the entries, and a word before each large frame.
    fn met(
        &self,
        edge: &Edge,
        mut each: impl FnMut(Met<'_>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let source = &edge.source;
        let lost = || JournalError::Lost {
            dir: journal_key(&source.device, source.lane),
        };
        let journal = self
            .journals
            .get(&journal_key(&source.device, source.lane))
            .ok_or_else(lost)?;
        let mut wanted = source.end - source.first;
        let at = source.spot;
        for segment in journal
            .segments
            .iter()
            .filter(|segment| segment.number >= at.segment)
        {
            let mut bytes = self.segment(journal, segment)?;
            let mut offset = if segment.number == at.segment {
                at.offset as usize
            } else {
                0
            };
            while offset < bytes.len() && wanted > 0 {
                let seal = match envelope::is_large(&bytes[offset..]) {
                    true => {
                        each(Met::LargeFrame)?;
                        Some(self.seal_of(edge, whole(&bytes[offset..]).ok_or_else(lost)?)?)
                    }
                    false => None,
                };
                let most = usize::try_from(wanted).unwrap_or(usize::MAX);
                for (frame, len) in read_batch(journal, &mut bytes, offset, most)? {
                    let first = (segment.number, offset as u64) == (at.segment, at.offset);
                    let skip = if first { at.line as usize } else { 0 };
                    for (line, entry) in frame.entries.into_iter().enumerate().skip(skip) {
                        let ours = matches!(&entry, Entry::Lines { doc, .. } | Entry::Whole { doc, .. }
                            | Entry::Piece(Piece { doc, .. }) if doc == self.doc);
                        if ours && wanted > 0 {
                            wanted -= 1;
                            let spot = Spot {
                                segment: segment.number,
                                offset: offset as u64,
                                line: line as u32,
                            };
                            let vouched = match &seal {
                                Some(seal) => Vouched::Sealed(seal),
                                None => Vouched::By(&bytes[offset..offset + len]),
                            };
                            each(Met::Entry(entry, spot, vouched))?;
                        }
                    }
                    offset += len;
                }
            }
            // Of a segment with a freed frame only the beginning is left.
            let is_whole = bytes.len() as u64 == segment.bytes;
            self.last
                .replace(is_whole.then(|| (journal.relative(segment.number), bytes)));
            if wanted == 0 {
                return Ok(());
            }
        }
        Err(lost())
    }

    /// Calls `each` with every accepted entry of a journal, in order.
    pub fn scan(
        &self,
        journal: &Journal,
        mut each: impl FnMut(&Head, &Entry),
    ) -> Result<(), JournalError> {
        for segment in &journal.segments {
            let mut bytes = self.segment(journal, segment)?;
            let mut offset = 0;
            while offset < bytes.len() {
                for (frame, len) in read_batch(journal, &mut bytes, offset, usize::MAX)? {
                    frame
                        .entries
                        .iter()
                        .for_each(|entry| each(&frame.head, entry));
                    offset += len;
                }
            }
        }
        Ok(())
    }

    fn segment(&self, journal: &Journal, segment: &Segment) -> Result<Vec<u8>, JournalError> {
        let relative = journal.relative(segment.number);
        if let Some((name, bytes)) = self.last.take()
            && name == relative
            && bytes.len() as u64 == segment.bytes
        {
            return Ok(bytes);
        }
        journal.accepted_bytes(self.vault, segment)
    }

    /// Writes the lines of an edge of a log.
    pub fn write_lines(&self, edge: &Edge, out: &mut dyn Write) -> Result<(), JournalError> {
        self.runs(edge, |run| {
            let (Run::Lines(_, bytes) | Run::Piece(_, Piece { bytes, .. })) = &run;
            out.write_all(bytes).map_err(|source| JournalError::Io {
                path: PathBuf::from(self.doc.as_str()),
                source,
            })
        })
    }

    /// Calls `each` with the lines of an edge of a log and their place, entry by entry. For a
    /// record stored in pieces, passes its beginning as a line: for display only.
    pub fn pieces(
        &self,
        edge: &Edge,
        mut each: impl FnMut(Place, &[u8]) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        const SHOWN: usize = 256 << 10;
        self.runs(edge, |run| match run {
            Run::Lines(place, bytes) => each(place, &bytes),
            Run::Piece(place, piece) if piece.n == 0 => {
                let len = SHOWN.min(piece.bytes.len());
                each(
                    Place { len, ..place },
                    &[&piece.bytes[..len], b"\n"].concat(),
                )
            }
            Run::Piece(..) => Ok(()),
        })
    }

    /// Calls `each` with the content of an edge of a log, in order.
    pub fn runs(
        &self,
        edge: &Edge,
        mut each: impl FnMut(Run) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.framed_runs(edge, |run, _, _| each(run))
    }

    /// The same, with what vouches for the frame that holds the content.
    pub fn sealed_runs(
        &self,
        edge: &Edge,
        mut each: impl FnMut(Run, &Seal) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let mut last: Option<((u32, u64), Seal)> = None;
        self.framed_runs(edge, |run, spot, frame| {
            let place = (spot.segment, spot.offset);
            let known = last.take().filter(|(at, _)| *at == place);
            let seal = match known {
                Some((_, seal)) => seal,
                None => self.seal(edge, frame)?,
            };
            let done = each(run, &seal);
            last = Some((place, seal));
            done
        })
    }

    /// What vouches for the frame with the end of an edge: the last line of a log, the last
    /// generation of a snapshot.
    pub fn last_seal(&self, kind: DocKind, edge: &Edge) -> Result<Option<Seal>, JournalError> {
        let (mut n, mut found) = (0, None);
        if kind == DocKind::Log {
            self.sealed_runs(edge, |_, seal| {
                found = Some(seal.clone());
                Ok(())
            })?;
            return Ok(found);
        }
        self.met(edge, |met| {
            if let Met::Entry(_, _, frame) = met {
                n += 1;
                if n == edge.source.skip + edge.lines {
                    found = Some(self.seal(edge, frame)?);
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn seal(&self, edge: &Edge, frame: Vouched<'_>) -> Result<Seal, JournalError> {
        match frame {
            Vouched::By(frame) => self.seal_of(edge, frame),
            Vouched::Sealed(seal) => Ok(seal.clone()),
        }
    }

    fn seal_of(&self, edge: &Edge, frame: &[u8]) -> Result<Seal, JournalError> {
        Sealed::accepted(frame)
            .map(Sealed::into_seal)
            .map_err(|source| JournalError::Frame {
                dir: journal_key(&edge.source.device, edge.source.lane),
                source,
            })
    }

    fn framed_runs(
        &self,
        edge: &Edge,
        mut each: impl FnMut(Run, Spot, Vouched<'_>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let (mut skip, mut wanted, mut is_wanted) = (edge.source.skip, edge.lines, false);
        let mut next = edge.source.first;
        let journal_key = journal_key(&edge.source.device, edge.source.lane);
        self.met(edge, |met| {
            let Met::Entry(entry, spot, frame) = met else {
                return Ok(());
            };
            let (journal, start) = (journal_key.clone(), 0);
            let number = next;
            next += 1;
            let mut bytes = match entry {
                Entry::Lines { bytes, .. } => bytes,
                Entry::Piece(piece) => {
                    if piece.n == 0 {
                        is_wanted = skip == 0 && 0 < wanted;
                        skip = skip.saturating_sub(1);
                        wanted -= u64::from(is_wanted);
                    }
                    let place = Place {
                        journal,
                        spot,
                        entry: number,
                        start,
                        len: piece.bytes.len(),
                    };
                    return if is_wanted {
                        each(Run::Piece(place, piece), spot, frame)
                    } else {
                        Ok(())
                    };
                }
                _ => {
                    return Err(JournalError::Lost {
                        dir: edge.source.device.clone(),
                    });
                }
            };
            let (mut start, mut end) = (0, 0);
            for line in lines_of(&bytes) {
                if skip > 0 {
                    skip -= 1;
                    start += line.len();
                    end = start;
                } else if wanted > 0 {
                    wanted -= 1;
                    end += line.len();
                }
            }
            bytes.truncate(end);
            bytes.drain(..start);
            let place = Place {
                journal,
                spot,
                entry: number,
                start,
                len: end - start,
            };
            each(Run::Lines(place, bytes), spot, frame)
        })?;
        if wanted == 0 {
            Ok(())
        } else {
            Err(JournalError::Lost {
                dir: edge.source.device.clone(),
            })
        }
    }

    /// Whether a record stored in pieces matches its id; true for everything else.
    pub fn is_sound(&self, edge: &Edge) -> Result<bool, JournalError> {
        let mut record: Option<(LongLine, ChainId)> = None;
        self.entries(edge, |entry, _| {
            if let Entry::Piece(piece) = entry {
                let (line, _) =
                    record.get_or_insert_with(|| (piece.after.long(piece.size), piece.tip));
                line.feed(&piece.bytes);
            }
            Ok(())
        })?;
        Ok(record.is_none_or(|(line, tip)| line.end() == Some(tip)))
    }

    /// Reads the bytes at one place.
    pub fn piece(&self, piece: &Place) -> Result<Vec<u8>, JournalError> {
        let lost = || JournalError::Lost {
            dir: piece.journal.clone(),
        };
        let journal = self.journals.get(&piece.journal).ok_or_else(lost)?;
        let segment = journal
            .segments
            .iter()
            .find(|segment| segment.number == piece.spot.segment)
            .ok_or_else(lost)?;
        let mut bytes = self.segment(journal, segment)?;
        let offset = piece.spot.offset as usize;
        if bytes.len() <= offset {
            return Err(lost());
        }
        let frame = read_batch(journal, &mut bytes, offset, 1)?
            .into_iter()
            .next();
        let (frame, _) = frame.ok_or_else(lost)?;
        if bytes.len() as u64 == segment.bytes {
            self.last
                .replace(Some((journal.relative(segment.number), bytes)));
        }
        match frame.entries.into_iter().nth(piece.spot.line as usize) {
            Some(Entry::Lines { bytes, .. } | Entry::Piece(Piece { bytes, .. })) => bytes
                .get(piece.start..piece.start + piece.len)
                .map(<[u8]>::to_vec)
                .ok_or_else(lost),
            _ => Err(lost()),
        }
    }

    /// The content of a path of edges: a log's lines, or the snapshot at its end.
    pub fn content(&self, kind: DocKind, path: &[&Edge]) -> Result<Vec<u8>, JournalError> {
        match kind {
            DocKind::Snapshot => self.snapshot(path),
            DocKind::Log => {
                let mut bytes =
                    Vec::with_capacity(path.iter().map(|edge| edge.bytes as usize).sum());
                path.iter()
                    .try_for_each(|edge| self.write_lines(edge, &mut bytes))?;
                Ok(bytes)
            }
        }
    }

    /// Whether the generation that is the one entry of `edge` follows from the previous one, which
    /// `before` returns, and matches its id. Its content comes with the answer if it is small.
    pub fn generation(
        &self,
        edge: &Edge,
        before: impl FnOnce() -> Result<Vec<u8>, JournalError>,
    ) -> Result<Generation, JournalError> {
        let mut found = None;
        self.entries(edge, |entry, _| {
            found = Some(entry);
            Ok(())
        })?;
        let Some(Entry::Whole {
            after,
            tip,
            head,
            tail,
            bytes,
            ..
        }) = found
        else {
            return Ok(Generation::Refused);
        };
        // Neither a large middle nor a large content is held beside the previous content.
        let middle = Held::Memory(bytes).put_by(self.vault);
        let middle = middle.map_err(|source| self.io(source))?;
        let before = if head == 0 && tail == 0 {
            Vec::new()
        } else {
            before()?
        };
        let Some((head, tail)) = ends(&before, (head, tail), middle.len()) else {
            return Ok(Generation::Refused);
        };
        let len = head.len() + middle.len() + tail.len();
        let mut id = after.long(len as u64);
        id.feed(head);
        middle
            .each(|part| id.feed(part))
            .map_err(|source| self.io(source))?;
        id.feed(tail);
        if id.end() != Some(tip) {
            return Ok(Generation::Refused);
        }
        match middle {
            Held::Memory(middle) if len <= Held::MOST => {
                Ok(Generation::Small([head, &middle, tail].concat()))
            }
            _ => Ok(Generation::Large),
        }
    }

    /// The content of a snapshot at the end of `path`. Only the last generation is compared with its
    /// id, because that id vouches for the whole content: what a turn costs must not grow with the
    /// number of turns before.
    pub fn snapshot(&self, path: &[&Edge]) -> Result<Vec<u8>, JournalError> {
        let mut content = Held::Memory(Vec::new());
        let mut last = None;
        for edge in path {
            let lost = || JournalError::Lost {
                dir: edge.source.device.clone(),
            };
            let (mut skip, mut wanted) = (edge.source.skip, edge.lines);
            // An edge starts at the trie's start or at another edge's end, so its first entry
            // builds on `content`. If lines before it are skipped, they are applied too, from the
            // same entries.
            self.met(edge, |met| {
                let entry = match met {
                    Met::LargeFrame => {
                        let put = std::mem::replace(&mut content, Held::Memory(Vec::new()));
                        content = put.put_by(self.vault).map_err(|source| self.io(source))?;
                        return Ok(());
                    }
                    Met::Entry(entry, ..) => entry,
                };
                let Entry::Whole {
                    after,
                    tip,
                    head,
                    tail,
                    bytes,
                    ..
                } = entry
                else {
                    return Err(lost());
                };
                if skip > 0 {
                    skip -= 1;
                    return Ok(());
                }
                if wanted == 0 {
                    return Ok(());
                }
                wanted -= 1;
                if is_too_large((head, tail), bytes.len()) {
                    return Err(JournalError::TooLarge {
                        doc: self.doc.clone(),
                    });
                }
                let before = std::mem::replace(&mut content, Held::Memory(Vec::new()));
                let next = before
                    .rebuilt(head, tail, bytes)
                    .map_err(|source| self.io(source))?
                    .ok_or_else(lost)?;
                content = Held::Memory(next);
                last = Some((after, tip, &edge.source.device));
                Ok(())
            })?;
        }
        let content = content.whole().map_err(|source| self.io(source))?;
        match last {
            // A middle was applied to a wrong base, here or in an earlier generation.
            Some((after, tip, device)) if after.then(&content) != tip => Err(JournalError::Lost {
                dir: device.clone(),
            }),
            _ => Ok(content),
        }
    }

    fn io(&self, source: io::Error) -> JournalError {
        JournalError::Io {
            path: PathBuf::from(self.doc.as_str()),
            source,
        }
    }
}

/// The frame at the start of `bytes`, if it is whole.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..frame::frame_len(bytes)?.ok()?)
}

/// What is known of a generation of a snapshot.
pub enum Generation {
    Refused,
    /// It is right; its content is large.
    Large,
    Small(Vec<u8>),
}

/// A snapshot's content, or a part of it, while another one is in memory: a large one waits in a
/// file without a name.
enum Held {
    Memory(Vec<u8>),
    File(File, usize),
}

impl Held {
    /// Content up to this size stays in memory.
    const MOST: usize = limits::READ_ALONE as usize;

    /// In the vault's directory, for a directory of temporary files may be memory.
    fn put_by(self, vault: &Vault) -> io::Result<Self> {
        match self {
            Self::Memory(bytes) if Self::MOST < bytes.len() => {
                let mut file = tempfile::tempfile_in(vault.root())?;
                file.write_all(&bytes)?;
                Ok(Self::File(file, bytes.len()))
            }
            held => Ok(held),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(_, len) => *len,
        }
    }

    /// Calls `each` with all bytes, in order.
    fn each(&self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => each(bytes),
            Self::File(file, _) => {
                let (mut file, mut part) = (file, vec![0; 256 << 10]);
                file.rewind()?;
                loop {
                    match file.read(&mut part)? {
                        0 => break,
                        read => each(&part[..read]),
                    }
                }
            }
        }
        Ok(())
    }

    fn whole(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File(mut file, len) => {
                let mut bytes = vec![0; len];
                file.rewind()?;
                file.read_exact(&mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// The next generation of this content; `None` if no content has these ends.
    fn rebuilt(self, head: u64, tail: u64, middle: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        let (mut file, len) = match self {
            Self::Memory(before) => return Ok(rebuild(before, head, tail, middle)),
            Self::File(..) if head == 0 && tail == 0 => return Ok(Some(middle)),
            Self::File(file, len) => (file, len),
        };
        let Some((head, tail_at)) = split(len, (head, tail), middle.len()) else {
            return Ok(None);
        };
        let (tail, mut next) = (len - tail_at, middle);
        let end = head + next.len();
        next.reserve_exact(head + tail);
        next.resize(end + tail, 0);
        next.copy_within(0..end - head, head);
        file.rewind()?;
        file.read_exact(&mut next[..head])?;
        file.seek(SeekFrom::Start(tail_at as u64))?;
        file.read_exact(&mut next[end..])?;
        Ok(Some(next))
    }
}

/// Whether a generation that keeps so much of the previous one is larger than any may be, whatever
/// the previous one is. All new content is bounded by its frame.
pub fn is_too_large((head, tail): (u64, u64), middle: usize) -> bool {
    let kept = head.saturating_add(tail);
    0 < kept && limits::CONTENT < kept.saturating_add(middle as u64)
}

/// Where the head of a content of this length ends that its next generation keeps, and where the
/// tail begins. Head and tail never overlap, so a generation is no larger than the previous one
/// plus the new bytes.
fn split(len: usize, (head, tail): (u64, u64), middle: usize) -> Option<(usize, usize)> {
    let (head, tail) = (usize::try_from(head).ok()?, usize::try_from(tail).ok()?);
    let tail_at = len.checked_sub(tail).filter(|tail_at| head <= *tail_at)?;
    let next = head.checked_add(tail)?.checked_add(middle)?;
    (next as u64 <= limits::CONTENT).then_some((head, tail_at))
}

/// The ends of the previous content that a generation keeps; none, whatever the size, if it is all
/// new.
fn ends(before: &[u8], kept: (u64, u64), middle: usize) -> Option<(&[u8], &[u8])> {
    if kept == (0, 0) {
        return Some((&[], &[]));
    }
    let (head, tail_at) = split(before.len(), kept, middle)?;
    Some((&before[..head], &before[tail_at..]))
}

/// Builds a snapshot's next generation from the previous one, in its memory.
pub fn rebuild(before: Vec<u8>, head: u64, tail: u64, middle: Vec<u8>) -> Option<Vec<u8>> {
    if head == 0 && tail == 0 {
        return Some(middle);
    }
    let (head, tail_at) = split(before.len(), (head, tail), middle.len())?;
    let (mut next, end) = (before, head + middle.len());
    let (old, new) = (next.len(), next.len() - tail_at + end);
    if old < new {
        next.reserve_exact(new - old);
        next.resize(new, 0);
    }
    next.copy_within(tail_at..old, end);
    next.truncate(new);
    next[head..end].copy_from_slice(&middle);
    Some(next)
}

/// The changed middle of a snapshot: what `rebuild` needs to make `next` from `before`.
pub fn middle<'n>(before: &[u8], next: &'n [u8]) -> (u64, u64, &'n [u8]) {
    let head = before
        .iter()
        .zip(next)
        .take_while(|(one, other)| one == other)
        .count();
    let most = before.len().min(next.len()) - head;
    let tail = before
        .iter()
        .rev()
        .zip(next.iter().rev())
        .take(most)
        .take_while(|(one, other)| one == other)
        .count();
    (head as u64, tail as u64, &next[head..next.len() - tail])
}

impl LineSource for JournalReader<'_> {
    type Error = JournalError;

    fn tips(&self, edge: &Edge) -> Result<Vec<Line>, JournalError> {
        let (mut skip, mut tips) = (edge.source.skip, Vec::new());
        let mut chain = Chain::from(edge.after);
        let (mut tip, mut total) = (edge.after, 0u64);
        self.entries(edge, |entry, _| {
            match entry {
                Entry::Lines { bytes, .. } => {
                    for line in lines_of(&bytes) {
                        if skip > 0 {
                            skip -= 1;
                        } else if (tips.len() as u64) < edge.lines {
                            chain.feed(line);
                            tips.push(Line {
                                tip: chain.tip,
                                end: chain.bytes,
                                is_message: (self.is_message)(line),
                            });
                        }
                    }
                }
                Entry::Whole {
                    tip: next, bytes, ..
                } => {
                    if skip > 0 {
                        skip -= 1;
                    } else if (tips.len() as u64) < edge.lines {
                        tip = next;
                        total += bytes.len() as u64;
                        tips.push(Line {
                            tip,
                            end: total,
                            is_message: true,
                        });
                    }
                }
                Entry::Piece(piece) if piece.n == 0 => {
                    if skip > 0 {
                        skip -= 1;
                    } else if (tips.len() as u64) < edge.lines {
                        chain.pass(piece.tip, piece.size);
                        tips.push(Line {
                            tip: chain.tip,
                            end: chain.bytes,
                            is_message: true,
                        });
                    }
                }
                Entry::Piece(_)
                | Entry::About(_)
                | Entry::Choice(_)
                | Entry::Device(_)
                | Entry::Title(_)
                | Entry::Unknown(_) => {}
            }
            Ok(())
        })?;
        Ok(tips)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F9: a 2 KB snapshot whose head and tail overlapped became a file of 2 GiB, doubling with
    /// each generation.
    #[test]
    fn a_generation_whose_ends_overlap_is_refused() {
        let before = b"0123456789";
        assert_eq!(
            rebuild(before.to_vec(), 4, 6, b"x".to_vec()).as_deref(),
            Some(&b"0123x456789"[..])
        );
        assert_eq!(
            rebuild(before.to_vec(), 10, 0, b"x".to_vec()).as_deref(),
            Some(&b"0123456789x"[..])
        );
        for (head, tail) in [
            (5, 6),
            (10, 10),
            (10, 1),
            (11, 0),
            (0, 11),
            (u64::MAX, 1),
            (1, u64::MAX),
        ] {
            assert_eq!(
                rebuild(before.to_vec(), head, tail, Vec::new()),
                None,
                "{head} {tail}"
            );
        }
    }

    /// F9: generations that each add a little do not make a snapshot grow without end.
    #[test]
    fn a_generation_larger_than_any_snapshot_is_refused() {
        let before = vec![b'x'; limits::CONTENT as usize];
        assert_eq!(
            rebuild(before.clone(), limits::CONTENT, 0, b"x".to_vec()),
            None
        );
        assert!(rebuild(before, limits::CONTENT - 1, 0, b"y".to_vec()).is_some());
    }

    proptest::proptest! {
        /// Whether the previous content is in memory or in a file, the next one is the same.
        #[test]
        fn what_waits_in_a_file_gives_the_same_generation(
            before in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
            middle in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
            head in 0u64..45,
            tail in 0u64..45,
        ) {
            let file = || {
                let mut file = tempfile::tempfile().expect("file");
                file.write_all(&before).expect("written");
                Held::File(file, before.len())
            };
            let plain = ends(&before, (head, tail), middle.len())
                .map(|(head, tail)| [head, &middle, tail].concat());
            let in_memory = rebuild(before.clone(), head, tail, middle.clone());
            let from_file = file().rebuilt(head, tail, middle.clone()).expect("read");
            proptest::prop_assert_eq!(&in_memory, &plain);
            proptest::prop_assert_eq!(&from_file, &plain);
            let mut all = Vec::new();
            file().each(|part| all.extend_from_slice(part)).expect("read");
            proptest::prop_assert_eq!(&all, &before);
            proptest::prop_assert_eq!(&file().whole().expect("read"), &before);
        }
    }
}
