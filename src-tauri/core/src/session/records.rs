//! Reads the records in a raw line or document as far as possible. A strict parser comes first;
//! what it refuses is read leniently: lone surrogates, bytes that are not UTF-8, blocks of NUL, two
//! records on one line, a truncated record, `NaN`, too many levels. For display only: no result of
//! this module is written anywhere.

use serde_json::{Map, Number, Value};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::sync::LazyLock;

/// How many places behind a broken record are tried as the start of the next one.
const MOST_STARTS: usize = 64;
/// A line with a broken record is searched for the next one up to this size: each start may mean
/// reading the rest of the line.
const MOST_SEARCHED: usize = 4 << 20;
/// Values nested deeper are left out, so that no parser refuses the rest.
const DEEPEST: usize = 100;

/// The most values of one record that are held, names and elements alike: tens of megabytes. A
/// record with more is shown up to there.
const MOST_VALUES: usize = 1 << 19;

/// The member with which this module marks a damaged record. Its name differs at every start of the
/// program, so that no record can pretend to be damaged and so hide its content.
static DAMAGED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "unreadable record {:016x}",
        RandomState::new().build_hasher().finish()
    )
});

/// One record and its byte range in the line.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub range: Range<usize>,
    pub value: Value,
}

/// How much of a record is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes of the record.
    pub bytes: u64,
    /// Bytes of the record that are part of no value.
    pub lost: u64,
}

/// The records of one line.
pub fn records(line: &[u8]) -> Vec<Record> {
    let whole = trimmed(line, 0..line.len());
    if whole.is_empty() {
        return Vec::new();
    }
    match strict(&line[whole.clone()]) {
        Some(value) => vec![Record {
            range: whole,
            value,
        }],
        None => damaged_records(line, whole),
    }
}

/// The first value of a text, damaged or not; `null` if there is none.
pub fn value(text: &[u8]) -> Value {
    strict(text).unwrap_or_else(|| {
        let whole = trimmed(text, 0..text.len());
        damaged_records(text, whole)
            .into_iter()
            .next()
            .map_or(Value::Null, |record| record.value)
    })
}

/// A document as far as it can be read, and how much is missing.
pub fn document(bytes: &[u8]) -> (Value, Option<Damage>) {
    let whole = trimmed(bytes, 0..bytes.len());
    if whole.is_empty() {
        return (Value::Null, None);
    }
    if let Some(value) = strict(&bytes[whole.clone()]) {
        return (value, None);
    }
    let mut reader = Reader::starting_at(&bytes[..whole.end], whole.start);
    let value = reader.value(0).unwrap_or_default();
    let rest = trimmed(bytes, reader.broken.unwrap_or(reader.at)..whole.end);
    let damage = reader.broken.is_some() || !rest.is_empty();
    (
        value,
        damage.then_some(Damage {
            bytes: whole.len() as u64,
            lost: rest.len() as u64,
        }),
    )
}

/// A whole value of not too many values.
fn strict(text: &[u8]) -> Option<Value> {
    if has_too_many_values(text) {
        return None;
    }
    serde_json::from_slice(text).ok()
}

/// Whether there are more values than are held, by the marks between them.
fn has_too_many_values(text: &[u8]) -> bool {
    // A value and its mark have two bytes.
    if text.len() <= 2 * MOST_VALUES {
        return false;
    }
    let (mut n, mut at) = (0, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b',' | b'[' | b'{' => n += 1,
            b'"' => at = end_of_text(text, at + 1),
            _ => {}
        }
        at += 1;
    }
    MOST_VALUES < n
}

/// Where the text that begins at `at` ends: at its closing quotation mark.
fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(next) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += next;
        if bytes[at] == b'"' {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

/// A placeholder for a record of which nothing can be read.
pub fn unreadable(bytes: u64) -> Value {
    mark(Map::new(), Damage { bytes, lost: bytes })
}

/// Marks the record in which a document was cut off; unreadable if it is no longer a message.
pub fn cut_off(record: Value) -> Value {
    let bytes = record.to_string().len() as u64;
    match record {
        Value::Object(fields) => mark(fields, Damage { bytes, lost: 0 }),
        _ => unreadable(bytes),
    }
}

/// How much is missing of a value that this module read.
pub fn damage(value: &Value) -> Option<Damage> {
    let mark = value.get(DAMAGED.as_str())?.as_array()?;
    Some(Damage {
        bytes: mark.first()?.as_u64()?,
        lost: mark.get(1)?.as_u64()?,
    })
}

/// A value without this module's mark: the same in every run of the program.
pub fn unmarked(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove(DAMAGED.as_str());
    }
    value
}

