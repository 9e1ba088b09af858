//! The directory a session belongs to, on every device: repositories that look alike, clones,
//! worktrees, renamed or removed directories.

use super::talk::{ONE, TWO, assert_carried, id, item, meta, turn};
use super::world::{Device, World};
use session_roam_core::api::{Done, ProjectRow, Request, Resume};
use session_roam_core::engine::event::Event;
use session_roam_core::session::{HistoryKind, Remedy};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs git without the settings of the user who runs the tests; commits have the same hash
/// everywhere.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_"))
    {
        git.env_remove(name);
    }
    let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
    git.env("GIT_CONFIG_GLOBAL", nowhere)
        .env("GIT_CONFIG_NOSYSTEM", "1");
    git.env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z");
    git.arg("-C").arg(dir).args([
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "-c",
        "init.defaultBranch=main",
    ]);
    let output = git
        .args(args)
        .output()
        .expect("git is needed for these tests");
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The repository that others are made from.
pub fn starter(work_tree: &Path) {
    git(work_tree, &["init", "-q"]);
    git(
        work_tree,
        &["commit", "-q", "--allow-empty", "-m", "the starter"],
    );
}

/// A repository below `~/code`, made from the one starter: with the same oldest commit and its own
/// remote.
pub fn from_starter(device: &Device, dir: &str, remote: Option<&str>) -> PathBuf {
    let work_tree = device.home.join("code").join(dir);
    fs::create_dir_all(&work_tree).expect("dir");
    starter(&work_tree);
    if let Some(remote) = remote {
        git(&work_tree, &["remote", "add", "origin", remote]);
    }
    work_tree
}

fn says(world: &mut World, at: usize, cwd: &Path, session: &str, text: &str) {
    let path = world.devices[at].transcript(cwd, session);
    world.devices[at].say(&path, turn(cwd, session, text));
    world.deliver();
}

const SHOP: &str = "git@github.com:acme/shop.git";
const BLOG: &str = "git@github.com:acme/blog.git";

/// Field 03: the oldest commit outvoted the remote, and acme/shop's session was written into
/// acme/blog's store.
#[test]
fn two_repositories_from_one_starter_are_never_mixed() {
    let mut world = World::devices(["desk", "lap", "vm"]);
    world.pair(0, 1);
    world.pair(0, 2);
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    let blog = from_starter(&world.devices[1], "blog", Some(BLOG));
    // Also where blog is well known.
    says(&mut world, 1, &blog, TWO, "of blog");
    says(&mut world, 0, &shop, ONE, "of shop");
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));
    assert_eq!(world.devices[1].place_of(ONE), None);
    assert_eq!(world.devices[0].waits_for(TWO).as_deref(), Some("no_place"));
    assert_eq!(world.devices[2].waits_for(ONE).as_deref(), Some("no_place"));

    let there = from_starter(&world.devices[1], "my shop", Some(SHOP));
    world.devices[1].start();
    world.devices[1].poll();
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&there, ONE))
    );
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_eq!(
        world.devices[1].place_of(TWO),
        Some(world.devices[1].transcript(&blog, TWO))
    );
}

/// An outdated search was begun again at once, and a disk that did not answer held up the loop.
#[test]
fn what_is_learnt_while_the_disk_is_asked_is_kept_with_what_it_answers() {
    let (mut world, _, _) = World::pair_of_devices();
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    says(&mut world, 0, &shop, ONE, "of shop");
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));
    let there = from_starter(&world.devices[1], "my shop", Some(SHOP));
    let blog = from_starter(&world.devices[1], "blog", Some(BLOG));
    let lap = &mut world.devices[1];
    lap.set_clock(lap.clock_now() + 60_000);
    lap.tell(Event::Poll);
    assert_eq!(
        lap.waits_for(ONE).as_deref(),
        Some("no_place"),
        "nothing was asked of the disk on the loop"
    );
    // The session of blog becomes known before the search is over.
    let path = lap.transcript(&blog, TWO);
    lap.append(&path, turn(&blog, TWO, "of blog").as_bytes());
    lap.tell(Event::Touched(vec![path]));
    lap.settle();
    assert_eq!(lap.place_of(ONE), Some(lap.transcript(&there, ONE)));
    let rows: Vec<ProjectRow> = lap.ask(Request::Projects);
    let places = |key: &str| {
        rows.iter()
            .find(|row| row.key == key)
            .map(|row| row.places.clone())
    };
    assert_eq!(places("git:github.com/acme/blog"), Some(vec![blog]));
    assert_eq!(places("git:github.com/acme/shop"), Some(vec![there]));
}

