//! What adapters share: files written as a guest, logs of JSON lines read at both ends, what can be made of two
//! branches of a log, signs of a running process, other programs that are run, fields of JSON
//! documents. Knows no tool by name.

pub mod fields;
pub mod files;
pub mod jsonl;
pub mod linked;
pub mod numbered;
pub mod patched;
pub mod process;
pub mod program;
pub mod running;

#[cfg(test)]
mod linked_rules;
