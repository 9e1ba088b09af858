//! What the tray shows in each state, which notifications it sends and when, and how the terminal
//! is started: tables, no display.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use session_roam_core::api::{
    ApiError, AskingDevice, BranchRow, CodeOffer, EngineState, Held, HoldReason, LiveSession,
    PairedDevice, PairedState, Resume, SessionRow, SplitRow, SyncthingState, Waiting, socket,
};
use session_roam_core::session::{Problem, ProblemCode, Remedy, Tier};
use session_roam_tray::engine::{Caller, Standing};
use session_roam_tray::menu::{Action, Icon, Item, Pause, icon, link, menu, place, question};
use session_roam_tray::news::Desk;
use session_roam_tray::sight::{Sight, is_dark_scheme};
use session_roam_tray::{editor, terminal, updates};
use std::time::Duration;

const NOW: &str = "2026-11-23T12:00:00.000Z";

fn now() -> Zoned {
    let now: Timestamp = NOW.parse().expect("a time");
    now.to_zoned(TimeZone::UTC)
}

fn quiet() -> Sight {
    let mut sight = Sight::default();
    sight.status.engine = EngineState::Running;
    sight.status.syncthing.state = SyncthingState::Running;
    sight.status.device = "laptop".into();
    (sight.status.paired, sight.status.connected) = (1, 1);
    sight.devices.paired = vec![paired("desk", true)];
    sight
}

fn paired(name: &str, connected: bool) -> PairedDevice {
    PairedDevice {
        id: name.to_uppercase(),
        name: name.into(),
        connected,
        last_seen: Some("2026-11-23T09:00:00.000Z".into()),
        addresses: Vec::new(),
        digits: String::new(),
        state: PairedState::Paired,
        confirmed: true,
        in_step: 100.0,
        outstanding: 0,
        route: None,
        version: None,
    }
}

/// A device that has this one's code.
fn asks(name: &str) -> AskingDevice {
    let address = String::new();
    AskingDevice {
        id: name.to_uppercase(),
        name: name.into(),
        address,
        has_code: true,
        compares: false,
    }
}

fn stranger(name: &str) -> AskingDevice {
    AskingDevice {
        has_code: false,
        ..asks(name)
    }
}

fn session(id: &str, state: &str, updated: &str) -> SessionRow {
    SessionRow {
        session: id.into(),
        tool: "a-tool".into(),
        project: "acme/api".into(),
        title: format!("Title of {id}"),
        updated: format!("2026-11-23T{updated}:00.000Z"),
        bytes: 1,
        devices: vec!["desk".into()],
        state: state.parse().expect("a state"),
        path: None,
        why: None,
    }
}

fn waits(id: &str, code: &str) -> Waiting {
    Waiting {
        session: id.into(),
        tool: "a-tool".into(),
        title: format!("Title of {id}"),
        project: "acme/api".into(),
        code: code.parse().ok(),
        why: "it is open here".into(),
        hint: String::new(),
        actions: Vec::new(),
    }
}

fn held(what: &str) -> Held {
    Held {
        what: what.into(),
        code: HoldReason::ToolEmptied,
        message: "All sessions are gone.".into(),
        hint: String::new(),
        actions: Vec::new(),
    }
}

fn problem(code: ProblemCode) -> Problem {
    Problem::new(code, "The disk is full.", "Free up disk space.")
}

fn live(id: &str, device: &str) -> LiveSession {
    LiveSession {
        session: id.into(),
        tool: "a-tool".into(),
        title: format!("Title of {id}"),
        project: "acme/api".into(),
        device: device.into(),
        here: device == "laptop",
        seen: NOW.into(),
    }
}

fn split(id: &str) -> SplitRow {
    let branch = |device: &str, session: &str| BranchRow {
        branch: String::new(),
        session: session.into(),
        title: String::new(),
        device: device.into(),
        updated: NOW.into(),
        records: 1,
        here: true,
    };
    SplitRow {
        session: id.into(),
        tool: "a-tool".into(),
        title: format!("Title of {id}"),
        project: "acme/api".into(),
        tier: Tier::B,
        reason: String::new(),
        branches: vec![branch("desk", id), branch("laptop", &format!("{id}-fork"))],
        choices: Vec::new(),
    }
}

fn text(items: &[Item]) -> String {
    fn write(items: &[Item], depth: usize, out: &mut String) {
        for item in items {
            let indent = "    ".repeat(depth);
            match item {
                Item::Line => out.push_str(&format!("{indent}---\n")),
                Item::Said(label) => out.push_str(&format!("{indent}({label})\n")),
                Item::Act(action, label) => {
                    out.push_str(&format!("{indent}{label} -> {}\n", action.id()))
                }
                Item::Sub(label, items) => {
                    out.push_str(&format!("{indent}{label} >\n"));
                    write(items, depth + 1, out);
                }
            }
        }
    }
    let mut out = String::new();
    write(items, 0, &mut out);
    out
}

