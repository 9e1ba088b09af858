//! The entries of an imported session: how they are shown, and how two files of one session are
//! joined.

use crate::formats::jsonl::title_of;
use crate::merge::snapshots::Judged;
use crate::open::{self, Group};
use crate::session::{Millis, harmless_json};
use crate::tools::imported::members::{self, Members};
use crate::tools::imported::{self, Compared, Conversation};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn entries(conversation: &Value) -> &[Value] {
    let entries = conversation.get("entries").and_then(Value::as_array);
    entries.map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// The title and the time of the last change.
pub(super) fn facts(conversation: &Members) -> (Option<String>, Option<Millis>) {
    let title = conversation
        .object("header")
        .and_then(|header| header.text("title"));
    (title.as_deref().and_then(title_of), updated(conversation))
}

fn updated(conversation: &Members) -> Option<Millis> {
    Millis::parse(&conversation.object("header")?.text("updated_at")?)
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
    let conversation = Members::of(&Conversation::parse(content)?.conversation)?;
    let entries = conversation.list("entries").unwrap_or_default();
    let mut out = String::new();
    for line in conversation
        .get("header")
        .into_iter()
        .chain(entries.iter().map(|entry| &**entry))
    {
        out.push_str(&harmless_json(line.get()));
        out.push('\n');
    }
    Some(out.into_bytes())
}

// ---- two files of one session ----

const COMPARED: Compared = Compared {
    ids: |conversation| Some(ids(conversation)),
    age: |conversation| updated(conversation).unwrap_or_default(),
};

fn id(entry: &RawValue) -> Option<String> {
    members::text(entry, "id")
}

fn ids(conversation: &Members) -> BTreeSet<String> {
    let entries = conversation.list("entries").unwrap_or_default();
    entries.iter().filter_map(|entry| id(entry)).collect()
}

pub(super) fn judge(first: &[u8], second: &[u8]) -> Judged {
    COMPARED.judge(first, second)
}

/// Whether the second content has no entry that the first one lacks.
pub(super) fn has_all(old: &[u8], new: &[u8]) -> bool {
    let ids = |content| COMPARED.ids_in(content);
    ids(new)
        .zip(ids(old))
        .is_some_and(|(new, old)| new.is_subset(&old))
}

/// A tree with the entries of both. What only the earlier one has comes right behind its parent, so
/// the branch of the later one stays the last, unless the earlier one goes on from its end.
pub(super) fn joined(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    COMPARED.joined(first, second, added)
}

/// Entries by the ids of their parents.
type Below = BTreeMap<Option<String>, Vec<Box<RawValue>>>;

fn added(later: &Members, earlier: &Members) -> Option<Members> {
    let known = ids(later);
    let mut new = Below::new();
    for entry in earlier.list("entries").unwrap_or_default() {
        if !known.contains(&id(&entry)?) {
            let parent = members::text(&entry, "parent");
            new.entry(parent).or_default().push(entry);
        }
    }
    let mut changed = Members::default();
    if !new.is_empty() {
        let mut joined = Vec::new();
        push_below(None, &mut new, &mut joined);
        for entry in later.list("entries")? {
            let id = id(&entry);
            joined.push(entry);
            push_below(id, &mut new, &mut joined);
        }
        changed.set("entries", &joined)?;
    }
    if let Some(header) = with_devices(later, earlier) {
        changed.insert("header", header);
    }
    Some(changed)
}

/// The later header with the devices of both: it names those of all entries. `None` if it has them.
fn with_devices(later: &Members, earlier: &Members) -> Option<Box<RawValue>> {
    let mut header = later.object("header")?;
    let mut devices = header.list("devices")?;
    let known: BTreeSet<Option<String>> = devices.iter().map(|device| id(device)).collect();
    let mut new = earlier.object("header")?.list("devices")?;
    new.retain(|device| !known.contains(&id(device)));
    if new.is_empty() {
        return None;
    }
    devices.extend(new);
    header.set("devices", &devices)?;
    header.render()
}

/// Adds the new entries below a parent, parents before children.
fn push_below(parent: Option<String>, new: &mut Below, joined: &mut Vec<Box<RawValue>>) {
    let mut open = new.remove(&parent).unwrap_or_default();
    open.reverse();
    while let Some(entry) = open.pop() {
        let id = id(&entry);
        joined.push(entry);
        let below = new.remove(&id).unwrap_or_default();
        open.extend(below.into_iter().rev());
    }
}
