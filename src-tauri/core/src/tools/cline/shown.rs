//! The records of a session or a task, for display and comparison.

use super::*;
use crate::session::Role;

/// Fields that hold this device's values.
pub(super) fn device_fields(doc: &DocName) -> &'static [&'static str] {
    match doc.as_str() {
        MANIFEST => &[
            "messages_path",
            "compaction_path",
            "cwd",
            "workspace_root",
            "anchor_workspace_path",
            CHECKPOINT,
            "enable_spawn",
            "enable_teams",
            "enable_tools",
            "interactive",
        ],
        ROW => &["cwdOnTaskInitialization", "shadowGitConfigWorkTree"],
        _ => &[],
    }
}

/// Conversations are compared by their messages alone: the system prompt and the time are rewritten
/// each turn.
pub(super) fn judge(doc: &DocName, first: &[u8], second: &[u8]) -> Judged {
    match (messages_in(first), messages_in(second)) {
        (Some(first), Some(second)) if doc.as_str() == MESSAGES => {
            snapshots::judge(first.get().as_bytes(), second.get().as_bytes())
        }
        _ => snapshots::judge(first, second),
    }
}

/// The messages of a conversation of either layout.
pub(super) fn records(bytes: &[u8]) -> Vec<Value> {
    transcript::records(
        messages_in(bytes)
            .map(|messages| messages.get().as_bytes())
            .unwrap_or(bytes),
    )
}

/// Of sessions only: a task is two lists that refer to each other.
pub(super) const BEGINNING: Beginning = Beginning {
    docs: &[MESSAGES],
    cut,
    // A compaction replaces messages that the beginning may not have.
    keeps: |doc| doc.as_str() != COMPACTION,
    titled: |doc, content, title| {
        let title = Value::from(title).to_string();
        let is_manifest = doc.as_str() == MANIFEST;
        is_manifest
            .then(|| fields::with(content, &[("/metadata/title", &title)]))
            .flatten()
    },
    ids: |_| Vec::new(),
};

fn cut(content: &[u8], n: usize) -> Option<Vec<u8>> {
    let messages: Vec<&RawValue> = serde_json::from_str(messages_in(content)?.get()).ok()?;
    let kept: Vec<&str> = messages
        .iter()
        .take(n)
        .map(|message| message.get())
        .collect();
    let list = format!("[{}]", kept.join(","));
    fields::with(content, &[("messages", &list)])
}

/// The user's text, without the tags around it.
pub(super) fn unwrapped(text: &str) -> &str {
    let text = text.trim();
    for (start, end) in [
        ("<user_input", "</user_input>"),
        ("<task>", "</task>"),
        ("<feedback>", "</feedback>"),
    ] {
        let inside = text
            .strip_prefix(start)
            .and_then(|rest| match start.ends_with('>') {
                true => Some(rest),
                false => Some(rest.split_once('>')?.1),
            });
        if let Some(inside) = inside {
            return inside
                .rsplit_once(end)
                .map_or(inside, |(said, _)| said)
                .trim();
        }
    }
    text
}

pub(super) fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let mut said = transcript::read_message(record)?;
    said.id = record.get("id").and_then(Value::as_str);
    let is_summary =
        record.pointer("/metadata/kind").and_then(Value::as_str) == Some("compaction_summary");
    // Inserted by the extension: the current state of the editor, sent with each prompt.
    said.pieces
        .retain(|piece| piece.kind != "text" || !piece.body.starts_with("<environment_details>"));
    for piece in &mut said.pieces {
        if let (true, Cow::Borrowed(text)) =
            (piece.kind == "text" && said.role == Role::User, &piece.body)
        {
            piece.body = unwrapped(text).into();
        }
        if piece.kind == "text" && is_summary {
            piece.kind = "compaction";
        }
    }
    let parts = record
        .get("content")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for (kind, fill) in [
        ("tool_result", fill_result as fn(&Value, &mut Piece<'_>)),
        ("tool_use", fill_call),
    ] {
        let is_kind = |part: &&Value| part.get("type").and_then(Value::as_str) == Some(kind);
        let pieces = said.pieces.iter_mut().filter(|piece| piece.kind == kind);
        parts
            .clone()
            .filter(is_kind)
            .zip(pieces)
            .for_each(|(part, piece)| fill(part, piece));
    }
    (!said.pieces.is_empty()).then_some(said)
}

/// Results of 3.0.65's tools: `[{"query", "result", "success"}]`, one for each command or file.
pub(super) fn fill_result(part: &Value, piece: &mut Piece<'_>) {
    let answers: Vec<&Value> = part
        .get("content")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|answer| answer.get("success").is_some())
        .collect();
    if answers.is_empty() {
        return;
    }
    let words =
        answers.iter().filter_map(
            |answer| match answer.get("error").or(answer.get("result"))? {
                Value::String(text) => Some(text.clone()),
                Value::Null => None,
                other => Some(other.to_string()),
            },
        );
    piece.body = words.collect::<Vec<_>>().join("\n").into();
    piece.is_error |= answers
        .iter()
        .any(|answer| answer.get("success") == Some(&Value::Bool(false)));
}

/// The target of a tool call whose input may list several.
pub(super) fn fill_call(part: &Value, piece: &mut Piece<'_>) {
    const LISTS: [&str; 4] = ["commands", "files", "queries", "paths"];
    let Some(input) = part.get("input").filter(|_| piece.target.is_none()) else {
        return;
    };
    let first = LISTS
        .iter()
        .find_map(|name| input.get(name)?.as_array()?.first());
    piece.target = match first {
        Some(Value::String(text)) => Piece::call("", "", Some(text)).target,
        Some(one) => {
            transcript::target_in(one).and_then(|text| Piece::call("", "", Some(&text)).target)
        }
        None => None,
    };
}
