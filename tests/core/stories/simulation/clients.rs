//! The tools of a simulation: what they write, how they show that they have a session open, and how
//! they handle a half line of an earlier process. Formats of Claude Code 2.1.330 and Codex 0.169.0
//! (2026-11-23); all words are invented.

use super::happening::{Kind, What};
use session_roam_core::formats::process;
use session_roam_core::session::Millis;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A tool that has a session open on a device.
pub struct Window {
    pub device: usize,
    pub session: String,
    sign: Sign,
    /// The rest of a half-written line.
    pub rest: Vec<u8>,
}

enum Sign {
    Process(PathBuf),
    Lock(PathBuf, File),
}

impl Window {
    /// Marks the session as open, as the tool does: with a file that names a living process, or
    /// with a lock.
    pub fn open(kind: Kind, device: usize, home: &Path, session: &str) -> Self {
        let sign = match kind {
            Kind::Claude => {
                let path = home
                    .join(".claude/sessions")
                    .join(format!("{session}.json"));
                put(&path, running(std::process::id(), session).as_bytes());
                Sign::Process(path)
            }
            Kind::Codex => {
                let path = home
                    .join(".codex/thread-writer-locks")
                    .join(format!("{session}.lock"));
                put(&path, b"");
                let file = File::open(&path).expect("lock");
                file.lock().expect("nobody else holds it");
                Sign::Lock(path, file)
            }
        };
        Self {
            device,
            session: session.to_owned(),
            sign,
            rest: Vec::new(),
        }
    }

    pub fn sign(&self) -> &Path {
        match &self.sign {
            Sign::Process(path) | Sign::Lock(path, _) => path,
        }
    }

    /// Removes the mark; a process that dies leaves the mark behind, where it no longer counts.
    pub fn close(self, dies: bool) {
        match self.sign {
            Sign::Process(path) if dies => {
                put(&path, running(NO_PROCESS, &self.session).as_bytes())
            }
            Sign::Lock(_, file) if dies => drop(file),
            Sign::Process(path) => fs::remove_file(path).expect("its own sign"),
            Sign::Lock(path, file) => {
                fs::remove_file(path).expect("its own lock");
                drop(file);
            }
        }
    }
}

/// No system gives a process this number.
const NO_PROCESS: u32 = u32::MAX - 1;

fn running(pid: u32, session: &str) -> String {
    let start = process::start_ticks(pid)
        .map_or_else(String::new, |ticks| format!(",\"procStart\":\"{ticks}\""));
    format!("{{\"pid\":{pid},\"sessionId\":\"{session}\"{start}}}")
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("parent")).expect("dir");
    fs::write(path, bytes).expect("write");
}

/// The knowledge of a tool when it writes.
pub struct Scene<'a> {
    pub session: &'a str,
    pub cwd: &'a str,
    /// A word that occurs nowhere else.
    pub word: String,
    /// The numbers of this writer and of this write.
    pub number: (usize, usize),
    pub now: Millis,
    /// The content of the file.
    pub file: &'a [u8],
}

