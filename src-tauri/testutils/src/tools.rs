//! The real Claude Code and the real Codex, started and resumed not by hand in a terminal but with
//! their own options for scripts.

use crate::device::{Device, Resume};
use crate::files::{files_below, write};
use crate::isolation::run_within;
use crate::programs::installed;
use crate::transcripts::{projects, slug};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// How long one prompt may take. They take about a second.
const PROMPT_LIMIT: Duration = Duration::from_secs(180);

/// A tool at one of the versions that tests/real/package.json names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    ClaudeCode,
    /// Continues at the last record of the file, whatever its time (seen with 2.1.108, 2026-11-23).
    ClaudeCode2_1_108,
    /// Continues at the record with the newest time, wherever it is in the file (seen with 2.0.76,
    /// 2026-11-23).
    ClaudeCode2_0_76,
    Codex,
    /// Its rollouts have no ordinals yet (seen with 0.120.0, 2026-11-23).
    Codex0_120_0,
}

impl Client {
    pub const NEWEST: [Self; 2] = [Self::ClaudeCode, Self::Codex];

    pub fn tool(self) -> Tool {
        match self {
            Self::ClaudeCode | Self::ClaudeCode2_1_108 | Self::ClaudeCode2_0_76 => Tool::ClaudeCode,
            Self::Codex | Self::Codex0_120_0 => Tool::Codex,
        }
    }

    /// The program to start, below `node_modules`: not the launchers of newer packages, which need
    /// install scripts or node.
    fn file(self) -> String {
        let (cpu, triple) = match std::env::consts::ARCH {
            "aarch64" => ("arm64", "aarch64-unknown-linux-musl"),
            _ => ("x64", "x86_64-unknown-linux-musl"),
        };
        match self {
            Self::ClaudeCode => format!("@anthropic-ai/claude-code-linux-{cpu}/claude"),
            Self::ClaudeCode2_1_108 => "claude-code-2.1/cli.js".to_owned(),
            Self::ClaudeCode2_0_76 => "claude-code-2.0/cli.js".to_owned(),
            Self::Codex => format!("@openai/codex-linux-{cpu}/vendor/{triple}/bin/codex"),
            Self::Codex0_120_0 => format!("codex-0.120/vendor/{triple}/codex/codex"),
        }
    }

