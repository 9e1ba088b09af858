//! The answers of a fake engine: one of everything, with long names and odd states.

use serde::Serialize;
use serde_json::{Value, json};
use session_roam_core::api::*;
use session_roam_core::api::{
    Action, EngineState, HoldReason, PairedState, Route, SegmentState, SyncthingState, Tokens,
};
use session_roam_core::session::{Millis, Problem, ProblemCode, Remedy, SessionState, Tier};
use std::path::PathBuf;

pub const DESK: &str = "DESKAAA-BBBBBBB-CCCCCCC-DDDDDDD-EEEEEEE-FFFFFFF-GGGGGGG-HHHHHHH";
pub const LAPTOP: &str = "LAPTOPA-BBBBBBB-CCCCCCC-DDDDDDD-EEEEEEE-FFFFFFF-GGGGGGG-HHHHHHH";
pub const FIRST: &str = "4f2a91c0-7c1e-4f9b-9a55-0d6c1c2f7a10";
pub const SECOND: &str = "0199a1b2-33c4-7d5e-8f60-718293a4b5c6";
pub const THIRD: &str = "c9d8e7f6-1234-4abc-8def-0123456789ab";

/// RFC 3339 of the time `seconds` ago; far from the next unit, so that a slow or stepping clock
/// changes no word.
pub fn ago(seconds: i64) -> String {
    // One moment for the whole run: the same answer twice is the same.
    static NOW: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    let now = NOW.get_or_init(|| Millis::from_system(std::time::SystemTime::now()).0);
    Millis(now - seconds * 1000).rfc3339()
}

pub fn value(answer: impl Serialize) -> Value {
    serde_json::to_value(answer).expect("an answer")
}

// The canned answers. Every field has a value, so that walking them finds every name.

pub fn canned(request: &Request) -> Result<Value, ApiError> {
    Ok(match request {
        Request::Status => value(status()),
        Request::Doctor => value(doctor()),
        Request::Timing => value(timing()),
        Request::TakeIn => value(taken_in()),
        Request::Device => value(device()),
        Request::Devices => value(devices()),
        Request::ReadCode { code } => value(code_of(code)),
        Request::Pair { .. } => value(pairing("asked")),
        Request::Accept { id, .. } if id.len() < 20 => {
            return Err(ApiError::new(
                ProblemCode::IdNeeded,
                "That is not a whole device id.",
                "Give the whole id of the device.",
            ));
        }
        Request::Revoke { dry, .. } => value(revoked(!dry)),
        Request::Rename { id: Some(id), .. } if id == FIRST => {
            return Err(ApiError::new(
                ProblemCode::UnknownDevice,
                "No device is called that.",
                "",
            ));
        }
        Request::Accept { .. } => value(pairing("paired")),
        Request::Tools => value(tools()),
        Request::Projects => value(projects()),
        Request::CodeStatus => value(code_status()),
        Request::CodeOffer { .. } => value(CodeOffer::default()),
        Request::Apps => value(apps()),
        Request::Sessions { filter } if filter.tool.as_deref() == Some("none") => json!([]),
        Request::Sessions { .. } => value(sessions()),
        Request::Search { .. } => value(searched()),
        Request::Show { session, .. } if session == "nope" => {
            return Err(ApiError::new(
                ProblemCode::UnknownSession,
                "No session is called nope.",
                "",
            )
            .offer(Remedy::OpenSessions));
        }
        Request::Show { from: 2, .. } => {
            let all = shown();
            value(Shown {
                from: 2,
                messages: all.messages[2..3].to_vec(),
                ..all
            })
        }
        Request::Show { .. } => value(shown()),
        Request::ShowPart { part, .. } => value(part_body(*part)),
        Request::Resume { .. } => value(resume()),
        Request::Splits => value(splits()),
        Request::Diff { .. } => value(diff()),
        Request::Plan => value(plan()),
        Request::History { .. } => value(history()),
        Request::Export { dir: Some(dir), .. } => value(Exported {
            files: vec![dir.join("fix-login-race.md")],
            text: None,
        }),
        Request::Export { .. } => value(Exported {
            files: Vec::new(),
            text: Some("# Fix login race\r\n\u{1b}[1m\n".into()),
        }),
        Request::ForgetPreview { .. } => value(forget_preview()),
        Request::Forget { .. } => value(&forgotten()[..1]),
        Request::Forgotten => value(forgotten()),
        Request::Journal { .. } => value(journal()),
        Request::ToolSwitch { tool, on } => value(Done::new(format!(
            "{tool} is {} on this device.",
            if *on { "on" } else { "off" }
        ))),
        other => value(Done::new(format!(
            "Done: {}.",
            value(other)["cmd"].as_str().expect("cmd")
        ))),
    })
}

