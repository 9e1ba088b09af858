//! One session: its messages and its branches.

use super::tables::{below_home, short, short_enough, state, title};
use super::{View, cut, number, one_line, plural, project, quoted, size, wrap};
use crate::when::ago;
use session_roam_core::api::{Action, BranchRow, Forked, Message, SessionRow, Shown, SplitRow};
use session_roam_core::session::Role;
use session_roam_core::session::SessionState;
use unicode_width::UnicodeWidthStr;

/// The most lines shown of a tool's output; `--json` has them all.
const TOOL_LINES: usize = 4;
/// Columns for a device's name beside a branch.
const DEVICE: usize = 24;

pub fn shown(shown: &Shown, view: &View) -> String {
    let mut out = head(&shown.row, view);
    if let Some(path) = &shown.row.path {
        out.push_str(&format!("{}\n", below_home(path)));
    }
    for part in &shown.parts {
        let name = format!("Sub-agent: {} · {}", title(&part.title), part.session);
        out.push_str(&wrap(&name, 0, view));
    }
    if shown.messages.is_empty() {
        out.push_str("\nNo messages to show.\n");
    }
    let before = shown.from.min(shown.total);
    if 0 < before {
        out.push_str(&format!("\n… {} before\n", plural(before, "message")));
    }
    let mut device = None;
    for (number, message) in (shown.from..).zip(&shown.messages) {
        let who = speaker(message, device, view);
        out.push_str(&format!("\n{who} · #{number}\n"));
        out.push_str(&body(message));
        device = message.device.as_deref().or(device);
    }
    let next = shown.from + shown.messages.len() as u64;
    if next < shown.total {
        out.push_str(&format!(
            "\n{} of {}; continue with --from {next}\n",
            number(next),
            plural(shown.total, "message")
        ));
    }
    out
}

/// What `roam fork` made.
pub fn forked(forked: &Forked) -> String {
    let id = short(&forked.session, short_enough(&[forked.session.as_str()]));
    format!(
        "{}: a new session with {} of {}.\nOpen it with: roam resume {id}\n",
        title(&forked.title),
        number(forked.messages),
        plural(forked.total, "message"),
    )
}

fn head(row: &SessionRow, view: &View) -> String {
    let facts = [
        row.tool.clone(),
        project(&row.project),
        ago(&row.updated, view.now),
        size(row.bytes),
        row.devices.join(", "),
    ];
    let mut out = format!("{}\n{}\n", title(&row.title), facts.join(" · "));
    if row.state != SessionState::Here {
        let why = row
            .why
            .as_deref()
            .map(|why| format!(" · {why}"))
            .unwrap_or_default();
        out.push_str(&wrap(&format!("State: {}{why}", state(row.state)), 0, view));
    }
    out.push_str(&format!("{}\n", row.session));
    out
}

/// The message's author; the device only if it changes.
fn speaker(message: &Message, before: Option<&str>, view: &View) -> String {
    // Never grouped with another author: whoever changed what the tool may do must be visible.
    if message.role == Role::Steering {
        let who = message.device.as_deref().unwrap_or("Another device");
        return format!("⚑ {who} changed how the tool works");
    }
    let who = match message.role.as_str() {
        "user" => "You",
        "assistant" => "Assistant",
        "tool" => "Tool",
        "system" => "System",
        other => other,
    };
    let device = message
        .device
        .as_deref()
        .filter(|device| Some(*device) != before)
        .map(|device| format!(" · on {device}"));
    let at = message
        .at
        .as_deref()
        .map(|at| format!(" · {}", ago(at, view.now)));
    format!(
        "{who}{}{}",
        device.unwrap_or_default(),
        at.unwrap_or_default()
    )
}

fn body(message: &Message) -> String {
    let lines: Vec<&str> = message.text.trim_end().lines().collect();
    let n_shown = if message.role == Role::Tool {
        TOOL_LINES
    } else {
        usize::MAX
    };
    let mut out = String::new();
    for line in lines.iter().take(n_shown) {
        out.push_str(format!("  {line}").trim_end());
        out.push('\n');
    }
    if n_shown < lines.len() {
        out.push_str(&format!(
            "  … {} more\n",
            plural((lines.len() - n_shown) as u64, "line")
        ));
    }
    out
}

pub fn splits(rows: &[SplitRow], view: &View) -> String {
    if rows.is_empty() {
        return "No session has two versions.\n".into();
    }
    rows.iter()
        .map(|row| split(row, view))
        .collect::<Vec<_>>()
        .join("\n")
}

fn split(row: &SplitRow, view: &View) -> String {
    let mut out = format!("{} has two versions\n", quoted(&row.title));
    out.push_str(&format!(
        "  {} · {} · {}\n",
        row.tool,
        project(&row.project),
        row.session
    ));
    if !row.reason.is_empty() {
        out.push_str(&wrap(&one_line(&row.reason), 2, view));
    }
    let widest = |text: fn(&BranchRow) -> String| {
        row.branches
            .iter()
            .map(|branch| text(branch).width())
            .max()
            .unwrap_or(0)
    };
    let widths = (widest(device), widest(records));
    // The ids that `--branch` accepts.
    let ids: Vec<&str> = row.branches.iter().map(id).collect();
    let n_chars = short_enough(&ids);
    for (at, branch) in row.branches.iter().enumerate() {
        let side = if at == 0 { "left " } else { "right" };
        out.push_str(&format!("  {side}  {}  ", short(id(branch), n_chars)));
        out.push_str(&branch_line(branch, widths, view));
    }
    for choice in row.choices.iter().filter(|choice| choice.enabled) {
        let how = if choice.id == Action::Branches {
            "  Choose with --active left."
        } else {
            ""
        };
        out.push_str(&wrap(
            &format!("{}: {}{how}", choice.id.as_str(), choice.consequence),
            2,
            view,
        ));
    }
    out
}

fn branch_line(branch: &BranchRow, widths: (usize, usize), view: &View) -> String {
    let pad = |text: &str, width: usize| " ".repeat(width - text.width());
    let (device, records) = (device(branch), records(branch));
    let here = if branch.here {
        " · in this device's tool"
    } else {
        ""
    };
    let gaps = (pad(&device, widths.0), pad(&records, widths.1));
    let called = if branch.title.is_empty() {
        String::new()
    } else {
        format!(" · {}", quoted(&branch.title))
    };
    format!(
        "{device}{}  {}{records}, last {}{called}{here}\n",
        gaps.0,
        gaps.1,
        ago(&branch.updated, view.now)
    )
}

fn id(branch: &BranchRow) -> &str {
    if branch.session.is_empty() {
        &branch.branch
    } else {
        &branch.session
    }
}

fn device(branch: &BranchRow) -> String {
    cut(&one_line(&branch.device), DEVICE)
}

fn records(branch: &BranchRow) -> String {
    plural(branch.records, "record")
}
