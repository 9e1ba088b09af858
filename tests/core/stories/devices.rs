//! Devices are approved and revoked, and each states what it knows of the others.

use super::forget::pass_grace;
use super::journals::{journals, list_frames};
use super::talk::{ONE, THREE, TWO, assert_carried, turn};
use super::wire::locked;
use super::world::{START, World};
use session_roam_core::api::{ApiError, Devices, Done, ForgottenRow, Request, RevokeAnswer};
use session_roam_core::merge::Statement;
use session_roam_core::session::Remedy;
use session_roam_core::vault::Entry;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const REMOTE: &str = "git@github.com:acme/api.git";

fn devices(world: &mut World, at: usize) -> Devices {
    world.devices[at].ask(Request::Devices)
}

fn approve(world: &mut World, at: usize, of: usize) -> Done {
    let id = world.devices[of].id.to_string();
    world.devices[at].ask(Request::Approve { id })
}

fn revoke(world: &mut World, at: usize, of: usize) -> RevokeAnswer {
    let id = world.devices[of].id.to_string();
    world.devices[at].ask(Request::Revoke {
        id,
        since: None,
        dry: false,
    })
}

/// Each pair of these devices is paired; each has a checkout of one project.
fn all_paired<const N: usize>(names: [&str; N]) -> (World, Vec<PathBuf>) {
    let mut world = World::devices(names);
    for one in 0..N {
        for other in one + 1..N {
            world.pair(one, other);
        }
    }
    let places = (0..N)
        .map(|at| world.devices[at].project(&format!("api-{at}"), REMOTE))
        .collect();
    (world, places)
}

/// A session begins on a device, or continues there.
fn say(world: &mut World, at: usize, place: &Path, session: &str, text: &str) {
    let path = world.devices[at]
        .place_of(session)
        .unwrap_or_else(|| world.devices[at].transcript(place, session));
    world.devices[at].say(&path, turn(place, session, text));
}

/// Whether a device has this text in any store or journal.
fn knows(world: &World, at: usize, text: &str) -> bool {
    let device = &world.devices[at];
    let has = |bytes: &[u8]| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    let in_vault = journals(device)
        .iter()
        .any(|journal| journal.additions().any(|(_, bytes)| has(bytes)));
    in_vault || device.stores().values().any(|bytes| has(bytes))
}

