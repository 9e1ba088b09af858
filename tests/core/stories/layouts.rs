//! Checkouts, stores and session files in forms that are legal and rare: submodules, repositories
//! with several names, links in the way, bare containers, damaged settings, foreign line ends. The
//! rules are those of places.rs, several.rs and twins.rs.

use super::journals::recorded_lines;
use super::places::{git, starter};
use super::talk::{ONE, TWO, assert_carried, item, meta, turn};
use super::world::{Device, World};
use session_roam_core::api::{Doctor, LeftOut, Request, Resume, Shown};
use session_roam_core::tools::claude_code;
use std::fs;
use std::path::{Path, PathBuf};

const SHOP: &str = "git@github.com:acme/shop.git";
const LIBRARY: &str = "git@github.com:acme/library.git";

/// Two paired devices that search for checkouts whenever they start.
fn pair() -> World {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    world
}

fn repository(dir: &Path, remote: Option<&str>) {
    fs::create_dir_all(dir).expect("dir");
    starter(dir);
    if let Some(remote) = remote {
        git(dir, &["remote", "add", "origin", remote]);
    }
}

/// A repository below `~/code` of a device.
fn checkout(world: &World, at: usize, dir: &str, remote: &str) -> PathBuf {
    let dir = world.devices[at].home.join("code").join(dir);
    repository(&dir, Some(remote));
    dir
}

/// A turn in a session that the tool has in this directory; everything is delivered.
fn says(world: &mut World, at: usize, cwd: &Path, session: &str, text: &str) {
    let path = world.devices[at].transcript(cwd, session);
    world.devices[at].say(&path, turn(cwd, session, text));
    world.deliver();
}

/// The engine searches for checkouts again.
fn searches(world: &mut World, at: usize) {
    world.devices[at].start();
    world.devices[at].poll();
    world.deliver();
}

fn is_in(world: &World, at: usize, cwd: &Path, session: &str) {
    assert_eq!(
        world.devices[at].place_of(session),
        Some(world.devices[at].transcript(cwd, session))
    );
}

fn resumes_in(device: &mut Device, session: &str) -> PathBuf {
    let resume: Resume = device.ask(Request::Resume {
        session: session.into(),
    });
    resume.cwd
}

fn key_of(device: &mut Device, session: &str) -> String {
    device.row(session).expect("a row").project
}

fn texts(device: &mut Device, session: &str) -> Vec<String> {
    let shown: Shown = device.ask(Request::show(session));
    shown
        .messages
        .into_iter()
        .map(|message| message.text)
        .collect()
}

// ---- repositories ----

