//! The icon in the panel and its menu, drawn by the system. Their content is decided in
//! `session_roam_tray::menu`.

use crate::{App, window_process};
use session_roam_core::api::{Request, Resume};
use session_roam_core::session::Millis;
use session_roam_tray::menu::{Action, Icon, Item, place, rows};
use session_roam_tray::terminal;
use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Manager, Wry, include_image};

const ID: &str = "main";

/// Creates the icon, or returns why there is none.
pub fn make(app: &AppHandle) -> Result<(), String> {
    let builder = TrayIconBuilder::with_id(ID)
        .icon(image(Icon::Idle))
        .icon_as_template(true)
        .tooltip("session-roam")
        .on_menu_event(|app, event| {
            if let Some(action) = Action::parse(event.id().as_ref()) {
                act(app, action);
            }
        });
    // On Linux the toolkit's library is only loaded here; its wrapper panics if it is not
    // installed.
    let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| builder.build(app)));
    match built {
        Ok(Ok(_)) => host_missing().map_or(Ok(()), Err),
        Ok(Err(error)) => Err(format!("The system shows no icon: {error}.")),
        Err(_) => {
            Err("The library for icons in the panel is not installed (Debian: libayatana-appindicator3-1).".into())
        }
    }
}

/// The menu as last shown: its items, and the toolkit's own items that have text.
#[derive(Default)]
pub struct Shown {
    items: Vec<Item>,
    drawn: Vec<Option<MenuItem<Wry>>>,
    icon: Option<Icon>,
    tooltip: String,
}

impl Shown {
    pub fn show(&mut self, app: &AppHandle, items: Vec<Item>, icon: Icon, tooltip: String) {
        let Some(tray) = app.tray_by_id(ID) else {
            return;
        };
        if let Err(error) = self.show_in(app, &tray, items, icon, tooltip) {
            app.state::<App>()
                .note(&format!("The menu could not be shown: {error}."));
        }
    }

    fn show_in(
        &mut self,
        app: &AppHandle,
        tray: &TrayIcon,
        items: Vec<Item>,
        icon: Icon,
        tooltip: String,
    ) -> tauri::Result<()> {
        if self.icon != Some(icon) {
            tray.set_icon(Some(image(icon)))?;
            tray.set_icon_as_template(true)?;
            self.icon = Some(icon);
        }
        // Linux shows none: its panels have no place for it in the toolkit's protocol.
        if self.tooltip != tooltip {
            tray.set_tooltip(Some(&tooltip))?;
            self.tooltip = tooltip;
        }
        let (before, now) = (rows(&self.items), rows(&items));
        if before
            .iter()
            .map(|(kind, _)| kind)
            .eq(now.iter().map(|(kind, _)| kind))
        {
            for ((before, now), row) in before.iter().zip(&now).zip(&self.drawn) {
                if let Some(row) = row.as_ref().filter(|_| before.1 != now.1) {
                    row.set_text(text(now.1))?;
                }
            }
        } else {
            let menu = Menu::new(app)?;
            self.drawn.clear();
            for item in &items {
                menu.append(&*draw(app, item, &mut self.drawn)?)?;
            }
            tray.set_menu(Some(menu))?;
        }
        self.items = items;
        Ok(())
    }
}

fn draw(
    app: &AppHandle,
    item: &Item,
    drawn: &mut Vec<Option<MenuItem<Wry>>>,
) -> tauri::Result<Box<dyn IsMenuItem<Wry>>> {
    let row = match item {
        Item::Said(label) => MenuItem::new(app, text(label), false, None::<&str>)?,
        Item::Act(action, label) => {
            MenuItem::with_id(app, action.id(), text(label), true, None::<&str>)?
        }
        Item::Line => {
            drawn.push(None);
            return Ok(Box::new(PredefinedMenuItem::separator(app)?));
        }
        Item::Sub(label, items) => {
            drawn.push(None);
            let menu = Submenu::new(app, text(label), true)?;
            for item in items {
                menu.append(&*draw(app, item, drawn)?)?;
            }
            return Ok(Box::new(menu));
        }
    };
    drawn.push(Some(row.clone()));
    Ok(Box::new(row))
}

/// A single `&` marks the access key.
fn text(label: &str) -> String {
    label.replace('&', "&&")
}

