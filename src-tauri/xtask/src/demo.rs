//! `cargo xtask demo`: two devices on this machine, on loopback. A sample session is written on one
//! and shown arriving on the other; then everything is stopped and removed. Touches none of the
//! user's own files.

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
    let place = tempfile::Builder::new()
        .prefix("roam-demo")
        .tempdir()
        .context("could not make a temporary directory")?;
    let outcome = show(&roam, place.path(), &interrupt);
    place
        .close()
        .context("could not remove the demo's temporary directory")?;
    println!("\nEverything was stopped and removed.");
    outcome
}

fn show(roam: &Path, place: &Path, interrupt: &Interrupt) -> Result<()> {
    let mut desk = Device::prepare(
        roam,
        place.join("desk").join("ada"),
        "desk",
        "work",
        interrupt,
    )?;
    let mut laptop = Device::prepare(
        roam,
        place.join("laptop").join("lovelace"),
        "laptop",
        "src",
        interrupt,
    )?;
    let (desk_project, laptop_project) = (
        desk.home.join("work/parser"),
        laptop.home.join("src/mine/parser"),
    );
    for project in [&desk_project, &laptop_project] {
        corpus::make_checkout(project, "git@git.example:acme/parser.git")?;
    }
    say(
        "Two devices on this machine, each with a home directory and a checkout of the same project",
    );
    for (device, project) in [(&desk, &desk_project), (&laptop, &laptop_project)] {
        row(
            device.name,
            &format!(
                "~ is {}, the project is {}",
                device.home.display(),
                below_home(device, project)
            ),
        );
    }

    say("Both start `roam run`");
    let start = Instant::now();
    desk.spawn()?;
    laptop.spawn()?;
    desk.wait_ready()?;
    laptop.wait_ready()?;
    row(
        "",
        &format!("ready after {:.1} s", start.elapsed().as_secs_f64()),
    );

    say("They are paired: `roam pair CODE` on desk, `roam pair --accept ID` on laptop");
    device::pair(&mut desk, &mut laptop)?;
    row(
        "",
        "both proved that they know the code's secret; connected",
    );

    say("A session of Claude Code begins on desk");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let now_ms = u64::try_from(now.as_millis())?;
    let mut session = Session::new(&desk_project, now_ms, now_ms);
    let here = session.path(&desk.home);
    let there = session.path_for(&laptop.home, &laptop_project);
    let turns = [
        ("user", "The parser drops the last line of a file. Why?"),
        (
            "assistant",
            "It waits for a line end that never comes. I will flush it at the end of the file.",
        ),
    ];
    let text: String = turns
        .iter()
        .map(|(role, text)| session.said(role, text))
        .collect();
    let took = arrives(&here, &there, &text, interrupt)?;
    turns
        .iter()
        .for_each(|(role, text)| row("", &format!("{role}: {text}")));
    row(desk.name, &below_home(&desk, &here));
    row(laptop.name, &below_home(&laptop, &there));
    row("", &format!("there after {}", shown(took)));

    say("It goes on: one turn more");
    let question = "Good. Add a test for it, please.";
    let took = arrives(&here, &there, &session.said("user", question), interrupt)?;
    row("", &format!("user: {question}"));
    row(
        "",
        &format!(
            "there after {}; both files hold the same {} bytes",
            shown(took),
            fs::metadata(&there)?.len()
        ),
    );

    say("And on laptop it is resumed: `roam resume SESSION`");
    let id = session.id.clone();
    let resume = laptop.wait(
        "the session can be resumed",
        &["resume", &id, "--print"],
        |answer| answer["argv"].is_array().then(|| answer.clone()),
    )?;
    let words: Vec<_> = resume["argv"]
        .as_array()
        .context("argv is a list")?
        .iter()
        .filter_map(|word| word.as_str())
        .collect();
    let cwd = Path::new(resume["cwd"].as_str().context("cwd is a directory")?);
    row(
        laptop.name,
        &format!("cd {} && {}", below_home(&laptop, cwd), words.join(" ")),
    );
    Ok(())
}

/// Appends `text` here and waits for all of it on the other device. Returns the elapsed time.
fn arrives(here: &Path, there: &Path, text: &str, interrupt: &Interrupt) -> Result<Duration> {
    fs::create_dir_all(here.parent().context("a transcript lies in a directory")?)?;
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(here)
        .with_context(|| format!("could not open {}", here.display()))?;
    let start = Instant::now();
    file.write_all(text.as_bytes())
        .with_context(|| format!("could not write {}", here.display()))?;
    let wanted = fs::metadata(here)?.len();
    interrupt.until(
        "the session arrives on laptop",
        Duration::from_secs(60),
        Duration::from_millis(1),
        || {
            fs::metadata(there)
                .is_ok_and(|metadata| wanted <= metadata.len())
                .then_some(())
        },
    )?;
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

fn row(device: &str, text: &str) {
    println!("   {device:8}{text}");
}

/// A path in the notation of that device's user.
fn below_home(device: &Device, path: &Path) -> String {
    match path.strip_prefix(&device.home) {
        Ok(inside) => format!("~/{}", inside.display()),
        Err(_) => path.display().to_string(),
    }
}
