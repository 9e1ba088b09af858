//! Kiro, the editor from version 1.0 on and the command line from 1.0.288 on, which share a store.
//!
//! `~/.kiro/sessions/<bucket>/sess_<uuid>/`, the same on every system. The bucket stands for the
//! workspace: 16 hexadecimal digits of a hash of its paths ([`bucket_of`]). The directory has
//! - `messages.jsonl`, the conversation, only appended to: `{id, timestamp, payload}` a line;
//! - `session.json`: id, title, times, status, model, and `workspacePaths`, the directories.
//!
//! - `snapshots/` (copies of the user's files), `publish.cursor` and the prompt histories in
//!   `sessions/cli/` do not sync; nor do sessions of versions before, which lie elsewhere.
//! - A session is placed in the bucket in which this device keeps sessions of the same directory,
//!   else in the one that the formula gives. A session in another bucket with corrected
//!   `workspacePaths` is listed and opened, even without a restart (kirodotdev/Kiro #10545,
//!   #10770, #10971).
//! - A session that this device has in a workspace of several directories keeps them.
//! - `session.json` with a field that is not known here is not written: it could be a permission.
//! - While a Kiro runs, existing sessions are left alone, because it may have any of them open; one
//!   that `session.json` says is going on counts as open. New sessions are placed.
//!
//! From public descriptions of the store (kirodotdev/Kiro #9650, kenn-io/agentsview #1499,
//! junhoyeo/tokscale #813, June to September 2026). No Kiro could be run here.

mod shown;

use super::{
    About, Change, Checkout, Facts, Found, Joins, Launch, Level, Listing, Machine, Reading,
    Resumable, Root, Steering, Tool, Touched, Which, WriteError, Written, path_in_json,
    unknown_format,
};
use crate::formats::file_store::{DocFile, FileStore};
use crate::formats::{fields, jsonl};
use crate::merge::snapshots::{self, Judged};
use crate::opener;
use crate::session::{DocName, Millis, SessionId, ToolId};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::Path;

const NAME: &str = "Kiro";
const MAIN: &str = "messages.jsonl";
const SESSION: &str = "session.json";
const DOCS: [DocFile<'_>; 2] = [
    DocFile::log(MAIN, "sessions/{group}/{session}/messages.jsonl"),
    DocFile::snapshot(SESSION, "sessions/{group}/{session}/session.json"),
];

/// Names that never sync: sign-ins, settings, servers, hooks, copies of the user's files.
pub const DENIED: [&str; 10] = [
    "agents",
    "cli",
    "extensions",
    "hooks",
    "mcp.json",
    "powers",
    "publish.cursor",
    "settings",
    "snapshots",
    "steering",
];

/// The fields of `session.json` that were ever described.
const KNOWN: [&str; 14] = [
    "agentMode",
    "createdAt",
    "createdReason",
    "dataModelVersion",
    "effortLevel",
    "id",
    "lastModifiedAt",
    "modelId",
    "parentSessionId",
    "rootPaths",
    "schemaVersion",
    "status",
    "title",
    "workspacePaths",
];

/// The session's own id, which a branch does not share, and directories of this device.
const DEVICE_FIELDS: [&str; 3] = ["id", "rootPaths", "workspacePaths"];

const STEERING: Steering = Steering {
    words: "the directories of a session. A session with a setting that is not known is not written. The mode, model and \
            effort that it names are chosen among those of this device",
    ..Steering::NONE
};

/// A larger `session.json` is not read.
const LARGEST: u64 = 4 << 20;
/// How many of the latest sessions are checked for being open.
const ASKED: usize = 20;
/// The bytes of a conversation that are searched for its first prompt.
const HEAD: u64 = 64 * 1024;

pub struct Kiro;

impl Tool for Kiro {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("kiro"),
            name: NAME.into(),
            level: Level::Resume,
            reason: "Sessions are opened from Kiro's own list. Written from public descriptions and never tried in a \
                     running Kiro. Copies of files (`snapshots`) and sessions of versions before 1.0 are not carried."
                .into(),
            versions: "editor 1.0, command line 1.0.288, from public descriptions (2026-09), never seen".into(),
            denied: &DENIED,
            is_message: shown::is_message,
            read_message: shown::read_message,
            device_fields: |doc| match doc.as_str() {
                SESSION => &DEVICE_FIELDS,
                _ => &[],
            },
            joins: Joins {
                judge: Some(judge),
                ..Joins::default()
            },
            steering: STEERING,
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        vec![Root {
            path: store(machine).root.join("sessions"),
            deep: true,
            store: true,
        }]
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        store(machine).touched(path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let mut listing = store(machine).list(which, &|_| None);
        // Asked only if there is a session.
        let open = match listing.found.is_empty() && listing.conflict_copies.is_empty() {
            true => None,
            false => opener_of(machine),
        };
        if let Some(open) = open {
            let copies = listing.conflict_copies.iter_mut();
            copies.for_each(|copy| copy.open_in = Some(open.clone()));
            let mut newest: Vec<&mut Found> = listing.found.iter_mut().collect();
            newest.sort_by_key(|found| Reverse(found.docs[0].stamp.mtime_ns));
            let going_on = newest
                .into_iter()
                .take(ASKED)
                .filter(|found| is_going_on(found));
            going_on.for_each(|found| found.open_in = Some(open.clone()));
        }
        listing
    }

