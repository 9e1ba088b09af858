//! A conversation as one document: its bubbles, one a line, then the fields of `composerData` that
//! sync. Pure.
//!
//! ```json
//! {"bubbles":[
//! {"bubbleId":"…","text":"Hello","type":1}
//! ],
//! "composer":{"composerId":"…","createdAt":1,"name":"…"}}
//! ```
//! Of `composerData` only the fields that are named here are read from the store, so that keys,
//! drafts, prompts that wait to be sent, places and undo states never leave the device, and none of
//! them can be put into another device's Cursor. Of a bubble, which has sixty and more fields, other
//! ones with each Cursor, all syncs but the fields named in `LEFT_OUT` and, at any depth, members
//! whose names say that they hold credentials or grant a right.

use super::state;
use crate::formats::fields;
use crate::formats::ordered::{fields_of, in_order, in_order_without};
use crate::merge::snapshots::Judged;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// The fields of `composerData` that are the same on every device.
pub(super) const SHARED: [&str; 5] = ["_v", "composerId", "createdAt", "lastUpdatedAt", "name"];

/// The agent's state, reduced to what syncs.
pub(super) const STATE: &str = "conversationState";

/// The fields that steer Cursor: recorded, and never applied where another device wrote them.
pub(super) const STEERS: [&str; 7] = [
    "agentBackend",
    "approvalMode",
    "forceMode",
    "isAgentic",
    "isRunEverything",
    "modelConfig",
    "unifiedMode",
];

/// Fields of a bubble that steer Cursor, or that lead to states of files.
const LEFT_OUT: [&str; 10] = [
    "afterCheckpointId",
    "checkpointId",
    "conversationState",
    "cursorCommands",
    "cursorRules",
    "isPlanExecution",
    "mcpDescriptors",
    "queueItems",
    "supportedTools",
    "unifiedMode",
];

/// Last words of the names of credentials, in lower case. A number is no credential (`tokenCount`).
const CREDENTIALS: [&str; 14] = [
    "apikey",
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "headers",
    "jwt",
    "key",
    "password",
    "secret",
    "token",
];

/// Parts of the names of what lets Cursor act without a question, in lower case.
const RIGHTS: [&str; 8] = [
    "allowlist",
    "approv",
    "autorun",
    "permission",
    "runeverything",
    "sandbox",
    "unrestricted",
    "yolo",
];

/// Keys of maps, such as paths, are no names.
fn is_name(name: &str) -> bool {
    let is_in_name = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    name.chars().all(is_in_name)
}

/// Whether a member holds credentials or grants a right, by its name.
fn is_private(name: &str, value: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_right = is_name(name) && RIGHTS.iter().any(|right| lower.contains(right));
    is_right || is_credential(name, value)
}

