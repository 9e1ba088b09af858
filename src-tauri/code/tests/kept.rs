//! The kept index: when a recording uses it, makes a new one, or does without one.
#![cfg(target_os = "linux")]

mod support;

use session_roam_code::{Limits, Snapshot, Store, record};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use support::{Repo, store};
use tempfile::TempDir;

struct Place {
    dir: TempDir,
    repo: Repo,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let files = [("a.txt", "one\n"), ("dir/b.txt", "one\n")];
        let repo = Repo::with_files(dir.path().join("a"), &files);
        let store = store(dir.path(), "store").keeping_index_in(&dir.path().join("kept"));
        Self { dir, repo, store }
    }

    fn record(&self) -> Snapshot {
        record(&self.repo.checkout(), &self.store, &Limits::default()).expect("records")
    }

    /// The kept files, with their times.
    fn kept(&self) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        let entries = fs::read_dir(self.dir.path().join("kept"))
            .into_iter()
            .flatten();
        let file = |path: PathBuf| {
            let time = path.metadata().expect("there").modified().expect("a time");
            (path.clone(), (fs::read(&path).expect("reads"), time))
        };
        entries.flatten().map(|entry| file(entry.path())).collect()
    }
}

#[test]
fn it_serves_until_the_index_or_the_settings_change() {
    let place = Place::new();
    place.record();
    let mut last = place.kept();
    assert_eq!(last.len(), 2, "an index and its label");
    place.repo.write("dir/new.txt", "untracked\n");
    place.repo.write("a.txt", "two\n");
    assert_eq!(place.record().state.left_out, []);
    assert_eq!(place.kept(), last, "it is used, and not written");
    let changes: [(&str, &dyn Fn()); 5] = [
        ("the index", &|| drop(place.repo.git(&["add", "a.txt"]))),
        ("a setting", &|| {
            drop(place.repo.git(&["config", "core.autocrlf", "input"]))
        }),
        ("an attribute", &|| {
            place.repo.write(".git/info/attributes", "*.txt text\n")
        }),
        ("an ignored name", &|| {
            place.repo.write(".git/info/exclude", "new.*\n")
        }),
        ("its own bytes", &|| {
            for (path, (mut bytes, _)) in place.kept() {
                bytes.pop();
                fs::write(path, bytes).expect("writes");
            }
        }),
    ];
    for (what, change) in changes {
        change();
        place.record();
        let now = place.kept();
        assert!(now.len() == 2 && now != last, "{what}");
        last = now;
    }
    for path in last.keys() {
        let file = fs::File::options().append(true).open(path).expect("opens");
        file.set_modified(SystemTime::now() - Duration::from_secs(4000))
            .expect("sets");
    }
    let aged = place.kept();
    place.record();
    assert_ne!(place.kept(), aged, "an hour");
}

#[test]
fn there_is_none_where_it_could_be_wrong() {
    let settings = [
        ["core.trustctime", "false"],
        ["core.checkstat", "minimal"],
        ["core.sparsecheckout", "true"],
    ];
    for [name, value] in settings {
        let place = Place::new();
        place.repo.git(&["config", name, value]);
        place.record();
        assert_eq!(place.kept().len(), 0, "{name}");
    }
    let place = Place::new();
    place.repo.git(&["update-index", "--split-index"]);
    place.record();
    assert_eq!(place.kept().len(), 0, "a split index");
    // What is found equal may be so under these attributes alone.
    let place = Place::new();
    place.repo.write(".gitattributes", "*.txt text\n");
    place.record();
    assert_eq!(place.kept().len(), 0, "new attributes");
}

#[test]
fn a_directory_that_becomes_a_repository_is_one_at_once_and_no_longer_when_it_ends() {
    let place = Place::new();
    place.repo.write("tool/file", "untracked\n");
    let before = place.record();
    let inner = Repo {
        root: place.repo.root.join("tool"),
    };
    inner.git(&["init", "--quiet"]);
    let within = place.record();
    assert_eq!(within.state.left_out.len(), 1);
    assert_eq!(within.working_tree, within.index);
    place.record();
    fs::remove_dir_all(inner.root.join(".git")).expect("removes");
    assert_eq!(place.record(), before);
}

#[test]
fn those_of_checkouts_at_rest_are_removed() {
    let place = Place::new();
    place.record();
    let old = place.dir.path().join("kept/other.index");
    fs::write(&old, "of another checkout").expect("writes");
    let file = fs::File::options().append(true).open(&old).expect("opens");
    file.set_modified(SystemTime::now() - Duration::from_secs(4000))
        .expect("sets");
    place.repo.git(&["rm", "--quiet", "--cached", "a.txt"]);
    place.record();
    assert_eq!(place.kept().len(), 2);
}
