//! Sessions and messages as quotations, page by page. Only formats what the engine answered.

use super::quotation::{MOST, Quotation, name, time};
use super::scope::Scope;
use session_roam_core::api::{Message, Part, Search, SearchHit, SearchSnippet, SessionRow, Shown};
use session_roam_core::session::Role;

/// Bytes of one part of a message in a page; `read_part` has the rest.
const TEXT: usize = 4_000;
const FOLDED: usize = 800;
/// The parts of one message in a page: a record of another device may have thousands.
const PARTS: usize = 40;

/// The lines of a session that a search shows, and the bytes of one.
const SNIPPETS: usize = 3;
const SNIPPET: usize = 400;

/// A session as a list tells it.
pub struct Head<'a> {
    pub session: &'a str,
    pub tool: &'a str,
    pub project: &'a str,
    pub title: &'a str,
    pub updated: &'a str,
    pub devices: &'a [String],
    pub state: &'a str,
}

impl<'a> From<&'a SessionRow> for Head<'a> {
    fn from(row: &'a SessionRow) -> Self {
        Self {
            session: &row.session,
            tool: &row.tool,
            project: &row.project,
            title: &row.title,
            updated: &row.updated,
            devices: &row.devices,
            state: row.state.as_str(),
        }
    }
}

impl<'a> From<&'a SearchHit> for Head<'a> {
    fn from(hit: &'a SearchHit) -> Self {
        Self {
            session: &hit.session,
            tool: &hit.tool,
            project: &hit.project,
            title: &hit.title,
            updated: &hit.updated,
            devices: &hit.devices,
            state: if hit.split { "split" } else { "" },
        }
    }
}

/// The sessions that a search found, each with the lines that fit best.
pub fn hits(found: &Search, limit: u64, scope: &Scope) -> String {
    let mut quotation = Quotation::new();
    let mut n_told = 0;
    for hit in &found.hits {
        let is_allowed = |snippet: &&SearchSnippet| scope.has_device(snippet.device.as_deref());
        let snippets: Vec<_> = hit
            .snippets
            .iter()
            .filter(is_allowed)
            .take(SNIPPETS)
            .collect();
        if scope.is_limited() && snippets.is_empty() {
            continue;
        }
        if n_told == limit || quotation.room() < 2_500 + SNIPPETS * SNIPPET {
            break;
        }
        n_told += 1;
        quotation.say(&format!("Session {n_told}:"));
        about(&mut quotation, &Head::from(hit), scope);
        for snippet in snippets {
            quotation.say(&line_of(snippet, scope));
            let text: String = snippet
                .text
                .iter()
                .map(|piece| piece.text.as_str())
                .collect();
            quotation.quote(&text, SNIPPET);
        }
    }
    for notice in found.notices.iter().take(8) {
        quotation.label("about the words", notice);
    }
    if let Some(indexing) = found.indexing {
        let (done, total) = (indexing.done, indexing.total);
        quotation.say(&format!(
            "The index is being built: {done} of {total} sessions can be found."
        ));
    }
    let more = if scope.is_limited() {
        ""
    } else {
        &format!(" of {}", found.total)
    };
    quotation.say(&match n_told {
        0 => "No session fits.".to_owned(),
        told => format!("Sessions 1 to {told}{more}, the best first."),
    });
    quotation.finish()
}

fn line_of(snippet: &SearchSnippet, scope: &Scope) -> String {
    let device = scope.device(snippet.device.as_deref());
    let at = time(snippet.at.as_deref());
    let who = role(snippet.role);
    match snippet.other_version {
        true => format!(
            "A message {who}, on {device}, {at}, in the other version of the split session:"
        ),
        false => format!("Message {} {who}, on {device}, {at}:", snippet.message),
    }
}

