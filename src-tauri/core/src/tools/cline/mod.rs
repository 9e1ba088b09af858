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
//! `messages_path` and `compaction_path` always hold this device's paths, and a manifest that is
//! not exactly of the known shape is not written. `cwd` and `workspace_root` could be another
//! device's: the list shows all directories, and a session continues in the directory where `cline
//! --id` is started (its tools run there, and the model is informed), whatever the manifest
//! contains. They are set to this device's paths all the same.
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
//! the conversation; beside it are `ui_messages.json`, `task_metadata.json` and
//! `context_history.json`. The list is `state/taskHistory.json`, with one row per task. The row
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
mod rows;
mod shown;

use self::extension::*;
use self::rows::Rows;
use self::shown::*;
use super::{
    About, Beginning, Change, Checkout, ConflictCopy, Content, DocWrite, Facts, Found, FoundDoc,
    Joins, Launch, Level, Listing, Machine, Reading, Resumable, Root, Running, Stamp, Steering,
    Tool, Touched, Twin, Which, WriteError, Written,
};
use crate::adapter::Moved;
use crate::formats::files::{self, GuestWrite};
use crate::formats::vscode::{Editor, System};
use crate::formats::{fields, jsonl};
use crate::merge::snapshots::{self, Judged};
use crate::merge::transcript::{self, ParsedMessage, Piece};
use crate::opener;
use crate::session::{
    DocKind, DocName, Millis, Problem, ProblemCode, SessionId, ToolId, copied_from,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "Cline";

/// Docs of a session of the newer layout. An agent's doc is `agents/<agent>.messages.json`.
const MESSAGES: &str = "messages.json";
const MANIFEST: &str = "manifest.json";
const COMPACTION: &str = "compaction.json";
const AGENTS: &str = "agents/";

/// Docs of a task, named after their files, except for the row.
const API_HISTORY: &str = "api_conversation_history.json";
const TASK_FILES: [&str; 4] = [
    API_HISTORY,
    "ui_messages.json",
    "task_metadata.json",
    "context_history.json",
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
/// is not synced). A session names its directories, which are this device's, and a provider and
/// model, whose settings must exist on the device.
const STEERING: Steering = Steering {
    sets: |_, _| Vec::new(),
    usual: |_| false,
    neutral: |_, _, _| Vec::new(),
    concerns: |_| false,
    restores: None,
    words: "the directories of a session or task, a task's own settings. The provider and model it names are chosen among those of \
            this device",
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
                     were not tried in a running VS Code. Checkpoints do not travel."
                .into(),
            versions: "command line 3.0.65 (2026-11-23); tasks of the extension 3.x, from public descriptions, never seen".into(),
            denied: &DENIED,
            is_message: |_| true,
            said,
            records: Some(records),
            device_fields,
            steering: STEERING,
            shared: None,
            joins: Joins { judge: Some(judge), beginning: Some(BEGINNING), ..Joins::default() },
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
        if let Some(names) = files::names_below(&sessions_dir(machine), path) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            return match names[..] {
                [] => Touched::Everything,
                [id] if is_name(id) => Touched::Session(SessionId::new(id)),
                [id, file] if is_name(id) && doc_in_session(id, file).is_some() => {
                    Touched::Session(SessionId::new(id))
                }
                _ => Touched::Nothing,
            };
        }
        task_stores(machine)
            .iter()
            .find_map(|store| store.touched(path))
            .unwrap_or(Touched::Nothing)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let mut listing = Listing::default();
        let (known, mut seen) = (OnceCell::new(), BTreeSet::new());
        // Listed only if there is a session that may be open.
        let running = || known.get_or_init(|| hosts(machine)).as_slice();
        let sessions = sessions_dir(machine);
        for id in dirs(&sessions, which, is_name) {
            let dir = sessions.join(&id);
            let session = SessionId::new(id.as_str());
            let live = || open_in_cline(running(), &session, &dir);
            if let Which::ConflictCopies = which {
                listing.conflict_copies.extend(conflict_copies(
                    &dir,
                    &session,
                    |file| doc_in_session(&id, file),
                    &live,
                ));
            } else if let Some(docs) = session_docs(&dir, &id) {
                listing.found.push(Found {
                    live: live(),
                    docs,
                    session,
                });
                seen.insert(id);
            }
        }
        for store in task_stores(machine) {
            store.list(which, &running, &mut seen, &mut listing);
        }
        listing
    }

    fn read(&self, _machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.docs.first().ok_or(io::ErrorKind::NotFound)?;
        match main.name.as_str() {
            MESSAGES => read_session(found, main),
            _ => read_task(found, main),
        }
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let is_session = |doc: &DocWrite<'_>| {
            file_of_session(checkout.session.as_str(), doc.name.as_str()).is_some()
        };
        let is_task = |doc: &DocWrite<'_>| is_task_doc(doc.name.as_str());
        match () {
            () if is_name(checkout.session.as_str()) && checkout.docs.iter().all(is_session) => {
                write_session(machine, checkout)
            }
            () if is_task_id(checkout.session.as_str()) && checkout.docs.iter().all(is_task) => {
                write_task(machine, checkout)
            }
            () => Err(WriteError::Refused(format!(
                "\"{}\" has files that {NAME} does not keep",
                checkout.session
            ))),
        }
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        let id = session.session.as_str();
        let task = is_task_id(id)
            .then(|| task_stores(machine).into_iter().find(|store| store.has(id)))
            .flatten();
        let argv = match task {
            Some(store) if !sessions_dir(machine).join(id).is_dir() => {
                vec![
                    store.editor.command.to_owned(),
                    session.cwd.to_string_lossy().into_owned(),
                ]
            }
            _ => vec!["cline".to_owned(), "--id".to_owned(), id.to_owned()],
        };
        let moved = VARIABLES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), machine.var(name)?.to_owned())));
        Launch {
            argv,
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

/// The doc stored in a file of a session's directory.
fn doc_in_session(id: &str, file: &str) -> Option<String> {
    let stem = file.strip_suffix(".json").filter(|_| !is_denied(file))?;
    match stem.strip_prefix(id) {
        Some("") => Some(MANIFEST.into()),
        Some(".messages") => Some(MESSAGES.into()),
        Some(".compaction") => Some(COMPACTION.into()),
        _ => stem
            .strip_suffix(".messages")
            .filter(|agent| is_name(agent))
            .map(|_| format!("{AGENTS}{file}")),
    }
}

/// The reverse of `doc_in_session`.
fn file_of_session(id: &str, doc: &str) -> Option<String> {
    let file = match doc {
        MESSAGES | COMPACTION => format!("{id}.{doc}"),
        MANIFEST => format!("{id}.json"),
        _ => doc.strip_prefix(AGENTS)?.to_owned(),
    };
    (doc_in_session(id, &file)? == doc).then_some(file)
}

fn is_task_doc(doc: &str) -> bool {
    doc == ROW || TASK_FILES.contains(&doc)
}

/// The requested session directories below `dir`.
fn dirs(dir: &Path, which: Which<'_>, wanted: fn(&str) -> bool) -> Vec<String> {
    if let Which::One(session) = which {
        let id = session.as_str();
        let is_there = wanted(id) && files::is_own_dir(dir, &dir.join(id));
        return is_there.then(|| id.to_owned()).into_iter().collect();
    }
    let may_be = files::names_in(dir, |kind| kind.is_dir() || kind.is_symlink()).into_iter();
    may_be
        .filter(|name| wanted(name) && files::is_own_dir(dir, &dir.join(name)))
        .collect()
}

/// Docs stored as files in one directory; `None` without the main doc.
fn docs_in(
    dir: &Path,
    at: &str,
    main: &str,
    doc_of: impl Fn(&str) -> Option<String>,
) -> Option<Vec<FoundDoc>> {
    let mut docs: Vec<FoundDoc> = files::names_in(dir, |kind| kind.is_file())
        .into_iter()
        .filter_map(|file| {
            let (name, path) = (doc_of(&file)?, dir.join(&file));
            // Deleted after the directory was listed.
            let stamp = Stamp::of(&path).ok()?;
            Some(FoundDoc {
                name: DocName::new(name),
                kind: DocKind::Snapshot,
                at: format!("{at}/{file}"),
                path,
                stamp,
            })
        })
        .collect();
    docs.sort_by_key(|doc| (doc.name.as_str() != main, doc.name.clone()));
    docs.first()
        .is_some_and(|doc| doc.name.as_str() == main)
        .then_some(docs)
}

fn session_docs(dir: &Path, id: &str) -> Option<Vec<FoundDoc>> {
    docs_in(dir, &format!("sessions/{id}"), MESSAGES, |file| {
        doc_in_session(id, file)
    })
}

fn conflict_copies(
    dir: &Path,
    session: &SessionId,
    doc_of: impl Fn(&str) -> Option<String>,
    live: &dyn Fn() -> Option<String>,
) -> Vec<ConflictCopy> {
    let below = dir
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let conflict_copy = |name: String| {
        let original = copied_from(&name)?;
        let doc = doc_of(&original)?;
        Some(ConflictCopy {
            session: session.clone(),
            main: matches!(doc.as_str(), MESSAGES | API_HISTORY),
            doc: DocName::new(doc),
            kind: DocKind::Snapshot,
            at: format!("{below}/{session}/{original}"),
            stamp: Stamp::of(&dir.join(&name)).ok()?,
            path: dir.join(name),
            live: live(),
        })
    };
    files::names_in(dir, |kind| kind.is_file())
        .into_iter()
        .filter_map(conflict_copy)
        .collect()
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
        || Manifest::at(&dir.join(format!("{session}.json"))).filter(Manifest::is_going_on);
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
    fn at(path: &Path) -> Option<Self> {
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

fn unknown_shape(session: &SessionId, why: &str) -> Problem {
    Problem::new(
        ProblemCode::UnknownShape,
        format!(
            "{NAME}'s session {session} has an unknown format: {why}. It syncs, but is not written into the tool."
        ),
        "Please report it with the version of Cline.",
    )
}

fn read_session(found: &Found, main: &FoundDoc) -> io::Result<Reading> {
    let mut problems = Vec::new();
    let bytes = opener::read(&main.path, opener::MOST)?;
    if messages_in(&bytes).is_none() {
        problems.push(unknown_shape(
            &found.session,
            "its conversation is no object with a list of messages",
        ));
    }
    let manifest = found
        .docs
        .iter()
        .find(|doc| doc.name.as_str() == MANIFEST)
        .map(|doc| opener::read(&doc.path, opener::MOST));
    let manifest = match manifest
        .transpose()?
        .map(|bytes| Manifest::known(&bytes, &found.session))
    {
        Some(Ok(manifest)) => Some(manifest),
        Some(Err(why)) => {
            problems.push(unknown_shape(&found.session, &why));
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
        updated: updated.or(Some(Millis(main.stamp.mtime_ns / 1_000_000))),
        version: manifest.as_ref().and_then(Manifest::version),
        // The manifest is written first. Without it the directory is unknown.
        early: manifest.is_none() && problems.is_empty(),
        ..Facts::default()
    };
    let docs = found
        .docs
        .iter()
        .map(|doc| Content::File(doc.path.clone()))
        .collect();
    Ok(Reading {
        facts,
        docs,
        secret: Vec::new(),
        problems,
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
    let (root, id) = (sessions_dir(machine), checkout.session.as_str());
    let dir = root.join(id);
    let place = |doc: &str| {
        file_of_session(id, doc)
            .map(|file| dir.join(file))
            .unwrap_or_default()
    };
    let (main, manifest) = (place(MESSAGES), place(MANIFEST));
    let still_free = || match open_in_cline(&hosts(machine), checkout.session, &dir) {
        Some(live) => Err(WriteError::Live(live)),
        None => Ok(()),
    };
    still_free()?;
    let (mut planned, cwd) = (Vec::new(), json_path(checkout.cwd)?);
    for doc in &checkout.docs {
        let path = place(doc.name.as_str());
        check_place(&doc.change, &path, &main)?;
        let bytes = match content_of(&doc.change, &path)? {
            Some(bytes) => Some(for_this_device(
                bytes,
                checkout.session,
                doc.name,
                (&place, &cwd),
            )?),
            None => None,
        };
        planned.push(Planned {
            name: doc.name,
            path,
            change: &doc.change,
            bytes: Whole(bytes.unwrap_or_default()),
        });
    }
    let is_made = |path: &Path| {
        planned
            .iter()
            .any(|doc| doc.path == path && matches!(doc.change, Change::Create(_)))
    };
    if is_made(&main) && !is_made(&manifest) && !manifest.is_file() {
        return Err(refused(
            checkout.session,
            "it has no manifest, and Cline would open an empty chat in its place",
        ));
    }
    let written = write_planned(&root, &planned, checkout.updated, &still_free)?;
    // Succeeds only if the directory is empty.
    drop(fs::remove_dir(&dir));
    Ok(written)
}

/// The bytes in this device's form. Content that Cline would not accept as a session is refused,
/// because Cline would overwrite it.
fn for_this_device(
    bytes: Vec<u8>,
    session: &SessionId,
    doc: &DocName,
    (place, cwd): (&dyn Fn(&str) -> PathBuf, &str),
) -> Result<Vec<u8>, WriteError> {
    match doc.as_str() {
        MESSAGES if messages_in(&bytes).is_none() => Err(refused(
            session,
            "its conversation is no object with a list of messages",
        )),
        MANIFEST => {
            Manifest::known(&bytes, session).map_err(|why| refused(session, &why))?;
            let (messages, compaction) =
                (json_path(&place(MESSAGES))?, json_path(&place(COMPACTION))?);
            let values = [
                ("messages_path", messages.as_str()),
                ("compaction_path", &compaction),
                ("cwd", cwd),
                ("workspace_root", cwd),
            ];
            Ok(fields::with(&bytes, &values))
        }
        _ => Ok(bytes),
    }
}

fn json_path(path: &Path) -> Result<String, WriteError> {
    let text = path.to_str().map(|text| Value::from(text).to_string());
    text.ok_or_else(|| WriteError::Refused(format!("{} can't be said in JSON", path.display())))
}

fn refused(session: &SessionId, why: &str) -> WriteError {
    WriteError::Refused(format!("{NAME}'s session {session} is not written: {why}"))
}

/// Each doc of a session has one place, and an existing session is not created again.
fn check_place(change: &Change<'_>, path: &Path, main: &Path) -> Result<(), WriteError> {
    match change.path() {
        Some(planned) if planned != path => Err(WriteError::Changed(planned.to_path_buf())),
        None if fs::symlink_metadata(main).is_ok() && path == main => {
            Err(WriteError::Changed(main.to_path_buf()))
        }
        _ => Ok(()),
    }
}

/// The complete content to write; `None` if the doc is removed.
fn content_of(change: &Change<'_>, path: &Path) -> Result<Option<Vec<u8>>, WriteError> {
    let bytes = match change {
        Change::Create(bytes) | Change::Replace { bytes, .. } => bytes,
        Change::Remove { .. } => return Ok(None),
        Change::Append { .. } => {
            return Err(WriteError::Refused(format!(
                "nothing is put behind the end of {}",
                path.display()
            )));
        }
    };
    let mut content = Vec::new();
    bytes
        .write_to(&mut content)
        .map_err(|source| WriteError::Io {
            path: path.to_path_buf(),
            source,
        })?;
    Ok(Some(content))
}

/// Bytes that were checked before they are written.
struct Whole(Vec<u8>);

impl crate::tools::Bytes for Whole {
    fn write_to(&self, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(&self.0)
    }
}

struct Planned<'a> {
    name: &'a DocName,
    path: PathBuf,
    change: &'a Change<'a>,
    bytes: Whole,
}

fn write_planned(
    root: &Path,
    planned: &[Planned<'_>],
    updated: Millis,
    still_free: &dyn Fn() -> Result<(), WriteError>,
) -> Result<Written, WriteError> {
    let changes: Vec<Change<'_>> = planned
        .iter()
        .map(|doc| match doc.change {
            Change::Create(_) => Change::Create(&doc.bytes),
            Change::Replace { path, was, .. } | Change::Append { path, was, .. } => {
                Change::Replace {
                    path,
                    was: *was,
                    bytes: &doc.bytes,
                }
            }
            Change::Remove { path, was } => Change::Remove { path, was: *was },
        })
        .collect();
    let writes: Vec<GuestWrite<'_>> = planned
        .iter()
        .zip(&changes)
        .map(|(doc, change)| GuestWrite {
            name: doc.name,
            root,
            path: doc.path.clone(),
            change,
        })
        .collect();
    files::write_docs(&writes, updated, still_free)
}

#[cfg(test)]
mod tests;
