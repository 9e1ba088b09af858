//! A peer, a relay or a disk that breaks the rules. Accepted frames are kept and used, wrong ones
//! are refused and reported, and everything else continues.

use super::journals::{recorded_lines, segments};
#[cfg(unix)]
use super::talk::meta;
use super::talk::{ONE, THREE, TWO, assert_carried, assert_quiet, id, turn};
use super::world::{Device, World, tree};
use session_roam_core::api::{Done, ExportFormat, Exported, Request, Resume, Shown};
use session_roam_core::merge::{Action, Choice, ChoiceId};
use session_roam_core::session::{
    Chain, ChainId, DocName, Hlc, Lane, Millis, Project, ProjectKey, SessionId, SessionKey, ToolId,
};
use session_roam_core::syncthing::Notice;
use session_roam_core::vault::frame::{self, FrameHash};
use session_roam_core::vault::keys::DeviceKey;
use session_roam_core::vault::{Entry, Head, SessionCard, VaultPath};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod files;
#[cfg(target_os = "linux")]
mod memory;

/// Two devices, a session of three frames on both, and another one that must continue whatever
/// happens.
fn stage() -> (World, PathBuf) {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    for number in 0..3 {
        world.devices[0].say(&path, turn(&here, ONE, &format!("{number}")));
        world.deliver();
    }
    (world, here)
}

/// The lap's replica of the desk's journal.
fn replica(world: &World) -> PathBuf {
    segments(&world.devices[1], &world.devices[0])
        .into_iter()
        .next()
        .expect("a segment")
}

/// The lap is notified that the file arrived.
fn arrived(world: &mut World, owner: usize, file: &Path) {
    let owner = world.devices[owner].short();
    let root = world.devices[1].vault().lane_dir(&owner, Lane::Priority);
    let path = file
        .strip_prefix(root)
        .expect("below")
        .to_string_lossy()
        .replace('\\', "/");
    world.devices[1].notice(Notice::Arrived {
        owner,
        lane: Lane::Priority,
        paths: vec![path],
    });
}

