//! Conflict copies in the tools' stores: their contents, and the result of ingesting them.

use super::table::{Column, table};
use super::{View, number, plural, wrap};
use session_roam_core::api::{CopyRow, TakenIn};

pub fn copies(copies: &[CopyRow], view: &View) -> String {
    let rows: Vec<_> = copies
        .iter()
        .map(|copy| {
            let path = match &copy.open {
                Some(open) => format!("{} ({open})", copy.path.display()),
                None => copy.path.display().to_string(),
            };
            [
                copy.tool.clone(),
                copy.session.clone(),
                number(copy.lines),
                number(copy.new),
                path,
            ]
        })
        .collect();
    let columns = [
        Column::Text("Tool"),
        Column::Text("Session"),
        Column::Number("Lines"),
        Column::Number("New"),
        Column::Gives("Copy"),
    ];
    if rows.is_empty() {
        String::new()
    } else {
        table(columns, &rows, view)
    }
}

pub fn taken_in(taken: &TakenIn, view: &View) -> String {
    let lines: u64 = taken.taken.iter().map(|row| row.lines).sum();
    let mut out = match (taken.taken.len() as u64, taken.left.len() as u64) {
        (0, 0) => return "The tools' stores have no conflict copies.\n".into(),
        (n, 0) => format!(
            "Imported {}: {} that no device had.\n",
            plural_of(n),
            plural(lines, "line")
        ),
        (0, n) => format!("Nothing was imported; {}.\n", stay(n)),
        (n, left) => {
            format!(
                "Imported {}: {} that no device had; {}.\n",
                plural_of(n),
                plural(lines, "line"),
                stay(left)
            )
        }
    };
    for row in &taken.taken {
        out.push_str(&wrap(
            &format!(
                "{} {}: {}, moved to {}",
                row.tool,
                row.session,
                plural(row.lines, "line"),
                row.to.display()
            ),
            2,
            view,
        ));
    }
    for row in &taken.left {
        out.push_str(&wrap(
            &format!("Not imported: {} ({})", row.path.display(), row.why),
            2,
            view,
        ));
    }
    out
}

fn plural_of(n: u64) -> String {
    if n == 1 {
        "1 conflict copy".into()
    } else {
        format!("{} conflict copies", number(n))
    }
}

fn stay(n: u64) -> String {
    if n == 1 {
        "1 conflict copy was not imported".into()
    } else {
        format!("{} were not imported", plural_of(n))
    }
}
