//! What an undo, or the start after a crash, must not take along, and whom it must not meet.

mod support;

use session_roam_code::{
    CodeError, Limits, Plan, Undo, expire, recover, undo, undo_setting_aside, undo_with, undos,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use support::two::Two;
use support::{Repo, assert_same, everything, store};

/// A state of A in a worktree beside B, which has changes of its own.
fn beside(two: &Two) -> (Undo, Repo) {
    two.b.write("own.txt", "from B\n");
    two.a.write("a.txt", "from A\n");
    let (_, comparison) = two.carry();
    let done = two.apply(&comparison);
    let root = done.worktree.clone().expect("a worktree");
    (done, Repo { root })
}

fn undone(two: &Two, what: &Undo) -> Result<Option<PathBuf>, CodeError> {
    let store = store(two.dir.path(), "store-b");
    undo(&two.b.checkout(), &store, what, &Limits::default())
}

/// How many applied snapshots the next start takes back.
fn recovered(two: &Two) -> usize {
    let recovered = recover(&two.b.checkout()).expect("recovers");
    recovered.snapshots.len()
}

/// The undo names `path` and removes nothing; set aside, the worktree stays.
fn stays(two: &Two, done: &Undo, worktree: &Repo, path: &str) {
    let before = everything(&worktree.root);
    let refused = undone(two, done);
    let Err(CodeError::ChangedSince(words)) = refused else {
        panic!("{refused:?}");
    };
    assert!(words.contains(path), "{words}");
    assert_same(&before, &everything(&worktree.root), "something went");
    let store = store(two.dir.path(), "store-b");
    let kept = undo_setting_aside(&two.b.checkout(), &store, done, &Limits::default());
    assert_eq!(kept.expect("undoes").as_ref(), Some(&worktree.root));
    assert_same(&before, &everything(&worktree.root), "something went");
}

#[test]
fn ignored_files_in_a_worktree_are_not_removed_by_an_undo() {
    let two = Two::new(&[("a.txt", "one\n"), (".gitignore", "local.*\ntarget\n")]);
    let (done, worktree) = beside(&two);
    worktree.write("local.db", "hours of work\n");
    stays(&two, &done, &worktree, "local.db");
}

#[test]
fn nor_are_those_in_directories_that_no_commit_has() {
    for ignored in ["new/local.db", "new/target/deep/object"] {
        let two = Two::new(&[("a.txt", "one\n"), (".gitignore", "local.*\ntarget\n")]);
        two.a.write("new/b.txt", "untracked\n");
        let (done, worktree) = beside(&two);
        worktree.write(ignored, "hours of work\n");
        stays(&two, &done, &worktree, ignored);
    }
}

#[test]
fn an_ignored_repository_in_a_worktree_is_not_removed_by_an_undo() {
    let two = Two::new(&[("a.txt", "one\n"), (".gitignore", "target\n")]);
    let (done, worktree) = beside(&two);
    Repo::with_files(worktree.root.join("target/tool"), &[("b.txt", "own\n")]);
    stays(&two, &done, &worktree, "target/tool");
}

#[test]
fn nor_are_files_at_which_git_does_not_look() {
    for mark in ["--skip-worktree", "--assume-unchanged"] {
        let two = Two::new(&[("a.txt", "one\n"), ("dir/b.txt", "one\n")]);
        let (done, worktree) = beside(&two);
        worktree.git(&["update-index", mark, "dir/b.txt"]);
        worktree.write("dir/b.txt", "settings of this place\n");
        stays(&two, &done, &worktree, "dir/b.txt");
        // One that is gone cannot be lost.
        let two = Two::new(&[("a.txt", "one\n"), ("dir/b.txt", "one\n")]);
        let (done, worktree) = beside(&two);
        worktree.git(&["update-index", mark, "dir/b.txt"]);
        fs::remove_file(worktree.root.join("dir/b.txt")).expect("removes");
        undone(&two, &done).expect("undoes");
        assert!(!worktree.root.exists());
    }
}

#[test]
fn an_ignored_directory_without_files_does_not_keep_a_worktree() {
    let two = Two::new(&[("a.txt", "one\n"), (".gitignore", "target\n")]);
    let (done, worktree) = beside(&two);
    fs::create_dir_all(worktree.root.join("target/debug")).expect("makes");
    undone(&two, &done).expect("undoes");
    assert!(!worktree.root.exists());
}

#[test]
fn a_submodule_that_was_filled_in_a_worktree_is_not_removed_by_an_undo() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let library = Repo::with_files(two.dir.path().join("library"), &[("lib.rs", "fn f() {}\n")]);
    let from = library.root.to_str().expect("plain");
    let allow = ["-c", "protocol.file.allow=always"];
    let add = ["submodule", "--quiet", "add", from, "library"];
    two.a.git(&[&allow[..], &add].concat());
    two.a.commit("with a submodule");
    two.b.git(&["pull", "--quiet", "--ff-only"]);
    let (done, worktree) = beside(&two);
    worktree.git(&[&allow[..], &["submodule", "--quiet", "update", "--init"]].concat());
    worktree.write("library/lib.rs", "fn changed() {}\n");
    stays(&two, &done, &worktree, "library");
}

