//! The two versions of a split session side by side: matching rows on one line, common rows folded.

use super::{View, cut, number, one_line, plural};
use crate::when::ago;
use session_roam_core::api::{Diff, DiffRow, DiffSide, Kind, Msg, SteeringRow};
use unicode_width::UnicodeWidthStr;

/// For output without a terminal, or a terminal without a width.
const WIDTH: usize = 120;
/// The most lines shown of a message.
const LINES: usize = 6;

pub fn diff(diff: &Diff, view: &View) -> String {
    let column = (view.width.unwrap_or(WIDTH).max(40) - 3) / 2;
    let mut out = format!(
        "“{}” has two versions\n{}\n\n",
        one_line(&diff.title),
        one_line(&diff.reason)
    );
    out.push_str(&pair(
        &head(&diff.left, view),
        &head(&diff.right, view),
        " │ ",
        column,
    ));
    out.push_str(&changes(diff, column));
    out.push_str(&format!(
        "{}─┼─{}\n",
        "─".repeat(column),
        "─".repeat(column)
    ));
    out.push_str(&format!(
        "▸ {} in common\n",
        plural(diff.prefix.messages, "message")
    ));
    for row in &diff.rows {
        out.push_str(&lines(row, [&diff.left.device, &diff.right.device], column));
    }
    out.push_str(&foot(diff));
    out
}

fn head(side: &DiffSide, view: &View) -> String {
    let last = side
        .last
        .as_deref()
        .map(|at| format!(" · {}", ago(at, view.now)))
        .unwrap_or_default();
    format!(
        "{}{last} · {}",
        one_line(&side.device),
        plural(side.messages, "message")
    )
}

/// Each side's changes of what the tool may do.
fn changes(diff: &Diff, column: usize) -> String {
    let side = |side: &DiffSide| {
        let line = |row: &SteeringRow| {
            let by = row
                .device
                .as_deref()
                .filter(|device| *device != side.device);
            let by = by
                .map(|device| format!("{} ", one_line(device)))
                .unwrap_or_default();
            format!("! {by}changed: {}", one_line(&row.text))
        };
        let more = side.n_changes.saturating_sub(side.changes.len() as u64);
        let more = (0 < more).then(|| format!("! {} more permission changes", number(more)));
        side.changes
            .iter()
            .map(line)
            .chain(more)
            .collect::<Vec<_>>()
    };
    let (left, right) = (side(&diff.left), side(&diff.right));
    let empty = String::new();
    let row = |at: usize| {
        pair(
            left.get(at).unwrap_or(&empty),
            right.get(at).unwrap_or(&empty),
            " │ ",
            column,
        )
    };
    (0..left.len().max(right.len())).map(row).collect()
}

/// A row: both sides wrapped in their columns, the sign between them.
fn lines(row: &DiffRow, devices: [&str; 2], column: usize) -> String {
    let side = |message: &Option<Msg>, device: &str| {
        message
            .as_ref()
            .map(|message| text(message, device, column))
            .unwrap_or_default()
    };
    let (left, right) = (side(&row.left, devices[0]), side(&row.right, devices[1]));
    let sign = match row.kind {
        Kind::Same => " = ",
        Kind::Changed => " ~ ",
        Kind::Beside => "< >",
        Kind::Left => " < ",
        Kind::Right => " > ",
    };
    let empty = String::new();
    (0..left.len().max(right.len()))
        .map(|at| {
            let sign = if at == 0 { sign } else { " │ " };
            pair(
                left.get(at).unwrap_or(&empty),
                right.get(at).unwrap_or(&empty),
                sign,
                column,
            )
        })
        .collect()
}

/// The device is named if it differs from the branch's.
fn text(message: &Msg, branch: &str, column: usize) -> Vec<String> {
    let who = match message.role.as_str() {
        "user" => "You",
        "assistant" => "Assistant",
        "tool" => "Tool",
        _ => "System",
    };
    let other = message.device.as_deref().filter(|device| *device != branch);
    let mut lines = vec![other.map_or_else(
        || who.to_owned(),
        |device| format!("{who} · on {}", one_line(device)),
    )];
    let (mut line, words) = (String::from(" "), one_line(&message.preview));
    for word in words.split_whitespace() {
        if line.width() + 1 + word.width() > column && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, " ".into()));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
    if LINES < lines.len() {
        lines.truncate(LINES);
        lines.push("  …".into());
    }
    lines
}

fn pair(left: &str, right: &str, sign: &str, column: usize) -> String {
    let left = cut(left, column);
    let gap = " ".repeat(column.saturating_sub(left.width()));
    format!("{left}{gap}{sign}{}", cut(right, column))
        .trim_end()
        .to_owned()
        + "\n"
}

fn foot(diff: &Diff) -> String {
    let stats = &diff.stats;
    let mut out = format!(
        "\n{} same, {} changed, {} only left, {} only right\n",
        stats.same, stats.changed, stats.left, stats.right
    );
    let shown = diff.rows.last().map_or(0, |row| row.i + 1);
    if shown < diff.total {
        out.push_str(&format!(
            "{} of {} rows; continue with --from {shown}\n",
            number(shown),
            number(diff.total)
        ));
    }
    out
}
