//! Names in the store for apps: an app's, a session's, a part's. They are anything an app says, so on
//! disk they stand in the first line of a file, and the file's own name is a hash.

use crate::session::ids::name_hash;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The bytes of a project's, a session's or a part's name.
const LONGEST: usize = 512;
const LONGEST_APP: usize = 40;
/// The bytes of a first line: three names, each with escapes, and what surrounds them.
pub const LONGEST_HEADER: usize = 6 * 3 * LONGEST + 512;
/// The characters of a session's id.
const ID_LEN: usize = 26;
/// What the first line of each file is.
const KIND: &str = "session-roam";

/// An app's name, which is also a directory's name on every system.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppName(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error(
        "an app's name is 1 to {LONGEST_APP} lower-case letters, digits and dashes, and begins with a letter"
    )]
    App,
    #[error("\"{0}\" is missing, longer than {LONGEST} bytes, or has control characters")]
    Field(&'static str),
    #[error(
        "\"subpath\" is a relative path with `/` between its names, none of them empty, `.` or `..`"
    )]
    Subpath,
}

impl AppName {
    pub fn new(text: &str) -> Result<Self, NameError> {
        // Names of devices on Windows.
        const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_numbered = text.len() == 4 && (text.starts_with("com") || text.starts_with("lpt"));
        let fits = text.len() <= LONGEST_APP
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(plain)
            && !is_numbered
            && !RESERVED.contains(&text);
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(NameError::App),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AppName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl From<AppName> for String {
    fn from(name: AppName) -> Self {
        name.0
    }
}

/// A session as its app names it, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppKey {
    project: String,
    session: String,
    subpath: Option<String>,
}

impl AppKey {
    pub fn new(
        project: String,
        session: String,
        subpath: Option<String>,
    ) -> Result<Self, NameError> {
        checked("project", &project)?;
        checked("session", &session)?;
        if let Some(subpath) = &subpath {
            checked("subpath", subpath)?;
            let odd = |name: &str| matches!(name, "" | "." | "..") || name.contains('\\');
            if subpath.split('/').any(odd) {
                return Err(NameError::Subpath);
            }
        }
        Ok(Self {
            project,
            session,
            subpath,
        })
    }

    pub fn project(&self) -> &str {
        &self.project
    }

    pub fn session(&self) -> &str {
        &self.session
    }

    pub fn subpath(&self) -> Option<&str> {
        self.subpath.as_deref()
    }

    /// The first line of the main doc of the session's life `n`.
    pub fn header(&self, app: &AppName, n: u32) -> Header {
        Header {
            kind: KIND.into(),
            id: id(app.as_str(), &self.project, &self.session, n),
            app: app.clone(),
            project: self.project.clone(),
            session: self.session.clone(),
            n,
            subpath: None,
        }
    }
}

/// A project's name, for a list.
pub fn checked(field: &'static str, text: &str) -> Result<(), NameError> {
    let fits = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    fits.then_some(()).ok_or(NameError::Field(field))
}

/// The first line of a file: to whom it belongs. The same on every device for the same session, so
/// that two devices that begin it at once have a common start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    #[serde(rename = "type")]
    kind: String,
    /// The session's id on disk and in the journals.
    pub id: String,
    pub app: AppName,
    pub project: String,
    pub session: String,
    /// How often a session of that name was deleted before this one began.
    #[serde(default)]
    pub n: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subpath: Option<String>,
}

impl Header {
    /// Parses a first line, with or without its end.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let header: Self = serde_json::from_slice(line).ok()?;
        let key = AppKey::new(
            header.project.clone(),
            header.session.clone(),
            header.subpath.clone(),
        );
        (header.kind == KIND && is_id(&header.id) && key.is_ok()).then_some(header)
    }

    pub fn render(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    pub fn with_subpath(&self, subpath: &str) -> Self {
        Self {
            subpath: Some(subpath.to_owned()),
            ..self.clone()
        }
    }

    /// Whether the session is a branch of the one that its app began: its id is not that one's.
    pub fn is_fork(&self) -> bool {
        self.id != self.life(self.n)
    }

    /// The id of the session's life `n`.
    pub fn life(&self, n: u32) -> String {
        id(self.app.as_str(), &self.project, &self.session, n)
    }

    /// The session's id as its app sees it. A branch has its own.
    pub fn shown(&self) -> &str {
        match self.is_fork() {
            true => &self.id,
            false => &self.session,
        }
    }

    /// Whether the app means this session.
    pub fn is_of(&self, project: &str, session: &str) -> bool {
        self.project == project && self.shown() == session
    }
}

