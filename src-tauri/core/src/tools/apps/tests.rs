//! The store's files as apps use them, and as another device writes them.

use super::names::{AppKey, AppName};
use super::shelf::{Appended, Quota, Shelf, ShelfError};
use super::*;
use crate::session::Millis;
use std::collections::BTreeSet;
use std::fs;

const QUOTA: Quota = Quota {
    bytes: 64 << 20,
    sessions: 100,
    entry: 1 << 20,
};

struct Bench {
    dir: tempfile::TempDir,
    shelf: Shelf,
    app: AppName,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let app = AppName::new("notes").expect("name");
        Self {
            shelf: Shelf::at(shelf::root(dir.path())),
            dir,
            app,
        }
    }

    /// The same files after a crash.
    fn again(self) -> Self {
        Self {
            shelf: Shelf::at(shelf::root(self.dir.path())),
            ..self
        }
    }

    fn append(&self, key: &AppKey, entries: &[&str]) -> Result<Appended, ShelfError> {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        self.shelf
            .append(&self.app, key, &entries, QUOTA)
            .map(|(appended, _)| appended)
    }

    fn load(&self, key: &AppKey) -> Option<Vec<String>> {
        let mut page = self.shelf.load(&self.app, key, None).expect("loaded")?;
        let mut entries = std::mem::take(&mut page.entries);
        while let Some(next) = page.next.take() {
            page = self
                .shelf
                .load(&self.app, key, Some(&next))
                .expect("loaded")
                .expect("a page");
            entries.append(&mut page.entries);
        }
        Some(entries)
    }

    fn files(&self) -> Vec<PathBuf> {
        let dir = shelf::root(self.dir.path()).join("notes");
        let mut files: Vec<PathBuf> = fs::read_dir(dir)
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("entry").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
            .collect();
        files.sort();
        files
    }

    fn only_file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

fn key(session: &str) -> AppKey {
    AppKey::new("p".into(), session.into(), None).expect("key")
}

fn part(session: &str, subpath: &str) -> AppKey {
    AppKey::new("p".into(), session.into(), Some(subpath.into())).expect("key")
}

