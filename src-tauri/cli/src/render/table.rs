//! Aligned columns that fit the terminal: the flexible columns are cut, the widest first.

use super::{View, cut, one_line};
use unicode_width::UnicodeWidthStr;

/// Spaces between columns.
const GAP: usize = 2;
/// The minimum width of a cut column.
const LEAST: usize = 8;
/// Below this width a table keeps only the essential columns.
const NARROW: usize = 120;

#[derive(Clone, Copy, PartialEq)]
pub enum Column {
    Text(&'static str),
    /// Right-aligned: numbers, sizes.
    Number(&'static str),
    /// Text that is cut on a narrow terminal.
    Gives(&'static str),
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Text(head) | Self::Number(head) | Self::Gives(head) => head,
        }
    }
}

/// On a terminal narrower than [`NARROW`], the columns of `wide_only` are left out.
pub fn table_but<const N: usize>(
    wide_only: &[usize],
    columns: [Column; N],
    rows: &[[String; N]],
    view: &View,
) -> String {
    let narrow = view.width.is_some_and(|width| width < NARROW);
    let is_shown = |idx: &usize| !(narrow && wide_only.contains(idx));
    let shown: Vec<usize> = (0..N).filter(is_shown).collect();
    let columns: Vec<Column> = shown.iter().map(|idx| columns[*idx]).collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| shown.iter().map(|idx| one_line(&row[*idx])).collect())
        .collect();
    let heads: Vec<String> = columns
        .iter()
        .map(|column| column.head().to_owned())
        .collect();
    let widths = widths(&columns, &rows, view);
    [&heads]
        .into_iter()
        .chain(&rows)
        .map(|row| line(&columns, row, &widths))
        .collect()
}

pub fn table<const N: usize>(columns: [Column; N], rows: &[[String; N]], view: &View) -> String {
    table_but(&[], columns, rows, view)
}

fn widths(columns: &[Column], rows: &[Vec<String>], view: &View) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.head().width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let Some(room) = view.width else {
        return widths;
    };
    while room < widths.iter().sum::<usize>() + GAP * (widths.len() - 1) {
        let gives = |idx: &usize| matches!(columns[*idx], Column::Gives(_)) && LEAST < widths[*idx];
        match (0..widths.len())
            .filter(gives)
            .max_by_key(|idx| widths[*idx])
        {
            Some(widest) => widths[widest] -= 1,
            None => break,
        }
    }
    widths
}

fn line(columns: &[Column], cells: &[String], widths: &[usize]) -> String {
    let mut out = String::new();
    for idx in 0..columns.len() {
        let cell = cut(&cells[idx], widths[idx]);
        let pad = " ".repeat(widths[idx] - cell.width());
        match columns[idx] {
            Column::Number(_) => out.extend([pad.as_str(), &cell]),
            _ => out.extend([cell.as_str(), &pad]),
        }
        out.push_str(&" ".repeat(GAP));
    }
    format!("{}\n", out.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use session_roam_core::session::Millis;

    const COLUMNS: [Column; 3] = [
        Column::Gives("Title"),
        Column::Text("Tool"),
        Column::Number("Size"),
    ];

    fn rows() -> Vec<[String; 3]> {
        let row = |title: &str, size: &str| [title.into(), "codex".into(), size.into()];
        vec![
            row("Fix the login race in the session store", "3.1 MB"),
            row("設計を\n見直す", "12 KB"),
        ]
    }

    #[test]
    fn a_wide_one_is_not_cut() {
        let text = table(
            COLUMNS,
            &rows(),
            &View {
                width: None,
                now: Millis(0),
            },
        );
        assert!(
            text.contains("Fix the login race in the session store  codex  3.1 MB\n"),
            "{text}"
        );
        assert!(
            text.contains("設計を 見直す"),
            "one row stays one line: {text}"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_columns_line_up() {
        for width in 30..70 {
            let text = table(
                COLUMNS,
                &rows(),
                &View {
                    width: Some(width),
                    now: Millis(0),
                },
            );
            assert!(
                text.lines().all(|line| line.width() <= width),
                "{width}:\n{text}"
            );
            let ends: Vec<usize> = text.lines().map(UnicodeWidthStr::width).collect();
            assert!(ends.iter().all(|end| *end == ends[0]), "{width}:\n{text}");
        }
    }
}
