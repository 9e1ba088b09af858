//! Cursor: the conversations of the editor's chat and agents.
//!
//! The store is `globalStorage/state.vscdb` (SQLite) below the user directory (`~/.config/Cursor/User`,
//! `~/Library/Application Support/Cursor/User`, `%APPDATA%\Cursor\User`). A conversation is the row
//! `composerData:<id>` with a row `bubbleId:<id>:<bubble>` for each message, and blobs
//! (`agentKv:blob:<SHA-256>`) from which the agent continues. `index.rs` has the lists that show it.
//!
//! - A conversation syncs as three documents: the messages with what Cursor keeps of the
//!   conversation, and the blobs of its prompts and of its turns. What of `composerData` leaves the
//!   store is named in `document.rs`, and what of a message stays: named fields, and members whose
//!   names say that they hold credentials or grant a right.
//! - **The database is written only while Cursor does not run**: Cursor has the lists in memory and
//!   writes them at its end. One short transaction; the lists are kept beside it before (`.roam-cursor-lists-<day>.json`,
//!   five days).
//! - The workspace must exist: its id is a hash over the directory's inode or time of birth. Until
//!   the directory was opened once in Cursor, the conversation waits.
//! - Not carried: checkpoints and diffs of edits (they would write another device's files), drafts,
//!   prompts that wait, the conversations of sub-agents, cloud agents, and whether a conversation is
//!   archived. Paths inside the agent's blobs remain those of the author's device, because a blob's
//!   name is its hash.
//! - A conversation that moves to another workspace or is put away leaves its rows and lists, and its
//!   blobs stay: among them are earlier states that do not sync. They go when it is forgotten; where
//!   nobody can tell whose a blob is, the receipt says that parts may be left.
//! - A diverged conversation becomes a second one: the agent's state names its parts by hash and
//!   cannot be united.
//!
//! Table definitions, keys and fields from public descriptions of Cursor 2.0 to 3.22 (December 2025
//! to September 2026). No Cursor could be run here.

mod blobs;
mod document;
mod index;
mod removing;
mod shown;
mod state;
mod store;
mod writing;

use self::document::Document;
use self::index::Workspace;
use self::store::Store;
use self::writing::{Target, refused};
use super::{
    About, Checkout, Content, Facts, Found, FoundDoc, Joins, Launch, Level, Listing, Machine,
    Reading, Resumable, Root, Stamp, Steer, Steering, Tool, Touched, Which, WriteError, Written,
};
use crate::adapter::{Mark, McpConfig, Watermark};
use crate::formats::files;
use crate::formats::jsonl::{is_uuid, title_of};
use crate::formats::sqlite::{self, Kept};
use crate::formats::state_db::{self, StateDbError};
use crate::formats::vscode::{self, Editor, System, workspace_dirs, workspaces_of};
use crate::merge::snapshots::Judged;
use crate::session::{DocKind, DocName, Millis, Problem, ProblemCode, SessionId, ToolId, records};
use rusqlite::OpenFlags;
use serde_json::Value;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "Cursor";
const MAIN: &str = "conversation.json";
const PROMPTS: &str = "prompts.json";
const TURNS: &str = "turns.json";
/// The workspace of a window without a folder.
const EMPTY_WINDOW: &str = "empty-window";
const BLOB_DOCS: [&str; 2] = [PROMPTS, TURNS];

const EDITOR: Editor = Editor {
    name: NAME,
    folder: "Cursor",
    programs: &["cursor"],
    command: "cursor",
};

/// Names that never sync: sign-ins, settings, servers, indexes, caches.
pub const DENIED: [&str; 10] = [
    "Cookies",
    "ai-tracking",
    "cli-config.json",
    "conversation-search.db",
    "hooks.json",
    "machineid",
    "mcp.json",
    "permissions.json",
    "state.vscdb.backup",
    "storage.json",
];

/// This device's values count in these fields of the main document. A new conversation begins with
/// [`NEUTRAL`].
const DEVICE_FIELDS: [&str; 7] = [
    "/composer/agentBackend",
    "/composer/approvalMode",
    "/composer/forceMode",
    "/composer/isAgentic",
    "/composer/isRunEverything",
    "/composer/modelConfig",
    "/composer/unifiedMode",
];