fn shown(sight: &Sight) -> String {
    text(&menu(sight, &now()))
}

/// A state: the icon, and the text above the devices.
fn head(sight: &Sight) -> (Icon, String) {
    let all = shown(sight);
    (
        icon(sight),
        all.split("---\n")
            .next()
            .unwrap_or_default()
            .trim_end()
            .replace('\n', " "),
    )
}

#[test]
fn the_whole_menu_when_all_is_well() {
    let mut sight = quiet();
    sight.devices.paired.push(paired("work", false));
    sight.status.live = vec![live("one", "desk"), live("two", "laptop")];
    sight.recent = vec![
        session("three", "here", "10:00"),
        session("four", "waiting", "09:00"),
    ];
    assert_eq!(
        shown(&sight),
        "(Up to date with desk)
---
desk · connected -> open:#/devices
work · last seen 3 h ago -> open:#/devices
---
Open on desk: “Title of one” -> open:#/sessions/one
Resume “Title of three” · from desk -> resume:three
Open “Title of four” · waiting -> open:#/sessions/four
All sessions… -> open:#/sessions
---
Open session-roam -> open:
Search… -> open:#/search
Pause >
    For an hour -> pause:hour
    Until tomorrow -> pause:tomorrow
    Until I continue -> pause
Quit -> quit
"
    );
}

#[test]
fn every_state_has_its_words_and_its_icon() {
    type Change = fn(&mut Sight);
    let table: &[(&str, Icon, Change)] = &[
        ("(Up to date with desk)", Icon::Idle, |_| {}),
        ("(Up to date with desk, work and phone)", Icon::Idle, |s| {
            s.devices
                .paired
                .extend([paired("work", true), paired("phone", true)]);
        }),
        (
            "(Receiving 2.5 MB from your other devices)",
            Icon::Moving,
            |s| s.status.moving.in_bytes = 2_500_000,
        ),
        ("(Sending 12 KB to your other devices)", Icon::Moving, |s| {
            s.status.moving.out_bytes = 12_000
        }),
        ("(Reading your sessions: 3 of 10)", Icon::Moving, |s| {
            s.status.engine = EngineState::Importing;
            (s.status.moving.import_done, s.status.moving.import_total) = (3, 10);
        }),
        ("(1 item needs your attention)", Icon::Attention, |s| {
            s.status.held = vec![held("tool:a")]
        }),
        ("(2 items need your attention)", Icon::Attention, |s| {
            s.status.splits = 2
        }),
        ("(1 item needs your attention)", Icon::Attention, |s| {
            s.devices.asking = vec![asks("phone")]
        }),
        (
            "(Paused) (Nothing is sent, received or written.)",
            Icon::Paused,
            |s| s.status.engine = EngineState::Paused,
        ),
        (
            "(Paused until 13:00) (Nothing is sent, received or written.)",
            Icon::Paused,
            |s| {
                s.status.engine = EngineState::Paused;
                s.status.paused_until = Some("2026-11-23T13:00:00.000Z".into());
            },
        ),
        (
            "(Paused until Tuesday 08:00) (Nothing is sent, received or written.)",
            Icon::Paused,
            |s| {
                s.status.engine = EngineState::Paused;
                s.status.paused_until = Some("2026-11-24T08:00:00.000Z".into());
            },
        ),
        (
            "(Syncing is off: Syncthing was not found)",
            Icon::Attention,
            |s| s.status.syncthing.state = SyncthingState::Missing,
        ),
        (
            "(The disk is full.) (Free up disk space.)",
            Icon::Attention,
            |s| {
                s.status.syncthing.state = SyncthingState::Missing;
                s.status.problems = [ProblemCode::SyncthingMissing, ProblemCode::DiskFull]
                    .map(problem)
                    .into();
            },
        ),
        (
            "(Syncing stopped unexpectedly) (Port taken.)",
            Icon::Attention,
            |s| {
                s.status.syncthing.state = SyncthingState::Failed;
                s.status.syncthing.message = Some("Port taken.".into());
            },
        ),
        (
            "(Syncing stopped unexpectedly) (The disk is full. Free up disk space.)",
            Icon::Attention,
            |s| {
                s.status.syncthing.state = SyncthingState::Failed;
                s.status.syncthing.message = Some("Port taken.".into());
                s.status.problems = vec![problem(ProblemCode::DiskFull)];
            },
        ),
        (
            "(The disk is full.) (Free up disk space.)",
            Icon::Attention,
            |s| {
                s.status.problems = [ProblemCode::LeftOut, ProblemCode::DiskFull]
                    .map(problem)
                    .into();
                s.status.moving.out_bytes = 12_000;
                s.status.splits = 2;
            },
        ),
        ("(Up to date with desk)", Icon::Idle, |s| {
            s.status.problems = vec![problem(ProblemCode::LeftOut)]
        }),
        (
            "(The disk is full.) (Free up disk space.)",
            Icon::Attention,
            |s| {
                s.status.problems = [ProblemCode::LeftOut, ProblemCode::NotRecorded]
                    .map(problem)
                    .into()
            },
        ),
        ("(2 problems)", Icon::Attention, |s| {
            s.status.problems = [ProblemCode::FolderErrors, ProblemCode::NotRecorded]
                .map(problem)
                .into()
        }),
        (
            "(Paused) (Nothing is sent, received or written.)",
            Icon::Paused,
            |s| {
                s.status.engine = EngineState::Paused;
                s.status.problems = vec![problem(ProblemCode::DiskFull)];
            },
        ),
        ("(Starting Syncthing)", Icon::Idle, |s| {
            s.status.syncthing.state = SyncthingState::Starting
        }),
        ("(No other device is paired)", Icon::Idle, |s| {
            (s.status.paired, s.status.connected) = (0, 0);
            s.devices.paired.clear();
        }),
        ("(No other device is online)", Icon::Idle, |s| {
            s.status.connected = 0
        }),
        ("(Up to date with desk)", Icon::Idle, |s| {
            s.status.waiting = vec![waits("one", "live")]
        }),
        ("(2 items need your attention)", Icon::Attention, |s| {
            s.status.waiting = [
                ("one", "no_place"),
                ("two", "no_place"),
                ("three", "store_gone"),
                ("four", "excluded"),
            ]
            .map(|(id, code)| waits(id, code))
            .into()
        }),
        (
            "(Stopped. Nothing is recorded or synced.)",
            Icon::Off,
            |s| *s = Sight::stopped(None),
        ),
        (
            "(session-roam is not responding) (It does not answer.)",
            Icon::Off,
            |s| {
                let hangs =
                    ApiError::new(ProblemCode::EngineUnreachable, "It does not answer.", "");
                *s = Sight::unanswered(&hangs)
            },
        ),
    ];
    for (words, wanted, change) in table {
        let mut sight = quiet();
        change(&mut sight);
        assert_eq!(head(&sight), (*wanted, (*words).to_owned()));
    }
}

