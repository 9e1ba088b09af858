//! Splits of the real Claude Code and the real Codex: a session continued on two devices while they
//! were disconnected. Nothing is faked but the model; what a tool knows afterwards is read from its
//! requests, as in tests/real/clients.rs.

use session_roam_testutils::device::{Device, PATIENCE, Resume, rows};
use session_roam_testutils::files::{files_below, write};
use session_roam_testutils::isolation::{alone, wait_for};
use session_roam_testutils::mock::{sent_with, turn};
use session_roam_testutils::parting::{
    BEFORE, LEFT, RIGHT, Split, begin, left_turns, listed, part, recorded, right_turns,
    stitched_turns,
};
use session_roam_testutils::story::{bytes, carried_by_roam, copied_by_hand, resumed};
use session_roam_testutils::terminal::Terminal;
use session_roam_testutils::tools::{Client, Tool, child_of};
use session_roam_testutils::transcripts::{projects, slug};
use session_roam_testutils::world::World;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

#[test]
fn a_split_of_claude_code_is_two_sessions_on_both_devices() {
    alone(|| two_sessions(Client::ClaudeCode));
}

#[test]
fn a_split_of_codex_is_two_sessions_on_both_devices() {
    alone(|| two_sessions(Client::Codex));
}

#[test]
fn whatever_is_chosen_for_claude_code_is_what_it_knows() {
    alone(|| every_choice(Client::ClaudeCode));
}

#[test]
fn whatever_is_chosen_for_codex_is_what_it_knows() {
    alone(|| every_choice(Client::Codex));
}

#[test]
fn a_session_open_in_claude_code_keeps_its_file_until_it_is_closed() {
    alone(|| open_while_they_meet(Client::ClaudeCode));
}

#[test]
fn a_session_open_in_codex_keeps_its_file_until_it_is_closed() {
    alone(|| open_while_they_meet(Client::Codex));
}

#[test]
fn the_way_that_is_active_is_the_one_claude_code_goes_on_with() {
    alone(|| one_session_with_both_ways(Client::ClaudeCode));
}

/// The same with older versions of the tools: `cargo xtask test --older`, since a new commit of ours
/// seldom changes what they show. `every_version_takes_a_fork_made_by_hand` has them, too.
mod older {
    use super::*;

    #[test]
    fn a_split_of_claude_code_2_1_108_is_two_sessions_on_both_devices() {
        alone(|| two_sessions(Client::ClaudeCode2_1_108));
    }

    #[test]
    fn a_split_of_claude_code_2_0_76_is_two_sessions_on_both_devices() {
        alone(|| two_sessions(Client::ClaudeCode2_0_76));
    }

    // The older Codex is installed only for this processor: it has one package for each.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_split_of_codex_0_120_0_is_two_sessions_on_both_devices() {
        alone(|| two_sessions(Client::Codex0_120_0));
    }

    #[test]
    fn whatever_is_chosen_for_claude_code_2_1_108_is_what_it_knows() {
        alone(|| every_choice(Client::ClaudeCode2_1_108));
    }

    #[test]
    fn whatever_is_chosen_for_claude_code_2_0_76_is_what_it_knows() {
        alone(|| every_choice(Client::ClaudeCode2_0_76));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn whatever_is_chosen_for_codex_0_120_0_is_what_it_knows() {
        alone(|| every_choice(Client::Codex0_120_0));
    }

    #[test]
    fn the_way_that_is_active_is_the_one_claude_code_2_1_108_goes_on_with() {
        alone(|| one_session_with_both_ways(Client::ClaudeCode2_1_108));
    }

    #[test]
    fn the_way_that_is_active_is_the_one_claude_code_2_0_76_goes_on_with() {
        alone(|| one_session_with_both_ways(Client::ClaudeCode2_0_76));
    }
}

#[test]
fn claude_code_lists_a_fork_under_its_name() {
    alone(|| in_the_picker("Said on the train"));
}

