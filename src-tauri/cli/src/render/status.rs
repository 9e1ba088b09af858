//! `roam status` and `roam doctor`: state first, then the reason, then what to do.

use super::table::{Column, table};
use super::{View, and, number, plural, project, quoted, size, wrap};
use crate::remedy::advice;
use crate::when::ago;
use session_roam_core::api::quote::word;
use session_roam_core::api::{
    CheckState, CodeQuestion, Devices, Doctor, EngineState, Held, LeftOut, LiveSession, Moving,
    Status, SyncthingState, Timing, Waiting,
};
use session_roam_core::session::{Millis, Problem};

/// The most titles listed for one reason; the rest are counted.
const NAMED: usize = 3;

pub fn status(status: &Status, devices: &Devices, view: &View) -> String {
    let mut out = wrap(&sentence(status, devices, view), 0, view);
    if status.engine == EngineState::Stopped {
        out.push_str("  Start it with `roam run`, or open the tray app.\n");
        return out;
    }
    if status.syncthing.state == SyncthingState::Missing {
        out.push_str(&wrap(
            "Install it (Debian and Ubuntu: sudo apt install syncthing), or name it under [syncthing] binary in config.toml.",
            2,
            view,
        ));
    }
    if status.paired == 0 && devices.asking.is_empty() {
        out.push_str(
            "  `roam device` shows this device's code; give it to `roam pair CODE` on the other.\n",
        );
    }
    section(
        &mut out,
        "Needs attention",
        &needs_you(status, devices, view),
    );
    if let Some(asked) = &status.code_question {
        section(&mut out, "One question", &question(asked, view));
    }
    let mut waits = waiting(&status.waiting, view);
    let unlisted = status
        .n_waiting()
        .saturating_sub(status.waiting.len() as u64);
    if 0 < unlisted {
        waits.push_str(&format!(
            "  {} of these kinds; `roam doctor` lists all.\n",
            more(unlisted as usize)
        ));
    }
    section(&mut out, "Waiting", &waits);
    section(&mut out, "Live now", &live(&status.live, view));
    section(&mut out, "Problems", &problems(&status.problems, view));
    out.push_str(&format!("\n{}\n", footer(status)));
    out
}

fn section(out: &mut String, head: &str, body: &str) {
    if !body.is_empty() {
        out.push_str(&format!("\n{head}\n{body}"));
    }
}

/// The state in one sentence; the first problem wins.
fn sentence(status: &Status, devices: &Devices, view: &View) -> String {
    let syncthing = &status.syncthing;
    match (status.engine.as_str(), syncthing.state.as_str()) {
        ("stopped", _) => return "session-roam is not running on this device.".into(),
        ("stopping", _) => return "Stopping after the current work.".into(),
        ("paused", _) => {
            let end = status.paused_until.as_deref().and_then(Millis::parse);
            return match end.map(|end| end.0.saturating_sub(view.now.0).max(0) / 60_000 + 1) {
                Some(minutes) => format!(
                    "Syncing is paused for another {}. Continue now with `roam continue`.",
                    plural(minutes as u64, "minute")
                ),
                None => "Syncing is paused. Continue with `roam continue`.".into(),
            };
        }
        ("importing", _) => return importing(&status.moving),
        (_, "missing") => return "Syncing is off: Syncthing was not found.".into(),
        (_, "failed" | "stopped") => {
            return match &syncthing.message {
                Some(why) => format!("Syncing stopped: Syncthing is not running. {why}"),
                None => "Syncing stopped: Syncthing is not running.".into(),
            };
        }
        _ => {}
    }
    if !status.held.is_empty() {
        return "Something needs your decision.".into();
    }
    if status.paired == 0 {
        return format!(
            "Ready: {} on this device, and no other device paired yet.",
            plural(status.sessions, "session")
        );
    }
    connected_sentence(status, devices, view)
}

fn connected_sentence(status: &Status, devices: &Devices, view: &View) -> String {
    let here: Vec<&str> = devices
        .paired
        .iter()
        .filter(|device| device.connected)
        .map(|device| device.name.as_str())
        .collect();
    let away: Vec<String> = devices
        .paired
        .iter()
        .filter(|device| !device.connected)
        .map(|device| away(device, view))
        .collect();
    if here.is_empty() {
        let what = if away.is_empty() {
            "no other device is online".to_owned()
        } else {
            and(&away)
        };
        return format!(
            "No device online: {what}. Changes are saved here and sync when a device is online."
        );
    }
    let is_incomplete = { status.problems.iter() }
        .any(|problem| problem.code.is_incomplete() || problem.code.is_blocking());
    let state = match (status.moving.out_bytes, status.moving.in_bytes) {
        (0, 0) if status.waiting.is_empty() && status.splits == 0 && !is_incomplete => {
            format!("Up to date with {}.", and(&here))
        }
        (0, 0) => format!("Connected to {}.", and(&here)),
        (out, 0) => format!("Sending {} to {}.", size(out), and(&here)),
        (0, incoming) => format!("Receiving {} from {}.", size(incoming), and(&here)),
        (out, incoming) => format!(
            "Sending {} to and receiving {} from {}.",
            size(out),
            size(incoming),
            and(&here)
        ),
    };
    // A name at the start of a sentence keeps its case.
    if away.is_empty() {
        state
    } else {
        format!("{state} {}.", and(&away))
    }
}

