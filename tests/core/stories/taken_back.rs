//! Field 09: a tool takes back its own last records. Where they are their author's alone, the other
//! devices follow; where another device has a part in them, or many sessions change at once,
//! nothing is written without the user's consent.

use super::journals::{own_journals, recorded_lines};
use super::talk::{ONE, assert_carried, assert_quiet, id, turn};
use super::world::{DAY, Device, START, World};
use session_roam_core::adapter::Moved;
use session_roam_core::api::{Diff, DiffRow, Done, Msg, Request};
use session_roam_core::session::{DocName, Remedy};
use session_roam_core::tools::{
    self, About, Bytes, Change, Checkout, DocWrite, Found, Launch, Listing, Machine, Reading,
    Resumable, Root, Tool, Touched, Which, WriteError, Written,
};
use session_roam_core::vault::Entry;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Waits some seconds.
fn wait(world: &mut World, device: usize) {
    let now = world.devices[device].clock_now();
    world.devices[device].set_clock(now + 10_000);
    world.devices[device].poll();
    world.deliver();
}

/// Desk and lap, both with a session of two turns of the desk.
fn two_turns() -> (World, PathBuf, PathBuf) {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one") + &turn(&here, ONE, "two"));
    world.deliver();
    (world, here, there)
}

fn held(device: &mut Device) -> Vec<String> {
    device
        .status()
        .held
        .into_iter()
        .map(|held| held.code.to_string())
        .collect()
}

fn text_of(device: &Device) -> String {
    fs::read_to_string(device.place_of(ONE).expect("placed")).expect("doc")
}

#[test]
fn a_tail_that_its_author_alone_took_back_is_followed_and_undo_brings_it_back() {
    let (mut world, here, _) = two_turns();
    let path = world.devices[0].transcript(&here, ONE);
    let full = text_of(&world.devices[1]);
    world.devices[0].put(&path, turn(&here, ONE, "one"));
    world.deliver();
    assert_eq!(
        (
            world.devices[1].waits_for(ONE).as_deref(),
            text_of(&world.devices[1])
        ),
        (Some("taken_back"), full.clone())
    );
    wait(&mut world, 1);
    assert_eq!(held(&mut world.devices[1]), [""; 0]);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert!(
        recorded_lines(&world.devices[1], ONE).contains_key(turn(&here, ONE, "two").as_bytes()),
        "the vault has it"
    );
    assert_quiet(&mut world, ONE);
    // The session continues from there like any other.
    world.devices[0].say(&path, turn(&here, ONE, "three"));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

#[test]
fn what_was_taken_back_and_followed_comes_back_with_undo() {
    for new in ["", "another"] {
        let (mut world, here, _) = two_turns();
        let path = world.devices[0].transcript(&here, ONE);
        let full = text_of(&world.devices[1]);
        let tail = if new.is_empty() {
            String::new()
        } else {
            turn(&here, ONE, new)
        };
        world.devices[0].put(&path, turn(&here, ONE, "one") + &tail);
        world.deliver();
        wait(&mut world, 1);
        assert_ne!(text_of(&world.devices[1]), full, "followed");
        let _: Done = world.devices[1].ask(Request::Undo {
            session: Some(ONE.into()),
        });
        world.deliver();
        assert_eq!(text_of(&world.devices[1]), full, "{new:?}");
        if new.is_empty() {
            assert_carried(&world.devices[1], &world.devices[0], ONE);
            assert_quiet(&mut world, ONE);
        } else {
            // The desk wrote this text: there the user is asked.
            assert!(text_of(&world.devices[0]).contains("another"));
        }
    }
}

/// The desk's clock is a year ahead: its withdrawal has a later stamp than the lap's undo would have
/// by the lap's clock.
#[test]
fn undo_brings_back_what_a_clock_that_is_ahead_withdrew() {
    let (mut world, here, _) = two_turns();
    let path = world.devices[0].transcript(&here, ONE);
    let full = text_of(&world.devices[1]);
    world.devices[0].set_clock(START + 366 * DAY);
    for _ in 0..2 {
        world.devices[0].put(&path, turn(&here, ONE, "one"));
        world.deliver();
        wait(&mut world, 1);
        assert_ne!(text_of(&world.devices[1]), full, "followed");
        let _: Done = world.devices[1].ask(Request::Undo {
            session: Some(ONE.into()),
        });
        world.deliver();
        assert_eq!(text_of(&world.devices[1]), full);
        assert_carried(&world.devices[1], &world.devices[0], ONE);
    }
    // What the lap itself withdraws of it later counts as well.
    let of_lap = world.devices[1].place_of(ONE).expect("placed");
    let shorter = full[..full.len() / 2].to_owned();
    world.devices[1].put(&of_lap, &shorter);
    world.deliver();
    world.devices[1].poll();
    assert_eq!(text_of(&world.devices[1]), shorter);
}

/// The user released a rewrite while the session was open; then its author took the rewrite back.
#[test]
fn a_release_that_was_not_needed_lets_no_later_rewrite_pass() {
    let (mut world, here, there) = two_turns();
    let at_lap = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&at_lap, turn(&there, ONE, "of the lap"));
    world.deliver();
    let path = world.devices[0].transcript(&here, ONE);
    let (on_desk, on_lap) = (text_of(&world.devices[0]), text_of(&world.devices[1]));
    world.devices[0].put(&path, turn(&here, ONE, "one"));
    world.deliver();
    wait(&mut world, 1);
    assert_eq!(held(&mut world.devices[1]), ["rewritten"]);
    let (lap, pid) = (&mut world.devices[1], std::process::id());
    let sign = lap.claude().join(format!("sessions/{pid}.json"));
    lap.put(&sign, format!("{{\"pid\":{pid},\"sessionId\":\"{ONE}\"}}"));
    let _: Done = lap.ask(Request::Release {
        what: format!("session:{ONE}"),
    });
    lap.settle();
    assert_eq!(text_of(lap), on_lap, "it is open");
    world.devices[0].put(&path, on_desk);
    world.deliver();
    assert_eq!(held(&mut world.devices[1]), [""; 0]);
    fs::remove_file(&sign).expect("closed");
    world.devices[1].touch(&sign);
    world.devices[0].put(&path, turn(&here, ONE, "one"));
    world.deliver();
    wait(&mut world, 1);
    assert_eq!(held(&mut world.devices[1]), ["rewritten"]);
    assert_eq!(text_of(&world.devices[1]), on_lap);
}

