//! Mistakes of other products of this kind, each as a test under its number (R…).

use super::journals::{journals, own_frames, recorded_lines};
use super::power::tracks;
use super::talk::{ONE, THREE, TWO, assert_carried, assert_quiet, id, is_held, item, meta, turn};
use super::wire::locked;
use super::world::{DAY, Device, START, World, tree};
use session_roam_core::api::{Devices, Done, EngineState, Request, SessionRow};
use session_roam_core::session::{Lane, Millis, ProblemCode};
use session_roam_core::syncthing::Notice;
use std::collections::BTreeSet;
use std::fs;
#[cfg(unix)]
use std::path::Path;

// ---- R3, R4, R8: one is the beginning of the other ----

#[test]
fn r3_of_two_copies_made_by_hand_before_the_longer_one_is_taken_without_a_word() {
    let mut world = World::asleep(["desk", "lap"]);
    let places = [0, 1].map(|at| world.devices[at].project("api", "git@github.com:acme/api.git"));
    let lines: Vec<String> = (0..5)
        .map(|number| turn(&places[0], ONE, &format!("{number}")))
        .collect();
    for (at, count) in [(0, 5), (1, 3)] {
        let path = world.devices[at].transcript(&places[at], ONE);
        world.devices[at].append(&path, lines[..count].concat().as_bytes());
        let todos = world.devices[at]
            .claude()
            .join(format!("todos/{ONE}-agent-{ONE}.json"));
        world.devices[at].put(&todos, "[]");
    }
    world.devices.iter_mut().for_each(Device::start);
    world.pair(0, 1);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
    assert_eq!(world.devices[1].status().splits, 0);
}

#[test]
fn r4_a_shortened_copy_never_replaces_a_fuller_one_unseen() {
    let (mut world, here, _) = World::pair_of_devices();
    let paths: Vec<_> = (0..8)
        .map(|number| world.devices[0].transcript(&here, &id(number)))
        .collect();
    for (number, path) in paths.iter().enumerate() {
        world.devices[0].say(
            path,
            turn(&here, &id(number), "one") + &turn(&here, &id(number), "two"),
        );
    }
    world.deliver();
    let full = world.devices[1].stores();
    for (number, path) in paths.iter().enumerate() {
        world.devices[0].put(path, turn(&here, &id(number), "one"));
    }
    world.deliver();
    assert_eq!(world.devices[1].stores(), full);
    assert!(
        world.devices[1]
            .status()
            .held
            .iter()
            .any(|held| held.code.as_str() == "mass_change")
    );
    let rows: Vec<SessionRow> = world.devices[1].ask(Request::Vanished {
        what: "rewritten".into(),
    });
    let status = world.devices[1].status();
    let whats = status.held.iter().map(|held| held.what.as_str());
    let rewritten: BTreeSet<&str> = whats
        .filter_map(|what| what.strip_prefix("session:"))
        .collect();
    assert!(!rewritten.is_empty());
    assert_eq!(
        rows.iter()
            .map(|row| row.session.as_str())
            .collect::<BTreeSet<_>>(),
        rewritten,
        "what would be accepted has its names"
    );
    // The fuller one continues: the cut lines are still part of it.
    let there = world.devices[1].place_of(&id(0)).expect("placed");
    world.devices[1].say(&there, turn(&here, &id(0), "three"));
    world.deliver();
    assert!(
        fs::read(&there).expect("doc").starts_with(&full[&there]),
        "nothing is taken away"
    );
}

#[test]
fn r8_one_broken_session_keeps_nothing_else_from_travelling() {
    let (mut world, here, _) = World::pair_of_devices();
    let slug = world.devices[0].slug_dir(&here);
    fs::create_dir_all(slug.join(format!("{TWO}.jsonl")))
        .expect("a directory by a transcript's name");
    let broken = world.devices[0].transcript(&here, THREE);
    world.devices[0].say(&broken, b"\xff\xfe no json\n{\"torn\":");
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.devices[0].poll();
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

#[test]
fn lines_that_were_written_while_others_arrived_are_not_overwritten() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "common"));
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&there, turn(&here, ONE, "from lap"));
    // The engine has not been notified of any of this when the other's version arrives.
    world.devices[0].append(&path, turn(&here, ONE, "from desk").as_bytes());
    let before = fs::read(&path).expect("doc");
    world.deliver();
    assert!(is_held(&mut world.devices[0], ONE, &before));
    for device in &world.devices {
        let recorded = recorded_lines(device, ONE);
        for text in ["common", "from lap", "from desk"] {
            assert!(
                recorded.contains_key(turn(&here, ONE, text).as_bytes()),
                "{text} on {}",
                device.name
            );
        }
    }
}