#[test]
fn a_changed_journal_of_a_peer_is_refused_told_and_fetched_again() {
    type Edit = fn(Vec<u8>) -> Vec<u8>;
    let edits: [(&str, Edit); 5] = [
        ("cut", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("emptied", |_| Vec::new()),
        ("other bytes", |bytes| vec![b'x'; bytes.len()]),
        ("longer other bytes", |bytes| vec![b'x'; bytes.len() * 2]),
        ("one bit", |mut bytes| {
            bytes[40] ^= 1;
            bytes
        }),
    ];
    for (what, edit) in edits {
        let (mut world, here) = stage();
        let file = replica(&world);
        let good = fs::read(&file).expect("segment");
        let before = world.devices[1].stores();
        // As a replacement arrives: by a rename, so that the kept copy is another file.
        let other = file.with_extension("new");
        fs::write(&other, edit(good.clone())).expect("write");
        fs::rename(&other, &file).expect("rename");
        arrived(&mut world, 0, &file);
        assert!(
            world.devices[1].has_problem("journal_changed"),
            "{what}: {:?}",
            world.devices[1].problems()
        );
        assert_eq!(
            world.devices[1].stores(),
            before,
            "{what}: nothing of it reaches the store"
        );

        // Accepted frames are still served.
        let there = world.devices[1].place_of(ONE).expect("placed");
        fs::remove_file(&there).expect("remove");
        let export = Request::Export {
            session: ONE.into(),
            format: ExportFormat::Native,
            dir: Some(world.devices[1].home.join("out")),
        };
        let exported: Exported = world.devices[1].ask(export);
        assert!(
            exported
                .files
                .iter()
                .any(|file| fs::read(file).is_ok_and(|bytes| bytes == before[&there])),
            "{what}"
        );
        fs::write(&there, &before[&there]).expect("back");

        // Other sessions continue, and the segment is fetched again from its owner.
        let other = world.devices[0].transcript(&here, TWO);
        world.devices[0].say(&other, turn(&here, TWO, "and on"));
        world.deliver();
        assert_carried(&world.devices[0], &world.devices[1], TWO);
        assert_eq!(fs::read(&file).expect("segment"), good, "{what}");
        let path = world.devices[0].transcript(&here, ONE);
        world.devices[0].say(&path, turn(&here, ONE, "more"));
        world.deliver();
        assert_carried(&world.devices[0], &world.devices[1], ONE);
        assert_quiet(&mut world, ONE);
    }
}

#[test]
fn a_deleted_replica_is_fetched_again() {
    let (mut world, _) = stage();
    let file = replica(&world);
    fs::remove_file(&file).expect("remove");
    arrived(&mut world, 0, &file);
    assert!(world.devices[1].has_problem("journal_changed"));
    world.deliver();
    assert!(file.exists());
    assert_quiet(&mut world, ONE);
}

/// Appends a frame made with `key` to the desk's journal in the lap's replica.
fn append_frame(
    world: &World,
    key: &DeviceKey,
    head: impl FnOnce(&mut Head),
    text: &str,
    damage: bool,
) -> PathBuf {
    let file = replica(world);
    let mut bytes = fs::read(&file).expect("segment");
    let frames = super::journals::journals(&world.devices[1]);
    let journal = frames
        .iter()
        .find(|journal| journal.session() == ONE)
        .expect("a journal");
    let last = journal.frames.last().expect("a frame");
    let Some(Entry::Lines { doc, at, tip, .. }) = last.entries.last().cloned() else {
        panic!("lines")
    };
    let line = text.as_bytes().to_vec();
    let entry = Entry::Lines {
        doc,
        at,
        after: tip,
        tip: tip.then(&line),
        replaces: None,
        bytes: line,
    };
    let mut next = Head {
        n: last.head.n + 1,
        prev: last.hash.clone(),
        ..last.head.clone()
    };
    head(&mut next);
    let (mut frame, _) = frame::render(&next, &[entry], |message| key.sign(message).to_vec());
    if damage {
        let middle = frame.len() / 2;
        frame[middle] ^= 1;
    }
    bytes.extend(frame);
    let other = file.with_extension("new");
    fs::write(&other, bytes).expect("write");
    fs::rename(&other, &file).expect("rename");
    file
}

#[test]
fn a_frame_that_is_not_its_owners_is_refused_told_and_fetched_again() {
    type Change = fn(&mut Head);
    let cases: [(&str, bool, Change, bool); 6] = [
        ("a flipped bit", true, |_| (), true),
        ("another key", false, |_| (), false),
        (
            "another session",
            true,
            |head| head.session = SessionId::new(TWO),
            false,
        ),
        ("another lane", true, |head| head.lane = Lane::Bulk, false),
        ("an old number", true, |head| head.n = 0, false),
        (
            "another predecessor",
            true,
            |head| head.prev = FrameHash("00".repeat(32)),
            false,
        ),
    ];
    for (what, own_key, change, damage) in cases {
        let (mut world, here) = stage();
        let key = match own_key {
            true => DeviceKey::load_or_create(&world.devices[0].roam).expect("key"),
            false => DeviceKey::from_secret(&[99; 32]),
        };
        let before = world.devices[1].stores();
        let file = append_frame(&world, &key, change, &turn(&here, ONE, "forged"), damage);
        arrived(&mut world, 0, &file);
        assert!(
            world.devices[1].has_problem("frame_refused"),
            "{what}: {:?}",
            world.devices[1].problems()
        );
        assert_eq!(world.devices[1].stores(), before, "{what}");
        let path = world.devices[0].transcript(&here, ONE);
        world.devices[0].say(&path, turn(&here, ONE, "more"));
        world.deliver();
        assert_carried(&world.devices[0], &world.devices[1], ONE);
        assert_quiet(&mut world, ONE);
        assert!(
            !recorded_lines(&world.devices[1], ONE)
                .contains_key(turn(&here, ONE, "forged").as_bytes())
        );
    }
}

#[test]
fn a_frame_that_its_owner_signed_is_taken() {
    // The control for the refusals above.
    let (mut world, here) = stage();
    let key = DeviceKey::load_or_create(&world.devices[0].roam).expect("key");
    let line = turn(&here, ONE, "signed by the desk");
    let file = append_frame(&world, &key, |_| (), &line, false);
    arrived(&mut world, 0, &file);
    assert!(world.devices[1].docs(ONE)["transcript.jsonl"].ends_with(line.as_bytes()));
}

#[test]
fn a_frame_of_a_newer_format_waits_for_an_update() {
    let (mut world, here) = stage();
    let key = DeviceKey::load_or_create(&world.devices[0].roam).expect("key");
    let before = world.devices[1].stores();
    let file = append_frame(
        &world,
        &key,
        |head| head.v = 3,
        &turn(&here, ONE, "from the future"),
        false,
    );
    arrived(&mut world, 0, &file);
    assert!(world.devices[1].has_problem("journal_newer"));
    assert_eq!(world.devices[1].stores(), before);
}

#[test]
fn a_journal_passed_off_as_another_devices_is_refused() {
    let mut world = World::devices(["desk", "lap", "box"]);
    world.pair(0, 1);
    world.pair(1, 2);
    let places =
        [0, 1, 2].map(|at| world.devices[at].project("api", "git@github.com:acme/api.git"));
    let path = world.devices[0].transcript(&places[0], ONE);
    world.devices[0].say(&path, turn(&places[0], ONE, "hello"));
    let other = world.devices[2].transcript(&places[2], TWO);
    world.devices[2].say(&other, turn(&places[2], TWO, "hello"));
    world.deliver();
    let before = world.devices[1].stores();
    // The desk's whole journal appears below the box's folder.
    let vault = world.devices[1].vault();
    let [from, to] = [0, 2].map(|at| vault.lane_dir(&world.devices[at].short(), Lane::Priority));
    let source = segments(&world.devices[1], &world.devices[0]).remove(0);
    let target = to.join(source.strip_prefix(&from).expect("below"));
    fs::create_dir_all(target.parent().expect("parent")).expect("dir");
    fs::copy(&source, &target).expect("copy");
    arrived(&mut world, 2, &target);
    assert!(world.devices[1].has_problem("frame_refused"));
    assert_eq!(world.devices[1].stores(), before);
    // The copy disappears once the folder is as its owner has it, and the sessions continue.
    world.devices[0].say(&path, turn(&places[0], ONE, "more"));
    world.deliver();
    assert!(!target.exists());
    assert_carried(&world.devices[0], &world.devices[1], ONE);
}

#[test]
fn a_card_that_does_not_belong_to_its_folder_is_refused() {
    let (mut world, _) = stage();
    let vault = world.devices[1].vault();
    let dirs = [0, 1].map(|at| {
        vault
            .lane_dir(&world.devices[at].short(), Lane::Priority)
            .join("device.json")
    });
    fs::copy(&dirs[1], &dirs[0]).expect("copy");
    let file = dirs[0].clone();
    arrived(&mut world, 0, &file);
    assert!(world.devices[1].has_problem("card_refused"));
    world.deliver();
    assert!(
        !world.devices[1].has_problem("card_refused"),
        "it was fetched again"
    );
    assert_quiet(&mut world, ONE);
}

// ---- names that want to go elsewhere ----

/// A journal that a hostile desk would write: with the desk's own key, and any names.
struct Forgery<'a> {
    tool: &'a str,
    session: &'a str,
    main: &'a str,
    docs: &'a [(&'a str, &'a str)],
}

