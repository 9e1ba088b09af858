//! Devices are approved, unpaired and revoked while everything else happens. A device that is out
//! gets nothing from those who know it, and the remaining devices agree. In the end the user
//! approves all of them again, and nothing is lost.

use super::happening::Trust;
use super::play::{Play, acquaint};
use crate::stories::talk::turn;
use crate::stories::wire::locked;
use session_roam_core::api::{Devices, Request, SegmentRow};
use session_roam_core::session::Lane;
use session_roam_core::vault::presence;
use std::collections::BTreeMap;

impl Play {
    pub fn trust(&mut self, device: usize, of: usize, how: Trust) {
        let n = self.world.devices.len();
        let of = (device + 1 + of % (n - 1)) % n;
        let id = self.world.devices[of].id.to_string();
        if !self.world.devices[device].is_running() {
            return;
        }
        self.trusted = true;
        self.unpaired |= how == Trust::Unapprove;
        let request = match how {
            Trust::Approve => Request::Approve { id },
            Trust::Unapprove => Request::Unpair { id },
            Trust::Revoke => Request::Revoke {
                id,
                since: None,
                dry: false,
            },
        };
        // An unknown device is refused, which changes nothing.
        drop(self.world.devices[device].try_ask(request));
    }

    fn listed(&mut self, at: usize) -> Devices {
        self.world.devices[at].ask(Request::Devices)
    }

    /// No frame goes to or comes from a device that is revoked as far as this one knows: the device
    /// has no entry and no folder is shared with it.
    pub fn nobody_deals_with_who_is_out(&mut self) -> Result<(), String> {
        for at in 0..self.world.devices.len() {
            if !self.trusted || !self.world.devices[at].is_running() {
                continue;
            }
            let out = self.listed(at).revoked;
            let device = &self.world.devices[at];
            let wire = locked(device);
            for revoked in out {
                let is = |id: &session_roam_core::session::DeviceId| id.as_str() == revoked.id;
                let shared = wire
                    .wanted
                    .folders
                    .iter()
                    .any(|folder| folder.shared_with.iter().any(is));
                if shared || wire.wanted.devices.iter().any(|device| is(&device.id)) {
                    return Err(format!(
                        "{} deals with {}, which is revoked",
                        device.name, revoked.name
                    ));
                }
            }
        }
        Ok(())
    }

    /// At rest with all arrivals announced: checks the conditions that hold while some devices are
    /// out, then approves all of them again.
    pub fn let_everybody_in(&mut self) -> Result<(), String> {
        if !self.trusted {
            return Ok(());
        }
        self.nobody_deals_with_who_is_out()?;
        self.owners_decide_who_carries_what()?;
        self.those_who_are_left_agree()?;
        self.nothing_of_who_is_out_arrives()?;
        const ROUNDS: usize = 4;
        let n = self.world.devices.len();
        for _ in 0..ROUNDS {
            for (at, of) in (0..n)
                .flat_map(|at| (0..n).map(move |of| (at, of)))
                .filter(|(at, of)| at != of)
            {
                let id = self.world.devices[of].id.to_string();
                drop(self.world.devices[at].try_ask(Request::Approve { id }));
            }
            self.world.deliver();
            acquaint(&mut self.world);
        }
        for at in 0..n {
            let listed = self.listed(at);
            if listed.paired.len() + 1 != n || !listed.revoked.is_empty() {
                return Err(format!(
                    "{} does not have everybody again: {listed:?}",
                    self.world.devices[at].name
                ));
            }
        }
        self.rest()
    }

