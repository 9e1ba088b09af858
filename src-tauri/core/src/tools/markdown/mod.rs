//! Markdown transcripts: conversations that were saved as text, brought in by an import.
//!
//! Many tools and browser extensions save a conversation as a Markdown file, and no two in the same form. Read are
//! files in which a line of its own says who speaks:
//!
//! - a heading (`## User`, `### Assistant (2025-10-01 05:11Z)`, `##### You said:`), a line in bold (`**Human:** …`,
//!   `_**Agent**_`), a quoted line (`> You said:`) or, where there is nothing better, a plain one (`User: …`);
//! - what SpecStory, ChatGPT Exporter, Cursor's export and `roam export` write, which are of this kind; the history
//!   file of aider; the text that `/export` of Claude Code writes.
//!
//! The title, the times and an id are taken from front matter, headings and links, as far as they are there. A line in
//! a fenced code block never begins a message.
//!
//! - **What is a transcript.** Of a directory or an archive, a file is imported if two parties speak in it, or if it
//!   names the conversation it was made of. Every other one (`README.md`) is left out and named with the reason. A file
//!   that is named by itself is imported in any case; without speakers, as one message.
//! - **Which conversation it is.** The id that the file states; without one, the file's name, the first message of the
//!   user and the message that follows it; of a text without speakers, its name and that of its directory. What stands
//!   before the first message, and what the system states, does not count. A newer file of the same conversation adds
//!   its messages, also to one that had only the first message.
//! - Pictures that the text refers to are not imported.
//!
//! From public descriptions and published files, read on 2026-11-29.

mod messages;
mod parse;
mod speakers;

use super::imported::{Conversation, Service};
use crate::merge::snapshots::Judged;
use crate::session::Millis;
use parse::Parsed;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

pub const ID: &str = "markdown";

pub const SERVICE: Service = Service {
    id: ID,
    name: "Markdown transcripts",
    reason: "A transcript is text that nothing continues. Import a file or a directory of transcripts: they can then be \
             read and exported on all your devices. A newer file of the same conversation adds its messages.",
    versions: "the forms of SpecStory, ChatGPT Exporter, Cursor's export, aider, Claude Code's /export and session-roam, \
               from public descriptions read on 2026-11-29",
    denied: &[],
    read_message: messages::read_message,
    records: messages::records,
    facts: messages::facts,
    judge: |_, first, second| messages::judge(first, second),
    joined: messages::joined,
    open_format: None,
};

/// A file as it is imported.
pub(super) struct Document {
    /// The id of the conversation: the same for every file of it that has its first two messages.
    pub id: String,
    pub beginning: Beginning,
    pub content: Vec<u8>,
    /// Somebody speaks in it, or it names the conversation it was made of.
    pub is_transcript: bool,
}

/// How a conversation begins, where no id is stated: files of one that was just begun have fewer messages.
#[derive(Debug, PartialEq)]
pub(super) enum Beginning {
    /// The file has an id that does not depend on its messages.
    Fixed,
    /// Only one message: the conversations that go on from it have ids that begin with its own.
    One,
    /// Two messages: the id of a file that has only the first one, and what tells the second one.
    Two { one: String, second: String },
}

/// Where a file was found: its name, and that of its directory (empty if unknown).
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub dir: &'a str,
    pub name: &'a str,
}

/// Reads a file's text; `None` if there is nothing in it. `modified` is its time on the disk.
pub(super) fn document(text: &str, place: Place<'_>, modified: Option<Millis>) -> Option<Document> {
    let parsed = parse::parse(text);
    parsed.messages.first()?;
    let (id, beginning) = identity(&parsed, place);
    let updated = parsed.updated.or(modified);
    let conversation = json!({
        "name": place.name,
        "title": parsed.title,
        "updated": updated.map(Millis::rfc3339),
        "messages": messages::listed(&parsed),
    });
    let content = Conversation {
        conversation: RawValue::from_string(conversation.to_string()).ok()?,
        files: BTreeMap::new(),
    };
    Some(Document {
        id,
        beginning,
        content: content.render(),
        is_transcript: parsed.has_speakers || parsed.has_origin,
    })
}

/// The id of a conversation. Of two that begin with the same prompt, in files of one name, the answers differ.
fn identity(parsed: &Parsed, place: Place<'_>) -> (String, Beginning) {
    let id = |identity: String| format!("md1-{}", short_hash(&identity, 32));
    let name = plain_name(place.name);
    if let Some(stated) = &parsed.id {
        let stated = stated.to_ascii_lowercase();
        return (id(format!("stated\0{stated}")), Beginning::Fixed);
    }
    let messages = parsed.messages.iter().filter(|_| parsed.has_speakers);
    let turns = messages.map(|message| (message.role.as_str(), message.text.as_str()));
    match messages::opening(turns) {
        [None, _] => (
            id(format!("place\0{}\0{name}", place.dir)),
            Beginning::Fixed,
        ),
        [Some((role, text)), None] => {
            (id(format!("first\0{name}\0{role}\0{text}")), Beginning::One)
        }
        [Some((role, text)), Some((next, answer))] => {
            let one = id(format!("first\0{name}\0{role}\0{text}"));
            let second = messages::turn_id(next, answer);
            (format!("{one}-{second}"), Beginning::Two { one, second })
        }
    }
}

/// Whether a conversation that was imported before has the second message of a file as its own, or has only the first.
pub(super) fn may_follow(content: &[u8], second: &str) -> bool {
    messages::may_follow(content, second)
}

/// Whether all messages of a file are in what was imported before.
pub(super) fn is_known(old: &[u8], new: &[u8]) -> bool {
    matches!(messages::judge(old, new), Judged::Same | Judged::First)
        || messages::has_same(old, new)
}

/// A name without its ending and without the number that browsers add to a second download.
fn plain_name(name: &str) -> &str {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let numbered = stem.strip_suffix(')').and_then(|rest| {
        let (before, number) = rest.rsplit_once(" (")?;
        (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(before)
    });
    numbered.unwrap_or(stem)
}

/// The first `n` hexadecimal digits of a text's hash.
fn short_hash(text: &str, n: usize) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..n].to_owned()
}

#[cfg(test)]
mod tests;
