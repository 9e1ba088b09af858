//! `roam import`: conversations from an export of a service, put beside the vault. Needs no engine;
//! one that runs finds them.

use crate::Outcome;
use crate::ask::Answer;
use crate::render::plural;
use session_roam_core::api::ApiError;
use session_roam_core::session::problem::with_causes;
use session_roam_core::tools;
use session_roam_core::tools::imported::reading::{self, Imported};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Conversations that are named when they cannot be imported.
const NAMED: usize = 20;

pub fn import(path: &Path, home: &Path, as_json: bool) -> Outcome {
    let is_shown = !as_json && io::stderr().is_terminal();
    let mut progress = |n: u64| {
        if is_shown {
            let _ = write!(io::stderr(), "\r{} read", plural(n, "conversation"));
        }
    };
    let done = reading::import(path, home, &mut progress);
    if is_shown {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    let done = done.map_err(|error| {
        let hint = "Give the zip as it was downloaded, the conversations.json in it, or the directory \
                    with that file. What was read before stays imported.";
        ApiError::new("import_unreadable", with_causes(&error), hint)
    })?;
    Answer::of(&done).show(|done: Imported| text(&done))
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
        if new + grown + known > 0 {
            out.push_str(&format!(
                "{name}: {} imported, {grown} with more messages, {known} as before.\n",
                plural(new, "conversation")
            ));
        }
    }
    if out.is_empty() && done.left_out.is_empty() {
        out.push_str("There is no conversation in it.\n");
    }
    if !done.left_out.is_empty() {
        let n = done.left_out.len();
        out.push_str(&format!(
            "Not imported: {}.\n",
            plural(n as u64, "conversation")
        ));
        for why in done.left_out.iter().take(NAMED) {
            out.push_str(&format!("  {why}\n"));
        }
        if NAMED < n {
            out.push_str(&format!("  and {} more\n", n - NAMED));
        }
    }
    out
}
