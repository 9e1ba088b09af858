//! Both devices continued while disconnected: what every device makes of the split, and what the
//! user may make of it.

use super::journals::own_frames;
use super::talk::{ONE, TWO, assert_quiet, item, linked, linked_id, meta, turn};
use super::world::{Device, START, World};
use session_roam_core::api::{
    ApiError, Diff, Doctor, Done, Msg, Request, RevokeAnswer, Shown, Side, SplitRow,
};
use session_roam_core::engine::event::Event;
use session_roam_core::session::{Millis, ProblemCode, Remedy};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub type Docs = BTreeMap<String, Vec<u8>>;

/// Desk and lap continued one session while disconnected and met again.
pub struct Parted {
    pub world: World,
    pub here: PathBuf,
    pub there: PathBuf,
}

impl Parted {
    /// A Claude Code session: "common", then "from desk" on one device and "from lap" on the other,
    /// in that order.
    pub fn claude() -> Self {
        let (mut world, here, there) = World::pair_of_devices();
        let path = world.devices[0].transcript(&here, ONE);
        world.devices[0].say(&path, turn(&here, ONE, "common"));
        world.deliver();
        world.part(0, 1);
        let mut parted = Self { world, here, there };
        parted.say(0, ONE, "from desk");
        parted.say(1, ONE, "from lap");
        parted
    }

    pub fn codex() -> Self {
        let (mut world, here, there) = World::pair_of_devices();
        let path = world.devices[0].rollout(TWO);
        world.devices[0].say(&path, meta(&here, TWO) + &item("common"));
        world.deliver();
        world.part(0, 1);
        let mut parted = Self { world, here, there };
        parted.say(0, TWO, "from desk");
        parted.say(1, TWO, "from lap");
        parted
    }

    pub fn met(mut self) -> Self {
        self.world.meet(0, 1);
        self
    }

    pub fn say(&mut self, device: usize, session: &str, text: &str) {
        let line = if session == TWO {
            item(text)
        } else {
            turn([&self.here, &self.there][device], session, text)
        };
        // One second later each time, so that the story determines the order.
        let now = self
            .world
            .devices
            .iter()
            .map(Device::clock_now)
            .max()
            .unwrap_or_default();
        let device = &mut self.world.devices[device];
        device.set_clock(now + 1000);
        let path = device.place_of(session).expect("the session is there");
        device.say(&path, line);
    }

    pub fn split(&mut self, device: usize) -> SplitRow {
        self.world.devices[device]
            .splits()
            .into_iter()
            .next()
            .expect("a split is listed")
    }

    pub fn fork(&mut self) -> String {
        self.split(0).branches[1].session.clone()
    }

    pub fn resolve(
        &mut self,
        device: usize,
        session: &str,
        choice: &str,
    ) -> Result<Done, ApiError> {
        self.resolve_with(device, session, choice, None)
    }

    pub fn resolve_with(
        &mut self,
        device: usize,
        session: &str,
        choice: &str,
        active: Option<Side>,
    ) -> Result<Done, ApiError> {
        let request = Request::Resolve {
            session: session.into(),
            choice: choice.into(),
            branch: None,
            beside: None,
            active,
        };
        let answer = self.world.devices[device].try_ask(request)?;
        self.world.devices[device].settle();
        self.world.deliver();
        Ok(serde_json::from_value(answer).expect("done"))
    }

    pub fn undo(&mut self, device: usize) {
        let _: Done = self.world.devices[device].ask(Request::Undo { session: None });
        self.world.devices[device].settle();
        self.world.deliver();
    }

    /// The texts of a session, on each device.
    pub fn said(&self, session: &str) -> [String; 2] {
        [0, 1].map(|at| {
            let docs = self.world.devices[at].docs(session);
            docs.values()
                .map(|doc| words(doc))
                .collect::<Vec<_>>()
                .join(" | ")
        })
    }

    pub fn on_both(&self, session: &str) -> String {
        let [one, other] = self.said(session);
        assert_eq!(one, other, "both devices say the same of {session}");
        assert_eq!(
            self.world.devices[0].docs(session),
            self.world.devices[1].docs(session),
            "byte for byte"
        );
        one
    }

    pub fn sessions(&mut self) -> [BTreeSet<String>; 2] {
        [0, 1].map(|at| {
            let here = self.world.devices[at]
                .sessions()
                .into_iter()
                .filter(|row| row.path.is_some());
            here.map(|row| row.session).collect()
        })
    }
}

/// The texts of a doc's turns.
pub fn words(doc: &[u8]) -> String {
    let lines = doc
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let text = |line: serde_json::Value| {
        let claude = line
            .pointer("/message/content")
            .and_then(|text| text.as_str())
            .map(str::to_owned);
        claude.or_else(|| {
            line.pointer("/payload/content/0/text")
                .and_then(|text| text.as_str())
                .map(str::to_owned)
        })
    };
    lines.filter_map(text).collect::<Vec<_>>().join(", ")
}

/// The thread's writer lock, held as Codex holds it.
fn open_in_codex(device: &Device, thread: &str) -> std::fs::File {
    let locks = device.home.join(".codex/thread-writer-locks");
    std::fs::create_dir_all(&locks).expect("locks");
    let file = std::fs::File::create(locks.join(format!("{thread}.lock"))).expect("lock");
    file.lock().expect("lock");
    file
}

