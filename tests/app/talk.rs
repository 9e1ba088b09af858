//! Invented conversations in the stores of two devices, as Claude Code writes them.

use serde_json::{Value, json};
use session_roam_testutils::desktop::Desktop;
use session_roam_testutils::files::init_repository;
use session_roam_testutils::transcripts::{Message, append, place};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

pub struct Told {
    pub project: &'static str,
    pub title: &'static str,
    /// Messages of the user and the assistant in turn.
    pub turns: &'static [&'static str],
}

/// One message of a conversation.
enum Part {
    User(&'static str),
    Assistant(&'static str),
    /// A call of the tool `Edit`, and its result.
    Edit {
        file: &'static str,
        old: &'static str,
        new: &'static str,
    },
}

/// The session that splits, and the last words of each device in it.
pub const SPLIT: usize = 1;
pub const ON_LAPTOP: &str = "They wait for the refresh that is under way, five seconds at most.";
const ON_DESK: &str = "No. It takes the lock only when the token has expired.";

const DESK_PARTS: &[Part] = &[
    Part::Assistant(
        "A **mutex** around the token store: the second request waits, then finds a fresh token.",
    ),
    Part::Edit {
        file: "src/session.rs",
        old: "    let token = self.read();\n    if token.has_expired() {",
        new: "    let _guard = self.refreshing.lock().await;\n    let token = self.read();\n    if token.has_expired() {",
    },
    Part::User("Does that slow down every request?"),
    Part::Assistant(ON_DESK),
];

const LAPTOP_PARTS: &[Part] = &[
    Part::Assistant(
        "A **queue** in front of the token store: one task refreshes, all others ask it.",
    ),
    Part::Edit {
        file: "src/session.rs",
        old: "        self.write(self.fetch().await?);",
        new: "        return self.refresher.ask().await;",
    },
    Part::User("What do the others do meanwhile?"),
    Part::Assistant(ON_LAPTOP),
];

pub const SESSIONS: &[Told] = &[
    Told {
        project: "web",
        title: "Dark mode for the settings page",
        turns: &[
            "Dark mode for the settings page",
            "The page follows the system now. Colours are **tokens** in one file, so no component knows the theme:\n\n\
             - `--surface` and `--text` for what one reads\n- `--accent` for what one clicks\n\n\
             Every pair has a contrast of at least 4.5.",
            "And the chart?",
            "It asks for the tokens when it draws, and draws again when they change.",
        ],
    },
    Told {
        project: "api",
        title: "Fix the login race",
        turns: &[
            "Fix the login race",
            "Two requests refresh the same token, and the second one overwrites the first. `refresh` in `src/session.rs` \
             reads and writes without a lock.",
            "What would you do about it?",
        ],
    },
    Told {
        project: "api",
        title: "Why is the nightly import slow?",
        turns: &[
            "Why is the nightly import slow?",
            "It parses every file twice: once to count the lines, once to read them. Counting while reading halves it.",
        ],
    },
    Told {
        project: "web",
        title: "Upgrade to the new router",
        turns: &[
            "Upgrade to the new router",
            "Done: 14 routes moved, the guards are functions now, and two redirects that led to themselves are gone.",
        ],
    },
    Told {
        project: "infra",
        title: "Rotate the signing keys",
        turns: &[
            "Rotate the signing keys",
            "Both keys are accepted for a day; then the old one is refused. The date is in the runbook.",
        ],
    },
];

/// One conversation and its place on both devices.
pub struct Talk {
    id: String,
    desk: Place,
    laptop: Place,
}

impl Talk {
    /// Writes the conversation into desk's store; both devices have a checkout of its project.
    pub fn begin(desk: &Desktop, laptop: &Desktop, idx: usize, told: &Told) -> Self {
        let id = format!("5e1f0c3a-0000-4000-8000-{:012}", idx + 1);
        let [desk, laptop] = [desk, laptop].map(|desktop| Place::make(desktop, told.project, &id));
        let talk = Self { id, desk, laptop };
        // Each conversation is older than the one before it.
        let begun = SystemTime::now() - Duration::from_secs(60 * (5 + 47 * idx as u64));
        for (number, text) in told.turns.iter().enumerate() {
            talk.desk.say(
                &talk.id,
                number,
                begun + Duration::from_secs(20 * number as u64),
                text,
            );
        }
        talk
    }

    pub fn is_same_on_both(&self) -> bool {
        let [here, there] = [&self.desk, &self.laptop].map(|place| fs::read(&place.file).ok());
        here.is_some() && here == there
    }

    /// Continues in two different ways at once.
    pub fn part(&self) {
        let common = SESSIONS[SPLIT].turns.len();
        self.desk.go_on(&self.id, common, 0, DESK_PARTS);
        self.laptop.go_on(&self.id, common, 100, LAPTOP_PARTS);
    }
}

struct Place {
    file: PathBuf,
    checkout: PathBuf,
}

impl Place {
    fn make(desktop: &Desktop, project: &str, id: &str) -> Self {
        let checkout = desktop.home.join("code").join(project);
        let remote = format!("https://github.com/acme/{project}.git");
        if !checkout.exists() {
            init_repository(&desktop.home, &checkout, &remote);
        }
        Self {
            file: place(&desktop.home, &checkout, id),
            checkout,
        }
    }

    fn say(&self, id: &str, number: usize, at: SystemTime, text: &str) {
        let record = Record {
            number,
            after: number.checked_sub(1),
            role: ["user", "assistant"][number % 2],
            at,
        };
        self.add(id, &record, json!(text));
    }

    /// Adds messages behind the `common` first ones; their numbers are higher by `own`.
    fn go_on(&self, id: &str, common: usize, own: usize, parts: &[Part]) {
        let begun = SystemTime::now();
        let mut after = common - 1;
        let mut add = |role, content| {
            let number = own.max(common).max(after + 1);
            let record = Record {
                number,
                after: Some(after),
                role,
                at: begun,
            };
            self.add(id, &record, content);
            after = number;
        };
        for (nth, part) in parts.iter().enumerate() {
            match part {
                Part::User(text) => add("user", json!(text)),
                Part::Assistant(text) => add("assistant", json!(text)),
                Part::Edit { file, old, new } => {
                    let call = format!("toolu_{own}_{nth}");
                    let path = self.checkout.join(file);
                    let input = json!({ "file_path": path, "old_string": old, "new_string": new });
                    let kind = "tool_use";
                    add(
                        "assistant",
                        json!([{ "type": kind, "id": call, "name": "Edit", "input": input }]),
                    );
                    let said = format!("The file {} has been updated.", path.display());
                    add(
                        "user",
                        json!([{ "type": "tool_result", "tool_use_id": call, "content": said }]),
                    );
                }
            }
        }
    }

    fn add(&self, id: &str, record: &Record, content: Value) {
        let uuid = |number: usize| format!("7c2a5f0e-{number:04}-4000-8000-{}", &id[24..]);
        let message = Message {
            session: id,
            cwd: &self.checkout,
            role: record.role,
            text: content.as_str().unwrap_or_default(),
            uuid: uuid(record.number),
            parent: record.after.map(uuid),
            at: rfc3339(record.at),
        };
        let mut line = message.line();
        if content.is_array() {
            let mut native: Value = serde_json::from_str(&line).expect("a record");
            native["message"]["content"] = content;
            line = format!("{native}\n");
        }
        append(&self.file, line.as_bytes());
        let file = fs::File::options().append(true).open(&self.file);
        let _ = file.and_then(|file| file.set_modified(record.at)); // some lists use the file's own time
    }
}

/// What a record says beside its content.
struct Record {
    number: usize,
    /// The number of the record before it.
    after: Option<usize>,
    role: &'static str,
    at: SystemTime,
}

fn rfc3339(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at)
        .expect("a time of these days")
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}
