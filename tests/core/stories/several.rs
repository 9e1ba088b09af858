//! Tools with several stores, and links in stores: every store in use is synced, whatever
//! environment the engine was started in, and none of its sessions counts as deleted because the
//! engine was started in another way.

use super::forget::pass_grace;
use super::talk::{ONE, THREE, TWO, item, meta, turn};
use super::world::{Device, World};
use session_roam_core::api::{
    Doctor, Done, ForgottenRow, Forked, Request, Resume, SessionRow, StoreRow, ToolRow,
};
use session_roam_core::tools::{Running, claude_code};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const VAR: &str = "CLAUDE_CONFIG_DIR";

fn in_store(device: &Device, store: &str, cwd: &Path, session: &str) -> PathBuf {
    let slug = claude_code::slug(&cwd.to_string_lossy());
    device
        .home
        .join(store)
        .join("projects")
        .join(slug)
        .join(format!("{session}.jsonl"))
}

fn stores(device: &mut Device, tool: &str) -> Vec<StoreRow> {
    let rows: Vec<ToolRow> = device.ask(Request::Tools);
    rows.into_iter()
        .find(|row| row.tool == tool)
        .expect("known")
        .stores
}

fn dirs(device: &mut Device, tool: &str) -> Vec<String> {
    let names = |store: StoreRow| {
        store
            .dir
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    stores(device, tool).into_iter().map(names).collect()
}

fn resume(device: &mut Device, session: &str) -> Resume {
    device.ask(Request::Resume {
        session: session.into(),
    })
}

/// Two stores on the desk, one session in each; the engine was started in the work shell.
fn two_stores() -> (World, PathBuf, PathBuf) {
    let (mut world, here, there) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    for (store, session) in [(".claude", ONE), (".claude-work", TWO)] {
        let path = in_store(desk, store, &here, session);
        desk.append(&path, turn(&here, session, "one").as_bytes());
    }
    let work = desk
        .home
        .join(".claude-work")
        .to_string_lossy()
        .into_owned();
    desk.vars.insert(VAR.into(), work);
    desk.start();
    world.deliver();
    (world, here, there)
}

/// Field 16: the desktop's engine does not know the variable; each store is found, named and
/// synced.
#[test]
fn every_store_is_carried_whatever_shell_started_the_engine() {
    let (mut world, here, _) = two_stores();
    for vars in [BTreeMap::new(), world.devices[0].vars.clone()] {
        world.devices[0].vars = vars;
        world.devices[0].start();
        world.devices[0].poll();
        for (session, store) in [(ONE, ".claude"), (TWO, ".claude-work")] {
            assert_eq!(world.devices[0].state_of(session), "here", "{store}");
            let path = in_store(&world.devices[0], store, &here, session);
            world.devices[0].say(&path, turn(&here, session, "more"));
        }
        world.deliver();
        let mut known = dirs(&mut world.devices[0], "claude-code");
        known.sort();
        assert_eq!(known, [".claude", ".claude-work"]);
        assert_eq!(world.devices[0].status().held, [], "nothing vanished");
    }
    for session in [ONE, TWO] {
        let there = world.devices[1].place_of(session).expect("placed");
        assert_eq!(
            fs::read_to_string(there)
                .expect("text")
                .matches("more")
                .count(),
            2,
            "{session}"
        );
    }
}

/// Field 16: the session's own store is used, and the variable is set to it, or is unset.
#[test]
fn resume_sets_the_variable_of_the_sessions_own_store() {
    let (mut world, _, _) = two_stores();
    let work = world.devices[0]
        .home
        .join(".claude-work")
        .to_string_lossy()
        .into_owned();
    for vars in [BTreeMap::new(), world.devices[0].vars.clone()] {
        world.devices[0].vars = vars;
        world.devices[0].start();
        let (private, other) = (
            resume(&mut world.devices[0], ONE),
            resume(&mut world.devices[0], TWO),
        );
        assert_eq!(
            (private.env.get(VAR), other.env.get(VAR)),
            (None, Some(&work))
        );
        assert!(
            private.unset.contains(&VAR.to_owned()),
            "the shell may say the other one: {:?}",
            private.unset
        );
        assert!(!other.unset.contains(&VAR.to_owned()));
    }
}

/// Field 16, siblings: a running program, a shell's file, the shell that asks, and the name beside
/// the usual directory each make a store known; a copy of another home's program does not.
#[test]
fn a_store_is_found_wherever_it_is_said() {
    let (mut world, here, _) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    let home = desk.home.clone();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let made: Vec<(&str, &str)> = vec![
        ("by/running", "1"),
        ("by/profile", "2"),
        ("by/shell", "3"),
        (".claude-name", "4"),
        ("by/nobody", "5"),
    ];
    for (store, number) in &made {
        let session = format!("00000000-0000-4000-8000-00000000000{number}");
        let path = in_store(desk, store, &here, &session);
        desk.append(&path, turn(&here, &session, "one").as_bytes());
    }
    fs::write(
        home.join(".zshrc"),
        "alias cw='CLAUDE_CONFIG_DIR=~/by/profile claude'\n",
    )
    .expect("profile");
    let runs = |home: &Path, dir: &Path| Running {
        pid: 4711,
        vars: [("HOME".to_owned(), text(home)), (VAR.to_owned(), text(dir))].into(),
        ..Running::default()
    };
    *desk.apps.lock().expect("one thread") = vec![
        runs(&home, &home.join("by/running")),
        runs(Path::new("/home/else"), &home.join("by/nobody")),
    ];
    desk.poll();
    let vars = [(VAR.to_owned(), text(&home.join("by/shell")))].into();
    let _: Done = desk.ask(Request::StoresSaid { vars });
    let known = dirs(desk, "claude-code");
    for name in ["running", "profile", "shell", ".claude-name"] {
        assert!(
            known.iter().any(|known| known == name),
            "{name} in {known:?}"
        );
    }
    assert!(!known.iter().any(|known| known == "nobody"), "{known:?}");
    // The stores are remembered when nothing names them any more.
    desk.apps.lock().expect("one thread").clear();
    fs::remove_file(home.join(".zshrc")).expect("profile");
    desk.start();
    assert_eq!(dirs(desk, "claude-code"), known);
    world.deliver();
    for number in 1..=4 {
        let session = format!("00000000-0000-4000-8000-00000000000{number}");
        assert_eq!(world.devices[1].state_of(&session), "here", "{number}");
    }
}

/// Field 16: each store has a switch of its own; a store that is off is not deleted, here or
/// elsewhere.
#[test]
fn stores_are_switched_one_by_one() {
    let (mut world, here, there) = two_stores();
    let dir = world.devices[0].home.join(".claude-work");
    let switch = |on: bool| Request::StoreSwitch {
        tool: "claude-code".into(),
        dir: dir.clone(),
        on,
    };
    let _: Done = world.devices[0].ask(switch(false));
    let path = in_store(&world.devices[0], ".claude-work", &here, TWO);
    world.devices[0].say(&path, turn(&here, TWO, "said while it was off"));
    world.devices[0].poll();
    world.deliver();
    let lap = world.devices[1].place_of(TWO).expect("placed");
    assert!(
        !fs::read_to_string(&lap)
            .expect("text")
            .contains("said while it was off")
    );
    assert_eq!(world.devices[0].status().held, []);
    // The other device continues: nothing is written into the store, and no second copy into
    // another one.
    world.devices[1].say(&lap, turn(&there, TWO, "said on the laptop"));
    world.deliver();
    assert_eq!(
        world.devices[0].waits_for(TWO).as_deref(),
        Some("store_off")
    );
    assert!(!in_store(&world.devices[0], ".claude", &here, TWO).exists());
    assert!(
        !fs::read_to_string(&path)
            .expect("text")
            .contains("said on the laptop")
    );
    world.devices[0].start();
    let _: Done = world.devices[0].ask(switch(true));
    world.devices[0].poll();
    world.deliver();
    assert_ne!(
        world.devices[0].waits_for(TWO).as_deref(),
        Some("store_off")
    );
    let row = world.devices[0].row(TWO).expect("known");
    assert!(["here", "split"].contains(&row.state.as_str()), "{row:?}");
    assert!(
        world.devices[0]
            .try_ask(Request::StoreSwitch {
                tool: "claude-code".into(),
                dir: here,
                on: false
            })
            .is_err()
    );
}

/// Field 16, sibling: a store on a disk that is not connected has lost nothing.
#[test]
fn the_sessions_of_a_store_that_is_not_there_are_not_deleted() {
    let (mut world, here, _) = two_stores();
    let (store, aside) = (
        world.devices[0].home.join(".claude-work"),
        world.devices[0].home.join("unplugged"),
    );
    fs::rename(&store, &aside).expect("rename");
    world.devices[0].poll();
    world.devices[0].start();
    world.devices[0].poll();
    world.deliver();
    assert!(world.devices[0].has_problem("store_gone"));
    assert_eq!(
        world.devices[0].state_of(TWO),
        "here",
        "it is only not there"
    );
    assert_eq!(world.devices[1].state_of(TWO), "here");
    fs::rename(&aside, &store).expect("rename");
    let path = in_store(&world.devices[0], ".claude-work", &here, TWO);
    world.devices[0].append(&path, turn(&here, TWO, "more").as_bytes());
    world.devices[0].poll();
    world.deliver();
    assert!(!world.devices[0].has_problem("store_gone"));
    let there = fs::read_to_string(world.devices[1].place_of(TWO).expect("placed")).expect("text");
    assert!(there.contains("more"));
}

/// A store that is off, or on a disk that is not connected, still has what was forgotten meanwhile.
#[test]
fn a_forgotten_session_is_removed_from_a_store_that_was_away() {
    for is_off in [true, false] {
        let (mut world, here, _) = two_stores();
        let (store, aside) = (
            world.devices[0].home.join(".claude-work"),
            world.devices[0].home.join("unplugged"),
        );
        let switch = |on: bool| Request::StoreSwitch {
            tool: "claude-code".into(),
            dir: store.clone(),
            on,
        };
        match is_off {
            true => drop(world.devices[0].ask::<Done>(switch(false))),
            false => fs::rename(&store, &aside).expect("rename"),
        }
        world.devices[0].poll();
        let session = TWO.into();
        let _: Vec<ForgottenRow> = world.devices[1].ask(Request::Forget { session });
        pass_grace(&mut world.devices[1]);
        world.deliver();
        let receipt = |world: &mut World| {
            let rows: Vec<ForgottenRow> = world.devices[1].ask(Request::Forgotten);
            rows[0].receipts[1].state.to_string()
        };
        for _ in 0..2 {
            world.devices[0].poll();
            world.devices[0].start();
            world.deliver();
            assert_eq!(receipt(&mut world), "in_store", "off: {is_off}");
        }
        match is_off {
            true => drop(world.devices[0].ask::<Done>(switch(true))),
            false => fs::rename(&aside, &store).expect("rename"),
        }
        world.devices[0].poll();
        world.deliver();
        assert!(!in_store(&world.devices[0], ".claude-work", &here, TWO).exists());
        assert_eq!(receipt(&mut world), "removed", "off: {is_off}");
    }
}

/// Programs that make a store for a moment used up all places for stores, and the next real store
/// was silently left out.
#[test]
fn stores_that_are_gone_make_room_for_new_ones_and_too_many_are_reported() {
    let (mut world, here, _) = two_stores();
    let desk = &mut world.devices[0];
    let home = desk.home.clone();
    desk.vars.clear();
    desk.start();
    // The store holds a session, and is away for a while.
    fs::rename(home.join(".claude-work"), home.join("unplugged")).expect("rename");
    let run_in = |desk: &mut Device, store: &Path| {
        fs::create_dir_all(store.join("projects")).expect("dir");
        let vars = [("HOME", home.as_path()), (VAR, store)];
        let vars = vars
            .map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned()))
            .into();
        *desk.apps.lock().expect("one thread") = vec![Running {
            pid: 4711,
            vars,
            ..Running::default()
        }];
        desk.poll();
    };
    for number in 0..70 {
        let store = home.join(format!("for-a-moment/{number}"));
        run_in(desk, &store);
        fs::remove_dir_all(&store).expect("gone");
    }
    assert!(!desk.has_problem("stores_full"));
    let path = in_store(desk, "new", &here, THREE);
    desk.append(&path, turn(&here, THREE, "one").as_bytes());
    run_in(desk, &home.join("new"));
    assert_eq!(desk.state_of(THREE), "here");
    let known = dirs(desk, "claude-code");
    assert!(
        [".claude", ".claude-work", "new"]
            .iter()
            .all(|name| known.iter().any(|known| known == name)),
        "{known:?}"
    );
    for number in 0..32 {
        run_in(desk, &home.join(format!("kept/{number}")));
    }
    assert!(desk.has_problem("stores_full"));
    assert!(stores(desk, "claude-code").len() <= 32);
    fs::remove_dir_all(home.join("kept")).expect("gone");
    run_in(desk, &home.join("one more"));
    assert!(!desk.has_problem("stores_full"));
    assert!(
        dirs(desk, "claude-code")
            .iter()
            .any(|known| known == "one more")
    );
}

