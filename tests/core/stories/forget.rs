//! Forgotten sessions: gone on every device that received the forget, never back, and nothing else
//! is removed with them.

use super::bases::begun_from;
use super::simulation::clients::Window;
use super::simulation::happening::Kind;
use super::splits::Parted;
use super::talk::{ONE, TWO, id, turn};
use super::world::{DAY, Device, World, tree};
use session_roam_core::api::{
    Doctor, Done, ForgetPreview, ForgottenRow, Request, SessionRow, TakenIn,
};
use session_roam_core::engine::event::Event;
use session_roam_core::session::{Millis, SessionId, SessionKey, ToolId};
use session_roam_core::tools::claude_code::ClaudeCode;
use session_roam_core::tools::{
    About, Change, Checkout, Found, Launch, Listing, Machine, Reading, Resumable, Root, Tool,
    Touched, Which, WriteError, Written,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const PLUM: &str = "plum-tree";

fn key(session: &str) -> SessionKey {
    SessionKey::new(&ToolId::new("claude-code"), &SessionId::new(session))
}

fn forget(device: &mut Device, session: &str) -> Vec<ForgottenRow> {
    device.ask(Request::Forget {
        session: session.into(),
    })
}

fn forgotten(device: &mut Device) -> Vec<ForgottenRow> {
    device.ask(Request::Forgotten)
}

/// The grace period ends.
pub fn pass_grace(device: &mut Device) {
    let now = device.clock_now();
    device.set_clock(now + 11 * 60_000);
    device.poll();
}

/// By device: what it did about the only forgotten session, as `device` knows.
fn receipts(device: &mut Device) -> Vec<(String, String)> {
    let rows = forgotten(device);
    let [row] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    row.receipts
        .iter()
        .map(|receipt| (receipt.device.clone(), receipt.state.to_string()))
        .collect()
}

fn pairs<const N: usize>(receipts: [(&str, &str); N]) -> Vec<(String, String)> {
    receipts
        .iter()
        .map(|(device, state)| ((*device).into(), (*state).into()))
        .collect()
}

/// Every file below a device's home and its tools' stores that holds the word, unpacked if it is a
/// segment.
pub fn holding(device: &Device, word: &str) -> Vec<PathBuf> {
    let mut files = tree(&device.roam);
    files.extend(device.stores());
    let holds = |bytes: &[u8]| {
        bytes
            .windows(word.len())
            .any(|window| window == word.as_bytes())
    };
    let unpacked = |bytes: &[u8]| zstd::decode_all(bytes).is_ok_and(|bytes| holds(&bytes));
    files
        .into_iter()
        .filter(|(_, bytes)| holds(bytes) || unpacked(bytes))
        .map(|(path, _)| path)
        .collect()
}

fn assert_gone(device: &mut Device, session: &str) {
    assert_eq!(
        device.state_of(session),
        "none",
        "not in the list of {}",
        device.name
    );
    assert!(
        !device.vault().holds(&key(session)),
        "not in the vault of {}",
        device.name
    );
    assert_eq!(
        device.place_of(session),
        None,
        "not in the store of {}",
        device.name
    );
    assert_eq!(
        holding(device, PLUM),
        Vec::<PathBuf>::new(),
        "nowhere on {}",
        device.name
    );
}

#[test]
fn a_forgotten_session_is_gone_on_both_devices_and_never_returns() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let other = world.devices[0].transcript(&here, TWO);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.devices[0].say(&other, turn(&here, TWO, "stays"));
    world.deliver();
    let over_there = world.devices[1].transcript(&there, ONE);
    world.devices[1].say(&over_there, turn(&there, ONE, "plum-tree too"));
    world.deliver();
    assert!(
        !holding(&world.devices[0], PLUM).is_empty()
            && !holding(&world.devices[1], PLUM).is_empty()
    );

    let preview: ForgetPreview = world.devices[0].ask(Request::ForgetPreview {
        session: ONE.into(),
    });
    assert_eq!(
        (preview.sessions.len(), preview.devices, preview.minutes),
        (1, vec!["desk".into(), "lap".into()], 10)
    );
    let rows = forget(&mut world.devices[0], ONE);
    assert!(rows[0].undo_until.is_some());
    assert_eq!(
        world.devices[0].state_of(ONE),
        "none",
        "it leaves the lists at once"
    );
    pass_grace(&mut world.devices[0]);
    assert_gone(&mut world.devices[0], ONE);
    assert_eq!(
        receipts(&mut world.devices[0]),
        pairs([("desk", "removed"), ("lap", "waiting")])
    );
    world.deliver();
    assert_gone(&mut world.devices[1], ONE);
    assert_eq!(
        receipts(&mut world.devices[0]),
        pairs([("desk", "removed"), ("lap", "removed")])
    );
    assert_eq!(
        receipts(&mut world.devices[1]),
        pairs([("lap", "removed"), ("desk", "removed")])
    );

    for _ in 0..2 {
        for device in &mut world.devices {
            device.start();
            device.set_clock(device.clock_now() + DAY);
            device.poll();
        }
        world.deliver();
        for device in &mut world.devices {
            assert_gone(device, ONE);
            assert_eq!(device.state_of(TWO), "here");
            assert_eq!(device.problems(), Vec::<String>::new(), "{}", device.name);
        }
    }
}

