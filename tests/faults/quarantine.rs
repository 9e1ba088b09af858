//! Journals that end the engine, shown with a process that is really killed.

use crate::checks::*;
use crate::device::{Device, PATIENCE, pair};
use crate::isolation::alone;
use crate::noise;
use crate::transcripts::Session;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// F11: the journal that a killed engine was reading is counted against.
#[test]
fn a_journal_that_ended_the_engine_twice_is_set_aside_until_it_is_released() {
    alone(|| {
        let place = Place::new();
        let (mut desk, mut laptop) = (place.device("desk"), place.device("laptop"));
        desk.start();
        laptop.start();
        pair(&desk, &laptop);
        // Large enough that the engine is still reading when the signal arrives.
        let session = Session::begin(&desk, 1, 2);
        let line = noise(1 << 20, 11);
        (0..60).for_each(|at| session.say(&format!("{at} {line}")));
        let (first, _) = reading(&laptop, None);
        laptop.kill();
        let left = reading(&laptop, None);
        assert_eq!(
            left.0, first,
            "the engine was killed before it had read the journal"
        );
        laptop.launch();
        let (second, _) = reading(&laptop, Some(left.1));
        laptop.kill();
        assert_eq!(
            [reading(&laptop, Some(left.1)).0, second],
            [first.clone(), first],
            "and once more"
        );
        laptop.start();
        let told = is_told(&laptop, "journal_set_aside");
        assert!(
            !session.on(&laptop).exists(),
            "what is set aside is not read"
        );
        let other = Session::begin(&desk, 2, 3);
        is_safe(&other, [&desk, &laptop]);

        laptop.stop();
        laptop.start();
        let hint = is_told(&laptop, "journal_set_aside")["hint"]
            .as_str()
            .expect("a hint")
            .to_owned();
        assert_eq!(
            told["hint"].as_str(),
            Some(hint.as_str()),
            "it stays set aside"
        );
        let what = hint
            .split('`')
            .nth(1)
            .and_then(|command| command.rsplit(' ').next())
            .expect("what to release");
        laptop.roam(&["release", what]);
        is_over(&laptop, "journal_set_aside");
        is_safe(&session, [&desk, &laptop]);
        desk.stop();
        laptop.stop();
    });
}

/// Waits until the engine is reading the journal of a Claude Code session, and started to read
/// after `since`; returns the journal's name and the start time. The mark of a killed engine stays
/// until the next engine counts it.
fn reading(device: &Device, since: Option<SystemTime>) -> (String, SystemTime) {
    let end = Instant::now() + PATIENCE;
    loop {
        let marks = fs::read_dir(device.roam_home.join("reading"))
            .into_iter()
            .flatten()
            .flatten();
        let marks = marks.filter_map(|mark| {
            let began = mark.metadata().and_then(|meta| meta.modified()).ok()?;
            Some((fs::read_to_string(mark.path()).ok()?, began))
        });
        let is_new = |began: SystemTime| since.is_none_or(|since| since < began);
        if let Some(mark) =
            { marks }.find(|(name, began)| name.contains("/claude-code/") && is_new(*began))
        {
            return mark;
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