/// The search for a missing project becomes ever less frequent, but runs at once when directories
/// appear.
#[test]
fn a_checkout_is_found_with_the_next_look_however_long_it_was_missing() {
    let (mut world, _, _) = World::pair_of_devices();
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    says(&mut world, 0, &shop, ONE, "of shop");
    let lap = &mut world.devices[1];
    for _ in 0..20 {
        lap.set_clock(lap.clock_now() + 30_000);
        lap.poll();
    }
    assert_eq!(lap.waits_for(ONE).as_deref(), Some("no_place"));
    let there = from_starter(lap, "shop", Some(SHOP));
    lap.set_clock(lap.clock_now() + 30_000);
    lap.poll();
    assert_eq!(lap.place_of(ONE), Some(lap.transcript(&there, ONE)));
}

/// The disk was never asked again.
#[test]
fn a_check_and_a_search_that_panicked_are_begun_again() {
    let (mut world, _, _) = World::pair_of_devices();
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    says(&mut world, 0, &shop, ONE, "of shop");
    let lap = &mut world.devices[1];
    let there = from_starter(lap, "shop", Some(SHOP));
    lap.set_clock(lap.clock_now() + 30_000);
    lap.tell(Event::Poll);
    lap.settle_without(|event| matches!(event, Event::PlacesChecked(_) | Event::Searched(_)));
    assert_eq!(lap.waits_for(ONE).as_deref(), Some("no_place"));
    assert!(lap.has_problem("internal"));
    lap.set_clock(lap.clock_now() + 30_000);
    lap.poll();
    assert_eq!(lap.place_of(ONE), Some(lap.transcript(&there, ONE)));
}

/// The user can undo a correction, and the user's later decision counts again.
#[test]
fn a_move_is_taken_back_by_undo_until_the_project_is_mapped() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    let plain = from_starter(&world.devices[1], "plain", None);
    says(&mut world, 1, &plain, TWO, "of plain");
    says(&mut world, 0, &shop, ONE, "of shop");
    let refused = world.devices[1]
        .try_ask(Request::Undo {
            session: Some(ONE.into()),
        })
        .expect_err("nothing moved");
    assert_eq!(refused.code.as_str(), "nothing_to_undo");
    // By the session's id, which `roam history` takes.
    assert_eq!(
        refused.actions,
        [Remedy::OpenHistory {
            session: ONE.into()
        }]
    );
    git(&plain, &["remote", "add", "origin", BLOG]);
    let there = from_starter(&world.devices[1], "shop", Some(SHOP));
    world.devices[1].start();
    world.devices[1].poll();
    let [in_plain, in_shop] =
        [&plain, &there].map(|dir| Some(world.devices[1].transcript(dir, ONE)));
    assert_eq!(world.devices[1].place_of(ONE), in_shop);

    for place in [&in_plain, &in_shop, &in_plain] {
        let _: Done = world.devices[1].ask(Request::Undo {
            session: Some(ONE.into()),
        });
        world.deliver();
        assert_eq!(world.devices[1].place_of(ONE), *place);
        says(&mut world, 0, &shop, ONE, "goes on");
        world.devices[1].start();
        world.devices[1].poll();
        world.deliver();
        assert_eq!(world.devices[1].place_of(ONE), *place, "it stays there");
        assert_carried(&world.devices[0], &world.devices[1], ONE);
    }
    // Another session of the project is not moved along.
    const THREE: &str = "33333333-3333-4333-8333-333333333333";
    says(&mut world, 0, &shop, THREE, "another one");
    assert_eq!(
        world.devices[1].place_of(THREE),
        Some(world.devices[1].transcript(&there, THREE))
    );

    let new = world.devices[1].home.join("new");
    fs::create_dir_all(&new).expect("dir");
    let _: Done = world.devices[1].ask(Request::ProjectMap {
        key: "acme/shop".into(),
        dir: new.clone(),
    });
    world.deliver();
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&new, ONE))
    );

    // The directory it came from is gone: the user is told, and nothing moves.
    let _: Done = world.devices[1].ask(Request::ProjectMap {
        key: "acme/shop".into(),
        dir: there.clone(),
    });
    world.deliver();
    fs::remove_dir_all(&new).expect("remove");
    let refused = world.devices[1]
        .try_ask(Request::Undo {
            session: Some(ONE.into()),
        })
        .expect_err("it is gone");
    assert_eq!(refused.code.as_str(), "no_such_directory");
    assert_eq!(world.devices[1].place_of(ONE), in_shop);
}

