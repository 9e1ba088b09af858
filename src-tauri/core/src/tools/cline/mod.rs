//! Cline: the sessions of its command line, and the tasks of its 3.x extension for VS Code and
//! VSCodium.
//!
//! **Sessions** (command line 3.0.65 and programs that share its core; seen 2026-11-23), the same
//! on every system: `~/.cline/data/sessions/<id>/`. `$CLINE_DIR` replaces `~/.cline`,
//! `$CLINE_DATA_DIR` its `data`, and `$CLINE_SESSION_DATA_DIR` the last part. The id is the time in
//! milliseconds and five letters. The directory contains
//! - `<id>.messages.json`, the conversation, rewritten whole each turn. Elements of `messages`
//!   never change, not even by compaction;
//! - `<id>.json`, the manifest;
//! - `<id>.compaction.json`;
//! - `<agent>.messages.json` of each agent that the session started.
//!
//! All are JSON documents. `cline history` lists a directory placed there, and `cline --id` opens
//! it, without a row in `db/sessions.db`, which is never touched.
//!
//! The manifest names its files by absolute paths. **With a path of another device Cline opens an
//! empty chat and writes it over the conversation**; the same happens without `messages_path`. So
//! `messages_path` and `compaction_path` always hold this device's paths, and a manifest in which
//! one of them is of an unknown form is not written. `cwd` and `workspace_root` could be another
//! device's: the list shows all directories, and a session continues in the directory where `cline
//! --id` is started (its tools run there, and the model is informed), whatever the manifest
//! contains. They are set to this device's paths all the same. `metadata.checkpoint` names commits
//! to which Cline resets the work tree (`git reset --hard`, `git clean`) when the user restores one:
//! a session has those of this device, or none. A field of a manifest that is not known here could be
//! a permission: it is recorded, and each device has its own. The known fields are those of 3.0.65,
//! and `anchor_workspace_path` of a later version.
//!
//! Whether a session is open: the manifest names the process that began the session, not the one
//! that has it open, and `status` is `idle` only from the first turn on. So a session is open if a
//! `cline --id` of it runs; if its status is not final and the manifest's process still runs; or if
//! its status is not final and a `cline` runs whose arguments name no session, because its history
//! list may have opened any. Cline's background daemon (`--cline-hub-daemon`) is no sign.
//!
//! **Tasks** (extension 3.x, from public descriptions of its files; no VS Code could be run here,
//! so never seen): `tasks/<id>/` below `User/globalStorage/saoudrizwan.claude-dev` of Code, Code -
//! Insiders and VSCodium; the id is the time in milliseconds. `api_conversation_history.json` is
//! the conversation; beside it are `ui_messages.json`, `task_metadata.json`, `context_history.json`
//! and the list of what is to be done, `focus_chain_taskid_<id>.md`. The list of tasks is `state/taskHistory.json`, with one row per task. The row
//! syncs as a document of its own, `history-item.json`, and is inserted among the other rows here.
//! The extension holds the list in memory and overwrites later changes, so tasks are written only
//! while that editor does not run. `cwdOnTaskInitialization` in the row is the checkout's. A task
//! from another device goes to the editor in which it was made if that editor has Cline here, else
//! to the first one that has, else to Code's directory. The user opens it from Cline's history in
//! the editor.
//!
//! An id that exists twice is one session: the newer layout counts, and of two editors the first.
//! The duplicate is reported. Tasks in Cursor, Windsurf and on remote hosts (`~/.vscode-server`)
//! are not read. Checkpoints (a Git repository beside the tasks, or refs in the project's own) do
//! not sync.

mod extension;
mod shown;

