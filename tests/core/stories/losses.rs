//! What the open format does not hold of the tools' own records: docs/open-losses.md is the result of
//! comparing each fixture's native docs with the entries that were made from them. `cargo xtask
//! docs` writes it.

use super::fixtures::Story;
use super::open_format::exported;
use crate::conformance::cases::cases;
use serde_json::Value;
use session_roam_core::api::{ExportFormat, Exported, Request};
use session_roam_core::session::DocKind;
use session_roam_core::session::chain::lines_of;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const PAGE: &str = "../../docs/open-losses.md";
/// A shorter text may be part of another one by chance.
const TELLING: usize = 8;
const HEAD: &str = "\
# What the open format does not hold

Made by a test that compares the native records of every fixture of every tool with the entries that `roam export SESSION open`
makes of them; `cargo xtask docs` writes it. The native records themselves are kept byte for byte: `roam export SESSION native`.

A field is listed if at least one of its values in the fixtures is neither in the header nor in the entries made of the same record:
not as a text, not inside one, and a number or a truth value not under the same name. So a field whose word the view has in another
form is listed, too: `tool_use` is `function_call` there, and a time in milliseconds is not part of the view. *In part*: only a part of
the text is in the view. `[]` is any element of a list, `{}` any key that is an id or a path, `.*` everything below. Other docs of a
session than its main one are in no view; they are listed by name.
";

/// The texts and values that the view holds of a record.
#[derive(Default)]
struct Carried {
    texts: BTreeSet<String>,
    /// Numbers and truth values with the name of their field.
    named: BTreeSet<(String, String)>,
}

impl Carried {
    /// What the header says of the session.
    fn of(header: &Value) -> Self {
        let mut carried = Self::default();
        for name in ["id", "title", "updated_at", "harness"] {
            carried.value(name, &header[name]);
        }
        carried
    }

    fn add(&mut self, entry: &Value) {
        for name in ["ts", "item"] {
            self.value(name, &entry[name]);
        }
        self.value("id", &entry["native"]["id"]);
        let is_output = entry["item"]["type"] == "function_call_output";
        if is_output && entry["item"]["is_error"].is_null() {
            self.named.insert(("iserror".into(), "false".into()));
        }
    }

    fn value(&mut self, name: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => {
                // A call's input is JSON in a text.
                match serde_json::from_str::<Value>(text) {
                    Ok(inner) if inner.is_object() || inner.is_array() => self.value(name, &inner),
                    _ => {}
                }
                // A picture stands behind its media type.
                let picture = text.split_once(";base64,").map(|(_, data)| data.to_owned());
                let media = text
                    .strip_prefix("data:")
                    .and_then(|rest| rest.split_once(';'));
                self.texts.extend(picture);
                self.texts.extend(media.map(|(media, _)| media.to_owned()));
                self.texts.insert(text.clone());
            }
            Value::Array(all) => all.iter().for_each(|one| self.value(name, one)),
            Value::Object(fields) => fields.iter().for_each(|(name, one)| self.value(name, one)),
            plain => {
                self.named.insert((plainly(name), plain.to_string()));
            }
        }
    }

    fn holds(&self, name: &str, value: &Value) -> Held {
        let Value::String(text) = value else {
            return match self.named.contains(&(plainly(name), value.to_string())) {
                true => Held::Whole,
                false => Held::Not,
            };
        };
        let is_inside = |all: &str, part: &str| TELLING <= part.len() && all.contains(part);
        if self.texts.contains(text) || self.texts.iter().any(|held| is_inside(held, text)) {
            return Held::Whole;
        }
        match self.texts.iter().any(|held| is_inside(text, held)) {
            true => Held::Part,
            false => Held::Not,
        }
    }
}

/// `isError` and `is_error` are one name.
fn plainly(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    Whole,
    Part,
    Not,
}

/// The records of one kind.
#[derive(Default)]
struct Kind {
    n: u64,
    /// How many have no entry at all.
    n_without: u64,
    /// How far each field is held, at worst.
    fields: BTreeMap<String, Held>,
}

impl Kind {
    fn add(&mut self, record: &Value, carried: Option<&Carried>) {
        self.n += 1;
        match carried {
            Some(carried) => self.compare("", "", record, carried),
            None => self.n_without += 1,
        }
    }

