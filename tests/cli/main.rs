//! The real `roam` against a socket with canned answers: as a person and a script use it, and as
//! editors and other tools talk to it. No engine, no Syncthing.

mod canned;
mod commands;
mod protocols;
mod stage;
