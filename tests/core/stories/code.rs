//! Uncommitted changes go along: recorded on one device with real git, taken over on another, and
//! taken back.

use super::talk::{ONE, linked};
use super::world::{Device, World, tree};
use session_roam_core::api::{
    CodeApplied, CodeChange, CodeDiff, CodeOffer, CodeState, CodeStatus, Done, Forked, Request,
    Resume, UndoKind, Undoable,
};
use session_roam_core::session::{Lane, ProblemCode, SessionId, ToolId};
use session_roam_core::vault::Owner;
use session_roam_core::vault::keys::DeviceKey;
use session_roam_core::vault::snapshot_file::{self, Author, Description};
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const PROJECT: &str = "git:github.com/acme/api";
const REMOTE: &str = "https://github.com/acme/api";

pub fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(args)
        .envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_AUTHOR_NAME", "Mia"),
            ("GIT_AUTHOR_EMAIL", "mia@example.com"),
            ("GIT_COMMITTER_NAME", "Mia"),
            ("GIT_COMMITTER_EMAIL", "mia@example.com"),
        ])
        .output()
        .expect("git");
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Two paired devices with a real checkout of one project each. Both have what was pushed; only the
/// desk's changes go along.
pub struct Pair {
    pub world: World,
    pub desk: PathBuf,
    pub lap: PathBuf,
    said: String,
}

impl Pair {
    /// The laptop took over what the desk changed, and went on with it.
    pub fn continued_on_the_laptop() -> Self {
        let mut pair = Self::new();
        pair.switch(1, true);
        pair.desk_changes();
        pair.apply(1);
        fs::write(pair.lap.join("session.rs"), "fn from_lap() {}\n").expect("written");
        pair.say(1, "c", "on the laptop");
        pair.rest();
        pair
    }

    pub fn new() -> Self {
        let mut pair = Self::undecided();
        pair.switch(0, true);
        pair
    }

    /// Nobody decided about the project yet.
    pub fn undecided() -> Self {
        Self::with_remote(true)
    }