#[test]
fn what_was_excluded_paused_or_without_a_place_comes_when_it_may() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let here = world.devices[0].project("api", "git@github.com:acme/api.git");
    let key = || "git:github.com/acme/api".to_owned();
    let path = world.devices[0].transcript(&here, ONE);
    let _: Done = world.devices[0].ask(Request::ProjectExclude {
        key: key(),
        excluded: true,
    });
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.devices[0].poll();
    world.deliver();
    assert_eq!(world.devices[1].state_of(ONE), "none");

    let _: Done = world.devices[0].ask(Request::ProjectExclude {
        key: key(),
        excluded: false,
    });
    world.deliver();
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));

    let _: Done = world.devices[1].ask(Request::Pause { until: None });
    let there = world.devices[1].project("elsewhere/api", "git@github.com:acme/api.git");
    let _: Done = world.devices[1].ask(Request::ProjectMap {
        key: key(),
        dir: there.clone(),
    });
    world.devices[0].say(&path, turn(&here, ONE, "two"));
    world.deliver();
    assert_eq!(world.devices[1].stores().len(), 0, "paused is paused");

    world.devices[1].start();
    world.deliver();
    assert_eq!(world.devices[1].stores().len(), 0, "after a new start");

    let _: Done = world.devices[1].ask(Request::Continue);
    world.devices[1].start();
    world.deliver();
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&there, ONE))
    );
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn a_pause_ends_by_itself_at_the_time_that_was_given() {
    let (mut world, here, there) = World::pair_of_devices();
    let until = |at: i64| Request::Pause {
        until: Some(Millis(START + at).rfc3339()),
    };
    let refused = world.devices[1]
        .try_ask(until(-1))
        .map_err(|error| error.code);
    assert_eq!(refused, Err(ProblemCode::BadTime));
    let _: Done = world.devices[1].ask(until(3_600_000));
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.deliver();
    let status = world.devices[1].status();
    assert_eq!(status.engine, EngineState::Paused);
    assert_eq!(
        status.paused_until,
        Some(Millis(START + 3_600_000).rfc3339())
    );
    assert_eq!(world.devices[1].stores().len(), 0, "paused is paused");
    world.devices[1].start();
    world.deliver();
    let status = world.devices[1].status();
    assert_eq!(status.engine, EngineState::Paused, "also after a new start");
    assert_eq!(world.devices[1].stores().len(), 0);

    world.devices[1].set_clock(START + 3_600_000);
    world.devices[1].poll();
    world.deliver();
    let status = world.devices[1].status();
    assert_eq!(
        (status.engine, status.paused_until),
        (EngineState::Running, None)
    );
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&there, ONE))
    );
}

// ---- R5: gone is not deleted ----

#[test]
fn r5_a_session_that_disappears_from_a_store_is_never_a_deletion() {
    let mut world = World::devices(["desk", "lap", "late"]);
    let remote = "git@github.com:acme/api.git";
    let [here, _, _] = [0, 1, 2].map(|at| world.devices[at].project("api", remote));
    world.part(0, 2);
    world.part(1, 2);
    world.pair(0, 1);
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "worth keeping"));
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    let bytes = fs::read(&there).expect("doc");

    // The tool's cleanup removes it on one device, then on the other, while the engines run and
    // while they do not.
    fs::remove_file(&path).expect("sweep");
    world.devices[0].touch(&path);
    world.deliver();
    assert_eq!(fs::read(&there).expect("doc"), bytes, "no sweep spreads");
    world.devices[1].stop();
    fs::remove_file(&there).expect("sweep");
    world.devices[1].start();
    world.deliver();
    for at in [0, 1] {
        assert_eq!(world.devices[at].state_of(ONE), "elsewhere");
        assert_eq!(
            world.devices[at].docs(ONE).len(),
            0,
            "and it does not come back by itself"
        );
        assert!(
            recorded_lines(&world.devices[at], ONE).contains_key(&bytes),
            "the vault has it"
        );
    }
    // A device that comes later gets the session from the vault, and a user who wants it back gets
    // it back, byte for byte.
    world.reach.insert((0, 2));
    world.pair(0, 2);
    assert_eq!(world.devices[2].docs(ONE)["transcript.jsonl"], bytes);
    let _: Done = world.devices[0].ask(Request::Restore {
        session: ONE.into(),
    });
    assert_eq!(fs::read(&path).expect("back"), bytes);
    assert_eq!(
        world.devices[1].docs(ONE).len(),
        0,
        "only where it was asked for"
    );
}

#[test]
fn r5_a_part_of_a_session_that_disappears_stays_elsewhere_and_the_session_goes_on() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let agent = path.with_extension("").join("subagents/agent-1.jsonl");
    world.devices[0].say(&agent, turn(&here, ONE, "agent"));
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.deliver();
    fs::remove_file(&agent).expect("sweep");
    world.devices[0].say(&path, turn(&here, ONE, "two"));
    world.devices[0].poll();
    world.deliver();
    let there = world.devices[1].docs(ONE);
    assert_eq!(
        there["subagents/agent-1.jsonl"],
        turn(&here, ONE, "agent").as_bytes()
    );
    assert!(there["transcript.jsonl"].ends_with(turn(&here, ONE, "two").as_bytes()));
}

// ---- R9: never under the hands of a running tool ----

