//! Decides which files in the store are docs of a session, and which are not synced.

use super::*;

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

pub(super) fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Conflict copies of agents beside the transcripts. 2.0.76 takes the records in a copy of a
/// transcript for the session's own (seen 2026-11-23).
pub(super) fn copies_of_agents(store: &Store) -> Vec<ConflictCopy> {
    let mut found = Vec::new();
    for slug_dir in directories(&store.projects) {
        for (path, name) in entries(&slug_dir) {
            let original = copied_from(&name).filter(|original| is_old_agent(original));
            let session = original.as_ref().and_then(|_| agent_owner(&path));
            let (Some(original), Some(session)) = (original, session) else {
                continue;
            };
            let at = files::names_below(&store.base, &path.with_file_name(&original));
            let copy = at
                .zip(Stamp::of(&path).ok())
                .map(|(at, stamp)| ConflictCopy {
                    session,
                    kind: DocKind::Log,
                    main: false,
                    doc: DocName::new(format!("{BESIDE}agents/{original}")),
                    place: at.join("/"),
                    path,
                    stamp,
                    open_in: None,
                });
            found.extend(copy);
        }
    }
    found
}

/// The prefix of doc names for files beside the session's own directory. It keeps them apart from
/// files inside that directory.
pub(super) const BESIDE: &str = "beside/";
/// The prefix of docs that are plan files.
pub(super) const PLANS: &str = "beside/plans/";

/// The prefixes of docs that hold what the user gave the session: files and pictures.
pub(super) const GIVEN: [&str; 2] = ["beside/uploads/", "beside/image-cache/"];

pub(super) const DOCS: [DocFile<'_>; 8] = [
    DocFile::log(MAIN, "projects/{group}/{session}.jsonl"),
    DocFile::snapshot("{rest}", "projects/{group}/{session}/{rest}"),
    DocFile::snapshot(
        "beside/file-history/{rest}",
        "file-history/{session}/{rest}",
    ),
    DocFile::snapshot("beside/todos/{name}.json", "todos/{session}-{name}.json"),
    DocFile::snapshot("beside/tasks/{rest}", "tasks/{session}/{rest}"),
    DocFile::snapshot("beside/tasks-short/{rest}", "tasks/session-{short}/{rest}"),
    DocFile::snapshot("beside/uploads/{rest}", "uploads/{session}/{rest}"),
    DocFile::snapshot("beside/image-cache/{rest}", "image-cache/{session}/{rest}"),
];

/// Whether a file in a session's own directory has a name that no other doc has.
pub(super) fn is_own_name(name: &str) -> bool {
    name != MAIN && name.split('/').next() != Some(BESIDE.trim_end_matches('/'))
}

/// Adds a file that is known by its content.
pub(super) fn add_file(base: &Path, docs: &mut Vec<FoundDoc>, path: &Path, name: String) {
    let at = files::names_below(base, path);
    let doc = at.zip(Stamp::of(path).ok()).map(|(at, stamp)| FoundDoc {
        kind: match name.ends_with(".jsonl") {
            true => DocKind::Log,
            false => DocKind::Snapshot,
        },
        name: DocName::new(name),
        place: at.join("/"),
        path: path.to_path_buf(),
        stamp,
    });
    docs.extend(doc);
}
