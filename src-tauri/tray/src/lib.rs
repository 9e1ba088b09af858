//! What the tray app says and does, as far as no toolkit is needed: its menu, icon and notifications as functions of what
//! the engine answers, the engine itself, the user's terminal. Tested without a display.

pub mod engine;
pub mod menu;
pub mod news;
pub mod sight;
pub mod spare;
pub mod terminal;
