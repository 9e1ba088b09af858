//! Claude Code: the sessions of Anthropic's command line and of everything that shares its store
//! (desktop app, IDE extensions).
//!
//! The store is the same on every system: `~/.claude`, or `$CLAUDE_CONFIG_DIR`. A session consists
//! of
//! - the transcript `projects/<slug of the directory>/<uuid>.jsonl`;
//! - the files below `projects/<slug>/<uuid>/` (subagents, long tool results, workflows);
//! - files stored elsewhere under its id: `file-history/` (for /rewind), `todos/`, `tasks/`, and what
//!   the user gave it, `uploads/` and `image-cache/` (but no file whose name is that of a secret);
//! - the plan in `plans/` that its records name. If several sessions name one plan, the first one
//!   on this device owns it. The plan is removed from this device when that session is forgotten,
//!   unless the plan was changed since.
//!
//! The prompts of all sessions (`history.jsonl`, `paste-cache/`) stay on their device.
//!
//! There is no index. A transcript in the slug directory of the current directory is listed,
//! continued and resumed as it is, byte for byte. Seen with 2.1.330 on 2026-11-23; the vendor's
//! Agent SDK documents copying transcripts ("Resume across hosts").
//!
//! If an id has copies in two slug directories, the tool finds neither (2.1.330), so a second copy
//! is never made. The tool deletes files whose modification time is older than 30 days.

mod agents;
mod copies;
mod linked;
#[cfg(test)]
mod linked_rules;
mod listing;
mod plans;
mod recent;
mod records;
mod steering;
mod writing;

use self::records::{is_fact, is_message, read_message, repository, title, updated};

use self::agents::{Agents, OldAgent, agent_owner, is_old_agent};
use self::copies::{Copies, IsSecret};
use self::listing::*;
use self::writing::*;
use super::{
    About, Change, Checkout, ConflictCopy, DocWrite, Facts, Found, FoundDoc, Joins, Launch, Level,
    Listing, Machine, ReadSeek, Reading, Repository, Resumable, Root, SharedDocs, Stamp, Tool,
    Touched, Which, WriteError, Written,
};
use crate::adapter::{McpConfig, Moved, Opens};
use crate::formats::file_store::{DocFile, FileStore, KnownDirs, Names, Rank, SessionAt};
use crate::formats::files::{self, GuestWrite};
use crate::formats::guarded;
use crate::formats::jsonl::{self, is_uuid, text};
use crate::formats::listed::Listed;
use crate::formats::process;
use crate::merge::transcript::{self, ParsedMessage, Piece};
use crate::opener;
use crate::session::{DocKind, DocName, Millis, Role, SessionId, ToolId, composed, copied_from};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use plans::Plans;
use steering::{AGENTS_NEUTRAL, COPIES, STEERING, device_fields, is_agents_card, known_fields};

const NAME: &str = "Claude Code";
const MAIN: &str = "transcript.jsonl";

/// Names that never sync, at any depth, whatever a session's directory or another device claims.
/// From the vendor's description of `~/.claude` and the store of 2.1.330, 2026-11-23.
pub const DENIED: [&str; 24] = [
    ".credentials.json",
    ".claude.json",
    ".last-cleanup",
    "backups",
    "cache",
    "daemon",
    "debug",
    "feedback-bundles",
    "ide",
    "jobs",
    "plugins",
    "policy-limits.json",
    "remote-settings.json",
    "session-env",
    "sessions",
    "settings.json",
    "settings.local.json",
    "shell-snapshots",
    "stats-cache.json",
    "statsig",
    "telemetry",
    "todos.lock",
    "usage-data",
    ".mcp.json",
];

/// Set inside a running Claude Code. A `claude` started with them writes no transcript, or treats
/// it as a child's (anthropics/claude-code issues 73294, 80654, 66618).
const MISLEADING_VARIABLES: [&str; 8] = [
    "CLAUDECODE",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_EXECPATH",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SKIP_PROMPT_HISTORY",
    "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_PROJECT_DIR",
];

/// The bytes read at a transcript's ends. The tool repeats titles in the last 64 KB (2.1.330).
const HEAD: u64 = 256 * 1024;
const TAIL: u64 = 128 * 1024;