    fn link(self, file: &Path, program: &Path) {
        if file.extension().is_none_or(|extension| extension != "js") {
            return std::os::unix::fs::symlink(file, program).expect("a link");
        }
        write(
            program,
            &format!("#!/bin/sh\nexec node '{}' \"$@\"\n", file.display()),
        );
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("a program");
    }
}

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

    /// Its name on PATH.
    fn program(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude",
            Self::Codex => "codex",
        }
    }

    /// Starts a session in the device's checkout and returns its id.
    pub fn begin(self, device: &Device, prompt: &str) -> String {
        self.begin_in(device, &device.checkout, prompt)
    }

    pub fn begin_in(self, device: &Device, cwd: &Path, prompt: &str) -> String {
        match self {
            Self::ClaudeCode => self.new_session(
                device,
                cwd,
                &[
                    "claude",
                    "-p",
                    "--allowedTools",
                    "Bash(echo:*)",
                    "--",
                    prompt,
                ],
            ),
            Self::Codex => self.new_session(device, cwd, &["codex", "exec", prompt]),
        }
    }

    /// Runs the command that starts a session and returns its id.
    fn new_session(self, device: &Device, cwd: &Path, argv: &[&str]) -> String {
        let before = self.files(device);
        let mut command = device.command(argv[0], &argv[1..]);
        command.current_dir(cwd);
        let ended = run_within(PROMPT_LIMIT, command, device.scratch());
        assert!(
            ended.status.success(),
            "{argv:?} on {}: {}",
            device.name,
            ended.told()
        );
        let mut new = self.files(device);
        new.retain(|file| !before.contains(file) && is_session(file));
        assert_eq!(
            new.len(),
            1,
            "{argv:?} should have written one session on {}: {new:?}",
            device.name
        );
        id_of(&new[0])
    }

    /// Continues a session with the tool's own resume: the command that the user would run, in its
    /// form for scripts. The error is the tool's own output when it refused.
    pub fn go_on(self, device: &Device, resume: &Resume, prompt: &str) -> Result<(), String> {
        let (program, rest) = resume.argv.split_first().expect("a command to resume with");
        let arguments = match self {
            Self::ClaudeCode => [
                words(&["-p", "--allowedTools=Bash(echo:*)"]),
                rest.to_vec(),
                words(&["--", prompt]),
            ]
            .concat(),
            Self::Codex => exec_form(rest, prompt),
        };
        let mut command = device.command(program, &arguments);
        command.current_dir(&resume.cwd).envs(&resume.env);
        for name in &resume.unset {
            command.env_remove(name);
        }
        let ended = run_within(PROMPT_LIMIT, command, device.scratch());
        if ended.status.success() {
            Ok(())
        } else {
            Err(ended.told())
        }
    }

    /// The session's main file in the device's store; there must be exactly one, or a tool may use
    /// the wrong one.
    pub fn file(self, device: &Device, session: &str) -> Result<PathBuf, String> {
        let mut found = self.files(device);
        found.retain(|file| {
            file.file_stem()
                .is_some_and(|stem| stem.to_string_lossy().ends_with(session))
        });
        match found.len() {
            1 => Ok(found.remove(0)),
            n => Err(format!(
                "{n} files of session {session} in {}'s store: {found:?}",
                device.name
            )),
        }
    }

    /// The sessions of the device's store whose own file contains these words.
    pub fn saying(self, device: &Device, words: &str) -> Vec<String> {
        let mut files = self.files(device);
        files.retain(|file| {
            is_session(file) && fs::read_to_string(file).is_ok_and(|text| text.contains(words))
        });
        files.iter().map(|file| id_of(file)).collect()
    }

    fn usual_store(self) -> &'static str {
        match self {
            Self::ClaudeCode => ".claude",
            Self::Codex => ".codex",
        }
    }

    /// The variable that makes the tool use another store than the usual one.
    pub fn store_variable(self) -> &'static str {
        match self {
            Self::ClaudeCode => "CLAUDE_CONFIG_DIR",
            Self::Codex => "CODEX_HOME",
        }
    }

    /// The second store of a device whose user has two.
    pub fn second_store(self, device: &Device) -> PathBuf {
        device.home.join("work").join(self.id())
    }

    fn files(self, device: &Device) -> Vec<PathBuf> {
        let below: &[&str] = match self {
            Self::ClaudeCode => &["projects"],
            Self::Codex => &["sessions", "archived_sessions"],
        };
        let stores = [
            device.home.join(self.usual_store()),
            self.second_store(device),
        ];
        let dirs = stores
            .iter()
            .flat_map(|store| below.iter().map(|name| store.join(name)));
        let mut files: Vec<PathBuf> = dirs.flat_map(|dir| files_below(&dir)).collect();
        files.retain(|file| {
            file.extension()
                .is_some_and(|extension| extension == "jsonl")
        });
        files
    }

    /// Where a session's file belongs on `to`, given its place on `from`: the adapter's knowledge,
    /// repeated by hand. Claude Code looks in a directory named after the cwd; Codex looks
    /// everywhere below `sessions`.
    pub fn place(self, file: &Path, from: &Device, to: &Device) -> PathBuf {
        match self {
            Self::ClaudeCode => projects(to)
                .join(slug(&to.checkout))
                .join(file.file_name().expect("a file has a name")),
            Self::Codex => to.home.join(
                file.strip_prefix(&from.home)
                    .expect("the file is in the home"),
            ),
        }
    }

    /// The command that the user types to resume, without `roam`.
    pub fn resume_by_hand(self, session: &str, cwd: &Path) -> Resume {
        let argv = match self {
            Self::ClaudeCode => words(&["claude", "--resume", session]),
            Self::Codex => words(&[
                "codex",
                "resume",
                session,
                "-C",
                cwd.to_str().expect("checkouts are UTF-8"),
            ]),
        };
        Resume {
            argv,
            cwd: cwd.to_owned(),
            env: Default::default(),
            unset: vec![],
        }
    }

    /// The device's user wants to be asked.
    pub fn ask_before_all(self, device: &Device) {
        match self {
            Self::ClaudeCode => {
                let settings = json!({ "permissions": { "defaultMode": "default" } });
                write(
                    &device.home.join(".claude/settings.json"),
                    &settings.to_string(),
                );
            }
            Self::Codex => {
                let file = device.home.join(".codex/config.toml");
                let config = fs::read_to_string(&file).expect("it was settled");
                let config = config
                    .replace("\"never\"", "\"on-request\"")
                    .replace("danger-full-access", "read-only");
                write(&file, &config);
            }
        }
    }

    /// A session that ran in a mode without questions. (Claude Code restores `acceptEdits`, `auto`
    /// and `dontAsk`, but not `bypassPermissions`; without a terminal it records no mode. 2.1.330,
    /// 2026-11-28.)
    pub fn allow_all(self, device: &Device, session: &str) {
        let file = self.file(device, session).expect("it was begun");
        match self {
            Self::ClaudeCode => {
                let mode = json!({ "type": "permission-mode", "permissionMode": "acceptEdits", "sessionId": session });
                append(&file, &format!("{mode}\n"));
            }
            // The device's own settings do it.
            Self::Codex => {}
        }
    }

    pub fn allows_all(self, file: &[u8]) -> bool {
        let words = match self {
            Self::ClaudeCode => "\"permissionMode\":\"acceptEdits\"",
            Self::Codex => "\"approval_policy\":\"never\"",
        };
        String::from_utf8_lossy(file).contains(words)
    }

    /// The permissions of a turn, as the tool records them.
    pub fn run_with(self, lines: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(lines).into_owned();
        let records = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match self {
            Self::ClaudeCode => { records }
                .filter(|record| record["type"] == "user")
                .filter_map(|record| text(&record["permissionMode"]))
                .collect(),
            Self::Codex => {
                let turns = records.filter(|record| record["type"] == "turn_context");
                let of_turn = |turn: Value| {
                    [
                        &turn["payload"]["approval_policy"],
                        &turn["payload"]["sandbox_policy"]["type"],
                    ]
                    .map(text)
                };
                turns.flat_map(of_turn).flatten().collect()
            }
        }
    }

    /// The same after [`Tool::ask_before_all`].
    pub fn asking(self) -> Vec<String> {
        match self {
            Self::ClaudeCode => words(&["default"]),
            Self::Codex => words(&["on-request", "read-only"]),
        }
    }

    /// The same where the session's file decides, after [`Tool::allow_all`].
    pub fn allowing(self) -> Vec<String> {
        match self {
            Self::ClaudeCode => words(&["acceptEdits"]),
            Self::Codex => words(&["never", "danger-full-access"]),
        }
    }

    /// Lets Claude Code restore files to their state at a message; returns its output.
    pub fn rewind(self, device: &Device, resume: &Resume, message: &str) -> String {
        let (program, rest) = resume.argv.split_first().expect("a command to resume with");
        let arguments = [words(&["-p", "--rewind-files", message]), rest.to_vec()].concat();
        let mut command = device.command(program, &arguments);
        command
            .current_dir(&resume.cwd)
            .envs(&resume.env)
            .env("CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING", "1");
        run_within(PROMPT_LIMIT, command, device.scratch()).told()
    }

    /// Writes the files of a user who has used the tool before: its settings, with the questions of
    /// the first start answered and the mock as the model, and credentials that nobody else may
    /// ever see.
    pub fn settle(self, device: &Device, mock_port: u16) {
        let (home, secret) = (&device.home, device.secret());
        match self {
            Self::ClaudeCode => {
                let state = json!({
                    "hasCompletedOnboarding": true,
                    "theme": "dark",
                    "projects": { device.checkout.to_str().expect("checkouts are UTF-8"): { "hasTrustDialogAccepted": true } },
                    // The tool remembers an approved key by its last 20 characters.
                    "customApiKeyResponses": { "approved": [&secret[secret.len() - 20..]], "rejected": [] },
                    "oauthAccount": { "planted": secret },
                });
                write(&home.join(".claude.json"), &state.to_string());
                write(
                    &home.join(".claude/.credentials.json"),
                    &json!({"mcpOAuth": {"planted": {"accessToken": secret}}}).to_string(),
                );
                write(
                    &home.join(".claude/settings.json"),
                    &json!({"env": {"PLANTED_TOKEN": secret}}).to_string(),
                );
            }
            Self::Codex => {
                write(
                    &home.join(".codex/config.toml"),
                    &codex_config(&device.checkout, mock_port, &secret),
                );
                write(
                    &home.join(".codex/auth.json"),
                    &json!({"OPENAI_API_KEY": secret}).to_string(),
                );
            }
        }
    }
}

