//! OpenCode (`opencode`): sessions as rows of a database that only OpenCode itself changes.
//!
//! The store is `opencode.db` (SQLite, WAL) in `$XDG_DATA_HOME/opencode`, by default
//! `~/.local/share/opencode` on every system. `OPENCODE_DB` names another file; the desktop app on
//! Windows has one in `%LOCALAPPDATA%\opencode\data`. A session is the row `session` with its rows
//! in `message` and `part`; ids sort by time. It syncs as one document, `session.json`: the
//! messages, one a line, then the facts about the session.
//!
//! - **The database is never written here.** It is listed through a read-only connection. `opencode
//!   export ID` reads the content and `opencode import FILE` writes it (see `writing.rs`), run in
//!   the session's checkout. Both take one to two seconds, because OpenCode starts for each of
//!   them. They run without plugins and project settings, and make no network requests.
//! - These do not sync: todos, lists of a turn's changes, shared links, the session's cost so far,
//!   and a title or choice of model made after the first sync.
//! - The states to which `/undo` returns do not sync either, nor the parts of messages that name
//!   them: OpenCode deletes each file that such a part (`patch`) names and that is not in the state,
//!   and in no state of another device is any. So `/undo` of another device's turn takes back its
//!   messages and no files.
//! - An unfinished answer waits, like a torn line, until it is finished or the session continues.
//! - Sessions of sub-agents are separate sessions that need their parent (`parent_id`).
//! - A session is open if a process of OpenCode runs in its directory or was given its id. OpenCode
//!   reads the database for each turn, so an import does no harm while OpenCode runs elsewhere.
//! - OpenCode never deletes sessions by itself; `opencode session delete` also deletes the sessions
//!   of sub-agents.
//!
//! Seen with 1.18.33 on Linux (2026-11-23) against a mock model: an export after an import is the
//! same except for the order of keys, counters and times of the session; ids are kept; a second
//! import changes nothing.

mod messages;
mod program;
mod rows;
mod writing;

use self::messages::{Message, Row, Session};
use self::program::Run;
use self::rows::RecordSet;
use super::{
    About, Beginning, Checkout, Content, Facts, Found, Joins, Launch, Level, Listing, Machine,
    Reading, Resumable, Root, Running, Steer, Steering, Tool, Touched, Which, WriteError, Written,
};
use crate::adapter::{Mark, Moved, Watermark};
use crate::formats::fields;
use crate::formats::jsonl::title_of;
use crate::formats::ordered::{fields_of, object};
use crate::formats::record_set::{Database, KeptRows};
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{self, ParsedMessage, Piece, target_in};
use crate::session::{DocName, Millis, Problem, ProblemCode, Role, SessionId, ToolId, records};
use serde_json::Value;
use serde_json::value::RawValue;
use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Default)]
pub struct OpenCode {
    /// The last listing, which is requested every few seconds and slow to read with many sessions.
    last: KeptRows<5>,
}

/// Names that never sync: sign-ins, logs, programs, others' repositories, states of working trees.
pub const DENIED: [&str; 8] = [
    "account.json",
    "auth.json",
    "bin",
    "log",
    "mcp-auth.json",
    "repos",
    "snapshot",
    "tool-output",
];

const MAIN: &str = "session.json";

const DATABASE: &str = "opencode.db";

/// The project of everything outside of repositories.
const GLOBAL: &str = "global";

/// The fields of a session that are its own and the same on all devices. The others are counters,
/// and values that an import must not set: after the next prompt OpenCode deletes all messages
/// behind a `revert`, and `share` and `workspaceID` are another device's.
const KEPT: [&str; 13] = [
    "agent",
    "directory",
    "id",
    "metadata",
    "model",
    "parentID",
    "path",
    "permission",
    "projectID",
    "slug",
    "time",
    "title",
    "version",
];

/// Fields of this device: `import` sets its own values there, or none.
const DEVICE_FIELDS: [&str; 6] = [
    "/info/agent",
    "/info/directory",
    "/info/model",
    "/info/path",
    "/info/permission",
    "/info/projectID",
];

/// The settings in the session's row. `permission` overrides the agent's rules for every tool call,
/// so `allow` there skips every question, whatever `opencode.json` contains (1.18.33, 2026-11-28).
/// None of these settings are ever imported. A session without them has `null`, so that the
/// document is the same where the tool stores nothing.
const STEERS: [&str; 3] = ["agent", "model", "permission"];

const STEERING: Steering = Steering {
    sets: |_, content| {
        let set = |name: &&str| Steer::in_document(content, &format!("/info/{name}"), "null");
        STEERS.iter().filter_map(set).collect()
    },
    words: "the session's permission rules, agent and model: OpenCode uses those of its settings here. The agent and the model \
            that a message names are chosen among those of this device",
    ..Steering::NONE
};

