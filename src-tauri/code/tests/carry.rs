//! A working tree goes from one checkout to another: what goes along, what stays behind, what is
//! refused.

mod support;

use session_roam_code::{
    Have, Limits, ObjectId, Plan, Reason, Received, apply, apply_with, diff_text, pack, record,
    undo,
};
use std::fs;
use support::two::{MOST, Two, left_out};
use support::{Repo, assert_same, contents, store};

#[test]
fn changed_staged_untracked_and_deleted_files_go_along_and_come_back() {
    let two = Two::new(&[
        ("a.txt", "one\n"),
        ("b/c.txt", "two\n"),
        ("gone", "x"),
        (".gitignore", "ignored\n"),
    ]);
    two.a.write("a.txt", "one\nmore\n");
    two.a.git(&["add", "a.txt"]);
    two.a.write("a.txt", "one\nmore\nstill more\n");
    two.a.write("new/file", "untracked");
    two.a.write("ignored", "stays");
    fs::remove_file(two.a.root.join("gone")).expect("removes");
    two.carry_in_place();
    let (_, comparison) = two.carry();
    two.apply(&comparison);
    assert_eq!(two.b.read("a.txt"), "one\nmore\nstill more\n");
    assert_eq!(two.b.git(&["show", ":a.txt"]), "one\nmore\n");
    assert_eq!(two.b.read("new/file"), "untracked");
    assert!(!two.b.exists("ignored") && !two.b.exists("gone"));
}

// What other products' handoffs are reported to get wrong.

/// openai/codex #31719: the handoff fails although both checkouts are clean and at one commit.
#[test]
fn two_clean_checkouts_at_one_commit_need_nothing() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let (_, comparison) = two.carry();
    assert_eq!(comparison.plan, Plan::Nothing);
    assert!(comparison.files.is_empty());
    two.a.write("a.txt", "a tiny change\n");
    two.carry_in_place();
}

/// openai/codex #31719: "Destination checkout is already using" the branch.
#[test]
fn a_branch_that_is_checked_out_here_is_no_obstacle() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    two.b.write("own", "mine");
    let (snapshot, comparison) = two.carry();
    assert_eq!(snapshot.state.branch.as_deref(), Some("refs/heads/main"));
    assert!(matches!(comparison.plan, Plan::Worktree { .. }));
    two.apply(&comparison);
    assert_eq!(two.b.git(&["branch", "--list"]).trim(), "* main");
}

/// openai/codex #33789: untracked files that are not ignored stay behind, without a word.
#[test]
fn untracked_files_in_directories_with_dot_names_go_along() {
    let two = Two::new(&[("a.txt", "one\n")]);
    for path in ["SKILL.md", "agents/openai.yaml", "scripts/fetch.py"] {
        two.a.write(&format!(".agents/skills/request/{path}"), path);
    }
    let (_, comparison) = two.carry();
    assert_eq!(comparison.files.len(), 3);
    assert!(comparison.files.iter().all(|file| file.is_obeyed));
    two.apply(&comparison);
    assert_eq!(
        two.b.read(".agents/skills/request/scripts/fetch.py"),
        "scripts/fetch.py"
    );
}

/// openai/codex #34238: the answer says one place, and the work goes on in another.
#[test]
fn what_was_applied_says_where_it_is() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    let (_, comparison) = two.carry();
    let done = two.apply(&comparison);
    assert_eq!(done.worktree, None);
    assert_eq!(two.b.read("a.txt"), "two\n");
    two.undo(&done);
    two.b.write("own", "mine");
    let (_, comparison) = two.carry();
    let done = two.apply(&comparison);
    let there = Repo {
        root: done.worktree.clone().expect("a worktree"),
    };
    assert_eq!(there.read("a.txt"), "two\n");
    assert_eq!(two.b.read("a.txt"), "one\n");
}

/// google-gemini/gemini-cli #22585 carries a session's state without the code it speaks of.
#[test]
fn the_commits_come_with_the_pack() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let have = two.have_head();
    two.a.write("b.txt", "committed on A only\n");
    two.a.commit("second");
    two.a.write("a.txt", "two\n");
    let snapshot = two.record();
    let packed = two.pack(&snapshot, &have);
    assert!(matches!(two.receive(&packed), Received::Verified(_)));
    let comparison = two.compare(&snapshot.id, &[]);
    let before = contents(&two.b.root);
    assert!(
        matches!(comparison.plan, Plan::Worktree { .. }),
        "{:?}",
        comparison.plan
    );
    let done = two.apply(&comparison);
    let there = Repo {
        root: done.worktree.clone().expect("a worktree"),
    };
    assert_eq!(there.seen(), two.a.seen());
    assert_eq!(there.head(), two.a.head());
    assert_eq!(there.read("b.txt"), "committed on A only\n");
    two.b.git(&["fsck", "--strict"]);
    two.undo(&done);
    assert!(!there.root.exists());
    assert_same(&before, &contents(&two.b.root), "undo is not exact");
}

