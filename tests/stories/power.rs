//! F2: what steers a tool is recorded and carried, and never applied where another device wrote it.

use crate::journals::recorded_lines;
use crate::talk::{ONE, assert_quiet, item, meta};
use crate::world::{Device, World};
use session_roam_core::api::{Done, Request};
use std::fs;
use std::path::PathBuf;

/// What Codex 0.169.0 writes when a thread runs with these approvals (2026-11-28).
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

/// A thread that ran on the desk with full access, and came to the lap.
fn carried() -> (World, PathBuf, String) {
    let (mut world, here, _) = World::pair_of_devices();
    let rollout = world.devices[0].rollout(ONE);
    let all = [meta(&here, ONE), turn_context("never"), settings("never"), item("Where is the bug?")].concat();
    world.devices[0].say(&rollout, &all);
    world.deliver();
    (world, rollout, all)
}

/// What is in the store of a device that did not write these lines.
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
    lines.split_inclusive('\n').all(|line| recorded.contains_key(line.as_bytes()))
}

/// F2: a session that ran with full access on one device opened with full access on the other.
#[test]
fn a_session_that_ran_with_full_access_elsewhere_does_not_have_it_here() {
    let (mut world, rollout, mut all) = carried();
    assert_eq!(in_store(&world.devices[1]), neutral(&all), "nothing is applied on the lap");
    assert!(is_recorded(&world.devices[1], &all), "everything is recorded");
    assert_quiet(&mut world, ONE);

    // The lap goes on with settings of its own: they stay in its store, and are neutral on the desk.
    let on_lap = [turn_context("on-request"), item("In the parser")].concat();
    let there = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&there, &on_lap);
    world.deliver();
    assert_eq!(in_store(&world.devices[1]), [neutral(&all), on_lap.clone()].concat());
    assert_eq!(fs::read_to_string(&rollout).expect("text"), [all.clone(), neutral(&on_lap)].concat(), "its own stay");
    all.push_str(&on_lap);

    // And the desk again.
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

/// The state can be lost, and the store looked at from the start: what is neutral there is nobody's news.
#[test]
fn what_is_neutral_in_the_store_is_recorded_as_it_was_without_any_state() {
    let (mut world, _, all) = carried();
    let before = in_store(&world.devices[1]);
    world.devices[1].stop();
    fs::remove_file(world.devices[1].roam.join("state.sqlite")).expect("state");
    world.devices[1].start();
    world.deliver();
    assert_eq!(in_store(&world.devices[1]), before);
    assert_eq!(recorded_lines(&world.devices[1], ONE).len(), all.lines().count(), "nothing new");
    let more = item("After the loss");
    let there = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&there, &more);
    world.deliver();
    assert!(fs::read_to_string(world.devices[0].rollout(ONE)).expect("text").ends_with(&more));
    assert_eq!(world.devices[1].splits().len(), 0);
    assert_quiet(&mut world, ONE);
}

/// F2: one line by another device, appended to a session of one's own, was fast-forwarded without a word.
#[test]
fn a_line_of_another_device_that_only_steers_is_held_and_never_applied() {
    let (mut world, here, _) = World::pair_of_devices();
    let rollout = world.devices[0].rollout(ONE);
    let mine = [meta(&here, ONE), settings("on-request"), item("Where is the bug?")].concat();
    world.devices[0].say(&rollout, &mine);
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&there, settings("never"));
    world.deliver();
    assert_eq!(fs::read_to_string(&rollout).expect("text"), mine, "nothing is written");
    assert!(is_recorded(&world.devices[0], &settings("never")), "it is recorded");
    let held = world.devices[0].status().held;
    let [held] = &held[..] else { panic!("{held:?}") };
    assert_eq!((held.what.as_str(), held.code.as_str()), (format!("session:{ONE}").as_str(), "steered"));
    assert!(held.message.contains("lap changed") && held.message.contains("approval_policy = never"), "{held:?}");

    // The user lets it through: it is written, and still not applied.
    let _: Done = world.devices[0].ask(Request::Release { what: format!("session:{ONE}") });
    world.deliver();
    assert_eq!(fs::read_to_string(&rollout).expect("text"), [mine, neutral(&settings("never"))].concat());
    assert_quiet(&mut world, ONE);
}

/// Going on here is not in the way of what is held, and words of the other device bring it along.
#[test]
fn a_held_line_comes_with_the_words_that_follow_it() {
    let (mut world, here, _) = World::pair_of_devices();
    let rollout = world.devices[0].rollout(ONE);
    let mine = [meta(&here, ONE), settings("on-request"), item("Where is the bug?")].concat();
    world.devices[0].say(&rollout, &mine);
    world.deliver();
    let there = world.devices[1].place_of(ONE).expect("placed");
    // What changes nothing is no reason to ask.
    let same = settings("on-request");
    world.devices[1].say(&there, &same);
    world.deliver();
    assert_eq!(fs::read_to_string(&rollout).expect("text"), [mine.clone(), neutral(&same)].concat());
    assert_eq!(world.devices[0].status().held.len(), 0);
    world.devices[1].say(&there, settings("never"));
    world.deliver();
    assert_eq!(world.devices[0].status().held.len(), 1);
    world.devices[1].say(&there, item("In the parser"));
    world.deliver();
    let theirs = [same, settings("never"), item("In the parser")].concat();
    assert_eq!(fs::read_to_string(&rollout).expect("text"), [mine, neutral(&theirs)].concat());
    assert_quiet(&mut world, ONE);
}
