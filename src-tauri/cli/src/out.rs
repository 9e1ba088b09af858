//! The only place that prints. Titles and messages come from transcripts, so nothing in them may steer the terminal.

use serde_json::{Value, json};
use session_roam_core::api::ApiError;
use std::io::{self, IsTerminal, Write};

/// What a command has to say.
pub enum Output {
    /// Words for people, or JSON.
    Text { json: Value, text: String },
    /// Content for a file, or JSON.
    Answer { json: Value, bytes: Vec<u8> },
    /// The same bytes for everybody.
    Raw(Vec<u8>),
    /// Everything was said already.
    Nothing,
}

pub fn print(output: &Output, as_json: bool) -> Result<(), ApiError> {
    let written = match output {
        Output::Text { json, .. } | Output::Answer { json, .. } if as_json => write(format!("{json}\n").as_bytes()),
        Output::Text { text, .. } => write(harmless(text).as_bytes()),
        Output::Answer { bytes, .. } if io::stdout().is_terminal() => {
            write(harmless(&String::from_utf8_lossy(bytes)).as_bytes())
        }
        Output::Answer { bytes, .. } | Output::Raw(bytes) => write(bytes),
        Output::Nothing => Ok(()),
    };
    match written {
        // `roam sessions | head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(ApiError::new("output", format!("Could not print: {error}."), "Is the disk full?")),
        Ok(()) => Ok(()),
    }
}

/// `error:` and `hint:` on stderr; with `--json` one object on stdout.
pub fn print_error(error: &ApiError, as_json: bool) {
    let written = if as_json {
        write(format!("{}\n", json!({ "error": error })).as_bytes())
    } else {
        let mut text = format!("error: {}\n", error.message);
        if !error.hint.is_empty() {
            text.push_str(&format!("hint: {}\n", error.hint));
        }
        io::stderr().write_all(harmless(&text).as_bytes())
    };
    // The exit code still tells.
    let _ = written;
}

/// Says something beside the answer, on stderr.
pub fn note(text: &str) {
    let _ = io::stderr().write_all(format!("{}\n", harmless(text)).as_bytes());
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Replaces what a terminal obeys instead of showing: control characters but line end and tab, and marks that turn
/// the reading direction round.
pub fn harmless(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace("\r\n", "\n").chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_cannot_steer_the_terminal() {
        let text = "a\x1b[2Jb\x07\u{9b}31m\tc\r\nd\u{202e}e\n";
        assert_eq!(harmless(text), "a\u{fffd}[2Jb\u{fffd}\u{fffd}31m\tc\nd\u{fffd}e\n");
    }
}
