//! Generated repositories and states: whatever a user did, the other checkout shows the same status,
//! index and trees, the first is untouched to the byte, and undo is exact. A hundred cases;
//! `SESSION_ROAM_TREES=1000` for more.

mod support;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use session_roam_code::{
    Have, Limits, ObjectId, PackLimits, Plan, Received, apply, compare, pack, receive, record, undo,
};
use std::fs;
use std::path::Path;
use support::{Repo, assert_same, contents, everything, store};

/// Names that are easy to get wrong. No name is a directory of another: replacing is an act.
const NAMES: [&str; 12] = [
    "a.txt",
    "b.txt",
    "dir/c.txt",
    "dir/deep/er/d.bin",
    "dir/e",
    "with space/and \u{e4}.txt",
    "-dash",
    "quote\"back\\slash",
    "UPPER",
    ".dot/file",
    "%41",
    "z/:colon*?",
];

#[derive(Clone, Debug)]
enum Content {
    Short(u8),
    Long(u8),
    Returns(u8),
    Mixed(u8),
    Binary(u8),
    Empty,
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Short(seed) => format!("line {seed}\n").into_bytes(),
            Self::Long(seed) => {
                let lines = (0..200).map(|line| format!("{} {line}\n", u32::from(*seed) * line));
                lines.collect::<String>().into_bytes()
            }
            Self::Returns(seed) => format!("line {seed}\r\nmore\r\n").into_bytes(),
            Self::Mixed(seed) => format!("line {seed}\r\nmore\nand\r").into_bytes(),
            Self::Binary(seed) => (0..=255u8).map(|byte| byte.wrapping_mul(*seed)).collect(),
            Self::Empty => Vec::new(),
        }
    }
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        any::<u8>().prop_map(Content::Short),
        any::<u8>().prop_map(Content::Long),
        any::<u8>().prop_map(Content::Returns),
        any::<u8>().prop_map(Content::Mixed),
        any::<u8>().prop_map(Content::Binary),
        Just(Content::Empty),
    ]
}

/// What a user does.
#[derive(Clone, Debug)]
enum Act {
    Write(usize, Content),
    Append(usize),
    Remove(usize),
    Rename(usize, usize),
    Executable(usize),
    Link(usize, usize),
    Stage(usize),
    StageAll,
    Unstage(usize),
    Forget(usize),
    Announce(usize),
    HalfStage(usize, Content, Content),
    DirectoryInstead(usize, Content),
    Ignore(usize),
    Commit,
    MoveSubmodule(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let name = || 0..NAMES.len();
    prop_oneof![
        3 => (name(), content()).prop_map(|(name, content)| Act::Write(name, content)),
        2 => name().prop_map(Act::Append),
        2 => name().prop_map(Act::Remove),
        2 => (name(), name()).prop_map(|(from, to)| Act::Rename(from, to)),
        1 => name().prop_map(Act::Executable),
        1 => (name(), name()).prop_map(|(at, to)| Act::Link(at, to)),
        2 => name().prop_map(Act::Stage),
        1 => Just(Act::StageAll),
        1 => name().prop_map(Act::Unstage),
        1 => name().prop_map(Act::Forget),
        1 => name().prop_map(Act::Announce),
        2 => (name(), content(), content()).prop_map(|(name, one, two)| Act::HalfStage(name, one, two)),
        1 => (name(), content()).prop_map(|(name, content)| Act::DirectoryInstead(name, content)),
        1 => name().prop_map(Act::Ignore),
        1 => Just(Act::Commit),
        1 => any::<u8>().prop_map(Act::MoveSubmodule),
    ]
}

#[derive(Clone, Debug)]
struct Case {
    files: Vec<(usize, Content)>,
    attributes: Option<&'static str>,
    autocrlf: Option<&'static str>,
    has_submodule: bool,
    has_conflict: bool,
    acts: Vec<Act>,
    has_committed_apart: bool,
    /// B ignores by rules of its own what A does not.
    is_ignoring: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let attributes = prop_oneof![
        3 => Just(None),
        1 => Just(Some("* text=auto\n")),
        1 => Just(Some("*.txt text eol=crlf\n*.bin -text\n")),
        1 => Just(Some("* text eol=lf\n*.txt ident\n")),
    ];
    let autocrlf = prop_oneof![3 => Just(None), 1 => Just(Some("true")), 1 => Just(Some("input"))];
    (
        prop::collection::vec((0..NAMES.len(), content()), 1..8),
        attributes,
        autocrlf,
        any::<bool>(),
        prop::bool::weighted(0.25),
        prop::collection::vec(act(), 0..12),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.3),
    )
        .prop_map(
            |(
                files,
                attributes,
                autocrlf,
                has_submodule,
                has_conflict,
                acts,
                has_committed_apart,
                is_ignoring,
            )| {
                Case {
                    files,
                    attributes,
                    autocrlf,
                    has_submodule,
                    has_conflict,
                    acts,
                    has_committed_apart,
                    is_ignoring,
                }
            },
        )
}

