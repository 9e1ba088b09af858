//! A store whose sessions are files at places that patterns describe, such as
//! `{group}/{session}/messages.jsonl`. From that declaration follow what a changed path concerns,
//! the listing, conflict copies, duplicate ids, and where a session is placed.
//!
//! The matching of patterns is in `patterns.rs`. Knows no tool.

mod docs;
mod known;
mod patterns;

use self::docs::Dirs;
pub use self::known::KnownDirs;
use self::patterns::SESSION;
pub use self::patterns::SessionAt;
use super::files::{self, GuestWrite};
use super::listed::Listed;
use crate::adapter::{
    Change, Checkout, ConflictCopy, Found, FoundDoc, Listing, Stamp, Touched, Twin, Which,
    WriteError, Written,
};
use crate::session::{DocKind, DocName, Problem, ProblemCode, SessionId, copied_from};
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

/// A place has no more names than this.
const MOST_NAMES: usize = 16;

/// The layout of a tool's store.
pub struct FileStore<'a> {
    /// The tool's name, for messages.
    pub name: &'a str,
    /// The directory below which all places lie.
    pub root: PathBuf,
    /// The docs of a session. The first one is the main doc; others with its name are further
    /// places for it.
    pub docs: &'a [DocFile<'a>],
    /// Whether a text can stand for `{session}`, if it does not begin with a dash.
    pub is_session: fn(&str) -> bool,
    /// Whether a text can stand for `{group}`.
    pub is_group: fn(&str) -> bool,
    /// Whether a text, which is not empty, can stand for `{name}` or `{rest}`.
    pub is_name: fn(&str) -> bool,
    /// Names that are never entered, listed or written, in any case of letters, but as a group.
    pub denied: &'a [&'a str],
    /// Which of several main docs with one id counts: the one with the greatest rank. Only
    /// duplicates of the same form are reported, and then nothing is written. `None`: the first
    /// counts, and each duplicate is reported.
    pub rank: Option<fn(&FoundDoc) -> Rank>,
    /// What the user should do about a duplicate.
    pub hint: &'a str,
    /// Reports a file that lies among the main docs and is not one of them.
    pub odd: fn(&Path) -> Option<Problem>,
    /// Keeps the names in directories that do not change.
    pub listed: Option<&'a Listed<Names>>,
    /// Remembers where sessions were found. With it, one session costs the same in a store of any
    /// size; a second main doc that appeared without an event is found by the next full listing.
    pub known: Option<&'a KnownDirs>,
}

/// The form of a main doc, the greater being the better, and how much is in it. Form 0 is never
/// reported as a duplicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub form: u8,
    pub len: u64,
    pub mtime_ns: i64,
}

/// A doc that is a file of its own, or the docs that lie in one directory.
#[derive(Clone, Copy, Debug)]
pub struct DocFile<'a> {
    /// The doc's name. It has `{name}` or `{rest}` if `at` has.
    pub name: &'a str,
    /// Of a `{rest}`, files of JSON lines are logs, whatever is stated here.
    pub kind: DocKind,
    /// The place below the store's directory, `/`-separated, as a pattern:
    ///
    /// | in a pattern | stands for |
    /// |---|---|
    /// | `{session}` | the session's id |
    /// | `{short}` | the first eight letters of the id |
    /// | `{group}` | what the main doc's place has beside the id |
    /// | `{name}` | a part of the doc's name |
    /// | `{number}` | digits |
    /// | `{rest}` | as the last name: a file at any depth |
    /// | `*` | any letters, or none |
    /// | `**` | any directories, or none |
    pub at: &'a str,
}

impl<'a> DocFile<'a> {
    pub const fn log(name: &'a str, at: &'a str) -> Self {
        let kind = DocKind::Log;
        Self { name, kind, at }
    }

    pub const fn snapshot(name: &'a str, at: &'a str) -> Self {
        let kind = DocKind::Snapshot;
        Self { name, kind, at }
    }
}

/// The names in a directory, sorted, and what they are.
pub type Names = Vec<(String, FileType)>;

/// Gives a doc's content its form for this device, or refuses it; `None` leaves it as it is.
pub type Adapt<'a> = dyn Fn(&DocName, &Change<'_>) -> Result<Option<Vec<u8>>, WriteError> + 'a;

