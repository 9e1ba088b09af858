//! Packs that a hostile device could make are refused, and refusing them leaves no trace in the
//! user's repository.

mod support;

use session_roam_code::{
    Checkout, CodeError, Git, Have, Limits, Manifest, ObjectId, PackLimits, Received, is_verified,
    pack, receive, record, recorded,
};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use support::two::Two;
use support::{Repo, assert_same, everything, store};
use tempfile::TempDir;

/// An attacker's repository with the commits of the victim's, and the victim's.
struct Attack {
    dir: TempDir,
    evil: Repo,
    victim: Repo,
    manifest: Manifest,
}

impl Attack {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let victim = Repo::with_files(dir.path().join("victim"), &[("a.txt", "one\n")]);
        let evil = victim.cloned(dir.path().join("evil"));
        evil.write("a.txt", "two\n");
        let (checkout, store) = (evil.checkout(), store(dir.path(), "store-evil"));
        let snapshot = record(&checkout, &store, &Limits::default()).expect("records");
        let have = Have {
            commits: vec![ObjectId::parse(&victim.head()).expect("an id")],
            snapshots: Vec::new(),
        };
        let packed = pack(&checkout, &store, &snapshot.id, &have, 1 << 30).expect("packs");
        let manifest = packed.manifest.clone();
        Self {
            dir,
            evil,
            victim,
            manifest,
        }
    }

    /// Any object, whether git would make it or not.
    fn object(&self, kind: &str, content: &[u8]) -> String {
        let args = ["hash-object", "-t", kind, "-w", "--stdin", "--literally"];
        self.with_input(&args, content)
    }

    fn with_input(&self, args: &[&str], input: &[u8]) -> String {
        let mut command = self.evil.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("git runs");
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(input)
            .expect("writes");
        let output = child.wait_with_output().expect("ends");
        assert!(output.status.success(), "git {args:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A tree of raw entries, as they are.
    fn tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut content = Vec::new();
        for (mode, name, id) in entries {
            content.extend_from_slice(mode.as_bytes());
            content.push(b' ');
            content.extend_from_slice(name);
            content.push(0);
            let bytes = (0..id.len()).step_by(2);
            content.extend(bytes.map(|at| u8::from_str_radix(&id[at..at + 2], 16).expect("hex")));
        }
        self.object("tree", &content)
    }

    fn tree_of_head(&self) -> String {
        self.evil
            .git(&["rev-parse", "HEAD^{tree}"])
            .trim()
            .to_owned()
    }

    /// A snapshot with this working tree, and the manifest that fits it.
    fn snapshot(&self, working_tree: &str) -> (Manifest, PathBuf) {
        let index = self.tree_of_head();
        let mut manifest = self.manifest.clone();
        let state = serde_json::to_vec(&manifest.state).expect("renders");
        let state = self.object("blob", &state);
        let root = self.tree(&[
            ("40000", b"index", &index),
            ("100644", b"state", &state),
            ("40000", b"working-tree", working_tree),
        ]);
        let who = "session-roam <code@session-roam.invalid> 0 +0000";
        let head = self.evil.head();
        let text = format!(
            "tree {root}\nparent {head}\nauthor {who}\ncommitter {who}\n\nState of a checkout\n"
        );
        let id = self.object("commit", text.as_bytes());
        manifest.snapshot = ObjectId::parse(&id).expect("an id");
        manifest.working_tree = ObjectId::parse(working_tree).expect("an id");
        manifest.index = ObjectId::parse(&index).expect("an id");
        let input = format!("{id}\n^{head}\n");
        let list = self.with_input(&["rev-list", "--objects", "--stdin"], input.as_bytes());
        let path = self.pack(&list);
        self.fit(&mut manifest, &path, list.lines().count());
        (manifest, path)
    }

    fn pack(&self, list: &str) -> PathBuf {
        let path = self.dir.path().join("pack");
        let file = fs::File::create(&path).expect("a file");
        let mut command = self.evil.command(&["pack-objects", "--stdout", "-q"]);
        command.stdin(Stdio::piped()).stdout(file);
        let mut child = command.spawn().expect("git runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin
            .write_all(format!("{list}\n").as_bytes())
            .expect("writes");
        drop(stdin);
        assert!(child.wait().expect("ends").success());
        path
    }

    fn fit(&self, manifest: &mut Manifest, path: &Path, n_objects: usize) {
        let bytes = fs::read(path).expect("reads");
        manifest.pack.bytes = bytes.len() as u64;
        manifest.pack.objects = n_objects as u64;
        let chunks = bytes.chunks(manifest.pack.chunk_bytes as usize);
        manifest.pack.chunks = chunks.map(|it| blake3::hash(it).to_string()).collect();
    }

    /// The words of the refusal; nothing changed in the victim's repository or store.
    fn refused(&self, manifest: &Manifest, path: &Path, limits: &PackLimits) -> String {
        let store_dir = self.dir.path().join("store-victim");
        let store = store(self.dir.path(), "store-victim");
        let before = everything(&self.victim.root);
        let objects = everything(&store_dir.join("objects"));
        let checkout = self.victim.checkout();
        let answer = receive(&checkout, &store, manifest, path, limits);
        assert_same(&before, &everything(&self.victim.root), "the repository");
        assert_same(
            &objects,
            &everything(&store_dir.join("objects")),
            "the store",
        );
        match answer {
            Err(CodeError::Refused(words)) => words,
            other => panic!("not refused: {other:?}"),
        }
    }

    fn working_tree_is_refused(&self, working_tree: &str, words: &str) {
        let (manifest, path) = self.snapshot(working_tree);
        let said = self.refused(&manifest, &path, &PackLimits::default());
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn the_attacks_of_these_tests_would_be_taken_without_what_is_wrong_with_them() {
    let attack = Attack::new();
    let blob = attack.object("blob", b"two\n");
    let tree = attack.tree(&[("100644", b"a.txt", &blob)]);
    let (manifest, path) = attack.snapshot(&tree);
    let store = store(attack.dir.path(), "store-victim");
    let limits = PackLimits::default();
    let received = receive(&attack.victim.checkout(), &store, &manifest, &path, &limits);
    assert!(
        matches!(received, Ok(Received::Verified(_))),
        "{received:?}"
    );
}

#[test]
fn paths_into_the_directory_of_git_are_refused() {
    let attack = Attack::new();
    let blob = attack.object("blob", b"#!/bin/sh\necho owned\n");
    let hooks = attack.tree(&[("100755", b"post-checkout", &blob)]);
    let inside = attack.tree(&[("40000", b"hooks", &hooks)]);
    for name in [
        &b".git"[..],
        b".GIT",
        b".Git",
        b"git~1",
        b"GIT~1",
        b".git ",
        b".git.",
        b".git::$INDEX_ALLOCATION",
        ".g\u{200c}it".as_bytes(),
        b"..",
        b".",
    ] {
        let tree = attack.tree(&[("40000", name, &inside)]);
        attack.working_tree_is_refused(&tree, "refused");
    }
}

#[test]
fn names_with_slashes_and_backslashes_are_refused() {
    let attack = Attack::new();
    let blob = attack.object("blob", b"x");
    for name in [
        &b"../../x"[..],
        b"a/b",
        b"/etc/passwd",
        b".git\\hooks\\post-checkout",
    ] {
        let tree = attack.tree(&[("100644", name, &blob)]);
        attack.working_tree_is_refused(&tree, "refused");
    }
}

#[test]
fn links_out_of_the_tree_are_refused() {
    let attack = Attack::new();
    for target in ["/etc/passwd", "../outside", "sub/../../x", ".git/config"] {
        let blob = attack.object("blob", target.as_bytes());
        let tree = attack.tree(&[("120000", b"link", &blob)]);
        attack.working_tree_is_refused(&tree, "leads out");
    }
}

#[test]
fn a_link_and_a_directory_of_one_name_are_refused() {
    let attack = Attack::new();
    let target = attack.object("blob", b"elsewhere");
    let blob = attack.object("blob", b"x");
    let inside = attack.tree(&[("100644", b"file", &blob)]);
    let tree = attack.tree(&[("120000", b"dir", &target), ("40000", b"dir", &inside)]);
    attack.working_tree_is_refused(&tree, "refused");
}

#[test]
fn attributes_that_apply_a_filter_are_refused() {
    let attack = Attack::new();
    let blob = attack.object("blob", b"*.txt filter=evil\n");
    let tree = attack.tree(&[("100644", b".gitattributes", &blob)]);
    attack.working_tree_is_refused(&tree, "filter");
}

/// `lfs` is a macro of the victim's repository: the new line does not say what it does.
#[test]
fn attributes_that_apply_a_filter_by_a_macro_are_refused() {
    let attack = Attack::new();
    let attributes = attack.victim.root.join(".git/info/attributes");
    fs::write(attributes, "[attr]lfs filter=lfs\n").expect("writes");
    let file = attack.object("blob", b"two\n");
    let line = attack.object("blob", b"*.txt lfs\n");
    let tree = attack.tree(&[
        ("100644", b".gitattributes", &line),
        ("100644", b"a.txt", &file),
    ]);
    attack.working_tree_is_refused(&tree, "put it under a filter");
}

/// The first pack brings a commit with a link that leads out, and its own files have none; the second one says
/// that it builds on that commit.
#[test]
#[cfg(unix)]
fn a_commit_that_came_with_a_pack_is_not_the_users_own() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let from = two.have_head().commits;
    let link = two.a.root.join("out");
    std::os::unix::fs::symlink("../../outside", &link).expect("a link");
    two.a.commit("hostile");
    let hostile = ObjectId::parse(&two.a.head()).expect("an id");
    let store = store(two.dir.path(), "store-b");
    let (checkout, limits) = (two.b.checkout(), PackLimits::default());
    // However the commit came here: perhaps it is in the repository by now.
    let fetched = two.a.root.to_string_lossy().into_owned();
    two.b.git(&[
        "fetch",
        "--quiet",
        "--no-write-fetch-head",
        &fetched,
        "main",
    ]);
    two.a.write("a.txt", "two\n");
    for (commits, has_link) in [(from, false), (vec![hostile], true)] {
        let snapshots = Vec::new();
        match has_link {
            true => drop(two.a.git(&["checkout", "--quiet", "--", "out"])),
            false => fs::remove_file(&link).expect("removes"),
        }
        let packed = two.pack(&two.record(), &Have { commits, snapshots });
        let refused = receive(&checkout, &store, &packed.manifest, packed.path(), &limits);
        let said = refused.expect_err("is refused").to_string();
        assert!(said.contains("leads out"), "{said}");
    }
}

/// A pack brings the history of its snapshot. One of these commits may be made as snapshots are.
#[test]
fn a_commit_of_a_pack_that_looks_like_a_snapshot_was_not_verified() {
    let two = Two::new(&[("a.txt", "one\n")]);
    let from = two.have_head().commits;
    two.a.write("a.txt", "two\n");
    let hidden = two.record();
    let objects = two.dir.path().join("store-a/objects");
    let mut command = two
        .a
        .command(&["merge", "--quiet", "--strategy=ours", "-m", "x"]);
    command.arg(hidden.id.as_str());
    command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &objects);
    assert!(command.output().expect("git runs").status.success());
    let snapshot = two.record();
    two.bring(&snapshot, from);
    let (checkout, store) = (two.b.checkout(), store(two.dir.path(), "store-b"));
    let is_there = |id| recorded(&checkout, &store, id).is_ok_and(|it| it.is_some());
    assert!(is_there(&hidden.id) && is_there(&snapshot.id));
    assert!(!is_verified(&checkout, &store, &hidden.id).expect("is read"));
    assert!(is_verified(&checkout, &store, &snapshot.id).expect("is read"));
}

#[test]
fn urls_and_paths_of_submodules_that_are_commands_are_refused() {
    let attack = Attack::new();
    for text in [
        "[submodule \"a\"]\n\tpath = a\n\turl = -u./payload\n",
        "[submodule \"a\"]\n\tpath = -a\n\turl = https://example.org/a\n",
        "[submodule \"../../x\"]\n\tpath = a\n\turl = https://example.org/a\n",
        "[submodule \"a\"]\n\tpath = a\n\turl = https://example.org/a\n\tupdate = !sh\n",
    ] {
        let blob = attack.object("blob", text.as_bytes());
        let tree = attack.tree(&[("100644", b".gitmodules", &blob)]);
        attack.working_tree_is_refused(&tree, "refused");
    }
}

#[test]
fn odd_modes_and_damaged_trees_are_refused() {
    let attack = Attack::new();
    let blob = attack.object("blob", b"x");
    for mode in ["060000", "104755", "000644"] {
        let tree = attack.tree(&[(mode, b"a", &blob)]);
        attack.working_tree_is_refused(&tree, "refused");
    }
    let twice = attack.tree(&[("100644", b"a", &blob), ("100644", b"a", &blob)]);
    attack.working_tree_is_refused(&twice, "refused");
    let unordered = attack.tree(&[("100644", b"b", &blob), ("100644", b"a", &blob)]);
    attack.working_tree_is_refused(&unordered, "refused");
}

#[test]
fn names_that_are_one_on_this_system_are_refused() {
    let attack = Attack::new();
    attack.victim.git(&["config", "core.ignorecase", "true"]);
    let blob = attack.object("blob", b"x");
    let other = attack.object("blob", b"y");
    let inside = attack.tree(&[("100644", b"x", &blob)]);
    for tree in [
        attack.tree(&[("100644", b"A.txt", &blob), ("100644", b"a.txt", &other)]),
        attack.tree(&[("100644", b"DIR", &blob), ("40000", b"dir", &inside)]),
        attack.tree(&[
            ("100644", "E\u{301}".as_bytes(), &blob),
            ("100644", "\u{e9}".as_bytes(), &other),
        ]),
    ] {
        attack.working_tree_is_refused(&tree, "one file on this system");
    }
}

/// The setting says what the disk was on which the repository was made.
#[cfg(unix)]
#[test]
fn names_that_are_one_on_the_disk_are_refused_whatever_the_setting_says() {
    let attack = Attack::new();
    attack.victim.git(&["config", "core.ignorecase", "false"]);
    let blob = attack.object("blob", b"x");
    let other = attack.object("blob", b"y");
    let pair = [
        ("100644", &b"A.txt"[..], &*blob),
        ("100644", b"a.txt", &other),
    ];
    let sharp = [
        ("100644", "STRASSE".as_bytes(), &*blob),
        ("100644", "stra\u{df}e".as_bytes(), &other),
    ];
    let inside = attack.tree(&pair);
    let below = attack.tree(&[("40000", b"one", &inside)]);
    let tree = attack.tree(&[("40000", b"Sub", &below)]);
    // One directory of this kind: an entry of it has both names.
    attack.victim.write("Sub/file", "");
    let sub = attack.victim.root.join("Sub");
    fs::hard_link(sub.join("file"), sub.join("FILE")).expect("links");
    attack.working_tree_is_refused(&tree, "one file on this system");
    // The whole disk.
    std::os::unix::fs::symlink(".git", attack.victim.root.join(".GIT")).expect("links");
    for tree in [attack.tree(&pair), attack.tree(&sharp)] {
        attack.working_tree_is_refused(&tree, "one file on this system");
    }
}

#[test]
fn a_manifest_that_says_something_else_is_refused() {
    let attack = Attack::new();
    let blob = attack.object("blob", b"two\n");
    let tree = attack.tree(&[("100644", b"a.txt", &blob)]);
    let (manifest, path) = attack.snapshot(&tree);
    let limits = PackLimits::default();
    let mut lies = Vec::new();
    let lie = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = manifest.clone();
        change(&mut manifest);
        manifest
    };
    lies.push(lie(&|it| it.working_tree = it.index.clone()));
    lies.push(lie(&|it| it.state.branch = Some("refs/heads/other".into())));
    lies.push(lie(&|it| it.pack.bytes += 1));
    lies.push(lie(&|it| it.pack.chunks[0] = "0".repeat(64)));
    lies.push(lie(&|it| it.snapshot = it.index.clone()));
    lies.push(lie(&|it| it.object_format = "sha256".into()));
    for lie in lies {
        attack.refused(&lie, &path, &limits);
    }
}

