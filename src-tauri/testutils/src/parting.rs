//! A session that continues on two devices while they are disconnected, and the moment the two meet
//! again.

use crate::device::{Device, PATIENCE, rows};
use crate::files::files_below;
use crate::isolation::wait_for;
use crate::mock::{context, sent_with};
use crate::story::{bytes, carried_by_roam, neutral};
use crate::tools::Tool;
use crate::world::{World, twin};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// The prompts before the devices were disconnected.
pub const BEFORE: [&str; 2] = [
    "Where is the bug in parser.rs?",
    "run-tool: echo seen-before-parting",
];
/// The prompt with which the desk continued, first.
pub const LEFT: &str = "run-tool: echo said-at-the-desk";
/// The prompt with which the laptop continued.
pub const RIGHT: &str = "Said on the train";

/// A session as both devices have it in their tools while they are disconnected.
pub struct Parted {
    pub session: String,
    pub left: Vec<u8>,
    pub right: Vec<u8>,
}

/// The same after they met: the desk's branch kept the id, the laptop's became a session of its
/// own.
pub struct Split {
    pub tool: Tool,
    pub session: String,
    pub left: Vec<u8>,
    pub right: Vec<u8>,
    pub fork: String,
    pub forked: Vec<u8>,
}

/// A prompt with its number in its conversation; the answer contains that number.
pub type Turns = Vec<(usize, &'static str)>;

pub fn left_turns() -> Turns {
    vec![(1, BEFORE[0]), (2, BEFORE[1]), (3, LEFT)]
}

pub fn right_turns() -> Turns {
    vec![(1, BEFORE[0]), (2, BEFORE[1]), (3, RIGHT)]
}

/// Neither device knew of the other, so both answers have the same number.
pub fn stitched_turns() -> Turns {
    [left_turns(), vec![(3, RIGHT)]].concat()
}

/// A session of the desk, synced to the laptop. `beside` may put files beside it before it leaves.
pub fn begin(world: &World, tool: Tool, beside: impl FnOnce(&str)) -> String {
    let World { desk, laptop, .. } = world;
    let session = tool.begin(desk, BEFORE[0]);
    tool.go_on(
        desk,
        &tool.resume_by_hand(&session, &desk.checkout),
        BEFORE[1],
    )
    .expect("the tool goes on at home");
    beside(&session);
    carried_by_roam(tool, &session, desk, laptop);
    session
}

/// A session that both devices continued while the laptop received and sent nothing.
pub fn part(world: &World, tool: Tool, beside: impl FnOnce(&str)) -> Parted {
    let World {
        desk, laptop, mock, ..
    } = world;
    let session = begin(world, tool, beside);
    laptop.roam(&["pause"]);
    for (device, prompt) in [(desk, LEFT), (laptop, RIGHT)] {
        tool.go_on(
            device,
            &tool.resume_by_hand(&session, &device.checkout),
            prompt,
        )
        .expect("it goes on alone");
        let said: Vec<&str> = [BEFORE.as_slice(), &[prompt]].concat();
        assert_eq!(
            mock.context_of(prompt),
            context(&said),
            "apart from the other"
        );
        // The branch that was recorded first keeps the id.
        recorded(device, tool, &session);
    }
    let [left, right] =
        [desk, laptop].map(|device| bytes(tool, &session, device).expect("it is in the store"));
    assert_ne!(left, right, "the session went two ways");
    Parted {
        session,
        left,
        right,
    }
}

/// Waits until the device's own journals give back the content of its store.
pub fn recorded(device: &Device, tool: Tool, session: &str) {
    let out = device
        .scratch()
        .join(format!("recorded-{}-{session}", device.name));
    let target = out.to_str().expect("UTF-8").to_owned();
    wait_for(
        &format!("the journals of {} to hold {session}", device.name),
        PATIENCE,
        || {
            let wanted = bytes(tool, session, device)?;
            device.try_roam(&["export", session, "native", "--out", &target])?;
            let is_whole =
                |file: &PathBuf| fs::read(file).is_ok_and(|found| neutral(tool, &found) == wanted);
            let whole = files_below(&out).iter().any(is_whole);
            if whole {
                Ok(())
            } else {
                Err(format!("no file of {} bytes exported", wanted.len()))
            }
        },
    );
    fs::remove_dir_all(out).expect("it was just written");
}

impl Parted {
    /// Lets the devices meet and waits until each has both branches in its store, with the same
    /// bytes.
    pub fn meet(self, world: &World, tool: Tool) -> Split {
        world.laptop.roam(&["continue"]);
        let Self {
            session,
            left,
            right,
        } = self;
        let [fork, same] = [&world.desk, &world.laptop].map(|device| listed(device, &session));
        assert_eq!(fork, same, "both devices gave the fork the same id");
        world.holds(tool, &session, &left);
        let forked = world.same(tool, &fork);
        is_fork_of(&right, &forked, &session, &fork);
        Split {
            tool,
            session,
            left,
            right,
            fork,
            forked,
        }
    }
}

/// Waits until a device lists both branches of a session; returns the session that the laptop's
/// branch became.
pub fn listed(device: &Device, session: &str) -> String {
    let row = wait_for(
        &format!("{} to list both ways of {session}", device.name),
        PATIENCE,
        || {
            let splits = device.roam(&["splits"]);
            let row = rows(&splits).find(|row| row["session"] == session).cloned();
            let named = |row: &Value| {
                rows(&row["branches"])
                    .filter(|branch| branch["session"].is_string())
                    .count()
                    == 2
            };
            row.filter(named).ok_or_else(|| splits.to_string())
        },
    );
    let of = |name: &str| {
        rows(&row["branches"])
            .find(|branch| branch["device"] == name)
            .cloned()
    };
    let session_of =
        |name| of(name).unwrap_or_else(|| panic!("no way of {name}: {row}"))["session"].clone();
    assert_eq!(row["tier"], "B", "it was told and can be undone");
    assert_eq!(
        session_of("desk"),
        session,
        "the way that was recorded first keeps the id"
    );
    let fork = session_of("laptop")
        .as_str()
        .expect("checked above")
        .to_owned();
    assert_ne!(fork, session, "the other way is a session of its own");
    fork
}

/// With the original id put back, the fork has the very lines that the other device wrote; only a
/// title line was added.
fn is_fork_of(original: &[u8], forked: &[u8], session: &str, fork: &str) {
    assert_eq!(session.len(), fork.len(), "nothing in the file moves");
    let text = String::from_utf8(forked.to_vec())
        .expect("transcripts are UTF-8")
        .replace(fork, session);
    let original = String::from_utf8(original.to_vec()).expect("transcripts are UTF-8");
    let mut wanted = original.lines().peekable();
    let added: Vec<&str> = text
        .lines()
        .filter(|line| wanted.next_if_eq(line).is_none())
        .collect();
    assert_eq!(wanted.next(), None, "a line of the original is missing");
    let is_title = |line: &&str| line == &added[0] && line.contains("(from laptop)");
    assert!(added.iter().all(is_title), "added: {added:?}");
    assert!(text.ends_with('\n'), "its last line has its end");
}

impl World {
    /// Waits until a session has these bytes on both devices.
    pub fn holds(&self, tool: Tool, session: &str, wanted: &[u8]) {
        for device in self.both() {
            wait_for(
                &format!(
                    "{} to have {} bytes of {session}",
                    device.name,
                    wanted.len()
                ),
                PATIENCE,
                || {
                    let found = bytes(tool, session, device)?;
                    if found == wanted {
                        Ok(())
                    } else {
                        Err(format!("{} bytes are there", found.len()))
                    }
                },
            );
        }
    }

    /// Waits until both devices have the same bytes of a session.
    pub fn same(&self, tool: Tool, session: &str) -> Vec<u8> {
        wait_for(
            &format!("both devices to have the same bytes of {session}"),
            PATIENCE,
            || {
                let (desk, laptop) = (
                    bytes(tool, session, &self.desk)?,
                    bytes(tool, session, &self.laptop)?,
                );
                if desk == laptop {
                    Ok(desk)
                } else {
                    Err(format!("{} bytes and {}", desk.len(), laptop.len()))
                }
            },
        )
    }
}

impl Split {
    /// Waits until no store has the fork and no device lists the split.
    pub fn is_settled(&self, world: &World) {
        for device in world.both() {
            wait_for(
                &format!("{} to have one session again", device.name),
                PATIENCE,
                || {
                    let splits = device.roam(&["splits"]);
                    match self.tool.file(device, &self.fork) {
                        Ok(file) => Err(format!("{} is there", file.display())),
                        Err(_) if rows(&splits).count() > 0 => Err(splits.to_string()),
                        Err(_) => Ok(()),
                    }
                },
            );
        }
    }

    /// Undoes a choice, and waits until both devices have both branches as they were.
    pub fn undo(&self, world: &World, by: &Device) {
        by.roam(&["undo", &self.session]);
        world.holds(self.tool, &self.session, &self.left);
        world.holds(self.tool, &self.fork, &self.forked);
        world
            .both()
            .iter()
            .for_each(|device| assert_eq!(listed(device, &self.session), self.fork));
    }

    /// Resumes a session on copies of both devices, which leaves no mark on them, and compares what
    /// is sent to the model.
    pub fn knows(&self, world: &World, turns: &[(usize, &str)]) {
        static ASKED: AtomicU32 = AtomicU32::new(1);
        for device in world.both() {
            let (copy, prompt) = (
                twin(device),
                format!("Question {}", ASKED.fetch_add(1, Ordering::Relaxed)),
            );
            let resume = self.tool.resume_by_hand(&self.session, &copy.checkout);
            self.tool
                .go_on(&copy, &resume, &prompt)
                .unwrap_or_else(|told| panic!("on {}: {told}", device.name));
            assert_eq!(
                world.mock.context_of(&prompt),
                sent_with(turns, &prompt),
                "what is known on {}",
                device.name
            );
        }
    }
}
