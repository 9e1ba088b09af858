//! What was complete at the last reconcile of each session, kept between starts: a start reconciles
//! the sessions of which something changed meanwhile, and no others. Whatever cannot be compared
//! counts as changed; so the worst that a wrong entry can do is one more reconcile.

use super::Engine;
use crate::reconcile::prints::journal_print;
use crate::session::{Lane, SessionKey, ToolId};
use crate::state::{Seen, State, StateError};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The state's note of everything that a reconcile depends on besides the session's own files.
const UNDER: &str = "seen under";

impl Engine {
    /// Loads what was complete when the engine ended, unless anything else changed since that a
    /// reconcile depends on: the version, the settings, or whose frames count.
    pub(super) fn remember_seen(&mut self) -> Result<(), StateError> {
        let now = self.depends_on();
        if self.state.note::<u64>(UNDER)? != Some(now) {
            self.state.unsee_all()?;
            return self.state.put_note(UNDER, &now);
        }
        let known = self.state.seen()?;
        if known.is_empty() {
            return Ok(());
        }
        let vault = self.vault_prints();
        let is_same = |(key, seen): &(SessionKey, Seen)| {
            vault.get(key).copied().unwrap_or_default() == seen.vault
        };
        let same = known.into_iter().filter(is_same);
        self.seen = same.map(|(key, seen)| (key, seen.store)).collect();
        Ok(())
    }

    fn depends_on(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        format!("{:?}", self.settings).hash(&mut hasher);
        for (id, tool) in &self.context.tools {
            id.hash(&mut hasher);
            // A registry that appears lists sessions that were here before.
            let is_registry = tool.registry().is_some();
            let roots = tool.roots(&self.context.machine);
            (is_registry && roots.iter().any(|root| root.path.exists())).hash(&mut hasher);
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

    /// All journal directories as they are now, those of devices that are not read included.
    fn vault_prints(&self) -> HashMap<SessionKey, u64> {
        let mut prints = HashMap::<SessionKey, u64>::new();
        for device in self.dirs_in("") {
            for lane in Lane::BOTH {
                for dir in self.journal_dirs(&device, lane) {
                    let mut names = dir.rsplit('/');
                    let (Some(hash), Some(tool)) = (names.next(), names.nth(1)) else {
                        continue;
                    };
                    let key = SessionKey {
                        tool: ToolId::new(tool),
                        hash: hash.to_owned(),
                    };
                    let listed = self.context.vault.list(&dir).unwrap_or_default();
                    let print = prints.entry(key).or_default();
                    *print = print.wrapping_add(journal_print(&dir, &listed));
                }
            }
        }
        prints
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
