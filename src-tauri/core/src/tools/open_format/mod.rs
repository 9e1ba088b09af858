//! Sessions in the open format: files that `roam export SESSION open`, or another program, wrote,
//! brought in by an import. docs/open-format.md describes them.
//!
//! - An import verifies the file: the hash of each entry, the tree they form, the signatures as far
//!   as the file has the keys. A file that is not right in one place is left out as a whole.
//! - The entries are kept as they came, with the ids, the devices and the signatures, so an export
//!   of an imported session gives the same entries.
//! - Shown is the branch that ends with the file's last entry.
//! - A newer file of the same session adds its entries. A session that is on this device itself is
//!   not imported: it would be there twice.
//!
//! The format is session-roam's own, since 2026-11-29.

mod messages;

use super::imported::{Conversation, Service};
use crate::open::{self, OpenSession};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const ID: &str = "open-format";

pub const SERVICE: Service = Service {
    id: ID,
    name: "Session files in the open format",
    reason: "A file in the open format is a copy to be read: no tool continues it. Import it, and it can be read and \
             exported on all your devices. A newer file of the same session adds its messages.",
    versions: "version 1 of the format, of 2026-11-29",
    denied: &[],
    read_message: open::read_message,
    records: messages::records,
    facts: messages::facts,
    judge: |_, first, second| messages::judge(first, second),
    joined: messages::joined,
    open_format: Some(messages::lines),
};

/// The id and the content with which a verified file is kept.
pub(super) fn kept(session: &OpenSession) -> Option<(String, Vec<u8>)> {
    let conversation = json!({ "header": session.header, "entries": session.entries });
    let content = Conversation {
        conversation: RawValue::from_string(conversation.to_string()).ok()?,
        files: BTreeMap::new(),
    };
    Some((id_of(session)?, content.render()))
}

/// The same for every file of one session, and another one for a session that only claims to be it:
/// made of the tool, the session's id and the first entry.
fn id_of(session: &OpenSession) -> Option<String> {
    let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let is_root = |entry: &&Value| entry.get("parent").is_some_and(Value::is_null);
    let roots = session.entries.iter().filter(is_root);
    let root = roots.filter_map(|entry| text(entry, "id")).min()?;
    let (tool, id) = (text(&session.header, "tool")?, text(&session.header, "id")?);
    let identity = format!("{tool}\0{id}\0{root}");
    Some(format!(
        "open1-{}",
        &blake3::hash(identity.as_bytes()).to_hex()[..32]
    ))
}

/// Whether a file has nothing that the one of an earlier import lacks.
pub(super) fn is_known(old: &[u8], new: &[u8]) -> bool {
    messages::has_all(old, new)
}

#[cfg(test)]
mod tests;