/// Patches kept beside transcripts lose binaries, permissions, links and what is staged.
#[cfg(unix)]
#[test]
fn what_a_patch_loses_goes_along() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let two = Two::new(&[
        ("run.sh", "#!/bin/sh\n"),
        ("dir/a", "x\n"),
        ("old-name", "a longer text\n"),
    ]);
    two.a
        .write("picture.png", [0u8, 159, 146, 150, 0, 255, 13, 10]);
    let run = two.a.root.join("run.sh");
    fs::set_permissions(run, fs::Permissions::from_mode(0o755)).expect("sets");
    symlink("dir/a", two.a.root.join("link")).expect("links");
    two.a.git(&["mv", "old-name", "new-name"]);
    two.a.write("no-line-end", "text");
    let odd = std::ffi::OsStr::new("\u{1F600} \t \"quoted\"\n");
    fs::write(two.a.root.join(odd), "odd").expect("writes");
    two.carry_in_place();
    let (_, comparison) = two.carry();
    two.apply(&comparison);
    assert_eq!(
        fs::read(two.b.root.join("picture.png")).expect("reads"),
        [0u8, 159, 146, 150, 0, 255, 13, 10]
    );
    let mode = fs::metadata(two.b.root.join("run.sh"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o111, 0o111);
    assert_eq!(
        fs::read_link(two.b.root.join("link"))
            .expect("a link")
            .to_str(),
        Some("dir/a")
    );
    assert_eq!(
        fs::read_to_string(two.b.root.join(odd)).expect("reads"),
        "odd"
    );
}

// What is compared with what.

#[test]
fn equal_states_have_equal_ids_on_both_devices() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    two.a.write("new", "file\n");
    let (snapshot, comparison) = two.carry();
    assert_eq!(two.record(), snapshot);
    two.apply(&comparison);
    let there = record(
        &two.b.checkout(),
        &store(two.dir.path(), "store-b"),
        &Limits::default(),
    );
    assert_eq!(there.expect("records"), snapshot);
    assert_eq!(two.compare(&snapshot.id, &[]).plan, Plan::Nothing);
}

#[test]
fn a_dirty_checkout_is_left_alone_and_a_worktree_holds_the_state() {
    let two = Two::new(&[("a.txt", "one\n"), ("b.txt", "one\n")]);
    two.a.write("a.txt", "from A\n");
    two.b.write("b.txt", "from B\n");
    let before = contents(&two.b.root);
    let (_, comparison) = two.carry();
    let done = two.apply(&comparison);
    let there = Repo {
        root: done.worktree.clone().expect("a worktree"),
    };
    assert_eq!(there.seen(), two.a.seen());
    assert_eq!(
        there.root.parent(),
        two.b.root.canonicalize().expect("there").parent()
    );
    assert_eq!(two.b.read("a.txt"), "one\n");
    assert_eq!(two.b.read("b.txt"), "from B\n");
    there.write("more", "work in the worktree");
    let refused = undo(
        &two.b.checkout(),
        &store(two.dir.path(), "store-b"),
        &done,
        &Limits::default(),
    );
    assert!(
        refused
            .expect_err("is refused")
            .to_string()
            .contains("since the code was applied")
    );
    fs::remove_file(there.root.join("more")).expect("removes");
    two.undo(&done);
    assert_same(&before, &contents(&two.b.root), "undo is not exact");
}

#[test]
fn the_next_turn_is_applied_over_the_last_one_and_both_are_undone() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let before = contents(&two.b.root);
    two.a.write("a.txt", "two\n");
    let (first, comparison) = two.carry();
    let one = two.apply(&comparison);
    let between = two.b.seen();
    two.a.write("a.txt", "three\n");
    two.a.write("b.txt", "new\n");
    two.a.git(&["add", "b.txt"]);
    let second = two.record();
    let have = Have {
        snapshots: vec![first.id.clone()],
        ..two.have_head()
    };
    let packed = two.pack(&second, &have);
    assert!(matches!(two.receive(&packed), Received::Verified(_)));
    assert!(matches!(
        two.compare(&second.id, &[]).plan,
        Plan::Worktree { .. }
    ));
    let comparison = two.compare(&second.id, std::slice::from_ref(&first.id));
    assert_eq!(comparison.plan, Plan::InPlace);
    let other = two.apply(&comparison);
    assert_eq!(two.a.seen(), two.b.seen());
    let (checkout, limits) = (two.b.checkout(), Limits::default());
    let early = undo(&checkout, &store(two.dir.path(), "store-b"), &one, &limits);
    assert!(early.is_err(), "the first is undone before the second");
    two.undo(&other);
    assert_eq!(two.b.seen(), between);
    two.undo(&one);
    assert_same(&before, &contents(&two.b.root), "undo is not exact");
}