#[test]
fn claude_code_lists_a_fork_with_a_long_way_of_its_own_under_its_name() {
    alone(|| {
        in_the_picker(&format!(
            "Said on the train {}",
            "at length ".repeat(10_000)
        ))
    });
}

#[test]
fn claude_code_continues_from_any_message_and_knows_what_was_said_until_there() {
    alone(|| continues_from_any_message(Client::ClaudeCode));
}

#[test]
fn codex_continues_from_any_message_and_knows_what_was_said_until_there() {
    alone(|| continues_from_any_message(Client::Codex));
}

/// On the other device, and the model is told exactly the beginning.
fn continues_from_any_message(client: Client) {
    let (world, tool) = (World::paired_with(&[client]), client.tool());
    let session = begin(&world, tool, |_| {});
    let laptop = &world.laptop;
    let before = bytes(tool, &session, laptop).expect("it is in the store");
    let all: Vec<String> = (1..)
        .zip(BEFORE)
        .flat_map(|(n, prompt)| turn(n, prompt))
        .collect();
    let texts = |session: &str| -> Vec<String> {
        let shown = laptop.roam(&["show", session]);
        let said = rows(&shown["messages"]).filter(|message| message["role"] != "steering");
        said.map(|message| message["text"].as_str().expect("text").to_owned())
            .collect()
    };
    let (whole, mut told) = (texts(&session), BTreeSet::new());
    for at in 0..whole.len() {
        let number = at.to_string();
        let forked = laptop.roam(&["fork", &session, "--at", &number]);
        let fork = forked["session"].as_str().expect("an id").to_owned();
        let prompt = format!("Continue from message {at}");
        let mut heard = resumed(&world, tool, laptop, &fork, &prompt);
        assert_eq!(heard.pop(), Some(format!("user: {prompt}")));
        // Claude Code's own answer to a prompt that has none (2.1.330, 2026-11-29).
        heard.retain(|line| line != "assistant: No response requested.");
        assert_eq!(
            heard,
            all[..heard.len()],
            "message {at}: nothing of what came later"
        );
        let kept = forked["messages"].as_u64().expect("a number") as usize;
        let last = heard
            .last()
            .map_or("", |line| line.split_once(": ").expect("a role").1);
        assert!(
            whole[..kept].iter().any(|text| text.contains(last)),
            "message {at}: {heard:?}"
        );
        assert!(at < kept || whole[at].is_empty(), "message {at}: {kept}");
        told.insert(heard.len());
    }
    // The first message in a thread of Codex is not the user's.
    told.remove(&0);
    let wanted = BTreeSet::from([1, 2, 3, 5, 6]);
    assert_eq!(told, wanted, "a call is never cut from its result");
    assert_eq!(
        bytes(tool, &session, laptop),
        Ok(before),
        "the session is as it was"
    );
}

#[test]
fn a_fork_has_the_files_beside_its_session() {
    const FILES: [&str; 3] = [
        "subagents/agent-a1.jsonl",
        "subagents/agent-a1.meta.json",
        "tool-results/b1.txt",
    ];
    let contents = |session: &str| {
        let agent =
            format!("{{\"type\":\"user\",\"sessionId\":\"{session}\",\"isSidechain\":true}}\n");
        [
            agent,
            "{\"agentType\":\"Explore\"}".to_owned(),
            format!("kept for {session}\n"),
        ]
    };
    let beside = |device: &Device, session: &str, file: &str| -> PathBuf {
        projects(device)
            .join(slug(&device.checkout))
            .join(session)
            .join(file)
    };
    alone(|| {
        let world = World::paired_with(&[Client::ClaudeCode]);
        let parted = part(&world, Tool::ClaudeCode, |session| {
            for (file, content) in FILES.iter().zip(contents(session)) {
                write(&beside(&world.desk, session, file), &content);
            }
        });
        let split = parted.meet(&world, Tool::ClaudeCode);
        for device in world.both() {
            for session in [&split.session, &split.fork] {
                for (file, content) in FILES.iter().zip(contents(session)) {
                    let path = beside(device, session, file);
                    wait_for(
                        &format!("{} to hold {content:?}", path.display()),
                        PATIENCE,
                        || {
                            let found =
                                fs::read_to_string(&path).map_err(|error| error.to_string())?;
                            if found == content { Ok(()) } else { Err(found) }
                        },
                    );
                }
            }
        }
        world.desk.roam(&["resolve", &split.session, "keep-left"]);
        split.is_settled(&world);
        for device in world.both() {
            wait_for(
                &format!("nothing of the fork to be on {}", device.name),
                PATIENCE,
                || {
                    let mut of_fork = files_below(&projects(device));
                    of_fork.retain(|file| file.to_string_lossy().contains(&split.fork));
                    if of_fork.is_empty() {
                        Ok(())
                    } else {
                        Err(format!("{of_fork:?}"))
                    }
                },
            );
        }
    });
}