#[test]
fn r9_a_session_that_is_open_here_waits_and_goes_on_when_it_closes() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    let before = fs::read(&there).expect("doc");

    // This very process has it open, in the form that the tool would show it.
    let sign = world.devices[1]
        .claude()
        .join(format!("sessions/{}.json", std::process::id()));
    let said = format!(
        "{{\"pid\":{},\"sessionId\":\"{ONE}\",\"cwd\":\"/x\"}}",
        std::process::id()
    );
    world.devices[1].put(&sign, said);
    world.deliver();
    let live = world.devices[0].status().live;
    assert_eq!(live.len(), 1, "the other device is told that it is open");
    assert_eq!(
        (
            live[0].session.as_str(),
            live[0].device.as_str(),
            live[0].here
        ),
        (ONE, "lap", false)
    );

    world.devices[0].say(&path, turn(&here, ONE, "two"));
    world.deliver();
    assert_eq!(
        fs::read(&there).expect("doc"),
        before,
        "nothing is written under a running tool"
    );
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("live"));

    fs::remove_file(&sign).expect("closed");
    world.devices[1].touch(&sign);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    world.deliver();
    assert_eq!(world.devices[0].status().live, []);
    assert_quiet(&mut world, ONE);
}

#[test]
fn r9_a_thread_whose_writer_lock_is_held_waits_and_goes_on_when_it_is_free() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].rollout(TWO);
    world.devices[0].say(&path, meta(&here, TWO));
    world.deliver();
    let there = world.devices[1].place_of(TWO).expect("placed");
    let before = fs::read(&there).expect("doc");
    let lock_path = world.devices[1]
        .home
        .join(format!(".codex/thread-writer-locks/{TWO}.lock"));
    fs::create_dir_all(lock_path.parent().expect("parent")).expect("dir");
    let lock = fs::File::create(&lock_path).expect("lock");
    lock.try_lock().expect("free");
    world.devices[1].touch(&lock_path);

    world.devices[0].say(&path, item("two"));
    world.deliver();
    assert_eq!(fs::read(&there).expect("doc"), before);
    assert_eq!(world.devices[1].waits_for(TWO).as_deref(), Some("live"));

    drop(lock);
    fs::remove_file(&lock_path).expect("closed");
    world.devices[1].touch(&lock_path);
    assert_carried(&world.devices[0], &world.devices[1], TWO);
}

#[test]
fn r9_nothing_half_written_and_no_temporary_file_stays_in_a_store() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let result = world.devices[0]
        .slug_dir(&here)
        .join(ONE)
        .join("tool-results/out.txt");
    for number in 0..5 {
        world.devices[0].put(&result, format!("result {number}"));
        world.devices[0].say(&path, turn(&here, ONE, "more"));
        world.deliver();
    }
    let slug = world.devices[1].slug_dir(&there);
    let files: BTreeSet<_> = world.devices[1].stores().into_keys().collect();
    let wanted = BTreeSet::from([
        slug.join(format!("{ONE}.jsonl")),
        slug.join(ONE).join("tool-results/out.txt"),
    ]);
    assert_eq!(files, wanted);
}

// ---- R10, R12, R13 ----

#[test]
fn r10_a_rollout_lies_where_the_picker_lists_it() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].rollout(TWO);
    world.devices[0].say(&path, meta(&here, TWO) + &item("hello"));
    let name = format!("rollout-2026-11-22T23-59-59-{THREE}.jsonl");
    let archived = world.devices[0]
        .home
        .join(".codex/archived_sessions")
        .join(&name);
    world.devices[0].say(&archived, meta(&here, THREE) + &item("archived"));
    world.deliver();
    assert_eq!(
        world.devices[1].place_of(TWO),
        Some(world.devices[1].rollout(TWO))
    );
    assert_eq!(
        world.devices[1].place_of(THREE),
        Some(
            world.devices[1]
                .home
                .join(".codex/archived_sessions")
                .join(name)
        )
    );
}

#[test]
fn r12_an_id_is_in_a_store_once_even_if_the_project_has_two_checkouts() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.deliver();
    // The user moves the session to another checkout of the same project.
    let second = world.devices[1].project("second", "git@github.com:acme/api.git");
    let (old, new) = (
        world.devices[1].transcript(&there, ONE),
        world.devices[1].transcript(&second, ONE),
    );
    fs::create_dir_all(new.parent().expect("parent")).expect("dir");
    fs::rename(&old, &new).expect("move");
    world.devices[1].touch(&old);
    world.devices[1].touch(&new);
    world.devices[0].say(&path, turn(&here, ONE, "two"));
    world.deliver();
    assert!(!old.exists());
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_eq!(world.devices[1].stores().len(), 1);
}