#[test]
fn work_that_was_done_since_is_not_undone() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    let (_, comparison) = two.carry();
    let done = two.apply(&comparison);
    two.b.write("a.txt", "two and mine\n");
    let (checkout, limits) = (two.b.checkout(), Limits::default());
    let store = store(two.dir.path(), "store-b");
    let refused = undo(&checkout, &store, &done, &limits).expect_err("is refused");
    assert!(refused.to_string().contains("since the code was applied"));
    assert_eq!(two.b.read("a.txt"), "two and mine\n");
    assert!(!two.b.root.join(".git/index.lock").exists());
}

#[test]
fn what_changed_between_plan_and_apply_stops_it() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    let (_, comparison) = two.carry();
    two.b.write("b.txt", "just now");
    let before = contents(&two.b.root);
    let (checkout, limits) = (two.b.checkout(), Limits::default());
    let answer = apply(
        &checkout,
        &store(two.dir.path(), "store-b"),
        &comparison,
        &limits,
    );
    assert!(
        answer
            .expect_err("is refused")
            .to_string()
            .contains("changed meanwhile")
    );
    assert_same(&before, &contents(&two.b.root), "something changed");
}

/// Preparing takes long where much comes along, and an editor saves meanwhile.
#[test]
fn what_is_saved_while_an_apply_is_prepared_or_runs_is_not_overwritten() {
    for (moment, saved) in [
        ("bring objects", "a.txt"),
        ("keep a file", "a.txt"),
        ("remove a file", "z.txt"),
    ] {
        let two = Two::new(&[("a.txt", "one\n"), ("z.txt", "one\n")]);
        two.a.write("a.txt", "two\n");
        fs::remove_file(two.a.root.join("z.txt")).expect("removes");
        let (_, comparison) = two.carry();
        let (checkout, limits) = (two.b.checkout(), Limits::default());
        let store = store(two.dir.path(), "store-b");
        let mut is_saved = false;
        let mut on_step = |step: &str| {
            if step == moment && !std::mem::replace(&mut is_saved, true) {
                two.b.write(saved, "saved just now\n");
            }
        };
        let answer = apply_with(&checkout, &store, &comparison, &limits, &mut on_step);
        let refused = answer.expect_err("is refused").to_string();
        assert!(
            refused.ends_with("was changed meanwhile."),
            "{moment}: {refused}"
        );
        for name in ["a.txt", "z.txt"] {
            let wanted = if name == saved {
                "saved just now\n"
            } else {
                "one\n"
            };
            assert_eq!(two.b.read(name), wanted, "{moment}");
        }
        assert!(!two.b.exists(".git/index.lock") && !two.b.exists(".git/session-roam"));
    }
}

#[test]
fn ignored_files_here_are_not_overwritten() {
    let two = Two::new(&[("a.txt", "one\n"), (".gitignore", "build\n")]);
    two.a.write(".gitignore", "");
    two.a.write("build", "from A");
    two.b.write("build", "of B");
    let (_, comparison) = two.carry();
    let Plan::Worktree { why, .. } = &comparison.plan else {
        panic!("{:?}", comparison.plan);
    };
    assert!(why.contains("build is in the way"), "{why}");
    two.apply(&comparison);
    assert_eq!(two.b.read("build"), "of B");
}

#[cfg(unix)]
#[test]
fn a_link_here_is_never_followed_out_of_the_checkout() {
    let two = Two::new(&[("a.txt", "one\n"), (".gitignore", "build\n")]);
    let outside = two.dir.path().join("outside");
    fs::create_dir(&outside).expect("a directory");
    std::os::unix::fs::symlink(&outside, two.b.root.join("build")).expect("links");
    two.a.write(".gitignore", "");
    two.a.write("build/file", "from A");
    let (_, comparison) = two.carry();
    assert!(
        matches!(comparison.plan, Plan::Worktree { .. }),
        "{:?}",
        comparison.plan
    );
    two.apply(&comparison);
    assert_eq!(fs::read_dir(&outside).expect("there").count(), 0);
}

#[test]
fn a_file_that_git_was_told_not_to_look_at_is_not_overwritten() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.b.git(&["update-index", "--assume-unchanged", "a.txt"]);
    two.b.write("a.txt", "local setting\n");
    two.a.write("a.txt", "two\n");
    let (_, comparison) = two.carry();
    assert!(
        matches!(comparison.plan, Plan::Worktree { .. }),
        "{:?}",
        comparison.plan
    );
    two.apply(&comparison);
    assert_eq!(two.b.read("a.txt"), "local setting\n");
}

