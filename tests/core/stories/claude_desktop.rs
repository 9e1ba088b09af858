//! Sessions of Claude Desktop's Code tab: transcripts of Claude Code that sync with the others, and
//! a row on each device, made there and never synced.

use super::forget::{holding, pass_grace};
use super::talk::{ONE, THREE, TWO, id, turn};
use super::world::{Device, World, tree};
use serde_json::{Value, json};
use session_roam_core::api::{Done, Request, Resume, ToolRow};
use session_roam_core::tools::Running;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ACCOUNT: &str = "aaaaaaaa-0000-4000-8000-00000000000a";
const ORGANISATION: &str = "bbbbbbbb-0000-4000-8000-00000000000b";
const NATIVE: &str = "99999999-9999-4999-8999-999999999999";
/// Values that must not leave the row in which they are.
const SECRET: &str = "planted-token-7f3a";

fn registry(device: &Device) -> PathBuf {
    let config = match () {
        () if cfg!(windows) => "AppData/Roaming",
        () if cfg!(target_os = "macos") => "Library/Application Support",
        () => ".config",
    };
    let claude = device.home.join(config).join("Claude");
    claude
        .join("claude-code-sessions")
        .join(ACCOUNT)
        .join(ORGANISATION)
}

/// A row as the app writes it, with all that is bound to the account, the server and this run.
fn app_row(cli_session: &str, cwd: &Path, active: i64) -> Value {
    json!({
        "sessionId": "local_77777777-7777-4777-8777-777777777777",
        "cliSessionId": cli_session,
        "cwd": cwd, "originCwd": cwd,
        "createdAt": active - 1000, "lastActivityAt": active, "lastFocusedAt": active,
        "title": "Their own", "titleSource": "auto", "isArchived": false, "completedTurns": 2,
        "model": "claude-opus-5", "effort": "high",
        "permissionMode": "bypassPermissions", "chromePermissionMode": "skip_all_permission_checks",
        "sessionPermissionUpdates": [{ "rule": SECRET }], "alwaysAllowedReasons": [SECRET],
        "remoteMcpServersConfig": [{ "url": "https://mcp.example", "token": SECRET }],
        "enabledMcpTools": { SECRET: true }, "bridgeSessionIds": [SECRET],
        "sshConfig": { "sshHost": SECRET }, "envScopeId": SECRET, "emailAddress": SECRET,
        "worktreePath": null, "priorCliSessionIds": [TWO],
    })
}

/// A device on which Claude Desktop has run one session of its Code tab.
fn used(device: &Device) {
    let dir = registry(device);
    fs::create_dir_all(&dir).expect("registry");
    let row = app_row(NATIVE, &device.home.join("code"), 1_700_000_000_000);
    fs::write(
        dir.join("local_77777777-7777-4777-8777-777777777777.json"),
        row.to_string(),
    )
    .expect("row");
}

/// A turn that a program of the family wrote.
fn by(entrypoint: &str, cwd: &Path, session: &str, text: &str) -> String {
    let entrypoint = format!("{{\"entrypoint\":\"{entrypoint}\",");
    turn(cwd, session, text).replacen('{', &entrypoint, 1)
}

fn rows(device: &Device) -> BTreeMap<String, Vec<u8>> {
    let name = |path: PathBuf| {
        path.file_name()
            .expect("name")
            .to_string_lossy()
            .into_owned()
    };
    let files = tree(&registry(device)).into_iter();
    files.map(|(path, bytes)| (name(path), bytes)).collect()
}

fn row(device: &Device, session: &str) -> Option<Value> {
    let bytes = rows(device).remove(&format!("local_{session}.json"))?;
    Some(serde_json::from_slice(&bytes).expect("JSON"))
}

fn app() -> Running {
    Running {
        pid: 4711,
        exe: "/usr/lib/claude-desktop/claude-desktop".into(),
        ..Running::default()
    }
}

fn starts(device: &Device) {
    device.apps.lock().expect("apps").push(app());
}

