//! An engine is killed while it records, applies or takes back: at every start of `git`, and between
//! its worker and its loop. Repository and session stay whole; the next start finishes or takes back.
#![cfg(unix)]
#![allow(clippy::disallowed_methods)] // the child process gets its task from the environment

use super::code::{Pair, files, git};
use super::talk::ONE;
use super::world::{World, tree};
use session_roam_core::api::{CodeApplied, CodeOffer, CodeState, Done, HistoryRow, Request};
use session_roam_core::session::{HistoryKind, ProblemCode};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells this test program, started again, what to do, and in which directory of devices.
const TASK: &str = "SESSION_ROAM_TEST_KILLED";
const NAMES: [&str; 2] = ["desk", "lap"];

/// A `git` that kills the program that starts it when as many were started as `most` says.
fn deadly_git(dir: &Path) -> PathBuf {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).expect("makes");
    let real = Command::new("sh").args(["-c", "command -v git"]).output();
    let real = String::from_utf8(real.expect("sh").stdout).expect("text");
    // Several may start at once: each adds a byte, and none is lost.
    let script = format!(
        "#!/bin/sh\nprintf x >> '{0}/started'\nif [ $(wc -c < '{0}/started') -gt $(cat '{0}/most') ]\n\
         then kill -9 $PPID; exit 1; fi\nexec {1} \"$@\"\n",
        dir.display(),
        real.trim()
    );
    let path = bin.join("git");
    fs::write(&path, script).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets");
    bin
}

/// Runs the task in a process of its own that dies at the `number`th start of git. Says whether it died.
fn dies(world: &Path, tools: &Path, task: &str, number: usize) -> bool {
    fs::write(tools.join("most"), number.to_string()).expect("writes");
    fs::write(tools.join("started"), "").expect("writes");
    let path = std::env::var("PATH").expect("a path");
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    command
        .args(["--exact", "stories::code_killed::the_child_that_is_killed"])
        .env("PATH", format!("{}:{path}", tools.join("bin").display()))
        .env(TASK, format!("{task}\n{}", world.display()));
    let output = command.output().expect("runs");
    if output.status.success() {
        return false;
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.signal(), Some(9), "{said}");
    true
}

/// Does nothing when the tests are run: it is the process that the other tests kill.
#[test]
fn the_child_that_is_killed() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let (what, dir) = task.split_once('\n').expect("two parts");
    let mut world = World::asleep_at(Path::new(dir), &NAMES);
    let at = usize::from(what != "record");
    let device = &mut world.devices[at];
    device.set_clock(device.clock_now() + 60 * 60 * 1000);
    device.start();
    let session = ONE.to_owned();
    match what {
        "record" => {
            device.set_clock(device.clock_now() + 10 * 60 * 1000);
            device.poll();
        }
        "apply" => {
            let at = None;
            let offer: CodeOffer = device.ask(Request::CodeOffer { session, at });
            let _: CodeApplied = device.ask(Request::CodeApply {
                session: ONE.to_owned(),
                snapshot: offer.snapshot,
                stay: false,
            });
        }
        _ => {
            let session = Some(session);
            let _: Done = device.ask(Request::Undo { session });
        }
    }
}

/// The devices as they are on disk, asleep.
fn asleep(pair: &mut Pair) -> PathBuf {
    for device in &mut pair.world.devices {
        device.stop();
    }
    let home = &pair.world.devices[0].home;
    let root = home.ancestors().nth(3);
    root.expect("the devices' directory").to_owned()
}

/// The laptop started again, at rest.
fn woken(pair: &mut Pair, at: usize) {
    let device = pair.device(at);
    device.set_clock(device.clock_now() + 2 * 60 * 60 * 1000);
    device.start();
    device.poll();
}

fn whole(dir: &Path) {
    git(dir, &["fsck", "--strict"]);
    assert!(
        !dir.join(".git/index.lock").exists(),
        "nobody holds the index"
    );
}

#[test]
fn killed_while_it_applies_or_takes_back() {
    let mut pair = Pair::new();
    pair.desk_changes();
    let tools = tempfile::tempdir().expect("a directory");
    deadly_git(tools.path());
    let before = files(&pair.lap);
    let mut wanted = files(&pair.desk);
    wanted.retain(|path, _| *path != Path::new(".env") && !path.starts_with("target"));
    let said = pair.device(1).docs(ONE);
    let root = asleep(&mut pair);
    let (mut number, mut n_said, mut n_by_starts) = (0, 0, 0);
    loop {
        let died = dies(&root, tools.path(), "apply", number);
        woken(&mut pair, 1);
        whole(&pair.lap);
        assert_eq!(pair.device(1).docs(ONE), said);
        let now = files(&pair.lap);
        let offer = pair.offer(1);
        match now == before {
            true => {
                assert_eq!(offer.state, CodeState::InPlace, "{number}: {}", offer.why);
                n_by_starts += n_undone(&mut pair) - n_said;
            }
            // Killed after the last change: the engine knows of it, and can take it back.
            false => {
                assert_eq!(now, wanted, "{number}");
                assert_eq!(offer.state, CodeState::Same, "{number}");
                pair.undo(1);
                assert_eq!(files(&pair.lap), before, "{number}");
            }
        }
        n_said = n_undone(&mut pair);
        asleep(&mut pair);
        if !died {
            break;
        }
        number += 1;
    }
    assert!(20 < number, "{number} starts of git");
    assert!(0 < n_by_starts, "the history says what a start took back");

    let mut number = 0;
    loop {
        woken(&mut pair, 1);
        pair.apply(1);
        asleep(&mut pair);
        let died = dies(&root, tools.path(), "undo", number);
        woken(&mut pair, 1);
        whole(&pair.lap);
        assert_eq!(pair.device(1).docs(ONE), said);
        if files(&pair.lap) != before {
            assert_eq!(files(&pair.lap), wanted, "{number}");
            pair.undo(1);
        }
        assert_eq!(files(&pair.lap), before, "{number}");
        let again = pair.device(1).try_ask(Request::Undo { session: None });
        assert!(again.is_err(), "{number}: it was taken back already");
        asleep(&mut pair);
        if !died {
            break;
        }
        number += 1;
    }
    assert!(5 < number, "{number} starts of git");
}

