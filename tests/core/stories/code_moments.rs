//! Which code belongs to which moment of a session: of each message, of the last one, of the moment in which a
//! project is switched on. And the session moves with it.

use super::code::{PROJECT, Pair, git};
use super::talk::{ONE, TWO, linked};
use session_roam_core::api::{CodeApplied, CodeOffer, CodeState, Done, Forked, Request, Resume};
use session_roam_core::session::{ProblemCode, Remedy};
use std::fs;
use std::path::{Path, PathBuf};

fn offer_at(pair: &mut Pair, device: usize, at: u64) -> CodeOffer {
    let session = ONE.to_owned();
    let at = Some(at);
    pair.device(device).ask(Request::CodeOffer { session, at })
}

fn apply_offered(pair: &mut Pair, device: usize, offer: CodeOffer, stay: bool) -> CodeApplied {
    pair.device(device).ask(Request::CodeApply {
        session: ONE.to_owned(),
        snapshot: offer.snapshot,
        stay,
    })
}

fn undo(pair: &mut Pair, device: usize, session: &str) -> Done {
    let session = Some(session.to_owned());
    pair.device(device).ask(Request::Undo { session })
}

#[test]
fn every_message_gets_the_code_of_its_moment() {
    let mut pair = Pair::new();
    let names = ["b", "c", "d", "e", "f"];
    for name in names {
        fs::write(pair.desk.join("session.rs"), format!("// {name}\n")).expect("written");
        pair.say(0, name, "changed");
        pair.rest();
    }
    for (device, turn) in [(0, 1), (1, 1), (1, 3), (0, 4)] {
        // Two messages a turn, of which the first one was before the project was switched on.
        let offer = offer_at(&mut pair, device, 2 * turn + 1);
        assert_ne!(offer.state, CodeState::None, "turn {turn} on {device}");
        let applied = apply_offered(&mut pair, device, offer, true);
        let code = fs::read_to_string(applied.dir.join("session.rs")).expect("reads");
        let wanted = format!("// {}\n", names[turn as usize - 1]);
        assert_eq!(code, wanted, "turn {turn} on {device}");
        undo(&mut pair, device, ONE);
    }
}

#[test]
fn code_of_a_fork_is_taken_back_by_the_new_sessions_id() {
    let mut pair = Pair::new();
    pair.desk_changes();
    fs::write(pair.desk.join("session.rs"), "fn later() {}\n").expect("written");
    pair.say(0, "c", "later");
    pair.rest();
    let offer = offer_at(&mut pair, 0, 3);
    let applied = apply_offered(&mut pair, 0, offer, true);
    assert!(applied.worktree);
    let forked: Forked = pair.device(0).ask(Request::Fork {
        session: ONE.to_owned(),
        at: 3,
        dir: Some(applied.dir.clone()),
    });
    pair.device(0).poll();
    undo(&mut pair, 0, &forked.session);
    assert!(!applied.dir.exists());
    pair.rest();
    let session = forked.session;
    let resume: Resume = pair.device(0).ask(Request::Resume { session });
    assert_eq!(resume.cwd, pair.desk);
}

#[test]
fn switched_on_after_a_turn_the_changes_go_along_without_another_line() {
    let mut pair = Pair::undecided();
    pair.switch(0, false);
    fs::write(pair.desk.join("session.rs"), "fn new() {}\n").expect("written");
    pair.say(0, "b", "changed");
    let project = Some(PROJECT.to_owned());
    let done: Done = pair
        .device(0)
        .ask(Request::CodeSwitch { project, on: true });
    assert!(!done.message.contains("next message"), "{}", done.message);
    pair.rest();
    assert_eq!(pair.recorded(0).len(), 1);
    assert_eq!(pair.offer(1).state, CodeState::InPlace);
    // Where nobody worked for some time, it is said.
    let mut pair = Pair::undecided();
    pair.switch(0, false);
    for _ in 0..4 {
        pair.rest();
    }
    let project = Some(PROJECT.to_owned());
    let done: Done = pair
        .device(0)
        .ask(Request::CodeSwitch { project, on: true });
    assert!(
        done.message.contains("begins with the next message"),
        "{}",
        done.message
    );
    pair.rest();
    assert!(pair.recorded(0).is_empty());
}

