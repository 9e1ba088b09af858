//! Threads that Codex itself began in another thread's file: they find their beginning, whichever
//! session holds it.

use super::journals::recorded_lines;
use super::splits::Parted;
use super::talk::{TWO, item, meta};
use super::world::Device;
use std::path::PathBuf;

/// A thread that Codex itself forked: it has an offset into its parent's file instead of a history.
pub fn begun_from(parted: &mut Parted, device: usize, child: &str) -> PathBuf {
    let parent = parted.world.devices[device].place_of(TWO).expect("there");
    let (end, cwd) = (
        std::fs::metadata(&parent).expect("doc").len(),
        [&parted.here, &parted.there][device].clone(),
    );
    let base = format!(
        "\"history_base\":{{\"thread_id\":\"{TWO}\",\"end_ordinal_exclusive\":9,\"end_byte_offset\":{end}}},\"cwd\""
    );
    let path = parted.world.devices[device].rollout(child);
    let lines = meta(&cwd, child).replace("\"cwd\"", &base) + &item("begun there");
    parted.world.devices[device].say(&path, lines);
    path
}

#[test]
fn what_was_begun_from_a_branch_of_codex_keeps_that_branch() {
    let mut parted = Parted::codex();
    let child = "55555555-5555-4555-8555-555555555555";
    let path = begun_from(&mut parted, 1, child);
    let recorded = std::fs::read(&path).expect("doc");
    let mut parted = parted.met();
    let fork = parted.fork();
    let refers_to = |parted: &Parted, id: &str| {
        for device in &parted.world.devices {
            let text = String::from_utf8_lossy(&device.docs(child)["rollout.jsonl"]).into_owned();
            assert!(
                text.contains(&format!("\"thread_id\":\"{id}\"")),
                "on {}: {text}",
                device.name
            );
        }
    };
    refers_to(&parted, &fork);
    // The thread continues, and the recorded lines are those that its author wrote.
    parted.say(0, child, "on desk");
    parted.world.deliver();
    assert_eq!(parted.on_both(child), "begun there, on desk");
    refers_to(&parted, &fork);
    let lines = recorded_lines(&parted.world.devices[0], child);
    assert!(
        recorded
            .split_inclusive(|byte| *byte == b'\n')
            .all(|line| lines.get(line) == Some(&1)),
        "as it was written"
    );
    // Its branch stays in the store, whatever is decided, even without the state.
    parted.resolve(0, TWO, "keep-left").expect("possible");
    for device in &mut parted.world.devices {
        device.stop();
        std::fs::remove_file(device.roam.join("state.sqlite")).expect("state");
        device.start();
    }
    parted.world.deliver();
    parted.world.devices.iter_mut().for_each(Device::poll);
    refers_to(&parted, &fork);
    assert_eq!(parted.on_both(&fork), "common, from lap");
    assert_eq!(parted.world.devices[0].problems(), Vec::<String>::new());
    parted.undo(0);
    parted.resolve(0, TWO, "keep-right").expect("possible");
    refers_to(&parted, TWO);
    parted.undo(0);
    refers_to(&parted, &fork);
}

#[test]
fn what_was_begun_from_the_branch_that_lost_its_id_finds_it_elsewhere() {
    let mut parted = Parted::codex();
    let child = "66666666-6666-4666-8666-666666666666";
    begun_from(&mut parted, 0, child);
    let mut parted = parted.met();
    parted.resolve(1, TWO, "keep-right").expect("possible");
    assert_eq!(parted.on_both(TWO), "common, from lap");
    let text =
        String::from_utf8_lossy(&parted.world.devices[1].docs(child)["rollout.jsonl"]).into_owned();
    let base = text
        .split("\"thread_id\":\"")
        .nth(1)
        .and_then(|rest| rest.get(..36))
        .expect("a base")
        .to_owned();
    assert_ne!(base, TWO);
    assert_eq!(parted.on_both(&base), "common, from desk");
}

#[test]
fn a_branch_that_is_put_away_before_the_thread_that_needs_it_arrives_comes_back() {
    let mut parted = Parted::codex().met();
    let fork = parted.fork();
    parted.world.part(0, 1);
    let child = "77777777-7777-4777-8777-777777777777";
    let path = begun_from(&mut parted, 1, child);
    // The child was begun on lap's own branch, before that branch lost its id there: that is what
    // the child records, and how desk has it.
    let parent = parted.world.devices[1].place_of(&fork).expect("there");
    let end = std::fs::metadata(parent).expect("doc").len();
    let text = std::fs::read_to_string(&path).expect("doc");
    let at = text.find("\"end_byte_offset\":").expect("an offset") + "\"end_byte_offset\":".len();
    let rest = text[at..].find('}').expect("the end") + at;
    parted.world.devices[1].put(&path, format!("{}{end}{}", &text[..at], &text[rest..]));
    parted.resolve(0, TWO, "keep-left").expect("possible");
    assert_eq!(parted.world.devices[0].place_of(&fork), None);
    parted.world.meet(0, 1);
    parted.world.devices.iter_mut().for_each(Device::poll);
    parted.world.deliver();
    assert_eq!(parted.on_both(&fork), "common, from lap");
    let text =
        String::from_utf8_lossy(&parted.world.devices[0].docs(child)["rollout.jsonl"]).into_owned();
    assert!(
        text.contains(&format!("\"thread_id\":\"{fork}\"")),
        "{text}"
    );
}