/// What a new conversation has in these fields: what Cursor begins with.
const NEUTRAL: [&str; 7] = [
    "null",
    "null",
    "\"edit\"",
    "true",
    "null",
    "null",
    "\"agent\"",
];

const STEERING: Steering = Steering {
    sets: |doc, content| match doc.as_str() {
        MAIN => {
            let fields = DEVICE_FIELDS.iter().zip(NEUTRAL);
            fields
                .filter_map(|(field, neutral)| Steer::in_document(content, field, neutral))
                .collect()
        }
        _ => Vec::new(),
    },
    usual: |steer| match steer.name.as_str() {
        "unifiedMode" => ["\"agent\"", "\"chat\"", "\"plan\""].contains(&steer.value.as_str()),
        "forceMode" => ["\"edit\"", "\"chat\""].contains(&steer.value.as_str()),
        "isAgentic" | "agentBackend" => true,
        _ => false,
    },
    neutral: |_, _, _| Vec::new(),
    concerns: |_| false,
    restores: None,
    words: "the mode, the model and the approvals of a conversation: Cursor uses this device's. Rules, commands, servers and \
            prompts that wait are not carried at all. What Cursor may do without a question is in its own settings, which do not \
            sync",
};

#[derive(Debug, Default)]
pub struct Cursor {
    last: Kept<Arc<Listed>>,
    /// The conversations in the lists of Cursor 2, by workspace.
    old_lists: Kept<Vec<String>>,
}

/// The conversations in a database.
#[derive(Debug)]
struct Listed {
    rows: Vec<store::Listed>,
    /// The number of conversations of before 2025.
    n_old: usize,
    /// Why the database's form is not known.
    unknown: Option<String>,
    /// The number and the key of the last row, if the form is known.
    last: Option<(i64, String)>,
}

impl Listed {
    /// Every conversation is open while Cursor runs.
    fn watermark(&self, database: &Path, open_in: Option<&String>) -> Option<Watermark> {
        let (row, key) = self.last.clone()?;
        Some(Watermark::of(
            database,
            Mark {
                rows: vec![row],
                unless: [Some(key), open_in.cloned()]
                    .into_iter()
                    .flatten()
                    .collect(),
            },
        ))
    }
}

impl Tool for Cursor {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("cursor"),
            name: NAME.into(),
            level: Level::Resume,
            reason: "Conversations from other devices are written when Cursor has quit, and need a directory that was opened in \
                     Cursor here once. Cursor opens no conversation by its id: the command opens the directory, and the \
                     conversation is in the list under its title. Not carried: checkpoints, drafts, sub-agents' own conversations, \
                     cloud agents. Two devices that continued one conversation get two."
                .into(),
            versions: "tables and fields of Cursor 2.0 to 3.22 described in public (2025-12 to 2026-09), never opened in Cursor".into(),
            denied: &DENIED,
            read_message: shown::read_message,
            records: Some(shown::bubbles),
            device_fields: |doc| if doc.as_str() == MAIN { &DEVICE_FIELDS } else { &[] },
            joins: Joins {
                judge: Some(|doc: &DocName, first, second| -> Judged {
                    match doc.as_str() {
                        MAIN => document::judge(first, second),
                        _ => blobs::judge(first, second),
                    }
                }),
                ..Joins::default()
            },
            steering: STEERING,
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        let user = user_dir(machine);
        let root = |path, store| Root {
            path,
            deep: false,
            store,
        };
        vec![
            root(user.join("globalStorage"), true),
            root(user.join("workspaceStorage"), false),
        ]
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        let below = files::names_below(&user_dir(machine), path);
        let names: Vec<&str> = below.iter().flatten().map(String::as_str).collect();
        match names[..] {
            ["globalStorage"]
            | ["globalStorage", "state.vscdb" | "state.vscdb-wal"]
            | ["workspaceStorage", ..] => Touched::Everything,
            _ => Touched::Nothing,
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let mut listing = Listing::default();
        let path = database(&user_dir(machine));
        if matches!(which, Which::ConflictCopies) || Stamp::of(&path).is_err() {
            return listing;
        }
        let listed = match self.listed(&path, which) {
            Ok(listed) => listed,
            Err(StateDbError::Absent(_)) => return listing,
            // Of a database that is in use, nobody knows what is gone.
            Err(error) => {
                listing.unknown = Some(error.to_string());
                return listing;
            }
        };
        listing.unknown.clone_from(&listed.unknown);
        let open_in = opener_of(machine);
        if let Which::All = which {
            listing.watermark = listed.watermark(&path, open_in.as_ref());
        }
        let found = listed
            .rows
            .iter()
            .map(|row| found(row, &path, open_in.clone()));
        listing.found = found.collect();
        if 0 < listed.n_old {
            listing.problems.push(Problem::new(
                ProblemCode::NotCarried,
                format!(
                    "{} of {NAME}'s conversations have a format from before 2025 and do not sync.",
                    listed.n_old
                ),
                "Open one in Cursor and continue it: Cursor then stores it in today's form.",
            ));
        }
        listing
    }