#[derive(Default)]
pub struct ClaudeCode {
    copies: Copies,
    agents: Agents,
    /// The names in the directories of the store.
    names: Listed<Names>,
    known: KnownDirs,
    /// By `projects` directory, the links followed at its last listing. They are watched as well.
    linked: Mutex<BTreeMap<PathBuf, Vec<PathBuf>>>,
    plans: Plans,
}

/// The directories of the store.
struct Store {
    base: PathBuf,
    projects: PathBuf,
    plans: PathBuf,
    sessions: PathBuf,
}

impl Store {
    fn of(machine: &Machine) -> Self {
        let base = match machine.var("CLAUDE_CONFIG_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => machine.home.join(".claude"),
        };
        Self {
            projects: base.join("projects"),
            plans: base.join("plans"),
            sessions: base.join("sessions"),
            base,
        }
    }
}

impl Tool for ClaudeCode {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("claude-code"),
            name: NAME.into(),
            level: Level::Merge,
            reason: String::new(),
            denied: &DENIED,
            is_message,
            read_message,
            device_fields,
            known_fields,
            joins: Joins {
                title: Some(linked::title),
                named: Some(named),
                stitch: Some(linked::stitch),
                branches: Some(linked::branches),
                in_fork: Some(in_fork),
                ..Joins::default()
            },
            steering: STEERING,
            shared: Some(SharedDocs {
                is_one: |doc| doc.as_str().starts_with(PLANS),
                names: plans::names,
            }),
            versions: "2.1.330 (2026-11-23); the files of 1.0.128 to 2.1.197 are the same".into(),
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        let store = Store::of(machine);
        let root = |path, deep, store| Root { path, deep, store };
        let linked = self
            .linked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&store.projects)
            .cloned();
        let linked = linked
            .into_iter()
            .flatten()
            .map(|link| root(link, true, false))
            .collect::<Vec<_>>();
        let own = vec![
            root(store.projects, true, true),
            root(store.base.join("file-history"), true, true),
            root(store.base.join("todos"), false, true),
            root(store.base.join("tasks"), true, true),
            root(store.base.join("uploads"), true, true),
            root(store.base.join("image-cache"), true, true),
            root(store.plans, false, true),
            root(store.sessions, false, false),
        ];
        own.into_iter().chain(linked).collect()
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        let store = Store::of(machine);
        let Some(names) = files::names_below(&store.base, path) else {
            return Touched::Nothing;
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match names[..] {
            ["sessions", ..] => Touched::OpenSessions,
            ["plans"] => Touched::Everything,
            [.., last] if files::is_foreign_name(last) => Touched::Nothing,
            ["projects", _, name] if is_old_agent(name) => {
                self.agents.forget();
                agent_owner(path).map_or(Touched::Nothing, Touched::Session)
            }
            ["tasks", dir, ..] if dir.starts_with("session-") => {
                self.session_starting(&store, &dir["session-".len()..])
            }
            ["plans", name] => self.plans.touched(name),
            _ => self.files(&store).touched(path),
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let store = Store::of(machine);
        let open_in = live_sessions(&store);
        let is_live = |at: &SessionAt| open_in.get(&at.session).cloned();
        let mut listing = self.files(&store).list(which, &is_live);
        match which {
            Which::ConflictCopies => {
                let mut copies = copies_of_agents(&store);
                for copy in &mut copies {
                    copy.open_in = open_in.get(copy.session.as_str()).cloned();
                }
                listing.conflict_copies.extend(copies);
            }
            Which::All => {
                self.note_linked(&store);
                // By session, as they are listed.
                let is_there = |session: &SessionId, main: &Path| {
                    let found = listing
                        .found
                        .binary_search_by(|found| found.session.cmp(session));
                    found.is_ok_and(|at| listing.found[at].docs[0].path == main)
                };
                self.plans.retain(&store.projects, is_there);
            }
            Which::One(_) => {}
        }
        // Read once for each slug directory, which may hold a thousand sessions.
        let mut agents: BTreeMap<PathBuf, Arc<Vec<OldAgent>>> = BTreeMap::new();
        for Found { session, docs, .. } in &mut listing.found {
            let (main, stamp) = (docs[0].path.clone(), docs[0].stamp);
            let slug_dir = main.parent().unwrap_or(&main).to_path_buf();
            let agents = agents
                .entry(slug_dir)
                .or_insert_with_key(|dir| match which {
                    Which::One(_) => self.agents.known_of(dir),
                    Which::All | Which::ConflictCopies => self.agents.of(dir),
                });
            for agent in agents.iter().filter(|agent| agent.owner == *session) {
                let name = format!("{BESIDE}agents/{}", agent.name);
                add_file(&store.base, docs, &agent.path, name);
            }
            let plans = match which {
                Which::One(_) => self.plans.of(&store.plans, session, &main, stamp),
                Which::All | Which::ConflictCopies => self.plans.known_of(&store.plans, &main),
            };
            for (path, name) in plans {
                add_file(&store.base, docs, &path, format!("{PLANS}{name}"));
            }
        }
        listing
    }

    fn open_sessions(&self, machine: &Machine) -> Option<Vec<Found>> {
        let open = live_sessions(&Store::of(machine)).into_keys();
        let listed = open.flat_map(|id| {
            let session = SessionId::new(id);
            self.sessions(machine, Which::One(&session)).found
        });
        Some(listed.collect())
    }

    fn read(&self, _machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.main()?;
        let mut file = opener::file(&main.path)?;
        let found_ends = jsonl::read_outlines(&mut file, HEAD, TAIL, is_fact)?;
        let ends = &found_ends.ends;
        let slug = main
            .path
            .parent()
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned());
        let beyond_ends = || {
            (main.stamp.len > HEAD)
                .then(|| named_inside(&main.path))
                .flatten()
        };
        let cwd = home_of(ends, slug.as_deref().unwrap_or("")).or_else(beyond_ends);
        let facts = Facts {
            // The first records may be a queued prompt, a snapshot or a title, which name no
            // directory (`claude -p`, 2.1.330, 2026-11-23). Records of the conversation do.
            early: cwd.is_none(),
            also: also(ends, cwd.as_deref()),
            cwd,
            title: title(&found_ends),
            prompted: false,
            updated: updated(ends).or(Some(main.stamp.modified())),
            version: ends.backwards().find_map(|record| text(record, "version")),
            requires: Vec::new(),
            part_of: None,
            base: None,
            repository: repository(ends),
        };
        Ok(Reading {
            secret: self.secrets(found, main),
            ..Reading::of_files(found, facts)
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let store = Store::of(machine);
        let session = checkout.session;
        if !is_uuid(session.as_str()) {
            return Err(WriteError::Refused(format!(
                "\"{session}\" is not an id that {NAME} takes"
            )));
        }
        let still_free = || match live_sessions(&store).get(session.as_str()) {
            Some(by) => Err(WriteError::Open(by.clone())),
            None => Ok(()),
        };
        still_free()?;
        let files = self.files(&store);
        let home = home_for(&files, &store, checkout, machine)?;
        let about = self.about();
        let own = |doc: &DocWrite<'_>| match is_agents_card(doc.name) {
            true => (doc.change).with_own(about.own_fields(doc.name), &AGENTS_NEUTRAL),
            false => Ok(None),
        };
        let own = checkout
            .docs
            .iter()
            .map(own)
            .collect::<Result<Vec<_>, _>>()?;
        let changes = checkout
            .docs
            .iter()
            .zip(&own)
            .map(|(doc, own)| doc.change.of(own.as_ref()));
        let changes: Vec<Change<'_>> = changes.collect();
        let mut places = Vec::new();
        for (doc, change) in checkout.docs.iter().zip(&changes) {
            let (root, path) = place(&files, &store, &home, doc.name)?;
            let is_plan = doc.name.as_str().starts_with(PLANS);
            // The plan's owner is unknown here, so an existing plan is left as it is.
            if matches!(change, Change::Create(_)) && is_plan && Stamp::of(&path).is_ok() {
                continue;
            }
            check_place(&path, doc.name, change, &home)?;
            places.push((doc.name, root, path, change));
        }
        let mut writes: Vec<GuestWrite<'_>> = places
            .iter()
            .map(|(name, root, path, change)| GuestWrite {
                name,
                root,
                path: path.clone(),
                change,
            })
            .collect();
        // The main doc comes last: until it is written, the session is as before.
        writes.sort_by_key(|write| write.name.as_str() == MAIN);
        let written = files::write_docs(
            &writes,
            safe_from_sweep(checkout.updated, checkout.now),
            &still_free,
        );
        let of_agent = |write: &GuestWrite<'_>| agents::is_beside(write.name);
        if writes.iter().any(of_agent) {
            self.agents.forget();
        }
        written
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        let config = machine
            .var("CLAUDE_CONFIG_DIR")
            .map(|dir| ("CLAUDE_CONFIG_DIR".into(), dir.into()));
        Launch {
            opens: Opens::Command(vec![
                "claude".into(),
                "--resume".into(),
                session.session.as_str().into(),
            ]),
            cwd: session.cwd.to_path_buf(),
            env: config.into_iter().collect(),
            unset: MISLEADING_VARIABLES.map(String::from).to_vec(),
            before: Vec::new(),
        }
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }

    /// The vendor documents `CLAUDE_CONFIG_DIR` in its list of environment variables; seen with
    /// 2.1.330, 2026-11-28.
    fn moved(&self) -> Option<Moved> {
        Some(Moved {
            var: "CLAUDE_CONFIG_DIR",
            usual: ".claude",
            marks: &["projects", "settings.json", ".claude.json", "history.jsonl"],
        })
    }

    /// As `claude mcp add --help` of 2.1.330 says, 2026-11-29.
    fn mcp_config(&self) -> Option<McpConfig> {
        Some(McpConfig::Command {
            add: &["claude", "mcp", "add", "--scope", "user"],
            remove: &["claude", "mcp", "remove", "--scope", "user"],
        })
    }
}