#[test]
fn r13_debris_is_never_carried() {
    let (mut world, here, _) = World::pair_of_devices();
    let slug = world.devices[0].slug_dir(&here);
    let debris = [
        slug.join(format!("{ONE}.jsonl.lock")),
        slug.join(format!("{ONE}.sync-conflict-20261123-101112-ABCDEFG.jsonl")),
        slug.join(format!("{ONE}.jsonl.conflict")),
        slug.join(format!("{ONE}.jsonl.conflict.1795428000")),
        slug.join(format!("{ONE}.jsonl.orphaned-1795428000")),
        slug.join(format!("{ONE}.jsonl.tmp.4711")),
        slug.join(ONE).join("subagents/agent-1.sync-conflict-20261123-101112-ABCDEFG.jsonl"),
        slug.join(ONE).join("subagents/agent-1.jsonl.lock"),
        slug.join(ONE).join("subagents/.syncthing.agent-1.jsonl.tmp"),
        slug.join(ONE).join("tool-results/out.txt.part"),
        slug.join(ONE).join("tool-results/out.txt~"),
        world.devices[0].claude().join(format!("todos/{ONE}-agent-{ONE}.json.lock")),
        world.devices[0].home.join(format!(
            ".codex/sessions/2026/11/23/rollout-2026-11-23T09-00-00-{TWO}.sync-conflict-20261123-101112-ABCDEFG.jsonl"
        )),
    ];
    for path in &debris {
        world.devices[0].put(path, "{\"debris\":true}\n");
    }
    world.devices[0].say(
        &slug.join(format!("{ONE}.jsonl")),
        turn(&here, ONE, "hello"),
    );
    world.devices[0].say(
        &slug.join(ONE).join("subagents/agent-1.jsonl"),
        turn(&here, ONE, "agent"),
    );
    world.devices[0].poll();
    world.deliver();
    let docs: BTreeSet<String> = world.devices[1].docs(ONE).into_keys().collect();
    assert_eq!(
        docs,
        BTreeSet::from(["transcript.jsonl".into(), "subagents/agent-1.jsonl".into()])
    );
    assert_eq!(world.devices[1].stores().len(), 2);
    for journal in journals(&world.devices[1]) {
        assert!(
            journal
                .additions()
                .all(|(_, bytes)| !bytes.windows(6).any(|part| part == b"debris"))
        );
    }
}

#[test]
fn r13_a_conflict_copy_in_the_vault_is_an_alarm_and_no_session() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.deliver();
    let owner = world.devices[0].short();
    let before = world.devices[1].stores();
    let copy = "claude-code/x/y/0001.sync-conflict-20261123-101112-ABCDEFG.jsonl.zst".to_owned();
    let file = world.devices[1]
        .vault()
        .lane_dir(&owner, Lane::Priority)
        .join(&copy);
    fs::create_dir_all(file.parent().expect("parent")).expect("dir");
    fs::write(&file, b"junk").expect("write");
    world.devices[1].notice(Notice::Arrived {
        owner,
        lane: Lane::Priority,
        paths: vec![copy],
    });
    assert!(world.devices[1].has_problem("device_cloned"));
    assert_eq!(world.devices[1].stores(), before);
    assert_eq!(world.devices[1].sessions().len(), 1);
}

// ---- R11: a session is more than one file ----

