//! The words of a message, as they go into the search index.

use crate::merge::transcript::{ParsedMessage, Piece, beginning};
use crate::session::{Millis, Role};
use session_roam_search::{Batch, IndexError, Message, OPEN_TEXT, OUTPUT_TEXT};

/// Where a message is and what its record does not say.
pub struct Item<'a> {
    /// As `roam show --from` counts.
    pub number: u64,
    pub shown: bool,
    /// By short id.
    pub device: &'a str,
    /// When its line was recorded.
    pub at: Millis,
}

/// Lines that the user took out name no device.
pub fn device_of(short: &str) -> &str {
    if short == "-" { "" } else { short }
}

/// The run of messages that `roam show` shows, and all others.
pub const SHOWN: u64 = 0;
pub const OTHER: u64 = 1;

/// Adds what was written for people, and apart from it what a tool was called with and printed.
pub fn add_message(
    batch: &mut Batch<'_>,
    key: &str,
    said: &ParsedMessage<'_>,
    item: &Item<'_>,
) -> Result<(), IndexError> {
    let at = said.at.and_then(Millis::parse).unwrap_or(item.at);
    let mut texts = Texts::default();
    said.pieces.iter().for_each(|piece| texts.add(piece));
    let message = |text, role, files| Message {
        run: if item.shown { SHOWN } else { OTHER },
        number: item.number,
        device: item.device,
        at: at.0.div_euclid(1000),
        text,
        role: Some(role),
        files,
    };
    let role = match said.role {
        Role::User => session_roam_search::Role::User,
        Role::Assistant => session_roam_search::Role::Assistant,
        _ => session_roam_search::Role::Tool,
    };
    let (open, output) = (texts.open.trim(), texts.output.trim());
    if !open.is_empty() {
        batch.add(key, &message(open, role, ""))?;
    }
    if !output.is_empty() || !texts.files.is_empty() {
        let tool = session_roam_search::Role::Tool;
        batch.add(key, &message(output, tool, &texts.files))?;
    }
    Ok(())
}

#[derive(Default)]
struct Texts {
    open: String,
    output: String,
    files: String,
}

impl Texts {
    fn add(&mut self, piece: &Piece<'_>) {
        match piece.kind {
            "text" => push(&mut self.open, &piece.body, OPEN_TEXT),
            "image" => {}
            "tool_use" => {
                let most = OUTPUT_TEXT / 2;
                push(&mut self.output, piece.name.unwrap_or_default(), most);
                if let Some(target) = &piece.target {
                    push(&mut self.output, target, most);
                    if is_path(target, piece.name.unwrap_or_default()) {
                        push(&mut self.files, target, usize::MAX);
                    }
                }
                push(&mut self.output, &piece.body, most);
            }
            _ => {
                // What went wrong is at the end of an output, what was run at its beginning.
                let body = &*piece.body;
                let first = beginning(body, OUTPUT_TEXT * 2 / 3);
                push(&mut self.output, first, OUTPUT_TEXT);
                let rest = &body[first.len()..];
                let mut from = rest.len().saturating_sub(OUTPUT_TEXT / 3);
                while !rest.is_char_boundary(from) {
                    from += 1;
                }
                push(&mut self.output, &rest[from..], OUTPUT_TEXT);
            }
        }
    }
}

/// Adds the beginning of a text as lines of their own, as long as there is room.
fn push(texts: &mut String, text: &str, most: usize) {
    let room = OPEN_TEXT.saturating_sub(texts.len()).min(most);
    let text = beginning(text, room);
    if !text.is_empty() {
        texts.push_str(text);
        texts.push('\n');
    }
}

/// Whether the target of a call is a file: one word with a separator or an extension, or with blanks
/// a whole path that is no command.
fn is_path(target: &str, tool: &str) -> bool {
    if target.contains("://") || target.contains(['\n', '\r']) {
        return false;
    }
    if target.contains(char::is_whitespace) {
        return is_absolute(target) && !runs_commands(tool);
    }
    target.contains(['/', '\\']) || target.trim_matches('.').contains('.')
}

/// On any system, whatever this one is.
fn is_absolute(path: &str) -> bool {
    let after_drive = path.strip_prefix(|letter: char| letter.is_ascii_alphabetic());
    path.starts_with(['/', '\\'])
        || path.starts_with("~/")
        || path.starts_with("./")
        || after_drive.is_some_and(|rest| rest.starts_with(":\\") || rest.starts_with(":/"))
}

/// Whether a tool of this name is a shell, as far as its name says.
fn runs_commands(tool: &str) -> bool {
    let name = tool.to_ascii_lowercase();
    let words = ["bash", "shell", "exec", "command", "terminal", "run"];
    words.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::is_path;

    #[test]
    fn files_with_blanks_are_files_and_commands_are_none() {
        for (target, tool) in [
            (r"C:\Users\John Doe\src\pay.rs", "Read"),
            ("/Users/x/Library/Application Support/a.json", "Edit"),
            ("~/my notes/a.md", "write_file"),
            ("src/pay.rs", "Read"),
            ("pay.rs", "bash"),
        ] {
            assert!(is_path(target, tool), "{target}");
        }
        for (target, tool) in [
            ("/usr/bin/env python a.py", "Bash"),
            ("./run.sh --all src/a.rs", "run_in_terminal"),
            ("cargo test src/a.rs", "exec_command"),
            ("fix the bug in pay.rs", "Task"),
            ("https://example.org/a.rs", "WebFetch"),
            ("/a.rs\n/b.rs", "Read"),
            ("..", "LS"),
        ] {
            assert!(!is_path(target, tool), "{target}");
        }
    }
}
