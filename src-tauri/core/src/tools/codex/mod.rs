//! Codex: the threads of OpenAI's command line, its terminal interface and its IDE extension.
//!
//! The store is the same on every system: `~/.codex`, or `$CODEX_HOME`. A thread is one rollout,
//! `sessions/YYYY/MM/DD/rollout-<time>-<uuid>.jsonl` or, if archived,
//! `archived_sessions/rollout-<time>-<uuid>.jsonl`. Cold rollouts may be compressed to `.jsonl.zst`
//! (the plain file wins). Rollouts placed in `sessions/` are listed and resumed as they are, byte
//! for byte, even if databases exist (seen with 0.169.0 on 2026-11-23; before 0.15x the picker
//! needed a database row).
//!
//! The databases are a projection by byte offset. They catch up with a rollout that grew on the
//! next resume. After a rollout was rewritten, the model receives the new content, while the window
//! may show the old turns. The databases are never touched.
//!
//! A sub-agent has a thread of its own, which may begin with a copy of the history of the thread that
//! started it (`parent_thread_id`, or `source.subagent.thread_spawn`). Such a thread is in no list of
//! sessions: it is shown, and forgotten, with the thread that started it, and searched.
//!
//! The writer of a thread holds a file lock on `thread-writer-locks/<uuid>.lock`, created when
//! taken and removed under `.coordination.lock` when released (0.169.0). This adapter takes the
//! lock for its own writes, as Codex does.

mod numbered;
mod records;
mod writing;

use self::records::{
    base_of, is_message, named, parent, part_of, read_message, repository, session_meta, title,
    updated,
};

use self::writing::*;
use super::{
    About, Change, Checkout, Content, DocWrite, Facts, Found, FoundDoc, Joins, Launch, Level,
    Listing, Machine, ReadSeek, Reading, Repository, Resumable, Root, Steering, Tool, Touched,
    Which, WriteError, Written,
};
use crate::adapter::{McpConfig, Moved, Opens};
use crate::formats::fields;
use crate::formats::file_store::{DocFile, FileStore, KnownDirs, Rank};
use crate::formats::files::{self, GuestWrite};
use crate::formats::jsonl::{self, is_uuid, text};
use crate::formats::steering::Marks;
use crate::merge::transcript::{self, ParsedMessage, Piece, Tokens, pieces_of, target_in};
use crate::opener;
use crate::session::{DocName, ForkBase, Millis, Problem, ProblemCode, Role, SessionId, ToolId};
use crate::tools::Stamp;
use memchr::memmem;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

const NAME: &str = "Codex";
const MAIN: &str = "rollout.jsonl";
const LOCKS: &str = "thread-writer-locks";
const ARCHIVED: &str = "archived_sessions";
const DOCS: [DocFile<'_>; 2] = [
    DocFile::log(
        MAIN,
        "sessions/{number}/{number}/{number}/rollout-{group}-{session}.{name}",
    ),
    DocFile::log(MAIN, "archived_sessions/rollout-{group}-{session}.{name}"),
];

/// Names that never sync, whatever another device claims: credentials, settings, databases, locks,
/// caches. Only rollouts are ever listed or written; this table takes precedence over that. Seen
/// with 0.169.0, 2026-11-23.
pub const DENIED: [&str; 17] = [
    ".sqlite-maintenance.lock",
    "app-server-control",
    "app-server-daemon",
    "auth.json",
    "config.toml",
    "goals_1.sqlite",
    "installation_id",
    "log",
    "logs_2.sqlite",
    "memories_1.sqlite",
    "packages",
    "queue_1.sqlite",
    "shell_snapshots",
    "skills",
    "state_5.sqlite",
    "thread-writer-locks",
    "thread_history_1.sqlite",
];

/// Set by Codex for its commands. A `codex` started with them believes that it is one of those.
const MISLEADING_VARIABLES: [&str; 3] = [
    "CODEX_SANDBOX",
    "CODEX_SANDBOX_NETWORK_DISABLED",
    "CODEX_THREAD_ID",
];