impl Scene<'_> {
    /// The lines that are appended to the session's main file.
    pub fn lines(&self, kind: Kind, what: What) -> Vec<u8> {
        let lines = match kind {
            Kind::Claude => self.claude(what),
            Kind::Codex => self.codex(what),
        };
        let mut bytes = lines.join("\n").into_bytes();
        bytes.push(b'\n');
        bytes
    }

    /// The first lines of a session.
    pub fn beginning(&self, kind: Kind) -> Vec<u8> {
        let mut bytes = match kind {
            Kind::Claude => Vec::new(),
            Kind::Codex => {
                let (now, id, cwd) = (self.now.rfc3339(), self.session, self.cwd);
                format!(
                    "{{\"timestamp\":\"{now}\",\"ordinal\":0,\"type\":\"session_meta\",\"payload\":{{\"id\":\"{id}\",\
                     \"timestamp\":\"{now}\",\"cwd\":\"{cwd}\",\"cli_version\":\"0.169.0\",\"history_mode\":\"paginated\"}}}}\n"
                )
                .into_bytes()
            }
        };
        bytes.extend(
            Scene {
                file: &bytes,
                word: self.word.clone(),
                ..*self
            }
            .lines(kind, What::Turn),
        );
        bytes
    }

    fn claude(&self, what: What) -> Vec<String> {
        let uuids = uuids(self.file);
        let last = uuids.last().cloned();
        let earlier = uuids.get(uuids.len().saturating_sub(4)).cloned();
        let (one, two) = (self.uuid(1), self.uuid(2));
        let word = &self.word;
        match what {
            What::Turn => {
                let answer = self.answer(
                    Some(&one),
                    &two,
                    &format!("{{\"type\":\"text\",\"text\":\"{word} indeed\"}}"),
                );
                vec![self.user(last.as_deref(), &one, &quoted(word)), answer]
            }
            What::Prompt | What::Half => vec![self.user(last.as_deref(), &one, &quoted(word))],
            What::Answer => {
                vec![self.answer(
                    last.as_deref(),
                    &one,
                    &format!("{{\"type\":\"text\",\"text\":\"{word}\"}}"),
                )]
            }
            What::Call => {
                let call = format!(
                    "{{\"type\":\"tool_use\",\"id\":\"toolu_{word}\",\"name\":\"Bash\",\"input\":{{}}}}"
                );
                vec![self.answer(last.as_deref(), &one, &call)]
            }
            What::Result => {
                let result = format!(
                    "[{{\"type\":\"tool_result\",\"tool_use_id\":\"toolu_{word}\",\"content\":\"ok\"}}]"
                );
                vec![self.user(last.as_deref(), &one, &result)]
            }
            What::Rewind => vec![self.user(earlier.as_deref(), &one, &quoted(word))],
            What::Compact => {
                let boundary = format!(
                    "{{\"parentUuid\":null,\"logicalParentUuid\":{},\"isSidechain\":false,\"type\":\"system\",\
                     \"subtype\":\"compact_boundary\",\"content\":\"{word}\",\"sessionId\":\"{}\",\"uuid\":\"{one}\",\
                     \"timestamp\":\"{}\"}}",
                    or_null(last.as_deref()),
                    self.session,
                    self.now.rfc3339()
                );
                vec![
                    boundary,
                    self.user(Some(&one), &two, &quoted(&format!("summary {word}"))),
                ]
            }
            // The same note on every device, or a note of this one alone.
            What::Note if self.number.1.is_multiple_of(4) => {
                let mode = ["default", "acceptEdits"][self.number.0 % 2];
                vec![format!(
                    "{{\"type\":\"permission-mode\",\"permissionMode\":\"{mode}\",\"sessionId\":\"{}\"}}",
                    self.session
                )]
            }
            What::Note if self.number.1.is_multiple_of(2) => {
                vec![format!(
                    "{{\"type\":\"mode\",\"mode\":\"default\",\"sessionId\":\"{}\"}}",
                    self.session
                )]
            }
            What::Note | What::Subagent | What::Todos => {
                let leaf = or_null(last.as_deref());
                let id = self.session;
                vec![format!(
                    "{{\"type\":\"last-prompt\",\"lastPrompt\":\"{word}\",\"leafUuid\":{leaf},\"sessionId\":\"{id}\"}}"
                )]
            }
        }
    }

    fn user(&self, parent: Option<&str>, uuid: &str, content: &str) -> String {
        self.record(
            parent,
            uuid,
            "user",
            &format!("{{\"role\":\"user\",\"content\":{content}}}"),
        )
    }

    fn answer(&self, parent: Option<&str>, uuid: &str, part: &str) -> String {
        let message = format!(
            "{{\"id\":\"msg_{}\",\"role\":\"assistant\",\"content\":[{part}]}}",
            self.word
        );
        self.record(parent, uuid, "assistant", &message)
    }

    fn record(&self, parent: Option<&str>, uuid: &str, kind: &str, message: &str) -> String {
        format!(
            "{{\"parentUuid\":{},\"isSidechain\":false,\"cwd\":\"{}\",\"sessionId\":\"{}\",\"version\":\"2.1.330\",\
             \"type\":\"{kind}\",\"message\":{message},\"uuid\":\"{uuid}\",\"timestamp\":\"{}\"}}",
            or_null(parent),
            self.cwd,
            self.session,
            self.now.rfc3339()
        )
    }

    fn uuid(&self, nth: usize) -> String {
        format!(
            "{:08x}-{:04x}-4000-8000-{nth:012x}",
            0xd000_0000 + self.number.0,
            self.number.1
        )
    }

    /// A line in a subagent's log.
    pub fn subagent(&self) -> Vec<u8> {
        let line = self.record(None, &self.uuid(3), "user", &quoted(&self.word));
        format!(
            "{}\n",
            line.replacen("\"isSidechain\":false", "\"isSidechain\":true", 1)
        )
        .into_bytes()
    }

    pub fn todos(&self) -> Vec<u8> {
        format!("[{{\"content\":\"{}\",\"status\":\"pending\"}}]", self.word).into_bytes()
    }

    fn codex(&self, what: What) -> Vec<String> {
        let word = &self.word;
        let said = |role: &str, text: &str| {
            let part = if role == "user" {
                "input_text"
            } else {
                "output_text"
            };
            let content = format!("[{{\"type\":\"{part}\",\"text\":\"{text}\"}}]");
            (
                "response_item",
                format!("{{\"type\":\"message\",\"role\":\"{role}\",\"content\":{content}}}"),
            )
        };
        let context = (
            "turn_context",
            format!("{{\"cwd\":\"{}\",\"model\":\"m\"}}", self.cwd),
        );
        let items = match what {
            What::Turn => vec![
                context,
                said("user", word),
                said("assistant", &format!("{word} indeed")),
            ],
            What::Prompt | What::Half => vec![said("user", word)],
            What::Answer | What::Subagent => vec![said("assistant", word)],
            What::Call => {
                let call = format!(
                    "{{\"type\":\"function_call\",\"name\":\"shell\",\"call_id\":\"{word}\"}}"
                );
                vec![("response_item", call)]
            }
            What::Result => {
                let result = format!(
                    "{{\"type\":\"function_call_output\",\"call_id\":\"{word}\",\"output\":\"ok\"}}"
                );
                vec![("response_item", result)]
            }
            What::Rewind => vec![
                (
                    "event_msg",
                    format!(
                        "{{\"type\":\"thread_rolled_back\",\"num_turns\":1,\"why\":\"{word}\"}}"
                    ),
                ),
                said("user", word),
            ],
            What::Compact => vec![("compacted", format!("{{\"message\":\"{word}\"}}"))],
            What::Note | What::Todos => vec![context],
        };
        let first = self.file.split(|byte| *byte == b'\n').count() - 1;
        let numbered = items.into_iter().enumerate().map(|(at, (kind, payload))| {
            let (now, ordinal) = (self.now.rfc3339(), first + at);
            format!("{{\"timestamp\":\"{now}\",\"ordinal\":{ordinal},\"type\":\"{kind}\",\"payload\":{payload}}}")
        });
        numbered.collect()
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn or_null(uuid: Option<&str>) -> String {
    uuid.map_or_else(|| "null".into(), quoted)
}

/// The ids of the records in a transcript, in the order of the file.
fn uuids(file: &[u8]) -> Vec<String> {
    const KEY: &str = "\"uuid\":\"";
    let text = String::from_utf8_lossy(file);
    let of = |line: &str| Some(line[line.rfind(KEY)? + KEY.len()..].get(..36)?.to_owned());
    text.lines()
        .filter(|line| line.ends_with('}'))
        .filter_map(of)
        .collect()
}
