//! The lists: sessions, tools, projects, the plan, the history, journals.

use super::table::{Column, table, table_but};
use super::{View, and, number, one_line, plural, project, size, wrap};
use crate::when::ago;
use session_roam_core::api::quote::word;
use session_roam_core::api::{
    AppRow, AppState, HistoryRow, ProjectRow, SegmentRow, SessionRow, StepKind, StepRow, ToolRow,
};
use session_roam_core::session::SessionState;
use std::path::{Path, PathBuf};

/// The column that is dropped on a narrow terminal, for the titles.
const DEVICES: usize = 6;

pub fn sessions(rows: &[SessionRow], filtered: bool, view: &View) -> String {
    if rows.is_empty() {
        return if filtered {
            "No matching session. `roam sessions` lists all.\n".into()
        } else {
            "No sessions yet. They appear here when one of your tools writes one: see `roam tools`.\n".into()
        };
    }
    use Column::*;
    let columns = [
        Text("Session"),
        Gives("Title"),
        Text("Tool"),
        Gives("Project"),
        Text("Updated"),
        Number("Size"),
        Gives("Devices"),
        Text("State"),
    ];
    let ids: Vec<&str> = rows.iter().map(|row| row.session.as_str()).collect();
    let n_chars = short_enough(&ids);
    let mut lines: Vec<(&str, [String; 8])> = rows
        .iter()
        .map(|row| (row.updated.as_str(), session_line(row, n_chars, view)))
        .collect();
    lines.sort_by(|(one, _), (other, _)| other.cmp(one));
    let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
    let mut out = table_but(&[DEVICES], columns, &lines, view);
    out.push_str(&format!("\n{}\n", sessions_summary(rows)));
    out
}

fn session_line(row: &SessionRow, n_chars: usize, view: &View) -> [String; 8] {
    [
        short(&row.session, n_chars),
        title(&row.title),
        row.tool.clone(),
        project(&row.project),
        ago(&row.updated, view.now),
        size(row.bytes),
        row.devices.join(", "),
        state(row.state).into(),
    ]
}

fn sessions_summary(rows: &[SessionRow]) -> String {
    let total = rows.iter().map(|row| row.bytes).sum();
    let mut parts = vec![plural(rows.len() as u64, "session"), size(total)];
    for counted in [
        SessionState::Waiting,
        SessionState::Split,
        SessionState::Held,
    ] {
        match rows.iter().filter(|row| row.state == counted).count() {
            0 => {}
            n if counted == SessionState::Split => {
                parts.push(format!("{} with two versions", number(n as u64)));
            }
            n => parts.push(format!("{} {}", number(n as u64), state(counted))),
        }
    }
    parts.join(" · ")
}

/// A session's state in the user's words.
pub fn state(state: SessionState) -> &'static str {
    match state {
        SessionState::Split => "two versions",
        other => other.as_str(),
    }
}

pub fn title(title: &str) -> String {
    match one_line(title) {
        empty if empty.is_empty() => "(no title)".into(),
        title => title,
    }
}

/// How many characters distinguish these ids, at least eight.
pub fn short_enough(ids: &[&str]) -> usize {
    let mut sorted: Vec<&str> = ids.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let common = |pair: &[&str]| {
        pair[0]
            .chars()
            .zip(pair[1].chars())
            .take_while(|(a, b)| a == b)
            .count()
    };
    sorted
        .windows(2)
        .map(common)
        .max()
        .map_or(8, |common| (common + 1).max(8))
}

pub fn short(id: &str, n_chars: usize) -> String {
    id.chars().take(n_chars).collect()
}

