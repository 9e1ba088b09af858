//! Conflict copies that another sync tool left in the tools' stores: found by `doctor`, ingested
//! when the user asks for it, and never lost whatever goes wrong.

use super::journals::{own_journals, recorded_lines};
use super::talk::{ONE, THREE, TWO, assert_carried, item, meta, turn};
use super::world::{Device, World, tree};
use session_roam_core::api::{Doctor, Done, Request, TakenIn};
use session_roam_core::session::Remedy;
use session_roam_core::settings;
use session_roam_core::vault::Entry;
use std::fs;
use std::path::{Path, PathBuf};

const STAMP: &str = "sync-conflict-20261123-101112-ABCDEFG";

/// Syncthing's name for a copy of this file.
fn copy_of(path: &Path) -> PathBuf {
    let (stem, ending) = (
        path.file_stem().expect("stem"),
        path.extension().expect("ending"),
    );
    path.with_file_name(format!(
        "{}.{STAMP}.{}",
        stem.to_string_lossy(),
        ending.to_string_lossy()
    ))
}

fn take_in(device: &mut Device) -> TakenIn {
    device.ask(Request::TakeIn)
}

fn has(device: &Device, session: &str, line: &str) -> bool {
    recorded_lines(device, session).contains_key(line.as_bytes())
}

/// The files in the folder for ingested copies.
fn taken(device: &Device) -> Vec<PathBuf> {
    tree(&device.roam.join("taken-in")).into_keys().collect()
}

#[test]
fn a_copy_that_went_another_way_is_listed_with_what_is_in_it_and_becomes_a_branch() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let [first, mine, theirs] = ["first", "mine", "theirs"].map(|text| turn(&here, ONE, text));
    world.devices[0].say(&path, first.clone() + &mine);
    let copy = copy_of(&path);
    world.devices[0].put(&copy, first.clone() + &theirs);
    world.devices[0].poll();
    world.deliver();
    assert!(
        !has(&world.devices[0], ONE, &theirs),
        "nobody takes it unasked"
    );
    let doctor: Doctor = world.devices[0].ask(Request::Doctor);
    let [row] = &doctor.copies[..] else {
        panic!("{:?}", doctor.copies)
    };
    assert_eq!(
        (row.session.as_str(), &row.path, row.lines, row.new),
        (ONE, &copy, 2, 1)
    );
    let check = doctor
        .checks
        .iter()
        .find(|check| check.name == "conflict copies")
        .expect("a check");
    assert_eq!(check.state.as_str(), "problem");
    assert_eq!(check.actions, [Remedy::ImportCopies]);

    let answer = take_in(&mut world.devices[0]);
    assert_eq!(
        (answer.taken.len(), answer.taken[0].lines, answer.left.len()),
        (1, 1, 0)
    );
    assert_eq!(
        fs::read(&answer.taken[0].to).expect("moved"),
        (first.clone() + &theirs).as_bytes()
    );
    assert_eq!(taken(&world.devices[0]), [answer.taken[0].to.clone()]);
    assert!(!copy.exists());
    let own = fs::read(world.devices[0].place_of(ONE).expect("here")).expect("read");
    assert!(
        own.starts_with((first + &mine).as_bytes()),
        "the tool's own file is not made shorter or changed"
    );
    world.deliver();
    for device in &world.devices {
        assert!(
            has(device, ONE, &mine) && has(device, ONE, &theirs),
            "{}",
            device.name
        );
    }
    // Nothing is left to do, also after a restart.
    let doctor: Doctor = world.devices[0].ask(Request::Doctor);
    assert_eq!(doctor.copies, []);
    assert_eq!(take_in(&mut world.devices[0]), TakenIn::default());
    let before = recorded_lines(&world.devices[0], ONE);
    world.devices[0].start();
    world.devices[0].say(&path, turn(&here, ONE, "and on"));
    world.deliver();
    assert!(has(&world.devices[1], ONE, &turn(&here, ONE, "and on")));
    assert!(
        before
            .iter()
            .all(|(line, count)| recorded_lines(&world.devices[1], ONE)[line] == *count)
    );
    // Also with a rebuilt state, the branch does not count as something that this device had in its
    // store and then rewrote.
    world.devices[0].stop();
    fs::remove_file(world.devices[0].roam.join("state.sqlite")).expect("state");
    world.devices[0].start();
    world.devices[0].say(&path, turn(&here, ONE, "after all"));
    let journals = own_journals(&world.devices[0]);
    let entries = journals
        .iter()
        .flat_map(|journal| &journal.frames)
        .flat_map(|frame| &frame.entries);
    assert!(!entries.into_iter().any(|entry| matches!(
        entry,
        Entry::Lines {
            replaces: Some(_),
            ..
        }
    )));
}