/// The settings with which Codex runs a thread. On resume 0.169.0 takes approvals, sandbox, model
/// and provider from the last `thread_settings_applied` and the last `turn_context`, whatever its
/// config.toml says. If it knows neither record, the thread opens with the device's own settings
/// and all of its turns (seen 2026-11-28, interactive and `exec`). The names are changed everywhere
/// outside the conversation, so that no event of a later version restores the settings.
///
/// A `ghost_snapshot` names a commit to which the undo of 0.120 and before resets the work tree,
/// and the untracked files that it leaves: all others are deleted. 0.169.0 skips it.
static MARKS: Marks = Marks {
    kinds: &[
        (
            &["/type", "/payload/type", "/payload/*"],
            &["turn_context", "thread_settings_applied"],
        ),
        (
            &["/payload/type", "/payload/replacement_history/*/type"],
            &["ghost_snapshot"],
        ),
    ],
    names: &[
        "//active_permission_profile",
        "//additional_writable_roots",
        "//approval_mode",
        "//approval_policy",
        "//approvals_reviewer",
        "//bypass_hook_trust",
        "//dynamic_tools",
        "//mcp_servers",
        "//model_provider",
        "//model_provider_id",
        "//network_access",
        "//permission_profile",
        "//requested_approvals_reviewer",
        "//runtime_workspace_roots",
        "//sandbox_mode",
        "//sandbox_policy",
        "//shell_environment_policy",
        "//writable_roots",
    ],
    content: &["compacted", "response_item"],
    shown: &[
        "//approval_policy",
        "//approvals_reviewer",
        "//model_provider",
        "//model_provider_id",
        "//permission_profile",
        "//sandbox_mode",
        "//sandbox_policy",
    ],
    words: OnceLock::new(),
};

const STEERING: Steering = Steering {
    sets: |_, line| MARKS.sets(line),
    usual: |steer| match steer.name.as_str() {
        "approval_policy" => ["untrusted", "on-request"].contains(&steer.value.as_str()),
        "approvals_reviewer" => steer.value == "user",
        "model_provider" | "model_provider_id" => steer.value == "openai",
        "sandbox_mode" => ["read-only", "workspace-write"].contains(&steer.value.as_str()),
        "sandbox_policy" => steer.value == "{\"type\":\"read-only\"}",
        _ => false,
    },
    neutral: |_, line, _| MARKS.edits(line),
    concerns: |part| MARKS.may_concern(part),
    restores: None,
    words: "approvals, sandbox and permission profile, writable directories, model provider: a thread of another device \
            opens with what config.toml here says; the states of the work tree to which an undo returns",
};

/// The bytes read at a rollout's ends. The first line holds the instructions, tens of kilobytes.
const HEAD: u64 = 512 * 1024;
const TAIL: u64 = 64 * 1024;
/// The size limit of an unpacked rollout.
const LARGEST: u64 = 1 << 30;

/// A rollout lies in the directory of a day, which its id does not tell.
#[derive(Default)]
pub struct Codex {
    known: KnownDirs,
    names: Names,
}

/// The names that the user gave threads (`/rename`), by thread: of several rows the last counts
/// (`session_index.jsonl`). Read again when the file changed, and up to a limit.
#[derive(Default)]
struct Names(Mutex<Option<(PathBuf, Stamp, Arc<ThreadNames>)>>);

type ThreadNames = BTreeMap<String, String>;

impl Names {
    fn of(&self, base: &Path) -> Arc<ThreadNames> {
        const MOST: u64 = 4 << 20;
        let path = base.join("session_index.jsonl");
        let Ok(stamp) = Stamp::of(&path) else {
            return Arc::default();
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, at, names)) = &*known
            && (of, at) == (&path, &stamp)
        {
            return names.clone();
        }
        let ends = opener::file(&path).and_then(|mut file| jsonl::read_ends(&mut file, MOST, MOST));
        let ends = ends.unwrap_or_default();
        let row = |row| Some((text(row, "id")?, text(row, "thread_name")?));
        let names: Arc<ThreadNames> = Arc::new(ends.forwards().filter_map(row).collect());
        *known = Some((path, stamp, names.clone()));
        names
    }
}