#[test]
fn r11_subagents_and_everything_else_a_session_has_go_with_it_both_ways() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.deliver();
    for (at, name) in [(0, "desk"), (1, "lap")] {
        let device = &mut world.devices[at];
        let (store, main) = (device.claude(), device.place_of(ONE).expect("here"));
        let dir = main.with_extension("");
        device.say(
            &dir.join(format!("subagents/agent-{name}.jsonl")),
            turn(&here, ONE, "agent"),
        );
        device.say(
            &dir.join(format!("subagents/workflows/w1/agent-{name}.jsonl")),
            turn(&here, ONE, "deep"),
        );
        device.put(
            &dir.join(format!("tool-results/{name}.txt")),
            "a long result",
        );
        device.put(
            &store.join(format!("file-history/{ONE}/{name}@v1")),
            "a file as it was",
        );
        device.put(&store.join(format!("todos/{ONE}-agent-{name}.json")), "[]");
        device.say(
            &main,
            [
                turn(&here, ONE, name),
                tracks("src/parser.rs", &format!("{name}@v1")),
            ]
            .concat(),
        );
        world.deliver();
        let (from, to) = (&world.devices[at], &world.devices[1 - at]);
        assert_carried(from, to, ONE);
        assert_eq!(
            to.docs(ONE).len(),
            1 + 5 * (at + 1),
            "{:?}",
            to.docs(ONE).keys()
        );
    }
    // A subagent that began on one device continues on the other.
    let dir = world.devices[1]
        .place_of(ONE)
        .expect("here")
        .with_extension("");
    world.devices[1].say(
        &dir.join("subagents/agent-desk.jsonl"),
        turn(&here, ONE, "more"),
    );
    world.deliver();
    assert_carried(&world.devices[1], &world.devices[0], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn r11_a_session_that_is_a_directory_before_it_is_a_file_comes_whole() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    // A subagent may write before the session itself has a line.
    world.devices[0].say(
        &path.with_extension("").join("subagents/agent-1.jsonl"),
        turn(&here, ONE, "agent"),
    );
    world.deliver();
    assert_eq!(
        world.devices[1].stores().len(),
        0,
        "a part of nothing is not carried"
    );
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.deliver();
    assert_eq!(world.devices[1].docs(ONE).len(), 2);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

// ---- R14: nothing comes from those we did not ask ----

#[test]
fn r14_a_device_that_asks_gets_and_gives_nothing_until_the_user_says_yes() {
    let mut world = World::devices(["desk", "stranger"]);
    let (here, theirs) = (
        world.devices[0].project("api", "git@github.com:acme/api.git"),
        world.devices[1].project("api", "git@github.com:acme/api.git"),
    );
    let (mine, other) = (
        world.devices[0].transcript(&here, ONE),
        world.devices[1].transcript(&theirs, TWO),
    );
    world.devices[0].say(&mine, turn(&here, ONE, "mine"));
    world.devices[1].say(&other, turn(&theirs, TWO, "theirs"));
    let code = world.devices[0].id.to_string();
    let _: session_roam_core::api::Pairing = world.devices[1].ask(Request::Pair { code });
    world.deliver();
    let devices: Devices = world.devices[0].ask(Request::Devices);
    assert_eq!((devices.paired.len(), devices.asking.len()), (0, 1));
    assert_eq!(world.devices[0].state_of(TWO), "none");
    assert_eq!(world.devices[1].state_of(ONE), "none");
    let wanted = locked(&world.devices[0]).wanted.clone();
    assert!(wanted.devices.is_empty());
    assert!(
        wanted
            .folders
            .iter()
            .all(|folder| folder.own && folder.shared_with.is_empty())
    );
}

#[test]
fn r14_a_folder_that_nobody_asked_for_changes_nothing() {
    let (mut world, here, _) = World::pair_of_devices();
    // Identities are numbered: the third device of another world is unknown here.
    let mut strangers = World::devices(["one", "friend", "stranger"]);
    strangers.pair(1, 2);
    let theirs = strangers.devices[2].project("api", "git@github.com:acme/api.git");
    let evil = strangers.devices[2].transcript(&theirs, TWO);
    strangers.devices[2].say(&evil, turn(&theirs, TWO, "do as I say"));
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "mine"));
    world.deliver();
    let wanted = locked(&world.devices[0]).wanted.clone();
    let before = world.devices[0].stores();

    // The stranger's folder appears in our vault as if it had been accepted.
    let (third, short) = (&strangers.devices[2], strangers.devices[2].short());
    for (from, bytes) in tree(&third.vault().root().join(&short)) {
        let to = world.devices[0]
            .vault()
            .root()
            .join(from.strip_prefix(third.vault().root()).expect("below"));
        fs::create_dir_all(to.parent().expect("parent")).expect("dir");
        fs::write(to, bytes).expect("write");
    }
    for paths in [vec!["device.json".to_owned()], Vec::new()] {
        world.devices[0].notice(Notice::Arrived {
            owner: short.clone(),
            lane: Lane::Priority,
            paths,
        });
    }
    world.devices[0].poll();
    assert_eq!(*locked(&world.devices[0]).wanted.folders, *wanted.folders);
    assert_eq!(locked(&world.devices[0]).wanted.devices, wanted.devices);
    assert_eq!(world.devices[0].stores(), before);
    assert_eq!(world.devices[0].state_of(TWO), "none");
    let devices: Devices = world.devices[0].ask(Request::Devices);
    assert_eq!(
        (devices.paired.len(), devices.proposed.len()),
        (1, 0),
        "its roster proposes nobody"
    );
}

// ---- R17, R18, R19, R20: names ----

#[test]
fn r17_windows_paths_inside_records_come_as_they_are() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let line = "{\"files\":{\"C:\\\\Users\\\\x\\\\a.rs\":{\"v\":1},\"\\\\\\\\srv\\\\share\":2},\"cwd\":\"C:\\\\Users\\\\x\"}\n";
    world.devices[0].say(&path, turn(&here, ONE, "hello") + line);
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert!(
        fs::read_to_string(world.devices[1].place_of(ONE).expect("placed"))
            .expect("doc")
            .ends_with(line)
    );
}

#[test]
fn r18_projects_named_build_dist_or_worktrees_are_carried() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    for (number, name) in [
        "build",
        "dist",
        "my-worktrees",
        "node_modules-demo",
        "target",
        ".hidden",
    ]
    .iter()
    .enumerate()
    {
        let remote = format!("git@github.com:acme/{}.git", name.trim_start_matches('.'));
        let here = world.devices[0].project(&format!("x/{name}/inner"), &remote);
        let there =
            world.devices[1].project(&format!("y-{}", name.trim_start_matches('.')), &remote);
        let _: Done = world.devices[1].ask(Request::ProjectMap {
            key: format!("git:github.com/acme/{}", name.trim_start_matches('.')),
            dir: there.clone(),
        });
        let session = id(number);
        let path = world.devices[0].transcript(&here, &session);
        world.devices[0].say(&path, turn(&here, &session, name));
        let agent = world.devices[0]
            .slug_dir(&here)
            .join(&session)
            .join("subagents/build/dist/agent-1.jsonl");
        world.devices[0].say(&agent, turn(&here, &session, "agent"));
        world.deliver();
        assert_carried(&world.devices[0], &world.devices[1], &session);
        assert_eq!(
            world.devices[1].place_of(&session),
            Some(world.devices[1].transcript(&there, &session))
        );
    }
}