#[test]
fn a_copy_that_is_the_beginning_of_its_session_or_the_same_adds_nothing() {
    for whole in [false, true] {
        let (mut world, here, _) = World::pair_of_devices();
        let path = world.devices[0].transcript(&here, ONE);
        let [first, second] = ["first", "second"].map(|text| turn(&here, ONE, text));
        world.devices[0].say(&path, first.clone() + &second);
        let bytes = if whole {
            first.clone() + &second
        } else {
            first.clone()
        };
        world.devices[0].put(&copy_of(&path), bytes);
        let before = recorded_lines(&world.devices[0], ONE);
        let answer = take_in(&mut world.devices[0]);
        assert_eq!((answer.taken.len(), answer.taken[0].lines), (1, 0));
        assert_eq!(recorded_lines(&world.devices[0], ONE), before);
        world.deliver();
        assert_carried(&world.devices[0], &world.devices[1], ONE);
        assert_eq!(world.devices[0].state_of(ONE), "here");
    }
}

#[test]
fn a_copy_that_went_on_is_where_the_session_goes_on() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let [first, second] = ["first", "second"].map(|text| turn(&here, ONE, text));
    world.devices[0].say(&path, &first);
    // Its last line was never finished; the copy keeps it.
    world.devices[0].put(&copy_of(&path), format!("{first}{second}{{\"half"));
    let answer = take_in(&mut world.devices[0]);
    assert_eq!((answer.taken.len(), answer.taken[0].lines), (1, 1));
    assert_eq!(
        fs::read_to_string(&path).expect("read"),
        first.clone() + &second
    );
    assert!(
        fs::read_to_string(&answer.taken[0].to)
            .expect("read")
            .ends_with("{\"half")
    );
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

#[test]
fn a_copy_whose_session_is_not_there_becomes_the_session() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let rollout = world.devices[0].rollout(TWO);
    let (said, thread) = (
        turn(&here, ONE, "only in the copy"),
        meta(&here, TWO) + &item("only in the copy"),
    );
    world.devices[0].put(&copy_of(&path), &said);
    world.devices[0].put(&copy_of(&rollout), &thread);
    world.devices[0].poll();
    assert_eq!(world.devices[0].sessions().len(), 0);
    let answer = take_in(&mut world.devices[0]);
    assert_eq!(
        (answer.taken.len(), answer.left.len()),
        (2, 0),
        "{answer:?}"
    );
    assert_eq!(fs::read_to_string(&path).expect("transcript"), said);
    assert_eq!(fs::read_to_string(&rollout).expect("rollout"), thread);
    world.deliver();
    for session in [ONE, TWO] {
        assert_carried(&world.devices[0], &world.devices[1], session);
        assert_eq!(world.devices[0].state_of(session), "here");
    }
    // Rebuilt from the vault alone, it is the same.
    world.devices[0].stop();
    fs::remove_file(world.devices[0].roam.join("state.sqlite")).expect("state");
    world.devices[0].start();
    world.deliver();
    assert_eq!(world.devices[0].state_of(ONE), "here");
    assert_eq!(world.devices[1].state_of(TWO), "here");
}

#[test]
fn copies_of_codex_threads_and_of_subagents_are_taken_in_too() {
    let (mut world, here, _) = World::pair_of_devices();
    let rollout = world.devices[0].rollout(TWO);
    world.devices[0].say(&rollout, meta(&here, TWO) + &item("mine"));
    world.devices[0].put(&copy_of(&rollout), meta(&here, TWO) + &item("theirs"));
    let path = world.devices[0].transcript(&here, ONE);
    let agent = path.with_extension("").join("subagents/agent-1.jsonl");
    world.devices[0].say(&agent, turn(&here, ONE, "agent"));
    world.devices[0].say(&path, turn(&here, ONE, "first"));
    world.devices[0].put(
        &copy_of(&agent),
        turn(&here, ONE, "agent") + &turn(&here, ONE, "agent's more"),
    );
    let answer = take_in(&mut world.devices[0]);
    assert_eq!(
        (answer.taken.len(), answer.left.len()),
        (2, 0),
        "{answer:?}"
    );
    world.deliver();
    for device in &world.devices {
        assert!(
            has(device, TWO, &item("mine")) && has(device, TWO, &item("theirs")),
            "{}",
            device.name
        );
        assert!(
            has(device, ONE, &turn(&here, ONE, "agent's more")),
            "{}",
            device.name
        );
    }
    assert!(
        world.devices[0].docs(ONE)["subagents/agent-1.jsonl"]
            .ends_with(turn(&here, ONE, "agent's more").as_bytes())
    );
    assert!(!copy_of(&rollout).exists(), "Codex opens the thread again");
}

