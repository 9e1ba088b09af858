//! Uncommitted changes go along with sessions of the real Claude Code and the real Codex: a turn
//! edits files on one device, and the tool reads them on the other. Nothing is faked but the model,
//! as in tests/real/clients.rs.

use session_roam_testutils::device::{Device, PATIENCE, Resume};
use session_roam_testutils::isolation::{alone, wait_for};
use session_roam_testutils::mock::Mock;
use session_roam_testutils::story::carried_by_roam;
use session_roam_testutils::tools::Tool;
use session_roam_testutils::world::World;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn claude_code_reads_on_the_other_device_what_it_changed_and_back() {
    alone(|| there_and_back(Tool::ClaudeCode));
}

#[test]
fn codex_reads_on_the_other_device_what_it_changed_and_back() {
    alone(|| there_and_back(Tool::Codex));
}

/// openai/codex #33814 and #34238: a session that moved between a checkout and a worktree was of two
/// minds about its directory.
#[test]
fn claude_code_goes_on_in_the_worktree_that_was_made_for_it_and_back() {
    alone(|| in_a_worktree(Tool::ClaudeCode));
}

#[test]
fn codex_goes_on_in_the_worktree_that_was_made_for_it_and_back() {
    alone(|| in_a_worktree(Tool::Codex));
}

/// A session of the desk that the laptop has, too.
fn begun(tool: Tool) -> (World, String) {
    let world = World::paired();
    let session = tool.begin(&world.desk, "Where is the bug in parser.rs?");
    carried_by_roam(tool, &session, &world.desk, &world.laptop);
    (world, session)
}

fn in_a_worktree(tool: Tool) {
    let (world, session) = begun(tool);
    let World {
        desk, laptop, mock, ..
    } = &world;
    desk.roam(&["code", "on", "acme/api"]);
    fs::write(laptop.checkout.join("parser.rs"), "fn of_the_laptop() {}\n").expect("written");
    let resume = tool.resume_by_hand(&session, &desk.checkout);
    edits(tool, desk, &resume, "fn parse_at_the_desk() {}");

    let resume = taken_over(laptop, &session, |resume| {
        fs::read_to_string(resume.cwd.join("parser.rs")).unwrap_or_default()
            == "fn parse_at_the_desk() {}\n"
    });
    let worktree = resume.cwd.clone();
    assert_eq!(
        worktree.parent(),
        laptop.checkout.parent(),
        "beside the checkout"
    );
    assert_ne!(worktree, laptop.checkout);
    assert_eq!(
        parser(&laptop.checkout),
        "fn of_the_laptop() {}\n",
        "left alone"
    );
    reads(tool, laptop, &resume, mock, "fn parse_at_the_desk() {}");
    let again = resumed_in(laptop, &session, &worktree);
    assert_eq!(again.argv, resume.argv, "it stays there");

    while worktree.exists() {
        laptop.roam(&["undo", &session]);
    }
    let back = resumed_in(laptop, &session, &laptop.checkout);
    reads(tool, laptop, &back, mock, "fn of_the_laptop() {}");
}

/// Where the session is resumed, once that is this directory.
fn resumed_in(device: &Device, session: &str, dir: &Path) -> Resume {
    let what = format!("{} to resume in {}", device.name, dir.display());
    wait_for(&what, PATIENCE, || {
        let resume = device.try_roam(&["resume", session, "--print", "--without-code"])?;
        let resume: Resume = serde_json::from_value(resume).map_err(|error| error.to_string())?;
        match resume.cwd == dir {
            true => Ok(resume),
            false => Err(resume.cwd.display().to_string()),
        }
    })
}

