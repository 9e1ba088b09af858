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
//! so only the stamps prevent us from overwriting its work. A file without an id in its name cannot
//! be a session: two devices' files would be one.

mod definition;

use self::definition::PROJECT;
pub use self::definition::{Definition, DefinitionError, Kind, ProjectRule};
use super::{
    About, Checkout, Facts, Found, Launch, Level, Listing, Machine, Reading, Resumable, Root,
    Steering, Tool, Touched, Which, WriteError, Written, is_foreign_name,
};
use crate::formats::file_store::{DocFile, FileStore, KnownDirs, SessionAt};
use crate::formats::jsonl;
use crate::opener;
use crate::session::{DocName, ToolId};
use serde_json::Value;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

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
/// The project as [`DocFile::at`] names it.
const GROUP: &str = "{group}";
const HEAD: u64 = 128 * 1024;
/// A snapshot up to this size is parsed for its directory and title.
const LARGEST_PARSED: u64 = 8 << 20;

pub struct CustomTool {
    definition: Definition,
    /// The name and the place of the one doc.
    main: String,
    pattern: String,
    known: KnownDirs,
}

impl CustomTool {
    pub fn new(definition: Definition) -> Result<Self, DefinitionError> {
        definition.check()?;
        let last = definition.sessions.rsplit('/').next().unwrap_or_default();
        let ending = last.rsplit_once('.').map(|(_, ending)| ending);
        let ending = ending.filter(|ending| !ending.contains(['{', '*']));
        Ok(Self {
            main: format!("session.{}", ending.unwrap_or("data")),
            pattern: definition.sessions.replace(PROJECT, GROUP),
            definition,
            known: KnownDirs::default(),
        })
    }

    fn root(&self, machine: &Machine) -> PathBuf {
        let root = &self.definition.root;
        match root.strip_prefix('~') {
            Some(below) => machine.home.join(below.trim_start_matches(['/', '\\'])),
            None => machine.home.join(root),
        }
    }

    fn name(&self) -> &str {
        if self.definition.name.is_empty() {
            &self.definition.id
        } else {
            &self.definition.name
        }
    }

    fn docs(&self) -> [DocFile<'_>; 1] {
        [match self.definition.kind {
            Kind::Log => DocFile::log(&self.main, &self.pattern),
            Kind::Snapshot => DocFile::snapshot(&self.main, &self.pattern),
        }]
    }

    fn store<'s>(&'s self, machine: &Machine, docs: &'s [DocFile<'s>]) -> FileStore<'s> {
        FileStore {
            is_group: |name| !is_denied(name),
            denied: &DENIED,
            hint: "Make the pattern \"sessions\" in config.toml name one of them only.",
            known: Some(&self.known),
            ..FileStore::new(self.name(), self.root(machine), docs, is_one_name)
        }
    }

    /// The place of a session that is not here yet: the author's, with this device's project.
    fn place(
        &self,
        store: &FileStore<'_>,
        checkout: &Checkout<'_>,
    ) -> Result<SessionAt, WriteError> {
        let author_at = checkout.docs.first().map_or("", |doc| doc.place);
        let at = store.session_of_main(author_at);
        let at = at.filter(|at| at.session == checkout.session.as_str());
        let at = at.ok_or_else(|| {
            WriteError::Refused(format!(
                "\"{author_at}\" is not where \"{}\" puts sessions",
                self.definition.sessions
            ))
        })?;
        // After `**` a project has no certain place, so the author's is kept.
        let mut parts = self.pattern.split('/').take_while(|part| *part != "**");
        let (Some(idx), Some(project)) = (
            parts.position(|part| part.contains(GROUP)),
            self.project(checkout.cwd),
        ) else {
            return Ok(at);
        };
        let mut names: Vec<&str> = at.place.split('/').collect();
        let part = self.pattern.split('/').nth(idx).unwrap_or_default();
        let name = SessionAt {
            group: project,
            ..at.clone()
        }
        .fill(part);
        names[idx] = &name;
        Ok(SessionAt {
            place: names.join("/"),
            ..at
        })
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
            steering: Steering {
                words: "nothing: what steers a tool of your own is not known, and its files arrive as they are",
                ..Steering::default()
            },
            versions: "described in config.toml".into(),
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        vec![Root {
            path: self.root(machine),
            deep: self.pattern.contains('/'),
            store: true,
        }]
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        self.store(machine, &self.docs()).touched(path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        self.store(machine, &self.docs()).list(which, &|_| None)
    }

    fn read(&self, _machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.main()?;
        let records = self.records(&main.path)?;
        let cwd = self.field(&records, self.definition.cwd_field.as_ref());
        let title = self.field(&records, self.definition.title_field.as_ref());
        let facts = Facts {
            early: self.definition.cwd_field.is_some() && cwd.is_none() && main.stamp.len <= HEAD,
            cwd,
            title: title.and_then(|title| jsonl::title_of(&title)),
            updated: Some(main.stamp.modified()),
            ..Facts::default()
        };
        Ok(Reading::of_files(found, facts))
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let docs = self.docs();
        let store = self.store(machine, &docs);
        let place = || self.place(&store, checkout);
        store.write_placed(checkout, &place, &|_, _| Ok(None), &|| Ok(()))
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
        doc.as_str() == self.main
    }
}

