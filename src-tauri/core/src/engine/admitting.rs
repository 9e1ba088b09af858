//! Letting devices in and putting them out at the user's request: approve, revoke, follow. Pairing,
//! which first brings two devices together, is elsewhere.

use super::Engine;
use super::approval::{accepted_of, frames_before};
use super::devices::starts;
use super::event::{Event, FramesCounted, PutOut, Revocation};
use crate::api::answer::{Answer, Reply, done, value};
use crate::api::types::*;
use crate::merge::Statement;
use crate::merge::device_list::{Heads, Revoked};
use crate::session::{DeviceId, Hlc, Millis, ProblemCode, Remedy};
use crate::state::State;
use crate::syncthing::device_id;
use std::collections::BTreeSet;

/// A device that the user may mean, by its name here.
type Named = (DeviceId, String);

impl Engine {
    /// The devices on which the list has statements, for `roam devices`.
    pub(super) fn approvals(&self) -> Vec<Approval> {
        let via = |id: &DeviceId| self.context.shared().name_of(&id.short());
        let approved = self
            .circle()
            .approved()
            .into_iter()
            .map(|(id, approved)| Approval {
                id: id.to_string(),
                follow: self.lists.now.followed.contains(id),
                via: approved.via.as_ref().map(via),
            });
        approved.collect()
    }

    pub(super) fn revoked_devices(&self) -> Vec<RevokedDevice> {
        let name = |id: &DeviceId| match *id == self.context.device {
            true => self.name.clone(),
            false => self.context.shared().name_of(&id.short()),
        };
        // This device itself has heard when it sends them nothing more.
        let own = self.withdrawal.map(|_| self.name.clone());
        let row = |(id, revoked): (&DeviceId, &Revoked)| RevokedDevice {
            id: id.to_string(),
            name: self.name_of_revoked(id, revoked),
            by: revoked.by.keys().map(name).collect(),
            at: revoked
                .by
                .values()
                .map(|(_, at)| at.wall)
                .min()
                .unwrap_or_default()
                .rfc3339(),
            since: revoked.since.map(Millis::rfc3339),
            not_heard: (self.not_heard(revoked).iter().map(name))
                .chain(own.clone())
                .collect(),
        };
        self.lists.now.revoked.iter().map(row).collect()
    }

    pub(super) fn name_of_revoked(&self, id: &DeviceId, revoked: &Revoked) -> String {
        self.registry
            .names
            .get(id.as_str())
            .cloned()
            .unwrap_or_else(|| crate::session::decent_name(&revoked.name))
    }

    /// Approved devices that have not confirmed reading one of these revocations.
    fn not_heard(&self, revoked: &Revoked) -> BTreeSet<DeviceId> {
        let has_heard = |id: &DeviceId| {
            revoked.by.iter().any(|(author, (frame, _))| {
                let presence = self.peer_state.presences.get(&id.short());
                let read = presence
                    .and_then(|presence| presence.heard.get(&author.short()))
                    .copied()
                    .unwrap_or(0);
                author == id || *frame < read
            })
        };
        self.circle()
            .approved()
            .into_iter()
            .map(|(id, _)| id)
            .filter(|id| !has_heard(id))
            .cloned()
            .collect()
    }

    /// Devices that the user may mean when approving or revoking.
    fn nameable(&self) -> Vec<Named> {
        let paired = self
            .registry
            .paired
            .iter()
            .map(|paired| (paired.id.clone(), self.shown_name(paired)));
        let proposed = self
            .circle()
            .strangers()
            .map(|(known, _)| (known.id.clone(), known.name.clone()))
            .collect::<Vec<_>>();
        let revoked = self.lists.now.revoked.iter();
        let revoked = revoked.map(|(id, revoked)| (id.clone(), self.name_of_revoked(id, revoked)));
        let mut all: Vec<Named> = paired.chain(proposed).chain(revoked).collect();
        all.sort();
        all.dedup_by(|one, other| one.0 == other.0);
        all
    }