impl Codex {
    fn store(&self, machine: &Machine) -> FileStore<'_> {
        FileStore {
            known: Some(&self.known),
            ..store_at(base(machine))
        }
    }

    /// Whether the thread is archived. `codex resume` of 0.169.0 refuses archived threads; `codex
    /// unarchive` moves one back (seen 2026-11-28).
    fn is_archived(&self, machine: &Machine, session: &SessionId) -> bool {
        let at = self.store(machine).find(session);
        at.is_some_and(|at| at.place.starts_with(ARCHIVED))
    }
}

/// The store in a directory. The plain copy of a rollout counts, then the longer; two plain copies
/// are reported.
fn store_at<'a>(base: PathBuf) -> FileStore<'a> {
    FileStore {
        is_group: is_time,
        is_name: |end| ["jsonl", "jsonl.zst"].contains(&end),
        rank: Some(|doc: &FoundDoc| Rank {
            form: u8::from(!is_packed(&doc.path)),
            len: doc.stamp.len,
            mtime_ns: 0,
        }),
        hint: "Move one of them out of Codex's directory.",
        odd: |path| is_segment(path.file_name()?.to_str()?).then(|| unknown_segment(path)),
        ..FileStore::new(NAME, base, &DOCS, is_uuid)
    }
}

fn base(machine: &Machine) -> PathBuf {
    machine
        .var("CODEX_HOME")
        .map_or_else(|| machine.home.join(".codex"), PathBuf::from)
}

/// Codex stores what it shows of a message as an event behind the message (0.169.0, 2026-11-29).
fn trails(line: &[u8]) -> bool {
    const SHOWN: [&str; 6] = [
        "agent_message",
        "agent_reasoning",
        "task_complete",
        "token_count",
        "turn_complete",
        "user_message",
    ];
    let is_event = fields::text(line, "type").as_deref() == Some("event_msg");
    is_event
        && fields::text(line, "/payload/type").is_some_and(|kind| SHOWN.contains(&kind.as_str()))
}

impl Tool for Codex {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("codex"),
            name: NAME.into(),
            level: Level::Merge,
            reason: "After a split was settled by rewriting a thread, Codex's window may show its old turns; the model sees \
                     the new ones. A thread's name (/rename) is its title here from its next turn on, and is not given to Codex \
                     on other devices. A thread that other devices have is archived on its own device alone."
                .into(),
            denied: &DENIED,
            is_message,
            read_message,
            // Names of threads are in a database and an index, not in a rollout's records
            // (0.169.0).
            joins: Joins { named: Some(named), stitch: Some(numbered::stitch), trails: Some(trails), ..Joins::default() },
            steering: STEERING,
            versions: "0.169.0 (2026-11-23); older than 0.150: opens by id, but may be missing in the picker".into(),
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        let root = |name: &str, deep, store| Root {
            path: base(machine).join(name),
            deep,
            store,
        };
        vec![
            root("sessions", true, true),
            root("archived_sessions", false, true),
            root(LOCKS, false, false),
        ]
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        match files::names_below(&base(machine), path) {
            Some(names) if names.first().is_some_and(|name| name == LOCKS) => Touched::OpenSessions,
            _ => self.store(machine).touched(path),
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let store = self.store(machine);
        // With a copy beside a rollout, 0.169.0 does not open the rollout itself ("does not have a
        // canonical rollout filename", 2026-11-23).
        let mut listing = store.list(which, &|at| {
            let session = SessionId::new(at.session.as_str());
            is_locked(&store.root, &session).then(|| format!("{NAME} has it open"))
        });
        listing.map_places(|at| at.strip_suffix(".zst").unwrap_or(at).to_owned());
        listing
    }

