//! Windows, created on request and destroyed when closed. Runs in the windows' process.

use crate::tell;
use session_roam_tray::link::ToTray;
use session_roam_tray::menu::place;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tauri::webview::{PermissionKind, PermissionResponse};
use tauri::{AppHandle, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder};

const MAIN: &str = "main";

/// Opens the window at an address within it, or brings it to the front; `""` keeps its address.
pub fn open(app: &AppHandle, place: &str) {
    show(app, MAIN, place);
}

/// A split in a window of its own.
pub fn compare(app: &AppHandle, session: &str) {
    // Characters that a label may contain; the capability matches windows by prefix.
    let label: String = session
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
        .collect();
    show(app, &format!("split-{label}"), &place("split", session));
}

/// One window at a time is opened or brought to the front, so that two clicks make one.
static OPENING: Mutex<()> = Mutex::new(());

/// How long a closed window may take to disappear.
const GONE_PATIENCE: Duration = Duration::from_secs(10);

/// Windows are created outside the event loop: on Windows, creating one inside a handler blocks
/// both.
fn show(app: &AppHandle, label: &str, place: &str) {
    let (app, label, place) = (app.clone(), label.to_owned(), place.to_owned());
    tauri::async_runtime::spawn_blocking(move || {
        let _one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        match bring_or_build(&app, &label, &place) {
            Ok(()) => tell(ToTray::Opened),
            Err(error) => {
                eprintln!("The window could not be opened: {error}.");
                // Another process may be able to.
                if app.webview_windows().is_empty() {
                    app.exit(1);
                }
            }
        }
    });
}

/// A window that was just closed stays listed until the loop handles its end. Until then every call
/// to it is lost without an error; only a query fails.
fn bring_or_build(app: &AppHandle, label: &str, place: &str) -> tauri::Result<()> {
    let start = Instant::now();
    while let Some(window) = app.get_webview_window(label) {
        let brought = bring(&window, place).and_then(|()| window.is_visible());
        if brought.is_ok() || GONE_PATIENCE < start.elapsed() {
            return brought.map(drop);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    build(app, label, place)
}

fn bring(window: &WebviewWindow, place: &str) -> tauri::Result<()> {
    if !place.is_empty() {
        let mut url = window.url()?;
        url.set_fragment(Some(place.trim_start_matches('#')));
        window.navigate(url)?;
    }
    window.unminimize()?;
    window.show()?;
    window.set_focus()
}

/// The window is shown when it is complete: one that is closed before it is listed would stay
/// listed for ever, and one that is closed while its size is restored would stop the event loop.
fn build(app: &AppHandle, label: &str, place: &str) -> tauri::Result<()> {
    let page = WebviewUrl::App(format!("index.html{place}").into());
    let builder = WebviewWindowBuilder::new(app, label, page)
        .title("session-roam")
        .inner_size(960.0, 640.0)
        .min_inner_size(480.0, 400.0)
        .on_navigation(is_ours)
        .on_permission_request(|_, kind| permission(&kind))
        .visible(false);
    let window = builder.build()?;
    window.show()?;
    window.set_focus()
}

/// The page asks for the camera after the user's click on its button, to read a pairing code, and for nothing else.
/// WebKitGTK asks nobody: unanswered, the picture stays black. The other systems ask the user themselves.
fn permission(kind: &PermissionKind) -> PermissionResponse {
    match kind {
        PermissionKind::Camera if cfg!(target_os = "linux") => PermissionResponse::Allow,
        PermissionKind::Camera => PermissionResponse::Default,
        _ => PermissionResponse::Deny,
    }
}

/// The page never navigates elsewhere; links are opened in the browser, by `open_link`.
fn is_ours(url: &Url) -> bool {
    url.scheme() == "tauri" || url.host_str() == Some("tauri.localhost")
}