/// Runs the action of a click in the menu or on a notification. Never blocks: the event loop calls
/// it.
pub fn act(app: &AppHandle, action: Action) {
    let ask = |request: Request| {
        let app = app.clone();
        tauri::async_runtime::spawn_blocking(move || {
            let shared = app.state::<App>();
            if let Err(error) = shared.engine.ask(&request) {
                shared.note(&format!("{}: {} {}", error.code, error.message, error.hint));
            }
            shared.look_again();
        });
    };
    match action {
        Action::Open(place) => window_process::open(app, &place),
        Action::Compare(session) => window_process::compare(app, &session),
        Action::Resume(session) => resume(app, session),
        Action::Pause(pause) => {
            let until = pause.until(&jiff::Zoned::now()).map(Millis::rfc3339);
            ask(Request::Pause { until });
        }
        Action::Continue => ask(Request::Continue),
        Action::Start => app.state::<App>().engine.start_again(),
        Action::Quit => crate::quit(app),
    }
}

/// Straight into the terminal if there is no obstacle; otherwise the window explains it.
fn resume(app: &AppHandle, session: String) {
    let app = app.clone();
    tauri::async_runtime::spawn_blocking(move || {
        let engine = &app.state::<App>().engine;
        let known = engine.know::<Resume>(&Request::Resume {
            session: session.clone(),
        });
        let started = known
            .is_ok_and(|how| how.notes.is_empty() && terminal::start(&how, engine.home()).is_ok());
        if !started {
            window_process::open(&app, &place("sessions", &session));
        }
    });
}

fn image(icon: Icon) -> Image<'static> {
    match (icon, is_light_panel()) {
        (Icon::Idle, false) => include_image!("icons/tray/idle-dark.png"),
        (Icon::Moving, false) => include_image!("icons/tray/moving-dark.png"),
        (Icon::Attention, false) => include_image!("icons/tray/attention-dark.png"),
        (Icon::Paused, false) => include_image!("icons/tray/paused-dark.png"),
        (Icon::Off, false) => include_image!("icons/tray/off-dark.png"),
        (Icon::Idle, true) => include_image!("icons/tray/idle-light.png"),
        (Icon::Moving, true) => include_image!("icons/tray/moving-light.png"),
        (Icon::Attention, true) => include_image!("icons/tray/attention-light.png"),
        (Icon::Paused, true) => include_image!("icons/tray/paused-light.png"),
        (Icon::Off, true) => include_image!("icons/tray/off-light.png"),
    }
}

/// Only KDE's panel has colours that we can read. GNOME's and most others are dark whatever the
/// theme; the glyph for dark panels has a dark rim and is visible on light ones, too. macOS tints
/// the glyph itself.
#[cfg(target_os = "linux")]
fn is_light_panel() -> bool {
    let config = std::env::home_dir()
        .unwrap_or_default()
        .join(".config/kdeglobals");
    let is_kde = std::env::var("XDG_CURRENT_DESKTOP").is_ok_and(|name| name.contains("KDE"));
    is_kde
        && std::fs::read_to_string(config)
            .is_ok_and(|text| !session_roam_tray::sight::is_dark_scheme(&text))
}

#[cfg(windows)]
fn is_light_panel() -> bool {
    false // the rim helps on the light taskbar
}

#[cfg(not(any(target_os = "linux", windows)))]
fn is_light_panel() -> bool {
    true // a template's glyph is black
}

/// Why no panel can show such icons right now. A panel that starts later gets the icon then.
#[cfg(target_os = "linux")]
pub fn host_missing() -> Option<String> {
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    let has_owner = || -> zbus::Result<bool> {
        let bus = zbus::blocking::Connection::session()?;
        let reply = bus.call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "NameHasOwner",
            &WATCHER,
        )?;
        reply.body().deserialize()
    };
    match has_owner() {
        Ok(true) => None,
        Ok(false) | Err(_) => Some(
            "This desktop shows no icons of programs in its panel (on GNOME the extension AppIndicator does). session-roam \
             runs all the same: start it again to see this window."
                .into(),
        ),
    }
}

#[cfg(not(target_os = "linux"))]
pub fn host_missing() -> Option<String> {
    None
}
