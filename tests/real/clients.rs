//! The promise itself, with nothing faked but the model: a session of the real Claude Code or the
//! real Codex on one device is continued on another with the tool's own resume, synced by the real
//! `roam` and the real Syncthing.
//!
//! What a tool knows when it continues is read from the request it sends to the mock
//! (tests/real/mock-llm.mjs). Each story also runs with the files copied by hand: this separates
//! "the tool no longer accepts such a file" from "session-roam did not bring it", and shows that
//! the checks can fail.

use serde_json::{Value, json};
use session_roam_core::tools::{Joins, Sides};
use session_roam_testutils::device::{Device, PATIENCE, Resume};
use session_roam_testutils::files::{files_below, files_with};
use session_roam_testutils::isolation::{alone, wait_for};
use session_roam_testutils::mock::{context, turn};
use session_roam_testutils::story::{bytes, carried_by_roam, copied_by_hand, stored};
use session_roam_testutils::terminal::Terminal;
use session_roam_testutils::tools::{Tool, append, listed_by_codex};
use session_roam_testutils::world::World;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn claude_code_goes_on_where_the_other_device_stopped() {
    alone(|| {
        let mut world = World::paired();
        three_hops(&world, Tool::ClaudeCode, carried_by_roam);
        world.desk.stop();
        world.laptop.stop();
    });
}

#[test]
fn codex_goes_on_where_the_other_device_stopped() {
    alone(|| {
        let mut world = World::paired();
        let session = three_hops(&world, Tool::Codex, carried_by_roam);
        let file = Tool::Codex
            .file(&world.laptop, &session)
            .expect("the session is on the laptop");
        let listed = listed_by_codex(&world.laptop);
        assert!(listed.contains(&(session, file)), "Codex lists {listed:?}");
        world.desk.stop();
        world.laptop.stop();
    });
}

#[test]
fn the_printed_command_opens_the_session_in_a_terminal() {
    alone(|| {
        let world = World::paired();
        Tool::ALL
            .iter()
            .for_each(|tool| in_a_terminal(&world, *tool, carried_by_roam));
    });
}

#[test]
fn no_secret_of_a_tool_leaves_its_device() {
    alone(|| {
        let world = World::paired();
        for tool in Tool::ALL {
            let session = tool.begin(&world.desk, "Nothing secret here");
            let resume = carried_by_roam(tool, &session, &world.desk, &world.laptop);
            tool.go_on(&world.laptop, &resume, "Nor here")
                .expect("the tool goes on");
            carried_by_roam(tool, &session, &world.laptop, &world.desk);
        }
        let (desk, laptop) = (&world.desk, &world.laptop);
        for dir in [&desk.roam_home, &laptop.roam_home] {
            let carried = [
                files_with(dir, "Nothing secret here"),
                files_with(dir, "Nor here"),
            ]
            .concat();
            assert!(
                carried
                    .iter()
                    .any(|file| file.extension().is_some_and(|it| it == "zst")),
                "the journals can be read by this test"
            );
        }
        for (whose, elsewhere) in [
            (desk, [&laptop.home, &laptop.roam_home]),
            (laptop, [&desk.home, &desk.roam_home]),
        ] {
            assert!(
                !files_with(&whose.home, &whose.secret()).is_empty(),
                "the secret is where it was planted"
            );
            for dir in elsewhere.into_iter().chain([&whose.roam_home]) {
                let leaked = files_with(dir, &whose.secret());
                assert!(
                    leaked.is_empty(),
                    "{}'s secret is in {leaked:?}",
                    whose.name
                );
            }
        }
    });
}

/// F2: the desk's session may do everything; the laptop's user chose "ask". Opened there with the
/// printed command, the tool asks; with the same file copied by hand, it does not.
#[test]
fn a_session_that_may_do_everything_asks_on_a_device_whose_user_wants_that() {
    alone(|| {
        let mut world = World::paired();
        for tool in Tool::ALL {
            tool.ask_before_all(&world.laptop);
            // All lines arrive at once: a single steering record would be held.
            world.desk.roam(&["pause"]);
            let session = tool.begin(&world.desk, &format!("Do as you like, {tool:?}"));
            tool.allow_all(&world.desk, &session);
            let whole = stored(tool, &session, &world.desk).expect("it was just written");
            let recorded = || world.desk.has_recorded(&session, &whole);
            wait_for("the desk to have recorded all of it", PATIENCE, recorded);
            world.desk.roam(&["continue"]);
            let resume = carried_by_roam(tool, &session, &world.desk, &world.laptop);
            assert_eq!(
                stored(tool, &session, &world.desk).map(|file| tool.allows_all(&file)),
                Ok(true),
                "as it was"
            );
            assert_eq!(
                run_with(&world, tool, &session, &resume),
                tool.asking(),
                "{tool:?} on the laptop"
            );
            assert_eq!(
                stored(tool, &session, &world.desk).map(|file| tool.allows_all(&file)),
                Ok(true),
                "the desk's own stays"
            );
        }
        world.desk.stop();
        world.laptop.stop();

        let world = World::unpaired();
        for tool in Tool::ALL {
            tool.ask_before_all(&world.laptop);
            let session = tool.begin(&world.desk, &format!("Do as you like, {tool:?}"));
            tool.allow_all(&world.desk, &session);
            let resume = copied_by_hand(tool, &session, &world.desk, &world.laptop);
            assert_eq!(
                run_with(&world, tool, &session, &resume),
                tool.allowing(),
                "{tool:?} takes it from the file"
            );
        }
    });
}

