//! `cargo xtask demo`: two devices on this machine, on loopback. A sample session is written on one and shown arriving on
//! the other; then everything is stopped and removed. Touches nothing of the user's own.

use crate::corpus::{self, Session};
use crate::device::{self, Device, Interrupt};
use crate::{run, setup};
use anyhow::{Context, Result, bail};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub fn run() -> Result<()> {
    setup::to_run()?;
    let roam = run::build_roam()?;
    let interrupt = Interrupt::watch()?;
    // Short: a Unix socket's path must fit into some hundred bytes.
    let place =
        tempfile::Builder::new().prefix("roam-demo").tempdir().context("could not make a temporary directory")?;
    let outcome = show(&roam, place.path(), &interrupt);
    place.close().context("could not remove the demo's temporary directory")?;
    println!("\nEverything was stopped and removed.");
    outcome
}

fn show(roam: &Path, place: &Path, interrupt: &Interrupt) -> Result<()> {
    say("Two devices on this machine, each with a home directory of its own");
    let mut desk = Device::prepare(roam, place.join("desk").join("ada"), "desk", "work", interrupt)?;
    let mut laptop = Device::prepare(roam, place.join("laptop").join("lovelace"), "laptop", "src", interrupt)?;
    let (desk_project, laptop_project) = (desk.home.join("work/parser"), laptop.home.join("src/mine/parser"));
    for project in [&desk_project, &laptop_project] {
        corpus::make_checkout(project, "git@git.example:acme/parser.git")?;
    }
    println!(
        "the same project is {} on desk\n                and {} on laptop",
        desk_project.display(),
        laptop_project.display()
    );

    say("Both start `roam run`");
    let start = Instant::now();
    desk.spawn()?;
    laptop.spawn()?;
    desk.wait_ready()?;
    laptop.wait_ready()?;
    println!("ready after {:.1} s", start.elapsed().as_secs_f64());

    say("Pair them: `roam pair CODE` on desk, `roam pair --accept ID` on laptop");
    let digits = device::pair(&mut desk, &mut laptop)?;
    println!("both show {digits}; connected");

    say("A session of Claude Code is written on desk");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let now_ms = u64::try_from(now.as_millis())?;
    let mut session = Session::new(&desk_project, now_ms, now_ms);
    let here = session.path(&desk.home);
    let there = session.path_for(&laptop.home, &laptop_project);
    let turns = [
        ("user", "The parser drops the last line of a file. Why?"),
        ("assistant", "It waits for a line end that never comes. I will flush it at the end of the file."),
    ];
    let text: String = turns.iter().map(|(role, text)| session.said(role, text)).collect();
    let took = arrives(&here, &there, &text, interrupt)?;
    println!("{}\n  arrived as\n{}\n  after {} (a new session)", here.display(), there.display(), shown(took));

    say("Desk goes on: one turn more");
    let took = arrives(&here, &there, &session.said("user", "Good. Add a test for it, please."), interrupt)?;
    println!("on laptop after {}; both files have {} bytes, the same ones", shown(took), fs::metadata(&there)?.len());

    say("Go on with it on laptop: `roam resume SESSION --print`");
    let id = session.id.clone();
    let resume = laptop.wait("the session can be resumed", &["resume", &id, "--print"], |answer| {
        answer["argv"].is_array().then(|| answer.clone())
    })?;
    let words: Vec<_> =
        resume["argv"].as_array().context("argv is a list")?.iter().filter_map(|word| word.as_str()).collect();
    println!("cd {} && {}", resume["cwd"].as_str().unwrap_or_default(), words.join(" "));
    Ok(())
}

/// Adds `text` to the file here and waits until all of it is there. Returns how long that took.
fn arrives(here: &Path, there: &Path, text: &str, interrupt: &Interrupt) -> Result<Duration> {
    fs::create_dir_all(here.parent().context("a transcript lies in a directory")?)?;
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(here)
        .with_context(|| format!("could not open {}", here.display()))?;
    let start = Instant::now();
    file.write_all(text.as_bytes()).with_context(|| format!("could not write {}", here.display()))?;
    let wanted = fs::metadata(here)?.len();
    interrupt.until("the session arrives on laptop", Duration::from_secs(60), Duration::from_millis(1), || {
        fs::metadata(there).is_ok_and(|metadata| wanted <= metadata.len()).then_some(())
    })?;
    let took = start.elapsed();
    match fs::read(here)? == fs::read(there)? {
        true => Ok(took),
        false => bail!("{} and {} differ", here.display(), there.display()),
    }
}

fn shown(took: Duration) -> String {
    format!("{} ms", took.as_millis())
}

fn say(text: &str) {
    println!("\n-- {text}");
}
