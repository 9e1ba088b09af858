//! What adapters share: files written as a guest, logs of JSON lines read at both ends, what can be made of two
//! branches of a log, signs of a running process, other programs that are run, fields of JSON documents, lists of rows,
//! documents kept as logs of their changes, what steers in a line, and what VS Code and the editors made from it keep where. Knows no tool by name.

pub mod fields;
pub mod files;
pub mod guarded;
pub mod jsonl;
pub mod listed;
pub mod patched;
pub mod process;
pub mod running;
pub mod state_db;
pub mod steering;
pub mod vscode;
