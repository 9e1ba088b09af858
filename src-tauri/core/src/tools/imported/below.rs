//! The files below a directory that the user named: lists of conversations, transcripts and
//! pictures. Links are not followed; how deep it goes and how many names it looks at is limited.

use super::documents::is_document;
use super::progress::MOST_NAMES;
use crate::opener::{self, Kind};
use std::io;
use std::path::Path;

/// How deep below a directory is looked.
const DEEPEST: usize = 32;
/// Directories in which nobody keeps transcripts, and which are large.
const PASSED: [&str; 8] = [
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "__pycache__",
    "node_modules",
    "target",
    "vendor",
];

#[derive(Default)]
pub(super) struct Below {
    /// The paths below the directory, sorted, and the sizes.
    pub files: Vec<(String, u64)>,
    /// What could be imported and is not read, with the reason.
    pub left_out: Vec<(String, String)>,
}

impl Below {
    /// The files whose names are of this kind.
    pub fn named(&self, is_kind: fn(&str) -> bool) -> Vec<(String, u64)> {
        let files = self.files.iter();
        files
            .filter(|(path, _)| is_kind(base(path)))
            .cloned()
            .collect()
    }
}

/// Lists what is below a directory; an error if the directory itself cannot be listed.
pub(super) fn below(root: &Path) -> io::Result<Below> {
    let (mut open, mut found, mut n_seen) = (vec![(String::new(), 0)], Below::default(), 0);
    while let Some((dir, depth)) = open.pop() {
        let listed = match opener::list_below(root, &dir, MOST_NAMES - n_seen) {
            Ok(listed) => listed,
            Err(error) if dir.is_empty() => return Err(error),
            Err(error) => {
                found
                    .left_out
                    .push((dir, format!("it cannot be read: {error}")));
                continue;
            }
        };
        n_seen += listed.len();
        for entry in listed {
            let Some(name) = entry.name.to_str() else {
                let name = entry.name.to_string_lossy().into_owned();
                found
                    .left_out
                    .push((name, "its name is no Unicode text".into()));
                continue;
            };
            let path = match dir.as_str() {
                "" => name.to_owned(),
                dir => format!("{dir}/{name}"),
            };
            match entry.kind {
                Kind::Dir if PASSED.contains(&name) => {}
                Kind::Dir if depth == DEEPEST => {
                    found.left_out.push((path, "it is nested too deep".into()));
                }
                Kind::Dir => open.push((path, depth + 1)),
                Kind::File => found.files.push((path, entry.len)),
                Kind::Other if is_document(name) || is_list(name) => {
                    found
                        .left_out
                        .push((path, "it is a link or no file".into()));
                }
                Kind::Other => {}
            }
        }
        if MOST_NAMES <= n_seen {
            let why = format!("more than {MOST_NAMES} names are in it; the rest was not looked at");
            found.left_out.push((String::new(), why));
            break;
        }
    }
    found.files.sort();
    Ok(found)
}

/// `conversations.json`, or one of several: `conversations-003.json`.
pub(super) fn is_list(name: &str) -> bool {
    let stem = name
        .strip_suffix(".json")
        .and_then(|name| name.strip_prefix("conversations"));
    stem.is_some_and(|rest| {
        let number = rest.strip_prefix(['-', '_']).unwrap_or(rest);
        number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The last part of a path below a directory or in an archive.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