pub fn apps(rows: &[AppRow], view: &View) -> String {
    if rows.is_empty() {
        return "No app keeps sessions here. One that wants to asks with its first request.\n"
            .into();
    }
    use Column::*;
    let columns = [
        Text("App"),
        Text("State"),
        Text("Since"),
        Number("Sessions"),
        Number("Size"),
    ];
    let line = |row: &AppRow| {
        let state = match (row.state, row.asking) {
            (AppState::Allowed, 0) => "allowed".into(),
            (AppState::Allowed, _) => "allowed; asks with another token".into(),
            (AppState::Denied, _) => "refused".into(),
            (AppState::Asking, 1) => "asks".into(),
            (AppState::Asking, many) => format!("{} ask", plural(many, "program")),
        };
        let since = row
            .since
            .as_ref()
            .map_or(String::new(), |since| ago(since, view.now));
        [
            row.app.clone(),
            state,
            since,
            number(row.sessions),
            size(row.bytes),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    let mut out = table(columns, &lines, view);
    if rows.iter().any(|row| 0 < row.asking) {
        out.push_str("\nDecide with `roam apps allow APP` or `roam apps deny APP`.\n");
    }
    out
}

pub fn tools(rows: &[ToolRow], view: &View) -> String {
    if rows.is_empty() {
        return "No tools are known to this build.\n".into();
    }
    use Column::*;
    let columns = [
        Text("Tool"),
        Text("Name"),
        Text("Here"),
        Text("Sync"),
        Text("Level"),
        Number("Sessions"),
        Number("Size"),
        Gives("Store"),
    ];
    let lines: Vec<_> = rows.iter().map(tool_line).collect();
    let mut out = table(columns, &lines, view);
    for row in rows.iter().filter(|row| row.stores.len() > 1) {
        out.push_str(&format!("\n{} has several stores:\n", row.name));
        for store in &row.stores {
            let how = match (store.on, store.found) {
                (false, _) => "off".to_owned(),
                (true, false) => "on, not found".to_owned(),
                (true, true) => format!(
                    "on, {}, {}",
                    plural(store.sessions, "session"),
                    size(store.bytes)
                ),
            };
            out.push_str(&format!(
                "  {} ({how}; known from {})\n",
                below_home(&store.dir),
                one_line(&store.from)
            ));
        }
        let one = word(&row.stores[row.stores.len() - 1].dir.to_string_lossy());
        out.push_str(&format!(
            "Switch one off with `roam tools off {} --store {one}`.\n",
            row.tool
        ));
    }
    for row in rows {
        out.push_str(&format!("\n{}: {}\n", row.name, row.level.as_str()));
        let tried = match row.versions.is_empty() {
            true => String::new(),
            false => format!("Supported versions: {}.", row.versions),
        };
        for text in [&row.meaning, &row.reason, &tried] {
            if !text.is_empty() {
                out.push_str(&wrap(text, 2, view));
            }
        }
    }
    out
}

fn tool_line(row: &ToolRow) -> [String; 8] {
    let (sessions, bytes) = if row.found {
        (number(row.sessions), size(row.bytes))
    } else {
        Default::default()
    };
    [
        row.tool.clone(),
        row.name.clone(),
        if row.found { "yes" } else { "no" }.into(),
        if row.on { "on" } else { "off" }.into(),
        row.level.to_string(),
        sessions,
        bytes,
        stores(&row.roots),
    ]
}

/// An editor has a directory for each folder that was ever opened in it: the first ones suffice.
fn stores(roots: &[PathBuf]) -> String {
    const SHOWN: usize = 2;
    match roots.len() {
        0..=SHOWN => places(roots),
        n => format!(
            "{} and {} more",
            roots[..SHOWN]
                .iter()
                .map(|dir| below_home(dir))
                .collect::<Vec<_>>()
                .join(", "),
            n - SHOWN
        ),
    }
}

pub fn projects(rows: &[ProjectRow], view: &View) -> String {
    if rows.is_empty() {
        return "No projects yet. They are recognized from your tools' sessions.\n".into();
    }
    use Column::*;
    let columns = [
        Gives("Project"),
        Number("Sessions"),
        Gives("Tools"),
        Gives("On this device"),
        Text("Key"),
    ];
    let lines: Vec<_> = rows
        .iter()
        .map(|row| {
            let name = row
                .names
                .first()
                .cloned()
                .unwrap_or_else(|| project(&row.key));
            let here = match (row.excluded, row.places.is_empty()) {
                (true, _) => format!("not syncing: {}", places(&row.places)),
                (false, true) => "no folder yet".into(),
                (false, false) => places(&row.places),
            };
            [
                name,
                number(row.sessions),
                row.tools.join(", "),
                here,
                row.key.clone(),
            ]
        })
        .collect();
    let mut out = table(columns, &lines, view);
    let along = rows
        .iter()
        .filter_map(|row| Some((&row.key, row.excluded_by.as_ref()?)));
    for (key, by) in along {
        out.push_str(&format!(
            "\n{key} does not sync, because {by} is excluded.\n"
        ));
    }
    if let Some(row) = rows
        .iter()
        .find(|row| row.places.is_empty() && !row.excluded)
    {
        out.push_str(&format!(
            "\nSay where a project is with: roam projects map {} DIR\n",
            word(&row.key)
        ));
    }
    out
}

pub fn plan(rows: &[StepRow], view: &View) -> String {
    if rows.is_empty() {
        return "No pending changes.\n".into();
    }
    use Column::*;
    let lines: Vec<_> = rows
        .iter()
        .map(|row| {
            [
                step(row.step).into(),
                title(&row.title),
                row.tool.clone(),
                row.what.clone(),
                some_size(row.bytes),
            ]
        })
        .collect();
    table(
        [
            Text("Step"),
            Gives("Title"),
            Text("Tool"),
            Gives("What"),
            Number("Size"),
        ],
        &lines,
        view,
    )
}

/// A size; empty for a step that moves no data.
fn some_size(bytes: u64) -> String {
    if bytes == 0 {
        String::new()
    } else {
        size(bytes)
    }
}

fn step(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Record => "record",
        StepKind::Checkout => "write here",
        StepKind::Split => "two versions",
        StepKind::Wait => "wait",
        StepKind::Hold => "hold",
    }
}

pub fn history(rows: &[HistoryRow], view: &View) -> String {
    if rows.is_empty() {
        return "No history yet.\n".into();
    }
    use Column::*;
    let ids: Vec<&str> = rows.iter().map(|row| row.session.as_str()).collect();
    let n_chars = short_enough(&ids);
    let lines: Vec<_> = rows
        .iter()
        .map(|row| {
            let what = row.what.as_str().replace('_', " ");
            let lines = match (row.lines, row.files) {
                (0, 0) => String::new(),
                (0, files) => plural(files, "file"),
                (lines, _) => number(lines),
            };
            [
                ago(&row.at, view.now),
                row.device.clone(),
                what,
                short(&row.session, n_chars),
                row.tool.clone(),
                row.doc.clone(),
                lines,
                some_size(row.bytes),
            ]
        })
        .collect();
    let columns = [
        Text("When"),
        Text("Device"),
        Text("What"),
        Text("Session"),
        Text("Tool"),
        Gives("Doc"),
        Number("Lines"),
        Number("Size"),
    ];
    table(columns, &lines, view)
}

pub fn journal(rows: &[SegmentRow], view: &View) -> String {
    if rows.is_empty() {
        return "No journal holds this session.\n".into();
    }
    use Column::*;
    let lines: Vec<_> = rows
        .iter()
        .map(|row| {
            [
                row.device.clone(),
                row.lane.clone(),
                row.state.to_string(),
                number(row.frames),
                number(row.lines),
                size(row.bytes),
                row.path.display().to_string(),
            ]
        })
        .collect();
    // The path is for copying, so it is never cut.
    table(
        [
            Text("Device"),
            Text("Lane"),
            Text("State"),
            Number("Writes"),
            Number("Lines"),
            Number("Size"),
            Text("File"),
        ],
        &lines,
        view,
    )
}

fn places(dirs: &[PathBuf]) -> String {
    and(&dirs.iter().map(|dir| below_home(dir)).collect::<Vec<_>>())
}

/// A path in the user's notation: `~/code/api`.
pub fn below_home(path: &Path) -> String {
    let home = std::env::home_dir().filter(|home| home.is_absolute() && home.parent().is_some());
    match home.and_then(|home| path.strip_prefix(home).map(Path::to_owned).ok()) {
        Some(rest) if cfg!(unix) && rest.as_os_str().is_empty() => "~".into(),
        Some(rest) if cfg!(unix) => format!("~/{}", rest.display()),
        _ => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_tell_sessions_apart() {
        assert_eq!(short_enough(&["0192aaaa-1", "0192aaaa-2", "7"]), 10);
        assert_eq!(short_enough(&["abc", "abd", "abc"]), 8);
        assert_eq!(short_enough(&[]), 8);
    }
}
