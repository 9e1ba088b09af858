//! Journals that end the engine, shown with a process that is really killed.

use super::noise;
use session_roam_testutils::checks::*;
use session_roam_testutils::device::{Device, PATIENCE};
use session_roam_testutils::isolation::alone;
use session_roam_testutils::transcripts::Session;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// F11: the journal that a killed engine was reading is counted against.
#[test]
fn a_journal_that_ended_the_engine_twice_is_set_aside_until_it_is_released() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        // Large enough that the engine is still reading when the signal arrives.
        let session = Session::begin(&desk, 1, 2);
        let line = noise(1 << 20, 11);
        (0..60).for_each(|at| session.say(&format!("{at} {line}")));
        // A life in which a part is read to its end before the signal arrives does not count.
        let mut last = None;
        while let Some(began) = reading(&laptop, last) {
            laptop.kill();
            last = Some(began);
            laptop.launch();
        }
        laptop.wait_ready();
        let told = is_told(&laptop, "journal_set_aside");
        let held = fs::read(session.on(&laptop)).unwrap_or_default();
        assert!(
            held.len() < session.bytes().len(),
            "what is set aside is not read"
        );
        let other = Session::begin(&desk, 2, 3);
        is_safe(&other, [&desk, &laptop]);

        laptop.stop();
        laptop.start();
        let again = is_told(&laptop, "journal_set_aside");
        assert_eq!(told["actions"], again["actions"], "it stays set aside");
        let what = again["actions"][0]["what"].as_str();
        let what = what.expect("what to release");
        laptop.roam(&["release", what]);
        is_over(&laptop, "journal_set_aside");
        is_safe(&session, [&desk, &laptop]);
        desk.stop();
        laptop.stop();
    });
}

/// Waits until the engine is reading the journal of a session of Claude Code, and began after
/// `since`; returns when it began, or `None` once the engine has set a journal aside. A killed
/// engine's mark lies there until the next engine counts it.
fn reading(device: &Device, since: Option<SystemTime>) -> Option<SystemTime> {
    let end = Instant::now() + PATIENCE;
    loop {
        let marks = fs::read_dir(device.roam_home.join("reading"));
        let began = marks.into_iter().flatten().flatten().find_map(|mark| {
            let began = mark.metadata().and_then(|meta| meta.modified()).ok()?;
            let name = fs::read_to_string(mark.path()).ok()?;
            let is_new = since.is_none_or(|since| since < began);
            (is_new && name.contains("/claude-code/")).then_some(began)
        });
        if began.is_some() {
            return began;
        }
        if is_set_aside(device) {
            return None;
        }
        assert!(
            Instant::now() < end,
            "{} never read the journal: {:?}",
            device.name,
            device.try_roam(&["status"])
        );
        sleep(Duration::from_millis(1));
    }
}

/// Whether the engine's own list says that a journal failed twice.
fn is_set_aside(device: &Device) -> bool {
    let list = fs::read(device.roam_home.join("quarantine.json")).unwrap_or_default();
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap_or_default();
    let mut failures = list.as_object().into_iter().flat_map(|list| list.values());
    failures.any(|failures| failures.as_u64() == Some(2))
}
