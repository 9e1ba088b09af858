//! Sessions of Kiro: a directory for each, in a bucket that stands for the workspace.

use super::world::{World, tree};
use serde_json::{Value, json};
use session_roam_core::tools::Running;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ID: &str = "sess_02f1c107-37e8-4398-8b95-c3847bf59335";

fn turn(number: u32, words: &str) -> Vec<u8> {
    let at = format!("2026-09-14T08:{number:02}:00.000Z");
    let record =
        |id: String, payload: Value| json!({ "id": id, "timestamp": at, "payload": payload });
    [
        record(format!("u{number}{words}"), json!({ "type": "user", "content": words })),
        record(
            format!("a{number}{words}"),
            json!({ "type": "assistant", "operationType": "Say", "content": format!("answer to {words}") }),
        ),
        record(format!("e{number}{words}"), json!({ "type": "turn_end", "stopReason": "end_turn" })),
    ]
    .iter()
    .map(|record| format!("{record}\n"))
    .collect::<String>()
    .into_bytes()
}

fn card(cwd: &Path, minute: u32) -> Vec<u8> {
    serde_json::to_vec_pretty(&json!({
        "schemaVersion": "1.0.0", "dataModelVersion": 1, "id": ID, "title": "The parser",
        "agentMode": "vibe", "workspacePaths": [cwd], "rootPaths": [cwd], "status": "completed",
        "createdAt": "2026-09-14T08:00:00.000Z", "lastModifiedAt": format!("2026-09-14T08:{minute:02}:00.000Z"),
    }))
    .expect("JSON")
}

struct Story {
    world: World,
    cwds: [PathBuf; 2],
}

impl Story {
    fn new() -> Self {
        let (mut world, here, there) = World::pair_of_devices();
        let dir = world.devices[0]
            .home
            .join(".kiro/sessions/00112233445566ff")
            .join(ID);
        world.devices[0].put(&dir.join("session.json"), card(&here, 1));
        world.devices[0].say(&dir.join("messages.jsonl"), turn(1, "hello"));
        world.deliver();
        Self {
            world,
            cwds: [here, there],
        }
    }

    /// The directories of the sessions on a device, by id.
    fn dirs(&self, at: usize) -> BTreeMap<String, PathBuf> {
        let root = self.world.devices[at].home.join(".kiro/sessions");
        let files = tree(&root)
            .into_keys()
            .filter(|file| file.ends_with("messages.jsonl"));
        let dirs = files.map(|file| root.join(file).parent().expect("dir").to_path_buf());
        dirs.map(|dir| {
            (
                dir.file_name().expect("id").to_string_lossy().into_owned(),
                dir,
            )
        })
        .collect()
    }

    fn lines(&self, at: usize, id: &str) -> Vec<u8> {
        fs::read(self.dirs(at)[id].join("messages.jsonl")).expect("lines")
    }

    fn card(&self, at: usize, id: &str) -> Value {
        let bytes = fs::read(self.dirs(at)[id].join("session.json")).expect("card");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    fn say(&mut self, at: usize, number: u32, words: &str) {
        let dir = self.dirs(at)[ID].clone();
        let cwd = self.cwds[at].clone();
        self.world.devices[at].say(&dir.join("messages.jsonl"), turn(number, words));
        self.world.devices[at].put(&dir.join("session.json"), card(&cwd, number));
    }

    fn kiro(&mut self, at: usize, runs: bool) {
        let kiro = Running {
            pid: 4711,
            exe: "/opt/Kiro/kiro".into(),
            ..Running::default()
        };
        *self.world.devices[at].apps.lock().expect("apps") =
            if runs { vec![kiro] } else { Vec::new() };
        self.world.devices[at].poll();
    }
}

#[test]
fn a_session_goes_to_the_other_workspace_is_continued_and_comes_back() {
    let mut story = Story::new();
    let [here, there] = story.cwds.clone();
    assert_eq!(story.lines(1, ID), turn(1, "hello"));
    assert_eq!(story.card(1, ID)["workspacePaths"], json!([there]));
    story.say(1, 2, "more");
    story.world.deliver();
    assert_eq!(
        story.lines(0, ID),
        [turn(1, "hello"), turn(2, "more")].concat()
    );
    let card = story.card(0, ID);
    assert_eq!(
        card["workspacePaths"],
        json!([here]),
        "each device keeps its own"
    );
    assert_eq!(card["lastModifiedAt"], "2026-09-14T08:02:00.000Z");
    assert_eq!(
        story.dirs(0)[ID]
            .parent()
            .expect("bucket")
            .file_name()
            .expect("name"),
        "00112233445566ff"
    );
}

/// The directories of its workspace were replaced by the one of its project.
#[test]
fn a_session_of_several_directories_keeps_them_when_another_device_continues_it() {
    let mut story = Story::new();
    let [here, _] = story.cwds.clone();
    let paths = json!([here, here.join("../web")]);
    let dir = story.dirs(0)[ID].clone();
    let mut card = story.card(0, ID);
    (card["workspacePaths"], card["rootPaths"]) = (paths.clone(), paths.clone());
    story.world.devices[0].put(&dir.join("session.json"), card.to_string().into_bytes());
    story.world.devices[0].say(&dir.join("messages.jsonl"), turn(2, "more"));
    story.world.deliver();
    story.say(1, 3, "and more");
    story.world.deliver();
    let card = story.card(0, ID);
    assert_eq!(card["lastModifiedAt"], "2026-09-14T08:03:00.000Z");
    assert_eq!(
        [&card["workspacePaths"], &card["rootPaths"]],
        [&paths, &paths]
    );
}

#[test]
fn a_session_that_is_here_waits_until_kiro_has_quit_and_a_new_one_does_not() {
    let mut story = Story::new();
    story.kiro(1, true);
    story.say(0, 2, "more");
    story.world.deliver();
    assert_eq!(story.lines(1, ID), turn(1, "hello"));
    assert_eq!(
        story.world.devices[1].waits_for(ID).as_deref(),
        Some("live")
    );
    story.kiro(1, false);
    story.world.deliver();
    assert_eq!(
        story.lines(1, ID),
        [turn(1, "hello"), turn(2, "more")].concat()
    );
}

#[test]
fn what_both_continued_becomes_a_session_of_its_own_with_its_own_id() {
    let mut story = Story::new();
    story.say(0, 2, "left");
    story.say(1, 2, "right");
    story.world.deliver();
    for at in [0, 1] {
        let dirs = story.dirs(at);
        assert_eq!(dirs.len(), 2, "{dirs:?}");
        for id in dirs.keys() {
            assert_eq!(story.card(at, id)["id"], json!(id));
            assert_eq!(
                story.card(at, id)["workspacePaths"],
                json!([story.cwds[at]])
            );
        }
        let all: Vec<Vec<u8>> = dirs.keys().map(|id| story.lines(at, id)).collect();
        for words in ["left", "right"] {
            let wanted = [turn(1, "hello"), turn(2, words)].concat();
            assert_eq!(
                all.iter().filter(|lines| **lines == wanted).count(),
                1,
                "{words} on {at}"
            );
        }
    }
}
