//! Excluded projects: what is excluded stays on this device, whatever it is called later, and the user
//! sees what an exclusion covers.

use super::journals::journals;
use super::places::{from_starter, git};
use super::talk::{ONE, THREE, TWO, turn};
use super::world::{Device, World};
use session_roam_core::api::{ApiError, Doctor, Done, HistoryRow, Request};
use session_roam_core::session::HistoryKind;
use std::path::{Path, PathBuf};

const SECRET: &str = "git@github.com:acme/secret.git";

fn exclude(key: &str, excluded: bool) -> Request {
    Request::ProjectExclude {
        key: key.into(),
        excluded,
    }
}

/// A session of this directory, which the engine sees with the next look.
fn says(world: &mut World, cwd: &Path, session: &str) {
    let path = world.devices[0].transcript(cwd, session);
    world.devices[0].say(&path, turn(cwd, session, "the launch code is 0000"));
    world.devices[0].poll();
    world.deliver();
}

fn recorded(device: &Device) -> Vec<String> {
    let all = journals(device);
    all.iter()
        .map(|journal| journal.session().to_string())
        .collect()
}

/// A changed remote, a fork's and a first one: each made a new key, which nobody had excluded.
#[test]
fn what_is_excluded_stays_excluded_when_its_identity_is_corrected() {
    type Change = dyn Fn(&Path);
    let renamed: &Change = &|dir| {
        git(
            dir,
            &[
                "remote",
                "set-url",
                "origin",
                "git@github.com:newco/vault.git",
            ],
        );
    };
    let forked: &Change = &|dir| {
        git(dir, &["remote", "rename", "origin", "upstream"]);
        git(
            dir,
            &["remote", "add", "origin", "git@github.com:me/secret.git"],
        );
    };
    let first: &Change = &|dir| drop(git(dir, &["remote", "add", "origin", SECRET]));
    let begun: &Change = &|dir| {
        git(dir, &["init", "-q"]);
        git(dir, &["remote", "add", "origin", SECRET]);
    };
    let root = {
        let world = World::asleep(["desk"]);
        let dir = from_starter(&world.devices[0], "x", None);
        let commit = git(&dir, &["rev-parse", "HEAD"]);
        format!("root:{commit}")
    };
    let rows: [(&str, &str, Option<&str>, &Change); 5] = [
        (
            "renamed",
            "git:github.com/acme/secret",
            Some(SECRET),
            renamed,
        ),
        ("forked", "git:github.com/acme/secret", Some(SECRET), forked),
        ("given a remote", &root, None, first),
        ("made a repository", "home:code/secret", None, begun),
        ("made one inside", "home:code", None, begun),
    ];
    for (name, key, remote, change) in rows {
        let mut world = World::devices(["desk", "lap"]);
        world.pair(0, 1);
        let dir = if key.starts_with("home:") {
            let dir = world.devices[0].home.join("code/secret");
            std::fs::create_dir_all(&dir).expect("dir");
            dir
        } else {
            from_starter(&world.devices[0], "secret", remote)
        };
        let _: Done = world.devices[0].ask(exclude(key, true));
        says(&mut world, &dir, ONE);
        assert_eq!(recorded(&world.devices[0]), [""; 0], "{name}: before");
        change(&dir);
        world.devices[0].start();
        says(&mut world, &dir, TWO);
        says(&mut world, &dir, ONE);
        assert_eq!(recorded(&world.devices[0]), [""; 0], "{name}: after");
        // Another repository on the same device syncs.
        let open = from_starter(
            &world.devices[0],
            "open",
            Some("git@github.com:acme/open.git"),
        );
        says(&mut world, &open, THREE);
        assert_eq!(recorded(&world.devices[0]), [THREE], "{name}: another");
    }
}

/// Another clone of what the repository is called now, and a device whose state was lost.
#[test]
fn what_an_excluded_repository_is_called_later_is_excluded_everywhere_on_the_device() {
    let mut world = World::devices(["desk"]);
    let dir = from_starter(&world.devices[0], "secret", Some(SECRET));
    let _: Done = world.devices[0].ask(exclude("git:github.com/acme/secret", true));
    says(&mut world, &dir, ONE);
    const NEW: &str = "git@github.com:newco/vault.git";
    git(&dir, &["remote", "set-url", "origin", NEW]);
    world.devices[0].start();
    says(&mut world, &dir, TWO);
    let clone = from_starter(&world.devices[0], "clone", Some(NEW));
    says(&mut world, &clone, THREE);
    assert_eq!(recorded(&world.devices[0]), [""; 0]);
    // It is one exclusion more, and both end together while their checkout is known.
    let desk = &mut world.devices[0];
    let new = || exclude("git:github.com/newco/vault", false);
    desk.stop();
    std::fs::remove_file(desk.roam.join("state.sqlite")).expect("remove");
    desk.start();
    desk.poll();
    world.deliver();
    assert_eq!(recorded(&world.devices[0]), [""; 0]);
    let _: Done = world.devices[0].ask(exclude("git:github.com/acme/secret", false));
    let _: Done = world.devices[0].ask(new());
    world.deliver();
    let mut all = recorded(&world.devices[0]);
    all.sort();
    assert_eq!(all, [ONE, TWO, THREE]);
}

