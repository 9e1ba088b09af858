//! Pairing and parting, as the user asks for it: both sides say yes, and nobody is added alone.

use super::answers::{Answer, done, settings_error, value};
use super::devices::{Paired, starts};
use super::heart::Engine;
use crate::api::types::*;
use crate::merge::Statement;
use crate::session::{DeviceId, NAME_LENGTH};
use crate::syncthing::{device_id, pairing};
use std::time::Duration;

impl Engine {
    pub(super) fn devices(&self) -> Devices {
        let own = &self.context.device;
        let paired = self.book.paired.iter().map(|paired| {
            let peer = self.neighbours.peers.iter().find(|peer| peer.id == paired.id);
            PairedDevice {
                id: paired.id.to_string(),
                name: self.shown_name(paired),
                connected: peer.is_some_and(|peer| peer.connected),
                last_seen: peer.and_then(|peer| peer.last_seen.clone()),
                addresses: paired.addresses.clone(),
                digits: pairing::digits(own, &paired.id),
                confirmed: paired.confirmed,
                in_step: peer.map_or(0.0, |peer| peer.in_step),
            }
        });
        let asking = self
            .neighbours
            .asking
            .iter()
            .filter(|asking| !self.book.is_paired(&asking.id) && !self.lists.now.revoked.contains_key(&asking.id))
            .map(|asking| AskingDevice {
                id: asking.id.to_string(),
                name: asking.name.clone(),
                digits: pairing::digits(own, &asking.id),
                address: asking.address.clone(),
            });
        let proposed = self.circle().strangers().map(|(known, by)| ProposedDevice {
            id: known.id.to_string(),
            name: known.name.clone(),
            by: self.shown_name(by),
            digits: pairing::digits(own, &known.id),
        });
        self.transport.look_around();
        let nearby_off = match (self.settings.network.local_discovery, self.syncthing.state.as_str()) {
            (false, _) => Some("Finding devices on the same network is switched off."),
            (true, "running") => None,
            (true, _) => Some("Syncthing, which finds them, does not run."),
        };
        Devices {
            paired: paired.collect(),
            asking: asking.collect(),
            proposed: proposed.collect(),
            nearby: if nearby_off.is_none() { self.nearby() } else { Vec::new() },
            nearby_off: nearby_off.map(str::to_owned),
            approvals: self.approvals(),
            revoked: self.revoked_devices(),
        }
    }

    /// Devices on the same network that are listed nowhere else.
    fn nearby(&self) -> Vec<NearbyDevice> {
        let own = &self.context.device;
        let is_listed = |id: &DeviceId| {
            id == own
                || self.book.is_paired(id)
                || self.neighbours.asking.iter().any(|asking| asking.id == *id)
                || self.circle().strangers().any(|(known, _)| known.id == *id)
        };
        let near = self.neighbours.nearby.iter().filter(|near| !is_listed(&near.id));
        let device = near.map(|near| NearbyDevice {
            id: near.id.to_string(),
            name: self.book.names.get(near.id.as_str()).cloned(),
            addresses: near.addresses.clone(),
            digits: pairing::digits(own, &near.id),
        });
        device.collect()
    }

    pub(super) fn shown_name(&self, paired: &Paired) -> String {
        self.book.names.get(paired.id.as_str()).unwrap_or(&paired.name).clone()
    }

    pub(super) fn pair(&mut self, code: &str) -> Answer {
        let code = pairing::parse(code).map_err(|error| {
            ApiError::new(
                "bad_code",
                super::look::with_causes(&error),
                "Copy the whole code that `roam device` shows on the other device.",
            )
        })?;
        if code.id == self.context.device {
            return Err(ApiError::new(
                "own_code",
                "This is this device's own code.",
                "Run `roam device` on the other device and use its code here.",
            ));
        }
        let name = if code.name.is_empty() { code.id.as_str().chars().take(7).collect() } else { code.name };
        self.join(code.id, name, code.addresses)
    }

    pub(super) fn accept(&mut self, text: &str) -> Answer {
        let asking = self.neighbours.asking.iter().map(|asking| (asking.id.clone(), asking.name.clone()));
        let proposed = self.circle().strangers().map(|(known, _)| (known.id.clone(), known.name.clone()));
        let found = asking.chain(proposed).find(|(id, name)| name.eq_ignore_ascii_case(text) || starts(id, text));
        match found {
            Some((id, name)) => self.join(id, name, Vec::new()),
            None => match device_id::parse(text) {
                // Its whole id was given, so it is the one that is meant, even if its question is still on its way.
                Ok(id) if id != self.context.device => {
                    let name = id.as_str().chars().take(7).collect();
                    self.join(id, name, Vec::new())
                }
                _ => Err(ApiError::new(
                    "not_asking",
                    format!("No device “{text}” asks to pair."),
                    "See who asks with `roam devices`.",
                )),
            },
        }
    }

