//! The entries of an imported session: how they are shown, and how two files of one session are
//! joined.

use crate::formats::jsonl::title_of;
use crate::merge::snapshots::Judged;
use crate::open::{self, Group};
use crate::session::{Millis, harmless_json};
use crate::tools::imported::{self, Compared, Conversation};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn entries(conversation: &Value) -> &[Value] {
    let entries = conversation.get("entries").and_then(Value::as_array);
    entries.map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn header<'a>(conversation: &'a Value, name: &str) -> Option<&'a str> {
    text(conversation.get("header")?, name)
}

/// The title and the time of the last change.
pub(super) fn facts(conversation: &Value) -> (Option<String>, Option<Millis>) {
    let updated = header(conversation, "updated_at").and_then(Millis::parse);
    (header(conversation, "title").and_then(title_of), updated)
}

/// One record for each record of the tool that the entries were made from.
pub(super) fn records(content: &[u8]) -> Vec<Value> {
    let (conversation, _, damage) = imported::opened(content);
    let mut entries = entries(&conversation);
    // An entry that was cut off does not lead to those before it.
    if damage.is_some() {
        let ids: BTreeSet<&str> = entries
            .iter()
            .filter_map(|entry| text(entry, "id"))
            .collect();
        let leads =
            |entry: &Value| text(entry, "parent").is_some_and(|parent| ids.contains(parent));
        while let [before @ .., last] = entries
            && !before.is_empty()
            && !leads(last)
        {
            entries = before;
        }
    }
    let path = open::path(entries);
    let mut found: Vec<Value> = open::groups(&path).iter().filter_map(record).collect();
    let is_all = found.is_empty();
    let missing = damage.and_then(|damage| crate::merge::transcript::missing(damage, is_all));
    found.extend(missing);
    found
}

fn record(group: &Group<'_>) -> Option<Value> {
    let first = group.entries.first()?;
    let items: Vec<&Value> = group
        .entries
        .iter()
        .filter_map(|entry| entry.get("item"))
        .collect();
    Some(json!({ "uuid": first.get("id"), "timestamp": first.get("ts"), "items": items }))
}

/// The session as lines of the open format.
pub(super) fn lines(content: &[u8]) -> Option<Vec<u8>> {
    let conversation = Conversation::parse(content)?.value();
    let mut out = String::new();
    for line in conversation
        .get("header")
        .into_iter()
        .chain(entries(&conversation))
    {
        out.push_str(&harmless_json(&line.to_string()));
        out.push('\n');
    }
    Some(out.into_bytes())
}

// ---- two files of one session ----

const COMPARED: Compared = Compared {
    ids: |conversation| Some(ids(conversation)),
    age: |conversation| {
        let updated = header(conversation, "updated_at").and_then(Millis::parse);
        updated.unwrap_or_default()
    },
};

fn ids(conversation: &Value) -> BTreeSet<String> {
    let ids = entries(conversation).iter();
    ids.filter_map(|entry| text(entry, "id").map(str::to_owned))
        .collect()
}

pub(super) fn judge(first: &[u8], second: &[u8]) -> Judged {
    COMPARED.judge(first, second)
}

/// Whether the second content has no entry that the first one lacks.
pub(super) fn has_all(old: &[u8], new: &[u8]) -> bool {
    let ids = |content| Some(ids(&Conversation::parse(content)?.value()));
    ids(new)
        .zip(ids(old))
        .is_some_and(|(new, old)| new.is_subset(&old))
}

/// A tree with the entries of both. What only the earlier one has comes right behind its parent, so
/// the branch of the later one stays the last, unless the earlier one goes on from its end.
pub(super) fn joined(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    COMPARED.joined(first, second, add)
}

fn add(later: &mut Value, earlier: &Value) -> Option<()> {
    let known = ids(later);
    let mut new: BTreeMap<Option<String>, Vec<Value>> = BTreeMap::new();
    for entry in entries(earlier) {
        if !known.contains(text(entry, "id")?) {
            let parent = text(entry, "parent").map(str::to_owned);
            new.entry(parent).or_default().push(entry.clone());
        }
    }
    let all = later.get_mut("entries")?.as_array_mut()?;
    let mut joined = Vec::with_capacity(all.len());
    push_below(None, &mut new, &mut joined);
    for entry in std::mem::take(all) {
        let id = text(&entry, "id").map(str::to_owned);
        joined.push(entry);
        push_below(id, &mut new, &mut joined);
    }
    *all = joined;
    add_devices(later, earlier);
    Some(())
}

/// The header names the devices of all entries.
fn add_devices(later: &mut Value, earlier: &Value) {
    fn devices(conversation: &Value) -> Option<&Vec<Value>> {
        conversation.pointer("/header/devices")?.as_array()
    }
    let known = devices(later).cloned().unwrap_or_default();
    let is_new = |device: &&Value| !known.iter().any(|one| one.get("id") == device.get("id"));
    let new: Vec<Value> = devices(earlier)
        .into_iter()
        .flatten()
        .filter(is_new)
        .cloned()
        .collect();
    if let Some(Value::Array(all)) = later.pointer_mut("/header/devices") {
        all.extend(new);
    }
}

/// Adds the new entries below a parent, parents before children.
fn push_below(
    parent: Option<String>,
    new: &mut BTreeMap<Option<String>, Vec<Value>>,
    joined: &mut Vec<Value>,
) {
    let mut open = new.remove(&parent).unwrap_or_default();
    open.reverse();
    while let Some(entry) = open.pop() {
        let id = text(&entry, "id").map(str::to_owned);
        joined.push(entry);
        let below = new.remove(&id).unwrap_or_default();
        open.extend(below.into_iter().rev());
    }
}
