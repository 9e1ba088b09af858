//! The real `roam` against a socket with canned answers: words (snapshots), JSON, exit codes, and the promise that
//! docs/cli.md names every field. `UPDATE_SNAPSHOTS=1` writes tests/snapshots/cli anew.

use serde::Serialize;
use serde_json::{Value, json};
use session_roam_core::api::socket::{self, Server};
use session_roam_core::api::*;
use session_roam_core::session::{Millis, Problem};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

const DESK: &str = "DESKAAA-BBBBBBB-CCCCCCC-DDDDDDD-EEEEEEE-FFFFFFF-GGGGGGG-HHHHHHH";
const LAPTOP: &str = "LAPTOPA-BBBBBBB-CCCCCCC-DDDDDDD-EEEEEEE-FFFFFFF-GGGGGGG-HHHHHHH";
const FIRST: &str = "4f2a91c0-7c1e-4f9b-9a55-0d6c1c2f7a10";
const SECOND: &str = "0199a1b2-33c4-7d5e-8f60-718293a4b5c6";
const THIRD: &str = "c9d8e7f6-1234-4abc-8def-0123456789ab";

/// A home with an engine that knows its answers by heart and remembers what it was asked.
struct Stage {
    home: tempfile::TempDir,
    asked: Arc<Mutex<Vec<Request>>>,
    _server: Option<Server>,
}

impl Stage {
    fn without_engine() -> Self {
        Self { home: tempfile::tempdir().expect("home"), asked: Arc::default(), _server: None }
    }

    fn with(answer: impl Fn(&Request) -> Result<Value, ApiError> + Send + Sync + 'static) -> Self {
        let mut stage = Self::without_engine();
        let asked = stage.asked.clone();
        let handler = Arc::new(move |request: Request| {
            let answer = answer(&request);
            asked.lock().expect("asked").push(request);
            answer
        });
        stage._server = Some(socket::serve(stage.home.path(), handler).expect("serve"));
        stage
    }

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

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().expect("asked").clone()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stdout(output)))
}

fn value(answer: impl Serialize) -> Value {
    serde_json::to_value(answer).expect("an answer")
}

/// RFC 3339 of so many seconds ago; far from the next unit, so that a slow or stepping clock changes no word.
fn ago(seconds: i64) -> String {
    Millis(Millis::from_system(std::time::SystemTime::now()).0 - seconds * 1000).rfc3339()
}

// The canned answers. Every field has a value, so that walking them finds every name.

fn canned(request: &Request) -> Result<Value, ApiError> {
    Ok(match request {
        Request::Status => value(status()),
        Request::Doctor => value(doctor()),
        Request::Device => value(device()),
        Request::Devices => value(devices()),
        Request::Pair { .. } => value(pairing("asked")),
        Request::Accept { .. } => value(pairing("paired")),
        Request::Tools => value(tools()),
        Request::Projects => value(projects()),
        Request::Sessions { filter } if filter.tool.as_deref() == Some("none") => json!([]),
        Request::Sessions { .. } => value(sessions()),
        Request::Show { session } if session == "nope" => {
            return Err(ApiError::new("unknown_session", "No session is called nope.", "`roam sessions` lists them."));
        }
        Request::Show { .. } => value(shown()),
        Request::Resume { .. } => value(resume()),
        Request::Splits => value(splits()),
        Request::Plan => value(plan()),
        Request::History { .. } => value(history()),
        Request::Export { dir: Some(dir), .. } => {
            value(Exported { files: vec![dir.join("fix-login-race.md")], text: None })
        }
        Request::Export { .. } => {
            value(Exported { files: Vec::new(), text: Some("# Fix login race\r\n\u{1b}[1m\n".into()) })
        }
        Request::Journal { .. } => value(journal()),
        Request::ToolSwitch { tool, on } => {
            value(Done { done: true, message: format!("{tool} is {} on this device.", if *on { "on" } else { "off" }) })
        }
        other => value(Done { done: true, message: format!("Done: {}.", value(other)["cmd"].as_str().expect("cmd")) }),
    })
}

