//! The only place that prints. Titles and messages come from transcripts, so they must not control
//! the terminal.

use serde_json::{Value, json};
use session_roam_core::api::ApiError;
pub use session_roam_core::session::harmless;
use session_roam_core::session::{ProblemCode, harmless_json, harmless_line};
use std::io::{self, IsTerminal, Write};

/// The output of a command.
pub enum Output {
    /// Text for people, or JSON.
    Text { json: Value, text: String },
    /// Content for a file, or JSON.
    Answer { json: Value, bytes: Vec<u8> },
    /// The same bytes with and without `--json`.
    Raw(Vec<u8>),
    /// Everything was printed already.
    Nothing,
}

pub fn print(output: &Output, as_json: bool) -> Result<(), ApiError> {
    let written = match output {
        Output::Text { json, .. } | Output::Answer { json, .. } if as_json => {
            write(format!("{}\n", harmless_json(&json.to_string())).as_bytes())
        }
        Output::Text { text, .. } => write(harmless(text).as_bytes()),
        Output::Answer { bytes, .. } if io::stdout().is_terminal() => {
            write(harmless(&String::from_utf8_lossy(bytes)).as_bytes())
        }
        Output::Answer { bytes, .. } | Output::Raw(bytes) => write(bytes),
        Output::Nothing => Ok(()),
    };
    match written {
        // `roam sessions | head` has closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(ApiError::new(
            ProblemCode::Output,
            format!("Could not print: {error}."),
            "Is the disk full?",
        )),
        Ok(()) => Ok(()),
    }
}

/// `error:` and `hint:` on stderr; with `--json` one object on stdout.
pub fn print_error(error: &ApiError, as_json: bool) {
    let written = if as_json {
        write(
            format!(
                "{}\n",
                harmless_json(&json!({ "error": error }).to_string())
            )
            .as_bytes(),
        )
    } else {
        io::stderr().write_all(in_words(error).as_bytes())
    };
    // The exit code still reports the error.
    let _ = written;
}

/// An error in two lines, whatever it contains.
pub fn in_words(error: &ApiError) -> String {
    let hint = match crate::remedy::advice(&error.hint, &error.actions) {
        hint if hint.is_empty() => hint,
        hint => format!("hint: {}\n", harmless_line(&hint)),
    };
    format!("error: {}\n{hint}", harmless_line(&error.message))
}

/// Prints a note beside the answer, on stderr.
pub fn note(text: &str) {
    let _ = io::stderr().write_all(format!("{}\n", harmless(text)).as_bytes());
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
