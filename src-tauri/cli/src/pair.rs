//! Pairing. Nothing is sent and nobody is let in before the user agrees; `--yes` agrees in advance,
//! but never replaces a person who compares digits.

use crate::args::Pair;
use crate::ask::Engine;
use crate::confirm::confirm;
use crate::out::Output;
use crate::render::devices::{self, spaced};
use session_roam_core::api::{ApiError, Code, Device, Devices, Pairing, Request};
use session_roam_core::session::ProblemCode;
use session_roam_core::session::Remedy;

/// The effect of pairing, shown before it is done.
const SHARED: &str = "Your sessions then sync between both.";

pub fn pair(engine: &mut Engine, what: Pair) -> Result<Output, ApiError> {
    match what {
        Pair {
            dismiss: Some(id), ..
        } => engine.done(&Request::Dismiss { id }),
        Pair {
            accept: Some(id),
            yes,
            digits,
            follow,
            ..
        } => accept(engine, id, yes, digits, follow),
        Pair {
            code, yes, follow, ..
        } => ask(engine, code.unwrap_or_default(), yes, follow),
    }
}

/// The pairing as the engine answered it, with the choice to follow the device.
fn begun(engine: &mut Engine, request: &Request, follow: bool) -> Result<Output, ApiError> {
    let answer = engine.ask(request)?;
    if follow {
        let pairing: Pairing = answer.as_type()?;
        engine.ask(&Request::Follow {
            id: pairing.id,
            on: true,
        })?;
    }
    let here: Device = engine.ask(&Request::Device)?.as_type()?;
    answer.show(|pairing: Pairing| devices::pairing(&pairing, &here))
}

fn ask(engine: &mut Engine, code: String, yes: bool, follow: bool) -> Result<Output, ApiError> {
    let code = code.trim().to_owned();
    let read: Code = engine
        .ask(&Request::ReadCode { code: code.clone() })?
        .as_type()?;
    let question = match (read.has_code, read.proves) {
        (true, _) => format!("{} has this device's code. {SHARED} Accept it?", read.name),
        (false, true) => format!(
            "This is the code of {}, {}. {SHARED} Pair with it?",
            read.name, read.id
        ),
        (false, false) => format!(
            "This ID proves nothing, so six digits are compared first. Nothing is shared before that. Compare with {}?",
            read.id
        ),
    };
    if !yes && !confirm(&question, "Confirm beforehand with --yes.")? {
        return Err(refused(&read.name));
    }
    begun(engine, &Request::Pair { code }, follow)
}

fn accept(
    engine: &mut Engine,
    text: String,
    yes: bool,
    digits: Option<String>,
    follow: bool,
) -> Result<Output, ApiError> {
    let devices: Devices = engine.ask(&Request::Devices)?.as_type()?;
    let (id, digits) = match find(&devices, &text) {
        Some(Meant::Known { question, name, id }) => {
            if !yes && !confirm(&question, "Confirm beforehand with --yes.")? {
                return Err(refused(&name));
            }
            (id, None)
        }
        Some(Meant::Compared { id, name, shown }) => (
            id.clone(),
            Some(compared(engine, &id, &name, shown, yes, digits)?),
        ),
        // The engine reports the reason.
        None => (text, digits),
    };
    begun(engine, &Request::Accept { id, digits }, follow)
}

fn compared(
    engine: &mut Engine,
    id: &str,
    name: &str,
    shown: String,
    yes: bool,
    digits: Option<String>,
) -> Result<String, ApiError> {
    if let Some(digits) = digits {
        return Ok(digits);
    }
    if yes {
        return Err(ApiError::new(
            ProblemCode::DigitsNeeded,
            format!(
                "{name} has not proved to be yours, so its digits must be compared; --yes is not enough."
            ),
            "Give the digits that the other screen shows with --digits.",
        ));
    }
    let hint = "Give the digits that the other screen shows with --digits.";
    if confirm(
        &format!("Does {name} show {}? {SHARED}", spaced(&shown)),
        hint,
    )? {
        return Ok(shown);
    }
    engine.ask(&Request::Unpair { id: id.to_owned() })?;
    Err(ApiError::new(
        ProblemCode::DigitsDiffer,
        format!("{name} was not accepted: the digits differ. Nothing was shared with it."),
        "Start again, preferably with the code of the other device.",
    )
    .offer(Remedy::ShowCode))
}

fn refused(name: &str) -> ApiError {
    ApiError::new(
        ProblemCode::NotPaired,
        format!("Not paired with {name}."),
        "Nothing was sent and nothing was shared.",
    )
}

#[derive(Debug, PartialEq)]
enum Meant {
    /// Proven by the device or vouched for by another: only the user's consent is missing.
    Known {
        id: String,
        name: String,
        question: String,
    },
    Compared {
        id: String,
        name: String,
        shown: String,
    },
}

/// By whole id only: anybody may choose any name.
fn find(devices: &Devices, wanted: &str) -> Option<Meant> {
    let plain = |text: &str| {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_uppercase()
    };
    let is_meant = |id: &str| plain(id) == plain(wanted);
    if let Some(one) = devices
        .asking
        .iter()
        .find(|one| is_meant(&one.id) && one.has_code)
    {
        let question = format!("{} has this device's code. {SHARED} Accept it?", one.name);
        return Some(Meant::Known {
            id: one.id.clone(),
            name: one.name.clone(),
            question,
        });
    }
    if let Some(one) = devices
        .paired
        .iter()
        .find(|one| is_meant(&one.id) && !one.confirmed && !one.digits.is_empty())
    {
        return Some(Meant::Compared {
            id: one.id.clone(),
            name: one.name.clone(),
            shown: one.digits.clone(),
        });
    }
    let proposed = devices.proposed.iter().find(|one| is_meant(&one.id))?;
    let question = format!(
        "{} is paired with {}. Sessions sync as soon as it approves this device, too. Approve it here?",
        proposed.name, proposed.by
    );
    Some(Meant::Known {
        id: proposed.id.clone(),
        name: proposed.name.clone(),
        question,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use session_roam_core::api::{AskingDevice, ProposedDevice};

    #[test]
    fn a_device_is_meant_by_its_whole_id_only() {
        let asking = |id: &str, name: &str, has_code: bool| AskingDevice {
            id: id.into(),
            name: name.into(),
            address: String::new(),
            has_code,
            compares: false,
        };
        let proposed = ProposedDevice {
            id: "CCCC-1".into(),
            name: "AAAA-1".into(),
            by: "desk".into(),
        };
        let devices = Devices {
            asking: vec![
                asking("AAAA-1", "laptop", true),
                asking("BBBB-1", "box", false),
            ],
            proposed: vec![proposed],
            ..Devices::default()
        };
        let id = |wanted: &str| match find(&devices, wanted) {
            Some(Meant::Known { id, .. }) => Some(id),
            _ => None,
        };
        assert_eq!(
            id("aaaa1"),
            Some("AAAA-1".into()),
            "a name cannot pose as another's id"
        );
        assert_eq!(id("CCCC-1"), Some("CCCC-1".into()));
        for wanted in ["laptop", "AAAA", "BBBB-1", "box", ""] {
            assert_eq!(id(wanted), None, "{wanted}");
        }
    }
}