/// Field 16, sibling: what an older version recorded from another store is found in its old place.
#[test]
fn a_store_that_only_sessions_tell_of_is_found_through_them() {
    let (mut world, here, _) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    let path = in_store(desk, "elsewhere/claude", &here, ONE);
    desk.append(&path, turn(&here, ONE, "one").as_bytes());
    desk.vars.insert(
        VAR.into(),
        desk.home
            .join("elsewhere/claude")
            .to_string_lossy()
            .into_owned(),
    );
    desk.start();
    desk.stop();
    desk.vars.clear();
    let (state, _) = session_roam_core::state::State::open(&desk.roam).expect("state");
    state
        .put_note("stores", &BTreeMap::<String, Vec<String>>::new())
        .expect("note");
    drop(state);
    desk.start();
    desk.poll();
    assert_eq!(desk.state_of(ONE), "here");
    desk.append(&path, turn(&here, ONE, "more").as_bytes());
    desk.poll();
    world.deliver();
    let there = fs::read_to_string(world.devices[1].place_of(ONE).expect("placed")).expect("text");
    assert!(there.contains("more"));
}

/// Field 16: the same for a tool with another variable.
#[test]
fn a_second_codex_home_is_a_store_too() {
    let (mut world, here, _) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    let name = format!("sessions/2026/11/23/rollout-2026-11-23T09-00-00-{THREE}.jsonl");
    let path = desk.home.join(".codex-work").join(name);
    desk.append(&path, (meta(&here, THREE) + &item("hello")).as_bytes());
    fs::create_dir_all(desk.home.join(".codex/sessions")).expect("dir");
    desk.poll();
    assert_eq!(dirs(desk, "codex"), [".codex", ".codex-work"]);
    let launch = resume(desk, THREE);
    assert_eq!(
        launch.env.get("CODEX_HOME").map(PathBuf::from),
        Some(desk.home.join(".codex-work"))
    );
    world.deliver();
    assert_eq!(world.devices[1].state_of(THREE), "here");
}

