//! What adapters share: files written as a guest, logs of JSON lines read at both ends, what can be made of two
//! branches of a log, signs of a running process. Knows no tool by name.

pub mod files;
pub mod jsonl;
pub mod linked;
pub mod numbered;
pub mod patched;
pub mod process;

#[cfg(test)]
mod linked_rules;