/// Sessions `from` to `from + limit` of those found.
pub fn rows(found: &[Head<'_>], from: u64, limit: u64, scope: &Scope, what: &str) -> String {
    let skipped = usize::try_from(from).unwrap_or(usize::MAX);
    let page = found.iter().skip(skipped).take(limit as usize);
    let mut quotation = Quotation::new();
    let mut next = from;
    for head in page {
        // A row has at most a few hundred bytes in each of its lines.
        if quotation.room() < 2_500 {
            break;
        }
        next += 1;
        quotation.say(&format!("Session {next}:"));
        about(&mut quotation, head, scope);
    }
    quotation.say(&match next {
        next if next == from => "No session fits.".to_owned(),
        next if next < found.len() as u64 => {
            format!(
                "Sessions {} to {next} {what}. There are more: from={next}.",
                from + 1
            )
        }
        next => format!("Sessions {} to {next} {what}. There are no more.", from + 1),
    });
    quotation.finish()
}

pub fn about(quotation: &mut Quotation, head: &Head<'_>, scope: &Scope) {
    quotation.label("id", head.session);
    quotation.label("tool", head.tool);
    quotation.label("project", head.project);
    match scope.has_all_of(head.devices) {
        true => quotation.label("title", head.title),
        false => quotation.say("Its title is left out: other devices added to the session."),
    }
    let devices = head.devices.iter().take(8);
    let devices: Vec<String> = devices.map(|device| name(device)).collect();
    quotation.label("updated", head.updated);
    quotation.label("devices", &devices.join(", "));
    if !head.state.is_empty() {
        quotation.label("state here", head.state);
    }
}

/// Quotes messages as far as they fit and returns the number of the next one.
pub fn transcript(quotation: &mut Quotation, shown: &Shown, scope: &Scope) -> u64 {
    let mut next = shown.from;
    for message in &shown.messages {
        if !scope.has_message(message) {
            quotation.say(&format!(
                "Message {next} is left out: it is of another device."
            ));
            next += 1;
            continue;
        }
        let is_first = next == shown.from;
        let whole = one_message(next, message, scope);
        if !is_first && quotation.room() < whole.len() + 300 {
            break;
        }
        quotation.say(whole.trim_end());
        next += 1;
        if quotation.room() < 500 {
            break;
        }
    }
    next
}

/// A message as its own little quotation, never longer than a page.
fn one_message(number: u64, message: &Message, scope: &Scope) -> String {
    let mut quotation = Quotation::empty();
    quotation.say(&heading(number, message, scope));
    for (at, part) in message.parts.iter().enumerate().take(PARTS) {
        if quotation.room() < MOST / 3 {
            quotation.say(&format!(
                "The parts from {at} on are not in this page; read_part has them."
            ));
            break;
        }
        one_part(&mut quotation, number, at, part);
    }
    if PARTS < message.parts.len() {
        quotation.say(&format!("It has {} parts.", message.parts.len()));
    }
    if message.parts.is_empty() {
        quotation.quote(&message.text, TEXT);
    }
    quotation.finish()
}

fn one_part(quotation: &mut Quotation, number: u64, at: usize, part: &Part) {
    let most = if part.kind == "text" { TEXT } else { FOLDED };
    if part.kind != "text" {
        quotation.say(&format!("Part {at}, {}:", name(&part.kind)));
        for (label, value) in [("name", &part.name), ("target", &part.target)] {
            if let Some(value) = value {
                quotation.label(label, value);
            }
        }
    }
    let quoted = quotation.quote(&part.text, most);
    if part.kind != "image" && (quoted as u64) < part.bytes {
        quotation.say(&format!(
            "Cut: {quoted} of {} bytes; read_part with message={number}, part={at}, offset={quoted} reads on.",
            part.bytes
        ));
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::User => "by the user",
        Role::Assistant => "by the assistant",
        Role::Tool => "by a tool",
        Role::System => "by the system",
        Role::Steering => "by a change of the tool's settings",
    }
}

pub fn heading(number: u64, message: &Message, scope: &Scope) -> String {
    format!(
        "Message {number} {}, on {}, {}:",
        role(message.role),
        scope.device(message.device.as_deref()),
        time(message.at.as_deref())
    )
}
