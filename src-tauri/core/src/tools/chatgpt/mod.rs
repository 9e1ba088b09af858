//! ChatGPT: conversations from an official export, brought in by an import.
//!
//! ChatGPT keeps its conversations on OpenAI's servers; what its apps keep on a device is an
//! encrypted cache. (Threads of Codex are Codex's.) An export, which the user requests in ChatGPT's
//! settings, is a zip with `conversations.json`, or several `conversations-<n>.json`, and pictures.
//! A conversation is a tree of messages, `mapping`; `current_node` is the end of the branch that
//! was last shown.
//!
//! - The branch that was last shown comes first, then the messages of the other branches.
//! - A newer export adds to what an older one brought; nothing is doubled, and a message that was
//!   deleted on the server meanwhile stays.
//! - A canvas is shown where it was written, with its title and language; after changes in places, whole, as far as
//!   these can be followed.
//! - Sounds, and files that were uploaded, are not in the conversation's text and not imported.
//!
//! From public descriptions of exports from 2023 to 2026.

mod canvas;
mod tree;

use super::imported::Service;

pub const ID: &str = "chatgpt";

pub const SERVICE: Service = Service {
    id: ID,
    name: "ChatGPT",
    reason: "ChatGPT keeps its conversations on its servers, those of its desktop app too, and no program here may write \
             there. Request an export in ChatGPT's settings and import it: its conversations can then be read and \
             exported on all your devices. They continue at chatgpt.com.",
    versions: "exports of 2023 to 2026, from public descriptions read on 2026-11-29; no export of a real account was tried",
    denied: &[
        "chat.html",
        "message_feedback.json",
        "user.json",
        "shared_conversations.json",
    ],
    read_message: tree::read_message,
    records: tree::records,
    facts: tree::facts,
    judge: |_, first, second| tree::judge(first, second),
    joined: tree::joined,
    open_format: None,
};

#[cfg(test)]
mod tests;