fn status() -> Status {
    Status {
        engine: "running".into(),
        syncthing: SyncthingStatus {
            state: "running".into(),
            version: Some("v1.29.2".into()),
            pid: Some(4711),
            addresses: vec!["tcp://192.168.1.4:22000".into()],
            message: Some("".into()),
        },
        moving: Moving::default(),
        waiting: vec![
            waiting(
                "Fix login race",
                "git:github.com/acme/api",
                "live",
                "Claude Code has this session open here.",
                "It is brought up to date when you leave it.",
            ),
            waiting(
                "Trim the bundle",
                "git:github.com/acme/web",
                "no_place",
                "acme/web has no place on this device.",
                "Check it out, or say where it is: roam projects map git:github.com/acme/web DIR",
            ),
            waiting(
                "Dark mode",
                "git:github.com/acme/web",
                "no_place",
                "acme/web has no place on this device.",
                "Check it out, or say where it is: roam projects map git:github.com/acme/web DIR",
            ),
        ],
        held: vec![Held {
            what: "tool:codex".into(),
            code: "tool_emptied".into(),
            message: "412 sessions of Codex are gone from its store at once. Nothing was deleted elsewhere.".into(),
            hint: "If that was you, let it go on; if not, `roam plan` shows what would be brought back.".into(),
        }],
        splits: 1,
        live: vec![LiveSession {
            session: FIRST.into(),
            tool: "claude-code".into(),
            title: "Fix login race".into(),
            project: "git:github.com/acme/api".into(),
            device: "laptop".into(),
            here: false,
            seen: ago(200),
        }],
        problems: vec![Problem::new(
            "watch_limit",
            "The system's limit of watched directories is reached, so changes are found more slowly.",
            "Raise fs.inotify.max_user_watches.",
        )],
        sessions: 1065,
        device: "desk".into(),
        paired: 2,
        connected: 1,
    }
}

fn in_step() -> Status {
    Status {
        waiting: Vec::new(),
        held: Vec::new(),
        splits: 0,
        live: Vec::new(),
        problems: Vec::new(),
        paired: 1,
        ..status()
    }
}

fn waiting(title: &str, project: &str, code: &str, why: &str, hint: &str) -> Waiting {
    Waiting {
        session: FIRST.into(),
        tool: "claude-code".into(),
        title: title.into(),
        project: project.into(),
        code: code.into(),
        why: why.into(),
        hint: hint.into(),
    }
}

fn doctor() -> Doctor {
    let check = |name: &str, state: &str, message: &str, hint: &str| Check {
        name: name.into(),
        state: state.into(),
        message: message.into(),
        hint: hint.into(),
    };
    Doctor {
        checks: vec![
            check("engine", "ok", "Runs since this morning.", ""),
            check("syncthing", "ok", "1.29.2, listening on tcp://192.168.1.4:22000.", ""),
            check(
                "watching",
                "problem",
                "The system's limit of watched directories is reached, so changes are found only every ten seconds.",
                "Raise fs.inotify.max_user_watches.",
            ),
            check(
                "clock",
                "note",
                "laptop's clock is 3 minutes ahead of this one.",
                "Nothing is decided by clocks; times may look odd.",
            ),
        ],
        not_carried: status().waiting[1..].to_vec(),
        tools: tools(),
    }
}

fn device() -> Device {
    Device {
        id: DESK.into(),
        name: "desk".into(),
        code: format!("session-roam:1?id={DESK}&name=desk&addr=tcp%3A%2F%2F192.168.1.4%3A22000"),
        addresses: vec!["tcp://192.168.1.4:22000".into(), "tcp://10.0.0.4:22000".into()],
    }
}