// ---- names ----

/// Beside the transcripts an agent's name can be used only once. A directory of subagents belongs
/// to one session.
fn in_fork(name: &str) -> Option<String> {
    let agent = name
        .strip_prefix(BESIDE)?
        .strip_prefix("agents/")
        .filter(|agent| is_old_agent(agent))?;
    Some(format!("subagents/{agent}"))
}

fn is_denied(name: &str) -> bool {
    files::is_foreign_name(name)
        || DENIED
            .iter()
            .any(|denied| denied.eq_ignore_ascii_case(name))
}

/// The tool's name for a directory: every UTF-16 unit except ASCII letters and digits becomes `-`.
/// `a/b-c` and `a-b/c` therefore share a name; the transcripts inside name their directory. Of a
/// name over 200 units the first 200 are kept, followed by a hash of the whole (the same in 2.1.330
/// and in the vendor's SDK).
///
/// As in the tool, the letters of a name are composed (NFC) first: some disks return names in parts.
pub fn slug(directory: &str) -> String {
    const LONGEST: usize = 200;
    let directory = &composed(directory.to_owned());
    let plain: String = directory
        .encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() => char::from(byte),
            _ => '-',
        })
        .collect();
    match plain.get(..LONGEST) {
        Some(start) if plain.len() > LONGEST => format!("{start}-{}", slug_hash(directory)),
        _ => plain,
    }
}

