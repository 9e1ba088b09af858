//! Pairing and unpairing at the user's request: both sides agree, and no device is added alone.

use super::Engine;
use super::attempts::{asking_name, unnamed};
use super::devices::{Attempt, Paired, Step, starts};
use super::event::PutOut;
use crate::api::answer::{Answer, Reply, done, value};
use crate::api::types::*;
use crate::api::types::{PairedState, PairingState, SyncthingState};
use crate::merge::Statement;
use crate::merge::device_list::Heads;
use crate::session::{DeviceId, ProblemCode, Remedy, decent_name};
use crate::syncthing::{Reach, pairing};
use std::time::Duration;

impl Engine {
    pub(super) fn devices(&self) -> Devices {
        let own = &self.context.device;
        let paired = self.registry.paired.iter().map(|paired| {
            let peer = self
                .peer_state
                .peers
                .iter()
                .find(|peer| peer.id == paired.id);
            PairedDevice {
                id: paired.id.to_string(),
                name: self.shown_name(paired),
                connected: peer.is_some_and(|peer| peer.connected),
                last_seen: peer.and_then(|peer| peer.last_seen.clone()),
                addresses: paired.addresses.clone(),
                digits: paired.digits(own).unwrap_or_default(),
                confirmed: paired.confirmed,
                state: state(paired),
                in_step: peer.map_or(0.0, |peer| peer.percent_synced),
                outstanding: peer.map_or(0, |peer| peer.need_bytes),
                route: peer.and_then(|peer| peer.reach).map(|reach| match reach {
                    Reach::SameNetwork => Route::Lan,
                    Reach::Internet => Route::Internet,
                    Reach::Relay => Route::Relay,
                }),
                version: peer.and_then(|peer| peer.version.clone()),
            }
        });
        let asking = self.asking();
        let proposed = self.circle().strangers().map(|(known, by)| ProposedDevice {
            id: known.id.to_string(),
            name: known.name.clone(),
            by: self.shown_name(by),
        });
        self.transport.list_nearby();
        let nearby_off = match (self.settings.network.local_discovery, self.syncthing.state) {
            (false, _) => Some("Finding devices on the same network is switched off."),
            (true, SyncthingState::Running) => None,
            (true, _) => Some("Syncthing, which finds them, does not run."),
        };
        Devices {
            paired: paired.collect(),
            asking,
            more_asking: self.peer_state.more_asking,
            proposed: proposed.collect(),
            nearby: if nearby_off.is_none() {
                self.nearby()
            } else {
                Vec::new()
            },
            nearby_off: nearby_off.map(str::to_owned),
            approvals: self.approvals(),
            revoked: self.revoked_devices(),
        }
    }

