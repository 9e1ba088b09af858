//! Pairing. Giving a code only asks the other device; the yes that counts is said after comparing the digits.

use crate::args::Pair;
use crate::ask::Engine;
use crate::confirm::confirm;
use crate::out::Output;
use crate::render::devices::{self, spaced};
use session_roam_core::api::quote::word;
use session_roam_core::api::{ApiError, Device, Devices, Pairing, Request};

pub fn pair(engine: &mut Engine, what: Pair) -> Result<Output, ApiError> {
    match what {
        Pair { dismiss: Some(id), .. } => engine.done(&Request::Dismiss { id }),
        Pair { accept: Some(id), yes, .. } => accept(engine, id, yes),
        Pair { code, .. } => ask(engine, code.unwrap_or_default()),
    }
}

fn ask(engine: &mut Engine, code: String) -> Result<Output, ApiError> {
    let answer = engine.ask(&Request::Pair { code: code.trim().to_owned() })?;
    let here: Device = engine.ask(&Request::Device)?.as_type()?;
    answer.show(|pairing: Pairing| devices::pairing(&pairing, &here.name))
}

fn accept(engine: &mut Engine, id: String, yes: bool) -> Result<Output, ApiError> {
    let id = if yes { id } else { compared(engine, &id)? };
    let answer = engine.ask(&Request::Accept { id })?;
    let here: Device = engine.ask(&Request::Device)?.as_type()?;
    answer.show(|pairing: Pairing| devices::pairing(&pairing, &here.name))
}

/// The whole id of the device meant, once the user has compared the digits.
fn compared(engine: &mut Engine, id: &str) -> Result<String, ApiError> {
    let devices: Devices = engine.ask(&Request::Devices)?.as_type()?;
    let knocking = find(&devices, id)?;
    println_name(&knocking);
    match confirm(&format!("Does the other screen show {}?", spaced(&knocking.digits)))? {
        true => Ok(knocking.id),
        false => Err(ApiError::new(
            "digits_differ",
            format!("{} was not accepted.", knocking.name),
            format!("If it is not yours: roam pair --dismiss {}", word(&knocking.name)),
        )),
    }
}

fn println_name(knocking: &Knocking) {
    crate::out::note(&format!("{} wants to pair with this device.", knocking.name));
}

#[derive(Debug, PartialEq)]
struct Knocking {
    id: String,
    name: String,
    digits: String,
}

/// Finds by whole id, else by name, else by the start of the id.
fn find(devices: &Devices, wanted: &str) -> Result<Knocking, ApiError> {
    let asking = devices.asking.iter().map(|it| (&it.id, &it.name, &it.digits));
    let all: Vec<_> = asking.chain(devices.proposed.iter().map(|it| (&it.id, &it.name, &it.digits))).collect();
    let start = wanted.to_uppercase();
    type Way<'a> = &'a dyn Fn(&str, &str) -> bool;
    let ways: [Way; 3] = [&|id, _| id == start, &|_, name| name.eq_ignore_ascii_case(wanted), &|id, _| {
        !start.is_empty() && id.starts_with(&start)
    }];
    for is_meant in ways {
        let found: Vec<_> = all.iter().filter(|(id, name, _)| is_meant(id, name)).collect();
        match found[..] {
            [] => continue,
            [(id, name, digits)] => {
                return Ok(Knocking { id: (*id).clone(), name: (*name).clone(), digits: (*digits).clone() });
            }
            _ => {
                let message = format!("More than one device is meant by {wanted}.");
                return Err(ApiError::new(
                    "ambiguous_device",
                    message,
                    "Give more of its id: `roam devices` shows it.",
                ));
            }
        }
    }
    Err(ApiError::new(
        "unknown_device",
        format!("No device asks to pair by the name or id {wanted}."),
        "`roam devices` lists who asks. Give this device's code there first: `roam device` shows it.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use session_roam_core::api::{AskingDevice, ProposedDevice};

    fn devices() -> Devices {
        let asking = |id: &str, name: &str| AskingDevice {
            id: id.into(),
            name: name.into(),
            digits: "483917".into(),
            address: String::new(),
        };
        Devices {
            asking: vec![asking("AAAA-1", "laptop"), asking("AAAA-2", "box"), asking("BBBB-1", "box")],
            proposed: vec![ProposedDevice {
                id: "CCCC-1".into(),
                name: "AAAA-1".into(),
                by: "desk".into(),
                digits: "1".into(),
            }],
            ..Devices::default()
        }
    }

    #[test]
    fn a_device_is_found_by_id_then_name_then_start_of_id() {
        let id = |wanted: &str| find(&devices(), wanted).map(|found| found.id).map_err(|error| error.code);
        assert_eq!(id("aaaa-1"), Ok("AAAA-1".into()), "a name cannot pose as another's id");
        assert_eq!(id("Laptop"), Ok("AAAA-1".into()));
        assert_eq!(id("bb"), Ok("BBBB-1".into()));
        assert_eq!(id("ccc"), Ok("CCCC-1".into()));
        assert_eq!(id("box"), Err("ambiguous_device".into()));
        assert_eq!(id("aaaa"), Err("ambiguous_device".into()));
        assert_eq!(id("phone"), Err("unknown_device".into()));
        assert_eq!(id(""), Err("unknown_device".into()));
    }
}