#[test]
fn what_needs_somebody_stands_right_below_the_state() {
    let mut sight = quiet();
    sight.devices.asking = vec![asks("phone")];
    (sight.status.splits, sight.splits) = (1, vec![split("one")]);
    sight.status.held = vec![held("tool:a")];
    sight.status.waiting = vec![waits("two", "live")];
    let all = shown(&sight);
    assert_eq!(
        all.split("---\n").nth(1),
        Some(
            "phone has your code… -> open:#/devices
Compare versions of “Title of one”… -> compare:one
Needs a decision: All sessions are gone. -> open:#/overview
“Title of two” is waiting: it is open here -> open:#/overview
"
        )
    );
    sight.status.splits = 3;
    sight.status.waiting.push(waits("three", "no_place"));
    let all = shown(&sight);
    assert!(
        all.contains("3 sessions have two versions… -> open:#/splits\n"),
        "{all}"
    );
    assert!(
        all.contains("2 sessions are waiting -> open:#/overview\n"),
        "{all}"
    );
}

#[test]
fn what_prevents_syncing_leads_to_what_to_do() {
    let mut sight = quiet();
    sight.status.problems = vec![problem(ProblemCode::VaultUnwritable)];
    let all = shown(&sight);
    assert_eq!(
        all.split("---\n").nth(1),
        Some("Show what to do… -> open:#/overview\n")
    );
}

/// A state code of the engine's is no word for a person, and what cannot be resumed is not offered so.
#[test]
fn a_session_that_is_not_in_the_tool_is_opened_and_not_resumed() {
    let mut sight = quiet();
    sight.recent = ["elsewhere", "held", "waiting"]
        .map(|state| session(state, state, "10:00"))
        .into();
    let all = shown(&sight);
    for line in [
        "Open “Title of elsewhere” · not on this device -> open:#/sessions/elsewhere\n",
        "Open “Title of held” · needs a decision -> open:#/sessions/held\n",
        "Open “Title of waiting” · waiting -> open:#/sessions/waiting\n",
    ] {
        assert!(all.contains(line), "{all}");
    }
    assert!(!all.contains("Resume"), "{all}");
}

