//! The messages between the tray and the process of its windows: lines of JSON on the process's stdin and stdout. A line that
//! is not understood is skipped, because after an update a process of another version may be at the other end.

use crate::engine::Standing;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use session_roam_core::api::Status;
use std::io::{BufRead, BufReader, Read, Write};

/// From the tray to its windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum ToWindow {
    /// Opens the window at an address within it, or brings it to the front; `""` keeps its address.
    Open {
        place: String,
    },
    /// Opens a split in a window of its own.
    Compare {
        session: String,
    },
    Engine {
        standing: Standing,
    },
    /// Why the panel shows no icon.
    NoTray {
        why: String,
    },
    Status {
        status: Box<Status>,
    },
    Notice {
        title: String,
        body: String,
    },
}

/// From the windows to the tray.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum ToTray {
    /// The oldest unanswered `Open` or `Compare` is done.
    Opened,
    /// The user did something: what is shown may have changed.
    LookAgain,
    StartEngine,
    RestartEngine,
    /// A device that was copied, or restored from a backup, becomes one of its own.
    NewIdentity,
    /// Whether one of the windows has the focus.
    Focus {
        on: bool,
    },
}

/// Writes a message as one line, at once.
pub fn write(out: &mut impl Write, message: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

/// Passes on each message until the other end is gone.
pub fn read<T: DeserializeOwned>(input: impl Read, mut hear: impl FnMut(T)) {
    let mut lines = BufReader::new(input);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|n| 0 < n) {
        if let Ok(message) = serde_json::from_slice(&line) {
            hear(message);
        }
        line.clear();
    }
}