fn mark(mut fields: Map<String, Value>, Damage { bytes, lost }: Damage) -> Value {
    fields.insert(DAMAGED.clone(), Value::from(vec![bytes, lost]));
    Value::Object(fields)
}

/// The range without byte-order mark and surrounding blanks. NULs are no blanks: a file system may
/// have lost a record there.
fn trimmed(line: &[u8], mut range: Range<usize>) -> Range<usize> {
    if line[range.clone()].starts_with(b"\xef\xbb\xbf") {
        range.start += 3;
    }
    while range.start < range.end && line[range.start].is_ascii_whitespace() {
        range.start += 1;
    }
    while range.start < range.end && line[range.end - 1].is_ascii_whitespace() {
        range.end -= 1;
    }
    range
}

fn damaged_records(line: &[u8], whole: Range<usize>) -> Vec<Record> {
    let (mut found, mut at) = (Vec::new(), whole.start);
    while at < whole.end {
        if line[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let is_start = matches!(line[at], b'{' | b'[');
        let mut reader = Reader::starting_at(&line[..whole.end], at);
        match if is_start { reader.value(0) } else { None } {
            Some(value) if reader.broken.is_none() => {
                found.push(Record {
                    range: at..reader.at,
                    value,
                });
                at = reader.at;
                continue;
            }
            _ => {}
        }
        let next = if reader.cut_off {
            whole.end
        } else {
            next_start(line, at + 1..whole.end).unwrap_or(whole.end)
        };
        let range = trimmed(line, at..next);
        // Read once more without what follows: a truncated text ends where the next record begins.
        let mut reader = Reader::starting_at(&line[..range.end], at);
        let value = if is_start { reader.value(0) } else { None };
        let lost =
            trimmed(line, reader.broken.unwrap_or(at).min(range.end)..range.end).len() as u64;
        let bytes = range.len() as u64;
        let value = match value {
            Some(Value::Object(fields)) if !fields.is_empty() => {
                mark(fields, Damage { bytes, lost })
            }
            // A number or a text is no record, here as on a line of its own.
            _ => strict(&line[range.clone()]).unwrap_or_else(|| unreadable(bytes)),
        };
        found.push(Record { range, value });
        at = next;
    }
    found
}

/// Finds where the next whole record begins. A member of the broken record is recognised by the
/// text behind it: behind a whole record comes the end of the line or another record. Starts where
/// a value is expected are mostly members, so the two kinds of starts are limited separately.
fn next_start(line: &[u8], range: Range<usize>) -> Option<usize> {
    if MOST_SEARCHED < range.len() {
        return None;
    }
    let starts = memchr::memmem::find_iter(&line[range.clone()], b"{\"").map(|at| range.start + at);
    let (inside, between): (Vec<usize>, Vec<usize>) = starts.partition(|at| {
        let before = line[..*at].iter().rfind(|byte| !byte.is_ascii_whitespace());
        before.is_some_and(|byte| b":,[".contains(byte))
    });
    let is_whole = |at: &usize| {
        let mut reader = Reader::starting_at(&line[..range.end], *at);
        reader.value(0).is_some() && reader.broken.is_none() && {
            let rest = trimmed(line, reader.at..range.end);
            rest.is_empty() || matches!(line[rest.start], b'{' | 0)
        }
    };
    let mut tried: Vec<usize> = between
        .into_iter()
        .take(MOST_STARTS)
        .chain(inside.into_iter().take(MOST_STARTS))
        .collect();
    tried.sort_unstable();
    tried.into_iter().find(is_whole)
}

/// Reads one value: strict about its shape, lenient about strings and words. Values read before the
/// break are kept.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the shape stopped being that of a value.
    broken: Option<usize>,
    /// The value broke because the bytes ended.
    cut_off: bool,
    /// How many more values are held.
    left: usize,
}