fn is_credential(name: &str, value: &str) -> bool {
    if !is_name(name) {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let start = name
        .char_indices()
        .skip(1)
        .zip(name.chars())
        .filter(|((_, letter), before)| {
            "_-".contains(*before) || letter.is_ascii_uppercase() && before.is_ascii_lowercase()
        })
        .map(|((at, _), _)| at)
        .last();
    let last = &lower[start.unwrap_or(0)..];
    // A bare `key` is that of a map.
    let is_one = CREDENTIALS.contains(&last) && (last != "key" || start.is_some());
    is_one && value.starts_with(['"', '{', '['])
}

/// Values nested deeper take nothing from the row here.
const DEEPEST: u8 = 32;

/// A value that arrived, with what the value here has beside what syncs. Where nothing that syncs
/// changed, that is the value here. A changed object keeps the credentials in it, and no rights: they
/// were granted to what it was.
fn over(arrived: &RawValue, here: &RawValue, depth: u8) -> String {
    if in_order_without(here, is_private) == arrived.get() {
        return here.get().to_owned();
    }
    let plain = || arrived.get().to_owned();
    let Some(depth) = depth.checked_sub(1) else {
        return plain();
    };
    match (fields_of(arrived.get()), fields_of(here.get())) {
        (Some(arrived), Some(here)) => members_over(&arrived, &here, depth, &is_credential),
        _ => elements_over(arrived, here).unwrap_or_else(plain),
    }
}

/// Of lists, the elements in the same places that did not change are those here. Others may have moved:
/// what belongs to one must not get into another.
fn elements_over(arrived: &RawValue, here: &RawValue) -> Option<String> {
    let arrived: Vec<&RawValue> = serde_json::from_str(arrived.get()).ok()?;
    let here: Vec<&RawValue> = serde_json::from_str(here.get()).ok()?;
    let elements = arrived.iter().enumerate().map(|(at, arrived)| {
        let same =
            { here.get(at) }.filter(|here| in_order_without(here, is_private) == arrived.get());
        same.unwrap_or(arrived).get()
    });
    Some(format!("[{}]", elements.collect::<Vec<_>>().join(",")))
}

fn members_over(
    arrived: &BTreeMap<String, &RawValue>,
    here: &BTreeMap<String, &RawValue>,
    depth: u8,
    is_kept: &dyn Fn(&str, &str) -> bool,
) -> String {
    let mut members: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in arrived {
        let both = here.get(name).map(|here| over(value, here, depth));
        members.insert(name, both.unwrap_or_else(|| value.get().to_owned()));
    }
    for (name, value) in here {
        if is_kept(name, value.get()) && !members.contains_key(name.as_str()) {
            members.insert(name, value.get().to_owned());
        }
    }
    let members = members.into_iter();
    let members = members.map(|(name, value)| format!("{}:{value}", Value::from(name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// The states of a tool's call that wait for the user or for the tool.
const OPEN: [&str; 2] = ["loading", "pending"];

/// Objects with sorted keys, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) bubbles: Vec<Bubble>,
    pub(super) composer: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bubble {
    pub(super) id: String,
    pub(super) text: String,
}

#[derive(Deserialize)]
struct Parsed<'a> {
    #[serde(borrow)]
    bubbles: Vec<&'a RawValue>,
    #[serde(borrow)]
    composer: BTreeMap<String, &'a RawValue>,
}

impl Bubble {
    /// A bubble as it syncs; `None` for what is no bubble.
    pub(super) fn of(stored: &str) -> Option<Self> {
        let mut parts = fields_of(stored)?;
        parts.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
        let id: String = serde_json::from_str(parts.get("bubbleId")?.get()).ok()?;
        let kind: u8 = serde_json::from_str(parts.get("type")?.get()).ok()?;
        if !is_bubble_id(&id) || ![1, 2].contains(&kind) {
            return None;
        }
        parts.retain(|name, value| !is_private(name, value.get()));
        let members = parts.iter().map(|(name, value)| {
            let value = in_order_without(value, is_private);
            format!("{}:{value}", Value::from(name.as_str()))
        });
        let text = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        Some(Self { id, text })
    }

    /// The row for it where there is one: with the fields of that row which never sync, since they
    /// are this device's. `None` if the row is no bubble.
    pub(super) fn over(&self, row: &str) -> Option<String> {
        Self::of(row).filter(|here| here.id == self.id)?;
        let is_kept =
            |name: &str, value: &str| LEFT_OUT.contains(&name) || is_credential(name, value);
        let text = members_over(&fields_of(&self.text)?, &fields_of(row)?, DEEPEST, &is_kept);
        (Self::of(&text).as_ref() == Some(self)).then_some(text)
    }

    /// Whether a call of a tool in it has not ended.
    pub(super) fn is_open(&self) -> bool {
        let status = fields::text(self.text.as_bytes(), "/toolFormerData/status");
        status.is_some_and(|status| OPEN.contains(&status.as_str()))
    }

    /// What the list of bubbles in `composerData` says of it.
    pub(super) fn head(&self) -> String {
        let get = |name: &str| fields::get(self.text.as_bytes(), name);
        let kind = get("type").unwrap_or("2");
        let id = Value::from(self.id.as_str());
        let at = get("createdAt").map_or(String::new(), |at| format!(",\"createdAt\":{at}"));
        format!("{{\"bubbleId\":{id},\"type\":{kind}{at}}}")
    }

    /// What a reader of the conversation sees of it.
    fn words(&self) -> [Option<&str>; 5] {
        [
            "type",
            "text",
            "/toolFormerData/toolCallId",
            "/toolFormerData/result",
            "/toolFormerData/status",
        ]
        .map(|name| fields::get(self.text.as_bytes(), name))
    }
}

/// Part of a key, in which a colon has a meaning.
fn is_bubble_id(id: &str) -> bool {
    (1..=200).contains(&id.len()) && !id.contains([':', '\n', '\0'])
}

impl Document {
    /// The document of `composerData` and its bubbles. Bubbles at the end that are not finished are
    /// left out until they are; a call of a tool that never ended counts as cancelled.
    pub(super) fn of(stored: &BTreeMap<String, &RawValue>, mut bubbles: Vec<Bubble>) -> Self {
        while bubbles.last().is_some_and(Bubble::is_open) {
            bubbles.pop();
        }
        for bubble in bubbles.iter_mut().filter(|bubble| bubble.is_open()) {
            let ended = [("/toolFormerData/status", "\"cancelled\"")];
            let text = fields::with(bubble.text.as_bytes(), &ended);
            if let Some(text) = text.and_then(|text| String::from_utf8(text).ok()) {
                bubble.text = text;
            }
        }
        let mut composer = BTreeMap::new();
        for name in SHARED {
            composer.extend(
                stored
                    .get(name)
                    .map(|value| (name.to_owned(), in_order(value))),
            );
        }
        for name in STEERS {
            let value = stored.get(name).map_or_else(
                || "null".into(),
                |value| in_order_without(value, is_private),
            );
            composer.insert(name.to_owned(), value);
        }
        let state = stored.get(STATE).and_then(|state| {
            let text: String = serde_json::from_str(state.get()).ok()?;
            Some(Value::from(state::shared(&text)?).to_string())
        });
        composer.insert(STATE.to_owned(), state.unwrap_or_else(|| "\"~\"".into()));
        Self { bubbles, composer }
    }

    pub(super) fn render(&self) -> Vec<u8> {
        let bubbles: Vec<&str> = self
            .bubbles
            .iter()
            .map(|bubble| bubble.text.as_str())
            .collect();
        let composer = self
            .composer
            .iter()
            .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
        let composer: Vec<String> = composer.collect();
        let lines = if bubbles.is_empty() {
            String::new()
        } else {
            format!("{}\n", bubbles.join(",\n"))
        };
        format!(
            "{{\"bubbles\":[\n{lines}],\n\"composer\":{{{}}}}}\n",
            composer.join(",")
        )
        .into_bytes()
    }

    /// `None` for anything but a document that [`Document::of`] makes.
    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let parsed: Parsed<'_> = serde_json::from_slice(content).ok()?;
        let bubbles = parsed.bubbles.iter().map(|bubble| Bubble::of(bubble.get()));
        let document = Self::of(&parsed.composer, bubbles.collect::<Option<_>>()?);
        let ids: BTreeSet<&str> = document
            .bubbles
            .iter()
            .map(|bubble| bubble.id.as_str())
            .collect();
        let is_as_made = parsed.composer.keys().eq(document.composer.keys())
            && parsed.bubbles.len() == document.bubbles.len()
            && ids.len() == document.bubbles.len();
        is_as_made.then_some(document)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.composer
            .get(name)
            .map(String::as_str)
            .filter(|value| *value != "null")
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        let value: f64 = serde_json::from_str(self.get(name)?).ok()?;
        Some(value as i64)
    }

    /// The agent's state; `None` if it is empty.
    pub(super) fn state(&self) -> Option<String> {
        self.text(STATE).filter(|state| state != "~")
    }
}

/// Of two contents, the one whose bubbles begin with those of the other; between equal bubbles, the
/// later one.
pub(super) fn judge(first: &[u8], second: &[u8]) -> Judged {
    if first == second {
        return Judged::Same;
    }
    let (Some(first), Some(second)) = (Document::parse(first), Document::parse(second)) else {
        return Judged::Both;
    };
    let same = |(one, other): (&Bubble, &Bubble)| {
        one.text == other.text || (one.id == other.id && one.words() == other.words())
    };
    if !first.bubbles.iter().zip(&second.bubbles).all(same) {
        return Judged::Both;
    }
    match Judged::longer(first.bubbles.len(), second.bubbles.len()) {
        Judged::Same => {
            let updated = |document: &Document| document.number("lastUpdatedAt").unwrap_or(0);
            let later = updated(&first).cmp(&updated(&second));
            Judged::greater(later.then_with(|| first.composer.cmp(&second.composer)))
        }
        judged => judged,
    }
}
