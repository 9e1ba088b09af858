//! The tray app. Until it has its tray and its window it says where the working product is: the `roam` command, which
//! runs the same engine. Holds no truth about sessions of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("The tray app of session-roam is not there yet.");
    eprintln!("Start the engine with:  roam run      (from a checkout: cargo xtask run)");
    ExitCode::FAILURE
}