fn quits(device: &mut Device) {
    device.apps.lock().expect("apps").clear();
    device.poll();
}

fn why(device: &mut Device, session: &str) -> String {
    device.row(session).expect("listed").why.unwrap_or_default()
}

/// Two devices; the second one has Claude Desktop.
fn world() -> (World, PathBuf, PathBuf) {
    let (world, here, there) = World::pair_of_devices();
    used(&world.devices[1]);
    (world, here, there)
}

fn say(world: &mut World, cwd: &Path, session: &str, line: &str) {
    let path = world.devices[0].transcript(cwd, session);
    world.devices[0].say(&path, line);
    world.deliver();
}

#[test]
fn a_session_that_arrives_gets_a_row_of_this_device_and_nothing_of_an_account() {
    let (mut world, here, there) = world();
    used(&world.devices[0]);
    say(
        &mut world,
        &here,
        ONE,
        &by("claude-desktop", &here, ONE, "fix the tests"),
    );
    let (now, there) = (world.devices[1].clock_now(), there.to_string_lossy());
    let began = 1_795_424_400_000_i64;
    assert_eq!(
        row(&world.devices[1], ONE),
        Some(json!({
            "sessionId": format!("local_{ONE}"), "cliSessionId": ONE,
            "cwd": there, "originCwd": there,
            "createdAt": began, "lastActivityAt": began,
            "model": "claude-opus-5", "effort": "high", "isArchived": false,
            "title": "fix the tests", "permissionMode": "default",
            "sessionPermissionUpdates": [], "alwaysAllowedReasons": [],
            "indexedAt": now, "adoptedFromOtherSurface": true,
        }))
    );
    assert_eq!(world.devices[1].state_of(ONE), "here");
    assert_eq!(rows(&world.devices[0]).len(), 1, "it began there");
    for word in [SECRET, ACCOUNT, "bypassPermissions"] {
        for device in &world.devices {
            assert_eq!(holding(device, word), Vec::<PathBuf>::new(), "{word}");
        }
    }
    let tools: Vec<ToolRow> = world.devices[1].ask(Request::Tools);
    let desktop = tools
        .iter()
        .find(|tool| tool.tool == "claude-desktop")
        .expect("listed");
    assert_eq!((desktop.found, desktop.sessions), (true, 2));
    assert!(desktop.reason.contains("Anthropic's servers") && desktop.reason.contains("Cowork"));
}

#[test]
fn a_row_waits_until_the_app_has_quit_and_is_made_once() {
    let (mut world, here, _) = world();
    starts(&world.devices[1]);
    say(
        &mut world,
        &here,
        ONE,
        &by("claude-desktop", &here, ONE, "hello"),
    );
    let there = &mut world.devices[1];
    there.poll();
    assert_eq!(
        (row(there, ONE), there.state_of(ONE)),
        (None, "here".into())
    );
    assert!(why(there, ONE).starts_with("Claude Desktop is running (process 4711): "));
    let resume: Resume = there.ask(Request::Resume {
        session: ONE.into(),
    });
    assert_eq!(resume.argv[..2], ["claude", "--resume"]);
    let offered = format!("Claude Desktop opens it with: claude --desktop --resume {ONE}");
    assert!(resume.notes.contains(&offered), "{:?}", resume.notes);
    let tools: Vec<ToolRow> = there.ask(Request::Tools);
    let desktop = tools
        .iter()
        .find(|tool| tool.tool == "claude-desktop")
        .expect("listed");
    assert!(
        desktop.reason.contains("(process 4711)"),
        "{}",
        desktop.reason
    );
    quits(there);
    let made = row(there, ONE).expect("made");
    assert_eq!(
        (made["cliSessionId"].as_str(), why(there, ONE).as_str()),
        (Some(ONE), "")
    );
    let before = rows(there);
    for _ in 0..3 {
        there.stop();
        there.start();
        there.poll();
    }
    say(
        &mut world,
        &here,
        ONE,
        &by("claude-desktop", &here, ONE, "and on"),
    );
    assert_eq!(rows(&world.devices[1]), before);
}