/// Each of the two would not be included before the other.
#[test]
fn both_names_of_an_excluded_checkout_can_be_included() {
    for said in ["git:github.com/acme/secret", "git:github.com/newco/vault"] {
        let mut world = World::devices(["desk"]);
        let dir = from_starter(&world.devices[0], "secret", Some(SECRET));
        let _: Done = world.devices[0].ask(exclude("git:github.com/acme/secret", true));
        says(&mut world, &dir, ONE);
        const NEW: &str = "git@github.com:newco/vault.git";
        git(&dir, &["remote", "set-url", "origin", NEW]);
        world.devices[0].start();
        says(&mut world, &dir, TWO);
        assert_eq!(recorded(&world.devices[0]), [""; 0]);
        let _: Done = world.devices[0].ask(exclude(said, false));
        world.deliver();
        let mut all = recorded(&world.devices[0]);
        all.sort();
        assert_eq!(all, [ONE, TWO], "{said}");
    }
}

/// Whoever excluded a starter excluded everything that keeps it as `upstream`.
#[test]
fn an_excluded_starter_excludes_its_forks_and_none_of_its_children() {
    const STARTER: &str = "git@github.com:acme/starter.git";
    let mut world = World::devices(["desk"]);
    let upstream = |dir: &Path| drop(git(dir, &["remote", "add", "upstream", STARTER]));
    let starter = from_starter(&world.devices[0], "starter", Some(STARTER));
    let _: Done = world.devices[0].ask(exclude("git:github.com/acme/starter", true));
    says(&mut world, &starter, ONE);
    let shop = from_starter(
        &world.devices[0],
        "shop",
        Some("git@github.com:acme/shop.git"),
    );
    upstream(&shop);
    says(&mut world, &shop, TWO);
    assert_eq!(recorded(&world.devices[0]), [TWO]);
    // A fork may be the same with another owner: it stays here, and the doctor says so.
    let fork = from_starter(
        &world.devices[0],
        "fork",
        Some("git@github.com:me/starter.git"),
    );
    upstream(&fork);
    says(&mut world, &fork, THREE);
    assert_eq!(recorded(&world.devices[0]), [TWO]);
    let doctor: Doctor = world.devices[0].ask(Request::Doctor);
    let mut checks = doctor.checks.iter();
    let check = checks.find(|check| check.name == "excluded projects");
    let check = check.expect("a check");
    let fork = "git:github.com/me/starter (it may be a fork of git:github.com/acme/starter)";
    assert!(check.message.contains(fork), "{}", check.message);
    let child = "a further remote of git:github.com/acme/shop, which syncs";
    assert!(check.hint.contains(child), "{}", check.hint);
}

/// The exclusion of a session's project followed a rename, and nobody was told.
#[test]
fn a_rename_that_is_followed_is_told_and_both_names_are_named_when_included() {
    let mut world = World::devices(["desk"]);
    let dir = from_starter(&world.devices[0], "secret", Some(SECRET));
    let _: Done = world.devices[0].ask(exclude("git:github.com/acme/secret", true));
    says(&mut world, &dir, ONE);
    const NEW: &str = "git@github.com:newco/vault.git";
    git(&dir, &["remote", "set-url", "origin", NEW]);
    world.devices[0].start();
    says(&mut world, &dir, TWO);
    let desk = &mut world.devices[0];
    let history: Vec<HistoryRow> = desk.ask(Request::History { session: None });
    let mut told = history.iter();
    let told = told.find(|row| row.what == HistoryKind::Excluded);
    let told = told.map(|row| row.doc.as_str());
    assert_eq!(told, Some("git:github.com/newco/vault"));
    let done: Done = desk.ask(exclude("git:github.com/newco/vault", false));
    assert_eq!(
        done.message,
        "Sessions of git:github.com/newco/vault sync, and of git:github.com/acme/secret, another \
         name of its checkout."
    );
}

/// An address with colons lost all but its first part when it was read back.
#[test]
fn a_repository_on_a_host_without_a_name_can_be_excluded() {
    let key = "git:2001:db8::1/team/secret";
    for said in [key, "ssh://git@[2001:DB8::1]:22/Team/secret.git"] {
        let mut world = World::devices(["desk"]);
        let url = "ssh://git@[2001:db8::1]/team/secret.git";
        let dir = from_starter(&world.devices[0], "secret", Some(url));
        let done: Done = world.devices[0].ask(exclude(said, true));
        assert!(done.message.contains(key), "{}", done.message);
        world.devices[0].start();
        says(&mut world, &dir, ONE);
        assert_eq!(recorded(&world.devices[0]), [""; 0], "{said}");
        let _: Done = world.devices[0].ask(exclude(key, false));
        world.deliver();
        assert_eq!(recorded(&world.devices[0]), [ONE], "{said}");
    }
}

