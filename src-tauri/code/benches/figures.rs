//! What a snapshot of a large checkout costs. `cargo bench -p session-roam-code --bench figures --
//! DIR CHECKOUT FILES MEGABYTES` makes a repository in CHECKOUT, if none is there, and prints one `name
//! value` a line; what is recorded goes to DIR.

use session_roam_code::{
    Checkout, Git, Have, Limits, ObjectId, PackLimits, Received, Snapshot, Store, compare, pack,
    receive, record_for,
};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Nobody connects to it: it says which commits the other side has.
const REMOTE: &str = "https://git.example/acme/large.git";

fn main() {
    let args: Vec<String> = std::env::args().filter(|arg| arg != "--bench").collect();
    let [_, dir, root, files, megabytes] = args.as_slice() else {
        // `cargo test --benches` runs this without arguments.
        return;
    };
    let (files, megabytes): (u64, u64) = (
        files.parse().expect("a number of files"),
        megabytes.parse().expect("a number of megabytes"),
    );
    let (dir, root) = (Path::new(dir), Path::new(root));
    if !root.exists() {
        fill(root, files, megabytes * 1_000_000);
    }
    let start = Instant::now();
    let mut last = recorded(dir, root);
    println!("first_snapshot_ms {:.0}", ms(start));
    let turns = turns(dir, root, files, &mut last);
    println!(
        "turn_snapshot_ms {:.0}",
        middle(turns.iter().map(|it| it.0))
    );
    println!("turn_cpu_ms {:.0}", middle(turns.iter().map(|it| it.1)));
    println!("git_status_ms {:.0}", middle(turns.iter().map(|it| it.2)));
    travel(dir, root, &last);
    let staged = (0..5).map(|number| {
        git(root, &["add", &name(number * 31 % files)]);
        let start = Instant::now();
        recorded(dir, root);
        ms(start)
    });
    println!("staged_snapshot_ms {:.0}", middle(staged));
}

/// Records the checkout as session-roam does after a turn, from finding git on.
fn recorded(dir: &Path, root: &Path) -> Snapshot {
    let checkout = checkout(root);
    let store = Store::open(&dir.join("store")).expect("opens");
    let store = store.keeping_index_in(&dir.join("indexes"));
    let published = |commits: &[ObjectId]| checkout.published(commits);
    let recorded = record_for(&checkout, &store, &Limits::default(), published);
    recorded.expect("records").0
}

fn checkout(root: &Path) -> Checkout {
    Checkout::open(&Git::find().expect("git"), root).expect("opens")
}

/// Nine turns that rewrite three files: how long each took to record, its CPU time, and how long `git
/// status` takes then; all in milliseconds.
fn turns(dir: &Path, root: &Path, files: u64, last: &mut Snapshot) -> Vec<(f64, f64, f64)> {
    let turn = |turn: u64| {
        for number in 0..3 {
            let path = root.join(name((turn * 7919 + number * 31) % files));
            fs::write(path, text(turn, 700 + number * 900)).expect("writes");
        }
        let (start, used) = (Instant::now(), cpu_ms());
        *last = recorded(dir, root);
        let (took, used) = (ms(start), cpu_ms() - used);
        let start = Instant::now();
        git(root, &["--no-optional-locks", "status", "--porcelain"]);
        (took, used, ms(start))
    };
    (0..9).map(turn).collect()
}

/// Packs what was recorded, and verifies and compares it in a clone.
fn travel(dir: &Path, root: &Path, last: &Snapshot) {
    let head = ObjectId::parse(git(root, &["rev-parse", "HEAD"]).trim()).expect("an id");
    let have = Have {
        commits: vec![head],
        snapshots: Vec::new(),
    };
    let store = Store::open(&dir.join("store")).expect("opens");
    let start = Instant::now();
    let packed = pack(&checkout(root), &store, &last.id, &have, 1 << 32).expect("packs");
    println!("pack_ms {:.0}", ms(start));
    println!("pack_bytes {}", packed.manifest.pack.bytes);
    println!("bundle_bytes {}", bundle(root, dir));

    let clone = dir.join("clone");
    if !clone.exists() {
        let (from, to) = (
            root.to_str().expect("plain"),
            clone.to_str().expect("plain"),
        );
        git(root, &["clone", "--quiet", "--shared", from, to]);
    }
    let there = checkout(&clone);
    let other = Store::open(&dir.join("other")).expect("opens");
    let limits_of_packs = PackLimits::default();
    let start = Instant::now();
    let answer = receive(
        &there,
        &other,
        &packed.manifest,
        packed.path(),
        &limits_of_packs,
    );
    assert!(matches!(answer, Ok(Received::Verified(_))));
    println!("receive_ms {:.0}", ms(start));
    let start = Instant::now();
    compare(&there, &other, &last.id, &[], &Limits::default()).expect("compares");
    println!("compare_ms {:.0}", ms(start));
}

fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Processor time of this process and of the programs that it ran.
#[cfg(unix)]
fn cpu_ms() -> f64 {
    let of = |who| {
        // SAFETY: zeros are a valid `rusage`, which the call fills.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(who, &mut usage);
            usage
        };
        let time = |it: libc::timeval| it.tv_sec as f64 * 1e3 + it.tv_usec as f64 / 1e3;
        time(usage.ru_utime) + time(usage.ru_stime)
    };
    of(libc::RUSAGE_SELF) + of(libc::RUSAGE_CHILDREN)
}

#[cfg(not(unix))]
fn cpu_ms() -> f64 {
    f64::NAN
}

fn name(number: u64) -> String {
    format!(
        "dir{:03}/sub{:02}/file{number}.rs",
        number % 300,
        number % 17
    )
}

/// Text that compresses about as code does.
fn text(seed: u64, bytes: u64) -> String {
    const WORDS: [&str; 16] = [
        "let", "fn", "return", "match", "self", "value", "result", "path", "error", "index",
        "struct", "impl", "for", "while", "name", "other",
    ];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::with_capacity(bytes as usize + 32);
    while (text.len() as u64) < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let word = WORDS[(state >> 60) as usize];
        text.push_str(word);
        text.push_str(&format!("_{:x}", (state >> 40) & 0xfff));
        text.push(if state >> 32 & 7 == 0 { '\n' } else { ' ' });
    }
    text
}

fn fill(root: &Path, files: u64, bytes: u64) {
    fs::create_dir_all(root).expect("a directory");
    git(root, &["init", "--quiet", "--initial-branch=main"]);
    for number in 0..files {
        let path = root.join(name(number));
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        fs::write(path, text(number, bytes / files)).expect("writes");
    }
    // Not compressed: the files are of no account, and there may be gigabytes of them.
    let add = ["-c", "core.bigFileThreshold=1", "-c", "core.compression=0"];
    git(root, &[&add[..], &["add", "--all"]].concat());
    git(root, &["commit", "--quiet", "--message", "first"]);
    git(root, &["remote", "add", "origin", REMOTE]);
    git(root, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    git(root, &["status", "--porcelain"]);
}

/// The size of a bundle of the same change, committed.
fn bundle(root: &Path, dir: &Path) -> u64 {
    let path = dir.join("bundle");
    let index = dir.join("bundle-index");
    fs::copy(root.join(".git/index"), &index).expect("copies");
    let with_index = |args: &[&str]| {
        let mut command = command(root, args);
        command.env("GIT_INDEX_FILE", &index);
        let output = command.output().expect("runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    with_index(&["add", "--all"]);
    let tree = with_index(&["write-tree"]);
    let commit = with_index(&["commit-tree", &tree, "-p", "HEAD", "-m", "work"]);
    git(root, &["update-ref", "refs/heads/bundled", &commit]);
    let file = path.to_str().expect("plain");
    git(
        root,
        &["bundle", "create", "--quiet", file, "main..bundled"],
    );
    git(root, &["update-ref", "-d", "refs/heads/bundled"]);
    fs::metadata(path).expect("a bundle").len()
}

fn git(root: &Path, args: &[&str]) -> String {
    let output = command(root, args).output().expect("git runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn command(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(root).args(args);
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@example.org"),
        ("GIT_COMMITTER_NAME", "A"),
        ("GIT_COMMITTER_EMAIL", "a@example.org"),
    ] {
        command.env(name, value);
    }
    command
}
