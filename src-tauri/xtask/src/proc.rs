//! Runs other programs: each is shown before it runs, and a failure is an error. Knows nothing of
//! their purpose.

use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LINES_QUOTED: usize = 60;

/// The repository's root directory.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("xtask lies two directories below the root")
        .to_path_buf()
}

/// The cargo that started us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Cargo's build directory: CARGO_TARGET_DIR and the user's own settings are respected.
pub fn target_dir() -> Result<PathBuf> {
    let metadata = metadata()?;
    let dir = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(dir))
}

/// `cargo metadata` of the workspace's own members.
pub fn metadata() -> Result<serde_json::Value> {
    let text = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}

/// Shows the command and runs it in our terminal; an exit code other than 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command
        .status()
        .with_context(|| format!("could not start {}", program(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// As [`run`], for long commands: the error ends with the last lines of what the command said, so
/// that they can be shown again where they are found.
pub fn run_and_quote(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let (said, out) = std::io::pipe().context("no pipe for the output of a program")?;
    command.stdout(out.try_clone()?).stderr(out);
    let child = command.spawn();
    // Our copies of the pipe's end would keep it open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.with_context(|| format!("could not start {}", program(command)))?;
    let mut last = VecDeque::new();
    for line in BufReader::new(said).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        last.push_back(line);
        if LINES_QUOTED < last.len() {
            last.pop_front();
        }
    }
    let status = child.wait()?;
    if !status.success() {
        let last: Vec<String> = last.into();
        bail!(
            "{} ended with {status}:\n{}",
            shown(command),
            last.join("\n")
        );
    }
    Ok(())
}

/// Runs the command twice at most: mirrors and registries fail now and then.
pub fn run_with_retry(mut command: impl FnMut() -> Command) -> Result<()> {
    match run(&mut command()) {
        Ok(()) => Ok(()),
        Err(error) => {
            println!("{error:#}. Once more.");
            std::thread::sleep(Duration::from_secs(3));
            run(&mut command())
        }
    }
}

/// The command's output; an exit code other than 0 is an error that contains the output.
pub fn output(command: &mut Command) -> Result<String> {
    let output = captured(command)?;
    if !output.status.success() {
        bail!(
            "{} ended with {}: {}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub fn captured(command: &mut Command) -> Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start {}", program(command)))
}

/// Whether the command can be started and succeeds.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A program on PATH or in the system's own directories, which a plain user's PATH may omit.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path)
        .chain(more)
        .map(|dir| dir.join(&name))
        .find(|file| file.is_file())
}

/// Asks a child to end in an orderly way, and kills it after `grace`.
pub fn stop(child: &mut Child, grace: Duration) {
    terminate(child);
    let until = Instant::now() + grace;
    while Instant::now() < until {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill(); // an error means that it ended meanwhile
    let _ = child.wait();
}

#[cfg(unix)]
fn terminate(child: &mut Child) {
    if let (Ok(None), Ok(pid)) = (child.try_wait(), libc::pid_t::try_from(child.id())) {
        // SAFETY: kill(2) touches no memory of ours. The child was not waited for, so its id is
        // still its own.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
}

#[cfg(not(unix))]
fn terminate(child: &mut Child) {
    let _ = child.kill(); // no other signal reaches a process without a console of its own
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(name)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_quotes_the_last_lines_of_both_outputs() {
        let mut cargo = cargo();
        cargo.args(["metadata", "--no-such-option"]);
        let error = run_and_quote(&mut cargo).expect_err("the option does not exist");
        assert!(
            error.to_string().contains("--no-such-option' found"),
            "{error}"
        );
        run_and_quote(super::cargo().arg("--version")).expect("every cargo has a version");
    }
}