/// The claims of a forged card.
struct Claims<'a> {
    project: &'a str,
    wall: i64,
    title: &'a str,
}

impl Forgery<'_> {
    /// Puts the journal into the lap's replica of the desk's folder, and notifies the lap.
    fn deliver(&self, world: &mut World, cwd: &str) {
        let entries = self
            .docs
            .iter()
            .map(|(doc, at)| line_entry(doc, at))
            .collect();
        self.deliver_as(
            world,
            cwd,
            "git:github.com/acme/api",
            super::world::START,
            entries,
        );
    }

    fn deliver_with(&self, world: &mut World, cwd: &str, more: Vec<Entry>) {
        self.deliver_named(world, cwd, "../../title", more);
    }

    fn deliver_named(&self, world: &mut World, cwd: &str, title: &str, more: Vec<Entry>) {
        let lines = self
            .docs
            .iter()
            .map(|(doc, at)| line_entry(doc, at))
            .chain(more)
            .collect();
        let claims = Claims {
            project: "git:github.com/acme/api",
            wall: super::world::START,
            title,
        };
        self.deliver_claiming(world, cwd, &claims, lines);
    }

    /// The same with the other claims of the desk: a project, a time, lines.
    fn deliver_as(
        &self,
        world: &mut World,
        cwd: &str,
        project: &str,
        wall: i64,
        lines: Vec<Entry>,
    ) {
        self.deliver_claiming(
            world,
            cwd,
            &Claims {
                project,
                wall,
                title: "../../title",
            },
            lines,
        );
    }

    fn deliver_claiming(
        &self,
        world: &mut World,
        cwd: &str,
        claims: &Claims<'_>,
        lines: Vec<Entry>,
    ) {
        let Claims {
            project,
            wall,
            title,
        } = *claims;
        let desk = &world.devices[0];
        let key = DeviceKey::load_or_create(&desk.roam).expect("key");
        let (tool, session) = (ToolId::new(self.tool), SessionId::new(self.session));
        let project = Project {
            names: vec!["api".into()],
            ..Project::new(ProjectKey::new(project))
        };
        let dir = VaultPath::journal_dir(
            &desk.short(),
            Lane::Priority,
            &SessionKey::new(&tool, &session),
            &project.key,
        );
        let card = SessionCard {
            project,
            cwd: Some(cwd.into()),
            title: Some(title.into()),
            updated: Millis(super::world::START),
            version: None,
            requires: Vec::new(),
            part_of: None,
            main: DocName::new(self.main),
            base: None,
            fork: None,
        };
        let mut entries = vec![Entry::About(card)];
        entries.extend(lines);
        let at = Hlc {
            wall: Millis(wall),
            count: 7,
        };
        let prev = frame::genesis(&desk.id, Lane::Priority, &tool, &session);
        let head = Head {
            v: frame::VERSION,
            device: desk.id.clone(),
            lane: Lane::Priority,
            tool,
            session,
            n: 0,
            prev,
            at,
            by: String::new(),
        };
        let (bytes, _) = frame::render(&head, &entries, |message| key.sign(message).to_vec());
        let file = world.devices[1].vault().file(&dir).join("0001.jsonl.zst");
        fs::create_dir_all(file.parent().expect("parent")).expect("dir");
        fs::write(&file, bytes).expect("write");
        arrived(world, 0, &file);
    }
}