    fn changes(&self, machine: &Machine, since: &Watermark) -> Option<Listing> {
        let path = database(&user_dir(machine));
        let open_in = opener_of(machine);
        let mark = since.mark(&path)?;
        let (row, (key, open)) = (*mark.rows.first()?, mark.unless.split_first()?);
        if open.first() != open_in.as_ref() {
            return None;
        }
        let read = || -> Result<Option<Listed>, StateDbError> {
            let mut store = Store::open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            store.check_shape()?;
            let last = store.last_row().map_err(|error| store.sql(error))?;
            let changed = store.changed_since((row, key.as_str()));
            let rows = changed.map_err(|error| store.sql(error))?;
            Ok(rows.map(|rows| Listed {
                rows,
                n_old: 0,
                unknown: None,
                last,
            }))
        };
        let listed = sqlite::read_consistent(&path, read)?.ok()??;
        let rows = listed.rows.iter();
        Some(Listing {
            found: rows.map(|row| found(row, &path, open_in.clone())).collect(),
            watermark: listed.watermark(&path, open_in.as_ref()),
            ..Listing::default()
        })
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.main()?;
        let id = found.session.as_str();
        let read = || {
            let mut store = Store::open(&main.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            drop(store.check_shape());
            store.read(id).map(|read| (store, read))
        };
        let read = sqlite::read_consistent(&main.path, read);
        let read = read.unwrap_or_else(|| Err(StateDbError::Busy(main.path.clone())));
        let (store, read) = read.map_err(io::Error::other)?;
        let read = read.ok_or_else(|| {
            let what = format!(
                "the conversation {id} is too large, or a part of it is of a form that is not known"
            );
            io::Error::new(io::ErrorKind::InvalidData, what)
        })?;
        let dirs = self.directories(machine, &store, id, read.workspace.as_deref());
        let mut dirs = dirs
            .iter()
            .filter_map(|dir| dir.to_str().map(str::to_owned));
        let facts = Facts {
            cwd: dirs.next(),
            also: dirs.collect(),
            title: title(&read.document).or_else(|| listed_title(&store, id)),
            updated: read
                .document
                .number("lastUpdatedAt")
                .or(read.document.number("createdAt"))
                .map(Millis),
            ..Facts::default()
        };
        let content = |doc: &FoundDoc| match doc.name.as_str() {
            PROMPTS => read.prompts.clone(),
            TURNS => read.turns.clone(),
            _ => read.document.render(),
        };
        Ok(Reading {
            facts,
            docs: found
                .docs
                .iter()
                .map(|doc| Content::Bytes(content(doc).into()))
                .collect(),
            problems: read
                .lacks_blobs
                .then(|| lacks_blobs(&read.document))
                .into_iter()
                .collect(),
            ..Reading::default()
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        if !is_uuid(checkout.session.as_str()) {
            return Err(refused(format!(
                "\"{}\" is not an id of {NAME}",
                checkout.session
            )));
        }
        let still_free = || opener_of(machine).map_or(Ok(()), |open| Err(WriteError::Open(open)));
        still_free()?;
        let user = user_dir(machine);
        let workspaces = workspaces_of(&user, checkout.cwd);
        let opened = workspaces.first().map(|workspace| {
            let id = workspace.dir.file_name().unwrap_or_default();
            (id.to_string_lossy().into_owned(), workspace.state_db())
        });
        let is_home = checkout.cwd == machine.home;
        let opened = opened.or_else(|| is_home.then(|| (EMPTY_WINDOW.to_owned(), database(&user))));
        let target = Target {
            user: &user,
            workspace: opened.as_ref().map(|(id, _)| Workspace {
                id,
                cwd: checkout.cwd,
            }),
            workspace_db: opened.as_ref().map(|(_, path)| path.as_path()),
        };
        writing::write(checkout, &target, &still_free)
    }

    fn remains(
        &self,
        machine: &Machine,
        session: &SessionId,
    ) -> Result<Option<String>, WriteError> {
        let path = database(&user_dir(machine));
        let is_emptied = || {
            let store = Store::open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let emptied = store.is_emptied(session.as_str());
            emptied.map_err(|error| store.sql(error))
        };
        let read = sqlite::read_consistent(&path, is_emptied);
        match read.unwrap_or_else(|| Err(StateDbError::Busy(path.clone()))) {
            Ok(is_emptied) => Ok(is_emptied.then(|| removing::unclear(&path))),
            Err(StateDbError::Absent(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        let ending = if cfg!(windows) { ".cmd" } else { "" };
        Launch {
            // With them, the command would talk to the window in whose terminal it runs.
            unset: vec!["ELECTRON_RUN_AS_NODE".into(), "VSCODE_IPC_HOOK_CLI".into()],
            ..Launch::app(NAME, &format!("{}{ending}", EDITOR.command), session.cwd)
        }
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }

    /// <https://cursor.com/docs/mcp>, described in public, 2026-11.
    fn mcp_config(&self) -> Option<McpConfig> {
        Some(McpConfig::Json {
            file: ".cursor/mcp.json",
            servers: "mcpServers",
        })
    }
}

fn user_dir(machine: &Machine) -> PathBuf {
    EDITOR.user_dir(System::HERE, machine)
}

fn database(user: &Path) -> PathBuf {
    user.join("globalStorage").join("state.vscdb")
}

fn found(row: &store::Listed, path: &Path, open_in: Option<String>) -> Found {
    let doc = |name: &str| FoundDoc {
        name: DocName::new(name),
        kind: DocKind::Snapshot,
        place: format!("conversations/{}/{name}", row.id),
        path: path.to_path_buf(),
        stamp: row.stamp,
    };
    Found {
        session: SessionId::new(row.id.as_str()),
        docs: [MAIN, PROMPTS, TURNS].map(doc).to_vec(),
        open_in,
    }
}

fn opener_of(machine: &Machine) -> Option<String> {
    let running = machine.apps.running();
    let process = running.iter().find(|running| EDITOR.is(running))?;
    Some(format!(
        "{NAME} is running (process {}) and holds its list; it waits until {NAME} has quit",
        process.pid
    ))
}

fn lacks_blobs(document: &Document) -> Problem {
    let title = title(document).unwrap_or_else(|| "Untitled".into());
    Problem::new(
        ProblemCode::SessionDamaged,
        format!(
            "“{title}”: parts of what {NAME}'s agent remembers of this conversation are missing or too large."
        ),
        "Its messages sync, and what the agent remembers on other devices stays there.",
    )
}

/// The name, or the beginning of the first prompt.
fn title(document: &Document) -> Option<String> {
    let name = document.text("name").and_then(|name| title_of(&name));
    name.or_else(|| {
        let bubbles = document
            .bubbles
            .iter()
            .map(|bubble| records::value(bubble.text.as_bytes()));
        bubbles
            .into_iter()
            .find_map(|bubble| title_of(shown::prompt(&bubble)?))
    })
}

fn listed_title(store: &Store, id: &str) -> Option<String> {
    let head = index::head_of(store, id).ok().flatten()?;
    title_of(head.get("name")?.as_str()?)
}

impl Cursor {
    fn listed(&self, path: &Path, which: Which<'_>) -> Result<Arc<Listed>, StateDbError> {
        let list = || -> Result<Arc<Listed>, StateDbError> {
            let mut store = Store::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let unknown = match store.check_shape() {
                Err(error @ StateDbError::Unknown { .. }) => Some(error.to_string()),
                shape => shape.map(|()| None)?,
            };
            // Read first: a row that is written meanwhile is listed twice, and not missed.
            let last = match unknown {
                Some(_) => None,
                None => store.last_row().map_err(|error| store.sql(error))?,
            };
            let listed = store.list(which).map_err(|error| store.sql(error));
            // Of an unknown form, what can be read is shown: if a table is missing, nothing.
            let (rows, n_old) = match unknown {
                Some(_) => listed.unwrap_or_default(),
                None => listed?,
            };
            Ok(Arc::new(Listed {
                rows,
                n_old,
                unknown,
                last,
            }))
        };
        let list = || {
            sqlite::read_consistent(path, list)
                .unwrap_or_else(|| Err(StateDbError::Busy(path.into())))
        };
        match which {
            Which::All => self.last.of(path, list),
            _ => list(),
        }
    }

    /// The directories of a conversation: of its workspace as its own row, the lists, or the
    /// workspaces' own lists (Cursor 2) name it. A window without a folder counts as the home
    /// directory.
    fn directories(
        &self,
        machine: &Machine,
        store: &Store,
        id: &str,
        workspace: Option<&str>,
    ) -> Vec<PathBuf> {
        let own: Option<Value> = workspace.and_then(|text| serde_json::from_str(text).ok());
        let listed = || {
            index::head_of(store, id)
                .ok()
                .flatten()?
                .get("workspaceIdentifier")
                .cloned()
        };
        let identifier = own.filter(|own| !own.is_null()).or_else(listed);
        let dirs = identifier.map(|identifier| directories_of(machine, &identifier));
        match dirs.filter(|dirs| !dirs.is_empty()) {
            Some(dirs) => dirs,
            None => self.in_old_lists(machine, id),
        }
    }

    fn in_old_lists(&self, machine: &Machine, id: &str) -> Vec<PathBuf> {
        for dir in workspace_dirs(&user_dir(machine)) {
            let path = dir.join("state.vscdb");
            let list = || Ok::<_, Infallible>(old_list(&path));
            let Ok(ids) = self.old_lists.of(&path, list);
            if ids.iter().any(|listed| listed == id) {
                return opened_by(machine, &dir);
            }
        }
        Vec::new()
    }
}

/// The directories that a workspace opens.
fn opened_by(machine: &Machine, workspace: &Path) -> Vec<PathBuf> {
    let workspace = vscode::Workspace::read(workspace);
    workspace.map_or_else(Vec::new, |workspace| {
        workspace.opens.directories(&user_dir(machine))
    })
}

fn directories_of(machine: &Machine, identifier: &Value) -> Vec<PathBuf> {
    let text = |pointer: &str| identifier.pointer(pointer).and_then(Value::as_str);
    let path = |uri: &str| vscode::path_of(uri, System::HERE).map(PathBuf::from);
    let folder = text("/uri/external").and_then(path).or_else(|| {
        let is_file = text("/uri/scheme").is_none_or(|scheme| scheme == "file");
        text("/uri/fsPath")
            .filter(|_| is_file)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    });
    if let Some(dir) = folder {
        return vec![dir];
    }
    if let Some(file) = text("/configPath/external").and_then(path) {
        return vscode::directories_of(&file, &user_dir(machine));
    }
    match text("/id").unwrap_or_default() {
        EMPTY_WINDOW => vec![machine.home.clone()],
        id if identifier.get("uri").is_none()
            && id.len() == 13
            && id.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            vec![machine.home.clone()]
        }
        id if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => opened_by(
            machine,
            &user_dir(machine).join("workspaceStorage").join(id),
        ),
        _ => Vec::new(),
    }
}

/// The conversations in the list of a workspace of Cursor 2.
fn old_list(path: &Path) -> Vec<String> {
    let list = state_db::get(path, index::OLD_LIST).ok().flatten();
    let list: Option<Value> = list.and_then(|list| serde_json::from_slice(list.bytes()).ok());
    let entries = list
        .as_ref()
        .and_then(|list| list.get("allComposers")?.as_array());
    let id = |entry: &Value| entry.get("composerId")?.as_str().map(str::to_owned);
    entries.into_iter().flatten().filter_map(id).collect()
}

#[cfg(test)]
mod tests;
