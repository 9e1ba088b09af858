//! A journal: the numbered segments of what one device added to one session. The owner appends.
//! Readers continue where they stopped, accept whole signed frames in order, and refuse a journal
//! whose accepted bytes changed.

mod append;
mod repair;
mod start;

use self::start::Start;
use super::envelope::{self, Outline, Sealed};
use super::frame::{self, Entry, Frame, FrameError, FrameHash, Head};
use super::large::{self, Freed};
use super::limits;
use super::piece::{Open, Piece};
use super::{Vault, segment_name};
use crate::opener;
use crate::session::{DeviceId, DocName, Hlc, Lane, SessionId, Spot, ToolId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A new segment starts at this size: every append makes Syncthing hash and copy the whole file.
pub const SEGMENT_BYTES: u64 = limits::SEGMENT;

/// The version of the set of entry kinds that this program reads: see [`Entry::read_since`].
pub const READS: u32 = 2;

/// What a version that knew fewer kinds of entries skipped in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    Nothing,
    /// Only entries that this version does not know either.
    StillUnknown,
    /// Entries that this version reads.
    Known,
}

/// How far a journal was read or written: enough to continue and to notice changed bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    pub device: String,
    pub lane: Lane,
    /// The directory below the vault, with `/`.
    pub dir: String,
    pub segments: Vec<Segment>,
    /// Number of accepted frames.
    pub frames: u64,
    /// The last accepted frame; `None` before the first.
    pub last: Option<FrameHash>,
    /// Number of accepted entries of each doc.
    pub entries: BTreeMap<DocName, u64>,
    /// What the reading version knew: 0 skipped pieces, 1 titles and some decisions.
    #[serde(default)]
    pub reads: u32,
    /// Some accepted entries are of a kind that the reading version did not know.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Records of which only some pieces are accepted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pieces: BTreeMap<DocName, Open>,
    /// The limit of accepted frames: the owner was revoked.
    #[serde(skip)]
    pub limit: Option<u64>,
    /// Why the rest is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub number: u32,
    /// Bytes of accepted frames.
    pub bytes: u64,
    /// BLAKE3 of those bytes.
    pub check: String,
}

/// A fault in a journal. Accepted frames stay accepted; the rest waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// Accepted bytes are missing or changed.
    Changed { segment: u32 },
    /// A frame fails its hash, chain or signature; it is quarantined.
    Forged {
        segment: u32,
        offset: u64,
        why: String,
    },
    /// Written in a newer version of the format.
    Newer { version: u32 },
}

/// Who may write a journal, with the key for its signatures.
#[derive(Clone, Debug)]
pub struct Owner {
    pub device: DeviceId,
    pub key: [u8; 32],
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("could not read or write {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The own journal on disk is not what this device wrote.
    #[error("{} is not what this device wrote", .path.display())]
    NotOurs { path: PathBuf },
    /// A journal that this version cannot read cannot be continued either.
    #[error("{dir} was continued by a newer session-roam (format {version})")]
    Newer { dir: String, version: u32 },
    #[error("an entry of {dir} is not where it was")]
    Lost { dir: String },
    /// An earlier version recorded a generation of a snapshot that is larger than any may be.
    #[error("a state of \"{doc}\" in the journals is too large to be read")]
    TooLarge { doc: DocName },
    #[error("a frame of {dir} cannot be read: {source}")]
    Frame {
        dir: String,
        #[source]
        source: FrameError,
    },
}

/// Why no further frames were read.
enum Stop {
    /// The batch is full.
    More,
    /// There are no more frames, or the last one is torn.
    End,
    /// The reader wants no more for now.
    Enough,
    /// The journal's limit of frames is reached.
    Full,
    Shape(FrameError),
    Refused(Refusal),
}

/// A frame that belongs here, its length on disk, and its prepared value.
struct Next<P> {
    frame: Frame,
    len: usize,
    prepared: P,
}

/// A large frame that its owner signed, and that follows the accepted ones.
struct LargeFrame {
    outline: Outline,
    stored: Freed,
    len: usize,
    /// For one whose bytes were freed, after which no frame may begin: whether there are more bytes.
    is_last: Option<bool>,
}

/// Why a frame is not accepted.
enum Refusal {
    /// An earlier frame has not arrived yet.
    Early,
    Newer(u32),
    Forged(String),
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Newer(version) => Self::Newer(version),
            error => Self::Forged(error.to_string()),
        }
    }
}

