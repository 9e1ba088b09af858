//! The line of a message that shows why it was found.

use crate::query::Word;
use crate::terms::Form;
use crate::tokens::{For, LONGEST, Pieces};
use std::collections::HashMap;
use std::ops::Range;

/// Recognises the words of a question in a text.
pub struct Matcher {
    /// Terms that are a word by themselves, and the word's number.
    terms: HashMap<String, usize>,
    prefixes: Vec<(String, usize)>,
    /// Terms in a row, whether the last one is a prefix, and the word's number.
    rows: Vec<(Vec<String>, bool, usize)>,
}

impl Matcher {
    pub fn new<'a>(words: &[Word], forms: impl Iterator<Item = &'a Vec<Form>>) -> Self {
        let mut matcher = Self {
            terms: HashMap::new(),
            prefixes: Vec::new(),
            rows: Vec::new(),
        };
        for (number, (word, forms)) in words.iter().zip(forms).enumerate() {
            if word.not {
                continue;
            }
            for form in forms {
                matcher.terms.insert(form.text.clone(), number);
            }
            for row in word.rows() {
                match row {
                    [one] if word.prefix => matcher.prefixes.push((one.clone(), number)),
                    [_] => {}
                    row => matcher.rows.push((row.to_vec(), word.prefix, number)),
                }
            }
        }
        matcher
    }

    /// The best part of a text as one line of about `width` letters, and the matches in it.
    pub fn line(&self, text: &str, width: usize) -> (String, Vec<Range<usize>>) {
        let matches = self.matches(text);
        let window = window(text, &matches, width);
        let mut line = String::new();
        if 0 < window.start {
            line.push('…');
        }
        let mut marks = Vec::new();
        let mut at = window.start;
        for (_, found) in matches {
            if found.start < at || window.end < found.end {
                continue;
            }
            push_clean(&text[at..found.start], &mut line);
            let from = line.len();
            push_clean(&text[found.clone()], &mut line);
            marks.push(from..line.len());
            at = found.end;
        }
        push_clean(&text[at..window.end], &mut line);
        while line.ends_with(' ') && marks.last().is_none_or(|mark| mark.end < line.len()) {
            line.pop();
        }
        if window.end < text.len() {
            line.push('…');
        }
        (line, marks)
    }

    /// The words' numbers and places, in order, without overlaps.
    fn matches(&self, text: &str) -> Vec<(usize, Range<usize>)> {
        let pieces = Pieces::of(text, For::Index);
        let mut found: Vec<(usize, Range<usize>)> = Vec::new();
        for (piece, text) in pieces.texts() {
            let by_prefix = || {
                let mut prefixes = self.prefixes.iter();
                let is = |(prefix, _): &&(String, usize)| text.starts_with(prefix.as_str());
                prefixes.find(is).map(|(_, number)| *number)
            };
            if let Some(number) = self.terms.get(text).copied().or_else(by_prefix) {
                found.push((number, piece.from..piece.to));
            }
        }
        for (row, prefix, number) in &self.rows {
            let starts = 0..pieces.all.len();
            let ends = starts.filter_map(|at| Some((at, row_from(&pieces, at, row, *prefix)?)));
            found.extend(ends.map(|(at, end)| (*number, pieces.all[at].from..end)));
        }
        found.sort_by_key(|(_, range)| (range.start, std::cmp::Reverse(range.end)));
        let mut end = 0;
        found.retain(|(_, range)| {
            let is_after = end <= range.start;
            if is_after {
                end = range.end;
            }
            is_after
        });
        found
    }
}

/// Where a row of terms ends in a text that begins at a piece of it.
fn row_from(pieces: &Pieces, at: usize, row: &[String], prefix: bool) -> Option<usize> {
    let (wanted, rest) = row.split_first()?;
    let (piece, text) = (&pieces.all[at], pieces.text(&pieces.all[at]));
    if rest.is_empty() {
        let fits = text == wanted || (prefix && text.starts_with(wanted.as_str()));
        return fits.then_some(piece.to);
    }
    if text != wanted {
        return None;
    }
    // A whole identifier is behind its parts, of which it has at most one a letter.
    let following = pieces.all.iter().enumerate().skip(at + 1);
    following
        .take(LONGEST + 2)
        .filter(|(_, other)| other.position == piece.last + 1)
        .find_map(|(next, _)| row_from(pieces, next, rest, prefix))
}

/// The stretch with most of the words.
fn window(text: &str, matches: &[(usize, Range<usize>)], width: usize) -> Range<usize> {
    if text.len() <= width {
        return 0..text.len();
    }
    let mut best: (u32, usize) = (0, 0);
    for (idx, (_, first)) in matches.iter().enumerate() {
        let within = matches[idx..]
            .iter()
            .take_while(|(_, other)| other.end <= first.start + width * 3 / 4);
        let words = within.fold(0u32, |mask, (number, _)| mask | 1 << (number % 32));
        if best.0 < words.count_ones() {
            best = (words.count_ones(), first.start);
        }
    }
    let mut start = best.1.saturating_sub(width / 4);
    if best.1 < width / 2 {
        start = 0;
    }
    start = at_word(text, start);
    let mut end = (start + width).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    start..end
}

/// The beginning of the word at or after a place, if that is near.
fn at_word(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    if at == 0 {
        return 0;
    }
    let space = text[at..].char_indices().take(24);
    let space = space.into_iter().find(|(_, letter)| letter.is_whitespace());
    space.map_or(at, |(offset, letter)| at + offset + letter.len_utf8())
}

/// Text without line ends, control characters and what reverses or hides text.
fn push_clean(text: &str, out: &mut String) {
    for letter in text.chars() {
        let is_hidden = matches!(
            letter,
            '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
                | '\u{E0000}'..='\u{E007F}'
        );
        match letter.is_control() || letter.is_whitespace() || is_hidden {
            true if out.ends_with(' ') || out.is_empty() => {}
            true => out.push(' '),
            false => out.push(letter),
        }
    }
}
