//! Whether the desktop has a panel that shows icons of programs.

/// Why no panel can show such icons right now. A panel that starts later gets the icon then.
#[cfg(target_os = "linux")]
pub fn missing() -> Option<String> {
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    let has_owner = || -> zbus::Result<bool> {
        let bus = zbus::blocking::Connection::session()?;
        let reply = bus.call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "NameHasOwner",
            &WATCHER,
        )?;
        reply.body().deserialize()
    };
    match has_owner() {
        Ok(true) => None,
        Ok(false) | Err(_) => Some(
            "This desktop shows no icons of programs in its panel (on GNOME the extension AppIndicator does). session-roam \
             runs all the same: start it again to see this window."
                .into(),
        ),
    }
}

#[cfg(not(target_os = "linux"))]
pub fn missing() -> Option<String> {
    None
}
