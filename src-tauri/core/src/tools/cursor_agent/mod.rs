//! Cursor's command line, `cursor-agent`, as a tool of its own: other store, other command, and no
//! conversation of the editor in it. What its files hold is in `agent_store.rs`.

pub mod agent_store;

use self::agent_store::{self as store, Chat, DEVICE_FIELDS, Target};
use crate::adapter::{
    About, Change, Checkout, Content, Found, FoundDoc, Joins, Launch, Level, Listing, Machine,
    Reading, Resumable, Root, Steering, Tool, Touched, Which, WriteError, Written,
};
use crate::formats::running::Running;
use crate::merge::snapshots::Judged;
use crate::session::{DocKind, DocName, Problem, ProblemCode, SessionId, ToolId};
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "Cursor's command line";
const MAIN: &str = "chat.json";

/// Names that never sync: sign-ins, settings, servers, prompts of all chats.
pub const DENIED: [&str; 9] = [
    "acp-sessions",
    "auth.json",
    "cli-config.json",
    "hooks.json",
    "mcp.json",
    "permissions.json",
    "prompt_history.json",
    "projects",
    "skills",
];

const STEERING: Steering = Steering {
    sets: |_, content| store::steers(content),
    words: "mode, approvals (`approvalMode`, `isRunEverything`), model and plan: Cursor uses this device's, and the default \
            ones in a new chat. The mode within the agent's own state is part of a blob whose name is its hash, and stays",
    ..Steering::NONE
};

pub struct CursorAgent;

impl Tool for CursorAgent {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("cursor-agent"),
            name: NAME.into(),
            level: Level::Resume,
            reason: "Two devices that continued one chat get two: the agent's state names its parts by hash and cannot be united. \
                     Paths that the agent noted remain those of the author's device. Chats of the ACP server are not carried."
                .into(),
            versions: "storage code of `@cursor/sdk` 1.1.0 run against this adapter (2026-11-29); `cursor-agent` 2026.09 as \
                       described in public"
                .into(),
            denied: &DENIED,
            read_message: store::read_message,
            records: Some(store::records),
            device_fields: |_| &DEVICE_FIELDS,
            joins: Joins {
                judge: Some(|_: &DocName, first, second| -> Judged { store::judge(first, second) }),
                ..Joins::default()
            },
            steering: STEERING,
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        vec![Root {
            path: store::chats_dir(machine),
            deep: true,
            store: true,
        }]
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        let root = store::chats_dir(machine);
        match store::chat_of(&root, path) {
            Some(id) => Touched::Session(SessionId::new(id)),
            None if path == root || path.parent() == Some(&root) => Touched::Everything,
            None => Touched::Nothing,
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let root = store::chats_dir(machine);
        let chats: Vec<Chat> = match which {
            Which::All => store::list(&root),
            Which::One(session) => store::find(&root, session.as_str()).into_iter().collect(),
            Which::ConflictCopies => Vec::new(),
        };
        let mut listing = Listing::default();
        if chats.is_empty() {
            return listing;
        }
        let running = machine.apps.running();
        let found = chats.into_iter().map(|chat| {
            let open_in = opener_of(&running, &chat);
            found(chat, open_in)
        });
        listing.found = found.collect();
        listing
    }

    fn read(&self, _machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.main()?;
        let read = store::read(&main.path, found.session.as_str()).map_err(io::Error::other)?;
        let document = store::Document::parse(&read.document).map_err(io::Error::other)?;
        // The name of the directory above the chat's is a hash of the chat's directory.
        let bucket = main
            .path
            .ancestors()
            .nth(2)
            .and_then(|dir| dir.file_name()?.to_str());
        let is_home =
            |path: &str| bucket.is_some_and(|bucket| store::is_bucket_of(bucket, Path::new(path)));
        let hint = "It is kept as it is. Open it once in Cursor's command line.";
        let problems = read
            .problems
            .into_iter()
            .map(|what| Problem::new(ProblemCode::SessionDamaged, what, hint));
        Ok(Reading {
            facts: store::facts(&document, is_home),
            docs: vec![Content::Bytes(read.document.into())],
            problems: problems.collect(),
            ..Reading::default()
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let [doc] = &checkout.docs[..] else {
            return Err(WriteError::Refused(format!(
                "A chat of {NAME} is one document"
            )));
        };
        if doc.name.as_str() != MAIN {
            return Err(WriteError::Refused(format!(
                "\"{}\" is not a chat's document",
                doc.name
            )));
        }
        let id = checkout.session.as_str();
        let (root, running) = (store::chats_dir(machine), machine.apps.running());
        let open = match store::find(&root, id) {
            Some(chat) => opener_of(&running, &chat),
            None => store::opener(&running, id, Some(checkout.cwd)),
        };
        if let Some(open) = open {
            return Err(WriteError::Open(open));
        }
        let (was, content) = match (&doc.change, doc.change.content()?) {
            (Change::Remove { path, was }, _) => {
                store::remove(&root, path, *was)?;
                let gone = (doc.name.clone(), path.to_path_buf(), Default::default());
                return Ok(Written {
                    docs: vec![gone],
                    ..Written::default()
                });
            }
            (Change::Replace { path, was, .. }, Some(content)) => (Some((*path, *was)), content),
            (_, Some(content)) => (None, content),
            (_, None) => {
                return Err(WriteError::Refused(format!(
                    "A chat of {NAME} is written whole"
                )));
            }
        };
        let target = Target {
            root: &root,
            id,
            cwd: checkout.cwd,
            was,
        };
        let (path, stamp) = store::write(&target, &content)?;
        Ok(Written {
            docs: vec![(doc.name.clone(), path, stamp)],
            ..Written::default()
        })
    }

    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        Launch::new(
            vec![
                "cursor-agent".into(),
                "--resume".into(),
                session.session.to_string(),
            ],
            session.cwd,
        )
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }
}

/// An agent that runs in the directory of the chat, or was given its id. One whose directory is not
/// known may have any chat open.
fn opener_of(running: &[Running], chat: &Chat) -> Option<String> {
    let has_it = |process: &&Running| {
        let is_in = |cwd: &PathBuf| store::is_bucket_of(&chat.bucket, cwd);
        process.cwd.as_ref().is_none_or(is_in)
            || process.args.iter().any(|arg| arg.contains(&chat.id))
    };
    let agents = running.iter().filter(|process| store::is_agent(process));
    let process = agents.into_iter().find(has_it)?;
    Some(format!("{NAME} has it open (process {})", process.pid))
}

fn found(chat: Chat, open_in: Option<String>) -> Found {
    let doc = FoundDoc {
        name: DocName::new(MAIN),
        kind: DocKind::Snapshot,
        place: format!("chats/{}/{MAIN}", chat.id),
        path: chat.store,
        stamp: chat.stamp,
    };
    Found {
        session: SessionId::new(chat.id),
        docs: vec![doc],
        open_in,
    }
}
