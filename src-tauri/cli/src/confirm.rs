//! Asks a person. The question goes to stderr, so that stdout contains only the command's answer.

use session_roam_core::api::ApiError;
use session_roam_core::session::ProblemCode;
use std::io::{self, BufRead, IsTerminal, Write};

/// Asks a yes-or-no question; anything but yes is no. Without a person at the terminal it is an
/// error, `needs_yes`. `hint` explains how to answer in advance.
pub fn confirm(question: &str, hint: &str) -> Result<bool, ApiError> {
    if !can_ask() {
        return Err(ApiError::new(
            ProblemCode::NeedsYes,
            format!("This needs your answer: {question}"),
            hint,
        ));
    }
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{} [y/N] ", crate::out::harmless(question));
    let _ = stderr.flush();
    let mut line = String::new();
    // An unreadable answer counts as no.
    let _ = io::stdin().lock().read_line(&mut line);
    Ok(is_yes(&line))
}

/// Whether a person is at the terminal.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes("YES\r\n"));
        assert!(!is_yes("") && !is_yes("\n") && !is_yes("yep\n") && !is_yes("n\n"));
    }
}
