//! `roam import`: conversations from an export of a service, and transcripts, put beside the vault. Needs no engine;
//! one that runs finds them.

use crate::Outcome;
use crate::ask::Answer;
use crate::render::plural;
use indicatif::{ProgressBar, ProgressStyle};
use session_roam_core::api::ApiError;
use session_roam_core::session::problem::with_causes;
use session_roam_core::session::{SessionId, SessionKey, ToolId};
use session_roam_core::tools;
use session_roam_core::tools::imported::progress::{ImportError, Imported, Progress};
use session_roam_core::tools::imported::reading;
use session_roam_core::vault::Vault;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What could not be imported is named up to this number.
const NAMED: usize = 20;
const PACE: Duration = Duration::from_millis(100);

pub fn import(paths: &[PathBuf], home: &Path, as_json: bool) -> Outcome {
    let progress = Progress::default();
    let is_shown = !as_json && io::stderr().is_terminal();
    let done = match is_shown {
        true => watched(paths, home, &progress),
        false => imported(paths, home, &progress),
    };
    let done =
        done.map_err(|error| ApiError::new(error.code(), with_causes(&error), error.hint()))?;
    Answer::of(&done).show(|done: Imported| text(&done))
}

fn imported(paths: &[PathBuf], home: &Path, progress: &Progress) -> Result<Imported, ImportError> {
    let vault = Vault::at(home);
    let is_here = |tool: &ToolId, session: &SessionId| vault.holds(&SessionKey::new(tool, session));
    reading::import(paths, home, progress, &is_here)
}

/// Imports and shows meanwhile how far it is.
fn watched(paths: &[PathBuf], home: &Path, progress: &Progress) -> Result<Imported, ImportError> {
    let style =
        ProgressStyle::with_template("Importing  {bar:30}  {bytes} of {total_bytes}  {msg}");
    let bar =
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let done = std::thread::scope(|scope| {
        let import = scope.spawn(|| imported(paths, home, progress));
        while !import.is_finished() {
            let seen = progress.seen();
            bar.set_length(seen.total);
            bar.set_position(seen.bytes.min(seen.total));
            bar.set_message(plural(seen.conversations, "conversation"));
            std::thread::sleep(PACE);
        }
        import.join()
    });
    bar.finish_and_clear();
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn text(done: &Imported) -> String {
    let names: BTreeMap<String, String> = tools::all(&[])
        .iter()
        .map(|tool| tool.about())
        .map(|about| (about.tool.to_string(), about.name))
        .collect();
    let of = |counts: &BTreeMap<String, u64>, tool: &str| counts.get(tool).copied().unwrap_or(0);
    let mut out = String::new();
    for (tool, name) in &names {
        let (new, grown, known) = (
            of(&done.new, tool),
            of(&done.grown, tool),
            of(&done.known, tool),
        );
        let all = new + grown + known;
        if all > 0 {
            let counts = [
                (new, "new"),
                (grown, "with more messages"),
                (known, "unchanged"),
            ];
            let counts = counts.iter().filter(|(n, _)| *n > 0);
            let counts: Vec<String> = counts.map(|(n, what)| format!("{n} {what}")).collect();
            let all = plural(all, "conversation");
            out.push_str(&format!("{all} of {name}: {}.\n", counts.join(", ")));
        }
    }
    if out.is_empty() && done.n_left_out == 0 {
        out.push_str("It contains no conversation.\n");
    }
    if done.n_left_out > 0 {
        out.push_str(&format!("Not imported: {}.\n", done.n_left_out));
        for one in done.left_out.iter().take(NAMED) {
            out.push_str(&format!("  {}: {}\n", one.name, one.why));
        }
        let named = done.left_out.len().min(NAMED) as u64;
        if named < done.n_left_out {
            out.push_str(&format!("  and {} more\n", done.n_left_out - named));
        }
    }
    out
}
