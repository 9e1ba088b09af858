//! Resumes a session in the user's terminal, or in an application that needs none: which program,
//! with which arguments. Nothing here goes through a shell unquoted: a directory's name may contain
//! anything.

use session_roam_core::api::{ApiError, CodeOffer, CodeState, Resume, quote};
use session_roam_core::session::ProblemCode;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Terminals, the user's choice first, and the arguments before a command.
const TERMINALS: &[(&str, &[&str])] = &[
    ("x-terminal-emulator", &["-e"]), // Debian's alternative: what the user set
    ("xdg-terminal-exec", &[]),
    ("ptyxis", &["--"]),
    ("gnome-terminal", &["--"]),
    ("kgx", &["--"]),
    ("konsole", &["-e"]),
    ("kitty", &[]),
    ("alacritty", &["-e"]),
    ("wezterm", &["start", "--"]),
    ("ghostty", &["-e"]),
    ("foot", &[]),
    ("xfce4-terminal", &["-x"]),
    ("mate-terminal", &["-x"]),
    ("xterm", &["-e"]),
];

/// Whether the user is to know or decide something before the session is resumed, which a menu cannot ask. The window's
/// question says the same of an offer (ui/src/parts/code-offer.tsx).
pub fn asks_first(resume: &Resume, offer: &CodeOffer) -> bool {
    let is_told = offer.is_last && !matches!(offer.state, CodeState::None | CodeState::Same);
    !resume.notes.is_empty() || is_told
}

/// Starts the terminal and does not wait; an application is waited for two seconds at most, to see
/// whether it failed. If nothing can be started, the hint is the command itself.
pub fn start(resume: &Resume, home: &Path) -> Result<(), ApiError> {
    if !resume.cwd.is_dir() {
        let message = format!("{} no longer exists.", resume.cwd.display());
        return Err(ApiError::new(
            ProblemCode::NoPlace,
            message,
            "Say where the project is now, under Projects.",
        ));
    }
    let is_app = resume.window && cfg!(unix);
    let plan = match is_app {
        true => without_terminal(resume),
        false => plan(resume, home)?,
    };
    let mut words = plan.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command
        .args(words)
        .current_dir(&resume.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| match is_app {
        true => unopened(&error, resume),
        false => unstarted(&error.to_string(), resume),
    })?;
    if is_app && let Some(status) = failed_at_once(&mut child) {
        return Err(unopened(&status, resume));
    }
    // Without a wait, the ended child stays in the list of processes.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// An application's command through the user's own shell, as in a terminal, but without one. On
/// macOS a login shell knows where programs are; elsewhere an interactive one, in a session of its
/// own, as it would wait for the terminal that started the tray.
fn without_terminal(resume: &Resume) -> Vec<OsString> {
    let words = match cfg!(target_os = "macos") {
        true => vec![shell(), "-lc".to_owned()],
        false => vec!["setsid".to_owned(), shell(), "-ic".to_owned()],
    };
    let line = quote::for_sh(resume);
    words.into_iter().chain([line]).map(Into::into).collect()
}

/// How a command ended that failed before an application could be there.
fn failed_at_once(child: &mut Child) -> Option<ExitStatus> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Ok(Some(status)) = child.try_wait() {
            return (!status.success()).then_some(status);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}

fn unopened(why: &dyn std::fmt::Display, resume: &Resume) -> ApiError {
    ApiError::new(
        ProblemCode::ToolNotStarted,
        format!("The application could not be opened: {why}."),
        format!("In a terminal of yours: {}", quote::command_line(resume)),
    )
}

fn unstarted(why: &str, resume: &Resume) -> ApiError {
    let line = quote::command_line(resume);
    ApiError::new(
        ProblemCode::NoTerminal,
        format!("No terminal could be opened: {why}."),
        format!("In a terminal of yours: {line}"),
    )
}

#[cfg(all(unix, not(target_os = "macos")))]
fn plan(resume: &Resume, home: &Path) -> Result<Vec<OsString>, ApiError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let chosen = session_roam_core::settings::load(home).map(|settings| settings.programs.terminal);
    let wanted = chosen
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| std::env::var("TERMINAL").unwrap_or_default());
    let (terminal, before) = find(&wanted, |name| {
        std::env::split_paths(&path)
            .map(|dir| dir.join(name))
            .find(|file| file.is_file())
    })
    .ok_or_else(|| unstarted("none of the usual ones is installed", resume))?;
    let words = before
        .iter()
        .map(OsString::from)
        .chain(in_shell(resume, &shell()).into_iter().map(Into::into));
    Ok(std::iter::once(terminal.into_os_string())
        .chain(words)
        .collect())
}

/// The wanted one, if its arguments are known, else the first that is installed.
pub fn find(
    wanted: &str,
    there: impl Fn(&str) -> Option<PathBuf>,
) -> Option<(PathBuf, &'static [&'static str])> {
    let chosen = TERMINALS.iter().filter(|(name, _)| {
        Path::new(wanted)
            .file_name()
            .is_some_and(|file| file == *name)
    });
    chosen
        .chain(TERMINALS)
        .find_map(|(name, before)| Some((there(name)?, *before)))
}

/// The user's own shell, interactive: tools are often on the PATH of that one only. The shell stays
/// open after the tool has ended.
pub fn in_shell(resume: &Resume, shell: &str) -> [String; 3] {
    let line = format!("{}; exec {}", quote::for_sh(resume), quote::sh(shell));
    [shell.to_owned(), "-ic".to_owned(), line]
}

fn shell() -> String {
    std::env::var("SHELL")
        .ok()
        .filter(|shell| shell.starts_with('/'))
        .unwrap_or_else(|| "/bin/sh".into())
}

/// Terminal.app runs a file; any other way requires permission to control it.
#[cfg(target_os = "macos")]
fn plan(resume: &Resume, home: &Path) -> Result<Vec<OsString>, ApiError> {
    use std::os::unix::fs::PermissionsExt;
    let file = home.join("resume.command");
    let [shell, flag, line] = in_shell(resume, &shell()).map(|word| quote::sh(&word));
    let written = std::fs::write(&file, format!("#!/bin/sh\nexec {shell} {flag} {line}\n"))
        .and_then(|()| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)));
    written.map_err(|error| unstarted(&error.to_string(), resume))?;
    Ok(vec![
        "open".into(),
        "-a".into(),
        "Terminal".into(),
        file.into_os_string(),
    ])
}

/// A file again: `start` and `cmd /k` parse quotes in their own ways.
#[cfg(windows)]
fn plan(resume: &Resume, home: &Path) -> Result<Vec<OsString>, ApiError> {
    let file = home.join("resume.cmd");
    let text = format!(
        "@chcp 65001 >nul\r\n{}\r\n",
        quote::for_cmd(resume).replace('%', "%%")
    );
    std::fs::write(&file, text).map_err(|error| unstarted(&error.to_string(), resume))?;
    Ok(["cmd", "/c", "start", "", "cmd", "/k"]
        .map(OsString::from)
        .into_iter()
        .chain([file.into_os_string()])
        .collect())
}
