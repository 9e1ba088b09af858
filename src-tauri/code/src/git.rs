//! The only place of this crate that starts a program, and the only program is `git`. Its
//! environment is closed, its output and its time are limited. Knows no repository.
//!
//! The `git` program and not a library: the index in all its variants, line endings, attributes,
//! `fsck` and `index-pack --strict` have one reference, and the user's own next command is it. Its
//! cost is some milliseconds for each start.

use std::ffi::OsString;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The oldest version whose behaviour is relied on.
const OLDEST: (u32, u32) = (2, 34);
const ERRORS: u64 = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git is not installed")]
    NotInstalled,
    #[error("git {0} is too old; 2.34 or newer is needed")]
    TooOld(String),
    #[error("git {command} failed: {said}")]
    Failed { command: String, said: String },
    #[error("git {0} took too long")]
    TimedOut(String),
    #[error("git {0} has more output than is allowed")]
    TooMuchOutput(String),
    #[error("git {0} answered with something unexpected")]
    Unexpected(String),
    #[error("could not run git")]
    Io(#[from] std::io::Error),
}

/// The `git` program of this device.
#[derive(Clone, Debug)]
pub struct Git {
    program: OsString,
    version: (u32, u32),
    /// What it says about its version.
    said: String,
}

impl Git {
    /// Finds `git` on `PATH` and checks its version.
    pub fn find() -> Result<Self, GitError> {
        let mut git = Self {
            program: "git".into(),
            version: OLDEST,
            said: String::new(),
        };
        let mut command = git.closed();
        command.arg("version");
        let text =
            run(command, Input::Nothing, Bounds::default()).map_err(|error| match error {
                GitError::Io(io) if io.kind() == std::io::ErrorKind::NotFound => {
                    GitError::NotInstalled
                }
                other => other,
            })?;
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        git.version = parse_version(&text).ok_or(GitError::Unexpected("version".into()))?;
        git.said = text;
        match OLDEST <= git.version {
            true => Ok(git),
            false => Err(GitError::TooOld(git.said.replace("git version ", ""))),
        }
    }

    /// The version, as major and minor number.
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// `git` that reads no configuration but that of the directory named by `GIT_DIR`.
    pub(crate) fn closed(&self) -> Command {
        let mut command = self.with_variables(&[]);
        let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_CONFIG_GLOBAL", nowhere);
        command.env("GIT_ATTR_NOSYSTEM", "1");
        command
    }

    /// `git` in the user's repository, with the user's configuration, of which everything is
    /// overridden that names a program. For commands that touch no file of the working tree.
    pub(crate) fn in_repository(&self, dir: &Path) -> Command {
        let mut command = self.with_variables(&["HOME", "XDG_CONFIG_HOME", "USERPROFILE"]);
        command.arg("-C").arg(dir);
        for setting in OVERRIDDEN {
            command.args(["-c", setting]);
        }
        command
    }

    fn with_variables(&self, kept: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear();
        let always = ["PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "PROGRAMDATA"];
        for name in always.iter().chain(kept) {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for (name, value) in [
            ("LC_ALL", "C"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_ALLOW_PROTOCOL", "none"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_PAGER", "cat"),
        ] {
            command.env(name, value);
        }
        without_window(&mut command);
        command
    }
}

/// Settings with which `git` would start a program or look beyond the repository.
const OVERRIDDEN: [&str; 11] = [
    if cfg!(windows) {
        "core.hooksPath=NUL"
    } else {
        "core.hooksPath=/dev/null"
    },
    "core.fsmonitor=false",
    "core.sshCommand=false",
    "core.askPass=",
    "core.gitProxy=",
    "core.alternateRefsCommand=",
    "core.pager=cat",
    "credential.helper=",
    "gc.auto=0",
    "submodule.recurse=false",
    // Git 2.38 or newer: files that are committed count for no repository.
    "safe.bareRepository=explicit",
];

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split(['.', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(windows)]
fn without_window(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NO_WINDOW);
}

#[cfg(not(windows))]
fn without_window(_command: &mut Command) {}

/// How much a command may answer, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub bytes: u64,
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: 256 << 20,
            time: Duration::from_secs(120),
        }
    }
}

impl Bounds {
    pub fn within(time: Duration) -> Self {
        Self {
            time,
            ..Self::default()
        }
    }
}

pub(crate) enum Input<'a> {
    Nothing,
    Bytes(&'a [u8]),
    File(std::fs::File),
}

