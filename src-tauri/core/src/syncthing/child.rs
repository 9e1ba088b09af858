//! One run of the Syncthing process: starts it, keeps its output, ends it, and determines why it
//! ended. Whether and when it runs again is decided by the supervisor.

use super::child_error::ChildError;
use super::door::Door;
use super::home::Reach;
use super::program::{self, Binary};
use super::rest::Rest;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const MAX_LOG: u64 = 1024 * 1024;
/// The lines of output kept to determine why the process ended.
const LAST_LINES: usize = 60;

/// A running Syncthing of ours.
pub struct Running {
    child: Child,
    pub reach: Reach,
    pub rest: Rest,
    last_lines: Arc<Mutex<VecDeque<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
    _door: Door,
    _tether: Tether,
}

/// Why a run ended, as far as a reaction is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    DiskFull,
    /// Syncthing asks to be restarted.
    Restart,
    RestPortTaken,
    Database,
    Config,
    /// The config was written by a newer Syncthing.
    ConfigTooNew,
    /// Another Syncthing holds this home.
    Locked,
    Crash,
}

/// Starts Syncthing behind `door`. `ended` is called once, when the output ends: the process is
/// gone then. The calling thread must live as long as the run: on Linux the child dies with it.
pub fn spawn(
    binary: &Binary,
    home: &Path,
    door: Door,
    key: &str,
    ended: impl FnOnce() + Send + 'static,
) -> Result<Running, ChildError> {
    let failed = |source| ChildError::Run {
        path: binary.path.clone(),
        source,
    };
    let (output, writer) = io::pipe().map_err(failed)?;
    let mut command = serve_command(binary, home, &door.argument(), key);
    command
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer);
    let child = command.spawn().map_err(failed)?;
    drop(command); // `command` holds the writing ends of the pipe: the output would never end.
    let tether = Tether::bind(&child);
    let reach = Reach {
        pid: child.id(),
        address: door.address().to_owned(),
        key: key.to_owned(),
    };
    let last_lines = Arc::new(Mutex::new(VecDeque::new()));
    let lines = Arc::clone(&last_lines);
    let log = home.join("syncthing.log");
    let reader = std::thread::Builder::new()
        .name("syncthing-log".into())
        .spawn(move || {
            keep_output(output, &log, &lines);
            ended();
        });
    let rest = Rest::new(door.address(), key);
    let reader = reader.map_err(failed)?;
    let running = Running {
        child,
        reach,
        rest,
        last_lines,
        reader: Some(reader),
        _door: door,
        _tether: tether,
    };
    running.reach.save(home)?;
    Ok(running)
}

