//! A thread as Zed stores it (one JSON document in a row) and as it syncs: the messages, one a
//! line, then the facts about the whole thread. Only named fields sync; every other field stays on
//! the device that wrote it, so that a field of a later Zed gives no right elsewhere. Pure.
//!
//! The form "0.3.0" and what Zed still reads of older ones: zed-industries/zed, `agent/src/db.rs`
//! and `legacy_thread.rs`, read 2026-11-29.

use crate::formats::{fields, jsonl};
use crate::merge::snapshots::{self, Judged};
use crate::session::{Millis, SessionId, records};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::Read;

/// The fields that sync: the conversation and its name. `summary` and `detailed_summary_state` are
/// the older forms' names.
const CARRIED: [&str; 8] = [
    "detailed_summary",
    "detailed_summary_state",
    "messages",
    "subagent_context",
    "summary",
    "title",
    "updated_at",
    "version",
];

/// The settings of a thread, with the values that grant nothing. They are recorded and never taken
/// from another device: `sandbox_grants` has the directories, hosts and escapes that the user
/// allowed "for this thread".
pub(super) const STEERS: [(&str, &str); 6] = [
    ("model", "null"),
    ("profile", "null"),
    ("sandbox_grants", "{}"),
    ("speed", "null"),
    ("thinking_effort", "null"),
    ("thinking_enabled", "false"),
];

pub(super) const DEVICE_FIELDS: [&str; 6] = [
    STEERS[0].0,
    STEERS[1].0,
    STEERS[2].0,
    STEERS[3].0,
    STEERS[4].0,
    STEERS[5].0,
];

/// The forms that Zed reads. One without a version is older than all of them.
const VERSIONS: [&str; 3] = ["0.1.0", "0.2.0", "0.3.0"];

/// A larger thread is not read.
const LARGEST: u64 = 256 << 20;

type Fields<'a> = BTreeMap<String, &'a RawValue>;

fn fields_of(json: &[u8]) -> Result<Fields<'_>, String> {
    serde_json::from_slice(json).map_err(|error| format!("it is no JSON object: {error}"))
}

/// The JSON of a thread, from a row's `data_type` and `data`.
pub(super) fn unpacked(kind: &str, data: &[u8]) -> Result<Vec<u8>, String> {
    unpacked_to(LARGEST, kind, data)
}

pub(super) fn unpacked_to(most: u64, kind: &str, data: &[u8]) -> Result<Vec<u8>, String> {
    let mut json = Vec::new();
    let read = match kind {
        "json" => data.take(most + 1).read_to_end(&mut json),
        "zstd" => zstd::stream::read::Decoder::with_buffer(data)
            .and_then(|unzip| unzip.take(most + 1).read_to_end(&mut json)),
        other => return Err(format!("its data is of the kind “{other}”")),
    };
    match read {
        Ok(_) if json.len() as u64 <= most => Ok(json),
        Ok(_) => Err(format!("it is larger than {most} bytes")),
        Err(error) => Err(format!("its data cannot be unpacked: {error}")),
    }
}

/// What syncs of a thread. The settings are always there, so that the document is the same where
/// Zed stores none.
pub(super) fn rendered(json: &[u8]) -> Result<Vec<u8>, String> {
    let mut all = fields_of(json)?;
    let messages = all.remove("messages").ok_or("it has no messages")?;
    let messages: Vec<&RawValue> =
        serde_json::from_str(messages.get()).map_err(|_| "its messages are no list")?;
    let mut out = String::from("{\"messages\":[");
    for (n, message) in messages.iter().enumerate() {
        out.push_str(if n == 0 { "\n" } else { ",\n" });
        out.push_str(message.get());
    }
    out.push_str("\n]");
    let mut rest: BTreeMap<&str, &str> = STEERS.into();
    for (name, value) in &all {
        let known = CARRIED.iter().chain(&DEVICE_FIELDS);
        if let Some(name) = known.copied().find(|known| known == name) {
            rest.insert(name, value.get());
        }
    }
    for (name, value) in rest {
        out.push_str(&format!(",\n\"{name}\":{value}"));
    }
    out.push_str("\n}\n");
    Ok(out.into_bytes())
}