pub fn status() -> Status {
    Status {
        code_question: Some(CodeQuestion {
            project: "git:github.com/acme/api".into(),
            files: 3,
            bytes: 12_400,
        }),
        conversation_import: Some(ConversationImport {
            name: "export.zip".into(),
            others: 1,
            conversations: 212,
            bytes: 4_711_000,
            total: 4_711_000,
            done: None,
            failed: None,
        }),
        engine: EngineState::Running,
        paused_until: None,
        syncthing: SyncthingStatus {
            state: SyncthingState::Running,
            version: Some("v1.29.2".into()),
            program: Some("/usr/bin/session-roam-syncthing".into()),
            pid: Some(4711),
            addresses: vec!["tcp://192.168.1.4:22000".into()],
            message: Some("".into()),
        },
        moving: Moving::default(),
        cycle_ms: 12,
        happenings: 4711,
        asking: 0,
        waiting_counts: Vec::new(),
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
                "Clone it, or choose its folder.",
            ),
            waiting(
                "Dark mode",
                "git:github.com/acme/web",
                "no_place",
                "acme/web has no place on this device.",
                "Clone it, or choose its folder.",
            ),
        ],
        held: vec![Held {
            what: "tool:codex".into(),
            code: HoldReason::ToolEmptied,
            message: "412 sessions of Codex are gone from its store at once. Nothing was deleted elsewhere.".into(),
            hint: "If the store comes back, everything continues.".into(),
            actions: vec![
                Remedy::RestoreSessions {
                    tool: "codex".into(),
                },
                Remedy::AcceptDeletion {
                    what: "tool:codex".into(),
                },
            ],
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
            ProblemCode::WatchLimit,
            "The system's limit of watched directories is reached, so changes are found more slowly.",
            "Raise fs.inotify.max_user_watches.",
        )],
        sessions: 1065,
        device: "desk".into(),
        paired: 2,
        connected: 1,
    }
}

pub fn in_step() -> Status {
    Status {
        code_question: None,
        waiting: Vec::new(),
        held: Vec::new(),
        splits: 0,
        live: Vec::new(),
        problems: Vec::new(),
        paired: 1,
        ..status()
    }
}

pub fn waiting(title: &str, project: &str, code: &str, why: &str, hint: &str) -> Waiting {
    Waiting {
        session: FIRST.into(),
        tool: "claude-code".into(),
        title: title.into(),
        project: project.into(),
        code: code.parse().ok(),
        why: why.into(),
        hint: hint.into(),
        actions: match code {
            "no_place" => vec![Remedy::ChooseFolder {
                project: project.into(),
            }],
            _ => Vec::new(),
        },
    }
}

pub fn doctor() -> Doctor {
    let check = |name: &str, state: &str, message: &str, hint: &str| Check {
        name: name.into(),
        state: state.parse().expect("a state"),
        message: message.into(),
        hint: hint.into(),
        actions: Vec::new(),
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
        copies: vec![
            CopyRow {
                tool: "claude-code".into(),
                session: "4f2a91c0-1111-4111-8111-111111111111".into(),
                path: "/home/ada/.claude/projects/-home-ada-api/4f2a91c0-1111-4111-8111-111111111111.sync-conflict-20261120-091500-LAPTOPA.jsonl".into(),
                lines: 1204,
                new: 17,
                open: None,
            },
            CopyRow {
                tool: "codex".into(),
                session: "01a2081f-3cf6-7ca3-8ffb-7affa0609d47".into(),
                path: "/home/ada/.codex/sessions/2026/11/20/rollout-2026-11-20T09-00-00-01a2081f-3cf6-7ca3-8ffb-7affa0609d47.sync-conflict-20261120-091500-LAPTOPA.jsonl".into(),
                lines: 40,
                new: 0,
                open: Some("Codex has it open".into()),
            },
        ],
        left_out: Vec::new(),
    }
}

