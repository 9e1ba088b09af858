//! Uncommitted changes: asked about once, named in the history, taken back although files were changed
//! since, and removed everywhere.

use super::code::{PROJECT, Pair, files, git};
use super::faults::state_sql;
use super::talk::ONE;
use super::world::{Device, tree};
use session_roam_core::api::{
    ApiError, CodeOffer, CodeQuestion, CodeState, CodeStatus, Done, HistoryRow, Request, Resume,
};
use session_roam_core::engine::event::Event;
use session_roam_core::session::{HistoryKind, ProblemCode, Remedy};
use std::fs;
use std::path::{Path, PathBuf};

fn question(device: &mut Device) -> Option<CodeQuestion> {
    device.status().code_question
}

fn answer(pair: &mut Pair, on: bool) {
    let project = Some(PROJECT.to_owned());
    let _: Done = pair.device(0).ask(Request::CodeSwitch { project, on });
}

#[test]
fn a_project_with_changes_is_asked_about_once() {
    let mut pair = Pair::undecided();
    pair.say(0, "n", "nothing has changed");
    pair.rest();
    assert_eq!(question(pair.device(0)), None, "nothing would go along");
    pair.desk_changes();
    let asked = question(pair.device(0)).expect("a question");
    assert_eq!((asked.project.as_str(), asked.files), (PROJECT, 3));
    assert!(0 < asked.bytes && pair.recorded(0).is_empty(), "{asked:?}");
    assert_eq!(question(pair.device(1)), None, "nothing changed there");
    answer(&mut pair, false);
    assert_eq!(question(pair.device(0)), None);
    for restarted in [false, true] {
        if restarted {
            pair.device(0).start();
        }
        pair.say(0, if restarted { "d" } else { "c" }, "more");
        pair.rest();
        assert_eq!(question(pair.device(0)), None, "restarted: {restarted}");
    }
    assert!(pair.recorded(0).is_empty());
    let config = fs::read_to_string(pair.device(0).roam.join("config.toml")).expect("settings");
    assert!(
        config.contains(&format!("asked = [\"{PROJECT}\"]")),
        "{config}"
    );
}

#[test]
fn with_a_yes_the_changes_asked_about_go_along_at_once() {
    let mut pair = Pair::undecided();
    pair.desk_changes();
    assert!(question(pair.device(0)).is_some());
    answer(&mut pair, true);
    assert_eq!(question(pair.device(0)), None);
    pair.rest();
    assert_eq!(pair.recorded(0).len(), 1);
    assert_eq!(pair.apply(1).files, 3);
    answer(&mut pair, false);
    pair.say(0, "c", "more");
    pair.rest();
    assert_eq!(question(pair.device(0)), None, "it was decided");
}

#[test]
fn nothing_is_asked_where_nothing_could_go_along() {
    // In the middle of a rebase nothing is recorded.
    let mut pair = Pair::undecided();
    let rebase = pair.desk.join(".git/rebase-merge");
    fs::create_dir_all(&rebase).expect("makes");
    pair.desk_changes();
    assert_eq!(question(pair.device(0)), None);
    fs::remove_dir_all(&rebase).expect("removes");
    pair.say(0, "c", "the rebase has ended");
    pair.rest();
    assert!(question(pair.device(0)).is_some());
    // The last other device leaves.
    let id = pair.world.devices[1].id.to_string();
    let _: serde_json::Value = pair.device(0).ask(Request::Unpair { id });
    assert_eq!(question(pair.device(0)), None);
    // Switched off on the device, and for an excluded project.
    let mut pair = Pair::undecided();
    let off = Request::CodeSwitch {
        project: None,
        on: false,
    };
    let _: Done = pair.device(0).ask(off);
    pair.desk_changes();
    assert_eq!(question(pair.device(0)), None);
    // Without a repository.
    let mut pair = Pair::undecided();
    fs::remove_dir_all(pair.desk.join(".git")).expect("removes");
    pair.desk_changes();
    assert_eq!(question(pair.device(0)), None);
}

fn history(device: &mut Device) -> Vec<HistoryRow> {
    let session = Some(ONE.to_owned());
    let rows: Vec<HistoryRow> = device.ask(Request::History { session });
    let is_code = |row: &HistoryRow| row.what.counts_files();
    rows.into_iter().filter(is_code).collect()
}

