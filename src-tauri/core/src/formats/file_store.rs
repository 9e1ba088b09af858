//! A store in which each session is a directory of files, possibly in groups:
//! `<root>/<group>/<session>/<file>`. From that declaration follow what a changed path concerns,
//! the listing, conflict copies, duplicate ids, and where a session is placed.

use super::files::{self, GuestWrite};
use crate::adapter::{
    Bytes, Change, Checkout, ConflictCopy, Found, FoundDoc, Listing, Stamp, Touched, Twin, Which,
    WriteError, Written,
};
use crate::session::{DocKind, DocName, Problem, SessionId, copied_from};
use std::fs;
use std::path::{Path, PathBuf};

/// The layout of a tool's store.
pub struct FileStore {
    /// The tool's name, for messages.
    pub name: &'static str,
    pub root: PathBuf,
    /// The path of `root` below the tool's directory: the start of each doc's place.
    pub at: &'static str,
    pub is_group: fn(&str) -> bool,
    pub is_session: fn(&str) -> bool,
    /// The files of a session. The first one is the main doc. The file's name is the doc's.
    pub files: &'static [(&'static str, DocKind)],
}

/// Gives the bytes of a snapshot their form for this device.
pub type Adapt<'a> = dyn Fn(&DocName, Vec<u8>) -> Result<Vec<u8>, WriteError> + 'a;

/// A session's directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionDir {
    pub session: String,
    pub group: String,
}

impl FileStore {
    pub fn dir(&self, of: &SessionDir) -> PathBuf {
        self.root.join(&of.group).join(&of.session)
    }

