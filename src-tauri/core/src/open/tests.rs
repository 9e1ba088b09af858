//! Canonical text, ids, calls and the way from messages to items and back.

use super::*;
use crate::merge::transcript::{ParsedMessage, Piece};
use crate::session::Role;
use proptest::prelude::*;
use schemars::SchemaGenerator;
use serde_json::json;

#[test]
fn the_canonical_text_is_that_of_the_standard() {
    let value = json!({
        "numbers": [0, 9007199254740991u64, -7],
        "string": "\u{20ac}$\u{f}\nA'B\"\\\\\"/",
        "literals": [null, true, false],
        "\u{fb33}": 1, "\u{1f600}": 2, "\r": 3, "\u{20ac}": 4,
    });
    assert_eq!(
        canonical(&value).expect("canonical"),
        "{\"\\r\":3,\"literals\":[null,true,false],\"numbers\":[0,9007199254740991,-7],\
         \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\",\"\u{20ac}\":4,\"\u{1f600}\":2,\"\u{fb33}\":1}"
    );
    for number in [json!(0.5), json!(1e30), json!(u64::MAX)] {
        assert_eq!(canonical(&number), None, "{number}");
    }
}

fn said<'a>(role: Role, pieces: Vec<Piece<'a>>) -> ParsedMessage<'a> {
    ParsedMessage {
        role,
        at: None,
        id: None,
        pieces,
        model: None,
        tokens: None,
    }
}

/// The items as JSON, for short expectations.
fn items(calls: &mut Calls, message: &ParsedMessage<'_>) -> Value {
    serde_json::to_value(calls.items(message)).expect("JSON")
}

#[test]
fn a_message_becomes_items_of_the_vocabulary() {
    let mut calls = Calls::default();
    let message = said(
        Role::Assistant,
        vec![
            Piece::new("thinking", "hm"),
            Piece::new("text", "I look."),
            Piece::call("Read", r#"{"path":"a.rs"}"#, None).with_call_id(Some("t1")),
        ],
    );
    assert_eq!(
        items(&mut calls, &message),
        json!([
            { "type": "reasoning", "summary": [], "content": [{ "type": "reasoning_text", "text": "hm" }] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "I look." }] },
            { "type": "function_call", "call_id": "t1", "name": "Read", "arguments": "{\"path\":\"a.rs\"}" },
        ])
    );
    let picture = Piece {
        media: Some("image/png"),
        ..Piece::new("image", "aGk=")
    };
    let failed = Piece {
        is_error: true,
        ..Piece::new("tool_result", "no").with_call_id(Some("t1"))
    };
    let message = said(
        Role::Tool,
        vec![failed, picture, Piece::new("text", "go on")],
    );
    assert_eq!(
        items(&mut calls, &message),
        json!([
            { "type": "function_call_output", "call_id": "t1", "is_error": true, "output": [
                { "type": "input_text", "text": "no" },
                { "type": "input_image", "image_url": "data:image/png;base64,aGk=" },
            ] },
            { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "go on" }] },
        ])
    );
}

#[test]
fn calls_without_ids_are_answered_in_their_order() {
    let mut calls = Calls::default();
    let both = said(
        Role::Assistant,
        vec![Piece::call("a", "", None), Piece::call("b", "", None)],
    );
    calls.items(&both);
    let answers = said(
        Role::Tool,
        vec![
            Piece::new("tool_result", "1"),
            Piece::new("tool_result", "2"),
            Piece::new("tool_result", "of no call"),
        ],
    );
    let found = items(&mut calls, &answers);
    let ids: Vec<&Value> = found
        .as_array()
        .expect("items")
        .iter()
        .map(|item| &item["call_id"])
        .collect();
    assert_eq!(ids, ["call_1", "call_2", "call_3"]);
}

fn pieces() -> impl Strategy<Value = Vec<(usize, String, bool)>> {
    prop::collection::vec((0..6usize, "[a-z<\u{202e}]{1,8}", any::<bool>()), 1..6)
}

