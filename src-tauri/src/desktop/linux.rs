//! Linux: the icon and its menu are a StatusNotifierItem on the session bus, as the panels of KDE, XFCE, sway, Cinnamon and,
//! with its extension, GNOME show it.

use super::Shown;
use super::display::Display;
use super::instance::{self, Instance};
use super::notifications::Notifications;
use crate::{App, NO_DISPLAY, act, begin, icons, quit, second_start};
use ksni::blocking::{Handle, TrayMethods};
use ksni::menu::{MenuItem, StandardItem, SubMenu};
use session_roam_tray::engine::Engine;
use session_roam_tray::menu::{Icon, Item};
use session_roam_tray::news::News;
use session_roam_tray::{panel, programs};
use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use zbus::blocking::Connection;

pub struct Desktop {
    icon: OnceLock<Handle<Tray>>,
    notifications: OnceLock<Arc<Notifications>>,
    shown: Mutex<Option<Shown>>,
    end: SyncSender<()>,
}

pub fn run(home: PathBuf, words: Vec<String>) -> Result<(), String> {
    let display = Display::connect().ok_or(NO_DISPLAY)?;
    // Before anything else begins.
    let Instance::First(bus, starts) = instance::claim()? else {
        return Ok(());
    };
    let (end, ended) = sync_channel(1);
    let app = App::new(
        Engine::start(home),
        Desktop {
            icon: OnceLock::new(),
            notifications: OnceLock::new(),
            shown: Mutex::default(),
            end,
        },
    );
    let tray = app.desktop.open(&app, bus.as_ref());
    begin(&app, tray, &words);
    let (later, late) = (app.clone(), Arc::new(Mutex::new(None)));
    let started_late = late.clone();
    std::thread::spawn(move || {
        for words in starts {
            match later.is_quitting() {
                false => second_start(&later, &words),
                true => *started_late.lock().unwrap_or_else(PoisonError::into_inner) = Some(words),
            }
        }
    });
    std::thread::spawn(move || {
        display.wait_for_end();
        quit(&app);
    });
    let _ = ended.recv();
    if let Some(bus) = bus {
        instance::give_up(&bus);
    }
    let late = late.lock().unwrap_or_else(PoisonError::into_inner).take();
    late.map_or(Ok(()), |words| start_anew(&words))
}

/// Somebody started the app while it was quitting. It has ended now.
fn start_anew(words: &[String]) -> Result<(), String> {
    let program = programs::tray();
    program
        .and_then(|program| Command::new(program).args(words).spawn())
        .map(drop)
        .map_err(|error| format!("session-roam could not be started again: {error}."))
}

impl Desktop {
    /// Creates the icon. An error gives the reason why none is shown.
    fn open(&self, app: &Arc<App>, bus: Option<&Connection>) -> Result<(), String> {
        if let Some(bus) = bus {
            let clicked = Arc::downgrade(app);
            let opened = Notifications::new(bus, move |action| {
                if let Some(app) = clicked.upgrade() {
                    act(&app, action);
                }
            });
            match opened {
                Ok(notifications) => drop(self.notifications.set(notifications)),
                Err(error) => app.note(&format!("There are no notifications: {error}.")),
            }
        }
        let tray = Tray {
            app: Arc::downgrade(app),
            items: Vec::new(),
            picture: picture(Icon::Idle),
            tooltip: String::new(),
        };
        // A panel that starts later gets the icon then.
        let icon = tray
            .assume_sni_available(true)
            .spawn()
            .map_err(|error| format!("The system shows no icon: {error}."))?;
        let _ = self.icon.set(icon);
        panel::missing().map_or(Ok(()), Err)
    }

    pub fn has_icon(&self) -> bool {
        self.icon.get().is_some_and(|icon| !icon.is_closed())
    }

