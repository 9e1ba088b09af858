//! What an engine that was killed left unfinished: code that was being applied or taken back. A note
//! on disk names a checkout before anything is changed in it; the next start finishes, or takes back.

use super::event::{Applied, Left, is_record_of};
use super::expiry::AGE;
use session_roam_code::{Checkout, CodeError, Git, Recovered, Undo, recover, undos};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const NOTE: &str = "applying.json";
/// The same for code that is taken back.
const UNDOING: &str = "undoing.json";

/// Notes what is about to be applied; `store` is the directory of the session's objects. Its number is
/// not known yet.
pub fn note(store: &Path, applied: &Applied) -> Result<(), CodeError> {
    write_note(store, NOTE, applied)
}

/// Notes what is about to be taken back.
pub fn note_undoing(store: &Path, applied: &Applied) -> Result<(), CodeError> {
    write_note(store, UNDOING, applied)
}

fn write_note(store: &Path, name: &str, applied: &Applied) -> Result<(), CodeError> {
    let (path, next) = (store.join(name), store.join("note.new"));
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

/// The state knows of it now, or nothing was taken back.
pub fn undoing_done(store: &Path) {
    // One that stays counts for nothing when the state does not know what it names.
    let _ = fs::remove_file(store.join(UNDOING));
}

/// Whether something is being applied or taken back, or was when the engine was killed: the store stays.
pub fn is_noted(store: &Path) -> bool {
    [NOTE, UNDOING].iter().any(|name| store.join(name).exists())
}

/// Finishes or takes back what was begun in the checkouts of `known` and of the notes in `stores`.
pub fn look(known: &[Applied], stores: &Path) -> Left {
    let (noted, undoing) = (notes(stores, NOTE), notes(stores, UNDOING));
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
        let recovered = recover(&checkout).ok()?;
        Some((root, (recovered, undos(&checkout).ok()?)))
    });
    let there: BTreeMap<PathBuf, (Recovered, Vec<Undo>)> = opened.collect();
    let mut left = Left::default();
    for applied in known {
        let Some((recovered, undos)) = there.get(&applied.root) else {
            continue;
        };
        // Otherwise somebody else removed the record, and nothing is known of the files.
        let was_undoing = is_among(recovered, applied)
            || applied.is_worktree() && !applied.place.exists()
            || undoing.iter().any(|(_, noted)| noted.is(applied));
        if was_undoing && !undos.iter().any(|undo| is_record_of(undo, applied)) {
            left.undone
                .push((applied.clone(), recovered.kept.first().cloned()));
        }
    }
    for (store, noted) in undoing {
        // What was not begun is not taken back. The loop removes the other notes.
        let is_undone = left.undone.iter().any(|(undone, _)| undone.is(&noted));
        let is_known = known.iter().any(|known| known.is(&noted));
        if !is_undone && (there.contains_key(&noted.root) || !is_known) {
            undoing_done(&store);
        }
    }
    for (store, applied) in noted {
        let Some((recovered, undos)) = there.get(&applied.root) else {
            // It keeps the store from being removed, and the checkout may be gone for good.
            if is_outdated(&store.join(NOTE)) {
                note_done(&store);
            }
            continue;
        };
        let is_known = |undo: &Undo| {
            let is_it = |it: &Applied| it.root == applied.root && is_record_of(undo, it);
            known.iter().any(is_it)
        };
        let new = undos
            .iter()
            .find(|undo| undo.snapshot.as_str() == applied.snapshot && !is_known(undo));
        match new {
            Some(undo) => left.applied.push(Applied {
                number: undo.number,
                place: undo
                    .worktree
                    .clone()
                    .unwrap_or_else(|| applied.root.clone()),
                ..applied
            }),
            // The loop removes the note when it has told the history.
            None if is_among(recovered, &applied) => {
                left.taken_back
                    .push((applied, recovered.kept.first().cloned()));
            }
            None => note_done(&store),
        }
    }
    left
}

fn is_outdated(note: &Path) -> bool {
    let modified = note.metadata().and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    age.is_some_and(|age| AGE < age)
}

/// Whether it was taken back just now.
pub fn is_among(recovered: &Recovered, applied: &Applied) -> bool {
    let mut snapshots = recovered.snapshots.iter();
    snapshots.any(|it| it.as_str() == applied.snapshot)
}

/// Every note of that name, with the directory that it is in.
fn notes(stores: &Path, name: &str) -> Vec<(PathBuf, Applied)> {
    let below = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let dirs = below(stores).into_iter().flat_map(|tool| below(&tool));
    let note = |dir: PathBuf| {
        let text = fs::read(dir.join(name)).ok()?;
        Some((dir, serde_json::from_slice(&text).ok()?))
    };
    dirs.filter_map(note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::code::event::tests::applied;

    struct Stores {
        home: tempfile::TempDir,
        store: PathBuf,
    }

    impl Stores {
        fn new() -> Self {
            let home = tempfile::tempdir().expect("a directory");
            let store = home.path().join("code/claude-code/hash");
            fs::create_dir_all(&store).expect("makes");
            Self { home, store }
        }

        fn look(&self, known: &[Applied]) {
            let left = look(known, &self.home.path().join("code"));
            assert_eq!(left.applied.len() + left.undone.len(), 0);
        }
    }

    #[test]
    fn a_store_is_noted_while_something_is_applied_or_taken_back() {
        let Stores { home: _home, store } = Stores::new();
        let it = applied("one", "/nowhere", 1, 0);
        assert!(!is_noted(&store));
        note(&store, &it).expect("notes");
        assert!(is_noted(&store));
        note_done(&store);
        assert!(!is_noted(&store));
        note_undoing(&store, &it).expect("notes");
        assert!(is_noted(&store));
        undoing_done(&store);
        assert!(!is_noted(&store));
    }

    #[test]
    fn the_note_of_an_undo_stays_while_the_undo_can_be_finished() {
        let stores = Stores::new();
        // Its disk is away.
        let it = applied("one", "/nowhere", 1, 0);
        note_undoing(&stores.store, &it).expect("notes");
        stores.look(std::slice::from_ref(&it));
        assert!(is_noted(&stores.store));
        // The session was forgotten.
        stores.look(&[]);
        assert!(!is_noted(&stores.store));
    }

    #[test]
    fn the_note_of_a_checkout_that_does_not_come_back_goes_after_some_time() {
        let stores = Stores::new();
        note(&stores.store, &applied("one", "/nowhere", 1, 0)).expect("notes");
        stores.look(&[]);
        assert!(is_noted(&stores.store), "its disk may be away");
        let file = fs::File::options()
            .append(true)
            .open(stores.store.join(NOTE))
            .expect("opens");
        let noted = file.metadata().and_then(|it| it.modified());
        file.set_modified(noted.expect("a time") - 2 * AGE)
            .expect("sets");
        stores.look(&[]);
        assert!(!is_noted(&stores.store));
    }
}
