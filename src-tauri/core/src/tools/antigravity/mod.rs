//! Antigravity, the desktop app, the editor and the command line `agy`: its conversations, carried
//! as they are.
//!
//! `~/.gemini/antigravity` (the app), `antigravity-ide` (the editor) and `antigravity-cli`, the same
//! on every system, each with
//! - `conversations/<uuid>.db`: an SQLite database for each conversation, whose steps are protobuf;
//!   or the older `<uuid>.pb`, which is encrypted;
//! - `brain/<uuid>/`: `task.md`, `implementation_plan.md` and `walkthrough.md` in plain text.
//!
//! - The database is one document, with its write-ahead log: while Antigravity has it open, a state
//!   of it is read through SQLite, and its bytes are those that the file gets when the log is put
//!   into it. Prompts, answers and the names of calls can be read in it; nothing in a `.pb`.
//! - Nothing is written while an Antigravity runs, and no database beside whose place a log lies:
//!   SQLite would apply that log to another database.
//! - **A conversation that arrives is not in Antigravity's list.** The app and the editor list what
//!   their index names (`antigravityUnifiedStateSync.trajectorySummaries` in `state.vscdb`,
//!   `agyhub_summaries_proto.pb`, `conversation_summaries.db`), which lies among sign-ins and is not
//!   written here. `agy --conversation <uuid>` names one itself; whether it continues is not known.
//! - The directory of the project inside is the author's. Without one, a conversation belongs to the
//!   home directory.
//! - Two devices that continued a conversation are asked which file counts; the vault keeps both.
//! - Not carried: other files in `brain`, which may be copies of anything, among them the logs in
//!   `.system_generated`; `implicit`, `knowledge`, `annotations`.
//!
//! From public descriptions of the store (google-antigravity/antigravity-cli #1042, SpecStory,
//! agentsview, unchase/antigravity-storage-manager #14 and #27, to October 2026). No Antigravity
//! could be run here.

mod steps;

use self::steps::{Conversation, MAGIC};
use super::{
    About, Checkout, Content, Facts, Found, Launch, Level, Listing, Machine, Reading, Resumable,
    Root, Stamp, Steering, Tool, Touched, Which, WriteError, Written,
};
use crate::formats::file_store::{DocFile, FileStore};
use crate::formats::vscode::{self, System};
use crate::formats::{jsonl, sqlite};
use crate::opener;
use crate::session::{DocName, ToolId};
use rusqlite::OpenFlags;
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "Antigravity";
const MAIN: &str = "conversation";

/// The directories of the app, the editor and the command line.
const GROUPS: [&str; 3] = ["antigravity", "antigravity-ide", "antigravity-cli"];

/// What an agent writes for its user; the first that is there gives the title.
const ARTIFACTS: [&str; 3] = ["implementation_plan.md", "task.md", "walkthrough.md"];

const fn docs(conversation: &'static str) -> [DocFile<'static>; 4] {
    [
        DocFile::snapshot(MAIN, conversation),
        DocFile::snapshot(
            ARTIFACTS[0],
            "{group}/brain/{session}/implementation_plan.md",
        ),
        DocFile::snapshot(ARTIFACTS[1], "{group}/brain/{session}/task.md"),
        DocFile::snapshot(ARTIFACTS[2], "{group}/brain/{session}/walkthrough.md"),
    ]
}

