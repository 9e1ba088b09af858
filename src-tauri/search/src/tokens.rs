//! Text as terms. Words of any language and parts of identifiers: `HttpServer`, `http_server` and
//! `http-server` have the same parts. Knows no index.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Terms are cut here: what is longer is a blob, which nobody types.
pub const LONGEST: usize = 64;

/// One term of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where its letters are in [`Pieces::letters`].
    at: (u32, u32),
    /// Its place in the text, in bytes.
    pub from: usize,
    pub to: usize,
    /// Parts of one identifier, like words in a row, have places in a row.
    pub position: usize,
    /// The place of its last part, for a whole identifier beside its parts: it is in all places from
    /// the first to the last, so that words in a row may have it or them.
    pub last: usize,
}

/// The terms of a text, in order.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    letters: String,
    pub all: Vec<Piece>,
}

/// What the terms are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// With the whole of `HttpServer` beside its parts, so that `httpserver` finds it.
    Index,
    /// A question: a text without spaces between words has no lone last letter.
    Question,
    /// A question whose identifiers are not divided at capitals.
    Undivided,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    /// Written without spaces: found by pairs of letters.
    Unspaced,
    /// Neither seen nor searched: accents that follow their letter, soft hyphens.
    Nothing,
    Between,
}

impl Pieces {
    pub fn of(text: &str, purpose: For) -> Self {
        let mut pieces = Self::default();
        pieces.read(text, purpose);
        pieces
    }

    pub fn text(&self, piece: &Piece) -> &str {
        &self.letters[piece.at.0 as usize..piece.at.1 as usize]
    }

    pub fn texts(&self) -> impl Iterator<Item = (&Piece, &str)> {
        self.all.iter().map(|piece| (piece, self.text(piece)))
    }

    fn clear(&mut self) {
        self.letters.clear();
        self.all.clear();
    }

    fn read(&mut self, text: &str, purpose: For) {
        self.clear();
        let (mut position, mut at, bytes) = (0, 0, text.as_bytes());
        while at < bytes.len() {
            let (class, len) = class_at(text, at);
            let from = at;
            at += len;
            if matches!(class, Class::Between | Class::Nothing) {
                continue;
            }
            while at < bytes.len() {
                match class_at(text, at) {
                    (next, len) if next == class || next == Class::Nothing => at += len,
                    _ => break,
                }
            }
            let to = at;
            match class {
                Class::Word => self.word(text, from..to, &mut position, purpose),
                _ => self.pairs(text, from..to, &mut position, purpose),
            }
        }
    }

    fn word(
        &mut self,
        text: &str,
        range: std::ops::Range<usize>,
        position: &mut usize,
        purpose: For,
    ) {
        let (word, first) = (&text[range.clone()], *position);
        let mut start = 0;
        if word.len() <= LONGEST && purpose != For::Undivided {
            for end in humps(word) {
                self.push(text, range.start + start..range.start + end, position);
                start = end;
            }
        }
        self.push(text, range.start + start..range.end, position);
        if purpose == For::Index && 0 < start {
            let last = *position - 1;
            self.push(text, range, &mut first.clone());
            self.all.last_mut().expect("pushed above").last = last;
        }
    }

    fn pairs(
        &mut self,
        text: &str,
        range: std::ops::Range<usize>,
        position: &mut usize,
        purpose: For,
    ) {
        let mut letters = letters(text, range).peekable();
        let mut is_first = true;
        while let Some((from, to)) = letters.next() {
            match letters.peek() {
                Some((_, next)) => self.push(text, from..*next, position),
                None if is_first => self.push(text, from..to, position),
                // The last letter alone, so that each letter begins a term; beside its pair.
                None if purpose == For::Index => {
                    self.push(text, from..to, &mut position.saturating_sub(1));
                }
                None => break,
            }
            is_first = false;
        }
    }

    fn push(&mut self, text: &str, range: std::ops::Range<usize>, position: &mut usize) {
        let at = self.letters.len();
        fold(&text[range.clone()], &mut self.letters);
        let mut end = self.letters.len().min(at + LONGEST);
        while !self.letters.is_char_boundary(end) {
            end -= 1;
        }
        self.letters.truncate(end);
        if at == end {
            return;
        }
        self.all.push(Piece {
            at: (at as u32, end as u32),
            from: range.start,
            to: range.end,
            position: *position,
            last: *position,
        });
        *position += 1;
    }
}