    fn read(&self, _machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.main()?;
        let card = found.doc(SESSION);
        let card = card.map(|card| opener::read(&card.path, LARGEST));
        let card = card.transpose()?.as_deref().map(parse);
        let problems = match &card {
            Some(Err(why)) => vec![unknown_format(NAME, &found.session, why)],
            _ => Vec::new(),
        };
        let facts = match card.and_then(Result::ok) {
            Some(card) => facts(&card, &main.path)?,
            // `session.json` names the directory; it may be written a moment later.
            None => Facts {
                early: problems.is_empty(),
                ..Facts::default()
            },
        };
        let updated = facts.updated.or(Some(main.stamp.modified()));
        Ok(Reading {
            problems,
            ..Reading::of_files(found, Facts { updated, ..facts })
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let (store, session) = (store(machine), checkout.session);
        let here = store.find(session);
        let still_free = || match opener_of(machine) {
            Some(open) if here.is_some() => Err(WriteError::Open(open)),
            _ => Ok(()),
        };
        still_free()?;
        let path = path_in_json(checkout.cwd, NAME)?;
        let cwd = checkout.cwd.to_str().unwrap_or_default();
        let has_card = |doc: &super::DocWrite<'_>| doc.name.as_str() == SESSION;
        if here.is_none() && !checkout.docs.iter().any(has_card) {
            let why = format!("{NAME}'s session {session} has no {SESSION}");
            return Err(WriteError::Refused(why));
        }
        let adapt = |name: &DocName, change: &Change<'_>| {
            if name.as_str() != SESSION {
                return Ok(None);
            }
            let Some(bytes) = change.content()? else {
                return Ok(None);
            };
            let checked = parse(&bytes).and_then(|card| known(&card));
            checked.map_err(|why| WriteError::not_written(NAME, session, &why))?;
            let (id, new) = (Value::from(session.as_str()), format!("[{path}]"));
            let own = change.path().and_then(|here| own_paths(here, cwd));
            let [roots, paths] = own.unwrap_or_else(|| [new.clone(), new]);
            let values = [
                ("id", id.to_string()),
                ("rootPaths", roots),
                ("workspacePaths", paths),
            ];
            let values = values
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            let unreadable = || WriteError::not_written(NAME, session, "its fields cannot be read");
            let written = fields::with(&bytes, &values).ok_or_else(unreadable)?;
            Ok(Some(written))
        };
        let group = bucket_here(&store, cwd).unwrap_or_else(|| bucket_of(&[cwd]));
        let new = store.in_group(session, &group);
        store.write(checkout, new, &adapt, &still_free)
    }

    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        Launch::app(NAME, "kiro", session.cwd)
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }
}

fn store(machine: &Machine) -> FileStore<'_> {
    FileStore {
        is_group: is_bucket,
        ..FileStore::new(NAME, machine.home.join(".kiro"), &DOCS, is_id)
    }
}

fn is_bucket(name: &str) -> bool {
    name.len() == 16 && is_hex(name)
}

fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_id(name: &str) -> bool {
    name.strip_prefix("sess_").is_some_and(jsonl::is_uuid)
}

/// The bucket of a workspace (kirodotdev/Kiro #9650, from Windows; #10350 shows the same on macOS).
fn bucket_of(paths: &[&str]) -> String {
    let mut paths: Vec<String> = paths
        .iter()
        .map(|path| path.to_lowercase().replace('\\', "/"))
        .collect();
    paths.sort();
    let hash = Sha256::digest(paths.join("\0").as_bytes());
    let mut digits = data_encoding::HEXLOWER.encode(&hash);
    digits.truncate(16);
    digits
}

