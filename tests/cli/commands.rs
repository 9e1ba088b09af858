//! The real `roam` against a socket with canned answers: text (snapshots), JSON, exit codes, and
//! the promise that docs/cli.md names every field. `UPDATE_SNAPSHOTS=1` rewrites
//! tests/snapshots/cli.

use serde_json::{Value, json};
use session_roam_core::api::*;
use session_roam_core::api::{EngineState, SyncthingState};
use session_roam_core::session::{Problem, ProblemCode};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::canned::*;
use super::stage::Stage;

impl Stage {
    fn usual() -> Self {
        Self::with(canned)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roam"));
        command
            .args(args)
            .env("SESSION_ROAM_HOME", self.home.path())
            .env("HOME", "/home/mia")
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        command
    }

    fn roam(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("roam runs")
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stdout(output)))
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/snapshots/cli")
        .join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        return std::fs::write(&path, text).expect("write the snapshot");
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(
        text, expected,
        "{name} reads differently; UPDATE_SNAPSHOTS=1 accepts it"
    );
}

fn compare_output(name: &str, output: &Output) {
    assert!(output.status.success(), "{name}: {}", stderr(output));
    compare(name, &stdout(output));
}

/// Paths and quoting depend on the system; the text is the same everywhere, so snapshots of one
/// system are enough.
#[cfg(unix)]
#[test]
fn every_answer_reads_as_the_snapshot_says() {
    let stage = Stage::usual();
    for (name, args) in [
        ("status", &["status"][..]),
        ("doctor", &["doctor"]),
        ("doctor-take-in", &["doctor", "--take-in"]),
        ("doctor-timing", &["doctor", "--timing"]),
        ("device", &["device"]),
        ("devices", &["devices"]),
        ("pair", &["pair", "session-roam:1?id=X", "--yes"]),
        ("pair-accept", &["pair", "--accept", &tablet(), "--yes"]),
        ("tools", &["tools"]),
        ("tools-off", &["tools", "off", "codex"]),
        ("projects", &["projects"]),
        ("code", &["code"]),
        ("apps", &["apps"]),
        ("sessions", &["sessions"]),
        ("sessions-none", &["sessions", "--tool", "none"]),
        ("show", &["show", "4f2a91c0"]),
        (
            "show-page",
            &["show", "4f2a91c0", "--from", "2", "--rows", "1"],
        ),
        ("resume-print", &["resume", "4f2a91c0", "--print"]),
        ("splits", &["splits"]),
        ("diff", &["diff", "4f2a"]),
        ("plan", &["plan"]),
        ("history", &["history"]),
        ("journal", &["journal", "4f2a91c0"]),
        ("forget", &["forget", "4f2a91c0", "--yes"]),
        ("forget-list", &["forget", "--list"]),
    ] {
        compare_output(name, &stage.roam(args));
    }
}

#[test]
fn nothing_is_forgotten_without_a_yes() {
    let stage = Stage::usual();
    let output = stage.roam(&["forget", "4f2a91c0", "--json"]);
    assert!(!output.status.success());
    assert_eq!(parsed(&output)["error"]["code"], "needs_yes");
    assert!(
        !stage
            .asked()
            .iter()
            .any(|request| matches!(request, Request::Forget { .. }))
    );
    assert!(
        stderr(&output).contains("After that it is permanent"),
        "the question is said all the same"
    );
    stage.roam(&["forget", "4f2a91c0", "--yes"]);
    let asked = stage.asked();
    assert_eq!(
        asked.last(),
        Some(&Request::Forget {
            session: sessions()[0].session.clone()
        })
    );
}

#[test]
fn a_quiet_day_is_one_sentence() {
    let stage = Stage::with(|request| match request {
        Request::Status => Ok(value(in_step())),
        Request::Devices => Ok(value(only_paired())),
        other => canned(other),
    });
    compare_output("status-in-step", &stage.roam(&["status"]));
}