/// A submodule has a remote of its own: its sessions are none of the repository around it, and
/// open in a submodule as well as in a clone.
#[test]
fn a_session_of_a_submodule_is_of_its_own_repository() {
    let mut world = pair();
    let shop = checkout(&world, 0, "shop", SHOP);
    let sub = |shop: &Path| {
        let dir = shop.join("libs/library");
        repository(&dir, Some(LIBRARY));
        // As git lays a submodule out: its repository is in that of the one around it.
        let own = shop.join(".git/modules/library");
        fs::create_dir_all(own.parent().expect("parent")).expect("dir");
        fs::rename(dir.join(".git"), &own).expect("moved");
        fs::write(dir.join(".git"), "gitdir: ../../.git/modules/library\n").expect("a link");
        dir
    };
    let here = sub(&shop);
    let around = checkout(&world, 1, "shop", SHOP);
    searches(&mut world, 1);
    says(&mut world, 0, &here, ONE, "of the library");
    assert_eq!(
        key_of(&mut world.devices[0], ONE),
        "git:github.com/acme/library"
    );
    assert_eq!(
        world.devices[1].place_of(ONE),
        None,
        "it is not of the shop"
    );
    let there = sub(&around);
    searches(&mut world, 1);
    is_in(&world, 1, &there, ONE);
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

/// The repository's own settings name the remote in another way than the other device's.
#[test]
fn urls_that_instead_of_makes_one_are_one_repository() {
    let mut world = pair();
    let here = checkout(&world, 0, "shop", "gh:acme/shop");
    git(
        &here,
        &["config", "url.https://github.com/.insteadOf", "gh:"],
    );
    let there = checkout(&world, 1, "work/shop", SHOP);
    searches(&mut world, 1);
    says(&mut world, 0, &here, ONE, "of the shop");
    is_in(&world, 1, &there, ONE);
    assert_eq!(
        key_of(&mut world.devices[0], ONE),
        "git:github.com/acme/shop"
    );
}

/// A port is the way to a host, not its name.
#[test]
fn a_url_with_a_port_is_the_same_repository() {
    let mut world = pair();
    let here = checkout(
        &world,
        0,
        "shop",
        "ssh://git@git.example.com:2222/acme/shop.git",
    );
    let there = checkout(&world, 1, "shop", "https://git.example.com:8443/acme/shop");
    searches(&mut world, 1);
    says(&mut world, 0, &here, ONE, "of the shop");
    is_in(&world, 1, &there, ONE);
}

/// The user made a fork: what was `origin` is `upstream` now. Sessions that are there stay together.
#[test]
fn a_remote_that_becomes_upstream_takes_its_sessions_along() {
    let mut world = pair();
    let here = checkout(&world, 0, "shop", SHOP);
    let there = checkout(&world, 1, "shop", SHOP);
    searches(&mut world, 1);
    says(&mut world, 0, &here, ONE, "before");
    is_in(&world, 1, &there, ONE);
    git(&here, &["remote", "rename", "origin", "upstream"]);
    git(
        &here,
        &["remote", "add", "origin", "git@github.com:me/shop.git"],
    );
    searches(&mut world, 0);
    says(&mut world, 0, &here, ONE, "after");
    says(&mut world, 0, &here, TWO, "a new one");
    for session in [ONE, TWO] {
        is_in(&world, 1, &there, session);
        assert_carried(&world.devices[0], &world.devices[1], session);
    }
    let path = world.devices[1].transcript(&there, TWO);
    world.devices[1].say(&path, turn(&there, TWO, "from there"));
    world.deliver();
    is_in(&world, 0, &here, TWO);
    assert_carried(&world.devices[1], &world.devices[0], TWO);
}

/// A session in a part of a large repository opens in that part.
#[test]
fn a_session_in_a_directory_of_a_monorepo_opens_in_that_directory() {
    let mut world = pair();
    let here = checkout(&world, 0, "mono", SHOP).join("packages/Web");
    let there = checkout(&world, 1, "work/mono", SHOP).join("packages/Web");
    for dir in [&here, &there] {
        fs::create_dir_all(dir).expect("dir");
    }
    searches(&mut world, 1);
    says(&mut world, 0, &here, ONE, "of the web");
    is_in(&world, 1, &there, ONE);
    assert_eq!(resumes_in(&mut world.devices[1], ONE), there);
}

/// A worktree was removed, and its branch is checked out elsewhere now.
#[test]
fn a_worktree_that_is_added_again_elsewhere_does_not_lose_its_session() {
    let mut world = pair();
    let shop = checkout(&world, 0, "shop", SHOP);
    let there = checkout(&world, 1, "shop", SHOP);
    searches(&mut world, 1);
    let add = |dir: &Path, branch: &[&str]| {
        let dir = dir.to_string_lossy().into_owned();
        git(
            &shop,
            &[&["worktree", "add", "-q", dir.as_str()][..], branch].concat(),
        );
    };
    let (first, second) = (
        shop.with_file_name("shop-fix"),
        shop.with_file_name("trees/fix"),
    );
    add(&first, &["-b", "fix"]);
    says(&mut world, 0, &first, ONE, "of the fix");
    is_in(&world, 1, &there, ONE);
    git(&shop, &["worktree", "remove", &first.to_string_lossy()]);
    add(&second, &["fix"]);
    searches(&mut world, 0);
    let cwd = resumes_in(&mut world.devices[0], ONE);
    assert!(
        [&shop, &second].contains(&&cwd),
        "it opens in its repository: {}",
        cwd.display()
    );
    says(&mut world, 1, &there, ONE, "and on");
    assert_carried(&world.devices[1], &world.devices[0], ONE);
}

/// A bare repository with worktrees beside it, one of them on no branch.
#[test]
fn worktrees_of_a_bare_repository_find_each_other_by_name() {
    let mut world = pair();
    let layout = |device: &Device, container: &str| {
        let container = device.home.join("code").join(container);
        let source = device.home.join("source");
        repository(&source, None);
        fs::create_dir_all(&container).expect("dir");
        let from = source.to_string_lossy().into_owned();
        git(&container, &["clone", "-q", "--bare", &from, ".bare"]);
        fs::write(container.join(".git"), "gitdir: ./.bare\n").expect("a link");
        git(&container, &["remote", "set-url", "origin", SHOP]);
        git(&container, &["worktree", "add", "-q", "main"]);
        git(&container, &["worktree", "add", "-q", "--detach", "look"]);
        container
    };
    let here = layout(&world.devices[0], "shop");
    let there = layout(&world.devices[1], "work/shop");
    searches(&mut world, 1);
    for (tree, session) in [("main", ONE), ("look", TWO)] {
        says(&mut world, 0, &here.join(tree), session, "hello");
        is_in(&world, 1, &there.join(tree), session);
        assert_eq!(resumes_in(&mut world.devices[1], session), there.join(tree));
    }
}

/// A full disk or a crash leaves settings without a byte: what is known of the repository stays.
#[test]
fn a_repository_whose_settings_are_lost_keeps_its_sessions() {
    let mut world = pair();
    let here = checkout(&world, 0, "shop", SHOP);
    let there = checkout(&world, 1, "shop", SHOP);
    searches(&mut world, 1);
    says(&mut world, 0, &here, ONE, "before");
    for (dir, at) in [(&here, 0), (&there, 1)] {
        let config = dir.join(".git/config");
        let text = fs::read(&config).expect("config");
        fs::write(&config, "").expect("emptied");
        searches(&mut world, at);
        says(&mut world, 0, &here, ONE, "meanwhile");
        assert_eq!(
            key_of(&mut world.devices[0], ONE),
            "git:github.com/acme/shop"
        );
        fs::write(&config, text).expect("restored");
        searches(&mut world, at);
        says(&mut world, 0, &here, ONE, "after");
        is_in(&world, 1, &there, ONE);
        assert_carried(&world.devices[0], &world.devices[1], ONE);
    }
}

/// An editor on Windows saved the settings with a byte order mark and its line ends; git reads
/// them.
#[test]
fn settings_with_a_byte_order_mark_are_read() {
    let mut world = pair();
    let here = checkout(&world, 0, "shop", SHOP);
    let there = checkout(&world, 1, "shop", SHOP);
    let settings = format!(
        "\u{feff}[remote \"origin\"]\r\n\turl = {SHOP}\r\n[core]\r\n\trepositoryformatversion = 0\r\n"
    );
    fs::write(here.join(".git/config"), settings).expect("config");
    searches(&mut world, 1);
    says(&mut world, 0, &here, ONE, "of the shop");
    is_in(&world, 1, &there, ONE);
}

// ---- directories ----

/// The way to the checkout leads through a link; the tool names the directory behind it.
#[cfg(unix)]
#[test]
fn a_checkout_behind_a_link_is_one_place() {
    let mut world = pair();
    let here = checkout(&world, 0, "shop", SHOP);
    let lap = &world.devices[1].home;
    let real = lap.join("disk/code");
    fs::create_dir_all(&real).expect("dir");
    drop(fs::remove_dir(lap.join("code")));
    std::os::unix::fs::symlink(&real, lap.join("code")).expect("link");
    checkout(&world, 1, "shop", SHOP);
    searches(&mut world, 1);
    says(&mut world, 0, &here, ONE, "one");
    is_in(&world, 1, &real.join("shop"), ONE);
    // The tool there names the real directory, a shell the one that was typed.
    for cwd in [real.join("shop"), world.devices[1].home.join("code/shop")] {
        let path = world.devices[1].transcript(&real.join("shop"), ONE);
        world.devices[1].say(&path, turn(&cwd, ONE, "more"));
        world.deliver();
        assert_carried(&world.devices[1], &world.devices[0], ONE);
    }
    let resumed = resumes_in(&mut world.devices[1], ONE);
    assert_eq!(
        resumed.canonicalize().expect("there"),
        real.join("shop").canonicalize().expect("there")
    );
}

/// Outside of repositories a directory is known by its path, and each of these is another one.
#[cfg(unix)]
#[test]
fn directories_that_differ_only_in_case_or_at_the_end_are_not_mixed() {
    let mut world = pair();
    let names = ["notes", "Notes", "notes."];
    for device in &world.devices {
        for name in names {
            fs::create_dir_all(device.home.join(name)).expect("dir");
        }
    }
    let sessions = [0, 1, 2].map(super::talk::id);
    for (name, session) in names.iter().zip(&sessions) {
        let (here, there) = (
            world.devices[0].home.join(name),
            world.devices[1].home.join(name),
        );
        // The tool was used there before.
        let before = format!("{}-1111-4111-8111-111111111111", &session[..8]);
        says(&mut world, 1, &there, &before, "before");
        says(&mut world, 0, &here, session, "hello");
        assert_eq!(
            resumes_in(&mut world.devices[1], session),
            there,
            "{name:?}"
        );
    }
}

/// The checkout's directory gets another case, as its repository's host spells it.
#[test]
fn a_directory_that_is_renamed_in_its_case_keeps_its_sessions() {
    let mut world = pair();
    let here = checkout(&world, 0, "Shop", SHOP);
    let there = checkout(&world, 1, "shop", SHOP);
    searches(&mut world, 1);
    says(&mut world, 0, &here, ONE, "before");
    let renamed = here.with_file_name("shop");
    fs::rename(&here, here.with_file_name("away")).expect("renamed");
    fs::rename(here.with_file_name("away"), &renamed).expect("renamed");
    searches(&mut world, 0);
    says(&mut world, 1, &there, ONE, "from there");
    assert_carried(&world.devices[1], &world.devices[0], ONE);
    assert_eq!(resumes_in(&mut world.devices[0], ONE), renamed);
}

// ---- stores ----

/// The user moves a store to another disk and leaves a link, while the engine runs.
#[cfg(unix)]
#[test]
fn a_store_that_becomes_a_link_has_lost_no_session() {
    for part in ["", "projects", "the project"] {
        let mut world = pair();
        let here = checkout(&world, 0, "shop", SHOP);
        let there = checkout(&world, 1, "shop", SHOP);
        searches(&mut world, 1);
        says(&mut world, 0, &here, ONE, "before");
        let moved = match part {
            "the project" => world.devices[0].slug_dir(&here),
            part => world.devices[0].claude().join(part),
        };
        let to = world.devices[0].home.join("disk");
        fs::rename(&moved, &to).expect("moved");
        world.devices[0].poll();
        world.deliver();
        std::os::unix::fs::symlink(&to, moved.components().as_path()).expect("link");
        world.devices[0].poll();
        world.deliver();
        let state = world.devices[0].state_of(ONE);
        says(&mut world, 0, &here, ONE, "after");
        is_in(&world, 1, &there, ONE);
        assert_carried(&world.devices[0], &world.devices[1], ONE);
        says(&mut world, 1, &there, ONE, "and from there");
        assert_carried(&world.devices[1], &world.devices[0], ONE);
        assert_eq!(world.devices[0].state_of(ONE), "here", "{part:?} {state}");
    }
}

/// Two stores of one tool have a session with one id each, and each went another way.
#[test]
fn one_id_in_two_stores_loses_no_line() {
    let mut world = pair();
    let here = checkout(&world, 0, "shop", SHOP);
    world.devices[0].stop();
    let slug = claude_code::slug(&here.to_string_lossy());
    let files = [(".claude", "at home"), (".claude-work", "at work")];
    for (store, text) in files {
        let path = world.devices[0]
            .home
            .join(store)
            .join("projects")
            .join(&slug);
        let path = path.join(format!("{ONE}.jsonl"));
        let lines = turn(&here, ONE, "begun") + &turn(&here, ONE, text);
        world.devices[0].append(&path, lines.as_bytes());
    }
    world.devices[0].start();
    world.devices[0].poll();
    world.deliver();
    for device in &world.devices {
        let lines = recorded_lines(device, ONE);
        for (_, text) in files {
            assert!(
                lines.contains_key(turn(&here, ONE, text).as_bytes()),
                "{text} in the vault of {}",
                device.name
            );
        }
    }
}

// ---- files ----

/// Names that file managers and people give to a copy: each is named by the doctor, and the session
/// goes on.
#[test]
fn a_copy_under_any_name_is_reported_and_harms_nothing() {
    let mut world = pair();
    let here = checkout(&world, 0, "shop", SHOP);
    says(&mut world, 0, &here, ONE, "one");
    let names = [
        format!("{ONE} (conflicted copy).jsonl"),
        format!("{ONE} (desk's conflicted copy 2026-11-30).jsonl"),
        format!("{ONE} copy.jsonl"),
        format!("{ONE} - Copy.jsonl"),
        format!("{ONE} (1).jsonl"),
        format!("{ONE}.jsonl.bak"),
        format!("Copy of {ONE}.jsonl"),
        format!("{ONE}.old.jsonl"),
    ];
    let dir = world.devices[0].slug_dir(&here);
    for name in &names {
        fs::write(dir.join(name), turn(&here, ONE, "one")).expect("a copy");
    }
    world.devices[0].poll();
    says(&mut world, 0, &here, ONE, "two");
    let doctor: Doctor = world.devices[0].ask(Request::Doctor);
    let told = format!("{doctor:?}");
    for name in &names {
        assert!(told.contains(name.as_str()), "{name} is named: {told}");
    }
    assert_eq!(texts(&mut world.devices[1], ONE), ["one", "two"]);
}

/// A file that its tool has made and not written yet.
#[test]
fn an_empty_file_is_no_session_until_it_has_a_line() {
    let mut world = pair();
    let here = checkout(&world, 0, "shop", SHOP);
    let there = checkout(&world, 1, "shop", SHOP);
    searches(&mut world, 1);
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, "");
    world.devices[0].poll();
    world.deliver();
    assert_eq!(world.devices[1].state_of(ONE), "none");
    assert_eq!(world.devices[0].problems(), [""; 0]);
    says(&mut world, 0, &here, ONE, "one");
    is_in(&world, 1, &there, ONE);
    // And the other way round: it is emptied, and comes back.
    let text = fs::read(&path).expect("text");
    world.devices[0].put(&path, "");
    world.deliver();
    is_in(&world, 1, &there, ONE);
    world.devices[0].put(&path, text);
    says(&mut world, 0, &here, ONE, "two");
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

/// A byte order mark and the line ends of Windows are bytes of the session like any others.
#[test]
fn a_session_with_a_byte_order_mark_is_read_and_carried_as_it_is() {
    let mut world = pair();
    let here = checkout(&world, 0, "shop", SHOP);
    let there = checkout(&world, 1, "shop", SHOP);
    searches(&mut world, 1);
    let windows = |text: String| text.replace('\n', "\r\n");
    let path = world.devices[0].transcript(&here, ONE);
    let first = format!("\u{feff}{}", windows(turn(&here, ONE, "one")));
    world.devices[0].say(&path, first + &windows(turn(&here, ONE, "two")));
    let rollout = world.devices[0].rollout(TWO);
    let first = format!("\u{feff}{}", windows(meta(&here, TWO)));
    world.devices[0].say(&rollout, first + &windows(item("one") + &item("two")));
    world.deliver();
    is_in(&world, 1, &there, ONE);
    for session in [ONE, TWO] {
        assert_carried(&world.devices[0], &world.devices[1], session);
        for device in &mut world.devices {
            assert_eq!(texts(device, session), ["one", "two"], "{session}");
            assert_eq!(key_of(device, session), "git:github.com/acme/shop");
        }
    }
}

/// The tool writes its ids in small letters. Where names are compared without regard to case, a file
/// in capitals would be the same session: it is named, and not carried.
#[test]
fn an_id_in_capitals_is_no_session_and_not_passed_over_in_silence() {
    let mut world = pair();
    let here = checkout(&world, 0, "shop", SHOP);
    let there = checkout(&world, 1, "shop", SHOP);
    searches(&mut world, 1);
    let small = "abcdefab-1111-4111-8111-111111111111";
    let capitals = small.to_uppercase();
    for (session, text) in [(small, "small"), (&capitals, "large")] {
        says(&mut world, 0, &here, session, text);
    }
    is_in(&world, 1, &there, small);
    assert_eq!(texts(&mut world.devices[1], small), ["small"]);
    world.devices[0].poll();
    let doctor: Doctor = world.devices[0].ask(Request::Doctor);
    let names_it = |left: &LeftOut| left.path.to_string_lossy().contains(&capitals);
    assert!(doctor.left_out.iter().any(names_it), "{doctor:?}");
}