impl<'a> Reader<'a> {
    fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            broken: None,
            cut_off: false,
            left: MOST_VALUES,
        }
    }

    /// The next byte that is not blank. At the end of the bytes, the value breaks.
    fn peek(&mut self) -> Option<u8> {
        while self
            .bytes
            .get(self.at)
            .is_some_and(|byte| byte.is_ascii_whitespace() || *byte == 0)
        {
            self.at += 1;
        }
        let next = self.bytes.get(self.at).copied();
        if next.is_none() {
            (self.broken, self.cut_off) = (Some(self.at), true);
        }
        next
    }

    fn breaks(&mut self) {
        self.broken.get_or_insert(self.at);
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        let next = self.peek()?;
        let Some(left) = self.left.checked_sub(1) else {
            self.breaks();
            return None;
        };
        self.left = left;
        match next {
            b'{' | b'[' if DEEPEST <= depth => Some(self.skipped()),
            b'{' => Some(Value::Object(self.object(depth + 1))),
            b'[' => Some(Value::Array(self.list(depth + 1))),
            b'"' => Some(Value::String(self.string())),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Map<String, Value> {
        let mut fields = Map::new();
        self.at += 1;
        while let Some(next) = self.peek() {
            if next == b'}' {
                self.at += 1;
                break;
            }
            if next != b'"' {
                self.breaks();
                break;
            }
            let name = self.string();
            if self.broken.is_some() || self.peek() != Some(b':') {
                self.breaks();
                break;
            }
            self.at += 1;
            // As in the strict parser, the last of several members with one name counts.
            fields.extend(self.value(depth).map(|value| (name, value)));
            if self.broken.is_some() || !self.goes_on(b'}') {
                break;
            }
        }
        fields.remove(DAMAGED.as_str());
        fields
    }

    fn list(&mut self, depth: usize) -> Vec<Value> {
        let mut elements = Vec::new();
        self.at += 1;
        while let Some(next) = self.peek() {
            if next == b']' {
                self.at += 1;
                break;
            }
            elements.extend(self.value(depth));
            if self.broken.is_some() || !self.goes_on(b']') {
                break;
            }
        }
        elements
    }

    /// Skips a comma. The caller consumes the end of a list or an object.
    fn goes_on(&mut self, end: u8) -> bool {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                true
            }
            Some(next) if next == end => true,
            _ => {
                self.breaks();
                false
            }
        }
    }

    fn string(&mut self) -> String {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            let rest = &self.bytes[self.at.min(self.bytes.len())..];
            let Some(end) = memchr::memchr3(b'"', b'\\', 0, rest) else {
                text.extend_from_slice(rest);
                self.at = self.bytes.len();
                (self.broken, self.cut_off) = (Some(self.at), true);
                break;
            };
            text.extend_from_slice(&rest[..end]);
            self.at += end + 1;
            match rest[end] {
                b'"' => break,
                0 => {
                    let more = rest[end..].iter().take_while(|byte| **byte == 0).count();
                    self.at += more - 1;
                    text.extend_from_slice("\u{fffd}".as_bytes());
                }
                _ => self.escape(&mut text),
            }
        }
        match String::from_utf8(text) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }

    /// Reads the escape behind a backslash.
    fn escape(&mut self, text: &mut Vec<u8>) {
        let Some(byte) = self.bytes.get(self.at).copied() else {
            return;
        };
        self.at += 1;
        let plain = match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let letter = self.unicode().unwrap_or('\u{fffd}');
                return text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            b'"' | b'\\' | b'/' => byte,
            other => {
                text.extend_from_slice(&[b'\\', other]);
                return;
            }
        };
        text.push(plain);
    }

    /// The letter of `XXXX` or of `XXXX\uXXXX`; `None` for a surrogate without its other half.
    fn unicode(&mut self) -> Option<char> {
        let first = self.unit(self.at)?;
        self.at += 4;
        if let Some(letter) = char::from_u32(first) {
            return Some(letter);
        }
        let is_escape = self.bytes.get(self.at..self.at + 2) == Some(b"\\u");
        let second = self
            .unit(self.at + 2)
            .filter(|unit| is_escape && (0xDC00..0xE000).contains(unit))?;
        if 0xDC00 <= first {
            return None;
        }
        self.at += 6;
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    }

    fn unit(&self, at: usize) -> Option<u32> {
        let digits = self
            .bytes
            .get(at..at + 4)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    /// `true`, a number, or what other programs write in place of one.
    fn word(&mut self) -> Option<Value> {
        let rest = &self.bytes[self.at..];
        let is_end = |byte: &u8| b",:{}[]\"\0".contains(byte) || byte.is_ascii_whitespace();
        let word = &rest[..rest.iter().position(is_end).unwrap_or(rest.len())];
        let value = match word {
            b"true" => Value::Bool(true),
            b"false" => Value::Bool(false),
            b"null" | b"NaN" | b"Infinity" | b"-Infinity" | b"undefined" => Value::Null,
            word if word
                .first()
                .is_some_and(|first| first.is_ascii_digit() || *first == b'-') =>
            {
                let text = std::str::from_utf8(word).unwrap_or_default();
                match text.parse::<Number>() {
                    Ok(number) => Value::Number(number),
                    // A number larger than any that can be read, or truncated.
                    Err(_) => Value::String(text.to_owned()),
                }
            }
            _ => {
                self.breaks();
                return None;
            }
        };
        self.at += word.len();
        Some(value)
    }

    /// Skips a value that is nested too deep.
    fn skipped(&mut self) -> Value {
        let mut open = 0usize;
        while let Some(next) = self.peek() {
            match next {
                b'"' => drop(self.string()),
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    open -= 1;
                    self.at += 1;
                    if open == 0 {
                        break;
                    }
                }
                _ => self.at += 1,
            }
            if self.broken.is_some() {
                break;
            }
        }
        Value::String("…".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// For each record: its value without the mark, its bytes and how many of them are lost.
    fn read(line: &[u8]) -> Vec<(Value, usize, u64)> {
        let plain = |record: Record| {
            let lost = damage(&record.value).map_or(0, |damage| damage.lost);
            let mut value = record.value;
            if let Value::Object(fields) = &mut value {
                fields.remove(DAMAGED.as_str());
            }
            (value, record.range.len(), lost)
        };
        records(line).into_iter().map(plain).collect()
    }

    fn values(line: &[u8]) -> Vec<Value> {
        read(line).into_iter().map(|(value, ..)| value).collect()
    }

    #[test]
    fn what_a_strict_parser_refuses_is_read_as_far_as_it_can_be() {
        let rows: [(&str, &[u8], Vec<Value>); 13] = [
            (
                "a_byte_order_mark",
                b"\xef\xbb\xbf{\"a\":1}\r\n",
                vec![json!({ "a": 1 })],
            ),
            (
                "a_lone_surrogate",
                br#"{"a":"x\ud83dy\udc00z"}"#,
                vec![json!({ "a": "x\u{fffd}y\u{fffd}z" })],
            ),
            (
                "a_pair_is_a_letter",
                br#"{"a":"\ud83e\udd80","b":"\ud800"}"#,
                vec![json!({ "a": "🦀", "b": "\u{fffd}" })],
            ),
            (
                "no_utf8",
                b"{\"a\":\"x\xff\"}",
                vec![json!({ "a": "x\u{fffd}" })],
            ),
            (
                "a_raw_tab",
                b"{\"a\":\"x\ty\"}",
                vec![json!({ "a": "x\ty" })],
            ),
            (
                "nul_inside",
                b"{\"a\":\"x\0\0\0y\",\0\"b\":1}",
                vec![json!({ "a": "x\u{fffd}y", "b": 1 })],
            ),
            (
                "two_on_one_line",
                br#"{"a":1}{"b":2}"#,
                vec![json!({ "a": 1 }), json!({ "b": 2 })],
            ),
            (
                "no_number",
                br#"{"a":NaN,"b":1e999,"c":2}"#,
                vec![json!({ "a": null, "b": "1e999", "c": 2 })],
            ),
            (
                "an_unknown_escape",
                br#"{"a":"\x41"}"#,
                vec![json!({ "a": "\\x41" })],
            ),
            (
                "cut_off_in_a_text",
                br#"{"a":{"b":"Hello wor"#,
                vec![json!({ "a": { "b": "Hello wor" } })],
            ),
            (
                "cut_off_then_whole",
                br#"{"a":{"b":"Hel{"c":{"d":1}}"#,
                vec![json!({ "a": { "b": "Hel" } }), json!({ "c": { "d": 1 } })],
            ),
            (
                "cut_off_behind_a_name",
                br#"{"a":1,"b":{"c":2}"#,
                vec![json!({ "a": 1, "b": { "c": 2 } })],
            ),
            (
                "a_comma_too_many",
                br#"{"a":[1,],}"#,
                vec![json!({ "a": [1] })],
            ),
        ];
        for (rule, line, wanted) in rows {
            assert_eq!(values(line), wanted, "{rule}");
        }
    }

    #[test]
    fn every_whole_record_behind_a_broken_one_is_found() {
        assert_eq!(
            values(br#", {"a":1}{"b":2}"#),
            [json!({}), json!({ "a": 1 }), json!({ "b": 2 })]
        );
    }

    #[test]
    fn what_cannot_be_read_has_a_size() {
        let unreadable = |bytes: usize| (json!({}), bytes, bytes as u64);
        assert_eq!(read(b"\0\0\0\0\n"), [unreadable(4)]);
        assert_eq!(read(b"not json\r\n"), [unreadable(8)]);
        assert_eq!(
            read(b"\0\0{\"a\":1}\n"),
            [unreadable(2), (json!({ "a": 1 }), 7, 0)]
        );
        assert_eq!(
            read(b"{\"a\":1} and more\n"),
            [(json!({ "a": 1 }), 7, 0), unreadable(8)]
        );
        assert_eq!(read(b"{\"a\":1 and more\n"), [(json!({ "a": 1 }), 15, 8)]);
        assert_eq!(read(b" \r\n"), []);
        assert_eq!(read(b"42\n"), [(json!(42), 2, 0)]);
    }

    #[test]
    fn a_record_of_a_thousand_levels_is_shown_without_the_deepest() {
        let deep = format!(
            r#"{{"role":"user","x":{}{},"content":"hi"}}"#,
            "[".repeat(1000),
            "]".repeat(1000)
        );
        let found = values(deep.as_bytes());
        assert_eq!((found.len(), found[0]["content"].as_str()), (1, Some("hi")));
    }

    #[test]
    fn a_record_of_very_many_values_is_read_up_to_a_limit() {
        let n = 2 * MOST_VALUES;
        let many = format!("{{\"role\":\"user\",\"x\":[{}0]}}", "0,".repeat(n - 1));
        let value = &records(many.as_bytes())[0].value;
        assert_eq!(value["role"], json!("user"));
        let held = value["x"].as_array().map_or(0, Vec::len);
        assert!((MOST_VALUES - 3..MOST_VALUES).contains(&held), "{held}");
        assert!(MOST_VALUES as u64 <= damage(value).expect("marked").lost);
        assert!(document(many.as_bytes()).1.is_some());
        // Marks within texts are no values.
        let text = format!("{{\"a\":\"{}\"}}", ",[{\\\"".repeat(n));
        assert_eq!(damage(&records(text.as_bytes())[0].value), None);
        let fits = format!("[{}0]", "0,".repeat(MOST_VALUES - 2));
        assert_eq!(document(fits.as_bytes()).1, None);
    }

    #[test]
    fn a_record_cannot_pass_itself_off_as_damaged() {
        let text = format!("{{\"{}\":[9,9],\"a\":\"\\ud800\"}}", DAMAGED.as_str());
        assert_eq!(damage(&records(text.as_bytes())[0].value), None);
    }

    #[test]
    fn a_document_that_is_cut_off_is_read_up_to_there() {
        let (value, missing) =
            document(br#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","con"#);
        assert_eq!(value["messages"][0]["content"], json!("a"));
        assert!(missing.is_some());
        assert_eq!(document(b"[1]").1, None);
    }

    proptest! {
        /// For any input, every byte that is not blank is in exactly one record.
        #[test]
        fn no_byte_vanishes(parts in prop::collection::vec(prop_oneof![
            Just(&b"{\"a\":1}"[..]), Just(&b"{\"a\":\"x\\ud800\"}"[..]), Just(&b"{\"a\":{\"b\":\"x"[..]), Just(&b"\0\0"[..]),
            Just(&b"\xff"[..]), Just(&b"{"[..]), Just(&b"}"[..]), Just(&b"\""[..]), Just(&b"\\"[..]), Just(&b", "[..]),
            Just(&b"[1,2]"[..]), Just(&b"text"[..]),
        ], 0..12)) {
            let line = parts.concat();
            let found = records(&line);
            let mut at = 0;
            for record in &found {
                prop_assert!(at <= record.range.start && !record.range.is_empty());
                prop_assert!(line[at..record.range.start].iter().all(u8::is_ascii_whitespace));
                // A record is read the same alone and in its line.
                prop_assert_eq!(&records(&line[record.range.clone()])[0].value, &record.value);
                at = record.range.end;
            }
            prop_assert!(line[at..].iter().all(u8::is_ascii_whitespace));
        }
    }
}