use self::extension::*;
use self::shown::*;
use super::{
    About, Beginning, Change, Checkout, Content, DocWrite, Facts, Found, FoundDoc, Joins, Launch,
    Level, Listing, Machine, Reading, Resumable, Root, Running, Stamp, Steering, Tool, Touched,
    Twin, Which, WriteError, Written, path_in_json, unknown_format,
};
use crate::adapter::{Moved, Opens};
use crate::formats::file_store::{DocFile, FileStore, SessionAt};
use crate::formats::files::{self, GuestWrite};
use crate::formats::rows::Rows;
use crate::formats::vscode::{Editor, System};
use crate::formats::{fields, jsonl};
use crate::merge::snapshots::{self, Judged};
use crate::merge::transcript::{self, ParsedMessage, Piece};
use crate::opener;
use crate::session::{DocKind, DocName, Millis, Problem, SessionId, ToolId};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "Cline";

/// Docs of a session of the newer layout.
const MESSAGES: &str = "messages.json";
const MANIFEST: &str = "manifest.json";
const COMPACTION: &str = "compaction.json";

/// The fields of a manifest.
const MANIFEST_FIELDS: [&str; 22] = [
    "anchor_workspace_path",
    "compaction_path",
    "cwd",
    "enable_spawn",
    "enable_teams",
    "enable_tools",
    "ended_at",
    "exit_code",
    "interactive",
    "messages_path",
    "metadata",
    "model",
    "pid",
    "prompt",
    "provider",
    "session_id",
    "source",
    "started_at",
    "status",
    "team_name",
    "version",
    "workspace_root",
];

/// What a session may do by itself: this device's choice once the session is here. Cline 3.0.65 gives
/// all of it to any new session.
const ABILITIES: [&str; 4] = [
    "enable_spawn",
    "enable_teams",
    "enable_tools",
    "interactive",
];

/// The states to which Cline can reset the work tree.
const CHECKPOINT: &str = "/metadata/checkpoint";

const SESSION_DOCS: [DocFile<'_>; 4] = [
    DocFile::snapshot(MESSAGES, "{session}/{session}.messages.json"),
    DocFile::snapshot(
        "agents/{name}.messages.json",
        "{session}/{name}.messages.json",
    ),
    DocFile::snapshot(COMPACTION, "{session}/{session}.compaction.json"),
    DocFile::snapshot(MANIFEST, "{session}/{session}.json"),
];

/// Docs of a task, named after their files, except for the row and for what is to be done, whose file
/// has the task's id in its name.
const API_HISTORY: &str = "api_conversation_history.json";
const METADATA: &str = "task_metadata.json";
const TASK_DOCS: [DocFile<'_>; 5] = [
    DocFile::snapshot(API_HISTORY, "tasks/{session}/api_conversation_history.json"),
    DocFile::snapshot(
        "context_history.json",
        "tasks/{session}/context_history.json",
    ),
    DocFile::snapshot(METADATA, "tasks/{session}/task_metadata.json"),
    DocFile::snapshot("ui_messages.json", "tasks/{session}/ui_messages.json"),
    DocFile::snapshot(
        "focus-chain.md",
        "tasks/{session}/focus_chain_taskid_{session}.md",
    ),
];
const ROW: &str = "history-item.json";

const EXTENSION: &str = "saoudrizwan.claude-dev";
const LIST: &str = "taskHistory.json";

/// The editors whose tasks are read, in order of preference.
const EDITORS: [Editor; 3] = [Editor::CODE, Editor::CODE_INSIDERS, Editor::CODIUM];

/// Names that never sync, whatever another device claims: sign-ins and keys, settings, databases,
/// logs, programs that run by themselves. Only the files named above are ever listed or written;
/// this table takes precedence over that. Seen with 3.0.65, 2026-11-23.
pub const DENIED: [&str; 22] = [
    "cache",
    "checkpoints",
    "cline_mcp_settings.json",
    "connectors.db",
    "cron",
    "db",
    "globalState.json",
    "hooks",
    "locks",
    "logs",
    "mcp_settings.json",
    "plugins",
    "providers.json",
    "secrets.json",
    "sessions.db",
    "settings",
    "settings.json",
    "skills",
    "taskHistory.json",
    "teams",
    "teams.db",
    "user_input_history.jsonl",
];

