//! Titles that the user gives to sessions: they sync, and no tool's store is touched.

use super::splits::Parted;
use super::talk::{ONE, THREE, TWO, item, meta, turn};
use super::world::{Device, World};
use serde_json::Value;
use session_roam_core::api::{ApiError, Done, HistoryRow, Request, Shown};
use session_roam_core::engine::event::Event;
use session_roam_core::session::{HistoryKind, ProblemCode};
use session_roam_core::state::{Row, State, pack};
use session_roam_core::vault::READS;

fn rename(world: &mut World, device: usize, title: &str) -> Done {
    world.devices[device].ask(Request::RenameSession {
        session: ONE.into(),
        title: title.into(),
    })
}

fn titles(world: &mut World) -> Vec<String> {
    let title = |device: &mut Device| device.row(ONE).expect("known").title;
    world.devices.iter_mut().map(title).collect()
}

/// Codex keeps the names of threads in an index of the device; elsewhere there is only the prompt.
#[test]
fn the_name_of_a_thread_is_its_title_and_stays_when_another_device_continues_it() {
    let (mut world, here, _) = World::pair_of_devices();
    let rollout = world.devices[0].rollout(ONE);
    world.devices[0].say(&rollout, [meta(&here, ONE), item("Look at it")].concat());
    world.deliver();
    assert_eq!(titles(&mut world), ["Look at it"; 2]);
    let index = world.devices[0].home.join(".codex/session_index.jsonl");
    for (id, name) in [(ONE, "Parser"), (TWO, "Other"), (ONE, "The parser's bug")] {
        let row = serde_json::json!({ "id": id, "thread_name": name, "updated_at": "T" });
        world.devices[0].append(&index, format!("{row}\n").as_bytes());
    }
    world.devices[0].say(&rollout, item("more"));
    world.deliver();
    assert_eq!(titles(&mut world), ["The parser's bug"; 2]);
    let there = world.devices[1].place_of(ONE).expect("there");
    world.devices[1].say(&there, item("there"));
    world.deliver();
    assert_eq!(titles(&mut world), ["The parser's bug"; 2]);
}

#[test]
fn a_title_of_the_users_is_shown_on_every_device_and_in_no_tools_store() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.deliver();
    let own = titles(&mut world);
    let stores = |world: &World| [0, 1].map(|at| world.devices[at].stores());
    let before = stores(&world);
    // On the device that has written nothing of the session.
    let done = rename(&mut world, 1, "  The\u{202e} login\n race ");
    assert_eq!(done.message, "Renamed to “The\u{fffd} login race”.");
    world.deliver();
    assert_eq!(titles(&mut world), ["The\u{fffd} login race"; 2]);
    assert_eq!(stores(&world), before, "no store was written");
    let shown: Shown = world.devices[0].ask(Request::show(ONE));
    assert_eq!(shown.own_title, Some(own[0].clone()));
    let happened: Vec<HistoryRow> = world.devices[0].ask(Request::History {
        session: Some(ONE.into()),
    });
    assert!(happened.iter().any(|row| row.what == HistoryKind::Renamed));
    // The tool goes on writing, and a restart reads everything anew.
    world.devices[0].say(&path, turn(&here, ONE, "more"));
    world.deliver();
    world.devices[0].stop();
    world.devices[0].start();
    assert_eq!(titles(&mut world), ["The\u{fffd} login race"; 2]);
    rename(&mut world, 0, " ");
    world.deliver();
    assert_eq!(titles(&mut world), own);
    let shown: Shown = world.devices[1].ask(Request::show(ONE));
    assert_eq!(shown.own_title, None);
    let unknown: Result<_, ApiError> = world.devices[0].try_ask(Request::RenameSession {
        session: TWO.into(),
        title: "x".into(),
    });
    assert_eq!(
        unknown.expect_err("unknown").code.to_string(),
        "unknown_session"
    );
}

#[test]
fn titles_given_at_once_become_one_whatever_the_clocks_say() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.deliver();
    // Days ahead.
    let now = world.devices[1].clock_now();
    world.devices[1].set_clock(now + 300_000_000);
    rename(&mut world, 1, "ahead");
    world.deliver();
    rename(&mut world, 0, "seen and replaced");
    world.deliver();
    assert_eq!(titles(&mut world), ["seen and replaced"; 2]);
    world.part(0, 1);
    rename(&mut world, 0, "of desk");
    rename(&mut world, 1, "of lap");
    world.meet(0, 1);
    world.deliver();
    let titles = titles(&mut world);
    assert_eq!(titles[0], titles[1]);
    assert!(titles[0].starts_with("of "), "{titles:?}");
}

