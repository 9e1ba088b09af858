//! Claude Desktop: the sidebar of its Code tab.
//!
//! A session of the Code tab is a session of Claude Code: its transcript is in `~/.claude/projects`
//! and syncs with the others, under the same id, whether Claude Desktop, the extension of VS Code or
//! the terminal wrote it. It is one session everywhere. But the Code tab shows only the sessions in
//! a registry of its own, `claude-code-sessions/<account>/<organisation>/local_<uuid>.json` below
//! - `~/Library/Application Support/Claude` on macOS,
//! - `~/.config/Claude` on Linux,
//! - `%APPDATA%\Claude` on Windows, or
//!   `%LOCALAPPDATA%\Packages\Claude_pzs8sxrjxfjjc\LocalCache\Roaming\Claude` as installed from the
//!   Microsoft Store;
//!
//! with `Claude-3p` for `Claude` where a company's own gateway answers.
//!
//! **Rows do not sync.** A row belongs to an account, and also holds servers, tools and permissions.
//! Each device makes the missing row from the session: id, directory here, title, times. Only the
//! model and the effort come from another row, the newest of this device; the row is put beside it,
//! in the same account. The permission mode is the one that asks. A row is made for a session
//! - that arrived from another device and that Claude Desktop ran there: its records say
//!   `"entrypoint":"claude-desktop"` (in the first 256 KB or the last 128 KB; Claude Code 2.1.330,
//!   2026-11-29);
//! - that has no row under any name, and never had one that the user removed
//!   (`deleted_<uuid>`, or a row made here that is gone);
//! - while Claude Desktop does not run: it reads the registry at its start. Until it quits, the row
//!   waits. The newest row of this device serves as the example, so Claude Desktop must have run
//!   one session of its own here.
//!
//! The row is named `local_<id of the session>`, as the app names a session that it imports by
//! `claude://resume` (anthropics/claude-code #80773, 2026-07). So `claude --desktop --resume ID`
//! opens the session also while its row waits, and makes no second one. When the project is placed
//! elsewhere, a row made here follows as long as the app has not changed its directory. When the
//! session is forgotten, its row goes, too.
//!
//! - **The Chat tab** is on Anthropic's servers: sign in with the same account, or read an export
//!   with `roam import`.
//! - **Cowork** sessions are not shown: they ran in a virtual machine under paths of its own, and
//!   have been on Anthropic's servers since 2026-09-22 (anthropics/claude-code #96187).
//!
//! From public descriptions of the app's files and of its own import (versions 1.24 to 2.19, 2026-07
//! to 2026-10). No Claude Desktop could be run here.

mod places;
mod rows;
#[cfg(test)]
mod tests;

use self::rows::Index;
use super::{
    About, Access, Change, Checkout, Entered, Entry, Found, Launch, Level, Listing, Machine,
    Reading, Registry, Resumable, Root, Stamp, Steering, Tool, Touched, Which, WriteError, Written,
};
use crate::formats::fields;
use crate::formats::files::write_as_guest;
use crate::formats::jsonl::{self, is_uuid};
use crate::formats::vscode::System;
use crate::opener;
use crate::session::{Millis, SessionId, ToolId};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

const NAME: &str = "Claude Desktop";

/// What Claude Code writes as `entrypoint` when Claude Desktop runs it, with and without a
/// company's own gateway (2.1.330, 2026-11-29).
const ENTRYPOINTS: [&str; 2] = ["claude-desktop", "claude-desktop-3p"];
const HEAD: u64 = 256 * 1024;
const TAIL: u64 = 128 * 1024;
const LARGEST_ROW: u64 = 8 << 20;

/// Names that never sync. Nothing of Claude Desktop does.
pub const DENIED: [&str; 12] = [
    "Cookies",
    "IndexedDB",
    "Local State",
    "Local Storage",
    "claude-code",
    "claude-code-sessions",
    "claude-code-vm",
    "claude_desktop_config.json",
    "config.json",
    "local-agent-mode-sessions",
    "lockfile",
    "vm_bundles",
];

#[derive(Default)]
pub struct ClaudeDesktop {
    index: Mutex<Index>,
}

