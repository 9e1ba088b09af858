//! A store whose sessions are files at places that a pattern describes, such as
//! `{group}/{session}/messages.jsonl`. From that declaration follow what a changed path concerns,
//! the listing, conflict copies, duplicate ids, and where a session is placed.

use super::files::{self, GuestWrite};
use crate::adapter::{
    Bytes, Change, Checkout, ConflictCopy, Found, FoundDoc, Listing, Stamp, Touched, Twin, Which,
    WriteError, Written,
};
use crate::session::{DocKind, DocName, Problem, ProblemCode, SessionId, copied_from};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const SESSION: &str = "{session}";
const GROUP: &str = "{group}";

/// The layout of a tool's store.
pub struct FileStore {
    /// The tool's name, for messages.
    pub name: &'static str,
    /// The tool's directory.
    pub root: PathBuf,
    /// Whether a name can stand for `{group}`.
    pub is_group: fn(&str) -> bool,
    /// Whether a name can stand for `{session}`.
    pub is_session: fn(&str) -> bool,
    /// The docs of a session. The first one is the main doc.
    pub docs: &'static [DocFile],
}

/// A doc that is a file of its own.
pub struct DocFile {
    pub name: &'static str,
    pub kind: DocKind,
    /// The place below the tool's directory, `/`-separated. A part is a name, `{group}`, or
    /// `{session}` with letters around it.
    pub at: &'static str,
}

/// Where a session lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionAt {
    pub session: String,
    /// Empty if the main doc's pattern has no group.
    pub group: String,
}

impl DocFile {
    fn fill(&self, at: &SessionAt) -> String {
        self.at
            .replace(SESSION, &at.session)
            .replace(GROUP, &at.group)
    }
}

/// Gives the bytes of a snapshot their form for this device.
pub type Adapt<'a> = dyn Fn(&DocName, Vec<u8>) -> Result<Vec<u8>, WriteError> + 'a;