/// The letters of a text without spaces between words, each with the marks that belong to it.
fn letters(text: &str, range: std::ops::Range<usize>) -> impl Iterator<Item = (usize, usize)> {
    let mut chars = text[range.clone()].char_indices().peekable();
    std::iter::from_fn(move || {
        let (at, first) = chars.find(|(_, letter)| class_of(*letter) != Class::Nothing)?;
        let (mut before, mut end) = (first, at + first.len_utf8());
        while let Some((at, next)) = chars.next_if(|(_, next)| continues(before, *next)) {
            (before, end) = (next, at + next.len_utf8());
        }
        Some((range.start + at, range.start + end))
    })
}

/// Whether a character is one letter with the one before it: the marks of a voiced kana, the parts of
/// a decomposed Hangul syllable.
fn continues(before: char, next: char) -> bool {
    let is_part = |letter: char| matches!(letter, '\u{1100}'..='\u{11FF}');
    let is_medial = |letter: char| matches!(letter, '\u{1160}'..='\u{11A7}');
    let is_final = |letter: char| matches!(letter, '\u{11A8}'..='\u{11FF}');
    is_voicing(next)
        || (is_part(before) && !is_final(before) && is_final(next))
        || (is_part(before) && !is_medial(before) && !is_final(before) && is_medial(next))
}

/// The marks of a voiced kana that follow it as characters of their own.
fn is_voicing(letter: char) -> bool {
    matches!(letter, '\u{3099}' | '\u{309A}' | '\u{FF9E}' | '\u{FF9F}')
}

/// The class of the letter at a place, and its length.
fn class_at(text: &str, at: usize) -> (Class, usize) {
    match text.as_bytes()[at] {
        byte if byte.is_ascii_alphanumeric() => (Class::Word, 1),
        byte if byte.is_ascii() => (Class::Between, 1),
        _ => {
            let letter = text[at..].chars().next();
            let letter = letter.expect("a place inside the text, at the beginning of a letter");
            (class_of(letter), letter.len_utf8())
        }
    }
}

fn class_of(letter: char) -> Class {
    if letter.is_ascii() {
        return match letter.is_ascii_alphanumeric() {
            true => Class::Word,
            false => Class::Between,
        };
    }
    match letter {
        '\u{0E00}'..='\u{0EFF}'
        | '\u{1000}'..='\u{109F}'
        | '\u{1100}'..='\u{11FF}'
        | '\u{1780}'..='\u{17FF}'
        | '\u{3041}'..='\u{3096}'
        | '\u{309D}'..='\u{309F}'
        | '\u{30A1}'..='\u{30FA}'
        | '\u{30FC}'..='\u{30FF}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FF66}'..='\u{FF9D}'
        | '\u{20000}'..='\u{3FFFD}' => Class::Unspaced,
        '\u{AD}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' => Class::Nothing,
        _ if is_voicing(letter) => Class::Nothing,
        _ if letter.is_alphanumeric() => Class::Word,
        _ if is_combining_mark(letter) => Class::Nothing,
        _ => Class::Between,
    }
}

/// Where the parts of `HttpServer` or `HTTPServer` begin, except the first.
fn humps(word: &str) -> Vec<usize> {
    let mut found = Vec::new();
    // A capital at the beginning alone divides nothing.
    let begins_one = |byte: u8| byte.is_ascii_uppercase() || !byte.is_ascii();
    if word.bytes().skip(1).any(begins_one) {
        let mut letters = word.char_indices().peekable();
        let mut before: Option<char> = None;
        while let Some((at, letter)) = letters.next() {
            let next = letters.peek().map(|(_, next)| *next);
            let begins = letter.is_uppercase()
                && before.is_some_and(|before| {
                    before.is_lowercase()
                        || (before.is_uppercase() && next.is_some_and(char::is_lowercase))
                });
            if begins {
                found.push(at);
            }
            before = Some(letter);
        }
    }
    found
}