pub fn timing() -> Timing {
    let times = |stage: &str, meaning: &str, p50, p95, max| StageTimes {
        stage: stage.into(),
        meaning: meaning.into(),
        count: 1204,
        p50,
        p95,
        max,
    };
    Timing {
        stages: vec![
            times(
                "gathered",
                "From the first file event until the engine hears of the files.",
                10_120,
                11_900,
                100_300,
            ),
            times(
                "appended",
                "A frame is appended to this device's journal.",
                890,
                2_050,
                14_444,
            ),
        ],
    }
}

pub fn taken_in() -> TakenIn {
    let copies = doctor().copies;
    TakenIn {
        taken: vec![TakenRow {
            tool: copies[0].tool.clone(),
            session: copies[0].session.clone(),
            path: copies[0].path.clone(),
            to: "/home/ada/.local/share/session-roam/taken-in/claude-code/2f6kq3j4m5n7o2p3q4r5s6t7uv/projects/-home-ada-api/4f2a91c0-1111-4111-8111-111111111111.sync-conflict-20261120-091500-LAPTOPA.jsonl".into(),
            lines: 17,
        }],
        left: vec![LeftRow {
            tool: copies[1].tool.clone(),
            session: copies[1].session.clone(),
            path: copies[1].path.clone(),
            why: "Codex has it open.".into(),
        }],
    }
}

pub fn device() -> Device {
    Device {
        id: DESK.into(),
        name: "desk".into(),
        code: format!(
            "session-roam:1?id={DESK}&name=desk&addr=tcp%3A%2F%2F192.168.1.4%3A22000&key=MFRGGZDFMZTWQ2LKNNWG23TPOA"
        ),
        code_until: "2026-11-28T12:10:00Z".into(),
        addresses: vec![
            "tcp://192.168.1.4:22000".into(),
            "tcp://10.0.0.4:22000".into(),
        ],
    }
}

pub fn devices() -> Devices {
    let paired = |name: &str, connected: bool, seen: i64, confirmed: bool| PairedDevice {
        id: LAPTOP.into(),
        name: name.into(),
        connected,
        last_seen: Some(ago(seen)),
        addresses: vec!["tcp://192.168.1.7:22000".into()],
        digits: if confirmed {
            String::new()
        } else {
            "120456".into()
        },
        confirmed,
        state: if confirmed {
            PairedState::Paired
        } else {
            PairedState::Comparing
        },
        in_step: if connected { 100.0 } else { 87.2 },
        outstanding: if connected { 0 } else { 4_200 },
        route: Some(Route::Lan),
        version: Some("v1.29.5".into()),
    };
    Devices {
        paired: vec![
            paired("laptop", true, 0, true),
            paired("build box", false, 11_000, true),
            PairedDevice {
                id: LAPTOP.replace("LAPTOPA", "PIDEVIX"),
                ..paired("pi", false, 0, false)
            },
        ],
        asking: vec![
            AskingDevice {
                id: LAPTOP.replace("LAPTOPA", "TABLETX"),
                name: "tablet".into(),
                address: "192.168.1.9:22000".into(),
                has_code: true,
                compares: false,
            },
            AskingDevice {
                id: LAPTOP.replace("LAPTOPA", "STRANGE"),
                name: "tablet".into(),
                address: "192.168.1.66:22000".into(),
                has_code: false,
                compares: true,
            },
        ],
        more_asking: 3,
        proposed: vec![ProposedDevice {
            id: LAPTOP.replace("LAPTOPA", "SERVERX"),
            name: "server".into(),
            by: "laptop".into(),
        }],
        nearby: vec![NearbyDevice {
            id: LAPTOP.replace("LAPTOPA", "NEARBYX"),
            name: Some("studio".into()),
            addresses: vec!["tcp://192.168.1.11:22000".into()],
        }],
        nearby_off: None,
        approvals: vec![Approval {
            id: LAPTOP.into(),
            follow: true,
            via: None,
        }],
        revoked: vec![RevokedDevice {
            id: LAPTOP.replace("LAPTOPA", "STOLENX"),
            name: "old laptop".into(),
            by: vec!["desk".into()],
            at: ago(86_400),
            since: None,
            not_heard: vec!["build box".into()],
        }],
    }
}