#[test]
fn each_state_has_its_sentence() {
    type Change = fn(&mut Status, &mut Devices);
    let changes: [(&str, Change); 10] = [
        ("paused", |status, _| status.engine = EngineState::Paused),
        ("paused for a while", |status, _| {
            status.engine = EngineState::Paused;
            status.paused_until = Some(ago(-44 * 60 - 30));
        }),
        ("importing", |status, _| {
            status.engine = EngineState::Importing;
            status.moving = Moving {
                import_done: 120,
                import_total: 1065,
                import_bytes: 54_000_000,
                ..Moving::default()
            };
        }),
        ("no syncthing", |status, _| {
            status.syncthing.state = SyncthingState::Missing
        }),
        ("failed", |status, _| {
            status.syncthing.state = SyncthingState::Failed;
            status.syncthing.message = Some("Its port is taken.".into());
        }),
        ("alone", |_, devices| devices.paired.clear()),
        ("offline", |_, devices| {
            devices.paired[0].connected = false;
            devices.paired[0].last_seen = Some(ago(7_300));
        }),
        ("one away", |_, devices| {
            devices.paired.push(PairedDevice {
                name: "box".into(),
                connected: false,
                last_seen: None,
                ..devices.paired[0].clone()
            })
        }),
        ("not recorded", |status, _| {
            let message = "“Fix the login race” could not be recorded: no space left on device.";
            status.problems = vec![Problem::new(
                ProblemCode::NotRecorded,
                message,
                "Free up disk space.",
            )]
        }),
        ("sending", |status, _| {
            status.moving = Moving {
                out_bytes: 14_000_000,
                in_bytes: 200_000,
                ..Moving::default()
            }
        }),
    ];
    let mut text = String::new();
    for (name, change) in changes {
        let stage = Stage::with(move |request| {
            let (mut status, mut devices) = (in_step(), only_paired());
            change(&mut status, &mut devices);
            status.paired = devices.paired.len() as u64;
            status.connected = devices
                .paired
                .iter()
                .filter(|device| device.connected)
                .count() as u64;
            match request {
                Request::Status => Ok(value(status)),
                _ => Ok(value(devices)),
            }
        });
        text.push_str(&format!("[{name}]\n{}\n", stdout(&stage.roam(&["status"]))));
    }
    compare("status-states", &text);
}

#[test]
fn a_narrow_terminal_gets_narrow_tables_and_a_pipe_everything() {
    let stage = Stage::usual();
    let narrow = stdout(
        &stage
            .command(&["sessions"])
            .env("COLUMNS", "84")
            .output()
            .expect("roam"),
    );
    assert!(
        narrow.lines().all(|line| line.chars().count() <= 84),
        "{narrow}"
    );
    let whole = stdout(
        &stage
            .command(&["sessions"])
            .env_remove("COLUMNS")
            .output()
            .expect("roam"),
    );
    assert!(
        whole.contains("loads in a second even on a slow phone"),
        "{whole}"
    );
}

#[test]
fn a_transcript_does_not_steer_the_terminal() {
    let text = stdout(&Stage::usual().roam(&["show", FIRST]));
    assert!(text.contains("red") && !text.contains('\u{1b}') && !text.contains('\u{7}'));
}

#[test]
fn a_part_is_printed_as_it_is_and_a_picture_as_its_bytes() {
    let stage = Stage::usual();
    assert_eq!(
        stage.roam(&["show", FIRST, "--message", "3"]).stdout,
        b"a\r\nb\x1b"
    );
    assert_eq!(
        stage
            .roam(&["show", FIRST, "--message", "3", "--part", "1"])
            .stdout,
        [0, 1, 0xff, b'\n']
    );
    let hidden = stage.roam(&["show", FIRST, "--message", "3", "--part", "2"]);
    assert!(
        hidden.status.code() == Some(1) && stderr(&hidden).contains("image/png"),
        "{}",
        stderr(&hidden)
    );
    let asked = stage.asked();
    assert_eq!(
        asked[1],
        Request::ShowPart {
            session: FIRST.into(),
            message: 3,
            part: 1
        }
    );
    assert_eq!(
        stage.roam(&["show", FIRST, "--part", "1"]).status.code(),
        Some(2)
    );
}

