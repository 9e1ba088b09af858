//! What follows from a layout.

use super::*;
use crate::session::Millis;

const DOCS: [DocFile<'_>; 5] = [
    DocFile::log("main.jsonl", "chats/{group}/{session}.jsonl"),
    DocFile::log("main.jsonl", "old/{session}.{group}"),
    DocFile::snapshot("{rest}", "chats/{group}/{session}/{rest}"),
    DocFile::snapshot("beside/{name}.json", "notes/{session}-{name}.json"),
    DocFile::snapshot("beside/short/{rest}", "tasks/t-{short}/{rest}"),
];

fn is_id(text: &str) -> bool {
    text.len() == 9 && text.starts_with("s-")
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(files: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("parent")).expect("dir");
            fs::write(path, file).expect("file");
        }
        Self { dir }
    }

    fn store(&self) -> FileStore<'_> {
        FileStore {
            is_group: |group| group != "settings",
            is_name: |name| !name.starts_with("beside"),
            denied: &["secret"],
            ..FileStore::new("X", self.dir.path().to_path_buf(), &DOCS, is_id)
        }
    }
}

fn places(listing: &Listing) -> Vec<(String, String)> {
    let docs = listing.found.iter().flat_map(|found| &found.docs);
    docs.map(|doc| (doc.name.to_string(), doc.place.clone()))
        .collect()
}

#[test]
fn all_docs_of_a_layout_are_found() {
    let place = Place::new(&[
        "chats/g/s-0000001.jsonl",
        "chats/g/s-0000001/a/b.jsonl",
        "chats/g/s-0000001/a/secret",
        "chats/g/s-0000001/beside/x",
        "chats/g/s-0000001/.x.tmp",
        "chats/settings/s-0000002.jsonl",
        "chats/g/other.jsonl",
        "notes/s-0000001-n.json",
        "notes/s-0000003-n.json",
        "tasks/t-s-000000/1",
        "old/s-0000004.g",
    ]);
    let wanted = [
        ("main.jsonl", "chats/g/s-0000001.jsonl"),
        ("a/b.jsonl", "chats/g/s-0000001/a/b.jsonl"),
        ("beside/n.json", "notes/s-0000001-n.json"),
        ("beside/short/1", "tasks/t-s-000000/1"),
        ("main.jsonl", "old/s-0000004.g"),
    ];
    let wanted = wanted.map(|(name, at)| (name.to_owned(), at.to_owned()));
    let store = place.store();
    let listing = store.list(Which::All, &|_| None);
    assert_eq!(
        places(&listing),
        [&wanted[..4], &wanted[4..], &wanted[3..4]].concat()
    );
    assert_eq!(listing.found[0].docs[1].kind, DocKind::Log);
    let one = SessionId::new("s-0000001");
    assert_eq!(
        places(&store.list(Which::One(&one), &|_| None)),
        wanted[..4]
    );
    // Each doc's name leads back to its place.
    let at = store.find(&one).expect("a session");
    for (name, place_of) in &wanted[..4] {
        let (_, path) = store.place(&at, &DocName::new(name)).expect(name);
        assert_eq!(path, place.dir.path().join(place_of));
    }
}

#[test]
fn a_name_from_elsewhere_is_a_place_of_its_own_session_or_none() {
    let place = Place::new(&[]);
    let store = place.store();
    let at = store.in_group(&SessionId::new("s-0000001"), "g");
    for name in [
        "",
        "../x",
        "a/../b",
        "a/secret",
        "a/SECRET",
        "beside/x",
        "beside/a/b.json",
        "beside/short/../x",
        "x.tmp",
        "c:x",
        "{rest}",
    ] {
        let is = store.place(&at, &DocName::new(name));
        // A name that is the text of a hole is a name like others, and so is one that only Windows
        // does not have.
        let is_name = name == "{rest}" || name == "c:x" && !cfg!(windows);
        assert_eq!(is.is_ok(), is_name, "{name}: {is:?}");
    }
}

