//! Decides which files in the store are docs of a session, and which are not synced.

use super::*;
use crate::session::ProblemCode;

/// The entries of a directory whose names are valid text, sorted.
pub(super) fn entries(dir: &Path) -> impl Iterator<Item = (PathBuf, String)> + use<> {
    named_entries(dir).map(|(path, name, _)| (path, name))
}

/// As `entries`, with the file type from the directory listing; no stat of the entries.
pub(super) fn named_entries(
    dir: &Path,
) -> impl Iterator<Item = (PathBuf, String, Option<fs::FileType>)> + use<> {
    let named = |entry: fs::DirEntry| {
        Some((
            entry.path(),
            entry.file_name().into_string().ok()?,
            entry.file_type().ok(),
        ))
    };
    let mut found: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(named)
        .collect();
    // Sorted by name: in one directory the order of paths, whose comparison is many times slower.
    found.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
    found.into_iter()
}

/// The directories in a directory of the store. Of two links to one directory the first counts.
pub(super) fn directories(dir: &Path) -> Vec<PathBuf> {
    // Every reconcile of one session calls this, so the file type comes from the listing.
    let mut linked = BTreeSet::new();
    let mut is_dir = |path: &Path, kind: fs::FileType| {
        kind.is_dir()
            || kind.is_symlink() && files::followed(dir, path).is_some_and(|to| linked.insert(to))
    };
    named_entries(dir)
        .filter_map(|(path, _, kind)| is_dir(&path, kind?).then_some(path))
        .collect()
}

/// Transcripts by session. Of two copies the longer counts, and a problem is reported.
pub(super) fn transcripts(
    store: &Store,
    which: Which<'_>,
    listing: &mut Listing,
) -> BTreeMap<SessionId, PathBuf> {
    let mut found: BTreeMap<SessionId, PathBuf> = BTreeMap::new();
    let all = match which {
        Which::All => all_transcripts(store),
        Which::One(session) => copies_of(store, session)
            .into_iter()
            .map(|path| (session.clone(), path))
            .collect(),
        Which::ConflictCopies => Vec::new(),
    };
    for (session, path) in all {
        let Some(other) = found.get(&session).cloned() else {
            found.insert(session, path);
            continue;
        };
        listing.problems.push(Problem::new(
            ProblemCode::DuplicateSession,
            format!(
                "{NAME} has session {session} twice: {} and {}. The longer one counts.",
                other.display(),
                path.display()
            ),
            format!(
                "Move one of them out of {}: with two of them {NAME} may find neither.",
                store.projects.display()
            ),
        ));
        let longer = |path: &Path| {
            Stamp::of(path)
                .map(|stamp| (stamp.len, stamp.mtime_ns))
                .unwrap_or_default()
        };
        let (counts, twin) = if longer(&other) < longer(&path) {
            (path, other)
        } else {
            (other, path)
        };
        listing.twins.extend(twin_of(store, &session, &twin));
        found.insert(session, counts);
    }
    found
}

pub(super) fn twin_of(store: &Store, session: &SessionId, path: &Path) -> Option<Twin> {
    let at = files::names_below(&store.base, path)?.join("/");
    let stamp = Stamp::of(path).ok()?;
    let doc = FoundDoc {
        name: DocName::new(MAIN),
        kind: DocKind::Log,
        at,
        path: path.to_path_buf(),
        stamp,
    };
    Some(Twin {
        session: session.clone(),
        doc,
    })
}

pub(super) fn all_transcripts(store: &Store) -> Vec<(SessionId, PathBuf)> {
    let transcript = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let id = name.strip_suffix(".jsonl").filter(|id| is_uuid(id))?;
        // The file type comes from the listing; a stat of each file would double the cost.
        entry
            .file_type()
            .is_ok_and(|kind| kind.is_file())
            .then(|| (SessionId::new(id), entry.path()))
    };
    let mut found = Vec::new();
    for dir in directories(&store.projects) {
        let first = found.len();
        found.extend(
            fs::read_dir(&dir)
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(transcript),
        );
        found[first..].sort();
    }
    found
}