#[test]
fn what_was_begun_from_a_way_of_codex_keeps_that_way() {
    alone(|| {
        let world = World::paired_with(&[Client::Codex]);
        let (World { desk, laptop, .. }, tool) = (&world, Tool::Codex);
        let mut early = String::new();
        let parted = part(&world, tool, |session| {
            early = child_of(desk, session, "Begun before parting")
        });
        // The child has no lines of its parent, only the offset in the parent's file up to which it
        // shares them.
        let late = child_of(laptop, &parted.session, "Begun on the train");
        recorded(laptop, tool, &late);
        let split = parted.meet(&world, tool);

        let early_turns = [&left_turns()[..2], &[(3, "Begun before parting")]].concat();
        let late_turns = [right_turns(), vec![(4, "Begun on the train")]].concat();
        let late = one_that_says(&world, tool, "Begun on the train");
        for (session, mut turns) in [
            (&late, late_turns),
            (&early, early_turns),
            (&split.fork, right_turns()),
        ] {
            for device in [laptop, desk] {
                world.same(tool, session);
                let prompt: &str = format!("Go on with {session} on the {}", device.name).leak();
                assert_eq!(
                    resumed(&world, tool, device, session, prompt),
                    sent_with(&turns, prompt),
                    "on {}",
                    device.name
                );
                turns.push((turns.len() + 1, prompt));
            }
        }
    });
}

#[test]
fn what_was_begun_from_a_way_of_codex_outlives_that_way() {
    alone(|| {
        let world = World::paired_with(&[Client::Codex]);
        let (World { desk, laptop, .. }, tool) = (&world, Tool::Codex);
        let parted = part(&world, tool, |_| ());
        let child = child_of(laptop, &parted.session, "Begun on the train");
        recorded(laptop, tool, &child);
        let split = parted.meet(&world, tool);
        desk.roam(&["resolve", &split.session, "keep-left"]);
        for device in world.both() {
            wait_for(
                &format!("{} to list no split", device.name),
                PATIENCE,
                || {
                    let splits = device.roam(&["splits"]);
                    if rows(&splits).count() == 0 {
                        Ok(())
                    } else {
                        Err(splits.to_string())
                    }
                },
            );
        }
        let child = one_that_says(&world, tool, "Begun on the train");
        let mut turns = [right_turns(), vec![(4, "Begun on the train")]].concat();
        for device in [laptop, desk] {
            world.same(tool, &child);
            let prompt: &str = format!("After the choice, on the {}", device.name).leak();
            assert_eq!(
                resumed(&world, tool, device, &child, prompt),
                sent_with(&turns, prompt),
                "on {}",
                device.name
            );
            turns.push((turns.len() + 1, prompt));
        }
    });
}

#[test]
fn every_version_takes_a_fork_made_by_hand() {
    alone(|| {
        let clients = [
            Client::ClaudeCode,
            Client::ClaudeCode2_1_108,
            Client::ClaudeCode2_0_76,
            Client::Codex,
        ];
        clients
            .into_iter()
            .chain(cfg!(target_arch = "x86_64").then_some(Client::Codex0_120_0))
            .for_each(by_hand);
    });
}