/// Approvals, automatically approved tools, rules, hooks and MCP servers are settings of the
/// device, not of a session's files (command line 3.0.65, 2026-11-28; a task's own `settings.json`
/// is not synced). A session names its directories, which are this device's, as are its checkpoints and
/// what a later version adds, and a provider and model, whose settings must exist on the device.
const STEERING: Steering = Steering {
    words: "the directories of a session or task, a session's checkpoints, a task's own settings, and fields of a session that \
            only a later version of Cline knows. The provider and model it names \
            are chosen among those of this device",
    ..Steering::NONE
};

/// The variables that move Cline's directories; set again for a started tool.
const VARIABLES: [&str; 3] = ["CLINE_DIR", "CLINE_DATA_DIR", "CLINE_SESSION_DATA_DIR"];

/// The bytes of a conversation searched for its time and version, which precede the messages.
const HEAD: u64 = 8 * 1024;

pub struct Cline;

impl Tool for Cline {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("cline"),
            name: NAME.into(),
            level: Level::Merge,
            reason: "Tasks of the 3.x extension are written while their editor is closed and opened from its own list; they \
                     were not tried in a running VS Code. Checkpoints do not sync. Tasks of the older store ~/.cline/data/tasks \
                     are not read."
                .into(),
            versions: "command line 3.0.65 (2026-11-23); tasks of the extension 3.x, from public descriptions, never seen".into(),
            denied: &DENIED,
            read_message,
            records: Some(records),
            device_fields,
            known_fields: |doc| match doc.as_str() {
                MANIFEST => Some(&MANIFEST_FIELDS),
                _ => None,
            },
            steering: STEERING,
            joins: Joins { judge: Some(judge), beginning: Some(BEGINNING), ..Joins::default() },
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        let sessions = Root {
            path: sessions_dir(machine),
            deep: true,
            store: true,
        };
        let tasks = task_stores(machine).into_iter().flat_map(|store| {
            let list = Root {
                path: store.dir.join("state"),
                deep: false,
                store: false,
            };
            [
                Root {
                    path: store.dir.join("tasks"),
                    deep: true,
                    store: true,
                },
                list,
            ]
        });
        std::iter::once(sessions).chain(tasks).collect()
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        let stores = task_stores(machine);
        let touched = stores.iter().map(|store| store.touched(path));
        let mut touched = std::iter::once(session_store(machine).touched(path)).chain(touched);
        let first = touched.find(|touched| *touched != Touched::Nothing);
        first.unwrap_or(Touched::Nothing)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let known = OnceCell::new();
        // Listed only if there is a session that may be open.
        let running = || known.get_or_init(|| hosts(machine)).as_slice();
        let sessions = session_store(machine);
        let open_in = |at: &SessionAt| {
            let id = SessionId::new(at.session.as_str());
            open_in_cline(running(), &id, &sessions.root.join(id.as_str()))
        };
        let mut listing = sessions.list(which, &open_in);
        listing.map_places(|at| format!("sessions/{at}"));
        for store in task_stores(machine) {
            store.list(which, &running, &mut listing);
        }
        listing
    }

    fn read(&self, _machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.main()?;
        match main.name.as_str() {
            MESSAGES => read_session(found, main),
            _ => read_task(found, main),
        }
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let is_append = |doc: &&DocWrite<'_>| matches!(doc.change, Change::Append { .. });
        if let Some(doc) = checkout.docs.iter().find(is_append) {
            let why = format!("nothing is put behind the end of {}", doc.name);
            return Err(WriteError::Refused(why));
        }
        let is_task = |doc: &DocWrite<'_>| is_task_doc(doc.name.as_str());
        match checkout.docs.iter().any(is_task) && is_task_id(checkout.session.as_str()) {
            true => write_task(machine, checkout),
            false => write_session(machine, checkout),
        }
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        let id = session.session.as_str();
        let task = is_task_id(id)
            .then(|| task_stores(machine).into_iter().find(|store| store.has(id)))
            .flatten();
        let opens = match task {
            Some(store) if !sessions_dir(machine).join(id).is_dir() => {
                let editor = store.editor;
                Launch::app(editor.name, editor.command, session.cwd).opens
            }
            _ => Opens::Command(vec!["cline".to_owned(), "--id".to_owned(), id.to_owned()]),
        };
        let moved = VARIABLES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), machine.var(name)?.to_owned())));
        Launch {
            opens,
            cwd: session.cwd.to_path_buf(),
            env: moved.collect(),
            unset: Vec::new(),
            before: Vec::new(),
        }
    }

    fn is_main(&self, doc: &DocName) -> bool {
        [MESSAGES, API_HISTORY].contains(&doc.as_str())
    }

    /// The command line takes `CLINE_DIR`; seen with 3.0.65, 2026-11-23.
    fn moved(&self) -> Option<Moved> {
        Some(Moved {
            var: "CLINE_DIR",
            usual: ".cline",
            marks: &["data"],
        })
    }
}