fn line_entry(doc: &str, at: &str) -> Entry {
    let bytes = b"{\"owned\":true}\n".to_vec();
    let (doc, at) = (DocName::new(doc), at.to_owned());
    if doc.as_str().ends_with(".jsonl") {
        let mut chain = Chain::start();
        chain.feed(&bytes);
        return Entry::Lines {
            doc,
            at,
            after: ChainId::log_start(),
            tip: chain.tip,
            replaces: None,
            bytes,
        };
    }
    let after = ChainId::snapshot_start();
    Entry::Whole {
        doc,
        at,
        after,
        tip: after.then(&bytes),
        head: 0,
        tail: 0,
        bytes,
    }
}

/// Everything on the device except the product's own home, with everything beside the devices.
fn everything(device: &Device) -> BTreeSet<PathBuf> {
    let root = device
        .home
        .ancestors()
        .nth(3)
        .expect("the world's directory");
    tree(root)
        .into_keys()
        .filter(|path| !path.starts_with(&device.roam))
        .collect()
}

const BAD_NAMES: [&str; 22] = [
    "../../.ssh/authorized_keys",
    "../../../.bashrc",
    "..",
    ".",
    "",
    "/etc/cron.d/x",
    "/tmp/session-roam-owned",
    "a/../../../x",
    "a//b",
    "nul\0byte",
    "new\nline",
    "C:\\Windows\\x",
    "C:/Windows/x",
    "..\\..\\x",
    "\\\\srv\\share\\x",
    "CON",
    "aux.txt",
    "trailing.",
    "beside/../../settings.json",
    "beside/todos/../../settings.json",
    "beside/.credentials.json",
    ".credentials.json",
];

