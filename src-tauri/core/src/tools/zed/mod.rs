//! Zed: the threads of its own agent, each a row of a database.
//!
//! `threads/threads.db` in Zed's data directory: `~/.local/share/zed` (or `$XDG_DATA_HOME/zed`, and
//! the Flatpak's `~/.var/app/dev.zed.Zed/data/zed`), `~/Library/Application Support/Zed`,
//! `%LOCALAPPDATA%\Zed`. The row has the id, the title, the time, the directories, and the thread as
//! one JSON document, packed with zstd (plain in old rows). It syncs as `thread.json`: the messages,
//! one a line, then title, time, summary and settings.
//!
//! - **Nothing is written while a Zed runs**: it has its threads in memory and writes them over the
//!   rows. A write is one short transaction that takes place only if the row is still the one that
//!   was read, and is read back. A database is never made, copied or repaired here.
//! - A thread that arrives gets the directory that its project has here, and a line in the sidebar
//!   (`sidebar_threads` in `db/0-<channel>/db.sqlite` of each Zed that has one). A table `threads`
//!   with columns of a later Zed is read, and not written. A sidebar of another form is left alone: the
//!   thread is in `threads.db` all the same, and Zed may not list it.
//! - What stays on its device: what was noted of the working trees, which can have a whole diff and
//!   the address of a remote with a token in it; the prompt that was not sent; counts of tokens; and
//!   the directory for temporary files, which Zed deletes with the thread, whatever it is. So does
//!   every field that is not known here.
//! - A thread in a project on another machine (SSH, WSL, a container) has no directory here: only
//!   the sidebar says so.
//! - Sub-agents' threads are threads of their own that need their parent, and are not in the sidebar.
//! - A thread that two devices continued becomes two. Zed's list shows both under the same title.
//! - Threads of other agents in Zed (Claude Code, Codex, …) are in those agents' own stores. Text
//!   threads (`conversations/*.zed.json`), which Zed no longer has, are not carried.
//!
//! From Zed's public source (`agent/src/db.rs`, `agent_ui/src/thread_metadata_store.rs`,
//! `paths/src/paths.rs`), read 2026-11-29. No Zed could be run here.

mod rows;
mod shown;
mod sidebar;
mod thread;

use self::rows::{NewThread, RecordSet, Row};
use super::{
    About, Checkout, Content, Facts, Found, Joins, Launch, Level, Listing, Machine, Reading,
    Resumable, Root, Steer, Steering, Tool, Touched, Which, WriteError, Written, unknown_format,
};
use crate::adapter::Repository;
use crate::formats::record_set::{self, KeptRows};
use crate::formats::vscode::System;
use crate::formats::{fields, jsonl};
use crate::session::{DocName, Millis, ToolId, records};
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "Zed";
const MAIN: &str = "thread.json";
const DATABASE: &str = "threads.db";
/// How many columns a listing reads.
const N_COLUMNS: usize = 8;

/// The releases, each with a sidebar of its own; all share the threads.
const CHANNELS: [&str; 4] = ["0-stable", "0-preview", "0-nightly", "0-dev"];

/// Names that never sync: sign-ins, settings, servers, and what Zed keeps of everything else.
pub const DENIED: [&str; 13] = [
    "agents",
    "copilot",
    "db",
    "db.sqlite",
    "debug_adapters",
    "embeddings",
    "extensions",
    "external_agents",
    "hang_traces",
    "keymap.json",
    "logs",
    "prompts",
    "settings.json",
];

const STEERING: Steering = Steering {
    sets,
    words: "the thread's model, profile (which decides on the tools), speed and thinking, and what was allowed for the rest \
            of the thread (`sandbox_grants`: directories, hosts, commands outside of the sandbox): Zed uses those of its \
            settings here. Fields that are not known never leave their device",
    ..Steering::NONE
};

#[derive(Debug, Default)]
pub struct Zed {
    /// The last listings, by database: they are asked for every few seconds.
    last: KeptRows<N_COLUMNS>,
}