/// OpenCode needs a second or two; a machine under load needs more.
const LIMIT: Duration = Duration::from_secs(120);

/// Larger sessions are not read.
const LARGEST: u64 = 512 << 20;

/// Restricts our child processes, whatever settings we inherited from whoever started us.
const SETTINGS: [(&str, &str); 8] = [
    ("NO_COLOR", "1"),
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
    ("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1"),
    ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
    ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
    ("OPENCODE_DISABLE_PROJECT_CONFIG", "1"),
    ("OPENCODE_DISABLE_SHARE", "1"),
    ("OPENCODE_PURE", "1"),
];

/// Variables of a running OpenCode that would make another one believe it is part of the first.
const INHERITED: [&str; 4] = [
    "OPENCODE_CLIENT",
    "OPENCODE_PID",
    "OPENCODE_ROUTE",
    "OPENCODE_WORKSPACE_ID",
];

impl Tool for OpenCode {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("opencode"),
            name: "OpenCode".into(),
            level: Level::Merge,
            reason:
                "Brought in and out by OpenCode's own export and import, a second or two each; its database is never \
                     written. Not carried: todos, what /undo goes back to, shared links, later changes of the title. \
                     Messages undone or deleted elsewhere cannot be taken out here."
                    .into(),
            versions: "1.18.33 (2026-11-23)".into(),
            denied: &DENIED,
            read_message,
            records: Some(records),
            device_fields: |_| &DEVICE_FIELDS,
            steering: STEERING,
            joins: Joins {
                judge: Some(|_: &DocName, first, second| -> Judged { messages::judge(first, second) }),
                union: Some(messages::union),
                beginning: Some(Beginning {
                    docs: &[MAIN],
                    cut: messages::cut,
                    keeps: |_| true,
                    titled: |_, content, title| {
                        fields::with(content, &[("/info/title", &Value::from(title).to_string())])
                    },
                    ids: messages::ids,
                }),
                ..Joins::default()
            },
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        store(machine).roots()
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        store(machine).touched(path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        // Listed only if there is a session that may be open.
        let openers = OnceCell::new();
        let open_in = |row: &rows::Listed| {
            let openers = openers.get_or_init(|| Openers::now(machine));
            openers.of(row.session.as_str(), Path::new(&row.columns[1]))
        };
        let set = store(machine);
        // Read first: what is written meanwhile is listed twice, and not missed.
        let lasts = match which {
            Which::All => last_messages(&set),
            _ => Vec::new(),
        };
        let mut listing = set.list(which, &self.last, &open_in);
        for (database, last) in lasts.into_iter().filter(|_| !listing.found.is_empty()) {
            let openers = openers.get_or_init(|| Openers::now(machine));
            let watermark = watermark(&database, last, openers);
            listing.watermark.get_or_insert_default().join(watermark);
        }
        if !listing.found.is_empty() && program(machine).is_none() {
            listing.problems.push(program_missing());
        }
        listing
    }

    fn changes(&self, machine: &Machine, since: &Watermark) -> Option<Listing> {
        let (set, openers) = (store(machine), Openers::now(machine));
        let open_in =
            |row: &rows::Listed| openers.of(row.session.as_str(), Path::new(&row.columns[1]));
        let mut listing = Listing::default();
        for path in &set.databases {
            let Some(mark) = since.mark(path) else {
                match path.exists() {
                    true => return None,
                    false => continue,
                }
            };
            let (row, (id, open)) = (*mark.rows.first()?, mark.unless.split_first()?);
            if open != [openers.words()] {
                return None;
            }
            let read = |database: &Database| -> rusqlite::Result<Option<_>> {
                let last = rows::last_message(database)?;
                let changed = rows::changed_since(database, (row, id.as_str()))?;
                let sessions = changed.map(|ids| ids.into_iter().map(SessionId::new));
                let rows = sessions.map(|sessions| {
                    let rows = sessions.map(|session| set.rows_in(database, Some(&session)));
                    rows.collect::<rusqlite::Result<Vec<_>>>()
                });
                Ok(rows.transpose()?.zip(last))
            };
            let (rows, last) = set.see(path, read).ok()???;
            let found = rows
                .into_iter()
                .flatten()
                .map(|row| set.found(row, path, &open_in));
            listing.found.extend(found);
            let watermark = watermark(path, last, &openers);
            listing.watermark.get_or_insert_default().join(watermark);
        }
        Some(listing)
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let doc = found.main()?;
        let away = tempfile::tempdir()?;
        let export = [OsStr::new("export"), OsStr::new(found.session.as_str())];
        let printed = run(machine, &doc.path, away.path(), &export).map_err(io::Error::other)?;
        let session = exported(&printed)
            .filter(|session| {
                fields::text(session.info.as_bytes(), "id").as_deref()
                    == Some(found.session.as_str())
            })
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "what OpenCode exported is no session",
                )
            })?;
        let facts = facts(&session);
        Ok(Reading {
            facts,
            docs: vec![Content::Bytes(session.render().into())],
            ..Reading::default()
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        writing::write(machine, checkout)
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        let program = match program(machine) {
            Some(program) if !is_on_path(machine, &program) => {
                program.to_string_lossy().into_owned()
            }
            _ => "opencode".to_owned(),
        };
        Launch {
            unset: INHERITED.map(str::to_owned).to_vec(),
            ..Launch::new(
                vec![program, "-s".into(), session.session.to_string()],
                session.cwd,
            )
        }
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }

    /// OpenCode follows the XDG directories on every system; seen with 1.18.33, 2026-11-23.
    fn moved(&self) -> Option<Moved> {
        Some(Moved {
            var: "XDG_DATA_HOME",
            usual: ".local/share",
            marks: &["opencode/opencode.db"],
        })
    }
}