fn titles(device: &mut Device) -> Vec<String> {
    let mut titles: Vec<String> = device.sessions().into_iter().map(|row| row.title).collect();
    titles.sort();
    titles
}

#[test]
fn the_first_keeps_the_id_and_the_other_is_a_session_of_its_own_on_both() {
    let mut parted = Parted::claude().met();
    let (split, other) = (parted.split(0), parted.split(1));
    assert_eq!((split.tier.as_str(), split.branches.len()), ("B", 2));
    assert_eq!(split.branches[0].session, ONE);
    let names: Vec<&str> = split
        .branches
        .iter()
        .map(|branch| branch.device.as_str())
        .collect();
    assert_eq!(names, ["desk", "lap"]);
    let ids = |split: &SplitRow| -> Vec<(String, String)> {
        split
            .branches
            .iter()
            .map(|branch| (branch.branch.clone(), branch.session.clone()))
            .collect()
    };
    assert_eq!(
        ids(&split),
        ids(&other),
        "R15: the same ledger on all devices"
    );
    let fork = parted.fork();
    assert_eq!(parted.on_both(ONE), "common, from desk");
    assert_eq!(parted.on_both(&fork), "common, from lap");
    for device in &mut parted.world.devices {
        assert_eq!(
            titles(device),
            ["common", "common (from lap)"],
            "on {}",
            device.name
        );
        assert_eq!(device.status().problems, []);
        assert_eq!(device.status().splits, 1);
        let doctor: Doctor = device.ask(Request::Doctor);
        assert_eq!(
            doctor.not_carried,
            [],
            "both are sessions on {}",
            device.name
        );
        let tool = doctor
            .checks
            .iter()
            .find(|check| check.name == "tool claude-code")
            .expect("a check");
        assert!(
            tool.message
                .starts_with("Claude Code: 2 sessions in its store, "),
            "{}",
            tool.message
        );
    }
    let bytes = parted.world.devices[0].docs(&fork);
    let text = String::from_utf8_lossy(&bytes["transcript.jsonl"]).into_owned();
    assert!(
        !text.contains(ONE) && text.contains(&fork),
        "the id is another one everywhere"
    );
}

#[test]
fn a_codex_thread_that_parted_is_two() {
    let mut parted = Parted::codex().met();
    let fork = parted.fork();
    assert_eq!(parted.on_both(TWO), "common, from desk");
    assert_eq!(parted.on_both(&fork), "common, from lap");
    let place = parted.world.devices[0].place_of(&fork).expect("there");
    assert!(place.to_string_lossy().ends_with(&format!(
        "sessions/2026/11/23/rollout-2026-11-23T09-00-00-{fork}.jsonl"
    )));
    assert_eq!(
        titles(&mut parted.world.devices[1]),
        ["common", "common (from lap)"]
    );
}

#[test]
fn both_sessions_go_on_like_any_other() {
    let mut parted = Parted::claude().met();
    let fork = parted.fork();
    parted.say(0, &fork, "more for the fork");
    parted.world.deliver();
    parted.say(1, ONE, "more for the first");
    parted.world.deliver();
    assert_eq!(parted.on_both(ONE), "common, from desk, more for the first");
    assert_eq!(parted.on_both(&fork), "common, from lap, more for the fork");
}

#[test]
fn an_open_session_keeps_its_file_until_it_is_closed() {
    let mut parted = Parted::codex();
    let (file, before) = {
        let lap = &parted.world.devices[1];
        let file = lap.place_of(TWO).expect("there");
        let bytes = std::fs::read(&file).expect("doc");
        (file, bytes)
    };
    let lock = open_in_codex(&parted.world.devices[1], TWO);
    parted.world.devices[1].poll();
    let mut parted = parted.met();
    let fork = parted.fork();
    assert_eq!(
        std::fs::read(&file).expect("doc"),
        before,
        "nothing is written under an open session"
    );
    assert_eq!(parted.on_both(&fork), "common, from lap");
    assert_eq!(
        parted.world.devices[1].waits_for(TWO).as_deref(),
        Some("live")
    );
    // Later messages go to the fork.
    parted.say(1, TWO, "still from lap");
    parted.world.deliver();
    // A child process of another test may have inherited the handle: closing alone would not
    // release the lock.
    lock.unlock().expect("unlock");
    parted.world.devices[1].poll();
    parted.world.deliver();
    assert_eq!(parted.on_both(TWO), "common, from desk");
    assert_eq!(parted.on_both(&fork), "common, from lap, still from lap");
}

#[test]
fn dying_between_writing_the_trunk_and_remembering_it_is_no_rewrite() {
    let mut parted = Parted::claude();
    let path = parted.world.devices[1].place_of(ONE).expect("placed");
    // The lap's engine knows of the desk's branch, but the session is open, so the branch waits.
    let open = parted.world.devices[1].claude().join("sessions/1.json");
    parted.world.devices[1].put(
        &open,
        format!("{{\"pid\":{},\"sessionId\":\"{ONE}\"}}", std::process::id()),
    );
    parted.world.meet(0, 1);
    let line = turn(&parted.there, ONE, "more from lap");
    parted.world.devices[1].append(&path, line.as_bytes());
    std::fs::remove_file(&open).expect("closed");
    parted.world.devices[1].tell(Event::ScanAll);
    parted.world.devices[1].look_and_die();
    parted.world.devices[1].start();
    parted.world.deliver();
    let fork = parted.fork();
    assert_eq!(parted.on_both(ONE), "common, from desk");
    assert!(
        parted.on_both(&fork).ends_with("from lap, more from lap"),
        "{}",
        parted.on_both(&fork)
    );
    assert_eq!(parted.split(0).tier.as_str(), "B");
}

