//! The real Claude Code and the real Codex, as this test starts and resumes them: not by hand in a terminal, but with
//! their own switches for scripts.

use crate::device::{Device, Resume};
use crate::files::{files_below, write};
use crate::isolation::run_within;
use crate::transcripts::{projects, slug};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// How long one prompt may take. They take about a second.
const PROMPT_LIMIT: Duration = Duration::from_secs(180);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    ClaudeCode,
    Codex,
}

impl Tool {
    pub const ALL: [Self; 2] = [Self::ClaudeCode, Self::Codex];

    pub fn id(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
        }
    }

    /// The native binary inside the installed npm packages; their launchers need install scripts or node on the way.
    fn binary(self, modules: &Path) -> PathBuf {
        let (cpu, triple) = match std::env::consts::ARCH {
            "aarch64" => ("arm64", "aarch64-unknown-linux-musl"),
            _ => ("x64", "x86_64-unknown-linux-musl"),
        };
        match self {
            Self::ClaudeCode => modules.join(format!("@anthropic-ai/claude-code-linux-{cpu}/claude")),
            Self::Codex => modules.join(format!("@openai/codex-linux-{cpu}/vendor/{triple}/bin/codex")),
        }
    }

    /// Starts a session in the device's checkout and returns its id.
    pub fn begin(self, device: &Device, prompt: &str) -> String {
        let before = self.files(device);
        let argv: Vec<&str> = match self {
            Self::ClaudeCode => vec!["claude", "-p", "--allowedTools", "Bash(echo:*)", "--", prompt],
            Self::Codex => vec!["codex", "exec", prompt],
        };
        let ended = run_within(PROMPT_LIMIT, device.command(argv[0], &argv[1..]), device.scratch());
        assert!(ended.status.success(), "{argv:?} on {}: {}", device.name, ended.told());
        let mut new = self.files(device);
        new.retain(|file| !before.contains(file));
        assert_eq!(new.len(), 1, "{argv:?} should have written one session on {}: {new:?}", device.name);
        let stem = new[0].file_stem().and_then(|stem| stem.to_str()).expect("session files have plain names");
        stem[stem.len() - 36..].to_owned()
    }

    /// Goes on with a session by the tool's own resume: what the user would run, turned into its form for scripts.
    /// The error is what the tool said when it refused.
    pub fn go_on(self, device: &Device, resume: &Resume, prompt: &str) -> Result<(), String> {
        let (program, rest) = resume.argv.split_first().expect("a command to resume with");
        let arguments = match self {
            Self::ClaudeCode => {
                [words(&["-p", "--allowedTools=Bash(echo:*)"]), rest.to_vec(), words(&["--", prompt])].concat()
            }
            Self::Codex => exec_form(rest, prompt),
        };
        let mut command = device.command(program, &arguments);
        command.current_dir(&resume.cwd).envs(&resume.env);
        for name in &resume.unset {
            command.env_remove(name);
        }
        let ended = run_within(PROMPT_LIMIT, command, device.scratch());
        if ended.status.success() { Ok(()) } else { Err(ended.told()) }
    }

    /// The session's main file in the device's store; exactly one, or a tool may take the wrong one.
    pub fn file(self, device: &Device, session: &str) -> Result<PathBuf, String> {
        let mut found = self.files(device);
        found.retain(|file| file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(session)));
        match found.len() {
            1 => Ok(found.remove(0)),
            n => Err(format!("{n} files of session {session} in {}'s store: {found:?}", device.name)),
        }
    }

    fn files(self, device: &Device) -> Vec<PathBuf> {
        let store = match self {
            Self::ClaudeCode => projects(device),
            Self::Codex => device.home.join(".codex/sessions"),
        };
        let mut files = files_below(&store);
        files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
        files
    }

    /// Where a session's file belongs on `to`, given where it is on `from`: what an adapter knows, said once more by
    /// hand. Claude Code looks in a directory named after the cwd; Codex looks everywhere below `sessions`.
    pub fn place(self, file: &Path, from: &Device, to: &Device) -> PathBuf {
        match self {
            Self::ClaudeCode => {
                projects(to).join(slug(&to.checkout)).join(file.file_name().expect("a file has a name"))
            }
            Self::Codex => to.home.join(file.strip_prefix(&from.home).expect("the file is in the home")),
        }
    }

    /// What the user types to resume, without `roam`.
    pub fn resume_by_hand(self, session: &str, cwd: &Path) -> Resume {
        let argv = match self {
            Self::ClaudeCode => words(&["claude", "--resume", session]),
            Self::Codex => words(&["codex", "resume", session, "-C", cwd.to_str().expect("checkouts are UTF-8")]),
        };
        Resume { argv, cwd: cwd.to_owned(), env: Default::default(), unset: vec![] }
    }

    /// Writes what a user who has used the tool before has: its settings, with questions of the first start answered
    /// and the mock as the model, and credentials that nobody else may ever see.
    pub fn settle(self, device: &Device, mock_port: u16) {
        let (home, secret) = (&device.home, device.secret());
        match self {
            Self::ClaudeCode => {
                let state = json!({
                    "hasCompletedOnboarding": true,
                    "theme": "dark",
                    "projects": { device.checkout.to_str().expect("checkouts are UTF-8"): { "hasTrustDialogAccepted": true } },
                    // The tool remembers a key that was said yes to by its last 20 characters.
                    "customApiKeyResponses": { "approved": [&secret[secret.len() - 20..]], "rejected": [] },
                    "oauthAccount": { "planted": secret },
                });
                write(&home.join(".claude.json"), &state.to_string());
                write(
                    &home.join(".claude/.credentials.json"),
                    &json!({"mcpOAuth": {"planted": {"accessToken": secret}}}).to_string(),
                );
                write(&home.join(".claude/settings.json"), &json!({"env": {"PLANTED_TOKEN": secret}}).to_string());
            }
            Self::Codex => {
                write(&home.join(".codex/config.toml"), &codex_config(&device.checkout, mock_port, &secret));
                write(&home.join(".codex/auth.json"), &json!({"OPENAI_API_KEY": secret}).to_string());
            }
        }
    }
}