// ---- where ----

fn store(machine: &Machine) -> RecordSet<'static> {
    RecordSet {
        name: "OpenCode",
        databases: databases(machine),
        tables: &rows::TABLES,
        listed: rows::LISTED,
        is_session: is_id,
        stamp: rows::stamp,
        doc: MAIN,
        place: "sessions",
    }
}

/// The last message in each database that has any.
fn last_messages(set: &RecordSet<'_>) -> Vec<(PathBuf, (i64, String))> {
    let last = |path: &PathBuf| {
        let last = set.see(path, rows::last_message).ok()???;
        Some((path.clone(), last))
    };
    set.databases.iter().filter_map(last).collect()
}

fn watermark(database: &Path, (row, id): (i64, String), openers: &Openers) -> Watermark {
    let mark = Mark {
        rows: vec![row],
        unless: vec![id, openers.words()],
    };
    Watermark::of(database, mark)
}

/// The possible databases, existing or not. The first is the one that `opencode` itself uses.
fn databases(machine: &Machine) -> Vec<PathBuf> {
    databases_on(cfg!(windows), machine)
}

fn databases_on(windows: bool, machine: &Machine) -> Vec<PathBuf> {
    let absolute = |name: &str| {
        machine
            .var(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data = absolute("XDG_DATA_HOME")
        .unwrap_or_else(|| machine.home.join(".local/share"))
        .join("opencode");
    match machine.var("OPENCODE_DB") {
        Some(":memory:") => return Vec::new(),
        Some(file) => return vec![data.join(file)],
        None => {}
    }
    let mut all = vec![data.join(DATABASE)];
    if windows {
        let local = absolute("LOCALAPPDATA").unwrap_or_else(|| machine.home.join("AppData/Local"));
        all.push(local.join("opencode/data").join(DATABASE));
    }
    all
}

fn program(machine: &Machine) -> Option<PathBuf> {
    let names: &[&str] = if cfg!(windows) {
        &["opencode.exe", "opencode.cmd"]
    } else {
        &["opencode"]
    };
    let mut others: Vec<PathBuf> = [
        ".opencode/bin",
        ".local/bin",
        ".bun/bin",
        ".npm-global/bin",
        "AppData/Roaming/npm",
    ]
    .map(|dir| machine.home.join(dir))
    .to_vec();
    // An app that was not started from a terminal has neither on its PATH.
    if cfg!(target_os = "macos") {
        others.extend(["/opt/homebrew/bin", "/usr/local/bin"].map(PathBuf::from));
    }
    program::find(machine.var("PATH"), &others, names)
}

fn is_on_path(machine: &Machine, program: &Path) -> bool {
    let path = machine.var("PATH").unwrap_or_default();
    std::env::split_paths(path).any(|dir| program.parent() == Some(&dir))
}

fn program_missing() -> Problem {
    Problem::new(
        ProblemCode::ToolProgramMissing,
        "OpenCode's sessions are here, but the program opencode is not: they can be listed, and neither read nor written.",
        "Install OpenCode (https://opencode.ai) or put the program on PATH.",
    )
}

/// Runs OpenCode on that database.
fn run(
    machine: &Machine,
    database: &Path,
    cwd: &Path,
    arguments: &[&OsStr],
) -> Result<Vec<u8>, String> {
    let program = program(machine).ok_or("the program opencode is not on this device")?;
    let mut vars = machine.vars.clone();
    vars.retain(|name, _| !INHERITED.contains(&name.as_str()));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    vars.extend(SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for home in ["HOME", "USERPROFILE"] {
        vars.insert(home.to_owned(), text(&machine.home));
    }
    vars.insert("OPENCODE_DB".to_owned(), text(database));
    vars.insert("PWD".to_owned(), text(cwd));
    let run = Run {
        program: &program,
        cwd,
        vars: &vars,
        limit: LIMIT,
        most: LARGEST,
    };
    run.output(arguments).map_err(|error| error.to_string())
}

/// Ids become arguments on the program's command line, so nothing else may pass as an id.
fn is_id(text: &str) -> bool {
    let rest = text.strip_prefix("ses_").unwrap_or_default();
    !rest.is_empty()
        && text.len() <= 100
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

// ---- who has it open ----

/// The processes of OpenCode that may have a session open.
struct Openers(Vec<Running>);

impl Openers {
    fn now(machine: &Machine) -> Self {
        let mut running = machine.apps.running();
        running
            .retain(|running| running.name().starts_with("opencode") && !ends_soon(&running.args));
        Self(running)
    }

    /// Different for different processes.
    fn words(&self) -> String {
        format!("{:?}", self.0)
    }

    fn of(&self, session: &str, directory: &Path) -> Option<String> {
        let opener = self.0.iter().find(|running| {
            let dirs = running
                .args
                .iter()
                .skip(1)
                .filter_map(|word| Some(running.cwd.as_ref()?.join(word)));
            let mut dirs = running.cwd.iter().cloned().chain(dirs);
            running.args.iter().any(|word| word == session)
                || dirs.any(|dir| is_same(&dir, directory))
        })?;
        Some(format!(
            "OpenCode is open in {} (process {})",
            directory.display(),
            opener.pid
        ))
    }
}

/// Whether the command only reads the store, or changes it and exits, as our own commands do.
fn ends_soon(args: &[String]) -> bool {
    const COMMANDS: [&str; 12] = [
        "agent",
        "auth",
        "completion",
        "db",
        "debug",
        "export",
        "import",
        "mcp",
        "models",
        "providers",
        "session",
        "stats",
    ];
    let command = args.iter().skip(1).find(|word| !word.starts_with('-'));
    command.is_some_and(|command| COMMANDS.contains(&command.as_str()))
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

// ---- reading ----

/// The part of an export that syncs.
fn exported(printed: &[u8]) -> Option<Session> {
    let mut session = Session::parse(printed)?;
    while let Some((place, _)) = session
        .messages
        .last_key_value()
        .filter(|(_, message)| message.is_unfinished())
    {
        let place = place.clone();
        session.messages.remove(&place);
    }
    for message in session.messages.values_mut() {
        leave_states_out(message)?;
    }
    session.info = kept(&session.info)?;
    Some(session)
}

/// The kinds of parts that name a state of the working tree.
const STATES: [&str; 2] = ["patch", "snapshot"];

/// Removes what names states of the working tree, and the changes of a turn.
///
/// OpenCode adds the latter (`summary`) to its prompt after the turn, when the prompt may have been
/// synced already, and an import would not transfer them. In an answer, `summary` is `true` if the
/// answer stands for a compacted part.
fn leave_states_out(message: &mut Message) -> Option<()> {
    let is_diffs = |name: &str, value: &str| name == "summary" && value.starts_with('{');
    message.info = without(&message.info, is_diffs)?;
    let is_state = |part: &Row| {
        let kind = fields::text(part.text.as_bytes(), "type");
        kind.is_some_and(|kind| STATES.contains(&kind.as_str()))
    };
    message.parts.retain(|_, part| !is_state(part));
    for part in message.parts.values_mut() {
        *part = without(part, |name, _| name == "snapshot")?;
    }
    Some(())
}

/// The row without these fields, chosen by name and value.
fn without(row: &Row, is_left_out: impl Fn(&str, &str) -> bool) -> Option<Row> {
    let mut fields = fields_of(&row.text)?;
    let all = fields.len();
    fields.retain(|name, value| !is_left_out(name, value.get()));
    if fields.len() == all {
        return Some(row.clone());
    }
    let whole = RawValue::from_string(object(&fields)).ok()?;
    Row::read(&whole).map(|(_, row)| row)
}

fn kept(info: &str) -> Option<String> {
    let mut fields = fields_of(info)?;
    fields.retain(|name, _| KEPT.contains(&name.as_str()));
    let created = fields
        .get("time")
        .and_then(|time| fields_of(time.get())?.remove("created"));
    let time = format!("{{\"created\":{}}}", created?.get());
    fields.insert("time".to_owned(), serde_json::from_str(&time).ok()?);
    for name in STEERS {
        fields
            .entry(name.to_owned())
            .or_insert(serde_json::from_str("null").ok()?);
    }
    Some(object(&fields))
}

fn facts(session: &Session) -> Facts {
    let text =
        |name: &str| fields::text(session.info.as_bytes(), name).filter(|text| !text.is_empty());
    Facts {
        cwd: text("directory"),
        title: text("title").and_then(|title| title_of(&title)),
        updated: session.messages.values().map(ended).max().flatten(),
        version: text("version"),
        requires: text("parentID").map(SessionId::new).into_iter().collect(),
        ..Facts::default()
    }
}

fn ended(message: &Message) -> Option<Millis> {
    let info = records::value(message.info.text.as_bytes());
    let time = info.get("time")?;
    time.get("completed")
        .or_else(|| time.get("created"))?
        .as_i64()
        .map(Millis)
}

/// One record per message, with timestamps as in the records of other tools.
fn records(content: &[u8]) -> Vec<Value> {
    let Some(session) = Session::parse(content) else {
        return damaged_records(content);
    };
    let record = |(place, message): (&(i64, String), &Message)| {
        let parse = |row: &Row| records::value(row.text.as_bytes());
        let parts: Vec<Value> = message.parts.values().map(parse).collect();
        let at = Millis(place.0).rfc3339();
        serde_json::json!({ "uuid": place.1, "timestamp": at, "info": parse(&message.info), "parts": parts })
    };
    session.messages.iter().map(record).collect()
}

/// The records of a document that is no longer a valid session.
fn damaged_records(content: &[u8]) -> Vec<Value> {
    let (whole, damage) = records::document(content);
    let record = |message: &Value| match (message.get("info"), message.get("parts")) {
        (Some(info), Some(parts)) => {
            let at = info
                .pointer("/time/created")
                .and_then(Value::as_i64)
                .map(|at| Millis(at).rfc3339());
            serde_json::json!({ "uuid": info.get("id"), "timestamp": at, "info": info, "parts": parts })
        }
        _ => records::unreadable(message.to_string().len() as u64),
    };
    let mut found: Vec<Value> = whole
        .get("messages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(record)
        .collect();
    found.extend(damage.and_then(|damage| transcript::missing(damage, found.is_empty())));
    found
}

fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    let role = match record.pointer("/info/role")?.as_str()? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => Role::System,
    };
    let parts = record.get("parts")?.as_array()?;
    ParsedMessage::of(record, role, parts.iter().flat_map(pieces).collect())
}

fn pieces(part: &Value) -> Vec<Piece<'_>> {
    let text = |name: &str| part.get(name).and_then(Value::as_str).unwrap_or_default();
    let filled = |kind, body| {
        if str::is_empty(body) {
            Vec::new()
        } else {
            vec![Piece::new(kind, body)]
        }
    };
    match text("type") {
        "text" => filled("text", text("text")),
        "reasoning" => filled("thinking", text("text")),
        "file" if text("mime").starts_with("image/") => vec![Piece::image_at(text("url"))],
        "file" => filled(
            "file",
            if text("filename").is_empty() {
                text("url")
            } else {
                text("filename")
            },
        ),
        "tool" => called(part),
        "compaction" => vec![Piece::new("compaction", "")],
        "subtask" => filled("text", text("prompt")),
        // The start and end of a step, and the state of the working tree at that time.
        _ => Vec::new(),
    }
}

fn called(part: &Value) -> Vec<Piece<'_>> {
    let name = part.get("tool").and_then(Value::as_str).unwrap_or("tool");
    let id = part.get("callID").and_then(Value::as_str);
    let Some(state) = part.get("state") else {
        return vec![Piece::call(name, "", None).with_call_id(id)];
    };
    let input = state.get("input");
    let file = input.and_then(|input| input.get("filePath")?.as_str().map(Into::into));
    let target = file.or_else(|| input.and_then(target_in));
    let mut pieces = vec![
        Piece::call(
            name,
            input.map(Value::to_string).unwrap_or_default(),
            target.as_deref(),
        )
        .with_call_id(id),
    ];
    for (field, is_error) in [("output", false), ("error", true)] {
        let answer = state.get(field).and_then(Value::as_str);
        pieces.extend(answer.map(|answer| Piece {
            is_error,
            ..Piece::new("tool_result", answer).with_call_id(id)
        }));
    }
    pieces
}

#[cfg(test)]
mod tests;