#[test]
fn a_stopped_engine_can_be_started_and_a_paused_one_goes_on() {
    let refusal = session_roam_core::api::ApiError::new(
        ProblemCode::Settings,
        "config.toml is not valid.",
        "Mend it.",
    );
    assert_eq!(
        shown(&Sight::stopped(Some(&refusal))),
        "(Stopped. Nothing is recorded or synced.)
(config.toml is not valid.)
---
Open session-roam -> open:
Start again -> start
Quit -> quit
"
    );
    let mut paused = quiet();
    paused.status.engine = EngineState::Paused;
    assert!(
        shown(&paused).contains("Continue -> continue\n") && !shown(&paused).contains("pause\n")
    );
}

#[test]
fn a_window_is_told_that_no_engine_runs_and_why() {
    let home = tempfile::tempdir().expect("home");
    let ended = Caller::new(home.path().into(), Standing::Ended).shown_status();
    assert_eq!(
        (ended.engine, ended.problems.len()),
        (EngineState::Stopped, 0)
    );
    let refusal = ApiError::new(ProblemCode::Settings, "config.toml is not valid.", "")
        .offer(Remedy::OpenSettings);
    let failed = Caller::new(home.path().into(), Standing::Failed(refusal)).shown_status();
    assert_eq!(failed.engine, EngineState::Stopped);
    assert_eq!(failed.problems[0].actions, [Remedy::OpenSettings]);
}

#[test]
fn an_engine_that_hangs_is_reported_and_its_late_answer_is_taken() {
    let home = tempfile::tempdir().expect("home");
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = socket::serve(
        home.path(),
        std::sync::Arc::new(move |_| {
            let _ = held.lock().expect("one at a time").recv();
            Ok(serde_json::to_value(&quiet().status).expect("a status"))
        }),
    )
    .expect("serve");
    let caller = Caller::new(home.path().into(), Standing::Ours).with_patience(Duration::ZERO);
    for _ in 0..3 {
        let error = caller.status().expect_err("nothing answers");
        assert_eq!(error.code, ProblemCode::EngineUnreachable);
    }
    assert_eq!(caller.shown_status().engine, EngineState::Stopped);
    drop(release);
    while caller.status().is_err() {
        std::thread::yield_now();
    }
    server.stop();
}

#[test]
fn a_session_is_resumed_at_once_only_if_nothing_is_to_be_said_or_asked() {
    let offer = |state: &str, is_last: bool| -> CodeOffer {
        serde_json::from_value(serde_json::json!({
            "state": state, "snapshot": "", "device": "desk", "at": NOW, "is_last": is_last,
            "why": "", "files": [], "n_files": 0, "left_out": [],
        }))
        .expect("an offer")
    };
    let noted = Resume {
        notes: vec!["It was open on desk 12 s ago.".into()],
        ..resume()
    };
    assert!(!terminal::asks_first(&resume(), &offer("none", false)));
    assert!(!terminal::asks_first(&resume(), &offer("same", true)));
    assert!(!terminal::asks_first(&resume(), &offer("in_place", false)));
    assert!(terminal::asks_first(&resume(), &offer("in_place", true)));
    assert!(terminal::asks_first(&noted, &offer("none", false)));
    assert_eq!(question("a/b"), "#/sessions/a%2Fb/resume");
}

#[test]
fn a_pause_ends_in_an_hour_or_in_the_morning_after_this_night() {
    let at = |time: &str| {
        let now: Zoned = format!("{time}[Europe/Berlin]").parse().expect("a time");
        let end = |pause: Pause| pause.until(&now).map(|end| end.rfc3339());
        [Pause::Hour, Pause::Tomorrow, Pause::Open].map(end)
    };
    assert_eq!(
        at("2026-11-23T17:45:10+01:00"),
        [
            Some("2026-11-23T17:45:10.000Z".into()),
            Some("2026-11-24T07:00:00.000Z".into()),
            None
        ]
    );
    assert_eq!(
        at("2026-11-24T01:30:00+01:00")[1].as_deref(),
        Some("2026-11-24T07:00:00.000Z"),
        "for somebody who is up late, tomorrow is after this night"
    );
    assert_eq!(
        at("2026-10-24T22:00:00+02:00")[1].as_deref(),
        Some("2026-10-25T07:00:00.000Z"),
        "eight o'clock is eight o'clock, also after the clocks have changed"
    );
}

