//! ChatGPT: conversations from an official export, brought in by `roam import`.
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
//! - Sounds, and files that were uploaded, are not in the conversation's text and not imported.
//!
//! From public descriptions of exports from 2023 to 2026.

mod tree;

use super::imported::{self, MAIN};
use super::{
    About, Checkout, Found, Joins, Launch, Level, Listing, Machine, Reading, Resumable, Root,
    Steering, Tool, Touched, Which, WriteError, Written,
};
use crate::merge::snapshots::Judged;
use crate::session::{DocName, ToolId};
use std::io;
use std::path::Path;

pub use tree::joined;

pub const ID: &str = "chatgpt";
const NAME: &str = "ChatGPT";

/// The other files of an export.
pub const DENIED: [&str; 4] = [
    "chat.html",
    "message_feedback.json",
    "user.json",
    "shared_conversations.json",
];

pub struct ChatGpt;

impl Tool for ChatGpt {
    fn about(&self) -> About {
        About {
            tool: ToolId::new(ID),
            name: NAME.into(),
            level: Level::Carry,
            reason: "ChatGPT keeps its conversations on its servers. Bring an export in with `roam import FILE`: its \
                     conversations can then be read and exported on all your devices. They continue at chatgpt.com."
                .into(),
            versions: "exports of 2023 to 2026, from public descriptions".into(),
            denied: &DENIED,
            is_message: |_| true,
            said: tree::said,
            records: Some(tree::records),
            device_fields: super::no_device_fields,
            joins: Joins {
                judge: Some(|_: &DocName, first: &[u8], second: &[u8]| -> Judged { tree::judge(first, second) }),
                union: Some(tree::joined),
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
        imported::read(machine, found, tree::facts)
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