#[test]
fn an_engine_that_dies_between_transcript_and_row_makes_the_row_at_its_next_start() {
    let (mut world, here, there) = world();
    starts(&world.devices[1]);
    say(
        &mut world,
        &here,
        ONE,
        &by("claude-desktop", &here, ONE, "hello"),
    );
    assert!(world.devices[1].transcript(&there, ONE).exists());
    world.devices[1].stop();
    world.devices[1].apps.lock().expect("apps").clear();
    world.devices[1].start();
    assert!(row(&world.devices[1], ONE).is_some());
    // Again, with the row on disk and nothing of it in the state.
    world.devices[1].stop();
    fs::remove_file(world.devices[1].roam.join("state.sqlite")).expect("state");
    for more in ["state.sqlite-wal", "state.sqlite-shm"] {
        let _ = fs::remove_file(world.devices[1].roam.join(more));
    }
    let before = rows(&world.devices[1]);
    world.devices[1].start();
    assert_eq!(rows(&world.devices[1]), before);
}

#[test]
fn a_row_that_the_user_removed_is_never_made_again() {
    for leaves_tombstone in [true, false] {
        let (mut world, here, _) = world();
        say(
            &mut world,
            &here,
            ONE,
            &by("claude-desktop", &here, ONE, "hello"),
        );
        let dir = registry(&world.devices[1]);
        fs::remove_file(dir.join(format!("local_{ONE}.json"))).expect("made");
        if leaves_tombstone {
            fs::write(dir.join(format!("deleted_{ONE}")), "1759660000123").expect("tombstone");
        }
        say(
            &mut world,
            &here,
            ONE,
            &by("claude-desktop", &here, ONE, "and on"),
        );
        world.devices[1].stop();
        world.devices[1].start();
        assert_eq!(row(&world.devices[1], ONE), None);
    }
    // The tombstone alone, without any memory of the row.
    let (mut world, here, _) = world();
    fs::write(
        registry(&world.devices[1]).join(format!("deleted_{ONE}")),
        "1",
    )
    .expect("tombstone");
    say(
        &mut world,
        &here,
        ONE,
        &by("claude-desktop", &here, ONE, "hello"),
    );
    assert_eq!(row(&world.devices[1], ONE), None);
}

#[test]
fn what_the_app_has_in_place_stays_as_it_is() {
    let (mut world, here, _) = world();
    // The app continues ONE in a session of another id, and a damaged file has the name of THREE.
    let dir = registry(&world.devices[1]);
    fs::write(dir.join(format!("local_{THREE}.json")), "{\"sessionId\":").expect("damaged");
    let before = rows(&world.devices[1]);
    for session in [TWO, THREE] {
        say(
            &mut world,
            &here,
            session,
            &by("claude-desktop", &here, session, "hello"),
        );
        assert_eq!(world.devices[1].state_of(session), "here");
    }
    assert_eq!(
        rows(&world.devices[1]),
        before,
        "TWO is an earlier session of the app's own"
    );
}

#[test]
fn only_sessions_that_the_app_ran_get_a_row() {
    let (mut world, here, _) = world();
    let before = rows(&world.devices[1]);
    for (number, entrypoint) in ["cli", "claude-vscode", "sdk-cli", "local-agent"]
        .into_iter()
        .enumerate()
    {
        let session = id(number);
        say(
            &mut world,
            &here,
            &session,
            &by(entrypoint, &here, &session, "hello"),
        );
        assert_eq!(world.devices[1].state_of(&session), "here");
    }
    assert_eq!(rows(&world.devices[1]), before);
    // One session of the editor's extension, not two: it is in Claude Code's list only.
    let listed = world.devices[1].sessions();
    assert_eq!(listed.iter().filter(|row| row.session == id(1)).count(), 1);
    // The same session is continued in the app.
    say(
        &mut world,
        &here,
        &id(0),
        &by("claude-desktop", &here, &id(0), "and on"),
    );
    assert!(row(&world.devices[1], &id(0)).is_some());
}

