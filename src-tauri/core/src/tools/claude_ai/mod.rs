//! Claude.ai and the chat tab of Claude Desktop: conversations from an official export, brought in
//! by `roam import`.
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

use super::imported::{self, MAIN};
use super::{
    About, Checkout, Found, Joins, Launch, Level, Listing, Machine, Reading, Resumable, Root,
    Steering, Tool, Touched, Which, WriteError, Written,
};
use crate::merge::snapshots::Judged;
use crate::session::{DocName, ToolId};
use std::io;
use std::path::Path;

pub use messages::joined;

pub const ID: &str = "claude-ai";
const NAME: &str = "Claude.ai";

/// The other files of an export.
pub const DENIED: [&str; 3] = ["memories.json", "projects.json", "users.json"];

pub struct ClaudeAi;

impl Tool for ClaudeAi {
    fn about(&self) -> About {
        About {
            tool: ToolId::new(ID),
            name: NAME.into(),
            level: Level::Carry,
            reason: "Claude.ai and the chat tab of Claude Desktop keep their conversations on Anthropic's servers. Bring an \
                     export in with `roam import FILE`: its conversations can then be read and exported on all your \
                     devices. They continue at claude.ai."
                .into(),
            versions: "exports of 2024 to 2026, from public descriptions".into(),
            denied: &DENIED,
            is_message: |_| true,
            said: messages::said,
            records: Some(messages::records),
            device_fields: super::no_device_fields,
            joins: Joins {
                judge: Some(|_: &DocName, first: &[u8], second: &[u8]| -> Judged { messages::judge(first, second) }),
                union: Some(messages::joined),
                ..Joins::default()
            },
            steering: Steering {
                words: "nothing: no program opens an imported conversation",
                ..Steering::default()
            },
            shared: None,
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        imported::roots(machine, ID)
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        imported::store(machine, NAME, ID).touched(path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        imported::store(machine, NAME, ID).list(which, &|_| None)
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        imported::read(machine, found, messages::facts)
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        imported::write(&imported::store(machine, NAME, ID), checkout)
    }

    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        imported::launch(session)
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }
}
