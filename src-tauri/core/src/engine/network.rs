//! The other devices: their presences, which devices ask and leave, and what the folders should be.

use super::Engine;
use super::devices::wanted;
use super::vault_walk::{Lanes, Since};
use crate::api::types::HoldReason;
use crate::api::types::{Held, SyncthingState};
use crate::merge::Statement;
use crate::opener;
use crate::reconcile::excluded::is_excluded_by_card;
use crate::reconcile::record::SessionRecord;
use crate::session::{DeviceId, Lane, Millis, Problem, ProblemCode, Remedy, decent_name};
use crate::state::StateError;
use crate::syncthing::{Notice, parse_folder_id};
use crate::vault::presence::{self, Known, Open, Presence};
use crate::vault::{Owner, VaultPath};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a presence is believed, and how often it is published while a session is open.
pub const PRESENCE_STALE: Duration = Duration::from_secs(90);
const PRESENCE_AGAIN: Duration = Duration::from_secs(25);

/// The state's note of devices whose key a second machine used, and when that was last seen.
const CLONED: &str = "cloned";

impl Engine {
    pub(super) fn transport_notice(&mut self, notice: Notice) -> Result<(), StateError> {
        match notice {
            Notice::Up {
                version,
                program,
                pid,
                addresses,
            } => {
                self.syncthing.state = SyncthingState::Running;
                self.syncthing.version = Some(version);
                self.syncthing.program = program;
                self.syncthing.pid = Some(pid);
                self.syncthing.addresses = addresses;
                self.syncthing.message = None;
                self.set_problem("syncthing", None);
                self.publish_presence();
            }
            Notice::Down { state, problem } => {
                self.syncthing.state = state;
                self.syncthing.pid = None;
                self.syncthing.message = problem.as_ref().map(|problem| problem.message.clone());
                self.set_problem("syncthing", problem);
            }
            Notice::Arrived { owner, lane, paths } => self.arrived(&owner, lane, &paths)?,
            Notice::Peers(peers) => self.peer_state.peers = peers,
            Notice::Asking(asking) => self.knocked(asking),
            Notice::Nearby(nearby) => self.peer_state.nearby = nearby,
            Notice::Incoming { bytes } => self.incoming = bytes,
            Notice::Tampered { folder, paths } => self.tampered(&folder, &paths),
            Notice::FolderLost { folder, message } => self.folder_lost(&folder, &message),
            Notice::Trouble { topic, problem } => self.set_problem(&topic, problem),
            Notice::Delivered { device } => self.parted(&device),
            Notice::Withdrawn { arrangement } => self.withdrawn(arrangement),
            Notice::Greeted { device, announced } => self.greeted_by(&device, &announced),
        }
        Ok(())
    }

    fn arrived(&mut self, owner: &str, lane: Lane, paths: &[String]) -> Result<(), StateError> {
        // Nothing from a device that is not approved here is believed, even if its folder is here.
        if owner == self.context.short || self.circle().member(owner).is_none() {
            return Ok(());
        }
        // States of checkouts are read when somebody asks for them.
        if lane == Lane::Code {
            self.code_arrived();
            return Ok(());
        }
        if paths.is_empty() {
            self.read_presence(owner, Some(self.context.clock.now()));
            self.walk_vault(Lanes::Of(vec![(owner.to_owned(), lane)]), Since::LastRead);
            return Ok(());
        }
        for path in paths {
            if lane == Lane::Priority && path == presence::FILE {
                self.read_presence(owner, Some(self.context.clock.now()));
            } else if let Some(path) = VaultPath::parse(owner, lane, path) {
                self.schedule_journal(path);
            } else if path.contains(".sync-conflict-") {
                self.noticed_clone(owner);
                if let Some(copy) = VaultPath::parse_copy(owner, lane, path) {
                    self.schedule_journal(copy);
                }
            }
        }
        Ok(())
    }

    /// Two machines write with one key. Reported until some time has passed: this device cannot
    /// know when it is fixed.
    pub(super) fn noticed_clone(&mut self, short: &str) {
        let mut known: BTreeMap<String, Millis> =
            self.state.note(CLONED).ok().flatten().unwrap_or_default();
        known.insert(short.to_owned(), self.context.clock.now());
        // If this is not saved, one warning is missing after the next start.
        let _ = self.state.put_note(CLONED, &known);
        self.tell_of_clone(short);
    }

    pub(super) fn remember_clones(&mut self) -> Result<(), StateError> {
        const A_WEEK: i64 = 7 * 24 * 60 * 60 * 1000;
        let now = self.context.clock.now();
        let known: BTreeMap<String, Millis> = self.state.note(CLONED)?.unwrap_or_default();
        let fresh = known
            .into_iter()
            .filter(|(_, at)| now.0.saturating_sub(at.0) < A_WEEK);
        fresh.for_each(|(short, _)| self.tell_of_clone(&short));
        Ok(())
    }

