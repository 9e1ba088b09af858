//! What is to be written into a store, and what was.

use super::Stamp;
use crate::formats::fields::{OwnFields, with_own, with_those_of};
use crate::opener;
use crate::session::{DocName, Millis, SessionId};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes to be written, of any size.
pub trait Bytes {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()>;
}

impl Bytes for [u8] {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self)
    }
}

impl Bytes for Vec<u8> {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self)
    }
}

/// A session to be checked out into this device's store.
pub struct Checkout<'a> {
    pub session: &'a SessionId,
    /// The session's directory here; the directory exists.
    pub cwd: &'a Path,
    /// Last activity of the session. Files never get a modification time older than the tool's
    /// clean-up allows.
    pub updated: Millis,
    pub now: Millis,
    /// What is removed is forgotten: nothing of it may stay. A session that is removed otherwise moves
    /// or was put away, and comes back.
    pub forgets: bool,
    /// In writing order: side docs first, the main doc last.
    pub docs: Vec<DocWrite<'a>>,
}

/// What is to be done to one doc.
pub struct DocWrite<'a> {
    pub name: &'a DocName,
    /// The doc's place on the author's device, from `FoundDoc::place`.
    pub place: &'a str,
    pub change: Change<'a>,
}

/// A change of one doc, with what the plan saw there: if the doc is another one now, nothing is written.
pub enum Change<'a> {
    /// The doc must not exist in the store.
    Create(&'a dyn Bytes),
    /// The doc is at `path` and still matches `was`; `bytes` go to offset `was.len`. A torn last
    /// line after `from` is cut only if the bytes begin with it.
    Append {
        path: &'a Path,
        was: Stamp,
        from: u64,
        bytes: &'a dyn Bytes,
    },
    /// The doc is at `path` and still matches `was`; its whole content becomes `bytes`.
    Replace {
        path: &'a Path,
        was: Stamp,
        bytes: &'a dyn Bytes,
    },
    /// The doc is at `path` and still matches `was`; the doc is removed from the store, because the
    /// user put the session away.
    Remove { path: &'a Path, was: Stamp },
}

impl Change<'_> {
    /// The doc's present path; `None` for a doc that is yet to be created.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Create(_) => None,
            Self::Append { path, .. } | Self::Replace { path, .. } | Self::Remove { path, .. } => {
                Some(path)
            }
        }
    }
}

impl Change<'_> {
    /// The whole content that a doc gets; `None` if lines are appended or the doc is removed.
    pub fn content(&self) -> Result<Option<Vec<u8>>, WriteError> {
        let bytes = match self {
            Self::Create(bytes) | Self::Replace { bytes, .. } => *bytes,
            Self::Append { .. } | Self::Remove { .. } => return Ok(None),
        };
        let mut content = Vec::new();
        let path = || self.path().map(Path::to_path_buf).unwrap_or_default();
        let written = bytes.write_to(&mut content);
        written.map_err(|source| WriteError::Io {
            path: path(),
            source,
        })?;
        Ok(Some(content))
    }
}

impl<'a> Change<'a> {
    /// The document to write. The fields named as `own` take their values from the file there, or
    /// else the given `neutral` values (as JSON); of the fields that are not known, those of the file
    /// there are written and no others. `None` if no document is written. Refused if its fields
    /// cannot be read.
    pub fn with_own(
        &self,
        own: OwnFields,
        neutral: &[&str],
    ) -> Result<Option<Vec<u8>>, WriteError> {
        let Some(bytes) = self.content()? else {
            return Ok(None);
        };
        let refused = || {
            let why = "One of its documents cannot be read, and may set what only this device sets";
            WriteError::Refused(why.into())
        };
        let named = own.named.iter().copied();
        let values: Vec<_> = named.zip(neutral.iter().copied()).collect();
        let bytes = crate::formats::fields::with(&bytes, &values).ok_or_else(refused)?;
        let there = self
            .path()
            .and_then(|path| opener::read(path, opener::MOST).ok());
        let bytes = match own.known {
            Some(known) if bytes.trim_ascii_start().starts_with(b"{") => {
                let there = there.as_deref().unwrap_or_default();
                with_own(&bytes, there, |name| !known.contains(&name)).ok_or_else(refused)?
            }
            _ => bytes,
        };
        Ok(Some(match there {
            Some(there) => with_those_of(&bytes, own.named, &there),
            None => bytes,
        }))
    }

    /// The same change with other bytes.
    pub fn of(&self, bytes: Option<&'a Vec<u8>>) -> Change<'a> {
        match (self, bytes) {
            (Self::Create(_), Some(bytes)) => Change::Create(bytes),
            (Self::Replace { path, was, .. }, Some(bytes)) => Change::Replace {
                path,
                was: *was,
                bytes,
            },
            (Self::Create(bytes), None) => Change::Create(*bytes),
            (Self::Replace { path, was, bytes }, None) => Change::Replace {
                path,
                was: *was,
                bytes: *bytes,
            },
            (
                Self::Append {
                    path,
                    was,
                    from,
                    bytes,
                },
                _,
            ) => Change::Append {
                path,
                was: *was,
                from: *from,
                bytes: *bytes,
            },
            (Self::Remove { path, was }, _) => Change::Remove { path, was: *was },
        }
    }
}

/// The changes that were really made.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// For a removed doc, a stamp that no file has.
    pub docs: Vec<(DocName, PathBuf, Stamp)>,
    /// Why parts of a forgotten session may still be in the store, in a sentence.
    pub remains: Option<String>,
}

/// Why a session was not written. Nothing of it was changed, unless the main doc was already written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The session is open here; the text names the program.
    #[error("{0}")]
    Open(String),
    /// The store changed after the plan was made; scan again.
    #[error("{} changed while it was being written", .0.display())]
    Changed(PathBuf),
    /// The doc ends in an unfinished line, and the bytes to append do not begin with that line.
    #[error("{} ends in an unfinished line that is not the beginning of what follows", .0.display())]
    Torn(PathBuf),
    /// The store's directory does not exist: its disk may be absent.
    #[error("it belongs in {}, which was not found", .0.display())]
    Gone(PathBuf),
    /// The store rejects the write, and another scan will not help.
    #[error("{0}")]
    Refused(String),
    #[error("could not write {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl WriteError {
    /// A session in a form that must not get into the store.
    pub fn not_written(tool: &str, session: &SessionId, why: &str) -> Self {
        Self::Refused(format!("{tool}'s session {session} is not written: {why}"))
    }
}

/// A path as a JSON string for this tool.
pub fn path_in_json(path: &Path, tool: &str) -> Result<String, WriteError> {
    let text = path
        .to_str()
        .map(|text| serde_json::Value::from(text).to_string());
    text.ok_or_else(|| {
        let why = format!(
            "{} is not valid Unicode, which {tool} requires",
            path.display()
        );
        WriteError::Refused(why)
    })
}