#[test]
fn damaged_and_cut_packs_are_refused() {
    let attack = Attack::new();
    let blob = attack.object("blob", b"two\n");
    let tree = attack.tree(&[("100644", b"a.txt", &blob)]);
    let (manifest, path) = attack.snapshot(&tree);
    let whole = fs::read(&path).expect("reads");
    let limits = PackLimits::default();
    let n_objects = manifest.pack.objects as usize;
    let mut broken = vec![
        whole[..whole.len() / 2].to_vec(),
        b"PACK".to_vec(),
        Vec::new(),
    ];
    broken.push([&whole[..], b"more"].concat());
    for at in (12..whole.len()).step_by(7) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x55;
        broken.push(flipped);
    }
    for bytes in broken {
        fs::write(&path, &bytes).expect("writes");
        let mut manifest = manifest.clone();
        attack.fit(&mut manifest, &path, n_objects);
        attack.refused(&manifest, &path, &limits);
    }
}

#[test]
fn a_pack_that_lacks_objects_is_refused() {
    let attack = Attack::new();
    let blob = attack.object("blob", b"two\n");
    let tree = attack.tree(&[("100644", b"a.txt", &blob)]);
    let (mut manifest, _) = attack.snapshot(&tree);
    let head = attack.evil.head();
    let input = format!("{}\n^{head}\n", manifest.snapshot);
    let list = attack.with_input(&["rev-list", "--objects", "--stdin"], input.as_bytes());
    let less: Vec<&str> = list
        .lines()
        .filter(|line| !line.starts_with(&blob))
        .collect();
    assert_eq!(less.len() + 1, list.lines().count());
    let path = attack.pack(&less.join("\n"));
    attack.fit(&mut manifest, &path, less.len());
    attack.refused(&manifest, &path, &PackLimits::default());
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let attack = Attack::new();
    // 64 MB of zeros in some 60 KB.
    let zeros = attack.object("blob", &vec![0; 64 << 20]);
    let tree = attack.tree(&[("100644", b"zeros", &zeros)]);
    let (manifest, path) = attack.snapshot(&tree);
    assert!(manifest.pack.bytes < 200_000);
    let limits = PackLimits {
        object: 32 << 20,
        ..PackLimits::default()
    };
    let said = attack.refused(&manifest, &path, &limits);
    assert!(said.contains("too large"), "{said}");
    let limits = PackLimits {
        unpacked: 60 << 20,
        ..PackLimits::default()
    };
    let said = attack.refused(&manifest, &path, &limits);
    assert!(said.contains("together are too large"), "{said}");
    let limits = PackLimits {
        objects: 3,
        ..PackLimits::default()
    };
    let said = attack.refused(&manifest, &path, &limits);
    assert!(said.contains("too many objects"), "{said}");
}

