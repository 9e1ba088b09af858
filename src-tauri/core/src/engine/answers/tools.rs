//! The answers that list the tools' stores. Listing may take long, so it runs beside the loop.

use super::*;
use crate::engine::several::Remembered;
use crate::reconcile::context::Context;
use crate::tools::stores::StoreAt;
use crate::tools::{Access, Level, Listing, Which};
use std::path::Path;
use std::sync::Arc;

/// What is needed to list the stores without the engine.
pub(super) struct Stores {
    pub(super) context: Arc<Context>,
    known: Remembered,
}

impl Engine {
    pub(super) fn stores(&self) -> Stores {
        Stores {
            context: self.context.clone(),
            known: self.known_stores.clone(),
        }
    }
}

impl Stores {
    pub(super) fn rows(&self) -> Vec<ToolRow> {
        self.context.tools.keys().map(|id| self.row(id)).collect()
    }

    fn row(&self, id: &ToolId) -> ToolRow {
        let tool = &self.context.tools[id];
        let about = tool.about();
        let mut roots: Vec<PathBuf> = tool
            .roots(&self.context.machine)
            .into_iter()
            .filter(|root| root.store)
            .map(|root| root.path)
            .collect();
        let found = roots.iter().any(|root| root.exists());
        // Of the possible places of a store, those that exist.
        roots.retain(|root| !found || root.exists());
        let listing = tool.sessions(&self.context.machine, Which::All);
        let (level, reason) = match &listing.unknown {
            Some(unknown) => (about.level.min(Level::Carry), lowered(unknown)),
            None => (about.level, about.reason),
        };
        // A tool without sessions of its own has as many as it lists.
        let (machine, registry) = (&self.context.machine, tool.registry());
        let waits = match registry.map(|registry| registry.access(machine)) {
            Some(Access::Waits(why)) => format!(" {why}"),
            Some(Access::Absent | Access::Open) | None => String::new(),
        };
        let n_listed = registry.map_or(0, |registry| registry.n_entries(machine));
        ToolRow {
            tool: id.to_string(),
            name: about.name,
            level,
            meaning: level.meaning().into(),
            imported: tool.is_imported(),
            reason: reason + &waits,
            versions: about.versions,
            lowered: listing.unknown.is_some(),
            found,
            on: !self.context.shared().tools_off.contains(id),
            roots,
            sessions: listing.found.len() as u64 + n_listed,
            bytes: bytes_of(&listing),
            stores: self.of(id),
        }
    }

    /// Each store of a tool, if it may have several.
    fn of(&self, id: &ToolId) -> Vec<StoreRow> {
        let Some(stores) = self.context.stores.get(id) else {
            return Vec::new();
        };
        let known = self.known.get(id);
        let from = |dir: &Path| {
            let known = known?.iter().find(|known| known.dir == *dir);
            known.map(|known| known.from.clone())
        };
        let row = |store: StoreAt| {
            let machine = stores.alone(&store.dir)?;
            let listing = stores.tool().sessions(&machine, Which::All);
            let mut roots = stores.tool().roots(&machine).into_iter();
            Some(StoreRow {
                found: roots.any(|root| root.store && root.path.exists()),
                from: from(&store.dir).unwrap_or_default(),
                on: store.on,
                sessions: listing.found.len() as u64,
                bytes: bytes_of(&listing),
                dir: store.dir,
            })
        };
        stores.stores().into_iter().filter_map(row).collect()
    }

    /// How many of these forgotten sessions are in the stores of the tools that are on, by the
    /// tool's name: left there, or put there again.
    pub(super) fn forgotten(&self, gone: &BTreeSet<SessionKey>) -> BTreeMap<String, u64> {
        let off = self.context.shared().tools_off.clone();
        let tools = self
            .context
            .tools
            .iter()
            .filter(|(id, _)| !off.contains(*id) && gone.iter().any(|key| key.tool == **id));
        let mut found = BTreeMap::new();
        for (id, tool) in tools {
            let listing = tool.sessions(&self.context.machine, Which::All);
            let keys = listing
                .found
                .iter()
                .map(|found| SessionKey::new(id, &found.session));
            match keys.filter(|key| gone.contains(key)).count() as u64 {
                0 => {}
                n => drop(found.insert(tool.about().name, n)),
            }
        }
        found
    }
}

/// The bytes of all docs of a store's sessions.
fn bytes_of(listing: &Listing) -> u64 {
    let docs = listing.found.iter().flat_map(|found| &found.docs);
    docs.map(|doc| doc.stamp.len).sum()
}