#[test]
fn many_are_cut_and_long_titles_too() {
    let mut sight = quiet();
    sight.recent = (0..12)
        .map(|at| session(&format!("s{at}"), "here", "10:00"))
        .collect();
    sight.recent[0].title =
        "A title\nthat goes on for very much longer than any menu in a panel could show it".into();
    sight.recent[1].title = String::new();
    sight.devices.paired = ["a", "b", "c", "d", "e", "f"]
        .map(|name| paired(name, false))
        .into();
    let all = shown(&sight);
    assert_eq!(all.matches("-> resume:").count(), 8);
    assert!(
        all.contains("“A title that goes on for very much longer than…” · from desk"),
        "{all}"
    );
    assert!(all.contains("an untitled session · from desk"), "{all}");
    assert!(
        all.contains("d · last seen 3 h ago")
            && !all.contains("e · last")
            && all.contains("All 6 devices…"),
        "{all}"
    );
}

#[test]
fn without_a_device_the_menu_offers_to_pair() {
    let mut sight = quiet();
    sight.devices.paired.clear();
    assert!(shown(&sight).contains("Pair a device… -> open:#/devices\n"));
}

#[test]
fn ids_lead_back_to_what_they_mean() {
    let code = "session-roam:1?id=A-B&name=de sk";
    let actions = [
        Action::Open(String::new()),
        Action::Open(place("devices", code)),
        Action::Compare("a:b".into()),
        Action::Resume("x".into()),
        Action::Pause(Pause::Hour),
        Action::Pause(Pause::Tomorrow),
        Action::Pause(Pause::Open),
        Action::Continue,
        Action::Start,
        Action::Quit,
    ];
    for action in actions {
        assert_eq!(Action::parse(&action.id()), Some(action));
    }
    assert_eq!(Action::parse("format:c"), None);
    assert_eq!(
        place("devices", code),
        "#/devices/session-roam%3A1%3Fid%3DA-B%26name%3Dde%20sk"
    );
}

#[test]
fn a_link_fills_in_the_code_and_nothing_more() {
    let opened = Some(Action::Open(place(
        "devices",
        "session-roam://pair?id=A&name=desk",
    )));
    for text in [
        "session-roam:1?id=A&name=desk",
        "session-roam://pair?id=A&name=desk",
        "session-roam://pair/?id=A&name=desk",
        // F6: somebody who opens a link has not seen the other screen, so the link's secret counts
        // for nothing.
        "session-roam:1?id=A&name=desk&key=MFRGGZDFMZTWQ2LKNNWG23TPOA",
        "session-roam://pair?id=A&key=MFRGGZDFMZTWQ2LKNNWG23TPOA&name=desk",
    ] {
        assert_eq!(link(text), opened, "{text}");
    }
    for other in [
        "--hidden",
        "session-roam:2?id=A",
        "https://example.org",
        "session-roam",
    ] {
        assert_eq!(link(other), None);
    }
}

/// The notifications for a series of states.
fn told(looks: &[&Sight]) -> Vec<String> {
    let mut desk = Desk::default();
    let mut news = Vec::new();
    for look in looks {
        news.extend(
            desk.hear(look)
                .into_iter()
                .map(|news| format!("{} | {} -> {}", news.title, news.body, news.click.id())),
        );
    }
    news
}

#[test]
fn nothing_is_told_at_first_nor_twice() {
    let mut all = quiet();
    all.recent = vec![session("one", "here", "10:00")];
    (all.status.splits, all.splits) = (1, vec![split("two")]);
    all.status.held = vec![held("tool:a")];
    all.status.waiting = vec![waits("three", "live")];
    all.devices.asking = vec![asks("phone")];
    assert_eq!(told(&[&all, &all]), [""; 0]);
    assert_eq!(
        told(&[&quiet(), &all, &all, &all]),
        [
            "phone has your code | If it is your device, accept it. -> open:#/devices",
            "A session has two versions | “Title of two” was continued on both desk and laptop. Both versions are kept. -> compare:two",
            "Needs your decision | All sessions are gone. -> open:#/overview",
            "“Title of three” is waiting | it is open here -> open:#/overview",
            "Session from desk is ready | “Title of one” -> open:#/sessions/one",
        ]
    );
    assert_eq!(
        told(&[&Sight::stopped(None), &all]),
        [""; 0],
        "a start is a first look, too"
    );
}

