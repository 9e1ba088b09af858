//! The icon's pictures: small PNG files, one for each meaning, for dark and for light panels.

use session_roam_tray::menu::Icon;

pub fn png(icon: Icon) -> &'static [u8] {
    match (icon, is_light_panel()) {
        (Icon::Idle, false) => include_bytes!("../../icons/tray/idle-dark.png"),
        (Icon::Moving, false) => include_bytes!("../../icons/tray/moving-dark.png"),
        (Icon::Attention, false) => include_bytes!("../../icons/tray/attention-dark.png"),
        (Icon::Paused, false) => include_bytes!("../../icons/tray/paused-dark.png"),
        (Icon::Off, false) => include_bytes!("../../icons/tray/off-dark.png"),
        (Icon::Idle, true) => include_bytes!("../../icons/tray/idle-light.png"),
        (Icon::Moving, true) => include_bytes!("../../icons/tray/moving-light.png"),
        (Icon::Attention, true) => include_bytes!("../../icons/tray/attention-light.png"),
        (Icon::Paused, true) => include_bytes!("../../icons/tray/paused-light.png"),
        (Icon::Off, true) => include_bytes!("../../icons/tray/off-light.png"),
    }
}

/// Only KDE's panel has colours that we can read. GNOME's and most others are dark whatever the
/// theme; the glyph for dark panels has a dark rim and is visible on light ones, too. macOS tints
/// the glyph itself.
#[cfg(target_os = "linux")]
fn is_light_panel() -> bool {
    let config = std::env::home_dir()
        .unwrap_or_default()
        .join(".config/kdeglobals");
    let is_kde = std::env::var("XDG_CURRENT_DESKTOP").is_ok_and(|name| name.contains("KDE"));
    is_kde
        && std::fs::read_to_string(config)
            .is_ok_and(|text| !session_roam_tray::sight::is_dark_scheme(&text))
}

#[cfg(windows)]
fn is_light_panel() -> bool {
    false // the rim helps on the light taskbar
}

#[cfg(not(any(target_os = "linux", windows)))]
fn is_light_panel() -> bool {
    true // a template's glyph is black
}
