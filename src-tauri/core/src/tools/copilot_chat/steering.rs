//! The settings in a chat that steer the editor. They are renamed in a log, and take this device's
//! value in a document.

use super::mutation_log;
use super::{DOCUMENT, Kind, requests, state_of};
use crate::formats::fields;
use crate::formats::jsonl::text;
use crate::formats::steering::{self, Marks};
use crate::opener;
use crate::tools::{Edit, Steer, Steering};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// The settings for continuing a chat: approvals (`permissionLevel`: `autopilot`) and the mode.
/// They are part of the input box (`inputState`), and since 1.139 also of each request: tools run
/// without a question if the last request has such a level (VS Code 1.139.1, 2026-11-29). In a log
/// all of `inputState` is renamed, so that VS Code begins with its own. A change within it becomes
/// a change to a field that VS Code ignores.
static MARKS: Marks = Marks {
    kinds: &[(
        &["/k/*"],
        &["autoApprove", "permissionLevel", "workingDirectory"],
    )],
    names: &[
        "/v/inputState",
        "/v/workingDirectory",
        "//permissionLevel",
        "//autoApprove",
    ],
    content: &[],
    shown: &["//permissionLevel", "/v/inputState/mode", "/v/mode"],
    words: OnceLock::new(),
};

/// Prompts that wait for the one being answered (`pendingRequests`). They belong to the device on
/// which they were entered: VS Code shows those in a file as queued, and sends them after the next
/// answer unless its user removes them (1.139.1, 2026-11-29).
static QUEUE: Marks = Marks {
    kinds: &[],
    names: &["/v/pendingRequests"],
    content: &[],
    shown: &["/v/pendingRequests"],
    words: OnceLock::new(),
};

/// In a document: this device's values, or the most restrictive ones.
pub(super) const DEVICE_FIELDS: [&str; 4] = [
    "/inputState/permissionLevel",
    "/inputState/mode",
    "/pendingRequests",
    "/workingDirectory",
];
pub(super) const NEUTRAL: [&str; 4] = [
    "\"default\"",
    "{\"id\":\"ask\",\"kind\":\"ask\"}",
    "[]",
    "null",
];

/// A permission level of a request that the present document does not give to the same request.
pub(super) fn foreign_level(state: &Value, path: &Path) -> Option<String> {
    let there = opener::read(path, opener::MOST).ok();
    let there = there.and_then(|bytes| state_of(Kind::Document, &bytes).ok());
    let own = there.as_ref().map(levels).unwrap_or_default();
    levels(state)
        .into_iter()
        .find(|(request, level)| own.get(request) != Some(level))
        .map(|(_, level)| level)
}

/// The requests of a document that carry a level of approvals beyond the default, by their ids.
/// Fields in a list cannot be this device's own, so that such a document is not written.
fn levels(state: &Value) -> BTreeMap<String, String> {
    let level = |request: &Value| {
        let level = request.get("modeInfo")?.get("permissionLevel")?;
        let id = text(request, "requestId").unwrap_or_default();
        (level.as_str() != Some("default")).then(|| (id, level.to_string()))
    };
    requests(state).iter().filter_map(level).collect()
}

pub(super) const STEERING: Steering = Steering {
    sets: |doc, content| match doc.as_str() {
        DOCUMENT => {
            let set = |(field, neutral): (&&str, &&str)| {
                let value = fields::get(content, field).filter(|value| value != neutral)?;
                let name = field.rsplit('/').next()?;
                Some(Steer {
                    name: if name == PENDING { DRAFT } else { name }.into(),
                    value: value.chars().take(120).collect(),
                })
            };
            DEVICE_FIELDS.iter().zip(&NEUTRAL).filter_map(set).collect()
        }
        _ if edits(content).is_empty() => Vec::new(),
        _ => {
            let mut set = MARKS.sets(content);
            set.extend(
                queued(content)
                    .then(|| QUEUE.sets(content))
                    .into_iter()
                    .flatten(),
            );
            set.iter_mut()
                .filter(|steer| steer.name == PENDING)
                .for_each(|steer| steer.name = DRAFT.into());
            if set.is_empty() {
                set.push(changed(content));
            }
            set
        }
    },
    usual: |steer| match steer.name.as_str() {
        DRAFT => true,
        "permissionLevel" => steer.value == "default",
        "mode" => USUAL_MODES.contains(&steer.value.as_str()),
        _ => false,
    },
    neutral: |doc, line, _| {
        if doc.as_str() == DOCUMENT {
            Vec::new()
        } else {
            edits(line)
        }
    },
    concerns: |_| true,
    restores: None,
    words: "what is in the input box: mode, permission level (autopilot), model, drafts; prompts that wait to be sent; \
            the working directory",
};

/// Contents of the input box that grant no right, and prompts that were not sent yet.
const DRAFT: &str = "input";
const PENDING: &str = "pendingRequests";
/// The fields of a chat whose changes are redirected.
const OWN: [&str; 2] = ["inputState", PENDING];
const DRAFTS: [&str; 5] = [
    "inputText",
    "attachments",
    "selections",
    "contrib",
    "selectedModel",
];
const USUAL_MODES: [&str; 3] = [
    "{\"id\":\"agent\",\"kind\":\"agent\"}",
    "{\"id\":\"ask\",\"kind\":\"ask\"}",
    "{\"id\":\"edit\",\"kind\":\"edit\"}",
];