/// Lower case, without accents, full width as half width.
fn fold(text: &str, out: &mut String) {
    if text.is_ascii() {
        let from = out.len();
        out.push_str(text);
        out[from..].make_ascii_lowercase();
        return;
    }
    if text
        .chars()
        .any(|letter| class_of(letter) == Class::Unspaced)
    {
        let is_seen = |letter: &char| class_of(*letter) != Class::Nothing || is_voicing(*letter);
        out.extend(text.chars().filter(is_seen).nfkc());
        return;
    }
    for letter in text.chars() {
        match class_of(letter) {
            Class::Nothing => {}
            _ if letter == 'ß' => out.push_str("ss"),
            _ => out.extend(
                std::iter::once(letter)
                    .nfkd()
                    .flat_map(char::to_lowercase)
                    .filter(|letter| !is_combining_mark(*letter)),
            ),
        }
    }
}

/// The index's view of [`Pieces`].
#[derive(Clone, Default)]
pub struct CodeTokenizer {
    pieces: Pieces,
    token: Token,
}

pub struct CodeStream<'a> {
    tokenizer: &'a mut CodeTokenizer,
    next: usize,
    /// How many places the next piece was in already.
    repeated: usize,
}

impl Tokenizer for CodeTokenizer {
    type TokenStream<'a> = CodeStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> CodeStream<'a> {
        self.pieces.read(text, For::Index);
        CodeStream {
            tokenizer: self,
            next: 0,
            repeated: 0,
        }
    }
}

impl TokenStream for CodeStream<'_> {
    fn advance(&mut self) -> bool {
        let CodeTokenizer { pieces, token } = &mut *self.tokenizer;
        let Some(piece) = pieces.all.get(self.next) else {
            return false;
        };
        token.position = piece.position + self.repeated;
        (self.next, self.repeated) = match token.position < piece.last {
            true => (self.next, self.repeated + 1),
            false => (self.next + 1, 0),
        };
        token.text.clear();
        token.text.push_str(pieces.text(piece));
        token.offset_from = piece.from;
        token.offset_to = piece.to;
        true
    }

    fn token(&self) -> &Token {
        &self.tokenizer.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.tokenizer.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<String> {
        let pieces = Pieces::of(text, For::Index);
        pieces.texts().map(|(_, text)| text.to_owned()).collect()
    }

    #[test]
    fn identifiers_and_paths_are_their_parts() {
        for (text, expected) in [
            ("snake_case_name", "snake case name"),
            ("HttpServer", "http server httpserver"),
            ("parseJSONFile", "parse json file parsejsonfile"),
            ("src/foo.rs:42", "src foo rs 42"),
            ("a.b::C<D>", "a b c d"),
            ("kebab-case", "kebab case"),
            ("utf8 sha256", "utf8 sha256"),
            (r"C:\Users\me", "c users me"),
        ] {
            assert_eq!(terms(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn letters_of_all_languages_are_folded() {
        for (text, expected) in [
            ("Straße ÉCOLE Ｆｕｌｌ", "strasse ecole full"),
            ("e\u{301}te\u{301}", "ete"),
            ("Привет", "привет"),
            ("検索する", "検索 索す する る"),
            ("한국어", "한국 국어 어"),
            ("mixed検索word", "mixed 検索 索 word"),
            ("so\u{AD}ft", "soft"),
        ] {
            assert_eq!(terms(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn a_whole_identifier_has_the_place_of_its_first_part() {
        let pieces = Pieces::of("one HttpServer two", For::Index);
        let places: Vec<_> = pieces
            .texts()
            .map(|(piece, text)| (text.to_owned(), piece.position))
            .collect();
        let expected = [
            ("one", 0),
            ("http", 1),
            ("server", 2),
            ("httpserver", 1),
            ("two", 3),
        ];
        assert_eq!(
            places,
            expected.map(|(text, at)| (text.to_owned(), at)).to_vec()
        );
    }

    #[test]
    fn long_blobs_are_one_short_term() {
        let blob = "aB3".repeat(10_000);
        let pieces = Pieces::of(&blob, For::Index);
        assert_eq!(pieces.all.len(), 1);
        assert_eq!(pieces.text(&pieces.all[0]).len(), LONGEST);
    }
}
