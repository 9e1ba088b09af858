//! Texts of lines must be read as the JSON library reads them.

use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_text_is_read_as_the_library_reads_it(text in any::<String>(), lines in r#"[ab"\\\\/\n\t\r\u{8}\u{c}\u{1b}ü🦀]{0,40}"#) {
        for text in [text, lines] {
            let written = serde_json::to_string(&text).expect("text");
            prop_assert_eq!(unescape(&written), Some(text.into_bytes()));
        }
    }

    #[test]
    fn what_is_no_text_is_not_read_as_one(inner in r#"[ab\\\\nu0d8c"]{0,12}"#) {
        let quoted = format!("\"{inner}\"");
        let known = serde_json::from_str::<String>(&quoted).ok().map(String::into_bytes);
        if let Ok(raw) = serde_json::from_str::<&RawValue>(&quoted) {
            prop_assert_eq!(unescape(raw.get()), known);
        } else {
            prop_assert_eq!(known, None);
        }
    }
}

#[test]
fn a_decision_of_a_later_kind_is_no_damage() {
    let later = parse_entry(br#"{"k":"choice","action":"interleave","doc":"main"}"#);
    assert!(matches!(later, Ok(Entry::Unknown(_))));
    let damaged = parse_entry(br#"{"k":"lines","doc":"main"}"#);
    assert!(matches!(damaged, Err(FrameError::Shape)));
}