#[test]
fn a_file_that_was_written_a_moment_ago_is_left_alone_for_a_while() {
    let mut parted = Parted::codex();
    let lap = &mut parted.world.devices[1];
    let file = lap.place_of(TWO).expect("there");
    let written = std::fs::metadata(&file)
        .and_then(|file| file.modified())
        .expect("time");
    let written = written
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_millis() as i64;
    lap.set_clock(written + 1000);
    let mut parted = parted.met();
    let fork = parted.fork();
    assert_eq!(parted.said(TWO)[1], "common, from lap");
    assert_eq!(parted.on_both(&fork), "common, from lap");
    assert_eq!(
        parted.world.devices[1].waits_for(TWO).as_deref(),
        Some("just_written")
    );
    parted.world.devices[1].set_clock(written + 6000);
    parted.world.devices[1].poll();
    assert_eq!(parted.on_both(TWO), "common, from desk");
}

#[test]
fn side_docs_come_along_each_with_its_branch() {
    let mut parted = Parted::claude();
    for (at, text) in [(0, "desk's agent"), (1, "lap's agent")] {
        let place = parted.world.devices[at]
            .place_of(ONE)
            .expect("there")
            .with_extension("");
        let cwd = [&parted.here, &parted.there][at].clone();
        parted.world.devices[at].say(
            &place.join("subagents/agent-1.jsonl"),
            turn(&cwd, ONE, text),
        );
        parted.world.devices[at].put(
            &place.join("tool-results/long.txt"),
            format!("{text} in {ONE}"),
        );
    }
    let mut parted = parted.met();
    let fork = parted.fork();
    let docs = |session: &str| -> Docs { parted.world.devices[0].docs(session) };
    let has =
        |docs: &Docs, name: &str, text: &str| String::from_utf8_lossy(&docs[name]).contains(text);
    assert!(has(&docs(ONE), "subagents/agent-1.jsonl", "desk's agent"));
    assert!(has(&docs(&fork), "subagents/agent-1.jsonl", "lap's agent"));
    assert!(has(
        &docs(&fork),
        "tool-results/long.txt",
        &format!("lap's agent in {fork}")
    ));
    parted.on_both(ONE);
    parted.on_both(&fork);
}

#[test]
fn an_agent_that_lies_beside_the_sessions_is_in_both() {
    let mut parted = Parted::claude();
    // Where Claude Code 2.0.76 keeps its agents (seen 2026-11-23): there each name exists only
    // once.
    let agent = parted.world.devices[0]
        .place_of(ONE)
        .expect("there")
        .with_file_name("agent-a84ba3e.jsonl");
    let line = turn(&parted.here, ONE, "an old agent");
    parted.world.devices[0].say(&agent, line);
    let mut parted = parted.met();
    let fork = parted.fork();
    assert!(parted.on_both(ONE).contains("an old agent"));
    let forked = parted.on_both(&fork);
    assert!(
        forked.contains("from lap") && forked.contains("an old agent"),
        "{forked}"
    );
}

/// Desk, lap and box continued one session, in that order, and met again.
pub fn three_ways() -> World {
    let mut world = World::devices(["desk", "lap", "box"]);
    [(0, 1), (1, 2), (0, 2)]
        .into_iter()
        .for_each(|(one, other)| world.pair(one, other));
    let places =
        [0, 1, 2].map(|at| world.devices[at].project("api", "git@github.com:acme/api.git"));
    let path = world.devices[0].transcript(&places[0], ONE);
    world.devices[0].say(&path, linked(&places[0], ONE, "", "a", "common"));
    world.deliver();
    [(0, 1), (1, 2), (0, 2)]
        .into_iter()
        .for_each(|(one, other)| world.part(one, other));
    for (at, place) in places.iter().enumerate() {
        world.devices[at].set_clock(super::world::START + 1000 * at as i64);
        let path = world.devices[at].place_of(ONE).expect("there");
        world.devices[at].say(
            &path,
            linked(place, ONE, "a", &format!("b{at}"), &format!("from {at}")),
        );
    }
    world.meet(1, 2);
    world.meet(0, 1);
    world.meet(0, 2);
    world
}

#[test]
fn three_devices_give_three_sessions() {
    let mut world = three_ways();
    let all: BTreeSet<BTreeMap<String, Vec<String>>> = world
        .devices
        .iter_mut()
        .map(|device| {
            let ids: Vec<String> = device
                .sessions()
                .into_iter()
                .map(|row| row.session)
                .collect();
            ids.into_iter()
                .map(|id| {
                    (
                        id.clone(),
                        device.docs(&id).values().map(|doc| words(doc)).collect(),
                    )
                })
                .collect()
        })
        .collect();
    assert_eq!(all.len(), 1, "all have the same: {all:#?}");
    let texts: BTreeSet<String> = all
        .into_iter()
        .next()
        .expect("one")
        .into_values()
        .flatten()
        .collect();
    let wanted = ["common, from 0", "common, from 1", "common, from 2"].map(String::from);
    assert_eq!(texts, BTreeSet::from(wanted));
}

