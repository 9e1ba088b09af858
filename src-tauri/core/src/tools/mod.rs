//! The tools, one folder each. No code outside a tool's folder names the tool. The contract that each implements is in
//! `adapter/`.

pub mod antigravity;
pub mod apps;
pub mod chatgpt;
pub mod claude_ai;
pub mod claude_code;
pub mod claude_desktop;
pub mod cline;
pub mod codex;
pub mod copilot_chat;
pub mod cursor;
pub mod cursor_agent;
pub mod custom;
pub mod imported;
pub mod kiro;
pub mod markdown;
pub mod open_format;
pub mod opencode;
pub mod other_system;
pub mod seek;
pub mod stores;
pub mod windsurf;
pub mod zed;

pub use crate::adapter::*;
pub use crate::formats::fields::{OwnFields, with_those_of};
pub use crate::formats::files::{followed, ignores_case, is_foreign_name, is_plain};
pub use crate::formats::running::{Apps, Running, SystemApps};
pub use crate::formats::steering::{Edit, Steer};

use crate::session::{Problem, ProblemCode};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The built-in tools, then those that the user defined. Wrong definitions are left out;
/// `custom::CustomTool::new` returns the reason.
pub fn all(custom: &[custom::Definition]) -> Vec<Arc<dyn Tool>> {
    let mut tools: Vec<Arc<dyn Tool>> = vec![
        Arc::new(claude_code::ClaudeCode::default()),
        Arc::new(codex::Codex::default()),
        Arc::new(cline::Cline),
        Arc::new(opencode::OpenCode::default()),
        Arc::new(copilot_chat::CopilotChat),
        Arc::new(cursor::Cursor::default()),
        Arc::new(cursor_agent::CursorAgent),
        Arc::new(kiro::Kiro),
        Arc::new(windsurf::Windsurf),
        Arc::new(zed::Zed::default()),
        Arc::new(antigravity::Antigravity),
        Arc::new(chatgpt::SERVICE),
        Arc::new(claude_ai::SERVICE),
        Arc::new(markdown::SERVICE),
        Arc::new(apps::AppSessions),
        Arc::new(open_format::SERVICE),
        Arc::new(claude_desktop::ClaudeDesktop::default()),
    ];
    for definition in custom {
        let taken = tools
            .iter()
            .any(|tool| tool.about().tool.as_str() == definition.id);
        match custom::CustomTool::new(definition.clone()) {
            Ok(tool) if !taken => tools.push(Arc::new(tool)),
            _ => {}
        }
    }
    tools
}

/// The errors in the user's definitions, to be reported.
pub fn definition_problems(custom: &[custom::Definition]) -> Vec<Problem> {
    let hint = "Correct the [[custom]] section in config.toml.";
    let known = all(&[]);
    let mut seen: Vec<String> = known
        .iter()
        .map(|tool| tool.about().tool.as_str().to_owned())
        .collect();
    let mut problems = Vec::new();
    for definition in custom {
        if seen.contains(&definition.id) {
            let message = format!(
                "The id \"{}\" of a custom tool is taken already.",
                definition.id
            );
            problems.push(Problem::new(ProblemCode::CustomTool, message, hint));
        } else if let Err(error) = custom::CustomTool::new(definition.clone()) {
            problems.push(Problem::new(
                ProblemCode::CustomTool,
                format!("{error}."),
                hint,
            ));
        }
        seen.push(definition.id.clone());
    }
    problems
}

/// The variables that move the tools' stores, as set in this environment.
pub fn store_variables(var: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let moved = all(&[]).into_iter().filter_map(|tool| tool.moved());
    moved
        .filter_map(|moved| Some((moved.var.to_owned(), var(moved.var)?)))
        .collect()
}
