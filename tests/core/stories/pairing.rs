//! Pairing: what two devices prove to each other before anything is shared, and what strangers gain
//! by trying.

use super::wire::locked;
use super::world::World;
use session_roam_core::api::{self, ApiError, Devices, Request};
use session_roam_core::session::DeviceId;
use session_roam_core::syncthing::device_id::from_cert_der;
use session_roam_core::syncthing::proof::{self, Bits, CODE_LIFE_MS, Token};
use session_roam_core::syncthing::{Asking, Notice};

fn code(world: &mut World, at: usize) -> String {
    world.devices[at].ask::<api::Device>(Request::Device).code
}

fn devices(world: &mut World, at: usize) -> Devices {
    world.devices[at].ask(Request::Devices)
}

fn pairing(world: &mut World, at: usize, request: Request) -> Result<api::Pairing, ApiError> {
    world.devices[at]
        .try_ask(request)
        .map(|answer| serde_json::from_value(answer).expect("a pairing"))
}

fn accept(world: &mut World, at: usize, id: impl ToString) -> Result<api::Pairing, ApiError> {
    pairing(
        world,
        at,
        Request::Accept {
            id: id.to_string(),
            digits: None,
        },
    )
}

/// Whether a folder of this device is shared with anybody.
fn shares(world: &World, at: usize) -> bool {
    locked(&world.devices[at])
        .wanted
        .folders
        .iter()
        .any(|folder| !folder.shared_with.is_empty())
}

fn is_complete(world: &mut World, at: usize) -> bool {
    devices(world, at)
        .paired
        .iter()
        .any(|paired| paired.confirmed && paired.connected)
}

/// F6: with a code, nothing is shared before both users confirmed and both devices proved the
/// secret.
#[test]
fn nothing_is_shared_before_both_confirmed() {
    let mut world = World::devices(["desk", "lap"]);
    let code = code(&mut world, 0);
    let asked = pairing(&mut world, 1, Request::Pair { code }).expect("asked");
    assert_eq!(
        (
            asked.state.as_str(),
            asked.digits.as_str(),
            asked.name.as_str()
        ),
        ("asked", "", "desk")
    );
    world.deliver();
    assert!(
        !shares(&world, 0) && !shares(&world, 1),
        "only one side said yes"
    );
    let on_desk = devices(&mut world, 0);
    assert_eq!((on_desk.paired.len(), on_desk.asking.len()), (0, 1));
    assert!(on_desk.asking[0].has_code);
    assert_eq!(
        on_desk.asking[0].name, "lap",
        "the name without what it carries"
    );
    assert_eq!(devices(&mut world, 1).paired[0].state.as_str(), "asked");
    let lap = world.devices[1].id.clone();
    assert_eq!(
        accept(&mut world, 0, &lap).expect("let in").state.as_str(),
        "paired"
    );
    assert!(!shares(&world, 1), "the answer is still on its way");
    world.deliver();
    assert!(is_complete(&mut world, 0) && is_complete(&mut world, 1));
    assert!(shares(&world, 0) && shares(&world, 1));
    // After the exchange both use their plain names again.
    for (at, name) in [(0, "desk"), (1, "lap")] {
        assert_eq!(locked(&world.devices[at]).called.as_deref(), Some(name));
    }
}

