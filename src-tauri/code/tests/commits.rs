//! Commits that would go along are searched for secrets, and stay as a whole if one has any.

mod support;

use session_roam_code::{
    Have, Limits, ObjectId, Plan, Reason, Received, Snapshot, pack, record, record_for,
};
use std::fs;
use support::two::{MOST, Two, left_out};
use support::{assert_same, everything, store};

/// As `gitleaks` knows the form; no key of anybody's.
const KEY: &str = "AKIAQ3EGRZ5XVPLM7TNB";

fn key_file() -> String {
    format!("aws_access_key_id = \"{KEY}\"\n")
}

/// Records A for a device that has what B has checked out.
fn recorded(two: &Two) -> (Snapshot, Vec<ObjectId>) {
    let before = everything(&two.a.root);
    let store = store(two.dir.path(), "store-a");
    let base = ObjectId::parse(&two.b.head()).expect("an id");
    let published = |_: &[ObjectId]| Ok(vec![base]);
    let done = record_for(&two.a.checkout(), &store, &Limits::default(), published);
    assert_same(
        &before,
        &everything(&two.a.root),
        "recording changed something",
    );
    done.expect("records")
}

/// Whether an object came to B with the pack.
fn came(two: &Two, object: &str) -> bool {
    let store = two.dir.path().join("store-b/objects");
    let mut command = two.b.command(&["cat-file", "-e", object]);
    command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", store);
    command.output().expect("runs").status.success()
}

#[test]
fn commits_without_secrets_go_along() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "two\n");
    two.a.commit("second");
    two.a.write("a.txt", "three\n");
    let (snapshot, base) = recorded(&two);
    assert_eq!(
        snapshot.state.head.as_ref().map(ObjectId::as_str),
        Some(&*two.a.head())
    );
    assert_eq!(left_out(&snapshot), []);
    let have = Have {
        commits: base,
        snapshots: Vec::new(),
    };
    let packed = two.pack(&snapshot, &have);
    assert!(matches!(two.receive(&packed), Received::Verified(_)));
    assert!(came(&two, &two.a.head()));
}

#[test]
fn a_secret_in_a_commit_holds_all_of_them_back_and_the_work_goes_along() {
    let two = Two::new(&[("a.txt", "one\n"), ("b.txt", "one\n")]);
    two.a.write("config.py", key_file());
    two.a.write("b.txt", "committed\n");
    two.a.commit("with a key");
    let with_key = two.a.git(&["rev-parse", "HEAD:config.py"]);
    // Removing it later does not take it out of the history.
    two.a.write("config.py", "import os\n");
    two.a.commit("without the key");
    two.a.write("a.txt", "not committed\n");
    let (snapshot, base) = recorded(&two);
    let named = left_out(&snapshot);
    let [(path, Reason::InCommit(why))] = named.as_slice() else {
        panic!("{named:?}");
    };
    assert_eq!(path, "config.py");
    assert!(matches!(**why, Reason::SecretContent(_)), "{why:?}");
    assert_eq!(
        snapshot.state.head.as_ref().map(ObjectId::as_str),
        Some(&*two.b.head())
    );
    let have = Have {
        commits: base,
        snapshots: Vec::new(),
    };
    let packed = two.pack(&snapshot, &have);
    assert!(matches!(two.receive(&packed), Received::Verified(_)));
    assert!(!came(&two, &two.a.head()) && !came(&two, with_key.trim()));
    let comparison = two.compare(&snapshot.id, &[]);
    assert_eq!(comparison.plan, Plan::InPlace);
    two.apply(&comparison);
    for name in ["a.txt", "b.txt", "config.py"] {
        assert_eq!(two.a.read(name), two.b.read(name), "{name}");
    }
}

#[test]
fn so_does_a_secret_in_a_message() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("a.txt", "committed\n");
    two.a
        .commit(&format!("Use the key\n\nIt is\n{}", key_file()));
    let head = two.a.head();
    two.a.write("a.txt", "not committed\n");
    let (snapshot, _) = recorded(&two);
    let named = left_out(&snapshot);
    let [(name, Reason::InCommit(why))] = named.as_slice() else {
        panic!("{named:?}");
    };
    assert_eq!(*name, format!("message of commit {}", &head[..7]));
    assert!(matches!(**why, Reason::SecretContent(_)), "{why:?}");
    let base = snapshot.state.head.as_ref();
    assert_eq!(base.map(ObjectId::as_str), Some(&*two.b.head()));
}

