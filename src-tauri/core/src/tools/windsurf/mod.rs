//! Windsurf: the conversations of Cascade, as the encrypted files that they are.
//!
//! `~/.codeium/windsurf/cascade/<uuid>.pb`, the same on every system; the preview has
//! `windsurf-next` for `windsurf`, and an early release had nothing: `~/.codeium/cascade`. A file
//! is AES-GCM: it cannot be read here, so a conversation has no words, no directory and no title
//! but the heading of its plan, `brain/<uuid>/plan.md`, which is plain text and syncs with it. It
//! belongs to the home directory.
//!
//! - The summaries that Windsurf keeps of its latest conversations, with their titles and
//!   directories, are not read: they lie in `state.vscdb` among its sign-ins, and only their place
//!   is described in public.
//! - **Whether Windsurf lists a file that another machine wrote is not known.** The key is the same
//!   for all users, so it can read one. The directory of the project inside is the author's.
//! - Two devices that continued a conversation are asked which file counts; the vault keeps both.
//! - Windsurf keeps only about the last twenty conversations (Exafunction/codeium #136). The vault
//!   keeps all of them.
//! - Files are written only while Windsurf does not run.
//!
//! From public descriptions of the files (November 2026). No Windsurf could be run here.

use super::{
    About, Checkout, Facts, Found, Launch, Level, Listing, Machine, Reading, Resumable, Root,
    Steering, Tool, Touched, Which, WriteError, Written,
};
use crate::adapter::{App, McpConfig, Opens};
use crate::formats::file_store::{DocFile, FileStore};
use crate::formats::jsonl;
use crate::merge::transcript::{ParsedMessage, Piece};
use crate::opener;
use crate::session::{DocName, Role, ToolId};
use serde_json::Value;
use std::io;
use std::path::PathBuf;

const NAME: &str = "Windsurf";
const MAIN: &str = "conversation.pb";
const PLAN: &str = "plan.md";

const DOCS: [DocFile<'_>; 2] = [
    DocFile::snapshot(MAIN, "{group}/cascade/{session}.pb"),
    DocFile::snapshot(PLAN, "{group}/brain/{session}/plan.md"),
];

/// Of a release without a directory of its own.
const EARLY: [DocFile<'_>; 2] = [
    DocFile::snapshot(MAIN, "cascade/{session}.pb"),
    DocFile::snapshot(PLAN, "brain/{session}/plan.md"),
];

/// The directories of the two releases, the usual one first.
const RELEASES: [&str; 2] = ["windsurf", "windsurf-next"];

/// Names that never sync: keys, settings, servers, indexes, what Windsurf remembers of its user.
pub const DENIED: [&str; 11] = [
    "chat_state",
    "code_tracker",
    "codemaps",
    "database",
    "global_rules.md",
    "implicit",
    "installation_id",
    "mcp_config.json",
    "memories",
    "state.vscdb",
    "user_settings.pb",
];

const STEERING: Steering = Steering {
    words: "nothing: a conversation is encrypted and arrives as it is, whatever it holds. What Windsurf may do without a \
            question is, as far as is known, in its own settings, which do not sync",
    ..Steering::NONE
};

/// A longer plan has its heading in this part.
const HEAD: u64 = 64 * 1024;

pub struct Windsurf;

