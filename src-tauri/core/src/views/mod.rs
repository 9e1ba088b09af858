//! What is shown of sessions: transcripts, comparisons, exports, diagnostics, and the text that is
//! searched. Reads records and journals beside the loop and changes neither.

pub mod compare;
pub mod doctor;
pub mod export;
pub mod indexing;
pub mod left_out;
pub mod search_text;
pub mod transcript;