/// Handles a split as session-roam does, but by hand: this separates "the tool no longer accepts
/// such a file" from "session-roam did not make it".
fn by_hand(client: Client) {
    const FORK: &str = "f0f0f0f0-1111-4222-8333-444444444444";
    let world = World::unpaired_with(&[client]);
    let (World { desk, laptop, .. }, tool) = (&world, client.tool());
    let session = tool.begin(desk, BEFORE[0]);
    let at = |device: &Device, session: &str| tool.resume_by_hand(session, &device.checkout);
    tool.go_on(desk, &at(desk, &session), BEFORE[1])
        .expect("it goes on");
    copied_by_hand(tool, &session, desk, laptop);
    let file = tool.file(laptop, &session).expect("it was just copied");
    tool.go_on(laptop, &at(laptop, &session), RIGHT)
        .expect("it goes on");
    let right = fs::read_to_string(&file).expect("transcripts are UTF-8");
    tool.go_on(desk, &at(desk, &session), LEFT)
        .expect("it goes on");
    copied_by_hand(tool, &session, desk, laptop);
    let fork = file.with_file_name(
        file.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .replace(&session, FORK),
    );
    write(&fork, &right.replace(&session, FORK));
    copied_by_hand(tool, FORK, laptop, desk);
    // Each on the device where the tool has the other branch under that id, or has no such session.
    for (session, device, turns) in [
        (session.as_str(), laptop, left_turns()),
        (FORK, desk, right_turns()),
    ] {
        let prompt = format!("Go on with {session} on the {}", device.name);
        tool.go_on(device, &at(device, session), &prompt)
            .unwrap_or_else(|told| panic!("{client:?}: {told}"));
        assert_eq!(
            world.mock.context_of(&prompt),
            sent_with(&turns, &prompt),
            "{client:?} on {}",
            device.name
        );
    }
}

/// Both branches are in both stores byte for byte, and continue with the tool's own resume on
/// either device; each knows its own messages and none of the other's.
fn two_sessions(client: Client) {
    let world = World::paired_with(&[client]);
    let tool = client.tool();
    let split = part(&world, tool, |_| ()).meet(&world, tool);
    for device in world.both() {
        wait_for(
            &format!("{} to list the fork under its name", device.name),
            PATIENCE,
            || {
                let row = device.session(tool.id(), &split.fork)?;
                let named = row["title"]
                    .as_str()
                    .is_some_and(|title| title.ends_with("(from laptop)"));
                if named { Ok(()) } else { Err(row.to_string()) }
            },
        );
    }
    let ways = [
        (&split.session, left_turns(), RIGHT),
        (&split.fork, right_turns(), "said-at-the-desk"),
    ];
    for (session, mut turns, of_the_other) in ways {
        for device in [&world.laptop, &world.desk] {
            let prompt: &str = format!("Go on with {session} on the {}", device.name).leak();
            assert_eq!(
                resumed(&world, tool, device, session, prompt),
                sent_with(&turns, prompt),
                "on {}",
                device.name
            );
            assert!(
                !world.mock.mentioned(prompt, of_the_other),
                "{session} tells of the other way"
            );
            turns.push((turns.len() + 1, prompt));
            world.same(tool, session);
        }
    }
    assert_eq!(
        listed(&world.desk, &split.session),
        split.fork,
        "going on decides nothing"
    );
}