/// Field 07: a directory of the store that is a link to one of the user's own is a part of the
/// store, in both directions.
#[cfg(unix)]
#[test]
fn a_linked_project_directory_is_carried_both_ways() {
    let (mut world, here, there) = World::pair_of_devices();
    for (at, cwd) in [(0, &here), (1, &there)] {
        let device = &world.devices[at];
        let (slug, real) = (device.slug_dir(cwd), device.home.join("sessions of api"));
        fs::create_dir_all(&real).expect("dir");
        fs::create_dir_all(slug.parent().expect("parent")).expect("dir");
        std::os::unix::fs::symlink(&real, &slug).expect("link");
    }
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].append(&path, turn(&here, ONE, "one").as_bytes());
    world.devices[0].poll();
    world.deliver();
    assert_eq!(world.devices[1].state_of(ONE), "here");
    let there_path = world.devices[1].transcript(&there, ONE);
    assert!(
        world.devices[1]
            .home
            .join("sessions of api")
            .join(format!("{ONE}.jsonl"))
            .is_file()
    );
    world.devices[1].append(&there_path, turn(&there, ONE, "two").as_bytes());
    world.devices[1].poll();
    world.deliver();
    assert!(fs::read_to_string(&path).expect("text").contains("two"));
    let doctor: Doctor = world.devices[0].ask(Request::Doctor);
    assert!(
        doctor.checks.iter().all(|check| check.name != "left out"),
        "{:?}",
        doctor.checks
    );
}