// There and back.

/// What grew too large on the other device, or got a secret there, is not in what comes back. Taken in place,
/// it would remove the only copy here, or put the committed version in its place.
#[test]
fn what_the_other_device_left_out_is_neither_removed_nor_put_back_here() {
    let token = format!("token = ghp_{}\n", "0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX");
    type Change<'c> = (&'c str, &'c dyn Fn(&Repo));
    let grows: Change = ("data.json", &|b| {
        b.write("data.json", vec![7; (10 << 20) + 1])
    });
    let gets_secret: Change = ("a.txt", &|b| b.write("a.txt", &token));
    let stages_secret: Change = ("a.txt", &|b| {
        b.write("a.txt", &token);
        b.git(&["add", "a.txt"]);
    });
    let becomes_repository: Change = ("dir/data.json", &|b| {
        b.git(&["init", "--quiet", "dir"]);
    });
    for (path, change) in [grows, gets_secret, stages_secret, becomes_repository] {
        let two = Two::new(&[("a.txt", "one\n"), ("b.txt", "one\n")]);
        two.a.write("a.txt", "work of A\n");
        two.a.write("data.json", "small\n");
        two.a.write("dir/data.json", "of A\n");
        let (first, comparison) = two.carry();
        two.apply(&comparison);
        change(&two.b);
        two.b.write("b.txt", "work of B\n");
        let two = two.turned_round();
        let before = contents(&two.b.root);
        let (_, comparison) = two.carry_back(&first);
        let Plan::Worktree { why, .. } = &comparison.plan else {
            panic!("{path}: {:?}", comparison.plan);
        };
        assert_eq!(*why, format!("{path} stayed on the other device."));
        let done = two.apply(&comparison);
        let root = done.worktree.clone().expect("a worktree");
        assert_eq!(Repo { root }.read("b.txt"), "work of B\n");
        two.undo(&done);
        assert_same(&before, &contents(&two.b.root), "something changed");
    }
}

/// A staged version may go along where the version on disk may not: here, too, it is the committed one that
/// is replaced.
#[test]
fn a_file_that_stayed_behind_is_no_obstacle_where_nothing_was_changed() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "staged\n");
    two.a.git(&["add", "a.txt"]);
    two.a.write("a.txt", vec![b'a'; (10 << 20) + 1]);
    let (snapshot, comparison) = two.carry();
    assert_eq!(left_out(&snapshot), [("a.txt".into(), Reason::TooLarge)]);
    assert_eq!(comparison.plan, Plan::InPlace);
    two.apply(&comparison);
    assert_eq!(two.b.read("a.txt"), "staged\n");
}

/// The other device ignores by rules of its own what this one does not. It must not look as if it had removed
/// these files.
#[test]
fn files_that_only_the_other_device_ignores_come_back_as_they_are() {
    let ignored = |repo: &Repo| {
        let exclude = repo.root.join(".git/info/exclude");
        fs::create_dir_all(exclude.parent().expect("a parent")).expect("makes");
        fs::write(exclude, ".idea/\n*.swp\n").expect("writes");
    };
    let beside = |two: &Two| two.b.write("own.txt", "mine\n");
    for makes_dirty in [None, Some(&beside as &dyn Fn(&Two))] {
        let two = Two::new(&[("a.txt", "one\n"), ("b.txt", "one\n")]);
        ignored(&two.b);
        two.b.write("of-b.swp", "B's alone\n");
        makes_dirty.inspect(|change| change(&two));
        two.a.write("a.txt", "work of A\n");
        two.a.write(".idea/x", "settings\n");
        two.a.write("gone.swp", "x\n");
        let before = contents(&two.b.root);
        let (first, comparison) = two.carry();
        let done = two.apply(&comparison);
        two.undo(&done);
        assert_same(&before, &contents(&two.b.root), "undo is not exact");
        let comparison = two.compare(&first.id, &[]);
        let done = two.apply(&comparison);
        let root = done.worktree.clone().unwrap_or_else(|| two.b.root.clone());
        let there = Repo { root };
        there.write("b.txt", "work of B\n");
        there.write(".idea/x", "settings and more\n");
        there.write(".idea/y", "B's alone\n");
        fs::remove_file(there.root.join("gone.swp")).expect("removes");
        let Two { dir, a, b } = two;
        let two = Two { dir, a, b: there }.turned_round();
        let (_, comparison) = two.carry_back(&first);
        assert_eq!(comparison.plan, Plan::InPlace);
        let paths: Vec<String> = comparison
            .files
            .iter()
            .map(|it| it.path.to_string())
            .collect();
        assert_eq!(paths, [".idea/x", "b.txt", "gone.swp"]);
        two.apply(&comparison);
        assert_eq!(two.b.read(".idea/x"), "settings and more\n");
        assert!(!two.b.exists("gone.swp") && !two.b.exists(".idea/y"));
        drop(b);
    }
}