#[test]
fn a_number_that_was_given_again_takes_nothing_else_back() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    let (_, comparison) = two.carry();
    let first = two.apply(&comparison);
    // The user empties the git directory of what is not git's, and begins anew.
    fs::remove_dir_all(two.b.root.join(".git/session-roam")).expect("removes");
    two.b.git(&["reset", "--quiet", "--hard"]);
    two.a.write("a.txt", "three\n");
    let (_, comparison) = two.carry();
    let second = two.apply(&comparison);
    assert_eq!(first.number, second.number);
    undone(&two, &first).expect_err("it is gone");
    assert_eq!(two.b.read("a.txt"), "three\n");
    two.undo(&second);
    assert_eq!(two.b.read("a.txt"), "one\n");
}

#[test]
fn files_whose_record_a_loss_of_power_took_are_kept() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let ours = two.b.root.join(".git/session-roam");
    for number in ["3", "4"] {
        fs::create_dir_all(ours.join("undo").join(number).join("old")).expect("makes");
    }
    fs::write(ours.join("undo/3/old/0"), "the user's\n").expect("writes");
    fs::write(ours.join("undo/4/old/.session-roam-0"), "half a co").expect("writes");
    recover(&two.b.checkout()).expect("recovers");
    assert_eq!(
        fs::read_to_string(ours.join("kept/undo-3/old/0")).expect("is kept"),
        "the user's\n"
    );
    assert!(!ours.join("undo").exists());
    // The number is given again, and its record is lost again.
    fs::create_dir_all(ours.join("undo/3/old")).expect("makes");
    fs::write(ours.join("undo/3/old/0"), "other work\n").expect("writes");
    recover(&two.b.checkout()).expect("recovers");
    for (kept, text) in [("undo-3", "the user's\n"), ("undo-3-2", "other work\n")] {
        let kept = ours.join("kept").join(kept).join("old/0");
        assert_eq!(fs::read_to_string(kept).expect("is kept"), text);
    }
}

/// What a process leaves that is killed before it removes the worktree.
fn killed_before_it_goes(two: &Two, done: &Undo) {
    let records = two.b.root.join(".git/session-roam/undo");
    let record = records.join(format!("{}/record.json", done.number));
    let text = fs::read_to_string(&record).expect("reads");
    assert!(text.contains(r#""phase":"applied""#), "{text}");
    let undoing = text.replace(r#""phase":"applied""#, r#""phase":"undoing""#);
    fs::write(&record, undoing).expect("writes");
}

#[test]
fn a_worktree_that_was_worked_in_after_a_crash_of_its_undo_stays() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let (done, worktree) = beside(&two);
    killed_before_it_goes(&two, &done);
    worktree.write("new.txt", "since the crash\n");
    assert_eq!(recovered(&two), 0);
    let undone_later = undos(&two.b.checkout()).expect("reads");
    assert_eq!(undone_later, std::slice::from_ref(&done));
    stays(&two, &done, &worktree, "new.txt");
}

#[test]
fn after_a_crash_an_undo_of_a_worktree_can_be_asked_again() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let (done, worktree) = beside(&two);
    killed_before_it_goes(&two, &done);
    assert_eq!(recovered(&two), 0);
    undone(&two, &done).expect("undoes");
    assert!(!worktree.root.exists());
    // Killed when the worktree was gone: that is finished.
    let (done, worktree) = beside(&two);
    killed_before_it_goes(&two, &done);
    fs::remove_dir_all(&worktree.root).expect("removes");
    assert_eq!(recovered(&two), 1);
    assert_eq!(undos(&two.b.checkout()).expect("reads"), []);
}

#[test]
fn what_is_left_of_a_worktree_after_a_crash_is_not_removed() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let (done, worktree) = beside(&two);
    killed_before_it_goes(&two, &done);
    fs::remove_file(worktree.root.join(".git")).expect("removes");
    recover(&two.b.checkout()).expect("recovers");
    let root = worktree.root.to_string_lossy().into_owned();
    stays(&two, &done, &worktree, &root);
}

