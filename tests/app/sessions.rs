//! A git checkout with an invented Claude Code session, written line by line as the tool does.

use serde_json::json;
use session_roam_testutils::desktop::Desktop;
use session_roam_testutils::files;
use session_roam_testutils::transcripts::{Message, append, place};
use std::fs;
use std::path::{Path, PathBuf};

pub const ID: &str = "5e1f0c3a-0000-4000-8000-000000000001";

pub struct Checkout(PathBuf);

impl Checkout {
    pub fn dir(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }

    pub fn make(dir: &Path) -> Self {
        fs::create_dir_all(dir).expect("a checkout");
        fs::write(dir.join("login.rs"), "fn login() {}\n").expect("a file");
        git(dir, &["init", "--quiet", "--initial-branch=main"]);
        git(dir, &["add", "."]);
        git(
            dir,
            &[
                "-c",
                "user.name=Test",
                "-c",
                "user.email=test@example.com",
                "commit",
                "--quiet",
                "-m",
                "Login",
            ],
        );
        git(
            dir,
            &["remote", "add", "origin", "https://github.com/acme/api.git"],
        );
        Self(dir.to_owned())
    }

    pub fn clone_to(&self, dir: &Path) -> Self {
        fs::create_dir_all(dir.parent().expect("it is in a directory")).expect("a directory");
        git(
            &self.0,
            &["clone", "--quiet", ".", dir.to_str().expect("UTF-8")],
        );
        git(
            dir,
            &[
                "remote",
                "set-url",
                "origin",
                "https://github.com/acme/api.git",
            ],
        );
        Self(dir.to_owned())
    }
}

/// The user's HOME need not be known: none of these commands reads it.
fn git(dir: &Path, words: &[&str]) {
    files::git(dir.parent().expect("it is in a directory"), dir, words);
}

/// A session's file in a tool's store.
pub struct Session {
    file: PathBuf,
    cwd: PathBuf,
}

impl Session {
    /// A session of `lines` lines; the first line sets its title.
    pub fn begin(desktop: &Desktop, checkout: &Checkout, title: &str, lines: usize) -> Self {
        let session = Self {
            file: place(&desktop.home, &checkout.0, ID),
            cwd: checkout.0.clone(),
        };
        session.say("user", title);
        for at in 1..lines {
            session.say(
                ["user", "assistant"][at % 2],
                &format!("Message {at} of what both have in common."),
            );
        }
        session
    }

    /// The same session in another device's store.
    pub fn in_home(&self, desktop: &Desktop, checkout: &Checkout) -> Self {
        Self {
            file: place(&desktop.home, &checkout.0, ID),
            cwd: checkout.0.clone(),
        }
    }

    /// One write, as the tool does it: a line is there completely or not at all.
    pub fn say(&self, role: &str, text: &str) {
        let before = self.try_bytes().unwrap_or_default();
        let number = before.iter().filter(|byte| **byte == b'\n').count();
        let side = if self.file.to_string_lossy().contains("backend") {
            2
        } else {
            1
        };
        let uuid = |number: usize| format!("7c2a5f0e-0000-4000-8000-{number:012}");
        let parent = String::from_utf8_lossy(&before)
            .lines()
            .last()
            .and_then(|line| {
                serde_json::from_str::<serde_json::Value>(line).ok()?["uuid"]
                    .as_str()
                    .map(str::to_owned)
            });
        let own = if text.starts_with("On ") {
            number + side * 1000
        } else {
            number
        };
        let message = Message {
            session: ID,
            cwd: &self.cwd,
            role,
            text,
            uuid: uuid(own),
            parent,
            at: format!("2026-11-23T10:{number:02}:{side:02}.000Z"),
        };
        append(&self.file, message.line().as_bytes());
    }

    /// Marks the session as open in the tool, as the tool itself does; this test's process stands
    /// for the tool. Returns the file with the mark.
    pub fn open_in_tool(&self, desktop: &Desktop) -> PathBuf {
        let pid = std::process::id();
        let file = desktop.home.join(format!(".claude/sessions/{pid}.json"));
        fs::create_dir_all(file.parent().expect("it is in a directory")).expect("a directory");
        let text = json!({ "pid": pid, "sessionId": ID, "cwd": self.cwd, "status": "idle" });
        fs::write(&file, text.to_string()).expect("room");
        file
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.try_bytes().expect("the session is in the store")
    }

    pub fn try_bytes(&self) -> Option<Vec<u8>> {
        fs::read(&self.file).ok()
    }

    /// The names of all sessions of this project in the store.
    pub fn store(&self) -> Vec<String> {
        let entries =
            fs::read_dir(self.file.parent().expect("it is in a directory")).expect("a store");
        let names = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".jsonl")).collect();
        names.sort();
        names
    }
}
