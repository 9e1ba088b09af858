//! Logs of JSON lines, read at both ends with bounded work. A log may contain a byte-order mark,
//! CRLF, invalid UTF-8, unknown records and a partial last line. A damaged record counts as far as
//! it can be read.

use crate::opener;
use crate::session::records;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Texts of so many bytes are in no outline.
const LONG: usize = 8 << 10;
/// Objects nested deeper are in no outline.
const DEEPEST: usize = 3;

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
    let (lines, _) = lines_at_ends(source, head, tail)?;
    let [head, tail] = lines.map(|lines| parse_lines(&lines));
    Ok(Ends { head, tail })
}

/// The ends of a log as outlines of their records, which cost a fraction of the whole values: no
/// arrays, no long texts, no members of many levels.
pub struct Outlines {
    pub ends: Ends,
    head: Vec<u8>,
    cut: Vec<u8>,
}

impl Outlines {
    /// The whole records at the start, oldest first, and what can be read of the record that the
    /// end of the head cuts; each is parsed when it is asked for. What is found in them does not
    /// change while the log grows. Lines without `word` are skipped unparsed.
    pub fn first_records(&self, word: &str) -> impl Iterator<Item = Value> {
        let word = memchr::memmem::Finder::new(word).into_owned();
        let lines = self.head.split(|byte| *byte == b'\n');
        let lines = lines.filter(move |line| word.find(line).is_some());
        let cut = Some(&self.cut[..]).filter(|cut| !cut.is_empty());
        lines.flat_map(parse_line).chain(cut.map(records::value))
    }
}

/// Reads both ends like [`read_ends`], as outlines with the top members that `keeps` names. A record
/// that the strict parser refuses is there as a whole.
pub fn read_outlines(
    source: &mut (impl Read + Seek + ?Sized),
    head: u64,
    tail: u64,
    keeps: fn(&str) -> bool,
) -> io::Result<Outlines> {
    let (lines, cut) = lines_at_ends(source, head, tail)?;
    let outlines = |lines: &[u8]| {
        let lines = lines.split(|byte| *byte == b'\n');
        lines
            .flat_map(|line| match outline(line, keeps) {
                Some(outline) => vec![outline],
                None => parse_line(line).collect(),
            })
            .collect()
    };
    let ends = Ends {
        head: outlines(&lines[0]),
        tail: outlines(&lines[1]),
    };
    let [head, _] = lines;
    Ok(Outlines { ends, head, cut })
}

/// The whole lines within `head` bytes from the start and within `tail` bytes from the end, and the
/// beginning of the line that the end of the head cuts.
fn lines_at_ends(
    source: &mut (impl Read + Seek + ?Sized),
    head: u64,
    tail: u64,
) -> io::Result<([Vec<u8>; 2], Vec<u8>)> {
    let len = source.seek(SeekFrom::End(0))?;
    let head_len = head.min(len);
    let mut first = read_range(source, 0, head_len)?;
    // A line cut at the boundary belongs to neither end.
    let cut = match head_len < len {
        true => first.split_off(whole_lines(&first).len()),
        false => Vec::new(),
    };
    let tail_start = head_len.max(len.saturating_sub(tail));
    let mut last = read_range(source, tail_start, len - tail_start)?;
    let begun = last.iter().position(|byte| *byte == b'\n');
    last.drain(..begun.map_or(last.len(), |end| end + 1));
    Ok(([first, last], cut))
}

/// The outline of a line that is one record in UTF-8.
fn outline(line: &[u8], keeps: fn(&str) -> bool) -> Option<Value> {
    let text = std::str::from_utf8(line).ok()?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = Outline { depth: 0, keeps }.deserialize(&mut deserializer);
    let members = members.ok()?;
    deserializer.end().ok()?;
    Some(Value::Object(members))
}

/// Reads an object as its outline, in one pass: what is left out is skipped, not built.
#[derive(Clone, Copy)]
struct Outline {
    depth: usize,
    keeps: fn(&str) -> bool,
}

/// A member's name, borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for Outline {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Outline {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut kept = Map::new();
        while let Some(Name(name)) = map.next_key()? {
            if self.depth == 0 && !(self.keeps)(&name) {
                map.next_value::<IgnoredAny>()?;
            } else if let Some(value) = map.next_value_seed(Member(self))? {
                kept.insert(name.into_owned(), value);
            }
        }
        Ok(kept)
    }
}

/// Reads a member of an outline's object; `None` if it is left out.
struct Member(Outline);

impl<'de> DeserializeSeed<'de> for Member {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Member {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok((text.len() < LONG).then(|| text.into()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Outline { depth, keeps } = self.0;
        if DEEPEST <= depth {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(None);
        }
        let depth = depth + 1;
        Ok(Some(Outline { depth, keeps }.visit_map(map)?.into()))
    }
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
    // One more, so that the end is noticed without growing; callers ask for little.
    let mut bytes = Vec::with_capacity(usize::try_from(len).map_err(io::Error::other)? + 1);
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

/// The texts of a message's `content`: a string, or the text blocks of a list.
pub fn texts_of(content: &Value) -> impl Iterator<Item = &str> {
    let blocks = content.as_array().into_iter().flatten();
    let texts = blocks.filter_map(|block| block.get("text")?.as_str());
    content.as_str().into_iter().chain(texts)
}

/// The first text of a message's `content`.
pub fn text_of(content: &Value) -> Option<&str> {
    texts_of(content).next()
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

    /// What is in an outline is what the whole record has there.
    #[test]
    fn an_outline_is_a_record_without_its_bulk() {
        let long = "x".repeat(LONG);
        let record = format!(
            "{{\"n\":1,\"a\":\"\\u00e4\\n\",\"bulk\":{{\"n\":9}},\"list\":[1],\"long\":\"{long}\",\
             \"deep\":{{\"two\":{{\"three\":{{\"n\":3,\"four\":{{}}}}}}}},\"n\":2}}"
        );
        let text =
            format!("{record}\r\n\n\u{feff}{{\"n\":3,\"bulk\":1}}\n{{\"n\":4}} {{\"n\":5}}\n7\n");
        let mut source = Cursor::new(text.as_bytes());
        let found = read_outlines(&mut source, 1 << 20, 0, |name| name != "bulk").expect("ends");
        assert_eq!(numbers(&found.ends.head), [2, 3, 4, 5]);
        let expected =
            serde_json::json!({"n": 2, "a": "ä\n", "deep": {"two": {"three": {"n": 3}}}});
        assert_eq!(found.ends.head[0], expected);
        let whole: Vec<Value> = found.first_records("").collect();
        assert_eq!(whole[0]["long"].as_str(), Some(long.as_str()));
        assert_eq!(whole.len(), found.ends.head.len());
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