#[test]
fn what_prevents_syncing_is_told_once_also_while_sessions_are_read() {
    let told_as = "Not syncing | The disk is full. Free up disk space. -> open:#/overview";
    let mut full = quiet();
    full.status.problems = vec![problem(ProblemCode::DiskFull)];
    assert_eq!(told(&[&quiet(), &full, &full]), [told_as]);
    let mut importing = full.clone();
    importing.status.engine = EngineState::Importing;
    assert_eq!(told(&[&quiet(), &importing, &full]), [told_as]);
    assert_eq!(told(&[&Sight::stopped(None), &full]), [told_as]);
    let mut left_out = quiet();
    left_out.status.problems = vec![problem(ProblemCode::LeftOut)];
    assert_eq!(told(&[&quiet(), &left_out]), [""; 0]);
    let mut stopped = full.clone();
    stopped.status.engine = EngineState::Stopped;
    assert_eq!(told(&[&quiet(), &stopped]), [""; 0]);
}

#[test]
fn waits_that_somebody_has_to_end_are_told_of() {
    for code in ["place_refused", "store_gone", "unknown_shape"] {
        let mut waiting = quiet();
        waiting.status.waiting = vec![waits("one", code)];
        assert_eq!(told(&[&quiet(), &waiting]).len(), 1, "{code}");
    }
}

/// F10: four hundred strangers are one line in the menu and one notification.
#[test]
fn strangers_are_one_line_and_one_notice() {
    let (mut few, mut many) = (quiet(), quiet());
    few.devices.asking = vec![stranger("x")];
    many.devices.asking = (0..8)
        .map(|n| stranger(&format!("s{n}")))
        .chain([asks("phone")])
        .collect();
    many.devices.more_asking = 392;
    assert_eq!(
        told(&[&quiet(), &few, &many, &many]),
        [
            "A device asks to pair without your code | Nothing proves that they are yours. You can ignore them. -> open:#/devices",
            "phone has your code | If it is your device, accept it. -> open:#/devices",
        ]
    );
    let menu = shown(&many);
    assert_eq!(menu.matches("without your code").count(), 1, "{menu}");
    assert!(
        menu.contains("400 devices ask to pair without your code…") && !menu.contains("s1 "),
        "{menu}"
    );
}

/// F11: some desktops read a notification's body as HTML.
#[test]
fn a_notification_has_no_markup_and_hides_nothing() {
    let mut sight = quiet();
    let mut row = session("one", "here", "10:00");
    row.title = "<b>bold</b> &amp;\u{202e}\n<a href=\"x\">".into();
    sight.recent = vec![row];
    assert_eq!(
        told(&[&quiet(), &sight]),
        [
            "Session from desk is ready | “‹b›bold‹/b› ＆amp;\u{fffd} ‹a href=\"x\"›” -> open:#/sessions/one"
        ]
    );
}

#[test]
fn a_session_is_told_when_it_can_be_gone_on_with() {
    let ready = "Session from desk is ready | “Title of one” -> open:#/sessions/one";
    let with = |state: &str, updated: &str, is_live: bool| {
        let mut sight = quiet();
        sight.recent = vec![session("one", state, updated)];
        sight.status.live = if is_live {
            vec![live("one", "desk")]
        } else {
            Vec::new()
        };
        sight
    };
    let table: &[(&str, Vec<Sight>, &[&str])] = &[
        (
            "it came",
            vec![quiet(), with("here", "10:00", false)],
            &[ready],
        ),
        (
            "it waited and does no longer",
            vec![
                with("waiting", "10:00", false),
                with("here", "10:00", false),
            ],
            &[ready],
        ),
        (
            "somebody still types there",
            vec![
                quiet(),
                with("here", "10:00", true),
                with("here", "10:01", true),
            ],
            &[],
        ),
        (
            "they left it",
            vec![with("here", "10:00", true), with("here", "10:01", false)],
            &[ready],
        ),
        (
            "it only grew",
            vec![with("here", "10:00", false), with("here", "10:05", false)],
            &[],
        ),
        (
            "its split was resolved",
            vec![with("split", "10:00", false), with("here", "10:05", false)],
            &[],
        ),
        (
            "it has no place",
            vec![quiet(), with("waiting", "10:00", false)],
            &[],
        ),
    ];
    for (why, looks, wanted) in table {
        assert_eq!(told(&looks.iter().collect::<Vec<_>>()), *wanted, "{why}");
    }
}

#[test]
fn a_batch_is_told_as_one_when_it_is_through() {
    let mut moving = quiet();
    moving.recent = (0..3)
        .map(|at| session(&format!("s{at}"), "here", "10:00"))
        .collect();
    moving.status.moving.in_bytes = 5;
    let mut through = moving.clone();
    through.status.moving.in_bytes = 0;
    through.recent.push(session("s3", "here", "09:00"));
    assert_eq!(
        told(&[&quiet(), &moving, &through]),
        ["4 sessions from desk are ready | “Title of s3” and more -> open:#/sessions"]
    );
    let mut mixed = through.clone();
    mixed.recent[0].devices = vec!["phone".into()];
    assert!(told(&[&quiet(), &mixed])[0].starts_with("4 sessions from your devices are ready"));
}

