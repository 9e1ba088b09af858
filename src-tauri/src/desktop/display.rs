//! The connection to the display. The tray draws nothing on it; it ends when the display does, which is how a desktop session
//! ends for a program. Without that the tray would outlive the session, and its windows could open nowhere.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use x11rb::connection::Connection;
use x11rb::rust_connection::RustConnection;

const ATTEMPTS: usize = 20;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(100);

pub enum Display {
    Wayland(UnixStream),
    X11(Box<RustConnection>),
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
            None => x11().map(Box::new).map(Self::X11),
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

/// A server whose last client has just left begins anew, and refuses connections until it has (Xvfb
/// and X.Org without `-noreset`).
fn x11() -> Option<RustConnection> {
    for _ in 0..ATTEMPTS {
        match x11rb::connect(None) {
            Ok((connection, _)) => return Some(connection),
            Err(_) => std::thread::sleep(ATTEMPT_PAUSE),
        }
    }
    None
}