// ---- places and names ----

fn sessions_dir(machine: &Machine) -> PathBuf {
    let dir = |name: &str| {
        machine
            .var(name)
            .map(str::trim)
            .filter(|dir| !dir.is_empty())
            .map(PathBuf::from)
    };
    let base = || dir("CLINE_DIR").unwrap_or_else(|| machine.home.join(".cline"));
    let data = || dir("CLINE_DATA_DIR").unwrap_or_else(|| base().join("data"));
    dir("CLINE_SESSION_DATA_DIR").unwrap_or_else(|| data().join("sessions"))
}

/// An id of a session or an agent: plain letters, valid as a file name on every system.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(plain) && !is_denied(text)
}

/// Whether the text is a time in milliseconds.
fn is_task_id(text: &str) -> bool {
    (12..=14).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_denied(name: &str) -> bool {
    DENIED
        .iter()
        .any(|denied| denied.eq_ignore_ascii_case(name))
}

fn session_store(machine: &Machine) -> FileStore<'_> {
    FileStore {
        is_name,
        denied: &DENIED,
        ..FileStore::new(NAME, sessions_dir(machine), &SESSION_DOCS, is_name)
    }
}

fn is_task_doc(doc: &str) -> bool {
    doc == ROW || TASK_DOCS.iter().any(|file| file.name == doc)
}

// ---- sessions: is it open, what does it say ----

/// The programs in which a session may be open.
fn hosts(machine: &Machine) -> Vec<Running> {
    let mut running = machine.apps.running();
    running.retain(|process| {
        process.name() == "cline" || EDITORS.iter().any(|editor| editor.is(process))
    });
    running
}

fn is_cline(running: &Running) -> bool {
    running.name() == "cline" && !running.args.iter().any(|arg| arg == "--cline-hub-daemon")
}

/// The session named on a command line.
fn named_by(running: &Running) -> Option<&str> {
    let after = running.args.iter().skip_while(|arg| *arg != "--id").nth(1);
    after.map(String::as_str).or_else(|| {
        running
            .args
            .iter()
            .find_map(|arg| arg.strip_prefix("--id="))
    })
}

fn open_in_cline(hosts: &[Running], session: &SessionId, dir: &Path) -> Option<String> {
    // Usually no program runs, and then no manifest is read.
    let manifest =
        || Manifest::read(&dir.join(format!("{session}.json"))).filter(Manifest::is_going_on);
    let holds = |process: &&Running| match named_by(process).filter(|_| is_cline(process)) {
        Some(named) => named == session.as_str(),
        None if is_cline(process) => manifest().is_some(),
        // The daemon, or the extension in an editor.
        None => manifest().is_some_and(|manifest| manifest.pid == i64::from(process.pid)),
    };
    let process = hosts.iter().find(holds)?;
    Some(format!("{NAME} has it open (process {})", process.pid))
}