#[cfg(unix)]
/// The files of before are in the user's git directory, and do not pile up there.
#[test]
fn a_record_that_expires_goes_with_its_files_and_no_other() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let mut known: Vec<session_roam_code::ObjectId> = Vec::new();
    let (mut done, mut before) = (Vec::new(), Vec::new());
    for text in ["two\n", "three\n", "four\n"] {
        two.a.write("a.txt", text);
        let snapshot = two.record();
        two.bring(&snapshot, two.have_head().commits);
        before.push(support::contents(&two.b.root));
        done.push(two.apply(&two.compare(&snapshot.id, &known)));
        known.push(snapshot.id);
    }
    let mut before = before.pop().expect("three");
    before.retain(|path, _| !path.starts_with(".git/session-roam"));
    let records = two.b.root.join(".git/session-roam/undo");
    // An earlier removal was cut short.
    fs::rename(records.join("1"), records.join("1.expired")).expect("renames");
    let checkout = two.b.checkout();
    let mut seen = Vec::new();
    let is_expired = |undo: &Undo, _| *undo == done[1];
    assert_eq!(expire(&checkout, &is_expired).expect("removes"), 1);
    for entry in fs::read_dir(&records).expect("a directory").flatten() {
        seen.push(entry.file_name());
    }
    assert_eq!(seen, ["3"]);
    assert_eq!(undos(&checkout).expect("reads"), [done[2].clone()]);
    assert_eq!(two.b.read("a.txt"), "four\n");
    undone(&two, &done[1]).expect_err("its record is gone");
    undone(&two, &done[2]).expect("is undone");
    assert_same(
        &before,
        &support::contents(&two.b.root),
        "undo is not exact",
    );
    assert!(!two.b.exists(".git/session-roam"));
}

#[test]
fn what_is_not_finished_does_not_expire() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    let (_, comparison) = two.carry();
    let done = two.apply(&comparison);
    let record = two.b.root.join(".git/session-roam/undo/1/record.json");
    let text = fs::read_to_string(&record).expect("reads");
    fs::write(&record, text.replace("\"applied\"", "\"undoing\"")).expect("writes");
    assert_eq!(expire(&two.b.checkout(), &|_, _| true).expect("looks"), 0);
    assert_eq!(recovered(&two), 1, "{done:?}");
    assert_eq!(two.b.read("a.txt"), "one\n");
}

#[test]
fn two_programs_never_change_a_checkout_at_once() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    let (_, comparison) = two.carry();
    let (checkout, limits) = (two.b.checkout(), Limits::default());
    let store = store(two.dir.path(), "store-b");
    let before = support::contents(&two.b.root);
    let other = fs::File::open(two.b.root.join(".git")).expect("opens");
    other.lock().expect("is free");
    let refused =
        session_roam_code::apply(&checkout, &store, &comparison, &limits).expect_err("is refused");
    assert!(refused.to_string().contains("Another program"), "{refused}");
    recover(&checkout).expect_err("what the other one does is not unfinished");
    assert_same(
        &before,
        &support::contents(&two.b.root),
        "something changed",
    );
    other.unlock().expect("unlocks");
    let done = two.apply(&comparison);
    other.lock().expect("is free");
    undone(&two, &done).expect_err("is refused");
    other.unlock().expect("unlocks");
    two.undo(&done);
    assert_eq!(undos(&checkout).expect("reads"), []);
}

