//! Columns that line up and fit the terminal: those that may give way are cut, the widest first.

use super::{View, cut, one_line};
use unicode_width::UnicodeWidthStr;

/// Spaces between columns.
const GAP: usize = 2;
/// A column is not cut below this.
const LEAST: usize = 8;

#[derive(Clone, Copy, PartialEq)]
pub enum Column {
    Text(&'static str),
    /// To the right: numbers, sizes.
    Number(&'static str),
    /// Text that is cut where the terminal is narrow.
    Gives(&'static str),
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Text(head) | Self::Number(head) | Self::Gives(head) => head,
        }
    }
}

pub fn table<const N: usize>(columns: [Column; N], rows: &[[String; N]], view: &View) -> String {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| one_line(cell))).collect();
    let widths = widths(columns, &rows, view);
    let mut out = line(columns, &columns.map(|column| column.head().to_owned()), widths);
    for row in &rows {
        out.push_str(&line(columns, row, widths));
    }
    out
}

fn widths<const N: usize>(columns: [Column; N], rows: &[[String; N]], view: &View) -> [usize; N] {
    let mut widths = columns.map(|column| column.head().width());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let Some(room) = view.width else { return widths };
    while room < widths.iter().sum::<usize>() + GAP * (N - 1) {
        let gives = |idx: &usize| matches!(columns[*idx], Column::Gives(_)) && LEAST < widths[*idx];
        match (0..N).filter(gives).max_by_key(|idx| widths[*idx]) {
            Some(widest) => widths[widest] -= 1,
            None => break,
        }
    }
    widths
}

fn line<const N: usize>(columns: [Column; N], cells: &[String; N], widths: [usize; N]) -> String {
    let mut out = String::new();
    for idx in 0..N {
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

    const COLUMNS: [Column; 3] = [Column::Gives("Title"), Column::Text("Tool"), Column::Number("Size")];

    fn rows() -> Vec<[String; 3]> {
        let row = |title: &str, size: &str| [title.into(), "codex".into(), size.into()];
        vec![row("Fix the login race in the session store", "3.1 MB"), row("設計を\n見直す", "12 KB")]
    }

    #[test]
    fn a_wide_one_is_not_cut() {
        let text = table(COLUMNS, &rows(), &View { width: None, now: Millis(0) });
        assert!(text.contains("Fix the login race in the session store  codex  3.1 MB\n"), "{text}");
        assert!(text.contains("設計を 見直す"), "one row stays one line: {text}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_columns_line_up() {
        for width in 30..70 {
            let text = table(COLUMNS, &rows(), &View { width: Some(width), now: Millis(0) });
            assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
            let ends: Vec<usize> = text.lines().map(UnicodeWidthStr::width).collect();
            assert!(ends.iter().all(|end| *end == ends[0]), "{width}:\n{text}");
        }
    }
}
