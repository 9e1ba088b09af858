//! The records of a chat, for display.

use super::*;
use crate::session::chain::lines_of;

/// Each request as the messages that most tools write: the user's prompt, the model's answer, the
/// results of its tools.
pub(super) fn records(bytes: &[u8]) -> Vec<Value> {
    let (state, damage, unread) = as_far_as_readable(bytes);
    let mut records: Vec<Value> = requests(&state).iter().flat_map(records_of).collect();
    records.extend(unread.into_iter().map(records::unreadable));
    records.extend(damage.and_then(|damage| transcript::missing(damage, records.is_empty())));
    records
}

fn records_of(request: &Value) -> Vec<Value> {
    let mut records = Vec::new();
    let (id, at) = (text(request, "requestId"), number(request, "timestamp"));
    let at = at.map(|at| Millis(at).rfc3339());
    let mut record = |role: &str, content: Vec<Value>| {
        if !content.is_empty() {
            records.push(json!({ "role": role, "content": content, "timestamp": at, "uuid": id }));
        }
    };
    record("user", asked(request));
    let parts = match request.get("response") {
        Some(Value::Array(parts)) => parts.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let mut answer = Vec::new();
    for part in parts {
        let results = push_part(part, &mut answer);
        if !results.is_empty() {
            record("assistant", std::mem::take(&mut answer));
            record("user", results);
        }
    }
    record("assistant", answer);
    records
}

/// A chat begins with whole requests: a prompt and its answer.
pub(super) const BEGINNING: Beginning = Beginning {
    docs: &[LOG, DOCUMENT],
    cut,
    keeps: |_| true,
    titled: |doc, content, title| {
        let mut state =
            (doc.as_str() == DOCUMENT).then(|| state_of(Kind::Document, content).ok())??;
        state
            .as_object_mut()?
            .insert("customTitle".into(), title.into());
        Some(state.to_string().into_bytes())
    },
    ids: |_| Vec::new(),
};

/// A log becomes one line, as VS Code itself compacts it.
fn cut(content: &[u8], n: usize) -> Option<Vec<u8>> {
    let is_log = mutation_log::concerns(lines_of(content).next()?) == Concerns::Everything;
    let kind = if is_log { Kind::Log } else { Kind::Document };
    let mut state = state_of(kind, content).ok()?;
    let mut records = 0;
    let is_kept = |request: &&Value| {
        let before = records;
        records += records_of(request).len();
        before < n
    };
    let kept = requests(&state).iter().take_while(is_kept).count();
    state.get_mut("requests")?.as_array_mut()?.truncate(kept);
    // Prompts that wait would be sent twice.
    if let Some(waiting) = state.get_mut("pendingRequests") {
        *waiting = json!([]);
    }
    Some(match is_log {
        true => format!("{}\n", json!({ "kind": 0, "v": state })).into_bytes(),
        false => state.to_string().into_bytes(),
    })
}

pub(super) fn asked(request: &Value) -> Vec<Value> {
    let words = prompt(request).map(|words| json!({ "type": "text", "text": words }));
    let variables = request
        .get("variableData")
        .and_then(|data| data.get("variables"))
        .and_then(Value::as_array);
    let images = variables
        .into_iter()
        .flatten()
        .filter(|variable| text(variable, "kind").as_deref() == Some("image"));
    words.into_iter().chain(images.map(image)).collect()
}

pub(super) fn image(variable: &Value) -> Value {
    let data = variable
        .get("value")
        .and_then(|value| value.as_str().or_else(|| value.get("$base64")?.as_str()));
    let name = text(variable, "name").unwrap_or_else(|| "image".into());
    match data {
        Some(data) => {
            let media = text(variable, "mimeType").unwrap_or_else(|| "image/png".into());
            json!({ "type": "image", "source": { "type": "base64", "media_type": media, "data": data } })
        }
        None => json!({ "type": "text", "text": format!("[{name}]") }),
    }
}

/// Adds a part of an answer, and returns a tool's result, which is a separate message.
pub(super) fn push_part(part: &Value, answer: &mut Vec<Value>) -> Vec<Value> {
    let words = |value: Option<&Value>| -> Option<String> {
        match value? {
            Value::String(text) => Some(text.clone()),
            Value::Array(pieces) => Some(
                pieces
                    .iter()
                    .filter_map(Value::as_str)
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
            Value::Object(fields) => fields
                .get("value")
                .and_then(Value::as_str)
                .map(str::to_owned),
            _ => None,
        }
    };
    match part.get("kind").and_then(Value::as_str) {
        None => push_text(answer, words(Some(part)).unwrap_or_default()),
        Some("markdownContent") => {
            push_text(answer, words(part.get("content")).unwrap_or_default())
        }
        Some("inlineReference") => push_text(answer, reference(part)),
        Some("thinking") => {
            answer.extend(
                words(part.get("value"))
                    .map(|text| json!({ "type": "thinking", "thinking": text })),
            );
        }
        Some("toolInvocationSerialized" | "toolInvocation") => {
            let command = part
                .get("toolSpecificData")
                .and_then(|data| data.get("commandLine"));
            let command = command.and_then(|command| text(command, "original"));
            let about = words(part.get("pastTenseMessage"))
                .or_else(|| words(part.get("invocationMessage")));
            let mut input = Map::new();
            input.extend(command.map(|command| ("command".into(), json!(command))));
            input.extend(about.map(|about| ("description".into(), json!(about))));
            let name = text(part, "toolId").unwrap_or_else(|| "tool".into());
            let id = text(part, "toolCallId");
            answer.push(json!({ "type": "tool_use", "id": id, "name": name, "input": input }));
            return result(part).into_iter().collect();
        }
        Some("textEditGroup" | "notebookEditGroup") => {
            let path = part.get("uri").and_then(|uri| text(uri, "path"));
            answer.push(json!({ "type": "tool_use", "name": "edit", "input": { "path": path } }));
        }
        Some(_) => {}
    }
    Vec::new()
}

/// Joins consecutive parts of one text, as the view does.
pub(super) fn push_text(answer: &mut Vec<Value>, more: String) {
    match answer.last_mut().filter(|last| last["type"] == "text") {
        Some(Value::Object(last)) => {
            let text = last.get("text").and_then(Value::as_str).unwrap_or_default();
            last.insert("text".into(), json!(format!("{text}{more}")));
        }
        _ => answer.push(json!({ "type": "text", "text": more })),
    }
}

pub(super) fn reference(part: &Value) -> String {
    let reference = part.get("inlineReference");
    let uri = reference.and_then(|reference| reference.get("uri").or(Some(reference)));
    let path = uri.and_then(|uri| text(uri, "path"));
    let name = text(part, "name").or_else(|| text(reference?, "name"));
    name.or_else(|| path?.rsplit('/').next().map(str::to_owned))
        .unwrap_or_default()
}

pub(super) fn result(part: &Value) -> Option<Value> {
    let details = part.get("resultDetails")?;
    let output = match details.get("output")? {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| text(part, "value"))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => return None,
    };
    let failed = details.get("isError").and_then(Value::as_bool) == Some(true);
    let call = text(part, "toolCallId");
    Some(
        json!({ "type": "tool_result", "tool_use_id": call, "content": output, "is_error": failed }),
    )
}
