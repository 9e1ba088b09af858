//! Checkouts that are not like most: names, kinds of files, settings and places that few have.

mod support;

use session_roam_code::{Checkout, Git, Limits, Plan, Reason, Survey, record, survey};
use std::fs;
use support::two::{Two, left_out};
use support::{Repo, assert_same, contents, everything, store};

#[test]
fn the_own_changes_of_a_submodule_stay_in_it() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let library = Repo::with_files(
        two.dir.path().join("library"),
        &[("lib.rs", "fn old() {}\n")],
    );
    let from = library.root.to_str().expect("plain");
    let add = ["submodule", "--quiet", "add", from, "library"];
    two.a
        .git(&[&["-c", "protocol.file.allow=always"], &add[..]].concat());
    two.a.commit("with a submodule");
    two.b.git(&["pull", "--quiet", "--ff-only"]);
    two.a.write("library/lib.rs", "fn dirty() {}\n");
    two.a.write("library/new.rs", "fn untracked() {}\n");
    two.a.write("a.txt", "two\n");
    let before = contents(&two.b.root);
    let (snapshot, comparison) = two.carry();
    assert_eq!(left_out(&snapshot), []);
    assert_eq!(comparison.files.len(), 1);
    let done = two.apply(&comparison);
    assert_eq!(two.b.read("a.txt"), "two\n");
    assert!(!two.b.exists("library/new.rs"));
    two.undo(&done);
    assert_same(&before, &contents(&two.b.root), "undo is not exact");
    // At another commit it is named.
    let inner = Repo {
        root: two.a.root.join("library"),
    };
    inner.commit("more");
    let snapshot = two.record();
    assert_eq!(
        left_out(&snapshot),
        [("library".into(), Reason::MovedSubmodule)]
    );
}

#[test]
fn pointers_of_lfs_are_files_where_lfs_is_not_installed() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    let two = Two::new(&[
        (
            ".gitattributes",
            "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        ),
        ("large.bin", pointer),
        ("a.txt", "one\n"),
    ]);
    two.a.write("a.txt", "two\n");
    two.carry_in_place();
    two.a
        .write("large.bin", pointer.replace("size 9", "size 10"));
    let snapshot = two.record();
    assert_eq!(left_out(&snapshot), [("large.bin".into(), Reason::Filter)]);
}

/// All files of a worktree are written, and no filter makes those that did not change.
#[test]
fn a_worktree_with_pointers_in_place_of_files_says_so() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    let two = Two::new(&[
        ("models/.gitattributes", "*.bin filter=lfs -text\n"),
        ("models/large.bin", pointer),
        ("models/other.bin", pointer),
        ("a.txt", "one\n"),
    ]);
    two.a.write("a.txt", "two\n");
    two.b.write("own.txt", "mine\n");
    let (_, comparison) = two.carry();
    let Plan::Worktree { why, .. } = &comparison.plan else {
        panic!("{:?}", comparison.plan);
    };
    let (_, unfilled) = why.split_once("own. ").expect("two sentences");
    assert!(
        unfilled.starts_with("models/large.bin and 1 more file are there as committed"),
        "{why}"
    );
    assert!(unfilled.contains("`git lfs checkout`"), "{why}");
}

#[test]
fn a_name_that_changes_in_letter_case_alone_goes_along() {
    let files = [("readme.md", "text\n"), ("Dir/a.txt", "one\n")];
    for ignores_case in [false, true] {
        let two = Two::new(&files);
        two.a.git(&["mv", "readme.md", "README.md"]);
        two.b
            .git(&["config", "core.ignorecase", &ignores_case.to_string()]);
        two.carry_in_place();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_of_any_bytes_go_along() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let two = Two::new(&[("a.txt", "one\n")]);
    let names: [&[u8]; 5] = [
        b"two\nlines",
        b"tab\tand \"quotes\"",
        b"not utf-8 \xff\xfe",
        b"-leading",
        "\u{202e}txt.exe".as_bytes(),
    ];
    for (number, name) in names.iter().enumerate() {
        let path = two.a.root.join(OsStr::from_bytes(name));
        fs::write(path, format!("{number}\n")).expect("writes");
    }
    fs::create_dir(two.a.root.join(OsStr::from_bytes(b"dir\n\xff"))).expect("makes");
    let below = two.a.root.join(OsStr::from_bytes(b"dir\n\xff/file"));
    fs::write(below, "below\n").expect("writes");
    two.carry_in_place();
}

#[cfg(target_os = "linux")]
#[test]
fn a_checkout_may_lie_anywhere() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let places: [&[u8]; 4] = [
        b"with: colon/and \"quotes\"",
        b"back\\slash",
        b"not utf-8 \xff/\xfe",
        b"-leading/ and [brackets]*",
    ];
    for place in places {
        let place = OsStr::from_bytes(place);
        let two = Two::in_places(place, std::path::Path::new("other").join(place));
        two.a.write("a.txt", "two\n");
        two.a.write("x.log", "ignored\n");
        two.carry_in_place();
        two.b.write("own", "work\n");
        let before = contents(&two.b.root);
        let (_, comparison) = two.carry();
        let done = two.apply(&comparison);
        let root = done.worktree.clone().expect("a worktree");
        assert_eq!(Repo { root }.seen(), two.a.seen());
        two.undo(&done);
        assert_same(&before, &contents(&two.b.root), "undo is not exact");
    }
}