    /// A device's folder is shared with another one only by devices that know of the owner's
    /// approval.
    fn owners_decide_who_carries_what(&mut self) -> Result<(), String> {
        let devices = &self.world.devices;
        for carrier in devices {
            for owner in devices.iter().filter(|owner| owner.id != carrier.id) {
                let dir = carrier.vault().lane_dir(&owner.short(), Lane::Priority);
                let Ok((said, _)) = presence::read(&dir, &owner.short()) else {
                    continue;
                };
                let wire = locked(carrier);
                let folders = wire
                    .wanted
                    .folders
                    .iter()
                    .filter(|folder| folder.id.ends_with(&owner.short()));
                for with in folders
                    .flat_map(|folder| &folder.shared_with)
                    .filter(|with| **with != owner.id)
                {
                    if !said.paired.iter().any(|known| known.id == *with) {
                        return Err(format!(
                            "{} gives {}'s folder to {with}",
                            carrier.name, owner.name
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Two devices that approve each other accept the same frames of a device that both revoked. If
    /// pairings ended as well, there may be no path between them for its journals. A session that one of
    /// the two removed is left out: it may have heard that the revoked device forgets the session
    /// before it heard of the revocation.
    fn those_who_are_left_agree(&mut self) -> Result<(), String> {
        let n = self.world.devices.len();
        if self.unpaired {
            return Ok(());
        }
        let listed: Vec<Devices> = (0..n).map(|at| self.listed(at)).collect();
        let names: Vec<String> = self
            .world
            .devices
            .iter()
            .map(|device| device.name.clone())
            .collect();
        let ids: Vec<String> = self
            .world
            .devices
            .iter()
            .map(|device| device.id.to_string())
            .collect();
        let approves =
            |at: usize, of: usize| listed[at].paired.iter().any(|paired| paired.id == ids[of]);
        for (one, other) in (0..n).flat_map(|one| (one + 1..n).map(move |other| (one, other))) {
            if !approves(one, other) || !approves(other, one) {
                continue;
            }
            for out in 0..n {
                let revokes = |at: usize| {
                    listed[at]
                        .revoked
                        .iter()
                        .any(|revoked| revoked.id == ids[out])
                };
                // A device that itself revoked one of the two passes nothing of its own on to it.
                let is_wanted = [one, other].iter().all(|at| approves(out, *at));
                if revokes(one) && revokes(other) && is_wanted {
                    let removed = [one, other].map(|at| self.removed_on(at));
                    let accepted = [one, other].map(|at| {
                        let mut accepted = self.accepted(at, &names[out]);
                        accepted.retain(|session, _| {
                            !removed.iter().any(|keys| self.is_among(keys, session))
                        });
                        accepted
                    });
                    if accepted[0] != accepted[1] {
                        return Err(format!(
                            "{} and {} accept something else of {}: {accepted:?}",
                            names[one], names[other], names[out]
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// The number of frames of each session that a device accepted from another one.
    fn accepted(&mut self, at: usize, of: &str) -> BTreeMap<String, u64> {
        let device = &mut self.world.devices[at];
        let sessions: Vec<String> = device
            .sessions()
            .into_iter()
            .map(|row| row.session)
            .collect();
        let mut accepted = BTreeMap::new();
        for session in sessions {
            let rows: Vec<SegmentRow> = device.ask(Request::Journal {
                session: session.clone(),
            });
            let lanes: BTreeMap<String, u64> = rows
                .into_iter()
                .filter(|row| row.device == of)
                .map(|row| (row.lane, row.frames))
                .collect();
            accepted.insert(session, lanes.values().sum::<u64>());
        }
        accepted.retain(|_, frames| *frames > 0);
        accepted
    }

    /// A device that is out on another one writes again: its message is in no store and no journal
    /// that is read there.
    fn nothing_of_who_is_out_arrives(&mut self) -> Result<(), String> {
        let n = self.world.devices.len();
        for speaker in 0..n {
            let session = format!("0000000{speaker}-0a0a-4000-8000-000000000000");
            let place = self.places[speaker].clone();
            let path = self.world.devices[speaker].transcript(&place, &session);
            let line = turn(&place, &session, "is anybody there?");
            self.world.devices[speaker].say(&path, line);
        }
        self.world.deliver();
        for at in 0..n {
            let listed = self.listed(at);
            for speaker in (0..n).filter(|speaker| *speaker != at) {
                let id = self.world.devices[speaker].id.to_string();
                let approved = listed.paired.iter().any(|paired| paired.id == id);
                let session = format!("0000000{speaker}-0a0a-4000-8000-000000000000");
                let state = self.world.devices[at].state_of(&session);
                if !approved && state != "none" {
                    let (name, from) = (
                        &self.world.devices[at].name,
                        &self.world.devices[speaker].name,
                    );
                    return Err(format!(
                        "{name} has a session of {from}, which it does not approve: {state}"
                    ));
                }
            }
        }
        Ok(())
    }
}