pub(super) fn copies_of(store: &Store, session: &SessionId) -> Vec<PathBuf> {
    if !is_uuid(session.as_str()) {
        return Vec::new();
    }
    let name = format!("{session}.jsonl");
    directories(&store.projects)
        .into_iter()
        .map(|dir| dir.join(&name))
        .filter(|path| is_file(path))
        .collect()
}

pub(super) fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Conflict copies among the transcripts and in the sessions' own directories. 2.0.76 takes the
/// records in a copy of a transcript for the session's own (seen 2026-11-23).
pub(super) fn conflict_copies(store: &Store) -> Vec<ConflictCopy> {
    let (live, mut found) = (live_sessions(store), Vec::new());
    for slug_dir in directories(&store.projects) {
        for (path, name) in entries(&slug_dir) {
            if let Some(original) = copied_from(&name) {
                let session = original
                    .strip_suffix(".jsonl")
                    .filter(|id| is_uuid(id))
                    .map(SessionId::new);
                let agent = || agent_owner(&path).filter(|_| is_old_agent(&original));
                let doc = if session.is_some() {
                    MAIN.to_owned()
                } else {
                    format!("{BESIDE}agents/{original}")
                };
                found.extend(
                    session
                        .or_else(agent)
                        .and_then(|session| conflict_copy(store, session, doc, &path, &original)),
                );
            } else if is_uuid(&name) {
                strays_below(store, &SessionId::new(name), &path, "", 0, &mut found);
            }
        }
    }
    found.iter_mut().for_each(|conflict_copy| {
        conflict_copy.live = live.get(conflict_copy.session.as_str()).cloned()
    });
    found
}

pub(super) fn strays_below(
    store: &Store,
    session: &SessionId,
    dir: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<ConflictCopy>,
) {
    for (path, name) in entries(dir) {
        if let Some(original) = copied_from(&name).filter(|original| !is_denied(original)) {
            found.extend(conflict_copy(
                store,
                session.clone(),
                format!("{prefix}{original}"),
                &path,
                &original,
            ));
        } else if !is_denied(&name)
            && depth < DEEPEST
            && fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir())
        {
            strays_below(
                store,
                session,
                &path,
                &format!("{prefix}{name}/"),
                depth + 1,
                found,
            );
        }
    }
}

pub(super) fn conflict_copy(
    store: &Store,
    session: SessionId,
    doc: String,
    path: &Path,
    original: &str,
) -> Option<ConflictCopy> {
    let at = path.with_file_name(original);
    Some(ConflictCopy {
        session,
        kind: kind_of(&doc),
        main: doc == MAIN,
        doc: DocName::new(doc),
        at: files::names_below(&store.base, &at)?.join("/"),
        path: path.to_path_buf(),
        stamp: Stamp::of(path).ok()?,
        live: None,
    })
}

/// The files beside the transcripts, by the names that identify their session. Read once for a
/// whole listing.
pub(super) struct Beside {
    pub(super) todos: Arc<Vec<(PathBuf, String)>>,
    /// Directories, if all of them were listed; for one session they are tried.
    pub(super) tasks: Option<BTreeSet<String>>,
    pub(super) file_history: Option<BTreeSet<String>>,
}

impl Beside {
    /// The `todos` whose names begin with `id`.
    pub(super) fn todos_of(&self, id: &str) -> impl Iterator<Item = &(PathBuf, String)> {
        let first = self.todos.partition_point(|(_, name)| name.as_str() < id);
        self.todos[first..]
            .iter()
            .take_while(move |(_, name)| name.starts_with(id))
    }
}

pub(super) fn may_be_in(listed: Option<&BTreeSet<String>>, name: &str) -> bool {
    listed.is_none_or(|names| names.contains(name))
}