#[test]
fn a_project_can_be_switched_on_by_its_url_before_its_first_session() {
    let mut pair = Pair::new();
    let switch = |said: &str| Request::CodeSwitch {
        project: Some(said.to_owned()),
        on: true,
    };
    let done: Done = pair.device(0).ask(switch("git@github.com:acme/other.git"));
    assert!(
        done.message.contains("git:github.com/acme/other"),
        "{}",
        done.message
    );
    let unknown = pair.device(0).try_ask(switch("other"));
    assert_eq!(
        unknown.expect_err("no URL").code,
        ProblemCode::NoSuchProject
    );
}

#[test]
fn a_state_from_before_the_last_messages_says_so() {
    let mut pair = Pair::new();
    pair.desk_changes();
    assert_eq!(pair.offer(1).since, 0);
    // In a rebase nothing is recorded.
    fs::create_dir_all(pair.desk.join(".git/rebase-merge")).expect("a directory");
    pair.say(0, "c", "in a rebase");
    pair.rest();
    let offer = pair.offer(1);
    assert_eq!(
        (offer.state, offer.is_last, offer.since),
        (CodeState::InPlace, true, 2)
    );
}

/// A turn of a second session on the desk.
fn say_in_another(pair: &mut Pair, cwd: &Path) {
    let line = linked(cwd, TWO, "", "two", "in another session");
    let desk = pair.device(0);
    let path = desk.transcript(cwd, TWO);
    desk.say(&path, line);
    pair.rest();
}

fn resumed_in(pair: &mut Pair, device: usize, session: &str) -> PathBuf {
    let session = session.to_owned();
    let resume: Resume = pair.device(device).ask(Request::Resume { session });
    resume.cwd
}

#[test]
fn a_session_in_a_directory_that_comes_with_the_code_continues_in_it() {
    for is_dirty in [false, true] {
        let mut pair = Pair::new();
        let inside = pair.desk.join("tools");
        fs::create_dir(&inside).expect("makes");
        fs::write(inside.join("run.sh"), "#!/bin/sh\n").expect("written");
        say_in_another(&mut pair, &inside);
        assert_eq!(resumed_in(&mut pair, 1, TWO), pair.lap);
        if is_dirty {
            fs::write(pair.lap.join("session.rs"), "fn mine() {}\n").expect("written");
        }
        let applied = pair.apply_of(1, TWO);
        pair.rest();
        assert_eq!(applied.worktree, is_dirty);
        assert!(applied.dir.ends_with("tools"), "{}", applied.dir.display());
        assert_eq!(resumed_in(&mut pair, 1, TWO), applied.dir);
        undo(&mut pair, 1, TWO);
        pair.rest();
        assert_eq!(resumed_in(&mut pair, 1, TWO), pair.lap);
    }
}

#[test]
fn the_session_whose_code_is_to_be_taken_back_first_is_named() {
    let mut pair = Pair::new();
    pair.desk_changes();
    pair.apply(1);
    fs::write(pair.desk.join("session.rs"), "fn later() {}\n").expect("written");
    let desk = pair.desk.clone();
    say_in_another(&mut pair, &desk);
    assert!(!pair.apply_of(1, TWO).worktree);
    let session = Some(ONE.to_owned());
    let refused = pair.device(1).try_ask(Request::Undo { session });
    let refused = refused.expect_err("the other one first");
    assert!(
        refused.message.contains("take that back first"),
        "{}",
        refused.message
    );
    let session = Some(TWO.to_owned());
    assert_eq!(refused.actions, [Remedy::Undo { session }]);
    undo(&mut pair, 1, TWO);
    undo(&mut pair, 1, ONE);
    assert_eq!(git(&pair.lap, &["status", "--porcelain"]), "");
}

#[test]
fn the_move_into_a_worktree_and_back_is_no_step_of_its_own() {
    let mut pair = Pair::new();
    pair.desk_changes();
    fs::write(pair.lap.join("session.rs"), "fn mine() {}\n").expect("written");
    assert!(pair.apply(1).worktree);
    pair.rest();
    undo(&mut pair, 1, ONE);
    pair.rest();
    let session = Some(ONE.to_owned());
    let nothing = pair.device(1).try_ask(Request::Undo { session });
    assert_eq!(
        nothing.expect_err("nothing is left").code,
        ProblemCode::NothingToUndo
    );
}
