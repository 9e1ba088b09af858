//! The program of the windows: started by the tray with the first one, ends with the last one, or with the tray. All that
//! links the web engine is here.

#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")] // no console

mod dropped;
mod requests;
mod windows;

use session_roam_tray::engine::{Caller, Standing};
use session_roam_tray::link::{self, ToTray, ToWindow};
use session_roam_tray::{panel, programs};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;
use tauri::{AppHandle, Emitter, Manager, RunEvent, WindowEvent};

/// State shared by all windows.
pub struct Window {
    pub engine: Caller,
    no_tray: OnceLock<String>,
}

impl Window {
    pub fn no_tray(&self) -> Option<String> {
        self.no_tray.get().cloned().or_else(panel::missing)
    }

    /// Refreshes the display at once after an action.
    pub fn look_again(&self) {
        tell(ToTray::LookAgain);
    }

    pub fn start_again(&self) {
        tell(ToTray::StartEngine);
    }

    /// For settings that are read at the start. False if the engine is not ours to restart.
    pub fn restart(&self) -> bool {
        self.stop_for(ToTray::RestartEngine)
    }

    /// False if the engine is not ours to stop for it.
    pub fn new_identity(&self) -> bool {
        self.stop_for(ToTray::NewIdentity)
    }

    fn stop_for(&self, message: ToTray) -> bool {
        let is_ours = !matches!(*self.engine.settled(), Standing::Theirs);
        if is_ours {
            self.engine.set(Standing::Starting);
            tell(message);
        }
        is_ours
    }
}

/// Tells the tray. If it is gone this process ends, too.
pub fn tell(message: ToTray) {
    let _ = link::write(&mut std::io::stdout().lock(), &message);
}

fn main() -> ExitCode {
    spare_memory();
    if std::io::stdin().is_terminal() {
        eprintln!(
            "This program shows the windows of session-roam, which starts it. Start `session-roam`."
        );
        return ExitCode::FAILURE;
    }
    let ran = programs::home().and_then(|home| {
        run(home).map_err(|error| format!("The window could not start: {error}."))
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(home: PathBuf) -> tauri::Result<()> {
    use tauri_plugin_window_state::StateFlags;
    let flags = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_dialog::init())
        .plugin(
            tauri_plugin_opener::Builder::new()
                .open_js_links_on_click(false)
                .build(),
        )
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_state_flags(flags)
                .build(),
        )
        .invoke_handler(tauri::generate_handler![requests::roam])
        .setup(move |app| {
            app.manage(Window {
                engine: Caller::new(home, Standing::Starting),
                no_tray: OnceLock::new(),
            });
            let app = app.handle().clone();
            std::thread::spawn(move || {
                link::read(std::io::stdin().lock(), |message| hear(&app, message));
                app.exit(0);
            });
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(|app, event| match event {
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => windows::open(app, ""),
        RunEvent::WindowEvent {
            event: WindowEvent::Focused(_) | WindowEvent::Destroyed,
            ..
        } => {
            let on = app
                .webview_windows()
                .values()
                .any(|window| window.is_focused().unwrap_or(false));
            tell(ToTray::Focus { on });
        }
        RunEvent::WindowEvent {
            label,
            event: WindowEvent::DragDrop(event),
            ..
        } => dropped::drag(app, &label, &event),
        _ => {}
    });
    Ok(())
}

fn hear(app: &AppHandle, message: ToWindow) {
    let shared = app.state::<Window>();
    match message {
        ToWindow::Open { place } => windows::open(app, &place),
        ToWindow::Compare { session } => windows::compare(app, &session),
        ToWindow::Engine { standing } => shared.engine.set(standing),
        ToWindow::NoTray { why } => drop(shared.no_tray.set(why)),
        ToWindow::Status { status } => drop(app.emit("status", status)),
        ToWindow::Notice { title, body } => drop(app.emit(
            "notice",
            serde_json::json!({ "title": title, "body": body }),
        )),
    }
}

/// A plain page needs no graphics card. Without its libraries the windows need a third less memory,
/// and buffers shared with the card are the usual cause of blank windows. Set the variables to use
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
