//! What was found beside the loop: by a walk through the vault, or by the engine's start. Plain data,
//! which events carry. What the loop takes over in slices is a queue: a slice costs as much as it holds.

use super::prints::Prints;
use crate::opener::Listed;
use crate::session::{Lane, SessionKey};
use crate::state::StateError;
use crate::vault::VaultPath;
use std::collections::VecDeque;

/// What a walk found, as far as no event has taken it over.
pub struct Walk {
    pub(super) journals: VecDeque<VaultPath>,
    /// The walk was a part of the engine's start.
    pub(super) start: Option<Started>,
    pub(super) error: Option<StateError>,
    /// The walk ended early; `journals` has what it found until then.
    pub(super) has_panicked: bool,
    /// Own segments that were gone, and how many of them are back.
    pub(super) restored: (u32, u32),
}

/// A directory that may hold a journal, with what is in it.
pub(super) struct WalkedDir<'a> {
    pub(super) device: &'a str,
    pub(super) lane: Lane,
    /// Below the vault.
    pub(super) dir: &'a str,
    pub(super) listed: Vec<Listed>,
}

/// What is looked for in all sessions until it was done once.
#[derive(Clone, Default)]
pub(super) struct Once {
    /// Former identities of this device of which something may not be republished yet.
    pub(super) former: Vec<String>,
    pub(super) origins: bool,
    /// Journals were last read by a version that knew fewer kinds of entries.
    pub(super) outdated: bool,
    pub(super) placed: bool,
}

/// What a start found.
#[derive(Default)]
pub(super) struct Started {
    /// Sessions to reconcile, as far as no event has taken them over.
    pub(super) due: VecDeque<SessionKey>,
    /// The fingerprint of each session's files that was complete and is unchanged in the vault.
    pub(super) seen: Prints,
    pub(super) restored: (u32, u32),
    pub(super) once: Once,
    /// Former identities of which everything is republished.
    pub(super) passed_on: Vec<String>,
    /// The last session of each project, if code goes along from this device.
    pub(super) last: Vec<SessionKey>,
    pub(super) error: Option<StateError>,
}