    pub fn with_remote(has_remote: bool) -> Self {
        let mut world = World::devices(["desk", "lap"]);
        world.pair(0, 1);
        let desk = world.devices[0].home.join("code/api");
        fs::create_dir_all(&desk).expect("a directory");
        git(&desk, &["init", "--quiet", "--initial-branch=main"]);
        fs::write(desk.join("session.rs"), "fn old() {}\n").expect("written");
        fs::write(desk.join("README.md"), "An API.\n").expect("written");
        fs::write(desk.join(".gitignore"), "target\n").expect("written");
        git(&desk, &["add", "."]);
        git(&desk, &["commit", "--quiet", "-m", "Begin"]);
        if has_remote {
            git(&desk, &["remote", "add", "origin", REMOTE]);
            git(&desk, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
        }
        let lap = world.devices[1].home.join("code/work/api");
        fs::create_dir_all(lap.parent().expect("a parent")).expect("a directory");
        let (from, to) = (desk.to_string_lossy(), lap.to_string_lossy());
        git(&desk, &["clone", "--quiet", &from, &to]);
        match has_remote {
            true => git(&lap, &["remote", "set-url", "origin", REMOTE]),
            false => git(&lap, &["remote", "remove", "origin"]),
        };
        let mut pair = Self {
            world,
            desk,
            lap,
            said: String::new(),
        };
        pair.say(0, "a", "begin");
        pair.world.deliver();
        pair
    }

    pub fn dir(&self, at: usize) -> PathBuf {
        [&self.desk, &self.lap][at].clone()
    }

    pub fn device(&mut self, at: usize) -> &mut Device {
        &mut self.world.devices[at]
    }

    pub fn switch(&mut self, at: usize, on: bool) {
        let project = Some(PROJECT.to_owned());
        let _: Done = self.device(at).ask(Request::CodeSwitch { project, on });
    }

    /// A turn of the tool on a device, in the session's file there.
    pub fn say(&mut self, at: usize, name: &str, text: &str) {
        let cwd = self.dir(at);
        let line = linked(&cwd, ONE, &self.said, name, text);
        let device = &mut self.world.devices[at];
        let path = device
            .place_of(ONE)
            .unwrap_or_else(|| device.transcript(&cwd, ONE));
        device.say(&path, line);
        self.said = name.to_owned();
    }

    /// Time passes without a word; what is due is recorded and delivered.
    pub fn rest(&mut self) {
        for device in &mut self.world.devices {
            device.set_clock(device.clock_now() + 10 * 60 * 1000);
            device.poll();
        }
        self.world.deliver();
    }

    /// The desk's tool changes files and says so.
    pub fn desk_changes(&mut self) {
        fs::write(self.desk.join("session.rs"), "fn new() {}\n").expect("written");
        fs::write(self.desk.join("new file.txt"), "untracked\n").expect("written");
        fs::remove_file(self.desk.join("README.md")).expect("removed");
        fs::create_dir_all(self.desk.join("target")).expect("a directory");
        fs::write(self.desk.join("target/out"), "ignored\n").expect("written");
        fs::write(self.desk.join(".env"), "KEY=1\n").expect("written");
        self.say(0, "b", "I changed session.rs");
        self.rest();
    }

    pub fn offer(&mut self, at: usize) -> CodeOffer {
        self.offer_of(at, ONE)
    }

    pub fn offer_of(&mut self, at: usize, session: &str) -> CodeOffer {
        let session = session.to_owned();
        self.device(at)
            .ask(Request::CodeOffer { session, at: None })
    }

    pub fn apply(&mut self, at: usize) -> CodeApplied {
        self.apply_of(at, ONE)
    }

    pub fn apply_of(&mut self, at: usize, session: &str) -> CodeApplied {
        let snapshot = self.offer_of(at, session).snapshot;
        let session = session.to_owned();
        self.device(at).ask(Request::CodeApply {
            session,
            snapshot,
            stay: false,
        })
    }

    pub fn undo(&mut self, at: usize) {
        let _: Done = self.device(at).ask(Request::Undo { session: None });
    }

    /// The files of the code lane of a device's own folder, with their bytes.
    pub fn recorded(&self, at: usize) -> BTreeMap<PathBuf, Vec<u8>> {
        let device = &self.world.devices[at];
        let mut files = tree(&device.vault().lane_dir(&device.short(), Lane::Code));
        files.retain(|path, _| path.to_string_lossy().ends_with(".code.zst"));
        files
    }
}

impl Pair {
    /// How much a device's own files of the code lane take.
    pub fn bytes(&self, at: usize) -> usize {
        self.recorded(at).values().map(Vec::len).sum()
    }
}

/// Everything in a working tree but the repository.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = tree(dir);
    files.retain(|path, _| !path.starts_with(dir.join(".git")) && !path.ends_with(".git"));
    files
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(dir).expect("below").to_owned(), bytes))
        .collect()
}

#[test]
fn nothing_is_recorded_before_the_project_is_switched_on() {
    let mut pair = Pair::new();
    pair.switch(0, false);
    pair.desk_changes();
    assert!(pair.recorded(0).is_empty());
    assert_eq!(pair.offer(1), CodeOffer::default());
    let error = pair.device(1).try_ask(Request::CodeApply {
        session: ONE.into(),
        snapshot: "0".repeat(40),
        stay: false,
    });
    assert_eq!(error.expect_err("none").code, ProblemCode::NoCode);
    pair.switch(0, true);
    let _: Done = pair.device(0).ask(Request::CodeSwitch {
        project: None,
        on: false,
    });
    pair.say(0, "c", "more");
    pair.rest();
    assert!(pair.recorded(0).is_empty(), "the device's switch");
}