#[cfg(unix)]
#[test]
fn a_permission_alone_goes_along() {
    use std::os::unix::fs::PermissionsExt;
    let two = Two::new(&[("run.sh", "#!/bin/sh\n"), ("other.sh", "#!/bin/sh\n")]);
    let path = two.a.root.join("run.sh");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("sets");
    two.a.git(&["update-index", "--chmod=+x", "other.sh"]);
    let before = contents(&two.b.root);
    let (_, comparison) = two.carry();
    assert_eq!(comparison.plan, Plan::InPlace);
    let done = two.apply(&comparison);
    assert_eq!(two.a.seen(), two.b.seen());
    let mode = |name: &str| {
        let metadata = fs::metadata(two.b.root.join(name)).expect("metadata");
        metadata.permissions().mode() & 0o111
    };
    assert_ne!(mode("run.sh"), 0);
    two.undo(&done);
    assert_same(&before, &contents(&two.b.root), "undo is not exact");
}

#[test]
fn a_worktree_of_a_bare_repository_is_a_checkout() {
    let mut two = Two::new(&[("a.txt", "one\n")]);
    let bare = two.dir.path().join("bare.git");
    let path = |path: &std::path::Path| path.to_str().expect("plain").to_owned();
    two.a
        .git(&["clone", "--quiet", "--bare", ".", &path(&bare)]);
    let bare = Repo { root: bare };
    assert!(Checkout::open(&Git::find().expect("git"), &bare.root).is_err());
    let root = two.dir.path().join("work");
    bare.git(&["worktree", "add", "--quiet", &path(&root), "main"]);
    two.a = Repo { root };
    two.a.write("a.txt", "two\n");
    two.a.write("new.txt", "new\n");
    two.carry_in_place();
    // The reverse: the state is applied in such a worktree.
    std::mem::swap(&mut two.a, &mut two.b);
    two.b.git(&["reset", "--quiet", "--hard"]);
    two.b.git(&["clean", "--quiet", "-fd"]);
    let stores = ["store-a", "store-b"].map(|name| two.dir.path().join(name));
    for store in stores {
        fs::remove_dir_all(store).expect("removes");
    }
    two.a.write("a.txt", "three\n");
    two.carry_in_place();
}

#[test]
fn a_git_directory_may_lie_anywhere_if_the_checkout_names_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (git, root) = (Git::find().expect("git"), dir.path().join("a"));
    let repo = Repo::with_files(root.clone(), &[("a.txt", "one\n")]);
    let opened = || Checkout::open(&git, &root).map(|it| it.root().to_owned());
    let elsewhere = dir.path().join("elsewhere");
    repo.git(&[
        "init",
        "--quiet",
        "--separate-git-dir",
        elsewhere.to_str().expect("plain"),
    ]);
    assert!(opened().expect("opens").ends_with("a"));
    #[cfg(unix)]
    {
        fs::remove_file(root.join(".git")).expect("removes");
        std::os::unix::fs::symlink(&elsewhere, root.join(".git")).expect("links");
        assert!(opened().expect("opens").ends_with("a"));
    }
    // Only the git directory says that this is its working tree.
    let other = dir.path().join("other");
    fs::create_dir(&other).expect("makes");
    repo.git(&["config", "core.worktree", other.to_str().expect("plain")]);
    let refused = opened().expect_err("is refused").to_string();
    assert!(refused.contains("is not the checkout of"), "{refused}");
}

#[test]
fn without_a_branch_the_state_is_the_same() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.git(&["checkout", "--quiet", "--detach"]);
    two.a.write("a.txt", "two\n");
    two.a.git(&["add", "a.txt"]);
    two.a.write("a.txt", "three\n");
    let (snapshot, _) = two.carry();
    assert_eq!(snapshot.state.branch, None);
    two.carry_in_place();
}

#[test]
fn line_endings_are_those_of_each_system() {
    let two = Two::new(&[("a.txt", "one\ntwo\n"), ("b.txt", "one\n")]);
    two.a.git(&["config", "core.autocrlf", "true"]);
    two.a.write("a.txt", "one\r\ntwo\r\nthree\r\n");
    two.a.write("new.txt", "new\r\n");
    let before = contents(&two.b.root);
    let (_, comparison) = two.carry();
    assert_eq!(comparison.plan, Plan::InPlace);
    let done = two.apply(&comparison);
    assert_eq!(two.b.read("a.txt"), "one\ntwo\nthree\n");
    assert_eq!(two.b.read("new.txt"), "new\n");
    two.undo(&done);
    assert_same(&before, &contents(&two.b.root), "undo is not exact");
    // The reverse: the other one has them with returns.
    let back = Two::new(&[("a.txt", "one\n")]);
    back.b.git(&["config", "core.autocrlf", "true"]);
    back.a.write("a.txt", "one\ntwo\n");
    let (_, comparison) = back.carry();
    back.apply(&comparison);
    assert_eq!(back.b.read("a.txt"), "one\r\ntwo\r\n");
}