/// What is left in the store of the session: a second file of its id, in another project's directory;
/// copies that another sync tool left; and such copies that were taken in.
#[test]
fn copies_of_a_forgotten_session_are_gone_too() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    let agent = world.devices[0]
        .slug_dir(&here)
        .join("agent-a1b2c3d4.jsonl");
    let copies = [
        path.with_file_name(format!("{ONE}.sync-conflict-20261123-101112-ABCDEFG.jsonl")),
        agent.with_file_name("agent-a1b2c3d4.sync-conflict-20261123-101112-ABCDEFG.jsonl"),
    ];
    for copy in &copies {
        world.devices[0].put(
            copy,
            turn(&here, ONE, PLUM) + &turn(&here, ONE, "plum-tree more"),
        );
    }
    let other = world.devices[0].transcript(&here, TWO);
    world.devices[0].say(&other, turn(&here, TWO, "stays"));
    world.deliver();
    let taken: TakenIn = world.devices[0].ask(Request::TakeIn);
    assert!(!taken.taken.is_empty(), "{taken:?}");
    world.devices[0].put(&copies[0], turn(&here, ONE, "plum-tree again"));
    let twin = world.devices[1]
        .claude()
        .join("projects/-elsewhere")
        .join(format!("{ONE}.jsonl"));
    world.devices[1].put(&twin, turn(&there, ONE, "plum-tree by hand"));
    world.devices[1].poll();
    world.deliver();
    assert!(2 < holding(&world.devices[0], PLUM).len());

    forget(&mut world.devices[0], ONE);
    pass_grace(&mut world.devices[0]);
    world.deliver();
    assert_eq!(
        receipts(&mut world.devices[0]),
        pairs([("desk", "removed"), ("lap", "removed")])
    );
    for device in &mut world.devices {
        assert_gone(device, ONE);
        assert_eq!(device.state_of(TWO), "here");
    }
}

/// A clock that was years ahead is set right: the time to undo a forget counts from then.
#[test]
fn a_clock_set_back_does_not_put_off_for_years_what_is_to_be_forgotten() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.deliver();
    forget(&mut world.devices[0], ONE);
    let now = world.devices[0].clock_now();
    world.devices[0].set_clock(now - 365 * DAY);
    world.devices[0].poll();
    assert!(
        world.devices[0].vault().holds(&key(ONE)),
        "it can still be taken back"
    );
    pass_grace(&mut world.devices[0]);
    world.deliver();
    world
        .devices
        .iter_mut()
        .for_each(|device| assert_gone(device, ONE));
}

/// A clock that was years behind is set right: the time to undo a forget goes on.
#[test]
fn a_clock_set_forward_does_not_end_the_time_to_undo_a_forget() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.deliver();
    for restarts in [false, true] {
        forget(&mut world.devices[0], ONE);
        let now = world.devices[0].clock_now();
        world.devices[0].correct_clock(now + 365 * DAY);
        if restarts {
            world.devices[0].start();
        }
        world.devices[0].poll();
        let until = forgotten(&mut world.devices[0])[0].undo_until.clone();
        let due = Millis(now + 365 * DAY + 10 * 60_000).rfc3339();
        assert_eq!(until, Some(due), "restarts: {restarts}");
        let _: Done = world.devices[0].ask(Request::Undo { session: None });
        world.devices[0].settle();
        assert_eq!(world.devices[0].state_of(ONE), "here");
    }
    forget(&mut world.devices[0], ONE);
    pass_grace(&mut world.devices[0]);
    assert_gone(&mut world.devices[0], ONE);
}

