//! Pairing with the real `roam` and real Syncthings: with a code, without one, and with a stranger
//! of the same name that asks first.

use serde_json::Value;
use session_roam_testutils::checks::Place;
use session_roam_testutils::device::{Device, PATIENCE, pair, rows, wait_paired};
use session_roam_testutils::isolation::{alone, wait_for};
use std::time::Instant;

fn id(device: &Device) -> String {
    device.roam(&["device"])["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

fn code(device: &Device) -> String {
    device.roam(&["device"])["code"]
        .as_str()
        .expect("a code")
        .to_owned()
}

fn asking(device: &Device, id: &str) -> Value {
    wait_for(
        &format!("{} to see {id} asking", device.name),
        PATIENCE,
        || {
            let devices = device.roam(&["devices"]);
            rows(&devices["asking"])
                .find(|row| row["id"] == id)
                .cloned()
                .ok_or(devices.to_string())
        },
    )
}

/// Whether the vault has a folder of `other`: there is none before both users confirmed.
fn has_folder_of(device: &Device, other: &str) -> bool {
    let short: String = other.chars().filter(|c| *c != '-').take(14).collect();
    device.roam_home.join("vault").join(short).exists()
}

fn refusal(device: &Device, arguments: &[&str]) -> String {
    let ended = device.end_of_roam(arguments);
    assert!(!ended.status.success(), "{arguments:?}: {}", ended.stdout);
    let answer: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.told()));
    answer["error"]["code"].as_str().expect("a code").to_owned()
}

/// F6 with real Syncthings: both sides prove the code's secret, and a stranger of the same name
/// that asks first changes nothing.
#[test]
fn a_code_pairs_the_device_that_has_it_and_no_other_of_its_name() {
    alone(|| {
        let place = Place::empty();
        let (desk, stranger, laptop) = (
            place.running("desk"),
            place.running("laptop2"),
            place.running("laptop"),
        );
        stranger.roam(&["rename", "laptop"]);
        let code = code(&desk);
        // The stranger knows the address, not the secret.
        let (keyless, _) = code.split_once("&key=").expect("a secret");
        stranger.roam(&["pair", keyless, "--yes"]);
        let (stranger_id, laptop_id) = (id(&stranger), id(&laptop));
        assert_eq!(asking(&desk, &stranger_id)["has_code"], false);

        let begun = Instant::now();
        laptop.roam(&["pair", &code, "--yes"]);
        let devices = wait_for("the laptop to be known by the code", PATIENCE, || {
            let devices = desk.roam(&["devices"]);
            let proved = rows(&devices["asking"])
                .next()
                .is_some_and(|row| row["id"] == laptop_id.as_str() && row["has_code"] == true);
            if proved {
                Ok(devices)
            } else {
                Err(devices.to_string())
            }
        });
        println!("the proof arrived after {:?}", begun.elapsed());
        assert_eq!(
            rows(&devices["asking"])
                .filter(|row| row["name"] == "laptop")
                .count(),
            2,
            "{devices}"
        );
        assert!(!has_folder_of(&desk, &laptop_id) && !has_folder_of(&laptop, &id(&desk)));
        assert_eq!(
            refusal(&desk, &["pair", "--accept", "laptop", "--yes"]),
            "id_needed"
        );
        assert_eq!(
            refusal(&desk, &["pair", "--accept", &stranger_id, "--yes"]),
            "not_proved"
        );

        let accepted = Instant::now();
        desk.roam(&["pair", "--accept", &laptop_id, "--yes"]);
        wait_paired(&desk, &laptop_id);
        wait_paired(&laptop, &id(&desk));
        println!("paired {:?} after the yes", accepted.elapsed());
        wait_for("the laptop's card to arrive", PATIENCE, || {
            if has_folder_of(&desk, &laptop_id) {
                Ok(())
            } else {
                Err("not yet".into())
            }
        });
        assert!(!has_folder_of(&desk, &stranger_id) && !has_folder_of(&stranger, &id(&desk)));
    });
}