fn away(device: &session_roam_core::api::PairedDevice, view: &View) -> String {
    match &device.last_seen {
        _ if !device.confirmed => format!("{} has not accepted yet", device.name),
        Some(seen) => format!("{} was last seen {}", device.name, ago(seen, view.now)),
        None => format!("{} was not seen yet", device.name),
    }
}

/// The progress of the first import.
pub fn importing(moving: &Moving) -> String {
    format!(
        "Importing your sessions: {} of {} ({}).",
        number(moving.import_done),
        number(moving.import_total),
        size(moving.import_bytes)
    )
}

fn needs_you(status: &Status, devices: &Devices, view: &View) -> String {
    let mut out = String::new();
    for device in devices.asking.iter().filter(|device| device.has_code) {
        out.push_str(&wrap(
            &format!("{} has this device's code. Accept it?", device.name),
            2,
            view,
        ));
        out.push_str(&wrap("See `roam devices`.", 4, view));
    }
    let strangers = devices
        .asking
        .iter()
        .filter(|device| !device.has_code)
        .count() as u64
        + devices.more_asking;
    if 0 < strangers {
        let who = if strangers == 1 {
            "A device asks".to_owned()
        } else {
            format!("{} ask", plural(strangers, "device"))
        };
        out.push_str(&wrap(
            &format!("{who} to pair without this device's code."),
            2,
            view,
        ));
        out.push_str(&wrap("See `roam devices`.", 4, view));
    }
    for Held {
        message,
        hint,
        actions,
        ..
    } in &status.held
    {
        out.push_str(&wrap(message, 2, view));
        out.push_str(&wrap(&advice(hint, actions), 4, view));
    }
    if 0 < status.splits {
        out.push_str(&wrap(
            &format!(
                "{} with two versions. Both are kept.",
                plural(status.splits, "session")
            ),
            2,
            view,
        ));
        out.push_str(&wrap("See `roam splits`.", 4, view));
    }
    out
}

/// Whether a project's uncommitted changes go along, and how to answer.
fn question(asked: &CodeQuestion, view: &View) -> String {
    let (files, bytes) = (plural(asked.files, "file"), size(asked.bytes));
    let name = project(&asked.project);
    let key = word(&asked.project);
    let question = format!(
        "Take uncommitted changes of {name} along with its sessions? Now {files}, {bytes}."
    );
    let answer = format!("Answer once: `roam code on {key}` or `roam code off {key}`.");
    wrap(&question, 2, view) + &wrap(&answer, 4, view)
}

/// One block per reason, however many sessions share it.
fn waiting(rows: &[Waiting], view: &View) -> String {
    let mut groups: Vec<(&Waiting, Vec<&Waiting>)> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|(first, _)| {
            first.why == row.why && first.hint == row.hint && first.actions == row.actions
        }) {
            Some((_, members)) => members.push(row),
            None => groups.push((row, vec![row])),
        }
    }
    let mut out = String::new();
    for (first, members) in groups {
        out.push_str(&wrap(&first.why, 2, view));
        for row in members.iter().take(NAMED) {
            let line = format!(
                "{} · {} · {}",
                quoted(&row.title),
                row.tool,
                project(&row.project)
            );
            out.push_str(&wrap(&line, 4, view));
        }
        if NAMED < members.len() {
            out.push_str(&format!("    and {}\n", more(members.len() - NAMED)));
        }
        let hint = advice(&first.hint, &first.actions);
        if !hint.is_empty() {
            out.push_str(&wrap(&hint, 4, view));
        }
    }
    out
}

fn more(n: usize) -> String {
    format!("{} more", number(n as u64))
}

fn live(rows: &[LiveSession], view: &View) -> String {
    let line = |row: &LiveSession| {
        let device = if row.here { "this device" } else { &row.device };
        let seen = if row.here {
            String::new()
        } else {
            format!(" · {}", ago(&row.seen, view.now))
        };
        wrap(
            &format!(
                "{device} · {} · {} · {}{seen}",
                row.tool,
                project(&row.project),
                quoted(&row.title)
            ),
            2,
            view,
        )
    };
    rows.iter().map(line).collect()
}

