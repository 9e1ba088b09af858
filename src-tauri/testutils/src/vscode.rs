//! The real VS Code on a device, in the form that serves a browser (npm `code-server`), and a user
//! who sits down at it. Its folder of settings is where a desktop's VS Code has it, and its program
//! is named `code`, so that session-roam takes it for one.
//!
//! That form differs from the desktop's in two ways, which are made up for here (VS Code 1.139.1,
//! 2026-11-29). It keeps what the desktop's has in `state.vscdb` in the browser: at the start of a
//! sitting the list of chats goes from that database to the browser, at the end back, as the
//! desktop's VS Code reads and writes it at those moments. And it names the opened folder nowhere:
//! `workspace.json` is written when the folder was opened for the first time.

use crate::device::{Device, PATIENCE, signal};
use crate::files::write;
use crate::isolation::{run_within, wait_for};
use crate::programs;
use serde_json::{Value, json};
use session_roam_core::formats::vscode::{System, uri_of};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

pub const LIST: &str = "chat.ChatSessionStore.index";
/// How long one sitting may take. They take a quarter of a minute.
const SITTING: Duration = Duration::from_secs(240);

/// Where `cargo xtask test --editors` installs VS Code: `editors` beside the build.
pub fn installed() -> PathBuf {
    let marker = programs::installed("editors/installed.json");
    let dir = marker.and_then(|file| file.parent()?.canonicalize().ok());
    dir.expect("VS Code is not installed: run `cargo xtask test --editors`, which installs it")
}

fn node() -> PathBuf {
    let cpu = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x64"
    };
    installed().join(format!("node_modules/node-linux-{cpu}/bin/node"))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/real/editors")
        .join(name)
}

/// VS Code on a device, which runs until [`VsCode::quit`].
pub struct VsCode<'d> {
    device: &'d Device,
    port: u16,
    server: Child,
    /// The list of chats as the last sitting left it.
    list: Option<String>,
}

impl<'d> VsCode<'d> {
    pub fn start(device: &'d Device) -> Self {
        let extensions = device.home.join(".vscode/extensions");
        let probe = extensions.join("session-roam.probe");
        fs::create_dir_all(&probe).expect("a directory");
        for name in ["package.json", "extension.js"] {
            fs::copy(script("probe").join(name), probe.join(name)).expect("a copy");
        }
        let (port, dir) = (device.port + 3000, installed());
        let address = format!("127.0.0.1:{port}");
        let shown = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
        let words = [
            shown(dir.join("node_modules/code-server/out/node/entry.js")),
            "--auth=none".into(),
            "--disable-telemetry".into(),
            "--disable-update-check".into(),
            "--disable-workspace-trust".into(),
            "--enable-proposed-api=session-roam.probe".into(),
            format!("--bind-addr={address}"),
            format!("--user-data-dir={}", shown(settings(device))),
            format!("--extensions-dir={}", shown(extensions)),
        ];
        let mut command = device.command(&shown(dir.join("code")), &words);
        let log = fs::File::create(device.scratch().join(format!("code-{}.log", device.name)));
        let log = log.expect("a log");
        command
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .process_group(0);
        let server = command.spawn().expect("VS Code starts");
        wait_for("VS Code to listen", PATIENCE, || {
            TcpStream::connect(&address).map_err(|error| error.to_string())
        });
        Self {
            device,
            port,
            server,
            list: None,
        }
    }

    /// Opens the project's folder, takes the steps that tests/real/editors/drive.mjs knows, and
    /// leaves the browser. The answer has the result of each step.
    pub fn sit(&mut self, name: &str, steps: Value) -> Vec<Value> {
        let device = self.device;
        // Only at its start does VS Code read what is in the file.
        let path = database(device).filter(|_| self.list.is_none());
        let list = path.and_then(|path| {
            let mut database = Database::open(&path);
            let list = database.value(LIST);
            database.close();
            list
        });
        let wanted = json!({
            "url": format!("http://127.0.0.1:{}", self.port),
            "folder": device.checkout,
            "profile": device.scratch().join(format!("browser-{}", device.name)),
            "storage": storage(device),
            "pictures": pictures(),
            "name": name,
            "index": list,
            "steps": steps,
        });
        let file = device.scratch().join(format!("{name}.json"));
        write(&file, &wanted.to_string());
        let words = [script("drive.mjs"), file];
        let mut command = device.command(node().to_str().expect("UTF-8"), &words);
        command.env("EDITORS", installed());
        let ended = run_within(SITTING, command, device.scratch());
        assert!(ended.status.success(), "{name}: {}", ended.told());
        let answer: Value = serde_json::from_str(&ended.stdout).expect("an answer in JSON");
        self.list = answer["index"].as_str().map(str::to_owned);
        opened(device);
        answer["steps"].as_array().expect("steps").clone()
    }