/// The bucket in which this device keeps the sessions of a directory, whatever its name is made of.
fn bucket_here(store: &FileStore, cwd: &str) -> Option<String> {
    /// Sessions that are read for it in each bucket: all sessions of a bucket name the same paths.
    const READ: usize = 2;
    let buckets = fs::read_dir(store.root.join("sessions")).ok()?.flatten();
    let mut buckets: Vec<String> = buckets
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_bucket(name))
        .collect();
    buckets.sort();
    buckets.into_iter().find(|bucket| {
        let sessions = fs::read_dir(store.root.join("sessions").join(bucket))
            .into_iter()
            .flatten();
        let cards = sessions.flatten().take(READ).filter_map(|entry| {
            let card = opener::read(&entry.path().join(SESSION), LARGEST).ok()?;
            parse(&card).ok()
        });
        cards.into_iter().any(|card| paths_in(&card) == [cwd])
    })
}

fn parse(card: &[u8]) -> Result<Value, String> {
    let card: Value = serde_json::from_slice(card)
        .map_err(|error| format!("its {SESSION} is not known: {error}"))?;
    match card.is_object() {
        true => Ok(card),
        false => Err(format!("its {SESSION} is no object")),
    }
}

/// Whether every field of a card was described, and the directories are where they should be.
fn known(card: &Value) -> Result<(), String> {
    let version = jsonl::text(card, "schemaVersion").unwrap_or_default();
    if version.split('.').next() != Some("1") {
        return Err(format!("its {SESSION} is of version “{version}”, not 1"));
    }
    if !card.get("workspacePaths").is_some_and(Value::is_array) {
        return Err(format!("its {SESSION} names no workspace"));
    }
    let mut names = card.as_object().into_iter().flatten().map(|(name, _)| name);
    match names.find(|name| !KNOWN.contains(&name.as_str())) {
        Some(name) => Err(format!(
            "its {SESSION} has a field “{name}” that is not known"
        )),
        None => Ok(()),
    }
}

/// `session.json` has nothing that was said: of two, the later one counts.
fn judge(doc: &DocName, first: &[u8], second: &[u8]) -> Judged {
    if doc.as_str() != SESSION {
        return snapshots::judge(first, second);
    }
    let age = |card: &[u8]| {
        let modified = fields::text(card, "lastModifiedAt").and_then(|at| Millis::parse(&at));
        modified.unwrap_or_default()
    };
    Judged::greater((age(first), first).cmp(&(age(second), second)))
}

/// The root and workspace paths of a card here, if this directory is one of several.
fn own_paths(card: &Path, cwd: &str) -> Option<[String; 2]> {
    let card = parse(&opener::read(card, LARGEST).ok()?).ok()?;
    if !paths_in(&card).iter().any(|path| path == cwd) {
        return None;
    }
    let paths = |name: &str| card.get(name).filter(|paths| paths.is_array());
    let either = paths("rootPaths").or(paths("workspacePaths"))?;
    let value = |name: &str| paths(name).unwrap_or(either).to_string();
    Some(["rootPaths", "workspacePaths"].map(value))
}

fn paths_in(card: &Value) -> Vec<String> {
    let paths = |name: &str| {
        let paths = card.get(name)?.as_array()?.iter();
        let paths: Vec<String> = paths
            .filter_map(|path| path.as_str().map(str::to_owned))
            .filter(|path| !path.is_empty())
            .collect();
        (!paths.is_empty()).then_some(paths)
    };
    paths("workspacePaths")
        .or_else(|| paths("rootPaths"))
        .unwrap_or_default()
}

fn facts(card: &Value, main: &Path) -> io::Result<Facts> {
    let mut paths = paths_in(card).into_iter();
    let title = match jsonl::text(card, "title").filter(|title| !title.trim().is_empty()) {
        Some(title) => Some(title),
        None => {
            let head = jsonl::read_ends(&mut opener::file(main)?, HEAD, 0)?.head;
            head.iter().find_map(shown::prompt).map(str::to_owned)
        }
    };
    Ok(Facts {
        cwd: paths.next(),
        also: paths.collect(),
        title: title.and_then(|title| jsonl::title_of(&title)),
        updated: jsonl::text(card, "lastModifiedAt").and_then(|at| Millis::parse(&at)),
        requires: (jsonl::text(card, "parentSessionId").into_iter())
            .filter(|parent| is_id(parent))
            .map(SessionId::new)
            .collect(),
        ..Facts::default()
    })
}

/// Whether `session.json` says that the session is at work, or waits for an answer.
fn is_going_on(found: &Found) -> bool {
    let card = found.doc(SESSION);
    let card = card.and_then(|card| opener::read(&card.path, LARGEST).ok());
    let status = card.and_then(|card| fields::text(&card, "status"));
    status.is_some_and(|status| ["in_progress", "waiting_on_user"].contains(&status.as_str()))
}

/// A Kiro that runs and may have any session open.
fn opener_of(machine: &Machine) -> Option<String> {
    machine.running(NAME, |running| {
        let name = running.name();
        name == "kiro" || name == "kiro-cli" || name.starts_with("kiro-cli-")
    })
}

#[cfg(test)]
mod tests;