// What stays behind.

#[test]
fn secrets_and_large_files_stay_behind_and_are_named() {
    let two = Two::new(&[("a.txt", "one\n"), ("b.txt", "one\n")]);
    let token = format!("ghp_{}", "0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX");
    two.a.write(".env", "PASSWORD=x");
    two.a.write("big", vec![7; (10 << 20) + 1]);
    two.a.write("a.txt", format!("token = {token}\n"));
    two.a.write("b.txt", format!("token = {token}\n"));
    two.a.git(&["add", "b.txt"]);
    two.a.write("c.txt", "goes along\n");
    let (snapshot, comparison) = two.carry();
    let secret = || Reason::SecretContent("github-pat".into());
    let expected = [
        (".env".into(), Reason::SecretName),
        ("a.txt".into(), secret()),
        ("b.txt".into(), secret()),
        ("big".into(), Reason::TooLarge),
    ];
    assert_eq!(left_out(&snapshot), expected);
    two.apply(&comparison);
    assert_eq!(two.b.read("c.txt"), "goes along\n");
    assert_eq!(two.b.read("a.txt"), "one\n");
    assert_eq!(two.b.read("b.txt"), "one\n");
    // Nor does it lie in the store, from where it might go on.
    let objects = two.dir.path().join("store-a/objects");
    let id = two.a.git(&["hash-object", "a.txt"]);
    assert!(!objects.join(&id[..2]).join(id[2..].trim()).exists());
}

#[test]
fn the_largest_files_stay_behind_when_all_are_too_much() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("small", "x");
    two.a.write("middle", vec![b'm'; 600]);
    two.a.write("large", vec![b'l'; 700]);
    let limits = Limits {
        total: 1000,
        ..Limits::default()
    };
    let store = store(two.dir.path(), "store-a");
    let snapshot = record(&two.a.checkout(), &store, &limits).expect("records");
    assert_eq!(
        left_out(&snapshot),
        [("large".into(), Reason::TotalTooLarge)]
    );
    let limits = Limits {
        files: 2,
        ..Limits::default()
    };
    let refused = record(&two.a.checkout(), &store, &limits).expect_err("is refused");
    assert!(refused.to_string().contains("3 files differ"), "{refused}");
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_stay_behind() {
    let two = Two::new(&[("a.txt", "one\n")]);
    std::os::unix::fs::symlink("/etc/passwd", two.a.root.join("out")).expect("links");
    std::os::unix::fs::symlink("a.txt", two.a.root.join("in")).expect("links");
    let (snapshot, comparison) = two.carry();
    assert_eq!(left_out(&snapshot), [("out".into(), Reason::LeadsOut)]);
    two.apply(&comparison);
    assert!(two.b.exists("in") && !two.b.exists("out"));
}

#[test]
fn files_of_a_filter_stay_behind_and_no_filter_runs() {
    let two = Two::new(&[
        ("a.bin", "pointer\n"),
        (".gitattributes", "*.bin filter=lfs\n"),
    ]);
    let proof = two.dir.path().join("proof");
    for repo in [&two.a, &two.b] {
        for name in ["clean", "smudge"] {
            let command = format!("touch {}; cat", proof.display());
            repo.git(&["config", &format!("filter.lfs.{name}"), &command]);
        }
    }
    two.a.write("a.bin", "large content\n");
    two.a.write("b.bin", "large content\n");
    two.a.write("c.txt", "text\n");
    let (snapshot, comparison) = two.carry();
    let expected = [
        ("a.bin".into(), Reason::Filter),
        ("b.bin".into(), Reason::Filter),
    ];
    assert_eq!(left_out(&snapshot), expected);
    two.apply(&comparison);
    assert_eq!(two.b.read("c.txt"), "text\n");
    assert!(!proof.exists(), "a filter ran");
}

#[test]
fn attributes_that_add_a_filter_stay_behind() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write(".gitattributes", "*.txt filter=lfs\n");
    let (snapshot, _) = two.carry();
    assert_eq!(
        left_out(&snapshot),
        [(".gitattributes".into(), Reason::FilterRule)]
    );
}

