//! Claude.ai and the chat tab of Claude Desktop: conversations from an official export, brought in
//! by an import.
//!
//! Both keep their conversations on Anthropic's servers. An export, which the user requests in
//! Claude's settings, is a zip with `conversations.json`: conversations with `chat_messages`.
//! (Sessions of Claude Code, and of Claude Desktop's code tab, are Claude Code's.)
//!
//! - A newer export adds to what an older one brought; a message that was deleted on the server
//!   meanwhile stays.
//! - Of attached files an export has the text at most, of pictures only the names.
//!
//! From public descriptions of exports from 2024 to 2026.

mod messages;

use super::imported::Service;

pub const ID: &str = "claude-ai";

pub const SERVICE: Service = Service {
    id: ID,
    name: "Claude.ai",
    reason: "Claude.ai and the chat tab of Claude Desktop keep their conversations on Anthropic's servers, and no program \
             here may write there. Request an export in Claude's settings and import it: its conversations can then be \
             read and exported on all your devices. They continue at claude.ai.",
    versions: "exports of 2024 to 2026, from public descriptions read on 2026-11-29; no export of a real account was tried",
    denied: &["memories.json", "projects.json", "users.json"],
    read_message: messages::read_message,
    records: messages::records,
    facts: messages::facts,
    judge: |_, first, second| messages::judge(first, second),
    joined: messages::joined,
    open_format: None,
};