fn in_store(world: &World, at: usize, text: &str) -> bool {
    let stores = world.devices[at].stores();
    stores.values().any(|bytes| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

#[test]
fn pairings_from_before_the_list_stay() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    for device in &mut world.devices {
        device.stop();
        // As left by a version without the list: devices.json, no statements.
        let lane = device
            .vault()
            .lane_dir(&device.short(), session_roam_core::session::Lane::Priority);
        std::fs::remove_dir_all(lane.join("session-roam")).expect("the list");
        drop(std::fs::remove_dir_all(
            device.vault().kept.file(&device.short()),
        ));
        for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
            drop(std::fs::remove_file(device.roam.join(name)));
        }
        device.start();
        assert!(
            lane.join("session-roam").is_dir(),
            "its own statements again"
        );
    }
    world.deliver();
    for at in [0, 1] {
        assert_eq!(devices(&mut world, at).paired.len(), 1);
    }
    let place = world.devices[0].project("api", REMOTE);
    world.devices[1].project("api", REMOTE);
    say(&mut world, 0, &place, ONE, "still paired");
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

/// F4: desk unpairs lap; the box, which is paired with both, no longer passes on anything of
/// desk's.
#[test]
fn an_unpaired_device_gets_nothing_more_through_a_third() {
    let (mut world, places) = all_paired(["desk", "box", "lap"]);
    say(&mut world, 0, &places[0], ONE, "before");
    world.deliver();
    assert!(knows(&world, 2, "before"));
    let _: Done = world.devices[0].ask(Request::Unpair { id: "lap".into() });
    world.deliver();
    say(&mut world, 0, &places[0], ONE, "after the unpairing");
    say(&mut world, 0, &places[0], TWO, "of another session");
    world.deliver();
    assert!(knows(&world, 1, "after the unpairing") && knows(&world, 1, "of another session"));
    assert!(!knows(&world, 2, "after the unpairing") && !knows(&world, 2, "of another session"));
    // Not even if the lap still took it: the box offers it nothing.
    let (desk, lap) = (world.devices[0].short(), world.devices[2].id.clone());
    let offered = locked(&world.devices[1]).wanted.folders.clone();
    let of_desk = offered.iter().filter(|folder| folder.id.contains(&desk));
    assert!(0 < of_desk.clone().count());
    assert!(
        { of_desk }.all(|folder| !folder.shared_with.contains(&lap)),
        "{offered:?}"
    );
    // Nor in the other direction.
    say(&mut world, 2, &places[2], THREE, "from the unpaired one");
    world.deliver();
    assert!(
        knows(&world, 1, "from the unpaired one") && !knows(&world, 0, "from the unpaired one")
    );
    assert!(
        devices(&mut world, 0).proposed.is_empty(),
        "who was unpaired is not proposed again"
    );
}

/// F5: lap is approved on desk only; it reads nothing of the box and writes nothing into the box's
/// stores.
#[test]
fn a_device_approved_on_one_device_reads_nothing_of_another() {
    let mut world = World::devices(["desk", "box", "lap"]);
    world.pair(0, 1);
    world.pair(0, 2);
    let places: Vec<PathBuf> = (0..3)
        .map(|at| world.devices[at].project(&format!("api-{at}"), REMOTE))
        .collect();
    say(&mut world, 1, &places[1], ONE, "of the box");
    say(&mut world, 2, &places[2], TWO, "of the lap");
    world.deliver();
    assert!(knows(&world, 0, "of the box") && knows(&world, 0, "of the lap"));
    assert!(!knows(&world, 2, "of the box") && !knows(&world, 1, "of the lap"));
    let short = world.devices[2].short();
    assert!(
        !world.devices[1].vault().root().join(&short).exists(),
        "there is no folder of it"
    );
    assert!(
        locked(&world.devices[1])
            .wanted
            .folders
            .iter()
            .all(|folder| !folder.id.contains(&short))
    );
    assert_eq!(devices(&mut world, 1).proposed.len(), 1);
    // One side is not enough.
    approve(&mut world, 1, 2);
    world.deliver();
    assert!(!knows(&world, 2, "of the box") && !knows(&world, 1, "of the lap"));
    approve(&mut world, 2, 1);
    world.deliver();
    assert!(knows(&world, 2, "of the box") && knows(&world, 1, "of the lap"));
}

/// F4: nobody reads the vault folder of a device that is not approved.
#[test]
fn files_of_a_device_that_is_not_approved_are_not_read() {
    let (mut world, places) = all_paired(["desk", "lap"]);
    let _: Done = world.devices[0].ask(Request::Unpair { id: "lap".into() });
    world.deliver();
    say(&mut world, 1, &places[1], ONE, "slipped in");
    slip_in(&mut world);
    assert_eq!(world.devices[0].state_of(ONE), "none");
    // Nor that of a device that never was.
    let mut world = World::devices(["desk", "box"]);
    let place = world.devices[1].project("api", REMOTE);
    say(&mut world, 1, &place, ONE, "of a stranger");
    slip_in(&mut world);
    assert_eq!(world.devices[0].state_of(ONE), "none");
}

/// The second device's folder gets into the first one's vault, which then starts.
fn slip_in(world: &mut World) {
    let short = world.devices[1].short();
    let (from, to) = (
        world.devices[1].vault().root().join(&short),
        world.devices[0].vault().root().join(&short),
    );
    super::world::copy_tree(&from, &to);
    world.devices[0].start();
}

#[test]
fn a_revoked_device_is_out_everywhere_once_that_was_heard() {
    let (mut world, places) = all_paired(["desk", "box", "lap"]);
    say(&mut world, 2, &places[2], ONE, "accepted");
    world.deliver();
    // The box is away while desk revokes the lap.
    world.part(0, 1);
    let answer = revoke(&mut world, 0, 2);
    assert_eq!(answer.not_heard, ["box"]);
    world.deliver();
    assert_eq!(devices(&mut world, 0).revoked[0].not_heard, ["box"]);
    // The box still exchanges with the lap, and keeps what it had accepted before it received the
    // revocation.
    say(&mut world, 2, &places[2], ONE, "accepted by the box alone");
    world.deliver();
    assert!(
        knows(&world, 1, "accepted by the box alone")
            && !knows(&world, 0, "accepted by the box alone")
    );
    world.meet(0, 1);
    assert!(devices(&mut world, 0).revoked[0].not_heard.is_empty());
    assert!(
        in_store(&world, 0, "accepted by the box alone"),
        "the survivors agree"
    );
    for at in [0, 1] {
        let found = devices(&mut world, at);
        assert_eq!(
            (found.paired.len(), found.asking.len(), found.proposed.len()),
            (1, 0, 0),
            "{at}"
        );
        assert_eq!(found.revoked[0].by, ["desk"]);
        assert!(locked(&world.devices[at]).wanted.devices.len() == 1);
    }
    for (at, text) in [
        (2, "from the revoked one"),
        (1, "from the box"),
        (0, "from desk"),
    ] {
        say(&mut world, at, &places[at], ONE, text);
    }
    world.deliver();
    assert!(!knows(&world, 2, "from the box") && !knows(&world, 2, "from desk"));
    assert!(
        !in_store(&world, 0, "from the revoked one")
            && !in_store(&world, 1, "from the revoked one")
    );
    assert!(in_store(&world, 0, "from the box") && in_store(&world, 1, "from desk"));
}

/// The box revoked the lap; desk hears that the lap forgets a session before it hears of the
/// revocation.
#[test]
fn who_revoked_a_device_keeps_what_that_device_forgets() {
    let (mut world, places) = all_paired(["desk", "box", "lap"]);
    say(&mut world, 2, &places[2], ONE, "forgotten by the lap");
    world.deliver();
    world.part(0, 1);
    world.part(1, 2);
    revoke(&mut world, 1, 2);
    let session = ONE.into();
    let _: Vec<ForgottenRow> = world.devices[2].ask(Request::Forget { session });
    pass_grace(&mut world.devices[2]);
    world.deliver();
    world.devices[0].poll();
    assert!(!knows(&world, 0, "forgotten by the lap"));
    world.meet(0, 1);
    world.meet(1, 2);
    for at in [0, 1] {
        world.devices[at].poll();
        world.deliver();
        assert_eq!(devices(&mut world, at).revoked[0].by, ["box"], "{at}");
    }
    say(&mut world, 1, &places[1], ONE, "the box goes on");
    world.deliver();
    assert!(in_store(&world, 1, "forgotten by the lap") && in_store(&world, 1, "the box goes on"));
    assert!(!knows(&world, 0, "forgotten by the lap") && !knows(&world, 0, "the box goes on"));
    approve(&mut world, 1, 2);
    for at in [0, 1, 2] {
        world.deliver();
        world.devices[at].poll();
    }
    for at in [0, 1, 2] {
        assert!(!knows(&world, at, "forgotten by the lap"), "{at}");
        assert_eq!(world.devices[at].state_of(ONE), "none", "{at}");
    }
}

/// Neither a restart nor a lost state lets anything in that was not accepted when the revocation
/// arrived.
#[test]
fn what_a_revoked_device_wrote_later_stays_out_after_a_lost_state() {
    let (mut world, places) = all_paired(["desk", "box", "lap"]);
    say(&mut world, 2, &places[2], ONE, "accepted");
    world.deliver();
    revoke(&mut world, 0, 2);
    world.deliver();
    say(&mut world, 2, &places[2], ONE, "written later");
    let short = world.devices[2].short();
    for at in [0, 1] {
        let (from, to) = (
            world.devices[2].vault().root().join(&short),
            world.devices[at].vault().root().join(&short),
        );
        super::world::copy_tree(&from, &to);
        world.devices[at].stop();
        for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
            drop(std::fs::remove_file(world.devices[at].roam.join(name)));
        }
        world.devices[at].start();
    }
    world.deliver();
    for at in [0, 1] {
        assert!(
            in_store(&world, at, "accepted") && !in_store(&world, at, "written later"),
            "{at}"
        );
    }
}