/// The engine was killed after it took a session out of one directory and before it wrote it to the
/// other one: it counted as deleted by the user.
#[test]
fn a_session_whose_move_was_interrupted_by_a_kill_arrives_in_its_new_place() {
    let (mut world, _, _) = World::pair_of_devices();
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    let there = from_starter(&world.devices[1], "my shop", Some(SHOP));
    says(&mut world, 0, &shop, ONE, "of shop");
    let lap = &mut world.devices[1];
    let old = lap.transcript(&there, ONE);
    assert_eq!(lap.place_of(ONE).as_ref(), Some(&old));
    let new = lap.home.join("new");
    fs::create_dir_all(&new).expect("dir");
    let mapping = Request::ProjectMap {
        key: "acme/shop".into(),
        dir: new.clone(),
    };
    lap.tell(Event::Request(mapping, Box::new(|_| {})));
    while !session_roam_core::settings::load(&lap.roam)
        .expect("settings")
        .projects
        .map
        .values()
        .any(|dir| Path::new(dir).ends_with("new"))
    {
        assert!(lap.work(), "the project is mapped");
    }
    // What is on the disk between the removal and the write.
    lap.stop();
    fs::remove_file(&old).expect("taken out");
    lap.start();
    lap.poll();
    assert_eq!(lap.place_of(ONE), Some(lap.transcript(&new, ONE)));
    assert_eq!(lap.state_of(ONE), "here");
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    // What the user deletes where it belongs stays deleted.
    let lap = &mut world.devices[1];
    fs::remove_file(lap.transcript(&new, ONE)).expect("deleted");
    lap.start();
    lap.poll();
    assert_eq!(lap.place_of(ONE), None);
    let _: Done = lap.ask(Request::ProjectMap {
        key: "acme/shop".into(),
        dir: there.clone(),
    });
    lap.poll();
    assert_eq!(lap.place_of(ONE), None, "also when the project moves again");
}

/// The same for a move that the user takes back: where the session belongs was saved with the move.
#[test]
fn a_move_back_that_was_interrupted_by_a_kill_arrives_too() {
    let (mut world, _, _) = World::pair_of_devices();
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    let there = from_starter(&world.devices[1], "my shop", Some(SHOP));
    says(&mut world, 0, &shop, ONE, "of shop");
    let lap = &mut world.devices[1];
    let new = lap.home.join("new");
    fs::create_dir_all(&new).expect("dir");
    let _: Done = lap.ask(Request::ProjectMap {
        key: "acme/shop".into(),
        dir: new.clone(),
    });
    let moved = lap.transcript(&new, ONE);
    assert_eq!(lap.place_of(ONE).as_ref(), Some(&moved));
    let undo = Request::Undo {
        session: Some(ONE.into()),
    };
    lap.tell(Event::Request(undo, Box::new(|_| {})));
    assert!(lap.work(), "the undo is recorded");
    lap.stop();
    fs::remove_file(&moved).expect("taken out");
    lap.start();
    lap.poll();
    assert_eq!(lap.place_of(ONE), Some(lap.transcript(&there, ONE)));
}

/// Every directory that a session was ever written for was looked up on disk at every poll, for
/// ever.
#[test]
fn a_directory_that_its_sessions_have_left_is_asked_about_no_more() {
    let (mut world, _, _) = World::pair_of_devices();
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    let there = from_starter(&world.devices[1], "my shop", Some(SHOP));
    let path = world.devices[1].transcript(&there, TWO);
    world.devices[1].say(&path, turn(&there, TWO, "it is known here"));
    says(&mut world, 0, &shop, ONE, "of shop");
    let lap = &mut world.devices[1];
    let given = |lap: &mut Device| {
        lap.stop();
        let (state, _) = session_roam_core::state::State::open(&lap.roam).expect("state");
        let places: serde_json::Value = state.note("places").expect("note").expect("places");
        drop(state);
        lap.start();
        places["given"].to_string()
    };
    assert!(given(lap).contains("my shop"));
    let moved = lap.home.join("code/moved");
    fs::rename(&there, &moved).expect("rename");
    for _ in 0..3 {
        lap.set_clock(lap.clock_now() + 30_000);
        lap.poll();
    }
    assert_eq!(lap.place_of(ONE), Some(lap.transcript(&moved, ONE)));
    let given = given(lap);
    assert!(
        given.contains("moved") && !given.contains("my shop"),
        "{given}"
    );
}

/// Field 03: a session that an older version, or a weaker sign, put into another repository's store
/// does not stay there.
#[test]
fn a_session_leaves_a_repository_that_turns_out_to_be_another() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    // Without a remote nothing contradicts the oldest commit.
    let plain = from_starter(&world.devices[1], "plain", None);
    says(&mut world, 1, &plain, TWO, "of plain");
    says(&mut world, 0, &shop, ONE, "of shop");
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&plain, ONE))
    );

    git(&plain, &["remote", "add", "origin", BLOG]);
    world.devices[1].poll();
    assert_eq!(world.devices[1].place_of(ONE), None);
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));
    let history: Vec<session_roam_core::api::HistoryRow> = world.devices[1].ask(Request::History {
        session: Some(ONE.into()),
    });
    assert!(
        history.iter().any(|row| row.what == HistoryKind::Moved),
        "{history:?}"
    );
    // Later messages are not lost, and the session arrives where it belongs.
    says(&mut world, 0, &shop, ONE, "more");
    let there = from_starter(&world.devices[1], "shop", Some(SHOP));
    world.devices[1].start();
    world.devices[1].poll();
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&there, ONE))
    );
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_eq!(
        world.devices[0].state_of(ONE),
        "here",
        "nobody took that for a deletion"
    );
}

