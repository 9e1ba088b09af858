//! The last comparison of two branches, kept between two pages of it.

use crate::merge::diff::{Msg, Row};
use crate::session::{ChainId, SessionKey};
use crate::vault::journal_reader;

/// The last alignment.
pub struct Compared {
    pub(super) of: Of,
    pub(super) sides: [Vec<Msg>; 2],
    /// Where the bodies lie.
    pub(super) places: [Vec<Place>; 2],
    /// The number of common first messages, which are not in the rows.
    pub(super) common: usize,
    pub(super) rows: Vec<Row>,
}

/// The identity of a comparison: as long as it is the same, so is the result.
#[derive(PartialEq)]
pub(super) struct Of {
    pub(super) key: SessionKey,
    /// The ends of the trunk, of the branch, and of the session that the branch became.
    pub(super) ends: Vec<ChainId>,
    /// Decisions in the session that the branch became.
    pub(super) choices: usize,
}

/// Where bytes of a tail lie in the journals.
pub(super) struct Place {
    pub(super) off: u64,
    pub(super) piece: journal_reader::Place,
    /// The device that recorded the bytes, by short id.
    pub(super) device: String,
}