/// The tab alone had accepted the lap's last words and revoked it; desk accepted them on the tab's
/// word. That counts no more once the tab is revoked as well, so desk states it itself.
#[test]
fn what_was_accepted_on_the_word_of_a_device_stays_when_that_one_is_revoked() {
    let (mut world, places) = all_paired(["desk", "box", "lap", "tab"]);
    say(&mut world, 2, &places[2], ONE, "accepted by all");
    world.deliver();
    world.part(0, 2);
    world.part(1, 2);
    for other in [0, 1] {
        world.part(other, 3);
    }
    say(&mut world, 2, &places[2], ONE, "accepted by the tab");
    world.deliver();
    revoke(&mut world, 3, 2);
    for other in [0, 1] {
        world.meet(other, 3);
    }
    assert!(in_store(&world, 0, "accepted by the tab"));
    revoke(&mut world, 1, 3);
    world.deliver();
    let accepted = |world: &World, at: usize| {
        let lap = &world.devices[2].id;
        let frames = list_frames(&world.devices[at]);
        let said = frames.iter().flat_map(|frame| &frame.entries);
        let of_lap = said.filter_map(|entry| match entry {
            Entry::Device(Statement::Heads { device, heads }) if device == lap => heads
                .iter()
                .find(|(journal, _)| journal.contains("claude-code"))
                .map(|(_, n)| *n),
            _ => None,
        });
        of_lap.max().unwrap_or(0)
    };
    let of_lap = journals(&world.devices[2])
        .into_iter()
        .find(|journal| journal.owner == world.devices[2].short() && journal.session() == ONE);
    let n = of_lap.expect("its journal").frames.len() as u64;
    assert_eq!([0, 1].map(|at| accepted(&world, at)), [n, n]);
}