impl FileStore {
    /// The part of the store that a changed path concerns.
    pub fn touched(&self, path: &Path) -> Touched {
        let Some(names) = files::names_below(&self.root, path) else {
            return Touched::Nothing;
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let matched = self
            .docs
            .iter()
            .find_map(|doc| self.matched(doc, &names, false));
        if let Some(at) = matched {
            return Touched::Session(SessionId::new(at.session));
        }
        // A directory in which sessions may lie, or a session's own.
        let above = self
            .docs
            .iter()
            .find_map(|doc| self.matched(doc, &names, true));
        match above {
            Some(at) if at.session.is_empty() => Touched::Everything,
            Some(at) => Touched::Session(SessionId::new(at.session)),
            None => Touched::Nothing,
        }
    }

    /// The session of whose doc `names` is the path; with `above`, a directory on the way to it.
    fn matched(&self, doc: &DocFile, names: &[&str], above: bool) -> Option<SessionAt> {
        let parts: Vec<&str> = doc.at.split('/').collect();
        let fits = match above {
            true => names.len() < parts.len(),
            false => names.len() == parts.len(),
        };
        let mut at = SessionAt {
            session: String::new(),
            group: String::new(),
        };
        for (part, name) in parts.iter().zip(names).take_while(|_| fits) {
            if *part == GROUP {
                at.group = (self.is_group)(name).then(|| (*name).to_owned())?;
            } else if let Some((before, after)) = part.split_once(SESSION) {
                let session = name.strip_prefix(before)?.strip_suffix(after)?;
                let is_other = !at.session.is_empty() && at.session != session;
                if is_other || !(self.is_session)(session) {
                    return None;
                }
                at.session = session.to_owned();
            } else if part != name {
                return None;
            }
        }
        fits.then_some(at)
    }

    /// Lists the store. `live` says whether a session is open here.
    pub fn list(&self, which: Which<'_>, live: &dyn Fn(&SessionAt) -> Option<String>) -> Listing {
        let mut listing = Listing::default();
        if let Which::ConflictCopies = which {
            listing.conflict_copies = self.conflict_copies(live);
            return listing;
        }
        for at in self.sessions(which) {
            let session = SessionId::new(at.session.as_str());
            let Some(docs) = self.found(&at) else {
                continue;
            };
            let first = listing.found.last();
            match first.filter(|first| first.session == session) {
                None => listing.found.push(Found {
                    session,
                    live: live(&at),
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
            ProblemCode::DuplicateSession,
            format!(
                "{} has session {session} twice: {} and {}.",
                self.name,
                first.path.display(),
                other.path.display()
            ),
            "Both are recorded. Move one of them out of the store.",
        )
    }

    /// Where sessions lie according to their main docs, by session and then by group.
    fn sessions(&self, which: Which<'_>) -> Vec<SessionAt> {
        let only = match which {
            Which::One(session) if !(self.is_session)(session.as_str()) => return Vec::new(),
            Which::One(session) => Some(session.as_str()),
            _ => None,
        };
        let parts: Vec<&str> = self.docs[0].at.split('/').collect();
        let mut paths: Vec<Vec<String>> = vec![Vec::new()];
        for (depth, part) in parts.iter().enumerate() {
            let is_last = depth + 1 == parts.len();
            let mut next = Vec::new();
            for above in paths {
                let dir = above
                    .iter()
                    .fold(self.root.clone(), |dir, name| dir.join(name));
                let named = |name: &str| {
                    let path = dir.join(name);
                    let is_there = match is_last {
                        true => Stamp::of(&path).is_ok(),
                        false => files::is_own_dir(&dir, &path),
                    };
                    is_there.then(|| name.to_owned())
                };
                let found: Vec<String> = match (only, part.contains(['{', '}'])) {
                    (_, false) => named(part).into_iter().collect(),
                    (Some(only), true) if part.contains(SESSION) => {
                        named(&part.replace(SESSION, only)).into_iter().collect()
                    }
                    _ if is_last => files::names_in(&dir, |kind| kind.is_file()),
                    _ => own_dirs(&dir),
                };
                next.extend(found.into_iter().map(|name| {
                    let mut path = above.clone();
                    path.push(name);
                    path
                }));
            }
            paths = next;
        }
        let at = |path: &Vec<String>| {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            self.matched(&self.docs[0], &names, false)
        };
        let mut found: Vec<SessionAt> = paths.iter().filter_map(at).collect();
        found.sort();
        found
    }

    /// The docs of a session; `None` without its main doc.
    fn found(&self, at: &SessionAt) -> Option<Vec<FoundDoc>> {
        let doc = |doc: &DocFile| {
            let place = doc.fill(at);
            let path = self.path(&place)?;
            Some(FoundDoc {
                name: DocName::new(doc.name),
                kind: doc.kind,
                at: place,
                stamp: Stamp::of(&path).ok()?,
                path,
            })
        };
        let docs: Vec<FoundDoc> = self.docs.iter().filter_map(doc).collect();
        let has_main = docs.first()?.name.as_str() == self.docs[0].name;
        has_main.then_some(docs)
    }

    /// The path of a place, if no link on the way to it leads out of the user's directories.
    fn path(&self, place: &str) -> Option<PathBuf> {
        let (mut path, mut names) = (self.root.clone(), place.split('/').peekable());
        while let Some(name) = names.next() {
            let next = path.join(name);
            if names.peek().is_some() && next.exists() && !files::is_own_dir(&path, &next) {
                return None;
            }
            path = next;
        }
        Some(path)
    }

    fn conflict_copies(&self, live: &dyn Fn(&SessionAt) -> Option<String>) -> Vec<ConflictCopy> {
        let mut dirs = BTreeSet::new();
        for at in self.sessions(Which::All) {
            for doc in self.docs {
                let place = doc.fill(&at);
                dirs.extend(place.rsplit_once('/').map(|(dir, _)| dir.to_owned()));
            }
        }
        let mut found = Vec::new();
        for place in dirs {
            let Some(dir) = self.path(&place) else {
                continue;
            };
            for name in files::names_in(&dir, |kind| kind.is_file()) {
                let Some(original) = copied_from(&name) else {
                    continue;
                };
                let original = format!("{place}/{original}");
                let parts: Vec<&str> = original.split('/').collect();
                let matched = self
                    .docs
                    .iter()
                    .find_map(|doc| Some((doc, self.matched(doc, &parts, false)?)));
                let Some(((doc, at), stamp)) = matched.zip(Stamp::of(&dir.join(&name)).ok()) else {
                    continue;
                };
                found.push(ConflictCopy {
                    session: SessionId::new(at.session.as_str()),
                    doc: DocName::new(doc.name),
                    kind: doc.kind,
                    main: doc.name == self.docs[0].name,
                    at: original.clone(),
                    path: dir.join(name),
                    stamp,
                    live: live(&at),
                });
            }
        }
        found
    }

    /// Where a session lies that is in the store.
    pub fn find(&self, session: &SessionId) -> Option<SessionAt> {
        let mut sessions = self.sessions(Which::One(session)).into_iter();
        sessions.find(|at| self.found(at).is_some())
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
            let why = format!("\"{}\" is not an id of {}", checkout.session, self.name);
            return Err(WriteError::Refused(why));
        }
        let here = self.find(checkout.session);
        let at = here.clone().unwrap_or_else(|| SessionAt {
            session: checkout.session.to_string(),
            group: group.to_owned(),
        });
        let mut planned = Vec::new();
        for doc in &checkout.docs {
            let (name, change) = (doc.name, &doc.change);
            let Some(file) = self.docs.iter().find(|file| file.name == name.as_str()) else {
                let why = format!("\"{name}\" is not one of {}'s files", self.name);
                return Err(WriteError::Refused(why));
            };
            let path = files::below(&self.root, &file.fill(&at))?;
            let is_main = file.name == self.docs[0].name;
            match change.path() {
                Some(is) if is != path => return Err(WriteError::Changed(is.to_path_buf())),
                None if is_main && here.is_some() => return Err(WriteError::Changed(path)),
                _ => {}
            }
            let adapted = match (file.kind, whole(change, &path)?) {
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
        for doc in self.docs {
            let dir = doc.at.rsplit_once('/').map_or("", |(dir, _)| dir);
            // The session's own directory; this succeeds only if it is empty.
            if dir.ends_with(SESSION) {
                drop(fs::remove_dir(
                    self.root.join(doc.fill(&at)).with_file_name(""),
                ));
            }
        }
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

/// Directories in `dir`; a link counts if it leads to another directory of the user's.
fn own_dirs(dir: &Path) -> Vec<String> {
    let names = files::names_in(dir, |kind| kind.is_dir() || kind.is_symlink()).into_iter();
    names
        .filter(|name| files::is_own_dir(dir, &dir.join(name)))
        .collect()
}