/// F4: "approve here whatever I approve on desk" is chosen at pairing, and counts once the pairing
/// is complete.
#[test]
fn following_is_chosen_at_pairing_and_counts_once_it_is_complete() {
    let mut world = World::devices(["desk", "lap"]);
    let ids = [0, 1].map(|at| world.devices[at].id.to_string());
    let follows = |world: &mut World, at: usize| {
        let approvals = devices(world, at).approvals;
        approvals
            .into_iter()
            .map(|approval| (approval.id, approval.follow))
            .collect::<Vec<_>>()
    };
    let follow = |id: &str, on: bool| Request::Follow { id: id.into(), on };
    let stranger = world.devices[1]
        .try_ask(follow(&ids[0], true))
        .expect_err("it was never heard of");
    assert_eq!(stranger.code.as_str(), "unknown_device");
    let code = code(&mut world, 0);
    pairing(&mut world, 1, Request::Pair { code }).expect("asked");
    for on in [true, false, true] {
        world.devices[1]
            .try_ask(follow(&ids[0], on))
            .expect("it is being paired");
    }
    world.deliver();
    assert_eq!(follows(&mut world, 1), [], "nothing is approved yet");
    accept(&mut world, 0, &ids[1]).expect("let in");
    world.deliver();
    assert!(is_complete(&mut world, 0) && is_complete(&mut world, 1));
    assert_eq!(follows(&mut world, 1), [(ids[0].clone(), true)]);
    assert_eq!(
        follows(&mut world, 0),
        [(ids[1].clone(), false)],
        "the other side chose nothing"
    );
}

/// F6: without a code both screens show the same digits, and nothing is shared until both users
/// confirmed them.
#[test]
fn without_a_code_digits_are_compared_on_both_sides() {
    let mut world = World::devices(["desk", "lap"]);
    let (desk, lap) = (world.devices[0].id.clone(), world.devices[1].id.clone());
    let begun = pairing(
        &mut world,
        1,
        Request::Pair {
            code: desk.to_string(),
        },
    )
    .expect("begun");
    assert_eq!(begun.state.as_str(), "comparing");
    world.deliver();
    let asking = devices(&mut world, 0).asking;
    assert!(asking[0].compares && !asking[0].has_code);
    assert_eq!(
        accept(&mut world, 0, &lap)
            .expect_err("not compared")
            .code
            .as_str(),
        "not_proved"
    );
    assert_eq!(
        devices(&mut world, 1).paired[0].digits,
        "",
        "the other nonce is not known yet"
    );
    pairing(
        &mut world,
        0,
        Request::Pair {
            code: lap.to_string(),
        },
    )
    .expect("begun too");
    world.deliver();
    let shown: Vec<String> = [0, 1]
        .map(|at| devices(&mut world, at).paired[0].digits.clone())
        .to_vec();
    assert_eq!((shown[0].len(), &shown[0]), (6, &shown[1]));
    assert!(!shares(&world, 0) && !shares(&world, 1));
    assert_eq!(
        accept(&mut world, 0, &lap)
            .expect_err("eyes are needed")
            .code
            .as_str(),
        "digits_needed"
    );
    let digits = Some(shown[0].clone());
    pairing(
        &mut world,
        0,
        Request::Accept {
            id: lap.to_string(),
            digits: digits.clone(),
        },
    )
    .expect("they match");
    world.deliver();
    assert!(!shares(&world, 1), "its user did not say yes yet");
    let waits = devices(&mut world, 0).paired[0].clone();
    assert_eq!(
        (waits.state.as_str(), waits.confirmed, &waits.digits),
        ("confirming", true, &shown[0]),
        "the digits stay until the other side has confirmed"
    );
    pairing(
        &mut world,
        1,
        Request::Accept {
            id: desk.to_string(),
            digits,
        },
    )
    .expect("they match");
    world.deliver();
    assert!(is_complete(&mut world, 0) && is_complete(&mut world, 1));
    for at in [0, 1] {
        let paired = devices(&mut world, at).paired[0].clone();
        assert_eq!(
            (paired.state.as_str(), paired.digits.as_str()),
            ("paired", "")
        );
    }
}