#[test]
fn changes_concern_the_session_whose_place_they_have() {
    let place = Place::new(&["chats/g/x"]);
    let store = place.store();
    let one = || Touched::Session(SessionId::new("s-0000001"));
    let table = [
        ("", Touched::Everything),
        ("chats", Touched::Everything),
        ("chats/g", Touched::Everything),
        ("chats/settings", Touched::Nothing),
        ("chats/g/x", Touched::Nothing),
        ("chats/g/s-0000001.jsonl", one()),
        ("chats/g/s-0000001", one()),
        ("chats/g/s-0000001/a/b", one()),
        ("chats/g/s-0000001/secret", Touched::Nothing),
        ("notes/s-0000001-n.json", one()),
        ("tasks/t-s-000000/1", Touched::Everything),
        ("elsewhere", Touched::Nothing),
    ];
    for (path, wanted) in table {
        let path = store.root.join(path);
        assert_eq!(store.touched(&path), wanted, "{}", path.display());
    }
}

#[test]
fn the_better_of_two_counts_and_no_session_is_written_that_is_there_twice() {
    let place = Place::new(&["chats/g/s-0000001.jsonl", "chats/long/s-0000001.jsonl"]);
    let first = place.store();
    let listing = first.list(Which::All, &|_| None);
    assert_eq!(listing.found[0].docs[0].place, "chats/g/s-0000001.jsonl");
    assert_eq!((listing.problems.len(), listing.twins.len()), (1, 1));
    let by_length = FileStore {
        rank: Some(|doc: &FoundDoc| Rank {
            form: 1,
            len: doc.stamp.len,
            mtime_ns: 0,
        }),
        ..place.store()
    };
    let listing = by_length.list(Which::All, &|_| None);
    assert_eq!(listing.found[0].docs[0].place, "chats/long/s-0000001.jsonl");
    let checkout = |session| Checkout {
        session,
        cwd: Path::new("/"),
        updated: Millis(0),
        now: Millis(0),
        forgets: false,
        docs: Vec::new(),
    };
    let session = SessionId::new("s-0000001");
    let write = |store: &FileStore<'_>| {
        let new = store.in_group(&session, "g");
        store.write(&checkout(&session), new, &|_, _| Ok(None), &|| Ok(()))
    };
    assert!(write(&first).is_ok());
    assert!(matches!(write(&by_length), Err(WriteError::Refused(_))));
}

#[test]
fn conflict_copies_are_found_at_any_depth_and_without_their_doc() {
    let copy = ".sync-conflict-20261123-101112-ABCDEFG";
    let files = [
        format!("chats/g/s-0000001{copy}.jsonl"),
        format!("chats/g/s-0000001/a/b{copy}.txt"),
        format!("chats/g/other{copy}.jsonl"),
        format!("old/s-0000002{copy}.g"),
    ];
    let place = Place::new(&files.each_ref().map(String::as_str));
    let listing = place.store().list(Which::ConflictCopies, &|_| None);
    let found: Vec<(&str, bool)> = (listing.conflict_copies.iter())
        .map(|copy| (copy.place.as_str(), copy.main))
        .collect();
    assert_eq!(
        found,
        [
            ("chats/g/s-0000001.jsonl", true),
            ("chats/g/s-0000001/a/b.txt", false),
            ("old/s-0000002.g", true),
        ]
    );
}

const BY_DAY: [DocFile<'_>; 1] = [DocFile::log(
    "main.jsonl",
    "days/{number}/{group}-{session}.jsonl",
)];