/// The sandbox of Codex needs namespaces of its own, which a container may not allow. With
/// analytics on, each run ends with 5 s of trying to send its figures; the daemon it starts for a
/// terminal outlives that by a minute (both seen with 0.169.0, 2026-11-23). With plugins on,
/// 0.120.0 waits 5 s for a name server that is not there (seen 2026-11-23).
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
plugins = false

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

/// A thread of Codex that begins as another thread: it stores the offset in the other's file at
/// which it left it, and its own later lines (seen with 0.169.0, 2026-11-23).
pub fn child_of(device: &Device, parent: &str, prompt: &str) -> String {
    Tool::Codex.new_session(
        device,
        &device.checkout,
        &["codex", "exec", "fork", parent, prompt],
    )
}

/// The list of Codex itself, as its picker shows it under "All": ids and paths, from `codex
/// app-server`.
pub fn listed_by_codex(device: &Device) -> Vec<(String, PathBuf)> {
    let mut command = device.command("codex", &["app-server"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut server = command.spawn().expect("codex app-server starts");
    let mut stdin = server.stdin.take().expect("piped above");
    let requests = [
        json!({"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "test", "version": "1"}}}),
        json!({"method": "initialized"}),
        json!({"id": 2, "method": "thread/list", "params": {"sourceKinds": ["cli", "exec"]}}),
    ];
    requests
        .iter()
        .for_each(|request| writeln!(stdin, "{request}").expect("codex app-server listens"));
    let lines = BufReader::new(server.stdout.take().expect("piped above")).lines();
    let answers = lines
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let answer = { answers }.find(|answer| answer["id"] == 2);
    let _ = server.kill();
    let _ = server.wait();
    let threads = answer.expect("codex app-server answers thread/list")["result"]["data"].clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    threads
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| (text(&row["id"]), text(&row["path"]).into()))
        .collect()
}

/// Puts installed tools under their usual names into a directory for PATH.
pub fn link_binaries(bin: &Path, clients: &[Client]) {
    fs::create_dir_all(bin).expect("a directory for PATH");
    let modules = installed("real-clients/node_modules").expect(
        "The real clients are not installed. Run `cargo xtask test`, which installs them into target/real-clients.",
    );
    for client in clients {
        let file = modules.join(client.file());
        assert!(
            file.is_file(),
            "{} is missing. Run `cargo xtask test`, which installs the real clients.",
            file.display()
        );
        client.link(&file, &bin.join(client.tool().program()));
    }
}

fn id_of(file: &Path) -> String {
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .expect("session files have plain names");
    stem[stem.len() - 36..].to_owned()
}

/// Whether a file of a store is a session's main file. At each resume, Claude Code 2.0.76 writes an
/// empty file with another id; it also keeps its agents' messages beside the sessions (seen
/// 2026-11-23).
fn is_session(file: &Path) -> bool {
    let is_agent = file
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("agent-"));
    !is_agent && file.metadata().is_ok_and(|file| 0 < file.len())
}

/// `codex resume ID [options]` as `codex exec [options] resume ID PROMPT`.
fn exec_form(resume: &[String], prompt: &str) -> Vec<String> {
    let [verb, session, options @ ..] = resume else {
        panic!("not a `codex resume ID`: {resume:?}")
    };
    assert_eq!(verb, "resume", "not a `codex resume ID`: {resume:?}");
    [
        words(&["exec"]),
        options.to_vec(),
        words(&["resume", session, prompt]),
    ]
    .concat()
}

/// One write, as a tool does it.
pub fn append(file: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(file)
        .expect("a session's file");
    file.write_all(text.as_bytes()).expect("room in the store");
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