#[test]
fn an_older_session_that_moves_up_in_the_list_is_no_news() {
    let mut full = quiet();
    full.recent = (0..12)
        .map(|at| session(&format!("s{at:02}"), "here", &format!("11:{:02}", 59 - at)))
        .collect();
    let mut moved_up = full.clone();
    moved_up.recent.remove(0);
    moved_up.recent.push(session("old", "here", "08:00"));
    assert_eq!(told(&[&full, &moved_up]), [""; 0]);
}

#[test]
fn what_the_user_decided_and_the_first_import_are_no_news() {
    let mut own = quiet();
    own.status.waiting = ["paused", "tool_off", "excluded", "parent", "just_written"]
        .map(|code| waits(code, code))
        .into();
    assert_eq!(told(&[&quiet(), &own]), [""; 0]);
    let mut importing = own.clone();
    importing.status.engine = EngineState::Importing;
    importing.status.waiting = vec![waits("one", "live")];
    assert_eq!(told(&[&quiet(), &importing, &importing]), [""; 0]);
    let mut many = quiet();
    many.status.waiting = vec![waits("one", "live"), waits("two", "live")];
    assert_eq!(
        told(&[&quiet(), &many]),
        ["2 sessions are waiting | it is open here -> open:#/overview"]
    );
}

#[test]
fn a_fork_of_a_split_is_told_with_the_split_alone() {
    let mut parted = quiet();
    parted.recent = vec![
        session("one", "here", "10:00"),
        session("one-fork", "here", "10:00"),
    ];
    (parted.status.splits, parted.splits) = (1, vec![split("one")]);
    let news = told(&[&quiet(), &parted]);
    assert!(
        news.len() == 1 && news[0].starts_with("A session has two versions"),
        "{news:?}"
    );
}

fn resume() -> Resume {
    Resume {
        argv: vec!["tool".into(), "--resume".into(), "it's; rm -rf ~".into()],
        window: false,
        cwd: "/home/mia/my $(code)".into(),
        env: [("CONFIG".to_owned(), "a b".to_owned())].into(),
        unset: vec!["INSIDE".into()],
        before: Vec::new(),
        notes: Vec::new(),
        remarks: Vec::new(),
    }
}

#[test]
fn the_users_terminal_is_taken_first_and_otherwise_one_that_is_there() {
    let there = |names: &'static [&'static str]| {
        move |name: &str| {
            names
                .contains(&name)
                .then(|| format!("/usr/bin/{name}").into())
        }
    };
    let found = |wanted: &str, names: &'static [&'static str]| {
        terminal::find(wanted, there(names))
            .map(|(file, before)| format!("{} {}", file.display(), before.join(" ")))
    };
    assert_eq!(
        found("", &["xterm", "konsole"]).as_deref(),
        Some("/usr/bin/konsole -e")
    );
    assert_eq!(
        found("/opt/kitty/bin/kitty", &["xterm", "kitty"]).as_deref(),
        Some("/usr/bin/kitty ")
    );
    assert_eq!(
        found("unknown", &["xterm"]).as_deref(),
        Some("/usr/bin/xterm -e")
    );
    assert_eq!(found("", &[]), None);
}