#[test]
fn who_was_revoked_comes_back_when_it_is_approved_again() {
    let (mut world, places) = all_paired(["desk", "box", "lap"]);
    say(&mut world, 2, &places[2], ONE, "before");
    world.deliver();
    revoke(&mut world, 0, 2);
    world.deliver();
    say(&mut world, 2, &places[2], ONE, "meanwhile");
    world.deliver();
    assert!(!in_store(&world, 0, "meanwhile") && !in_store(&world, 1, "meanwhile"));
    approve(&mut world, 0, 2);
    world.deliver();
    for at in [0, 1] {
        assert!(devices(&mut world, at).revoked.is_empty(), "{at}");
        assert!(in_store(&world, at, "meanwhile"), "{at}");
    }
    say(&mut world, 1, &places[1], ONE, "all together");
    world.deliver();
    assert!(in_store(&world, 0, "all together") && in_store(&world, 2, "all together"));
}

#[test]
fn two_devices_that_revoke_each_other_are_both_out_until_the_user_decides() {
    let (mut world, places) = all_paired(["desk", "box", "lap"]);
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        world.part(one, other);
    }
    revoke(&mut world, 0, 2);
    revoke(&mut world, 2, 0);
    world.meet(1, 2);
    world.part(1, 2);
    // The box received the lap's revocation and revokes desk; its device list shows both
    // revocations.
    let id = world.devices[0].id.to_string();
    assert_eq!(
        devices(&mut world, 1)
            .revoked
            .iter()
            .map(|device| device.id.clone())
            .collect::<Vec<_>>(),
        [id]
    );
    approve(&mut world, 1, 0);
    world.meet(0, 1);
    assert_eq!(
        devices(&mut world, 1).revoked.len(),
        1,
        "now the lap is out, and desk is in"
    );
    say(&mut world, 0, &places[0], ONE, "of desk");
    world.deliver();
    assert!(in_store(&world, 1, "of desk"));
    let code = world.devices[2].id.to_string();
    let refused: ApiError = world.devices[1]
        .try_ask(Request::Pair { code })
        .expect_err("revoked");
    assert_eq!(
        refused.code.as_str(),
        "device_revoked",
        "pairing does not let it in by the way"
    );
}

