//! Pairing: what two devices prove to each other before anything is shared, and what strangers get out of trying.

use crate::wire::locked;
use crate::world::World;
use session_roam_core::api::{self, ApiError, Devices, Request};
use session_roam_core::syncthing::device_id::from_cert_der;
use session_roam_core::syncthing::{Asking, Notice};

fn code(world: &mut World, at: usize) -> String {
    world.devices[at].ask::<api::Device>(Request::Device).code
}

fn devices(world: &mut World, at: usize) -> Devices {
    world.devices[at].ask(Request::Devices)
}

fn pairing(world: &mut World, at: usize, request: Request) -> Result<api::Pairing, ApiError> {
    world.devices[at].try_ask(request).map(|answer| serde_json::from_value(answer).expect("a pairing"))
}

fn accept(world: &mut World, at: usize, id: impl ToString) -> Result<api::Pairing, ApiError> {
    pairing(world, at, Request::Accept { id: id.to_string(), digits: None })
}

/// Whether a folder of this device is shared with anybody.
fn shares(world: &World, at: usize) -> bool {
    locked(&world.devices[at]).wanted.folders.iter().any(|folder| !folder.shared_with.is_empty())
}

fn is_complete(world: &mut World, at: usize) -> bool {
    devices(world, at).paired.iter().any(|paired| paired.confirmed && paired.connected)
}

/// F6: with a code, nothing is shared before both users said yes and both devices proved it.
#[test]
fn nothing_is_shared_before_both_confirmed() {
    let mut world = World::devices(["desk", "lap"]);
    let code = code(&mut world, 0);
    let asked = pairing(&mut world, 1, Request::Pair { code }).expect("asked");
    assert_eq!((asked.state.as_str(), asked.digits.as_str(), asked.name.as_str()), ("asked", "", "desk"));
    world.deliver();
    assert!(!shares(&world, 0) && !shares(&world, 1), "only one side said yes");
    let on_desk = devices(&mut world, 0);
    assert_eq!((on_desk.paired.len(), on_desk.asking.len()), (0, 1));
    assert!(on_desk.asking[0].has_code);
    assert_eq!(on_desk.asking[0].name, "lap", "the name without what it carries");
    assert_eq!(devices(&mut world, 1).paired[0].state, "asked");
    let lap = world.devices[1].id.clone();
    assert_eq!(accept(&mut world, 0, &lap).expect("let in").state, "paired");
    assert!(!shares(&world, 1), "the answer is still on its way");
    world.deliver();
    assert!(is_complete(&mut world, 0) && is_complete(&mut world, 1));
    assert!(shares(&world, 0) && shares(&world, 1));
    // When all is said, both are called by their plain names.
    for (at, name) in [(0, "desk"), (1, "lap")] {
        assert_eq!(locked(&world.devices[at]).called.as_deref(), Some(name));
    }
}

/// F6: without a code both screens show the same digits, and only after both users confirmed them is anything shared.
#[test]
fn without_a_code_digits_are_compared_on_both_sides() {
    let mut world = World::devices(["desk", "lap"]);
    let (desk, lap) = (world.devices[0].id.clone(), world.devices[1].id.clone());
    let begun = pairing(&mut world, 1, Request::Pair { code: desk.to_string() }).expect("begun");
    assert_eq!(begun.state, "comparing");
    world.deliver();
    let asking = devices(&mut world, 0).asking;
    assert!(asking[0].compares && !asking[0].has_code);
    assert_eq!(accept(&mut world, 0, &lap).expect_err("not compared").code, "not_proved");
    assert_eq!(devices(&mut world, 1).paired[0].digits, "", "the other nonce is not known yet");
    pairing(&mut world, 0, Request::Pair { code: lap.to_string() }).expect("begun too");
    world.deliver();
    let shown: Vec<String> = [0, 1].map(|at| devices(&mut world, at).paired[0].digits.clone()).to_vec();
    assert_eq!((shown[0].len(), &shown[0]), (6, &shown[1]));
    assert!(!shares(&world, 0) && !shares(&world, 1));
    assert_eq!(accept(&mut world, 0, &lap).expect_err("eyes are needed").code, "digits_needed");
    let digits = Some(shown[0].clone());
    pairing(&mut world, 0, Request::Accept { id: lap.to_string(), digits: digits.clone() }).expect("they match");
    world.deliver();
    assert!(!shares(&world, 1), "its user did not say yes yet");
    pairing(&mut world, 1, Request::Accept { id: desk.to_string(), digits }).expect("they match");
    world.deliver();
    assert!(is_complete(&mut world, 0) && is_complete(&mut world, 1));
}

/// F6: whoever asks first under a name is not the device that is meant by it.
#[test]
fn accept_by_name_is_refused() {
    let mut world = World::devices(["desk"]);
    world.devices[0].notice(Notice::Asking(vec![stranger(1, "laptop")]));
    assert_eq!(accept(&mut world, 0, "laptop").expect_err("a name is no id").code, "id_needed");
    let start: String = stranger(1, "").id.as_str().chars().take(7).collect();
    assert_eq!(accept(&mut world, 0, start).expect_err("nor is the start of one").code, "id_needed");
    assert_eq!(accept(&mut world, 0, stranger(1, "").id).expect_err("nothing is proved").code, "not_proved");
    assert!(!shares(&world, 0));
}

fn stranger(number: u32, name: &str) -> Asking {
    Asking {
        id: from_cert_der(&number.to_be_bytes()),
        name: name.into(),
        announced: name.into(),
        address: "192.0.2.7:22000".into(),
    }
}
