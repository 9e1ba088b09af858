//! The tray app: starts the engine or finds it running, shows its state in the panel, sends
//! notifications, and opens the window on request, in a process of its own. Stores no facts about
//! sessions of its own. Links no web engine on Linux: this process runs all day.

#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")] // no console

mod act;
mod desktop;
mod follow;
mod icons;
mod window_process;

use act::act;
use desktop::Desktop;
use session_roam_core::daemon::host::STOP_PATIENCE;
use session_roam_tray::{engine::Engine, link::ToWindow, log, menu, panel, programs};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use window_process::WindowProcess;

const HELP: &str = "\
The tray app of session-roam.

  session-roam [--hidden] [LINK]

  --hidden   no window at the start: for starting with the desktop
  LINK       a pairing link (session-roam:…): opens the window with its code filled in

`roam --help` has everything for the command line, `roam run` the engine without a display.
";

const NO_DISPLAY: &str =
    "There is no display to show anything on. `roam run` runs the engine without one.";

/// A panel may start later than the programs that start with the desktop.
const PANEL_PATIENCE: Duration = Duration::from_secs(15);

/// State shared by all parts of the tray app.
pub struct App {
    engine: Arc<Engine>,
    desktop: Desktop,
    nudged: Mutex<bool>,
    nudge: Condvar,
    windows: WindowProcess,
    tray_failed: OnceLock<String>,
    quitting: AtomicBool,
}

impl App {
    fn new(engine: Arc<Engine>, desktop: Desktop) -> Arc<Self> {
        let (nudged, nudge) = (Mutex::new(false), Condvar::new());
        Arc::new(Self {
            engine,
            desktop,
            nudged,
            nudge,
            windows: WindowProcess::default(),
            tray_failed: OnceLock::new(),
            quitting: AtomicBool::new(false),
        })
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

    #[cfg(target_os = "linux")]
    fn is_quitting(&self) -> bool {
        self.quitting.load(Ordering::SeqCst)
    }

    fn note(&self, text: &str) {
        log::note(self.engine.home(), text);
    }
}

fn main() -> ExitCode {
    session_roam_core::memory::hold_little();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if words.iter().any(|word| word == "--version") {
        println!("session-roam {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    match programs::home().and_then(|home| desktop::run(home, words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Starts everything but the icon; called once, by the only instance.
fn begin(app: &Arc<App>, tray: Result<(), String>, words: &[String]) {
    app.note("started");
    let told = Arc::downgrade(app);
    app.engine.on_change(move |standing| {
        if let Some(app) = told.upgrade() {
            app.windows.tell(ToWindow::Engine {
                standing: standing.clone(),
            });
        }
    });
    follow::start(app);
    end_with_the_system(app);
    match (words.iter().any(|word| word == programs::HIDDEN), tray) {
        (false, _) => second_start(app, words),
        (true, Ok(())) => {}
        (true, Err(why)) => without_panel(app, why),
    }
}

/// Somebody started the app again, or followed a link: show it.
fn second_start(app: &Arc<App>, words: &[String]) {
    match words.iter().find_map(|word| menu::link(word)) {
        Some(action) => act(app, action),
        None => window_process::open(app, ""),
    }
}

/// Without a window and without a panel the app would be invisible: the window opens and gives the
/// reason.
fn without_panel(app: &Arc<App>, why: String) {
    let (app, start) = (app.clone(), Instant::now());
    std::thread::spawn(move || {
        while panel::missing().is_some() && start.elapsed() < PANEL_PATIENCE {
            std::thread::sleep(Duration::from_millis(500));
        }
        if panel::missing().is_none() && app.desktop.has_icon() {
            return;
        }
        app.note(&why);
        if !app.desktop.has_icon() {
            let _ = app.tray_failed.set(why);
        }
        window_process::open(&app, "");
    });
}

/// Ends the engine in good order first; what it does not finish in time, its next start does.
fn quit(app: &Arc<App>) {
    let app = app.clone();
    std::thread::spawn(move || {
        if !app.quitting.swap(true, Ordering::SeqCst) {
            let waiting = app.clone();
            std::thread::spawn(move || {
                std::thread::sleep(STOP_PATIENCE);
                let stage = waiting.engine.stage();
                waiting.note(&format!("ended without waiting for {}", stage.words()));
                waiting.desktop.exit();
            });
            app.engine.stop();
            app.note("ended");
            app.desktop.exit();
        }
    });
}

#[cfg(unix)]
fn end_with_the_system(app: &Arc<App>) {
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
fn end_with_the_system(_: &Arc<App>) {}