impl Journal {
    pub fn new(device: &str, lane: Lane, dir: String) -> Self {
        Self {
            device: device.into(),
            lane,
            dir,
            segments: Vec::new(),
            frames: 0,
            last: None,
            entries: BTreeMap::new(),
            reads: READS,
            skipped: false,
            pieces: BTreeMap::new(),
            limit: None,
            fault: None,
        }
    }

    /// Whether the journal was read by a version that knew fewer kinds of entries.
    pub fn is_outdated(&self) -> bool {
        self.reads < READS
    }

    /// What a version that knew fewer kinds of entries accepted and skipped. Reads the accepted
    /// frames only if that version did not note that it skipped nothing.
    pub fn skipped(&self, vault: &Vault) -> Result<Skipped, JournalError> {
        // Since version 2 a journal notes what was skipped.
        if !self.is_outdated() || (2 <= self.reads && !self.skipped) {
            return Ok(Skipped::Nothing);
        }
        let mut skipped = Skipped::Nothing;
        self.each_accepted(vault, |frame| {
            for entry in &frame.entries {
                match entry {
                    Entry::Unknown(_) => skipped = Skipped::StillUnknown,
                    known if self.reads < known.read_since() => {
                        skipped = Skipped::Known;
                        return ControlFlow::Break(());
                    }
                    _ => {}
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(skipped)
    }

    /// The journal as this version read it, after it looked for what an older one skipped.
    pub fn looked_through(self, skipped: Skipped) -> Self {
        Self {
            reads: READS,
            skipped: skipped == Skipped::StillUnknown,
            ..self
        }
    }

    /// The journal with its accepted frames, none of their entries counted: for taking the entries
    /// again.
    pub fn uncounted(&self) -> Self {
        Self {
            entries: BTreeMap::new(),
            pieces: BTreeMap::new(),
            reads: READS,
            skipped: false,
            ..self.clone()
        }
    }

    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    pub(super) fn relative(&self, number: u32) -> String {
        format!("{}/{}", self.dir, segment_name(number))
    }

    /// A segment's path within its lane's folder, as Syncthing names it.
    pub fn in_lane(&self, number: u32) -> String {
        let relative = self.relative(number);
        relative
            .splitn(3, '/')
            .nth(2)
            .unwrap_or_default()
            .to_owned()
    }

    /// The head of the next frame.
    pub fn next_head(
        &self,
        device: &DeviceId,
        by: &str,
        tool: &ToolId,
        session: &SessionId,
        at: Hlc,
    ) -> Head {
        let prev = self
            .last
            .clone()
            .unwrap_or_else(|| frame::genesis(device, self.lane, tool, session));
        Head {
            v: frame::VERSION,
            device: device.clone(),
            lane: self.lane,
            tool: tool.clone(),
            session: session.clone(),
            n: self.frames,
            prev,
            at,
            by: by.to_owned(),
        }
    }

    /// Accepts the first `bytes` bytes of the segment; `check` is their hash.
    fn accept(&mut self, number: u32, bytes: usize, check: &blake3::Hash, frame: &Frame) {
        let segment = Segment {
            number,
            bytes: bytes as u64,
            check: check.to_hex().to_string(),
        };
        match self
            .segments
            .iter_mut()
            .find(|known| known.number == number)
        {
            Some(known) => *known = segment,
            None => self.segments.push(segment),
        }
        self.frames += 1;
        self.last = Some(frame.hash.clone());
    }

    /// Reads the accepted frames back, all of them: only for the own journal and for small ones.
    pub fn accepted(&self, vault: &Vault) -> Result<Vec<Frame>, JournalError> {
        let mut frames = Vec::new();
        self.each_accepted(vault, |frame| {
            frames.push(frame);
            ControlFlow::Continue(())
        })?;
        Ok(frames)
    }

    /// Calls `each` with the accepted frames, in order, until it breaks off. Holds one batch of them
    /// at a time: all frames of another device's journal together may be of any size.
    pub fn each_accepted(
        &self,
        vault: &Vault,
        mut each: impl FnMut(Frame) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.each_placed(vault, |frame, _| each(frame))
    }

    /// The same, each frame with its segment's number and its offset there.
    pub fn each_placed(
        &self,
        vault: &Vault,
        mut each: impl FnMut(Frame, (u32, u64)) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        for segment in &self.segments {
            let mut bytes = self.accepted_bytes(vault, segment)?;
            let mut offset = 0;
            while offset < bytes.len() {
                for (frame, len) in read_batch(self, &mut bytes, offset, usize::MAX)? {
                    let place = (segment.number, offset as u64);
                    offset += len;
                    if each(frame, place).is_break() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The accepted bytes of a segment: from the safety copy, or from the vault if the safety copy
    /// differs. Both are compared with the hash that was stored when the bytes were verified.
    pub(super) fn accepted_bytes(
        &self,
        vault: &Vault,
        segment: &Segment,
    ) -> Result<Vec<u8>, JournalError> {
        let relative = self.relative(segment.number);
        let kept = read_accepted(vault.kept.open(&relative), segment);
        if let Ok(Some(bytes)) = kept {
            return Ok(bytes);
        }
        match read_accepted(vault.open(&relative), segment) {
            Ok(Some(bytes)) => {
                if kept.is_ok() {
                    // The safety copy was damaged. If it cannot be repaired now, the next reading
                    // tries again.
                    let _ = vault.kept.repair(&relative, &bytes);
                }
                Ok(bytes)
            }
            Ok(None) => Err(JournalError::NotOurs {
                path: vault.file(&relative),
            }),
            Err(source) => Err(JournalError::Io {
                path: vault.file(&relative),
                source,
            }),
        }
    }

    /// Numbers the entries of a frame for `absorb`ers: calls `each` with every entry, its spot and
    /// its number among the entries of its doc.
    pub fn enumerate(
        &mut self,
        frame: &Frame,
        segment: u32,
        offset: u64,
        mut each: impl FnMut(&Entry, Spot, u64),
    ) {
        for (at, entry) in frame.entries.iter().enumerate() {
            let spot = Spot {
                segment,
                offset,
                line: at as u32,
            };
            let number = match entry {
                Entry::Lines { doc, .. }
                | Entry::Whole { doc, .. }
                | Entry::Piece(Piece { doc, .. }) => {
                    let count = self.entries.entry(doc.clone()).or_default();
                    *count += 1;
                    *count - 1
                }
                Entry::Unknown(_) => {
                    self.skipped = true;
                    0
                }
                Entry::About(_) | Entry::Choice(_) | Entry::Device(_) | Entry::Title(_) => 0,
            };
            each(entry, spot, number);
        }
    }

    /// Reads new frames one by one. `prepare` runs on several cores with frames that may be
    /// accepted; `each` gets accepted frames only, in order, with the prepared value. Stops at a
    /// missing segment and at a fault, which is kept in `self.fault`. Torn or refused bytes at the
    /// end of a segment are skipped if the next segment continues from the frame before them: the
    /// chain proves that nothing was lost, and that the writer abandoned those bytes in a crash.
    /// Changed accepted bytes stay a fault, but frames that continue after them are still read.
    pub fn read_new<P: Send>(
        &mut self,
        vault: &Vault,
        owner: &Owner,
        session: &mut Option<(ToolId, SessionId)>,
        prepare: impl Fn(&Frame) -> P + Sync,
        mut each: impl FnMut(&mut Self, &Frame, P, u32, u64),
    ) -> Result<(), JournalError> {
        self.read_while(
            vault,
            owner,
            session,
            prepare,
            |journal, frame, prepared, segment, offset| {
                each(journal, frame, prepared, segment, offset);
                ControlFlow::Continue(())
            },
        )
    }

    /// Like `read_new`, until `each` breaks off: the frame it got last is the last one accepted.
    /// The next call reads the rest.
    pub fn read_while<P: Send>(
        &mut self,
        vault: &Vault,
        owner: &Owner,
        session: &mut Option<(ToolId, SessionId)>,
        prepare: impl Fn(&Frame) -> P + Sync,
        mut each: impl FnMut(&mut Self, &Frame, P, u32, u64) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.fault = None;
        let mut numbers = self.numbers(vault)?;
        numbers.sort_unstable();
        let last = self.segments.last().map_or(0, |segment| segment.number);
        let missing = self
            .segments
            .iter()
            .find(|known| !numbers.contains(&known.number));
        let changed = missing.map(|known| Fault::Changed {
            segment: known.number,
        });
        let (mut changed, mut refused) = (changed, None);
        for number in numbers.into_iter().filter(|number| *number >= last) {
            let before = self.frames;
            let go_on = self.read_segment(vault, number, owner, session, &prepare, &mut each)?;
            if before < self.frames {
                refused = None;
            }
            match self.fault.take() {
                Some(fault @ Fault::Forged { .. }) => refused = refused.or(Some(fault)),
                Some(fault @ Fault::Changed { .. }) => changed = changed.or(Some(fault)),
                fault => {
                    self.fault = fault;
                    if !go_on {
                        break;
                    }
                }
            }
        }
        self.fault = changed.or(self.fault.take()).or(refused);
        Ok(())
    }

    fn numbers(&self, vault: &Vault) -> Result<Vec<u32>, JournalError> {
        let listed = vault.list(&self.dir);
        let listed = listed.map_err(|source| JournalError::Io {
            path: vault.file(&self.dir),
            source,
        })?;
        let names = listed
            .into_iter()
            .filter_map(|listed| listed.name.into_string().ok());
        Ok(names
            .filter_map(|name| name.strip_suffix(".jsonl.zst")?.parse().ok())
            .collect())
    }

    /// Returns whether to continue with the next segment.
    fn read_segment<P: Send>(
        &mut self,
        vault: &Vault,
        number: u32,
        owner: &Owner,
        session: &mut Option<(ToolId, SessionId)>,
        prepare: &(impl Fn(&Frame) -> P + Sync),
        each: &mut impl FnMut(&mut Self, &Frame, P, u32, u64) -> ControlFlow<()>,
    ) -> Result<bool, JournalError> {
        let relative = self.relative(number);
        let path = vault.file(&relative);
        let io = |source| JournalError::Io {
            path: path.clone(),
            source,
        };
        let file = match vault.open(&relative) {
            Ok(file) => file,
            // The file is being replaced at this moment; the event of its arrival is still to come.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) if opener::refusal(&error).is_some() => {
                let known = self
                    .segments
                    .iter()
                    .find(|segment| segment.number == number);
                self.forged(
                    number,
                    known.map_or(0, |known| known.bytes as usize),
                    &error,
                );
                return Ok(false);
            }
            Err(source) => return Err(io(source)),
        };
        // The hash continues from frame to frame: a segment of many small frames is not hashed
        // again for each.
        let (mut offset, mut check) = (0, blake3::Hasher::new());
        let mut bytes = Start::new(file);
        if let Some(known) = self
            .segments
            .iter()
            .find(|segment| segment.number == number)
        {
            offset = known.bytes as usize;
            bytes.read_to(offset as u64).map_err(io)?;
            let accepted = bytes
                .read
                .get(..offset)
                .map(|accepted| check.update(accepted).finalize().to_hex());
            if accepted.is_none_or(|accepted| accepted.as_str() != known.check) {
                self.fault = Some(Fault::Changed { segment: number });
                return Ok(false);
            }
        }
        let before = offset;
        let mut turn = bytes.is_large().map_err(io)?.then(|| vault.large_turn());
        let stop = loop {
            bytes.read_frame(offset).map_err(io)?;
            if turn.is_none() && bytes.has_large_frame(offset) {
                turn = Some(vault.large_turn());
            }
            if offset < bytes.read.len() {
                vault.quarantine.mark(&self.device, &self.dir).map_err(io)?;
            }
            if limits::SEGMENT <= offset as u64 && offset < bytes.read.len() {
                break Stop::Shape(FrameError::TooLarge);
            }
            let large = self.next_large(&mut bytes, (offset, &mut check), owner);
            let (mut batch, mut stop) = match large {
                Some(large) => self.next_parsed(large, owner, session.as_ref(), prepare),
                None => self.next_frames(&bytes.read[offset..], owner, session.as_ref(), prepare),
            };
            if let Some(room) = self.room().filter(|room| *room < batch.len() || *room == 0) {
                batch.truncate(room);
                stop = Stop::Full;
            }
            for Next {
                frame,
                len,
                prepared,
            } in batch
            {
                // Freed bytes were hashed before.
                check.update(bytes.read.get(offset..offset + len).unwrap_or_default());
                self.accept(number, offset + len, &check.finalize(), &frame);
                session
                    .get_or_insert_with(|| (frame.head.tool.clone(), frame.head.session.clone()));
                let flow = each(self, &frame, prepared, number, offset as u64);
                offset += len;
                if flow.is_break() {
                    stop = Stop::Enough;
                    break;
                }
            }
            match stop {
                Stop::More => {}
                // The rest of the frame has not been read yet.
                Stop::End if bytes.has_more(offset) => {}
                stop => break stop,
            }
        };
        let mut early = matches!(stop, Stop::Enough);
        match stop {
            Stop::Enough | Stop::More | Stop::End | Stop::Full => {}
            Stop::Refused(Refusal::Early) => early = true,
            Stop::Shape(FrameError::Newer(version)) | Stop::Refused(Refusal::Newer(version)) => {
                self.fault = Some(Fault::Newer { version });
            }
            Stop::Shape(error) => self.forged(number, offset, &error),
            Stop::Refused(Refusal::Forged(why)) => self.forged(number, offset, &why),
        }
        if offset > before {
            let check = check.finalize();
            vault
                .kept
                .keep(&bytes.file, &path, &relative, || {
                    bytes.accepted(offset, &check)
                })
                .map_err(io)?;
        }
        Ok(self.fault.is_none() && !early && self.room() != Some(0))
    }

    /// How many more frames may be accepted; `None` for no limit.
    fn room(&self) -> Option<usize> {
        self.limit
            .map(|limit| usize::try_from(limit.saturating_sub(self.frames)).unwrap_or(usize::MAX))
    }

    fn forged(&mut self, segment: u32, offset: usize, error: &dyn std::fmt::Display) {
        self.fault = Some(Fault::Forged {
            segment,
            offset: offset as u64,
            why: error.to_string(),
        });
    }

    /// The large frame at an offset, checked and not unpacked yet; `None` if a small one is there,
    /// or none that is whole. If its stored bytes are many, they go from `bytes` into `check`.
    fn next_large(
        &self,
        bytes: &mut Start,
        (offset, check): (usize, &mut blake3::Hasher),
        owner: &Owner,
    ) -> Option<Result<LargeFrame, Refusal>> {
        if !bytes.has_large_frame(offset) {
            return None;
        }
        let len = frame::frame_len(&bytes.read[offset..])?.ok()?;
        let stored = &bytes.read[offset..offset + len];
        let sealed = match Sealed::read(stored) {
            Ok(sealed) => sealed,
            Err(error) => return Some(Err(error.into())),
        };
        if let Err(refusal) = follows(&sealed, owner, self.frames, self.last.as_ref()) {
            return Some(Err(refusal));
        }
        if !sealed.is_signed_by(&owner.key) {
            return Some(Err(unsigned()));
        }
        let outline = sealed.outline()?;
        let (is_last, stored) = match large::is_freed(len) {
            true => {
                check.update(stored);
                (true, bytes.free(offset, len))
            }
            false => (false, Freed::copied(stored)),
        };
        Some(Ok(LargeFrame {
            outline,
            stored,
            len,
            is_last: is_last.then_some(bytes.has_rest),
        }))
    }

    /// Unpacks a large frame that is signed, and checks that it belongs here.
    fn next_parsed<P: Send>(
        &self,
        large: Result<LargeFrame, Refusal>,
        owner: &Owner,
        session: Option<&(ToolId, SessionId)>,
        prepare: &(impl Fn(&Frame) -> P + Sync),
    ) -> (Vec<Next<P>>, Stop) {
        let checked = large.and_then(|large| {
            let LargeFrame {
                outline,
                mut stored,
                len,
                is_last,
            } = large;
            stored.skip(outline.header);
            let frame = outline.parse(stored)?;
            self.check::<P>(&frame, owner, session, &[])?;
            let prepared = prepare(&frame);
            let next = Next {
                frame,
                len,
                prepared,
            };
            Ok((next, is_last))
        });
        match checked {
            Ok((next, None)) => (vec![next], Stop::More),
            // No frame begins behind it.
            Ok((next, Some(false))) => (vec![next], Stop::End),
            Ok((next, Some(true))) => (vec![next], Stop::Shape(FrameError::TooLarge)),
            Err(refusal) => (Vec::new(), Stop::Refused(refusal)),
        }
    }

    /// The next consecutive frames, up to a batch, with their lengths, and the reason for stopping.
    /// Each names the hash of the one before, so the last signature vouches for all of them. A
    /// frame that is not vouched for is never unpacked.
    fn next_frames<P: Send>(
        &self,
        bytes: &[u8],
        owner: &Owner,
        session: Option<&(ToolId, SessionId)>,
        prepare: &(impl Fn(&Frame) -> P + Sync),
    ) -> (Vec<Next<P>>, Stop) {
        let (pieces, end) = frame::next_batch(bytes, usize::MAX);
        let mut stop = match end {
            None if pieces.is_empty() => Stop::End,
            None => Stop::More,
            // Torn: incomplete. If a later segment exists, the writer abandoned the frame in a
            // crash.
            Some(None) => Stop::End,
            Some(Some(error)) => Stop::Shape(error),
        };
        let (mut sealed, mut before) = (Vec::with_capacity(pieces.len()), self.last.clone());
        for read in envelope::read_all(&pieces) {
            let next = self.frames + sealed.len() as u64;
            let read = read.map_err(Refusal::from);
            match read.and_then(|read| follows(&read, owner, next, before.as_ref()).map(|()| read))
            {
                Ok(read) => {
                    before = Some(read.hash.clone());
                    sealed.push(read);
                }
                Err(refusal) => {
                    stop = Stop::Refused(refusal);
                    break;
                }
            }
        }
        let signed = sealed
            .iter()
            .rposition(|read| read.is_signed_by(&owner.key))
            .map_or(0, |at| at + 1);
        if signed < sealed.len() {
            sealed.truncate(signed);
            stop = Stop::Refused(unsigned());
        }
        let mut batch = Vec::with_capacity(sealed.len());
        let parsed = frame::parse_sealed(sealed, |frame| (prepare(&frame), frame));
        for (piece, parsed) in pieces.iter().zip(parsed) {
            let checked = parsed.map_err(Refusal::from).and_then(|(prepared, frame)| {
                self.check(&frame, owner, session, &batch)?;
                Ok(Next {
                    frame,
                    len: piece.len(),
                    prepared,
                })
            });
            match checked {
                Ok(next) => batch.push(next),
                Err(refusal) => return (batch, Stop::Refused(refusal)),
            }
        }
        (batch, stop)
    }

    /// Checks that a signed frame belongs here, after the accepted ones and `before`.
    fn check<P>(
        &self,
        frame: &Frame,
        owner: &Owner,
        session: Option<&(ToolId, SessionId)>,
        before: &[Next<P>],
    ) -> Result<(), Refusal> {
        let forged = |why: &str| Err(Refusal::Forged(why.into()));
        let head = &frame.head;
        if head.device != owner.device || head.lane != self.lane {
            return forged("it belongs to another journal");
        }
        let first = before
            .first()
            .map(|first| (&first.frame.head.tool, &first.frame.head.session));
        let known = session
            .map(|(tool, id)| (tool, id))
            .or(first)
            .unwrap_or((&head.tool, &head.session));
        let key = crate::session::SessionKey::new(&head.tool, &head.session);
        let ours = (&head.tool, &head.session) == known;
        if !ours
            || !self.dir.ends_with(&key.hash)
            || !self.dir.contains(&format!("/{}/", head.tool))
        {
            return forged("it belongs to another session");
        }
        if head.n == 0 && head.prev != frame::genesis(&owner.device, self.lane, known.0, known.1) {
            return forged("it does not follow the frame before it");
        }
        Ok(())
    }
}

/// Checks that a frame follows the one `before` as number `next`; does not check the signature. The
/// first frame names no other frame but the journal itself, which is compared after unpacking.
fn follows(
    sealed: &Sealed<'_>,
    owner: &Owner,
    next: u64,
    before: Option<&FrameHash>,
) -> Result<(), Refusal> {
    if next < sealed.n {
        // Without a valid signature the number proves nothing.
        let signed = sealed.is_signed_by(&owner.key);
        return Err(if signed { Refusal::Early } else { unsigned() });
    }
    if sealed.n != next || before.is_some_and(|before| sealed.prev != *before) {
        return Err(Refusal::Forged(
            "it does not follow the frame before it".into(),
        ));
    }
    Ok(())
}

fn unsigned() -> Refusal {
    Refusal::Forged("its signature is not the device's".into())
}

/// The accepted bytes of a segment from an open file; `None` if the file's bytes differ.
fn read_accepted(file: io::Result<File>, segment: &Segment) -> io::Result<Option<Vec<u8>>> {
    let bytes = opener::start_of(&mut file?, segment.bytes)?;
    let same = bytes.len() as u64 == segment.bytes
        && blake3::hash(&bytes).to_hex().as_str() == segment.check;
    Ok(Some(bytes).filter(|_| same))
}

/// A journal's key in a session's map.
pub fn journal_key(device: &str, lane: Lane) -> String {
    format!("{device}/{}", lane.as_str())
}

/// The accepted frames at `offset`, up to a batch, with their lengths. A large frame is alone, and
/// `bytes` end with it once it is freed.
pub(super) fn read_batch(
    journal: &Journal,
    bytes: &mut Vec<u8>,
    offset: usize,
    most: usize,
) -> Result<Vec<(Frame, usize)>, JournalError> {
    let unreadable = |source| JournalError::Frame {
        dir: journal.dir.clone(),
        source,
    };
    let lost = || JournalError::Lost {
        dir: journal.dir.clone(),
    };
    if envelope::is_large(&bytes[offset..]) {
        let len = match frame::frame_len(&bytes[offset..]) {
            Some(Ok(len)) => len,
            _ => return Err(lost()),
        };
        let sealed = Sealed::accepted(&bytes[offset..offset + len]).map_err(unreadable)?;
        let frame = match sealed.outline().filter(|_| large::is_freed(len)) {
            None => sealed.parse(),
            Some(outline) => {
                let mut stored = Freed::take(bytes, offset, len);
                stored.skip(outline.header);
                outline.parse(stored)
            }
        };
        return Ok(vec![(frame.map_err(unreadable)?, len)]);
    }
    let (pieces, end) = frame::next_batch(&bytes[offset..], most);
    if end.is_some() {
        return Err(lost());
    }
    let frames = frame::parse_accepted(&pieces)
        .into_iter()
        .zip(&pieces)
        .map(|(frame, piece)| Ok((frame.map_err(unreadable)?, piece.len())));
    frames.collect()
}

#[cfg(test)]
mod tests;
