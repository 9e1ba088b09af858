//! Makes text from anywhere fit for display: no part of it can steer a terminal, change the reading
//! direction, hide, or begin a line of its own. The only list of the characters that do so.

/// Whether a character acts on the display or is invisible: control characters, marks of reading
/// direction, zero-width characters, separators of lines and paragraphs; not line ends and tabs.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Soft hyphen, grapheme joiner, the Arabic letter mark.
        '\u{ad}' | '\u{34f}' | '\u{61c}' => true,
        // Fillers that show nothing.
        '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{180b}'..='\u{180f}' => true,
        // No width: spaces, joiners, left-to-right and right-to-left marks.
        '\u{200b}'..='\u{200f}' => true,
        // Separators, embeddings and overrides.
        '\u{2028}'..='\u{202e}' => true,
        // Invisible operators, isolates, deprecated characters.
        '\u{2060}'..='\u{206f}' => true,
        // The byte-order mark, annotations, tags.
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        c => c.is_control(),
    }
}

/// Replaces every hidden character with a visible one. Zero-width joiners of letters or pictures
/// are removed instead: Persian text and family emoji contain them legitimately.
pub fn harmless(text: &str) -> String {
    let joins = |c: char| matches!(c, '\u{200c}' | '\u{200d}' | '\u{ad}');
    let shown = text.replace("\r\n", "\n");
    shown
        .chars()
        .filter(|c| !joins(*c))
        .map(|c| if is_hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Replaces every hidden character of code with a visible one, joiners too: each may change what the code does.
pub fn visible(code: &str) -> String {
    let lines = code.replace("\r\n", "\n");
    let shown = lines.chars();
    shown
        .map(|c| if is_hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

/// The same as [`harmless`] on a single line.
pub fn harmless_line(text: &str) -> String {
    harmless(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Escapes every hidden character in JSON. The document stays the same and cannot steer a terminal.
pub fn harmless_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match is_hidden(c) && c != '\r' {
            // Outside strings, JSON has no such characters.
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

    /// F11: left-to-right and right-to-left marks were let through.
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

    #[test]
    fn in_code_joiners_and_tags_are_seen_too() {
        let code = "+\tif a\u{202e}b\u{200d}\u{2066}\u{e0041} {\r\n-x\n";
        let seen = "+\tif a\u{fffd}b\u{fffd}\u{fffd}\u{fffd} {\n-x\n";
        assert_eq!(visible(code), seen);
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
