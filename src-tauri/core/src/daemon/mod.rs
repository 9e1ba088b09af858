//! The engine as a process: its home, its lock, its threads, the socket it answers on, and the
//! device's identity.

pub mod home;
pub mod host;
pub mod identity;
