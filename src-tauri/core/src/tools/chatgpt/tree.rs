//! A conversation as a tree of messages: its order, how it is shown, and how two exports of it are
//! joined.

use super::canvas::{self, Canvases};
use crate::formats::jsonl::title_of;
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{self, ParsedMessage, Piece};
use crate::session::{Millis, Role};
use crate::tools::imported::members::Members;
use crate::tools::imported::{self, Compared};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The nodes of a conversation, by id.
fn mapping(conversation: &Value) -> Option<&Map<String, Value>> {
    conversation.get("mapping")?.as_object()
}

fn seconds(value: Option<&Value>) -> Option<Millis> {
    let seconds = value?.as_f64().filter(|seconds| seconds.is_finite())?;
    Some(Millis((seconds * 1000.0) as i64))
}

/// The title and the time of the last change.
pub(super) fn facts(conversation: &Members) -> (Option<String>, Option<Millis>) {
    let title = conversation.text("title");
    (
        title.as_deref().and_then(title_of),
        seconds(Some(&conversation.value("update_time"))),
    )
}

/// The nodes of a conversation and what is below each.
struct Tree<'a> {
    nodes: &'a Map<String, Value>,
    /// The nodes that name another one as their parent, the oldest first.
    below: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Tree<'a> {
    fn of(nodes: &'a Map<String, Value>) -> Self {
        let mut below: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (id, node) in nodes {
            if let Some(parent) = node.get("parent").and_then(Value::as_str) {
                below.entry(parent).or_default().push(id);
            }
        }
        let at = |id: &&str| {
            nodes
                .get(*id)
                .and_then(|node| seconds(node.pointer("/message/create_time")))
        };
        below
            .values_mut()
            .for_each(|ids| ids.sort_by_cached_key(at));
        Self { nodes, below }
    }

    /// The children of a node: those that it lists, then those that name it as their parent.
    fn children(&self, id: &str) -> impl DoubleEndedIterator<Item = &'a str> + use<'a, '_> {
        let node = self.nodes.get(id);
        let listed = node.and_then(|node| node.get("children")?.as_array());
        let listed = listed.into_iter().flatten().filter_map(Value::as_str);
        let listed = listed.filter_map(|id| Some(self.nodes.get_key_value(id)?.0.as_str()));
        listed.chain(self.below.get(id).into_iter().flatten().copied())
    }

    /// The ids of all nodes in the order in which they are shown, and whether each is on the branch
    /// that ends at `current`: that branch comes first, then the other ones as they leave the tree.
    fn order(&self, current: Option<&str>) -> Vec<(&'a str, bool)> {
        let mut shown = Vec::new();
        let mut seen = BTreeSet::new();
        let known = |id: &str| Some(self.nodes.get_key_value(id)?.0.as_str());
        let mut next = current.and_then(known);
        // A damaged tree may have a circle.
        while let Some(id) = next.filter(|id| seen.insert(*id)) {
            shown.push((id, true));
            next = self.parent(id).and_then(known);
        }
        shown.reverse();
        // Without a branch that is shown, none is another one.
        let has_none = shown.is_empty();
        let is_root = |id: &&str| self.parent(id).and_then(known).is_none();
        let ids = || self.nodes.keys().map(String::as_str);
        let mut open: Vec<&str> = ids().filter(is_root).collect();
        let mut visited = BTreeSet::new();
        // Depth first; then whatever hangs in a circle.
        let mut others = ids();
        while let Some(id) = open.pop().or_else(|| others.next()) {
            if !visited.insert(id) {
                continue;
            }
            if seen.insert(id) {
                shown.push((id, has_none));
            }
            open.extend(self.children(id).rev());
        }
        shown
    }

    fn parent(&self, id: &str) -> Option<&'a str> {
        self.nodes.get(id)?.get("parent")?.as_str()
    }

    /// The message that follows a node.
    fn answer(&self, id: &str) -> Option<&'a Value> {
        self.nodes.get(self.children(id).next()?)?.get("message")
    }
}

