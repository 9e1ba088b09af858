//! What a doc in a tool's store holds now, compared with what it held last. Reads no more than it must: an appended
//! log is read from where it ended, unless something says that it was rewritten.

use super::context::Sizes;
use super::record::LocalDoc;
use crate::session::{Chain, ChainId, Line, gap};
use crate::tools::{Content, ReadSeek, Stamp};
use std::io::{self, Read, SeekFrom};
use std::ops::Range;

/// Below this size a changed log is compared whole each time; above, at once only its end, and all of it later.
const SMALL: u64 = 4 << 20;
const TAIL: u64 = 64 << 10;
const CHUNK: usize = 1 << 20;

/// A log's whole lines from `start` on.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSeen {
    pub start: ChainId,
    pub start_bytes: u64,
    pub start_lines: u64,
    /// Each line with the bytes from `start_bytes` to its end. What a line says is not looked at here.
    pub tips: Vec<Line>,
    /// How many of them are too large to be carried: their ids are those of the lines that stand for them.
    pub gaps: u64,
    /// What we knew is not a prefix of it any more.
    pub rewritten: bool,
    pub compared: bool,
}

impl LogSeen {
    pub fn tip(&self) -> ChainId {
        self.tips.last().map_or(self.start, |line| line.tip)
    }

    pub fn bytes(&self) -> u64 {
        self.start_bytes + self.tips.last().map_or(0, |line| line.end)
    }

    pub fn lines(&self) -> u64 {
        self.start_lines + self.tips.len() as u64
    }
}

/// Where a doc ends: a file never beyond `stamp.len`, so that the answer belongs to the stamp; bytes made on the spot
/// (a compressed file unpacked) have an end of their own.
fn end_of(content: &Content, stamp: Stamp) -> u64 {
    match content {
        Content::File(_) | Content::Patched(..) => stamp.len,
        Content::Bytes(bytes) => bytes.len() as u64,
    }
}

/// Reads what is new in a log.
pub fn observe_log(
    content: &Content,
    stamp: Stamp,
    base: Option<&LocalDoc>,
    deep: bool,
    sizes: &Sizes,
) -> io::Result<LogSeen> {
    let (mut file, end) = (content.open()?, end_of(content, stamp));
    if let Some(base) = base
        && !deep
        && base.bytes > SMALL
        && end > base.bytes
        && base.stamp.inode == stamp.inode
        && tail_hash(file.as_mut(), base.bytes)? == base.tail
    {
        let tips = chain_lines(file.as_mut(), base.bytes, end, base.tip, sizes)?;
        return Ok(LogSeen {
            gaps: gaps_in(&tips, sizes),
            start: base.tip,
            start_bytes: base.bytes,
            start_lines: base.lines,
            tips,
            rewritten: false,
            compared: false,
        });
    }
    let tips = chain_lines(file.as_mut(), 0, end, ChainId::log_start(), sizes)?;
    let start = ChainId::log_start();
    let whole = LogSeen {
        start,
        start_bytes: 0,
        start_lines: 0,
        tips,
        gaps: 0,
        rewritten: false,
        compared: true,
    };
    let mut seen = match base {
        Some(base) => since(whole, base),
        None => whole,
    };
    seen.gaps = gaps_in(&seen.tips, sizes);
    Ok(seen)
}

/// Cuts off what we knew, if it is still there.
fn since(whole: LogSeen, base: &LocalDoc) -> LogSeen {
    if base.lines == 0 {
        return whole;
    }
    let lines = usize::try_from(base.lines).unwrap_or(usize::MAX);
    match whole.tips.get(lines - 1) {
        Some(line) if line.tip == base.tip => {
            let known = line.end;
            let tips = whole.tips[lines..]
                .iter()
                .map(|line| Line {
                    end: line.end - known,
                    ..*line
                })
                .collect();
            LogSeen {
                start: base.tip,
                start_bytes: known,
                start_lines: base.lines,
                tips,
                ..whole
            }
        }
        _ => LogSeen {
            rewritten: true,
            ..whole
        },
    }
}

