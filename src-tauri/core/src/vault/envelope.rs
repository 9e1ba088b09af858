//! The envelope of a frame: how a frame is stored, and what vouches for it before unpacking.
//!
//! Version 2 puts a header before the zstd frame, in a frame that zstd skips. Hash and signature
//! cover the stored bytes, so zstd gets only bytes that their owner signed. Version 1 signs the
//! unpacked lines: a first pass unpacks in constant memory and keeps nothing. Knows no entries;
//! docs/journal-format.md has the layout.

use super::head::{FrameError, FrameHash, Head, VERSION, parse_head};
use super::limits;
use crate::parallel;
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::io::Read;
use std::sync::LazyLock;

const ZSTD: [u8; 4] = 0xFD2F_B528u32.to_le_bytes();
/// One of the sixteen magic numbers that every zstd reader skips.
const SKIPPED: [u8; 4] = 0x184D_2A5Bu32.to_le_bytes();
const TAG: &[u8; 3] = b"SRJ";
/// Magic number, length of the rest, tag and version, two lengths, number, two hashes, signature.
const HEADER: usize = 4 + 4 + 4 + 4 + 4 + 8 + 32 + 32 + 64;

/// A frame in its envelope, not unpacked yet; a small frame of version 1 is unpacked but not
/// parsed.
pub struct Sealed<'a> {
    pub n: u64,
    pub prev: FrameHash,
    pub hash: FrameHash,
    version: u32,
    signature: Vec<u8>,
    body: Body<'a>,
}

/// A large frame that was checked, without its stored bytes.
pub struct Outline {
    pub(super) n: u64,
    pub(super) prev: FrameHash,
    pub(super) hash: FrameHash,
    pub(super) version: u32,
    /// How many bytes of the frame come before the zstd frame.
    pub(super) header: usize,
    pub(super) unpacked: usize,
}

/// What vouches for a frame: its hash and its owner's signature over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The version of the format, which is part of what is signed.
    pub version: u32,
    pub n: u64,
    pub hash: FrameHash,
    pub signature: Vec<u8>,
}

enum Body<'a> {
    /// A zstd frame and its unpacked size in bytes.
    Packed(&'a [u8], usize),
    Lines(Vec<u8>),
}

/// The last line of a frame of version 1.
#[derive(Serialize, Deserialize)]
#[serde(tag = "k", rename = "seal")]
struct SealLine {
    hash: FrameHash,
    sig: String,
}

/// The fixed part before a zstd frame of version 2.
struct Header {
    packed: usize,
    unpacked: usize,
    n: u64,
    prev: [u8; 32],
    hash: [u8; 32],
    signature: [u8; 64],
}