/// Removes whatever is at a path; a test may write there then.
fn clear(root: &Path, name: &str) {
    let mut path = root.to_owned();
    for part in Path::new(name) {
        path.push(part);
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => fs::remove_file(&path).expect("removes"),
            Err(_) => return,
        }
    }
    if path.is_dir() {
        fs::remove_dir_all(&path).expect("removes");
    }
}

fn write(repo: &Repo, name: usize, content: &[u8]) {
    clear(&repo.root, NAMES[name]);
    repo.write(NAMES[name], content);
}

fn perform(repo: &Repo, act: &Act) {
    let there = |name: usize| repo.root.join(NAMES[name]);
    match act {
        Act::Write(name, content) => write(repo, *name, &content.bytes()),
        Act::Append(name) => {
            if there(*name).is_file() {
                let mut bytes = fs::read(there(*name)).unwrap_or_default();
                bytes.extend_from_slice(b"appended\n");
                write(repo, *name, &bytes);
            }
        }
        Act::Remove(name) => clear(&repo.root, NAMES[*name]),
        Act::Rename(from, to) => {
            if from != to && there(*from).symlink_metadata().is_ok_and(|it| it.is_file()) {
                let bytes = fs::read(there(*from)).expect("reads");
                clear(&repo.root, NAMES[*from]);
                write(repo, *to, &bytes);
            }
        }
        Act::Executable(name) => make_executable(&there(*name)),
        Act::Link(at, to) => {
            // Relative, and within the tree.
            let depth = NAMES[*at].matches('/').count();
            let target = format!("{}{}", "../".repeat(depth), NAMES[*to]);
            clear(&repo.root, NAMES[*at]);
            let path = there(*at);
            fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
            link(&target, &path);
        }
        Act::Stage(name) => drop(repo.try_git(&["add", "--force", "--", NAMES[*name]])),
        Act::StageAll => drop(repo.try_git(&["add", "--all"])),
        Act::Unstage(name) => drop(repo.try_git(&["reset", "--quiet", "--", NAMES[*name]])),
        Act::Forget(name) => {
            drop(repo.try_git(&[
                "rm",
                "-r",
                "--cached",
                "--quiet",
                "--force",
                "--",
                NAMES[*name],
            ]));
        }
        Act::Announce(name) => {
            drop(repo.try_git(&["add", "--intent-to-add", "--force", "--", NAMES[*name]]));
        }
        Act::HalfStage(name, one, two) => {
            write(repo, *name, &one.bytes());
            drop(repo.try_git(&["add", "--force", "--", NAMES[*name]]));
            write(repo, *name, &two.bytes());
        }
        Act::DirectoryInstead(name, content) => {
            clear(&repo.root, NAMES[*name]);
            repo.write(&format!("{}/inside", NAMES[*name]), content.bytes());
        }
        Act::Ignore(name) => repo.write(
            ".gitignore",
            format!("/{}\n", NAMES[*name].replace(['\\', '*', '?', ' '], "?")),
        ),
        Act::Commit => drop(repo.try_git(&["commit", "--quiet", "--message", "more"])),
        Act::MoveSubmodule(seed) => {
            let id = format!("{seed:02x}").repeat(20);
            let entry = format!("160000,{id},module");
            drop(repo.try_git(&["update-index", "--cacheinfo", &entry]));
        }
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if path.symlink_metadata().is_ok_and(|it| it.is_file()) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("sets");
    }
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) {}

