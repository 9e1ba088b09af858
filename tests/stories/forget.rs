//! Sessions that are forgotten: gone on every device that has heard of it, never back, and nothing else with them.

use crate::talk::{ONE, TWO, turn};
use crate::world::{DAY, Device, World, tree};
use session_roam_core::api::{Done, ForgetPreview, ForgottenRow, Request};
use session_roam_core::session::{SessionId, SessionKey, ToolId};
use std::path::PathBuf;

const PLUM: &str = "plum-tree";

fn key(session: &str) -> SessionKey {
    SessionKey::new(&ToolId::new("claude-code"), &SessionId::new(session))
}

fn forget(device: &mut Device, session: &str) -> Vec<ForgottenRow> {
    device.ask(Request::Forget { session: session.into() })
}

fn forgotten(device: &mut Device) -> Vec<ForgottenRow> {
    device.ask(Request::Forgotten)
}

/// The time to take it back is over.
fn pass_grace(device: &mut Device) {
    let now = device.clock_now();
    device.set_clock(now + 11 * 60_000);
    device.poll();
}

/// By device: what it did about the only forgotten session, as `device` knows it.
fn receipts(device: &mut Device) -> Vec<(String, String)> {
    let rows = forgotten(device);
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    row.receipts.iter().map(|receipt| (receipt.device.clone(), receipt.state.clone())).collect()
}

fn pairs<const N: usize>(receipts: [(&str, &str); N]) -> Vec<(String, String)> {
    receipts.iter().map(|(device, state)| ((*device).into(), (*state).into())).collect()
}

/// Every file below a device's home and its tools' stores, unpacked where it is a segment, that holds the word.
pub fn holding(device: &Device, word: &str) -> Vec<PathBuf> {
    let mut files = tree(&device.roam);
    files.extend(device.stores());
    let holds = |bytes: &[u8]| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    let unpacked = |bytes: &[u8]| zstd::decode_all(bytes).is_ok_and(|bytes| holds(&bytes));
    files.into_iter().filter(|(_, bytes)| holds(bytes) || unpacked(bytes)).map(|(path, _)| path).collect()
}

fn assert_gone(device: &mut Device, session: &str) {
    assert_eq!(device.state_of(session), "none", "not in the list of {}", device.name);
    assert!(!device.vault().holds(&key(session)), "not in the vault of {}", device.name);
    assert_eq!(device.place_of(session), None, "not in the store of {}", device.name);
    assert_eq!(holding(device, PLUM), Vec::<PathBuf>::new(), "nowhere on {}", device.name);
}

#[test]
fn a_forgotten_session_is_gone_on_both_devices_and_never_returns() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let other = world.devices[0].transcript(&here, TWO);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.devices[0].say(&other, turn(&here, TWO, "stays"));
    world.deliver();
    let over_there = world.devices[1].transcript(&there, ONE);
    world.devices[1].say(&over_there, turn(&there, ONE, "plum-tree too"));
    world.deliver();
    assert!(!holding(&world.devices[0], PLUM).is_empty() && !holding(&world.devices[1], PLUM).is_empty());

    let preview: ForgetPreview = world.devices[0].ask(Request::ForgetPreview { session: ONE.into() });
    assert_eq!((preview.sessions.len(), preview.devices, preview.minutes), (1, vec!["desk".into(), "lap".into()], 10));
    let rows = forget(&mut world.devices[0], ONE);
    assert!(rows[0].undo_until.is_some());
    assert_eq!(world.devices[0].state_of(ONE), "none", "it leaves the lists at once");
    pass_grace(&mut world.devices[0]);
    assert_gone(&mut world.devices[0], ONE);
    assert_eq!(receipts(&mut world.devices[0]), pairs([("desk", "removed"), ("lap", "waiting")]));
    world.deliver();
    assert_gone(&mut world.devices[1], ONE);
    assert_eq!(receipts(&mut world.devices[0]), pairs([("desk", "removed"), ("lap", "removed")]));
    assert_eq!(receipts(&mut world.devices[1]), pairs([("lap", "removed"), ("desk", "removed")]));

    for _ in 0..2 {
        for device in &mut world.devices {
            device.start();
            device.set_clock(device.clock_now() + DAY);
            device.poll();
        }
        world.deliver();
        for device in &mut world.devices {
            assert_gone(device, ONE);
            assert_eq!(device.state_of(TWO), "here");
            assert_eq!(device.problems(), Vec::<String>::new(), "{}", device.name);
        }
    }
}

#[test]
fn a_forget_is_taken_back_as_long_as_nobody_was_told() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, PLUM));
    world.deliver();
    forget(&mut world.devices[0], ONE);
    world.devices[0].start();
    world.deliver();
    assert_eq!((world.devices[0].state_of(ONE), world.devices[1].state_of(ONE)), ("none".into(), "here".into()));
    // Written while it was hidden.
    world.devices[0].say(&path, turn(&here, ONE, "more"));
    let _: Done = world.devices[0].ask(Request::Undo { session: None });
    world.devices[0].settle();
    assert_eq!(world.devices[0].state_of(ONE), "here");
    assert_eq!(forgotten(&mut world.devices[0]), []);
    world.devices[0].set_clock(world.devices[0].clock_now() + DAY);
    world.devices[0].poll();
    world.deliver();
    let text = |device: &Device| device.docs(ONE).into_values().next().expect("a transcript");
    assert_eq!(text(&world.devices[0]), text(&world.devices[1]));
}
