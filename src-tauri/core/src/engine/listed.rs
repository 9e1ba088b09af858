//! A tool's store as a listing found it, on its way to the loop.

use crate::reconcile::context::Context;
use crate::reconcile::prints::fingerprint;
use crate::session::{SessionId, SessionKey, ToolId};
use crate::tools::{Access, Listing, Machine, Root, Tool, Watermark, Which};
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How many sessions are compared while the loop may have to wait for that.
const COMPARED_AT_ONCE: usize = 1000;

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
    /// The tool's sessions that are open.
    pub(super) open: Vec<SessionKey>,
    /// In the order of the state's keys, and not of the store.
    pub(super) sorted: bool,
    /// The poll that lists the store together with others.
    pub(super) poll: Option<u64>,
}

/// A session as a listing found it.
pub(super) struct ListedSession {
    pub(super) key: SessionKey,
    pub(super) session: SessionId,
    /// The fingerprint of its files.
    pub(super) print: u64,
    pub(super) open_in: Option<String>,
}

/// A tool's store, as listed beside the loop. Whatever compares the sessions with each other was done
/// there: there may be very many.
pub struct ListedStore {
    pub(super) tool: ToolId,
    pub(super) poll: Option<u64>,
    /// Whether all sessions were listed, and not only a part.
    pub(super) is_whole: bool,
    /// `None`: the adapter panicked. The sessions found are in `sessions`.
    pub(super) listing: Option<Listing>,
    /// The sessions found, as far as no event has taken them over.
    pub(super) sessions: VecDeque<ListedSession>,
    /// How many they were.
    pub(super) n_sessions: usize,
    /// The tool's sessions that are here and were not found; none if a part was listed.
    pub(super) missing: BTreeSet<SessionKey>,
    /// Whether any of the tool's sessions was here.
    pub(super) had_sessions: bool,
    /// Sessions that are not open any more.
    pub(super) closed: Vec<SessionKey>,
    /// The directories to watch.
    pub(super) roots: Vec<Root>,
    /// Whether any directory of the store exists.
    pub(super) has_roots: bool,
    pub(super) took: Duration,
    /// The tool whose sessions this one can enter into its registry now.
    pub(super) enters: Option<ToolId>,
    /// Whether the loop has begun to take it over.
    pub(super) is_begun: bool,
    /// Whether all sessions taken over so far were as known.
    pub(super) is_quiet: bool,
}

impl ListedStore {
    /// Lists a store. A panic of the adapter is a listing without a result: it must not leave the
    /// tool without any further listing.
    pub(super) fn of(request: ListRequest, adapter: &dyn Tool, context: &Context) -> Self {
        let (begun, poll) = (Instant::now(), request.poll);
        let mut listed = Self::nothing(request.tool.clone());
        let done = catch_unwind(AssertUnwindSafe(|| listed.list(&request, adapter, context)));
        if done.is_err() {
            listed = Self::nothing(request.tool);
            // Its changes are still to be noticed.
            let roots = catch_unwind(AssertUnwindSafe(|| adapter.roots(&context.machine)));
            listed.roots = roots.unwrap_or_default();
        }
        (listed.took, listed.poll) = (begun.elapsed(), poll);
        listed
    }

    fn nothing(tool: ToolId) -> Self {
        Self {
            tool,
            poll: None,
            is_whole: false,
            listing: None,
            sessions: VecDeque::new(),
            n_sessions: 0,
            missing: BTreeSet::new(),
            had_sessions: false,
            closed: Vec::new(),
            roots: Vec::new(),
            has_roots: false,
            took: Duration::ZERO,
            enters: None,
            is_begun: false,
            is_quiet: true,
        }
    }

    fn list(&mut self, request: &ListRequest, adapter: &dyn Tool, context: &Context) {
        let machine = &context.machine;
        let part = list_part(adapter, machine, &request.extent, request.since.as_ref());
        self.is_whole = part.is_none();
        let Part {
            mut listing,
            has_open,
        } = part.unwrap_or_else(|| Part {
            listing: adapter.sessions(machine, Which::All),
            has_open: true,
        });
        let found = std::mem::take(&mut listing.found).into_iter();
        self.sessions = found
            .map(|found| ListedSession {
                key: SessionKey::new(&self.tool, &found.session),
                print: fingerprint(&found),
                session: found.session,
                open_in: found.open_in,
            })
            .collect();
        self.n_sessions = self.sessions.len();
        let keys: HashSet<&SessionKey> = self.sessions.iter().map(|found| &found.key).collect();
        if has_open {
            let closed = request.open.iter().filter(|key| !keys.contains(key));
            self.closed = closed.cloned().collect();
        }
        if self.is_whole {
            (self.missing, self.had_sessions) = missing(context, &self.tool, &keys);
        }
        drop(keys);
        if request.sorted {
            let sessions = self.sessions.make_contiguous();
            sessions.sort_by(|one, other| one.key.cmp(&other.key));
        }
        // After the listing, which may have found directories that links lead to.
        self.roots = adapter.roots(machine);
        self.has_roots = self
            .roots
            .iter()
            .any(|root| root.store && root.path.exists());
        let registry = adapter.registry();
        let open = registry.filter(|open| open.access(machine) == Access::Open);
        self.enters = open.map(|open| open.lists());
        self.listing = Some(listing);
    }
}

/// The tool's sessions that are here and were not found, and whether any is here. The loop never
/// waits until all are compared.
fn missing(
    context: &Context,
    tool: &ToolId,
    found: &HashSet<&SessionKey>,
) -> (BTreeSet<SessionKey>, bool) {
    let (mut missing, mut last) = (BTreeSet::new(), None::<SessionKey>);
    let first = SessionKey {
        tool: tool.clone(),
        hash: String::new(),
    };
    loop {
        let shared = context.shared();
        let from = last
            .as_ref()
            .map_or(Bound::Included(&first), Bound::Excluded);
        let here = shared.here.range::<SessionKey, _>((from, Bound::Unbounded));
        let here = here.take_while(|key| key.tool == *tool);
        let mut next = None;
        for key in here.take(COMPARED_AT_ONCE) {
            next = Some(key);
            if !found.contains(key) {
                missing.insert(key.clone());
            }
        }
        match next.cloned() {
            Some(next) => last = Some(next),
            None => return (missing, last.is_some()),
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