/// What the user asked for is in a file that cannot be read: the next request does not overwrite it.
#[test]
fn requests_to_forget_that_cannot_be_read_are_kept_and_reported() {
    let (mut world, here, _) = World::pair_of_devices();
    for session in [ONE, TWO] {
        let path = world.devices[0].transcript(&here, session);
        world.devices[0].say(&path, turn(&here, session, PLUM));
    }
    let device = &mut world.devices[0];
    forget(device, ONE);
    device.stop();
    let file = device.roam.join("forgetting.json");
    let damaged = fs::read_to_string(&file).expect("there")[1..].to_owned();
    fs::write(&file, &damaged).expect("write");
    device.start();
    assert_eq!(device.state_of(ONE), "here", "it is shown again");
    forget(device, TWO);
    device.poll();
    assert!(device.has_problem("forgetting_unwritable"));
    let aside = device.roam.join("forgetting.json.broken");
    assert_eq!(fs::read_to_string(&aside).expect("kept"), damaged);
    assert_eq!(device.state_of(TWO), "none");
    // No file that can be read at all: nothing is asked before it can.
    device.stop();
    let readable = device.roam.join("forgetting.json.readable");
    fs::rename(&file, &readable).expect("rename");
    fs::create_dir(&file).expect("in its place");
    device.start();
    let refused = device.try_ask(Request::Forget {
        session: ONE.into(),
    });
    assert_eq!(
        refused.expect_err("refused").code.as_str(),
        "forgetting_unwritable"
    );
    fs::remove_dir(&file).expect("remove");
    fs::rename(&readable, &file).expect("rename");
    device.poll();
    assert_eq!(device.state_of(TWO), "none", "it is read");
    forget(device, ONE);
    assert_eq!(forgotten(device).len(), 2);
}

#[test]
fn a_forget_is_taken_back_as_long_as_nobody_was_told() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.deliver();
    forget(&mut world.devices[0], ONE);
    world.devices[0].start();
    world.deliver();
    assert_eq!(
        (
            world.devices[0].state_of(ONE),
            world.devices[1].state_of(ONE)
        ),
        ("none".into(), "here".into())
    );
    // Written while the session was hidden.
    world.devices[0].say(&path, turn(&here, ONE, "more"));
    let _: Done = world.devices[0].ask(Request::Undo { session: None });
    world.devices[0].settle();
    assert_eq!(world.devices[0].state_of(ONE), "here");
    assert_eq!(forgotten(&mut world.devices[0]), []);
    world.devices[0].set_clock(world.devices[0].clock_now() + DAY);
    world.devices[0].poll();
    world.deliver();
    let text = |device: &Device| device.docs(ONE).into_values().next().expect("a transcript");
    assert_eq!(text(&world.devices[0]), text(&world.devices[1]));
}

#[test]
fn a_device_that_was_away_for_a_year_removes_what_it_has_and_what_it_added() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.deliver();
    world.part(0, 1);
    forget(&mut world.devices[0], ONE);
    pass_grace(&mut world.devices[0]);
    let over_there = world.devices[1].transcript(&there, ONE);
    world.devices[1].say(&over_there, turn(&there, ONE, "plum-tree, later"));
    for device in &mut world.devices {
        device.set_clock(device.clock_now() + 365 * DAY);
        device.start();
    }
    assert_eq!(
        receipts(&mut world.devices[0]),
        pairs([("desk", "removed"), ("lap", "waiting")])
    );
    world.meet(0, 1);
    for device in &mut world.devices {
        device.poll();
    }
    world.deliver();
    for device in &mut world.devices {
        assert_gone(device, ONE);
        assert_eq!(device.problems(), Vec::<String>::new(), "{}", device.name);
    }
    assert_eq!(
        receipts(&mut world.devices[0]),
        pairs([("desk", "removed"), ("lap", "removed")])
    );
}