#[test]
fn an_undo_needs_nothing_but_its_record() {
    for is_dirty in [false, true] {
        let two = Two::new(&[("a.txt", "one\n"), ("dir/b.txt", "one\n")]);
        if is_dirty {
            two.b.write("own.txt", "mine\n");
        }
        two.a.write("a.txt", "two\n");
        two.a.write("dir/b.txt", "two\n");
        two.a.git(&["add", "dir/b.txt"]);
        two.a.write("dir/new.txt", "new\n");
        let before = without_kept(&two);
        let (_, comparison) = two.carry();
        let done = two.apply(&comparison);
        fs::remove_dir_all(two.dir.path().join("store-b")).expect("removes");
        let there = done.worktree.clone().unwrap_or_else(|| two.b.root.clone());
        let there = Repo { root: there };
        there.write("a.txt", "since\n");
        let refused = undone(&two, &done).expect_err("is refused").to_string();
        assert!(refused.contains("since the code was applied"), "{refused}");
        there.write("a.txt", "two\n");
        undone(&two, &done).expect("undoes");
        assert_same(&before, &without_kept(&two), "undo is not exact");
    }
}

/// As versions before this one wrote them.
#[test]
fn an_older_record_without_the_store_says_where_the_files_are() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    let (_, comparison) = two.carry();
    let done = two.apply(&comparison);
    let record = two.b.root.join(".git/session-roam/undo/1");
    fs::remove_file(record.join("applied.json")).expect("removes");
    let before = everything(&two.b.root);
    fs::remove_dir_all(two.dir.path().join("store-b")).expect("removes");
    let refused = undone(&two, &done).expect_err("is refused").to_string();
    assert!(refused.contains(".git/session-roam/undo"), "{refused}");
    assert_same(&before, &everything(&two.b.root), "something changed");
    let kept = fs::read_to_string(record.join("old/0"));
    assert_eq!(kept.expect("is there"), "one\n");
}

/// What B has, without what was kept.
fn without_kept(two: &Two) -> BTreeMap<PathBuf, String> {
    let mut all = support::contents(&two.b.root);
    all.retain(|path, _| !path.starts_with(".git/session-roam"));
    all
}

/// A state that is applied in place, and a file that is other bytes afterwards without a word of git's.
struct Unreported {
    two: Two,
    path: &'static str,
    change: fn(&Repo),
}

fn unreported() -> Vec<Unreported> {
    let files = [
        ("gen.rs", "old\n"),
        ("a.txt", "one\n"),
        (".gitattributes", "* text=auto\n"),
    ];
    let two = || {
        let two = Two::new(&files);
        two.a.git(&["rm", "--quiet", "gen.rs"]);
        two.a.write(".gitignore", "gen.rs\n");
        two.a.write("a.txt", "two\n");
        two.a.write("new.txt", "new\n");
        two.b.git(&["config", "core.fileMode", "false"]);
        two
    };
    let of = |path, change| Unreported {
        two: two(),
        path,
        change,
    };
    vec![
        of("gen.rs", |b| b.write("gen.rs", "made by a build\n")),
        of("a.txt", |b| b.write("a.txt", "two\r\n")),
        of("new.txt", |b| b.write("new.txt", "new\r\n")),
        #[cfg(unix)]
        of("a.txt", |b| {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(b.root.join("a.txt"), mode).expect("sets");
        }),
    ]
}

