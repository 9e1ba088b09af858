//! Where the managed Syncthing's REST interface listens, so that only its user can reach it: a Unix
//! socket in a directory of mode 0700 where the system supports this, else a loopback port. Knows
//! files; sends the daemon no requests.
//!
//! Whoever reaches the REST interface can add a folder anywhere in the user's home. A loopback port
//! is open to every user, every container on the host's network and every browser, so a port is
//! only the second choice.

use super::rest::SOCKET;
#[cfg(not(unix))]
use std::path::Path;

/// One place to listen. A directory made for it is removed with it.
#[derive(Debug)]
pub struct Door {
    address: String,
    #[cfg(unix)]
    _dir: Option<tempfile::TempDir>,
}

impl Door {
    /// `unix:<path>` or `127.0.0.1:<port>`, as [`super::rest::Rest::new`] expects.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The value of Syncthing's `--gui-address`.
    pub fn argument(&self) -> String {
        argument(&self.address)
    }

    /// The value of `<gui>` in config.xml, for a run of Syncthing without our arguments.
    pub fn configured(&self) -> &str {
        self.address.strip_prefix(SOCKET).unwrap_or("127.0.0.1:0")
    }
}

/// Syncthing reads `--gui-address` as a URL (1.19 to 2.1).
fn argument(address: &str) -> String {
    match address.strip_prefix(SOCKET) {
        Some(path) => super::rest::with_escapes("unix://", path, b"-._~/"),
        None => address.to_owned(),
    }
}

/// Picks a free port. If another program takes the port before Syncthing does, the run ends and a
/// new port is picked.
#[cfg(not(unix))]
pub fn open(_home: &Path) -> std::io::Result<Door> {
    loopback()
}

#[cfg(any(not(unix), test))]
fn loopback() -> std::io::Result<Door> {
    Ok(Door {
        address: std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .to_string(),
        #[cfg(unix)]
        _dir: None,
    })
}

#[cfg(unix)]
pub use self::socket::{is_private, open, remove_stale};

#[cfg(unix)]
mod socket {
    use super::{Door, SOCKET};
    use std::fs;
    use std::io;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
    use std::os::unix::net::UnixListener;
    use std::path::{Path, PathBuf};

    const NAME: &str = "rest.sock";
    const DIR: &str = "session-roam-";

    /// The socket lies in `home`, which must be private already. If the path is too long for a
    /// socket (104 bytes on macOS, 108 on Linux) or the file system has no sockets, a fresh private
    /// directory elsewhere is used.
    pub fn open(home: &Path) -> io::Result<Door> {
        let here = usable(&home.join(NAME)).map(|address| Door {
            address,
            _dir: None,
        });
        here.or_else(|error| {
            elsewhere()
                .into_iter()
                .find_map(|base| in_fresh_dir(&base))
                .ok_or(error)
        })
    }

    /// This call makes the directory, with a name that nobody can guess and the mode 0700 from the
    /// start.
    fn in_fresh_dir(base: &Path) -> Option<Door> {
        let mode = fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new()
            .prefix(DIR)
            .permissions(mode)
            .tempdir_in(base)
            .ok()?;
        let address = is_private(dir.path())
            .ok()
            .filter(|yes| *yes)
            .and_then(|_| usable(&dir.path().join(NAME)).ok());
        address.map(|address| Door {
            address,
            _dir: Some(dir),
        })
    }

    #[allow(clippy::disallowed_methods)] // the system's place for files of one login
    fn elsewhere() -> Vec<PathBuf> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime = runtime.filter(|dir| dir.is_absolute() && is_private(dir).unwrap_or(false));
        runtime
            .into_iter()
            .chain([std::env::temp_dir(), "/tmp".into()])
            .collect()
    }

    /// The address of a socket at `path`, if one can be created. The socket of a crashed run is
    /// removed.
    fn usable(path: &Path) -> io::Result<String> {
        let text = path.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        UnixListener::bind(path)?;
        fs::remove_file(path)?;
        Ok(format!("{SOCKET}{text}"))
    }

    /// Whether only this user can enter a directory.
    pub fn is_private(dir: &Path) -> io::Result<bool> {
        let found = fs::symlink_metadata(dir)?;
        // SAFETY: geteuid has no arguments and cannot fail.
        let us = unsafe { libc::geteuid() };
        Ok(found.is_dir() && found.uid() == us && found.mode() & 0o077 == 0)
    }

    /// Removes the socket of a crashed run, and the directory that was made for it.
    pub fn remove_stale(address: &str) {
        let Some(path) = address.strip_prefix(SOCKET).map(Path::new) else {
            return;
        };
        let Some(dir) = path.parent().filter(|dir| is_private(dir).unwrap_or(false)) else {
            return;
        };
        if path.file_name().is_some_and(|name| name == NAME)
            && fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        {
            let _ = fs::remove_file(path);
        }
        if dir
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(DIR))
        {
            // Only removes an empty directory.
            let _ = fs::remove_dir(dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(unix)]
    use std::path::Path;

    #[test]
    fn a_system_without_sockets_gets_a_loopback_port() {
        let door = loopback().expect("a port");
        assert!(door.argument().starts_with("127.0.0.1:") && door.argument() == door.address());
        assert_eq!(
            door.configured(),
            "127.0.0.1:0",
            "config.xml names no port that somebody could wait at"
        );
    }

    #[test]
    fn a_socket_is_named_as_a_url() {
        assert_eq!(
            argument("unix:/h/my 100%?#/rest.sock"),
            "unix:///h/my%20100%25%3F%23/rest.sock"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_lies_in_the_home_or_where_its_path_is_short_enough() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().expect("tempdir");
        std::fs::write(home.path().join("rest.sock"), "left by a crash").expect("stale");
        let door = open(home.path()).expect("door");
        assert_eq!(
            Path::new(&door.address()[SOCKET.len()..]),
            home.path().join("rest.sock")
        );
        assert!(!home.path().join("rest.sock").exists());
        let deep = home.path().join("d".repeat(120));
        std::fs::create_dir(&deep).expect("deep");
        let door = open(&deep).expect("door");
        let dir = Path::new(&door.address()[SOCKET.len()..])
            .parent()
            .expect("directory")
            .to_owned();
        assert!(
            !dir.starts_with(home.path()) && is_private(&dir).expect("directory"),
            "{}",
            dir.display()
        );
        drop(door);
        assert!(!dir.exists());
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o750))
            .expect("mode");
        assert!(!is_private(home.path()).expect("home"));
    }
}