    fn tell_of_clone(&mut self, short: &str) {
        let is_own = short == self.context.short;
        let (message, hint) = match is_own {
            true => (
                "Another machine uses this device's identity: one of the two was copied from the other or restored from a backup."
                    .to_owned(),
                "Nothing is lost. Stop session-roam on one of them, give it a new identity, and pair it again.",
            ),
            false => (
                format!(
                    "Two machines write as {}: one was copied from the other, or put back from a backup. Both versions are recorded.",
                    self.context.shared().name_of(short)
                ),
                "Nothing is lost. On the copy, stop session-roam, give it a new identity, and pair it again.",
            ),
        };
        let problem = Problem::new(ProblemCode::DeviceCloned, message, hint);
        // Another device must not change its own identity for it.
        let problem = match is_own {
            true => problem.offer(Remedy::NewIdentity),
            false => problem,
        };
        self.set_problem(&format!("cloned {short}"), Some(problem));
    }

    pub(super) fn save_registry(&mut self) {
        let problem = self.registry.save(&self.home).err().map(|error| {
            Problem::new(
                ProblemCode::DevicesUnwritable,
                format!("devices.json could not be written: {error}."),
                "Free up disk space or fix its permissions.",
            )
        });
        self.set_problem("devices", problem);
    }

    /// Reads the presence of every device in the vault.
    pub(super) fn read_presences(&mut self) {
        let listed = self.context.vault.list("").unwrap_or_default();
        let shorts: Vec<String> = listed
            .into_iter()
            .filter_map(|listed| listed.name.into_string().ok())
            .collect();
        shorts
            .iter()
            .filter(|short| **short != self.context.short)
            .cloned()
            .collect::<Vec<_>>()
            .iter()
            .for_each(|short| self.read_presence(short, None));
    }

    /// Restores the stamp of this device's last presence, so that the next one is later even if the
    /// clock was set back.
    pub(super) fn remember_presence(&mut self) {
        let dir = self
            .context
            .vault
            .lane_dir(&self.context.short, Lane::Priority);
        if let Ok((presence, _)) = presence::read(&dir, &self.context.short) {
            self.context.go_on_from(presence.at);
        }
    }

    /// `arrived`: when the presence arrived, if it is new.
    pub(super) fn read_presence(&mut self, short: &str, arrived: Option<Millis>) {
        if !self.is_read(short) {
            return;
        }
        let dir = self.context.vault.lane_dir(short, Lane::Priority);
        let name = format!("{short}/{}/{}", Lane::Priority.as_str(), presence::FILE);
        if !opener::is_there(&dir.join(presence::FILE))
            || self.context.vault.quarantine.holds(&name)
        {
            return;
        }
        let context = self.context.clone();
        let _work = context.vault.quarantine.work();
        // Without the mark the presence is still read: a full disk must not keep the devices apart.
        let _ = context.vault.quarantine.mark(short, &name);
        let topic = format!("hello {short}");
        match presence::read(&dir, short) {
            Ok((presence, key)) => {
                self.set_problem(&topic, None);
                self.presence_arrived(short, presence, key, arrived);
            }
            Err(error) => {
                let message = format!(
                    "What the device {} says of itself was refused: {}",
                    self.context.shared().name_of(short),
                    crate::session::problem::with_causes(&error)
                );
                let hint = "It is downloaded again from that device and not trusted until then.";
                self.set_problem(
                    &topic,
                    Some(Problem::new(ProblemCode::CardRefused, message, hint)),
                );
                self.transport
                    .revert(crate::syncthing::folder_id(Lane::Priority, short));
            }
        }
    }