/// Opens a session on the laptop, sends a prompt, and returns the permissions that the tool then
/// records.
fn run_with(world: &World, tool: Tool, session: &str, resume: &Resume) -> Vec<String> {
    let known = stored(tool, session, &world.laptop)
        .expect("it is there")
        .len();
    let mut terminal = Terminal::open(&world.laptop, resume);
    terminal.wait_for("like,");
    let typed = format!("Typed into {tool:?}");
    terminal.enter(&typed, &format!("{tool:?} to send what was typed"), || {
        world.mock.heard(&typed)
    });
    terminal.leave();
    let file = stored(tool, session, &world.laptop).expect("it is there");
    tool.run_with(&file[known..])
}

/// F3: a rewind of the real tool writes the file that another device's record names, unless
/// session-roam synced it.
#[test]
fn a_rewind_on_another_device_writes_nothing_outside_of_the_checkout() {
    alone(|| {
        for by_roam in [false, true] {
            let mut world = if by_roam {
                World::paired()
            } else {
                World::unpaired()
            };
            let tool = Tool::ClaudeCode;
            if by_roam {
                world.laptop.roam(&["pause"]);
            }
            let session = tool.begin(&world.desk, "Change nothing");
            let victim = world.laptop.home.join(".bashrc");
            let inside = world.laptop.checkout.join("notes.txt");
            for file in [&victim, &inside] {
                fs::write(file, "as it is\n").expect("a file");
            }
            let message = plant_copies(&world.desk, &session, &[(&victim, "aaaaaaaaaaaaaaaa@v1")]);
            let resume = match by_roam {
                true => {
                    world.laptop.roam(&["continue"]);
                    carried_by_roam(tool, &session, &world.desk, &world.laptop)
                }
                false => {
                    let resume = copied_by_hand(tool, &session, &world.desk, &world.laptop);
                    let history = Path::new(".claude/file-history").join(&session);
                    fs::create_dir_all(world.laptop.home.join(&history)).expect("a directory");
                    for file in files_below(&world.desk.home.join(&history)) {
                        let name = file.file_name().expect("a name");
                        fs::copy(&file, world.laptop.home.join(&history).join(name))
                            .expect("a copy");
                    }
                    resume
                }
            };
            let told = tool.rewind(&world.laptop, &resume, &message);
            let now = fs::read_to_string(&victim).expect("it is there");
            assert_eq!(
                now == "as it is\n",
                by_roam,
                "{now:?}; the tool said {told}"
            );
            if by_roam {
                world.desk.stop();
                world.laptop.stop();
            }
        }
    });
}

