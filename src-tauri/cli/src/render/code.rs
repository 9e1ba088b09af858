//! Uncommitted changes that go along with sessions, as text.

use super::{plural, size};
use crate::when::{ago, now};
use session_roam_core::api::{CodeChange, CodeOffer, CodeRow, CodeState, CodeStatus};
use session_roam_core::session::harmless_line;
use std::fmt::Write;

/// The most files that are named in a terminal.
const MOST: usize = 12;

pub fn status(status: &CodeStatus) -> String {
    if status.projects.is_empty() {
        return "No project's uncommitted changes go along with its sessions. Switch one on with: roam code on PROJECT\n"
            .into();
    }
    let mut text = String::new();
    if !status.on {
        text.push_str("Switched off on this device. Switch it on with: roam code on\n\n");
    }
    for row in &status.projects {
        project(&mut text, row);
    }
    text
}

fn project(text: &mut String, row: &CodeRow) {
    let sessions = plural(row.sessions.len() as u64, "session");
    let _ = writeln!(text, "{}: {sessions}, {}", row.project, size(row.bytes));
    for session in &row.sessions {
        let at = match session.at.as_str() {
            "" => "never recorded",
            at => at,
        };
        let title = harmless_line(&session.title);
        let _ = writeln!(text, "  {at}  {title}");
        if let Some(refused) = &session.refused {
            let _ = writeln!(text, "    {}", harmless_line(refused));
        }
        for left_out in session.left_out.iter().take(MOST) {
            let (path, why) = (harmless_line(&left_out.path), &left_out.why);
            let _ = writeln!(text, "    {path} stayed here: it {why}");
        }
        if let Some(more) = session.left_out.len().checked_sub(MOST).filter(|n| 0 < *n) {
            let _ = writeln!(text, "    and {more} more");
        }
    }
}

/// How the other device's code differs, and what taking it over would mean.
pub fn difference(offer: &CodeOffer) -> String {
    let device = harmless_line(&offer.device);
    let dir = offer.dir.as_ref().map(|dir| dir.display().to_string());
    let (dir, why) = (dir.unwrap_or_default(), harmless_line(&offer.why));
    let what = if offer.n_files == 1 {
        "The file"
    } else {
        "The files"
    };
    match offer.state {
        CodeState::None => "No device recorded code for this session.".into(),
        CodeState::Same => format!("The checkout is as {device}'s was."),
        CodeState::Arriving | CodeState::NeedsCommits | CodeState::Refused => {
            format!("The working tree of {device} cannot be taken over. {why}")
        }
        CodeState::InPlace => format!("{}{what} would go into {dir}.", files(offer)),
        CodeState::Worktree => {
            format!(
                "{}{why} {what} would go into a worktree beside it: {dir}.",
                files(offer)
            )
        }
    }
}

