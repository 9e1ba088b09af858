//! A tool's store as a listing found it, on its way to the loop.

use crate::reconcile::context::Context;
use crate::reconcile::prints::fingerprint;
use crate::session::{SessionId, SessionKey, ToolId};
use crate::tools::{Access, Found, Listing, Machine, Tool, Watermark, Which};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How much of a store is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) all: bool,
    /// The sessions that are open.
    pub(super) open: bool,
    /// The sessions that changed since the last listing.
    pub(super) changes: bool,
    /// Sessions of which a file is gone. If a session is gone itself, all are listed: many at once
    /// are a matter of the whole store.
    pub(super) missing: BTreeSet<SessionId>,
}

impl Extent {
    pub(super) fn all() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    pub(super) fn include(&mut self, other: Self) {
        self.all |= other.all;
        self.open |= other.open;
        self.changes |= other.changes;
        self.missing.extend(other.missing);
    }
}

/// What is to be listed.
pub(super) struct ListRequest {
    pub(super) tool: ToolId,
    pub(super) extent: Extent,
    /// How far the last listing read the store.
    pub(super) since: Option<Watermark>,
}

/// A tool's store, as listed beside the loop.
pub struct ListedStore {
    pub(super) tool: ToolId,
    /// Whether all sessions were listed, and not only a part.
    pub(super) is_whole: bool,
    /// Whether all open sessions are in the listing.
    pub(super) has_open: bool,
    /// `None`: the adapter panicked.
    pub(super) listing: Option<Listing>,
    /// The key and the fingerprint of each session found, in the order of the listing.
    pub(super) prints: Vec<(SessionKey, u64)>,
    /// The tool's sessions that were in the store before; none if a part was listed.
    pub(super) here: BTreeSet<SessionKey>,
    /// Whether any directory of the store exists.
    pub(super) has_roots: bool,
    pub(super) took: Duration,
    /// The tool whose sessions this one can enter into its registry now.
    pub(super) enters: Option<ToolId>,
}

impl ListedStore {
    /// Lists a store. A panic of the adapter is a listing without a result: it must not leave the
    /// tool without any further listing.
    pub(super) fn of(request: ListRequest, adapter: &dyn Tool, context: &Context) -> Self {
        let (begun, machine) = (Instant::now(), &context.machine);
        let ListRequest {
            tool,
            extent,
            since,
        } = request;
        let mut here = BTreeSet::new();
        let (mut is_whole, mut has_open) = (false, false);
        let listing = catch_unwind(AssertUnwindSafe(|| {
            if let Some(part) = list_part(adapter, machine, &extent, since.as_ref()) {
                has_open = part.has_open;
                return part.listing;
            }
            (is_whole, has_open) = (true, true);
            let shared = context.shared();
            let of_tool = shared.here.iter().filter(|key| key.tool == tool);
            here = of_tool.cloned().collect();
            drop(shared);
            adapter.sessions(machine, Which::All)
        }))
        .ok();
        // Made here: there may be very many.
        let print = |found: &Found| (SessionKey::new(&tool, &found.session), fingerprint(found));
        let found = listing.as_ref().map_or(&[][..], |listing| &listing.found);
        let prints = found.iter().map(print).collect();
        let mut roots = adapter.roots(machine).into_iter();
        let registry = adapter.registry();
        let open = registry.filter(|open| open.access(machine) == Access::Open);
        Self {
            enters: open.map(|open| open.lists()),
            has_roots: roots.any(|root| root.store && root.path.exists()),
            has_open,
            is_whole,
            here,
            listing,
            prints,
            took: begun.elapsed(),
            tool,
        }
    }
}

/// A part of a store.
struct Part {
    listing: Listing,
    /// Whether all open sessions are in it.
    has_open: bool,
}

/// Lists a part of a store; `None` if the adapter cannot, or if all is to be listed.
fn list_part(
    adapter: &dyn Tool,
    machine: &Machine,
    extent: &Extent,
    since: Option<&Watermark>,
) -> Option<Part> {
    if extent.all {
        return None;
    }
    let mut listing = match extent.changes {
        true => adapter.changes(machine, since?)?,
        false => Listing::default(),
    };
    let mut has_open = false;
    if extent.open {
        match adapter.open_sessions(machine) {
            Some(open) => {
                has_open = true;
                listing.found.extend(open);
            }
            // An adapter without it lists everything if what is open changed.
            None if extent.changes => {}
            None => return None,
        }
    }
    for session in &extent.missing {
        let one = adapter.sessions(machine, Which::One(session));
        if one.found.is_empty() {
            return None;
        }
        listing.found.extend(one.found);
    }
    Some(Part { listing, has_open })
}
