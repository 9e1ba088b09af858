//! Checks that explain in words every session that does not sync.

use super::left_out::left_out;
use crate::adapter::Moved;
use crate::api::types::{
    Check, CheckState, CopyRow, Doctor, EngineState, LeftOut, LeftOutReason, Status,
    SyncthingState, ToolRow, Waiting,
};
use crate::reconcile::context::{Context, is_covered};
use crate::reconcile::takein;
use crate::session::{Project, ProjectKey, Remedy, ToolId};
use crate::tools::other_system::{self, OtherHome};
use std::collections::{BTreeMap, BTreeSet};

fn check(
    name: &str,
    state: CheckState,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Check {
    Check {
        name: name.into(),
        state,
        message: message.into(),
        hint: hint.into(),
        actions: Vec::new(),
    }
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
    checks.extend(tools.iter().filter_map(store));
    checks.extend(unused(&tools));
    let homes = other_system::homes();
    for tool in tools.iter().filter(|tool| tool.on) {
        let stores = context.stores.get(&ToolId::new(&tool.tool));
        checks.extend(stores.and_then(|stores| in_other_system(&homes, tool, &stores.moved())));
    }
    checks.extend(importing(status));
    checks.extend(excluded(context));
    checks.extend(
        forgotten
            .iter()
            .map(|(tool, sessions)| still_there(tool, *sessions)),
    );
    let copies = copies(context);
    let mut left = left_out(context);
    // Copies that can be imported have their own check.
    left.retain(|left| !copies.iter().any(|copy| copy.path == left.path));
    checks.push(conflict_copies(&copies));
    checks.extend(counted(&left));
    checks.extend(status.problems.iter().map(|problem| Check {
        actions: problem.actions.clone(),
        ..check(
            problem.code.as_str(),
            CheckState::Problem,
            &problem.message,
            &problem.hint,
        )
    }));
    checks.extend(status.held.iter().map(|held| Check {
        actions: held.actions.clone(),
        ..check(
            held.code.as_str(),
            CheckState::Problem,
            &held.message,
            &held.hint,
        )
    }));
    Doctor {
        checks,
        not_carried,
        tools,
        copies,
        left_out: first_of_each(left),
    }
}

fn syncthing(status: &Status) -> Check {
    let version = status.syncthing.version.clone().unwrap_or_default();
    match status.syncthing.state {
        SyncthingState::Running => {
            let message = match &status.syncthing.program {
                Some(program) => format!("Syncthing {version} runs: {}", program.display()),
                None => format!("Syncthing {version} runs: the one that config.toml names."),
            };
            check("syncthing", CheckState::Ok, message, "")
        }
        state => {
            let why = status
                .syncthing
                .message
                .clone()
                .unwrap_or_else(|| format!("Syncthing is {state}."));
            check(
                "syncthing",
                CheckState::Problem,
                why,
                "Sessions are still recorded, and sync when it runs again.",
            )
        }
    }
}

/// Writing and removing a file proves more about permissions and space than any of their numbers.
fn vault(context: &Context) -> Check {
    let probe = context.vault.root().join(".probe");
    match std::fs::create_dir_all(context.vault.root())
        .and_then(|()| std::fs::write(&probe, b"x"))
        .and_then(|()| std::fs::remove_file(&probe))
    {
        Ok(()) => check(
            "vault",
            CheckState::Ok,
            format!(
                "The vault in {} is writable.",
                context.vault.root().display()
            ),
            "",
        ),
        Err(error) => check(
            "vault",
            CheckState::Problem,
            format!(
                "The vault in {} cannot be written: {error}.",
                context.vault.root().display()
            ),
            "Free up disk space or fix its permissions.",
        ),
    }
}

fn pairing(status: &Status, devices: &BTreeSet<String>) -> Check {
    if devices.is_empty() {
        return Check {
            actions: vec![Remedy::ShowCode, Remedy::Pair],
            ..check(
                "devices",
                CheckState::Note,
                "No device is paired yet.",
                "Enter this device's code on the other one.",
            )
        };
    }
    let names = devices.iter().cloned().collect::<Vec<_>>().join(", ");
    let state = if status.connected == 0 {
        CheckState::Note
    } else {
        CheckState::Ok
    };
    check(
        "devices",
        state,
        format!(
            "Paired with {names}; {} of {} connected.",
            status.connected,
            devices.len()
        ),
        "",
    )
}

/// The tools that have no store on this device, in one line: most devices have two or three tools.
fn unused(tools: &[ToolRow]) -> Option<Check> {
    let names: Vec<&str> = { tools.iter() }
        .filter(|tool| tool.on && !tool.found)
        .map(|tool| tool.name.as_str())
        .collect();
    let names = match names.as_slice() {
        [] => return None,
        [name] => (*name).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    };
    let message = format!("This device has no sessions of {names}.");
    Some(check("other tools", CheckState::Note, message, ""))
}

/// What is known of a tool's store; `None` if it has none here.
fn store(tool: &ToolRow) -> Option<Check> {
    let name = format!("tool {}", tool.tool);
    let sessions = match tool.sessions {
        1 => "1 session".to_owned(),
        many => format!("{many} sessions"),
    };
    let size = match tool.bytes / 1_000_000 {
        0 => "less than 1 MB".to_owned(),
        megabytes => format!("{megabytes} MB"),
    };
    match (tool.found, tool.on) {
        (_, false) => Some(Check {
            actions: vec![Remedy::SwitchToolOn {
                tool: tool.tool.clone(),
            }],
            ..check(
                &name,
                CheckState::Note,
                format!("{} is switched off on this device.", tool.name),
                "",
            )
        }),
        (false, true) => None,
        (true, true) => Some(check(
            &name,
            if tool.lowered {
                CheckState::Problem
            } else {
                CheckState::Ok
            },
            format!("{}: {sessions} in its store, {size}.", tool.name),
            tool.reason.clone(),
        )),
    }
}

/// Sessions that the tool has on the other side of the Windows Subsystem for Linux.
fn in_other_system(homes: &[OtherHome], tool: &ToolRow, moved: &Moved) -> Option<Check> {
    let stores = other_system::stores(homes, moved);
    let (system, _) = stores.first()?;
    let dirs: Vec<String> = stores
        .iter()
        .map(|(_, dir)| dir.display().to_string())
        .collect();
    let message = format!(
        "{} also keeps sessions in {system}: {}. session-roam does not sync these from here.",
        tool.name,
        dirs.join(", ")
    );
    let hint = format!("Install session-roam in {system}, too, and pair it with this device.");
    Some(check(
        &format!("tool {} in {system}", tool.tool),
        CheckState::Note,
        message,
        hint,
    ))
}

fn importing(status: &Status) -> Option<Check> {
    let moving = &status.moving;
    let message = format!(
        "Sessions are still being imported: {} of {}.",
        moving.import_done, moving.import_total
    );
    (status.engine == EngineState::Importing).then(|| {
        check(
            "import",
            CheckState::Note,
            message,
            "Check again when that is done.",
        )
    })
}

/// Sessions of excluded projects are not counted among those that do not sync: the user wanted that.
fn excluded(context: &Context) -> Option<Check> {
    let keys = context.shared().excluded.clone();
    let named: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
    (!named.is_empty()).then(|| Check {
        actions: vec![Remedy::OpenProjects],
        ..check(
            "excluded projects",
            CheckState::Note,
            format!("Sessions of {} do not leave this device.", named.join(", "))
                + &nor_of(context),
            made_from_excluded(context),
        )
    })
}

/// Names the projects that stay here because they have the name and a remote of an excluded one.
fn nor_of(context: &Context) -> String {
    let (shared, places) = (context.shared(), context.places());
    let mut also: BTreeSet<String> = BTreeSet::new();
    for project in places.repositories() {
        let by = shared.exclusion(&project);
        let own = Project::new(project.key.clone());
        if let Some(by) = by.filter(|by| !is_covered(&own, by)) {
            also.insert(format!("{} (it may be a fork of {by})", project.key));
        }
    }
    match also.is_empty() {
        true => String::new(),
        false => {
            let also: Vec<String> = also.into_iter().collect();
            format!(" Nor do those of {}.", also.join(", "))
        }
    }
}

/// Names the projects that sync though they have an excluded one as a further remote.
fn made_from_excluded(context: &Context) -> String {
    let (shared, places) = (context.shared(), context.places());
    let is_excluded = |remote: &String| {
        let other = Project::new(ProjectKey::new(format!("git:{remote}")));
        shared.is_excluded(&other)
    };
    let all = places.repositories();
    let syncing = all.filter(|project| !shared.is_excluded(project));
    let made = syncing.filter(|project| project.remotes.iter().any(is_excluded));
    let keys: BTreeSet<String> = made.map(|project| project.key.to_string()).collect();
    match keys.is_empty() {
        true => String::new(),
        false => {
            let keys: Vec<String> = keys.into_iter().collect();
            format!(
                "An excluded project is a further remote of {}, which syncs. Exclude that, too, if it must not.",
                keys.join(", ")
            )
        }
    }
}

/// Forgotten sessions that a tool still has, or has again.
fn still_there(tool: &str, sessions: u64) -> Check {
    let (what, them) = match sessions {
        1 => ("1 session is".to_owned(), "it"),
        many => (format!("{many} sessions are"), "them"),
    };
    check(
        "forgotten sessions",
        CheckState::Note,
        format!("{what} forgotten and still in {tool}'s store. Nothing of {them} is recorded."),
        format!("Delete {them} in {tool}, if you do not want to keep {them} there."),
    )
}

/// Conflict copies left in a tool's store by another sync tool: some tools mistake them for
/// sessions.
fn copies(context: &Context) -> Vec<CopyRow> {
    let conflict_copies =
        takein::conflict_copies(context, context.tools.values().map(|tool| tool.as_ref()));
    conflict_copies
        .iter()
        .map(|(tool, conflict_copy)| {
            takein::describe(context, context.tools[tool].as_ref(), conflict_copy)
        })
        .collect()
}

fn conflict_copies(copies: &[CopyRow]) -> Check {
    let new = copies.iter().map(|copy| copy.new).sum::<u64>();
    match copies.len() {
        0 => check(
            "conflict copies",
            CheckState::Ok,
            "The tools' stores have no conflict copies.",
            "",
        ),
        n => Check {
            actions: vec![Remedy::ImportCopies],
            ..check(
                "conflict copies",
                CheckState::Problem,
                format!(
                    "The tools' stores have {} made by another sync program, with {} that the sessions' own files lack.",
                    plural(n, "conflict copy", "conflict copies"),
                    plural(new, "line", "lines"),
                ),
                "Stop syncing the tools' own folders, then import the copies.",
            )
        },
    }
}

/// What is counted of each reason: one of it, and several.
const COUNTED: [(LeftOutReason, &str, &str); 8] = [
    (
        LeftOutReason::Link,
        "link that is not followed",
        "links that are not followed",
    ),
    (
        LeftOutReason::Name,
        "file with a name that the tool does not use",
        "files with names that the tool does not use",
    ),
    (
        LeftOutReason::Kind,
        "entry that is not a regular file",
        "entries that are not regular files",
    ),
    (
        LeftOutReason::TooDeep,
        "directory nested too deep",
        "directories nested too deep",
    ),
    (
        LeftOutReason::Unreadable,
        "file or directory that cannot be read",
        "files or directories that cannot be read",
    ),
    (
        LeftOutReason::Copy,
        "conflict copy of another sync program",
        "conflict copies of another sync program",
    ),
    (
        LeftOutReason::NotDownloaded,
        "file that is in iCloud only",
        "files that are in iCloud only",
    ),
    (
        LeftOutReason::Unfinished,
        "file whose last line is not finished",
        "files whose last lines are not finished",
    ),
];

/// How many entries of the stores do not sync, by reason; `None` if there are none.
fn counted(left: &[LeftOut]) -> Option<Check> {
    let count = |code: LeftOutReason| left.iter().filter(|left| left.code == code).count();
    let words: Vec<String> = COUNTED
        .iter()
        .map(|(code, one, many)| (count(*code), one, many))
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| plural(count, one, many))
        .collect();
    (!words.is_empty()).then(|| {
        check(
            "left out",
            CheckState::Problem,
            format!(
                "The tools' stores have {}. {} not sync.",
                words.join(", "),
                if left.len() == 1 {
                    "It does"
                } else {
                    "They do"
                }
            ),
            hint_for(left),
        )
    })
}