    fn open_sessions(&self, machine: &Machine) -> Option<Vec<Found>> {
        let base = base(machine);
        let locks = files::names_in(&base.join(LOCKS), fs::FileType::is_file);
        let threads = locks
            .iter()
            .filter_map(|name| name.strip_suffix(".lock").filter(|id| is_uuid(id)))
            .map(SessionId::new)
            .filter(|thread| is_locked(&base, thread));
        let found = threads.flat_map(|thread| self.sessions(machine, Which::One(&thread)).found);
        Some(found.collect())
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.main()?;
        let content = match is_packed(&main.path) {
            true => Content::Bytes(unpack(&main.path)?.into()),
            false => Content::File(main.path.clone()),
        };
        let found_ends = jsonl::read_outlines(&mut *content.open()?, HEAD, TAIL, |_| true)?;
        let ends = &found_ends.ends;
        let meta = ends.head.iter().find_map(session_meta);
        let names = self.names.of(&base(machine));
        let name = names.get(found.session.as_str());
        let name = name.and_then(|name| jsonl::title_of(name));
        let facts = Facts {
            cwd: meta.and_then(|meta| text(meta, "cwd")),
            also: Vec::new(),
            prompted: name.is_none(),
            title: name.or_else(|| title(&found_ends)),
            updated: updated(ends).or(Some(main.stamp.modified())),
            version: ends
                .backwards()
                .find_map(session_meta)
                .and_then(|meta| text(meta, "cli_version")),
            requires: meta
                .and_then(parent)
                .into_iter()
                .filter(|parent| *parent != found.session)
                .collect(),
            part_of: meta
                .and_then(|meta| part_of(meta, &found_ends))
                .filter(|whole| *whole != found.session),
            base: meta.and_then(|meta| base_of(meta, &mut *content.open().ok()?)),
            repository: ends.backwards().find_map(session_meta).and_then(repository),
            early: meta.is_none() && main.stamp.len <= HEAD,
        };
        Ok(Reading {
            facts,
            docs: vec![content],
            ..Reading::default()
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let store = self.store(machine);
        if !is_uuid(checkout.session.as_str()) {
            return Err(WriteError::Refused(format!(
                "\"{}\" is not an id that {NAME} takes",
                checkout.session
            )));
        }
        let _lock = WriterLock::acquire(&store.root, checkout.session)?;
        let mut written = Written::default();
        for doc in &checkout.docs {
            if doc.name.as_str() != MAIN {
                return Err(WriteError::Refused(format!(
                    "\"{}\" is not one of a thread's files",
                    doc.name
                )));
            }
            let wrote = write_rollout(&store, checkout, doc)?;
            written.docs.extend(wrote.docs);
        }
        Ok(written)
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        let home = machine
            .var("CODEX_HOME")
            .map(|dir| ("CODEX_HOME".into(), dir.into()));
        // `-C` answers the question which directory to use (0.169.0).
        let cwd = session.cwd.to_string_lossy().into_owned();
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        let unarchive = || words(&["codex", "unarchive", session.session.as_str()]);
        let before = self
            .is_archived(machine, session.session)
            .then(unarchive)
            .into_iter()
            .collect();
        Launch {
            opens: Opens::Command(vec![
                "codex".into(),
                "resume".into(),
                session.session.as_str().into(),
                "-C".into(),
                cwd,
            ]),
            cwd: session.cwd.to_path_buf(),
            env: home.into_iter().collect(),
            unset: MISLEADING_VARIABLES.map(String::from).to_vec(),
            before,
        }
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }

    /// The vendor documents `CODEX_HOME`; seen with 0.169.0, 2026-11-28.
    fn moved(&self) -> Option<Moved> {
        Some(Moved {
            var: "CODEX_HOME",
            usual: ".codex",
            marks: &["sessions", "archived_sessions", "config.toml", "auth.json"],
        })
    }

    /// As `codex mcp add --help` of 0.169.0 says, 2026-11-29.
    fn mcp_config(&self) -> Option<McpConfig> {
        Some(McpConfig::Command {
            add: &["codex", "mcp", "add"],
            remove: &["codex", "mcp", "remove"],
        })
    }
}

// ---- names ----

/// The parsed file name of a rollout: `rollout-2026-11-23T11-16-34-<uuid>.jsonl`.
#[derive(Debug, PartialEq, Eq)]
struct Rollout {
    session: SessionId,
    year: String,
    month: String,
    day: String,
    /// The file name without the extension of a compressed file.
    plain_name: String,
}

impl Rollout {
    fn parse(name: &str) -> Option<Self> {
        let plain_name = name.strip_suffix(".zst").unwrap_or(name);
        let rest = plain_name
            .strip_prefix("rollout-")?
            .strip_suffix(".jsonl")?;
        let (time, id) = rest.split_at_checked(19)?;
        let id = id.strip_prefix('-').filter(|id| is_uuid(id))?;
        is_time(time).then(|| Self {
            session: SessionId::new(id),
            year: time[..4].into(),
            month: time[5..7].into(),
            day: time[8..10].into(),
            plain_name: plain_name.into(),
        })
    }

    fn in_sessions(&self) -> String {
        format!(
            "sessions/{}/{}/{}/{}",
            self.year, self.month, self.day, self.plain_name
        )
    }
}

/// In the shape, `d` stands for a digit, every other character for itself.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, want)| match want {
                b'd' => byte.is_ascii_digit(),
                _ => byte == want,
            })
}