#[test]
fn a_third_device_that_only_the_second_one_meets_forgets_it_too() {
    let mut world = World::devices(["desk", "lap", "box"]);
    for (one, other) in [(0, 1), (1, 2), (0, 2)] {
        world.pair(one, other);
    }
    let places: Vec<PathBuf> = (0..3)
        .map(|at| world.devices[at].project("api", "git@github.com:acme/api.git"))
        .collect();
    let path = world.devices[0].transcript(&places[0], ONE);
    world.devices[0].say(&path, turn(&places[0], ONE, PLUM));
    world.deliver();
    let on_box = world.devices[2].transcript(&places[2], ONE);
    world.devices[2].say(&on_box, turn(&places[2], ONE, "plum-tree on box"));
    world.deliver();
    world.part(0, 2);
    world.part(1, 2);
    forget(&mut world.devices[0], ONE);
    pass_grace(&mut world.devices[0]);
    world.deliver();
    world.part(0, 1);
    world.meet(1, 2);
    for at in 0..3 {
        world.devices[at].poll();
        world.deliver();
        assert_gone(&mut world.devices[at], ONE);
    }
    world.meet(0, 1);
    let all = pairs([("desk", "removed"), ("lap", "removed"), ("box", "removed")]);
    let mut told = receipts(&mut world.devices[0]);
    told.sort();
    let mut all = all;
    all.sort();
    assert_eq!(told, all);
}

#[test]
fn versions_go_with_their_session_and_none_goes_without_it() {
    let mut parted = Parted::claude();
    parted.say(1, ONE, PLUM);
    let mut parted = parted.met();
    let fork = parted.fork();
    let world = &mut parted.world;
    let refused = world.devices[0]
        .try_ask(Request::Forget {
            session: fork.clone(),
        })
        .expect_err("a version");
    assert_eq!(refused.code.as_str(), "is_version");
    let preview: ForgetPreview = world.devices[0].ask(Request::ForgetPreview {
        session: ONE.into(),
    });
    assert_eq!(preview.sessions.len(), 2);
    forget(&mut world.devices[0], ONE);
    assert_eq!(world.devices[0].sessions().len(), 0);
    pass_grace(&mut world.devices[0]);
    world.deliver();
    for device in &mut world.devices {
        device.poll();
        assert_gone(device, ONE);
        assert_gone(device, &fork);
    }
    world.deliver();
    assert_eq!(forgotten(&mut world.devices[1]).len(), 2);
}

#[test]
fn a_version_that_nobody_knew_of_goes_too() {
    let mut parted = Parted::claude();
    parted.say(1, ONE, PLUM);
    // Desk forgets before it receives the other branch; lap makes a session of the branch before it
    // receives the forget.
    forget(&mut parted.world.devices[0], ONE);
    pass_grace(&mut parted.world.devices[0]);
    let to_lap = |paths: &str| !paths.starts_with("session-roam");
    parted.world.reach.insert((0, 1));
    let notices = parted
        .world
        .ledger
        .carry(&parted.world.devices, 0, 1, to_lap);
    notices
        .into_iter()
        .for_each(|notice| parted.world.devices[1].notice(notice));
    parted.world.deliver();
    for device in &mut parted.world.devices {
        device.poll();
    }
    parted.world.deliver();
    for device in &mut parted.world.devices {
        assert_gone(device, ONE);
        assert_eq!(device.sessions().len(), 0, "{}", device.name);
    }
}

#[test]
fn an_open_session_stays_in_its_store_until_it_is_closed() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.deliver();
    let window = Window::open(Kind::Claude, 1, &world.devices[1].home, ONE);
    let opened = world.devices[1].docs(ONE);
    forget(&mut world.devices[0], ONE);
    pass_grace(&mut world.devices[0]);
    world.deliver();
    world.devices[1].poll();
    world.deliver();
    assert_eq!(
        world.devices[1].docs(ONE),
        opened,
        "not touched while it is open"
    );
    assert!(
        !world.devices[1].vault().holds(&key(ONE)),
        "and nowhere else any more"
    );
    assert_eq!(
        receipts(&mut world.devices[0]),
        pairs([("desk", "removed"), ("lap", "in_store")])
    );
    window.close(false);
    world.devices[1].poll();
    world.deliver();
    assert_gone(&mut world.devices[1], ONE);
    assert_eq!(
        receipts(&mut world.devices[0]),
        pairs([("desk", "removed"), ("lap", "removed")])
    );
}

