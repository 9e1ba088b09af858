//! Two devices on one machine: each a HOME, a checkout of the same project at a path of its own, the tools' settings, and
//! a `SESSION_ROAM_HOME` with the real `roam run` on it.

use crate::isolation::{run_within, wait_for};
use crate::mock::Mock;
use crate::tools::{Tool, link_binaries, write};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything between two running engines may take before the test calls it lost. Far above what it does take:
/// this finds what never happens, the benchmarks say how fast it is.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where and how to go on with a session: the answer of `roam resume --print --json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Resume {
    pub argv: Vec<String>,
    pub cwd: PathBuf,
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub unset: Vec<String>,
}

/// A desk and a laptop, the mock both talk to, and the directory all of it is in.
pub struct World {
    // Dropped in this order: the engines before the mock, the directory last.
    pub desk: Device,
    pub laptop: Device,
    pub mock: Mock,
    _root: TempDir,
}

impl World {
    /// Two devices whose tools are ready, with nothing of session-roam running.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("roam-real-").tempdir().expect("a directory");
        let dir = root.path().canonicalize().expect("a directory");
        link_binaries(&dir.join("bin"));
        let mock = Mock::start(&dir);
        let desk = Device::new(&dir, "desk", "home-a", "code/api", mock.port);
        let laptop = Device::new(&dir, "laptop", "home-b", "Arbeit mit Ümlaut/api checkout", mock.port);
        desk.init_repository("https://git.example.com/acme/api.git");
        laptop.clone_repository(&desk, "git@git.example.com:acme/api.git");
        Self { desk, laptop, mock, _root: root }
    }

    /// Two devices whose engines run and are paired.
    pub fn paired() -> Self {
        let mut world = Self::new();
        world.desk.start();
        world.laptop.start();
        pair(&world.desk, &world.laptop);
        world
    }
}

/// Pairs as two people with two screens would: the code goes over, both look at the digits, the other side says yes.
fn pair(one: &Device, other: &Device) {
    let (me, you) = (one.roam(&["device"]), other.roam(&["device"]));
    let code = you["code"].as_str().expect("a device has a code");
    let asked = one.roam(&["pair", code, "--yes"]);
    let id = me["id"].as_str().expect("a device has an id");
    let seen = wait_for(&format!("{} to see {} asking", other.name, one.name), PATIENCE, || {
        let devices = other.roam(&["devices"]);
        rows(&devices["asking"]).find(|row| row["id"] == id).cloned().ok_or(devices.to_string())
    });
    let digits = seen["digits"].as_str().expect("a device that asks shows digits");
    assert!(digits.bytes().filter(u8::is_ascii_digit).count() == 6, "six digits to compare, not {digits:?}");
    assert_eq!(asked["digits"], seen["digits"], "both screens show the same digits");
    other.roam(&["pair", "--accept", id, "--yes"]);
    for (here, there) in [(one, &you), (other, &me)] {
        wait_for(&format!("{} to be connected", here.name), PATIENCE, || {
            let devices = here.roam(&["devices"]);
            let connected = rows(&devices["paired"]).any(|row| row["id"] == there["id"] && row["connected"] == true);
            if connected { Ok(()) } else { Err(devices.to_string()) }
        });
    }
}

/// A machine of the user's.
pub struct Device {
    pub name: String,
    /// HOME.
    pub home: PathBuf,
    /// SESSION_ROAM_HOME.
    pub roam_home: PathBuf,
    /// The project's directory here.
    pub checkout: PathBuf,
    root: PathBuf,
    mock_port: u16,
    engine: Option<Engine>,
}

struct Engine {
    child: Child,
    syncthing_pid: Option<u64>,
}

impl Device {
    fn new(root: &Path, name: &str, home: &str, checkout: &str, mock_port: u16) -> Self {
        let home = root.join(home);
        let device = Self {
            name: name.to_owned(),
            checkout: home.join(checkout),
            roam_home: root.join(format!("roam-{name}")),
            home,
            root: root.to_owned(),
            mock_port,
            engine: None,
        };
        fs::create_dir_all(&device.home).expect("a home");
        fs::create_dir_all(&device.roam_home).expect("a home for session-roam");
        fs::create_dir_all(device.temp_dir()).expect("a directory for temporary files");
        Tool::ALL.iter().for_each(|tool| tool.settle(&device, mock_port));
        device
    }

