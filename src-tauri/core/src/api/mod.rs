//! Commands and their answers, and the socket that carries them.

mod apps;
#[cfg(test)]
mod bindings;
mod code;
pub mod devices;
mod doctor;
pub mod forgotten;
pub mod home;
pub mod host;
pub mod identity;
pub mod preferences;
pub mod quote;
mod request;
mod search;
mod session_row;
mod shown;
pub mod socket;
pub mod types;

pub use types::*;