#[test]
fn a_doc_name_from_elsewhere_never_leaves_its_session() {
    let (mut world, _) = stage();
    world.devices[0].stop();
    for (number, name) in BAD_NAMES.iter().enumerate() {
        for (half, docs) in [
            [("transcript.jsonl", ""), (*name, *name)],
            [(*name, *name), ("transcript.jsonl", *name)],
        ]
        .iter()
        .enumerate()
        {
            let session = id(number * 2 + half);
            let before = everything(&world.devices[1]);
            let main = if half == 0 { "transcript.jsonl" } else { name };
            Forgery {
                tool: "claude-code",
                session: &session,
                main,
                docs,
            }
            .deliver(&mut world, "/x");
            let slug = world.devices[1].place_of(ONE).expect("placed");
            let own = slug.with_file_name(&session);
            let new: Vec<PathBuf> = everything(&world.devices[1])
                .difference(&before)
                .filter(|path| !path.starts_with(&own) && **path != own.with_extension("jsonl"))
                .cloned()
                .collect();
            assert_eq!(new, Vec::<PathBuf>::new(), "{name:?} as doc {half}");
        }
    }
    assert!(!Path::new("/tmp/session-roam-owned").exists());
    // None of this keeps other sessions from continuing.
    world.devices[0].start();
    world.deliver();
    let path = world.devices[0].place_of(ONE).expect("here");
    let line = turn(Path::new("/x"), ONE, "and on");
    world.devices[0].say(&path, line);
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    assert_eq!(world.devices[1].state_of(ONE), "here");
}

#[test]
fn a_place_from_elsewhere_never_leaves_the_tools_directory() {
    let (mut world, _) = stage();
    world.devices[0].stop();
    let before = everything(&world.devices[1]);
    let rollouts = world.devices[1].home.join(".codex/sessions");
    for (number, at) in BAD_NAMES.iter().enumerate() {
        let session = id(number);
        let docs = [("rollout.jsonl", *at)];
        Forgery {
            tool: "codex",
            session: &session,
            main: "rollout.jsonl",
            docs: &docs,
        }
        .deliver(&mut world, "/x");
        let new: Vec<PathBuf> = everything(&world.devices[1])
            .difference(&before)
            .filter(|path| {
                !(path.starts_with(&rollouts) && path.to_string_lossy().contains(&session))
            })
            .filter(|path| {
                !(0..number).any(|earlier| path.to_string_lossy().contains(&id(earlier)))
            })
            .cloned()
            .collect();
        assert_eq!(new, Vec::<PathBuf>::new(), "{at:?}");
    }
}

#[test]
fn a_session_id_from_elsewhere_is_no_path() {
    let (mut world, _) = stage();
    world.devices[0].stop();
    let before = everything(&world.devices[1]);
    for session in BAD_NAMES {
        for (tool, doc) in [
            ("claude-code", "transcript.jsonl"),
            ("codex", "rollout.jsonl"),
        ] {
            Forgery {
                tool,
                session,
                main: doc,
                docs: &[(doc, "sessions/x")],
            }
            .deliver(&mut world, "/x");
            assert_eq!(
                everything(&world.devices[1]),
                before,
                "{session:?} of {tool}"
            );
        }
    }
    assert_eq!(world.devices[1].state_of(ONE), "here");
}

