//! Opens a file in the user's text editor: which program, with which arguments. The file is only
//! ever an editor's argument, so a script, a program or a link file in a checkout is shown and not
//! run, as the system's general opener might do.

use session_roam_core::api::ApiError;
use session_roam_core::session::ProblemCode;
use session_roam_core::settings;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Editors with a window of their own, which take a file as their only argument.
pub const EDITORS: &[&str] = &[
    "code",
    "codium",
    "cursor",
    "windsurf",
    "zed",
    "subl",
    "gnome-text-editor",
    "kate",
    "kwrite",
    "gedit",
    "xed",
    "pluma",
    "mousepad",
    "geany",
    "gvim",
    "emacs",
];

/// Starts the editor and does not wait.
pub fn open(file: &Path, home: &Path) -> Result<(), ApiError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |name: &str| {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        std::env::split_paths(&path)
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join(&name))
            .find(|file| file.is_file())
    };
    let chosen = settings::load(home).map(|settings| settings.programs.editor);
    let mut words = plan(&chosen.unwrap_or_default(), there)
        .ok_or_else(|| unopened("no text editor was found", file))?
        .into_iter();
    let mut child = Command::new(words.next().unwrap_or_default())
        .args(words)
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| unopened(&error.to_string(), file))?;
    // Without a wait, the ended child stays in the list of processes.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// The words before the file: the wanted editor if it is one of [`EDITORS`], else the system's.
pub fn plan(wanted: &str, there: impl Fn(&str) -> Option<PathBuf>) -> Option<Vec<OsString>> {
    let wanted = EDITORS.iter().find(|name| **name == wanted);
    let chosen = wanted.and_then(|name| there(name));
    match chosen {
        Some(program) => Some(vec![program.into_os_string()]),
        None => of_system(there),
    }
}

/// The program for plain text that the user set in the desktop's settings, else one that is
/// installed.
#[cfg(all(unix, not(target_os = "macos")))]
fn of_system(there: impl Fn(&str) -> Option<PathBuf>) -> Option<Vec<OsString>> {
    let of_desktop = || {
        let (query, launch) = (there("xdg-mime")?, there("gtk-launch")?);
        let mut ask = Command::new(query);
        ask.args(["query", "default", "text/plain"]);
        let answer = ask.stdin(Stdio::null()).output().ok()?.stdout;
        let name = desktop_entry(std::str::from_utf8(&answer).ok()?)?.to_owned();
        Some(vec![launch.into_os_string(), name.into()])
    };
    let installed = || EDITORS.iter().find_map(|name| there(name));
    of_desktop().or_else(|| installed().map(|program| vec![program.into_os_string()]))
}

/// The name of a desktop entry, as `xdg-mime` prints it.
pub fn desktop_entry(answer: &str) -> Option<&str> {
    let name = answer.lines().next()?.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (name.ends_with(".desktop") && name.chars().all(is_plain) && !name.starts_with('-'))
        .then_some(name)
}

/// `-t`: the default text editor, whatever kind of file it is.
#[cfg(target_os = "macos")]
fn of_system(_there: impl Fn(&str) -> Option<PathBuf>) -> Option<Vec<OsString>> {
    Some(["/usr/bin/open", "-t"].map(OsString::from).into())
}

#[cfg(windows)]
fn of_system(there: impl Fn(&str) -> Option<PathBuf>) -> Option<Vec<OsString>> {
    Some(vec![there("notepad")?.into_os_string()])
}

fn unopened(why: &str, file: &Path) -> ApiError {
    ApiError::new(
        ProblemCode::NotOpened,
        format!("The file could not be opened: {why}."),
        format!("It is {}", file.display()),
    )
}
