//! The last comparison of two branches, kept between two pages of it.

use crate::merge::diff::{Msg, Row};
use crate::session::{ChainId, SessionKey};
use crate::vault::journal_reader;

/// The last alignment.
pub struct Compared {
    pub(crate) of: Of,
    pub(crate) sides: [Vec<Msg>; 2],
    /// Where the bodies lie.
    pub(crate) places: [Vec<Place>; 2],
    /// The number of common first messages, which are not in the rows.
    pub(crate) common: usize,
    pub(crate) rows: Vec<Row>,
}

/// The identity of a comparison: as long as it is the same, so is the result.
#[derive(PartialEq)]
pub(crate) struct Of {
    pub(crate) key: SessionKey,
    /// The ends of the trunk, of the branch, and of the session that the branch became.
    pub(crate) ends: Vec<ChainId>,
    /// Decisions in the session that the branch became.
    pub(crate) choices: usize,
}

/// Where bytes of a tail lie in the journals.
pub(crate) struct Place {
    pub(crate) off: u64,
    pub(crate) piece: journal_reader::Place,
    /// The device that recorded the bytes, by short id.
    pub(crate) device: String,
}