#[test]
fn any_two_of_three_versions_are_compared() {
    let mut world = three_ways();
    for device in &mut world.devices {
        let row = device.splits().remove(0);
        assert_eq!(row.branches.len(), 3);
        let branch = |at: usize| Some(row.branches[at].branch.clone());
        let mut compare = |beside: Option<String>, branch: Option<String>| -> Diff {
            device.ask(Request::Diff {
                session: ONE.into(),
                branch,
                beside,
                from: 0,
                rows: 10,
                choices: true,
                bodies: true,
            })
        };
        for (left, right) in [(1, 2), (2, 1)] {
            let diff = compare(branch(left), branch(right));
            let devices = (diff.left.device.as_str(), diff.right.device.as_str());
            let named = |at: usize| row.branches[at].device.as_str();
            assert_eq!(devices, (named(left), named(right)));
            let text = |message: &Option<Msg>| message.as_ref().expect("there").preview.clone();
            assert_eq!(diff.total, 2, "a question and its answer");
            assert_ne!(text(&diff.rows[0].left), text(&diff.rows[0].right));
            assert_eq!(diff.prefix.messages, 2, "what all have in common");
            let offered: Vec<&str> = diff
                .choices
                .iter()
                .filter(|choice| choice.enabled)
                .map(|choice| choice.id.as_str())
                .collect();
            assert_eq!(
                offered,
                ["keep-both", "keep-left", "keep-right"],
                "only the session's own version is joined with another one"
            );
        }
        assert!(!compare(None, branch(1)).choices.is_empty());
        let same = device.try_ask(Request::Diff {
            session: ONE.into(),
            branch: branch(1),
            beside: branch(1),
            from: 0,
            rows: 10,
            choices: false,
            bodies: false,
        });
        assert_eq!(same.expect_err("one branch").code, ProblemCode::OneBranch);
    }
}

/// The texts of the sessions in the store, the same on every device.
pub fn said_everywhere(world: &World) -> BTreeSet<String> {
    let said = |device: &Device| -> BTreeSet<String> {
        let docs = super::world::tree(&device.claude().join("projects"));
        docs.values().map(|doc| words(doc)).collect()
    };
    let all: BTreeSet<BTreeSet<String>> = world.devices.iter().map(said).collect();
    assert_eq!(all.len(), 1, "all have the same: {all:#?}");
    all.into_iter().next().expect("one")
}

#[test]
fn decisions_about_three_branches_build_on_each_other() {
    let mut world = three_ways();
    let mut decide = |request: Request| -> BTreeSet<String> {
        let _: Done = world.devices[1].ask(request);
        world.devices[1].settle();
        world.deliver();
        said_everywhere(&world)
    };
    let resolve = |choice: &str, branch: &str| Request::Resolve {
        session: ONE.into(),
        choice: choice.into(),
        branch: Some(branch.into()),
        beside: None,
        active: None,
    };
    let texts = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| format!("common, {text}"))
            .collect::<BTreeSet<String>>()
    };
    assert_eq!(
        decide(resolve("stitch", "lap")),
        texts(&["from 0, from 1", "from 2"])
    );
    assert_eq!(
        decide(resolve("keep-both", "box")),
        texts(&["from 0, from 1", "from 2"])
    );
    assert_eq!(decide(resolve("keep-right", "box")), texts(&["from 2"]));
    let undo = || Request::Undo {
        session: Some(ONE.into()),
    };
    assert_eq!(decide(undo()), texts(&["from 0, from 1", "from 2"]));
    assert_eq!(decide(undo()), texts(&["from 0, from 1", "from 2"]));
    assert_eq!(decide(undo()), texts(&["from 0", "from 1", "from 2"]));
}

#[test]
fn of_two_versions_beside_the_sessions_own_one_is_put_away() {
    let beside = |choice: &str, left: &str, right: &str| Request::Resolve {
        session: ONE.into(),
        choice: choice.into(),
        branch: Some(right.into()),
        beside: Some(left.into()),
        active: None,
    };
    let texts = |texts: &[&str]| {
        let whole = texts.iter().map(|text| format!("common, {text}"));
        whole.collect::<BTreeSet<String>>()
    };
    let mut world = three_ways();
    let joined = world.devices[0].try_ask(beside("stitch", "lap", "box"));
    assert_eq!(
        joined.expect_err("refused").code,
        ProblemCode::ChoiceRefused
    );
    let mut decide = |request: Request| -> (String, BTreeSet<String>) {
        let done: Done = world.devices[0].ask(request);
        world.devices[0].settle();
        world.deliver();
        (done.message, said_everywhere(&world))
    };
    let undo = || Request::Undo {
        session: Some(ONE.into()),
    };
    let (message, said) = decide(beside("keep-left", "lap", "box"));
    assert!(
        message.starts_with("box's version was put away"),
        "{message}"
    );
    assert_eq!(said, texts(&["from 0", "from 1"]));
    assert_eq!(decide(undo()).1, texts(&["from 0", "from 1", "from 2"]));
    let (message, said) = decide(beside("keep-right", "lap", "box"));
    assert!(
        message.starts_with("lap's version was put away"),
        "{message}"
    );
    assert_eq!(said, texts(&["from 0", "from 2"]));
    assert_eq!(decide(undo()).1, texts(&["from 0", "from 1", "from 2"]));
    let (message, said) = decide(beside("keep-both", "lap", "box"));
    assert_eq!(
        message,
        "Kept both: lap's and box's version, each as a session of its own."
    );
    assert_eq!(said, texts(&["from 0", "from 1", "from 2"]));
    assert_eq!(world.devices[1].status().splits, 0, "both are decided");
}