    fn presence_arrived(
        &mut self,
        short: &str,
        presence: Presence,
        key: [u8; 32],
        arrived: Option<Millis>,
    ) {
        let former = self.context.shared().former.contains_key(short);
        let approved = self.lists.now.approved.contains_key(&presence.card.device);
        let (list, device) = (&self.lists.now, &presence.card.device);
        let was = list.revoked.contains_key(device) || list.stopped.contains_key(device);
        if !approved {
            // Another device with the same short name, or one whose frames are verified but whose
            // presence no longer counts.
            if former || was {
                self.verified(short, presence, key);
            }
            return;
        }
        let known = self.peer_state.presences.get(short).map(|known| known.at);
        if known.is_some_and(|known| presence.at < known) {
            return;
        }
        if known != Some(presence.at) {
            let heard = arrived.unwrap_or(presence.at.wall.min(self.context.clock.now()));
            self.peer_state.heard.insert(short.to_owned(), heard);
        }
        self.context.saw(presence.at);
        let leaves = presence.goodbye.contains(&self.context.device)
            && self
                .registry
                .paired
                .iter()
                .any(|paired| paired.id == presence.card.device && paired.since < presence.at);
        let device = presence.card.device.clone();
        let new = {
            let mut shared = self.context.change();
            shared
                .names
                .entry(short.to_owned())
                .or_insert_with(|| decent_name(&presence.name));
            shared
                .owners
                .insert(
                    short.to_owned(),
                    Owner {
                        device: device.clone(),
                        key,
                    },
                )
                .is_none()
        };
        let has_let_us_in = presence
            .paired
            .iter()
            .any(|known| known.id == self.context.device);
        self.peer_state.presences.insert(short.to_owned(), presence);
        self.name_apart();
        if has_let_us_in {
            self.heard_in_full(&device);
        }
        if leaves {
            self.forget_device(&device);
            let message = format!(
                "{} stopped syncing with this device. Its sessions stay here.",
                self.context.shared().name_of(short)
            );
            self.set_problem(
                &format!("left {short}"),
                Some(
                    Problem::new(
                        ProblemCode::DeviceLeft,
                        message,
                        "You can pair it again at any time.",
                    )
                    .offer(Remedy::Pair),
                ),
            );
        } else if new {
            // Journals that arrived before the card could not be verified, and none of them was
            // accepted. Unknown, after an error, counts as not accepted.
            let lanes = Lane::WITH_JOURNALS.map(|lane| (short.to_owned(), lane));
            self.walk_vault(Lanes::Of(lanes.into()), Since::LastRead);
        }
        self.publish_presence();
        self.arrange();
    }

    /// Accepts the key and the folder recipients of a device whose journals are read but whose
    /// presence no longer counts.
    fn verified(&mut self, short: &str, presence: Presence, key: [u8; 32]) {
        let owner = Owner {
            device: presence.card.device.clone(),
            key,
        };
        {
            let mut shared = self.context.change();
            shared
                .names
                .entry(short.to_owned())
                .or_insert_with(|| decent_name(&presence.name));
            shared.owners.insert(short.to_owned(), owner);
        }
        let silent = Presence {
            live: Vec::new(),
            addresses: Vec::new(),
            goodbye: Vec::new(),
            ..presence
        };
        self.peer_state.presences.insert(short.to_owned(), silent);
        self.arrange();
    }

    fn tampered(&mut self, folder: &str, paths: &[String]) {
        let Some((_, short)) = parse_folder_id(folder) else {
            return;
        };
        let what = paths
            .first()
            .map_or_else(|| "files".to_owned(), Clone::clone);
        let message = format!(
            "The folder of {} was changed on this device ({what}); it is restored from its owner.",
            self.context.shared().name_of(short)
        );
        // A new identity has a new Syncthing, which mistakes the replicas it finds for changes made
        // here.
        const SETTLING: i64 = 60 * 60 * 1000;
        let now = self.context.clock.now();
        let settling = self
            .context
            .shared()
            .former
            .values()
            .any(|until| now.0.saturating_sub(until.0) < SETTLING);
        let problem = Problem::new(
            ProblemCode::FolderTampered,
            message,
            "Do not change files in the vault folder.",
        );
        self.set_problem(
            &format!("tampered {folder}"),
            Some(problem).filter(|_| !settling),
        );
        self.transport.revert(folder.to_owned());
    }

    /// A folder of the vault is gone. This device's own is restored from the safety copy; others
    /// are fetched from their owners.
    fn folder_lost(&mut self, folder: &str, message: &str) {
        let Some((lane, short)) = parse_folder_id(folder) else {
            return;
        };
        let (short, own) = (short.to_owned(), short == self.context.short);
        let dir = self.context.vault.lane_dir(&short, lane);
        let remade = std::fs::create_dir_all(dir.join(".stfolder")).is_ok();
        if own {
            self.restore_own();
            self.published = None;
            self.publish_presence();
        }
        let whose = if own {
            "this device".to_owned()
        } else {
            self.context.shared().name_of(&short)
        };
        let text = format!("The vault folder of {whose} was deleted ({message}); it is put back.");
        self.set_problem(
            &format!("lost {folder}"),
            Some(Problem::new(
                ProblemCode::VaultLost,
                text,
                "Nothing needs to be done. Do not change files in the vault folder.",
            )),
        );
        if remade {
            self.arrange();
            if own {
                self.transport.announce(lane, vec![String::new()]);
            } else {
                self.transport.revert(folder.to_owned());
            }
        } else {
            let what = format!("folder:{folder}");
            let hint = "Restore the folder's permissions or free up disk space, then restart session-roam.".into();
            let actions = super::remedies::of_hold(HoldReason::VaultLost, &what, None);
            self.held.insert(
                what.clone(),
                Held {
                    what,
                    code: HoldReason::VaultLost,
                    message: message.into(),
                    hint,
                    actions,
                },
            );
        }
    }