    /// A word that is in this device's settings, credentials and environment, and belongs nowhere else.
    pub fn secret(&self) -> String {
        format!("planted-secret-of-{}-8c1f2e77", self.name)
    }

    pub fn scratch(&self) -> &Path {
        &self.root
    }

    /// A program as this device's user would start it in the checkout, with an environment that has nothing else in it.
    pub fn command(&self, program: &str, arguments: &[impl AsRef<OsStr>]) -> Command {
        let bin = self.root.join("bin");
        let path = std::env::var("PATH").expect("there is a PATH");
        let linked = bin.join(program);
        let mut command = Command::new(if linked.exists() { linked.as_os_str() } else { OsStr::new(program) });
        command
            .args(arguments)
            .current_dir(if self.checkout.is_dir() { &self.checkout } else { &self.home })
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            // Claude Code refuses a directory in /tmp named after the user id that somebody else made; who is root in a
            // namespace is somebody else (seen with 2.1.330, 2026-11-23).
            .env("TMPDIR", self.temp_dir())
            .env("SESSION_ROAM_HOME", &self.roam_home)
            .env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", self.mock_port))
            .env("ANTHROPIC_API_KEY", self.secret())
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("MOCK_KEY", self.secret())
            .stdin(Stdio::null());
        command
    }

    /// Starts `roam run` and waits until it and its Syncthing are up.
    pub fn start(&mut self) {
        self.write_config();
        let log = fs::File::create(self.log()).expect("a log");
        let mut command = self.command("roam", &["run"]);
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        let child = command.spawn().expect("roam starts");
        self.engine = Some(Engine { child, syncthing_pid: None });
        let status = wait_for(&format!("the engine of {} to run", self.name), PATIENCE, || {
            self.must_be_alive();
            let status = self.try_roam(&["status"])?;
            let up = status["engine"] == "running" && status["syncthing"]["state"] == "running";
            if up { Ok(status) } else { Err(status.to_string()) }
        });
        if let Some(engine) = &mut self.engine {
            engine.syncthing_pid = status["syncthing"]["pid"].as_u64();
        }
    }

    /// Stops the engine as a service manager does; it must end well and take its Syncthing with it.
    pub fn stop(&mut self) {
        let mut engine = self.engine.take().expect("the engine was started");
        let ended = engine.stop();
        let well = ended.as_ref().is_ok_and(|code| *code == Some(0));
        assert!(well, "roam run on {} ended with {ended:?}. Its log:\n{}", self.name, self.log_text());
    }

    fn must_be_alive(&mut self) {
        let engine = self.engine.as_mut().expect("the engine was started");
        if let Some(status) = engine.child.try_wait().expect("a child can be waited for") {
            panic!("roam run on {} ended with {status} before it was ready. Its log:\n{}", self.name, self.log_text());
        }
    }

    /// Asks the running engine; panics when the command fails.
    pub fn roam(&self, arguments: &[&str]) -> Value {
        self.try_roam(arguments).unwrap_or_else(|told| panic!("roam {} on {}: {told}", arguments.join(" "), self.name))
    }

    fn try_roam(&self, arguments: &[&str]) -> Result<Value, String> {
        let arguments = [arguments, &["--json"]].concat();
        let ended = run_within(Duration::from_secs(30), self.command("roam", &arguments), &self.root);
        if !ended.status.success() {
            return Err(ended.told());
        }
        serde_json::from_str(&ended.stdout).map_err(|error| format!("not JSON ({error}): {}", ended.told()))
    }

