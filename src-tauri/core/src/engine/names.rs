//! Names that tell the user's devices apart. Of two devices with one name, the one with the smaller
//! id keeps it; the other takes the next number, and is shown with it even before. A device gives
//! its name up at most once per other device: a further rival is shown with a number and reported.

use super::Engine;
use super::devices::Paired;
use super::pairing::unknown_device;
use crate::api::answer::{Answer, done, settings_error};
use crate::api::types::ApiError;
use crate::session::{DeviceId, NAME_LENGTH, Problem, ProblemCode, decent_name};
use std::collections::{BTreeMap, BTreeSet};

/// How firmly a device has its name; of two with one name the firmer keeps it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// This device, which has given up its name as often as honest devices may need.
    Kept,
    /// The user chose the name on this device.
    Chosen,
    /// This device, and those it is paired with.
    Own,
    /// A device that is being paired.
    Asking,
}

impl Engine {
    pub(super) fn rename(&mut self, id: Option<&str>, name: &str) -> Answer {
        let name = name.trim();
        // Before the name: `roam rename` takes what is no device for a session, whose title has other
        // limits.
        let paired = id
            .map(|id| {
                let paired = self.registry.find(id).cloned();
                paired.ok_or_else(|| unknown_device(id))
            })
            .transpose()?;
        if name.is_empty()
            || name.chars().count() > NAME_LENGTH
            || name.chars().any(char::is_control)
        {
            return Err(ApiError::new(
                ProblemCode::BadName,
                "A name has 1 to 64 characters and no control characters.",
                "Choose another name.",
            ));
        }
        let Some(paired) = paired else {
            self.refuse_taken(name, &self.context.device.clone())?;
            self.call_oneself(name)?;
            return done(format!("This device is called {name} now."));
        };
        self.refuse_taken(name, &paired.id)?;
        self.registry
            .names
            .insert(paired.id.to_string(), name.to_owned());
        self.name_apart();
        self.save_registry();
        done(format!("{} is shown as {name} here.", paired.name))
    }

    fn call_oneself(&mut self, name: &str) -> Result<(), ApiError> {
        self.settings = crate::settings::change(&self.home, |document| {
            document["name"] = toml_edit::value(name)
        })
        .map_err(settings_error)?;
        self.name = name.to_owned();
        self.announce_attempts();
        let short = self.context.short.clone();
        self.context.change().names.insert(short, name.to_owned());
        self.publish_presence();
        Ok(())
    }

    fn refuse_taken(&self, name: &str, by: &DeviceId) -> Result<(), ApiError> {
        let others = self
            .named_devices()
            .into_iter()
            .filter(|(_, id, _)| id != by);
        let is_same = |other: &str| other.to_lowercase() == name.to_lowercase();
        match others.into_iter().find(|(_, _, other)| is_same(other)) {
            None => Ok(()),
            Some((_, id, other)) => Err(ApiError::new(
                ProblemCode::NameTaken,
                format!(
                    "Another one of your devices is called {other} ({}).",
                    id.short()
                ),
                "Choose a name that no other device has.",
            )),
        }
    }

    /// Gives each device a unique name, wherever it is shown.
    pub(super) fn name_apart(&mut self) {
        let mut devices = self.named_devices();
        let mut names = apart(devices.clone());
        let own = self.context.device.clone();
        let mut problem = None;
        if names.get(&own).is_some_and(|name| *name != self.name) {
            // Of many devices with one name, each may have to yield once for every other one.
            if self.registry.complete().count() <= self.registry.yielded {
                let is_rival = |id: &DeviceId, name: &str| {
                    *id != own && name.to_lowercase() == self.name.to_lowercase()
                };
                let rival = devices
                    .iter()
                    .find(|(_, id, name)| is_rival(id, name))
                    .map(|(_, id, _)| id.clone());
                devices
                    .iter_mut()
                    .filter(|(_, id, _)| *id == own)
                    .for_each(|(hold, ..)| *hold = Hold::Kept);
                names = apart(devices);
                problem = rival.map(|rival| taken_again(&rival, &self.name, &names[&rival]));
            } else {
                let renamed = self.call_oneself(&names[&own].clone());
                if renamed.is_ok() {
                    self.registry.yielded += 1;
                    self.save_registry();
                }
                problem = renamed.err().map(Problem::from);
            }
        }
        for paired in &mut self.registry.paired {
            if let Some(name) = names
                .get(&paired.id)
                .filter(|_| !self.registry.names.contains_key(paired.id.as_str()))
            {
                paired.name.clone_from(name);
            }
        }
        let shown = names.iter().map(|(id, name)| (id.short(), name.clone()));
        self.context.change().names.extend(shown);
        self.set_problem("name", problem);
    }