#[test]
fn keeping_both_closes_the_split_everywhere() {
    let mut parted = Parted::claude().met();
    let fork = parted.fork();
    parted.resolve(1, ONE, "keep-both").expect("possible");
    for device in &mut parted.world.devices {
        assert_eq!(device.status().splits, 0, "on {}", device.name);
        assert_eq!(device.splits(), []);
    }
    assert_eq!(parted.on_both(&fork), "common, from lap");
    assert_quiet(&mut parted.world, ONE);
    parted.undo(0);
    assert_eq!(parted.world.devices[1].status().splits, 1);
}

#[test]
fn keeping_left_takes_the_other_out_of_the_stores_and_undo_brings_it_back() {
    let mut parted = Parted::claude().met();
    let fork = parted.fork();
    parted.resolve(1, ONE, "keep-left").expect("possible");
    let only = BTreeSet::from([ONE.to_owned()]);
    assert_eq!(parted.sessions(), [only.clone(), only]);
    assert_eq!(parted.on_both(ONE), "common, from desk");
    for device in &mut parted.world.devices {
        assert_eq!(device.place_of(&fork), None);
        assert_eq!(device.status().splits, 0);
        assert_eq!(device.status().problems, []);
    }
    parted.undo(1);
    assert_eq!(parted.on_both(ONE), "common, from desk");
    assert_eq!(parted.on_both(&fork), "common, from lap");
    assert_eq!(parted.world.devices[0].status().splits, 1);
}

#[test]
fn a_decision_is_taken_back_on_the_other_device_while_this_one_is_off() {
    let mut parted = Parted::claude().met();
    let fork = parted.fork();
    parted.resolve(0, ONE, "keep-left").expect("possible");
    parted.world.part(0, 1);
    // Also by the name of the branch that was put away.
    let _: Done = parted.world.devices[1].ask(Request::Undo {
        session: Some(fork.clone()),
    });
    parted.world.devices[1].settle();
    assert_eq!(parted.said(&fork)[1], "common, from lap");
    parted.world.meet(0, 1);
    assert_eq!(parted.on_both(&fork), "common, from lap");
    assert_eq!(parted.on_both(ONE), "common, from desk");
}

#[test]
fn keeping_right_gives_the_id_to_the_other_branch() {
    let mut parted = Parted::claude().met();
    let fork = parted.fork();
    parted.resolve(0, ONE, "keep-right").expect("possible");
    assert_eq!(parted.on_both(ONE), "common, from lap");
    assert_eq!(parted.world.devices[1].place_of(&fork), None);
    parted.undo(0);
    assert_eq!(parted.on_both(ONE), "common, from desk");
    assert_eq!(parted.on_both(&fork), "common, from lap");
}

#[test]
fn what_was_said_in_the_fork_comes_along_when_it_gets_the_id() {
    let mut parted = Parted::codex().met();
    let fork = parted.fork();
    parted.say(0, &fork, "said in the fork");
    parted.world.deliver();
    parted.resolve(1, TWO, "keep-right").expect("possible");
    assert_eq!(parted.on_both(TWO), "common, from lap, said in the fork");
    assert_eq!(parted.world.devices[0].place_of(&fork), None);
    parted.undo(1);
    assert_eq!(parted.on_both(TWO), "common, from desk");
    assert_eq!(parted.on_both(&fork), "common, from lap, said in the fork");
}

#[test]
fn a_branch_that_was_put_away_and_goes_on_elsewhere_is_there_again() {
    let mut parted = Parted::claude().met();
    let fork = parted.fork();
    parted.world.part(0, 1);
    parted.say(1, &fork, "not seen by desk");
    parted.resolve(0, ONE, "keep-left").expect("possible");
    assert_eq!(parted.world.devices[0].place_of(&fork), None);
    parted.world.meet(0, 1);
    assert_eq!(parted.on_both(&fork), "common, from lap, not seen by desk");
}

#[test]
fn decisions_on_both_devices_at_once_come_to_the_same() {
    let mut parted = Parted::claude().met();
    let fork = parted.fork();
    parted.world.part(0, 1);
    parted.resolve(0, ONE, "keep-left").expect("possible");
    let lap = &mut parted.world.devices[1];
    lap.set_clock(lap.clock_now() + 5000);
    parted.resolve(1, ONE, "keep-right").expect("possible");
    parted.world.meet(0, 1);
    assert_eq!(
        parted.on_both(ONE),
        "common, from lap",
        "the later one counts"
    );
    for device in &mut parted.world.devices {
        assert_eq!(device.status().problems, []);
        assert_eq!(device.place_of(&fork), None, "on {}", device.name);
    }
}