    pub fn show(&self, _app: &App, now: Shown) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(icon) = self.icon.get().filter(|_| shown.as_ref() != Some(&now)) else {
            return;
        };
        let before = shown.replace(now.clone()).map(|before| before.icon);
        icon.update(|tray| {
            if before != Some(now.icon) {
                tray.picture = picture(now.icon);
            }
            (tray.items, tray.tooltip) = (now.items, now.tooltip);
        });
    }

    /// Never waits for the notification daemon.
    pub fn tell(&self, app: &Arc<App>, news: &News) {
        let Some(notifications) = self.notifications.get() else {
            return;
        };
        let (app, notifications, news) = (app.clone(), notifications.clone(), news.clone());
        std::thread::spawn(move || {
            if let Err(error) = notifications.show(&news) {
                app.note(&format!("The notification could not be shown: {error}."));
            }
        });
    }

    pub fn exit(&self) {
        let _ = self.end.try_send(());
    }
}

struct Tray {
    app: Weak<App>,
    items: Vec<Item>,
    picture: Vec<ksni::Icon>,
    tooltip: String,
}

impl ksni::Tray for Tray {
    /// Like everywhere else, a click opens the menu.
    const MENU_ON_ACTIVATE: bool = true;

    fn id(&self) -> String {
        "session-roam".into()
    }

    fn title(&self) -> String {
        "session-roam".into()
    }

    fn icon_pixmap(&self) -> Vec<ksni::Icon> {
        self.picture.clone()
    }

    fn tool_tip(&self) -> ksni::ToolTip {
        ksni::ToolTip {
            title: self.tooltip.clone(),
            ..ksni::ToolTip::default()
        }
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        self.items.iter().map(draw).collect()
    }
}

fn draw(item: &Item) -> MenuItem<Tray> {
    match item {
        Item::Line => MenuItem::Separator,
        Item::Said(label) => StandardItem {
            label: text(label),
            enabled: false,
            ..StandardItem::default()
        }
        .into(),
        Item::Act(action, label) => {
            let action = action.clone();
            StandardItem {
                label: text(label),
                activate: Box::new(move |tray: &mut Tray| {
                    if let Some(app) = tray.app.upgrade() {
                        act(&app, action.clone());
                    }
                }),
                ..StandardItem::default()
            }
            .into()
        }
        Item::Sub(label, items) => SubMenu {
            label: text(label),
            submenu: items.iter().map(draw).collect(),
            ..SubMenu::default()
        }
        .into(),
    }
}

/// A single `_` marks the access key.
fn text(label: &str) -> String {
    label.replace('_', "__")
}

/// The picture as the panel receives it; none if it cannot be decoded.
fn picture(icon: Icon) -> Vec<ksni::Icon> {
    decode(icons::png(icon)).into_iter().collect()
}

fn decode(png: &[u8]) -> Option<ksni::Icon> {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info().ok()?;
    let mut data = vec![0; reader.output_buffer_size()?];
    let facts = reader.next_frame(&mut data).ok()?;
    if (facts.color_type, facts.bit_depth) != (png::ColorType::Rgba, png::BitDepth::Eight) {
        return None;
    }
    // RGBA becomes ARGB.
    data.chunks_exact_mut(4)
        .for_each(|pixel| pixel.rotate_right(1));
    Some(ksni::Icon {
        width: facts.width.try_into().ok()?,
        height: facts.height.try_into().ok()?,
        data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meaning_has_a_picture_of_its_own() {
        let all = [
            Icon::Idle,
            Icon::Moving,
            Icon::Attention,
            Icon::Paused,
            Icon::Off,
        ];
        let pictures: Vec<_> = all
            .iter()
            .map(|icon| decode(icons::png(*icon)).expect("a picture"))
            .collect();
        for (at, one) in pictures.iter().enumerate() {
            assert_eq!((one.width * one.height * 4) as usize, one.data.len());
            assert!(one.data.chunks(4).any(|pixel| pixel[0] == 255), "opaque");
            assert!(pictures[..at].iter().all(|other| other.data != one.data));
        }
    }

    #[test]
    fn an_underscore_in_a_title_is_no_access_key() {
        assert_eq!(text("“fix my_module”"), "“fix my__module”");
    }
}
