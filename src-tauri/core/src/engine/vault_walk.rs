//! The vault as it lies on the disk, walked beside the loop: which journals changed since they were
//! read. The loop takes them over in slices.

use super::Engine;
use super::event::Event;
use super::walked::{Started, Walk, WalkedDir};
use crate::opener::Kind;
use crate::session::{Lane, Problem, ProblemCode};
use crate::state::{State, StateError};
use crate::vault::{Vault, VaultPath};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Which part of the vault is walked.
pub(super) enum Lanes {
    All,
    Of(Vec<(String, Lane)>),
}

/// What counts as changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// Journals whose size differs from when they were last read.
    LastRead,
    /// All: nothing counts as read.
    Ever,
}

impl Engine {
    /// Schedules, after a walk beside the loop, every journal that changed.
    pub(super) fn walk_vault(&mut self, lanes: Lanes, since: Since) {
        self.commit_gathered();
        let (context, state) = (self.context.clone(), self.state.path().to_owned());
        self.jobs.spawn_for_event(Box::new(move || {
            let walk = Walk::of(|walk| walk.look(&context.vault, &state, &lanes, since));
            Event::VaultWalked(Box::new(walk))
        }));
    }

    /// Restores, beside the loop, what was deleted from this device's own folders.
    pub(super) fn restore_own(&self) {
        let context = self.context.clone();
        self.jobs.spawn_for_event(Box::new(move || {
            let walk =
                Walk::of(|walk| walk.restored = restore_lost(&context.vault, &context.short));
            Event::VaultWalked(Box::new(walk))
        }));
    }

    pub(super) fn report_restored(&mut self, (lost, restored): (u32, u32)) {
        if lost == 0 {
            return;
        }
        let message = format!(
            "{lost} files of this device's vault folder were gone or shortened; {restored} were put back from the safety copy."
        );
        let hint = "Nothing needs to be done. Do not change files in the vault folder.";
        self.set_problem(
            "vault",
            Some(Problem::new(ProblemCode::VaultRestored, message, hint)),
        );
    }

    /// Takes over the next journals of a walk.
    pub(super) fn vault_walked(&mut self, mut walk: Walk) -> Result<(), StateError> {
        let n = walk.journals.len().min(self.context.sizes.slice);
        let mut is_read = BTreeMap::new();
        for path in walk.journals.drain(..n) {
            let device = path.device.clone();
            if *is_read
                .entry(device)
                .or_insert_with_key(|device| self.is_read(device))
            {
                self.schedule_journal(path);
            }
        }
        if !walk.journals.is_empty() {
            self.continue_with(Event::VaultWalked(Box::new(walk)));
            return Ok(());
        }
        self.report_restored(walk.restored);
        if walk.has_panicked {
            let message = "Looking through the vault failed because of an internal error.";
            self.internal_error("walk", message);
        }
        match (walk.start, walk.error) {
            (Some(started), _) => self.schedule_start_findings(started),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(()),
        }
    }
}

impl Walk {
    pub(super) fn ended(journals: VecDeque<VaultPath>, start: Option<Started>) -> Self {
        Self {
            journals,
            start,
            error: None,
            has_panicked: false,
            restored: (0, 0),
        }
    }

    /// What `look` finds until it ends or panics.
    fn of(look: impl FnOnce(&mut Self)) -> Self {
        let mut walk = Self::ended(VecDeque::new(), None);
        walk.has_panicked = catch_unwind(AssertUnwindSafe(|| look(&mut walk))).is_err();
        walk
    }

    /// A start whose look panicked: every journal counts as changed.
    pub(super) fn after_panic(vault: &Vault, started: Started) -> Self {
        let mut walk = Self::of(|walk| walk.add_changed(vault, &Lanes::All, &HashMap::new()));
        (walk.start, walk.has_panicked) = (Some(started), true);
        walk
    }

    pub(super) fn is_start(&self) -> bool {
        self.start.is_some()
    }

