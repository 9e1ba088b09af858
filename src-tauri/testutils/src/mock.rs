//! The mock language model as a child process, and the requests that the tools sent to it.

use crate::isolation::wait_for;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running `mock-llm.mjs`.
pub struct Mock {
    child: Child,
    pub port: u16,
    log: PathBuf,
}

impl Mock {
    pub fn start(dir: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/real/mock-llm.mjs");
        let (log, said) = (dir.join("mock.jsonl"), dir.join("mock.port"));
        let child = Command::new("node")
            .arg(script)
            .arg("--log")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&said).expect("a file for the port"))
            .spawn()
            .expect("node (20 or newer) starts");
        let port = wait_for("the mock's port", Duration::from_secs(20), || {
            let text = fs::read_to_string(&said).unwrap_or_default();
            let line: Value = serde_json::from_str(&text).map_err(|_| text.clone())?;
            line["port"]
                .as_u64()
                .and_then(|port| u16::try_from(port).ok())
                .ok_or(text)
        });
        Self { child, port, log }
    }

    /// The conversation that a tool sent with `prompt`: everything the model would have known when
    /// it answered.
    pub fn context_of(&self, prompt: &str) -> Vec<String> {
        self.heard(prompt)
            .unwrap_or_else(|heard| panic!("no tool sent {prompt:?} to the mock. {heard}"))
    }

    /// Whether any request whose conversation ends in `prompt` contains `word` anywhere: also where
    /// no turn is read from. Panics if no tool sent such a request.
    pub fn mentioned(&self, prompt: &str, word: &str) -> bool {
        let asked = format!("user: {prompt}");
        let mut requests = self.requests();
        requests.retain(|request| conversation(&request["body"]).last() == Some(&asked));
        assert!(!requests.is_empty(), "no tool sent {prompt:?} to the mock");
        requests
            .iter()
            .any(|request| request["body"].to_string().contains(word))
    }

    /// `context_of` for a prompt that may still be on its way; the error contains what arrived so
    /// far.
    ///
    /// Requests without tools are a client's own small questions (a title, a suggestion) and not
    /// the conversation.
    pub fn heard(&self, prompt: &str) -> Result<Vec<String>, String> {
        let asked = format!("user: {prompt}");
        let requests = self.requests();
        let conversations: Vec<Vec<String>> = requests
            .iter()
            .filter(|request| {
                request["body"]["tools"]
                    .as_array()
                    .is_some_and(|tools| !tools.is_empty())
            })
            .map(|request| conversation(&request["body"]))
            .collect();
        let found = conversations
            .iter()
            .rfind(|turns| turns.last() == Some(&asked));
        found
            .cloned()
            .ok_or_else(|| format!("It heard: {conversations:#?}"))
    }

    fn requests(&self) -> Vec<Value> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let whole_lines = log
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        whole_lines
            .map(|line| serde_json::from_str(line).expect("the mock logs JSON lines"))
            .collect()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The mock's answer to the `n`th prompt of a conversation, with all steps on the way.
pub fn turn(n: usize, prompt: &str) -> Vec<String> {
    let mut turn = vec![format!("user: {prompt}")];
    if let Some(command) = prompt.strip_prefix("run-tool: ") {
        let printed = command
            .strip_prefix("echo ")
            .expect("the stories run nothing but echo");
        turn.extend([format!("call: {command}"), format!("result: {printed}")]);
    }
    turn.push(format!("assistant: reply {n} to: {prompt}"));
    turn
}

/// What is sent to the model with `prompt` after these turns.
pub fn sent_with(turns: &[(usize, &str)], prompt: &str) -> Vec<String> {
    let before = turns.iter().flat_map(|(n, prompt)| turn(*n, prompt));
    before.chain([format!("user: {prompt}")]).collect()
}

/// The whole conversation up to and including the last prompt, all of it said on one way.
pub fn context(prompts: &[&str]) -> Vec<String> {
    let (last, before) = prompts.split_last().expect("something was said");
    let turns: Vec<(usize, &str)> = (1..).zip(before.iter().copied()).collect();
    sent_with(&turns, last)
}

/// Reads the turns from a request of either protocol.
fn conversation(body: &Value) -> Vec<String> {
    let items = body["messages"].as_array().or(body["input"].as_array());
    items.into_iter().flatten().flat_map(turns_of).collect()
}

fn turns_of(item: &Value) -> Vec<String> {
    match item["type"].as_str() {
        Some("function_call") => vec![format!("call: {}", command_of(&arguments_of(item)))],
        Some("function_call_output") => vec![format!("result: {}", last_line(&item["output"]))],
        // Chat Completions keeps both in messages.
        _ if item["role"] == "tool" => vec![format!(
            "result: {}",
            last_line(&answers_in(&item["content"]))
        )],
        _ if item["tool_calls"].is_array() => {
            let calls = item["tool_calls"].as_array().into_iter().flatten();
            calls
                .map(|call| format!("call: {}", command_of(&arguments_of(&call["function"]))))
                .collect()
        }
        _ => {
            let role = item["role"].as_str().unwrap_or_default();
            parts_of(&item["content"])
                .iter()
                .filter_map(|part| turn_of(role, part))
                .collect()
        }
    }
}

fn turn_of(role: &str, part: &Value) -> Option<String> {
    match part["type"].as_str()? {
        "tool_use" => Some(format!("call: {}", command_of(&part["input"]))),
        "tool_result" => Some(format!("result: {}", last_line(&part["content"]))),
        "text" | "input_text" | "output_text" => {
            let text = part["text"].as_str()?;
            // The tools' own notes (`<environment_context>`, `<system-reminder>`) have the role of
            // the user.
            let said = matches!(role, "user" | "assistant") && !text.trim_start().starts_with('<');
            said.then(|| format!("{role}: {text}"))
        }
        _ => None,
    }
}

fn parts_of(content: &Value) -> Vec<Value> {
    match content {
        Value::String(text) => vec![serde_json::json!({"type": "text", "text": text})],
        other => other.as_array().cloned().unwrap_or_default(),
    }
}

fn arguments_of(item: &Value) -> Value {
    serde_json::from_str(item["arguments"].as_str().unwrap_or_default()).unwrap_or_default()
}

fn command_of(arguments: &Value) -> String {
    let words = [
        &arguments["command"],
        &arguments["cmd"],
        &arguments["commands"][0],
    ];
    words
        .iter()
        .find_map(|word| word.as_str())
        .unwrap_or("?")
        .to_owned()
}

/// Cline's shell answers with a list, as JSON in a text: the output of each of several commands.
fn answers_in(content: &Value) -> Value {
    let list: Option<Vec<Value>> = content
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok());
    list.map_or_else(|| content.clone(), |list| list[0]["result"].clone())
}

/// The last line of a command's output: Codex puts its own header lines before it.
fn last_line(output: &Value) -> String {
    let text: Vec<String> = parts_of(output)
        .iter()
        .filter_map(|part| part["text"].as_str().map(str::to_owned))
        .collect();
    text.concat()
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .to_owned()
}
