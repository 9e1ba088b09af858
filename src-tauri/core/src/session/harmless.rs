//! Text from anywhere, made fit to be shown: nothing in it steers a terminal, turns the reading direction round, hides or
//! begins a line of its own. The one place that says which characters do so.

/// Whether a character is obeyed, or not seen, where it should be shown: control characters, marks of reading direction,
/// what has no width, separators of lines and paragraphs. Line ends and tabs are not among them.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Soft hyphen, grapheme joiner, the Arabic letter mark.
        '\u{ad}' | '\u{34f}' | '\u{61c}' => true,
        // Fillers that show nothing.
        '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{180b}'..='\u{180f}' => true,
        // Without width: spaces, joiners, left-to-right and right-to-left marks.
        '\u{200b}'..='\u{200f}' => true,
        // Separators, embeddings and overrides.
        '\u{2028}'..='\u{202e}' => true,
        // Invisible operators, isolates, deprecated ones.
        '\u{2060}'..='\u{206f}' => true,
        // The byte-order mark, annotations, tags.
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        c => c.is_control(),
    }
}

/// The text with every such character replaced by one that is seen. What joins letters or pictures and has no width is
/// left out: Persian and families of emoji have it for good reasons.
pub fn harmless(text: &str) -> String {
    let joins = |c: char| matches!(c, '\u{200c}' | '\u{200d}' | '\u{ad}');
    let shown = text.replace("\r\n", "\n");
    shown
        .chars()
        .filter(|c| !joins(*c))
        .map(|c| if is_hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

/// The same on one line.
pub fn harmless_line(text: &str) -> String {
    harmless(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// JSON with every such character escaped: the same document, and nothing in it steers whoever looks at it.
pub fn harmless_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match is_hidden(c) && c != '\r' {
            // Outside of strings JSON has none of them.
            true => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_transcript_cannot_steer_the_terminal() {
        let text = "a\x1b[2Jb\x07\u{9b}31m\tc\r\nd\u{202e}e\n";
        assert_eq!(
            harmless(text),
            "a\u{fffd}[2Jb\u{fffd}\u{fffd}31m\tc\nd\u{fffd}e\n"
        );
    }

    /// F11: left-to-right and right-to-left marks passed.
    #[test]
    fn nothing_turns_the_direction_round_or_hides() {
        for c in [
            '\u{200e}', '\u{200f}', '\u{61c}', '\u{202a}', '\u{2066}', '\u{2069}', '\u{200b}',
            '\u{feff}', '\u{2028}',
        ] {
            assert_eq!(
                harmless(&format!("a{c}b")),
                "a\u{fffd}b",
                "{:x}",
                u32::from(c)
            );
        }
        assert_eq!(harmless("👩\u{200d}💻 می\u{200c}خواهم"), "👩💻 میخواهم");
        assert_eq!(harmless_line(" a\n\u{2028}b\tc "), "a \u{fffd}b c");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in any::<String>(), c in any::<char>()) {
            let text = format!("{text}{c}");
            prop_assert!(!harmless(&text).chars().any(is_hidden));
            prop_assert!(!harmless_line(&text).contains(['\n', '\t']));
            let json = serde_json::to_string(&text).unwrap();
            let escaped = harmless_json(&json);
            prop_assert!(!escaped.chars().any(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
