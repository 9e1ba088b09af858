//! What a snapshot of a large checkout costs. `cargo bench -p session-roam-code --bench figures --
//! DIR FILES MEGABYTES` makes a repository in DIR, if none is there, and prints one `name value` a
//! line.

use session_roam_code::{
    Checkout, Git, Have, Limits, ObjectId, PackLimits, Received, Store, compare, pack, receive,
    record,
};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().filter(|arg| arg != "--bench").collect();
    let [_, dir, files, megabytes] = args.as_slice() else {
        // `cargo test --benches` runs this without arguments.
        return;
    };
    let (files, megabytes): (u64, u64) = (
        files.parse().expect("a number of files"),
        megabytes.parse().expect("a number of megabytes"),
    );
    let dir = Path::new(dir);
    let root = dir.join("checkout");
    if !root.exists() {
        fill(&root, files, megabytes * 1_000_000);
    }
    let git_program = Git::find().expect("git");
    let checkout = Checkout::open(&git_program, &root).expect("opens");
    let store = Store::open(&dir.join("store")).expect("opens");
    let limits = Limits::default();

    let start = Instant::now();
    let mut last = record(&checkout, &store, &limits).expect("records");
    println!("first_snapshot_ms {:.0}", ms(start));
    let start = Instant::now();
    git(&root, &["status", "--porcelain"]);
    println!("git_status_ms {:.0}", ms(start));

    let (mut times, mut cpu) = (Vec::new(), Vec::new());
    let head = ObjectId::parse(git(&root, &["rev-parse", "HEAD"]).trim()).expect("an id");
    for turn in 0..9u64 {
        for number in 0..3 {
            let path = root.join(name((turn * 7919 + number * 31) % files));
            fs::write(path, text(turn, 700 + number * 900)).expect("writes");
        }
        let (start, used) = (Instant::now(), cpu_ms());
        last = record(&checkout, &store, &limits).expect("records");
        times.push(ms(start));
        cpu.push(cpu_ms() - used);
    }
    println!("turn_snapshot_ms {:.0}", middle(&mut times));
    println!("turn_snapshot_worst_ms {:.0}", times[times.len() - 1]);
    println!("turn_cpu_ms {:.0}", middle(&mut cpu));

    let have = Have {
        commits: vec![head],
        snapshots: Vec::new(),
    };
    let start = Instant::now();
    let packed = pack(&checkout, &store, &last.id, &have, 1 << 32).expect("packs");
    println!("pack_ms {:.0}", ms(start));
    println!("pack_bytes {}", packed.manifest.pack.bytes);
    println!("bundle_bytes {}", bundle(&root, dir));

    let clone = dir.join("clone");
    if !clone.exists() {
        let (from, to) = (
            root.to_str().expect("plain"),
            clone.to_str().expect("plain"),
        );
        git(&root, &["clone", "--quiet", "--shared", from, to]);
    }
    let there = Checkout::open(&git_program, &clone).expect("opens");
    let other = Store::open(&dir.join("other")).expect("opens");
    let start = Instant::now();
    let limits_of_packs = PackLimits::default();
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
    compare(&there, &other, &last.id, &[], &limits).expect("compares");
    println!("compare_ms {:.0}", ms(start));
}

fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn middle(values: &mut [f64]) -> f64 {
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