impl Tool for ClaudeDesktop {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("claude-desktop"),
            name: NAME.into(),
            level: Level::Resume,
            reason: "The sessions of its Code tab are Claude Code's, which sync and open in both. Those that Claude Desktop \
                     ran on another device get into its sidebar here while it does not run. The Chat tab's conversations are \
                     on Anthropic's servers: sign in with the same account, or import an export. Cowork \
                     sessions are not shown."
                .into(),
            versions: "files described in public (1.24 to 2.19, 2026-07 to 2026-10), never seen".into(),
            denied: &DENIED,
            steering: Steering {
                words: "everything in its registry: nothing of it is recorded. A row made here has the permission mode that \
                        asks, and the model and the effort of this device's newest row",
                ..Steering::default()
            },
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        let registries = places::roots(System::HERE, machine).into_iter();
        registries
            .map(|root| Root {
                path: root.join(rows::FOLDER),
                deep: false,
                store: true,
            })
            .collect()
    }

    fn touched(&self, _machine: &Machine, _path: &Path) -> Touched {
        Touched::Nothing
    }

    fn sessions(&self, _machine: &Machine, _which: Which<'_>) -> Listing {
        Listing::default()
    }

    fn read(&self, _machine: &Machine, _found: &Found) -> io::Result<Reading> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn write(&self, _machine: &Machine, _checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let why = format!("{NAME} has no sessions of its own: they are Claude Code's");
        Err(WriteError::Refused(why))
    }

    /// An option of Claude Code, which opens `claude://resume` (2.1.330, 2026-11-29).
    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        let words = ["claude", "--desktop", "--resume", session.session.as_str()];
        Launch::new(words.map(str::to_owned).to_vec(), session.cwd)
    }

    fn registry(&self) -> Option<&dyn Registry> {
        Some(self)
    }
}

impl Registry for ClaudeDesktop {
    fn lists(&self) -> ToolId {
        ToolId::new("claude-code")
    }

    fn access(&self, machine: &Machine) -> Access {
        let roots = installed(machine);
        if roots.is_empty() {
            return Access::Absent;
        }
        match self.waits(machine, &roots, &self.index(&roots)) {
            Some(why) => Access::Waits(why),
            None => Access::Open,
        }
    }

    fn n_entries(&self, machine: &Machine) -> u64 {
        self.index(&installed(machine)).n_rows
    }

    fn enter(&self, machine: &Machine, entry: &Entry<'_>) -> Result<Entered, WriteError> {
        let roots = installed(machine);
        if roots.is_empty() {
            return Ok(Entered::Absent);
        }
        let id = entry.session.as_str();
        let began = match ran(entry.main) {
            Some(began) if is_uuid(id) && is_in_its_store(machine, entry.main) => began,
            _ => return Ok(Entered::NotIts),
        };
        // Held to the end: two workers must not both find that there is no row.
        let mut index = self.index(&roots);
        if let Some(was) = entry.made_for {
            return self.follow((machine, &roots), &mut index, entry, was);
        }
        if let Some(path) = index.file(id) {
            return Ok(match names(&path, id, entry.cwd) {
                true => Entered::Made,
                false => Entered::Settled,
            });
        }
        if index.has(id) {
            return Ok(Entered::Settled);
        }
        if let Some(why) = self.waits(machine, &roots, &index) {
            return Ok(Entered::Waits(why));
        }
        let newest = index
            .newest
            .clone()
            .ok_or_else(|| WriteError::Refused(no_example()))?;
        let row = rows::made(entry, began, &newest, text_of(entry.cwd)?);
        let path = newest.dir.join(rows::name_of(id));
        write(&newest.dir, &path, &Change::Create(&row), entry.now)?;
        index.changed(&path, id);
        Ok(Entered::Made)
    }

    fn remove(
        &self,
        machine: &Machine,
        is_it: &dyn Fn(&SessionId) -> bool,
    ) -> Result<(), WriteError> {
        let roots = installed(machine);
        let mut index = self.index(&roots);
        let Some((id, path)) = index.find(is_it) else {
            return Ok(());
        };
        let Some((was, row)) = row_at(&path) else {
            return Ok(());
        };
        // A row that continues an earlier session still shows that one.
        let priors = row.get("priorCliSessionIds").and_then(Value::as_array);
        if !is_row_of(&row, &id) || priors.is_some_and(|priors| !priors.is_empty()) {
            return Ok(());
        }
        if let Some(open) = places::runs(machine, &roots) {
            return Err(WriteError::Open(open));
        }
        let (dir, path) = (path.parent().unwrap_or(&path), path.as_path());
        write(dir, path, &Change::Remove { path, was }, Millis(0))?;
        index.changed(path, &id);
        Ok(())
    }
}