pub(super) fn docs_of(
    store: &Store,
    session: &SessionId,
    main: &Path,
    beside: &Beside,
    agents: &[OldAgent],
    problems: &mut Vec<Problem>,
) -> io::Result<Vec<FoundDoc>> {
    let id = session.as_str();
    let slug_dir = main.parent().unwrap_or(main);
    let mut docs = Docs {
        base: &store.base,
        found: Vec::new(),
        problems,
    };
    let stamp = Stamp::of(main)?;
    docs.add(MAIN, main, stamp);
    docs.walk(&slug_dir.join(id), "", 0);
    for agent in agents.iter().filter(|agent| agent.owner == *session) {
        docs.add_file(&agent.path, &format!("{BESIDE}agents/{}", agent.name));
    }
    if may_be_in(beside.file_history.as_ref(), id) {
        docs.walk(
            &store.file_history.join(id),
            &format!("{BESIDE}file-history/"),
            0,
        );
    }
    for (path, name) in beside.todos_of(id) {
        if let Some(rest) = name
            .strip_prefix(id)
            .and_then(|rest| rest.strip_prefix('-'))
            && name.ends_with(".json")
        {
            docs.add_file(path, &format!("{BESIDE}todos/{rest}"));
        }
    }
    for (dir, place) in task_dirs(id) {
        if may_be_in(beside.tasks.as_ref(), &dir) {
            docs.walk(&store.tasks.join(&dir), &format!("{BESIDE}{place}/"), 0);
        }
    }
    Ok(docs.found)
}

/// The prefix of doc names for files beside the session's own directory. It keeps them apart from
/// files inside that directory.
pub(super) const BESIDE: &str = "beside/";
/// The prefix of docs that are plan files.
pub(super) const PLANS: &str = "beside/plans/";

/// The two possible names of a session's task directory, with the name of each within the session.
pub(super) fn task_dirs(id: &str) -> [(String, &'static str); 2] {
    [
        (id.to_owned(), "tasks"),
        (
            format!("session-{}", id.get(..8).unwrap_or(id)),
            "tasks-short",
        ),
    ]
}

pub(super) struct Docs<'a> {
    pub(super) base: &'a Path,
    pub(super) found: Vec<FoundDoc>,
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Docs<'_> {
    pub(super) fn walk(&mut self, dir: &Path, prefix: &str, depth: usize) {
        if !files::is_own_dir(self.base, dir) {
            return;
        }
        if depth > DEEPEST {
            self.problems.push(Problem::new(
                ProblemCode::TooDeep,
                format!(
                    "Files below {} are nested too deep and do not sync.",
                    dir.display()
                ),
                "Nothing needs to be done; the conversation itself syncs.",
            ));
            return;
        }
        for (path, name) in entries(dir) {
            let reserved =
                prefix.is_empty() && (name == MAIN || name == BESIDE.trim_end_matches('/'));
            if reserved || is_denied(&name) {
                continue;
            }
            self.walk(&path, &format!("{prefix}{name}/"), depth + 1);
            self.add_file(&path, &format!("{prefix}{name}"));
        }
    }

    pub(super) fn add_file(&mut self, path: &Path, name: &str) {
        if let Ok(stamp) = Stamp::of(path) {
            self.add(name, path, stamp);
        }
    }

    pub(super) fn add(&mut self, name: &str, path: &Path, stamp: Stamp) {
        let kind = kind_of(name);
        let at = path.strip_prefix(self.base).unwrap_or(path);
        let at: Vec<_> = at
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        self.found.push(FoundDoc {
            name: DocName::new(name),
            kind,
            at: at.join("/"),
            path: path.to_path_buf(),
            stamp,
        });
    }
}

pub(super) fn kind_of(doc: &str) -> DocKind {
    if doc.ends_with(".jsonl") {
        DocKind::Log
    } else {
        DocKind::Snapshot
    }
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(
        ProblemCode::Unreadable,
        format!("{} could not be read: {error}.", path.display()),
        "Check the file's owner and permissions.",
    )
}