#[test]
fn a_session_resumes_with_the_files_it_speaks_of_and_undo_takes_them_back() {
    let mut pair = Pair::new();
    let before = files(&pair.lap);
    let status = git(&pair.lap, &["status", "--porcelain"]);
    pair.desk_changes();
    let untouched = git(&pair.desk, &["status", "--porcelain"]);
    assert_eq!(untouched.lines().count(), 4, "{untouched}");
    assert_eq!(pair.recorded(0).len(), 1);

    let offer = pair.offer(1);
    assert_eq!((offer.state, offer.is_last), (CodeState::InPlace, true));
    assert_eq!((offer.device.as_str(), offer.n_files), ("desk", 3));
    assert_eq!(offer.branch.as_deref(), Some("main"));
    let changes: Vec<(&str, CodeChange)> = offer
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.change))
        .collect();
    assert_eq!(
        changes,
        [
            ("README.md", CodeChange::Deleted),
            ("new file.txt", CodeChange::Added),
            ("session.rs", CodeChange::Changed)
        ]
    );
    assert_eq!(offer.left_out[0].path, ".env");
    let diff: CodeDiff = pair.device(1).ask(Request::CodeDiff {
        session: ONE.into(),
        snapshot: offer.snapshot.clone(),
        path: "session.rs".into(),
    });
    assert!(diff.text.contains("-fn old() {}\n+fn new() {}") && !diff.cut);
    assert_eq!(files(&pair.lap), before, "looking changes nothing");

    let applied = pair.apply(1);
    assert_eq!((applied.worktree, applied.files), (false, 3));
    let mut wanted = files(&pair.desk);
    wanted.retain(|path, _| *path != Path::new(".env") && !path.starts_with("target"));
    assert_eq!(files(&pair.lap), wanted);
    assert_eq!(pair.offer(1).state, CodeState::Same);

    let undoable: Option<Undoable> = pair.device(1).ask(Request::Undoable { session: None });
    assert_eq!(undoable.expect("one").kind, UndoKind::Code);
    pair.undo(1);
    assert_eq!(files(&pair.lap), before);
    assert_eq!(git(&pair.lap, &["status", "--porcelain"]), status);
    let again = pair.device(1).try_ask(Request::Undo { session: None });
    assert_eq!(again.expect_err("nothing").code, ProblemCode::NothingToUndo);
    assert!(pair.device(1).problems().is_empty());
}

#[test]
fn what_programs_obey_is_named_first_of_very_many_files() {
    let mut pair = Pair::new();
    for number in 0..520 {
        fs::write(pair.desk.join(format!("a{number}.md")), "words\n").expect("written");
    }
    fs::write(pair.desk.join("package.json"), "{}\n").expect("written");
    pair.desk_changes();
    let offer = pair.offer(1);
    assert_eq!((offer.n_files, offer.files.len()), (524, 500));
    assert_eq!(offer.files[0].path, "package.json");
    let others = offer.files[1..].windows(2);
    let is_sorted = |pair: &[_]| matches!(pair, [one, other] if path(one) < path(other));
    assert!(others.into_iter().all(is_sorted), "the others by path");
}

fn path(file: &session_roam_core::api::CodeFile) -> &str {
    &file.path
}

#[test]
fn the_status_names_what_was_recorded_and_what_stayed() {
    let mut pair = Pair::new();
    pair.desk_changes();
    let status: CodeStatus = pair.device(0).ask(Request::CodeStatus);
    let row = &status.projects[0];
    assert!(status.on && row.project == PROJECT && 0 < row.bytes);
    let session = &row.sessions[0];
    assert_eq!((session.session.as_str(), &session.refused), (ONE, &None));
    let left_out = &session.left_out[0];
    assert_eq!(left_out.path, ".env");
    assert_eq!(left_out.why, "has the name of a file with credentials");
    // A rebase cannot go along; that is said, and the last state stays.
    fs::create_dir_all(pair.desk.join(".git/rebase-merge")).expect("a directory");
    pair.say(0, "c", "in the middle of a rebase");
    pair.rest();
    let status: CodeStatus = pair.device(0).ask(Request::CodeStatus);
    let refused = status.projects[0].sessions[0].refused.clone();
    assert!(
        refused
            .expect("refused")
            .contains("A rebase is in progress")
    );
    assert_eq!(pair.recorded(0).len(), 1);
}