/// Codex' own sandbox needs namespaces of its own, which a container may not give. With analytics on, each run ends with
/// 5 s of trying to send its figures; the daemon it starts for a terminal outlives that by a minute (both seen with
/// 0.169.0, 2026-11-23).
fn codex_config(checkout: &Path, mock_port: u16, secret: &str) -> String {
    format!(
        r#"model = "mock-model"
model_provider = "mock"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[analytics]
enabled = false

[features]
daemon_auto_start = false

[model_providers.mock]
name = "mock"
base_url = "http://127.0.0.1:{mock_port}/v1"
wire_api = "responses"
env_key = "MOCK_KEY"
http_headers = {{ "X-Planted" = "{secret}" }}

[projects.{checkout:?}]
trust_level = "trusted"
"#
    )
}

/// Codex' own list, as its picker shows it under "All": ids and paths, asked of `codex app-server`.
pub fn listed_by_codex(device: &Device) -> Vec<(String, PathBuf)> {
    let mut command = device.command("codex", &["app-server"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = command.spawn().expect("codex app-server starts");
    let mut stdin = server.stdin.take().expect("piped above");
    let requests = [
        json!({"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "test", "version": "1"}}}),
        json!({"method": "initialized"}),
        json!({"id": 2, "method": "thread/list", "params": {"sourceKinds": ["cli", "exec"]}}),
    ];
    requests.iter().for_each(|request| writeln!(stdin, "{request}").expect("codex app-server listens"));
    let lines = BufReader::new(server.stdout.take().expect("piped above")).lines();
    let answers = lines.map_while(Result::ok).filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let answer = { answers }.find(|answer| answer["id"] == 2);
    let _ = server.kill();
    let _ = server.wait();
    let threads = answer.expect("codex app-server answers thread/list")["result"]["data"].clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    threads.as_array().into_iter().flatten().map(|row| (text(&row["id"]), text(&row["path"]).into())).collect()
}

/// Puts the installed tools under their usual names into a directory for PATH.
pub fn link_binaries(bin: &Path) {
    fs::create_dir_all(bin).expect("a directory for PATH");
    let modules = Path::new(env!("CARGO_BIN_EXE_roam"))
        .ancestors()
        .map(|dir| dir.join("real-clients/node_modules"))
        .find(|dir| dir.is_dir());
    let modules = modules.expect(
        "The real clients are not installed. Run `cargo xtask test`, which installs them into target/real-clients.",
    );
    for (name, tool) in [("claude", Tool::ClaudeCode), ("codex", Tool::Codex)] {
        let binary = tool.binary(&modules);
        assert!(
            binary.is_file(),
            "{} is missing. Run `cargo xtask test`, which installs the real clients.",
            binary.display()
        );
        std::os::unix::fs::symlink(binary, bin.join(name)).expect("a link");
    }
}

/// `codex resume ID [options]` as `codex exec [options] resume ID PROMPT`.
fn exec_form(resume: &[String], prompt: &str) -> Vec<String> {
    let [verb, session, options @ ..] = resume else { panic!("not a `codex resume ID`: {resume:?}") };
    assert_eq!(verb, "resume", "not a `codex resume ID`: {resume:?}");
    [words(&["exec"]), options.to_vec(), words(&["resume", session, prompt])].concat()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