fn serve_command(binary: &Binary, home: &Path, address: &str, key: &str) -> Command {
    let mut command = Command::new(&binary.path);
    program::without_syncthing_variables(&mut command);
    let mut place = OsString::from("--home=");
    place.push(home);
    command
        .args(["serve", "--no-browser", "--no-restart", "--no-upgrade"])
        .arg(place)
        .arg(format!("--gui-address={address}"))
        // The key is passed by environment: every user can read arguments.
        .env("STGUIAPIKEY", key)
        // Without this there is a second process, the monitor, whose death leaves an orphan (1.19
        // to 2.1).
        .env("STMONITORED", "yes")
        .env("STNOUPGRADE", "1")
        .env("STNODEFAULTFOLDER", "1")
        .stdin(Stdio::null());
    program::quietly(&mut command);
    alone(&mut command);
    command
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for the end and returns the cause; to be called after `ended`.
    pub fn cause(&mut self) -> (Cause, String) {
        let status = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let lines: Vec<String> = self
            .last_lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect();
        let code = status.as_ref().ok().and_then(ExitStatus::code);
        let words = telling_line(&lines).unwrap_or_else(|| match &status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        });
        (diagnose(code, &lines), words)
    }

    /// Asks the process to end, asks again, then kills it: only ever the process that we started.
    pub fn end(&mut self) {
        let asked = self.rest.post("/rest/system/shutdown", None).is_ok();
        if asked && self.wait_until(Instant::now() + Duration::from_secs(5)) {
            return;
        }
        terminate(&mut self.child);
        if self.wait_until(Instant::now() + Duration::from_secs(2)) {
            return;
        }
        self.kill();
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn wait_until(&mut self, end: Instant) -> bool {
        loop {
            if self.exited().is_some() {
                return true;
            }
            if end <= Instant::now() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.exited().is_none() {
            self.kill();
        }
    }
}

/// Determines the cause from the exit code and the last lines. Wordings seen with 1.19.2, 1.29.5
/// and 2.1.3, 2026-11-23.
fn diagnose(code: Option<i32>, lines: &[String]) -> Cause {
    if code == Some(3) {
        return Cause::Restart;
    }
    let said = |words: &[&str]| {
        lines.iter().any(|line| {
            let line = line.to_lowercase();
            words.iter().all(|word| line.contains(word))
        })
    };
    // 1.x asks "is another instance of Syncthing running?" whatever kept it from opening its
    // database.
    let opening = said(&["opening database"]);
    if said(&["acquire lock"])
        || said(&["resource temporarily unavailable"])
        || said(&["used by another process"])
        || !opening && (said(&["is another instance"]) || said(&["is another copy"]))
    {
        Cause::Locked
    } else if said(&["no space left"]) || said(&["not enough space"]) {
        Cause::DiskFull
    } else if opening
        && [
            "too many open files",
            "permission denied",
            "access is denied",
            "read-only file system",
        ]
        .iter()
        .any(|passing| said(&[passing]))
    {
        // The files are intact; a new database would fail as well.
        Cause::Crash
    } else if said(&["config", "newer than supported"]) || said(&["config", "cannot load", "newer"])
    {
        Cause::ConfigTooNew
    } else if said(&["database", "malformed"])
        || said(&["not a database"])
        || opening
        || said(&["leveldb", "corrupt"])
    {
        Cause::Database
    } else if said(&["load", "config"]) || said(&["config.xml"]) || said(&["xml syntax error"]) {
        Cause::Config
    } else if said(&["address already in use"]) || said(&["only one usage of each socket address"])
    {
        Cause::RestPortTaken
    } else {
        Cause::Crash
    }
}

/// The last line that contains a complaint.
fn telling_line(lines: &[String]) -> Option<String> {
    let complaint = |line: &&String| {
        ["ERR", "WARNING", "panic", "fatal"]
            .iter()
            .any(|sign| line.contains(sign))
    };
    lines
        .iter()
        .rev()
        .find(complaint)
        .or_else(|| lines.last())
        .cloned()
}

/// Copies the output into the log, at most twice [`MAX_LOG`], and keeps the last lines in memory.
fn keep_output(output: impl io::Read, path: &Path, lines: &Mutex<VecDeque<String>>) {
    let mut log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .ok();
    let mut size = log
        .as_ref()
        .and_then(|log| log.metadata().ok())
        .map_or(0, |found| found.len());
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while {
        line.clear();
        matches!(io::Read::take(&mut reader, 16 * 1024).read_until(b'\n', &mut line), Ok(n_bytes) if 0 < n_bytes)
    } {
        if MAX_LOG < size {
            log = turn_over(path);
            size = 0;
        }
        if let Some(log) = &mut log {
            // A full disk must not stop the reading: Syncthing would block on its pipe.
            let _ = log.write_all(&line);
        }
        size += line.len() as u64;
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
}

fn turn_over(path: &Path) -> Option<fs::File> {
    let old: PathBuf = path.with_extension("log.old");
    fs::rename(path, old).ok()?;
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .ok()
}

/// Files are the user's alone; a Ctrl-C in our terminal is ours to handle; on Linux the child dies
/// when we do.
#[cfg(unix)]
fn alone(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    #[cfg(target_os = "linux")]
    let parent = std::process::id();
    // SAFETY: only async-signal-safe calls (umask, prctl, getppid) between fork and exec, and no
    // allocation.
    unsafe {
        command.pre_exec(move || {
            libc::umask(0o077);
            #[cfg(target_os = "linux")]
            {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) != 0 {
                    return Err(io::Error::last_os_error());
                }
                // We may have died before the line above.
                if libc::getppid() as u32 != parent {
                    return Err(io::Error::from_raw_os_error(libc::ESRCH));
                }
            }
            Ok(())
        });
    }
}

#[cfg(not(unix))]
fn alone(_command: &mut Command) {}

#[cfg(unix)]
fn terminate(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // SAFETY: our own child, not waited for yet, so the id cannot have been given to another
        // process.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
}

#[cfg(not(unix))]
fn terminate(child: &mut Child) {
    let _ = child.kill();
}

/// Makes the child die with us: on Linux by the signal set above, on Windows by a job that ends
/// when its last handle is closed. macOS has neither; there an orphan is found and ended at the
/// next start.
#[cfg(windows)]
struct Tether(windows_sys::Win32::Foundation::HANDLE);

// SAFETY: a job handle may be used and closed from any thread.
#[cfg(windows)]
unsafe impl Send for Tether {}

#[cfg(windows)]
impl Tether {
    fn bind(child: &Child) -> Self {
        use std::os::windows::io::AsRawHandle;
        use windows_sys::Win32::System::JobObjects::{
            AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
            JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
            SetInformationJobObject,
        };
        // SAFETY: null arguments are allowed; the structure is plain data for which all zero is
        // valid, and its size is given; the child's handle is open. If a call fails, the child may
        // merely outlive us.
        unsafe {
            let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
            let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = std::mem::zeroed();
            limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
            let size = std::mem::size_of_val(&limits) as u32;
            SetInformationJobObject(
                job,
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size,
            );
            AssignProcessToJobObject(job, child.as_raw_handle().cast());
            Self(job)
        }
    }
}

#[cfg(windows)]
impl Drop for Tether {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and closed once.
        unsafe { windows_sys::Win32::Foundation::CloseHandle(self.0) };
    }
}