pub fn revoked(done: bool) -> RevokeAnswer {
    RevokeAnswer {
        id: LAPTOP.replace("LAPTOPA", "STOLENX"),
        name: "old laptop".into(),
        done,
        journals: 12,
        cut: 0,
        not_heard: vec!["build box".into()],
    }
}

pub fn only_paired() -> Devices {
    let mut devices = devices();
    devices.paired.truncate(1);
    Devices {
        paired: devices.paired,
        ..Devices::default()
    }
}

pub fn code_of(code: &str) -> Code {
    let proves = code.starts_with("session-roam:");
    Code {
        id: LAPTOP.into(),
        name: "laptop".into(),
        proves,
        has_code: false,
        paired: false,
    }
}

pub fn pairing(state: &str) -> Pairing {
    Pairing {
        id: LAPTOP.into(),
        name: "laptop".into(),
        digits: String::new(),
        state: state.parse().expect("a state"),
    }
}

pub fn tools() -> Vec<ToolRow> {
    let row = |tool: &str,
               name: &str,
               level: &str,
               reason: &str,
               found: bool,
               on: bool,
               root: &str,
               sessions: u64| ToolRow {
        tool: tool.into(),
        name: name.into(),
        level: level.parse().expect("a level"),
        meaning: (level.parse::<Level>().expect("a level")).meaning().into(),
        reason: reason.into(),
        versions: "1.2 (2026-11-23)".into(),
        lowered: false,
        found,
        on,
        roots: vec![root.into()],
        sessions,
        bytes: sessions * 510_000,
        stores: Vec::new(),
        imported: false,
    };
    vec![
        row(
            "claude-code",
            "Claude Code",
            "merge",
            "",
            true,
            true,
            "/home/mia/.claude/projects",
            1024,
        ),
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
        row(
            "aider",
            "Aider",
            "see",
            "",
            false,
            false,
            "/home/mia/.aider",
            0,
        ),
    ]
}

pub fn apps() -> Vec<AppRow> {
    let row = |app: &str, state, since: Option<i64>, asking, sessions, bytes| AppRow {
        app: app.into(),
        state,
        since: since.map(ago),
        asking,
        sessions,
        bytes,
    };
    vec![
        row(
            "agent-desk",
            AppState::Allowed,
            Some(86_400 * 3 + 600),
            0,
            212,
            48_211_000,
        ),
        row("notes", AppState::Asking, None, 1, 0, 0),
        row("old-notes", AppState::Denied, Some(3_700), 0, 3, 9_120),
        row("two", AppState::Asking, None, 2, 0, 0),
        AppRow {
            // Long ago: the table has the date, which an age would move every day.
            since: Some("2026-10-20T09:00:00.000Z".into()),
            ..row("weather", AppState::Allowed, None, 1, 12, 1_204_000)
        },
    ]
}

pub fn projects() -> Vec<ProjectRow> {
    let row =
        |key: &str, name: &str, place: Option<&str>, sessions: u64, excluded: bool| ProjectRow {
            key: key.into(),
            names: vec![name.into()],
            places: place.map(PathBuf::from).into_iter().collect(),
            sessions,
            excluded,
            excluded_by: None,
            tools: vec!["claude-code".into(), "codex".into()],
            code: key == "git:github.com/acme/api",
        };
    vec![
        row(
            "git:github.com/acme/api",
            "api",
            Some("/home/mia/code/api"),
            212,
            false,
        ),
        row("git:github.com/acme/web", "web", None, 31, false),
        row(
            "home:notes/diary",
            "diary",
            Some("/home/mia/notes/diary"),
            4,
            true,
        ),
        ProjectRow {
            excluded_by: Some("git:github.com/acme/plans".into()),
            ..row(
                "git:github.com/mia/plans",
                "plans",
                Some("/home/mia/code/plans"),
                2,
                true,
            )
        },
    ]
}