    pub(super) fn join(&mut self, id: DeviceId, name: String, addresses: Vec<String>) -> Answer {
        let asked = self.neighbours.asking.iter().any(|asking| asking.id == id);
        let digits = pairing::digits(&self.context.device, &id);
        if self.lists.now.revoked.contains_key(&id) {
            let hint = format!("If it may come back, let it in with `roam approve {}`.", id.as_str());
            return Err(ApiError::new("device_revoked", format!("{name} was revoked."), hint));
        }
        let since = self.last_said(&id);
        let known = self.book.paired.iter_mut().find(|paired| paired.id == id);
        let (name, state) = match known {
            Some(paired) => {
                if !addresses.is_empty() {
                    paired.addresses = addresses;
                }
                (paired.name.clone(), if paired.confirmed { "already_paired" } else { "asked" })
            }
            None => {
                self.book.paired.push(Paired {
                    id: id.clone(),
                    name: name.clone(),
                    addresses,
                    confirmed: asked,
                    since,
                });
                (name, if asked { "paired" } else { "asked" })
            }
        };
        self.book.parted.retain(|parted| *parted != id);
        self.goodbye.remove(&id);
        self.declare_approved(&id, &name)?;
        self.neighbours.asking.retain(|asking| asking.id != id);
        let short = id.short();
        self.trouble(&format!("left {short}"), None);
        self.context.change().names.entry(short).or_insert_with(|| name.clone());
        self.save_book();
        self.greet();
        self.arrange();
        value(Pairing { id: id.to_string(), name, digits, state: state.into() })
    }

    pub(super) fn dismiss(&mut self, text: &str) -> Answer {
        let found = self
            .neighbours
            .asking
            .iter()
            .find(|asking| asking.name.eq_ignore_ascii_case(text) || starts(&asking.id, text))
            .cloned();
        let Some(asking) = found else {
            return Err(ApiError::new(
                "not_asking",
                format!("No device “{text}” asks to pair."),
                "See who asks with `roam devices`.",
            ));
        };
        self.transport.dismiss(asking.id.clone());
        self.neighbours.asking.retain(|other| other.id != asking.id);
        done(format!("{} was turned away.", asking.name))
    }

    pub(super) fn rename(&mut self, id: Option<&str>, name: &str) -> Answer {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME_LENGTH || name.chars().any(char::is_control) {
            return Err(ApiError::new(
                "bad_name",
                "A name has 1 to 64 characters and no control characters.",
                "Choose another name.",
            ));
        }
        let Some(id) = id else {
            self.settings = crate::settings::change(&self.home, |document| document["name"] = toml_edit::value(name))
                .map_err(settings_error)?;
            self.name = name.to_owned();
            self.transport.called(name.to_owned());
            let short = self.context.short.clone();
            self.context.change().names.insert(short, name.to_owned());
            self.greet();
            return done(format!("This device is called {name} now."));
        };
        let paired = self.book.find(id).cloned().ok_or_else(|| unknown_device(id))?;
        self.book.names.insert(paired.id.to_string(), name.to_owned());
        self.context.change().names.insert(paired.id.short(), name.to_owned());
        self.save_book();
        done(format!("{} is shown as {name} here.", paired.name))
    }

    /// Says goodbye first: the other device learns of it before the way to it is cut.
    pub(super) fn unpair(&mut self, text: &str) -> Answer {
        const GRACE: Duration = Duration::from_secs(10);
        let paired = self.book.find(text).cloned().ok_or_else(|| unknown_device(text))?;
        self.goodbye.insert(paired.id.clone());
        if let Err(error) = self.declare(vec![Statement::Unapprove { device: paired.id.clone() }]) {
            self.goodbye.remove(&paired.id);
            return Err(error);
        }
        self.greet();
        self.transport.part(paired.id.clone(), GRACE);
        done(format!("{} is told, then the two devices part. The sessions on both stay.", self.shown_name(&paired)))
    }
}

fn unknown_device(text: &str) -> ApiError {
    ApiError::new("unknown_device", format!("No paired device is called “{text}”."), "List them with `roam devices`.")
}
