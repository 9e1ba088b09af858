//! The consequences of the device list: which devices are read, and how far; which are in
//! devices.json; what is stated in answer to a revocation. Knows nothing of folders and of how
//! statements are stored.

use super::Engine;
use super::devices::{Circle, Paired};
use super::list::in_heads;
use super::queue::ReconcileRequest;
use super::vault_walk::{Lanes, Since};
use crate::merge::device_list::Heads;
use crate::merge::{DeviceList, Statement};
use crate::reconcile::context::Context;
use crate::reconcile::cut::below_device;
use crate::reconcile::record::SessionRecord;
use crate::session::{DeviceId, Hlc, Lane, Millis, SessionState};
use crate::state::{State, StateError};
use crate::vault::{Journal, kept_frames, presence};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

impl Engine {
    pub(super) fn circle(&self) -> Circle<'_> {
        Circle {
            own: &self.context.device,
            registry: &self.registry,
            list: &self.lists.now,
            peer_state: &self.peer_state,
            leaving: &self.leaving,
        }
    }

    /// Whether journals and presences of this device are read: an approved device, a revoked one as
    /// far as it was accepted, or this one under any identity.
    pub(super) fn is_read(&self, short: &str) -> bool {
        short == self.context.short
            || self.context.shared().former.contains_key(short)
            || self.circle().member(short).is_some()
    }

    /// Makes workers and devices.json agree with the list.
    pub(super) fn enforce(&mut self, before: &DeviceList) {
        let shorts: BTreeSet<String> = self.context.shared().owners.keys().cloned().collect();
        let strangers: Vec<String> = shorts
            .into_iter()
            .filter(|short| !self.is_read(short))
            .collect();
        let revoked = self
            .lists
            .now
            .revoked
            .iter()
            .map(|(id, revoked)| (id, &revoked.heads));
        let limits = revoked
            .chain(&self.lists.now.stopped)
            .map(|(id, heads)| (id.short(), heads.clone()));
        let cuts = self.lists.now.revoked.iter();
        let cuts = cuts.filter_map(|(id, revoked)| Some((id.short(), revoked.cut.clone()?)));
        {
            let mut shared = self.context.change();
            shared.limits = limits.collect();
            shared.cuts = cuts.collect();
            shared.owners.retain(|short, _| !strangers.contains(short));
        }
        self.peer_state
            .presences
            .retain(|short, _| !strangers.contains(short));
        // A revoked device gets no goodbye either.
        let now = &self.lists.now;
        self.leaving.retain(|id| !now.revoked.contains_key(id));
        let out = |id: &DeviceId| {
            let was_in = before.approved.contains_key(id)
                || now.revoked.contains_key(id)
                || now.unapproved.contains(id);
            was_in && !now.approved.contains_key(id) && !self.leaving.contains(id)
        };
        let known = self.registry.paired.clone();
        // A pairing that began after the device was let go is a new one. A revocation ends every
        // pairing: only `approve` undoes it.
        let begins = |paired: &Paired| {
            let is_begun = paired.is_attempted() && !paired.confirmed;
            is_begun && !now.revoked.contains_key(&paired.id)
        };
        self.registry
            .paired
            .retain(|paired| begins(paired) || !out(&paired.id));
        self.peer_state.peers.retain(|peer| !out(&peer.id));
        for (id, approved) in self
            .circle()
            .approved()
            .into_iter()
            .map(|(id, a)| (id.clone(), a.clone()))
            .collect::<Vec<_>>()
        {
            if !self.registry.is_paired(&id) {
                let since = self.last_presence_at(&id);
                self.context
                    .change()
                    .names
                    .entry(id.short())
                    .or_insert_with(|| approved.name.clone());
                let name = approved.name;
                self.registry.paired.push(Paired {
                    id,
                    name,
                    addresses: Vec::new(),
                    confirmed: true,
                    since,
                    attempt: None,
                    follow: false,
                });
            }
        }
        if known != self.registry.paired {
            self.save_registry();
        }
    }

    /// The stamp of a device's last presence here: a goodbye up to then belongs to an earlier
    /// pairing.
    pub(super) fn last_presence_at(&self, id: &DeviceId) -> Hlc {
        let short = id.short();
        let known = self
            .peer_state
            .presences
            .get(&short)
            .map(|presence| presence.at);
        let lane = self.context.vault.lane_dir(&short, Lane::Priority);
        known
            .or_else(|| Some(presence::read(&lane, &short).ok()?.0.at))
            .unwrap_or_default()
    }

    /// Reads what may be read now, and states what was accepted from devices that were revoked.
    pub(super) fn follow_list(&mut self, before: &DeviceList) -> Result<(), StateError> {
        let now = &self.lists.now;
        let let_in: Vec<String> = now
            .approved
            .keys()
            .filter(|id| !before.approved.contains_key(*id))
            .map(DeviceId::short)
            .collect();
        let raised = now.revoked.iter().filter(|(id, revoked)| {
            before
                .revoked
                .get(*id)
                .is_none_or(|before| before.heads != revoked.heads)
        });
        let raised: Vec<String> = raised.map(|(id, _)| id.short()).collect();
        // What the user puts out here was counted before.
        let is_counted = |id: &DeviceId| self.lists.has_counted(&self.context.short, id);
        let put_out = { before.approved.keys() }
            .filter(|id| !now.approved.contains_key(*id) && !is_counted(id));
        // What was accepted because a device stated it, before that device was revoked as well.
        let lowered = { before.revoked.iter() }.filter(|(id, before)| {
            let heads = now.revoked.get(*id).map(|revoked| &revoked.heads);
            heads.is_some_and(|heads| are_lower(heads, &before.heads))
        });
        let to_state = put_out.chain(lowered.map(|(id, _)| id));
        let to_state: Vec<DeviceId> = to_state.cloned().collect();
        self.arrange();
        self.publish_presence();
        self.announce_attempts();
        for short in &let_in {
            self.read_presence(short, None);
        }
        for (shorts, since) in [(let_in, Since::Ever), (raised, Since::LastRead)] {
            let of_device = |short: String| Lane::WITH_JOURNALS.map(|lane| (short.clone(), lane));
            let lanes: Vec<(String, Lane)> = shorts.into_iter().flat_map(of_device).collect();
            if !lanes.is_empty() {
                self.walk_vault(Lanes::Of(lanes), since);
            }
        }
        self.schedule_cut_sessions(before)?;
        let mut statements = Vec::new();
        for device in to_state {
            // After the state was lost, the former statement counts, not what lies here.
            if !(self.lists.fresh && self.lists.has_stated_heads(&self.context.short, &device)) {
                statements.push(Statement::Heads {
                    heads: accepted_of(
                        &self.context,
                        &self.state,
                        &device,
                        self.lists.frames(&device.short()),
                    )?,
                    device,
                });
            }
        }
        if let Err(error) = self.declare(statements) {
            self.set_problem("list own", Some(super::list::problem(error)));
        }
        Ok(())
    }

    /// Reconciles sessions that lost frames, or have them again.
    fn schedule_cut_sessions(&mut self, before: &DeviceList) -> Result<(), StateError> {
        let cut = |list: &DeviceList, id: &DeviceId| {
            list.revoked.get(id).and_then(|revoked| revoked.cut.clone())
        };
        let ids: BTreeSet<&DeviceId> = before
            .revoked
            .keys()
            .chain(self.lists.now.revoked.keys())
            .collect();
        let changed: Vec<(String, bool)> = ids
            .into_iter()
            .filter(|id| cut(before, id) != cut(&self.lists.now, id))
            .map(|id| (id.short(), cut(before, id).is_some()))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let mut veiled = BTreeSet::new();
        for (short, restored) in changed {
            for (key, row) in self.state.of_device(&short)? {
                if veiled.insert(key.clone()) {
                    let request = ReconcileRequest {
                        restored: restored && row.state != SessionState::Here,
                        ..ReconcileRequest::default()
                    };
                    self.schedule(key, request);
                }
            }
        }
        self.search_veils(&Vec::from_iter(veiled))
    }

    /// A reconcile that began before a revocation was known may have accepted more than was stated.
    pub(super) fn state_more(&mut self, record: &SessionRecord) {
        let mut more: BTreeMap<DeviceId, Heads> = BTreeMap::new();
        for journal in record.journals.values() {
            if let Some(counted) = self.counting.get_mut(&journal.device) {
                let n = counted.entry(below_device(&journal.dir).to_owned());
                let n = n.or_default();
                *n = journal.frames.max(*n);
            }
            let revoked = self
                .lists
                .now
                .revoked
                .iter()
                .find(|(id, _)| id.short() == journal.device);
            let Some((id, revoked)) = revoked else {
                continue;
            };
            let dir = below_device(&journal.dir);
            if revoked.heads.get(dir).copied().unwrap_or(0) < journal.frames {
                more.entry(id.clone())
                    .or_default()
                    .insert(dir.to_owned(), journal.frames);
            }
        }
        let statements = more
            .into_iter()
            .map(|(device, heads)| Statement::Heads { device, heads });
        if let Err(error) = self.declare(statements.collect()) {
            self.set_problem("list own", Some(super::list::problem(error)));
        }
    }
}