#[test]
fn killed_while_it_records() {
    let mut pair = Pair::new();
    pair.desk_changes();
    fs::write(pair.desk.join("session.rs"), "fn newest() {}\n").expect("writes");
    let tools = tempfile::tempdir().expect("a directory");
    deadly_git(tools.path());
    let desk = files(&pair.desk);
    let repository = tree(&pair.desk.join(".git"));
    let said = pair.device(0).docs(ONE);
    let root = asleep(&mut pair);
    let mut number = 0;
    while dies(&root, tools.path(), "record", number) {
        assert_eq!(files(&pair.desk), desk);
        assert_eq!(tree(&pair.desk.join(".git")), repository, "{number}");
        assert_eq!(
            pair.recorded(0).len(),
            1,
            "{number}: the last state is whole"
        );
        number += 1;
    }
    assert!(10 < number, "{number} starts of git");
    // The start records what the killed ones missed, without a word of the tool.
    assert_eq!(pair.recorded(0).len(), 2);
    woken(&mut pair, 0);
    assert_eq!(pair.device(0).docs(ONE), said);
    pair.device(1).start();
    pair.world.deliver();
    pair.apply(1);
    let lap: BTreeMap<PathBuf, Vec<u8>> = files(&pair.lap);
    assert_eq!(lap[Path::new("session.rs")], b"fn newest() {}\n");
}

#[test]
fn killed_between_worker_and_loop_the_engine_knows_what_was_applied() {
    let mut pair = Pair::new();
    pair.desk_changes();
    let before = files(&pair.lap);
    let snapshot = pair.offer(1).snapshot;
    let apply = Request::CodeApply {
        session: ONE.into(),
        snapshot,
        stay: false,
    };
    pair.device(1)
        .tell(session_roam_core::engine::event::Event::Request(
            apply,
            Box::new(|_| panic!("it is dead")),
        ));
    pair.device(1).look_and_die();
    assert_ne!(files(&pair.lap), before);
    woken(&mut pair, 1);
    let session = Some(ONE.to_owned());
    let rows: Vec<HistoryRow> = pair.device(1).ask(Request::History { session });
    assert!(
        rows.iter()
            .any(|row| row.what.counts_files() && row.files == 3)
    );
    pair.undo(1);
    assert_eq!(files(&pair.lap), before);
}

/// How often the history of the session says that code was taken back.
fn n_undone(pair: &mut Pair) -> usize {
    let session = Some(ONE.to_owned());
    let rows: Vec<HistoryRow> = pair.device(1).ask(Request::History { session });
    let undone = rows
        .iter()
        .filter(|row| row.what == HistoryKind::CodeUndone);
    undone.count()
}

#[test]
fn killed_between_worker_and_loop_the_engine_knows_what_was_taken_back() {
    let mut pair = Pair::new();
    pair.desk_changes();
    pair.apply(1);
    let undo = Request::Undo { session: None };
    pair.device(1)
        .tell(session_roam_core::engine::event::Event::Request(
            undo.clone(),
            Box::new(|_| panic!("it is dead")),
        ));
    pair.device(1).look_and_die();
    woken(&mut pair, 1);
    assert_eq!(n_undone(&mut pair), 1);
    let again = pair.device(1).try_ask(undo).expect_err("nothing is left");
    assert_eq!(again.code, ProblemCode::NothingToUndo, "{}", again.message);
    woken(&mut pair, 1);
    assert_eq!(n_undone(&mut pair), 1);
    assert_eq!(pair.offer(1).state, CodeState::InPlace);
}

#[test]
fn an_undo_that_comes_before_the_first_look_is_noted_once() {
    let mut pair = Pair::new();
    pair.desk_changes();
    fs::write(pair.lap.join("session.rs"), "fn mine() {}\n").expect("writes");
    assert!(pair.apply(1).worktree);
    pair.device(1).begin();
    let undo = Request::Undo { session: None };
    pair.device(1)
        .tell(session_roam_core::engine::event::Event::Request(
            undo,
            Box::new(|answer| drop(answer.expect("is undone"))),
        ));
    pair.device(1).turn_work_around();
    pair.device(1).settle();
    assert_eq!(n_undone(&mut pair), 1);
}
