//! Whose text a server may return: that of all devices, or of some. Decided by the device that wrote a message, which
//! the engine knows from signed journals; names are those that this device gives them and are unique.

use crate::ask::Engine;
use session_roam_core::api::{ApiError, Devices, Message, Request, SessionRow, Status};
use std::collections::BTreeSet;

/// What the user allowed at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allowed {
    #[default]
    All,
    Own,
    Devices(Vec<String>),
}

/// The same, with the names as they are now.
pub struct Scope {
    /// This device.
    pub own: String,
    /// Lower-case names; `None` allows all.
    only: Option<BTreeSet<String>>,
    revoked: BTreeSet<String>,
}

impl Scope {
    pub fn now(allowed: &Allowed, engine: &mut Engine) -> Result<Self, ApiError> {
        let status: Status = engine.ask(&Request::Status)?.as_type()?;
        let devices: Devices = engine.ask(&Request::Devices)?.as_type()?;
        let only = match allowed {
            Allowed::All => None,
            Allowed::Own => Some(BTreeSet::from([status.device.to_lowercase()])),
            Allowed::Devices(names) => Some(names.iter().map(|name| name.to_lowercase()).collect()),
        };
        Ok(Self {
            own: status.device,
            only,
            revoked: devices
                .revoked
                .into_iter()
                .map(|device| device.name)
                .collect(),
        })
    }

    /// Whether anything is left out.
    pub fn is_limited(&self) -> bool {
        self.only.is_some()
    }

    /// The names of the devices whose text may be returned; `None` for all.
    pub fn names(&self) -> Option<Vec<String>> {
        let only = self.only.as_ref()?;
        Some(only.iter().cloned().collect())
    }

    pub fn has_device(&self, device: Option<&str>) -> bool {
        match (&self.only, device) {
            (None, _) => true,
            // A message whose author is not known may be anybody's.
            (Some(_), None) => false,
            (Some(only), Some(device)) => only.contains(&device.to_lowercase()),
        }
    }

    /// Whether a device added to the session whose text may be returned.
    pub fn has_part_of(&self, session: &SessionRow) -> bool {
        !self.is_limited() || self.some_of(&session.devices)
    }

    pub fn some_of(&self, devices: &[String]) -> bool {
        devices.iter().any(|device| self.has_device(Some(device)))
    }

    /// Whether the session is of such devices only: its title may be anybody's message.
    pub fn has_all_of(&self, devices: &[String]) -> bool {
        !self.is_limited()
            || !devices.is_empty() && devices.iter().all(|device| self.has_device(Some(device)))
    }

    pub fn has_message(&self, message: &Message) -> bool {
        self.has_device(message.device.as_deref())
    }

    /// A device by name, for a line of session-roam's own.
    pub fn device(&self, device: Option<&str>) -> String {
        let Some(device) = device else {
            return "a device that is not known".into();
        };
        let name = super::quotation::name(device);
        match device {
            device if device == self.own => format!("this device, {name}"),
            device if self.revoked.contains(device) => format!("device {name}, which was revoked"),
            _ => format!("device {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(only: Option<&[&str]>) -> Scope {
        Scope {
            own: "desk".into(),
            only: only.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            revoked: BTreeSet::from(["old".to_owned()]),
        }
    }

    #[test]
    fn unknown_authors_count_as_others() {
        let own = scope(Some(&["desk"]));
        assert!(own.has_device(Some("Desk")) && !own.has_device(Some("laptop")));
        assert!(!own.has_device(None) && scope(None).has_device(None));
    }

    #[test]
    fn a_title_is_told_if_all_its_devices_may_be() {
        let [desk, laptop] = ["desk", "laptop"].map(str::to_owned);
        let own = scope(Some(&["desk"]));
        assert!(own.some_of(&[desk.clone(), laptop.clone()]));
        assert!(!own.has_all_of(&[desk.clone(), laptop]) && own.has_all_of(&[desk]));
        assert!(!own.has_all_of(&[]) && scope(None).has_all_of(&[]));
    }

    #[test]
    fn a_revoked_device_is_told_as_such() {
        assert_eq!(
            scope(None).device(Some("old")),
            "device \"old\", which was revoked"
        );
        assert_eq!(scope(None).device(Some("desk")), "this device, \"desk\"");
    }
}