#[test]
fn r17_a_session_from_a_windows_device_is_placed_by_its_remote() {
    let (mut world, _, there) = World::pair_of_devices();
    world.devices[0].stop();
    let docs = [(
        "transcript.jsonl",
        "projects/C--Users-x-api/transcript.jsonl",
    )];
    Forgery {
        tool: "claude-code",
        session: THREE,
        main: "transcript.jsonl",
        docs: &docs,
    }
    .deliver(&mut world, "C:\\Users\\x\\api");
    assert_eq!(
        world.devices[1].place_of(THREE),
        Some(world.devices[1].transcript(&there, THREE))
    );
    assert_eq!(
        world.devices[1].docs(THREE)["transcript.jsonl"],
        b"{\"owned\":true}\n"
    );
    let resume: session_roam_core::api::Resume = world.devices[1].ask(Request::Resume {
        session: THREE.into(),
    });
    assert_eq!(resume.cwd, there);
}

#[test]
fn a_link_in_the_store_is_not_written_through() {
    #[cfg(unix)]
    {
        let (mut world, here, there) = World::pair_of_devices();
        let slug = world.devices[1].slug_dir(&there);
        fs::create_dir_all(slug.parent().expect("parent")).expect("dir");
        // A link to one of the user's own directories is followed; this one leads out of the store.
        let outside = world.devices[1].home.join(".claude");
        let names = || fs::read_dir(&outside).expect("dir").count();
        let before = names();
        std::os::unix::fs::symlink(&outside, &slug).expect("link");
        let path = world.devices[0].transcript(&here, ONE);
        world.devices[0].say(&path, turn(&here, ONE, "hello"));
        let other = world.devices[0].rollout(TWO);
        world.devices[0].say(&other, meta(&here, TWO));
        world.deliver();
        assert_eq!(names(), before);
        assert_eq!(
            world.devices[1].waits_for(ONE).as_deref(),
            Some("unwritable")
        );
        assert_carried(&world.devices[0], &world.devices[1], TWO);
    }
}

/// Appends decisions about session ONE, signed by the desk, to the desk's journal in the lap's
/// replica.
fn append_choices(world: &World, choices: impl FnOnce(DocName, ChainId) -> Vec<Choice>) -> PathBuf {
    let file = replica(world);
    let mut bytes = fs::read(&file).expect("segment");
    let key = DeviceKey::load_or_create(&world.devices[0].roam).expect("key");
    let frames = super::journals::journals(&world.devices[1]);
    let journal = frames
        .iter()
        .find(|journal| journal.session() == ONE)
        .expect("a journal");
    let last = journal.frames.last().expect("a frame");
    let Some(Entry::Lines { doc, tip, .. }) = last.entries.last().cloned() else {
        panic!("lines")
    };
    let (mut head, mut hash) = (last.head.clone(), last.hash.clone());
    for choice in choices(doc, tip) {
        (head.n, head.prev, head.at.count) = (head.n + 1, hash, head.at.count + 1);
        let (frame, next) = frame::render(&head, &[Entry::Choice(choice)], |message| {
            key.sign(message).to_vec()
        });
        bytes.extend(frame);
        hash = next;
    }
    let other = file.with_extension("new");
    fs::write(&other, bytes).expect("write");
    fs::rename(&other, &file).expect("rename");
    file
}

#[test]
fn a_decision_of_another_device_takes_no_session_out_that_is_no_branch() {
    let (mut world, _) = stage();
    let before = world.devices[1].stores();
    let file = append_choices(&world, |doc, tip| {
        let about = || Choice::about(doc.clone(), Action::KeepLeft);
        let carried_out = ChoiceId {
            at: Hlc::default(),
            device: "ANY".into(),
        };
        vec![
            Choice {
                away: vec![tip],
                ..about()
            },
            Choice {
                away: vec![tip],
                follows: Some(carried_out),
                ..about()
            },
        ]
    });
    arrived(&mut world, 0, &file);
    assert_eq!(world.devices[1].stores(), before);
    assert_eq!(world.devices[1].state_of(ONE), "here");
}