/// The output of a command that succeeds within the bounds; otherwise the command is killed.
pub(crate) fn run(command: Command, input: Input, bounds: Bounds) -> Result<Vec<u8>, GitError> {
    let mut answer = Vec::new();
    run_into(command, input, &mut answer, bounds)?;
    Ok(answer)
}

/// The same, with the output written to `output`: at most one byte more than the bounds allow.
pub(crate) fn run_into(
    mut command: Command,
    input: Input,
    output: &mut dyn Write,
    bounds: Bounds,
) -> Result<(), GitError> {
    let name = name_of(&command);
    let bytes = match input {
        Input::Nothing => {
            command.stdin(Stdio::null());
            None
        }
        Input::Bytes(bytes) => {
            command.stdin(Stdio::piped());
            Some(bytes.to_vec())
        }
        Input::File(file) => {
            command.stdin(file);
            None
        }
    };
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let (Some(mut stdin), Some(bytes)) = (child.stdin.take(), bytes) {
        // A command that ends early closes the pipe: its exit code tells more than this error.
        std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    }
    let errors = child.stderr.take().map(|stderr| in_thread(stderr, ERRORS));
    let stdout = child.stdout.take();
    let child = Watched::new(child, bounds.time);
    let copied = match stdout {
        Some(stdout) => std::io::copy(&mut stdout.take(bounds.bytes + 1), output)?,
        None => 0,
    };
    if bounds.bytes < copied {
        child.kill();
        return Err(GitError::TooMuchOutput(name));
    }
    let said = errors.and_then(|thread| thread.join().ok());
    match child.wait()? {
        Ended::Well => Ok(()),
        Ended::TimedOut => Err(GitError::TimedOut(name)),
        Ended::Badly => Err(GitError::Failed {
            command: name,
            said: String::from_utf8_lossy(&said.unwrap_or_default())
                .trim()
                .to_owned(),
        }),
    }
}

fn in_thread(from: impl Read + Send + 'static, limit: u64) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut from = from;
        let _ = from.by_ref().take(limit).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut from, &mut std::io::sink());
        bytes
    })
}

fn name_of(command: &Command) -> String {
    let is_word = |arg: &&str| !arg.starts_with('-') && !arg.contains(['=', '/', '\\']);
    let args: Vec<&str> = command.get_args().filter_map(|arg| arg.to_str()).collect();
    args.iter()
        .find(|arg| is_word(arg))
        .map(|arg| (*arg).to_owned())
        .unwrap_or_default()
}

enum Ended {
    Well,
    Badly,
    TimedOut,
}

/// A child that is killed when its time is over, or when it is dropped before its end.
struct Watched {
    child: Arc<Mutex<Child>>,
    /// Dropped at the end; a message says that the time was over.
    watch: Option<(Sender<()>, std::thread::JoinHandle<bool>)>,
}

impl Watched {
    fn new(child: Child, time: Duration) -> Self {
        let child = Arc::new(Mutex::new(child));
        let (ended, watched) = mpsc::channel::<()>();
        let to_kill = Arc::clone(&child);
        let watch = std::thread::spawn(move || {
            let is_late = watched.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if is_late {
                let _ = lock(&to_kill).kill();
            }
            is_late
        });
        Self {
            child,
            watch: Some((ended, watch)),
        }
    }

    fn kill(&self) {
        let _ = lock(&self.child).kill();
    }

    /// For a child that has closed its output. Polls, because a blocking wait would hold the lock
    /// that the watch needs.
    fn wait(mut self) -> Result<Ended, GitError> {
        let mut pause = Duration::from_micros(100);
        let status = loop {
            if let Some(status) = lock(&self.child).try_wait()? {
                break status;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        let is_late = self.watch.take().is_some_and(|(ended, watch)| {
            drop(ended);
            watch.join().unwrap_or(false)
        });
        Ok(match (status.success(), is_late) {
            (true, _) => Ended::Well,
            (false, true) => Ended::TimedOut,
            (false, false) => Ended::Badly,
        })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.watch.is_some() {
            self.kill();
            let _ = lock(&self.child).wait();
        }
    }
}

fn lock(child: &Mutex<Child>) -> std::sync::MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command that is asked again and again.
pub(crate) struct Conversation {
    pub input: ChildStdin,
    pub output: BufReader<ChildStdout>,
    _child: Watched,
}

impl Conversation {
    pub fn start(mut command: Command, time: Duration) -> Result<Self, GitError> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let name = name_of(&command);
        let mut child = command.spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self {
                input,
                output: BufReader::with_capacity(64 * 1024, output),
                _child: Watched::new(child, time),
            }),
            _ => Err(GitError::Unexpected(name)),
        }
    }
}