impl Header {
    /// Parses the header; `None` if it is incomplete.
    fn parse(bytes: &[u8]) -> Option<Result<Self, FrameError>> {
        if bytes.len() < 12 {
            return None;
        }
        match (&bytes[8..11] == TAG, u32::from(bytes[11])) {
            (false, _) => return Some(Err(FrameError::Shape)),
            (true, version) if VERSION < version => return Some(Err(FrameError::Newer(version))),
            (true, VERSION) if word(bytes, 4) as usize == HEADER - 8 => {}
            _ => return Some(Err(FrameError::Shape)),
        }
        let fixed: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        let (packed, unpacked) = (word(fixed, 12), word(fixed, 16));
        let n = u64::from(word(fixed, 20)) | u64::from(word(fixed, 24)) << 32;
        let (mut prev, mut hash, mut signature) = ([0; 32], [0; 32], [0; 64]);
        prev.copy_from_slice(&fixed[28..60]);
        hash.copy_from_slice(&fixed[60..92]);
        signature.copy_from_slice(&fixed[92..]);
        let (packed, unpacked) = (packed as usize, unpacked as usize);
        Some(fits(packed, unpacked as u64).map(|()| Self {
            packed,
            unpacked,
            n,
            prev,
            hash,
            signature,
        }))
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn fits(packed: usize, unpacked: u64) -> Result<(), FrameError> {
    let fits = unpacked <= limits::FRAME && packed as u64 + unpacked <= limits::FRAME_BOTH;
    if fits {
        Ok(())
    } else {
        Err(FrameError::TooLarge)
    }
}

/// The hash of a frame of version 2: over its header's fields and its stored bytes.
fn hash_of(header: &[u8], packed: &[u8]) -> blake3::Hash {
    // Its beginning is a hash of its own, which is the same for all frames.
    static BEGUN: LazyLock<blake3::Hasher> =
        LazyLock::new(|| blake3::Hasher::new_derive_key("session-roam v2 frame"));
    let mut hasher = BEGUN.clone();
    hasher.update(&header[8..60]).update(packed).finalize()
}

fn signed_message(version: u32, hash: &FrameHash) -> Vec<u8> {
    format!("session-roam v{version} frame\n{}", hash.0).into_bytes()
}

/// Seals the lines of a frame; returns its bytes on disk and its hash. A head of version 1 gives a
/// frame of version 1, as in journals that began before version 2.
pub(super) fn seal(
    head: &Head,
    mut lines: Vec<u8>,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> (Vec<u8>, FrameHash) {
    if head.v == 1 {
        let hash = FrameHash(blake3::hash(&lines).to_hex().to_string());
        let sig = BASE64.encode(&sign(&signed_message(1, &hash)));
        serde_json::to_writer(
            &mut lines,
            &SealLine {
                hash: hash.clone(),
                sig,
            },
        )
        .expect("plain data serialises into memory");
        lines.push(b'\n');
        return (compress(&lines), hash);
    }
    let packed = compress(&lines);
    let mut bytes = Vec::with_capacity(HEADER + packed.len());
    bytes.extend_from_slice(&SKIPPED);
    bytes.extend_from_slice(&((HEADER - 8) as u32).to_le_bytes());
    bytes.extend_from_slice(TAG);
    bytes.push(u8::try_from(head.v).unwrap_or(u8::MAX));
    // A length that does not fit is beyond every limit, and every reader refuses the frame.
    bytes.extend_from_slice(
        &u32::try_from(packed.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    bytes.extend_from_slice(&u32::try_from(lines.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&head.n.to_le_bytes());
    bytes.extend_from_slice(&raw(&head.prev).unwrap_or_default());
    let hash = hash_of(&bytes, &packed);
    bytes.extend_from_slice(hash.as_bytes());
    let hash = FrameHash(hash.to_hex().to_string());
    let mut signature = sign(&signed_message(head.v, &hash));
    signature.resize(64, 0);
    bytes.extend_from_slice(&signature);
    bytes.extend_from_slice(&packed);
    (bytes, hash)
}

fn raw(hash: &FrameHash) -> Option<[u8; 32]> {
    HEXLOWER.decode(hash.0.as_bytes()).ok()?.try_into().ok()
}

fn compress(lines: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(lines, 3).expect("memory to memory, any input compresses")
}

/// The length on disk of the first frame in `bytes`; `None` if that frame is torn (incomplete).
pub fn frame_len(bytes: &[u8]) -> Option<Result<usize, FrameError>> {
    match bytes.get(..4)? {
        magic if magic == ZSTD => zstd::zstd_safe::find_frame_compressed_size(bytes)
            .ok()
            .map(Ok),
        magic if magic == SKIPPED => {
            let len = match Header::parse(bytes)? {
                Ok(header) => HEADER + header.packed,
                Err(error) => return Some(Err(error)),
            };
            (len <= bytes.len()).then_some(Ok(len))
        }
        _ => Some(Err(FrameError::Shape)),
    }
}

/// Whether every reader accepts the size of a frame that was just sealed.
pub fn is_within_limits(bytes: &[u8]) -> bool {
    matches!(Header::parse(bytes), Some(Ok(_)))
}

/// How many bytes the frame at the start of `bytes` may need to be whole.
pub fn needed(bytes: &[u8]) -> u64 {
    match Header::parse(bytes) {
        Some(Ok(header)) if bytes[..4] == SKIPPED => (HEADER + header.packed) as u64,
        _ => limits::SEGMENT_FILE,
    }
}

/// Whether a frame claims that it is large once it is unpacked, or claims nothing.
pub fn is_large(frame: &[u8]) -> bool {
    limits::READ_ALONE < claimed(frame)
}

/// The unpacked size that a frame claims; the limit if it claims none.
pub fn claimed(frame: &[u8]) -> u64 {
    match Header::parse(frame) {
        Some(Ok(header)) if frame[..4] == SKIPPED => header.unpacked as u64,
        _ => zstd::zstd_safe::get_frame_content_size(frame)
            .ok()
            .flatten()
            .unwrap_or(limits::FRAME),
    }
}

/// The whole frames at the start of `bytes`, up to a batch: at most `most`, and at most
/// `limits::BATCH_BYTES` unpacked, or a single larger one. If no whole frame follows them, also
/// returns why: torn (`None`) or an error.
pub fn next_batch(bytes: &[u8], most: usize) -> (Vec<&[u8]>, Option<Option<FrameError>>) {
    let (mut frames, mut size, mut rest) = (Vec::new(), 0u64, bytes);
    while !rest.is_empty() && frames.len() < most.min(limits::BATCH_FRAMES) {
        match frame_len(rest) {
            None => return (frames, Some(None)),
            Some(Err(error)) => return (frames, Some(Some(error))),
            Some(Ok(len)) => {
                let (frame, after) = rest.split_at(len);
                size = size.saturating_add(claimed(frame));
                if !frames.is_empty() && limits::BATCH_BYTES < size {
                    return (frames, None);
                }
                frames.push(frame);
                rest = after;
            }
        }
    }
    (frames, None)
}

/// Reads the envelopes of whole frames on several cores and compares their hashes.
pub fn read_all<'a>(frames: &[&'a [u8]]) -> Vec<Result<Sealed<'a>, FrameError>> {
    parallel::map(frames, |bytes| bytes.len(), |bytes| Sealed::read(bytes))
}

impl<'a> Sealed<'a> {
    pub(super) fn size(&self) -> usize {
        match &self.body {
            Body::Packed(_, unpacked) => *unpacked / 4,
            Body::Lines(lines) => lines.len() / 4,
        }
    }

    /// Reads the envelope of one whole frame in constant memory, whatever the bytes are. For
    /// version 1 that is at most 1 MiB, which is kept so that it is not unpacked twice.
    pub fn read(bytes: &'a [u8]) -> Result<Self, FrameError> {
        if bytes.get(..4).is_some_and(|magic| magic == SKIPPED) {
            let (sealed, packed) = Self::read_header(bytes)?;
            let is_sound = hash_of(bytes, packed).to_hex().as_str() == sealed.hash.0;
            return is_sound.then_some(sealed).ok_or(FrameError::Hash);
        }
        const KEPT: u64 = 1 << 20;
        let size = zstd::zstd_safe::get_frame_content_size(bytes).map_err(|_| FrameError::Shape)?;
        match size.filter(|size| *size <= KEPT) {
            Some(kept) => Self::of_lines(unzip(bytes, kept as usize)?),
            None => size
                .map_or(Ok(()), |size| fits(bytes.len(), size))
                .and_then(|()| Self::scan(bytes)),
        }
    }

    /// Reads the envelope of a whole frame in a segment whose bytes were just compared with the hash
    /// under which they were accepted: the frame's own hash is not computed again.
    pub fn accepted(bytes: &'a [u8]) -> Result<Self, FrameError> {
        match bytes.get(..4).is_some_and(|magic| magic == SKIPPED) {
            true => Self::read_header(bytes).map(|(sealed, _)| sealed),
            false => Self::read(bytes),
        }
    }

    /// The envelope and its zstd frame, not compared with each other.
    fn read_header(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), FrameError> {
        let Header {
            packed,
            unpacked,
            n,
            prev,
            hash,
            signature,
        } = Header::parse(bytes).ok_or(FrameError::Shape)??;
        let body = bytes
            .get(HEADER..HEADER + packed)
            .ok_or(FrameError::Shape)?;
        let hex = |hash: &[u8; 32]| FrameHash(HEXLOWER.encode(hash));
        let sealed = Self {
            n,
            prev: hex(&prev),
            hash: hex(&hash),
            version: VERSION,
            signature: signature.to_vec(),
            body: Body::Packed(body, unpacked),
        };
        Ok((sealed, body))
    }

    /// Version 1, unpacked in memory.
    fn of_lines(mut lines: Vec<u8>) -> Result<Self, FrameError> {
        let seal_at = seal_at(&lines)?;
        let first = memchr::memchr(b'\n', &lines).ok_or(FrameError::Shape)?;
        let head = lines
            .get(..first.min(limits::HEAD))
            .ok_or(FrameError::Shape)?;
        let hash = blake3::hash(&lines[..seal_at]);
        let mut sealed = Self::of_first(head, hash, &lines[seal_at..])?;
        lines.truncate(seal_at);
        sealed.body = Body::Lines(lines);
        Ok(sealed)
    }

    /// Version 1, unpacked in chunks and dropped.
    fn scan(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)
            .map_err(|_| FrameError::Shape)?
            .single_frame();
        decoder
            .window_log_max(limits::WINDOW_LOG)
            .map_err(|_| FrameError::Shape)?;
        let (mut hasher, mut head, mut held, mut len) =
            (blake3::Hasher::new(), Vec::new(), Vec::new(), 0u64);
        let mut chunk = vec![0; 64 << 10];
        loop {
            let read = decoder.read(&mut chunk).map_err(|_| FrameError::Shape)?;
            if read == 0 {
                break;
            }
            len += read as u64;
            fits(bytes.len(), len)?;
            if head.len() < limits::HEAD && memchr::memchr(b'\n', &head).is_none() {
                head.extend_from_slice(&chunk[..read.min(limits::HEAD)]);
            }
            held.extend_from_slice(&chunk[..read]);
            // The seal may begin in any of the last bytes.
            let done = held.len().saturating_sub(limits::SEAL);
            hasher.update(&held[..done]);
            held.drain(..done);
        }
        let seal_at = seal_at(&held)?;
        hasher.update(&held[..seal_at]);
        let first = memchr::memchr(b'\n', &head).ok_or(FrameError::Shape)?;
        let mut sealed = Self::of_first(&head[..first], hasher.finalize(), &held[seal_at..])?;
        sealed.body = Body::Packed(
            bytes,
            usize::try_from(len).map_err(|_| FrameError::TooLarge)?,
        );
        Ok(sealed)
    }

    fn of_first(head: &[u8], hash: blake3::Hash, seal: &[u8]) -> Result<Self, FrameError> {
        let SealLine { hash: said, sig } =
            serde_json::from_slice(seal).map_err(|_| FrameError::Shape)?;
        if hash.to_hex().as_str() != said.0 {
            return Err(FrameError::Hash);
        }
        let head = parse_head(head)?;
        if head.v != 1 {
            return Err(FrameError::Shape);
        }
        let signature = BASE64
            .decode(sig.as_bytes())
            .map_err(|_| FrameError::Shape)?;
        Ok(Self {
            n: head.n,
            prev: head.prev,
            hash: said,
            version: 1,
            signature,
            body: Body::Lines(Vec::new()),
        })
    }

    /// The frame without its stored bytes; `None` for one that is small once it is unpacked.
    pub fn outline(&self) -> Option<Outline> {
        match self.body {
            Body::Packed(_, unpacked) if limits::READ_ALONE < unpacked as u64 => Some(Outline {
                n: self.n,
                prev: self.prev.clone(),
                hash: self.hash.clone(),
                version: self.version,
                header: if self.version == VERSION { HEADER } else { 0 },
                unpacked,
            }),
            _ => None,
        }
    }

    /// The zstd frame of a frame that is not unpacked yet.
    pub(super) fn packed(&self) -> &'a [u8] {
        match self.body {
            Body::Packed(packed, _) => packed,
            Body::Lines(_) => &[],
        }
    }

    pub fn into_seal(self) -> Seal {
        Seal {
            version: self.version,
            n: self.n,
            hash: self.hash,
            signature: self.signature,
        }
    }

    pub fn is_signed_by(&self, key: &[u8; 32]) -> bool {
        match <&[u8; 64]>::try_from(self.signature.as_slice()) {
            Ok(signature) => {
                super::keys::verify(key, &signed_message(self.version, &self.hash), signature)
            }
            Err(_) => false,
        }
    }

    /// The frame's lines without the seal. Only for a frame signed by its owner, or followed by
    /// one.
    pub(super) fn open(self) -> Result<Opened, FrameError> {
        let Self {
            n,
            prev,
            hash,
            version,
            body,
            ..
        } = self;
        let lines = match body {
            Body::Lines(lines) => lines,
            Body::Packed(packed, len) => {
                let mut lines = unzip(packed, len)?;
                if lines.len() != len {
                    return Err(FrameError::Shape);
                }
                if version == 1 {
                    lines.truncate(seal_at(&lines)?);
                }
                lines
            }
        };
        Ok(Opened {
            n,
            prev,
            hash,
            version,
            lines,
        })
    }
}

/// The content of an envelope.
pub(super) struct Opened {
    pub n: u64,
    pub prev: FrameHash,
    pub hash: FrameHash,
    pub version: u32,
    pub lines: Vec<u8>,
}

/// Where the last line begins.
pub(super) fn seal_at(lines: &[u8]) -> Result<usize, FrameError> {
    let before = &lines[..lines.len().saturating_sub(1)];
    memchr::memrchr(b'\n', before)
        .map(|at| at + 1)
        .ok_or(FrameError::Shape)
}

/// Unpacks one zstd frame to at most `most` bytes, in a single call: faster than in chunks.
fn unzip(bytes: &[u8], most: usize) -> Result<Vec<u8>, FrameError> {
    // Creating a decompressor costs more than unpacking a small frame.
    thread_local!(static UNZIP: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) });
    UNZIP.with_borrow_mut(|unzip| {
        let unzip = match unzip {
            Some(unzip) => unzip,
            None => unzip.insert(zstd::bulk::Decompressor::new().map_err(|_| FrameError::Shape)?),
        };
        unzip.decompress(bytes, most).map_err(|_| FrameError::Shape)
    })
}