/// F6 with real Syncthings: without a code both screens show the same digits, and nothing is shared
/// before both users confirmed them.
#[test]
fn without_a_code_both_screens_show_digits_and_both_users_confirm() {
    alone(|| {
        let place = Place::empty();
        let (desk, laptop) = (place.running("desk"), place.running("laptop"));
        let (desk_id, laptop_id) = (id(&desk), id(&laptop));
        let code = code(&desk);
        let (keyless, _) = code.split_once("&key=").expect("a secret");
        laptop.roam(&["pair", keyless, "--yes"]);
        assert_eq!(asking(&desk, &laptop_id)["compares"], true);
        let begun = Instant::now();
        desk.roam(&["pair", &laptop_id, "--yes"]);
        let [on_desk, on_laptop] =
            [(&desk, &laptop_id), (&laptop, &desk_id)].map(|(device, other)| {
                wait_for(&format!("digits on {}", device.name), PATIENCE, || {
                    let devices = device.roam(&["devices"]);
                    let row = rows(&devices["paired"]).find(|row| row["id"] == other.as_str());
                    let digits = row
                        .and_then(|row| row["digits"].as_str())
                        .filter(|digits| digits.len() == 6);
                    digits.map(str::to_owned).ok_or(devices.to_string())
                })
            });
        println!("digits on both screens after {:?}", begun.elapsed());
        assert_eq!(on_desk, on_laptop);
        assert!(!has_folder_of(&desk, &laptop_id) && !has_folder_of(&laptop, &desk_id));
        assert_eq!(
            refusal(&desk, &["pair", "--accept", &laptop_id, "--yes"]),
            "digits_needed"
        );
        desk.roam(&["pair", "--accept", &laptop_id, "--digits", &on_laptop]);
        assert!(
            !has_folder_of(&laptop, &desk_id),
            "its user did not confirm"
        );
        laptop.roam(&["pair", "--accept", &desk_id, "--digits", &on_desk]);
        wait_paired(&desk, &laptop_id);
        wait_paired(&laptop, &desk_id);
    });
}

#[test]
fn a_device_that_forgot_the_other_is_paired_again_with_a_new_code() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, laptop) = (place.running("desk"), place.running("laptop"));
        let (desk_id, laptop_id) = (id(&desk), id(&laptop));
        pair(&laptop, &desk);
        // The desk is off and does not notice.
        desk.stop();
        laptop.roam(&["unpair", &desk_id]);
        wait_for("the laptop to part", PATIENCE, || {
            let registry =
                std::fs::read_to_string(laptop.roam_home.join("devices.json")).unwrap_or_default();
            let registry: Value = serde_json::from_str(&registry).unwrap_or_default();
            if rows(&registry["parted"]).any(|id| *id == desk_id.as_str()) {
                Ok(())
            } else {
                Err(registry.to_string())
            }
        });
        desk.start();
        let code = code(&desk);
        laptop.roam(&["pair", &code, "--yes"]);
        // The desk's user approved the laptop before and shows its code now: there is nothing left
        // to ask.
        wait_paired(&laptop, &desk_id);
        wait_paired(&desk, &laptop_id);
    });
}

/// R23: the other device hears that it was let go before the connection is cut.
#[test]
fn unpairing_is_heard_by_the_other_device() {
    alone(|| {
        let place = Place::empty();
        let (desk, laptop) = (place.running("desk"), place.running("laptop"));
        pair(&desk, &laptop);
        desk.roam(&["unpair", "laptop"]);
        for device in [&desk, &laptop] {
            let what = format!("{} to have no other device", device.name);
            wait_for(&what, PATIENCE, || {
                let devices = device.roam(&["devices"]);
                match rows(&devices["paired"]).next() {
                    None => Ok(()),
                    Some(_) => Err(devices.to_string()),
                }
            });
        }
        let status = laptop.roam(&["status"]);
        let told = rows(&status["problems"]).any(|problem| problem["code"] == "device_left");
        assert!(told, "{status}");
    });
}
