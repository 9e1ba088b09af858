//! Canvases as the calls make them: created, rewritten, changed in places, and asked for too much.

use super::tree::{records, said};
use serde_json::{Value, json};

/// A conversation of calls of the canvas tool, each with its answer; the last ones hang on another branch.
fn conversation(calls: &[(&str, Value)], others: &[(&str, Value)]) -> Vec<u8> {
    let mut mapping = serde_json::Map::new();
    let mut add = |id: &str, parent: &str, child: &[String], message: Value| {
        mapping.insert(
            id.into(),
            json!({ "id": id, "parent": parent, "children": child, "message": message }),
        );
    };
    let all: Vec<_> = calls.iter().chain(others).collect();
    for (at, (name, arguments)) in all.iter().enumerate() {
        let parent = match at {
            0 => "root".to_owned(),
            _ if at == calls.len() => "answer0".to_owned(),
            _ => format!("answer{}", at - 1),
        };
        let (call, answer) = (format!("call{at}"), format!("answer{at}"));
        let next = (at + 1 < all.len()).then(|| format!("call{}", at + 1));
        let recipient = format!("canmore.{name}_textdoc");
        let content =
            json!({ "content_type": "code", "language": "json", "text": arguments.to_string() });
        add(
            &call,
            &parent,
            std::slice::from_ref(&answer),
            json!({ "author": { "role": "assistant" },
            "recipient": recipient, "content": content }),
        );
        add(
            &answer,
            &call,
            next.as_slice(),
            json!({ "author": { "role": "tool", "name": recipient }, "recipient": "all",
            "content": { "content_type": "text", "parts": ["Done."] },
            "metadata": { "canvas": { "textdoc_id": "doc1", "title": "fold.py", "textdoc_type": "code/python" } } }),
        );
    }
    let current = format!("answer{}", calls.len() - 1);
    let conversation =
        json!({ "conversation_id": "c", "current_node": current, "mapping": mapping });
    json!({ "conversation": conversation, "files": {} })
        .to_string()
        .into_bytes()
}

fn shown(content: &[u8]) -> Vec<String> {
    let records = records(content);
    let messages = records.iter().filter_map(said);
    messages
        .map(|message| message.text())
        .filter(|text| text != "Done.")
        .collect()
}

fn create() -> (&'static str, Value) {
    (
        "create",
        json!({ "name": "fold.py", "type": "code/python", "content": "a = 1\nb = ```\n" }),
    )
}

fn update(pattern: &str, replacement: &str, multiple: bool) -> (&'static str, Value) {
    (
        "update",
        json!({ "updates": [{ "pattern": pattern, "multiple": multiple, "replacement": replacement }] }),
    )
}

#[test]
fn a_canvas_is_shown_with_title_language_and_content() {
    let content = conversation(&[create(), update(".*", "c = 2", false)], &[]);
    assert_eq!(
        shown(&content),
        [
            "Canvas “fold.py” (python):\n````python\na = 1\nb = ```\n````",
            "Canvas “fold.py” (python):\n```python\nc = 2\n```",
        ]
    );
}

#[test]
fn changes_in_places_are_shown_and_end_in_the_whole_canvas() {
    let calls = [
        create(),
        update("a = 1", "a = 7", false),
        update("b = ```\\n", "b = 2\n", false),
    ];
    let texts = shown(&conversation(&calls, &[]));
    assert!(
        texts[1].contains("a = 1") && texts[1].contains("a = 7"),
        "{texts:?}"
    );
    assert!(!texts[1].contains("The whole canvas"), "{texts:?}");
    assert!(
        texts[2].ends_with("The whole canvas after all changes:\n```python\na = 7\nb = 2\n```"),
        "{texts:?}"
    );
}

#[test]
fn a_pattern_that_is_not_plain_is_shown_and_nothing_is_guessed() {
    for pattern in ["a = \\d", "x|y", "not there"] {
        let texts = shown(&conversation(&[create(), update(pattern, "z", true)], &[]));
        assert!(
            texts[1].contains(pattern) && !texts[1].contains("The whole"),
            "{texts:?}"
        );
    }
    // A later call that rewrites it makes it known again.
    let calls = [
        create(),
        update("\\w", "z", true),
        update(".*", "c = 2", false),
        update("2", "3", false),
    ];
    let texts = shown(&conversation(&calls, &[]));
    assert!(texts[3].ends_with("```python\nc = 3\n```"), "{texts:?}");
}

#[test]
fn another_branch_changes_no_canvas_of_the_one_that_is_shown() {
    let calls = [create(), update("a = 1", "a = 7", false)];
    let texts = shown(&conversation(&calls, &[update(".*", "other", false)]));
    assert!(texts[1].ends_with("a = 7\nb = ```\n````"), "{texts:?}");
    assert!(texts[2].contains("other"), "{texts:?}");
}

#[test]
fn few_bytes_cannot_ask_for_endless_work() {
    let mut calls = vec![create(), update(".*", &"a".repeat(1 << 12), false)];
    calls.extend((0..6).map(|_| update("a", &"a".repeat(1 << 10), true)));
    let texts = shown(&conversation(&calls, &[]));
    let bytes: usize = texts.iter().map(String::len).sum();
    assert!(bytes < 1 << 20, "{bytes}");
    for odd in ["", "[]", "{\"updates\": 7}", "{\"updates\": [{}]}"] {
        let mut content: Value =
            serde_json::from_slice(&conversation(&[create()], &[])).expect("JSON");
        content["conversation"]["mapping"]["call0"]["message"]["content"]["text"] = json!(odd);
        shown(&content.to_string().into_bytes());
    }
}