#[test]
fn the_history_names_the_device_whose_code_was_applied_and_the_files() {
    let mut pair = Pair::new();
    pair.desk_changes();
    assert_eq!(history(pair.device(1)), []);
    pair.apply(1);
    let rows = history(pair.device(1));
    let said = |row: &HistoryRow| (row.what, row.device.clone(), row.files, row.lines);
    assert_eq!(
        rows.iter().map(said).collect::<Vec<_>>(),
        [(HistoryKind::CodeApplied, "desk".to_owned(), 3, 0)]
    );
    pair.undo(1);
    let rows = history(pair.device(1));
    assert_eq!(rows.len(), 2);
    assert_eq!(
        said(&rows[0]),
        (HistoryKind::CodeUndone, "desk".into(), 3, 0)
    );
}

fn undo_aside(device: &mut Device) -> Result<Done, ApiError> {
    let session = ONE.to_owned();
    let answer = device.try_ask(Request::UndoSettingAside { session })?;
    Ok(serde_json::from_value(answer).expect("an answer"))
}

#[test]
fn an_undo_that_is_blocked_names_the_files_and_can_set_them_aside() {
    let mut pair = Pair::new();
    let before = files(&pair.lap);
    pair.desk_changes();
    pair.apply(1);
    fs::write(pair.lap.join("session.rs"), "fn mine_since() {}\n").expect("writes");
    fs::write(pair.lap.join("beside.txt"), "mine\n").expect("writes");
    let changed = files(&pair.lap);
    let refused = pair.device(1).try_ask(Request::Undo { session: None });
    let refused = refused.expect_err("is refused");
    assert_eq!(refused.code, ProblemCode::CodeRefused);
    assert!(
        refused.message.contains("session.rs") && refused.message.contains("beside.txt"),
        "{}",
        refused.message
    );
    assert!(
        refused.message.ends_with("session.rs."),
        "{}",
        refused.message
    );
    let session = ONE.to_owned();
    assert_eq!(refused.actions, [Remedy::UndoSettingAside { session }]);
    assert_eq!(files(&pair.lap), changed, "nothing was changed");

    let done = undo_aside(pair.device(1)).expect("is undone");
    let kept = pair.lap.join(".git/session-roam/kept/1");
    assert!(
        done.message.contains(&kept.display().to_string()),
        "{}",
        done.message
    );
    let mine = fs::read(kept.join("session.rs")).expect("is kept");
    assert_eq!(mine, b"fn mine_since() {}\n");
    let mut wanted = before;
    wanted.insert("beside.txt".into(), b"mine\n".to_vec());
    assert_eq!(
        files(&pair.lap),
        wanted,
        "what was not applied is left alone"
    );
    assert_eq!(
        git(&pair.lap, &["status", "--porcelain"]),
        "?? beside.txt\n"
    );
    git(&pair.lap, &["fsck", "--strict"]);
    let again = undo_aside(pair.device(1)).expect_err("once");
    assert_eq!(again.code, ProblemCode::NothingToUndo);
}

#[test]
fn a_commit_made_since_is_not_taken_back() {
    let mut pair = Pair::new();
    pair.desk_changes();
    pair.apply(1);
    git(&pair.lap, &["commit", "--quiet", "-am", "Mine now"]);
    let changed = files(&pair.lap);
    for set_aside in [false, true] {
        let refused = match set_aside {
            false => pair
                .device(1)
                .try_ask(Request::Undo { session: None })
                .err(),
            true => undo_aside(pair.device(1)).err(),
        };
        let refused = refused.expect("is refused");
        assert!(
            refused.message.contains("Another commit"),
            "{}",
            refused.message
        );
        assert_eq!(refused.actions, [], "trying again does not help");
        assert_eq!(files(&pair.lap), changed);
    }
}

#[test]
fn an_undo_waits_for_a_disk_that_is_away() {
    let mut pair = Pair::new();
    let before = files(&pair.lap);
    pair.desk_changes();
    pair.apply(1);
    let away = pair.lap.with_file_name("away");
    // The directory on which the disk is mounted may be there, and in a repository of its own.
    for is_mount_point in [false, true] {
        fs::rename(&pair.lap, &away).expect("renames");
        if is_mount_point {
            fs::create_dir(&pair.lap).expect("makes");
            let above = pair.lap.parent().expect("a parent");
            git(above, &["init", "--quiet"]);
        }
        let session = Some(ONE.to_owned());
        let refused = pair.device(1).try_ask(Request::Undo { session });
        let refused = refused.expect_err("it is away");
        assert_eq!(refused.code, ProblemCode::CodeRefused);
        assert!(
            refused.message.ends_with("is not there now."),
            "{}",
            refused.message
        );
        if is_mount_point {
            fs::remove_dir(&pair.lap).expect("removes");
        } else {
            let unnamed = pair.device(1).try_ask(Request::Undo { session: None });
            assert_eq!(
                unnamed.expect_err("nothing else").code,
                ProblemCode::NothingToUndo
            );
        }
        fs::rename(&away, &pair.lap).expect("renames");
    }
    pair.undo(1);
    assert_eq!(files(&pair.lap), before);
}