#[test]
fn what_a_followed_device_approves_is_approved_here() {
    let mut world = World::devices(["desk", "box", "lap"]);
    world.pair(0, 1);
    for at in [0, 1] {
        let id = world.devices[1 - at].id.to_string();
        let _: Done = world.devices[at].ask(Request::Follow { id, on: true });
    }
    world.deliver();
    world.pair(0, 2);
    // The lap decides for itself; it follows desk, too.
    let id = world.devices[0].id.to_string();
    let _: Done = world.devices[2].ask(Request::Follow { id, on: true });
    world.deliver();
    let places: Vec<PathBuf> = (0..3)
        .map(|at| world.devices[at].project(&format!("api-{at}"), REMOTE))
        .collect();
    assert_eq!(devices(&mut world, 1).paired.len(), 2);
    assert_eq!(
        devices(&mut world, 1)
            .approvals
            .iter()
            .filter(|approval| approval.via.is_some())
            .count(),
        1
    );
    say(&mut world, 1, &places[1], ONE, "of the box");
    world.deliver();
    assert!(knows(&world, 2, "of the box"));
    // Desk unpairs the lap: this also ends the lap's pairing with the box, which only followed
    // desk.
    let _: Done = world.devices[0].ask(Request::Unpair { id: "lap".into() });
    world.deliver();
    say(&mut world, 1, &places[1], ONE, "after that");
    world.deliver();
    assert!(!knows(&world, 2, "after that"));
    assert_eq!(devices(&mut world, 1).paired.len(), 1);
}

#[test]
fn what_a_revoked_device_wrote_since_a_time_goes_and_comes_back_with_undo() {
    let (mut world, places) = all_paired(["desk", "box", "lap"]);
    say(&mut world, 0, &places[0], ONE, "of desk");
    world.deliver();
    say(&mut world, 2, &places[2], ONE, "good words of the lap");
    world.deliver();
    let since = START + 60_000;
    for device in &world.devices {
        device.set_clock(since);
    }
    say(&mut world, 2, &places[2], ONE, "stolen words");
    say(&mut world, 2, &places[2], TWO, "a session of the thief");
    say(&mut world, 0, &places[0], THREE, "another one of desk");
    world.deliver();
    say(&mut world, 2, &places[2], THREE, "answered by the thief");
    world.deliver();
    say(&mut world, 1, &places[1], THREE, "continued by the box");
    world.deliver();
    world.set_clocks(since + 3_600_000);
    let id = world.devices[2].id.to_string();
    let since = session_roam_core::session::Millis(since).rfc3339();
    let answer: RevokeAnswer = world.devices[0].ask(Request::Revoke {
        id,
        since: Some(since.clone()),
        dry: false,
    });
    assert_eq!(answer.cut, 3, "{answer:?}");
    world.deliver();
    world.devices.iter_mut().for_each(|device| device.poll());
    world.deliver();
    for at in [0, 1] {
        assert!(in_store(&world, at, "good words of the lap"), "{at}");
        assert!(
            !in_store(&world, at, "stolen words")
                && !in_store(&world, at, "a session of the thief"),
            "{at}"
        );
        // It says why it is gone, and names no decision that could be undone.
        let row = world.devices[at].row(TWO).expect("a row");
        assert!(
            row.why
                .as_deref()
                .is_some_and(|why| why.contains("was revoked")),
            "{row:?}"
        );
        let restored = world.devices[at].try_ask(Request::Restore {
            session: TWO.into(),
        });
        assert_eq!(
            restored.expect_err("its device was revoked").actions,
            [Remedy::OpenDevices]
        );
        assert!(
            in_store(&world, at, "continued by the box")
                && in_store(&world, at, "answered by the thief"),
            "{at}"
        );
        let own = journals(&world.devices[at]);
        let short = world.devices[at].short();
        let own = own.iter().filter(|journal| journal.owner == short);
        let recorded: Vec<u8> = own
            .flat_map(|journal| journal.additions())
            .flat_map(|(_, bytes)| bytes.to_vec())
            .collect();
        assert!(
            !String::from_utf8_lossy(&recorded).contains("thief"),
            "{at} passes nothing of it off as its own"
        );
    }
    let _: Done = world.devices[0].ask(Request::Undo { session: None });
    world.deliver();
    world.devices.iter_mut().for_each(|device| device.poll());
    world.deliver();
    for at in [0, 1] {
        assert!(
            in_store(&world, at, "stolen words") && in_store(&world, at, "a session of the thief"),
            "{at}"
        );
        assert_eq!(devices(&mut world, at).revoked.len(), 1, "it stays revoked");
    }
}