#[test]
fn equal_states_are_one_file_and_later_ones_build_on_it() {
    let mut pair = Pair::new();
    fs::write(pair.desk.join("large.txt"), noise(400_000)).expect("written");
    pair.desk_changes();
    pair.say(0, "c", "only words");
    pair.rest();
    let recorded = pair.recorded(0);
    assert_eq!(recorded.len(), 1);
    let first = recorded.values().map(Vec::len).sum::<usize>();
    assert!(400_000 < first && first < 480_000, "{first}");
    fs::write(pair.desk.join("session.rs"), "fn newest() {}\n").expect("written");
    pair.say(0, "d", "a little more");
    pair.rest();
    let both = pair.recorded(0);
    assert_eq!(both.len(), 2);
    let second = both.values().map(Vec::len).sum::<usize>() - first;
    assert!(second < 8_000, "{second}");
    // The other device needs both.
    assert_eq!(pair.apply(1).files, 4);
    assert_eq!(
        files(&pair.lap)[Path::new("session.rs")],
        b"fn newest() {}\n"
    );
}

/// The tool is open or was closed a moment ago, and the user goes on in an editor.
#[test]
fn what_is_edited_by_hand_after_the_last_line_goes_along() {
    let mut pair = Pair::new();
    pair.desk_changes();
    fs::write(pair.desk.join("session.rs"), "fn by_hand() {}\n").expect("written");
    pair.rest();
    assert_eq!(pair.recorded(0).len(), 2);
    pair.apply(1);
    assert_eq!(
        files(&pair.lap)[Path::new("session.rs")],
        b"fn by_hand() {}\n"
    );
    pair.rest();
    assert_eq!(pair.recorded(0).len(), 2, "an equal state is no new one");
    // Long after the last line nobody is followed, unless a tool is open still.
    let sign = pair
        .device(0)
        .claude()
        .join(format!("sessions/{}.json", std::process::id()));
    for is_open in [true, false] {
        let id = std::process::id();
        match is_open {
            true => {
                let said = format!("{{\"pid\":{id},\"sessionId\":\"{ONE}\"}}");
                pair.device(0).put(&sign, said);
            }
            false => {
                fs::write(pair.desk.join("session.rs"), "fn before_the_end() {}\n")
                    .expect("written");
                fs::remove_file(&sign).expect("closed");
                pair.device(0).touch(&sign);
                pair.rest();
                assert_eq!(pair.recorded(0).len(), 4, "at the end");
            }
        }
        for _ in 0..6 {
            pair.rest();
        }
        let text = format!("fn later_{is_open}() {{}}\n");
        fs::write(pair.desk.join("session.rs"), text).expect("written");
        pair.rest();
        pair.rest();
        let n_recorded = if is_open { 3 } else { 4 };
        assert_eq!(pair.recorded(0).len(), n_recorded, "open: {is_open}");
    }
}

/// Bytes that no compression makes smaller.
pub fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut noise = blake3::Hasher::new().update(b"noise").finalize_xof();
    noise.fill(&mut bytes);
    bytes
}

#[test]
fn what_is_dirty_is_left_alone_and_the_session_goes_on_in_a_worktree() {
    let mut pair = Pair::new();
    pair.desk_changes();
    fs::write(pair.lap.join("session.rs"), "fn mine() {}\n").expect("written");
    let before = files(&pair.lap);
    let offer = pair.offer(1);
    assert_eq!(offer.state, CodeState::Worktree);
    assert_eq!(offer.why, "This checkout has changes of its own.");
    let applied = pair.apply(1);
    assert!(applied.worktree);
    assert_eq!(files(&pair.lap), before);
    assert_eq!(
        fs::read(applied.dir.join("session.rs")).expect("read"),
        b"fn new() {}\n"
    );
    let session = ONE.to_owned();
    let resume: Resume = pair.device(1).ask(Request::Resume { session });
    assert_eq!(resume.cwd, applied.dir, "the session goes on there");
    let place = pair.device(1).place_of(ONE).expect("a place");
    let slug = pair.device(1).slug_dir(&applied.dir);
    assert_eq!(place.parent(), Some(slug.as_path()));

    pair.undo(1);
    assert!(!applied.dir.exists());
    assert_eq!(files(&pair.lap), before);
    for session in [None, Some(ONE.to_owned())] {
        let undoable: Option<Undoable> = pair.device(1).ask(Request::Undoable { session });
        assert_eq!(undoable, None, "the move back cannot be undone");
    }
    let place = pair.device(1).place_of(ONE).expect("a place");
    let lap = pair.lap.clone();
    assert_eq!(
        place.parent(),
        Some(pair.device(1).slug_dir(&lap).as_path())
    );
}