#[test]
fn a_split_session_is_renamed_and_its_versions_keep_their_own_titles() {
    let mut parted = Parted::claude().met();
    let fork = parted.fork();
    let title = |parted: &mut Parted, at: usize| {
        let row = parted.world.devices[at].row(&fork);
        row.expect("known").title
    };
    let before = title(&mut parted, 0);
    rename(&mut parted.world, 0, "Renamed");
    parted.world.deliver();
    for at in [0, 1] {
        let split = parted.split(at);
        assert_eq!(split.title, "Renamed");
        assert_eq!(title(&mut parted, at), before);
    }
}

/// The state as a version without titles left it.
fn leave_as_a_version_without_titles(device: &mut Device) {
    device.stop();
    let (state, _) = State::open(&device.roam).expect("the state");
    for (key, row) in state.rows(None).expect("rows") {
        let mut record: Value = state.record(&key).expect("read").expect("a record");
        record.as_object_mut().expect("an object").remove("titles");
        for journal in record["journals"]
            .as_object_mut()
            .expect("journals")
            .values_mut()
        {
            journal["reads"] = 1.into();
        }
        let row = Row {
            title: "hello".into(),
            ..row
        };
        state.put(&key, &row, &pack(&record)).expect("written");
    }
    state.put_note("entry kinds", &1).expect("written");
}

#[test]
fn a_title_that_an_older_version_skipped_appears_with_the_update() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.deliver();
    rename(&mut world, 0, "The login race");
    world.deliver();
    leave_as_a_version_without_titles(&mut world.devices[1]);
    world.devices[1].start();
    world.devices[1].settle();
    assert_eq!(titles(&mut world), ["The login race"; 2]);
}

/// An engine that ended before all sessions were read again began with the others at no later start.
#[test]
fn journals_of_an_older_version_are_noted_as_read_when_all_of_them_are() {
    let (mut world, here, _) = World::pair_of_devices();
    for session in [ONE, TWO] {
        let path = world.devices[0].transcript(&here, session);
        world.devices[0].say(&path, turn(&here, session, "hello"));
    }
    world.deliver();
    rename(&mut world, 0, "The login race");
    world.deliver();
    let lap = &mut world.devices[1];
    leave_as_a_version_without_titles(lap);
    let noted = |device: &Device| {
        let (state, _) = State::open(&device.roam).expect("the state");
        state.note::<u32>("entry kinds").expect("read")
    };
    for polls in [false, true] {
        lap.begin();
        if polls {
            lap.tell(Event::Poll);
        }
        lap.stop();
        assert_eq!(noted(lap), Some(1));
    }
    lap.start();
    lap.poll();
    assert_eq!(noted(lap), Some(READS));
    assert_eq!(titles(&mut world), ["The login race"; 2]);
}

/// People remember what a session was about, and no IDs.
#[test]
fn a_session_is_found_by_a_part_of_its_title_that_no_other_has() {
    let (mut world, here, _) = World::pair_of_devices();
    let titles = ["Fix the login race", "Fix the login page", "100 % of_it"];
    for (session, title) in [ONE, TWO, THREE].into_iter().zip(titles) {
        let path = world.devices[0].transcript(&here, session);
        world.devices[0].say(&path, turn(&here, session, title));
    }
    world.deliver();
    let mut ask = |text: &str| {
        let shown = world.devices[1].try_ask(Request::show(text));
        shown.map(|shown| shown["session"].as_str().map(str::to_owned))
    };
    for (text, session) in [
        ("race", ONE),
        (" the LOGIN page ", TWO),
        ("0 % of_", THREE),
        (&TWO[..5], TWO),
    ] {
        assert_eq!(ask(text).expect(text).as_deref(), Some(session), "{text}");
    }
    for text in ["zebra", "", " ", "%", "_", "i_t"] {
        let refused = ask(text).map_err(|error| error.code);
        let is_one = matches!(text, "%" | "_");
        assert_eq!(refused.is_ok(), is_one, "{text}: {refused:?}");
    }
    let several = ask("login").expect_err("two have it");
    assert_eq!(several.code, ProblemCode::AmbiguousSession);
    for part in [
        "11111111 “Fix the login race”",
        "22222222 “Fix the login page”",
    ] {
        assert!(several.message.contains(part), "{}", several.message);
    }
    let done = rename(&mut world, 0, "login");
    assert_eq!(done.message, "Renamed to “login”.");
    world.deliver();
    let shown: Shown = world.devices[1].ask(Request::show("Login"));
    assert_eq!(shown.row.session, ONE, "a whole title comes first");
}
