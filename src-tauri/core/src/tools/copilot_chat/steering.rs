//! The settings in a chat that steer the editor. They are renamed in a log, and take this device's
//! value in a document.

use super::DOCUMENT;
use super::mutation_log;
use crate::formats::fields;
use crate::formats::steering::{self, Marks};
use crate::tools::{Edit, Steer, Steering};

/// The settings for continuing a chat: approvals (`permissionLevel`: `autopilot`) and the mode.
/// They are part of the input box (`inputState`), and since 1.139 also of each request. In a log
/// all of `inputState` is renamed, so that VS Code begins with its own. A change within it becomes
/// a change to a field that VS Code ignores.
const MARKS: Marks = Marks {
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
};

/// In a document: this device's values, or the most restrictive ones.
pub(super) const DEVICE_FIELDS: [&str; 2] = ["/inputState/permissionLevel", "/inputState/mode"];
pub(super) const NEUTRAL: [&str; 2] = ["\"default\"", "{\"id\":\"ask\",\"kind\":\"ask\"}"];

pub(super) const STEERING: Steering = Steering {
    sets: |doc, content| match doc.as_str() {
        DOCUMENT => {
            let set = |(field, neutral): (&&str, &&str)| {
                let value = fields::get(content, field).filter(|value| value != neutral)?;
                Some(Steer {
                    name: field.rsplit('/').next()?.into(),
                    value: value.chars().take(120).collect(),
                })
            };
            DEVICE_FIELDS.iter().zip(&NEUTRAL).filter_map(set).collect()
        }
        _ if edits(content).is_empty() => Vec::new(),
        _ => {
            let mut set = MARKS.sets(content);
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
    words: "what is in the input box: mode, permission level (autopilot), model, drafts; the working directory",
};

/// Contents of the input box that grant no right.
const DRAFT: &str = "input";
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
    let path: Vec<String> = text("/k")
        .and_then(|path| serde_json::from_str(&path).ok())
        .unwrap_or_default();
    let name = match &path[..] {
        [_, field] if DRAFTS.contains(&field.as_str()) => DRAFT,
        [_, field] if field == "mode" => "mode",
        [_, field] if field == "permissionLevel" => "permissionLevel",
        _ => "inputState",
    };
    let value = text("/v").unwrap_or_default();
    Steer {
        name: name.into(),
        value: value.trim_matches('"').chars().take(120).collect(),
    }
}

/// Redirects a change within `inputState` to a field with another name. The whole path becomes one
/// name, and appending to a list becomes setting it, since no such list exists.
fn edits(line: &[u8]) -> Vec<Edit> {
    let mut edits = MARKS.edits(line);
    let Some(path) = steering::value_of(line, "/k") else {
        return edits;
    };
    let text = &line[path.clone()];
    if !matches!(
        mutation_log::first_step(text).as_deref(),
        Some("inputState")
    ) {
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