/// Whether a text is the time in a rollout's name.
fn is_time(text: &str) -> bool {
    has_shape(text, "dddd-dd-ddTdd-dd-dd")
        && ("01"..="12").contains(&&text[5..7])
        && ("01"..="31").contains(&&text[8..10])
}

fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}

/// `rollout-<time>-<uuid>_<segment>.jsonl`: a thread in several files. Reported by users, never
/// seen here.
fn is_segment(name: &str) -> bool {
    let thread = name
        .split_once('_')
        .map(|(start, _)| format!("{start}.jsonl"));
    !files::is_foreign_name(name) && thread.is_some_and(|name| Rollout::parse(&name).is_some())
}

fn unknown_segment(path: &Path) -> Problem {
    Problem::new(
        ProblemCode::UnknownShape,
        format!(
            "{} is part of a thread in an unknown format and does not sync.",
            path.display()
        ),
        "Please report it with the version of Codex.",
    )
}

// ---- liveness ----

fn lock_path(base: &Path, session: &SessionId) -> PathBuf {
    base.join(LOCKS).join(format!("{session}.lock"))
}

/// Whether a writer holds the thread. The probe is a shared lock, released at once, so that two
/// probes do not block each other. No file is created.
fn is_locked(base: &Path, session: &SessionId) -> bool {
    let Ok(file) = opener::file(&lock_path(base, session)) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// The thread's writer lock, held during our writes, so that Codex does not start on the thread.
struct WriterLock {
    file: File,
    path: PathBuf,
    coordination: PathBuf,
}

impl WriterLock {
    fn acquire(base: &Path, session: &SessionId) -> Result<Option<Self>, WriteError> {
        let open_in = || WriteError::Open(format!("{NAME} has it open"));
        let dir = base.join(LOCKS);
        if !dir.is_dir() {
            // Codex has never run here, or is older than the locks.
            return Ok(None);
        }
        let path = lock_path(base, session);
        let io_error = |source| WriteError::Io {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(io_error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(open_in()),
            Err(TryLockError::Error(source)) => return Err(io_error(source)),
        }
        // The previous holder may have removed the file after we opened and before we locked it.
        // Our lock then has no effect, and the next attempt takes a new one.
        let same = file.metadata().is_ok_and(|ours| {
            Stamp::of(&path).is_ok_and(|now| now.inode == Stamp::of_metadata(&ours).inode)
        });
        if !same {
            return Err(open_in());
        }
        Ok(Some(Self {
            file,
            path: path.clone(),
            coordination: dir.join(".coordination.lock"),
        }))
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // As Codex does, the file is removed while its lock and the coordination lock are held. If
        // the latter is busy, the file stays, as after a crash of Codex.
        let coordination = opener::file(&self.coordination);
        if coordination
            .is_ok_and(|file| file.try_lock().is_ok() && fs::remove_file(&self.path).is_ok())
        {
            return;
        }
        drop(self.file.unlock());
    }
}

fn unpack(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    zstd::stream::read::Decoder::new(opener::file(path)?)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!(
            "{} unpacks to more than a gibibyte",
            path.display()
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
