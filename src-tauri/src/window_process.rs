//! The process in which the windows live, as the tray sees it. The web engine keeps much memory after its last window is
//! closed (60 MB, WebKitGTK 2.50.6, 2026-11-23), so it has a program of its own whose process ends with that window.

use crate::App;
use session_roam_core::daemon::identity;
use session_roam_tray::link::{self, ToTray, ToWindow};
use session_roam_tray::programs;
use std::collections::VecDeque;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Messages that a process has not read yet. One that reads none loses the ones after these; it asks for the status itself
/// when it goes on.
const MOST_UNREAD: usize = 64;
/// How long a process may take to end after its last window.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// How often a window is tried that no process could open.
const MOST_TRIES: u32 = 3;

#[derive(Default)]
pub struct WindowProcess(Mutex<State>);

#[derive(Default)]
struct State {
    running: Option<SyncSender<ToWindow>>,
    /// Windows that no process has opened yet. A process that is about to end may have read the message and not act on it.
    asked: VecDeque<ToWindow>,
    tries: u32,
    has_focus: bool,
}

impl WindowProcess {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_open(&self) -> bool {
        self.lock().running.is_some()
    }

    pub fn has_focus(&self) -> bool {
        self.lock().has_focus
    }

    /// Tells the windows, if there are any.
    pub fn tell(&self, message: ToWindow) {
        if let Some(windows) = &self.lock().running {
            let _ = windows.try_send(message);
        }
    }
}

/// Opens the window at an address within it, or brings it to the front; `""` keeps its address.
pub fn open(app: &Arc<App>, place: &str) {
    ask(
        app,
        ToWindow::Open {
            place: place.into(),
        },
    );
}

/// A split in a window of its own.
pub fn compare(app: &Arc<App>, session: &str) {
    ask(
        app,
        ToWindow::Compare {
            session: session.into(),
        },
    );
}

/// Never blocks: a menu's click comes from the event loop.
fn ask(app: &Arc<App>, wanted: ToWindow) {
    let app = app.clone();
    std::thread::spawn(move || {
        let mut state = app.windows.lock();
        state.asked.push_back(wanted.clone());
        state.tries = 0;
        match &state.running {
            Some(windows) => drop(windows.try_send(wanted)),
            None => start(&app, &mut state),
        }
    });
}

fn start(app: &Arc<App>, state: &mut State) {
    state.tries += 1;
    match spawn() {
        Ok(child) => state.running = Some(serve(app, child, &state.asked)),
        Err(error) => {
            state.asked.clear();
            app.note(&format!("The window could not be opened: {error}."));
        }
    }
}

fn spawn() -> std::io::Result<Child> {
    let mut command = Command::new(programs::window()?);
    // Desktops match windows to their launcher by this name.
    #[cfg(target_os = "linux")]
    std::os::unix::process::CommandExt::arg0(&mut command, "session-roam");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}

/// Two threads: what is sent must not wait for a busy process, and its messages come at any time.
fn serve(app: &Arc<App>, mut child: Child, asked: &VecDeque<ToWindow>) -> SyncSender<ToWindow> {
    let (send, sent) = sync_channel::<ToWindow>(MOST_UNREAD);
    let (mut to, from) = (child.stdin.take(), child.stdout.take());
    let standing = app.engine.standing();
    let no_tray = app
        .tray_failed
        .get()
        .map(|why| ToWindow::NoTray { why: why.clone() });
    let first = std::iter::once(ToWindow::Engine { standing })
        .chain(no_tray)
        .chain(asked.iter().cloned());
    for message in first {
        let _ = send.try_send(message);
    }
    std::thread::spawn(move || {
        while let (Ok(message), Some(to)) = (sent.recv(), &mut to) {
            if link::write(to, &message).is_err() {
                break;
            }
        }
    });
    let app = app.clone();
    std::thread::spawn(move || {
        if let Some(from) = from {
            link::read(from, |message| hear(&app, message));
        }
        end(&mut child);
        ended(&app);
    });
    send
}

fn hear(app: &Arc<App>, message: ToTray) {
    match message {
        ToTray::Opened => {
            let mut state = app.windows.lock();
            state.asked.pop_front();
            state.tries = 0;
        }
        ToTray::LookAgain => app.look_again(),
        ToTray::StartEngine => app.engine.start_again(),
        ToTray::RestartEngine => {
            let engine = app.engine.clone();
            std::thread::spawn(move || engine.restart());
        }
        ToTray::NewIdentity => new_identity(app),
        ToTray::Focus { on } => app.windows.lock().has_focus = on,
    }
}

/// The result is reported at the end: the engine stops first, which takes a moment.
fn new_identity(app: &Arc<App>) {
    let app = app.clone();
    std::thread::spawn(move || {
        let (title, body) = match app.engine.restart_after(identity::new_identity) {
            Some(Ok(_)) => (
                "This device has a new identity",
                "Pair it with your other devices again.".to_owned(),
            ),
            Some(Err(error)) => (
                "This device keeps its identity",
                format!("{} {}", error.message, error.hint),
            ),
            None => return,
        };
        app.note(&format!("{title}. {body}"));
        app.windows.tell(ToWindow::Notice {
            title: title.into(),
            body: body.trim().into(),
        });
        app.look_again();
    });
}

/// Its windows are gone; what is left of it must not stay.
fn end(child: &mut Child) {
    let begun = Instant::now();
    while let Ok(None) = child.try_wait() {
        if END_PATIENCE < begun.elapsed() {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A window that was asked for while the last one was closed is opened by another process.
fn ended(app: &Arc<App>) {
    let mut state = app.windows.lock();
    (state.running, state.has_focus) = (None, false);
    if state.asked.is_empty() {
        return;
    }
    if state.tries < MOST_TRIES {
        return start(app, &mut state);
    }
    state.asked.clear();
    drop(state);
    app.note("The window could not be opened: its process ended each time.");
}