#[cfg(unix)]
fn link(target: &str, path: &Path) {
    std::os::unix::fs::symlink(target, path).expect("links");
}

#[cfg(not(unix))]
fn link(target: &str, path: &Path) {
    fs::write(path, target).expect("writes");
}

fn prepare(case: &Case, root: &Path) -> Repo {
    let a = Repo::new(root.join("a"));
    if let Some(value) = case.autocrlf {
        a.git(&["config", "core.autocrlf", value]);
    }
    if let Some(text) = case.attributes {
        a.write(".gitattributes", text);
    }
    a.write("conflict.txt", "base\n");
    for (name, content) in &case.files {
        write(&a, *name, &content.bytes());
    }
    a.git(&["add", "--all"]);
    if case.has_submodule {
        a.write(
            ".gitmodules",
            "[submodule \"module\"]\n\tpath = module\n\turl = ../module\n",
        );
        fs::create_dir(a.root.join("module")).expect("a directory");
        let entry = format!("160000,{},module", "12".repeat(20));
        a.git(&["update-index", "--add", "--cacheinfo", &entry]);
    }
    if case.has_submodule {
        a.git(&["add", ".gitmodules"]);
    }
    a.git(&["commit", "--quiet", "--message", "first"]);
    a.git(&["branch", "other"]);
    if case.has_conflict {
        let parent = a.head();
        a.write("conflict.txt", "theirs\n");
        a.git(&["commit", "--quiet", "--message", "theirs", "conflict.txt"]);
        let theirs = a.head();
        a.git(&["reset", "--quiet", "--hard", &parent]);
        a.git(&["update-ref", "refs/heads/other", &theirs]);
        a.write("conflict.txt", "ours\n");
        a.git(&["commit", "--quiet", "--message", "ours", "conflict.txt"]);
    }
    a
}

