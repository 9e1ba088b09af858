//! Field 10b: two files with the id of one session in a store. Lines that only one of them holds
//! are recorded before any advice is given, so that following the advice loses nothing.

use super::journals::{own_frames, recorded_lines};
use super::talk::{ONE, TWO, item, meta, turn};
use super::world::{Device, World};
use session_roam_core::api::{Request, SplitRow};
use session_roam_core::session::{Problem, ProblemCode};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn advice(device: &mut Device) -> Vec<Problem> {
    device
        .status()
        .problems
        .into_iter()
        .filter(|problem| problem.code == ProblemCode::DuplicateSession)
        .collect()
}

fn recorded(device: &Device, session: &str) -> BTreeSet<String> {
    recorded_lines(device, session)
        .into_keys()
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect()
}

/// Two paired devices, and on the desk a second directory of the same project's transcripts.
fn two_directories() -> (World, PathBuf, PathBuf, PathBuf) {
    let (world, here, _) = World::pair_of_devices();
    let one = world.devices[0].transcript(&here, ONE);
    let other = world.devices[0].transcript(&here.join("sub"), ONE);
    (world, here, one, other)
}

fn lines(cwd: &Path, texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| turn(cwd, ONE, text)).collect()
}

fn log(cwd: &Path, texts: &[&str]) -> String {
    lines(cwd, texts).concat()
}

/// Writes the files while the engine is stopped, starts it, and checks that every line is in the
/// vault of both devices and that the user is advised only then.
fn both_are_recorded(files: &[&[&str]]) {
    let (mut world, here, one, other) = two_directories();
    let third = world.devices[0].transcript(&here.join("third"), ONE);
    world.devices[0].stop();
    for (path, texts) in [&one, &other, &third].into_iter().zip(files) {
        world.devices[0].append(path, log(&here, texts).as_bytes());
    }
    world.devices[0].start();
    world.deliver();
    let all: BTreeSet<String> = files.iter().flat_map(|texts| lines(&here, texts)).collect();
    for device in &world.devices {
        let found = recorded(device, ONE);
        assert!(
            all.is_subset(&found),
            "{}: {files:?}: {found:?}",
            device.name
        );
    }
    let advice = advice(&mut world.devices[0]);
    assert!(
        !advice.is_empty()
            && advice
                .iter()
                .all(|problem| problem.hint.contains("Both are recorded")),
        "{advice:?}"
    );
    for (path, texts) in [&one, &other, &third].into_iter().zip(files) {
        assert_eq!(
            fs::read_to_string(path).expect("the file"),
            log(&here, texts),
            "nothing is written into either"
        );
    }
    // Nothing is recorded again and again.
    let before = recorded_lines(&world.devices[0], ONE);
    for _ in 0..3 {
        world.devices[0].poll();
        world.deliver();
    }
    assert_eq!(recorded_lines(&world.devices[0], ONE), before);
    // Following the advice loses nothing.
    let moved = world.devices[0].home.join("moved.jsonl");
    fs::rename(&one, &moved).expect("moved");
    world.devices[0].poll();
    world.deliver();
    for device in &world.devices {
        assert!(all.is_subset(&recorded(device, ONE)), "{}", device.name);
    }
}

#[test]
fn two_files_that_share_a_beginning_are_recorded_as_branches() {
    both_are_recorded(&[&["one", "two", "three"], &["one", "other"]]);
}

/// The user is told that both files are recorded: so are the docs beside the second one.
#[test]
fn what_lies_beside_the_second_file_is_recorded_with_it() {
    let (mut world, here, one, other) = two_directories();
    let beside = |path: &Path, rest: &str| path.with_extension("").join(rest);
    world.devices[0].stop();
    world.devices[0].append(&one, log(&here, &["one", "two", "three"]).as_bytes());
    world.devices[0].append(&other, log(&here, &["one", "other"]).as_bytes());
    let agent = turn(&here, ONE, "of an agent");
    let files = [
        (beside(&other, "subagents/agent-a1.jsonl"), agent.as_str()),
        (beside(&other, "tool-results/b.txt"), "2222"),
        (beside(&one, "tool-results/b.txt"), "1111"),
    ];
    for (path, text) in &files {
        world.devices[0].append(path, text.as_bytes());
    }
    world.devices[0].start();
    world.deliver();
    assert!(
        advice(&mut world.devices[0])[0]
            .hint
            .contains("Both are recorded")
    );
    for device in &world.devices {
        let found = recorded(device, ONE);
        assert!(found.contains(&agent), "{}: {found:?}", device.name);
        assert!(found.contains("2222"), "{}: {found:?}", device.name);
    }
    for (path, text) in &files {
        assert_eq!(fs::read_to_string(path).expect("the file"), *text);
    }
    // Of the docs of one name, the one beside the session's own file counts.
    let docs = world.devices[1].docs(ONE);
    assert_eq!(docs["tool-results/b.txt"], b"1111");
    let before = own_frames(&world.devices[0]);
    for _ in 0..3 {
        world.devices[0].poll();
        world.deliver();
    }
    assert_eq!(own_frames(&world.devices[0]), before, "once");
}