static DATABASES: [DocFile<'_>; 4] = docs("{group}/conversations/{session}.db");
static ENCRYPTED: [DocFile<'_>; 4] = docs("{group}/conversations/{session}.pb");

/// Names that never sync: sign-ins, settings, servers, indexes, caches, what Antigravity remembers
/// of its user, copies of anything.
pub const DENIED: [&str; 20] = [
    ".system_generated",
    "agyhub_summaries_proto.pb",
    "annotations",
    "browser_recordings",
    "cache",
    "code_tracker",
    "context_state",
    "conversation_summaries.db",
    "google_accounts.json",
    "history.jsonl",
    "implicit",
    "installation_id",
    "knowledge",
    "log",
    "mcp_config.json",
    "oauth_creds.json",
    "presence",
    "settings.json",
    "state.vscdb",
    "user_settings.pb",
];

const STEERING: Steering = Steering {
    words: "nothing: a conversation arrives as it is, whatever it holds; its steps have a field for what was permitted to each. \
            What Antigravity may do without a question is, as far as is known, in its own settings, which do not sync",
    ..Steering::NONE
};

/// A larger conversation is not read.
const LARGEST: u64 = 256 << 20;
/// A longer artifact has its heading in this part.
const HEAD: u64 = 64 * 1024;

pub struct Antigravity;

impl Tool for Antigravity {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("antigravity"),
            name: NAME.into(),
            level: Level::Carry,
            reason: "Conversations are kept and brought to your devices as they are, and written while Antigravity does not \
                     run. They do not appear in its list there: that is an index among its sign-ins, which is left alone. \
                     Prompts and answers can be read here, but not in conversations of the older, encrypted form (.pb)."
                .into(),
            versions: "app 2.18 and agy 1.3, from public descriptions (2026-10), never seen".into(),
            denied: &DENIED,
            read_message: steps::read_message,
            records: Some(steps::records),
            steering: STEERING,
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        let root = machine.home.join(".gemini");
        let dirs = GROUPS.iter().flat_map(|group| {
            [("conversations", false), ("brain", true)].map(|(name, deep)| Root {
                path: root.join(group).join(name),
                deep,
                store: true,
            })
        });
        dirs.collect()
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        // A change may be in a database's log alone.
        let text = path.to_str().and_then(|path| path.strip_suffix("-wal"));
        let path = text.map_or(path, Path::new);
        let touched = stores(machine).map(|store| store.touched(path));
        let [database, encrypted] = touched;
        match database {
            Touched::Nothing => encrypted,
            touched => touched,
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        // Which conversation is open is not known; nothing is written while Antigravity runs.
        let [mut listing, older] = stores(machine).map(|store| store.list(which, &|_| None));
        for found in &mut listing.found {
            let doc = &mut found.docs[0];
            if let Some(log) = log_of(&doc.path) {
                doc.stamp = with_log(doc.stamp, log);
            }
        }
        listing.and_of(older)
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.main()?;
        let state = log_of(&main.path).map(|_| whole(&main.path)).transpose()?;
        let heading = |name: &&str| -> Option<String> {
            let text = opener::read(&found.doc(name)?.path, HEAD).ok()?;
            let text = String::from_utf8_lossy(&text).into_owned();
            jsonl::title_of(text.trim_start_matches(['#', ' ', '\n', '\r', '\u{feff}']))
        };
        let conversation = match &state {
            Some(bytes) => Conversation::of(bytes),
            None => Conversation::of(&opener::read(&main.path, LARGEST)?),
        };
        let conversation = conversation.unwrap_or_default();
        let id = found.session.as_str();
        let short = id.get(..8).unwrap_or(id);
        let title = ARTIFACTS.iter().find_map(heading);
        let title = title.or_else(|| jsonl::title_of(conversation.prompt()?));
        let here = |uri: &String| vscode::path_of(uri, System::HERE);
        let cwd = conversation.workspaces.iter().find_map(here);
        let facts = Facts {
            cwd: cwd.or_else(|| machine.home.to_str().map(str::to_owned)),
            title: Some(title.unwrap_or_else(|| format!("{NAME} conversation {short}"))),
            updated: Some(main.stamp.modified()),
            ..Facts::default()
        };
        let mut reading = Reading::of_files(found, facts);
        if let Some(bytes) = state {
            reading.docs[0] = Content::Bytes(bytes.into());
        }
        Ok(reading)
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let still_free = || opener_of(machine).map_or(Ok(()), |open| Err(WriteError::Open(open)));
        still_free()?;
        let [databases, encrypted] = stores(machine);
        let here = [&databases, &encrypted].map(|store| store.find(checkout.session));
        let main = checkout.docs.iter().find(|doc| doc.name.as_str() == MAIN);
        let is_here = here[0].is_some();
        let content = main.map(|doc| doc.change.content()).transpose()?;
        let is_database = match content.flatten() {
            Some(content) => {
                let is_one = content.starts_with(MAGIC);
                if is_one != is_here && here.iter().any(Option::is_some) {
                    return Err(refused(checkout, "it is here in another form"));
                }
                if is_one && Conversation::of(&content).is_none() {
                    return Err(refused(checkout, "it is no database of a conversation"));
                }
                is_one
            }
            None => is_here,
        };
        let place = main.and_then(|doc| doc.place.split('/').next());
        let place = place
            .filter(|group| GROUPS.contains(group))
            .unwrap_or(GROUPS[0]);
        let group = here.iter().flatten().next().map_or(place, |at| &at.group);
        let file = databases.root.join(group).join("conversations");
        let file = file.join(format!("{}.db", checkout.session));
        let beside = ["-wal", "-journal"].map(|suffix| sqlite::beside(&file, suffix));
        let is_filled = |path: &&PathBuf| Stamp::of(path).is_ok_and(|stamp| 0 < stamp.len);
        if let Some(log) = beside
            .iter()
            .find(is_filled)
            .filter(|_| is_database && main.is_some())
        {
            let why = format!(
                "{} has changes of its own; start {NAME} and quit it",
                log.display()
            );
            return Err(refused(checkout, &why));
        }
        let store = if is_database { databases } else { encrypted };
        let new = store.in_group(checkout.session, group);
        store.write(checkout, new, &|_, _| Ok(None), &still_free)
    }

    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        Launch::app(NAME, "antigravity", session.cwd)
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }
}

/// The conversations that are databases, and those of the older form.
fn stores(machine: &Machine) -> [FileStore<'_>; 2] {
    [&DATABASES, &ENCRYPTED].map(|docs| FileStore {
        is_group: |name| GROUPS.contains(&name),
        ..FileStore::new(NAME, machine.home.join(".gemini"), docs, jsonl::is_uuid)
    })
}

fn refused(checkout: &Checkout<'_>, why: &str) -> WriteError {
    let session = checkout.session;
    WriteError::Refused(format!(
        "{NAME}'s conversation {session} is not written: {why}"
    ))
}

/// The stamp of a database's log that holds anything.
fn log_of(database: &Path) -> Option<Stamp> {
    let log = Stamp::of(&sqlite::beside(database, "-wal")).ok()?;
    (0 < log.len && database.extension().is_some_and(|end| end == "db")).then_some(log)
}

fn with_log(database: Stamp, log: Stamp) -> Stamp {
    Stamp {
        len: database.len + log.len,
        mtime_ns: database.mtime_ns.max(log.mtime_ns),
        ctime_ns: database.ctime_ns.rotate_left(1) ^ log.ctime_ns,
        inode: database.inode.rotate_left(1) ^ log.inode,
    }
}

/// A state of a database with what is only in its log.
fn whole(database: &Path) -> io::Result<Vec<u8>> {
    let access = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = sqlite::open(database, access).map_err(io::Error::other)?;
    let read = || {
        // Until the end of the transaction, other programs' writes are not seen.
        connection.execute_batch("BEGIN")?;
        let size = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        let size: i64 = connection.query_row(size, [], |row| row.get(0))?;
        let is_small = u64::try_from(size).is_ok_and(|size| size <= LARGEST);
        is_small.then(|| connection.serialize("main")).transpose()
    };
    let bytes = read().map_err(|error| io::Error::other(sqlite::error_of(database, error)))?;
    bytes
        .map(|bytes| bytes.to_vec())
        .ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}

/// An Antigravity that runs, or the server in which it keeps its conversations.
fn opener_of(machine: &Machine) -> Option<String> {
    machine.running(NAME, |running| {
        let exe = running.exe.to_string_lossy().to_lowercase();
        running.name() == "agy" || exe.contains("antigravity")
    })
}

#[cfg(test)]
mod tests;