fn gaps_in(lines: &[Line], sizes: &Sizes) -> u64 {
    let starts = std::iter::once(0).chain(lines.iter().map(|line| line.end));
    lines
        .iter()
        .zip(starts)
        .filter(|(line, start)| sizes.record < line.end - start)
        .count() as u64
}

fn chain_lines(
    file: &mut dyn ReadSeek,
    from: u64,
    to: u64,
    tip: ChainId,
    sizes: &Sizes,
) -> io::Result<Vec<Line>> {
    let (mut chain, mut tips) = (Chain::from(tip), Vec::new());
    // Not more at once than is held of a line: one that is too large is always noticed before it ends.
    let (mut chunk, mut at) = (
        vec![0; CHUNK.min(usize::try_from(sizes.piece).unwrap_or(CHUNK))],
        from,
    );
    file.seek(SeekFrom::Start(at))?;
    loop {
        let read = file.take(to.saturating_sub(at)).read(&mut chunk)?;
        if read == 0 {
            return Ok(tips);
        }
        at += read as u64;
        chain.feed_each(&chunk[..read], |chain| {
            tips.push(Line {
                tip: chain.tip,
                end: chain.bytes,
                is_message: true,
            })
        });
        if sizes.piece < chain.partial().len() as u64 {
            // Longer than is ever held: its end is looked for, and its id made piece by piece.
            let start = from + chain.bytes;
            let Some(end) = line_end(file, at, to, &mut chunk)? else {
                return Ok(tips);
            };
            let tip = id_of_long(file, chain.tip, start..end, sizes)?;
            chain.pass(tip, end - start);
            tips.push(Line {
                tip,
                end: chain.bytes,
                is_message: true,
            });
            at = end;
            file.seek(SeekFrom::Start(at))?;
        }
    }
}

/// Behind the next line feed; `None` if there is none before `to`.
fn line_end(
    file: &mut dyn ReadSeek,
    mut at: u64,
    to: u64,
    chunk: &mut [u8],
) -> io::Result<Option<u64>> {
    file.seek(SeekFrom::Start(at))?;
    loop {
        let read = file.take(to.saturating_sub(at)).read(chunk)?;
        if read == 0 {
            return Ok(None);
        }
        if let Some(end) = memchr::memchr(b'\n', &chunk[..read]) {
            return Ok(Some(at + end as u64 + 1));
        }
        at += read as u64;
    }
}

/// The id behind a long line; of one that is too large, behind the line that stands for it.
fn id_of_long(
    file: &mut dyn ReadSeek,
    after: ChainId,
    range: Range<u64>,
    sizes: &Sizes,
) -> io::Result<ChainId> {
    if sizes.record < range.end - range.start {
        return Ok(after.then(&gap_line(file, range)?));
    }
    let mut line = after.long(range.end - range.start);
    each_chunk(file, range, |chunk| line.feed(chunk))?;
    line.end()
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The line that is recorded instead of the one in this range.
pub fn gap_line(file: &mut dyn ReadSeek, range: Range<u64>) -> io::Result<Vec<u8>> {
    let (bytes, mut hasher) = (range.end - range.start, blake3::Hasher::new());
    each_chunk(file, range, |chunk| {
        hasher.update(chunk);
    })?;
    Ok(gap::line(bytes, &hasher.finalize()))
}

fn each_chunk(
    file: &mut dyn ReadSeek,
    range: Range<u64>,
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    file.seek(SeekFrom::Start(range.start))?;
    let (mut chunk, mut reader) = (vec![0; CHUNK], file.take(range.end - range.start));
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(()),
            read => each(&chunk[..read]),
        }
    }
}

/// BLAKE3 of the last 64 KiB before `end`.
pub fn tail_hash(file: &mut dyn ReadSeek, end: u64) -> io::Result<String> {
    let from = end.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(end - from).read_to_end(&mut bytes)?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// Exactly the bytes from `from` to `to`; an error if the file is shorter by now.
pub fn read_range(file: &mut dyn ReadSeek, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
    file.seek(SeekFrom::Start(from))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// All of a snapshot.
pub fn read_whole(content: &Content, stamp: Stamp) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content
        .open()?
        .take(end_of(content, stamp))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