/// Spellings of a key that excluded nothing, and were reported as a success.
#[test]
fn a_typed_key_excludes_what_it_means_or_says_that_nobody_knows_it() {
    let mut world = World::devices(["desk"]);
    let dir = from_starter(&world.devices[0], "secret", Some(SECRET));
    let desk = &mut world.devices[0];
    let unknown: Done = desk.ask(exclude("git:github.com/acme/secret", true));
    assert!(
        unknown.message.ends_with(" No session of it is known yet."),
        "{}",
        unknown.message
    );
    let _: Done = desk.ask(exclude("git:github.com/acme/secret", false));
    says(&mut world, &dir, ONE);
    let desk = &mut world.devices[0];
    for said in [
        "git:GitHub.com/Acme/Secret.git",
        "git:git@github.com:acme/secret.git",
        "https://github.com/acme/secret",
        "git@github.com:Acme/secret.git",
        "secret",
    ] {
        let done: Done = desk.ask(exclude(said, true));
        assert!(
            done.message.contains("git:github.com/acme/secret "),
            "{}",
            done.message
        );
        assert!(!done.message.contains("known yet"), "{}", done.message);
        let done: Done = desk.ask(exclude("git:github.com/acme/secret", false));
        assert_eq!(done.message, "Sessions of git:github.com/acme/secret sync.");
    }
    let typo: Done = desk.ask(exclude("git:github.com/acme/secert", true));
    let hint = "No session of it is known yet. Did you mean “git:github.com/acme/secret”?";
    assert!(typo.message.contains(hint), "{}", typo.message);
}

/// What is a part of something excluded was reported to sync again, and did not.
#[test]
fn a_part_of_what_is_excluded_is_not_said_to_sync() {
    let mut world = World::devices(["desk"]);
    let dir = from_starter(&world.devices[0], "secret", Some(SECRET));
    let inside = dir.join("packages/web");
    std::fs::create_dir_all(&inside).expect("dir");
    let _: Done = world.devices[0].ask(exclude("git:github.com/acme/secret#packages", true));
    says(&mut world, &inside, ONE);
    assert_eq!(recorded(&world.devices[0]), [""; 0]);
    let part = "git:github.com/acme/secret#packages/web";
    let refused: ApiError = world.devices[0]
        .try_ask(exclude(part, false))
        .expect_err("a part");
    assert_eq!(refused.code.as_str(), "not_carried");
    assert!(
        refused
            .hint
            .contains("git:github.com/acme/secret#packages first"),
        "{refused:?}"
    );
    let _: Done = world.devices[0].ask(exclude("git:github.com/acme/secret#packages", false));
    world.deliver();
    assert_eq!(recorded(&world.devices[0]), [ONE]);
}

/// Each session that was never recorded was called “Untitled”, and said to be arriving.
#[test]
fn the_doctor_names_what_is_excluded_and_counts_none_of_its_sessions() {
    let mut world = World::devices(["desk"]);
    let dir: PathBuf = from_starter(&world.devices[0], "secret", Some(SECRET));
    let _: Done = world.devices[0].ask(exclude("git:github.com/acme/secret", true));
    for session in [ONE, TWO] {
        says(&mut world, &dir, session);
    }
    let doctor: Doctor = world.devices[0].ask(Request::Doctor);
    assert!(doctor.not_carried.is_empty(), "{:?}", doctor.not_carried);
    let mut checks = doctor.checks.iter();
    let check = checks
        .find(|check| check.name == "excluded projects")
        .expect("a check");
    assert!(
        check.message.contains("git:github.com/acme/secret"),
        "{}",
        check.message
    );
    assert_eq!(world.devices[0].status().sessions, 0);
}

/// A disk that returns names in parts, as some do, gave the directory another key than the one that
/// the user typed.
#[test]
fn a_directory_is_excluded_however_its_letters_are_composed() {
    let (mut world, ..) = World::pair_of_devices();
    let [typed, stored] = ["Entw\u{fc}rfe", "Entwu\u{308}rfe"].map(|name| format!("code/{name}"));
    let dir = world.devices[0].home.join(&stored);
    std::fs::create_dir_all(&dir).expect("dir");
    let _: Done = world.devices[0].ask(exclude(&format!("home:{typed}"), true));
    says(&mut world, &dir, ONE);
    assert_eq!(recorded(&world.devices[0]), Vec::<String>::new());
    let _: Done = world.devices[0].ask(exclude(&format!("home:{stored}"), false));
    says(&mut world, &dir, ONE);
    let row = world.devices[0].row(ONE).expect("a row");
    assert_eq!(row.project, format!("home:{typed}"));
    // The other device's disk keeps names as they are typed.
    let there = world.devices[1].home.join(&typed);
    std::fs::create_dir_all(&there).expect("dir");
    let path = world.devices[1].transcript(&there, TWO);
    world.devices[1].say(&path, turn(&there, TWO, "of its own"));
    world.deliver();
    assert_eq!(world.devices[1].state_of(ONE), "here");
    assert_eq!(world.devices[0].state_of(TWO), "here", "and back");
}