/// Whether fewer frames of any journal count than before.
fn are_lower(heads: &Heads, before: &Heads) -> bool {
    { before.iter() }.any(|(journal, n)| heads.get(journal).is_none_or(|now| now < n))
}

/// How many frames of each journal of another device this one has accepted. The safety copies show
/// it even if the state was lost; where the state agrees, nothing is read. `n_listed`: the frames
/// of that device's list.
pub(super) fn accepted_of(
    context: &Context,
    state: &State,
    device: &DeviceId,
    n_listed: u64,
) -> Result<Heads, StateError> {
    let short = device.short();
    let mut known: HashMap<String, Journal> = HashMap::new();
    each_journal(state, &short, |journal| {
        known.insert(journal.dir.clone(), journal);
    })?;
    let mut heads = kept_frames(&context.vault, &short, |dir| known.get(dir));
    heads.insert(in_heads(), n_listed);
    heads.retain(|_, frames| *frames > 0);
    Ok(heads)
}

/// How many frames of each of a device's journals, its list included, were written before a time,
/// by that device's clock: all that precede the first later one.
pub(super) fn frames_before(
    context: &Context,
    state: &State,
    (device, list): (&DeviceId, Option<Journal>),
    since: Millis,
) -> Result<Heads, StateError> {
    let mut found = Heads::new();
    let mut take = |journal: Journal| {
        let mut kept = 0;
        let read = journal.each_accepted(&context.vault, |frame| {
            if since <= frame.head.at.wall {
                return ControlFlow::Break(());
            }
            kept += 1;
            ControlFlow::Continue(())
        });
        // Of a journal that cannot be read nothing counts.
        let kept = read.map_or(0, |()| kept);
        found.insert(below_device(&journal.dir).to_owned(), kept);
    };
    each_journal(state, &device.short(), &mut take)?;
    list.into_iter().for_each(take);
    found.retain(|_, frames| *frames > 0);
    Ok(found)
}

fn each_journal(
    state: &State,
    short: &str,
    mut each: impl FnMut(Journal),
) -> Result<(), StateError> {
    for (key, _) in state.of_device(short)? {
        let record: SessionRecord = state.record(&key)?.unwrap_or_default();
        let journals = record.journals.into_values();
        journals
            .filter(|journal| journal.device == short)
            .for_each(&mut each);
    }
    Ok(())
}
