//! vault

pub mod card;
pub mod keys;