#[cfg(not(windows))]
struct Tether;

#[cfg(not(windows))]
impl Tether {
    fn bind(_child: &Child) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_run_tells_its_reason() {
        let table = [
            (Some(3), "INFO: Exiting", Cause::Restart),
            (
                Some(1),
                "WARNING: Starting API/GUI: listen tcp 127.0.0.1:8384: bind: address already in use",
                Cause::RestPortTaken,
            ),
            (
                Some(1),
                "ERR Error opening database (error=\"database disk image is malformed\")",
                Cause::Database,
            ),
            (
                Some(1),
                "ERR failed (error=\"file is not a database\")",
                Cause::Database,
            ),
            (
                Some(1),
                "WARNING: Failed to load config: EOF",
                Cause::Config,
            ),
            (
                Some(1),
                "config version (52) is newer than supported (37)",
                Cause::ConfigTooNew,
            ),
            (
                Some(1),
                "ERR Failed to acquire lock (is another Syncthing instance already running?)",
                Cause::Locked,
            ),
            (
                Some(1),
                "WARNING: Error opening database: resource temporarily unavailable (is another instance of Syncthing running?)",
                Cause::Locked,
            ),
            (
                Some(1),
                "WARNING: Error opening database: leveldb/storage: open /h/index-v0.14.0.db: not a directory (is another instance of Syncthing running?)",
                Cause::Database,
            ),
            (
                Some(1),
                "WARNING: Error opening database: write /h/index-v0.14.0.db/LOG: no space left on device (is another instance of Syncthing running?)",
                Cause::DiskFull,
            ),
            (None, "INFO: all was well", Cause::Crash),
            (Some(2), "panic: runtime error", Cause::Crash),
        ];
        for (code, line, cause) in table {
            assert_eq!(diagnose(code, &[line.to_owned()]), cause, "{line}");
        }
    }

    #[test]
    fn the_log_stays_small() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("syncthing.log");
        let text = "one line of forty bytes, give or take\n".repeat(150_000);
        let lines = Mutex::new(VecDeque::new());
        keep_output(text.as_bytes(), &path, &lines);
        let total: u64 = fs::read_dir(dir.path())
            .expect("dir")
            .map(|entry| entry.expect("entry").metadata().expect("metadata").len())
            .sum();
        assert!(total <= 2 * MAX_LOG + 1024, "{total}");
        assert_eq!(lines.lock().expect("lines").len(), LAST_LINES);
    }
}
