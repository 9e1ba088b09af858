//! Answers as text. Pure: takes values, a width and a time; returns text.

pub mod code;
pub mod copies;
pub mod devices;
pub mod diff;
pub mod forgotten;
pub mod search;
pub mod session;
pub mod status;
pub mod table;
pub mod tables;

use session_roam_core::session::Millis;
use std::io::IsTerminal;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The conditions for which the text is made.
#[derive(Clone, Copy)]
pub struct View {
    /// The available columns; `None` if nobody is watching and nothing needs to be cut.
    pub width: Option<usize>,
    pub now: Millis,
}

impl View {
    /// The terminal's width; if the output is not a terminal, `COLUMNS` if set.
    pub fn here() -> Self {
        let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
        let width = match std::io::stdout().is_terminal() {
            true => terminal_size::terminal_size()
                .map(|(terminal_size::Width(columns), _)| columns.into()),
            false => columns(),
        };
        Self {
            width: width.filter(|columns| 20 <= *columns),
            now: crate::when::now(),
        }
    }
}

/// `1 session`, `1,065 sessions`.
pub fn plural(n: u64, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{} {noun}s", number(n))
    }
}

/// With commas between thousands.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (idx, digit) in digits.chars().enumerate() {
        if 0 < idx && (digits.len() - idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In MB, small sizes in KB: 1 MB is 1,000,000 bytes.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..100_000 => format!("{} KB", bytes.div_ceil(1000)),
        100_000..9_950_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{} MB", number((bytes as f64 / 1e6).round() as u64)),
    }
}

/// `desk`, `desk and laptop`, `desk, laptop and box`.
pub fn and<S: AsRef<str>>(names: &[S]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// A project's display name from its key: `git:github.com/acme/mono#web` is `acme/mono/web`.
pub fn project(key: &str) -> String {
    match key.split_once(':') {
        Some(("git", remote)) => match remote.split_once('/') {
            Some((_host, path)) => path.replace('#', "/"),
            None => remote.to_owned(),
        },
        Some(("root", commit)) => format!("repository {}", commit.get(..8).unwrap_or(commit)),
        Some(("home", path)) => format!("~/{path}"),
        Some(("device", place)) => {
            match place.split_once(':').map_or(place, |(_device, path)| path) {
                // The root directory.
                "" => "/".into(),
                path => path.to_owned(),
            }
        }
        _ => key.to_owned(),
    }
}

/// A title on one line, in quotes; a session without a title is labelled so.
pub fn quoted(title: &str) -> String {
    match one_line(title).as_str() {
        "" => "a session without a title".into(),
        title => format!("“{title}”"),
    }
}

pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cuts to `width` columns, the last of which is then an ellipsis.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if width <= used {
            break;
        }
        cut.push(c);
    }
    format!("{}…", cut.trim_end())
}

/// Breaks a paragraph at spaces to fit the width; each line is indented by `indent` spaces.
pub fn wrap(text: &str, indent: usize, view: &View) -> String {
    let room = view
        .width
        .map_or(usize::MAX, |width| width.saturating_sub(indent).max(20));
    let (mut out, mut used) = (String::new(), 0);
    for word in text.split_whitespace() {
        if used == 0 || room < used + 1 + word.width() {
            out.push_str(if used == 0 { "" } else { "\n" });
            out.push_str(&" ".repeat(indent));
            used = 0;
        } else {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += word.width();
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes() {
        assert_eq!(
            [0, 12, 1_065, 12_345_678].map(number),
            ["0", "12", "1,065", "12,345,678"]
        );
        assert_eq!(
            [
                0,
                1,
                14_200,
                100_000,
                3_140_000,
                543_000_000,
                12_345_000_000
            ]
            .map(size),
            [
                "0 KB",
                "1 KB",
                "15 KB",
                "0.1 MB",
                "3.1 MB",
                "543 MB",
                "12,345 MB"
            ]
        );
        assert_eq!(
            plural(1, "session") + ", " + &plural(0, "session"),
            "1 session, 0 sessions"
        );
    }

    #[test]
    fn keys_become_names() {
        for (key, name) in [
            ("git:github.com/acme/api", "acme/api"),
            (
                "git:github.com/acme/mono#packages/web",
                "acme/mono/packages/web",
            ),
            ("root:1234567890abcdef", "repository 12345678"),
            ("home:notes/ideas", "~/notes/ideas"),
            ("device:ABCDEFG-HIJKLMN:/srv/x", "/srv/x"),
            ("device:ABCDEFG-HIJKLMN:", "/"),
            ("odd", "odd"),
        ] {
            assert_eq!(project(key), name);
        }
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(cut("four", 4), "four");
        assert_eq!(cut("five!", 4), "fiv…");
        assert_eq!(cut("設計を見直す", 7), "設計を…");
        assert!(cut("設計を見直す", 6).width() <= 6);
    }

    #[test]
    fn wrapping_indents_every_line() {
        let view = View {
            width: Some(24),
            now: Millis(0),
        };
        assert_eq!(
            wrap("the quick brown fox jumps", 2, &view),
            "  the quick brown fox\n  jumps\n"
        );
        assert_eq!(
            wrap(
                "the quick brown fox",
                2,
                &View {
                    width: None,
                    ..view
                }
            ),
            "  the quick brown fox\n"
        );
    }

    #[test]
    fn lists_read_as_speech() {
        assert_eq!(and(&["desk", "laptop", "box"]), "desk, laptop and box");
        assert_eq!(and(&["desk", "laptop"]), "desk and laptop");
    }
}