    fn look(&mut self, vault: &Vault, state: &Path, lanes: &Lanes, since: Since) {
        let known = match since {
            Since::Ever => Ok(HashMap::new()),
            Since::LastRead => State::beside(state).and_then(|state| state.segments()),
        };
        // What is not known counts as changed.
        let known = known.unwrap_or_else(|error| {
            self.error = Some(error);
            HashMap::new()
        });
        self.add_changed(vault, lanes, &known);
    }

    fn add_changed(&mut self, vault: &Vault, lanes: &Lanes, known: &HashMap<String, u64>) {
        each_dir(vault, lanes, |dir| dir.changed(known, &mut self.journals));
    }
}

/// Calls `each` with every directory that may hold a journal: three levels below a lane. Links are
/// skipped.
pub(super) fn each_dir(vault: &Vault, lanes: &Lanes, mut each: impl FnMut(WalkedDir<'_>)) {
    let all = || {
        let devices = dirs_in(vault, "").into_iter();
        let of_device = |device: String| Lane::WITH_JOURNALS.map(|lane| (device.clone(), lane));
        devices.flat_map(of_device).collect()
    };
    let lanes: Vec<(String, Lane)> = match lanes {
        Lanes::All => all(),
        Lanes::Of(lanes) => lanes.clone(),
    };
    for (device, lane) in lanes {
        let lane_dir = format!("{device}/{}", lane.as_str());
        for tool in dirs_in(vault, &lane_dir) {
            let tool_dir = format!("{lane_dir}/{tool}");
            for project in dirs_in(vault, &tool_dir) {
                let project_dir = format!("{tool_dir}/{project}");
                for session in dirs_in(vault, &project_dir) {
                    let dir = format!("{project_dir}/{session}");
                    each(WalkedDir {
                        device: &device,
                        lane,
                        listed: vault.list(&dir).unwrap_or_default(),
                        dir: &dir,
                    });
                }
            }
        }
    }
}

/// The directories in a directory below the vault.
fn dirs_in(vault: &Vault, dir: &str) -> Vec<String> {
    let listed = vault.list(dir).unwrap_or_default().into_iter();
    listed
        .filter(|listed| listed.kind == Kind::Dir)
        .filter_map(|listed| listed.name.into_string().ok())
        .collect()
}

impl WalkedDir<'_> {
    /// Adds the journals of this directory whose size is not the known one. Anything else in the
    /// place of a segment is added, too: opening it refuses it.
    pub(super) fn changed(&self, known: &HashMap<String, u64>, into: &mut VecDeque<VaultPath>) {
        let in_lane = self.dir.splitn(3, '/').nth(2).unwrap_or_default();
        for listed in &self.listed {
            let Some(name) = listed.name.to_str() else {
                continue;
            };
            let path = format!("{in_lane}/{name}");
            if let Some(copy) = VaultPath::parse_copy(self.device, self.lane, &path) {
                into.push_back(copy);
                continue;
            }
            let size = (listed.kind == Kind::File).then_some(listed.len);
            if size == known.get(&format!("{}/{name}", self.dir)).copied() {
                continue;
            }
            into.extend(VaultPath::parse(self.device, self.lane, &path));
        }
    }
}

/// Restores what was deleted from this device's own folders, or shortened there, below a directory of
/// the safety copy, which has every accepted byte: whoever reads a segment without its end accepts
/// nothing that was recorded after it. Returns how many files were not whole, and how many are again.
pub(super) fn restore_lost(vault: &Vault, below: &str) -> (u32, u32) {
    let (mut lost, mut restored) = (0, 0);
    let mut dirs = vec![below.to_owned()];
    while let Some(dir) = dirs.pop() {
        for (name, is_dir) in names_in(&vault.kept.file(&dir)) {
            let path = format!("{dir}/{name}");
            let there = vault.file(&path);
            if is_dir {
                dirs.push(path);
            } else if name.ends_with(".jsonl.zst") && !is_whole(vault, &path, &there) {
                lost += 1;
                restored += u32::from(vault.kept.put_back(&path, &there).is_ok());
            }
        }
    }
    (lost, restored)
}

