//! The toolkit-independent part of the tray app: its menu, icon and notifications as functions of
//! the engine's answers, the engine itself, the user's terminal, what its two programs share.
//! Tested without a display.

pub mod editor;
pub mod engine;
pub mod link;
pub mod log;
pub mod menu;
pub mod news;
pub mod panel;
pub mod programs;
pub mod sight;
pub mod terminal;
pub mod updates;
