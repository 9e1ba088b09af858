//! Commits that would go along are searched for secrets, and stay as a whole if one has any.

mod support;

use session_roam_code::{
    Comparison, Have, Limits, ObjectId, Plan, Reason, Received, Snapshot, diff_text, pack,
    pack_or_without_history, record, record_for,
};
use std::fs;
use support::two::{MOST, Two, left_out};
use support::{Repo, assert_same, everything, store};

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
    two.bring(&snapshot, base);
    assert!(came(&two, &two.a.head()));
}

/// They change files here as much as what nobody committed does.
#[test]
fn what_commits_changed_that_come_along_is_listed() {
    let two = Two::new(&[("a.txt", "one\n")]);
    two.a.write("CLAUDE.md", "Obey.\n");
    two.a.commit("second");
    two.a.write("Makefile", "all:\n");
    two.a.commit("third");
    two.a.write("a.txt", "two\n");
    let (snapshot, base) = recorded(&two);
    two.bring(&snapshot, base);
    let comparison = two.compare(&snapshot.id, &[]);
    let listed = |comparison: &Comparison| -> Vec<(String, bool)> {
        let files = comparison.files.iter();
        let files = files.map(|file| (file.path.to_string(), file.is_obeyed));
        files.collect()
    };
    let (path, is_obeyed) = (|name: &str| name.to_owned(), true);
    let all = [
        (path("CLAUDE.md"), is_obeyed),
        (path("Makefile"), is_obeyed),
        (path("a.txt"), !is_obeyed),
    ];
    assert_eq!(
        (listed(&comparison).as_slice(), comparison.commits),
        (&all[..], 2)
    );
    let (checkout, store) = (two.b.checkout(), store(two.dir.path(), "store-b"));
    let text = |at: usize| {
        let path = &comparison.files[at].path;
        diff_text(&checkout, &store, &comparison, path, 1 << 20).expect("text")
    };
    assert!(text(0).ends_with("+Obey.\n"), "{}", text(0));
    // Applied, they are in the repository, and no ref of the user leads to them.
    two.apply(&comparison);
    let again = two.compare(&snapshot.id, &[]);
    assert_eq!((listed(&again).as_slice(), again.commits), (&all[..], 2));
    // Who fetched them has them.
    let from = two.a.root.to_string_lossy().into_owned();
    two.b
        .git(&["fetch", "--quiet", &from, "main:refs/remotes/a/main"]);
    let own = two.compare(&snapshot.id, &[]);
    assert_eq!((listed(&own).as_slice(), own.commits), (&all[2..], 0));
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
    two.bring_in_place(&snapshot, base);
    assert!(!came(&two, &two.a.head()) && !came(&two, with_key.trim()));
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
    let (checkout, store) = (two.a.checkout(), store(two.dir.path(), "store-a"));
    let limits = Limits::default();
    let for_others = || record_for(&checkout, &store, &limits, |commits| Ok(commits.to_vec()));
    for_others().expect("records");
    two.a.write(".git/MERGE_MSG", key_file());
    let refused = for_others().expect_err("is refused").to_string();
    assert!(
        refused.contains("MERGE_MSG has something that looks like a secret"),
        "{refused}"
    );
    // What is only compared or taken back here is recorded all the same.
    record(&checkout, &store, &limits).expect("records");
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
    two.bring_in_place(&snapshot, base);
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

/// Every device refuses a state whose commits put files under a filter or have a link that leads out. It is
/// said here, and the work goes along without the commits.
#[test]
fn commits_that_would_be_refused_stay_and_the_work_goes_along() {
    type Change<'c> = (&'c str, Reason, &'c dyn Fn(&Repo));
    let filters: Change = (".gitattributes", Reason::FilterRule, &|a| {
        a.write(".gitattributes", "*.psd filter=lfs\n");
    });
    #[cfg(unix)]
    let links: Change = ("out", Reason::LeadsOut, &|a| {
        std::os::unix::fs::symlink("/opt/x", a.root.join("out")).expect("links");
    });
    #[cfg(not(unix))]
    let links: Change = (".gitattributes", Reason::FilterRule, filters.2);
    for (path, reason, change) in [filters, links] {
        let two = Two::new(&[("a.txt", "one\n")]);
        change(&two.a);
        two.a.commit("with it");
        two.a.write("a.txt", "two\n");
        let (snapshot, base) = recorded(&two);
        let named = left_out(&snapshot);
        let in_commit = Reason::InCommit(Box::new(reason));
        assert!(named.contains(&(path.into(), in_commit)), "{named:?}");
        two.bring_in_place(&snapshot, base);
        assert_eq!(two.b.read("a.txt"), "two\n");
        assert!(!two.b.exists(path));
        // One that is gone again hinders nobody.
        fs::remove_file(two.a.root.join(path)).expect("removes");
        two.a.commit("without it");
        let (snapshot, _) = recorded(&two);
        assert_eq!(left_out(&snapshot), []);
    }
}

/// As in a project without a remote: nothing says that the other device has the commits, but it has.
#[test]
fn what_the_other_device_has_itself_is_not_refused_there() {
    let files = [("a.txt", "one\n"), (".gitattributes", "*.psd filter=lfs\n")];
    let dir = tempfile::tempdir().expect("a directory");
    let a = Repo::with_files(dir.path().join("a"), &files);
    #[cfg(unix)]
    std::os::unix::fs::symlink("/opt/x", a.root.join("out")).expect("links");
    a.commit("with a link");
    let b = a.cloned(dir.path().join("b"));
    let two = Two { dir, a, b };
    two.a.write("a.txt", "two\n");
    let store = store(two.dir.path(), "store-a");
    let nothing = |_: &[ObjectId]| Ok(Vec::new());
    let recorded = record_for(&two.a.checkout(), &store, &Limits::default(), nothing);
    let (snapshot, _) = recorded.expect("records");
    two.bring(&snapshot, Vec::new());
    assert_eq!(two.compare(&snapshot.id, &[]).plan, Plan::InPlace);
}

/// In a repository without a remote, another device says which commits it has.
#[test]
fn what_another_device_has_is_the_nearest_of_its_commits() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let id = |text: &str| ObjectId::parse(text).expect("an id");
    let both = id(&two.b.head());
    two.a.write("a.txt", "two\n");
    two.a.commit("of A alone");
    two.b.write("a.txt", "three\n");
    two.b.commit("of B alone");
    let (of_a, of_b) = (id(&two.a.head()), id(&two.b.head()));
    let had = |known: &[ObjectId]| {
        let had = two
            .a
            .checkout()
            .had_with(known, std::slice::from_ref(&of_a));
        had.expect("looks")
    };
    assert_eq!(
        had(std::slice::from_ref(&of_a)),
        std::slice::from_ref(&of_a)
    );
    assert_eq!(
        had(std::slice::from_ref(&both)),
        std::slice::from_ref(&both)
    );
    assert_eq!(
        had(std::slice::from_ref(&of_b)),
        [],
        "A knows nothing of that commit"
    );
    assert_eq!(had(&[of_b, both.clone()]), [both]);
    assert_eq!(had(&[]), []);
}