fn problems(rows: &[Problem], view: &View) -> String {
    let block = |row: &Problem| {
        wrap(&row.message, 2, view)
            + &match advice(&row.hint, &row.actions) {
                hint if hint.is_empty() => hint,
                hint => wrap(&hint, 4, view),
            }
    };
    rows.iter().map(block).collect()
}

fn footer(status: &Status) -> String {
    let mut parts = vec![status.device.clone(), plural(status.sessions, "session")];
    if 0 < status.paired {
        parts.push(format!(
            "{} of {} connected",
            status.connected,
            plural(status.paired, "device")
        ));
    }
    if let Some(version) = &status.syncthing.version {
        parts.push(format!("Syncthing {}", version.trim_start_matches('v')));
    }
    parts.join(" · ")
}

pub fn doctor(doctor: &Doctor, view: &View) -> String {
    let n_problems = doctor
        .checks
        .iter()
        .filter(|check| check.state == CheckState::Problem)
        .count();
    let n_out = doctor.not_carried.len() as u64;
    let mut out = match (n_problems, n_out) {
        (0, 0) if doctor.checks.iter().any(|check| check.name == "import") => {
            "No problems so far. Sessions are still being imported.\n".to_owned()
        }
        (0, 0) if is_partly_off(doctor) => {
            "No problems. All sessions of the tools and stores that are switched on sync.\n"
                .to_owned()
        }
        (0, 0) => "No problems. All sessions sync.\n".to_owned(),
        (0, n) => format!("{} not sync, with the reason for each below.\n", does(n)),
        (1, _) => "1 problem.\n".to_owned(),
        (n, _) => format!("{n} problems.\n"),
    };
    out.push('\n');
    let width = doctor
        .checks
        .iter()
        .map(|check| check.name.len())
        .max()
        .unwrap_or(0);
    for check in &doctor.checks {
        let line = format!("{:7}  {:width$}  ", check.state, check.name);
        let message = wrap(&check.message, line.len(), view);
        out.push_str(&format!("{line}{}", message.trim_start()));
        let hint = advice(&check.hint, &check.actions);
        if !hint.is_empty() {
            out.push_str(&wrap(&hint, line.len(), view));
        }
    }
    section(
        &mut out,
        "Conflict copies",
        &super::copies::copies(&doctor.copies, view),
    );
    section(&mut out, "Left out", &left_out(&doctor.left_out, view));
    section(&mut out, "Not syncing", &waiting(&doctor.not_carried, view));
    let used: Vec<_> = doctor.tools.iter().filter(|tool| tool.found).collect();
    if !used.is_empty() {
        let rows: Vec<_> = { used.iter() }
            .map(|tool| {
                [
                    tool.name.clone(),
                    tool.level.to_string(),
                    number(tool.sessions),
                    tool.reason.clone(),
                ]
            })
            .collect();
        out.push_str(&format!(
            "\n{}",
            table(
                [
                    Column::Text("Tool"),
                    Column::Text("Level"),
                    Column::Number("Sessions"),
                    Column::Gives("Why")
                ],
                &rows,
                view
            )
        ));
    }
    out
}

pub fn timing(timing: &Timing, view: &View) -> String {
    if timing.stages.is_empty() {
        return "Nothing has changed since the engine started.\n".to_owned();
    }
    let ms = |micros: u64| format!("{}.{} ms", micros / 1000, micros % 1000 / 100);
    let rows: Vec<_> = timing
        .stages
        .iter()
        .map(|times| {
            [
                times.stage.clone(),
                number(times.count),
                ms(times.p50),
                ms(times.p95),
                ms(times.max),
            ]
        })
        .collect();
    let columns = [
        Column::Text("Stage"),
        Column::Number("Times"),
        Column::Number("Half within"),
        Column::Number("95 % within"),
        Column::Number("Longest"),
    ];
    let mut out = "The latest 512 times of each stage on this device.\n\n".to_owned();
    out.push_str(&table(columns, &rows, view));
    out.push('\n');
    for times in &timing.stages {
        out.push_str(&wrap(
            &format!("{}: {}", times.stage, times.meaning),
            0,
            view,
        ));
    }
    out
}

/// Some of this device's sessions do not sync because the user turned them off.
fn is_partly_off(doctor: &Doctor) -> bool {
    doctor
        .tools
        .iter()
        .any(|tool| tool.found && (!tool.on || tool.stores.iter().any(|store| !store.on)))
}

fn left_out(rows: &[LeftOut], view: &View) -> String {
    rows.iter()
        .map(|row| wrap(&row.path.display().to_string(), 2, view) + &wrap(&row.why, 4, view))
        .collect()
}

fn does(n: u64) -> String {
    format!(
        "{} {}",
        plural(n, "session"),
        if n == 1 { "does" } else { "do" }
    )
}