/// Whether a file of this device's own folders is there, and not shorter than its safety copy.
fn is_whole(vault: &Vault, path: &str, there: &Path) -> bool {
    there.exists() && !vault.kept.is_more_than(path, there).unwrap_or(false)
}

/// The names in one of this device's own directories, each with whether it is a directory.
fn names_in(dir: &Path) -> Vec<(String, bool)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let named = |entry: std::fs::DirEntry| {
        Some((
            entry.file_name().into_string().ok()?,
            entry.file_type().ok()?.is_dir(),
        ))
    };
    entries.filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vault with two journals.
    fn vault(home: &Path) -> Vault {
        let vault = Vault::at(home);
        for session in ["one", "two"] {
            let dir = vault.file(&format!("AAAAAAA/live/claude-code/project/{session}"));
            std::fs::create_dir_all(&dir).expect("dir");
            std::fs::write(dir.join("0001.jsonl.zst"), session).expect("segment");
        }
        vault
    }

    fn sessions(walk: &Walk) -> Vec<&str> {
        let hashes = walk.journals.iter().map(|path| path.key.hash.as_str());
        let mut hashes: Vec<&str> = hashes.collect();
        hashes.sort_unstable();
        hashes
    }

    #[test]
    fn a_walk_that_knows_nothing_of_the_state_finds_all_journals() {
        let home = tempfile::tempdir().expect("tempdir");
        let vault = vault(home.path());
        let (state, _) = State::open(home.path()).expect("state");
        let look = |walk: &mut Walk| walk.look(&vault, state.path(), &Lanes::All, Since::LastRead);
        let path = "AAAAAAA/live/claude-code/project/one/0001.jsonl.zst";
        state.put_segment(path, 3).expect("saved");
        let walk = Walk::of(look);
        assert_eq!(sessions(&walk), ["two"]);
        assert!(walk.error.is_none() && !walk.has_panicked);
        let db = rusqlite::Connection::open(state.path()).expect("open");
        db.execute_batch("ALTER TABLE segments RENAME TO gone")
            .expect("sql");
        let walk = Walk::of(look);
        assert_eq!(sessions(&walk), ["one", "two"]);
        assert!(walk.error.is_some());
    }

    #[test]
    fn what_is_gone_or_shortened_is_put_back_and_nothing_else_is_touched() {
        let home = tempfile::tempdir().expect("tempdir");
        let vault = vault(home.path());
        let file =
            |session: &str| format!("AAAAAAA/live/claude-code/project/{session}/0001.jsonl.zst");
        let copy = |session: &str, text: &str| {
            let kept = vault.kept.file(&file(session));
            std::fs::create_dir_all(kept.parent().expect("parent")).expect("dir");
            std::fs::write(kept, text).expect("copy");
        };
        copy("one", "one, and its end");
        copy("two", "2, and another end");
        copy("three", "gone");
        assert_eq!(restore_lost(&vault, "AAAAAAA"), (2, 2));
        let read = |session: &str| std::fs::read_to_string(vault.file(&file(session)));
        assert_eq!(read("one").expect("read"), "one, and its end");
        assert_eq!(read("two").expect("read"), "two", "not a beginning of it");
        assert_eq!(read("three").expect("read"), "gone");
        assert_eq!(restore_lost(&vault, "AAAAAAA"), (0, 0));
    }

    #[test]
    fn a_walk_that_panics_keeps_what_it_found() {
        let home = tempfile::tempdir().expect("tempdir");
        let vault = vault(home.path());
        let walk = Walk::of(|walk| {
            walk.add_changed(&vault, &Lanes::All, &HashMap::new());
            panic!("as asked for");
        });
        assert_eq!(sessions(&walk), ["one", "two"]);
        assert!(walk.has_panicked);
        let walk = Walk::after_panic(&vault, Started::default());
        assert_eq!(sessions(&walk), ["one", "two"]);
        assert!(walk.has_panicked && walk.is_start());
    }
}