/// The JSON for this device's row: what was synced, and the other fields of the row that is there.
pub(super) fn stored(document: &[u8], own: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let (mut new, own) = (fields_of(document)?, own.map(fields_of).transpose()?);
    check(document)?;
    new.retain(|name, _| CARRIED.contains(&name.as_str()));
    let mut all: BTreeMap<&str, &str> = match own {
        None => STEERS.into(),
        Some(_) => BTreeMap::new(),
    };
    let own = own.iter().flatten();
    let kept = own.filter(|(name, _)| !CARRIED.contains(&name.as_str()));
    all.extend(kept.map(|(name, value)| (name.as_str(), value.get())));
    all.extend(new.iter().map(|(name, value)| (name.as_str(), value.get())));
    let all = all
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(*name)));
    let json = format!("{{{}}}", all.collect::<Vec<_>>().join(","));
    Ok(json.into_bytes())
}

/// Whether Zed would read a document, as far as that can be known.
pub(super) fn check(json: &[u8]) -> Result<(), String> {
    let version = match fields::get(json, "version") {
        None | Some("null") => None,
        Some(raw) => Some(raw.trim_matches('"')),
    };
    if let Some(version) = version.filter(|version| !VERSIONS.contains(version)) {
        return Err(format!("it is of version {version}"));
    }
    let is_list = fields::get(json, "messages").is_some_and(|list| list.starts_with('['));
    let is_dated = fields::text(json, "updated_at").and_then(|at| Millis::parse(&at));
    match (is_list, is_dated, title(json)) {
        (false, ..) => Err("it has no list of messages".into()),
        (_, None, _) => Err("it has no time".into()),
        (.., None) => Err("it has no title".into()),
        _ => Ok(()),
    }
}

/// The title, perhaps empty; older forms call it a summary.
pub(super) fn title(json: &[u8]) -> Option<String> {
    fields::text(json, "title").or_else(|| fields::text(json, "summary"))
}

/// The thread of which this is a sub-agent.
pub(super) fn parent(json: &[u8]) -> Option<SessionId> {
    fields::text(json, "/subagent_context/parent_thread_id")
        .filter(|id| jsonl::is_uuid(id))
        .map(SessionId::new)
}

/// What Zed noted of the working trees when the thread began.
pub(super) struct Begun {
    pub directory: Option<String>,
    pub url: Option<String>,
    pub branch: Option<String>,
    pub commit: Option<String>,
}

pub(super) fn begun(json: &[u8]) -> Vec<Begun> {
    let snapshot = fields::get(json, "/initial_project_snapshot/worktree_snapshots");
    let trees = snapshot.map_or(Value::Null, |trees| records::value(trees.as_bytes()));
    let tree = |tree: &Value| {
        let git = tree.get("git_state").unwrap_or(&Value::Null);
        Begun {
            directory: jsonl::text(tree, "worktree_path"),
            url: jsonl::text(git, "remote_url"),
            branch: jsonl::text(git, "current_branch"),
            commit: jsonl::text(git, "head_sha"),
        }
    };
    trees.as_array().into_iter().flatten().map(tree).collect()
}

/// A thread includes another if its messages begin with those of the other. The same messages with
/// another title: the later one counts.
pub(super) fn judge(first: &[u8], second: &[u8]) -> Judged {
    let messages = |document| fields::get(document, "messages");
    let (Some(ours), Some(theirs)) = (messages(first), messages(second)) else {
        return snapshots::judge(first, second);
    };
    match snapshots::judge(ours.as_bytes(), theirs.as_bytes()) {
        Judged::Same => Judged::greater((age(first), first).cmp(&(age(second), second))),
        judged => judged,
    }
}

fn age(document: &[u8]) -> Millis {
    let updated = fields::text(document, "updated_at");
    updated
        .and_then(|at| Millis::parse(&at))
        .unwrap_or_default()
}
