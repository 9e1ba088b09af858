//! Vault files by which another device may exhaust or block an engine: files that are not regular,
//! endless lines, long names.

use super::*;

#[cfg(unix)]
fn fifo(path: &Path) {
    fs::create_dir_all(path.parent().expect("parent")).expect("dir");
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).expect("a path");
    // SAFETY: the path is a C string that lives as long as the call.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

/// F9: a segment, a conflict copy or a `device.json` that is a link to a device, and a directory
/// that is a link. The engine neither hangs nor follows the link, at its next start either, and
/// other sessions continue.
#[cfg(unix)]
#[test]
fn what_is_no_file_in_the_vault_is_refused_and_everything_else_goes_on() {
    use std::os::unix::fs::symlink;
    type Plant = fn(&Path);
    let zero: Plant = |path| symlink("/dev/zero", path).expect("link");
    let nowhere: Plant = |path| symlink("/nowhere", path).expect("link");
    for (what, plant) in [("zero", zero), ("fifo", fifo), ("nowhere", nowhere)] {
        let (mut world, here) = stage();
        let file = replica(&world);
        let lane = world.devices[1]
            .vault()
            .lane_dir(&world.devices[0].short(), Lane::Priority);
        let session = file.parent().expect("a directory");
        let copy = session.join("0001.jsonl.sync-conflict-20261123-101500-ABCDEFG.zst");
        fs::remove_file(&file).expect("remove");
        fs::remove_file(lane.join("device.json")).expect("remove");
        plant(&file);
        plant(&copy);
        plant(&lane.join("device.json"));
        plant(&session.with_file_name("abcdefghijklmnopqrstuvwxyz"));
        let planted = [file.clone(), lane.join("device.json")];
        for file in &planted {
            arrived(&mut world, 0, file);
        }
        let problems = world.devices[1].problems();
        assert!(
            world.devices[1].has_problem("frame_refused"),
            "{what}: {problems:?}"
        );
        assert!(
            world.devices[1].has_problem("card_refused"),
            "{what}: {problems:?}"
        );
        world.devices[1].start();
        for file in planted {
            fs::remove_file(file).expect("remove");
        }
        let other = world.devices[0].transcript(&here, TWO);
        world.devices[0].say(&other, turn(&here, TWO, "and on"));
        world.deliver();
        assert_carried(&world.devices[0], &world.devices[1], TWO);
        assert_carried(&world.devices[0], &world.devices[1], ONE);
    }
}

/// F9: a FIFO in the place of any file that an adapter reads stopped the engine for good.
#[cfg(unix)]
#[test]
fn a_fifo_in_a_tools_store_is_not_waited_for() {
    let (mut world, here) = stage();
    let home = world.devices[0].home.clone();
    for name in [
        ".claude/sessions/4711.json",
        ".claude/projects/-x/00000000-0000-4000-8000-00000000000f.jsonl",
    ] {
        fifo(&home.join(name));
    }
    fifo(
        &home.join(".codex/sessions/2026/11/23/rollout-2026-11-23T10-00-00-00000000-0000-4000-8000-00000000000f.jsonl"),
    );
    world.devices[0].start();
    let other = world.devices[0].transcript(&here, TWO);
    world.devices[0].say(&other, turn(&here, TWO, "and on"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], TWO);
}

/// F9: a snapshot of 2 KB whose head and tail overlap became a file of 2 GiB in the tool's store.
#[test]
fn a_snapshot_that_grows_out_of_itself_is_refused() {
    let (mut world, _) = stage();
    world.devices[0].stop();
    let session = id(77);
    let docs = [("transcript.jsonl", "projects/-x/s.jsonl")];
    let forgery = Forgery {
        tool: "claude-code",
        session: &session,
        main: "transcript.jsonl",
        docs: &docs,
    };
    let doc = DocName::new("beside/todos/agent.json");
    let mut content = vec![b'x'; 1024];
    let mut tip = ChainId::snapshot_start();
    let mut entries = Vec::new();
    for generation in 0..12 {
        let (after, ends, bytes) = match generation {
            0 => (tip, 0, content.clone()),
            _ => (tip, content.len() as u64, Vec::new()),
        };
        if generation > 0 {
            content.extend_from_within(..);
        }
        tip = after.then(&content);
        let at = "todos/agent.json".into();
        entries.push(Entry::Whole {
            doc: doc.clone(),
            at,
            after,
            tip,
            head: ends,
            tail: ends,
            bytes,
        });
    }
    forgery.deliver_with(&mut world, "/x", entries);
    let files = everything(&world.devices[1]);
    let largest = files
        .iter()
        .filter_map(|path| fs::symlink_metadata(path).ok())
        .map(|meta| meta.len())
        .max();
    assert!(
        largest.expect("files") < 1 << 20,
        "nothing of it was written"
    );
    assert_eq!(world.devices[1].state_of(ONE), "here");
    // The entry is left out and reported; the rest of the session is read as usual.
    let problems = world.devices[1].problems();
    assert!(
        problems.iter().any(|code| code == "entry_refused"),
        "{problems:?}"
    );
    assert!(
        !problems.iter().any(|code| code == "journal_unreadable"),
        "{problems:?}"
    );
    world.devices[1].start();
    assert!(!world.devices[1].has_problem("journal_unreadable"));
    assert_ne!(world.devices[1].state_of(&session), "arriving");
}

