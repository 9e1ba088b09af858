//! The core without a network and without a program of others: adapters, formats, one session
//! reconciled, and whole stories of several devices. The tests of one file: `cargo test -p
//! session-roam-core --test core stories::splits::`.

mod conformance;
mod fuzz;
mod journal_format;
mod reconcile;
mod stories;
mod tools_page;
