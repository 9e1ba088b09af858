//! The toolkit-independent part of the tray app: its menu, icon and notifications as functions of
//! the engine's answers, the engine itself, the user's terminal. Tested without a display.

pub mod engine;
pub mod link;
pub mod menu;
pub mod news;
pub mod sight;
pub mod terminal;