#[test]
fn a_tool_that_lets_nobody_remove_a_session_keeps_it_and_the_receipt_says_so() {
    let (mut world, here, _) = World::pair_of_devices();
    world.devices[1]
        .more_tools
        .push(Arc::new(Stubborn(ClaudeCode::default())));
    world.devices[1].start();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.deliver();
    forget(&mut world.devices[0], ONE);
    pass_grace(&mut world.devices[0]);
    world.deliver();
    let rows = forgotten(&mut world.devices[0]);
    let lap = &rows[0].receipts[1];
    assert_eq!(lap.state.as_str(), "in_store");
    assert!(
        lap.why
            .as_ref()
            .is_some_and(|why| why.contains("delete it there")),
        "{lap:?}"
    );
    assert!(world.devices[1].place_of(ONE).is_some());
    let doctor: Doctor = world.devices[1].ask(Request::Doctor);
    assert!(
        doctor
            .checks
            .iter()
            .any(|check| check.name == "forgotten sessions"),
        "{:?}",
        doctor.checks
    );
    // The user deletes the session there.
    fs::remove_file(world.devices[1].place_of(ONE).expect("there")).expect("delete");
    world.devices[1].start();
    world.deliver();
    assert_gone(&mut world.devices[1], ONE);
    assert_eq!(receipts(&mut world.devices[0])[1].1, "removed");
}

#[test]
fn a_session_put_back_into_the_store_is_left_there_and_not_recorded() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.deliver();
    forget(&mut world.devices[0], ONE);
    pass_grace(&mut world.devices[0]);
    world.deliver();
    let backup = world.devices[1].transcript(&there, ONE);
    world.devices[1].say(&backup, turn(&there, ONE, PLUM));
    for lost in [false, true] {
        if lost {
            lose_state(&mut world.devices[1]);
        }
        world.devices[1].start();
        world.devices[1].poll();
        world.deliver();
        assert!(backup.exists(), "nothing deletes what the user put there");
        assert_eq!(world.devices[1].state_of(ONE), "none");
        assert!(!world.devices[1].vault().holds(&key(ONE)));
        assert_gone(&mut world.devices[0], ONE);
        let doctor: Doctor = world.devices[1].ask(Request::Doctor);
        assert!(
            doctor
                .checks
                .iter()
                .any(|check| check.name == "forgotten sessions")
        );
    }
}

#[test]
fn many_sessions_that_another_device_forgets_are_held_until_the_user_says_so() {
    let (mut world, here, _) = World::pair_of_devices();
    for number in 0..11 {
        let path = world.devices[0].transcript(&here, &id(number));
        world.devices[0].say(&path, turn(&here, &id(number), PLUM));
    }
    world.deliver();
    for number in 0..11 {
        forget(&mut world.devices[0], &id(number));
    }
    pass_grace(&mut world.devices[0]);
    world.deliver();
    assert_eq!(world.devices[0].sessions().len(), 0);
    for _ in 0..2 {
        assert_eq!(
            world.devices[1].sessions().len(),
            11,
            "none of them was removed"
        );
        assert_eq!(
            world.devices[1].status().held[0].code.as_str(),
            "mass_forget"
        );
        assert!(forgotten(&mut world.devices[1]).iter().all(|row| row.held));
        lose_state(&mut world.devices[1]);
        world.devices[1].start();
        world.deliver();
    }
    let what = || "forgotten".to_owned();
    let rows: Vec<SessionRow> = world.devices[1].ask(Request::Vanished { what: what() });
    assert_eq!(rows.len(), 11, "what would be removed has its names");
    let done: Done = world.devices[1].ask(Request::Release { what: what() });
    assert_eq!(done.message, "11 sessions are removed from this device.");
    world.devices[1].settle();
    world.deliver();
    assert_eq!(world.devices[1].status().held, []);
    let rows: Vec<SessionRow> = world.devices[1].ask(Request::Vanished { what: what() });
    assert_eq!(rows, []);
    for number in 0..11 {
        assert_gone(&mut world.devices[1], &id(number));
    }
    assert!(
        forgotten(&mut world.devices[0])
            .iter()
            .all(|row| row.receipts.iter().all(|it| it.state.as_str() == "removed"))
    );
}

/// How often the state's file was rewritten whole, from any beginning.
fn rewrites(device: &Device) -> i64 {
    let state = rusqlite::Connection::open(device.roam.join("state.sqlite")).expect("open");
    let counted = state.query_row("PRAGMA schema_version", [], |row| row.get(0));
    counted.expect("a number")
}

