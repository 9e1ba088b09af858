//! The entries of a file, a page at a time.

use super::names::is_header;
use crate::opener;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The text of the entries in one answer. One that is longer comes alone.
const PAGE: usize = 4 << 20;

/// Entries as their app wrote them, and where the next page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<String>,
    pub next: Option<String>,
}

pub enum PageError {
    Stale,
    Io(io::Error),
}

impl From<io::Error> for PageError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A page begins after the line whose hash its mark has, so that none is missed or doubled if the
/// file was written anew in between.
pub fn page(path: &Path, from: Option<&str>) -> Result<Page, PageError> {
    let mut file = opener::file(path)?;
    let len = file.metadata()?.len();
    let start = match from {
        None => 0,
        Some(mark) => {
            let (at, hash) = mark.split_once('-').ok_or(PageError::Stale)?;
            let at: u64 = at.parse().map_err(|_| PageError::Stale)?;
            if len < at || mark_at(&mut file, at)? != hash {
                return Err(PageError::Stale);
            }
            at
        }
    };
    file.seek(SeekFrom::Start(start))?;
    let mut lines = BufReader::with_capacity(1 << 18, &mut file);
    let (mut page, mut at, mut size) = (Page::default(), start, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = lines.read_until(b'\n', &mut line)? as u64;
        if n == 0 || !line.ends_with(b"\n") {
            return Ok(page);
        }
        let is_first = at == 0;
        let text = std::str::from_utf8(line.trim_ascii()).unwrap_or_default();
        let is_entry = text.starts_with('{') && !(is_first && is_header(&line));
        if is_entry && 0 < size && PAGE < size + text.len() {
            drop(lines);
            let hash = mark_at(&mut file, at)?;
            page.next = Some(format!("{at}-{hash}"));
            return Ok(page);
        }
        if is_entry {
            size += text.len();
            page.entries.push(text.to_owned());
        }
        at += n;
    }
}

/// A hash of what stands before a place.
fn mark_at(file: &mut File, at: u64) -> io::Result<String> {
    const BEFORE: u64 = 4096;
    let start = at.saturating_sub(BEFORE);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(at - start).read_to_end(&mut bytes)?;
    let mut hash = blake3::hash(&bytes).to_hex().to_string();
    hash.truncate(16);
    Ok(hash)
}
