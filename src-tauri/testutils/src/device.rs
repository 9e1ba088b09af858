//! A device of the user, simulated on this machine: a HOME, a checkout of the project at a path of
//! its own, and a `SESSION_ROAM_HOME` with the real `roam run`. Knows nothing of tools.

use crate::files::{files_below, write};
use crate::isolation::{Ended, run_within, wait_for};
use crate::programs::built;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long any exchange between two running engines may take before the test fails. Far longer
/// than it takes: this limit finds what never happens, the benchmarks measure speed.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// Where and how to continue a session: the answer of `roam resume --print --json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Resume {
    pub argv: Vec<String>,
    pub cwd: PathBuf,
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub unset: Vec<String>,
}

/// Pairs as two people with two screens would: the code of one is entered on the other, and the
/// first approves it.
pub fn pair(one: &Device, other: &Device) {
    let (me, you) = (one.roam(&["device"]), other.roam(&["device"]));
    let code = you["code"].as_str().expect("a device has a code");
    one.roam(&["pair", code, "--yes"]);
    let id = me["id"].as_str().expect("a device has an id");
    wait_for(
        &format!("{} to see that {} has its code", other.name, one.name),
        PATIENCE,
        || {
            let devices = other.roam(&["devices"]);
            let proved =
                rows(&devices["asking"]).any(|row| row["id"] == id && row["has_code"] == true);
            if proved {
                Ok(())
            } else {
                Err(devices.to_string())
            }
        },
    );
    other.roam(&["pair", "--accept", id, "--yes"]);
    for (here, there) in [(one, &you), (other, &me)] {
        wait_paired(here, there["id"].as_str().expect("a device has an id"));
    }
}

/// Waits until the pairing is complete on this side, and the other device is connected.
pub fn wait_paired(here: &Device, id: &str) {
    wait_for(&format!("{} to be paired", here.name), PATIENCE, || {
        let devices = here.roam(&["devices"]);
        let is_there =
            |row: &Value| row["id"] == id && row["connected"] == true && row["confirmed"] == true;
        if rows(&devices["paired"]).any(is_there) {
            Ok(())
        } else {
            Err(devices.to_string())
        }
    });
}

/// One of the user's machines.
pub struct Device {
    pub name: String,
    /// HOME.
    pub home: PathBuf,
    /// SESSION_ROAM_HOME.
    pub roam_home: PathBuf,
    /// The project's directory here.
    pub checkout: PathBuf,
    /// Additional environment variables of its programs.
    pub variables: BTreeMap<String, String>,
    /// The port on which its Syncthing listens for others.
    pub port: u16,
    root: PathBuf,
    engine: Option<Engine>,
}

struct Engine {
    child: Child,
    syncthing_pid: Option<u64>,
}

/// Ports below the system's ephemeral range. In a network namespace of one's own they are free.
static NEXT_PORT: AtomicU16 = AtomicU16::new(22101);

impl Device {
    pub fn new(root: &Path, name: &str, home: &str, checkout: &str) -> Self {
        let home = root.join(home);
        let device = Self {
            name: name.to_owned(),
            checkout: home.join(checkout),
            roam_home: root.join(format!("roam-{name}")),
            home,
            variables: BTreeMap::new(),
            port: NEXT_PORT.fetch_add(1, Ordering::Relaxed),
            root: root.to_owned(),
            engine: None,
        };
        fs::create_dir_all(&device.home).expect("a home");
        fs::create_dir_all(&device.roam_home).expect("a home for session-roam");
        fs::create_dir_all(device.temp_dir()).expect("a directory for temporary files");
        device.write_config();
        device
    }

    /// A word that is in this device's settings, credentials and environment, and belongs nowhere
    /// else.
    pub fn secret(&self) -> String {
        format!("planted-secret-of-{}-8c1f2e77", self.name)
    }

    pub fn scratch(&self) -> &Path {
        &self.root
    }

    /// A program as this device's user would start it in the checkout, with nothing else in its
    /// environment.
    pub fn command(&self, program: &str, arguments: &[impl AsRef<OsStr>]) -> Command {
        let bin = self.root.join("bin");
        let path = std::env::var("PATH").expect("there is a PATH");
        let linked = bin.join(program);
        let mut command = Command::new(if linked.exists() {
            linked.as_os_str()
        } else {
            OsStr::new(program)
        });
        command
            .args(arguments)
            .current_dir(if self.checkout.is_dir() {
                &self.checkout
            } else {
                &self.home
            })
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            // Claude Code refuses a directory in /tmp named after the user id if another user made
            // it; root in a namespace is another user (seen with 2.1.330, 2026-11-23).
            .env("TMPDIR", self.temp_dir())
            .env("SESSION_ROAM_HOME", &self.roam_home)
            .envs(&self.variables)
            .stdin(Stdio::null());
        command
    }

