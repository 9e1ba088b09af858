//! Whether there is a newer version: asked only when the user clicks, and only of the address that
//! the build was given. A build without an address asks nobody. Downloads and installs nothing.

use serde::{Deserialize, Serialize};
use session_roam_core::api::ApiError;
use session_roam_core::session::ProblemCode;
use std::process::{Command, Stdio};

/// The `https` address of the directory with the newest release's `latest.json`, which is also the
/// page that the user is sent to. Set when the program is built.
pub const RELEASES: Option<&str> = option_env!("SESSION_ROAM_RELEASES");

/// The most bytes of the answer.
const LONGEST: usize = 64 << 10;
const LONGEST_VERSION: usize = 40;

/// The newest release.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Newest {
    pub version: String,
    /// Newer than the running program.
    pub is_newer: bool,
}

/// The address, if the build has a usable one.
pub fn address() -> Option<&'static str> {
    RELEASES
        .map(|address| address.trim_end_matches('/'))
        .filter(|address| address.starts_with("https://"))
}

/// Asks `address`. The system's `curl` does it: the program itself has no TLS.
pub fn ask(address: &str, own: &str) -> Result<Newest, ApiError> {
    let mut command = Command::new(if cfg!(windows) { "curl.exe" } else { "curl" });
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(&mut command, 0x0800_0000); // no console window
    let asked = command
        // First: without the user's ~/.curlrc.
        .arg("--disable")
        .args(["--silent", "--fail", "--location", "--max-redirs", "3"])
        .args(["--proto", "=https", "--proto-redir", "=https"])
        .args(["--max-time", "20", "--max-filesize", "65536"])
        .args(["--user-agent", "session-roam", "--"])
        .arg(format!("{address}/latest.json"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let failed = |why: &str| {
        ApiError::new(
            ProblemCode::NotOpened,
            format!("The newest version is not known: {why}."),
            format!("Look at {address}"),
        )
    };
    let answer = match asked {
        Ok(output) if output.status.success() => output.stdout,
        Ok(_) => return Err(failed("the address did not answer")),
        Err(_) => return Err(failed("the program curl was not found")),
    };
    newest(&answer, own).ok_or_else(|| failed("the answer was not understood"))
}

/// Reads `latest.json` as `cargo xtask manifest` writes it; `None` if it is nothing of the kind.
pub fn newest(answer: &[u8], own: &str) -> Option<Newest> {
    #[derive(Deserialize)]
    struct Latest {
        version: String,
    }
    if LONGEST < answer.len() {
        return None;
    }
    let latest: Latest = serde_json::from_slice(answer).ok()?;
    let version = latest.version.strip_prefix('v').unwrap_or(&latest.version);
    if LONGEST_VERSION < version.len() {
        return None;
    }
    Some(Newest {
        is_newer: numbers(own)? < numbers(version)?,
        version: version.to_owned(),
    })
}

/// `1.20.3` as numbers. Versions with anything else in them are not announced.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut parts = version.split('.').map(|part| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse().ok()).flatten()
    });
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}
