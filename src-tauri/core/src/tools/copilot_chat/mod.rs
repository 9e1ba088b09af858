//! GitHub Copilot Chat in VS Code, VS Code Insiders and VSCodium: the chats of the editor's own
//! chat view. (Chats that the Copilot command line runs for this view belong to that tool:
//! `~/.copilot/session-state`.)
//!
//! The store is below the user directory (`~/.config/Code/User`, `~/Library/Application
//! Support/Code/User`, `%APPDATA%\Code\User`; `Code - Insiders`, `VSCodium`):
//! `workspaceStorage/<id>/chatSessions/<session>.jsonl`, a log of changes to one document, or
//! before 1.109 `<session>.json`, the document itself. A log wins over a document beside it. Chats
//! of a window without a folder are in `globalStorage/emptyWindowChatSessions`; they count as chats
//! of the home directory. A workspace's `workspace.json` names its directory.
//!
//! The editor lists a chat if it is in `chat.ChatSessionStore.index` of the `state.vscdb` in the
//! same place. VS Code reads that database at its start and overwrites it at its end. A chat is
//! therefore written only while that editor is not running ("Reload Window" and, on macOS, closing
//! its windows do not end it), and waits until then. Index and file are written together. An index
//! that is damaged, or has an entry that VS Code would not accept, is left alone and reported,
//! since VS Code discards such an index completely. The index before the first change of a day is
//! kept beside the database (`.roam-chat-index-<day>.json`, five of them). VS Code lists the newest
//! 400 chats of a workspace (1.139; earlier versions 50). The files of older ones stay and are
//! synced, and a chat continued elsewhere returns to the list.
//!
//! If the directory has no workspace yet, the chat waits until the directory was opened once in the
//! editor. A workspace's id is a hash over the directory's inode or time of birth, and the editor
//! would never read a wrong one.
//!
//! `inputState.selectedModel`, which names the account of the model, is not synced; `null` and
//! spaces replace it. VS Code then chooses the model for the next prompt itself. Likewise `repoData`
//! (1.139): the addresses of the remotes, tokens included, and all uncommitted changes, which VS Code
//! notes for reports of its own. A chat that was synced with it before keeps it. Prompts that wait
//! to be sent (`pendingRequests`) wait on their own device alone: VS Code would send them anywhere.
//! Nothing else in a chat is changed. A chat in which nothing was asked is no session: VS Code keeps
//! one for each window and lists none. Addresses of files in it remain those of the author's device:
//! the chat opens and can be continued, but its past edits cannot be undone there
//! (`chatEditingSessions` is not synced).
//!
//! Sources: VS Code's own storage code, `chatSessionStore`, `chatSessionOperationLog` and
//! `objectMutationLog`, as in `@codingame/monaco-vscode-chat-service-override` 36.2.7 (September
//! 2026). Run without a window on 2026-11-23, that code wrote the logs of the fixtures, listed and
//! read without complaint a chat and an index written by this adapter, and replayed 2,400 random
//! logs to the same documents as this adapter. The `.json` era is known from reports of others.
//!
//! The workbench itself was run on 2026-11-29: VS Code 1.139.1 in the form that serves a browser
//! (npm `code-server` 4.139.1), with a participant of our own in the place of Copilot's, which asks
//! for a sign-in (`cargo xtask test --editors`). A chat begun in it on one device was listed, opened
//! and continued in it on another, with all earlier turns in the participant's history and the
//! default permission level instead of autopilot, and came back and was continued. Copilot's own
//! chat of the fixtures too was opened and continued. New turns are appended to the same file. That
//! form keeps the index in the browser's IndexedDB, under the same key in the same form; VS Code's
//! own SQLite binding read and changed a `state.vscdb` in turns with this adapter, also while it had
//! the file open, with a rollback journal and with a write-ahead log. A desktop's VS Code, with both
//! in one program, was not available. The web form lacks `workspace.json`.