#[test]
fn the_code_goes_back_to_the_first_device_whose_changes_it_builds_on() {
    let mut pair = Pair::continued_on_the_laptop();
    let offer = pair.offer(0);
    assert_eq!(
        (offer.state, offer.n_files, offer.is_last),
        (CodeState::InPlace, 1, true),
        "{}",
        offer.why
    );
    pair.apply(0);
    let desk = files(&pair.desk);
    assert_eq!(desk[Path::new("session.rs")], b"fn from_lap() {}\n");
    assert_eq!(
        desk[Path::new(".env")],
        b"KEY=1\n",
        "what stayed is still here"
    );
    // Work of the desk's own that the laptop never saw is not overwritten.
    pair.undo(0);
    fs::write(pair.desk.join("session.rs"), "fn own() {}\n").expect("written");
    assert_eq!(pair.offer(0).state, CodeState::Worktree);
}

#[test]
fn a_session_that_began_here_moves_into_the_worktree_and_back() {
    let mut pair = Pair::continued_on_the_laptop();
    fs::write(pair.desk.join("session.rs"), "fn own() {}\n").expect("written");
    let before = files(&pair.desk);
    let said = pair.device(0).docs(ONE);
    let applied = pair.apply(0);
    assert!(applied.worktree);
    let session = ONE.to_owned();
    let resume: Resume = pair.device(0).ask(Request::Resume { session });
    assert_eq!(resume.cwd, applied.dir);
    let place = pair.device(0).place_of(ONE).expect("a place");
    assert_eq!(
        place.parent(),
        Some(pair.device(0).slug_dir(&applied.dir).as_path())
    );
    assert_eq!(pair.device(0).docs(ONE), said, "every line came along");
    // Its next state is of the worktree.
    fs::write(applied.dir.join("session.rs"), "fn in_worktree() {}\n").expect("written");
    pair.said = "c".into();
    pair.say(0, "d", "in the worktree");
    pair.rest();
    assert_eq!(pair.offer(1).state, CodeState::InPlace);
    pair.apply(1);
    let lap = files(&pair.lap);
    assert_eq!(lap[Path::new("session.rs")], b"fn in_worktree() {}\n");
    // What was done in the worktree since is not thrown away.
    let refused = pair.device(0).try_ask(Request::Undo {
        session: Some(ONE.into()),
    });
    assert_eq!(refused.expect_err("changed").code, ProblemCode::CodeRefused);
    assert!(applied.dir.exists() && files(&pair.desk) == before);
}