/// An unfinished line needs nothing but its end.
fn hint_for(left: &[LeftOut]) -> String {
    let is_unfinished = |left: &LeftOut| left.code == LeftOutReason::Unfinished;
    let mut hint = String::from("Each is listed below with its reason.");
    if !left.iter().all(is_unfinished) {
        hint.push_str(" Give it a name that the tool uses, or move it out of the store.");
    }
    if left.iter().any(is_unfinished) {
        hint.push_str(" A line syncs once it has its end: continue that session in its tool.");
    }
    hint
}

fn plural(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

fn first_of_each(left: Vec<LeftOut>) -> Vec<LeftOut> {
    const SHOWN: usize = 20;
    let mut seen: BTreeMap<(String, LeftOutReason), usize> = BTreeMap::new();
    let mut is_shown = |left: &LeftOut| {
        let n = seen.entry((left.tool.clone(), left.code)).or_default();
        *n += 1;
        *n <= SHOWN
    };
    left.into_iter().filter(|left| is_shown(left)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_in_the_other_system_is_named_with_what_to_do() {
        let home = tempfile::tempdir().expect("dir");
        std::fs::create_dir_all(home.path().join(".tool/chats")).expect("dir");
        let moved = Moved {
            var: "TOOL_DIR",
            usual: ".tool",
            marks: &["chats"],
        };
        let tool = ToolRow {
            tool: "tool".into(),
            name: "Tool".into(),
            ..ToolRow::default()
        };
        let homes = [OtherHome {
            system: "Windows".into(),
            dir: home.path().to_owned(),
        }];
        let found = in_other_system(&homes, &tool, &moved).expect("a check");
        assert_eq!(
            (found.name.as_str(), found.state),
            ("tool tool in Windows", CheckState::Note)
        );
        let dir = home.path().join(".tool");
        let message = format!(
            "Tool also keeps sessions in Windows: {}. session-roam does not sync these from here.",
            dir.display()
        );
        assert_eq!(found.message, message);
        assert_eq!(
            found.hint,
            "Install session-roam in Windows, too, and pair it with this device."
        );
        assert_eq!(in_other_system(&[], &tool, &moved), None);
    }
}