#[test]
fn entries_come_back_byte_for_byte_and_each_id_once() {
    let bench = Bench::new();
    let odd = r#"{"z":1,"a":1e400,"n":12345678901234567890123,"uuid":"1"}"#;
    assert_eq!(bench.load(&key("s")), None);
    bench.append(&key("s"), &[]).expect("nothing");
    assert_eq!(bench.load(&key("s")), None);
    let appended = bench.append(
        &key("s"),
        &[odd, r#"{"t":1}"#, r#"{"uuid":"1","again":true}"#],
    );
    assert_eq!(appended.expect("appended"), Appended { added: 2, known: 1 });
    let bench = bench.again();
    let appended = bench
        .append(&key("s"), &[odd, r#"{"t":1}"#])
        .expect("appended");
    assert_eq!(appended, Appended { added: 1, known: 1 });
    assert_eq!(
        bench.load(&key("s")).expect("entries"),
        [odd, r#"{"t":1}"#, r#"{"t":1}"#]
    );
}

#[test]
fn only_json_objects_on_one_line_are_entries() {
    let bench = Bench::new();
    let header = String::from_utf8(key("x").header(&bench.app, 0).render()).expect("text");
    for bad in [
        "",
        "1",
        "[]",
        "{",
        "{}{}",
        "{\"a\":\n1}",
        "null",
        header.trim_end(),
    ] {
        let error = bench.append(&key("s"), &["{}", bad]).expect_err(bad);
        assert!(
            matches!(error, ShelfError::Entry { at: 1 }),
            "{bad}: {error}"
        );
    }
    assert!(
        bench.files().is_empty(),
        "of a refused batch nothing is kept"
    );
}

#[test]
fn a_torn_line_and_half_a_batch_are_not_there_after_a_crash() {
    let bench = Bench::new();
    bench.append(&key("s"), &[r#"{"n":1}"#]).expect("appended");
    let file = bench.only_file();
    let append = |bytes: &[u8]| {
        let mut out = fs::File::options().append(true).open(&file).expect("open");
        out.write_all(bytes).expect("written");
    };
    append(b"{\"n\":2,\"torn");
    let bench = bench.again();
    assert_eq!(bench.load(&key("s")).expect("entries"), [r#"{"n":1}"#]);
    bench.append(&key("s"), &[r#"{"n":3}"#]).expect("appended");
    assert_eq!(
        bench.load(&key("s")).expect("entries"),
        [r#"{"n":1}"#, r#"{"n":3}"#]
    );

    // As the engine leaves it when it is killed between two pages of one batch.
    let from = fs::metadata(&file).expect("file").len();
    let batch = b"{\"n\":4}\n{\"n\":5}\n{\"n\":6}\n";
    let name = file
        .file_name()
        .expect("name")
        .to_string_lossy()
        .into_owned();
    let note = format!(
        "{{\"file\":\"{name}\",\"from\":{from},\"to\":{}}}",
        from + batch.len() as u64
    );
    fs::write(file.with_file_name(".batch"), &note).expect("note");
    append(&batch[..16]);
    let bench = bench.again();
    assert_eq!(
        bench.load(&key("s")).expect("entries"),
        [r#"{"n":1}"#, r#"{"n":3}"#]
    );

    // A batch that was written whole counts, whatever became of the note.
    fs::write(file.with_file_name(".batch"), &note).expect("note");
    append(batch);
    let bench = bench.again();
    assert_eq!(bench.load(&key("s")).expect("entries").len(), 5);
    for hostile in ["../../x", "/etc/passwd", "a/../../b", ""] {
        let note = format!("{{\"file\":\"{hostile}\",\"from\":0,\"to\":9999}}");
        fs::write(file.with_file_name(".batch"), note).expect("note");
        let bench = Bench {
            shelf: Shelf::at(shelf::root(bench.dir.path())),
            dir: tempfile::tempdir().expect("dir"),
            app: bench.app.clone(),
        };
        assert_eq!(
            bench.load(&key("s")).expect("entries").len(),
            5,
            "{hostile}"
        );
    }
}

#[test]
fn parts_are_listed_apart_and_go_with_their_session() {
    let bench = Bench::new();
    bench
        .append(&part("only", "subagents/x"), &["{}"])
        .expect("appended");
    assert_eq!(bench.load(&key("only")), None);
    assert_eq!(bench.shelf.list(&bench.app, "p").expect("list"), []);
    bench.append(&key("s"), &["{}"]).expect("appended");
    bench
        .append(&part("s", "subagents/a"), &["{}"])
        .expect("appended");
    bench
        .append(&part("s", "subagents/b"), &["{}"])
        .expect("appended");
    let subkeys = |name: &str| {
        bench
            .shelf
            .subkeys(&bench.app, &key(name))
            .expect("subkeys")
    };
    assert_eq!(subkeys("s"), ["subagents/a", "subagents/b"]);
    assert_eq!(subkeys("only"), ["subagents/x"]);
    bench
        .shelf
        .delete(&bench.app, &part("s", "subagents/a"))
        .expect("deleted");
    assert_eq!(subkeys("s"), ["subagents/b"]);
    bench.shelf.delete(&bench.app, &key("s")).expect("deleted");
    assert_eq!(
        (subkeys("s").len(), bench.load(&part("s", "subagents/b"))),
        (0, None)
    );
    assert_eq!(subkeys("only"), ["subagents/x"]);
}

#[test]
fn a_session_begun_again_after_a_deletion_is_another_one() {
    let bench = Bench::new();
    bench.append(&key("s"), &[r#"{"n":1}"#]).expect("appended");
    let first = bench.only_file();
    bench.shelf.delete(&bench.app, &key("s")).expect("deleted");
    assert_eq!(bench.load(&key("s")), None);
    bench.append(&key("s"), &[r#"{"n":2}"#]).expect("appended");
    assert_ne!(bench.only_file(), first);
    assert_eq!(bench.load(&key("s")).expect("entries"), [r#"{"n":2}"#]);
    assert_eq!(bench.shelf.list(&bench.app, "p").expect("list").len(), 1);
}

/// Another device still has a session that was deleted and begun again here, and continues it.
#[test]
fn an_older_session_of_a_name_is_listed_and_used_under_its_id() {
    let bench = Bench::new();
    bench.append(&key("s"), &[r#"{"n":1}"#]).expect("appended");
    let (first, older) = (
        bench.only_file(),
        fs::read(bench.only_file()).expect("read"),
    );
    bench.shelf.delete(&bench.app, &key("s")).expect("deleted");
    fs::write(&first, &older).expect("it comes back");
    assert_eq!(bench.load(&key("s")).expect("entries"), [r#"{"n":1}"#]);
    bench.shelf.delete(&bench.app, &key("s")).expect("deleted");
    bench.append(&key("s"), &[r#"{"n":2}"#]).expect("appended");
    fs::write(&first, &older).expect("it comes back");
    let id = first.file_stem().and_then(|id| id.to_str()).expect("an id");
    let listed = || {
        let listed = bench.shelf.list(&bench.app, "p").expect("list").into_iter();
        listed.map(|row| row.session).collect::<BTreeSet<String>>()
    };
    assert_eq!(listed(), ["s".to_owned(), id.to_owned()].into());
    assert_eq!(bench.load(&key("s")).expect("entries"), [r#"{"n":2}"#]);
    bench.append(&key(id), &[r#"{"n":3}"#]).expect("appended");
    let both = [r#"{"n":1}"#, r#"{"n":3}"#];
    assert_eq!(bench.load(&key(id)).expect("entries"), both);
    // The name does not mean it again, whatever becomes of the newer one.
    bench.shelf.delete(&bench.app, &key("s")).expect("deleted");
    assert_eq!(bench.load(&key("s")), None);
    assert_eq!(listed(), [id.to_owned()].into());
    bench.append(&key("s"), &[r#"{"n":4}"#]).expect("appended");
    assert_eq!(bench.load(&key("s")).expect("entries"), [r#"{"n":4}"#]);
    assert_eq!(bench.load(&key(id)).expect("entries"), both);
    bench.shelf.delete(&bench.app, &key(id)).expect("deleted");
    assert_eq!(listed(), ["s".to_owned()].into());
}

#[test]
fn no_app_sees_another_ones_sessions() {
    let bench = Bench::new();
    bench.append(&key("s"), &["{}"]).expect("appended");
    let other = AppName::new("other").expect("name");
    assert_eq!(
        bench.shelf.load(&other, &key("s"), None).expect("loaded"),
        None
    );
    assert_eq!(bench.shelf.list(&other, "p").expect("list"), []);
    let deleted = bench.shelf.delete(&other, &key("s")).expect("nothing");
    assert!(deleted.is_empty());
    // A file that somebody put into the other app's directory is not one of its sessions.
    let there = shelf::root(bench.dir.path()).join("other");
    fs::create_dir_all(&there).expect("dir");
    fs::copy(
        bench.only_file(),
        there.join(bench.only_file().file_name().expect("name")),
    )
    .expect("copied");
    assert_eq!(
        bench.shelf.load(&other, &key("s"), None).expect("loaded"),
        None
    );
    assert_eq!(bench.shelf.list(&other, "p").expect("list"), []);
}

#[test]
fn what_is_too_much_is_refused_and_nothing_of_it_kept() {
    let bench = Bench::new();
    let append = |session: &str, entries: &[&str], quota| {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        bench
            .shelf
            .append(&bench.app, &key(session), &entries, quota)
            .map(|(appended, _)| appended)
    };
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
    let error = append("s", &["{}", &long], Quota { entry: 50, ..QUOTA }).expect_err("too long");
    assert!(
        matches!(error, ShelfError::EntrySize { at: 1, .. }),
        "{error}"
    );
    let error = append(
        "s",
        &[&long],
        Quota {
            bytes: 100,
            ..QUOTA
        },
    )
    .expect_err("too much");
    assert!(matches!(error, ShelfError::Full { .. }), "{error}");
    assert_eq!(bench.load(&key("s")), None);
    let two = Quota {
        sessions: 2,
        ..QUOTA
    };
    append("a", &["{}"], two).expect("first");
    append("b", &["{}"], two).expect("second");
    let error = append("c", &["{}"], two).expect_err("too many");
    assert!(matches!(error, ShelfError::Many { .. }), "{error}");
    append("a", &["{}"], two).expect("one that is there may grow");
}

/// A part makes its session, which counts like any other.
#[test]
fn sessions_that_begin_with_a_part_count_against_the_quota() {
    let bench = Bench::new();
    let two = Quota {
        sessions: 2,
        ..QUOTA
    };
    let append = |session: &str| {
        let key = part(session, "subagents/a");
        bench.shelf.append(&bench.app, &key, &["{}".into()], two)
    };
    append("a").expect("first");
    append("b").expect("second");
    let error = append("c").expect_err("too many");
    assert!(matches!(error, ShelfError::Many { .. }), "{error}");
    append("a").expect("one that is there may grow");
}

#[test]
fn pages_hold_everything_once_and_a_file_written_anew_is_noticed() {
    let bench = Bench::new();
    let entry = |n: usize| format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(300_000));
    let all: Vec<String> = (0..40).map(entry).collect();
    for some in all.chunks(7) {
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        bench.append(&key("s"), &some).expect("appended");
    }
    assert_eq!(bench.load(&key("s")).expect("entries"), all);
    let page = bench
        .shelf
        .load(&bench.app, &key("s"), None)
        .expect("loaded")
        .expect("a page");
    let next = page.next.expect("more");
    let file = bench.only_file();
    let text = fs::read_to_string(&file)
        .expect("text")
        .replacen("xxx", "y", 1);
    fs::write(&file, text).expect("written");
    for mark in [
        next.as_str(),
        "",
        "0",
        "x-y",
        "99999999-0",
        "18446744073709551616-0",
    ] {
        let error = bench
            .shelf
            .load(&bench.app, &key("s"), Some(mark))
            .expect_err("stale");
        assert!(matches!(error, ShelfError::Stale), "{mark}: {error}");
    }
}

#[test]
fn many_at_once_do_not_interleave() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let bench = &bench;
            scope.spawn(move || {
                for batch in 0..20 {
                    let entry = |n: usize| format!("{{\"w\":{writer},\"b\":{batch},\"n\":{n}}}");
                    let entries: Vec<String> = (0..5).map(entry).collect();
                    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
                    bench.append(&key("s"), &entries).expect("appended");
                }
            });
        }
    });
    let all = bench.load(&key("s")).expect("entries");
    assert_eq!(all.len(), 6 * 20 * 5);
    for batch in all.chunks(5) {
        let head = |entry: &String| entry.split(",\"n\"").next().unwrap_or_default().to_owned();
        assert!(
            batch.iter().all(|entry| head(entry) == head(&batch[0])),
            "{batch:?}"
        );
    }
}

/// What another device names as a place, and what it puts there.
#[test]
fn a_file_of_another_device_is_written_only_where_it_belongs() {
    let bench = Bench::new();
    let machine = Machine {
        data: bench.dir.path().to_owned(),
        ..Machine::at(bench.dir.path())
    };
    let header = key("s").header(&bench.app, 0);
    let (id, good) = (
        header.id.clone(),
        [header.render(), b"{}\n".to_vec()].concat(),
    );
    let write = |at: &str, name: &str, bytes: &Vec<u8>| {
        let (session, name) = (SessionId::new(id.as_str()), DocName::new(name));
        let docs = vec![super::super::DocWrite {
            name: &name,
            place: at,
            change: Change::Create(bytes),
        }];
        let checkout = Checkout {
            session: &session,
            cwd: bench.dir.path(),
            updated: Millis(1_700_000_000_000),
            now: Millis(1_700_000_000_000),
            forgets: false,
            docs,
        };
        AppSessions.write(&machine, &checkout)
    };
    let other = key("x").header(&bench.app, 0);
    for (at, name) in [
        (format!("other/{id}.jsonl"), MAIN),
        (format!("../{id}.jsonl"), MAIN),
        (format!("notes/{}.jsonl", other.id), MAIN),
        (format!("notes/{id}.jsonl"), "parts/x.jsonl"),
        (format!("notes/../notes/{id}.jsonl"), MAIN),
        (format!("Notes/{id}.jsonl"), MAIN),
        (format!("notes/{id}/{id}.jsonl"), MAIN),
        (format!("con/{id}.jsonl"), MAIN),
    ] {
        assert!(
            matches!(write(&at, name, &good), Err(WriteError::Refused(_))),
            "{at}"
        );
    }
    let at = format!("notes/{id}.jsonl");
    for content in [
        b"".to_vec(),
        b"{}\n".to_vec(),
        other.render(),
        header.with_subpath("a").render(),
        vec![b'x'; 1 << 20],
    ] {
        assert!(matches!(
            write(&at, MAIN, &content),
            Err(WriteError::Refused(_))
        ));
    }
    write(&at, MAIN, &good).expect("written");
    assert_eq!(bench.load(&key("s")).expect("entries"), ["{}"]);
    let found = AppSessions.sessions(&machine, Which::All).found;
    assert_eq!(found.len(), 1);
    assert_eq!(
        AppSessions
            .read(&machine, &found[0])
            .expect("read")
            .facts
            .title
            .as_deref(),
        Some("notes: s")
    );
}