#[test]
fn a_tail_that_its_author_replaces_by_another_one_is_followed() {
    let (mut world, here, _) = two_turns();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].put(
        &path,
        turn(&here, ONE, "one") + &turn(&here, ONE, "another") + &turn(&here, ONE, "and more"),
    );
    world.deliver();
    wait(&mut world, 1);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
    assert_eq!(world.devices[1].status().splits, 0);
}

#[test]
fn an_author_takes_back_again_and_again() {
    let (mut world, here, _) = two_turns();
    let path = world.devices[0].transcript(&here, ONE);
    for text in ["second", "third", "fourth"] {
        world.devices[0].put(&path, turn(&here, ONE, "one") + &turn(&here, ONE, text));
        world.deliver();
        wait(&mut world, 1);
        assert_carried(&world.devices[0], &world.devices[1], ONE);
    }
    // Twice before the other device receives it.
    world.part(0, 1);
    world.devices[0].put(&path, turn(&here, ONE, "one") + &turn(&here, ONE, "fifth"));
    world.devices[0].put(&path, turn(&here, ONE, "one"));
    world.meet(0, 1);
    wait(&mut world, 1);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_quiet(&mut world, ONE);
}

#[test]
fn what_another_device_continued_is_not_taken_back() {
    let (mut world, here, there) = two_turns();
    let path = world.devices[0].transcript(&here, ONE);
    world.part(0, 1);
    world.devices[0].put(&path, turn(&here, ONE, "one"));
    let at_lap = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&at_lap, turn(&there, ONE, "three"));
    world.meet(0, 1);
    for device in [0, 1] {
        wait(&mut world, device);
    }
    for device in &world.devices {
        assert!(
            text_of(device).contains("two") && text_of(device).contains("three"),
            "{}",
            device.name
        );
    }
    assert_quiet(&mut world, ONE);
}

/// The author changed its tail, and another device continued the old tail: both are kept, and the
/// user is asked.
#[test]
fn what_another_device_continued_stands_beside_another_tail() {
    let (mut world, here, there) = two_turns();
    let path = world.devices[0].transcript(&here, ONE);
    world.part(0, 1);
    world.devices[0].put(
        &path,
        turn(&here, ONE, "one") + &turn(&here, ONE, "another"),
    );
    let at_lap = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&at_lap, turn(&there, ONE, "three"));
    world.meet(0, 1);
    for device in [0, 1] {
        wait(&mut world, device);
    }
    assert!(
        text_of(&world.devices[0]).contains("another")
            && text_of(&world.devices[1]).contains("three")
    );
    assert_eq!(world.devices[1].state_of(ONE), "split");
}

/// A session that begins anew has no common tail.
#[test]
fn a_session_that_its_author_writes_anew_from_the_start_is_held() {
    let (mut world, here, _) = two_turns();
    let path = world.devices[0].transcript(&here, ONE);
    let full = text_of(&world.devices[1]);
    world.devices[0].put(&path, turn(&here, ONE, "another beginning"));
    world.deliver();
    wait(&mut world, 1);
    assert_eq!(
        (held(&mut world.devices[1]), text_of(&world.devices[1])),
        (vec!["rewritten".into()], full)
    );
}