/// A sibling of field 03: a session without a remote waits where its oldest commit is that of a
/// repository with one.
#[test]
fn a_repository_without_remote_is_no_repository_with_one() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let plain = from_starter(&world.devices[0], "plain", None);
    from_starter(&world.devices[1], "plain", Some(BLOG));
    says(&mut world, 0, &plain, ONE, "of plain");
    assert_eq!(world.devices[1].place_of(ONE), None);
}

/// A sibling of field 03: both keep the starter as a second remote.
#[test]
fn a_second_remote_in_common_makes_no_two_repositories_one() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    let blog = from_starter(&world.devices[1], "blog", Some(BLOG));
    for dir in [&shop, &blog] {
        git(
            dir,
            &[
                "remote",
                "add",
                "upstream",
                "git@github.com:acme/starter.git",
            ],
        );
    }
    says(&mut world, 1, &blog, TWO, "of blog");
    says(&mut world, 0, &shop, ONE, "of shop");
    assert_eq!(world.devices[1].place_of(ONE), None);
}

/// A sibling of field 03: the starter itself is checked out, and its children keep it as a remote.
#[test]
fn a_starters_own_checkout_and_its_childrens_sessions_are_never_mixed() {
    const STARTER: &str = "git@github.com:acme/starter.git";
    let upstream = |dir: &Path| drop(git(dir, &["remote", "add", "upstream", STARTER]));
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    let own = from_starter(&world.devices[0], "starter", Some(STARTER));
    upstream(&shop);
    let there = from_starter(&world.devices[1], "starter", Some(STARTER));
    says(&mut world, 1, &there, &id(1), "of the starter there");
    says(&mut world, 0, &shop, ONE, "of shop");
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));
    // A child with the starter's directory name is no place for the starter's sessions, either.
    fs::remove_dir_all(&there).expect("remove");
    let child = from_starter(&world.devices[1], "starter", Some(BLOG));
    upstream(&child);
    says(&mut world, 1, &child, &id(2), "of the child");
    says(&mut world, 0, &own, TWO, "of the starter");
    assert_eq!(world.devices[1].waits_for(TWO).as_deref(), Some("no_place"));
    let again = from_starter(&world.devices[1], "elsewhere", Some(STARTER));
    world.devices[1].start();
    world.devices[1].poll();
    assert_eq!(
        world.devices[1].place_of(TWO),
        Some(world.devices[1].transcript(&again, TWO))
    );
}

/// `gh repo fork` makes the fork `origin` and what it was forked from `upstream`: devices that have
/// the fork alone never learnt of it.
#[test]
fn a_fork_that_is_made_later_is_told_to_the_devices_that_have_the_fork_alone() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let here = from_starter(&world.devices[0], "shop", Some(SHOP));
    const FORK: &str = "git@github.com:me/shop.git";
    let there = from_starter(&world.devices[1], "shop", Some(FORK));
    says(&mut world, 0, &here, ONE, "hello");
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));
    git(&here, &["remote", "rename", "origin", "upstream"]);
    git(&here, &["remote", "add", "origin", FORK]);
    world.devices[0].start();
    world.devices[0].poll();
    world.deliver();
    let lap = &mut world.devices[1];
    lap.set_clock(lap.clock_now() + 60_000);
    lap.poll();
    assert_eq!(lap.place_of(ONE), Some(lap.transcript(&there, ONE)));
}

/// The laptop's checkout has the former remote: the session was taken out of its store, and waited
/// until somebody changed the remote there, too.
#[test]
fn a_remote_that_its_author_renames_takes_no_session_out_of_another_devices_store() {
    const STORE: &str = "git@github.com:newco/store.git";
    type Change = dyn Fn(&Path);
    let renamed: &Change = &|dir| drop(git(dir, &["remote", "set-url", "origin", STORE]));
    let forked: &Change = &|dir| {
        git(dir, &["remote", "rename", "origin", "upstream"]);
        git(dir, &["remote", "add", "origin", STORE]);
    };
    for (name, change) in [("renamed", renamed), ("forked under a new name", forked)] {
        let mut world = World::devices(["desk", "lap", "vm"]);
        world.pair(0, 1);
        world.pair(0, 2);
        let here = from_starter(&world.devices[0], "shop", Some(SHOP));
        let there = from_starter(&world.devices[1], "shop", Some(SHOP));
        says(&mut world, 0, &here, ONE, "hello");
        let placed = Some(world.devices[1].transcript(&there, ONE));
        assert_eq!(world.devices[1].place_of(ONE), placed, "{name}");
        change(&here);
        world.devices[0].start();
        says(&mut world, 0, &here, ONE, "more");
        let renamed = &world.devices[1].sessions()[0].project;
        assert_eq!(renamed, "git:github.com/newco/store", "{name}");
        // A device that gets the session now has it, too.
        let third = from_starter(&world.devices[2], "shop", Some(SHOP));
        for device in &mut world.devices[1..] {
            device.start();
            device.poll();
        }
        assert_eq!(world.devices[1].place_of(ONE), placed, "{name}");
        assert_carried(&world.devices[0], &world.devices[1], ONE);
        let vm = &world.devices[2];
        assert_eq!(vm.place_of(ONE), Some(vm.transcript(&third, ONE)), "{name}");
        // What began under the new name was never of the former repository.
        let path = world.devices[0].transcript(&here, TWO);
        world.devices[0].say(&path, turn(&here, TWO, "begun later"));
        world.deliver();
        assert_eq!(
            world.devices[1].waits_for(TWO).as_deref(),
            Some("no_place"),
            "{name}"
        );
        // Another repository has it no longer, and the one of the new name gets it.
        let lap = &mut world.devices[1];
        git(&there, &["remote", "set-url", "origin", BLOG]);
        lap.poll();
        assert_eq!(lap.waits_for(ONE).as_deref(), Some("no_place"), "{name}");
        let own = from_starter(lap, "store", Some(STORE));
        lap.set_clock(lap.clock_now() + 60_000);
        lap.start();
        lap.poll();
        assert_eq!(lap.place_of(ONE), Some(lap.transcript(&own, ONE)), "{name}");
    }
}