    /// Starts `roam run` and waits until it and its Syncthing are up.
    pub fn start(&mut self) {
        self.launch();
        self.wait_ready();
    }

    /// Starts `roam run` and does not wait for anything.
    pub fn launch(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("a log");
        let mut command = self.command("roam", &["run"]);
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        let child = command.spawn().expect("roam starts");
        self.engine = Some(Engine {
            child,
            syncthing_pid: None,
        });
    }

    /// Waits until the engine and its Syncthing are up.
    pub fn wait_ready(&mut self) {
        let status = wait_for(
            &format!("the engine of {} to run", self.name),
            PATIENCE,
            || {
                self.must_be_alive();
                let status = self.try_roam(&["status"])?;
                let up = status["engine"] == "running" && status["syncthing"]["state"] == "running";
                if up {
                    Ok(status)
                } else {
                    Err(status.to_string())
                }
            },
        );
        if let Some(engine) = &mut self.engine {
            engine.syncthing_pid = status["syncthing"]["pid"].as_u64();
        }
    }

    /// Stops the engine as a service manager does; it must exit cleanly and take its Syncthing with
    /// it.
    pub fn stop(&mut self) {
        let mut engine = self.engine.take().expect("the engine was started");
        let ended = engine.stop();
        let well = ended.as_ref().is_ok_and(|code| *code == Some(0));
        assert!(
            well,
            "roam run on {} ended with {ended:?}. Its log:\n{}",
            self.name,
            self.log_text()
        );
    }

    /// Kills the engine without time to clean up.
    pub fn kill(&mut self) {
        let mut engine = self.engine.take().expect("the engine was started");
        engine
            .child
            .kill()
            .and_then(|()| engine.child.wait())
            .expect("a child can be killed");
    }

    /// The process of the running `roam run`.
    pub fn pid(&self) -> u64 {
        self.engine
            .as_ref()
            .expect("the engine was started")
            .child
            .id()
            .into()
    }