    /// The one device that the user means: by its whole id, a unique name, or a long enough start
    /// of its id.
    fn named(&self, text: &str) -> Result<Named, ApiError> {
        const LEAST: usize = 7;
        let all = self.nameable();
        if let Ok(id) = device_id::parse(text) {
            let known = all.iter().find(|(known, _)| *known == id).cloned();
            return known.ok_or_else(|| unknown(text));
        }
        let long = LEAST <= text.chars().filter(char::is_ascii_alphanumeric).count();
        let is_meant =
            |(id, name): &&Named| name.eq_ignore_ascii_case(text) || (long && starts(id, text));
        let found: Vec<&Named> = all.iter().filter(is_meant).collect();
        match found.as_slice() {
            [] => Err(unknown(text)),
            [one] => Ok((*one).clone()),
            many => Err(ApiError::new(
                ProblemCode::AmbiguousDevice,
                format!("“{text}” matches {} devices.", many.len()),
                "Give the device's whole ID.",
            )
            .offer(Remedy::OpenDevices)),
        }
    }

    pub(super) fn approve(&mut self, text: &str) -> Answer {
        let (id, name) = self.named(text)?;
        let was_revoked = self.lists.now.revoked.contains_key(&id);
        self.registry.parted.retain(|parted| *parted != id);
        self.leaving.remove(&id);
        self.set_problem(&format!("left {}", id.short()), None);
        self.declare_approved(&id, &name)?;
        self.save_registry();
        done(match was_revoked {
            true => format!(
                "{name} is approved here again. Other devices that revoked it themselves still keep it out; approve it there, too."
            ),
            false => format!(
                "{name} is approved here. Sessions sync as soon as {name} approves this device, too."
            ),
        })
    }

    pub(super) fn follow(&mut self, text: &str, on: bool) -> Answer {
        let (id, name) = self.named(text)?;
        if !self.lists.now.approved.contains_key(&id) {
            let begun = self
                .registry
                .paired
                .iter_mut()
                .find(|paired| paired.id == id && paired.is_attempted());
            begun.ok_or_else(|| unknown(text))?.follow = on;
            self.save_registry();
            return done(match on {
                true => format!(
                    "Devices that you approve on {name} are approved here, too, once {name} is paired."
                ),
                false => format!("Devices that you approve on {name} will only be proposed here."),
            });
        }
        let device = id.clone();
        if on {
            self.declare_approved(&id, &name)?;
        }
        self.declare(vec![if on {
            Statement::Follow { device }
        } else {
            Statement::Unfollow { device }
        }])?;
        done(match on {
            true => format!("Devices that you approve on {name} are approved here, too."),
            false => {
                format!("Devices that you approve on {name} are only proposed here from now on.")
            }
        })
    }

    /// This device's last revocation that took lines out, with its time.
    pub(super) fn last_cut(&self) -> Option<(Hlc, DeviceId)> {
        let stated = self.lists.own_statements(&self.context.short).iter().rev();
        let cut = stated.filter_map(|stated| match &stated.statement {
            Statement::Revoke {
                device,
                since: Some(_),
                ..
            } => Some((stated.at, device.clone())),
            _ => None,
        });
        let own = &self.context.device;
        let counts = |device: &DeviceId| {
            let revoked = self.lists.now.revoked.get(device);
            revoked.is_some_and(|revoked| revoked.since.is_some() && revoked.by.contains_key(own))
        };
        cut.into_iter().find(|(_, device)| counts(device))
    }

    /// Restores what the last revocation took out. The device stays revoked.
    pub(super) fn undo_cut(&mut self) -> Answer {
        let Some((_, device)) = self.last_cut() else {
            return Err(unknown(""));
        };
        let Some(revoked) = self.lists.now.revoked.get(&device).cloned() else {
            return Err(unknown(""));
        };
        let id = device.to_string();
        let name = self.name_of_revoked(&device, &revoked);
        let heads = revoked.heads.clone();
        self.declare(vec![Statement::Revoke {
            device,
            name: name.clone(),
            heads,
            since: None,
            cut: Heads::new(),
        }])?;
        value(
            Done::new(format!(
                "What {name} wrote is in the sessions again. The device stays revoked."
            ))
            .offer(Remedy::Approve { id }),
        )
    }

