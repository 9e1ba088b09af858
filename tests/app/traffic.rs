//! Sessions that are written all the time, on two devices, for the measurement of what a day of use does to the tray app.

use session_roam_testutils::desktop::Desktop;
use session_roam_testutils::files::init_repository;
use session_roam_testutils::transcripts::{Message, append, place};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a session before the next one begins.
const LONGEST: usize = 100;

/// One device's part: a checkout, and the session that is written now.
pub struct Traffic {
    home: PathBuf,
    checkout: PathBuf,
    device: usize,
    written: usize,
}

impl Traffic {
    pub fn new(desktop: &Desktop, device: usize) -> Self {
        let checkout = desktop.home.join("code/api");
        let remote = "https://github.com/acme/api.git";
        init_repository(&desktop.home, &checkout, remote);
        Self {
            home: desktop.home.clone(),
            checkout,
            device,
            written: 0,
        }
    }

    /// Writes one more line.
    pub fn say(&mut self) {
        let (session, line) = (self.written / LONGEST, self.written % LONGEST);
        let uuid = |line: usize| {
            format!(
                "7c2a5f0e-{:04}-4000-8000-{session:06}{line:06}",
                self.device
            )
        };
        let words = "words ".repeat(40);
        let message = Message {
            session: &self.id(session),
            cwd: &self.checkout,
            role: "user",
            text: &format!("Message {line} of session {session}. {words}"),
            uuid: uuid(line),
            parent: line.checked_sub(1).map(uuid),
            at: format!("2026-11-23T10:{:02}:{:02}.000Z", line / 60, line % 60),
        };
        append(&self.file(session), message.line().as_bytes());
        self.written += 1;
    }

    pub fn n_sessions(&self) -> usize {
        self.written.div_ceil(LONGEST)
    }

    /// Whether another device has all of it, too.
    pub fn has_arrived(&self, other: &Self) -> Result<(), String> {
        let n_lines = |file: &Path| {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.lines().count()
        };
        for session in 0..self.n_sessions() {
            let id = self.id(session);
            let there = place(&other.home, &other.checkout, &id);
            let (here, there) = (n_lines(&self.file(session)), n_lines(&there));
            if here != there {
                return Err(format!("{id}: {there} of {here} lines"));
            }
        }
        Ok(())
    }

    fn id(&self, session: usize) -> String {
        format!("5e1f0c3a-{:04}-4000-8000-{session:012}", self.device)
    }

    fn file(&self, session: usize) -> PathBuf {
        place(&self.home, &self.checkout, &self.id(session))
    }
}
