//! Two devices whose settings or rules are not the same: what only one of them can hold or see is not lost on
//! the way there and back.

#![cfg(unix)]

mod support;

use session_roam_code::{CodeError, Limits, Plan, compare, undo, undo_with};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use support::two::Two;
use support::{Repo, assert_same, contents, store};

fn make_executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("sets");
}

fn link(repo: &Repo, target: &str, path: &str) {
    symlink(target, repo.root.join(path)).expect("links");
}

/// A has permissions and links that no index has; B's git is told to look at neither.
fn with_modes(settings: &[&str]) -> Two {
    let two = Two::new(&[("a.txt", "one\n"), ("run.sh", "#!/bin/sh\n")]);
    for setting in settings {
        two.b.git(&["config", setting, "false"]);
    }
    two.a.write("new.sh", "#!/bin/sh\nnew\n");
    for path in ["new.sh", "run.sh"] {
        make_executable(&two.a.root.join(path));
    }
    link(&two.a, "a.txt", "link");
    two
}

#[test]
fn permissions_and_links_stay_although_a_device_does_not_look_at_them() {
    for settings in [
        &["core.filemode"][..],
        &["core.symlinks"],
        &["core.filemode", "core.symlinks"],
    ] {
        let two = with_modes(settings);
        let before = contents(&two.b.root);
        let (snapshot, comparison) = two.carry();
        let done = two.apply(&comparison);
        assert_eq!(
            two.compare(&snapshot.id, &[]).plan,
            Plan::Nothing,
            "{settings:?}"
        );
        two.undo(&done);
        assert_same(&before, &contents(&two.b.root), "undo is not exact");
    }
}

#[test]
fn they_come_back_with_the_work_of_that_device() {
    let two = with_modes(&["core.filemode", "core.symlinks"]);
    let (snapshot, comparison) = two.carry();
    two.apply(&comparison);
    two.b.write("a.txt", "one\ntwo\n");
    two.b.write("new.sh", "#!/bin/sh\nnewer\n");
    let back = two.turned_round();
    let (_, comparison) = back.carry_back(&snapshot);
    assert_eq!(comparison.plan, Plan::InPlace);
    let files: Vec<String> = comparison
        .files
        .iter()
        .map(|file| file.path.to_string())
        .collect();
    assert_eq!(files, ["a.txt", "new.sh"]);
    back.apply(&comparison);
    let mode = |path: &str| {
        let metadata = back.b.root.join(path).symlink_metadata();
        metadata.expect("is there").permissions().mode() & 0o111
    };
    assert_eq!((mode("new.sh"), mode("run.sh")), (0o111, 0o111));
    assert!(back.b.root.join("link").is_symlink());
}

#[test]
fn line_endings_of_new_files_stay_where_git_would_change_them() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.b.git(&["config", "core.autocrlf", "true"]);
    two.a.write("new.txt", "one\r\ntwo\r\n");
    let (snapshot, comparison) = two.carry();
    two.apply(&comparison);
    assert_eq!(two.compare(&snapshot.id, &[]).plan, Plan::Nothing);
}

#[test]
fn a_link_in_the_place_of_a_directory_goes_along() {
    let two = Two::new(&[
        ("dir/c.txt", "c\n"),
        ("other/c.txt", "other\n"),
        ("a.txt", "a\n"),
    ]);
    fs::remove_dir_all(two.a.root.join("dir")).expect("removes");
    link(&two.a, "other", "dir");
    two.carry_in_place();
}

/// The rules that come along ignore one file less, of which B has one of its own.
fn with_other_rules() -> Two {
    let two = Two::new(&[(".gitignore", "*.log\n*.tmp\n"), ("a.txt", "one\n")]);
    two.a.write(".gitignore", "*.tmp\n");
    two.a.write("a.txt", "two\n");
    two.b.write("own.log", "of B\n");
    two
}

#[test]
fn code_that_changes_what_is_ignored_can_be_taken_back() {
    let two = with_other_rules();
    let before = contents(&two.b.root);
    let (snapshot, comparison) = two.carry();
    assert_eq!(comparison.plan, Plan::InPlace);
    let done = two.apply(&comparison);
    assert_eq!(two.compare(&snapshot.id, &[]).plan, Plan::Nothing);
    two.undo(&done);
    assert_same(&before, &contents(&two.b.root), "undo is not exact");
}