#[test]
fn a_worktree_that_was_changed_stays_and_the_session_goes_back() {
    let mut pair = Pair::new();
    pair.desk_changes();
    fs::write(pair.lap.join("session.rs"), "fn mine() {}\n").expect("writes");
    let applied = pair.apply(1);
    assert!(applied.worktree);
    let inside = applied.dir.join("session.rs");
    fs::write(&inside, "fn in_the_worktree() {}\n").expect("writes");
    let done = undo_aside(pair.device(1)).expect("is undone");
    assert!(
        done.message.contains("stays with its changes"),
        "{}",
        done.message
    );
    assert_eq!(
        fs::read(&inside).expect("stays"),
        b"fn in_the_worktree() {}\n"
    );
    let session = ONE.to_owned();
    let resume: Resume = pair.device(1).ask(Request::Resume { session });
    assert_eq!(resume.cwd, pair.lap);
}

/// The laptop's own changes have the desk's applied in a worktree. Returns its directory; nothing
/// that follows is done yet.
fn applied_beside(pair: &mut Pair) -> PathBuf {
    pair.desk_changes();
    fs::write(pair.lap.join("session.rs"), "fn mine() {}\n").expect("writes");
    let apply = Request::CodeApply {
        session: ONE.to_owned(),
        snapshot: pair.offer(1).snapshot,
        stay: false,
    };
    let (answer, answered) = std::sync::mpsc::channel();
    let device = pair.device(1);
    device.tell(Event::Request(
        apply,
        Box::new(move |applied| drop(answer.send(applied))),
    ));
    let applied = loop {
        match answered.try_recv() {
            Ok(applied) => break applied.expect("is applied"),
            Err(_) => assert!(device.work(), "no answer"),
        }
    };
    applied["dir"].as_str().expect("a directory").into()
}

#[test]
fn a_session_that_moves_to_its_code_is_resumed_there_and_not_before() {
    let mut pair = Pair::new();
    let dir = applied_beside(&mut pair);
    let (session, device) = (ONE.to_owned(), pair.device(1));
    let wanted = device.slug_dir(&dir);
    // The tool would be started in a directory in which the session is not.
    let mut n_early = 0;
    while device.place_of(ONE).expect("here").parent() != Some(wanted.as_path()) {
        let (answer, answered) = std::sync::mpsc::channel();
        device.tell(Event::Request(
            Request::Resume {
                session: session.clone(),
            },
            Box::new(move |resume| drop(answer.send(resume))),
        ));
        let early = answered.try_recv().expect("an answer at once");
        assert_eq!(early.expect_err("it is moving").code, ProblemCode::NotHere);
        n_early += 1;
        assert!(device.work(), "it moves");
    }
    assert!(1 < n_early, "it moves once where it belongs is saved");
    device.settle();
    let resume: Resume = device.ask(Request::Resume { session });
    assert_eq!(resume.cwd, dir);
}

/// The wish was in memory alone until the session had moved.
#[test]
fn a_session_that_was_on_its_way_to_its_code_arrives_after_a_kill() {
    let mut pair = Pair::new();
    let dir = applied_beside(&mut pair);
    let (session, device) = (ONE.to_owned(), pair.device(1));
    let old = device.place_of(ONE).expect("it is here");
    device.die_once_gone(&old);
    // What is on the disk between the removal and the write.
    if let Some(new) = device.place_of(ONE) {
        fs::remove_file(new).expect("not written yet");
    }
    device.start();
    device.poll();
    let place = device.place_of(ONE).expect("it arrived");
    assert_eq!(place.parent(), Some(device.slug_dir(&dir).as_path()));
    let resume: Resume = device.ask(Request::Resume { session });
    assert_eq!(resume.cwd, dir);
}