/// `h * 31 + unit` in 32 bits; the absolute value in base 36.
fn slug_hash(directory: &str) -> String {
    let hash = directory.encode_utf16().fold(0i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    let mut rest = hash.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(rest % 36, 36).unwrap_or('0'));
        rest /= 36;
        if rest == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

/// The slug directory of a directory on this device.
fn slug_dir(store: &Store, cwd: &Path, machine: &Machine) -> Result<PathBuf, WriteError> {
    if let Some(pinned) = pinned_name(machine) {
        return Ok(store.projects.join(pinned));
    }
    let real = fs::canonicalize(cwd).map_err(|source| WriteError::Io {
        path: cwd.to_path_buf(),
        source,
    })?;
    let text = real.to_string_lossy();
    // Windows reports resolved paths in verbatim form; the tool does not.
    let plain = match text.strip_prefix(r"\\?\UNC\") {
        Some(share) => format!(r"\\{share}"),
        None => text.strip_prefix(r"\\?\").unwrap_or(&text).to_owned(),
    };
    let name = slug(&plain);
    Ok(existing_name(store, &name, &plain).unwrap_or_else(|| store.projects.join(name)))
}

/// The directory name pinned by the user (since 2.1.234, only together with `CLAUDE_CONFIG_DIR`).
fn pinned_name(machine: &Machine) -> Option<&str> {
    machine.var("CLAUDE_CONFIG_DIR")?;
    let name = machine.var("CLAUDE_CODE_PROJECT_DIR_NAME")?;
    let fits = name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    fits.then_some(name)
}

/// A directory whose name differs only in case (Windows), or a long name with another version's
/// hash, whose transcripts name this directory.
fn existing_name(store: &Store, name: &str, cwd: &str) -> Option<PathBuf> {
    let exact = store.projects.join(name);
    if exact.is_dir() || (name.len() <= 200 && !cfg!(windows)) {
        return None;
    }
    let start = name.get(..201).unwrap_or(name);
    directories(&store.projects).into_iter().find(|dir| {
        let other = dir.file_name().unwrap_or_default().to_string_lossy();
        match name.len() <= 200 {
            true => other.eq_ignore_ascii_case(name),
            false => other.starts_with(start) && names_directory(dir, cwd),
        }
    })
}

fn names_directory(slug_dir: &Path, cwd: &str) -> bool {
    let transcript =
        entries(slug_dir).find(|(_, name)| name.strip_suffix(".jsonl").is_some_and(is_uuid));
    let ends = transcript
        .and_then(|(path, _)| jsonl::read_ends(&mut opener::file(&path).ok()?, HEAD, 0).ok());
    ends.is_some_and(|ends| {
        ends.head
            .iter()
            .find_map(|record| text(record, "cwd"))
            .as_deref()
            == Some(cwd)
    })
}

impl ClaudeCode {
    /// Of two transcripts with one id the longer counts.
    fn files(&self, store: &Store) -> FileStore<'_> {
        FileStore {
            is_group: |_| true,
            is_name: is_own_name,
            denied: &DENIED,
            rank: Some(|doc: &FoundDoc| Rank {
                form: 1,
                len: doc.stamp.len,
                mtime_ns: doc.stamp.mtime_ns,
            }),
            hint: "Move one of them out of its directory: with two of them Claude Code may find neither.",
            listed: Some(&self.names),
            known: Some(&self.known),
            ..FileStore::new(NAME, store.base.clone(), &DOCS, is_uuid)
        }
    }

    /// The session whose id begins with `start`; `Everything` if there is not exactly one.
    fn session_starting(&self, store: &Store, start: &str) -> Touched {
        // A session that is open writes its tasks; only of others is the store walked through.
        let mut open = live_sessions(store).into_keys();
        if let Some(id) = open.find(|id| start.len() == 8 && id.starts_with(start)) {
            return Touched::Session(SessionId::new(id));
        }
        let all = self.files(store).all().into_iter();
        let mut starting = all.filter(|at| start.len() == 8 && at.session.starts_with(start));
        match (starting.next(), starting.next()) {
            (Some(at), None) => Touched::Session(SessionId::new(at.session)),
            _ => Touched::Everything,
        }
    }

    fn note_linked(&self, store: &Store) {
        let is_link =
            |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        let links: Vec<PathBuf> = directories(&store.projects)
            .into_iter()
            .filter(is_link)
            .collect();
        self.linked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(store.projects.clone(), links);
    }

    /// The docs that hold secrets.
    fn secrets(&self, found: &Found, main: &FoundDoc) -> Vec<DocName> {
        let given = found.docs.iter().filter(|doc| is_given_secret(&doc.name));
        let mut secret = self.secret_copies(found, main);
        secret.extend(given.map(|doc| doc.name.clone()));
        secret
    }

    /// Copies of files with secrets, and copies whose original the transcript does not name yet.
    fn secret_copies(&self, found: &Found, main: &FoundDoc) -> Vec<DocName> {
        let copies = || {
            found
                .docs
                .iter()
                .filter_map(|doc| Some((doc, doc.name.as_str().strip_prefix(COPIES)?)))
        };
        if copies().next().is_none() {
            return Vec::new();
        }
        let left_out = |is_secret: &IsSecret| -> Vec<DocName> {
            copies()
                .filter(|(_, copy)| is_secret.get(*copy) != Some(&false))
                .map(|(doc, _)| doc.name.clone())
                .collect()
        };
        let named = self.copies.named_in(main, left_out);
        named.unwrap_or_else(|_| left_out(&IsSecret::new()))
    }
}

/// Whether the user gave the session a file of this name, and such files hold secrets. The tool puts
/// letters of its own and a dash before the name.
fn is_given_secret(doc: &DocName) -> bool {
    let given = GIVEN.iter().find_map(|dir| doc.as_str().strip_prefix(dir));
    given.is_some_and(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let own = name.split_once('-').map(|(_, own)| own);
        guarded::is_secret(path) || own.is_some_and(guarded::is_secret)
    })
}

