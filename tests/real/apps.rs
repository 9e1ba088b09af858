//! The app of docs/api.md between two real engines with real Syncthings: exactly its lines, taken
//! from the page.

use session_roam_testutils::checks::Place;
use session_roam_testutils::device::{Device, PATIENCE, pair};
use session_roam_testutils::files::write;
use session_roam_testutils::isolation::{Ended, alone, run_within, wait_for};
use std::time::{Duration, Instant};

const PAGE: &str = include_str!("../../docs/api.md");

/// The program in the page.
fn example() -> &'static str {
    let (_, rest) = PAGE
        .split_once("```perl\n")
        .expect("the page has a program");
    rest.split_once("```").expect("it ends").0
}

fn device(place: &Place, name: &str) -> Device {
    let device = place.running(name);
    write(&device.home.join("notes.pl"), example());
    device
}

fn notes(device: &Device, words: &[&str]) -> Ended {
    let program = device.home.join("notes.pl");
    let words = [&[program.to_str().expect("UTF-8")], words].concat();
    run_within(
        Duration::from_secs(60),
        device.command("perl", &words),
        device.scratch(),
    )
}

/// The first request asks, and the user allows the app.
fn allow(device: &Device) {
    let refused = notes(device, &[]);
    assert!(
        !refused.status.success() && refused.stderr.contains("roam apps allow notes"),
        "{}",
        refused.told()
    );
    assert_eq!(device.roam(&["apps"])[0]["state"], "asking");
    device.roam(&["apps", "allow", "notes"]);
}

fn add(device: &Device, text: &str) {
    let added = notes(device, &["add", text]);
    assert!(added.status.success(), "{}", added.told());
}

fn wait_notes(device: &Device, wanted: &[&str]) {
    wait_for(
        &format!("{} to have {wanted:?}", device.name),
        PATIENCE,
        || {
            let listed = notes(device, &[]);
            match listed.status.success() && listed.stdout.lines().eq(wanted.iter().copied()) {
                true => Ok(()),
                false => Err(listed.told()),
            }
        },
    );
}

#[test]
fn the_app_of_the_page_saves_on_one_device_and_loads_on_the_other() {
    alone(|| {
        let lines = example()
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count();
        assert!(lines <= 35, "the page promises about 30 lines, not {lines}");
        let place = Place::empty();
        let (desk, laptop) = (device(&place, "desk"), device(&place, "laptop"));
        pair(&desk, &laptop);
        allow(&desk);
        add(&desk, "Buy milk");
        let saved = Instant::now();
        wait_notes(&desk, &["Buy milk"]);
        allow(&laptop);
        wait_notes(&laptop, &["Buy milk"]);
        println!(
            "it was there after {:?}, with two starts of the app",
            saved.elapsed()
        );
        add(&laptop, "and honey");
        wait_notes(&desk, &["Buy milk", "and honey"]);
        wait_notes(&laptop, &["Buy milk", "and honey"]);
    });
}

#[test]
fn what_two_devices_saved_while_one_was_off_is_on_both() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = (device(&place, "desk"), device(&place, "laptop"));
        pair(&desk, &laptop);
        allow(&desk);
        allow(&laptop);
        add(&desk, "both");
        wait_notes(&laptop, &["both"]);
        // Each is off while the other saves; the desk's engine is killed right after its answer.
        laptop.stop();
        add(&desk, "desk");
        desk.kill();
        laptop.start();
        add(&laptop, "laptop");
        desk.start();
        let both = || {
            let (one, other) = (notes(&desk, &[]), notes(&laptop, &[]));
            let mut lines: Vec<&str> = one.stdout.lines().collect();
            lines.sort_unstable();
            match one.stdout == other.stdout && lines == ["both", "desk", "laptop"] {
                true => Ok(()),
                false => Err(format!("{}\n{}", one.told(), other.told())),
            }
        };
        wait_for("both to have all of it", PATIENCE, both);
        let splits = laptop.roam(&["splits"]);
        assert_eq!(splits.as_array().map(Vec::len), Some(0), "{splits}");
    });
}
