//! The rows of the registry: which sessions have one, and the row that is made for another.

use crate::adapter::Entry;
use crate::formats::files;
use crate::formats::jsonl::is_uuid;
use crate::opener;
use crate::session::harmless::harmless_line;
use crate::session::{Millis, SessionId};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(super) const FOLDER: &str = "claude-code-sessions";
/// A row that lists all tools of a server is a few hundred KB.
const LARGEST: u64 = 8 << 20;
/// No one has more accounts and organisations than this.
const MOST_DIRS: usize = 256;
/// The app's own limit, in UTF-16 units.
const LONGEST_TITLE: usize = 200;

/// The directories of rows, with the times of their last change.
type Dirs = BTreeMap<PathBuf, Option<SystemTime>>;

/// What the rows say, kept until one of their directories changes.
#[derive(Default)]
pub(super) struct Index {
    dirs: Dirs,
    /// By each session that a row names, the row.
    rows: HashMap<String, PathBuf>,
    /// Rows that the user removed in the app, by the names that they had.
    removed: HashSet<String>,
    pub(super) newest: Option<Newest>,
    pub(super) n_rows: u64,
}

/// The row that was active last. New rows go beside it, with its model and effort.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Newest {
    active: f64,
    pub(super) dir: PathBuf,
    model: Option<String>,
    effort: Option<String>,
}

impl Index {
    pub(super) fn refresh(&mut self, roots: &[PathBuf]) {
        let dirs = dirs_below(roots);
        if dirs == self.dirs {
            return;
        }
        *self = Self {
            dirs,
            ..Self::default()
        };
        for dir in self.dirs.keys().cloned().collect::<Vec<_>>() {
            for name in files::names_in(&dir, fs::FileType::is_file) {
                if let Some(id) = name.strip_prefix("deleted_") {
                    self.removed.insert(id.to_lowercase());
                } else if name.starts_with("local_") && name.ends_with(".json") {
                    self.n_rows += 1;
                    self.read(&dir, dir.join(&name));
                }
            }
        }
    }

    /// A row that cannot be read names no session and is no example.
    fn read(&mut self, dir: &Path, path: PathBuf) {
        let row = opener::read(&path, LARGEST).ok();
        let row = row.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let Some(row) = row else { return };
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let number = |name: &str| row.get(name).and_then(Value::as_f64);
        let current = text("cliSessionId");
        let others = ["unarchivedCliSessionId", "preClearCliSessionId"].map(text);
        let priors = row.get("priorCliSessionIds").and_then(Value::as_array);
        let priors = priors.into_iter().flatten().filter_map(Value::as_str);
        let ids = others.into_iter().flatten().chain(priors);
        for id in ids.filter(|id| is_uuid(id)) {
            self.rows.entry(id.to_lowercase()).or_insert(path.clone());
        }
        if let Some(id) = current.filter(|id| is_uuid(id)) {
            self.rows.insert(id.to_lowercase(), path.clone());
        }
        // What the app itself demands of a row, and what a new one needs (read in the app 2.19 by
        // others, 2026-10).
        let is_known = text("sessionId").is_some_and(|id| id.starts_with("local_"))
            && number("createdAt").is_some()
            && current.is_some()
            && text("cwd").is_some();
        let Some(active) = number("lastActivityAt").filter(|_| is_known) else {
            return;
        };
        if self
            .newest
            .as_ref()
            .is_none_or(|newest| newest.active < active)
        {
            let short = |name: &str| {
                text(name)
                    .filter(|text| text.len() < 100)
                    .map(str::to_owned)
            };
            self.newest = Some(Newest {
                active,
                dir: dir.to_path_buf(),
                model: short("model"),
                effort: short("effort"),
            });
        }
    }

    /// Whether the session has a row, under whatever name, or had one that was removed.
    pub(super) fn has(&self, id: &str) -> bool {
        let key = id.to_lowercase();
        self.rows.contains_key(&key) || self.removed.contains(&key) || self.file(id).is_some()
    }

