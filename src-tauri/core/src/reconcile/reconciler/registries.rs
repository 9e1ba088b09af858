//! Enters a session that arrived into the registries of other tools that list it. Nothing of a
//! registry is recorded or synced.

use super::Reconciler;
use crate::merge::Verdict;
use crate::reconcile::record::Registered;
use crate::session::ToolId;
use crate::session::problem::with_causes;
use crate::tools::{Entered, Entry, Registry};

impl Reconciler<'_> {
    pub(super) fn register(&mut self) {
        let context = self.context;
        for (id, tool) in &context.tools {
            let Some(registry) = tool.registry() else {
                continue;
            };
            let is_off = {
                let shared = context.shared();
                shared.paused || shared.tools_off.contains(id)
            };
            if is_off || registry.lists() != self.job.key.tool {
                continue;
            }
            let done = match self.verdict {
                Verdict::Away => self.unregister(id, registry),
                _ => self.register_in(id, registry),
            };
            if let Err(error) = done {
                let name = tool.about().name;
                self.unlisted = Some(format!("{name} does not list it: {}", with_causes(&error)));
            }
        }
    }

    /// The session left the store because the user decided so.
    fn unregister(
        &mut self,
        id: &ToolId,
        registry: &dyn Registry,
    ) -> Result<(), crate::tools::WriteError> {
        let made = self.job.record.registered.get(id);
        if let (Some(Registered::Made(_)), Some(session)) = (made, &self.job.record.session) {
            registry.remove(&self.context.machine, &|id| id == session)?;
            self.job.record.registered.remove(id);
        }
        Ok(())
    }

    fn register_in(
        &mut self,
        id: &ToolId,
        registry: &dyn Registry,
    ) -> Result<(), crate::tools::WriteError> {
        let (context, record) = (self.context, &self.job.record);
        let local = record.main_doc().and_then(|doc| doc.local.as_ref());
        // A session that began here, or that the user put here, is the tool's own affair.
        let (Some(session), Some(local), Some(dir)) = (
            &record.session,
            local.filter(|local| local.there),
            record.checkout_dir.clone().filter(|dir| dir.is_dir()),
        ) else {
            return Ok(());
        };
        let made_for = match record.registered.get(id) {
            Some(Registered::Settled) => return Ok(()),
            Some(Registered::NotAt(tip)) if *tip == local.tip => return Ok(()),
            Some(Registered::Made(made)) if *made == dir => return Ok(()),
            Some(Registered::Made(made)) => Some(made.as_path()),
            Some(Registered::NotAt(_)) | None => None,
        };
        if context.began(record) {
            return Ok(());
        }
        let (card, now) = (record.latest(), context.clock.now());
        let entered = registry.enter(
            &context.machine,
            &Entry {
                session,
                main: &local.path,
                cwd: &dir,
                title: card.and_then(|card| card.title.as_deref()),
                updated: card.map_or(now, |card| card.updated),
                now,
                made_for,
            },
        )?;
        let found = match entered {
            Entered::Absent => return Ok(()),
            Entered::Waits(why) => {
                self.unlisted = Some(why);
                return Ok(());
            }
            Entered::NotIts => Registered::NotAt(local.tip),
            Entered::Made => Registered::Made(dir),
            Entered::Settled => Registered::Settled,
        };
        self.job.record.registered.insert(id.clone(), found);
        Ok(())
    }
}