#[test]
fn r19_two_projects_whose_names_look_alike_stay_two() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    // On the author's device both have the same directory name in the tool's store.
    let one = world.devices[0].project("a/b-c", "git@github.com:a/b-c.git");
    let two = world.devices[0].project("a-b/c", "git@github.com:a-b/c.git");
    assert_eq!(
        world.devices[0].slug_dir(&one),
        world.devices[0].slug_dir(&two)
    );
    let (one_there, two_there) = (
        world.devices[1].project("first", "git@github.com:a/b-c.git"),
        world.devices[1].project("2nd", "git@github.com:a-b/c.git"),
    );
    for (cwd, session) in [(&one, ONE), (&two, TWO)] {
        let path = world.devices[0].transcript(cwd, session);
        world.devices[0].say(&path, turn(cwd, session, "hello"));
    }
    world.deliver();
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&one_there, ONE))
    );
    assert_eq!(
        world.devices[1].place_of(TWO),
        Some(world.devices[1].transcript(&two_there, TWO))
    );
    // Without a remote, the path below home distinguishes them.
    let plain = |world: &World, device: usize, name: &str| {
        let dir = world.devices[device].home.join(name);
        fs::create_dir_all(&dir).expect("dir");
        dir
    };
    let (three, three_there) = (plain(&world, 0, "p/q-r"), plain(&world, 1, "p/q-r"));
    plain(&world, 1, "p-q/r");
    let path = world.devices[0].transcript(&three, THREE);
    world.devices[0].say(&path, turn(&three, THREE, "hello"));
    world.deliver();
    // Where this device never had a session, the user confirms the place.
    assert_eq!(
        world.devices[1].waits_for(THREE).as_deref(),
        Some("place_refused")
    );
    let map = Request::ProjectMap {
        key: "home:p/q-r".into(),
        dir: three_there.clone(),
    };
    let _: serde_json::Value = world.devices[1].ask(map);
    assert_eq!(
        world.devices[1].place_of(THREE),
        Some(world.devices[1].transcript(&three_there, THREE))
    );
    let projects: BTreeSet<String> = world.devices[1]
        .sessions()
        .into_iter()
        .map(|row| row.project)
        .collect();
    assert_eq!(projects.len(), 3, "{projects:?}");
}

#[test]
fn r20_a_resumed_session_whose_lines_carry_an_older_id_is_carried() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(
        &path,
        turn(&here, TWO, "under the old id") + &turn(&here, ONE, "under the new one"),
    );
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_eq!(world.devices[1].place_of(TWO), None);
}

// ---- R21: away for a year ----

#[test]
fn r21_a_device_that_was_away_for_thirteen_months_loses_and_revives_nothing() {
    let (mut world, here, _) = World::pair_of_devices();
    let paths: Vec<_> = [ONE, TWO, THREE]
        .iter()
        .map(|session| world.devices[0].transcript(&here, session))
        .collect();
    for (path, session) in paths.iter().zip([ONE, TWO, THREE]) {
        world.devices[0].say(path, turn(&here, session, "long ago"));
    }
    world.deliver();
    let old = world.devices[1].stores();
    world.devices[1].stop();

    // Meanwhile: one continues, the tool's cleanup removes one, one stays as it was, a new one
    // begins.
    world.devices[0].set_clock(START + 390 * DAY);
    world.devices[0].say(&paths[0], turn(&here, ONE, "a year later"));
    fs::remove_file(&paths[1]).expect("sweep");
    world.devices[0].touch(&paths[1]);
    let new = world.devices[0].transcript(&here, &id(4));
    world.devices[0].say(&new, turn(&here, &id(4), "new"));
    world.deliver();
    assert_eq!(world.devices[0].state_of(TWO), "elsewhere");

    // The device comes back with its old store, in which the tool's cleanup removes another one at
    // its first start.
    world.devices[1].set_clock(START + 395 * DAY);
    let swept = world.devices[1].place_of(THREE).expect("placed");
    fs::remove_file(&swept).expect("sweep");
    world.devices[1].start();
    world.deliver();

    let (desk, lap) = (&world.devices[0], &world.devices[1]);
    assert_carried(desk, lap, ONE);
    assert_carried(desk, lap, &id(4));
    assert_eq!(
        lap.docs(TWO).into_values().next(),
        old.get(&lap.place_of(TWO).expect("kept")).cloned(),
        "kept there"
    );
    assert_eq!(
        (desk.docs(TWO).len(), lap.docs(THREE).len()),
        (0, 0),
        "nothing that was swept comes back by itself"
    );
    assert_eq!(desk.docs(THREE).len(), 1, "and no sweep spreads");
    for device in &mut world.devices {
        assert_eq!(
            device.sessions().len(),
            4,
            "every session is known on {}",
            device.name
        );
        for session in [ONE, TWO, THREE] {
            assert!(
                recorded_lines(device, session)
                    .values()
                    .all(|times| *times == 1),
                "nothing is recorded twice"
            );
        }
        assert_eq!(device.status().problems, []);
    }
    // Continuing a cleaned-up session brings it back where it is wanted.
    let there = world.devices[1].place_of(TWO).expect("kept");
    world.devices[1].say(&there, turn(&here, TWO, "still of interest"));
    world.deliver();
    assert_carried(&world.devices[1], &world.devices[0], TWO);
}