    /// A session that a row names, with the row.
    pub(super) fn find(&self, is_it: &dyn Fn(&SessionId) -> bool) -> Option<(String, PathBuf)> {
        let mut rows = self.rows.iter();
        let (id, path) = rows.find(|(id, _)| is_it(&SessionId::new(id.as_str())))?;
        Some((id.clone(), path.clone()))
    }

    /// The row with the session's own name, readable or not.
    pub(super) fn file(&self, id: &str) -> Option<PathBuf> {
        let mut paths = self.dirs.keys().map(|dir| dir.join(name_of(id)));
        paths.find(|path| opener::is_there(path))
    }

    /// Notes a row that was written or removed here, so that all others need not be read again.
    pub(super) fn changed(&mut self, path: &Path, id: &str) {
        match opener::is_there(path) {
            true => {
                let known = self.rows.insert(id.to_lowercase(), path.to_path_buf());
                self.n_rows += u64::from(known.is_none());
            }
            false => {
                let known = self.rows.remove(&id.to_lowercase());
                self.n_rows -= u64::from(known.is_some()).min(self.n_rows);
            }
        }
        if let Some(dir) = path.parent() {
            self.dirs.insert(dir.to_path_buf(), changed_at(dir));
        }
    }
}

/// The name under which the app itself imports a session of Claude Code. `claude://resume` finds
/// the row by it (anthropics/claude-code #80773, 2026-07).
pub(super) fn name_of(id: &str) -> String {
    format!("local_{id}.json")
}

fn dirs_below(roots: &[PathBuf]) -> Dirs {
    let dirs_in = |dir: &PathBuf| {
        let names = files::names_in(dir, fs::FileType::is_dir).into_iter();
        let dir = dir.clone();
        names.map(move |name| dir.join(name))
    };
    let mut found = Dirs::new();
    for accounts in roots.iter().map(|root| root.join(FOLDER)) {
        for dir in dirs_in(&accounts).flat_map(|account| dirs_in(&account).collect::<Vec<_>>()) {
            if found.len() < MOST_DIRS {
                let at = changed_at(&dir);
                found.insert(dir, at);
            }
        }
    }
    found
}

fn changed_at(dir: &Path) -> Option<SystemTime> {
    // No link: only real directories are listed.
    let facts = fs::symlink_metadata(dir).ok()?;
    facts.modified().ok()
}

/// A row as the app makes it for a session that it imports. Everything else in a row belongs to an
/// account, to a server or to one run of the app.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    session_id: String,
    cli_session_id: &'a str,
    cwd: &'a str,
    origin_cwd: &'a str,
    created_at: i64,
    last_activity_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    is_archived: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The mode that asks. No row grants a session of another device what the user granted here.
    permission_mode: &'a str,
    session_permission_updates: [(); 0],
    always_allowed_reasons: [(); 0],
    indexed_at: i64,
    adopted_from_other_surface: bool,
}

/// The row for a session that begins at `began`.
pub(super) fn made(
    entry: &Entry<'_>,
    began: Option<Millis>,
    newest: &Newest,
    cwd: &str,
) -> Vec<u8> {
    let id = entry.session.as_str();
    let updated = entry.updated.0.clamp(0, entry.now.0);
    let row = Row {
        session_id: format!("local_{id}"),
        cli_session_id: id,
        cwd,
        origin_cwd: cwd,
        created_at: began.map_or(updated, |began| began.0.clamp(0, updated)),
        last_activity_at: updated,
        model: newest.model.as_deref(),
        effort: newest.effort.as_deref(),
        is_archived: false,
        title: entry.title.and_then(title),
        permission_mode: "default",
        session_permission_updates: [],
        always_allowed_reasons: [],
        indexed_at: entry.now.0,
        adopted_from_other_surface: true,
    };
    serde_json::to_vec(&row).expect("strings, numbers and truth values are JSON")
}

fn title(text: &str) -> Option<String> {
    let (mut short, mut n_units) = (String::new(), 0);
    for c in harmless_line(text).chars() {
        n_units += c.len_utf16();
        if LONGEST_TITLE < n_units {
            break;
        }
        short.push(c);
    }
    Some(short.trim_end().to_owned()).filter(|short| !short.is_empty())
}