/// A few KB in the pack, and each path is a file when it is applied. The first copy counts as the pack does.
#[test]
fn one_object_at_very_many_paths_is_refused() {
    let attack = Attack::new();
    let zeros = attack.object("blob", &vec![0; 1 << 20]);
    let names: Vec<String> = (100..200).map(|number| number.to_string()).collect();
    let entries = names
        .iter()
        .map(|name| ("100644", name.as_bytes(), &*zeros));
    let tree = attack.tree(&entries.collect::<Vec<_>>());
    let (manifest, path) = attack.snapshot(&tree);
    assert!(manifest.pack.bytes < 20_000);
    let limits = PackLimits {
        written: (99 << 20) - 1,
        ..PackLimits::default()
    };
    let said = attack.refused(&manifest, &path, &limits);
    assert!(said.contains("too large together"), "{said}");
    let store = store(attack.dir.path(), "store-victim");
    let limits = PackLimits {
        written: 99 << 20,
        ..limits
    };
    let received = receive(&attack.victim.checkout(), &store, &manifest, &path, &limits);
    assert!(
        matches!(received, Ok(Received::Verified(_))),
        "{received:?}"
    );
}

/// A hundred trees of which each contains the next ten times: 10^100 files.
#[test]
fn a_tree_that_contains_itself_very_often_is_refused() {
    let attack = Attack::new();
    let blob = attack.object("blob", b"x");
    let mut tree = attack.tree(&[("100644", b"f", &blob)]);
    for _ in 0..100 {
        let names: Vec<[u8; 1]> = (b'a'..=b'j').map(|name| [name]).collect();
        let entries: Vec<_> = names
            .iter()
            .map(|name| ("40000", &name[..], &*tree))
            .collect();
        tree = attack.tree(&entries);
    }
    let (manifest, path) = attack.snapshot(&tree);
    let limits = PackLimits {
        entries: 10_000,
        ..PackLimits::default()
    };
    let said = attack.refused(&manifest, &path, &limits);
    assert!(said.contains("too many files"), "{said}");
}

