//! The tray app: starts the engine or finds it running, shows its state in the panel, sends
//! notifications, and opens the window on request, in a process of its own. Stores no facts about
//! sessions of its own.

#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")] // no console

mod dropped;
mod follow;
mod log;
mod requests;
mod tray;
mod window;
mod window_process;
mod windows;

use session_roam_core::api::home;
use session_roam_tray::{engine::Engine, link::ToWindow, menu};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tauri::{AppHandle, Manager, RunEvent};
use tauri_plugin_notification::NotificationExt;
use window_process::WindowProcess;

const HELP: &str = "\
The tray app of session-roam.

  session-roam [--hidden] [LINK]

  --hidden   no window at the start: for starting with the desktop
  LINK       a pairing link (session-roam:…): opens the window with its code filled in

`roam --help` has everything for the command line, `roam run` the engine without a display.
";

/// No window at the start.
const HIDDEN: &str = "--hidden";
/// The first argument of the windows' process, which the tray starts.
const WINDOW: &str = "--window";

/// A panel may start later than the programs that start with the desktop.
const PANEL_PATIENCE: Duration = Duration::from_secs(15);

/// State shared by all parts of the tray app.
pub struct App {
    engine: Arc<Engine>,
    nudged: Mutex<bool>,
    nudge: Condvar,
    windows: WindowProcess,
    tray_failed: OnceLock<String>,
    quitting: AtomicBool,
}

impl App {
    fn new(engine: Arc<Engine>) -> Self {
        let (nudged, nudge) = (Mutex::new(false), Condvar::new());
        Self {
            engine,
            nudged,
            nudge,
            windows: WindowProcess::default(),
            tray_failed: OnceLock::new(),
            quitting: AtomicBool::new(false),
        }
    }

    /// Refreshes the display at once after an action.
    fn look_again(&self) {
        *self.nudged.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.nudge.notify_all();
    }

    fn rest(&self, at_most: Duration) {
        let nudged = self.nudged.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .nudge
            .wait_timeout_while(nudged, at_most, |nudged| !*nudged);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    fn note(&self, text: &str) {
        log::note(self.engine.home(), text);
    }
}

fn main() -> ExitCode {
    spare_memory();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if words.iter().any(|word| word == "--version") {
        println!("session-roam {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    match start(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn start(words: Vec<String>) -> Result<(), String> {
    const NO_DISPLAY: &str =
        "There is no display to show anything on. `roam run` runs the engine without one.";
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if cfg!(target_os = "linux") && !is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY") {
        return Err(NO_DISPLAY.into());
    }
    let home = home::home(home::Os::here(), |name| std::env::var_os(name))
        .and_then(|home| std::path::absolute(home).ok())
        .ok_or("This user's home directory is not known. Set SESSION_ROAM_HOME to one of your directories.")?;
    if words.first().is_some_and(|word| word == WINDOW) {
        return window::run(home).map_err(|error| format!("The window could not start: {error}."));
    }
    // The toolkit panics if the display cannot be reached.
    let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| build(home, words)));
    let app = built
        .map_err(|_| NO_DISPLAY.to_owned())?
        .map_err(|error| format!("It could not start: {error}."))?;
    app.run(|_app, event| match event {
        // `quit` ends with a code.
        RunEvent::ExitRequested {
            code: None, api, ..
        } => api.prevent_exit(),
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => window_process::open(_app, ""),
        _ => {}
    });
    Ok(())
}

fn context() -> tauri::Context {
    tauri::generate_context!()
}

fn build(home: std::path::PathBuf, words: Vec<String>) -> tauri::Result<tauri::App> {
    tauri::Builder::default()
        // First, so that a second start ends before anything else begins.
        .plugin(tauri_plugin_single_instance::init(|app, words, _| {
            second_start(app, &words[1..])
        }))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_notification::init())
        .setup(move |app| {
            begin(app.handle(), home, &words);
            Ok(())
        })
        .build(context())
}

fn begin(app: &AppHandle, home: std::path::PathBuf, words: &[String]) {
    log::note(&home, "started");
    app.manage(App::new(Engine::start(home)));
    let handle = app.clone();
    app.state::<App>().engine.on_change(move |standing| {
        handle.state::<App>().windows.tell(ToWindow::Engine {
            standing: standing.clone(),
        });
    });
    #[cfg(target_os = "macos")]
    let _ = app.set_activation_policy(tauri::ActivationPolicy::Accessory);
    let tray = tray::make(app);
    follow::start(app);
    end_with_the_system(app);
    let handle = app.clone();
    let _ = app.notification().on_action(move |done| {
        let click = done
            .notification()
            .and_then(|told| told.extra().get(follow::CLICK)?.as_str().map(str::to_owned));
        if let Some(action) = click.and_then(|id| menu::Action::parse(&id)) {
            tray::act(&handle, action);
        }
    });
    #[cfg(target_os = "macos")]
    {
        use tauri_plugin_deep_link::DeepLinkExt;
        let handle = app.clone();
        app.deep_link().on_open_url(move |event| {
            let links: Vec<String> = event.urls().iter().map(ToString::to_string).collect();
            second_start(&handle, &links);
        });
    }
    match (words.iter().any(|word| word == HIDDEN), tray) {
        (false, _) => second_start(app, words),
        (true, Ok(())) => {}
        (true, Err(why)) => without_panel(app, why),
    }
}

/// Somebody started the app again, or followed a link: show it.
fn second_start(app: &AppHandle, words: &[String]) {
    match words.iter().find_map(|word| menu::link(word)) {
        Some(action) => tray::act(app, action),
        None => window_process::open(app, ""),
    }
}

/// Without a window and without a panel the app would be invisible: the window opens and gives the
/// reason.
fn without_panel(app: &AppHandle, why: String) {
    let (app, start) = (app.clone(), std::time::Instant::now());
    std::thread::spawn(move || {
        while tray::host_missing().is_some() && start.elapsed() < PANEL_PATIENCE {
            std::thread::sleep(Duration::from_millis(500));
        }
        if tray::host_missing().is_some() || app.tray_by_id("main").is_none() {
            app.state::<App>().note(&why);
            let _ = app
                .state::<App>()
                .tray_failed
                .set(why)
                .is_ok_and(|()| app.tray_by_id("main").is_none());
            window_process::open(&app, "");
        }
    });
}

/// Ends the engine in good order first; nothing is interrupted.
pub fn quit(app: &AppHandle) {
    let app = app.clone();
    std::thread::spawn(move || {
        let shared = app.state::<App>();
        if !shared.quitting.swap(true, Ordering::SeqCst) {
            shared.engine.stop();
            shared.note("ended");
            app.exit(0);
        }
    });
}

#[cfg(unix)]
fn end_with_the_system(app: &AppHandle) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let app = app.clone();
    match signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) {
        Ok(mut signals) => drop(std::thread::spawn(move || {
            signals.forever().for_each(|_| quit(&app))
        })),
        Err(error) => eprintln!("Signals are not heard: {error}."),
    }
}

#[cfg(not(unix))]
fn end_with_the_system(_: &AppHandle) {}

/// A plain page needs no graphics card. Without its libraries the tray is a third smaller, and
/// buffers shared with the card are the usual cause of blank windows. Set the variables to use
/// them.
fn spare_memory() {
    #[cfg(target_os = "linux")]
    for (name, value) in [
        ("GDK_GL", "disable"),
        ("WEBKIT_DISABLE_DMABUF_RENDERER", "1"),
    ] {
        if std::env::var_os(name).is_none() {
            // SAFETY: the first thing main does; no other thread runs yet.
            unsafe { std::env::set_var(name, value) };
        }
    }
}