impl Tool for Windsurf {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("windsurf"),
            name: NAME.into(),
            level: Level::Carry,
            reason: "Windsurf encrypts its conversations: they are kept and brought to your devices as they are, and cannot \
                     be shown or searched here. Whether Windsurf lists a conversation of another device is not known."
                .into(),
            versions: "files described in public (2026-11), never seen".into(),
            denied: &DENIED,
            read_message,
            records: Some(records),
            steering: STEERING,
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        let root = root(machine);
        let releases = RELEASES.iter().map(|release| root.join(release));
        let dirs = releases.chain([root.clone()]).flat_map(|dir| {
            [("cascade", false), ("brain", true)].map(|(name, deep)| Root {
                path: dir.join(name),
                deep,
                store: true,
            })
        });
        dirs.collect()
    }

    fn touched(&self, machine: &Machine, path: &std::path::Path) -> Touched {
        match store(machine).touched(path) {
            Touched::Nothing => early(machine).touched(path),
            touched => touched,
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        // Which conversation is open is not known; nothing is written while Windsurf runs.
        let [listing, older] =
            [store(machine), early(machine)].map(|store| store.list(which, &|_| None));
        listing.and_of(older)
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let heading = found.doc(PLAN).and_then(|plan| {
            let text = opener::read(&plan.path, HEAD).ok()?;
            let text = String::from_utf8_lossy(&text).into_owned();
            jsonl::title_of(text.trim_start_matches(['#', ' ', '\n', '\r', '\u{feff}']))
        });
        let id = found.session.as_str();
        let short = id.get(..8).unwrap_or(id);
        let facts = Facts {
            cwd: machine.home.to_str().map(str::to_owned),
            title: Some(heading.unwrap_or_else(|| format!("Cascade conversation {short}"))),
            updated: Some(found.main()?.stamp.modified()),
            ..Facts::default()
        };
        Ok(Reading::of_files(found, facts))
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let (store, early) = (store(machine), early(machine));
        let still_free = || opener_of(machine).map_or(Ok(()), |open| Err(WriteError::Open(open)));
        still_free()?;
        let author = checkout.docs.iter().find(|doc| doc.name.as_str() == MAIN);
        let author = author.and_then(|doc| doc.place.split('/').next());
        let is_here = |release: &&str| store.root.join(release).is_dir();
        let is_early = match store.find(checkout.session) {
            Some(_) => false,
            None if early.find(checkout.session).is_some() => true,
            None => !RELEASES.iter().any(is_here) && is_here(&"cascade"),
        };
        if is_early {
            let new = early.in_group(checkout.session, "");
            return early.write(checkout, new, &|_, _| Ok(None), &still_free);
        }
        let release = RELEASES
            .into_iter()
            .find(|release| author == Some(*release) && is_here(release))
            .or_else(|| RELEASES.into_iter().find(|release| is_here(release)))
            .unwrap_or(RELEASES[0]);
        let new = store.in_group(checkout.session, release);
        store.write(checkout, new, &|_, _| Ok(None), &still_free)
    }

    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        Launch::of(
            Opens::App(App {
                name: NAME.into(),
                command: "windsurf".into(),
                what: None,
            }),
            session.cwd,
        )
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }

    /// <https://docs.windsurf.com/windsurf/cascade/mcp>, described in public, 2026-11.
    fn mcp_config(&self) -> Option<McpConfig> {
        Some(McpConfig::Json {
            file: ".codeium/windsurf/mcp_config.json",
            servers: "mcpServers",
        })
    }
}

fn root(machine: &Machine) -> PathBuf {
    machine.home.join(".codeium")
}

fn store(machine: &Machine) -> FileStore<'_> {
    FileStore {
        is_group: |name| RELEASES.contains(&name),
        ..FileStore::new(NAME, root(machine), &DOCS, jsonl::is_uuid)
    }
}

fn early(machine: &Machine) -> FileStore<'_> {
    FileStore::new(NAME, root(machine), &EARLY, jsonl::is_uuid)
}

/// All that can be said of a conversation. Two different ones are never the same record.
fn records(content: &[u8]) -> Vec<Value> {
    let hash = blake3::hash(content).to_hex();
    let text = format!(
        "Encrypted by Windsurf: {} bytes ({}). They sync, and only Windsurf can show them.",
        content.len(),
        &hash[..8]
    );
    vec![serde_json::json!({ "text": text })]
}

fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let text = record.get("text")?.as_str()?;
    ParsedMessage::of(record, Role::System, vec![Piece::new("text", text)])
}

/// A Windsurf that runs, or the server in which it keeps its conversations.
fn opener_of(machine: &Machine) -> Option<String> {
    machine.running(NAME, |running| {
        let (name, exe) = (running.name(), running.exe.to_string_lossy());
        RELEASES.contains(&name.as_str())
            || name == "windsurf - next"
            || (name.starts_with("language_server") && exe.to_lowercase().contains("windsurf"))
    })
}