/// Nothing was written to the laptop between the rename and the change of its own checkout.
#[test]
fn a_session_whose_author_renamed_its_project_leaves_a_checkout_that_becomes_another_one() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let here = from_starter(&world.devices[0], "shop", Some(SHOP));
    let there = from_starter(&world.devices[1], "shop", Some(SHOP));
    says(&mut world, 0, &here, ONE, "hello");
    let store = "git@github.com:newco/store.git";
    git(&here, &["remote", "set-url", "origin", store]);
    world.devices[0].start();
    world.devices[0].poll();
    world.deliver();
    let lap = &mut world.devices[1];
    assert_eq!(lap.sessions()[0].project, "git:github.com/newco/store");
    assert_eq!(lap.place_of(ONE), Some(lap.transcript(&there, ONE)));
    // Cloned again elsewhere by the former address.
    fs::remove_dir_all(&there).expect("remove");
    let again = from_starter(lap, "again", Some(SHOP));
    lap.set_clock(lap.clock_now() + 60_000);
    lap.poll();
    lap.set_clock(lap.clock_now() + 60_000);
    lap.poll();
    assert_eq!(lap.place_of(ONE), Some(lap.transcript(&again, ONE)));
    git(&again, &["remote", "set-url", "origin", BLOG]);
    lap.poll();
    assert_eq!(lap.waits_for(ONE).as_deref(), Some("no_place"));
    assert_eq!(lap.place_of(ONE), None);
}

/// A remote set by mistake must not open another repository's store to the session.
#[test]
fn a_remote_that_was_set_by_mistake_and_set_back_is_no_former_one() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let here = from_starter(&world.devices[0], "shop", Some(SHOP));
    let blog = from_starter(&world.devices[1], "blog", Some(BLOG));
    says(&mut world, 1, &blog, TWO, "of blog");
    says(&mut world, 0, &here, ONE, "of shop");
    for (remote, is_there) in [(BLOG, true), (SHOP, false)] {
        git(&here, &["remote", "set-url", "origin", remote]);
        world.devices[0].start();
        world.devices[0].poll();
        world.deliver();
        world.devices[1].start();
        world.devices[1].poll();
        let placed = world.devices[1].place_of(ONE).is_some();
        assert_eq!(placed, is_there, "{remote}");
    }
}

/// The same as a fork under a new name, but for the name of the directory.
#[test]
fn a_session_of_what_is_made_from_a_starter_leaves_the_starter() {
    const STARTER: &str = "git@github.com:acme/starter.git";
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let here = from_starter(&world.devices[0], "shop", Some(STARTER));
    let there = from_starter(&world.devices[1], "starter", Some(STARTER));
    says(&mut world, 0, &here, ONE, "make a shop of it");
    let placed = Some(world.devices[1].transcript(&there, ONE));
    assert_eq!(world.devices[1].place_of(ONE), placed);
    git(&here, &["remote", "rename", "origin", "upstream"]);
    git(&here, &["remote", "add", "origin", SHOP]);
    world.devices[0].start();
    says(&mut world, 0, &here, ONE, "more");
    world.devices[1].start();
    world.devices[1].poll();
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));
    assert_eq!(world.devices[1].place_of(ONE), None);
}

// ---- directories that are gone ----

fn resumes_in(device: &mut Device, session: &str) -> PathBuf {
    let resume: Resume = device.ask(Request::Resume {
        session: session.into(),
    });
    resume.cwd
}

/// A session that the tool wrote before session-roam first started.
fn wrote_before(device: &Device, cwd: &Path, session: &str, branch: &str) {
    let branch = format!("\"gitBranch\":\"{branch}\",\"sessionId\"");
    let line = turn(cwd, session, "before").replace("\"sessionId\"", &branch);
    device.append(&device.transcript(cwd, session), line.as_bytes());
}