// ---- R22: what looks untouched ----
// On Windows no change time is compared yet.

#[cfg(unix)]
#[test]
fn r22_other_content_of_the_same_size_and_time_is_noticed() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    let result = world.devices[0]
        .slug_dir(&here)
        .join(ONE)
        .join("tool-results/out.txt");
    world.devices[0].put(&result, "aaaa");
    world.deliver();
    rewrite_unseen(&result, "bbbb");
    // No file event either: the poll is enough.
    world.devices[0].poll();
    world.deliver();
    assert_eq!(world.devices[1].docs(ONE)["tool-results/out.txt"], b"bbbb");
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

#[cfg(unix)]
#[test]
fn r22_a_log_rewritten_at_the_same_size_and_time_is_noticed_and_held_elsewhere() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let (old, new) = (turn(&here, ONE, "good"), turn(&here, ONE, "evil"));
    world.devices[0].say(&path, &old);
    world.deliver();
    rewrite_unseen(&path, &new);
    world.devices[0].poll();
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    assert_eq!(
        fs::read_to_string(&there).expect("doc"),
        old,
        "a known line is not replaced unseen"
    );
    let held = world.devices[1].status().held;
    assert!(
        held.iter().any(|held| held.code.as_str() == "rewritten"),
        "{held:?}"
    );
    let recorded = recorded_lines(&world.devices[1], ONE);
    assert!(
        [&old, &new]
            .iter()
            .all(|line| recorded.contains_key(line.as_bytes())),
        "the vault has both"
    );
    // The user has seen the change and agrees.
    let _: Done = world.devices[1].ask(Request::Release {
        what: format!("session:{ONE}"),
    });
    assert_eq!(fs::read_to_string(&there).expect("doc"), new);
    world.deliver();
    assert_eq!(fs::read_to_string(&path).expect("doc"), new);
    assert_quiet(&mut world, ONE);
}

#[cfg(unix)]
fn rewrite_unseen(path: &Path, text: &str) {
    let modified = fs::metadata(path)
        .and_then(|meta| meta.modified())
        .expect("mtime");
    let len = fs::metadata(path).expect("stat").len();
    fs::write(path, text).expect("write");
    fs::File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_times(fs::FileTimes::new().set_modified(modified)))
        .expect("mtime");
    assert_eq!(fs::metadata(path).expect("stat").len(), len);
}

// ---- R23: leaving ----

#[test]
fn r23_the_goodbye_arrives_before_the_way_is_cut_and_sessions_stay() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "before"));
    world.deliver();
    let stores = [world.devices[0].stores(), world.devices[1].stores()];
    let _: Done = world.devices[1].ask(Request::Unpair { id: "desk".into() });
    world.deliver();
    for device in &mut world.devices {
        let devices: Devices = device.ask(Request::Devices);
        assert!(
            devices.paired.is_empty() && devices.proposed.is_empty(),
            "{} forgot: {devices:?}",
            device.name
        );
        assert!(locked(device).wanted.devices.is_empty());
        assert_eq!(
            device.sessions().len(),
            1,
            "the session stays on {}",
            device.name
        );
    }
    assert!(
        world.devices[0].has_problem("device_left"),
        "the one that was left is told"
    );
    world.devices[0].say(&path, turn(&here, ONE, "after"));
    world.deliver();
    assert_eq!(
        world.devices[1].stores(),
        stores[1],
        "nothing goes over any more"
    );
    // A rebuilt state still has everything.
    world.devices[1].stop();
    fs::remove_file(world.devices[1].roam.join("state.sqlite")).expect("lost");
    world.devices[1].start();
    assert_eq!(world.devices[1].state_of(ONE), "here");
    assert_eq!(
        world.devices[0].stores()[&path].len(),
        stores[0][&path].len() * 2 - 1
    );
}

#[test]
fn r23_leaving_a_device_that_is_off_is_told_to_it_when_it_is_met_again() {
    let (mut world, _, _) = World::pair_of_devices();
    world.part(0, 1);
    let desk = world.devices[0].id.clone();
    let _: Done = world.devices[1].ask(Request::Unpair { id: "desk".into() });
    world.deliver();
    assert!(
        locked(&world.devices[1])
            .wanted
            .devices
            .iter()
            .any(|device| device.id == desk),
        "still said, in case"
    );
    // Nobody connected within the grace period.
    let World {
        devices, ledger, ..
    } = &mut world;
    ledger.part(&mut devices[1], &desk);
    assert!(locked(&world.devices[1]).wanted.devices.is_empty());
    world.meet(0, 1);
    let devices: Devices = world.devices[0].ask(Request::Devices);
    assert!(
        devices.paired.iter().all(|device| !device.connected),
        "nothing comes from there any more"
    );
}