    /// Counts what this device accepted of a device that the user puts out. Its journals are read
    /// beside the loop; [`Engine::state_more`] notes what is accepted meanwhile.
    pub(super) fn count_frames(
        &mut self,
        text: &str,
        since: Option<&str>,
        dry: bool,
        reply: Reply,
    ) {
        let (device, name) = match self.named(text) {
            Ok(named) => named,
            Err(error) => return reply(Err(error)),
        };
        let since = match since.map(|text| (text, Millis::parse(text))) {
            Some((text, None)) => {
                return reply(Err(ApiError::new(
                    ProblemCode::BadTime,
                    format!("“{text}” is not a date and time."),
                    "Write it like 2026-11-28T17:00:00Z.",
                )));
            }
            since => since.and_then(|(_, since)| since),
        };
        let how = PutOut::Revoke(Revocation {
            since,
            dry,
            cut: Heads::new(),
        });
        self.count_accepted((device, name), how, reply);
    }

    /// Counts beside the loop what this device accepted of another one, which is then put out.
    pub(super) fn count_accepted(
        &mut self,
        (device, name): (DeviceId, String),
        mut how: PutOut,
        reply: Reply,
    ) {
        let short = device.short();
        let (context, path) = (self.context.clone(), self.state.path().to_owned());
        let (n_listed, list) = (
            self.lists.frames(&short),
            self.lists.journal(&short).cloned(),
        );
        self.counting.entry(short).or_default();
        self.jobs.spawn_for_event(Box::new(move || {
            let counted = State::beside(&path).and_then(|state| {
                let heads = accepted_of(&context, &state, &device, n_listed)?;
                if let PutOut::Revoke(revocation) = &mut how
                    && let Some(since) = revocation.since
                {
                    revocation.cut = frames_before(&context, &state, (&device, list), since)?;
                }
                Ok(FramesCounted {
                    device,
                    name,
                    heads,
                    how,
                })
            });
            match counted {
                Ok(counted) => Event::FramesCounted(Box::new(counted), reply),
                Err(error) => Event::Refused(error.into(), reply),
            }
        }));
    }

    pub(super) fn put_out(&mut self, mut counted: FramesCounted) -> Answer {
        let meanwhile = self.counting.remove(&counted.device.short());
        for (journal, n) in meanwhile.unwrap_or_default() {
            let known = counted.heads.entry(journal).or_default();
            *known = n.max(*known);
        }
        match counted.how {
            PutOut::Unpair => self.unpair_counted(&counted.device, counted.heads),
            PutOut::Revoke(revocation) => {
                self.revoke((counted.device, counted.name), counted.heads, revocation)
            }
        }
    }

    /// Puts a device out everywhere, or reports what that would mean.
    fn revoke(
        &mut self,
        (id, name): (DeviceId, String),
        heads: Heads,
        Revocation { since, dry, cut }: Revocation,
    ) -> Answer {
        let lists = super::list::in_heads();
        let of_sessions = || heads.iter().filter(|(journal, _)| **journal != lists);
        let is_cut = |(journal, n): &(&String, &u64)| cut.get(*journal).copied().unwrap_or(0) < **n;
        let cut_journals = of_sessions().filter(|journal| since.is_some() && is_cut(journal));
        // A session may have a journal in each lane.
        let cut_sessions: BTreeSet<&str> = cut_journals
            .filter_map(|(journal, _)| Some(journal.split_once('/')?.1))
            .collect();
        let mut answer = RevokeAnswer {
            id: id.to_string(),
            name: name.clone(),
            done: !dry,
            journals: of_sessions().count() as u64,
            cut: cut_sessions.len() as u64,
            not_heard: Vec::new(),
        };
        if !dry {
            self.leaving.remove(&id);
            self.declare(vec![Statement::Revoke {
                device: id.clone(),
                name,
                heads,
                since,
                cut,
            }])?;
        }
        let by_this = Revoked {
            by: [(
                self.context.device.clone(),
                (
                    self.lists
                        .frames(&self.context.short)
                        .saturating_sub(u64::from(!dry)),
                    self.context.hlc(),
                ),
            )]
            .into(),
            ..Revoked::default()
        };
        let mut waiting = self.not_heard(&by_this);
        waiting.remove(&id);
        answer.not_heard = waiting
            .iter()
            .map(|id| self.context.shared().name_of(&id.short()))
            .collect();
        value(answer)
    }
}

fn unknown(text: &str) -> ApiError {
    ApiError::new(
        ProblemCode::UnknownDevice,
        format!("No device “{text}” is known here."),
        "A new device is added by pairing.",
    )
    .offer(Remedy::OpenDevices)
    .offer(Remedy::Pair)
}
