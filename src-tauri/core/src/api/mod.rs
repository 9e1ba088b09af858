//! Commands and their answers, and the socket they travel over.

pub mod types;

pub use types::*;
