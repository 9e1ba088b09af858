//! Runs another program to its end: found as a shell finds it, without a terminal, bounded in time
//! and output. For tools whose store only they themselves may change.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The part of a program's error output that is reported.
const TOLD: usize = 300;

/// The interval for checking whether a program has ended.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{} could not be started", .0.display())]
    Start(PathBuf, #[source] io::Error),
    #[error("{} did not end within {} s", .0.display(), .1.as_secs())]
    TooLong(PathBuf, Duration),
    #[error("{} printed more than {} MB", .0.display(), .1 >> 20)]
    TooMuch(PathBuf, u64),
    #[error("{} failed: {}", .0.display(), .1)]
    Failed(PathBuf, String),
}

/// How a program is run.
#[derive(Debug)]
pub struct Run<'a> {
    pub program: &'a Path,
    pub cwd: &'a Path,
    /// The complete environment.
    pub vars: &'a BTreeMap<String, String>,
    pub limit: Duration,
    /// The limit of the output.
    pub most: u64,
}

/// The path of a program: searched in the directories of `PATH`, then in those given. On Windows
/// `names` includes the extensions.
pub fn find(path: Option<&str>, others: &[PathBuf], names: &[&str]) -> Option<PathBuf> {
    let path: Vec<PathBuf> = path
        .map(|path| std::env::split_paths(path).collect())
        .unwrap_or_default();
    let dirs = path.iter().chain(others).filter(|dir| dir.is_absolute());
    dirs.flat_map(|dir| names.iter().map(|name| dir.join(name)))
        .find(|file| is_program(file))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

impl Run<'_> {
    /// Runs the program and returns its output.
    ///
    /// The output goes to unnamed files, because a program that ends by `exit` loses output that a
    /// pipe has not accepted yet.
    pub fn output(&self, arguments: &[&OsStr]) -> Result<Vec<u8>, RunError> {
        let start = |error| RunError::Start(self.program.to_path_buf(), error);
        let (mut out, mut complaints) = (
            tempfile::tempfile().map_err(start)?,
            tempfile::tempfile().map_err(start)?,
        );
        let mut command = Command::new(self.program);
        command
            .args(arguments)
            .current_dir(self.cwd)
            .env_clear()
            .envs(self.vars)
            .stdin(Stdio::null());
        command
            .stdout(out.try_clone().map_err(start)?)
            .stderr(complaints.try_clone().map_err(start)?);
        without_window(&mut command);
        let mut child = command.spawn().map_err(start)?;
        let begun = Instant::now();
        let status = loop {
            match child.try_wait().map_err(start)? {
                Some(status) => break status,
                None if self.limit <= begun.elapsed() => {
                    end(&mut child);
                    return Err(RunError::TooLong(self.program.to_path_buf(), self.limit));
                }
                None if out
                    .metadata()
                    .is_ok_and(|printed| self.most < printed.len()) =>
                {
                    end(&mut child);
                    return Err(RunError::TooMuch(self.program.to_path_buf(), self.most));
                }
                None => sleep(PAUSE),
            }
        };
        let printed = whole(&mut out, self.most).map_err(start)?;
        if status.success() {
            return Ok(printed);
        }
        let complaints = whole(&mut complaints, self.most).unwrap_or_default();
        Err(RunError::Failed(
            self.program.to_path_buf(),
            told(&complaints, &printed),
        ))
    }
}

fn end(child: &mut std::process::Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn whole(file: &mut std::fs::File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The end of a program's error output, in one line and without colours.
fn told(complaints: &[u8], printed: &[u8]) -> String {
    let bytes = if complaints.trim_ascii().is_empty() {
        printed
    } else {
        complaints
    };
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => drop(letters.by_ref().find(char::is_ascii_alphabetic)),
            letter if letter.is_whitespace() => plain.push(' '),
            letter if letter.is_control() => {}
            letter => plain.push(letter),
        }
    }
    let words: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    let start = line.char_indices().rev().nth(TOLD).map_or(0, |(at, _)| at);
    line[start..].to_owned()
}

#[cfg(windows)]
fn without_window(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NO_WINDOW);
}

#[cfg(not(windows))]
fn without_window(_command: &mut Command) {}
