//! Formats and techniques that adapters share: guest writes, logs of JSON lines read at both ends,
//! joins of two log branches, signs of a running process, running other programs, fields of JSON
//! documents, lists of rows, databases of other programs, documents stored as logs of their changes, steering settings in a
//! line, sets of words searched for in one pass, and the file locations of VS Code and the editors derived from it. Knows no tool by name.

pub mod fields;
pub mod file_store;
pub mod files;
pub mod guarded;
pub mod jsonl;
pub mod listed;
pub mod ordered;
pub mod process;
pub mod protobuf;
pub mod record_set;
pub mod rows;
pub mod running;
pub mod sqlite;
pub mod state_db;
pub mod steering;
pub mod vscode;
pub mod words;
