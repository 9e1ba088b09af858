//! A tool that the user describes in config.toml: one file per session, found by a pattern.
//!
//! ```toml
//! [[custom]]
//! id = "x"            # lower-case letters, digits and dashes
//! name = "X"
//! root = "~/.x"
//! sessions = "{project}/chats/{session}.jsonl"   # `*` within a name, `**` for any directories
//! kind = "log"        # lines are only appended; or "snapshot": rewritten whole
//! cwd_field = "cwd"   # a key of the first records, or a JSON pointer like "/meta/cwd"
//! project = "slug"    # what `{project}` becomes on another device: same, slug or basename
//! resume = ["x", "--resume", "{session}"]
//! ```
//!
//! Nothing else is known of such a tool. In particular there is no sign that it has a session open,
//! so only the stamps prevent us from overwriting its work.

use super::{
    About, Change, Checkout, ConflictCopy, Content, Facts, Found, FoundDoc, Launch, Level, Listing,
    Machine, Reading, Resumable, Root, Steering, Tool, Touched, Twin, Which, WriteError, Written,
};
use crate::formats::files::{self, GuestWrite};
use crate::formats::jsonl;
use crate::opener;
use crate::session::{
    DocKind, DocName, Millis, Problem, ProblemCode, SessionId, ToolId, copied_from,
};
use crate::tools::Stamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// One `[[custom]]` section.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Definition {
    pub id: String,
    /// The displayed name; the id if empty.
    pub name: String,
    /// The store's directory; `~` is the home directory.
    pub root: String,
    /// The place of sessions below the root, with one `{session}`.
    pub sessions: String,
    pub kind: Kind,
    /// The session's directory in a record: a key, or a JSON pointer.
    pub cwd_field: Option<String>,
    /// The session's title in a record: a key, or a JSON pointer.
    pub title_field: Option<String>,
    pub project: ProjectRule,
    /// The command that resumes a session; `{session}` and `{cwd}` are replaced.
    pub resume: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Log,
    Snapshot,
}

/// The value of `{project}` in the pattern on another device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProjectRule {
    /// The same as on the session's original device.
    #[default]
    Same,
    /// The directory's path with everything except letters and digits replaced by `-`.
    Slug,
    /// The directory's own name.
    Basename,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    #[error("a custom tool's id is lower-case letters, digits and dashes, not \"{0}\"")]
    Id(String),
    #[error("{0}: \"root\" is missing; it is the directory of the tool's store, like \"~/.x\"")]
    Root(String),
    #[error(
        "{id}: \"sessions\" needs exactly one {{session}}, like \"chats/{{session}}.jsonl\"; it is \"{pattern}\""
    )]
    Session { id: String, pattern: String },
    #[error(
        "{id}: \"sessions\" is a path below the root without \"..\" or empty names; it is \"{pattern}\""
    )]
    Pattern { id: String, pattern: String },
}

/// Names that never sync, whatever the pattern is: common places of credentials.
pub const DENIED: [&str; 10] = [
    ".credentials.json",
    ".env",
    ".git",
    ".netrc",
    ".ssh",
    "auth.json",
    "credentials.json",
    "id_ed25519",
    "id_rsa",
    "oauth_creds.json",
];

const SESSION: &str = "{session}";
const PROJECT: &str = "{project}";
/// The depth limit of `**`.
const DEEPEST: usize = 12;
const HEAD: u64 = 128 * 1024;
/// A snapshot up to this size is parsed for its directory and title.
const LARGEST_PARSED: u64 = 8 << 20;

pub struct CustomTool {
    definition: Definition,
    pattern: Vec<String>,
}

impl CustomTool {
    pub fn new(definition: Definition) -> Result<Self, DefinitionError> {
        let id = definition.id.clone();
        let id_fits = !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !id_fits {
            return Err(DefinitionError::Id(id));
        }
        if definition.root.trim().is_empty() {
            return Err(DefinitionError::Root(id));
        }
        let pattern = definition.sessions.clone();
        if pattern.matches(SESSION).count() != 1 || pattern.matches(PROJECT).count() > 1 {
            return Err(DefinitionError::Session { id, pattern });
        }
        let odd =
            |name: &str| name.is_empty() || name == "." || name == ".." || name.contains('\\');
        if pattern.split('/').any(odd) {
            return Err(DefinitionError::Pattern { id, pattern });
        }
        Ok(Self {
            pattern: pattern.split('/').map(str::to_owned).collect(),
            definition,
        })
    }