#[test]
fn a_session_does_not_move_until_where_it_belongs_could_be_saved() {
    let mut pair = Pair::new();
    let dir = applied_beside(&mut pair);
    let device = pair.device(1);
    let old = device.place_of(ONE).expect("it is here");
    let full = "CREATE TRIGGER full BEFORE INSERT ON sessions BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    state_sql(device, full);
    device.settle();
    device.poll();
    assert_eq!(device.place_of(ONE), Some(old));
    state_sql(device, "DROP TRIGGER full");
    device.poll();
    let place = device.place_of(ONE).expect("it is here");
    assert_eq!(place.parent(), Some(device.slug_dir(&dir).as_path()));
}

fn traces(home: &Path) -> Vec<PathBuf> {
    let lanes = tree(&home.join("vault")).into_keys();
    let states = lanes.filter(|path| path.to_string_lossy().ends_with(".code.zst"));
    states.chain(tree(&home.join("code")).into_keys()).collect()
}

#[test]
fn what_was_recorded_is_removed_everywhere_with_one_word() {
    let mut pair = Pair::new();
    pair.desk_changes();
    let looked: CodeOffer = pair.offer(1);
    assert_eq!(looked.state, CodeState::InPlace);
    let homes: Vec<PathBuf> = pair
        .world
        .devices
        .iter()
        .map(|it| it.roam.clone())
        .collect();
    assert!(homes.iter().all(|home| !traces(home).is_empty()));
    pair.switch(0, false);
    let project = Some(PROJECT.to_owned());
    let done: Done = pair.device(0).ask(Request::CodeForget { project });
    assert!(
        done.message.starts_with("1 recorded state"),
        "{}",
        done.message
    );
    pair.rest();
    for home in &homes {
        assert_eq!(traces(home), Vec::<PathBuf>::new());
    }
    assert_eq!(pair.offer(1).state, CodeState::None);
    let status: CodeStatus = pair.device(0).ask(Request::CodeStatus);
    assert_eq!(status.projects, []);
}

#[test]
fn what_an_undo_needs_stays_when_the_rest_is_removed() {
    let mut pair = Pair::new();
    let before = files(&pair.lap);
    pair.desk_changes();
    pair.apply(1);
    let _: Done = pair.device(0).ask(Request::CodeForget { project: None });
    pair.rest();
    assert_eq!(pair.offer(1).state, CodeState::None);
    pair.undo(1);
    assert_eq!(files(&pair.lap), before);
}

/// Of a session that goes back and forth, something was applied always.
#[test]
fn the_objects_of_a_session_are_bounded_although_code_was_applied() {
    let mut pair = Pair::new();
    pair.switch(1, true);
    let before = files(&pair.lap);
    pair.desk_changes();
    pair.apply(1);
    let objects = tree(&pair.device(1).roam.join("code")).into_keys();
    let mut dirs = objects.filter_map(|path| Some(path.parent()?.to_owned()));
    let dir = dirs.find(|dir| dir.ends_with("pack")).expect("a pack");
    // Without content: it takes no space.
    let large = fs::File::create(dir.join("large")).expect("makes");
    large.set_len(600 << 20).expect("sets");
    pair.say(1, "c", "a turn on the laptop");
    pair.rest();
    assert!(!dir.join("large").exists(), "more than is kept");
    pair.undo(1);
    assert_eq!(files(&pair.lap), before);
}

#[test]
fn a_commit_with_a_secret_stays_and_both_devices_say_which_file() {
    let mut pair = Pair::new();
    let key = "aws_access_key_id = \"AKIAQ3EGRZ5XVPLM7TNB\"\n";
    fs::write(pair.desk.join("config.py"), key).expect("writes");
    git(&pair.desk, &["add", "config.py"]);
    git(&pair.desk, &["commit", "--quiet", "-m", "Not pushed"]);
    pair.desk_changes();
    let status: CodeStatus = pair.device(0).ask(Request::CodeStatus);
    let here = status.projects[0].sessions[0].left_out.clone();
    let offer = pair.offer(1);
    assert_eq!(offer.state, CodeState::InPlace, "{}", offer.why);
    for left_out in [here, offer.left_out] {
        let mut of_file = left_out.iter().filter(|it| it.path == "config.py");
        let is_named = of_file.any(|it| it.why.contains("commits that stay behind"));
        assert!(is_named, "{left_out:?}");
    }
    assert_eq!(pair.apply(1).files, 3);
    let lap = files(&pair.lap);
    assert!(!lap.contains_key(Path::new("config.py")));
    assert_eq!(lap[Path::new("session.rs")], b"fn new() {}\n");
}
