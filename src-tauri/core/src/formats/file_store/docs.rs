//! Finds sessions and their docs in the directories of a store.

use super::patterns::{NAME, REST, SESSION, is_fixed};
use super::{DocFile, FileStore, Names, SessionAt};
use crate::adapter::{FoundDoc, Stamp, Which};
use crate::formats::files;
use crate::session::{DocName, Problem, ProblemCode};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Directories below a directory of any depth are entered so deep.
const DEEPEST: usize = 12;
/// Files of a session are found so deep below the directory of a `{rest}`; the deepest seen is four.
const DEEPEST_REST: usize = 8;

/// The directories of a store, each read once in a listing.
pub(super) struct Dirs<'s> {
    store: &'s FileStore<'s>,
    read: RefCell<HashMap<PathBuf, Arc<Names>>>,
    /// By the directory that a pattern names before its first placeholder, whether docs are looked
    /// for there.
    tops: RefCell<HashMap<PathBuf, bool>>,
}

/// A directory of the store.
#[derive(Clone)]
pub(super) struct Dir {
    pub(super) path: PathBuf,
    /// Below the store's directory.
    names: Vec<String>,
    /// What its pattern's holes stand for.
    known: SessionAt,
}

impl Dir {
    fn below(&self, name: &str, known: SessionAt) -> Self {
        let mut names = self.names.clone();
        names.push(name.to_owned());
        Self {
            path: self.path.join(name),
            names,
            known,
        }
    }

    /// The place of a file in the directory.
    pub(super) fn place(&self, name: &str) -> String {
        match self.names.is_empty() {
            true => name.to_owned(),
            false => format!("{}/{name}", self.names.join("/")),
        }
    }
}

impl<'s> Dirs<'s> {
    pub(super) fn of(store: &'s FileStore<'s>) -> Self {
        Self {
            store,
            read: RefCell::default(),
            tops: RefCell::default(),
        }
    }

    /// Whether the directories that a pattern names before its first placeholder are directories,
    /// or links that are followed.
    pub(super) fn has_top(&self, doc: &DocFile<'_>) -> bool {
        let top = self.store.top(doc);
        if let Some(known) = self.tops.borrow().get(&top) {
            return *known;
        }
        let mut tops = self.store.tops(doc).into_iter();
        let is = tops.all(|dir| self.store.is_top(&dir));
        self.tops.borrow_mut().insert(top, is);
        is
    }

    pub(super) fn names(&self, dir: &Path) -> Arc<Names> {
        if let Some(names) = self.read.borrow().get(dir) {
            return names.clone();
        }
        let names = match self.store.listed {
            Some(listed) => listed.of(dir, || names_in(dir)),
            None => Arc::new(names_in(dir).0),
        };
        self.read.borrow_mut().insert(dir.to_owned(), names.clone());
        names
    }

    /// A file that is looked for by its name, in one of many directories: where the names are known,
    /// the system is only asked whether they changed.
    fn file_at(&self, dir: &Path, name: &str) -> Names {
        let listed = self.store.listed;
        match listed.and_then(|listed| listed.of_settled(dir, || names_in(dir))) {
            Some(names) => names
                .binary_search_by(|(is, _)| is.as_str().cmp(name))
                .map(|at| vec![names[at].clone()])
                .unwrap_or_default(),
            None => file_at(dir, name),
        }
    }

