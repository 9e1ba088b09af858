//! Which directory a session belongs to, on every device: repositories that look alike, clones, worktrees, directories that
//! were renamed or removed.

use crate::talk::{ONE, TWO, assert_carried, turn};
use crate::world::{Device, World};
use session_roam_core::api::Request;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs git without the settings of whoever runs the tests; commits have the same hash everywhere.
fn git(dir: &Path, args: &[&str]) {
    let mut git = Command::new("git");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        git.env_remove(name);
    }
    let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
    git.env("GIT_CONFIG_GLOBAL", nowhere).env("GIT_CONFIG_NOSYSTEM", "1");
    git.env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z").env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z");
    git.arg("-C").arg(dir).args([
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "-c",
        "init.defaultBranch=main",
    ]);
    let output = git.args(args).output().expect("git is needed for these tests");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository below `~/code` that was made from the one starter there is: the same oldest commit, its own remote.
fn from_starter(device: &Device, dir: &str, remote: Option<&str>) -> PathBuf {
    let work_tree = device.home.join("code").join(dir);
    fs::create_dir_all(&work_tree).expect("dir");
    git(&work_tree, &["init", "-q"]);
    git(&work_tree, &["commit", "-q", "--allow-empty", "-m", "the starter"]);
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

/// Field 03: the oldest commit outvoted the remote, and acme/shop's session was written into acme/blog's store.
#[test]
fn two_repositories_from_one_starter_are_never_mixed() {
    let mut world = World::devices(["desk", "lap", "vm"]);
    world.pair(0, 1);
    world.pair(0, 2);
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    let blog = from_starter(&world.devices[1], "blog", Some(BLOG));
    // Also where blog is known well.
    says(&mut world, 1, &blog, TWO, "of blog");
    says(&mut world, 0, &shop, ONE, "of shop");
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));
    assert_eq!(world.devices[1].place_of(ONE), None);
    assert_eq!(world.devices[0].waits_for(TWO).as_deref(), Some("no_place"));
    assert_eq!(world.devices[2].waits_for(ONE).as_deref(), Some("no_place"));

    let there = from_starter(&world.devices[1], "my shop", Some(SHOP));
    world.devices[1].start();
    world.devices[1].poll();
    assert_eq!(world.devices[1].place_of(ONE), Some(world.devices[1].transcript(&there, ONE)));
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_eq!(world.devices[1].place_of(TWO), Some(world.devices[1].transcript(&blog, TWO)));
}

/// Field 03: what an older version, or a weaker sign, put into another repository's store does not stay there.
#[test]
fn a_session_leaves_a_repository_that_turns_out_to_be_another() {
    let mut world = World::devices(["desk", "lap"]);
    world.pair(0, 1);
    let shop = from_starter(&world.devices[0], "shop", Some(SHOP));
    // Without a remote nothing contradicts the oldest commit.
    let plain = from_starter(&world.devices[1], "plain", None);
    says(&mut world, 1, &plain, TWO, "of plain");
    says(&mut world, 0, &shop, ONE, "of shop");
    assert_eq!(world.devices[1].place_of(ONE), Some(world.devices[1].transcript(&plain, ONE)));

    git(&plain, &["remote", "add", "origin", BLOG]);
    world.devices[1].poll();
    assert_eq!(world.devices[1].place_of(ONE), None);
    assert_eq!(world.devices[1].waits_for(ONE).as_deref(), Some("no_place"));
    let history: Vec<session_roam_core::api::HistoryRow> =
        world.devices[1].ask(Request::History { session: Some(ONE.into()) });
    assert!(history.iter().any(|row| row.what == "moved"), "{history:?}");
    // What is said meanwhile is not lost, and it comes where it belongs.
    says(&mut world, 0, &shop, ONE, "more");
    let there = from_starter(&world.devices[1], "shop", Some(SHOP));
    world.devices[1].start();
    world.devices[1].poll();
    assert_eq!(world.devices[1].place_of(ONE), Some(world.devices[1].transcript(&there, ONE)));
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_eq!(world.devices[0].state_of(ONE), "here", "nobody took that for a deletion");
}

/// A sibling of field 03: a session without a remote waits where its oldest commit is that of a repository with one.
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
        git(dir, &["remote", "add", "upstream", "git@github.com:acme/starter.git"]);
    }
    says(&mut world, 1, &blog, TWO, "of blog");
    says(&mut world, 0, &shop, ONE, "of shop");
    assert_eq!(world.devices[1].place_of(ONE), None);
}
