//! The places in the store to which a session's docs are written.

use super::*;

/// The slug directory for a session's files: that of its transcript, else of the bound directory.
pub(super) fn home_for(
    store: &Store,
    session: &SessionId,
    cwd: &Path,
    machine: &Machine,
) -> Result<Home, WriteError> {
    let mut listing = Listing::default();
    let existing = transcripts(store, Which::One(session), &mut listing).remove(session);
    if let Some(problem) = listing.problems.pop() {
        return Err(WriteError::Refused(problem.message));
    }
    let slug_dir = match existing.as_deref().and_then(Path::parent) {
        Some(dir) => dir.to_path_buf(),
        None => slug_dir(store, cwd, machine)?,
    };
    Ok(Home { slug_dir, existing })
}

pub(super) struct Home {
    pub(super) slug_dir: PathBuf,
    pub(super) existing: Option<PathBuf>,
}

/// The place of a doc with this name, and the directory it must not leave. The name may come from
/// another device.
pub(super) fn place<'s>(
    store: &'s Store,
    home: &Home,
    session: &SessionId,
    name: &str,
) -> Result<(&'s Path, PathBuf), WriteError> {
    let id = session.as_str();
    if name == MAIN {
        return Ok((&store.projects, home.slug_dir.join(format!("{id}.jsonl"))));
    }
    if name.split('/').any(is_denied) || name.split('/').count() > DEEPEST + 2 {
        return Err(WriteError::Refused(format!(
            "\"{name}\" is not one of a session's files"
        )));
    }
    let Some(rest) = name.strip_prefix(BESIDE) else {
        return Ok((
            &store.projects,
            files::below(&home.slug_dir.join(id), name)?,
        ));
    };
    let (kind, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let [long, short] = task_dirs(id);
    match kind {
        "agents" if is_old_agent(rest) => {
            Ok((&store.projects, files::below(&home.slug_dir, rest)?))
        }
        "file-history" => Ok((
            &store.file_history,
            files::below(&store.file_history.join(id), rest)?,
        )),
        "todos" if rest.ends_with(".json") && !rest.contains('/') => Ok((
            &store.todos,
            files::below(&store.todos, &format!("{id}-{rest}"))?,
        )),
        "plans" if plans::is_plan(rest) => Ok((&store.plans, files::below(&store.plans, rest)?)),
        "tasks" => Ok((&store.tasks, files::below(&store.tasks.join(long.0), rest)?)),
        "tasks-short" => Ok((
            &store.tasks,
            files::below(&store.tasks.join(short.0), rest)?,
        )),
        _ => Err(WriteError::Refused(format!(
            "\"{name}\" is not one of a session's files"
        ))),
    }
}

pub(super) fn planned<'a>(
    root: &'a Path,
    path: PathBuf,
    name: &'a DocName,
    change: &'a Change<'a>,
    home: &Home,
) -> Result<GuestWrite<'a>, WriteError> {
    match (change, &home.existing) {
        // The session is in another slug directory. With a second copy the tool would find neither.
        (Change::Create(_), Some(existing)) if name.as_str() == MAIN => {
            Err(WriteError::Changed(existing.clone()))
        }
        (change, _) if change.path().is_some_and(|planned| planned != path) => Err(
            WriteError::Changed(change.path().unwrap_or(&path).to_path_buf()),
        ),
        _ => Ok(GuestWrite {
            name,
            root,
            path,
            change,
        }),
    }
}

/// The tool deletes files unchanged for 30 days (the default). Anything older than 20 days counts
/// as touched now.
pub(super) fn safe_from_sweep(updated: Millis, now: Millis) -> Millis {
    const TWENTY_DAYS: i64 = 20 * 24 * 60 * 60 * 1000;
    if updated.0 < now.0 - TWENTY_DAYS {
        now
    } else {
        updated
    }
}
