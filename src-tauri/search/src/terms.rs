//! What a word may be in the index: itself, the beginning of others, another form, a typing error.

use crate::query::Word;
use crate::schema::Fields;
use std::collections::HashMap;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::Field;
use tantivy::{Searcher, SegmentReader, Term};

/// How many terms a prefix or a typing error stands for: those in most messages.
const MOST_FORMS: usize = 40;
/// How many terms of one field and segment are read for that.
const MOST_READ: usize = 1_000;
const ENOUGH: u64 = 20;
const LARGEST: usize = 4;
const SMALL: u32 = 5_000;
const MOST_PROVISIONAL: u64 = 20_000;

/// A term that counts as the word.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub text: String,
    /// 1 for the word itself.
    pub weight: f32,
    /// In how many messages it is.
    pub docs: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typos {
    /// The word as it is typed, and its forms.
    No,
    /// Also what differs by a letter or two.
    Forgiven,
}

/// The terms of the index that count as a word of one part, best first.
pub fn forms(
    searcher: &Searcher,
    fields: &Fields,
    word: &Word,
    typos: Typos,
) -> tantivy::Result<Vec<Form>> {
    let text = &word.parts[0];
    let fields = fields_of(fields, word);
    let mut found: HashMap<String, Form> = HashMap::new();
    let mut add = |text: &str, weight: f32, docs: u64| {
        let form = found.entry(text.to_owned()).or_insert_with(|| Form {
            text: text.to_owned(),
            weight,
            docs: 0,
        });
        form.weight = form.weight.max(weight);
        form.docs = form.docs.max(docs);
    };
    let count = |text: &str| -> tantivy::Result<u64> {
        let counts = fields
            .iter()
            .map(|field| searcher.doc_freq(&Term::from_field_text(*field, text)));
        counts.sum()
    };
    let docs = count(text)?;
    if 0 < docs {
        add(text, 1.0, docs);
    }
    if !word.exact {
        for other in inflections(text) {
            let docs = count(&other)?;
            if 0 < docs {
                add(&other, 0.8, docs);
            }
        }
    }
    // A word that many messages have is not the beginning of another one, unless that is asked for.
    let is_typed_to_its_end = !word.asks_prefix && ENOUGH <= docs;
    if word.prefix && !is_typed_to_its_end {
        let mut left = if word.asks_prefix {
            u64::MAX
        } else {
            MOST_PROVISIONAL
        };
        for (other, docs) in beginning_with(searcher, &fields, text, word.asks_prefix)? {
            // While somebody types, a few thousand messages are enough to look at.
            if left == 0 {
                break;
            }
            left = left.saturating_sub(docs);
            let shorter = text.len() as f32 / other.len() as f32;
            add(&other, 0.4 + 0.5 * shorter, docs);
        }
    }
    if typos == Typos::Forgiven && !word.exact {
        for (other, docs, weight) in similar(searcher, &fields, text, word.prefix)? {
            add(&other, weight, docs);
        }
    }
    let mut found: Vec<Form> = found.into_values().collect();
    found.sort_by(|one, other| {
        other
            .weight
            .total_cmp(&one.weight)
            .then_with(|| other.docs.cmp(&one.docs))
            .then_with(|| one.text.cmp(&other.text))
    });
    Ok(found)
}

/// The fields in which a word is looked for.
pub fn fields_of(fields: &Fields, word: &Word) -> Vec<Field> {
    match word.file {
        true => vec![fields.file],
        false => vec![fields.text, fields.output, fields.file],
    }
}

/// The other number and tense of an English word; harmless for others, since only terms of the
/// index count.
fn inflections(word: &str) -> Vec<String> {
    if word.len() < 3 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut stems = vec![word.to_owned()];
    for (suffix, instead) in [
        ("ies", "y"),
        ("es", ""),
        ("s", ""),
        ("ed", ""),
        ("ed", "e"),
        ("ing", ""),
        ("ing", "e"),
    ] {
        if let Some(stem) = word.strip_suffix(suffix).filter(|stem| 3 <= stem.len()) {
            stems.push(format!("{stem}{instead}"));
            let mut last = stem.chars().rev();
            if instead.is_empty() && suffix != "s" && last.next() == last.next() {
                stems.push(stem[..stem.len() - 1].to_owned()); // stopped: stop
            }
        }
    }
    for stem in &stems {
        let cut = stem.strip_suffix('e').unwrap_or(stem);
        found.extend([
            stem.clone(),
            format!("{stem}s"),
            format!("{stem}es"),
            format!("{cut}ed"),
            format!("{cut}ing"),
        ]);
        if let Some(cut) = stem.strip_suffix('y') {
            found.push(format!("{cut}ies"));
        }
        if let Some(last) = stem.chars().next_back().filter(|_| stem.len() <= 5) {
            found.extend([format!("{stem}{last}ing"), format!("{stem}{last}ed")]);
        }
    }
    found.retain(|other| other != word);
    found.sort();
    found.dedup();
    found
}