#[test]
fn without_a_common_start_the_user_is_asked_and_nothing_is_written() {
    let mut world = World::asleep(["desk", "lap"]);
    let places = [0, 1].map(|at| world.devices[at].project("api", "git@github.com:acme/api.git"));
    for at in [0, 1] {
        let path = world.devices[at].transcript(&places[at], ONE);
        world.devices[at].append(
            &path,
            turn(&places[at], ONE, &format!("only {at}")).as_bytes(),
        );
    }
    world.devices.iter_mut().for_each(Device::start);
    world.pair(0, 1);
    let mut parted = Parted {
        world,
        here: places[0].clone(),
        there: places[1].clone(),
    };
    assert_eq!(parted.said(ONE), ["only 0", "only 1"]);
    let split = parted.split(0);
    assert_eq!(split.tier.as_str(), "C");
    assert!(
        split
            .branches
            .iter()
            .all(|branch| branch.session.is_empty())
    );
    parted.resolve(1, ONE, "keep-both").expect("possible");
    let fork = fork_beside(&mut parted, ONE);
    let texts = BTreeSet::from([parted.on_both(ONE), parted.on_both(&fork)]);
    assert_eq!(
        texts,
        BTreeSet::from(["only 0".to_owned(), "only 1".to_owned()])
    );
}

/// Desk and lap each continued a session whose records are linked as Claude Code links them.
pub fn linked_parting() -> Parted {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, linked(&here, ONE, "", "a", "common"));
    world.deliver();
    world.part(0, 1);
    let mut parted = Parted { world, here, there };
    for (at, name, text) in [(0, "b", "from desk"), (1, "c", "from lap")] {
        let line = linked([&parted.here, &parted.there][at], ONE, "a", name, text);
        let device = &mut parted.world.devices[at];
        device.set_clock(super::world::START + 1000 * (at as i64 + 1));
        let path = device.place_of(ONE).expect("there");
        device.say(&path, line);
    }
    parted.met()
}

#[test]
fn stitched_the_session_holds_the_turns_of_both_and_undone_none_of_the_other() {
    let mut parted = linked_parting();
    let fork = parted.fork();
    let offered = parted.split(0).choices;
    assert!(
        offered
            .iter()
            .any(|choice| choice.id.as_str() == "stitch" && choice.enabled),
        "{offered:#?}"
    );
    let error = parted
        .resolve(0, &fork, "stitch")
        .expect_err("the split is not the fork's");
    let compare = Remedy::Compare {
        session: ONE.into(),
    };
    assert_eq!(
        (error.code, error.actions),
        (ProblemCode::NoSplit, vec![compare])
    );
    parted.resolve(0, ONE, "stitch").expect("possible");
    let both = "common, from desk, from lap";
    assert_eq!(parted.on_both(ONE), both);
    let stitched = parted.world.devices[1].docs(ONE)["transcript.jsonl"].clone();
    let text = String::from_utf8_lossy(&stitched).into_owned();
    let parent = format!(
        "{{\"parentUuid\":\"{}\",\"isSidechain\":false,\"type\":\"user\"",
        linked_id("b", "2")
    );
    assert!(
        text.contains(&parent),
        "lap's first turn follows desk's last: {text}"
    );
    assert_eq!(parted.world.devices[1].place_of(&fork), None);
    assert_eq!(parted.world.devices[1].status().splits, 0);
    parted.undo(0);
    assert_eq!(parted.on_both(ONE), "common, from desk");
    assert_eq!(parted.on_both(&fork), "common, from lap");
    for device in &mut parted.world.devices {
        let shown: Shown = device.ask(Request::show(ONE));
        let asked: Vec<&str> = shown
            .messages
            .iter()
            .filter(|said| said.role.as_str() == "user")
            .map(|said| said.text.as_str())
            .collect();
        assert_eq!(
            asked,
            ["common", "from desk"],
            "what is read is what is in the store of {}",
            device.name
        );
    }
    // Joined once more and then continued: the join can no longer be undone.
    parted.resolve(1, ONE, "stitch").expect("possible");
    assert_eq!(parted.on_both(ONE), both);
    parted.say(1, ONE, "went on");
    parted.world.deliver();
    parted.undo(1);
    assert_eq!(parted.on_both(ONE), format!("{both}, went on"));
    assert_eq!(parted.on_both(&fork), "common, from lap");
}

#[test]
fn keeping_the_third_branch_leaves_two_stitched_ones_together() {
    let mut world = three_ways();
    let mut resolve = |device: usize, choice: &str, branch: Option<String>| {
        let request = Request::Resolve {
            session: ONE.into(),
            choice: choice.into(),
            branch,
            beside: None,
            active: None,
        };
        let _: Done = world.devices[device].ask(request);
        world.deliver();
        world.devices[0]
            .docs(ONE)
            .values()
            .map(|doc| words(doc))
            .collect::<String>()
    };
    let stitched = resolve(0, "stitch", Some("lap".into()));
    assert!(
        stitched.contains("from 0") && stitched.contains("from 1"),
        "{stitched}"
    );
    assert_eq!(resolve(1, "keep-both", None), stitched);
}

#[test]
fn a_stitched_codex_thread_holds_the_turns_of_both() {
    let mut parted = Parted::codex().met();
    let fork = parted.fork();
    parted.say(1, &fork, "said in the fork");
    parted.world.deliver();
    parted.resolve(0, TWO, "stitch").expect("possible");
    assert_eq!(
        parted.on_both(TWO),
        "common, from desk, from lap, said in the fork"
    );
    parted.undo(0);
    assert_eq!(parted.on_both(TWO), "common, from desk");
}

