//! What the tests of `roam` and of the tray app share: devices of a user, simulated on this machine,
//! with the real programs, the real tools and a mock of the model behind them. Knows no single test.
//!
//! The core's own tests do not use it: it needs the core, which would then be built twice for them.

// Namespaces, displays and `/proc` are specific to Linux; the tested code is the same everywhere.
#![cfg(target_os = "linux")]

pub mod checks;
pub mod cline;
#[cfg(feature = "desktop")]
pub mod desktop;
pub mod device;
pub mod files;
pub mod isolation;
pub mod mock;
pub mod opencode;
pub mod parting;
pub mod programs;
pub mod story;
pub mod terminal;
pub mod tools;
pub mod transcripts;
pub mod vscode;
pub mod world;
