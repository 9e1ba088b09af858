//! Commands and their answers, and the socket that carries them.

pub mod answer;
mod apps;
#[cfg(test)]
mod bindings;
mod code;
pub mod devices;
mod doctor;
pub mod forgotten;
pub mod preferences;
pub mod quote;
mod request;
mod search;
mod session_row;
mod shown;
pub mod socket;
pub mod types;

pub use types::*;
