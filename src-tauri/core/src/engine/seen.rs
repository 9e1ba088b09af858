//! What was complete at the last reconcile of each session, kept between starts: a start reconciles
//! the sessions of which something changed meanwhile, and no others. Whatever cannot be compared
//! counts as changed; so the worst that a wrong entry can do is one more reconcile.

use super::Engine;
use super::prints::Prints;
use super::walked::WalkedDir;
use crate::reconcile::prints::journal_print;
use crate::session::SessionKey;
use crate::state::{Seen, State, StateError};
use crate::tools::Root;
use crate::vault::VaultPath;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The state's note of everything that a reconcile depends on besides the session's own files.
const UNDER: &str = "seen under";

impl Engine {
    /// Drops all numbers if anything else changed since that a reconcile depends on: the version,
    /// the settings, or whose frames count. Until that was possible, no number is stored.
    pub(super) fn check_seen(&mut self) -> Result<(), StateError> {
        let now = self.depends_on();
        if self.state.note::<u64>(UNDER)? != Some(now) {
            self.state.unsee_all()?;
            self.state.put_note(UNDER, &now)?;
        }
        self.is_seen_checked = true;
        Ok(())
    }

    /// Takes over the numbers that a start found, unless anything changed since it began.
    pub(super) fn accept_prints(&mut self, seen: Prints) {
        let under = self.state.note::<u64>(UNDER).unwrap_or_default();
        if under == Some(self.depends_on()) {
            self.seen = seen;
        }
    }

    fn depends_on(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        format!("{:?}", self.settings).hash(&mut hasher);
        for (id, tool) in &self.context.tools {
            id.hash(&mut hasher);
            // A registry that appears lists sessions that were here before.
            let is_there = |root: &Root| root.path.exists();
            let roots = tool.registry().map(|_| tool.roots(&self.context.machine));
            roots
                .is_some_and(|roots| roots.iter().any(is_there))
                .hash(&mut hasher);
        }
        let shared = self.context.shared();
        shared
            .former
            .keys()
            .for_each(|short| short.hash(&mut hasher));
        for heads in [&shared.limits, &shared.cuts] {
            heads.len().hash(&mut hasher);
            for (short, heads) in heads {
                short.hash(&mut hasher);
                heads.iter().for_each(|head| head.hash(&mut hasher));
            }
        }
        hasher.finish()
    }

    /// Stores what a reconcile found complete, or that it did not. What the last listing found must
    /// be what the reconcile found: otherwise something changed meanwhile.
    pub(super) fn note_seen(
        state: &State,
        key: &SessionKey,
        complete: Option<Seen>,
        listed: Option<u64>,
    ) -> Result<(), StateError> {
        match complete.filter(|seen| Some(seen.store) == listed) {
            Some(seen) => state.put_seen(key, seen),
            None => state.unsee(key),
        }
    }
}

/// What was complete when the engine ended, while the vault is compared with it.
#[derive(Default)]
pub(super) struct Known {
    seen: HashMap<SessionKey, Seen>,
    /// What the walk found of the sessions that were complete.
    vault: HashMap<SessionKey, u64>,
}

impl Known {
    pub(super) fn of(seen: Vec<(SessionKey, Seen)>) -> Self {
        Self {
            seen: seen.into_iter().collect(),
            vault: HashMap::new(),
        }
    }

    /// Takes a journal directory as it is now, also one of a device that is not read.
    pub(super) fn found(&mut self, walked: &WalkedDir<'_>) {
        let Some((_, key)) = VaultPath::parse_dir(walked.dir) else {
            return;
        };
        if self.seen.contains_key(&key) {
            let print = self.vault.entry(key).or_default();
            *print = print.wrapping_add(journal_print(walked.dir, &walked.listed));
        }
    }

    /// The fingerprints in the store of the sessions whose journals are as they were.
    pub(super) fn unchanged(self) -> Prints {
        let mut prints = Prints::default();
        for (key, seen) in &self.seen {
            if self.vault.get(key).copied().unwrap_or_default() == seen.vault {
                prints.insert(key, seen.store);
            }
        }
        prints
    }
}