proptest! {
    /// What a message says is what its items say, whoever speaks.
    #[test]
    fn items_read_like_the_message_they_were_made_of(
        role in prop::sample::select(vec![Role::User, Role::Assistant, Role::System]),
        all in pieces(),
    ) {
        let kinds = ["text", "thinking", "compaction", "file", "tool_use", "image"];
        // Calls and thoughts are the assistant's.
        let most = if role == Role::Assistant { kinds.len() } else { 1 };
        let pieces: Vec<Piece<'_>> = all
            .iter()
            .map(|(kind, text, _)| match kinds[kind % most] {
                "tool_use" => Piece::call("tool", text.as_str(), None).with_call_id(Some("c")),
                kind => Piece::new(kind, text.as_str()),
            })
            .collect();
        let message = said(role, pieces);
        let items = Calls::default().items(&message);
        let record = json!({ "items": items });
        let read = super::read_message(&record).expect("a message");
        let is_silent = message.pieces.iter().all(|piece| matches!(piece.kind, "compaction" | "file" | "text" | "image"))
            && !items.iter().any(|item| matches!(item, Item::Message { .. } | Item::Part { .. }));
        if !is_silent {
            prop_assert_eq!(read.role, message.role);
        }
        prop_assert_eq!(read.pieces, message.pieces);
    }

    /// A file may be anything; reading it ends, and what is read is a tree.
    #[test]
    fn no_file_makes_the_reader_fail_otherwise_than_in_words(
        lines in prop::collection::vec("(\\{\"type\":\"(session|item)\"(,\"(id|parent|format|item)\":(null|1|\"x\"|\\{\\}))*\\}|[ -~]{0,20})", 0..6)
    ) {
        let error = read(lines.join("\n").as_bytes()).expect_err("nothing of it is right");
        prop_assert!(!error.why.is_empty() && 0 < error.line);
    }
}

#[test]
fn a_line_or_a_nesting_without_end_is_refused() {
    let long = format!(
        "{{\"type\":\"session\",\"x\":\"{}\"}}",
        "a".repeat(33 << 20)
    );
    assert!(
        read(long.as_bytes())
            .expect_err("too long")
            .why
            .contains("longer")
    );
    let deep = "[".repeat(100_000);
    assert!(read(deep.as_bytes()).is_err());
}

/// The fixture was made by another program, from docs/open-format.md alone.
#[test]
fn a_file_of_another_writer_is_right_and_reads_as_it_was_meant() {
    let kept = include_str!(
        "../../../../tests/fixtures/tools/open-format/one-session/home/.session-roam/imported/open-format/\
         open1-3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6.json"
    );
    let kept: Value = serde_json::from_str(kept).expect("JSON");
    let entries = kept["conversation"]["entries"].as_array().expect("a list");
    let mut file = format!("{}\n", kept["conversation"]["header"]);
    for entry in entries {
        file.push_str(&format!("{entry}\n"));
    }
    let session = read(file.as_bytes()).expect("it is right");
    assert_eq!(&session.entries, entries);
    let path = path(&session.entries);
    assert_eq!(
        path.len(),
        entries.len() - 1,
        "the other branch is not on it"
    );
    let groups = groups(&path);
    assert_eq!(groups.len(), 7, "three entries are of one record");
}

// ---- the schema ----

/// A line of the open format: the header, or an entry.
fn schema() -> String {
    let mut generator = SchemaGenerator::default();
    let mut line = generator.subschema_for::<Line>().to_value();
    let mut shared = generator.take_definitions(true);
    if let Some(whole) = shared.remove("Line") {
        line = whole;
    }
    line["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    line["title"] = "A line of a session in the open format of session-roam, version 1".into();
    line["$defs"] = shared.into();
    serde_json::to_string_pretty(&line).expect("JSON") + "\n"
}

#[test]
fn the_schema_of_the_open_format_is_that_of_its_types() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/open-session.schema.json");
    #[allow(clippy::disallowed_methods)] // `cargo xtask docs` says so
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, schema()).expect("written");
    }
    let written = std::fs::read_to_string(&file).expect("the schema");
    // Git may have checked it out with other line ends.
    assert_eq!(
        written.replace("\r\n", "\n"),
        schema(),
        "run `cargo xtask docs`"
    );
}
