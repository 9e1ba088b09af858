//! What the user writes about a tool in config.toml, and what is wrong with it.

use super::SESSION;
use serde::{Deserialize, Serialize};

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
    #[error("{id}: \"{field}\" has {placeholder}, which is not known there: {allowed}")]
    Placeholder {
        id: String,
        field: &'static str,
        placeholder: String,
        allowed: &'static str,
    },
}

pub(super) const PROJECT: &str = "{project}";

impl Definition {
    /// Checks all of it but whether the id is taken.
    pub(super) fn check(&self) -> Result<(), DefinitionError> {
        let id = self.id.clone();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if id.is_empty() || !id.bytes().all(fits) {
            return Err(DefinitionError::Id(id));
        }
        if self.root.trim().is_empty() {
            return Err(DefinitionError::Root(id));
        }
        self.check_placeholders()?;
        let pattern = self.sessions.clone();
        if pattern.matches(SESSION).count() != 1 || pattern.matches(PROJECT).count() > 1 {
            return Err(DefinitionError::Session { id, pattern });
        }
        let odd =
            |name: &str| name.is_empty() || name == "." || name == ".." || name.contains('\\');
        if pattern.split('/').any(odd) {
            return Err(DefinitionError::Pattern { id, pattern });
        }
        Ok(())
    }

    fn check_placeholders(&self) -> Result<(), DefinitionError> {
        const IN_ROOT: &str = "it is one directory, like \"~/.x\"";
        const IN_SESSIONS: &str = "it may have {session} and {project}, and * for any letters";
        const IN_RESUME: &str = "its words may have {session} and {cwd}";
        let words = self.resume.iter().map(|word| {
            let known: &[&str] = &[SESSION, "{cwd}"];
            ("resume", &**word, known, IN_RESUME)
        });
        let fields = [
            ("root", &*self.root, &[][..], IN_ROOT),
            (
                "sessions",
                &*self.sessions,
                &[SESSION, PROJECT][..],
                IN_SESSIONS,
            ),
        ];
        for (field, text, known, allowed) in fields.into_iter().chain(words) {
            let odd = placeholders(text).find(|placeholder| !known.contains(placeholder));
            if let Some(placeholder) = odd {
                return Err(DefinitionError::Placeholder {
                    id: self.id.clone(),
                    field,
                    placeholder: placeholder.to_owned(),
                    allowed,
                });
            }
        }
        Ok(())
    }
}

/// The parts of a text that look like placeholders: a word in braces.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices('{').map(|(at, _)| at);
    starts.filter_map(|at| {
        let end = at + text[at..].find('}')? + 1;
        let word = &text[at + 1..end - 1];
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        (!word.is_empty() && word.bytes().all(is_word)).then_some(&text[at..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(root: &str, sessions: &str) -> Definition {
        Definition {
            id: "x".into(),
            root: root.into(),
            sessions: sessions.into(),
            ..Definition::default()
        }
    }

    #[test]
    fn a_wrong_definition_says_what_is_wrong() {
        let error = |definition: Definition| {
            let error = definition.check().err();
            error.map(|error| error.to_string())
        };
        assert_eq!(
            error(definition("~/.x", "chats/*.jsonl")).as_deref(),
            Some(
                r#"x: "sessions" needs exactly one {session}, like "chats/{session}.jsonl"; it is "chats/*.jsonl""#
            )
        );
        for pattern in ["../{session}.jsonl", "/etc/{session}"] {
            assert!(error(definition("~/.x", pattern)).is_some(), "{pattern}");
        }
        assert!(error(definition(" ", "{session}")).is_some());
        let odd_id = Definition {
            id: "X Y".into(),
            ..definition("~/.x", "{session}")
        };
        assert!(error(odd_id).is_some());
    }

    /// Placeholders of the adapters' own layouts were taken in users' patterns, where nothing says
    /// what they stand for.
    #[test]
    fn a_placeholder_that_means_nothing_is_refused() {
        let error = |definition: Definition| {
            let error = definition.check().expect_err("an error");
            error.to_string()
        };
        assert_eq!(
            error(definition("~/.x", "{session}/{name}.json")),
            r#"x: "sessions" has {name}, which is not known there: it may have {session} and {project}, and * for any letters"#
        );
        for odd in [
            "{group}",
            "{short}",
            "{number}",
            "{rest}",
            "{checkout}",
            "{Session}",
        ] {
            let error = error(definition("~/.x", &format!("{odd}/{{session}}.json")));
            assert!(
                error.contains(&format!("\"sessions\" has {odd}")),
                "{error}"
            );
        }
        assert_eq!(
            error(definition("{checkout}/.x", "{session}")),
            r#"x: "root" has {checkout}, which is not known there: it is one directory, like "~/.x""#
        );
        for root in ["{checkout}", "~/{checkout}/x", "{project}/x"] {
            assert!(
                error(definition(root, "{session}")).contains("\"root\" has {"),
                "{root}"
            );
        }
        let resume = Definition {
            resume: vec!["x".into(), "{id}".into()],
            ..definition("~/.x", "{session}")
        };
        assert!(error(resume).contains("\"resume\" has {id}"));
        // A brace of a name is no placeholder.
        for pattern in ["{session}.{", "a{}b/{session}", "{a b}/{session}"] {
            assert!(definition("~/.x", pattern).check().is_ok(), "{pattern}");
        }
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