#[test]
fn no_program_that_a_repository_names_is_run() {
    let two = Two::new(&[("a.txt", "one\n"), (".gitattributes", "*.txt diff=evil\n")]);
    let proof = two.dir.path().join("proof");
    let touch = format!("touch {}", proof.display());
    for repo in [&two.a, &two.b] {
        for setting in [
            "core.fsmonitor",
            "core.pager",
            "core.sshCommand",
            "core.editor",
            "diff.external",
            "diff.evil.command",
            "diff.evil.textconv",
            "core.alternateRefsCommand",
        ] {
            repo.git(&["config", setting, &touch]);
        }
        for hook in [
            "post-checkout",
            "post-index-change",
            "reference-transaction",
            "pre-auto-gc",
        ] {
            let path = repo.root.join(".git/hooks").join(hook);
            fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
            fs::write(&path, format!("#!/bin/sh\n{touch}\n")).expect("writes");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets");
            }
        }
    }
    two.a.write("a.txt", "two\n");
    let (_, comparison) = two.carry();
    let path = &comparison.files[0].path;
    let store = store(two.dir.path(), "store-b");
    let text = diff_text(&two.b.checkout(), &store, &comparison, path, 1 << 20).expect("text");
    assert!(text.ends_with("-one\n+two\n"), "{text}");
    let done = two.apply(&comparison);
    two.undo(&done);
    two.b.write("own", "mine");
    let comparison = two.compare(&comparison.target.id, &[]);
    let done = two.apply(&comparison);
    two.undo(&done);
    assert!(!proof.exists(), "a program ran");
}

/// They would run at the next commit.
#[test]
fn hooks_that_a_setting_finds_in_the_working_tree_are_marked() {
    for setting in ["tools/git", "{root}/tools/git", "./tools/git/"] {
        let two = Two::new(&[
            ("tools/git/pre-commit", "#!/bin/sh\n"),
            ("tools/a.sh", "\n"),
        ]);
        let root = two.b.root.canonicalize().expect("there");
        let setting = setting.replace("{root}", root.to_str().expect("plain"));
        two.b.git(&["config", "core.hooksPath", &setting]);
        two.a
            .write("tools/git/pre-commit", "#!/bin/sh\necho other\n");
        two.a.write("tools/git/lib/words", "used by it\n");
        two.a.write("tools/a.sh", "echo other\n");
        let (_, comparison) = two.carry();
        let marked = comparison.files.iter().filter(|file| file.is_obeyed);
        let marked: Vec<String> = marked.map(|file| file.path.to_string()).collect();
        assert_eq!(
            marked,
            ["tools/git/lib/words", "tools/git/pre-commit"],
            "{setting}"
        );
    }
}

#[test]
fn hooks_under_a_name_in_other_letter_case_are_marked_where_case_is_ignored() {
    let two = Two::new(&[("a.txt", "\n")]);
    two.b.git(&["config", "core.ignorecase", "true"]);
    two.b.git(&["config", "core.hooksPath", "tools/git"]);
    two.a.write("Tools/Git/lib/words", "used by one\n");
    let (_, comparison) = two.carry();
    assert!(comparison.files[0].is_obeyed, "{:?}", comparison.files);
}

// Repositories that are not plain.

#[test]
fn a_conflict_goes_along_with_all_its_sides() {
    let two = Two::new(&[("a.txt", "base\n"), ("b.txt", "x\n")]);
    {
        let repo = &two.a;
        repo.git(&["checkout", "--quiet", "-b", "other"]);
        repo.write("a.txt", "theirs\n");
        repo.commit("theirs");
        repo.git(&["checkout", "--quiet", "main"]);
        repo.write("a.txt", "ours\n");
        repo.commit("ours");
    }
    let two = Two {
        b: two.a.cloned(two.dir.path().join("b2")),
        ..two
    };
    let (merged, _) = two.a.try_git(&["merge", "--no-edit", "other"]);
    assert!(!merged);
    two.carry_in_place();
    let (snapshot, comparison) = two.carry();
    assert_eq!(snapshot.stages.len(), 3);
    two.apply(&comparison);
    two.b.write("a.txt", "both\n");
    two.b.git(&["add", "a.txt"]);
    two.b.git(&["commit", "--quiet", "--no-edit"]);
    let parents = two
        .b
        .git(&["rev-list", "--parents", "--max-count=1", "HEAD"]);
    assert_eq!(parents.split_whitespace().count(), 3, "no merge commit");
}

#[test]
fn unfinished_rebases_are_refused_in_words() {
    let two = Two::new(&[("a.txt", "base\n")]);
    fs::create_dir(two.a.root.join(".git/rebase-merge")).expect("a directory");
    let store = store(two.dir.path(), "store-a");
    let refused = record(&two.a.checkout(), &store, &Limits::default()).expect_err("is refused");
    assert!(
        refused.to_string().contains("A rebase is in progress"),
        "{refused}"
    );
}

#[test]
fn announced_files_go_along_as_announced() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("b.txt", "announced\n");
    two.a.write("c.txt", "announced and removed\n");
    two.a.git(&["add", "--intent-to-add", "b.txt", "c.txt"]);
    fs::remove_file(two.a.root.join("c.txt")).expect("removes");
    two.carry_in_place();
}