#[test]
fn without_a_row_of_the_app_none_is_made_and_the_reason_is_stated() {
    let (mut world, here, _) = World::pair_of_devices();
    say(
        &mut world,
        &here,
        ONE,
        &by("claude-desktop", &here, ONE, "hello"),
    );
    assert_eq!(why(&mut world.devices[1], ONE), "", "it is not installed");
    fs::create_dir_all(registry(&world.devices[1])).expect("installed");
    say(
        &mut world,
        &here,
        TWO,
        &by("claude-desktop", &here, TWO, "hello"),
    );
    let text = why(&mut world.devices[1], TWO);
    assert!(
        text.contains("has run no session of its Code tab"),
        "{text}"
    );
    assert_eq!(rows(&world.devices[1]).len(), 0);
    used(&world.devices[1]);
    // The example names TWO as an earlier session of its own.
    let dir = registry(&world.devices[1]);
    fs::write(
        dir.join("local_77777777-7777-4777-8777-777777777777.json"),
        app_row(NATIVE, &here, 1).to_string().replace(TWO, NATIVE),
    )
    .expect("row");
    world.devices[1].poll();
    assert!(row(&world.devices[1], TWO).is_some());
}

#[test]
fn a_switched_off_tool_gets_no_row() {
    let (mut world, here, _) = world();
    let _: Done = world.devices[1].ask(Request::ToolSwitch {
        tool: "claude-desktop".into(),
        on: false,
    });
    say(
        &mut world,
        &here,
        ONE,
        &by("claude-desktop", &here, ONE, "hello"),
    );
    assert_eq!(row(&world.devices[1], ONE), None);
}

#[test]
fn a_row_made_here_follows_its_session_until_the_app_changes_it() {
    for is_changed in [false, true] {
        let (mut world, here, _) = world();
        say(
            &mut world,
            &here,
            ONE,
            &by("claude-desktop", &here, ONE, "hello"),
        );
        let path = registry(&world.devices[1]).join(format!("local_{ONE}.json"));
        let mut saved = row(&world.devices[1], ONE).expect("made");
        // The app saves the row at every end, with more fields.
        saved["title"] = "Renamed by the user".into();
        saved["completedTurns"] = 1.into();
        if is_changed {
            saved["worktreePath"] = "/elsewhere".into();
        }
        fs::write(&path, saved.to_string()).expect("saved");
        let other = world.devices[1].project("new place", "git@github.com:acme/api.git");
        let _: Done = world.devices[1].ask(Request::ProjectMap {
            key: "git:github.com/acme/api".into(),
            dir: other.clone(),
        });
        world.deliver();
        world.devices[1].poll();
        world.deliver();
        assert!(
            world.devices[1].transcript(&other, ONE).exists(),
            "it moved"
        );
        if !is_changed {
            saved["cwd"] = other.to_string_lossy().into();
            saved["originCwd"] = saved["cwd"].clone();
        }
        assert_eq!(row(&world.devices[1], ONE), Some(saved));
    }
}

#[test]
fn a_forgotten_session_leaves_the_sidebar_when_the_app_has_quit() {
    let (mut world, here, there) = world();
    say(
        &mut world,
        &here,
        ONE,
        &by("claude-desktop", &here, ONE, "forget me"),
    );
    assert!(row(&world.devices[1], ONE).is_some());
    starts(&world.devices[1]);
    let forget = Request::Forget {
        session: ONE.into(),
    };
    world.devices[0].try_ask(forget).expect("forgotten");
    for at in [0, 1, 0, 1] {
        pass_grace(&mut world.devices[at]);
        world.deliver();
    }
    assert!(!world.devices[1].transcript(&there, ONE).exists());
    assert!(
        row(&world.devices[1], ONE).is_some(),
        "the app would write it again"
    );
    quits(&mut world.devices[1]);
    assert_eq!(row(&world.devices[1], ONE), None);
    assert_eq!(rows(&world.devices[1]).len(), 1, "the app's own row");
}