#[test]
fn a_signed_file_whose_pack_is_bad_is_refused_and_nothing_of_it_is_kept() {
    let mut pair = Pair::new();
    pair.desk_changes();
    let desk = &pair.world.devices[0];
    let (short, vault) = (desk.short(), desk.vault());
    let key = DeviceKey::load_or_create(&desk.roam).expect("key");
    let owner = Owner {
        device: desk.id.clone(),
        key: key.public(),
    };
    let lane = vault.lane_dir(&short, Lane::Code);
    let path = pair.recorded(0).into_keys().next().expect("a file");
    let dir = path
        .parent()
        .expect("a directory")
        .strip_prefix(&lane)
        .expect("below");
    let dir = format!("{short}/code/{}", dir.to_string_lossy());
    let mut pack = Vec::new();
    let (described, manifest) =
        snapshot_file::read(&vault, &owner, &dir, 1, &mut pack).expect("read");
    let author = Author {
        device: &owner.device,
        name: "desk",
        key: &key,
        tool: &ToolId::new("claude-code"),
        session: &SessionId::new(ONE),
    };
    let text = String::from_utf8(manifest.clone()).expect("text");
    let branch = text
        .replace("refs/heads/main", "refs/heads/evil")
        .into_bytes();
    let at = described.at;
    let mut cut = pack.clone();
    cut.truncate(pack.len() - 20);
    let mut other = pack.clone();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    let objects = files(&pair.lap.join(".git"));
    for (number, manifest, pack) in [
        (2, manifest.clone(), cut),
        (3, manifest.clone(), other),
        (4, branch, pack.clone()),
        (5, b"{}".to_vec(), pack.clone()),
        (6, manifest.clone(), b"PACK".to_vec()),
    ] {
        let description = Description {
            number,
            manifest: manifest.len() as u64,
            pack: pack.len() as u64,
            ..described.description.clone()
        };
        let mut content = Cursor::new([manifest, pack].concat());
        snapshot_file::write(&vault, &dir, &author, at, &description, &mut content)
            .expect("written");
        let told = vec![snapshot_file::in_lane(&dir, number)];
        pair.world.devices[0].announce(Lane::Code, told);
        pair.world.deliver();
        let offer = pair.offer(1);
        assert_eq!(offer.state, CodeState::Refused, "{number}: {}", offer.why);
        let kept = tree(&pair.world.devices[1].roam.join("code"));
        let kept = kept
            .keys()
            .any(|path| path.to_string_lossy().ends_with(".pack"));
        assert!(!kept, "{number}");
        assert_eq!(files(&pair.lap.join(".git")), objects, "{number}");
    }
}

#[test]
fn a_fork_gets_the_code_of_its_moment() {
    let mut pair = Pair::new();
    pair.desk_changes();
    fs::write(pair.desk.join("session.rs"), "fn later() {}\n").expect("written");
    pair.say(0, "c", "later");
    pair.rest();
    let at = |pair: &mut Pair, message: u64| -> CodeOffer {
        pair.device(0).ask(Request::CodeOffer {
            session: ONE.into(),
            at: Some(message),
        })
    };
    // Two messages a turn: the second turn ends with message 3.
    assert_eq!(
        at(&mut pair, 1).state,
        CodeState::None,
        "before the first state"
    );
    assert_eq!(at(&mut pair, 5).state, CodeState::Same);
    let then = at(&mut pair, 3);
    assert_eq!(then.state, CodeState::Worktree, "{}", then.why);
    let applied: CodeApplied = pair.device(0).ask(Request::CodeApply {
        session: ONE.into(),
        snapshot: then.snapshot,
        stay: true,
    });
    let stays: Resume = pair.device(0).ask(Request::Resume {
        session: ONE.into(),
    });
    assert_eq!(stays.cwd, pair.desk, "the other session stays where it is");
    let code = fs::read(applied.dir.join("session.rs")).expect("read");
    assert_eq!(code, b"fn new() {}\n");
    let forked: Forked = pair.device(0).ask(Request::Fork {
        session: ONE.into(),
        at: 3,
        dir: Some(applied.dir.clone()),
    });
    pair.device(0).poll();
    let resume: Resume = pair.device(0).ask(Request::Resume {
        session: forked.session,
    });
    assert_eq!(forked.messages, 4);
    assert_eq!(resume.cwd, applied.dir);
}