pub fn code_status() -> CodeStatus {
    let session = |title: &str, at: &str, refused: Option<&str>| CodeSession {
        session: "5e551000-0000-4000-8000-000000000001".into(),
        title: title.into(),
        at: at.into(),
        refused: refused.map(str::to_owned),
        left_out: vec![CodeLeftOut {
            path: ".env".into(),
            why: "has the name of a file with credentials".into(),
        }],
    };
    CodeStatus {
        on: false,
        projects: vec![CodeRow {
            project: "git:github.com/acme/api".into(),
            sessions: vec![
                session("Fix login race", "2026-11-23T10:40:00.000Z", None),
                session(
                    "Dark mode",
                    "",
                    Some("A rebase is in progress in /home/mia/code/api (finish it first)."),
                ),
            ],
            bytes: 48_000,
        }],
    }
}

pub fn searched() -> Search {
    let piece = |text: &str, hit: bool| Marked {
        text: text.into(),
        hit,
    };
    Search {
        hits: vec![SearchHit {
            session: FIRST.into(),
            tool: "claude-code".into(),
            project: "git:github.com/acme/api".into(),
            title: "Fix login race".into(),
            marked_title: vec![piece("Fix ", false), piece("login", true)],
            updated: ago(200),
            devices: vec!["desk".into(), "laptop".into()],
            split: true,
            snippets: vec![SearchSnippet {
                message: 12,
                other_version: false,
                role: session_roam_core::session::Role::User,
                device: Some("desk".into()),
                at: Some(ago(200)),
                text: vec![piece("the \u{1b}[2J", false), piece("login", true)],
            }],
        }],
        total: 1,
        notices: vec!["Nothing has “logni”; this is what has “login”.".into()],
        indexing: Some(Indexing { done: 2, total: 3 }),
    }
}

pub fn sessions() -> Vec<SessionRow> {
    let row = |session: &str, tool: &str, project: &str, title: &str, seconds: i64, state: &str| {
        SessionRow {
            session: session.into(),
            tool: tool.into(),
            project: project.into(),
            title: title.into(),
            updated: ago(seconds),
            bytes: 3_140_000,
            devices: vec!["desk".into(), "laptop".into()],
            state: state.parse().expect("a state"),
            path: Some("/home/mia/.claude/projects/api/4f2a91c0.jsonl".into()),
            why: (state != "here").then(|| "acme/web has no place on this device.".to_owned()),
        }
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
        row(
            FIRST,
            "claude-code",
            "git:github.com/acme/api",
            "Fix login race",
            200,
            "here",
        ),
        row(
            THIRD,
            "claude-code",
            "home:notes/設計",
            "設計を見直す\nand a second line",
            260_000,
            "split",
        ),
    ]
}

fn part(kind: &str, text: &str) -> Part {
    Part {
        kind: kind.into(),
        bytes: text.len() as u64,
        text: text.into(),
        name: Some("Read".into()),
        target: Some("src/session.rs".into()),
        call_id: Some("call-1".into()),
        is_error: true,
        media: Some("image/png".into()),
        doc: None,
    }
}

/// The first part is a text, the second a picture, the third a kind that is not shown.
pub fn part_body(part: u64) -> PartBody {
    let picture = |data: Option<&str>| PartBody {
        kind: "image".into(),
        bytes: 4,
        media: Some("image/png".into()),
        whole: data.is_some(),
        data: data.map(Into::into),
        ..PartBody::default()
    };
    match part {
        0 => PartBody {
            kind: "text".into(),
            bytes: 5,
            text: "a\r\nb\u{1b}".into(),
            whole: true,
            ..PartBody::default()
        },
        1 => picture(Some("AAH/Cg==")),
        _ => picture(None),
    }
}