/// The disk that a linked directory is on was away for a while: its sessions counted as deleted.
#[cfg(unix)]
#[test]
fn a_session_behind_a_link_whose_target_is_away_is_not_deleted() {
    let (mut world, here, there) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    let (slug, real) = (desk.slug_dir(&here), desk.home.join("disk"));
    fs::create_dir_all(&real).expect("dir");
    fs::create_dir_all(slug.parent().expect("parent")).expect("dir");
    std::os::unix::fs::symlink(&real, &slug).expect("link");
    let path = desk.transcript(&here, ONE);
    desk.say(&path, turn(&here, ONE, "one"));
    world.deliver();
    let desk = &mut world.devices[0];
    let away = desk.home.join("away");
    fs::rename(&real, &away).expect("unplugged");
    desk.poll();
    desk.start();
    assert_eq!(desk.waits_for(ONE).as_deref(), Some("store_gone"));
    let placed = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&placed, turn(&there, ONE, "two"));
    world.deliver();
    let desk = &mut world.devices[0];
    assert_eq!(desk.waits_for(ONE).as_deref(), Some("store_gone"));
    assert!(!real.exists(), "nothing is written where the disk was");
    fs::rename(&away, &real).expect("plugged in");
    let before = fs::read_to_string(&path).expect("text");
    desk.poll();
    assert_eq!(desk.state_of(ONE), "here");
    let text = fs::read_to_string(&path).expect("text");
    assert!(text.starts_with(&before) && text.contains("two"), "{text}");
}

