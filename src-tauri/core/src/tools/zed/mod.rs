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
//!   (`sidebar_threads` in `db/0-<channel>/db.sqlite` of each Zed that has one). With a table
//!   `threads` of another form nothing is written. A sidebar of another form is left alone: the
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

use self::rows::{Listed, NewRow, Threads};
use super::{
    About, Change, Checkout, Content, Facts, Found, FoundDoc, Joins, Launch, Level, Listing,
    Machine, Reading, Resumable, Root, Steer, Steering, Tool, Touched, Which, WriteError, Written,
};
use crate::adapter::Repository;
use crate::formats::sqlite::{self, DbError, Kept};
use crate::formats::vscode::System;
use crate::formats::{fields, files, jsonl};
use crate::session::{DocKind, DocName, Problem, ProblemCode, ToolId, records};
use rusqlite::OpenFlags;
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "Zed";
const MAIN: &str = "thread.json";
const DATABASE: &str = "threads.db";

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
    last: Kept<Vec<Listed>>,
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
            said: shown::said,
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
        let root = |database: PathBuf| Root {
            path: dir_of(&database),
            deep: false,
            store: true,
        };
        databases(machine).into_iter().map(root).collect()
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        let concerns = |database: &PathBuf| {
            let names = files::names_below(&dir_of(database), path);
            names.is_some_and(|names| match &names[..] {
                [] => true,
                [name] => name == DATABASE || *name == format!("{DATABASE}-wal"),
                _ => false,
            })
        };
        match databases(machine).iter().any(concerns) {
            true => Touched::Everything,
            false => Touched::Nothing,
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let mut listing = Listing::default();
        if let Which::ConflictCopies = which {
            return listing;
        }
        for database in databases(machine) {
            match self.listed(&database, which) {
                Ok(rows) => {
                    let found = rows.into_iter().map(|row| row.found(&database));
                    listing.found.extend(found);
                }
                Err(error) => listing.unknown = Some(error.to_string()),
            }
        }
        // Two Zeds (a Flatpak and another) have the same thread only if somebody copied it.
        listing.keep_one_of_each();
        listing
    }

    fn read(&self, _machine: &Machine, found: &Found) -> io::Result<Reading> {
        let doc = found.main()?;
        let threads = Threads::open(&doc.path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let threads = threads
            .map_err(io::Error::other)?
            .ok_or(io::ErrorKind::NotFound)?;
        let listed = threads
            .listed(Which::One(&found.session))
            .map_err(io::Error::other)?;
        let row = listed.into_iter().next().ok_or(io::ErrorKind::NotFound)?;
        let invalid = |why: String| {
            let session = &found.session;
            let why = format!("{NAME}'s thread {session} is not read: {why}");
            io::Error::new(io::ErrorKind::InvalidData, why)
        };
        let json = threads.json(&found.session).map_err(invalid)?;
        let document = thread::rendered(&json).map_err(invalid)?;
        let problems = thread::check(&json).err().map(|why| {
            let session = &found.session;
            let message = format!(
                "{NAME}'s thread {session} has an unknown format: {why}. It syncs, but is not written into the tool."
            );
            Problem::new(ProblemCode::UnknownShape, message, "Please report it with the version of Zed.")
        });
        let mut sidebars = sidebars(&doc.path).into_iter();
        let is_remote = sidebars.any(|path| sidebar::is_remote(&path, &found.session));
        Ok(Reading {
            facts: facts(row, &json, is_remote),
            docs: vec![Content::Bytes(document.into())],
            secret: Vec::new(),
            problems: problems.into_iter().collect(),
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let refused = |why: String| Err(WriteError::Refused(why));
        let session = checkout.session;
        let [doc] = &checkout.docs[..] else {
            return refused(format!("a thread of {NAME} is one document"));
        };
        if doc.name.as_str() != MAIN
            || doc.at != at(session.as_str())
            || !jsonl::is_uuid(session.as_str())
        {
            return refused(format!("\"{}\" is no thread of {NAME}", doc.name));
        }
        let still_free = || opener_of(machine).map_or(Ok(()), |who| Err(WriteError::Live(who)));
        still_free()?;
        let known = databases(machine);
        let here =
            |database: &&PathBuf| sqlite::open(database, OpenFlags::SQLITE_OPEN_READ_ONLY).is_ok();
        let database = match doc.change.path() {
            Some(path) if known.iter().any(|known| known == path) => path.to_path_buf(),
            Some(path) => return Err(WriteError::Changed(path.into())),
            None => match known.iter().find(here) {
                Some(database) => database.clone(),
                None => {
                    return refused(format!(
                        "{NAME} has no threads here yet: open its agent once, then quit it"
                    ));
                }
            },
        };
        if doc.change.path().is_none()
            && !self.sessions(machine, Which::One(session)).found.is_empty()
        {
            return Err(WriteError::Changed(database));
        }
        let (was, bytes) = match &doc.change {
            Change::Create(bytes) => (None, Some(*bytes)),
            Change::Replace { was, bytes, .. } => (Some(*was), Some(*bytes)),
            Change::Remove { was, .. } => (Some(*was), None),
            Change::Append { .. } => {
                return refused(format!("a thread of {NAME} is written whole"));
            }
        };
        let mut content = Vec::new();
        if let Some(bytes) = bytes {
            let path = database.clone();
            bytes
                .write_to(&mut content)
                .map_err(|source| WriteError::Io { path, source })?;
        }
        let Some(cwd) = checkout.cwd.to_str().filter(|cwd| !cwd.contains('\n')) else {
            return refused(format!(
                "{} can't be said in a text",
                checkout.cwd.display()
            ));
        };
        let row = NewRow {
            session,
            was,
            document: bytes.map(|_| &content[..]),
            cwd,
        };
        let stamp = row.write(&database, &sidebars(&database), &still_free)?;
        Ok(Written {
            docs: vec![(doc.name.clone(), database, stamp)],
        })
    }

    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        Launch::new(
            vec!["zed".into(), session.cwd.to_string_lossy().into_owned()],
            session.cwd,
        )
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }
}

impl Zed {
    fn listed(&self, database: &Path, which: Which<'_>) -> Result<Vec<Listed>, DbError> {
        let list = || {
            let threads = Threads::open(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            threads.map_or(Ok(Vec::new()), |threads| threads.listed(which))
        };
        if !matches!(which, Which::All) {
            return list();
        }
        self.last.of(database, list)
    }
}

impl Listed {
    fn found(self, database: &Path) -> Found {
        let doc = FoundDoc {
            name: DocName::new(MAIN),
            kind: DocKind::Snapshot,
            at: at(self.session.as_str()),
            path: database.into(),
            stamp: self.stamp,
        };
        Found {
            session: self.session,
            docs: vec![doc],
            // Which thread is open is not known; nothing is written while Zed runs.
            live: None,
        }
    }
}

fn at(session: &str) -> String {
    format!("threads/{session}/{MAIN}")
}

fn dir_of(database: &Path) -> PathBuf {
    database.parent().unwrap_or(database).into()
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

fn facts(row: Listed, json: &[u8], is_remote: bool) -> Facts {
    let trees = thread::begun(json);
    let noted = trees.iter().filter_map(|tree| tree.directory.clone());
    let mut dirs: Vec<String> = row.folders.iter().cloned().chain(noted).collect();
    let mut seen = std::collections::BTreeSet::new();
    dirs.retain(|dir| !is_remote && seen.insert(dir.clone()));
    let mut dirs = dirs.into_iter();
    let repository = trees
        .into_iter()
        .find(|tree| tree.url.is_some() || tree.branch.is_some());
    Facts {
        cwd: dirs.next(),
        also: dirs.collect(),
        title: jsonl::title_of(&row.title),
        updated: row.updated,
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
    let set = |(name, neutral): &(&str, &str)| {
        let value = fields::get(content, name).filter(|value| value != neutral)?;
        let parsed = records::value(value.as_bytes());
        let is_set = *name != "sandbox_grants" || parsed.as_object().is_none_or(grants);
        is_set.then(|| Steer {
            name: (*name).into(),
            value: value.chars().take(120).collect(),
        })
    };
    thread::STEERS.iter().filter_map(set).collect()
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
