//! A few lines for troubleshooting: starts, notifications, errors. Contains no text of sessions
//! beyond titles, and no secrets.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The previous log is kept, so there are at most two of this size.
const LONGEST: u64 = 1_000_000;

pub fn dir(home: &Path) -> PathBuf {
    home.join("logs")
}

/// A log that cannot be written must not stop anything.
pub fn note(home: &Path, text: &str) {
    let file = dir(home).join("tray.log");
    let _ = std::fs::create_dir_all(dir(home));
    if std::fs::metadata(&file).is_ok_and(|facts| LONGEST < facts.len()) {
        let _ = std::fs::rename(&file, file.with_extension("old.log"));
    }
    let now = session_roam_core::session::Millis::from_system(SystemTime::now()).rfc3339();
    if let Ok(mut log) = std::fs::File::options()
        .create(true)
        .append(true)
        .open(file)
    {
        let _ = writeln!(log, "{now} {}", text.replace('\n', " "));
    }
}