/// A session is renamed if no device has that name.
#[test]
fn what_is_no_device_is_a_session_to_rename() {
    let stage = Stage::usual();
    assert!(stage.roam(&["rename", "laptop", "desk"]).status.success());
    assert!(
        stage
            .roam(&["rename", FIRST, "Login race"])
            .status
            .success()
    );
    assert!(stage.roam(&["rename", FIRST, ""]).status.success());
    let titles: Vec<Request> = stage
        .asked()
        .into_iter()
        .filter(|request| matches!(request, Request::RenameSession { .. }))
        .collect();
    let rename = |title: &str| Request::RenameSession {
        session: FIRST.into(),
        title: title.into(),
    };
    assert_eq!(titles, [rename("Login race"), rename("")]);
}

// Output for scripts.

#[test]
fn json_is_the_engines_answer_and_the_flag_may_stand_anywhere() {
    let stage = Stage::usual();
    for (args, expected) in [
        (&["--json", "device"][..], value(device())),
        (&["device", "--json"], value(device())),
        (&["tools", "--json"], value(tools())),
        (
            &["tools", "off", "codex", "--json"],
            json!({"done": true, "message": "codex is off on this device."}),
        ),
        (&["projects", "--json"], value(projects())),
        (&["resume", FIRST, "--print", "--json"], value(resume())),
        (&["plan", "--json"], value(plan())),
        (&["journal", FIRST, "--json"], value(journal())),
        (
            &["pair", "CODE", "--yes", "--json"],
            value(pairing("asked")),
        ),
    ] {
        let output = stage.roam(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        assert_eq!(parsed(&output), expected, "{args:?}");
    }
}

#[test]
fn fields_this_roam_does_not_know_are_passed_on() {
    let stage = Stage::with(|_| {
        Ok(
            json!([{"session": "a", "tool": "t", "project": "p", "title": "", "updated": "x", "bytes": 1, "devices": [], "state": "here", "new": 7}]),
        )
    });
    assert_eq!(parsed(&stage.roam(&["sessions", "--json"]))[0]["new"], 7);
}

#[test]
fn arguments_become_requests() {
    let stage = Stage::usual();
    let here = std::env::current_dir().expect("a directory");
    for (args, request) in [
        (
            &["rename", "den"][..],
            Request::Rename {
                id: None,
                name: "den".into(),
            },
        ),
        (
            &["rename", "laptop", "lap"],
            Request::Rename {
                id: Some("laptop".into()),
                name: "lap".into(),
            },
        ),
        (
            &["approve", "server"],
            Request::Approve {
                id: "server".into(),
            },
        ),
        (
            &["follow", "laptop"],
            Request::Follow {
                id: "laptop".into(),
                on: true,
            },
        ),
        (
            &["follow", "laptop", "--stop"],
            Request::Follow {
                id: "laptop".into(),
                on: false,
            },
        ),
        (
            &["revoke", "old laptop", "--yes"],
            Request::Revoke {
                id: "old laptop".into(),
                since: None,
                dry: false,
            },
        ),
        (
            &["unpair", "laptop"],
            Request::Unpair {
                id: "laptop".into(),
            },
        ),
        (
            &["pair", "--dismiss", "tablet"],
            Request::Dismiss {
                id: "tablet".into(),
            },
        ),
        (
            &["tools", "on", "codex"],
            Request::ToolSwitch {
                tool: "codex".into(),
                on: true,
            },
        ),
        (
            &["apps", "allow", "notes"],
            Request::AppAllow {
                app: "notes".into(),
            },
        ),
        (
            &["apps", "deny", "notes"],
            Request::AppDeny {
                app: "notes".into(),
            },
        ),
        (
            &["apps", "remove", "notes"],
            Request::AppRemove {
                app: "notes".into(),
            },
        ),
        (
            &["projects", "map", "k", "src"],
            Request::ProjectMap {
                key: "k".into(),
                dir: here.join("src"),
            },
        ),
        (
            &["projects", "map", "src"],
            Request::ProjectMap {
                key: String::new(),
                dir: here.join("src"),
            },
        ),
        (
            &["projects", "exclude", "k"],
            Request::ProjectExclude {
                key: "k".into(),
                excluded: true,
            },
        ),
        (
            &["projects", "exclude", "k", "--off"],
            Request::ProjectExclude {
                key: "k".into(),
                excluded: false,
            },
        ),
        (
            &[
                "sessions",
                "--tool",
                "codex",
                "--project",
                "api",
                "--device",
                "desk",
                "--limit",
                "9",
                "--after",
                "s",
            ],
            Request::Sessions {
                filter: SessionFilter {
                    tool: Some("codex".into()),
                    project: Some("api".into()),
                    device: Some("desk".into()),
                    limit: Some(9),
                    newest_of_others: None,
                    after: Some("s".into()),
                },
            },
        ),
        (
            &["history", "s"],
            Request::History {
                session: Some("s".into()),
            },
        ),
        (
            &["export", "s", "native", "--out", "o"],
            Request::Export {
                session: "s".into(),
                format: ExportFormat::Native,
                dir: Some(here.join("o")),
            },
        ),
        (
            &["release", "tool:codex"],
            Request::Release {
                what: "tool:codex".into(),
            },
        ),
        (&["pause"], Request::Pause { until: None }),
        (&["continue"], Request::Continue),
        (&["stop"], Request::Stop),
    ] {
        let output = stage.roam(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        assert_eq!(stage.asked().last(), Some(&request), "{args:?}");
    }
}

#[test]
fn an_export_is_the_bytes_of_the_file() {
    let stage = Stage::usual();
    assert_eq!(
        stage.roam(&["export", FIRST]).stdout,
        b"# Fix login race\r\n\x1b[1m\n"
    );
    assert_eq!(
        parsed(&stage.roam(&["export", FIRST, "json", "--json"]))["text"],
        "# Fix login race\r\n\u{1b}[1m\n"
    );
    assert!(
        stdout(&stage.roam(&["export", FIRST, "markdown", "--out", "dir"]))
            .trim_end()
            .ends_with("fix-login-race.md")
    );
}

// Exit codes and errors.

#[test]
fn a_failure_says_what_and_what_next_and_exits_1() {
    let stage = Stage::usual();
    let output = stage.roam(&["show", "nope"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "error: No session is called nope.\nhint: `roam sessions` lists the sessions.\n"
    );
    assert_eq!(stdout(&output), "");
    let output = stage.roam(&["show", "nope", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        parsed(&output)["error"],
        json!({"code": "unknown_session", "message": "No session is called nope.", "hint": "", "actions": [{"do": "open_sessions"}]})
    );
}

#[test]
fn wrong_usage_exits_2_and_asks_the_engine_nothing() {
    let stage = Stage::usual();
    for args in [
        &["fly"][..],
        &[],
        &["show"],
        &["pair"],
        &["pair", "CODE", "--accept", "laptop"],
        &["pair", "CODE", "--digits", "120456"],
        &["rename", "a", "b", "c"],
        &["export", "s", "pdf"],
        &["tools", "maybe", "codex"],
        &["status", "--loud"],
    ] {
        let output = stage.roam(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    assert_eq!(stage.asked(), []);
}

#[test]
fn without_an_engine_status_and_doctor_answer_and_the_rest_say_how_to_start_it() {
    let stage = Stage::without_engine();
    compare_output("status-stopped", &stage.roam(&["status"]));
    compare_output("doctor-stopped", &stage.roam(&["doctor"]));
    assert_eq!(
        parsed(&stage.roam(&["status", "--json"]))["engine"],
        "stopped"
    );
    for args in [
        &["sessions"][..],
        &["device"],
        &["plan"],
        &["tools", "on", "codex"],
        &["resume", "x"],
        &["stop"],
    ] {
        let output = stage.roam(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(
            stderr(&output).contains("hint: Start it with `roam run`"),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    assert_eq!(
        parsed(&stage.roam(&["--json", "plan"]))["error"]["code"],
        "engine_not_running"
    );
}

#[test]
fn the_home_may_be_given_as_an_argument() {
    let stage = Stage::usual();
    let home = stage.home.path().to_str().expect("UTF-8");
    let output = stage
        .command(&["device", "--json", "--home", home])
        .env("SESSION_ROAM_HOME", "/nonexistent")
        .output()
        .expect("roam");
    assert_eq!(parsed(&output)["name"], "desk");
}

#[test]
fn an_answer_of_another_version_is_explained() {
    let output = Stage::with(|_| Ok(json!({"sessions": "many"}))).roam(&["sessions", "--json"]);
    assert_eq!(
        (output.status.code(), &parsed(&output)["error"]["code"]),
        (Some(1), &json!("bad_answer"))
    );
}

#[test]
fn nobody_is_paired_without_a_yes() {
    let stage = Stage::usual();
    let refused = |args: &[&str]| {
        let output = stage.roam(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        parsed(&output)["error"].clone()
    };
    // The user sees what will be shared and with whom before anything is sent.
    let error = refused(&["pair", "session-roam:1?id=X", "--json"]);
    assert_eq!(error["code"], "needs_yes");
    let message = error["message"].as_str().expect("message");
    assert!(
        message.contains("laptop") && message.contains("Your sessions then sync"),
        "{error}"
    );
    let error = refused(&["pair", "--accept", &tablet(), "--json"]);
    assert_eq!(error["code"], "needs_yes");
    assert!(
        error["message"]
            .as_str()
            .expect("message")
            .contains("has this device's code"),
        "{error}"
    );
    let said = |request: &Request| matches!(request, Request::Pair { .. } | Request::Accept { .. });
    assert!(!stage.asked().iter().any(said));
    assert_eq!(
        parsed(&stage.roam(&["pair", "--accept", &tablet(), "--yes", "--json"]))["state"],
        "paired"
    );
    assert_eq!(
        refused(&["pair", "--accept", "tablet", "--yes", "--json"])["code"],
        "id_needed"
    );
}

/// F6: digits need eyes. `--yes` does not confirm them; `--digits` states which digits the user
/// saw.
#[test]
fn digits_are_never_taken_as_read() {
    let stage = Stage::usual();
    let pi = LAPTOP.replace("LAPTOPA", "PIDEVIX");
    let error = |args: &[&str]| parsed(&stage.roam(args))["error"].clone();
    let asked = error(&["pair", "--accept", &pi, "--json"]);
    assert_eq!(asked["code"], "needs_yes");
    assert!(
        asked["message"]
            .as_str()
            .expect("message")
            .contains("120 456"),
        "{asked}"
    );
    assert_eq!(
        error(&["pair", "--accept", &pi, "--yes", "--json"])["code"],
        "digits_needed"
    );
    assert!(
        !stage
            .asked()
            .iter()
            .any(|request| matches!(request, Request::Accept { .. }))
    );
    assert_eq!(
        parsed(&stage.roam(&["pair", "--accept", &pi, "--digits", "120 456", "--json"]))["state"],
        "paired"
    );
    let given = Request::Accept {
        id: pi,
        digits: Some("120 456".into()),
    };
    assert!(stage.asked().contains(&given), "the engine compares them");
}

fn tablet() -> String {
    LAPTOP.replace("LAPTOPA", "TABLETX")
}

#[test]
fn completions_for_every_shell_name_the_commands() {
    let stage = Stage::without_engine();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let output = stage.roam(&["completions", shell]);
        assert!(
            output.status.success() && stdout(&output).contains("splits"),
            "{shell}"
        );
    }
}

// Resuming.

#[cfg(unix)]
mod resuming {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn stage(cwd: &Path) -> Stage {
        let resume = Resume {
            window: false,
            remarks: Vec::new(),
            argv: vec!["some-tool".into(), "--resume".into(), "it's".into()],
            cwd: cwd.into(),
            env: [("GIVEN".to_owned(), "a b".to_owned())].into(),
            unset: vec!["INSIDE".into()],
            before: Vec::new(),
            notes: vec!["It is live on laptop, 12 s ago.".into()],
        };
        Stage::with(move |_| Ok(value(&resume)))
    }

    #[test]
    fn the_tool_runs_in_the_right_directory_and_its_exit_code_is_ours() {
        let dir = tempfile::tempdir().expect("dir");
        let (bin, cwd) = (dir.path().join("bin"), dir.path().join("my code"));
        for dir in [&bin, &cwd] {
            std::fs::create_dir(dir).expect("dir");
        }
        let tool = bin.join("some-tool");
        std::fs::write(
            &tool,
            "#!/bin/sh\nprintf '%s|' \"$PWD\" \"$GIVEN\" \"${INSIDE-gone}\" \"$@\"\nexit 7\n",
        )
        .expect("tool");
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).expect("mode");
        let output = stage(&cwd)
            .command(&["resume", "x"])
            .env("PATH", &bin)
            .env("INSIDE", "1")
            .output()
            .expect("roam");
        let cwd = cwd.canonicalize().expect("cwd");
        assert_eq!(
            stdout(&output),
            format!("{}|a b|gone|--resume|it's|", cwd.display())
        );
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(stderr(&output), "It is live on laptop, 12 s ago.\n");
    }

    #[test]
    fn what_is_missing_is_said_before_anything_runs() {
        let dir = tempfile::tempdir().expect("dir");
        let code = |cwd: &Path| {
            let output = stage(cwd)
                .command(&["resume", "x"])
                .env("PATH", dir.path())
                .output()
                .expect("roam");
            assert_eq!(output.status.code(), Some(1));
            stderr(&output)
        };
        assert!(
            code(dir.path())
                .starts_with("error: some-tool is not installed here, or not on PATH.\n")
        );
        assert!(code(&dir.path().join("gone")).contains("no longer exists."));
    }

    #[test]
    fn the_printed_command_does_the_same_in_a_shell() {
        let dir = tempfile::tempdir().expect("dir");
        let resume = Resume {
            window: false,
            remarks: Vec::new(),
            argv: vec![
                "sh".into(),
                "-c".into(),
                "printf %s \"$PWD|$GIVEN|${INSIDE-gone}\"".into(),
            ],
            cwd: dir.path().into(),
            env: [("GIVEN".to_owned(), "it's $HOME".to_owned())].into(),
            unset: vec!["INSIDE".into()],
            before: Vec::new(),
            notes: Vec::new(),
        };
        let stage = Stage::with(move |_| Ok(value(&resume)));
        let line = stdout(&stage.roam(&["resume", "x", "--print"]));
        let output = Command::new("sh")
            .arg("-c")
            .arg(&line)
            .env("INSIDE", "1")
            .output()
            .expect("sh");
        assert_eq!(
            stdout(&output),
            format!("{}|it's $HOME|gone", dir.path().display()),
            "{line}"
        );
    }
}

// The promise in docs/cli.md.

#[test]
fn the_document_names_every_field_of_every_answer() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let document = std::fs::read_to_string(path).expect("docs/cli.md");
    let answers: [(&str, Value); 25] = [
        ("roam apps", value(apps())),
        ("roam status", value(status())),
        (
            "roam doctor",
            value(Doctor {
                tools: Vec::new(),
                not_carried: Vec::new(),
                ..doctor()
            }),
        ),
        ("roam doctor", value(taken_in())),
        ("roam device", value(device())),
        ("roam devices", value(devices())),
        ("roam revoke", value(revoked(true))),
        ("roam pair", value(pairing("asked"))),
        ("roam pair", value(code_of("CODE"))),
        ("roam tools", value(tools())),
        ("roam projects", value(projects())),
        ("roam code", value(code_status())),
        ("roam sessions", value(sessions())),
        ("roam search", value(searched())),
        ("roam show", value(shown())),
        ("roam show", value(part_body(1))),
        ("roam resume", value(resume())),
        ("roam splits", value(splits())),
        ("roam diff", value(diff())),
        ("roam plan", value(plan())),
        ("roam history", value(history())),
        (
            "roam export",
            value(Exported {
                files: vec!["x".into()],
                text: Some("x".into()),
            }),
        ),
        ("roam journal", value(journal())),
        (
            "roam import",
            value(Imported {
                left_out: vec![NotImported::default()],
                ..Imported::default()
            }),
        ),
        ("roam forget", value(forgotten())),
    ];
    let mut missing = Vec::new();
    for (command, answer) in answers {
        let own = section(&document, command).unwrap_or_else(|| panic!("no section `{command}`"));
        // `show` is a session of the list with more fields; the keys of a map are the user's.
        let also = if command == "roam show" {
            section(&document, "roam sessions").unwrap_or_default()
        } else {
            ""
        };
        let mut names = Vec::new();
        walk(&answer, "", &mut names);
        names.retain(|name| {
            !name.starts_with("env.") && !format!("{own}{also}").contains(&format!("`{name}`"))
        });
        missing.extend(names.into_iter().map(|name| format!("{command}: {name}")));
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// Needs no engine, and says of each file what became of it.
#[test]
fn transcripts_and_exports_are_imported_and_the_result_is_told() {
    let stage = Stage::without_engine();
    let dir = tempfile::tempdir().expect("dir");
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("Unicode").to_owned()
    };
    put("a.md", "## User\n\nhi\n\n## Assistant\n\nhello\n");
    put("README.md", "Words.\u{1b}[2J");
    let dir_name = dir.path().to_str().expect("Unicode");
    let first = stage.roam(&["import", dir_name]);
    assert!(first.status.success(), "{}", stderr(&first));
    assert_eq!(
        stdout(&first),
        "1 conversation of Markdown transcripts: 1 new.\n\
         Not imported: 1.\n  README.md: nobody speaks in it (like “## User” or “**Assistant:**”); import the file by \
         itself to keep it as a document\n"
    );
    let named = put("named.txt", "Only words.");
    let again = parsed(&stage.roam(&["import", &named, dir_name, "--json"]));
    assert_eq!(again["known"], json!({ "markdown": 1 }));
    assert_eq!(again["new"], json!({ "markdown": 1 }));
    // A file imported by itself stays what it is when it is found again.
    assert_eq!(again["n_left_out"], 2);
    let zip = put("holiday.zip", "PK none");
    for bad in [zip.as_str(), "/nowhere/export.zip"] {
        let failed = stage.roam(&["import", bad]);
        assert_eq!(failed.status.code(), Some(1), "{bad}");
        let told = stderr(&failed);
        let says = told.contains("Download the export again") || told.contains("Give the zip");
        assert!(says, "{told}");
    }
    assert_eq!(stage.roam(&["import"]).status.code(), Some(2));
}

#[test]
fn the_document_has_a_section_for_every_command() {
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md"))
            .expect("docs/cli.md");
    let help = stdout(&Stage::without_engine().roam(&["--help"]));
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.strip_prefix("  ")
                .filter(|line| !line.starts_with(' '))?
                .split(' ')
                .next()
        })
        .filter(|name| *name != "help")
        .collect();
    assert!(20 < commands.len(), "{help}");
    for command in commands {
        assert!(
            section(&document, &format!("roam {command}")).is_some(),
            "no section `roam {command}`"
        );
    }
}

/// The text below the heading that names a command, up to the next heading.
fn section<'a>(document: &'a str, command: &str) -> Option<&'a str> {
    document.split("\n### ").find(|section| {
        let heading = section.lines().next().unwrap_or_default();
        heading
            .split('`')
            .any(|part| part == command || part.starts_with(&format!("{command} ")))
    })
}

/// Dotted names of all keys: `syncthing.state`, `waiting.why`.
fn walk(value: &Value, prefix: &str, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let name = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                names.push(name.clone());
                walk(field, &name, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, prefix, names)),
        _ => {}
    }
    names.sort();
    names.dedup();
}

/// Characters that a terminal obeys, that reverse the text direction, and that are invisible.
const HIDDEN: &str = "\u{1b}[31m\u{7}\u{9b}\r\u{200e}\u{200f}\u{61c}\u{202e}\u{2066}\u{2069}\u{200b}\u{200d}\u{feff}\u{2028}\u{2029}";

/// The same answer with these characters in each of its texts, and in field names that are names of
/// something.
fn hostile(answer: &mut Value) {
    match answer {
        Value::String(text) => *text = format!("{HIDDEN}{text}{HIDDEN}"),
        Value::Array(all) => all.iter_mut().for_each(hostile),
        // The kind of a row is one of a few words.
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, _)| *name != "kind")
            .for_each(|(_, field)| hostile(field)),
        _ => {}
    }
}