    /// Devices that want to be let in; those that know this device's code come first.
    fn asking(&self) -> Vec<AskingDevice> {
        // A device whose code was entered here may know this one's code too; then it is listed as
        // usual.
        let in_book = self
            .registry
            .paired
            .iter()
            .filter(|paired| !paired.confirmed);
        let connected = in_book.filter_map(|paired| {
            self.secret_known_to(&paired.id)?;
            let name = self.shown_name(paired);
            Some(AskingDevice {
                id: paired.id.to_string(),
                name,
                address: String::new(),
                has_code: true,
                compares: false,
            })
        });
        let open = |id: &DeviceId| {
            self.registry
                .paired
                .iter()
                .any(|paired| paired.id == *id && paired.is_wanted())
        };
        let others = self
            .peer_state
            .asking
            .iter()
            .filter(|asking| !open(&asking.id) && !self.lists.now.revoked.contains_key(&asking.id))
            .map(|asking| AskingDevice {
                id: asking.id.to_string(),
                name: asking_name(asking),
                address: asking.address.clone(),
                has_code: self.secret_known_to(&asking.id).is_some(),
                compares: self.offers_digits(asking),
            });
        let mut all: Vec<AskingDevice> = connected.chain(others).collect();
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|asking| seen.insert(asking.id.clone()));
        all.sort_by_key(|asking| (!asking.has_code, !asking.compares));
        all
    }

    /// Devices on the same network that are listed nowhere else.
    fn nearby(&self) -> Vec<NearbyDevice> {
        let own = &self.context.device;
        let is_listed = |id: &DeviceId| {
            id == own
                || self.registry.is_paired(id)
                || self.peer_state.asking.iter().any(|asking| asking.id == *id)
                || self.circle().strangers().any(|(known, _)| known.id == *id)
        };
        let near = self
            .peer_state
            .nearby
            .iter()
            .filter(|near| !is_listed(&near.id));
        let device = near.map(|near| NearbyDevice {
            id: near.id.to_string(),
            name: self.registry.names.get(near.id.as_str()).cloned(),
            addresses: near.addresses.clone(),
        });
        device.collect()
    }

    pub(super) fn shown_name(&self, paired: &Paired) -> String {
        self.registry
            .names
            .get(paired.id.as_str())
            .unwrap_or(&paired.name)
            .clone()
    }

    /// The content of a code, before any use of it.
    pub(super) fn read_code(&self, code: &str) -> Answer {
        let code = self.parsed(code)?;
        let known = self
            .registry
            .paired
            .iter()
            .find(|paired| paired.id == code.id);
        value(Code {
            name: known.map_or_else(|| name_in(&code), |paired| self.shown_name(paired)),
            id: code.id.to_string(),
            proves: code.key.is_some(),
            has_code: self.secret_known_to(&code.id).is_some(),
            paired: known.is_some_and(|paired| paired.confirmed),
        })
    }

    fn parsed(&self, code: &str) -> Result<pairing::Code, ApiError> {
        let code = pairing::parse(code).map_err(|error| {
            ApiError::new(
                ProblemCode::BadCode,
                format!(
                    "This is not a pairing code: {}",
                    crate::session::problem::with_causes(&error)
                ),
                "Copy the whole code from the other device.",
            )
            .offer(Remedy::ShowCode)
        })?;
        if code.id == self.context.device {
            return Err(ApiError::new(
                ProblemCode::OwnCode,
                "This is this device's own code.",
                "Use the code of the other device.",
            )
            .offer(Remedy::ShowCode));
        }
        Ok(code)
    }

    /// With a code: proves to that device that its code was read here. Without one: begins to
    /// compare digits, or lets in a device that has proved to know this device's code.
    pub(super) fn pair(&mut self, code: &str) -> Answer {
        let code = self.parsed(code)?;
        let id = code.id.clone();
        self.refuse_revoked(&id)?;
        let confirmed = self.registry.complete().any(|paired| paired.id == id);
        let connected = self
            .peer_state
            .peers
            .iter()
            .any(|peer| peer.id == id && peer.connected);
        if confirmed && connected && code.key.is_none() {
            return self.pairing_with(&id, PairingState::AlreadyPaired);
        }
        if let (Some(secret), None) = (self.secret_known_to(&id), &code.key) {
            self.let_in(&id, &secret)?;
            return self.pairing_with(&id, PairingState::Paired);
        }
        self.forget_half_begun();
        match &code.key {
            Some(key) => self.ask_with(&id, key)?,
            None => self.compare_with(&id)?,
        }
        self.apply_pairing_code(code);
        self.peer_state.asking.retain(|asking| asking.id != id);
        self.attempts_changed();
        let now_confirmed = self.registry.complete().any(|paired| paired.id == id);
        let comparing = self.registry.paired.iter().any(|row| {
            row.id == id
                && matches!(
                    row.attempt,
                    Some(Attempt {
                        step: Step::Comparing { .. },
                        ..
                    })
                )
        });
        self.pairing_with(
            &id,
            if comparing {
                PairingState::Comparing
            } else if now_confirmed && !confirmed {
                PairingState::Paired
            } else {
                PairingState::Asked
            },
        )
    }

    /// A revocation is undone by name only, never as a side effect.
    pub(super) fn refuse_revoked(&self, id: &DeviceId) -> Result<(), ApiError> {
        let Some(revoked) = self.lists.now.revoked.get(id) else {
            return Ok(());
        };
        let hint = "Approve it first if it may sync again.";
        Err(ApiError::new(
            ProblemCode::DeviceRevoked,
            format!("{} was revoked.", decent_name(&revoked.name)),
            hint,
        )
        .offer(Remedy::Approve { id: id.to_string() }))
    }

    fn apply_pairing_code(&mut self, code: pairing::Code) {
        let given = code.name.clone();
        let Some(paired) = self
            .registry
            .paired
            .iter_mut()
            .find(|paired| paired.id == code.id)
        else {
            return;
        };
        if !given.is_empty() && !paired.confirmed {
            paired.name = name_in(&code);
        }
        if !code.addresses.is_empty() {
            paired.addresses = code.addresses;
        }
        self.name_apart();
    }

    fn pairing_with(&self, id: &DeviceId, state: PairingState) -> Answer {
        let paired = self.registry.paired.iter().find(|paired| paired.id == *id);
        let digits = paired
            .and_then(|paired| paired.digits(&self.context.device))
            .unwrap_or_default();
        let name = paired.map_or_else(|| unnamed(id), |paired| self.shown_name(paired));
        value(Pairing {
            id: id.to_string(),
            name,
            digits,
            state,
        })
    }

    /// Lets a device in. A name does not identify a device: whoever asks first could have any name.
    pub(super) fn accept(&mut self, text: &str, digits: Option<&str>) -> Answer {
        let id = match pairing::parse(text) {
            Ok(code) => code.id,
            Err(_) => {
                return Err(ApiError::new(
                    ProblemCode::IdNeeded,
                    format!("“{}” is not a whole device ID.", decent_name(text)),
                    "Give the whole ID of the device: anyone can choose a name.",
                )
                .offer(Remedy::OpenDevices));
            }
        };
        self.refuse_revoked(&id)?;
        if self.registry.complete().any(|paired| paired.id == id) {
            return self.pairing_with(&id, PairingState::AlreadyPaired);
        }
        if let Some(secret) = self.secret_known_to(&id) {
            self.let_in(&id, &secret)?;
            return self.pairing_with(&id, PairingState::Paired);
        }
        let row = self.registry.paired.iter().find(|paired| paired.id == id);
        if let Some(shown) = row.and_then(|row| row.digits(&self.context.device)) {
            return self.accept_compared(&id, &shown, digits);
        }
        let asks = row.is_some() || self.peer_state.asking.iter().any(|asking| asking.id == id);
        let pairs = row.is_some_and(Paired::is_attempted) || self.begins_pairing(&id);
        // Who begins a pairing waits for an answer to it, which an approval is not.
        if !pairs && let Some(name) = self.proposed_name(&id) {
            return self.approve_proposed(&id, name);
        }
        Err(if asks {
            ApiError::new(
                ProblemCode::NotProved,
                "This device has not proved to be yours: it does not know this device's code, and \
                 no digits were compared with it.",
                "Enter this device's code on that device, or compare digits.",
            )
            .offer(Remedy::ShowCode)
            .offer(Remedy::CompareDigits { id: id.to_string() })
        } else {
            not_asking(text)
        })
    }

    fn proposed_name(&self, id: &DeviceId) -> Option<String> {
        let proposed = self.circle().strangers().find(|(known, _)| known.id == *id);
        let name = decent_name(&proposed?.0.name);
        Some(if name.is_empty() { unnamed(id) } else { name })
    }

    /// Approves a device that another one proposes. Nothing is shared before it approves this one.
    fn approve_proposed(&mut self, id: &DeviceId, name: String) -> Answer {
        self.approve_paired(id)?;
        if let Some(row) = self.registry.paired.iter_mut().find(|row| row.id == *id) {
            row.name = name;
        }
        self.name_apart();
        self.attempts_changed();
        self.pairing_with(id, PairingState::Approved)
    }

    fn accept_compared(&mut self, id: &DeviceId, shown: &str, given: Option<&str>) -> Answer {
        let Some(given) = given else {
            return Err(ApiError::new(
                ProblemCode::DigitsNeeded,
                "The digits of this device must be compared first: both screens must show the same six.",
                "Compare the digits on both screens, then confirm them.",
            ));
        };
        let given: String = given.chars().filter(|c| !c.is_whitespace()).collect();
        if given != shown {
            self.end_attempt(id);
            return Err(ApiError::new(
                ProblemCode::DigitsDiffer,
                "The digits differ, so this may not be your device. Nothing was shared with it.",
                "Start again, preferably with the code of the other device.",
            )
            .offer(Remedy::Pair));
        }
        self.approve_paired(id)?;
        self.pairing_with(id, PairingState::Paired)
    }

    /// Drops rows of failed pairings to make room for the next one.
    fn forget_half_begun(&mut self) {
        const MOST: usize = 8;
        let ended = |paired: &Paired| !paired.is_wanted();
        while MOST
            < self
                .registry
                .paired
                .iter()
                .filter(|paired| ended(paired))
                .count()
        {
            let Some(at) = self.registry.paired.iter().position(ended) else {
                return;
            };
            self.registry.paired.remove(at);
        }
    }

    pub(super) fn dismiss(&mut self, text: &str) -> Answer {
        let found = self
            .peer_state
            .asking
            .iter()
            .find(|asking| {
                asking_name(asking).eq_ignore_ascii_case(text) || starts(&asking.id, text)
            })
            .cloned();
        let Some(asking) = found else {
            return Err(not_asking(text));
        };
        self.transport.dismiss(asking.id.clone());
        self.peer_state.asking.retain(|other| other.id != asking.id);
        done(format!("{} was turned away.", asking_name(&asking)))
    }

    /// Says goodbye first: the other device must know before the connection is cut.
    pub(super) fn unpair(&mut self, text: &str, reply: Reply) {
        let Some(paired) = self.registry.find(text).cloned() else {
            return reply(Err(unknown_device(text)));
        };
        if !paired.confirmed {
            // Nothing was shared yet: no goodbye is needed.
            self.registry.paired.retain(|other| other.id != paired.id);
            self.peer_state.greeted.remove(&paired.id);
            self.attempts_changed();
            return reply(done(format!(
                "Pairing with {} was canceled. Nothing was shared with it.",
                self.shown_name(&paired)
            )));
        }
        let name = self.shown_name(&paired);
        self.count_accepted((paired.id, name), PutOut::Unpair, reply);
    }

    /// Stops syncing with a device of which so much was accepted.
    pub(super) fn unpair_counted(&mut self, device: &DeviceId, heads: Heads) -> Answer {
        const GRACE: Duration = Duration::from_secs(10);
        let paired = { self.registry.paired.iter() }.find(|paired| paired.id == *device);
        let Some(paired) = paired.filter(|paired| paired.confirmed).cloned() else {
            return Err(unknown_device(&device.short()));
        };
        self.leaving.insert(paired.id.clone());
        let stated = vec![
            Statement::Unapprove {
                device: paired.id.clone(),
            },
            Statement::Heads {
                device: paired.id.clone(),
                heads,
            },
        ];
        if let Err(error) = self.declare(stated) {
            self.leaving.remove(&paired.id);
            return Err(error);
        }
        self.publish_presence();
        self.transport.wait_for_delivery(paired.id.clone(), GRACE);
        let name = self.shown_name(&paired);
        let message = format!(
            "{name} stops syncing with this device. Both keep what they already have. Other \
             devices still sync with {name}."
        );
        value(Done::new(message).offer(Remedy::RevokeDevice))
    }
}