    fn root(&self, machine: &Machine) -> PathBuf {
        match self
            .definition
            .root
            .strip_prefix('~')
            .map(|rest| rest.trim_start_matches(['/', '\\']))
        {
            Some("") => machine.home.clone(),
            Some(rest) => machine.home.join(rest),
            None => machine.home.join(&self.definition.root),
        }
    }

    fn name(&self) -> &str {
        if self.definition.name.is_empty() {
            &self.definition.id
        } else {
            &self.definition.name
        }
    }

    fn main(&self) -> DocName {
        let last = self.pattern.last().map_or("", String::as_str);
        let ending = last
            .rsplit_once('.')
            .map(|(_, ending)| ending)
            .filter(|ending| !ending.contains(['{', '*']));
        DocName::new(format!("session.{}", ending.unwrap_or("data")))
    }

    fn kind(&self) -> DocKind {
        match self.definition.kind {
            Kind::Log => DocKind::Log,
            Kind::Snapshot => DocKind::Snapshot,
        }
    }

    /// All files that match the pattern, by session. The first of two counts; the other is
    /// reported.
    fn found(&self, machine: &Machine, listing: &mut Listing) -> BTreeMap<SessionId, FoundDoc> {
        let root = self.root(machine);
        let mut paths = Vec::new();
        walk(&root, &mut Vec::new(), &self.pattern, &mut paths);
        let mut found: BTreeMap<SessionId, FoundDoc> = BTreeMap::new();
        for names in paths {
            let path = root.join(names.iter().collect::<PathBuf>());
            let (Some(matched), Ok(stamp)) = (match_names(&self.pattern, &names), Stamp::of(&path))
            else {
                continue;
            };
            let session = SessionId::new(matched.session);
            let doc = FoundDoc {
                name: self.main(),
                kind: self.kind(),
                at: names.join("/"),
                path,
                stamp,
            };
            match found.get(&session) {
                None => drop(found.insert(session, doc)),
                Some(first) => {
                    listing.problems.push(Problem::new(
                        ProblemCode::DuplicateSession,
                        format!(
                            "{} has session {session} twice: {} and {}.",
                            self.name(),
                            first.path.display(),
                            doc.path.display()
                        ),
                        "Make the pattern \"sessions\" in config.toml name one of them only.",
                    ));
                    listing.twins.push(Twin { session, doc });
                }
            }
        }
        found
    }

    /// Conflict copies of files that match the pattern.
    fn conflict_copies(&self, dir: &Path, above: &mut Vec<String>, found: &mut Vec<ConflictCopy>) {
        let mut entries: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
                continue;
            };
            if kind.is_dir() && above.len() < DEEPEST && !is_denied(&name) {
                above.push(name);
                self.conflict_copies(&entry.path(), above, found);
                above.pop();
            } else if let Some(original) =
                copied_from(&name).filter(|original| kind.is_file() && !is_denied(original))
            {
                let names: Vec<String> = above.iter().cloned().chain([original]).collect();
                let matched = match_names(&self.pattern, &names).zip(Stamp::of(&entry.path()).ok());
                found.extend(matched.map(|(matched, stamp)| ConflictCopy {
                    session: SessionId::new(matched.session),
                    doc: self.main(),
                    kind: self.kind(),
                    main: true,
                    at: names.join("/"),
                    path: entry.path(),
                    stamp,
                    live: None,
                }));
            }
        }
    }

    /// The place of a session that is not here yet.
    fn place(&self, checkout: &Checkout<'_>, author_at: &str) -> Result<String, WriteError> {
        let refused = || {
            WriteError::Refused(format!(
                "\"{author_at}\" is not where \"{}\" puts sessions",
                self.definition.sessions
            ))
        };
        let names: Vec<String> = author_at.split('/').map(str::to_owned).collect();
        let matched = match_names(&self.pattern, &names).ok_or_else(refused)?;
        if matched.session != checkout.session.as_str() || names.iter().any(|name| is_denied(name))
        {
            return Err(refused());
        }
        let (Some(at), Some(project)) = (matched.project_at, self.project(checkout.cwd)) else {
            return Ok(author_at.to_owned());
        };
        let mut names = names;
        names[at] = self
            .pattern_name(at)
            .replace(PROJECT, &project)
            .replace(SESSION, checkout.session.as_str());
        Ok(names.join("/"))
    }

    /// The part of the pattern that names the project. No `**` precedes it, or the author's place
    /// is kept.
    fn pattern_name(&self, at: usize) -> &str {
        self.pattern.get(at).map_or("", String::as_str)
    }

    fn project(&self, cwd: &Path) -> Option<String> {
        match self.definition.project {
            ProjectRule::Same => None,
            ProjectRule::Basename => Some(cwd.file_name()?.to_string_lossy().into_owned()),
            ProjectRule::Slug => Some(
                cwd.to_string_lossy()
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                    .collect(),
            ),
        }
    }

    fn field(&self, records: &[Value], field: Option<&String>) -> Option<String> {
        let field = field?;
        let value = |record: &Value| match field.starts_with('/') {
            true => record
                .pointer(field)
                .and_then(Value::as_str)
                .map(str::to_owned),
            false => record.get(field).and_then(Value::as_str).map(str::to_owned),
        };
        records
            .iter()
            .find_map(value)
            .filter(|text| !text.is_empty())
    }

    fn records(&self, path: &Path) -> io::Result<Vec<Value>> {
        let mut file = opener::file(path)?;
        match self.definition.kind {
            Kind::Log => Ok(jsonl::read_ends(&mut file, HEAD, 0)?.head),
            Kind::Snapshot => {
                let mut bytes = Vec::new();
                file.take(LARGEST_PARSED).read_to_end(&mut bytes)?;
                Ok(serde_json::from_slice(&bytes).into_iter().collect())
            }
        }
    }
}