#[test]
fn a_chain_of_differences_that_is_too_long_is_refused() {
    let attack = Attack::new();
    let mut entries = Vec::new();
    let mut names = Vec::new();
    for number in 0..30u32 {
        // Each is most like the one before it.
        let lines =
            (number..number + 120).map(|line| *blake3::hash(&line.to_le_bytes()).as_bytes());
        names.push(format!("f{number:02}"));
        entries.push(attack.object("blob", &lines.collect::<Vec<_>>().concat()));
    }
    let entries: Vec<_> = names
        .iter()
        .zip(&entries)
        .map(|(name, id)| ("100644", name.as_bytes(), &**id))
        .collect();
    let tree = attack.tree(&entries);
    let (mut manifest, path) = attack.snapshot(&tree);
    // The pack as git makes it has chains of some length; the limit is below that.
    let head = attack.evil.head();
    let input = format!("{}\n^{head}\n", manifest.snapshot);
    let args = [
        "pack-objects",
        "--revs",
        "--stdout",
        "-q",
        "--delta-base-offset",
        "--depth=50",
    ];
    let mut command = attack.evil.command(&args);
    command
        .stdin(Stdio::piped())
        .stdout(fs::File::create(&path).expect("a file"));
    let mut child = command.spawn().expect("git runs");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input.as_bytes())
        .expect("writes");
    assert!(child.wait().expect("ends").success());
    let n_objects = manifest.pack.objects as usize;
    attack.fit(&mut manifest, &path, n_objects);
    let limits = PackLimits {
        depth: 1,
        ..PackLimits::default()
    };
    let said = attack.refused(&manifest, &path, &limits);
    assert!(said.contains("build on each other"), "{said}");
}