    /// Waits for the engine to end by itself.
    pub fn wait_end(&mut self, limit: Duration) -> std::process::ExitStatus {
        let mut engine = self.engine.take().expect("the engine was started");
        let told = format!("roam run on {} to end", self.name);
        wait_for(&told, limit, || match engine.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}")),
        })
    }

    fn must_be_alive(&mut self) {
        let engine = self.engine.as_mut().expect("the engine was started");
        if let Some(status) = engine.child.try_wait().expect("a child can be waited for") {
            panic!(
                "roam run on {} ended with {status} before it was ready. Its log:\n{}",
                self.name,
                self.log_text()
            );
        }
    }

    /// Sends a request to the running engine; panics when the command fails.
    pub fn roam(&self, arguments: &[&str]) -> Value {
        self.try_roam(arguments)
            .unwrap_or_else(|told| panic!("roam {} on {}: {told}", arguments.join(" "), self.name))
    }

    /// Whether the journals here give back a file with these bytes.
    pub fn has_recorded(&self, session: &str, bytes: &[u8]) -> Result<(), String> {
        let out = self
            .scratch()
            .join(format!("export-{}-{session}", self.name));
        let target = out.to_str().expect("UTF-8").to_owned();
        self.try_roam(&["export", session, "native", "--out", &target])?;
        let files = files_below(&out);
        let sizes: Vec<u64> = files
            .iter()
            .filter_map(|file| Some(fs::metadata(file).ok()?.len()))
            .collect();
        let whole = files
            .iter()
            .any(|file| fs::read(file).is_ok_and(|found| found == bytes));
        fs::remove_dir_all(out).map_err(|error| error.to_string())?;
        if whole {
            Ok(())
        } else {
            Err(format!(
                "{} bytes wanted, files of {sizes:?} exported",
                bytes.len()
            ))
        }
    }

    pub fn try_roam(&self, arguments: &[&str]) -> Result<Value, String> {
        let ended = self.end_of_roam(arguments);
        if !ended.status.success() {
            return Err(ended.told());
        }
        serde_json::from_str(&ended.stdout)
            .map_err(|error| format!("not JSON ({error}): {}", ended.told()))
    }

    /// Runs a `roam` command with `--json` to its end.
    pub fn end_of_roam(&self, arguments: &[&str]) -> Ended {
        let arguments = [arguments, &["--json"]].concat();
        run_within(
            Duration::from_secs(90),
            self.command("roam", &arguments),
            &self.root,
        )
    }

    /// The row of `roam sessions` for a session, by the tool's id.
    pub fn session(&self, tool: &str, session: &str) -> Result<Value, String> {
        let sessions = self.roam(&["sessions"]);
        let mut rows = rows(&sessions);
        let row = rows.find(|row| row["tool"] == tool && row["session"] == session);
        row.cloned()
            .ok_or_else(|| format!("{} does not list {session}: {sessions}", self.name))
    }

    fn write_config(&self) {
        let syncthing =
            std::env::var("SESSION_ROAM_TEST_SYNCTHING").map(|path| format!("binary = {path:?}\n"));
        let config = format!(
            "name = {:?}\n\n[network]\nglobal_discovery = false\nlocal_discovery = false\nrelays = false\n\
             listen = [\"tcp://127.0.0.1:{}\"]\n\n[syncthing]\n{}\n[projects]\nsearch = [{:?}]\n",
            self.name,
            self.port,
            syncthing.unwrap_or_default(),
            self.checkout
                .parent()
                .expect("a checkout is in a directory"),
        );
        write(&self.roam_home.join("config.toml"), &config);
    }

    pub fn init_repository(&self, remote: &str) {
        fs::create_dir_all(&self.checkout).expect("a checkout");
        write(&self.checkout.join("parser.rs"), "fn parse() {}\n");
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.git(&["add", "."]);
        self.git(&[
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@example.com",
            "commit",
            "--quiet",
            "-m",
            "Parser",
        ]);
        self.git(&["remote", "add", "origin", remote]);
    }

    pub fn clone_repository(&self, from: &Device, remote: &str) {
        self.clone_into(&self.checkout, from, remote);
    }

    /// Clones another device's repository into `target`; the clone names `remote` from its first
    /// moment on.
    pub fn clone_into(&self, target: &Path, from: &Device, remote: &str) {
        fs::create_dir_all(target.parent().expect("a checkout is in a directory"))
            .expect("a directory");
        // Made elsewhere first: an engine may scan at any moment.
        let made = self.root.join(format!("clone-of-{}", self.name));
        let [source, clone] = [&from.checkout, &made].map(|dir| dir.to_str().expect("UTF-8"));
        self.git(&["clone", "--quiet", source, clone]);
        self.git(&["-C", clone, "remote", "set-url", "origin", remote]);
        fs::rename(&made, target).expect("on one disk");
    }

    pub fn git(&self, arguments: &[&str]) {
        let ended = run_within(
            Duration::from_secs(30),
            self.command("git", arguments),
            &self.root,
        );
        assert!(
            ended.status.success(),
            "git {arguments:?}: {}",
            ended.told()
        );
    }

    /// The engine's status, for a test that is already failing. It is requested in a separate
    /// thread, because a second panic during the first would end the process and hide the first.
    fn last_status(&self) -> String {
        std::thread::scope(
            |scope| match scope.spawn(|| self.try_roam(&["status"])).join() {
                Ok(Ok(status)) => status.to_string(),
                Ok(Err(told)) => told,
                Err(_) => "roam status does not answer".to_owned(),
            },
        )
    }

    fn temp_dir(&self) -> PathBuf {
        self.root.join(format!("tmp-{}", self.name))
    }

    fn log(&self) -> PathBuf {
        self.root.join(format!("{}.log", self.name))
    }

    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let Some(mut engine) = self.engine.take() else {
            return;
        };
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
    /// Stops the engine and ensures that no process of it is left; the error names what had to be
    /// killed.
    fn stop(&mut self) -> Result<Option<i32>, String> {
        signal("-TERM", self.child.id().into());
        let limit = Duration::from_secs(60);
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
        Err(format!(
            "roam run did not end {} s after SIGTERM",
            limit.as_secs()
        ))
    }

    /// The death of a parent reaches the child a moment later; a child that still runs after that
    /// moment is killed and reported.
    fn syncthing_gone(&self) -> Result<(), String> {
        let Some(pid) = self.syncthing_pid else {
            return Ok(());
        };
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

pub fn signal(signal: &str, pid: u64) {
    let _ = Command::new("kill")
        .args([signal, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

pub fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Puts the `roam` under test into a directory for PATH.
pub fn link_roam(bin: &Path) {
    fs::create_dir_all(bin).expect("a directory for PATH");
    std::os::unix::fs::symlink(built("roam"), bin.join("roam")).expect("a link");
}
