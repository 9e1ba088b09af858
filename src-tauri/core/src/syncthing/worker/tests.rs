//! Which messages of the child are problems.

use super::*;

#[test]
fn a_trouble_is_one_sentence() {
    let problem = folder_problem("roam-live-X", "device.json: syncing: permission denied\n.");
    assert!(
        problem.message.ends_with("permission denied."),
        "{:?}",
        problem.message
    );
}

#[test]
fn a_device_that_left_meanwhile_is_no_trouble() {
    let of_1_19 = "device.json: syncing: no connected device has the required version of this file";
    assert!(waits_for_a_device(of_1_19));
    assert!(waits_for_a_device(
        "a: file modified but not rescanned; will try again later"
    ));
    assert!(waits_for_a_device(
        "device.json: syncing: pull: no such file"
    ));
    assert!(!waits_for_a_device(
        "a: syncing: save: no space left on device"
    ));
    assert!(!waits_for_a_device(
        "a: syncing: finisher: no such file or directory"
    ));
    assert!(!waits_for_a_device(
        "a: syncing: insufficient space in folder"
    ));
    assert!(!waits_for_a_device("a: open: permission denied"));
}

#[test]
fn sleep_is_noticed_on_every_clock() {
    let seconds = Duration::from_secs;
    assert!(!slept(seconds(5), seconds(5), seconds(5)));
    assert!(
        slept(seconds(5), seconds(3600), seconds(5)),
        "Linux, macOS: the monotonic clock stood still"
    );
    assert!(
        slept(seconds(3600), seconds(3600), seconds(5)),
        "Windows: it ran on, but we woke late"
    );
    assert!(
        !slept(seconds(5), Duration::ZERO, seconds(5)),
        "the clock was set back"
    );
}

#[test]
fn changes_are_counted_in_every_version() {
    assert_eq!(n_changed_here(&json!({"receiveOnlyTotalItems": 2})), 2);
    assert_eq!(
        n_changed_here(&json!({"receiveOnlyChangedFiles": 1, "receiveOnlyChangedDeletes": 1})),
        2
    );
}