/// Field 01: a worktree that was removed after its session, inside the checkout and beside it.
#[test]
fn a_session_of_a_removed_worktree_opens_in_its_repositorys_checkout() {
    for inside in [true, false] {
        let mut world = World::asleep(["desk", "lap"]);
        let api = from_starter(&world.devices[0], "api", Some(SHOP));
        let tree = if inside {
            api.join(".claude/worktrees/fix")
        } else {
            api.with_file_name("api-fix")
        };
        git(
            &api,
            &[
                "worktree",
                "add",
                "-q",
                "-b",
                "fix",
                &tree.to_string_lossy(),
            ],
        );
        wrote_before(&world.devices[0], &tree, ONE, "fix");
        git(&api, &["worktree", "remove", &tree.to_string_lossy()]);
        let there = from_starter(&world.devices[1], "work/shop", Some(SHOP));
        world.devices.iter_mut().for_each(Device::start);
        world.pair(0, 1);
        world.devices[0].poll();
        world.deliver();
        assert_eq!(
            world.devices[1].place_of(ONE),
            Some(world.devices[1].transcript(&there, ONE)),
            "inside: {inside}"
        );
        assert_eq!(resumes_in(&mut world.devices[0], ONE), api);
        assert_eq!(resumes_in(&mut world.devices[1], ONE), there);
        let resume: Resume = world.devices[0].ask(Request::Resume {
            session: ONE.into(),
        });
        assert!(
            resume
                .remarks
                .iter()
                .any(|remark| remark.code == session_roam_core::api::RemarkCode::DirectoryGone),
            "{:?}",
            resume.remarks
        );
    }
}

/// Field 01: nothing shows what the directory was; the tool still resumes its session.
#[test]
fn a_session_of_a_directory_that_nobody_knows_any_more_can_be_resumed_where_it_began() {
    let mut world = World::devices(["desk"]);
    let gone = world.devices[0].home.join("code/gone");
    says(&mut world, 0, &gone, ONE, "hello");
    assert_eq!(
        resumes_in(&mut world.devices[0], ONE),
        world.devices[0].home.join("code")
    );
}

/// Field 02: the tool's own worktree was cleaned up, and its records name the repository.
#[test]
fn a_repository_that_the_records_name_is_found_by_that_url() {
    let mut world = World::asleep(["desk", "lap"]);
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    let there = from_starter(&world.devices[1], "work/shop", Some(SHOP));
    let gone = world.devices[0].home.join(".codex/worktrees/ab12/shop");
    let git =
        format!("\"git\":{{\"branch\":\"fix\",\"repository_url\":\"{SHOP}\"}},\"cli_version\"");
    let path = world.devices[0].rollout(ONE);
    let text = meta(&gone, ONE).replace("\"cli_version\"", &git) + &item("hello");
    world.devices[0].append(&path, text.as_bytes());
    world.devices.iter_mut().for_each(Device::start);
    world.pair(0, 1);
    assert_eq!(
        world.devices[1].row(ONE).expect("a row").project,
        "git:github.com/acme/shop"
    );
    assert_eq!(resumes_in(&mut world.devices[1], ONE), there);
    assert_eq!(
        resumes_in(&mut world.devices[0], ONE),
        shop,
        "before any poll"
    );
}

/// A sibling of field 02: another repository is in the session's directory, and the records name
/// the right one.
#[test]
fn a_directory_that_holds_another_repository_now_is_not_the_sessions() {
    let mut world = World::asleep(["desk", "lap"]);
    let cwd = from_starter(&world.devices[0], "site", Some(BLOG));
    let git = format!("\"git\":{{\"repository_url\":\"{SHOP}\"}},\"cli_version\"");
    let path = world.devices[0].rollout(ONE);
    let text = meta(&cwd, ONE).replace("\"cli_version\"", &git) + &item("hello");
    world.devices[0].append(&path, text.as_bytes());
    from_starter(&world.devices[1], "blog", Some(BLOG));
    world.devices.iter_mut().for_each(Device::start);
    world.pair(0, 1);
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));
}

/// Siblings of 06 on the device that received the session: its checkout was renamed, then removed
/// and cloned again. Resuming finds it, however long ago checkouts were last searched for.
#[test]
fn a_session_of_another_device_opens_wherever_its_checkout_is_now() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    let there = from_starter(&world.devices[1], "shop", Some(SHOP));
    says(&mut world, 0, &shop, ONE, "hello");
    let lap = &mut world.devices[1];
    assert_eq!(resumes_in(lap, ONE), there);
    let renamed = there.with_file_name("shop-renamed");
    fs::rename(&there, &renamed).expect("rename");
    assert_eq!(resumes_in(lap, ONE), renamed);
    fs::remove_dir_all(&renamed).expect("removed");
    let refused = lap.try_ask(Request::Resume {
        session: ONE.into(),
    });
    let refused = refused.expect_err("nowhere");
    assert_eq!(refused.code.as_str(), "no_place");
    assert!(refused.message.contains("“hello”"), "{refused:?}");
    let again = from_starter(lap, "deep/er/shop-again", Some(SHOP));
    assert_eq!(resumes_in(lap, ONE), again);
}