    fn named_devices(&self) -> Vec<(Hold, DeviceId, String)> {
        let said = |paired: &Paired| {
            let presence = self.peer_state.presences.get(&paired.id.short());
            let said = presence
                .map(|presence| decent_name(&presence.name))
                .filter(|name| !name.is_empty());
            said.unwrap_or_else(|| paired.name.clone())
        };
        let others = self.registry.paired.iter().map(|paired| {
            match self.registry.names.get(paired.id.as_str()) {
                Some(chosen) => (Hold::Chosen, paired.id.clone(), chosen.clone()),
                None if paired.confirmed => (Hold::Own, paired.id.clone(), said(paired)),
                None => (Hold::Asking, paired.id.clone(), said(paired)),
            }
        });
        [(Hold::Own, self.context.device.clone(), self.name.clone())]
            .into_iter()
            .chain(others)
            .collect()
    }
}

fn taken_again(rival: &DeviceId, name: &str, shown: &str) -> Problem {
    let message = format!(
        "A device calls itself {name} again, which is this device's name. This device keeps it and shows the other one ({}) as \
         {shown}.",
        rival.short()
    );
    Problem::new(
        ProblemCode::NameClash,
        message,
        "Rename one of the two. If you did not name the other device like this, check it.",
    )
}

fn apart(mut devices: Vec<(Hold, DeviceId, String)>) -> BTreeMap<DeviceId, String> {
    devices.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    let mut taken = BTreeSet::new();
    let mut names = BTreeMap::new();
    for (_, id, name) in devices {
        let name = if taken.contains(&name.to_lowercase()) {
            numbered(&name, &taken)
        } else {
            name
        };
        taken.insert(name.to_lowercase());
        names.insert(id, name);
    }
    names
}

/// The name followed by the first number that makes it unique.
fn numbered(name: &str, taken: &BTreeSet<String>) -> String {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let base = name
        .rsplit_once(' ')
        .filter(|(base, end)| !base.is_empty() && is_number(end))
        .map_or(name, |(base, _)| base);
    let with = |number: usize| {
        let end = format!(" {number}");
        let start: String = base.chars().take(NAME_LENGTH - end.len()).collect();
        format!("{start}{end}")
    };
    let mut free = (2..)
        .map(with)
        .filter(|name| !taken.contains(&name.to_lowercase()));
    free.next().unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::device_id::device_id_of_cert;

    fn named(devices: &[(Hold, &DeviceId, &str)]) -> Vec<String> {
        let names = apart(
            devices
                .iter()
                .map(|(hold, id, name)| (*hold, (*id).clone(), (*name).to_owned()))
                .collect(),
        );
        devices
            .iter()
            .map(|(_, id, _)| names[*id].clone())
            .collect()
    }

    #[test]
    fn every_device_has_a_name_of_its_own_whoever_is_asked() {
        let mut ids = [b"a", b"b", b"c", b"d"].map(|cert| device_id_of_cert(cert));
        ids.sort();
        let [a, b, c, d] = &ids;
        use Hold::{Asking, Chosen, Own};
        assert_eq!(
            named(&[(Own, a, "vm"), (Own, b, "VM"), (Own, c, "vm 2")]),
            ["vm", "VM 2", "vm 3"]
        );
        assert_eq!(
            named(&[(Own, c, "vm 2"), (Own, b, "VM"), (Own, a, "vm")]),
            ["vm 3", "VM 2", "vm"]
        );
        assert_eq!(
            named(&[(Asking, a, "vm"), (Own, d, "vm"), (Chosen, c, "vm")]),
            ["vm 3", "vm 2", "vm"]
        );
        let long = "x".repeat(NAME_LENGTH);
        let other = &named(&[(Own, a, &long), (Own, b, &long)])[1];
        assert!(
            other.ends_with(" 2") && other.chars().count() == NAME_LENGTH,
            "{other}"
        );
        assert_eq!(named(&[(Own, a, "7"), (Own, b, "7")]), ["7", "7 2"]);
    }
}
