//! What the records of a transcript say: messages, titles, prompts, times.

use super::*;

/// Whether a member of a record is read for a session's facts: few and small ones.
pub(super) fn is_fact(name: &str) -> bool {
    const FACTS: [&str; 10] = [
        "aiTitle",
        "customTitle",
        "cwd",
        "gitBranch",
        "relocatedCwd",
        "summary",
        "timestamp",
        "type",
        "version",
        "worktreeSession",
    ];
    FACTS.contains(&name)
}

pub(super) fn title(found: &jsonl::Outlines) -> Option<String> {
    let ends = &found.ends;
    let newest = |kind: &str, key: &str| {
        let is_kind = |record: &&Value| record.get("type").and_then(Value::as_str) == Some(kind);
        ends.backwards()
            .filter(is_kind)
            .find_map(|record| jsonl::title_of(record.get(key)?.as_str()?))
    };
    newest("custom-title", "customTitle")
        .or_else(|| newest("ai-title", "aiTitle"))
        .or_else(|| newest("summary", "summary"))
        .or_else(|| {
            let mut records = found.first_records("\"user\"");
            records.find_map(|record| jsonl::title_of(prompt(&record)?))
        })
}

/// The user's typed text, without what commands, hooks and the tool itself insert in user messages.
pub(super) fn prompt(record: &Value) -> Option<&str> {
    const WRAPPERS: [&str; 4] = [
        "<",
        "Caveat:",
        "[Request interrupted",
        "This session is being continued",
    ];
    let flag = |key: &str| record.get(key).and_then(Value::as_bool).unwrap_or(false);
    let is_user = record.get("type").and_then(Value::as_str) == Some("user");
    if !is_user || flag("isMeta") || flag("isCompactSummary") || flag("isSidechain") {
        return None;
    }
    // An editor puts what is open in it before the prompt, as a text of its own.
    let mut texts = jsonl::texts_of(record.get("message")?.get("content")?).map(str::trim_start);
    let is_wrapper = |text: &str| WRAPPERS.iter().any(|wrapper| text.starts_with(wrapper));
    texts.find(|text| !text.is_empty() && !is_wrapper(text))
}

pub(super) fn updated(ends: &jsonl::Ends) -> Option<Millis> {
    ends.backwards()
        .find_map(|record| Millis::parse(record.get("timestamp")?.as_str()?))
}

/// Records without an id and without words that describe the state of the window. Opening or closing
/// a session writes them, and the last one wins (seen with 1.0.128 to 2.1.330, 2026-11-23). What
/// stands for words or leads to them (`content-replacement`, `fork-context-ref`) is not among them.
pub(super) const NOTED: &[&str] = &[
    "agent-color",
    "agent-name",
    "agent-setting",
    "ai-title",
    "api-request",
    "api-request-blob",
    "api-request-shape",
    "artifact-autoreact-ledger",
    "artifact-comment-monitor",
    "atis-latch",
    "bridge-session",
    "continued-in",
    "cost-state",
    "custom-title",
    "dev-mods",
    "file-history-delta",
    "file-history-snapshot",
    "frame-link",
    "history-suppression",
    "hybrid-organization",
    "isolation-latch",
    "last-prompt",
    "memory-mode",
    "mode",
    "observer-ref",
    "permission-mode",
    "pr-link",
    "queue-operation",
    "relocated",
    "repl-mode",
    "session-owner",
    "tag",
    "worktree-state",
];

/// Whether a line is part of the conversation. An unreadable line may be.
pub(super) fn is_message(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Record<'a> {
        #[serde(rename = "type", borrow)]
        kind: Option<std::borrow::Cow<'a, str>>,
        uuid: Option<serde::de::IgnoredAny>,
    }
    // Nearly all lines are records of the chain, which begin like this. Parsing all of them would
    // cost more than reading them.
    if line.starts_with(b"{\"parentUuid\"") {
        return true;
    }
    match serde_json::from_slice::<Record<'_>>(line) {
        Ok(Record {
            kind: Some(kind),
            uuid: None,
        }) => !NOTED.contains(&kind.as_ref()),
        _ => true,
    }
}

/// The message in a record. Records that replace earlier turns are nobody's message: the boundary,
/// and the summary from which the model continues (`isCompactSummary`). Text that the tool inserts
/// beside the user's is marked `isMeta` (2.1.330, 2026-11-23).
pub(super) fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let is = |name: &str| record.get(name).and_then(Value::as_bool).unwrap_or(false);
    if record.get("subtype").and_then(Value::as_str) == Some("compact_boundary") {
        let words = record
            .get("content")
            .and_then(Value::as_str)
            .unwrap_or_default();
        return ParsedMessage::of(record, Role::System, vec![Piece::new("compaction", words)]);
    }
    let mut said = transcript::read_message(record)?;
    if is("isCompactSummary") {
        let summary = said.text();
        said = ParsedMessage {
            role: Role::System,
            pieces: vec![Piece::new("compaction", summary)],
            ..said
        };
    } else if is("isMeta") {
        said.role = Role::System;
    }
    // The answer to a call that ran a sub-agent names it.
    let agent = record
        .get("toolUseResult")
        .and_then(|result| result.get("agentId")?.as_str());
    if let (Some(agent), Some(result)) = (agent, first_result(&mut said.pieces)) {
        result.doc = is_agent(agent).then(|| format!("subagents/agent-{agent}.jsonl"));
    }
    Some(said)
}

pub(super) fn first_result<'p, 'a>(pieces: &'p mut [Piece<'a>]) -> Option<&'p mut Piece<'a>> {
    pieces.iter_mut().find(|piece| piece.kind == "tool_result")
}

pub(super) fn is_agent(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&id.len()) && id.bytes().all(is_plain)
}

/// The branch in the last record that names one. `HEAD` means a detached head, and nothing means no
/// repository.
pub(super) fn repository(ends: &jsonl::Ends) -> Option<Repository> {
    let branch = ends
        .backwards()
        .find_map(|record| text(record, "gitBranch"))?;
    let named = !branch.is_empty() && branch != "HEAD";
    named.then_some(Repository {
        branch: Some(branch),
        ..Repository::default()
    })
}
