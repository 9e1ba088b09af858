//! Canvases as the calls make them: created, rewritten, changed in places, and asked for too much.

use super::tree::{read_message, records};
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
    let messages = records.iter().filter_map(read_message);
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

/// The texts of a conversation whose nodes have these parents and these children.
fn texts(nodes: impl IntoIterator<Item = (String, Value, Value)>, current: &str) -> Vec<String> {
    let node = |(at, (id, parent, children)): (usize, (String, Value, Value))| {
        let message = json!({ "author": { "role": "user" }, "create_time": at,
            "content": { "content_type": "text", "parts": [id] } });
        (
            id,
            json!({ "parent": parent, "children": children, "message": message }),
        )
    };
    let mapping: serde_json::Map<String, Value> = nodes.into_iter().enumerate().map(node).collect();
    let conversation = json!({ "conversation": { "current_node": current, "mapping": mapping } });
    shown(&conversation.to_string().into_bytes())
}

/// A walk that begins again at each node would take minutes.
#[test]
fn a_tree_without_children_is_shown_in_its_order_in_few_steps() {
    let last = 30_000;
    let id = |at: u32| format!("n{}", u64::from(at) * 7919 % 100_003);
    let chain = |at: u32| match at {
        0 => (id(0), Value::Null, Value::Null),
        at => (id(at), json!(id(at - 1)), Value::Null),
    };
    let expected: Vec<String> = (0..=last).map(id).collect();
    assert_eq!(texts((0..=last).map(chain), &id(last)), expected);
    // No branch is shown.
    assert_eq!(texts((0..=last).map(chain), "nobody"), expected);
    // Each in a circle of its own.
    let circle = |at: u32| (id(at), json!(id(at)), json!([id(at)]));
    assert_eq!(texts((0..=last).map(circle), "nobody"), expected);
    // One circle of all.
    let circle = |at: u32| (id(at), json!(id((at + last) % (last + 1))), Value::Null);
    assert_eq!(texts((0..=last).map(circle), "nobody"), expected);
}

#[test]
fn a_node_that_its_parent_does_not_list_is_shown_below_it() {
    let row =
        |id: &str, parent: &str, children: &[&str]| (id.to_owned(), json!(parent), json!(children));
    let nodes = || {
        [
            row("z", "nobody", &["y"]),
            row("y", "z", &[]),
            row("a", "z", &[]),
            row("m", "y", &[]),
        ]
    };
    assert_eq!(texts(nodes(), "nobody"), ["z", "y", "m", "a"]);
    let other = |id: &str| format!("(In another branch of the conversation:)\n{id}");
    let expected = ["z".into(), "a".into(), other("y"), other("m")];
    assert_eq!(texts(nodes(), "a"), expected);
}