// ---- liveness ----

/// A running tool's entry in `sessions/<pid>.json` (2.1.330; removed at exit, also by `claude -p`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    pid: u32,
    session_id: String,
    /// On Linux, the start of the process in clock ticks since boot.
    proc_start: Option<String>,
}

/// The sessions that are open here, with text that names the process.
fn live_sessions(store: &Store) -> BTreeMap<String, String> {
    let mut open_in = BTreeMap::new();
    for (path, name) in entries(&store.sessions) {
        if !name.ends_with(".json") {
            continue;
        }
        let running = opener::read(&path, opener::SMALL)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Running>(&bytes).ok());
        if let Some(running) = running.filter(is_running) {
            open_in.insert(
                running.session_id,
                format!("{NAME} has it open (process {})", running.pid),
            );
        }
    }
    open_in
}

fn is_running(running: &Running) -> bool {
    if !process::is_alive(running.pid) {
        return false;
    }
    let said = running
        .proc_start
        .as_deref()
        .and_then(|text| text.parse::<u64>().ok());
    match (said, process::start_ticks(running.pid)) {
        (Some(said), Some(really)) => said == really,
        // The start cannot be checked here. Waiting for the wrong process is better than writing
        // under the right one.
        _ => true,
    }
}

// ---- what the records say ----