#[test]
fn twenty_sessions_that_go_together_have_the_state_rewritten_once() {
    let (mut world, here, _) = World::pair_of_devices();
    for number in 0..20 {
        let path = world.devices[0].transcript(&here, &id(number));
        world.devices[0].say(&path, turn(&here, &id(number), PLUM));
    }
    for number in 0..20 {
        forget(&mut world.devices[0], &id(number));
    }
    let before = rewrites(&world.devices[0]);
    pass_grace(&mut world.devices[0]);
    world.deliver();
    world.devices[0].poll();
    assert_eq!(rewrites(&world.devices[0]) - before, 1);
    for number in 0..20 {
        assert_gone(&mut world.devices[0], &id(number));
    }
}

#[test]
fn a_session_that_another_one_needs_is_not_forgotten_without_it() {
    let mut parted = Parted::codex();
    parted.world.meet(0, 1);
    let child = "55555555-5555-4555-8555-555555555555";
    parted.world.part(0, 1);
    begun_from(&mut parted, 1, child);
    let refused = parted.world.devices[1]
        .try_ask(Request::Forget {
            session: TWO.into(),
        })
        .expect_err("needed");
    assert_eq!(refused.code.as_str(), "needed");
    // Desk does not know the child; lap asks its user.
    forget(&mut parted.world.devices[0], TWO);
    pass_grace(&mut parted.world.devices[0]);
    parted.world.meet(0, 1);
    let held = parted.world.devices[1].status().held;
    assert_eq!(
        held.iter()
            .map(|held| held.code.as_str())
            .collect::<Vec<_>>(),
        ["needed"]
    );
    assert!(
        parted.world.devices[1].place_of(TWO).is_some()
            && parted.world.devices[1].place_of(child).is_some()
    );
    forget(&mut parted.world.devices[1], child);
    pass_grace(&mut parted.world.devices[1]);
    parted.world.deliver();
    for device in &mut parted.world.devices {
        device.poll();
        assert_eq!(
            (device.state_of(TWO), device.state_of(child)),
            ("none".into(), "none".into()),
            "{}",
            device.name
        );
    }
}

#[test]
fn a_session_that_another_one_needs_is_forgotten_once_the_user_accepts_that() {
    let mut parted = Parted::codex();
    parted.world.meet(0, 1);
    parted.world.part(0, 1);
    begun_from(&mut parted, 1, "55555555-5555-4555-8555-555555555555");
    forget(&mut parted.world.devices[0], TWO);
    pass_grace(&mut parted.world.devices[0]);
    parted.world.meet(0, 1);
    let done: Done = parted.world.devices[1].ask(Request::Release {
        what: "forgotten".into(),
    });
    assert_eq!(done.message, "1 session is removed from this device.");
}

#[test]
fn dying_at_any_step_ends_in_the_same_and_alarms_nobody() {
    for steps in 0..6 {
        let (mut world, here, there) = World::pair_of_devices();
        let path = world.devices[0].transcript(&here, ONE);
        world.devices[0].say(&path, turn(&here, ONE, PLUM));
        world.deliver();
        let over_there = world.devices[1].transcript(&there, ONE);
        world.devices[1].say(&over_there, turn(&there, ONE, "plum-tree too"));
        world.deliver();
        forget(&mut world.devices[0], ONE);
        if steps == 1 {
            world.devices[0].start();
        }
        let now = world.devices[0].clock_now();
        world.devices[0].set_clock(now + 11 * 60_000);
        world.devices[0].tell(Event::Poll);
        match steps {
            // Stated, but nothing is removed.
            2 => world.devices[0].stop(),
            // Removed, but the loop never gets the result.
            3 => world.devices[0].look_and_die(),
            // Half removed.
            4 | 5 => {
                let own = world.devices[0].short();
                let (vault, half) = (
                    world.devices[0].vault(),
                    if steps == 4 { "kept" } else { "vault" },
                );
                world.devices[0].stop();
                drop(fs::remove_dir_all(
                    world.devices[0]
                        .roam
                        .join(half)
                        .join(&own)
                        .join("live/claude-code"),
                ));
                assert!(vault.holds(&key(ONE)));
            }
            _ => {}
        }
        if steps == 5 {
            lose_state(&mut world.devices[0]);
        }
        world.devices[0].start();
        world.devices[0].poll();
        world.deliver();
        for device in &mut world.devices {
            assert_gone(device, ONE);
            // The tool's whole directory was removed from outside: this is reported.
            let expected: &[&str] = if steps == 5 && device.name == "desk" {
                &["vault_restored"]
            } else {
                &[]
            };
            assert_eq!(device.problems(), expected, "{} after {steps}", device.name);
        }
        assert_eq!(
            receipts(&mut world.devices[1]),
            pairs([("lap", "removed"), ("desk", "removed")]),
            "after {steps}"
        );
    }
}

