//! The promise with nothing faked but the model: the real tools, the real `roam` and real Syncthings
//! on devices simulated on this machine. Faults, pairing and forgetting need no tools: their
//! transcripts are invented.
//!
//! Needs on this machine: node (20 or newer), git, syncthing, unshare, ip, mount; and the real tools,
//! which `cargo xtask test` installs with
//! ```text
//! cp tests/real/package.json tests/real/package-lock.json target/real-clients/
//! cd target/real-clients && npm ci --no-audit --no-fund --ignore-scripts
//! ```
//! `SESSION_ROAM_TEST_SYNCTHING` names another Syncthing than the one on PATH. The stories of one
//! file: `cargo test -p session-roam-cli --test real splits::`.

// Namespaces are specific to Linux; the tested code is the same everywhere.
#![cfg(target_os = "linux")]

mod apps;
mod clients;
// Cline's package is installed only for this processor.
#[cfg(target_arch = "x86_64")]
mod cline;
mod code;
mod faults;
mod forget;
mod mcp;
mod opencode;
mod pairing;
mod places;
mod splits;