#[test]
fn a_list_of_forks_from_elsewhere_takes_no_other_session_out() {
    let (mut world, here) = stage();
    let other = world.devices[0].transcript(&here, TWO);
    world.devices[0].say(&other, turn(&here, TWO, "of its own"));
    world.deliver();
    let before = world.devices[1].stores();
    let file = append_choices(&world, |doc, tip| {
        let forks = vec![SessionId::new(TWO)];
        let all = Choice {
            forks,
            ends: vec![tip],
            ..Choice::about(doc.clone(), Action::KeepLeft)
        };
        vec![all, Choice::about(doc, Action::KeepBoth)]
    });
    arrived(&mut world, 0, &file);
    // The earlier decision counts again, and this device applies it.
    let _: Done = world.devices[1].ask(Request::Undo {
        session: Some(ONE.into()),
    });
    world.devices[1].settle();
    assert_eq!(world.devices[1].stores(), before);
    assert_eq!(world.devices[1].state_of(TWO), "here");
}

// ---- where a session belongs ----

/// A session of the lap, synced to the desk, to which the desk has added nothing yet.
fn lap_session() -> (World, PathBuf) {
    let (mut world, _, there) = World::pair_of_devices();
    let path = world.devices[1].transcript(&there, TWO);
    world.devices[1].say(&path, turn(&there, TWO, "begun on the lap"));
    world.deliver();
    (world, there)
}

/// The first line of the lap's transcript, which the desk may record, too.
fn copied_line(world: &World) -> Entry {
    let bytes = world.devices[1].docs(TWO)["transcript.jsonl"].clone();
    let mut chain = Chain::start();
    chain.feed(&bytes);
    let (doc, at) = (
        DocName::new("transcript.jsonl"),
        "projects/x/y.jsonl".into(),
    );
    Entry::Lines {
        doc,
        at,
        after: ChainId::log_start(),
        tip: chain.tip,
        replaces: None,
        bytes,
    }
}

/// Where the lap's session is, where it belongs and where it is continued.
fn whereabouts(
    device: &mut Device,
    session: &str,
) -> (String, String, Option<PathBuf>, PathBuf, u64) {
    let row = device.row(session).expect("a row");
    let resume: Resume = device.ask(Request::Resume {
        session: session.into(),
    });
    let shown: Shown = device.ask(Request::show(session));
    (
        row.project,
        row.state.to_string(),
        row.path,
        resume.cwd,
        shown.total,
    )
}