#[cfg(unix)]
#[test]
fn nothing_in_a_session_is_read_by_the_shell() {
    let scratch = tempfile::tempdir().expect("a directory");
    let dir = scratch.path().join("my $(touch pwned) `id` code");
    std::fs::create_dir(&dir).expect("a directory");
    let file = scratch.path().join("out");
    let argv = [
        "sh",
        "-c",
        "printf '%s|%s|%s' \"$PWD\" \"$CONFIG\" \"$1\" > \"$2\"",
        "sh",
        "it's; rm -rf ~",
    ];
    let argv = argv
        .iter()
        .map(|word| (*word).to_owned())
        .chain([file.to_string_lossy().into_owned()])
        .collect();
    let resume = Resume {
        argv,
        cwd: dir.clone(),
        ..resume()
    };
    let [shell, flag, line] = terminal::in_shell(&resume, "/bin/sh");
    assert_eq!((shell.as_str(), flag.as_str()), ("/bin/sh", "-ic"));
    assert!(
        line.ends_with("; exec /bin/sh"),
        "the shell stays when the tool has ended: {line}"
    );
    // Not interactive here: there is no terminal to read from.
    let ended = std::process::Command::new(shell)
        .arg("-c")
        .arg(line)
        .stdin(std::process::Stdio::null())
        .status()
        .expect("sh");
    assert!(ended.success());
    assert_eq!(
        std::fs::read_to_string(file).expect("it ran"),
        format!("{}|a b|it's; rm -rf ~", dir.display())
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_application_opens_without_a_terminal_and_a_failure_is_reported() {
    let home = tempfile::tempdir().expect("a home");
    let file = home.path().join("it's opened");
    let open = |command: &str| {
        let words = ["sh", "-c", command, "sh", file.to_str().expect("text")];
        let resume = Resume {
            argv: words.map(str::to_owned).to_vec(),
            window: true,
            cwd: home.path().to_path_buf(),
            ..resume()
        };
        terminal::start(&resume, home.path()).map_err(|error| error.code.as_str().to_owned())
    };
    assert_eq!(open("echo \"$CONFIG\" > \"$1\""), Ok(()));
    assert_eq!(std::fs::read_to_string(&file).expect("it ran"), "a b\n");
    assert_eq!(open("exit 3"), Err("tool_not_started".into()));
}

#[test]
fn a_directory_that_went_away_is_said() {
    let home = tempfile::tempdir().expect("a home");
    let refusal = terminal::start(
        &Resume {
            cwd: home.path().join("gone"),
            ..resume()
        },
        home.path(),
    )
    .expect_err("gone");
    assert_eq!(refusal.code.as_str(), "no_place");
}

#[test]
fn kdes_panel_is_light_or_dark_as_its_windows_are() {
    let file = |colour: &str| {
        format!(
            "[General]\nBackgroundNormal=9,9,9\n\n[Colors:Window]\nBackgroundNormal={colour}\n\n[X]\n"
        )
    };
    assert!(is_dark_scheme(&file("42,46,50")));
    assert!(!is_dark_scheme(&file("239,240,241")));
    assert!(!is_dark_scheme("[General]\nName=Mia\n"));
}

#[test]
fn a_menu_in_which_only_words_changed_has_the_same_rows() {
    use session_roam_tray::menu::rows;
    let now = &now();
    let kinds = |sight: &Sight| {
        rows(&menu(sight, now))
            .into_iter()
            .map(|(kind, _)| kind)
            .collect::<Vec<_>>()
    };
    let mut moving = quiet();
    moving.status.moving.in_bytes = 5_000;
    assert_eq!(kinds(&moving), kinds(&quiet()));
    let mut with_sessions = quiet();
    with_sessions.recent = vec![session("one", "here", "10:00")];
    assert_ne!(kinds(&with_sessions), kinds(&quiet()));
}

#[test]
fn a_file_is_only_ever_an_editors_argument() {
    let there = |name: &str| (name == "kate").then(|| std::path::PathBuf::from("/usr/bin/kate"));
    let kate = Some(vec!["/usr/bin/kate".into()]);
    assert_eq!(editor::plan("kate", there), kate);
    // A program that is no known editor is not started, whatever config.toml says.
    for wanted in ["", "rm", "/bin/sh", "kate -x"] {
        let plan = editor::plan(wanted, there);
        let words = plan.into_iter().flatten();
        let programs: Vec<_> = words.filter(|word| *word == wanted).collect();
        assert!(programs.is_empty(), "{wanted}: {programs:?}");
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn an_answer_that_is_no_desktop_entry_starts_nothing() {
    let entry = Some("org.gnome.TextEditor.desktop");
    assert_eq!(
        editor::desktop_entry("org.gnome.TextEditor.desktop\n"),
        entry
    );
    for answer in ["", "--help.desktop", "../x.desktop", "a b.desktop", "sh"] {
        assert_eq!(editor::desktop_entry(answer), None, "{answer}");
    }
}

#[test]
fn only_a_higher_number_is_a_newer_version() {
    let ask = |version: &str| {
        let answer = format!(r#"{{"version":"{version}","platforms":{{}}}}"#);
        updates::newest(answer.as_bytes(), "0.10.2").map(|newest| newest.is_newer)
    };
    let rows = [
        ("0.10.3", Some(true)),
        ("v0.11.0", Some(true)),
        ("1.0.0", Some(true)),
        ("0.10.2", Some(false)),
        ("0.9.9", Some(false)),
        ("0.10", None),
        ("0.10.3-beta", None),
        ("0.10.3.1", None),
        ("99999999999999999999.0.0", None),
        ("", None),
    ];
    for (version, expected) in rows {
        assert_eq!(ask(version), expected, "{version}");
    }
    assert_eq!(updates::newest(b"<html>", "0.10.2"), None);
    assert_eq!(updates::newest(&vec![b' '; 1 << 20], "0.10.2"), None);
}