/// The tool has the model write its plan with the tool `Write`, and attaches the plan's path and
/// whether it found the file to the conversation whenever planning begins or ends (seen with
/// 2.1.330, 2026-11-30).
#[test]
fn a_plan_that_claude_code_made_is_found_again_on_the_other_device() {
    alone(|| {
        let world = World::paired();
        let (tool, World { desk, laptop, .. }) = (Tool::ClaudeCode, &world);
        let session = tool.begin(desk, "Mend the till");
        let by_hand = tool.resume_by_hand(&session, &desk.checkout);
        plans_on(desk, &by_hand, "Plan it first");
        let (plan, was_there) = plan_seen(desk, &session);
        assert!(!was_there, "it is not written yet");
        let wanted = json!({ "file_path": plan, "content": "First plum.\n" });
        plans_on(desk, &by_hand, &format!("call-tool: Write {wanted}"));
        assert_eq!(fs::read_to_string(&plan).expect("a plan"), "First plum.\n");

        let resume = carried_by_roam(tool, &session, desk, laptop);
        let there = Path::new(".claude/plans").join(plan.file_name().expect("a name"));
        let there = laptop.home.join(there);
        assert_eq!(fs::read_to_string(&there).expect("a plan"), "First plum.\n");
        plans_on(laptop, &resume, "Plan on");
        tool.go_on(laptop, &resume, "Begin with it")
            .expect("the tool goes on");
        assert_eq!(plan_seen(laptop, &session), (there.clone(), true));

        fs::write(&there, "Second plum.\n").expect("the user's editor");
        carried_by_roam(tool, &session, laptop, desk);
        wait_for(
            "the desk to have the changed plan",
            PATIENCE,
            || match fs::read_to_string(&plan) {
                Ok(text) if text == "Second plum.\n" => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
    });
}

/// Continues a session in the mode in which the tool plans.
fn plans_on(device: &Device, resume: &Resume, prompt: &str) {
    let planning = ["--permission-mode", "plan"].map(str::to_owned);
    let argv = [&resume.argv[..], &planning].concat();
    let resume = Resume {
        argv,
        ..resume.clone()
    };
    Tool::ClaudeCode
        .go_on(device, &resume, prompt)
        .expect("the tool goes on");
}

/// The plan that the tool named last, and whether it found that file.
fn plan_seen(device: &Device, session: &str) -> (PathBuf, bool) {
    let lines = stored(Tool::ClaudeCode, session, device).expect("it was begun");
    let lines = String::from_utf8(lines).expect("text");
    let records = lines
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let seen = { records }.find_map(|record| {
        let seen = &record["attachment"];
        Some((
            seen["planFilePath"].as_str()?.into(),
            seen["planExists"].as_bool()?,
        ))
    });
    seen.expect("the tool was planning")
}

/// What a hostile device adds to a session: a state of files to go back to. Returns the message
/// that it belongs to.
fn plant_copies(device: &Device, session: &str, files: &[(&Path, &str)]) -> String {
    let file = Tool::ClaudeCode
        .file(device, session)
        .expect("it was begun");
    let text = fs::read_to_string(&file).expect("text");
    let records = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let prompt = { records }
        .find(|record| record["type"] == "user")
        .expect("it was begun with a prompt");
    let message = prompt["uuid"].as_str().expect("it has an id").to_owned();
    let history = device.home.join(".claude/file-history").join(session);
    fs::create_dir_all(&history).expect("a directory");
    let mut tracked = serde_json::Map::new();
    for (path, copy) in files {
        fs::write(history.join(copy), "evil\n").expect("a copy");
        let entry = serde_json::json!({ "backupFileName": copy, "version": 1, "backupTime": "2026-11-28T10:00:00.000Z" });
        tracked.insert(path.display().to_string(), entry);
    }
    let record = serde_json::json!({ "type": "file-history-snapshot", "messageId": message, "isSnapshotUpdate": false,
        "snapshot": { "messageId": message, "trackedFileBackups": tracked, "timestamp": "2026-11-28T10:00:00.000Z" } });
    append(&file, &format!("{record}\n"));
    message
}

#[test]
fn claude_code_goes_on_with_a_file_copied_by_hand() {
    alone(|| {
        drop(three_hops(
            &World::unpaired(),
            Tool::ClaudeCode,
            copied_by_hand,
        ))
    });
}

#[test]
fn codex_goes_on_with_a_file_copied_by_hand() {
    alone(|| drop(three_hops(&World::unpaired(), Tool::Codex, copied_by_hand)));
}

#[test]
fn a_file_copied_by_hand_opens_in_a_terminal() {
    alone(|| {
        let world = World::unpaired();
        Tool::ALL
            .iter()
            .for_each(|tool| in_a_terminal(&world, *tool, copied_by_hand));
    });
}

#[test]
fn a_session_that_was_not_carried_is_missed() {
    alone(|| {
        let World {
            desk, laptop, mock, ..
        } = &World::unpaired();
        for tool in Tool::ALL {
            let session = tool.begin(desk, "What was said first");
            let resume = tool.resume_by_hand(&session, &laptop.checkout);
            let refused = tool.go_on(laptop, &resume, "Not carried at all");
            assert!(
                refused.is_err(),
                "{tool:?} went on with a session that is not there"
            );

            let resume = copied_by_hand(tool, &session, desk, laptop);
            tool.go_on(
                desk,
                &tool.resume_by_hand(&session, &desk.checkout),
                "What was said later",
            )
            .expect("it goes on");
            tool.go_on(laptop, &resume, "Not carried since")
                .expect("it goes on with what it has");
            let told = [
                "What was said first",
                "What was said later",
                "Not carried since",
            ];
            assert_ne!(
                mock.context_of("Not carried since"),
                context(&told),
                "{tool:?} knows what it cannot know"
            );
            assert_ne!(bytes(tool, &session, desk), bytes(tool, &session, laptop));
        }
    });
}

#[test]
fn two_branches_put_together_are_one_conversation_to_the_tool() {
    alone(|| {
        let World {
            desk, laptop, mock, ..
        } = &World::unpaired();
        for tool in Tool::ALL {
            let [before, on_desk, on_laptop] = [
                "Before we part",
                "run-tool: echo desk",
                "run-tool: echo laptop",
            ];
            let session = tool.begin(desk, before);
            let (here, there) = (
                tool.resume_by_hand(&session, &desk.checkout),
                copied_by_hand(tool, &session, desk, laptop),
            );
            let common = stored(tool, &session, desk).expect("it was begun");
            tool.go_on(desk, &here, on_desk).expect("it goes on");
            tool.go_on(laptop, &there, on_laptop).expect("it goes on");
            let [first, second] =
                [desk, laptop].map(|device| stored(tool, &session, device).expect("it went on"));
            let sides = Sides {
                common: &common,
                first: &first[common.len()..],
                second: &second[common.len()..],
            };
            let knows_after = |added: Vec<u8>, prompt: String| {
                let file = tool.file(desk, &session).expect("it was begun");
                fs::write(file, [first.as_slice(), &added].concat())
                    .expect("the store can be written");
                tool.go_on(desk, &here, &prompt).expect("it goes on");
                let mut knows = mock.context_of(&prompt);
                assert_eq!(knows.pop(), Some(format!("user: {prompt}")));
                knows
            };
            let joins = joins(tool);
            let added = joins.stitch.expect("offered")(&sides).expect("sound");
            let both = [turn(1, before), turn(2, on_desk), turn(2, on_laptop)].concat();
            assert_eq!(knows_after(added, format!("{tool:?}, stitched")), both);
            if let Some(branches) = joins.branches {
                let second = [turn(1, before), turn(2, on_laptop)].concat();
                assert_eq!(
                    knows_after(
                        branches(&sides).expect("sound"),
                        format!("{tool:?}, two branches")
                    ),
                    second
                );
            }
        }
    });
}

/// How the product joins a split of this tool's sessions.
fn joins(tool: Tool) -> Joins {
    let adapters = session_roam_core::tools::all(&[])
        .into_iter()
        .map(|adapter| adapter.about());
    { adapters }
        .find(|about| about.tool.as_str() == tool.id())
        .expect("there is an adapter")
        .joins
}

/// A session begun on the desk and continued on laptop, desk and laptop: each time the model gets
/// all earlier messages, in order. At the end both devices have the same bytes. `hop` brings the
/// session over and returns how to resume it there.
fn three_hops(
    world: &World,
    tool: Tool,
    hop: impl Fn(Tool, &str, &Device, &Device) -> Resume,
) -> String {
    let World {
        desk, laptop, mock, ..
    } = world;
    let mut said = vec!["Where is the bug in parser.rs?"];
    let session = tool.begin(desk, said[0]);
    said.push("run-tool: echo seen-on-the-desk");
    tool.go_on(
        desk,
        &tool.resume_by_hand(&session, &desk.checkout),
        said[1],
    )
    .expect("the tool goes on at home");
    assert_eq!(mock.context_of(said[1]), context(&said));

    let hops = [
        (desk, laptop, "Mend it, on the train"),
        (laptop, desk, "run-tool: echo back-at-the-desk"),
        (desk, laptop, "Thanks"),
    ];
    for (from, to, prompt) in hops {
        let resume = hop(tool, &session, from, to);
        assert_eq!(
            resume.cwd, to.checkout,
            "the session goes on in this device's checkout"
        );
        tool.go_on(to, &resume, prompt)
            .unwrap_or_else(|told| panic!("{tool:?} on {}: {told}", to.name));
        said.push(prompt);
        assert_eq!(
            mock.context_of(prompt),
            context(&said),
            "what {tool:?} on {} knows",
            to.name
        );
    }
    hop(tool, &session, laptop, desk);
    assert_eq!(bytes(tool, &session, desk), bytes(tool, &session, laptop));
    session
}

/// A session of the desk, opened on the laptop with the very command that was printed, and
/// continued at the keyboard.
fn in_a_terminal(world: &World, tool: Tool, hop: impl Fn(Tool, &str, &Device, &Device) -> Resume) {
    let World {
        desk, laptop, mock, ..
    } = world;
    let session = tool.begin(desk, "run-tool: echo seen-on-the-desk");
    let resume = hop(tool, &session, desk, laptop);
    let mut terminal = Terminal::open(laptop, &resume);
    terminal.wait_for("seen-on-the-desk");
    // The mock hears both tools, so each gets a prompt of its own.
    let typed = format!("Typed into {tool:?}");
    let knows = terminal.enter(&typed, &format!("{tool:?} to send what was typed"), || {
        mock.heard(&typed)
    });
    terminal.leave();
    assert_eq!(
        knows,
        context(&["run-tool: echo seen-on-the-desk", &typed]),
        "what {tool:?} on the laptop knows"
    );
    hop(tool, &session, laptop, desk);
    assert_eq!(bytes(tool, &session, desk), bytes(tool, &session, laptop));
}