/// The fields used from a manifest.
#[derive(Debug, Deserialize)]
struct Manifest {
    version: i64,
    session_id: String,
    pid: i64,
    status: String,
    cwd: String,
    #[serde(default)]
    prompt: Option<String>,
    #[serde(default)]
    ended_at: Option<String>,
    messages_path: String,
    #[serde(default)]
    metadata: Value,
}

impl Manifest {
    fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&opener::read(path, opener::MOST).ok()?).ok()
    }

    /// The manifest of this session in the known shape. Cline may open any other as an empty chat.
    fn known(bytes: &[u8], session: &SessionId) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("its manifest is not known: {error}"))?;
        match () {
            () if manifest.version != 1 => Err(format!(
                "its manifest is of version {}, not 1",
                manifest.version
            )),
            () if manifest.session_id != session.as_str() => {
                Err("its manifest is of another session".into())
            }
            () if manifest.messages_path.trim().is_empty() => {
                Err("its manifest names no messages".into())
            }
            () if !compaction_path_is_known(bytes) => {
                Err("its manifest names its compaction in an unknown way".into())
            }
            () => Ok(manifest),
        }
    }

    /// Whether the status is not final. 3.0.65 knows these final states; an unknown one is not
    /// final.
    fn is_going_on(&self) -> bool {
        !matches!(self.status.as_str(), "completed" | "failed" | "cancelled")
    }

    fn title(&self) -> Option<String> {
        let title = jsonl::text(&self.metadata, "title").or_else(|| self.prompt.clone())?;
        jsonl::title_of(unwrapped(&title))
    }

    fn version(&self) -> Option<String> {
        jsonl::text(self.metadata.get("sessionHistoryOrigin")?, "version")
    }
}

fn compaction_path_is_known(manifest: &[u8]) -> bool {
    fields::get(manifest, "compaction_path").is_none()
        || fields::text(manifest, "compaction_path").is_some()
}

/// A conversation of the newer layout, with the fields needed here.
#[derive(Deserialize)]
struct Messages<'a> {
    version: i64,
    #[serde(borrow)]
    messages: &'a RawValue,
}

fn messages_in(bytes: &[u8]) -> Option<&RawValue> {
    let found: Messages<'_> = serde_json::from_slice(bytes).ok()?;
    let is_list = || serde_json::from_str::<Vec<IgnoredAny>>(found.messages.get()).is_ok();
    (found.version == 1 && is_list()).then_some(found.messages)
}

fn read_session(found: &Found, main: &FoundDoc) -> io::Result<Reading> {
    let mut problems = Vec::new();
    let bytes = opener::read(&main.path, opener::MOST)?;
    if messages_in(&bytes).is_none() {
        problems.push(unknown_format(
            NAME,
            &found.session,
            "its conversation is no object with a list of messages",
        ));
    }
    let manifest = found.doc(MANIFEST);
    let manifest = manifest.map(|doc| opener::read(&doc.path, opener::MOST));
    let manifest = match manifest
        .transpose()?
        .map(|bytes| Manifest::known(&bytes, &found.session))
    {
        Some(Ok(manifest)) => Some(manifest),
        Some(Err(why)) => {
            problems.push(unknown_format(NAME, &found.session, &why));
            None
        }
        None => None,
    };
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD as usize)]);
    let ended = manifest
        .as_ref()
        .and_then(|manifest| Millis::parse(manifest.ended_at.as_deref()?));
    let updated = text_after(&head, "\"updated_at\"")
        .and_then(|text| Millis::parse(&text))
        .max(ended);
    let facts = Facts {
        cwd: manifest.as_ref().map(|manifest| manifest.cwd.clone()),
        title: manifest.as_ref().and_then(Manifest::title),
        updated: updated.or(Some(main.stamp.modified())),
        version: manifest.as_ref().and_then(Manifest::version),
        // The manifest is written first. Without it the directory is unknown.
        early: manifest.is_none() && problems.is_empty(),
        ..Facts::default()
    };
    Ok(Reading {
        problems,
        ..Reading::of_files(found, facts)
    })
}