/// F8: an `about` that claims an earlier time than the first line's took over the session's project
/// and main doc.
#[test]
fn no_card_of_another_device_says_where_a_session_of_this_one_belongs() {
    type Lines = fn(&World) -> Vec<Entry>;
    let claims: [(&str, &str, &str, Lines); 4] = [
        (
            "a backdated about",
            "transcript.jsonl",
            "git:github.com/evil/api",
            |_| Vec::new(),
        ),
        (
            "a copy of the first line",
            "transcript.jsonl",
            "git:github.com/evil/api",
            |world| vec![copied_line(world)],
        ),
        ("another main doc", "evil.jsonl", "home:.ssh", |_| {
            vec![line_entry("evil.jsonl", "evil.jsonl")]
        }),
        (
            "another main doc beside a copy",
            "evil.jsonl",
            "home:.ssh",
            |world| vec![line_entry("evil.jsonl", "evil.jsonl"), copied_line(world)],
        ),
    ];
    for (what, main, project, lines) in claims {
        let (mut world, _) = lap_session();
        fs::create_dir_all(world.devices[1].home.join(".ssh")).expect("dir");
        fs::create_dir_all(world.devices[1].home.join("code/evil")).expect("dir");
        let before = whereabouts(&mut world.devices[1], TWO);
        let (store, cwd) = (
            world.devices[1].stores(),
            world.devices[1].home.join(".ssh"),
        );
        let lines = lines(&world);
        world.devices[0].stop();
        Forgery {
            tool: "claude-code",
            session: TWO,
            main,
            docs: &[],
        }
        .deliver_as(&mut world, &cwd.to_string_lossy(), project, 1, lines);
        assert_eq!(whereabouts(&mut world.devices[1], TWO), before, "{what}");
        assert_eq!(
            world.devices[1]
                .stores()
                .get(&before.2.clone().expect("here")),
            store.get(&before.2.clone().expect("here")),
            "{what}"
        );
        // Also after a start with the state, and with nothing but vault and stores.
        world.devices[1].start();
        assert_eq!(
            whereabouts(&mut world.devices[1], TWO),
            before,
            "{what}, after a start"
        );
        world.devices[1].stop();
        fs::remove_file(world.devices[1].roam.join("state.sqlite")).expect("state");
        world.devices[1].start();
        assert_eq!(
            whereabouts(&mut world.devices[1], TWO),
            before,
            "{what}, from the vault"
        );
    }
}

/// F8: a key of another device named any directory of this one as the place where a session opens.
#[test]
fn another_device_names_no_place_on_this_one() {
    let (mut world, _) = lap_session();
    let home = world.devices[1].home.clone();
    for dir in [".ssh", "private", "code/api/.git"] {
        fs::create_dir_all(home.join(dir)).expect("dir");
    }
    let elsewhere = home
        .parent()
        .expect("parent")
        .to_string_lossy()
        .into_owned();
    let own = world.devices[1].short();
    let keys = [
        "home:.ssh".to_owned(),
        "home:private".to_owned(),
        "home:code/api/.git".to_owned(),
        "home:../x".to_owned(),
        "git:github.com/acme/api#.git".to_owned(),
        format!("device:{own}:{elsewhere}"),
        format!("device:{own}:"),
    ];
    world.devices[0].stop();
    let before = world.devices[1].stores();
    for (number, key) in keys.iter().enumerate() {
        let session = id(500 + number);
        let docs = [("transcript.jsonl", "")];
        let forged = Forgery {
            tool: "claude-code",
            session: &session,
            main: "transcript.jsonl",
            docs: &docs,
        };
        let lines = docs.iter().map(|(doc, at)| line_entry(doc, at)).collect();
        forged.deliver_as(&mut world, "/x", key, super::world::START, lines);
        assert_eq!(
            world.devices[1].waits_for(&session).as_deref(),
            Some("place_refused"),
            "{key}"
        );
        assert!(
            world.devices[1]
                .try_ask(Request::Resume { session })
                .is_err(),
            "{key}"
        );
    }
    assert_eq!(world.devices[1].stores(), before);
}

/// The control for the refusals above.
#[test]
fn a_known_directory_without_a_repository_is_found_for_another_device() {
    let (mut world, _) = lap_session();
    let notes = world.devices[1].home.join("notes");
    fs::create_dir_all(&notes).expect("dir");
    let docs = [("transcript.jsonl", "")];
    let session = id(600);
    let forged = Forgery {
        tool: "claude-code",
        session: &session,
        main: "transcript.jsonl",
        docs: &docs,
    };
    let lines = docs.iter().map(|(doc, at)| line_entry(doc, at)).collect();
    forged.deliver_as(&mut world, "/x", "home:notes", super::world::START, lines);
    assert_eq!(
        world.devices[1].waits_for(&session).as_deref(),
        Some("place_refused")
    );
    // A session of this device begins there.
    let path = world.devices[1].transcript(&notes, THREE);
    world.devices[1].say(&path, turn(&notes, THREE, "of its own"));
    assert_eq!(world.devices[1].state_of(&session), "here");
}
