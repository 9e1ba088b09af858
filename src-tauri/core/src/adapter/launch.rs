//! How a session is opened on this device: by a command in a terminal, or by an application with
//! windows of its own. Knows no tool.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How to start a tool on a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    pub opens: Opens,
    pub cwd: PathBuf,
    /// Variables to set.
    pub env: BTreeMap<String, String>,
    /// Variables to remove: they would make the tool believe that it runs inside another.
    pub unset: Vec<String>,
    /// Commands of the tool that must succeed first, each with its arguments.
    pub before: Vec<Vec<String>>,
}

/// What opens a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opens {
    /// A command that needs a terminal, with its arguments.
    Command(Vec<String>),
    /// An application, which needs none.
    App(App),
    /// No program on a device does.
    Nothing,
}

/// An application with windows of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The name of its bundle on macOS.
    pub name: String,
    /// Its command on the other systems.
    pub command: String,
    /// The directory or file to open, or an option of the command.
    pub what: Option<String>,
}

impl Launch {
    /// A command in a directory, in the environment as it is.
    pub fn new(argv: Vec<String>, cwd: &Path) -> Self {
        Self::of(Opens::Command(argv), cwd)
    }

    /// An application that opens the directory.
    pub fn app(name: &str, command: &str, cwd: &Path) -> Self {
        let app = App {
            name: name.to_owned(),
            command: command.to_owned(),
            what: Some(cwd.to_string_lossy().into_owned()),
        };
        Self::of(Opens::App(app), cwd)
    }

    /// Opens this in the directory, without variables to set or to remove.
    pub fn of(opens: Opens, cwd: &Path) -> Self {
        Self {
            opens,
            cwd: cwd.to_path_buf(),
            env: BTreeMap::new(),
            unset: Vec::new(),
            before: Vec::new(),
        }
    }

    /// The words of the command on this system; none if nothing opens the session.
    pub fn argv(&self) -> Vec<String> {
        self.opens.argv(cfg!(target_os = "macos"))
    }

    /// Whether what opens shows a window of its own and needs no terminal.
    pub fn is_app(&self) -> bool {
        matches!(self.opens, Opens::App(_))
    }
}

impl Opens {
    /// On macOS an application opens by its name: its command is on PATH only where the user had the
    /// application put it there.
    pub fn argv(&self, on_mac: bool) -> Vec<String> {
        match self {
            Self::Command(argv) => argv.clone(),
            Self::Nothing => Vec::new(),
            Self::App(App {
                name,
                command,
                what,
            }) => {
                let is_option = what.as_ref().is_some_and(|what| what.starts_with('-'));
                let start = match on_mac && !is_option {
                    true => vec!["open".to_owned(), "-a".to_owned(), name.clone()],
                    false => vec![command.clone()],
                };
                start.into_iter().chain(what.clone()).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_opens_by_its_command_or_by_its_name() {
        let app = |what: Option<&str>| {
            Opens::App(App {
                name: "Some Editor".into(),
                command: "some".into(),
                what: what.map(str::to_owned),
            })
        };
        let table = [
            (app(Some("/a b")), "some|/a b", "open|-a|Some Editor|/a b"),
            (app(None), "some", "open|-a|Some Editor"),
            (app(Some("--new")), "some|--new", "some|--new"),
            (Opens::Command(vec!["x".into(), "y".into()]), "x|y", "x|y"),
            (Opens::Nothing, "", ""),
        ];
        for (opens, elsewhere, on_mac) in table {
            assert_eq!(opens.argv(false).join("|"), elsewhere);
            assert_eq!(opens.argv(true).join("|"), on_mac);
        }
    }
}