/// The stage of a pairing.
fn state(paired: &Paired) -> PairedState {
    match paired.attempt.as_ref().map(|attempt| &attempt.step) {
        // Until its own list of devices has this one, the other side needs what is announced to it.
        Some(Step::Answering { .. } | Step::Comparing { .. }) if paired.confirmed => {
            PairedState::Confirming
        }
        _ if paired.confirmed => PairedState::Paired,
        Some(Step::Asking { .. }) => PairedState::Asked,
        Some(Step::Comparing { .. }) => PairedState::Comparing,
        _ => PairedState::Ended,
    }
}

/// The name in a code, made safe to show, or the start of the id.
fn name_in(code: &pairing::Code) -> String {
    let name = decent_name(&code.name);
    if name.is_empty() {
        unnamed(&code.id)
    } else {
        name
    }
}

fn not_asking(text: &str) -> ApiError {
    ApiError::new(
        ProblemCode::NotAsking,
        format!("No device “{}” asks to pair.", decent_name(text)),
        "",
    )
    .offer(Remedy::OpenDevices)
}

pub(super) fn unknown_device(text: &str) -> ApiError {
    ApiError::new(
        ProblemCode::UnknownDevice,
        format!("No paired device is called “{text}”."),
        "",
    )
    .offer(Remedy::OpenDevices)
}