pub fn shown() -> Shown {
    let message = |role: &str, text: &str, device: &str| Message {
        role: role.parse().expect("a role"),
        text: text.into(),
        at: Some(ago(330)),
        device: Some(device.into()),
        model: Some("a-model".into()),
        tokens: Some(Tokens {
            input: 1_200,
            output: 80,
        }),
        parts: vec![part(
            if role == "tool" {
                "tool_result"
            } else {
                "text"
            },
            text,
        )],
    };
    let mut shown = Shown {
        row: SessionRow {
            state: SessionState::Waiting,
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
        total: 4,
        from: 0,
        own_title: Some("Why is the session stale?".into()),
        forks: true,
        parts: vec![SessionRow {
            title: "Watch the tests".into(),
            ..sessions()[2].clone()
        }],
        messages: vec![
            message(
                "user",
                "Two logins at once leave a stale session behind.\nTry the mutex first.",
                "desk",
            ),
            message(
                "assistant",
                "I changed `session.rs`: the lock now covers both reads.\n\n    let guard = lock();\n",
                "desk",
            ),
            message(
                "tool",
                "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n",
                "desk",
            ),
            message("user", "Now the queue. \u{1b}[31mred\u{7}", "laptop"),
        ],
    };
    shown.messages[0].parts[0].doc = Some("subagents/agent-a1.jsonl".into());
    shown
}

pub fn resume() -> Resume {
    Resume {
        argv: vec!["claude".into(), "--resume".into(), FIRST.into()],
        window: false,
        cwd: "/home/mia/my code/api".into(),
        env: [(
            "CLAUDE_CONFIG_DIR".to_owned(),
            "/home/mia/.claude".to_owned(),
        )]
        .into(),
        unset: vec!["CLAUDECODE".into()],
        before: Vec::new(),
        notes: vec!["It is live on laptop, 12 s ago.".into()],
        remarks: vec![Remark {
            code: RemarkCode::Live,
            message: "It is live on laptop, 12 s ago.".into(),
        }],
    }
}

pub fn diff() -> Diff {
    let side = |device: &str, records: u64, messages: u64| DiffSide {
        device: device.into(),
        branch: "ab".repeat(32),
        records,
        bytes: 4_200,
        messages,
        turns: 1,
        first: Some(ago(3_000)),
        last: Some(ago(630)),
        changes: Vec::new(),
        n_changes: 0,
    };
    let change = |device: &str, text: &str| SteeringRow {
        device: Some(device.into()),
        text: text.into(),
    };
    let message = |role: &str, text: &str| {
        Some(Msg {
            key: text.into(),
            line: 1,
            off: 0,
            len: 400,
            role: role.parse().expect("a role"),
            at: Some(ago(630)),
            preview: text.into(),
            parts: vec![("text".into(), text.len() as u64)],
            pieces: vec![part("tool_use", text)],
            device: Some("desk".into()),
        })
    };
    let row = |i, kind, left, right, alike| DiffRow {
        i,
        kind,
        left,
        right,
        alike,
        turn: 1,
        alone: false,
    };
    Diff {
        session: FIRST.into(),
        tool: "claude-code".into(),
        title: "Fix login race".into(),
        doc: "transcript.jsonl".into(),
        class: Tier::B,
        reason: "Two devices continued from the same point.".into(),
        rewrite: false,
        left: side("desk", 9, 3),
        right: DiffSide {
            changes: vec![
                change("laptop", "approval policy → never"),
                change("mini", "permission mode → bypassPermissions"),
            ],
            n_changes: 5,
            ..side("laptop", 4, 2)
        },
        prefix: DiffPrefix {
            records: 1_012,
            messages: 412,
        },
        stats: DiffStats {
            same: 0,
            changed: 1,
            left: 2,
            right: 1,
        },
        total: 4,
        rows: vec![
            row(
                0,
                Kind::Changed,
                message("user", "try the mutex first"),
                message("user", "try the mutex first, then the queue"),
                0.6,
            ),
            row(
                1,
                Kind::Left,
                message(
                    "assistant",
                    "I changed `session.rs` so that the lock is taken before the file is opened, and the test that failed passes now.",
                ),
                None,
                0.0,
            ),
            row(
                2,
                Kind::Right,
                None,
                message(
                    "assistant",
                    "Ich würde lieber mit der Warteschlange anfangen … 日本語 too",
                ),
                0.0,
            ),
            row(3, Kind::Left, message("user", "run the tests"), None, 0.0),
        ],
        choices: Vec::new(),
    }
}

pub fn splits() -> Vec<SplitRow> {
    let branch = |device: &str, records: u64, here: bool| BranchRow {
        branch: "cd".repeat(32),
        session: FIRST.into(),
        title: if here {
            "Fix login race".into()
        } else {
            "Fix login race (from laptop)".into()
        },
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
        tier: Tier::B,
        reason: "It was continued on desk and on laptop before they met.".into(),
        branches: vec![branch("desk", 9, true), branch("laptop", 1204, false)],
        choices: vec![
            Choice {
                id: Action::KeepBoth,
                enabled: true,
                consequence: "desk's stays “Fix login race”; laptop's becomes a session of its own.".into(),
            },
            Choice { id: Action::Stitch, enabled: false, consequence: "not offered".into() },
            Choice {
                id: Action::Branches,
                enabled: true,
                consequence: "One session holds both and continues after laptop's turns, or after desk's if you choose so."
                    .into(),
            },
        ],
    }]
}