/// Field 06: the directory was renamed, and the tool's directory with it.
#[test]
fn a_session_belongs_to_the_directory_that_its_own_was_renamed_to() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let old = world.devices[0].home.join("code/old");
    fs::create_dir_all(&old).expect("dir");
    says(&mut world, 0, &old, ONE, "hello");
    let (new, there) = (
        old.with_file_name("new"),
        world.devices[1].home.join("code/new"),
    );
    fs::rename(&old, &new).expect("rename");
    fs::rename(
        world.devices[0].slug_dir(&old),
        world.devices[0].slug_dir(&new),
    )
    .expect("rename");
    fs::create_dir_all(&there).expect("dir");
    says(&mut world, 1, &there, TWO, "of the lap's own");
    let moved = world.devices[0].transcript(&new, ONE);
    world.devices[0].touch(&moved);
    world.devices[0].poll();
    world.deliver();
    assert_eq!(
        world.devices[0].row(ONE).expect("a row").project,
        "home:code/new"
    );
    assert_eq!(resumes_in(&mut world.devices[0], ONE), new);
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&there, ONE))
    );
}

/// Kind 2: later knowledge corrects an earlier assumption, on every device alike.
#[test]
fn a_remote_that_is_added_later_finds_the_sessions_that_waited() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let plain = from_starter(&world.devices[0], "plain", None);
    let there = from_starter(&world.devices[1], "shop", Some(SHOP));
    says(&mut world, 1, &there, TWO, "of shop");
    says(&mut world, 0, &plain, ONE, "hello");
    assert_eq!(world.devices[1].place_of(ONE), None);
    git(&plain, &["remote", "add", "origin", SHOP]);
    // An answer about a directory is cached for five seconds; a restart asks again.
    world.devices[0].start();
    world.devices[0].poll();
    world.deliver();
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&there, ONE))
    );
    for device in &mut world.devices {
        assert_eq!(
            device.row(ONE).expect("a row").project,
            "git:github.com/acme/shop",
            "{}",
            device.name
        );
    }
}

/// Field 04: two clones of one remote under the same names on both devices.
#[test]
fn of_two_clones_the_one_of_the_same_name_is_taken() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let names = ["work/api", "play/api", "api-review"];
    let [here, there] = [0, 1].map(|at| names.map(|name| world.devices[at].project(name, SHOP)));
    for (number, dir) in there.iter().enumerate() {
        says(&mut world, 1, dir, &id(100 + number), "of the lap's own");
    }
    for (number, dir) in here.iter().enumerate() {
        says(&mut world, 0, dir, &id(number), "hello");
    }
    for (number, dir) in there.iter().enumerate() {
        assert_eq!(
            world.devices[1].place_of(&id(number)),
            Some(world.devices[1].transcript(dir, &id(number)))
        );
    }
}