    fn compare(&mut self, path: &str, name: &str, value: &Value, carried: &Carried) {
        match value {
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::Array(all) => all
                .iter()
                .for_each(|one| self.compare(&format!("{path}[]"), name, one, carried)),
            Value::Object(fields) => {
                for (name, one) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.compare(&format!("{path}{dot}{}", key(name)), name, one, carried);
                }
            }
            plain => {
                let held = carried.holds(name, plain);
                let worst = self.fields.entry(path.to_owned()).or_insert(held);
                *worst = held.max(*worst);
            }
        }
    }

    /// The fields held so far; of what is lost below one field altogether only that field.
    fn listed(&self, held: Held) -> String {
        let is_lost = |below: &str| {
            let inside = |path: &str| {
                let rest = path.strip_prefix(below);
                rest.is_some_and(|rest| rest.starts_with(['.', '[']))
            };
            let mut below = self
                .fields
                .iter()
                .filter(|(path, _)| inside(path))
                .peekable();
            below.peek().is_some() && below.all(|(_, held)| *held == Held::Not)
        };
        let mut found = BTreeSet::new();
        for (path, _) in self.fields.iter().filter(|(_, one)| **one == held) {
            let ends = path.match_indices(['.', '[']).map(|(at, _)| &path[..at]);
            let above = ends
                .into_iter()
                .find(|above| held == Held::Not && is_lost(above));
            found.insert(match above {
                Some(above) => format!("`{above}.*`"),
                None => format!("`{path}`"),
            });
        }
        found.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// A key that is an id or a path says nothing about the form.
fn key(name: &str) -> String {
    let is_id = 8 <= name.len() && name.bytes().any(|byte| byte.is_ascii_digit());
    match is_id || name.contains(['/', '.', ' ']) {
        true => "{}".into(),
        false => name.replace('|', "\\|"),
    }
}

/// The kind of a record, by the fields that say it in most formats.
fn kind_of(record: &Value) -> String {
    let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
    let outer = text(record, "type").or_else(|| text(record, "kind"));
    let inner = text(&record["payload"], "type").or_else(|| text(record, "subtype"));
    let role = text(record, "role");
    match (outer, inner) {
        (Some(outer), Some(inner)) => format!("{outer} / {inner}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => role.unwrap_or_else(|| "a record without a type".into()),
    }
}

/// What was compared of one tool.
#[derive(Default)]
struct Ledger {
    name: String,
    n_entries: usize,
    kinds: BTreeMap<String, Kind>,
    opaque: BTreeSet<String>,
    beside: BTreeSet<String>,
}

impl Ledger {
    fn add(&mut self, story: &mut Story) {
        let session = story.session.clone();
        let view = exported(&mut story.world.devices[0], &session, ExportFormat::Open);
        let lines = view
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        let mut entries: Vec<Value> = lines.collect();
        let header = entries.remove(0);
        self.n_entries += entries.len();
        let (main, docs) = native(story, &session);
        for (doc, bytes) in docs {
            match doc == main {
                true => self.main(story, (&doc, &bytes), &header, &entries),
                false => {
                    self.beside.insert(form_of(&doc, &session));
                }
            }
        }
    }

    fn main(&mut self, story: &Story, doc: (&str, &[u8]), header: &Value, entries: &[Value]) {
        let (doc, bytes) = doc;
        let is_log = story.case.tool.about().records.is_none() && kind(story) == DocKind::Log;
        if is_log {
            let mut carried: BTreeMap<u64, Carried> = BTreeMap::new();
            for entry in entries {
                let record = entry["native"]["record"].as_u64().expect("a number");
                let held = carried.entry(record).or_insert_with(|| Carried::of(header));
                held.add(entry);
            }
            for (at, line) in lines_of(bytes).enumerate() {
                // A damaged line is shown as far as it can be read.
                let Ok(record) = serde_json::from_slice::<Value>(line) else {
                    continue;
                };
                let kind = self.kinds.entry(kind_of(&record)).or_default();
                kind.add(&record, carried.get(&(at as u64)));
            }
            return;
        }
        let mut carried = Carried::of(header);
        entries.iter().for_each(|entry| carried.add(entry));
        let values: Vec<Value> = match serde_json::from_slice(bytes) {
            Ok(document) => vec![document],
            // A document kept as a log of its changes.
            Err(_) => lines_of(bytes)
                .map_while(|line| serde_json::from_slice(line).ok())
                .collect(),
        };
        if values.is_empty() {
            self.opaque.insert(form_of(doc, &story.session));
        }
        for value in values {
            let kind = self.kinds.entry("the whole document".into()).or_default();
            kind.add(&value, Some(&carried));
        }
    }

    fn render(&self, page: &mut String) {
        writeln!(page, "\n## {}", self.name).expect("text");
        if !self.kinds.is_empty() {
            page.push_str("\n| records | not in the view | in part |\n|---|---|---|\n");
        }
        for (name, kind) in &self.kinds {
            let (lost, part) = match kind.n == kind.n_without {
                true => ("the whole record".into(), String::new()),
                false => (kind.listed(Held::Not), kind.listed(Held::Part)),
            };
            let some = match kind.n_without {
                0 => "",
                n if n == kind.n => "",
                _ => " (some of these records have no entry at all)",
            };
            let lost = match lost.is_empty() {
                true => "nothing".into(),
                false => lost,
            };
            writeln!(
                page,
                "| {} | {lost}{some} | {part} |",
                name.replace('|', "\\|")
            )
            .expect("text");
        }
        let list = |names: &BTreeSet<String>| {
            let names = names.iter().map(|name| format!("`{name}`"));
            names.collect::<Vec<_>>().join(", ")
        };
        if !self.opaque.is_empty() {
            let words = match self.n_entries {
                0 => "nothing of it is in the view",
                _ => "the view holds what the adapter reads of it",
            };
            writeln!(page, "\nNo JSON, so {words}: {}.", list(&self.opaque)).expect("text");
        }
        if !self.beside.is_empty() {
            writeln!(
                page,
                "\nOther docs, none of which is in the view: {}.",
                list(&self.beside)
            )
            .expect("text");
        }
    }
}

fn kind(story: &Story) -> DocKind {
    let machine = story.world.devices[0].machine();
    let found = super::fixtures::found(&story.case, &machine).expect("the fixture's session");
    let main = found
        .docs
        .iter()
        .find(|doc| story.case.tool.is_main(&doc.name));
    main.or(found.docs.first()).expect("a doc").kind
}

/// The session's own docs by name, and which of them makes the session.
fn native(story: &mut Story, session: &str) -> (String, Vec<(String, Vec<u8>)>) {
    let device = &mut story.world.devices[0];
    let machine = device.machine();
    let dir = device.home.join("out");
    let export = Request::Export {
        session: session.into(),
        format: ExportFormat::Native,
        dir: Some(dir.clone()),
    };
    let files = device.ask::<Exported>(export).files;
    let found = super::fixtures::found(&story.case, &machine).expect("the fixture's session");
    let main = found
        .docs
        .iter()
        .find(|doc| story.case.tool.is_main(&doc.name));
    let main = main.or(found.docs.first()).expect("a doc").name.to_string();
    let docs = files.into_iter().map(|file| {
        let below = file.strip_prefix(&dir).expect("below");
        let name: Vec<_> = below.components().skip(1).collect();
        let name = name.iter().map(|part| part.as_os_str().to_string_lossy());
        let name = name.collect::<Vec<_>>().join("/");
        (name, fs::read(file).expect("read"))
    });
    (main, docs.collect())
}

/// A doc's name without what differs from session to session.
fn form_of(doc: &str, session: &str) -> String {
    let parts = doc.split('/').map(|part| {
        let part = part.replace(session, "{session}");
        match part.split_once('.') {
            Some((stem, ending)) if stem.bytes().any(|byte| byte.is_ascii_digit()) => {
                format!("{{}}.{ending}")
            }
            None if part.bytes().any(|byte| byte.is_ascii_digit()) => "{}".into(),
            _ => part,
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

fn page() -> String {
    let mut tools: Vec<Ledger> = Vec::new();
    for case in cases() {
        let about = case.tool.about();
        let name = format!("{} (`{}`)", about.name, about.tool);
        let known = tools.iter().position(|ledger| ledger.name == name);
        let at = known.unwrap_or_else(|| {
            tools.push(Ledger {
                name,
                ..Ledger::default()
            });
            tools.len() - 1
        });
        tools[at].add(&mut Story::begin(case));
    }
    let mut page = String::from(HEAD);
    tools.iter().for_each(|ledger| ledger.render(&mut page));
    page
}

#[test]
#[allow(clippy::disallowed_methods)] // a test is a shell of its own
fn the_page_of_losses_is_what_the_comparison_gives() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == written.replace("\r\n", "\n"),
        "docs/open-losses.md is not what the comparison gives: run `cargo xtask docs`"
    );
}
