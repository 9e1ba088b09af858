//! The core of session-roam. Has no window, no command line and no terminal.
//!
//! Layers; each may use only those to its right: `daemon → engine → views → reconcile → api → tools ·
//! vault · state · watch · syncthing · projects → adapter · formats → open → merge → session`.

pub mod adapter;
pub mod api;
pub mod daemon;
pub mod engine;
pub mod formats;
pub mod held_lock;
pub mod memory;
pub mod merge;
pub mod open;
pub mod opener;
mod parallel;
pub mod projects;
pub mod reconcile;
pub mod session;
pub mod settings;
pub mod state;
pub mod syncthing;
pub mod timing;
pub mod tools;
pub mod vault;
pub mod views;
pub mod watch;