#[test]
fn what_git_does_not_report_is_named_before_anything_is_taken_back() {
    for Unreported { two, path, change } in unreported() {
        let before = without_kept(&two);
        let (_, comparison) = two.carry();
        assert_eq!(comparison.plan, Plan::InPlace);
        let done = two.apply(&comparison);
        change(&two.b);
        let file = fs::read(two.b.root.join(path)).expect("reads");
        let applied = everything(&two.b.root.join(".git"));
        let refused = undone(&two, &done);
        let Err(CodeError::ChangedSince(words)) = refused else {
            panic!("{path}: {refused:?}");
        };
        assert!(words.ends_with(&format!(": {path}.")), "{words}");
        assert!(!two.b.exists(".git/index.lock"));
        let names = |all: BTreeMap<PathBuf, String>| all.into_keys().collect::<Vec<_>>();
        assert_eq!(names(applied), names(everything(&two.b.root.join(".git"))));
        assert_eq!(fs::read(two.b.root.join(path)).expect("stays"), file);
        let store = store(two.dir.path(), "store-b");
        let kept = undo_setting_aside(&two.b.checkout(), &store, &done, &Limits::default());
        let kept = kept.expect("undoes").expect("something is kept");
        assert_eq!(fs::read(kept.join(path)).expect("is kept"), file);
        assert_same(&before, &without_kept(&two), "undo is not exact");
    }
}

#[test]
fn an_undo_keeps_what_is_changed_while_it_runs() {
    for Unreported { two, path, change } in unreported() {
        let before = without_kept(&two);
        let (_, comparison) = two.carry();
        let done = two.apply(&comparison);
        let store = store(two.dir.path(), "store-b");
        let mut on_step = |step: &str| {
            if step == "begin to undo" {
                change(&two.b);
            }
        };
        let (checkout, limits) = (two.b.checkout(), Limits::default());
        let kept = undo_with(&checkout, &store, &done, &limits, &mut on_step);
        let kept = kept.expect("undoes").expect("something is kept");
        assert!(kept.join(path).exists(), "{path}");
        assert!(!two.b.exists(".git/index.lock"));
        assert_same(&before, &without_kept(&two), "undo is not exact");
    }
}

/// Whatever is in the way: nothing stays locked, and everything can be done again.
#[test]
fn a_start_after_a_crash_keeps_what_is_in_the_way() {
    for phase in ["applying", "undoing"] {
        for Unreported { two, path, change } in unreported() {
            let before = without_kept(&two);
            let (_, comparison) = two.carry();
            let done = two.apply(&comparison);
            let records = two.b.root.join(".git/session-roam/undo");
            let record = records.join(format!("{}/record.json", done.number));
            let text = fs::read_to_string(&record).expect("reads");
            let text = text.replace("\"applied\"", &format!("\"{phase}\""));
            fs::write(&record, text).expect("writes");
            let lock = two.b.root.join(".git/index.lock");
            fs::write(lock, format!("session-roam {}\n", done.number)).expect("writes");
            change(&two.b);
            let file = fs::read(two.b.root.join(path)).expect("reads");
            assert_eq!(recovered(&two), 1);
            assert!(!two.b.exists(".git/index.lock"));
            let kept = two.b.root.join(".git/session-roam/kept/1").join(path);
            assert_eq!(fs::read(kept).expect("is kept"), file);
            assert_same(&before, &without_kept(&two), "undo is not exact");
            two.apply(&two.compare(&comparison.target.id, &[]));
        }
    }
}

/// A directory where a file was, and a file where a directory was.
#[test]
fn nor_do_directories_in_the_way_stop_a_start() {
    let two = Two::new(&[("gone", "one\n"), ("dir/a.txt", "one\n"), ("b.txt", "x\n")]);
    fs::remove_file(two.a.root.join("gone")).expect("removes");
    fs::remove_dir_all(two.a.root.join("dir")).expect("removes");
    two.a.write("b.txt", "y\n");
    let before = without_kept(&two);
    let (_, comparison) = two.carry();
    let done = two.apply(&comparison);
    killed_before_it_goes(&two, &done);
    two.b.write("gone/deep/file", "mine\n");
    two.b.write("dir", "mine as well\n");
    assert_eq!(recovered(&two), 1);
    assert_same(&before, &without_kept(&two), "undo is not exact");
    let kept = two.b.root.join(".git/session-roam/kept/1");
    assert_eq!(
        fs::read(kept.join("gone/deep/file")).expect("is kept"),
        b"mine\n"
    );
    assert_eq!(
        fs::read(kept.join("dir")).expect("is kept"),
        b"mine as well\n"
    );
}