fn check(case: &Case) {
    let dir = tempfile::tempdir().expect("a directory");
    let a = prepare(case, dir.path());
    let b = a.cloned(dir.path().join("b"));
    if let Some(value) = case.autocrlf {
        b.git(&["config", "core.autocrlf", value]);
        // As a clone with this setting would have written them.
        fs::remove_file(b.root.join(".git/index")).expect("removes");
        b.git(&["reset", "--quiet", "--hard"]);
    }
    if case.has_conflict {
        drop(a.try_git(&["merge", "--no-edit", "other"]));
    }
    for act in &case.acts {
        perform(&a, act);
    }
    if case.has_committed_apart {
        b.write("own", "of B");
        b.commit("apart");
    }
    if case.is_ignoring {
        b.write(".git/info/exclude", "dir/\n.dot/\n*.txt\nUPPER\n");
    }
    let before_a = everything(&a.root);
    let before_b = contents(&b.root);
    let (limits, most) = (Limits::default(), 1 << 30);
    let (store_a, store_b) = (store(dir.path(), "store-a"), store(dir.path(), "store-b"));
    let snapshot = record(&a.checkout(), &store_a, &limits).expect("records");
    let have = Have {
        commits: vec![ObjectId::parse(&b.head()).expect("an id")],
        snapshots: Vec::new(),
    };
    // The clone's commit, if A has it, and what both began with.
    let origin = ObjectId::parse(a.git(&["rev-parse", "other"]).trim()).expect("an id");
    let have = match case.has_conflict {
        true => have,
        false => Have {
            commits: vec![origin],
            ..have
        },
    };
    let packed = pack(&a.checkout(), &store_a, &snapshot.id, &have, most).expect("packs");
    assert_same(&before_a, &everything(&a.root), "A was touched");
    let received = receive(
        &b.checkout(),
        &store_b,
        &packed.manifest,
        packed.path(),
        &PackLimits::default(),
    );
    assert!(matches!(
        received.expect("is verified"),
        Received::Verified(_)
    ));
    let comparison =
        compare(&b.checkout(), &store_b, &snapshot.id, &[], &limits).expect("compares");
    assert_same(
        &before_b,
        &contents(&b.root),
        "B was touched before anything was applied",
    );
    let Some(done) = apply(&b.checkout(), &store_b, &comparison, &limits).expect("applies") else {
        assert_eq!(comparison.plan, Plan::Nothing);
        if !case.is_ignoring {
            assert_eq!(a.seen(), b.seen());
        }
        return;
    };
    let place = Repo {
        root: done.worktree.clone().unwrap_or_else(|| b.root.clone()),
    };
    let moved = a.head() != b.head();
    assert_eq!(done.worktree.is_some(), moved, "{:?}", comparison.plan);
    match case.is_ignoring {
        true => assert_eq!(a.seen().1, place.seen().1),
        false => assert_eq!(a.seen(), place.seen()),
    }
    assert_eq!(a.head(), place.head());
    let again = record(&place.checkout(), &store_b, &limits).expect("records");
    assert_eq!(again.working_tree, snapshot.working_tree);
    assert_eq!(again.index, snapshot.index);
    assert_eq!(again.stages, snapshot.stages);
    place.git(&["fsck", "--strict", "--no-dangling"]);
    undo(&b.checkout(), &store_b, &done, &limits).expect("undoes");
    assert_same(&before_b, &contents(&b.root), "undo is not exact");
}