#[test]
fn r23_who_left_can_be_paired_again_and_stays() {
    let (mut world, here, _) = World::pair_of_devices();
    let _: Done = world.devices[1].ask(Request::Unpair { id: "desk".into() });
    world.deliver();
    // The old goodbye is still in the vault of the device that was left, which restarts before the
    // other answers.
    let shown: session_roam_core::api::Device = world.devices[1].ask(Request::Device);
    let _: session_roam_core::api::Pairing =
        world.devices[0].ask(Request::Pair { code: shown.code });
    world.devices[0].start();
    let owner = world.devices[1].short();
    world.devices[0].notice(Notice::Arrived {
        owner,
        lane: Lane::Priority,
        paths: Vec::new(),
    });
    let devices: Devices = world.devices[0].ask(Request::Devices);
    assert_eq!(devices.paired.len(), 1, "an old goodbye is not a new one");
    let id = world.devices[0].id.to_string();
    world.deliver();
    let _: session_roam_core::api::Pairing =
        world.devices[1].ask(Request::Accept { id, digits: None });
    world.deliver();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "together again"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

// ---- R24: a second device of the same person ----

#[test]
fn r24_two_devices_of_one_name_with_the_same_project_are_two_devices() {
    let mut world = World::devices(["laptop", "laptop"]);
    world.pair(0, 1);
    let places = [0, 1].map(|at| world.devices[at].project("api", "git@github.com:acme/api.git"));
    for (at, session) in [(0, ONE), (1, TWO)] {
        let path = world.devices[at].transcript(&places[at], session);
        world.devices[at].say(&path, turn(&places[at], session, "hello"));
    }
    world.deliver();
    for (at, session) in [(1, ONE), (0, TWO)] {
        let there = world.devices[at].place_of(session).expect("placed");
        world.devices[at].say(&there, turn(&places[at], session, "and on"));
        world.deliver();
    }
    for session in [ONE, TWO] {
        assert_carried(&world.devices[0], &world.devices[1], session);
        assert_carried(&world.devices[1], &world.devices[0], session);
        assert_quiet(&mut world, session);
    }
    assert_eq!(
        world.devices.iter().map(own_frames).collect::<Vec<_>>(),
        [2, 2]
    );
    let owners: BTreeSet<String> = journals(&world.devices[0])
        .into_iter()
        .map(|journal| journal.owner)
        .collect();
    assert_eq!(owners.len(), 2);
    let devices: Devices = world.devices[0].ask(Request::Devices);
    assert_eq!(
        devices
            .paired
            .iter()
            .map(|device| device.name.as_str())
            .collect::<Vec<_>>(),
        ["laptop"]
    );
}

#[test]
fn a_half_line_of_a_dead_process_keeps_out_nothing_that_lies_beside_it_either() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "first"));
    let todos = |device: &Device| {
        device
            .claude()
            .join(format!("todos/{ONE}-agent-{ONE}.json"))
    };
    let (ours, theirs) = (todos(&world.devices[0]), todos(&world.devices[1]));
    world.devices[0].put(&ours, "[]");
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&there, "{\"half\":");
    world.devices[0].put(&ours, r#"[{"content":"go on"}]"#);
    world.devices[0].say(&path, turn(&here, ONE, "second"));
    world.deliver();
    assert_eq!(
        fs::read(&theirs).expect("todos"),
        fs::read(&ours).expect("todos")
    );
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn a_session_whose_transcript_alone_was_deleted_comes_back_when_another_device_goes_on() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "first"));
    let todos = world.devices[0]
        .claude()
        .join(format!("todos/{ONE}-agent-{ONE}.json"));
    world.devices[0].put(&todos, "[]");
    let agent = path.with_extension("").join("subagents/agent-1.jsonl");
    world.devices[0].say(&agent, turn(&here, ONE, "agent"));
    world.deliver();
    // Written unnoticed, and never recorded: it is kept beside the vault.
    fs::write(&todos, "[1]").expect("todos");
    fs::remove_file(&path).expect("delete");
    world.devices[0].poll();
    let there = world.devices[1].place_of(ONE).expect("placed");
    let todos = world.devices[1]
        .claude()
        .join(format!("todos/{ONE}-agent-{ONE}.json"));
    world.devices[1].put(&todos, r#"[{"content":"go on"}]"#);
    world.devices[1].say(
        &there.with_extension("").join("subagents/agent-1.jsonl"),
        turn(&here, ONE, "agent's more"),
    );
    world.devices[1].say(&there, turn(&here, ONE, "second"));
    world.deliver();
    assert_carried(&world.devices[1], &world.devices[0], ONE);
    assert_quiet(&mut world, ONE);
    let kept = tree(&world.devices[0].roam.join("remains"));
    assert_eq!(kept.into_values().collect::<Vec<_>>(), [b"[1]".to_vec()]);
}