/// One record for each message.
pub(super) fn records(content: &[u8]) -> Vec<Value> {
    let (conversation, files, damage) = imported::opened(content);
    let mut canvases = Canvases::default();
    let mut found = Vec::new();
    let nodes = Map::new();
    let tree = Tree::of(mapping(&conversation).unwrap_or(&nodes));
    let current = conversation.get("current_node").and_then(Value::as_str);
    for (id, is_shown) in tree.order(current) {
        let node = tree.nodes.get(id);
        let Some(message) = node.and_then(|node| node.get("message")?.as_object()) else {
            continue;
        };
        let at = seconds(message.get("create_time")).map(|at| at.rfc3339());
        let pictures: BTreeMap<&str, &Value> = parts(message.get("content"))
            .filter_map(|part| {
                let name = picture(part)?;
                Some((name, files.get(name)?))
            })
            .collect();
        let canvas = canvases.call(message, tree.answer(id), is_shown.then_some(found.len()));
        let mut record = json!({
            "uuid": id, "timestamp": at, "message": message, "other": !is_shown, "files": pictures,
        });
        if let Some(canvas) = canvas {
            record["canvas"] = canvas;
        }
        found.push(record);
    }
    for (at, content) in canvases.finals() {
        found[at]["canvas"]["final"] = content.into();
    }
    let is_all = found.iter().all(|record| read_message(record).is_none());
    found.extend(damage.and_then(|damage| transcript::missing(damage, is_all)));
    found
}

fn parts(content: Option<&Value>) -> impl Iterator<Item = &Value> {
    let parts = content.and_then(|content| content.get("parts")?.as_array());
    parts.into_iter().flatten()
}

/// The name of a picture: `file-service://file-abc` and `sediment://file_abc` in an export.
fn picture(part: &Value) -> Option<&str> {
    let address = part.get("asset_pointer")?.as_str()?;
    Some(address.rsplit('/').next().unwrap_or(address))
}

pub(super) fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let message = record.get("message")?;
    let hidden = message.pointer("/metadata/is_visually_hidden_from_conversation");
    if hidden.and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let role = match message.pointer("/author/role")?.as_str()? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => Role::System,
    };
    let content = message.get("content")?;
    let field = |name: &str| content.get(name).and_then(Value::as_str);
    let text = || {
        field("text")
            .or_else(|| field("result"))
            .or_else(|| field("content"))
    };
    let recipient = message.get("recipient").and_then(Value::as_str);
    let called = recipient.filter(|recipient| role == Role::Assistant && *recipient != "all");
    let mut pieces: Vec<Piece<'_>> = match field("content_type")? {
        "thoughts" => thoughts(content),
        "reasoning_recap" => text()
            .map(|text| Piece::new("thinking", text))
            .into_iter()
            .collect(),
        // What the user told ChatGPT about themselves belongs to no conversation.
        "user_editable_context" | "model_editable_context" => Vec::new(),
        "text" | "multimodal_text" => parts(Some(content))
            .filter_map(|part| shown(part, record))
            .collect(),
        _ => text()
            .map(|text| Piece::new("text", text))
            .into_iter()
            .collect(),
    };
    pieces.retain(|piece| !piece.body.is_empty());
    if let Some(canvas) = record.get("canvas") {
        pieces = canvas::pieces(canvas);
    } else if let Some(called) = called {
        let input: Vec<&str> = pieces.iter().map(|piece| &*piece.body).collect();
        pieces = vec![Piece::call(called, input.join("\n"), None)];
    } else if role == Role::Tool {
        let results = pieces.iter_mut().filter(|piece| piece.kind == "text");
        results.for_each(|piece| piece.kind = "tool_result");
    }
    if record.get("other").and_then(Value::as_bool) == Some(true) && !pieces.is_empty() {
        pieces.insert(
            0,
            Piece::new("text", "(In another branch of the conversation:)"),
        );
    }
    ParsedMessage::of(record, role, pieces)
}