#[test]
fn a_file_that_was_changed_on_the_way_or_is_anothers_counts_as_none() {
    let mut pair = Pair::new();
    pair.desk_changes();
    let before = files(&pair.lap);
    let short = pair.world.devices[0].short();
    let lane = pair.world.devices[1].vault().lane_dir(&short, Lane::Code);
    let mut arrived = tree(&lane);
    arrived.retain(|path, _| path.to_string_lossy().ends_with(".code.zst"));
    let (path, whole) = arrived.into_iter().next().expect("one file");
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&path, bytes).expect("changed");
        let offer = pair.offer(1);
        assert!(
            matches!(
                offer.state,
                CodeState::None | CodeState::Refused | CodeState::Arriving
            ),
            "byte {at}: {offer:?}"
        );
    }
    fs::write(&path, &whole[..whole.len() - 9]).expect("torn");
    assert_eq!(pair.offer(1).state, CodeState::Arriving);
    // Under another number, as a carrier could place an old state.
    fs::write(&path, &whole).expect("as it was");
    fs::write(path.with_file_name("0009.code.zst"), &whole).expect("again");
    let offer = pair.offer(1);
    assert_eq!(offer.state, CodeState::InPlace);
    fs::remove_file(path.with_file_name("0009.code.zst")).expect("removed");
    assert_eq!(files(&pair.lap), before);
    // A device that is not approved any more offers nothing.
    let id = pair.world.devices[0].id.to_string();
    let _: serde_json::Value = pair.device(1).ask(Request::Unpair { id });
    assert_eq!(pair.offer(1).state, CodeState::None);
}

#[test]
fn a_commit_that_was_pushed_and_not_fetched_is_asked_for() {
    let mut pair = Pair::new();
    fs::write(pair.desk.join("session.rs"), "fn pushed() {}\n").expect("written");
    git(&pair.desk, &["commit", "--quiet", "-am", "Pushed"]);
    git(
        &pair.desk,
        &["update-ref", "refs/remotes/origin/main", "HEAD"],
    );
    pair.desk_changes();
    let offer = pair.offer(1);
    assert_eq!(offer.state, CodeState::NeedsCommits);
    assert!(
        offer.why.ends_with("not here yet: fetch first."),
        "{}",
        offer.why
    );
    let from = pair.desk.to_string_lossy().into_owned();
    git(&pair.lap, &["fetch", "--quiet", &from, "main"]);
    assert_eq!(pair.offer(1).state, CodeState::Worktree);
    git(&pair.lap, &["merge", "--quiet", "--ff-only", "FETCH_HEAD"]);
    assert_eq!(pair.offer(1).state, CodeState::InPlace);
}

#[test]
fn commits_that_nobody_has_come_with_the_code() {
    let mut pair = Pair::new();
    fs::write(pair.desk.join("session.rs"), "fn mine_alone() {}\n").expect("written");
    git(&pair.desk, &["commit", "--quiet", "-am", "Not pushed"]);
    fs::write(pair.desk.join("CLAUDE.md"), "Obey.\n").expect("written");
    git(&pair.desk, &["add", "CLAUDE.md"]);
    git(
        &pair.desk,
        &["commit", "--quiet", "-m", "Not pushed either"],
    );
    let commit = git(&pair.desk, &["rev-parse", "HEAD"]);
    pair.desk_changes();
    let offer = pair.offer(1);
    assert_eq!(offer.commits, 2);
    let first = offer
        .files
        .first()
        .map(|file| (file.path.as_str(), file.obeyed));
    assert_eq!(first, Some(("CLAUDE.md", true)));
    let applied = pair.apply(1);
    assert!(applied.worktree, "another commit is checked out here");
    assert_eq!(git(&applied.dir, &["rev-parse", "HEAD"]), commit);
}

#[test]
fn of_a_forgotten_session_no_code_is_left() {
    let mut pair = Pair::new();
    pair.desk_changes();
    pair.apply(1);
    let homes: Vec<PathBuf> = pair
        .world
        .devices
        .iter()
        .map(|it| it.roam.clone())
        .collect();
    let is_there = |home: &PathBuf| {
        let code = tree(&home.join("code"));
        let lanes = tree(&home.join("vault")).into_keys();
        let mut lanes = lanes.filter(|path| path.to_string_lossy().ends_with(".code.zst"));
        lanes.next().is_some() || !code.is_empty()
    };
    assert!(homes.iter().all(is_there));
    let session = ONE.to_owned();
    let _: serde_json::Value = pair.device(0).ask(Request::Forget { session });
    for _ in 0..4 {
        pair.rest();
    }
    for home in &homes {
        assert!(!is_there(home), "{}", home.display());
    }
    let undoable: Option<Undoable> = pair.device(1).ask(Request::Undoable { session: None });
    assert_eq!(undoable, None);
}