fn devices() -> Devices {
    let paired = |name: &str, connected: bool, seen: i64, confirmed: bool| PairedDevice {
        id: LAPTOP.into(),
        name: name.into(),
        connected,
        last_seen: Some(ago(seen)),
        addresses: vec!["tcp://192.168.1.7:22000".into()],
        digits: "120 456".into(),
        confirmed,
        in_step: if connected { 100.0 } else { 87.2 },
    };
    Devices {
        paired: vec![
            paired("laptop", true, 0, true),
            paired("build box", false, 11_000, true),
            paired("pi", false, 0, false),
        ],
        asking: vec![AskingDevice {
            id: LAPTOP.replace("LAPTOPA", "TABLETX"),
            name: "tablet".into(),
            digits: "483917".into(),
            address: "192.168.1.9:22000".into(),
        }],
        proposed: vec![ProposedDevice {
            id: LAPTOP.replace("LAPTOPA", "SERVERX"),
            name: "server".into(),
            by: "laptop".into(),
            digits: "771203".into(),
        }],
    }
}

fn only_paired() -> Devices {
    let mut devices = devices();
    devices.paired.truncate(1);
    Devices { paired: devices.paired, ..Devices::default() }
}

fn pairing(state: &str) -> Pairing {
    Pairing { id: LAPTOP.into(), name: "laptop".into(), digits: "483917".into(), state: state.into() }
}

fn tools() -> Vec<ToolRow> {
    let row =
        |tool: &str, name: &str, level: &str, reason: &str, found: bool, on: bool, root: &str, sessions: u64| ToolRow {
            tool: tool.into(),
            name: name.into(),
            level: level.into(),
            reason: reason.into(),
            found,
            on,
            roots: vec![root.into()],
            sessions,
            bytes: sessions * 510_000,
        };
    vec![
        row("claude-code", "Claude Code", "merge", "", true, true, "/home/mia/.claude/projects", 1024),
        row(
            "codex",
            "Codex",
            "merge",
            "Sessions of versions before 0.150 are carried, not resumed.",
            true,
            true,
            "/home/mia/.codex/sessions",
            41,
        ),
        row("aider", "Aider", "see", "", false, false, "/home/mia/.aider", 0),
    ]
}

fn projects() -> Vec<ProjectRow> {
    let row = |key: &str, name: &str, place: Option<&str>, sessions: u64, excluded: bool| ProjectRow {
        key: key.into(),
        names: vec![name.into()],
        places: place.map(PathBuf::from).into_iter().collect(),
        sessions,
        excluded,
        tools: vec!["claude-code".into(), "codex".into()],
    };
    vec![
        row("git:github.com/acme/api", "api", Some("/home/mia/code/api"), 212, false),
        row("git:github.com/acme/web", "web", None, 31, false),
        row("home:notes/diary", "diary", Some("/home/mia/notes/diary"), 4, true),
    ]
}

fn sessions() -> Vec<SessionRow> {
    let row = |session: &str, tool: &str, project: &str, title: &str, seconds: i64, state: &str| SessionRow {
        session: session.into(),
        tool: tool.into(),
        project: project.into(),
        title: title.into(),
        updated: ago(seconds),
        bytes: 3_140_000,
        devices: vec!["desk".into(), "laptop".into()],
        state: state.into(),
        path: Some("/home/mia/.claude/projects/api/4f2a91c0.jsonl".into()),
        why: (state != "here").then(|| "acme/web has no place on this device.".to_owned()),
    };
    vec![
        row(
            SECOND,
            "codex",
            "git:github.com/acme/web",
            "Trim the bundle until the start page loads in a second even on a slow phone",
            7_400,
            "waiting",
        ),
        row(FIRST, "claude-code", "git:github.com/acme/api", "Fix login race", 200, "here"),
        row(THIRD, "claude-code", "home:notes/設計", "設計を見直す\nand a second line", 260_000, "split"),
    ]
}