#[cfg(unix)]
#[test]
fn a_link_and_a_directory_take_each_others_place() {
    use std::os::unix::fs::symlink;
    let two = Two::new(&[("real/a.txt", "one\n"), ("dir/b.txt", "two\n")]);
    symlink("real", two.a.root.join("link")).expect("links");
    two.a.commit("with a link");
    two.b.git(&["pull", "--quiet", "--ff-only"]);
    // The link becomes a directory, the directory a link.
    fs::remove_file(two.a.root.join("link")).expect("removes");
    two.a.write("link/c.txt", "three\n");
    fs::remove_dir_all(two.a.root.join("dir")).expect("removes");
    symlink("real", two.a.root.join("dir")).expect("links");
    let real = fs::read(two.b.root.join("real/a.txt")).expect("reads");
    two.carry_in_place();
    assert_eq!(
        fs::read(two.b.root.join("real/a.txt")).expect("reads"),
        real
    );
    assert!(!two.b.exists("real/c.txt"));
}

#[test]
fn a_merge_without_conflict_that_waits_for_its_commit_goes_along() {
    let two = Two::new(&[("a.txt", "one\n"), ("b.txt", "one\n")]);
    two.a.git(&["checkout", "--quiet", "-b", "other"]);
    two.a.write("b.txt", "theirs\n");
    two.a.commit("theirs");
    two.a.git(&["checkout", "--quiet", "main"]);
    two.a.write("a.txt", "ours\n");
    two.a.commit("ours");
    two.b.git(&["fetch", "--quiet", "origin"]);
    two.b.git(&["merge", "--quiet", "--ff-only", "origin/main"]);
    two.a
        .git(&["merge", "--quiet", "--no-commit", "--no-ff", "other"]);
    two.a.write("c.txt", "beside\n");
    two.carry_in_place();
}

#[test]
fn a_survey_counts_what_would_go_along_and_touches_nothing() {
    let two = Two::new(&[
        ("a.txt", "one\n"),
        ("b.txt", "two\n"),
        (".gitignore", "target\n"),
    ]);
    let place = store(two.dir.path(), "store-a");
    let counted = || {
        let before = everything(&two.a.root);
        let found = survey(&two.a.checkout(), &place, &Limits::default()).expect("counts");
        assert_same(
            &before,
            &everything(&two.a.root),
            "a survey changed something",
        );
        (found.files, found.bytes)
    };
    assert_eq!(counted(), (0, 0));
    two.a.write("target/out", "ignored\n");
    two.a.write(".env", "KEY=1\n");
    assert_eq!(counted(), (0, 0), "neither goes along");
    two.a.write("a.txt", "changed\n");
    two.a.write("new.txt", "new\n");
    two.a.git(&["add", "new.txt"]);
    fs::remove_file(two.a.root.join("b.txt")).expect("removes");
    assert_eq!(counted(), (3, 12));
    fs::create_dir(two.a.root.join(".git/rebase-merge")).expect("makes");
    let refused = survey(&two.a.checkout(), &place, &Limits::default());
    assert!(refused.is_err() && Survey::default().files == 0);
}

/// There, a cherry-pick in progress is no file but a ref.
#[test]
fn a_cherry_pick_is_refused_where_refs_are_in_a_table() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.git(&["checkout", "--quiet", "-b", "other"]);
    two.a.write("a.txt", "theirs\n");
    two.a.commit("theirs");
    two.a.git(&["checkout", "--quiet", "main"]);
    two.a.write("a.txt", "ours\n");
    two.a.commit("ours");
    let root = two.dir.path().join("table");
    let (from, to) = (two.a.root.to_str(), root.to_str());
    let clone = ["clone", "--quiet", "--ref-format=reftable"];
    let paths = [from.expect("plain"), to.expect("plain")];
    let (can, _) = two.a.try_git(&[&clone[..], &paths].concat());
    if !can {
        // Before 2.45 git has no such repositories.
        return;
    }
    let table = Repo { root };
    let place = store(two.dir.path(), "store-t");
    let recorded = || record(&table.checkout(), &place, &Limits::default());
    recorded().expect("records");
    let (picked, _) = table.try_git(&["cherry-pick", "origin/other"]);
    assert!(!picked, "there is a conflict");
    let refused = recorded().expect_err("is refused").to_string();
    assert!(
        refused.starts_with("A cherry-pick or a revert is in progress"),
        "{refused}"
    );
    // Nor is one applied there.
    table.git(&["cherry-pick", "--abort"]);
    let (picked, _) = two.a.try_git(&["cherry-pick", "other"]);
    assert!(!picked, "there is a conflict");
    let two = Two { b: table, ..two };
    let (_, comparison) = two.carry();
    let Plan::Refused(why) = comparison.plan else {
        panic!("{:?}", comparison.plan);
    };
    assert!(why.contains("keeps its refs in a table"), "{why}");
}
