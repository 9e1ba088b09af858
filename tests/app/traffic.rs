//! Sessions that are written all the time, on two devices, for the measurement of what a day of use does to the tray app.

use crate::desktop::Desktop;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a session before the next one begins.
const LONGEST: usize = 100;

/// One device's part: a checkout, and the session that is written now. The format is Claude Code's 2.1.330 (seen 2026-11-23).
pub struct Traffic {
    checkout: PathBuf,
    store: PathBuf,
    device: usize,
    written: usize,
}

impl Traffic {
    pub fn new(desktop: &Desktop, device: usize) -> Self {
        let checkout = desktop.home.join("code/api");
        fs::create_dir_all(&checkout).expect("a checkout");
        for words in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["remote", "add", "origin", "https://github.com/acme/api.git"],
        ] {
            let mut git = Command::new("git");
            git.args(words)
                .current_dir(&checkout)
                .env("HOME", &desktop.home);
            assert!(git.status().expect("git").success());
        }
        let store = store(&desktop.home, &checkout);
        Self {
            checkout,
            store,
            device,
            written: 0,
        }
    }

    /// Writes one more line.
    pub fn say(&mut self) {
        let (session, line) = (self.written / LONGEST, self.written % LONGEST);
        let id = self.id(session);
        let uuid = |line: usize| {
            format!(
                "7c2a5f0e-{:04}-4000-8000-{session:06}{line:06}",
                self.device
            )
        };
        let text = format!(
            "Message {line} of session {session}. {}",
            "words ".repeat(40)
        );
        let record = json!({
            "parentUuid": line.checked_sub(1).map(uuid),
            "isSidechain": false,
            "userType": "external",
            "cwd": self.checkout,
            "sessionId": id,
            "version": "2.1.330",
            "gitBranch": "main",
            "type": "user",
            "message": { "role": "user", "content": text },
            "uuid": uuid(line),
            "timestamp": format!("2026-11-23T10:{:02}:{:02}.000Z", line / 60, line % 60),
        });
        fs::create_dir_all(&self.store).expect("a store");
        let mut file = fs::File::options()
            .create(true)
            .append(true)
            .open(self.store.join(format!("{id}.jsonl")))
            .expect("a session");
        file.write_all(format!("{record}\n").as_bytes())
            .expect("written");
        self.written += 1;
    }

    pub fn n_sessions(&self) -> usize {
        self.written.div_ceil(LONGEST)
    }

    /// Whether another device has all of it, too.
    pub fn has_arrived(&self, other: &Self) -> Result<(), String> {
        for session in 0..self.n_sessions() {
            let name = format!("{}.jsonl", self.id(session));
            let n_lines = |store: &Path| {
                let text = fs::read_to_string(store.join(&name)).unwrap_or_default();
                text.lines().count()
            };
            let (here, there) = (n_lines(&self.store), n_lines(&other.store));
            if here != there {
                return Err(format!("{name}: {there} of {here} lines"));
            }
        }
        Ok(())
    }

    fn id(&self, session: usize) -> String {
        format!("5e1f0c3a-{:04}-4000-8000-{session:012}", self.device)
    }
}

fn store(home: &Path, checkout: &Path) -> PathBuf {
    let name = checkout
        .to_string_lossy()
        .replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    home.join(".claude/projects").join(name)
}