#[test]
fn what_agents_wrote_goes_with_the_branch_that_is_kept() {
    let mut parted = Parted::claude();
    for (at, text) in [(0, "desk's agent"), (1, "lap's agent")] {
        let place = parted.world.devices[at]
            .place_of(ONE)
            .expect("there")
            .with_extension("");
        let cwd = [&parted.here, &parted.there][at].clone();
        parted.world.devices[at].say(
            &place.join("subagents/agent-1.jsonl"),
            turn(&cwd, ONE, text),
        );
    }
    let mut parted = parted.met();
    let fork = parted.fork();
    let place = parted.world.devices[0]
        .place_of(&fork)
        .expect("there")
        .with_extension("");
    let later = turn(&parted.here, &fork, "said in the fork");
    parted.world.devices[0].say(&place.join("subagents/agent-2.jsonl"), &later);
    parted.say(0, &fork, "more");
    parted.world.deliver();
    let agents = |parted: &Parted| {
        let docs = parted.world.devices[1].docs(ONE);
        let agent = |number| {
            docs.get(&format!("subagents/agent-{number}.jsonl"))
                .map(|doc| words(doc))
                .unwrap_or_default()
        };
        [agent(1), agent(2)]
    };
    parted.resolve(1, ONE, "keep-left").expect("possible");
    assert_eq!(agents(&parted), ["desk's agent", ""]);
    parted.undo(1);
    parted.resolve(1, ONE, "keep-right").expect("possible");
    assert_eq!(agents(&parted), ["lap's agent", "said in the fork"]);
    parted.on_both(ONE);
}

#[test]
fn a_half_line_of_a_dead_process_does_not_keep_out_what_another_device_says() {
    let mut parted = Parted::codex().met();
    let file = parted.world.devices[1].place_of(TWO).expect("there");
    parted.world.devices[1].say(&file, "{\"half\":");
    parted.say(0, TWO, "went on");
    parted.world.deliver();
    assert_eq!(parted.on_both(TWO), "common, from desk, went on");
    let remains = super::world::tree(&parted.world.devices[1].roam.join("remains"));
    assert!(remains.values().any(|kept| kept == b"{\"half\":"));
}

#[test]
fn one_session_may_hold_both_branches() {
    let mut parted = linked_parting();
    parted
        .resolve_with(1, ONE, "branches", Some(Side::Right))
        .expect("possible");
    assert_eq!(parted.on_both(ONE), "common, from desk, from lap");
    parted.undo(1);
    assert_eq!(parted.on_both(ONE), "common, from desk");
}

fn fork_beside(parted: &mut Parted, session: &str) -> String {
    let [sessions, _] = parted.sessions();
    sessions
        .into_iter()
        .find(|id| id != session)
        .expect("a fork")
}

#[test]
fn a_refused_choice_records_nothing_of_what_the_fork_said_since() {
    // Codex does not know threads with two branches.
    let mut parted = Parted::codex().met();
    let fork = parted.fork();
    let path = parted.world.devices[1]
        .place_of(&fork)
        .expect("the fork is there");
    parted.world.devices[1].say(&path, item("more on lap"));
    parted.world.deliver();
    let before: Vec<usize> = parted.world.devices.iter().map(own_frames).collect();
    let refused = parted.resolve(0, TWO, "branches").expect_err("refused");
    assert_eq!(refused.code.as_str(), "choice_refused");
    parted.world.deliver();
    assert_eq!(
        parted
            .world
            .devices
            .iter()
            .map(own_frames)
            .collect::<Vec<_>>(),
        before
    );
    assert_eq!(parted.split(0), parted.split(1));
}

#[test]
fn an_unknown_choice_or_branch_is_told_and_changes_nothing() {
    let mut parted = Parted::claude().met();
    let before = parted.world.devices[0].stores();
    for (choice, code) in [
        ("keep-all", "unknown_choice"),
        ("branches", "choice_refused"),
    ] {
        let error = parted
            .resolve(0, ONE, choice)
            .map(|_| ())
            .expect_err("refused");
        if choice == "keep-all" || error.code.as_str() == code {
            assert_eq!(error.code.as_str(), code);
        }
    }
    let request = Request::Resolve {
        session: ONE.into(),
        choice: "keep-left".into(),
        branch: Some("nobody".into()),
        beside: None,
        active: None,
    };
    let error = parted.world.devices[0]
        .try_ask(request)
        .expect_err("refused");
    assert_eq!(error.code.as_str(), "unknown_branch");
    let error = parted.world.devices[0]
        .try_ask(Request::Undo {
            session: Some(ONE.into()),
        })
        .expect_err("refused");
    assert_eq!(error.code.as_str(), "nothing_to_undo");
    assert_eq!(parted.world.devices[0].stores(), before);
}

#[test]
fn a_line_that_was_never_finished_is_kept_beside_the_vault() {
    let mut parted = Parted::codex();
    let lap = &mut parted.world.devices[1];
    let file = lap.place_of(TWO).expect("there");
    lap.say(&file, "{\"half\":");
    let parted = parted.met();
    let remains = super::world::tree(&parted.world.devices[1].roam.join("remains"));
    let kept: Vec<&[u8]> = remains.values().map(Vec::as_slice).collect();
    assert_eq!(kept, [b"{\"half\":"]);
    assert_eq!(parted.on_both(TWO), "common, from desk");
}

