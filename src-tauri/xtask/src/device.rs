//! A device on this machine: a home directory of its own, an engine of its own, loopback only. Uses
//! the product only through `roam … --json`, like a user's script.

use crate::{corpus, proc};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Set by Ctrl-C; the second one ends us at once.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub fn watch() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            true => bail!("interrupted"),
            false => Ok(()),
        }
    }

    /// Repeats a request until there is an answer.
    pub fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        every: Duration,
        mut ask: impl FnMut() -> Option<T>,
    ) -> Result<T> {
        let end = Instant::now() + patience;
        loop {
            self.check()?;
            match ask() {
                Some(answer) => return Ok(answer),
                None if end < Instant::now() => {
                    bail!("{what}: not within {} s", patience.as_secs())
                }
                None => std::thread::sleep(every),
            }
        }
    }
}

/// A home directory and the engine that runs on it. Dropping the device stops the engine.
pub struct Device {
    pub name: &'static str,
    pub home: PathBuf,
    roam: PathBuf,
    interrupt: Interrupt,
    engine: Option<Child>,
}

const PATIENCE: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_millis(100);

impl Device {
    /// Creates the home directory; projects are searched below its `code_dir`.
    pub fn prepare(
        roam: &Path,
        home: PathBuf,
        name: &'static str,
        code_dir: &str,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let device = Self {
            name,
            home,
            roam: roam.to_path_buf(),
            interrupt: interrupt.clone(),
            engine: None,
        };
        let own = device.roam_home();
        let code = device.home.join(code_dir);
        for dir in [&own, &code, &corpus::store(&device.home)] {
            fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let settings = format!(
            "name = \"{name}\"\n\n[network]\nglobal_discovery = false\nlocal_discovery = false\nrelays = false\n\
             listen = [\"tcp://127.0.0.1:{port}\"]\n\n[projects]\nsearch = ['{}']\n",
            code.display()
        );
        fs::write(own.join("config.toml"), settings).context("could not write config.toml")?;
        Ok(device)
    }

    pub fn roam_home(&self) -> PathBuf {
        self.home.join(".session-roam")
    }

    /// Starts the engine; returns as soon as the process exists.
    pub fn spawn(&mut self) -> Result<()> {
        let log = fs::File::create(self.log()).context("could not write the engine's log")?;
        let mut command = self.roam(&["run"]);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        in_own_group(&mut command);
        self.engine = Some(
            command
                .spawn()
                .with_context(|| format!("could not start {}", self.roam.display()))?,
        );
        Ok(())
    }

    /// Waits until the engine answers and its Syncthing runs.
    pub fn wait_ready(&mut self) -> Result<()> {
        self.wait(&format!("{} is ready", self.name), &["status"], |status| {
            (status["syncthing"]["state"] == "running" && status["engine"] != "stopped")
                .then_some(())
        })
    }

    /// Repeats `roam ARGS --json` until `pick` returns a value.
    pub fn wait<T>(
        &mut self,
        what: &str,
        args: &[&str],
        pick: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        self.wait_as_long_as(PATIENCE, EVERY, what, args, pick)
    }

    pub fn wait_as_long_as<T>(
        &mut self,
        patience: Duration,
        every: Duration,
        what: &str,
        args: &[&str],
        pick: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        let interrupt = self.interrupt.clone();
        let found = interrupt.until(what, patience, every, || match self.has_ended() {
            true => Some(None),
            false => self
                .ask(args)
                .ok()
                .and_then(|answer| pick(&answer))
                .map(Some),
        });
        match found {
            Ok(Some(found)) => Ok(found),
            Ok(None) => bail!("{}'s engine ended:\n{}", self.name, self.log_tail()),
            Err(error) => {
                interrupt.check()?; // the user's request is no fault of the engine's
                Err(error.context(format!(
                    "on {}; its engine says:\n{}",
                    self.name,
                    self.log_tail()
                )))
            }
        }
    }

    /// The answer of one command.
    pub fn ask(&self, args: &[&str]) -> Result<Value> {
        let text = proc::output(self.roam(args).arg("--json"))?;
        serde_json::from_str(&text)
            .with_context(|| format!("roam {} answered no JSON: {text}", args.join(" ")))
    }

    /// The process ids of the engine and of its Syncthing.
    pub fn engine_pid(&self) -> Result<u32> {
        self.engine
            .as_ref()
            .map(Child::id)
            .context("the engine was not started")
    }

    pub fn pids(&self) -> Result<(u32, u32)> {
        let engine = self
            .engine
            .as_ref()
            .context("the engine was not started")?
            .id();
        let child = self.ask(&["status"])?["syncthing"]["pid"]
            .as_u64()
            .context("status names no process of Syncthing")?;
        Ok((engine, u32::try_from(child)?))
    }

    pub fn stop(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            proc::stop(&mut engine, Duration::from_secs(15));
        }
    }

    fn roam(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.roam);
        command.args(args).current_dir(&self.home);
        // The tools' own variables and ours would lead to the user's real stores.
        let foreign = [
            "CLAUDE",
            "ANTHROPIC",
            "CODEX",
            "OPENAI",
            "XDG_",
            "SESSION_ROAM",
        ];
        for (name, _) in std::env::vars_os() {
            if foreign
                .iter()
                .any(|prefix| name.to_string_lossy().starts_with(prefix))
            {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", &self.home)
            .env("USERPROFILE", &self.home)
            .env("SESSION_ROAM_HOME", self.roam_home());
        command
    }

    fn has_ended(&mut self) -> bool {
        self.engine
            .as_mut()
            .is_none_or(|engine| !matches!(engine.try_wait(), Ok(None)))
    }

    fn log(&self) -> PathBuf {
        self.home.join("engine.log")
    }

    fn log_tail(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Pairs two running devices like a user, and waits until they are connected.
pub fn pair(from: &mut Device, to: &mut Device) -> Result<()> {
    let code = text_at(&to.ask(&["device"])?, "code")?;
    let own = text_at(&from.ask(&["device"])?, "id")?;
    from.ask(&["pair", &code, "--yes"])?;
    to.wait(
        "the other device proves that it has the code",
        &["devices"],
        |devices| {
            let proved =
                |asking: &Value| asking["id"] == own.as_str() && asking["has_code"] == true;
            devices["asking"]
                .as_array()?
                .iter()
                .any(proved)
                .then_some(())
        },
    )?;
    to.ask(&["pair", "--accept", &own, "--yes"])?;
    for device in [from, to] {
        device.wait(
            "the devices are paired and connected",
            &["devices"],
            |devices| {
                let is_there =
                    |paired: &Value| paired["connected"] == true && paired["confirmed"] == true;
                devices["paired"]
                    .as_array()?
                    .iter()
                    .any(is_there)
                    .then_some(())
            },
        )?;
    }
    Ok(())
}

fn text_at(answer: &Value, field: &str) -> Result<String> {
    Ok(answer[field]
        .as_str()
        .with_context(|| format!("the answer has no `{field}`: {answer}"))?
        .to_owned())
}

/// Ctrl-C reaches the whole foreground group; we stop the engines in order.
#[cfg(unix)]
fn in_own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn in_own_group(_: &mut Command) {}
