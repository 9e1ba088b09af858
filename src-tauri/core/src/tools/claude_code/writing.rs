//! The places in the store to which a session's docs are written.

use super::*;

/// The place of a session: that of its transcript, else in the slug directory of the bound
/// directory.
pub(super) fn home_for(
    files: &FileStore<'_>,
    store: &Store,
    checkout: &Checkout<'_>,
    machine: &Machine,
) -> Result<Home, WriteError> {
    let existing = files.one(checkout.session, checkout.forgets)?;
    let is_here = existing.as_ref().is_some_and(|at| !files.is_emptied(at));
    let at = match existing {
        Some(at) => at,
        None => {
            let dir = slug_dir(store, checkout.cwd, machine)?;
            let slug = dir.file_name().unwrap_or_default().to_string_lossy();
            files.in_group(checkout.session, &slug)
        }
    };
    Ok(Home { at, is_here })
}

pub(super) struct Home {
    pub(super) at: SessionAt,
    /// Whether the transcript is there.
    pub(super) is_here: bool,
}

/// The directory that a doc of this name must not leave, and the doc's place. The name may come
/// from another device.
pub(super) fn place(
    files: &FileStore<'_>,
    store: &Store,
    home: &Home,
    name: &DocName,
) -> Result<(PathBuf, PathBuf), WriteError> {
    let rest = name.as_str().strip_prefix(BESIDE);
    match rest.and_then(|rest| rest.split_once('/')) {
        Some(("agents", rest)) if is_old_agent(rest) && !is_denied(rest) => {
            let slug_dir = store.projects.join(&home.at.group);
            Ok((store.projects.clone(), files::below(&slug_dir, rest)?))
        }
        Some(("plans", rest)) if plans::is_plan(rest) => {
            Ok((store.plans.clone(), files::below(&store.plans, rest)?))
        }
        _ => files.place(&home.at, name),
    }
}

/// Whether a doc may be written at its place.
pub(super) fn check_place(
    path: &Path,
    name: &DocName,
    change: &Change<'_>,
    home: &Home,
) -> Result<(), WriteError> {
    match change.path() {
        // The session is in another slug directory. With a second copy the tool would find neither.
        None if home.is_here && name.as_str() == MAIN => {
            Err(WriteError::Changed(path.to_path_buf()))
        }
        Some(planned) if planned != path => Err(WriteError::Changed(planned.to_path_buf())),
        _ => Ok(()),
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
