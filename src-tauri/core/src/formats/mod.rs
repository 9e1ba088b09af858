//! What adapters share: files written as a guest, logs of JSON lines read at both ends, signs of a running process.
//! Knows no tool by name.

pub mod files;
pub mod jsonl;
pub mod process;
