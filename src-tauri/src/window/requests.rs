//! The window's one command: the engine's answers, and the few requests that only a shell can
//! serve.

use crate::Window;
use crate::dropped;
use auto_launch::{AutoLaunch, AutoLaunchBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use session_roam_core::api::{ApiError, Devices, Done, FilePlace, Request, Resume, Status};
use session_roam_core::session::{ProblemCode, Remedy};
use session_roam_core::settings;
use session_roam_core::syncthing::find_binary;
use session_roam_tray::{editor, log, programs, terminal, updates};
use std::path::{Path, PathBuf};
use tauri::{AppHandle, Manager, WebviewWindow};
use tauri_plugin_dialog::DialogExt;
use tauri_plugin_opener::OpenerExt;

/// Answers outside the event loop, however long it takes.
#[tauri::command]
pub async fn roam(window: WebviewWindow, request: Value) -> Result<Value, ApiError> {
    let answered = tauri::async_runtime::spawn_blocking(move || answer(&window, request)).await;
    answered.map_err(|error| {
        failed(
            ProblemCode::Internal,
            error.to_string(),
            "Please report it.",
        )
    })?
}

#[derive(Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case")]
enum ShellRequest {
    About,
    Switch {
        name: Switch,
        on: bool,
    },
    FirstRunDone,
    OpenLink {
        url: String,
    },
    OpenPath {
        path: PathBuf,
    },
    /// Opens a file that a session speaks of in the user's text editor.
    OpenFile {
        session: String,
        path: String,
    },
    /// Asks for the newest release, if this build has an address to ask.
    AskNewest,
    ChooseDirectory {
        title: String,
    },
    /// Imports the files, or the directory, that the user chooses in the system's dialog.
    ChooseImport {
        title: String,
        directory: bool,
    },
    StartTool {
        session: String,
    },
    /// Closes the window that asks.
    CloseWindow,
    /// Starts the engine with its Syncthing, again if they run.
    Restart,
    /// Starts the engine after it has ended.
    StartEngine,
    /// A device that was copied, or restored from a backup, becomes one of its own.
    NewIdentity,
    /// Uses the Syncthing that the user chooses in the system's dialog.
    ChooseSyncthing {
        title: String,
    },
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Switch {
    Autostart,
    GlobalDiscovery,
    LocalDiscovery,
    Relays,
}

#[derive(Serialize)]
struct About {
    version: &'static str,
    home: PathBuf,
    logs: PathBuf,
    settings: PathBuf,
    syncthing: String,
    autostart: Option<bool>,
    global_discovery: bool,
    local_discovery: bool,
    relays: bool,
    first_run: bool,
    no_tray: Option<String>,
    /// The address of the releases; `None` if this build has none.
    releases: Option<&'static str>,
}

fn answer(window: &WebviewWindow, request: Value) -> Result<Value, ApiError> {
    if let Ok(request) = serde_json::from_value::<ShellRequest>(request.clone()) {
        return of_shell(window, request);
    }
    let request: Request = serde_json::from_value(request).map_err(|error| {
        failed(
            ProblemCode::BadRequest,
            format!("session-roam does not know this request: {error}."),
            "Please report it.",
        )
    })?;
    if matches!(request, Request::Import { .. }) {
        return Err(failed(
            ProblemCode::NotChosen,
            "Only files that you choose or drop are imported.",
            "Drop the export on the window.",
        ));
    }
    let shared = window.state::<Window>();
    if matches!(request, Request::Status) {
        return value(shared.engine.shown_status());
    }
    let answer = shared.engine.ask(&request);
    shared.look_again();
    answer
}

fn of_shell(window: &WebviewWindow, request: ShellRequest) -> Result<Value, ApiError> {
    let app = window.app_handle();
    let home = app.state::<Window>().engine.home().to_owned();
    match request {
        ShellRequest::About => value(about(app, &home)?),
        ShellRequest::Switch {
            name: Switch::Autostart,
            on,
        } => autostart(app, on),
        ShellRequest::Switch { name, on } => network(app, name, on),
        ShellRequest::FirstRunDone => {
            std::fs::write(first_run_marker(&home), "").map_err(|error| {
                failed(
                    ProblemCode::HomeUnusable,
                    format!("{error}."),
                    "Fix the permissions of the data folder.",
                )
            })?;
            done("Done.")
        }
        ShellRequest::OpenLink { url } => open_link(app, &url),
        ShellRequest::OpenPath { path } => open_path(app, &home, &path),
        ShellRequest::OpenFile { session, path } => {
            let request = Request::FilePlace { session, path };
            let place: FilePlace = app.state::<Window>().engine.know(&request)?;
            editor::open(&place.path, &home)?;
            done("Opened in the text editor.")
        }
        ShellRequest::AskNewest => match updates::address() {
            Some(address) => value(updates::ask(address, env!("CARGO_PKG_VERSION"))?),
            None => Ok(Value::Null),
        },
        ShellRequest::ChooseDirectory { title } => {
            let chosen = app.dialog().file().set_title(title).blocking_pick_folder();
            value(chosen.and_then(|path| path.into_path().ok()))
        }
        ShellRequest::ChooseImport { title, directory } => choose_import(app, &title, directory),
        ShellRequest::StartTool { session } => {
            let resume: Resume = app
                .state::<Window>()
                .engine
                .know(&Request::Resume { session })?;
            terminal::start(&resume, &home)?;
            done("Started in a terminal.")
        }
        ShellRequest::CloseWindow => {
            let closed = window.close();
            closed.map_err(|error| {
                failed(
                    ProblemCode::Internal,
                    error.to_string(),
                    "Close it by its cross.",
                )
            })?;
            done("Closed.")
        }
        ShellRequest::Restart => restart(app),
        ShellRequest::StartEngine => {
            app.state::<Window>().start_again();
            done("Starting.")
        }
        ShellRequest::NewIdentity => {
            is_ours(app.state::<Window>().new_identity())?;
            done("Creating a new identity…")
        }
        ShellRequest::ChooseSyncthing { title } => choose_syncthing(app, &home, &title),
    }
}

/// `null` if the user chose nothing. What was chosen is run only to ask for its version, then as Syncthing.
fn choose_syncthing(app: &AppHandle, home: &Path, title: &str) -> Result<Value, ApiError> {
    let chosen = app.dialog().file().set_title(title).blocking_pick_file();
    let Some(path) = chosen.and_then(|path| path.into_path().ok()) else {
        return Ok(Value::Null);
    };
    let found = find_binary(Some(&path)).map_err(|error| {
        let problem = error.problem();
        failed(
            problem.code,
            problem.message,
            "Choose the program syncthing itself.",
        )
    })?;
    settings::use_syncthing(home, &found.path).map_err(|error| bad_settings(&error))?;
    let shared = app.state::<Window>();
    let restarted = shared.restart();
    shared.look_again();
    done(&if restarted {
        format!("Using Syncthing {}.", found.version.text)
    } else {
        format!(
            "Syncthing {} will be used when session-roam restarts.",
            found.version.text
        )
    })
}

/// `null` if the user chose nothing.
fn choose_import(app: &AppHandle, title: &str, directory: bool) -> Result<Value, ApiError> {
    let dialog = app.dialog().file().set_title(title);
    let chosen = match directory {
        true => dialog.blocking_pick_folders(),
        false => dialog
            .add_filter(
                "Exports and transcripts",
                &["zip", "json", "jsonl", "md", "markdown", "txt"],
            )
            .blocking_pick_files(),
    };
    let chosen = chosen.into_iter().flatten();
    let paths: Vec<PathBuf> = chosen.filter_map(|path| path.into_path().ok()).collect();
    match paths.is_empty() {
        true => Ok(Value::Null),
        false => dropped::import(app, paths),
    }
}

fn about(app: &AppHandle, home: &Path) -> Result<About, ApiError> {
    // Whoever repairs a broken config.toml needs this answer.
    let settings = settings::load(home).unwrap_or_default();
    let shared = app.state::<Window>();
    let is_paired = || {
        shared
            .engine
            .know::<Devices>(&Request::Devices)
            .is_ok_and(|devices| !devices.paired.is_empty())
    };
    Ok(About {
        version: env!("CARGO_PKG_VERSION"),
        logs: log::dir(home),
        settings: settings::file(home),
        syncthing: transport(&settings, shared.engine.status().ok()),
        autostart: autolaunch(app).and_then(|switch| switch.is_enabled()).ok(),
        global_discovery: settings.network.global_discovery,
        local_discovery: settings.network.local_discovery,
        relays: settings.network.relays,
        // A user who paired on the command line has completed it.
        first_run: !first_run_marker(home).exists() && !is_paired(),
        no_tray: shared.no_tray(),
        releases: updates::address(),
        home: home.to_owned(),
    })
}

fn first_run_marker(home: &Path) -> PathBuf {
    home.join("first-run-done")
}

/// The Syncthing in use, and its version, while the engine runs one.
fn transport(settings: &settings::Settings, status: Option<Status>) -> String {
    let running = status.map(|status| status.syncthing).unwrap_or_default();
    let own = running.program.map(|program| program.display().to_string());
    let place = settings
        .syncthing
        .address
        .clone()
        .or(own)
        .unwrap_or_default();
    format!("{place} {}", running.version.unwrap_or_default())
        .trim()
        .to_owned()
}

fn autostart(app: &AppHandle, on: bool) -> Result<Value, ApiError> {
    let turned = autolaunch(app).and_then(|switch| match on {
        true => switch.enable(),
        false => disable(&switch),
    });
    turned.map_err(|error| {
        failed(
            ProblemCode::Autostart,
            format!("The system's list of startup programs could not be changed: {error}."),
            "Change it in the system's settings.",
        )
    })?;
    done(if on {
        "session-roam starts when you log in."
    } else {
        "session-roam no longer starts when you log in."
    })
}

/// A desktop file, a launch agent or a registry value that starts the tray.
fn autolaunch(app: &AppHandle) -> Result<AutoLaunch, auto_launch::Error> {
    // An AppImage is started as the file that the user has.
    #[cfg(target_os = "linux")]
    let image = app.env().appimage.map(PathBuf::from);
    #[cfg(not(target_os = "linux"))]
    let (image, _) = (None::<PathBuf>, app);
    let program = match image {
        Some(image) => image,
        None => programs::tray()?,
    };
    AutoLaunchBuilder::new()
        .set_app_name("session-roam")
        .set_app_path(&program.to_string_lossy())
        .set_args(&[programs::HIDDEN])
        .build()
}

/// On Windows an entry that is not there cannot be removed; elsewhere it can.
fn disable(switch: &AutoLaunch) -> Result<(), auto_launch::Error> {
    match switch.disable() {
        Err(auto_launch::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(())
        }
        done => done,
    }
}

/// The network settings are read when the engine starts, so our own engine is restarted.
fn network(app: &AppHandle, name: Switch, on: bool) -> Result<Value, ApiError> {
    let shared = app.state::<Window>();
    let key = value(name)?.as_str().unwrap_or_default().to_owned();
    settings::switch_network(shared.engine.home(), &key, on)
        .map_err(|error| bad_settings(&error))?;
    let restarted = shared.restart();
    shared.look_again();
    done(if restarted {
        "Changed."
    } else {
        "Changed. It takes effect when session-roam restarts."
    })
}

fn restart(app: &AppHandle) -> Result<Value, ApiError> {
    let shared = app.state::<Window>();
    let restarted = shared.restart();
    shared.look_again();
    is_ours(restarted)?;
    done("Started.")
}

fn is_ours(is_ours: bool) -> Result<(), ApiError> {
    let not_ours = || {
        failed(
            ProblemCode::NotOurs,
            "Another program runs the engine, so it is not restarted here.",
            "Quit that program, then try again.",
        )
    };
    is_ours.then_some(()).ok_or_else(not_ours)
}

fn open_link(app: &AppHandle, url: &str) -> Result<Value, ApiError> {
    if !["http://", "https://", "mailto:"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(failed(
            ProblemCode::BadLink,
            "This is not the address of a web page.",
            "Copy it if you trust it.",
        ));
    }
    let opened = app.opener().open_url(url, None::<&str>);
    opened.map_err(|error| {
        failed(
            ProblemCode::NotOpened,
            format!("No browser could be opened: {error}."),
            "Copy the address.",
        )
    })?;
    done("Opened in the browser.")
}

fn open_path(app: &AppHandle, home: &Path, path: &Path) -> Result<Value, ApiError> {
    if !programs::is_ours_to_open(home, path) {
        return Err(failed(
            ProblemCode::NotOurs,
            "This is not one of session-roam's folders.",
            "Open it in your file manager.",
        ));
    }
    let opened = app.opener().open_path(path.to_string_lossy(), None::<&str>);
    let hint = format!("It is {}", path.display());
    opened.map_err(|error| {
        failed(
            ProblemCode::NotOpened,
            format!("It could not be opened: {error}."),
            &hint,
        )
    })?;
    done("Opened.")
}

fn bad_settings(error: &settings::SettingsError) -> ApiError {
    failed(
        ProblemCode::Settings,
        format!("{error}."),
        "Fix config.toml.",
    )
    .offer(Remedy::OpenSettings)
}

fn value(answer: impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(answer).map_err(|error| {
        failed(
            ProblemCode::Internal,
            error.to_string(),
            "Please report it.",
        )
    })
}

fn done(message: &str) -> Result<Value, ApiError> {
    value(Done::new(message))
}

fn failed(code: ProblemCode, message: impl Into<String>, hint: &str) -> ApiError {
    ApiError::new(code, message, hint)
}