fn most_frequent(counts: HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut found: Vec<(String, u64)> = counts.into_iter().collect();
    found.sort_by(|(one, n), (other, m)| m.cmp(n).then_with(|| one.cmp(other)));
    found.truncate(MOST_FORMS);
    found
}

/// The terms that begin so, those in most messages first, and in how many messages they are.
pub fn beginning_with(
    searcher: &Searcher,
    fields: &[Field],
    prefix: &str,
    all: bool,
) -> tantivy::Result<Vec<(String, u64)>> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut segments: Vec<&SegmentReader> = searcher.segment_readers().iter().collect();
    if !all {
        // What many messages have is in the largest segments, what is new in the small ones.
        segments.sort_by_key(|segment| std::cmp::Reverse(segment.max_doc()));
        let mut rank = 0;
        segments.retain(|segment| {
            rank += 1;
            rank <= LARGEST || segment.max_doc() < SMALL
        });
    }
    for segment in segments {
        for field in fields {
            let index = segment.inverted_index(*field)?;
            let mut stream = index.terms().range().ge(prefix).into_stream()?;
            for _ in 0..MOST_READ {
                if !stream.advance() || !stream.key().starts_with(prefix.as_bytes()) {
                    break;
                }
                if let Ok(text) = std::str::from_utf8(stream.key()) {
                    let docs = u64::from(stream.value().doc_freq);
                    match counts.get_mut(text) {
                        Some(count) => *count += docs,
                        None => {
                            counts.insert(text.to_owned(), docs);
                        }
                    }
                }
            }
        }
    }
    Ok(most_frequent(counts))
}

/// Terms that differ by one letter, or by two in a long word. A transposition counts as one.
fn similar(
    searcher: &Searcher,
    fields: &[Field],
    word: &str,
    prefix: bool,
) -> tantivy::Result<Vec<(String, u64, f32)>> {
    let most = match word.chars().count() {
        0..4 => return Ok(Vec::new()),
        4..8 => 1,
        _ => 2,
    };
    let mut found = Vec::new();
    for distance in 1..=most {
        let mut counts: HashMap<String, u64> = HashMap::new();
        for field in fields {
            let term = Term::from_field_text(*field, word);
            let query = match prefix {
                true => FuzzyTermQuery::new_prefix(term, distance, true),
                false => FuzzyTermQuery::new(term, distance, true),
            };
            for segment in searcher.segment_readers() {
                let index = segment.inverted_index(*field)?;
                let mut stream = index.terms().search(query.automaton()?).into_stream()?;
                let mut left = MOST_READ;
                while 0 < left && stream.advance() {
                    left -= 1;
                    if let Ok(text) = std::str::from_utf8(stream.key()) {
                        let docs = u64::from(stream.value().doc_freq);
                        *counts.entry(text.to_owned()).or_default() += docs;
                    }
                }
            }
        }
        let weight = if distance == 1 { 0.6 } else { 0.4 };
        let ranked = most_frequent(counts).into_iter();
        found.extend(ranked.map(|(text, docs)| (text, docs, weight)));
        if !found.is_empty() {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_other_numbers_and_tenses() {
        for (word, other) in [
            ("test", "tests"),
            ("tests", "test"),
            ("migrations", "migration"),
            ("retry", "retries"),
            ("retries", "retry"),
            ("caching", "cache"),
            ("cached", "caching"),
            ("cache", "caching"),
            ("stopped", "stop"),
            ("stop", "stopping"),
            ("index", "indexes"),
        ] {
            assert!(inflections(word).contains(&other.to_owned()), "{word}");
        }
        assert!(inflections("ab").is_empty());
        assert!(inflections("größe").is_empty());
    }
}
