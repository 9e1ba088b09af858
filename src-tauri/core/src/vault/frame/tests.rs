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

proptest! {
    /// A line as this program writes it is read in one pass; whether that is possible changes
    /// nothing about what is read and what is refused.
    #[test]
    fn a_line_is_read_in_one_pass_as_by_the_library(
        members in prop::collection::vec(prop::sample::select(&[
            r#""k":"lines""#, r#""k":"whole""#, r#""k":"piece""#, r#""k":"later""#, r#""doc":"a \"b\"""#, r#""at":"x""#,
            r#""after":"0707070707070707070707070707070707070707070707070707070707070707""#,
            r#""tip":"0707070707070707070707070707070707070707070707070707070707070707""#,
            r#""tip":"07""#, r#""replaces":null"#, r#""n":0"#, r#""of":2"#, r#""size":9"#, r#""head":1"#, r#""tail":-1"#,
            r#""more":{"text":"x"}"#, r#""text":null"#, r#""base64":"eA==""#, r#""text":"first""#,
        ][..]), 0..5),
        is_usual in any::<bool>(),
        text in r#"([a-z ]{0,9}|ü|\\["\\/nu]|\\u00e9|\\ud800|\x01){0,6}"#,
        end in prop::sample::select(&["}\n", "}", "} \n", "}}\n", ",\"at\":\"y\"}\n", ",\"text\":\"y\"}\n", "\n", ""][..]),
    ) {
        let id = "07".repeat(32);
        let usual = format!("\"k\":\"lines\",\"doc\":\"d\",\"at\":\"a\",\"after\":\"{id}\",\"tip\":\"{id}\",");
        let members: String = members.iter().map(|member| format!("{member},")).collect();
        let start = if is_usual { usual } else { members };
        let line = format!("{{{start}\"text\":\"{text}\"{end}");
        let whole = parse_any(line.as_bytes()).ok();
        prop_assert_eq!(parse_entry(line.as_bytes()).ok(), whole.clone());
        if let Some(read) = written_run(line.as_bytes()) {
            prop_assert_eq!(Some(read), whole);
        }
    }
}

#[test]
fn a_run_as_it_is_written_is_read_in_one_pass() {
    let head = Head {
        v: VERSION,
        device: DeviceId::new("D"),
        lane: Lane::Priority,
        tool: ToolId::new("t"),
        session: SessionId::new("s"),
        n: 0,
        prev: FrameHash(String::new()),
        at: crate::session::Hlc::default(),
        by: String::new(),
    };
    let run = Entry::Lines {
        doc: DocName::new("main"),
        at: "a/\"b\".jsonl".into(),
        after: ChainId::log_start(),
        tip: ChainId::snapshot_start(),
        replaces: Some(ChainId::log_start()),
        bytes: "{\"text\":\"ü\\n\u{1b}\"}\n".into(),
    };
    let (bytes, _) = render(&head, std::slice::from_ref(&run), |_| vec![0; 64]);
    let opened = Sealed::read(&bytes)
        .and_then(Sealed::open)
        .expect("a frame");
    let line = lines_of(&opened.lines).nth(1).expect("an entry");
    assert_eq!(written_run(line), Some(run));
}

#[test]
fn a_head_of_a_newer_version_is_told_from_a_damaged_one() {
    let head =
        |v: u32, rest: &str| parse_head(format!("{{\"k\":\"head\",\"v\":{v}{rest}}}").as_bytes());
    assert!(matches!(head(VERSION + 1, ""), Err(FrameError::Newer(_))));
    assert!(matches!(
        head(VERSION + 1, ",\"n\":\"x\""),
        Err(FrameError::Newer(_))
    ));
    assert!(matches!(head(VERSION, ""), Err(FrameError::Shape)));
}

#[test]
fn a_decision_of_a_later_kind_is_no_damage() {
    let later = parse_entry(br#"{"k":"choice","action":"interleave","doc":"main"}"#);
    assert!(matches!(later, Ok(Entry::Unknown(_))));
    let damaged = parse_entry(br#"{"k":"lines","doc":"main"}"#);
    assert!(matches!(damaged, Err(FrameError::Shape)));
}