fn shown() -> Shown {
    let message = |role: &str, text: &str, device: &str| Message {
        role: role.into(),
        text: text.into(),
        at: Some(ago(330)),
        device: Some(device.into()),
    };
    Shown {
        row: SessionRow {
            state: "waiting".into(),
            why: Some("Claude Code has it open here".into()),
            ..sessions()[1].clone()
        },
        cwd: Some("/home/mia/code/api".into()),
        docs: vec![ShownDoc {
            doc: "transcript.jsonl".into(),
            kind: "log".into(),
            bytes: 3_140_000,
            lines: 412,
            tip: "ab".repeat(32),
            path: Some("/x".into()),
        }],
        messages: vec![
            message("user", "Two logins at once leave a stale session behind.\nTry the mutex first.", "desk"),
            message(
                "assistant",
                "I changed `session.rs`: the lock now covers both reads.\n\n    let guard = lock();\n",
                "desk",
            ),
            message("tool", "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n", "desk"),
            message("user", "Now the queue. \u{1b}[31mred\u{7}", "laptop"),
        ],
    }
}

fn resume() -> Resume {
    Resume {
        argv: vec!["claude".into(), "--resume".into(), FIRST.into()],
        cwd: "/home/mia/my code/api".into(),
        env: [("CLAUDE_CONFIG_DIR".to_owned(), "/home/mia/.claude".to_owned())].into(),
        unset: vec!["CLAUDECODE".into()],
        notes: vec!["It is live on laptop, 12 s ago.".into()],
    }
}

fn splits() -> Vec<SplitRow> {
    let branch = |device: &str, records: u64, here: bool| BranchRow {
        branch: "cd".repeat(32),
        device: device.into(),
        updated: ago(700),
        records,
        here,
    };
    vec![SplitRow {
        session: FIRST.into(),
        tool: "claude-code".into(),
        title: "Fix login race".into(),
        project: "git:github.com/acme/api".into(),
        tier: "B".into(),
        reason: "It was continued on desk and on laptop before they met.".into(),
        branches: vec![branch("desk", 9, true), branch("laptop", 1204, false)],
        choices: vec![
            Choice {
                id: "keep-both".into(),
                enabled: true,
                consequence: "desk's stays “Fix login race”; laptop's becomes a session of its own.".into(),
            },
            Choice { id: "stitch".into(), enabled: false, consequence: "not offered".into() },
        ],
    }]
}

fn plan() -> Vec<StepRow> {
    let row = |step: &str, what: &str, bytes: u64| StepRow {
        session: FIRST.into(),
        tool: "claude-code".into(),
        title: "Fix login race".into(),
        step: step.into(),
        what: what.into(),
        bytes,
    };
    vec![
        row("record", "12 lines of transcript.jsonl", 14_200),
        row("checkout", "4 lines from laptop", 900),
        row("wait", "until Claude Code leaves it", 0),
    ]
}

fn history() -> Vec<HistoryRow> {
    let row = |what: &str, device: &str, seconds: i64, lines: u64| HistoryRow {
        at: ago(seconds),
        device: device.into(),
        what: what.into(),
        session: FIRST.into(),
        tool: "claude-code".into(),
        doc: "transcript.jsonl".into(),
        bytes: 14_200,
        lines,
    };
    vec![row("recorded", "desk", 200, 12), row("checked_out", "desk", 4_000, 4), row("arrived", "laptop", 4_000, 4)]
}

fn journal() -> Vec<SegmentRow> {
    vec![SegmentRow {
        device: "desk".into(),
        lane: "live".into(),
        path: "/home/mia/.local/share/session-roam/vault/DESKAAABBBBBBB/live/claude-code/k5x/q7m/0001.jsonl.zst".into(),
        bytes: 84_000,
        frames: 31,
        lines: 412,
        state: "whole".into(),
    }]
}

// What people read.

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/snapshots/cli").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        return std::fs::write(&path, text).expect("write the snapshot");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(text, expected, "{name} reads differently; UPDATE_SNAPSHOTS=1 accepts it");
}

fn compare_output(name: &str, output: &Output) {
    assert!(output.status.success(), "{name}: {}", stderr(output));
    compare(name, &stdout(output));
}