#[test]
fn files_that_were_taken_out_and_announced_again_go_along_so() {
    let two = Two::new(&[("a.txt", "one\n"), ("b.txt", "two\n"), ("c.txt", "")]);
    two.a
        .git(&["rm", "--quiet", "--cached", "a.txt", "b.txt", "c.txt"]);
    two.a.write("a.txt", "another one\n");
    two.a
        .git(&["add", "--intent-to-add", "a.txt", "b.txt", "c.txt"]);
    fs::remove_file(two.a.root.join("b.txt")).expect("removes");
    two.carry_in_place();
}

#[cfg(unix)]
#[test]
fn an_announced_link_and_an_announced_program_stay_what_they_are() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let two = Two::new(&[("a.txt", "one\n")]);
    symlink("a.txt", two.a.root.join("link")).expect("a link");
    two.a.write("run.sh", "#!/bin/sh\n");
    let program = fs::Permissions::from_mode(0o755);
    fs::set_permissions(two.a.root.join("run.sh"), program).expect("a program");
    two.a.git(&["add", "--intent-to-add", "link", "run.sh"]);
    two.carry_in_place();
}

#[test]
fn a_shallow_clone_sends_nothing_that_hangs_in_the_air() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    two.a.commit("second");
    let shallow = two.dir.path().join("shallow");
    let from = format!("file://{}", two.a.root.display());
    two.a.git(&[
        "clone",
        "--quiet",
        "--depth=1",
        &from,
        shallow.to_str().expect("plain"),
    ]);
    let shallow = Repo { root: shallow };
    shallow.write("a.txt", "three\n");
    let store = store(two.dir.path(), "store-s");
    let snapshot = record(&shallow.checkout(), &store, &Limits::default()).expect("records");
    let nothing = Have::default();
    let refused = pack(&shallow.checkout(), &store, &snapshot.id, &nothing, MOST);
    assert!(
        refused
            .expect_err("is refused")
            .to_string()
            .contains("shallow clone")
    );
    let have = Have {
        commits: vec![ObjectId::parse(&two.a.head()).expect("an id")],
        ..Have::default()
    };
    pack(&shallow.checkout(), &store, &snapshot.id, &have, MOST).expect("packs");
}

#[test]
fn a_sparse_checkout_sends_the_whole_tree_and_receives_beside() {
    let two = Two::new(&[("in/a.txt", "one\n"), ("out/b.txt", "two\n")]);
    two.a.git(&["sparse-checkout", "set", "in"]);
    assert!(!two.a.exists("out/b.txt"));
    two.a.write("in/a.txt", "changed\n");
    let (_, comparison) = two.carry();
    two.apply(&comparison);
    assert_eq!(two.b.read("out/b.txt"), "two\n");
    assert_eq!(two.b.read("in/a.txt"), "changed\n");
    let back = Two::new(&[("in/a.txt", "one\n"), ("out/b.txt", "two\n")]);
    back.b.git(&["sparse-checkout", "set", "in"]);
    back.a.write("in/a.txt", "changed\n");
    let (_, comparison) = back.carry();
    assert!(matches!(comparison.plan, Plan::Worktree { .. }));
}

#[test]
fn a_split_index_is_read_without_touching_it() {
    let two = Two::new(&[("a.txt", "one\n"), ("b.txt", "two\n")]);
    two.a.git(&["update-index", "--split-index"]);
    two.a.write("a.txt", "changed\n");
    two.a.git(&["add", "a.txt"]);
    two.carry_in_place();
}

#[test]
fn repositories_inside_are_named_and_left_alone() {
    let two = Two::new(&[("a.txt", "one\n")]);
    Repo::with_files(two.a.root.join("inner"), &[("x", "y")]);
    let (snapshot, comparison) = two.carry();
    assert_eq!(left_out(&snapshot), [("inner".into(), Reason::Repository)]);
    assert_eq!(comparison.plan, Plan::Nothing);
}

#[test]
fn a_checkout_before_its_first_commit_goes_along() {
    let dir = tempfile::tempdir().expect("a directory");
    let two = Two {
        a: Repo::new(dir.path().join("a")),
        b: Repo::new(dir.path().join("b")),
        dir,
    };
    two.a.write("a.txt", "one\n");
    two.a.write("b.txt", "two\n");
    two.a.git(&["add", "b.txt"]);
    let before = contents(&two.b.root);
    let snapshot = two.record();
    let packed = two.pack(&snapshot, &Have::default());
    assert!(matches!(two.receive(&packed), Received::Verified(_)));
    let comparison = two.compare(&snapshot.id, &[]);
    assert_eq!(comparison.plan, Plan::InPlace);
    let done = two.apply(&comparison);
    assert_eq!(two.a.seen(), two.b.seen());
    two.undo(&done);
    assert_same(&before, &contents(&two.b.root), "undo is not exact");
}

