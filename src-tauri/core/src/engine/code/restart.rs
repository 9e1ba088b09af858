//! What an engine that was killed left unfinished: code that was being applied or taken back. A note
//! on disk names a checkout before anything is changed in it; the next start finishes, or takes back.

use super::event::Applied;
use session_roam_code::{Checkout, CodeError, Git, Undo, recover, undos};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const NOTE: &str = "applying.json";

/// Notes what is about to be applied; `store` is the directory of the session's objects. Its number is
/// not known yet.
pub fn note(store: &Path, applied: &Applied) -> Result<(), CodeError> {
    let (path, next) = (store.join(NOTE), store.join("applying.new"));
    let write = || {
        let mut file = fs::File::create(&next)?;
        file.write_all(&serde_json::to_vec(applied)?)?;
        file.sync_all()?;
        fs::rename(&next, &path)
    };
    write().map_err(|source| CodeError::Io {
        path: path.clone(),
        source,
    })
}

/// The state knows of it now, or nothing was applied.
pub fn note_done(store: &Path) {
    // One that stays is compared with the checkout at the next start, and then removed.
    let _ = fs::remove_file(store.join(NOTE));
}

/// Whether something was about to be applied.
pub fn is_noted(store: &Path) -> bool {
    store.join(NOTE).exists()
}

/// What a killed process left behind.
#[derive(Default)]
pub struct Left {
    /// Applied whole, and not known to the state.
    pub applied: Vec<Applied>,
    /// Taken back whole, and still in the state.
    pub undone: Vec<Applied>,
}

/// Finishes or takes back what was begun in the checkouts of `known` and of the notes in `stores`.
pub fn look(known: &[Applied], stores: &Path) -> Left {
    let noted = notes(stores);
    let roots = known.iter().chain(noted.iter().map(|(_, applied)| applied));
    let mut roots: Vec<PathBuf> = roots.map(|applied| applied.root.clone()).collect();
    roots.sort();
    roots.dedup();
    let Ok(git) = Git::find() else {
        return Left::default();
    };
    // A checkout that cannot be opened now may be there at the next start.
    let opened = roots.into_iter().filter_map(|root| {
        let checkout = Checkout::open(&git, &root).ok()?;
        let n_recovered = recover(&checkout).ok()?;
        Some((root, (n_recovered, undos(&checkout).ok()?)))
    });
    let there: BTreeMap<PathBuf, (usize, Vec<Undo>)> = opened.collect();
    let mut left = Left::default();
    for applied in known {
        let Some((n_recovered, undos)) = there.get(&applied.root) else {
            continue;
        };
        // Otherwise somebody else removed the record, and nothing is known of the files.
        let was_undoing = 0 < *n_recovered || applied.is_worktree() && !applied.place.exists();
        if was_undoing && undos.iter().all(|it| it.number != applied.number) {
            left.undone.push(applied.clone());
        }
    }
    for (store, applied) in noted {
        let Some((_, undos)) = there.get(&applied.root) else {
            continue;
        };
        let is_known = |number: u64| {
            known
                .iter()
                .any(|it| it.root == applied.root && it.number == number)
        };
        let new = undos
            .iter()
            .find(|undo| undo.snapshot.as_str() == applied.snapshot && !is_known(undo.number));
        match new {
            Some(undo) => left.applied.push(Applied {
                number: undo.number,
                place: undo
                    .worktree
                    .clone()
                    .unwrap_or_else(|| applied.root.clone()),
                ..applied
            }),
            None => note_done(&store),
        }
    }
    left
}

/// Every note, with the directory that it is in.
fn notes(stores: &Path) -> Vec<(PathBuf, Applied)> {
    let below = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let dirs = below(stores).into_iter().flat_map(|tool| below(&tool));
    let note = |dir: PathBuf| {
        let text = fs::read(dir.join(NOTE)).ok()?;
        Some((dir, serde_json::from_slice(&text).ok()?))
    };
    dirs.filter_map(note).collect()
}
