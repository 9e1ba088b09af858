//! The user's preferences: read from config.toml and changed in it. What uses them is elsewhere.

use super::Engine;
use crate::api::answer::{Answer, Work, done, settings_error, value};
use crate::api::types::{
    ApiError, DeviceSpace, Network, NotificationKinds, Preferences, PreferencesChange, Space,
};
use crate::session::ProblemCode;
use crate::settings;
use crate::state::State;
use std::collections::BTreeMap;

/// Characters of a program's name.
const MAX_PROGRAM: usize = 64;

impl Engine {
    /// As config.toml has them now: the tray app reads it at once, too.
    pub(super) fn preferences(&self) -> Answer {
        let read = settings::load(&self.home).map_err(settings_error)?;
        let (kinds, programs) = (read.notifications, read.programs);
        value(Preferences {
            notifications: NotificationKinds {
                pairing: kinds.pairing,
                versions: kinds.versions,
                held: kinds.held,
                waiting: kinds.waiting,
                arrived: kinds.arrived,
            },
            terminal: programs.terminal,
            editor: programs.editor,
        })
    }

    pub(super) fn set_preferences(&mut self, change: &PreferencesChange) -> Answer {
        let programs = [("terminal", &change.terminal), ("editor", &change.editor)];
        for name in programs.iter().filter_map(|(_, name)| name.as_deref()) {
            check_program(name)?;
        }
        let kinds = &change.notifications;
        let switches = [
            ("pairing", kinds.pairing),
            ("versions", kinds.versions),
            ("held", kinds.held),
            ("waiting", kinds.waiting),
            ("arrived", kinds.arrived),
        ];
        self.settings = settings::change(&self.home, |document| {
            for (name, on) in switches {
                if let Some(on) = on {
                    document["notifications"][name] = toml_edit::value(on);
                }
            }
            for (what, name) in programs {
                if let Some(name) = name {
                    document["programs"][what] = toml_edit::value(name);
                }
            }
        })
        .map_err(settings_error)?;
        done("Changed.")
    }

    pub(super) fn network(&self) -> Network {
        let network = &self.settings.network;
        Network {
            local_discovery: network.local_discovery,
            global_discovery: network.global_discovery,
            relays: network.relays,
        }
    }

    pub(super) fn set_network(&mut self, network: Network) -> Answer {
        if self.settings.syncthing.address.is_some() {
            return Err(ApiError::new(
                ProblemCode::OwnSyncthing,
                "This device uses a Syncthing of your own, which has its own settings.",
                "Change how it finds and reaches devices in that Syncthing.",
            ));
        }
        if network == self.network() {
            return done("Nothing changed.");
        }
        self.settings = settings::change(&self.home, |document| {
            let switches = [
                ("local_discovery", network.local_discovery),
                ("global_discovery", network.global_discovery),
                ("relays", network.relays),
            ];
            for (name, on) in switches {
                document["network"][name] = toml_edit::value(on);
            }
        })
        .map_err(settings_error)?;
        self.transport.set_network(self.settings.network.clone());
        done("Changed. The connections to your devices are made anew.")
    }

    /// Counted from the segments that are known, so that no directory is walked.
    pub(super) fn space(&self) -> Work {
        let (context, own) = (self.context.clone(), self.name.clone());
        let state = self.state.path().to_owned();
        Box::new(move || {
            let mut devices: BTreeMap<String, u64> = BTreeMap::new();
            for (path, bytes) in State::beside(&state)?.segments()? {
                let owner = path.split('/').next().unwrap_or_default();
                *devices.entry(owner.to_owned()).or_default() += bytes;
            }
            let named = |(short, bytes): (String, u64)| {
                let device = match short == context.short {
                    true => own.clone(),
                    false => context.shared().name_of(&short),
                };
                DeviceSpace { device, bytes }
            };
            let mut devices: Vec<DeviceSpace> = devices.into_iter().map(named).collect();
            devices.sort_by_key(|one| std::cmp::Reverse(one.bytes));
            let total = devices.iter().map(|one| one.bytes).sum();
            value(Space { devices, total })
        })
    }
}

/// A name is searched for on PATH: it is no path, and it has no arguments.
fn check_program(name: &str) -> Result<(), ApiError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if name.len() <= MAX_PROGRAM && name.chars().all(is_plain) && !name.starts_with(['-', '.']) {
        return Ok(());
    }
    Err(ApiError::new(
        ProblemCode::BadProgram,
        "A program is given by its name alone, without a path and without arguments.",
        "Enter a name like kitty or code, or leave the field empty.",
    ))
}