#[test]
fn copies_in_the_store_of_a_tool_of_ones_own_are_taken_in_too() {
    let (mut world, here, _) = World::pair_of_devices();
    settings::change(&world.devices[0].roam, |document| {
        let text = "[[custom]]\nid = \"mine\"\nroot = \"~/.mine\"\nsessions = \"chats/{session}.jsonl\"\ncwd_field = \"cwd\"\n";
        let custom: toml_edit::DocumentMut = text.parse().expect("toml");
        document["custom"] = custom["custom"].clone();
    })
    .expect("settings");
    world.devices[0].start();
    let path = world.devices[0].home.join(".mine/chats/a.jsonl");
    world.devices[0].say(&path, turn(&here, "a", "first"));
    world.devices[0].put(
        &copy_of(&path),
        turn(&here, "a", "first") + &turn(&here, "a", "second"),
    );
    let new = world.devices[0].home.join(".mine/chats/b.jsonl");
    world.devices[0].put(&copy_of(&new), turn(&here, "b", "only in the copy"));
    let answer = take_in(&mut world.devices[0]);
    assert_eq!(
        (answer.taken.len(), answer.left.len()),
        (2, 0),
        "{answer:?}"
    );
    assert_eq!(
        fs::read_to_string(&path).expect("read"),
        turn(&here, "a", "first") + &turn(&here, "a", "second")
    );
    assert_eq!(
        fs::read_to_string(&new).expect("read"),
        turn(&here, "b", "only in the copy")
    );
}

#[test]
fn a_copy_stays_while_its_session_is_open_while_its_project_is_excluded_and_when_it_cannot_be_moved()
 {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "first"));
    let (copy, theirs) = (copy_of(&path), turn(&here, ONE, "theirs"));
    world.devices[0].put(&copy, turn(&here, ONE, "first") + &theirs);
    let stays = |device: &mut Device, recorded: bool| {
        let answer = take_in(device);
        assert_eq!(
            (answer.taken.len(), answer.left.len()),
            (0, 1),
            "{answer:?}"
        );
        assert!(copy.exists() && taken(device).is_empty());
        assert_eq!(has(device, ONE, &theirs), recorded);
        answer.left[0].why.clone()
    };
    // Claude Code marks the session while it runs; this process runs, too.
    let running = world.devices[0].claude().join("sessions/1.json");
    fs::create_dir_all(running.parent().expect("parent")).expect("dir");
    fs::write(
        &running,
        format!("{{\"pid\":{},\"sessionId\":\"{ONE}\"}}", std::process::id()),
    )
    .expect("write");
    assert!(stays(&mut world.devices[0], false).contains("open"));
    fs::remove_file(&running).expect("closed");

    let key = "git:github.com/acme/api".to_owned();
    let _: Done = world.devices[0].ask(Request::ProjectExclude {
        key: key.clone(),
        excluded: true,
    });
    assert!(stays(&mut world.devices[0], false).contains("is excluded"));
    let _: Done = world.devices[0].ask(Request::ProjectExclude {
        key,
        excluded: false,
    });

    let blocked = world.devices[0].roam.join("taken-in");
    fs::write(&blocked, "a file where the directory should be").expect("write");
    assert!(stays(&mut world.devices[0], true).contains("could not be moved"));
    fs::remove_file(&blocked).expect("remove");
    let answer = take_in(&mut world.devices[0]);
    assert_eq!(
        (answer.taken.len(), answer.taken[0].lines),
        (1, 0),
        "the lines are there already"
    );
    assert!(!copy.exists());
}

#[test]
fn what_is_rewritten_whole_is_moved_only_if_it_is_known() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let todo = world.devices[0]
        .slug_dir(&here)
        .join(ONE)
        .join("tool-results/out.txt");
    world.devices[0].put(&todo, "one");
    world.devices[0].say(&path, turn(&here, ONE, "first"));
    world.devices[0].put(&todo, "two");
    world.devices[0].put(&copy_of(&todo), "one");
    assert_eq!(take_in(&mut world.devices[0]).taken.len(), 1);
    world.devices[0].put(&copy_of(&todo), "never seen");
    let answer = take_in(&mut world.devices[0]);
    assert_eq!((answer.taken.len(), answer.left.len()), (0, 1));
    assert_eq!(fs::read(copy_of(&todo)).expect("stays"), b"never seen");
}

#[test]
fn a_copy_that_names_no_directory_and_a_copy_of_a_part_of_nothing_stay() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, THREE);
    world.devices[0].put(
        &copy_of(&path),
        "{\"type\":\"custom-title\",\"customTitle\":\"x\"}\n",
    );
    let agent = world.devices[0]
        .transcript(&here, TWO)
        .with_extension("")
        .join("subagents/agent-1.jsonl");
    world.devices[0].put(&copy_of(&agent), turn(&here, TWO, "agent"));
    let answer = take_in(&mut world.devices[0]);
    assert_eq!(
        (answer.taken.len(), answer.left.len()),
        (0, 2),
        "{answer:?}"
    );
    assert!(copy_of(&path).exists() && copy_of(&agent).exists());
    assert_eq!(world.devices[0].sessions().len(), 0);
}