#[test]
fn words_of_another_device_are_not_taken_back_without_a_yes() {
    let (mut world, here, there) = two_turns();
    let at_lap = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&at_lap, turn(&there, ONE, "of the lap"));
    world.deliver();
    let full = text_of(&world.devices[1]);
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].put(&path, turn(&here, ONE, "one"));
    world.deliver();
    wait(&mut world, 1);
    assert_eq!(
        (held(&mut world.devices[1]), text_of(&world.devices[1])),
        (vec!["rewritten".into()], full)
    );
}

#[test]
fn a_held_rewrite_is_compared_with_what_is_here_before_it_is_released() {
    let (mut world, here, there) = two_turns();
    let at_lap = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&at_lap, turn(&there, ONE, "of the lap"));
    world.deliver();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].put(
        &path,
        turn(&here, ONE, "one") + &turn(&here, ONE, "another two"),
    );
    world.deliver();
    wait(&mut world, 1);
    let lap = &mut world.devices[1];
    let before = lap.stores();
    assert_eq!(held(lap), ["rewritten"]);
    let compares =
        |remedy: &Remedy| matches!(remedy, Remedy::Compare { session } if session == ONE);
    assert!(lap.status().held[0].actions.iter().any(compares));
    let request = |choices| Request::Diff {
        session: ONE.into(),
        branch: None,
        beside: None,
        from: 0,
        rows: 10,
        choices,
        bodies: false,
    };
    let diff: Diff = lap.ask(request(true));
    let devices = (diff.left.device.as_str(), diff.right.device.as_str());
    assert_eq!((diff.rewrite, devices), (true, ("lap", "desk")));
    assert_eq!(diff.prefix.messages, 1, "the first turn is the same");
    assert_eq!(diff.choices, [], "it is released, or left as it is");
    let said = |row: &DiffRow| {
        let text = |message: &Option<Msg>| message.as_ref().map(|one| one.preview.clone());
        (text(&row.left), text(&row.right))
    };
    let all: Vec<_> = diff.rows.iter().map(said).collect();
    let (left, right): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    let flat = |side: Vec<Option<String>>| side.into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(flat(left), ["two", "of the lap"]);
    assert_eq!(flat(right), ["another two"]);
    assert_eq!(lap.stores(), before, "nothing was written");
    let _: Done = lap.ask(Request::Release {
        what: format!("session:{ONE}"),
    });
    lap.settle();
    assert!(text_of(lap).contains("another two"));
    let over = lap.try_ask(request(false)).expect_err("released");
    assert_eq!(over.code.to_string(), "no_split");
}

#[test]
fn words_of_a_third_device_are_not_taken_back_without_a_yes() {
    let mut world = World::devices(["desk", "lap", "tab"]);
    for (one, other) in [(0, 1), (1, 2), (0, 2)] {
        world.pair(one, other);
    }
    let places: Vec<PathBuf> = world
        .devices
        .iter()
        .map(|device| device.project("api", "git@github.com:acme/api.git"))
        .collect();
    let path = world.devices[0].transcript(&places[0], ONE);
    world.devices[0].say(&path, turn(&places[0], ONE, "one"));
    world.deliver();
    let at_tab = world.devices[2].place_of(ONE).expect("placed");
    world.devices[2].say(&at_tab, turn(&places[2], ONE, "of the tab"));
    world.deliver();
    world.devices[0].put(&path, turn(&places[0], ONE, "one"));
    world.deliver();
    for device in [1, 2] {
        wait(&mut world, device);
        assert_eq!(held(&mut world.devices[device]), ["rewritten"]);
        assert!(text_of(&world.devices[device]).contains("of the tab"));
    }
}

/// Two machines had the former key: records signed with it may be the other machine's.
#[test]
fn what_an_author_wrote_under_a_former_identity_is_not_taken_back_without_a_yes() {
    let (mut world, here, _) = two_turns();
    let full = text_of(&world.devices[1]);
    world.part(0, 1);
    world.renew(0, 70);
    world.meet(0, 1);
    world.pair(0, 1);
    world.devices[0].poll();
    world.deliver();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].put(&path, turn(&here, ONE, "one"));
    world.deliver();
    wait(&mut world, 1);
    assert_eq!(text_of(&world.devices[1]), full);
    assert!(
        held(&mut world.devices[1]).contains(&"rewritten".to_owned()),
        "{:?}",
        world.devices[1].status().held
    );
}