/// F6: the first device to ask under a name need not be the one that the user means.
#[test]
fn accept_by_name_is_refused() {
    let mut world = World::devices(["desk"]);
    world.devices[0].notice(Notice::Asking(vec![stranger(1, "laptop")]));
    assert_eq!(
        accept(&mut world, 0, "laptop")
            .expect_err("a name is no id")
            .code
            .as_str(),
        "id_needed"
    );
    let start: String = stranger(1, "").id.as_str().chars().take(7).collect();
    assert_eq!(
        accept(&mut world, 0, start)
            .expect_err("nor is the start of one")
            .code
            .as_str(),
        "id_needed"
    );
    assert_eq!(
        accept(&mut world, 0, stranger(1, "").id)
            .expect_err("nothing is proved")
            .code
            .as_str(),
        "not_proved"
    );
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

/// F6: a link may come from anywhere. Even with the right secret in it, it proves nothing and
/// shares nothing.
#[test]
fn a_link_gives_nothing_away() {
    let mut world = World::devices(["desk", "lap"]);
    let link = code(&mut world, 0).replace("session-roam:1?", "session-roam://pair?");
    let read: api::Code = world.devices[1].ask(Request::ReadCode { code: link.clone() });
    assert!(!read.proves);
    world.deliver();
    assert!(
        devices(&mut world, 0).asking.is_empty(),
        "reading a code sends nothing"
    );
    assert_eq!(
        pairing(&mut world, 1, Request::Pair { code: link })
            .expect("begun")
            .state
            .as_str(),
        "comparing"
    );
    world.deliver();
    let asking = devices(&mut world, 0).asking;
    assert!(asking.len() == 1 && !asking[0].has_code);
    assert!(!shares(&world, 0) && !shares(&world, 1));
}

#[test]
fn a_secret_that_is_wrong_expired_or_used_up_proves_nothing() {
    // Wrong: the secret of another device's code.
    let mut world = World::devices(["desk", "lap", "pi"]);
    let [of_desk, of_pi] = [0, 2].map(|at| code(&mut world, at));
    let key = |code: &str| code.split("&key=").nth(1).expect("a key").to_owned();
    let wrong = of_desk.replace(&key(&of_desk), &key(&of_pi));
    pairing(&mut world, 1, Request::Pair { code: wrong }).expect("asked");
    world.deliver();
    let lap = world.devices[1].id.clone();
    assert!(!devices(&mut world, 0).asking[0].has_code);
    assert_eq!(
        accept(&mut world, 0, &lap)
            .expect_err("wrong")
            .code
            .as_str(),
        "not_proved"
    );
    // The right one still works after that, but not after it has expired.
    pairing(
        &mut world,
        1,
        Request::Pair {
            code: of_desk.clone(),
        },
    )
    .expect("asked");
    world.deliver();
    assert!(
        devices(&mut world, 0).asking[0].has_code,
        "a wrong proof uses nothing up"
    );
    let now = world.devices[0].clock_now();
    world.devices[0].set_clock(now + CODE_LIFE_MS);
    assert_eq!(
        accept(&mut world, 0, &lap)
            .expect_err("expired")
            .code
            .as_str(),
        "not_proved"
    );
    world.devices[0].set_clock(now);
    accept(&mut world, 0, &lap).expect("in time");
    world.deliver();
    // Used up: another reader of the code comes too late.
    pairing(
        &mut world,
        2,
        Request::Pair {
            code: of_desk.clone(),
        },
    )
    .expect("asked");
    world.deliver();
    let pi = world.devices[2].id.clone();
    assert_eq!(
        accept(&mut world, 0, &pi)
            .expect_err("used up")
            .code
            .as_str(),
        "not_proved"
    );
    assert_ne!(
        key(&code(&mut world, 0)),
        key(&of_desk),
        "the next code has another secret"
    );
}

/// A proposal by another device is no proof: who asks must still prove to know the code.
#[test]
fn a_proposed_device_that_asks_must_prove_to_have_the_code() {
    let mut world = World::devices(["desk", "box", "lap"]);
    let used = code(&mut world, 1);
    let [desk, lap] = [0, 2].map(|at| world.devices[at].id.clone());
    pairing(&mut world, 0, Request::Pair { code: used.clone() }).expect("asked");
    world.deliver();
    accept(&mut world, 1, &desk).expect("let in");
    world.pair(0, 2);
    world.deliver();
    assert_eq!(devices(&mut world, 1).proposed.len(), 1);
    pairing(&mut world, 2, Request::Pair { code: used }).expect("asked");
    world.deliver();
    assert!(!devices(&mut world, 1).asking[0].has_code);
    let refused = accept(&mut world, 1, &lap).expect_err("the code was used");
    assert_eq!(refused.code.as_str(), "not_proved");
    let fresh = code(&mut world, 1);
    pairing(&mut world, 2, Request::Pair { code: fresh }).expect("asked");
    world.deliver();
    let accepted = accept(&mut world, 1, &lap).expect("it has the code");
    assert_eq!(accepted.state.as_str(), "paired");
    world.deliver();
    for (at, other) in [(1, "lap"), (2, "box")] {
        let paired = devices(&mut world, at).paired;
        let row = paired.iter().find(|row| row.name == other).expect("a row");
        assert!(row.confirmed && row.connected, "{row:?}");
    }
}

#[test]
fn a_device_that_is_only_proposed_is_approved_and_not_yet_paired() {
    let mut world = World::devices(["desk", "box", "lap"]);
    world.pair(0, 1);
    world.pair(0, 2);
    world.deliver();
    let [on_box, lap] = [1, 2].map(|at| world.devices[at].id.clone());
    let approved = accept(&mut world, 1, &lap).expect("proposed");
    assert_eq!(
        (approved.state.as_str(), approved.name.as_str()),
        ("approved", "lap")
    );
    world.deliver();
    let on_lap = accept(&mut world, 2, &on_box).expect("proposed there, too");
    assert_eq!(on_lap.state.as_str(), "approved");
    world.deliver();
    for at in [1, 2] {
        let paired = devices(&mut world, at).paired;
        assert!(paired.iter().all(|row| row.confirmed && row.connected));
        assert_eq!(paired.len(), 2);
    }
}

#[test]
fn of_two_devices_with_one_code_the_user_lets_one_in() {
    let mut world = World::devices(["desk", "lap", "lap"]);
    let code = code(&mut world, 0);
    for at in [1, 2] {
        pairing(&mut world, at, Request::Pair { code: code.clone() }).expect("asked");
    }
    world.deliver();
    assert_eq!(
        devices(&mut world, 0)
            .asking
            .iter()
            .filter(|one| one.has_code)
            .count(),
        2
    );
    let ids = [1, 2].map(|at| world.devices[at].id.clone());
    accept(&mut world, 0, &ids[1]).expect("let in");
    world.deliver();
    assert!(is_complete(&mut world, 2) && !is_complete(&mut world, 1));
    assert_eq!(
        accept(&mut world, 0, &ids[0])
            .expect_err("one pairing")
            .code
            .as_str(),
        "not_proved"
    );
}

/// F6: a device's announcement is bound to the device and to its recipient.
#[test]
fn a_proof_replayed_by_another_device_proves_nothing() {
    let mut world = World::devices(["desk", "lap"]);
    let code = code(&mut world, 0);
    pairing(&mut world, 1, Request::Pair { code }).expect("asked");
    let announced = locked(&world.devices[1]).called.clone().expect("a name");
    assert!(announced.len() <= 512 && announced.starts_with("lap"));
    // As it was heard, and as an announcement of its own.
    let (desk, lap) = (world.devices[0].id.clone(), world.devices[1].id.clone());
    let tokens: Vec<(DeviceId, Token)> = proof::heard(&announced, &lap, &desk)
        .into_iter()
        .map(|token| (desk.clone(), token))
        .collect();
    assert!(matches!(tokens[..], [(_, Token::Ask(_))]));
    let as_own = proof::announce("lap", &stranger(1, "").id, &tokens);
    for announced in [announced, as_own] {
        world.devices[0].notice(Notice::Asking(vec![Asking {
            announced,
            ..stranger(1, "lap")
        }]));
        let asking = devices(&mut world, 0).asking;
        assert_eq!(
            (asking[0].has_code, asking[0].name.as_str()),
            (false, "lap")
        );
        assert!(accept(&mut world, 0, stranger(1, "").id).is_err());
    }
}

#[test]
fn two_who_entered_each_others_codes_are_paired() {
    let mut world = World::devices(["desk", "lap"]);
    let codes = [0, 1].map(|at| code(&mut world, at));
    pairing(
        &mut world,
        0,
        Request::Pair {
            code: codes[1].clone(),
        },
    )
    .expect("asked");
    pairing(
        &mut world,
        1,
        Request::Pair {
            code: codes[0].clone(),
        },
    )
    .expect("asked");
    world.deliver();
    assert!(
        is_complete(&mut world, 0) && is_complete(&mut world, 1),
        "both users said yes to the other's code"
    );
}

#[test]
fn a_restart_between_the_steps_continues_the_pairing() {
    let mut world = World::devices(["desk", "lap"]);
    let code = code(&mut world, 0);
    pairing(&mut world, 1, Request::Pair { code }).expect("asked");
    world.devices[1].start();
    world.deliver();
    let lap = world.devices[1].id.clone();
    accept(&mut world, 0, &lap).expect("let in");
    // The secret itself was only in memory and is gone; the answer is kept.
    world.devices[0].start();
    world.devices[1].start();
    world.deliver();
    assert!(is_complete(&mut world, 0) && is_complete(&mut world, 1));

    let mut world = World::devices(["desk", "lap"]);
    let ids = [0, 1].map(|at| world.devices[at].id.clone());
    compare(&mut world, &ids);
    for at in [0, 1] {
        world.devices[at].start();
    }
    world.deliver();
    let shown = [0, 1].map(|at| devices(&mut world, at).paired[0].digits.clone());
    assert!(shown[0].len() == 6 && shown[0] == shown[1]);
}

#[test]
fn a_code_shown_before_a_restart_is_worth_nothing_after_it() {
    let mut world = World::devices(["desk", "lap"]);
    let code = code(&mut world, 0);
    world.devices[0].start();
    pairing(&mut world, 1, Request::Pair { code }).expect("asked");
    world.deliver();
    assert!(!devices(&mut world, 0).asking[0].has_code);
}

fn compare(world: &mut World, ids: &[DeviceId; 2]) {
    for at in [1, 0] {
        pairing(
            world,
            at,
            Request::Pair {
                code: ids[1 - at].to_string(),
            },
        )
        .expect("begun");
        world.deliver();
    }
}

#[test]
fn digits_that_differ_end_the_attempt_and_the_next_one_has_others() {
    let mut world = World::devices(["desk", "lap"]);
    let ids = [0, 1].map(|at| world.devices[at].id.clone());
    compare(&mut world, &ids);
    let first = devices(&mut world, 0).paired[0].digits.clone();
    let wrong = Some(if first == "000000" {
        "000001".into()
    } else {
        "000000".to_owned()
    });
    let request = Request::Accept {
        id: ids[1].to_string(),
        digits: wrong,
    };
    assert_eq!(
        pairing(&mut world, 0, request)
            .expect_err("they differ")
            .code
            .as_str(),
        "digits_differ"
    );
    assert_eq!(devices(&mut world, 0).paired[0].state.as_str(), "ended");
    let right = Request::Accept {
        id: ids[1].to_string(),
        digits: Some(first.clone()),
    };
    assert!(
        pairing(&mut world, 0, right).is_err(),
        "one try for each attempt"
    );
    // Both begin again; what the other announced in the last attempt no longer counts.
    for at in [0, 1] {
        pairing(
            &mut world,
            at,
            Request::Pair {
                code: ids[1 - at].to_string(),
            },
        )
        .expect("begun");
        world.deliver();
    }
    let shown = [0, 1].map(|at| devices(&mut world, at).paired[0].digits.clone());
    assert!(shown[0].len() == 6 && shown[0] == shown[1], "{shown:?}");
    assert!(!shares(&world, 0) && !shares(&world, 1));
    for at in [0, 1] {
        let request = Request::Accept {
            id: ids[1 - at].to_string(),
            digits: Some(shown[0].clone()),
        };
        pairing(&mut world, at, request).expect("they match");
        world.deliver();
    }
    assert!(is_complete(&mut world, 0) && is_complete(&mut world, 1));
}

/// F6: an impostor is bound before it knows our nonce. If it then sends another value, the attempt
/// ends; only the user can start a new one, and only a few times a minute.
#[test]
fn an_impostor_has_one_try_for_each_click() {
    let mut world = World::devices(["desk"]);
    let (own, mallory) = (world.devices[0].id.clone(), stranger(7, "").id);
    let compare = |world: &mut World| {
        pairing(
            world,
            0,
            Request::Pair {
                code: mallory.to_string(),
            },
        )
    };
    let says = |world: &mut World, bound: &Bits, nonce: Option<&Bits>| {
        let commitment = Token::Commitment(proof::commitment(bound, &mallory, &own));
        let tokens = std::iter::once(commitment).chain(nonce.map(|nonce| Token::Nonce(*nonce)));
        let tokens: Vec<(DeviceId, Token)> = tokens.map(|token| (own.clone(), token)).collect();
        let announced = proof::announce("lap", &mallory, &tokens);
        world.devices[0].notice(Notice::Greeted {
            device: mallory.clone(),
            announced,
        });
    };
    let revealed = |world: &World| {
        let called = locked(&world.devices[0]).called.clone().expect("a name");
        proof::heard(&called, &own, &mallory)
            .iter()
            .any(|token| matches!(token, Token::Nonce(_)))
    };
    let [one, other] = [0, 1].map(|_| Bits::random().expect("random"));
    compare(&mut world).expect("begun");
    assert!(!revealed(&world), "nothing is revealed to who is not bound");
    says(&mut world, &one, None);
    assert!(revealed(&world));
    says(&mut world, &one, Some(&other));
    assert_eq!(
        devices(&mut world, 0).paired[0].state.as_str(),
        "ended",
        "another nonce than it is bound to"
    );
    says(&mut world, &one, Some(&one));
    assert_eq!(devices(&mut world, 0).paired[0].state.as_str(), "ended");
    compare(&mut world).expect("begun");
    says(&mut world, &one, Some(&one));
    assert!(!revealed(&world), "what it was bound to before is spoiled");
    says(&mut world, &other, None);
    says(&mut world, &one, Some(&one));
    assert_eq!(
        devices(&mut world, 0).paired[0].state.as_str(),
        "ended",
        "it is bound to something else now"
    );
    for _ in 0..3 {
        compare(&mut world).expect("begun");
    }
    assert_eq!(
        compare(&mut world).expect_err("too often").code.as_str(),
        "too_many_attempts"
    );
}

#[test]
fn an_attempt_that_takes_too_long_is_over_and_its_device_is_let_go() {
    let mut world = World::devices(["desk", "lap"]);
    let code = code(&mut world, 0);
    pairing(&mut world, 1, Request::Pair { code }).expect("asked");
    assert_eq!(locked(&world.devices[1]).wanted.devices.len(), 1);
    let now = world.devices[1].clock_now();
    world.devices[1].set_clock(now + 15 * 60 * 1000);
    world.devices[1].poll();
    assert_eq!(devices(&mut world, 1).paired[0].state.as_str(), "ended");
    assert!(locked(&world.devices[1]).wanted.devices.is_empty());
    assert_eq!(locked(&world.devices[1]).called.as_deref(), Some("lap"));
    let _: api::Done = world.devices[1].ask(Request::Unpair { id: "desk".into() });
    assert!(devices(&mut world, 1).paired.is_empty());
}

/// F4: the lap's user confirms a pairing, and another device revokes the lap meanwhile.
#[test]
fn a_pairing_under_way_undoes_no_revocation() {
    let mut world = World::devices(["desk", "box", "lap"]);
    world.pair(0, 1);
    world.pair(0, 2);
    let code = code(&mut world, 2);
    pairing(&mut world, 1, Request::Pair { code }).expect("asked");
    world.deliver();
    let (of_box, lap) = (world.devices[1].id.clone(), world.devices[2].id.clone());
    accept(&mut world, 2, &of_box).expect("let in over there");
    // The answer is on its way when the box hears of the revocation.
    world.part(1, 2);
    let revoke = Request::Revoke {
        id: lap.to_string(),
        since: None,
        dry: false,
    };
    let _: api::RevokeAnswer = world.devices[0].ask(revoke);
    world.deliver();
    let called = locked(&world.devices[1]).called.clone();
    assert_eq!(called.as_deref(), Some("box"), "it asks no more");
    world.meet(1, 2);
    let on_box = devices(&mut world, 1);
    assert_eq!(on_box.revoked.len(), 1, "{on_box:?}");
    let wanted = locked(&world.devices[1]).wanted.clone();
    assert!(
        wanted
            .folders
            .iter()
            .all(|folder| !folder.shared_with.contains(&lap))
    );
    assert!(wanted.devices.iter().all(|device| device.id != lap));
}

/// F10: strangers cost a few lines, whatever they call themselves; a device that has the code is
/// never crowded out.
#[test]
fn four_hundred_strangers_are_a_few_and_the_one_with_the_code_comes_first() {
    let mut world = World::devices(["desk", "lap"]);
    let code = code(&mut world, 0);
    pairing(&mut world, 1, Request::Pair { code }).expect("asked");
    let announced = locked(&world.devices[1]).called.clone().expect("a name");
    let lap = Asking {
        id: world.devices[1].id.clone(),
        announced,
        ..stranger(0, "lap")
    };
    let hostile = "\u{202e}ksed\u{1b}[2J".repeat(50);
    let strangers = (1..=400).map(|number| stranger(number, &hostile));
    world.devices[0].notice(Notice::Asking(strangers.chain([lap]).collect()));
    let shown = devices(&mut world, 0);
    assert!(shown.asking[0].has_code && shown.asking[0].name == "lap");
    assert_eq!(
        (
            shown.asking.len() as u64 + shown.more_asking,
            shown.asking.len()
        ),
        (401, 9)
    );
    for asking in &shown.asking {
        assert!(
            asking.name.chars().count() <= 64 && !asking.name.chars().any(char::is_control),
            "{asking:?}"
        );
    }
}

/// Device books of earlier versions: connected devices stay paired; devices that had only been
/// asked must pair again.
#[test]
fn a_book_of_before_is_read_as_it_was() {
    let mut world = World::asleep(["desk", "lap", "pi"]);
    let rows: Vec<serde_json::Value> = [(1, true), (2, false)]
        .map(|(at, confirmed): (usize, bool)| {
            let (id, name) = (
                world.devices[at].id.to_string(),
                world.devices[at].name.clone(),
            );
            serde_json::json!({ "id": id, "name": name, "addresses": [], "confirmed": confirmed })
        })
        .into();
    let registry = serde_json::json!({ "paired": rows, "parted": [], "names": {}, "former": [] });
    std::fs::write(
        world.devices[0].roam.join("devices.json"),
        registry.to_string(),
    )
    .expect("a registry");
    world.devices[0].start();
    let states: Vec<String> = devices(&mut world, 0)
        .paired
        .into_iter()
        .map(|paired| paired.state.to_string())
        .collect();
    assert_eq!(states, ["paired", "ended"]);
    let wanted = locked(&world.devices[0]).wanted.clone();
    assert_eq!(
        wanted
            .devices
            .iter()
            .map(|device| &device.id)
            .collect::<Vec<_>>(),
        [&world.devices[1].id]
    );
}