/// Whether an id, which may come from another device, is one name: it becomes a part of a path.
fn is_one_name(id: &str) -> bool {
    use std::path::Component;
    Path::new(id)
        .components()
        .eq([Component::Normal(id.as_ref())])
}

fn is_denied(name: &str) -> bool {
    let is = |denied: &&str| denied.eq_ignore_ascii_case(name);
    is_foreign_name(name) || DENIED.iter().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
        let docs = tool.docs();
        let store = tool.store(&Machine::at("/home/ada"), &docs);
        store.session_of_main(path).map(|at| at.session)
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

    /// An id from another device named a file outside the store, which was read and recorded.
    #[test]
    fn an_id_is_one_name_and_never_a_path() {
        let home = tempfile::tempdir().expect("dir");
        let machine = Machine::at(home.path());
        let listed = |pattern: &str, id: &str| {
            let tool = CustomTool::new(definition(pattern)).expect("definition");
            let which = crate::session::SessionId::new(id);
            let sessions = tool.sessions(&machine, Which::One(&which)).found;
            sessions.len()
        };
        for file in [
            "s.jsonl",
            ".x/s.jsonl",
            ".x/chats/s.jsonl",
            ".x/chats/d/s.jsonl",
            ".x/log.txt",
        ] {
            let path = home.path().join(file);
            fs::create_dir_all(path.parent().expect("a directory")).expect("dirs");
            fs::write(path, "{}\n").expect("file");
        }
        assert_eq!(listed("chats/{session}.jsonl", "s"), 1);
        for id in [
            "../s",
            "../../s",
            "d/s",
            "./s",
            "..",
            ".",
            "",
            "/etc/passwd",
        ] {
            assert_eq!(listed("chats/{session}.jsonl", id), 0, "{id}");
            assert_eq!(listed("chats/{session}", id), 0, "{id}");
            assert_eq!(listed("chats/{session}/log.txt", id), 0, "{id}");
        }
    }

    /// An id is a word of the command that opens the session.
    #[test]
    fn an_id_is_no_option_of_a_command() {
        let home = tempfile::tempdir().expect("dir");
        let machine = Machine::at(home.path());
        let tool = CustomTool::new(definition("chats/{session}.jsonl")).expect("definition");
        let main = DocName::new("session.jsonl");
        fs::create_dir_all(home.path().join(".x/chats")).expect("dirs");
        for id in ["--yolo", "-y", "-"] {
            let session = crate::session::SessionId::new(id);
            let at = format!("chats/{id}.jsonl");
            let lines = b"{}\n".to_vec();
            let checkout = Checkout {
                session: &session,
                cwd: home.path(),
                updated: crate::session::Millis(1),
                now: crate::session::Millis(2),
                forgets: false,
                docs: vec![crate::tools::DocWrite {
                    name: &main,
                    place: &at,
                    change: crate::tools::Change::Create(&lines),
                }],
            };
            let written = tool.write(&machine, &checkout);
            assert!(matches!(written, Err(WriteError::Refused(_))), "{id}");
            let file = home.path().join(".x").join(&at);
            assert!(!file.exists(), "{id}");
            fs::write(file, &lines).expect("file");
            for which in [Which::One(&session), Which::All] {
                assert_eq!(tool.sessions(&machine, which).found.len(), 0, "{id}");
            }
        }
    }

    /// The user's own pattern led into a directory that is never read.
    #[test]
    fn denied_names_are_denied_in_the_fixed_part_of_a_pattern_too() {
        let home = tempfile::tempdir().expect("dir");
        fs::create_dir_all(home.path().join(".x/.ssh")).expect("dirs");
        fs::write(home.path().join(".x/.ssh/config"), "Host x\n").expect("file");
        let tool = CustomTool::new(definition(".ssh/{session}")).expect("definition");
        let listing = tool.sessions(&Machine::at(home.path()), Which::All);
        assert_eq!(listing.found.len(), 0);
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
        let tool = CustomTool::new(Definition {
            root: root.to_string_lossy().into_owned(),
            ..definition("**/{session}.json")
        });
        let listing = tool
            .expect("definition")
            .sessions(&Machine::at("/home/ada"), Which::All);
        let mut found: Vec<&str> = (listing.found.iter())
            .map(|found| found.docs[0].place.as_str())
            .collect();
        found.sort_unstable();
        assert_eq!(found, ["a/b/own/2.json", "c/1.json"]);
    }
}