/// Every choice and its undo, seen from both devices; stitched last, and continued in place.
fn every_choice(client: Client) {
    let world = World::paired_with(&[client]);
    let World { desk, laptop, .. } = &world;
    let tool = client.tool();
    let split = part(&world, tool, |_| ()).meet(&world, tool);
    let session = split.session.as_str();

    desk.roam(&["resolve", session, "keep-left"]);
    split.is_settled(&world);
    world.holds(tool, session, &split.left);
    split.knows(&world, &left_turns());
    split.undo(&world, laptop);

    laptop.roam(&["resolve", session, "keep-right"]);
    split.is_settled(&world);
    world.holds(tool, session, &split.right);
    split.knows(&world, &right_turns());
    split.undo(&world, laptop);

    laptop.roam(&["resolve", session, "stitch"]);
    has_both(&world, &split);
    split.knows(&world, &stitched_turns());
    split.undo(&world, desk);

    desk.roam(&["resolve", session, "stitch"]);
    has_both(&world, &split);
    let mut turns = stitched_turns();
    for device in [laptop, desk] {
        let prompt: &str = format!("Both, on the {}", device.name).leak();
        assert_eq!(
            resumed(&world, tool, device, session, prompt),
            sent_with(&turns, prompt),
            "on {}",
            device.name
        );
        turns.push((turns.len() + 1, prompt));
        world.same(tool, session);
    }
}

/// Claude Code's files are trees: one file may hold both branches. The versions differ in the
/// branch that they continue, so this is offered only where all of them continue the wanted one:
/// the one written to last.
fn one_session_with_both_ways(client: Client) {
    let world = World::paired_with(&[client]);
    let World { desk, laptop, .. } = &world;
    let split = part(&world, Tool::ClaudeCode, |_| ()).meet(&world, Tool::ClaudeCode);
    let refused = desk.try_roam(&["resolve", &split.session, "branches", "--active", "left"]);
    assert!(
        refused.is_err_and(|told| told.contains("choice_refused")),
        "the laptop wrote to it last"
    );
    assert_eq!(
        listed(desk, &split.session),
        split.fork,
        "nothing was decided"
    );

    laptop.roam(&["resolve", &split.session, "branches", "--active", "right"]);
    has_both(&world, &split);
    split.knows(&world, &right_turns());
    split.undo(&world, desk);
}

/// The laptop's branch is in the tool's own list, on both devices. The tool lists sessions that
/// were begun in a terminal.
fn in_the_picker(said: &str) {
    let world = World::paired_with(&[Client::ClaudeCode]);
    let (World { desk, laptop, .. }, tool) = (&world, Tool::ClaudeCode);
    let typed = |words: &[&str], device: &Device| {
        let argv = words.iter().map(|word| (*word).to_owned()).collect();
        Terminal::open(
            device,
            &Resume {
                argv,
                ..tool.resume_by_hand("", &device.checkout)
            },
        )
    };
    let mut terminal = typed(&["claude"], desk);
    terminal.wait_for("❯");
    let session = terminal.enter("Hello", "the session to be written", || {
        tool.saying(desk, "reply 1 to: Hello")
            .first()
            .cloned()
            .ok_or_else(|| "nothing is there".to_owned())
    });
    terminal.leave();
    carried_by_roam(tool, &session, desk, laptop);
    laptop.roam(&["pause"]);
    for (device, prompt) in [(desk, LEFT), (laptop, said)] {
        tool.go_on(
            device,
            &tool.resume_by_hand(&session, &device.checkout),
            prompt,
        )
        .expect("it goes on alone");
        recorded(device, tool, &session);
    }
    laptop.roam(&["continue"]);
    let fork = listed(laptop, &session);
    world.same(tool, &fork);
    for device in world.both() {
        let row = device.session(tool.id(), &fork).expect("it is listed");
        assert!(
            row["title"]
                .as_str()
                .is_some_and(|title| title.ends_with("(from laptop)")),
            "{row}"
        );
        typed(&["claude", "--resume"], device).wait_for("laptop)");
    }
}

