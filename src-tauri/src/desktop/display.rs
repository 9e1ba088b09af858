//! The connection to the display. The tray draws nothing on it; it ends when the display does, which is how a desktop session
//! ends for a program. Without that the tray would outlive the session, and its windows could open nowhere.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use x11rb::connection::Connection;
use x11rb::rust_connection::RustConnection;

pub enum Display {
    Wayland(UnixStream),
    X11(RustConnection),
}

impl Display {
    /// The display that the windows would be opened on.
    pub fn connect() -> Option<Self> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let wayland = set("WAYLAND_DISPLAY").and_then(|name| {
            // An absolute name is kept as it is.
            let place = Path::new(&set("XDG_RUNTIME_DIR").unwrap_or_default()).join(name);
            UnixStream::connect(place).ok()
        });
        match wayland {
            Some(stream) => Some(Self::Wayland(stream)),
            None if set("DISPLAY").is_none() => None,
            None => x11rb::connect(None)
                .ok()
                .map(|(connection, _)| Self::X11(connection)),
        }
    }

    /// Returns when the display is gone.
    pub fn wait_for_end(self) {
        match self {
            // Nothing was asked for, so nothing comes.
            Self::Wayland(mut stream) => {
                let mut unread = [0; 64];
                while stream.read(&mut unread).is_ok_and(|n| 0 < n) {}
            }
            Self::X11(connection) => while connection.wait_for_event().is_ok() {},
        }
    }
}