impl Tool for Zed {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("zed"),
            name: NAME.into(),
            level: Level::Resume,
            reason: "Threads are written only while no Zed runs, and opened from Zed's own list. Made from Zed's public source \
                     and never tried in a running Zed. Where Zed's sidebar is of a form that is not known, it is left alone. \
                     Threads of other agents in Zed are in those agents' own stores; text threads are not carried."
                .into(),
            versions: "threads of the forms 0.1.0 to 0.3.0, sidebars of 2026, from the source (2026-11), never seen".into(),
            denied: &DENIED,
            read_message: shown::read_message,
            device_fields: |_| &thread::DEVICE_FIELDS,
            joins: Joins {
                judge: Some(|_: &DocName, first, second| thread::judge(first, second)),
                ..Joins::default()
            },
            steering: STEERING,
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        threads(machine).roots()
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        threads(machine).touched(path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        // Which thread is open is not known; nothing is written while Zed runs.
        threads(machine).list(which, &self.last, &|_| None)
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let (doc, session) = (found.main()?, &found.session);
        let set = threads(machine);
        let read = set.see(&doc.path, |database| {
            let row = set.rows_in(database, Some(session))?.pop();
            Ok(row.map(|row| (row, rows::json(database, session))))
        });
        let read = read.map_err(io::Error::other)?.flatten();
        let (row, json) = read.ok_or(io::ErrorKind::NotFound)?;
        let invalid = |why: String| {
            let why = format!("{NAME}'s thread {session} is not read: {why}");
            io::Error::new(io::ErrorKind::InvalidData, why)
        };
        let json = json.map_err(invalid)?;
        let document = thread::rendered(&json).map_err(invalid)?;
        let check = thread::check(&json).err();
        let problems = check.map(|why| unknown_format(NAME, session, &why));
        let mut sidebars = sidebars(&doc.path).into_iter();
        let is_remote = sidebars.any(|path| sidebar::is_remote(&path, session));
        Ok(Reading {
            facts: facts(&row, &json, is_remote),
            docs: vec![Content::Bytes(document.into())],
            problems: problems.into_iter().collect(),
            ..Reading::default()
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let still_free = || opener_of(machine).map_or(Ok(()), |who| Err(WriteError::Open(who)));
        still_free()?;
        let set = threads(machine);
        let planned = set.plan(checkout)?;
        let path = match planned.database {
            Some(path) => path,
            None => set.first().ok_or_else(|| {
                let why =
                    format!("{NAME} has no threads here yet: open its agent once, then quit it");
                WriteError::Refused(why)
            })?,
        };
        let cwd = checkout.cwd.to_str().filter(|cwd| !cwd.contains('\n'));
        let cwd = cwd.ok_or_else(|| {
            let why = format!(
                "{} is not valid Unicode on one line, which {NAME} requires",
                checkout.cwd.display()
            );
            WriteError::Refused(why)
        })?;
        let database = set.open_to_write(&path)?;
        let database = database.ok_or_else(|| WriteError::Changed(path.clone()))?;
        let rows = NewThread {
            set: &set,
            database: &database,
            sidebars: &sidebars(&path),
            session: checkout.session,
            document: planned.content.as_deref(),
            cwd,
        };
        record_set::write((&database.connection, &path), checkout, &rows, &still_free)
    }

    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        Launch::app(NAME, "zed", session.cwd)
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }
}

fn threads(machine: &Machine) -> RecordSet<'static> {
    RecordSet {
        name: NAME,
        databases: databases(machine),
        tables: &[rows::THREADS],
        listed: rows::LISTED,
        is_session: jsonl::is_uuid,
        stamp: rows::stamp,
        doc: MAIN,
        place: "threads",
    }
}

fn databases(machine: &Machine) -> Vec<PathBuf> {
    let dirs = data_dirs(System::HERE, machine);
    dirs.map(|dir| dir.join("threads").join(DATABASE)).into()
}

/// Zed's data directories, whether they exist or not; the usual one first. The Flatpak's is named on
/// every system, so that the page about the tools is the same on all of them.
fn data_dirs(system: System, machine: &Machine) -> [PathBuf; 2] {
    let set = |name: &str| {
        let path = machine.var(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let home = |below: &str| machine.home.join(below);
    let usual = match system {
        System::Linux => set("XDG_DATA_HOME")
            .unwrap_or_else(|| home(".local/share"))
            .join("zed"),
        System::Mac => home("Library/Application Support/Zed"),
        System::Windows => set("LOCALAPPDATA")
            .unwrap_or_else(|| home("AppData/Local"))
            .join("Zed"),
    };
    [usual, home(".var/app/dev.zed.Zed/data/zed")]
}

/// The databases with the sidebars of the Zeds that share a database of threads.
fn sidebars(database: &Path) -> Vec<PathBuf> {
    let data = database.parent().and_then(Path::parent);
    let dirs = CHANNELS.map(|channel| Some(data?.join("db").join(channel).join("db.sqlite")));
    dirs.into_iter().flatten().collect()
}

fn facts(row: &Row, json: &[u8], is_remote: bool) -> Facts {
    let [_, title, updated, ..] = &row.columns;
    let trees = thread::begun(json);
    let noted = trees.iter().filter_map(|tree| tree.directory.clone());
    let mut dirs: Vec<String> = rows::folders(row).into_iter().chain(noted).collect();
    let mut seen = std::collections::BTreeSet::new();
    dirs.retain(|dir| !is_remote && seen.insert(dir.clone()));
    let mut dirs = dirs.into_iter();
    let repository = trees
        .into_iter()
        .find(|tree| tree.url.is_some() || tree.branch.is_some());
    Facts {
        cwd: dirs.next(),
        also: dirs.collect(),
        title: jsonl::title_of(title),
        updated: Millis::parse(updated),
        requires: thread::parent(json).into_iter().collect(),
        repository: repository.map(|tree| Repository {
            url: tree.url,
            branch: tree.branch,
            commit: tree.commit,
        }),
        ..Facts::default()
    }
}

fn sets(_: &DocName, content: &[u8]) -> Vec<Steer> {
    let fields = thread::STEERS.iter();
    let mut set: Vec<Steer> = fields
        .filter_map(|(name, neutral)| Steer::in_document(content, name, neutral))
        .collect();
    let all = fields::get(content, "sandbox_grants").unwrap_or_default();
    let all = records::value(all.as_bytes());
    let is_set = |name: &str| name != "sandbox_grants" || all.as_object().is_none_or(grants);
    set.retain(|steer| is_set(&steer.name));
    set
}

/// Whether anything was allowed: Zed writes the names of all grants, most of them empty or false.
fn grants(all: &Map<String, Value>) -> bool {
    all.values().any(|grant| match grant {
        Value::Array(list) => !list.is_empty(),
        grant => !matches!(grant, Value::Null | Value::Bool(false)),
    })
}

/// A Zed that runs: it has every thread in memory that its windows show.
fn opener_of(machine: &Machine) -> Option<String> {
    machine.running(NAME, |running| {
        let exe = running.exe.to_string_lossy().replace('\\', "/");
        let exe = exe.to_lowercase();
        // ZFS has a program of the same name.
        let is_of_zfs = exe.contains("/sbin/") || exe.contains("zfs");
        let name = running.name();
        let is_named = ["zed", "zeditor"].contains(&name.as_str())
            || name.trim_start_matches('.').starts_with("zed-editor");
        is_named && !is_of_zfs
    })
}

#[cfg(test)]
mod tests;
