//! The elements of a JSON list, one at a time, each as its text. Only brackets, commas and strings
//! are understood: what is wrong in one element does not stop the others, and one that is too large
//! is skipped without being held.

use std::io::{self, BufRead};

/// What some editors put before a text: the byte order mark in UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";
/// The bytes of an element that is too large by which it can be named.
const BEGINNING: usize = 64 << 10;

/// Elements of at most `most` bytes.
pub(super) struct Elements<R> {
    source: R,
    most: u64,
    is_ended: bool,
}

#[derive(Debug, PartialEq)]
pub(super) enum Element {
    Whole(String),
    /// Only the beginning is kept.
    TooLarge(String),
}

impl<R: BufRead> Elements<R> {
    /// The error is the reason why it is no list.
    pub fn of(mut source: R, most: u64) -> io::Result<Self> {
        for byte in MARK {
            if filled(&mut source)?.first() == Some(byte) {
                source.consume(1);
            }
        }
        match next_byte(&mut source)? {
            Some(b'[') => source.consume(1),
            Some(_) => return Err(io::Error::other("it does not begin with “[”")),
            None => return Err(io::Error::other("it is empty")),
        }
        Ok(Self {
            source,
            most,
            is_ended: false,
        })
    }

    /// The next element; `None` at the end of the list. A list that is cut off ends with an error.
    pub fn next(&mut self) -> io::Result<Option<Element>> {
        if self.is_ended {
            return Ok(None);
        }
        match next_byte(&mut self.source)? {
            None => return Err(io::Error::other("it ends before the list does")),
            Some(b']') => {
                self.source.consume(1);
                self.is_ended = true;
                return Ok(None);
            }
            Some(_) => {}
        }
        let (mut text, mut len, mut scanner) = (Vec::new(), 0u64, Scanner::default());
        loop {
            let bytes = filled(&mut self.source)?;
            if bytes.is_empty() {
                // Whole, if nothing is open: the next call finds that the list is cut off.
                match scanner.is_within() {
                    true => return Err(io::Error::other("it ends within a conversation")),
                    false => break,
                }
            }
            let end = scanner.end(bytes);
            let taken = end.unwrap_or(bytes.len());
            len += taken as u64;
            if len <= self.most {
                text.extend_from_slice(&bytes[..taken]);
            } else {
                let room = BEGINNING.saturating_sub(text.len()).min(taken);
                text.extend_from_slice(&bytes[..room]);
                text.truncate(BEGINNING);
            }
            let ended = end.map(|end| bytes[end]);
            self.source.consume(taken + usize::from(ended.is_some()));
            if let Some(byte) = ended {
                self.is_ended = byte == b']';
                break;
            }
        }
        let text = String::from_utf8_lossy(text.trim_ascii()).into_owned();
        Ok(Some(match len <= self.most {
            true => Element::Whole(text),
            false => Element::TooLarge(text),
        }))
    }
}

/// Finds the end of an element, whatever the pieces in which it is read.
#[derive(Default)]
struct Scanner {
    depth: u64,
    in_string: bool,
    is_escaped: bool,
}

impl Scanner {
    fn is_within(&self) -> bool {
        0 < self.depth || self.in_string
    }

    /// Where the comma or the bracket behind the element is; `None` if the element goes on.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.is_escaped {
                self.is_escaped = false;
            } else if self.in_string {
                at += memchr::memchr2(b'"', b'\\', &bytes[at..])?;
                self.is_escaped = bytes[at] == b'\\';
                self.in_string = self.is_escaped;
            } else {
                match byte {
                    b',' | b']' if self.depth == 0 => return Some(at),
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
            }
            at += 1;
        }
        None
    }
}

/// The bytes that are read next; none at the end.
fn filled(source: &mut impl BufRead) -> io::Result<&[u8]> {
    // The second call returns what the first one has read.
    while let Err(error) = source.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    source.fill_buf()
}

/// The next byte that is not blank, not yet consumed.
fn next_byte(source: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let bytes = filled(source)?;
        let n_blank = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        let (found, is_end) = (bytes.get(n_blank).copied(), bytes.is_empty());
        source.consume(n_blank);
        if found.is_some() || is_end {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    const MOST: u64 = 20;

    /// The elements, `…` behind a beginning, and the reason why there are no more.
    fn read(text: &str, buffer: usize) -> Vec<String> {
        let source = BufReader::with_capacity(buffer, text.as_bytes());
        let mut elements = match Elements::of(source, MOST) {
            Ok(elements) => elements,
            Err(error) => return vec![error.to_string()],
        };
        let mut found = Vec::new();
        loop {
            match elements.next() {
                Ok(None) => return found,
                Ok(Some(Element::Whole(text))) => found.push(text),
                Ok(Some(Element::TooLarge(text))) => found.push(format!("{text}…")),
                Err(error) => {
                    found.push(error.to_string());
                    return found;
                }
            }
        }
    }

    #[test]
    fn the_elements_of_a_list_are_found_whatever_is_in_them() {
        let large = format!("{{\"x\":\"{}\"}}", "]".repeat(30));
        let large_first = format!("[{large},1]");
        let large_shown = format!("{large}…");
        let rows: [(&str, &str, &[&str]); 11] = [
            ("nothing", "", &["it is empty"]),
            ("no_list", " {}", &["it does not begin with “[”"]),
            ("an_empty_list", "\u{feff} [ ] more", &[]),
            (
                "brackets_in_strings",
                r#"[{"a":"],{\""} , ["\\"],7]"#,
                &[r#"{"a":"],{\""}"#, r#"["\\"]"#, "7"],
            ),
            ("blanks", "[\n {},\n\t[ ]\n]", &["{}", "[ ]"]),
            ("a_comma_too_many", "[1,2,]", &["1", "2"]),
            ("a_bracket_too_many", "[{}},2]", &["{}}", "2"]),
            (
                "cut_off_within_one",
                r#"[1,{"a":"#,
                &["1", "it ends within a conversation"],
            ),
            (
                "cut_off_within_a_string",
                r#"[1,"a,"#,
                &["1", "it ends within a conversation"],
            ),
            (
                "cut_off_between",
                "[1,{}",
                &["1", "{}", "it ends before the list does"],
            ),
            ("one_is_too_large", &large_first, &[&large_shown, "1"]),
        ];
        for (rule, text, expected) in rows {
            for buffer in [1, 2, 3, 7, 1000] {
                assert_eq!(read(text, buffer), expected, "{rule} in pieces of {buffer}");
            }
        }
    }
}