impl ClaudeDesktop {
    /// The rows as they are now.
    fn index(&self, roots: &[PathBuf]) -> MutexGuard<'_, Index> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.refresh(roots);
        index
    }

    /// Why no row can be written now.
    fn waits(&self, machine: &Machine, roots: &[PathBuf], index: &Index) -> Option<String> {
        if index.newest.is_none() {
            return Some(no_example());
        }
        let running = places::runs(machine, roots)?;
        let then =
            "sessions that arrive are in its sidebar after it has quit and been started again";
        Some(format!("{running}: {then}."))
    }

    /// Has the row that was made here follow the session, unless the app or the user changed it.
    fn follow(
        &self,
        (machine, roots): (&Machine, &[PathBuf]),
        index: &mut Index,
        entry: &Entry<'_>,
        was: &Path,
    ) -> Result<Entered, WriteError> {
        let id = entry.session.as_str();
        let Some(path) = index.file(id).filter(|path| names(path, id, was)) else {
            return Ok(match index.file(id) {
                Some(path) if names(&path, id, entry.cwd) => Entered::Made,
                _ => Entered::Settled,
            });
        };
        if let Some(why) = self.waits(machine, roots, index) {
            return Ok(Entered::Waits(why));
        }
        let stamp = Stamp::of(&path).map_err(|source| failed(&path, source))?;
        let old = opener::read(&path, LARGEST_ROW).map_err(|source| failed(&path, source))?;
        let cwd = Value::from(text_of(entry.cwd)?).to_string();
        let Some(new) = fields::with(&old, &[("cwd", &cwd), ("originCwd", &cwd)]) else {
            return Ok(Entered::Settled);
        };
        let (dir, path) = (path.parent().unwrap_or(&path), path.as_path());
        let change = Change::Replace {
            path,
            was: stamp,
            bytes: &new,
        };
        write(dir, path, &change, entry.now)?;
        index.changed(path, id);
        Ok(Entered::Made)
    }
}

fn no_example() -> String {
    format!(
        "{NAME} has run no session of its Code tab on this device yet. Start one there and quit it: then it lists those of \
         your other devices, too."
    )
}

/// The data directories that exist.
fn installed(machine: &Machine) -> Vec<PathBuf> {
    let roots = places::roots(System::HERE, machine).into_iter();
    roots.filter(|root| root.is_dir()).collect()
}

/// When the session began, if Claude Desktop ran it.
fn ran(main: &Path) -> Option<Option<Millis>> {
    let ends = jsonl::read_ends(&mut opener::file(main).ok()?, HEAD, TAIL).ok()?;
    let is_its = |record: &Value| {
        let entrypoint = record.get("entrypoint").and_then(Value::as_str);
        entrypoint.is_some_and(|entrypoint| ENTRYPOINTS.contains(&entrypoint))
    };
    let times = || {
        ends.forwards()
            .find_map(|record| jsonl::text(record, "timestamp"))
    };
    ends.forwards()
        .any(is_its)
        .then(|| times().and_then(|text| Millis::parse(&text)))
}

/// Claude Desktop uses the store that Claude Code uses without a shell, or with the variable set
/// for all programs.
fn is_in_its_store(machine: &Machine, main: &Path) -> bool {
    let usual = machine.home.join(".claude");
    let set = machine.var("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    main.starts_with(usual) || set.is_some_and(|set| main.starts_with(set))
}

fn row_at(path: &Path) -> Option<(Stamp, Value)> {
    let stamp = Stamp::of(path).ok()?;
    let bytes = opener::read(path, LARGEST_ROW).ok()?;
    Some((stamp, serde_json::from_slice(&bytes).ok()?))
}

fn is_row_of(row: &Value, id: &str) -> bool {
    let named = row.get("cliSessionId").and_then(Value::as_str);
    named.is_some_and(|named| named.eq_ignore_ascii_case(id))
}

/// Whether a row is the session's and still has the directory that was written into it.
fn names(path: &Path, id: &str, cwd: &Path) -> bool {
    let Some((_, row)) = row_at(path) else {
        return false;
    };
    let is_cwd = |name: &str| row.get(name).and_then(Value::as_str) == cwd.to_str();
    let worktree = row.get("worktreePath").is_some_and(|path| !path.is_null());
    is_row_of(&row, id) && is_cwd("cwd") && is_cwd("originCwd") && !worktree
}

fn text_of(cwd: &Path) -> Result<&str, WriteError> {
    let why = || format!("{} is not a name that {NAME} can store", cwd.display());
    cwd.to_str().ok_or_else(|| WriteError::Refused(why()))
}

fn write(dir: &Path, path: &Path, change: &Change<'_>, mtime: Millis) -> Result<(), WriteError> {
    write_as_guest(dir, path, change, mtime).map(drop)
}

fn failed(path: &Path, source: io::Error) -> WriteError {
    WriteError::Io {
        path: path.to_path_buf(),
        source,
    }
}