#[test]
fn a_manifest_is_read_strictly() {
    let attack = Attack::new();
    let text = attack.manifest.render();
    assert_eq!(Manifest::parse(&text), Some(attack.manifest.clone()));
    assert_eq!(
        Manifest::parse(&text.replacen("\"version\":1", "\"version\":2", 1)),
        None
    );
    assert_eq!(
        Manifest::parse(&text.replacen('{', "{\"more\":1,", 1)),
        None
    );
    assert_eq!(Manifest::parse("{}"), None);
}

#[test]
fn committed_files_that_look_like_a_repository_lead_nowhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let private = Repo::with_files(dir.path().join("private"), &[("a.txt", "private\n")]);
    let place = private.root.display();
    let config = format!("[core]\n\trepositoryFormatVersion = 0\n\tworktree = {place}\n");
    let files = [
        ("x/HEAD", "ref: refs/heads/main\n"),
        ("x/objects/none", ""),
        ("x/refs/none", ""),
        ("x/config", &config),
    ];
    let repo = Repo::with_files(dir.path().join("a"), &files);
    let trusting = ["-c", "safe.bareRepository=all", "-C", "x"];
    let believed = repo.git(&[&trusting[..], &["rev-parse", "--show-toplevel"]].concat());
    assert!(believed.trim().ends_with("private"), "{believed}");
    let git = Git::find().expect("git");
    Checkout::open(&git, &repo.root.join("x")).expect_err("is refused");
    assert!(repo.checkout().root().ends_with("a"));
}