fn run(part: u32) {
    let cases = std::env::var("SESSION_ROAM_TREES").ok();
    let cases = cases.map_or(100, |cases| cases.parse().expect("a number"));
    let config = Config {
        cases: cases / part,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&case(), |case| {
        check(&case);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

// Two halves, so that two cores have something to do.

#[test]
fn a_state_is_the_same_on_the_other_device_and_undo_is_exact() {
    run(2);
}

#[test]
fn a_state_is_the_same_on_the_other_device_and_undo_is_exact_again() {
    run(2);
}

#[cfg(target_os = "linux")]
mod kept {
    use super::*;
    use session_roam_code::Reason;

    /// What the cache of untracked files does not see by itself.
    #[derive(Clone, Debug)]
    enum Turn {
        Act(Act),
        MakeRepository(usize),
        RemoveRepository(usize),
        Exclude(usize),
        Attributes(&'static str),
        /// The user's own git keeps a cache, too.
        OwnCache,
        /// The kept index is cut, or another one's bytes are in it.
        Damage(usize),
    }

    /// Directories of `NAMES`, and one that is made.
    const DIRS: [&str; 5] = ["dir", "dir/deep", "with space", "z", "made/by/turn"];

    fn turn() -> impl Strategy<Value = Turn> {
        let dir = || 0..DIRS.len();
        let attributes = prop_oneof![Just("* -text\n"), Just("*.txt text eol=crlf\n"), Just("")];
        prop_oneof![
            12 => act().prop_map(Turn::Act),
            1 => dir().prop_map(Turn::MakeRepository),
            1 => dir().prop_map(Turn::RemoveRepository),
            1 => (0..NAMES.len()).prop_map(Turn::Exclude),
            1 => attributes.prop_map(Turn::Attributes),
            1 => Just(Turn::OwnCache),
            1 => (0..2000usize).prop_map(Turn::Damage),
        ]
    }

    fn take(repo: &Repo, kept: &Path, turn: &Turn) {
        match turn {
            Turn::Act(act) => perform(repo, act),
            Turn::MakeRepository(dir) => {
                let dir = repo.root.join(DIRS[*dir]);
                if fs::create_dir_all(&dir).is_ok() {
                    let within = Repo { root: dir };
                    within.git(&["init", "--quiet"]);
                    within.write("in repository", "own\n");
                }
            }
            Turn::RemoveRepository(dir) => {
                drop(fs::remove_dir_all(repo.root.join(DIRS[*dir]).join(".git")));
            }
            Turn::Exclude(name) => repo.write(
                ".git/info/exclude",
                format!("/{}\n", NAMES[*name].replace(['\\', '*', '?', ' '], "?")),
            ),
            Turn::Attributes(text) => repo.write(".git/info/attributes", text),
            Turn::OwnCache => {
                repo.git(&["config", "status.showUntrackedFiles", "all"]);
                repo.git(&["update-index", "--force-untracked-cache"]);
                repo.git(&["status"]);
            }
            Turn::Damage(at) => {
                for entry in fs::read_dir(kept).into_iter().flatten().flatten() {
                    let mut bytes = fs::read(entry.path()).expect("reads");
                    let at = *at % (bytes.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&bytes.clone()[at / 2..]);
                    fs::remove_file(entry.path()).expect("removes");
                    fs::write(entry.path(), bytes).expect("writes");
                }
            }
        }
    }

    /// As if this had been done in the second `round` of a time long ago: git's cache is careful with what
    /// changed a moment ago, and would not be used.
    fn age(dir: &Path, round: u64) {
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        let recent = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        let age_one = |path: &Path| {
            let metadata = path.symlink_metadata().expect("metadata");
            if !metadata.is_symlink() && recent < metadata.modified().expect("a time") {
                let file = fs::File::open(path).expect("opens");
                let time = long_ago + std::time::Duration::from_secs(round);
                file.set_modified(time).expect("sets");
            }
        };
        for entry in fs::read_dir(dir).expect("reads").flatten() {
            if entry.file_name() == ".git" {
                continue;
            }
            if entry.file_type().expect("a type").is_dir() {
                age(&entry.path(), round);
            }
            age_one(&entry.path());
        }
        age_one(dir);
    }

    #[test]
    fn with_the_kept_index_every_recording_is_what_it_is_without() {
        let cases = std::env::var("SESSION_ROAM_TREES").ok();
        let config = Config {
            cases: cases.map_or(50, |cases| cases.parse().expect("a number")),
            failure_persistence: None,
            max_shrink_iters: 60,
            ..Config::default()
        };
        let turns = prop::collection::vec(prop::collection::vec(turn(), 0..3), 1..8);
        let result = TestRunner::new(config).run(&(case(), turns), |(case, turns)| {
            let dir = tempfile::tempdir().expect("a directory");
            let a = prepare(&case, dir.path());
            let kept = dir.path().join("kept");
            let (plain, keeping) = (store(dir.path(), "plain"), store(dir.path(), "keeping"));
            let keeping = keeping.keeping_index_in(&kept);
            let limits = Limits::default();
            for (round, turns) in turns.iter().enumerate() {
                for turn in turns {
                    take(&a, &kept, turn);
                }
                age(&a.root, round as u64);
                let before = everything(&a.root);
                let with = record(&a.checkout(), &keeping, &limits).expect("records");
                assert_same(&before, &everything(&a.root), "A was touched");
                let mut without = record(&a.checkout(), &plain, &limits).expect("records");
                if with != without {
                    // The one note that may come later: a directory that had no files is a repository.
                    without.state.left_out.retain(|it| {
                        it.reason != Reason::Repository || with.state.left_out.contains(it)
                    });
                    without.id = with.id.clone();
                }
                assert_eq!(with, without, "round {round}");
            }
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
    }
}
