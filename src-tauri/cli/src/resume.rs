//! Resuming a session: this process becomes the tool, in the right directory.

use crate::ask::{Answer, Engine};
use crate::code::{self, Wish};
use crate::out::{self, Output};
use session_roam_core::api::quote::command_line;
use session_roam_core::api::{ApiError, Request, Resume};
use session_roam_core::session::{ProblemCode, Remedy};
use session_roam_core::tools::store_variables;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long to wait for the engine to ingest a tool's latest write.
const READ_SOON: Duration = Duration::from_secs(1);

/// How long to wait for a session that moves to another directory.
const MOVE_SOON: Duration = Duration::from_secs(10);

/// A user who leaves a tool and resumes its session at once may be faster than the engine.
fn soon_known(engine: &mut Engine, request: &Request) -> Result<Answer, ApiError> {
    let start = Instant::now();
    loop {
        match engine.ask(request) {
            Err(error)
                if error.code == ProblemCode::UnknownSession && start.elapsed() < READ_SOON =>
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            answer => return answer,
        }
    }
}

/// The same answer would come again.
fn is_of_session(code: ProblemCode) -> bool {
    matches!(
        code,
        ProblemCode::UnknownSession | ProblemCode::AmbiguousSession
    )
}

/// A session that moves into a worktree leaves its store for a moment.
fn when_moved(engine: &mut Engine, request: &Request) -> Result<Answer, ApiError> {
    let start = Instant::now();
    loop {
        match engine.ask(request) {
            Err(error) if error.code == ProblemCode::NotHere && start.elapsed() < MOVE_SOON => {
                std::thread::sleep(Duration::from_millis(100));
            }
            answer => return answer,
        }
    }
}

pub fn resume(
    engine: &mut Engine,
    session: String,
    print: bool,
    wish: Wish,
) -> Result<Output, ApiError> {
    tell_stores(engine);
    let offer = Request::CodeOffer {
        session: session.clone(),
        at: None,
    };
    // A session is resumed without its code if the code is unknown: an older engine does not have
    // this request.
    let offer = match wish {
        Wish::Without => None,
        Wish::With => Some(soon_known(engine, &offer)?.as_type()?),
        Wish::Ask => match soon_known(engine, &offer).and_then(|it| it.as_type()) {
            Err(error) if is_of_session(error.code) => return Err(error),
            other => other.ok(),
        },
    };
    let moved = match offer {
        Some(offer) => code::apply_if_wanted(engine, &session, &offer, wish, !print)?,
        None => false,
    };
    let request = Request::Resume { session };
    let answer = match moved {
        true => when_moved(engine, &request)?,
        false => soon_known(engine, &request)?,
    };
    let resume: Resume = answer.as_type()?;
    if print {
        resume.notes.iter().for_each(|note| out::note(note));
        return answer.show(|resume: Resume| format!("{}\n", command_line(&resume)));
    }
    if !resume.cwd.is_dir() {
        let message = format!("{} no longer exists.", resume.cwd.display());
        return Err(
            ApiError::new(ProblemCode::NoPlace, message, "").offer(Remedy::ChooseFolder {
                project: String::new(),
            }),
        );
    }
    let program = program(&resume)?;
    resume.notes.iter().for_each(|note| out::note(note));
    for first in &resume.before {
        run_first(&program, first, &resume)?;
    }
    become_tool(command(&program, &resume), &program)
}

/// Runs a command of the same tool that must succeed first; its output is shown unchanged.
fn run_first(program: &Path, words: &[String], resume: &Resume) -> Result<(), ApiError> {
    let status = command_of(program, words, resume)
        .status()
        .map_err(|error| cannot_start(program, &error))?;
    match status.success() {
        true => Ok(()),
        false => Err(ApiError::new(
            ProblemCode::ToolRefused,
            format!("`{}` did not succeed.", words.join(" ")),
            "The tool's own message is above.",
        )),
    }
}

/// Sends the store variables of this shell to the engine, which may have been started in another
/// environment.
pub fn tell_stores(engine: &mut Engine) {
    let vars = store_variables(|name| std::env::var(name).ok());
    if !vars.is_empty() {
        // An older engine does not know this request and uses the stores it knows.
        let _ = engine.ask(&Request::StoresSaid { vars });
    }
}