/// Field 07: doctor names a link that is not followed, with its target.
#[cfg(unix)]
#[test]
fn a_link_that_is_not_followed_is_named() {
    let (mut world, here, _) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    let slug = desk.slug_dir(&here);
    fs::create_dir_all(&slug).expect("dir");
    // A directory of another user: for root one that is given away, for others one of root's.
    let given = desk.home.join("given away");
    fs::create_dir_all(&given).expect("dir");
    let other =
        std::os::unix::fs::chown(&given, Some(65534), None).map_or("/etc".into(), |()| given);
    std::os::unix::fs::symlink(other, slug.with_file_name("-not-mine")).expect("link");
    std::os::unix::fs::symlink(desk.home.join(".claude"), slug.with_file_name("-around"))
        .expect("link");
    std::os::unix::fs::symlink(desk.home.join("nowhere"), slug.with_file_name("-broken"))
        .expect("link");
    let real = desk.home.join("one.jsonl");
    fs::write(&real, turn(&here, ONE, "one")).expect("file");
    std::os::unix::fs::symlink(&real, slug.join(format!("{ONE}.jsonl"))).expect("link");
    desk.poll();
    let doctor: Doctor = desk.ask(Request::Doctor);
    let check = doctor
        .checks
        .iter()
        .find(|check| check.name == "left out")
        .expect("named");
    assert_eq!(check.state.as_str(), "problem");
    for name in ["-not-mine", "-around", "-broken", ONE] {
        assert!(
            doctor
                .left_out
                .iter()
                .any(|left| left.path.to_string_lossy().contains(name)),
            "{:?}",
            doctor.left_out
        );
    }
    assert_eq!(
        session_roam_core::settings::load(&desk.roam)
            .expect("settings")
            .tools
            .len(),
        0
    );
}

/// Writes a file of the desk's store as it was left some time before now.
fn left(desk: &Device, path: &Path, text: &str, quiet_ms: i64) {
    fs::write(path, text).expect("file");
    let written = u64::try_from(desk.clock_now() - quiet_ms).expect("after 1970");
    let written = std::time::UNIX_EPOCH + std::time::Duration::from_millis(written);
    let file = fs::File::options().write(true).open(path).expect("file");
    file.set_modified(written).expect("its time");
}

/// What the doctor names of the stores, by file. It says of no session that parts have not arrived.
fn left_out(desk: &mut Device) -> Vec<(PathBuf, &'static str, String)> {
    let doctor: Doctor = desk.ask(Request::Doctor);
    assert_eq!(doctor.not_carried, []);
    let left = doctor.left_out.into_iter();
    let mut left: Vec<_> = left
        .map(|left| (left.path, left.code.as_str(), left.why))
        .collect();
    left.sort();
    left
}

