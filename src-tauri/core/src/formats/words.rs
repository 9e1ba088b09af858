//! A fixed set of words, all of them searched for in one pass over a text.

use aho_corasick::{AhoCorasick, packed};

#[derive(Debug)]
pub struct Words {
    /// The faster way, on processors that have it.
    packed: Option<packed::Searcher>,
    automaton: Option<AhoCorasick>,
}

impl Words {
    /// None of the words is empty.
    pub fn new(words: impl IntoIterator<Item: AsRef<[u8]>>) -> Self {
        let words: Vec<_> = words.into_iter().collect();
        let packed = packed::Searcher::new(&words);
        let automaton = match packed {
            Some(_) => None,
            None => AhoCorasick::new(&words).ok(),
        };
        Self { packed, automaton }
    }

    /// Whether the text contains one of the words. Words that cannot be searched for may be in any
    /// text.
    pub fn is_in(&self, text: &[u8]) -> bool {
        match (&self.packed, &self.automaton) {
            (Some(packed), _) => packed.find(text).is_some(),
            (None, Some(automaton)) => automaton.is_match(text),
            (None, None) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_wherever_it_stands_and_whatever_stands_beside_it() {
        let words = ["alpha", "alp\"", "beta"];
        let ways = [
            Words::new(words),
            Words {
                packed: None,
                automaton: AhoCorasick::new(words).ok(),
            },
        ];
        for (text, is_in) in [
            ("", false),
            ("alph", false),
            ("alpha", true),
            ("alalp\"", true),
            ("betbeta", true),
            ("bet a alph a", false),
        ] {
            for before in [0, 1, 15, 31, 200] {
                let text = format!("{}{text}{}", "x".repeat(before), "y".repeat(before % 40));
                for way in &ways {
                    assert_eq!(way.is_in(text.as_bytes()), is_in, "{text}");
                }
            }
        }
    }
}