#[test]
fn nothing_is_written_twice_when_nothing_happens() {
    let mut parted = Parted::claude().met();
    let frames = |parted: &Parted| {
        parted
            .world
            .devices
            .iter()
            .map(super::journals::own_frames)
            .collect::<Vec<_>>()
    };
    let before = frames(&parted);
    for _ in 0..3 {
        parted.world.devices.iter_mut().for_each(Device::poll);
        parted.world.devices.iter_mut().for_each(Device::start);
        parted.world.deliver();
    }
    assert_eq!(frames(&parted), before);
}

#[test]
fn all_that_was_said_in_the_fork_comes_along_wherever_it_is_decided() {
    for (speaks, decides) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut parted = Parted::codex().met();
        let fork = parted.fork();
        for number in 1..=3 {
            parted.say(speaks, &fork, &format!("{number} in the fork"));
            parted.world.deliver();
        }
        parted
            .resolve(decides, TWO, "keep-right")
            .expect("possible");
        let said = "common, from lap, 1 in the fork, 2 in the fork, 3 in the fork";
        assert_eq!(
            parted.on_both(TWO),
            said,
            "said on {speaks}, decided on {decides}"
        );
        assert_eq!(parted.world.devices[0].place_of(&fork), None);
        parted.undo(decides);
        assert_eq!(parted.on_both(&fork), said);
    }
}

#[test]
fn what_is_said_in_the_fork_while_it_is_decided_stays_in_the_store() {
    for choice in ["keep-left", "keep-right"] {
        let mut parted = Parted::codex().met();
        let fork = parted.fork();
        let path = parted.world.devices[0].place_of(&fork).expect("there");
        // The tool wrote this, and the engine has not been notified yet.
        parted.world.devices[0].append(&path, item("at the last moment").as_bytes());
        parted.resolve(0, TWO, choice).expect("possible");
        assert_eq!(
            parted.on_both(&fork),
            "common, from lap, at the last moment",
            "{choice}"
        );
    }
}

#[test]
fn a_branch_of_a_branch_keeps_its_session_when_the_other_is_put_away() {
    let mut world = World::devices(["desk", "lap", "box"]);
    [(0, 1), (1, 2), (0, 2)]
        .into_iter()
        .for_each(|(one, other)| world.pair(one, other));
    let places =
        [0, 1, 2].map(|at| world.devices[at].project("api", "git@github.com:acme/api.git"));
    let path = world.devices[0].transcript(&places[0], ONE);
    world.devices[0].say(&path, turn(&places[0], ONE, "common"));
    world.deliver();
    let say = |world: &mut World, at: usize, second: i64, text: &str| {
        world.devices[at].set_clock(super::world::START + 1000 * second);
        let path = world.devices[at].place_of(ONE).expect("there");
        world.devices[at].say(&path, turn(&places[at], ONE, text));
    };
    [(0, 1), (1, 2), (0, 2)]
        .into_iter()
        .for_each(|(one, other)| world.part(one, other));
    say(&mut world, 0, 1, "on desk");
    world.meet(0, 2);
    world.part(0, 2);
    say(&mut world, 0, 2, "more on desk");
    say(&mut world, 1, 3, "on lap");
    say(&mut world, 2, 4, "on box");
    [(0, 1), (1, 2), (0, 2)]
        .into_iter()
        .for_each(|(one, other)| world.meet(one, other));
    let files =
        |world: &World| super::world::tree(&world.devices[0].claude().join("projects")).len();
    let there = |world: &World| (said_everywhere(world), files(world));
    let all = [
        "common, on desk, more on desk",
        "common, on desk, on box",
        "common, on lap",
    ]
    .map(String::from);
    assert_eq!(there(&world), (BTreeSet::from(all.clone()), 3));
    let (session, branch) = (ONE.to_owned(), Some("lap".into()));
    let _: Done = world.devices[1].ask(Request::Resolve {
        session,
        choice: "keep-right".into(),
        branch,
        beside: None,
        active: None,
    });
    world.devices[1].settle();
    world.deliver();
    assert_eq!(there(&world), (all[1..].iter().cloned().collect(), 2));
    let _: Done = world.devices[2].ask(Request::Undo {
        session: Some(ONE.into()),
    });
    world.devices[2].settle();
    world.deliver();
    assert_eq!(there(&world), (all.into(), 3));
}

#[test]
fn a_decision_of_a_device_that_is_revoked_since_before_it_is_open_again() {
    let mut parted = Parted::claude().met();
    assert_eq!(parted.world.devices[0].splits().len(), 1);
    let since = START + 60_000;
    parted.world.set_clocks(since);
    parted.resolve(1, ONE, "keep-left").expect("decided");
    assert_eq!(parted.world.devices[0].splits().len(), 0);
    parted.world.set_clocks(since + 3_600_000);
    let id = parted.world.devices[1].id.to_string();
    let _: RevokeAnswer = parted.world.devices[0].ask(Request::Revoke {
        id,
        since: Some(Millis(since).rfc3339()),
        dry: false,
    });
    parted.world.deliver();
    assert_eq!(parted.world.devices[0].splits().len(), 1);
    parted.undo(0);
    assert_eq!(parted.world.devices[0].splits().len(), 0);
}
