//! Checks that explain every session that is not carried, in words.

use super::context::Context;
use super::takein;
use crate::api::types::{Check, CopyRow, Doctor, Status, ToolRow, Waiting};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

fn check(name: &str, state: &str, message: impl Into<String>, hint: impl Into<String>) -> Check {
    Check { name: name.into(), state: state.into(), message: message.into(), hint: hint.into() }
}

pub fn doctor(
    context: &Context,
    status: &Status,
    tools: Vec<ToolRow>,
    not_carried: Vec<Waiting>,
    devices: &BTreeSet<String>,
    forgotten: &BTreeMap<String, u64>,
) -> Doctor {
    let mut checks = vec![syncthing(status), vault(context), pairing(status, devices)];
    checks.extend(tools.iter().map(store));
    checks.extend(forgotten.iter().map(|(tool, sessions)| still_there(tool, *sessions)));
    let copies = copies(context);
    checks.push(conflict_copies(context, &copies));
    checks.extend(
        status
            .problems
            .iter()
            .map(|problem| check(&problem.code, "problem", problem.message.clone(), problem.hint.clone())),
    );
    checks.extend(status.held.iter().map(|held| check(&held.code, "problem", held.message.clone(), held.hint.clone())));
    Doctor { checks, not_carried, tools, copies }
}

fn syncthing(status: &Status) -> Check {
    let version = status.syncthing.version.clone().unwrap_or_default();
    match status.syncthing.state.as_str() {
        "running" => {
            let message = match &status.syncthing.program {
                Some(program) => format!("Syncthing {version} runs: {}", program.display()),
                None => format!("Syncthing {version} runs: the one that config.toml names."),
            };
            check("syncthing", "ok", message, "")
        }
        state => {
            let why = status.syncthing.message.clone().unwrap_or_else(|| format!("Syncthing is {state}."));
            check("syncthing", "problem", why, "Sessions are recorded meanwhile, and leave when it runs again.")
        }
    }
}

/// A file written and taken away again says more about permissions and space than any of their numbers.
fn vault(context: &Context) -> Check {
    let probe = context.vault.root().join(".probe");
    match std::fs::create_dir_all(context.vault.root())
        .and_then(|()| std::fs::write(&probe, b"x"))
        .and_then(|()| std::fs::remove_file(&probe))
    {
        Ok(()) => check("vault", "ok", format!("The vault in {} is writable.", context.vault.root().display()), ""),
        Err(error) => check(
            "vault",
            "problem",
            format!("The vault in {} cannot be written: {error}.", context.vault.root().display()),
            "Make room or mend its permissions.",
        ),
    }
}

fn pairing(status: &Status, devices: &BTreeSet<String>) -> Check {
    if devices.is_empty() {
        return check(
            "devices",
            "note",
            "No device is paired yet.",
            "Show this device's code with `roam device`, and enter it on the other one with `roam pair`.",
        );
    }
    let names = devices.iter().cloned().collect::<Vec<_>>().join(", ");
    let state = if status.connected == 0 { "note" } else { "ok" };
    check("devices", state, format!("Paired with {names}; {} of {} connected.", status.connected, devices.len()), "")
}

fn store(tool: &ToolRow) -> Check {
    let name = format!("tool {}", tool.tool);
    let sessions = match tool.sessions {
        1 => "1 session".to_owned(),
        many => format!("{many} sessions"),
    };
    match (tool.found, tool.on) {
        (_, false) => check(
            &name,
            "note",
            format!("{} is switched off on this device.", tool.name),
            format!("`roam tools on {}` switches it on.", tool.tool),
        ),
        (false, true) => check(
            &name,
            "note",
            format!("{} keeps no sessions on this device yet.", tool.name),
            "Sessions of other devices are put there as soon as their project has a place.",
        ),
        (true, true) => check(
            &name,
            if tool.lowered { "problem" } else { "ok" },
            format!("{}: {}, {} MB; {}.", tool.name, sessions, tool.bytes / 1_000_000, tool.level),
            tool.reason.clone(),
        ),
    }
}

/// Forgotten sessions that a tool has still, or again.
fn still_there(tool: &str, sessions: u64) -> Check {
    let (what, them) = match sessions {
        1 => ("1 session is".to_owned(), "it"),
        many => (format!("{many} sessions are"), "them"),
    };
    check(
        "forgotten sessions",
        "note",
        format!("{what} forgotten and still in {tool}'s store. Nothing of {them} is recorded."),
        format!("Delete {them} in {tool}, if you do not want to keep {them} there."),
    )
}

/// Conflict copies that another way of syncing left in a tool's store: some tools take them for sessions.
fn copies(context: &Context) -> Vec<CopyRow> {
    let strays = takein::strays(context, context.tools.values().map(|tool| tool.as_ref()));
    strays.iter().map(|(tool, stray)| takein::describe(context, context.tools[tool].as_ref(), stray)).collect()
}

fn conflict_copies(context: &Context, copies: &[CopyRow]) -> Check {
    let new: u64 = copies.iter().map(|copy| copy.new).sum();
    let others = debris(context).into_iter().filter(|path| !copies.iter().any(|copy| copy.path == *path));
    match (copies.len(), others.count()) {
        (0, 0) => check("conflict copies", "ok", "No conflict copies lie in the tools' stores.", ""),
        (0, others) => check(
            "conflict copies",
            "note",
            format!("{others} conflict copies of files that belong to no session lie in the tools' stores."),
            "Stop syncing the tools' own folders, and move these files away once you have looked at them.",
        ),
        (n, _) => check(
            "conflict copies",
            "problem",
            format!(
                "{n} conflict copies of another way of syncing lie in the tools' stores, with {new} lines that the \
                 sessions' own files lack."
            ),
            "Stop syncing the tools' own folders, then run `roam doctor --take-in`.",
        ),
    }
}

fn debris(context: &Context) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for tool in context.tools.values() {
        for root in tool.roots(&context.machine).into_iter().filter(|root| root.store) {
            let mut dirs = vec![root.path];
            while let Some(dir) = dirs.pop() {
                for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
                    match entry.file_type() {
                        Ok(kind) if kind.is_dir() && root.deep => dirs.push(entry.path()),
                        Ok(kind)
                            if kind.is_file() && entry.file_name().to_string_lossy().contains(".sync-conflict-") =>
                        {
                            found.push(entry.path())
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}
