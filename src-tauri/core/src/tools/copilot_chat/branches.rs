//! Joins two branches of a chat, and reads a damaged chat as far as it can be shown.

use super::*;
use crate::session::chain::lines_of;
use crate::tools::ReadSeek;
use std::io::Read;

/// Whether a line is part of the conversation: every line except those about the input box, its
/// mode and model, the title and the like.
pub(super) fn is_message(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Document {
        requests: Vec<serde::de::IgnoredAny>,
    }
    #[derive(serde::Deserialize)]
    struct Begins {
        v: Document,
    }
    match mutation_log::concerns(line) {
        Concerns::Everything => {
            serde_json::from_slice::<Begins>(line).map_or(true, |line| !line.v.requests.is_empty())
        }
        Concerns::Field(name) => matches!(name.as_str(), "requests" | "pendingRequests"),
        Concerns::Unknown => true,
    }
}

pub(super) fn title_line(_: &SessionId, title: &str) -> Vec<u8> {
    mutation_log::set_line("customTitle", &json!(title))
}

pub(super) fn named(chat: &mut dyn ReadSeek) -> Option<String> {
    let mut bytes = Vec::new();
    chat.take(opener::MOST).read_to_end(&mut bytes).ok()?;
    title(&shown(&bytes)?)
}

/// The document in either form, as far as it can be read; its damage; and the length of each
/// unreadable line.
pub(super) fn as_far_as_readable(bytes: &[u8]) -> (Value, Option<records::Damage>, Vec<u64>) {
    let first = records::value(lines_of(bytes).next().unwrap_or_default());
    if first.get("kind").and_then(Value::as_u64) == Some(0) {
        let (state, unread) = mutation_log::replay_leniently(bytes);
        return (state.unwrap_or_default(), None, unread);
    }
    let (state, damage) = records::document(bytes);
    (state, damage, Vec::new())
}

pub(super) fn shown(bytes: &[u8]) -> Option<Value> {
    Some(as_far_as_readable(bytes).0).filter(|state| !state.is_null())
}

pub(super) fn judge(doc: &DocName, first: &[u8], second: &[u8]) -> Judged {
    if first == second {
        return Judged::Same;
    }
    let kind = if doc.as_str() == LOG {
        Kind::Log
    } else {
        Kind::Document
    };
    match (state_of(kind, first), state_of(kind, second)) {
        (Ok(first), Ok(second)) => judge_states(&first, &second),
        _ => Judged::Both,
    }
}

/// Compares request by request: VS Code identifies requests by id, and compacts a log without
/// losing any text.
pub(super) fn judge_states(first: &Value, second: &Value) -> Judged {
    let (ours, theirs) = (requests(first), requests(second));
    let pairs = ours
        .iter()
        .zip(theirs)
        .map(|(ours, theirs)| judge_requests(ours, theirs));
    pairs.fold(Judged::longer(ours.len(), theirs.len()), Judged::together)
}

/// Compares one request on two devices: the same prompt, and an answer that may be longer on one of
/// them. VS Code does not rewrite its notes beside them (times, votes, suggestions) once an answer
/// exists, so they differ between a log and its compaction. Of these notes only the presence of a
/// result counts, because without a result the model continues with less.
pub(super) fn judge_requests(first: &Value, second: &Value) -> Judged {
    if first == second {
        return Judged::Same;
    }
    if first.get("requestId") != second.get("requestId") || prompt(first) != prompt(second) {
        return Judged::Both;
    }
    let parts = |request: &Value| match request.get("response") {
        Some(Value::Array(parts)) => parts.clone(),
        None | Some(Value::Null) => Vec::new(),
        Some(one) => vec![one.clone()],
    };
    let (ours, theirs) = (parts(first), parts(second));
    let both = ours.len().min(theirs.len());
    let mut judged = Judged::longer(ours.len(), theirs.len());
    for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        judged = Judged::together(judged, judge_parts(ours, theirs, at + 1 == both));
    }
    let has = |request: &Value| {
        request
            .get("result")
            .is_some_and(|result| !result.is_null())
    };
    Judged::together(
        judged,
        Judged::longer(usize::from(has(first)), usize::from(has(second))),
    )
}

/// Compares two parts at the same place of an answer. The last part of the shorter answer may have
/// been incomplete.
pub(super) fn judge_parts(first: &Value, second: &Value, is_last: bool) -> Judged {
    /// For these kinds VS Code compares only the kind to detect a change.
    const TOLD_BY_KIND: [&str; 8] = [
        "codeblockUri",
        "command",
        "inlineReference",
        "info",
        "progressMessage",
        "systemNotification",
        "undoStop",
        "warning",
    ];
    if first == second {
        return Judged::Same;
    }
    let kind = first.get("kind").and_then(Value::as_str);
    if kind != second.get("kind").and_then(Value::as_str) {
        return Judged::Both;
    }
    if kind.is_some_and(|kind| TOLD_BY_KIND.contains(&kind)) {
        return Judged::Same;
    }
    let words = |part: &Value| {
        part.as_str()
            .map(str::to_owned)
            .or_else(|| text(part, "value"))
    };
    if let (None | Some("thinking"), Some(ours), Some(theirs)) = (kind, words(first), words(second))
    {
        return match () {
            () if ours == theirs => Judged::Same,
            () if is_last && ours.starts_with(&theirs) => Judged::First,
            () if is_last && theirs.starts_with(&ours) => Judged::Second,
            () => Judged::Both,
        };
    }
    let called = |part: &Value| text(part, "toolCallId");
    let done =
        |part: &Value| usize::from(part.get("isComplete").and_then(Value::as_bool) == Some(true));
    match called(first).is_some() && called(first) == called(second) && done(first) != done(second)
    {
        true => Judged::longer(done(first), done(second)),
        false => Judged::Both,
    }
}