/// Both versions are of one device: its name would tell them apart as little as “Two devices”.
#[test]
fn the_versions_of_two_files_are_told_apart_by_their_sides() {
    for (files, reason) in [
        (
            [&["one", "two", "three"][..], &["one", "other"]],
            "in two versions",
        ),
        (
            [&["one", "two"], &["another"]],
            "One device has two sessions",
        ),
    ] {
        let (mut world, here, one, other) = two_directories();
        for (path, texts) in [&one, &other].into_iter().zip(files) {
            fs::create_dir_all(path.parent().expect("a directory")).expect("dir");
            fs::write(path, log(&here, texts)).expect("a file");
        }
        world.devices[0].poll();
        let splits: Vec<SplitRow> = world.devices[0].ask(Request::Splits);
        let [split] = &splits[..] else {
            panic!("{splits:?}")
        };
        assert!(split.reason.contains(reason), "{split:?}");
        for choice in &split.choices {
            assert!(!choice.consequence.contains("desk"), "{choice:?}");
        }
    }
}

#[test]
fn two_files_without_a_common_line_are_recorded() {
    both_are_recorded(&[&["one", "two", "three"], &["another", "and more"]]);
}

#[test]
fn a_file_that_is_the_beginning_of_the_other_loses_nothing() {
    both_are_recorded(&[&["one", "two", "three"], &["one", "two"]]);
}

#[test]
fn three_files_of_one_id_are_recorded() {
    both_are_recorded(&[
        &["one", "two", "three"],
        &["one", "other"],
        &["one", "two", "third file"],
    ]);
}

#[test]
fn the_shorter_file_is_followed_when_it_grows_and_becomes_the_longer_one() {
    let (mut world, here, one, other) = two_directories();
    world.devices[0].say(&one, log(&here, &["one", "two", "three"]));
    world.devices[0].say(&other, log(&here, &["one", "other"]));
    world.deliver();
    let more = ["grows", "and grows", "and is longer than the first one now"];
    for text in more {
        world.devices[0].say(&other, turn(&here, ONE, text));
        world.deliver();
    }
    let all = [&["one", "two", "three", "other"][..], &more].concat();
    for device in &mut world.devices {
        let found = recorded(device, ONE);
        assert!(
            lines(&here, &all).iter().all(|line| found.contains(line)),
            "{}",
            device.name
        );
        assert!(
            device.status().held.is_empty(),
            "nobody took anything back: {:?}",
            device.status().held
        );
    }
    // The first file's words are still in a store of the other device, as a session or as a branch
    // of one.
    let stores: Vec<String> = world.devices[1]
        .stores()
        .into_values()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    for text in ["three", "and is longer than the first one now"] {
        assert!(stores.iter().any(|doc| doc.contains(text)), "{text}");
    }
}

#[test]
fn two_rollouts_of_one_thread_are_recorded() {
    let (mut world, here, _) = World::pair_of_devices();
    let one = world.devices[0].rollout(TWO);
    let other = PathBuf::from(
        one.to_string_lossy()
            .replace("/23/", "/24/")
            .replace("23T09", "24T09"),
    );
    world.devices[0].say(
        &one,
        meta(&here, TWO) + &item("common") + &item("one, which is the longer"),
    );
    world.devices[0].say(&other, meta(&here, TWO) + &item("common") + &item("other"));
    world.deliver();
    for device in &world.devices {
        let found = recorded(device, TWO);
        assert!(
            found.contains(&item("other")) && found.contains(&item("one, which is the longer")),
            "{found:?}"
        );
    }
    assert_eq!(advice(&mut world.devices[0]).len(), 1);
}

/// A session that is excluded here stays here, even if another file has the same id.
#[test]
fn a_second_file_of_an_excluded_project_is_not_recorded_and_not_advised_about() {
    let (mut world, here, one, _) = two_directories();
    let secret = world.devices[0].project("secret", "git@github.com:acme/secret.git");
    let other = world.devices[0].transcript(&secret, ONE);
    world.devices[0].stop();
    session_roam_core::settings::change(&world.devices[0].roam, |document| {
        document["projects"]["exclude"] =
            toml_edit::value(toml_edit::Array::from_iter(["git:github.com/acme/secret"]));
    })
    .expect("settings");
    world.devices[0].append(&one, log(&here, &["one", "two", "three"]).as_bytes());
    world.devices[0].append(&other, log(&secret, &["a secret"]).as_bytes());
    world.devices[0].start();
    world.deliver();
    assert!(
        !recorded(&world.devices[0], ONE)
            .iter()
            .any(|line| line.contains("a secret"))
    );
    assert!(advice(&mut world.devices[0]).is_empty());
    assert!(world.devices[0].has_problem("twin_not_recorded"));
}