impl Tool for CustomTool {
    fn about(&self) -> About {
        let (level, without) = match self.definition.resume.is_empty() {
            true => (Level::Carry, "No resume command is given. "),
            false => (Level::Resume, ""),
        };
        About {
            tool: ToolId::new(&self.definition.id),
            name: self.name().into(),
            level,
            reason: format!(
                "{without}Whether it has a session open is not known: close it before you continue elsewhere."
            ),
            // The format of the lines is unknown, so each may be part of the conversation.
            denied: &DENIED,
            is_message: |_| true,
            said: crate::merge::transcript::said,
            records: None,
            device_fields: super::no_device_fields,
            steering: Steering {
                words: "nothing: what steers a tool of your own is not known, and its files arrive as they are",
                ..Steering::default()
            },
            joins: super::Joins::default(),
            shared: None,
            versions: "described in config.toml".into(),
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        vec![Root {
            path: self.root(machine),
            deep: self.pattern.len() > 1,
            store: true,
        }]
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        let Some(names) = files::names_below(&self.root(machine), path) else {
            return Touched::Nothing;
        };
        if names.iter().any(|name| is_denied(name)) {
            return Touched::Nothing;
        }
        match match_names(&self.pattern, &names) {
            Some(matched) => Touched::Session(SessionId::new(matched.session)),
            // A directory that may contain sessions.
            None if names.is_empty() || path.is_dir() => Touched::Everything,
            None => Touched::Nothing,
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let mut listing = Listing::default();
        if let Which::ConflictCopies = which {
            self.conflict_copies(
                &self.root(machine),
                &mut Vec::new(),
                &mut listing.conflict_copies,
            );
            return listing;
        }
        for (session, doc) in self.found(machine, &mut listing) {
            if matches!(which, Which::One(wanted) if *wanted != session) {
                continue;
            }
            listing.found.push(Found {
                session,
                docs: vec![doc],
                live: None,
            });
        }
        listing
    }

    fn read(&self, _machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.docs.first().ok_or(io::ErrorKind::NotFound)?;
        let records = self.records(&main.path)?;
        let cwd = self.field(&records, self.definition.cwd_field.as_ref());
        let facts = Facts {
            early: self.definition.cwd_field.is_some() && cwd.is_none() && main.stamp.len <= HEAD,
            cwd,
            title: self
                .field(&records, self.definition.title_field.as_ref())
                .and_then(|title| jsonl::title_of(&title)),
            updated: Some(Millis(main.stamp.mtime_ns / 1_000_000)),
            version: None,
            requires: Vec::new(),
            also: Vec::new(),
            base: None,
            repository: None,
        };
        Ok(Reading {
            facts,
            docs: vec![Content::File(main.path.clone())],
            secret: Vec::new(),
            problems: Vec::new(),
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let root = self.root(machine);
        let existing = self
            .found(machine, &mut Listing::default())
            .remove(checkout.session);
        let mut writes = Vec::new();
        for doc in &checkout.docs {
            if *doc.name != self.main() {
                return Err(WriteError::Refused(format!(
                    "\"{}\" is not one of {}'s files",
                    doc.name,
                    self.name()
                )));
            }
            let path = match (&doc.change, &existing) {
                (Change::Create(_), None) => files::below(&root, &self.place(checkout, doc.at)?)?,
                (Change::Create(_), Some(existing)) => {
                    return Err(WriteError::Changed(existing.path.clone()));
                }
                (change, existing) => {
                    let planned = change.path().map(Path::to_path_buf).unwrap_or_default();
                    if existing.as_ref().map(|existing| &existing.path) != Some(&planned) {
                        return Err(WriteError::Changed(planned));
                    }
                    planned
                }
            };
            writes.push(GuestWrite {
                name: doc.name,
                root: &root,
                path,
                change: &doc.change,
            });
        }
        files::write_docs(&writes, checkout.updated, &|| Ok(()))
    }

    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        let cwd = session.cwd.to_string_lossy();
        let fill = |word: &String| {
            word.replace(SESSION, session.session.as_str())
                .replace("{cwd}", &cwd)
        };
        Launch::new(
            self.definition.resume.iter().map(fill).collect(),
            session.cwd,
        )
    }

    fn is_main(&self, doc: &DocName) -> bool {
        *doc == self.main()
    }
}

fn is_denied(name: &str) -> bool {
    files::is_foreign_name(name)
        || DENIED
            .iter()
            .any(|denied| denied.eq_ignore_ascii_case(name))
}

/// Collects the names of regular files below the directory `above` of the store that may match the
/// rest of the pattern. Links are followed only to directories of the user outside of the store.
fn walk(root: &Path, above: &mut Vec<String>, pattern: &[String], found: &mut Vec<Vec<String>>) {
    let dir = above
        .iter()
        .fold(root.to_path_buf(), |dir, name| dir.join(name));
    if above.len() > DEEPEST {
        return;
    }
    let Some((first, rest)) = pattern.split_first() else {
        return;
    };
    if first == "**" {
        walk(root, above, rest, found);
    }
    let mut entries: Vec<_> = fs::read_dir(&dir).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
            continue;
        };
        if is_denied(&name) || (first != "**" && match_name(first, &name).is_none()) {
            continue;
        }
        above.push(name);
        if kind.is_dir() || (kind.is_symlink() && files::is_own_dir(root, &entry.path())) {
            walk(
                root,
                above,
                if first == "**" { pattern } else { rest },
                found,
            );
        } else if kind.is_file() && rest.is_empty() && first != "**" && !found.contains(above) {
            found.push(above.clone());
        }
        above.pop();
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Matched {
    session: String,
    /// The index of the name that holds the project.
    project_at: Option<usize>,
}

fn match_names(pattern: &[String], names: &[String]) -> Option<Matched> {
    let Some((first, rest)) = pattern.split_first() else {
        return names.is_empty().then(|| Matched {
            session: String::new(),
            project_at: None,
        });
    };
    if first == "**" {
        let here = match_names(rest, names);
        // A project after `**` has no fixed place in the pattern, so the author's place is kept.
        let deeper = || match_names(pattern, names.get(1..)?);
        return here.or_else(deeper).map(|matched| Matched {
            project_at: None,
            ..matched
        });
    }
    let (name, others) = names.split_first()?;
    let captured = match_name(first, name)?;
    let mut matched = match_names(rest, others)?;
    matched.project_at = matched.project_at.map(|at| at + 1);
    if first.contains(PROJECT) {
        matched.project_at = Some(0);
    }
    if first.contains(SESSION) {
        matched.session = captured;
    }
    Some(matched)
}

/// Matches one name, and returns the value of `{session}` (empty if it is not in this name).
fn match_name(pattern: &str, name: &str) -> Option<String> {
    if let Some(rest) = pattern.strip_prefix(SESSION) {
        return longest_first(name)
            .find_map(|(start, end)| match_name(rest, end).map(|_| start.to_owned()));
    }
    if let Some(rest) = pattern.strip_prefix(PROJECT) {
        return longest_first(name).find_map(|(_, end)| match_name(rest, end));
    }
    if let Some(rest) = pattern.strip_prefix('*') {
        return match_name(rest, name)
            .or_else(|| longest_first(name).find_map(|(_, end)| match_name(rest, end)));
    }
    match (pattern.chars().next(), name.chars().next()) {
        (None, None) => Some(String::new()),
        (Some(wanted), Some(is)) if wanted == is => {
            match_name(&pattern[wanted.len_utf8()..], &name[is.len_utf8()..])
        }
        _ => None,
    }
}

/// All ways to split a name in two with a non-empty first part.
fn longest_first(name: &str) -> impl Iterator<Item = (&str, &str)> {
    let cuts = name.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
    cuts.map(|at| name.split_at(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(sessions: &str) -> Definition {
        Definition {
            id: "x".into(),
            root: "~/.x".into(),
            sessions: sessions.into(),
            ..Definition::default()
        }
    }

    fn session(pattern: &str, path: &str) -> Option<String> {
        let tool = CustomTool::new(definition(pattern)).expect("definition");
        let names: Vec<String> = path.split('/').map(str::to_owned).collect();
        match_names(&tool.pattern, &names).map(|matched| matched.session)
    }

    #[test]
    fn patterns() {
        let table = [
            ("chats/{session}.jsonl", "chats/a.b.jsonl", Some("a.b")),
            ("chats/{session}.jsonl", "chats/.jsonl", None),
            ("chats/{session}.jsonl", "chats/x/a.jsonl", None),
            (
                "{project}/chats/{session}.json",
                "my api/chats/1.json",
                Some("1"),
            ),
            ("**/{session}.json", "1.json", Some("1")),
            ("**/{session}.json", "a/b/c/1.json", Some("1")),
            ("{session}/log.*", "s1/log.txt", Some("s1")),
            (
                "rollout-*-{session}.jsonl",
                "rollout-2026-ä.jsonl",
                Some("ä"),
            ),
        ];
        for (pattern, path, wanted) in table {
            assert_eq!(
                session(pattern, path).as_deref(),
                wanted,
                "{pattern} on {path}"
            );
        }
    }

    /// A link deep in a store led to another directory of that store, whose sessions were listed twice.
    #[cfg(unix)]
    #[test]
    fn a_link_within_the_store_lists_no_session_twice() {
        use std::os::unix::fs::symlink;
        let (store, elsewhere) = (
            tempfile::tempdir().expect("dir"),
            tempfile::tempdir().expect("dir"),
        );
        let root = store.path();
        for dir in ["a/b", "c"] {
            fs::create_dir_all(root.join(dir)).expect("dir");
        }
        for file in [root.join("c/1.json"), elsewhere.path().join("2.json")] {
            fs::write(file, "{}").expect("written");
        }
        symlink(root.join("c"), root.join("a/b/again")).expect("link");
        symlink(elsewhere.path(), root.join("a/b/own")).expect("link");
        let mut found = Vec::new();
        let pattern = ["**", "{session}.json"].map(String::from);
        walk(root, &mut Vec::new(), &pattern, &mut found);
        let found: Vec<String> = found.iter().map(|names| names.join("/")).collect();
        assert_eq!(found, ["a/b/own/2.json", "c/1.json"]);
    }

    #[test]
    fn a_wrong_definition_says_what_is_wrong() {
        let error = |definition| {
            CustomTool::new(definition)
                .err()
                .map(|error: DefinitionError| error.to_string())
        };
        assert_eq!(
            error(definition("chats/*.jsonl")).as_deref(),
            Some(
                r#"x: "sessions" needs exactly one {session}, like "chats/{session}.jsonl"; it is "chats/*.jsonl""#
            )
        );
        assert!(error(definition("../{session}.jsonl")).is_some());
        assert!(error(definition("/etc/{session}")).is_some());
        assert!(
            error(Definition {
                id: "X Y".into(),
                ..definition("{session}")
            })
            .is_some()
        );
        assert!(
            error(Definition {
                root: " ".into(),
                ..definition("{session}")
            })
            .is_some()
        );
    }

    #[test]
    fn toml_there_and_back() {
        let text = "id = \"x\"\nroot = \"~/.x\"\nsessions = \"{session}.json\"\nkind = \"snapshot\"\nresume = [\"x\", \"{session}\"]\n";
        let read: Definition = toml::from_str(text).expect("toml");
        assert_eq!(
            (read.kind, read.project),
            (Kind::Snapshot, ProjectRule::Same)
        );
        assert_eq!(
            toml::from_str::<Definition>(&toml::to_string(&read).expect("text")).expect("toml"),
            read
        );
    }
}