/// An open session keeps its file: the devices meet while the laptop's user types. Later messages
/// go to the fork; once the session is closed, the laptop has the desk's branch under the session's
/// own id.
fn open_while_they_meet(client: Client) {
    let world = World::paired_with(&[client]);
    let (
        World {
            desk, laptop, mock, ..
        },
        tool,
    ) = (&world, client.tool());
    let session = begin(&world, tool, |_| ());
    laptop.roam(&["pause"]);
    tool.go_on(desk, &tool.resume_by_hand(&session, &desk.checkout), LEFT)
        .expect("it goes on alone");
    recorded(desk, tool, &session);
    let left = bytes(tool, &session, desk).expect("it is in the store");

    let mut terminal = Terminal::open(laptop, &tool.resume_by_hand(&session, &laptop.checkout));
    terminal.wait_for("seen-before-parting");
    terminal.enter(RIGHT, "the tool to send what was typed", || {
        mock.heard(RIGHT)
    });
    answered(&world, tool, &session, RIGHT);
    laptop.roam(&["continue"]);
    for device in world.both() {
        listed(device, &session);
    }
    let fork = listed(laptop, &session);
    wait_for("the laptop to wait for the tool", PATIENCE, || {
        let status = laptop.roam(&["status"]);
        let waits = rows(&status["waiting"])
            .any(|row| row["session"] == session.as_str() && row["code"] == "live");
        if waits {
            Ok(())
        } else {
            Err(status.to_string())
        }
    });
    terminal.enter(
        "Said when both had met",
        "the tool to send what was typed",
        || mock.heard("Said when both had met"),
    );
    answered(&world, tool, &session, "Said when both had met");
    let turns = right_turns();
    assert_eq!(
        mock.context_of("Said when both had met"),
        sent_with(&turns, "Said when both had met")
    );
    let open = String::from_utf8(bytes(tool, &session, laptop).expect("it is open"))
        .expect("transcripts are UTF-8");
    assert!(
        open.contains(RIGHT) && !open.contains("said-at-the-desk"),
        "the open file is the user's own"
    );
    terminal.leave();

    world.holds(tool, &session, &left);
    let turns = [right_turns(), vec![(4, "Said when both had met")]].concat();
    wait_for("the fork to have what was typed last", PATIENCE, || {
        let forked =
            String::from_utf8(bytes(tool, &fork, desk)?).map_err(|error| error.to_string())?;
        if forked.contains("reply 4 to: Said when both had met") {
            Ok(())
        } else {
            Err(forked)
        }
    });
    world.same(tool, &fork);
    assert_eq!(
        resumed(&world, tool, desk, &fork, "On the desk again"),
        sent_with(&turns, "On the desk again")
    );
    assert_eq!(
        resumed(&world, tool, laptop, &session, "On the train again"),
        sent_with(&left_turns(), "On the train again")
    );
}

/// The session that has these words, once both devices have that one and no other.
fn one_that_says(world: &World, tool: Tool, words: &str) -> String {
    wait_for(
        &format!("both devices to have one session that says {words:?}"),
        PATIENCE,
        || match world.both().map(|device| tool.saying(device, words)) {
            [desk, laptop] if desk == laptop && desk.len() == 1 => Ok(desk[0].clone()),
            found => Err(format!("{found:?}")),
        },
    )
}

/// Waits until the answer to a prompt is in the open session's file.
fn answered(world: &World, tool: Tool, session: &str, prompt: &str) {
    wait_for(
        &format!("the answer to {prompt:?} to be written"),
        PATIENCE,
        || {
            let written =
                String::from_utf8_lossy(&bytes(tool, session, &world.laptop)?).into_owned();
            if written.contains(&format!(" to: {prompt}")) {
                Ok(())
            } else {
                Err(format!("{} bytes", written.len()))
            }
        },
    );
}

/// Waits until both devices have one session that contains what was said on either.
fn has_both(world: &World, split: &Split) {
    split.is_settled(world);
    wait_for(
        "both ways to be in one session on both devices",
        PATIENCE,
        || {
            let [desk, laptop] = world
                .both()
                .map(|device| bytes(split.tool, &split.session, device));
            let (desk, laptop) = (desk?, laptop?);
            let text = String::from_utf8_lossy(&desk);
            let whole = desk == laptop && text.contains("said-at-the-desk") && text.contains(RIGHT);
            if whole {
                Ok(())
            } else {
                Err(format!("{} bytes and {}", desk.len(), laptop.len()))
            }
        },
    );
}
