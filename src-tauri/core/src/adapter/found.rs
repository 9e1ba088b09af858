//! What is found in a store and what is read of it.

use super::{Made, Stamp, Watermark, patched};
use crate::opener;
use crate::session::{DocKind, DocName, ForkBase, Millis, Problem, ProblemCode, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek};
use std::path::PathBuf;

/// The sessions found in a store, by stat alone.
#[derive(Debug, Default)]
pub struct Listing {
    pub found: Vec<Found>,
    pub problems: Vec<Problem>,
    pub conflict_copies: Vec<ConflictCopy>,
    /// Further main docs with the id of a found session, in another place of the store. Each may
    /// hold messages of its own; a problem `duplicate_session` names both.
    pub twins: Vec<Twin>,
    /// Why the store is not read whole: its format is not known ("the table `session` has no column
    /// `id`"), or it cannot be read now. Everything readable is listed, nothing counts as gone, and
    /// nothing is written until the store is read whole.
    pub unknown: Option<String>,
    /// How far the store was read, for [`Tool::changes`]; `None` if the adapter has no such thing.
    pub watermark: Option<Watermark>,
}

impl Listing {
    /// The listings of two parts of a store. A session that is in both is that of the first.
    pub fn and_of(mut self, other: Self) -> Self {
        let is_new = |found: &Found| self.found.iter().all(|one| one.session != found.session);
        let new: Vec<Found> = other.found.into_iter().filter(is_new).collect();
        self.found.extend(new);
        self.problems.extend(other.problems);
        self.conflict_copies.extend(other.conflict_copies);
        self.twins.extend(other.twins);
        self.unknown = self.unknown.or(other.unknown);
        self
    }

    /// Keeps one of several sessions with an id, for stores in which only a copy made by hand has
    /// the id of another.
    pub fn keep_one_of_each(&mut self) {
        self.found
            .sort_by(|one, other| one.session.cmp(&other.session));
        self.found
            .dedup_by(|one, other| one.session == other.session);
    }

    /// Changes the places of all docs.
    pub fn map_places(&mut self, of: impl Fn(&str) -> String) {
        let found = self.found.iter_mut().flat_map(|found| &mut found.docs);
        let twins = self.twins.iter_mut().flat_map(|twin| &mut twin.docs);
        let docs = found.chain(twins).map(|doc| &mut doc.place);
        let copies = self.conflict_copies.iter_mut().map(|copy| &mut copy.place);
        docs.chain(copies).for_each(|at| *at = of(at));
    }
}

/// Another file that claims to be a session's main doc, with the docs that lie beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    pub session: SessionId,
    /// The main doc comes first.
    pub docs: Vec<FoundDoc>,
}

/// A conflict copy of a session's doc. It is not a doc: only a person or `roam doctor --take-in`
/// reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictCopy {
    pub session: SessionId,
    /// The doc of which this is a copy.
    pub doc: DocName,
    pub kind: DocKind,
    /// Whether that doc is the main doc of the session.
    pub main: bool,
    /// The place of that doc below the tool's root, whether the doc exists or not.
    pub place: String,
    pub path: PathBuf,
    pub stamp: Stamp,
    /// Set if the session is open here; worded as in [`Found::open_in`].
    pub open_in: Option<String>,
}

/// A session as a listing finds it: its docs by name and stat, nothing of their content.
#[derive(Clone, Debug)]
pub struct Found {
    pub session: SessionId,
    /// The main doc comes first.
    pub docs: Vec<FoundDoc>,
    /// Set if the session is open here: "Claude Code has it open (process 4711)".
    pub open_in: Option<String>,
}

impl Found {
    /// The main doc; an error if the adapter named none.
    pub fn main(&self) -> io::Result<&FoundDoc> {
        let main = self.docs.first();
        main.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The doc of this name.
    pub fn doc(&self, name: &str) -> Option<&FoundDoc> {
        self.docs.iter().find(|doc| doc.name.as_str() == name)
    }
}

/// A doc as a listing finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDoc {
    pub name: DocName,
    pub kind: DocKind,
    /// The doc's place below the tool's root, `/`-separated: a hint for placing the doc elsewhere.
    pub place: String,
    /// The doc's file. For rows of a database, the file that contains them.
    pub path: PathBuf,
    /// The stamp of the file, if the doc's content is the file's. For any other doc, a value that
    /// changes with the doc and must differ from the stamp of `path`.
    pub stamp: Stamp,
}

