//! What the tray app needs of the system: the icon with its menu, notifications and their clicks, one instance for each
//! user, the end of the desktop session. On Linux all of it is D-Bus and one connection to the display, without a toolkit:
//! GTK and the web engine would stay in memory all day. Elsewhere it is Tauri's, where the web engine belongs to the system
//! and is loaded with the first window.

#[cfg(target_os = "linux")]
mod display;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod instance;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod notifications;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Desktop, run};
#[cfg(target_os = "linux")]
pub use linux::{Desktop, run};

/// What the panel shows.
#[derive(Clone, PartialEq)]
pub struct Shown {
    pub items: Vec<session_roam_tray::menu::Item>,
    pub icon: session_roam_tray::menu::Icon,
    pub tooltip: String,
}
