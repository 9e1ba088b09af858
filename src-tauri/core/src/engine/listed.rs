//! A tool's store as a listing found it, on its way to the loop.

use crate::session::{SessionKey, ToolId};
use crate::tools::Listing;
use std::collections::BTreeSet;
use std::time::Duration;

/// A tool's store, as listed beside the loop.
pub struct ListedStore {
    pub(super) tool: ToolId,
    /// `None`: the adapter panicked.
    pub(super) listing: Option<Listing>,
    /// The key and the fingerprint of each session found, in the order of the listing.
    pub(super) prints: Vec<(SessionKey, u64)>,
    /// The tool's sessions that were in the store before.
    pub(super) here: BTreeSet<SessionKey>,
    /// Whether any directory of the store exists.
    pub(super) has_roots: bool,
    pub(super) took: Duration,
    /// The tool whose sessions this one can enter into its registry now.
    pub(super) enters: Option<ToolId>,
}