/// One session was looked for in every directory of the store.
#[test]
fn one_session_costs_the_same_in_a_store_of_any_size() {
    let looked_at = |n_days: usize| {
        let file = |idx: usize| format!("days/{}/g-s-{idx:07}.jsonl", idx / 10);
        let files: Vec<String> = (0..10 * n_days).map(file).collect();
        let place = Place::new(&files.iter().map(String::as_str).collect::<Vec<_>>());
        let known = KnownDirs::default();
        let store = FileStore {
            known: Some(&known),
            is_group: |group| group == "g",
            ..FileStore::new("X", place.dir.path().to_path_buf(), &BY_DAY, is_id)
        };
        let count = |of: &dyn Fn() -> Listing| {
            let before = docs::N_LOOKED_AT.get();
            let found = of().found.len();
            (found, docs::N_LOOKED_AT.get() - before)
        };
        let session = SessionId::new("s-0000003");
        let one = || count(&|| store.list(Which::One(&session), &|_| None));
        let (found, before) = one();
        assert!(found == 1 && n_days <= before, "nothing is known yet");
        let (all, _) = count(&|| store.list(Which::All, &|_| None));
        assert_eq!(all, 10 * n_days);
        let known_now = one();
        // The file moves: it is looked for everywhere, and from then on where it is now.
        let path = |file: &str| place.dir.path().join(file);
        fs::create_dir_all(path("days/9999")).expect("dir");
        fs::rename(path(&file(3)), path("days/9999/g-s-0000003.jsonl")).expect("moved");
        let at = || store.find(&session).map(|at| at.place);
        assert_eq!(at().as_deref(), Some("days/9999/g-s-0000003.jsonl"));
        assert!(one().1 <= 2, "where it was, and where it is");
        // A second file of the session that an event names is found, too.
        fs::write(path(&file(3)), "").expect("file");
        assert_eq!(
            store.touched(&path(&file(3))),
            Touched::Session(session.clone())
        );
        let listing = store.list(Which::One(&session), &|_| None);
        assert_eq!((listing.found.len(), listing.twins.len()), (1, 1));
        fs::remove_file(path("days/9999/g-s-0000003.jsonl")).expect("removed");
        assert_eq!(at(), Some(file(3)));
        known_now
    };
    assert_eq!((looked_at(1), looked_at(200)), ((1, 1), (1, 1)));
}

/// The fixed part of a layout led wherever its links led.
#[cfg(unix)]
#[test]
fn a_link_in_the_fixed_part_of_a_layout_is_followed_like_others() {
    use std::os::unix::fs::symlink;
    let place = Place::new(&["notes/s-0000001.jsonl", "x"]);
    let elsewhere = Place::new(&["7/g-s-0000001.jsonl"]);
    let store = FileStore {
        is_group: |group| group == "g",
        ..FileStore::new("X", place.dir.path().to_path_buf(), &BY_DAY, is_id)
    };
    let session = SessionId::new("s-0000001");
    let found = || {
        let listed = [Which::All, Which::One(&session)].map(|which| {
            let listing = store.list(which, &|_| None);
            (listing.found.len(), listing.unknown.is_none())
        });
        assert_eq!(listed[0], listed[1]);
        let (n_found, is_known) = listed[0];
        assert_eq!(
            is_known,
            store.one(&session, false).is_ok(),
            "else nothing counts as gone"
        );
        (n_found, is_known)
    };
    let days = place.dir.path().join("days");
    assert_eq!(found(), (0, true), "a store that is not there yet");
    symlink(elsewhere.dir.path(), &days).expect("link");
    assert_eq!(found(), (1, true), "a directory of the user's own");
    fs::remove_file(&days).expect("removed");
    symlink("/usr", &days).expect("link");
    assert_eq!(found(), (0, true), "a disk that another user has mounted");
    let places = [
        place.dir.path().join("notes"),
        place.dir.path().to_path_buf(),
        place.dir.path().join("x"),
        PathBuf::from("/"),
    ];
    for to in places {
        fs::remove_file(&days).expect("removed");
        symlink(&to, &days).expect("link");
        assert_eq!(found(), (0, false), "{}", to.display());
    }
}