/// F9: frames of a few kilobytes, each with a quarter of a million empty lines. All of them are
/// ingested, and never held at once.
#[test]
fn a_journal_of_endless_short_lines_is_taken_in_piece_by_piece() {
    const LINES: usize = 270_000;
    let frames = 3usize;
    let (mut world, _) = stage();
    world.devices[0].stop();
    let session = id(79);
    let docs = [("transcript.jsonl", "projects/-x/s.jsonl")];
    let forgery = Forgery {
        tool: "claude-code",
        session: &session,
        main: "transcript.jsonl",
        docs: &docs,
    };
    forgery.deliver(&mut world, "/x");
    let key = DeviceKey::load_or_create(&world.devices[0].roam).expect("key");
    let journals = crate::stories::journals::journals(&world.devices[1]);
    let first = &journals
        .iter()
        .find(|journal| journal.session() == session)
        .expect("a journal")
        .frames[0];
    let Some(Entry::Lines {
        doc,
        at,
        tip,
        bytes,
        ..
    }) = first.entries.last().cloned()
    else {
        panic!("lines")
    };
    let owned = bytes.len();
    let path = first_segment(
        world.devices[1].vault().root(),
        &SessionKey::new(&first.head.tool, &first.head.session).hash,
    );
    let (mut all, mut head, mut prev, mut chain) = (
        fs::read(&path).expect("segment"),
        first.head.clone(),
        first.hash.clone(),
        Chain::from(tip),
    );
    for _ in 0..frames {
        let after = chain.tip;
        let bytes = vec![b'\n'; LINES];
        (0..LINES).for_each(|_| chain.feed(b"\n"));
        (head.n, head.prev, head.at.count) = (head.n + 1, prev, head.at.count + 1);
        let entry = Entry::Lines {
            doc: doc.clone(),
            at: at.clone(),
            after,
            tip: chain.tip,
            replaces: None,
            bytes,
        };
        let (frame, hash) = frame::render(&head, &[entry], |message| key.sign(message).to_vec());
        all.extend(frame);
        prev = hash;
    }
    fs::write(path.with_extension("new"), all).expect("write");
    fs::rename(path.with_extension("new"), &path).expect("rename");
    arrived(&mut world, 0, &path);
    let rows: Vec<session_roam_core::api::SessionRow> = world.devices[1].ask(Request::Sessions {
        filter: Default::default(),
    });
    let row = rows
        .iter()
        .find(|row| row.session == session)
        .expect("it is listed");
    assert_eq!(row.bytes, (owned + frames * LINES) as u64);
    assert_eq!(world.devices[1].state_of(ONE), "here");
}

/// The first segment of a session's journal in a vault.
fn first_segment(vault: &Path, hash: &str) -> PathBuf {
    let files = tree(vault).into_keys().map(|file| vault.join(file));
    let mut found = files
        .filter(|file| file.to_string_lossy().contains(hash) && file.ends_with("0001.jsonl.zst"));
    found.next().expect("a segment")
}

/// F9: a title of 200 KB was printed as 4.2 MB. The bytes stay in the journal; the shown title is
/// short.
#[test]
fn a_long_title_or_name_is_shown_shortened() {
    let (mut world, _) = stage();
    world.devices[0].stop();
    let session = id(78);
    let docs = [("transcript.jsonl", "projects/-x/s.jsonl")];
    let forgery = Forgery {
        tool: "claude-code",
        session: &session,
        main: "transcript.jsonl",
        docs: &docs,
    };
    let title = "title ".repeat(200 << 10).replace("title ", "a title ");
    forgery.deliver_named(&mut world, "/x", &title[..200 << 10], Vec::new());
    let rows: Vec<session_roam_core::api::SessionRow> = world.devices[1].ask(Request::Sessions {
        filter: Default::default(),
    });
    let row = rows
        .iter()
        .find(|row| row.session == session)
        .expect("it is listed");
    assert!(
        row.title.chars().count() <= 300 && row.title.starts_with("a title"),
        "{}",
        row.title.len()
    );
    assert!(row.project.len() < 4096);
}

/// F9: a journal that ended the engine at two starts in a row is not read at the third, and is
/// reported; other journals are read. The test plays the traces of a run that is killed while it
/// reads.
#[test]
fn a_journal_that_ended_the_engine_twice_is_set_aside_until_it_is_released() {
    let (mut world, here) = stage();
    let file = replica(&world);
    let vault = world.devices[1].vault();
    let dir = file
        .parent()
        .expect("parent")
        .strip_prefix(vault.root())
        .expect("below");
    let dir = dir.to_string_lossy().replace('\\', "/");
    let reading = world.devices[1].roam.join("reading");
    for start in 1..=2 {
        world.devices[1].stop();
        fs::create_dir_all(&reading).expect("dir");
        fs::write(reading.join("left"), &dir).expect("written");
        world.devices[1].start();
        assert_eq!(
            world.devices[1].has_problem("journal_set_aside"),
            start == 2
        );
    }
    for (session, text) in [(ONE, "not read"), (TWO, "read")] {
        let path = world.devices[0].transcript(&here, session);
        world.devices[0].say(&path, turn(&here, session, text));
    }
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], TWO);
    assert_ne!(world.devices[0].docs(ONE), world.devices[1].docs(ONE));
    let _: Done = world.devices[1].ask(Request::Release {
        what: format!("journal:{dir}"),
    });
    world.devices[1].settle();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert!(!world.devices[1].has_problem("journal_set_aside"));
}
