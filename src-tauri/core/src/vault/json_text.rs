//! The text of a JSON string, read in one pass. A transcript in a journal is JSON within JSON, with
//! an escape every few bytes: reading these is most of the cost of reading a journal. Knows no
//! frames.

use super::limits;

/// Bytes that are looked at together.
const WORD: usize = size_of::<u64>();

/// What an escape of two bytes stands for, by its second byte; 0 for any other byte.
const SHORT: [u8; 256] = {
    let mut of = [0; 256];
    of[b'"' as usize] = b'"';
    of[b'\\' as usize] = b'\\';
    of[b'/' as usize] = b'/';
    of[b'n' as usize] = b'\n';
    of[b't' as usize] = b'\t';
    of[b'r' as usize] = b'\r';
    of[b'b' as usize] = 8;
    of[b'f' as usize] = 12;
    of
};

/// The content of the string whose opening quote is just before `text`, and the length of the
/// string in `text` with its closing quote. `None` if `text` does not begin with a whole string, or
/// its content is not UTF-8.
pub(super) fn unescape(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    // Whole words are copied, the last of them beyond the content.
    let mut out = vec![0; text.len() + WORD];
    let (mut at, mut len) = (0, 0);
    loop {
        while let Some(word) = text[at..].first_chunk::<WORD>() {
            out[len..len + WORD].copy_from_slice(word);
            let plain = plain_bytes(u64::from_le_bytes(*word));
            (at, len) = (at + plain, len + plain);
            if plain < WORD {
                break;
            }
        }
        match *text.get(at)? {
            b'"' => break,
            b'\\' => match SHORT[usize::from(*text.get(at + 1)?)] {
                0 => {
                    let (size, letter) = escape(&text[at..])?;
                    len += letter.encode_utf8(&mut out[len..]).len();
                    at += size;
                }
                plain => {
                    out[len] = plain;
                    (at, len) = (at + 2, len + 1);
                }
            },
            ..b' ' => return None,
            plain => {
                out[len] = plain;
                (at, len) = (at + 1, len + 1);
            }
        }
    }
    out.truncate(len);
    std::str::from_utf8(&out).ok()?;
    Some((out, at + 1))
}

/// How many of the bytes before the first one that is a quote, a backslash or a control character.
fn plain_bytes(word: u64) -> usize {
    const ONES: u64 = u64::MAX / 255;
    // Of a byte, the highest bit: set where it is zero. Behind the first such byte, others may have
    // it set, too.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let is = |byte: u8| zeros(word ^ (ONES * u64::from(byte)));
    let control = word.wrapping_sub(ONES * u64::from(b' ')) & !word;
    let found = (is(b'"') | is(b'\\') | control) & (ONES << 7);
    found.trailing_zeros() as usize / 8
}

/// The escape at the start of `text`: its length and its character.
pub(super) fn escape(text: &[u8]) -> Option<(usize, char)> {
    let unit = |at: usize| {
        let digits = text
            .get(at..at + 6)
            .filter(|text| text.starts_with(b"\\u"))
            .map(|text| &text[2..])
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match SHORT[usize::from(*text.get(1)?)] {
        0 => {}
        short => return Some((2, char::from(short))),
    }
    let first = unit(0)?;
    if let Some(single) = char::from_u32(first) {
        return Some((6, single));
    }
    let second = unit(6).filter(|second| (0xDC00..0xE000).contains(second) && first < 0xDC00)?;
    char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)).map(|pair| (12, pair))
}

/// Where the content of an entry begins, and whether it is text or base64. Its member is the last
/// one of the entry, as this program writes it, and those before it are plain values.
pub(super) fn content_at(line: &[u8]) -> Option<(usize, bool)> {
    let mut at = usize::from(line.first() == Some(&b'{'));
    while 0 < at && at < limits::HEAD {
        let name = string_at(line, at)?;
        at = name.end;
        if line.get(at) != Some(&b':') {
            return None;
        }
        at += 1;
        let is_text = match &line[name] {
            b"\"text\"" => Some(true),
            b"\"base64\"" => Some(false),
            _ => None,
        };
        match (line.get(at)?, is_text) {
            (b'"', Some(is_text)) => return Some((at + 1, is_text)),
            (b'"', None) => at = string_at(line, at)?.end,
            (b'{' | b'[', _) => return None,
            _ => at += memchr::memchr2(b',', b'}', &line[at..])?,
        }
        if line.get(at) != Some(&b',') {
            return None;
        }
        at += 1;
    }
    None
}

/// The string token at `at`.
fn string_at(line: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let mut end = at + 1;
    if line.get(at) != Some(&b'"') {
        return None;
    }
    loop {
        match line.get(end)? {
            b'"' => return Some(at..end + 1),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_byte_that_is_not_plain_is_found_at_each_place() {
        for byte in 0..=255u8 {
            for at in 0..WORD {
                for around in [b'a', 0x80, 0xff, b'!', b'#', b'[', b']'] {
                    let mut word = [around; WORD];
                    word[at] = byte;
                    let is_plain = byte >= b' ' && byte != b'"' && byte != b'\\';
                    let wanted = if is_plain { WORD } else { at };
                    assert_eq!(
                        plain_bytes(u64::from_le_bytes(word)),
                        wanted,
                        "{byte} at {at}"
                    );
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// What is read, and what is refused, is what the library reads and refuses.
        #[test]
        fn a_string_is_read_as_the_library_reads_it(
            parts in prop::collection::vec(prop_oneof![
                Just(&b"plain text of some length"[..]), Just(&b"\xc3\xbc"[..]), Just(&b"\xf0\x9f\xa6\x80"[..]),
                Just(&b"\\\""[..]), Just(&b"\\\\"[..]), Just(&b"\\n"[..]), Just(&b"\\/"[..]), Just(&b"\\b\\f\\r\\t"[..]),
                Just(&b"\\u00e9"[..]), Just(&b"\\u00E9"[..]), Just(&b"\\ud83e\\udd80"[..]), Just(&b"\\ud83e"[..]),
                Just(&b"\\udd80"[..]), Just(&b"\\u+0e9"[..]), Just(&b"\\x"[..]), Just(&b"\\"[..]), Just(&b"\""[..]),
                Just(&b"\n"[..]), Just(&b"\0"[..]), Just(&b"\xc3"[..]), Just(&b"\x7f"[..]), Just(&b"a"[..]),
            ], 0..9),
            behind in 0usize..10,
        ) {
            let text = parts.concat();
            let ours = unescape(&[&text[..], b"\"", &vec![b'x'; behind]].concat());
            // The first quote that is not escaped ends the string.
            let mut end = 0;
            while end < text.len() && text[end] != b'"' {
                end += if text[end] == b'\\' { 2 } else { 1 };
            }
            let whole = end <= text.len();
            let theirs = whole.then(|| [b"\"", &text[..end], b"\""].concat())
                .and_then(|quoted| serde_json::from_slice::<String>(&quoted).ok())
                .map(|content| (content.into_bytes(), end + 1));
            if whole {
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}