fn files(offer: &CodeOffer) -> String {
    let device = harmless_line(&offer.device);
    let n_files = offer.n_files;
    let are = if n_files == 1 { "is" } else { "are" };
    let recorded = match offer.at.as_str() {
        "" => String::new(),
        at => format!(", recorded {},", ago(at, now())),
    };
    let mut text = format!(
        "{} of {device}'s working tree{recorded} {are} not here:\n",
        plural(n_files, "file")
    );
    for file in offer.files.iter().take(MOST) {
        let sign = match file.change {
            CodeChange::Added => "+",
            CodeChange::Deleted => "-",
            CodeChange::Changed | CodeChange::Permission | CodeChange::Kind => "~",
        };
        let obeyed = match file.obeyed {
            true => "  (programs may run or obey it)",
            false => "",
        };
        let _ = writeln!(text, "  {sign} {}{obeyed}", harmless_line(&file.path));
    }
    let named = offer.files.len().min(MOST) as u64;
    let n_obeyed = offer.files.iter().skip(MOST).filter(|it| it.obeyed).count();
    let obeyed = match n_obeyed {
        0 => String::new(),
        n => format!("  (programs may run or obey {n} of them)"),
    };
    if let Some(more) = n_files.checked_sub(named).filter(|n| 0 < *n) {
        let _ = writeln!(text, "  and {more} more{obeyed}");
    }
    match offer.commits {
        0 => {}
        1 => {
            let _ = writeln!(text, "  1 commit of {device} comes along, with its files.");
        }
        n => {
            let _ = writeln!(
                text,
                "  {n} commits of {device} come along, with their files."
            );
        }
    }
    for left_out in offer.left_out.iter().take(MOST) {
        let path = harmless_line(&left_out.path);
        let _ = writeln!(text, "  {path} stayed there: it {}", left_out.why);
    }
    if let Some(more) = offer.left_out.len().checked_sub(MOST).filter(|n| 0 < *n) {
        let _ = writeln!(text, "  and {more} more stayed there");
    }
    if 0 < offer.since {
        let messages = match offer.since {
            1 => "message".to_owned(),
            n => format!("{n} messages"),
        };
        let _ = writeln!(
            text,
            "  It is from before the session's last {messages}: {device} recorded nothing new since."
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use session_roam_core::api::{CodeFile, CodeLeftOut};

    #[test]
    fn files_that_programs_obey_are_counted_where_they_are_not_named() {
        let file = |obeyed| CodeFile {
            path: "a".into(),
            shown: "a".into(),
            change: CodeChange::Added,
            obeyed,
        };
        let text = |n_obeyed: usize, n_files: usize| {
            let offer = CodeOffer {
                state: CodeState::InPlace,
                files: (0..n_files).map(|number| file(number < n_obeyed)).collect(),
                n_files: n_files as u64,
                ..CodeOffer::default()
            };
            difference(&offer)
        };
        let words = "\n  and 8 more  (programs may run or obey 2 of them)\n";
        assert!(text(14, 20).contains(words), "{}", text(14, 20));
        assert!(
            text(12, 20).contains("\n  and 8 more\n"),
            "{}",
            text(12, 20)
        );
    }

    #[test]
    fn a_cut_list_and_an_older_state_are_said() {
        let left_out = |number| CodeLeftOut {
            path: format!(".env.{number}"),
            why: "has the name of a file with credentials".into(),
        };
        let text = |n_left_out: usize, since| {
            difference(&CodeOffer {
                state: CodeState::InPlace,
                device: "desk".into(),
                since,
                left_out: (0..n_left_out).map(left_out).collect(),
                ..CodeOffer::default()
            })
        };
        assert!(text(20, 0).contains("\n  and 8 more stayed there\n"));
        assert!(!text(12, 0).contains("more stayed there"));
        assert!(!text(0, 0).contains("from before"));
        let words = "\n  It is from before the session's last 3 messages: desk recorded nothing new since.\n";
        assert!(text(0, 3).contains(words), "{}", text(0, 3));
        assert!(text(0, 1).contains("the session's last message:"));
    }

    #[test]
    fn commits_that_come_along_are_named() {
        let text = |commits| {
            difference(&CodeOffer {
                state: CodeState::Worktree,
                device: "desk".into(),
                n_files: 1,
                commits,
                ..CodeOffer::default()
            })
        };
        assert!(!text(0).contains("commit"), "{}", text(0));
        assert!(
            text(1).contains("\n  1 commit of desk comes along, with its files.\n"),
            "{}",
            text(1)
        );
        assert!(
            text(2).contains("\n  2 commits of desk come along, with their files.\n"),
            "{}",
            text(2)
        );
    }

    #[test]
    fn the_difference_names_files_what_they_do_and_what_stayed() {
        let file = |path: &str, change, obeyed| CodeFile {
            path: path.into(),
            shown: path.into(),
            change,
            obeyed,
        };
        let offer = CodeOffer {
            state: CodeState::Worktree,
            device: "desk".into(),
            dir: Some("/home/mia/code/api-1a2b3c4d".into()),
            why: "This checkout has changes of its own.".into(),
            files: vec![
                file("src/a.rs", CodeChange::Changed, false),
                file("Makefile", CodeChange::Added, true),
                file("\u{202e}old", CodeChange::Deleted, false),
            ],
            n_files: 3,
            left_out: vec![CodeLeftOut {
                path: ".env".into(),
                why: "has the name of a file with credentials".into(),
            }],
            ..CodeOffer::default()
        };
        let dated = CodeOffer {
            at: "2026-11-23T12:00:00Z".into(),
            ..offer.clone()
        };
        assert!(difference(&dated).starts_with("3 files of desk's working tree, recorded "));
        let text = difference(&offer);
        assert!(!text.contains('\u{202e}'), "{text}");
        assert_eq!(
            text.replace('\u{fffd}', "?"),
            "3 files of desk's working tree are not here:\n  ~ src/a.rs\n  + Makefile  (programs may run or obey it)\n  \
             - ?old\n  .env stayed there: it has the name of a file with credentials\nThis checkout has changes of its \
             own. The files would go into a worktree beside it: /home/mia/code/api-1a2b3c4d."
        );
        let one = CodeOffer {
            n_files: 1,
            state: CodeState::InPlace,
            ..offer
        };
        let end = "The file would go into /home/mia/code/api-1a2b3c4d.";
        assert!(difference(&one).ends_with(end));
    }
}