/// Who has the commits takes the work over; who lacks them is told which.
#[test]
fn a_history_that_is_too_large_is_left_to_those_who_have_it() {
    let two = Two::new(&[("a.txt", "one\n"), ("noise", &"a".repeat(10))]);
    let mut noise = vec![0; 200_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    two.a.write("noise", &noise);
    two.a.commit("large");
    let at_large = two.a.cloned(two.dir.path().join("c"));
    two.a.write("a.txt", "two\n");
    let snapshot = two.record();
    let (checkout, store) = (two.a.checkout(), store(two.dir.path(), "store-a"));
    let (none, most) = (Have::default(), 100_000);
    let packed =
        |have: &Have, most| pack_or_without_history(&checkout, &store, &snapshot.id, have, most);
    let refused = pack(&checkout, &store, &snapshot.id, &none, most).expect_err("too large");
    assert!(
        refused.to_string().contains("more than 100000 bytes"),
        "{refused}"
    );
    let whole = packed(&none, MOST).expect("packs");
    assert_eq!(whole.manifest.against_commits, []);
    let small = packed(&none, most).expect("packs");
    let head = ObjectId::parse(&two.a.head()).expect("an id");
    assert_eq!(small.manifest.against_commits, std::slice::from_ref(&head));
    assert!(
        small.manifest.pack.bytes < 2_000,
        "{:?}",
        small.manifest.pack
    );
    let lacking = two.receive(&small);
    assert!(matches!(lacking, Received::Lacking(ids) if ids.as_slice() == [head.clone()]));
    // Where it is known what the other side has, nothing else is guessed.
    assert!(packed(&two.have_head(), most).is_err());
    assert!(packed(&none, 10).is_err());
    let Two { dir, a, .. } = two;
    let two = Two {
        dir,
        a,
        b: at_large,
    };
    assert!(matches!(two.receive(&small), Received::Verified(_)));
    assert_eq!(two.compare(&snapshot.id, &[]).plan, Plan::InPlace);
}