    /// The directories in a directory, each with its name. A link counts if it leads to another
    /// directory of the user's, and of two links to one directory the first.
    fn dirs_in(&self, top: &Path, dir: &Path) -> Vec<String> {
        let mut linked = BTreeSet::new();
        let names = self.names(dir);
        let dirs = names.iter().filter(|(name, kind)| {
            let is_new = |to| linked.insert(to);
            let is_link = || {
                self.store
                    .followed(top, &dir.join(name))
                    .is_some_and(is_new)
            };
            kind.is_dir() || (kind.is_symlink() && is_link())
        });
        dirs.map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
thread_local! {
    /// The directories that were read and the files that were looked at, in this thread.
    pub(super) static N_LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn looked_at() {
    N_LOOKED_AT.with(|count| count.set(count.get() + 1));
}

#[cfg(not(test))]
fn looked_at() {}

/// The names in a directory, and whether all of them could be read.
fn names_in(dir: &Path) -> (Names, bool) {
    looked_at();
    let Ok(entries) = fs::read_dir(dir) else {
        return (Names::new(), false);
    };
    let (mut names, mut is_whole) = (Names::new(), true);
    for entry in entries {
        match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
            Ok((name, kind)) => names.extend(name.into_string().ok().map(|name| (name, kind))),
            Err(_) => is_whole = false,
        }
    }
    names.sort_by(|(one, _), (other, _)| one.cmp(other));
    (names, is_whole)
}

impl FileStore<'_> {
    /// Where sessions lie, by session and then in the order of the places.
    pub(super) fn sessions(
        &self,
        dirs: &Dirs<'_>,
        which: Which<'_>,
        problems: &mut Vec<Problem>,
    ) -> Vec<SessionAt> {
        let only = match which {
            Which::One(session) if !self.is_id(session.as_str()) => return Vec::new(),
            Which::One(session) => Some(session.as_str()),
            _ => None,
        };
        let remembered = only.map(|session| self.at_known_dirs(dirs, session));
        if let Some(found) = remembered.filter(|found| !found.is_empty()) {
            return found;
        }
        let mut found = Vec::new();
        for doc in self.mains() {
            for dir in self.dirs_of(dirs, doc, only) {
                let (mains, others) = self.mains_in(dirs, doc, &dir, only);
                found.extend(mains);
                problems.extend(others.iter().filter_map(|path| (self.odd)(path)));
            }
        }
        // A pattern with `**` twice finds a file twice.
        let mut places = BTreeSet::new();
        found.retain(|at| places.insert(at.place.clone()));
        found.sort_by(|one, other| one.session.cmp(&other.session));
        match (self.known, which) {
            (Some(known), Which::All) => known.replace(&self.root, &found),
            (Some(known), Which::One(_)) => known.add(&self.root, &found),
            _ => {}
        }
        found
    }

    /// The main docs of a session in the directories in which it was found before, in the order of
    /// a walk.
    fn at_known_dirs(&self, dirs: &Dirs<'_>, session: &str) -> Vec<SessionAt> {
        let Some(known) = self.known else {
            return Vec::new();
        };
        let mut known = known.of(&self.root, session);
        known.sort_by(|one, other| one.split('/').cmp(other.split('/')));
        let mut found = Vec::new();
        for doc in self.mains() {
            let dirs_of_doc = known
                .iter()
                .filter_map(|place| self.dir_at(dirs, doc, place, session));
            for dir in dirs_of_doc {
                found.extend(self.mains_in(dirs, doc, &dir, Some(session)).0);
            }
        }
        let mut places = BTreeSet::new();
        found.retain(|at| places.insert(at.place.clone()));
        found
    }

    /// The directory at a place, if it is one in which main docs of the pattern lie.
    fn dir_at(
        &self,
        dirs: &Dirs<'_>,
        doc: &DocFile<'_>,
        place: &str,
        session: &str,
    ) -> Option<Dir> {
        let names: Vec<&str> = place.split('/').filter(|name| !name.is_empty()).collect();
        let known = self.match_names(&doc.dir(), &names, &SessionAt::new(session, ""))?;
        let mut dir = Dir {
            path: self.root.clone(),
            names: Vec::new(),
            known,
        };
        let (top, n_fixed) = (self.top(doc), doc.fixed().count());
        for (depth, name) in names.into_iter().enumerate() {
            dir = dir.below(name, dir.known.clone());
            if n_fixed <= depth && !self.is_own_dir(&top, &dir.path) {
                return None;
            }
        }
        dirs.has_top(doc).then_some(dir)
    }

    /// The main docs of a pattern in a directory, of all sessions or of one. With all sessions, the
    /// other files in the directory are returned, too.
    fn mains_in(
        &self,
        dirs: &Dirs<'_>,
        doc: &DocFile<'_>,
        dir: &Dir,
        only: Option<&str>,
    ) -> (Vec<SessionAt>, Vec<PathBuf>) {
        let filled = filled_with(doc.last(), only);
        let names = match is_fixed(&filled) {
            true => Arc::new(dirs.file_at(&dir.path, &filled)),
            false => dirs.names(&dir.path),
        };
        let (mut found, mut others) = (Vec::new(), Vec::new());
        for (name, _) in names.iter().filter(|(_, kind)| kind.is_file()) {
            match self.match_name(doc.last(), name, &dir.known) {
                Some(at) => found.push(SessionAt {
                    place: dir.place(name),
                    ..at
                }),
                None if only.is_none() => others.push(dir.path.join(name)),
                None => {}
            }
        }
        (found, others)
    }

    /// The directories in which docs of a pattern lie, of all sessions or of one.
    fn dirs_of(&self, dirs: &Dirs<'_>, doc: &DocFile<'_>, only: Option<&str>) -> Vec<Dir> {
        if !dirs.has_top(doc) {
            return Vec::new();
        }
        let mut from = Dir {
            path: self.root.clone(),
            names: Vec::new(),
            known: SessionAt::new(only.unwrap_or_default(), ""),
        };
        let mut n_fixed = 0;
        for name in doc.fixed() {
            if self.is_denied(name) {
                return Vec::new();
            }
            from = from.below(name, from.known.clone());
            n_fixed += 1;
        }
        let walk = Walk {
            store: self,
            dirs,
            top: from.path.clone(),
            only,
        };
        let mut found = Vec::new();
        walk.walk(from, &doc.dir()[n_fixed..], &mut found);
        found
    }

    /// The directories below those of the main docs in which any doc may lie.
    pub(super) fn dirs_with_docs(&self, dirs: &Dirs<'_>) -> Vec<Dir> {
        let tops: BTreeSet<PathBuf> = self.mains().map(|doc| self.top(doc)).collect();
        let mut found: Vec<Dir> = Vec::new();
        for doc in self.docs.iter().filter(|doc| tops.contains(&self.top(doc))) {
            let mut new = self.dirs_of(dirs, doc, None);
            if doc.last() == REST {
                let top = self.top(doc);
                new = new
                    .into_iter()
                    .flat_map(|dir| self.all_below(dirs, &top, dir))
                    .collect();
            }
            found.extend(new);
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        found.dedup_by(|one, other| one.path == other.path);
        found
    }

    /// The target of a link that is followed: it leads out of the store, and out of the directory
    /// of its docs if that is itself a link.
    fn followed(&self, top: &Path, link: &Path) -> Option<PathBuf> {
        files::followed(&self.root, link).and_then(|_| files::followed(top, link))
    }

    fn is_own_dir(&self, top: &Path, path: &Path) -> bool {
        files::is_dir_or_link(path, || self.followed(top, path).is_some())
    }

    fn all_below(&self, dirs: &Dirs<'_>, top: &Path, from: Dir) -> Vec<Dir> {
        let (mut found, mut open) = (Vec::new(), vec![(from, 0)]);
        while let Some((dir, depth)) = open.pop() {
            let below = dirs.dirs_in(top, &dir.path).into_iter();
            let below = below.filter(|name| !self.is_denied(name) && depth < DEEPEST_REST);
            open.extend(below.map(|name| (dir.below(&name, dir.known.clone()), depth + 1)));
            found.push(dir);
        }
        found
    }

    /// The docs of a session, the main doc first; `None` without it.
    pub(super) fn docs_of(
        &self,
        dirs: &Dirs<'_>,
        at: &SessionAt,
        which: Which<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Vec<FoundDoc>> {
        let names = at.place.split('/');
        let path = names.fold(self.root.clone(), |path, name| path.join(name));
        let stamp = match Stamp::of(&path) {
            Ok(stamp) => stamp,
            // Deleted after the directory was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                problems.push(unreadable(&path, &error));
                return None;
            }
        };
        let mut found = vec![FoundDoc {
            name: DocName::new(self.docs[0].name),
            kind: self.docs[0].kind,
            place: at.place.clone(),
            path,
            stamp,
        }];
        let others = self.docs.iter().filter(|doc| doc.name != self.docs[0].name);
        for doc in others {
            let Some(dir) = self.dir_of(dirs, doc, at, which) else {
                continue;
            };
            match doc.last() {
                REST => self.add_all(&dir, doc, &mut found, problems),
                last if last.contains(NAME) => {
                    let start = dir.known.fill(last.split(NAME).next().unwrap_or_default());
                    let names = dirs.names(&dir.path);
                    let first = names.partition_point(|(name, _)| *name < start);
                    let mine = names[first..].iter();
                    for (name, kind) in mine.take_while(|(name, _)| name.starts_with(&start)) {
                        if kind.is_file() {
                            self.add(&dir, doc, name, &mut found);
                        }
                    }
                }
                last => self.add(&dir, doc, &dir.known.fill(last), &mut found),
            }
        }
        Some(found)
    }

    /// The directory of a session's doc, if it is there.
    fn dir_of(
        &self,
        dirs: &Dirs<'_>,
        doc: &DocFile<'_>,
        at: &SessionAt,
        which: Which<'_>,
    ) -> Option<Dir> {
        if !dirs.has_top(doc) {
            return None;
        }
        let main = self.docs[0].dir();
        let parts = doc.dir();
        // The directories that it shares with the main doc were checked.
        let n_shared = parts
            .iter()
            .zip(&main)
            .take_while(|(one, other)| one == other);
        let n_checked = n_shared.count().max(doc.fixed().count());
        let top = self.top(doc);
        let mut dir = Dir {
            path: self.root.clone(),
            names: Vec::new(),
            known: SessionAt {
                place: String::new(),
                ..at.clone()
            },
        };
        for (depth, part) in parts.iter().enumerate() {
            let name = at.fill(part);
            let next = dir.below(&name, dir.known.clone());
            let is_first = part.contains(['{']) && n_checked <= depth;
            if is_first && matches!(which, Which::All) && !dir_is_in(&dirs.names(&dir.path), &name)
            {
                return None;
            }
            if n_checked <= depth && !self.is_own_dir(&top, &next.path) {
                return None;
            }
            dir = next;
        }
        Some(dir)
    }

    fn add_all(
        &self,
        from: &Dir,
        doc: &DocFile<'_>,
        found: &mut Vec<FoundDoc>,
        problems: &mut Vec<Problem>,
    ) {
        let top = self.top(doc);
        let mut open = vec![(from.clone(), String::new())];
        while let Some((dir, above)) = open.pop() {
            if DEEPEST_REST < above.matches('/').count() {
                problems.push(too_deep(&dir.path));
                continue;
            }
            // The directories of one session are read once, and change often.
            let mut below = Vec::new();
            for (name, kind) in names_in(&dir.path).0 {
                let (path, rest) = (dir.path.join(&name), format!("{above}{name}"));
                if self.is_denied(&name) || !(self.is_name)(&rest) {
                    continue;
                }
                if kind.is_file() {
                    let known = SessionAt {
                        name: rest,
                        ..dir.known.clone()
                    };
                    found.extend(doc_of(doc, &known, dir.place(&name), path));
                } else if kind.is_dir() || self.is_own_dir(&top, &path) {
                    below.push((dir.below(&name, dir.known.clone()), format!("{rest}/")));
                }
            }
            open.extend(below.into_iter().rev());
        }
    }

    /// Adds the doc of a file, if it is one of this pattern.
    fn add(&self, dir: &Dir, doc: &DocFile<'_>, name: &str, found: &mut Vec<FoundDoc>) {
        let place = dir.place(name);
        let names: Vec<&str> = place.split('/').collect();
        if let Some((is, at)) = self.doc_at(&names).filter(|(is, _)| is.at == doc.at) {
            found.extend(doc_of(is, &at, place, dir.path.join(name)));
        }
    }
}

/// The doc of a file that is there.
fn doc_of(doc: &DocFile<'_>, at: &SessionAt, place: String, path: PathBuf) -> Option<FoundDoc> {
    Some(FoundDoc {
        name: DocName::new(at.fill(doc.name)),
        kind: doc.kind_of(&place),
        place,
        stamp: Stamp::of(&path).ok()?,
        path,
    })
}

/// A walk through the directories that fit a pattern.
struct Walk<'w> {
    store: &'w FileStore<'w>,
    dirs: &'w Dirs<'w>,
    /// The directory that no link may lead back into.
    top: PathBuf,
    only: Option<&'w str>,
}

impl Walk<'_> {
    fn walk(&self, from: Dir, parts: &[&str], found: &mut Vec<Dir>) {
        let Some((part, rest)) = parts.split_first() else {
            found.push(from);
            return;
        };
        if *part == "**" {
            self.walk(from.clone(), rest, found);
            if from.names.len() < DEEPEST {
                for name in self.dirs.dirs_in(&self.top, &from.path) {
                    if !self.store.is_denied(&name) {
                        self.walk(from.below(&name, from.known.clone()), parts, found);
                    }
                }
            }
            return;
        }
        let name = filled_with(part, self.only);
        let names = match is_fixed(&name) {
            true if self.store.is_own_dir(&self.top, &from.path.join(&name)) => vec![name],
            true => Vec::new(),
            false => self.dirs.dirs_in(&self.top, &from.path),
        };
        for name in &names {
            if let Some(known) = self.store.match_name(part, name, &from.known) {
                self.walk(from.below(name, known), rest, found);
            }
        }
    }
}

/// A name of a pattern with the id of the session that is looked for.
fn filled_with(part: &str, only: Option<&str>) -> String {
    only.map_or_else(|| part.to_owned(), |only| part.replace(SESSION, only))
}

fn dir_is_in(names: &Names, name: &str) -> bool {
    let at = names.binary_search_by(|(is, _)| is.as_str().cmp(name));
    at.is_ok_and(|at| !names[at].1.is_file())
}

/// A file that is looked for by its name.
fn file_at(dir: &Path, name: &str) -> Names {
    looked_at();
    let kind = fs::symlink_metadata(dir.join(name)).map(|metadata| metadata.file_type());
    kind.map(|kind| vec![(name.to_owned(), kind)])
        .unwrap_or_default()
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(
        ProblemCode::Unreadable,
        format!("{} could not be read: {error}.", path.display()),
        "Check the file's owner and permissions.",
    )
}

fn too_deep(dir: &Path) -> Problem {
    Problem::new(
        ProblemCode::TooDeep,
        format!(
            "Files below {} are nested too deep and do not sync.",
            dir.display()
        ),
        "Nothing needs to be done; the conversation itself syncs.",
    )
}