#[test]
fn a_lost_state_brings_nothing_back_and_lets_nothing_pass() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.deliver();
    forget(&mut world.devices[0], ONE);
    // The request to forget is not part of the state.
    lose_state(&mut world.devices[0]);
    world.devices[0].start();
    assert_eq!(world.devices[0].state_of(ONE), "none");
    pass_grace(&mut world.devices[0]);
    world.deliver();
    for at in 0..2 {
        lose_state(&mut world.devices[at]);
        world.devices[at].start();
        world.deliver();
        assert_gone(&mut world.devices[at], ONE);
    }
}

#[test]
fn a_device_that_is_not_paired_any_more_is_named_as_one_that_cannot_be_told() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.deliver();
    let _: Done = world.devices[0].ask(Request::Unpair { id: "lap".into() });
    world.deliver();
    let preview: ForgetPreview = world.devices[0].ask(Request::ForgetPreview {
        session: ONE.into(),
    });
    assert_eq!(
        (preview.devices, preview.cannot_be_told),
        (vec!["desk".into()], vec!["lap".into()])
    );
    forget(&mut world.devices[0], ONE);
    pass_grace(&mut world.devices[0]);
    world.deliver();
    assert_eq!(
        receipts(&mut world.devices[0]),
        pairs([("desk", "removed"), ("lap", "cannot_be_told")])
    );
    assert_eq!(
        world.devices[1].state_of(ONE),
        "here",
        "it is no device of this user's any more"
    );
}

fn lose_state(device: &mut Device) {
    device.stop();
    for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
        drop(fs::remove_file(device.roam.join(name)));
    }
}

/// How often a whole store is listed for its conflict copies when so many sessions are forgotten.
fn listings_for_copies(sessions: usize) -> usize {
    let (mut world, here, _) = World::pair_of_devices();
    let tool = Counting::default();
    let counted = tool.n_copies.clone();
    world.devices[0].more_tools.push(Arc::new(tool));
    world.devices[0].start();
    for number in 0..sessions {
        let path = world.devices[0].transcript(&here, &id(number));
        world.devices[0].say(&path, turn(&here, &id(number), PLUM));
    }
    for number in 0..sessions {
        forget(&mut world.devices[0], &id(number));
    }
    let before = counted.load(Ordering::Relaxed);
    pass_grace(&mut world.devices[0]);
    for number in 0..sessions {
        assert_eq!(world.devices[0].place_of(&id(number)), None);
    }
    counted.load(Ordering::Relaxed) - before
}

#[test]
fn sessions_that_go_together_have_the_store_listed_once() {
    let (one, several) = (listings_for_copies(1), listings_for_copies(6));
    assert_eq!((one, several), (1, 1));
}

/// Counts the listings of conflict copies.
#[derive(Default)]
struct Counting {
    tool: ClaudeCode,
    n_copies: Arc<AtomicUsize>,
}

impl Tool for Counting {
    fn about(&self) -> About {
        self.tool.about()
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        self.tool.roots(machine)
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        self.tool.touched(machine, path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let is_of_copies = matches!(which, Which::ConflictCopies);
        self.n_copies
            .fetch_add(usize::from(is_of_copies), Ordering::Relaxed);
        self.tool.sessions(machine, which)
    }

    fn read(&self, machine: &Machine, found: &Found) -> std::io::Result<Reading> {
        self.tool.read(machine, found)
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        self.tool.write(machine, checkout)
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        self.tool.resume(machine, session)
    }
}

/// A tool that alone can remove a session from its store.
struct Stubborn(ClaudeCode);

impl Tool for Stubborn {
    fn about(&self) -> About {
        self.0.about()
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        self.0.roots(machine)
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        self.0.touched(machine, path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        self.0.sessions(machine, which)
    }

    fn read(&self, machine: &Machine, found: &Found) -> std::io::Result<Reading> {
        self.0.read(machine, found)
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        if checkout
            .docs
            .iter()
            .any(|doc| matches!(doc.change, Change::Remove { .. }))
        {
            return Err(WriteError::Refused(
                "Only the tool removes a session".into(),
            ));
        }
        self.0.write(machine, checkout)
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        self.0.resume(machine, session)
    }
}