    /// The row of `roam sessions` for a session, by the tool's id.
    pub fn session(&self, tool: Tool, session: &str) -> Result<Value, String> {
        let sessions = self.roam(&["sessions"]);
        let mut rows = rows(&sessions);
        let row = rows.find(|row| row["tool"] == tool.id() && row["session"] == session);
        row.cloned().ok_or_else(|| format!("{} does not list {session}: {sessions}", self.name))
    }

    fn write_config(&self) {
        let syncthing = std::env::var("SESSION_ROAM_TEST_SYNCTHING").map(|path| format!("binary = {path:?}\n"));
        let config = format!(
            "name = {:?}\n\n[network]\nglobal_discovery = false\nlocal_discovery = false\nrelays = false\n\
             listen = [\"tcp://127.0.0.1:{}\"]\n\n[syncthing]\n{}\n[projects]\nsearch = [{:?}]\n",
            self.name,
            free_port(),
            syncthing.unwrap_or_default(),
            self.checkout.parent().expect("a checkout is in a directory"),
        );
        write(&self.roam_home.join("config.toml"), &config);
    }

    fn init_repository(&self, remote: &str) {
        fs::create_dir_all(&self.checkout).expect("a checkout");
        write(&self.checkout.join("parser.rs"), "fn parse() {}\n");
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.git(&["add", "."]);
        self.git(&["-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "-m", "Parser"]);
        self.git(&["remote", "add", "origin", remote]);
    }

    fn clone_repository(&self, from: &Device, remote: &str) {
        fs::create_dir_all(self.checkout.parent().expect("a checkout is in a directory")).expect("a directory");
        let (source, target) = (from.checkout.to_str(), self.checkout.to_str());
        self.git(&["clone", "--quiet", source.expect("UTF-8"), target.expect("UTF-8")]);
        self.git(&["remote", "set-url", "origin", remote]);
    }

    fn git(&self, arguments: &[&str]) {
        let ended = run_within(Duration::from_secs(30), self.command("git", arguments), &self.root);
        assert!(ended.status.success(), "git {arguments:?}: {}", ended.told());
    }

    /// What the engine says of itself, for a test that is failing already: asked in a thread of its own, because a second
    /// panic while one is under way would end the process and hide the first.
    fn last_status(&self) -> String {
        std::thread::scope(|scope| match scope.spawn(|| self.try_roam(&["status"])).join() {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(told)) => told,
            Err(_) => "roam status does not answer".to_owned(),
        })
    }

    fn temp_dir(&self) -> PathBuf {
        self.root.join(format!("tmp-{}", self.name))
    }

    fn log(&self) -> PathBuf {
        self.root.join(format!("{}.log", self.name))
    }

    fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let Some(mut engine) = self.engine.take() else { return };
        if std::thread::panicking() {
            eprintln!(
                "=== status of {}\n{}\n=== log of {}\n{}",
                self.name,
                self.last_status(),
                self.name,
                self.log_text()
            );
        }
        if let Err(told) = engine.stop() {
            eprintln!("{}: {told}", self.name);
        }
    }
}

impl Engine {
    /// Asks the engine to end and sees to it that nothing of it is left; the error says what had to be killed.
    fn stop(&mut self) -> Result<Option<i32>, String> {
        signal("-TERM", self.child.id().into());
        let limit = Duration::from_secs(20);
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return self.syncthing_gone().map(|()| status.code());
            }
            sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.syncthing_gone();
        Err(format!("roam run did not end {} s after SIGTERM", limit.as_secs()))
    }

    /// A parent's death reaches the child a moment later; what is left after that moment is killed and told.
    fn syncthing_gone(&self) -> Result<(), String> {
        let Some(pid) = self.syncthing_pid else { return Ok(()) };
        let name = || fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        for _ in 0..100 {
            if name().trim() != "syncthing" {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        signal("-KILL", pid);
        Err(format!("Syncthing (process {pid}) outlived its engine"))
    }
}

fn signal(signal: &str, pid: u64) {
    let _ = Command::new("kill").args([signal, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// A port nothing listens on. In a network namespace of one's own nobody else takes it meanwhile.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is up");
    listener.local_addr().expect("a bound listener has an address").port()
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
