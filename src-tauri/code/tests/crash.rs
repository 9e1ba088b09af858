//! The process is killed before every single change, while a snapshot is applied and while it is
//! undone. The repository is whole afterwards: as it was before or as it is when it is finished, and
//! both can be done again.

mod support;

use session_roam_code::{
    Comparison, Have, Limits, ObjectId, PackLimits, Plan, Recovered, apply, apply_with, compare,
    pack, receive, record, recover, undo, undo_setting_aside_with, undo_with, undos,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Repo, assert_same, contents, store};

/// Tells the test program, started again, where to work and before which change to die.
const TASK: &str = "SESSION_ROAM_TEST_CRASH";

struct Place {
    dir: tempfile::TempDir,
    b: Repo,
    snapshot: ObjectId,
}

impl Place {
    /// `b` is a clone that a snapshot of `a` was brought to.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let files = [
            ("a.txt", "one\n"),
            ("sub/b.txt", "two\n"),
            ("sub/deep/c.txt", "three\n"),
            ("d", "file\n"),
        ];
        let a = Repo::with_files(dir.path().join("a"), &files);
        a.git(&["checkout", "--quiet", "-b", "other"]);
        a.write("a.txt", "theirs\n");
        a.commit("theirs");
        a.git(&["checkout", "--quiet", "main"]);
        a.write("a.txt", "ours\n");
        a.commit("ours");
        let b = a.cloned(dir.path().join("b"));
        let (merged, _) = a.try_git(&["merge", "--no-edit", "other"]);
        assert!(!merged, "there is a conflict");
        a.write("sub/b.txt", "staged\n");
        a.git(&["add", "sub/b.txt"]);
        a.write("sub/b.txt", "half-staged\n");
        std::fs::remove_dir_all(a.root.join("sub/deep")).expect("removes");
        std::fs::remove_file(a.root.join("d")).expect("removes");
        a.write("d/now/a/directory", "text\n");
        let (checkout, there) = (a.checkout(), store(dir.path(), "store-a"));
        let snapshot = record(&checkout, &there, &Limits::default()).expect("records");
        let have = Have {
            commits: vec![ObjectId::parse(&b.head()).expect("an id")],
            snapshots: Vec::new(),
        };
        let packed = pack(&checkout, &there, &snapshot.id, &have, 1 << 30).expect("packs");
        let here = store(dir.path(), "store-b");
        let limits = PackLimits::default();
        receive(
            &b.checkout(),
            &here,
            &packed.manifest,
            packed.path(),
            &limits,
        )
        .expect("receives");
        Self {
            dir,
            b,
            snapshot: snapshot.id,
        }
    }

    /// Runs this program again and lets it die before the change of that number. Says whether it
    /// died.
    fn dies(&self, what: &str, number: usize) -> bool {
        let program = std::env::current_exe().expect("a program");
        let task = format!(
            "{what}\n{number}\n{}\n{}",
            self.snapshot,
            self.dir.path().display()
        );
        let mut command = Command::new(program);
        command
            .args(["--exact", "the_child_that_is_killed"])
            .env(TASK, task);
        let output = command.output().expect("runs");
        if output.status.success() {
            return false;
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            !said.contains("panicked") && !said.contains("FAILED"),
            "{said}"
        );
        true
    }

    /// What the checkout and the directory beside it hold.
    fn seen(&self) -> BTreeMap<PathBuf, String> {
        let mut all = contents(&self.b.root);
        let beside = std::fs::read_dir(self.dir.path())
            .expect("a directory")
            .flatten();
        let beside = beside.filter(|entry| entry.file_name().to_string_lossy().starts_with("b-"));
        all.extend(beside.map(|entry| (entry.path(), "a worktree".to_owned())));
        all
    }
}

fn comparison(dir: &Path, b: &Repo, snapshot: &ObjectId) -> Comparison {
    let store = store(dir, "store-b");
    compare(&b.checkout(), &store, snapshot, &[], &Limits::default()).expect("compares")
}

/// Does nothing when the tests are run: it is the process that the other tests kill.
#[test]
fn the_child_that_is_killed() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let parts: Vec<&str> = task.splitn(4, '\n').collect();
    let [what, number, snapshot, dir] = *parts.as_slice() else {
        panic!("a task has four parts");
    };
    let (dir, mut left) = (Path::new(dir), number.parse::<usize>().expect("a number"));
    let snapshot = ObjectId::parse(snapshot).expect("an id");
    let b = Repo {
        root: dir.join("b"),
    };
    let mut on_step = |_: &str| match left {
        0 => die(),
        _ => left -= 1,
    };
    let (checkout, store, limits) = (b.checkout(), store(dir, "store-b"), Limits::default());
    match what {
        "apply" => {
            let found = comparison(dir, &b, &snapshot);
            let done = apply_with(&checkout, &store, &found, &limits, &mut on_step);
            done.expect("applies");
        }
        "set aside" => {
            let last = undos(&checkout).expect("undos").remove(0);
            let done = undo_setting_aside_with(&checkout, &store, &last, &limits, &mut on_step);
            done.expect("undoes");
        }
        _ => {
            let last = undos(&checkout).expect("undos").remove(0);
            undo_with(&checkout, &store, &last, &limits, &mut on_step).expect("undoes");
        }
    }
}

