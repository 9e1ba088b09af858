//! Notifications of the desktop, and clicks on them (org.freedesktop.Notifications).

use session_roam_tray::menu::Action;
use session_roam_tray::news::News;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::Value;

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// Notifications whose click still does something; a daemon may never say that one is gone.
const MOST_OPEN: usize = 64;

pub struct Notifications {
    daemon: Proxy<'static>,
    /// Whether the daemon reads a body as markup.
    markup: OnceLock<bool>,
    open: Mutex<VecDeque<(u32, Action)>>,
}

impl Notifications {
    /// Calls `act` for each click, on a thread of its own.
    pub fn new(bus: &Connection, act: impl Fn(Action) + Send + 'static) -> zbus::Result<Arc<Self>> {
        let daemon = Proxy::new(bus, NAME, PATH, NAME)?;
        let signals = daemon.receive_all_signals()?;
        let notifications = Arc::new(Self {
            daemon,
            markup: OnceLock::new(),
            open: Mutex::default(),
        });
        let heard = notifications.clone();
        std::thread::spawn(move || {
            for signal in signals {
                if let Some(action) = heard.hear(&signal) {
                    act(action);
                }
            }
        });
        Ok(notifications)
    }

    pub fn show(&self, news: &News) -> zbus::Result<()> {
        // A session's title may come from another device. A daemon that does not answer shows the
        // escapes.
        let markup = self.markup.get_or_init(|| {
            let all: zbus::Result<Vec<String>> = self.daemon.call("GetCapabilities", &());
            all.map_or(true, |all| all.iter().any(|it| it == "body-markup"))
        });
        let body = match markup {
            true => Cow::Owned(escaped(&news.body)),
            false => Cow::Borrowed(news.body.as_str()),
        };
        // Held until the number is known: the click may come at once.
        let mut open = self.lock();
        let hints = HashMap::from([("desktop-entry", Value::from("session-roam"))]);
        let (icon, replaces, expires) = ("session-roam", 0u32, -1i32);
        let call = (
            "session-roam",
            replaces,
            icon,
            &news.title,
            body.as_ref(),
            // The action of a click on the notification itself, which has no text.
            &["default", ""][..],
            hints,
            expires,
        );
        let number = self.daemon.call("Notify", &call)?;
        open.push_back((number, news.click.clone()));
        if MOST_OPEN < open.len() {
            open.pop_front();
        }
        Ok(())
    }

    fn hear(&self, signal: &zbus::Message) -> Option<Action> {
        let header = signal.header();
        let body = signal.body();
        match header.member()?.as_str() {
            "ActionInvoked" => {
                let (number, _) = body.deserialize::<(u32, &str)>().ok()?;
                self.take(number)
            }
            "NotificationClosed" => {
                let (number, _) = body.deserialize::<(u32, u32)>().ok()?;
                self.take(number);
                None
            }
            _ => None,
        }
    }

    fn take(&self, number: u32) -> Option<Action> {
        let mut open = self.lock();
        let at = open.iter().position(|(known, _)| *known == number)?;
        open.remove(at).map(|(_, action)| action)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u32, Action)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text as markup that shows it: no link, no picture, no style of somebody else's.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_no_markup() {
        assert_eq!(
            escaped("“<a href=\"x\">fix</a>” & <img src=y>"),
            "“&lt;a href=\"x\"&gt;fix&lt;/a&gt;” &amp; &lt;img src=y&gt;"
        );
    }
}