#[test]
fn a_repository_without_a_remote_is_known_by_its_first_commit() {
    let mut pair = Pair::with_remote(false);
    let first = git(&pair.desk, &["rev-list", "--max-parents=0", "HEAD"]);
    let project = Some(format!("root:{}", first.trim()));
    let on = true;
    let _: Done = pair.device(0).ask(Request::CodeSwitch { project, on });
    fs::write(pair.desk.join("session.rs"), "fn mine_alone() {}\n").expect("written");
    git(&pair.desk, &["commit", "--quiet", "-am", "Of nobody else"]);
    let before = files(&pair.lap);
    pair.desk_changes();
    let applied = pair.apply(1);
    assert!(applied.worktree, "the laptop lacks that commit");
    let brought = files(&applied.dir);
    assert_eq!(brought[Path::new("session.rs")], b"fn new() {}\n");
    assert_eq!(brought[Path::new("new file.txt")], b"untracked\n");
    pair.undo(1);
    assert_eq!(files(&pair.lap), before);
    assert!(!applied.dir.exists());
}

#[test]
fn what_was_recorded_under_other_rules_for_secrets_goes_with_the_next_recording() {
    let mut pair = Pair::new();
    pair.desk_changes();
    let desk = &pair.world.devices[0];
    let vault = desk.vault();
    let key = DeviceKey::load_or_create(&desk.roam).expect("key");
    let owner = Owner {
        device: desk.id.clone(),
        key: key.public(),
    };
    let path = pair.recorded(0).into_keys().next().expect("a file");
    let below = path.strip_prefix(vault.root()).expect("below");
    let dir = below.parent().expect("a directory").to_string_lossy();
    let mut pack = Vec::new();
    let (described, manifest) =
        snapshot_file::read(&vault, &owner, &dir, 1, &mut pack).expect("read");
    assert!(!described.description.rules.is_empty());
    let author = Author {
        device: &owner.device,
        name: "desk",
        key: &key,
        tool: &ToolId::new("claude-code"),
        session: &SessionId::new(ONE),
    };
    let description = Description {
        rules: String::new(),
        ..described.description
    };
    fs::remove_file(&path).expect("removes");
    let at = described.at;
    let content = [manifest, pack].concat();
    let write = |number: u32| {
        let (of, mut content) = (description.clone(), Cursor::new(&content));
        let of = Description { number, ..of };
        snapshot_file::write(&vault, &dir, &author, at, &of, &mut content).expect("written");
    };
    write(1);
    pair.world.deliver();
    pair.say(0, "c", "the same files");
    pair.rest();
    let names = |pair: &Pair| -> Vec<String> {
        let paths = pair.recorded(0).into_keys();
        let names = paths.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        names.collect()
    };
    assert_eq!(names(&pair), ["0002.code.zst"]);
    assert_eq!(pair.offer(1).state, CodeState::InPlace);
    let again = snapshot_file::describe(&vault, &owner, &dir, 2).expect("read");
    assert_eq!(
        again.description.after, None,
        "it needs nothing of the other"
    );
    assert_eq!(again.description.snapshot, description.snapshot);
    // Some stayed after a crash, beside the one of these rules: they go, although nothing changed since.
    write(1);
    write(3);
    pair.say(0, "d", "the same files still");
    pair.rest();
    assert_eq!(names(&pair), ["0002.code.zst"]);
    assert_eq!(pair.offer(1).state, CodeState::InPlace);
    // The same, and there is something new.
    write(1);
    fs::write(pair.desk.join("session.rs"), "fn newer() {}\n").expect("written");
    pair.say(0, "e", "other files");
    pair.rest();
    assert_eq!(names(&pair), ["0002.code.zst", "0003.code.zst"]);
}
