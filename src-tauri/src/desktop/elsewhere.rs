//! macOS and Windows: Tauri draws icon and menu, shows notifications, finds the first instance and receives links. It opens no
//! window here: the web engine is the system's, and only the windows' process starts it.

use super::Shown;
use crate::{App, NO_DISPLAY, act, begin, icons, second_start};
use session_roam_tray::engine::Engine;
use session_roam_tray::menu::{Action, Icon, Item, rows};
use session_roam_tray::news::News;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Manager, RunEvent, Wry};
use tauri_plugin_notification::NotificationExt;

const ID: &str = "main";
/// The key of a notification's click action.
const CLICK: &str = "click";

pub struct Desktop {
    handle: AppHandle,
    shown: Mutex<Drawn>,
}

pub fn run(home: PathBuf, words: Vec<String>) -> Result<(), String> {
    // The toolkit panics if the display cannot be reached.
    let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| build(home, words)));
    let app = built
        .map_err(|_| NO_DISPLAY.to_owned())?
        .map_err(|error| format!("It could not start: {error}."))?;
    app.run(|_handle, event| match event {
        // `quit` ends with a code.
        RunEvent::ExitRequested {
            code: None, api, ..
        } => api.prevent_exit(),
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => second_start(&_handle.state::<Arc<App>>(), &[]),
        _ => {}
    });
    Ok(())
}

fn build(home: PathBuf, words: Vec<String>) -> tauri::Result<tauri::App> {
    tauri::Builder::default()
        // First, so that a second start ends before anything else begins.
        .plugin(tauri_plugin_single_instance::init(|handle, words, _| {
            second_start(&handle.state::<Arc<App>>(), &words[1..])
        }))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_notification::init())
        .setup(move |tauri| {
            let handle = tauri.handle();
            let app = App::new(
                Engine::start(home),
                Desktop {
                    handle: handle.clone(),
                    shown: Mutex::default(),
                },
            );
            tauri.manage(app.clone());
            #[cfg(target_os = "macos")]
            let _ = handle.set_activation_policy(tauri::ActivationPolicy::Accessory);
            let tray = make(handle);
            receive(handle, &app);
            begin(&app, tray, &words);
            Ok(())
        })
        .build(tauri::generate_context!())
}

/// Clicks on notifications, and on macOS links.
fn receive(handle: &AppHandle, app: &Arc<App>) {
    let clicked = app.clone();
    let _ = handle.notification().on_action(move |done| {
        let click = done
            .notification()
            .and_then(|told| told.extra().get(CLICK)?.as_str().map(str::to_owned));
        if let Some(action) = click.and_then(|id| Action::parse(&id)) {
            act(&clicked, action);
        }
    });
    #[cfg(target_os = "macos")]
    {
        use tauri_plugin_deep_link::DeepLinkExt;
        let app = app.clone();
        handle.deep_link().on_open_url(move |event| {
            let links: Vec<String> = event.urls().iter().map(ToString::to_string).collect();
            second_start(&app, &links);
        });
    }
}

/// Creates the icon. An error gives the reason why none is shown.
fn make(handle: &AppHandle) -> Result<(), String> {
    let built = TrayIconBuilder::with_id(ID)
        .icon_as_template(true)
        .tooltip("session-roam")
        .on_menu_event(|handle, event| {
            if let Some(action) = Action::parse(event.id().as_ref()) {
                act(&handle.state::<Arc<App>>(), action);
            }
        });
    let built = image(Icon::Idle).and_then(|image| built.icon(image).build(handle));
    built
        .map(drop)
        .map_err(|error| format!("The system shows no icon: {error}."))
}

impl Desktop {
    pub fn has_icon(&self) -> bool {
        self.handle.tray_by_id(ID).is_some()
    }

    pub fn show(&self, app: &App, now: Shown) {
        let Some(tray) = self.handle.tray_by_id(ID) else {
            return;
        };
        let mut drawn = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = drawn.show_in(&self.handle, &tray, now) {
            app.note(&format!("The menu could not be shown: {error}."));
        }
    }

    pub fn tell(&self, app: &Arc<App>, news: &News) {
        let builder = self.handle.notification().builder();
        let shown = builder
            .title(&news.title)
            .body(&news.body)
            .extra(CLICK, news.click.id())
            .show();
        if let Err(error) = shown {
            app.note(&format!("The notification could not be shown: {error}."));
        }
    }

    pub fn exit(&self) {
        self.handle.exit(0);
    }
}

/// The menu as last shown: its items, and the toolkit's own items that have text.
#[derive(Default)]
struct Drawn {
    items: Vec<Item>,
    rows: Vec<Option<MenuItem<Wry>>>,
    icon: Option<Icon>,
    tooltip: String,
}

impl Drawn {
    fn show_in(&mut self, handle: &AppHandle, tray: &TrayIcon, now: Shown) -> tauri::Result<()> {
        if self.icon != Some(now.icon) {
            tray.set_icon(Some(image(now.icon)?))?;
            tray.set_icon_as_template(true)?;
            self.icon = Some(now.icon);
        }
        if self.tooltip != now.tooltip {
            tray.set_tooltip(Some(&now.tooltip))?;
            self.tooltip = now.tooltip;
        }
        let (before, after) = (rows(&self.items), rows(&now.items));
        if before
            .iter()
            .map(|(kind, _)| kind)
            .eq(after.iter().map(|(kind, _)| kind))
        {
            for ((before, after), row) in before.iter().zip(&after).zip(&self.rows) {
                if let Some(row) = row.as_ref().filter(|_| before.1 != after.1) {
                    row.set_text(text(after.1))?;
                }
            }
        } else {
            let menu = Menu::new(handle)?;
            self.rows.clear();
            for item in &now.items {
                menu.append(&*draw(handle, item, &mut self.rows)?)?;
            }
            tray.set_menu(Some(menu))?;
        }
        self.items = now.items;
        Ok(())
    }
}

fn draw(
    handle: &AppHandle,
    item: &Item,
    rows: &mut Vec<Option<MenuItem<Wry>>>,
) -> tauri::Result<Box<dyn IsMenuItem<Wry>>> {
    let row = match item {
        Item::Said(label) => MenuItem::new(handle, text(label), false, None::<&str>)?,
        Item::Act(action, label) => {
            MenuItem::with_id(handle, action.id(), text(label), true, None::<&str>)?
        }
        Item::Line => {
            rows.push(None);
            return Ok(Box::new(PredefinedMenuItem::separator(handle)?));
        }
        Item::Sub(label, items) => {
            rows.push(None);
            let menu = Submenu::new(handle, text(label), true)?;
            for item in items {
                menu.append(&*draw(handle, item, rows)?)?;
            }
            return Ok(Box::new(menu));
        }
    };
    rows.push(Some(row.clone()));
    Ok(Box::new(row))
}

/// A single `&` marks the access key.
fn text(label: &str) -> String {
    label.replace('&', "&&")
}

fn image(icon: Icon) -> tauri::Result<Image<'static>> {
    Image::from_bytes(icons::png(icon))
}
