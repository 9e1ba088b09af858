//! What a doc in a tool's store holds now, compared with what it held last. Reads no more than it must: an appended
//! log is read from where it ended, unless something says that it was rewritten.

use super::record::LocalDoc;
use crate::session::{Chain, ChainId, Line};
use crate::tools::{Content, ReadSeek, Stamp};
use std::io::{self, Read, SeekFrom};

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
pub fn observe_log(content: &Content, stamp: Stamp, base: Option<&LocalDoc>, deep: bool) -> io::Result<LogSeen> {
    let (mut file, end) = (content.open()?, end_of(content, stamp));
    if let Some(base) = base
        && !deep
        && base.bytes > SMALL
        && end > base.bytes
        && base.stamp.inode == stamp.inode
        && tail_hash(file.as_mut(), base.bytes)? == base.tail
    {
        let tips = chain_lines(file.as_mut(), base.bytes, end, base.tip)?;
        return Ok(LogSeen {
            start: base.tip,
            start_bytes: base.bytes,
            start_lines: base.lines,
            tips,
            rewritten: false,
            compared: false,
        });
    }
    let tips = chain_lines(file.as_mut(), 0, end, ChainId::log_start())?;
    let whole =
        LogSeen { start: ChainId::log_start(), start_bytes: 0, start_lines: 0, tips, rewritten: false, compared: true };
    Ok(match base {
        Some(base) => since(whole, base),
        None => whole,
    })
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
            let tips = whole.tips[lines..].iter().map(|line| Line { end: line.end - known, ..*line }).collect();
            LogSeen { start: base.tip, start_bytes: known, start_lines: base.lines, tips, ..whole }
        }
        _ => LogSeen { rewritten: true, ..whole },
    }
}

fn chain_lines(file: &mut dyn ReadSeek, from: u64, to: u64, tip: ChainId) -> io::Result<Vec<Line>> {
    file.seek(SeekFrom::Start(from))?;
    let mut reader = file.take(to.saturating_sub(from));
    let (mut chain, mut tips) = (Chain::from(tip), Vec::new());
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = reader.read(&mut chunk)?;
        if read == 0 {
            return Ok(tips);
        }
        chain.feed_each(&chunk[..read], |chain| tips.push(Line { tip: chain.tip, end: chain.bytes, says: true }));
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
    content.open()?.take(end_of(content, stamp)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