/// F11: a project's key from another device was printed into a command to copy.
#[test]
fn a_printed_command_quotes_the_key_of_a_project() {
    let stage = Stage::with(|request| {
        let mut answer = canned(request)?;
        let rows = answer.as_array_mut().into_iter().flatten();
        for row in rows.filter(|row| row["places"] == json!([])) {
            row["key"] = "git:host/x; rm -rf ~ #".into();
        }
        Ok(answer)
    });
    let text = stdout(&stage.roam(&["projects"]));
    assert!(
        text.contains("roam projects map 'git:host/x; rm -rf ~ #' DIR"),
        "{text}"
    );
}

/// F11: names, titles and messages of other devices steered the terminal.
#[test]
fn no_answer_steers_the_terminal() {
    let stage = Stage::with(|request| {
        let answer = canned(request).map(|mut answer| {
            hostile(&mut answer);
            answer
        });
        answer.map_err(|error| {
            ApiError::new(error.code, format!("{HIDDEN}{}", error.message), HIDDEN)
        })
    });
    let commands: [&[&str]; 21] = [
        &["apps"],
        &["status"],
        &["doctor"],
        &["doctor", "--take-in"],
        &["doctor", "--timing"],
        &["device"],
        &["devices"],
        &["pair", "session-roam:1?id=X"],
        &["pair", "--accept", "laptop", "--yes"],
        &["tools"],
        &["projects"],
        &["code"],
        &["sessions"],
        &["show", "4f2a"],
        &["resume", "4f2a", "--print"],
        &["splits"],
        &["diff", "4f2a"],
        &["plan"],
        &["history"],
        &["journal", "4f2a"],
        &["undo"],
    ];
    for command in commands {
        for json in [false, true] {
            let args: Vec<&str> = command
                .iter()
                .copied()
                .chain(json.then_some("--json"))
                .collect();
            let output = stage.roam(&args);
            let shown = stdout(&output) + &stderr(&output);
            assert!(!shown.is_empty(), "{args:?}");
            let hidden = shown
                .chars()
                .find(|c| session_roam_core::session::harmless::is_hidden(*c));
            assert_eq!(hidden, None, "{args:?}: {shown}");
        }
    }
}