    /// The part of the store that a changed path concerns.
    pub fn touched(&self, path: &Path) -> Touched {
        let Some(names) = files::names_below(&self.root, path) else {
            return Touched::Nothing;
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let session = match names[..] {
            [] => return Touched::Everything,
            [group] if (self.is_group)(group) => return Touched::Everything,
            [group, session] if (self.is_group)(group) => session,
            [group, session, file] if (self.is_group)(group) && self.kind_of(file).is_some() => {
                session
            }
            _ => return Touched::Nothing,
        };
        match (self.is_session)(session) {
            true => Touched::Session(SessionId::new(session)),
            false => Touched::Nothing,
        }
    }

    /// Lists the store. `live` says whether a session is open here, given its directory.
    pub fn list(&self, which: Which<'_>, live: &dyn Fn(&Path) -> Option<String>) -> Listing {
        let mut listing = Listing::default();
        for at in self.dirs(which) {
            let dir = self.dir(&at);
            let session = SessionId::new(at.session.as_str());
            if let Which::ConflictCopies = which {
                self.add_conflict_copies(&at, &live(&dir), &mut listing.conflict_copies);
                continue;
            }
            let Some(docs) = self.docs(&at) else {
                continue;
            };
            let first = listing.found.last();
            match first.filter(|first| first.session == session) {
                None => listing.found.push(Found {
                    session,
                    live: live(&dir),
                    docs,
                }),
                Some(first) => {
                    let doc = docs[0].clone();
                    listing
                        .problems
                        .push(self.duplicate(&session, &first.docs[0], &doc));
                    listing.twins.push(Twin { session, doc });
                }
            }
        }
        listing
    }

    fn duplicate(&self, session: &SessionId, first: &FoundDoc, other: &FoundDoc) -> Problem {
        Problem::new(
            "duplicate_session",
            format!(
                "{} has session {session} twice: {} and {}.",
                self.name,
                first.path.display(),
                other.path.display()
            ),
            "Both are recorded. Move one of them out of the store.",
        )
    }

    /// The directories of sessions, by session and then by group.
    fn dirs(&self, which: Which<'_>) -> Vec<SessionDir> {
        let groups = own_dirs(&self.root).into_iter();
        let groups = groups.filter(|group| (self.is_group)(group));
        let mut found: Vec<SessionDir> = match which {
            Which::One(session) if !(self.is_session)(session.as_str()) => Vec::new(),
            Which::One(session) => groups
                .map(|group| SessionDir {
                    session: session.to_string(),
                    group,
                })
                .filter(|at| files::is_own_dir(&self.root, &self.dir(at)))
                .collect(),
            _ => groups
                .flat_map(|group| {
                    let sessions = own_dirs(&self.root.join(&group)).into_iter();
                    let sessions = sessions.filter(|session| (self.is_session)(session));
                    sessions
                        .map(|session| SessionDir {
                            session,
                            group: group.clone(),
                        })
                        .collect::<Vec<_>>()
                })
                .collect(),
        };
        found.sort();
        found
    }

    fn kind_of(&self, file: &str) -> Option<DocKind> {
        let (_, kind) = self.files.iter().find(|(name, _)| *name == file)?;
        Some(*kind)
    }

    fn place(&self, at: &SessionDir, file: &str) -> String {
        format!("{}/{}/{}/{file}", self.at, at.group, at.session)
    }

    /// The docs of a session; `None` without its main doc.
    fn docs(&self, at: &SessionDir) -> Option<Vec<FoundDoc>> {
        let dir = self.dir(at);
        let docs: Vec<FoundDoc> = self
            .files
            .iter()
            .filter_map(|(file, kind)| {
                let path = dir.join(file);
                Some(FoundDoc {
                    name: DocName::new(*file),
                    kind: *kind,
                    at: self.place(at, file),
                    stamp: Stamp::of(&path).ok()?,
                    path,
                })
            })
            .collect();
        let has_main = docs.first()?.name.as_str() == self.files[0].0;
        has_main.then_some(docs)
    }

    fn add_conflict_copies(
        &self,
        at: &SessionDir,
        live: &Option<String>,
        found: &mut Vec<ConflictCopy>,
    ) {
        let dir = self.dir(at);
        let conflict_copy = |name: String| {
            let original = copied_from(&name)?;
            Some(ConflictCopy {
                session: SessionId::new(at.session.as_str()),
                kind: self.kind_of(&original)?,
                main: original == self.files[0].0,
                at: self.place(at, &original),
                doc: DocName::new(original),
                stamp: Stamp::of(&dir.join(&name)).ok()?,
                path: dir.join(name),
                live: live.clone(),
            })
        };
        let names = names(&dir, |kind| kind.is_file()).into_iter();
        found.extend(names.filter_map(conflict_copy));
    }

    /// The directory of a session that is in the store.
    pub fn find(&self, session: &SessionId) -> Option<SessionDir> {
        let mut dirs = self.dirs(Which::One(session)).into_iter();
        dirs.find(|at| self.docs(at).is_some())
    }

    /// Writes a session. A session that is not here is placed in `group`. `adapt` gives the
    /// bytes of a snapshot their form for this device, or refuses them.
    pub fn write(
        &self,
        checkout: &Checkout<'_>,
        group: &str,
        adapt: &Adapt<'_>,
        still_free: &dyn Fn() -> Result<(), WriteError>,
    ) -> Result<Written, WriteError> {
        if !(self.is_session)(checkout.session.as_str()) {
            let why = format!("\"{}\" is no id of {}", checkout.session, self.name);
            return Err(WriteError::Refused(why));
        }
        let here = self.find(checkout.session);
        let at = here.clone().unwrap_or_else(|| SessionDir {
            session: checkout.session.to_string(),
            group: group.to_owned(),
        });
        let dir = self.dir(&at);
        let mut planned = Vec::new();
        for doc in &checkout.docs {
            let (name, change) = (doc.name, &doc.change);
            let Some(kind) = self.kind_of(name.as_str()) else {
                let why = format!("\"{name}\" is none of {}'s files", self.name);
                return Err(WriteError::Refused(why));
            };
            let path = dir.join(name.as_str());
            let is_main = name.as_str() == self.files[0].0;
            match change.path() {
                Some(is) if is != path => return Err(WriteError::Changed(is.to_path_buf())),
                None if is_main && here.is_some() => return Err(WriteError::Changed(path)),
                _ => {}
            }
            let adapted = match (kind, whole(change, &path)?) {
                (DocKind::Snapshot, Some(bytes)) => Some(adapt(name, bytes)?),
                _ => None,
            };
            planned.push((name, path, change, adapted));
        }
        let changes: Vec<Change<'_>> = planned
            .iter()
            .map(|(_, _, change, adapted)| change.of(adapted.as_ref()))
            .collect();
        let writes: Vec<GuestWrite<'_>> = planned
            .iter()
            .zip(&changes)
            .map(|((name, path, ..), change)| GuestWrite {
                name,
                root: &self.root,
                path: path.clone(),
                change,
            })
            .collect();
        let written = files::write_docs(&writes, checkout.updated, still_free)?;
        // Succeeds only if the directory is empty.
        drop(fs::remove_dir(&dir));
        Ok(written)
    }
}

/// The complete content that a change brings; `None` for all other changes.
fn whole(change: &Change<'_>, path: &Path) -> Result<Option<Vec<u8>>, WriteError> {
    let bytes: &dyn Bytes = match change {
        Change::Create(bytes) | Change::Replace { bytes, .. } => *bytes,
        Change::Append { .. } | Change::Remove { .. } => return Ok(None),
    };
    let mut content = Vec::new();
    bytes
        .write_to(&mut content)
        .map_err(|source| WriteError::Io {
            path: path.to_path_buf(),
            source,
        })?;
    Ok(Some(content))
}

/// The names of a directory's entries of some kinds, in a fixed order.
fn names(dir: &Path, wanted: impl Fn(&fs::FileType) -> bool) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.file_type().is_ok_and(|kind| wanted(&kind)));
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Directories in `dir`; a link counts if it leads to another directory of the user's.
fn own_dirs(dir: &Path) -> Vec<String> {
    let names = names(dir, |kind| kind.is_dir() || kind.is_symlink()).into_iter();
    names
        .filter(|name| files::is_own_dir(dir, &dir.join(name)))
        .collect()
}