/// Paths and quoting are the system's own; the words are the same everywhere, so one system's snapshots do.
#[cfg(unix)]
#[test]
fn every_answer_reads_as_the_snapshot_says() {
    let stage = Stage::usual();
    for (name, args) in [
        ("status", &["status"][..]),
        ("doctor", &["doctor"]),
        ("device", &["device"]),
        ("devices", &["devices"]),
        ("pair", &["pair", "session-roam:1?id=X"]),
        ("pair-accept", &["pair", "--accept", "laptop", "--yes"]),
        ("tools", &["tools"]),
        ("tools-off", &["tools", "off", "codex"]),
        ("projects", &["projects"]),
        ("sessions", &["sessions"]),
        ("sessions-none", &["sessions", "--tool", "none"]),
        ("show", &["show", "4f2a91c0"]),
        ("resume-print", &["resume", "4f2a91c0", "--print"]),
        ("splits", &["splits"]),
        ("plan", &["plan"]),
        ("history", &["history"]),
        ("journal", &["journal", "4f2a91c0"]),
    ] {
        compare_output(name, &stage.roam(args));
    }
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
    let changes: [(&str, Change); 8] = [
        ("paused", |status, _| status.engine = "paused".into()),
        ("importing", |status, _| {
            status.engine = "importing".into();
            status.moving =
                Moving { import_done: 120, import_total: 1065, import_bytes: 54_000_000, ..Moving::default() };
        }),
        ("no syncthing", |status, _| status.syncthing.state = "missing".into()),
        ("failed", |status, _| {
            status.syncthing.state = "failed".into();
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
        ("sending", |status, _| {
            status.moving = Moving { out_bytes: 14_000_000, in_bytes: 200_000, ..Moving::default() }
        }),
    ];
    let mut text = String::new();
    for (name, change) in changes {
        let stage = Stage::with(move |request| {
            let (mut status, mut devices) = (in_step(), only_paired());
            change(&mut status, &mut devices);
            status.paired = devices.paired.len() as u64;
            status.connected = devices.paired.iter().filter(|device| device.connected).count() as u64;
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
    let narrow = stdout(&stage.command(&["sessions"]).env("COLUMNS", "84").output().expect("roam"));
    assert!(narrow.lines().all(|line| line.chars().count() <= 84), "{narrow}");
    let whole = stdout(&stage.command(&["sessions"]).env_remove("COLUMNS").output().expect("roam"));
    assert!(whole.contains("loads in a second even on a slow phone"), "{whole}");
}

#[test]
fn a_transcript_does_not_steer_the_terminal() {
    let text = stdout(&Stage::usual().roam(&["show", FIRST]));
    assert!(text.contains("red") && !text.contains('\u{1b}') && !text.contains('\u{7}'));
}

// What scripts read.

#[test]
fn json_is_the_engines_answer_and_the_flag_may_stand_anywhere() {
    let stage = Stage::usual();
    for (args, expected) in [
        (&["--json", "device"][..], value(device())),
        (&["device", "--json"], value(device())),
        (&["tools", "--json"], value(tools())),
        (&["tools", "off", "codex", "--json"], json!({"done": true, "message": "codex is off on this device."})),
        (&["projects", "--json"], value(projects())),
        (&["resume", FIRST, "--print", "--json"], value(resume())),
        (&["plan", "--json"], value(plan())),
        (&["journal", FIRST, "--json"], value(journal())),
        (&["pair", "CODE", "--json"], value(pairing("asked"))),
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
        (&["rename", "den"][..], Request::Rename { id: None, name: "den".into() }),
        (&["rename", "laptop", "lap"], Request::Rename { id: Some("laptop".into()), name: "lap".into() }),
        (&["unpair", "laptop"], Request::Unpair { id: "laptop".into() }),
        (&["pair", "--dismiss", "tablet"], Request::Dismiss { id: "tablet".into() }),
        (&["tools", "on", "codex"], Request::ToolSwitch { tool: "codex".into(), on: true }),
        (&["projects", "map", "k", "src"], Request::ProjectMap { key: "k".into(), dir: here.join("src") }),
        (&["projects", "exclude", "k"], Request::ProjectExclude { key: "k".into(), excluded: true }),
        (&["projects", "exclude", "k", "--off"], Request::ProjectExclude { key: "k".into(), excluded: false }),
        (
            &["sessions", "--tool", "codex", "--project", "api", "--device", "desk"],
            Request::Sessions {
                filter: SessionFilter {
                    tool: Some("codex".into()),
                    project: Some("api".into()),
                    device: Some("desk".into()),
                },
            },
        ),
        (&["history", "s"], Request::History { session: Some("s".into()) }),
        (
            &["export", "s", "native", "--out", "o"],
            Request::Export { session: "s".into(), format: ExportFormat::Native, dir: Some(here.join("o")) },
        ),
        (&["release", "tool:codex"], Request::Release { what: "tool:codex".into() }),
        (&["pause"], Request::Pause),
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
    assert_eq!(stage.roam(&["export", FIRST]).stdout, b"# Fix login race\r\n\x1b[1m\n");
    assert_eq!(parsed(&stage.roam(&["export", FIRST, "json", "--json"]))["text"], "# Fix login race\r\n\u{1b}[1m\n");
    assert!(
        stdout(&stage.roam(&["export", FIRST, "markdown", "--out", "dir"])).trim_end().ends_with("fix-login-race.md")
    );
}

// Exit codes and errors.

#[test]
fn a_failure_says_what_and_what_next_and_exits_1() {
    let stage = Stage::usual();
    let output = stage.roam(&["show", "nope"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "error: No session is called nope.\nhint: `roam sessions` lists them.\n");
    assert_eq!(stdout(&output), "");
    let output = stage.roam(&["show", "nope", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        parsed(&output)["error"],
        json!({"code": "unknown_session", "message": "No session is called nope.", "hint": "`roam sessions` lists them."})
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
    assert_eq!(parsed(&stage.roam(&["status", "--json"]))["engine"], "stopped");
    for args in [&["sessions"][..], &["device"], &["plan"], &["tools", "on", "codex"], &["resume", "x"], &["stop"]] {
        let output = stage.roam(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(stderr(&output).contains("hint: Start it with `roam run`"), "{args:?}: {}", stderr(&output));
    }
    assert_eq!(parsed(&stage.roam(&["--json", "plan"]))["error"]["code"], "engine_not_running");
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
    assert_eq!((output.status.code(), &parsed(&output)["error"]["code"]), (Some(1), &json!("bad_answer")));
}

#[test]
fn nobody_is_paired_without_a_yes() {
    let stage = Stage::usual();
    let output = stage.roam(&["pair", "--accept", "tablet", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let error = &parsed(&output)["error"];
    assert_eq!(error["code"], "needs_yes");
    assert!(error["message"].as_str().expect("message").contains("483 917"), "{error}");
    assert!(!stage.asked().iter().any(|request| matches!(request, Request::Accept { .. })));
    assert_eq!(parsed(&stage.roam(&["pair", "--accept", "phone", "--json"]))["error"]["code"], "unknown_device");
    assert_eq!(parsed(&stage.roam(&["pair", "--accept", "tablet", "--yes", "--json"]))["state"], "paired");
}

#[test]
fn completions_for_every_shell_name_the_commands() {
    let stage = Stage::without_engine();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let output = stage.roam(&["completions", shell]);
        assert!(output.status.success() && stdout(&output).contains("splits"), "{shell}");
    }
}

// Resuming.

#[cfg(unix)]
mod resuming {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn stage(cwd: &Path) -> Stage {
        let resume = Resume {
            argv: vec!["some-tool".into(), "--resume".into(), "it's".into()],
            cwd: cwd.into(),
            env: [("GIVEN".to_owned(), "a b".to_owned())].into(),
            unset: vec!["INSIDE".into()],
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
        std::fs::write(&tool, "#!/bin/sh\nprintf '%s|' \"$PWD\" \"$GIVEN\" \"${INSIDE-gone}\" \"$@\"\nexit 7\n")
            .expect("tool");
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).expect("mode");
        let output = stage(&cwd).command(&["resume", "x"]).env("PATH", &bin).env("INSIDE", "1").output().expect("roam");
        let cwd = cwd.canonicalize().expect("cwd");
        assert_eq!(stdout(&output), format!("{}|a b|gone|--resume|it's|", cwd.display()));
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(stderr(&output), "It is live on laptop, 12 s ago.\n");
    }

    #[test]
    fn what_is_missing_is_said_before_anything_runs() {
        let dir = tempfile::tempdir().expect("dir");
        let code = |cwd: &Path| {
            let output = stage(cwd).command(&["resume", "x"]).env("PATH", dir.path()).output().expect("roam");
            assert_eq!(output.status.code(), Some(1));
            stderr(&output)
        };
        assert!(code(dir.path()).starts_with("error: some-tool is not installed here, or not on PATH.\n"));
        assert!(code(&dir.path().join("gone")).contains("is not there any more."));
    }

    #[test]
    fn the_printed_command_does_the_same_in_a_shell() {
        let dir = tempfile::tempdir().expect("dir");
        let resume = Resume {
            argv: vec!["sh".into(), "-c".into(), "printf %s \"$PWD|$GIVEN|${INSIDE-gone}\"".into()],
            cwd: dir.path().into(),
            env: [("GIVEN".to_owned(), "it's $HOME".to_owned())].into(),
            unset: vec!["INSIDE".into()],
            notes: Vec::new(),
        };
        let stage = Stage::with(move |_| Ok(value(&resume)));
        let line = stdout(&stage.roam(&["resume", "x", "--print"]));
        let output = Command::new("sh").arg("-c").arg(&line).env("INSIDE", "1").output().expect("sh");
        assert_eq!(stdout(&output), format!("{}|it's $HOME|gone", dir.path().display()), "{line}");
    }
}

// The promise in docs/cli.md.

#[test]
fn the_document_names_every_field_of_every_answer() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let document = std::fs::read_to_string(path).expect("docs/cli.md");
    let answers: [(&str, Value); 15] = [
        ("roam status", value(status())),
        ("roam doctor", value(Doctor { tools: Vec::new(), not_carried: Vec::new(), ..doctor() })),
        ("roam device", value(device())),
        ("roam devices", value(devices())),
        ("roam pair", value(pairing("asked"))),
        ("roam tools", value(tools())),
        ("roam projects", value(projects())),
        ("roam sessions", value(sessions())),
        ("roam show", value(shown())),
        ("roam resume", value(resume())),
        ("roam splits", value(splits())),
        ("roam plan", value(plan())),
        ("roam history", value(history())),
        ("roam export", value(Exported { files: vec!["x".into()], text: Some("x".into()) })),
        ("roam journal", value(journal())),
    ];
    let mut missing = Vec::new();
    for (command, answer) in answers {
        let own = section(&document, command).unwrap_or_else(|| panic!("no section `{command}`"));
        // `show` is a session of the list and more; a map's keys are the user's.
        let also = if command == "roam show" { section(&document, "roam sessions").unwrap_or_default() } else { "" };
        let mut names = Vec::new();
        walk(&answer, "", &mut names);
        names.retain(|name| !name.starts_with("env.") && !format!("{own}{also}").contains(&format!("`{name}`")));
        missing.extend(names.into_iter().map(|name| format!("{command}: {name}")));
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_document_has_a_section_for_every_command() {
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md")).expect("docs/cli.md");
    let help = stdout(&Stage::without_engine().roam(&["--help"]));
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split(' ').next())
        .filter(|name| *name != "help")
        .collect();
    assert!(20 < commands.len(), "{help}");
    for command in commands {
        assert!(section(&document, &format!("roam {command}")).is_some(), "no section `roam {command}`");
    }
}

/// The text below the heading that names a command, up to the next heading.
fn section<'a>(document: &'a str, command: &str) -> Option<&'a str> {
    document.split("\n### ").find(|section| {
        let heading = section.lines().next().unwrap_or_default();
        heading.split('`').any(|part| part == command || part.starts_with(&format!("{command} ")))
    })
}

/// Dotted names of all keys: `syncthing.state`, `waiting.why`.
fn walk(value: &Value, prefix: &str, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
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