use self::account::{blank_account, repository};
use self::branches::*;
use self::index::*;
use self::shown::*;
use super::{
    About, Beginning, Change, Checkout, ConflictCopy, Content, DocWrite, Facts, Found, FoundDoc,
    Joins, Launch, Level, Listing, Machine, Reading, Resumable, Root, Stamp, Tool, Touched, Twin,
    Which, WriteError, Written,
};
use crate::adapter::{self, App};
use crate::formats::files::{self, GuestWrite};
use crate::formats::jsonl::{is_uuid, text, title_of};
use crate::formats::running::Running;
use crate::formats::state_db::{self, StateDbError, Stored};
use crate::formats::vscode::{Editor, Opens, System, Workspace, workspace_dirs, workspaces_of};
use crate::merge::snapshots::Judged;
use crate::merge::transcript;
use crate::opener;
use crate::session::{
    DocKind, DocName, Millis, Problem, ProblemCode, SessionId, ToolId, copied_from, records,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

mod account;
mod branches;
mod index;
pub mod mutation_log;
mod places;
mod shown;
mod steering;

use self::places::{
    ChatCopy, Kind, Place, Window, conflict_copies, copies, parsed, place_of, places_of,
    the_one_that_counts,
};

use self::mutation_log::{Concerns, replay};

use steering::{DEVICE_FIELDS, NEUTRAL, STEERING, foreign_level};

const NAME: &str = "GitHub Copilot Chat";
/// The document as a log of its changes.
const LOG: &str = "chat.jsonl";
/// The document itself, as older versions store it.
const DOCUMENT: &str = "chat.json";
const SESSIONS: &str = "chatSessions";
const EMPTY_WINDOW: &str = "emptyWindowChatSessions";
/// The key in the state database of the workspace, or of the user for windows without a folder.
const INDEX: &str = "chat.ChatSessionStore.index";
/// The number of days for which the earlier index is kept.
const KEPT: usize = 5;

/// A new chat goes into the editor in which it was made, if that knows the directory here, else into
/// the first of these that does.
const EDITORS: [Editor; 4] = [
    Editor::CODE,
    Editor::CODE_INSIDERS,
    Editor::CODIUM,
    Editor::CODIUM_INSIDERS,
];

/// Names that never sync: sign-ins and state of all kinds, settings, data of extensions, undo of
/// edits. Only `<uuid>.jsonl` and `<uuid>.json` in the directories of chats are ever listed; this
/// table takes precedence over that.
pub const DENIED: [&str; 16] = [
    "Cookies",
    "GitHub.copilot-chat",
    "Local Storage",
    "chatEditingSessions",
    "github.copilot",
    "github.copilot-chat",
    "machineid",
    "mcp.json",
    "settings.json",
    "state.vscdb",
    "state.vscdb-journal",
    "state.vscdb-wal",
    "state.vscdb.backup",
    "storage.json",
    "transferredChatSessions",
    "workspace.json",
];

pub struct CopilotChat;

impl Tool for CopilotChat {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("copilot-chat"),
            name: NAME.into(),
            level: Level::Merge,
            reason:
                "VS Code opens no chat by its id: the command opens the directory, and the chat is in the chat view's \
                     list under its title. What comes from other devices is written when that VS Code has quit."
                    .into(),
            versions:
                "1.139.1 (2026-11-29): listed, opened and continued in its workbench, served to a browser, with a \
                       participant of our own; its SQLite and this adapter on one database. 1.109 and newer (.jsonl) by \
                       VS Code's storage code of September 2026, older ones (.json) by reports"
                    .into(),
            denied: &DENIED,
            is_message,
            records: Some(records),
            device_fields: |doc| if doc.as_str() == DOCUMENT { &DEVICE_FIELDS } else { &[] },
            steering: STEERING,
            joins: Joins { title: Some(title_line), named: Some(named), judge: Some(judge), beginning: Some(BEGINNING), ..Joins::default() },
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        let root = |path, store| Root {
            path,
            deep: false,
            store,
        };
        let mut roots = Vec::new();
        for editor in EDITORS {
            let user = editor.user_dir(System::HERE, machine);
            // New workspaces appear here. The many other files below belong to extensions.
            roots.push(root(user.join("workspaceStorage"), false));
            roots.extend(
                places_of(&editor, &user)
                    .into_iter()
                    .map(|place| root(place.sessions, true)),
            );
        }
        roots
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        let below = EDITORS
            .iter()
            .find_map(|editor| files::names_below(&editor.user_dir(System::HERE, machine), path));
        let Some(names) = below else {
            return Touched::Nothing;
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match names[..] {
            ["workspaceStorage", _, SESSIONS, name] | ["globalStorage", EMPTY_WINDOW, name] => {
                parsed(name)
            }
            ["profiles", _, "globalStorage", EMPTY_WINDOW, name] => parsed(name),
            ["workspaceStorage" | "globalStorage" | "profiles"] | ["workspaceStorage", _] => {
                Touched::Everything
            }
            ["workspaceStorage", _, SESSIONS | "workspace.json"]
            | ["globalStorage", EMPTY_WINDOW] => Touched::Everything,
            _ => Touched::Nothing,
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let mut listing = Listing::default();
        if let Which::ConflictCopies = which {
            listing.conflict_copies = conflict_copies(machine);
            return listing;
        }
        let mut copies = copies(machine, which);
        let running = if copies.is_empty() {
            Vec::new()
        } else {
            machine.apps.running()
        };
        check_indexes(
            copies.values().flatten(),
            matches!(which, Which::All),
            &mut listing,
        );
        for (session, copies) in &mut copies {
            let counts = the_one_that_counts(session, copies, &mut listing.problems);
            let open_in = counts.place.open_in(&running);
            let others = copies.iter().rev().skip(1);
            listing.twins.extend(others.map(|copy| Twin {
                session: session.clone(),
                docs: copy.docs(machine),
            }));
            let counts = copies.last().expect("a session was found by a copy of it");
            listing.found.push(Found {
                session: session.clone(),
                docs: counts.docs(machine),
                open_in,
            });
        }
        listing
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let (mut docs, mut problems, mut facts) = (Vec::new(), Vec::new(), Facts::default());
        let mut private = BTreeMap::new();
        for (at, doc) in found.docs.iter().enumerate() {
            let mut bytes = opener::read(&doc.path, opener::MOST)?;
            if at == 0 {
                let place = place_of(machine, &doc.path);
                let dirs = place
                    .map(|place| place.directories(machine))
                    .unwrap_or_default();
                (facts, problems) = said_by(found, doc, whole(doc.kind, &bytes), &dirs);
            }
            private.insert(doc.name.clone(), repository(doc.kind, &bytes));
            docs.push(if is_blank(doc.kind, &bytes) {
                Content::Bytes(Vec::new().into())
            } else if blank_account(doc.kind, &mut bytes) {
                Content::Bytes(bytes.into())
            } else {
                Content::File(doc.path.clone())
            });
        }
        Ok(Reading {
            facts,
            docs,
            secret: Vec::new(),
            private,
            problems,
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let session = checkout.session;
        if !is_uuid(session.as_str()) {
            return Err(WriteError::Refused(format!(
                "\"{session}\" is not an id that {NAME} takes"
            )));
        }
        let kinds: Vec<Kind> = checkout
            .docs
            .iter()
            .map(Kind::of)
            .collect::<Result<_, _>>()?;
        let here = copies(machine, Which::One(session))
            .remove(session)
            .unwrap_or_default();
        let place = target(machine, checkout, &kinds, here)?;
        let still_free = || match place.open_in(&machine.apps.running()) {
            Some(why) => Err(WriteError::Open(why)),
            None => Ok(()),
        };
        still_free()?;
        let after = After::of(&place, checkout, &kinds)?;
        let about = self.about();
        let own = |(doc, kind): (&DocWrite<'_>, &Kind)| match kind {
            Kind::Document => (doc.change).with_own(about.own_fields(doc.name), &NEUTRAL),
            Kind::Log => Ok(None),
        };
        let own = checkout
            .docs
            .iter()
            .zip(&kinds)
            .map(own)
            .collect::<Result<Vec<_>, _>>()?;
        let changes = checkout
            .docs
            .iter()
            .zip(&own)
            .map(|(doc, own)| doc.change.of(own.as_ref()));
        let changes: Vec<Change<'_>> = changes.collect();
        let paths = kinds.iter().map(|kind| place.file(session, *kind));
        let writes: Vec<GuestWrite<'_>> = checkout
            .docs
            .iter()
            .zip(&changes)
            .zip(paths)
            .map(|((doc, change), path)| GuestWrite {
                name: doc.name,
                root: &place.user,
                path,
                change,
            })
            .collect();
        // The index first: after a crash in between, the next scan finds no file and writes both.
        let index = IndexChange::plan(&place, session, after.state.as_ref())?;
        index.apply(&place, checkout.now)?;
        files::write_docs(&writes, checkout.updated, &still_free)
            .inspect_err(|_| index.revert(&place))
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        let here = copies(machine, Which::One(session.session))
            .remove(session.session)
            .and_then(|mut copies| copies.pop());
        let place = here.map(|copy| copy.place);
        let editor = place.as_ref().map_or(EDITORS[0], |place| place.editor);
        let cwd = session.cwd.to_string_lossy().into_owned();
        let what = match place.map(|place| place.opens) {
            Some(Window::Empty) => "--new-window".into(),
            Some(Window::Workspace(Opens::File(file))) => file.to_string_lossy().into_owned(),
            _ => cwd,
        };
        let ending = if cfg!(windows) { ".cmd" } else { "" };
        Launch {
            // Set in VS Code's own terminal. With them, `code` would talk to that window (VS Code's
            // `cli.ts`, 2026-11-23).
            unset: vec!["ELECTRON_RUN_AS_NODE".into(), "VSCODE_IPC_HOOK_CLI".into()],
            ..Launch::of(
                adapter::Opens::App(App {
                    name: editor.name.to_owned(),
                    command: format!("{}{ending}", editor.command),
                    what: Some(what),
                }),
                session.cwd,
            )
        }
    }

    fn is_main(&self, doc: &DocName) -> bool {
        [LOG, DOCUMENT].contains(&doc.as_str())
    }
}

// ---- where chats are ----

/// Reports indexes that cannot be written. An index of a later version makes the store's format
/// unknown. A damaged one concerns its workspace alone, and is reported once, not per chat.
fn check_indexes<'c>(
    copies: impl Iterator<Item = &'c ChatCopy>,
    tell: bool,
    listing: &mut Listing,
) {
    let databases: BTreeSet<&PathBuf> = copies.map(|copy| &copy.place.state_db).collect();
    for path in databases {
        match Index::read(path) {
            Ok(_) | Err(IndexError::Database(StateDbError::Busy(_) | StateDbError::Absent(_))) => {}
            Err(error @ (IndexError::Version { .. } | IndexError::Database(StateDbError::Unknown { .. }))) => {
                listing.unknown.get_or_insert(error.to_string());
            }
            Err(_) if !tell => {}
            Err(error) => listing.problems.push(Problem::new(
                ProblemCode::IndexUnreadable,
                format!(
                    "{NAME}'s list cannot be used: {error}. Its chats are read and sync; none is written there."
                ),
                "Start VS Code on that folder once and quit it; session-roam then tries again.",
            )),
        }
    }
}

// ---- what a chat says ----

/// The complete lines of a log, or all of a document.
fn whole(kind: DocKind, bytes: &[u8]) -> &[u8] {
    match kind {
        DocKind::Log => &bytes[..memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1)],
        DocKind::Snapshot => bytes,
    }
}

/// Whether nothing was ever asked in a chat. VS Code 1.139.1 keeps one of these for each window, and
/// lists none. They are read as if nothing were written yet.
fn is_blank(kind: DocKind, bytes: &[u8]) -> bool {
    kind == DocKind::Log
        && bytes.len() < 64 << 10 // a draft with attachments; larger chats are not replayed for this
        && memchr::memmem::find(bytes, b"[\"requests\"").is_none()
        && state_of(Kind::Log, whole(kind, bytes))
            .is_ok_and(|state| requests(&state).is_empty() && title(&state).is_none())
}

/// The document, or the error in the bytes.
fn state_of(kind: Kind, bytes: &[u8]) -> Result<Value, (String, Option<Value>)> {
    let state = match kind {
        Kind::Log => replay(bytes).map_err(|broken| (format!("its {broken}"), broken.before))?,
        Kind::Document => serde_json::from_slice(bytes)
            .map_err(|error| (format!("it is no JSON ({error})"), None))?,
    };
    match state.get("requests").is_some_and(Value::is_array) {
        true => Ok(state),
        false => Err(("it has no list of requests".into(), None)),
    }
}

fn said_by(found: &Found, doc: &FoundDoc, bytes: &[u8], dirs: &[PathBuf]) -> (Facts, Vec<Problem>) {
    let kind = if doc.kind == DocKind::Log {
        Kind::Log
    } else {
        Kind::Document
    };
    let (state, problems) = match state_of(kind, bytes) {
        Ok(state) => (state, Vec::new()),
        Err((why, before)) => {
            let path = doc.path.display();
            let message = format!(
                "Chat {} cannot be read to its end: {path}: {why}.",
                found.session
            );
            let hint =
                "It is kept as it is, and written nowhere else. Neither can VS Code open it.";
            (
                before.unwrap_or_default(),
                vec![Problem::new(ProblemCode::SessionDamaged, message, hint)],
            )
        }
    };
    let mut dirs = dirs.iter().map(|dir| dir.to_string_lossy().into_owned());
    let facts = Facts {
        cwd: dirs.next(),
        also: dirs.collect(),
        title: title(&state),
        updated: updated(&state).or(Some(doc.stamp.modified())),
        ..Facts::default()
    };
    (facts, problems)
}

fn requests(state: &Value) -> &[Value] {
    state
        .get("requests")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// `computedTitle` is from documents before version 3.
fn title(state: &Value) -> Option<String> {
    let given = text(state, "customTitle").or_else(|| text(state, "computedTitle"));
    given.or_else(|| {
        requests(state)
            .iter()
            .find_map(|request| title_of(prompt(request)?))
    })
}

fn prompt(request: &Value) -> Option<&str> {
    let message = request.get("message")?;
    message.as_str().or_else(|| message.get("text")?.as_str())
}

fn number(value: &Value, name: &str) -> Option<i64> {
    let number = value.get(name)?;
    number
        .as_i64()
        .or_else(|| number.as_f64().map(|number| number as i64))
}

/// The time of the last answer, else of the last prompt, else of the chat's creation.
fn updated(state: &Value) -> Option<Millis> {
    let last = requests(state).last();
    let ended = last.and_then(|last| number(last.get("modelState")?, "completedAt"));
    ended
        .or_else(|| number(last?, "timestamp"))
        .or_else(|| number(state, "creationDate"))
        .map(Millis)
}

// ---- writing ----

/// The chat's present place, or the place for a new one.
fn target(
    machine: &Machine,
    checkout: &Checkout<'_>,
    kinds: &[Kind],
    mut here: Vec<ChatCopy>,
) -> Result<Place, WriteError> {
    let changed = checkout.docs.iter().find_map(|doc| doc.change.path());
    let there = match changed {
        Some(path) => here
            .into_iter()
            .find(|copy| copy.files.iter().any(|(_, file, _)| file == path)),
        None => {
            here.sort_by_key(|copy| copy.files.first().map(|(_, _, stamp)| stamp.mtime_ns));
            here.pop()
        }
    };
    let Some(there) = there else {
        return match changed {
            Some(path) => Err(WriteError::Changed(path.into())),
            None => new_place(machine, checkout),
        };
    };
    for (doc, kind) in checkout.docs.iter().zip(kinds) {
        let file = there
            .files
            .iter()
            .find(|(other, ..)| other == kind)
            .map(|(_, path, _)| path.as_path());
        if file != doc.change.path() {
            let path = file.or(doc.change.path()).unwrap_or(&there.place.sessions);
            return Err(WriteError::Changed(path.into()));
        }
    }
    Ok(there.place)
}

fn new_place(machine: &Machine, checkout: &Checkout<'_>) -> Result<Place, WriteError> {
    let in_empty_window = checkout
        .docs
        .iter()
        .any(|doc| doc.place.split('/').any(|name| name == EMPTY_WINDOW));
    let authors = checkout.docs.first();
    let authors = authors.and_then(|doc| doc.place.split('/').next());
    let mut editors = EDITORS;
    // A stable sort keeps the order of the others.
    editors.sort_by_key(|editor| Some(editor.folder) != authors);
    for editor in editors {
        let user = editor.user_dir(System::HERE, machine);
        let storage = user.join("globalStorage");
        if in_empty_window && storage.join("state.vscdb").is_file() {
            return Ok(Place::of_empty_windows(&editor, &user, &storage));
        }
        if let (false, Some(workspace)) =
            (in_empty_window, workspaces_of(&user, checkout.cwd).first())
        {
            return Ok(Place::of_workspace(&editor, &user, &workspace.dir));
        }
    }
    let cwd = checkout.cwd.display();
    Err(WriteError::Refused(match in_empty_window {
        true => {
            format!("no VS Code with {NAME} has run here yet; start it once, and quit it again")
        }
        false => format!(
            "{cwd} was never opened in VS Code here; open it there once, and quit VS Code again"
        ),
    }))
}

/// The chat's state after all writes.
struct After {
    /// `None` if the chat leaves the store.
    state: Option<Value>,
}

impl After {
    /// Refuses content that VS Code could not read, or that would hide an existing chat.
    fn of(place: &Place, checkout: &Checkout<'_>, kinds: &[Kind]) -> Result<Self, WriteError> {
        let refuse = |why: String| {
            Err(WriteError::Refused(format!(
                "the chat is not written: {why}"
            )))
        };
        let mut states: BTreeMap<&'static str, Value> = BTreeMap::new();
        for (doc, kind) in checkout.docs.iter().zip(kinds) {
            let Some(bytes) = bytes_after(&doc.change)? else {
                continue;
            };
            let state = match state_of(*kind, &bytes) {
                Ok(state) => state,
                Err((why, _)) => return refuse(why),
            };
            if state
                .get("sessionId")
                .and_then(Value::as_str)
                .is_some_and(|id| id != checkout.session.as_str())
            {
                return refuse("it says that it is another one".into());
            }
            if *kind == Kind::Document
                && let Some(level) = foreign_level(&state, &place.file(checkout.session, *kind))
            {
                return refuse(format!(
                    "one of its prompts has the permission level {level}, which only the user of this device may give"
                ));
            }
            states.insert(kind.ending(), state);
        }
        for kind in [Kind::Log, Kind::Document] {
            let (path, is_written) = (place.file(checkout.session, kind), kinds.contains(&kind));
            if let (false, Ok(bytes)) = (is_written, opener::read(&path, opener::MOST)) {
                states.extend(
                    state_of(kind, whole_of(kind, &bytes))
                        .ok()
                        .map(|state| (kind.ending(), state)),
                );
            }
        }
        let begins_log = checkout
            .docs
            .iter()
            .zip(kinds)
            .any(|(doc, kind)| *kind == Kind::Log && doc.change.path().is_none());
        if let (true, Some(log), Some(document)) =
            (begins_log, states.get("jsonl"), states.get("json"))
            && !matches!(judge_states(log, document), Judged::Same | Judged::First)
        {
            let path = place.file(checkout.session, Kind::Document);
            return refuse(format!(
                "{} has words that it lacks, and VS Code would not show them any more",
                path.display()
            ));
        }
        Ok(Self {
            state: states.remove("jsonl").or_else(|| states.remove("json")),
        })
    }
}

fn whole_of(kind: Kind, bytes: &[u8]) -> &[u8] {
    whole(
        if kind == Kind::Log {
            DocKind::Log
        } else {
            DocKind::Snapshot
        },
        bytes,
    )
}

fn bytes_after(change: &Change<'_>) -> Result<Option<Vec<u8>>, WriteError> {
    let (path, was, mut bytes, new) = match change {
        Change::Create(new) => (None, None, Vec::new(), *new),
        Change::Replace { path, was, bytes } => (Some(*path), Some(*was), Vec::new(), *bytes),
        Change::Append {
            path,
            was,
            from,
            bytes,
        } => {
            let mut there = opener::read(path, opener::MOST)
                .map_err(|_| WriteError::Changed(path.to_path_buf()))?;
            there.truncate(usize::try_from(*from).unwrap_or(usize::MAX));
            (Some(*path), Some(*was), there, *bytes)
        }
        Change::Remove { .. } => return Ok(None),
    };
    if let (Some(path), Some(was)) = (path, was)
        && Stamp::of(path).ok() != Some(was)
    {
        return Err(WriteError::Changed(path.into()));
    }
    let path = path.map(Path::to_path_buf).unwrap_or_default();
    new.write_to(&mut bytes)
        .map_err(|source| WriteError::Io { path, source })?;
    Ok(Some(bytes))
}
