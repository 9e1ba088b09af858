//! Notifications of the desktop, and clicks on them (org.freedesktop.Notifications).

use session_roam_tray::menu::Action;
use session_roam_tray::news::News;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::Value;

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// Notifications whose click still does something; a daemon may never say that one is gone.
const MOST_OPEN: usize = 64;

pub struct Notifications {
    daemon: Proxy<'static>,
    open: Mutex<VecDeque<(u32, Action)>>,
}

impl Notifications {
    /// Calls `act` for each click, on a thread of its own.
    pub fn new(bus: &Connection, act: impl Fn(Action) + Send + 'static) -> zbus::Result<Arc<Self>> {
        let daemon = Proxy::new(bus, NAME, PATH, NAME)?;
        let signals = daemon.receive_all_signals()?;
        let open = Mutex::default();
        let notifications = Arc::new(Self { daemon, open });
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
        // Held until the number is known: the click may come at once.
        let mut open = self.lock();
        let hints = HashMap::from([("desktop-entry", Value::from("session-roam"))]);
        let (icon, replaces, expires) = ("session-roam", 0u32, -1i32);
        let call = (
            "session-roam",
            replaces,
            icon,
            &news.title,
            &news.body,
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