/// The setting of a change within `inputState`. An unknown change gets the name of the whole.
fn changed(line: &[u8]) -> Steer {
    let text = |place: &str| {
        steering::value_of(line, place)
            .map(|value| String::from_utf8_lossy(&line[value]).into_owned())
    };
    let path: Vec<Value> = text("/k")
        .and_then(|path| serde_json::from_str(&path).ok())
        .unwrap_or_default();
    let path: Vec<&str> = path
        .iter()
        .map(|step| step.as_str().unwrap_or_default())
        .collect();
    let name = match path[..] {
        [PENDING, ..] => DRAFT,
        [_, field] if DRAFTS.contains(&field) => DRAFT,
        [_, "mode"] => "mode",
        [_, "permissionLevel"] => "permissionLevel",
        _ => "inputState",
    };
    let value = text("/v").unwrap_or_default();
    Steer {
        name: name.into(),
        value: value.trim_matches('"').chars().take(120).collect(),
    }
}

/// Whether the line is or contains a chat with prompts that wait. An empty list keeps its name.
fn queued(line: &[u8]) -> bool {
    QUEUE.may_concern(line)
        && steering::value_of(line, QUEUE.names[0]).is_some_and(|value| {
            let shown = line[value]
                .iter()
                .filter(|byte| !byte.is_ascii_whitespace());
            !shown.eq(b"[]")
        })
}

/// Redirects a change within `inputState` or `pendingRequests` to a field with another name. The
/// whole path becomes one name, and appending to a list becomes setting it, since no such list
/// exists.
fn edits(line: &[u8]) -> Vec<Edit> {
    let mut edits = MARKS.edits(line);
    if queued(line) {
        edits.extend(QUEUE.edits(line));
        edits.sort_by_key(|edit| edit.at);
    }
    let Some(path) = steering::value_of(line, "/k") else {
        return edits;
    };
    let text = &line[path.clone()];
    let first = mutation_log::first_step(text);
    if !first.is_some_and(|first| OWN.contains(&first.as_str())) {
        return edits;
    }
    let edit = |at: usize, recorded: &[u8], written: Vec<u8>| Edit {
        at,
        recorded: String::from_utf8_lossy(recorded).into_owned(),
        written: String::from_utf8_lossy(&written).into_owned(),
    };
    let quote = text.iter().position(|byte| *byte == b'"').unwrap_or(0);
    let end = text
        .iter()
        .rposition(|byte| !matches!(byte, b']' | b' '))
        .unwrap_or(0);
    let inner = &text[quote..=end];
    let mut written: Vec<u8> = inner
        .iter()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                *byte
            } else {
                b'~'
            }
        })
        .collect();
    let last = written.len() - 1;
    (written[0], written[1], written[last]) = (b'"', b'~', b'"');
    edits.retain(|edit| edit.at + edit.written.len() <= path.start || path.end <= edit.at);
    edits.push(edit(path.start + quote, inner, written));
    if let Some(kind) = steering::value_of(line, "/kind").filter(|kind| &line[kind.clone()] == b"2")
    {
        edits.push(edit(kind.start, b"2", b"1".to_vec()));
    }
    edits.sort_by_key(|edit| edit.at);
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::steering::edited;
    use crate::session::DocName;

    fn neutral(line: &str) -> String {
        let edits = (STEERING.neutral)(&DocName::new("chat.jsonl"), line.as_bytes(), "".as_ref());
        String::from_utf8(edited(line.as_bytes(), &edits)).expect("text")
    }

    #[test]
    fn a_queued_prompt_loses_its_place_and_an_empty_queue_keeps_it() {
        let rows = [
            (
                r#"{"kind":0,"v":{"pendingRequests":[{"id":"q"}]}}"#,
                r#"{"kind":0,"v":{"~endingRequests":[{"id":"q"}]}}"#,
            ),
            (
                r#"{"kind":0,"v":{"pendingRequests": [ ]}}"#,
                r#"{"kind":0,"v":{"pendingRequests": [ ]}}"#,
            ),
            (
                r#"{"kind":2,"k":["pendingRequests"],"v":[{"id":"q"}]}"#,
                r#"{"kind":1,"k":["~endingRequests"],"v":[{"id":"q"}]}"#,
            ),
            (
                r#"{"kind":1,"k":["pendingRequests",0,"id"],"v":"q"}"#,
                r#"{"kind":1,"k":["~endingRequests~~0~~id"],"v":"q"}"#,
            ),
        ];
        for (recorded, written) in rows {
            assert_eq!(neutral(recorded), written);
        }
    }

    #[test]
    fn a_queued_prompt_is_as_usual_as_a_draft_unless_it_brings_a_level() {
        let usual = |line: &str| {
            let set = (STEERING.sets)(&DocName::new("chat.jsonl"), line.as_bytes());
            set.iter().all(STEERING.usual)
        };
        assert!(usual(r#"{"kind":0,"v":{"pendingRequests":[{"id":"q"}]}}"#));
        assert!(usual(
            r#"{"kind":2,"k":["pendingRequests"],"v":[{"id":"q"}]}"#
        ));
        assert!(usual(
            r#"{"kind":1,"k":["pendingRequests",0,"id"],"v":"q"}"#
        ));
        assert!(!usual(
            r#"{"kind":2,"k":["pendingRequests"],"v":[{"sendOptions":{"modeInfo":{"permissionLevel":"autopilot"}}}]}"#
        ));
    }
}