/// Field, kind 4: `roam projects map` accepted any key, reported success, and moved nothing.
#[test]
fn a_project_is_mapped_by_any_of_its_names_and_what_was_written_elsewhere_moves() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let here = world.devices[0].project("shop", SHOP);
    says(&mut world, 0, &here, ONE, "hello");
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));
    let lap = &mut world.devices[1];
    let dirs: Vec<PathBuf> = ["one", "two", "three"]
        .iter()
        .map(|name| lap.home.join(name))
        .collect();
    dirs.iter()
        .for_each(|dir| fs::create_dir_all(dir).expect("dir"));
    let map = |key: &str, dir: &Path| Request::ProjectMap {
        key: key.into(),
        dir: dir.into(),
    };
    for (said, code) in [
        ("acme/shp", "no_such_project"),
        ("https://h.example/x/y", "no_such_project"),
        ("", "no_remote"),
    ] {
        let refused = lap
            .try_ask(map(said, &dirs[0]))
            .expect_err("it fits nothing");
        assert_eq!(refused.code.as_str(), code, "{said}");
        let suggests = refused.hint.contains("“git:github.com/acme/shop”");
        assert_eq!(
            suggests,
            said != "https://h.example/x/y",
            "{}",
            refused.hint
        );
    }
    // A directory inside that no session has, and that does not exist, is a typo.
    let as_url = lap.project("elsewhere", SHOP);
    fs::create_dir(as_url.join("web")).expect("dir");
    let refused = lap
        .try_ask(map("git:github.com/acme/shop#wbe", &as_url))
        .expect_err("there is none");
    assert_eq!(refused.code.as_str(), "no_such_project");
    assert!(
        refused.hint.contains("“git:github.com/acme/shop”"),
        "{}",
        refused.hint
    );
    let _: Done = lap.ask(map("git:github.com/acme/shop#web", &as_url.join("web")));
    let ways = [
        ("Acme/Shop", &dirs[0]),
        ("https://github.com/acme/shop.git", &dirs[1]),
        ("shop", &dirs[2]),
        ("git:github.com/acme/shop", &dirs[0]),
        ("", &as_url),
    ];
    for (said, dir) in ways {
        let _: Done = world.devices[1].ask(map(said, dir));
        world.deliver();
        assert_eq!(
            world.devices[1].place_of(ONE),
            Some(world.devices[1].transcript(dir, ONE)),
            "{said}"
        );
        assert_carried(&world.devices[0], &world.devices[1], ONE);
        assert_eq!(
            world.devices[1].stores().len(),
            1,
            "{said}: nothing is left where it was"
        );
    }
    // Two of one name: neither is mistaken for the other.
    let other = world.devices[0].project("other/shop", "git@github.com:rival/shop.git");
    says(&mut world, 0, &other, TWO, "hello");
    let refused = world.devices[1]
        .try_ask(map("shop", &dirs[0]))
        .expect_err("which one");
    assert_eq!(refused.code.as_str(), "ambiguous");
    assert!(
        refused.hint.contains("acme/shop") && refused.hint.contains("rival/shop"),
        "{}",
        refused.hint
    );
    // A checkout of another repository is accepted because the user asks for it, and the answer
    // names that repository.
    let blog = world.devices[1].project("blog", BLOG);
    let said: Done = world.devices[1].ask(map("rival/shop", &blog));
    assert!(
        said.message.contains("github.com/acme/blog"),
        "{}",
        said.message
    );
    world.deliver();
    assert_eq!(
        world.devices[1].place_of(TWO),
        Some(world.devices[1].transcript(&blog, TWO))
    );
}

/// A sibling of field 03: another repository from the same starter was cloned into the place of the
/// session's.
#[test]
fn a_repository_cloned_where_another_one_lay_does_not_take_its_sessions() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let here = from_starter(&world.devices[0], "work", Some(SHOP));
    let (shop, _blog) = (
        from_starter(&world.devices[1], "shop", Some(SHOP)),
        from_starter(&world.devices[1], "blog", Some(BLOG)),
    );
    says(&mut world, 0, &here, ONE, "of shop");
    fs::remove_dir_all(&here).expect("remove");
    from_starter(&world.devices[0], "work", Some(BLOG));
    world.devices[0].start();
    world.devices[0].poll();
    world.deliver();
    says(&mut world, 0, &here, ONE, "still of shop");
    assert_eq!(
        world.devices[1].row(ONE).expect("a row").project,
        "git:github.com/acme/shop"
    );
    assert_eq!(
        world.devices[1].place_of(ONE),
        Some(world.devices[1].transcript(&shop, ONE))
    );
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

// ---- copied stores ----

/// A user copied the store to a new machine before session-roam ran there. The directory that its
/// sessions name is not there, and its card counted as much as the first device's: a third device
/// took half of the sessions out of its checkout, and the new one opened them in its home directory.
#[test]
fn a_copied_store_takes_no_session_out_and_opens_in_its_repositorys_checkout() {
    let mut world = World::devices(["desk", "new", "lap"]);
    let here = world.devices[0].project("api", SHOP);
    let there = world.devices[2].project("api", SHOP);
    world.pair(0, 2);
    let sessions: Vec<String> = (0..16).map(id).collect();
    for session in &sessions {
        says(&mut world, 0, &here, session, "hello");
    }
    // All devices of a story share a disk: the new one must not find the desk's directory on it.
    fs::rename(&here, here.with_file_name("api-moved")).expect("moved");
    for session in &sessions {
        let bytes = fs::read(world.devices[0].transcript(&here, session)).expect("text");
        world.devices[1].append(&world.devices[1].transcript(&here, session), &bytes);
    }
    world.devices[1].poll();
    let row = world.devices[1].row(&sessions[0]).expect("a row");
    assert!(row.project.starts_with("device:"), "{}", row.project);
    assert!(resumes_in(&mut world.devices[1], &sessions[0]).is_dir());
    let checkout = world.devices[1].project("work/shop", SHOP);
    for other in [0, 2] {
        world.pair(1, other);
    }
    for device in &mut world.devices {
        device.start();
        device.poll();
    }
    world.deliver();
    for session in &sessions {
        let lap = &mut world.devices[2];
        assert_eq!(lap.state_of(session), "here");
        assert_eq!(lap.place_of(session), Some(lap.transcript(&there, session)));
        for device in &mut world.devices {
            let row = device.row(session).expect("a row");
            assert_eq!(row.project, "git:github.com/acme/shop", "{}", device.name);
            assert_eq!(row.state.to_string(), "here", "{}", device.name);
        }
        assert_eq!(resumes_in(&mut world.devices[1], session), checkout);
    }
}