/// Says whether a session is open here.
pub type OpenIn<'a> = dyn Fn(&SessionAt) -> Option<String> + 'a;

impl<'a> FileStore<'a> {
    /// A store without groups.
    pub fn new(
        name: &'a str,
        root: PathBuf,
        docs: &'a [DocFile<'a>],
        is_session: fn(&str) -> bool,
    ) -> Self {
        Self {
            name,
            root,
            docs,
            is_session,
            is_group: |_| false,
            is_name: |_| true,
            denied: &[],
            rank: None,
            hint: "Move one of them out of the store.",
            odd: |_| None,
            listed: None,
            known: None,
        }
    }

    /// The part of the store that a changed path concerns.
    pub fn touched(&self, path: &Path) -> Touched {
        let Some(names) = files::names_below(&self.root, path) else {
            return Touched::Nothing;
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // A directory in which sessions may lie, or a session's own.
        let above = || self.docs.iter().find_map(|doc| self.above(doc, &names));
        let doc = self.doc_at(&names).map(|(_, at)| (at, true));
        if let (Some(known), Some((at, _))) = (self.known, &doc)
            && !at.place.is_empty()
        {
            known.add(&self.root, std::slice::from_ref(at));
        }
        match doc.or_else(above) {
            Some((at, _)) if !at.session.is_empty() => Touched::Session(SessionId::new(at.session)),
            Some((_, is_certain)) if is_certain || path.is_dir() => Touched::Everything,
            _ => Touched::Nothing,
        }
    }

    /// Lists the store.
    pub fn list(&self, which: Which<'_>, open_in: &OpenIn<'_>) -> Listing {
        let mut listing = Listing::default();
        let dirs = Dirs::of(self);
        if let Which::ConflictCopies = which {
            listing.conflict_copies = self.conflict_copies(&dirs, open_in);
            return listing;
        }
        for at in self.sessions(&dirs, which, &mut listing.problems) {
            let session = SessionId::new(at.session.as_str());
            let Some(docs) = self.docs_of(&dirs, &at, which, &mut listing.problems) else {
                continue;
            };
            let known = listing.found.last_mut();
            match known.filter(|known| known.session == session) {
                None => listing.found.push(Found {
                    session,
                    open_in: open_in(&at),
                    docs,
                }),
                Some(known) => {
                    let problem = self.duplicate(&session, &known.docs[0], &docs[0]);
                    listing.problems.extend(problem);
                    let is_better = self
                        .rank
                        .is_some_and(|rank| rank(&known.docs[0]) < rank(&docs[0]));
                    let mut docs = docs;
                    if is_better {
                        std::mem::swap(&mut known.docs, &mut docs);
                    }
                    listing.twins.push(Twin { session, docs });
                }
            }
        }
        // Behind a link that is not followed, nobody knows what is gone.
        let mut hidden = self.mains().filter(|doc| !dirs.has_top(doc));
        let refused = hidden.find_map(|doc| self.check_top(doc).err());
        listing.unknown = refused.map(|refused| refused.to_string());
        listing
    }

    fn duplicate(&self, session: &SessionId, one: &FoundDoc, other: &FoundDoc) -> Option<Problem> {
        let counts = match self.rank {
            Some(rank) if rank(one).form != rank(other).form || rank(one).form == 0 => return None,
            Some(_) => " The longer one counts.",
            None => "",
        };
        Some(Problem::new(
            ProblemCode::DuplicateSession,
            format!(
                "{} has session {session} twice: {} and {}.{counts}",
                self.name,
                one.path.display(),
                other.path.display()
            ),
            self.hint,
        ))
    }

    fn conflict_copies(&self, dirs: &Dirs<'_>, open_in: &OpenIn<'_>) -> Vec<ConflictCopy> {
        let mut found = Vec::new();
        for dir in self.dirs_with_docs(dirs) {
            for (name, _) in dirs.names(&dir.path).iter().filter(|(_, is)| is.is_file()) {
                let Some(original) = copied_from(name) else {
                    continue;
                };
                let at = dir.place(&original);
                let names: Vec<&str> = at.split('/').collect();
                let path = dir.path.join(name);
                let (Some((doc, session)), Ok(stamp)) = (self.doc_at(&names), Stamp::of(&path))
                else {
                    continue;
                };
                found.push(ConflictCopy {
                    session: SessionId::new(session.session.as_str()),
                    main: doc.name == self.docs[0].name,
                    kind: doc.kind_of(&at),
                    doc: DocName::new(session.fill(doc.name)),
                    open_in: open_in(&session),
                    place: at,
                    path,
                    stamp,
                });
            }
        }
        found
    }

    /// Where all sessions lie, by their names alone.
    pub fn all(&self) -> Vec<SessionAt> {
        self.sessions(&Dirs::of(self), Which::All, &mut Vec::new())
    }

    /// Where a session lies that is in the store.
    pub fn find(&self, session: &SessionId) -> Option<SessionAt> {
        self.found(session).map(|(at, _)| at)
    }

    /// Where a session lies, with its main doc and the problem if there are several.
    fn found(&self, session: &SessionId) -> Option<(SessionAt, Option<Problem>)> {
        let mut listing = self.list(Which::One(session), &|_| None);
        let main = listing.found.pop()?.docs.swap_remove(0);
        let at = self.session_of_main(&main.place)?;
        let is_duplicate = |problem: &Problem| problem.code == ProblemCode::DuplicateSession;
        let mut problems = listing.problems.into_iter();
        Some((at, problems.find(is_duplicate)))
    }

    /// The main doc of a session that is in the store, where there is to be one. What forgets a session
    /// may find several: it removes one after the other.
    pub fn one(&self, session: &SessionId, forgets: bool) -> Result<Option<SessionAt>, WriteError> {
        for doc in self.mains() {
            self.check_top(doc)?;
        }
        match self.found(session) {
            Some((_, Some(problem))) if self.rank.is_some() && !forgets => {
                Err(WriteError::Refused(problem.message))
            }
            found => Ok(found.map(|(at, _)| at)),
        }
    }

    /// The place of a session that is not here yet.
    pub fn in_group(&self, session: &SessionId, group: &str) -> SessionAt {
        let at = SessionAt::new(session.as_str(), group);
        SessionAt {
            place: at.fill(self.docs[0].at),
            ..at
        }
    }

    /// The session whose main doc has this place.
    pub fn session_of_main(&self, place: &str) -> Option<SessionAt> {
        let (doc, at) = self.doc(place)?;
        (doc.as_str() == self.docs[0].name).then_some(at)
    }

    /// The doc at a place, and of which session.
    pub fn doc(&self, place: &str) -> Option<(DocName, SessionAt)> {
        let names: Vec<&str> = place.split('/').collect();
        let (doc, at) = self.doc_at(&names)?;
        Some((DocName::new(at.fill(doc.name)), at))
    }

    /// Writes a session. A session that is not here is placed at `new`.
    pub fn write(
        &self,
        checkout: &Checkout<'_>,
        new: SessionAt,
        adapt: &Adapt<'_>,
        still_free: &dyn Fn() -> Result<(), WriteError>,
    ) -> Result<Written, WriteError> {
        self.write_placed(checkout, &|| Ok(new.clone()), adapt, still_free)
    }

    /// Writes a session. `place` is asked for the place of a session that is not here.
    pub fn write_placed(
        &self,
        checkout: &Checkout<'_>,
        place: &dyn Fn() -> Result<SessionAt, WriteError>,
        adapt: &Adapt<'_>,
        still_free: &dyn Fn() -> Result<(), WriteError>,
    ) -> Result<Written, WriteError> {
        if !self.is_id(checkout.session.as_str()) {
            let why = format!("\"{}\" is not an id of {}", checkout.session, self.name);
            return Err(WriteError::Refused(why));
        }
        let here = self.one(checkout.session, checkout.forgets)?;
        let is_here = here.as_ref().is_some_and(|at| !self.is_emptied(at));
        let at = here.map_or_else(place, Ok)?;
        let mut planned = Vec::new();
        for doc in &checkout.docs {
            let (name, change) = (doc.name, &doc.change);
            let (root, path) = self.place(&at, name)?;
            let is_main = name.as_str() == self.docs[0].name;
            match change.path() {
                Some(is) if is != path => return Err(WriteError::Changed(is.to_path_buf())),
                None if is_main && is_here => return Err(WriteError::Changed(path)),
                _ => {}
            }
            planned.push((name, root, path, adapt(name, change)?));
        }
        let changes = checkout.docs.iter().zip(&planned);
        let changes: Vec<Change<'_>> = changes
            .map(|(doc, (.., adapted))| doc.change.of(adapted.as_ref()))
            .collect();
        let writes: Vec<GuestWrite<'_>> = planned
            .iter()
            .zip(&changes)
            .map(|((name, root, path, _), change)| GuestWrite {
                name,
                root,
                path: path.clone(),
                change,
            })
            .collect();
        let written = files::write_docs(&writes, checkout.updated, still_free)?;
        for doc in self.docs {
            let dir = doc.at.rsplit_once('/').map_or("", |(dir, _)| dir);
            // The session's own directory; this succeeds only if it is empty.
            if dir.ends_with(SESSION) {
                drop(fs::remove_dir(self.root.join(at.fill(dir))));
            }
        }
        Ok(written)
    }

    /// Whether the main doc has no content any more: another device's goes into the same file.
    pub fn is_emptied(&self, at: &SessionAt) -> bool {
        let path = at.place.split('/');
        let path = path.fold(self.root.clone(), |path, name| path.join(name));
        Stamp::of(&path).is_ok_and(|stamp| stamp.len == 0)
    }

    /// The path of a doc, whose name may come from another device, and the directory that the path
    /// must not leave.
    pub fn place(&self, at: &SessionAt, name: &DocName) -> Result<(PathBuf, PathBuf), WriteError> {
        let refused = || {
            let why = format!("\"{name}\" is not one of {}'s files", self.name);
            WriteError::Refused(why)
        };
        let place = match name.as_str() == self.docs[0].name {
            true => Some(at.place.clone()),
            false => self.place_named(at, name.as_str()),
        };
        let is_short = |place: &String| place.split('/').count() <= MOST_NAMES;
        let place = place.filter(is_short).ok_or_else(refused)?;
        let path = files::below(&self.root, &place)?;
        // A place that belongs to another doc or another session is refused.
        let names: Vec<&str> = place.split('/').collect();
        let (doc, found) = self.doc_at(&names).ok_or_else(refused)?;
        let is_same = found.session == at.session || found.session.is_empty();
        match is_same && found.fill(doc.name) == name.as_str() {
            true => self.check_top(doc).map(|()| (self.top(doc), path)),
            false => Err(refused()),
        }
    }

    /// The directories that a pattern names before its first placeholder.
    fn tops(&self, doc: &DocFile<'_>) -> Vec<PathBuf> {
        let mut dir = self.root.clone();
        let below = doc.fixed().map(|name| {
            dir.push(name);
            dir.clone()
        });
        below.collect()
    }

    fn is_top(&self, dir: &Path) -> bool {
        files::is_dir_or_leads_out(&self.root, dir)
    }

    /// An error if the docs of a pattern lie behind a link that is not followed.
    fn check_top(&self, doc: &DocFile<'_>) -> Result<(), WriteError> {
        let is_there = |dir: &&PathBuf| fs::symlink_metadata(dir).is_ok();
        let tops = self.tops(doc);
        let mut there = tops.iter().take_while(is_there);
        match there.find(|dir| !self.is_top(dir)) {
            Some(link) => Err(WriteError::Refused(format!(
                "{} is no directory, or a link into the store itself or to a directory around it",
                link.display()
            ))),
            None => Ok(()),
        }
    }

    /// The directory that a pattern names before its first placeholder.
    fn top(&self, doc: &DocFile<'_>) -> PathBuf {
        doc.fixed()
            .fold(self.root.clone(), |dir, name| dir.join(name))
    }

    /// The docs that may be a session's main doc.
    fn mains(&self) -> impl Iterator<Item = &DocFile<'a>> {
        self.docs.iter().filter(|doc| doc.name == self.docs[0].name)
    }

    /// Whether a text, which may come from another device, is an id. An id becomes a word of the command
    /// that opens the session, where a dash at its beginning would make it an option.
    fn is_id(&self, text: &str) -> bool {
        !text.starts_with('-') && (self.is_session)(text)
    }

    fn is_denied(&self, name: &str) -> bool {
        let is = |denied: &&str| denied.eq_ignore_ascii_case(name);
        files::is_foreign_name(name) || self.denied.iter().any(is)
    }
}

#[cfg(test)]
mod tests;