/// The facts about a session in the tool's own records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The session's directory on this device (the author's cwd).
    pub cwd: Option<String>,
    /// Other directories named in the records, the likelier first. If `cwd` is gone, one of them
    /// may identify the repository.
    #[serde(default)]
    pub also: Vec<String>,
    pub title: Option<String>,
    /// The title is a prompt, because the tool has no name of the session on this device. It does not
    /// take the place of another device's.
    #[serde(default)]
    pub prompted: bool,
    /// Last activity.
    pub updated: Option<Millis>,
    /// The version of the tool that wrote last.
    pub version: Option<String>,
    /// Sessions of the same tool that must be in the store before this one can open (a fork's
    /// parent). A tool that lists another tool's sessions is a [`Registry`] and has none of its own.
    pub requires: Vec<SessionId>,
    /// The session for which this one works as a sub-agent, if the tool keeps its log as a session
    /// that opens alone. It is listed and forgotten with that session.
    #[serde(default)]
    pub part_of: Option<SessionId>,
    /// The base of the session, if its file names the base by id and offset.
    #[serde(default)]
    pub base: Option<ForkBase>,
    /// The repository in which the session was last continued, according to the records.
    #[serde(default)]
    pub repository: Option<Repository>,
    /// The records do not name the directory yet, but soon will. Until then the project is unknown,
    /// and so is whether the session may leave the device.
    #[serde(default)]
    pub early: bool,
}

/// A tool's notes about the repository in which a session runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// The repository's remote, as noted by the tool.
    #[serde(default)]
    pub url: Option<String>,
    pub branch: Option<String>,
    /// The full hash.
    pub commit: Option<String>,
}

/// A doc's bytes, read in ranges.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// The location of a doc's bytes.
#[derive(Clone, Debug)]
pub enum Content {
    File(PathBuf),
    /// Made in memory, by an export for instance.
    Bytes(Made),
    /// A file in which some bytes are replaced by others of the same length.
    Patched(PathBuf, Vec<Patch>),
}

/// Bytes at a fixed place that differ between the tool's file and the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    pub offset: u64,
    /// The bytes that a reader sees.
    pub shown: Vec<u8>,
    /// The bytes in the file. If the file has others there, nothing is replaced.
    pub there: Vec<u8>,
}

impl Content {
    /// The content with these patches as well. Those whose bytes are not there are left out.
    pub fn patched(self, patches: Vec<Patch>) -> Self {
        match self {
            content if patches.is_empty() => content,
            Self::File(path) => Self::Patched(path, patches),
            Self::Patched(path, former) => {
                Self::Patched(path, former.into_iter().chain(patches).collect())
            }
            Self::Bytes(bytes) => {
                let mut bytes = bytes.into_vec();
                for patch in patches {
                    let start = usize::try_from(patch.offset).unwrap_or(usize::MAX);
                    let place = start
                        .checked_add(patch.there.len())
                        .and_then(|end| bytes.get_mut(start..end));
                    if let Some(place) = place.filter(|place| **place == *patch.there) {
                        place.copy_from_slice(&patch.shown);
                    }
                }
                Self::Bytes(bytes.into())
            }
        }
    }

    /// Opens the bytes for reading; links are not followed.
    pub fn open(&self) -> io::Result<Box<dyn ReadSeek>> {
        match self {
            Self::File(path) => Ok(Box::new(opener::file(path)?)),
            Self::Bytes(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone()))),
            Self::Patched(path, patches) => {
                Ok(Box::new(patched::Patched::open(path, patches.clone())?))
            }
        }
    }
}

/// A session as read: its facts, and the bytes of each doc of `Found::docs`, in that order.
#[derive(Debug, Default)]
pub struct Reading {
    pub facts: Facts,
    pub docs: Vec<Content>,
    /// Docs that hold copies of files with secrets. They stay on this device unless the user wants
    /// them synced.
    pub secret: Vec<DocName>,
    /// By doc, the bytes that stay on this device, and what is recorded in their place. Lines of a log
    /// that were recorded with them stay as they are: other devices have them.
    pub private: BTreeMap<DocName, Vec<Patch>>,
    pub problems: Vec<Problem>,
}

impl Reading {
    /// A session whose docs are files.
    pub fn of_files(found: &Found, facts: Facts) -> Self {
        let content = |doc: &FoundDoc| Content::File(doc.path.clone());
        Self {
            facts,
            docs: found.docs.iter().map(content).collect(),
            ..Self::default()
        }
    }
}

/// Reports a session that is read as far as possible, and not written.
pub fn unknown_format(tool: &str, session: &SessionId, why: &str) -> Problem {
    Problem::new(
        ProblemCode::UnknownShape,
        format!(
            "{tool}'s session {session} has an unknown format: {why}. It syncs, but is not written into the tool."
        ),
        format!("Please report it with the version of {tool}."),
    )
}
