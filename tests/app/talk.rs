//! Invented conversations in the stores of two devices, as Claude Code writes them.

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

/// The session that splits.
pub const SPLIT: usize = 1;
pub const ON_LAPTOP: &str =
    "A queue in front of the token store: requests wait for the refresh that is under way.";
const ON_DESK: &str =
    "A mutex around the token store: the second request waits, then finds a fresh token.";

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
        let number = SESSIONS[SPLIT].turns.len();
        self.desk.say(&self.id, number, SystemTime::now(), ON_DESK);
        self.laptop
            .say(&self.id, number, SystemTime::now(), ON_LAPTOP);
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
        let uuid = |number: usize| format!("7c2a5f0e-{number:04}-4000-8000-{}", &id[24..]);
        let own = if text == ON_LAPTOP {
            number + 100
        } else {
            number
        };
        let message = Message {
            session: id,
            cwd: &self.checkout,
            role: ["user", "assistant"][number % 2],
            text,
            uuid: uuid(own),
            parent: number.checked_sub(1).map(uuid),
            at: rfc3339(at),
        };
        append(&self.file, message.line().as_bytes());
        let file = fs::File::options().append(true).open(&self.file);
        let _ = file.and_then(|file| file.set_modified(at)); // some lists use the file's own time
    }
}

fn rfc3339(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at)
        .expect("a time of these days")
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}