#[test]
fn tails_of_many_sessions_at_once_are_held_and_none_is_followed() {
    let (mut world, here, _) = World::pair_of_devices();
    let paths: Vec<_> = (0..8)
        .map(|number| world.devices[0].transcript(&here, &id(number)))
        .collect();
    for (number, path) in paths.iter().enumerate() {
        world.devices[0].say(
            path,
            turn(&here, &id(number), "one") + &turn(&here, &id(number), "two"),
        );
    }
    world.deliver();
    let full = world.devices[1].stores();
    for (number, path) in paths.iter().enumerate() {
        world.devices[0].put(path, turn(&here, &id(number), "one"));
    }
    world.deliver();
    for _ in 0..20 {
        wait(&mut world, 1);
    }
    assert!(world.devices[1].stores() == full);
    assert_eq!(
        held(&mut world.devices[1])
            .iter()
            .filter(|code| *code == "rewritten")
            .count(),
        8
    );
    // The user agrees.
    let _: Done = world.devices[1].ask(Request::Release {
        what: "rewritten".into(),
    });
    wait(&mut world, 1);
    (0..8).for_each(|number| assert_carried(&world.devices[0], &world.devices[1], &id(number)));
}

// ---- a tool that writes while we do ----

/// A tool that appends a line to its file just before the lines of this device's next append.
struct Busy {
    tool: Arc<dyn Tool>,
    line: Arc<Mutex<Option<String>>>,
}

struct Between<'a> {
    bytes: &'a dyn Bytes,
    path: &'a Path,
    line: &'a Mutex<Option<String>>,
}

impl Bytes for Between<'_> {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(line) = self.line.lock().expect("one thread").take() {
            let mut file = fs::File::options().append(true).open(self.path)?;
            file.write_all(line.as_bytes())?;
        }
        self.bytes.write_to(out)
    }
}

impl Tool for Busy {
    fn about(&self) -> About {
        self.tool.about()
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        self.tool.roots(machine)
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        self.tool.touched(machine, path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        self.tool.sessions(machine, which)
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        self.tool.read(machine, found)
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let sources: Vec<Option<Between<'_>>> = checkout
            .docs
            .iter()
            .map(|doc| match &doc.change {
                Change::Append { path, bytes, .. } => Some(Between {
                    bytes: *bytes,
                    path,
                    line: &self.line,
                }),
                _ => None,
            })
            .collect();
        let docs = checkout.docs.iter().zip(&sources).map(|(doc, source)| {
            let change = match (&doc.change, source) {
                (
                    Change::Append {
                        path, was, from, ..
                    },
                    Some(bytes),
                ) => Change::Append {
                    path,
                    was: *was,
                    from: *from,
                    bytes,
                },
                (other, _) => other.of(None),
            };
            DocWrite { change, ..*doc }
        });
        let docs = docs.collect();
        self.tool.write(machine, &Checkout { docs, ..*checkout })
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        self.tool.resume(machine, session)
    }

    fn is_main(&self, doc: &DocName) -> bool {
        self.tool.is_main(doc)
    }

    fn moved(&self) -> Option<Moved> {
        self.tool.moved()
    }
}

/// What the tool wrote during an append was recorded as this device's rewrite of the appended lines,
/// and their author held its session.
#[test]
fn a_line_that_the_tool_writes_during_an_append_rewrites_nothing() {
    let (mut world, here, there) = World::pair_of_devices();
    let line: Arc<Mutex<Option<String>>> = Arc::default();
    let is_it = |tool: &Arc<dyn Tool>| tool.about().tool.as_str() == "claude-code";
    let tool = tools::all(&[]).into_iter().find(is_it).expect("a tool");
    world.devices[1].more_tools = vec![Arc::new(Busy {
        tool,
        line: line.clone(),
    })];
    world.devices[1].start();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "one"));
    world.deliver();
    *line.lock().expect("one thread") = Some(turn(&there, ONE, "of the lap"));
    world.devices[0].say(&path, turn(&here, ONE, "two"));
    world.deliver();
    world.devices[1].poll();
    world.deliver();
    assert!(line.lock().expect("one thread").is_none());
    let entries = own_journals(&world.devices[1]);
    let mut entries = entries
        .iter()
        .flat_map(|journal| &journal.frames)
        .flat_map(|frame| &frame.entries);
    let replaces = |entry: &Entry| {
        matches!(
            entry,
            Entry::Lines {
                replaces: Some(_),
                ..
            }
        )
    };
    assert!(!entries.any(replaces));
    for device in &mut world.devices {
        assert_eq!(device.status().held, [], "{}", device.name);
        let lines = recorded_lines(device, ONE);
        let wanted = turn(&there, ONE, "of the lap");
        assert!(lines.contains_key(wanted.as_bytes()), "{}", device.name);
        let mut stores = device.stores().into_values();
        let is_in = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).contains("of the lap");
        assert!(
            stores.any(is_in),
            "{}: as a version of its own",
            device.name
        );
    }
}