fn command(program: &Path, resume: &Resume) -> Command {
    command_of(program, &resume.argv, resume)
}

fn command_of(program: &Path, argv: &[String], resume: &Resume) -> Command {
    let mut command = Command::new(program);
    command.args(argv.iter().skip(1)).current_dir(&resume.cwd);
    for name in &resume.unset {
        command.env_remove(name);
    }
    command.envs(&resume.env);
    command
}

#[cfg(unix)]
fn become_tool(mut command: Command, program: &Path) -> Result<Output, ApiError> {
    use std::os::unix::process::CommandExt;
    Err(cannot_start(program, &command.exec()))
}

/// Windows cannot replace a process: the tool runs as a child, and its exit code becomes ours.
#[cfg(not(unix))]
fn become_tool(mut command: Command, program: &Path) -> Result<Output, ApiError> {
    // Ctrl-C is for the tool; otherwise it would end us and leave the tool behind.
    let ctrl_c = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, ctrl_c);
    let status = command
        .status()
        .map_err(|error| cannot_start(program, &error))?;
    std::process::exit(status.code().unwrap_or(1));
}

fn cannot_start(program: &Path, error: &std::io::Error) -> ApiError {
    let message = format!("Could not start {}: {error}.", program.display());
    ApiError::new(
        ProblemCode::ToolNotStarted,
        message,
        "`roam resume SESSION --print` shows the command.",
    )
}

fn program(resume: &Resume) -> Result<PathBuf, ApiError> {
    let name = resume.argv.first().map(String::as_str).unwrap_or_default();
    let found = match resume.env.get("PATH") {
        Some(path) => find_on(name, OsStr::new(path)),
        None => find_on_path(name),
    };
    found.ok_or_else(|| {
        let message = format!("{name} is not installed here, or not on PATH.");
        ApiError::new(
            ProblemCode::ToolNotFound,
            message,
            format!("Install it, or open a shell that finds it: `{name} --version` must work."),
        )
    })
}

/// The program of a name on this process's PATH.
pub fn find_on_path(name: &str) -> Option<PathBuf> {
    find_on(name, &std::env::var_os("PATH").unwrap_or_default())
}

fn find_on(name: &str, path: &OsStr) -> Option<PathBuf> {
    let endings = std::env::var("PATHEXT").unwrap_or_default();
    find_program(name, path, endings.split(';').filter(|_| cfg!(windows)))
}

/// Searches PATH for a program. On Windows with the extensions of PATHEXT, because tools installed
/// by npm are `.cmd` files, which cannot be started by the bare name.
fn find_program<'a>(
    name: &str,
    path: &OsStr,
    endings: impl Iterator<Item = &'a str> + Clone,
) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    let dirs: Vec<PathBuf> = match Path::new(name).components().count() {
        1 => std::env::split_paths(path)
            .filter(|dir| dir.is_absolute())
            .collect(),
        _ => vec![PathBuf::new()],
    };
    let names: Vec<String> = endings
        .map(|ending| format!("{name}{ending}"))
        .chain([name.to_owned()])
        .collect();
    dirs.iter()
        .flat_map(|dir| names.iter().map(|name| dir.join(name)))
        .find(|file| is_program(file))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file() && file.extension().is_some()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_an_absolute_path_only_and_must_be_executable() {
        let path = OsStr::new("bin:/nowhere:/bin:/usr/bin");
        let found = find_program("sh", path, std::iter::empty()).expect("sh");
        assert!(found.is_absolute() && found.ends_with("sh"));
        assert_eq!(
            find_program("passwd", OsStr::new("/etc"), std::iter::empty()),
            None
        );
        assert_eq!(find_program("no-such-tool", path, std::iter::empty()), None);
        assert_eq!(find_program("", path, std::iter::empty()), None);
        assert_eq!(
            find_program("/bin/sh", OsStr::new(""), std::iter::empty()),
            Some("/bin/sh".into())
        );
    }
}