/// An unpaired device no longer decides here; a device that it revoked stays revoked.
#[test]
fn a_revocation_outlasts_the_pairing_with_the_device_that_stated_it() {
    let (mut world, _) = all_paired(["desk", "box", "lap"]);
    revoke(&mut world, 1, 2);
    world.deliver();
    assert_eq!(devices(&mut world, 0).revoked.len(), 1);
    let _: Done = world.devices[0].ask(Request::Unpair { id: "box".into() });
    world.deliver();
    let found = devices(&mut world, 0);
    assert_eq!((found.paired.len(), found.revoked.len()), (0, 1));
    assert_eq!(found.revoked[0].by, ["desk"]);
}

#[test]
fn a_device_is_named_whole_or_by_a_name_or_start_that_only_it_has() {
    let (mut world, _) = all_paired(["box", "twin", "twin"]);
    let ids: Vec<String> = world
        .devices
        .iter()
        .map(|device| device.id.to_string())
        .collect();
    let second = world.devices[2].status().device;
    let (first, other) = if second == "twin" {
        (&ids[2], &ids[1])
    } else {
        (&ids[1], &ids[2])
    };
    let mut code = |id: &str| {
        let asked = world.devices[0].try_ask(Request::Revoke {
            id: id.into(),
            since: None,
            dry: true,
        });
        asked.map_or_else(
            |error| error.code.to_string(),
            |answer| answer["id"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!((&code("twin"), &code("Twin 2")), (first, other));
    assert_eq!(code(&ids[1][..4]), "unknown_device", "too short");
    assert_eq!(code(&ids[1][..7]), ids[1]);
    assert_eq!(code(&ids[2]), ids[2]);
    assert_eq!(code("nobody"), "unknown_device");
    assert!(
        devices(&mut world, 0).revoked.is_empty(),
        "asking what it would mean does nothing"
    );
}

/// An approved device with a smaller id could make another one change its name again and again.
#[test]
fn a_device_gives_its_name_up_no_more_often_than_there_are_others() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let (rival, victim) = if world.devices[0].id < world.devices[1].id {
        (0, 1)
    } else {
        (1, 0)
    };
    let rename = |world: &mut World, at: usize, name: &str| {
        // The command refuses such a name, but the owner of a device may write it into the
        // settings.
        world.devices[at].stop();
        let change =
            |document: &mut toml_edit::DocumentMut| document["name"] = toml_edit::value(name);
        session_roam_core::settings::change(&world.devices[at].roam, change).expect("settings");
        world.devices[at].start();
        world.deliver();
    };
    let own = world.devices[victim].status().device;
    rename(&mut world, rival, &own);
    let second = world.devices[victim].status().device;
    assert_eq!(
        second,
        format!("{own} 2"),
        "two devices with one host name have distinct names"
    );
    assert!(!world.devices[victim].has_problem("name_clash"));
    for _ in 0..2 {
        rename(&mut world, rival, &second);
        assert_eq!(world.devices[victim].status().device, second);
        assert!(world.devices[victim].has_problem("name_clash"));
        let devices: Devices = world.devices[victim].ask(Request::Devices);
        assert_eq!(
            devices.paired[0].name,
            format!("{own} 3"),
            "it is shown by a number"
        );
        world.devices[victim].start();
        world.deliver();
    }
    rename(&mut world, rival, "another");
    assert!(!world.devices[victim].has_problem("name_clash"));
}

/// Field, kind 11: “goes on as on vm. What vm added …”: two machines with one host name could not
/// be told apart.
#[test]
fn devices_with_one_host_name_get_names_of_their_own_and_keep_them() {
    let mut world = World::devices(["vm", "vm", "VM", "desk"]);
    for (one, other) in [(0, 1), (2, 1), (0, 2), (3, 0)] {
        world.pair(one, other);
    }
    world.deliver();
    let own: Vec<String> = (0..4).map(|at| world.devices[at].status().device).collect();
    let distinct: BTreeSet<String> = own.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(distinct.len(), 4, "{own:?}");
    assert!(
        own.iter()
            .filter(|name| name.to_lowercase() == "vm")
            .count()
            == 1
            && own[3] == "desk",
        "{own:?}"
    );
    // Each device has the same name on all devices as on itself.
    for at in 0..4 {
        let devices: Devices = world.devices[at].ask(Request::Devices);
        for paired in &devices.paired {
            let other = world
                .devices
                .iter()
                .position(|device| device.id.as_str() == paired.id)
                .expect("one of these");
            assert_eq!(paired.name, own[other], "on {}", own[at]);
        }
    }
    let taken = world.devices[0]
        .try_ask(Request::Rename {
            id: None,
            name: own[1].to_uppercase(),
        })
        .expect_err("taken");
    assert_eq!(taken.code.as_str(), "name_taken");
    // A new name is everywhere at once; the host name does not come back when a device restarts.
    let _: Done = world.devices[1].ask(Request::Rename {
        id: None,
        name: "tower".into(),
    });
    world.deliver();
    for device in &mut world.devices {
        device.start();
    }
    world.deliver();
    assert_eq!(world.devices[1].status().device, "tower");
    let devices: Devices = world.devices[0].ask(Request::Devices);
    let tower = world.devices[1].id.to_string();
    assert!(
        devices
            .paired
            .iter()
            .any(|paired| paired.id == tower && paired.name == "tower"),
        "{:?}",
        devices.paired
    );
}

/// Takes out on the first device what another one wrote since a time, an hour after that time.
fn revoke_since(world: &mut World, of: usize, since: i64) {
    world.set_clocks(since + 3_600_000);
    let id = world.devices[of].id.to_string();
    let _: RevokeAnswer = world.devices[0].ask(Request::Revoke {
        id,
        since: Some(session_roam_core::session::Millis(since).rfc3339()),
        dry: false,
    });
    look_again(world);
}

fn undo(world: &mut World) {
    let _: Done = world.devices[0].ask(Request::Undo { session: None });
    look_again(world);
}

fn look_again(world: &mut World) {
    world.deliver();
    for device in &mut world.devices {
        let now = device.clock_now();
        device.set_clock(now + 10_000);
        device.poll();
    }
    world.deliver();
}

/// The third device gives the session a title.
fn title(world: &mut World, title: &str) {
    let _: Done = world.devices[2].ask(Request::RenameSession {
        session: ONE.into(),
        title: title.into(),
    });
    world.deliver();
}

#[test]
fn titles_that_a_revoked_device_gave_since_a_time_go_and_come_back_with_undo() {
    let (mut world, places) = all_paired(["desk", "box", "lap"]);
    say(&mut world, 0, &places[0], ONE, "of desk");
    world.deliver();
    title(&mut world, "by the lap");
    let since = START + 60_000;
    world.set_clocks(since);
    title(&mut world, "by the thief");
    let shown =
        |world: &mut World| [0, 1].map(|at| world.devices[at].row(ONE).expect("known").title);
    assert_eq!(shown(&mut world), ["by the thief"; 2]);
    revoke_since(&mut world, 2, since);
    assert_eq!(shown(&mut world), ["by the lap"; 2]);
    for device in &mut world.devices[..2] {
        device.stop();
        device.start();
    }
    world.deliver();
    assert_eq!(shown(&mut world), ["by the lap"; 2]);
    undo(&mut world);
    assert_eq!(shown(&mut world), ["by the thief"; 2]);
}

#[test]
fn what_a_revoked_device_took_back_since_a_time_is_in_the_session_again() {
    for new in ["", "written by the thief instead"] {
        let (mut world, places) = all_paired(["desk", "box", "lap"]);
        say(&mut world, 2, &places[2], ONE, "the lap begins");
        say(&mut world, 2, &places[2], ONE, "and goes on");
        world.deliver();
        let since = START + 60_000;
        world.set_clocks(since);
        let mut shorter = turn(&places[2], ONE, "the lap begins");
        if !new.is_empty() {
            shorter += &turn(&places[2], ONE, new);
        }
        let path = world.devices[2].place_of(ONE).expect("its own");
        world.devices[2].put(&path, shorter);
        look_again(&mut world);
        assert!(!in_store(&world, 0, "and goes on"), "followed");
        revoke_since(&mut world, 2, since);
        for at in [0, 1] {
            assert!(in_store(&world, at, "and goes on"), "{at} {new:?}");
            assert!(new.is_empty() || !in_store(&world, at, new), "{at}");
        }
    }
}

#[test]
fn a_session_that_two_devices_recorded_stays_although_one_is_revoked_since_before() {
    let mut world = World::devices(["desk", "box", "lap"]);
    let places: Vec<PathBuf> = (0..3)
        .map(|at| world.devices[at].project(&format!("api-{at}"), REMOTE))
        .collect();
    // The lap has a copy of the desk's store, and more of its own.
    for (at, text) in [(0, "of both"), (2, "of both"), (2, "of the lap alone")] {
        let path = world.devices[at].transcript(&places[at], ONE);
        let text = turn(&places[0], ONE, text) + &turn(&places[0], ONE, "goes on");
        world.devices[at].say(&path, text);
    }
    for (one, other) in [(1, 2), (0, 1), (0, 2)] {
        world.pair(one, other);
        world.deliver();
    }
    assert!(in_store(&world, 0, "of the lap alone"));
    revoke_since(&mut world, 2, START - 60_000);
    for at in [0, 1] {
        assert!(in_store(&world, at, "of both"), "{at}");
        assert!(!in_store(&world, at, "of the lap alone"), "{at}");
    }
    undo(&mut world);
    assert!(in_store(&world, 0, "of the lap alone"));
}

#[test]
fn lines_that_another_device_brings_after_a_removal_are_in_the_session_again() {
    let mut world = World::devices(["desk", "box", "lap"]);
    let places: Vec<PathBuf> = (0..3)
        .map(|at| world.devices[at].project(&format!("api-{at}"), REMOTE))
        .collect();
    // The box has a copy of the lap's store.
    let text = turn(&places[2], ONE, "of both");
    for at in [1, 2] {
        let path = world.devices[at].transcript(&places[2], ONE);
        world.devices[at].say(&path, &text);
    }
    let path = world.devices[2].transcript(&places[2], ONE);
    world.devices[2].say(&path, turn(&places[2], ONE, "of the lap alone"));
    world.pair(0, 2);
    world.deliver();
    assert!(in_store(&world, 0, "of the lap alone"));
    revoke_since(&mut world, 2, START - 60_000);
    assert!(!in_store(&world, 0, "of both"));
    world.pair(0, 1);
    look_again(&mut world);
    assert!(in_store(&world, 0, "of both"));
    assert!(!in_store(&world, 0, "of the lap alone"));
}