#[test]
fn files_that_were_ignored_before_are_neither_sent_nor_removed() {
    let two = with_other_rules();
    let (snapshot, comparison) = two.carry();
    two.apply(&comparison);
    // The next state goes over it.
    two.a.write("a.txt", "three\n");
    let next = two.record();
    two.bring(&next, two.have_head().commits);
    let comparison = two.compare(&next.id, std::slice::from_ref(&snapshot.id));
    assert_eq!(
        (&comparison.plan, comparison.files.len()),
        (&Plan::InPlace, 1)
    );
    two.apply(&comparison);
    assert_eq!(two.b.read("own.log"), "of B\n");
    two.b.write("since.log", "new\n");
    let back = two.turned_round();
    let (_, comparison) = back.carry_back(&next);
    let files: Vec<String> = comparison
        .files
        .iter()
        .map(|file| file.path.to_string())
        .collect();
    assert_eq!(files, ["since.log"]);
    // Whoever commits the rules decides about the files.
    back.a
        .git(&["commit", "--quiet", "--message", "rules", ".gitignore"]);
    let committed = back.record();
    back.bring(&committed, back.have_head().commits);
    let files = back.compare(&committed.id, &[]).files;
    assert!(files.iter().any(|file| file.path.to_string() == "own.log"));
}

#[test]
fn a_lock_that_ends_soon_is_waited_for_and_another_one_is_named() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    let (snapshot, _) = two.carry();
    let lock = two.b.root.join(".git/index.lock");
    fs::write(&lock, "").expect("writes");
    let found = two.compare(&snapshot.id, &[]);
    assert!(
        matches!(&found.plan, Plan::Refused(why) if why.contains("try again")),
        "{:?}",
        found.plan
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(200));
            fs::remove_file(&lock).expect("removes");
        });
        let (store, limits) = (store(two.dir.path(), "store-b"), Limits::default());
        let found = compare(&two.b.checkout(), &store, &snapshot.id, &[], &limits);
        assert_eq!(found.expect("compares").plan, Plan::InPlace);
    });
}

#[test]
fn an_undo_that_fails_halfway_says_so_and_goes_on() {
    let two = Two::new(&[("a.txt", "one\n"), ("b.txt", "one\n")]);
    let before = contents(&two.b.root);
    two.a.write("a.txt", "two\n");
    two.a.write("b.txt", "two\n");
    let (_, comparison) = two.carry();
    let done = two.apply(&comparison);
    let (store, limits) = (store(two.dir.path(), "store-b"), Limits::default());
    let (checkout, place) = (two.b.checkout(), two.b.root.join("a.txt"));
    let mut n_steps = 0;
    // A directory that is not empty takes the file's place in that moment, and cannot be moved away.
    let kept = two.b.root.join(".git/session-roam/kept");
    let failed = undo_with(&checkout, &store, &done, &limits, &mut |step| {
        n_steps += usize::from(step == "take a step back");
        if n_steps == 1 && step == "take a step back" {
            fs::remove_file(&place).expect("removes");
            fs::create_dir_all(place.join("in it")).expect("makes");
            fs::write(&kept, "no directory").expect("writes");
        }
    });
    match failed {
        Err(CodeError::HalfDone(words)) => assert!(words.contains("taken back in part"), "{words}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(two.b.read("b.txt"), "one\n", "the others are taken back");
    fs::remove_file(&kept).expect("removes");
    fs::remove_dir_all(&place).expect("removes");
    session_roam_code::recover(&checkout).expect("goes on");
    assert_same(&before, &contents(&two.b.root), "not taken back");
    assert!(
        undo(&checkout, &store, &done, &limits).is_err(),
        "nothing is left"
    );
}

#[test]
fn the_worktree_of_a_submodule_is_beside_the_checkout_around_it() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let around = Repo::with_files(two.dir.path().join("around"), &[("b.txt", "b\n")]);
    let from = two.a.root.to_str().expect("a plain path");
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        from,
        "sub",
    ];
    around.git(&add);
    around.commit("with a submodule");
    let inside = Repo {
        root: around.root.join("sub"),
    };
    inside.write("a.txt", "own work\n");
    two.a.write("a.txt", "work of A\n");
    let Two { dir, a, b: _ } = two;
    let two = Two { dir, a, b: inside };
    let (_, comparison) = two.carry();
    match comparison.plan {
        Plan::Worktree { path, .. } => assert_eq!(path.parent(), around.root.parent()),
        other => panic!("{other:?}"),
    }
}