#[test]
fn a_secret_in_the_message_of_a_merge_is_refused() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.git(&["checkout", "--quiet", "-b", "other"]);
    two.a.write("b.txt", "theirs\n");
    two.a.commit("theirs");
    two.a.git(&["checkout", "--quiet", "main"]);
    let merge = ["merge", "--quiet", "--no-commit", "--no-ff", "other"];
    two.a.git(&merge);
    let record = || {
        record(
            &two.a.checkout(),
            &store(two.dir.path(), "store-a"),
            &Limits::default(),
        )
    };
    record().expect("records");
    two.a.write(".git/MERGE_MSG", key_file());
    let refused = record().expect_err("is refused").to_string();
    assert!(
        refused.contains("MERGE_MSG has something that looks like a secret"),
        "{refused}"
    );
}

#[test]
fn a_file_that_still_has_the_secret_stays_behind_itself() {
    let two = Two::new(&[("config.py", "import os\n"), ("a.txt", "one\n")]);
    two.a.write("config.py", key_file());
    two.a.write("a.txt", "two\n");
    two.a.write(".env", "KEY=1\n");
    two.a.commit("with a key");
    let (snapshot, base) = recorded(&two);
    let mut names: Vec<String> = left_out(&snapshot).into_iter().map(|it| it.0).collect();
    names.dedup();
    assert_eq!(names, [".env", "config.py"]);
    let have = Have {
        commits: base,
        snapshots: Vec::new(),
    };
    let packed = two.pack(&snapshot, &have);
    assert!(matches!(two.receive(&packed), Received::Verified(_)));
    let comparison = two.compare(&snapshot.id, &[]);
    two.apply(&comparison);
    assert_eq!(two.b.read("config.py"), "import os\n");
    assert_eq!(two.b.read("a.txt"), "two\n");
    assert!(!two.b.exists(".env"));
}

#[test]
fn what_is_published_already_holds_nothing_back() {
    let two = Two::new(&[("config.py", &key_file()), ("a.txt", "one\n")]);
    two.a
        .write("config.py", format!("{}more = 1\n", key_file()));
    two.a.commit("the same key");
    let (snapshot, _) = recorded(&two);
    assert_eq!(left_out(&snapshot), []);
    assert_eq!(
        snapshot.state.head.as_ref().map(ObjectId::as_str),
        Some(&*two.a.head())
    );
}

#[test]
fn a_file_too_large_to_search_holds_its_commit_back() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("large", vec![b'a'; 11 << 20]);
    two.a.commit("large");
    two.a.write("a.txt", "two\n");
    let (snapshot, _) = recorded(&two);
    let reasons = left_out(&snapshot);
    let large = Reason::InCommit(Box::new(Reason::TooLarge));
    assert!(reasons.contains(&("large".into(), large)), "{reasons:?}");
}

#[test]
fn with_nothing_published_a_secret_in_a_commit_is_refused_by_name() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("config.py", key_file());
    two.a.commit("with a key");
    let store = store(two.dir.path(), "store-a");
    let nothing = |_: &[ObjectId]| Ok(Vec::new());
    let refused = record_for(&two.a.checkout(), &store, &Limits::default(), nothing);
    let words = refused.expect_err("is refused").to_string();
    assert!(
        words.starts_with("config.py is in commits that stay behind"),
        "{words}"
    );
    // The commits are searched once, and again when there are more.
    two.a.git(&["reset", "--quiet", "--hard", "HEAD~"]);
    record_for(&two.a.checkout(), &store, &Limits::default(), nothing).expect("records");
    let searched = fs::read_to_string(two.dir.path().join("store-a/searched")).expect("a list");
    assert!(
        searched.ends_with(&format!("{}\n", two.a.head())),
        "{searched}"
    );
    two.a.write("config.py", key_file());
    two.a.commit("with a key");
    let refused = record_for(&two.a.checkout(), &store, &Limits::default(), nothing);
    assert!(refused.is_err());
    let have = Have::default();
    let snapshot = two.record();
    let packed = pack(&two.a.checkout(), &store, &snapshot.id, &have, MOST);
    assert!(packed.is_ok(), "only `record_for` searches commits");
}