pub fn plan() -> Vec<StepRow> {
    let row = |step: &str, what: &str, bytes: u64| StepRow {
        session: FIRST.into(),
        tool: "claude-code".into(),
        title: "Fix login race".into(),
        step: step.parse().expect("a step"),
        what: what.into(),
        bytes,
    };
    vec![
        row("record", "12 lines of transcript.jsonl", 14_200),
        row("checkout", "4 lines from laptop", 900),
        row("wait", "until Claude Code leaves it", 0),
    ]
}

pub fn history() -> Vec<HistoryRow> {
    let row = |what: &str, device: &str, seconds: i64, lines: u64| HistoryRow {
        at: ago(seconds),
        device: device.into(),
        what: what.parse().expect("a kind"),
        session: FIRST.into(),
        title: "Fix login race".into(),
        tool: "claude-code".into(),
        doc: "transcript.jsonl".into(),
        bytes: 14_200,
        lines,
        files: 0,
    };
    vec![
        row("recorded", "desk", 200, 12),
        row("checked_out", "desk", 4_000, 4),
        row("arrived", "laptop", 4_000, 4),
        HistoryRow {
            doc: String::new(),
            bytes: 0,
            files: 3,
            ..row("code_applied", "laptop", 4_000, 0)
        },
    ]
}

pub fn journal() -> Vec<SegmentRow> {
    vec![SegmentRow {
        device: "desk".into(),
        lane: "live".into(),
        path: "/home/mia/.local/share/session-roam/vault/DESKAAABBBBBBB/live/claude-code/k5x/q7m/0001.jsonl.zst".into(),
        bytes: 84_000,
        frames: 31,
        lines: 412,
        state: SegmentState::Whole,
    }]
}

// Text for people.

pub fn forget_preview() -> ForgetPreview {
    ForgetPreview {
        sessions: sessions(),
        devices: vec!["desk".into(), "laptop".into()],
        cannot_be_told: vec!["old-phone".into()],
        minutes: 10,
    }
}

/// One forget that can be undone, and one about which every device has something to report.
pub fn forgotten() -> Vec<ForgottenRow> {
    let receipt = |device: &str, state: &str, why: Option<&str>| ReceiptRow {
        device: device.into(),
        state: state.parse().expect("a state"),
        why: why.map(Into::into),
        at: Some(ago(90)),
    };
    let asked = ForgottenRow {
        key: "claude-code/aaaa".into(),
        tool: "claude-code".into(),
        session: Some(FIRST.into()),
        title: Some("Fix login race".into()),
        by: vec!["desk".into()],
        at: ago(3 * 60 + 30),
        undo_until: Some("2026-11-28T18:00:00.000Z".into()),
        ..ForgottenRow::default()
    };
    let stated = ForgottenRow {
        key: "codex/bbbb".into(),
        tool: "codex".into(),
        by: vec!["desk".into(), "laptop".into()],
        at: ago(3 * 24 * 3600 + 60),
        held: false,
        receipts: vec![
            receipt("desk", "removed", None),
            receipt(
                "laptop",
                "in_store",
                Some("It is open in the tool there; it is removed when it is closed."),
            ),
            receipt("attic", "waiting", Some("It has not received this yet.")),
            receipt(
                "old-phone",
                "cannot_be_told",
                Some("It is not approved here any more."),
            ),
        ],
        ..ForgottenRow::default()
    };
    vec![asked, stated]
}