/// A last line without its end does not sync, and a file with nothing else is no session yet: both
/// are named, by their file.
#[test]
fn a_line_that_its_tool_left_unfinished_is_named() {
    let (mut world, here, _) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    let slug = desk.slug_dir(&here);
    fs::create_dir_all(&slug).expect("dir");
    let whole = turn(&here, ONE, "one");
    let cut = whole.trim_end();
    let texts = [format!("{whole}{cut}"), cut.to_owned(), String::new()];
    let paths = [ONE, TWO, THREE].map(|session| slug.join(format!("{session}.jsonl")));
    let write = |desk: &mut Device, quiet_ms: i64| {
        for (path, text) in paths.iter().zip(&texts) {
            left(desk, path, text, quiet_ms);
        }
        desk.poll();
    };
    // Its tool may be about to finish it.
    write(desk, 1_000);
    assert_eq!(left_out(desk), []);
    write(desk, 120_000);
    let why = format!(
        "Its last line has no line end, so {} bytes of it do not sync yet.",
        cut.len()
    );
    let named = [&paths[0], &paths[1]].map(|path| (path.clone(), "unfinished", why.clone()));
    assert_eq!(left_out(desk), named);
    let filter = Default::default();
    let sessions: Vec<SessionRow> = desk.ask(Request::Sessions { filter });
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    let session = TWO.into();
    let refused = desk.try_ask(Request::Resume { session });
    let refused = refused.expect_err("nothing to resume");
    assert_eq!(refused.code.as_str(), "not_here");
    let why = "no complete record yet";
    assert!(refused.message.contains(why), "{refused:?}");
    // Finished, it syncs like any other.
    fs::write(&paths[1], &whole).expect("file");
    desk.poll();
    assert_eq!(desk.state_of(TWO), "here");
}

/// The directory of all sessions is a link like others: it led wherever it pointed.
#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_all_sessions_is_followed_or_named() {
    use std::os::unix::fs::symlink;
    let (mut world, here, _) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    let projects = desk.claude().join("projects");
    let slug = desk.slug_dir(&here);
    let slug = slug.file_name().expect("a name");
    let inside = desk.claude().join("file-history/x");
    fs::create_dir_all(inside.join(slug)).expect("dir");
    let name = format!("{ONE}.jsonl");
    fs::write(inside.join(slug).join(&name), turn(&here, ONE, "one")).expect("file");
    symlink(&inside, &projects).expect("link");
    desk.poll();
    assert_eq!(desk.state_of(ONE), "none");
    let is_named = |desk: &mut super::world::Device| {
        let doctor: Doctor = desk.ask(Request::Doctor);
        doctor.left_out.iter().any(|left| left.path == projects)
    };
    assert!(is_named(desk));
    let own = desk.home.join("my sessions");
    fs::rename(&inside, &own).expect("moved");
    fs::remove_file(&projects).expect("removed");
    symlink(&own, &projects).expect("link");
    desk.poll();
    assert_eq!(desk.state_of(ONE), "here");
    assert!(!is_named(desk));
}

/// One file whose name another system does not have kept the whole session off every device.
#[cfg(not(windows))]
#[test]
fn a_file_name_that_another_system_lacks_keeps_no_session_back() {
    let (mut world, here, there) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    let path = desk.transcript(&here, ONE);
    let beside = |path: &Path| path.with_extension("").join("tool-results");
    desk.append(&beside(&path).join("a:b?.txt"), b"only Windows minds");
    desk.append(&beside(&path).join("aux.txt"), b"the same");
    desk.append(&beside(&path).join("new\nline.txt"), b"nobody writes that");
    desk.say(&path, turn(&here, ONE, "one"));
    world.deliver();
    let lap = &mut world.devices[1];
    let path = lap.transcript(&there, ONE);
    assert_eq!(lap.place_of(ONE).as_ref(), Some(&path));
    assert_eq!(lap.state_of(ONE), "here");
    for name in ["a:b?.txt", "aux.txt"] {
        assert!(beside(&path).join(name).is_file(), "{name}");
    }
    assert!(!beside(&path).join("new\nline.txt").exists());
    let named = lap.status().problems.into_iter();
    let named: Vec<String> = named.map(|problem| problem.message).collect();
    assert!(
        named.iter().any(|text| text.contains("line.txt")),
        "{named:?}"
    );
    // The session goes on, and what is missing here is not missing there.
    lap.say(&path, turn(&there, ONE, "two"));
    world.deliver();
    let desk = &mut world.devices[0];
    let path = desk.transcript(&here, ONE);
    assert!(fs::read_to_string(&path).expect("text").contains("two"));
    assert!(beside(&path).join("new\nline.txt").is_file());
    assert_eq!(desk.status().problems, []);
}

