//! Measures a pack before `git` sees it: how many objects, how large each is unpacked, how long the
//! chains of differences are. Everything is read as a stream; nothing is kept. Whether the objects
//! make sense is left to `git index-pack`.

use flate2::bufread::ZlibDecoder;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// How large a pack from elsewhere may be.
#[derive(Clone, Copy, Debug)]
pub struct PackLimits {
    /// The pack itself.
    pub bytes: u64,
    pub objects: u64,
    /// The largest object, unpacked.
    pub object: u64,
    /// All objects, unpacked.
    pub unpacked: u64,
    /// The longest chain of differences.
    pub depth: u32,
    /// The most entries of all trees of the checkout.
    pub entries: usize,
    /// The files of a tree that are not those of the user's own commits, as they would be written, beyond the
    /// first of each object: one object may be at many paths.
    pub written: u64,
}

impl Default for PackLimits {
    fn default() -> Self {
        Self {
            bytes: 512 << 20,
            objects: 2_000_000,
            object: 128 << 20,
            unpacked: 8 << 30,
            depth: 64,
            entries: 1_000_000,
            written: 1 << 30,
        }
    }
}

/// Why a pack is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Excess {
    #[error("it is not a pack")]
    NotAPack,
    #[error("it has too many objects")]
    Objects,
    #[error("an object in it is too large")]
    Object,
    #[error("its objects together are too large")]
    Unpacked,
    #[error("it is too long")]
    Bytes,
    #[error("its differences build on each other too often")]
    Depth,
    #[error("it could not be read")]
    Io(#[from] io::Error),
}

const COMMIT: u8 = 1;
const TAG: u8 = 4;
const OFFSET_DELTA: u8 = 6;
const ID_DELTA: u8 = 7;

/// Counts what is read.
struct Counted<R> {
    from: R,
    at: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n_read = self.from.read(into)?;
        self.at += n_read as u64;
        Ok(n_read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.from.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount as u64;
        self.from.consume(amount);
    }
}

/// The number of objects in the pack, if it is within the limits.
pub(crate) fn measure(path: &Path, id_len: usize, limits: &PackLimits) -> Result<u64, Excess> {
    let file = File::open(path)?;
    if limits.bytes < file.metadata()?.len() {
        return Err(Excess::Bytes);
    }
    let mut pack = Counted {
        from: BufReader::with_capacity(64 * 1024, file),
        at: 0,
    };
    let mut header = [0; 12];
    pack.read_exact(&mut header)?;
    let [b'P', b'A', b'C', b'K', 0, 0, 0, 2, n0, n1, n2, n3] = header else {
        return Err(Excess::NotAPack);
    };
    let n_objects = u64::from(u32::from_be_bytes([n0, n1, n2, n3]));
    if limits.objects < n_objects {
        return Err(Excess::Objects);
    }
    let mut unpacked = 0u64;
    let mut depths: HashMap<u64, u32> = HashMap::new();
    for _ in 0..n_objects {
        let start = pack.at;
        let (kind, size) = object_header(&mut pack)?;
        if limits.object < size {
            return Err(Excess::Object);
        }
        let depth = match kind {
            COMMIT..=TAG => 0,
            OFFSET_DELTA => {
                let back = offset(&mut pack)?;
                let base = start.checked_sub(back).ok_or(Excess::NotAPack)?;
                depths.get(&base).ok_or(Excess::NotAPack)? + 1
            }
            // Its base is usually not in this pack; if it is, git finds it by its id.
            ID_DELTA => {
                let mut id = vec![0; id_len];
                pack.read_exact(&mut id)?;
                1
            }
            _ => return Err(Excess::NotAPack),
        };
        if limits.depth < depth {
            return Err(Excess::Depth);
        }
        depths.insert(start, depth);
        let result = inflate(&mut pack, size, (COMMIT..=TAG).contains(&kind))?;
        if limits.object < result {
            return Err(Excess::Object);
        }
        unpacked = unpacked.saturating_add(result).saturating_add(size);
        if limits.unpacked < unpacked {
            return Err(Excess::Unpacked);
        }
    }
    let mut trailer = vec![0; id_len];
    pack.read_exact(&mut trailer)?;
    match pack.fill_buf()?.is_empty() {
        true => Ok(n_objects),
        false => Err(Excess::NotAPack),
    }
}

fn byte(from: &mut impl Read) -> Result<u8, Excess> {
    let mut byte = [0];
    from.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn object_header(from: &mut impl Read) -> Result<(u8, u64), Excess> {
    let first = byte(from)?;
    let kind = (first >> 4) & 7;
    let mut size = u64::from(first & 15);
    let mut shift = 4;
    let mut more = first & 0x80 != 0;
    while more {
        let next = byte(from)?;
        if 57 < shift {
            return Err(Excess::Object);
        }
        size |= u64::from(next & 0x7f) << shift;
        shift += 7;
        more = next & 0x80 != 0;
    }
    Ok((kind, size))
}

fn offset(from: &mut impl Read) -> Result<u64, Excess> {
    let mut next = byte(from)?;
    let mut offset = u64::from(next & 0x7f);
    while next & 0x80 != 0 {
        next = byte(from)?;
        let larger = offset.checked_add(1).filter(|it| it >> 56 == 0);
        offset = (larger.ok_or(Excess::NotAPack)? << 7) | u64::from(next & 0x7f);
    }
    Ok(offset)
}

/// Reads one compressed object to its end; returns its size when differences are applied.
fn inflate(pack: &mut impl BufRead, size: u64, is_whole: bool) -> Result<u64, Excess> {
    let mut content = ZlibDecoder::new(pack);
    let mut start = Vec::new();
    content
        .by_ref()
        .take(size.min(20))
        .read_to_end(&mut start)?;
    let rest = io::copy(
        &mut content.by_ref().take(size - start.len() as u64 + 1),
        &mut io::sink(),
    )?;
    if start.len() as u64 + rest != size {
        return Err(Excess::NotAPack);
    }
    if is_whole {
        return Ok(size);
    }
    let mut bytes = start.iter();
    length(&mut bytes)?;
    length(&mut bytes)
}

fn length<'b>(bytes: &mut impl Iterator<Item = &'b u8>) -> Result<u64, Excess> {
    let (mut length, mut shift) = (0u64, 0);
    loop {
        let byte = *bytes.next().ok_or(Excess::NotAPack)?;
        if 56 < shift {
            return Err(Excess::Object);
        }
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(length);
        }
        shift += 7;
    }
}