/// Whether a line is the first line of a file of this store.
pub fn is_header(line: &[u8]) -> bool {
    line.len() <= LONGEST_HEADER && Header::parse(line).is_some()
}

fn id(app: &str, project: &str, session: &str, n: u32) -> String {
    let names = serde_json::json!([app, project, session, n]).to_string();
    name_hash("app session", &names)
}

/// An id of this store, or of a branch of such a session.
pub fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() == ID_LEN && text.bytes().all(plain)
}

/// The name of the file of a part, without its ending.
pub fn part_hash(subpath: &str) -> String {
    name_hash("app subpath", subpath)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::{fork_id, substitute};
    use crate::session::{ChainId, SessionId};

    #[test]
    fn no_name_is_a_path_or_a_device() {
        for bad in [
            "",
            "A",
            "..",
            "a/b",
            "a\\b",
            "a.b",
            "1a",
            "-a",
            "con",
            "nul",
            "com1",
            "lpt9",
            "é",
            "a b",
            "a\n",
            &"a".repeat(41),
        ] {
            assert_eq!(AppName::new(bad), Err(NameError::App), "{bad:?}");
        }
        for good in ["a", "notes-2", "console", &"a".repeat(40)] {
            assert!(AppName::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_subpath_leads_nowhere_else_and_names_may_be_anything_printable() {
        let key = |project: &str, session: &str, subpath: Option<&str>| {
            AppKey::new(project.into(), session.into(), subpath.map(str::to_owned))
        };
        for bad in [
            "", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a\0", "C:\\x",
        ] {
            assert!(key("p", "s", Some(bad)).is_err(), "{bad:?}");
        }
        assert!(key("p", "s", Some("subagents/agent-1")).is_ok());
        for bad in ["", "a\n", "\u{7f}", &"a".repeat(513)] {
            assert!(
                key(bad, "s", None).is_err() && key("s", bad, None).is_err(),
                "{bad:?}"
            );
        }
        for odd in ["../../etc", "C:\\Users", "日本", "con", "a b\u{202e}"] {
            assert!(key(odd, odd, None).is_ok(), "{odd:?}");
        }
    }

    #[test]
    fn ids_are_file_names_and_differ_by_each_name_and_case() {
        let app = AppName::new("notes").expect("name");
        let id = |project: &str, session: &str, n| {
            AppKey::new(project.into(), session.into(), None)
                .expect("key")
                .header(&app, n)
                .id
        };
        let all = [
            id("p", "s", 0),
            id("P", "s", 0),
            id("p", "S", 0),
            id("p", "s", 1),
            id("p\",\"s", "x", 0),
        ];
        assert!(all.iter().all(|id| is_id(id)), "{all:?}");
        assert_eq!(
            all.iter().collect::<std::collections::BTreeSet<_>>().len(),
            all.len()
        );
    }

    #[test]
    fn a_branch_is_recognised_by_its_header() {
        let app = AppName::new("notes").expect("name");
        let header = AppKey::new("p".into(), "s".into(), None)
            .expect("key")
            .header(&app, 0);
        assert!(!header.is_fork() && header.is_of("p", "s"));
        let (parent, mut line) = (SessionId::new(header.id.clone()), header.render());
        let fork = fork_id(&parent, ChainId::log_start());
        substitute(&mut line, &parent, &fork);
        let header = Header::parse(&line).expect("header");
        assert!(header.is_fork() && is_id(fork.as_str()));
        assert!(header.is_of("p", fork.as_str()) && !header.is_of("p", "s"));
    }
}