/// What left a store of several came back in another one, whose account may be another.
#[test]
fn a_session_returns_into_the_store_that_it_was_in() {
    let (mut world, here, _) = two_stores();
    world.devices[0].vars.clear();
    world.devices[0].start();
    let at = |device: &Device, session: &str| in_store(device, ".claude-work", &here, session);
    let in_first_store =
        |device: &Device, session: &str| in_store(device, ".claude", &here, session);
    // The user deleted it and wants it back.
    let desk = &mut world.devices[0];
    fs::remove_file(at(desk, TWO)).expect("deleted");
    desk.poll();
    assert_eq!(desk.state_of(TWO), "elsewhere");
    let session = TWO.into();
    let _: Done = desk.ask(Request::Restore { session });
    desk.settle();
    assert!(at(desk, TWO).is_file() && !in_first_store(desk, TWO).exists());
    // A new session with the messages of it.
    let session = TWO.into();
    let forked: Forked = desk.ask(Request::Fork {
        session,
        at: 0,
        dir: None,
    });
    assert!(at(desk, &forked.session).is_file());
    // A version of it is a session of its own, which is put away and comes back.
    world.part(0, 1);
    let desk = &mut world.devices[0];
    desk.say(&at(desk, TWO), turn(&here, TWO, "from desk"));
    let lap = &mut world.devices[1];
    let there = lap.place_of(TWO).expect("placed");
    lap.set_clock(lap.clock_now() + 1000);
    lap.say(&there, turn(&here, TWO, "from lap"));
    world.meet(0, 1);
    let split = world.devices[0].splits().pop().expect("a split");
    let fork = split.branches.iter().map(|branch| branch.session.clone());
    let fork = fork.into_iter().find(|id| id != TWO).expect("a fork");
    let is_right = |device: &Device| {
        for session in [TWO, &fork] {
            assert!(at(device, session).is_file(), "{session}");
            assert!(!in_first_store(device, session).exists(), "{session}");
        }
    };
    is_right(&world.devices[0]);
    let _: Done = world.devices[0].ask(Request::Resolve {
        session: TWO.into(),
        choice: "keep-left".into(),
        branch: None,
        beside: None,
        active: None,
    });
    world.deliver();
    assert!(!at(&world.devices[0], &fork).exists(), "put away");
    let _: Done = world.devices[0].ask(Request::Undo {
        session: Some(TWO.into()),
    });
    world.deliver();
    is_right(&world.devices[0]);
}

/// A thread that begins in another thread's file was written into a store without that file.
#[test]
fn a_thread_arrives_in_the_store_that_has_its_parent() {
    let (mut world, here, _) = World::pair_of_devices();
    let desk = &mut world.devices[0];
    let parent = desk.rollout(TWO);
    desk.say(&parent, meta(&here, TWO) + &item("begun"));
    fs::create_dir_all(world.devices[1].home.join(".codex-work/sessions")).expect("dir");
    world.deliver();
    // The lap has the parent in its second store.
    let lap = &mut world.devices[1];
    let placed = lap.rollout(TWO);
    let in_work = |path: &Path| {
        let path = path.to_string_lossy().replace("/.codex/", "/.codex-work/");
        PathBuf::from(path.replace("\\.codex\\", "\\.codex-work\\"))
    };
    fs::create_dir_all(in_work(&placed).parent().expect("parent")).expect("dir");
    fs::rename(&placed, in_work(&placed)).expect("moved");
    lap.poll();
    assert_eq!(lap.state_of(TWO), "here");
    assert_eq!(dirs(lap, "codex"), [".codex", ".codex-work"]);
    let desk = &mut world.devices[0];
    let end = fs::metadata(&parent).expect("doc").len();
    let base = format!(
        "\"history_base\":{{\"thread_id\":\"{TWO}\",\"end_ordinal_exclusive\":9,\"end_byte_offset\":{end}}},\"cwd\""
    );
    let child = desk.rollout(THREE);
    let first = meta(&here, THREE).replace("\"cwd\"", &base);
    desk.say(&child, first + &item("begun there"));
    world.deliver();
    let lap = &world.devices[1];
    let placed = lap.rollout(THREE);
    assert!(in_work(&placed).is_file() && !placed.exists());
}
