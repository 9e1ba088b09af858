//! The chats of Cursor's command line, `cursor-agent`: one SQLite database each.
//!
//! `~/.cursor/chats/<MD5 of the directory's path>/<id>/` with
//! - `store.db` (WAL): the table `blobs`, whose ids are the SHA-256 of their bytes, and the table `meta`, whose row `0`
//!   is the record of the chat: id, name, mode, approvals, model, key, and the latest *root*. The root is the end of the
//!   conversation: a protobuf message that names the messages (JSON text) and turns in order. Older roots stay;
//! - `meta.json`: title, times, directory; `prompt_history.json`, which does not sync.
//!
//! - A chat syncs as one document (`document.rs`): the blobs, and the known fields of both records without the key.
//! - Blobs are never changed, so what they say about places on the author's device stays: the directories, the files
//!   that were read. Mode, approvals (`isRunEverything`, `approvalMode`), model and plan stay this device's.
//! - A running `cursor-agent` keeps the record in memory and writes it back, so a chat that may be open is left alone.
//! - A chat without key is opened: Cursor makes a new one.
//!
//! Stores of the Agent SDK (`~/.cursor/projects/*/sdk-agent-store`) and of the ACP server (`~/.cursor/acp-sessions`) have
//! the same tables and are not chats of the command line.
//!
//! From `@cursor/sdk` 1.1.0 (PyPI `cursor-sdk` 1.1.0), whose storage code was run against this module on 2026-11-29
//! (`tests/lab/cursor`), and public descriptions of `cursor-agent` 2026.09.15 and 2026.09.26.

mod blobs;
mod document;
mod judged;
mod paths;
mod reading;
mod shown;
mod writing;

pub use self::document::{Document, DocumentError, META_OF_DEVICE};
pub use self::judged::judge;
pub use self::paths::{
    Chat, STORE, bucket_for, bucket_of, chat_of, chats_dir, find, is_bucket, is_bucket_of, is_id,
    list, physical, stamp,
};
pub use self::reading::{Read, SIDECAR, StoreError, read};
pub use self::shown::{facts, read_message, records, steers};
pub use self::writing::{Target, remove, write};

use crate::formats::running::Running;
use std::path::Path;

/// The fields of a document that are this device's, as JSON pointers.
pub const DEVICE_FIELDS: [&str; 6] = [
    "/chat/cwd",
    "/meta/approvalMode",
    "/meta/currentPlanUri",
    "/meta/isRunEverything",
    "/meta/lastUsedModel",
    "/meta/mode",
];

/// The program's directory, in which its versions and the Node that runs it lie.
const PROGRAM: &str = "cursor-agent";

/// Who may have the chat open: a `cursor-agent` that was started in its directory or with its id. Without a directory,
/// any of them.
pub fn opener(running: &[Running], id: &str, cwd: Option<&Path>) -> Option<String> {
    let cwd = cwd.map(physical);
    let is_in = |path: &Path| cwd.as_ref().is_none_or(|cwd| *cwd == physical(path));
    let has_it = |process: &&Running| {
        let named = |arg: &String| arg.contains(id) || cwd.as_ref() == Some(arg);
        process.cwd.as_deref().is_none_or(is_in) || process.args.iter().any(named)
    };
    let agents = running.iter().filter(|process| is_agent(process));
    let process = agents.into_iter().find(has_it)?;
    Some(format!(
        "Cursor's command line has it open (process {})",
        process.pid
    ))
}

/// The command is a script that becomes `node <directory of the version>/index.js …`.
pub fn is_agent(process: &Running) -> bool {
    let in_it = |path: &str| path.split(['/', '\\']).any(|name| name == PROGRAM);
    let script = process.args.get(1..).unwrap_or_default();
    let script = script.iter().find(|arg| !arg.starts_with('-'));
    in_it(&process.exe.to_string_lossy())
        || process.args.first().is_some_and(|name| in_it(name))
        || (process.name() == "node" && script.is_some_and(|script| in_it(script)))
}

#[cfg(test)]
mod tests;