    /// Ends it, and with it all processes that it started.
    pub fn quit(mut self) {
        let device = self.device;
        let mut database = Database::open(&database(device).expect("a folder was opened"));
        if let Some(list) = self.list.take() {
            database.put(LIST, &list);
        }
        database.close();
        signal("-TERM", self.server.id().into());
        self.server.wait().expect("a child can be waited for");
        // Its agent host outlives it by seconds (1.139.1).
        processes(device)
            .into_iter()
            .for_each(|pid| signal("-TERM", pid));
        wait_for("VS Code to have quit", PATIENCE, || {
            match processes(device).as_slice() {
                [] => Ok(()),
                left => Err(format!("{left:?}")),
            }
        });
    }
}

impl Drop for VsCode<'_> {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        processes(self.device)
            .into_iter()
            .for_each(|pid| signal("-KILL", pid));
    }
}

/// The processes of this VS Code with the home of this device.
fn processes(device: &Device) -> Vec<u64> {
    let home = format!("HOME={}", device.home.display());
    let program = installed().join("code");
    let is_one = |pid: &u64| {
        let exe = fs::read_link(format!("/proc/{pid}/exe"));
        let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        exe.is_ok_and(|exe| exe == program)
            && variables
                .split(|byte| *byte == 0)
                .any(|one| one == home.as_bytes())
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(is_one)
        .collect()
}

/// Makes what a desktop's VS Code makes when it opens a folder for the first time.
fn opened(device: &Device) {
    let window = window(device).expect("a folder was opened");
    if !window.join("workspace.json").exists() {
        let folder = uri_of(&device.checkout.to_string_lossy(), System::HERE);
        let text = json!({ "folder": folder }).to_string();
        write(&window.join("workspace.json"), &text);
        let mut database = Database::open(&window.join("state.vscdb"));
        database.create();
        database.close();
    }
}

fn settings(device: &Device) -> PathBuf {
    device.home.join(".config/Code")
}

fn storage(device: &Device) -> PathBuf {
    settings(device).join("User/workspaceStorage")
}

/// The storage of the window that has the project's folder, which is the only one here.
pub fn window(device: &Device) -> Option<PathBuf> {
    let dirs = fs::read_dir(storage(device))
        .into_iter()
        .flatten()
        .flatten();
    let mut dirs: Vec<PathBuf> = dirs
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    assert!(dirs.len() < 2, "{dirs:?}");
    dirs.pop()
}

pub fn chat(device: &Device, session: &str) -> PathBuf {
    let window = window(device).expect("the folder was opened");
    window.join("chatSessions").join(format!("{session}.jsonl"))
}

pub fn database(device: &Device) -> Option<PathBuf> {
    let path = window(device)?.join("state.vscdb");
    path.exists().then_some(path)
}

/// Pictures of what was seen: target/screenshots/editors.
fn pictures() -> PathBuf {
    let target = installed()
        .parent()
        .expect("it is below target")
        .to_path_buf();
    target.join("screenshots/editors")
}

/// A database that VS Code's own SQLite binding holds open.
pub struct Database {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Database {
    pub fn open(path: &Path) -> Self {
        let mut process = Command::new(node())
            .args([&script("state.cjs"), path])
            .env("EDITORS", installed())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let input = process.stdin.take().expect("it is piped");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        Self {
            process,
            input,
            output,
        }
    }

    pub fn ask(&mut self, sql: &str, values: &[&str]) -> Value {
        let wanted = json!({ "sql": sql, "values": values });
        writeln!(self.input, "{wanted}").expect("the binding listens");
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("the binding answers");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(answer["error"], Value::Null, "{sql}");
        answer["rows"].clone()
    }

    /// As VS Code creates it (`storage.ts`).
    pub fn create(&mut self) {
        self.ask("PRAGMA user_version = 1", &[]);
        let table = "CREATE TABLE IF NOT EXISTS ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)";
        self.ask(table, &[]);
    }

    pub fn put(&mut self, key: &str, value: &str) {
        self.ask("INSERT INTO ItemTable VALUES (?, ?)", &[key, value]);
    }

    pub fn value(&mut self, key: &str) -> Option<String> {
        let rows = self.ask("SELECT value FROM ItemTable WHERE key = ?", &[key]);
        rows[0]["value"].as_str().map(str::to_owned)
    }

    pub fn close(mut self) {
        drop(self.input);
        let status = self.process.wait().expect("a child can be waited for");
        assert!(
            status.success(),
            "the binding closes the database: {status}"
        );
    }
}