fn thoughts(content: &Value) -> Vec<Piece<'_>> {
    let thoughts = content.get("thoughts").and_then(Value::as_array);
    let thoughts = thoughts.into_iter().flatten();
    thoughts
        .filter_map(|thought| thought.get("content")?.as_str())
        .map(|text| Piece::new("thinking", text))
        .collect()
}

/// A part of a message: text, or something that was attached.
fn shown<'a>(part: &'a Value, record: &'a Value) -> Option<Piece<'a>> {
    if let Some(text) = part.as_str() {
        return Some(Piece::new("text", text));
    }
    if let Some(name) = picture(part) {
        let address = record
            .get("files")
            .and_then(|files| files.get(name)?.as_str());
        return Some(match address {
            Some(address) => Piece::image_at(address),
            None => Piece::new("file", name),
        });
    }
    let text = part.get("text").and_then(Value::as_str)?;
    Some(Piece::new("text", text))
}

// ---- two exports of one conversation ----

const COMPARED: Compared = Compared {
    ids: |conversation| {
        let nodes = conversation.object("mapping")?;
        let has_message =
            |node: &RawValue| Members::of(node).is_some_and(|node| has_message(&node));
        let ids = nodes.iter().filter(|(_, node)| has_message(node));
        Some(ids.map(|(id, _)| id.to_owned()).collect())
    },
    age: |conversation| seconds(Some(&conversation.value("update_time"))).unwrap_or_default(),
};

/// A node may be the root, or a message that was emptied on the server.
fn has_message(node: &Members) -> bool {
    node.get("message")
        .is_some_and(|message| message.get() != "null")
}

pub(super) fn judge(first: &[u8], second: &[u8]) -> Judged {
    COMPARED.judge(first, second)
}

/// A conversation with the messages of both. The later export's fields count; of a node that both
/// have, its form in the later export, with the children of both and a message that only the
/// earlier one has.
pub(super) fn joined(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    COMPARED.joined(first, second, added)
}

fn added(later: &Members, earlier: &Members) -> Option<Members> {
    let (mut nodes, known) = (later.object("mapping")?, earlier.object("mapping")?);
    let mut is_more = false;
    for (id, node) in known.iter() {
        let more = match nodes.get(id) {
            None => Some(node.to_owned()),
            Some(there) => completed(there, node)?,
        };
        if let Some(more) = more {
            nodes.insert(id, more);
            is_more = true;
        }
    }
    let mut new = Members::default();
    if is_more {
        new.set("mapping", &nodes)?;
    }
    Some(new)
}

/// A node with what only its earlier form has; `Some(None)` if that is nothing.
fn completed(later: &RawValue, earlier: &RawValue) -> Option<Option<Box<RawValue>>> {
    let Some(old) = Members::of(earlier) else {
        return Some(None);
    };
    let Some(mut node) = Members::of(later) else {
        return Some(Some(earlier.to_owned()));
    };
    let mut is_more = false;
    if let Some(message) = old
        .get("message")
        .filter(|_| has_message(&old) && !has_message(&node))
    {
        node.insert("message", message.to_owned());
        is_more = true;
    }
    let mut children = node.list("children").unwrap_or_default();
    let mut known: BTreeSet<String> = children
        .iter()
        .map(|child| child.get().to_owned())
        .collect();
    let more = old.list("children").unwrap_or_default().into_iter();
    let more: Vec<_> = more
        .filter(|child| known.insert(child.get().to_owned()))
        .collect();
    if !more.is_empty() {
        children.extend(more);
        node.set("children", &children)?;
        is_more = true;
    }
    match is_more {
        true => node.render().map(Some),
        false => Some(None),
    }
}