    fn parted(&mut self, device: &DeviceId) {
        // The device was let in again meanwhile.
        if !self.leaving.remove(device) {
            return;
        }
        self.forget_device(device);
        self.publish_presence();
    }

    pub(super) fn forget_device(&mut self, device: &DeviceId) {
        self.registry.paired.retain(|paired| paired.id != *device);
        if self.lists.now.approved.contains_key(device)
            && let Err(error) = self.declare(vec![Statement::Unapprove {
                device: device.clone(),
            }])
        {
            self.set_problem("list own", Some(super::list::problem(error)));
        }
        if !self.registry.parted.contains(device) {
            self.registry.parted.push(device.clone());
        }
        self.peer_state.peers.retain(|peer| peer.id != *device);
        self.save_registry();
        self.arrange();
    }

    pub(super) fn arrange(&mut self) -> crate::syncthing::Wanted {
        let shared = self.context.shared();
        let off = shared.tools_off.iter().map(|tool| tool.to_string());
        let off: Vec<String> = off.chain(self.forgetting.left_out()).collect();
        let paused = shared.paused;
        drop(shared);
        let wanted = wanted(&self.context.vault, &self.circle(), &off, paused);
        if let Some(withdrawal) = self.transport.arrange(wanted.clone()) {
            self.withdrawal = Some(withdrawal);
        }
        wanted
    }

    fn withdrawn(&mut self, arrangement: u64) {
        if self.withdrawal.is_some_and(|last| last <= arrangement) {
            self.withdrawal = None;
            self.publish_presence();
        }
    }

    /// How far every device's list was read and takes effect: a revoked device receives nothing
    /// more from here.
    fn heard(&self) -> BTreeMap<String, u64> {
        match (self.withdrawal, &self.published) {
            (None, _) => self.lists.heard(),
            (Some(_), published) => { published.iter() }
                .flat_map(|it| it.heard.clone())
                .collect(),
        }
    }

    /// Publishes this device's card, known devices and open sessions, if they changed.
    pub(super) fn publish_presence(&mut self) {
        let presence = self.presence();
        let same = self.published.as_ref().is_some_and(|before| {
            Presence {
                at: before.at,
                ..presence.clone()
            } == *before
        });
        if !same {
            self.publish(presence);
        }
    }

    fn publish(&mut self, mut presence: Presence) {
        presence.at = self.context.tick();
        let dir = self
            .context
            .vault
            .lane_dir(&self.context.short, Lane::Priority);
        match presence::write(&dir, &presence, &self.context.key) {
            Ok(()) => {
                self.set_problem("hello", None);
                self.published = Some(presence);
                self.published_at = Some(std::time::Instant::now());
                self.transport
                    .announce(Lane::Priority, vec![presence::FILE.into()]);
            }
            Err(error) => {
                let message = format!("This device's card could not be written: {error}.");
                self.set_problem(
                    "hello",
                    Some(Problem::new(
                        ProblemCode::VaultUnwritable,
                        message,
                        "Free up disk space or fix the permissions of the vault folder.",
                    )),
                );
            }
        }
    }

    /// Open sessions are published again from time to time: a device that stops doing so is
    /// believed to have closed them.
    pub(super) fn refresh_presence(&mut self) {
        let due = self
            .published_at
            .is_none_or(|at| PRESENCE_AGAIN <= at.elapsed());
        if !self.open_sessions.is_empty() && due {
            self.publish(self.presence());
        } else {
            self.publish_presence();
        }
    }

    fn presence(&self) -> Presence {
        let known = |id: &DeviceId, name: &str| Known {
            id: id.clone(),
            name: name.to_owned(),
        };
        // Only what has left this device anyway: no session that was never recorded, none of an
        // excluded project.
        let open = self.open_sessions.keys().filter_map(|key| {
            let row = self.state.row(key).ok().flatten()?;
            let record: SessionRecord = self.state.record(key).ok().flatten()?;
            let may_be_told =
                !row.project.is_empty() && !is_excluded_by_card(&self.context, &record);
            may_be_told.then(|| Open {
                tool: key.tool.to_string(),
                session: row.session,
                title: row.title,
                project: row.project,
            })
        });
        Presence {
            v: 1,
            card: self.card.clone(),
            name: self.name.clone(),
            at: self.context.hlc(),
            addresses: self.syncthing.addresses.clone(),
            paired: self
                .circle()
                .approved()
                .into_iter()
                .map(|(id, approved)| {
                    let paired = self.registry.paired.iter().find(|paired| paired.id == *id);
                    known(id, paired.map_or(&approved.name, |paired| &paired.name))
                })
                .collect(),
            carried: Vec::new(),
            live: open.collect(),
            goodbye: self.leaving.iter().cloned().collect(),
            heard: self.heard(),
        }
    }
}