#[cfg(unix)]
fn die() {
    // SAFETY: a signal to this process itself, which has no further duty.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

#[cfg(not(unix))]
fn die() {
    std::process::abort();
}

/// Kills at every step of applying, then of undoing.
fn every_step(place: &Place, is_expected: impl Fn(&Plan) -> bool) {
    let (checkout, limits) = (place.b.checkout(), Limits::default());
    let store = store(place.dir.path(), "store-b");
    let before = place.seen();
    let mut n_steps = 0;
    while place.dies("apply", n_steps) {
        recover(&checkout).expect("recovers");
        // Killed after the last change.
        if let Some(done) = undos(&checkout).expect("undos").first() {
            let now = comparison(place.dir.path(), &place.b, &place.snapshot).plan;
            let is_done = done.worktree.is_some() || now == Plan::Nothing;
            assert!(is_done, "{now:?}");
            undo(&checkout, &store, done, &limits).expect("undoes");
        }
        assert_same(
            &before,
            &place.seen(),
            &format!("killed at step {n_steps} of applying"),
        );
        assert_eq!(recover(&checkout).expect("recovers"), Recovered::default());
        n_steps += 1;
    }
    assert!(6 < n_steps, "{n_steps} steps");
    let last = undos(&checkout).expect("undos").remove(0);
    let applied = place.seen();
    place.b.git(&["fsck", "--strict"]);
    undo(&checkout, &store, &last, &limits).expect("undoes");
    assert_same(&before, &place.seen(), "undo is not exact");

    let mut n_steps = 0;
    loop {
        let found = comparison(place.dir.path(), &place.b, &place.snapshot);
        assert!(is_expected(&found.plan), "{:?}", found.plan);
        apply(&checkout, &store, &found, &limits).expect("applies");
        if !place.dies("undo", n_steps) {
            break;
        }
        recover(&checkout).expect("recovers");
        // Killed before undoing began: everything is still there.
        if let Some(undone) = undos(&checkout).expect("undos").first() {
            assert_eq!(applied.len(), place.seen().len());
            undo(&checkout, &store, undone, &limits).expect("undoes");
        }
        assert_same(
            &before,
            &place.seen(),
            &format!("killed at step {n_steps} of undoing"),
        );
        n_steps += 1;
    }
    assert!(3 < n_steps, "{n_steps} steps");
    assert_same(&before, &place.seen(), "undo is not exact");
}

#[test]
fn killed_at_every_step_in_place() {
    every_step(&Place::new(), |plan| *plan == Plan::InPlace);
}

#[test]
fn killed_at_every_step_beside() {
    let place = Place::new();
    place.b.write("own", "mine");
    every_step(&place, |plan| matches!(plan, Plan::Worktree { .. }));
}

/// Whether a file with this content is in the checkout or was kept.
fn has(place: &Place, content: &str) -> bool {
    let hash = blake3::hash(content.as_bytes()).to_string();
    place.seen().values().any(|what| what.starts_with(&hash))
}

#[test]
fn killed_at_every_step_of_setting_aside() {
    const MINE: [(&str, &str); 3] = [
        ("sub/b.txt", "mine since\n"),
        ("d/now/a/directory", "mine as well\n"),
        ("sub/deep/c.txt", "made again by me\n"),
    ];
    let place = Place::new();
    let (checkout, limits) = (place.b.checkout(), Limits::default());
    let store = store(place.dir.path(), "store-b");
    let before = place.seen();
    let without_kept = |mut all: BTreeMap<PathBuf, String>| {
        all.retain(|path, _| !path.starts_with(".git/session-roam"));
        all
    };
    let mut n_steps = 0;
    loop {
        let found = comparison(place.dir.path(), &place.b, &place.snapshot);
        apply(&checkout, &store, &found, &limits).expect("applies");
        for (name, content) in MINE {
            place.b.write(name, content);
        }
        let died = place.dies("set aside", n_steps);
        recover(&checkout).expect("recovers");
        for (name, content) in MINE {
            assert!(has(&place, content), "{name} is lost after step {n_steps}");
        }
        // Killed before undoing began.
        if let Some(last) = undos(&checkout).expect("undos").first() {
            undo_setting_aside_with(&checkout, &store, last, &limits, &mut |_| ()).expect("undoes");
        }
        let now = without_kept(place.seen());
        assert_same(&before, &now, &format!("killed at step {n_steps}"));
        for (name, content) in MINE {
            assert!(has(&place, content), "{name} is lost after step {n_steps}");
        }
        std::fs::remove_dir_all(place.b.root.join(".git/session-roam")).expect("removes");
        if !died {
            break;
        }
        n_steps += 1;
    }
    assert!(6 < n_steps, "{n_steps} steps");
}

/// The undo failed half way, and the lock on the index stayed.
#[test]
fn an_undo_finds_its_way_into_directories_that_the_user_removed() {
    let place = Place::new();
    let (checkout, limits) = (place.b.checkout(), Limits::default());
    let store = store(place.dir.path(), "store-b");
    let before = place.seen();
    let found = comparison(place.dir.path(), &place.b, &place.snapshot);
    apply(&checkout, &store, &found, &limits).expect("applies");
    let entries = std::fs::read_dir(&place.b.root).expect("a directory");
    for entry in entries.flatten() {
        if entry.file_name() != ".git" && entry.path().is_dir() {
            std::fs::remove_dir_all(entry.path()).expect("removes");
        }
    }
    let last = undos(&checkout).expect("undos");
    undo_setting_aside_with(&checkout, &store, &last[0], &limits, &mut |_| ()).expect("undoes");
    assert!(!place.b.root.join(".git/index.lock").exists());
    let mut now = place.seen();
    now.retain(|path, _| !path.starts_with(".git/session-roam"));
    assert_same(&before, &now, "undone");
}
