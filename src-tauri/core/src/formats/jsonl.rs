//! Logs of JSON lines, read at both ends with bounded work. A log may contain a byte-order mark,
//! CRLF, invalid UTF-8, unknown records and a partial last line. A damaged record counts as far as
//! it can be read.

use crate::opener;
use crate::session::records;
use serde_json::Value;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The parsed lines at both ends of a log. The ends never overlap: a short file is all head.
#[derive(Debug, Default)]
pub struct Ends {
    pub head: Vec<Value>,
    pub tail: Vec<Value>,
}

impl Ends {
    /// Oldest first.
    pub fn forwards(&self) -> impl Iterator<Item = &Value> {
        self.head.iter().chain(&self.tail)
    }

    /// Newest first.
    pub fn backwards(&self) -> impl Iterator<Item = &Value> {
        self.tail.iter().rev().chain(self.head.iter().rev())
    }
}

/// Reads at most `head` bytes from the start and `tail` bytes from the end.
pub fn read_ends(
    source: &mut (impl Read + Seek + ?Sized),
    head: u64,
    tail: u64,
) -> io::Result<Ends> {
    let len = source.seek(SeekFrom::End(0))?;
    let head_len = head.min(len);
    let first = read_range(source, 0, head_len)?;
    // A line cut at the boundary belongs to neither end.
    let head_lines = if head_len == len {
        &first[..]
    } else {
        whole_lines(&first)
    };
    let tail_start = head_len.max(len.saturating_sub(tail));
    let last = read_range(source, tail_start, len - tail_start)?;
    let tail_lines = match last.iter().position(|byte| *byte == b'\n') {
        Some(end) => &last[end + 1..],
        None => &[],
    };
    Ok(Ends {
        head: parse_lines(head_lines),
        tail: parse_lines(tail_lines),
    })
}

/// The first line of a file, if it ends within `limit` bytes and is JSON.
pub fn read_first(path: &Path, limit: u64) -> io::Result<Option<Value>> {
    let mut start = Vec::new();
    opener::file(path)?.take(limit).read_to_end(&mut start)?;
    Ok(start
        .split_inclusive(|byte| *byte == b'\n')
        .flat_map(parse_line)
        .next())
}

/// The records of all complete lines, however damaged their strings are.
pub fn parse_lines(bytes: &[u8]) -> Vec<Value> {
    bytes
        .split(|byte| *byte == b'\n')
        .flat_map(parse_line)
        .collect()
}

/// A truncated record may lack the field with its kind, so it says nothing about the session.
fn parse_line(line: &[u8]) -> impl Iterator<Item = Value> {
    let found = records::records(line)
        .into_iter()
        .map(|record| record.value);
    found.filter(|value| records::damage(value).is_none())
}

fn whole_lines(bytes: &[u8]) -> &[u8] {
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => &bytes[..=end],
        None => &[],
    }
}

fn read_range(
    source: &mut (impl Read + Seek + ?Sized),
    start: u64,
    len: u64,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.seek(SeekFrom::Start(start))?;
    source.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A title from a prompt: its first non-blank line, cut to 120 characters.
pub fn title_of(text: &str) -> Option<String> {
    const LONGEST: usize = 120;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => Some(format!("{}…", line[..end].trim_end())),
        None => Some(line.to_owned()),
    }
}

/// The text of a message's `content`: a string, or the text blocks of a list.
pub fn text_of(content: &Value) -> Option<&str> {
    match content {
        Value::String(text) => Some(text),
        Value::Array(blocks) => blocks
            .iter()
            .find_map(|block| block.get("text").and_then(Value::as_str)),
        _ => None,
    }
}

/// Whether a name is a UUID as tools write it: lower case, with dashes.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

/// A field that is a non-empty string.
pub fn text(record: &Value, key: &str) -> Option<String> {
    record
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn numbers(values: &[Value]) -> Vec<i64> {
        values
            .iter()
            .filter_map(|value| value["n"].as_i64())
            .collect()
    }

    #[test]
    fn odd_lines_are_passed_over() {
        let text =
            b"\xef\xbb\xbf{\"n\":1}\r\n\r\nnot json\n{\"n\":2,\"s\":\"\xff\"}\n{\"n\":3}\n{\"n\":4";
        let ends = read_ends(&mut Cursor::new(text), 1 << 20, 1 << 20).expect("ends");
        assert_eq!(numbers(&ends.head), [1, 2, 3]);
        assert!(ends.tail.is_empty());
    }

    /// Field 12: a title or directory in a record with a lone surrogate was not found.
    #[test]
    fn damaged_records_that_are_whole_count() {
        let text = b"\0\0{\"n\":1,\"s\":\"\\ud800\"}{\"n\":2}\n{\"n\":3,\"s\":\"cut o\n{\"n\":4}\n";
        assert_eq!(numbers(&parse_lines(text)), [1, 2, 4]);
    }

    #[test]
    fn a_long_log_is_read_at_its_ends_only() {
        let plain: String = (0..1000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        let ends = read_ends(&mut Cursor::new(plain.as_bytes()), 20, 20).expect("ends");
        assert_eq!(numbers(&ends.head), [0, 1]);
        assert_eq!(numbers(&ends.tail), [999]);
    }

    #[test]
    fn no_line_is_in_both_ends() {
        let plain: String = (0..10).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        for head in 0..=plain.len() as u64 {
            let ends = read_ends(&mut Cursor::new(plain.as_bytes()), head, 1000).expect("ends");
            let mut all = numbers(&ends.head);
            all.extend(numbers(&ends.tail));
            assert!(
                all.windows(2).all(|pair| pair[0] < pair[1]),
                "{head}: {all:?}"
            );
        }
    }

    #[test]
    fn a_title_is_one_short_line() {
        assert_eq!(
            title_of("\n  Fix the build \nplease"),
            Some("Fix the build".into())
        );
        assert_eq!(
            title_of(&"ä".repeat(200)).map(|title| title.chars().count()),
            Some(121)
        );
        assert_eq!(title_of(" \n"), None);
    }
}