/// The session's directory: the first one it names. If the session has since moved (a worktree,
/// `/cd`) or was continued here, the one whose slug is the name of the containing directory.
fn home_of(ends: &jsonl::Ends, slug_name: &str) -> Option<String> {
    let named = || ends.forwards().filter_map(named_directory);
    let first = || named().next();
    let renamed = || directory_of_slug(slug_name, Path::new(&first()?));
    named()
        .find(|cwd| slug(cwd).eq_ignore_ascii_case(slug_name))
        .or_else(renamed)
        .or_else(first)
}

/// The directory of a slug whose transcripts name `named`, which is gone: the user renamed it, and
/// renamed the tool's directory with it (anthropics/claude-code issues 24745, 12680). `None` if
/// several directories have that slug.
fn directory_of_slug(slug_name: &str, named: &Path) -> Option<String> {
    const MOST: usize = 2000;
    let slug_of = |dir: &Path| slug(&dir.to_string_lossy());
    if named.is_dir() {
        return None;
    }
    let above = |dir: &&Path| dir.is_dir() && slug_name.starts_with(&slug_of(dir));
    let mut open = vec![named.ancestors().skip(1).find(above)?.to_path_buf()];
    let (mut found, mut n_entries) = (Vec::new(), 0);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir)
            .into_iter()
            .flatten()
            .flatten()
            .take(MOST - n_entries.min(MOST))
        {
            n_entries += 1;
            let (path, is_dir) = (
                entry.path(),
                entry.file_type().is_ok_and(|kind| kind.is_dir()),
            );
            match slug_of(&path) {
                own if is_dir && own == slug_name => found.push(path),
                own if is_dir && slug_name.starts_with(&format!("{own}-")) => open.push(path),
                _ => {}
            }
        }
    }
    if let [one] = &found[..] {
        Some(one.to_string_lossy().into_owned())
    } else {
        None
    }
}

/// The other directories that a transcript names: first the origin of a worktree, then all others.
fn also(ends: &jsonl::Ends, cwd: Option<&str>) -> Vec<String> {
    const MOST: usize = 8;
    let from = |record: &Value| text(record.get("worktreeSession")?, "originalCwd");
    let mut dirs: Vec<String> = Vec::new();
    for dir in ends
        .forwards()
        .filter_map(from)
        .chain(ends.forwards().filter_map(named_directory))
    {
        if Some(dir.as_str()) != cwd && !dirs.contains(&dir) && dirs.len() < MOST {
            dirs.push(dir);
        }
    }
    dirs
}

/// The first directory named anywhere in a transcript, if its ends name none.
fn named_inside(path: &Path) -> Option<String> {
    let file = opener::file(path).ok()?.take(opener::MOST);
    let lines = io::BufReader::new(file).split(b'\n').map_while(Result::ok);
    lines
        .flat_map(|line| jsonl::parse_lines(&line))
        .find_map(|record| named_directory(&record))
}

fn named_directory(record: &Value) -> Option<String> {
    text(record, "cwd").or_else(|| text(record, "relocatedCwd"))
}

fn named(transcript: &mut dyn ReadSeek) -> Option<String> {
    title(&jsonl::read_outlines(transcript, HEAD, TAIL, is_fact).ok()?)
}

#[cfg(test)]
mod tests;
