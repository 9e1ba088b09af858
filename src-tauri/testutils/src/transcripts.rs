//! Invented Claude Code transcripts, written as the tool writes them: line by line, each with its
//! newline.
//!
//! The format is that of 2.1.330 (seen 2026-11-23). The tests that use them are not about the tool,
//! so the tool itself is not needed.

use crate::device::Device;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

pub const TOOL: &str = "claude-code";

/// A message of a session, as the tool stores it.
pub struct Message<'a> {
    pub session: &'a str,
    pub cwd: &'a Path,
    /// `user` or `assistant`.
    pub role: &'a str,
    pub text: &'a str,
    pub uuid: String,
    /// The message before it.
    pub parent: Option<String>,
    /// RFC 3339.
    pub at: String,
}

impl Message<'_> {
    /// Its line, with the newline.
    pub fn line(&self) -> String {
        let content = match self.role {
            "user" => json!(self.text),
            _ => json!([{ "type": "text", "text": self.text }]),
        };
        let record = json!({
            "parentUuid": self.parent,
            "isSidechain": false,
            "userType": "external",
            "cwd": self.cwd,
            "sessionId": self.session,
            "version": "2.1.330",
            "gitBranch": "main",
            "type": self.role,
            "message": { "role": self.role, "content": content },
            "uuid": self.uuid,
            "timestamp": self.at,
        });
        format!("{record}\n")
    }
}

/// A session in the store of the device it was begun on.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: String,
    pub file: PathBuf,
    cwd: PathBuf,
}

impl Session {
    /// The `number`th invented session, begun in the device's checkout with that many lines.
    pub fn begin(device: &Device, number: u32, lines: u32) -> Self {
        Self::begin_in(device, &device.checkout, number, lines)
    }

    pub fn begin_in(device: &Device, cwd: &Path, number: u32, lines: u32) -> Self {
        let id = format!("{number:08x}-0000-4000-8000-000000000000");
        let file = place(&device.home, cwd, &id);
        let session = Self {
            id,
            file,
            cwd: cwd.to_owned(),
        };
        let text: String = (0..lines)
            .map(|at| session.line(&format!("Line {at} of session {number}")))
            .collect();
        append(&session.file, text.as_bytes());
        session
    }

    /// Adds a line on the device where the session was begun.
    pub fn say(&self, text: &str) {
        append(&self.file, self.line(text).as_bytes());
    }

    /// Adds a line to this session in another device's store.
    pub fn say_on(&self, device: &Device, text: &str) {
        append(&self.on(device), self.line(text).as_bytes());
    }

    /// The session's file in a device's store.
    pub fn on(&self, device: &Device) -> PathBuf {
        place(&device.home, &device.checkout, &self.id)
    }

    pub fn bytes(&self) -> Vec<u8> {
        fs::read(&self.file).expect("the session is where it was written")
    }

    fn line(&self, text: &str) -> String {
        let message = Message {
            session: &self.id,
            cwd: &self.cwd,
            role: "user",
            text,
            uuid: "7c2a5f0e-0000-4000-8000-000000000001".to_owned(),
            parent: None,
            at: "2026-11-23T10:00:00.000Z".to_owned(),
        };
        message.line()
    }
}

pub fn projects(device: &Device) -> PathBuf {
    device.home.join(".claude/projects")
}

/// Where a session is stored in a home.
pub fn place(home: &Path, cwd: &Path, session: &str) -> PathBuf {
    let store = home.join(".claude/projects").join(slug(cwd));
    store.join(format!("{session}.jsonl"))
}

/// Claude Code names a directory of its store after the cwd; every UTF-16 unit that is no ASCII
/// letter or digit becomes a dash (seen with 2.1.330, 2026-11-23).
pub fn slug(cwd: &Path) -> String {
    let letter = |unit| {
        u8::try_from(unit)
            .ok()
            .map(char::from)
            .filter(char::is_ascii_alphanumeric)
    };
    cwd.to_str()
        .expect("checkouts are UTF-8")
        .encode_utf16()
        .map(|unit| letter(unit).unwrap_or('-'))
        .collect()
}

/// One write, as the tool does it: a line is there completely or not at all.
pub fn append(file: &Path, bytes: &[u8]) {
    fs::create_dir_all(file.parent().expect("a file is in a directory")).expect("a store");
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .expect("a store that can be written to");
    file.write_all(bytes).expect("room in the store");
}
