//! What is kept of uncommitted changes, and for how long: histories that are sent once, undo records that
//! expire, and objects that stay while somebody needs them.

use super::code::{Pair, files, git, noise};
use super::talk::{ONE, TWO, linked};
use session_roam_core::api::{CodeState, Done, Request};
use session_roam_core::session::ProblemCode;
use std::fs;
use std::path::{Path, PathBuf};

const DAY: i64 = 24 * 3600 * 1000;

/// Without a remote, only what the other device recorded itself tells what it has.
#[test]
fn a_repository_without_a_remote_sends_its_history_until_the_other_device_says_that_it_has_it() {
    let mut pair = Pair::with_remote(false);
    fs::write(pair.desk.join("large"), noise(400_000)).expect("written");
    git(&pair.desk, &["add", "large"]);
    git(&pair.desk, &["commit", "--quiet", "-m", "Large"]);
    let from = pair.desk.to_string_lossy().into_owned();
    git(&pair.lap, &["pull", "--quiet", "--ff-only", &from, "main"]);
    let first = git(&pair.desk, &["rev-list", "--max-parents=0", "HEAD"]);
    for at in [0, 1] {
        let project = Some(format!("root:{}", first.trim()));
        let _: Done = pair
            .device(at)
            .ask(Request::CodeSwitch { project, on: true });
    }
    pair.desk_changes();
    let whole = pair.bytes(0);
    assert!(400_000 < whole, "{whole}: the laptop recorded nothing yet");
    fs::write(pair.desk.join("session.rs"), "fn newest() {}\n").expect("written");
    pair.say(0, "c", "a little more");
    pair.rest();
    let second = pair.bytes(0) - whole;
    assert!(0 < second && second < whole / 40, "{second}");
    // The laptop says what it has, and knows what the desk has.
    pair.say(1, "d", "on the laptop");
    pair.rest();
    let laptop = pair.bytes(1);
    assert!(0 < laptop && laptop < whole / 40, "{laptop}");
    let before = pair.bytes(0);
    let (desk, line) = (
        pair.desk.clone(),
        linked(&pair.desk, TWO, "", "z", "another session"),
    );
    let place = pair.device(0).transcript(&desk, TWO);
    pair.device(0).say(&place, line);
    pair.rest();
    let another = pair.bytes(0) - before;
    assert!(0 < another && another < whole / 40, "{another}");
    let offer = pair.offer_of(1, TWO);
    assert_eq!(offer.state, CodeState::InPlace, "{}", offer.why);
    pair.apply_of(1, TWO);
    assert_eq!(
        files(&pair.lap)[Path::new("session.rs")],
        b"fn newest() {}\n"
    );
}

/// The numbers of the undo records in the laptop's checkout.
fn records(pair: &Pair) -> Vec<String> {
    let entries = fs::read_dir(pair.lap.join(".git/session-roam/undo"));
    let names = entries.into_iter().flatten().flatten();
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn later(pair: &mut Pair, days: i64) {
    for device in &mut pair.world.devices {
        device.set_clock(device.clock_now() + days * DAY);
    }
    pair.rest();
}

/// Another state of the desk, applied on the laptop.
fn next_state(pair: &mut Pair, name: &str) {
    fs::write(pair.desk.join("session.rs"), format!("fn {name}() {{}}\n")).expect("written");
    pair.say(0, name, "more");
    pair.rest();
    pair.apply(1);
    pair.device(1).settle();
}

#[test]
fn undo_records_expire_but_never_the_last_one() {
    let mut pair = Pair::new();
    pair.desk_changes();
    pair.apply(1);
    next_state(&mut pair, "c");
    later(&mut pair, 29);
    next_state(&mut pair, "d");
    assert_eq!(records(&pair), ["1", "2", "3"]);
    let before_last = files(&pair.lap);
    later(&mut pair, 2);
    next_state(&mut pair, "e");
    assert_eq!(records(&pair), ["3", "4"], "the first two are a month old");
    // However long it takes, what was applied last can be taken back.
    later(&mut pair, 400);
    pair.device(1).start();
    pair.device(1).settle();
    assert_eq!(records(&pair), ["4"]);
    let done: Done = pair.device(1).ask(Request::Undo { session: None });
    assert!(
        done.message.contains("can no longer be undone"),
        "{}",
        done.message
    );
    assert_eq!(files(&pair.lap), before_last);
    let again = pair.device(1).try_ask(Request::Undo { session: None });
    assert_eq!(again.expect_err("nothing").code, ProblemCode::NothingToUndo);
    assert!(!pair.lap.join(".git/session-roam").exists());
}

/// Nobody offers to take back what was applied for a session that was forgotten.
#[test]
fn the_records_of_a_forgotten_session_go_after_some_time() {
    let mut pair = Pair::new();
    pair.desk_changes();
    pair.apply(1);
    let session = ONE.to_owned();
    let _: serde_json::Value = pair.device(0).ask(Request::Forget { session });
    for _ in 0..4 {
        pair.rest();
    }
    pair.device(1).start();
    pair.device(1).settle();
    assert_eq!(
        records(&pair),
        ["1"],
        "its files of before are kept for a while"
    );
    let record = fs::File::open(pair.lap.join(".git/session-roam/undo/1")).expect("opens");
    let made = record.metadata().and_then(|it| it.modified());
    let then = made.expect("a time") - std::time::Duration::from_secs(31 * 24 * 3600);
    record.set_modified(then).expect("sets");
    pair.device(1).start();
    pair.device(1).settle();
    assert_eq!(records(&pair), [""; 0]);
    assert!(!pair.lap.join(".git/session-roam").exists());
}

/// The store of the session on the laptop.
fn store(pair: &mut Pair) -> PathBuf {
    let dir = pair.device(1).roam.join("code/claude-code");
    let entry = fs::read_dir(dir).expect("a directory").flatten().next();
    entry.expect("a store").path()
}

#[test]
fn objects_stay_while_something_is_taken_back_and_go_afterwards() {
    let mut pair = Pair::new();
    pair.desk_changes();
    pair.apply(1);
    let store = store(&mut pair);
    let notes = ["applying.json", "undoing.json"];
    for note in notes {
        fs::write(store.join(note), "{}").expect("writes");
        for at in [0, 1] {
            let _: Done = pair.device(at).ask(Request::CodeForget { project: None });
            pair.rest();
            assert!(store.join("objects").exists(), "{note}, device {at}");
        }
        fs::remove_file(store.join(note)).expect("removes");
    }
    let _: Done = pair.device(1).ask(Request::CodeForget { project: None });
    assert!(!store.exists());
    pair.undo(1);
}