/// The string value of the first such key.
fn text_after(text: &str, key: &str) -> Option<String> {
    let rest = text
        .split_once(key)?
        .1
        .trim_start()
        .strip_prefix(':')?
        .trim_start();
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    values.next()?.ok()
}

// ---- sessions: writing ----

fn write_session(machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
    let (store, session) = (session_store(machine), checkout.session);
    let dir = store.root.join(session.as_str());
    let still_free = || match open_in_cline(&hosts(machine), session, &dir) {
        Some(open_in) => Err(WriteError::Open(open_in)),
        None => Ok(()),
    };
    still_free()?;
    let is_made = |name: &str| {
        let mut made = checkout.docs.iter();
        made.any(|doc| doc.name.as_str() == name && matches!(doc.change, Change::Create(_)))
    };
    let has_manifest = || is_made(MANIFEST) || dir.join(format!("{session}.json")).is_file();
    let adapt = |doc: &DocName, change: &Change<'_>| {
        if doc.as_str() == MESSAGES && is_made(MESSAGES) && !has_manifest() {
            let why = "it has no manifest, and Cline would open an empty chat in its place";
            return Err(WriteError::not_written(NAME, session, why));
        }
        for_this_device(doc, change, session, (dir.as_path(), checkout.cwd))
    };
    let new = store.in_group(session, "");
    store.write(checkout, new, &adapt, &still_free)
}

/// The bytes in this device's form. Content that Cline would not accept as a session is refused,
/// because Cline would overwrite it.
fn for_this_device(
    doc: &DocName,
    change: &Change<'_>,
    session: &SessionId,
    (dir, cwd): (&Path, &Path),
) -> Result<Option<Vec<u8>>, WriteError> {
    let refused = |why: &str| WriteError::not_written(NAME, session, why);
    if ![MESSAGES, MANIFEST].contains(&doc.as_str()) {
        return Ok(None);
    }
    let Some(bytes) = change.content()? else {
        return Ok(None);
    };
    if doc.as_str() == MESSAGES {
        let is_known = messages_in(&bytes).is_some();
        let why = "its conversation is no object with a list of messages";
        return is_known.then_some(None).ok_or_else(|| refused(why));
    }
    Manifest::known(&bytes, session).map_err(|why| refused(&why))?;
    let file = |end: &str| path_in_json(&dir.join(format!("{session}.{end}")), NAME);
    let (messages, compaction, cwd) =
        (file(MESSAGES)?, file(COMPACTION)?, path_in_json(cwd, NAME)?);
    let there = change.path().map(|path| opener::read(path, opener::MOST));
    let there = there.and_then(Result::ok).unwrap_or_default();
    let values = [
        ("messages_path", messages.as_str()),
        ("compaction_path", &compaction),
        ("cwd", &cwd),
        ("workspace_root", &cwd),
        ("anchor_workspace_path", &cwd),
        (
            CHECKPOINT,
            fields::get(&there, CHECKPOINT).unwrap_or("null"),
        ),
    ];
    let here = |name| Some((name, fields::get(&there, name)?));
    let abilities = ABILITIES.into_iter().filter_map(here);
    let values: Vec<_> = values.into_iter().chain(abilities).collect();
    let is_unknown = |name: &str| !MANIFEST_FIELDS.contains(&name);
    let written = fields::with_own(&bytes, &there, is_unknown);
    let written = written.and_then(|bytes| fields::with(&bytes, &values));
    written
        .map(Some)
        .ok_or_else(|| refused("the fields of its manifest cannot be read"))
}

#[cfg(test)]
mod tests;
