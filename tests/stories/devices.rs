//! Who is let in, who is put out, and what each device states about the others.

use crate::world::World;
use session_roam_core::api::{Devices, Request};

/// How many devices each device is paired with.
fn paired(world: &mut World) -> Vec<usize> {
    world.devices.iter_mut().map(|device| device.ask::<Devices>(Request::Devices).paired.len()).collect()
}

#[test]
fn pairings_from_before_the_list_stay() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    for device in &mut world.devices {
        device.stop();
        // As a version without the list left it: devices.json, no statements.
        let lane = device.vault().lane_dir(&device.short(), session_roam_core::session::Lane::Live);
        std::fs::remove_dir_all(lane.join("session-roam")).expect("the list");
        drop(std::fs::remove_dir_all(device.vault().kept.file(&device.short())));
        for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
            drop(std::fs::remove_file(device.roam.join(name)));
        }
        device.start();
        assert!(lane.join("session-roam").is_dir(), "its own statements again");
    }
    world.deliver();
    assert_eq!(paired(&mut world), [1, 1]);
}
