//! The process of the windows: started by the tray with the first one, ends with the last one, or with the tray.

use crate::{dropped, requests, windows};
use session_roam_tray::engine::{Caller, Standing};
use session_roam_tray::link::{self, ToTray, ToWindow};
use std::path::PathBuf;
use std::sync::OnceLock;
use tauri::{AppHandle, Emitter, Manager, RunEvent, WindowEvent};

/// State shared by all windows.
pub struct Window {
    pub engine: Caller,
    no_tray: OnceLock<String>,
}

impl Window {
    pub fn no_tray(&self) -> Option<String> {
        self.no_tray
            .get()
            .cloned()
            .or_else(crate::tray::host_missing)
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
        let is_ours = !matches!(*self.engine.settled(), Standing::Theirs);
        if is_ours {
            self.engine.set(Standing::Starting);
            tell(ToTray::RestartEngine);
        }
        is_ours
    }
}

/// Tells the tray. If it is gone this process ends, too.
pub fn tell(message: ToTray) {
    let _ = link::write(&mut std::io::stdout().lock(), &message);
}

pub fn run(home: PathBuf) -> tauri::Result<()> {
    use tauri_plugin_window_state::StateFlags;
    let flags = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    let app = tauri::Builder::default()
        .plugin(
            tauri_plugin_autostart::Builder::new()
                .args([crate::HIDDEN])
                .app_name("session-roam")
                .build(),
        )
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
        .build(crate::context())?;
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