#[test]
fn repositories_with_sha256_work_as_well() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("a");
    fs::create_dir(&root).expect("a directory");
    let a = Repo { root };
    a.git(&[
        "init",
        "--quiet",
        "--object-format=sha256",
        "--initial-branch=main",
    ]);
    a.write("a.txt", "one\n");
    a.commit("first");
    let b = a.cloned(dir.path().join("b"));
    let two = Two { dir, a, b };
    two.a.write("a.txt", "two\n");
    two.carry_in_place();
}

// Packs.

#[test]
fn a_pack_has_only_what_is_new_and_the_same_bytes_each_time() {
    let text: String = (0..20_000).map(|line| format!("line {line}\n")).collect();
    let two = Two::new(&[("large.txt", &text), ("a.txt", "one\n")]);
    two.a.write("large.txt", format!("{text}more\n"));
    let snapshot = two.record();
    let packed = two.pack(&snapshot, &two.have_head());
    // The commit, its tree, the state, the tree of the files, the file.
    assert_eq!(packed.manifest.pack.objects, 5);
    assert!(
        packed.manifest.pack.bytes < 3000,
        "{}",
        packed.manifest.pack.bytes
    );
    let again = two.pack(&snapshot, &two.have_head());
    assert_eq!(packed.manifest, again.manifest);
    two.a.git(&["gc", "--quiet"]);
    let other = two.pack(&snapshot, &two.have_head());
    assert_eq!(
        packed.manifest, other.manifest,
        "depends on how the repository is packed"
    );
    two.a.write("a.txt", "two\n");
    let next = two.record();
    let have = Have {
        snapshots: vec![snapshot.id.clone()],
        ..two.have_head()
    };
    let packed = two.pack(&next, &have);
    // The commit, its tree, the tree of the files, the file.
    assert_eq!(packed.manifest.pack.objects, 4);
    assert!(
        packed.manifest.pack.bytes < 1500,
        "{}",
        packed.manifest.pack.bytes
    );
}

#[test]
fn a_pack_is_hardly_larger_than_a_bundle_of_the_same_change() {
    let names: Vec<String> = (0..600)
        .map(|number| format!("dir{number:03}/file"))
        .collect();
    let texts: Vec<String> = names.iter().map(|name| format!("{name}\n")).collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .zip(&texts)
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let two = Two::new(&files);
    for name in ["dir007/file", "dir300/file", "dir599/file"] {
        two.a.write(name, name.repeat(60));
    }
    let ours = two
        .pack(&two.record(), &two.have_head())
        .manifest
        .pack
        .bytes;
    two.a.commit("the same");
    let path = two.dir.path().join("bundle");
    let range = format!("{}..main", two.b.head());
    two.a.git(&[
        "bundle",
        "create",
        "--quiet",
        path.to_str().expect("plain"),
        &range,
    ]);
    let bundle = fs::metadata(path).expect("a bundle").len();
    // The snapshot's own commit, tree and state are a few hundred bytes.
    assert!(ours < bundle + 400, "{ours} bytes, {bundle} as a bundle");
}

#[test]
fn a_pack_in_chunks_is_the_pack() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let mut noise = Vec::new();
    for number in 0..80_000u32 {
        noise.extend_from_slice(blake3::hash(&number.to_le_bytes()).as_bytes());
    }
    two.a.write("noise", &noise);
    let packed = two.pack(&two.record(), &two.have_head());
    let chunks: Vec<Vec<u8>> = (0..)
        .map_while(|idx| packed.chunk(idx).expect("reads"))
        .collect();
    assert_eq!(chunks.len(), 3);
    let hashes: Vec<String> = chunks
        .iter()
        .map(|it| blake3::hash(it).to_string())
        .collect();
    assert_eq!(packed.manifest.pack.chunks, hashes);
    assert_eq!(fs::read(packed.path()).expect("reads"), chunks.concat());
}

#[test]
fn a_pack_against_commits_that_are_not_here_says_which() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    two.a.commit("second");
    two.a.write("a.txt", "three\n");
    let snapshot = two.record();
    let head = ObjectId::parse(&two.a.head()).expect("an id");
    let have = Have {
        commits: vec![head.clone()],
        ..Have::default()
    };
    let packed = two.pack(&snapshot, &have);
    match two.receive(&packed) {
        Received::Lacking(lacking) => assert_eq!(lacking, [head]),
        Received::Verified(_) => panic!("verified without its base"),
    }
    let complete = two.pack(&snapshot, &Have::default());
    assert!(matches!(two.receive(&complete), Received::Verified(_)));
}
