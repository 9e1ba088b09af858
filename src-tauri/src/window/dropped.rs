//! What the user drops on a window: a picture goes to the page, which reads the pairing code in it; everything else is
//! imported by the engine. The page learns no path and may ask for none: a path comes from the user's own hand.

use crate::Window;
use data_encoding::BASE64;
use serde::Serialize;
use session_roam_core::api::{ApiError, Request};
use session_roam_core::opener;
use session_roam_core::session::ProblemCode;
use std::path::{Path, PathBuf};
use tauri::{AppHandle, DragDropEvent, Emitter, EventTarget, Manager};

/// The bytes of a picture that the page gets; a photo of a screen has fewer.
const LARGEST_PICTURE: u64 = 32 << 20;
const PICTURES: [&str; 7] = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "avif"];

/// The messages to the page. Only the last one carries content.
#[derive(Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Drag {
    /// The user drags files over the window.
    Over { is_picture: bool },
    /// Nothing is dragged any more.
    Gone,
    /// The import did not begin.
    Refused { error: ApiError },
    /// A picture was dropped: its bytes in base64.
    Picture { data: String },
}

pub fn drag(app: &AppHandle, label: &str, event: &DragDropEvent) {
    match event {
        // What is dragged within a page, like a link, has no file.
        DragDropEvent::Enter { paths, .. } if files(paths).is_empty() => {}
        DragDropEvent::Enter { paths, .. } => {
            let is_picture = picture(&files(paths)).is_some();
            tell(app, label, Drag::Over { is_picture });
        }
        DragDropEvent::Drop { paths, .. } => {
            tell(app, label, Drag::Gone);
            let (app, label, paths) = (app.clone(), label.to_owned(), files(paths));
            // Outside the event loop: the engine may take its time.
            tauri::async_runtime::spawn_blocking(move || drop_files(&app, &label, paths));
        }
        DragDropEvent::Leave => tell(app, label, Drag::Gone),
        _ => {}
    }
}

fn drop_files(app: &AppHandle, label: &str, paths: Vec<PathBuf>) {
    if paths.is_empty() {
        return;
    }
    if let Some(path) = picture(&paths) {
        let told = match opener::read(path, LARGEST_PICTURE) {
            Ok(bytes) => Drag::Picture {
                data: BASE64.encode(&bytes),
            },
            Err(error) => Drag::Refused {
                error: ApiError::new(
                    ProblemCode::Unreadable,
                    format!("The picture cannot be read: {error}."),
                    "Choose a smaller one.",
                ),
            },
        };
        return tell(app, label, told);
    }
    if let Err(error) = import(app, paths) {
        tell(app, label, Drag::Refused { error });
    }
}

/// Has the engine import files that the user dropped or chose.
pub fn import(app: &AppHandle, paths: Vec<PathBuf>) -> Result<serde_json::Value, ApiError> {
    let shared = app.state::<Window>();
    let answer = shared.engine.ask(&Request::Import { paths });
    shared.look_again();
    answer
}

/// The paths of real files and directories.
fn files(paths: &[PathBuf]) -> Vec<PathBuf> {
    let real = paths
        .iter()
        .filter(|path| path.is_absolute() && path.exists());
    real.cloned().collect()
}

/// The path, if it is a single picture.
fn picture(paths: &[PathBuf]) -> Option<&Path> {
    let [path] = paths else {
        return None;
    };
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    PICTURES.contains(&ending.as_str()).then_some(path)
}

fn tell(app: &AppHandle, label: &str, told: Drag) {
    let _ = app.emit_to(EventTarget::webview_window(label), "drag", told);
}
