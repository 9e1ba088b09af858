//! Guest writes: the files left behind when something fails half way.

use super::*;

#[test]
fn names_of_halves_and_copies() {
    for name in [
        "a.sync-conflict-20261123-101112-ABCDEFG.jsonl",
        ".roam-1-2.tmp",
        "1.json.tmp.77.1",
        ".lock",
        "a.conflict",
    ] {
        assert!(is_foreign_name(name), "{name}");
    }
    for name in [
        "a.tmpl.txt",
        "0a1b@v1",
        "conflicts.md",
        "a.jsonl",
        "build",
        "dist",
        "worktrees",
    ] {
        assert!(!is_foreign_name(name), "{name}");
    }
}

/// A program writes to the first of two files after its turn, through a handle from before: nothing
/// is written or removed then, and the line is in the file.
fn assert_that_a_line_stays(changes: impl Fn(&Path, Stamp) -> Change<'_>) {
    let dir = tempfile::tempdir().expect("tempdir");
    let paths = ["beside", "main"].map(|name| dir.path().join(name));
    for path in &paths {
        fs::write(path, "known\n").expect("write");
    }
    let names = ["beside", "main"].map(DocName::new);
    let changes = [&paths[0], &paths[1]].map(|path| changes(path, Stamp::of(path).expect("stamp")));
    let write = |at: usize| GuestWrite {
        name: &names[at],
        root: dir.path(),
        path: paths[at].clone(),
        change: &changes[at],
    };
    let open = OpenOptions::new().append(true).open(&paths[0]);
    let open = std::cell::RefCell::new(open.expect("open"));
    let asked = std::cell::Cell::new(0);
    let still_free = || {
        asked.set(asked.get() + 1);
        if asked.get() == 2 {
            open.borrow_mut().write_all(b"more\n").expect("more");
        }
        Ok(())
    };
    let written = write_docs(&[write(0), write(1)], Millis(0), &still_free);
    assert!(matches!(written, Err(WriteError::Changed(path)) if path == paths[0]));
    assert_eq!(fs::read(&paths[0]).expect("read"), b"known\nmore\n");
    assert_eq!(fs::read(&paths[1]).expect("read"), b"known\n");
    assert_eq!(names_in(dir.path(), |_| true), ["beside", "main"]);
}

#[test]
fn what_is_written_into_a_file_while_it_is_taken_out_stays() {
    assert_that_a_line_stays(|path, was| Change::Remove { path, was });
}

/// The line was deleted with the file that had been replaced.
#[test]
fn what_is_written_into_a_file_while_it_is_replaced_stays() {
    assert_that_a_line_stays(|path, was| Change::Replace {
        path,
        was,
        bytes: &Text("known\nof another device\n"),
    });
}

#[test]
fn a_create_finds_the_name_taken_at_the_last_moment() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (temp, path) = (dir.path().join("temp"), dir.path().join("taken"));
    fs::write(&temp, "new").expect("write");
    fs::write(&path, "old").expect("write");
    assert_eq!(
        link_new(&temp, &path).expect_err("taken").kind(),
        io::ErrorKind::AlreadyExists
    );
    assert_eq!(fs::read(&path).expect("read"), b"old");
}

#[test]
fn a_modification_time_never_goes_back() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("log");
    let one: &dyn Bytes = &Text("a\n");
    let first =
        write_as_guest(dir.path(), &path, &Change::Create(one), Millis(5_000)).expect("create");
    assert_eq!(first.mtime_ns, 5_000_000_000);
    let append = Change::Append {
        path: &path,
        was: first,
        from: 2,
        bytes: one,
    };
    let second = write_as_guest(dir.path(), &path, &append, Millis(3_000)).expect("append");
    assert_eq!((second.mtime_ns, second.len), (5_000_000_000, 4));
    // The same for a file that is there and a beginning of what is to be written.
    let longer = Change::Create(&Text("a\na\nb\n"));
    let third = write_as_guest(dir.path(), &path, &longer, Millis(4_000)).expect("continued");
    assert_eq!((third.mtime_ns, third.len), (5_000_000_000, 6));
}

#[cfg(unix)]
#[test]
fn new_files_are_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("a/b");
    write_as_guest(dir.path(), &path, &Change::Create(&Text("x")), Millis(0)).expect("create");
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&dir.path().join("a"))), (0o600, 0o700));
}

struct Text(&'static str);

impl Bytes for Text {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.0.as_bytes())
    }
}

/// A file that only Windows cannot have kept its session off every device.
#[test]
fn a_name_is_refused_where_it_means_something_else() {
    for name in [
        "", ".", "..", "a/../b", "a//b", "/a", "a\\b", "a\nb", "a\0b",
    ] {
        assert!(!is_plain(name), "{name:?}");
    }
    assert!(is_plain("a/b c.txt") && is_plain("ünï/Aux-1"));
    let odd = [
        "2026-11-23T10:30:00.json",
        "aux.txt",
        "COM1",
        "lpt9.log",
        "what?",
        "trailing.",
        "trailing ",
    ];
    for name in odd {
        assert!(!is_plain_on_windows(name), "{name}");
        assert_eq!(is_plain(name), !cfg!(windows), "{name}");
    }
    assert!(is_plain_on_windows("auxiliary.txt") && is_plain_on_windows("COM10"));
}

#[test]
fn only_a_disk_without_capitals_gives_one_name_to_two_docs() {
    let dir = tempfile::tempdir().expect("dir");
    let lower = dir.path().join("store");
    std::fs::create_dir(&lower).expect("dir");
    let is_one = dir.path().join("STORE").exists();
    assert_eq!(ignores_case(&lower), is_one);
    let upper = dir.path().join("STORE");
    if !is_one {
        std::fs::create_dir(&upper).expect("dir");
        assert!(!ignores_case(&lower), "two directories");
    }
    assert!(!ignores_case(&dir.path().join("missing")));
}