fn there_and_back(tool: Tool) {
    let (world, session) = begun(tool);
    let World {
        desk, laptop, mock, ..
    } = &world;
    let before = parser(&laptop.checkout);

    desk.roam(&["code", "on", "acme/api"]);
    let resume = tool.resume_by_hand(&session, &desk.checkout);
    edits(tool, desk, &resume, "fn parse_at_the_desk() {}");
    fs::write(desk.checkout.join("notes.txt"), "untracked\n").expect("written");
    let resume = with_code(laptop, &session, "fn parse_at_the_desk() {}");
    assert_eq!(resume.cwd, laptop.checkout);

    reads(tool, laptop, &resume, mock, "fn parse_at_the_desk() {}");

    laptop.roam(&["code", "on", "acme/api"]);
    edits(tool, laptop, &resume, "fn parse_on_the_laptop() {}");
    let resume = with_code(desk, &session, "fn parse_on_the_laptop() {}");
    assert_eq!(
        resume.cwd, desk.checkout,
        "in place: its own changes are known there"
    );
    reads(tool, desk, &resume, mock, "fn parse_on_the_laptop() {}");
    let notes = fs::read_to_string(desk.checkout.join("notes.txt")).expect("it stays");
    assert_eq!(notes, "untracked\n");

    laptop.git(&["checkout", "--quiet", "--", "parser.rs"]);
    assert_eq!(parser(&laptop.checkout), before);
}

fn parser(checkout: &Path) -> String {
    fs::read_to_string(checkout.join("parser.rs")).expect("it is committed")
}

/// A turn in which the tool itself writes `line` into the file.
fn edits(tool: Tool, device: &Device, resume: &Resume, line: &str) {
    let mut resume = resume.clone();
    let path = device.checkout.join("parser.rs");
    let prompt = match tool {
        Tool::ClaudeCode => {
            let allowed = ["--permission-mode", "acceptEdits"].map(str::to_owned);
            resume.argv.extend(allowed);
            // A file must be read before it is edited.
            let input = serde_json::json!({ "file_path": path.to_string_lossy() });
            tool.go_on(device, &resume, &format!("call-tool: Read {input}"))
                .expect("it reads");
            let old = parser(&device.checkout);
            let input = serde_json::json!({
                "file_path": path.to_string_lossy(), "old_string": old.trim_end(), "new_string": line,
            });
            format!("call-tool: Edit {input}")
        }
        Tool::Codex => format!("run-tool: echo '{line}' > parser.rs"),
    };
    tool.go_on(device, &resume, &prompt).expect("it edits");
    assert_eq!(parser(&device.checkout), format!("{line}\n"));
}

/// A turn in which the tool itself prints the file in its working directory, which has `line`.
fn reads(tool: Tool, device: &Device, resume: &Resume, mock: &Mock, line: &str) {
    static TURNS: AtomicU32 = AtomicU32::new(1);
    let read = "run-tool: cat parser.rs";
    tool.go_on(device, resume, read).expect("it reads");
    let next = format!("Question {}", TURNS.fetch_add(1, Ordering::Relaxed));
    tool.go_on(device, resume, &next).expect("it goes on");
    let turns = mock.context_of(&next);
    let asked = format!("user: {read}");
    let at = turns.iter().rposition(|turn| *turn == asked);
    let after = &turns[at.expect("it was asked")..];
    let result = format!("result: {line}");
    assert!(after.contains(&result), "it reads {line}: {after:#?}");
}

/// Takes over what the other device recorded until the checkout is as the last turn left it.
fn with_code(device: &Device, session: &str, line: &str) -> Resume {
    taken_over(device, session, |_| {
        parser(&device.checkout) == format!("{line}\n")
    })
}

/// Takes over what the other device recorded until that is what the last turn left: a state may have
/// been recorded within the turn.
fn taken_over(device: &Device, session: &str, is_it: impl Fn(&Resume) -> bool) -> Resume {
    let what = format!("{} to have the files as they were changed", device.name);
    wait_for(&what, PATIENCE, || {
        let resume = device.try_roam(&["resume", session, "--print", "--with-code"])?;
        let resume: Resume = serde_json::from_value(resume).map_err(|error| error.to_string())?;
        match is_it(&resume) {
            true => Ok(resume),
            false => Err(format!("not yet in {}", resume.cwd.display())),
        }
    })
}
